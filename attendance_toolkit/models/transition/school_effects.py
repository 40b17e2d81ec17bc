"""How far a school's pupils come out above or below what their history says, shrunken by how much is known of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.metrics.transition.cohort import Array
from attendance_toolkit.models._logit import expit_of
from attendance_toolkit.models._units import BoolArray, variance_between
from attendance_toolkit.models.transition.intakes import sums_of

#: With one cohort, a school's own level and its year cannot be told apart: no more than this share is taken as its year.
_MOST_OF_ONE_YEAR = 0.5
#: Steps to the level that keeps a mean: it is small, and found in two or three.
_MOST_STEPS, _SMALL_STEP = 20, 1e-10


@dataclass(frozen=True, eq=False)
class SchoolEffects:
    """Empirical-Bayes effects of schools; a school without history has 0.

    Attributes
    ----------
    laestab
        (S,) schools with pupils in training, sorted.
    effect
        (S,) what a pupil of the school gets added, on the scale of the estimates.
    share
        (S,) share of the school's own distance that is kept, 0 to 1.
    sd
        Standard deviation between schools (tau), from one year to the next the same.
    year_sd
        Standard deviation of a school's year about the school's level (omega).
    """

    laestab: Array
    effect: FloatArray
    share: FloatArray
    sd: float
    year_sd: float

    def of(self, schools: Array) -> tuple[FloatArray, FloatArray]:
        """Return effect and share of each of the schools, 0 for those not in training.

        >>> effects = SchoolEffects(np.array([7, 9]), np.array([0.1, -0.2]), np.array([0.5, 0.8]), 0.2, 0.1)
        >>> [part.tolist() for part in effects.of(np.array([9, 8]))]
        [[-0.2, 0.0], [0.8, 0.0]]
        """
        if not len(self.laestab):
            return np.zeros(len(schools)), np.zeros(len(schools))
        place = np.minimum(np.searchsorted(self.laestab, schools), len(self.laestab) - 1)
        known = self.laestab[place] == schools
        return np.where(known, self.effect[place], 0.0), np.where(known, self.share[place], 0.0)

    def left_variance(self, share: FloatArray) -> FloatArray:
        """Return what is left unknown of a school's level, tau² (1 - share)."""
        return np.asarray(self.sd**2 * (1 - share))


def school_effects(
    score: ArrayLike, information: ArrayLike, schools: ArrayLike, cohorts: ArrayLike, *, year_sd: float = 0.0
) -> SchoolEffects:
    """Return shrunken effects of schools from pupils' scores.

    Parameters
    ----------
    score, information
        Of each pupil, (N,). A school's estimate is the sum of scores over the sum of information, its sampling variance one
        over the sum of information. On the scale of rates: residual / v and 1 / v, v the residual's variance; on
        the logit scale: y - p and p(1 - p).
    schools
        (N,) LAESTAB after the step; 0 (not known) is left out.
    cohorts
        (N,) any number of the cohort. A cohort's mean is taken out: it is a year's drift, no school's doing.
    year_sd
        Standard deviation of a school's year, taken where there is one cohort only, at most as much as half of the
        variance between schools. With several cohorts it is found by moments.

    Raises
    ------
    ParameterError
        Shapes differ, or information is not above 0.

    Notes
    -----
    Variances by moments as DerSimonian and Laird (1986), Controlled Clinical Trials 7, 177: within schools over years,
    then between schools.

    >>> found = school_effects([3, 3, -3, -3], [1, 1, 1, 1], [11, 11, 12, 12], [1, 1, 1, 1])
    >>> round(found.sd**2, 4), found.share.round(4).tolist(), found.effect.round(4).tolist()  # Q 36, tau2 (36 - 1) / 2
    (17.5, [0.9722, 0.9722], [2.9167, -2.9167])
    """
    s, i = np.asarray(score, dtype=float), np.asarray(information, dtype=float)
    school, cohort = np.asarray(schools), np.asarray(cohorts)
    if not s.shape == i.shape == school.shape == cohort.shape:
        raise ParameterError("Scores, information, schools and cohorts are not one a pupil.")
    if (i <= 0).any():
        raise ParameterError("The information of a pupil is not above 0.")
    known = school != 0
    if not known.any():
        return SchoolEffects(np.array([], dtype=np.int32), np.array([]), np.array([]), 0.0, 0.0)
    names, place = np.unique(school[known], return_inverse=True)
    years, year = np.unique(cohort[known], return_inverse=True)
    cell = place * len(years) + year
    size = len(names) * len(years)
    weight = sums_of(i[known], cell, size).reshape(len(names), len(years))
    total = sums_of(s[known], cell, size).reshape(len(names), len(years))
    has = weight > 0
    drift = total.sum(axis=0) / weight.sum(axis=0)
    estimate = np.where(has, total / np.where(has, weight, 1) - drift, 0.0)
    beyond = _year_variance(estimate, weight, has)
    if not math.isnan(beyond):
        return _shrunken(names, estimate, weight, has, beyond)
    together = _shrunken(names, estimate, weight, has, 0.0)
    return _shrunken(names, estimate, weight, has, min(year_sd**2, _MOST_OF_ONE_YEAR * together.sd**2))


