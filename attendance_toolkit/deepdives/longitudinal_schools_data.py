"""Schools over the years: their cleared counts, the limits chance keeps their rates within, and their shrunken changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from attendance_toolkit.deepdives._base import derived_table, exact_table
from attendance_toolkit.deepdives._contrasts import counts_symbol, derived_from, statistic_row
from attendance_toolkit.deepdives._shared import NO_DATA_YEARS, Record
from attendance_toolkit.deepdives.longitudinal_data import KEYS, LongitudinalData
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import enrolment_count, persistent_absence_rate
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.funnel import (
    ChangeFunnel,
    Funnel,
    ShrunkenChange,
    change_funnel,
    funnel,
    shrunken_change,
)
from attendance_toolkit.presentation.formats import records
from attendance_toolkit.vocabulary.calendar import academic_year_before
from attendance_toolkit.vocabulary.columns import MAIN_PHASES
from attendance_toolkit.vocabulary.directions import direction_of

#: The measure schools are followed by: severe absentees of one school are too few.
ABOUT = "persistent_absence_rate"
#: With fewer schools of a phase, how much they differ beyond chance cannot be told.
FEWEST_SCHOOLS = 4
#: Verdicts on one school, in the order they are told.
IMPROVING, DETERIORATING, CANNOT_TELL = "Improving", "Deteriorating", "Cannot tell"
#: (schools of a phase, share of them that are named where none has changed). Simulated, rounded up: 300 times each, schools
#: of 200 pupils at 18% and of 1,000 at 27%, standard deviation between schools 0.4 logits, the same underlying rate in both
#: years, counts rounded to the nearest 5, years independent. Fewer are named where the same pupils are in both years.
#: Of one school in 13 that changed by 0.5 logits, about 80% were found at 1,000 pupils, and about 10% at 200.
FALSE_FLAGS = ((4, 0.015), (10, 0.006), (30, 0.004))


@dataclass(frozen=True)
class SchoolYear:
    """The schools of a phase that can be shown in a year, and the funnel of their rates."""

    laestabs: tuple[str, ...]
    records: tuple[Record, ...]
    model: Funnel


@dataclass(frozen=True)
class SchoolChanges:
    """The schools of a phase with counts in two years, and what is worked out from these.

    Attributes
    ----------
    since, until
        The two academic years.
    laestabs, before, after
        Schools with cleared counts in both, and these.
    missing
        Schools of the later year without, and the symbol that says why: "c" hidden, "x" not there in the earlier year.
    """

    since: int
    until: int
    laestabs: tuple[str, ...]
    before: tuple[Record, ...]
    after: tuple[Record, ...]
    missing: dict[str, str]
    limits: ChangeFunnel
    model: ShrunkenChange

    def verdict(self, place: int) -> str:
        """Return the verdict on the school at a place, by the written definition.

        Where the schools' changes differ by no more than chance, nothing is said of any one of them.
        """
        if not self.model.has_variance:
            return CANNOT_TELL
        least = float(direction_of("school").parameters["probability"]) / 100
        if self.model.probability_fell[place] >= least:
            return IMPROVING
        return DETERIORATING if self.model.probability_rose[place] >= least else CANNOT_TELL

    def with_verdict(self, verdict: str) -> list[int]:
        """Return the places of the schools with a verdict."""
        return [place for place in range(len(self.laestabs)) if self.verdict(place) == verdict]


class LongitudinalSchoolsData(LongitudinalData):
    """Persistent absence by school, and what is derived from the cleared counts alone."""

    # -- tables --------------------------------------------------------------------------------------

    @exact_table
    def schools(self) -> ExactTable:
        """Enrolments and persistent absence of each school by year, under the school type it had in the year.

        Schools add up to the school types of ``rates``. A school that changed its type is told under its last one, but
        counted where it was.
        """
        if not self.is_local:
            raise NoDataError("Schools can be told apart in pupil-level data alone.")
        cells = self.inputs.local_cells(["phase", "laestab"], counts=("enrolments", "persistent_absentees"))
        cells = cells[cells["phase"].isin(MAIN_PHASES)]
        if not (cells["academic_year"] == self.year).any():
            raise NoDataError(f"No school type is known of any school of {self.area.name} with pupils to count.")
        cells = cells.assign(laestab=cells["laestab"].astype(str))
        keys = [*KEYS, "laestab"]
        makers = (enrolment_count, persistent_absence_rate)
        return self.inputs.local_table(pd.concat([make(cells, keys) for make in makers], ignore_index=True))

    @derived_table
    def school_funnels(self) -> ProtectedTable:
        """Overdispersion of each phase's rates this year, and the centre of its funnel."""
        rows: list[dict[str, Any]] = []
        for phase in MAIN_PHASES:
            found = self.school_year(phase)
            if found is None:
                continue
            rows.append(statistic_row("overdispersion", Estimate(found.model.dispersion), phase=phase))
            rows.append(statistic_row("funnel_limit", Estimate(found.model.centre), phase=phase))
        return derived_from(rows, self.schools, nothing=_too_few())

    @derived_table
    def school_changes(self) -> ProtectedTable:
        """Each school's change between two years (``since`` the earlier), as counted and shrunken, and its probabilities.

        The denominator of a change is the number of pupils its limits are those of. All schools together have no number.
        """
        rows: list[dict[str, Any]] = []
        for phase in MAIN_PHASES:
            for since in self.school_years_before:
                found = self.changes_of(phase, since)
                if found is None:
                    continue
                groups: dict[str, Any] = {"phase": phase, "academic_year": self.year, "since": since}
                rows += _change_rows(found, **groups)
                rows.append(statistic_row("change_in_rate", Estimate(found.limits.centre), **groups, laestab=""))
        return derived_from(rows, self.schools, nothing=_too_few())

    # -- which schools -------------------------------------------------------------------------------

    @cached_property
    def _school_records(self) -> dict[tuple[str, int], dict[str, Record]]:
        found: dict[tuple[str, int], dict[str, Record]] = {}
        for record in records(self.schools.select(measure=ABOUT)):
            key = (str(record["laestab"]), int(record["academic_year"]))
            found.setdefault(key, {})[str(record["phase"])] = record
        return found

    @cached_property
    def school_years_before(self) -> tuple[int, ...]:
        """The years this one is held against: the first of those looked at, and the year before; each once."""
        years = {year for _, year in self._school_records if year < self.year and year not in NO_DATA_YEARS}
        wanted = [min(years)] if years else []
        before = academic_year_before(self.year)
        return tuple(dict.fromkeys([*wanted, *([before] if before in years else [])]))

    def school_record(self, laestab: str, year: int, phase: str) -> Record | None:
        """Return a school's figure in a year: of the phase, else of the one it was counted under then."""
        found = self._school_records.get((laestab, year), {})
        return found.get(phase) or next(iter(found.values()), None)

    def schools_of(self, phase: str) -> list[str]:
        """Return the schools of a phase this year, by their number."""
        return sorted(
            laestab for (laestab, year), found in self._school_records.items() if year == self.year and phase in found
        )

    def school_year(self, phase: str) -> SchoolYear | None:
        """Return the schools of a phase this year with the funnel of their rates; None where they are too few."""
        kept = self.__dict__.setdefault("_school_year", {})
        if phase not in kept:
            kept[phase] = self._make_year(phase)
        made: SchoolYear | None = kept[phase]
        return made

    def changes_of(self, phase: str, since: int) -> SchoolChanges | None:
        """Return the schools of a phase with counts in both years and their changes; None where they are too few."""
        kept = self.__dict__.setdefault("_changes_of", {})
        if (phase, since) not in kept:
            kept[phase, since] = self._make_changes(phase, since)
        made: SchoolChanges | None = kept[phase, since]
        return made

    def _make_year(self, phase: str) -> SchoolYear | None:
        every = {laestab: self.school_record(laestab, self.year, phase) for laestab in self.schools_of(phase)}
        shown = {name: record for name, record in every.items() if record is not None and not counts_symbol(record)}
        if len(shown) < FEWEST_SCHOOLS or not _can_differ([*shown.values()]):
            return None
        return SchoolYear(tuple(shown), tuple(shown.values()), funnel(*_counts([*shown.values()])))

    def _make_changes(self, phase: str, since: int) -> SchoolChanges | None:
        names, before, after, missing = [], [], [], {}
        for laestab in self.schools_of(phase):
            was, now = (self.school_record(laestab, year, phase) for year in (since, self.year))
            symbol = counts_symbol(was, now)
            if symbol or was is None or now is None:
                missing[laestab] = symbol
                continue
            names.append(laestab)
            before.append(was)
            after.append(now)
        if len(names) < FEWEST_SCHOOLS or not _can_differ([*before, *after]):
            return None
        counts = (*_counts(before), *_counts(after))
        return SchoolChanges(
            since, self.year, tuple(names), tuple(before), tuple(after), missing,
            change_funnel(*counts), shrunken_change(*counts),
        )  # fmt: skip


