"""School days gained if Year 6 attendance were kept: by several definitions, each counted as it says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.deepdives._base import derived_table, exact_table
from attendance_toolkit.deepdives._contrasts import counts_symbol, derived_from, statistic_row, symbol_of
from attendance_toolkit.deepdives._shared import MAINSTREAM, Lookup, Record
from attendance_toolkit.deepdives._transition_cells import Array, modelled, pupil_counts
from attendance_toolkit.deepdives.transition_changes_data import SECONDARY_YEARS, TransitionChangesData
from attendance_toolkit.deepdives.transition_data import FIRST, STEPS, year_after
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import Z95
from attendance_toolkit.metrics.transition import (
    ENOUGH_SESSIONS,
    MAINSTREAM_PHASES,
    StepCohort,
    days,
    paired_change,
    step_cells,
)
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.presentation.narrative import is_shown
from attendance_toolkit.vocabulary.areas import local_authorities_in
from attendance_toolkit.vocabulary.calendar import academic_year_before
from attendance_toolkit.vocabulary.columns import ALL, NC_YEARS, PHASES

#: What the combined authority's taskforce asked for: "over 1 million additional days" of school if Year 6 attendance were
#: kept. The claim came without its definition.
CLAIMED_DAYS = 1_000_000
#: Sessions in a day, and school days in a year (Education (School Day and School Year) (England) Regulations 1999).
SESSIONS_A_DAY, DAYS_A_YEAR = 2, 190
#: Definitions of the days, in the order of their table.
MATCHED, GROSS, ALL_MATCHED = "matched", "gross", "all matched"
YEAR_7_SECTION, SECTION, PHASES_HELD = "Year 7 in cross-section", "Years 7 to 11 in cross-section", "school types"
YEARS_7_TO_11 = "Years 7 to 11"
_BY = ["area_code", "academic_year", "nc_year"]
_SCHOOL = ["area_code", "academic_year", "laestab"]
_PHASES = ("Primary", "Secondary")


@dataclass(frozen=True)
class Grown:
    """Pupils of a secondary year group and what is known of them in Year 6, position by position."""

    nc_year: str
    la: Array
    possible_before: Array
    missed_before: Array
    possible: Array
    missed: Array

    def lost(self) -> Array:
        """Return (N,) days missed beyond those at the rate of Year 6; below 0 for a pupil who missed fewer."""
        share = self.missed_before / self.possible_before
        found: Array = (self.missed - self.possible * share) / SESSIONS_A_DAY
        return found


class TransitionDaysData(TransitionChangesData):
    """Days by matched pupils, by cross-section and, without pupil-level data, by published rates."""

    # -- exact tables --------------------------------------------------------------------------------

    @exact_table
    def days(self) -> ExactTable:
        """Days of the last year there is, by year group: of pupils whose own Year 6 is in the data; net and gross.

        By the area, and its districts, they were in in Year 6. More than 0 is days missed beyond those at the Year 6 rate.
        """
        groups = list(self._grown())
        year = year_after(self.latest_cohort().academic_year)
        codes = np.array(self.latest_cohort().la_codes)
        rows = []
        for code, members in self._areas.items():
            parts = {group.nc_year: group.lost()[np.isin(codes[group.la], list(members))] for group in groups}
            for nc_year, lost in {**parts, ALL: np.concatenate(list(parts.values()))}.items():
                if len(lost):
                    rows.append({"area_code": code, "nc_year": nc_year, **_summed(lost)})
        found = pd.DataFrame(rows).assign(academic_year=year)
        return self.inputs.local_table(_day_rows(found, _BY), topic="pupils of Years 7 to 11 and their Year 6")

    def _grown(self) -> Iterable[Grown]:
        """Yield the pupils of each secondary year group whose Year 6 is in the data, compared as at the step."""
        last = self.latest_cohort()
        sixth = {cohort.academic_year: cohort for cohort in self.cohorts(FIRST)}
        keep = last.chosen(last.is_compared)
        assert keep.later is not None
        yield Grown(last.to_year, keep.la, keep.year_possible, keep.year_missed, keep.later.possible, keep.later.missed)
        for place, nc_year in enumerate(SECONDARY_YEARS[1:], start=1):
            before = sixth.get(academic_year_before(last.academic_year, place))
            if before is None:
                continue
            later = self._followed_on(str(int(nc_year) - 1), last.academic_year)
            found = None if later is None else _joined(before, nc_year, *later)
            if found is not None:
                yield found

    def _followed_on(self, from_year: str, year: int) -> tuple[Array, Array, Array] | None:
        """Return pupils, possible and missed sessions of the year group after ``from_year``, a year after ``year``."""
        try:
            cohort = next(one for one in self.cohorts(from_year) if one.academic_year == year)
        except (NoDataError, StopIteration):
            return None
        later = cohort.later
        if later is None or not later.is_whole:
            return None
        mainstream = np.isin(later.phase, [PHASES.index(name) for name in MAINSTREAM_PHASES])
        there = mainstream & (later.year_group == NC_YEARS.index(cohort.to_year))
        joined = later.joined
        return (
            np.concatenate([cohort.pupils[there], joined.pupils]),
            np.concatenate([later.possible[there], joined.year_possible]),
            np.concatenate([later.missed[there], joined.year_missed]),
        )

    @exact_table
    def school_days(self) -> ExactTable:
        """Net and gross days of the last step by the school pupils came to, from any district."""
        cohort = self.latest_cohort()
        found = days(cohort, by=["la_after", "laestab_after"]).rename(columns={"la_after": "area_code"})
        found = found[found["area_code"].isin(self.members)]
        cells = step_cells(cohort, by=["la_after", "laestab_after"]).rename(columns={"la_after": "area_code"})
        found = found.merge(_half_widths(cells), on=["area_code", "laestab_after"], validate="one_to_one")
        found = found.assign(laestab=found["laestab_after"].astype(str), academic_year=year_after(cohort.academic_year))
        rows = _day_rows(found, _SCHOOL)
        return self.inputs.local_table(rows.assign(nc_year=cohort.to_year), topic=self.arrived_topic())

    @exact_table
    def claim_rates(self) -> ExactTable:
        """Published overall absence of primary and secondary schools, of each authority of the area and of the area."""
        if self.is_local:
            raise NoDataError("Days are counted from pupil-level data here.")
        codes = [self.area.code, *(la.code for la in local_authorities_in(self.area))]
        rows = self.inputs.published_rates(areas=list(dict.fromkeys(codes)))
        chosen = (rows["measure"] == "overall_absence_rate") & (rows["period"] == "year")
        rows = rows[chosen & rows["phase"].isin(_PHASES) & rows["rate"].notna()]
        if rows.empty:
            raise NoDataError(
                f"No overall absence of primary and of secondary schools is published for {self.area.name}."
            )
        return self.inputs.published_table(rows)

    @exact_table
    def claim_enrolments(self) -> ExactTable:
        """Published enrolments of Year 6 to Year 11 in mainstream schools, of each authority of the area."""
        if self.is_local:
            raise NoDataError("Days are counted from pupil-level data here.")
        if self.inputs.published is None:
            raise NoDataError("Enrolments by year group need DfE's absence bands file.")
        codes = [la.code for la in local_authorities_in(self.area)]
        cells = self.inputs.published.select([self.area.code, *codes]).cells
        cells = cells[(cells["dataset"] == "absence_bands") & (cells["academic_year"] <= self.year)]
        cells = cells[cells["phase"].isin(MAINSTREAM_PHASES) & cells["nc_year"].isin(SECONDARY_YEARS)]
        if cells.empty:
            raise NoDataError("Enrolments by year group need DfE's absence bands file.")
        by = ["area_code", "academic_year", "nc_year"]
        found = (
            cells.groupby(by, observed=True)["enrolments"].sum().reset_index().rename(columns={"enrolments": "pupils"})
        )
        rows = pupil_counts(found.astype({"nc_year": "object"})).assign(measure="enrolments")
        return self.inputs.published_table(rows.assign(series="census", dataset="absence_bands", phase=MAINSTREAM))

    # -- cleared figures -----------------------------------------------------------------------------

    @cached_property
    def _days_lookup(self) -> Lookup:
        return Lookup(self.days, [*_BY, "measure"])

    @cached_property
    def days_year(self) -> int:
        """The academic year the days are of."""
        if self.is_local:
            return int(self.days.rows["academic_year"].iloc[0])
        return int(self.days_defined.rows["academic_year"].iloc[0])

    def days_of(self, measure: str = "days_net", nc_year: str = STEPS[FIRST], area_code: str = "") -> Record | None:
        """Return the days, or the pupils they are of, of a year group; "All" is all those whose Year 6 is known."""
        return self._days_lookup(
            area_code=area_code or self.area.code, academic_year=self.days_year, nc_year=nc_year, measure=measure
        )

    @cached_property
    def days_years(self) -> tuple[str, ...]:
        """Year groups whose own Year 6 is in the data."""
        there = set(self.days.rows["nc_year"])
        return tuple(name for name in SECONDARY_YEARS if name in there)

    # -- derived tables ------------------------------------------------------------------------------

    @derived_table
    def days_defined(self) -> ProtectedTable:
        """The days by each definition (``definition``), and what the claim of ``CLAIMED_DAYS`` would take.

        Measures: ``days_net``; ``rate_gap``, the fall of overall absence that makes the days claimed; and
        ``share_of_sessions``, the days as a share of those claimed. ``nc_year`` is Year 7, or all of Years 7 to 11.
        """
        if self.is_local:
            return derived_from(self._local_definitions(), self.days, self.cross_sections)
        return derived_from(
            self._published_definitions(), self.claim_rates, self.claim_enrolments,
            nothing=f"The published files lack the rates or the year groups of {self.area.name} for the arithmetic.",
        )  # fmt: skip

    def _local_definitions(self) -> list[dict[str, Any]]:
        year, seventh = self.days_year, STEPS[FIRST]
        rows = [
            self._days_row(MATCHED, seventh, self.days_of()),
            self._days_row(GROSS, seventh, self.days_of("days_gross")),
        ]
        if len(self.days_years) > 1:
            rows.append(self._days_row(ALL_MATCHED, ALL, self.days_of(nc_year=ALL)))
        lookup = Lookup(self.cross_sections, ["area_code", "academic_year", "phase", "nc_year", "measure"])

        def absence(nc_year: str, phase: str = MAINSTREAM) -> Record | None:
            return lookup(
                area_code=self.area.code, academic_year=year, phase=phase, nc_year=nc_year,
                measure="overall_absence_rate",
            )  # fmt: skip

        held = {name: absence(name) for name in (FIRST, *SECONDARY_YEARS)}
        groups = [held[name] for name in SECONDARY_YEARS]
        rows.append(self._held(YEAR_7_SECTION, seventh, held[FIRST], [held[seventh]]))
        rows.append(self._held(SECTION, YEARS_7_TO_11, held[FIRST], groups))
        rows.append(self._held(PHASES_HELD, YEARS_7_TO_11, *(_primary_and(absence))))
        return rows + self._claim(seventh, [held[seventh]], self.days_of()) + self._claim(YEARS_7_TO_11, groups, None)

    def _days_row(self, definition: str, nc_year: str, record: Record | None) -> dict[str, Any]:
        symbol = symbol_of(record)
        found = None if symbol or record is None else Estimate(*(float(record[n]) for n in ("rate", "lower", "upper")))
        return statistic_row("days_net", found, symbol, **self._about(definition, nc_year)) | {"decimals": -1}

    def _about(self, definition: str, nc_year: str) -> dict[str, Any]:
        return {
            "area_code": self.area.code, "academic_year": self.days_year if self.is_local else self._claim_year,
            "definition": definition, "nc_year": nc_year,
        }  # fmt: skip

    def _held(
        self, definition: str, nc_year: str, before: Record | None, after: Sequence[Record | None]
    ) -> dict[str, Any]:
        """Return the row of the days that year groups miss beyond those at another group's rate."""
        symbol = counts_symbol(before, *after)
        found = None
        if not symbol and before is not None:
            shown = [record for record in after if record is not None]
            sessions = sum((record["rate"] - before["rate"]) * record["denominator"] for record in shown)
            found = Estimate(float(sessions) / SESSIONS_A_DAY)
        return statistic_row("days_net", found, symbol, **self._about(definition, nc_year)) | {"decimals": -1}

    def _claim(self, nc_year: str, groups: Sequence[Record | None], net: Record | None) -> list[dict[str, Any]]:
        """Return the fall of absence that would make the days claimed, and the net days as a share of them."""
        symbol = counts_symbol(*groups)
        possible = 0.0 if symbol else sum(float(record["denominator"]) for record in groups if record is not None)
        return self._claim_rows(nc_year, possible, symbol, net)

    def _claim_rows(self, nc_year: str, possible: float, symbol: str, net: Record | None) -> list[dict[str, Any]]:
        about = self._about("claim", nc_year)
        fall = None if symbol else Estimate(CLAIMED_DAYS * SESSIONS_A_DAY / possible)
        rows = [statistic_row("rate_gap", fall, symbol, **about) | {"decimals": 1}]
        if net is not None:
            share = Estimate(float(net["rate"]) / CLAIMED_DAYS) if is_shown(net) else None
            rows.append(statistic_row("share_of_sessions", share, symbol_of(net), **about) | {"decimals": 1})
        return rows

    @cached_property
    def _claim_year(self) -> int:
        """The last academic year with published enrolments by year group and with rates of every authority."""
        both = set(self.claim_rates.rows["academic_year"]) & set(self.claim_enrolments.rows["academic_year"])
        for year in sorted((int(one) for one in both), reverse=True):
            if self._published_gaps(year):
                return year
        raise NoDataError(
            f"The published files have no year with the absence of primary and secondary schools and the year groups of all of"
            f" {self.area.name}."
        )

    def _published_gaps(self, year: int) -> list[tuple[str, float, dict[str, float]]]:
        """Return (authority, secondary less primary rate, enrolments by year group); nothing unless all are there."""
        rates = self.claim_rates.rows
        rates = rates[(rates["academic_year"] == year) & (rates["symbol"] == "")]
        numbers = self.claim_enrolments.rows
        numbers = numbers[numbers["academic_year"] == year]
        codes = [la.code for la in local_authorities_in(self.area)]
        # The area as a whole first, where it is published; then its authorities, added up.
        for places in ([self.area.code], codes):
            for series in ("census", "attendance"):
                of_series = rates[rates["series"] == series].drop_duplicates(["area_code", "phase"])
                wide = of_series.pivot(index="area_code", columns="phase", values="rate")
                if not set(_PHASES) <= set(wide.columns) or not set(places) <= set(wide.dropna().index):
                    continue
                gaps = wide["Secondary"] - wide["Primary"]
                found = [(code, float(gaps[code]), _enrolled(numbers, code)) for code in places]
                if all(enrolled for _, _, enrolled in found):
                    return found
        return []

    def _published_definitions(self) -> list[dict[str, Any]]:
        found = self._published_gaps(self._claim_year)
        rows: list[dict[str, Any]] = []
        groups: dict[str, Sequence[str]] = {STEPS[FIRST]: (STEPS[FIRST],), YEARS_7_TO_11: SECONDARY_YEARS}
        for nc_year, names in groups.items():
            pupils = {code: sum(enrolled.get(name, 0.0) for name in names) for code, _, enrolled in found}
            lost = sum(gap * DAYS_A_YEAR * pupils[code] for code, gap, _ in found)
            row = statistic_row("days_net", Estimate(lost), **self._about(PHASES_HELD, nc_year)) | {"decimals": -2}
            possible = sum(pupils.values()) * DAYS_A_YEAR * SESSIONS_A_DAY
            rows += [row, *self._claim_rows(nc_year, possible, "", row)]
        return rows


