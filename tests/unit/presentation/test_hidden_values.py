"""Whatever a hidden number is, every byte made from the table is the same: drawing, words, table, CSV, picture.

Two tables are made from exact rows that differ in the hidden numbers alone, and in the order and in the columns behind
the rows that go with them. What is shown of the one must be what is shown of the other.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable

import pytest

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.presentation import figures, narrative
from attendance_toolkit.presentation.blocks import Block, Figure, Findings, Table, Tile, Tiles
from attendance_toolkit.presentation.formats import count_cell, hidden_notes, rate_cell, records, single_format
from attendance_toolkit.presentation.markup import PageContext, render, sparkline
from attendance_toolkit.presentation.tables import heat_table, measure_table
from tests.unit.presentation.examples import AREAS, BANDS, PHASES, YEARS, limits_at, protected, row

WORDS = {"title": "Headline", "subtitle": "Measure, place, period"}
#: Pairs of what the hidden figures might have been: rate and half of the interval.
TWINS = [((0.001, 0.0005), (0.93, 0.06)), ((0.05, 0.01), (0.051, 0.2)), ((0.0, 0.0), (1.0, 0.0))]


def trend(rate: float, half: float) -> ProtectedTable:
    """Return persistent absence by phase, year and panel; three figures are hidden."""
    hidden = {("Special", 202324, "EHC plan"), ("Special", 202223, "No SEN"), ("Primary", 201718, "No SEN")}
    rows = []
    for panel in ("No SEN", "EHC plan"):
        for phase, base in PHASES.items():
            for i, year in enumerate(YEARS):
                is_hidden = (phase, year, panel) in hidden
                value = rate if is_hidden else base * (1 + 0.05 * i)
                rows.append(
                    {
                        **row("persistent_absence_rate", value, half=half if is_hidden else 0.006),
                        "series_label": phase,
                        "academic_year": year,
                        "panel": panel,
                        "symbol": "c" if is_hidden else "",
                        "enrolments": 1000 * value,
                        "cell": f"c{len(rows):010x}",
                    }
                )
    return protected(rows)


SETS = (
    figures.Membership("Primary", "series_label", ("Primary",)),
    figures.Membership("Special", "series_label", ("Special",)),
    figures.Membership("EHC plan", "panel", ("EHC plan",)),
)


def areas(rate: float, half: float, *, by_value: bool = False) -> ProtectedTable:
    """Return severe absence by area, two hidden; ``by_value`` keeps the order of the exact figures."""
    rows = []
    for i, area in enumerate(AREAS):
        is_hidden = area in ("Brackwell", "Fernleigh")
        value = (rate if area == "Brackwell" else 1 - rate) if is_hidden else 0.018 + 0.002 * i
        rows.append(
            {
                **row("severe_absence_rate", value, half=half if is_hidden else 0.003),
                "area": area,
                "symbol": "c" if is_hidden else "",
                "contributors": 1000 * value,
            }
        )
    if by_value:
        rows.sort(key=lambda entry: entry["rate"])
    return protected(rows)


def flows(rate: float, half: float) -> ProtectedTable:
    """Return where the pupils of two groups are found; of the first, two shares are hidden."""
    rows = []
    for before in BANDS[:2]:
        for place, after in enumerate((*BANDS, "Left")):
            is_hidden = before == BANDS[0] and place in (3, 4)
            value = (rate if place == 3 else half) if is_hidden else (0.4, 0.3, 0.1, 0.1, 0.0, 0.05)[place]
            rows.append(
                {
                    **row("persistent_absence_rate", value),
                    "band_before": before,
                    "band_after": after,
                    "symbol": "c" if is_hidden else "",
                }
            )
    return protected(rows)


def everything(block: Block) -> str:
    """Return every byte a block leads to: document, output of a cell, page, CSV file, picture."""
    parts = [json.dumps(block.document(), sort_keys=True), block.plain_text(), render(block, PageContext())]
    parts.append(repr(block._repr_mimebundle_()))
    if isinstance(block, Figure):
        parts += [block.data.to_csv(), repr(block.png() if block.png else b"")]
    if isinstance(block, Table):
        parts.append(block.to_csv())
    return "\n".join(parts)


FIGURES: dict[str, Callable[[float, float], Block]] = {
    "line": lambda r, h: figures.line_by_year(trend(r, h).select(panel="EHC plan"), id="f", **WORDS),
    "line of one series, hidden throughout but one": lambda r, h: figures.line_by_year(
        trend(r, h).select(panel="No SEN", academic_year=[201718, 202223]), id="f", **WORDS
    ),
    "line with a year left out": lambda r, h: figures.line_by_year(
        trend(r, h).select(panel="EHC plan"), id="f", gap_years=[202324], **WORDS
    ),
    "small multiples": lambda r, h: figures.small_multiples_by_year(trend(r, h), id="f", panel="panel", **WORDS),
    "dots": lambda r, h: figures.dot_interval(
        areas(r, h), id="f", category="area", highlight="Fernleigh", reference=("England", 0.0215), **WORDS
    ),
    "dots from rows in the order of the exact figures": lambda r, h: figures.dot_interval(
        areas(r, h, by_value=True), id="f", category="area", **WORDS
    ),
    "dots in their given order": lambda r, h: figures.dot_interval(
        areas(r, h), id="f", category="area", sort=False, **WORDS
    ),
    "line over levels": lambda r, h: figures.line_by_level(
        trend(r, h).select(academic_year=202324), id="f", x="series_label", series="panel", **WORDS
    ),
    **{
        f"dots in panels, {'sorted' if sort else 'in order'}": lambda r, h, sort=sort: figures.dot_panels(
            trend(r, h).select(panel="EHC plan"),
            id="f",
            panel="academic_year",
            category="series_label",
            sort=sort,
            references={202324: ("England", 0.0215)},
            **WORDS,
        )
        for sort in (True, False)
    },
    **{
        f"combinations, at most {most}": lambda r, h, most=most: figures.upset_rows(
            trend(r, h).select(academic_year=[202324]), id="f", sets=SETS, most=most, **WORDS
        )
        for most in (20, 3)
    },
    "flows": lambda r, h: figures.flow_bars(flows(r, h), id="f", **WORDS),
    "control chart": lambda r, h: figures.control_chart(
        trend(r, h).select(panel="EHC plan", series_label="Special"),
        id="f",
        centre=0.15,
        lower=0.1,
        upper=0.2,
        signals={"beyond limits": [201718]},
        **WORDS,
    ),
    "funnel": lambda r, h: figures.funnel_chart(
        areas(r, h), limits_at([500, 1000, 2000], 0.02), id="f", category="area", centre=("All", 0.02), **WORDS
    ),
    "funnel from rows in the order of the exact figures": lambda r, h: figures.funnel_chart(
        areas(r, h, by_value=True),
        limits_at([500, 1000, 2000], 0.02),
        id="f",
        category="area",
        centre=("All", 0.02),
        label="area",
        **WORDS,
    ),
    "heat table": lambda r, h: heat_table(
        trend(r, h), id="t", section="panel", rows="series_label", columns="academic_year", **WORDS
    ),
    "bars": lambda r, h: figures.bars(areas(r, h), id="f", category="area", highlight="Brackwell", **WORDS),
    "sorted bars": lambda r, h: figures.bars(areas(r, h, by_value=True), id="f", category="area", sort=True, **WORDS),
    **{
        f"table of {value}": lambda r, h, value=value: measure_table(
            trend(r, h),
            id="t",
            rows=["panel", "academic_year"],
            columns=["series_label", "measure"],
            value=value,
            **WORDS,
        )
        for value in ("rate", "numerator", "denominator", "both", "interval")
    },
}


@pytest.mark.parametrize(("first", "second"), TWINS, ids=["small or large", "near", "none or all"])
@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES.keys())
def test_every_byte_is_the_same_whatever_is_hidden(make, first, second):
    assert everything(make(*first)) == everything(make(*second))


@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES.keys())
def test_what_is_hidden_is_said_so(make):
    """The test above would pass for a page that is always empty: shown figures are there, and c for the hidden ones."""
    text = everything(make(*TWINS[0][0]))
    assert "hidden to protect small numbers" in text
    assert any(character.isdigit() for character in text.split("</style>")[-1])


def _hidden_record(rate: float, half: float) -> dict:
    return next(r for r in records(areas(rate, half)) if r["area"] == "Brackwell")


@pytest.mark.parametrize(("first", "second"), TWINS)
def test_cells_notes_and_words_of_a_hidden_record_are_the_same(first, second):
    one, two = _hidden_record(*first), _hidden_record(*second)
    shown = next(r for r in records(areas(*first)) if not r["symbol"])
    for say in (
        lambda r: rate_cell(r),
        lambda r: [rate_cell(r, name) for name in ("lower", "upper")],
        lambda r: [count_cell(r, name) for name in ("numerator", "denominator")],
        lambda r: (narrative.is_shown(r), narrative.has_interval(r)),
    ):
        assert say(one) == say(two)
    assert not narrative.is_shown(one)
    assert narrative.is_shown(shown)
    assert hidden_notes(areas(*first).rows) == hidden_notes(areas(*second).rows)


def test_a_sparkline_has_the_scale_of_its_shown_values():
    course = (0.05, math.nan, 0.079, 0.077)
    assert sparkline(course) == sparkline((0.05, None, 0.079, 0.077))
    tiles = [Tiles((Tile("Severe absence", "c", spark=spark),)) for spark in (course, (0.05, None, 0.079, 0.077))]
    assert everything(tiles[0]) == everything(tiles[1])
    assert "<path" in sparkline(course)


def test_a_series_that_is_hidden_throughout_is_told_from_one_without_figures():
    def last_label(symbol: str) -> str:
        rows = [
            {
                **row("overall_absence_rate", 0.05, half=0.01),
                "series_label": "A",
                "academic_year": year,
                "symbol": symbol,
            }
            for year in YEARS[-2:]
        ]
        return figures.line_by_year(protected(rows), id="f", **WORDS).svg_wide

    assert "A: hidden" in last_label("c")
    assert "A: no figures" in last_label("x")


def test_equal_figures_stand_by_name():
    """Two areas of one rounded rate: which of them came first would be an order of the exact figures."""
    rows = [{**row("severe_absence_rate", 0.02), "area": area} for area in AREAS]
    headers = [
        [r.header for r in figures.dot_interval(protected(order), id="f", category="area", **WORDS).data.rows]
        for order in (rows, rows[::-1], [*rows[3:], *rows[:3]])
    ]
    assert headers == [sorted(AREAS)] * 3


def test_no_hidden_group_says_how_large_it_is():
    """Neither "n =" in a label or a tip, nor the columns behind the rows."""
    text = everything(FIGURES["dots"](*TWINS[0][0])) + everything(FIGURES["line"](*TWINS[0][0]))
    assert not re.search(r"\bn ?= ?\d", text)
    assert "contributors" not in text
    assert "enrolments" not in text.lower().replace("enrolments missing", "")


def test_findings_keep_no_place_for_a_hidden_sentence():
    assert everything(Findings(("A.", "", "B."))) == everything(Findings(("A.", "B.")))


def test_a_hidden_figure_does_not_decide_how_the_others_are_written():
    rows = [
        {**row("overall_absence_rate", 0.05), "area": "Aldermoor", "decimals": 1},
        {**row("overall_absence_rate", 0.06), "area": "Brackwell", "decimals": 3, "symbol": "c"},
    ]
    assert single_format(protected(rows)).decimals == 1
    assert single_format(protected([{**one, "symbol": ""} for one in rows])).decimals == 3
