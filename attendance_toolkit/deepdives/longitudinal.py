"""The longitudinal deep dive on one page: who improves, who deteriorates, and why the rate moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attendance_toolkit.deepdives._change_words import SAME, moved
from attendance_toolkit.deepdives._results import result_row, table_results
from attendance_toolkit.deepdives._shared import (
    COVID_NOTE,
    COVID_YEARS,
    DEFINITIONS,
    HEADLINE,
    capital,
    empty_tile,
    page_head,
)
from attendance_toolkit.deepdives.longitudinal_change import LongitudinalChange
from attendance_toolkit.deepdives.longitudinal_cohorts import LongitudinalCohorts
from attendance_toolkit.deepdives.longitudinal_district_mix import LongitudinalDistrictMix
from attendance_toolkit.deepdives.longitudinal_flows import LongitudinalFlows
from attendance_toolkit.deepdives.longitudinal_school_contributions import LongitudinalSchoolContributions
from attendance_toolkit.deepdives.longitudinal_school_paths import LongitudinalSchoolPaths
from attendance_toolkit.deepdives.longitudinal_trend import LongitudinalTrend
from attendance_toolkit.errors import SeriesBreakError
from attendance_toolkit.metrics.absence import record_difference
from attendance_toolkit.presentation.blocks import Notice, PageHead, Result, Tile, Tiles
from attendance_toolkit.presentation.narrative import has_interval, is_shown, said, sentence_list
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS, MAIN_PHASES
from attendance_toolkit.vocabulary.directions import UNITS, direction_of
from attendance_toolkit.vocabulary.measures import MEASURES

Record = Mapping[str, Any]

_DEFINITIONS = (
    f"{DEFINITIONS} A band is a pupil's own share of possible sessions missed in a term or a year. Percentage points are"
    " differences between rates."
)
#: Derived and modelled tables whose figures are in ``result.json``, and the columns that tell their rows apart.
_RESULTS: Mapping[str, Sequence[str]] = {
    "year_changes": ("since", "phase", "about"),
    "same_term_changes": ("since", "phase", "term", "about"),
    "district_changes": ("about", "span"),
    "district_mix": ("model",),
    "trend": ("phase", "characteristic", "level", "model"),
    "growth": ("phase", "model"),
    "control": ("phase", "line"),
    "turnover_parts": ("about", "part", "when"),
    "mix_change": ("since", "model"),
    "persistence": ("threshold", "step", "phase", "characteristic", "level"),
    "origins": ("threshold", "origin"),
    "recovered": ("threshold", "terms_since"),
    "excesses": ("trajectory",),
    "directions": ("phase", "characteristic", "level", "direction"),
    "school_funnels": ("phase",),
    "cohort_steps": ("about", "step"),
}
#: Rates that stand in these tables beside their statistics are headline figures already.
_NOT_AGAIN = ("enrolments", "pupils", *HEADLINE, "control_value")


class Longitudinal(
    LongitudinalFlows,
    LongitudinalSchoolPaths,
    LongitudinalSchoolContributions,
    LongitudinalTrend,
    LongitudinalChange,
    LongitudinalCohorts,
    LongitudinalDistrictMix,
):
    """Change over terms and years in one area as blocks; its tables are those of ``LongitudinalData`` and of each part."""

    def head(self) -> PageHead:
        """Return the title block and the footer."""
        return page_head(
            self.inputs,
            report="longitudinal",
            title=f"Improving and deteriorating: absence in {self.area.name} over the years",
            subtitle=f"Up to {self.shown_year}: how rates moved, why, and what became of the same pupils",
            tables=self.cleared_of("rates", "groups", "flows", "published"),
            definitions=_DEFINITIONS,
        )

    def tiles(self) -> Tiles:
        """Return the area's three rates with their change since the year before and since the first year shown."""
        tiles = []
        for measure in HEADLINE[::-1]:
            record = self.own(measure)
            if not is_shown(record):
                tiles.append(empty_tile(measure, record, self.shown_year))
                continue
            earlier = [year for year in self.shown_years if year < self.year and is_shown(self.own(measure, year))]
            since = list(dict.fromkeys([earlier[-1], earlier[0]])) if earlier else []
            words = "; ".join(filter(None, (self._since(measure, record, year) for year in since)))
            spark = tuple((self.own(measure, year) or {"rate": None})["rate"] for year in self.shown_years)
            tiles.append(Tile(MEASURES[measure].label, said(record), capital(words), spark))
        return Tiles(tuple(tiles))

    def _since(self, measure: str, record: Record, year: int) -> str:
        before = self.own(measure, year)
        assert before is not None
        try:
            change = record_difference(record, before)
        except SeriesBreakError:
            return ""
        words = moved(change)
        than = "since" if has_interval(change) else "as in" if words == SAME else "than in"
        return f"{words} {than} {show_academic_year(year)} ({said(before)})"

    def missing_notice(self) -> Notice:
        """Return what these inputs cannot show, and whom the figures count."""
        return Notice(" ".join(self._notice_parts()), "Who is counted" if self.is_local else "What is not here")

    def _notice_parts(self) -> Iterable[str]:
        years = [show_academic_year(year) for year in self.shown_years]
        if self.is_local:
            yield (
                f"The store has {sentence_list(years)}. Rates count enrolments, as in DfE's statistics; where pupils are"
                " followed, a pupil counts once, whatever schools the pupil is enrolled at. The pupils of two years are mostly"
                " the same: intervals that take years as independent are rather too wide."
            )
            return
        yield (
            "This page was made from published figures alone: rates and counts of each year. They do not follow pupils: what"
            " became of the same pupils, trajectories, schools, and who joined and who left need pupil-level data."
        )
        if self.area.level == "Combined authority":
            yield f"DfE publishes no figures for {self.area.name}: those here are its authorities' counts, added up."
        if any(year in COVID_YEARS for year in self.shown_years):
            yield f"{COVID_NOTE} There are no full-year figures for 2019/20."

    def definitions_notice(self) -> Notice:
        """Return the one written definition of improving and deteriorating for each kind of unit."""
        units = UNITS if self.is_local else UNITS[:2]
        named: dict[str, list[str]] = {}
        for unit in units:
            # Areas and groups have one definition, but for the word.
            named.setdefault(direction_of(unit).text.replace(f"of the {unit} ", ""), []).append(unit)
        texts = [(sentence_list(those), direction_of(those[0])) for those in named.values()]
        return Notice(
            " ".join(f"{capital(those)}. {known.text}" for those, known in texts), "Improving and deteriorating"
        )

    # -- results -------------------------------------------------------------------------------------

    def results(self) -> Result:
        """Return every headline number for ``result.json``."""
        rows: list[Record] = []
        for measure in HEADLINE:
            for phase in (ALL_SCHOOLS, *MAIN_PHASES):
                for year in self.shown_years:
                    record = self.own(measure, year, phase)
                    if record is not None:
                        rows.append(result_row(self, record, measure, year, self.area.code, {"phase": phase}))
        for name, columns in _RESULTS.items():
            rows += table_results(self, name, columns, _NOT_AGAIN)
        return Result(tuple(rows))
