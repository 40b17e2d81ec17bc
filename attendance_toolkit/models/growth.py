"""A level for every pupil and one trend for all: the linear model with a random intercept, on millions of rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.models._design import (
    IntArray,
    codes_of,
    design_matrix,
    distinct_rows,
    refuse_few,
    sums_by,
    totals,
    whitening,
)
from attendance_toolkit.models.maihda.design import Design

#: Grid of log(lambda) on which the likelihood is looked over before the root of its slope is found: 1e-7 to 1e7.
_GRID = np.linspace(math.log(1e-7), math.log(1e7), 57)
#: Share of the sum of squares of y below which what is left of it is rounding.
_ROUNDING = 1e-24


@dataclass(frozen=True, eq=False)
class RandomIntercept:
    """A linear model y = Xb + u_g + e with u_g ~ N(0, variance_between) and e ~ N(0, variance_within).

    Attributes
    ----------
    names
        Name of each column of the design.
    coefficients
        In the unit of y, shape (P,).
    standard_errors
        Of the coefficients if the model holds, shape (P,).
    covariance
        The same with their covariances, shape (P, P).
    clustered_covariance
        Valid also where rows of a group are not as the model says: skewed, or more alike from one term to the next.
    variance_between, variance_within
        In the unit of y, squared.
    log_likelihood
        The restricted one with "REML".
    icc
        Share of the variance that is between groups.
    n_groups, n_rows
        Groups and rows.
    is_at_bound
        The likelihood is highest where groups do not differ by more than chance.
    groups
        The distinct groups in order of appearance, shape (n_groups,).
    group_effects
        Best linear unbiased predictions of u_g, shape (n_groups,): shrunken.
    """

    names: tuple[str, ...]
    coefficients: FloatArray
    standard_errors: FloatArray
    covariance: FloatArray
    clustered_covariance: FloatArray
    variance_between: float
    variance_within: float
    log_likelihood: float
    icc: float
    n_groups: int
    n_rows: int
    is_at_bound: bool
    groups: np.ndarray = field(repr=False)
    group_effects: FloatArray = field(repr=False)

    @property
    def clustered_errors(self) -> FloatArray:
        """Clustered standard errors of the coefficients, shape (P,)."""
        return np.sqrt(np.diag(self.clustered_covariance))


def fit_random_intercept(
    y: ArrayLike,
    design: Design | ArrayLike,
    groups: ArrayLike,
    *,
    method: Literal["ML", "REML"] = "REML",
    names: Sequence[str] = (),
) -> RandomIntercept:
    """Fit a random-intercept model from sums by group, by maximum or restricted maximum likelihood.

    Parameters
    ----------
    y
        Shape (N,): for example each pupil's absence rate of a term.
    design
        Shape (N, P), the intercept among the columns; or a ``Design`` (``trend.time_design``).
    groups
        The pupil of each row, shape (N,): any labels, in any order.
    method
        "REML" gives unbiased variances; "ML" likelihoods that may be compared between designs.
    names
        Names of the columns, for errors; those of a ``Design`` are its own.

    Returns
    -------
    RandomIntercept

    Raises
    ------
    NoDataError
        Not more groups than columns, no group with two rows, or nothing left to vary within groups.
    ParameterError
        Shapes that do not fit, a missing value, a column that others make up, or another method.

    Notes
    -----
    With lambda = variance_between / variance_within, the covariance of a group of n rows has the inverse
    I - c 11', c = lambda / (1 + lambda n); so all there is to know are X'X, X'y and the sums of each group, and of these
    only their products summed over groups of one size. The likelihood is then a function of lambda that takes
    microseconds. The same as lme4's ``lmer(y ~ ... + (1 | group))`` (Bates et al. 2015, Journal of Statistical Software
    67(1)); the clustered covariance is Liang and Zeger's (1986, Biometrika 73, 13).

    Examples
    --------
    >>> fit = fit_random_intercept([3, 5, 7, 9, 1, 2], [[1, 0], [1, 1]] * 3, ["a", "a", "b", "b", "c", "c"])
    >>> fit.coefficients.round(4).tolist(), round(fit.variance_between, 4), round(fit.variance_within, 4)
    ([3.6667, 1.6667], 10.6667, 0.1667)

    """
    if method not in ("ML", "REML"):
        raise ParameterError(f"'{method}' is not a method of fitting: use 'ML' or 'REML'.")
    values = _values(y)
    matrix, names = design_matrix(design, names, len(values))
    group, labels = codes_of(groups, len(values), "group")
    patterns, of_row = distinct_rows(matrix)
    back = whitening(patterns, np.bincount(of_row).astype(float), names)
    refuse_few(len(labels), len(names), "groups")
    # From here on the columns are orthonormal and y is what least squares leave of it: no digits are lost.
    columns = patterns @ back
    start = columns.T @ totals(of_row, values)
    left = values - (columns @ start)[of_row]
    sums = _sum_up(left, columns, of_row, group, len(labels))
    if sums.counts.max() < 2:
        raise NoDataError("No group has two rows: what is between groups and what is within cannot be told apart.")
    if left @ left <= _ROUNDING * (values @ values):
        raise NoDataError("The design explains y without rest: there is nothing to vary between groups or within.")
    best = _best_profile(sums, is_restricted=method == "REML")
    effects = best.ratio * (sums.y - sums.x @ best.shift) / (1 + best.ratio * sums.counts)
    # A group's score: its residuals without what the model puts down to the group's own level.
    residuals = left - (columns @ best.shift)[of_row]
    scores = sums_by(group, residuals, columns, of_row, len(labels)) - effects[:, None] * sums.x
    inverse = back @ np.linalg.inv(best.information)
    covariance = best.variance * (inverse @ back.T)
    deviance = best.deviance + (-2 * np.log(np.diag(back)).sum() if method == "REML" else 0.0)
    return RandomIntercept(
        names=names,
        coefficients=back @ (start + best.shift),
        standard_errors=np.sqrt(np.diag(covariance)),
        covariance=covariance,
        clustered_covariance=inverse @ (scores.T @ scores) @ inverse.T,
        variance_between=best.ratio * best.variance,
        variance_within=best.variance,
        log_likelihood=-deviance / 2,
        icc=best.ratio / (1 + best.ratio),
        n_groups=len(labels),
        n_rows=len(values),
        is_at_bound=best.ratio == 0,
        groups=labels,
        group_effects=effects,
    )


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums of each group, and their products summed over the groups of each size: sizes (K,), ``xx`` (K, P, P)."""

    y: FloatArray
    x: FloatArray
    counts: FloatArray
    rows: int
    total_yy: float
    total_xy: FloatArray
    sizes: FloatArray
    groups: FloatArray
    yy: FloatArray
    xy: FloatArray
    xx: FloatArray