def mean_kept(effects: SchoolEffects, linear: FloatArray, fitted: FloatArray, schools: Array) -> SchoolEffects:
    """Return the effects, all moved by as much as keeps the mean of the pupils' chances.

    Effects as large up as down raise the mean of small chances, since the logistic curve bends: pupils of schools with history
    would be expected to do worse than pupils did. A school without history stays at the mean of all, where it belongs.

    Parameters
    ----------
    effects
        In log odds.
    linear, fitted
        (N,) log odds and chances without effects.
    schools
        (N,) LAESTAB, 0 where it is not known.

    >>> effects = SchoolEffects(np.array([7, 9]), np.array([0.5, -0.5]), np.array([0.8, 0.8]), 0.5, 0.1)
    >>> odds = np.full(4, np.log(0.1 / 0.9))
    >>> moved = mean_kept(effects, odds, np.full(4, 0.1), np.array([7, 7, 9, 9]))
    >>> moved.effect.round(3).tolist(), float(expit_of(odds + moved.of(np.array([7, 7, 9, 9]))[0]).mean().round(9))
    ([0.402, -0.598], 0.1)
    """
    known = schools != 0
    if not known.any():
        return effects
    with_effect, wanted, level = linear[known] + effects.of(schools[known])[0], float(fitted[known].sum()), 0.0
    for _ in range(_MOST_STEPS):
        rates = expit_of(with_effect + level)
        step = (wanted - float(rates.sum())) / float((rates * (1 - rates)).sum())
        level += step
        if abs(step) < _SMALL_STEP:
            break
    return replace(effects, effect=effects.effect + level)


def _year_variance(estimate: FloatArray, weight: FloatArray, has: BoolArray) -> float:
    """Return the variance of a school's years about the school; NaN where no school has two years."""
    schools = has.sum(axis=1) > 1
    if not schools.any():
        return math.nan
    e, w = estimate[schools], weight[schools]
    total = w.sum(axis=1)
    mean = (w * e).sum(axis=1) / total
    q = float((w * (e - mean[:, None]) ** 2).sum())
    freedom = float((has[schools].sum(axis=1) - 1).sum())
    return max(0.0, (q - freedom) / float((total - (w**2).sum(axis=1) / total).sum()))


def _shrunken(
    names: Array, estimate: FloatArray, weight: FloatArray, has: BoolArray, year_variance: float
) -> SchoolEffects:
    """Return effects for a known variance of the years: a school's years count by what is known of each."""
    known = np.where(has, 1 / (year_variance + 1 / np.where(has, weight, 1)), 0.0)
    total = known.sum(axis=1)
    mean = (known * estimate).sum(axis=1) / total
    if len(names) < 2:
        return SchoolEffects(names, np.zeros(1), np.zeros(1), 0.0, math.sqrt(year_variance))
    centre = float((total * mean).sum() / total.sum())
    between = variance_between(float((total * (mean - centre) ** 2).sum()), total)
    share = between * total / (1 + between * total)
    return SchoolEffects(names, share * mean, share, math.sqrt(between), math.sqrt(year_variance))
