"""Supported pupils of all year groups in the year of the page, beside earlier pupils of the same year groups chosen alike."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.deepdives._base import exact_table
from attendance_toolkit.deepdives._contrasts import statistic_row
from attendance_toolkit.deepdives._shared import Lookup, Record
from attendance_toolkit.deepdives._support_rows import EARLIER, SAME_YEAR, rule_of, supported_rows
from attendance_toolkit.deepdives.vulnerable_data import VulnerableData
from attendance_toolkit.disclosure.policy import SHARED
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.transition import StepCohort
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.transition.support_year_groups import SupportAcross, support_across_year_groups
from attendance_toolkit.vocabulary.calendar import academic_year_before
from attendance_toolkit.vocabulary.columns import ALL

NO_LISTS = (
    "The store has no list of pupils given support in the year of this page. Load one to see what became of them: a table with"
    " the columns upn, academic_year (the year of the support) and support_group (its name), with the command attendance load."
)
_NOBODY = (
    "None of the pupils on the lists of support was in a mainstream school of this area in the year before the support, in data"
    " that go on into the year of it."
)


class VulnerableSupportData(VulnerableData):
    """What became of each list of supported pupils; the year of support is that of the page."""

    # -- exact ---------------------------------------------------------------------------------------

    @cached_property
    def _support_across(self) -> tuple[tuple[str, SupportAcross], ...]:
        """Each list of the year by name with what can be said of it; made once, where tables are made."""
        self.need_pupils()
        lists = self.inputs.support_groups()
        everybody = lists["upn"].to_numpy(dtype=np.int64)
        of_year = lists[lists["academic_year"] == self.year]
        if of_year.empty:
            raise NoDataError(NO_LISTS)
        cohorts = self._cohorts_of(of_year["upn"].to_numpy(dtype=np.int64))
        found = []
        for name, part in of_year.groupby("support_group", sort=True):
            listed = self._of_the_area(cohorts, part["upn"].to_numpy(dtype=np.int64))
            current = [one for many in cohorts.values() if (one := self._before(many)) is not None]
            inside = [np.isin(one.pupils, listed) for one in current]
            if not any(mine.any() for mine in inside):
                continue
            missed, possible = (
                np.concatenate([getattr(one, of)[mine] for one, mine in zip(current, inside, strict=True)])
                for of in ("year_missed", "year_possible")
            )
            study = support_across_year_groups(
                cohorts, listed, support_year=self.year, threshold=rule_of(missed, possible), supported=everybody
            )
            found.append((str(name), study))
        if not found:
            raise NoDataError(_NOBODY)
        return tuple(found)

    def _cohorts_of(self, pupils: np.ndarray) -> dict[str, tuple[StepCohort, ...]]:
        """Return the cohorts of the year groups that supported pupils were in the year before."""
        found: dict[str, tuple[StepCohort, ...]] = {}
        for name in self.inputs.year_groups_of(pupils, academic_year_before(self.year)):
            try:
                found[name] = self.inputs.steps(name)
            except NoDataError:
                continue  # nobody is in that year group this year: there is no step to follow
        return found

    def _before(self, cohorts: tuple[StepCohort, ...]) -> StepCohort | None:
        found = [one for one in cohorts if one.later is not None and one.later.academic_year == self.year]
        return found[0] if found else None

    def _of_the_area(self, cohorts: dict[str, tuple[StepCohort, ...]], listed: np.ndarray) -> np.ndarray:
        """Return the pupils of a list who are the area's by the school they were at the year before.

        Of pupils nobody knows a mainstream school of, none is the area's for certain: they are, if the store holds nothing else.
        """
        current = [one for many in cohorts.values() if (one := self._before(many)) is not None]
        if not current:
            return listed
        known = np.concatenate([one.pupils for one in current])
        here = np.concatenate([one.in_area(self.members) for one in current])
        kept = np.isin(listed, known[here])
        has_others = set(current[0].la_codes) - set(self.members)
        return listed[kept] if has_others else listed[kept | ~np.isin(listed, known)]

    @exact_table
    def supported_pupils(self) -> ExactTable:
        """Absence of supported pupils of all year groups before and after, what was expected, and the difference.

        Columns ``support_group``, ``model`` (whom they are held against) and ``about``: of ``pupils`` the rule, of what is
        expected the years before the support of the earlier pupils, of a difference that is not stated why.
        """
        rows = [row for name, study in self._support_across for row in self._rows_of(name, study)]
        return self.inputs.local_table(pd.DataFrame(rows), topic=self.own_topic("supported pupils of all year groups"))

    def _rows_of(self, name: str, study: SupportAcross) -> Iterator[dict[str, Any]]:
        groups = {**self._groups(name), "enrolments": float(study.compared)}
        yield from supported_rows(
            groups, study.compared, study.persistent_after, float(study.rule.share),
            (
                (EARLIER, study.effect, study.history_years),
                (SAME_YEAR, study.same_year, (academic_year_before(self.year),)),
            ),
            study.refusal,
        )  # fmt: skip

    def _groups(self, name: str) -> dict[str, Any]:
        return {"area_code": self.area.code, "academic_year": self.year, "support_group": name}

    @exact_table
    def supported_lists(self) -> ExactTable:
        """How many pupils are on a list; where only a few of them cannot be compared, partners are not told."""
        rows = []
        assert SHARED.threshold is not None
        for name, study in self._support_across:
            size = float(study.listed)
            row = statistic_row("pupils", Estimate(size), **self._groups(name), outcome=ALL)
            few = study.listed - study.compared < SHARED.threshold
            rows.append({**row, "numerator": size, "enrolments": size, "withheld": few})
        return self.inputs.local_table(
            pd.DataFrame(rows), topic=self.own_topic("pupils of all year groups on lists for support")
        )

    @exact_table
    def supported_peers(self) -> ExactTable:
        """How many pupils chosen alike the supported ones are held against, by ``comparison``."""
        rows = []
        for name, study in self._support_across:
            for against, effect in ((EARLIER, study.effect), (SAME_YEAR, study.same_year)):
                if effect is not None:
                    size = float(effect.n_compared)
                    row = statistic_row("pupils", Estimate(size), **self._groups(name), comparison=against)
                    rows.append({**row, "numerator": size, "enrolments": size})
        if not rows:
            raise NoDataError("There are no pupils chosen alike to compare the supported ones with.")
        return self.inputs.local_table(
            pd.DataFrame(rows), topic=self.own_topic("pupils of all year groups chosen like the supported ones")
        )

    # -- cleared figures -----------------------------------------------------------------------------

    @cached_property
    def _supported_across_lookup(self) -> Lookup:
        return Lookup(self.supported_pupils, ["support_group", "measure", "model"])

    @cached_property
    def lists_of_support(self) -> tuple[str, ...]:
        """Names of the lists with figures."""
        return tuple(sorted({str(name) for name in self.supported_pupils.rows["support_group"]}))

    def supported_figure_of(self, name: str, measure: str, model: str = "") -> Record | None:
        """Return a figure of a list; ``model`` says whom it is held against."""
        return self._supported_across_lookup(support_group=name, measure=measure, model=model)

    def peers_of(self, name: str, against: str) -> Record | None:
        """Return how many pupils chosen alike a list is held against; None if it is not."""
        try:
            lookup = Lookup(self.supported_peers, ["support_group", "comparison"])
        except NoDataError:
            return None
        return lookup(support_group=name, comparison=against)

    def listed_of(self, name: str) -> Record | None:
        """Return how many pupils are on a list."""
        return Lookup(self.supported_lists, ["support_group"])(support_group=name)
