"""The tables behind the deep dive on severe absence: who is severely absent, and with which characteristics crossed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import pandas as pd

from attendance_toolkit.deepdives._base import DeepDive, exact_table
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import (
    enrolment_count,
    persistent_absence_rate,
    severe_absence_rate,
    severe_kind_rates,
)
from attendance_toolkit.metrics.cells import add_cells
from attendance_toolkit.metrics.crossings import (
    crossable,
    crossed_cells,
    families_of,
    strata_of,
    too_deep,
    with_year_band,
)
from attendance_toolkit.metrics.overview import by_characteristic, latest_year, with_all_schools
from attendance_toolkit.vocabulary.calendar import academic_year_before
from attendance_toolkit.vocabulary.columns import (
    ALL,
    ALL_SCHOOLS,
    CELL_COUNTS,
    MAIN_PHASES,
    SEVERE_COUNTS,
    TIME_ON_ROLL,
)

#: The characteristics whose every combination is a stratum: published files have them too.
CROSSED = ("fsm_eligible", "sen_provision", "sex", "nc_year_band")
#: Further characteristics of pupil-level data that are crossed in pairs.
FURTHER = ("ethnicity_major", "first_language", "social_worker")
#: Sets of three that are crossed beside all pairs.
TRIPLES = (
    ("fsm_eligible", "sen_provision", "sex"),
    ("fsm_eligible", "sen_provision", "nc_year_band"),
    ("fsm_eligible", "sex", "nc_year_band"),
    ("sen_provision", "sex", "nc_year_band"),
    ("fsm_eligible", "sex", "ethnicity_major"),
)
#: Sets that have rows of "Any SEN" as well, so that pupil-level figures can be held against published ones.
WITH_ANY_SEN = (
    ("sen_provision",),
    ("fsm_eligible", "sen_provision"),
    ("sen_provision", "sex"),
    ("fsm_eligible", "sen_provision", "sex"),
)
#: Severe absentees there must be for each combination of characteristics, on average, for partners to be shown them.
LEAST_EACH = 20
#: Characteristics of the profile by school type: of pupil-level data, and of published files.
GROUPS = ("fsm_eligible", "fsm6", "sen_provision", "sex", "ethnicity_major", "first_language")
FEW = ("nc_year", "looked_after", "social_worker")
PUBLISHED_GROUPS = ("fsm_eligible", "sen_provision", "sex")
#: Characteristics compared between districts.
BY_DISTRICT = ("fsm_eligible", "sen_provision", "sex")
MAINSTREAM = "Primary and secondary"

_KEYS = ["area_code", "academic_year", "phase"]
_COUNTS = ("enrolments", "severe_absentees")
_KIND_COUNTS = (
    *_COUNTS,
    *(name for name in CELL_COUNTS if name.startswith("sessions_") and name.endswith("_severe")),
    *SEVERE_COUNTS,
)


class SevereAbsenceData(DeepDive):
    """The figures of severe absence in one area and year. Tables are made once, when a release asks for them.

    What is shown is made from the tables as cleared, and from those alone.
    """

    # -- cells ---------------------------------------------------------------------------------------

    @cached_property
    def _detail(self) -> pd.DataFrame:
        """Cells of pupil-level data by everything that is crossed, for all years looked at."""
        cells = self.inputs.local_cells(["phase", *CROSSED[:3], "nc_year", *FURTHER], counts=_COUNTS)
        return with_year_band(cells)

    @cached_property
    def _bands(self) -> pd.DataFrame:
        """Cells of the published bands, all areas compared and all years."""
        cells = self.inputs.published_cells("absence_bands")
        if cells.empty:
            raise NoDataError("Severe absence by pupil group needs pupil-level data or DfE's absence bands file.")
        return with_year_band(_published(cells))

    @cached_property
    def _own(self) -> pd.DataFrame:
        """Cells of the area's primary, secondary and special schools, all years."""
        cells = self._detail if self.is_local else self._bands[self._bands["area_code"] == self.area.code]
        chosen = cells[cells["phase"].isin(MAIN_PHASES)].assign(phase=ALL_SCHOOLS)
        if not chosen["enrolments"].sum():
            raise NoDataError(
                f"No primary, secondary or special school of {self.area.name} with pupils to count is known. Load a list"
                " of schools (a GIAS download) as well; attendance report data_quality says what else the data lack."
            )
        return chosen

    @cached_property
    def data_year(self) -> int:
        """The academic year of crossed figures: the one asked for, or the last published before it."""
        return latest_year(self._own, self.year, "figures by pupil group")

    def _of_year(self, year: int) -> pd.DataFrame:
        return self._own[self._own["academic_year"] == year]

    def _table(self, cells: pd.DataFrame, by: Sequence[str]) -> ExactTable:
        return self._as_table(_main_rows(cells, by))

    def _as_table(self, rows: pd.DataFrame) -> ExactTable:
        if self.is_local:
            return self.inputs.local_table(rows)
        return self.inputs.published_table(rows.assign(series="census", dataset="absence_bands"))

    def _crossed_table(self, cells: pd.DataFrame, characteristics: Sequence[str]) -> ExactTable:
        """Return crossed cells as a table in which partners are not shown what is crossed too deep for its numbers.

        Where an authority has fewer severe absentees than would make a group of ``LEAST_EACH`` for each combination, nearly
        all of the combinations would be hidden, and would take plainer figures with them. The decision rests on the area's
        total, rounded, and on the number of combinations. Published figures are not hidden.
        """
        by = [*_KEYS, *characteristics]
        if not self.is_local:
            return self._table(cells, by)
        base = self.inputs.policy.rounding
        rounded = cells.assign(severe_absentees=cells["severe_absentees"] // base * base)
        deep = too_deep(rounded, _KEYS, characteristics, "severe_absentees", LEAST_EACH)
        rows = _main_rows(cells.assign(withheld=deep), [*by, "withheld"])
        return self._as_table(rows)

    # -- the profile ---------------------------------------------------------------------------------

    @exact_table
    def groups(self) -> ExactTable:
        """Severe absence by area, year, phase and each characteristic; published files have the wider areas too."""
        by = [*_KEYS, "characteristic", "level"]
        if self.is_local:
            cells = self.inputs.local_cells(["phase", *GROUPS], counts=_COUNTS)
            few = self.inputs.local_cells(["phase", *FEW], counts=_COUNTS)
            others = by_characteristic(few, _KEYS, FEW)
            parts = [by_characteristic(cells, _KEYS, GROUPS), others[others["characteristic"] != ALL]]
        else:
            few = self._bands[self._bands["phase"] != ALL_SCHOOLS]
            parts = [by_characteristic(few, _KEYS, PUBLISHED_GROUPS)]
        mainstream = few[few["phase"].isin(["Primary", "Secondary"])].assign(phase=MAINSTREAM)
        years = by_characteristic(mainstream, _KEYS, ["nc_year"])
        parts.append(years[(years["characteristic"] == "nc_year") & (years["phase"] == MAINSTREAM)])
        return self._table(pd.concat(parts, ignore_index=True), by)

    @exact_table
    def phases(self) -> ExactTable:
        """Severe and persistent absence by area, year and phase."""
        counts = (*_COUNTS, "persistent_absentees")
        cells = self.inputs.local_cells(["phase"], counts=counts) if self.is_local else self._bands
        cells = with_all_schools(cells, _KEYS)
        return self._as_table(
            pd.concat([_main_rows(cells, _KEYS), persistent_absence_rate(cells, _KEYS)], ignore_index=True)
        )

    @exact_table
    def wider(self) -> ExactTable:
        """Published severe and persistent absence by year and phase for the areas compared."""
        rows = self.inputs.published_rates()
        chosen = rows["measure"].isin(["severe_absence_rate", "persistent_absence_rate"]) & (rows["period"] == "year")
        return self.inputs.published_table(rows[chosen & (rows["series"] == "census")])

    @exact_table
    def terms(self) -> ExactTable:
        """Severe absence by term and phase (pupil-level data only)."""
        cells = self.inputs.local_cells(["phase", "term"], counts=_COUNTS, years=[self.year])
        by = [*_KEYS, "term"]
        return self._table(with_all_schools(cells, by), by)

    @exact_table
    def kinds(self) -> ExactTable:
        """Sessions severe absentees miss, by phase, kind and reason (pupil-level data only)."""
        cells = self.inputs.local_cells(["phase"], counts=_KIND_COUNTS, years=[self.year])
        cells = with_all_schools(cells, _KEYS)
        return self._as_table(
            pd.concat([_main_rows(cells, _KEYS).assign(reason=ALL), severe_kind_rates(cells, _KEYS)], ignore_index=True)
        )

    @exact_table
    def on_roll(self) -> ExactTable:
        """Severe absence by how many sessions the enrolment was on roll for (pupil-level data only)."""
        cells = self.inputs.local_cells(["phase", "time_on_roll"], counts=_COUNTS, years=[self.year])
        cells = cells[cells["phase"].isin(MAIN_PHASES)].assign(phase=ALL_SCHOOLS)
        by = [*_KEYS, "time_on_roll"]
        every = pd.concat([add_cells(cells, _KEYS).assign(time_on_roll=ALL), add_cells(cells, by)], ignore_index=True)
        order = [ALL, *(label for label, _ in TIME_ON_ROLL)]
        rows = _main_rows(every, by)
        return self._as_table(
            rows.sort_values("time_on_roll", key=lambda levels: levels.map(order.index), kind="stable")
        )

    # -- characteristics crossed ---------------------------------------------------------------------

    @exact_table
    def crossed(self) -> ExactTable:
        """Severe absence by characteristics crossed: each, all pairs, chosen triples, all strata."""
        cells = self._of_year(self.data_year)
        available = crossable(cells, (*CROSSED, *FURTHER))
        families = families_of(available, (*TRIPLES, CROSSED))
        found = crossed_cells(cells, _KEYS, [*CROSSED, *FURTHER], families, any_sen=WITH_ANY_SEN)
        return self._crossed_table(found, [*CROSSED, *FURTHER])

    @exact_table
    def year_sex(self) -> ExactTable:
        """Severe absence by year group and sex, all years looked at; published files have the wider areas too."""
        cells = self._detail if self.is_local else self._bands
        cells = cells[cells["phase"].isin(MAIN_PHASES)].assign(phase=ALL_SCHOOLS)
        found = crossed_cells(cells, _KEYS, ["nc_year", "sex"], families_of(["nc_year", "sex"]))
        return self._crossed_table(found, ["nc_year", "sex"])

    @exact_table
    def by_district(self) -> ExactTable:
        """Severe absence of FSM, SEN and sex in each district, and in the area they add up to."""
        if self.is_local:
            cells = self.inputs.local_cells(["phase", *BY_DISTRICT], counts=_COUNTS, years=[self.year], districts=True)
        else:
            cells = self.inputs.published_cells("absence_bands", districts=True)
            if cells.empty or len(self.inputs.districts) < 2:
                raise NoDataError(f"{self.area.name} is not compared with other districts.")
            cells = _published(cells)
            cells = cells[cells["academic_year"] == self.data_year]
        cells = cells[cells["phase"].isin(MAIN_PHASES)].assign(phase=ALL_SCHOOLS)
        if cells["area_code"].nunique() < 2:
            raise NoDataError(f"The data hold no other district to compare {self.area.name} with.")
        single = [(), *((name,) for name in BY_DISTRICT)]
        found = crossed_cells(cells, _KEYS, BY_DISTRICT, single, any_sen=WITH_ANY_SEN[:1])
        return self._table(found, [*_KEYS, *BY_DISTRICT])

    # -- the model -----------------------------------------------------------------------------------

    @exact_table
    def model(self) -> ExactTable:
        """Statistics of multilevel models of the strata: without and with main effects."""
        # Here, since only a release needs it: pages are made without fitting anything.
        from attendance_toolkit.deepdives._stratum_models import stratum_model_rows

        strata = strata_of(self._of_year(self.data_year), _KEYS, CROSSED)
        before = strata_of(self._of_year(academic_year_before(self.data_year)), _KEYS, CROSSED)
        return self._as_table(stratum_model_rows(strata, before, CROSSED, is_cut=self.is_local))


def _published(cells: pd.DataFrame) -> pd.DataFrame:
    """Return published cells with nothing but what is used here."""
    columns = [*_KEYS, "nc_year", *CROSSED[:3], *_COUNTS, "persistent_absentees"]
    return cells[columns]


def _main_rows(cells: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    return pd.concat([enrolment_count(cells, by), severe_absence_rate(cells, by)], ignore_index=True)
