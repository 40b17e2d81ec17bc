"""Severe absence by four characteristics at once: which groups are at risk, and which make up the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from attendance_toolkit.deepdives._base import derived_table
from attendance_toolkit.deepdives._contrasts import P_NOTE, counts_symbol, derived_from, p_row, pooled
from attendance_toolkit.deepdives._others import COUNT_COLUMNS, OTHERS, others_rows
from attendance_toolkit.deepdives._shared import (
    Lookup,
    count_of,
    or_nothing,
    or_notice,
    rate_of,
)
from attendance_toolkit.deepdives.severe_crossings import characteristic_words
from attendance_toolkit.deepdives.severe_data import CROSSED
from attendance_toolkit.deepdives.severe_models import CLEAR
from attendance_toolkit.deepdives.severe_profile import SEVERE, UNKNOWN
from attendance_toolkit.deepdives.severe_strata import LEAST_SHOWN, SevereStrata, large_enough, stratum_words
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.multiplicity import benjamini_hochberg
from attendance_toolkit.presentation.blocks import Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import interval_cell, records, source_of
from attendance_toolkit.presentation.narrative import is_shown, percent, sentence_list
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.ledger import phrase

Record = Mapping[str, Any]

#: A group is called rare if it holds less than this share of all enrolments.
RARE = 0.01
#: How many groups each of the two lists has at most.
LISTED = 8
#: The lists: what each is called, and what its groups are.
RISK, NUMBERS, NOT_RECORDED = "Rare and at risk", "Who makes up the numbers", "Something is not recorded"


class SevereGroups(SevereStrata):
    """The deepest groups as blocks, from the cleared tables alone."""

    # -- four at once --------------------------------------------------------------------------------

    @derived_table
    def strata_beside(self) -> ProtectedTable:
        """Each deepest group beside everybody else, and the p value that its rate is the area's."""
        total = self.crossing()
        rows: list[dict[str, Any]] = []
        strata = [record for record in records(self.strata) if record["symbol"] != "z"]
        p_values = np.array([_p_value(record, total) for record in strata])
        adjusted = benjamini_hochberg(p_values)
        for record, p_value, p_adjusted in zip(strata, p_values, adjusted, strict=True):
            label, symbol = stratum_words(record), counts_symbol(record, total)
            rows += others_rows(record, total, stratum=label)
            rows.append(p_row("p_value", float(p_value), symbol, stratum=label))
            rows.append(p_row("p_value_adjusted", float(p_adjusted), symbol, stratum=label))
        return derived_from(rows, self.crossed, nothing="There are no crossed groups.")

    @cached_property
    def _beside(self) -> Lookup:
        return Lookup(self.strata_beside, ["stratum", "measure"])

    @cached_property
    def _estimates(self) -> dict[str, Record]:
        """Shrunken estimate of each group; empty where no model can be shown."""
        try:
            table = self.strata_estimates.select(measure="stratum_rate")
        except NoDataError:
            return {}
        return {str(record["stratum"]): record for record in records(table)}

    @cached_property
    def _listed(self) -> list[tuple[str, Record]]:
        """Label and figure of the deepest groups that can be shown and are not too small, highest rate first."""
        found = [
            (stratum_words(record), record)
            for record in records(self.strata)
            if is_shown(record) and record["denominator"] >= LEAST_SHOWN
        ]
        return sorted(found, key=lambda item: (-self._best_rate(item), item[0]))

    def _best_rate(self, item: tuple[str, Record]) -> float:
        estimate = self._estimates.get(item[0])
        return float(estimate["rate"]) if is_shown(estimate) else float(item[1]["rate"])

    @or_notice
    def stratum_table(self) -> Table | Notice:
        """Return every deepest group that can be shown: counts, rate, shrunken estimate, and how clear it is."""
        if not self._listed:
            raise NoDataError("No crossed group can be shown: all are too small, or hidden to protect small numbers.")
        rows = []
        for label, record in self._listed:
            found = {name: self._beside(stratum=label, measure=name) for name in (*OTHERS, "p_value_adjusted")}
            cells = [count_of(record, "denominator"), count_of(record), rate_of(record), interval_cell(record)]
            cells += [rate_of(self._estimates.get(label))] if self._estimates else []
            cells += [rate_of(found[name]) for name in ("risk_ratio", "share_of_absentees", "p_value_adjusted")]
            rows.append(Row(label, tuple(cells)))
        names = sentence_list([characteristic_words(name) for name in CROSSED])
        return Table(
            "crossed-groups",
            f"Severe absence by {names} at once, {show_academic_year(self.crossed_year)}",
            f"{self.area.name}, all schools; {large_enough()}, those with the highest estimates first",
            (
                Column("Group", align="left"),
                *COUNT_COLUMNS,
                *([Column("Shrunken estimate", "Severely absent", "%")] if self._estimates else []),
                Column("Risk ratio to all other pupils"),
                Column("Share of all severe absentees", "", "%"),
                Column("Adjusted p value"),
            ),
            tuple(rows),
            source_of(self.crossed),
            (
                *self._left_out(),
                "The p value is of an exact binomial test against the rate of all pupils of the area, adjusted for the number"
                f" of groups (Benjamini-Hochberg). {P_NOTE}",
            ),
        )

    def _left_out(self) -> list[str]:
        """Say how many of the deepest groups are not listed, and why."""
        every = records(self.strata)
        hidden = sum(record["symbol"] == "c" for record in every)
        small = sum(is_shown(record) and record["denominator"] < LEAST_SHOWN for record in every)
        notes = []
        if hidden:
            many = phrase(f"{hidden} of {hidden + small + len(self._listed)} groups", "groups")
            verb = "is" if hidden == 1 else "are"
            notes.append(f"{many} {verb} not listed, with figures hidden to protect small numbers.")
        if small:
            many = phrase(f"{small} groups", "groups") if small > 1 else "A group"
            few = phrase(f"of fewer than {LEAST_SHOWN} enrolments", "groups")
            notes.append(f"{many} {few} {'are' if small > 1 else 'is'} not listed.")
        return notes

    @or_nothing
    def stratum_sentences(self) -> Findings | Result:
        """Return how many groups are clearly above or below the rate of all pupils."""
        total = self.crossing()
        if not is_shown(total) or not self._listed:
            return Result(())
        above = below = tested = 0
        for label, record in self._listed:
            p_value = self._beside(stratum=label, measure="p_value_adjusted")
            if is_shown(p_value):
                tested += 1
                above += p_value["rate"] < CLEAR and record["rate"] > total["rate"]
                below += p_value["rate"] < CLEAR and record["rate"] < total["rate"]
        if not tested:
            return Result(())
        first = phrase(
            f"Of {tested} groups that can be shown {above or 'none'} {_have(above)} a rate clearly above", "groups"
        )
        second = phrase(f"{below or 'none'} {_have(below)} one clearly below it", "groups")
        return Findings(
            (
                f"{first} that of all pupils ({percent(total['rate'])}), and {second}, once the number of tests is allowed"
                " for.",
            )
        )

    # -- at risk, or many ----------------------------------------------------------------------------

    @cached_property
    def _lists(self) -> dict[str, list[tuple[str, Record]]]:
        """The groups of each list, from shown figures alone."""
        total = self.crossing()
        known = [item for item in self._listed if not _is_unknown(item[1])]

        def share(item: tuple[str, Record], name: str) -> float:
            record = self._beside(stratum=item[0], measure=name)
            return float(record["rate"]) if is_shown(record) else float("nan")

        rare = [
            item
            for item in known
            if is_shown(total) and share(item, "share_of_enrolments") < RARE and item[1]["lower"] > total["rate"]
        ]
        many = [item for item in known if share(item, "share_of_absentees") > 0]
        return {
            RISK: sorted(rare, key=lambda item: (-item[1]["lower"], item[0]))[:LISTED],
            NUMBERS: sorted(many, key=lambda item: (-share(item, "share_of_absentees"), item[0]))[:LISTED],
        }

    @derived_table
    def lists(self) -> ProtectedTable:
        """Each list's groups together, and the groups of which something is not recorded, beside everybody else."""
        total = self.crossing()
        members = {name: [record for _, record in items] for name, items in self._lists.items()}
        members[NOT_RECORDED] = [record for record in records(self.strata) if _is_unknown(record)]
        rows: list[dict[str, Any]] = []
        for name, found in members.items():
            together = pooled(found)
            if together is not None:
                keep = ("measure", "numerator", "denominator", "rate", "lower", "upper", "symbol")
                rows.append({"list": name, **{key: together[key] for key in keep}})
                rows += others_rows(together, total, list=name)
        return derived_from(rows, self.crossed, nothing="No crossed group can be shown.")

    @cached_property
    def _together(self) -> Lookup:
        return Lookup(self.lists, ["list", "measure"])

    @or_notice
    def risk_and_numbers(self) -> Table | Notice:
        """Return the rare groups most at risk beside the groups most severe absentees are of."""
        rows = []
        for name, items in self._lists.items():
            for label, record in items:
                rows.append(Row(label, self._risk_cells(record, self._beside, stratum=label), name))
            if items:
                whole = self._together(list=name, measure=SEVERE)
                rows.append(
                    Row("These groups together", self._risk_cells(whole, self._together, list=name), name, True)
                )
        whole = self._together(list=NOT_RECORDED, measure=SEVERE)
        if whole is not None:
            cells = self._risk_cells(whole, self._together, list=NOT_RECORDED)
            rows.append(Row("Free school meals, SEN, sex or year group not known", cells, NOT_RECORDED))
        if not rows:
            raise NoDataError("No crossed group can be shown: all are too small, or hidden to protect small numbers.")
        return Table(
            "at-risk-and-numbers",
            f"Groups at risk, and groups that make up the numbers, {show_academic_year(self.crossed_year)}",
            f"{self.area.name}, all schools; groups of {sentence_list([characteristic_words(name) for name in CROSSED])}",
            (
                Column("Group", align="left"),
                *COUNT_COLUMNS,
                Column("Risk ratio to all other pupils"),
                Column("Of all enrolments", "Share", "%"),
                Column("Of all severe absentees", "Share", "%"),
            ),
            tuple(rows),
            source_of(self.crossed),
            (
                f"{RISK}: groups {phrase(f'with less than {RARE:.0%} of all enrolments', 'groups')} whose interval lies above"
                f" the rate of all pupils, by the lower end of the interval. {NUMBERS}: the groups with the largest shares of"
                f" all severe absentees. {phrase(f'At most {LISTED} groups', 'groups')} each, among those whose figures can be"
                " shown.",
            ),
        )

    @staticmethod
    def _risk_cells(record: Record | None, lookup: Lookup, **groups: str) -> tuple[Any, ...]:
        names = ("risk_ratio", "share_of_enrolments", "share_of_absentees")
        found = [rate_of(lookup(**groups, measure=name)) for name in names]
        return (count_of(record, "denominator"), count_of(record), rate_of(record), interval_cell(record), *found)

    @or_nothing
    def risk_sentences(self) -> Findings | Result:
        """Return how the two lists differ: support for a few, or numbers that move the rate."""
        sentences = []
        words = {
            RISK: "The rare groups most at risk hold",
            NUMBERS: "The groups that make up the numbers hold",
            NOT_RECORDED: "Pupils of whom something is not recorded are",
        }
        for name, start in words.items():
            rate = self._together(list=name, measure=SEVERE)
            of, hold = (self._together(list=name, measure=f"share_of_{key}") for key in ("enrolments", "absentees"))
            if is_shown(rate) and is_shown(of) and is_shown(hold):
                sentences.append(
                    f"{start} {percent(of['rate'])} of enrolments and {percent(hold['rate'])} of severe absentees;"
                    f" {percent(rate['rate'])} of them are severely absent."
                )
        both = {label for label, _ in self._lists[RISK]} & {label for label, _ in self._lists[NUMBERS]}
        if both:
            sentences.append(f"In both lists: {'; '.join(sorted(both))}.")
        elif all(self._lists.values()):
            sentences.append("No group is in both lists.")
        return Findings(tuple(sentences)) if sentences else Result(())


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _is_unknown(record: Record) -> bool:
    return any(record[name] == UNKNOWN for name in CROSSED)


def _p_value(record: Record, total: Record | None) -> float:
    """Return the p value that a group has the rate of all pupils, by an exact binomial test; missing if it is not tested."""
    if counts_symbol(record, total) or total is None or record["denominator"] < LEAST_SHOWN:
        return float("nan")
    from scipy.stats import binomtest  # here: scipy.stats is slow to import

    events, trials = round(record["numerator"]), round(record["denominator"])
    if not (0 <= events <= trials and 0 < total["rate"] < 1):
        return float("nan")
    return float(binomtest(events, trials, float(total["rate"])).pvalue)
