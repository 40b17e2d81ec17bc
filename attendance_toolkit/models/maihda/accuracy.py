"""Discriminatory accuracy of strata: how well a pupil's stratum tells whether the pupil has the outcome."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.errors import ParameterError


def strata_auc(events: ArrayLike, trials: ArrayLike, scores: ArrayLike) -> float:
    """Return the area under the ROC curve when every pupil is scored with the stratum's estimate.

    The chance that a pupil with the outcome is in a stratum scored higher than that of a pupil without, ties counting
    half. Of the year the scores were fitted on it is optimistic; score the next year's counts too.

    Parameters
    ----------
    events, trials
        Counts of each stratum, shape (J,).
    scores
        One number a stratum; strata whose score or counts are NaN are left out.

    Returns
    -------
    float
        NaN where no pupil, or every pupil, has the outcome.

    Raises
    ------
    ParameterError
        The lists differ in length.

    Examples
    --------
    >>> strata_auc([1, 8], [10, 10], [0.1, 0.8])  # 8/9 v 1/9 of the cases, 2/11 v 9/11 of the others
    0.8535353535353535

    """
    y, n, s = (np.asarray(values, dtype=float) for values in (events, trials, scores))
    if not y.shape == n.shape == s.shape:
        raise ParameterError(
            f"Events, trials and scores must be of one length; they have {y.shape}, {n.shape}, {s.shape}."
        )
    kept = np.isfinite(y) & np.isfinite(n) & np.isfinite(s)
    _, tied = np.unique(s[kept], return_inverse=True)
    cases, others = np.bincount(tied, y[kept]), np.bincount(tied, (n - y)[kept])
    if not (cases.sum() > 0 and others.sum() > 0):
        return math.nan
    below = np.cumsum(others) - others
    return float(cases @ (below + others / 2) / (cases.sum() * others.sum()))
