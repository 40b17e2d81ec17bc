"""Likelihood of the random-intercept binomial model by adaptive Gauss-Hermite quadrature, with its derivatives.

y_r ~ Bin(n_r, expit(x_r'b + s v_j)), v_j ~ N(0, 1), for the rows r of group j. Each group's integral is taken at the
mode of its integrand and on its scale (Liu and Pierce 1994; Pinheiro and Bates 1995), in logarithms, so that thousands
of pupils in a stratum neither under- nor overflow. Derivatives are posterior means over the same nodes: the gradient by
Fisher's identity, the Hessian by Louis's (1982), so that one evaluation is all a Newton step needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial.hermite import hermgauss

from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.models.maihda.rows import Rows

#: A step of the mode may move a logit by this much: within it Newton's method cannot overshoot for ever.
_LONGEST_STEP = 1.0
_MOST_MODE_STEPS = 200


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The log-likelihood at one point.

    Attributes
    ----------
    value
        Log-likelihood, binomial coefficients included.
    gradient, hessian
        With respect to (b, s): shapes (P + 1,) and (P + 1, P + 1).
    modes
        Where each group's integrand is highest, on the scale of v; a warm start for the next evaluation.
    """

    value: float
    gradient: FloatArray
    hessian: FloatArray
    modes: FloatArray


def log1pexp_and_expit(eta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return log(1 + exp(eta)) and expit(eta) with one exponential, without overflow."""
    small = np.exp(-np.abs(eta))
    positive = eta >= 0
    return np.maximum(eta, 0) + np.log1p(small), np.where(positive, 1.0, small) / (1 + small)


def evaluate(rows: Rows, parameters: FloatArray, *, points: int = 15, modes: FloatArray | None = None) -> Evaluation:
    """Return the log-likelihood and its derivatives at ``parameters`` = (b, s).

    Parameters
    ----------
    rows
        Counts and design.
    parameters
        Coefficients and standard deviation between groups, shape (P + 1,). The sign of the last is of no consequence.
    points
        Nodes of a group's quadrature. 1 is Laplace's approximation, for which ``value`` is right and the
        derivatives are only near.
    modes
        Start of the search for modes, shape (J,).

    Returns
    -------
    Evaluation

    """
    linear, sd = rows.matrix @ parameters[:-1], float(parameters[-1])
    if sd == 0:  # the integrand is the normal density itself: three nodes are exact
        modes, points = np.zeros(len(rows.starts)), min(points, 3)
    found, curvature = find_modes(rows, linear, sd, modes)
    nodes, log_weights = _rule(points)
    v = found[:, None] + np.sqrt(2 / curvature)[:, None] * nodes
    eta = linear[:, None] + sd * v[rows.group]
    log_one_plus, p = log1pexp_and_expit(eta)
    log_terms = rows.sum_groups(rows.events[:, None] * eta - rows.trials[:, None] * log_one_plus)
    log_terms += log_weights - v**2 / 2
    highest = log_terms.max(axis=1, keepdims=True)
    weights = np.exp(log_terms - highest)
    totals = weights.sum(axis=1, keepdims=True)
    value = float(np.sum(highest[:, 0] + np.log(totals[:, 0]) - np.log(curvature) / 2)) + rows.constant
    gradient, hessian = _derivatives(rows, p, v, weights / totals)
    return Evaluation(value, gradient, hessian, found)


def find_modes(
    rows: Rows, linear: FloatArray, sd: float, start: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return the mode of each group's integrand over v and minus the second derivative of its logarithm there.

    The logarithm is strictly concave, so Newton's method with a bounded step always arrives.
    """
    v = np.zeros(len(rows.starts)) if start is None else start.copy()
    longest = _LONGEST_STEP / max(abs(sd), 1e-12)
    for _ in range(_MOST_MODE_STEPS):
        _, p = log1pexp_and_expit(linear + sd * v[rows.group])
        slope = sd * rows.sum_groups(rows.events - rows.trials * p) - v
        curvature = 1 + sd**2 * rows.sum_groups(rows.trials * p * (1 - p))
        step = np.clip(slope / curvature, -longest, longest)
        v = v + step
        # Quadratic convergence: after a step this short nothing is left of the distance.
        if np.abs(step).max() < 1e-7:
            break
    _, p = log1pexp_and_expit(linear + sd * v[rows.group])
    return v, 1 + sd**2 * rows.sum_groups(rows.trials * p * (1 - p))


@lru_cache(maxsize=8)
def _rule(points: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes z and log(w exp(z^2) sqrt(2) / sqrt(2 pi)) of the Gauss-Hermite rule."""
    nodes, weights = hermgauss(points)
    return nodes, np.log(weights) + nodes**2 - np.log(np.pi) / 2


def _derivatives(rows: Rows, p: FloatArray, v: FloatArray, posterior: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return gradient and Hessian from the nodes; ``p`` is (R, Q), ``v`` and ``posterior`` are (J, Q)."""
    by_row, v_row = posterior[rows.group], v[rows.group]
    residual = rows.events[:, None] - rows.trials[:, None] * p
    spread = rows.trials[:, None] * p * (1 - p)
    x, width = rows.matrix, rows.matrix.shape[1]
    score = (by_row * residual).sum(axis=1)
    score_sd = rows.sum_groups(residual) * v
    gradient = np.append(x.T @ score, np.sum(posterior * score_sd))

    # Louis: the second derivative of the complete data, averaged, and the variance of its score.
    bb = -(by_row * spread).sum(axis=1)
    bs = -(by_row * spread * v_row).sum(axis=1)
    ss = -np.sum(by_row * spread * v_row**2)
    mean_sd = (posterior * score_sd).sum(axis=1)
    ss += np.sum(posterior * (score_sd - mean_sd[:, None]) ** 2)
    # Covariance of a row's score with that of s in its group.
    bs += (by_row * residual * (score_sd - mean_sd[:, None])[rows.group]).sum(axis=1)
    hessian = np.empty((width + 1, width + 1))
    if rows.is_aggregated:
        bb += (posterior * (residual - score[:, None]) ** 2).sum(axis=1)
        hessian[:width, :width] = (x * bb[:, None]).T @ x
    else:
        hessian[:width, :width] = (x * bb[:, None]).T @ x + _score_variance(rows, residual - score[:, None], posterior)
    hessian[:width, width] = hessian[width, :width] = x.T @ bs
    hessian[width, width] = ss
    return gradient, hessian


def _score_variance(rows: Rows, centred: FloatArray, posterior: FloatArray) -> FloatArray:
    """Return the posterior variance of sum_r residual_r x_r, summed over groups of several rows; shape (P, P)."""
    total = np.zeros((rows.matrix.shape[1],) * 2)
    for node in range(posterior.shape[1]):  # a node at a time: all together would need R x P x Q numbers
        score = rows.sum_groups(centred[:, node, None] * rows.matrix)
        total += (score * posterior[:, node, None]).T @ score
    return total
