"""Bars of 100%: what is drawn is measured in the drawing and held against the planted shares."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import ReportError, UnknownColumnError
from attendance_toolkit.presentation import figures
from attendance_toolkit.presentation._segments import HATCHES, _hatching
from tests.unit.presentation.examples import BANDS, FLOWS, flows, protected, row

WORDS = {"title": "Headline", "subtitle": "Measure, place, period"}
_BAR = re.compile(r'<path d="M([\d.]+) [\d.]+L([\d.]+) ([\d.]+)L[^"]*[Zz]"[^>]*style="fill:var\(--([\w-]+),')
_AFTER = (*BANDS, "Too few sessions", "Left")


def draw(table: ProtectedTable, **options):
    return figures.flow_bars(table, id="f", **WORDS, **options)


def bars_of(svg: str) -> list[list[tuple[float, float, str]]]:
    """Return left, right and ground of the segments of each bar, from top to bottom; grounds of texts and the key not."""
    found = defaultdict(list)
    for start, end, bottom, ground in _BAR.findall(svg):
        found[float(bottom)].append((float(start), float(end), ground))
    edge = max(end for segments in found.values() for _, end, _ in segments)
    whole = [sorted(found[bottom]) for bottom in sorted(found)]
    return [segments for segments in whole if segments[-1][1] == edge]


def texts_of(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


# -- lengths ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drawing", ["svg_wide", "svg_narrow"])
def test_segments_are_as_long_as_their_shares(drawing):
    drawn = bars_of(getattr(draw(flows()), drawing))
    assert len(drawn) == len(FLOWS)
    for segments, (_, shares) in zip(drawn, FLOWS.values(), strict=True):
        left, right = segments[0][0], segments[-1][1]
        lengths = [100 * (end - start) / (right - left) for start, end, _ in segments]
        # One decimal of a pixel is kept.
        assert lengths == pytest.approx([share for share in shares if share], abs=0.15)


def test_hidden_shares_leave_one_rest_at_the_end():
    hidden = [(BANDS[0], BANDS[1]), (BANDS[0], BANDS[3])]
    figure = draw(flows(hidden=hidden))
    first, second, _ = bars_of(figure.svg_wide)
    rest = [100 * (end - start) / (first[-1][1] - first[0][0]) for start, end, ground in first if ground == "page"]
    assert rest == pytest.approx([17.0 + 4.5], abs=0.2)
    assert first[-1][2] == "page"
    assert all(ground != "page" for _, _, ground in second)
    assert "hidden" in texts_of(figure.svg_wide)
    assert "Hidden" in texts_of(figure.svg_wide)
    assert [cell.shown for cell in figure.data.rows[0].cells] == [
        "1,200", "62.5", "c", "8.0", "c", "1.0", "2.0", "5.0",
    ]  # fmt: skip


def test_without_hidden_shares_there_is_no_rest():
    figure = draw(flows())
    assert all(ground != "page" for segments in bars_of(figure.svg_wide) for _, _, ground in segments)
    assert "hatched" not in " ".join(figure.notes)
    assert "Hidden" not in texts_of(figure.svg_wide)


def test_a_group_that_is_hidden_throughout_says_nothing_of_its_size():
    figure = draw(flows(hidden=[(BANDS[2], after) for after in _AFTER]))
    assert "400 pupils" not in figure.svg_wide + figure.alt
    assert "1,200 pupils" in figure.svg_wide
    assert f"{BANDS[2]}: no value can be shown." in figure.alt
    assert [cell.shown for cell in figure.data.rows[1].cells] == ["c"] * 8


def test_an_empty_group_has_no_bar_and_nothing_hidden():
    table = flows()
    empty = table.rows["band_before"] == "Joined"
    rows = table.rows.assign(symbol=table.rows["symbol"].where(~empty, "z"))
    rows.loc[empty, ["numerator", "denominator", "rate"]] = float("nan")
    figure = draw(table.with_rows(rows))
    assert len(bars_of(figure.svg_wide)) == len(FLOWS) - 1
    assert "z" in texts_of(figure.svg_wide)
    assert "hidden" not in texts_of(figure.svg_wide)


def test_figures_that_are_missing_are_not_called_hidden():
    table = flows(hidden=[(BANDS[0], BANDS[1])])
    figure = draw(table.with_rows(table.rows.assign(symbol=table.rows["symbol"].replace("c", "x"))))
    assert "not shown" in texts_of(figure.svg_wide)
    assert "hidden" not in texts_of(figure.svg_wide)


def test_rounded_shares_over_100_percent_stay_within_the_bar():
    table = flows().select(band_before="Joined")
    table = table.with_rows(table.rows.assign(rate=table.rows["rate"] * 1.06))
    figure = draw(table)
    (segments,) = bars_of(figure.svg_wide)
    assert segments[-1][1] <= max(end for _, end, _ in bars_of(draw(flows()).svg_wide)[0]) + 0.1
    assert "Shares of rounded counts may add up to a little less or more than 100%." in figure.notes
    assert "42%" in texts_of(figure.svg_wide)


# -- texts and looks ----------------------------------------------------------------------------------------


def test_shares_of_8_percent_and_more_are_written():
    texts = texts_of(draw(flows()).svg_wide)
    # 8.0% twice, in two groups; 7.75% would print as 8% too, but is less.
    assert texts.count("8%") == 2
    assert {"63%", "17%", "42%", "14%", "40%", "10%"} <= set(texts)
    assert not {"5%", "3%"} & set(texts)


def test_a_figure_that_does_not_fit_is_left_out():
    assert "8%" not in texts_of(draw(flows()).svg_narrow)
    assert "63%" in texts_of(draw(flows()).svg_narrow)


def test_bands_are_shaded_from_low_to_high_and_the_others_are_grey_and_hatched():
    first = bars_of(draw(flows()).svg_wide)[0]
    assert [ground for _, _, ground in first] == ["heat-a", "heat-b", "heat-c", "heat-d", "heat-e", "panel", "panel"]


def test_levels_without_an_order_stand_in_that_of_the_vocabulary():
    table = flows()
    figure = draw(table.with_rows(table.rows.iloc[::-1]))
    assert [r.header for r in figure.data.rows] == [BANDS[0], BANDS[2], "Joined"]
    assert [column.label for column in figure.data.columns][2:] == list(_AFTER)
    assert figure.svg_wide == draw(table).svg_wide


def test_a_level_has_the_same_hatching_whoever_stands_beside_it():
    """Measured as strokes: "Left" alone is hatched as it is beside "Too few sessions"."""
    table = flows().select(band_before=BANDS[0], band_after=[*BANDS, "Left"])
    full = flows().select(band_before=BANDS[0])

    def last_key(one: ProtectedTable) -> str:
        svg = draw(one).svg_wide
        return re.findall(r'<path d="([^"]*)" style="fill:none;stroke:var\(--others', svg)[-1]

    def slopes(path: str) -> set[int]:
        ends = re.findall(r"M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)", path)
        return {
            round((float(d) - float(b)) / (float(c) - float(a))) for a, b, c, d in ends if abs(float(c) - float(a)) > 2
        }

    assert slopes(last_key(table)) == slopes(last_key(full)) == {1}


@pytest.mark.parametrize("hatch", [*HATCHES, "crossed"])
def test_hatchings_stay_within_their_segment(hatch):
    edges = (13.0, 4.0, 71.5, 30.0)
    lines = list(_hatching(edges, hatch))
    assert len(lines) >= 4
    for x0, y0, x1, y1 in lines:
        assert edges[0] <= min(x0, x1) <= max(x0, x1) <= edges[2]
        assert edges[1] <= min(y0, y1) <= max(y0, y1) <= edges[3]


def test_the_drawing_has_no_patterns():
    """The gate lets no <pattern> through: it might hold anything."""
    figure = draw(flows(hidden=[(BANDS[0], BANDS[1])]))
    assert "pattern" not in figure.svg_wide + figure.svg_narrow


def test_the_text_equivalent_says_the_largest_shares_and_the_size():
    alt = draw(flows()).alt
    assert alt.startswith("Bar chart of 3 rows, each 100%, divided by band after.")
    assert "0% to under 5%, 1,200 pupils: most often 0% to under 5% 62.5% and 5% to under 10% 17.0%." in alt


# -- panels and errors --------------------------------------------------------------------------------------


def test_steps_are_panels_with_headings_and_one_axis():
    steps = ("Autumn to spring", "Spring to summer")
    figure = draw(flows(steps=steps), step="step")
    texts = texts_of(figure.svg_wide)
    assert all(texts.count(name) == 1 for name in steps)
    assert texts.count("100%") == 1
    assert [r.section for r in figure.data.rows] == ["Autumn to spring"] * 3 + ["Spring to summer"] * 3
    assert len(bars_of(figure.svg_wide)) == 6


def test_more_than_four_panels_are_refused():
    with pytest.raises(ReportError, match="5 panels"):
        draw(flows(steps="abcde"), step="step")


def test_two_steps_in_one_panel_are_refused():
    with pytest.raises(ReportError, match="more than one row"):
        draw(flows(steps="ab"))


def test_more_levels_than_can_be_told_apart_are_refused():
    rows = [row("persistent_absence_rate", 0.1, band_before="A", band_after=f"Level {n}") for n in range(6)]
    with pytest.raises(ReportError, match="6 shaded levels"):
        draw(protected(rows))
    assert draw(protected(rows), outside=["Level 0"]).data.columns[-1].label == "Level 0"
    with pytest.raises(ReportError, match="5 hatched levels"):
        draw(protected(rows), outside=[f"Level {n}" for n in range(5)])


def test_only_percentages_are_parts_of_a_whole():
    with pytest.raises(ReportError, match="no percentage"):
        draw(protected([row("mean_sessions_missed", 18.0, band_before="A", band_after="B")]))


def test_a_missing_column_and_no_rows_are_said():
    with pytest.raises(UnknownColumnError, match="no column 'outcome'"):
        draw(flows(), after="outcome")
    with pytest.raises(ReportError, match="no rows to draw"):
        draw(flows().select(band_before="Nobody"))
