"""What is known of pupils who are followed: wide arrays, one row a pupil and one column a period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attendance_toolkit.errors import UnknownColumnError, did_you_mean
from attendance_toolkit.metrics.cells import InclusionRules
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, TERMS, WHOLE_YEAR
from attendance_toolkit.vocabulary.outcomes import TERM_STEPS, YEAR_TO_YEAR

Array = NDArray[Any]

FOLLOWED_BY = ("term", "year")
#: Possible sessions from which a pupil's band is told, in a term and in a year. A year has about 380, a term 120.
ENOUGH_SESSIONS = {"term": 20, "year": 50}
#: Upper limits of the bands but the last, as whole-number ratios (``vocabulary.hierarchies.ABSENCE_BANDS``).
BAND_LIMITS = ((1, 20), (1, 10), (1, 5), (1, 2))
#: Codes of ``Followed.states`` from 5 on; 0 to 4 are the bands.
TOO_FEW, ELSEWHERE, ABSENT = 5, 6, 7


@dataclass(frozen=True, order=True)
class Period:
    """An academic year, or one term of it ("year" for the whole year)."""

    academic_year: int
    term: str = WHOLE_YEAR

    def step_to(self, later: Period) -> str:
        """Return the name of the step to a later period; empty if it does not follow at once.

        >>> Period(202122, "summer").step_to(Period(202223, "autumn")), Period(202122).step_to(Period(202324))
        ('Summer to autumn', '')
        """
        years = later.academic_year // 100 - self.academic_year // 100
        if self.term == later.term == WHOLE_YEAR:
            return YEAR_TO_YEAR if years == 1 else ""
        if WHOLE_YEAR in (self.term, later.term):
            return ""
        first, second = TERMS.index(self.term), TERMS.index(later.term)
        if 3 * years + second - first != 1:
            return ""
        step = f"{TERM_LABELS[self.term]} to {later.term}"
        assert step in TERM_STEPS
        return step


@dataclass(frozen=True, eq=False)
class Followed:
    """Pupils who were counted in the area's schools in some period, N of them, in P periods.

    Attributes
    ----------
    pupils
        (N,) pseudonyms, sorted.
    periods
        The P periods, in the order of time; one may be missing between two.
    possible, missed
        (N, P) int32 sessions in the area's schools that are counted (``rules``), of all schools of the pupil together.
    on_roll
        (N, P) whether the pupil has rows of an area's school, counted or not.
    elsewhere
        (N, P) whether the pupil has sessions in another district of the store, and none that count in the area's.
    laestab
        (N, P) int32 the area's school with most of the pupil's possible sessions; 0 for none.
    la, la_codes
        (N, P) int16 position of that school's authority in ``la_codes``; -1 for none.
    age
        (N, P) int16 completed years on 31 August before the academic year, in every period; -1 for not known.
    codes, levels
        Characteristic -> (N, P) int8 positions in its levels; -1 where the pupil is not on a roll of the area.
    rules
        Who is counted.
    """

    pupils: Array
    periods: tuple[Period, ...]
    possible: Array
    missed: Array
    on_roll: Array
    elsewhere: Array
    laestab: Array
    la: Array
    la_codes: tuple[str, ...]
    age: Array
    codes: Mapping[str, Array]
    levels: Mapping[str, tuple[str, ...]]
    rules: InclusionRules

    @property
    def by(self) -> str:
        """What the pupils are followed by: "term" or "year"."""
        return "year" if self.periods[0].term == WHOLE_YEAR else "term"

    @cached_property
    def states(self) -> Array:
        """(N, P) int8: 0 to 4 bands of overall absence, 5 too few sessions, 6 elsewhere, 7 on no roll of the store."""
        states = np.full(self.possible.shape, ABSENT, np.int8)
        enough = self.possible >= ENOUGH_SESSIONS[self.by]
        states[self.on_roll] = TOO_FEW
        states[self.elsewhere] = ELSEWHERE
        band = np.zeros(self.possible.shape, np.int8)
        for share, of in BAND_LIMITS:
            band += self.missed * of >= self.possible * share
        return np.where(enough, band, states)

    @cached_property
    def steps(self) -> tuple[tuple[int, str], ...]:
        """(position of the earlier period, name of the step) for each two periods that follow each other at once."""
        named = [(at, before.step_to(self.periods[at + 1])) for at, before in enumerate(self.periods[:-1])]
        return tuple((at, name) for at, name in named if name)

    def column(self, name: str) -> tuple[Array, Sequence[Any]]:
        """Return (N, P) positions of a characteristic, of "la_code" or of "laestab", and its levels.

        Raises
        ------
        UnknownColumnError
            The pupils were followed without it.
        """
        if name == "la_code":
            return self.la, self.la_codes
        if name == "laestab":
            return self._schools
        if name not in self.codes:
            known = [*self.codes, "la_code", "laestab"]
            raise UnknownColumnError(
                f"The pupils are followed without '{name}'.{did_you_mean(name, known)} Choose from: {', '.join(known)}."
            )
        return self.codes[name], self.levels[name]

    @cached_property
    def _schools(self) -> tuple[Array, Sequence[int]]:
        schools = np.unique(self.laestab)
        schools = schools[schools > 0]
        found = np.searchsorted(schools, self.laestab).astype(np.int32)
        return np.where(self.laestab > 0, found, -1), schools.tolist()
