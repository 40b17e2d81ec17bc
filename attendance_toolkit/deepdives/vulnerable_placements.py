"""Looked-after children by whose care they are in and where their school is: own children, others' children, placed elsewhere."""

from __future__ import annotations

import contextlib
from functools import cached_property

import numpy as np
import pandas as pd

from attendance_toolkit.deepdives._base import exact_table
from attendance_toolkit.deepdives._shared import HEADLINE, MAIN_COUNTS, Lookup, Record, count_of, or_nothing, rate_of
from attendance_toolkit.deepdives.vulnerable_data import HIDDEN, KEYS, VulnerableData, or_notice
from attendance_toolkit.disclosure.release import ExactTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.cells import add_cells
from attendance_toolkit.metrics.overview import measure_rows
from attendance_toolkit.presentation.blocks import Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import figure_words, interval_cell, interval_words, source_of
from attendance_toolkit.presentation.narrative import is_shown
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, MAIN_PHASES

#: Who looks after a child at a school of the area, told by the authority the school is in.
SAME, OTHER, UNKNOWN = "The authority of the school", "Another authority", "Unknown"
ELSEWHERE = "Elsewhere"
SHOWN = ("enrolments", *HEADLINE[:2])
_BY = [*KEYS, "phase", "characteristic", "level", "in_care_of"]
NEEDS_LIST = (
    "Whose care looked-after children are in is not known. Load a list of pupil flags with the column responsible_la: the"
    " name or code of the authority that looks after the child."
)


class VulnerablePlacements(VulnerableData):
    """Looked-after children in and out of the authority that looks after them, as far as the store has the schools."""

    @cached_property
    def _in_care(self) -> pd.DataFrame:
        """Cells of looked-after children of the year by authority of the school and authority responsible."""
        self.need_pupils()
        cells = self.inputs.local_cells(
            ["phase", "looked_after", "responsible_la"], counts=MAIN_COUNTS, years=[self.year], districts=True
        )
        districts = [area.code for area in self.inputs.local_districts]
        kept = (cells["looked_after"] == "Yes") & cells["phase"].isin(MAIN_PHASES) & cells["area_code"].isin(districts)
        cells = cells[kept]
        if cells.empty or set(cells["responsible_la"]) <= {UNKNOWN}:
            raise NoDataError(NEEDS_LIST)
        return cells.assign(phase=ALL_SCHOOLS, characteristic="looked_after", level="Yes")

    @exact_table
    def placements(self) -> ExactTable:
        """Absence of looked-after children at the area's schools, by whether the school's own authority looks after them."""
        cells = self._in_care
        cells = cells[cells["area_code"].isin(self.members)]
        if cells.empty:
            raise NoDataError(NEEDS_LIST)
        kind = np.where(cells["responsible_la"] == cells["area_code"], SAME, OTHER)
        kind = np.where(cells["responsible_la"] == UNKNOWN, UNKNOWN, kind)
        cells = cells.assign(area_code=self.area.code, in_care_of=kind)
        parts = [add_cells(cells, _BY), add_cells(cells.assign(in_care_of=ALL), _BY)]
        return self._care_table(pd.concat(parts, ignore_index=True), "absence")

    @exact_table
    def placed_elsewhere(self) -> ExactTable:
        """Absence of children looked after by the area's authorities at schools of other authorities in the store."""
        cells = self._in_care
        outside = ~cells["area_code"].isin(self.members)
        if not outside.any():
            raise NoDataError(
                "The store has no schools of other authorities, where the area's children might be placed."
            )
        cells = cells[outside & cells["responsible_la"].isin(self.members)]
        if cells.empty:
            raise NoDataError("No child looked after by the area is at a school of another authority in the store.")
        cells = cells.assign(area_code=self.area.code, in_care_of=ELSEWHERE)
        return self._care_table(add_cells(cells, _BY), self.own_topic("looked-after children at schools elsewhere"))

    def _care_table(self, cells: pd.DataFrame, topic: str) -> ExactTable:
        rows = measure_rows(cells, _BY)
        return self.inputs.local_table(rows[rows["measure"].isin(SHOWN)].reset_index(drop=True), topic=topic)

    # -- blocks --------------------------------------------------------------------------------------

    @cached_property
    def _care_lookups(self) -> dict[str, Lookup]:
        found = {"here": Lookup(self.placements, ["in_care_of", "measure"])}
        # Where nobody is known to be placed elsewhere there is no such row.
        with contextlib.suppress(NoDataError):
            found[ELSEWHERE] = Lookup(self.placed_elsewhere, ["in_care_of", "measure"])
        return found

    def in_care_of(self, whom: str, measure: str) -> Record | None:
        """Return a figure of looked-after children by who looks after them, or of those at schools elsewhere."""
        lookup = self._care_lookups.get(ELSEWHERE if whom == ELSEWHERE else "here")
        return lookup(in_care_of=whom, measure=measure) if lookup else None

    @property
    def _care_rows(self) -> tuple[tuple[str, str], ...]:
        """(level, words) of the rows of the table, for one authority or for several."""
        name = self.area.name
        if len(self.members) > 1:
            return (
                (ALL, f"At schools of {name}"),
                (SAME, "In the care of the authority the school is in"),
                (OTHER, "In the care of another authority"),
                (UNKNOWN, "Not known whose care"),
                (ELSEWHERE, f"In the care of {name}, at schools elsewhere"),
            )
        return (
            (ALL, f"At schools of {name}"),
            (SAME, f"In the care of {name}, at its schools"),
            (OTHER, f"In the care of others, at schools of {name}"),
            (UNKNOWN, f"Not known whose care, at schools of {name}"),
            (ELSEWHERE, f"In the care of {name}, at schools elsewhere"),
        )

    @or_notice
    def placements_table(self) -> Table | Notice | Result:
        """Return absence of looked-after children by whose care they are in and where they go to school."""
        rows = []
        for whom, words in self._care_rows:
            size, absence, persistent = (self.in_care_of(whom, measure) for measure in SHOWN)
            if size is None:
                continue
            cells = (rate_of(size), rate_of(absence), interval_cell(absence), count_of(persistent), rate_of(persistent))
            rows.append(Row(words, cells, emphasis=whom == ALL))
        return Table(
            "out-of-area-placements",
            f"Looked-after children in and out of their authority, {self.shown_year}",
            f"{self.area.name}; primary, secondary and special schools",
            (
                Column("Looked-after children", align="left"), Column("Enrolments"), Column("Rate", "Average absence", "%"),
                Column("95% interval", "Average absence"), Column("Number", "Persistent absence"),
                Column("Rate", "Persistent absence", "%"),
            ),
            tuple(rows),
            source_of(self.placements),
            (
                "Elsewhere: schools of the other authorities in the data. Children placed at schools of authorities that are not"
                " in the data, or at independent schools, are not counted.",
            ),
        )  # fmt: skip

    @or_nothing
    def placements_sentences(self) -> Findings | Result:
        """Return average absence of children in the care of the school's own authority and of another."""
        same, other = (self.in_care_of(whom, HEADLINE[0]) for whom in (SAME, OTHER))
        if not (is_shown(same) and is_shown(other)):
            return Findings((f"Whether children placed out of their authority miss more cannot be told: {HIDDEN}.",))
        return Findings((
            "Looked-after children at schools of the authority that looks after them missed"
            f" {figure_words(same)} of their sessions ({interval_words(same)}); those in the care of another authority"
            f" {figure_words(other)} ({interval_words(other)}). Who is placed elsewhere is not chosen at random: the difference"
            " says nothing about what placements do.",
        ))  # fmt: skip
