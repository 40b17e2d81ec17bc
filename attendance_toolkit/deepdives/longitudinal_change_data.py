"""The tables behind why the rate changed: mix and rates, pupils who stayed, joined and left, what each group contributes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import product
from typing import Any

import pandas as pd

from attendance_toolkit.deepdives._base import derived_table, exact_table
from attendance_toolkit.deepdives._change_models import (
    FACTORS,
    PARTS,
    Pair,
    Stayers,
    change_rows,
    contribution_estimates,
    points_decimals,
    turnover_estimates,
)
from attendance_toolkit.deepdives._contrasts import (
    counts_symbol,
    derived_from,
    estimate_of,
    pooled,
    statistic_row,
    symbol_of,
)
from attendance_toolkit.deepdives._shared import MAINSTREAM, Lookup, Record, ordered_levels
from attendance_toolkit.deepdives.longitudinal_data import KEYS, THRESHOLDS, LongitudinalData
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError, SeriesBreakError
from attendance_toolkit.metrics.absence import record_difference
from attendance_toolkit.metrics.cells import add_cells
from attendance_toolkit.metrics.series_guard import Selection, guard, label_of
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.vocabulary.areas import Area
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, MAIN_PHASES
from attendance_toolkit.vocabulary.outcomes import (
    BANDS,
    IN_A_BAND,
    NOT_AFTER,
    NOT_BEFORE,
    TEN_OR_MORE,
    YEAR_TO_YEAR,
)
from attendance_toolkit.vocabulary.series_breaks import SeriesBreak

#: Parts of the change of the pupils' rate, and the whole.
STAYERS, JOINERS, LEAVERS, TOTAL_PART = "stayers", "joiners", "leavers", "total"
#: The bands at or above each threshold, together.
AT_THRESHOLD = {"persistent_absence_rate": TEN_OR_MORE, "severe_absence_rate": BANDS[-1]}
#: What contributes to a change: school types, year groups, districts; and each characteristic by its name.
PHASE, NC_YEAR, DISTRICT = "phase", "nc_year", "district"
_WITHIN = ("Primary", "Secondary")
#: Stands where a group does, for what rounded counts leave over.
ROUNDING = "(rounding)"
Counts = tuple[float, float]
#: The figures of one group in the earlier and in the later year.
Units = tuple[Record | None, Record | None]


class LongitudinalChangeData(LongitudinalData):
    """Exact and derived tables of the parts of a change; the derived ones are made from cleared tables alone."""

    # -- which years are held against each other -----------------------------------------------------

    def _comparable_pairs(self, years: list[int]) -> tuple[Pair, ...]:
        """Return (earlier, later) years: the last one against the one before it and against the first comparable one."""
        last, earlier = years[-1], []
        for year in years[:-1]:
            try:
                self._guard(year, last)
            except SeriesBreakError:
                continue
            earlier.append(year)
        if not earlier:
            raise NoDataError("Why the rate changed needs figures by pupil group of two years that may be compared.")
        return tuple(dict.fromkeys([(earlier[-1], last), (earlier[0], last)]))

    @cached_property
    def change_pairs(self) -> tuple[Pair, ...]:
        """(earlier, later) academic years whose change is looked into, the shortest step first."""
        return self._comparable_pairs(list(self.group_years))

    def break_notes(self, *pairs: Pair) -> list[str]:
        """Return what must stand beside a comparison of these years."""
        text = label_of(known for pair in pairs for known in self._guard(*pair))
        return [text] if text else []

    def _guard(self, since: int, year: int) -> tuple[SeriesBreak, ...]:
        series = self.inputs.series if self.is_local else "census"
        return guard(*(Selection(series, at, "year", next(iter(THRESHOLDS))) for at in (since, year)))

    @cached_property
    def change_places(self) -> tuple[Area, ...]:
        """The area and, of published figures, its combined authority and England."""
        if self.is_local:
            return (self.area,)
        return tuple(area for area in self.inputs.compared_areas if area == self.area or area.level != "Regional")

    # -- mix and rates -------------------------------------------------------------------------------

    @exact_table
    def mix_change(self) -> ExactTable:
        """Parts of the change of persistent and severe absence: the mix by characteristic, and the rates; and both rates.

        Of the wider areas the last step alone.
        Rows of a part have ``since``, the earlier year, and ``model``, the part; those of a rate have 0 and no part.
        """
        cells = self._mix_cells
        own = cells[cells["area_code"] == self.area.code]
        pairs = self._comparable_pairs(sorted(int(year) for year in own["academic_year"].unique()))
        parts = [change_rows(own, pairs, is_cut=self.is_local)]
        if len(wider := cells[cells["area_code"] != self.area.code]):
            # They stand beside the area's last step alone.
            parts.append(change_rows(wider, pairs[:1]))
        totals = add_cells(cells.assign(phase=ALL_SCHOOLS), KEYS)
        totals = totals[totals["academic_year"].isin([year for pair in pairs for year in pair])]
        rates = self._threshold_rows(totals, KEYS).assign(since=0, model="")
        return self._as_table(pd.concat([rates, *parts], ignore_index=True))

    @cached_property
    def _mix_cells(self) -> pd.DataFrame:
        """Counts of the main phases by the mix of pupils, of ``change_places``."""
        cells = self._detail
        if not self.is_local:
            # With the districts comes the combined authority of a local authority.
            everywhere = self.inputs.published_cells("absence_bands", districts=True)
            cells = everywhere[everywhere["area_code"].isin([area.code for area in self.change_places])]
        counts = ["enrolments", *THRESHOLDS.values()]
        cells = cells[cells["phase"].isin(MAIN_PHASES)].astype(dict.fromkeys(counts, "float64"))
        if cells.empty:
            raise NoDataError(f"There are no figures by pupil group of {self.area.name}.")
        return cells[[*KEYS, *FACTORS, *counts]]

    @cached_property
    def _mix_lookup(self) -> Lookup:
        return Lookup(self.mix_change, ["area_code", "academic_year", "since", "model", "measure"])

    def mixed_rate(self, code: str, about: str, year: int) -> Record | None:
        """Return the rate of all pupils of the main phases whose change is taken apart."""
        return self._mix_lookup(area_code=code, academic_year=year, since=0, model="", measure=about)

    @derived_table
    def change_totals(self) -> ProtectedTable:
        """The change of both rates, by area_code, ``since``, academic_year (the later year) and ``about``, from cleared rates."""
        rows = []
        for area in self.change_places:
            for pair in self.change_pairs:
                for about in THRESHOLDS:
                    both = tuple(self.mixed_rate(area.code, about, year) for year in pair)
                    groups = {"area_code": area.code, "since": pair[0], "academic_year": pair[1], "about": about}
                    if any(record is not None for record in both):
                        rows.append(_change((both[0], both[1]), groups) | self._decimals(both[1]))
        return derived_from(rows, self.mix_change)

    def _decimals(self, record: Record | None) -> dict[str, Any]:
        """Return how many decimals a change is written with: of local figures as many as their counts allow."""
        if not self.is_local or counts_symbol(record):
            return {}
        return {"decimals": points_decimals(_counts(record)[1])}

    @cached_property
    def _totals_lookup(self) -> Lookup:
        return Lookup(self.change_totals, ["area_code", "since", "academic_year", "about"])

    def change_total(self, code: str, about: str, pair: Pair) -> Record | None:
        """Return the change of a rate of all pupils of the main phases."""
        return self._totals_lookup(area_code=code, since=pair[0], academic_year=pair[1], about=about)

    def change_part(self, code: str, about: str, pair: Pair, part: str) -> Record | None:
        """Return a part of a change; hidden where one of the two rates is, which it would give away."""
        since, year = pair
        statistic = PARTS[about][0]
        found = self._mix_lookup(area_code=code, academic_year=year, since=since, model=part, measure=statistic)
        symbol = symbol_of(*(self.mixed_rate(code, about, at) for at in pair))
        return found if found is None or not symbol else statistic_row(statistic, None, symbol)

    # -- who stayed, joined and left -----------------------------------------------------------------

    @derived_table
    def turnover_parts(self) -> ProtectedTable:
        """The change of the pupils' rate from year to year by who was there, from the cleared flows.

        Rows ``turnover_part`` by academic_year (the later one), ``about`` and ``part``; rows ``flow_rate`` are the rates
        behind them, with their counts, ``when`` "before" or "after".
        """
        flows = self.cleared("flows")
        lookup = Lookup(
            flows, ["academic_year", "step", "phase", "characteristic", "band_before", "outcome", "measure"]
        )
        rows = flows.rows[flows.rows["step"] == YEAR_TO_YEAR]
        found: list[dict[str, Any]] = []
        for year in sorted(int(year) for year in rows["academic_year"].unique()):
            for about, band in AT_THRESHOLD.items():
                found += self._turnover(lookup, year, about, band)
        return derived_from(found, flows, nothing="Nobody can be followed from one year to the next.")

    def _turnover(self, lookup: Lookup, year: int, about: str, band: str) -> Iterator[dict[str, Any]]:
        def flow(before: str, after: str) -> Record | None:
            return lookup(
                academic_year=year, step=YEAR_TO_YEAR, phase=ALL_SCHOOLS, characteristic=ALL, band_before=before,
                outcome=after, measure="pupils" if after == ALL else "flow_rate",
            )  # fmt: skip

        groups: dict[str, Any] = {"academic_year": year, "about": about}
        records = [
            flow(IN_A_BAND, ALL), flow(band, ALL), flow(IN_A_BAND, NOT_AFTER), flow(band, NOT_AFTER), flow(IN_A_BAND, band),
            flow(band, band), flow(NOT_BEFORE, ALL), flow(NOT_BEFORE, band),
        ]  # fmt: skip
        symbol = symbol_of(*records)
        if symbol:
            for part in (TOTAL_PART, STAYERS, JOINERS, LEAVERS):
                yield statistic_row("turnover_part", None, symbol, **groups, part=part, when="")
            return
        everybody, all_at, gone, gone_at, after, both, new, new_at = (
            float(record["numerator"]) for record in records if record is not None
        )
        # Who is in a band in both years is all of a band before less who is in none after: of rounded counts, to the same 5.
        stay, before = everybody - gone, all_at - gone_at
        parts = turnover_estimates(Stayers(stay, before, after, both), (gone_at, gone), (new_at, new))
        decimals = {"decimals": points_decimals(stay + new)}  # of pupils followed, who are local
        for part, estimate in parts.items():
            yield statistic_row("turnover_part", estimate, **groups, part=part, when="") | decimals
        for part, when, events, trials in (
            (TOTAL_PART, "before", before + gone_at, stay + gone),
            (TOTAL_PART, "after", after + new_at, stay + new),
            (STAYERS, "before", before, stay),
            (STAYERS, "after", after, stay),
            (LEAVERS, "before", gone_at, gone),
            (JOINERS, "after", new_at, new),
        ):
            rate = Estimate(events / trials if trials else float("nan"))
            row = statistic_row("flow_rate", rate, **groups, part=part, when=when)
            yield row | ({"numerator": events, "denominator": trials} if trials else {})

    # -- what each group contributes -----------------------------------------------------------------

    @cached_property
    def contribution_kinds(self) -> tuple[str, ...]:
        """What there are contributions of: school types, year groups, characteristics, and districts where there are any."""
        kinds = (PHASE, NC_YEAR, *self.characteristics)
        try:
            return (*kinds, DISTRICT) if len(self.districts.rows) else kinds
        except NoDataError:
            return kinds

    @derived_table
    def contribution_parts(self) -> ProtectedTable:
        """What each group adds to the change of the rate, from cleared counts.

        Columns: ``since`` and ``academic_year``, ``about`` (the measure), ``kind``, ``level`` ("All" is the whole, which has a
        change alone; ``ROUNDING`` what is left because counts are rounded). Measures: ``contribution``,
        ``contribution_within``, ``contribution_size``, ``change_in_rate``.
        """
        is_rounded = self.is_local and self.inputs.policy.rounding > 1
        rows: list[dict[str, Any]] = []
        for pair, about, kind in product(self.change_pairs, THRESHOLDS, self.contribution_kinds):
            units = self.contributing(kind, about, pair)
            groups = {"since": pair[0], "academic_year": pair[1], "about": about, "kind": kind}
            decimals = self._decimals(units[ALL][1]) if ALL in units else dict[str, Any]()
            rows += contribution_rows(units, groups, decimals, is_rounded=is_rounded)
        tables = [self.groups, *([self.districts] if DISTRICT in self.contribution_kinds else [])]
        return derived_from(rows, *tables, nothing=f"There are no figures by pupil group of {self.area.name}.")

    def contributing(self, kind: str, about: str, pair: Pair) -> Mapping[str, Units]:
        """Return the cleared figures of the groups of a kind in both years; under "All" those of all together.

        Year groups and characteristics are of primary and secondary schools together.
        """
        found = {}
        for level in (ALL, *self._contributing_levels(kind)):
            both = [self._contributing_figure(kind, level, about, year) for year in pair]
            if any(record is not None for record in both):
                found[level] = (both[0], both[1])
        return found

    def _contributing_levels(self, kind: str) -> list[str]:
        if kind == PHASE:
            return list(MAIN_PHASES)
        if kind == DISTRICT:
            there = set(self.districts.rows["area_code"])
            return [area.code for area in self.inputs.districts if area.code in there]
        rows = self.groups.rows
        chosen = (rows["characteristic"] == kind) & (rows["area_code"] == self.area.code)
        return ordered_levels(kind, rows.loc[chosen, "level"])

    def _contributing_figure(self, kind: str, level: str, about: str, year: int) -> Record | None:
        if kind == PHASE:
            return self.everybody(about, year, ALL_SCHOOLS if level == ALL else level)
        if kind == DISTRICT:
            code = self.area.code if level == ALL else level
            return self._district_counts(area_code=code, academic_year=year, measure=about)
        if kind == NC_YEAR:
            return self.group(about, kind, level, year, MAINSTREAM)
        records = [self.group(about, kind, level, year, phase) for phase in _WITHIN]
        return pooled([record for record in records if record is not None])

    @cached_property
    def _district_counts(self) -> Lookup:
        return Lookup(self.districts, ["area_code", "academic_year", "measure"])

    @cached_property
    def contributions_lookup(self) -> Lookup:
        """The rows of ``contribution_parts``."""
        return Lookup(self.contribution_parts, ["since", "academic_year", "about", "kind", "level", "measure"])


def contribution_rows(
    units: Mapping[str, Units], groups: Mapping[str, Any], decimals: dict[str, Any], *, is_rounded: bool
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one kind of groups; hidden groups have their symbol, and nobody is told what is left for them."""
    if ALL not in units:
        return
    whole = units[ALL]
    symbol = counts_symbol(*whole)
    if symbol:
        yield from (row for level in units for row in _without_numbers(symbol, {**groups, "level": level}))
        return
    change = _change(whole, {**groups, "level": ALL}) | decimals
    yield change
    symbols = {level: _unit_symbol(*both) for level, both in units.items() if level != ALL}
    known = [level for level, text in symbols.items() if not text]
    counts = [[_counts(units[level][at]) for level in known] for at in (0, 1)]
    if len(known) < len(symbols):
        # What is left of all are the hidden groups together: they have their share of the whole, and no row.
        for at in (0, 1):
            counts[at].append(_rest(_counts(whole[at]), counts[at]))
    estimates = dict(zip(known, contribution_estimates(*counts), strict=False)) if known else {}
    for level, text in symbols.items():
        if text:
            yield from _without_numbers(text, {**groups, "level": level})
            continue
        yield _change(units[level], {**groups, "level": level}) | decimals
        for measure, estimate in estimates[level].items():
            yield statistic_row(measure, estimate, **groups, level=level) | decimals
    if is_rounded and known and len(known) == len(symbols):
        left = change["rate"] - math.fsum(found["contribution"].value for found in estimates.values())
        yield statistic_row("contribution", Estimate(left), **groups, level=ROUNDING) | decimals


