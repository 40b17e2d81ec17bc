"""Schools since last year: overall absence with its change, and the colour by the groups tested in both years."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import Any

from attendance_toolkit.deepdives._base import derived_table
from attendance_toolkit.deepdives._contrasts import derived_from, statistic_row, symbol_of
from attendance_toolkit.deepdives._shared import COVID_NOTE, COVID_YEARS, DEFINED, Lookup, Record, or_nothing, rate_of
from attendance_toolkit.deepdives.schools_data import kind_words, number_words, or_notice, schools_words
from attendance_toolkit.deepdives.schools_rating import SchoolsRating
from attendance_toolkit.deepdives.schools_rating_data import OVERALL
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError, SeriesBreakError
from attendance_toolkit.metrics.absence import record_difference
from attendance_toolkit.metrics.rating import rate_school
from attendance_toolkit.metrics.school_rating import SchoolRating
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.presentation.blocks import Cell, Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import interval_cell, source_of
from attendance_toolkit.presentation.narrative import has_interval, is_clear, is_shown, sentence_list
from attendance_toolkit.vocabulary.columns import MAIN_PHASES
from attendance_toolkit.vocabulary.ledger import phrase

_NO_YEAR_BEFORE = "What changed since last year needs the schools' figures of the year before; there are none."
_NOT_COMPARED = "The schools' figures of the year before are not to be compared with those of this year."
FELL, ROSE, UNCLEAR = "Fell", "Rose", "Did not clearly change"


class SchoolsTrend(SchoolsRating):
    """Blocks on the change since last year."""

    # -- tables --------------------------------------------------------------------------------------

    @derived_table
    def school_trend(self) -> ProtectedTable:
        """Change of each school's overall absence since the year before; of schools that are there in this year."""
        rows = [self._trend_row(school) for school in self.rated()]
        if not any(row["symbol"] == "" or row["symbol"] == "c" for row in rows):
            raise NoDataError(_NO_YEAR_BEFORE)
        return derived_from(rows, self.school_groups, nothing=_NO_YEAR_BEFORE)

    def _trend_row(self, school: SchoolRating) -> dict[str, Any]:
        groups: dict[str, Any] = {"academic_year": self.year, "phase": school.phase, "laestab": str(school.laestab)}
        was, now = (self.figure(school, OVERALL, year=year) for year in (self.year_before, self.year))
        symbol = symbol_of(was, now)
        if symbol or was is None or now is None:
            return statistic_row("change_in_rate", None, symbol, **groups)
        try:
            change = record_difference(now, was)
        except SeriesBreakError:
            raise NoDataError(_NOT_COMPARED) from None
        return statistic_row("change_in_rate", Estimate(change["rate"], change["lower"], change["upper"]), **groups)

    @cached_property
    def _changes(self) -> Lookup:
        return Lookup(self.school_trend, ["phase", "laestab"])

    def change_of(self, school: SchoolRating) -> Record | None:
        """Return the change of a school's overall absence since the year before."""
        return self._changes(phase=school.phase, laestab=str(school.laestab))

    # -- colours of both years -----------------------------------------------------------------------

    @cached_property
    def _rated_before(self) -> dict[tuple[str, int], SchoolRating]:
        return {(school.phase, school.laestab): school for school in self.rated(self.year_before)}

    def colours_of(self, school: SchoolRating) -> tuple[str, str]:
        """Return a school's colours in the year before and this year, by the groups tested in both; empty for none."""
        before = self._rated_before.get((school.phase, school.laestab))
        both = [group for group in school.differences if before is not None and group in before.differences]
        if before is None or not both:
            return "", ""
        found = [
            rate_school(self.scheme, {group: one.differences[group] for group in both}) for one in (before, school)
        ]
        return found[0].level.name if found[0] else "", found[1].level.name if found[1] else ""

    def _groups_of_both(self, phase: str) -> list[str]:
        """Return the groups of a school type with a national figure in both years."""
        return [
            group for group in self.tested_groups(phase) if self.comparator(phase, group, self.year_before) is not None
        ]

    # -- blocks --------------------------------------------------------------------------------------

    @or_notice
    def trend_sentences(self) -> Findings | Notice:
        """Return in how many schools absence fell and rose, beside chance, and how many colours changed."""
        self._need_schools()
        _ = self._changes  # raises where there is no year before
        # Numbers of these sentences count schools.
        every = [self._phase_sentence(phase) for phase in MAIN_PHASES if self.of_phase(phase)]
        return Findings(tuple(phrase(sentence, "schools") for sentence in every))

    def _phase_sentence(self, phase: str) -> str:
        schools = self.of_phase(phase)
        words = Counter(_direction(self.change_of(school)) for school in schools)
        told = words[FELL] + words[ROSE] + words[UNCLEAR]
        aside = len(schools) - told
        parts = [f"fell in {number_words(words[FELL])}", f"rose in {number_words(words[ROSE])}"]
        left = f" ({schools_words(aside)} without figures of both years left aside)" if aside else ""
        if not told and any(is_shown(self.change_of(school)) for school in schools):
            return f"{phase} schools: the published figures have no intervals, so that no change is told apart from chance."
        if not told:
            return f"{phase} schools: whether absence changed cannot be told of any{left}."
        start = (
            f"{phase} schools, {self.shown_year_before} to {self.shown_year}: overall absence clearly"
            f" {sentence_list(parts)}, and did not clearly change in {number_words(words[UNCLEAR])}{left}."
        )
        moved = [pair for school in schools if all(pair := self.colours_of(school))]
        if not moved:
            return start
        ranks = {level.name: level.rank or 0 for level in self.scheme.levels}
        better, worse = (sum(sign * (ranks[now] - ranks[was]) > 0 for was, now in moved) for sign in (-1, 1))
        return (
            f"{start} Against the national figure of each year, {self._both_said(phase)}, the colour became better in"
            f" {number_words(better)} of {schools_words(len(moved))} and worse in {number_words(worse)}."
        )

    def _both_said(self, phase: str) -> str:
        groups = self._groups_of_both(phase)
        return f"by {self.groups_said(groups)}"

    @or_nothing
    def trend_table(self, phase: str) -> Table | Result:
        """Return overall absence of the schools of a type in both years, its change and the colours, by name."""
        schools = self.of_phase(phase)
        if not schools or not any(is_shown(self.change_of(school)) for school in schools):
            raise NoDataError(_NO_YEAR_BEFORE)
        rows = [self._trend_cells(school) for school in schools]
        return Table(
            f"trend-{phase.lower()}",
            f"Overall absence of {kind_words(phase)}, {self.shown_year_before} and {self.shown_year}",
            f"{DEFINED[OVERALL].capitalize()}; by name, {self.area.name}",
            (
                Column("School", align="left"),
                Column(self.shown_year_before, "", "%"),
                Column(self.shown_year, "", "%"),
                Column("Change", "", "percentage points"),
                Column("95% interval", "", "percentage points"),
                Column("Overall absence", align="left"),
                Column("Colour, year before", align="left"),
                Column("Colour now", align="left"),
            ),
            tuple(rows),
            source_of(self.school_trend),
            tuple(self._trend_notes(phase)),
        )

    def _trend_cells(self, school: SchoolRating) -> Row:
        change = self.change_of(school)
        was, now = (self.figure(school, OVERALL, year=year) for year in (self.year_before, self.year))
        colours = [Cell(self.colour_cell(name)) if name else Cell("Cannot be told") for name in self.colours_of(school)]
        cells = (
            rate_of(was), rate_of(now), rate_of(change), interval_cell(change),
            Cell(_direction(change) or "Cannot be told"), *colours,
        )  # fmt: skip
        return Row(self.school_name(str(school.laestab)), cells)

    def _trend_notes(self, phase: str) -> list[str]:
        groups = self._groups_of_both(phase)
        less = set(groups) != set(self.tested_groups(phase))
        colours = f"Colours of both years are {self._both_said(phase)}"
        colours += (
            ": only those have a national figure of both years, so that the colour here may be better than the one above."
            if less
            else ", as far as a school's group is tested in both."
        )
        return [
            "Fell and rose: the 95% interval of the change leaves out zero. By chance alone about one school in twenty would"
            " be so marked. Intervals take the pupil as the unit and the two years as independent, though most pupils are in"
            " both, which makes them wider than they need be.",
            colours if groups else "Colours of the year before cannot be told: no national figure of it is known.",
            *([COVID_NOTE] if {self.year, self.year_before} & set(COVID_YEARS) else []),
        ]


def _direction(change: Record | None) -> str:
    """Return whether absence fell or rose; empty where it cannot be told.

    >>> _direction({"rate": -0.02, "lower": -0.03, "upper": -0.01, "symbol": ""}), _direction(None)
    ('Fell', '')
    """
    if not is_shown(change) or not has_interval(change):
        return ""
    if not is_clear(change):
        return UNCLEAR
    return FELL if change["rate"] < 0 else ROSE
