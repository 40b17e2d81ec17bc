"""Where a number of a page comes from: ids of cleared rows, the ledger, seals of drawings, hidden shares."""

from __future__ import annotations

import inspect

import pytest

from attendance_toolkit.errors import DisclosureError, ReportError
from attendance_toolkit.presentation import figures, tables
from attendance_toolkit.presentation.blocks import (
    MIME,
    SAID,
    Cell,
    Column,
    PageHead,
    Paragraph,
    Row,
    Table,
    block_from_document,
)
from attendance_toolkit.presentation.charting import tick_text
from attendance_toolkit.presentation.formats import count_cell, measure_format, rate_cell
from attendance_toolkit.presentation.markup import render
from attendance_toolkit.presentation.narrative import hidden_share, percent
from attendance_toolkit.presentation.seals import seal_of
from attendance_toolkit.reporting.exporter import collect_outputs, frame_values
from attendance_toolkit.reporting.page_lint import lint_page
from attendance_toolkit.vocabulary import ledger
from attendance_toolkit.vocabulary.rounding import number_text, show_number
from tests.unit.presentation.examples import code, limits_at, make_figures, notebook, trend

RECORD = {
    "measure": "severe_absence_rate", "numerator": 25.0, "denominator": 1000.0, "rate": 0.025, "lower": 0.017,
    "upper": 0.037, "symbol": "", "cell": "c0123456789",
}  # fmt: skip


@pytest.fixture
def page_mode(monkeypatch):
    monkeypatch.setenv("ATTENDANCE_OUTPUT", "page")
    ledger.drain()
    yield
    ledger.drain()


# -- ids ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [rate_cell, count_cell])
def test_a_cell_carries_the_id_of_its_row(make):
    assert make(RECORD).ref == "c0123456789"
    assert make({**RECORD, "symbol": "c"}).ref == "c0123456789"
    assert make({key: value for key, value in RECORD.items() if key != "cell"}).ref == ""
    assert make({**RECORD, "cell": float("nan")}).ref == ""


def test_the_id_is_on_the_page_and_nothing_else_may_be():
    table = Table("t", "T", "", (Column("A"), Column("B")), (Row("r", (rate_cell(RECORD),)),))
    html = render(table)
    assert '<td class="n" data-cell="c0123456789">2.5</td>' in html
    assert not [finding for finding in lint_page(html) if "data of its own" in finding]
    for bad in ('data-cell="7 pupils"', 'data-rows="7"'):
        assert [f for f in lint_page(html.replace('data-cell="c0123456789"', bad)) if "data of its own" in f]


def test_an_id_that_says_something_is_refused():
    with pytest.raises(ReportError, match="id of a row"):
        Cell("7", 7, ref="c7 pupils")


def test_a_cell_with_an_id_survives_the_notebook():
    table = Table("t", "T", "", (Column("A"), Column("B")), (Row("r", (rate_cell(RECORD),)),))
    assert block_from_document(table.document()) == table


# -- the ledger ---------------------------------------------------------------------------------------------


def test_outside_a_page_nothing_is_noted(monkeypatch):
    monkeypatch.delenv("ATTENDANCE_OUTPUT", raising=False)
    ledger.drain()
    percent(0.0713)
    ledger.phrase("3 of 12 schools", "schools")
    assert ledger.drain() == []
    assert SAID not in Paragraph("x")._repr_mimebundle_()[0][MIME]


def test_numbers_are_noted_as_written_and_as_they_were(page_mode):
    show_number(1234.5, 1)
    percent(0.07131)
    number_text(99.9, 1)
    ledger.phrase("3 of 12 schools", "schools")
    tick_text(5.0, [0.0, 5.0], measure_format("overall_absence_rate"))
    assert ledger.drain() == [
        ("1,234.5", 1234.5, "figure"),
        ("7.1", pytest.approx(7.131), "figure"),
        ("3 of 12 schools", None, "schools"),
        ("5", 5.0, "axis"),
    ]


