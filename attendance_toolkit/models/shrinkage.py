"""Rates of many units with unequal numbers: shrunken estimates, and how sure their ranks are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.models._counts import checked_counts

#: Ends of the size M of a beta distribution: at the upper one the units do not differ by more than chance.
LEAST_SIZE, MOST_SIZE = 1.0, 1e6


@dataclass(frozen=True)
class BetaPosterior:
    """Shrunken rates with equal-tail intervals; arrays of the shape of the counts."""

    rate: FloatArray
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True)
class BetaBinomial:
    """A beta distribution of the units' true rates, fitted to their counts.

    Attributes
    ----------
    mean
        Mean of the true rates.
    size
        ``M``: the distribution is Beta(mean * M, (1 - mean) * M). A unit with M trials is shrunk half way.
    rho
        Correlation within a unit, ``1 / (M + 1)``.
    log_likelihood
        Of the counts, binomial coefficients and all.
    is_at_bound
        The likelihood is highest where M ends: the units do not differ by more than chance.
    """

    mean: float
    size: float
    rho: float
    log_likelihood: float
    is_at_bound: bool

    def posterior(self, events: ArrayLike, trials: ArrayLike, level: float = 0.95) -> BetaPosterior:
        """Return the shrunken rate of units with these counts; a unit of no trials gets the mean.

        The interval takes mean and size as known.
        """
        from scipy.special import betaincinv

        y, n = checked_counts(events, trials)
        a, b = self.mean * self.size + y, (1 - self.mean) * self.size + n - y
        tail = (1 - level) / 2
        return BetaPosterior(a / (a + b), betaincinv(a, b, tail), betaincinv(a, b, 1 - tail))


def fit_beta_binomial(events: ArrayLike, trials: ArrayLike) -> BetaBinomial:
    """Return the beta-binomial distribution of greatest likelihood.

    Parameters
    ----------
    events, trials
        Counts of each unit; units without trials, or with missing counts, are left out.

    Raises
    ------
    NoDataError
        Fewer than two units have trials, or none of them has an event, or all trials are events.

    Notes
    -----
    The size is kept between 1 and 1,000,000: without overdispersion the likelihood rises for ever with it.

    >>> deaths = [0, 18, 8, 46, 8, 13, 9, 31, 14, 8, 29, 24]
    >>> operations = [47, 148, 119, 810, 211, 196, 148, 215, 207, 97, 256, 360]
    >>> fit = fit_beta_binomial(deaths, operations)
    >>> round(fit.mean, 5), round(fit.rho, 5), round(fit.log_likelihood, 4)
    (0.0765, 0.00918, -38.7531)
    """
    from scipy.optimize import minimize

    y, n = checked_counts(events, trials)
    used = n > 0
    y, n = y[used], n[used]
    if len(y) < 2 or not 0 < y.sum() < n.sum():
        raise NoDataError(
            f"Shrunken estimates need two units or more, and rates between 0% and 100% in all: there are {len(y)} units"
            f" with {y.sum():.0f} events of {n.sum():.0f} trials."
        )
    pooled = y.sum() / n.sum()
    ends = (math.log(LEAST_SIZE), math.log(MOST_SIZE))
    best = (-_log_likelihood(pooled, MOST_SIZE, y, n), pooled, ends[1])
    for start in (math.log(10), math.log(100), math.log(10_000)):
        found = minimize(
            _objective, [math.log(pooled / (1 - pooled)), start], (y, n), jac=True, method="L-BFGS-B",
            bounds=[(-20, 20), ends], options={"ftol": 1e-14, "gtol": 1e-9, "maxiter": 500},
        )  # fmt: skip
        # The likelihood is flat near the upper end: only a real gain counts as a difference between units.
        if found.fun < best[0] - 1e-6:
            best = (float(found.fun), 1 / (1 + math.exp(-found.x[0])), float(found.x[1]))
    value, mean, log_size = best
    size = math.exp(log_size)
    return BetaBinomial(float(mean), size, 1 / (size + 1), -float(value), log_size > ends[1] - 1e-3)


def _log_likelihood(mean: float, size: float, y: FloatArray, n: FloatArray) -> float:
    from scipy.special import betaln

    a, b = mean * size, (1 - mean) * size
    coefficients = -betaln(y + 1, n - y + 1) - np.log(n + 1)
    return float((coefficients + betaln(a + y, b + n - y) - betaln(a, b)).sum())


def _objective(at: FloatArray, y: FloatArray, n: FloatArray) -> tuple[float, FloatArray]:
    """Return minus the log-likelihood at (logit mean, log size), and its gradient."""
    from scipy.special import digamma

    mean, size = 1 / (1 + math.exp(-at[0])), math.exp(at[1])
    a, b = mean * size, (1 - mean) * size
    by_a = (digamma(a + y) - digamma(a) - digamma(a + b + n) + digamma(a + b)).sum()
    by_b = (digamma(b + n - y) - digamma(b) - digamma(a + b + n) + digamma(a + b)).sum()
    gradient = np.array([mean * (1 - mean) * size * (by_a - by_b), a * by_a + b * by_b])
    return -_log_likelihood(mean, size, y, n), -gradient


def rank_uncertainty(
    events: ArrayLike, trials: ArrayLike, *, draws: int = 4000, seed: int = 1, top: float = 1 / 3
) -> pd.DataFrame:
    """Return how sure each unit's rank is; rank 1 has the highest rate.

    Parameters
    ----------
    events, trials
        Counts of each unit.
    draws, seed
        Number of draws from each unit's Jeffreys posterior (not shrunk), and where the draws begin.
    top
        Share of the units that are called highest; rounded down, and at least one (``places_at_top``).

    Returns
    -------
    pandas.DataFrame
        One row a unit, in the order given: ``median``, ``lower`` and ``upper`` rank (95% of the draws), and
        ``probability_top``. Missing for units with missing counts or no trials; the others are ranked without them.

    Notes
    -----
    Goldstein and Spiegelhalter (1996), JRSS A 159, 385.

    >>> rank_uncertainty([120, 80, 78], [1000, 1000, 1000])[["median", "lower", "upper"]].values.tolist()
    [[1.0, 1.0, 1.0], [2.0, 2.0, 3.0], [3.0, 2.0, 3.0]]
    """
    y, n = (np.atleast_1d(counts) for counts in checked_counts(events, trials))
    known = n > 0
    found = pd.DataFrame(np.nan, index=range(len(y)), columns=["median", "lower", "upper", "probability_top"])
    units = int(known.sum())
    if not units:
        return found
    generator = np.random.default_rng(seed)
    rates = generator.beta(y[known] + 0.5, n[known] - y[known] + 0.5, size=(draws, units))
    ranks = (-rates).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable") + 1
    # Ranks are whole: a quantile of them is one of the ranks drawn.
    quantiles = np.quantile(ranks, [0.5, 0.025, 0.975], axis=0, method="inverted_cdf")
    highest = (ranks <= places_at_top(units, top)).mean(axis=0)
    found.loc[known] = np.column_stack([*quantiles, highest])
    return found


def places_at_top(units: int, top: float = 1 / 3) -> int:
    """Return how many of the units make up the highest share of them.

    >>> [places_at_top(units) for units in (2, 3, 10, 12)]
    [1, 1, 3, 4]
    """
    return max(1, math.floor(units * top + 1e-9))
