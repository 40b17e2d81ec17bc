"""The step to secondary school in published figures, put into tables, drawings and sentences."""

from __future__ import annotations

import pandas as pd

from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._shared import (
    COVID_NOTE,
    COVID_YEARS,
    SHORT,
    Record,
    level_words,
    or_nothing,
    or_notice,
    rate_of,
    the_area,
)
from attendance_toolkit.deepdives.transition_published_data import EXPECTED
from attendance_toolkit.deepdives.transition_published_expected import TransitionPublishedExpected
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import newcombe_interval
from attendance_toolkit.presentation.blocks import Cell, Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import dot_interval
from attendance_toolkit.presentation.formats import interval_cell, source_of
from attendance_toolkit.presentation.narrative import (
    has_interval,
    interval_in_points,
    is_clear,
    is_shown,
    points,
    said,
    sentence_list,
)
from attendance_toolkit.vocabulary.areas import ENGLAND
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.rounding import show_number
from attendance_toolkit.vocabulary.steps import TRANSITION

NOT_THE_SAME = (
    "These are not the same pupils, though most are: the Year 7 of one year is held against the Year 6 of the year before it."
    " Pupils who went to independent schools or to other areas are missing from it, and others have come."
)
_WIDE = "The intervals take the two years as independent; as most pupils are in both, they are wider than they need be."
_ONLY_BANDS = (
    "Of published figures only persistent and severe absence are known by year group; overall absence by year group, the"
    " same pupils, schools and lists of pupils need pupil-level data."
)
#: Groups told in sentences: (characteristic, level, the pupils).
_TOLD = (
    ("fsm_eligible", "FSM eligible", "pupils eligible for free school meals"),
    ("fsm_eligible", "Not known to be FSM eligible", "pupils not known to be eligible"),
)


