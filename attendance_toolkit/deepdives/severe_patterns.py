"""Does the pattern differ: risk ratios by district, school type and year, and girls beside boys by year group."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

from attendance_toolkit.deepdives._base import derived_table
from attendance_toolkit.deepdives._contrasts import (
    P_NOTE,
    Record,
    derived_from,
    estimate_of,
    log_error,
    p_row,
    p_text,
    pooled,
    quotient_row,
    risk_ratio_row,
    statistic_row,
    symbol_of,
)
from attendance_toolkit.deepdives._shared import Lookup, or_nothing, or_notice, rate_of
from attendance_toolkit.deepdives.severe_data import SevereAbsenceData
from attendance_toolkit.deepdives.severe_interaction import FSM, GIRLS, SEN, SEN_KINDS, Side
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.overview import latest_year
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.heterogeneity import heterogeneity
from attendance_toolkit.presentation.blocks import Cell, Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import interval_cell, interval_words, source_of
from attendance_toolkit.presentation.narrative import has_interval, is_shown, percent, sentence_list
from attendance_toolkit.vocabulary.areas import find_area
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.rounding import show_number

SIDES = (FSM, SEN, GIRLS)
_PHASES = ("Primary", "Secondary")
_RATIO_HEADS = {"FSM": "FSM against other pupils", "SEN": "Any SEN against no SEN", "girls": "Girls against boys"}


class SeverePatterns(SevereAbsenceData):
    """Risk ratios of districts, school types and years held beside each other, all from cleared figures."""

    # -- districts -----------------------------------------------------------------------------------

    @derived_table
    def district_ratios(self) -> ProtectedTable:
        """Risk ratio of each characteristic in each district, and whether they differ by more than chance."""
        table = self.by_district.select(measure="severe_absence_rate")
        lookup = Lookup(table, ["area_code", *(side.column for side in SIDES)])
        codes = list(dict.fromkeys(table.rows["area_code"]))
        districts = [area.code for area in self.inputs.districts if area.code in set(codes)]
        if len(districts) < 2:
            raise NoDataError("Districts cannot be compared: the data have no more than one of them.")
        rows: list[dict[str, Any]] = []
        for side in SIDES:
            made = [
                risk_ratio_row(*_both_crossed(lookup, side, code), area_code=code, side=side.short) for code in codes
            ]
            rows += made
            rows += _heterogeneity_rows([row for row in made if row["area_code"] in districts], side=side.short)
        return derived_from(rows, self.by_district)

    @or_notice
    def pattern_districts(self) -> Table | Notice:
        """Return the risk ratios by district, and below them the tests of no difference."""
        table = self.district_ratios
        lookup = Lookup(table, ["area_code", "side", "measure"])
        present = set(table.rows["area_code"])
        rows = []
        for area in self.inputs.districts:
            if area.code in present:
                cells = _ratio_cells(lookup, area_code=area.code)
                rows.append(Row(area.name, cells, "Districts", area.code == self.area.code))
        districts = {area.code for area in self.inputs.districts}
        order = {"Combined authority": 0, "Regional": 1, "National": 2}
        wider = []
        for code in dict.fromkeys(table.rows["area_code"]):
            if code not in districts and code != ALL:
                cells = _ratio_cells(lookup, area_code=code)
                wider.append((order.get(find_area(code).level, 0), code, cells))
        for _, code, cells in sorted(wider, key=lambda found: found[:2]):
            rows.append(Row(self.inputs.area_name(code), cells, "Wider areas", code == self.area.code))
        tests = {
            "heterogeneity_q": "Cochran's Q",
            "heterogeneity_p_value": "p value of no difference",
            "heterogeneity_i2": "Share of differences beyond chance, I-squared (%)",
        }
        for measure, words in tests.items():
            found = [lookup(area_code=ALL, side=side.short, measure=measure) for side in SIDES]
            cells = tuple(cell for record in found for cell in (rate_of(record), Cell(symbol="z")))
            rows.append(Row(words, cells, "Do the districts differ?"))
        year = show_academic_year(latest_year(self.by_district.rows, self.year, "figures by district"))
        return Table(
            "risk-ratios-by-district",
            f"How many times more often each group is severely absent, by district, {year}",
            "Risk ratios of severe absence, all schools, with 95% intervals",
            (Column("District", align="left"), *_ratio_columns()),
            tuple(rows),
            source_of(self.by_district),
            (
                f"A ratio of 1 would be no difference. The test asks whether all districts could have one and the same ratio. {P_NOTE}",
            ),
        )

    @or_nothing
    def pattern_district_sentences(self) -> Findings | Result:
        """Return whether the ratios differ between districts."""
        lookup = Lookup(self.district_ratios, ["area_code", "side", "measure"])
        sentences = []
        for side in SIDES:
            own = lookup(area_code=self.area.code, side=side.short, measure="risk_ratio")
            p_value = lookup(area_code=ALL, side=side.short, measure="heterogeneity_p_value")
            i2 = lookup(area_code=ALL, side=side.short, measure="heterogeneity_i2")
            text = ""
            if own is not None and own["symbol"] == "c":
                text = f"The ratio of {side.words} to {side.other} in {self.area.name} is hidden to protect small numbers. "
            if is_shown(own):
                text = f"In {self.area.name} {side.words} were severely absent {_times(own)} as often as {side.other}. "
            if not (is_shown(p_value) and is_shown(i2)):
                text += "Whether this differs between districts cannot be told: too few of their figures can be shown."
            elif p_value["rate"] < 0.05:
                text += (
                    f"The ratio of {side.words} to {side.other} is not the same in all districts (p = {p_text(p_value)}):"
                    f" {percent(i2['rate'], 0)} of the differences are beyond chance.{self._range_words(lookup, side)}"
                )
            else:
                text += (
                    f"There is no evidence that the ratio of {side.words} to {side.other} differs between districts"
                    f" (p = {p_text(p_value)})."
                )
            sentences.append(text)
        return Findings(tuple(sentences))

    def _range_words(self, lookup: Lookup, side: Side) -> str:
        """Say from which value to which the ratios of the districts run; nothing where fewer than two can be shown."""
        found = []
        for area in self.inputs.districts:
            record = lookup(area_code=area.code, side=side.short, measure="risk_ratio")
            if is_shown(record):
                found.append((float(record["rate"]), area.name))
        if len(found) < 2:
            return ""
        low, high = min(found), max(found)
        return f" The ratios run from {show_number(low[0], 2)} in {low[1]} to {show_number(high[0], 2)} in {high[1]}."

    # -- school types and years ----------------------------------------------------------------------

    @derived_table
    def phase_year_ratios(self) -> ProtectedTable:
        """Risk ratio of each characteristic by school type and year; secondary over primary, and over the year before."""
        table = self.groups.select(area_code=self.area.code, measure="severe_absence_rate", phase=list(_PHASES))
        years = sorted(int(year) for year in table.rows["academic_year"].unique())
        lookup = Lookup(table, ["academic_year", "phase", "characteristic", "level"])
        rows: list[dict[str, Any]] = []
        for side in SIDES:
            ratios: dict[tuple[int, str], dict[str, Any]] = {}
            for year, phase in product(years, _PHASES):
                both = _both(lookup, side, academic_year=year, phase=phase)
                groups: dict[str, Any] = {"academic_year": year, "phase": phase, "side": side.short}
                ratios[year, phase] = risk_ratio_row(*both, **groups)
                before = ratios.get((academic_year_before(year), phase))
                if before is not None:
                    rows.append(quotient_row(ratios[year, phase], before, **groups))
            rows += ratios.values()
            for year in years:
                primary, secondary = (ratios[year, phase] for phase in _PHASES)
                rows.append(quotient_row(secondary, primary, academic_year=year, phase=ALL, side=side.short))
        nothing = "Risk ratios by school type need figures by pupil group for primary and secondary schools."
        return derived_from(rows, self.groups, nothing=nothing)

    @or_notice
    def pattern_phases_years(self) -> Table | Notice:
        """Return the risk ratios by school type and year."""
        table = self.phase_year_ratios
        lookup = Lookup(table, ["academic_year", "phase", "side", "measure"])
        years = sorted(int(year) for year in table.rows["academic_year"].unique())
        rows = []
        for phase in _PHASES:
            for year in years:
                cells = _ratio_cells(lookup, academic_year=year, phase=phase)
                rows.append(Row(show_academic_year(year), cells, f"{phase} schools"))
        for year in years:
            cells = _ratio_cells(lookup, "ratio_of_risk_ratios", academic_year=year, phase=ALL)
            rows.append(Row(show_academic_year(year), cells, "Secondary over primary schools"))
        return Table(
            "risk-ratios-by-phase-and-year",
            "How many times more often each group is severely absent, by school type and year",
            f"Risk ratios of severe absence, {self.area.name}, with 95% intervals",
            (Column("Academic year", align="left"), *_ratio_columns()),
            tuple(rows),
            source_of(self.groups),
            (
                "Secondary over primary: the ratio of the two risk ratios; 1 would be the same ratio in both. Many pupils are in"
                " the figures of more than one year, so years are not independent of each other.",
            ),
        )

    @or_nothing
    def pattern_phase_sentences(self) -> Findings | Result:
        """Return whether the ratios differ between primary and secondary schools, this year."""
        table = self.phase_year_ratios
        year = latest_year(table.rows, self.year, "figures by pupil group")
        lookup = Lookup(table.select(academic_year=year), ["phase", "side", "measure"])
        sentences = []
        for side in SIDES:
            primary, secondary = (lookup(phase=phase, side=side.short, measure="risk_ratio") for phase in _PHASES)
            both = lookup(phase=ALL, side=side.short, measure="ratio_of_risk_ratios")
            if not (is_shown(primary) and is_shown(secondary) and is_shown(both) and has_interval(both)):
                continue
            start = (
                f"In {show_academic_year(year)} {side.words} were severely absent {_times(primary)} as often as {side.other} in"
                f" primary schools, and {_times(secondary)} as often in secondary schools: "
            )
            if both["lower"] > 1:
                start += "the ratio is clearly higher in secondary schools."
            elif both["upper"] < 1:
                start += "the ratio is clearly lower in secondary schools."
            else:
                start += "the two ratios are not clearly different."
            sentences.append(start)
        sentences += self._change_sentences(year)
        if not sentences:
            raise NoDataError("No ratio can be shown.")
        return Findings(tuple(sentences))

    def _change_sentences(self, year: int) -> Iterable[str]:
        """Say whether the ratios are other than the year before."""
        lookup = Lookup(self.phase_year_ratios.select(academic_year=year), ["phase", "side", "measure"])
        changed: list[str] = []
        is_known = False
        for phase in _PHASES:
            for side in SIDES:
                change = lookup(phase=phase, side=side.short, measure="ratio_of_risk_ratios")
                if not (is_shown(change) and has_interval(change)):
                    continue
                is_known = True
                if change["lower"] > 1 or change["upper"] < 1:
                    changed.append(
                        f"that of {side.words} in {phase.lower()} schools ({show_number(change['rate'], 2)} times,"
                        f" {interval_words(change)})"
                    )
        previous = show_academic_year(academic_year_before(year))
        if changed:
            yield f"Against {previous}, these ratios clearly changed: {sentence_list(changed)}."
        elif is_known:
            yield f"Against {previous} none of the ratios that can be shown clearly changed."


def _both(lookup: Lookup, side: Side, **keys: Any) -> tuple[Record | None, Record | None]:
    """Return the figures of a characteristic's level and of the level it is held against, from characteristic/level rows."""
    first = lookup(**keys, characteristic=side.column, level=side.level)
    if first is None and side is SEN:
        kinds = (lookup(**keys, characteristic=side.column, level=kind) for kind in SEN_KINDS)
        first = pooled([record for record in kinds if record is not None])
    return first, lookup(**keys, characteristic=side.column, level=side.against)


