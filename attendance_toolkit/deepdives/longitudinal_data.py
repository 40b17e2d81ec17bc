"""The tables that all parts of the longitudinal deep dive rest on, and which figure speaks for the area in a year."""

from __future__ import annotations

from functools import cached_property

import pandas as pd

from attendance_toolkit.deepdives._base import DeepDive, exact_table
from attendance_toolkit.deepdives._shared import HEADLINE, MAIN_COUNTS, MAINSTREAM, Lookup, Record
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import enrolment_count, persistent_absence_rate, severe_absence_rate
from attendance_toolkit.metrics.cells import add_cells
from attendance_toolkit.metrics.overview import by_characteristic, measure_rows, with_all_schools
from attendance_toolkit.vocabulary.calendar import TERM_LABELS
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, MAIN_PHASES

#: Measures that count enrolments at a threshold, and the count each is made of.
THRESHOLDS = {"persistent_absence_rate": "persistent_absentees", "severe_absence_rate": "severe_absentees"}
#: Characteristics by which groups are followed through the years: of pupil-level data, and of DfE's bands file.
GROUPS = ("fsm_eligible", "sen_provision", "sex", "ethnicity_major", "first_language")
PUBLISHED_GROUPS = ("fsm_eligible", "sen_provision", "sex")
KEYS = ["area_code", "academic_year", "phase"]
_COUNTS = ("enrolments", *THRESHOLDS.values())


