"""How absence changes from one year group to the next: the same pupils, all of them, by group and by district."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pandas as pd

from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._shared import (
    DEFINED,
    HEADLINE,
    SHORT,
    Lookup,
    Record,
    count_of,
    level_words,
    or_nothing,
    ordered_levels,
    rate_of,
    the_area,
)
from attendance_toolkit.deepdives.transition_changes_data import TransitionChangesData
from attendance_toolkit.deepdives.transition_data import (
    FIRST,
    GROUPS,
    HIDDEN,
    SAME_NOTE,
    STEPS,
    or_notice,
    step_words,
    year_words,
)
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import Cell, Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import dot_interval
from attendance_toolkit.presentation.formats import interval_cell, source_of
from attendance_toolkit.presentation.narrative import (
    change_sentence,
    has_interval,
    interval_in_points,
    is_clear,
    is_shown,
    sentence_list,
)
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, LABELS
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.rounding import show_number

_OVERALL = HEADLINE[0]
_PAIRED_NOTE = (
    "Intervals of changes are paired, with the pupil as the unit. Those at a threshold, of groups, are Newcombe's for two"
    " independent groups, made narrower as the area's own paired interval is."
)
#: What a rate is of, where pupils are counted and not enrolments.
PUPILS_DEFINED = {name: text.replace("enrolments", "pupils") for name, text in DEFINED.items()}
#: Pupils of a group from which its interval is taken to say something: that of a mean of very few skewed figures is too sure.
FEWEST_PUPILS = 30
#: Characteristics as sections of a table.
_SECTIONS = {name: LABELS.get(name, name) for name in GROUPS}


class TransitionChanges(TransitionChangesData):
    """Blocks on the change of the same pupils."""

    # -- all of them ---------------------------------------------------------------------------------

    @or_notice
    def change_table(self, from_year: str = FIRST) -> Table | Notice:
        """Return the rates of the same pupils before and after each step, with their change."""
        rows = []
        for year in self.step_years(from_year):
            section = f"{show_academic_year(academic_year_before(year))} to {show_academic_year(year)}"
            rows += [
                Row(SHORT[about], self._change_cells(about, year, from_year=from_year), section) for about in HEADLINE
            ]
        return Table(
            f"change-from-year-{from_year}",
            f"Absence of the same pupils in {year_words(from_year)} and in {year_words(STEPS[from_year])}",
            f"Pupils of {year_words(from_year)} in {the_area(self.area)} who can be compared a year later",
            (Column("Measure", align="left"), *self._change_columns(from_year)),
            tuple(rows),
            source_of(self._changes_of(from_year)),
            self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        if self.inputs.policy.rounding <= 1:
            return SAME_NOTE, _PAIRED_NOTE
        coarse = "Changes at a threshold are worked out from rounded counts: in a group of few pupils they are coarse."
        return SAME_NOTE, _PAIRED_NOTE, coarse

    def _change_columns(self, from_year: str) -> tuple[Column, ...]:
        return (
            Column("Pupils"),
            Column(year_words(from_year), unit="%"),
            Column(year_words(STEPS[from_year]), unit="%"),
            Column("Change", unit="percentage points"),
            Column("95% interval of change"),
        )

    def _change_cells(
        self,
        about: str,
        year: int,
        characteristic: str = ALL,
        level: str = ALL,
        *,
        from_year: str = FIRST,
        area_code: str = "",
    ) -> tuple[Cell, ...]:
        """Return pupils, the rate before and after, the change and its interval."""
        before, after = self.rates_of(about, year, characteristic, level, from_year=from_year, area_code=area_code)
        number, _ = self.rates_of("pupils", year, characteristic, level, from_year=from_year, area_code=area_code)
        change = self.step(about, year, characteristic, level, from_year=from_year, area_code=area_code)
        return count_of(number), rate_of(before), rate_of(after), rate_of(change), interval_cell(change)

    def rates_of(
        self,
        about: str,
        year: int = 0,
        characteristic: str = ALL,
        level: str = ALL,
        *,
        from_year: str = FIRST,
        area_code: str = "",
    ) -> tuple[Record | None, Record | None]:
        """Return a figure of the same pupils before the step and after it, by default all of the area at the last step."""
        if from_year not in self._rates_lookups:
            self._rates_lookups[from_year] = self.matched_of(from_year)
        year = year or self.step_years(from_year)[0]
        sides = ((academic_year_before(year), from_year), (year, STEPS[from_year]))
        before, after = (
            self._rates_lookups[from_year](
                area_code=area_code or self.area.code,
                academic_year=one,
                nc_year=nc_year,
                characteristic=characteristic,
                level=level,
                measure=about,
            )
            for one, nc_year in sides
        )
        return before, after

    @cached_property
    def _rates_lookups(self) -> dict[str, Lookup]:
        return {}

    @or_nothing
    def change_sentences(self, from_year: str = FIRST) -> Findings | Result:
        """Return how each rate of the same pupils changed at the last step, and at the one before it."""
        years = self.step_years(from_year)
        sentences = []
        for about in HEADLINE:
            before, after = self.rates_of(about, years[0], from_year=from_year)
            change = self.step(about, years[0], from_year=from_year)
            subject = f"{SHORT[about]} of the same pupils"
            if not (is_shown(before) and is_shown(after) and is_shown(change)):
                sentences.append(f"How {subject[:1].lower()}{subject[1:]} changed cannot be told: {HIDDEN}.")
                continue
            text = change_sentence(
                subject, before, after, change, f"{year_words(STEPS[from_year])} ({show_academic_year(years[0])})",
                f"{year_words(from_year)} ({show_academic_year(academic_year_before(years[0]))})",
            )  # fmt: skip
            sentences.append(text + self._earlier_words(about, years[1:], from_year))
        return Findings(tuple(sentences))

    def _earlier_words(self, about: str, years: tuple[int, ...], from_year: str) -> str:
        """Say what the cohort before changed by."""
        earlier = self.step(about, years[0], from_year=from_year) if years else None
        if not is_shown(earlier) or not has_interval(earlier):
            return ""
        size = show_number(earlier["rate"] * 100, 1, signed=True)
        return f" The cohort before changed by {size} percentage points ({interval_in_points(earlier)})."

    # -- by group ------------------------------------------------------------------------------------

    def _groups(self, from_year: str) -> list[tuple[str, str]]:
        """Return (characteristic, level) of the groups, in order."""
        rows = self._changes_of(from_year).rows
        found = []
        for name in GROUPS:
            there = rows.loc[rows["characteristic"] == name, "level"].unique()
            found += [(name, level) for level in ordered_levels(name, there)]
        return found

    @or_notice
    def group_table(self, about: str = _OVERALL, from_year: str = FIRST) -> Table | Notice:
        """Return the change of the same pupils by characteristic, the earlier cohort's beside it."""
        years = self.step_years(from_year)
        earlier = years[1:2]

        def row(words: str, section: str, characteristic: str, level: str, emphasis: bool = False) -> Row:
            cells = self._change_cells(about, years[0], characteristic, level, from_year=from_year)
            before = tuple(
                rate_of(self.step(about, one, characteristic, level, from_year=from_year)) for one in earlier
            )
            return Row(words, (*cells, *before), section, emphasis)

        rows = [row("All pupils", "All", ALL, ALL, True)]
        rows += [row(level_words(*group), _SECTIONS[group[0]], *group) for group in self._groups(from_year)]
        columns = [Column("Pupils by group", align="left"), *self._change_columns(from_year)]
        columns += [Column("Change of the cohort before", unit="percentage points") for _ in earlier]
        return Table(
            f"change-by-group-{about.split('_')[0]}-{from_year}",
            f"{SHORT[about]} of the same pupils by group, {step_words(from_year)}",
            f"{the_area(self.area)[:1].upper()}{the_area(self.area)[1:]}, {self._span(years[0])}; {PUPILS_DEFINED[about]}; groups as in"
            f" {year_words(from_year)}",
            tuple(columns),
            tuple(rows),
            source_of(self._changes_of(from_year)),
            self._notes(),
        )

    @staticmethod
    def _span(year: int) -> str:
        return f"{show_academic_year(academic_year_before(year))} to {show_academic_year(year)}"

    @or_nothing
    def group_figure(self, about: str = _OVERALL, from_year: str = FIRST) -> Figure | Result:
        """Return the change of each group with its interval."""
        year = self.step_years(from_year)[0]
        rows = []
        for group in [(ALL, ALL), *self._groups(from_year)]:
            record = self.step(about, year, *group, from_year=from_year)
            if record is not None:
                rows.append({**record, "group": level_words(*group)})
        whole = self.step(about, year, from_year=from_year)
        if not is_shown(whole):
            raise NoDataError(HIDDEN)
        table = derived_from(rows, self._changes_of(from_year))
        table.rows["group"] = pd.Categorical(table.rows["group"], [row["group"] for row in rows])
        return dot_interval(
            table,
            id=f"change-by-group-figure-{about.split('_')[0]}-{from_year}",
            title=self._group_title(about, from_year),
            subtitle=f"Change from {step_words(from_year)} in percentage points, {self._span(year)}; {self.area.name}, the same"
            f" pupils; {PUPILS_DEFINED[about]}",
            category="group",
            highlight="All pupils",
            sort=False,
            notes=[SAME_NOTE],
        )

    def _clear_groups(self, about: str, from_year: str) -> dict[str, list[str]]:
        """Return the groups whose rate clearly rose, and clearly fell, in words."""
        found: dict[str, list[str]] = {"rose": [], "fell": []}
        for group in self._groups(from_year):
            record = self.step(about, 0, *group, from_year=from_year)
            number, _ = self.rates_of("pupils", 0, *group, from_year=from_year)
            if is_clear(record) and is_shown(number) and number["rate"] >= FEWEST_PUPILS:
                size = show_number(record["rate"] * 100, 1, signed=True)
                found["rose" if record["rate"] > 0 else "fell"].append(f"{level_words(*group)} {size}")
        return found

    def _group_title(self, about: str, from_year: str) -> str:
        clear = self._clear_groups(about, from_year)
        told = [name for name in ("rose", "fell") if clear[name]]
        subject = f"{SHORT[about]} of the same pupils"
        if not told:
            return f"{subject} did not clearly change in any group"
        if len(told) == 2:
            return f"{subject} rose clearly in some groups and fell clearly in others"
        return (
            f"{subject} clearly {told[0]} in some groups, and in none clearly {'fell' if told[0] == 'rose' else 'rose'}"
        )

    @or_nothing
    def group_sentences(self, from_year: str = FIRST) -> Findings | Result:
        """Return in which groups overall and persistent absence of the same pupils clearly changed."""
        sentences = []
        for about in HEADLINE[:2]:
            clear = self._clear_groups(about, from_year)
            told = [
                f"clearly {verb} in these groups (percentage points): {sentence_list(names)}"
                for verb, names in clear.items()
                if names
            ]
            hidden = [g for g in self._groups(from_year) if not is_shown(self.step(about, 0, *g, from_year=from_year))]
            subject = f"{SHORT[about]} of the same pupils"
            text = (
                f"{subject} {'; it '.join(told)}."
                if told
                else (f"{subject} did not clearly change in any group{' that can be shown' if hidden else ''}.")
            )
            sentences.append(text)
        sentences.append(
            "Several groups are looked at, so that a change that is just clear may be chance; of groups of fewer than"
            f" {phrase(f'{FEWEST_PUPILS} pupils', 'rule')} none is told here. A group's change says nothing of its cause."
        )
        return Findings(tuple(sentences))

    # -- by district ---------------------------------------------------------------------------------

    @or_nothing
    def district_change_table(self, about: str = _OVERALL) -> Table | Result:
        """Return the change of the same pupils by the district they were in before; of an area of several."""
        codes = self._held_districts()
        years = self.step_years()
        rows = []
        for code, name in [(self.area.code, self.area.name), *codes]:
            cells = self._change_cells(about, years[0], area_code=code)
            before = tuple(rate_of(self.step(about, one, area_code=code)) for one in years[1:2])
            rows.append(Row(name, (*cells, *before), emphasis=code == self.area.code))
        columns = [Column("District", align="left"), *self._change_columns(FIRST)]
        columns += [Column("Change of the cohort before", unit="percentage points") for _ in years[1:2]]
        return Table(
            f"change-by-district-{about.split('_')[0]}",
            f"{SHORT[about]} of the same pupils by district, {step_words()}",
            f"By district of the primary school, {self._span(years[0])}; {PUPILS_DEFINED[about]}",
            tuple(columns),
            tuple(rows),
            source_of(self.changes),
            (SAME_NOTE, "Districts differ in who lives there; this is no ranking."),
        )

    def _held_districts(self) -> list[tuple[str, str]]:
        there = set(self.changes.rows["area_code"]) - {self.area.code}
        found = [(area.code, area.name) for area in self.inputs.local_districts if area.code in there]
        if not found:
            raise NoDataError("The area is one district.")
        return found

    @or_nothing
    def district_change_figure(self, about: str = _OVERALL) -> Figure | Result:
        """Return the change by district with intervals, in the order of names."""
        year = self.step_years()[0]
        rows = [
            {**record, "district": name}
            for code, name in self._held_districts()
            if (record := self.step(about, year, area_code=code)) is not None
        ]
        rows = [row for row in rows if is_shown(row)] and rows
        if not rows:
            raise NoDataError(HIDDEN)
        whole = self.step(about, year)
        table = derived_from(rows, self.changes)
        rose, fell = ([row for row in rows if is_clear(row) and (row["rate"] > 0) is side] for side in (True, False))
        parts = [f"clearly {verb} in {_some(found, rows)}" for verb, found in (("rose", rose), ("fell", fell)) if found]
        words = " and ".join(parts) or "did not clearly change in any district"
        return dot_interval(
            table,
            id=f"change-by-district-figure-{about.split('_')[0]}",
            title=f"{SHORT[about]} of the same pupils {words}",
            subtitle=f"Change from {step_words()} in percentage points, by district of the primary school, {self._span(year)}",
            category="district",
            sort=False,
            reference=(self.area.name, float(whole["rate"])) if is_shown(whole) else None,
            notes=[SAME_NOTE, "Districts are in the order of their names."],
        )


def _some(found: list[Any], every: list[Any]) -> str:
    return "every district" if len(found) == len(every) else "some districts"
