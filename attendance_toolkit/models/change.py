"""Whether the underlying rate of a school has changed between two years: shrunken changes and their probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.models._units import counts_of_units, refuse_few, variance_between
from attendance_toolkit.models.heterogeneity import heterogeneity

#: Standard deviations between units that are averaged over, and how far beyond the changes' own they reach.
_SPREADS, _REACH = 121, 4.0
_LEAST_UNITS = 3
_P_VALUE = 0.05


@dataclass(frozen=True, eq=False)
class ShrunkenChange:
    """What the change of each unit's underlying rate is likely to be; arrays have one entry a unit.

    Attributes
    ----------
    change
        The change counted, a rate: 0.01 is one percentage point. Missing, as all other arrays are, where a unit has no
        trials in one of the years or a count is missing.
    mean, lower, upper
        The underlying change, shrunk towards ``centre``: its mean and 95% interval.
    probability_fell, probability_rose
        That the underlying rate fell, and that it rose; together 1.
    shrinkage
        How far a unit's change is drawn to ``centre``: 0 not at all, 1 entirely.
    centre, centre_error
        Mean of the underlying changes and its standard error.
    tau2
        Variance of the underlying changes, by moments; 0 if the changes differ no more than chance would have it.
    p_value
        Probability of changes so unlike if all underlying changes were one (Cochran's test).
    has_variance
        Whether ``p_value`` is below 0.05. If not, what is said of a unit is what is said of all of them together, and
        none is to be named.
    units
        How many units have a change.
    """

    change: FloatArray
    mean: FloatArray
    lower: FloatArray
    upper: FloatArray
    probability_fell: FloatArray
    probability_rose: FloatArray
    shrinkage: FloatArray
    centre: float
    centre_error: float
    tau2: float
    p_value: float
    has_variance: bool
    units: int


def shrunken_change(
    events0: ArrayLike, trials0: ArrayLike, events1: ArrayLike, trials1: ArrayLike, *, dispersion: float = 1.0
) -> ShrunkenChange:
    """Return each unit's change between two years, shrunk, with the probability that its underlying rate fell.

    Parameters
    ----------
    events0, trials0, events1, trials1
        Counts of each unit in the first and in the second year, (units,).
    dispersion
        Sampling variance over that of a binomial: 1 for rates of pupils (persistent, severe absence); for rates of
        sessions the design effect, as sessions of one pupil go together.

    Raises
    ------
    NoDataError
        Fewer than three units have trials in both years, or all their rates are 0 or all 1.
    ValueError
        The counts are not counts, or the dispersion is not above 0.

    Notes
    -----
    Normal sampling error and normal underlying changes on the rate scale (``shrunken``). A unit's sampling variance is
    ``p (1 - p) (1/n0 + 1/n1)`` times the dispersion, p being its shrunken rate of both years together, so that a unit
    without events has a variance too. The two years are taken as independent samples: where most pupils are in both this
    is on the safe side for a change of the same pupils.

    In simulations (``tests/unit/models/test_change.py``) fewer than 1% of schools a side have a probability of 95% where
    nothing changes; where every school changes by an amount of its own, of those with 95% or more 96% to 97% have fallen
    at a rate of 20%, and about 90% where a school has only eight events a year: too few to name it by.

    >>> pupils = [200] * 6
    >>> found = shrunken_change([50, 40, 42, 38, 41, 30], pupils, [20, 40, 40, 39, 42, 55], pupils)
    >>> found.probability_fell.round(2).tolist()
    [1.0, 0.51, 0.6, 0.46, 0.46, 0.01]
    """
    if not dispersion > 0:
        raise ValueError(f"The dispersion is {dispersion:g}; it is above 0, and 1 for rates of pupils.")
    (y0, n0), (y1, n1) = counts_of_units(events0, trials0), counts_of_units(events1, trials1)
    known = (n0 > 0) & (n1 > 0)
    refuse_few(known, _LEAST_UNITS)
    y0, n0, y1, n1 = (counts[known] for counts in (y0, n0, y1, n1))
    rate = _shrunken_rates(y0 + y1, n0 + n1, dispersion)
    change, variance = y1 / n1 - y0 / n0, dispersion * rate * (1 - rate) * (1 / n0 + 1 / n1)
    found = shrunken(change, variance)
    return replace(
        found,
        change=_placed(found.change, known),
        mean=_placed(found.mean, known),
        lower=_placed(found.lower, known),
        upper=_placed(found.upper, known),
        probability_fell=_placed(found.probability_fell, known),
        probability_rose=_placed(found.probability_rose, known),
        shrinkage=_placed(found.shrinkage, known),
    )


def shrunken(estimates: ArrayLike, variances: ArrayLike) -> ShrunkenChange:
    """Return independent estimates of three units or more, shrunk towards their mean.

    Parameters
    ----------
    estimates, variances
        One for each unit, (units,), none missing; sampling variances are above 0.

    Notes
    -----
    Gelman et al. (2014), Bayesian Data Analysis, 3rd ed., section 5.4: normal estimates of normal effects; the mean has
    a flat prior, and so has the standard deviation between units, which is integrated over a grid. Intervals and
    probabilities thus hold what is not known of either. ``tau2`` by moments is for the reader: nothing else uses it.
    """
    d, v = np.asarray(estimates, dtype=float), np.asarray(variances, dtype=float)
    test = heterogeneity(d, np.sqrt(v))
    spread = np.linspace(0, _REACH * max(float(d.std()), math.sqrt(float(np.median(v)))), _SPREADS)[:, None]
    weight = 1 / (v + spread**2)
    centre = (weight * d).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
    centre_variance = 1 / weight.sum(axis=1, keepdims=True)
    log_posterior = (np.log(centre_variance[:, 0]) + (np.log(weight) - weight * (d - centre) ** 2).sum(axis=1)) / 2
    share = np.exp(log_posterior - log_posterior.max())[:, None]
    share /= share.sum()
    pulled = v * weight
    means = (1 - pulled) * d + pulled * centre
    errors = np.sqrt((1 - pulled) * v + pulled**2 * centre_variance)
    middle = float((share * centre).sum())
    fell = _below(np.zeros(len(d)), share, means, errors)
    return ShrunkenChange(
        change=d, mean=(share * means).sum(axis=0), lower=_quantile(0.025, share, means, errors),
        upper=_quantile(0.975, share, means, errors), probability_fell=fell, probability_rose=1 - fell,
        shrinkage=(share * pulled).sum(axis=0), centre=middle,
        centre_error=math.sqrt(float((share * (centre_variance + (centre - middle) ** 2)).sum())),
        tau2=variance_between(test.q, 1 / v), p_value=test.p_value, has_variance=test.p_value < _P_VALUE, units=len(d),
    )  # fmt: skip


def _below(at: FloatArray, share: FloatArray, means: FloatArray, errors: FloatArray) -> FloatArray:
    """Return the probability that each unit's change is below a value, averaged over the spreads."""
    from scipy.special import ndtr  # here: the command line starts without scipy

    return np.asarray((share * ndtr((at - means) / errors)).sum(axis=0))


def _quantile(probability: float, share: FloatArray, means: FloatArray, errors: FloatArray) -> FloatArray:
    low, high = (means - 10 * errors).min(axis=0), (means + 10 * errors).max(axis=0)
    for _ in range(50):  # halving: exact to 1e-15 of the width
        middle = (low + high) / 2
        is_below = _below(middle, share, means, errors) < probability
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return (low + high) / 2


def _shrunken_rates(y: FloatArray, n: FloatArray, dispersion: float) -> FloatArray:
    """Return the units' rates drawn towards the rate of all, as far as chance and the units' variance have it."""
    overall = y.sum() / n.sum()
    if not 0 < overall < 1:
        raise NoDataError(
            f"Shrunken changes need rates between 0% and 100% in all: there are {y.sum():.0f} events of {n.sum():.0f}."
        )
    variance = dispersion * overall * (1 - overall) / n
    pulled = variance / (variance + variance_between(float(((y / n - overall) ** 2 / variance).sum()), 1 / variance))
    return (1 - pulled) * y / n + pulled * overall


def _placed(values: FloatArray, known: np.ndarray) -> FloatArray:
    found = np.full(known.shape, np.nan)
    found[known] = values
    return found
