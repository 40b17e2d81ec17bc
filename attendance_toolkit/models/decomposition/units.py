"""Who moved a rate: pupils who stayed, came and went; each school or group; and when all of them moved the other way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.models._counts import checked_counts
from attendance_toolkit.models.decomposition.cells import borrowed_rates

#: Events and trials.
Counts = tuple[float, float]


@dataclass(frozen=True)
class Turnover:
    """The change of a rate between two years by who was there, in the unit of the rate (0.01 is one percentage point).

    Attributes
    ----------
    total
        The change: the sum of the three parts.
    stayers
        The change of the pupils who were there in both years.
    joiners
        What those who came add: above 0 if their rate is above the stayers' of that year.
    leavers
        What it adds that others have gone: above 0 if their rate had been below the stayers' of that year.
    """

    total: float
    stayers: float
    joiners: float
    leavers: float


def turnover(*, stayers_before: Counts, stayers_after: Counts, leavers: Counts, joiners: Counts) -> Turnover:
    """Return the change of a rate as the parts of stayers, joiners and leavers.

    Parameters
    ----------
    stayers_before, stayers_after
        Events and trials of pupils there in both years, in the first and in the second.
    leavers
        Of pupils there in the first year only, in the first.
    joiners
        Of pupils there in the second year only, in the second.

    Returns
    -------
    Turnover
        Missing parts where no stayers have trials in one of the years, and missing throughout where a count is missing.

    Raises
    ------
    ValueError
        The counts are not counts.

    Notes
    -----
    An identity, not an estimate: with w the stayers' share of a year's trials, the change is
    ``(r2S - r1S) + (1 - w2)(r2J - r2S) - (1 - w1)(r1L - r1S)``.

    >>> found = turnover(stayers_before=(80, 800), stayers_after=(96, 800), leavers=(60, 200), joiners=(10, 200))
    >>> [round(part, 4) for part in (found.total, found.stayers, found.joiners, found.leavers)]
    [-0.034, 0.02, -0.014, -0.04]
    """
    y, n = checked_counts(*zip(stayers_before, stayers_after, leavers, joiners, strict=True))
    all_before, all_after = _ratio(y[0] + y[2], n[0] + n[2]), _ratio(y[1] + y[3], n[1] + n[3])
    before, after = _ratio(y[0], n[0]), _ratio(y[1], n[1])
    # A group's distance from the stayers times its share is the distance of the whole from them.
    return Turnover(all_after - all_before, after - before, all_after - after, before - all_before)


def contributions(events0: ArrayLike, trials0: ArrayLike, events1: ArrayLike, trials1: ArrayLike) -> pd.DataFrame:
    """Return what each school or group adds to the change of the rate of all.

    Parameters
    ----------
    events0, trials0, events1, trials1
        Counts of each unit in the first and in the second year, shape (units,). A unit that is there in one year only has
        no trials in the other.

    Returns
    -------
    pandas.DataFrame
        One row a unit, in the order given, each in the unit of the rate: ``within``, what the change of its own rate adds,
        at its mean share; ``size``, what it adds that it grew or shrank, above 0 if it grew and has a rate above the
        mean rate of all, or shrank and has one below; ``contribution``, their sum. The contributions add up to the change.

    Raises
    ------
    NoDataError
        A count is missing, or a year has no trials.
    ValueError
        The counts are not counts.

    Notes
    -----
    Kitagawa's parts, unit by unit; the sizes are counted from the mean of the two overall rates, which leaves their sum
    as it is and makes them independent of where rates begin.

    >>> contributions([60, 40], [400, 600], [40, 60], [300, 700]).round(4).values.tolist()
    [[-0.01, -0.0058, -0.0042], [0.01, 0.0124, -0.0024]]
    """
    (y0, n0), (y1, n1) = (_known(events0, trials0), _known(events1, trials1))
    if y0.shape != y1.shape or y0.ndim != 1:
        raise ValueError(f"Both years have one row of units; these have the shapes {y0.shape} and {y1.shape}.")
    shares = np.stack([n0 / n0.sum(), n1 / n1.sum()])
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = borrowed_rates(shares, np.stack([y0 / n0, y1 / n1]))
    overall = (y0.sum() / n0.sum() + y1.sum() / n1.sum()) / 2
    within = (rates[1] - rates[0]) * shares.mean(axis=0)
    size = (shares[1] - shares[0]) * (rates.mean(axis=0) - overall)
    return pd.DataFrame({"contribution": within + size, "within": within, "size": size})


def is_paradox(events0: ArrayLike, trials0: ArrayLike, events1: ArrayLike, trials1: ArrayLike) -> bool:
    """Return whether the rate of all moved one way while the rate of every group moved the other.

    Parameters are those of ``contributions``. Groups with trials in one year only have no change and are passed over;
    two groups or more must have one. Compared exactly: nothing is rounded, and chance is not asked.

    Notes
    -----
    Simpson (1951), JRSS B 13, 238.

    >>> # Every group is absent more, and the rate of all falls, as the group with the higher rate becomes smaller.
    >>> is_paradox([80, 40], [200, 800], [42, 54], [100, 900])
    True
    """
    (y0, n0), (y1, n1) = (_known(events0, trials0), _known(events1, trials1))
    overall = _direction(y0.sum(), n0.sum(), y1.sum(), n1.sum())
    there = (n0 > 0) & (n1 > 0)
    groups = [_direction(*counts) for counts in zip(y0[there], n0[there], y1[there], n1[there], strict=True)]
    return overall != 0 and len(groups) > 1 and all(group == -overall for group in groups)


def _direction(y0: float, n0: float, y1: float, n1: float) -> int:
    """Return 1 if the rate rose, -1 if it fell, 0 if it is the same, exactly."""
    difference = Fraction(float(y1)) * Fraction(float(n0)) - Fraction(float(y0)) * Fraction(float(n1))
    return (difference > 0) - (difference < 0)


def _known(events: ArrayLike, trials: ArrayLike) -> tuple[FloatArray, FloatArray]:
    y, n = checked_counts(events, trials)
    missing = int(np.isnan(y).sum())
    if missing:
        raise NoDataError(
            f"{missing} of {y.size} units have a missing count: what each adds to a change can be told only if all are"
            " known. Leave units out of both years, or use coarser ones."
        )
    if not n.sum() > 0:
        raise NoDataError("One of the two years has no trials in any unit, so there is no change of a rate.")
    return y, n


def _ratio(events: float, trials: float) -> float:
    return float(events / trials) if trials > 0 else math.nan
