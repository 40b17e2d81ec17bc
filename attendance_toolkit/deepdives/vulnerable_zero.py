"""Pupils with no attendance: how many, in which schools and groups, and what their sessions were coded."""

from __future__ import annotations

from collections.abc import Sequence

from attendance_toolkit.deepdives._others import rate_cells, ratio_words
from attendance_toolkit.deepdives._shared import COVID_YEARS, Record, or_nothing, rate_of
from attendance_toolkit.deepdives.vulnerable_data import HIDDEN, or_notice
from attendance_toolkit.deepdives.vulnerable_groups import ENROLMENTS_NOTE, WORDS
from attendance_toolkit.deepdives.vulnerable_groups_data import ALL_PUPILS, group_words
from attendance_toolkit.deepdives.vulnerable_zero_data import (
    AUTHORISED,
    PART_TIME,
    UNAUTHORISED,
    ZERO_PHASES,
    VulnerableZeroData,
)
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import source_of
from attendance_toolkit.presentation.narrative import is_clear, is_shown, one_in, percent, sentence_list
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS
from attendance_toolkit.vocabulary.rounding import show_number

_COLUMNS = (
    Column("Enrolments"),
    Column("Number", "No attendance"),
    Column("Rate", "No attendance", "%"),
    Column("95% interval", "No attendance"),
)
#: Columns of the table by school type.
SCHOOL_TYPE = Column("School type", align="left")
_WHAT = "enrolments that missed every possible session of the year"
_PARTS = {
    AUTHORISED: "at least half of the missed sessions were authorised",
    UNAUTHORISED: "most of the missed sessions were unauthorised",
    PART_TIME: "some of the missed sessions were those of a part-time timetable",
}
_NOT_EVERYBODY = (
    "No attendance does not say why: some of these pupils are educated elsewhere, have moved away or are in hospital, and some"
    " may be missing education. Each needs to be looked into."
)


