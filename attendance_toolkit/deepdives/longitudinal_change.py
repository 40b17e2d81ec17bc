"""Why the rate changed: pupils who stayed, joined and left; the mix of pupils against the rates within groups."""

from __future__ import annotations

from functools import cached_property

from attendance_toolkit.deepdives._change_models import FACTORS, MIX, RATE, Pair
from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._shared import (
    SHORT,
    Lookup,
    Record,
    count_of,
    or_nothing,
    or_notice,
    rate_of,
    the_area,
)
from attendance_toolkit.deepdives.longitudinal_change_data import (
    JOINERS,
    LEAVERS,
    STAYERS,
    TOTAL_PART,
)
from attendance_toolkit.deepdives.longitudinal_contributions import LongitudinalContributions, kind_words, size_words
from attendance_toolkit.deepdives.longitudinal_data import THRESHOLDS
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import Cell, Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import dot_interval
from attendance_toolkit.presentation.formats import figure_words, interval_cell, interval_words, source_of
from attendance_toolkit.presentation.narrative import change_verb, is_clear, is_shown, percent, said
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.columns import LABELS
from attendance_toolkit.vocabulary.directions import direction_of

#: Who a row of the turnover is about.
_WHO = {
    TOTAL_PART: "All pupils with a band",
    STAYERS: "There in both years",
    JOINERS: "Joined",
    LEAVERS: "Left",
}
#: Parts of a change that are put into words and drawn, by their name in the release.
_CHANGE = "change"
_PARTS = {
    **{name: LABELS[name] for name in FACTORS},
    MIX: "Mix of pupils, these together",
    RATE: "Rates within groups",
    _CHANGE: "Change",
}
#: From this share on a characteristic made most of what the mix made.
_MOST = 0.5
_HOW = {"persistent_absence_rate": "persistently", "severe_absence_rate": "severely"}
_BY = "year group, sex, free school meals and special educational needs"


