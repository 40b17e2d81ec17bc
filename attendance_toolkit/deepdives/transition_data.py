"""What all parts of the deep dive into a step from one year group to the next rest on: cohorts, topics, names, words."""

from __future__ import annotations

from functools import cached_property

from attendance_toolkit.deepdives._base import DeepDive
from attendance_toolkit.deepdives._outcomes import topic_of
from attendance_toolkit.deepdives._school_names import SchoolNames
from attendance_toolkit.deepdives._shared import level_words, once_notice
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.transition import StepCohort
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.steps import SECOND_TRANSITION, TRANSITION

#: Year groups before the two steps that pages follow: to secondary school, and through its first year.
FIRST, SECOND = TRANSITION[0], SECOND_TRANSITION[0]
#: Year group before a step -> year group after it.
STEPS = dict((TRANSITION, SECOND_TRANSITION))
#: Characteristics by which pupils of a step are told apart, as they were in the year before it.
GROUPS = ("fsm_eligible", "sen_provision", "sex", "ethnicity_major")
#: Columns that say which pupils a row is about; ``nc_year`` and ``academic_year`` say which of their years.
KEYS = ["area_code", "academic_year", "nc_year"]
#: Why something is not told, in running text.
HIDDEN = "figures are hidden to protect small numbers"
SAME_NOTE = (
    "The same pupils before and after: those in a mainstream school of the data in both years, counted where they were before"
    " the step."
)
#: Columns of a row on all pupils.
EVERYBODY = {"characteristic": ALL, "level": ALL}
NEEDS_PUPILS = "Following pupils from one year group to the next needs pupil-level data."
#: How blocks of this page say what is missing.
or_notice = once_notice


class TransitionData(DeepDive):
    """Cohorts of the year groups before a step, and what figures of them are called.

    The academic year of the page is that of the year group about to move up: its step lies ahead. The steps before it, as
    far as the store has both their years, are those the page describes and learns from.
    """

    # -- cohorts: exact, where tables are made -------------------------------------------------------

    def cohorts(self, from_year: str = FIRST) -> tuple[StepCohort, ...]:
        """Return the cohorts of a year group in all districts of the store, oldest first, the coming step's last.

        Raises
        ------
        NoDataError
            There is no pupil-level data, or nobody in the year group.
        """
        if not self.is_local:
            raise NoDataError(NEEDS_PUPILS)
        return self.inputs.steps(from_year)

    def coming_cohort(self, from_year: str = FIRST) -> StepCohort:
        """Return the cohort about to move up: the year group in the year of the page.

        Raises
        ------
        NoDataError
            As for ``cohorts``; or nobody of the year group is in the area's schools.
        """
        found = self.cohorts(from_year)[-1]
        if not found.in_area(self.members).any():
            raise NoDataError(f"The store has no pupils of the year group before the step in {self.area.name}.")
        return found

    def linked_cohorts(self, from_year: str = FIRST) -> tuple[StepCohort, ...]:
        """Return the earlier cohorts whose year after the step is there and whole, of whom some are the area's pupils.

        Raises
        ------
        NoDataError
            As for ``cohorts``; or there are none.
        """
        found = tuple(
            cohort
            for cohort in self.cohorts(from_year)[:-1]
            if (cohort.is_compared & cohort.in_area(self.members)).any()
        )
        if not found:
            raise NoDataError(
                "What came of pupils who moved up needs two academic years one after the other, both of them whole, with"
                " the same pupils in them; the store has none before the year of this page."
            )
        return found

    def latest_cohort(self, from_year: str = FIRST) -> StepCohort:
        """Return the last cohort whose step is over: the last of ``linked_cohorts``."""
        return self.linked_cohorts(from_year)[-1]

    def compared(self, cohort: StepCohort) -> StepCohort:
        """Return the pupils of a cohort who are the area's and can be compared before and after the step."""
        return cohort.chosen(cohort.is_compared & cohort.in_area(self.members))

    # -- places --------------------------------------------------------------------------------------

    @cached_property
    def members(self) -> tuple[str, ...]:
        """Codes of the area's districts that the store holds."""
        return tuple(self.inputs.local_members[self.area.code]) if self.is_local else ()

    @cached_property
    def has_districts(self) -> bool:
        """Whether the area has several districts in the store."""
        return len(self.members) > 1

    @cached_property
    def has_other_districts(self) -> bool:
        """Whether the store has districts beside the area's, so that who went there is told from who left."""
        return self.inputs.store is not None and bool(set(self.inputs.store.la_codes()) - set(self.members))

    @cached_property
    def names(self) -> SchoolNames:
        """What the store's lists call its schools."""
        return SchoolNames({}) if self.inputs.store is None else SchoolNames.of(self.inputs.store.schools())

    def school_name(self, laestab: str) -> str:
        """Return a school's name, noted for the gate as one that counts no pupils."""
        return self.names.told(laestab)

    # -- topics: which pupils figures are of ---------------------------------------------------------

    def followed_topic(self, from_year: str = FIRST) -> str:
        """Return the topic of figures of pupils compared before and after a step, of the area they were in before it.

        Who is compared does not depend on the area looked at, so that areas add up: one topic for all of them.
        """
        return f"pupils from {step_words(from_year)}"

    def arrived_topic(self, from_year: str = FIRST) -> str:
        """Return the topic of figures of pupils compared before and after a step, of the area and school they came to."""
        return f"pupils from {step_words(from_year)}, where they came to"

    def roll_topic(self, from_year: str = FIRST) -> str:
        """Return the topic of figures of a whole year group's roll and what became of it."""
        return topic_of(f"pupils of Year {from_year} and what became of them", self.area)

    def intake_topic(self, from_year: str = FIRST) -> str:
        """Return the topic of figures of the pupils expected in the next year group."""
        return topic_of(f"pupils expected in Year {STEPS[from_year]}", self.area)

    def supported_topic(self) -> str:
        """Return the topic of figures of pupils who are given support."""
        return topic_of("supported pupils", self.area)


def step_words(from_year: str = FIRST) -> str:
    """Return a step in words.

    >>> step_words(), step_words("7")
    ('Year 6 to Year 7', 'Year 7 to Year 8')
    """
    return f"{year_words(from_year)} to {year_words(STEPS[from_year])}"


def year_words(nc_year: str) -> str:
    """Return a year group in words.

    >>> year_words("6")
    'Year 6'
    """
    return level_words("nc_year", nc_year)


def cohort_words(from_year: str, year: int) -> str:
    """Return a cohort in words, by the academic year before its step.

    >>> cohort_words("6", 202223)
    'Year 6 of 2022/23'
    """
    return f"{year_words(from_year)} of {show_academic_year(year)}"


def year_after(year: int) -> int:
    """Return the academic year after one.

    >>> year_after(202223)
    202324
    """
    return academic_year_before(year, -1)
