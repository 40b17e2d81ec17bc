"""What schools may expect of their next intake: absence, persistent and severe absence, with intervals, and no league table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.metrics.transition.cohort import Array, StepCohort
from attendance_toolkit.models.transition.allowance import Allowance
from attendance_toolkit.models.transition.intakes import IntakeMeans, places_of, sums_of
from attendance_toolkit.models.transition.step_model import StepForecast, StepModel
from attendance_toolkit.vocabulary.transition_allowance import OUTCOMES, PERSISTENT, RATE, SEVERE

LEVEL = 0.90
_Z90 = 1.6448536269514722
#: How many schools "among the highest" are.
WORST = 5
#: A school with fewer expected pupils is not ranked: nothing but chance would put it first.
LEAST_RANKED = 10
_DRAWS, _SEED = 4000, 1


@dataclass(frozen=True, eq=False)
class SchoolForecast:
    """What is expected of the intakes of S schools, shares from 0 to 1, with 90% intervals.

    Attributes
    ----------
    laestab
        (S,) schools, sorted; 0 alone in ``total``.
    pupils
        (S,) expected pupils.
    absence, lower, upper
        (S,) overall absence: the mean of the pupils' expected rates. DfE's rate is sessions missed over sessions possible;
        how many sessions each pupil will have is not known in July, and nearly all have the same number.
    persistent, persistent_lower, persistent_upper, severe, severe_lower, severe_upper
        (S,) shares of pupils; NaN where the model has none.
    before
        (S,) overall absence of the same pupils in the year before: sessions missed over sessions possible. NaN
        without a session.
    dip, dip_lower, dip_upper
        (S,) ``absence`` less ``before``: above 0 where absence is expected to rise.
    probability_highest, probability_largest_dip
        (S,) chance of being among the ``worst`` schools of all those here; NaN for a school of under ten pupils.
    worst
        How many schools that is.
    level
        Of the intervals.
    drift_sd
        Outcome -> standard deviation of a whole year, in shares, as it is in the intervals; (S,) each.
    total
        All pupils as one intake, those without a known destination among them; None in the total itself.
    """

    laestab: Array
    pupils: Array
    absence: FloatArray
    lower: FloatArray
    upper: FloatArray
    persistent: FloatArray
    persistent_lower: FloatArray
    persistent_upper: FloatArray
    severe: FloatArray
    severe_lower: FloatArray
    severe_upper: FloatArray
    before: FloatArray
    dip: FloatArray
    dip_lower: FloatArray
    dip_upper: FloatArray
    probability_highest: FloatArray
    probability_largest_dip: FloatArray
    worst: int
    level: float
    drift_sd: Mapping[str, FloatArray]
    total: SchoolForecast | None = None


def forecast_schools(
    model: StepModel,
    cohort: StepCohort,
    keep: Array | None = None,
    *,
    allowance: Mapping[str, Allowance] | None = None,
    destination: Array | None = None,
    worst: int = WORST,
) -> SchoolForecast:
    """Return what is expected of each school's intake, and of all pupils together.

    Parameters
    ----------
    model
        Fitted to earlier cohorts, with all features.
    cohort
        Pupils about to move up, the whole cohort of the store, by which the level is found; its ``later`` is not looked at.
    keep
        (N,) pupils to take; all if None.
    allowance
        Outcome ("rate", "persistent", "severe") -> allowance; the model's own if None.
    destination
        (N,) LAESTAB after the step, 0 where it is not known; the cohort's if None.
    worst
        How many schools count as the highest.

    Raises
    ------
    ParameterError
        ``keep`` or ``destination`` is not one a pupil, or ``worst`` is below 1.

    Notes
    -----
    Half an interval is z times the root of: the chance of the school's pupils, what is not known of the school's level,
    a school's own year, and the drift of a year. Drift is common to all schools, so it does not enter their order.
    Chances of being among the highest are shares of 4,000 draws.
    """
    size = (len(cohort.pupils),)
    taken = np.ones(size, bool) if keep is None else np.asarray(keep, dtype=bool)
    schools = cohort.destination if destination is None else np.asarray(destination)
    if taken.shape != size or schools.shape != size:
        raise ParameterError(f"'keep' and 'destination' must be one for each of the {size[0]} pupils.")
    if worst < 1:
        raise ParameterError(f"'worst' is {worst}: at least one school is among the highest.")
    chosen = cohort.chosen(taken)
    forecast = model.levelled(cohort).predict(chosen, schools[taken])
    allowed = model.allowances if allowance is None else allowance
    names, place = places_of(forecast.destination)
    by_school = _intakes(model, chosen, forecast, allowed, place, names, worst)
    # A school's year is one draw for its pupils: in the total it counts by the square of the school's share.
    pupils = by_school.pupils
    one = np.zeros(len(chosen.pupils), dtype=np.intp)
    alike = float((pupils.astype(float) ** 2).sum() / max(len(one), 1) ** 2)
    total = _intakes(model, chosen, forecast, allowed, one, np.zeros(1, dtype=names.dtype), worst, alike)
    return replace(by_school, total=total)


def recentred(
    forecast: SchoolForecast, missed: ArrayLike, possible: ArrayLike, expected_share: float
) -> SchoolForecast:
    """Return the forecast of absence shifted to the level found in the first weeks.

    Parameters
    ----------
    forecast
        Of S schools.
    missed, possible
        (S,) sessions of the expected pupils in the weeks that are in; 0 for a school without.
    expected_share
        Absence in such weeks over absence in the whole year, in earlier cohorts: 0.85, for example.

    Returns
    -------
    SchoolForecast
        All schools' absence and dip, and the total's, moved by the same amount, without a year's drift in the intervals;
        persistent and severe absence as they were, since so few weeks do not say what becomes of them.

    Raises
    ------
    ParameterError
        Sessions are not one a school, there are none, or ``expected_share`` is not above 0.
    """
    y, n = np.asarray(missed, dtype=float), np.asarray(possible, dtype=float)
    if y.shape != forecast.absence.shape or n.shape != y.shape or not n.sum() > 0:
        raise ParameterError(f"Sessions are needed for the {len(forecast.laestab)} schools of the forecast.")
    if not expected_share > 0:
        raise ParameterError(f"'expected_share' is {expected_share}: it must be above 0.")
    shift = float(y.sum() / n.sum() / expected_share - (n @ forecast.absence) / n.sum())
    total = None if forecast.total is None else _moved(forecast.total, shift)
    return replace(_moved(forecast, shift), total=total)


def _moved(forecast: SchoolForecast, shift: float) -> SchoolForecast:
    drift = forecast.drift_sd[RATE]
    half = np.sqrt(np.maximum((forecast.upper - forecast.absence) ** 2 - (_Z90 * drift) ** 2, 0))
    absence = np.clip(forecast.absence + shift, 0, 1)
    dip = absence - forecast.before
    return replace(
        forecast, absence=absence, lower=np.maximum(absence - half, 0), upper=absence + half,
        dip=dip, dip_lower=dip - half, dip_upper=dip + half,
        drift_sd={**forecast.drift_sd, RATE: np.zeros_like(drift)},
    )  # fmt: skip


def _intakes(
    model: StepModel, cohort: StepCohort, forecast: StepForecast, allowed: Mapping[str, Allowance],
    place: Array, names: Array, worst: int, alike: float | None = None,
) -> SchoolForecast:  # fmt: skip
    """Return the forecast by place; ``alike`` is the share of a school's own variance that is left in one intake of all."""
    size = len(names)
    pupils = sums_of(np.ones(len(place)), place, size).astype(np.int64)
    possible = sums_of(cohort.year_possible, place, size)
    missed = sums_of(cohort.year_missed, place, size)
    before = np.where(possible > 0, missed / np.where(possible > 0, possible, 1), np.nan)
    means, own, drift = {}, {}, {}
    for name in OUTCOMES:
        if name in model.outcomes:
            means[name] = model.means(forecast, name, place, size)
            own[name], drift[name] = _variance(means[name], allowed[name], name, alike)
        else:
            nothing = np.full(size, np.nan)
            means[name], own[name], drift[name] = IntakeMeans(*[nothing] * 4), nothing, nothing
    half = {name: _Z90 * np.sqrt(own[name] + drift[name] ** 2) for name in OUTCOMES}
    absence, persistent, severe = (means[name].mean for name in OUTCOMES)
    dip = absence - before
    is_ranked = pupils >= LEAST_RANKED
    return SchoolForecast(
        laestab=names, pupils=pupils,
        absence=absence, lower=np.maximum(absence - half[RATE], 0), upper=absence + half[RATE],
        persistent=persistent, persistent_lower=np.maximum(persistent - half[PERSISTENT], 0),
        persistent_upper=np.minimum(persistent + half[PERSISTENT], 1),
        severe=severe, severe_lower=np.maximum(severe - half[SEVERE], 0),
        severe_upper=np.minimum(severe + half[SEVERE], 1),
        before=before, dip=dip, dip_lower=dip - half[RATE], dip_upper=dip + half[RATE],
        probability_highest=chance_among_highest(absence, own[RATE], worst, is_ranked),
        probability_largest_dip=chance_among_highest(dip, own[RATE], worst, is_ranked),
        worst=worst, level=LEVEL, drift_sd=drift,
    )  # fmt: skip


