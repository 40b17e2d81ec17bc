"""Year groups within schools: where absence of a year group differs from that of the same year group in other schools."""

from __future__ import annotations

from functools import cached_property

import pandas as pd

from attendance_toolkit.deepdives._base import derived_table, exact_table
from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._school_funnels import (
    APART_COLUMNS,
    LIMITS_NOTE,
    SchoolFunnels,
    apart_rows,
    centre_rows,
    school_funnels,
)
from attendance_toolkit.deepdives._shared import (
    MAIN_COUNTS,
    YEAR_GROUPS,
    Lookup,
    Record,
    level_words,
    or_nothing,
    rate_of,
)
from attendance_toolkit.deepdives.schools_data import KEYS, SchoolsData, kind_words, number_words, or_notice
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import absence_rate, enrolment_count, with_contributors
from attendance_toolkit.presentation.blocks import Cell, Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import figure_words, records, source_of
from attendance_toolkit.vocabulary.columns import MAIN_PHASES
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.rounding import show_number

OVERALL = "overall_absence_rate"
_BY = [*KEYS, "nc_year"]
_TOO_FEW = "Year groups within schools need more schools of one school type with figures that can be shown."


class SchoolsYearGroups(SchoolsData):
    """Blocks on year groups."""

    @exact_table
    def school_year_groups(self) -> ExactTable:
        """Enrolments and overall absence of each year group of compulsory school age, by school."""
        self.need_pupils()
        cells = self.inputs.local_cells(["phase", "laestab", "nc_year"], counts=MAIN_COUNTS, years=[self.year])
        cells = cells[cells["phase"].isin(MAIN_PHASES) & cells["nc_year"].isin(YEAR_GROUPS)]
        if cells.empty:
            raise NoDataError(
                f"No school of {self.area.name} has pupils to count in year groups of compulsory school age."
            )
        cells = cells.assign(laestab=cells["laestab"].astype(str), nc_year=cells["nc_year"].astype(str))
        rows = pd.concat([enrolment_count(cells, _BY), absence_rate(cells, _BY)], ignore_index=True)
        return self.inputs.local_table(with_contributors(rows, cells, _BY))

    @cached_property
    def _year_funnels(self) -> SchoolFunnels:
        return school_funnels((row for row in records(self.school_year_groups) if row["measure"] == OVERALL), "nc_year")

    @derived_table
    def year_group_centres(self) -> ProtectedTable:
        """Overall absence of a year group in all schools of a type that can be shown, together."""
        rows = centre_rows(self._year_funnels, OVERALL, "nc_year", self.year)
        return derived_from(rows, self.school_year_groups, nothing=_TOO_FEW)

    @cached_property
    def _centres(self) -> Lookup:
        return Lookup(self.year_group_centres, ["phase", "nc_year"])

    def _shown_years(self, phase: str) -> list[str]:
        return [nc_year for nc_year in YEAR_GROUPS if (phase, nc_year) in self._year_funnels]

    # -- blocks --------------------------------------------------------------------------------------

    @or_notice
    def year_group_sentences(self) -> Findings | Notice:
        """Return in which year groups absence is highest and lowest by school type, and how many lie outside the limits."""
        if not self._year_funnels:
            raise NoDataError(_TOO_FEW)
        sentences = []
        for phase in MAIN_PHASES:
            years = self._shown_years(phase)
            if not years:
                continue
            ordered = sorted(years, key=lambda nc_year: self._centre(phase, nc_year)["rate"])
            if len(ordered) > 1:
                low, high = ordered[0], ordered[-1]
                sentences.append(
                    f"In {kind_words(phase)} absence was highest in {level_words('nc_year', high)}"
                    f" ({figure_words(self._centre(phase, high))}) and lowest in {level_words('nc_year', low)}"
                    f" ({figure_words(self._centre(phase, low))})."
                )
            apart = [is_above for nc_year in years for _, is_above in self._year_funnels[phase, nc_year].apart()]
            shown = sum(len(self._year_funnels[phase, nc_year].rows) for nc_year in years)
            sentences.append(
                phrase(
                    f"Of {shown:,} year groups of {kind_words(phase)}, {number_words(sum(apart))}"
                    f" {'lies' if sum(apart) == 1 else 'lie'} above the limits and"
                    f" {number_words(len(apart) - sum(apart))} below; where schools differ in the ordinary way, about one in ten"
                    " lies outside.",
                    "groups",
                )
            )
        return Findings(tuple(sentences))

    def _centre(self, phase: str, nc_year: str) -> Record:
        record = self._centres(phase=phase, nc_year=nc_year)
        assert record is not None  # of those that have a funnel
        return record

    @or_nothing
    def year_group_table(self) -> Table | Result:
        """Return absence of each year group by school type, and how many schools lie outside the limits."""
        rows = []
        for phase in MAIN_PHASES:
            for nc_year in self._shown_years(phase):
                funnel = self._year_funnels[phase, nc_year]
                apart = funnel.apart()
                above = sum(is_above for _, is_above in apart)
                counts = (len(funnel.rows), above, len(apart) - above)
                cells = [rate_of(self._centre(phase, nc_year))]
                cells += [Cell(phrase(show_number(count), "schools"), float(count)) for count in counts]
                rows.append(Row(level_words("nc_year", nc_year), tuple(cells), phase))
        if not rows:
            raise NoDataError(_TOO_FEW)
        return Table(
            "year-groups-in-schools",
            f"Absence by year group and school type, {self.shown_year}",
            f"{self.area.name}; sessions missed as a share of possible sessions, and schools that differ from the others",
            (
                Column("Year group", align="left"),
                Column("Together", "Average absence", "%"),
                Column("Shown", "Schools"),
                Column("Above", "Schools"),
                Column("Below", "Schools"),
            ),
            tuple(rows),
            source_of(self.year_group_centres),
            (LIMITS_NOTE.format(what="year group"),),
        )

    @or_nothing
    def school_year_groups_table(self, phase: str) -> Table | Result:
        """Return the schools of a type with a year group outside the limits, by year group and name."""
        levels = {nc_year: level_words("nc_year", nc_year) for nc_year in YEAR_GROUPS}
        rows = apart_rows(self._year_funnels, self._centres, self.names, phase, "nc_year", levels)
        return Table(
            f"school-year-groups-{phase.lower()}",
            f"{phase} schools with a year group whose absence differs from that in the others, {self.shown_year}",
            f"Sessions missed as a share of possible sessions; by name, {self.area.name}",
            APART_COLUMNS,
            tuple(rows),
            source_of(self.school_year_groups),
            (
                f"{phase} schools that are not listed lie within the limits, or their figures are hidden.",
                "A year group is few pupils: a long illness of one or two of them may be all the difference.",
            ),
        )
