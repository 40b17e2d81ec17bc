"""Intervals for rates and differences, vectorised."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z95 = 1.959963984540054

FloatArray = NDArray[np.float64]


def wilson_interval(count: ArrayLike, total: ArrayLike, z: float = Z95) -> tuple[FloatArray, FloatArray]:
    """Return the Wilson score interval of count / total; missing where the total is 0 or missing.

    ``total`` may be an effective sample size, so neither needs to be whole.
    Reference values: R ``prop.test(correct=FALSE)``.

    >>> low, high = wilson_interval([81, 0], [263, 20])
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.2553, 0.0], [0.3662, 0.1611])
    """
    x = np.asarray(count, dtype=float)
    n = np.where(np.asarray(total, dtype=float) > 0, np.asarray(total, dtype=float), np.nan)
    p = x / n
    centre = p + z**2 / (2 * n)
    half = z * np.sqrt(np.maximum(p * (1 - p), 0) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    low, high = (centre - half) / scale, (centre + half) / scale
    # Exact ends, which rounding error would otherwise miss by 1e-17.
    return np.where(x == 0, np.where(np.isnan(n), np.nan, 0.0), low), np.where(x == n, 1.0, high)


def newcombe_interval(
    rate_1: ArrayLike,
    bounds_1: tuple[ArrayLike, ArrayLike],
    rate_2: ArrayLike,
    bounds_2: tuple[ArrayLike, ArrayLike],
) -> tuple[FloatArray, FloatArray]:
    """Return Newcombe's (method 10) interval for rate_1 - rate_2, from each rate's Wilson bounds.

    Reference values: Newcombe (1998), Statistics in Medicine 17, 873, examples 56/70 - 48/80.

    >>> low, high = newcombe_interval(56/70, wilson_interval(56, 70), 48/80, wilson_interval(48, 80))
    >>> round(float(low), 4), round(float(high), 4)
    (0.0524, 0.3339)
    """
    p1, p2 = np.asarray(rate_1, dtype=float), np.asarray(rate_2, dtype=float)
    l1, u1 = (np.asarray(b, dtype=float) for b in bounds_1)
    l2, u2 = (np.asarray(b, dtype=float) for b in bounds_2)
    difference = p1 - p2
    low = difference - np.sqrt((p1 - l1) ** 2 + (u2 - p2) ** 2)
    high = difference + np.sqrt((u1 - p1) ** 2 + (p2 - l2) ** 2)
    return low, high


def contrast_interval(rates: ArrayLike, bounds: tuple[ArrayLike, ArrayLike]) -> tuple[FloatArray, FloatArray]:
    """Return the interval of a difference of differences of four rates, from each rate's Wilson bounds.

    The contrast is ``(rates[1][1] - rates[1][0]) - (rates[0][1] - rates[0][0])``: Newcombe's interval of the
    difference of two differences that have Newcombe intervals themselves (Zou and Donner 2008, Statistics in Medicine
    27, 1693: squared distances to the bounds add up).

    Parameters
    ----------
    rates
        Shape (2, 2, ...), of four independent groups.
    bounds
        Lower and upper bounds, each of the shape of ``rates``.

    >>> cases, totals = np.array([[44, 58], [73, 225]]), np.array([[5530, 1930], [3360, 1740]])
    >>> low, high = contrast_interval(cases / totals, wilson_interval(cases, totals))
    >>> round(float(low), 4), round(float(high), 4)
    (0.0673, 0.1041)
    """
    p = np.asarray(rates, dtype=float)
    low, high = (np.asarray(b, dtype=float) for b in bounds)
    differences = p[:, 1] - p[:, 0]
    lower, upper = newcombe_interval(p[:, 1], (low[:, 1], high[:, 1]), p[:, 0], (low[:, 0], high[:, 0]))
    return newcombe_interval(differences[1], (lower[1], upper[1]), differences[0], (lower[0], upper[0]))


def jeffreys_interval(count: ArrayLike, total: ArrayLike, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Return the Jeffreys interval of count / total: quantiles of Beta(x + 1/2, n - x + 1/2).

    The lower end is 0 where nothing was counted, the upper 1 where everything was (Brown, Cai and DasGupta 2001,
    Statistical Science 16, 101). Missing where the total is 0 or missing. Reference values: R ``qbeta``.

    >>> low, high = jeffreys_interval([15, 0], [148, 20])
    >>> low.round(6).tolist(), high.round(6).tolist()
    ([0.060449, 0.0], [0.157643, 0.116639])
    """
    from scipy.special import betaincinv  # here: the command line starts without scipy

    x = np.asarray(count, dtype=float)
    n = np.where(np.asarray(total, dtype=float) > 0, np.asarray(total, dtype=float), np.nan)
    tail = (1 - level) / 2
    low, high = (betaincinv(x + 0.5, n - x + 0.5, probability) for probability in (tail, 1 - tail))
    empty = np.isnan(n)
    return np.where((x == 0) & ~empty, 0.0, low), np.where((x == n) & ~empty, 1.0, high)


def byar_interval(count: ArrayLike, z: float = Z95) -> tuple[FloatArray, FloatArray]:
    """Return Byar's approximation to the exact Poisson limits of a count (Breslow and Day 1987, volume II, p. 69).

    >>> low, high = byar_interval([10, 100, 0])
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([4.787, 81.362, 0.0], [18.391, 121.628, 3.668])
    """
    x = np.asarray(count, dtype=float)
    positive = np.where(x > 0, x, np.nan)
    low = positive * (1 - 1 / (9 * positive) - z / (3 * np.sqrt(positive))) ** 3
    high = (x + 1) * (1 - 1 / (9 * (x + 1)) + z / (3 * np.sqrt(x + 1))) ** 3
    return np.where(x == 0, 0.0, np.maximum(low, 0)), high


def ratio_effective_size(
    numerator: ArrayLike,
    denominator: ArrayLike,
    square_numerator: ArrayLike,
    square_denominator: ArrayLike,
    cross: ArrayLike,
    units: ArrayLike,
) -> FloatArray:
    """Return the number of independent trials a ratio of sums over pupils is worth.

    The variance of R = sum(a) / sum(p) with the pupil as the unit is
    n/(n-1) * sum((a - R p)^2) / sum(p)^2 (Cochran, Sampling Techniques, 3rd ed., section 6.3), and the
    effective size is R (1 - R) / variance. Used in Wilson's formula it keeps the interval inside 0 to 1.
    Missing where fewer than two pupils or no variation make it undefined.

    >>> # Every pupil misses all or nothing of 10 sessions: 100 pupils are worth 99 trials, not 1,000.
    >>> round(float(ratio_effective_size(200, 1000, 2000, 10000, 2000, 100)), 6)
    99.0
    """
    a, p = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    n = np.asarray(units, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = a / p
        residual = (
            np.asarray(square_numerator, dtype=float)
            - 2 * ratio * np.asarray(cross, dtype=float)
            + ratio**2 * np.asarray(square_denominator, dtype=float)
        )
        variance = n / (n - 1) * np.maximum(residual, 0) / p**2
        size = ratio * (1 - ratio) / variance
    return np.where((n > 1) & np.isfinite(size) & (size > 0), size, np.nan)
