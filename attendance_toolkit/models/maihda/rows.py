"""Counts and design of a random-intercept model, checked and put into the order the likelihood needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.intervals import FloatArray


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows with trials, sorted by group.

    Attributes
    ----------
    events, trials
        Counts of each row, shape (R,).
    matrix
        Design, shape (R, P), of full column rank.
    starts
        Index of the first row of each group, shape (J,).
    group
        Number of the group of each row, 0 to J-1, shape (R,).
    constant
        Logarithm of the binomial coefficients, summed; so that log-likelihoods are those of R.
    """

    events: FloatArray
    trials: FloatArray
    matrix: FloatArray
    starts: NDArray[np.intp]
    group: NDArray[np.intp]
    constant: float

    @property
    def is_aggregated(self) -> bool:
        """Whether every group is one row, as strata of categorical characteristics are."""
        return len(self.starts) == len(self.events)

    def sum_groups(self, values: FloatArray) -> FloatArray:
        """Return sums of ``values`` over the rows of each group, along the first axis."""
        return values if self.is_aggregated else np.add.reduceat(values, self.starts, axis=0)


def make_rows(events: ArrayLike, trials: ArrayLike, matrix: FloatArray, groups: ArrayLike | None = None) -> Rows:
    """Return the rows that have trials, sorted by group.

    Parameters
    ----------
    events, trials
        Counts of each row; shape (R,).
    matrix
        Design of each row; shape (R, P).
    groups
        Label of the group of each row; by default every row is its own.

    Raises
    ------
    ParameterError
        Counts are missing, negative, or more events than trials; shapes do not fit.
    NoDataError
        Fewer than two groups have trials, or all rows together have no events or only events: nothing can be fitted.
    """
    y, n = _checked_counts(events, trials)
    if matrix.ndim != 2 or matrix.shape[0] != len(y) or not np.isfinite(matrix).all():
        raise ParameterError(f"The design must be {len(y)} rows of finite numbers; it has shape {matrix.shape}.")
    labels = np.arange(len(y)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    kept = np.flatnonzero(n > 0)
    kept = kept[np.argsort(labels[kept], kind="stable")]
    found, starts, group = np.unique(labels[kept], return_index=True, return_inverse=True)
    if len(found) < 2:
        raise NoDataError(
            f"A model of variation between strata needs at least two with enrolments; there are {len(found)}."
        )
    y, n = y[kept], n[kept]
    if not 0 < y.sum() < n.sum():
        raise NoDataError("A model of variation between strata needs pupils with and without the outcome.")
    constant = float(np.sum(gammaln(n + 1) - gammaln(y + 1) - gammaln(n - y + 1)))
    return Rows(y, n, np.ascontiguousarray(matrix[kept]), starts.astype(np.intp), group.astype(np.intp), constant)


def _checked_counts(events: ArrayLike, trials: ArrayLike) -> tuple[FloatArray, FloatArray]:
    y, n = np.asarray(events, dtype=float), np.asarray(trials, dtype=float)
    if y.ndim != 1 or y.shape != n.shape:
        raise ParameterError(
            f"Events and trials must be lists of one length; they have shapes {y.shape} and {n.shape}."
        )
    wrong = ~(np.isfinite(y) & np.isfinite(n) & (y >= 0) & (y <= n))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ParameterError(
            f"Row {row} has {y[row]:g} events in {n[row]:g} trials. Both must be known and events at most as many as trials."
        )
    return y, n
