"""The tables of supported pupils: what became of them, and of pupils chosen alike who had no support."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.deepdives._base import exact_table
from attendance_toolkit.deepdives._contrasts import statistic_row
from attendance_toolkit.deepdives._outcomes import outcome_rows, topic_of
from attendance_toolkit.deepdives._shared import Lookup, Record
from attendance_toolkit.deepdives._support_rows import EARLIER, SAME_YEAR, rule_of, supported_rows
from attendance_toolkit.deepdives.transition_data import FIRST, TransitionData, year_after
from attendance_toolkit.disclosure.policy import SHARED
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import wilson_interval
from attendance_toolkit.metrics.transition import StepCohort
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.transition.support import SupportStudy, support_effect_of
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.steps import COMPARED, NOT_COMPARED

_NEEDS_PUPILS = "What support came to can be told of pupils who are followed: that needs pupil-level data."
NO_LISTS = (
    "The store has no list of supported pupils. Load one to see what became of them: a table with the columns upn,"
    " academic_year (the year of the support) and support_group (its name), with the command attendance load."
)
_NOBODY = (
    "None of the pupils on the lists of supported pupils was in the year group before the step, in this area, in a year after"
    " which the data go on."
)


class TransitionSupportData(TransitionData):
    """Supported pupils of the step to secondary school. The academic year of a row is that of the support."""

    # -- exact ---------------------------------------------------------------------------------------

    @cached_property
    def _support_studies(self) -> tuple[tuple[str, SupportStudy], ...]:
        """Each list of the last years: its name, and what can be said of it; made once, where tables are made."""
        if not self.is_local:
            raise NoDataError(_NEEDS_PUPILS)
        lists = self.inputs.support_groups()
        if lists.empty:
            raise NoDataError(NO_LISTS)
        cohorts = self.cohorts(FIRST)
        everybody = lists["upn"].to_numpy(dtype=np.int64)
        found = []
        for _, part in lists.groupby(["academic_year", "support_group"], sort=True):
            year, name = int(part["academic_year"].iloc[0]), str(part["support_group"].iloc[0])
            cohort = _cohort_before(cohorts, year)
            if cohort is None or year not in (self.year, year_after(self.year)):
                continue
            listed = self._of_the_area(cohort, part["upn"].to_numpy(dtype=np.int64))
            mine = np.isin(cohort.pupils, listed)
            if not mine.any():
                continue
            study = support_effect_of(
                cohorts,
                listed,
                threshold=rule_of(cohort.year_missed[mine], cohort.year_possible[mine]),
                support_year=year,
                supported_before=everybody,
            )
            found.append((name, study))
        if not found:
            raise NoDataError(_NOBODY)
        return tuple(found)

    def _of_the_area(self, cohort: StepCohort, listed: np.ndarray) -> np.ndarray:
        """Return the pupils of a list who are the area's: by the school before the step, else by the one after it.

        Pupils of neither are on no roll of the store: they are the area's if the store holds nothing else.
        """
        assert cohort.later is not None
        joined = cohort.later.joined
        known = np.concatenate([cohort.pupils, joined.pupils])
        here = np.concatenate([cohort.in_area(self.members), joined.in_area(self.members)])
        kept = np.isin(listed, known[here])
        return listed[kept] if self.has_other_districts else listed[kept | ~np.isin(listed, known)]

    @exact_table
    def supported_listed(self) -> ExactTable:
        """How many pupils a list has, and how many of them can be compared: ``link_rate`` by ``outcome``.

        Where only a few cannot be compared, the number listed is not told either: beside the number compared it would tell
        how few.
        """
        parts = []
        for name, study in self._support_studies:
            lost = study.listed - study.compared
            cells = pd.DataFrame({"outcome": [COMPARED, NOT_COMPARED], "pupils": [study.compared, lost]})
            assert SHARED.threshold is not None
            groups: dict[str, Any] = {
                "area_code": self.area.code, "academic_year": study.support_year, "support_group": name,
                "withheld": lost < SHARED.threshold,
            }  # fmt: skip
            cells = cells.assign(**groups)
            sizes = pd.DataFrame([{**groups, "pupils": study.listed}])
            parts.append(outcome_rows(sizes, cells, cells.drop(columns="pupils"), "link_rate"))
        topic = topic_of("pupils on lists for support", self.area)
        return self.inputs.local_table(pd.concat(parts, ignore_index=True), topic=topic)

    @exact_table
    def supported(self) -> ExactTable:
        """Absence of the supported pupils compared, before and after the step, what was expected, and the difference.

        Columns ``support_group``, ``half_term`` (the weeks after the step), ``model`` (whom they are held against) and
        ``about``: of ``pupils`` the rule, of what is expected the years before the step of the earlier pupils, of a
        difference that is not stated why.
        """
        rows = [row for name, study in self._support_studies for row in self._supported_rows(name, study)]
        # Who is compared does not depend on the area looked at: districts add up to their area, so that the topic is one.
        return self.inputs.local_table(pd.DataFrame(rows), topic="supported pupils compared")

    def _supported_rows(self, name: str, study: SupportStudy) -> Iterator[dict[str, Any]]:
        groups: dict[str, Any] = {
            "area_code": self.area.code, "academic_year": study.support_year, "support_group": name,
            "half_term": study.window, "enrolments": float(study.compared),
        }  # fmt: skip
        yield from supported_rows(
            groups, study.compared, study.persistent_after, float(study.rule.share),
            (
                (EARLIER, study.effect, study.history_years),
                (SAME_YEAR, study.same_year, (study.cohort.academic_year,)),
            ),
            study.refusal,
        )  # fmt: skip

    @exact_table
    def supported_compared(self) -> ExactTable:
        """How many pupils chosen alike the supported ones are held against, by ``comparison``."""
        rows = []
        for name, study in self._support_studies:
            for against, effect in ((EARLIER, study.effect), (SAME_YEAR, study.same_year)):
                if effect is not None:
                    size = float(effect.n_compared)
                    row = statistic_row(
                        "pupils", Estimate(size), area_code=self.area.code, academic_year=study.support_year,
                        support_group=name, comparison=against,
                    )  # fmt: skip
                    rows.append({**row, "numerator": size, "enrolments": size})
        if not rows:
            raise NoDataError("There are no pupils chosen alike to compare the supported ones with.")
        return self.inputs.local_table(
            pd.DataFrame(rows), topic=topic_of("pupils chosen like the supported ones", self.area)
        )

    @exact_table
    def list_rule(self) -> ExactTable:
        """Persistent and severe absence of the year group about to move up, in its last primary year: who a rule would list."""
        cohort = self.coming_cohort()
        here = cohort.chosen(cohort.in_area(self.members))
        missed, possible = here.year_missed.astype(np.int64), here.year_possible.astype(np.int64)
        size = float(len(here.pupils))
        rows = []
        for measure, factor in (("persistent_absence_rate", 10), ("severe_absence_rate", 2)):
            events = float(((factor * missed >= possible) & (possible > 0)).sum())
            lower, upper = (float(end) for end in wilson_interval(events, size))
            row = statistic_row(
                measure, Estimate(events / size, lower, upper), area_code=self.area.code,
                academic_year=cohort.academic_year,
            )  # fmt: skip
            rows.append({**row, "numerator": events, "denominator": size, "enrolments": size})
        return self.inputs.local_table(
            pd.DataFrame(rows), topic=topic_of(f"pupils about to leave Year {FIRST}", self.area)
        )

    # -- cleared figures -----------------------------------------------------------------------------

    @cached_property
    def _supported_lookup(self) -> Lookup:
        return Lookup(self.supported, ["academic_year", "support_group", "measure", "model"])

    @cached_property
    def support_lists(self) -> tuple[tuple[int, str], ...]:
        """(academic year of the support, name) of each list with figures, the latest year first."""
        rows = self.supported.rows[["academic_year", "support_group"]].drop_duplicates()
        found = [(int(year), str(name)) for year, name in rows.itertuples(index=False)]
        return tuple(sorted(found, key=lambda one: (-one[0], one[1])))

    def support_figure_of(self, one: tuple[int, str], measure: str, model: str = "") -> Record | None:
        """Return a figure of a list; ``model`` says whom it is held against."""
        return self._supported_lookup(academic_year=one[0], support_group=one[1], measure=measure, model=model)

    @cached_property
    def _compared_lookup_of_support(self) -> Lookup:
        return Lookup(self.supported_compared, ["academic_year", "support_group", "comparison"])

    def support_peers(self, one: tuple[int, str], against: str) -> Record | None:
        """Return how many pupils chosen alike a list is held against; None if it is not."""
        try:
            return self._compared_lookup_of_support(academic_year=one[0], support_group=one[1], comparison=against)
        except NoDataError:
            return None

    @cached_property
    def _listed_lookup(self) -> Lookup:
        return Lookup(self.supported_listed, ["academic_year", "support_group", "outcome", "measure"])

    def support_listed(self, one: tuple[int, str], outcome: str = ALL) -> Record | None:
        """Return how many pupils are on a list, or the share of them with an outcome."""
        measure = "pupils" if outcome == ALL else "link_rate"
        return self._listed_lookup(academic_year=one[0], support_group=one[1], outcome=outcome, measure=measure)


def _cohort_before(cohorts: tuple[StepCohort, ...], year: int) -> StepCohort | None:
    """Return the cohort whose step leads into an academic year, if the data go on into it."""
    found = [one for one in cohorts if one.later is not None and one.later.academic_year == year]
    return found[0] if found else None
