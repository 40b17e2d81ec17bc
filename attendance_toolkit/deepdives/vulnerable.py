"""Vulnerable pupils on one page: looked-after children first, waves of support, placements, support and what it did."""

from __future__ import annotations

from collections.abc import Iterable

from attendance_toolkit.deepdives._results import result_row, table_results
from attendance_toolkit.deepdives._shared import DEFINITIONS, HEADLINE, SHORT, Record, empty_tile, page_head
from attendance_toolkit.deepdives.vulnerable_england import VulnerableEngland
from attendance_toolkit.deepdives.vulnerable_groups import VulnerableGroupBlocks
from attendance_toolkit.deepdives.vulnerable_groups_data import LOOKED_AFTER
from attendance_toolkit.deepdives.vulnerable_looked_after import LookedAfterBlocks
from attendance_toolkit.deepdives.vulnerable_placements import VulnerablePlacements
from attendance_toolkit.deepdives.vulnerable_published import CARED_FOR, VulnerablePublished
from attendance_toolkit.deepdives.vulnerable_support import VulnerableSupport
from attendance_toolkit.deepdives.vulnerable_waves import VulnerableWaves
from attendance_toolkit.deepdives.vulnerable_zero import VulnerableZero
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import PageHead, Result, Tile, Tiles
from attendance_toolkit.presentation.narrative import is_shown, said
from attendance_toolkit.vocabulary.areas import ENGLAND
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.measures import MEASURES

_DEFINITIONS = (
    f"{DEFINITIONS} Percentage points are differences between rates. Waves and placements count each looked-after child once,"
    " with the sessions of all schools of the data together."
)
#: Tables whose figures are in ``result.json``, and the columns that tell their rows apart.
_RESULTS = {
    "waves": ("term", "school_kind", "outcome"),
    "wave_steps": ("term", "outcome"),
    "no_attendance_beside": ("phase", "characteristic", "level"),
    "supported_pupils": ("support_group", "model"),
}


class VulnerableGroups(
    VulnerableGroupBlocks,
    VulnerableEngland,
    LookedAfterBlocks,
    VulnerableWaves,
    VulnerablePlacements,
    VulnerableZero,
    VulnerableSupport,
    VulnerablePublished,
):
    """Vulnerable groups of one area as blocks; the tables are those of each part."""

    def head(self) -> PageHead:
        """Return the title block and the footer."""
        return page_head(
            self.inputs,
            report="vulnerable_groups",
            title=f"Vulnerable pupils in {self.area.name}",
            subtitle=f"{self.shown_year}: attendance of looked-after children and other groups, and the support they get",
            tables=self.cleared_of(*(("vulnerable", "waves", "no_attendance") if self.is_local else ("social_care",))),
            definitions=_DEFINITIONS,
        )

    def tiles(self) -> Tiles:
        """Return the three rates of looked-after children, all pupils beside."""
        return Tiles(tuple(self._tiles()))

    def _tiles(self) -> Iterable[Tile]:
        for about in HEADLINE[::-1]:
            try:
                own, everybody = self.headline(about)
            except NoDataError:
                own = everybody = None
            if not is_shown(own):
                yield empty_tile(about, own, self.shown_year)
                continue
            whom = "All pupils" if self.is_local else "England"
            beside = f"{whom}: {said(everybody)}" if is_shown(everybody) else f"{whom}: not available"
            is_compared = self.is_local or self.area.code != ENGLAND
            yield Tile(f"{SHORT[about]} of looked-after children", said(own), beside if is_compared else "")

    def headline(self, about: str) -> tuple[Record | None, Record | None]:
        """Return a rate of looked-after children, and what it is held beside: all pupils, or England's if published.

        Raises
        ------
        NoDataError
            The inputs have nothing of these children.
        """
        if not self.is_local:
            return self.published_figure(CARED_FOR, about), self.published_figure(CARED_FOR, about, code=ENGLAND)
        return self.figure_of(LOOKED_AFTER, about), self.figure_of((ALL, ALL), about)

    def results(self) -> Result:
        """Return every headline number for ``result.json``."""
        rows: list[Record] = []
        if self.is_local:
            rows += self._group_results()
        for name, columns in _RESULTS.items():
            rows += table_results(self, name, columns, ("enrolments", *HEADLINE))
        return Result(tuple(rows))

    def _group_results(self) -> Iterable[Record]:
        try:
            groups = self.groups_shown
        except NoDataError:
            return
        for group in groups:
            for about in HEADLINE:
                record = self.figure_of(group, about)
                if record is not None:
                    told = {"characteristic": group[0], "level": group[1]}
                    yield result_row(self, record, MEASURES[about].name, self.year, self.area.code, told)
