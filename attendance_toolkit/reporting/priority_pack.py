"""The files of a list of priority pupils: one for each school, and how many each is to have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from attendance_toolkit.deepdives._step_models import FittedSteps, expected_here_of
from attendance_toolkit.metrics.transition.cohort import Array, StepCohort
from attendance_toolkit.models.transition import SchoolForecast, StepForecast, StepModel
from attendance_toolkit.presentation.narrative import sentence_list
from attendance_toolkit.reporting.list_files import PupilList, Value
from attendance_toolkit.reporting.list_writing import (
    SUMMARY,
    TERM_WORDS,
    Asked,
    ListFile,
    Names,
    Schools,
    about_rows,
    percent_of,
    pupil_cells,
    pupil_headers,
    terms_in_words,
)
from attendance_toolkit.reporting.priority_choice import (
    BEFORE,
    PREDICTED,
    Capacity,
    by_rule,
    how_right,
)
from attendance_toolkit.store import Store
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.steps import DESTINATION_SOURCES

_NOT_A_FINDING = (
    "Not a judgement of a child, and no forecast of what this child will do: a chance says how many of pupils with such a"
    " record were absent. Some who are listed will attend well, and some who are not listed will be absent. Offer support;"
    " do not warn, sanction or refuse anything because of it, and let somebody who knows the child decide."
)
_COUNTED = (
    "Sessions of all the pupil's schools in the data together, by DfE's inclusion rules: ages 5 to 15, no boarders. Nothing"
    " later than July, but the school the pupil goes to, is used."
)


@dataclass(frozen=True, eq=False)
class Plan:
    """The pupils expected in the area, and what they are chosen by.

    ``model`` is the one in use, and what it expects of them; None where there is none, or none that was shown to be better.
    """

    cohort: StepCohort
    members: tuple[str, ...]
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


@dataclass(frozen=True, eq=False)
class PackWriter:
    """Makes the files of one call."""

    store: Store
    asked: Asked
    plan: Plan
    capacity: Capacity
    listed: Array
    names: Names

    @property
    def cohort(self) -> StepCohort:
        """The pupils expected."""
        return self.plan.cohort

    @cached_property
    def schools(self) -> Schools:
        """The store's schools."""
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
        """What the lists are of."""
        return f"Priority pupils for Year {self.cohort.to_year} of {self._later_year}"

    @property
    def _later_year(self) -> str:
        return show_academic_year(academic_year_before(self.asked.academic_year, -1))

    @cached_property
    def rightness(self) -> str:
        """How often the same choice was right a year before, and the rule of the year before beside it."""
        fitted = self.plan.fitted
        if fitted is None:
            return "How often such a list is right is not known: the data have no earlier year group followed over the step."
        test = fitted.test
        # The school offered is what was known in July; where there are no offers of that year, where the pupil went.
        test = replace(test, destination=np.where(test.offered > 0, test.offered, test.destination))
        tested = test.chosen(test.is_compared & expected_here_of(test, self.plan.members))
        if not len(tested.pupils):
            return "How often such a list is right is not known: nobody of the year group before was expected here."
        going = tested.destination
        places = self.capacity.for_test(len(self.cohort.pupils))
        before = how_right(tested, by_rule(tested, None, places, going)).in_words()
        where = f"{tested.label}, {len(tested.pupils):,} pupils expected in {self.asked.area.name}"
        after = f"persistently absent in Year {tested.to_year}"
        if self.plan.rule == BEFORE:
            return f"Of those listed in the same way a year before ({where}), {after}: {before}."
        model = fitted.proof.model if self.plan.with_characteristics else fitted.proof.targeting
        chance = model.predict(tested).persistent
        right = how_right(tested, by_rule(tested, chance, places, going)).in_words()
        return (
            f"Of those listed in the same way a year before ({where}) by a model that had not seen them, {after}: {right}."
            f" By Year {tested.from_year} absence alone, highest first: {before}."
        )

    @property
    def rule_in_words(self) -> str:
        """Who comes first, and by what."""
        before, after = self.cohort.from_year, self.cohort.to_year
        if self.plan.rule == BEFORE:
            return (
                f"Pupils who missed 10% or more of their possible sessions in Year {before}, the highest share first."
            )
        model = self.plan.model
        assert model is not None  # chosen by it
        terms = sentence_list([TERM_WORDS[term].lower() for term in model.terms])
        years = sentence_list([show_academic_year(year) for year in model.pupils])
        uses = f"attendance in Year {before} ({terms}) and the year before, free school meals and the school the pupil goes to"
        characteristics = (
            f"{uses}, sex, ethnicity and SEN: using them needs a reason the authority can give (Equality Act 2010)"
            if self.plan.with_characteristics
            else f"{uses}; not sex, ethnicity or SEN"
        )
        return (
            f"The highest chance of persistent absence (10% or more of sessions missed) in Year {after}, by a model of Year"
            f" {before} of {years}. It uses {characteristics}."
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
            # With these two rows a list with UPNs can be loaded as it is, as that of pupils given support.
            group = (
                ("Priority group", f"Priority pupils for Year {self.cohort.to_year}"),
                ("Academic year", self._later_year),
            )
            about = self._about(school, (("The intake", intake), *group), self.names)
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
        terms = [
            (TERM_WORDS[term], int(of.missed[position, place]), int(of.possible[position, place]))
            for place, term in enumerate(of.terms)
            if of.possible[position, place]
        ]
        expected: list[Value] = []
        if forecast is not None:
            shares = (forecast.persistent, forecast.rate, forecast.lower, forecast.upper, forecast.severe)
            expected = [percent_of(float(share[position])) for share in shares]
        return (
            *pupil_cells(int(of.pupils[position]), self.names), self.schools.in_words(int(of.laestab[position])),
            possible, missed, percent_of(missed / possible if possible else np.nan), terms_in_words(terms), *expected,
            DESTINATION_SOURCES[int(of.destination_source[position])],
        )  # fmt: skip

    def _intake(self, laestab: int) -> str:
        """Return what is known and expected of the pupils a school is to take."""
        of, forecast = self.cohort, self.plan.intakes
        going = of.destination == laestab
        possible, missed = int(of.year_possible[going].sum()), int(of.year_missed[going].sum())
        said = (
            f"{int(going.sum())} pupils are expected; {percent_of(missed / possible)}% absence in Year {of.from_year}"
        )
        if forecast is None:
            return f"{said}. Schools are not forecast."
        place = int(np.searchsorted(forecast.laestab, laestab))
        share = [percent_of(float(x[place])) for x in (forecast.absence, forecast.lower, forecast.upper)]
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
            SUMMARY, "All schools", PupilList(self.title, about, columns, tuple(rows), self.asked.made_on), 0
        )
