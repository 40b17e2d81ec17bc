"""The deep dive into the step from primary to secondary school on one page: what happened, what to expect, what support did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attendance_toolkit.deepdives._change_words import moved
from attendance_toolkit.deepdives._results import result_row, table_results
from attendance_toolkit.deepdives._shared import (
    DEFINITIONS,
    HEADLINE,
    SHORT,
    Record,
    capital,
    empty_tile,
    page_head,
)
from attendance_toolkit.deepdives.transition_data import FIRST, STEPS, year_words
from attendance_toolkit.deepdives.transition_days import TransitionDays
from attendance_toolkit.deepdives.transition_forecast import TransitionForecast
from attendance_toolkit.deepdives.transition_links import TransitionLinks
from attendance_toolkit.deepdives.transition_proof import TransitionProof
from attendance_toolkit.deepdives.transition_published import TransitionPublished
from attendance_toolkit.deepdives.transition_published_data import EXPECTED
from attendance_toolkit.deepdives.transition_schools import TransitionSchools
from attendance_toolkit.deepdives.transition_sections import TransitionSections
from attendance_toolkit.deepdives.transition_support import TransitionSupport
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import Notice, PageHead, Result, Tile, Tiles
from attendance_toolkit.presentation.narrative import is_shown, said
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.measures import MEASURES

_DEFINITIONS = (
    f"{DEFINITIONS} Where pupils are followed, a pupil counts once, with the sessions of all schools of the data together."
    " Percentage points are differences between rates. A dip is a rise of absence after the step."
)
#: Rates in tables of statistics are said elsewhere: those of the area as a whole would be taken for its headline figures.
_SAID_BEFORE = ("enrolments", "pupils", *HEADLINE)
#: Derived and modelled tables whose figures are in ``result.json``, and the columns that tell their rows apart.
_RESULTS: Mapping[str, Sequence[str]] = {
    "roll": ("outcome",),
    "steps": ("nc_year", "characteristic", "level", "about"),
    "steps_second": ("nc_year", "characteristic", "level", "about"),
    "section_changes": ("since", "about"),
    "days": ("nc_year",),
    "forecast": ("destination",),
    "proof": ("model", "outcome", "since", "characteristic", "level", "predicted"),
    "supported": ("support_group", "model"),
    "published_changes": ("since", "characteristic", "level", "about"),
    "published_tests": ("model", "rate_about", "scope", "characteristic", "level"),
    "published_outlook": ("model", "about"),
}


class Transition(
    TransitionLinks,
    TransitionSchools,
    TransitionSections,
    TransitionDays,
    TransitionForecast,
    TransitionProof,
    TransitionSupport,
    TransitionPublished,
):
    """Year 6 to Year 7 in one area as blocks; the tables are those of each part."""

    def head(self) -> PageHead:
        """Return the title block and the footer."""
        names = (
            ("changes", "roll", "forecast", "destinations")
            if self.is_local
            else ("published_steps", "published_outlook")
        )
        return page_head(
            self.inputs,
            report="transition_y6_y7",
            title=f"From {year_words(FIRST)} to {year_words(STEPS[FIRST])} in {self.area.name}",
            subtitle=f"Up to {self.shown_year}: what happened to attendance, what to expect next, and what support achieved",
            tables=self.cleared_of(*names),
            definitions=_DEFINITIONS,
        )

    # -- headline figures ----------------------------------------------------------------------------

    def tiles(self) -> Tiles:
        """Return the three rates after the last step with their change, of the same pupils where they can be followed."""
        return Tiles(tuple(self._followed_tiles() if self.is_local else self._published_tiles()))

    def _followed_tiles(self) -> Iterable[Tile]:
        for about in HEADLINE[::-1]:
            try:
                before, after = self.rates_of(about)
                change = self.step(about)
            except NoDataError:
                before = after = change = None
            words = year_words(STEPS[FIRST])
            if not is_shown(before) or not is_shown(after):
                yield empty_tile(about, after, self.shown_year)
                continue
            moved_by = capital(moved(change)) if is_shown(change) else "Change hidden"
            yield Tile(
                f"{SHORT[about]} in {words}",
                said(after),
                f"{moved_by} for the same pupils since {year_words(FIRST)} ({said(before)})",
            )

    def _published_tiles(self) -> Iterable[Tile]:
        for about in EXPECTED:
            try:
                year = self.published_year
                before = self.published_rate(about, FIRST, academic_year_before(year))
                after = self.published_rate(about, STEPS[FIRST], year)
                change = self.published_change(about)
            except NoDataError:
                before = after = change = None
            if not is_shown(before) or not is_shown(after):
                yield empty_tile(about, after, self.shown_year)
                continue
            since = f"{year_words(FIRST)} a year before"
            yield Tile(
                f"{SHORT[about]} in {year_words(STEPS[FIRST])}",
                said(after),
                f"{capital(moved(change)) if is_shown(change) else 'Change hidden'} against {since} ({said(before)})",
            )

    def pupils_notice(self) -> Notice | Result:
        """Return what pupil-level data would add, where there is none."""
        if self.is_local:
            return Result(())
        return Notice(
            "What became of the same pupils, forecasts for schools and pupils, the proof of these, pupils given support and"
            " school days need pupil-level data: attendance load, then attendance report transition_y6_y7 with the option"
            " store.",
            "What is not here",
        )

    # -- results -------------------------------------------------------------------------------------

    def results(self) -> Result:
        """Return every headline number for ``result.json``."""
        rows: list[Record] = []
        if self.is_local:
            rows += self._rate_results()
        for name, columns in _RESULTS.items():
            rows += table_results(self, name, columns, _SAID_BEFORE)
        return Result(tuple(rows))

    def _rate_results(self) -> Iterable[Record]:
        try:
            years = self.step_years()
        except NoDataError:
            return
        for year in years:
            for about in HEADLINE:
                for side, nc_year in zip(self.rates_of(about, year), (FIRST, STEPS[FIRST]), strict=True):
                    if side is not None:
                        groups = {"nc_year": nc_year, "step_until": show_academic_year(year), "level": ALL}
                        own = int(side["academic_year"])
                        yield result_row(self, side, MEASURES[about].name, own, self.area.code, groups)
