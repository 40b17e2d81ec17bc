"""What the comparison of districts works out from cleared figures: gaps, ranks, the part of the mix, shares."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from attendance_toolkit.deepdives._base import derived_table
from attendance_toolkit.deepdives._contrasts import (
    counts_symbol,
    derived_from,
    gap_row,
    pooled,
    statistic_row,
    symbol_of,
)
from attendance_toolkit.deepdives._others import share_of
from attendance_toolkit.deepdives._shared import HEADLINE, Lookup, Record
from attendance_toolkit.deepdives.districts_data import COUNTED, UNCLASSIFIED, DistrictsData
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.shrinkage import rank_uncertainty
from attendance_toolkit.presentation.formats import is_missing
from attendance_toolkit.presentation.narrative import is_shown
from attendance_toolkit.vocabulary.areas import Area
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS, MAIN_PHASES

#: Stands for the statistical neighbours together where a code of an area stands otherwise.
NEIGHBOURS = "neighbours"
#: The gap to the standard: all of it, what the mix of pupils makes, and the rest.
GAP, MIX_PART, REST = "gap", "mix", "rest"
SPRING = "spring"


class DistrictsDerived(DistrictsData):
    """Derived tables; each is made from the cleared tables of ``DistrictsData`` alone."""

    @cached_property
    def _used(self) -> tuple[ProtectedTable, ...]:
        """The tables the figures of places come from, the local one first."""
        return (self.rates, self.published) if self.is_local else (self.published,)

    # -- gaps ----------------------------------------------------------------------------------------

    @cached_property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Which place is held against which: (code, code or ``NEIGHBOURS``)."""
        own = self.area.code
        found = [(own, area.code) for area in self.wider if any(self.figure(area.code, name) for name in HEADLINE)]
        if self.area.level == "Local authority":
            return (*found, *([(own, NEIGHBOURS)] if self._neighbours_lookup else []))
        return (*found, *((area.code, own) for area in self.districts))

    def _neighbours_together(self, measure: str, phase: str) -> dict[str, Any] | None:
        """Return the statistical neighbours' figure: their counts added up, else the mean of their rates."""
        wanted = {"academic_year": self.year, "phase": phase, "measure": measure}
        found = [self._published_lookup(area_code=area.code, **wanted) for area in self.neighbours]
        shown = [record for record in found if is_shown(record)]
        if not shown:
            return None
        if not counts_symbol(*shown):
            return pooled(shown)
        mean = sum(record["rate"] for record in shown) / len(shown)
        return {**shown[0], "numerator": math.nan, "denominator": math.nan, "rate": mean, "cell": None}

    @derived_table
    def neighbours_together(self) -> ProtectedTable:
        """The statistical neighbours as one place, by measure and phase."""
        rows = []
        for measure in HEADLINE:
            for phase in (ALL_SCHOOLS, *MAIN_PHASES):
                record = self._neighbours_together(measure, phase)
                if record is not None:
                    rows.append(record | {"area_code": NEIGHBOURS, "area_level": ""})
        nothing = f"There are no figures of statistical neighbours of {self.area.name} for {self.shown_year}."
        return derived_from(rows, self.published, nothing=nothing)

    @cached_property
    def _neighbours_lookup(self) -> Lookup | None:
        try:
            return Lookup(self.neighbours_together, ["phase", "measure"])
        except NoDataError:
            return None

    def place(self, code: str, measure: str, phase: str = ALL_SCHOOLS) -> Record | None:
        """Return the figure of a place or of the neighbours together, this year."""
        if code != NEIGHBOURS:
            return self.figure(code, measure, phase=phase)
        return self._neighbours_lookup(phase=phase, measure=measure) if self._neighbours_lookup else None

    @derived_table
    def gaps(self) -> ProtectedTable:
        """Gaps in percentage points with intervals: columns ``place``, ``against``, ``about`` (the measure), ``phase``."""
        rows = [
            gap_row(
                self.place(first, about, phase), self.place(second, about, phase),
                place=first, against=second, about=about, phase=phase,
            )
            for first, second in self.pairs
            for about in HEADLINE
            for phase in (ALL_SCHOOLS, *MAIN_PHASES)
        ]  # fmt: skip
        return derived_from(rows, *self._used, nothing=f"There is nothing to hold {self.area.name} against.")

    # -- ranks ---------------------------------------------------------------------------------------

    @cached_property
    def counts_year(self) -> int:
        """The last year, up to this one, in which the districts' figures have their counts."""
        table = self.rates if self.is_between_local else self.published
        rows = table.rows
        chosen = rows["area_code"].isin([area.code for area in self.districts]) & rows["numerator"].notna()
        years = rows.loc[chosen & rows["measure"].isin(list(COUNTED)), "academic_year"]
        if years.empty:
            raise NoDataError(
                "Ranks need counts of pupils: DfE's absence bands file, or a store with more than one district."
            )
        return int(years.max())

    @derived_table
    def ranks(self) -> ProtectedTable:
        """Rank of each district, 1 for the highest rate, with its interval, and its chance of being among the highest."""
        self.require_districts()
        rows: list[dict[str, Any]] = []
        for about in COUNTED:
            records = {area: self.compared(area.code, about, self.counts_year) for area in self.districts}
            rows += _rank_rows(records, about)
        table = self.rates if self.is_between_local else self.published
        return derived_from(rows, table)

    # -- mix and rate --------------------------------------------------------------------------------

    @cached_property
    def mix_year(self) -> int:
        """The year of the figures for the mix of pupils."""
        return int(self.standardised.rows["academic_year"].iloc[0])

    def standards(self) -> list[str]:
        """Return the codes of the standards: all districts together, and of published figures England."""
        table = self.standardised
        if "standard" not in table.rows.columns:
            return [self.whole.code] if self.whole is not None else []
        order = [self.whole.code] if self.whole is not None else []
        there = list(dict.fromkeys(table.rows["standard"]))
        return sorted(there, key=lambda code: code not in order)

    @cached_property
    def _standardised_lookup(self) -> Lookup:
        table = self.standardised
        if "standard" not in table.rows.columns:
            table = table.with_rows(table.rows.assign(standard=self.standards()[0]))
        return Lookup(table, ["area_code", "standard", "measure"])

    def modelled(self, code: str, standard: str, measure: str) -> Record | None:
        """Return a statistic of a place's standardisation."""
        return self._standardised_lookup(area_code=code, standard=standard, measure=measure)

    def crude(self, code: str, about: str) -> Record | None:
        """Return a place's own rate in the year of the standardisation, of the same series."""
        return self.compared(code, about, self.mix_year)

    def mixed_places(self, standard: str) -> list[Area]:
        """Return the places held against a standard: the districts, the area, all districts together."""
        rows = self.standardised.rows
        here = set(
            rows.loc[rows["standard"] == standard, "area_code"] if "standard" in rows.columns else rows["area_code"]
        )
        whole = [self.whole] if self.whole is not None else []
        return [area for area in dict.fromkeys((*self.districts, self.area, *whole)) if area.code in here]

    @derived_table
    def mix_parts(self) -> ProtectedTable:
        """The gap of each place to a standard, the part its mix of pupils makes, and the rest with its interval."""
        rows: list[dict[str, Any]] = []
        for standard in self.standards():
            for area in self.mixed_places(standard):
                for about in COUNTED:
                    rows += self._parts(area.code, standard, about)
        table = self.rates if self.is_between_local else self.published
        return derived_from(rows, self.standardised, table)

    def _parts(self, code: str, standard: str, about: str) -> Iterator[dict[str, Any]]:
        groups = {"area_code": code, "standard": standard, "about": about}
        crude, base = self.crude(code, about), self.crude(standard, about)
        expected = self.modelled(code, standard, f"{about}_expected")
        ratio = self.modelled(code, standard, f"{about.removesuffix('_rate')}_ratio")
        yield gap_row(crude, base, **groups, part=GAP)
        symbol = symbol_of(crude, base, expected, ratio)
        if symbol:
            yield statistic_row("rate_gap", None, symbol, **groups, part=MIX_PART)
            yield statistic_row("rate_gap", None, symbol, **groups, part=REST)
            return
        assert crude is not None
        assert base is not None
        assert expected is not None
        assert ratio is not None
        yield statistic_row("rate_gap", Estimate(expected["rate"] - base["rate"]), **groups, part=MIX_PART)
        low, high = (expected["rate"] * (ratio[end] - 1) for end in ("lower", "upper"))
        yield statistic_row("rate_gap", Estimate(crude["rate"] - expected["rate"], low, high), **groups, part=REST)

    # -- terms ---------------------------------------------------------------------------------------

    @cached_property
    def terms_lookup(self) -> Lookup:
        """The cleared rows of the terms."""
        return Lookup(self.terms, ["area_code", "phase", "term", "measure"])

    @cached_property
    def term_places(self) -> tuple[Area, ...]:
        """The places with figures by term: the districts, the area and the wider areas."""
        there = set(self.terms.rows["area_code"])
        places = dict.fromkeys((*self.districts, self.area, *self.wider))
        return tuple(area for area in places if area.code in there)

    @derived_table
    def term_gaps(self) -> ProtectedTable:
        """Spring less each other term, by place, measure and phase."""
        rows = []
        for area in self.term_places:
            for about in dict.fromkeys(self.terms.rows["measure"]):
                for phase in (ALL_SCHOOLS, *MAIN_PHASES):
                    if about not in HEADLINE:
                        continue
                    spring, *others = (
                        self.terms_lookup(area_code=area.code, phase=phase, term=term, measure=about)
                        for term in (SPRING, "autumn", "summer")
                    )
                    for term, other in zip(("autumn", "summer"), others, strict=True):
                        if spring is not None or other is not None:
                            groups = {"area_code": area.code, "about": about, "phase": phase, "other_term": term}
                            rows.append(gap_row(spring, other, **groups))
        return derived_from(rows, self.terms)

    # -- not classified ------------------------------------------------------------------------------

    @derived_table
    def unclassified_shares(self) -> ProtectedTable:
        """Share of enrolments and of severe absentees that are not classified, by place."""
        lookup = Lookup(self.unclassified, ["area_code", "classification"])
        rows = []
        for code in dict.fromkeys(self.unclassified.rows["area_code"]):
            some, everybody = (lookup(area_code=code, classification=name) for name in (UNCLASSIFIED, "All"))
            for measure, count in (("share_of_enrolments", "denominator"), ("share_of_absentees", "numerator")):
                symbol = counts_symbol(some, everybody)
                if symbol or some is None or everybody is None:
                    rows.append(statistic_row(measure, None, symbol or "x", area_code=code))
                    continue
                part, whole = float(some[count]), float(everybody[count])
                rows.append(statistic_row(measure, share_of(part, whole), area_code=code))
        return derived_from(rows, self.unclassified)


def _rank_rows(records: dict[Area, Record | None], about: str) -> list[dict[str, Any]]:
    """Return rank and chance of each district; those without shown counts get their symbol and are no part of it."""
    counted = {area: record for area, record in records.items() if record is not None and not counts_symbol(record)}
    ranked = list(counted)
    events, trials = ([float(record[name]) for record in counted.values()] for name in ("numerator", "denominator"))
    found = rank_uncertainty(events, trials) if len(ranked) > 1 else None
    rows = []
    for area, record in records.items():
        groups = {"area_code": area.code, "about": about}
        if found is None or area not in ranked:
            symbol = counts_symbol(record) or "z"
            rows += [statistic_row(name, None, symbol, **groups) for name in ("rank_median", "probability_highest")]
            continue
        one = found.iloc[ranked.index(area)]
        rank = Estimate(float(one["median"]), float(one["lower"]), float(one["upper"]))
        rows.append(statistic_row("rank_median", rank, **groups))
        rows.append(statistic_row("probability_highest", Estimate(float(one["probability_top"])), **groups))
    return rows


def has_counts(record: Record | None) -> bool:
    """Return whether a shown figure has its counts."""
    return is_shown(record) and not is_missing(record["numerator"]) and not is_missing(record["denominator"])
