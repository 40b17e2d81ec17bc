"""Many tests at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.intervals import FloatArray


def benjamini_hochberg(p_values: ArrayLike) -> FloatArray:
    """Return p values adjusted for the false discovery rate across the family they make up.

    Rejecting where the adjusted value is at most 0.05 keeps the expected share of false rejections at most 5%
    (Benjamini and Hochberg 1995, JRSS B 57, 289). Missing values are no part of the family and stay missing.

    Raises
    ------
    ValueError
        A value is not between 0 and 1.

    >>> benjamini_hochberg([0.01, 0.04, 0.03, float("nan")]).round(4).tolist()
    [0.03, 0.04, 0.04, nan]
    """
    p = np.asarray(p_values, dtype=float)
    if ((p < 0) | (p > 1)).any():
        raise ValueError("A p value is below 0 or above 1.")
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(-p.flat[known], kind="stable")]  # the largest first
    size = len(order)
    steps = p.flat[order] * size / np.arange(size, 0, -1)
    adjusted.flat[order] = np.minimum(np.minimum.accumulate(steps), 1)
    return adjusted