def _both_crossed(lookup: Lookup, side: Side, area_code: str) -> tuple[Record | None, Record | None]:
    """Return the same two figures from rows with a column for each characteristic."""
    everybody = dict.fromkeys((other.column for other in SIDES), ALL)
    first, second = (
        lookup(area_code=area_code, **(everybody | {side.column: level})) for level in (side.level, side.against)
    )
    return first, second


def _heterogeneity_rows(rows: Sequence[Record], **groups: Any) -> list[dict[str, Any]]:
    """Return the rows of the test of one common ratio; hidden ratios are no part of it."""
    groups = {"area_code": ALL, **groups}
    found = [estimate_of(row) for row in rows if is_shown(row) and has_interval(row)]
    names = ("heterogeneity_q", "heterogeneity_p_value", "heterogeneity_i2")
    if len(found) < 2:
        return [statistic_row(name, None, symbol_of(*rows) or "x", **groups) for name in names]
    test = heterogeneity([math.log(one.value) for one in found], [log_error(one) for one in found])
    return [
        statistic_row("heterogeneity_q", Estimate(test.q), **groups),
        p_row("heterogeneity_p_value", test.p_value, **groups),
        statistic_row("heterogeneity_i2", Estimate(test.i2), **groups),
    ]


def _ratio_columns() -> list[Column]:
    return [
        column
        for side in SIDES
        for column in (Column("Risk ratio", _RATIO_HEADS[side.short]), Column("95% interval", _RATIO_HEADS[side.short]))
    ]


def _ratio_cells(lookup: Lookup, measure: str = "risk_ratio", **keys: Any) -> tuple[Cell, ...]:
    records = [lookup(**keys, side=side.short, measure=measure) for side in SIDES]
    return tuple(cell for record in records for cell in (rate_of(record), interval_cell(record)))


def _times(record: Record) -> str:
    """Return a risk ratio in words, with its interval; near 1 with a decimal more.

    >>> _times({"measure": "risk_ratio", "rate": 2.84, "lower": 2.61, "upper": 3.09})
    '2.8 times (95% interval 2.6 to 3.1)'
    """
    decimals = 1 if record["rate"] >= 2 else 2
    text = f"{show_number(record['rate'], decimals)} times"
    if not has_interval(record):
        return text
    return f"{text} ({interval_words({**record, 'decimals': decimals if decimals == 1 else record.get('decimals')})})"
