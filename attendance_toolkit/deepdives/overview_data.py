"""The tables behind the area overview, and which figure speaks for the area."""

from __future__ import annotations

from functools import cached_property

import pandas as pd

from attendance_toolkit.deepdives._base import DeepDive, exact_table
from attendance_toolkit.deepdives._shared import HEADLINE, MAIN_COUNTS, MAINSTREAM, Lookup, Record
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import attendance_bands, reason_rates, record_difference, with_contributors
from attendance_toolkit.metrics.cards import (
    attendance_from_absence,
)
from attendance_toolkit.metrics.overview import (
    by_characteristic,
    headline_rows,
    measure_rows,
    unknown_rows,
    with_all_schools,
)
from attendance_toolkit.presentation.narrative import (
    is_shown,
)
from attendance_toolkit.vocabulary.areas import ENGLAND
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, academic_year_before
from attendance_toolkit.vocabulary.columns import (
    ALL,
    ALL_SCHOOLS,
    CELL_COUNTS,
    CONTRIBUTOR_COUNTS,
    MAIN_PHASES,
)

TABLE_1 = (
    "attendance_rate",
    "authorised_absence_rate",
    "unauthorised_absence_rate",
    "persistent_absence_rate",
    "severe_absence_rate",
)
GROUPS = ("fsm_eligible", "fsm6", "sen_provision", "sex", "ethnicity_major", "first_language")
FEW = ("nc_year", "looked_after", "social_worker")
#: Ending of a characteristic's name that makes it the question whether it is known at all.
RECORDED = "_recorded"


