"""Additive interaction: do two characteristics together carry more severe absence than each of them adds?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from attendance_toolkit.deepdives._base import derived_table
from attendance_toolkit.deepdives._contrasts import (
    Record,
    counts_symbol,
    derived_from,
    pooled,
    statistic_row,
)
from attendance_toolkit.deepdives._shared import Lookup, or_nothing, or_notice
from attendance_toolkit.deepdives.severe_data import CROSSED, FURTHER, SevereAbsenceData
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.overview import latest_year
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.interaction import additive_interaction
from attendance_toolkit.presentation.blocks import Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import interval_cell, interval_words, rate_cell, source_of
from attendance_toolkit.presentation.narrative import has_interval, interval_in_points, is_shown, percent, points
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.rounding import show_number


@dataclass(frozen=True)
class Side:
    """One of the two characteristics of a pair: the level of interest, the level it is held against, and its words."""

    column: str
    level: str
    against: str
    words: str
    """Pupils of the level: "pupils eligible for free school meals"."""
    short: str
    """The level in a label: "FSM"."""
    other: str
    """Pupils of the level it is held against: "other pupils"."""


FSM = Side(
    "fsm_eligible",
    "FSM eligible",
    "Not known to be FSM eligible",
    "pupils eligible for free school meals",
    "FSM",
    "other pupils",
)
SEN = Side("sen_provision", "Any SEN", "No SEN", "pupils with SEN", "SEN", "pupils without SEN")
GIRLS = Side("sex", "Female", "Male", "girls", "girls", "boys")
PAIRS = ((FSM, SEN), (FSM, GIRLS), (SEN, GIRLS))
#: Which year groups a table is about: all of them, or bands that are added up.
COHORTS: Mapping[str, tuple[str, ...]] = {
    "All year groups": (ALL,),
    "Years 7 to 11": ("Years 7 to 9", "Years 10 and 11"),
}
#: What "Any SEN" is made of where the data tell the kinds of SEN apart.
SEN_KINDS = ("SEN support", "EHC plan")
_DIMENSIONS = (*CROSSED, *FURTHER)
_EXPOSURES = {(0, 0): "Neither", (1, 0): "First alone", (0, 1): "Second alone", (1, 1): "Both"}
_ADDED_UP = "Both, if they added up"
_STATISTICS = ("reri", "attributable_proportion", "synergy_index", "interaction_contrast", "interaction_odds_ratio")
_ROW_WORDS = {
    "reri": "RERI (0: no more than the sum)",
    "attributable_proportion": "AP: share of the rate of both due to meeting (%)",
    "synergy_index": "S, synergy index (1: no more than the sum)",
    "interaction_contrast": "Contrast (percentage points)",
    "interaction_odds_ratio": "Ratio of odds ratios (1: no more than the product)",
}


def pair_name(pair: tuple[Side, Side]) -> str:
    """Return the pair in a label.

    >>> pair_name(PAIRS[0])
    'FSM and SEN'
    """
    return f"{pair[0].short} and {pair[1].short}"


class SevereInteraction(SevereAbsenceData):
    """Additive interaction of pairs of characteristics, from the cleared crossings alone."""

    @cached_property
    def _crossings(self) -> Lookup:
        return Lookup(self.severe_crossings, _DIMENSIONS)

    @cached_property
    def crossed_year(self) -> int:
        """The academic year of the crossings: the one asked for, or the last published before it."""
        return latest_year(self.severe_crossings.rows, self.year, "figures by pupil group")

    @cached_property
    def severe_crossings(self) -> ProtectedTable:
        """Severe absence of the area's crossings, this year."""
        return self.crossed.select(area_code=self.area.code, measure="severe_absence_rate")

    def crossing(self, **levels: str) -> Record | None:
        """Return the figure of one crossing; characteristics that are not named are not crossed."""
        return self._crossings(**(dict.fromkeys(_DIMENSIONS, ALL) | levels))

    def crossing_over(self, bands: Iterable[str], **levels: str) -> Record | None:
        """Return the figure of a crossing over some year group bands, added up; "Any SEN" is added up where it must be.

        None where the crossing has no pupils in the data, or the data do not have it at all.
        """
        found = []
        for band in bands:
            whole = self.crossing(**levels, nc_year_band=band)
            if whole is None and levels.get("sen_provision") == "Any SEN":
                kinds = (self.crossing(**(levels | {"sen_provision": kind}), nc_year_band=band) for kind in SEN_KINDS)
                found += [record for record in kinds if record is not None]
            elif whole is not None:
                found.append(whole)
        return pooled(found)

    # -- tables --------------------------------------------------------------------------------------

    @derived_table
    def additive_interactions(self) -> ProtectedTable:
        """Four risks of each pair and the measures of their interaction, for all year groups and for Years 7 to 11."""
        rows: list[dict[str, Any]] = []
        for cohort, bands in COHORTS.items():
            for pair in PAIRS:
                rows += self._interaction_rows(pair, cohort, bands)
        return derived_from(rows, self.crossed)

    def _interaction_rows(self, pair: tuple[Side, Side], cohort: str, bands: Iterable[str]) -> list[dict[str, Any]]:
        groups = {"pair": pair_name(pair), "cohort": cohort}
        four: dict[tuple[int, int], Record | None] = {}
        for exposed in _EXPOSURES:
            chosen = {
                side.column: side.level if is_on else side.against for side, is_on in zip(pair, exposed, strict=True)
            }
            four[exposed] = self.crossing_over(bands, **chosen)
        rows = [
            statistic_row(
                "severe_absence_rate", _rate_of(record), counts_symbol(record), **groups, exposure=_EXPOSURES[at]
            )
            | ({name: record[name] for name in ("numerator", "denominator")} if is_shown(record) else {})
            for at, record in four.items()
        ]
        symbol = counts_symbol(*four.values())
        if symbol:
            names = ("severe_absence_rate", *_STATISTICS)
            exposures = (_ADDED_UP, *[ALL] * len(_STATISTICS))
            return rows + [
                statistic_row(name, None, symbol, **groups, exposure=exposure)
                for name, exposure in zip(names, exposures, strict=True)
            ]
        counts = {at: record for at, record in four.items() if record is not None}
        cases, totals = (
            [[float(counts[i, j][name]) for j in (0, 1)] for i in (0, 1)] for name in ("numerator", "denominator")
        )
        found = additive_interaction(cases, totals)
        rates = {at: float(record["rate"]) for at, record in counts.items()}
        added = Estimate(rates[1, 0] + rates[0, 1] - rates[0, 0])
        rows.append(statistic_row("severe_absence_rate", added, **groups, exposure=_ADDED_UP))
        estimates = (found.reri, found.ap, found.synergy, found.contrast, found.odds_ratio_interaction)
        return rows + [
            statistic_row(name, estimate or Estimate(math.nan), **groups, exposure=ALL)
            for name, estimate in zip(_STATISTICS, estimates, strict=True)
        ]

    # -- blocks --------------------------------------------------------------------------------------

    @or_notice
    def additive_table(self) -> Table | Notice:
        """Return the risks of each pair and the measures of their interaction, with 95% intervals."""
        table = self.additive_interactions
        lookup = Lookup(table, ["pair", "cohort", "measure", "exposure"])
        shown = set(table.rows.loc[table.rows["symbol"] == "", "cohort"])
        cohorts = [cohort for cohort in COHORTS if cohort in shown]
        if not cohorts:
            raise NoDataError(
                "What two characteristics do together cannot be told: a figure behind each pair is hidden to protect small"
                " numbers, or not available."
            )
        rows = []
        for pair in PAIRS:
            name = pair_name(pair)
            lines = [
                (_exposure_words(pair, exposure), {"measure": "severe_absence_rate", "exposure": exposure})
                for exposure in (*_EXPOSURES.values(), _ADDED_UP)
            ]
            lines += [(_ROW_WORDS[measure], {"measure": measure, "exposure": ALL}) for measure in _STATISTICS]
            for words, wanted in lines:
                cells = []
                for cohort in cohorts:
                    record = lookup(pair=name, cohort=cohort, **wanted)
                    assert record is not None
                    cells += [rate_cell(record), interval_cell(record)]
                rows.append(Row(words, tuple(cells), f"{name[:1].upper()}{name[1:]}"))
        columns = [Column("Rate or measure", align="left")]
        for cohort in cohorts:
            columns += [Column("Figure", cohort), Column("95% interval", cohort)]
        year = show_academic_year(self.crossed_year)
        return Table(
            "additive-interaction",
            f"Severe absence where two characteristics meet, {year}",
            f"{self.area.name}, all schools; rates in percent of enrolments, and whether the two together are more than"
            " their sum",
            tuple(columns),
            tuple(rows),
            source_of(self.crossed),
            (
                "RERI is the relative excess risk due to interaction, AP the attributable proportion, S the synergy index,"
                " all from risk ratios. S does not apply where neither characteristic alone raises the rate.",
                "The contrast is the rate of both, less the sum of the rates of each alone, plus the rate of neither. The"
                " ratio of odds ratios is the same question on the logit scale, where effects multiply.",
                "Pupils for whom one of the two characteristics is not known are left out here.",
            ),
        )

    @or_nothing
    def additive_sentences(self) -> Findings | Result:
        """Return what the interactions say, and why the two scales may disagree."""
        lookup = Lookup(self.additive_interactions, ["pair", "cohort", "measure", "exposure"])
        sentences: list[str] = []
        disagree = False
        for pair in PAIRS:
            for cohort in COHORTS:

                def get(measure: str, exposure: str = ALL, p: str = pair_name(pair), c: str = cohort) -> Record | None:
                    return lookup(pair=p, cohort=c, measure=measure, exposure=exposure)

                said = _pair_sentence(pair, cohort, get)
                sentences += said[0]
                disagree |= said[1]
        if not sentences:
            raise NoDataError("No pair can be told.")
        if disagree:
            sentences.append(
                "The two scales answer different questions. Adding up asks how many more pupils are severely absent than the"
                " two characteristics would bring by themselves: what counts for planning places and visits. The logit scale"
                " asks whether one characteristic multiplies the odds by the same factor in both groups; where both raise a"
                " small rate and their odds simply multiply, the rates are more than the sum. Neither says what causes it."
            )
        return Findings(tuple(sentences))


