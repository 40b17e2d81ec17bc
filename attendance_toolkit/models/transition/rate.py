"""The share of a pupil's sessions missed after the step: a fractional logit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.models.transition.ridge import RIDGE, LogitFit, fit_ridge


def fit_rate(
    design: FloatArray, missed: ArrayLike, possible: ArrayLike, *, by_sessions: bool = True, ridge: float = RIDGE
) -> LogitFit:
    """Fit the rate of sessions missed by quasi-binomial likelihood.

    Parameters
    ----------
    design
        Shape (N, P), the intercept first.
    missed, possible
        Sessions of each pupil, shape (N,); ``possible`` above 0.
    by_sessions
        Whether a pupil counts by possible sessions, so that predicted rates add up to overall absence (sessions missed
        over sessions possible), or each pupil counts alike.
    ridge
        As in ``fit_ridge``; 0 gives the binomial GLM of sessions.

    Raises
    ------
    NoDataError
        Nobody has missed a session, or everybody all.
    ParameterError
        A pupil has no possible sessions, or has missed more than are possible.

    Notes
    -----
    Standard errors are robust: sessions of one pupil are far from independent.

    >>> fit = fit_rate(np.ones((3, 1)), [10, 20, 60], [100, 200, 300])
    >>> round(float(fit.fitted[0]), 4)
    0.15
    """
    y, n = np.asarray(missed, dtype=float), np.asarray(possible, dtype=float)
    if (n <= 0).any() or (y > n).any() or (y < 0).any():
        raise ParameterError("A pupil has no possible sessions, or more missed than possible: leave such pupils out.")
    return fit_ridge(design, y / n, n if by_sessions else None, ridge=ridge)