def _variance(
    means: IntakeMeans, allowance: Allowance, outcome: str, alike: float | None
) -> tuple[FloatArray, FloatArray]:
    """Return the variance of each school's own mean, and the standard deviation of a year, in shares."""
    unit = np.ones_like(means.slope) if outcome == RATE else means.slope
    of_school = means.level_variance + (allowance.school_year_sd * unit) ** 2
    own = means.chance_variance + of_school * (1.0 if alike is None else alike)
    return own, allowance.drift_sd * unit


def chance_among_highest(mean: FloatArray, variance: FloatArray, worst: int, is_ranked: Array) -> FloatArray:
    """Return each school's chance (S,) of being among the ``worst`` highest, by 4,000 draws; NaN if it is not ranked.

    >>> found = chance_among_highest(np.array([0.3, 0.1, 0.1]), np.full(3, 1e-4), 1, np.full(3, True))
    >>> found.round(2).tolist()
    [1.0, 0.0, 0.0]
    """
    found = np.full(len(mean), np.nan)
    ranked = is_ranked & np.isfinite(mean)
    count = int(ranked.sum())
    if count <= worst:
        found[ranked] = 1.0
        return found
    draws = np.random.default_rng(_SEED).standard_normal((_DRAWS, count)) * np.sqrt(variance[ranked]) + mean[ranked]
    highest = np.argpartition(draws, count - worst, axis=1)[:, count - worst :]
    found[ranked] = np.bincount(highest.ravel(), minlength=count) / _DRAWS
    return found
