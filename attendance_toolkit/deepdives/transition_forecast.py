"""What September brings: the intake of each secondary school as forecast, with how sure that is. No league table."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._shared import Record, capital, count_of, or_nothing, rate_of, the_area
from attendance_toolkit.deepdives._step_models import LEAST_SCHOOLS, WORST
from attendance_toolkit.deepdives._step_rows import LEFT_OUT
from attendance_toolkit.deepdives._step_words import TERM_WORDS, id_of, said_year
from attendance_toolkit.deepdives.transition_data import FIRST, STEPS, or_notice
from attendance_toolkit.deepdives.transition_forecast_data import ABSENCE, DIP, HIGHEST, LARGEST, TransitionForecastData
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import Cell, Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import dot_interval
from attendance_toolkit.presentation.formats import figure_words, interval_cell, interval_words, source_of
from attendance_toolkit.presentation.narrative import interval_in_points, is_clear, is_shown, points, sentence_list
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.rounding import round_half_up
from attendance_toolkit.vocabulary.steps import NOT_KNOWN, OFFERED, ON_ROLL

#: A school is named where the chance that it is among the highest is this or more.
SURE = 0.80
_LAESTAB = re.compile(r"\d{7}")
#: More schools than these make no readable figure.
MOST_DRAWN = 40
#: How the school a pupil goes to is known -> the pupils in words.
_KNOWN_BY = {
    ON_ROLL: "on the roll of a school in the area in a later census",
    OFFERED: "offered a place at a school in the area",
    NOT_KNOWN: "at one of the area's schools before the step, and of whom no later school is known",
}
_WHAT = (
    "An expected rate is what a model fitted to earlier year groups gives for these pupils. Of a school it knows what its earlier"
    " intakes came to; what the school does differently this year it does not know."
)
_INTERVALS = (
    "Intervals allow for chance among the pupils, for school years that differ and for years in which all schools rise or fall"
    " together."
)
_NO_LEAGUE = "Schools stand by name. Where intervals overlap, which of two schools is higher cannot be told."


class TransitionForecast(TransitionForecastData):
    """Blocks on the year group about to move up; everything is made from cleared figures."""

    # -- what the forecast is ------------------------------------------------------------------------

    @or_notice
    def forecast_notice(self, from_year: str = FIRST) -> Notice:
        """Return what the forecast is made from, and what it must not be read as."""
        before, after = said_year(from_year), said_year(STEPS[from_year])
        year = self.forecast_year(from_year)
        terms = self.forecast_terms(from_year)
        words = sentence_list([TERM_WORDS.get(term, "the whole year") for term in terms])
        text = (
            f"This says what absence is to be expected in {after} in {show_academic_year(year)} of the pupils who were in"
            f" {before} in {self.shown_year}, from what is known of them in July and the schools they go to. It is no target and"
            f" no judgement of a school. It uses their sessions of {words} in {before}, and those of the year before."
        )
        missing = [name for term, name in TERM_WORDS.items() if term not in terms]
        if 0 < len(missing) < len(TERM_WORDS):
            text += (
                f" The sessions of {sentence_list(missing)} are not used, because not all year groups the model needs have them:"
                " the census that carries them comes in the autumn."
            )
        return Notice(text, "How to read the forecast")

    @or_nothing
    def destination_sentences(self, from_year: str = FIRST) -> Findings | Result:
        """Return how many pupils are expected, and how their schools are known."""
        whole = self.intake(from_year=from_year)
        after = said_year(STEPS[from_year])
        year = show_academic_year(self.forecast_year(from_year))
        if not is_shown(whole):
            return Findings((f"How many pupils are expected in {after} cannot be told: figures are hidden.",))
        parts, only, is_any_hidden = [], "", False
        for source, words in _KNOWN_BY.items():
            record = self.intake(source=source, from_year=from_year)
            is_any_hidden |= record is not None and record["symbol"] == "c"
            if is_shown(record) and record["rate"] > 0:
                parts.append(f"{figure_words(record)} {words}")
                only = words if record["rate"] == whole["rate"] else ""
        text = (
            f"{figure_words(whole)} pupils of the data are expected in {after} of the mainstream schools of"
            f" {the_area(self.area)} in {year}"
        )
        text += f", all of them {only}." if only else f", of these {'; '.join(parts)}." if parts else "."
        if is_any_hidden:
            text += " Other figures are hidden to protect small numbers."
        sentences = [text]
        unknown = self.intake(source=NOT_KNOWN, from_year=from_year)
        if is_shown(unknown) and unknown["rate"] > 0:
            sentences.append(
                "Pupils of whom no later school is known are in the figures of the area, and in those of no school: some of them"
                " will go elsewhere."
            )
        elif unknown is not None and unknown["about"] == LEFT_OUT:
            sentences.append("A few pupils of whom no later school is known are in no figure here.")
        sentences.append(
            "Pupils who come from outside the data, such as from independent schools or from districts that are not in the"
            " store, are in no forecast."
        )
        return Findings(tuple(sentences))

    # -- the area ------------------------------------------------------------------------------------

    @or_notice
    def forecast_sentences(self, from_year: str = FIRST) -> Findings | Notice:
        """Return what is expected of all pupils together, and whether any school stands out."""
        after = said_year(STEPS[from_year])
        year = show_academic_year(self.forecast_year(from_year))
        absence, dip = (self.expected(name, from_year=from_year) for name in (ABSENCE, DIP))
        before = self.expected("absence_before", from_year=from_year)
        if not is_shown(absence) or not is_shown(before):
            return Findings((f"What is expected of {after} in {year} cannot be told: figures are hidden.",))
        sentences = [
            f"Overall absence of these pupils in {after} in {year} is expected to be {figure_words(absence)}"
            f" ({interval_words(absence)}). In {said_year(from_year)} it was {figure_words(before)}{_dip_words(dip)}."
        ]
        for name, start, words in (
            ("expected_persistent", "Persistent absence", "miss 10% or more of their sessions"),
            ("expected_severe", "Severe absence", "miss 50% or more of their sessions"),
        ):
            record = self.expected(name, from_year=from_year)
            if is_shown(record):
                share = f"{figure_words(record)} of these pupils are expected to {words} ({interval_words(record)})"
                sentences.append(f"{start}: {share}.")
        return Findings((*sentences, *self._standing_out(from_year)))

    def _standing_out(self, from_year: str) -> Sequence[str]:
        """Return which schools are likely to be among the highest; that none is, where none is."""
        laestabs = self.forecast_schools(from_year)
        if not laestabs:
            return ()
        shown = [one for one in laestabs if is_shown(self.expected(ABSENCE, one, from_year))]
        chances = {name: self._chances(name, from_year) for name in (HIGHEST, LARGEST)}
        if not any(chances.values()):
            few = phrase(f"fewer than {LEAST_SCHOOLS} schools", "schools")
            return (
                f"The chance of being among the highest is not worked out for {few}, since the highest few would be nearly half"
                " of them. The intervals say how far apart they are.",
            )
        sure = phrase(f"a chance of {SURE:.0%} or more", "schools")
        top = phrase(f"the {WORST} highest", "schools")
        of = phrase(f"{len(shown)} schools", "schools")
        found = []
        for name, what in ((HIGHEST, "overall absence expected"), (LARGEST, "rise of overall absence expected")):
            named = [one for one, chance in chances[name].items() if chance >= SURE]
            names = sentence_list(sorted(self.school_name(one) for one in named)) if named else ""
            found.append(
                f"{capital(what)}: with {sure}, among {top} of {of}: {names}."
                if named
                else f"{capital(what)}: no school stands out; none of {of} has {sure} of being among {top}."
            )
        return found

    def _chances(self, measure: str, from_year: str) -> dict[str, float]:
        found = {one: self.expected(measure, one, from_year) for one in self.forecast_schools(from_year)}
        return {one: float(record["rate"]) for one, record in found.items() if is_shown(record)}

    # -- by school -----------------------------------------------------------------------------------

    @or_notice
    def forecast_table(self, from_year: str = FIRST) -> Table | Notice:
        """Return the absence expected of each school's intake, by name."""
        after, year = self._after(from_year)
        rows = []
        for laestab, name in self._rows_of(from_year):
            absence = self.expected(ABSENCE, laestab, from_year)
            persistent = self.expected("expected_persistent", laestab, from_year)
            cells = (
                count_of(self.intake(laestab, from_year=from_year)),
                rate_of(self.expected("absence_before", laestab, from_year)),
                rate_of(absence), interval_cell(absence), rate_of(persistent), interval_cell(persistent),
                rate_of(self.expected("expected_severe", laestab, from_year)),
            )  # fmt: skip
            rows.append(Row(name, cells, emphasis=not laestab))
        return Table(
            id_of("forecast-schools", from_year),
            f"Absence expected in {after} by school, {year}",
            f"Pupils expected in {after} of mainstream schools of {self.area.name}; schools by name",
            (
                Column("School", align="left"),
                Column("Pupils expected"),
                Column("Overall absence in the year before", "", "%"),
                Column("Overall absence", "Expected", "%"),
                Column("95% interval", "Expected", "%"),
                Column("Persistent absence", "Expected", "%"),
                Column("95% interval of persistent absence", "Expected", "%"),
                Column("Severe absence", "Expected", "%"),
            ),
            tuple(rows),
            source_of(self.forecast_of(from_year)),
            (f"{_WHAT} {_INTERVALS}", _NO_LEAGUE),
        )

    @or_notice
    def dip_table(self, from_year: str = FIRST) -> Table | Notice:
        """Return each school's change expected against its own pupils' year before, and the chances of being highest."""
        after, year = self._after(from_year)
        has_chances = any(self._chances(name, from_year) for name in (HIGHEST, LARGEST))
        rows = []
        for laestab, name in self._rows_of(from_year):
            dip = self.expected(DIP, laestab, from_year)
            cells = [count_of(self.intake(laestab, from_year=from_year)), rate_of(dip), interval_cell(dip)]
            if has_chances:
                cells += [
                    _chance_cell(self.expected(one, laestab, from_year)) if laestab else Cell(symbol="z")
                    for one in (HIGHEST, LARGEST)
                ]
            rows.append(Row(name, tuple(cells), emphasis=not laestab))
        columns = [
            Column("School", align="left"),
            Column("Pupils expected"),
            Column("Change expected", "", "percentage points"),
            Column("95% interval", "", "percentage points"),
        ]
        notes = [
            "The change is that of the same pupils: overall absence expected, less their own in the year before. A school's"
            f" change differs from others' by its pupils and by its earlier intakes. {_INTERVALS}"
        ]
        if has_chances:
            top = phrase(f"the {WORST} highest", "schools")
            columns += [Column(f"Overall absence among {top}", "Chance"), Column(f"Change among {top}", "Chance")]
            notes.append(
                "A chance is the share of simulated years in which the school is among them. In trials only about half of the"
                " largest changes could be told beforehand: look at the chance, not at the order."
            )
        notes.append(_NO_LEAGUE)
        return Table(
            id_of("forecast-dips", from_year),
            f"Change of absence expected from the year before, by school, {year}",
            f"Pupils expected in {after} of mainstream schools of {self.area.name}; schools by name",
            tuple(columns),
            tuple(rows),
            source_of(self.forecast_of(from_year)),
            tuple(notes),
        )

    @or_nothing
    def forecast_figure(self, from_year: str = FIRST) -> Figure | Notice | Result:
        """Return the absence expected of each school's intake as dots with intervals."""
        after, year = self._after(from_year)
        whole = self.expected(ABSENCE, from_year=from_year)
        return self._figure(
            ABSENCE, from_year, "forecast-absence",
            f"Overall absence expected in {after} by school, {year}: {self._title_end(ABSENCE, from_year)}",
            f"Share of sessions the intake is expected to miss; {self.area.name}, schools by name",
            ("All pupils expected", float(whole["rate"])) if is_shown(whole) else None,
        )  # fmt: skip

    @or_nothing
    def dip_figure(self, from_year: str = FIRST) -> Figure | Notice | Result:
        """Return the change expected of each school's intake as dots with intervals."""
        _, year = self._after(from_year)
        whole = self.expected(DIP, from_year=from_year)
        return self._figure(
            DIP, from_year, "forecast-dip-chart",
            f"Change of overall absence expected by school, {year}: {self._title_end(DIP, from_year)}",
            f"Percentage points, against the same pupils' year before; {self.area.name}, schools by name",
            ("All pupils expected", float(whole["rate"])) if is_shown(whole) else None,
        )  # fmt: skip

    def _title_end(self, measure: str, from_year: str) -> str:
        """Say of how many schools the interval leaves out what is expected of all pupils together."""
        whole = self.expected(measure, from_year=from_year)
        found = [self.expected(measure, one, from_year) for one in self.forecast_schools(from_year)]
        shown = [record for record in found if is_shown(record)]
        if not is_shown(whole) or not shown:
            return "what can be shown"
        apart = sum(not record["lower"] <= whole["rate"] <= record["upper"] for record in shown)
        if not apart:
            return "no school's interval is clear of all pupils together"
        return phrase(f"{apart} of {len(shown)} schools clear of all pupils together", "schools")

    def _figure(
        self, measure: str, from_year: str, id: str, title: str, subtitle: str, reference: tuple[str, float] | None
    ) -> Figure | Notice:
        laestabs = self.forecast_schools(from_year)
        shown = [one for one in laestabs if is_shown(self.expected(measure, one, from_year))]
        if len(shown) < 2:
            raise NoDataError("Fewer schools than a figure needs have a forecast that can be shown.")
        if len(laestabs) > MOST_DRAWN:
            return Notice(
                f"{capital(phrase(f'{len(laestabs)} schools', 'schools'))} are too many for one figure; the table has them, and the"
                " pages of the districts draw them.",
                "Not drawn",
            )
        for laestab in laestabs:
            _note_lines(self.school_name(laestab))
        every = {one: self.expected(measure, one, from_year) for one in laestabs}
        rows = [{**record, "school": self.school_name(one)} for one, record in every.items() if record is not None]
        table = derived_from(rows, self.forecast_of(from_year))
        return dot_interval(
            _in_order(table), category="school", id=id_of(id, from_year), title=title, subtitle=subtitle,
            reference=reference, sort=False, notes=(f"{_INTERVALS} {_NO_LEAGUE}",),
        )  # fmt: skip

    # -- what has been found since -------------------------------------------------------------------

    @or_nothing
    def tracked_sentences(self, from_year: str = FIRST) -> Findings | Result:
        """Return what has been found so far of the year forecast, beside what the forecast leads to for that time."""
        found, expected = self.tracked_pair(from_year)
        after = said_year(STEPS[from_year])
        if not is_shown(found) or not is_shown(expected):
            return Findings((f"How {after} has begun cannot be told beside the forecast: figures are hidden.",))
        start = (
            f"In the terms of {after} that the store has so far, these pupils' overall absence was {figure_words(found)};"
            f" the forecast leads to {figure_words(expected)} for that time of the year ({interval_words(expected)})"
        )
        if expected["lower"] <= found["rate"] <= expected["upper"]:
            return Findings(
                (f"{start}. What was found lies within the interval: there is no reason to shift the forecast.",)
            )
        side = "above" if found["rate"] > expected["upper"] else "below"
        return Findings((
            f"{start}. What was found lies {side} the interval: read the forecasts of all schools as"
            f" {'higher' if side == 'above' else 'lower'} by the same amount.",
        ))  # fmt: skip

    # -- words ---------------------------------------------------------------------------------------

    def _after(self, from_year: str) -> tuple[str, str]:
        """Return the year group after the step and the year it is in, in words."""
        return said_year(STEPS[from_year]), show_academic_year(self.forecast_year(from_year))

    def _rows_of(self, from_year: str) -> list[tuple[str, str]]:
        """Return (LAESTAB, name) of the rows of a table: everybody, then schools by name."""
        return [
            ("", "All pupils expected"),
            *((one, self.school_name(one)) for one in self.forecast_schools(from_year)),
        ]


