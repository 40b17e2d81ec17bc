"""Chances of persistent absence, brought to the level of a new year once its first weeks are in.

Years differ in ways nobody knows in July. The first half term (or term) tells how far: absence of those weeks is set against what
the same chances gave in the same weeks of the latest cohort followed, and the difference is the year's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.metrics.transition.cohort import Later, StepCohort
from attendance_toolkit.models._logit import expit_of
from attendance_toolkit.models.transition.ridge import LEAST_EVENTS, fit_ridge
from attendance_toolkit.models.transition.scores import level_above, log_odds
from attendance_toolkit.models.transition.simple_rules import reached
from attendance_toolkit.vocabulary.measures import PERSISTENT


def year_shift(
    latest: StepCohort,
    latest_chance: FloatArray,
    cohort: StepCohort,
    chance: FloatArray,
    periods: Sequence[str],
) -> float:
    """Return how far the new year lies above the latest one, in log odds of persistent absence over the year.

    Parameters
    ----------
    latest
        The latest cohort followed through the later year.
    latest_chance, chance
        (N,) chances of persistent absence the model gives the pupils of each cohort.
    cohort
        The cohort forecast; only its first weeks are looked at.
    periods
        Half terms whose sessions are in for both: ``("1",)`` or ``("1-2",)``.

    Raises
    ------
    NoDataError
        One of the cohorts has no sessions of the periods, or too few pupils missed a tenth of them.

    Notes
    -----
    "A tenth of the weeks' sessions missed" is regressed on the chance's log odds in the latest cohort (logistic); the
    intercept is then fitted to the new one with that slope. A difference of intercepts over the slope is the shift.
    """
    first, odds_before = _weeks(latest, latest_chance, periods)
    second, odds_now = _weeks(cohort, chance, periods)
    design = np.column_stack([np.ones(len(first)), odds_before])
    intercept, slope = fit_ridge(design, first, ridge=0).coefficients
    return float((level_above(second, slope * odds_now) - intercept) / slope)


def recentred_chances(chance: FloatArray, shift: float) -> FloatArray:
    """Return chances (N,) moved by a shift in log odds.

    >>> recentred_chances(np.array([0.2, 0.5]), 0.1).round(4).tolist()
    [0.2165, 0.525]
    """
    return np.where(np.isfinite(chance), expit_of(log_odds(chance) + shift), np.nan)


def _weeks(cohort: StepCohort, chance: FloatArray, periods: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """Return whether each pupil missed a tenth of the weeks' sessions, and the log odds of the chance."""
    later = cohort.later
    possible, missed = _sessions(later, periods) if later is not None else (np.zeros(0), np.zeros(0))
    has = possible > 0
    outcome = reached(missed[has], possible[has], PERSISTENT).astype(float)
    if min(outcome.sum(), len(outcome) - outcome.sum()) < LEAST_EVENTS:
        raise NoDataError(
            f"{cohort.label} has too few pupils who missed a tenth of the sessions of the first weeks ({', '.join(periods)}) of the"
            " year after: forecasts stay as they are. Load the autumn's sessions."
        )
    return outcome, log_odds(chance[has])


def _sessions(later: Later, periods: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    places = [place for place, name in enumerate(later.periods) if name in periods]
    return later.period_possible[:, places].sum(axis=1), later.period_missed[:, places].sum(axis=1)
