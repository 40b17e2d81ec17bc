"""The rating of schools on the page: by name, with the group that sets it, and what it would be by other readings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property

from attendance_toolkit.deepdives._base import derived_table
from attendance_toolkit.deepdives._contrasts import derived_from, statistic_row
from attendance_toolkit.deepdives._national import series_said
from attendance_toolkit.deepdives._shared import or_nothing, rate_of
from attendance_toolkit.deepdives.schools_data import kind_words, or_notice, schools_words
from attendance_toolkit.deepdives.schools_rating_data import (
    ALL_GROUP,
    INSIDE,
    SchoolsRatingData,
)
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.rating import ALL_ONLY, edge_in_words
from attendance_toolkit.metrics.rule_schemes import show_value
from attendance_toolkit.metrics.school_rating import SchoolRating
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.presentation.blocks import Cell, Column, Figure, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import dot_panels
from attendance_toolkit.presentation.formats import source_of
from attendance_toolkit.presentation.narrative import is_shown, sentence_list
from attendance_toolkit.vocabulary.columns import MAIN_PHASES
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.rounding import show_number
from attendance_toolkit.vocabulary.rule_schemes import ALL_PUPILS, Level

#: Groups of a rating in running text, and in a cell.
GROUP_SAID = {
    "All pupils": "all pupils",
    "EHCP": "pupils with an EHC plan",
    "SEN Support": "pupils with SEN support",
    "FSM": "pupils eligible for free school meals",
    "Children with a social worker": "children with a social worker",
}
_SHORT = {"Children with a social worker": "Social worker", "SEN Support": "SEN support"}
_BEST, _MIDDLE, _WORST = "▲", "◆", "▼"
#: More schools of a type than these make no readable figure; the table has them all.
_MOST_DRAWN = 130
NOT_RATED = "Not rated"


class SchoolsRating(SchoolsRatingData):
    """Blocks on the rating."""

    # -- words ---------------------------------------------------------------------------------------

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The colours, worst first: that is the order in which something follows from them."""
        return tuple(sorted(self.scheme.levels, key=lambda level: -(level.rank or 0)))

    def colour_cell(self, name: str) -> str:
        """Return a colour in words with a sign, so that it can be told without seeing it."""
        places = [level.name for level in self.levels]
        if name not in places:
            return NOT_RATED
        at = places.index(name)
        return f"{_WORST if at == 0 else _BEST if at == len(places) - 1 else _MIDDLE}\u00a0{name}"

    def level_said(self, level: Level) -> str:
        """Return what a colour stands for, in running text.

        As in "Amber: 0 to 2 percentage points above the national figure".
        """
        return phrase(f"{level.name}: {_band(level, self.scheme.unit)}", "rule")

    def group_said(self, group: str) -> str:
        """Return a group in running text."""
        return GROUP_SAID.get(group, group)

    def groups_said(self, groups: Sequence[str]) -> str:
        """Return groups in running text."""
        return sentence_list([self.group_said(group) for group in groups]) if groups else "no group"

    @cached_property
    def _phases(self) -> tuple[str, ...]:
        return tuple(phase for phase in MAIN_PHASES if self.of_phase(phase))

    def tested_groups(self, phase: str) -> tuple[str, ...]:
        """Return the groups of a school type that have a national figure this year."""
        groups = self.scheme.groups if self.is_local else self.scheme.groups[:1]
        return tuple(group for group in groups if self.comparator(phase, group) is not None)

    def untested_of(self, school: SchoolRating) -> tuple[str, ...]:
        """Return the groups of a school that have a national figure, and no figure of their own that can be used."""
        return tuple(group for group in self.tested_groups(school.phase) if group in school.untested)

    # -- how it works --------------------------------------------------------------------------------

    @or_nothing
    def rating_notice(self) -> Notice | Result:
        """Return what the colours mean, which groups they rest on, and how to read them."""
        self._need_schools()
        against = (
            "the national figure of all pupils of the school type"
            if self.scheme.comparator == ALL_PUPILS
            else "the national figure of the same group and school type"
        )
        meaning = "; ".join(self.level_said(level) for level in self.levels)
        texts = [
            f"A school's colour compares its attendance in {self.shown_year} with {against}, in percentage points. {meaning}.",
            "The group that compares worst sets the colour of the school."
            if self.scheme.combine != ALL_ONLY and self.is_local
            else "All pupils together set the colour of the school.",
            self._tested_sentence(),
            phrase(f"A group counts from {self.scheme.minimum_cohort} pupils of the school.", "rule")
            if self.is_local
            else "",
            "This is no league table: schools are listed by name. Schools teach different pupils, and a small group's attendance"
            " moves by chance alone.",
            self._hidden_sentence(),
        ]
        return Notice(" ".join(text for text in texts if text), "How to read the colours")

    def _need_schools(self) -> None:
        if not self.rated():
            raise NoDataError(f"There are no schools of {self.area.name} to rate.")

    def _tested_sentence(self) -> str:
        """Say which groups have a national figure, by school type where that differs."""
        if not self.is_local:
            return "The published file of schools tells all pupils alone, so no other group is tested here."
        by_groups: dict[tuple[str, ...], list[str]] = {}
        for phase in self._phases:
            by_groups.setdefault(self.tested_groups(phase), []).append(phase)
        parts = [
            f"{sentence_list([kind_words(phase) for phase in phases])} by {self.groups_said(groups)}"
            for groups, phases in by_groups.items()
        ]
        missing = [
            self.group_said(group) for group in self.scheme.groups if not any(group in groups for groups in by_groups)
        ]
        left = f" There is no national figure of {sentence_list(missing)} to test them by." if missing else ""
        return f"Tested are {'; '.join(parts)}.{left}"

    def _hidden_sentence(self) -> str:
        if not self.is_local:
            return ""
        some = [school for school in self.rated() if self.untested_of(school)]
        if not some:
            return ""
        return (
            f"In {phrase(f'{len(some):,} of {len(self.rated()):,} schools', 'schools')} at least one of these groups is not tested"
            " here: it has too few pupils, or its figure is hidden to protect small numbers. With it the colour could only be the"
            " same or worse; staff of the authority find a hidden one in the school's own pack."
        )

    # -- counts --------------------------------------------------------------------------------------

    @or_notice
    def colour_table(self) -> Table:
        """Return how many schools of each type have each colour."""
        self._need_schools()
        names = [level.name for level in self.levels]
        is_any = bool(self.colour_counts()[""])
        rows = []
        for phase in [*self._phases, *([""] if len(self._phases) > 1 else [])]:
            counts = self.colour_counts(phase)
            cells = [school_count(counts[name]) for name in [*names, *([""] if is_any else [])]]
            total = school_count(sum(counts.values()))
            rows.append(Row(f"{phase} schools" if phase else "All these schools", (*cells, total), "", not phase))
        columns = [Column("School type", align="left"), *(Column(self.colour_cell(name)) for name in names)]
        columns += [Column(NOT_RATED)] if is_any else []
        return Table(
            "schools-by-colour",
            f"Schools by colour, {self.shown_year}",
            f"Number of schools; {self.area.name}",
            (*columns, Column("Schools")),
            tuple(rows),
            source_of(self.school_groups),
            (f"{'; '.join(self.level_said(level) for level in self.levels)}. The worst group sets the colour.",),
        )

    # -- schools by name -----------------------------------------------------------------------------

    @or_nothing
    def rating_table(self, phase: str) -> Table | Result:
        """Return the schools of a type with their colours, by name."""
        schools = self.of_phase(phase)
        if not schools:
            raise NoDataError(f"There are no {kind_words(phase)}.")
        has_groups = len(self.tested_groups(phase)) > 1
        rows = [self._rating_row(school, has_groups=has_groups) for school in schools]
        columns = [Column("School", align="left"), Column("Colour", align="left")]
        columns += [Column("Set by", align="left")] if has_groups else []
        columns += [Column("All pupils", "Against national", "percentage points")]
        columns += [Column("Worst group", "Against national", "percentage points")] if has_groups else []
        columns += [Column("Not tested here", align="left")] if has_groups else []
        columns += [Column("Persistent absence", align="left"), Column("What follows", align="left")]
        return Table(
            f"rating-{phase.lower()}",
            f"Colour of {kind_words(phase)}, {self.shown_year}",
            f"Attendance of the school less the national figure; by name, {self.area.name}",
            tuple(columns),
            tuple(rows),
            source_of(self.ratings),
            tuple(self._rating_notes(phase, schools)),
        )

    def _rating_row(self, school: SchoolRating, *, has_groups: bool) -> Row:
        colour = Cell(self.colour_cell(school.level))
        set_by = (
            Cell(_groups_cell(school.rating.set_by, self.tested_groups(school.phase)))
            if school.rating
            else Cell("No group")
        )
        everybody = rate_of(self.gap(school))
        worst = rate_of(self.gap(school, school.lowest[0])) if school.lowest else Cell(symbol="c")
        untested = Cell(", ".join(_SHORT.get(group, group) for group in self.untested_of(school)) or "All tested")
        chance, follows = Cell(self._place_words(school)), Cell(self._follows(school.level))
        cells = (
            (colour, set_by, everybody, worst, untested, chance, follows)
            if has_groups
            else (colour, everybody, chance, follows)
        )
        return Row(self.school_name(str(school.laestab)), cells)

    def _place_words(self, school: SchoolRating) -> str:
        place = self.place(school)
        if place in ("", INSIDE):
            return place or "cannot be told"
        side = "above" if self.is_above(school) else "below"
        return phrase(f"{side} {place.removeprefix('outside ')}", "rule")

    def _follows(self, name: str) -> str:
        """Return what follows from a colour and not from every colour."""
        shared = set.intersection(*(set(self.scheme.actions_at(level.name)) for level in self.levels))
        own = [action for action in self.scheme.actions_at(name) if action not in shared]
        return phrase("; ".join(own), "rule") or "nothing named"

    def _rating_notes(self, phase: str, schools: Sequence[SchoolRating]) -> list[str]:
        notes = [f"{'; '.join(self.level_said(level) for level in self.levels)}.", self._national_note(phase)]
        if any(self.place(school) for school in schools):
            notes.append(
                "Persistent absence: whether the school's share of persistent absentees lies within the limits that chance, and"
                f" the lasting differences between {kind_words(phase)}, would keep it in. A colour does not look at chance."
            )
        if len(self.tested_groups(phase)) > 1:
            notes.append(
                "Not tested here: the group has too few pupils in the school, or its figure is hidden to protect small numbers."
            )
        notes += self._edge_notes(schools)
        return [note for note in notes if note]

    def _national_note(self, phase: str) -> str:
        """Say what the national figures are, and where those of groups come from another series."""
        groups = self.tested_groups(phase)
        by_series: dict[str, list[str]] = {}
        for group in groups:
            one = self.comparator(phase, group)
            assert one is not None
            by_series.setdefault(one.series, []).append(group)
        if not by_series:
            return f"There is no national figure for {kind_words(phase)} in {self.shown_year}."
        parts = [
            f"{sentence_list([self.group_said(group) for group in held])} from {series_said(series)}"
            for series, held in by_series.items()
        ]
        caution = (
            " Figures of different series are not made in the same way: a small difference may come from that."
            if len(by_series) > 1
            else ""
        )
        return f"National figures: {'; '.join(parts)}.{caution}"

    def _edge_notes(self, schools: Sequence[SchoolRating]) -> list[str]:
        """Name differences that lie exactly on a threshold, and those that rounding of a national figure decides."""
        notes = []
        for school in schools:
            name = self.school_name(str(school.laestab))
            for group in school.rating.on_edge if school.rating else ():
                edge = phrase(edge_in_words(self.scheme, school.differences[group]), "rule")
                notes.append(f"{name}: {self.group_said(group)} lie on a threshold, and {edge}.")
        close = [
            school for school in schools if set(school.by_rounding) & set(school.rating.set_by if school.rating else ())
        ]
        if close:
            names = sentence_list([self.school_name(str(school.laestab)) for school in close])
            notes.append(
                "The national figure that decides the colour is rounded, and within that rounding the colour might be another, in"
                f" {phrase(schools_words(len(close)), 'schools')}: {names}."
            )
        return notes

    # -- figure --------------------------------------------------------------------------------------

    @derived_table
    def thresholds(self) -> ProtectedTable:
        """The ends of the colours, as differences: lines of the charts."""
        rows = [
            statistic_row("rate_gap", Estimate(float(line) / 100), about=level.name)
            for level in self.levels
            if (line := _line(level)) is not None
        ]
        return derived_from(rows, self.school_groups, nothing="The rules of the rating name no threshold.")

    @or_nothing
    def rating_figure(self, phase: str) -> Figure | Result:
        """Return the difference of all pupils of each school, in panels by the colour its worst group gives it."""
        schools = [school for school in self.of_phase(phase) if school.rating is not None]
        if not 1 < len(schools) <= _MOST_DRAWN:
            raise NoDataError("There are too few or too many schools to draw.")
        rows = []
        for level in self.levels:
            for school in schools:
                gap = self.gap(school)
                if school.level == level.name and gap is not None:
                    rows.append(
                        {
                            **gap,
                            "school": self.names.in_rows(str(school.laestab)),
                            "colour": self.colour_cell(level.name),
                        }
                    )
        if not any(is_shown(row) for row in rows):
            raise NoDataError("No school can be drawn.")
        lines = {
            self.colour_cell(level.name): _mark(line) for level in self.levels if (line := _line(level)) is not None
        }
        present = {str(row["colour"]) for row in rows}
        behind = [school for school in schools if self._is_behind(school)]
        return dot_panels(
            derived_from(rows, self.ratings, self.thresholds),
            id=f"rating-figure-{phase.lower()}",
            title=f"{phase} schools, attendance of all pupils against national: {self._figure_title(schools, behind)}",
            subtitle=f"Percentage points less the national figure, {self.shown_year}; {self.area.name}",
            panel="colour",
            category="school",
            references={name: line for name, line in lines.items() if name in present},
            notes=[
                "Panels are the colours of the schools, which the worst group sets; dots are of all pupils. The line is the"
                " threshold of the colour: for the best one its lower end, for the worst one its upper end. Schools stand by name.",
                "Intervals take the pupil as the unit, and the national figure as exact.",
            ],
        )

    def _is_behind(self, school: SchoolRating) -> bool:
        """Whether a school's colour is set by other groups alone: all pupils have a better one."""
        return (
            school.rating is not None and ALL_GROUP in school.rating.of_groups and ALL_GROUP not in school.rating.set_by
        )

    def _figure_title(self, schools: Sequence[SchoolRating], behind: Sequence[SchoolRating]) -> str:
        if not behind:
            return "all pupils set the colours"
        return phrase(f"in {len(behind)} of {len(schools)} another group sets the colour", "schools")


