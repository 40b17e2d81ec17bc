"""Rates of schools, and their changes, beside what chance alone would give: funnels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.intervals import Z95, FloatArray
from attendance_toolkit.models._units import BoolArray, counts_of_units, refuse_few, variance_between
from attendance_toolkit.models.change import ShrunkenChange, shrunken_change

__all__ = [
    "Z998",
    "ChangeFunnel",
    "Funnel",
    "ShrunkenChange",
    "change_funnel",
    "funnel",
    "shrunken_change",
]

#: Normal quantile of the outer limits, 99.8%; that of the inner ones is ``Z95``.
Z998 = 3.090232306167813


@dataclass(frozen=True, eq=False)
class Funnel:
    """Rates of units beside limits that narrow with their number of pupils; arrays have one entry a unit.

    Attributes
    ----------
    rate
        Each unit's rate; missing where it has no trials or a count is missing. The other arrays are missing or False there.
    centre
        The rate of all units together.
    units
        How many units have a rate.
    dispersion
        Winsorised variance of the unadjusted scores (phi): about 0.7 if units differ by chance alone.
    tau2
        Variance between units beyond chance, arcsine scale; 0 if there is none.
    z_unadjusted, z
        Scores without and with ``tau2``.
    is_outside_95, is_outside_998
        Whether the adjusted score is beyond 1.96, and beyond 3.09.
    """

    rate: FloatArray
    centre: float
    units: int
    dispersion: float
    tau2: float
    z_unadjusted: FloatArray
    z: FloatArray
    is_outside_95: BoolArray
    is_outside_998: BoolArray

    def limits(self, trials: ArrayLike, z: float = Z95) -> tuple[FloatArray, FloatArray]:
        """Return the lower and upper limit of the rate of a unit with so many trials, with ``tau2``."""
        n = np.asarray(trials, dtype=float)
        half = z * np.sqrt(1 / (4 * n) + self.tau2)
        middle = math.asin(math.sqrt(self.centre))
        return _rate_at(middle - half), _rate_at(middle + half)


def funnel(events: ArrayLike, trials: ArrayLike, *, winsorised: float = 0.1) -> Funnel:
    """Return a funnel of rates with limits adjusted for overdispersion.

    Parameters
    ----------
    events, trials
        Counts of each unit, (units,): pupils absent and all pupils. Never sessions: those of one pupil go together, so
        that nearly every unit is outside.
    winsorised
        Share of the scores at either end that are moved to the quantile there before the variance is measured.

    Raises
    ------
    NoDataError
        Fewer than two units have trials.
    ValueError
        The counts are not counts.

    Notes
    -----
    Spiegelhalter (2005), Statistics in Medicine 24, 1185, with additive overdispersion: the arcsine of the root of the
    rate has variance 1/(4n) by chance; what the Winsorised scores have beyond their number less one is variance between
    units. Reference values: FunnelPlotR. Winsorising keeps a few outlying units from widening their own limits; it also
    takes part of an ordinary variance between units away. In simulations 5% of units that differ by chance alone are
    outside the 95% limits and 0.2% outside the 99.8% ones; of units that differ normally beyond that about 10% and 1.2%
    (5% and 0.2% with ``winsorised=0``).

    >>> deaths = [0, 18, 8, 46, 8, 13, 9, 31, 14, 8, 29, 24]
    >>> operations = [47, 148, 119, 810, 211, 196, 148, 215, 207, 97, 256, 360]
    >>> found = funnel(deaths, operations)
    >>> round(found.dispersion, 6), round(found.tau2, 8), found.is_outside_95.nonzero()[0].tolist()
    (2.379792, 0.00180957, [0, 7])
    """
    y, n = counts_of_units(events, trials)
    known = n > 0
    refuse_few(known, 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.where(known, y / n, np.nan)
        variance = 1 / (4 * np.where(known, n, np.nan))
    centre = float(y[known].sum() / n[known].sum())
    distance = np.arcsin(np.sqrt(rate)) - math.asin(math.sqrt(centre))
    return Funnel(rate, centre, int(known.sum()), *_scores(distance, variance, winsorised))


@dataclass(frozen=True, eq=False)
class ChangeFunnel:
    """Changes of units' rates beside limits that narrow with their number of pupils; arrays have one entry a unit.

    Attributes
    ----------
    change
        Each unit's change, a rate: 0.01 is one percentage point. Missing where a year has no trials or a count is missing.
    size
        Number of trials a unit's change is drawn at: the harmonic mean of both years'.
    centre
        The change of the rate of all units together.
    before, after
        The rate of all units together in each year.
    units, dispersion, tau2, z_unadjusted, z, is_outside_95, is_outside_998
        As in ``Funnel``.
    """

    change: FloatArray
    size: FloatArray
    centre: float
    before: float
    after: float
    units: int
    dispersion: float
    tau2: float
    z_unadjusted: FloatArray
    z: FloatArray
    is_outside_95: BoolArray
    is_outside_998: BoolArray

    def limits(self, trials: ArrayLike, z: float = Z95) -> tuple[FloatArray, FloatArray]:
        """Return the lower and upper limit of the change of a unit of this size that has the rate of all."""
        n = np.asarray(trials, dtype=float)
        half = z * np.sqrt(1 / (2 * n) + self.tau2)
        first, second = (math.asin(math.sqrt(rate)) for rate in (self.before, self.after))
        # sin²(a + d/2) - sin²(a - d/2) = sin(2a) sin(d), a half way between the two years.
        scale = math.sin(first + second)
        lower, upper = (np.clip(second - first + side * half, -math.pi / 2, math.pi / 2) for side in (-1, 1))
        return scale * np.sin(lower), scale * np.sin(upper)


def change_funnel(
    events0: ArrayLike, trials0: ArrayLike, events1: ArrayLike, trials1: ArrayLike, *, winsorised: float = 0.1
) -> ChangeFunnel:
    """Return a funnel of the changes of units' rates between two years, about the change of all.

    Parameters
    ----------
    events0, trials0, events1, trials1
        Counts of each unit in the first and in the second year, (units,): pupils, never sessions.
    winsorised
        As in ``funnel``.

    Raises
    ------
    NoDataError, ValueError
        As ``funnel``.

    Notes
    -----
    As ``funnel``, on differences of the arcsine of the root, of variance 1/(4n) in each year. The years are taken as
    independent. Where most pupils are in both, changes by chance are smaller than that, so that fewer units than 5% and
    0.2% are outside. Scores are a unit's own; the limits drawn are those of a unit with the rate of all, so that near the
    limits a unit with a rate far from it may be on one side by its score and on the other in the drawing.
    """
    (y0, n0), (y1, n1) = counts_of_units(events0, trials0), counts_of_units(events1, trials1)
    known = (n0 > 0) & (n1 > 0)
    refuse_few(known, 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        before, after = (np.where(known, y / n, np.nan) for y, n in ((y0, n0), (y1, n1)))
        inverse = np.where(known, 1 / n0 + 1 / n1, np.nan)
    all0, all1 = (float(y[known].sum() / n[known].sum()) for y, n in ((y0, n0), (y1, n1)))
    first, second = (math.asin(math.sqrt(rate)) for rate in (all0, all1))
    distance = np.arcsin(np.sqrt(after)) - np.arcsin(np.sqrt(before)) - (second - first)
    scores = _scores(distance, inverse / 4, winsorised)
    return ChangeFunnel(after - before, 2 / inverse, all1 - all0, all0, all1, int(known.sum()), *scores)


def _scores(
    distance: FloatArray, variance: FloatArray, winsorised: float
) -> tuple[float, float, FloatArray, FloatArray, BoolArray, BoolArray]:
    """Return dispersion, tau2, scores without and with it, and which are outside the limits."""
    unadjusted = distance / np.sqrt(variance)
    known = np.isfinite(unadjusted)
    ends = np.quantile(unadjusted[known], [winsorised, 1 - winsorised])
    count = int(known.sum())
    dispersion = float((np.clip(unadjusted[known], *ends) ** 2).mean())
    tau2 = variance_between(count * dispersion, 1 / variance[known])
    z = distance / np.sqrt(variance + tau2)
    with np.errstate(invalid="ignore"):
        return dispersion, tau2, unadjusted, z, np.abs(z) > Z95, np.abs(z) > Z998


def _rate_at(angle: FloatArray) -> FloatArray:
    return np.sin(np.clip(angle, 0, math.pi / 2)) ** 2
