from __future__ import annotations

import pandas as pd
import pytest

from attendance_toolkit.errors import DisclosureError, ReportError
from attendance_toolkit.presentation.blocks import Cell
from attendance_toolkit.presentation.markup import PageContext, render
from attendance_toolkit.presentation.tables import measure_table, table_from_rows
from tests.unit.presentation.examples import make_tables, protected, row


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