def _sum_up(left: FloatArray, columns: FloatArray, of_row: IntArray, group: IntArray, n_groups: int) -> _Sums:
    counts = np.bincount(group, minlength=n_groups)
    y = totals(group, left, n_groups)
    x = sums_by(group, np.ones(len(left)), columns, of_row, n_groups)
    sizes, of_group = np.unique(counts, return_inverse=True)
    order = np.argsort(of_group, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(of_group))[:-1])
    return _Sums(
        y=y,
        x=x,
        counts=counts.astype(float),
        rows=len(left),
        total_yy=float(left @ left),
        total_xy=columns.T @ totals(of_row, left),
        sizes=sizes.astype(float),
        groups=np.array([len(part) for part in parts], dtype=float),
        yy=np.array([y[part] @ y[part] for part in parts]),
        xy=np.array([x[part].T @ y[part] for part in parts]),
        xx=np.array([x[part].T @ x[part] for part in parts]),
    )


@dataclass(frozen=True, eq=False)
class _Profile:
    """The likelihood at one ratio of variances, all else at its best: ``slope`` is that of the deviance by the ratio."""

    ratio: float
    shift: FloatArray
    information: FloatArray
    variance: float
    deviance: float
    slope: float


def _profile(sums: _Sums, ratio: float, *, is_restricted: bool) -> _Profile:
    """Return coefficients (in addition to those of least squares), variance and deviance at a ratio of variances."""
    widths = 1 + ratio * sums.sizes
    c, slopes = ratio / widths, widths**-2.0
    information = np.eye(len(sums.total_xy)) - np.tensordot(c, sums.xx, 1)
    right = sums.total_xy - c @ sums.xy
    shift = np.asarray(np.linalg.solve(information, right))
    rest = sums.total_yy - c @ sums.yy - right @ shift
    freedom = sums.rows - (len(shift) if is_restricted else 0)
    variance = float(rest) / freedom
    squares = sums.yy - 2 * sums.xy @ shift + (sums.xx @ shift) @ shift
    deviance = freedom * (math.log(2 * math.pi * variance) + 1) + sums.groups @ np.log(widths)
    slope = sums.groups @ (sums.sizes / widths) - slopes @ squares / variance
    if is_restricted:
        deviance += np.linalg.slogdet(information)[1]
        slope -= np.trace(np.linalg.solve(information, np.tensordot(slopes, sums.xx, 1)))
    return _Profile(ratio, shift, information, variance, float(deviance), float(slope))


def _best_profile(sums: _Sums, *, is_restricted: bool) -> _Profile:
    """Return the profile of greatest likelihood, the ratio 0 among them."""
    from scipy.optimize import brentq  # here: scipy is slow to import

    def at(log_ratio: float) -> _Profile:
        return _profile(sums, math.exp(log_ratio), is_restricted=is_restricted)

    without = _profile(sums, 0.0, is_restricted=is_restricted)
    deviances = [at(point).deviance for point in _GRID]
    best = int(np.argmin(deviances))
    if best == len(_GRID) - 1:
        raise NoDataError("Nothing varies within groups beyond the design: give rows that differ from term to term.")
    if best == 0 or deviances[best] >= without.deviance:
        return without
    root = brentq(lambda point: at(point).slope, _GRID[best - 1], _GRID[best + 1], xtol=1e-13, rtol=1e-13)
    return at(float(root))


def _values(y: ArrayLike) -> FloatArray:
    values = np.asarray(y, dtype=float)
    if values.ndim != 1 or not len(values):
        raise ParameterError(f"y has the shape {values.shape}: give one value a row.")
    missing = int((~np.isfinite(values)).sum())
    if missing:
        raise ParameterError(f"{missing} of {len(values)} values of y are missing or infinite: leave these rows out.")
    return values
