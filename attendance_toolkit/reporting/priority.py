"""Priority pupils for a step: who is about to move up and is likely to be absent, one file for each school they go to.

A list is made of what is known by July, and goes through the machinery of all lists of pupils: purpose, date, register,
pseudonyms, the restricted folder. A model chooses only where it did better than the year before itself when it was tested.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np

from attendance_toolkit.deepdives._step_models import FittedSteps, _expected_here, fitted_steps
from attendance_toolkit.errors import NoDataError, ParameterError, did_you_mean
from attendance_toolkit.inputs import open_inputs
from attendance_toolkit.metrics.transition.cohort import Array, StepCohort
from attendance_toolkit.models.transition import SchoolForecast, StepForecast, StepModel
from attendance_toolkit.models.transition.proof import MODEL, TARGETING
from attendance_toolkit.reporting.list_files import PupilList, Value
from attendance_toolkit.reporting.list_writing import (
    Asked,
    ListFile,
    ListsMade,
    Names,
    Schools,
    about_rows,
    check_asked,
    drop_older,
    held_members,
    names_of,
    pupil_cells,
    pupil_headers,
    terms_in_words,
    unnamed_among,
    write_files,
)
from attendance_toolkit.reporting.priority_choice import (
    BEFORE,
    PREDICTED,
    RULES,
    Capacity,
    by_rule,
    capacity_of,
    how_right,
)
from attendance_toolkit.reporting.restricted import Restricted, require_restricted
from attendance_toolkit.store import Store
from attendance_toolkit.vocabulary.areas import Area
from attendance_toolkit.vocabulary.calendar import (
    TERM_LABELS,
    WHOLE_YEAR,
    academic_year_before,
    show_academic_year,
)
from attendance_toolkit.vocabulary.rounding import round_half_up
from attendance_toolkit.vocabulary.steps import DESTINATION_SOURCES, SECOND_TRANSITION, TRANSITION
from attendance_toolkit.vocabulary.transition_allowance import PERSISTENT

STEPS = {before: after for before, after in (TRANSITION, SECOND_TRANSITION)}
_NOT_A_FINDING = (
    "Not a judgement of a child, and no forecast of what this child will do: a chance says how many of pupils with such a"
    " record were absent. Some who are listed will attend well, and some who are not listed will be absent. Offer support;"
    " do not warn, sanction or refuse anything because of it, and let somebody who knows the child decide."
)
_COUNTED = (
    "Sessions of all the pupil's schools in the data together, by DfE's inclusion rules: ages 5 to 15, no boarders. Nothing"
    " later than July, but the school the pupil goes to, is used."
)


@dataclass(frozen=True)
class PriorityMade:
    """What was written, by which rule, and what is to be known of it."""

    lists: ListsMade
    rule: str
    expected: int
    notes: tuple[str, ...]

    def to_text(self) -> str:
        """Return the result as a person reads it."""
        return "\n".join((f"{self.lists.to_text()} {self.expected:,} pupils are expected.", *self.notes))


def build_priority(
    store: Store,
    area: str | Area,
    academic_year: str | int,
    restricted: Restricted,
    *,
    purpose: str,
    retain_until: date,
    from_year: str = "6",
    rule: str = PREDICTED,
    capacity: str | int | None = None,
    per_school: str | int | None = None,
    with_characteristics: bool = False,
    identify: Sequence[str | Path] | None = None,
    key_file: str | Path | None = None,
    formats: Sequence[str] = ("xlsx", "csv"),
    today: date | None = None,
) -> PriorityMade:
    """Write the priority pupils of a year group about to move up, one file for each school they are expected at.

    Pupils whose school is not known, and who are in the area now, are in a file of the school they are in. A list made
    again takes the place of the older one of its area, year and step.

    Parameters
    ----------
    store
        The authority's store.
    area
        Local authority, or an area of several: that of the schools the pupils go to.
    academic_year
        Year before the step, such as 2023/24.
    restricted
        The restricted folder (``restricted.open_restricted``).
    purpose, retain_until
        As for every list of pupils.
    from_year
        Year group before the step: "6", or "7" for the step to Year 8.
    rule
        "predicted": the highest chance of persistent absence, if the model did better than the year before when it was
        tested, else as "before": the highest absence, of those who missed 10% or more.
    capacity, per_school
        Places, as a number or a share: of all pupils expected (a tenth, if neither is given), or of each school's.
    with_characteristics
        Choose by the model that also uses sex, ethnicity and SEN.
    identify, key_file
        Files of the extract that was loaded, and the store's key: for UPNs and names in place of pseudonyms.
    formats
        "xlsx", "csv" or both.

    Returns
    -------
    What was written, and by which rule.

    Raises
    ------
    ParameterError
        A rule, step, capacity or format there is not, no purpose, a date that has passed, or files that name nobody.
    NoDataError
        The store lacks the area or year, nobody is expected or is to be listed, or there is no model to choose by.
    DisclosureError
        The folder is not a restricted one.
    StoreError
        The key is not the one the store was made with.
    """
    require_restricted(restricted.lists)
    _check_choices(rule, from_year)
    kind = f"priority-year-{STEPS[from_year]}"
    asked = check_asked(kind, area, academic_year, purpose, retain_until, formats, today or date.today())
    plan = _plan(store, asked, from_year, rule, with_characteristics)
    size = capacity_of(capacity, per_school, len(plan.cohort.pupils))
    listed = by_rule(plan.cohort, plan.chance, size, plan.cohort.destination)
    if not len(listed):
        raise NoDataError(
            f"No pupil expected in {asked.area.name} is to be listed: nobody missed 10% or more of Year {from_year}."
        )
    upns = plan.cohort.pupils[listed].tolist()
    names = names_of(store, upns, identify, key_file)
    writer = _Writer(store, asked, plan, size, listed, names)
    entries = write_files(restricted.lists, asked, writer.packs(), is_identified=names is not None)
    csv_only = replace(asked, formats=("csv",))
    entries += write_files(restricted.lists, csv_only, [writer.summary()], is_identified=False)
    drop_older(restricted.lists, entries, asked)
    made = ListsMade(
        restricted.lists / asked.folder,
        tuple(restricted.lists / entry.file for entry in entries),
        len(writer.groups),
        len(upns),
        unnamed_among(upns, names),
    )
    return PriorityMade(made, plan.rule, len(plan.cohort.pupils), (*plan.notes, writer.rightness))


def _check_choices(rule: str, from_year: str) -> None:
    if rule not in RULES:
        raise ParameterError(f"'{rule}' is not a rule.{did_you_mean(rule, RULES)} Use one of: {', '.join(RULES)}.")
    if from_year not in STEPS:
        raise ParameterError(f"There are no lists for pupils of Year {from_year}. Use one of: {', '.join(STEPS)}.")


# --- who, and by what -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Plan:
    """The pupils expected in the area, and what they are chosen by.

    ``model`` is the one in use, and what it expects of them; None where there is none, or none that was shown to be better.
    """

    cohort: StepCohort
    rule: str
    model: StepModel | None
    fitted: FittedSteps | None
    with_characteristics: bool
    notes: tuple[str, ...] = ()

    @cached_property
    def forecast(self) -> StepForecast | None:
        """What the model expects of each pupil."""
        return None if self.model is None else self.model.predict(self.cohort)

    @property
    def chance(self) -> Array | None:
        """(N,) chances the pupils are chosen by; None by the rule of the year before."""
        return self.forecast.persistent if self.rule == PREDICTED and self.forecast is not None else None

    @cached_property
    def intakes(self) -> SchoolForecast | None:
        """What is expected of the schools' intakes; None where schools are not forecast."""
        return self.fitted.schools() if self.fitted is not None and self.fitted.forecasts else None


