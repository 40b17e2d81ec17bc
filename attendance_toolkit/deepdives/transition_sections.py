"""Terms of the same pupils, and why a table by year group does not tell how attendance changes when a pupil moves up."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pandas as pd

from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._shared import (
    HEADLINE,
    MAINSTREAM,
    SHORT,
    Lookup,
    Record,
    capital,
    count_of,
    or_nothing,
    rate_of,
    the_area,
)
from attendance_toolkit.deepdives.transition_changes import TransitionChanges
from attendance_toolkit.deepdives.transition_changes_data import OTHERS, SAME
from attendance_toolkit.deepdives.transition_data import FIRST, HIDDEN, KEYS, SAME_NOTE, STEPS, or_notice, year_words
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import line_by_level
from attendance_toolkit.presentation.formats import interval_cell, records, source_of
from attendance_toolkit.presentation.narrative import (
    has_interval,
    interval_in_points,
    is_shown,
    points,
    said,
)
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.rounding import show_number

_OVERALL = HEADLINE[0]


class TransitionSections(TransitionChanges):
    """Blocks on half terms and on cross-sections."""

    # -- by term -------------------------------------------------------------------------------------

    def _period_rows(self) -> list[dict[str, Any]]:
        """Return overall absence in the order of time, with the cohort and the period in words."""
        found = []
        for record in records(self.periods):
            later = record["nc_year"] == STEPS[FIRST]
            end = int(record["academic_year"]) if later else academic_year_before(int(record["academic_year"]), -1)
            found.append(
                {
                    **record,
                    "cohort": f"Moved up in {show_academic_year(end)}",
                    "period": _period_words(record),
                    "until": end,
                }
            )
        order = {name: place for place, name in enumerate(TERM_LABELS)}
        return sorted(
            found, key=lambda one: (-one["until"], one["nc_year"], order[str(one["term"])], str(one["half_term"]))
        )

    @or_nothing
    def period_figure(self) -> Figure | Result:
        """Return absence of the same pupils by term of the year before, and by half term of the year after."""
        rows = self._period_rows()
        table = derived_from(rows, self.periods)
        names = list(dict.fromkeys(row["period"] for row in sorted(rows, key=lambda one: str(one["nc_year"]))))
        table.rows["period"] = pd.Categorical(table.rows["period"], names)
        return line_by_level(
            table,
            id="absence-by-half-term",
            title=self._period_title(),
            subtitle=f"Overall absence of the same pupils by term and half term, {year_words(FIRST)} and"
            f" {year_words(STEPS[FIRST])}; {self.area.name}",
            x="period",
            series="cohort",
            notes=["Absence has a season: hold a term against the same term of the other year.", SAME_NOTE],
            labels={"period": {name: name for name in names}},
        )

    def _autumn(self) -> tuple[Record | None, Record | None]:
        """Return the same pupils' absence in the autumn term before the step and in the first period after it."""
        rows = [row for row in self._period_rows() if row["until"] == self.step_years()[0] and row["term"] == "autumn"]
        before = [row for row in rows if row["nc_year"] == FIRST]
        after = [row for row in rows if row["nc_year"] == STEPS[FIRST]]
        whole = len(after) == 1 and str(after[0]["half_term"]) == "1-2"
        return (before[0] if before else None), (after[0] if whole else None)

    def _period_title(self) -> str:
        before, after = self._autumn()
        if is_shown(before) and is_shown(after):
            return (
                f"In the autumn term the same pupils missed {said(before)} of sessions in {year_words(FIRST)} and {said(after)} in"
                f" {year_words(STEPS[FIRST])}"
            )
        return f"Absence of the same pupils through {year_words(FIRST)} and {year_words(STEPS[FIRST])}"

    # -- against cross-sections ----------------------------------------------------------------------

    @cached_property
    def _section_lookups(self) -> tuple[Lookup, Lookup]:
        return (
            Lookup(self.cross_sections, ["area_code", "academic_year", "phase", "nc_year", "measure"]),
            Lookup(self.section_changes, ["academic_year", "since", "about"]),
        )

    def section(self, about: str, nc_year: str, year: int) -> Record | None:
        """Return the rate of a year group of the area's mainstream schools in cross-section."""
        return self._section_lookups[0](
            area_code=self.area.code, academic_year=year, phase=MAINSTREAM, nc_year=nc_year, measure=about
        )

    def section_change(self, about: str, since: int, year: int) -> Record | None:
        """Return Year 7 of a year less Year 6 of the year before, or of the same year."""
        return self._section_lookups[1](academic_year=year, since=since, about=about)

    @or_notice
    def cross_table(self) -> Table | Notice:
        """Return the change of the same pupils beside the two cross-sections."""
        year = self.step_years()[0]
        rows = []
        for about in HEADLINE:
            cells = self._change_cells(about, year)[1:]
            rows.append(Row("The same pupils", cells, SHORT[about], True))
            kinds = (("All pupils, a year apart", academic_year_before(year)), ("All pupils, in the same year", year))
            for words, since in kinds:
                change = self.section_change(about, since, year)
                before, after = self.section(about, FIRST, since), self.section(about, STEPS[FIRST], year)
                rows.append(
                    Row(words, (rate_of(before), rate_of(after), rate_of(change), interval_cell(change)), SHORT[about])
                )
        return Table(
            "matched-and-cross-section",
            f"{year_words(FIRST)} and {year_words(STEPS[FIRST])}: the same pupils, and whoever is in the year group",
            f"{the_area(self.area)[:1].upper()}{the_area(self.area)[1:]}, mainstream schools, {self._span(year)}",
            (Column("Who is counted", align="left"), *self._change_columns(FIRST)[1:]),
            tuple(rows),
            source_of(self.cross_sections),
            (
                f"All pupils, a year apart: {year_words(FIRST)} of {show_academic_year(academic_year_before(year))} and"
                f" {year_words(STEPS[FIRST])} of {show_academic_year(year)}. In the same year: both of {show_academic_year(year)}, as a"
                " table by year group prints them. Cross-sections count enrolments; the intervals of their differences take the two"
                " sides as independent.",
            ),
        )

    @or_notice
    def mover_table(self) -> Table | Notice:
        """Return who is in one of the cross-sections alone, beside those in both."""
        lookup = Lookup(self.movers_shown, [*KEYS[1:], "move", "measure"])
        year = self.step_years()[0]
        rows = []
        for nc_year, one in ((FIRST, academic_year_before(year)), (STEPS[FIRST], year)):
            for move, words in ((SAME, "In both years"), (OTHERS, "In this year alone, or not compared")):
                found = [
                    lookup(academic_year=one, nc_year=nc_year, move=move, measure=measure)
                    for measure in ("pupils", *HEADLINE[:2])
                ]
                cells = (count_of(found[0]), rate_of(found[1]), rate_of(found[2]))
                rows.append(Row(words, cells, f"{year_words(nc_year)} of {show_academic_year(one)}"))
        return Table(
            "who-is-in-the-cross-sections",
            "Who is in a cross-section: pupils who stayed, and those who came or went",
            f"Pupils of the mainstream schools of {the_area(self.area)}",
            (
                Column("Pupils", align="left"),
                Column("Number"),
                Column(SHORT[HEADLINE[0]], unit="%"),
                Column(SHORT[HEADLINE[1]], unit="%"),
            ),
            tuple(rows),
            source_of(self.movers),
            (
                "In both years: in the area's schools before and after, and compared. The others left for, or came from, another"
                " district, an independent or special school or another area, or had too few sessions.",
            ),
        )

    @or_nothing
    def cross_sentences(self) -> Findings | Result:
        """Return why a cross-section is not the change of the same pupils, in this area's figures."""
        year = self.step_years()[0]
        since = academic_year_before(year)
        same = self.step(_OVERALL, year)
        sentences = []
        for kind, start in ((year, "In one and the same year"), (since, "A year apart")):
            change = self.section_change(_OVERALL, kind, year)
            before, after = self.section(_OVERALL, FIRST, kind), self.section(_OVERALL, STEPS[FIRST], year)
            if is_shown(change) and is_shown(before) and is_shown(after) and has_interval(change):
                sentences.append(
                    f"{start}, all pupils counted, {year_words(STEPS[FIRST])} missed {said(after)} of sessions and"
                    f" {year_words(FIRST)} {said(before)}: {_against(change)}."
                )
        if is_shown(same) and has_interval(same):
            size = show_number(same["rate"] * 100, 1, signed=True)
            sentences.append(f"The same pupils changed by {size} percentage points ({interval_in_points(same)}).")
        sentences += self._mover_sentences(since, year) + self._cohort_sentence(since, year)
        if not sentences:
            raise NoDataError(HIDDEN)
        return Findings(
            (
                "A table by year group holds different children against each other; only the same pupils, followed, tell how"
                " attendance changes when a pupil moves up.",
                *sentences,
            )
        )

    def _mover_sentences(self, since: int, year: int) -> list[str]:
        """Say how those who are in one cross-section alone differ from those in both."""
        lookup = Lookup(self.movers_shown, [*KEYS[1:], "move", "measure"])
        found = []
        for nc_year, one in ((FIRST, since), (STEPS[FIRST], year)):
            of = {
                (move, measure): lookup(academic_year=one, nc_year=nc_year, move=move, measure=measure)
                for move in (SAME, OTHERS)
                for measure in ("pupils", _OVERALL)
            }
            rates = of[SAME, _OVERALL], of[OTHERS, _OVERALL]
            number = of[OTHERS, "pupils"]
            who = (
                "left the area's schools or cannot be compared"
                if nc_year == FIRST
                else "came from elsewhere or cannot be compared"
            )
            where = f"{year_words(nc_year)} of {show_academic_year(one)}"
            if is_shown(rates[0]) and is_shown(rates[1]) and is_shown(number):
                found.append(
                    f"In {where}, {show_number(number['rate'])} pupils who {who} missed {said(rates[1])} of sessions; those"
                    f" in both years {said(rates[0])}."
                )
            else:
                found.append(f"What the pupils of {where} who {who} missed is not told: {HIDDEN}.")
        return found

    def _cohort_sentence(self, since: int, year: int) -> list[str]:
        """Say that the two year groups of one year are different cohorts, by what each missed in Year 6."""
        earlier, now = self.section(_OVERALL, FIRST, since), self.section(_OVERALL, FIRST, year)
        if not (is_shown(earlier) and is_shown(now)):
            return []
        return [
            f"The two year groups of one year are different cohorts: those in {year_words(STEPS[FIRST])} in {show_academic_year(year)}"
            f" come from the {year_words(FIRST)} of {show_academic_year(since)}, which missed {said(earlier)}; the {year_words(FIRST)}"
            f" they are held against missed {said(now)}."
        ]


def _against(change: Record) -> str:
    """Return a difference of two year groups in words; a direction only where it is clear."""
    if change["lower"] > 0:
        return f"{points(change['rate'])} more ({interval_in_points(change)})"
    if change["upper"] < 0:
        return f"{points(change['rate'])} less ({interval_in_points(change)})"
    return f"not clearly different ({interval_in_points(change)})"


def _period_words(record: Record) -> str:
    """Return a term, or a half term or span of them, with its year group.

    >>> _period_words({"nc_year": "6", "term": "autumn", "half_term": ""})
    'Autumn, Year 6'
    """
    span = str(record["half_term"])
    term = capital(str(record["term"]))
    if span and span not in ("1-2", "3-4", "5-6"):
        term = f"{term} {'first' if int(span) % 2 else 'second'} half"
    return f"{term}, {year_words(str(record['nc_year']))}"