class VulnerableZero(VulnerableZeroData):
    """Blocks on pupils with no attendance, from the cleared tables alone."""

    @or_notice
    def zero_sentences(self) -> Findings | Notice | Result:
        """Return how many pupils have no attendance, what their sessions were coded, and in which groups they are more."""
        total = self.zero_of(ALL_PUPILS)
        if not is_shown(total):
            return Findings(
                (f"How many pupils attended no session of {self.shown_year} cannot be told: {HIDDEN}.", _NOT_EVERYBODY)
            )
        if not total["numerator"]:
            return Findings((f"No enrolment of {self.area.name} missed every possible session of {self.shown_year}.",))
        sentences = [
            f"{show_number(total['numerator'])} of {show_number(total['denominator'])} enrolments in {self.area.name}"
            f" ({percent(total['rate'])}, {one_in(total['rate'])}) attended no session of {self.shown_year}: they missed"
            " every possible one."
        ]
        sentences += self._kinds()
        sentences += self._groups_above()
        return Findings((*sentences, _NOT_EVERYBODY))

    def _kinds(self) -> list[str]:
        """Return what the sessions were coded, as far as it is shown."""
        found, hidden = [], False
        for part, words in _PARTS.items():
            share = self.zero_beside(ALL_PUPILS, "share_of_absentees", part)
            hidden |= share is not None and share["symbol"] == "c"
            if is_shown(share):
                found.append(f"for {percent(share['rate'], 0)} of them {words}")
        sentences = [f"{text[0].upper()}{text[1:]}." for text in found]
        if hidden:
            sentences.append(f"Not all is told of what their sessions were coded: {HIDDEN}.")
        return sentences

    def _groups_above(self) -> list[str]:
        """Return in which groups no attendance is clearly more common than among other pupils."""
        above, unclear, hidden = [], [], []
        for group in self.zero_groups:
            ratio = self.zero_beside(group, "risk_ratio")
            if is_shown(ratio) and is_clear(ratio, 1.0):
                above.append(f"{WORDS[group]}: {ratio_words(ratio)} the rate of other pupils")
            elif is_shown(ratio):
                unclear.append(WORDS[group])
            elif ratio is not None and ratio["symbol"] == "c":
                hidden.append(WORDS[group])
        sentences = [f"Clearly different from other pupils are {'; '.join(above)}."] if above else []
        if unclear:
            sentences.append(f"Not clearly different from other pupils: {sentence_list(unclear)}.")
        if hidden:
            sentences.append(f"Hidden to protect small numbers, so nothing is said of {sentence_list(hidden)}.")
        return sentences

    @or_nothing
    def zero_table(self) -> Table | Result:
        """Return no attendance of all pupils and of each vulnerable group."""
        self._need_a_figure([self.zero_of(group) for group in (ALL_PUPILS, *self.zero_groups)])
        rows = [
            Row(
                group_words(*group),
                rate_cells(self.zero_of(group), self.zero_of(group, "enrolments")),
                emphasis=group == ALL_PUPILS,
            )
            for group in (ALL_PUPILS, *self.zero_groups)
        ]
        return Table(
            "no-attendance-by-group",
            f"Pupils with no attendance by vulnerable group, {self.shown_year}",
            f"{self.area.name}; primary, secondary and special schools; {_WHAT}",
            (Column("Pupils", align="left"), *_COLUMNS),
            tuple(rows),
            source_of(self.no_attendance),
            (ENROLMENTS_NOTE, "Groups overlap: a child may be in several of them.", *self._covid_note()),
        )

    @or_nothing
    def zero_phase_table(self) -> Table | Result:
        """Return no attendance by school type."""
        self._need_a_figure([self.zero_of(ALL_PUPILS, phase=phase) for phase in ZERO_PHASES])
        rows = []
        for phase in ZERO_PHASES:
            record = self.zero_of(ALL_PUPILS, phase=phase)
            if record is not None:
                cells = rate_cells(record, self.zero_of(ALL_PUPILS, "enrolments", phase))
                rows.append(Row(phase, cells, emphasis=phase == ALL_SCHOOLS))
        return Table(
            "no-attendance-by-school-type",
            f"Pupils with no attendance by school type, {self.shown_year}",
            f"{self.area.name}; {_WHAT}",
            (SCHOOL_TYPE, *_COLUMNS),
            tuple(rows),
            source_of(self.no_attendance),
            (
                "Pupil referral units are in no total, as in DfE's tables.",
                "A pupil who was at a school for a few days only, and missed them, is counted too.",
                *self._covid_note(),
            ),
        )

    @or_nothing
    def zero_kinds_table(self) -> Table | Result:
        """Return what the sessions of pupils with no attendance were coded."""
        self._need_a_figure([self.zero_of(ALL_PUPILS, part) for part in _PARTS])
        names = {
            AUTHORISED: "At least half of the sessions authorised",
            UNAUTHORISED: "Most of the sessions unauthorised",
            PART_TIME: "Some sessions of a part-time timetable",
        }
        rows = []
        for part, label in names.items():
            record = self.zero_of(ALL_PUPILS, part)
            if record is None:
                continue
            _, number, rate, interval = rate_cells(record)
            share = rate_of(self.zero_beside(ALL_PUPILS, "share_of_absentees", part))
            rows.append(Row(label, (number, rate, interval, share)))
        return Table(
            "no-attendance-by-kind",
            f"What sessions of pupils with no attendance were coded, {self.shown_year}",
            f"{self.area.name}; primary, secondary and special schools; {_WHAT}",
            (
                Column("Sessions missed", align="left"),
                Column("Enrolments"),
                Column("Of all enrolments", "", "%"),
                Column("95% interval"),
                Column("Of those with no attendance", "", "%"),
            ),
            tuple(rows),
            source_of(self.no_attendance),
            self._part_time_note(),
        )

    def _need_a_figure(self, found: Sequence[Record | None]) -> None:
        """Raise where every figure of a table is hidden: the sentences say so already."""
        if not any(is_shown(record) for record in found):
            raise NoDataError(f"Nothing is shown of pupils with no attendance: {HIDDEN}.")

    def _part_time_note(self) -> tuple[str, ...]:
        if self.zero_of(ALL_PUPILS, PART_TIME) is None:
            return ("Part-time timetables had no register code of their own before the autumn of 2024.",)
        return ("A part-time timetable goes with either of the other two.",)

    def _covid_note(self) -> tuple[str, ...]:
        if self.year not in COVID_YEARS:
            return ()
        return (
            "Sessions coded for the coronavirus were possible and are neither attended nor missed: an enrolment that has any"
            " is not counted here.",
        )