def _enrolled(numbers: pd.DataFrame, code: str) -> dict[str, float]:
    here = numbers[numbers["area_code"] == code]
    return dict(zip(here["nc_year"].astype(str), here["rate"].astype(float), strict=True))


def _primary_and(absence: Any) -> tuple[Record | None, list[Record | None]]:
    return absence(ALL, "Primary"), [absence(ALL, "Secondary")]


def _joined(before: StepCohort, nc_year: str, pupils: Array, possible: Array, missed: Array) -> Grown | None:
    """Return pupils of a secondary year group who are in a cohort of Year 6, with enough sessions in both years."""
    order = np.argsort(pupils, kind="stable")
    pupils, possible, missed = pupils[order], possible[order], missed[order]
    place = np.minimum(np.searchsorted(before.pupils, pupils), len(before.pupils) - 1)
    kept = (before.pupils[place] == pupils) & (possible >= ENOUGH_SESSIONS)
    kept &= before.year_possible[place] >= ENOUGH_SESSIONS
    if not kept.any():
        return None
    place = place[kept]
    return Grown(
        nc_year, before.la[place], before.year_possible[place], before.year_missed[place], possible[kept], missed[kept]
    )


def _summed(lost: Array) -> dict[str, float]:
    """Return pupils, net and gross days, and the half width of the net days' interval: the pupil is the unit."""
    size = len(lost)
    half = Z95 * float(np.sqrt(size * lost.var(ddof=1))) if size > 1 else float("nan")
    return {
        "pupils": size, "days_net": float(lost.sum()), "days_gross": float(np.maximum(lost, 0).sum()), "half": half
    }  # fmt: skip


def _half_widths(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the half width of the interval of net days by school: that of the change of the rate, times possible days."""
    change = paired_change(cells)
    change = change[change["measure"] == "absence_step"].merge(
        cells[["area_code", "laestab_after", "possible_after"]], on=["area_code", "laestab_after"]
    )
    half = (change["upper"] - change["lower"]) / 2 * change["possible_after"] / SESSIONS_A_DAY
    return change[["area_code", "laestab_after"]].assign(half=half)


def _day_rows(found: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return MEASURE rows: the pupils, and of these the days, net (with an interval) and gross."""
    parts = [pupil_counts(found[[*by, "pupils"]])]
    for measure in ("days_net", "days_gross"):
        half = found["half"] if measure == "days_net" else np.nan
        rows = found[by].assign(
            measure=measure, rate=found[measure], lower=found[measure] - half, upper=found[measure] + half,
            enrolments=found["pupils"],
        )  # fmt: skip
        parts.append(modelled(rows))
    return pd.concat(parts, ignore_index=True)
