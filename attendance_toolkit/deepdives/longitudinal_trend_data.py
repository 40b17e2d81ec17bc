"""The tables behind the trend of an area: models of pupils' terms, half terms in order, changes, and limits of chance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.deepdives._base import derived_table, exact_table
from attendance_toolkit.deepdives._contrasts import derived_from, statistic_row, symbol_of
from attendance_toolkit.deepdives._shared import HEADLINE, NO_DATA_YEARS, Lookup, Record
from attendance_toolkit.deepdives._trend_models import BROKEN_DOWN, growth_model_rows, trend_model_rows
from attendance_toolkit.deepdives.longitudinal_data import (
    KEYS,
    PUBLISHED_GROUPS,
    THRESHOLDS,
    LongitudinalData,
)
from attendance_toolkit.disclosure.modelled import points_decimals
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError, SeriesBreakError
from attendance_toolkit.metrics.absence import absence_rate, record_difference, with_contributors
from attendance_toolkit.metrics.following import trend_rows
from attendance_toolkit.metrics.overview import by_characteristic, with_all_schools
from attendance_toolkit.metrics.series_guard import guard, selection_of
from attendance_toolkit.models.control_chart import (
    ENOUGH_POINTS,
    ControlChart,
    deseasonalise,
    false_alarm_chance,
    xmr,
)
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.presentation.formats import is_missing
from attendance_toolkit.presentation.narrative import has_interval, is_shown
from attendance_toolkit.vocabulary.calendar import HALF_TERM_TERMS, TERM_LABELS, TERMS, academic_year_before
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, MAIN_PHASES, UNKNOWN_COUNTED_WITH
from attendance_toolkit.vocabulary.statistics import MODELLED

#: Phases with a course of their own.
SHOWN_PHASES = (ALL_SCHOOLS, "Primary", "Secondary")
#: Lines of a control chart.
MEAN, LOWER, UPPER = "Mean", "Lower limit", "Upper limit"
_GROUP = [*KEYS, "characteristic", "level"]
_SESSIONS = (
    "enrolments",
    "sessions_possible",
    "sessions_authorised",
    "sessions_unauthorised",
    "no_absence_enrolments",
    "square_possible",
    "square_absent",
    "cross_absent",
)
_SPANS = ["phase", "term", "half_term"]


class LongitudinalTrendData(LongitudinalData):
    """Trend models and half terms as exact tables; changes, verdicts and control limits from cleared ones."""

    # -- exact ---------------------------------------------------------------------------------------

    @exact_table
    def trend(self) -> ExactTable:
        """Change a year of persistent and severe absence, season taken out, and term effects: fitted to pupils' terms."""
        if not self.is_local:
            raise NoDataError(
                "What a year changes once the season is taken out, and what it does to the same pupils, needs pupil-level data;"
                " only published files were given."
            )
        pupil_terms = self._unknown_merged(trend_rows(self.inputs.followed("term"), ("phase", *PUBLISHED_GROUPS)))
        fitted = trend_model_rows(pupil_terms, PUBLISHED_GROUPS)
        cells = self._detail[self._detail["academic_year"] == self.year]
        counted = self._threshold_rows(by_characteristic(cells, KEYS, PUBLISHED_GROUPS), _GROUP)
        is_phase = (counted["characteristic"] == ALL) & counted["phase"].isin((ALL_SCHOOLS, *MAIN_PHASES))
        is_group = counted["phase"].isin(BROKEN_DOWN) & ~counted["level"].isin((ALL, "Unknown"))
        return self.inputs.local_table(self._beside(counted[is_phase | is_group], fitted, _GROUP))

    @exact_table
    def growth(self) -> ExactTable:
        """Change a year of pupils' own absence: within the same pupils, and within the same year group."""
        pupil_years = trend_rows(self.inputs.followed("year"), ("phase", "nc_year"), with_enough_sessions=True)
        fitted = growth_model_rows(pupil_years)
        cells = with_all_schools(self._detail[self._detail["academic_year"] == self.year], KEYS)
        counted = self._threshold_rows(cells, KEYS)
        return self.inputs.local_table(self._beside(counted[counted["phase"].isin(SHOWN_PHASES)], fitted, KEYS))

    @exact_table
    def half_terms(self) -> ExactTable:
        """Overall absence by the spans of half terms that every year has, by phase, from pupil-level data."""
        cells = self.inputs.local_cells(_SPANS, counts=_SESSIONS)
        cells = cells[cells["phase"].isin(MAIN_PHASES) & cells["term"].isin(list(TERM_LABELS))]
        spans = common_spans(cells)
        if not spans:
            raise NoDataError(
                "A course by half term needs absence by half term, or by term, in every year of the data."
            )
        joint = {span for span in spans if span not in _in_every_year(cells)}
        parts = [cells[cells["half_term"].isin(set(spans) - joint)]]
        if joint:
            # A span that some years have in halves: a pupil's sessions of the whole term are one sum.
            whole = self.inputs.local_cells(["phase", "term"], counts=_SESSIONS)
            names = {HALF_TERM_TERMS[one]: one for one in joint}
            whole = whole[whole["phase"].isin(MAIN_PHASES) & whole["term"].isin(list(names))]
            parts.append(whole.assign(half_term=whole["term"].map(names)))
        by = [*KEYS, "term", "half_term"]
        cells = with_all_schools(pd.concat(parts, ignore_index=True), by)
        return self.inputs.local_table(with_contributors(absence_rate(cells, by), cells, by))

    def _unknown_merged(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows in which "Unknown" is counted with the level the policy says, as in every table of the page."""
        changed = {
            name: rows[name].astype(object).replace("Unknown", UNKNOWN_COUNTED_WITH[name])
            for name in self.inputs.policy.merge_unknown
            if name in rows.columns
        }
        return rows.assign(**changed)

    def _beside(self, counted: pd.DataFrame, fitted: pd.DataFrame, by: list[str]) -> pd.DataFrame:
        """Return statistics with the size of their group this year, below the rates they are about."""
        fitted = fitted.assign(area_code=self.area.code, academic_year=self.year)
        sizes = counted.loc[counted["measure"] == "enrolments", [*by, "enrolments"]]
        sized = fitted.merge(sizes, on=by, validate="many_to_one")
        sized["decimals"] = [
            points_decimals(size) if MODELLED[name].unit == "points" else MODELLED[name].decimals
            for name, size in zip(sized["measure"], sized["enrolments"], strict=True)
        ]
        return pd.concat([counted.assign(model=""), sized], ignore_index=True)

    # -- which figures are held against each other ---------------------------------------------------

    @cached_property
    def _has_published_counts(self) -> bool:
        """Whether published figures with their counts are there."""
        try:
            return not self.is_local and not self.groups.rows.empty
        except NoDataError:
            return False

    def with_counts(self, code: str, measure: str, year: int, phase: str = ALL_SCHOOLS) -> Record | None:
        """Return a place's figure with its counts, and so with an interval; None where there is none."""
        if self.is_local:
            return self.own(measure, year, phase) if code == self.area.code else None
        return (
            self.everybody(measure, year, phase, code) if self._has_published_counts and measure in THRESHOLDS else None
        )

    def two_years(
        self, code: str, measure: str, before_year: int, year: int, phase: str = ALL_SCHOOLS
    ) -> tuple[Record | None, Record | None]:
        """Return a place's figures of two years of one series: both with counts if there are such, else as published.

        A year without counts is no more certain than one with: taken as exact it would make the change look surer than it is.
        """
        before, after = (self.with_counts(code, measure, one, phase) for one in (before_year, year))
        if self.is_local and code == self.area.code:
            return before, after
        if before is not None and after is not None:
            # As DfE prints them.
            return {**before, "decimals": 2}, {**after, "decimals": 2}
        return self.wider_figure(code, measure, before_year, phase), self.wider_figure(code, measure, year, phase)

    @cached_property
    def compared_places(self) -> list[str]:
        """Codes of the area and of the wider areas with published figures."""
        there = set(self.published.rows["area_code"]) if self._has_published_rates else set()
        return [area.code for area in self.inputs.compared_areas if area.code == self.area.code or area.code in there]

    @cached_property
    def _has_published_rates(self) -> bool:
        try:
            return not self.published.rows.empty
        except NoDataError:
            return False

    def first_year(self, measure: str) -> int:
        """Return the first year the last may be held against: with counts, where the last has some."""
        years = [year for year in self.shown_years if year < self.year and year not in NO_DATA_YEARS]
        if self.with_counts(self.area.code, measure, self.year) is not None:
            years = [year for year in years if self.with_counts(self.area.code, measure, year) is not None]
        for year in years:
            before, after = self.two_years(self.area.code, measure, year, self.year)
            if not symbol_of(change_of(before, after)):
                return year
        return 0

    # -- derived -------------------------------------------------------------------------------------

    @derived_table
    def year_changes(self) -> ProtectedTable:
        """Each year against the one before, and the last against the first: the area and the wider areas."""
        rows = []
        for measure in HEADLINE:
            pairs = [(since, year) for since, year in pairwise(self.shown_years) if since == academic_year_before(year)]
            first = self.first_year(measure)
            if first and (first, self.year) not in pairs:
                pairs.append((first, self.year))
            for code in self.compared_places:
                for phase in SHOWN_PHASES:
                    for since, year in pairs:
                        change = change_of(*self.two_years(code, measure, since, year, phase))
                        rows.append(
                            _change_row(
                                change, area_code=code, academic_year=year, since=since, phase=phase, about=measure
                            )
                        )
        tables = [self.rates] if self.is_local else [self.groups] if self._has_published_counts else []
        tables += [self.published] if self._has_published_rates else []
        return derived_from(rows, *tables, nothing="A change needs figures of two academic years, one after the other.")

    @derived_table
    def same_term_changes(self) -> ProtectedTable:
        """Each term of this year against the same term of the last."""
        before_year = academic_year_before(self.year)
        rows = []
        for measure in HEADLINE:
            for phase in SHOWN_PHASES:
                for term in TERMS:
                    before, after = (self.of_term(measure, year, term, phase) for year in (before_year, self.year))
                    if before is None or after is None:
                        continue
                    row = _change_row(
                        change_of(before, after), area_code=self.area.code, academic_year=self.year, since=before_year,
                        phase=phase, term=term, about=measure,
                    )  # fmt: skip
                    rows.append(row)
        return derived_from(rows, self.terms, nothing="The same term of two years is needed to compare it.")

    @cached_property
    def _terms_lookup(self) -> Lookup:
        return Lookup(self.terms, [*KEYS, "term", "measure"])

    def of_term(self, measure: str, year: int, term: str, phase: str = ALL_SCHOOLS) -> Record | None:
        """Return the area's figure of a term; the guard reads its period. None of a term with last year's figures again."""
        found = self._term_figure(measure, year, term, phase)
        if found is None or (measure, year, term) in self.repeated_terms:
            return None
        return {**found, "period": term}

    def _term_figure(self, measure: str, year: int, term: str, phase: str) -> Record | None:
        return self._terms_lookup(area_code=self.area.code, academic_year=year, phase=phase, term=term, measure=measure)

    @cached_property
    def repeated_terms(self) -> frozenset[tuple[str, int, str]]:
        """Measure, year and term whose published figures are those of the year before, to the last digit, of some phase.

        DfE's file of the summer term 2024/25 has the persistent absence of summer 2023/24 in three rows of five; the others
        of that file are last year's figures revised. Two years that agree to six digits are no measurement of no change.
        """
        if self.is_local:
            return frozenset()
        rows = self.terms.rows
        rows = rows[(rows["area_code"] == self.area.code) & (rows["symbol"] == "")]
        found = set()
        for record in rows.to_dict("records"):
            year, term = int(record["academic_year"]), str(record["term"])
            before = self._term_figure(record["measure"], academic_year_before(year), term, record["phase"])
            # Figures rounded to a tenth or hundredth of a percent may agree by chance.
            has_digits = abs(record["rate"] * 1e4 - round(record["rate"] * 1e4)) > 1e-6
            if has_digits and is_shown(before) and before["rate"] == record["rate"]:
                found.add((str(record["measure"]), year, term))
        return frozenset(found)

    @derived_table
    def control(self) -> ProtectedTable:
        """Overall absence by half term with the season taken out, its mean and limits, and the chance of a false alarm."""
        rows: list[dict[str, Any]] = []
        for phase in SHOWN_PHASES:
            rows += self._control_rows(phase)
        nothing = "A control chart needs more points than the data have, each kind of half term more than once."
        return derived_from(rows, self.half_terms, nothing=nothing)

    def half_term_points(self, phase: str) -> list[Record]:
        """Return overall absence in the order of time, hidden figures with their symbol."""
        rows = self.half_terms.select(area_code=self.area.code, phase=phase).rows
        order = rows["half_term"].map(lambda span: str(span)[0])
        return list(rows.assign(order=order).sort_values(["academic_year", "order"]).to_dict("records"))

    def enough_points(self, phase: str) -> tuple[int, int]:
        """Return how many points a control chart of a phase would have, and how many it needs."""
        return sum(is_shown(record) for record in self.half_term_points(phase)), ENOUGH_POINTS

    def _control_rows(self, phase: str) -> Iterable[dict[str, Any]]:
        points = self.half_term_points(phase)
        shown, needed = self.enough_points(phase)
        if shown < needed:
            return
        seasons = [str(record["half_term"]) for record in points]
        try:
            values = deseasonalise([record["rate"] if is_shown(record) else math.nan for record in points], seasons)
            chart = xmr(values)
        except NoDataError:  # hidden figures leave a season with one point
            return
        groups: dict[str, Any] = {"area_code": self.area.code, "phase": phase}
        for record, season, value in zip(points, seasons, values, strict=True):
            yield statistic_row(
                "control_value", Estimate(float(value)), symbol_of(record), **groups,
                academic_year=record["academic_year"], half_term=season, line="",
            )  # fmt: skip
        groups |= {"academic_year": self.year, "half_term": ALL}
        for line, value in ((MEAN, chart.centre), (LOWER, chart.lower), (UPPER, chart.upper)):
            yield statistic_row("control_limit", Estimate(value), **groups, line=line)
        chance = false_alarm_chance(chart.points, len(set(seasons)))
        yield statistic_row("false_alarm_chance", Estimate(chance), **groups, line="")

    def control_of(self, phase: str) -> tuple[ProtectedTable, ControlChart, dict[str, Record]]:
        """Return the values of a control chart, the chart made of them, and its other figures by name.

        Raises
        ------
        NoDataError
            There is no chart of the phase.
        """
        rows = self.control.select(phase=phase)
        values = rows.select(measure="control_value")
        if values.rows.empty:
            raise NoDataError(f"There is no control chart of {phase.lower()} schools: too few points can be shown.")
        others = {
            str(record["line"] or record["measure"]): record
            for record in rows.rows.to_dict("records")
            if record["measure"] != "control_value"
        }
        return values, xmr(np.asarray(values.rows["rate"], dtype=float)), others


def common_spans(cells: pd.DataFrame) -> tuple[str, ...]:
    """Return the spans of half terms by which all years can be cut alike, in order.

    Where years have a term cut in different ways, the whole term if all years have the whole of it, else the spans all have.

    >>> years = {202223: ["1-2", "3-4", "5", "6"], 202324: ["1-2", "3", "4", "5"]}
    >>> rows = [(year, HALF_TERM_TERMS[span], span) for year, spans in years.items() for span in spans]
    >>> common_spans(pd.DataFrame(rows, columns=["academic_year", "term", "half_term"]))
    ('1-2', '3-4', '5')
    """
    found: list[str] = []
    for first, term in zip("135", TERMS, strict=True):
        of_term = cells[cells["term"] == term]
        spans = [set(of_year["half_term"]) for _, of_year in of_term.groupby("academic_year", observed=True)]
        if len(spans) < cells["academic_year"].nunique() or not spans:
            continue
        whole = f"{first}-{int(first) + 1}"
        halves = {first, str(int(first) + 1)}
        if all(one == spans[0] for one in spans):
            found += sorted(spans[0])
        elif all(whole in one or halves <= one for one in spans):
            found.append(whole)
        else:
            found += sorted(set.intersection(*spans))
    return tuple(found)


def _in_every_year(cells: pd.DataFrame) -> set[str]:
    """Return the spans that all years have as such."""
    years = [set(part["half_term"]) for _, part in cells.groupby("academic_year", observed=True)]
    return set.intersection(*years)


def change_of(before: Record | None, after: Record | None) -> dict[str, Any]:
    """Return after less before with Newcombe's interval, fit for ``_change_row``; "z" where the two are not to be compared."""
    nothing = {"rate": math.nan, "lower": math.nan, "upper": math.nan}
    if before is None or after is None:
        return {**nothing, "symbol": "x"}
    try:
        guard(selection_of(before), selection_of(after))
    except SeriesBreakError:
        return {**nothing, "symbol": "z"}
    symbol = symbol_of(before, after)
    if symbol:
        return {**nothing, "symbol": symbol}
    if has_interval(before) != has_interval(after):
        before, after = ({**record, "lower": math.nan, "upper": math.nan} for record in (before, after))
    return record_difference(after, before)


def _change_row(change: Mapping[str, Any], **groups: Any) -> dict[str, Any]:
    ends = (math.nan if is_missing(change[name]) else float(change[name]) for name in ("rate", "lower", "upper"))
    name = f"{groups['about']}_change"
    row = statistic_row(name, None if change["symbol"] else Estimate(*ends), str(change["symbol"]), **groups)
    # A change is written as the rates are that it is made of.
    known: Any = change.get("decimals")
    return {**row, "decimals": 1 if is_missing(known) else int(known)}
