"""The step to secondary school in published figures: year groups a year apart, and what a model expects of the later one."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import pandas as pd

from attendance_toolkit.deepdives._base import derived_table, exact_table
from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._shared import Lookup, Record, ordered_levels
from attendance_toolkit.deepdives.longitudinal_districts import change_row
from attendance_toolkit.deepdives.transition_data import EVERYBODY, KEYS, TransitionData
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import enrolment_count, persistent_absence_rate, severe_absence_rate
from attendance_toolkit.metrics.cells import add_cells
from attendance_toolkit.metrics.transition.cohort import LEFT_OUT_YEARS
from attendance_toolkit.vocabulary.areas import ENGLAND, Area, find_area
from attendance_toolkit.vocabulary.calendar import academic_year_before
from attendance_toolkit.vocabulary.columns import ALL, MAIN_PHASES
from attendance_toolkit.vocabulary.steps import TRANSITION

#: Characteristics of DfE's bands file.
PUBLISHED_GROUPS = ("fsm_eligible", "sen_provision", "sex")
#: Rates that are followed, and the measure of what is expected of each.
EXPECTED = {"persistent_absence_rate": "expected_persistent", "severe_absence_rate": "expected_severe"}
_COUNTS = ("enrolments", "persistent_absentees", "severe_absentees")
_NEEDS_BANDS = (
    "Following a year group to the next one without pupil-level data needs DfE's absence bands file by authority and year"
    " group (pupil absence distributions): give it with the option published."
)


class TransitionPublishedData(TransitionData):
    """Published persistent and severe absence before and after the step: not the same pupils, but nearly all of them."""

    # -- exact tables: public ------------------------------------------------------------------------

    @cached_property
    def _published_cells(self) -> pd.DataFrame:
        """Cells of both year groups, of every area shown, all state-funded schools together."""
        if self.is_local:
            raise NoDataError(
                "Pupil-level data tell what became of the same pupils: published figures are not used here."
            )
        cells = self.inputs.published_cells("absence_bands", districts=True)
        return of_both_years(cells)

    @exact_table
    def published_steps(self) -> ExactTable:
        """Persistent and severe absence of the year group before the step and of the one after it, by year and group."""
        cells = self._published_cells
        parts = [add_cells(cells, KEYS).assign(**EVERYBODY)]
        parts += [
            add_cells(cells, [*KEYS, name]).rename(columns={name: "level"}).assign(characteristic=name)
            for name in PUBLISHED_GROUPS
        ]
        by = [*KEYS, "characteristic", "level"]
        cells = pd.concat(parts, ignore_index=True)
        makers = (enrolment_count, persistent_absence_rate, severe_absence_rate)
        return self._as_published_table(pd.concat([make(cells, by) for make in makers], ignore_index=True))

    def _as_published_table(self, rows: pd.DataFrame) -> ExactTable:
        return self.inputs.published_table(rows.assign(series="census", dataset="absence_bands"))

    # -- which figures are held against each other ---------------------------------------------------

    @cached_property
    def _published_steps_lookup(self) -> Lookup:
        return Lookup(self.published_steps, [*KEYS, "characteristic", "level", "measure"])

    def published_rate(
        self, measure: str, nc_year: str, year: int, *, code: str = "", characteristic: str = ALL, level: str = ALL
    ) -> Record | None:
        """Return a published rate of a year group, by default of the area and of all its pupils."""
        return self._published_steps_lookup(
            area_code=code or self.area.code, academic_year=year, nc_year=nc_year, characteristic=characteristic,
            level=level, measure=measure,
        )  # fmt: skip

    @cached_property
    def published_pairs(self) -> tuple[int, ...]:
        """The later years of the steps there are figures of, earliest first; years of the pandemic are left out.

        Raises
        ------
        NoDataError
            There are none.
        """
        rows = self.published_steps.rows
        there = {int(year) for year in rows.loc[rows["area_code"] == self.area.code, "academic_year"]}
        found = sorted(
            year
            for year in there
            if academic_year_before(year) in there and not {year, academic_year_before(year)} & set(LEFT_OUT_YEARS)
        )
        if not found:
            raise NoDataError(
                f"There are no figures by year group of {self.area.name} in two years running, the years of the pandemic left"
                " out."
            )
        return tuple(found)

    @property
    def published_year(self) -> int:
        """The later year of the last step with figures."""
        return self.published_pairs[-1]

    @cached_property
    def published_places(self) -> tuple[Area, ...]:
        """The districts beside the area by name, the area itself among or after them, then England: those with figures."""
        there = set(self.published_steps.rows["area_code"])
        places = [*self.inputs.districts, self.area, find_area(ENGLAND)]
        return tuple(area for area in dict.fromkeys(places) if area.code in there)

    def published_levels(self) -> list[tuple[str, str]]:
        """Return everybody, then the known levels of each characteristic that the area has."""
        rows = self.published_steps.rows
        rows = rows[rows["area_code"] == self.area.code]
        found = [(ALL, ALL)]
        for name in PUBLISHED_GROUPS:
            levels = rows.loc[rows["characteristic"] == name, "level"].astype(str)
            found += [(name, level) for level in ordered_levels(name, levels) if level != "Unknown"]
        return found

    # -- derived tables ------------------------------------------------------------------------------

    @derived_table
    def published_changes(self) -> ProtectedTable:
        """Change from the year group before the step to the one after it a year later, by area, group and measure (``about``).

        Newcombe's interval, which takes both years as independent: as most pupils are in both, it is wider than it need be.
        """
        return derived_from(self._published_change_rows(), self.published_steps)

    def _published_change_rows(self) -> Iterable[dict[str, Any]]:
        before_group, after_group = TRANSITION
        rows = self.published_steps.rows
        groups = rows[["area_code", "characteristic", "level"]].drop_duplicates()
        for year in self.published_pairs:
            for code, characteristic, level in groups.itertuples(index=False):
                for about in EXPECTED:
                    before = self.published_rate(
                        about, before_group, academic_year_before(year), code=code, characteristic=characteristic,
                        level=level,
                    )  # fmt: skip
                    after = self.published_rate(
                        about, after_group, year, code=code, characteristic=characteristic, level=level
                    )
                    if before is None or after is None:
                        continue
                    yield change_row(
                        "cohort_step", before, after, area_code=code, academic_year=year,
                        since=academic_year_before(year), characteristic=characteristic, level=level, about=about,
                    )  # fmt: skip

    @cached_property
    def _published_changes_lookup(self) -> Lookup:
        return Lookup(self.published_changes, ["area_code", "academic_year", "characteristic", "level", "about"])

    def published_change(
        self, about: str, *, year: int = 0, code: str = "", characteristic: str = ALL, level: str = ALL
    ) -> Record | None:
        """Return the change over a step, by default the last one of all the area's pupils."""
        return self._published_changes_lookup(
            area_code=code or self.area.code, academic_year=year or self.published_year, characteristic=characteristic,
            level=level, about=about,
        )  # fmt: skip


def of_both_years(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of the year groups on both sides of the step, of the main school types.

    Raises
    ------
    NoDataError
        There are none.
    """
    if not cells.empty:
        cells = cells[cells["nc_year"].isin(TRANSITION) & cells["phase"].isin(MAIN_PHASES)]
    if cells.empty:
        raise NoDataError(_NEEDS_BANDS)
    bands = [name for name in cells.columns if str(name).startswith("band_")]
    counts = [*_COUNTS, *bands]
    return cells[[*KEYS, "area_level", "phase", *PUBLISHED_GROUPS, *counts]].astype(dict.fromkeys(counts, "float64"))
