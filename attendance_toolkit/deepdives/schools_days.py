"""Days of the week, spells and first weeks of the school year, from single marks of registers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from attendance_toolkit.deepdives._base import derived_table
from attendance_toolkit.deepdives._contrasts import counts_symbol, derived_from, statistic_row
from attendance_toolkit.deepdives._shared import Lookup, Record, or_nothing, rate_of
from attendance_toolkit.deepdives.schools_data import kind_words, or_notice
from attendance_toolkit.deepdives.schools_days_data import SCHOOL_DAYS, SchoolsDaysData
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import newcombe_interval
from attendance_toolkit.metrics.mark_cells import FIRST_WEEKS, LATER, SPELLS
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.presentation.blocks import Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import dot_panels
from attendance_toolkit.presentation.formats import interval_cell, records, source_of
from attendance_toolkit.presentation.narrative import (
    has_interval,
    interval_in_points,
    is_clear,
    is_shown,
    percent,
    points,
    said,
    sentence_list,
)
from attendance_toolkit.vocabulary.columns import MAIN_PHASES
from attendance_toolkit.vocabulary.ledger import phrase

_SESSIONS = ("Morning", "Afternoon")
_WEEKS = (*(str(week) for week in range(1, FIRST_WEEKS + 1)), LATER)


class SchoolsDays(SchoolsDaysData):
    """Blocks on days, spells and weeks."""

    # -- derived -------------------------------------------------------------------------------------

    @cached_property
    def _day(self) -> Lookup:
        return Lookup(self.days, ["phase", "weekday"])

    @cached_property
    def _day_session(self) -> Lookup:
        return Lookup(self.day_sessions, ["phase", "weekday", "session"])

    @derived_table
    def day_gaps(self) -> ProtectedTable:
        """Overall absence of each day of the week less that of the other days together."""
        rows: list[dict[str, Any]] = []
        for phase in MAIN_PHASES:
            week = [record for name in SCHOOL_DAYS if (record := self._day(phase=phase, weekday=name)) is not None]
            for record in week:
                groups = {"academic_year": self.year, "phase": phase, "weekday": record["weekday"]}
                others = [other for other in week if other is not record]
                symbol = next((found for one in week if (found := counts_symbol(one))), "") if others else "x"
                rows.append(statistic_row("rate_gap", None if symbol else _day_gap(record, others), symbol, **groups))
        return derived_from(rows, self.days, nothing="There are no days of the week to compare.")

    @derived_table
    def spell_shares(self) -> ProtectedTable:
        """Share of all sessions missed that lie in spells of each length."""
        rows: list[dict[str, Any]] = []
        lookup = Lookup(self.spell_lengths, ["phase", "spell"])
        for phase in MAIN_PHASES:
            found = [lookup(phase=phase, spell=label) for label, _ in SPELLS]
            if not any(found):
                continue
            symbol = counts_symbol(*found)
            total = sum(float(one["numerator"]) for one in found if one is not None) if not symbol else math.nan
            for (label, _), one in zip(SPELLS, found, strict=True):
                share = Estimate(float(one["numerator"]) / total) if one is not None and total > 0 else None
                groups = {"academic_year": self.year, "phase": phase, "spell": label}
                rows.append(statistic_row("share_of_sessions", share, symbol, **groups))
        return derived_from(rows, self.spell_lengths, nothing="There are no spells of absence.")

    @cached_property
    def _phases_with_marks(self) -> list[str]:
        """School types with a day that can be shown."""
        return [phase for phase in MAIN_PHASES if any(is_shown(self._day(phase=phase, weekday=d)) for d in SCHOOL_DAYS)]

    # -- blocks --------------------------------------------------------------------------------------

    @or_notice
    def days_notice(self) -> Notice | Result:
        """Return what the marks are of; in their absence, that there are none."""
        if not self.is_local:
            return Result(())
        _ = self._day  # raises where there are no marks
        return Notice(
            f"These figures are of the single marks of the registers loaded for {self.area.name}, {self.shown_year}: of all"
            " pupils in them, whatever their age, and of those schools alone whose registers were loaded. They need not equal the"
            " rates elsewhere on the page, which follow the rules of DfE's statistics.",
            "Days of the week, spells and weeks",
        )

    @or_nothing
    def days_sentences(self) -> Findings:
        """Return on which day absence is highest, where that is clear, and what absence is made of."""
        sentences = [self._day_sentence(phase) for phase in self._phases_with_marks]
        sentences += [sentence for phase in MAIN_PHASES if (sentence := self._spell_sentence(phase))]
        if not sentences:
            raise NoDataError("No day can be shown.")
        return Findings(tuple(sentences))

    def _day_sentence(self, phase: str) -> str:
        gaps = [gap for gap in records(self.day_gaps.select(phase=phase)) if is_clear(gap)]
        if not gaps:
            return f"In {kind_words(phase)} no day of the week is clearly different from the others."
        parts = []
        for gap in sorted(gaps, key=lambda one: -abs(float(one["rate"]))):
            day = self._day(phase=phase, weekday=gap["weekday"])
            assert day is not None
            side = "above" if gap["rate"] > 0 else "below"
            parts.append(
                f"on {gap['weekday']}s {said(day)}, {points(gap['rate'])} {side} the other days ({interval_in_points(gap)})"
            )
        return f"In {kind_words(phase)} overall absence differs clearly by day: {sentence_list(parts)}."

    def _spell_sentence(self, phase: str) -> str:
        try:
            shares = {str(one["spell"]): one for one in records(self.spell_shares.select(phase=phase))}
        except NoDataError:
            return ""
        if not shares or not all(is_shown(one) for one in shares.values()):
            return ""
        listed = [f"{percent(shares[label]['rate'], 0)} in spells of {_said(label)}" for label, _ in SPELLS]
        return f"Sessions missed in {kind_words(phase)}: {sentence_list(listed)}."

    @or_nothing
    def weekday_figure(self) -> Figure:
        """Return overall absence by day of the week, a panel for each school type."""
        rows = [
            {**record, "day": str(record["weekday"]), "kind": f"{phase} schools"}
            for phase in self._phases_with_marks
            for name in SCHOOL_DAYS
            if (record := self._day(phase=phase, weekday=name)) is not None
        ]
        if not rows:
            raise NoDataError("No day can be shown.")
        clear = [gap for gap in records(self.day_gaps) if is_clear(gap) and gap["rate"] > 0]
        days = [name for name in SCHOOL_DAYS if any(gap["weekday"] == name for gap in clear)]
        title = (
            f"clearly higher on {sentence_list([f'{name}s' for name in days])} in at least one school type"
            if days
            else "no day is clearly higher than the others"
        )
        return dot_panels(
            derived_from(rows, self.days),
            id="absence-by-weekday",
            title=f"Overall absence by day of the week: {title}",
            subtitle=f"Sessions missed as a share of possible sessions, {self.shown_year}; {self.area.name}",
            panel="kind",
            category="day",
            notes=["Intervals take the pupil as the unit. The same pupils are in all days."],
        )

    @or_nothing
    def weekday_table(self) -> Table:
        """Return overall absence by day of the week and session."""
        rows = []
        for phase in self._phases_with_marks:
            for name in SCHOOL_DAYS:
                record = self._day(phase=phase, weekday=name)
                if record is None:
                    continue
                parts = [rate_of(self._day_session(phase=phase, weekday=name, session=part)) for part in _SESSIONS]
                rows.append(Row(name, (rate_of(record), interval_cell(record), *parts), f"{phase} schools"))
        if not rows:
            raise NoDataError("No day can be shown.")
        return Table(
            "weekdays",
            f"Overall absence by day of the week and session, {self.shown_year}",
            f"Sessions missed as a share of possible sessions; {self.area.name}",
            (
                Column("Day", align="left"),
                Column("Both sessions", "", "%"),
                Column("95% interval", "", "%"),
                *(Column(part, "", "%") for part in _SESSIONS),
            ),
            tuple(rows),
            source_of(self.days),
            (
                "A day is called different where it is clearly so from the other days together. The same pupils are in all days, which"
                " the intervals do not use, so that a small difference may be there and not be told.",
            ),
        )

    @or_nothing
    def spell_table(self) -> Table:
        """Return what absence is made of: sessions missed by the length of the spell they lie in."""
        shares = Lookup(self.spell_shares, ["phase", "spell"])
        rates = Lookup(self.spell_lengths, ["phase", "spell"])
        rows = []
        for phase in MAIN_PHASES:
            for label, _ in SPELLS:
                share = shares(phase=phase, spell=label)
                if share is not None:
                    cells = (rate_of(share), rate_of(rates(phase=phase, spell=label)))
                    rows.append(Row(label, cells, f"{phase} schools"))
        return Table(
            "spells",
            f"What absence is made of: sessions missed by length of the spell, {self.shown_year}",
            f"{self.area.name}",
            (
                Column("Spell", align="left"),
                Column("Of all sessions missed", "", "%"),
                Column("Of all possible sessions", "", "%"),
            ),
            tuple(rows),
            source_of(self.spell_lengths),
            (
                "A spell is a run of possible sessions missed one after the other; weekends, holidays and sessions that are not"
                " possible do not end it.",
            ),
        )

    @or_nothing
    def week_table(self) -> Table:
        """Return overall absence of the first school weeks, and of the later ones together."""
        lookup = Lookup(self.first_weeks, ["phase", "school_week"])
        phases = [phase for phase in MAIN_PHASES if any(lookup(phase=phase, school_week=week) for week in _WEEKS)]
        rows = [
            Row(
                week if week == LATER else phrase(f"School week {week}", "terms"),
                tuple(rate_of(lookup(phase=phase, school_week=week)) for phase in phases),
                "",
                week == LATER,
            )
            for week in _WEEKS
        ]
        return Table(
            "first-weeks",
            f"Overall absence in the first weeks of the school year, {self.shown_year}",
            f"Sessions missed as a share of possible sessions; {self.area.name}",
            (Column("Week", align="left"), *(Column(f"{phase} schools", "", "%") for phase in phases)),
            tuple(rows),
            source_of(self.first_weeks),
            ("Weeks are counted from each school's own first day. The first week may have fewer than five days.",),
        )


def _day_gap(record: Record, others: Sequence[Record]) -> Estimate:
    """Return a day's rate less that of the other days, as if the pupils of different days were different ones.

    They are the same, so that the interval is wider than it need be. Errors of the other days add up at worst.
    """
    missed, possible = (sum(float(one[name]) for one in others) for name in ("numerator", "denominator"))
    rate, own = missed / possible, float(record["rate"])
    if not all(has_interval(one) for one in (record, *others)):
        return Estimate(own - rate)
    spans = [float(one["denominator"]) / possible * (float(one["upper"]) - float(one["lower"])) / 2 for one in others]
    half = sum(spans)
    low, high = newcombe_interval(own, (record["lower"], record["upper"]), rate, (rate - half, rate + half))
    return Estimate(own - rate, float(low), float(high))


def _said(label: str) -> str:
    return label[:1].lower() + label[1:]