def colours_said(counts: Counter[str], names: Sequence[str]) -> str:
    """Return how many schools have each colour, in running text: those that any school has.

    >>> colours_said(Counter({"Red": 2, "Green": 1}), ["Red", "Amber", "Green"])
    '2 Red and 1 Green'
    """
    found = [f"{counts[name]} {name}" for name in names if counts[name]]
    return sentence_list(found) if found else "none rated"


def school_count(count: int) -> Cell:
    """Return a number of schools as a cell."""
    return Cell(phrase(schools_words(count), "schools") if count else "No school")


def _groups_cell(groups: Sequence[str], tested: Sequence[str]) -> str:
    if len(groups) > 1 and set(groups) == set(tested):
        return "Every group tested"
    return ", ".join(_SHORT.get(group, group) for group in groups)


def _line(level: Level) -> Fraction | None:
    return level.low if level.low is not None else level.high


def _mark(line: Fraction) -> tuple[str, float]:
    """Return the name and place of a threshold's line; as the chart writes it, noted as part of the rules."""
    written = show_number(float(line), 1, signed=True)
    for text in (f"Threshold {written} pp", f"Threshold, {written} pp"):
        phrase(text, "rule")
    return "Threshold", float(line) / 100


def _band(level: Level, unit: str) -> str:
    """Return the values of a level in words.

    >>> _band(Level("Amber", 1, Fraction(0), Fraction(2)), "percentage points")
    'from 0 to 2 percentage points'
    >>> _band(Level("Red", 2, None, Fraction(0), True, False), "percentage points")
    'below 0 percentage points'
    """
    low, high = level.low, level.high
    if low is not None and high is not None:
        start, end = "from" if level.has_low else "above", "to" if level.has_high else "to below"
        return f"{start} {show_value(low, unit).split(' ')[0]} {end} {show_value(high, unit)}"
    if low is not None:
        return f"{show_value(low, unit)} or more" if level.has_low else f"above {show_value(low, unit)}"
    if high is not None:
        return f"{show_value(high, unit)} or less" if level.has_high else f"below {show_value(high, unit)}"
    return "any difference"
