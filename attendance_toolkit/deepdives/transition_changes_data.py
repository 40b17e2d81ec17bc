"""The tables of pupils compared before and after a step: who they are, how their absence changed, and what is beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.deepdives._base import derived_table, exact_table
from attendance_toolkit.deepdives._contrasts import derived_from, estimate_of, statistic_row, symbol_of
from attendance_toolkit.deepdives._outcomes import topic_of
from attendance_toolkit.deepdives._shared import HEADLINE, MAIN_COUNTS, MAINSTREAM, Lookup, Record
from attendance_toolkit.deepdives._transition_cells import (
    Array,
    both_years,
    by_area,
    counted_cells,
    hidden_in_both,
    pupil_rows,
    step_rows,
)
from attendance_toolkit.deepdives.transition_data import (
    FIRST,
    GROUPS,
    KEYS,
    SECOND,
    STEPS,
    TransitionData,
    year_after,
)
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import absence_rate, record_difference
from attendance_toolkit.metrics.overview import count_unknown_with, measure_rows, with_all_schools
from attendance_toolkit.metrics.transition import (
    AFTER,
    CHANGES,
    MAINSTREAM_PHASES,
    StepCohort,
    period_cells,
    step_cells,
)
from attendance_toolkit.metrics.transition.outcomes import arrived
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.presentation.formats import records
from attendance_toolkit.presentation.narrative import has_interval, is_shown
from attendance_toolkit.vocabulary.calendar import HALF_TERM_TERMS, TERMS, academic_year_before
from attendance_toolkit.vocabulary.columns import ALL, MAIN_PHASES

#: Steps that are shown: the last there are.
MOST_STEPS = 2
#: Measure -> the modelled change of the same pupils.
STEP_OF = dict(zip(HEADLINE, CHANGES.values(), strict=True))
#: Year groups of secondary school that are held against Year 6.
SECONDARY_YEARS = tuple(str(year) for year in range(7, 12))
#: Who a cross-section is made of, beside the pupils who are in both of its years.
SAME, OTHERS = "In both", "In one alone"
_GROUP = ["area_code", "characteristic", "level"]
_BY = [*KEYS, *_GROUP[1:]]
_SCHOOL = [*KEYS, "laestab"]
_PERIOD = [*KEYS, "term", "half_term"]
_SECTION = ["area_code", "academic_year", "phase", "nc_year"]


class TransitionChangesData(TransitionData):
    """Absence of the same pupils before and after a step, in cross-section, and of those in one of the two years alone."""

    # -- exact tables: the same pupils ---------------------------------------------------------------

    @exact_table
    def changes(self) -> ExactTable:
        """Absence of the compared pupils before and after the step, and its change: all, by district and characteristic.

        The academic year and ``nc_year`` of a row are those its rate is of; a change (``absence_step`` and the like) has
        those of the later year. Changes at a threshold are fitted for whole areas alone: of a small group they would tell
        the count of the other year, exactly.
        """
        return self._changes(FIRST)

    @exact_table
    def changes_second(self) -> ExactTable:
        """The same of the step after it."""
        return self._changes(SECOND)

    def _changes(self, from_year: str) -> ExactTable:
        parts = [self._matched(cohort) for cohort in self.linked_cohorts(from_year)[-MOST_STEPS:]]
        rows = pd.concat(parts, ignore_index=True)
        return self.inputs.local_table(rows, topic=self.followed_topic(from_year))

    @cached_property
    def _areas(self) -> dict[str, Sequence[str]]:
        """The area and, where it has several, its districts, with their authorities."""
        districts: dict[str, Sequence[str]] = {code: [code] for code in self.members} if self.has_districts else {}
        return {self.area.code: self.members, **districts}

    def _matched(self, cohort: StepCohort) -> pd.DataFrame:
        cells = step_cells(cohort, cohort.in_area(self.members), ["la_before", *GROUPS])
        cells = count_unknown_with(cells, self.inputs.policy.merge_unknown)
        places = by_area(cells, "la_before", self._areas).assign(characteristic=ALL, level=ALL)
        here: dict[str, Sequence[str]] = {self.area.code: self.members}
        groups = pd.concat(
            [
                by_area(cells, "la_before", here, [name]).rename(columns={name: "level"}).assign(characteristic=name)
                for name in GROUPS
            ],
            ignore_index=True,
        )
        counted = pupil_rows(both_years(pd.concat([places, groups], ignore_index=True), cohort, _GROUP), _BY)
        return pd.concat([counted, _steps_of(cohort, places, groups)], ignore_index=True)

    @exact_table
    def school_changes(self) -> ExactTable:
        """Absence before and after of the compared pupils whom each of the area's schools took in, from any district."""
        parts = [self._arrived(cohort) for cohort in self.linked_cohorts()[-MOST_STEPS:]]
        return self.inputs.local_table(pd.concat(parts, ignore_index=True), topic=self.arrived_topic())

    def _arrived(self, cohort: StepCohort) -> pd.DataFrame:
        cells = step_cells(cohort, by=["la_after", "laestab_after"])
        cells = cells[cells["la_after"].isin(self.members)]
        places = by_area(cells, "la_after", self._areas).assign(laestab="")
        schools = cells.rename(columns={"la_after": "area_code"})
        schools = schools.assign(laestab=schools["laestab_after"].astype(str)).drop(columns="laestab_after")
        both = both_years(pd.concat([places, schools], ignore_index=True), cohort, ["area_code", "laestab"])
        return pd.concat([pupil_rows(both, _SCHOOL), _steps_of(cohort, places, schools)], ignore_index=True)

    @exact_table
    def periods(self) -> ExactTable:
        """Overall absence of the compared pupils by term before the step, and by half term after it."""
        cohorts = self.linked_cohorts()[-MOST_STEPS:]
        cells = pd.concat(
            [_period_cells(cohort, cohort.in_area(self.members)) for cohort in cohorts], ignore_index=True
        )
        if cells.empty:
            raise NoDataError("The store has sessions of the whole year alone, which cannot be split into terms.")
        cells = cells.assign(area_code=self.area.code)
        return self.inputs.local_table(absence_rate(cells, _PERIOD), topic=self.followed_topic())

    # -- exact tables: cross-sections ----------------------------------------------------------------

    @exact_table
    def cross_sections(self) -> ExactTable:
        """Absence of all pupils of the area's schools by year group, and by school type, of each year of the store."""
        if not self.is_local:
            raise NoDataError("Cross-sections beside the same pupils need pupil-level data.")
        cells = self.inputs.local_cells(["phase", "nc_year"], counts=(*MAIN_COUNTS, "no_absence_enrolments"))
        years = cells[cells["phase"].isin(MAINSTREAM_PHASES) & cells["nc_year"].isin([*STEPS, *SECONDARY_YEARS])]
        phases = with_all_schools(cells[cells["phase"].isin(MAIN_PHASES)], _SECTION[:3])
        both = [years.assign(phase=MAINSTREAM), phases[phases["phase"].isin(MAINSTREAM_PHASES)].assign(nc_year=ALL)]
        rows = measure_rows(pd.concat(both, ignore_index=True), _SECTION)
        return self.inputs.local_table(rows[rows["measure"].isin((*HEADLINE, "enrolments"))])

    @exact_table
    def movers(self) -> ExactTable:
        """Pupils of the area's year group before the step, and after it: those in both, and those in one alone."""
        cohort = self.latest_cohort()
        later = cohort.later
        assert later is not None
        is_after = arrived(cohort, self.members)
        before = cohort.in_area(self.members)
        same = before & is_after & cohort.is_compared
        joined = later.joined
        new = joined.in_area(self.members)
        sides = (
            (cohort.academic_year, cohort.from_year, same[before], cohort.year_possible[before], cohort.year_missed[before]),
            (
                later.academic_year, cohort.to_year, np.concatenate([same[is_after], np.zeros(int(new.sum()), bool)]),
                np.concatenate([later.possible[is_after], joined.year_possible[new]]),
                np.concatenate([later.missed[is_after], joined.year_missed[new]]),
            ),
        )  # fmt: skip
        parts = []
        for year, nc_year, is_same, possible, missed in sides:
            groups = pd.DataFrame({"move": np.where(is_same, SAME, OTHERS)})
            cells = counted_cells(groups, possible, missed).assign(academic_year=year, nc_year=nc_year)
            parts += [cells, cells.assign(move=ALL)]
        cells = pd.concat(parts, ignore_index=True).assign(area_code=self.area.code)
        rows = pupil_rows(cells, [*KEYS, "move"])
        kept = rows[rows["measure"].isin(("pupils", "overall_absence_rate", "persistent_absence_rate"))]
        return self.inputs.local_table(kept, topic=topic_of("pupils who came, stayed and went", self.area))

    # -- cleared figures -----------------------------------------------------------------------------

    def _changes_of(self, from_year: str) -> ProtectedTable:
        """Return the cleared table of a step, its groups hidden in both years or in none."""
        if from_year not in self._changes_shown:
            table = self.changes if from_year == FIRST else self.changes_second
            self._changes_shown[from_year] = hidden_in_both(table, _GROUP, _other_year(table, from_year))
        return self._changes_shown[from_year]

    @cached_property
    def _changes_shown(self) -> dict[str, ProtectedTable]:
        return {}

    @cached_property
    def schools_shown(self) -> ProtectedTable:
        """``school_changes``, schools hidden in both years or in none."""
        table = self.school_changes
        return hidden_in_both(table, ["area_code", "laestab"], _other_year(table, FIRST))

    @cached_property
    def movers_shown(self) -> ProtectedTable:
        """``movers``, hidden in both years or in none where it is the same pupils who are counted."""
        same = hidden_in_both(self.movers.select(move=SAME), ["area_code"], _other_year(self.movers, FIRST))
        rows = [*records(same), *records(self.movers.select(move=[OTHERS, ALL]))]
        return derived_from(rows, self.movers)

    def matched_of(self, from_year: str = FIRST) -> Lookup:
        """Return the cleared figures of the compared pupils by ``KEYS``, characteristic, level and measure."""
        return Lookup(self._changes_of(from_year), [*_BY, "measure"])

    def step_years(self, from_year: str = FIRST) -> tuple[int, ...]:
        """Return the later years of the steps that are shown, latest first."""
        rows = self._changes_of(from_year).rows
        later = rows.loc[rows["nc_year"] == STEPS[from_year], "academic_year"]
        return tuple(sorted((int(year) for year in later.unique()), reverse=True))

    # -- derived tables ------------------------------------------------------------------------------

    @derived_table
    def steps(self) -> ProtectedTable:
        """Change of each rate (``about``) of the same pupils, by step, place, characteristic and level.

        The change of overall absence has its own paired interval. Those at a threshold are worked out from the cleared
        counts; their interval is that of two independent groups, made narrower by as much as the area's own paired interval
        is narrower than it.
        """
        return self._steps(FIRST)

    @derived_table
    def steps_second(self) -> ProtectedTable:
        """The same of the step after it."""
        return self._steps(SECOND)

    def _steps(self, from_year: str) -> ProtectedTable:
        table = self._changes_of(from_year)
        return derived_from(_paired(table, [*_BY], from_year, self.area.code), table)

    @derived_table
    def school_steps(self) -> ProtectedTable:
        """The same by school after the step (``laestab``; empty for all of an area's)."""
        return derived_from(_paired(self.schools_shown, [*_SCHOOL], FIRST, self.area.code), self.school_changes)

    @derived_table
    def section_changes(self) -> ProtectedTable:
        """Year 7 less Year 6 in cross-section: a year later (``since`` the year before) and in one and the same year."""
        lookup = Lookup(self.cross_sections, [*_SECTION, "measure"])
        rows = []
        for year in self.step_years():
            for since in (academic_year_before(year), year):
                for about in HEADLINE:
                    keys = {"area_code": self.area.code, "phase": MAINSTREAM, "measure": about}
                    before = lookup(academic_year=since, nc_year=FIRST, **keys)
                    after = lookup(academic_year=year, nc_year=STEPS[FIRST], **keys)
                    rows.append(
                        _change_row(
                            {"area_code": self.area.code, "academic_year": year, "since": since, "about": about},
                            before,
                            after,
                        )
                    )
        return derived_from(rows, self.cross_sections)

    @cached_property
    def _steps_lookups(self) -> dict[str, Lookup]:
        return {}

    def step(
        self,
        about: str,
        year: int = 0,
        characteristic: str = ALL,
        level: str = ALL,
        *,
        from_year: str = FIRST,
        area_code: str = "",
    ) -> Record | None:
        """Return the change of a rate of the same pupils, by default of all of the area's at the last step."""
        if from_year not in self._steps_lookups:
            table = self.steps if from_year == FIRST else self.steps_second
            self._steps_lookups[from_year] = Lookup(table, [*_BY, "about"])
        return self._steps_lookups[from_year](
            area_code=area_code or self.area.code, academic_year=year or self.step_years(from_year)[0],
            nc_year=STEPS[from_year], characteristic=characteristic, level=level, about=about,
        )  # fmt: skip


