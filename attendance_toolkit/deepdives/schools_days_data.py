"""What single marks of registers add to the page of schools: exact tables by day, session, school week and spell."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import pandas as pd

from attendance_toolkit.deepdives._base import exact_table
from attendance_toolkit.deepdives._outcomes import topic_of
from attendance_toolkit.deepdives.schools_data import SchoolsData
from attendance_toolkit.disclosure.primary import CONCENTRATED
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import absence_rate, with_contributors
from attendance_toolkit.metrics.mark_cells import mark_cells, spell_cells
from attendance_toolkit.metrics.marks import WEEKDAYS, MarkTable
from attendance_toolkit.vocabulary.columns import MAIN_PHASES

#: Days of the week with school; marks of others (boarders, visits) are left out.
SCHOOL_DAYS = WEEKDAYS[:5]
_NO_MARKS = (
    "Days of the week, spells of absence and the first weeks of the year need the single marks of registers; none of this"
    " area and year were loaded."
)


class SchoolsDaysData(SchoolsData):
    """Tables of register marks. Each is a topic of its own: a pupil is in every day and every week, so they do not add up."""

    @exact_table
    def days(self) -> ExactTable:
        """Overall absence by day of the week."""
        return self._table(self._by_phase(("weekday",)), ["weekday"])

    @exact_table
    def day_sessions(self) -> ExactTable:
        """Overall absence by day of the week and session."""
        return self._table(self._by_phase(("weekday", "session")), ["weekday", "session"])

    @exact_table
    def first_weeks(self) -> ExactTable:
        """Overall absence of the first school weeks of the year one by one, and of the later ones together."""
        return self._table(self._by_phase(("school_week",)), ["school_week"])

    @exact_table
    def spell_lengths(self) -> ExactTable:
        """Sessions missed in spells of each length as a share of all possible sessions.

        Of a school type all lengths are shown or none: together they are all sessions missed, which a reader may have.
        """
        cells = self._of_phases(spell_cells(self._marks))
        table = self._table(cells, ["spell"])
        rows = table.rows
        is_small = (rows["contributors"].fillna(0) < self.inputs.policy.threshold) | (
            rows["concentration"] >= CONCENTRATED
        )
        rows = rows[~rows["phase"].isin(rows.loc[is_small, "phase"])].reset_index(drop=True)
        if rows.empty:
            raise NoDataError("Spells of absence of too few pupils are in the registers to be told by their length.")
        return self.inputs.local_table(rows.drop(columns="series"), topic=table.topic)

    # -- marks ---------------------------------------------------------------------------------------

    @cached_property
    def _marks(self) -> MarkTable:
        if not self.is_local:
            raise NoDataError(_NO_MARKS)
        store = self.inputs.store
        assert store is not None
        if not set(store.marked()) & {(code, self.year) for code in self.members}:
            raise NoDataError(_NO_MARKS)
        return MarkTable(self.inputs.marks())

    def _by_phase(self, by: tuple[str, ...]) -> pd.DataFrame:
        cells = self._of_phases(mark_cells(self._marks, by))
        return cells[cells["weekday"].isin(SCHOOL_DAYS)] if "weekday" in by else cells

    def _of_phases(self, cells: pd.DataFrame) -> pd.DataFrame:
        """Return cells with the school type of each school; those of none of the main types are left out."""
        store = self.inputs.store
        assert store is not None
        listed = store.schools().dropna(subset=["laestab", "phase"]).drop_duplicates("laestab")
        phases = dict(zip(listed["laestab"].astype(int), listed["phase"].astype(str), strict=True))
        found = cells.assign(phase=cells["laestab"].map(phases), area_code=self.area.code, academic_year=self.year)
        found = found[found["phase"].isin(MAIN_PHASES)].reset_index(drop=True)
        if found.empty:
            raise NoDataError("No school type is known of the schools whose registers were loaded.")
        return found

    def _table(self, cells: pd.DataFrame, names: Sequence[str]) -> ExactTable:
        by = ["area_code", "academic_year", "phase", *names]
        rows = with_contributors(absence_rate(cells, by), cells, by)
        what = f"register marks by {' and '.join(names).replace('_', ' ')}"
        return self.inputs.local_table(rows, topic=topic_of(what, self.area))
