"""The rating of schools from cleared figures: groups of each school, the national figures, differences and colours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import cached_property
from typing import Any

import pandas as pd

from attendance_toolkit.deepdives._base import derived_table, exact_table
from attendance_toolkit.deepdives._contrasts import counts_symbol, derived_from, statistic_row
from attendance_toolkit.deepdives._national import national_figures, national_frame, national_rows, shown_comparator
from attendance_toolkit.deepdives._shared import MAIN_COUNTS, Lookup, Record
from attendance_toolkit.deepdives.schools_data import EVERYBODY, KEYS, SchoolsData
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import (
    absence_rate,
    enrolment_count,
    persistent_absence_rate,
    with_contributors,
)
from attendance_toolkit.metrics.group_comparators import Comparator, Comparators, comparator_of
from attendance_toolkit.metrics.overview import by_characteristic
from attendance_toolkit.metrics.rating import RATING_GROUPS
from attendance_toolkit.metrics.school_rating import CELL_COLUMNS, SchoolRating, rate_schools
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.funnel import Funnel, funnel
from attendance_toolkit.presentation.formats import is_missing, records
from attendance_toolkit.presentation.narrative import is_shown
from attendance_toolkit.vocabulary.columns import ALL, MAIN_PHASES
from attendance_toolkit.vocabulary.rule_schemes import Scheme

#: The group of all pupils, as schemes name it.
ALL_GROUP = next(group for group, about in RATING_GROUPS.items() if about is None)
OVERALL, PERSISTENT = "overall_absence_rate", "persistent_absence_rate"
#: With fewer schools of a phase, chance among them cannot be told.
FEWEST_SCHOOLS = 4
#: Places of a school's persistent absence between the limits chance keeps it within.
INSIDE, BEYOND_95, BEYOND_998 = "within limits", "outside 95% limits", "outside 99.8% limits"
#: Characteristics that schools are found similar by.
MATCHED = ("fsm_eligible", "sen_provision")
_GROUP_LEVELS = {about: group for group, about in RATING_GROUPS.items() if about}
_COUNTS = (*MAIN_COUNTS, "no_absence_enrolments")
_BY = [*KEYS, "characteristic", "level"]


class SchoolsRatingData(SchoolsData):
    """Absence of each school's groups, and what is derived from the cleared figures alone."""

    # -- tables --------------------------------------------------------------------------------------

    @exact_table
    def school_groups(self) -> ExactTable:
        """Enrolments and overall absence of the groups of each school that are rated, this year and the year before.

        Pupils who are in no such group are in no row of their own: their figures are nobody's concern here, and would
        have more of the others hidden. Persistent absence is of all pupils alone.
        """
        if not self.is_local:
            return self.inputs.published_table(self._published_schools())
        cells = self._school_cells()
        groups = by_characteristic(cells, KEYS, self._characteristics)
        groups = groups[groups["phase"].isin(MAIN_PHASES) & self._is_wanted(groups)].reset_index(drop=True)
        rows = pd.concat([enrolment_count(groups, _BY), absence_rate(groups, _BY)], ignore_index=True)
        rows = with_contributors(rows, groups, _BY)
        everybody = persistent_absence_rate(groups[groups["level"] == ALL], _BY)
        return self.inputs.local_table(pd.concat([rows, everybody], ignore_index=True))

    def _school_cells(self) -> pd.DataFrame:
        years = [year for year in self.inputs.local_years if year in (self.year, self.year_before)]
        cells = self.inputs.local_cells(["phase", "laestab", *self._characteristics], counts=_COUNTS, years=years)
        cells = cells[cells["phase"].isin(MAIN_PHASES)]
        if not (cells["academic_year"] == self.year).any():
            raise NoDataError(f"No school type is known of any school of {self.area.name} with pupils to count.")
        return cells.assign(laestab=cells["laestab"].astype(str))

    def _is_wanted(self, groups: pd.DataFrame) -> pd.Series:
        """Return which rows are of all pupils, or of a group that is rated or matched in its year."""
        wanted = {(year, ALL, ALL) for year in (self.year_before, self.year)}
        for year in (self.year_before, self.year):
            wanted |= {(year, *about) for _, name in self._comparators(year) if (about := RATING_GROUPS[name])}
        wanted |= {(self.year, *about) for about in _GROUP_LEVELS if about[0] in MATCHED}
        keys = zip(groups["academic_year"], groups["characteristic"], groups["level"], strict=True)
        return pd.Series([key in wanted for key in keys], index=groups.index)

    @cached_property
    def _characteristics(self) -> tuple[str, ...]:
        """Characteristics of the groups: of those that schools are matched by, and of those with a national figure."""
        held = {group for year in (self.year_before, self.year) for _, group in self._comparators(year)}
        about = [RATING_GROUPS[group] for group in self.scheme.groups if group in held]
        return tuple(dict.fromkeys([*MATCHED, *(one[0] for one in about if one)]))

    def _published_schools(self) -> pd.DataFrame:
        """Return all pupils of the schools of a published file; DfE published single schools up to the year 2018/19."""
        published = self.inputs.published
        known = published.select([self.area.code]).schools if published is not None else pd.DataFrame()
        if len(known):
            known = known[known["academic_year"].isin([self.year, self.year_before]) & (known["period"] == "year")]
            known = known[known["phase"].isin(MAIN_PHASES) & known["laestab"].notna()]
        if known.empty or not (known["academic_year"] == self.year).any():
            raise NoDataError(
                "Schools can be told apart in pupil-level data, or in the files of single schools that DfE published for"
                " some years; neither was given for this area and year."
            )
        cells = known.assign(
            area_code=self.area.code, laestab=known["laestab"].astype("int64").astype(str), **EVERYBODY
        )
        cells = cells[[*_BY, "series", "dataset", *_counts_of(cells)]].drop_duplicates([*_BY])
        by = [*_BY, "series", "dataset"]
        makers = (enrolment_count, absence_rate, persistent_absence_rate)
        return pd.concat([make(cells, by) for make in makers], ignore_index=True)

    @exact_table
    def national(self) -> ExactTable:
        """National attendance of each group and phase, this year's and last year's: published, or the authority's own."""
        rows = [row for year in (self.year_before, self.year) for row in national_rows(self._comparators(year), year)]
        if not rows:
            raise NoDataError(
                f"There is no national attendance of any group for {self.shown_year} to hold schools against."
            )
        return self.inputs.published_table(national_frame(rows))

    def _comparators(self, year: int) -> Comparators:
        return national_figures(self.inputs, year, self.scheme.groups)

    @derived_table
    def ratings(self) -> ProtectedTable:
        """Attendance of each group of each school less the national figure, with the interval of the school's own."""
        rows = []
        for record in self._group_records:
            group = group_of(record)
            if record["measure"] != OVERALL or group not in self.scheme.groups:
                continue
            rows.append(self._gap_row(record, group))
        return derived_from(rows, self.school_groups, self.national, nothing="No school has figures that can be rated.")

    def _gap_row(self, record: Record, group: str) -> dict[str, Any]:
        groups = {name: record[name] for name in _BY}
        enrolments, possible, missed = self._counts(record)
        one = self.comparator(str(record["phase"]), group, int(record["academic_year"]))
        symbol = counts_symbol(record) or ("c" if math.isnan(enrolments) else "x" if one is None else "")
        if symbol or one is None:
            return statistic_row("rate_gap", None, symbol, **groups)
        if not possible or enrolments < self.scheme.minimum_cohort:
            return statistic_row("rate_gap", None, "z", **groups)
        value = 1 - Fraction(int(missed), int(possible)) - one.share
        ends = [
            math.nan if is_missing(record[end]) else 1 - float(record[end]) - float(one.share)
            for end in ("upper", "lower")
        ]
        return statistic_row("rate_gap", Estimate(float(value), *ends), **groups)

    # -- schools, rated ------------------------------------------------------------------------------

    @cached_property
    def scheme(self) -> Scheme:
        """The rules of the rating: the authority's own, else the toolkit's."""
        return self.inputs.scheme("school_rag")

    @cached_property
    def _group_records(self) -> list[dict[str, Any]]:
        return records(self.school_groups)

    @cached_property
    def _figures(self) -> Lookup:
        return Lookup(self.school_groups, ["academic_year", "phase", "laestab", "characteristic", "level", "measure"])

    def figure(self, school: SchoolRating, measure: str, group: str = ALL_GROUP, year: int = 0) -> Record | None:
        """Return a cleared figure of a school's group."""
        return self._figures(
            academic_year=year or self.year, phase=school.phase, laestab=str(school.laestab), measure=measure,
            **_pair(group),
        )  # fmt: skip

    @cached_property
    def _gaps(self) -> Lookup:
        return Lookup(self.ratings, ["academic_year", "phase", "laestab", "characteristic", "level"])

    def gap(self, school: SchoolRating, group: str = ALL_GROUP, year: int = 0) -> Record | None:
        """Return the difference of a school's group from the national figure."""
        return self._gaps(
            academic_year=year or self.year, phase=school.phase, laestab=str(school.laestab), **_pair(group)
        )

    @cached_property
    def _shown_comparators(self) -> dict[int, Comparators]:
        """The national figures as they are shown, by year."""
        found: dict[int, Comparators] = {}
        for row in records(self.national):
            one = shown_comparator(row)
            found.setdefault(one.academic_year, {})[one.phase, one.group] = one
        return found

    def comparator(self, phase: str, group: str, year: int = 0) -> Comparator | None:
        """Return the national figure that a group is held against."""
        return comparator_of(self._shown_comparators.get(year or self.year, {}), phase, group, self.scheme.comparator)

    def shown_cells(self, year: int = 0) -> pd.DataFrame:
        """Return the cleared counts of each school's groups as a rating takes them; missing where hidden."""
        rows = [
            (int(row["laestab"]), str(row["phase"]), group_of(row), *self._counts(row))
            for row in self._group_records
            if row["measure"] == OVERALL
            and int(row["academic_year"]) == (year or self.year)
            and group_of(row) in self.scheme.groups
        ]
        return pd.DataFrame(rows, columns=list(CELL_COLUMNS))

    def _counts(self, row: Record) -> tuple[float, float, float]:
        """Return enrolments, possible sessions and sessions missed of a row; missing if any of them is hidden."""
        names = ("academic_year", "phase", "laestab", "characteristic", "level")
        size = self._figures(**{name: row[name] for name in names}, measure="enrolments")
        if size is None or counts_symbol(row) or not is_shown(size):
            return (math.nan, math.nan, math.nan)
        return (round(size["numerator"]), round(row["denominator"]), round(row["numerator"]))

    def rated(self, year: int = 0, mode: str = "") -> tuple[SchoolRating, ...]:
        """Return the schools of a year with their ratings from cleared figures alone, by phase and name.

        Parameters
        ----------
        mode
            How groups make one rating (``metrics.rating.rate_school``); by default as the scheme says.
        """
        kept: dict[tuple[int, str], tuple[SchoolRating, ...]] = self.__dict__.setdefault("_rated", {})
        wanted = year or self.year
        if (wanted, mode) not in kept:
            found = rate_schools(
                self.shown_cells(wanted), self._shown_comparators.get(wanted, {}), self.scheme, mode=mode
            )
            kept[wanted, mode] = tuple(sorted(found, key=self._place_of))
        return kept[wanted, mode]

    def _place_of(self, school: SchoolRating) -> tuple[int, str, int]:
        return MAIN_PHASES.index(school.phase), self.names.of_school(str(school.laestab)), school.laestab

    def of_phase(self, phase: str) -> tuple[SchoolRating, ...]:
        """Return the schools of a type this year, rated, by name."""
        return tuple(school for school in self.rated() if school.phase == phase)

    def colour_counts(self, phase: str = "") -> dict[str, int]:
        """Return how many schools have each colour, best first; "" is those that could not be rated."""
        schools = self.of_phase(phase) if phase else self.rated()
        names = [level.name for level in sorted(self.scheme.levels, key=lambda level: level.rank or 0)]
        return {name: sum(school.level == name for school in schools) for name in [*names, ""]}

    # -- chance --------------------------------------------------------------------------------------

    @cached_property
    def _funnels(self) -> dict[str, tuple[tuple[int, ...], Funnel]]:
        found = {}
        for phase in MAIN_PHASES:
            shown = [
                (school.laestab, record)
                for school in self.rated()
                if school.phase == phase
                and (record := self.figure(school, PERSISTENT)) is not None
                and not counts_symbol(record)
            ]
            events, trials = ([float(record[name]) for _, record in shown] for name in ("numerator", "denominator"))
            if len(shown) >= FEWEST_SCHOOLS and 0 < sum(events) < sum(trials) and min(trials) > 0:
                found[phase] = (tuple(laestab for laestab, _ in shown), funnel(events, trials))
        return found

    def place(self, school: SchoolRating) -> str:
        """Return where persistent absence of a school lies among the schools of its type; empty where it cannot be told."""
        laestabs, model = self._funnels.get(school.phase, ((), None))
        if model is None or school.laestab not in laestabs:
            return ""
        at = laestabs.index(school.laestab)
        if model.is_outside_998[at]:
            return BEYOND_998
        return BEYOND_95 if model.is_outside_95[at] else INSIDE

    def is_above(self, school: SchoolRating) -> bool:
        """Whether persistent absence of a school is above that of all schools of its type together."""
        laestabs, model = self._funnels[school.phase]
        return bool(model.rate[laestabs.index(school.laestab)] > model.centre)


def group_of(row: Mapping[str, Any]) -> str:
    """Return the group of a rating that a row is about; empty for none.

    >>> group_of({"characteristic": "fsm_eligible", "level": "FSM eligible"}), group_of({"characteristic": ALL, "level": ALL})
    ('FSM', 'All pupils')
    """
    if row["level"] == ALL:
        return ALL_GROUP
    return _GROUP_LEVELS.get((str(row["characteristic"]), str(row["level"])), "")


def _pair(group: str) -> dict[str, str]:
    """Return the columns that say which group a row is about."""
    characteristic, level = RATING_GROUPS[group] or (ALL, ALL)
    return {"characteristic": characteristic, "level": level}


def _counts_of(cells: pd.DataFrame) -> list[str]:
    return [name for name in _COUNTS if name in cells.columns]
