from __future__ import annotations

import re

import pandas as pd
import pytest

from attendance_toolkit.errors import DisclosureError, ReportError
from attendance_toolkit.presentation.blocks import Cell
from attendance_toolkit.presentation.markup import PageContext, render
from attendance_toolkit.presentation.tables import heat_table, measure_table, table_from_rows
from tests.unit.presentation.examples import make_heat_table, make_tables, protected, row


def test_an_unprotected_table_is_refused():
    with pytest.raises(DisclosureError):
        measure_table(pd.DataFrame(), id="t", rows="phase", title="T")


@pytest.mark.parametrize("rows", [pd.DataFrame({"a": ["Primary"]}), [pd.Series(["Primary", 7])]])
def test_a_frame_is_no_rows_written_out(rows):
    with pytest.raises(DisclosureError, match=type(rows[0] if isinstance(rows, list) else rows).__name__):
        table_from_rows(id="t", title="T", columns=["Phase", "Enrolments"], rows=rows)


def test_counts_and_rates_stand_side_by_side():
    table = make_tables()[0]
    assert [c.full_heading for c in table.columns[1:3]] == ["Overall absence: Number", "Overall absence: Rate (%)"]
    first = table.rows[0]
    assert (first.section, first.header) == ("Primary", "2022/23")
    assert [c.shown for c in first.cells[:2]] == ["55", "5.5"]


def test_hidden_cells_show_their_symbol_with_a_legend():
    table = make_tables()[0]
    assert [c.shown for c in table.rows[-1].cells[-2:]] == ["c", "c"]
    assert table.symbols == ("c",)
    assert "c = confidential: hidden to protect small numbers" in render(table)


def test_a_combination_without_a_row_is_not_available():
    rows = [
        row("overall_absence_rate", 0.05, phase="Primary", academic_year=202223),
        row("overall_absence_rate", 0.06, phase="Secondary", academic_year=202324),
    ]
    table = measure_table(protected(rows), id="t", rows="academic_year", columns="phase", title="T")
    assert [[c.shown for c in r.cells] for r in table.rows] == [["5.0", "x"], ["x", "6.0"]]


def test_a_heat_table_prints_every_figure_and_shades_by_what_it_prints():
    table = make_heat_table()
    found = {(r.section, r.header): [(c.shown, c.shade) for c in r.cells] for r in table.rows}
    # Shades by hand: 0.8 to 4.1 in steps of 1.
    assert found == {
        ("Female", "EHC plan"): [("c", None), ("3.3", 3)],
        ("Female", "SEN support"): [("4.1", 4), ("1.7", 1)],
        ("Female", "No SEN"): [("2.1", 2), ("0.9", 0)],
        ("Male", "EHC plan"): [("u", None), ("3.2", 3)],
        ("Male", "SEN support"): [("4.0", 4), ("1.6", 1)],
        ("Male", "No SEN"): [("2.0", 2), ("0.8", 0)],
    }
    assert table.key == ("0 to under 1", "1 to under 2", "2 to under 3", "3 to under 4", "4 to 5")
    html = render(table, PageContext())
    assert re.findall(r'<td class="n heat-e" data-cell="[^"]+">([^<]*)', html) == ["4.1", "4.0"]
    assert html.count('class="n sym"') == 2
    assert '<ul class="key"><li>Shading (%):</li><li class="heat-a">0 to under 1</li>' in html
    assert "u: fewer than 10 enrolments." in html


def test_a_figure_left_out_as_unreliable_keeps_no_trace():
    """Its row of the release has a number, which must not come with it."""
    cell = next(c for r in make_heat_table().rows for c in r.cells if c.symbol == "u")
    assert (cell.text, cell.value, cell.ref, cell.shade) == ("", None, "", None)
    assert "\nMale,EHC plan,u,3.2\n" in make_heat_table().to_csv()


def test_a_heat_table_without_figures_has_no_key():
    rows = [{**row("severe_absence_rate", 0.05, phase=p, sex="Female"), "symbol": "c"} for p in ("Primary", "Special")]
    table = heat_table(protected(rows), id="t", rows="phase", columns="sex", title="T")
    assert table.key == ()
    assert "heat" not in render(table)


def test_a_heat_table_shades_one_measure():
    rows = [row(m, 0.05, phase="Primary", sex="Female") for m in ("severe_absence_rate", "persistent_absence_rate")]
    with pytest.raises(ReportError, match="more than one measure"):
        heat_table(protected(rows), id="t", rows="phase", columns="sex", title="T")


def test_levels_follow_a_categorical():
    frame = protected([row("overall_absence_rate", 0.05, phase=p) for p in ("Special", "Primary")])
    frame.rows["phase"] = pd.Categorical(frame.rows["phase"], ["Primary", "Secondary", "Special"])
    table = measure_table(frame, id="t", rows="phase", title="T")
    assert [r.header for r in table.rows] == ["Primary", "Special"]


def test_two_rows_in_one_cell_are_refused():
    one = row("overall_absence_rate", 0.05, phase="Primary")
    with pytest.raises(ReportError, match="more than one row for Primary"):
        measure_table(protected([one, one]), id="t", rows="phase", title="T")


def test_units_by_measure():
    rows = [
        row("mean_sessions_missed", 18.04, phase="Primary"),
        {"measure": "overall_absence_rate_change", "rate": -0.0025, "phase": "Primary"},
    ]
    table = measure_table(protected(rows), id="t", rows="phase", title="T")
    assert [c.unit for c in table.columns[1:]] == ["sessions", "percentage points"]
    assert [c.shown for c in table.rows[0].cells] == ["18.0", "−0.3"]


def test_markup_has_caption_scopes_and_groups():
    html = render(make_tables()[0], PageContext())
    assert '<caption id="phase-year-caption">' in html
    assert '<th scope="colgroup" class="group" colspan="2">Overall absence</th>' in html
    assert '<th scope="rowgroup" colspan="7">Primary</th>' in html
    assert '<th scope="row">2022/23</th>' in html
    assert 'role="region" tabindex="0" aria-labelledby="phase-year-caption"' in html
    assert "<th></th>" not in html


def test_a_small_table_is_no_scroller():
    table = table_from_rows(id="t", title="T", columns=["Phase", "Rate"], rows=[("Primary", Cell("5.5", 5.5))])
    assert "scroller" not in render(table)


def test_footnotes_of_cells_are_numbered_once():
    rows = [("a", Cell("1", 1, note="Odd.")), ("b", Cell("2", 2, note="Odd."))]
    html = render(table_from_rows(id="t", title="T", columns=["x", "y"], rows=rows))
    assert html.count("[note 1]") == 2
    assert html.count("Note 1: Odd.") == 1


def test_explicit_rows_take_numbers_text_and_nothing():
    table = table_from_rows(id="t", title="T", columns=["x", "a", "b", "c"], rows=[("r", 1234, "text", None)])
    assert [c.shown for c in table.rows[0].cells] == ["1,234", "text", "x"]