def _plan(store: Store, asked: Asked, from_year: str, rule: str, with_characteristics: bool) -> _Plan:
    members = tuple(held_members(store, asked.area))
    inputs = open_inputs(
        area=asked.area.code,
        academic_year=show_academic_year(asked.academic_year),
        audience="internal",
        store=str(store.path),
    )
    coming = inputs.steps(from_year)[-1]
    here = _expected_here(coming, members)
    if not here.any():
        raise NoDataError(
            f"No pupil of Year {from_year} in {show_academic_year(asked.academic_year)} is expected in a school of"
            f" {asked.area.name}. Load the school offers, or the autumn census after it."
        )
    cohort = coming.chosen(here)
    try:
        fitted = fitted_steps(inputs, from_year)
    except NoDataError as error:
        if rule == PREDICTED:
            raise NoDataError(
                f"{error} Load what is missing, or ask for the rule '{BEFORE}', which needs no model."
            ) from None
        return _Plan(cohort, BEFORE, None, None, with_characteristics)
    model = fitted.model if with_characteristics else fitted.targeting
    is_used = fitted.uses(MODEL if with_characteristics else TARGETING) and PERSISTENT in model.outcomes
    notes: tuple[str, ...] = ()
    if rule == PREDICTED and not is_used:
        notes = (
            "The model is not used: when it was tested, it was not shown to do better than the year before itself. Pupils"
            f" are chosen by the rule '{BEFORE}'.",
        )
    chosen = rule if is_used else BEFORE
    return _Plan(cohort, chosen, model if is_used else None, fitted, with_characteristics, notes)


