"""Gradient boosting on what the models know: does a method that looks for any pattern find more than the models do?

It is a challenger, never what a page forecasts with: it cannot be read, and has no intervals. It gets the models' own columns
(but those that bend a line), the rates as they are, and the same empirical-Bayes effects of schools, so that only the shape of the
prediction differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.metrics.transition.cohort import StepCohort
from attendance_toolkit.models._logit import expit_of
from attendance_toolkit.models._threads import one_thread
from attendance_toolkit.models.transition import scores
from attendance_toolkit.models.transition.design import FULL, StepDesign, july_view, learn_design, sessions_of
from attendance_toolkit.models.transition.ridge import LEAST_EVENTS
from attendance_toolkit.models.transition.school_effects import SchoolEffects, school_effects
from attendance_toolkit.models.transition.simple_rules import reached
from attendance_toolkit.vocabulary.measures import PERSISTENT, SEVERE

#: Pupils it is trained on at most, drawn by chance: more make it slower, hardly better.
MOST_PUPILS = 80_000
_SEED = 7
#: Parts of the names of columns that bend a line: a tree bends by itself.
_SHAPES = (", bend ", ", more above ")
_SETTINGS = {
    "max_iter": 80, "learning_rate": 0.1, "max_leaf_nodes": 15, "min_samples_leaf": 60, "l2_regularization": 1.0,
    "early_stopping": False, "random_state": _SEED,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Challenger:
    """Fitted trees with effects of schools.

    Attributes
    ----------
    design
        The columns shared with the models.
    has
        (P,) which of all columns had a value in training: trees take no column without one, as the year before is where the
        data begin with the only cohort.
    rate, persistent, severe
        Fitted scikit-learn models; None where too few pupils had the outcome.
    effects
        Effects of schools on rate, persistent and severe absence, on the scale of rates and of log odds.
    levels
        How far the latest cohort lay above all of them, on the same scales: predictions are at its level, as the models' are.
    """

    design: StepDesign
    has: NDArray[np.bool_]
    rate: Any
    persistent: Any
    severe: Any
    effects: tuple[SchoolEffects | None, ...]
    levels: tuple[float, ...]

    def predict(self, cohort: StepCohort) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return (N,) rates, and probabilities of persistent and of severe absence; missing where there is no model."""
        columns = _columns(self.design, cohort)[:, self.has]
        shifts = [
            level + (effect.of(cohort.destination)[0] if effect is not None else 0.0)
            for level, effect in zip(self.levels, self.effects, strict=True)
        ]
        with one_thread():
            rate = self.rate.predict(columns)
            chances = [
                model.predict_proba(columns)[:, 1] if model is not None else np.full(len(columns), np.nan)
                for model in (self.persistent, self.severe)
            ]
        persistent, severe = (
            expit_of(scores.log_odds(chance) + shift) for chance, shift in zip(chances, shifts[1:], strict=True)
        )
        return np.clip(rate + shifts[0], 0, 1), persistent, severe


def fit_challenger(
    cohorts: Sequence[StepCohort], *, features: str = FULL, terms: Sequence[str] | None = None
) -> Challenger:
    """Fit gradient boosting to cohorts that are followed, the pupils with sessions in both years.

    Parameters
    ----------
    cohorts, features, terms
        As of the models (``step_model.fit_step``).
    """
    followed = [cohort.chosen(cohort.is_compared) for cohort in cohorts]
    design = learn_design(followed, features, terms)
    missed, possible, school, which = _outcomes(followed)
    size = len(missed)
    drawn = np.sort(np.random.default_rng(_SEED).permutation(size)[:MOST_PUPILS])
    columns = np.concatenate([_columns(design, cohort) for cohort in followed])[drawn]
    has = np.isfinite(columns).any(axis=0)
    columns = columns[:, has]
    missed, possible, school, which = missed[drawn], possible[drawn], school[drawn], which[drawn]
    found = missed / possible
    from sklearn.ensemble import HistGradientBoostingRegressor  # here: scikit-learn is slow to import

    latest = which == which.max()
    with one_thread():
        rate = HistGradientBoostingRegressor(**_SETTINGS).fit(columns, found)
        residual = found - rate.predict(columns)
        persistent, severe = (
            _chances(columns, reached(missed, possible, at).astype(float)) for at in (PERSISTENT, SEVERE)
        )
        chances = [one.predict_proba(columns)[:, 1] if one is not None else None for one in (persistent, severe)]
    levels = [float(residual[latest].mean())]
    by_chance: list[SchoolEffects | None] = []
    for chance, at in zip(chances, (PERSISTENT, SEVERE), strict=True):
        if chance is None:
            levels.append(0.0)
            by_chance.append(None)
            continue
        kept = np.clip(chance, 1e-6, 1 - 1e-6)
        score, information = reached(missed, possible, at).astype(float) - kept, kept * (1 - kept)
        levels.append(float(score[latest].sum() / information[latest].sum()))
        by_chance.append(school_effects(score, information, school, which))
    spread = np.full(len(residual), max(float(residual.var()), 1e-12))
    by_rate = school_effects(residual / spread, 1 / spread, school, which)
    return Challenger(design, has, rate, persistent, severe, (by_rate, *by_chance), tuple(levels))


def _chances(columns: FloatArray, outcome: FloatArray) -> Any:
    """Return trees for an outcome of 0 and 1, or None where too few pupils had it."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    if min(outcome.sum(), len(outcome) - outcome.sum()) < LEAST_EVENTS:
        return None
    return HistGradientBoostingClassifier(**_SETTINGS).fit(columns, outcome)


def _columns(design: StepDesign, cohort: StepCohort) -> FloatArray:
    """Return the models' columns and the plain rates of the year, its terms and the year before (missing: NaN)."""
    seen = july_view(cohort)
    sessions = [sessions_of(seen, design.terms), *(sessions_of(seen, (term,)) for term in design.terms)]
    sessions.append((seen.earlier_possible, seen.earlier_missed))
    rates = [np.where(possible > 0, missed / np.maximum(possible, 1), np.nan) for possible, missed in sessions]
    told = [place for place, name in enumerate(design.names) if place and not any(shape in name for shape in _SHAPES)]
    return np.column_stack([design.matrix(seen)[:, told], *rates])


def _outcomes(cohorts: Sequence[StepCohort]) -> tuple[np.ndarray, ...]:
    """Return sessions missed and possible after the step, school and number of the cohort of every pupil."""
    laters = [later for cohort in cohorts if (later := cohort.later) is not None]
    return (
        np.concatenate([later.missed for later in laters]),
        np.concatenate([later.possible for later in laters]),
        np.concatenate([cohort.destination for cohort in cohorts]),
        np.repeat(np.arange(len(cohorts)), [len(cohort.pupils) for cohort in cohorts]),
    )
