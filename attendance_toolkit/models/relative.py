"""Two groups compared: risk ratio, risk difference, odds ratio, each with its interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.intervals import Z95, FloatArray, newcombe_interval, wilson_interval
from attendance_toolkit.models._counts import checked_counts

Interval = tuple[FloatArray, FloatArray, FloatArray]


def risk_ratio(y1: ArrayLike, n1: ArrayLike, y0: ArrayLike, n0: ArrayLike) -> Interval:
    """Return the risk ratio of group 1 to group 0 with its interval by the log method.

    Parameters
    ----------
    y1, n1
        Events and trials of the group; any shapes that broadcast.
    y0, n0
        Events and trials of the group it is compared with.

    Returns
    -------
    tuple of numpy.ndarray
        Ratio, lower and upper end. All are missing where the group compared with has no events; the ends where
        the group itself has none, or where every trial of both groups is an event.

    Notes
    -----
    Katz et al. (1978), Biometrics 34, 469: the variance of the log ratio is ``1/y1 - 1/n1 + 1/y0 - 1/n0``.

    >>> # Severe absence of secondary girls and boys of one authority.
    >>> [round(float(v), 3) for v in risk_ratio(185, 8507, 131, 9026)]
    [1.498, 1.2, 1.871]
    """
    log_ratio, error = log_risk_ratio(y1, n1, y0, n0)
    return _of_logs(log_ratio, error)


def log_risk_ratio(y1: ArrayLike, n1: ArrayLike, y0: ArrayLike, n0: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the log of the risk ratio and its standard error (``heterogeneity`` takes them).

    The log is minus infinity where the group has no events, and missing where the other group has none; the standard
    error is missing in both cases.
    """
    y1, n1 = checked_counts(y1, n1)
    y0, n0 = checked_counts(y0, n0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(y0 > 0, (y1 / n1) / (y0 / n0), np.nan)
        variance = 1 / y1 - 1 / n1 + 1 / y0 - 1 / n0
        # No variance at all (all trials of both groups are events) is not certainty: the method fails there.
        error = np.sqrt(np.where(np.isfinite(variance) & (variance > 0), variance, np.nan))
        return np.log(ratio), np.where(np.isnan(ratio), np.nan, error)


def odds_ratio(y1: ArrayLike, n1: ArrayLike, y0: ArrayLike, n0: ArrayLike) -> Interval:
    """Return the odds ratio of group 1 to group 0 with Woolf's interval.

    Parameters and result are those of ``risk_ratio``. The ratio is missing where its lower part is 0, the ends where
    any of the four counts (events and other trials) is 0.

    >>> [round(float(v), 3) for v in odds_ratio(6, 18, 3, 23)]
    [3.333, 0.701, 15.859]
    """
    y1, n1 = checked_counts(y1, n1)
    y0, n0 = checked_counts(y0, n0)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = (n1 - y1) * y0
        ratio = np.where(below > 0, y1 * (n0 - y0) / below, np.nan)
        variance = 1 / y1 + 1 / (n1 - y1) + 1 / y0 + 1 / (n0 - y0)
        error = np.sqrt(np.where(np.isfinite(variance), variance, np.nan))
        return _of_logs(np.log(ratio), error)


def risk_difference(y1: ArrayLike, n1: ArrayLike, y0: ArrayLike, n0: ArrayLike) -> Interval:
    """Return the rate of group 1 minus the rate of group 0 with Newcombe's interval (method 10).

    Parameters and result are those of ``risk_ratio``; missing where a group has no trials.

    >>> [round(float(v), 4) for v in risk_difference(56, 70, 48, 80)]
    [0.2, 0.0524, 0.3339]
    """
    y1, n1 = checked_counts(y1, n1)
    y0, n0 = checked_counts(y0, n0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate_1, rate_0 = y1 / n1, y0 / n0
    lower, upper = newcombe_interval(rate_1, wilson_interval(y1, n1), rate_0, wilson_interval(y0, n0))
    return rate_1 - rate_0, lower, upper


def _of_logs(log_ratio: FloatArray, error: FloatArray) -> Interval:
    return np.exp(log_ratio), np.exp(log_ratio - Z95 * error), np.exp(log_ratio + Z95 * error)