class LongitudinalData(DeepDive):
    """Cross-sections of the years looked at: by phase, term, characteristic, year group and district.

    Pupil-level data have the year asked for and up to two before it; published files all their years up to it.
    """

    # -- cells ---------------------------------------------------------------------------------------

    @cached_property
    def _detail(self) -> pd.DataFrame:
        """Counts at the thresholds by phase, characteristic and year group: local, else of DfE's bands file.

        Published ones are of all areas compared, local ones of the area.
        """
        if self.is_local:
            return self.inputs.local_cells(["phase", *GROUPS, "nc_year"], counts=_COUNTS)
        cells = self.inputs.published_cells("absence_bands")
        if cells.empty:
            raise NoDataError("Figures by pupil group need pupil-level data or DfE's absence bands file.")
        cells = cells[cells["phase"] != ALL_SCHOOLS].astype(dict.fromkeys(_COUNTS, "float64"))
        return cells[[*KEYS, *PUBLISHED_GROUPS, "nc_year", *_COUNTS]]

    @cached_property
    def characteristics(self) -> tuple[str, ...]:
        """Characteristics by which groups can be followed here."""
        return GROUPS if self.is_local else PUBLISHED_GROUPS

    @property
    def year_group_schools(self) -> str:
        """School types whose year groups are followed: special schools are left out of pupil-level figures."""
        return MAINSTREAM if self.is_local else ALL_SCHOOLS

    def _as_table(self, rows: pd.DataFrame) -> ExactTable:
        if self.is_local:
            return self.inputs.local_table(rows)
        return self.inputs.published_table(rows.assign(series="census", dataset="absence_bands"))

    # -- tables --------------------------------------------------------------------------------------

    @exact_table
    def rates(self) -> ExactTable:
        """Overall, persistent and severe absence of the area by phase and year, from pupil-level data."""
        cells = self.inputs.local_cells(["phase"], counts=(*MAIN_COUNTS, "no_absence_enrolments"))
        here = cells[(cells["academic_year"] == self.year) & cells["phase"].isin(MAIN_PHASES)]
        if not here["enrolments"].sum():
            raise NoDataError(
                f"No phase is known of any school of {self.area.name} with pupils to count in {self.shown_year}. Load a"
                " list of schools (a GIAS download) as well; attendance report data_quality says what else the data lack."
            )
        rows = measure_rows(with_all_schools(cells, KEYS), KEYS)
        return self.inputs.local_table(rows[rows["measure"].isin((*HEADLINE, "enrolments"))])

    @exact_table
    def published(self) -> ExactTable:
        """Census rates of full years by phase for the area and the wider areas."""
        rows = self.inputs.published_rates()
        chosen = rows["measure"].isin(HEADLINE) & (rows["period"] == "year") & (rows["series"] == "census")
        return self.inputs.published_table(rows[chosen])

    @exact_table
    def terms(self) -> ExactTable:
        """Headline measures by year, term and phase, from pupil-level data; else of DfE's attendance series."""
        keys = [*KEYS, "term"]
        if not self.is_local:
            rates = self.inputs.published_rates(areas=[self.area.code])
            rows = rates[rates["period"].isin(list(TERM_LABELS)) & rates["measure"].isin(HEADLINE)]
            if rows.empty:
                raise NoDataError("Absence by term needs pupil-level data or the attendance series' term files.")
            return self.inputs.published_table(rows.rename(columns={"period": "term"}))
        cells = self.inputs.local_cells(["phase", "term"], counts=(*MAIN_COUNTS, "no_absence_enrolments"))
        cells = cells[cells["term"].isin(list(TERM_LABELS))]
        if cells.empty:
            raise NoDataError("The store has sessions of the whole year alone, which cannot be split into terms.")
        rows = measure_rows(with_all_schools(cells, keys), keys)
        return self.inputs.local_table(rows[rows["measure"].isin((*HEADLINE, "enrolments"))])

    @exact_table
    def groups(self) -> ExactTable:
        """Persistent and severe absence by year, phase and characteristic, and by year group (``year_group_schools``)."""
        by = [*KEYS, "characteristic", "level"]
        cells = self._detail
        mainstream = cells[cells["phase"].isin(["Primary", "Secondary"])].assign(phase=MAINSTREAM)
        years = by_characteristic(mainstream, KEYS, ["nc_year"])
        years = years[(years["characteristic"] == "nc_year") & (years["phase"] == MAINSTREAM)]
        if not self.is_local:
            # Of pupil-level data special schools would be what is left, and a few pupils in each year group.
            every = add_cells(cells[cells["phase"].isin(MAIN_PHASES)], [*KEYS[:2], "nc_year"])
            every = every.rename(columns={"nc_year": "level"}).assign(phase=ALL_SCHOOLS, characteristic="nc_year")
            years = pd.concat([years, every], ignore_index=True)
        cells = pd.concat([by_characteristic(cells, KEYS, self.characteristics), years], ignore_index=True)
        return self._as_table(self._threshold_rows(cells, by))

    @exact_table
    def districts(self) -> ExactTable:
        """Persistent and severe absence of the area's districts by year: of areas with more than one."""
        if self.area.level == "Local authority":
            raise NoDataError(f"{self.area.name} is one district: what its schools and groups contribute stands here.")
        if self.is_local:
            cells = self.inputs.local_cells(["phase"], counts=_COUNTS, districts=True)
        else:
            cells = self.inputs.published_cells("absence_bands", districts=True)
            if cells.empty:
                raise NoDataError("What each district contributes needs pupil-level data or DfE's absence bands file.")
        here = [self.area.code, *(area.code for area in self.inputs.districts)]
        cells = cells[cells["phase"].isin(MAIN_PHASES) & cells["area_code"].isin(here)].assign(phase=ALL_SCHOOLS)
        if cells["area_code"].nunique() < 2:
            raise NoDataError(f"The data hold no districts of {self.area.name} to tell apart.")
        return self._as_table(self._threshold_rows(cells[[*KEYS, *_COUNTS]], KEYS))

    @staticmethod
    def _threshold_rows(cells: pd.DataFrame, by: list[str]) -> pd.DataFrame:
        makers = (enrolment_count, persistent_absence_rate, severe_absence_rate)
        return pd.concat([make(cells, by) for make in makers], ignore_index=True)

    # -- which figures speak for the area ------------------------------------------------------------

    @cached_property
    def _rates_lookup(self) -> Lookup:
        return Lookup(self.rates, [*KEYS, "measure"])

    @cached_property
    def _published_lookup(self) -> Lookup:
        return Lookup(self.published, [*KEYS, "measure"])

    @cached_property
    def _groups_lookup(self) -> Lookup:
        return Lookup(self.groups, [*KEYS, "characteristic", "level", "measure"])

    @cached_property
    def shown_years(self) -> tuple[int, ...]:
        """The years with figures of the area, earliest first."""
        rows = self.rates.rows if self.is_local else self.published.rows
        return tuple(sorted(rows.loc[rows["area_code"] == self.area.code, "academic_year"].astype(int).unique()))

    @cached_property
    def group_years(self) -> tuple[int, ...]:
        """The years with figures by pupil group of the area, earliest first."""
        rows = self.groups.rows
        return tuple(sorted(rows.loc[rows["area_code"] == self.area.code, "academic_year"].astype(int).unique()))

    def own(self, measure: str, year: int = 0, phase: str = ALL_SCHOOLS) -> Record | None:
        """Return the area's own figure: pupil-level where there is a store, else the published census."""
        lookup = self._rates_lookup if self.is_local else self._published_lookup
        return lookup(area_code=self.area.code, academic_year=year or self.year, phase=phase, measure=measure)

    def wider_figure(self, code: str, measure: str, year: int, phase: str = ALL_SCHOOLS) -> Record | None:
        """Return a wider area's published census figure."""
        return self._published_lookup(area_code=code, academic_year=year, phase=phase, measure=measure)

    def group(
        self, measure: str, characteristic: str, level: str, year: int, phase: str, area_code: str = ""
    ) -> Record | None:
        """Return the figure of a group with counts; both "All" for everybody in the phase."""
        return self._groups_lookup(
            area_code=area_code or self.area.code, academic_year=year, phase=phase, characteristic=characteristic,
            level=level, measure=measure,
        )  # fmt: skip

    def everybody(self, measure: str, year: int, phase: str = ALL_SCHOOLS, area_code: str = "") -> Record | None:
        """Return the figure with counts of all pupils of a phase."""
        return self.group(measure, ALL, ALL, year, phase, area_code)
