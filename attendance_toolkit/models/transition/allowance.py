"""What a school's forecast allows for beyond the chance of its pupils: its own year, and a year's drift of all schools."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.models._units import variance_between
from attendance_toolkit.vocabulary.transition_allowance import RATE, default_allowance


@dataclass(frozen=True)
class Allowance:
    """Standard deviations on the scale of the forecast: 0.01 is one percentage point of a rate; logits of a chance.

    Attributes
    ----------
    school_year_sd
        Of a school's year about the school's own level.
    drift_sd
        Of a whole year about what earlier cohorts gave.
    is_default
        Whether both are the toolkit's figures alone: there are not two cohorts, one to predict the other.
    schools, years
        How many schools' years, and how many years, were predicted.
    """

    school_year_sd: float
    drift_sd: float
    is_default: bool
    schools: int = 0
    years: int = 0


@dataclass(frozen=True)
class Missed:
    """How one year's schools came out against what was predicted: variance beyond chance, their number, the common error."""

    variance: float
    schools: int
    drift: float


def usual_allowance(outcome: str = RATE) -> Allowance:
    """Return the toolkit's figures, for a store in which no cohort can be predicted from an earlier one.

    >>> usual_allowance()
    Allowance(school_year_sd=0.0052, drift_sd=0.0032, is_default=True, schools=0, years=0)
    """
    found = default_allowance(outcome)
    return Allowance(found.school_year_sd, found.drift_sd, True)


def how_missed(predicted: ArrayLike, found: ArrayLike, variance: ArrayLike) -> Missed:
    """Return how far schools' means came out from those predicted, beyond chance, by moments.

    Parameters
    ----------
    predicted, found
        (S,) means by school.
    variance
        (S,) what the difference would vary by chance: of the pupils, and of what is not known of the school's level.

    Raises
    ------
    ParameterError
        Shapes differ, or a variance is not above 0.

    >>> how_missed([0.1, 0.1], [0.14, 0.10], [0.0001, 0.0001])  # Q = 8, (8 - 1) / (20,000 - 10,000)
    Missed(variance=0.0007, schools=2, drift=0.02)
    """
    before, after, chance = (np.asarray(one, dtype=float) for one in (predicted, found, variance))
    if not before.shape == after.shape == chance.shape or not (chance > 0).all():
        raise ParameterError("Predicted and found means and variances are one a school, the variances above 0.")
    if not len(before):
        return Missed(0.0, 0, math.nan)
    error, weight = after - before, 1 / chance
    drift = float((weight * error).sum() / weight.sum())
    if len(error) < 2:
        return Missed(0.0, 1, drift)
    between = variance_between(float((weight * (error - drift) ** 2).sum()), weight)
    return Missed(round(between, 15), len(error), round(drift, 15))


def school_allowance(years: Sequence[Missed], outcome: str = RATE) -> Allowance:
    """Return the allowance from years that were predicted from the years before them.

    Parameters
    ----------
    years
        Of each year predicted (``how_missed``).
    outcome
        Whose default figures count beside those found: "rate", "persistent" or "severe".

    Notes
    -----
    One or two years tell little of how far years drift, and ten schools little of how far theirs vary: the default
    figures count beside them as so many years, and schools, more (``vocabulary.transition_allowance``).

    >>> found = school_allowance([Missed(0.0001, 190, 0.0032)])
    >>> round(found.school_year_sd, 5), found.drift_sd, found.is_default
    (0.00981, 0.0032, False)
    """
    usual = default_allowance(outcome)
    told = [year for year in years if year.schools > 0]
    if not told:
        return usual_allowance(outcome)
    # A year of S schools has S - 1 differences between them to tell a variance from.
    known = sum(year.schools - 1 for year in told)
    variance = sum((year.schools - 1) * year.variance for year in told) + usual.as_schools * usual.school_year_sd**2
    drift = sum(year.drift**2 for year in told) + usual.as_years * usual.drift_sd**2
    return Allowance(
        math.sqrt(variance / (known + usual.as_schools)),
        math.sqrt(drift / (len(told) + usual.as_years)),
        False,
        sum(year.schools for year in told),
        len(told),
    )
