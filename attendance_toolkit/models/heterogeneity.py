"""Whether estimates of several groups differ by more than chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Heterogeneity:
    """Cochran's test of one common value.

    Attributes
    ----------
    q
        Weighted sum of squared distances from the common value.
    df
        Number of estimates less one.
    p_value
        Probability of so large a ``q`` if all groups had one value; NaN with fewer than two estimates.
    i2
        Share of ``q`` that is beyond its expectation by chance, 0 to 1; NaN with fewer than two estimates.
    common
        The weighted mean of the estimates.
    """

    q: float
    df: int
    p_value: float
    i2: float
    common: float


def heterogeneity(estimates: ArrayLike, standard_errors: ArrayLike) -> Heterogeneity:
    """Return Cochran's Q and Higgins' I² of independent estimates.

    Estimates that are missing or infinite, or have no standard error, are left out. Ratios are given as logs
    (``models.relative.log_risk_ratio``).

    Raises
    ------
    ValueError
        A standard error is not above 0.

    Notes
    -----
    Cochran (1954), Biometrics 10, 101; Higgins and Thompson (2002), Statistics in Medicine 21, 1539.

    >>> found = heterogeneity([0.2, 0.2, 0.8], [0.1, 0.1, 0.1])
    >>> round(found.q, 6), found.df, round(found.i2, 4)
    (24.0, 2, 0.9167)
    """
    from scipy.stats import chi2  # here: scipy.stats is slow to import

    x, error = np.broadcast_arrays(np.asarray(estimates, dtype=float), np.asarray(standard_errors, dtype=float))
    if (error <= 0).any():
        raise ValueError("A standard error is 0 or below: leave out estimates without one, or give NaN.")
    known = np.isfinite(x) & np.isfinite(error)
    weight = 1 / error[known] ** 2
    df = int(known.sum()) - 1
    if df < 0:
        return Heterogeneity(math.nan, 0, math.nan, math.nan, math.nan)
    common = float((weight * x[known]).sum() / weight.sum())
    q = float((weight * (x[known] - common) ** 2).sum())
    if df == 0:
        return Heterogeneity(q, 0, math.nan, math.nan, common)
    return Heterogeneity(q, df, float(chi2.sf(q, df)), max(0.0, (q - df) / q) if q > 0 else 0.0, common)
