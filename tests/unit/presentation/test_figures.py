from __future__ import annotations

import re

import pandas as pd
import pytest

from attendance_toolkit.errors import DisclosureError, ReportError, UnknownColumnError
from attendance_toolkit.presentation import figures
from attendance_toolkit.presentation.style import NARROW, WIDE
from tests.unit.presentation.examples import (
    COMBINED,
    by_area,
    crossed,
    make_figures,
    make_new_figures,
    panels_of_areas,
    protected,
    row,
    trend,
    year_groups,
)

WORDS = {"title": "Headline", "subtitle": "Measure, place, period"}


def line(table, **options):
    return figures.line_by_year(table, id="f", **WORDS, **options)


@pytest.mark.parametrize(
    "call",
    [
        lambda t: figures.line_by_year(t, id="f", **WORDS),
        lambda t: figures.small_multiples_by_year(t, id="f", panel="area", **WORDS),
        lambda t: figures.dot_interval(t, id="f", category="area", **WORDS),
        lambda t: figures.bars(t, id="f", category="area", **WORDS),
    ],
    ids=["line", "multiples", "dots", "bars"],
)
def test_an_unprotected_table_is_refused(call):
    with pytest.raises(DisclosureError, match="Only a protected table"):
        call(pd.DataFrame({"rate": [0.1]}))


@pytest.mark.parametrize("figure", make_figures(), ids=lambda f: f.id)
def test_every_figure_is_drawn_twice_with_words_and_data(figure):
    assert f'viewBox="0 0 {WIDE} ' in figure.svg_wide
    assert f'viewBox="0 0 {NARROW} ' in figure.svg_narrow
    assert len(figure.alt) > 60
    assert figure.data.rows
    assert "Synthetic data" in figure.svg_wide
    assert "Synthetic data" in figure.svg_narrow
    assert "Synthetic data" in figure.source
    assert "Synthetic data" in figure.data.source


@pytest.mark.parametrize(
    ("first", "second"), list(zip(make_figures(), make_figures(), strict=True)), ids=lambda f: f.id
)
def test_drawing_again_gives_the_same_bytes(first, second):
    assert first.document() == second.document()


def test_line_alt_gives_first_last_and_the_gap():
    alt = line(trend()).alt
    assert "2017/18 to 2023/24" in alt
    assert "Primary: 5.5% in 2017/18, 6.9% in 2023/24." in alt
    assert "There are no figures for 2019/20, so the lines break there." in alt


def test_a_year_without_figures_breaks_the_line():
    # The first drawn path of a series has two strokes: before and after 2019/20.
    path = re.search(r'<path d="([^"]+)" style="fill:none;stroke:var\(--s1', line(trend()).svg_wide)
    assert path[1].count("M") == 2


def test_a_year_can_be_left_out_though_it_has_rows():
    figure = line(trend(), gap_years=[202021])
    assert "2019/20 and 2020/21" in figure.alt
    assert all(row.header != "2020/21" for row in figure.data.rows)


def test_a_hidden_value_leaves_no_trace():
    open_, hidden = line(trend()), line(trend(hidden=("Special", 202324)))
    secret = "15.6%"
    assert secret in open_.alt
    assert secret in open_.svg_wide
    for text in (hidden.alt, hidden.svg_wide, hidden.svg_narrow, hidden.data.to_csv(), *hidden.notes):
        assert secret not in text
    assert "1 value is hidden to protect small numbers." in hidden.notes
    assert "1 value is hidden to protect small numbers." in hidden.alt
    assert "\nSpecial,2023/24,c,c,c\n" in hidden.data.to_csv()


def test_a_hidden_value_moves_no_axis():
    """The drawing must be the same whatever the hidden number was."""
    small = by_area(hidden="Fernleigh")
    large = protected(
        [
            {**record, "rate": 0.9 if record["area"] == "Fernleigh" else record["rate"]}
            for record in small.rows.to_dict("records")
        ]
    )
    drawn = [figures.dot_interval(t, id="f", category="area", **WORDS).document() for t in (small, large)]
    assert drawn[0] == drawn[1]


def test_hidden_rows_stand_last_in_their_given_order():
    figure = figures.dot_interval(by_area(hidden="Fernleigh"), id="f", category="area", **WORDS)
    assert [r.header for r in figure.data.rows][-1] == "Fernleigh"
    assert figure.data.rows[-1].cells[0].shown == "c"


