"""Year groups followed through the school system: synthetic cohorts."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import pandas as pd

from attendance_toolkit.deepdives._base import derived_table
from attendance_toolkit.deepdives._change_words import schools
from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._shared import (
    COVID_NOTE,
    COVID_YEARS,
    DEFINED,
    NO_DATA_YEARS,
    SHORT,
    Lookup,
    Record,
    capital,
    or_nothing,
    or_notice,
    rate_of,
    the_area,
)
from attendance_toolkit.deepdives.longitudinal_data import THRESHOLDS
from attendance_toolkit.deepdives.longitudinal_districts import LongitudinalDistricts, change_row
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import newcombe_interval
from attendance_toolkit.presentation.blocks import Cell, Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import line_by_level
from attendance_toolkit.presentation.formats import interval_cell, source_of
from attendance_toolkit.presentation.narrative import (
    has_interval,
    interval_in_points,
    is_clear,
    is_shown,
    points,
    sentence_list,
)
from attendance_toolkit.vocabulary.areas import ENGLAND, Area, find_area
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.rounding import show_number

#: Year groups a step leads from, lowest first: reception is left out, since most of it is not yet of age.
FROM_YEARS = tuple(str(year) for year in range(1, 11))
#: Steps to more than this many later years are not shown in one table.
MOST_STEPS = 2
#: Fewer steps than these make no line.
FEWEST_DRAWN = 4
SYNTHETIC_COHORT = (
    "These are not the same pupils (a synthetic cohort): a year group is held against the one a year older a year later. Moves"
    " between districts, between state and independent schools, and exclusions change who is in it. Reception is left out."
)


class LongitudinalCohorts(LongitudinalDistricts):
    """Blocks on synthetic cohorts, beside those on districts."""

    @derived_table
    def cohort_steps(self) -> ProtectedTable:
        """Change from each year group to the next one a year later, by area, measure (``about``) and later year.

        Only two years that follow each other and may be compared have steps; the interval is Newcombe's.
        """
        rows: list[dict[str, Any]] = []
        codes = list(dict.fromkeys(self.groups.rows["area_code"]))
        for later in self.group_years:
            earlier = academic_year_before(later)
            if earlier not in self.group_years or {earlier, later} & set(NO_DATA_YEARS):
                continue
            for code in codes:
                for about in THRESHOLDS:
                    rows += self._steps(code, about, earlier, later)
        nothing = (
            "Year groups can be followed where there are figures by year group of two years that follow each other."
        )
        return derived_from(rows, self.groups, nothing=nothing)

    def _steps(self, code: str, about: str, earlier: int, later: int) -> Iterable[dict[str, Any]]:
        for level in FROM_YEARS:
            before = self.group(about, "nc_year", level, earlier, self.year_group_schools, code)
            after = self.group(about, "nc_year", str(int(level) + 1), later, self.year_group_schools, code)
            if before is None and after is None:
                continue
            yield change_row(
                "cohort_step", before, after, area_code=code, academic_year=later, since=earlier, nc_year=level,
                step=_step_words(level), about=about,
            )  # fmt: skip

    @cached_property
    def _steps_lookup(self) -> Lookup:
        return Lookup(self.cohort_steps, ["area_code", "academic_year", "nc_year", "about"])

    def cohort_step(self, about: str, level: str, year: int = 0, code: str = "") -> Record | None:
        """Return the step from a year group to the next, by default of the area and to its last year."""
        return self._steps_lookup(
            area_code=code or self.area.code, academic_year=year or self.cohort_years[-1], nc_year=level, about=about
        )

    @cached_property
    def cohort_years(self) -> tuple[int, ...]:
        """The later years of the area's steps, earliest first."""
        rows = self.cohort_steps.rows
        years = tuple(
            sorted(int(year) for year in rows.loc[rows["area_code"] == self.area.code, "academic_year"].unique())
        )
        if not years:
            raise NoDataError(f"There are no figures by year group of {self.area.name} in two years running.")
        return years

    @cached_property
    def _cohort_others(self) -> tuple[Area, ...]:
        """England, where its steps are there and it is not the area itself."""
        there = set(self.cohort_steps.rows["area_code"])
        return (find_area(ENGLAND),) if ENGLAND in there and self.area.code != ENGLAND else ()

    @or_notice
    def cohort_figure(self, measure: str) -> Figure | Notice | Result:
        """Return the steps by year group as lines: the area, and England beside it; nothing where the table says why."""
        try:
            year = self.cohort_years[-1]
        except NoDataError:
            return Result(())
        places = (self.area, *self._cohort_others)
        found: list[dict[str, Any]] = []
        for area in places:
            for level in FROM_YEARS:
                record = self.cohort_step(measure, level, year, area.code)
                if record is not None:
                    found.append({**record, "place": area.name, "nc_year": _into(level)})
        if sum(is_shown(self.cohort_step(measure, level, year)) for level in FROM_YEARS) < FEWEST_DRAWN:
            raise NoDataError(
                f"{SHORT[measure]} from year group to year group is not drawn: too few of its figures can be shown."
            )
        table = derived_from(found, self.cohort_steps)
        table.rows["nc_year"] = pd.Categorical(table.rows["nc_year"], [_into(level) for level in FROM_YEARS])
        table.rows["place"] = pd.Categorical(table.rows["place"], [area.name for area in places])
        previous = show_academic_year(academic_year_before(year))
        return line_by_level(
            table,
            id=f"cohort-steps-{measure.split('_')[0]}",
            title=self._cohort_title(measure),
            subtitle=f"Change in percentage points into each year group of {show_academic_year(year)} from the one below it in"
            f" {previous}; {DEFINED[measure]}",
            x="nc_year",
            series="place",
            notes=[SYNTHETIC_COHORT, *self._covid_notes([year])],
        )

    def _cohort_title(self, measure: str) -> str:
        """Say which step is the largest rise, if it is clear of every other one."""
        year = self.cohort_years[-1]
        plain = f"{SHORT[measure]} from each year group to the next, {show_academic_year(year)}"
        largest = self._largest(measure)
        if largest is None:
            return plain
        level, record, is_alone = largest
        if not is_alone:
            return plain
        return f"{SHORT[measure]} rose most from {_step_words(level)}: by {points(record['rate'])}"

    def _largest(self, measure: str) -> tuple[str, Record, bool] | None:
        """Return the largest clear rise of the area, and whether its interval lies above those of all other steps."""
        found = {level: self.cohort_step(measure, level) for level in FROM_YEARS}
        shown = {level: record for level, record in found.items() if is_shown(record)}
        rises = {level: record for level, record in shown.items() if is_clear(record) and record["rate"] > 0}
        if not rises:
            return None
        level = max(rises, key=lambda name: (rises[name]["rate"], -int(name)))
        others = [record for name, record in shown.items() if name != level]
        is_alone = len(shown) == len(FROM_YEARS) and all(record["upper"] < rises[level]["lower"] for record in others)
        return level, rises[level], is_alone

    @or_notice
    def cohort_table(self) -> Table | Notice:
        """Return the steps of the last years, with intervals, England's beside them."""
        rows = []
        for year in self.cohort_years[::-1][:MOST_STEPS]:
            previous = show_academic_year(academic_year_before(year))
            for level in FROM_YEARS:
                cells: list[Cell] = []
                for about in THRESHOLDS:
                    record = self.cohort_step(about, level, year)
                    cells += [rate_of(record), interval_cell(record)]
                    cells += [rate_of(self.cohort_step(about, level, year, area.code)) for area in self._cohort_others]
                rows.append(Row(capital(_step_words(level)), tuple(cells), f"{previous} to {show_academic_year(year)}"))
        columns = [Column("Year group", align="left")]
        for about in THRESHOLDS:
            columns += [
                Column("Change", SHORT[about]), Column("95% interval", SHORT[about]),
            ]  # fmt: skip
            columns += [Column(area.name, SHORT[about]) for area in self._cohort_others]
        notes = [SYNTHETIC_COHORT]
        if self.is_local:
            notes.append(
                "What became of the same pupils is told by the tables on pupils followed. The intervals here take both years as"
                " independent; as most pupils are in both, they are wider than they need be."
            )
        else:
            notes.append(
                "The intervals take both years as independent; as most pupils are in both, they are wider than they need be."
            )
        notes.append(
            "Of Year 11 the last half term is not counted, so the step from Year 10 to Year 11 compares years of unequal length."
        )
        return Table(
            "cohort-steps",
            "Absence from one year group to the next, a year later",
            f"{self.area.name}, {schools(self.year_group_schools)}; changes of the rates in percentage points",
            tuple(columns),
            tuple(rows),
            source_of(self.cohort_steps),
            (*notes, *self._covid_notes(self.cohort_years[-MOST_STEPS:])),
        )

    def _covid_notes(self, later: Iterable[int]) -> list[str]:
        years = {year for one in later for year in (one, academic_year_before(one))}
        return [COVID_NOTE] if years & set(COVID_YEARS) else []

    @or_nothing
    def cohort_sentences(self) -> Findings | Result:
        """Return the largest step, the step into secondary school, and where they differ from England's."""
        year = self.cohort_years[-1]
        span = f"from {show_academic_year(academic_year_before(year))} to {show_academic_year(year)}"
        sentences = []
        for measure in THRESHOLDS:
            largest = self._largest(measure)
            if largest is not None:
                level, record, is_alone = largest
                size = f"{points(record['rate'])} ({interval_in_points(record)})"
                sentences.append(
                    f"{SHORT[measure]} in {the_area(self.area)} rose most {_from_to(level)}: by {size}, {span}."
                    if is_alone
                    else f"{span.capitalize()} the largest clear rise of {SHORT[measure].lower()} in {the_area(self.area)} was that"
                    f" {_from_to(level)}: {size}; other steps are not all clearly smaller."
                )
            elif any(is_shown(self.cohort_step(measure, level)) for level in FROM_YEARS):
                sentences.append(
                    f"{SHORT[measure]} in {the_area(self.area)} did not clearly rise {span} from any year group to the next"
                    f"{self._hidden_words(measure)}."
                )
            sentences += self._falls(measure)
            sentences += self._transfer_sentence(measure, level="6", taken=largest[0] if largest else "")
            sentences += self._against_england(measure)
        if not sentences:
            sentences = ["The steps from year group to year group cannot be told: figures are hidden."]
        return Findings((*sentences, SYNTHETIC_COHORT))

    def _hidden_words(self, measure: str) -> str:
        symbols = {(self.cohort_step(measure, level) or {"symbol": "x"})["symbol"] for level in FROM_YEARS}
        return " whose figures can be shown; those of others are hidden" if "c" in symbols else ""

    def _falls(self, measure: str) -> list[str]:
        """Say at which steps the rate clearly fell."""
        found = {level: self.cohort_step(measure, level) for level in FROM_YEARS}
        fell = [
            f"{_from_to(level)} ({_signed(record)})"
            for level, record in found.items()
            if is_clear(record) and record["rate"] < 0
        ]
        return [f"{SHORT[measure]} clearly fell (percentage points) {sentence_list(fell)}."] if fell else []

    def _transfer_sentence(self, measure: str, level: str, taken: str) -> list[str]:
        """Say the step into secondary school, unless it is the largest rise or a fall, which are said already."""
        record = self.cohort_step(measure, level)
        if record is None or level == taken or (is_clear(record) and record["rate"] < 0):
            return []
        if not is_shown(record):
            return [
                f"The step of {SHORT[measure].lower()} into secondary school ({_from_to(level)}) cannot be told: figures are"
                " hidden or not there."
            ]
        if not is_clear(record):
            return [
                f"At the step into secondary school ({_from_to(level)}) {SHORT[measure].lower()} did not clearly change"
                f" ({_signed(record)} percentage points, {interval_in_points(record)})."
            ]
        return [
            f"At the step into secondary school ({_from_to(level)}) {SHORT[measure].lower()} rose by"
            f" {points(record['rate'])} ({interval_in_points(record)})."
        ]

    def _against_england(self, measure: str) -> list[str]:
        """Say which steps of the area are clearly larger or smaller than England's."""
        if not self._cohort_others:
            return []
        sides: dict[str, list[str]] = {"larger": [], "smaller": []}
        is_known = False
        for level in FROM_YEARS:
            own, england = self.cohort_step(measure, level), self.cohort_step(measure, level, code=ENGLAND)
            if not (is_shown(own) and is_shown(england) and has_interval(own) and has_interval(england)):
                continue
            is_known = True
            low, high = newcombe_interval(
                own["rate"], (own["lower"], own["upper"]), england["rate"], (england["lower"], england["upper"])
            )
            side = "larger" if low > 0 else "smaller" if high < 0 else ""
            if side:
                sides[side].append(f"{_from_to(level)} ({_signed(own)} against {_signed(england)})")
        if not is_known:
            return []
        parts = [f"clearly {side} than in England {sentence_list(found)}" for side, found in sides.items() if found]
        subject = f"The change of {SHORT[measure].lower()} in {the_area(self.area)} (percentage points)"
        if not parts:
            return [
                f"The change of {SHORT[measure].lower()} in {the_area(self.area)} from one year group to the next was at no step"
                " clearly different from England's."
            ]
        return [f"{subject} was {', and '.join(parts)}; other steps are not clearly different."]


def _step_words(level: str) -> str:
    """Return a step as an axis and a row name it.

    >>> _step_words("6")
    'Year 6 to Year 7'
    """
    return f"Year {level} to Year {int(level) + 1}"


def _into(level: str) -> str:
    """Return the year group a step leads into.

    >>> _into("6")
    'Year 7'
    """
    return f"Year {int(level) + 1}"


def _from_to(level: str) -> str:
    return f"from {_step_words(level)}"


def _signed(record: Record) -> str:
    return show_number(record["rate"] * 100, 1, signed=True)
