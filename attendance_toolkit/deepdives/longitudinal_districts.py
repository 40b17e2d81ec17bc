"""Which way each district of a wider area goes: improving, deteriorating, or cannot tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from attendance_toolkit.deepdives._base import derived_table
from attendance_toolkit.deepdives._contrasts import derived_from, statistic_row, symbol_of
from attendance_toolkit.deepdives._shared import (
    NO_DATA_YEARS,
    SHORT,
    Lookup,
    Record,
    capital,
    or_nothing,
    or_notice,
    rate_of,
    the_area,
)
from attendance_toolkit.deepdives.longitudinal_data import THRESHOLDS, LongitudinalData
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import record_difference
from attendance_toolkit.metrics.series_guard import breaks_between, label_of, selection_of
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.presentation.blocks import Cell, Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import interval_cell, source_of
from attendance_toolkit.presentation.narrative import is_clear, is_shown, sentence_list
from attendance_toolkit.vocabulary.areas import Area
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.directions import direction_of
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.series_breaks import SeriesBreak

IMPROVING, DETERIORATING, CANNOT_TELL, HIDDEN = "improving", "deteriorating", "cannot tell", "hidden"


class LongitudinalDistricts(LongitudinalData):
    """Blocks on the districts of an area of several."""

    @cached_property
    def followed_districts(self) -> tuple[Area, ...]:
        """The districts of an area of several, by name, that have figures."""
        there = set(self.districts.rows["area_code"])
        return tuple(area for area in self.inputs.districts if area.code in there)

    @cached_property
    def district_years(self) -> tuple[int, ...]:
        """The years districts are compared in: the first, the one before the last, and the last; each once."""
        codes = [area.code for area in self.followed_districts]
        rows = self.districts.rows
        years = sorted(
            {int(year) for year in rows.loc[rows["area_code"].isin(codes), "academic_year"]} - set(NO_DATA_YEARS)
        )
        before = academic_year_before(years[-1]) if years else 0
        return tuple(dict.fromkeys([*years[:1], *([before] if before in years else []), *years[-1:]]))

    @cached_property
    def _district_figures(self) -> Lookup:
        return Lookup(self.districts, ["area_code", "academic_year", "measure"])

    def _of_district(self, area: Area, year: int, about: str) -> Record | None:
        return self._district_figures(area_code=area.code, academic_year=year, measure=about)

    @derived_table
    def district_changes(self) -> ProtectedTable:
        """Change of each district to the last year, from the year before and from the first (``since``), with its interval."""
        *earlier, last = self.district_years or (0,)
        rows = [
            change_row(
                "change_in_rate", self._of_district(area, since, about), self._of_district(area, last, about),
                area_code=area.code, academic_year=last, since=since, about=about,
                span=f"{show_academic_year(since)} to {show_academic_year(last)}",
            )
            for about in THRESHOLDS
            for area in self.followed_districts
            for since in earlier
        ]  # fmt: skip
        nothing = f"The districts of {self.area.name} have no figures of two years that may be compared."
        return derived_from(rows, self.districts, nothing=nothing)

    @cached_property
    def _changes_lookup(self) -> Lookup:
        return Lookup(self.district_changes, ["area_code", "since", "about"])

    def district_direction(self, code: str, about: str, since: int) -> str:
        """Return a district's direction by the written definition for areas."""
        return direction_word(self._changes_lookup(area_code=code, since=since, about=about))

    @or_notice
    def district_table(self) -> Table | Notice | Result:
        """Return each district's change and direction, from the year before and from the first year, by name."""
        if self.area.level == "Local authority":
            return Result(())
        changes = self.district_changes
        *earlier, last = self.district_years
        # The year before stands first: it is the one asked for most.
        shown = sorted(earlier, reverse=True)
        rows = []
        for about in THRESHOLDS:
            for area in self.followed_districts:
                cells: list[Cell] = []
                for since in shown:
                    change = self._changes_lookup(area_code=area.code, since=since, about=about)
                    cells += [rate_of(change), interval_cell(change), _direction_cell(change)]
                rows.append(Row(area.name, tuple(cells), SHORT[about]))
        columns = [Column("District", align="left")]
        for since in shown:
            group = f"Since {show_academic_year(since)}"
            columns += [
                Column("Change", group), Column("95% interval", group),
                Column("Direction", group, align="left"),
            ]  # fmt: skip
        return Table(
            "district-directions",
            f"Improving and deteriorating districts of {the_area(self.area)}, to {show_academic_year(last)}",
            "All schools; change of the rate in percentage points; districts by name",
            tuple(columns),
            tuple(rows),
            source_of(changes),
            (phrase(direction_of("area").text, "rule"), *self._district_notes()),
        )

    def _district_notes(self) -> list[str]:
        """Return what must stand beside comparisons over breaks of the series."""
        *earlier, last = self.district_years
        found: dict[str, SeriesBreak] = {}
        for area in self.followed_districts:
            for since in earlier:
                for about in THRESHOLDS:
                    one, two = (self._of_district(area, year, about) for year in (since, last))
                    if one is not None and two is not None:
                        found |= {known.id: known for known in breaks_between(selection_of(one), selection_of(two))}
        label = label_of(found.values())
        return [label] if label else []

    @or_nothing
    def district_sentences(self) -> Findings | Result:
        """Return which districts improve and which deteriorate, by name."""
        if self.area.level == "Local authority":
            return Result(())
        *earlier, last = self.district_years
        sentences = []
        for about in THRESHOLDS:
            for since in sorted(earlier, reverse=True):
                sides: Mapping[str, list[str]] = {name: [] for name in (IMPROVING, DETERIORATING, CANNOT_TELL, HIDDEN)}
                for area in self.followed_districts:
                    sides[self.district_direction(area.code, about, since)].append(area.name)
                sentences.append(_sides_sentence(about, sides, show_academic_year(since), show_academic_year(last)))
        if not sentences:
            raise NoDataError("No district has figures of two years.")
        return Findings(tuple(sentences))