def test_dots_are_sorted_and_the_reference_is_said():
    figure = figures.dot_interval(
        by_area(), id="f", category="area", highlight="Aldermoor", reference=("England", 0.0215), **WORDS
    )
    assert [r.header for r in figure.data.rows] == list(
        reversed(["Aldermoor", "Brackwell", "Castleford Vale", "Denholme", "Eastmere", "Fernleigh"])
    )
    assert "Aldermoor, highlighted: 1.8% (95% interval 1.5 to 2.1)." in figure.alt
    assert "Dashed line: England, 2.2%." in figure.alt


def test_alt_claims_no_highest():
    for figure in make_figures():
        assert "Highest" not in figure.alt


def test_percentage_points_are_signed():
    table = protected([{"measure": "overall_absence_rate_change", "rate": -0.012, "phase": "Primary"}])
    figure = figures.bars(table, id="f", category="phase", **WORDS)
    assert "Primary −1.2 pp" in figure.alt
    assert figure.data.columns[1].unit == "percentage points"


# -- groups crossed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("figure", make_new_figures(), ids=lambda f: f.id)
def test_charts_of_groups_are_drawn_twice_with_words_and_data(figure):
    assert f'viewBox="0 0 {WIDE} ' in figure.svg_wide
    assert f'viewBox="0 0 {NARROW} ' in figure.svg_narrow
    assert "Synthetic data" in figure.svg_narrow
    assert len(figure.alt) > 60
    assert "1 value is hidden to protect small numbers." in figure.alt
    again = next(f for f in make_new_figures() if f.id == figure.id)
    assert again.document() == figure.document()
    # No text smaller than 12 pixels at the width of a phone.
    assert min(float(size) for size in re.findall(r'font-size="([\d.]+)"', figure.svg_narrow)) >= 12


def test_levels_share_their_first_word_once():
    figure = figures.line_by_level(year_groups(), x="year_group", series="sex", id="f", **WORDS)
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", figure.svg_wide)
    assert [t for t in texts if t.isdigit()] == [str(n) for n in range(1, 12)]
    assert "Year group" in texts
    assert "Line chart by year group, from Year 1 to Year 11. Girls: 0.7% in Year 1, 3.1% in Year 11." in figure.alt
    assert figure.data.rows[6].header == "Year 7"


def test_levels_keep_their_order_and_their_names_where_they_share_nothing():
    rows = [
        row("severe_absence_rate", 0.01, term=term, series_label="All")
        for term in ("Autumn term", "Spring term", "Summer term")
    ]
    figure = figures.line_by_level(protected(rows), x="term", series="series_label", id="f", **WORDS)
    text = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", figure.svg_narrow))
    assert re.search("Autumn.*Spring.*Summer", text)


def test_dots_may_keep_their_order():
    figure = figures.dot_interval(by_area(), id="f", category="area", sort=False, **WORDS)
    assert figure.data.rows[0].header == "Aldermoor"
    assert "sorted" not in figure.alt


def panels(**options):
    return figures.dot_panels(panels_of_areas(), id="f", panel="phase", category="area", **WORDS, **options)


def test_panels_are_sorted_or_not_each_by_itself():
    given = [(r.section, r.header) for r in panels().data.rows]
    assert given[0] == ("Primary", "Aldermoor")
    ordered = [(r.section, r.header) for r in panels(sort=True).data.rows]
    assert ordered[0] == ("Primary", "Fernleigh")
    assert ordered[-1] == ("Special", "Aldermoor")
    assert sorted(given) == sorted(ordered)


def test_one_reference_is_named_once_and_several_each_in_its_panel():
    same = dict.fromkeys(("Primary", "Secondary", "Special"), ("All pupils", 0.021))
    assert panels(references=same).svg_wide.count(">All pupils 2.1%<") == 1
    other = {"Primary": ("England", 0.009), "Special": ("England", 0.052)}
    figure = panels(references=other)
    assert figure.svg_wide.count(">England ") == 2
    assert "Special. Values run from 5.0% (95% interval 4.7 to 5.3) for Aldermoor" in figure.alt
    assert "Dashed line: England, 5.2%." in figure.alt


def upset(table, **options):
    return figures.upset_rows(table, sets=COMBINED, id="f", **WORDS, **options)


