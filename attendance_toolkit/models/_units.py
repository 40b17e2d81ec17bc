"""Counts of units that are compared with each other: schools, groups, areas."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.models._counts import checked_counts

BoolArray = NDArray[np.bool_]


def counts_of_units(events: ArrayLike, trials: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the checked counts of units in a row (``checked_counts``)."""
    y, n = checked_counts(events, trials)
    if y.ndim != 1:
        raise ValueError(f"Counts are those of units in a row; these have the shape {y.shape}.")
    return y, n


def refuse_few(known: BoolArray, least: int) -> None:
    """Refuse to compare fewer units than ``least``."""
    if known.sum() < least:
        raise NoDataError(
            f"Units are compared with each other: {least} or more need pupils, and {int(known.sum())} have. Take units of"
            " several areas together."
        )


def variance_between(sum_of_squares: float, weight: FloatArray) -> float:
    """Return the variance between units that a sum of squared scores is evidence of, by moments; 0 if of none.

    DerSimonian and Laird (1986), Controlled Clinical Trials 7, 177; ``weight`` is one over the sampling variance.
    """
    beyond = sum_of_squares - (len(weight) - 1)
    return max(0.0, beyond / float(weight.sum() - (weight**2).sum() / weight.sum()))
