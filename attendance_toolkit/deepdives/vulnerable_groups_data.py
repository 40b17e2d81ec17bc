"""The tables of vulnerable groups: absence of each beside all pupils, needs that come together, looked-after children."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd

from attendance_toolkit.deepdives._base import exact_table
from attendance_toolkit.deepdives._shared import HEADLINE, MAIN_COUNTS, YEAR_GROUPS, Lookup, Record, level_words
from attendance_toolkit.deepdives.vulnerable_data import EVERYBODY, KEYS, VulnerableData
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.cells import add_cells
from attendance_toolkit.metrics.overview import measure_rows, with_all_schools
from attendance_toolkit.vocabulary.calendar import academic_year_before
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, MAIN_PHASES
from attendance_toolkit.vocabulary.ledger import phrase

LOOKED_AFTER = ("looked_after", "Yes")
#: Groups shown: characteristic and level.
GROUPS = (
    LOOKED_AFTER,
    ("social_worker", "Yes"),
    ("protection_plan", "Yes"),
    ("young_carer", "Yes"),
    ("sen_provision", "EHC plan"),
    ("sen_provision", "SEN support"),
    ("fsm_eligible", "FSM eligible"),
)
#: Groups known from lists an authority loads beside the census.
LISTED = tuple(name for name, level in GROUPS if level == "Yes")
#: Needs that are counted when they come together: those of social care are one.
NEEDS = (
    (LOOKED_AFTER, ("social_worker", "Yes"), ("protection_plan", "Yes")),
    (("sen_provision", "EHC plan"), ("sen_provision", "SEN support")),
    (("fsm_eligible", "FSM eligible"),),
    (("young_carer", "Yes"),),
)
TOGETHER = "needs_together"
#: Enrolments of a group known from lists, from which on it is parted by school type, year group and SEN for partners.
LEAST_PARTED = 100
#: How many of the needs a pupil has.
TOGETHER_LEVELS = ("None of them", "One of them", "Two of them", "Three or more")
PHASES = (*MAIN_PHASES, "Pupil referral unit")
#: School types by which groups from lists are shown: few of their pupils are in others, and the total has them.
FEW_PHASES = ("Primary", "Secondary")
SHOWN = ("enrolments", *HEADLINE)
_BY = [*KEYS, "phase", "characteristic", "level"]
_NAMES = tuple(dict.fromkeys(name for name, _ in GROUPS))


def phases_of(name: str) -> tuple[str, ...]:
    """Return the school types by which the groups of a characteristic are shown, the total of the main ones first.

    >>> phases_of("looked_after"), phases_of("sen_provision")
    (('All schools', 'Primary', 'Secondary'), ('All schools', 'Primary', 'Secondary', 'Special'))
    """
    return (ALL_SCHOOLS, *(FEW_PHASES if name in LISTED else MAIN_PHASES))


def group_words(characteristic: str, level: str) -> str:
    """Return the pupils of a group as a row of a table names them.

    >>> group_words("looked_after", "Yes"), group_words("sen_provision", "EHC plan"), group_words("All", "All")
    ('Looked after', 'EHC plan', 'All pupils')
    """
    return level_words(characteristic, level)


class VulnerableGroupsData(VulnerableData):
    """Absence of vulnerable groups by year and school type, and of looked-after children by year group and SEN."""

    # -- exact tables --------------------------------------------------------------------------------

    @cached_property
    def _cells(self) -> pd.DataFrame:
        self.need_pupils()
        cells = self.inputs.local_cells(["phase", "nc_year", *_NAMES], counts=MAIN_COUNTS)
        cells = cells[cells["phase"].isin(PHASES)]
        if not cells["enrolments"].sum():
            raise NoDataError(
                f"No school of {self.area.name} with pupils to count is of a known kind. Load a list of schools (a GIAS"
                " download) as well."
            )
        return cells

    def _known(self, name: str) -> pd.DataFrame:
        """Return the cells of the years in which a characteristic is known of anybody."""
        cells = self._cells
        years = cells.loc[cells[name].astype(str) != "Unknown", "academic_year"].unique()
        return cells[cells["academic_year"].isin(years)]

    def _of(self, group: tuple[str, str], cells: pd.DataFrame | None = None) -> pd.DataFrame:
        known = self._known(group[0]) if cells is None else cells
        return known[known[group[0]] == group[1]]

    def _is_small(self, cells: pd.DataFrame) -> bool:
        """Whether a group is too small to be parted for partners: its total, rounded, in the year of the page.

        Nearly all of its parts would be hidden, and would take its total with them.
        """
        is_total = (cells["phase"] == ALL_SCHOOLS) & (cells["academic_year"] == self.year)
        base = self.inputs.policy.rounding
        return int(cells.loc[is_total, "enrolments"].sum()) // base * base < LEAST_PARTED

    def _rows(self, cells: pd.DataFrame, by: list[str]) -> pd.DataFrame:
        rows = measure_rows(cells, by)
        return rows[rows["measure"].isin(SHOWN)].reset_index(drop=True)

    @exact_table
    def vulnerable(self) -> ExactTable:
        """Absence of all pupils and of each vulnerable group, by school type in the year itself, in total in the year before.

        Severe absence of the year before, and anything of the year before that, is of all pupils and looked-after children
        alone: each further figure of a small group is one more that others may have to be hidden for.
        """
        keys = [*KEYS, "phase"]
        parts = [with_all_schools(self._cells, keys).assign(**EVERYBODY)]
        for name, level in GROUPS:
            cells = with_all_schools(self._of((name, level)), keys)
            is_total, is_now = cells["phase"] == ALL_SCHOOLS, cells["academic_year"] == self.year
            cells = cells[is_total | (is_now & cells["phase"].isin(phases_of(name)))]
            cells = cells.assign(characteristic=name, level=level)
            if name in LISTED:
                cells["withheld"] = (cells["phase"] != ALL_SCHOOLS) & self._is_small(cells)
            parts.append(cells)
        now = self._cells[(self._cells["academic_year"] == self.year) & self._cells["phase"].isin(MAIN_PHASES)]
        parts.append(add_cells(now.assign(phase=ALL_SCHOOLS, characteristic=TOGETHER, level=_together(now)), _BY))
        cells = pd.concat(parts, ignore_index=True)
        cells["withheld"] = cells["withheld"].fillna(False).astype(bool)
        rows = self._rows(cells, [*_BY, "withheld"])
        is_changed = (rows["academic_year"] == self.year_before) & (rows["measure"] != HEADLINE[-1])
        kept = (rows["academic_year"] == self.year) | is_changed | rows["characteristic"].isin([ALL, LOOKED_AFTER[0]])
        return self.inputs.local_table(rows[kept].reset_index(drop=True))

    @exact_table
    def looked_after_years(self) -> ExactTable:
        """Absence of looked-after children by year group, in primary, secondary and special schools together."""
        by = [*_BY, "nc_year", "withheld"]
        return self.inputs.local_table(self._rows(add_cells(self._looked_after_now(YEAR_GROUPS), by), by))

    @exact_table
    def looked_after_sen(self) -> ExactTable:
        """Absence of looked-after children with and without SEN, in primary, secondary and special schools together."""
        cells = self._looked_after_now()
        level = cells["sen_provision"].astype(object)
        cells = cells.assign(sen_provision=level.where(~level.isin(["EHC plan", "SEN support"]), "Any SEN"))
        by = [*_BY, "sen_provision", "withheld"]
        return self.inputs.local_table(self._rows(add_cells(cells, by), by))

    def _looked_after_now(self, year_groups: tuple[str, ...] = ()) -> pd.DataFrame:
        cells = self._of(LOOKED_AFTER)
        cells = cells[(cells["academic_year"] == self.year) & cells["phase"].isin(MAIN_PHASES)].assign(
            phase=ALL_SCHOOLS
        )
        cells["withheld"] = self._is_small(cells)
        if year_groups:
            cells = cells[cells["nc_year"].isin(year_groups)]
        if cells.empty:
            raise NoDataError(
                f"No pupil in schools of {self.area.name} is known to be looked after in {self.shown_year}. Load a list of"
                " pupil flags: a CSV of UPN, academic_year and looked_after."
            )
        return cells.assign(characteristic=LOOKED_AFTER[0], level=LOOKED_AFTER[1])

    # -- cleared figures -----------------------------------------------------------------------------

    @cached_property
    def _vulnerable_lookup(self) -> Lookup:
        return Lookup(self.vulnerable, [*_BY, "measure"])

    def figure_of(
        self, group: tuple[str, str], measure: str, *, phase: str = ALL_SCHOOLS, year: int = 0
    ) -> Record | None:
        """Return a figure of a group (or of all pupils, ``(ALL, ALL)``) as cleared."""
        return self._vulnerable_lookup(
            area_code=self.area.code, academic_year=year or self.year, phase=phase, characteristic=group[0], level=group[1],
            measure=measure,
        )  # fmt: skip

    @cached_property
    def groups_shown(self) -> tuple[tuple[str, str], ...]:
        """The groups of which the year has anybody."""
        return tuple(group for group in GROUPS if self.figure_of(group, "enrolments") is not None)

    @cached_property
    def year_before(self) -> int:
        """The academic year before that of the page."""
        return academic_year_before(self.year)

    @cached_property
    def has_year_before(self) -> bool:
        """Whether the store has the year before that of the page."""
        return self.year_before in self.years


def _together(cells: pd.DataFrame) -> np.ndarray:
    """Return how many of the needs the pupils of each cell have, as a level."""
    count = np.zeros(len(cells), dtype=int)
    for need in NEEDS:
        has = np.zeros(len(cells), dtype=bool)
        for name, level in need:
            has |= (cells[name].astype(str) == level).to_numpy()
        count += has
    return np.array(TOGETHER_LEVELS, dtype=object)[np.minimum(count, len(TOGETHER_LEVELS) - 1)]


def together_words(level: str) -> str:
    """Return a level of needs together in words whose numbers are of groups, not of pupils."""
    return phrase(level, "groups")


ALL_PUPILS = (ALL, ALL)
