"""How sure the order of the districts is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from attendance_toolkit.deepdives._shared import (
    SHORT,
    Lookup,
    Record,
    capital,
    or_nothing,
    or_notice,
    rate_of,
)
from attendance_toolkit.deepdives.districts_compared import DistrictsCompared
from attendance_toolkit.models.shrinkage import places_at_top
from attendance_toolkit.presentation.blocks import Cell, Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import interval_cell, source_of
from attendance_toolkit.presentation.narrative import is_shown, sentence_list
from attendance_toolkit.vocabulary.areas import Area
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.rounding import round_half_up

#: A chance called almost certain.
SURE = 0.95


class DistrictsRanks(DistrictsCompared):
    """Blocks on ranks."""

    @cached_property
    def ranks_lookup(self) -> Lookup:
        """The ranks by district, measure they are about and statistic."""
        return Lookup(self.ranks, ["area_code", "about", "measure"])

    @or_notice
    def rank_table(self) -> Table | Notice:
        """Return each district's median rank with its interval and its chance of being among the highest third."""
        lookup = self.ranks_lookup
        year = show_academic_year(self.counts_year)
        medians = self.ranks.select(measure="rank_median").rows
        ranked = {about: int((part["symbol"] == "").sum()) for about, part in medians.groupby("about")}
        rows = []
        for area in self.districts:
            cells = []
            for about in ("severe_absence_rate", "persistent_absence_rate"):
                median = lookup(area_code=area.code, about=about, measure="rank_median")
                chance = lookup(area_code=area.code, about=about, measure="probability_highest")
                cells += [*_rank_cells(median, ranked[about]), _chance_cell(chance)]
            rows.append(Row(area.name, tuple(cells), emphasis=area.code == self.area.code))
        columns = [Column("District", align="left")]
        for about in ("severe_absence_rate", "persistent_absence_rate"):
            group = SHORT[about]
            columns += [Column("Median rank", group), Column("95% interval", group)]
            columns.append(Column("Chance of being in the highest third", group))
        return Table(
            "ranks",
            f"Ranks and how sure they are, {year}",
            f"{capital(self.district_word)}, all schools; rank 1 is the highest rate; districts by name",
            tuple(columns),
            tuple(rows),
            source_of(self.ranks),
            (
                "Ranks of rates drawn again and again from what the counts allow (Jeffreys posterior of each district); the"
                " chance is written as so many of every hundred draws. A"
                " rank says nothing of how far apart the rates are; the gaps above do.",
                "A district whose figures are hidden has no rank, and the others are ranked without it.",
            ),
        )

    @or_nothing
    def rank_sentences(self) -> Findings | Result:
        """Return how sure the order of the districts is."""
        sentences = []
        year = show_academic_year(self.counts_year)
        chance = phrase(f"a chance of {SURE:.0%} or more", "districts")
        for about in ("severe_absence_rate", "persistent_absence_rate"):
            found = {
                area: self.ranks_lookup(area_code=area.code, about=about, measure="rank_median")
                for area in self.districts
            }
            ranked = {area: record for area, record in found.items() if is_shown(record)}
            if len(ranked) < 2:
                continue
            top = places_at_top(len(ranked))
            sure = [area.name for area in ranked if self._chance(area, about) >= SURE]
            wide = sum(record["upper"] > record["lower"] for record in ranked.values())
            count = phrase(f"{wide} of {len(ranked)} districts", "districts")
            highest = "the highest" if top == 1 else phrase(f"the {top} highest", "districts")
            text = f"{SHORT[about]}, {year}: the rank of {count} is not certain."
            text += (
                f" Almost certainly ({chance}) among {highest}: {sentence_list(sure)}."
                if sure
                else f" No district is almost certainly ({chance}) among {highest}."
            )
            sentences.append(" ".join([text, *self._own_rank(ranked)]))
        return Findings(tuple(sentences)) if sentences else Result(())

    def _own_rank(self, ranked: Mapping[Area, Record]) -> list[str]:
        own = ranked.get(self.area)
        if own is None:
            return []
        low, high = (f"{own[end]:.0f}" for end in ("lower", "upper"))
        text = (
            f"{self.area.name} has rank {low}"
            if low == high
            else f"{self.area.name}'s rank lies between {low} and {high}"
        )
        return [phrase(f"{text} of {len(ranked)} (1 is the highest rate).", "districts")]

    def _chance(self, area: Area, about: str) -> float:
        record = self.ranks_lookup(area_code=area.code, about=about, measure="probability_highest")
        return float(record["rate"]) if is_shown(record) else 0.0


def _rank_cells(median: Record | None, ranked: int) -> tuple[Cell, Cell]:
    """Return the median rank and its interval, in words that no count of pupils could be mistaken for."""
    if not is_shown(median):
        return rate_of(median), interval_cell(median)
    rank, low, high = (f"{median[name]:.0f}" for name in ("rate", "lower", "upper"))
    of = f"of {ranked}"
    ends = f"{low} {of}" if low == high else f"{low} to {high} {of}"
    return Cell(phrase(f"{rank} {of}", "districts")), Cell(phrase(ends, "districts"))


def _chance_cell(chance: Record | None) -> Cell:
    """Return a chance as so many of 100 draws; one that was never or always drawn is not written as 0 or 100."""
    if not is_shown(chance):
        return rate_of(chance)
    size = int(round_half_up(chance["rate"] * 100))
    text = "under 1 of 100" if size < 1 else "over 99 of 100" if size > 99 else f"{size} of 100"
    return Cell(phrase(text, "districts"))