class TransitionPublished(TransitionPublishedExpected):
    """Blocks on the step as published figures show it; with pupil-level data there are none."""

    # -- the change of a year group ------------------------------------------------------------------

    @or_nothing
    def published_notice(self) -> Notice | Result:
        """Return what the figures of this page are, where there is no pupil-level data."""
        self._published_only()
        before, after = (show_academic_year(year) for year in self._published_span())
        return Notice(
            f"This page was made from published figures alone. It compares Year 6 in {before} with Year 7 in {after}, in all"
            f" state-funded primary, secondary and special schools. {NOT_THE_SAME} {_ONLY_BANDS}",
            "Year groups, not pupils",
        )

    def _published_only(self) -> None:
        """Raise NoDataError where pupils can be followed."""
        if self.is_local:
            raise NoDataError("Pupils are followed here: published figures are not needed.")

    def _published_span(self) -> tuple[int, int]:
        return academic_year_before(self.published_year), self.published_year

    @or_nothing
    def published_sentences(self) -> Findings | Result:
        """Return how the rates changed over the last step, for whom most, and how that compares with England."""
        self._published_only()
        sentences = []
        for about in EXPECTED:
            sentences += self._published_change_sentence(about)
            sentences += self._published_group_sentence(about)
            sentences += self._published_against_england(about)
        sentences += self._published_district_sentences("persistent_absence_rate")
        if not sentences:
            raise NoDataError("There are no figures to tell.")
        return Findings(tuple(sentences))

    def _published_change_sentence(self, about: str) -> list[str]:
        before, after, change = self._published_trio(about)
        if not (is_shown(before) and is_shown(after) and is_shown(change)):
            return []
        subject = f"{SHORT[about]} in {the_area(self.area)}"
        was, now = (show_academic_year(year) for year in self._published_span())
        if not is_clear(change):
            return [
                f"{subject} did not clearly change at the step: {said(before)} of Year 6 pupils in {was}, {said(after)} of"
                f" Year 7 pupils in {now} ({_signed(change)} percentage points, {interval_in_points(change)})."
            ]
        word = "higher" if change["rate"] > 0 else "lower"
        return [
            f"{subject} was {said(before)} among Year 6 pupils in {was} and {said(after)} among Year 7 pupils in {now}:"
            f" {points(change['rate'])} {word} ({interval_in_points(change)})."
        ]

    def _published_trio(
        self, about: str, *, code: str = "", characteristic: str = ALL, level: str = ALL
    ) -> tuple[Record | None, Record | None, Record | None]:
        """Return the rates before and after the last step, and the change."""
        years = self._published_span()
        rates = [
            self.published_rate(about, group, year, code=code, characteristic=characteristic, level=level)
            for group, year in zip(TRANSITION, years, strict=True)
        ]
        change = self.published_change(about, code=code, characteristic=characteristic, level=level)
        return rates[0], rates[1], change

    def _published_group_sentence(self, about: str) -> list[str]:
        """Say the change of pupils eligible for free school meals and of the others, and whether the two differ."""
        found = []
        for characteristic, level, words in _TOLD:
            before, after, change = self._published_trio(about, characteristic=characteristic, level=level)
            if not (is_shown(before) and is_shown(after) and is_shown(change)):
                return []
            found.append((words, before, after, change))
        (first, was, now, change), (other, was_other, now_other, other_change) = found
        text = (
            f"{SHORT[about]} in {the_area(self.area)} went from {said(was)} to {said(now)} among {first}, and from"
            f" {said(was_other)} to {said(now_other)} among {other}"
        )
        side = _side(change, other_change)
        both = f"({_signed(change)} and {_signed(other_change)} percentage points)"
        verdict = (
            f"the first change is clearly {side} the second" if side else "the two changes are not clearly different"
        )
        return [f"{text}: {verdict} {both}."]

    def _published_against_england(self, about: str) -> list[str]:
        if self.area.code == ENGLAND:
            return []
        own, england = self.published_change(about), self.published_change(about, code=ENGLAND)
        if not (is_shown(own) and is_shown(england)):
            return []
        side = _side(own, england)
        held = f"England's ({_signed(england)} percentage points)"
        words = f"clearly {side} {held}" if side else f"not clearly different from {held}"
        return [f"The change of {SHORT[about].lower()} in {the_area(self.area)} ({_signed(own)}) is {words}."]

    def _published_district_sentences(self, about: str) -> list[str]:
        """Say in which districts the rate was clearly higher, and in which clearly lower, after the step than before it."""
        sides: dict[str, list[str]] = {"higher": [], "lower": []}
        others = 0
        for area in self.inputs.districts:
            change = self.published_change(about, code=area.code)
            if is_clear(change):
                sides["higher" if change["rate"] > 0 else "lower"].append(f"{area.name} ({_signed(change)})")
            else:
                others += is_shown(change)
        parts = [f"clearly {side} in {sentence_list(names)}" for side, names in sides.items() if names]
        if not parts:
            return []
        rest = "; in the other districts it did not clearly change" if others else ""
        return [
            f"{SHORT[about]} of Year 7 pupils, held against that of Year 6 pupils a year before (percentage points), was"
            f" {', and '.join(parts)}{rest}."
        ]

    @or_notice
    def published_table(self) -> Table | Notice | Result:
        """Return the rates before and after the last step by pupil group, the change, and England's change beside it."""
        if self.is_local:
            return Result(())
        beside = self.area.code != ENGLAND
        rows = []
        for about in EXPECTED:
            for characteristic, level in self.published_levels():
                before, after, change = self._published_trio(about, characteristic=characteristic, level=level)
                cells: list[Cell] = [rate_of(before), rate_of(after), rate_of(change), interval_cell(change)]
                if beside:
                    england = self.published_change(about, code=ENGLAND, characteristic=characteristic, level=level)
                    cells.append(rate_of(england))
                rows.append(Row(level_words(characteristic, level), tuple(cells), SHORT[about], level == ALL))
        was, now = (show_academic_year(year) for year in self._published_span())
        columns = [
            Column("Pupils", align="left"), Column(f"Year 6 in {was}", "", "%"), Column(f"Year 7 in {now}", "", "%"),
            Column("Change", "", "percentage points"), Column("95% interval", "", "percentage points"),
            *([Column("Change in England", "", "percentage points")] if beside else []),
        ]  # fmt: skip
        return Table(
            "published-step-groups",
            f"Persistent and severe absence before and after the step to secondary school, {was} to {now}",
            f"{self.area.name}, all state-funded primary, secondary and special schools; share of enrolments",
            tuple(columns),
            tuple(rows),
            source_of(self.published_steps),
            (
                NOT_THE_SAME, _WIDE,
                "Eligibility for free school meals and SEN are those of each year: pupils may move from one group to the other."
                " Pupils whose group is not known are in the first row alone.",
                *self._published_covid(),
            ),
        )  # fmt: skip

    def _published_covid(self) -> list[str]:
        return [COVID_NOTE] if set(self._published_span()) & set(COVID_YEARS) else []

    @or_nothing
    def published_figure(self, about: str) -> Figure | Result:
        """Return the change over the last step of the districts, the area and England as dots with intervals."""
        self._published_only()
        places = self.published_places
        found = [(area, self.published_change(about, code=area.code)) for area in places]
        there = [(area, record) for area, record in found if record is not None and record["symbol"] != "x"]
        if len(there) < 2:
            raise NoDataError(f"There are no places to hold {self.area.name} against.")
        table = derived_from([{**record, "place": area.name} for area, record in there], self.published_changes)
        table.rows["place"] = pd.Categorical(table.rows["place"], [area.name for area, _ in there])
        was, now = (show_academic_year(year) for year in self._published_span())
        return dot_interval(
            table,
            id=f"published-step-{about.split('_')[0]}",
            title=self._published_title(about),
            subtitle=f"Change in percentage points from Year 6 in {was} to Year 7 in {now}, by authority, by name",
            category="place",
            highlight=self.area.name,
            sort=False,
            notes=[NOT_THE_SAME, _WIDE, *self._published_covid()],
        )

    def _published_title(self, about: str) -> str:
        change = self.published_change(about)
        subject = f"{SHORT[about]} from Year 6 to Year 7 a year later"
        if not is_shown(change):
            return f"{subject}, by authority"
        if not is_clear(change):
            return f"{subject} did not clearly change in {the_area(self.area)}"
        verb = "rose" if change["rate"] > 0 else "fell"
        return f"{subject} {verb} by {points(change['rate'])} in {the_area(self.area)}"


def _signed(record: Record, decimals: int = 1) -> str:
    return show_number(record["rate"] * 100, decimals, signed=True)


def _side(first: Record, second: Record) -> str:
    """Return whether a change is clearly above or below another one; empty where neither is clear."""
    if not (has_interval(first) and has_interval(second)):
        return ""
    low, high = newcombe_interval(
        first["rate"], (first["lower"], first["upper"]), second["rate"], (second["lower"], second["upper"])
    )
    return "above" if low > 0 else "below" if high < 0 else ""
