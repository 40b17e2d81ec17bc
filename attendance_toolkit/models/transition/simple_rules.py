"""Predictions that need no model: what a model must beat to be worth having."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.metrics.transition.cohort import Array, StepCohort
from attendance_toolkit.models.transition.intakes import places_of, sums_of
from attendance_toolkit.vocabulary.measures import PERSISTENT, SEVERE


@dataclass(frozen=True, eq=False)
class Predicted:
    """What one method says of N pupils; None for what it says nothing about.

    Attributes
    ----------
    rate
        (N,) share of sessions missed.
    persistent, severe
        (N,) chances of the outcome or, without ``is_chance``, a score by which pupils are ordered.
    is_chance
        Whether they are chances.
    may_list
        (N,) pupils the method may put on a list; all if None.
    """

    rate: FloatArray | None = None
    persistent: FloatArray | None = None
    severe: FloatArray | None = None
    is_chance: bool = True
    may_list: Array | None = None


def reached(missed: Array, possible: Array, threshold: tuple[int, int]) -> Array:
    """Return whether pupils missed the threshold's share of sessions or more, in whole numbers.

    >>> reached(np.array([10, 9]), np.array([100, 100]), PERSISTENT).tolist()
    [True, False]
    """
    part, whole = threshold
    found: Array = missed.astype(np.int64) * whole >= possible.astype(np.int64) * part
    return found


def rate_before(cohort: StepCohort) -> FloatArray:
    """Return (N,) share of sessions missed in the year before the step."""
    return np.asarray(cohort.year_missed / np.maximum(cohort.year_possible, 1))


def rate_after(cohort: StepCohort) -> FloatArray:
    """Return (N,) share of sessions missed in the year after the step.

    Raises
    ------
    NoDataError
        The cohort has not been followed.
    """
    if cohort.later is None:
        raise NoDataError(f"{cohort.label} has not been followed over the step.")
    return np.asarray(cohort.later.missed / np.maximum(cohort.later.possible, 1))


def year_before_rule(cohort: StepCohort) -> Predicted:
    """Return the rule in use: list the persistent absentees of the year before, the highest absence first."""
    rate = rate_before(cohort)
    at_threshold = reached(cohort.year_missed, cohort.year_possible, PERSISTENT)
    return Predicted(persistent=rate, severe=rate, is_chance=False, may_list=at_threshold)


def carried_forward(cohort: StepCohort, change: float = 0.0) -> Predicted:
    """Return the rate of the year before, with a change that is the same for all."""
    return Predicted(rate=np.clip(rate_before(cohort) + change, 0, 1))


def mean_change(followed: Sequence[StepCohort]) -> float:
    """Return the mean change of pupils' rates over the step, all cohorts together."""
    return float(np.concatenate([rate_after(cohort) - rate_before(cohort) for cohort in followed]).mean())


def school_before(followed: Sequence[StepCohort], cohort: StepCohort) -> Predicted:
    """Return what the pupils of the same school came to in the latest earlier cohort; of all schools where there were none."""
    latest = max(followed, key=lambda one: one.academic_year)
    later = latest.later
    if later is None:
        raise NoDataError(f"{latest.label} has not been followed over the step.")
    names, place = places_of(latest.destination)
    pupils = sums_of(np.ones(len(place)), place, len(names))
    # Position of each pupil's school among those of the latest cohort; one past the end for a school it did not have.
    at = np.searchsorted(names, cohort.destination)
    known = np.isin(cohort.destination, names)
    at = np.where(known, at, len(names))

    def of(values: FloatArray) -> FloatArray:
        means = np.append(sums_of(values, place, len(names)) / np.maximum(pupils, 1), values.mean())
        return np.asarray(means[at])

    outcomes = (reached(later.missed, later.possible, at).astype(float) for at in (PERSISTENT, SEVERE))
    persistent, severe = (of(outcome) for outcome in outcomes)
    return Predicted(of(rate_after(latest)), persistent, severe)
