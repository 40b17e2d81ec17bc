"""Logistic regression with a small ridge, for rates of sessions and for 0 and 1: Newton's method with step halving."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.models._logit import expit_of

#: Penalty on the square of a standardised slope, as a share of the number of rows. It changes no coefficient that the data
#: know anything about, and keeps those finite of which they know nothing: plain Newton steps run away on rare events.
RIDGE = 1e-5
#: Fewer events, or fewer pupils without one, tell nothing of some thirty columns.
LEAST_EVENTS = 20
_MOST_STEPS, _MOST_HALVINGS = 60, 30
#: What a step had to gain, for each row, at which the next one is rounding: Newton's steps double the right digits.
_SMALL_STEP = 1e-13
#: Rows taken at a time: a block of thirty columns is 16 MB.
_BLOCK = 65_536


@dataclass(frozen=True, eq=False)
class LogitFit:
    """Coefficients on the logit scale.

    Attributes
    ----------
    coefficients
        Shape (P,), the intercept first.
    covariance
        Shape (P, P): robust (sandwich), as pupils' rates vary far more than independent sessions would.
    rows
        Pupils the model is fitted to.
    events
        Sum of the outcome, each pupil counted once.
    dispersion
        Mean of Pearson's squared residuals, (y - p)² / p(1 - p): about 1 for 0 and 1.
    is_converged
        Whether no further step would change the coefficients.
    fitted
        Shape (N,): the rates fitted.
    """

    coefficients: FloatArray
    covariance: FloatArray
    rows: int
    events: float
    dispersion: float
    is_converged: bool
    fitted: FloatArray = field(repr=False)

    @property
    def standard_errors(self) -> FloatArray:
        """Robust standard errors of the coefficients, shape (P,)."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0))

    def linear(self, design: FloatArray) -> FloatArray:
        """Return log odds of the rows of a design (N, P)."""
        return np.asarray(design @ self.coefficients)


def fit_ridge(
    design: FloatArray, outcome: ArrayLike, weights: ArrayLike | None = None, *, ridge: float = RIDGE
) -> LogitFit:
    """Fit log odds that are linear in the columns of a design, by penalised (quasi-)likelihood.

    Parameters
    ----------
    design
        Shape (N, P), the intercept (1 throughout) as the first column. It is not copied.
    outcome
        Shape (N,): 0 and 1, or rates between.
    weights
        Shape (N,), above 0; one a row if None. Only their proportions matter.
    ridge
        ``ridge * N`` is the penalty on half the square of each slope, columns in units of their standard deviation. The
        intercept is not penalised. 0 gives the maximum of the likelihood, where there is one.

    Raises
    ------
    NoDataError
        There are no rows, or the outcome is 0 throughout, or 1.
    ParameterError
        Shapes that do not fit, or an outcome outside 0 to 1.

    Notes
    -----
    With ``ridge=0`` the coefficients are those of a binomial GLM (Papke and Wooldridge 1996, Journal of Applied
    Econometrics 11, 619, for rates); ridge: le Cessie and van Houwelingen (1992), Applied Statistics 41, 191.

    >>> fit = fit_ridge(np.array([[1.0, 0.0]] * 4 + [[1.0, 1.0]] * 4), [0, 0, 0, 1, 0, 1, 1, 1], ridge=0)
    >>> fit.coefficients.round(6).tolist()  # log(1/3), and log(3) - log(1/3)
    [-1.098612, 2.197225]
    """
    y, weight = _checked(design, outcome, weights)
    rows, width = design.shape
    spread = np.sqrt(np.maximum(_mean_squares(design) - design.mean(axis=0) ** 2, 0))
    penalty = ridge * rows * spread**2
    penalty[0] = 0.0
    mean = float(weight @ y / weight.sum())
    here = np.zeros(width)
    here[0] = np.log(mean / (1 - mean))
    value, is_converged = _value(design, y, weight, penalty, here), False
    for _ in range(_MOST_STEPS):
        score, information = _score(design, y, weight, penalty, here)
        step = np.asarray(np.linalg.lstsq(information, score, rcond=1e-14)[0])
        moved = _uphill(design, y, weight, penalty, here, step, value)
        if moved is None:  # rounding hides what there is left to gain
            is_converged = bool(score @ step < 1e-10 * abs(value))
            break
        here, value = moved
        if score @ step < _SMALL_STEP * rows:
            is_converged = True
            break
    return _finished(design, y, weight, penalty, here, is_converged)