def _note_lines(name: str) -> None:
    """Note the lines a school's name may be broken into on a chart: a number in it still counts nobody."""
    words = name.split()
    for first in range(len(words)):
        for last in range(first + 1, len(words) + 1):
            line = " ".join(words[first:last])
            if last - first > 1 or _LAESTAB.fullmatch(line.strip("(;")):
                phrase(line.strip("(;"), "schools")


def _in_order(table: ProtectedTable) -> ProtectedTable:
    """Return a table whose schools keep the order they stand in."""
    names = list(dict.fromkeys(table.rows["school"]))
    table.rows["school"] = pd.Categorical(table.rows["school"], names)
    return table


def _dip_words(dip: Record | None) -> str:
    """Say how far absence is expected to rise or fall, where that is clear of chance."""
    if not is_shown(dip):
        return ""
    interval = interval_in_points(dip)
    if not is_clear(dip):
        return f", and it is not clear whether it will rise or fall (percentage points, {interval})"
    word = "rise" if dip["rate"] > 0 else "fall"
    return f": a {word} of {points(dip['rate'])} is expected ({interval})"


def _chance_cell(record: Record | None) -> Cell:
    """Return a chance as so many in a hundred; one near certainty is not written as certain."""
    if not is_shown(record):
        return rate_of(record)
    size = int(round_half_up(record["rate"] * 100))
    text = "under 1 in 100" if size < 1 else "over 99 in 100" if size > 99 else f"{size} in 100"
    return Cell(phrase(text, "schools"))