def _steps_of(cohort: StepCohort, places: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """Return the changes of whole areas, all of them, and those of overall absence of their groups."""
    rows = step_rows(groups, cohort)
    return pd.concat([step_rows(places, cohort), rows[rows["measure"] == CHANGES["absence"]]], ignore_index=True)


def _period_cells(cohort: StepCohort, keep: Array) -> pd.DataFrame:
    """Return the sessions of compared pupils by term before the step, and by half term, or span of them, after it."""
    cells = period_cells(cohort, keep)
    is_after = cells["when"] == AFTER
    period = cells["period"].astype(str)
    cells = cells.assign(
        term=period.where(~is_after, period.map(HALF_TERM_TERMS)), half_term=period.where(is_after, ""),
        academic_year=np.where(is_after, year_after(cohort.academic_year), cohort.academic_year),
        nc_year=np.where(is_after, cohort.to_year, cohort.from_year),
        sessions_possible=cells["possible"], sessions_authorised=cells["missed"], sessions_unauthorised=0,
        square_absent=np.nan, square_possible=np.nan, cross_absent=np.nan, enrolments=cells["pupils"],
    )  # fmt: skip
    return cells[cells["term"].isin(TERMS) & (cells["pupils"] > 0)]


def _other_year(table: ProtectedTable, from_year: str) -> dict[tuple[int, str], tuple[int, str]]:
    """Return for each (academic year, year group) of a step's table the one with the same pupils."""
    rows = table.rows
    found: dict[tuple[int, str], tuple[int, str]] = {}
    for year in {int(one) for one in rows.loc[rows["nc_year"] == from_year, "academic_year"]}:
        before, after = (year, from_year), (year_after(year), STEPS[from_year])
        found |= {before: after, after: before}
    return found


_Both = tuple[Record | None, Record | None, Record | None]


def _paired(table: ProtectedTable, by: Sequence[str], from_year: str, area_code: str) -> list[dict[str, Any]]:
    """Return the rows of changes of the same pupils, of every group of a table with figures of both years."""
    lookup = Lookup(table, [*by, "measure"])
    groups = [name for name in by if name not in KEYS[1:]]
    rows = table.rows[table.rows["nc_year"] == STEPS[from_year]]
    whole = {name: area_code if name == "area_code" else "" if name == "laestab" else ALL for name in groups}
    found: list[dict[str, Any]] = []
    later = STEPS[from_year]
    for year in sorted({int(one) for one in rows["academic_year"]}):
        keys = {from_year: academic_year_before(year), later: year}

        def both(about: str, group: Mapping[str, Any], keys: Mapping[str, int] = keys) -> _Both:
            before, after = (
                lookup(**group, academic_year=one, nc_year=nc_year, measure=about) for nc_year, one in keys.items()
            )
            own = lookup(**group, academic_year=keys[later], nc_year=later, measure=STEP_OF[about])
            return before, after, own

        width = {about: _narrower(*both(about, whole)) for about in STEP_OF}
        of_later: dict[str, Any] = {"academic_year": year, "nc_year": later}
        for group in rows.loc[rows["academic_year"] == year, groups].drop_duplicates().to_dict("records"):
            named = {str(name): value for name, value in group.items()}
            found += [
                _change_row({**named, **of_later, "about": about}, *both(about, named), width=width[about])
                for about in STEP_OF
            ]
    return found


def _narrower(before: Record | None, after: Record | None, own: Record | None) -> float:
    """Return how wide a paired interval is, as a share of that of two independent groups; 1 where it cannot be told."""
    if not (is_shown(before) and is_shown(after) and is_shown(own) and has_interval(own)):
        return 1.0
    change = record_difference(after, before)
    apart = float(change["upper"]) - float(change["lower"])
    return min((float(own["upper"]) - float(own["lower"])) / apart, 1.0) if apart > 0 else 1.0


def _change_row(
    groups: Mapping[str, Any],
    before: Record | None,
    after: Record | None,
    own: Record | None = None,
    *,
    width: float = 1.0,
) -> dict[str, Any]:
    """Return the row of after less before, with the interval of the pupils' own changes where there is one."""
    name = f"{groups['about']}_change"
    symbol = symbol_of(before, after)
    if symbol:
        return statistic_row(name, None, symbol, **groups) | {"decimals": 1}
    assert before is not None
    assert after is not None
    if own is not None and name == "overall_absence_rate_change":
        found = None if own["symbol"] else estimate_of(own)
        return statistic_row(name, found, str(own["symbol"]), **groups) | {"decimals": 1}
    change = record_difference(after, before)
    ends = [change["rate"] + (float(change[side]) - change["rate"]) * width for side in ("lower", "upper")]
    return statistic_row(name, Estimate(change["rate"], *ends), **groups) | {"decimals": 1}
