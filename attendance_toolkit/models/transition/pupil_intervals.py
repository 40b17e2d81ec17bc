"""Intervals for one pupil's rate, by how far predictions of pupils alike were off (Mondrian conformal prediction)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.metrics.transition.cohort import Array

LEVEL = 0.90
#: Pupils are alike whose predicted rates lie in the same fifth.
_PARTS = 5
#: Nearest to 0 and 1 a predicted rate is taken for the size of its error.
_LEAST = 1e-3


@dataclass(frozen=True, eq=False)
class PupilIntervals:
    """How far off predictions are, by fifth of the predicted rate, in units of sqrt(p(1 - p)).

    Attributes
    ----------
    edges
        (4,) predicted rates between the fifths.
    lower, upper
        (5,) quantiles of the errors; infinite where a fifth has too few pupils to tell.
    dispersion
        (5,) mean square of the errors.
    level
        Share of pupils whose rate lies inside.
    """

    edges: FloatArray
    lower: FloatArray
    upper: FloatArray
    dispersion: FloatArray
    level: float = LEVEL

    def bounds(self, rate: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the ends of the interval of each predicted rate (N,)."""
        part, scale = self._part(rate), _scale(rate)
        lower, upper = rate + self.lower[part] * scale, rate + self.upper[part] * scale
        return np.clip(lower, 0, rate), np.clip(upper, rate, 1)

    def variance(self, rate: FloatArray) -> FloatArray:
        """Return the variance of a pupil's rate about each predicted rate (N,)."""
        return np.asarray(self.dispersion[self._part(rate)] * _scale(rate) ** 2)

    def _part(self, rate: FloatArray) -> Array:
        return np.searchsorted(self.edges, rate, side="right")


def learn_intervals(found: FloatArray, predicted: FloatArray, level: float = LEVEL) -> PupilIntervals:
    """Return the intervals that (a little more than) the share ``level`` of these pupils lies in, fifth by fifth.

    Parameters
    ----------
    found, predicted
        (N,) rates found, and predicted by a model that has not seen them.
    level
        Share of pupils; each end leaves out half of the others.

    Notes
    -----
    Vovk, Gammerman and Shafer (2005), Algorithmic Learning in a Random World, section 4.5: in each part the k-th
    smallest error, k = ceil((n + 1) q), so that coverage holds for any distribution; an end is infinite where k > n.

    >>> found = learn_intervals(np.linspace(0.05, 0.15, 500), np.full(500, 0.1))
    >>> [round(float(end[0]), 3) for end in found.bounds(np.array([0.1]))]  # all in one fifth
    [0.055, 0.145]
    """
    edges = np.quantile(predicted, np.arange(1, _PARTS) / _PARTS)
    part = np.searchsorted(edges, predicted, side="right")
    error = (found - predicted) / _scale(predicted)
    tail = (1 - level) / 2
    lower, upper = np.full(_PARTS, -math.inf), np.full(_PARTS, math.inf)
    dispersion = np.full(_PARTS, float((error**2).mean()))
    for place in range(_PARTS):
        own = np.sort(error[part == place])
        rank = math.ceil((len(own) + 1) * (1 - tail))
        if rank <= len(own):
            lower[place], upper[place] = own[len(own) - rank], own[rank - 1]
            dispersion[place] = float((own**2).mean())
    return PupilIntervals(edges, lower, upper, dispersion, level)


def halves(pupils: Array) -> Array:
    """Return 0 or 1 of each pseudonym (N,), by hashing: the same for a pupil always, whatever the order.

    The finaliser of SplitMix64 (Steele, Lea and Flood 2014, OOPSLA, section 4).

    >>> half = halves(np.arange(1000))
    >>> sorted(set(half.tolist())), round(float(half.mean()), 1)
    ([0, 1], 0.5)
    """
    mixed = np.asarray(pupils, dtype=np.int64).view(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed = mixed ^ (mixed >> np.uint64(31))
    return np.asarray(mixed & np.uint64(1), dtype=np.int8)


def _scale(rate: FloatArray) -> FloatArray:
    kept = np.clip(rate, _LEAST, 1 - _LEAST)
    return np.asarray(np.sqrt(kept * (1 - kept)))