def direction_word(change: Record | None) -> str:
    """Return a direction by the written definition: no verdict without an interval.

    >>> direction_word({"rate": -0.01, "lower": -0.02, "upper": -0.001, "symbol": ""})
    'improving'
    >>> direction_word({"rate": -0.01, "lower": float("nan"), "upper": float("nan"), "symbol": ""})
    'cannot tell'
    >>> direction_word({"rate": float("nan"), "symbol": "c"}), direction_word(None)
    ('hidden', 'cannot tell')
    """
    if not is_shown(change):
        return HIDDEN if change is not None and change["symbol"] == "c" else CANNOT_TELL
    if not is_clear(change):
        return CANNOT_TELL
    return IMPROVING if change["rate"] < 0 else DETERIORATING


def change_row(measure: str, before: Record | None, after: Record | None, **groups: Any) -> dict[str, Any]:
    """Return the row of after minus before, with Newcombe's interval; the series-break guard looks at both."""
    symbol = symbol_of(before, after)
    if symbol or before is None or after is None:
        return statistic_row(measure, None, symbol or "x", **groups)
    change = record_difference(after, before)
    return statistic_row(measure, Estimate(change["rate"], change["lower"], change["upper"]), **groups)


def _direction_cell(change: Record | None) -> Cell:
    word = direction_word(change)
    return Cell(symbol="c") if word == HIDDEN else Cell(capital(word))


def _sides_sentence(about: str, sides: Mapping[str, Sequence[str]], since: str, last: str) -> str:
    """Say in which districts a rate improved and deteriorated, and of which it cannot be told."""
    start = f"{SHORT[about]} from {since} to {last}"
    verbs = {IMPROVING: "improved (it clearly fell)", DETERIORATING: "deteriorated (it clearly rose)"}
    told = [name for name in verbs if sides[name]]
    if len(told) == 1 and not sides[CANNOT_TELL] and not sides[HIDDEN]:
        return f"{start} {verbs[told[0]]} in every district."
    parts = [f"{verbs[name]} in {sentence_list(list(sides[name]))}" for name in told]
    parts = parts or ["neither clearly fell nor clearly rose in any district that can be told"]
    text = f"{start} {'; it '.join(parts)}."
    if told and sides[CANNOT_TELL]:
        text += f" In {sentence_list(list(sides[CANNOT_TELL]))} it did not clearly change, or cannot be told."
    if sides[HIDDEN]:
        text += f" Of {sentence_list(list(sides[HIDDEN]))} it cannot be told: figures are hidden."
    return text
