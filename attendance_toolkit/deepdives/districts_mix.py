"""Mix and rate told apart, and how much of severe absence nobody can classify."""

from __future__ import annotations

from functools import cached_property

import pandas as pd

from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._shared import (
    SHORT,
    Lookup,
    Record,
    count_of,
    or_nothing,
    or_notice,
    rate_of,
)
from attendance_toolkit.deepdives.districts_data import UNCLASSIFIED
from attendance_toolkit.deepdives.districts_derived import GAP, MIX_PART, REST
from attendance_toolkit.deepdives.districts_ranks import DistrictsRanks
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import Cell, Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import dot_interval
from attendance_toolkit.presentation.formats import interval_cell, source_of
from attendance_toolkit.presentation.narrative import (
    has_interval,
    interval_in_points,
    is_shown,
    percent,
    said,
    sentence_list,
)
from attendance_toolkit.vocabulary.areas import ENGLAND
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.rounding import show_number
from attendance_toolkit.vocabulary.statistics import find_measure

_MEASURES = ("severe_absence_rate", "persistent_absence_rate")
_KIND = {"severe_absence_rate": "severe", "persistent_absence_rate": "persistent"}


class DistrictsMix(DistrictsRanks):
    """Blocks of the standardised comparison, and of pupils not classified."""

    # -- mix and rate --------------------------------------------------------------------------------

    @cached_property
    def parts_lookup(self) -> Lookup:
        """The parts of the gaps to the standards."""
        return Lookup(self.mix_parts, ["area_code", "standard", "about", "part"])

    def _part(self, code: str, standard: str, about: str, part: str) -> Record | None:
        return self.parts_lookup(area_code=code, standard=standard, about=about, part=part)

    @property
    def _has_mix(self) -> bool:
        try:
            return bool(len(self.standardised.rows))
        except NoDataError:
            return False

    @or_notice
    def mix_table(self, measure: str) -> Table | Notice | Result:
        """Return crude, expected and standardised rate of each place and standard, and observed over expected."""
        rows = []
        stem = measure.removesuffix("_rate")
        if measure != _MEASURES[0] and not self._has_mix:
            return Result(())
        for standard in self.standards():
            base = self.crude(standard, measure)
            section = f"Rates of {self.the(standard)} applied"
            rows.append(
                Row(
                    self.name(standard),
                    (_crude(base), *(rate_of({**_NOT, "measure": measure}) for _ in range(6))),
                    section,
                )
            )
            for area in self.mixed_places(standard):
                expected, ratio, standardised = (
                    self.modelled(area.code, standard, name)
                    for name in (f"{measure}_expected", f"{stem}_ratio", f"{measure}_standardised")
                )
                rest, mix = (self._part(area.code, standard, measure, part) for part in (REST, MIX_PART))
                cells = (
                    _crude(self.crude(area.code, measure)), rate_of(expected), rate_of(ratio), interval_cell(ratio),
                    rate_of(standardised), rate_of(mix), rate_of(rest),
                )  # fmt: skip
                rows.append(Row(area.name, cells, section, area.code == self.area.code))
        year = show_academic_year(self.mix_year)
        of = "Percentage points"
        return Table(
            f"mix-{_KIND[measure]}",
            f"{SHORT[measure]}: what the mix of pupils makes, {year}",
            "All schools; standardised by year group, sex, free school meals and SEN",
            (
                Column("Area", align="left"),
                Column("Rate", "", "%"),
                Column("Expected from the mix", "", "%"),
                Column("Ratio", "Observed over expected"),
                Column("95% interval", "Observed over expected"),
                Column("Standardised rate", "", "%"),
                Column("Gap made by the mix", of),
                Column("Rest of the gap", of),
            ),
            tuple(rows),
            source_of(self.standardised),
            (
                "Expected: the rate if each group of the area's pupils had the rate of the same group in the area named above."
                " Standardised: that area's own rate times observed over expected. The interval is Byar's, with the expected"
                " number taken as known.",
                "The mix explains only what these four characteristics record. The rest is not proof of what schools or"
                " services do.",
            ),
        )

    @or_nothing
    def mix_figure(self, measure: str) -> Figure | Result:
        """Return observed over expected absentees of each district as dots with intervals, 1 as a line."""
        standard = self.standards()[0]
        stem = measure.removesuffix("_rate")
        found = [
            {**record, "district": area.name}
            for area in self.mixed_places(standard)
            if (record := self.modelled(area.code, standard, f"{stem}_ratio")) is not None
        ]
        if len(found) < 2:
            raise NoDataError("There is one district.")
        table = derived_from(found, self.standardised)
        year = show_academic_year(self.mix_year)
        return dot_interval(
            table,
            id=f"observed-expected-{_KIND[measure]}",
            title=f"{SHORT[measure]} against what the mix of pupils leads to expect, {year}",
            subtitle=f"Observed over expected {_KIND[measure]} absentees at the rates of {self.the(standard)}; all schools",
            category="district",
            highlight=self.area.name,
            reference=("As expected", 1.0),
        )

    @or_nothing
    def mix_sentences(self) -> Findings | Result:
        """Return how much of each gap is the mix of pupils, and whether the rest is clear of chance."""
        sentences: list[str] = []
        for measure in _MEASURES:
            for standard in self.standards():
                if standard != self.area.code:
                    sentences += self._mix_sentence(self.area.code, standard, measure)
                else:
                    sentences += self._districts_mixed(standard, measure)
        return Findings(tuple(sentences)) if sentences else Result(())

    def _mix_sentence(self, code: str, standard: str, measure: str) -> list[str]:
        crude, base = self.crude(code, measure), self.crude(standard, measure)
        expected = self.modelled(code, standard, f"{measure}_expected")
        gap, mix, rest = (self._part(code, standard, measure, part) for part in (GAP, MIX_PART, REST))
        if not (is_shown(crude) and is_shown(base) and is_shown(expected)):
            return []
        if not (is_shown(gap) and is_shown(mix) and is_shown(rest)):
            return []
        year = show_academic_year(self.mix_year)
        name, other = self.the(code), self.the(standard)
        text = (
            f"{SHORT[measure]} in {name} was {said(crude)} in {year}, in {other} {said(base)}: a gap of {_signed(gap)}"
            f" percentage points. With {other}'s rates for each group, {name}'s mix of pupils would lead to"
            f" {percent(expected['rate'])}: the mix makes {_signed(mix)} points of the gap, and {_signed(rest)} points"
            f" ({interval_in_points(rest)}) are not the mix."
        )
        if has_interval(rest) and rest["lower"] <= 0 <= rest["upper"]:
            text += " What is left is not clear of chance."
        elif is_opposite(mix, gap):
            text += " The mix works against the gap: with the same pupils it would be wider."
        return [text]

    def _districts_mixed(self, standard: str, measure: str) -> list[str]:
        """Say which districts lie clearly above or below what their mix leads to expect."""
        stem = measure.removesuffix("_rate")
        sides: dict[str, list[str]] = {"above": [], "below": [], "near": [], "hidden": []}
        for area in self.mixed_places(standard):
            ratio = self.modelled(area.code, standard, f"{stem}_ratio")
            if not is_shown(ratio):
                sides["hidden"].append(area.name)
            else:
                side = "above" if ratio["lower"] > 1 else "below" if ratio["upper"] < 1 else "near"
                sides[side].append(area.name if side == "near" else f"{area.name} ({_times_expected(ratio)})")
        year = show_academic_year(self.mix_year)
        parts = [
            f"{words} {sentence_list(sides[side])}"
            for side, words in (
                ("above", "clearly more in"),
                ("below", "clearly fewer in"),
                ("near", "about as many in"),
            )
            if sides[side]
        ]
        if not parts:
            return []
        text = (
            f"{SHORT[measure]}, {year}, against what the mix of pupils leads to expect at the rates of"
            f" {self.the(standard)}: {'; '.join(parts)}."
        )
        if sides["hidden"]:
            text += f" Cannot tell, because figures are hidden: {sentence_list(sides['hidden'])}."
        return [text]

    # -- not classified ------------------------------------------------------------------------------

    @cached_property
    def _shares_lookup(self) -> Lookup:
        return Lookup(self.unclassified_shares, ["area_code", "measure"])

    @property
    def _unclassified_places(self) -> list[str]:
        there = set(self.unclassified.rows["area_code"])
        places = dict.fromkeys((self.area, *self.districts, *self.wider))
        return [area.code for area in places if area.code in there]

    @or_notice
    def unclassified_table(self) -> Table | Notice:
        """Return how many enrolments and severe absentees are not classified, and what share of all that is."""
        lookup = Lookup(self.unclassified, ["area_code", "classification"])
        rows = []
        for code in self._unclassified_places:
            some, everybody = (lookup(area_code=code, classification=name) for name in (UNCLASSIFIED, ALL))
            enrolments, absentees = (
                self._shares_lookup(area_code=code, measure=name)
                for name in ("share_of_enrolments", "share_of_absentees")
            )
            cells = (
                count_of(some, "denominator"), rate_of(enrolments), count_of(some), rate_of(absentees),
                interval_cell(absentees), rate_of(some), rate_of(everybody),
            )  # fmt: skip
            rows.append(Row(self.name(code), cells, emphasis=code == self.area.code))
        return Table(
            "not-classified",
            f"Pupils not classified, {self._unclassified_year}",
            "Enrolments whose sex, free school meals or SEN is not recorded; all schools",
            (
                Column("Area", align="left"),
                Column("Number", "Enrolments not classified"),
                Column("Share of all", "Enrolments not classified", "%"),
                Column("Number", "Severe absentees not classified"),
                Column("Share of all", "Severe absentees not classified", "%"),
                Column("95% interval", "Severe absentees not classified", "%"),
                Column("Not classified", "Severe absence", "%"),
                Column("All pupils", "Severe absence", "%"),
            ),
            tuple(rows),
            source_of(self.unclassified),
            ("Tables by characteristic that leave these enrolments out leave out their severe absence as well.",),
        )

    @property
    def _unclassified_year(self) -> str:
        return show_academic_year(int(self.unclassified.rows["academic_year"].iloc[0]))

    @or_nothing
    def unclassified_sentences(self) -> Findings | Result:
        """Return what share of severe absence is held by enrolments not classified, in the area and England."""
        sentences = []
        for code in dict.fromkeys((self.area.code, *([self.whole.code] if self.whole else []), ENGLAND)):
            enrolments, absentees = (
                self._shares_lookup(area_code=code, measure=name)
                for name in ("share_of_enrolments", "share_of_absentees")
            )
            if not (is_shown(enrolments) and is_shown(absentees)):
                if enrolments is not None and enrolments["symbol"] == "c":
                    sentences.append(
                        f"In {self.the(code)} it cannot be told: the figures are hidden to protect small numbers."
                    )
                continue
            low, high = (show_number(absentees[end] * 100, 1) for end in ("lower", "upper"))
            sentences.append(
                f"In {self.the(code)} {percent(enrolments['rate'])} of enrolments were not classified in"
                f" {self._unclassified_year}; they were {percent(absentees['rate'])} of severe absentees (95% interval {low} to"
                f" {high})."
            )
        return Findings(tuple(sentences)) if sentences else Result(())


#: What does not apply to the standard itself.
_NOT = {**dict.fromkeys(("numerator", "denominator", "rate", "lower", "upper")), "symbol": "z"}


def _crude(record: Record | None) -> Cell:
    """Return a crude rate with the decimals of the rates beside it, which are modelled."""
    if record is None or not is_shown(record):
        return rate_of(record)
    decimals = find_measure(f"{record['measure']}_expected")
    return rate_of({**record, "decimals": decimals.decimals if decimals else None, "cell": None})


def _signed(record: Record) -> str:
    return show_number(record["rate"] * 100, 1, signed=True)


def _times_expected(ratio: Record) -> str:
    """Return observed over expected with its interval, no end of which is written as if it were 1."""
    return f"{show_number(ratio['rate'], 2)} times, 95% interval {interval_cell(ratio).text}"


def is_opposite(mix: Record, gap: Record) -> bool:
    """Return whether the mix works against the gap, by more than rounds to nothing."""
    return bool(mix["rate"] * gap["rate"] < 0 and abs(mix["rate"]) >= 0.0005 and pd.notna(gap["rate"]))
