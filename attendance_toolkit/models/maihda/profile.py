"""Profile-likelihood interval of the standard deviation between strata."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from attendance_toolkit.intervals import Z95, FloatArray
from attendance_toolkit.models.maihda.maximise import Maximum, maximise
from attendance_toolkit.models.maihda.measures import response_vpc
from attendance_toolkit.models.maihda.rows import Rows

#: Strata whose odds differ by more than this many logits are not looked for.
_LARGEST_SD = 25.0


@dataclass(frozen=True)
class End:
    """One end of the interval.

    Attributes
    ----------
    sd
        Standard deviation between strata.
    vpc_response
        The response-scale share of variance there, with the coefficients that go with it.
    """

    sd: float
    vpc_response: float


class _Profile:
    """The signed square root of the deviance as a function of s: nearly a straight line, so roots are found quickly."""

    def __init__(self, rows: Rows, best: Maximum, points: int) -> None:
        self.rows, self.best, self.points = rows, best, points
        self.last = best

    def __call__(self, sd: float) -> float:
        """Return sign(s - s^) sqrt(2 (l max - l(s)))."""
        start = np.append(self.last.parameters[:-1], sd)
        self.last = maximise(self.rows, start, points=self.points, fixed_sd=True, modes=self.last.at.modes)
        lost = max(self.best.at.value - self.last.at.value, 0.0)
        return math.copysign(math.sqrt(2 * lost), sd - self.best.parameters[-1])

    def end(self, sd: float) -> End:
        self(sd)
        return _end(self.rows, self.last.parameters)


def profile_ends(rows: Rows, best: Maximum, without: Maximum, *, points: int = 15) -> tuple[End, End]:
    """Return the ends of the 95% interval: where the profile log-likelihood is 1.92 below its maximum.

    Parameters
    ----------
    rows
        The counts fitted.
    best, without
        The maximum, and the maximum with s = 0.
    points
        Nodes of the quadrature.

    Returns
    -------
    tuple of End
        Lower and upper. The lower is 0 where s = 0 is within the interval; the upper is NaN where the
        likelihood does not fall off.

    """
    profile = _Profile(rows, best, points)
    sd = float(best.parameters[-1])
    step = _rough_error(best)
    if 2 * (best.at.value - without.at.value) <= Z95**2:
        lower = _end(rows, without.parameters)
    else:
        below = max(sd - 3 * step, sd / 100)
        while profile(below) > -Z95:  # ends, for at s = 0 it is below
            below /= 3
        lower = profile.end(_root(profile, below, sd, -Z95))
    profile.last = best
    above = sd + 2 * step
    while profile(above) < Z95:
        above = sd + 2 * (above - sd)
        if above > _LARGEST_SD:
            return lower, End(math.nan, math.nan)
    return lower, profile.end(_root(profile, sd, above, Z95))


def _root(profile: _Profile, low: float, high: float, level: float) -> float:
    return float(brentq(lambda sd: profile(sd) - level, low, high, xtol=1e-7, rtol=1e-6))


def _rough_error(best: Maximum) -> float:
    """Return the standard error of s by the curvature in s alone, or 0.1 where it is not curved downwards."""
    curvature = -float(best.at.hessian[-1, -1])
    return min(1 / math.sqrt(curvature), 1.0) if best.parameters[-1] > 0 and curvature > 0 else 0.1


def _end(rows: Rows, parameters: FloatArray) -> End:
    sd = float(parameters[-1])
    return End(sd, response_vpc(rows.matrix @ parameters[:-1], sd, rows.trials))