class LongitudinalChange(LongitudinalContributions):
    """Blocks on why the rate changed."""

    # -- stayers, joiners, leavers -------------------------------------------------------------------

    @cached_property
    def _turnover_lookup(self) -> Lookup:
        return Lookup(self.turnover_parts, ["academic_year", "about", "part", "when", "measure"])

    def _turned(self, year: int, about: str, part: str, when: str = "") -> Record | None:
        measure = "flow_rate" if when else "turnover_part"
        return self._turnover_lookup(academic_year=year, about=about, part=part, when=when, measure=measure)

    @property
    def _turnover_years(self) -> list[int]:
        return sorted({int(year) for year in self.turnover_parts.rows["academic_year"]}, reverse=True)

    @or_notice
    def turnover_table(self) -> Table | Notice:
        """Return the change of the pupils' rate from year to year by who was there, the parts adding up to it."""
        rows = []
        for about in THRESHOLDS:
            for year in self._turnover_years:
                section = (
                    f"{SHORT[about]}, {show_academic_year(academic_year_before(year))} to {show_academic_year(year)}"
                )
                for part, who in _WHO.items():
                    found = self._turned(year, about, part)
                    hidden = None if found is None or not found["symbol"] else found
                    # Who left is not there after, who joined not before.
                    sides = [
                        _NOT if (part, when) in _NOT_THERE else hidden or self._turned(year, about, part, when)
                        for when in ("before", "after")
                    ]
                    cells = [cell for side in sides for cell in (_number(side), _rate(side))]
                    cells += [rate_of(found), interval_cell(found)]
                    rows.append(Row(who, tuple(cells), section, part == TOTAL_PART))
        return Table(
            "turnover",
            "Change among the same pupils, and by pupils who joined and left",
            "Pupils at the threshold as a share of pupils with a band; all schools. The parts add up to the change of all",
            (
                Column("Pupils", align="left"),
                Column("Pupils", "Year before"),
                Column("Rate", "Year before", "%"),
                Column("Pupils", "Year after"),
                Column("Rate", "Year after", "%"),
                Column("Part", "Part of the change, percentage points"),
                Column("95% interval", "Part of the change, percentage points"),
            ),
            tuple(rows),
            source_of(self.turnover_parts),
            (
                "A pupil counts once, whatever schools the pupil is enrolled at, so the rates differ a little from those of"
                " enrolments. Pupils whose school type is not primary, secondary or special are left out.",
                "Joined: in a band in the year after and in none before (new to the area's schools, just of age, or with too few"
                " sessions before). Left: the other way round, Year 11 among them. What joiners add depends on how much more or"
                " less they are absent than pupils there in both years; the same for leavers, the year before.",
                "Pupils there in both years are a year older in the second. Where absence rises with age, it rises among them though"
                " no year group is absent more; those who join are mostly the youngest, those who leave the oldest.",
                "The parts are exact for these counts. Intervals say how far chance in who is absent goes: same pupils are"
                " compared with themselves, shares of joiners and leavers are taken as known.",
                direction_of("area").text,
            ),
        )

    @or_nothing
    def turnover_sentences(self) -> Findings | Result:
        """Return what pupils there in both years, joiners and leavers each did to the rate, in the last step."""
        year = self._turnover_years[0]
        sentences = [text for about in THRESHOLDS if (text := self._turnover_sentence(year, about))]
        return Findings(tuple(sentences)) if sentences else Result(())

    def _turnover_sentence(self, year: int, about: str) -> str:
        total, stayers, joiners, leavers = (self._turned(year, about, part) for part in _WHO)
        since, now = show_academic_year(academic_year_before(year)), show_academic_year(year)
        how = _HOW[about]
        subject = f"{SHORT[about]} of pupils in {the_area(self.area)}"
        if total is not None and total["symbol"] == "c":
            return (
                f"What pupils who stayed, joined and left did to {SHORT[about].lower()} in {the_area(self.area)} cannot be told:"
                " figures are hidden to protect small numbers."
            )
        if not (is_shown(total) and is_shown(stayers) and is_shown(joiners) and is_shown(leavers)):
            return ""
        before, after = (self._turned(year, about, TOTAL_PART, when) for when in ("before", "after"))
        stay_before, stay_after = (self._turned(year, about, STAYERS, when) for when in ("before", "after"))
        joined, left = self._turned(year, about, JOINERS, "after"), self._turned(year, about, LEAVERS, "before")
        rates = (before, after, stay_before, stay_after)
        if not all(is_shown(rate) for rate in rates):
            return ""
        was, now_is, stay_was, stay_is = (percent(rate["rate"]) for rate in rates if rate is not None)
        text = (
            f"{subject} was {was} in {since} and {now_is} in {now}, a change of {figure_words(total)} percentage points"
            f" ({interval_words(total)}). Pupils there in both years, a year older by then, went from {stay_was} to {stay_is}:"
            f" {figure_words(stayers)} ({interval_words(stayers)})."
        )
        if is_shown(joined):
            text += f" Of those who joined, {said(joined)} were {how} absent: {figure_words(joiners)} ({interval_words(joiners)})."
        if is_shown(left):
            text += (
                f" Of those who left, {said(left)} had been the year before; that they are gone makes {figure_words(leavers)}"
                f" ({interval_words(leavers)})."
            )
        if is_clear(stayers):
            same = f"So {'more' if stayers['rate'] > 0 else 'fewer'} of the same pupils were {how} absent a year on"
            if not is_clear(total):
                text += f" {same}; the rate of all does not clearly show it, since others joined and left."
            elif total["rate"] * stayers["rate"] < 0:
                verb = "fell" if total["rate"] < 0 else "rose"
                text += f" {same}, although the rate of all {verb}: who joined and who left made the difference."
        return text

    # -- mix and rates -------------------------------------------------------------------------------

    @or_notice
    def mix_change_table(self) -> Table | Notice:
        """Return the parts of the change since the year before and since the first comparable year."""
        rows = []
        for pair in self.change_pairs:
            for part, label in _PARTS.items():
                found = [self._part(about, pair, part) for about in THRESHOLDS]
                cells = [cell for one in found for cell in (rate_of(one), interval_cell(one))]
                rows.append(Row(label, tuple(cells), _years(pair), part == _CHANGE))
        columns = [Column("Part of the change", align="left")]
        for about in THRESHOLDS:
            columns += [Column("Part", SHORT[about]), Column("95% interval", SHORT[about])]
        return Table(
            "mix-change",
            "The mix of pupils against the rates within groups",
            "All schools, percentage points. What the change would be had only this changed; mix and rates add up to the change",
            tuple(columns),
            tuple(rows),
            source_of(self.mix_change),
            (*self._mix_notes(), direction_of("area").text),
        )

    def _part(self, about: str, pair: Pair, part: str) -> Record | None:
        if part == _CHANGE:
            return self.change_total(self.area.code, about, pair)
        return self.change_part(self.area.code, about, pair, part)

    def _mix_notes(self) -> list[str]:
        notes = [
            f"Das Gupta's method on groups crossed by {_BY}, pupils for whom one of these is not known being groups of"
            " their own. It says what moved together, not what caused it; whatever else changed is in the rates.",
            "Intervals of the parts come from drawing the pupils of each year again, the years apart: the pupils of two years are"
            " mostly the same, so they are rather too wide.",
        ]
        if self.is_local:
            notes.append(
                "Parts are cut to as many decimals as the counts allow, so they may not add up to the last digit."
            )
        return [*notes, *self.break_notes(*self.change_pairs)]

    @or_nothing
    def mix_change_areas_table(self) -> Table | Result:
        """Return mix and rates of the change since the year before, of the area beside the wider areas."""
        if len(self.change_places) < 2:
            raise NoDataError("There is no other area to set beside this one.")
        pair = self.change_pairs[0]
        rows = []
        for about in THRESHOLDS:
            for area in self.change_places:
                rates = [self.mixed_rate(area.code, about, year) for year in pair]
                parts = [self.change_part(area.code, about, pair, part) for part in (MIX, RATE)]
                parts.insert(0, self.change_total(area.code, about, pair))
                if all(part is None for part in parts):
                    continue
                cells = [rate_of(rate) for rate in rates] + [rate_of(parts[0])]
                cells += [cell for part in parts[1:] for cell in (rate_of(part), interval_cell(part))]
                rows.append(Row(area.name, tuple(cells), SHORT[about], area == self.area))
        since, year = (show_academic_year(at) for at in pair)
        return Table(
            "mix-change-areas",
            f"Mix and rates beside the wider areas, {since} to {year}",
            f"All schools; mix of pupils by {_BY}",
            (
                Column("Area", align="left"),
                Column(since, "Rate", "%"),
                Column(year, "Rate", "%"),
                Column("Change", "Percentage points"),
                Column("Part", "Made by the mix"),
                Column("95% interval", "Made by the mix"),
                Column("Part", "Made by the rates within groups"),
                Column("95% interval", "Made by the rates within groups"),
            ),
            tuple(rows),
            source_of(self.mix_change),
        )

    @or_nothing
    def mix_change_figure(self, measure: str) -> Figure | Result:
        """Return the parts of the change since the year before as dots with intervals, no change as a line."""
        pair = self.change_pairs[0]
        found = {label: self._part(measure, pair, part) for part, label in _PARTS.items()}
        if not all(is_shown(part) for part in found.values()):
            raise NoDataError("Figures are hidden to protect small numbers.")
        records = [
            {**part, "part": label, "measure": "change_in_rate"} for label, part in found.items() if part is not None
        ]
        table = derived_from(records, self.mix_change)
        return dot_interval(
            table,
            id=f"mix-change-{measure.split('_')[0]}",
            title=f"{SHORT[measure]}: {self._mix_headline(found[_PARTS[MIX]], found[_PARTS[RATE]])}, {_years(pair)}",
            subtitle=f"Part of the change of the rate, percentage points; all schools in {the_area(self.area)}",
            category="part",
            highlight=_PARTS[_CHANGE],
            reference=("No change", 0.0),
            sort=False,
        )

    @staticmethod
    def _mix_headline(mix: Record | None, rate: Record | None) -> str:
        words = []
        for part, name in ((rate, "rates within groups"), (mix, "the mix of pupils")):
            if is_clear(part):
                words.append(f"{name} {'added' if part['rate'] > 0 else 'took off'} {size_words(part)}")
        return ", ".join(words) if words else "neither mix nor rates clearly moved it"

    @or_nothing
    def mix_change_sentences(self) -> Findings | Result:
        """Return how much of each change the mix of pupils made and how much the rates within groups."""
        sentences = []
        for pair in self.change_pairs:
            for about in THRESHOLDS:
                sentences += self._mix_sentence(about, pair)
        return Findings(tuple(sentences)) if sentences else Result(())

    def _mix_sentence(self, about: str, pair: Pair) -> list[str]:
        parts = {part: self._part(about, pair, part) for part in _PARTS}
        before, after = (self.mixed_rate(self.area.code, about, year) for year in pair)
        total, mix, rate = parts[_CHANGE], parts[MIX], parts[RATE]
        subject = f"{SHORT[about]} in {the_area(self.area)}"
        since, year = (show_academic_year(at) for at in pair)
        if any(part is not None and part["symbol"] == "c" for part in (*parts.values(), before, after)):
            return [
                f"What moved {subject[:1].lower()}{subject[1:]} from {since} to {year} cannot be told: figures are hidden to protect"
                " small numbers."
            ]
        if not (is_shown(total) and is_shown(mix) and is_shown(rate) and is_shown(before) and is_shown(after)):
            return []
        verb = change_verb(total)
        if is_clear(total):
            text = f"{subject} {verb} by {size_words(total)}, from {said(before)} in {since} to {said(after)} in {year}"
            text += f" ({interval_words(total)})."
        else:
            text = f"{subject} {verb}: {said(before)} in {since}, {said(after)} in {year} ({figure_words(total)} percentage"
            text += f" points, {interval_words(total)})."
        if is_clear(mix):
            verb = "raised" if mix["rate"] > 0 else "lowered"
            text += (
                f" The changed mix of pupils alone would have {verb} it by {size_words(mix)} ({interval_words(mix)})"
            )
            text += f"{self._foremost(parts, mix)}."
        else:
            text += f" What the changed mix of pupils made of it is not clear of chance ({figure_words(mix)}, {interval_words(mix)})."
        if is_clear(rate):
            verb = "raised" if rate["rate"] > 0 else "lowered"
            text += f" The rates within groups {verb} it by {size_words(rate)} ({interval_words(rate)})."
        else:
            text += f" What the rates within groups made is not clear of chance ({figure_words(rate)}, {interval_words(rate)})."
        if (
            is_clear(total)
            and is_clear(mix)
            and is_clear(rate)
            and mix["rate"] * rate["rate"] < 0 < total["rate"] * rate["rate"]
        ):
            word = "rise" if total["rate"] > 0 else "fall"
            text += f" Mix and rates worked against each other: with the same mix of pupils the {word} would have been larger."
        return [text]

    @staticmethod
    def _foremost(parts: dict[str, Record | None], mix: Record) -> str:
        """Name the characteristic that made at least half of what the mix made, if its own part is clear."""
        clear = {name: part for name in FACTORS if is_clear(part := parts[name]) and part["rate"] * mix["rate"] > 0}
        if not clear:
            return ""
        name = max(clear, key=lambda one: abs(clear[one]["rate"]))
        share = abs(clear[name]["rate"] / mix["rate"])
        if share < _MOST:
            return ""
        # More than all of it, where the other characteristics take some off again.
        if share > 1:
            return f"; that of {kind_words(name)} alone makes {figure_words(clear[name])}"
        return f", most of it by {kind_words(name)} ({figure_words(clear[name])})"


_NOT: Record = {"symbol": "z"}
_NOT_THERE = ((JOINERS, "before"), (LEAVERS, "after"))


def _number(record: Record | None) -> Cell:
    return Cell(symbol="z") if record is _NOT else count_of(record, "denominator")


def _rate(record: Record | None) -> Cell:
    return Cell(symbol="z") if record is _NOT else rate_of(record)


def _years(pair: Pair) -> str:
    return f"{show_academic_year(pair[0])} to {show_academic_year(pair[1])}"
