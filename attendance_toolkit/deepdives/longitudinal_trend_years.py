"""Has absence changed: year by year, and each term against the same term of the year before."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import pandas as pd

from attendance_toolkit.deepdives._change_words import (
    SAME,
    SAME_PUPILS_NOTE,
    TERM_NOTE,
    UNCHANGED,
    course,
    decimals_in,
    direction_note,
    ends_in_points,
    is_moved,
    moved,
    schools,
    verdict_cell,
    verdict_words,
)
from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._shared import (
    COVID_NOTE,
    COVID_YEARS,
    DEFINED,
    HEADLINE,
    NO_DATA_YEARS,
    SHORT,
    Lookup,
    Record,
    capital,
    or_nothing,
    or_notice,
    rate_of,
    the_area,
)
from attendance_toolkit.deepdives.longitudinal_trend_data import (
    SHOWN_PHASES,
    LongitudinalTrendData,
)
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.series_guard import label_of, line_breaks
from attendance_toolkit.presentation.blocks import Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import line_by_year, small_multiples_by_year
from attendance_toolkit.presentation.formats import interval_cell, source_of
from attendance_toolkit.presentation.narrative import (
    change_sentence,
    change_verb,
    has_interval,
    is_shown,
    points,
    sentence_list,
)
from attendance_toolkit.vocabulary.areas import find_area
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, TERMS, academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS, MAIN_PHASES

#: Sentences on series breaks that charts and notes of this page say in their own words.
_SAID_ELSEWHERE = ("covid_years", "spans_201920", "no_year_201920")


class LongitudinalTrendYears(LongitudinalTrendData):
    """Blocks on the course of absence over years and terms."""

    # -- years ---------------------------------------------------------------------------------------

    @or_notice
    def year_figure(self, measure: str) -> Figure | Notice:
        """Return the area's course over the years beside that of the wider areas."""
        records: list[Record] = []
        for code in self.compared_places:
            for year in self._course_years:
                is_own = code == self.area.code
                record = self.own(measure, year) if is_own else self.wider_figure(code, measure, year)
                if record is not None and year not in NO_DATA_YEARS:
                    records.append({**record, "series_label": self.inputs.area_name(code)})
        tables = [self.rates] if self.is_local else []
        tables += [self.published] if self._has_published_rates else []
        own = [record for record in records if record["area_code"] == self.area.code and is_shown(record)]
        if len({record["academic_year"] for record in own}) < 2:
            raise NoDataError(
                f"There are no figures of {SHORT[measure].lower()} in {the_area(self.area)} over the years."
            )
        table = derived_from(records, *tables)
        breaks = [known for _, known in line_breaks(own) if known.id not in _SAID_ELSEWHERE]
        return line_by_year(
            table,
            id=f"course-{measure.split('_')[0]}",
            title=self._year_title(measure),
            subtitle=f"{capital(DEFINED[measure])}, all schools, {show_academic_year(self._course_years[0])} to {self.shown_year}",
            gap_years=NO_DATA_YEARS,
            notes=[*self._pandemic_notes(self._course_years), *([label_of(breaks)] if breaks else [])],
        )

    @cached_property
    def _course_years(self) -> list[int]:
        return [year for year in self.shown_years if year not in NO_DATA_YEARS]

    def _pandemic_notes(self, years: Iterable[int]) -> list[str]:
        return [COVID_NOTE] if set(COVID_YEARS) & set(years) else []

    def _year_title(self, measure: str) -> str:
        subject = f"{SHORT[measure]} in {the_area(self.area)}"
        before_year = academic_year_before(self.year)
        change = self.year_change(self.area.code, measure, before_year, self.year)
        if not is_shown(change):
            return f"{subject}, {show_academic_year(self._course_years[0])} to {self.shown_year}"
        words, previous = moved(change), show_academic_year(before_year)
        if has_interval(change):
            return f"{subject} {words} from {previous} to {self.shown_year}"
        if words == SAME:
            return f"{subject} was the same in {self.shown_year} as in {previous}, when rounded"
        return f"{subject} {words} in {self.shown_year} than in {previous}"

    @cached_property
    def _year_changes_lookup(self) -> Lookup:
        return Lookup(self.year_changes, ["area_code", "academic_year", "since", "phase", "about"])

    def year_change(self, code: str, measure: str, since: int, year: int, phase: str = ALL_SCHOOLS) -> Record | None:
        """Return a change between two years, or None."""
        try:
            lookup = self._year_changes_lookup
        except NoDataError:  # there is one year alone
            return None
        return lookup(area_code=code, academic_year=year, since=since, phase=phase, about=measure)

    @or_notice
    def year_change_table(self) -> Table | Notice:
        """Return each year's change with the verdict of the written definition, England and the region beside the area."""
        beside = [code for code in reversed(self.compared_places) if code != self.area.code][:2]
        beside = [code for code in beside if find_area(code).level in ("National", "Regional")]
        changes = self.year_changes.rows
        told = set(changes.loc[changes["lower"].notna(), "area_code"])
        pairs = changes[["about", "since", "academic_year"]].drop_duplicates()
        rows = []
        for measure in HEADLINE[::-1]:
            for since, year in pairs.loc[pairs["about"] == measure, ["since", "academic_year"]].itertuples(index=False):
                own = self.year_change(self.area.code, measure, since, year)
                if own is None or {since, year} & set(NO_DATA_YEARS):
                    continue
                cells = [rate_of(own), interval_cell(own), verdict_cell(own)]
                for code in beside:
                    change = self.year_change(code, measure, since, year)
                    cells += [rate_of(change), *([verdict_cell(change)] if code in told else [])]
                years = f"{show_academic_year(since)} to {show_academic_year(year)}"
                rows.append(Row(years, tuple(cells), SHORT[measure]))
        columns = [Column("Years", align="left")]
        columns += [
            Column(label, self.area.name, align="left" if label == "Direction" else "right")
            for label in ("Change", "95% interval", "Direction")
        ]
        for code in beside:
            name = self.inputs.area_name(code)
            columns += [Column("Change", name), *([Column("Direction", name, align="left")] if code in told else [])]
        notes = [direction_note(), "Changes are worked out before the rates are rounded."]
        notes += [SAME_PUPILS_NOTE] if self.is_local else []
        if (self.is_local and beside) or changes["lower"].isna().any():
            notes.append("Rates published without counts have no interval, so no verdict.")
        if set(pairs["academic_year"]) & set(NO_DATA_YEARS):
            notes.append(
                "No full year was published for 2019/20, so that 2020/21 has no year before it to be held against."
            )
        return Table(
            "year-changes",
            f"Improving or deteriorating? Changes from year to year in {self.area.name}",
            "All schools; changes in percentage points. The last row of each part is from the first comparable year to the last",
            tuple(columns),
            tuple(rows),
            source_of(self.year_changes),
            (*notes, *self._pandemic_notes(self.shown_years)),
        )

    @or_nothing
    def year_sentences(self) -> Findings | Result:
        """Return the last change of each measure, its verdict, and what wider areas and school types did."""
        before_year = academic_year_before(self.year)
        sentences = []
        for measure in HEADLINE[::-1]:
            before, after = self.two_years(self.area.code, measure, before_year, self.year)
            change = self.year_change(self.area.code, measure, before_year, self.year)
            if not (is_shown(before) and is_shown(after) and is_shown(change)):
                if any(record is not None and record["symbol"] == "c" for record in (before, after)):
                    sentences.append(
                        f"Whether {SHORT[measure].lower()} in {the_area(self.area)} changed cannot be told: figures are hidden to"
                        " protect small numbers."
                    )
                continue
            told = change_sentence(
                f"{SHORT[measure]} in {the_area(self.area)}", before, after, change, self.shown_year,
                show_academic_year(before_year),
            )  # fmt: skip
            sentences.append(f"{told} {verdict_words(change)}".strip())
            sentences += self._beside_sentences(measure, before_year)
            sentences += self._since_first(measure, before_year)
        if sentences and self.year_changes.select(symbol="").rows["lower"].isna().any():
            sentences.append(
                "Changes without an interval are of rates published without counts: whether they are more than chance, and so"
                " whether it improved or deteriorated, cannot be told."
            )
        return Findings(tuple(sentences)) if sentences else Result(())

    def _beside_sentences(self, measure: str, since: int) -> Iterable[str]:
        """Say what school types and wider areas did over the same two years."""
        places = [(f"in {phase.lower()} schools", self.area.code, phase) for phase in SHOWN_PHASES[1:]]
        places += [
            (f"in {the_area(find_area(code))}", code, ALL_SCHOOLS)
            for code in self.compared_places
            if code != self.area.code
        ]
        parts = []
        for where, code, phase in places:
            told = course(self.year_change(code, measure, since, self.year, phase))
            if told:
                parts.append(f"{where} it {told}")
        if parts:
            years = f"{show_academic_year(since)} and {self.shown_year}"
            yield f"{SHORT[measure]} between {years} by school type and in wider areas: {'; '.join(parts)}."

    def _since_first(self, measure: str, before_year: int) -> Iterable[str]:
        first = self.first_year(measure)
        change = self.year_change(self.area.code, measure, first, self.year) if first else None
        if first == before_year or not is_shown(change):
            return
        start = f"Against {show_academic_year(first)}, the first year that can be compared, {SHORT[measure].lower()}"
        yield f"{start} {course(change)}. {verdict_words(change)}".strip()

    # -- the same term -------------------------------------------------------------------------------

    @or_nothing
    def term_figure(self, measure: str) -> Figure | Result:
        """Return each term's course over the years, by school type."""
        if measure not in set(self.terms.rows["measure"]):
            return Result(())
        years = sorted(int(year) for year in self.terms.rows["academic_year"].unique())
        if len(years) < 2:
            raise NoDataError("A course over the years needs two of them.")
        records = [
            {**record, "series_label": TERM_LABELS[term]}
            for phase in MAIN_PHASES
            for term in TERMS
            for year in years
            if (record := self.of_term(measure, year, term, phase)) is not None
        ]
        table = derived_from(records, self.terms, nothing="There are no figures by term and school type.")
        table.rows["phase"] = pd.Categorical(
            table.rows["phase"], [phase for phase in MAIN_PHASES if phase in set(table.rows["phase"])]
        )
        return small_multiples_by_year(
            table,
            panel="phase",
            id=f"course-terms-{measure.split('_')[0]}",
            title=self._term_title(measure),
            subtitle=f"{capital(DEFINED[measure])}, within each term, in {the_area(self.area)}; a line is one term over the years",
            gap_years=NO_DATA_YEARS,
            notes=[TERM_NOTE, *self._repeat_notes(measure), *self._pandemic_notes(years)],
        )

    def _repeat_notes(self, *measures: str) -> list[str]:
        """Say which published figures are left out because they are those of the year before."""
        return [
            f"{SHORT[measure]} of the {term} term {show_academic_year(year)} is left out: DfE's file has the figures of"
            f" {show_academic_year(academic_year_before(year))} there again."
            for measure, year, term in sorted(self.repeated_terms)
            if measure in measures
        ]

    def _term_title(self, measure: str) -> str:
        changes = [self._same_term(measure, term) for term in TERMS]
        if not all(is_shown(change) and has_interval(change) for change in changes):
            return f"{SHORT[measure]} by term and year"
        verbs = {change_verb(change) for change in changes if change is not None}
        previous = show_academic_year(academic_year_before(self.year))
        if len(verbs) == 1:
            verb = verbs.pop()
            terms = "any" if verb == UNCHANGED else "every"
            return f"{SHORT[measure]} {verb} in {terms} term against the same term of {previous}"
        return f"{SHORT[measure]} against the same term of {previous}: not the same in every term"

    @cached_property
    def _same_term_lookup(self) -> Lookup:
        return Lookup(self.same_term_changes, ["phase", "term", "about"])

    def _same_term(self, measure: str, term: str, phase: str = ALL_SCHOOLS) -> Record | None:
        try:
            return self._same_term_lookup(phase=phase, term=term, about=measure)
        except NoDataError:
            return None

    @or_notice
    def same_term_table(self) -> Table | Notice:
        """Return this year against the last, term by term, with the verdict."""
        before_year = academic_year_before(self.year)
        source = source_of(self.terms)
        rows = []
        for measure in HEADLINE[::-1]:
            for phase in SHOWN_PHASES:
                for term in TERMS:
                    change = self._same_term(measure, term, phase)
                    if change is None:
                        continue
                    both = [self.of_term(measure, year, term, phase) for year in (before_year, self.year)]
                    cells = (
                        *(rate_of(one) for one in both),
                        rate_of(change),
                        interval_cell(change),
                        verdict_cell(change),
                    )
                    rows.append(Row(TERM_LABELS[term], cells, f"{SHORT[measure]}, {schools(phase)}"))
        if not rows:
            raise NoDataError("The same term of two years is needed to compare it.")
        is_local = self.is_local
        return Table(
            "same-term-changes",
            f"The same term a year before: {self.shown_year} against {show_academic_year(before_year)}",
            f"{self.area.name}; changes in percentage points",
            (
                Column("Term", align="left"),
                Column(show_academic_year(before_year), "Rate", "%"),
                Column(self.shown_year, "Rate", "%"),
                Column("Change", "Change"),
                Column("95% interval", "Change"),
                Column("Direction", "Change", align="left"),
            ),
            tuple(rows),
            source,
            (
                TERM_NOTE,
                direction_note(),
                *self._repeat_notes(*HEADLINE),
                SAME_PUPILS_NOTE
                if is_local
                else "The attendance series is published without counts by authority, so its changes have no interval. It has no"
                " severe absence by term.",
            ),
        )

    @or_nothing
    def same_term_sentences(self) -> Findings | Result:
        """Return in which terms absence clearly rose or fell against the same term of the year before."""
        sentences: list[str] = []
        for measure in HEADLINE[::-1]:
            # The attendance series has school types alone.
            has_all = any(self._same_term(measure, term) for term in TERMS)
            for phase in (ALL_SCHOOLS,) if has_all else SHOWN_PHASES[1:]:
                sentences += self._same_term_sentence(measure, phase)
        if sentences and not any(self.same_term_changes.rows["lower"].notna()):
            sentences.append(
                "Without counts these changes have no interval: whether they are more than chance cannot be told."
            )
        return Findings(tuple(sentences)) if sentences else Result(())

    def _same_term_sentence(self, measure: str, phase: str) -> Iterable[str]:
        changes = {term: self._same_term(measure, term, phase) for term in TERMS}
        sides: dict[str, list[str]] = {}
        for term, change in changes.items():
            if change is not None and change["symbol"] == "c":
                sides.setdefault("cannot be told, since figures are hidden,", []).append(term)
            elif is_shown(change) and has_interval(change):
                size = f" (by {points(change['rate'], decimals_in(change))}, {ends_in_points(change)})"
                sides.setdefault(change_verb(change), []).append(term + (size if is_moved(change) else ""))
            elif is_shown(change):
                sides.setdefault(moved(change), []).append(term)
        parts = [f"{words} in {sentence_list(terms)}" for words, terms in sides.items()]
        if parts:
            previous = show_academic_year(academic_year_before(self.year))
            subject = f"{SHORT[measure].lower()} in {schools(phase)}"
            yield f"Against the same term of {previous}, {subject} {'; it '.join(parts)}."