def _checked(design: FloatArray, outcome: ArrayLike, weights: ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    y = np.asarray(outcome, dtype=float)
    weight = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    if design.ndim != 2 or y.shape != design.shape[:1] or weight.shape != y.shape:
        raise ParameterError(
            f"The design has the shape {design.shape}, the outcome {y.shape}, the weights {weight.shape}: give each row one."
        )
    if not len(y):
        raise NoDataError("There are no rows to fit a model to.")
    if not ((y >= 0) & (y <= 1)).all() or not (weight > 0).all():
        raise ParameterError("An outcome lies outside 0 to 1, or a weight is not above 0: leave such rows out.")
    if not 0 < y.sum() < len(y):
        raise NoDataError("The outcome is the same in all rows: there is nothing to fit.")
    return y, weight / weight.mean()


def _blocks(rows: int) -> Iterator[slice]:
    for start in range(0, rows, _BLOCK):
        yield slice(start, min(start + _BLOCK, rows))


def _mean_squares(design: FloatArray) -> FloatArray:
    total = np.zeros(design.shape[1])
    for part in _blocks(len(design)):
        total += (design[part] ** 2).sum(axis=0)
    return total / len(design)


def _value(design: FloatArray, y: FloatArray, weight: FloatArray, penalty: FloatArray, at: FloatArray) -> float:
    linear = design @ at
    return float(weight @ (y * linear - np.logaddexp(0, linear)) - 0.5 * penalty @ at**2)


def _score(
    design: FloatArray, y: FloatArray, weight: FloatArray, penalty: FloatArray, at: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the gradient of the penalised likelihood and its information."""
    score, information = -penalty * at, np.diag(penalty)
    for part in _blocks(len(design)):
        block = design[part]
        rates = expit_of(block @ at)
        score = score + block.T @ (weight[part] * (y[part] - rates))
        information = information + (block.T * (weight[part] * rates * (1 - rates))) @ block
    return score, information


def _uphill(
    design: FloatArray, y: FloatArray, weight: FloatArray, penalty: FloatArray,
    here: FloatArray, step: FloatArray, value: float,
) -> tuple[FloatArray, float] | None:  # fmt: skip
    """Return the step, halved until the likelihood does not fall, and the likelihood there."""
    for _ in range(_MOST_HALVINGS):
        found = _value(design, y, weight, penalty, here + step)
        if found >= value - 1e-13 * abs(value):
            return here + step, found
        step = step / 2
    return None


def _finished(
    design: FloatArray, y: FloatArray, weight: FloatArray, penalty: FloatArray, at: FloatArray, is_converged: bool
) -> LogitFit:
    rates = expit_of(design @ at)
    _, information = _score(design, y, weight, penalty, at)
    meat = np.zeros_like(information)
    for part in _blocks(len(design)):
        scores = design[part] * (weight[part] * (y[part] - rates[part]))[:, None]
        meat += scores.T @ scores
    inverse = np.linalg.pinv(information, hermitian=True)
    spread = np.maximum(rates * (1 - rates), 1e-12)
    return LogitFit(
        coefficients=at,
        covariance=inverse @ meat @ inverse,
        rows=len(y),
        events=float(y.sum()),
        dispersion=float(((y - rates) ** 2 / spread).mean()),
        is_converged=is_converged,
        fitted=rates,
    )
