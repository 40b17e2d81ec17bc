"""Models of a step from one year group to the next, fitted once for all parts of a page and for lists of pupils.

Where a model has not been shown to do better than the rule it would replace, there is no forecast by it.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.transition import StepCohort
from attendance_toolkit.models.transition import ATTENDANCE, FULL, StepModel, common_terms, fit_step
from attendance_toolkit.models.transition.effects import step_effects
from attendance_toolkit.models.transition.forecasts import WORST, SchoolForecast, forecast_schools
from attendance_toolkit.models.transition.proof import MODEL, TARGETING, Proof, Trained, prove, train_models
from attendance_toolkit.models.transition.step_model import LEAST_PUPILS
from attendance_toolkit.vocabulary.areas import area_of_laestab

if TYPE_CHECKING:
    from attendance_toolkit.inputs import Inputs

#: Share of the pupils tested that a list holds, and the least it holds.
CAPACITY_SHARE, LEAST_CAPACITY = 0.10, 20
#: With fewer schools, "among the five highest" is said of nearly half of them.
LEAST_SCHOOLS = 2 * WORST + 1
#: Models and proofs that are kept: the areas of one run are of one store, and have them in common. Four a step.
_MOST_KEPT = 12

__all__ = [
    "CAPACITY_SHARE",
    "LEAST_CAPACITY",
    "LEAST_SCHOOLS",
    "WORST",
    "FittedSteps",
    "capacity_of",
    "expected_here_of",
    "fitted_steps",
]


@dataclass(frozen=True, eq=False)
class FittedSteps:
    """The models of a step, how they did when tested, and what they expect of the pupils about to move up.

    Attributes
    ----------
    train
        Earlier cohorts whose step is over, of all districts of the store.
    test
        The last cohort whose step is over: what the models of ``train`` were tested on.
    keep
        (N,) the area's pupils among the tested.
    proof
        How the models fitted to ``train`` did on them.
    everywhere
        How they did on all pupils of ``test``: the models are the same for all districts, and one of them alone has too few
        pupils to tell a better model from a lucky one.
    coming
        The cohort about to move up, all districts.
    expected_here
        (N,) those of ``coming`` who are expected in the area: their school is in it, or it is not known and they are in
        one of the area's schools now.
    terms
        Terms of the year before the step that all of these have, and the models use.
    model, targeting
        The models with all features, for forecasts of schools, and with attendance and free school meals alone, for lists of
        pupils; both fitted to ``train`` and ``test``.
    """

    train: tuple[StepCohort, ...]
    test: StepCohort
    keep: NDArray[np.bool_]
    proof: Proof
    everywhere: Proof
    coming: StepCohort
    expected_here: NDArray[np.bool_]
    terms: tuple[str, ...]
    model: StepModel
    targeting: StepModel

    def uses(self, model: str) -> bool:
        """Return whether a model is used: it beats the year before among all tested, and does no worse among the area's own."""
        own = self.proof.gains
        is_worse = bool((own.loc[own["model"] == model, "upper"] < 0).any())
        return self.everywhere.beats(model) and not is_worse

    @property
    def forecasts(self) -> bool:
        """Whether schools are forecast by the model with all features."""
        return self.uses(MODEL)

    @property
    def lists(self) -> bool:
        """Whether pupils are listed by the model without sex, ethnicity and SEN."""
        return self.uses(TARGETING)

    @property
    def effects(self) -> pd.DataFrame:
        """What the model with all features makes of one thing at a time (``models.transition.effects.step_effects``)."""
        if self.model not in _of_model:
            _of_model[self.model] = step_effects(self.model, (*self.train, self.test))
        return _of_model[self.model]

    def schools(self, expected_here: NDArray[np.bool_] | None = None) -> SchoolForecast:
        """Return what is expected of the intakes of the area's schools, and of all pupils expected in it.

        Parameters
        ----------
        expected_here
            (N,) pupils to take in place of all who are expected in the area.

        Raises
        ------
        NoDataError
            The model did no better than the rule, or nobody is expected in the area.
        """
        if not self.forecasts:
            raise NoDataError(
                "There is no forecast: when it was tested, the model was not shown to predict better than the year before itself,"
                " so it is not used."
            )
        taken = self.expected_here if expected_here is None else expected_here
        if not taken.any():
            raise NoDataError("No pupil of the year group before the step is expected in a school of the area.")
        return forecast_schools(self.model, self.coming, taken)


