"""The proof of a step's model: fitted to earlier cohorts, it predicts the next one, beside rules that need no model.

Nothing here is of the cohort that is forecast: the models of the proof have not seen the cohort they are tested on, nor
anything later than its July but, for schools, where its pupils went (school offers tell that by July for nearly all).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.metrics.transition.cohort import Array, StepCohort
from attendance_toolkit.models._threads import one_thread
from attendance_toolkit.models.transition import scores
from attendance_toolkit.models.transition.challenger import Challenger, fit_challenger
from attendance_toolkit.models.transition.design import ATTENDANCE, FULL, common_terms
from attendance_toolkit.models.transition.forecasts import LEAST_RANKED, forecast_schools
from attendance_toolkit.models.transition.intakes import places_of, sums_of
from attendance_toolkit.models.transition.scores import Difference
from attendance_toolkit.models.transition.simple_rules import (
    Predicted,
    carried_forward,
    mean_change,
    rate_after,
    rate_before,
    reached,
    school_before,
    year_before_rule,
)
from attendance_toolkit.models.transition.step_model import StepForecast, StepModel, fit_step
from attendance_toolkit.vocabulary.measures import PERSISTENT, SEVERE

MODEL, TARGETING, BOOSTING = "Model", "Model without pupil characteristics", "Gradient boosting"
#: What a score is about: measures by their names.
RATE_MEASURE, PERSISTENT_MEASURE, SEVERE_MEASURE = (
    "overall_absence_rate", "persistent_absence_rate", "severe_absence_rate",
)  # fmt: skip
_THRESHOLDS = {PERSISTENT_MEASURE: PERSISTENT, SEVERE_MEASURE: SEVERE}
#: Characteristic -> levels whose forecasts are checked.
GROUPS = {
    "fsm_eligible": ("FSM eligible", "Not known to be FSM eligible"),
    "sen_provision": ("No SEN", "SEN support", "EHC plan"),
    "sex": ("Female", "Male"),
}
PUPILS, SCHOOLS = "Pupils", "Schools"


@dataclass(frozen=True, eq=False)
class Proof:
    """How well the models predicted a cohort they had not seen.

    Attributes
    ----------
    tested, trained
        Academic years (before the step) of the cohort predicted, and of those learned from.
    from_year, to_year
        Year groups of the step.
    pupils
        Pupils tested: those of the area with enough sessions in both years.
    capacity
        Places on a list.
    measures
        Rows ``model``, ``about`` (a measure's name), ``statistic`` (its name in ``vocabulary.statistics``), ``value``
        (shares from 0 to 1); missing where a method says nothing about it.
    calibration
        Fifths of the pupils by predicted chance: ``model``, ``about``, ``quintile``, ``pupils``, ``expected``, ``found`` (counts).
    groups
        Observed over expected, of the model, by group: ``about``, ``characteristic``, ``level`` (both "" for all pupils),
        ``pupils``, ``observed``, ``expected``, ``ratio``, ``lower``, ``upper`` (Byar's 95% limits), ``is_flagged`` (1 lies outside),
        ``against_all`` (the ratio over that of all pupils: what is not a drift of the whole year).
    coverage
        90% intervals of the model: ``about`` ("Pupils" or "Schools"), ``quintile`` (0: all; else by predicted rate), ``number``,
        ``inside``, ``share``.
    precision
        Lists: ``model``, ``about``, ``capacity``, ``listed``, ``found``, ``outcomes``, ``precision``, ``recall``.
    gains
        The models against what they must beat: ``model``, ``against``, ``about``, ``statistic``, ``value``, ``lower``,
        ``upper`` (95%); above 0 is better.
    schools
        One row a school: ``laestab``, ``pupils``, ``before``, ``expected``, ``lower``, ``upper``, ``found``.
    model, targeting
        The two models tested; ``targeting`` makes lists of pupils.
    """

    tested: int
    trained: tuple[int, ...]
    from_year: str
    to_year: str
    pupils: int
    capacity: int
    measures: pd.DataFrame
    calibration: pd.DataFrame
    groups: pd.DataFrame
    coverage: pd.DataFrame
    precision: pd.DataFrame
    gains: pd.DataFrame
    schools: pd.DataFrame
    model: StepModel
    targeting: StepModel

    @property
    def rule(self) -> str:
        """Name of the rule to beat for lists: "Year 6 rule"."""
        return rule_name(self.from_year)

    @property
    def carried(self) -> str:
        """Name of the forecast to beat: "Year 6 carried forward"."""
        return carried_name(self.from_year)

    def beats(self, model: str) -> bool:
        """Return whether a model beats the year before: a smaller error and better order, at least one of them clearly."""
        rows = self.gains[self.gains["model"] == model]
        return bool(len(rows) and (rows["value"] > 0).all() and (rows["lower"] > 0).any())

    @property
    def is_better(self) -> bool:
        """Whether both models beat the year before. One that does not is not used."""
        return self.beats(MODEL) and self.beats(TARGETING)

    @property
    def verdict(self) -> str:
        """What follows, in a sentence without figures."""
        if self.is_better:
            return (
                "The models predict more closely than the year before carried forward, and put more of those who become"
                " persistently absent at the top of a list. They are used."
            )
        if not self.beats(MODEL) and not self.beats(TARGETING):
            return "The models were not shown to predict better than the year before itself. They are not used."
        which = "forecasts of schools" if self.beats(MODEL) else "lists of pupils"
        other = "lists of pupils" if self.beats(MODEL) else "forecasts of schools"
        return f"The model for {which} beats the year before itself and is used. The one for {other} does not, and is not used."

    def value(self, model: str, about: str, statistic: str) -> float:
        """Return one of the ``measures``; missing if there is none."""
        of = self.measures
        found = of.loc[(of["model"] == model) & (of["about"] == about) & (of["statistic"] == statistic), "value"]
        return float(found.iloc[0]) if len(found) else np.nan


def rule_name(from_year: str) -> str:
    """Return what the rule of the year before is called.

    >>> rule_name("6")
    'Year 6 rule'
    """
    return f"Year {from_year} rule"


def carried_name(from_year: str) -> str:
    """Return what the rate of the year before, taken for the next one, is called."""
    return f"Year {from_year} carried forward"


@dataclass(frozen=True, eq=False)
class Trained:
    """The models to be proved, fitted to earlier cohorts and at the level of the one tested: the same for every area.

    Attributes
    ----------
    model, targeting
        With all features asked for, and without sex, ethnicity and SEN.
    challenger
        Gradient boosting; None where it is not tried.
    terms
        Terms of the year before the step that they use.
    """

    model: StepModel
    targeting: StepModel
    challenger: Challenger | None
    terms: tuple[str, ...]


def train_models(
    train: Sequence[StepCohort],
    test: StepCohort,
    *,
    features: str = FULL,
    terms: Sequence[str] | None = None,
    with_challenger: bool = True,
) -> Trained:
    """Fit the models that ``prove`` tests: the same for all areas of a store, so that they need be fitted once.

    Parameters
    ----------
    train, test, features, terms, with_challenger
        As of ``prove``.

    Raises
    ------
    NoDataError
        There is no earlier cohort that is followed.
    """
    followed = [cohort.chosen(cohort.is_compared) for cohort in train if cohort.is_compared.any()]
    if not followed:
        raise NoDataError("No earlier cohort is followed over the step: the model cannot be proved.")
    used = tuple(terms) if terms is not None else common_terms([*followed, test])
    with one_thread():
        model = fit_step(train, features=features, terms=used).levelled(test)
        # Lists are of pupils: what a school's year may do beside is not asked of their model.
        targeting = fit_step(train, features=ATTENDANCE, terms=used, with_allowances=False).levelled(test)
        challenger = fit_challenger(followed, features=features, terms=used) if with_challenger else None
    return Trained(model, targeting, challenger, used)


def prove(
    train: Sequence[StepCohort],
    test: StepCohort,
    *,
    keep: Array | None = None,
    capacity: int,
    features: str = FULL,
    terms: Sequence[str] | None = None,
    with_challenger: bool = True,
    trained: Trained | None = None,
) -> Proof:
    """Fit the models to earlier cohorts, predict the next one, and say how well, beside simpler ways.

    Parameters
    ----------
    train
        Cohorts to learn from, all before the one tested; every pupil compared, of all authorities.
    test
        The cohort to predict, followed over the step.
    keep
        (N,) pupils of ``test`` to be tested on; all if None. Schools are those that take at least half of their pupils from these,
        with all of their pupils.
    capacity
        Places on a list of pupils.
    features
        Of the model; the one for lists never has sex, ethnicity and SEN.
    terms
        Terms of the year before the step to use; those that all cohorts have if None.
    with_challenger
        Whether gradient boosting is fitted as well.
    trained
        The models, if they are fitted already (``train_models``): then ``features``, ``terms`` and ``with_challenger`` are theirs.

    Returns
    -------
    Proof

    Raises
    ------
    NoDataError
        There is no earlier cohort that is followed, or no pupil to test on.
    ParameterError
        A cohort to learn from is not before the one tested, ``keep`` is not one a pupil, or ``capacity`` is below 1.
    """
    _check(train, test, keep, capacity)
    if trained is None:
        trained = train_models(train, test, features=features, terms=terms, with_challenger=with_challenger)
    with one_thread():
        return _prove(train, test, keep, capacity, trained)


def _prove(train: Sequence[StepCohort], test: StepCohort, keep: Array | None, capacity: int, trained: Trained) -> Proof:
    followed = [cohort.chosen(cohort.is_compared) for cohort in train if cohort.is_compared.any()]
    everybody = _with_known_schools(test)
    whole = everybody.chosen(test.is_compared)
    taken = np.ones(len(whole.pupils), bool) if keep is None else np.asarray(keep, bool)[test.is_compared]
    tested = whole.chosen(taken)
    if not len(tested.pupils):
        raise NoDataError(f"No pupil of {test.label} has enough sessions in both years: there is nothing to test on.")

    model, targeting = trained.model, trained.targeting
    forecast = model.predict(whole)
    by_all = _simple(followed, whole)
    by_all[MODEL], by_all[TARGETING] = _of_forecast(forecast), _of_forecast(targeting.predict(whole))
    if trained.challenger is not None:
        by_all[BOOSTING] = Predicted(*trained.challenger.predict(whole))
    methods = {name: _chosen(method, taken) for name, method in by_all.items()}
    schools = _schools(model, everybody, taken)
    lists = _lists(methods, tested, capacity)
    return Proof(
        tested=test.academic_year,
        trained=tuple(sorted(cohort.academic_year for cohort in followed)),
        from_year=test.from_year,
        to_year=test.to_year,
        pupils=len(tested.pupils),
        capacity=capacity,
        measures=_measures(methods, tested, lists, _school_correlations(by_all, whole, schools)),
        calibration=_calibration(by_all, whole, taken),
        groups=_groups(methods[MODEL], tested),
        coverage=_coverage(forecast, whole, taken, schools),
        precision=lists,
        gains=_gains(methods, tested),
        schools=schools,
        model=model,
        targeting=targeting,
    )


def _check(train: Sequence[StepCohort], test: StepCohort, keep: Array | None, capacity: int) -> None:
    late = [cohort for cohort in train if cohort.academic_year >= test.academic_year]
    if late:
        raise ParameterError(
            f"{late[0].label} is not before {test.label}, which is to be predicted: give earlier cohorts to learn from."
        )
    if keep is not None and np.shape(keep) != (len(test.pupils),):
        raise ParameterError(f"'keep' has {np.size(keep)} values for the {len(test.pupils)} pupils of the cohort.")
    if capacity < 1:
        raise ParameterError(f"The capacity must be at least 1 pupil, not {capacity}.")


def _with_known_schools(cohort: StepCohort) -> StepCohort:
    """Return the cohort with the school offered, where there is an offer, as what was known in July."""
    return replace(cohort, destination=np.where(cohort.offered > 0, cohort.offered, cohort.destination))


def _simple(followed: Sequence[StepCohort], cohort: StepCohort) -> dict[str, Predicted]:
    return {
        carried_name(cohort.from_year): carried_forward(cohort),
        f"Year {cohort.from_year} plus the mean change": carried_forward(cohort, mean_change(followed)),
        f"School's last Year {cohort.to_year}": school_before(followed, cohort),
        rule_name(cohort.from_year): year_before_rule(cohort),
    }


def _of_forecast(forecast: StepForecast) -> Predicted:
    return Predicted(forecast.rate, forecast.persistent, forecast.severe)


def _chosen(method: Predicted, taken: Array) -> Predicted:
    rate, persistent, severe, may_list = (
        None if of is None else of[taken] for of in (method.rate, method.persistent, method.severe, method.may_list)
    )
    return Predicted(rate, persistent, severe, method.is_chance, may_list)


def _outcome(cohort: StepCohort, about: str) -> FloatArray:
    later = cohort.later
    if later is None:
        raise NoDataError(f"{cohort.label} has not been followed over the step.")
    return reached(later.missed, later.possible, _THRESHOLDS[about]).astype(float)


def _score_of(method: Predicted, about: str) -> FloatArray | None:
    """Return the method's chances or scores, or None where it has none."""
    found = method.persistent if about == PERSISTENT_MEASURE else method.severe
    return None if found is None or np.isnan(found).any() else found


def _lists(methods: Mapping[str, Predicted], cohort: StepCohort, capacity: int) -> pd.DataFrame:
    rows = []
    for about in _THRESHOLDS:
        outcome = _outcome(cohort, about)
        for name, method in methods.items():
            score = _score_of(method, about)
            if score is None:
                continue
            found = scores.list_score(outcome, score, capacity, method.may_list)
            rows.append(
                (name, about, capacity, found.listed, found.found, found.outcomes, found.precision, found.recall)
            )
    columns = ["model", "about", "capacity", "listed", "found", "outcomes", "precision", "recall"]
    return pd.DataFrame(rows, columns=columns)


def _measures(
    methods: Mapping[str, Predicted],
    cohort: StepCohort,
    lists: pd.DataFrame,
    correlations: list[tuple[str, str, str, float]],
) -> pd.DataFrame:
    found, rows = rate_after(cohort), list[tuple[str, str, str, float]]()
    for name, method in methods.items():
        if method.rate is not None:
            rows += [
                (name, RATE_MEASURE, "prediction_mae", scores.mean_absolute_error(found, method.rate)),
                (name, RATE_MEASURE, "prediction_rmse", scores.root_mean_square_error(found, method.rate)),
                (name, RATE_MEASURE, "calibration_slope", scores.rate_calibration(found, method.rate)),
            ]
        for about in _THRESHOLDS:
            score = _score_of(method, about)
            if score is not None:
                outcome = _outcome(cohort, about)
                rows += [(name, about, *row) for row in _chance_scores(outcome, score, method.is_chance)]
    found_at = {"precision": "precision_at_capacity", "recall": "recall_at_capacity"}
    of_lists = lists.rename(columns=found_at).melt(["model", "about"], list(found_at.values()), "statistic")
    columns = ["model", "about", "statistic", "value"]
    return pd.concat([pd.DataFrame(rows + correlations, columns=columns), of_lists], ignore_index=True)


def _chance_scores(outcome: FloatArray, score: FloatArray, is_chance: bool) -> list[tuple[str, float]]:
    order = [
        ("prediction_auc", scores.auc(outcome, score)),
        ("average_precision", scores.average_precision(outcome, score)),
    ]
    if not is_chance:
        return order
    slope, intercept = scores.calibration(outcome, score)
    return [
        *order,
        ("brier_score", scores.brier(outcome, score)),
        ("calibration_slope", slope),
        ("calibration_intercept", intercept),
    ]


def _schools(model: StepModel, everybody: StepCohort, taken: Array) -> pd.DataFrame:
    """Return expected and found absence of the schools that take at least half of their pupils from those tested."""
    forecast = forecast_schools(model, everybody, everybody.is_compared)
    whole = everybody.chosen(everybody.is_compared)
    names, place = places_of(whole.destination)
    size, later = len(names), whole.later
    assert later is not None
    own = sums_of(taken, place, size) / np.maximum(forecast.pupils, 1)
    frame = pd.DataFrame(
        {
            "laestab": forecast.laestab,
            "pupils": forecast.pupils,
            "before": forecast.before,
            "expected": forecast.absence,
            "lower": forecast.lower,
            "upper": forecast.upper,
            "found": sums_of(later.missed, place, size) / sums_of(later.possible, place, size),
        }
    )
    return frame[(own >= 0.5) & (frame["pupils"] >= LEAST_RANKED)].reset_index(drop=True)


def _school_correlations(
    methods: Mapping[str, Predicted], whole: StepCohort, schools: pd.DataFrame
) -> list[tuple[str, str, str, float]]:
    """Return how the methods put schools in order, by absence and by dip; every method's mean is over the same pupils."""
    names, place = places_of(whole.destination)
    at = np.searchsorted(names, schools["laestab"])
    pupils = np.maximum(sums_of(np.ones(len(place)), place, len(names)), 1)
    found, before, rows = schools["found"].to_numpy(), schools["before"].to_numpy(), []
    for name, method in methods.items():
        if method.rate is None:
            continue
        expected = (sums_of(method.rate, place, len(names)) / pupils)[at]
        dip = scores.rank_correlation(found - before, expected - before)
        rows.append((name, RATE_MEASURE, "school_rank_correlation", scores.rank_correlation(found, expected)))
        # The year before and a change for all say nothing of a school's dip: what is left is rounding of weights.
        is_constant = np.ptp(method.rate - rate_before(whole)) < 1e-12
        rows.append((name, RATE_MEASURE, "dip_rank_correlation", np.nan if is_constant else dip))
    return rows


def _calibration(methods: Mapping[str, Predicted], cohort: StepCohort, taken: Array) -> pd.DataFrame:
    """Return how many of those taken are in each fifth of all pupils tested, by predicted chance."""
    parts = []
    for name in (MODEL, TARGETING):
        for about in _THRESHOLDS:
            score = _score_of(methods[name], about)
            if score is not None:
                fifths = scores.calibration_quintiles(_outcome(cohort, about), score, taken)
                parts.append(fifths.assign(model=name, about=about))
    columns = ["model", "about", "quintile", "pupils", "expected", "found"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _groups(method: Predicted, cohort: StepCohort) -> pd.DataFrame:
    everyone = np.ones(len(cohort.pupils), bool)
    wanted = [("", "", everyone)]
    for name, levels in GROUPS.items():
        known = cohort.levels.get(name, ())
        wanted += [(name, level, cohort.codes[name] == known.index(level)) for level in levels if level in known]
    parts = []
    for about in _THRESHOLDS:
        chance = _score_of(method, about)
        if chance is None:
            continue
        outcome = _outcome(cohort, about)
        rows = [
            {"about": about, "characteristic": name, "level": level}
            | scores.observed_over_expected(outcome[here], chance[here])
            for name, level, here in wanted
        ]
        frame = pd.DataFrame(rows)
        parts.append(frame.assign(against_all=frame["ratio"] / frame["ratio"].iloc[0]))
    if not parts:
        raise NoDataError(
            "Too few pupils were persistently absent in earlier cohorts: there is no model of it to prove."
        )
    found = pd.concat(parts, ignore_index=True)
    return found.assign(is_flagged=(found["lower"] > 1) | (found["upper"] < 1))


def _coverage(forecast: StepForecast, whole: StepCohort, taken: Array, schools: pd.DataFrame) -> pd.DataFrame:
    rate = rate_after(whole)
    inside = ((rate >= forecast.lower) & (rate <= forecast.upper))[taken]
    fifth = scores.quintile_of(forecast.rate[taken])
    rows = [(PUPILS, 0, inside)]
    rows += [(PUPILS, number + 1, inside[fifth == number]) for number in range(scores.QUINTILES)]
    rows.append((SCHOOLS, 0, schools["found"].between(schools["lower"], schools["upper"]).to_numpy()))
    return pd.DataFrame(
        [(about, number, len(of), int(of.sum()), of.mean() if len(of) else np.nan) for about, number, of in rows],
        columns=["about", "quintile", "number", "inside", "share"],
    )


def _gains(methods: Mapping[str, Predicted], cohort: StepCohort) -> pd.DataFrame:
    """Return how much better the models are than the year before: smaller errors, and pupils in a better order."""
    carried, rule = carried_name(cohort.from_year), rule_name(cohort.from_year)
    found, outcome = rate_after(cohort), _outcome(cohort, PERSISTENT_MEASURE)
    plain, listed = methods[carried].rate, methods[rule].persistent
    assert plain is not None
    assert listed is not None
    rows = []
    for name in (MODEL, TARGETING, BOOSTING):
        if name not in methods:
            continue
        rate, chance = methods[name].rate, _score_of(methods[name], PERSISTENT_MEASURE)
        if rate is not None:
            gain = scores.error_gain(found, rate, plain, cohort.destination)
            rows.append(_gain(name, carried, RATE_MEASURE, "prediction_rmse", gain))
        gain = scores.auc_gain(outcome, chance, listed) if chance is not None else Difference(np.nan, np.nan, np.nan)
        rows.append(_gain(name, rule, PERSISTENT_MEASURE, "prediction_auc", gain))
    return pd.DataFrame(rows)


def _gain(model: str, against: str, about: str, statistic: str, gain: Difference) -> dict[str, object]:
    return {
        "model": model, "against": against, "about": about, "statistic": statistic,
        "value": gain.value, "lower": gain.lower, "upper": gain.upper,
    }  # fmt: skip
