"""Counts of events among trials, checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.intervals import FloatArray


def checked_counts(events: ArrayLike, trials: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return events and trials as floats of one shape; a missing count makes both of its pair missing.

    Raises
    ------
    ValueError
        A count is below 0, or there are more events than trials.

    >>> checked_counts([1, float("nan")], 4)[1].tolist()
    [4.0, nan]
    """
    y, n = np.broadcast_arrays(np.asarray(events, dtype=float), np.asarray(trials, dtype=float))
    wrong = (y < 0) | (n < 0) | (y > n)
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"{y[place]:g} events of {n[place]:g} trials at position {place}: events are from 0 to the trials."
        )
    missing = np.isnan(y) | np.isnan(n)
    return np.where(missing, np.nan, y), np.where(missing, np.nan, n)
