"""Districts over the terms of a year and over the years."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

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
from attendance_toolkit.deepdives.districts_derived import SPRING
from attendance_toolkit.deepdives.districts_mix import DistrictsMix
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import record_difference
from attendance_toolkit.presentation.blocks import Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import small_multiples_by_year
from attendance_toolkit.presentation.formats import interval_cell, source_of
from attendance_toolkit.presentation.narrative import (
    change_sentence,
    has_interval,
    interval_in_points,
    is_shown,
    points,
    said,
    sentence_list,
)
from attendance_toolkit.vocabulary.areas import ENGLAND, Area
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS, MAIN_PHASES

#: More panels than these are not taken in; a table stands in their place.
MOST_PANELS = 12


class DistrictsTime(DistrictsMix):
    """Blocks on terms and years."""

    # -- terms ---------------------------------------------------------------------------------------

    @or_nothing
    def term_figure(self, measure: str) -> Figure | Result:
        """Return small multiples by term: the area's school types, or the districts of a wider area."""
        if measure not in set(self.terms.rows["measure"]):
            raise NoDataError(f"DfE's attendance series does not publish {SHORT[measure].lower()} by term.")
        records: list[dict[str, Any]] = []
        if self.area.level == "Local authority":
            places = [self.area, *([self.whole] if self.whole in self.term_places and self.whole else [])]
            places += [] if self.is_local else [area for area in self.wider if area.code == ENGLAND]
            combinations = [(phase, area.name, area, phase) for phase in MAIN_PHASES for area in places]
            panel = "school types"
        else:
            places = [area for area in self.districts if area in self.term_places]
            if len(places) > MOST_PANELS:
                raise NoDataError("There are too many districts for a chart of terms; their figures are in the table.")
            combinations = [(area.name, phase, area, phase) for area in places for phase in ("Primary", "Secondary")]
            panel = "districts"
        for name, series, area, phase in combinations:
            for term in TERM_LABELS:
                record = self.terms_lookup(area_code=area.code, phase=phase, term=term, measure=measure)
                if record is not None:
                    records.append({**record, "panel": name, "series_label": series, "term": TERM_LABELS[term]})
        table = derived_from(records, self.terms, nothing=f"There are no figures by term of {self.area.name}.")
        order = list(dict.fromkeys(name for name, *_ in combinations))
        table.rows["panel"] = pd.Categorical(table.rows["panel"], order)
        table.rows["term"] = pd.Categorical(table.rows["term"], list(TERM_LABELS.values()))
        return small_multiples_by_year(
            table,
            panel="panel",
            x="term",
            id=f"terms-{measure.split('_')[0]}",
            title=f"{SHORT[measure]} by term, {self.shown_year}",
            subtitle=f"{capital(DEFINED[measure])}, within each term; by {panel}",
        )

    @or_notice
    def term_table(self) -> Table | Notice:
        """Return each place's rates by term over all schools, and spring less the others."""
        lookup = Lookup(self.term_gaps, ["area_code", "about", "phase", "other_term"])
        rows = []
        for measure in HEADLINE[::-1]:
            for area in self.term_places:
                keys = {"area_code": area.code, "phase": ALL_SCHOOLS}
                found = [self.terms_lookup(**keys, term=term, measure=measure) for term in TERM_LABELS]
                if all(record is None for record in found):
                    continue
                gaps = [lookup(**keys, about=measure, other_term=term) for term in ("autumn", "summer")]
                cells = [rate_of(record) for record in found]
                cells += [cell for gap in gaps for cell in (rate_of(gap), interval_cell(gap))]
                rows.append(Row(area.name, tuple(cells), SHORT[measure], area.code == self.area.code))
        if not rows:
            raise NoDataError("The figures by term do not cover all schools together.")
        columns = [Column("Area", align="left")]
        columns += [Column(label, "", "%") for label in TERM_LABELS.values()]
        for other in ("autumn", "summer"):
            columns += [
                Column("Gap", f"Spring less {other}"),
                Column("95% interval", f"Spring less {other}"),
            ]
        return Table(
            "by-term",
            f"Spring against the other terms, {self.shown_year}",
            "All schools; gaps in percentage points. Each term's thresholds apply to that term's own sessions, so terms do not"
            " average to the year",
            tuple(columns),
            tuple(rows),
            source_of(self.terms),
            (
                "Mostly the same pupils are counted in both terms; the intervals take them as independent and are a little wide.",
            )
            if self.is_local
            else (
                "The attendance series is of part of the schools and is not compared with census figures. It has no severe"
                " absence by term.",
            ),
        )

    @or_nothing
    def term_sentences(self) -> Findings | Result:
        """Return whether spring was higher than the other terms, for the area and in how many districts."""
        lookup = Lookup(self.term_gaps, ["area_code", "about", "phase", "other_term"])
        sentences = []
        for measure in HEADLINE[::-1]:
            found: dict[str, list[str]] = {}
            for term in ("autumn", "summer"):
                gap = lookup(area_code=self.area.code, about=measure, phase=ALL_SCHOOLS, other_term=term)
                if is_shown(gap):
                    found.setdefault(_side(gap), []).append(term)
            parts = [f"{side} {' or '.join(terms)}" for side, terms in found.items()]
            spring = self.terms_lookup(area_code=self.area.code, phase=ALL_SCHOOLS, term=SPRING, measure=measure)
            if parts and is_shown(spring):
                sentences.append(
                    f"{SHORT[measure]} in {the_area(self.area)} was {said(spring)} in the spring term of {self.shown_year}:"
                    f" {sentence_list(parts)}."
                )
            sentences += self._spring_districts(lookup, measure)
        return Findings(tuple(sentences)) if sentences else Result(())

    def _spring_districts(self, lookup: Lookup, measure: str) -> list[str]:
        """Name the districts in which spring was clearly the highest term, if there are several to name them from."""
        higher, known = [], []
        for area in self.districts:
            gaps = [
                lookup(area_code=area.code, about=measure, phase=ALL_SCHOOLS, other_term=term)
                for term in ("autumn", "summer")
            ]
            if all(is_shown(gap) and has_interval(gap) for gap in gaps):
                known.append(area.name)
                if all(gap is not None and gap["lower"] > 0 for gap in gaps):
                    higher.append(area.name)
        if len(known) < 2:
            return []
        subject = SHORT[measure]
        told = " whose figures can be told" if len(known) < len(self.districts) else ""
        if len(higher) == len(known):
            return [f"{subject} was clearly highest in spring in every district{told}."]
        if not higher:
            return [f"In no district{told} was {subject.lower()} clearly highest in spring."]
        return [f"{subject} was clearly highest in spring in {sentence_list(higher)}, and in no other district{told}."]

    # -- years ---------------------------------------------------------------------------------------

    def _years(self) -> list[int]:
        if self.is_between_local:
            return list(self.inputs.local_years)
        rows = self.published.rows
        shown = rows["area_code"].isin([area.code for area in self.districts]) & (rows["symbol"] == "")
        return sorted(int(year) for year in rows.loc[shown, "academic_year"].unique())

    @or_notice
    def year_figure(self, measure: str) -> Figure | Table | Notice | Result:
        """Return the districts' courses over the years as small multiples; a table where there are too many."""
        try:
            there = [area for area, _ in self.shown_districts(measure)]
        except NoDataError:
            if measure != HEADLINE[-1]:
                return Result(())
            raise
        if len(there) > MOST_PANELS:
            return self._year_table(measure, there)
        places = sorted(there, key=lambda area: area.code != self.area.code)
        others: list[Area] = [self.whole] if self.whole is not None else []
        others += [area for area in self.wider if area.code == ENGLAND]
        # A record is of the comparison's series, or of the published one where the store cannot have it.
        records: list[dict[str, Any]] = []
        for place in places:
            for label, area in [(_OWN_LINE, place), *((area.name, area) for area in others)]:
                for year in self._years():
                    if area.code in self.local_codes or not self.is_between_local:
                        record: Record | None = self.compared(area.code, measure, year)
                    else:
                        record = self.figure(area.code, measure, year)
                    if record is None or year in NO_DATA_YEARS:
                        continue
                    records.append({**record, "panel": place.name, "series_label": label})
        tables = [self._between] + ([self.published] if self.is_between_local and others else [])
        table = derived_from(records, *tables)
        lines = [
            label for label in (_OWN_LINE, *(area.name for area in others)) if label in set(table.rows["series_label"])
        ]
        table.rows["panel"] = pd.Categorical(table.rows["panel"], [place.name for place in places])
        table.rows["series_label"] = pd.Categorical(table.rows["series_label"], lines)
        notes = [COVID_NOTE] if set(COVID_YEARS) & set(self._years()) else []
        return small_multiples_by_year(
            table,
            panel="panel",
            id=f"years-{measure.split('_')[0]}",
            title=f"{SHORT[measure]} by district, {show_academic_year(self._years()[0])} to {self.shown_year}",
            subtitle=f"{capital(DEFINED[measure])}, all schools; the district's line beside {sentence_list(lines[1:] or lines)}",
            gap_years=NO_DATA_YEARS,
            notes=notes,
        )

    def _year_table(self, measure: str, places: list[Area]) -> Table:
        years = [year for year in self._years() if year not in NO_DATA_YEARS]
        rows = [
            Row(area.name, tuple(rate_of(self.compared(area.code, measure, year)) for year in years))
            for area in [*places, *([self.whole] if self.whole else [])]
        ]
        return Table(
            f"years-{measure.split('_')[0]}",
            f"{SHORT[measure]} by authority, {show_academic_year(years[0])} to {self.shown_year}",
            f"{capital(DEFINED[measure])}, all schools",
            (Column("Area", align="left"), *(Column(show_academic_year(year), "", "%") for year in years)),
            tuple(rows),
            source_of(self._between),
            (COVID_NOTE,) if set(COVID_YEARS) & set(years) else (),
        )

    @or_nothing
    def year_sentences(self) -> Findings | Result:
        """Return the area's change since the year before, and the districts in which it clearly rose or fell."""
        before_year = academic_year_before(self.year)
        previous = show_academic_year(before_year)
        sentences = []
        for measure in HEADLINE[::-1]:
            before, after = self.own(measure, before_year), self.own(measure)
            if is_shown(before) and is_shown(after):
                before, after = _alike(before, after)
                change = record_difference(after, before)
                subject = f"{SHORT[measure]} in {the_area(self.area)}"
                sentences.append(change_sentence(subject, before, after, change, self.shown_year, previous))
            sentences += self._changed(measure, before_year)
        return Findings(tuple(sentences)) if sentences else Result(())

    def _changed(self, measure: str, before_year: int) -> list[str]:
        sides: dict[str, list[str]] = {"rose": [], "fell": [], "did not clearly change": []}
        for area in self.districts:
            before, after = self.compared(area.code, measure, before_year), self.compared(area.code, measure)
            if area.code == self.area.code or not (is_shown(before) and is_shown(after)):
                continue
            before, after = _alike(before, after)
            change = record_difference(after, before)
            if not has_interval(change):
                return []
            side = "rose" if change["lower"] > 0 else "fell" if change["upper"] < 0 else "did not clearly change"
            sides[side].append(area.name)
        parts = [f"{word} in {sentence_list(names)}" for word, names in sides.items() if names]
        if not parts:
            return []
        others = " other" if self.area in self.districts else ""
        if not sides["rose"] and not sides["fell"]:
            return [f"In no{others} district did {SHORT[measure].lower()} clearly change."]
        return [f"In the{others} districts {SHORT[measure].lower()} {'; it '.join(parts)}."]


def _alike(before: Record, after: Record) -> tuple[Record, Record]:
    """Return two years' figures fit to be compared: both with an interval, or both without.

    A year published without counts is no more certain than the one before it; taken as exact it would make every change
    look surer than it is.
    """
    if has_interval(before) == has_interval(after):
        return before, after
    known = after if has_interval(before) else before
    plain = {"lower": math.nan, "upper": math.nan, "decimals": known.get("decimals")}
    return {**before, **plain}, {**after, **plain}


_OWN_LINE = "The district"


def _side(gap: Record) -> str:
    """Say where spring stands against another term."""
    if has_interval(gap) and gap["lower"] <= 0 <= gap["upper"]:
        return "not clearly different from"
    word = "above" if gap["rate"] > 0 else "below"
    ends = f" ({interval_in_points(gap)})" if has_interval(gap) else ""
    return f"{points(gap['rate'])}{ends} {word}"
