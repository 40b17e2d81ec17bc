"""What the models know of a pupil by July: attendance before the step and, in the full set, characteristics.

A design is learned from training cohorts (knots, levels, columns that say something) and then made of any cohort. It is
made of a view of the cohort that has no later year, so that nothing of what came after can get into a prediction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from attendance_toolkit.errors import NoDataError, ParameterError, did_you_mean
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.metrics.transition.cohort import Array, StepCohort
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, TERMS, WHOLE_YEAR

#: All that is known; and attendance with free school meals, without sex, ethnicity and SEN (a proxy of disability).
FULL, ATTENDANCE = "full", "attendance"
FEATURE_SETS = (FULL, ATTENDANCE)
#: Sessions missed and possible added before a rate's logit is taken: a rate of 5% with the weight of ten days.
MISSED_ADDED, POSSIBLE_ADDED = 1, 20
#: Log odds of that rate: where log odds are counted from, so that other coefficients are about ordinary attendance.
_USUAL = float(np.log(0.05 / 0.95))
#: Rates above which a slope may change: of the latest term; and of the year (its spline is straight beyond the last knot, but
#: very high absence comes back towards the ordinary) and of both years together (absence that has lasted).
_LATEST_HINGES, _YEAR_HINGES = (0.10, 0.30), (0.05, 0.10, 0.15, 0.25)
KNOTS_AT = (0.10, 0.35, 0.65, 0.90)
#: Changes since the year before, in log odds, beyond which a slope may change: 1 is from 5% to 12.5%, 2 from 5% to 28%.
_FALLS, _RISES = (0.5,), (0.5, 1.0, 2.0)
#: Thresholds of absence in tenths of the sessions, compared in whole numbers.
_LATEST_TENTHS = (3, 5)
#: A cohort of which nearly nobody has the year before: the data begin with it.
_HARDLY_ANY = 0.1
_NO_DATA = "where the data begin with this year"
#: Square of the share of a column that others leave over: less is rounding.
_LEAST_REST = 1e-9

#: Characteristic -> its level to compare with, of each set of features.
_REFERENCES = {
    FULL: {
        "fsm_eligible": "Not known to be FSM eligible",
        "sen_provision": "No SEN",
        "sex": "Male",
        "ethnicity_major": "White",
    },
    ATTENDANCE: {"fsm_eligible": "Not known to be FSM eligible"},
}
_HEADINGS = {
    "fsm_eligible": "Free school meals",
    "sen_provision": "SEN",
    "sex": "Sex",
    "ethnicity_major": "Ethnicity",
}
_ANY_SEN = ("SEN support", "EHC plan")

Column = tuple[str, str, Array]


@dataclass(frozen=True, eq=False)
class StepDesign:
    """A recipe for the columns of a cohort.

    Attributes
    ----------
    features
        "full" or "attendance".
    terms
        Terms of the year before the step that are used.
    knots
        Of the spline of the year's log odds: at 10, 35, 65 and 90% of the training pupils.
    levels
        Characteristic -> levels with a column.
    names, groups
        Of each column, the intercept first; the group is a heading for the model card.
    left_out
        Column -> why it is not in the model.
    """

    features: str
    terms: tuple[str, ...]
    knots: tuple[float, ...]
    levels: Mapping[str, tuple[str, ...]]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    left_out: Mapping[str, str]

    @property
    def is_history(self) -> NDArray[np.bool_]:
        """(P,) columns of attendance, all but the intercept and those about characteristics."""
        return ~np.isin(self.groups, ("Intercept", *_HEADINGS.values()))

    def matrix(self, cohort: StepCohort) -> FloatArray:
        """Return the columns (N, P) of a cohort, from what is known by July.

        Raises
        ------
        ParameterError
            The cohort has not all of the terms.
        """
        places = {name: place for place, name in enumerate(self.names)}
        found = np.zeros((len(cohort.pupils), len(self.names)))
        for _, name, values in _columns(july_view(cohort), self):
            if name in places:
                found[:, places[name]] = values
        return found


def july_view(cohort: StepCohort) -> StepCohort:
    """Return the cohort without anything later than the year before the step.

    The destination stays: it is given by whoever asks, from school offers or an autumn roll.
    """
    return replace(cohort, later=None)


def common_terms(cohorts: Sequence[StepCohort]) -> tuple[str, ...]:
    """Return the terms that all of the cohorts have; "year" alone where there is none.

    A store of census returns lacks the latest summer term until the autumn census brings it: the models then use the
    terms that every cohort has.
    """
    found = tuple(term for term in TERMS if all(term in cohort.terms for cohort in cohorts))
    return found or (WHOLE_YEAR,)


def sessions_of(cohort: StepCohort, terms: Sequence[str]) -> tuple[Array, Array]:
    """Return (N,) sessions possible and missed in the terms; figures that are of the whole year only count with them.

    Raises
    ------
    ParameterError
        The cohort lacks one of the terms.
    """
    lacking = [term for term in terms if term not in cohort.terms and term != WHOLE_YEAR]
    if lacking:
        raise ParameterError(
            f"{cohort.label} has no sessions of the term '{lacking[0]}'. Fit the model with terms that all cohorts have"
            " (models.transition.common_terms)."
        )
    wanted = cohort.terms if tuple(terms) == (WHOLE_YEAR,) else (*terms, WHOLE_YEAR)
    places = [place for place, term in enumerate(cohort.terms) if term in wanted]
    return cohort.possible[:, places].sum(axis=1), cohort.missed[:, places].sum(axis=1)


def log_odds(missed: Array, possible: Array) -> FloatArray:
    """Return log odds of missing a session, drawn a little to 5%, so that they are finite.

    >>> log_odds(np.array([0, 19]), np.array([0, 180])).round(4).tolist()  # 1 of 20, 20 of 200
    [-2.9444, -2.1972]
    """
    events = missed + float(MISSED_ADDED)
    return np.asarray(np.log(events / (possible + float(POSSIBLE_ADDED) - events)))


def restricted_spline(values: FloatArray, knots: Sequence[float]) -> FloatArray:
    """Return the columns (N, K - 2) that let a line bend at K knots and be straight beyond the outer ones.

    Harrell (2015), Regression Modeling Strategies, section 2.4.5; in units of the squared distance of the outer knots.

    >>> restricted_spline(np.array([0.0, 1.0, 2.0, 3.0]), (0.0, 1.0, 2.0)).ravel().tolist()
    [0.0, 0.25, 1.5, 3.0]
    """
    *inner, last = knots
    before = inner[-1]
    scale, columns = (last - knots[0]) ** 2, []

    def cubed(knot: float) -> FloatArray:
        return np.asarray(np.maximum(values - knot, 0) ** 3)

    for knot in inner[:-1]:
        bend = (
            cubed(knot)
            - cubed(before) * (last - knot) / (last - before)
            + cubed(last) * (before - knot) / (last - before)
        )
        columns.append(bend / scale)
    return np.column_stack(columns)


def learn_design(cohorts: Sequence[StepCohort], features: str = FULL, terms: Sequence[str] | None = None) -> StepDesign:
    """Return the recipe learned from training cohorts.

    Parameters
    ----------
    cohorts
        The pupils to train on (``StepCohort.chosen``).
    features
        "full" or "attendance".
    terms
        Terms to use; those all cohorts have if None.

    Raises
    ------
    ParameterError
        ``features`` is not one of the two, or a cohort lacks a term.
    NoDataError
        There are no pupils.
    """
    if features not in FEATURE_SETS:
        raise ParameterError(f"features='{features}' is not known.{did_you_mean(features, FEATURE_SETS)}")
    used = tuple(terms) if terms is not None else common_terms(cohorts)
    if not used:
        raise ParameterError("'terms' is empty: give the terms to use, or None.")
    values = [log_odds(*sessions_of(cohort, used)[::-1]) for cohort in cohorts]
    if not sum(map(len, values)):
        raise NoDataError("No pupil is followed over the step with enough sessions in both years: there is no model.")
    knots = np.unique(np.quantile(np.concatenate(values), KNOTS_AT))
    levels = {
        name: tuple(
            dict.fromkeys(level for cohort in cohorts for level in cohort.levels.get(name, ()) if level != most)
        )
        for name, most in _REFERENCES[features].items()
    }
    kept = tuple(knots.tolist()) if len(knots) > 2 else ()
    recipe = StepDesign(features, used, kept, levels, (), (), {})
    return _with_columns_that_tell(recipe, cohorts)


def _with_columns_that_tell(recipe: StepDesign, cohorts: Sequence[StepCohort]) -> StepDesign:
    """Return the recipe with the columns that vary and are not made up of those before them."""
    listed = [(group, name) for group, name, _ in _columns(july_view(cohorts[0]), recipe)]
    size, mean, gram = 0, np.zeros(len(listed)), np.zeros((len(listed), len(listed)))
    for cohort in cohorts:
        every = replace(recipe, names=tuple(name for _, name in listed)).matrix(cohort)
        size, mean, gram = size + len(every), mean + every.sum(axis=0), gram + every.T @ every
    centred = gram / size - np.outer(mean, mean) / size**2
    reasons = _reasons(centred, np.sqrt(np.diag(gram) / size))
    kept = [one for one, reason in zip(listed, reasons, strict=True) if not reason]
    return replace(
        recipe,
        names=("Intercept", *(name for _, name in kept)),
        groups=("Intercept", *(group for group, _ in kept)),
        left_out={name: reason for (_, name), reason in zip(listed, reasons, strict=True) if reason},
    )


def _reasons(covariance: FloatArray, size: FloatArray) -> list[str]:
    """Return why each column is left out, or nothing; ``size`` is the root of its mean square."""
    spread = np.sqrt(np.maximum(np.diag(covariance), 0))
    reasons, kept = [], list[int]()
    for place in range(len(covariance)):
        if spread[place] <= 1e-9 * size[place] or not size[place]:
            reasons.append("the same for all pupils")
            continue
        rest = covariance[place, place]
        if kept:
            with_kept = covariance[np.ix_(kept, kept)] / np.outer(spread[kept], spread[kept])
            own = covariance[kept, place] / spread[kept]
            rest -= own @ np.linalg.solve(with_kept, own)
        if rest < _LEAST_REST * covariance[place, place]:
            reasons.append("says what other columns say")
            continue
        reasons.append("")
        kept.append(place)
    return reasons


def _columns(cohort: StepCohort, recipe: StepDesign) -> Iterator[Column]:
    """Yield group, name and values of every column but, in the end, those left out."""
    if "Intercept" in recipe.names:
        yield "Intercept", "Intercept", np.ones(len(cohort.pupils))
    possible, missed = sessions_of(cohort, recipe.terms)
    year = log_odds(missed, possible)
    half = (2 * missed >= possible) & (possible > 0)
    group = f"Year {cohort.from_year}"
    yield group, "Absence, log odds", year - _USUAL
    if recipe.knots:
        for number, bend in enumerate(restricted_spline(year, recipe.knots).T, 1):
            yield group, f"Absence, bend {number}", bend
    yield from _hinges(group, "Absence", year, _YEAR_HINGES)
    yield group, "Absence 50% or more", half
    yield from _term_columns(cohort, recipe.terms, year)
    yield from _earlier_columns(cohort, recipe.terms, year)
    yield from _characteristic_columns(cohort, recipe, year, half)


def _term_columns(cohort: StepCohort, terms: Sequence[str], year: FloatArray) -> Iterator[Column]:
    if len(terms) < 2:
        return
    if "spring" in terms[:-1]:
        own, has, *_ = _of_term(cohort, "spring", year)
        yield "Terms", f"{TERM_LABELS['spring']} less the year, log odds", np.where(has, own - year, 0)
    label = f"{TERM_LABELS[terms[-1]]} (latest term)"
    own, _, possible, missed = _of_term(cohort, terms[-1], year)
    yield "Terms", f"{label}, log odds", own - _USUAL
    yield "Terms", f"{label} less the year, squared", (own - year) ** 2
    yield from _hinges("Terms", label, own, _LATEST_HINGES)
    for tenths in _LATEST_TENTHS:
        yield "Terms", f"{label}, {tenths * 10}% or more", (10 * missed >= tenths * possible) & (possible > 0)


def _hinges(group: str, label: str, values: FloatArray, rates: Sequence[float]) -> Iterator[Column]:
    """Yield how far log odds lie above those of each rate."""
    for rate in rates:
        yield group, f"{label}, more above {rate:.0%}", np.maximum(values - np.log(rate / (1 - rate)), 0)


def _of_term(cohort: StepCohort, term: str, year: FloatArray) -> tuple[FloatArray, NDArray[np.bool_], Array, Array]:
    """Return log odds of a term (the year's without sessions in it), whether there are any, and sessions."""
    place = cohort.terms.index(term)
    possible, missed = cohort.possible[:, place], cohort.missed[:, place]
    has = possible > 0
    return np.where(has, log_odds(missed, possible), year), has, possible, missed


def _earlier_columns(cohort: StepCohort, terms: Sequence[str], year: FloatArray) -> Iterator[Column]:
    """Yield the year before: a pupil may lack it, and so may a cohort with which the data begin."""
    has = cohort.earlier_possible > 0
    lacks_all = not len(has) or has.mean() < _HARDLY_ANY
    earlier = log_odds(cohort.earlier_missed, cohort.earlier_possible)
    possible, missed = sessions_of(cohort, terms)
    both = np.where(has, log_odds(missed + cohort.earlier_missed, possible + cohort.earlier_possible), year)
    group = "Year before"
    fall = np.where(has, earlier - year, 0)
    yield group, "Year before less the year, log odds", fall
    yield group, "Year before less the year, squared", fall**2
    for limit in _FALLS:
        yield group, f"Fall since the year before, more above {limit:g}", np.maximum(fall - limit, 0)
    for limit in _RISES:
        yield group, f"Rise since the year before, more above {limit:g}", np.maximum(-fall - limit, 0)
    # What both years add to the year: nothing for who lacks one, so that a model learned without it holds for others too.
    of_year = [values for _, _, values in _hinges(group, "", year, _YEAR_HINGES)]
    of_both = _hinges(group, "Both years less the year", both, _YEAR_HINGES)
    for (_, name, values), own in zip(of_both, of_year, strict=True):
        yield group, name, values - own
    yield group, "No sessions in the year before", np.zeros(len(has)) if lacks_all else ~has
    yield group, f"Absence, log odds, {_NO_DATA}", (year - _USUAL) * lacks_all
    for _, name, values in _hinges(group, f"Absence, {_NO_DATA}", year, _YEAR_HINGES):
        yield group, name, values * lacks_all


def _characteristic_columns(
    cohort: StepCohort, recipe: StepDesign, year: FloatArray, half: NDArray[np.bool_]
) -> Iterator[Column]:
    titles = {"fsm_eligible": "FSM", "sen_provision": "SEN", "sex": "Sex", "ethnicity_major": "Ethnicity"}
    for name, levels in recipe.levels.items():
        for level in levels:
            yield _HEADINGS[name], f"{titles[name]}: {level}", _is(cohort, name, level)
    yield (
        "Free school meals",
        "FSM eligible, more for each log odds",
        _is(cohort, "fsm_eligible", "FSM eligible") * (year - _USUAL),
    )
    if "sex" in recipe.levels:
        girl = _is(cohort, "sex", "Female")
        yield (
            "Sex",
            "Female with SEN",
            girl & np.logical_or.reduce([_is(cohort, "sen_provision", one) for one in _ANY_SEN]),
        )
        yield "Sex", "Female with absence 50% or more", girl & half


def _is(cohort: StepCohort, name: str, level: str) -> NDArray[np.bool_]:
    levels = cohort.levels.get(name, ())
    if name not in cohort.codes or level not in levels:
        return np.zeros(len(cohort.pupils), bool)
    found: NDArray[np.bool_] = cohort.codes[name] == levels.index(level)
    return found
