"""Maximum of the likelihood, by Newton's method with the curvature made negative where it is not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.models.maihda.likelihood import Evaluation, evaluate
from attendance_toolkit.models.maihda.rows import Rows

_MOST_STEPS = 100
_MOST_HALVINGS = 12
#: Twice the gain a further Newton step promises, in log-likelihood.
_SMALL_GAIN = 1e-10
#: Below this gain the gradient is trusted alone: the value's quadrature error may be of the same size.
_NEAR_GAIN = 1e-5
#: Relative error of a log-likelihood summed over many strata.
_ROUNDING = 1e-13
#: A coefficient moving more than this in one step is running away, or would soon.
_LONGEST_STEP = 3.0


@dataclass(frozen=True, eq=False)
class Maximum:
    """Where the likelihood is highest.

    Attributes
    ----------
    parameters
        (b, s), shape (P + 1,), s at least 0.
    at
        Likelihood and derivatives there.
    is_converged
        Whether no further step would gain anything that matters.
    """

    parameters: FloatArray
    at: Evaluation
    is_converged: bool


def maximise(
    rows: Rows, start: FloatArray, *, points: int = 15, fixed_sd: bool = False, modes: FloatArray | None = None
) -> Maximum:
    """Return the maximum reached from ``start`` = (b, s), over b and s or over b alone (``fixed_sd``)."""
    free = slice(0, len(start) - 1) if fixed_sd else slice(0, len(start))
    here = start.astype(float)
    at = evaluate(rows, here, points=points, modes=modes)
    found: tuple[FloatArray, Evaluation] | None
    direction, gain = _ascent(at, free)
    for _ in range(_MOST_STEPS):
        if gain < _SMALL_GAIN:
            break
        if gain < _NEAR_GAIN:
            found = _moved(rows, here, at, direction, free, points)
        else:
            found = _line_search(
                rows, here, at, direction / max(np.abs(direction).max() / _LONGEST_STEP, 1.0), free, points
            )
        if found is None:
            break
        following, promised = _ascent(found[1], free)
        if gain < _NEAR_GAIN and promised >= gain:  # the last digits are reached
            break
        (here, at), direction, gain = found, following, promised
    parameters = here.copy()
    parameters[-1] = abs(parameters[-1])
    return Maximum(parameters, at if here[-1] >= 0 else _mirrored(at), gain < _NEAR_GAIN)


def _ascent(at: Evaluation, free: slice) -> tuple[FloatArray, float]:
    """Return Newton's direction, upwards also where the likelihood is not concave, and twice the gain it promises."""
    gradient, hessian = at.gradient[free], at.hessian[free, free]
    scale = np.sqrt(np.maximum(np.abs(np.diag(hessian)), 1e-12))
    values, vectors = np.linalg.eigh(-hessian / np.outer(scale, scale))
    values = np.maximum(np.abs(values), 1e-10)
    direction = np.asarray(vectors @ ((vectors.T @ (gradient / scale)) / values) / scale)
    return direction, float(gradient @ direction)


def _moved(
    rows: Rows, here: FloatArray, at: Evaluation, step: FloatArray, free: slice, points: int
) -> tuple[FloatArray, Evaluation]:
    there = here.copy()
    there[free] += step
    return there, evaluate(rows, there, points=points, modes=at.modes)


def _line_search(
    rows: Rows, here: FloatArray, at: Evaluation, direction: FloatArray, free: slice, points: int
) -> tuple[FloatArray, Evaluation] | None:
    slope = float(at.gradient[free] @ direction)
    length = 1.0
    for _ in range(_MOST_HALVINGS):
        there, tried = _moved(rows, here, at, length * direction, free, points)
        if tried.value >= at.value + 1e-4 * length * slope - _ROUNDING * abs(at.value):
            return there, tried
        length /= 2
    return None


def _mirrored(at: Evaluation) -> Evaluation:
    """Return the evaluation at (b, -s) made into the one at (b, s)."""
    sign = np.append(np.ones(len(at.gradient) - 1), -1.0)
    return Evaluation(at.value, at.gradient * sign, at.hessian * np.outer(sign, sign), -at.modes)
