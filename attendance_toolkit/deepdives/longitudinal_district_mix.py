"""How much of each district's rate is its mix of pupils: several districts held against each other, none as the standard."""

from __future__ import annotations

from functools import cached_property

import pandas as pd

from attendance_toolkit.deepdives._base import exact_table
from attendance_toolkit.deepdives._change_models import FACTORS, GAP, GAP_PARTS, MIX, RATE, gap_rows
from attendance_toolkit.deepdives._shared import SHORT, Lookup, Record, or_nothing, or_notice, rate_of, the_area
from attendance_toolkit.deepdives.longitudinal_data import THRESHOLDS
from attendance_toolkit.deepdives.longitudinal_districts import LongitudinalDistricts
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.overview import latest_year
from attendance_toolkit.presentation.blocks import Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import source_of
from attendance_toolkit.presentation.narrative import is_shown, sentence_list
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS, LABELS, MAIN_PHASES
from attendance_toolkit.vocabulary.rounding import round_half_up, show_number

#: Parts of a gap in the order of the table, with the heading of each.
_PARTS = {
    GAP: "Gap to the mean",
    **{name: LABELS[name] for name in FACTORS},
    MIX: "Mix of pupils, these together",
    RATE: "Rates within groups",
}


class LongitudinalDistrictMix(LongitudinalDistricts):
    """Exact table and blocks on the mix of pupils of several districts."""

    @exact_table
    def district_mix(self) -> ExactTable:
        """Parts of each district's gap to the mean of districts: the mix by characteristic, and the rates; and the rates."""
        if self.area.level == "Local authority":
            raise NoDataError(
                f"{self.area.name} is one district: its mix beside others is on the page of the wider area."
            )
        counts = ("enrolments", *THRESHOLDS.values())
        if self.is_local:
            cells = self.inputs.local_cells(["phase", *FACTORS], counts=counts, years=[self.year], districts=True)
        else:
            cells = self.inputs.published_cells("absence_bands", districts=True)
            if cells.empty:
                raise NoDataError("The mix of pupils of districts needs pupil-level data or DfE's absence bands file.")
            cells = cells[cells["phase"] != ALL_SCHOOLS].astype(dict.fromkeys(counts, "float64"))
            cells = cells[cells["academic_year"] == latest_year(cells, self.year, "figures by pupil group")]
        here = [area.code for area in self.inputs.districts]
        cells = cells[cells["area_code"].isin(here) & cells["phase"].isin(MAIN_PHASES)]
        if cells.empty:
            raise NoDataError(f"The data hold no districts of {self.area.name} to tell apart.")
        parts = gap_rows(cells, is_cut=self.is_local)
        keys = ["area_code", "academic_year", "phase"]
        totals = cells[cells["area_code"].isin(parts["area_code"])].assign(phase=ALL_SCHOOLS)
        rates = self._threshold_rows(totals[[*keys, *counts]], keys).assign(model="")
        return self._as_table(pd.concat([rates, parts], ignore_index=True))

    @cached_property
    def _district_parts(self) -> Lookup:
        return Lookup(self.district_mix, ["area_code", "measure", "model"])

    @property
    def _district_mix_year(self) -> str:
        return show_academic_year(int(self.district_mix.rows["academic_year"].iloc[0]))

    def gap_part(self, code: str, about: str, part: str) -> Record | None:
        """Return a part of a district's gap to the mean of districts."""
        return self._district_parts(area_code=code, measure=GAP_PARTS[about], model=part)

    @or_notice
    def district_mix_table(self) -> Table | Notice | Result:
        """Return each district's gap to the mean of districts with its parts, by name."""
        if self.area.level == "Local authority":
            return Result(())
        there = set(self.district_mix.rows["area_code"])
        rows = []
        for about in THRESHOLDS:
            for area in self.inputs.districts:
                if area.code in there:
                    rate = self._district_parts(area_code=area.code, measure=about, model="")
                    cells = [rate_of(rate), *(rate_of(self.gap_part(area.code, about, part)) for part in _PARTS)]
                    rows.append(Row(area.name, tuple(cells), SHORT[about]))
        return Table(
            "district-mix",
            f"How much of each district's rate is its mix of pupils, {self._district_mix_year}",
            f"Districts of {the_area(self.area)}; all schools; percentage points above or below the mean of districts",
            (
                Column("District", align="left"),
                Column("Rate", unit="%"),
                *(Column(heading) for heading in _PARTS.values()),
            ),
            tuple(rows),
            source_of(self.district_mix),
            (
                "The mean counts each district once. Mix and rates add up to the gap. The mix is what the district's pupils would"
                " make of its rate if every group were absent as often as in all districts; the rates are what is left.",
                "Das Gupta's method for several populations on groups crossed by these characteristics: no district is the"
                " standard. The parts have no intervals; the page that compares districts holds each against all of them"
                " together, with intervals.",
            ),
        )

    @or_nothing
    def district_mix_sentences(self) -> Findings | Result:
        """Return how much the mix alone makes, and where it hides on which side of the mean the rates within groups are."""
        if self.area.level == "Local authority":
            return Result(())
        sentences = [text for about in THRESHOLDS for text in self._gap_sentences(about)]
        if not sentences:
            raise NoDataError("No district's mix can be told.")
        return Findings(tuple(sentences))

    def _gap_sentences(self, about: str) -> list[str]:
        found = {
            area.name: [self.gap_part(area.code, about, part) for part in (MIX, RATE, GAP)]
            for area in self.inputs.districts
        }
        shown = {name: [part for part in parts if is_shown(part)] for name, parts in found.items()}
        shown = {name: parts for name, parts in shown.items() if len(parts) == len(found[name])}
        if len(shown) < 2:
            return []
        by_mix = sorted(shown, key=lambda name: shown[name][0]["rate"])
        low, high = by_mix[0], by_mix[-1]
        text = (
            f"{SHORT[about]}, {self._district_mix_year}: the mix of pupils alone puts districts between"
            f" {_signed(shown[low][0])} ({low}) and {_signed(shown[high][0])} percentage points ({high}) of their mean."
        )
        for sign, side, other in ((1, "below", "above"), (-1, "above", "below")):
            turned = [
                f"{name} (rate {_signed(gap)}, rates within groups {_signed(rate)})"
                for name, (_, rate, gap) in shown.items()
                if _side(gap) == -sign and _side(rate) == sign
            ]
            if turned:
                text += f" {sentence_list(turned)}: {side} the mean, but {other} it for pupils of the same groups."
        return [text]


def _side(part: Record) -> int:
    """Return on which side of the mean a part lies; 0 if it rounds to nothing."""
    rounded = round_half_up(part["rate"] * 100, 1)
    return (rounded > 0) - (rounded < 0)


def _signed(part: Record) -> str:
    return show_number(part["rate"] * 100, 1, signed=True)
