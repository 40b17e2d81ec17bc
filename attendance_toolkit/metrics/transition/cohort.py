"""A year group about to move up: what is known of its pupils by July, and, where the data go on, what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attendance_toolkit.errors import ParameterError, did_you_mean
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import NC_YEARS, PHASES

Array = NDArray[Any]

#: Possible sessions in a year from which a pupil's rate is compared; a year has about 380.
ENOUGH_SESSIONS = 50
#: Phases of mainstream schools. An all-through school is secondary.
MAINSTREAM_PHASES = ("Primary", "Secondary")
MAINSTREAM_CODES = tuple(PHASES.index(name) for name in MAINSTREAM_PHASES)
#: Characteristics of a cohort's pupils.
CHARACTERISTICS = ("fsm_eligible", "sen_provision", "sex", "ethnicity_major")
#: Years no step begins or ends in: 2019/20 has no whole year (schools closed to most pupils in March 2020), and in 2020/21
#: pupils kept at home by coronavirus were not absent (code X; schools closed to most in early 2021). DfE, Pupil absence
#: statistics: data guidance.
LEFT_OUT_YEARS = (201920, 202021)
_STEPS = ("R", *(str(number) for number in range(1, 14)))
LAST_YEAR_GROUP = _STEPS[-1]


def next_year_group(year_group: str) -> str:
    """Return the year group that follows in the school system.

    Raises
    ------
    ParameterError
        No year group follows it.

    >>> next_year_group("6"), next_year_group("R")
    ('7', '1')
    """
    steps = dict(pairwise(_STEPS))
    if year_group not in steps:
        raise ParameterError(
            f"'{year_group}' is not a year group that another follows.{did_you_mean(year_group, steps)}"
            f" Use one of: {', '.join(steps)}."
        )
    return steps[year_group]


@dataclass(frozen=True, eq=False)
class Later:
    """The year after the step, position by position as in the cohort; sessions of all schools of the store together.

    Attributes
    ----------
    academic_year
        The later year.
    possible, missed
        (N,) int32 sessions of the year; 0 for a pupil without.
    periods
        Half terms (or spans of half terms) the data have of the later year, in the order of time: "1-2", "3-4", "5", "6".
    period_possible, period_missed
        (N, P) int32 sessions by period.
    laestab, la
        (N,) int32 school with most possible sessions (0: none) and int16 position of its authority (-1: none). Of a
        pupil on a roll without a session that counts: the school of the first row.
    phase
        (N,) int8 position in ``PHASES`` of that school; -1 for none.
    year_group
        (N,) int8 position in ``NC_YEARS``; -1 for a pupil on no roll.
    is_whole
        Whether every term that the year before the step has (all three, if that is known as a whole only) has sessions: a
        year that has just begun is tracked, not compared.
    joined
        Pupils of the later year group who were not in the cohort, as a cohort of the later year of their own: its
        ``possible`` and ``missed`` are those of the later year. It has no ``later``.
    """

    academic_year: int
    possible: Array
    missed: Array
    periods: tuple[str, ...]
    period_possible: Array
    period_missed: Array
    laestab: Array
    la: Array
    phase: Array
    year_group: Array
    is_whole: bool
    joined: StepCohort


@dataclass(frozen=True, eq=False)
class StepCohort:
    """The N pupils of one year group in the mainstream schools of the store in one academic year.

    Everything but ``later`` is known by the end of July of the academic year, or, of the destination, from the school
    offers of that spring.

    Attributes
    ----------
    academic_year
        The year before the step.
    from_year, to_year
        Year groups of the step: "6" and "7".
    pupils
        (N,) int64 pseudonyms, sorted.
    terms
        Terms with sessions in the data, in the order of time. The last may be "year": sessions known for the whole year
        only, of pupils who have none in the terms.
    possible, missed
        (N, T) int32 sessions by term, of all schools of the store together, special schools and referral units included.
    earlier_possible, earlier_missed
        (N,) int32 sessions of the academic year before; 0 for a pupil without, and of ``LEFT_OUT_YEARS``.
    laestab, la
        (N,) int32 mainstream school with most possible sessions, and int16 position of its authority in ``la_codes``.
    la_codes
        Nine-character codes of the authorities of the store.
    codes, levels
        Characteristic -> (N,) int8 positions in its levels (``CHARACTERISTICS``), as the year before the step has them.
    destination, destination_source
        (N,) int32 LAESTAB of the mainstream school after the step (0: not known, or not a mainstream one), and int8 position
        in ``DESTINATION_SOURCES``.
    offered
        (N,) int32 LAESTAB of the school offered for the year after the step, as known in the spring; 0 for none.
    later
        What came of the pupils; None while the store has nothing later.
    """

    academic_year: int
    from_year: str
    to_year: str
    pupils: Array
    terms: tuple[str, ...]
    possible: Array
    missed: Array
    earlier_possible: Array
    earlier_missed: Array
    laestab: Array
    la: Array
    la_codes: tuple[str, ...]
    codes: Mapping[str, Array]
    levels: Mapping[str, tuple[str, ...]]
    destination: Array
    destination_source: Array
    offered: Array
    later: Later | None = None

    @property
    def label(self) -> str:
        """The cohort in words: "Year 6 of 2022/23"."""
        return f"Year {self.from_year} of {show_academic_year(self.academic_year)}"

    @cached_property
    def year_possible(self) -> Array:
        """(N,) possible sessions of the year before the step."""
        total: Array = self.possible.sum(axis=1)
        return total

    @cached_property
    def year_missed(self) -> Array:
        """(N,) sessions missed in the year before the step."""
        total: Array = self.missed.sum(axis=1)
        return total

    @cached_property
    def is_compared(self) -> Array:
        """(N,) whether the pupil is in the next year group of a mainstream school with enough sessions in both years.

        All False while there is no whole later year.
        """
        later = self.later
        if later is None or not later.is_whole:
            return np.zeros(len(self.pupils), bool)
        found: Array = (
            (later.year_group == NC_YEARS.index(self.to_year))
            & np.isin(later.phase, MAINSTREAM_CODES)
            & (self.year_possible >= ENOUGH_SESSIONS)
            & (later.possible >= ENOUGH_SESSIONS)
        )
        return found

    def in_area(self, members: tuple[str, ...]) -> Array:
        """Return (N,) whether the pupil's school before the step is in one of the authorities."""
        wanted = [place for place, code in enumerate(self.la_codes) if code in members]
        found: Array = np.isin(self.la, wanted)
        return found

    def chosen(self, keep: Array) -> StepCohort:
        """Return the cohort of some of its pupils, (N,) True for those to keep; who joined later is kept as it is."""
        later = self.later
        if later is not None:
            later = replace(
                later, possible=later.possible[keep], missed=later.missed[keep],
                period_possible=later.period_possible[keep], period_missed=later.period_missed[keep],
                laestab=later.laestab[keep], la=later.la[keep], phase=later.phase[keep],
                year_group=later.year_group[keep],
            )  # fmt: skip
        return replace(
            self, pupils=self.pupils[keep], possible=self.possible[keep], missed=self.missed[keep],
            earlier_possible=self.earlier_possible[keep], earlier_missed=self.earlier_missed[keep],
            laestab=self.laestab[keep], la=self.la[keep], codes={name: of[keep] for name, of in self.codes.items()},
            destination=self.destination[keep], destination_source=self.destination_source[keep],
            offered=self.offered[keep], later=later,
        )  # fmt: skip
