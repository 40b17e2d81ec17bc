"""Pupils' expected rates and chances put together by the school they go to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.metrics.transition.cohort import Array


@dataclass(frozen=True, eq=False)
class IntakeMeans:
    """Means over the pupils of S schools.

    Attributes
    ----------
    mean
        Expected rate, or share of pupils.
    slope
        Mean of p(1 - p): what a step of the log odds is worth in the mean.
    chance_variance
        Of the mean, by the chance of its pupils.
    level_variance
        Of the mean, by what is not known of the school's own level.
    """

    mean: FloatArray
    slope: FloatArray
    chance_variance: FloatArray
    level_variance: FloatArray


def places_of(schools: Array) -> tuple[Array, Array]:
    """Return the distinct schools in order, and the position of each pupil's among them: -1 for 0, not known.

    >>> [part.tolist() for part in places_of(np.array([9, 0, 7, 9]))]
    [[7, 9], [1, -1, 0, 1]]
    """
    names = np.unique(schools[schools != 0])
    return names, np.where(schools != 0, np.searchsorted(names, schools), -1)


def sums_of(values: Array, place: Array, size: int) -> FloatArray:
    """Return sums (size,) over the pupils of each place; those at -1 count nowhere.

    >>> sums_of(np.array([1.0, 2.0, 4.0]), np.array([0, -1, 0]), 2).tolist()
    [5.0, 0.0]
    """
    known = place >= 0
    return np.asarray(np.bincount(place[known], np.asarray(values, dtype=float)[known], size), dtype=float)


def intake_means(chance: FloatArray, variance: FloatArray, left: FloatArray, place: Array, size: int) -> IntakeMeans:
    """Return means by school.

    Parameters
    ----------
    chance
        (N,) expected rate, or chance of an event.
    variance
        (N,) of a pupil's outcome about it: p(1 - p) for an event.
    left
        (N,) variance, in log odds, of what is not known of the level of the pupil's school.
    place, size
        (N,) position of the pupil's school, and how many schools there are.
    """
    pupils = np.maximum(sums_of(np.ones(len(chance)), place, size), 1)
    slope = sums_of(chance * (1 - chance), place, size) / pupils
    return IntakeMeans(
        sums_of(chance, place, size) / pupils,
        slope,
        sums_of(variance, place, size) / pupils**2,
        sums_of(left, place, size) / pupils * slope**2,
    )
