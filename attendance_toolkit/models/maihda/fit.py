"""Fit the multilevel model of strata: maximum likelihood, standard errors, profile interval and test of the variance."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfc, logit

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.models.maihda.design import Design
from attendance_toolkit.models.maihda.maximise import Maximum, maximise
from attendance_toolkit.models.maihda.measures import latent_vpc, median_odds_ratio, response_vpc
from attendance_toolkit.models.maihda.profile import profile_ends
from attendance_toolkit.models.maihda.rows import Rows, make_rows

#: A standard deviation below this is the boundary: its variance, 1e-8, is nothing.
LEAST_SD = 1e-4
#: A standard error (logit scale, for a change of the column from 0 to its largest) beyond which there is no estimate.
_ENDLESS = 50.0
_START_SD = 0.5
#: With fewer, derivatives and likelihood disagree in digits that matter.
_LEAST_POINTS = 5


@dataclass(frozen=True, eq=False)
class MaihdaFit:
    """A fitted random-intercept logistic model of strata.

    Attributes
    ----------
    coefficients, standard_errors
        Of the design's columns, logit scale, shape (P,). NaN for a column that others make up.
    covariance
        Of the coefficients, shape (P, P).
    sd
        Standard deviation between strata, logit scale; 0 where the data hold no variation beyond chance.
    sd_interval
        Its 95% profile-likelihood interval; the lower end is 0 where no variation cannot be ruled out, the upper NaN
        where there is none.
    vpc_response, vpc_response_interval
        Share of the variance between strata on the response scale; the interval goes with ``sd_interval``.
    log_likelihood, log_likelihood_without
        With and without variation between strata, binomial coefficients included.
    is_converged
        Whether the maximum was reached. A coefficient that runs away does not make this False: see ``diverging``.
    diverging
        Columns of the design without a finite estimate: a level where nobody or everybody has the outcome. Their
        coefficients and standard errors stand for "very low" or "very high" and are not to be shown.
    terms
        Characteristic and level of columns 1 to P-1, if the design was a ``Design``.
    linear, linear_se
        Linear predictor x'b of every row given and its standard error, shape (R,).
    rows
        The counts fitted. Exact: not for a page.
    """

    coefficients: FloatArray
    standard_errors: FloatArray
    covariance: FloatArray
    sd: float
    sd_interval: tuple[float, float]
    vpc_response: float
    vpc_response_interval: tuple[float, float]
    log_likelihood: float
    log_likelihood_without: float
    is_converged: bool
    diverging: tuple[int, ...]
    terms: tuple[tuple[str, str], ...]
    linear: FloatArray
    linear_se: FloatArray
    rows: Rows = field(repr=False)

    @property
    def variance(self) -> float:
        """Variance between strata, logit scale."""
        return self.sd**2

    @property
    def p_value(self) -> float:
        """Return the p value of no variation between strata.

        The likelihood ratio is half a point mass at 0 and half chi-squared with one degree of freedom (Self and Liang
        1987), so it is 1 where the estimate is 0.
        """
        ratio = 2 * (self.log_likelihood - self.log_likelihood_without)
        return float(erfc(math.sqrt(max(ratio, 0.0) / 2)) / 2) if self.sd > 0 else 1.0

    @property
    def vpc_latent(self) -> float:
        """Share of the variance between strata on the latent scale."""
        return latent_vpc(self.sd)

    @property
    def vpc_latent_interval(self) -> tuple[float, float]:
        """95% interval of ``vpc_latent``, from that of the standard deviation."""
        return latent_vpc(self.sd_interval[0]), latent_vpc(self.sd_interval[1])

    @property
    def median_odds_ratio(self) -> float:
        """Median odds ratio between strata."""
        return median_odds_ratio(self.sd)

    @property
    def median_odds_ratio_interval(self) -> tuple[float, float]:
        """95% interval of ``median_odds_ratio``, from that of the standard deviation."""
        return median_odds_ratio(self.sd_interval[0]), median_odds_ratio(self.sd_interval[1])


def fit_maihda(
    events: ArrayLike,
    trials: ArrayLike,
    design: Design | ArrayLike | None = None,
    *,
    groups: ArrayLike | None = None,
    points: int = 15,
) -> MaihdaFit:
    """Fit y_j ~ Bin(n_j, expit(x_j'b + u_j)), u_j ~ N(0, sd^2), by maximum likelihood.

    Parameters
    ----------
    events, trials
        Pupils with the outcome and all pupils of each stratum, shape (J,). Strata without pupils are left out.
    design
        Main effects (``main_effects_design``) or a matrix (J, P) with the intercept first; by default the intercept
        alone, which is the null model.
    groups
        Stratum of each row, if strata have several rows; by default every row is its own.
    points
        Nodes of the adaptive Gauss-Hermite quadrature.

    Returns
    -------
    MaihdaFit

    Raises
    ------
    NoDataError
        Fewer than two strata, or no pupil or every pupil has the outcome.
    ParameterError
        Counts that cannot be, shapes that do not fit, or fewer than 5 points.

    Notes
    -----
    Golden values and their sources are in the tests: ``lme4::glmer(..., nAGQ = 25)`` gives the same to 5 digits or more.

    Examples
    --------
    >>> fit = fit_maihda([18, 8, 46, 8, 13, 9], [148, 119, 810, 211, 196, 148])  # BUGS, Surgical, six hospitals
    >>> round(fit.sd, 3), fit.sd_interval[0], round(fit.p_value, 2)
    (0.228, 0.0, 0.21)

    """
    count = len(np.atleast_1d(np.asarray(events)))
    matrix, terms = _matrix(design, count)
    if points < _LEAST_POINTS:
        raise ParameterError(f"Quadrature needs at least {_LEAST_POINTS} points; {points} were asked for.")
    rows = make_rows(events, trials, matrix, groups)
    kept = independent_columns(rows.matrix)
    rows = Rows(rows.events, rows.trials, rows.matrix[:, kept], rows.starts, rows.group, rows.constant)
    best, without = fit_parameters(rows, points=points)
    sd = float(best.parameters[-1])
    ends = profile_ends(rows, best, without, points=points)
    covariance, errors = _covariance(best)
    largest = np.abs(rows.matrix).max(axis=0)
    diverging = tuple(int(kept[k]) for k in np.flatnonzero(~(errors * largest < _ENDLESS)))
    places = np.ix_(kept, kept)
    whole = np.full((matrix.shape[1],) * 2, np.nan)
    whole[places] = covariance
    return MaihdaFit(
        coefficients=_spread(best.parameters[:-1], kept, matrix.shape[1]),
        standard_errors=_spread(errors, kept, matrix.shape[1]),
        covariance=whole,
        sd=sd,
        sd_interval=(ends[0].sd, ends[1].sd),
        vpc_response=response_vpc(rows.matrix @ best.parameters[:-1], sd, rows.trials),
        vpc_response_interval=(ends[0].vpc_response, ends[1].vpc_response),
        log_likelihood=best.at.value,
        log_likelihood_without=without.at.value,
        is_converged=best.is_converged and without.is_converged,
        diverging=diverging,
        terms=terms,
        linear=matrix[:, kept] @ best.parameters[:-1],
        linear_se=np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", matrix[:, kept], covariance, matrix[:, kept]), 0)),
        rows=rows,
    )


def fit_parameters(rows: Rows, *, points: int = 15) -> tuple[Maximum, Maximum]:
    """Return the maximum over (b, s) and the one over b with s = 0; the first is the second at the boundary."""
    without = maximise(rows, np.append(_rough_coefficients(rows), 0.0), points=points, fixed_sd=True)
    best = maximise(rows, np.append(without.parameters[:-1], _START_SD), points=points)
    if best.parameters[-1] < LEAST_SD or best.at.value <= without.at.value:
        return without, without
    return best, without


def independent_columns(matrix: FloatArray) -> np.ndarray:
    """Return the columns that earlier ones do not make up, as R's ``lm`` keeps them.

    >>> independent_columns(np.array([[1.0, 1, 0, 1], [1, 0, 1, 0], [1, 0, 1, 1]])).tolist()
    [0, 1, 3]
    """
    kept: list[int] = []
    basis = np.empty((len(matrix), 0))
    for column in range(matrix.shape[1]):
        rest = matrix[:, column]
        for _ in range(2):  # twice is enough to be orthogonal to the last digit
            rest = rest - basis @ (basis.T @ rest)
        length = float(np.linalg.norm(rest))
        if length > 1e-8 * max(float(np.linalg.norm(matrix[:, column])), 1e-300):
            kept.append(column)
            basis = np.column_stack([basis, rest / length])
    return np.array(kept, dtype=int)


def _matrix(design: Design | ArrayLike | None, count: int) -> tuple[FloatArray, tuple[tuple[str, str], ...]]:
    if design is None:
        return np.ones((count, 1)), ()
    if isinstance(design, Design):
        return design.matrix, design.terms
    return np.asarray(design, dtype=float), ()


def _rough_coefficients(rows: Rows) -> FloatArray:
    """Return a weighted least-squares fit to empirical logits: a start a few steps from any estimate."""
    rate = (rows.events + 0.5) / (rows.trials + 1)
    weighted = rows.matrix.T * (rows.trials * rate * (1 - rate))
    return np.asarray(np.linalg.lstsq(weighted @ rows.matrix, weighted @ logit(rate), rcond=None)[0])


def _covariance(best: Maximum) -> tuple[FloatArray, FloatArray]:
    """Return covariance and standard errors of the coefficients, from the observed information of (b, s)."""
    information = -best.at.hessian
    if best.parameters[-1] == 0:  # b and s are orthogonal there, and the curvature in s may have either sign
        information = information[:-1, :-1]
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    inverse = np.linalg.pinv(information / np.outer(scale, scale), rcond=1e-13, hermitian=True) / np.outer(scale, scale)
    size = len(best.parameters) - 1
    variances = np.diag(inverse)[:size]
    return inverse[:size, :size], np.where(variances > 0, np.sqrt(np.maximum(variances, 0)), math.inf)


def _spread(values: FloatArray, kept: np.ndarray, size: int) -> FloatArray:
    whole = np.full(size, np.nan)
    whole[kept] = values
    return whole
