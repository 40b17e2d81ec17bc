"""A model of a step from one year group to the next: fitted to earlier cohorts, it predicts the next one from July."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.metrics.transition.cohort import Array, Later, StepCohort
from attendance_toolkit.models._logit import expit_of
from attendance_toolkit.models._threads import one_thread
from attendance_toolkit.models.transition.allowance import (
    Allowance,
    Missed,
    how_missed,
    school_allowance,
)
from attendance_toolkit.models.transition.cohort_level import CohortLevel, level_of, year_shift_of
from attendance_toolkit.models.transition.design import FULL, StepDesign, common_terms, learn_design
from attendance_toolkit.models.transition.intakes import IntakeMeans, intake_means, places_of, sums_of
from attendance_toolkit.models.transition.pupil_intervals import PupilIntervals, halves, learn_intervals
from attendance_toolkit.models.transition.rate import fit_rate
from attendance_toolkit.models.transition.ridge import LEAST_EVENTS, LogitFit, fit_ridge
from attendance_toolkit.models.transition.school_effects import SchoolEffects, mean_kept, school_effects
from attendance_toolkit.vocabulary import measures
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.transition_allowance import OUTCOMES, PERSISTENT, RATE, SEVERE, default_allowance

#: Fewer pupils say too little of some thirty columns.
LEAST_PUPILS = 200
#: Fewer pupils of a school say nothing of the school's year.
_LEAST_OF_SCHOOL = 5


@dataclass(frozen=True, eq=False)
class OutcomeModel:
    """One outcome: coefficients of the design's columns, then of the cohorts before the latest; and school effects."""

    fit: LogitFit
    effects: SchoolEffects

    def chance(
        self, matrix: FloatArray, schools: Array, shift: float = 0.0
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return what is predicted with the school's effect, without it, and the share of the effect kept (N,).

        Nothing is nearer to 0 or 1 than half a pupil of those the model has seen: further out it knows nothing.
        """
        effect, share = self.effects.of(schools)
        linear = matrix @ self.fit.coefficients[: matrix.shape[1]] + shift
        nearest = 0.5 / self.fit.rows
        with_effect, without = (np.clip(expit_of(one), nearest, 1 - nearest) for one in (linear + effect, linear))
        return with_effect, without, share

    def history_level(self, matrix: FloatArray, is_history: Array) -> CohortLevel:
        """Return how high the history of pupils (N, P) of a whole cohort lies."""
        coefficients = self.fit.coefficients[: matrix.shape[1]]
        return level_of(matrix @ np.where(is_history, coefficients, 0.0))


@dataclass(frozen=True, eq=False)
class StepForecast:
    """What is expected of N pupils after the step, position by position as in the cohort.

    Attributes
    ----------
    rate
        Share of sessions missed, 0 to 1.
    lower, upper
        90% interval of the rate.
    persistent, severe
        Chance of persistent and of severe absence; NaN where the model has none (``StepModel.not_fitted``).
    school_effect
        What of the rate is due to the school the pupil goes to: 0 where it is not known, or new.
    destination
        LAESTAB the prediction is for; 0 where it is not known.
    variance
        Of a pupil's rate about the one expected.
    share_known
        Outcome -> share of a school's own level that is known, 0 for a school without history.
    """

    rate: FloatArray
    lower: FloatArray
    upper: FloatArray
    persistent: FloatArray
    severe: FloatArray
    school_effect: FloatArray
    destination: Array
    variance: FloatArray
    share_known: Mapping[str, FloatArray]


@dataclass(frozen=True, eq=False)
class StepModel:
    """A fitted model (``fit_step``).

    Attributes
    ----------
    from_year, to_year
        Year groups of the step.
    design
        The columns, which terms they are of, and which were left out.
    pupils
        Academic year -> pupils of that cohort the model is fitted to. Predictions are at the level of the latest.
    outcomes
        "rate", "persistent", "severe" -> its model.
    not_fitted
        Outcome -> why there is no model of it.
    intervals
        How far off a pupil's rate may be.
    allowances
        Outcome -> what a school's forecast allows for beyond the chance of its pupils.
    latest
        Outcome -> how high the history of the latest cohort lies.
    shift
        Outcome -> what is added to the log odds of the cohort to be predicted (``levelled``); nothing if it is not there.
    """

    from_year: str
    to_year: str
    design: StepDesign
    pupils: Mapping[int, int]
    outcomes: Mapping[str, OutcomeModel]
    not_fitted: Mapping[str, str]
    intervals: PupilIntervals
    allowances: Mapping[str, Allowance]
    latest: Mapping[str, CohortLevel] = field(default_factory=dict)
    shift: Mapping[str, float] = field(default_factory=dict)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns, the intercept first."""
        return self.design.names

    @property
    def terms(self) -> tuple[str, ...]:
        """Terms of the year before the step that are used."""
        return self.design.terms

    def levelled(self, cohort: StepCohort) -> StepModel:
        """Return the model at the level of a cohort to be predicted (``models.transition.cohort_level``).

        Parameters
        ----------
        cohort
            All its pupils, of all authorities of the store: of a part of them the level would be the part's own. Its ``later``
            is not looked at.
        """
        if not len(cohort.pupils):
            return self
        matrix, is_history = self.design.matrix(cohort), self.design.is_history
        return replace(
            self,
            shift={
                name: year_shift_of(self.latest[name], model.history_level(matrix, is_history))
                for name, model in self.outcomes.items()
            },
        )

    def predict(self, cohort: StepCohort, destination: Array | None = None) -> StepForecast:
        """Return what is expected of each pupil, from what is known in July.

        Parameters
        ----------
        cohort
            Pupils about to move up, any part of a cohort; of a new one, by the model ``levelled`` for the whole of it. Its
            ``later`` is not looked at.
        destination
            (N,) LAESTAB after the step, 0 where it is not known; ``cohort.destination`` if None.

        Raises
        ------
        ParameterError
            The cohort is of another year group, or lacks a term the model uses.
        """
        if cohort.from_year != self.from_year:
            raise ParameterError(
                f"The model is of pupils moving up from Year {self.from_year}; {cohort.label} is another year group."
            )
        schools = cohort.destination if destination is None else np.asarray(destination)
        matrix = self.design.matrix(cohort)
        rate, without, share = self.outcomes[RATE].chance(matrix, schools, self.shift.get(RATE, 0.0))
        chances, shares = {}, {RATE: share}
        for name in (PERSISTENT, SEVERE):
            if name in self.outcomes:
                shift = self.shift.get(name, 0.0)
                chances[name], _, shares[name] = self.outcomes[name].chance(matrix, schools, shift)
            else:
                chances[name], shares[name] = np.full(len(rate), np.nan), np.zeros(len(rate))
        lower, upper = self.intervals.bounds(rate)
        return StepForecast(
            rate, lower, upper, chances[PERSISTENT], chances[SEVERE], rate - without, schools,
            self.intervals.variance(rate), shares,
        )  # fmt: skip

    def means(self, forecast: StepForecast, outcome: str, place: Array, size: int) -> IntakeMeans:
        """Return means by school of "rate", "persistent" or "severe" for pupils (N,) at a place of ``size`` schools."""
        chance = {RATE: forecast.rate, PERSISTENT: forecast.persistent, SEVERE: forecast.severe}[outcome]
        variance = forecast.variance if outcome == RATE else chance * (1 - chance)
        effects = self.outcomes[outcome].effects
        return intake_means(chance, variance, effects.left_variance(forecast.share_known[outcome]), place, size)

    def coefficients(self) -> pd.DataFrame:
        """Return the coefficients for a model card.

        Returns
        -------
        pandas.DataFrame
            Columns outcome, group, feature, coefficient (log odds) and standard_error (robust). Cohorts before the
            latest have a row each: what they lay above it.
        """
        last = max(self.pupils)
        cohorts = [f"Cohort of {show_academic_year(year)}" for year in self.pupils if year != last]
        features = [*self.design.names, *cohorts]
        groups = [*self.design.groups, *("Cohort" for _ in cohorts)]
        parts = [
            pd.DataFrame(
                {
                    "outcome": name, "group": groups, "feature": features,
                    "coefficient": model.fit.coefficients, "standard_error": model.fit.standard_errors,
                }
            )
            for name, model in self.outcomes.items()
        ]  # fmt: skip
        return pd.concat(parts, ignore_index=True)


def fit_step(
    cohorts: Sequence[StepCohort],
    *,
    features: str = FULL,
    terms: Sequence[str] | None = None,
    with_allowances: bool = True,
) -> StepModel:
    """Fit the models of a step to earlier cohorts.

    Parameters
    ----------
    cohorts
        Cohorts of one step; those without a whole later year are left out. Every pupil compared
        (``StepCohort.is_compared``) of all authorities is taken.
    features
        "full", for forecasts of schools; or "attendance", for lists of pupils: without sex, ethnicity and SEN.
    terms
        Terms of the year before the step to use; those that all cohorts given have if None. Give
        ``common_terms`` of these cohorts and the one to predict where that one may lack a term.
    with_allowances
        Whether to learn how far school years and years differ, by predicting each cohort with those before it: for
        forecasts of schools. Lists of pupils need it not, and are then made in half the time.

    Raises
    ------
    NoDataError
        Fewer than 200 pupils are followed over the step.
    ParameterError
        Cohorts of several steps, an unknown set of features, or a term that a cohort lacks.

    Notes
    -----
    The rate is a fractional logit weighted by sessions; persistent and severe absence are logistic models of their own,
    with a small ridge, since a distribution about the rate gives badly calibrated chances. Each has a
    level for every cohort: predictions are at the latest cohort's (``StepModel.levelled``). School effects are empirical-Bayes.
    A pupil's interval is conformal, from models of the other half of the pupils.
    """
    if len({cohort.from_year for cohort in cohorts}) > 1:
        raise ParameterError("The cohorts are of several year groups: fit one step at a time.")
    used = tuple(terms) if terms is not None else common_terms(cohorts)
    whole = _followed(cohorts)
    training = [_compared(cohort) for cohort in whole]
    count = sum(len(cohort.pupils) for cohort in training)
    if count < LEAST_PUPILS:
        raise NoDataError(
            "Too few pupils are followed over the step with enough sessions in both years: a model needs"
            f" {LEAST_PUPILS} of earlier cohorts. Load earlier years, or more authorities."
        )
    with one_thread():
        allowances = _allowances(whole, features, used) if with_allowances else {}
        model, rows = _core(whole, features, used)
        return replace(model, intervals=_cross_fitted(rows), allowances=allowances)


def outcome_of(later: Later, name: str) -> FloatArray:
    """Return (N,) the rate found, or 1 and 0 for persistent and severe absence; NaN for a pupil without sessions."""
    has = later.possible > 0
    if name == RATE:
        return np.where(has, later.missed / np.where(has, later.possible, 1), np.nan)
    parts, whole = measures.PERSISTENT if name == PERSISTENT else measures.SEVERE
    return np.where(has, whole * later.missed.astype(np.int64) >= parts * later.possible, np.nan)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Training pupils of all cohorts, oldest first."""

    matrix: FloatArray
    cohort: Array
    pupils: Array
    school: Array
    missed: Array
    possible: Array
    outcomes: Mapping[str, FloatArray]


def _followed(cohorts: Sequence[StepCohort]) -> list[StepCohort]:
    """Return the cohorts with pupils to compare, oldest first, whole."""
    return sorted((one for one in cohorts if one.is_compared.any()), key=lambda cohort: cohort.academic_year)


def _compared(cohort: StepCohort) -> StepCohort:
    return cohort.chosen(cohort.is_compared)


def _rows(training: Sequence[StepCohort], design: StepDesign) -> _Rows:
    sizes, later = [len(cohort.pupils) for cohort in training], [_later(cohort) for cohort in training]
    width, before = len(design.names), len(training) - 1
    matrix, start = np.zeros((sum(sizes), width + before)), 0
    for place, (cohort, size) in enumerate(zip(training, sizes, strict=True)):
        matrix[start : start + size, :width] = design.matrix(cohort)
        if place < before:
            matrix[start : start + size, width + place] = 1
        start += size
    return _Rows(
        matrix,
        np.repeat(np.arange(len(training)), sizes),
        np.concatenate([cohort.pupils for cohort in training]),
        np.concatenate([one.laestab for one in later]),
        np.concatenate([one.missed for one in later]),
        np.concatenate([one.possible for one in later]),
        {name: np.concatenate([outcome_of(one, name) for one in later]) for name in OUTCOMES},
    )


def _later(cohort: StepCohort) -> Later:
    if cohort.later is None:
        raise NoDataError(f"{cohort.label} has no later year.")
    return cohort.later


def _core(whole: Sequence[StepCohort], features: str, terms: tuple[str, ...]) -> tuple[StepModel, _Rows]:
    """Return a model whose intervals are of the pupils it has seen, without allowances; and its rows.

    ``whole`` are cohorts with all their pupils: who is compared is known only afterwards, so the level of a cohort is not theirs.
    """
    training = [_compared(cohort) for cohort in whole]
    design = learn_design(training, features, terms)
    rows = _rows(training, design)
    outcomes, not_fitted = {RATE: _rate_model(rows)}, dict[str, str]()
    for name in (PERSISTENT, SEVERE):
        events = float(rows.outcomes[name].sum())
        if min(events, len(rows.pupils) - events) < LEAST_EVENTS:
            not_fitted[name] = (
                f"fewer than {LEAST_EVENTS} pupils with {name} absence, or without it, in earlier cohorts"
            )
            continue
        outcomes[name] = _with_effects(rows, name, fit_ridge(rows.matrix, rows.outcomes[name]), 1.0)
    rate = expit_of(outcomes[RATE].fit.linear(rows.matrix) + outcomes[RATE].effects.of(rows.school)[0])
    first, latest = training[0], design.matrix(whole[-1])
    model = StepModel(
        first.from_year, first.to_year, design,
        {cohort.academic_year: len(cohort.pupils) for cohort in training},
        outcomes, not_fitted, learn_intervals(rows.outcomes[RATE], rate), {},
        {name: one.history_level(latest, design.is_history) for name, one in outcomes.items()},
    )  # fmt: skip
    return model, rows


def _rate_model(rows: _Rows) -> OutcomeModel:
    fit = fit_rate(rows.matrix, rows.missed, rows.possible)
    return _with_effects(rows, RATE, fit, fit.dispersion)


def _with_effects(rows: _Rows, name: str, fit: LogitFit, dispersion: float) -> OutcomeModel:
    """Add effects of schools on the logit scale; ``dispersion`` is how much more a pupil varies than 0 and 1 would."""
    score = (rows.outcomes[name] - fit.fitted) / dispersion
    slope = np.maximum(fit.fitted * (1 - fit.fitted), 1e-9)
    year_sd = default_allowance(name).school_year_sd / (float(slope.mean()) if name == RATE else 1.0)
    effects = school_effects(score, slope / dispersion, rows.school, rows.cohort, year_sd=year_sd)
    return OutcomeModel(fit, mean_kept(effects, fit.linear(rows.matrix), fit.fitted, rows.school))


def _cross_fitted(rows: _Rows) -> PupilIntervals:
    """Return intervals from models fitted to one half of the pupils, predicting the other."""
    half, predicted = halves(rows.pupils), np.zeros(len(rows.pupils))
    for own in (0, 1):
        seen = half != own
        part = _Rows(
            rows.matrix[seen], rows.cohort[seen], rows.pupils[seen], rows.school[seen], rows.missed[seen],
            rows.possible[seen], {RATE: rows.outcomes[RATE][seen]},
        )  # fmt: skip
        model = _rate_model(part)
        linear = rows.matrix[~seen] @ model.fit.coefficients
        predicted[~seen] = expit_of(linear + model.effects.of(rows.school[~seen])[0])
    return learn_intervals(rows.outcomes[RATE], predicted)


def _allowances(whole: Sequence[StepCohort], features: str, terms: tuple[str, ...]) -> dict[str, Allowance]:
    """Return allowances from predicting each cohort with those before it."""
    years: dict[str, list[Missed]] = {name: [] for name in OUTCOMES}
    for place in range(1, len(whole)):
        before, cohort = whole[:place], whole[place]
        if sum(int(one.is_compared.sum()) for one in before) < LEAST_PUPILS:
            continue
        model, _ = _core(before, features, terms)
        for name, found in _missed(model.levelled(cohort), _compared(cohort)).items():
            years[name].append(found)
    return {name: school_allowance(years[name], name) for name in OUTCOMES}


def _missed(model: StepModel, cohort: StepCohort) -> dict[str, Missed]:
    """Return how the schools of a cohort came out against what the model predicted."""
    later = _later(cohort)
    forecast = model.predict(cohort, later.laestab)
    schools, place = places_of(later.laestab)
    enough = sums_of(np.ones(len(place)), place, len(schools)) >= _LEAST_OF_SCHOOL
    found = {}
    for name in model.outcomes:
        means = model.means(forecast, name, place, len(schools))
        if name == RATE:
            after = sums_of(later.missed, place, len(schools)) / sums_of(later.possible, place, len(schools))
            unit = np.ones(len(schools))
        else:  # a distance in log odds
            after = sums_of(outcome_of(later, name), place, len(schools)) / sums_of(
                np.ones(len(place)), place, len(schools)
            )
            unit = means.slope
        variance = (means.chance_variance + means.level_variance) / unit**2
        apart = (after - means.mean) / unit
        found[name] = how_missed(np.zeros(int(enough.sum())), apart[enough], variance[enough])
    return found
