"""The change of the same pupils by the school they came to: by name, no league table."""

from __future__ import annotations

from functools import cached_property

from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._shared import (
    DEFINED,
    HEADLINE,
    Lookup,
    Record,
    count_of,
    or_nothing,
    rate_of,
    the_area,
)
from attendance_toolkit.deepdives.transition_changes import TransitionChanges
from attendance_toolkit.deepdives.transition_data import FIRST, STEPS, or_notice, step_words, year_words
from attendance_toolkit.presentation.blocks import Column, Figure, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import dot_interval
from attendance_toolkit.presentation.formats import interval_cell, source_of
from attendance_toolkit.presentation.narrative import (
    is_clear,
    is_shown,
)
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year

_OVERALL = HEADLINE[0]
#: More schools than these make no readable figure; the table has them all.
_MOST_DRAWN = 45


class TransitionSchools(TransitionChanges):
    """Blocks on schools."""

    def _school_records(self) -> list[tuple[str, str, str]]:
        """Return (district, name, LAESTAB) of the schools of the last step, by district and name."""
        rows = self.school_changes.rows
        rows = rows[(rows["laestab"] != "") & (rows["academic_year"] == self._school_years[0])]
        pairs = rows[["area_code", "laestab"]].drop_duplicates()
        return sorted(
            (self.inputs.area_name(str(code)), self.school_name(str(laestab)), str(laestab))
            for code, laestab in zip(pairs["area_code"], pairs["laestab"], strict=True)
        )

    @cached_property
    def _school_years(self) -> tuple[int, ...]:
        rows = self.school_changes.rows
        later = rows.loc[rows["nc_year"] == STEPS[FIRST], "academic_year"].unique()
        return tuple(sorted((int(year) for year in later), reverse=True))

    @cached_property
    def _school_lookups(self) -> tuple[Lookup, Lookup]:
        rates = self.schools_shown.select(measure=("pupils", *HEADLINE))
        return (
            Lookup(rates, ["laestab", "academic_year", "nc_year", "measure"]),
            Lookup(self.school_steps, ["laestab", "academic_year", "about"]),
        )

    def school_step(self, laestab: str, about: str = _OVERALL, year: int = 0) -> Record | None:
        """Return the change of the same pupils at the school they came to."""
        return self._school_lookups[1](laestab=laestab, academic_year=year or self._school_years[0], about=about)

    @or_notice
    def school_notice(self) -> Notice:
        """Return what the figures by school are, and that they are no league table."""
        found = self._school_records()
        return Notice(
            f"Figures by school are of the pupils each school of {the_area(self.area)} took in for {year_words(STEPS[FIRST])}, from"
            f" any district of the data: what they missed in {year_words(FIRST)}, wherever they were, and what they missed at the"
            " school. This is no league table: schools take in different pupils, one intake is small, and most differences"
            f" between schools are not clear. Schools are in the order of their names{', by district' if self.has_districts else ''}."
            f"{'' if found else ' No school can be shown.'}",
            "How to read the figures by school",
        )

    @or_notice
    def school_table(self) -> Table | Notice:
        """Return the change of the same pupils by the school they came to, the earlier intake's beside it."""
        rates, _ = self._school_lookups
        year = self._school_years[0]
        earlier = self._school_years[1:2]
        rows = []
        for district, name, laestab in self._school_records():
            sides = ((academic_year_before(year), FIRST), (year, STEPS[FIRST]))
            before, after = (
                rates(laestab=laestab, academic_year=one, nc_year=nc_year, measure=_OVERALL) for one, nc_year in sides
            )
            number = rates(laestab=laestab, academic_year=year, nc_year=STEPS[FIRST], measure="pupils")
            change = self.school_step(laestab)
            cells = (
                count_of(number), rate_of(before), rate_of(after), rate_of(change), interval_cell(change),
                *(rate_of(self.school_step(laestab, year=one)) for one in earlier),
            )  # fmt: skip
            rows.append(Row(name, cells, district if self.has_districts else ""))
        columns = [Column("School", align="left"), *self._change_columns(FIRST)]
        columns += [Column("Change of the intake before", unit="percentage points") for _ in earlier]
        return Table(
            "change-by-school",
            f"Overall absence of the same pupils by school, {step_words()}",
            f"Pupils who came to the school in {show_academic_year(year)}; {DEFINED[_OVERALL]}",
            tuple(columns),
            tuple(rows),
            source_of(self.school_changes),
            (
                "By name; no league table. Persistent absence of one intake changes too much by chance, and its counts are too"
                " coarse, to be told by school.",
            ),
        )

    @or_nothing
    def school_figure(self) -> Figure | Result:
        """Return the change at each school with its interval, in the order of names; of no more than can be read."""
        schools = self._school_records()
        rows = [
            {**record, "school": name}
            for _, name, laestab in schools
            if (record := self.school_step(laestab)) is not None
        ]
        whole = Lookup(self.school_steps, ["area_code", "laestab", "academic_year", "about"])(
            area_code=self.area.code, laestab="", academic_year=self._school_years[0], about=_OVERALL
        )
        if len(rows) > _MOST_DRAWN or not any(is_shown(row) for row in rows) or not is_shown(whole):
            return Result(())
        table = derived_from(rows, self.school_changes)
        apart = [row for row in rows if is_clear(row, float(whole["rate"]))]
        title = (
            "Most schools are not clearly different from the area as a whole"
            if apart
            else "No school is clearly different from the area as a whole"
        )
        return dot_interval(
            table,
            id="change-by-school-figure",
            title=f"Change of absence from {step_words()} by school: {title[:1].lower()}{title[1:]}"
            if len(apart) * 2 < len(rows)
            else f"Change of absence from {step_words()} by school",
            subtitle=f"Overall absence of the pupils who came to the school in {show_academic_year(self._school_years[0])}, change in"
            f" percentage points; {self.area.name}",
            category="school",
            sort=False,
            reference=("All schools", float(whole["rate"])),
            notes=[
                "Schools are in the order of their names. An interval that takes in the line is not clearly different."
            ],
        )