def test_a_block_carries_what_was_noted_since_the_block_before(page_mode):
    first = Paragraph(f"Absence was {percent(0.05)}.")
    one = first._repr_mimebundle_()[0][MIME]
    second = Paragraph(f"Then {percent(0.06)}.")._repr_mimebundle_()[0][MIME]
    assert one[SAID] == [["5.0", 5.0, "figure"]]
    assert second[SAID] == [["6.0", 6.0, "figure"]]
    assert block_from_document(one) == first


def test_the_exporter_gathers_them(page_mode):
    cells = code(Paragraph(f"Absence was {percent(0.05)}.")), code(Paragraph(f"Then {percent(0.06)}."))
    assert {entry[0] for entry in collect_outputs(notebook(*cells)).said} == {"5.0", "6.0"}


def test_pupils_cannot_be_counted_as_things():
    for word in ("pupils", "enrolments", "sessions", "absentees"):
        with pytest.raises(ValueError, match="without a cleared figure"):
            ledger.phrase(f"7 {word}", word)


# -- seals --------------------------------------------------------------------------------------------------


def test_drawings_are_sealed_with_the_key_of_the_run(monkeypatch):
    monkeypatch.setenv("ATTENDANCE_SEAL", "k")
    figure = make_figures()[0]
    assert figure.seal == seal_of(figure.svg_wide, figure.svg_narrow, key="k") != ""
    assert block_from_document(figure.document()) == figure
    monkeypatch.delenv("ATTENDANCE_SEAL")
    assert make_figures()[0].seal == ""


def test_drawings_cannot_change_places():
    assert seal_of("ab", "c", key="k") != seal_of("a", "bc", key="k")


def test_every_drawing_of_a_page_is_known():
    outputs = collect_outputs(notebook(code(*make_figures())))
    assert len(outputs.drawings) == outputs.html.count("<svg ") == 8


# -- what presentation takes --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", figures.__all__)
def test_charts_refuse_a_plain_frame(name):
    function = getattr(figures, name)
    given = {"id": "a", "title": "T", "subtitle": "S"}
    needed: dict = {
        p: "phase" for p in ("category", "panel", "x", "series") if p in inspect.signature(function).parameters
    }
    if "sets" in inspect.signature(function).parameters:
        needed["sets"] = [figures.Membership("Primary", "phase", ("Primary",))]
    for parameter, value in {"centre": 0.07, "lower": 0.06, "upper": 0.08, "limits": limits_at([100, 400])}.items():
        if parameter in inspect.signature(function).parameters:
            needed[parameter] = value
    with pytest.raises(DisclosureError, match="Only a protected table can be shown, not a DataFrame"):
        function(trend().rows, **given, **needed)


def test_tables_refuse_a_plain_frame():
    with pytest.raises(DisclosureError, match="Only a protected table can be shown"):
        tables.measure_table(trend().rows, id="a", rows="series_label", title="T")
    with pytest.raises(DisclosureError, match="Only a protected table can be shown"):
        tables.heat_table(trend().rows, id="a", rows="series_label", columns="academic_year", title="T")


# -- hidden figures, markings -------------------------------------------------------------------------------


def test_hidden_figures_are_counted_over_all_tables():
    cells = (Cell("5.5", 5.5), Cell(symbol="c"), Cell(symbol="c"), Cell(symbol="x"), Cell("text"))
    table = Table("t", "T", "", tuple(Column(str(i)) for i in range(6)), (Row("r", cells),))
    assert hidden_share([table, table]) == (
        "4 of 6 figures in the tables of this page are hidden to protect small numbers (66.7%)."
    )
    assert hidden_share([]) == ""


def test_the_marking_reaches_the_template_and_every_printed_page():
    values = frame_values(body="", synthetic=True, title="T", document_title="T", marking="OFFICIAL-SENSITIVE")
    assert values["marking"] == "OFFICIAL-SENSITIVE"
    assert values["print_title"].startswith('"OFFICIAL-SENSITIVE. SYNTHETIC DATA. ')
    head = PageHead("T", "S", (), False, (), "overview", "E0", "A", 202324, "OFFICIAL-SENSITIVE")
    assert head.plain_text().startswith("OFFICIAL-SENSITIVE")
    assert block_from_document(head.document()) == head
