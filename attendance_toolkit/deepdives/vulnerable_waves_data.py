"""The tables of a virtual school: looked-after children by wave, and who changed wave from term to term."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import pandas as pd

from attendance_toolkit.deepdives._base import exact_table
from attendance_toolkit.deepdives._outcomes import outcome_rows
from attendance_toolkit.deepdives._shared import Lookup, Record
from attendance_toolkit.deepdives.vulnerable_data import KEYS, VulnerableData
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.waves import BETTER, SAME, TOO_FEW, WORSE, pupil_waves, wave_changes
from attendance_toolkit.vocabulary.calendar import TERMS
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.rule_schemes import Scheme

SCHEME = "virtual_school_waves"
#: Changes of children with a wave at the end of both terms.
TOLD = (BETTER, SAME, WORSE)
#: Children there must be, rounded, for partners to be shown them by kind of school.
LEAST_PARTED = 100


class VulnerableWavesData(VulnerableData):
    """Waves of the area's looked-after children: year to date, the sessions of all the area's schools together."""

    @cached_property
    def wave_scheme(self) -> Scheme:
        """The scheme of waves: the authority's own, else the toolkit's."""
        return self.inputs.scheme(SCHEME)

    @cached_property
    def wave_names(self) -> tuple[str, ...]:
        """The waves, the best attendance first."""
        return tuple(level.name for level in sorted(self.wave_scheme.levels, key=lambda level: level.rank or 0))

    @cached_property
    def _waves(self) -> pd.DataFrame:
        self.need_pupils()
        waves = pupil_waves(self.inputs.looked_after(), self.wave_scheme)
        waves = waves[waves["academic_year"] == self.year]
        if waves.empty:
            raise NoDataError(
                f"No pupil in schools of {self.area.name} is known to be looked after in {self.shown_year}. Load a list of"
                " pupil flags: a CSV of UPN, academic_year and looked_after."
            )
        return waves.assign(area_code=self.area.code)

    @exact_table
    def waves(self) -> ExactTable:
        """Looked-after children by wave at the end of each term; by kind of school at the end of the last.

        A wave is an ``outcome``, so that nobody or everybody of a few children in one is not told either. Children with too
        few sessions are in no wave, and not in the table.
        """
        waves = self._waves[self._waves["wave"] != TOO_FEW].rename(columns={"wave": "outcome"})
        if waves.empty:
            raise NoDataError("No looked-after child has sessions enough for a wave.")
        last = waves[waves["term"] == [term for term in TERMS if term in set(waves["term"])][-1]]
        base = self.inputs.policy.rounding
        is_small = len(last) // base * base < LEAST_PARTED
        total = self._told(waves.assign(school_kind=ALL), [*KEYS, "term", "school_kind"], self.wave_names, "level_rate")
        kinds = self._told(
            last.assign(school_kind=last["phase"]), [*KEYS, "term", "school_kind"], self.wave_names, "level_rate"
        )
        rows = pd.concat([total.assign(withheld=False), kinds.assign(withheld=is_small)], ignore_index=True)
        return self.inputs.local_table(rows, topic=self.own_topic("looked-after children by wave"))

    @exact_table
    def wave_steps(self) -> ExactTable:
        """What became of the waves of looked-after children from each term of the year to the next, of those in both.

        The few who joined, left or have too few sessions would be hidden, and others with them.
        """
        changes = wave_changes(self._waves, self.wave_scheme)
        changes = changes[changes["change"].isin(TOLD)]
        if changes.empty:
            raise NoDataError("Changes of wave need two terms of the year, one after the other.")
        changes = changes.assign(area_code=self.area.code).rename(columns={"change": "outcome"})
        rows = self._told(changes, [*KEYS, "term"], TOLD, "level_change_rate")
        return self.inputs.local_table(rows, topic=self.own_topic("looked-after children by change of wave"))

    def _told(self, pupils: pd.DataFrame, by: list[str], outcomes: Sequence[str], measure: str) -> pd.DataFrame:
        """Return how many of each group's children have each outcome, one row a child given."""
        sizes = pupils.groupby(by, observed=True).size().rename("pupils").reset_index()
        cells = pupils.groupby([*by, "outcome"], observed=True).size().rename("pupils").reset_index()
        wanted = sizes[by].merge(pd.DataFrame({"outcome": list(outcomes)}), how="cross")
        return outcome_rows(sizes, cells, wanted, measure)

    # -- cleared figures -----------------------------------------------------------------------------

    @cached_property
    def wave_terms(self) -> tuple[str, ...]:
        """The terms of the year that are known, in their order."""
        there = set(self.waves.rows["term"].astype(str))
        return tuple(term for term in TERMS if term in there)

    @cached_property
    def _waves_lookup(self) -> Lookup:
        return Lookup(self.waves, ["term", "school_kind", "outcome"])

    def in_wave(self, wave: str, *, term: str = "", school_kind: str = ALL) -> Record | None:
        """Return the share of children in a wave at the end of a term (the last, if no other is named), or their number."""
        return self._waves_lookup(term=term or self.wave_terms[-1], school_kind=school_kind, outcome=wave)

    @cached_property
    def step_terms(self) -> tuple[str, ...]:
        """The later terms of the steps that are known."""
        there = set(self.wave_steps.rows["term"].astype(str))
        return tuple(term for term in TERMS if term in there)

    def changed(self, change: str, term: str) -> Record | None:
        """Return the share of children with a change of wave from the term before to a term."""
        return Lookup(self.wave_steps, ["term", "outcome"])(term=term, outcome=change)

    @property
    def changes_shown(self) -> tuple[str, ...]:
        """The kinds of change some step has."""
        there = set(self.wave_steps.rows["outcome"].astype(str))
        return tuple(change for change in TOLD if change in there)
