"""Two characteristics together: more, less, or just what each adds, on the additive and on the logit scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.intervals import Z95, FloatArray, contrast_interval, wilson_interval
from attendance_toolkit.models._counts import checked_counts
from attendance_toolkit.models.estimate import Estimate

_UNKNOWN = Estimate(math.nan)


@dataclass(frozen=True)
class AdditiveInteraction:
    """Interaction of two characteristics, from a 2 x 2 table of counts.

    Attributes
    ----------
    risks
        Rate of each of the four groups with its Wilson interval, ``risks[first][second]``.
    ratios
        Risk ratio (or odds ratio) of each group to the group with neither characteristic: that one's is 1.
    reri
        Relative excess risk due to interaction, ``r11 - r10 - r01 + 1``: 0 if the excess of both together is the sum
        of the excess of each.
    ap
        Proportion of the risk with both that is due to interaction, ``reri / r11``.
    synergy
        Synergy index, ``(r11 - 1) / (r10 + r01 - 2)``: 1 without interaction. None where it means nothing: where the
        two characteristics, one by one, add no risk in sum, or both together add none.
    contrast
        Interaction contrast, ``p11 - p10 - p01 + p00``, a rate: 0.01 is one percentage point.
    odds_ratio_interaction
        Ratio of odds ratios: 1 without interaction on the logit scale, the scale of the models.
    """

    risks: tuple[tuple[Estimate, Estimate], tuple[Estimate, Estimate]]
    ratios: tuple[tuple[float, float], tuple[float, float]]
    reri: Estimate
    ap: Estimate
    synergy: Estimate | None
    contrast: Estimate
    odds_ratio_interaction: Estimate


def additive_interaction(
    cases: ArrayLike, totals: ArrayLike, *, ratio: Literal["risk", "odds"] = "risk"
) -> AdditiveInteraction:
    """Return the interaction of two characteristics on the additive scale, beside that on the logit scale.

    Parameters
    ----------
    cases, totals
        Events and trials of the four groups, each of shape (2, 2): ``[first][second]``, 0 without and 1 with the
        characteristic. Choose the coding so that each characteristic raises the risk: ratios below 1 give RERI and AP
        another meaning (Knol et al. 2011, European Journal of Epidemiology 26, 433).
    ratio
        "risk" for rates of everybody; "odds" for case-control data.

    Raises
    ------
    ValueError
        The counts are not 2 x 2, or not counts.

    Notes
    -----
    Intervals by the delta method (Hosmer and Lemeshow 1992, Epidemiology 3, 452), that of the synergy index on the log
    scale; that of the contrast from the four Wilson intervals (``intervals.contrast_interval``). Characteristics that
    do not interact on the logit scale do, as a rule, on the additive one; so both are given. Where a group of no events
    makes a figure undefined it is NaN.

    >>> found = additive_interaction([[3, 8], [6, 225]], [[23, 26], [18, 391]], ratio="odds")
    >>> [round(v, 3) for v in (found.reri.value, found.reri.lower, found.reri.upper)]
    [3.74, -1.837, 9.316]
    """
    y, n = checked_counts(cases, totals)
    if y.shape != (2, 2):
        raise ValueError(f"Interaction is of 2 x 2 groups; the counts have the shape {y.shape}.")
    with np.errstate(divide="ignore", invalid="ignore"):
        p = y / n
        odds_variance = 1 / y + 1 / (n - y)
        base, variance = (p, (1 - p) / y) if ratio == "risk" else (y / (n - y), odds_variance)
        r = np.where(base[0, 0] > 0, base / base[0, 0], np.nan)
    low, high = wilson_interval(y, n)
    contrast_low, contrast_high = contrast_interval(p, (low, high))
    risks = [[Estimate(float(p[i, j]), float(low[i, j]), float(high[i, j])) for j in (0, 1)] for i in (0, 1)]
    return AdditiveInteraction(
        risks=((risks[0][0], risks[0][1]), (risks[1][0], risks[1][1])),
        ratios=((float(r[0, 0]), float(r[0, 1])), (float(r[1, 0]), float(r[1, 1]))),
        reri=_reri(r, variance),
        ap=_ap(r, variance),
        synergy=_synergy(r, variance),
        contrast=Estimate(float(p[1, 1] - p[1, 0] - p[0, 1] + p[0, 0]), float(contrast_low), float(contrast_high)),
        odds_ratio_interaction=_ratio_of_odds_ratios(y, n, odds_variance),
    )


def _reri(r: FloatArray, variance: FloatArray) -> Estimate:
    value = float(r[1, 1] - r[1, 0] - r[0, 1] + 1)
    half = Z95 * _delta_error((-r[1, 0], -r[0, 1], r[1, 1]), variance)
    return Estimate(value, value - half, value + half)


def _ap(r: FloatArray, variance: FloatArray) -> Estimate:
    r11, r10, r01 = float(r[1, 1]), float(r[1, 0]), float(r[0, 1])
    if not r11 > 0:
        return _UNKNOWN
    value = (r11 - r10 - r01 + 1) / r11
    half = Z95 * _delta_error((-r10 / r11, -r01 / r11, (r10 + r01 - 1) / r11), variance)
    return Estimate(value, value - half, value + half)


def _synergy(r: FloatArray, variance: FloatArray) -> Estimate | None:
    r11, r10, r01 = float(r[1, 1]), float(r[1, 0]), float(r[0, 1])
    below = r10 + r01 - 2
    if not (below > 0 and r11 > 1):
        return None
    value = (r11 - 1) / below
    half = Z95 * _delta_error((-r10 / below, -r01 / below, r11 / (r11 - 1)), variance)
    return Estimate(value, value * math.exp(-half), value * math.exp(half))


def _delta_error(gradient: Sequence[float], variance: FloatArray) -> float:
    """Return the standard error of a function of the logs of r10, r01 and r11, which share the group with neither."""
    g = np.asarray(gradient, dtype=float)
    own = np.array([variance[1, 0], variance[0, 1], variance[1, 1]])
    with np.errstate(invalid="ignore"):
        found = float((g**2 * own).sum() + g.sum() ** 2 * variance[0, 0])
    return math.sqrt(found) if math.isfinite(found) else math.nan


def _ratio_of_odds_ratios(y: FloatArray, n: FloatArray, variance: FloatArray) -> Estimate:
    if not np.isfinite(variance).all():
        return _UNKNOWN
    logit = np.log(y / (n - y))
    value = float(logit[1, 1] - logit[1, 0] - logit[0, 1] + logit[0, 0])
    half = Z95 * math.sqrt(float(variance.sum()))
    return Estimate(math.exp(value), math.exp(value - half), math.exp(value + half))
