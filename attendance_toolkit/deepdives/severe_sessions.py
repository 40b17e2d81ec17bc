"""How severe absentees miss school: by term, authorised or not, for which reason, and how long they were on roll."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from attendance_toolkit.deepdives._base import derived_table
from attendance_toolkit.deepdives._contrasts import derived_from, pooled
from attendance_toolkit.deepdives._others import (
    COUNT_COLUMNS,
    OTHERS,
    others_cells,
    others_columns,
    others_rows,
    rate_cells,
    ratio_words,
    share_row,
)
from attendance_toolkit.deepdives._shared import Lookup, count_of, or_nothing, or_notice, rate_of
from attendance_toolkit.deepdives.severe_data import SevereAbsenceData
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.presentation.blocks import Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import interval_cell, source_of
from attendance_toolkit.presentation.narrative import is_clear, is_shown, percent
from attendance_toolkit.vocabulary.calendar import TERM_LABELS
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, MAIN_PHASES, TIME_ON_ROLL
from attendance_toolkit.vocabulary.register_codes import REASON_LABELS
from attendance_toolkit.vocabulary.rounding import show_number

Record = Mapping[str, Any]

SEVERE = "severe_absence_rate"
_SHORTEST = TIME_ON_ROLL[0][0]
_LONGER = "50 sessions or more"


class SevereSessions(SevereAbsenceData):
    """Terms, kinds, reasons and time on roll as blocks, from the cleared tables alone."""

    # -- terms, kinds, reasons -----------------------------------------------------------------------

    @or_notice
    def term_table(self) -> Table | Notice:
        """Return severe absence by term and school type."""
        here = self.terms.select(area_code=self.area.code, academic_year=self.year)
        lookup, enrolled = (Lookup(here.select(measure=name), ["phase", "term"]) for name in (SEVERE, "enrolments"))
        rows = []
        for phase in (ALL_SCHOOLS, *MAIN_PHASES):
            for term, label in TERM_LABELS.items():
                record = lookup(phase=phase, term=term)
                if record is not None:
                    rows.append(Row(label, rate_cells(record, enrolled(phase=phase, term=term)), phase))
        return Table(
            "severe-by-term",
            f"Severe absence by term, {self.shown_year}",
            f"{self.area.name}; enrolments missing 50% or more of their own possible sessions of the term",
            (
                Column("Term", align="left"),
                *COUNT_COLUMNS,
            ),
            tuple(rows),
            source_of(self.terms),
            (
                "A pupil may be severely absent in one term and not in the year: terms do not average to the year, and their"
                " severe absentees must not be added up.",
            ),
        )

    @cached_property
    def _missed(self) -> Lookup:
        chosen = self.kinds.select(area_code=self.area.code, academic_year=self.year)
        return Lookup(chosen, ["phase", "measure", "reason"])

    @derived_table
    def missed_sessions(self) -> ProtectedTable:
        """Share of the sessions severe absentees missed that are of a kind or a reason, by school type."""
        rows = []
        reasons = [name for name in REASON_LABELS if name in set(self.kinds.rows["reason"])]
        for phase in dict.fromkeys(self.kinds.rows["phase"]):
            whole = self._missed(phase=phase, measure="overall_absence_rate_severe", reason=ALL)
            for kind in ("authorised", "unauthorised"):
                part = self._missed(phase=phase, measure=f"{kind}_absence_rate_severe", reason=ALL)
                rows.append(share_row("share_of_sessions", part, whole, phase=phase, reason=kind))
            for reason in reasons:
                part = self._missed(phase=phase, measure="reason_rate_severe", reason=reason)
                rows.append(share_row("share_of_sessions", part, whole, phase=phase, reason=reason))
        return derived_from(rows, self.kinds)

    @cached_property
    def _share_of_missed(self) -> Lookup:
        return Lookup(self.missed_sessions, ["phase", "reason"])

    @or_notice
    def kinds_table(self) -> Table | Notice:
        """Return authorised against unauthorised absence of severe absentees by school type."""
        rows = []
        for phase in (ALL_SCHOOLS, *MAIN_PHASES):
            get = {
                kind: self._missed(phase=phase, measure=f"{kind}_absence_rate_severe", reason=ALL)
                for kind in ("overall", "authorised", "unauthorised")
            }
            if get["overall"] is None:
                continue
            cells = [count_of(self._missed(phase=phase, measure=SEVERE, reason=ALL))]
            cells += [cell for record in get.values() for cell in (rate_of(record), interval_cell(record))]
            cells.append(rate_of(self._share_of_missed(phase=phase, reason="unauthorised")))
            rows.append(Row(phase, tuple(cells), "", phase == ALL_SCHOOLS))
        columns = [Column("School type", align="left"), Column("Severe absentees")]
        for kind in ("All absence", "Authorised", "Unauthorised"):
            columns += [Column("Of their possible sessions", kind, "%"), Column("95% interval", kind)]
        columns.append(Column("Unauthorised, of the sessions they missed", "", "%"))
        share = self._share_of_missed(phase=ALL_SCHOOLS, reason="unauthorised")
        title = "Authorised and unauthorised absence of severe absentees"
        if is_shown(share):
            title = f"{percent(share['rate'])} of the sessions severe absentees missed were unauthorised"
        return Table(
            "severe-absentees-by-kind",
            f"{title}, {self.shown_year}",
            f"{self.area.name}; sessions missed by severe absentees, as a share of their own possible sessions",
            tuple(columns),
            tuple(rows),
            source_of(self.kinds),
            ("Intervals take the pupil as the unit: sessions of one pupil are alike.",),
        )

    @or_notice
    def reason_table(self) -> Table | Notice:
        """Return why severe absentees missed sessions: each reason as a share of the sessions they missed."""
        phases = [phase for phase in (ALL_SCHOOLS, *MAIN_PHASES) if phase in set(self.missed_sessions.rows["phase"])]
        rows = []
        for reason, label in REASON_LABELS.items():
            found = [self._share_of_missed(phase=phase, reason=reason) for phase in phases]
            if any(record is not None for record in found):
                kind = "Authorised" if reason.startswith("auth_") else "Unauthorised"
                rows.append(Row(label, tuple(rate_of(record) for record in found), kind))
        return Table(
            "severe-absentees-by-reason",
            f"Why severe absentees missed sessions, {self.shown_year}",
            f"{self.area.name}; share of all sessions severe absentees missed",
            (Column("Reason", align="left"), *[Column(phase, "", "%") for phase in phases]),
            tuple(rows),
            source_of(self.kinds),
            ("Shares are worked out from the counts as they are shown, and may not add up to the whole.",),
        )

    # -- time on roll --------------------------------------------------------------------------------

    @cached_property
    def _on_roll(self) -> Lookup:
        chosen = self.on_roll.select(area_code=self.area.code, academic_year=self.year, measure=SEVERE)
        return Lookup(chosen, ["time_on_roll"])

    @derived_table
    def roll(self) -> ProtectedTable:
        """Enrolments by time on roll beside all others, and severe absence without the shortest ones."""
        total = self._on_roll(time_on_roll=ALL)
        rows: list[dict[str, Any]] = []
        for label, _ in TIME_ON_ROLL:
            record = self._on_roll(time_on_roll=label)
            if record is not None:
                rows += others_rows(record, total, time_on_roll=label)
        longer = pooled([r for label, _ in TIME_ON_ROLL[1:] if (r := self._on_roll(time_on_roll=label)) is not None])
        if longer is not None:
            names = ("measure", "numerator", "denominator", "rate", "lower", "upper", "symbol")
            rows.append({**{name: longer[name] for name in names}, "time_on_roll": _LONGER})
            rows += others_rows(longer, total, time_on_roll=_LONGER)
        return derived_from(rows, self.on_roll)

    @cached_property
    def _roll(self) -> Lookup:
        return Lookup(self.roll, ["time_on_roll", "measure"])

    @or_notice
    def roll_table(self) -> Table | Notice:
        """Return severe absence by how long the enrolment was on roll: short spells inflate it."""
        here = self.on_roll.select(area_code=self.area.code, academic_year=self.year, measure="enrolments")
        enrolled = Lookup(here, ["time_on_roll"])
        every = others_cells(self._on_roll(time_on_roll=ALL), {}, enrolled(time_on_roll=ALL))
        rows = [Row("All enrolments", every, "", True)]
        for label in (*[label for label, _ in TIME_ON_ROLL], _LONGER):
            record = self._roll(time_on_roll=label, measure=SEVERE) or self._on_roll(time_on_roll=label)
            if record is not None:
                found = {name: self._roll(time_on_roll=label, measure=name) for name in OTHERS}
                header = "Without the shortest: 50 sessions or more" if label == _LONGER else label
                rows.append(Row(header, others_cells(record, found, enrolled(time_on_roll=label))))
        return Table(
            "severe-by-time-on-roll",
            f"Severe absence by time on roll, {self.shown_year}",
            f"{self.area.name}, all schools; possible sessions of the enrolment in the year, of about 380",
            (Column("Time on roll", align="left"), *others_columns()),
            tuple(rows),
            source_of(self.on_roll),
            (
                "An enrolment of a few weeks is a severe absentee if half of those weeks were missed. A pupil who changes"
                " school has an enrolment at each.",
            ),
        )

    @or_nothing
    def roll_sentences(self) -> Findings | Result:
        """Return whether short spells make up much of severe absence."""
        total, longer = self._on_roll(time_on_roll=ALL), self._roll(time_on_roll=_LONGER, measure=SEVERE)
        found = {name: self._roll(time_on_roll=_SHORTEST, measure=name) for name in OTHERS}
        ratio, share, of = (found[name] for name in ("risk_ratio", "share_of_absentees", "share_of_enrolments"))
        if not (is_shown(total) and is_shown(longer)):
            return Findings(
                ("Whether short spells matter cannot be told: a figure is hidden to protect small numbers.",)
            )
        sentences = []
        if is_shown(share) and is_shown(of):
            sentences.append(
                f"Enrolments of under 50 sessions are {percent(of['rate'])} of all and {percent(share['rate'])} of severe"
                " absentees."
            )
        if is_shown(ratio) and is_clear(ratio, 1.0):
            sentences.append(f"Their rate is {ratio_words(ratio)} that of longer enrolments.")
        elif is_shown(ratio):
            sentences.append(
                f"Their rate is not clearly different from that of longer enrolments: {ratio_words(ratio)}."
            )
        same = show_number(total["rate"] * 100, 1) == show_number(longer["rate"] * 100, 1)
        sentences.append(
            f"Without them severe absence would be {percent(longer['rate'])}"
            + (", the same when rounded." if same else f" instead of {percent(total['rate'])}.")
        )
        return Findings(tuple(sentences))
