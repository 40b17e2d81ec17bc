"""How sure the model's own parameters are: values to average over, told by their intervals and the design."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import expit

from attendance_toolkit.intervals import Z95, FloatArray

_SD_NODES, _SHIFT_NODES = 9, 5
#: Nodes reach this many standard errors to either side.
_REACH = 3.0
#: A smaller standard deviation between strata is the same as this one on any page, and a grid can hold it.
_LEAST_SD = 0.02


@dataclass(frozen=True, eq=False)
class Nodes:
    """Values of the parameters and their weights.

    Attributes
    ----------
    sds, sd_weights
        Standard deviation between strata, shape (K,).
    shifts, shift_weights
        Standard errors the linear predictor is moved by, shape (M,).
    error
        Standard error of each stratum's linear predictor, shape (J,).
    """

    sds: FloatArray
    sd_weights: FloatArray
    shifts: FloatArray
    shift_weights: FloatArray
    error: FloatArray


def parameter_nodes(
    sd: float, interval: tuple[float, float] | None, matrix: FloatArray | None, linear: FloatArray, trials: FloatArray
) -> Nodes | None:
    """Return values of the parameters to average over; None where the standard deviation is 0 for certain.

    The profile likelihood of the standard deviation is taken back from its 95% interval: its signed root deviance, which
    is nearly a straight line on either side of the estimate, is 1.96 at the ends. Where the interval begins at 0 the
    likelihood falls off no faster below the estimate than above it. With a design, it is made the restricted likelihood
    (the coefficients integrated out), for the maximum-likelihood estimate is too small by the coefficients it was fitted
    with. With flat priors that is the posterior.

    Parameters
    ----------
    sd, interval
        Estimate and 95% interval of the standard deviation.
    matrix
        Design, shape (J, P), or None where the coefficients count as known.
    linear, trials
        Linear predictor and size of each stratum, shape (J,).

    """
    if interval is None and sd == 0:
        return None
    sds, weights = _profile_nodes(sd, interval)
    shifts, shift_weights, error = np.zeros(1), np.ones(1), np.zeros(len(linear))
    if matrix is not None:
        determinants = np.array([_log_determinant(_information(matrix, linear, s, trials)) for s in sds])
        weights = weights * np.exp(-(determinants - determinants.min()) / 2)
        shifts, shift_weights = hermegauss(_SHIFT_NODES)
        error = linear_error(matrix, linear, float(weights @ sds / weights.sum()), trials)
    return Nodes(sds, weights / weights.sum(), shifts, shift_weights / shift_weights.sum(), error)


def linear_error(matrix: FloatArray, linear: FloatArray, sd: float, trials: FloatArray) -> FloatArray:
    """Return standard errors of x'b from the sizes of the strata alone, without the fit.

    A stratum weighs 1 / (sd^2 + 1 / (n p (1 - p))), as in a weighted regression of logits, and (X'WX)^-1 is the covariance
    of the coefficients. It needs no counts of the outcome, so that it can be had from cleared figures. A stratum whose
    size is NaN gives no information; one whose level has no information at all has the error NaN.

    >>> linear_error(np.ones((2, 1)), np.zeros(2), 0.0, np.array([40.0, 60.0])).round(3).tolist()  # 1 / sqrt(100 / 4)
    [0.2, 0.2]
    """
    values, vectors = np.linalg.eigh(_information(matrix, linear, sd, trials))
    along = (matrix @ vectors) ** 2
    is_known = values > _least(values)
    variance = along[:, is_known] @ (1 / values[is_known])
    return np.where((along[:, ~is_known] > 1e-9).any(axis=1), np.nan, np.sqrt(variance))


def _profile_nodes(sd: float, interval: tuple[float, float] | None) -> tuple[FloatArray, FloatArray]:
    if interval is None or not (math.isfinite(interval[1]) and interval[1] > sd):
        return np.array([max(sd, _LEAST_SD)]), np.ones(1)
    above = (interval[1] - sd) / Z95
    below = (sd - interval[0]) / Z95 if interval[0] > 0 else max(above, sd / Z95)
    low, high = max(sd - _REACH * below, 0.0), sd + _REACH * above
    sds = low + (high - low) * (np.arange(_SD_NODES) + 0.5) / _SD_NODES
    weights = np.exp(-(((sds - sd) / np.where(sds < sd, below, above)) ** 2) / 2)
    return np.maximum(sds, _LEAST_SD), weights


def _information(matrix: FloatArray, linear: FloatArray, sd: float, trials: FloatArray) -> FloatArray:
    p = expit(linear)
    size = np.where(np.isfinite(trials), trials, 0.0) * p * (1 - p)
    return (matrix.T * (size / (sd**2 * size + 1))) @ matrix


def _log_determinant(information: FloatArray) -> float:
    values: FloatArray = np.linalg.eigvalsh(information).astype(float)
    return float(np.log(values[values > _least(values)]).sum())


def _least(values: FloatArray) -> float:
    """Return the eigenvalue below which a direction has no information."""
    return 1e-9 * max(float(values.max(initial=0.0)), 1e-300)
