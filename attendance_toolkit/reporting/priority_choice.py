"""Which pupils a list of priority names: in what order, how many, and how often the same choice was right a year before."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.intervals import FloatArray, wilson_interval
from attendance_toolkit.metrics.transition.cohort import Array, StepCohort
from attendance_toolkit.models.transition.simple_rules import rate_before, reached
from attendance_toolkit.vocabulary.measures import PERSISTENT
from attendance_toolkit.vocabulary.rounding import number_text
from attendance_toolkit.vocabulary.steps import SECOND_TRANSITION, TRANSITION

PREDICTED, BEFORE = "predicted", "before"
RULES = (PREDICTED, BEFORE)
#: Year group before a step -> after it, of the steps that lists are of.
STEPS = dict((TRANSITION, SECOND_TRANSITION))
#: A tenth of those expected, unless a call says otherwise.
USUAL_CAPACITY = "10%"
_LEAST_SAID = 10


def check_step(from_year: str) -> None:
    """Refuse a year group whose step has no lists.

    Raises
    ------
    ParameterError
        It is none of ``STEPS``.
    """
    if from_year not in STEPS:
        raise ParameterError(f"There are no lists for pupils of Year {from_year}. Use one of: {', '.join(STEPS)}.")


@dataclass(frozen=True)
class Capacity:
    """How many pupils can be helped: a number or a share (in percent) of all expected, or of those of each school."""

    number: int = 0
    percent: Decimal = Decimal(0)
    of_each_school: bool = False

    def places(self, pupils: int) -> int:
        """Return the places for so many pupils: a share rounded with halves up, and at least one.

        >>> Capacity(percent=Decimal(10)).places(419), Capacity(number=5, of_each_school=True).places(3)
        (42, 3)
        """
        if self.number:
            return min(self.number, pupils)
        share = (self.percent * pupils / 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)
        return min(max(int(share), 1), pupils)

    def in_words(self, pupils: int) -> str:
        """Return what it is of the pupils expected.

        >>> Capacity(percent=Decimal(10)).in_words(419)
        '42 places: 10% of the 419 pupils expected'
        >>> Capacity(number=5, of_each_school=True).in_words(419)
        'up to 5 places of each school'
        """
        if self.of_each_school:
            size = f"up to {self.number} places" if self.number else f"{self.percent:f}% of the pupils"
            return f"{size} of each school"
        share = self.percent if self.percent else (Decimal(100) * self.number / pupils).quantize(Decimal("0.1"))
        return f"{self.places(pupils)} places: {share:f}% of the {pupils:,} pupils expected"

    def for_test(self, expected: int) -> Capacity:
        """Return the capacity for another year group: a number becomes the share it is of the pupils expected."""
        if self.of_each_school or not self.number:
            return self
        return Capacity(percent=Decimal(100) * self.number / expected)


def capacity_of(capacity: str | int | None, per_school: str | int | None, expected: int) -> Capacity:
    """Return the capacity a call asks for.

    Parameters
    ----------
    capacity, per_school
        A number of pupils or a share such as "10%": of all expected, or of those of each school. One of the two; a tenth of
        all if neither.
    expected
        Pupils expected.

    Raises
    ------
    ParameterError
        Both are given, or it is neither a whole number nor a share, or no such number can be listed.

    >>> capacity_of("12.5%", None, 400).places(400), capacity_of(120, None, 400).places(400)
    (50, 120)
    """
    if capacity is not None and per_school is not None:
        raise ParameterError("Give the places for all schools together (capacity) or for each school, not both.")
    text = str(per_school if per_school is not None else capacity if capacity is not None else USUAL_CAPACITY).strip()
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*(%?)", text)
    if not found or ("." in found[1] and not found[2]):
        raise ParameterError(f"'{text}' is not a number of places. Write a share such as 10%, or a number such as 120.")
    size, of_each = Decimal(found[1]), per_school is not None
    if not size:
        raise ParameterError(f"A list with {text} places names nobody. Give a share above 0%, or 1 place or more.")
    if found[2]:
        if size > 100:
            raise ParameterError(f"{text} is more than all pupils. Give a share of 100% or less.")
        return Capacity(percent=size.normalize(), of_each_school=of_each)
    if size > expected:
        raise ParameterError(
            f"There are {text} places, but {expected:,} pupils are expected. Give {expected:,} or fewer, or a share such as"
            f" {USUAL_CAPACITY}."
        )
    return Capacity(number=int(size), of_each_school=of_each)


def choose(cohort: StepCohort, score: FloatArray, allowed: Array, capacity: Capacity, school: Array) -> Array:
    """Return the positions of the pupils to list, the highest score first.

    Equal scores go by absence in the year before and then by pseudonym, so that the same data give the same list.

    Parameters
    ----------
    cohort
        N pupils.
    score, allowed
        (N,) what they are ordered by, and who may be listed.
    school
        (N,) the school each has a place of, where places are of each school; 0 is one of them.
    """
    order = np.lexsort((cohort.pupils, -rate_before(cohort), -score))
    order = order[allowed[order]]
    if not capacity.of_each_school:
        return np.asarray(order[: capacity.places(len(cohort.pupils))])
    sizes = dict(zip(*(of.tolist() for of in np.unique(school, return_counts=True)), strict=True))
    taken, kept = dict.fromkeys(sizes, 0), []
    for position in order.tolist():
        at = int(school[position])
        if taken[at] < capacity.places(sizes[at]):
            taken[at] += 1
            kept.append(position)
    return np.array(kept, dtype=np.int64)


def missed_a_tenth(cohort: StepCohort) -> Array:
    """Return (N,) who missed 10% or more of the year before the step, in whole numbers."""
    return np.asarray(reached(cohort.year_missed, cohort.year_possible, PERSISTENT) & (cohort.year_possible > 0))


def by_rule(cohort: StepCohort, chance: FloatArray | None, capacity: Capacity, school: Array) -> Array:
    """Return the positions of the pupils to list: by chance or, without one, those who missed a tenth or more."""
    if chance is None:
        return choose(cohort, rate_before(cohort), missed_a_tenth(cohort), capacity, school)
    return choose(cohort, chance, np.ones(len(chance), bool), capacity, school)


@dataclass(frozen=True)
class Right:
    """Of so many pupils listed a year before, how many became persistently absent; and how many did of all."""

    listed: int
    found: int
    outcomes: int

    def in_words(self) -> str:
        """Return it with the 95% interval of the share (Wilson); not of a handful, which would point at children.

        >>> Right(40, 27, 55).in_words()
        '27 of 40 (68%, 95% interval 52% to 80%), of 55 in all'
        >>> Right(9, 4, 55).in_words()
        'fewer than 10 were listed, too few to say'
        """
        if self.listed < _LEAST_SAID:
            return f"fewer than {_LEAST_SAID} were listed, too few to say"
        low, high = (float(bound) for bound in wilson_interval(self.found, self.listed))
        shares = [number_text(100 * share) for share in (self.found / self.listed, low, high)]
        return f"{self.found} of {self.listed} ({shares[0]}%, 95% interval {shares[1]}% to {shares[2]}%), of {self.outcomes} in all"


def how_right(cohort: StepCohort, listed: Array) -> Right:
    """Return how many of the pupils listed, of a cohort that was followed, became persistently absent."""
    later = cohort.later
    assert later is not None  # a cohort that was tested was followed
    absent = reached(later.missed, later.possible, PERSISTENT)
    return Right(len(listed), int(absent[listed].sum()), int(absent.sum()))
