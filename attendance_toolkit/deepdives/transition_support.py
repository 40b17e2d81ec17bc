"""Supported pupils in words, a table and a drawing: the naive comparison, why it flatters, and what is left of it."""

from __future__ import annotations

from collections.abc import Iterator

from attendance_toolkit.deepdives._before_after_words import change_figure, effect_title, signed, support_verdict
from attendance_toolkit.deepdives._shared import Record, count_of, or_nothing, or_notice, rate_of, the_area
from attendance_toolkit.deepdives._support_rows import (
    AFTER,
    BEFORE,
    CHANGE,
    EARLIER,
    EFFECT,
    EXPECTED_CHANGE,
    RULES,
    SAME_YEAR,
)
from attendance_toolkit.deepdives.transition_support_data import TransitionSupportData
from attendance_toolkit.models.transition.regression_to_mean import NOTES, ONE_COHORT
from attendance_toolkit.presentation.blocks import Cell, Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import figure_words, interval_cell, interval_words, source_of
from attendance_toolkit.presentation.narrative import interval_in_points, is_clear, is_shown, said
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.rounding import show_number
from attendance_toolkit.vocabulary.steps import COMPARED

#: More lists than these are not drawn.
MOST_DRAWN = 4
#: Half terms after the step -> in words.
_WINDOWS = {"1": "the first half term", "1-2": "the autumn term", "1-6": "the whole year"}
_FLATTERS = (
    "Before and after say little by themselves. Pupils chosen for a year of high absence tend to come back towards what is"
    " usual for them, with or without support (regression to the mean); and the step to secondary school and the time of"
    " year move absence too. So the supported pupils are held against pupils chosen by the same rule, in the same weeks."
)
_NO_CONTROL = "These are no control group: who was left off a list was left off for a reason."
_PEERS_NOTE = "Pupils of the same year who were on no list are no control group: who was left off a list was left off for a reason."
_ONE_YEAR = NOTES[ONE_COHORT]
_MEANS = "Absence is the mean of the pupils' own rates, so that each pupil counts once."
_HELD = (
    "Pupils chosen alike are reweighted so that their mean absence in Year 6 is that of the supported pupils. A minus sign"
    " says less absence. The interval holds chance, schools, and how much years differ."
)
_RULE_NOTE = (
    "The rule is the highest round threshold that nearly all pupils on the list had reached in Year 6; those below it are left"
    " out. Why else pupils were listed, the data do not say."
)
_ALL_WERE = (
    "Nearly all of them were persistently absent in Year 6, since lists are made that way: some fall below the threshold"
    " whatever is done."
)


#: Rules of which persistent absence before is a part.
_OF_PERSISTENT = tuple(words for share, words in RULES.items() if share >= 0.1)


