"""Supported pupils of all year groups in words, a table and a drawing: never the bare before and after."""

from __future__ import annotations

from collections.abc import Iterator

from attendance_toolkit.deepdives._before_after_words import (
    change_figure,
    effect_title,
    signed,
    support_verdict,
    with_interval,
)
from attendance_toolkit.deepdives._shared import Record, count_of, once_notice, or_nothing, rate_of
from attendance_toolkit.deepdives._support_rows import (
    AFTER,
    BEFORE,
    CHANGE,
    EARLIER,
    EFFECT,
    EXPECTED_CHANGE,
    SAME_YEAR,
)
from attendance_toolkit.deepdives.vulnerable_data import HIDDEN
from attendance_toolkit.deepdives.vulnerable_support_data import VulnerableSupportData
from attendance_toolkit.models.transition.regression_to_mean import NOTES, ONE_COHORT
from attendance_toolkit.presentation.blocks import Cell, Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import figure_words, interval_cell, interval_words, source_of
from attendance_toolkit.presentation.narrative import interval_in_points, is_clear, is_shown, said
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.rounding import show_number

#: More lists than these are not drawn.
MOST_DRAWN = 4
_FLATTERS = (
    "Before and after say little by themselves. Pupils chosen for high absence tend to come back towards what is usual for them,"
    " with or without support (regression to the mean); and absence differs by year group. So supported pupils are held against"
    " pupils of the same year groups chosen by the same rule in earlier years, over the same part of the year."
)
_ONE_YEAR = NOTES[ONE_COHORT]
_NO_CONTROL = "These are no control group: who was left off a list was left off for a reason."
_MEANS = (
    "Absence is the mean of the pupils' own rates, so that each pupil counts once. Year 11 is followed to the end of May, when it"
    " leaves."
)
_HELD = (
    "Pupils chosen alike are brought to the year groups of the supported pupils and reweighted to their mean absence in the year"
    " before. A minus sign says less absence. The interval holds chance, schools, and how much years differ."
)
_WHO = (
    "Pupils of special schools and of alternative provision, and those without sessions in both years, are not compared. The rule is"
    " the highest round threshold that nearly all pupils on the list had reached in the year before; those below it are left out."
)