def expected_by_chance(schools: int) -> float:
    """Return how many of so many schools would be flagged if none had changed (``FALSE_FLAGS``).

    >>> round(expected_by_chance(13), 3), round(expected_by_chance(160), 3)
    (0.078, 0.64)
    """
    share = [share for least, share in FALSE_FLAGS if schools >= least]
    return schools * (share[-1] if share else FALSE_FLAGS[0][1])


def _counts(found: Sequence[Record]) -> tuple[list[float], list[float]]:
    return [float(record["numerator"]) for record in found], [float(record["denominator"]) for record in found]


def _can_differ(found: Sequence[Record]) -> bool:
    """Whether some pupils are persistently absent and some are not: else there is no chance to measure by."""
    events, trials = _counts(found)
    return 0 < sum(events) < sum(trials) and min(trials) > 0


def _change_rows(found: SchoolChanges, **groups: Any) -> list[dict[str, Any]]:
    model = found.model
    rows = []
    for place, laestab in enumerate(found.laestabs):
        shrunk = Estimate(float(model.mean[place]), float(model.lower[place]), float(model.upper[place]))
        change = statistic_row("change_in_rate", Estimate(float(model.change[place])), **groups, laestab=laestab)
        rows.append({**change, "denominator": float(round(found.limits.size[place]))})
        for measure, estimate in (
            ("change_shrunken", shrunk),
            ("probability_fell", Estimate(float(model.probability_fell[place]))),
            ("probability_rose", Estimate(float(model.probability_rose[place]))),
        ):
            rows.append(statistic_row(measure, estimate, **groups, laestab=laestab))
    for laestab, symbol in found.missing.items():
        rows += [
            statistic_row(measure, None, symbol or "x", **groups, laestab=laestab)
            for measure in ("change_in_rate", "change_shrunken")
        ]
    return rows


def _too_few() -> str:
    return "There are too few schools of one school type whose figures can be shown to hold them beside each other."