def fitted_steps(inputs: Inputs, from_year: str = "6", *, capacity: int | None = None) -> FittedSteps:
    """Return the models of a step for an area, fitted to exact figures: for tables that a release will clear.

    Parameters
    ----------
    inputs
        Area, year and store. What is fitted is kept with it.
    from_year
        Year group before the step.
    capacity
        Pupils on a list when the models are tested; by default a tenth of those tested (``capacity_of``).

    Raises
    ------
    NoDataError
        There is no pupil-level data, or not two cohorts whose step is over, one to learn from and one to be tested on.
    DisclosureError
        A release is being shown, which has all its figures already.
    """
    kept = _of_inputs.setdefault(inputs, {})
    key = (from_year, capacity)
    if key not in kept:
        kept[key] = _fitted(inputs, from_year, capacity)
    return kept[key]


def capacity_of(pupils: int) -> int:
    """Return how many pupils a list holds, of so many who are tested.

    >>> capacity_of(4_032), capacity_of(90)
    (403, 20)
    """
    return max(round(CAPACITY_SHARE * pupils), LEAST_CAPACITY)


_of_inputs: WeakKeyDictionary[Inputs, dict[tuple[str, int | None], FittedSteps]] = WeakKeyDictionary()
_of_model: WeakKeyDictionary[StepModel, pd.DataFrame] = WeakKeyDictionary()
_of_store: OrderedDict[tuple[object, ...], object] = OrderedDict()


def _fitted(inputs: Inputs, from_year: str, capacity: int | None) -> FittedSteps:
    cohorts = inputs.steps(from_year)
    members = tuple(inputs.local_members[inputs.area.code])
    coming, linked = cohorts[-1], [cohort for cohort in cohorts[:-1] if cohort.is_compared.any()]
    if len(linked) < 2:
        raise NoDataError(
            "There is no forecast: a model is used only once it has been tested on a year group it was not fitted to. That"
            " needs two year groups whose step is over, with both their years in the store, and one about to move up."
        )
    *train, test = linked
    if sum(int(cohort.is_compared.sum()) for cohort in train) < LEAST_PUPILS:
        raise NoDataError(
            "There is no forecast: too few pupils of earlier year groups are in the data to fit a model to."
        )
    keep = test.is_compared & test.in_area(members)
    if not keep.any():
        raise NoDataError(
            "None of the area's pupils can be compared before and after the step, so no model can be tested."
        )
    terms = common_terms((*linked, coming))
    where = (*_store_key(inputs), from_year, coming.academic_year, terms)
    trained = _kept((*where, "trained"), lambda: train_models(train, test, terms=terms))
    everywhere = _kept((*where, "tested", capacity), lambda: _tested(train, test, test.is_compared, capacity, trained))
    is_all = keep.sum() == test.is_compared.sum()
    return FittedSteps(
        train=tuple(train),
        test=test,
        keep=keep,
        proof=everywhere if is_all else _tested(train, test, keep, capacity, trained),
        everywhere=everywhere,
        coming=coming,
        expected_here=expected_here_of(coming, members),
        terms=terms,
        model=_model(linked, coming, FULL, terms, where),
        targeting=_model(linked, coming, ATTENDANCE, terms, where),
    )


def _store_key(inputs: Inputs) -> tuple[object, ...]:
    """Return what tells the data of a store from all others."""
    assert inputs.store is not None
    return str(inputs.store.path), json.dumps(inputs.store.manifest, sort_keys=True, default=str)


_Made = TypeVar("_Made")


def _kept(key: tuple[object, ...], make: Callable[[], _Made]) -> _Made:
    """Return what is of all districts of a store, made once for all areas of a run."""
    if key not in _of_store:
        _of_store[key] = make()
        while len(_of_store) > _MOST_KEPT:
            _of_store.popitem(last=False)
    return cast(_Made, _of_store[key])


def _tested(
    train: list[StepCohort], test: StepCohort, keep: NDArray[np.bool_], capacity: int | None, trained: Trained
) -> Proof:
    return prove(train, test, keep=keep, capacity=capacity or capacity_of(int(keep.sum())), trained=trained)


def _model(
    cohorts: list[StepCohort], coming: StepCohort, features: str, terms: tuple[str, ...], where: tuple[object, ...]
) -> StepModel:
    """Return a model of all districts, at the level of the year group about to move up (``StepModel.levelled``)."""
    is_full = features == FULL

    def fit() -> StepModel:
        return fit_step(cohorts, features=features, terms=terms, with_allowances=is_full).levelled(coming)

    return _kept((*where, features), fit)


def expected_here_of(cohort: StepCohort, members: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return who is expected in the area: by the school they go to, else by the one they are in."""
    schools = np.unique(cohort.destination)
    areas = {int(laestab): area_of_laestab(int(laestab)) for laestab in schools if laestab}
    here = [laestab for laestab, area in areas.items() if area is not None and area.code in members]
    is_unknown = cohort.destination == 0
    found: NDArray[np.bool_] = np.isin(cohort.destination, here) | (is_unknown & cohort.in_area(members))
    return found