class OverviewData(DeepDive):
    """The figures of one area and year. Tables are made once, when a release asks for them.

    What is shown is made from the tables as cleared, and from those alone.
    """

    # -- tables --------------------------------------------------------------------------------------

    @exact_table
    def groups(self) -> ExactTable:
        """Main measures by area, year, phase and each characteristic, from pupil-level data or the bands file."""
        keys = ["area_code", "academic_year", "phase"]
        by = [*keys, "characteristic", "level"]
        if self.is_local:
            cells = self.inputs.local_cells(["phase", *GROUPS], counts=MAIN_COUNTS)
            few = self.inputs.local_cells(["phase", *FEW], counts=MAIN_COUNTS)
            others = by_characteristic(few, keys, FEW)
            parts = [
                by_characteristic(cells, keys, GROUPS),
                others[others["characteristic"] != ALL],
                self._mainstream(few, keys),
            ]
            rows = measure_rows(pd.concat(parts, ignore_index=True), by)
            return self.inputs.local_table(rows.assign(dataset=self.inputs.series))
        cells = self._bands
        if cells.empty:
            raise NoDataError("Figures by pupil group need pupil-level data or DfE's absence bands file.")
        parts = [
            by_characteristic(cells, keys, ["fsm_eligible", "sen_provision", "sex"]),
            self._mainstream(cells, keys),
        ]
        rows = measure_rows(pd.concat(parts, ignore_index=True), by)
        return self.inputs.published_table(rows.assign(series="census", dataset="absence_bands"))

    @staticmethod
    def _mainstream(cells: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
        mainstream = cells[cells["phase"].isin(["Primary", "Secondary"])].assign(phase=MAINSTREAM)
        rows = by_characteristic(mainstream, keys, ["nc_year"])
        return rows[(rows["characteristic"] == "nc_year") & (rows["phase"] == MAINSTREAM)]

    @cached_property
    def _local_by_phase(self) -> pd.DataFrame:
        cells = self.inputs.local_cells(["phase"], counts=(*CELL_COUNTS, *CONTRIBUTOR_COUNTS))
        here = cells.loc[(cells["academic_year"] == self.year) & (cells["enrolments"] > 0), "phase"]
        if not set(here) - {"Unknown"}:
            # Registers, transfer files and returns of one row a pupil do not say what kind of school a school is.
            raise NoDataError(
                f"No phase is known of any school of {self.area.name} with pupils to count in {self.shown_year}. Load a"
                " list of schools (a GIAS download) as well; attendance report data_quality says what else the data lack."
            )
        return with_all_schools(cells, ["area_code", "academic_year", "phase"])

    @cached_property
    def _bands(self) -> pd.DataFrame:
        cells = self.inputs.published_cells("absence_bands")
        if cells.empty:
            return cells
        counts = [name for name in CELL_COUNTS if name in cells.columns]
        return cells[cells["phase"] != ALL_SCHOOLS].astype(dict.fromkeys(counts, "float64"))

    @exact_table
    def cards(self) -> ExactTable:
        """Rows of the headline cards for the area, all schools and each phase (pupil-level data only)."""
        return self.inputs.local_table(headline_rows(self._local_by_phase, ["area_code", "academic_year", "phase"]))

    @exact_table
    def published(self) -> ExactTable:
        """Published rates by phase, both series, for the areas compared."""
        rows = self.inputs.published_rates()
        full = rows[rows["measure"].isin(TABLE_1 + HEADLINE) & (rows["period"] == "year")]
        # The census publishes absence only; attendance is what it leaves, for added-up authorities too.
        full = full[(full["series"] != "census") | full["measure"].ne("attendance_rate")]
        census = full[full["series"] == "census"]
        return self.inputs.published_table(pd.concat([full, attendance_from_absence(census)], ignore_index=True))

    @exact_table
    def local_reasons(self) -> ExactTable:
        """Absence by reason for each phase, from pupil-level data."""
        cells = self._local_by_phase[self._local_by_phase["academic_year"] == self.year]
        by = ["area_code", "academic_year", "phase"]
        return self.inputs.local_table(with_contributors(reason_rates(cells, by), cells, by))

    @exact_table
    def published_reasons(self) -> ExactTable:
        """Absence by reason for each phase, from the attendance series where files give it."""
        rates = self.inputs.published_rates()
        if "reason" in rates.columns:
            chosen = (rates["measure"] == "reason_rate") & (rates["period"] == "year")
            chosen &= rates["academic_year"] == self.year
            if chosen.any():
                return self.inputs.published_table(rates[chosen])
        raise NoDataError("Reasons for absence need pupil-level data or DfE's attendance series.")

    @cached_property
    def reasons(self) -> ProtectedTable:
        """Absence by reason for each phase: local, and the attendance series where files give it."""
        tables = []
        for name in ("local_reasons", "published_reasons"):
            try:
                tables.append(self.cleared(name))
            except NoDataError as error:
                missing = error
        if not tables:
            raise missing
        return ProtectedTable.concat(tables)

    @exact_table
    def bands(self) -> ExactTable:
        """Enrolments by band of overall absence, for each phase."""
        keys = ["area_code", "academic_year", "phase"]
        if self.is_local:
            cells = self._local_by_phase[self._local_by_phase["academic_year"] == self.year]
            return self.inputs.local_table(attendance_bands(cells, keys))
        cells = self._bands
        if cells.empty:
            raise NoDataError("Bands of absence need pupil-level data or DfE's absence bands file.")
        rows = attendance_bands(with_all_schools(cells, keys), keys)
        return self.inputs.published_table(rows.assign(series="census", dataset="absence_bands"))

    @exact_table
    def terms(self) -> ExactTable:
        """Main measures by term and phase: local, else the attendance series by term."""
        if not self.is_local:
            rates = self.inputs.published_rates()
            chosen = rates["period"].isin(list(TERM_LABELS)) & (rates["academic_year"] == self.year)
            rows = rates[chosen & rates["measure"].isin(HEADLINE)]
            if rows.empty:
                raise NoDataError("Absence by term needs pupil-level data or the attendance series' term files.")
            return self.inputs.published_table(rows.rename(columns={"period": "term"}))
        cells = self.inputs.local_cells(["phase", "term"], counts=MAIN_COUNTS, years=[self.year])
        keys = ["area_code", "academic_year", "phase", "term"]
        return self.inputs.local_table(measure_rows(with_all_schools(cells, keys), keys))

    @exact_table
    def unknown(self) -> ExactTable:
        """Share of enrolments whose characteristic is not known."""
        keys = ["area_code", "academic_year"]
        if self.is_local:
            cells = self.inputs.local_cells(
                ["phase", *GROUPS], counts=MAIN_COUNTS, years=[self.year], keep_unknown=True
            )
            rows = unknown_rows(cells[cells["phase"].isin(MAIN_PHASES)], keys, GROUPS)
            # Where the unknown are counted with another level, they are no level of the characteristic.
            counted = rows["characteristic"].isin(self.merged)
            names = rows["characteristic"].where(~counted, rows["characteristic"] + RECORDED)
            return self.inputs.local_table(rows.assign(characteristic=names))
        if self._bands.empty:
            raise NoDataError("What is not known about pupils needs pupil-level data or DfE's absence bands file.")
        rows = unknown_rows(self._bands, keys, ("sex", "fsm_eligible", "sen_provision"))
        return self.inputs.published_table(rows.assign(series="census"))

    @cached_property
    def not_known(self) -> ProtectedTable:
        """Share of enrolments whose characteristic is not known, under the plain names of the characteristics."""
        table = self.unknown
        rows = table.rows.assign(characteristic=table.rows["characteristic"].str.removesuffix(RECORDED))
        return table.with_rows(rows)

    # -- which figures speak for the area ------------------------------------------------------------

    @cached_property
    def _published_lookup(self) -> Lookup:
        return Lookup(self.published, ["series", "area_code", "academic_year", "phase", "measure"])

    @cached_property
    def _cards_lookup(self) -> Lookup:
        return Lookup(self.cards, ["area_code", "academic_year", "phase", "measure"])

    def own(self, measure: str, year: int, phase: str = ALL_SCHOOLS) -> Record | None:
        """The area's own figure: pupil-level where there is a store, else the published census."""
        if self.is_local:
            return self._cards_lookup(area_code=self.area.code, academic_year=year, phase=phase, measure=measure)
        return self._from("census", self.area.code, measure, year, phase)

    def _from(self, series: str, area: str, measure: str, year: int, phase: str = ALL_SCHOOLS) -> Record | None:
        return self._published_lookup(series=series, area_code=area, academic_year=year, phase=phase, measure=measure)

    def england(self, measure: str, year: int, phase: str = ALL_SCHOOLS) -> Record | None:
        """England's census figure, unless the area is England itself."""
        return None if self.area.code == ENGLAND else self._from("census", ENGLAND, measure, year, phase)

    def _change(self, measure: str, phase: str = ALL_SCHOOLS) -> tuple[Record, Record, Record] | None:
        """Records of the year before, this year and the change, or None where a side is missing."""
        previous = academic_year_before(self.year)
        before, after = self.own(measure, previous, phase), self.own(measure, self.year, phase)
        if not (is_shown(before) and is_shown(after)):
            return None
        return before, after, record_difference(after, before)
