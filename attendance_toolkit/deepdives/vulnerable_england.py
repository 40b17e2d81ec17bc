"""Vulnerable groups beside England: the same group and school type, with what the two figures cannot be held to."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property

from attendance_toolkit.deepdives._base import derived_table, exact_table
from attendance_toolkit.deepdives._contrasts import derived_from, statistic_row, symbol_of
from attendance_toolkit.deepdives._national import (
    national_figures,
    national_frame,
    national_rows,
    series_said,
    shown_comparator,
)
from attendance_toolkit.deepdives._shared import Lookup, Record, capital, or_nothing, rate_of
from attendance_toolkit.deepdives.vulnerable_groups import ABSENCE, PERSISTENT, WORDS
from attendance_toolkit.deepdives.vulnerable_groups_data import ALL_PUPILS, GROUPS, VulnerableGroupsData, group_words
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.group_comparators import Comparator
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.presentation.blocks import Cell, Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import figure_words, interval_cell, interval_words, source_of
from attendance_toolkit.presentation.narrative import compared_with, is_shown, sentence_list, stands_against
from attendance_toolkit.vocabulary.areas import ENGLAND
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS, MAIN_PHASES
from attendance_toolkit.vocabulary.group_comparators import COMPARED_GROUPS, OWN_DATASET, OWN_SERIES, PUPIL_BASED
from attendance_toolkit.vocabulary.ledger import phrase

_NAME_OF = {about: name for name, about in COMPARED_GROUPS.items() if about}
#: Groups of which the toolkit itself has no national figure.
_NOT_PUBLISHED = tuple(group for group in GROUPS if _NAME_OF[group] in PUPIL_BASED)
_PHASES = (ALL_SCHOOLS, *MAIN_PHASES)
#: Measures compared -> how a national figure of them is asked for.
_ASKED = {ABSENCE: "attendance_rate", PERSISTENT: PERSISTENT}
_UNCLEAR = "not clearly different from"
_IN = {ALL_SCHOOLS: "", **{phase: f" in {phase.lower()} schools" for phase in MAIN_PHASES}}


class VulnerableEngland(VulnerableGroupsData):
    """Blocks that hold groups against England's; without a national figure of a group they say how to give one."""

    @exact_table
    def national_groups(self) -> ExactTable:
        """England's absence of each group by school type: published, or the authority's own figures."""
        self.need_pupils()
        rows = []
        for measure, asked in _ASKED.items():
            names = ("All pupils", *(_NAME_OF[group] for group in GROUPS))
            found = national_figures(self.inputs, self.year, names, measure=asked, phases=_PHASES)
            rows += national_rows(found, self.year, measure)
        if not rows:
            raise NoDataError(f"There is no national figure of any group for {self.shown_year}.")
        return self.inputs.published_table(national_frame(rows))

    @derived_table
    def national_gaps(self) -> ProtectedTable:
        """Absence of each group less England's, with the interval of the group's own."""
        rows = []
        for phase, group in self._compared:
            for measure in _ASKED:
                own, england = self.figure_of(group, measure, phase=phase), self._england(group, measure, phase)
                if own is None or england is None:
                    continue
                symbol = symbol_of(own)
                value = Estimate(math.nan)
                if not symbol:
                    value = Estimate(*(float(own[name]) - england["rate"] for name in ("rate", "lower", "upper")))
                rows.append(statistic_row("rate_gap", value, symbol, phase=phase, about=measure, **_pair(group)))
        return derived_from(rows, self.vulnerable, self.national_groups, nothing="No group has a national figure.")

    # -- cleared figures -----------------------------------------------------------------------------

    @cached_property
    def _england_lookup(self) -> Lookup:
        return Lookup(self.national_groups, ["phase", "characteristic", "level", "measure"])

    def _england(self, group: tuple[str, str], measure: str, phase: str = ALL_SCHOOLS) -> Record | None:
        return self._england_lookup(phase=phase, measure=measure, **_pair(group))

    @cached_property
    def _gaps(self) -> Lookup:
        return Lookup(self.national_gaps, ["phase", "characteristic", "level", "about"])

    def _gap(self, group: tuple[str, str], measure: str, phase: str) -> Record | None:
        return self._gaps(phase=phase, about=measure, **_pair(group))

    @cached_property
    def _compared(self) -> list[tuple[str, tuple[str, str]]]:
        """School types and groups that have pupils here and a national figure of overall absence."""
        return [
            (phase, group)
            for phase in _PHASES
            for group in (ALL_PUPILS, *self.groups_shown)
            if self.figure_of(group, "enrolments", phase=phase) is not None
            and self._england(group, ABSENCE, phase) is not None
        ]

    def _comparator(self, group: tuple[str, str], phase: str) -> Comparator:
        record = self._england(group, ABSENCE, phase)
        assert record is not None  # of those compared
        return shown_comparator(record)

    # -- blocks --------------------------------------------------------------------------------------

    @or_nothing
    def england_table(self) -> Table | Result:
        """Return absence of each group beside England's of the same group and school type, and the difference."""
        rows = []
        for phase, group in self._compared:
            cells: list[Cell] = []
            for measure in _ASKED:
                gap = self._gap(group, measure, phase)
                cells += [
                    rate_of(self.figure_of(group, measure, phase=phase)),
                    rate_of(self._england(group, measure, phase)),
                ]
                cells += [rate_of(gap), interval_cell(gap) if gap is not None else Cell(symbol="x")]
            rows.append(Row(group_words(*group), tuple(cells), phase, group == ALL_PUPILS))
        columns = [Column("Pupils", align="left")]
        for name in ("Average absence", "Persistent absence"):
            columns += [Column(self.area.name, name, "%"), Column("England", name, "%")]
            columns += [Column("Difference", name, "percentage points"), Column("95% interval", name)]
        return Table(
            "vulnerable-groups-england",
            f"Vulnerable groups in {self.area.name} and in England, {self.shown_year}",
            "The same group and school type; differences in percentage points",
            tuple(columns),
            tuple(rows),
            source_of(self.national_gaps),
            tuple(self._notes()),
        )

    def _notes(self) -> Iterable[str]:
        by_series: dict[str, list[str]] = {}
        for phase, group in self._compared:
            held = by_series.setdefault(self._comparator(group, phase).series, [])
            if _words(group) not in held:
                held.append(_words(group))
        parts = [f"{sentence_list(held)} from {series_said(series)}" for series, held in by_series.items()]
        mixed = " Figures of different series are not made in the same way: a small difference may come from that."
        yield f"Figures of England: {'; '.join(parts)}.{mixed if len(by_series) > 1 else ''}"
        given = {
            one.source: None
            for phase, group in self._compared
            if (one := self._comparator(group, phase)).series == OWN_SERIES
        }
        if given:
            # The authority's own words: their numbers tell publications and files apart.
            yield f"Given by the authority: {phrase('; '.join(given), 'files')}."
        cautions = {text: None for phase, group in self._compared for text in self._comparator(group, phase).cautions}
        yield from cautions
        yield "Intervals are of the area's figures; those of England are taken as exact."

    @or_nothing
    def england_sentences(self) -> Findings | Result:
        """Return how each group's overall absence stands to England's, in all schools, else by school type."""
        in_total = {group for phase, group in self._compared if phase == ALL_SCHOOLS}
        told = [(phase, group) for phase, group in self._compared if phase == ALL_SCHOOLS or group not in in_total]
        sentences: list[str] = []
        for phase in _PHASES:
            unclear = []
            for group in [group for at, group in told if at == phase]:
                own, england = self.figure_of(group, ABSENCE, phase=phase), self._england(group, ABSENCE, phase)
                if not (is_shown(own) and is_shown(england)):
                    continue
                if stands_against(own, england) == _UNCLEAR and group != ALL_PUPILS:
                    unclear.append(group)
                    continue
                sentences.append(
                    f"{capital(_words(group))}{_IN[phase]} missed {figure_words(own)} of their sessions"
                    f" ({interval_words(own)}), {compared_with(own, england, self._whose(group, phase))}."
                )
            if unclear:
                whose = (
                    "England's figures of the same groups" if len(unclear) > 1 else "England's figure of the same group"
                )
                each = sentence_list([_words(group) for group in unclear])
                sentences.append(f"Absence of {each}{_IN[phase]} is {_UNCLEAR} {whose}.")
        against = [_words(group) for _, group in told if _NAME_OF.get(group) in PUPIL_BASED]
        if sentences and against:
            sentences.append(
                f"DfE advises against comparing absence of {sentence_list(list(dict.fromkeys(against)))} as published, which"
                " counts pupils matched between censuses, with figures of enrolments such as these."
            )
        return Findings(tuple(sentences)) if sentences else Result(())

    def _whose(self, group: tuple[str, str], phase: str) -> str:
        """Return in words what a group is held against."""
        if self._comparator(group, phase).series == OWN_SERIES:
            return "the figure the authority gave for England"
        return "England's" if group == ALL_PUPILS else "England's figure of the same group"

    @or_nothing
    def england_missing(self) -> Notice | Result:
        """Return which groups have no national figure, why, and how an authority gives its own."""
        self.need_pupils()
        try:
            known = {group for _, group in self._compared}
        except NoDataError:
            known = set()
        missing = [group for group in self.groups_shown if group not in known]
        if not missing:
            return Result(())
        words = sentence_list([WORDS[group] for group in missing])
        reason = (
            " DfE's figures of children in social care count pupils matched between censuses, and DfE advises against"
            " comparing them with absence of enrolments, so the toolkit has none of its own."
            if any(group in _NOT_PUBLISHED for group in missing)
            else ""
        )
        return Notice(
            f"For {words} there is no figure of England here.{self._other_years()}{reason} To hold a group against a figure of"
            " your choice, give a CSV of academic_year, phase, group, attendance (or absence), persistent_absence and source"
            " with the published files.",
            "Not held against England",
        )

    def _other_years(self) -> str:
        """Say that a file the authority gave is of other years, if it is: it would seem to have been overlooked."""
        published = self.inputs.published
        if published is None:
            return ""
        rates = published.select([ENGLAND]).rates
        years = sorted(set(rates.loc[rates["dataset"] == OWN_DATASET, "academic_year"].astype(int)))
        if not years or self.year in years:
            return ""
        told = phrase(sentence_list([show_academic_year(year) for year in years]), "years")
        return f" The file of national figures that was given has none of {self.shown_year}, only of {told}."


def _words(group: tuple[str, str]) -> str:
    return "all pupils" if group == ALL_PUPILS else WORDS[group]


def _pair(group: tuple[str, str]) -> dict[str, str]:
    """Return the columns that say which group a row is about."""
    return {"characteristic": group[0], "level": group[1]}
