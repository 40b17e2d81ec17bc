"""The tables of a year group's roll: what became of its pupils, from which district to which they went, and who joined."""

from __future__ import annotations

from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd

from attendance_toolkit.deepdives._base import exact_table
from attendance_toolkit.deepdives._outcomes import outcome_rows, topic_of
from attendance_toolkit.deepdives._shared import Lookup, Record
from attendance_toolkit.deepdives._transition_cells import pupil_counts
from attendance_toolkit.deepdives.transition_data import (
    FIRST,
    SECOND,
    STEPS,
    TransitionData,
    step_words,
    year_after,
)
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.transition.outcomes import FROM_DISTRICT, flows_between, joiners, link_outcomes
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.steps import (
    COMPARED,
    DESTINATION_SOURCES,
    LINK_OUTCOMES,
    LINKED_ELSEWHERE,
    NOT_COMPARED,
)

#: Years before the step that are shown, the last ones there are.
MOST_COHORTS = 2


class TransitionLinksData(TransitionData):
    """Counts of pupils on a roll and what became of them. The academic year of a row is that before the step."""

    # -- exact tables --------------------------------------------------------------------------------

    @exact_table
    def roll(self) -> ExactTable:
        """What became of each cohort's roll in the area: the measure ``link_rate`` by ``outcome``; outcomes add up."""
        return self._roll(FIRST)

    @exact_table
    def roll_second(self) -> ExactTable:
        """The same of the year group after it."""
        return self._roll(SECOND)

    def _roll(self, from_year: str) -> ExactTable:
        possible = [name for name in LINK_OUTCOMES if name != LINKED_ELSEWHERE or self.has_other_districts]
        parts = []
        for cohort in self.linked_cohorts(from_year)[-MOST_COHORTS:]:
            found = link_outcomes(cohort, self.members)[cohort.in_area(self.members)]
            counted = np.bincount(found, minlength=len(LINK_OUTCOMES))
            outcomes = dict(zip(LINK_OUTCOMES, counted.tolist(), strict=True))
            compared = sum(outcomes[name] for name in LINK_OUTCOMES[:2])
            outcomes |= {COMPARED: compared, NOT_COMPARED: len(found) - compared}
            cells = pd.DataFrame({"outcome": list(outcomes), "pupils": list(outcomes.values())})
            parts.append(cells.assign(academic_year=cohort.academic_year, roll=len(found)))
        cells = pd.concat(parts, ignore_index=True)
        sizes = cells.groupby("academic_year")["roll"].first().rename("pupils").reset_index()
        wanted = cells.loc[cells["outcome"].isin([COMPARED, NOT_COMPARED, *possible]), ["academic_year", "outcome"]]
        rows = outcome_rows(sizes, cells.drop(columns="roll"), wanted, "link_rate")
        return self.inputs.local_table(rows.assign(area_code=self.area.code), topic=self.roll_topic(from_year))

    @exact_table
    def destinations(self) -> ExactTable:
        """How the schools are known that pupils about to move up go to: pupils by ``destination_source``."""
        cohort = self.coming_cohort()
        here = cohort.in_area(self.members)
        counted = np.bincount(cohort.destination_source[here], minlength=len(DESTINATION_SOURCES)).tolist()
        cells = pd.DataFrame({"destination_source": [ALL, *DESTINATION_SOURCES], "pupils": [int(here.sum()), *counted]})
        rows = pupil_counts(cells.assign(area_code=self.area.code, academic_year=cohort.academic_year))
        return self.inputs.local_table(rows, topic=topic_of(f"pupils about to leave Year {FIRST}", self.area))

    @exact_table
    def district_flows(self) -> ExactTable:
        """Compared pupils of the last step by district before (``area_code``) and after (``la_after``).

        Of an area of several districts all of them; of one district those who stayed, came or went.
        """
        if not (self.has_districts or self.has_other_districts):
            raise NoDataError("The store holds one district: who came from others and went to others is not in it.")
        cohort = self.latest_cohort()
        found = flows_between(cohort).set_index(["la_before", "la_after"])["pupils"].to_dict()
        rows = [
            (one, other, int(found.get((one, other), 0)))
            for one, other in product(cohort.la_codes, cohort.la_codes)
            if one in self.members or other in self.members
        ]
        cells = pd.DataFrame(rows, columns=["area_code", "la_after", "pupils"])
        from_here = cells[cells["area_code"].isin(self.members)]
        parts = [cells, from_here.groupby("area_code")["pupils"].sum().reset_index().assign(la_after=ALL)]
        if self.has_districts:
            together = from_here.groupby("la_after")["pupils"].sum().reset_index()
            whole = pd.DataFrame({"la_after": [ALL], "pupils": [int(from_here["pupils"].sum())]})
            parts += [part.assign(area_code=self.area.code) for part in (together, whole)]
        rows_of = pupil_counts(pd.concat(parts, ignore_index=True).assign(academic_year=cohort.academic_year))
        return self.inputs.local_table(rows_of, topic=f"pupils from {step_words()} and the district they went to")

    @exact_table
    def joined(self) -> ExactTable:
        """Where the pupils of the area's year group after the step were before it: pupils by ``origin``."""
        parts = []
        for cohort in self.linked_cohorts()[-MOST_COHORTS:]:
            cells = joiners(cohort, self.members)
            cells = cells[(cells["origin"] != FROM_DISTRICT) | self.has_other_districts]
            whole = pd.DataFrame({"origin": [ALL], "pupils": [int(cells["pupils"].sum())]})
            cells = pd.concat([whole, cells], ignore_index=True)
            parts.append(cells.assign(academic_year=year_after(cohort.academic_year)))
        cells = pd.concat(parts, ignore_index=True).assign(area_code=self.area.code)
        topic = topic_of(f"pupils of Year {STEPS[FIRST]} and where they came from", self.area)
        return self.inputs.local_table(pupil_counts(cells), topic=topic)

    # -- cleared figures -----------------------------------------------------------------------------

    def roll_of(self, from_year: str = FIRST) -> Lookup:
        """Return the cleared figures of a roll by academic year, outcome and measure."""
        table = self.roll if from_year == FIRST else self.roll_second
        return Lookup(table, ["academic_year", "outcome", "measure"])

    def roll_years(self, from_year: str = FIRST) -> tuple[int, ...]:
        """Return the academic years before the steps whose rolls are shown, latest first."""
        table = self.roll if from_year == FIRST else self.roll_second
        return tuple(sorted((int(year) for year in table.rows["academic_year"].unique()), reverse=True))

    @cached_property
    def _flows_lookup(self) -> Lookup:
        return Lookup(self.district_flows, ["area_code", "la_after"])

    def district_flow(self, before: str, after: str = ALL) -> Record | None:
        """Return how many pupils of one district went to another, by their codes; "All" is wherever they went."""
        return self._flows_lookup(area_code=before, la_after=after)
