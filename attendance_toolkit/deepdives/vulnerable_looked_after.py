"""Looked-after children: how many are persistently and severely absent, by school type, year group and year."""

from __future__ import annotations

from functools import cached_property

from attendance_toolkit.deepdives._shared import YEAR_GROUPS, Lookup, Record, count_of, level_words, or_nothing, rate_of
from attendance_toolkit.deepdives.vulnerable_data import HIDDEN, or_notice
from attendance_toolkit.deepdives.vulnerable_groups import ABSENCE, ENROLMENTS_NOTE, PERSISTENT, SEVERE, group_columns
from attendance_toolkit.deepdives.vulnerable_groups_data import (
    FEW_PHASES,
    LOOKED_AFTER,
    VulnerableGroupsData,
)
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import record_difference
from attendance_toolkit.presentation.blocks import Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import count_cell, figure_words, interval_cell, interval_words, source_of
from attendance_toolkit.presentation.narrative import change_sentence, is_shown, sentence_list
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS
from attendance_toolkit.vocabulary.rounding import show_number

LAST_YEAR_GROUP = "11"
_MISSED = {PERSISTENT: "missed 10% or more of their sessions", SEVERE: "missed half or more of their sessions"}
_IN = {"Primary": "in primary schools", "Secondary": "in secondary schools"}


