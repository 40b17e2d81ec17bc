"""Intervals of changes of the same pupils, vectorised: a difference of two ratios of sums, and of two paired proportions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.intervals import Z95, FloatArray, wilson_interval


def paired_proportions(
    both: ArrayLike, only_before: ArrayLike, only_after: ArrayLike, neither: ArrayLike, z: float = Z95
) -> tuple[FloatArray, FloatArray]:
    """Return the interval of a change of a proportion of the same pupils, after minus before.

    Newcombe's method for paired data: Wilson's bounds of both proportions, with their correlation phi (Newcombe 1998,
    Statistics in Medicine 17, 2635, method 10). Missing where there are no pupils.

    >>> # Cavo et al. (2012), as in R's contingencytables: before 65 of 161, after 75 of 161.
    >>> low, high = paired_proportions(59, 6, 16, 80)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0046, 0.1186)
    """
    a, b, c, d = (np.asarray(count, dtype=float) for count in (both, only_before, only_after, neither))
    n = a + b + c + d
    before, after = wilson_interval(a + b, n, z), wilson_interval(a + c, n, z)
    with np.errstate(divide="ignore", invalid="ignore"):
        p1, p2 = (a + b) / n, (a + c) / n
        product = a * d - b * c
        # A positive correlation is corrected for continuity, by no more than down to 0.
        product = np.where(product > 0, np.maximum(product - n / 2, 0), product)
        margins = (a + b) * (c + d) * (a + c) * (b + d)
        phi = np.where(margins > 0, product / np.sqrt(margins), 0.0)
    down, up = (p2 - after[0], before[1] - p1), (after[1] - p2, p1 - before[0])
    low, high = (
        np.sqrt(np.maximum(first**2 - 2 * phi * first * second + second**2, 0)) for first, second in (down, up)
    )
    return p2 - p1 - low, p2 - p1 + high


def ratio_change_variance(before: FloatArray, after: FloatArray, squares: FloatArray, pupils: ArrayLike) -> FloatArray:
    """Return the variance of sum(y2)/sum(x2) - sum(y1)/sum(x1) of the same n pupils, the pupil as the unit.

    The change is n times the mean of the linearised z = (y2 - R2 x2)/sum(x2) - (y1 - R1 x1)/sum(x1), which adds up to 0;
    its variance is n/(n-1) * sum(z^2) (Cochran, Sampling Techniques, 3rd edition, sections 6.3 and 6.10).

    Parameters
    ----------
    before, after
        (2, ...) sums of x and y.
    squares
        (4, 4, ...) sums of squares and products of x1, y1, x2, y2.
    pupils
        (...) number of pupils; missing below 2.

    >>> x1, y1, x2, y2 = np.array([[10, 10, 10.0], [1, 2, 3], [10, 10, 10], [2, 3, 4]])
    >>> of = np.stack([x1, y1, x2, y2])
    >>> # Everybody's rate rises by 0.1.
    >>> round(float(ratio_change_variance(of[:2].sum(1), of[2:].sum(1), of @ of.T, 3)), 12)
    0.0
    """
    n = np.asarray(pupils, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.stack([before[1] / before[0] ** 2, -1 / before[0], -after[1] / after[0] ** 2, 1 / after[0]])
        total = np.einsum("i...,ij...,j...->...", weights, squares, weights)
        # Rounding error leaves less than 0 where nobody differs.
        variance = n / (n - 1) * np.maximum(total, 0)
    return np.where(n > 1, variance, np.nan)