def test_combinations_stand_from_high_to_low_hidden_ones_last():
    figure = upset(crossed(hidden=("Not FSM eligible", "No SEN", "Male")))
    assert figure.data.rows[0].header == "Free school meals, EHC plan and Girls"
    assert figure.data.rows[-1].header == "None of these"
    assert [c.shown for c in figure.data.rows[-1].cells] == ["c"] * 5
    assert [c.shown for c in figure.data.rows[0].cells][:3] == ["81", "1,000", "8.1"]


def test_membership_is_filled_and_empty_dots():
    """Counted in the drawing: of 12 rows and 4 sets, free school meals and girls fill half, each kind of SEN a third."""
    figure = upset(crossed())
    filled = figure.svg_wide.count("fill:var(--s1,#12436d);stroke:var(--page,#ffffff)")
    empty = figure.svg_wide.count("fill:var(--page,#ffffff);stroke:var(--axis,#6b6e70)")
    assert (filled, empty) == (6 + 6 + 4 + 4, 48 - 20)


def test_small_combinations_are_left_out_and_counted():
    figure = upset(crossed(small=("FSM eligible", "EHC plan", "Male")))
    assert len(figure.data.rows) == 11
    assert "1 combination has fewer than 10 enrolments and is left out." in figure.notes
    assert "hidden" not in " ".join(figure.notes)


def test_at_most_so_many_rows_are_drawn():
    figure = upset(crossed(hidden=("FSM eligible", "EHC plan", "Female")), most=5)
    assert len(figure.data.rows) == 5
    assert all(not cell.symbol for r in figure.data.rows for cell in r.cells)
    assert "Drawn are the 5 combinations with the highest rates of 11 that can be shown." in figure.notes
    assert "1 more combination is hidden to protect small numbers." in figure.alt


def test_two_rows_in_the_same_sets_are_refused():
    with pytest.raises(ReportError, match="more than one row for 'Free school meals'"):
        figures.upset_rows(crossed(), sets=COMBINED[:1], id="f", **WORDS)


def test_combinations_need_sets_and_rows():
    with pytest.raises(ReportError, match="no sets"):
        figures.upset_rows(crossed(), sets=(), id="f", **WORDS)
    with pytest.raises(ReportError, match="no rows"):
        upset(crossed(), least=2000)


def test_more_than_four_series_are_refused():
    table = protected([row("overall_absence_rate", 0.05, series_label=f"S{i}", academic_year=202324) for i in range(5)])
    with pytest.raises(ReportError, match="5 series"):
        line(table)


def test_two_rows_for_one_mark_are_refused():
    one = row("overall_absence_rate", 0.05, series_label="A", academic_year=202324)
    with pytest.raises(ReportError, match="more than one row for A, 202324"):
        line(protected([one, one]))


def test_an_unknown_column_is_named_with_the_choices():
    with pytest.raises(UnknownColumnError, match=r"no column .phase.*series_label"):
        line(trend(), series="phase")


def test_units_are_not_mixed():
    rows = [
        row("overall_absence_rate", 0.05, series_label="A", academic_year=202324),
        row("mean_sessions_missed", 18.0, series_label="B", academic_year=202324),
    ]
    with pytest.raises(ReportError, match="cannot mix"):
        line(protected(rows))


def test_one_year_and_all_hidden_can_be_drawn():
    one = protected([row("overall_absence_rate", 0.05, series_label="A", academic_year=202324)])
    assert "A: 5.0% in 2023/24." in line(one).alt
    none = protected(
        [
            {**row("overall_absence_rate", 0.05, series_label="A", academic_year=y), "symbol": "c"}
            for y in (202223, 202324)
        ]
    )
    assert "A: no value can be shown." in line(none).alt
    assert "2 values are hidden to protect small numbers." in line(none).notes


def test_real_data_does_not_say_synthetic():
    figure = line(trend(synthetic=False))
    assert "ynthetic" not in str(figure.document())


def test_names_are_escaped_in_the_drawing():
    table = protected([row("overall_absence_rate", 0.05, area="<b>&\"' School")])
    figure = figures.bars(table, id="f", category="area", **WORDS)
    assert "<b>" not in figure.svg_wide
    assert "&lt;b&gt;&amp;" in figure.svg_wide
