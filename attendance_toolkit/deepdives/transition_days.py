"""School days gained if Year 6 attendance were kept: each number with its definition, and what a million would take."""

from __future__ import annotations

from typing import Any

from attendance_toolkit.deepdives._shared import MAINSTREAM, Lookup, Record, count_of, or_nothing, rate_of, the_area
from attendance_toolkit.deepdives._shared import or_notice as shared_or_notice
from attendance_toolkit.deepdives.transition_data import FIRST, HIDDEN, STEPS, or_notice, year_words
from attendance_toolkit.deepdives.transition_days_data import (
    ALL_MATCHED,
    CLAIMED_DAYS,
    DAYS_A_YEAR,
    GROSS,
    MATCHED,
    PHASES_HELD,
    SECTION,
    YEAR_7_SECTION,
    YEARS_7_TO_11,
    TransitionDaysData,
)
from attendance_toolkit.presentation.blocks import Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import dot_interval
from attendance_toolkit.presentation.formats import interval_cell, is_missing, source_of
from attendance_toolkit.presentation.narrative import has_interval, is_shown, percent, points, said, sentence_list
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.rounding import round_half_up, show_number

_SEVENTH = STEPS[FIRST]
_NET = (
    "Net: each pupil's own rate less that of Year 6, times the pupil's possible sessions, added up; a session is half a day."
    " A positive figure is days that would be gained if Year 6 attendance were kept, a negative figure days that would be lost."
)
_GROSS = (
    "Gross: of pupils who missed more than in Year 6 alone. It is positive even where nothing changes, since some pupils always"
    " miss more and others less: it is no estimate of what could be gained."
)
_SESSION_NOTE = "Figures are to the nearest 10 days."