def _rate_of(record: Record | None) -> Estimate | None:
    return Estimate(record["rate"], record["lower"], record["upper"]) if is_shown(record) else None


def _exposure_words(pair: tuple[Side, Side], exposure: str) -> str:
    first, second = pair
    other = f"{second.other if second is GIRLS else f'no {second.short}'}"
    words = {
        "Neither": f"No {first.short}, {other} (%)",
        "First alone": f"{first.short}, {other} (%)",
        "Second alone": f"No {first.short}, {second.short} (%)",
        "Both": f"{first.short}, {second.short} (%)",
        _ADDED_UP: f"{first.short}, {second.short}, if the two added up (%)",
    }
    return words[exposure]


def _pair_sentence(pair: tuple[Side, Side], cohort: str, get: Any) -> tuple[list[str], bool]:
    """Return the sentences on one pair in one cohort, and whether its two scales say different things."""
    first, second = pair
    contrast, odds = get("interaction_contrast"), get("interaction_odds_ratio")
    neither, both, added = (get("severe_absence_rate", name) for name in ("Neither", "Both", _ADDED_UP))
    if not (is_shown(contrast) and is_shown(both) and is_shown(neither) and is_shown(added)):
        return [], False
    where = "" if cohort == "All year groups" else " in Years 7 to 11"
    who = f"{second.words} eligible for free school meals" if first is FSM else f"{second.words} with SEN"
    others = {
        (FSM.column, SEN.column): "pupils with neither",
        (FSM.column, GIRLS.column): "boys not known to be eligible",
        (SEN.column, GIRLS.column): "boys without SEN",
    }[first.column, second.column]
    start = (
        f"Of {who}{where}, {percent(both['rate'])} were severely absent, of {others} {percent(neither['rate'])};"
        f" if the two characteristics simply added up it would be {percent(added['rate'])}."
    )
    direction = _direction(contrast, 0.0)
    if direction == 0:
        text = (
            " The difference is not clear of chance"
            f" ({show_number(contrast['rate'] * 100, 1, signed=True)} percentage points, {interval_in_points(contrast)})."
        )
    else:
        text = (
            f" Together they come to {points(contrast['rate'])} {'more' if direction > 0 else 'less'} than the sum"
            f" ({interval_in_points(contrast)})."
        )
    if not is_shown(odds):
        return [start + text], False
    on_logit = _direction(odds, 1.0)
    size = f"{show_number(odds['rate'], 2)} ({interval_words(odds)})"
    text += {
        0: f" On the logit scale there is no evidence that the two do more or less than multiply the odds: the ratio of odds"
        f" ratios is {size}.",
        1: f" On the logit scale the two together raise the odds by more than multiplying would: the ratio of odds ratios is"
        f" {size}.",
        -1: f" On the logit scale the two together raise the odds by less than multiplying would: the ratio of odds ratios"
        f" is {size}.",
    }[on_logit]
    return [start + text], direction != on_logit


def _direction(record: Record, null: float) -> int:
    """Return 1 or -1 where the interval lies above or below the null value, 0 where it holds it or is missing."""
    if not has_interval(record):
        return 0
    return int(record["lower"] > null) - int(record["upper"] < null)
