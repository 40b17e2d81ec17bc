"""Girls beside boys by year group: where girls pass boys, here, in England and in earlier years."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import pandas as pd

from attendance_toolkit.deepdives._base import derived_table
from attendance_toolkit.deepdives._contrasts import Record, derived_from, gap_row, quotient_row, risk_ratio_row
from attendance_toolkit.deepdives._shared import (
    MAINSTREAM,
    YEAR_GROUPS,
    Lookup,
    capital,
    or_nothing,
    or_notice,
    rate_of,
)
from attendance_toolkit.deepdives.severe_data import SevereAbsenceData
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.overview import latest_year
from attendance_toolkit.presentation.blocks import Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import line_by_level
from attendance_toolkit.presentation.formats import interval_cell, source_of
from attendance_toolkit.presentation.narrative import has_interval, interval_in_points, is_shown, points, sentence_list
from attendance_toolkit.vocabulary.areas import ENGLAND
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL

#: The step from primary to secondary school.
BEFORE, AFTER = "6", "7"
NOT_COHORTS = (
    "Year groups are different pupils of one year, not the same pupils followed: a step from one year group to the next is no"
    " change in a pupil, and some pupils cross a boundary between Year 6 and Year 7."
)
_BY_CHANCE = "Of so many comparisons a few are clear by chance alone."


class SevereGirls(SevereAbsenceData):
    """Girls beside boys, in a figure, a table and words; everything is made from cleared figures."""

    @cached_property
    def _sexes(self) -> ProtectedTable:
        return self.year_sex.select(measure="severe_absence_rate", nc_year=list(YEAR_GROUPS), sex=["Female", "Male"])

    @cached_property
    def girls_year(self) -> int:
        """The last academic year with figures by year group and sex of this area."""
        rows = self._sexes.select(area_code=self.area.code).rows
        return latest_year(rows, self.year, "figures by year group and sex")

    @derived_table
    def girls_boys(self) -> ProtectedTable:
        """Girls' rate less boys', and over boys', by area, year and year group; and from Year 6 to Year 7."""
        lookup = Lookup(self._sexes, ["area_code", "academic_year", "nc_year", "sex"])
        keys = self._sexes.rows[["area_code", "academic_year"]].drop_duplicates()
        rows: list[dict[str, Any]] = []
        for code, year in keys.itertuples(index=False):
            groups = {"area_code": code, "academic_year": int(year)}
            ratios = {}
            for level in YEAR_GROUPS:
                girls, boys = (lookup(**groups, nc_year=level, sex=sex) for sex in ("Female", "Male"))
                rows.append(gap_row(girls, boys, **groups, nc_year=level))
                ratios[level] = risk_ratio_row(girls, boys, **groups, nc_year=level)
            rows += ratios.values()
            rows.append(quotient_row(ratios[AFTER], ratios[BEFORE], **groups, nc_year=ALL))
        return derived_from(rows, self.year_sex, nothing="Girls and boys by year group: the data have no such figures.")

    def girls_row(self, measure: str, nc_year: str, year: int, area: str = "") -> Record | None:
        """Return one figure of girls beside boys; of this area where no other is named."""
        lookup = self._girls_lookup
        return lookup(area_code=area or self.area.code, academic_year=year, nc_year=nc_year, measure=measure)

    @cached_property
    def _girls_lookup(self) -> Lookup:
        return Lookup(self.girls_boys, ["area_code", "academic_year", "nc_year", "measure"])

    @or_notice
    def girls_boys_figure(self) -> Figure | Notice:
        """Return severe absence of girls and boys by year group, this year."""
        part = self._sexes.select(area_code=self.area.code, academic_year=self.girls_year)
        if not (part.rows["symbol"] == "").any():
            raise NoDataError("Severe absence by year group and sex is hidden to protect small numbers.")
        order = [level for level in YEAR_GROUPS if level in set(part.rows["nc_year"])]
        rows = part.rows.assign(
            year_group=pd.Categorical("Year " + part.rows["nc_year"].astype(str), [f"Year {level}" for level in order]),
            pupils=pd.Categorical(part.rows["sex"].map({"Female": "Girls", "Male": "Boys"}), ["Girls", "Boys"]),
        ).sort_values(["pupils", "year_group"])
        table = part.with_rows(rows)
        year = show_academic_year(self.girls_year)
        above = self.clear_levels(self.girls_year)
        title = f"Severe absence of girls and boys by year group, {year}"
        if above:
            title = f"Girls were clearly more often severely absent than boys in {year_words(above)}, {year}"
        return line_by_level(
            table,
            x="year_group",
            series="pupils",
            id="girls-and-boys",
            title=title,
            subtitle=f"Enrolments missing 50% or more of their own possible sessions, {self.area.name},"
            f" {self._sexes_words()}, with 95% intervals",
            notes=(NOT_COHORTS,),
        )

    def _sexes_words(self) -> str:
        phases = list(dict.fromkeys(self._sexes.rows["phase"]))
        return "mainstream schools" if phases == [MAINSTREAM] else "all schools"

    def clear_levels(self, year: int, area: str = "", *, sign: int = 1) -> list[str]:
        """Return the year groups in which girls' rate is clearly above boys' (or below, with a sign of -1)."""
        found = []
        for level in YEAR_GROUPS:
            gap = self.girls_row("rate_gap", level, year, area)
            if is_shown(gap) and has_interval(gap) and min(sign * gap["lower"], sign * gap["upper"]) > 0:
                found.append(level)
        return found

    def first_above(self, year: int, area: str = "") -> str:
        """Return the year group from which on, to Year 11, girls' rate is above boys', clearly or not.

        Empty where there is none, and where a hidden figure leaves it open.
        """
        first = ""
        for level in reversed(YEAR_GROUPS):
            gap = self.girls_row("rate_gap", level, year, area)
            if not is_shown(gap):
                return ""
            if gap["rate"] <= 0:
                break
            first = level
        return first

    @or_notice
    def girls_boys_table(self) -> Table | Notice:
        """Return girls' rate less boys' by year group, this year and earlier ones."""
        rows_of = self.girls_boys.rows
        if not ((rows_of["area_code"] == self.area.code) & (rows_of["symbol"] == "")).any():
            raise NoDataError("Severe absence of girls less that of boys is hidden to protect small numbers.")
        years = sorted({int(year) for year in rows_of.loc[rows_of["area_code"] == self.area.code, "academic_year"]})
        columns = [(year, self.area.code, self.area.name) for year in reversed(years)]
        if self._has_england():
            columns.insert(1, (self.girls_year, ENGLAND, "England"))
        rows = []
        for level in YEAR_GROUPS:
            records = [self.girls_row("rate_gap", level, year, code) for year, code, _ in columns]
            cells = [cell for record in records for cell in (rate_of(record), interval_cell(record))]
            rows.append(Row(f"Year {level}", tuple(cells)))
        heads = [Column("Year group", align="left")]
        for year, _, name in columns:
            group = f"{name}, {show_academic_year(year)}"
            heads += [Column("Gap", group, "percentage points"), Column("95% interval", group)]
        return Table(
            "girls-less-boys",
            "Severe absence of girls less that of boys, by year group",
            f"{capital(self._sexes_words())}; a plus sign means that girls were severely absent more often",
            tuple(heads),
            tuple(rows),
            source_of(self.year_sex),
            (NOT_COHORTS, _BY_CHANCE),
        )

    def _has_england(self) -> bool:
        return self.area.code != ENGLAND and self.girls_row("rate_gap", AFTER, self.girls_year, ENGLAND) is not None

    @or_nothing
    def girls_boys_sentences(self) -> Findings | Result:
        """Return where girls pass boys, here, in England and in earlier years."""
        year = self.girls_year
        sentences = list(self._passing_sentences(year))
        if self._has_england():
            sentences += self._passing_sentences(year, ENGLAND)
        elif self.area.code != ENGLAND:
            sentences.append("There are no figures for England by year group and sex to hold beside these.")
        sentences += self._earlier_sentences(year)
        sentences.append(f"{NOT_COHORTS} {_BY_CHANCE}")
        return Findings(tuple(sentences))

    def _passing_sentences(self, year: int, area: str = "") -> Iterable[str]:
        place, shown = self.inputs.area_name(area or self.area.code), show_academic_year(year)
        gaps = {level: self.girls_row("rate_gap", level, year, area) for level in YEAR_GROUPS}
        hidden = [level for level, gap in gaps.items() if not is_shown(gap)]
        above, below = (self.clear_levels(year, area, sign=sign) for sign in (1, -1))
        parts = []
        if above:
            parts.append(f"clearly above boys' in {year_words(above)}")
        if below:
            parts.append(
                f"clearly below in {year_words(below)}" if above else f"clearly below boys' in {year_words(below)}"
            )
        if len(hidden) == len(gaps):
            yield f"Where girls pass boys in {place} cannot be told: the figures are hidden to protect small numbers."
            return
        what = ", and ".join(parts) if parts else "in no year group clearly different from boys'"
        rest = f"; in {year_words(hidden)} it cannot be told" if hidden else ""
        yield f"In {place} girls' rate of severe absence was {what} in {shown}{rest}."
        first = self.first_above(year, area)
        gap = gaps.get(first)
        if first not in ("", YEAR_GROUPS[0], YEAR_GROUPS[-1]) and is_shown(gap):
            later = YEAR_GROUPS[YEAR_GROUPS.index(first) :]
            size = f"{points(gap['rate'])} in Year {first} ({interval_in_points(gap)})"
            if set(later) & set(above):
                doubt = ", though not clearly so there" if first not in above else ""
                yield (
                    f"Girls pass boys at Year {first}{doubt}: from there on to Year {YEAR_GROUPS[-1]} their rate is the higher in"
                    f" each year group, by {size}."
                )
            else:
                yield (
                    f"From Year {first} on girls' rate is the higher in each year group, by {size}, but in none of them clearly."
                )
        before, after = gaps[BEFORE], gaps[AFTER]
        if is_shown(before) and is_shown(after):
            yield (
                f"At the step from primary to secondary school in {place}, girls' rate was {_beside(before)} in Year {BEFORE} and"
                f" {_beside(after)} in Year {AFTER}."
            )

    def _earlier_sentences(self, year: int) -> Iterable[str]:
        rows = self.girls_boys.rows
        years = sorted({int(y) for y in rows.loc[rows["area_code"] == self.area.code, "academic_year"]} - {year})
        told = [y for y in years if any(is_shown(self.girls_row("rate_gap", level, y)) for level in YEAR_GROUPS)]
        found = {show_academic_year(earlier): self.clear_levels(earlier) for earlier in told}
        clear = [f"{year_words(levels)} ({shown})" for shown, levels in found.items() if levels]
        none = [shown for shown, levels in found.items() if not levels]
        if clear:
            yield f"In earlier years girls in {self.area.name} were clearly above boys in {sentence_list(clear)}."
        if none:
            yield f"In {sentence_list(none)} there was no year group in which they could be told to be clearly above."


def year_words(levels: Sequence[str]) -> str:
    """Return year groups in running text, three or more on end as a range.

    >>> year_words(["9"]), year_words(["1", "3", "11"]), year_words(["2", "3", "4", "6"])
    ('Year 9', 'Year 1, Year 3 and Year 11', 'Year 2 to Year 4 and Year 6')
    """
    runs: list[list[int]] = []
    for number in sorted(int(level) for level in levels):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts: list[str] = []
    for run in runs:
        names = [f"Year {number}" for number in run]
        texts += [f"{names[0]} to {names[-1]}"] if len(run) > 2 else names
    return sentence_list(texts)


def _beside(gap: Record) -> str:
    """Say on which side of boys' rate girls' is."""
    where = f"{points(gap['rate'])} {'above' if gap['rate'] > 0 else 'below'} boys'"
    if not has_interval(gap):
        return where
    if gap["lower"] <= 0 <= gap["upper"]:
        where = "not clearly different from boys'"
    return f"{where} ({interval_in_points(gap)})"
