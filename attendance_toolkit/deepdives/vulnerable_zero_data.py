"""The table of enrolments that missed every possible session, of all pupils and of each vulnerable group."""

from __future__ import annotations

from functools import cached_property

import pandas as pd

from attendance_toolkit.deepdives._base import derived_table, exact_table
from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._others import others_rows, share_row
from attendance_toolkit.deepdives._shared import Lookup, Record
from attendance_toolkit.deepdives.vulnerable_data import EVERYBODY, KEYS, VulnerableData
from attendance_toolkit.deepdives.vulnerable_groups_data import ALL_PUPILS, GROUPS
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import enrolment_count
from attendance_toolkit.metrics.overview import with_all_schools
from attendance_toolkit.metrics.zero_attendance import full_absence_rates
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS, FULL_ABSENCE_COUNTS, MAIN_PHASES

FULL = "full_absence_rate"
#: Parts of them that are counted, of all pupils in all schools: by kind of most sessions, and part-time timetables.
AUTHORISED, UNAUTHORISED, PART_TIME = (
    f"full_absence_{name}_rate" for name in ("authorised", "unauthorised", "part_time")
)
PARTS = (AUTHORISED, UNAUTHORISED, PART_TIME)
#: First academic year in which part-time timetables have a register code (C2, from 19 August 2024).
PART_TIME_FROM = 202425
#: School types in the order of the table.
ZERO_PHASES = (ALL_SCHOOLS, *MAIN_PHASES, "Pupil referral unit")
_BY = [*KEYS, "phase", "characteristic", "level"]


class VulnerableZeroData(VulnerableData):
    """Pupils with no attendance: enrolments that missed all their possible sessions of the year.

    Outside the coronavirus years that is the same as having attended none: a session coded X is possible, and neither
    attended nor missed. Such enrolments are severe absentees too, and the count is one DfE publishes.
    """

    @exact_table
    def no_attendance(self) -> ExactTable:
        """All sessions missed, by school type, and by vulnerable group in all schools together."""
        self.need_pupils()
        names = tuple(dict.fromkeys(name for name, _ in GROUPS))
        counts = ("enrolments", *FULL_ABSENCE_COUNTS)
        cells = self.inputs.local_cells(["phase", *names], counts=counts, years=[self.year])
        cells = cells[cells["phase"].isin(ZERO_PHASES)]
        if not cells["enrolments"].sum():
            raise NoDataError(
                f"No school of {self.area.name} with pupils to count is of a known kind. Load a list of schools (a GIAS"
                " download) as well."
            )
        keys = [*KEYS, "phase"]
        parts = [with_all_schools(cells, keys).assign(**EVERYBODY)]
        for name, level in GROUPS:
            of_group = with_all_schools(cells[cells[name].astype(str) == level], keys)
            # In all schools alone: few pupils have no attendance, and more cells would hide more of them.
            of_group = of_group[(of_group["phase"] == ALL_SCHOOLS) & (of_group["enrolments"] > 0)]
            parts.append(of_group.assign(characteristic=name, level=level))
        every = pd.concat(parts, ignore_index=True)
        rates = full_absence_rates(every, _BY)
        is_whole = (rates["phase"] == ALL_SCHOOLS) & (rates["characteristic"] == ALL_PUPILS[0])
        rates = rates[is_whole | (rates["measure"] == FULL)]
        if self.year < PART_TIME_FROM:
            rates = rates[rates["measure"] != PART_TIME]
        return self.inputs.local_table(pd.concat([enrolment_count(every, _BY), rates], ignore_index=True))

    @derived_table
    def no_attendance_beside(self) -> ProtectedTable:
        """Each group beside all other pupils, and kinds of sessions as shares of the enrolments with no attendance."""
        total = self.zero_of(ALL_PUPILS)
        rows = []
        for group in self.zero_groups:
            rows += others_rows(self.zero_of(group), total, characteristic=group[0], level=group[1], kind="")
        for part in PARTS:
            of_part = self.zero_of(ALL_PUPILS, part)
            if of_part is not None:
                groups = {"characteristic": ALL_PUPILS[0], "level": ALL_PUPILS[1], "kind": part}
                rows.append(share_row("share_of_absentees", of_part, total, **groups))
        return derived_from(rows, self.no_attendance)

    # -- cleared figures -----------------------------------------------------------------------------

    @cached_property
    def _zero_lookup(self) -> Lookup:
        return Lookup(self.no_attendance, [*_BY, "measure"])

    def zero_of(self, group: tuple[str, str], measure: str = FULL, phase: str = ALL_SCHOOLS) -> Record | None:
        """Return a figure of a group, or of all pupils (``ALL_PUPILS``), as cleared."""
        return self._zero_lookup(
            area_code=self.area.code, academic_year=self.year, phase=phase, characteristic=group[0], level=group[1],
            measure=measure,
        )  # fmt: skip

    @cached_property
    def _beside_lookup(self) -> Lookup:
        return Lookup(self.no_attendance_beside, ["characteristic", "level", "kind", "measure"])

    def zero_beside(self, group: tuple[str, str], measure: str, kind: str = "") -> Record | None:
        """Return a figure of a group beside all other pupils."""
        return self._beside_lookup(characteristic=group[0], level=group[1], kind=kind, measure=measure)

    @cached_property
    def zero_groups(self) -> tuple[tuple[str, str], ...]:
        """The groups of which the year has anybody."""
        return tuple(group for group in GROUPS if self.zero_of(group) is not None)