class TransitionDays(TransitionDaysData):
    """Blocks on days."""

    # -- the area ------------------------------------------------------------------------------------

    @or_nothing
    def days_sentences(self) -> Findings | Result:
        """Return how many days the same pupils gained or lost against their own Year 6."""
        net, gross, pupils = (self.days_of(measure) for measure in ("days_net", "days_gross", "pupils"))
        year = show_academic_year(self.days_year)
        if not (is_shown(net) and is_shown(pupils)):
            return Findings((f"What keeping Year 6 attendance would have meant in days cannot be told: {HIDDEN}.",))
        who = f"{show_number(pupils['rate'])} pupils in {year_words(_SEVENTH)} in {year} whose own {year_words(FIRST)} is in the data"
        if not has_interval(net) or net["lower"] <= 0 <= net["upper"]:
            first = (
                f"Had the {who} kept that attendance, the days in school would not clearly have been more or fewer: net"
                f" {_days(net)} ({_interval(net)})."
            )
        else:
            word = "more" if net["rate"] > 0 else "fewer"
            first = (
                f"Had the {who} kept that attendance, they would have been in school {_size(net)} days {word}, net"
                f" ({_interval(net)})."
            )
        sentences = [first]
        if is_shown(gross):
            sentences.append(
                f"Those of them who missed more than in {year_words(FIRST)} lost {_days(gross)} days, gross; others missed fewer. Gross"
                " figures are positive by chance alone and are not what could be gained."
            )
        return Findings((*sentences, *self._later_years_sentence()))

    def _later_years_sentence(self) -> list[str]:
        """Say the days of all year groups whose Year 6 is in the data, and which are not."""
        names = self.days_years
        if len(names) < 2:
            return [
                f"Of later year groups the {year_words(FIRST)} is not in the data, so that days of the same pupils can be counted for"
                f" {year_words(_SEVENTH)} alone."
            ]
        net = self.days_of(nc_year=ALL)
        if not is_shown(net):
            return []
        groups = sentence_list([year_words(name) for name in names])
        rest = " Of the others it is not in the data." if len(names) < 5 else ""
        return [
            f"Of {groups} together, whose {year_words(FIRST)} is in the data, the figure is {_days(net)} days, net"
            f" ({_interval(net)}).{rest}"
        ]

    @or_notice
    def days_table(self) -> Table | Notice:
        """Return net and gross days by year group, and by district where there are several."""
        rows = [
            Row(words, self._days_cells(nc_year, self.area.code), self.area.name, nc_year == ALL)
            for nc_year, words in self._day_groups()
        ]
        for area in self.inputs.local_districts if self.has_districts else ():
            if self.days_of("pupils", _SEVENTH, area.code) is not None:
                rows.append(
                    Row(area.name, self._days_cells(_SEVENTH, area.code), f"{year_words(_SEVENTH)} by district")
                )
        return Table(
            "days-kept",
            f"School days gained if {year_words(FIRST)} attendance had been kept, {show_academic_year(self.days_year)}",
            f"The same pupils, by the district of their {year_words(FIRST)}; {the_area(self.area)}",
            self._days_columns("Pupils now in"),
            tuple(rows),
            source_of(self.days),
            (_NET, _GROSS, _SESSION_NOTE),
        )

    def _day_groups(self) -> list[tuple[str, str]]:
        found = [(name, year_words(name)) for name in self.days_years]
        return found + ([(ALL, "All of these")] if len(found) > 1 else [])

    @staticmethod
    def _days_columns(first: str) -> tuple[Column, ...]:
        return (
            Column(first, align="left"),
            Column("Pupils"),
            Column("Net", "Days gained", "days"),
            Column("95% interval", "Days gained"),
            Column("Gross", "Days gained", "days"),
        )

    def _days_cells(self, nc_year: str, area_code: str) -> tuple[Any, ...]:
        net = self.days_of("days_net", nc_year, area_code)
        return (
            count_of(self.days_of("pupils", nc_year, area_code)),
            rate_of(net),
            interval_cell(net),
            rate_of(self.days_of("days_gross", nc_year, area_code)),
        )

    @or_nothing
    def days_figure(self) -> Figure | Result:
        """Return net days by district with intervals, in the order of names; of an area with several."""
        if not self.has_districts:
            return Result(())
        names = {area.code: area.name for area in self.inputs.local_districts}
        table = self.days.select(measure="days_net", nc_year=_SEVENTH, area_code=list(names))
        shown = table.rows[table.rows["symbol"] == ""]
        # Said of a chart, no days at all would look like a count of few pupils: the table has them.
        if shown.empty or (shown[["rate", "lower", "upper"]].abs() < 5).any(axis=None):
            return Result(())
        return dot_interval(
            table,
            id="days-by-district",
            title=f"Days gained if {year_words(FIRST)} attendance had been kept, by district",
            subtitle=f"Net school days of the same pupils in {year_words(_SEVENTH)}, {show_academic_year(self.days_year)}, by"
            " district of the primary school",
            category="area_code",
            sort=False,
            labels={"area_code": names},
            notes=["Positive: days that would be gained. Large districts have more pupils, and so more days."],
        )

    # -- schools -------------------------------------------------------------------------------------

    @or_notice
    def school_days_table(self) -> Table | Notice:
        """Return net and gross days by the school pupils came to, in the order of names."""
        lookup = Lookup(self.school_days, ["laestab", "measure"])
        rows = self.school_days.rows
        pairs = rows[["area_code", "laestab"]].drop_duplicates()
        found = sorted(
            (self.inputs.area_name(str(code)), self.school_name(str(laestab)), str(laestab))
            for code, laestab in zip(pairs["area_code"], pairs["laestab"], strict=True)
        )
        shown = []
        for district, name, laestab in found:
            number, net, gross = (lookup(laestab=laestab, measure=one) for one in ("pupils", "days_net", "days_gross"))
            cells = (count_of(number), rate_of(net), interval_cell(net), rate_of(gross))
            shown.append(Row(name, cells, district if self.has_districts else ""))
        return Table(
            "days-kept-by-school",
            f"School days gained if {year_words(FIRST)} attendance had been kept, by school",
            f"Pupils who came to the school for {year_words(_SEVENTH)} in {show_academic_year(self.days_year)}, from any district",
            self._days_columns("School"),
            tuple(shown),
            source_of(self.school_days),
            (
                "By name; no league table. Where an interval runs from negative to positive it is not clear whether days would be"
                " gained or lost.",
                _NET,
                _GROSS,
            ),
        )

    # -- definitions ---------------------------------------------------------------------------------

    def _defined(self, definition: str, nc_year: str, measure: str = "days_net") -> Record | None:
        lookup = Lookup(self.days_defined, ["definition", "nc_year", "measure"])
        return lookup(definition=definition, nc_year=nc_year, measure=measure)

    @shared_or_notice
    def definition_table(self) -> Table | Notice:
        """Return every definition of the days with the number it gives."""
        rows = []
        for definition, nc_year, words in self._definitions():
            record = self._defined(definition, nc_year)
            if record is not None:
                rows.append(Row(words, (rate_of(record), interval_cell(record))))
        year = show_academic_year(self.days_year)
        return Table(
            "days-by-definition",
            f"What different definitions give: days gained if {year_words(FIRST)} attendance were kept, {year}",
            f"{the_area(self.area)[:1].upper()}{the_area(self.area)[1:]}",
            (Column("Definition", align="left"), Column("Days"), Column("95% interval")),
            tuple(rows),
            source_of(self.days if self.is_local else self.claim_enrolments),
            self._definition_notes(),
        )

    def _definitions(self) -> list[tuple[str, str, str]]:
        """Return (definition, year groups, words), in the order of the table."""
        if not self.is_local:
            held = "secondary schools' absence less primary schools', times possible days"
            return [
                (PHASES_HELD, _SEVENTH, f"{year_words(_SEVENTH)}: {held}"),
                (PHASES_HELD, YEARS_7_TO_11, f"{YEARS_7_TO_11}: {held}"),
            ]
        known = sentence_list([year_words(name) for name in self.days_years])
        sixth = f"{year_words(FIRST)}'s of the same year"
        return [
            (MATCHED, _SEVENTH, f"{year_words(_SEVENTH)}, the same pupils, net"),
            (GROSS, _SEVENTH, f"{year_words(_SEVENTH)}, the same pupils, gross: only those who missed more"),
            (ALL_MATCHED, ALL, f"{known}, the same pupils, net"),
            (YEAR_7_SECTION, _SEVENTH, f"{year_words(_SEVENTH)}, all pupils: its absence less {sixth}"),
            (SECTION, YEARS_7_TO_11, f"{YEARS_7_TO_11}, all pupils: each year group's absence less {sixth}"),
            (PHASES_HELD, YEARS_7_TO_11, f"{YEARS_7_TO_11}: secondary schools' absence less primary schools'"),
        ]

    def _definition_notes(self) -> tuple[str, ...]:
        if self.is_local:
            return (
                "Only the definitions of the same pupils say what keeping their own attendance would mean. Those of all pupils hold"
                " different children against each other, and put down to the step whatever else differs between age groups.",
                _NET,
            )
        days = phrase(f"{DAYS_A_YEAR} school days", "rule")
        return (
            f"Worked out from published rates and enrolments with {days} for each pupil in a year; Year 11 has fewer, so that the"
            " figures are rather too high. They hold different children against each other: they are not what the same pupils lose.",
            "A combined authority is its authorities added up, each with its own rates: those of the school census where DfE publishes"
            " them for all, else those of the attendance series.",
        )

    @or_nothing
    def claim_sentences(self) -> Findings | Result:
        """Return the arithmetic of the claim of a million days: what it would take, and how far the figures are from it."""
        if self.area.level != "Combined authority":
            return Result(())
        claim = phrase(f"{show_number(CLAIMED_DAYS)} days", "rule")
        sentences = [
            f"The arithmetic of a claim of over {claim} gained: it depends on the definition, and the claim came without any."
        ]
        for nc_year in (_SEVENTH, YEARS_7_TO_11):
            fall = self._defined("claim", nc_year, "rate_gap")
            if not is_shown(fall):
                sentences.append(f"What fall of absence it would take in {_of(nc_year)} cannot be told: {HIDDEN}.")
                continue
            if fall["rate"] > 1:
                sentences.append(f"In {_of(nc_year)} there are fewer possible school days in a year than that.")
                continue
            sentences.append(
                f"For one school year of {_of(nc_year)} it would take a fall of overall absence by {points(fall['rate'])}"
                f"{self._against_rate(nc_year, fall)}."
            )
        sentences += self._share_sentences()
        return Findings(tuple(sentences))

    def _against_rate(self, nc_year: str, fall: Record) -> str:
        """Say where the fall is more than all the absence there is."""
        if not self.is_local or nc_year != _SEVENTH:
            return ""
        lookup = Lookup(self.cross_sections, ["area_code", "academic_year", "phase", "nc_year", "measure"])
        rate = lookup(
            area_code=self.area.code, academic_year=self.days_year, phase=MAINSTREAM, nc_year=nc_year,
            measure="overall_absence_rate",
        )  # fmt: skip
        if not is_shown(rate):
            return ""
        if fall["rate"] > rate["rate"]:
            return f", which is more than all of its absence ({said(rate)})"
        return f", of {said(rate)}"

    def _share_sentences(self) -> list[str]:
        """Say what share of the days claimed each definition comes to."""
        found = []
        kinds = [(_SEVENTH, MATCHED if self.is_local else PHASES_HELD)]
        if not self.is_local:
            kinds.append((YEARS_7_TO_11, PHASES_HELD))
        for nc_year, definition in kinds:
            share, net = self._defined("claim", nc_year, "share_of_sessions"), self._defined(definition, nc_year)
            if not (is_shown(share) and is_shown(net)):
                continue
            how = "of the same pupils, net," if definition == MATCHED else "by secondary less primary absence"
            found.append(
                f"In {_of(nc_year)} the days {how} come to {_days(net)}: {percent(share['rate'])} of the days claimed."
            )
        if not self.is_local:
            whole = self._defined("claim", YEARS_7_TO_11, "share_of_sessions")
            if is_shown(whole) and whole["rate"] >= 1:
                found.append(
                    f"So a figure above the claim comes out where all of {YEARS_7_TO_11} are taken to have the absence of primary"
                    " schools: all year groups together, not"
                    f" {year_words(_SEVENTH)} alone, and not the same children before and after."
                )
        return found


def _of(nc_year: str) -> str:
    return nc_year if nc_year == YEARS_7_TO_11 else year_words(nc_year)


def _days(record: Record) -> str:
    """Return days to the nearest 10, or as their row says."""
    return _written(float(record["rate"]), record)


def _size(record: Record) -> str:
    return _written(abs(float(record["rate"])), record)


def _written(value: float, record: Record) -> str:
    """Return a number of days; none at all would look like a count of few pupils, which it is not."""
    known: Any = record.get("decimals")
    rounded = round_half_up(value, -1 if is_missing(known) else int(known))
    return show_number(rounded) if rounded else phrase("nearly 0", "values")


def _interval(record: Record) -> str:
    ends = (_written(float(record[name]), record) for name in ("lower", "upper"))
    return f"95% interval {' to '.join(ends)}"
