"""Maximum of a binomial likelihood over log odds, by Newton's method with step halving."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attendance_toolkit.intervals import FloatArray

_MOST_STEPS, _MOST_HALVINGS = 60, 20
#: Square of the score in units of its own standard error: the step still taken from there is below rounding.
_SMALL_SCORE = 1e-14
#: A log-odds with a standard error above this belongs to rows without an event, or without anything else.
_ENDLESS = 50.0
#: The information of a whitened design has means of p(1 - p) as its eigenvalues: below this one separation is looked for.
_LITTLE_INFORMATION = 1e-4


@dataclass(frozen=True, eq=False)
class Maximum:
    """Where the likelihood is highest, in the whitened design; ``endless`` is a direction without a highest point."""

    parameters: FloatArray
    rates: FloatArray
    information: FloatArray
    value: float
    is_converged: bool
    endless: FloatArray | None = None


def maximum(design: FloatArray, y: FloatArray, n: FloatArray) -> Maximum:
    """Return the maximum of the likelihood over the coefficients of a design whose n-weighted columns are orthonormal."""
    start = np.log((y + 0.5) / (n - y + 0.5))
    here = (design.T * n) @ start
    value = _log_likelihood(design @ here, y, n)
    is_converged = False
    for _ in range(_MOST_STEPS):
        rates = expit_of(design @ here)
        information = (design.T * (n * rates * (1 - rates))) @ design
        endless = _endless(design, information, y - n * rates)
        if endless is not None:
            return Maximum(here, rates, information, value, False, endless)
        score = design.T @ (y - n * rates)
        step = np.asarray(np.linalg.solve(information, score))
        if score @ step < _SMALL_SCORE:
            is_converged, here = True, here + step
            break
        moved = _uphill(design, here, step, value, y, n)
        if moved is None:  # rounding hides what there is left to gain
            is_converged = bool(score @ step < 1e-12 * abs(value))
            break
        here, value = moved
    linear = design @ here
    rates = expit_of(linear)
    information = (design.T * (n * rates * (1 - rates))) @ design
    return Maximum(here, rates, information, _log_likelihood(linear, y, n), is_converged)


def _uphill(
    design: FloatArray, here: FloatArray, step: FloatArray, value: float, y: FloatArray, n: FloatArray
) -> tuple[FloatArray, float] | None:
    """Return the step, halved until the likelihood does not fall, and the likelihood there."""
    for _ in range(_MOST_HALVINGS):
        found = _log_likelihood(design @ (here + step), y, n)
        if found >= value - 1e-13 * abs(value):
            return here + step, found
        step = step / 2
    return None


def _endless(design: FloatArray, information: FloatArray, residuals: FloatArray) -> FloatArray | None:
    """Return the step that would go on for ever, if some fitted log-odds cannot be told from infinite ones."""
    values, directions = np.linalg.eigh(information)
    if values[0] > _LITTLE_INFORMATION:
        return None
    tried, values = design @ directions, np.maximum(values, 1e-300)
    little = np.abs(tried).max(axis=0) > _ENDLESS * np.sqrt(values)
    if not little.any():
        return None
    return directions[:, little] @ ((tried[:, little].T @ residuals) / values[little])


def expit_of(values: FloatArray) -> FloatArray:
    """Return rates from log odds."""
    from scipy.special import expit  # here: scipy is slow to import

    return np.asarray(expit(values))


def _log_likelihood(linear: FloatArray, y: FloatArray, n: FloatArray) -> float:
    return float(y @ linear - n @ np.logaddexp(0, linear))
