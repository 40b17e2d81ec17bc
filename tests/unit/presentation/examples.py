"""A small page's worth of made-up blocks, for the unit tests and the browser tests."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import nbformat.v4 as v4
import pandas as pd
from nbformat import NotebookNode

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.presentation import figures
from attendance_toolkit.presentation.blocks import (
    Block,
    Figure,
    Findings,
    Notice,
    PageHead,
    Paragraph,
    Result,
    Table,
    Tile,
    Tiles,
)
from attendance_toolkit.presentation.figures import Membership
from attendance_toolkit.presentation.tables import heat_table, measure_table

YEARS = (201718, 201819, 202021, 202122, 202223, 202324)
AREAS = ("Aldermoor", "Brackwell", "Castleford Vale", "Denholme", "Eastmere", "Fernleigh")
PHASES = {"Primary": 0.055, "Secondary": 0.085, "Special": 0.125}
_NUMBERS = ["numerator", "denominator", "rate", "lower", "upper"]


def protected(rows: list[dict], *, synthetic: bool = True) -> ProtectedTable:
    """Return measure rows as a protected table: numbers of rows with a symbol are taken out."""
    frame = pd.DataFrame(rows)
    for name in _NUMBERS:
        if name not in frame:
            frame[name] = float("nan")
        frame[name] = frame[name].astype(float)
    frame["symbol"] = frame["symbol"].fillna("") if "symbol" in frame else ""
    frame.loc[frame["symbol"] != "", _NUMBERS] = float("nan")
    return ProtectedTable(frame, "Numbers below 10 are hidden.", "School census extract", synthetic)


def row(measure: str, rate: float, *, half: float | None = None, **groups: object) -> dict:
    """Return one measure row with round counts."""
    bounds = {} if half is None else {"lower": rate - half, "upper": rate + half}
    return {**groups, "measure": measure, "numerator": rate * 1000, "denominator": 1000.0, "rate": rate, **bounds}


def trend(*, synthetic: bool = True, hidden: tuple[str, int] | None = None) -> ProtectedTable:
    """Return overall absence by phase and year, 2019/20 missing."""
    return protected(
        [
            {
                **row(
                    "overall_absence_rate",
                    base * (1 + 0.05 * i),
                    half=0.006,
                    series_label=phase,
                    academic_year=year,
                ),
                "symbol": "c" if hidden == (phase, year) else "",
            }
            for phase, base in PHASES.items()
            for i, year in enumerate(YEARS)
        ],
        synthetic=synthetic,
    )


def by_area(*, hidden: str = "") -> ProtectedTable:
    """Return severe absence by area."""
    return protected(
        [
            {
                **row("severe_absence_rate", 0.018 + 0.002 * i, half=0.003, area=area),
                "symbol": "c" if area == hidden else "",
            }
            for i, area in enumerate(AREAS)
        ]
    )


def make_figures() -> list[Figure]:
    """Return one figure of every kind."""
    panels = protected(
        [
            row(
                "persistent_absence_rate",
                base + 0.01 * i,
                half=0.02,
                academic_year=year,
                panel=panel,
                series_label=phase,
            )
            for panel, base in (("No SEN", 0.12), ("SEN support", 0.22), ("EHC plan", 0.3))
            for phase in ("Primary", "Secondary")
            for i, year in enumerate(YEARS)
        ]
    )
    change = protected(
        [
            {
                "measure": "overall_absence_rate_change",
                "rate": x,
                "lower": x - 0.004,
                "upper": x + 0.004,
                "phase": phase,
            }
            for phase, x in (("Primary", 0.003), ("Secondary", -0.012), ("Special", 0.0005))
        ]
    )
    place = "Aldermoor, 2017/18 to 2023/24"
    return [
        figures.line_by_year(
            trend(hidden=("Special", 202223)),
            id="trend",
            title="Overall absence is highest in special schools",
            subtitle=f"Percentage of sessions missed, {place}",
        ),
        figures.small_multiples_by_year(
            panels,
            id="panels",
            panel="panel",
            title="Persistent absence by special educational needs",
            subtitle=f"Percentage of enrolments missing 10% or more, {place}",
        ),
        figures.dot_interval(
            by_area(hidden="Denholme"),
            id="areas",
            category="area",
            highlight="Aldermoor",
            reference=("England", 0.021),
            title="Severe absence in Aldermoor beside other areas",
            subtitle="Percentage of enrolments missing 50% or more, 2023/24",
        ),
        figures.bars(
            change,
            id="change",
            category="phase",
            title="Absence fell in secondary schools",
            subtitle="Change since 2022/23 in percentage points, Aldermoor",
        ),
    ]


_LEVELS = {
    "fsm": ("FSM eligible", "Not FSM eligible"),
    "sen": ("EHC plan", "SEN support", "No SEN"),
    "sex": ("Female", "Male"),
}
COMBINED = (
    Membership("Free school meals", "fsm", ("FSM eligible",)),
    Membership("SEN support", "sen", ("SEN support",)),
    Membership("EHC plan", "sen", ("EHC plan",)),
    Membership("Girls", "sex", ("Female",)),
)


def crossed(*, hidden: tuple[str, str, str] | None = None, small: tuple[str, str, str] | None = None) -> ProtectedTable:
    """Return severe absence by free school meals, SEN and sex; one combination hidden, one of seven enrolments."""
    rows = []
    for number, key in enumerate(itertools.product(*_LEVELS.values())):
        fsm, sen, sex = key
        rate = (
            0.008
            * (2.5 if fsm == "FSM eligible" else 1)
            * (4 if sen == "EHC plan" else 2 if sen == "SEN support" else 1)
        )
        one = row(
            "severe_absence_rate", rate + 0.001 * (sex == "Female"), half=0.002 + rate / 5, fsm=fsm, sen=sen, sex=sex
        )
        one |= {"symbol": "c" if key == hidden else "", "cell": f"c{number:010x}"}
        rows.append(one | ({"denominator": 7.0, "numerator": 1.0} if key == small else {}))
    return protected(rows)


def year_groups(*, hidden: tuple[str, str] | None = None) -> ProtectedTable:
    """Return severe absence of girls and boys by year group."""
    rows = []
    for group in range(1, 12):
        for sex, slope in (("Girls", 0.004), ("Boys", 0.003)):
            one = row("severe_absence_rate", 0.007 + slope * max(group - 5, 0), half=0.002)
            one |= {
                "year_group": f"Year {group}",
                "sex": sex,
                "symbol": "c" if (f"Year {group}", sex) == hidden else "",
            }
            rows.append(one)
    return protected(rows)


def panels_of_areas(*, hidden: str = "") -> ProtectedTable:
    """Return severe absence by area in three panels."""
    rows = [
        {
            **row("severe_absence_rate", base + 0.002 * i, half=0.003, area=area, phase=phase),
            "symbol": "c" if area == hidden and phase == "Special" else "",
        }
        for phase, base in (("Primary", 0.006), ("Secondary", 0.03), ("Special", 0.05))
        for i, area in enumerate(AREAS)
    ]
    return protected(rows)


BANDS = ("0% to under 5%", "5% to under 10%", "10% to under 20%", "20% to under 50%", "50% or more")
#: Group before -> its pupils, and the percentages of them by band after, then too few sessions and left.
FLOWS = {
    BANDS[0]: (1200, (62.5, 17.0, 8.0, 4.5, 1.0, 2.0, 5.0)),
    BANDS[2]: (400, (7.75, 20.0, 42.25, 14.0, 5.0, 3.0, 8.0)),
    "Joined": (200, (40.0, 30.0, 10.0, 5.0, 5.0, 10.0, 0.0)),
}


def flows(*, hidden: Iterable[tuple[str, str]] = (), steps: Iterable[str] = ("Year to year",)) -> ProtectedTable:
    """Return where the pupils of three groups are found later; pairs of levels may be hidden."""
    hidden = set(hidden)
    return protected(
        [
            {
                "measure": "persistent_absence_rate", "numerator": round(size * share / 100), "denominator": size,
                "rate": share / 100, "step": step, "band_before": before, "band_after": after,
                "symbol": "c" if (before, after) in hidden else "",
            }
            for step in steps
            for before, (size, shares) in FLOWS.items()
            for after, share in zip((*BANDS, "Too few sessions", "Left"), shares, strict=True)
        ]
    )  # fmt: skip


def course(*, hidden: tuple[int, str] | None = None) -> ProtectedTable:
    """Return overall absence by term of six years without 2019/20, one value high."""
    rows = []
    for number, (year, term) in enumerate(itertools.product(YEARS, ("Autumn", "Spring", "Summer"))):
        value = 0.104 if (year, term) == (202223, "Spring") else 0.07 + 0.002 * (-1) ** number
        one = row("overall_absence_rate", value, academic_year=year, term=term)
        rows.append({**one, "symbol": "c" if (year, term) == hidden else ""})
    return protected(rows)


def limits_at(sizes: Iterable[float], centre: float = 0.2) -> pd.DataFrame:
    """Return limits of a proportion by the normal formula: known at every size."""
    frame = pd.DataFrame({"n": sorted(set(sizes))})
    for name, z in (("95", 1.96), ("998", 3.09)):
        half = z * (centre * (1 - centre) / frame["n"]) ** 0.5
        frame[f"lower{name}"], frame[f"upper{name}"] = centre - half, centre + half
    return frame


#: School -> pupils, and the rate in standard deviations from the centre of 20%.
SCHOOLS = {
    "Elm": (100, 0.5), "Ash": (225, -1.9), "Oak": (400, 2.5), "Yew": (625, -3.5), "Fir": (900, 0.0), "Bay": (1600, 3.0),
}  # fmt: skip


def schools(*, hidden: str = "") -> ProtectedTable:
    """Return persistent absence of six schools: two outside the 95% limits, one outside the 99.8% limits."""
    return protected(
        [
            {
                **row("persistent_absence_rate", 0.2 + z * (0.16 / size) ** 0.5, school=name),
                "denominator": size, "label": f"{name} School" if abs(z) > 1.96 else "",
                "symbol": "c" if name == hidden else "",
            }
            for name, (size, z) in SCHOOLS.items()
        ]
    )  # fmt: skip


def make_limit_figures() -> list[Figure]:
    """Return one figure of every kind that shows courses and limits, a value hidden in each."""
    return [
        figures.flow_bars(
            flows(hidden=[(BANDS[0], BANDS[4])]), id="flows", title="Most pupils stay in their band",
            subtitle="Percentage of pupils by band a year later, Aldermoor",
        ),
        figures.control_chart(
            course(hidden=(201819, "Summer")), id="control", x="term", year="academic_year", centre=0.0716, lower=0.06,
            upper=0.0832, signals={"beyond limits": [(202223, "Spring")]}, title="One term stood out",
            subtitle="Overall absence by term, Aldermoor",
        ),
        figures.funnel_chart(
            schools(hidden="Elm"), limits_at(range(100, 1700, 25)), id="funnel", category="school", label="label",
            centre=("All schools", 0.2), title="Persistent absence by school", subtitle="Aldermoor, 2023/24",
        ),
    ]  # fmt: skip


def make_new_figures() -> list[Figure]:
    """Return one figure of every kind the districts and crossings have."""
    title = "Severe absence by group"
    share = "Percentage of enrolments missing 50% or more"
    return [
        figures.line_by_level(
            year_groups(hidden=("Year 4", "Girls")), x="year_group", series="sex", id="levels", title=title,
            subtitle=f"{share}, Aldermoor",
        ),
        figures.dot_panels(
            panels_of_areas(hidden="Denholme"), panel="phase", category="area", id="dots", subtitle=share,
            title="Severe absence by area and school type",
            highlight="Aldermoor", sort=True,
            references={"Primary": ("England", 0.009), "Secondary": ("England", 0.034), "Special": ("England", 0.052)},
        ),
        figures.upset_rows(
            crossed(hidden=("FSM eligible", "EHC plan", "Female"), small=("FSM eligible", "EHC plan", "Male")),
            sets=COMBINED, id="combined", title="Severe absence by combination", subtitle=share, reference=("All pupils", 0.019),
        ),
    ]  # fmt: skip


def make_heat_table() -> Table:
    """Return a shaded table in sections, with a hidden cell and one too small to be reliable."""
    return heat_table(
        crossed(hidden=("FSM eligible", "EHC plan", "Female"), small=("FSM eligible", "EHC plan", "Male")),
        id="heat", section="sex", rows="sen", columns="fsm", title="Severe absence, crossed", subtitle="Aldermoor",
    )  # fmt: skip


def make_tables() -> list[Table]:
    """Return a wide table with groups and sections, and a small one."""
    rows = [
        {
            **row(measure, base * factor, half=0.01, phase=phase, academic_year=year),
            "symbol": "c" if phase == "Special" and measure.startswith("severe") else "",
        }
        for phase, base in PHASES.items()
        for year in YEARS[-2:]
        for measure, factor in (
            ("overall_absence_rate", 1.0),
            ("persistent_absence_rate", 3.0),
            ("severe_absence_rate", 0.3),
        )
    ]
    table = protected(rows)
    return [
        measure_table(
            table,
            id="phase-year",
            rows=["phase", "academic_year"],
            value="both",
            title="Absence by school type and year",
            subtitle="Aldermoor",
        ),
        measure_table(
            table.select(measure="overall_absence_rate"),
            id="small",
            rows="academic_year",
            columns="phase",
            title="Overall absence",
            subtitle="Percentage of sessions missed",
        ),
    ]


def make_head(*, synthetic: bool = True) -> PageHead:
    """Return a title block."""
    return PageHead(
        "School attendance in Aldermoor",
        "Overall, persistent and severe absence",
        (("Area", "Aldermoor"), ("Period", "2023/24"), ("Status", "Made up")),
        synthetic,
        (("How small numbers are protected", "Numbers below 10 are hidden."), ("Contact", "attendance@example.org")),
        "overview",
        "E90000001",
        "Aldermoor",
        202324,
    )


def output(block: Block) -> NotebookNode:
    """Return the cell output a kernel would store for a block."""
    data, metadata = block._repr_mimebundle_()
    return v4.new_output("display_data", data=data, metadata=metadata)


def code(*blocks: Block) -> NotebookNode:
    """Return an executed code cell showing blocks."""
    return v4.new_code_cell("show()", outputs=[output(block) for block in blocks])


def notebook(*cells: NotebookNode, head: PageHead | None = None) -> NotebookNode:
    """Return an executed notebook: the title block, then the cells."""
    return v4.new_notebook(cells=[code(head or make_head()), *cells])


def full_notebook() -> NotebookNode:
    """Return a notebook with every kind of block."""
    tiles = Tiles(
        (
            Tile("Overall absence", "7.7%", "0.2 percentage points below 2022/23 (7.9%)", (0.05, None, 0.079, 0.077)),
            Tile("Severely absent pupils", "720", "about 1 in 45 pupils"),
        )
    )
    first, *others = make_figures()
    large, small = make_tables()
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# Overview\n\nHow to run it.", metadata={"tags": ["notebook-only"]}),
            code(make_head()),
            v4.new_markdown_cell("## Summary"),
            code(tiles, Findings(("Overall absence fell by 0.2 percentage points.",))),
            code(Notice("Ethnic group is not known for 3% of pupils.", "Missing data")),
            v4.new_markdown_cell("## Trends\n\nProse with a [source](https://www.gov.uk/)."),
            code(first, large, small),
            v4.new_markdown_cell("## Groups"),
            code(*others, make_heat_table(), *make_new_figures(), Paragraph("A closing paragraph.")),
            code(Result(({"id": "overall", "measure": "overall_absence_rate", "rate": 0.077},))),
        ]
    )