class VulnerableSupport(VulnerableSupportData):
    """Blocks on supported pupils of all year groups together."""

    @once_notice
    def support_sentences(self) -> Findings | Notice | Result:
        """Return the bare change and why it flatters, what was expected, and what is left; or a notice that says what is missing."""
        self.need_pupils()
        sentences = [sentence for name in self.lists_of_support for sentence in self._list_sentences(name)]
        return Findings((_FLATTERS, *sentences))

    def _list_sentences(self, name: str) -> Iterator[str]:
        size = self.supported_figure_of(name, "pupils")
        before, after, change = (self.supported_figure_of(name, measure) for measure in (BEFORE, AFTER, CHANGE))
        if not is_shown(size):
            yield f"{name}: what became of the pupils cannot be told, {HIDDEN}."
            return
        if is_shown(before) and is_shown(after) and is_shown(change):
            yield (
                f"{name}: absence of {show_number(size['rate'])} supported pupils was {said(before)} in the year before and"
                f" {said(after)} in {self.shown_year}, a bare change of {signed(change)} percentage points."
            )
        yield from self._expected_sentences(name, str(size["about"]))
        persistent = self.supported_figure_of(name, "persistent_absence_rate")
        if is_shown(persistent):
            yield (
                f"{figure_words(persistent)} of the supported pupils ({interval_words(persistent)}) missed 10% or more of their"
                f" sessions in {self.shown_year}."
            )
        listed = self.listed_of(name)
        yield (
            f"{show_number(listed['rate'])} pupils are on the list; those not compared were not found in a mainstream school in both"
            " years, had too few sessions, or were below the rule."
            if is_shown(listed)
            else "How many on the list could not be compared is not told: they are few, or none."
        )

    def _expected_sentences(self, name: str, rule: str) -> Iterator[str]:
        expected, effect = (self.supported_figure_of(name, measure, EARLIER) for measure in (EXPECTED_CHANGE, EFFECT))
        if effect is not None and effect["symbol"] == "z":
            yield str(effect["about"])
            return
        if not (is_shown(expected) and is_shown(effect)):
            yield f"What was to be expected without support cannot be told, {HIDDEN}."
            return
        peers = self.peers_of(name, EARLIER)
        number = f"{show_number(peers['rate'])} pupils" if is_shown(peers) else "pupils"
        missed = "" if rule == ALL else f" missed {rule} of their sessions and"
        years = str(expected["about"])
        alone = "" if "," in years else f" {_ONE_YEAR}"
        yield (
            f"For comparison, {number} of the same year groups (all districts of the data) had{missed} been on no list in"
            f" {phrase(years, 'years')}: reweighted to the same absence, theirs had changed by {signed(expected)} percentage points in"
            f" the year after ({interval_in_points(expected)}).{alone}"
        )
        yield support_verdict(effect)
        yield from self._same_year(name)

    def _same_year(self, name: str) -> Iterator[str]:
        effect, peers = self.supported_figure_of(name, EFFECT, SAME_YEAR), self.peers_of(name, SAME_YEAR)
        if not (is_shown(effect) and is_shown(peers)):
            return
        if is_clear(effect):
            words = f"clearly {'lower' if effect['rate'] < 0 else 'higher'} than theirs"
        else:
            words = "not clearly different from theirs"
        yield (
            f"Held against {show_number(peers['rate'])} pupils of the same year groups and year chosen alike who were on no list, the"
            f" supported pupils' absence was {words} ({with_interval(effect)}). {_NO_CONTROL}"
        )

    # -- table and drawing ---------------------------------------------------------------------------

    @or_nothing
    def support_table(self) -> Table | Result:
        """Return what became of each list, beside what was to be expected."""
        return Table(
            "supported-year-groups",
            "Absence of supported pupils before and after, beside what was to be expected",
            f"{self.area.name}, {self.shown_year}; pupils of each list with sessions in both years",
            (
                Column("Figure", align="left"), Column("Value"), Column("95% interval"),
                Column("Pupils"),
            ),
            tuple(row for name in self.lists_of_support for row in self._list_rows(name)),
            source_of(self.supported_pupils),
            (_MEANS, _HELD, _WHO),
        )  # fmt: skip

    def _list_rows(self, name: str) -> Iterator[Row]:
        number = count_of(self.supported_figure_of(name, "pupils"))
        wanted: list[tuple[str, str, str, Cell]] = [
            ("Absence in the year before (%)", BEFORE, "", number),
            (f"Absence in {self.shown_year} (%)", AFTER, "", number),
            ("Bare change (percentage points)", CHANGE, "", number),
        ]
        for against, words in ((EARLIER, "earlier years"), (SAME_YEAR, "same year, on no list")):
            peers = count_of(self.peers_of(name, against))
            wanted.append((f"Change expected: {words} (percentage points)", EXPECTED_CHANGE, against, peers))
            wanted.append((f"Beyond that: {words} (percentage points)", EFFECT, against, number))
        wanted.append((f"Persistently absent in {self.shown_year} (%)", "persistent_absence_rate", "", number))
        for label, measure, model, pupils in wanted:
            record = self.supported_figure_of(name, measure, model)
            if record is not None:
                cells = (rate_of(record), interval_cell(record), pupils)
                yield Row(label, cells, name, measure == EFFECT and model == EARLIER)

    @or_nothing
    def support_figure(self) -> Figure | Result:
        """Return change, expected change and the difference of each list as dots with intervals."""
        lists = self.lists_of_support[:MOST_DRAWN]
        rows: list[tuple[str, Record | None]] = []
        for name in lists:
            start = f"{name}: " if len(lists) > 1 else ""
            rows += [
                (f"{start}bare change of the supported", self.supported_figure_of(name, CHANGE)),
                (f"{start}change expected", self.supported_figure_of(name, EXPECTED_CHANGE, EARLIER)),
                (f"{start}beyond what was expected", self.supported_figure_of(name, EFFECT, EARLIER)),
            ]
        effect = self.supported_figure_of(lists[0], EFFECT, EARLIER) if len(lists) == 1 else None
        return change_figure(
            rows,
            EFFECT,
            self.supported_pupils,
            id="supported-year-groups-change",
            title=effect_title(effect, "Absence of supported pupils", "support"),
            subtitle=f"Change of absence from the year before to {self.shown_year}, percentage points, {self.area.name}",
            notes=[_HELD, _MEANS],
        )
