"""How much of the variation between strata main effects explain, with a parametric bootstrap."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.maihda.fit import LEAST_SD, MaihdaFit
from attendance_toolkit.models.maihda.maximise import maximise
from attendance_toolkit.models.maihda.rows import Rows


def proportional_change(
    null: MaihdaFit, main: MaihdaFit, *, refits: int = 100, seed: int = 1, points: int = 15
) -> Estimate:
    """Return the proportional change in variance (PCV): (null - main) / null.

    Near 1, strata differ because their characteristics do, one by one; the rest is interaction. May be negative.

    Parameters
    ----------
    null, main
        The models without and with main effects, of the same counts.
    refits
        Data sets drawn from the main-effects model and fitted again by both, for the interval.
    seed
        Of the draws: the same counts give the same interval.
    points
        Nodes of the quadrature in the refits.

    Returns
    -------
    Estimate
        With a 95% percentile interval. All NaN where the null model has no variance: nothing is there to be explained.
        The interval is NaN where fewer than half of the refits have a variance to explain.

    Raises
    ------
    ParameterError
        The two are fits of different counts.

    """
    rows = main.rows
    if len(null.rows.events) != len(rows.events) or not (
        np.array_equal(null.rows.events, rows.events) and np.array_equal(null.rows.trials, rows.trials)
    ):
        raise ParameterError("The change of variance compares two models of the same counts; these differ.")
    if null.variance == 0:
        return Estimate(math.nan)
    value = (null.variance - main.variance) / null.variance
    rng = np.random.default_rng(seed)
    drawn = np.array([_redrawn_change(rng, null, main, points) for _ in range(refits)])
    defined = drawn[np.isfinite(drawn)]
    if len(defined) < max(refits / 2, 1):
        return Estimate(value)
    lower, upper = np.quantile(defined, [0.025, 0.975])
    return Estimate(value, float(lower), float(upper))


def _redrawn_change(rng: np.random.Generator, null: MaihdaFit, main: MaihdaFit, points: int) -> float:
    """Draw counts from the main-effects model, fit both models and return their change; NaN if there is none."""
    rows = main.rows
    effects = rng.normal(0.0, main.sd, len(rows.starts)) if main.sd > 0 else np.zeros(len(rows.starts))
    eta = rows.matrix @ _known(main.coefficients) + effects[rows.group]
    events = rng.binomial(rows.trials.round().astype(np.int64), 1 / (1 + np.exp(-eta))).astype(float)
    if not 0 < events.sum() < rows.trials.sum():
        return math.nan
    before, after = (_refitted_variance(fit, fit.rows, events, points) for fit in (null, main))
    return (before - after) / before if before > 0 else math.nan


def _refitted_variance(fit: MaihdaFit, rows: Rows, events: FloatArray, points: int) -> float:
    # From a warm start, and never from the boundary itself, where the likelihood is level in s.
    start = np.append(_known(fit.coefficients), max(fit.sd, 0.1))
    sd = float(maximise(replace(rows, events=events), start, points=points).parameters[-1])
    return sd**2 if sd >= LEAST_SD else 0.0


def _known(coefficients: FloatArray) -> FloatArray:
    """Return the coefficients of the columns that were fitted."""
    return coefficients[np.isfinite(coefficients)]
