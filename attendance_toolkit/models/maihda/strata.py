"""Estimates of single strata: shrunken rates with intervals, and what is beyond main effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfc, expit

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.models.maihda.design import Design
from attendance_toolkit.models.maihda.likelihood import log1pexp_and_expit
from attendance_toolkit.models.maihda.uncertainty import Nodes, parameter_nodes

#: Points of the grid that finds where a stratum's posterior lies, and of the one it is then laid on.
_COARSE, _GRID = 121, 241
#: The first grid spans this many standard deviations of the prior: the likelihood can only narrow it.
_SPAN = 6.0
#: The second is where the density is more than this share of the highest.
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True, eq=False)
class StratumEstimates:
    """Posterior of every stratum, each array of shape (J,); NaN for a stratum whose counts are not known.

    Attributes
    ----------
    rate, lower, upper
        Posterior mean of the stratum's rate and equal-tail interval.
    main_effects_rate
        The rate by main effects alone, expit(x'b).
    effect, effect_sd, effect_lower, effect_upper
        Posterior mean, standard deviation and interval of the stratum's effect u, logit scale: in a main-effects
        model the interaction part.
    """

    rate: FloatArray
    lower: FloatArray
    upper: FloatArray
    main_effects_rate: FloatArray
    effect: FloatArray
    effect_sd: FloatArray
    effect_lower: FloatArray
    effect_upper: FloatArray

    @property
    def p_value(self) -> FloatArray:
        """Two-sided p value of z = effect / effect_sd; 1 where the standard deviation between strata is 0 for certain.

        The effect is already drawn towards 0, so that these err on the side of finding nothing, before any allowance
        for many strata.
        """
        known = self.effect_sd > 0
        z = np.where(known, np.abs(self.effect) / np.where(known, self.effect_sd, 1.0), self.effect_sd)
        return np.asarray(erfc(z / np.sqrt(2)))


@dataclass(frozen=True, eq=False)
class _Strata:
    """Counts and prior means of the strata to be estimated; columns (J, 1)."""

    events: FloatArray
    trials: FloatArray
    linear: FloatArray
    error: FloatArray
    nodes: Nodes
    level: float

    def log_likelihood(self, logits: FloatArray) -> FloatArray:
        return self.events * logits - self.trials * log1pexp_and_expit(logits)[0]


#: The posterior of strata at points of a grid, (J, G) to (J, G).
_Density = Callable[[_Strata, FloatArray], FloatArray]


def predict_strata(
    linear: ArrayLike,
    sd: float,
    events: ArrayLike,
    trials: ArrayLike,
    *,
    level: float = 0.95,
    design: Design | ArrayLike | None = None,
    sd_interval: tuple[float, float] | None = None,
) -> StratumEstimates:
    """Return the posterior of each stratum's rate and of its effect.

    Parameters
    ----------
    linear
        Linear predictor without the stratum effect, x'b, shape (J,) or a number.
    sd
        Standard deviation between strata, logit scale.
    events, trials
        Counts, shape (J,); NaN where hidden. A stratum of 0 trials has the prior.
    level
        Probability the intervals hold.
    design
        Design of the strata (or its matrix, shape (J, P)): the coefficients' uncertainty follows from it and from the
        trials. Without it they count as known. The null model's is a column of ones.
    sd_interval
        95% interval of ``sd``. Without it the standard deviation counts as known.

    Returns
    -------
    StratumEstimates
        Without ``sd_interval`` and with ``sd`` 0 there is no uncertainty left to be told: effects are 0 and
        intervals NaN.

    Raises
    ------
    ParameterError
        ``sd`` is negative, there are more events than trials, or the design is of other strata.

    Notes
    -----
    Give ``design`` and ``sd_interval`` wherever intervals are shown. With parameters taken as known (empirical Bayes)
    they are far too narrow in a main-effects model, whose standard deviation is near 0; with both, the posterior is an
    average over the parameters' own uncertainty. Coverage of each is measured by ``benchmarks/maihda.py coverage`` and
    quoted in docs/decisions/0014. Needs no fit: parameters and counts may be rounded ones.

    Examples
    --------
    >>> found = predict_strata(-2.0, 0.5, [0, 30, np.nan], [20, 100, np.nan])
    >>> found.rate.round(3).tolist(), found.lower.round(3).tolist()
    ([0.086, 0.262, nan], [0.036, 0.188, nan])

    """
    y, n = np.atleast_1d(np.asarray(events, float)), np.atleast_1d(np.asarray(trials, float))
    eta = np.broadcast_to(np.asarray(linear, float), y.shape)
    matrix = None if design is None else np.asarray(design.matrix if isinstance(design, Design) else design, float)
    if not sd >= 0:
        raise ParameterError(f"A standard deviation between strata must be 0 or more; it is {sd}.")
    if (y > n).any() or (y < 0).any():
        raise ParameterError("A stratum has more events than trials, or fewer than none.")
    if matrix is not None and matrix.shape[:1] != y.shape:
        raise ParameterError(f"The design has {len(matrix)} rows for {len(y)} strata.")
    found = {name: np.full(len(y), np.nan) for name in StratumEstimates.__dataclass_fields__}
    found["main_effects_rate"][:] = expit(eta)
    nodes = parameter_nodes(sd, sd_interval, matrix, eta, n)
    error = np.zeros(len(y)) if nodes is None else nodes.error
    known = np.flatnonzero(np.isfinite(y) & np.isfinite(n) & np.isfinite(eta) & np.isfinite(error))
    if nodes is None:
        found["rate"][known] = expit(eta[known])
        found["effect"][known] = found["effect_sd"][known] = 0.0
    elif len(known):
        strata = _Strata(y[known, None], n[known, None], eta[known, None], error[known, None], nodes, level)
        for name, values in _posterior(strata).items():
            found[name][known] = values
    return StratumEstimates(**found)


def _posterior(strata: _Strata) -> dict[str, FloatArray]:
    """Return means and quantiles of the logit x'b + u and of the effect u."""
    prior = _SPAN * np.sqrt(strata.nodes.sds.max() ** 2 + strata.error**2)
    logits, weights = _located(strata, strata.linear, prior, _logit_density)
    effects, effect_weights = _located(strata, np.zeros_like(prior), prior, _effect_density)
    tail = (1 - strata.level) / 2
    mean = (effect_weights * effects).sum(axis=1)
    return {
        "rate": (weights * expit(logits)).sum(axis=1),
        "lower": expit(_quantile(logits, weights, tail)),
        "upper": expit(_quantile(logits, weights, 1 - tail)),
        "effect": mean,
        "effect_sd": np.sqrt((effect_weights * (effects - mean[:, None]) ** 2).sum(axis=1)),
        "effect_lower": _quantile(effects, effect_weights, tail),
        "effect_upper": _quantile(effects, effect_weights, 1 - tail),
    }


def _located(strata: _Strata, centre: FloatArray, half: FloatArray, density: _Density) -> tuple[FloatArray, FloatArray]:
    """Return a grid where ``density`` lies, and its weights there: shapes (J, _GRID)."""
    coarse = centre + half * np.linspace(-1, 1, _COARSE)
    weights = density(strata, coarse)
    is_there = weights > _NEGLIGIBLE * weights.max(axis=1, keepdims=True)
    row = np.arange(len(coarse))
    first = np.maximum(is_there.argmax(axis=1) - 1, 0)
    last = np.minimum(_COARSE - is_there[:, ::-1].argmax(axis=1), _COARSE - 1)
    low, high = coarse[row, first, None], coarse[row, last, None]
    grid = low + (high - low) * np.linspace(0, 1, _GRID)
    return grid, density(strata, grid)


def _logit_density(strata: _Strata, logits: FloatArray) -> FloatArray:
    """Return the posterior of x'b + u at ``logits``, averaged over the parameters; rows sum to 1."""
    likelihood = strata.log_likelihood(logits)
    total = np.zeros_like(logits)
    for shift, weight in zip(strata.nodes.shifts, strata.nodes.shift_weights, strict=True):
        square = (logits - strata.linear - shift * strata.error) ** 2
        total += weight * _averaged(strata.nodes, likelihood, square)
    return total


def _effect_density(strata: _Strata, effects: FloatArray) -> FloatArray:
    """Return the posterior of u at ``effects``, averaged over the parameters; rows sum to 1."""
    total, square = np.zeros_like(effects), effects**2
    for shift, weight in zip(strata.nodes.shifts, strata.nodes.shift_weights, strict=True):
        likelihood = strata.log_likelihood(strata.linear + shift * strata.error + effects)
        total += weight * _averaged(strata.nodes, likelihood, square)
    return total


def _averaged(nodes: Nodes, likelihood: FloatArray, square: FloatArray) -> FloatArray:
    total = np.zeros_like(likelihood)
    for sd, weight in zip(nodes.sds, nodes.sd_weights, strict=True):
        logarithm = likelihood - square / (2 * sd**2)
        density = np.exp(logarithm - logarithm.max(axis=1, keepdims=True))
        total += weight * density / density.sum(axis=1, keepdims=True)
    return total


def _quantile(grid: FloatArray, weights: FloatArray, share: float) -> FloatArray:
    """Return where the running integral of each row's density reaches ``share``, linear between points."""
    running = np.cumsum((weights[:, 1:] + weights[:, :-1]) / 2, axis=1)
    running = np.concatenate([np.zeros((len(grid), 1)), running], axis=1) / running[:, -1:]
    after = np.clip((running < share).sum(axis=1), 1, grid.shape[1] - 1)
    row = np.arange(len(grid))
    low, high = running[row, after - 1], running[row, after]
    return grid[row, after - 1] + (share - low) / (high - low) * (grid[row, after] - grid[row, after - 1])
