"""Does absence move more than it ordinarily does: control charts of half terms. With all blocks on the trend."""

from __future__ import annotations

import numpy as np
import pandas as pd

from attendance_toolkit.deepdives._change_words import (
    schools,
)
from attendance_toolkit.deepdives._shared import (
    COVID_YEARS,
    HEADLINE,
    NO_DATA_YEARS,
    or_nothing,
    or_notice,
    the_area,
)
from attendance_toolkit.deepdives.longitudinal_trend_data import (
    LOWER,
    MEAN,
    SHOWN_PHASES,
    UPPER,
)
from attendance_toolkit.deepdives.longitudinal_trend_fitted import LongitudinalTrendFitted
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.control_chart import ENOUGH_POINTS, ControlChart
from attendance_toolkit.presentation.blocks import Figure, Findings, Notice, Result
from attendance_toolkit.presentation.formats import figure_words
from attendance_toolkit.presentation.limit_charts import SIGNALS, control_chart
from attendance_toolkit.presentation.narrative import (
    is_shown,
    percent,
    sentence_list,
)
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS
from attendance_toolkit.vocabulary.ledger import phrase

#: Spans of half terms in words.
SPAN_WORDS = {
    "1-2": "Autumn", "3-4": "Spring", "5-6": "Summer", "1": "Autumn, first half", "2": "Autumn, second half",
    "3": "Spring, first half", "4": "Spring, second half", "5": "Summer, first half", "6": "Summer, second half",
}  # fmt: skip


class LongitudinalTrend(LongitudinalTrendFitted):
    """Blocks on the course of absence over years, terms and half terms."""

    # -- beyond ordinary variation -------------------------------------------------------------------

    @or_notice
    def control_figure(self, phase: str) -> Figure | Notice | Result:
        """Return the control chart of overall absence by half term, the season taken out."""
        short = self._too_few_points(phase)
        if short:
            return Notice(short, "No control chart") if phase == ALL_SCHOOLS else Result(())
        table, chart, limits = self.control_of(phase)
        keys = list(zip(table.rows["academic_year"], table.rows["half_term"], strict=True))
        flags = {
            rule: [(int(keys[place][0]), keys[place][1]) for place in np.flatnonzero(hits)]
            for rule, hits in chart.signals.items()
        }
        years = {int(year) for year, _ in keys}
        return control_chart(
            table,
            id=f"control-{phase.split(' ')[0].lower()}",
            title=self._control_title(phase, chart),
            subtitle=f"Overall absence by half term, the season taken out; {schools(phase)} of {the_area(self.area)}",
            centre=limits[MEAN]["rate"],
            lower=limits[LOWER]["rate"],
            upper=limits[UPPER]["rate"],
            x="half_term",
            year="academic_year",
            signals={rule: found for rule, found in flags.items() if found},
            is_trial=chart.is_trial,
            gap_years=NO_DATA_YEARS,
            marked_years=sorted(set(COVID_YEARS) & years),
            labels={"half_term": SPAN_WORDS},
            notes=[
                "The season taken out: from each value the mean of its kind of half term is taken off and the mean of all put on."
            ],
        )  # fmt: skip

    def _control_title(self, phase: str, chart: ControlChart) -> str:
        word = "shows signals" if chart.is_signal.any() else "shows no signal"
        return f"Overall absence in {schools(phase)} {word} of change beyond ordinary variation"

    def _too_few_points(self, phase: str) -> str:
        """Say how many points there are where a control chart needs more; empty where there are enough.

        Published files give whole terms of a few years, never enough.
        """
        if self.is_local:
            shown, needed = self.enough_points(phase)
            if shown >= needed:
                return ""
            have = f"{phrase(f'{shown} half terms', 'terms')} with figures of {schools(phase)}"
        else:
            shown, needed = self._published_terms(), ENOUGH_POINTS
            have = f"{phrase(f'{shown} terms', 'terms') if shown else 'none'} in the published files"
        return (
            f"Whether absence moves more than it ordinarily does needs {phrase(f'{needed} points', 'values')} or more in a row, the"
            f" season taken out; there are {have}. With fewer, limits would be guesswork: look at the same term of other years."
        )

    def _published_terms(self) -> int:
        try:
            rows = self.terms.select(measure=HEADLINE[0], area_code=self.area.code, symbol="").rows
        except NoDataError:
            return 0
        return len(rows[["academic_year", "term"]].drop_duplicates())

    @or_nothing
    def control_sentences(self) -> Findings | Result:
        """Return the limits, how likely a false alarm is, and the signals by name."""
        sentences = []
        for phase in SHOWN_PHASES:
            if self._too_few_points(phase):
                continue
            table, chart, limits = self.control_of(phase)
            ends = [limits[line] for line in (MEAN, LOWER, UPPER)]
            mean, low, high = (percent(record["rate"], 2) for record in ends)
            start = (
                f"In {schools(phase)}, overall absence with the season taken out was {mean} on average over"
                f" {phrase(f'{chart.points} half terms', 'terms')}; ordinary variation from one half term to the next keeps it between"
                f" {low} and {high}: "
            )
            sentences.append(start + _signal_words(chart, table.rows))
        chance = next(
            (
                self.control_of(phase)[2]["false_alarm_chance"]
                for phase in SHOWN_PHASES
                if not self._too_few_points(phase)
            ),
            None,
        )
        if is_shown(chance):
            sentences.append(
                "Even if nothing changed, and half terms were unrelated, such a chart would show a signal with a chance of"
                f" {figure_words(chance)}. Half terms of one school year have mostly the same pupils and are alike, so the limits are"
                " narrow, and a signal says that the level changed between years rather than that something happened in that half"
                " term."
            )
        return Findings(tuple(sentences)) if sentences else Result(())


def _signal_words(chart: ControlChart, rows: pd.DataFrame) -> str:
    """Return which rules found a signal, in which years, and on which side of the mean."""
    if not chart.is_signal.any():
        return "no signal, so what is seen is ordinary variation."
    found = []
    for rule, hits in chart.signals.items():
        if not hits.any():
            continue
        sides: dict[str, list[str]] = {}
        for place in np.flatnonzero(hits):
            side = "above" if chart.values[place] > chart.centre else "below"
            year = show_academic_year(int(rows["academic_year"].iloc[place]))
            if year not in sides.setdefault(side, []):
                sides[side].append(year)
        places = " and ".join(f"{side} the mean in {sentence_list(years)}" for side, years in sides.items())
        found.append(f"values {SIGNALS[rule].words} ({places})")
    return f"there are {sentence_list(found)}."