class TransitionSupport(TransitionSupportData):
    """Blocks on supported pupils, and on how many pupils a rule would list."""

    @or_notice
    def support_table(self) -> Table | Notice | Result:
        """Return what became of each list; a notice says how to load one, or why nothing can be told."""
        if not self.is_local:
            return Result(())
        rows = [row for one in self.support_lists for row in self._support_rows(one)]
        return Table(
            "supported-pupils",
            "Supported pupils before and after the step to secondary school",
            f"{self.area.name}; pupils of each list with sessions in both years",
            (
                Column("Figure", align="left"), Column("Value"), Column("95% interval"),
                Column("Pupils"),
            ),
            tuple(rows),
            source_of(self.supported),
            (_MEANS, _HELD, _RULE_NOTE, _PEERS_NOTE),
        )  # fmt: skip

    def _support_rows(self, one: tuple[int, str]) -> Iterator[Row]:
        """Yield the figures of a list that there are; of one whose figures are hidden, one row that says so."""
        section = f"{one[1]}, {show_academic_year(one[0])}"
        size = self.support_figure_of(one, "pupils")
        number, when = count_of(size), self._window_words(size)
        if not is_shown(size):
            yield Row("Absence before and after (%)", (number, number, number), section)
            return
        named: list[tuple[str, Record | None, Cell]] = [
            ("Absence in Year 6 (%)", self.support_figure_of(one, BEFORE), number),
            (f"Absence in {when} of Year 7 (%)", self.support_figure_of(one, AFTER), number),
            ("Change (percentage points)", self.support_figure_of(one, CHANGE), number),
        ]
        for against, words in ((EARLIER, "earlier year groups"), (SAME_YEAR, "same year, on no list")):
            expected, effect = (self.support_figure_of(one, measure, against) for measure in (EXPECTED_CHANGE, EFFECT))
            if expected is not None:
                peers = count_of(self.support_peers(one, against))
                named.append((f"Change expected: {words} (percentage points)", expected, peers))
                named.append((f"Beyond that: {words} (percentage points)", effect, number))
        persistent = self.support_figure_of(one, "persistent_absence_rate")
        named.append((f"Persistently absent in {when} (%)", persistent, number))
        for header, record, pupils in named:
            if record is not None:
                is_main = record["measure"] == EFFECT and record["model"] == EARLIER
                yield Row(header, (rate_of(record), interval_cell(record), pupils), section, is_main)

    @staticmethod
    def _window_words(record: Record | None) -> str:
        return _WINDOWS.get(str((record or {}).get("half_term")), "the weeks known")

    @or_nothing
    def support_sentences(self) -> Findings | Result:
        """Return the naive comparison, why it flatters, what was expected, and what is left."""
        sentences = [sentence for one in self.support_lists for sentence in self._support_sentences(one)]
        return Findings((_FLATTERS, *sentences))

    def _support_sentences(self, one: tuple[int, str]) -> Iterator[str]:
        name = f"{one[1]}, {show_academic_year(one[0])}"
        size = self.support_figure_of(one, "pupils")
        before, after, change = (self.support_figure_of(one, measure) for measure in (BEFORE, AFTER, CHANGE))
        if not is_shown(size):
            yield f"{name}: what became of the pupils cannot be told: figures are hidden."
            return
        when = self._window_words(size)
        if is_shown(before) and is_shown(after) and is_shown(change):
            yield (
                f"{name}: absence of {show_number(size['rate'])} supported pupils was {said(before)} in Year 6 and"
                f" {said(after)} in {when} of Year 7 ({signed(change)} percentage points)."
            )
        yield from self._effect_sentences(one, when)
        yield from self._same_year_sentences(one)
        persistent = self.support_figure_of(one, "persistent_absence_rate")
        if is_shown(persistent):
            text = (
                f"{figure_words(persistent)} of the supported pupils ({interval_words(persistent)}) missed 10% or more of their"
                f" sessions in {when}."
            )
            yield f"{text} {_ALL_WERE}" if self._rule_of(one) in _OF_PERSISTENT else text
        yield self._attrition_sentence(one)

    def _effect_sentences(self, one: tuple[int, str], when: str) -> Iterator[str]:
        expected, effect = (self.support_figure_of(one, measure, EARLIER) for measure in (EXPECTED_CHANGE, EFFECT))
        peers, rule = self.support_peers(one, EARLIER), self._rule_of(one)
        if is_shown(expected) and is_shown(effect):
            groups = str(expected["about"])
            number = f"{show_number(peers['rate'])} pupils" if is_shown(peers) else "Pupils"
            places = " (all districts of the data)" if self.has_districts or self.has_other_districts else ""
            missed = "" if rule == ALL else f"had missed {rule} of their sessions and "
            yield (
                f"For comparison, {number} of Year 6 in {groups}{places} who {missed}were on no list: reweighted to the same"
                f" absence in Year 6, their absence in {when} of Year 7 had changed by {signed(expected)} percentage points"
                f" ({interval_in_points(expected)}).{'' if ',' in groups else f' {_ONE_YEAR}'}"
            )
            yield support_verdict(effect)
        elif effect is not None and effect["symbol"] == "z":
            yield str(effect["about"])
        else:
            yield "What was to be expected without support cannot be told: figures are hidden."

    def _rule_of(self, one: tuple[int, str]) -> str:
        """Return by which rule the pupils of a list were chosen: "10% or more"; "All" where there is none."""
        return str((self.support_figure_of(one, "pupils") or {}).get("about") or ALL)

    def _same_year_sentences(self, one: tuple[int, str]) -> Iterator[str]:
        effect, peers = self.support_figure_of(one, EFFECT, SAME_YEAR), self.support_peers(one, SAME_YEAR)
        if not (is_shown(effect) and is_shown(peers)):
            return
        size = f"{signed(effect)} percentage points, {interval_in_points(effect)}"
        if is_clear(effect):
            words = f"clearly {'lower' if effect['rate'] < 0 else 'higher'} than theirs"
        else:
            words = "not clearly different from theirs"
        yield (
            f"Held against {show_number(peers['rate'])} pupils of the same year chosen alike who were on no list, the supported"
            f" pupils' absence was {words} ({size}). {_NO_CONTROL}"
        )

    def _attrition_sentence(self, one: tuple[int, str]) -> str:
        listed, compared = self.support_listed(one), self.support_listed(one, COMPARED)
        if is_shown(listed) and is_shown(compared):
            return (
                f"Of {show_number(listed['rate'])} pupils on the list, {figure_words(compared)} can be compared; the others were"
                " not found in both years, had too few sessions, or were below the rule. Who drops out is seldom typical."
            )
        return "How many on the list could not be compared is not told: they are few, or none."

    @or_nothing
    def support_figure(self) -> Figure | Result:
        """Return change, expected change and the difference of each list as dots with intervals."""
        lists = self.support_lists[:MOST_DRAWN]
        rows = []
        for one in lists:
            start = f"{one[1]}, {show_academic_year(one[0])}: " if len(lists) > 1 else ""
            rows += [
                (f"{start}change of the supported", self.support_figure_of(one, CHANGE)),
                (f"{start}change expected", self.support_figure_of(one, EXPECTED_CHANGE, EARLIER)),
                (f"{start}beyond what was expected", self.support_figure_of(one, EFFECT, EARLIER)),
            ]
        return change_figure(
            rows,
            EFFECT,
            self.supported,
            id="supported-pupils-change",
            title=self._support_title(lists),
            subtitle=f"Change of absence from Year 6 to the weeks after the step, percentage points, {self.area.name}",
            notes=[_HELD, _MEANS],
        )

    def _support_title(self, lists: tuple[tuple[int, str], ...]) -> str:
        effect = self.support_figure_of(lists[0], EFFECT, EARLIER)
        if len(lists) > 1 or not is_shown(effect):
            return "Supported pupils: change, change expected, and the difference"
        return effect_title(effect, "Absence of supported pupils", "support")

    # -- who a rule would list -----------------------------------------------------------------------

    @or_nothing
    def list_sentences(self) -> Findings | Result:
        """Return how many pupils about to move up a rule by Year 6 absence would list."""
        records = {str(record["measure"]): record for record in self.list_rule.rows.to_dict("records")}
        persistent, severe = (records.get(name) for name in ("persistent_absence_rate", "severe_absence_rate"))
        where = f"Year 6 pupils in {the_area(self.area)} in {self.shown_year}"
        if not is_shown(persistent):
            return Findings(
                (f"How many {where} missed 10% or more of their sessions cannot be told: figures are hidden.",)
            )
        text = (
            f"{show_number(persistent['numerator'])} of {show_number(persistent['denominator'])} {where}"
            f" ({figure_words(persistent)}) missed 10% or more of their sessions: a list made by that rule would have so many."
        )
        if is_shown(severe):
            text += f" {figure_words(severe)} missed half of them or more."
        return Findings(
            (
                text,
                "Not all of them will be persistently absent in Year 7, and others will be: how many of those listed a rule or a"
                " model finds is told where the model is proven.",
            )
        )
