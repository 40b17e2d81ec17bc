"""What a fitted model of a step makes of a pupil's absence, characteristics and school, in percentages.

Standardised predictions: the mean prediction over the pupils learned from, with one thing changed of all of them and all else as
it was. A coefficient of a bent line in log odds cannot be read alone; these can.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.intervals import Z95, FloatArray
from attendance_toolkit.metrics.transition.cohort import Array, StepCohort
from attendance_toolkit.models._logit import expit_of
from attendance_toolkit.models._threads import one_thread
from attendance_toolkit.models.transition.step_model import StepForecast, StepModel
from attendance_toolkit.vocabulary.calendar import WHOLE_YEAR
from attendance_toolkit.vocabulary.transition_allowance import PERSISTENT, RATE, SEVERE

#: Percent of sessions missed in the year before the step; and in that year and the one before it.
ABSENCE_LEVELS, LASTING_LEVELS = (1, 3, 5, 8, 10, 15, 20, 30, 50), (5, 10, 20, 50)
#: Characteristic -> the level compared with, and the levels held against it.
COMPARED_LEVELS = {
    "fsm_eligible": ("Not known to be FSM eligible", ("FSM eligible",)),
    "sen_provision": ("No SEN", ("SEN support", "EHC plan")),
    "sex": ("Male", ("Female",)),
}
#: What is changed: the column ``kind``, beside the characteristics.
ABSENCE, LASTING, LATEST_TERM, SCHOOL = "absence", "lasting absence", "latest term", "school"
#: Percent missed in a year, and in its latest term, where that is worse than the year.
YEAR_LEVEL, TERM_LEVEL = 10, 20

Change = Callable[[StepCohort], StepCohort]


def step_effects(model: StepModel, cohorts: Sequence[StepCohort]) -> pd.DataFrame:
    """Return what a model expects of the pupils compared of some cohorts, were one thing of all of them otherwise.

    Parameters
    ----------
    model
        Predictions are at the level of its latest cohort.
    cohorts
        Those it is fitted to; the pupils compared are taken (``StepCohort.is_compared``).

    Returns
    -------
    pandas.DataFrame
        Columns kind, level, since, outcome ("rate", "persistent", "severe"), value, lower and upper. Without ``since``, the value
        is a mean rate or chance, 0 to 1; with it, how far that lies above the one of the pupils named by ``since``.
        "absence": ``level`` percent missed in each term, the year before as it was; "lasting absence": in the year before too,
        over the pupils who have it; "latest term": ``level`` percent missed in the latest term and ``since`` in the year, the other
        terms less; "school": an effect of one standard deviation more, without interval. A level nobody has is left out, and
        an outcome without a model.

    Notes
    -----
    Lane and Nelder (1982), Biometrics 38, 613. Intervals (95%) are of what the model has learned, from the robust covariance of
    its coefficients by the delta method, effects of schools as they are: not of one pupil's year.
    """
    pupils = [cohort.chosen(cohort.is_compared) for cohort in cohorts if cohort.is_compared.any()]
    with one_thread():
        return pd.DataFrame([*_levels(model, pupils), *_differences(model, pupils), *_of_school(model, pupils)])


def with_absence(cohort: StepCohort, percent: float, *, is_lasting: bool = False) -> StepCohort:
    """Return the cohort with so many percent of the sessions of each term missed, and, if ``is_lasting``, of the year before.

    Sessions are not rounded to whole ones.
    """
    earlier = cohort.earlier_possible * percent / 100 if is_lasting else cohort.earlier_missed
    return replace(cohort, missed=cohort.possible * percent / 100, earlier_missed=earlier)


def with_latest_term(cohort: StepCohort, terms: Sequence[str], percent: float, in_term: float) -> StepCohort:
    """Return the cohort with ``percent`` missed in the year and ``in_term`` in the last of the terms, the others less for it."""
    places = [cohort.terms.index(term) for term in terms]
    even = with_absence(cohort, percent)
    possible = cohort.possible[:, places].sum(axis=1)
    latest = cohort.possible[:, places[-1]]
    others = possible - latest
    left = np.maximum(possible * percent - latest * in_term, 0) / np.maximum(others, 1) / 100
    missed = even.missed.copy()
    missed[:, places] = cohort.possible[:, places] * left[:, None]
    missed[:, places[-1]] = latest * in_term / 100
    missed[others == 0] = even.missed[others == 0]
    return replace(even, missed=missed)


def with_level(cohort: StepCohort, characteristic: str, level: str) -> StepCohort:
    """Return the cohort with all pupils at a level of a characteristic."""
    code = cohort.levels[characteristic].index(level)
    codes = np.full_like(cohort.codes[characteristic], code)
    return replace(cohort, codes={**cohort.codes, characteristic: codes})


@dataclass(frozen=True, eq=False)
class _Mean:
    """A mean prediction and its slope by the coefficients of the design (P,)."""

    value: float
    slope: FloatArray


def _means(
    model: StepModel, cohorts: Sequence[StepCohort], change: Change, among: Sequence[Array] | None = None
) -> dict[str, _Mean]:
    """Return the mean of each outcome over pupils changed, all or those of a mask for each cohort."""
    values = dict.fromkeys(model.outcomes, 0.0)
    slopes = {name: np.zeros(len(model.features)) for name in model.outcomes}
    count = 0
    for place, cohort in enumerate(cohorts):
        changed = change(cohort)
        keep = np.ones(len(cohort.pupils), bool) if among is None else among[place]
        forecast, matrix = model.predict(changed), model.design.matrix(changed)[keep]
        count += int(keep.sum())
        for name in model.outcomes:
            chance = _chances(forecast)[name][keep]
            values[name] += float(chance.sum())
            slopes[name] += (chance * (1 - chance)) @ matrix
    return {name: _Mean(values[name] / count, slopes[name] / count) for name in model.outcomes}


def _chances(forecast: StepForecast) -> Mapping[str, FloatArray]:
    return {RATE: forecast.rate, PERSISTENT: forecast.persistent, SEVERE: forecast.severe}


def _error(model: StepModel, outcome: str, slope: FloatArray) -> float:
    """Return the standard error of a figure with this slope."""
    width = len(slope)
    covariance = model.outcomes[outcome].fit.covariance[:width, :width]
    return math.sqrt(max(float(slope @ covariance @ slope), 0.0))


def _levels(model: StepModel, cohorts: Sequence[StepCohort]) -> Iterator[dict[str, Any]]:
    for percent in ABSENCE_LEVELS:
        means = _means(model, cohorts, partial(with_absence, percent=percent))
        yield from _level_rows(model, ABSENCE, percent, means)
    has_both = [cohort.earlier_possible > 0 for cohort in cohorts]
    if not any(has.any() for has in has_both):
        return
    for percent in LASTING_LEVELS:
        means = _means(model, cohorts, partial(with_absence, percent=percent, is_lasting=True), has_both)
        yield from _level_rows(model, LASTING, percent, means)


def _level_rows(model: StepModel, kind: str, percent: int, means: Mapping[str, _Mean]) -> Iterator[dict[str, Any]]:
    for outcome, mean in means.items():
        # On the scale of log odds, so that the interval stays between 0 and 1.
        half = Z95 * _error(model, outcome, mean.slope) / (mean.value * (1 - mean.value))
        lower, upper = expit_of(math.log(mean.value / (1 - mean.value)) + np.array([-half, half])).tolist()
        yield {
            "kind": kind, "level": str(percent), "since": "", "outcome": outcome, "value": mean.value,
            "lower": lower, "upper": upper,
        }  # fmt: skip


def _differences(model: StepModel, cohorts: Sequence[StepCohort]) -> Iterator[dict[str, Any]]:
    for name, (reference, levels) in COMPARED_LEVELS.items():
        there = [level for level in levels if level in model.design.levels.get(name, ()) and _has(cohorts, name, level)]
        if not there or not _has(cohorts, name, reference):
            continue
        base = _means(model, cohorts, partial(with_level, characteristic=name, level=reference))
        for level in there:
            means = _means(model, cohorts, partial(with_level, characteristic=name, level=level))
            yield from _difference_rows(model, name, level, reference, means, base)
    if len(model.terms) > 1 and WHOLE_YEAR not in model.terms:
        base = _means(model, cohorts, partial(with_absence, percent=YEAR_LEVEL))
        change = partial(with_latest_term, terms=model.terms, percent=YEAR_LEVEL, in_term=TERM_LEVEL)
        worse = _means(model, cohorts, change)
        yield from _difference_rows(model, LATEST_TERM, str(TERM_LEVEL), str(YEAR_LEVEL), worse, base)


def _has(cohorts: Sequence[StepCohort], name: str, level: str) -> bool:
    """Return whether every cohort knows the level and a pupil has it."""
    if not all(level in cohort.levels.get(name, ()) for cohort in cohorts):
        return False
    return any((cohort.codes[name] == cohort.levels[name].index(level)).any() for cohort in cohorts)


def _difference_rows(
    model: StepModel, kind: str, level: str, since: str, means: Mapping[str, _Mean], base: Mapping[str, _Mean]
) -> Iterator[dict[str, Any]]:
    for outcome, mean in means.items():
        value = mean.value - base[outcome].value
        half = Z95 * _error(model, outcome, mean.slope - base[outcome].slope)
        yield {
            "kind": kind, "level": level, "since": since, "outcome": outcome, "value": value,
            "lower": value - half, "upper": value + half,
        }  # fmt: skip


def _of_school(model: StepModel, cohorts: Sequence[StepCohort]) -> Iterator[dict[str, Any]]:
    """Yield what an effect of one standard deviation between schools adds to what is expected in an average school."""
    matrix = np.concatenate([model.design.matrix(cohort) for cohort in cohorts])
    everybody = np.ones(len(matrix), dtype=np.int32)
    for outcome, of_outcome in model.outcomes.items():
        effects = of_outcome.effects
        one_up = replace(effects, laestab=np.array([1]), effect=np.array([effects.sd]), share=np.array([1.0]))
        above, average, _ = replace(of_outcome, effects=one_up).chance(matrix, everybody)
        yield {
            "kind": SCHOOL, "level": "1", "since": "0", "outcome": outcome,
            "value": float((above - average).mean()), "lower": np.nan, "upper": np.nan,
        }  # fmt: skip