class LookedAfterBlocks(VulnerableGroupsData):
    """Blocks on looked-after children, at schools of the area, whichever authority looks after them."""

    # -- cleared figures -----------------------------------------------------------------------------

    def looked_after(self, measure: str, phase: str = ALL_SCHOOLS, year: int = 0) -> Record | None:
        """Return a figure of looked-after children as cleared."""
        return self.figure_of(LOOKED_AFTER, measure, phase=phase, year=year)

    @cached_property
    def _year_groups_lookup(self) -> Lookup:
        return Lookup(self.looked_after_years, ["nc_year", "measure"])

    def of_year_group(self, measure: str, nc_year: str) -> Record | None:
        """Return a figure of the looked-after children of a year group."""
        return self._year_groups_lookup(nc_year=nc_year, measure=measure)

    def _need_looked_after(self) -> None:
        self.need_pupils()
        if self.looked_after("enrolments") is None:
            raise NoDataError(
                f"No pupil in schools of {self.area.name} is known to be looked after in {self.shown_year}. Load a list of"
                " pupil flags: a CSV of UPN, academic_year and looked_after."
            )

    # -- blocks --------------------------------------------------------------------------------------

    @or_notice
    def looked_after_table(self) -> Table | Notice | Result:
        """Return looked-after children by year, in total, and by school type in the year itself."""
        self._need_looked_after()
        rows = []
        for year in reversed(self.years):
            for phase in (ALL_SCHOOLS, *FEW_PHASES):
                size, absence, persistent, severe = (
                    self.looked_after(measure, phase, year) for measure in ("enrolments", ABSENCE, PERSISTENT, SEVERE)
                )
                if size is None:
                    continue
                cells = (
                    rate_of(size), rate_of(absence), interval_cell(absence), count_of(persistent), rate_of(persistent),
                    count_of(severe), rate_of(severe),
                )  # fmt: skip
                rows.append(Row(phase, cells, show_academic_year(year), phase == ALL_SCHOOLS))
        return Table(
            "looked-after-children",
            "Absence of looked-after children by year and school type",
            f"{self.area.name}; whichever authority looks after them. All schools: primary, secondary and special",
            group_columns("School type", has_interval=True),
            tuple(rows),
            source_of(self.vulnerable),
            (
                ENROLMENTS_NOTE,
                "School types are shown for the latest year, and to partners only where there are enough children.",
            ),
        )

    @or_nothing
    def looked_after_sentences(self) -> Findings | Result:
        """Return average absence against the year before, and how many are persistently and severely absent, and where."""
        self._need_looked_after()
        sentences = [
            *self._absence_sentence(),
            *self._count_sentences(),
            *self._last_year_sentence(),
            *self._sen_sentence(),
        ]
        return Findings(tuple(sentences)) if sentences else Result(())

    def _absence_sentence(self) -> list[str]:
        now, before = (self.looked_after(ABSENCE, year=year) for year in (self.year, self.year_before))
        if not is_shown(now):
            return [f"Average absence of looked-after children cannot be told: {HIDDEN}."]
        if not is_shown(before):
            return [
                f"Looked-after children missed {figure_words(now)} of their sessions in {self.shown_year}"
                f" ({interval_words(now)})."
            ]
        change = record_difference(now, before)
        subject = "Average absence of looked-after children"
        return [change_sentence(subject, before, now, change, self.shown_year, show_academic_year(self.year_before))]

    def _count_sentences(self) -> list[str]:
        found = []
        for measure in (PERSISTENT, SEVERE):
            total = self.looked_after(measure)
            if not is_shown(total):
                found.append(f"How many looked-after children {_MISSED[measure]} cannot be told: {HIDDEN}.")
                continue
            text = f"{_children(total)} ({figure_words(total)}) {_MISSED[measure]} in {self.shown_year}"
            parts = [(phase, self.looked_after(measure, phase)) for phase in FEW_PHASES[::-1]]
            told = [f"{_number(part)} {_IN[phase]}" for phase, part in parts if is_shown(part)]
            text += f": {sentence_list(told)}" if told else ""
            before = self.looked_after(measure, year=self.year_before)
            text += (
                f". In {show_academic_year(self.year_before)} there were {_number(before)}" if is_shown(before) else ""
            )
            found.append(f"{text}.")
        return found

    def _last_year_sentence(self) -> list[str]:
        record = self.of_year_group(PERSISTENT, LAST_YEAR_GROUP)
        if not is_shown(record):
            return []
        name = level_words("nc_year", LAST_YEAR_GROUP)
        return [
            f"{_children(record)} in {name} {_MISSED[PERSISTENT]}: {figure_words(record)} of those in {name}"
            f" ({interval_words(record)})."
        ]

    def _sen_sentence(self) -> list[str]:
        record = Lookup(self.looked_after_sen, ["sen_provision", "measure"])(sen_provision="Any SEN", measure=SEVERE)
        total = self.looked_after(SEVERE)
        if not (is_shown(record) and is_shown(total)) or not total["numerator"]:
            return []
        return [f"{_number(record)} of the {_children(total)} who {_MISSED[SEVERE]} had an EHC plan or SEN support."]

    @or_nothing
    def year_group_table(self) -> Table | Result:
        """Return looked-after children by year group."""
        self._need_looked_after()
        rows = []
        for nc_year in YEAR_GROUPS:
            size, absence, persistent, severe = (
                self.of_year_group(measure, nc_year) for measure in ("enrolments", ABSENCE, PERSISTENT, SEVERE)
            )
            if size is None:
                continue
            cells = (
                rate_of(size), rate_of(absence), count_of(persistent), rate_of(persistent), count_of(severe), rate_of(severe),
            )  # fmt: skip
            rows.append(Row(level_words("nc_year", nc_year), cells, emphasis=nc_year == LAST_YEAR_GROUP))
        if all(cell.symbol == "c" for row in rows for cell in row.cells):
            raise NoDataError("All figures by year group are hidden.")
        return Table(
            "looked-after-year-groups",
            f"Looked-after children by year group, {self.shown_year}",
            f"{self.area.name}; primary, secondary and special schools",
            group_columns("Year group", has_interval=False),
            tuple(rows),
            source_of(self.looked_after_years),
            ("A year group without looked-after children has no row.",),
        )


def _children(record: Record) -> str:
    """Return how many looked-after children a record counts, in running text."""
    number = _number(record)
    return f"{number} looked-after {'child' if number == '1' else 'children'}"


def _number(record: Record) -> str:
    """Return the count of a record in running text."""
    value = count_cell(record).value
    return show_number(float(value)) if value is not None else "some"
