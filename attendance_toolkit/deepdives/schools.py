"""The schools of an area on one page: how each is rated against national figures, why, and what follows."""

from __future__ import annotations

from collections.abc import Iterable

from attendance_toolkit.deepdives._results import table_results
from attendance_toolkit.deepdives._shared import DEFINITIONS, HEADLINE, Record, page_head
from attendance_toolkit.deepdives.schools_days import SchoolsDays
from attendance_toolkit.deepdives.schools_meetings import SchoolsMeetings
from attendance_toolkit.deepdives.schools_rating_findings import SchoolsRatingFindings
from attendance_toolkit.deepdives.schools_reasons import SchoolsReasons
from attendance_toolkit.deepdives.schools_similar import SchoolsSimilar
from attendance_toolkit.deepdives.schools_trend import SchoolsTrend
from attendance_toolkit.deepdives.schools_year_groups import SchoolsYearGroups
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import Notice, PageHead, Result, Tile, Tiles
from attendance_toolkit.vocabulary.columns import MAIN_PHASES
from attendance_toolkit.vocabulary.ledger import phrase

_DEFINITIONS = (
    f"{DEFINITIONS} Attendance is what is left of possible sessions when absence is taken off. Percentage points are"
    " differences between rates. A colour is a rule applied to figures of one year, not a judgement of a school."
)
#: Derived tables whose figures are in ``result.json``, and the columns that tell their rows apart.
_RESULTS = {
    "day_gaps": ("phase", "weekday"),
    "spell_shares": ("phase", "spell"),
    "school_meetings": ("round", "comparison"),
}


class Schools(
    SchoolsRatingFindings,
    SchoolsTrend,
    SchoolsSimilar,
    SchoolsYearGroups,
    SchoolsReasons,
    SchoolsDays,
    SchoolsMeetings,
):
    """Schools of one area as blocks; the tables are those of each part."""

    def head(self) -> PageHead:
        """Return the title block and the footer."""
        return page_head(
            self.inputs,
            report="schools",
            title=f"Schools in {self.area.name}",
            subtitle=f"{self.shown_year}: how attendance compares with national figures, and what follows",
            tables=self.cleared_of("school_groups", "national"),
            definitions=_DEFINITIONS,
        )

    def tiles(self) -> Tiles:
        """Return how many schools have each colour, with what it stands for."""
        return Tiles(tuple(self._tiles()))

    def _tiles(self) -> Iterable[Tile]:
        try:
            counts = self.colour_counts()
        except NoDataError:
            counts = {}
        rated = sum(count for name, count in counts.items() if name)
        for level in self.levels:
            if not rated:
                yield Tile(level.name, "Not available", "No school can be rated.")
                continue
            count = counts.get(level.name, 0)
            of_phases = [
                f"{phase} {here}" for phase in MAIN_PHASES if (here := self.colour_counts(phase).get(level.name, 0))
            ]
            comparison = f"of {rated:,} rated" + (f": {', '.join(of_phases)}" if count else "")
            yield Tile(
                self.colour_cell(level.name), phrase(f"{count:,} schools", "schools"), phrase(comparison, "schools")
            )

    def pupils_notice(self) -> Notice | Result:
        """Return what pupil-level data would add, where there is none."""
        if self.is_local:
            return Result(())
        return Notice(
            "Groups of pupils, similar schools, reasons, days of the week and meetings need pupil-level data: attendance load,"
            " then attendance report schools with the option store. Published files have all pupils of a school alone.",
            "What is not here",
        )

    def results(self) -> Result:
        """Return every headline number for ``result.json``."""
        rows: list[Record] = []
        for name, columns in _RESULTS.items():
            rows += table_results(self, name, columns, ("enrolments", *HEADLINE))
        return Result(tuple(rows))
