"""The tables of a virtual school: looked-after children by wave, and who changed wave from term to term."""

from __future__ import annotations

from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd

from attendance_toolkit.deepdives._base import exact_table
from attendance_toolkit.deepdives._shared import Lookup, Record
from attendance_toolkit.deepdives.vulnerable_data import KEYS, VulnerableData
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.waves import BETTER, SAME, TOO_FEW, WORSE, pupil_waves, wave_changes
from attendance_toolkit.vocabulary.calendar import TERMS
from attendance_toolkit.vocabulary.columns import ALL, PHASES
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
        """The waves, the best attendance first, then children with too few sessions."""
        ranked = sorted(self.wave_scheme.levels, key=lambda level: level.rank or 0)
        return (*(level.name for level in ranked), TOO_FEW)

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
        """Looked-after children by wave at the end of each term; by kind of school at the end of the last."""
        waves = self._waves
        keys = [*KEYS, "term", "school_kind", "wave"]
        # A wave nobody is in is a row, too: that nobody is in it is what is told.
        terms = [term for term in TERMS if term in set(waves["term"])]
        whole = pd.DataFrame(list(product(terms, (ALL, *self.wave_names))), columns=["term", "wave"])
        total = _counted(waves, keys, school_kind=[ALL], wave=[ALL, *self.wave_names]).merge(whole, on=["term", "wave"])
        last = waves[waves["term"] == terms[-1]]
        kinds = [phase for phase in PHASES if phase in set(last["phase"])]
        by_kind = _counted(last, keys, school_kind=kinds, wave=[ALL, *self.wave_names])
        base = self.inputs.policy.rounding
        is_small = len(last) // base * base < LEAST_PARTED
        rows = pd.concat([total.assign(withheld=False), by_kind.assign(withheld=is_small)], ignore_index=True)
        return self.inputs.local_table(_number_rows(rows), topic=self.own_topic("looked-after children by wave"))

    @exact_table
    def wave_steps(self) -> ExactTable:
        """What became of the waves of looked-after children from each term of the year to the next, of those in both.

        The few who joined, left or have too few sessions would be hidden, and others with them.
        """
        changes = wave_changes(self._waves, self.wave_scheme)
        changes = changes[changes["change"].isin(TOLD)]
        if changes.empty:
            raise NoDataError("Changes of wave need two terms of the year, one after the other.")
        changes = changes.assign(area_code=self.area.code)
        found = changes.groupby([*KEYS, "term", "change"]).size().rename("pupils").reset_index()
        whole = changes[[*KEYS, "term"]].drop_duplicates().merge(pd.DataFrame({"change": TOLD}), how="cross")
        found = whole.merge(found, how="left", on=list(whole.columns)).fillna({"pupils": 0})
        total = found.groupby([*KEYS, "term"])["pupils"].sum().reset_index().assign(change=ALL)
        rows = _number_rows(pd.concat([total, found], ignore_index=True))
        return self.inputs.local_table(rows, topic=self.own_topic("looked-after children by change of wave"))

    # -- cleared figures -----------------------------------------------------------------------------

    @cached_property
    def wave_terms(self) -> tuple[str, ...]:
        """The terms of the year that are known, in their order."""
        there = set(self.waves.rows["term"].astype(str))
        return tuple(term for term in TERMS if term in there)

    @cached_property
    def _waves_lookup(self) -> Lookup:
        return Lookup(self.waves, ["term", "school_kind", "wave"])

    def in_wave(self, wave: str, *, term: str = "", school_kind: str = ALL) -> Record | None:
        """Return how many children are in a wave at the end of a term (the last, if no other is named)."""
        return self._waves_lookup(term=term or self.wave_terms[-1], school_kind=school_kind, wave=wave)

    @cached_property
    def step_terms(self) -> tuple[str, ...]:
        """The later terms of the steps that are known."""
        there = set(self.wave_steps.rows["term"].astype(str))
        return tuple(term for term in TERMS if term in there)

    def changed(self, change: str, term: str) -> Record | None:
        """Return how many children have a change of wave from the term before to a term."""
        return Lookup(self.wave_steps, ["term", "change"])(term=term, change=change)

    @property
    def changes_shown(self) -> tuple[str, ...]:
        """The kinds of change some step has."""
        there = set(self.wave_steps.rows["change"].astype(str))
        return tuple(change for change in TOLD if change in there)


def _counted(waves: pd.DataFrame, keys: list[str], *, school_kind: list[str], wave: list[str]) -> pd.DataFrame:
    """Return how many children there are of each term, kind of school and wave, nobody included."""
    places = waves[[*KEYS, "term"]].drop_duplicates()
    wanted = places.merge(pd.DataFrame({"school_kind": school_kind}), how="cross")
    wanted = wanted.merge(pd.DataFrame({"wave": wave}), how="cross")
    both = []
    for kind in ("phase", None):
        for name in ("wave", None):
            groups = waves.assign(school_kind=waves["phase"] if kind else ALL, wave=waves["wave"] if name else ALL)
            both.append(groups.groupby(keys).size().rename("pupils").reset_index())
    counts = pd.concat(both, ignore_index=True)
    return wanted.merge(counts, how="left", on=keys).fillna({"pupils": 0})


def _number_rows(counts: pd.DataFrame) -> pd.DataFrame:
    """Return counts of pupils as MEASURE rows of the measure ``pupils``."""
    size = counts["pupils"].astype(float)
    return counts.drop(columns="pupils").assign(
        measure="pupils", numerator=size, denominator=np.nan, rate=size, lower=np.nan, upper=np.nan, symbol="",
        enrolments=size,
    )  # fmt: skip
