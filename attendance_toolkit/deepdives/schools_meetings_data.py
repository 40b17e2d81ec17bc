"""Schools that were met: their attendance before and after, and what schools as low came to without a meeting."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.deepdives._base import exact_table
from attendance_toolkit.deepdives._contrasts import statistic_row
from attendance_toolkit.deepdives._outcomes import topic_of
from attendance_toolkit.deepdives._shared import Lookup, Record
from attendance_toolkit.deepdives.schools_data import SchoolsData
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.metrics.before_after import (
    TERM_COUNTS,
    Round,
    SchoolChanges,
    meeting_rounds,
    school_changes,
    school_terms_of,
)
from attendance_toolkit.models.before_after import MeetingEffect, meeting_effect
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.transition.regression_to_mean import SupportRefusedError
from attendance_toolkit.vocabulary.areas import local_authorities_in
from attendance_toolkit.vocabulary.calendar import show_academic_year

#: Levels of ``comparison``: the schools of a round, and those held against them.
MET, OTHERS = "Schools met", "Schools not met"
BEFORE, AFTER, CHANGE = "attendance_before", "attendance_after", "meeting_change"
EXPECTED_CHANGE, EFFECT = "meeting_expected_change", "meeting_effect"
NO_MEETINGS = (
    "The store has no list of meetings with schools. Load one to see what became of attendance at the schools that were met: a"
    " table with the columns laestab, date and kind (in person, online, by request), with the command attendance load."
)
_NONE_HERE = "The list of meetings has none with a school of this area in the year of this page."
_NO_TERMS = (
    "What became of the schools that were met cannot be told: the data have not both the term before the meetings and a term after"
    " them."
)


class SchoolsMeetingsData(SchoolsData):
    """Rounds of meetings in the year of the page, a round a term. Which schools were met is told of no school by name."""

    @cached_property
    def _meetings(self) -> pd.DataFrame:
        """All meetings with schools of the area: laestab, academic_year, day, kind, colour. They say nothing of pupils.

        Raises
        ------
        NoDataError
            There are none.
        """
        self.need_pupils()
        assert self.inputs.store is not None
        known = self.inputs.store.meetings().order("day, laestab").df()
        if known.empty:
            raise NoDataError(NO_MEETINGS)
        codes = {int(area.dfe_code) for area in local_authorities_in(self.area) if area.code in self.members}
        return known[(known["laestab"] // 10_000).isin(codes)].reset_index(drop=True)

    @cached_property
    def rounds(self) -> tuple[Round, ...]:
        """The rounds of meetings in the year of the page, oldest first.

        Raises
        ------
        NoDataError
            There is no list of meetings, or none of this year.
        """
        found = tuple(one for one in meeting_rounds(self._meetings) if one.academic_year == self.year)
        if not found:
            raise NoDataError(_NONE_HERE)
        return found

    def kinds_of(self, one: Round) -> dict[str, int]:
        """Return how many schools of a round were first met in which way, the most frequent first."""
        days = pd.to_datetime(self._meetings["day"]).dt.date
        first = self._meetings[
            [one.schools.get(laestab) == day for laestab, day in zip(self._meetings["laestab"], days, strict=True)]
        ]
        counts = first.drop_duplicates("laestab")["kind"].value_counts()
        return {str(kind): int(count) for kind, count in counts.items()}

    # -- exact ---------------------------------------------------------------------------------------

    @cached_property
    def _round_studies(self) -> tuple[tuple[SchoolChanges, MeetingEffect | SupportRefusedError], ...]:
        """Each round with what can be said of it; made once, where tables are made."""
        rounds = self.rounds
        terms = school_terms_of(self.inputs.local_cells(["phase", "laestab", "term"], counts=TERM_COUNTS))
        found: list[tuple[SchoolChanges, MeetingEffect | SupportRefusedError]] = []
        for one in rounds:
            try:
                changes = school_changes(terms, self._meetings, one)
            except (NoDataError, ParameterError):
                continue  # the data end before the terms after: the page says so if it is so of all rounds
            try:
                found.append((changes, meeting_effect(changes)))
            except SupportRefusedError as refusal:
                found.append((changes, refusal))
        found = [(changes, study) for changes, study in found if changes.found]
        if not found:
            raise NoDataError(_NO_TERMS)
        return tuple(found)

    @exact_table
    def school_meetings(self) -> ExactTable:
        """Attendance of the schools met before and after, of those not met, what was to be expected, and the difference.

        Columns ``round`` (the term of the meetings), ``comparison`` and ``about``: of enrolments how many schools they are
        at, of what is expected the years compared with, of a difference that is not stated why.
        """
        rows = [row for changes, study in self._round_studies for row in self._round_rows(changes, study)]
        return self.inputs.local_table(pd.DataFrame(rows), topic=topic_of("pupils of schools met", self.area))

    def _round_rows(
        self, changes: SchoolChanges, study: MeetingEffect | SupportRefusedError
    ) -> Iterator[dict[str, Any]]:
        groups: dict[str, Any] = {
            "area_code": self.area.code,
            "academic_year": self.year,
            "round": changes.round.term,
        }
        if isinstance(study, SupportRefusedError):
            yield _size(changes, changes.is_met, {**groups, "comparison": MET})
            size = float(changes.enrolments[changes.is_met].sum())
            nothing = {**groups, "comparison": MET, "enrolments": size, "about": str(study)}
            yield statistic_row(EFFECT, None, "z", **nothing)
            return
        compared = np.isin(changes.phase, study.phases)
        others = ~changes.is_met & compared & (changes.academic_year == self.year)
        for name, who, figures in (
            (MET, changes.is_met & compared, _met_figures(study)),
            (OTHERS, others, {BEFORE: Estimate(study.others_before), CHANGE: Estimate(study.others_change)}),
        ):
            here = {**groups, "comparison": name}
            row = _size(changes, who, here)
            yield row
            about = {EXPECTED_CHANGE: _held_against(study)}
            for measure, value in figures.items():
                made = statistic_row(measure, value, **here, enrolments=row["enrolments"], about=about.get(measure, ""))
                yield {**made, "decimals": 1}

    # -- cleared figures -----------------------------------------------------------------------------

    @cached_property
    def _meetings_lookup(self) -> Lookup:
        return Lookup(self.school_meetings, ["round", "comparison", "measure"])

    @cached_property
    def rounds_shown(self) -> tuple[Round, ...]:
        """The rounds with figures, oldest first."""
        held = set(self.school_meetings.rows["round"])
        return tuple(one for one in self.rounds if one.term in held)

    def meeting_figure_of(self, one: Round, measure: str, comparison: str = MET) -> Record | None:
        """Return a figure of a round."""
        return self._meetings_lookup(round=one.term, comparison=comparison, measure=measure)


def _met_figures(study: MeetingEffect) -> dict[str, Estimate]:
    return {
        BEFORE: Estimate(study.before),
        AFTER: Estimate(study.after),
        CHANGE: Estimate(study.change),
        EXPECTED_CHANGE: study.expected_change,
        EFFECT: study.effect,
    }


def _size(changes: SchoolChanges, who: np.ndarray, groups: dict[str, Any]) -> dict[str, Any]:
    """Return the row of enrolments at some schools; how many schools, in words."""
    size, schools = float(changes.enrolments[who].sum()), int(who.sum())
    row = statistic_row(
        "enrolments", Estimate(size), **groups, enrolments=size, about=f"{schools} school{'' if schools == 1 else 's'}"
    )
    return {**row, "numerator": size}


def _held_against(study: MeetingEffect) -> str:
    """Return what the expected change was told from: "this year", or with earlier years."""
    years = ["this year", *(show_academic_year(year) for year in study.years)]
    return " and ".join([", ".join(years[:-1]), years[-1]]) if len(years) > 1 else years[0]