# --- files ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Writer:
    """Makes the files of one call."""

    store: Store
    asked: Asked
    plan: _Plan
    capacity: Capacity
    listed: Array
    names: Names

    @property
    def cohort(self) -> StepCohort:
        return self.plan.cohort

    @cached_property
    def schools(self) -> Schools:
        return Schools(self.store)

    @cached_property
    def groups(self) -> dict[tuple[int, int], Array]:
        """Destination, and present school where that is 0, -> positions of the pupils listed, the first to be helped first."""
        of = self.cohort
        found: dict[tuple[int, int], list[int]] = {}
        for position in self.listed.tolist():
            going = int(of.destination[position])
            found.setdefault((going, 0 if going else int(of.laestab[position])), []).append(position)
        # Those whose school is not known come last.
        return {key: np.array(found[key]) for key in sorted(found, key=lambda key: (key[0] == 0, key))}

    @property
    def title(self) -> str:
        later = show_academic_year(academic_year_before(self.asked.academic_year, -1))
        return f"Priority pupils for Year {self.cohort.to_year}, September of {later}"

    @cached_property
    def rightness(self) -> str:
        """How often the same choice was right a year before, and the rule of the year before beside it."""
        fitted = self.plan.fitted
        if fitted is None:
            return "How often such a list is right is not known: the data have no earlier year group followed over the step."
        tested = fitted.test.chosen(fitted.keep)
        going = np.where(tested.offered > 0, tested.offered, tested.destination)
        places = self.capacity.for_test(len(self.cohort.pupils))
        before = how_right(tested, by_rule(tested, None, places, going)).in_words()
        where = f"{tested.label}, {len(tested.pupils):,} pupils of {self.asked.area.name}"
        after = f"persistently absent in Year {tested.to_year}"
        if self.plan.rule == BEFORE:
            return f"Of those listed in the same way a year before ({where}), {after}: {before}."
        model = fitted.proof.model if self.plan.with_characteristics else fitted.proof.targeting
        chance = model.predict(tested, going).persistent
        right = how_right(tested, by_rule(tested, chance, places, going)).in_words()
        return (
            f"Of those listed in the same way a year before ({where}) by a model that had not seen them, {after}: {right}."
            f" By Year {tested.from_year} absence alone, highest first: {before}."
        )

    @property
    def rule_in_words(self) -> str:
        before, after = self.cohort.from_year, self.cohort.to_year
        if self.plan.rule == BEFORE:
            return f"Pupils who missed 10% or more of their possible sessions in Year {before}, the highest share first."
        uses = "attendance by term and in the year before, free school meals and the school the pupil goes to"
        characteristics = (
            f"{uses}, sex, ethnicity and SEN: using them needs a reason the authority can give (Equality Act 2010)"
            if self.plan.with_characteristics
            else f"{uses}; not sex, ethnicity or SEN"
        )
        return (
            f"The highest chance of persistent absence (10% or more of sessions missed) in Year {after}, by a model of earlier"
            f" year groups. It uses {characteristics}."
        )

    def _about(self, school: str, more: Sequence[tuple[str, str]], names: Names) -> tuple[tuple[str, str], ...]:
        notes = " ".join(self.plan.notes)
        rows = (
            ("Chosen by", f"{notes} {self.rule_in_words}".strip()),
            ("Places", f"{self.capacity.in_words(len(self.cohort.pupils))}; {len(self.listed):,} pupils are listed."),
            ("How often right", self.rightness),
            ("What this is not", _NOT_A_FINDING),
            *more,
        )
        return about_rows(self.asked, self.store, school, _COUNTED, names, more=rows)

    def packs(self) -> Iterator[ListFile]:
        """Yield the list of each school."""
        columns = (*pupil_headers(self.names), *self._headers())
        for (going, present), positions in self.groups.items():
            if going:
                school, stem, intake = self.schools.in_words(going), self.schools.stem(going), self._intake(going)
            else:
                school = f"{self.schools.in_words(present)}; where the pupils go is not known"
                stem = f"not-known-{self.schools.stem(present)}"
                intake = "The school the pupils go to is not known: this list is for the school they are in now."
            about = self._about(school, [("The intake", intake)], self.names)
            rows = tuple(self._row(position) for position in positions.tolist())
            yield ListFile(stem, school, PupilList(self.title, about, columns, rows, self.asked.made_on), len(rows))

    def _headers(self) -> tuple[str, ...]:
        before = self.cohort.from_year
        known = ("Present school", f"Year {before} sessions possible", f"Year {before} sessions missed",
                 f"Year {before} missed (%)", "Terms (sessions missed of possible)")  # fmt: skip
        expected = (
            "Chance of persistent absence (%)", "Expected absence (%)", "Expected, from (90%)", "Expected, to (90%)",
            "Chance of severe absence (%)",
        )  # fmt: skip
        return (*known, *(expected if self.plan.forecast is not None else ()), "School known from")

    def _row(self, position: int) -> tuple[Value, ...]:
        of, forecast = self.cohort, self.plan.forecast
        possible, missed = int(of.year_possible[position]), int(of.year_missed[position])
        labels = {**TERM_LABELS, WHOLE_YEAR: "Whole year"}
        terms = [
            (labels[term], int(of.missed[position, place]), int(of.possible[position, place]))
            for place, term in enumerate(of.terms)
            if of.possible[position, place]
        ]
        expected: list[Value] = []
        if forecast is not None:
            shares = (forecast.persistent, forecast.rate, forecast.lower, forecast.upper, forecast.severe)
            expected = [_percent(float(share[position])) for share in shares]
        return (
            *pupil_cells(int(of.pupils[position]), self.names), self.schools.in_words(int(of.laestab[position])),
            possible, missed, _percent(missed / possible if possible else np.nan), terms_in_words(terms), *expected,
            DESTINATION_SOURCES[int(of.destination_source[position])],
        )  # fmt: skip

    def _intake(self, laestab: int) -> str:
        """Return what is known and expected of the pupils a school is to take."""
        of, forecast = self.cohort, self.plan.intakes
        going = of.destination == laestab
        possible, missed = int(of.year_possible[going].sum()), int(of.year_missed[going].sum())
        said = f"{int(going.sum())} pupils are expected; {_percent(missed / possible)}% absence in Year {of.from_year}"
        if forecast is None:
            return f"{said}. Schools are not forecast."
        place = int(np.searchsorted(forecast.laestab, laestab))
        share = [_percent(float(x[place])) for x in (forecast.absence, forecast.lower, forecast.upper)]
        return (
            f"{said}, {share[0]}% expected in Year {of.to_year} (90% interval {share[1]}% to {share[2]}%), if nothing is done"
            " that was not done before."
        )

    def summary(self) -> ListFile:
        """Return how many pupils each school expects, and how many of them are listed."""
        of = self.cohort
        is_listed = np.zeros(len(of.pupils), bool)
        is_listed[self.listed] = True
        rows = []
        for laestab in sorted(np.unique(of.destination).tolist(), key=lambda one: (one == 0, one)):
            going = of.destination == laestab
            school = self.schools.in_words(laestab) if laestab else "Not known"
            rows.append((school, int(going.sum()), int((going & is_listed).sum())))
        rows.append(("All", len(of.pupils), len(self.listed)))
        about = self._about("All schools", (), {})
        columns = ("School", "Pupils expected", "Pupils listed")
        return ListFile(
            "summary", "All schools", PupilList(self.title, about, columns, tuple(rows), self.asked.made_on), 0
        )


def _percent(share: float) -> Value:
    """Return a share in percent with one decimal; "" where there is none."""
    return round_half_up(100 * share, 1) if np.isfinite(share) else ""
