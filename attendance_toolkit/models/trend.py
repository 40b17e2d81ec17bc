"""Rates by year and term: a binomial logit with standard errors that let a pupil's rows go together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.intervals import Z95, FloatArray
from attendance_toolkit.models._counts import checked_counts
from attendance_toolkit.models._design import (
    codes_of,
    design_matrix,
    distinct_rows,
    refuse_few,
    sums_by,
    totals,
    whitening,
)
from attendance_toolkit.models._logit import expit_of, maximum
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.maihda.design import Design
from attendance_toolkit.vocabulary.calendar import parse_academic_year

#: Share of a column's largest part in a step beyond all bounds at which the column is named.
_TAKES_PART = 0.01


class Fitted(Protocol):
    """What ``contrast`` needs of a fit."""

    @property
    def coefficients(self) -> FloatArray:
        """Shape (P,)."""

    @property
    def covariance(self) -> FloatArray:
        """Shape (P, P)."""


@dataclass(frozen=True, eq=False)
class TrendFit:
    """A binomial logit, its standard errors clustered.

    Attributes
    ----------
    names
        Name of each column of the design.
    coefficients
        Log odds, shape (P,).
    covariance
        Of the coefficients, rows of one cluster taken together; shape (P, P). No small-sample factor.
    naive_covariance
        The same as if every trial were independent.
    design_effects
        How many times the naive variance the clustered one is, shape (P,).
    n_clusters
        Clusters with trials.
    log_likelihood
        Of the independent trials, without binomial coefficients.
    is_converged
        Whether no further step would change the coefficients.
    patterns
        The distinct rows of the design, shape (M, P).
    pattern_events, pattern_trials
        Their counts, shape (M,).
    """

    names: tuple[str, ...]
    coefficients: FloatArray
    covariance: FloatArray
    naive_covariance: FloatArray
    design_effects: FloatArray
    n_clusters: int
    log_likelihood: float
    is_converged: bool
    patterns: FloatArray = field(repr=False)
    pattern_events: FloatArray = field(repr=False)
    pattern_trials: FloatArray = field(repr=False)

    @property
    def standard_errors(self) -> FloatArray:
        """Clustered standard errors of the coefficients, shape (P,)."""
        return np.sqrt(np.diag(self.covariance))


def fit_trend(
    events: ArrayLike, trials: ArrayLike, design: Design | ArrayLike, clusters: ArrayLike, *, names: Sequence[str] = ()
) -> TrendFit:
    """Fit y_i ~ Bin(n_i, expit(x_i'b)) with a covariance that sums scores by cluster.

    Parameters
    ----------
    events, trials
        Sessions missed of sessions possible, or 0 and 1 of 1; shape (N,), one of them perhaps one number for all rows.
        Rows without trials, or with a missing count, are left out.
    design
        Shape (N, P), the intercept among the columns; or a ``Design`` (``time_design``). Integers may be given as such:
        an ``int8`` matrix of indicators takes an eighth of the memory.
    clusters
        The pupil (or school) of each row, shape (N,): any labels, in any order.
    names
        Names of the columns, for errors; those of a ``Design`` are its own.

    Returns
    -------
    TrendFit

    Raises
    ------
    NoDataError
        No trials, not more clusters than columns, or rows whose rate has no finite log odds: a level, or a mix of
        levels, without an event or with nothing else.
    ParameterError
        Shapes that do not fit, a missing value in the design, or a column that others make up.
    ValueError
        Counts that cannot be.

    Notes
    -----
    The estimate is that of generalised estimating equations with working independence (Liang and Zeger 1986,
    Biometrika 73, 13); the covariance is statsmodels' ``GLM(...).fit(cov_type="cluster")`` with
    ``use_correction=False``. Fitted on the distinct rows of the design, by Newton's method with step halving. Where
    clusters are few (below 40 or so) the intervals are too narrow.

    Examples
    --------
    Four pupils in two years, 10 sessions each: the second year's odds are higher, and pupils keep their level.

    >>> fit = fit_trend([1, 2, 4, 5, 1, 3, 5, 6], 10, [[1, 0]] * 4 + [[1, 1]] * 4, [1, 2, 3, 4] * 2)
    >>> fit.coefficients.round(3).tolist(), fit.design_effects.round(2).tolist()
    ([-0.847, 0.336], [1.19, 0.02])

    """
    y, n = np.atleast_1d(*checked_counts(events, trials))
    matrix, names = design_matrix(design, names, len(y))
    cluster, _ = codes_of(clusters, len(matrix), "cluster")
    used = n > 0
    if not used.any():
        raise NoDataError(f"None of the {len(matrix)} rows has trials: there is nothing to fit.")
    if not used.all():
        y, n, matrix = y[used], n[used], matrix[used]
        cluster, _ = codes_of(cluster[used], len(y), "cluster")
    n_clusters = int(cluster.max()) + 1
    patterns, of_row = distinct_rows(matrix)
    pattern_events, pattern_trials = totals(of_row, y), totals(of_row, n)
    back = whitening(patterns, pattern_trials, names)
    refuse_few(n_clusters, len(names), "clusters")
    _refuse_constant_levels(patterns, pattern_events, pattern_trials, names)
    white = patterns @ back
    best = maximum(white, pattern_events, pattern_trials)
    if best.endless is not None:
        _refuse_separation(patterns, back @ best.endless, names)
    inverse = back @ np.linalg.inv(best.information)
    naive = inverse @ back.T
    scores = sums_by(cluster, y - n * best.rates[of_row], white, of_row, n_clusters)
    covariance = inverse @ (scores.T @ scores) @ inverse.T
    return TrendFit(
        names=names,
        coefficients=back @ best.parameters,
        covariance=covariance,
        naive_covariance=naive,
        design_effects=np.diag(covariance) / np.diag(naive),
        n_clusters=n_clusters,
        log_likelihood=best.value,
        is_converged=best.is_converged,
        patterns=patterns,
        pattern_events=pattern_events,
        pattern_trials=pattern_trials,
    )


def contrast(
    fit: Fitted, vector: ArrayLike, *, covariance: FloatArray | None = None, z: float = Z95
) -> tuple[Estimate, float]:
    """Return a weighted sum of coefficients with its 95% interval, and the p value of its being 0.

    Parameters
    ----------
    fit
        A ``TrendFit``, or a ``growth.RandomIntercept``.
    vector
        Weights, shape (P,): for example 1 for spring and -1 for summer.
    covariance
        Used instead of ``fit.covariance``, for example ``RandomIntercept.clustered_covariance``.
    z
        Standard errors to each side.

    Returns
    -------
    tuple
        Estimate on the scale of the coefficients (log odds of a ``TrendFit``), and the two-sided p value of the normal
        distribution.

    Raises
    ------
    ParameterError
        The weights are not one a coefficient, or all are 0.

    """
    weights = np.asarray(vector, dtype=float)
    if weights.shape != fit.coefficients.shape or not weights.any():
        raise ParameterError(
            f"A contrast needs a weight for each of {len(fit.coefficients)} coefficients, not all 0; "
            f"the weights have the shape {weights.shape}."
        )
    value = float(weights @ fit.coefficients)
    error = _error(weights, fit.covariance if covariance is None else covariance)
    p_value = math.erfc(abs(value) / error / math.sqrt(2)) if error > 0 else math.nan
    return Estimate(value, value - z * error, value + z * error), p_value


def marginal_change(fit: TrendFit, base: ArrayLike, changed: ArrayLike, weights: ArrayLike = 1.0) -> Estimate:
    """Return the mean of fitted rates with some columns changed, less that without, with its 95% interval.

    Parameters
    ----------
    fit
        The model.
    base, changed
        The same rows before and after, each of shape (M, P): for example ``fit.patterns`` with the year's columns set
        to the first year and to the last.
    weights
        Of the rows, shape (M,): for example ``fit.pattern_trials``. They are taken as known.

    Returns
    -------
    Estimate
        A difference of rates, 0.01 being one percentage point (delta method).

    Raises
    ------
    ParameterError
        Shapes that do not fit, or weights that are below 0 or add up to 0.

    Examples
    --------
    >>> fit = fit_trend([1, 2, 4, 5, 1, 3, 5, 6], 10, [[1, 0]] * 4 + [[1, 1]] * 4, [1, 2, 3, 4] * 2)
    >>> change = marginal_change(fit, [[1, 0]], [[1, 1]])
    >>> round(change.value, 4), round(change.lower, 4), round(change.upper, 4)  # 12 and 15 of 40 sessions
    (0.075, 0.0326, 0.1174)

    """
    before, gradient_before = _mean_rate(fit, base, weights)
    after, gradient_after = _mean_rate(fit, changed, weights)
    half = Z95 * _error(gradient_after - gradient_before, fit.covariance)
    return Estimate(after - before, after - before - half, after - before + half)


def time_design(
    year: ArrayLike,
    term: ArrayLike | None = None,
    *,
    years: Sequence[int | str],
    terms: Sequence[int | str] = (),
    year_factor: bool = False,
) -> Design:
    """Return intercept, year and term as columns of a design.

    Parameters
    ----------
    year
        Academic year of each row, shape (N,), in the notation of ``years``.
    term
        Term of each row, shape (N,), in the notation of ``terms``; None for whole years.
    years
        Academic years in order, as in ``year``: the first is the reference, from which a linear year is counted. A
        year left out counts: from 2018/19 to 2020/21 is two years.
    terms
        Terms, as in ``term``: the first is the reference.
    year_factor
        An indicator for every year but the first, in place of one column of years since the first.

    Returns
    -------
    Design
        Intercept, year ("academic_year: change a year", or the years' labels), then terms.

    Raises
    ------
    ParameterError
        A row's year or term is not in the list, or there are terms and no list of them.
    VocabularyError
        One of ``years`` is not an academic year.

    Examples
    --------
    >>> found = time_design([202223, 202324], ["Autumn", "Spring"], years=[202223, 202324], terms=["Autumn", "Spring"])
    >>> found.matrix.tolist(), found.terms
    ([[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]], (('academic_year', 'change a year'), ('term', 'Spring')))

    """
    since = np.array([parse_academic_year(one) // 100 for one in years], dtype=float)
    place = _places(year, years, "year")
    if year_factor:
        table, columns = np.eye(len(years))[:, 1:], [("academic_year", str(one)) for one in years[1:]]
    else:
        table, columns = (since - since[0])[:, None], [("academic_year", "change a year")]
    parts = [np.ones((len(place), 1)), table[place]]
    references = {"academic_year": str(years[0])}
    if term is not None:
        if not terms:
            raise ParameterError("Rows have a term, and 'terms' does not list the terms in order: give it.")
        at = _places(term, terms, "term")
        if len(at) != len(place):
            raise ParameterError(f"There are {len(place)} years and {len(at)} terms: give each row both.")
        parts.append(np.eye(len(terms))[:, 1:][at])
        columns += [("term", str(one)) for one in terms[1:]]
        references["term"] = str(terms[0])
    return Design(np.concatenate(parts, axis=1), tuple(columns), references)


def _places(values: ArrayLike, levels: Sequence[int | str], what: str) -> np.ndarray:
    """Return the place of each value in the list of levels."""
    given = np.asarray(values)
    found = pd.Index(list(levels)).get_indexer(pd.Index(given))
    if (found < 0).any():
        raise ParameterError(
            f"Row {int(np.argmax(found < 0))} has the {what} '{given[found < 0][0]}', which is not among"
            f" {', '.join(map(str, levels))}: leave the row out, or add the {what}."
        )
    return found


def _refuse_separation(patterns: FloatArray, step: FloatArray, names: Sequence[str]) -> None:
    size = np.abs(step) * np.abs(patterns).max(axis=0)
    part = [name for name, one in zip(names, size, strict=True) if one > _TAKES_PART * size.max()]
    raise NoDataError(
        f"The columns {', '.join(repr(name) for name in part)} set rows apart that have no events, or nothing but"
        " events: their odds have no finite estimate. Join levels, leave such rows out, or use fewer columns."
    )


def _refuse_constant_levels(patterns: FloatArray, y: FloatArray, n: FloatArray, names: Sequence[str]) -> None:
    """Refuse an indicator whose rows have no events, or nothing else; every indicator is looked at by itself."""
    for name, column in zip(names, patterns.T, strict=True):
        if not np.isin(column, (0.0, 1.0)).all():
            continue
        events, trials = float(y @ column), float(n @ column)
        if events in (0, trials):
            what = "none" if not events else "every one"
            raise NoDataError(
                f"Of the {trials:,.0f} trials with '{name}', {what} is an event: the odds have no finite estimate."
                " Leave these rows and the column out, or join the level with another."
            )


def _mean_rate(fit: TrendFit, design: ArrayLike, weights: ArrayLike) -> tuple[float, FloatArray]:
    """Return the weighted mean of fitted rates and its gradient by the coefficients."""
    rows = np.asarray(design, dtype=float)
    if rows.ndim != 2 or rows.shape[1] != len(fit.coefficients) or not len(rows):
        raise ParameterError(
            f"The rows have the shape {rows.shape}; the model has {len(fit.coefficients)} columns:"
            f" {', '.join(fit.names)}."
        )
    weight = np.asarray(weights, dtype=float)
    if weight.shape not in ((), (len(rows),)):
        raise ParameterError(f"There are {len(rows)} rows and weights of shape {weight.shape}: give one a row.")
    weight = np.broadcast_to(weight, len(rows))
    if not ((weight >= 0).all() and weight.sum() > 0):
        raise ParameterError("Weights are 0 or more and add up to more than 0.")
    share = weight / weight.sum()
    rates = expit_of(rows @ fit.coefficients)
    return float(share @ rates), (share * rates * (1 - rates)) @ rows


def _error(weights: FloatArray, covariance: FloatArray) -> float:
    return math.sqrt(max(float(weights @ covariance @ weights), 0.0))