def _without_numbers(symbol: str, groups: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for measure in ("contribution", "contribution_within", "contribution_size", "change_in_rate"):
        yield statistic_row(measure, None, symbol, **groups)


def _change(both: Units, groups: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a change of a rate; without number for a group that is there in one year only."""
    before, after = both
    symbol = symbol_of(*(record or {"symbol": "z"} for record in both))
    if symbol or before is None or after is None:
        return statistic_row("change_in_rate", None, symbol, **groups)
    return statistic_row("change_in_rate", estimate_of(record_difference(after, before)), **groups)


def _unit_symbol(*records: Record | None) -> str:
    """Return why a group's counts cannot be used; a group nobody was in, in one of the years, has the count 0."""
    there = [record for record in records if record is not None and record["symbol"] != "z"]
    return counts_symbol(*there) if there else "z"


def _counts(record: Record | None) -> Counts:
    if record is None or record["symbol"] == "z":
        return 0.0, 0.0
    return float(record["numerator"]), float(record["denominator"])


def _rest(whole: Counts, parts: list[Counts]) -> Counts:
    """Return what is left of a whole. Counts are rounded, so it may come out a few below 0, or more absent than there are."""
    pupils = max(whole[1] - sum(part[1] for part in parts), 0.0)
    return min(max(whole[0] - sum(part[0] for part in parts), 0.0), pupils), pupils
