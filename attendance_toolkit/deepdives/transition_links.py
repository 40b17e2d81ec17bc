"""What became of a year group's roll, which school pupils are expected at, and who crossed a district's border."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attendance_toolkit.deepdives._base import derived_table
from attendance_toolkit.deepdives._contrasts import derived_from, statistic_row, symbol_of
from attendance_toolkit.deepdives._shared import Lookup, Record, count_of, or_nothing, rate_of, the_area
from attendance_toolkit.deepdives._transition_cells import hidden
from attendance_toolkit.deepdives.transition_data import (
    FIRST,
    HIDDEN,
    STEPS,
    cohort_words,
    or_notice,
    step_words,
    year_after,
    year_words,
)
from attendance_toolkit.deepdives.transition_links_data import TransitionLinksData
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.metrics.transition import ENOUGH_SESSIONS, ORIGINS
from attendance_toolkit.metrics.transition.outcomes import FROM_DISTRICT, FROM_HERE
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.presentation.blocks import Cell, Column, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.formats import records, source_of
from attendance_toolkit.presentation.narrative import is_shown, percent, said, sentence_list
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.rounding import show_number
from attendance_toolkit.vocabulary.steps import (
    COMPARED,
    DESTINATION_SOURCES,
    LINK_OUTCOMES,
    LINKED_ELSEWHERE,
    NO_ROLL,
    NOT_COMPARED,
    NOT_KNOWN,
    OFFERED,
    ON_ROLL,
    OTHER_YEAR_GROUP,
    TO_REFERRAL,
    TO_SPECIAL,
    TOO_FEW_SESSIONS,
)

#: Reasons why pupils cannot be compared, in running text.
_REASONS: Mapping[str, str] = {
    TOO_FEW_SESSIONS: "had too few sessions in one of the years",
    TO_SPECIAL: "went to a special school",
    TO_REFERRAL: "went to a pupil referral unit",
    OTHER_YEAR_GROUP: "were put in another year group",
    NO_ROLL: "are on no roll of the data",
}
#: How a destination is known, in running text.
_SOURCES: Mapping[str, str] = {
    ON_ROLL: "is on the roll of a later census",
    OFFERED: "is known from the offers of school places",
    NOT_KNOWN: "is not known",
}
_NO_ROLL_NOTE = (
    "On no roll of the data: at an independent school, taught at home, moved to an area that is not in the data, or missing from"
    " it; the data do not tell which."
)
#: Flows between districts that are listed, the largest.
_MOST_FLOWS = 12


class TransitionLinks(TransitionLinksData):
    """Blocks on linking one year group to the next."""

    # -- what linking means --------------------------------------------------------------------------

    @or_notice
    def link_notice(self) -> Notice:
        """Return who is followed, and who can be compared."""
        fewest = phrase(f"{ENOUGH_SESSIONS} possible sessions", "rule")
        year = self.roll_years()[0]
        return Notice(
            f"Pupils are followed by pseudonym from {year_words(FIRST)} to {year_words(STEPS[FIRST])} of the next academic year,"
            " through the schools of every district in the data. Their absence is compared where they are in a mainstream"
            f" school, in the next year group, with at least {fewest} in each of the two years. The sessions of all schools of a"
            " pupil are added up, so these figures are of pupils and differ a little from those of enrolments. The last step"
            f" that is over led from {show_academic_year(year)} to {show_academic_year(year_after(year))}.",
            "Following pupils from year to year",
        )

    # -- what became of a roll -----------------------------------------------------------------------

    @or_notice
    def link_table(self, from_year: str = FIRST) -> Table | Notice:
        """Return each cohort's roll by what became of its pupils: parts and totals."""
        years = self.roll_years(from_year)
        sections = ((COMPARED, LINK_OUTCOMES[:2]), (NOT_COMPARED, LINK_OUTCOMES[2:]))
        found = [("All on the roll", ALL, "Roll", True)]
        for total, parts in sections:
            found += [(total, total, total, True), *((name, name, total, False) for name in parts)]
        rows = []
        for words, outcome, section, is_total in found:
            cells: list[Cell] = []
            for year in years:
                record = self.rolled(outcome, year, from_year)
                cells += [count_of(record), Cell(symbol="z") if outcome == ALL else rate_of(record)]
            if outcome == LINKED_ELSEWHERE and not self.has_other_districts:
                continue
            rows.append(Row(words, tuple(cells), section, is_total))
        columns = [Column(f"What became of {year_words(from_year)}", align="left")]
        for year in years:
            columns += [Column("Pupils", show_academic_year(year)), Column("Share", show_academic_year(year), "%")]
        table = self.roll if from_year == FIRST else self.roll_second
        return Table(
            f"roll-of-year-{from_year}",
            f"What became of the pupils of {year_words(from_year)} a year later",
            f"Pupils of {year_words(from_year)} in mainstream schools of {the_area(self.area)}, by academic year; each pupil once",
            tuple(columns),
            tuple(rows),
            source_of(table),
            (
                "Compared and not compared add up to the roll; counts are rounded, so sums may differ a little."
                if self.inputs.policy.rounding > 1
                else "Compared and not compared add up to the roll.",
                _NO_ROLL_NOTE,
            ),
        )

    def rolled(self, outcome: str, year: int, from_year: str = FIRST) -> Record | None:
        """Return the figure of a roll: of the outcome "All" how many pupils it has.

        Where it is hidden how many can be compared, the whole roll is: their number stands beside their rates, and the rest
        would be the difference.
        """
        lookup = self.roll_of(from_year)
        compared = lookup(academic_year=year, outcome=COMPARED, measure="link_rate")
        found = lookup(academic_year=year, outcome=outcome, measure="pupils" if outcome == ALL else "link_rate")
        return found if found is None or is_shown(compared) else hidden(found)

    @or_nothing
    def link_sentences(self, from_year: str = FIRST) -> Findings | Result:
        """Return how many of the last roll can be compared, and why others cannot."""
        year = self.roll_years(from_year)[0]
        roll, compared = (self.rolled(outcome, year, from_year) for outcome in (ALL, COMPARED))
        start = f"{cohort_words(from_year, year)} in {the_area(self.area)}"
        sentences = []
        if is_shown(roll) and is_shown(compared):
            sentences.append(
                f"Of {show_number(roll['rate'])} pupils in {start}, {said(compared)} ({show_number(compared['numerator'])}) can be"
                f" compared with themselves in {year_words(STEPS[from_year])}."
            )
        else:
            sentences.append(f"How many of {start} can be compared, of how many, cannot be told: {HIDDEN}.")
        reasons = {name: self.rolled(name, year, from_year) for name in _REASONS}
        told = [
            f"{said(record)} {words}"
            for name, words in _REASONS.items()
            if is_shown(record := reasons[name]) and record["numerator"] > 0
        ]
        is_any_hidden = any(record is not None and record["symbol"] == "c" for record in reasons.values())
        if told:
            more = " Other reasons are hidden to protect small numbers." if is_any_hidden else ""
            sentences.append(f"Why others cannot be compared: {sentence_list(told)} (of the whole roll).{more}")
        elif is_any_hidden:
            sentences.append(f"For which reasons others cannot be compared is not told: {HIDDEN}.")
        sentences.append(
            f"{_NO_ROLL_NOTE} Those who cannot be compared may be absent more, or less, than those who can."
        )
        return Findings(tuple(sentences))

    # -- where they are expected ---------------------------------------------------------------------

    @derived_table
    def destination_shares(self) -> ProtectedTable:
        """Share of the pupils about to move up whose school is known in each way."""
        lookup = Lookup(self.destinations, ["destination_source"])
        whole = lookup(destination_source=ALL)
        rows = []
        for name in DESTINATION_SOURCES:
            part = lookup(destination_source=name)
            symbol, found = symbol_of(part, whole), None
            if not symbol and part is not None and whole is not None and whole["rate"] > 0:
                found = Estimate(float(part["rate"]) / float(whole["rate"]))
            rows.append(statistic_row("share_of_enrolments", found, symbol, destination_source=name))
        return derived_from(rows, self.destinations)

    @or_notice
    def destination_table(self) -> Table | Notice:
        """Return how the schools of the coming step are known."""
        counts = Lookup(self.destinations, ["destination_source"])
        rows = [
            Row(name, (count_of(counts(destination_source=name)), rate_of(self._destination_share(name))))
            for name in DESTINATION_SOURCES
        ]
        rows.append(Row("All", (count_of(counts(destination_source=ALL)), Cell(symbol="z")), emphasis=True))
        return Table(
            "destinations-known",
            f"How the school after the coming step is known, {cohort_words(FIRST, self.year)}",
            f"Pupils of {year_words(FIRST)} in mainstream schools of {the_area(self.area)}",
            (Column("School", align="left"), Column("Pupils"), Column("Share", unit="%")),
            tuple(rows),
            source_of(self.destinations),
            (
                "On roll: in the next year group of a mainstream school by a later census or by later sessions. Offered: from a file of"
                " school offers, which some families do not take up. Not known: neither; they may go to an independent or"
                " special school, leave the area, or be missing from the data.",
            ),
        )

    def _destination_share(self, source: str) -> Record | None:
        return Lookup(self.destination_shares, ["destination_source"])(destination_source=source)

    @or_nothing
    def destination_known_sentences(self) -> Findings | Result:
        """Return for how many pupils the coming school is known, expected or unknown."""
        told = []
        for name, words in _SOURCES.items():
            record = self._destination_share(name)
            if is_shown(record):
                told.append(f"of {percent(record['rate'])} it {words}")
        start = f"The school that pupils of {cohort_words(FIRST, self.year)} go to in {year_words(STEPS[FIRST])}: "
        return Findings((start + (f"{sentence_list(told)}." if told else f"how it is known is not told, {HIDDEN}."),))

    # -- between districts ---------------------------------------------------------------------------

    @derived_table
    def border_crossings(self) -> ProtectedTable:
        """Compared pupils who went from a district of the area to another one, as a share of all of the district's."""
        rows: list[dict[str, Any]] = []
        for code in self._district_codes:
            stayed, every = self.district_flow(code, code), self.district_flow(code)
            symbol = symbol_of(stayed, every)
            found = None
            if not symbol and stayed is not None and every is not None and every["rate"] > 0:
                found = Estimate(max(1 - float(stayed["rate"]) / float(every["rate"]), 0.0))
            rows.append(statistic_row("share_of_enrolments", found, symbol, area_code=code))
        return derived_from(rows, self.district_flows)

    @property
    def _district_codes(self) -> list[str]:
        """Districts of the area in the store, by name."""
        if self.has_districts:
            held = {str(record["area_code"]) for record in records(self.district_flows)} - {self.area.code}
            return [area.code for area in self.inputs.local_districts if area.code in held]
        return [self.area.code]

    @or_notice
    def district_table(self) -> Table | Notice:
        """Return the compared pupils of each district, how many stayed and how many went to another district."""
        if not self.has_districts:
            return self._neighbour_table()
        shares = Lookup(self.border_crossings, ["area_code"])
        rows = [
            Row(
                self.inputs.area_name(code),
                (
                    count_of(self.district_flow(code)),
                    count_of(self.district_flow(code, code)),
                    rate_of(shares(area_code=code)),
                    count_of(self.district_flow(self.area.code, code)),
                ),
            )
            for code in self._district_codes
        ]
        return Table(
            "district-flows",
            f"Pupils who changed district from {step_words(FIRST)}",
            self._flow_subtitle,
            (
                Column("District before", align="left"),
                Column("Pupils"),
                Column(f"In the same district in {year_words(STEPS[FIRST])}"),
                Column("Went to another", unit="%"),
                Column(f"In its schools in {year_words(STEPS[FIRST])}"),
            ),
            tuple(rows),
            source_of(self.district_flows),
            (
                "Those who left the schools of the data altogether are in none of these figures. The last column is of pupils of"
                " the whole area.",
            ),
        )

    @property
    def _flow_subtitle(self) -> str:
        year = int(self.district_flows.rows["academic_year"].iloc[0])
        return (
            f"Pupils compared in both years, {show_academic_year(year)} to {show_academic_year(year_after(year))};"
            f" mainstream schools of {the_area(self.area)}"
        )

    def _neighbour_table(self) -> Table:
        """Return to and from which other districts the pupils of one district went and came."""
        own = self.area.code
        codes = {str(record["area_code"]) for record in records(self.district_flows)} - {own}
        names = sorted((self.inputs.area_name(code), code) for code in codes)
        rows = [
            Row(name, (count_of(self.district_flow(own, code)), count_of(self.district_flow(code, own))))
            for name, code in names
        ]
        stayed = self.district_flow(own, own)
        rows.append(Row(f"Stayed in {self.area.name}", (count_of(stayed), count_of(stayed)), emphasis=True))
        return Table(
            "district-flows",
            f"Where pupils of {self.area.name} went from {step_words(FIRST)}, and from where others came",
            self._flow_subtitle,
            (
                Column("District", align="left"),
                Column(f"To it from {self.area.name}"),
                Column(f"From it to {self.area.name}"),
            ),
            tuple(rows),
            source_of(self.district_flows),
            (
                "The other districts are those in the data. Those who left the schools of the data altogether are in none of these"
                " figures.",
            ),
        )

    @or_nothing
    def largest_flows_table(self) -> Table | Result:
        """Return the largest flows between districts that can be shown; of an area with several districts."""
        if not self.has_districts:
            return Result(())
        codes = self._district_codes
        found = [
            (float(record["rate"]), self.inputs.area_name(one), self.inputs.area_name(other), record)
            for one in codes
            for other in codes
            if one != other and is_shown(record := self.district_flow(one, other)) and record["rate"] > 0
        ]
        found.sort(key=lambda one: (-one[0], *one[1:3]))
        if not found:
            return Result(())
        return Table(
            "largest-district-flows",
            f"The largest flows between districts from {step_words(FIRST)}",
            self._flow_subtitle,
            (Column("From", align="left"), Column("To", align="left"), Column("Pupils")),
            tuple(Row(one, (Cell(other), count_of(record))) for _, one, other, record in found[:_MOST_FLOWS]),
            source_of(self.district_flows),
            ("Of the flows that can be shown; those of few pupils are hidden.",),
        )

    @or_nothing
    def district_sentences(self) -> Findings | Result:
        """Return how many of the area's pupils changed district, where it can be told."""
        shares = Lookup(self.border_crossings, ["area_code"])
        found = {code: shares(area_code=code) for code in self._district_codes}
        shown = {code: record for code, record in found.items() if is_shown(record)}
        if not shown:
            return Findings((f"How many pupils changed district cannot be told: {HIDDEN}.",))
        if not self.has_districts:
            record = shown[self.area.code]
            return Findings(
                (
                    f"Of the pupils of {self.area.name} who can be compared, {percent(record['rate'])} were in another district's"
                    f" schools in {year_words(STEPS[FIRST])}. They are in the figures of the same pupils, and not in those of"
                    f" the area's {year_words(STEPS[FIRST])}.",
                )
            )
        order = sorted(shown, key=lambda code: (-float(shown[code]["rate"]), code))
        high, low = order[0], order[-1]
        text = (
            f"The share of compared pupils who went to a school in another district ran from {percent(shown[low]['rate'])}"
            f" ({self.inputs.area_name(low)}) to {percent(shown[high]['rate'])} ({self.inputs.area_name(high)})"
        )
        rest = len(found) - len(shown)
        return Findings((f"{text}{', of the districts that can be shown' if rest else ''}.",))

    # -- who joined ----------------------------------------------------------------------------------

    @or_notice
    def joined_table(self) -> Table | Notice:
        """Return where the pupils of the year group after the step were before it."""
        table = self.joined
        lookup = Lookup(table, ["academic_year", "origin"])
        years = sorted((int(year) for year in table.rows["academic_year"].unique()), reverse=True)
        there = set(table.rows["origin"])
        rows = [
            Row(name, tuple(count_of(lookup(academic_year=year, origin=name)) for year in years))
            for name in ORIGINS
            if name in there
        ]
        rows.append(
            Row("All", tuple(count_of(lookup(academic_year=year, origin=ALL)) for year in years), emphasis=True)
        )
        return Table(
            "joined-year-7",
            f"Where the pupils of {year_words(STEPS[FIRST])} were the year before",
            f"Pupils of {year_words(STEPS[FIRST])} in mainstream schools of {the_area(self.area)}, by academic year",
            (Column("The year before", align="left"), *(Column(show_academic_year(year), "Pupils") for year in years)),
            tuple(rows),
            source_of(table),
            (
                "On no roll of the data before: from an independent school, from an area that is not in the data, from abroad, or"
                " missing from the data.",
            ),
        )

    @or_nothing
    def joined_sentences(self) -> Findings | Result:
        """Return how many of the year group were not in the area's schools the year before."""
        table = self.joined
        year = int(table.rows["academic_year"].max())
        lookup = Lookup(table.select(academic_year=year), ["origin"])
        here, every = lookup(origin=FROM_HERE), lookup(origin=ALL)
        if not (is_shown(here) and is_shown(every)) or not every["rate"]:
            return Findings((f"How many joined from elsewhere cannot be told: {HIDDEN}.",))
        text = (
            f"Of {show_number(every['rate'])} pupils in {year_words(STEPS[FIRST])} of {the_area(self.area)} in"
            f" {show_academic_year(year)}, {show_number(here['rate'])} were in {year_words(FIRST)} there the year before."
        )
        other = lookup(origin=FROM_DISTRICT)
        if is_shown(other) and other["rate"]:
            text += f" From other districts of the data came {show_number(other['rate'])}."
        return Findings((f"{text} The others cannot be compared with themselves, or joined from outside.",))
