"""Schools over the years: funnels of rates and of changes, and which schools improved or deteriorated. No league table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.deepdives._contrasts import Record, derived_from
from attendance_toolkit.deepdives._school_names import SchoolNames
from attendance_toolkit.deepdives._shared import COVID_NOTE, COVID_YEARS, Lookup, or_nothing, or_notice, rate_of
from attendance_toolkit.deepdives.longitudinal_schools_data import (
    CANNOT_TELL,
    DETERIORATING,
    FEWEST_SCHOOLS,
    IMPROVING,
    LongitudinalSchoolsData,
    SchoolChanges,
    SchoolYear,
    expected_by_chance,
)
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.funnel import Z998, ChangeFunnel, Funnel
from attendance_toolkit.presentation.blocks import Cell, Column, Figure, Findings, Notice, Result, Row, Table
from attendance_toolkit.presentation.figures import funnel_chart
from attendance_toolkit.presentation.formats import interval_cell, records, source_of
from attendance_toolkit.presentation.narrative import is_shown, sentence_list
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import MAIN_PHASES
from attendance_toolkit.vocabulary.directions import direction_of
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.rounding import round_half_up, show_number

_MEASURED = "Pupils (enrolments) missing 10% or more of their own possible sessions"
_SAME_PUPILS = (
    "Most pupils of a school are in the figures of both years. The limits and probabilities take the years as independent,"
    " which makes them more careful than they need be."
)
_HIDDEN = "; others are hidden to protect small numbers"
#: Whether limits are widened -> how many schools chance leaves outside the 95% limits (``models.funnel.funnel``).
_EXPECTED_OUTSIDE = {
    True: "If schools differed in the ordinary way about one in ten would lie outside 95% limits so widened.",
    False: "By chance alone about one in twenty would lie outside the 95% limits.",
}
#: Sizes at which limits are drawn between the smallest and the largest school.
_CURVE = 40


class LongitudinalSchools(LongitudinalSchoolsData):
    """Blocks on schools."""

    # -- names ---------------------------------------------------------------------------------------

    @cached_property
    def names(self) -> SchoolNames:
        """What the store's lists call the schools of the page."""
        if self.inputs.store is None:
            return SchoolNames({})
        shown = {laestab for laestab, _ in self._school_records}
        return SchoolNames.of(self.inputs.store.schools(), among=shown)

    def school_name(self, laestab: str) -> str:
        """Return a school's name, or its number where the store's lists have no name."""
        return self.names.told(laestab)

    def _chart_label(self, laestab: str) -> str:
        """Return what a school is called on a chart, where a name is broken into lines: no number may stand by itself."""
        name = self.names.listed.get(laestab, "")
        if name:
            return "" if any(character.isdigit() for character in name) else name
        phrase(laestab, "schools")
        return self.school_name(laestab)

    # -- notice --------------------------------------------------------------------------------------

    @or_notice
    def school_notice(self) -> Notice:
        """Return what the figures by school are, how many can be shown, and why they are no league table."""
        parts, is_any_hidden = [], False
        for phase in MAIN_PHASES:
            every = self.schools_of(phase)
            shown = sum(is_shown(self.school_record(laestab, self.year, phase)) for laestab in every)
            is_any_hidden |= shown < len(every)
            if every:
                parts.append(phrase(f"{shown} of {len(every)} {_kind(phase)}", "schools"))
        texts = [
            "This is no league table. Schools teach different pupils, and a small school's rate moves by chance alone. They"
            " are listed by name, and a change is told only where it is clear of chance.",
            f"The figures of {sentence_list(parts)} can be shown{_HIDDEN if is_any_hidden else ''}.",
            *self._dispersion_sentences(),
            _SAME_PUPILS,
        ]
        return Notice(" ".join(texts), "How to read the figures by school")

    def _dispersion_sentences(self) -> list[str]:
        try:
            lookup = Lookup(self.school_funnels, ["phase", "measure"])
        except NoDataError:
            return []
        sentences = []
        widened, others = [], []
        for phase in MAIN_PHASES:
            record, found = lookup(phase=phase, measure="overdispersion"), self.school_year(phase)
            if not is_shown(record) or found is None:
                continue
            if found.model.tau2 > 0:
                widened.append(f"{show_number(record['rate'], 1)} among {_kind(phase)}")
            else:
                others.append(_kind(phase))
        if widened:
            chance = phrase("1 or less", "rule")
            sentences.append(
                "Schools differ by more than chance for lasting reasons (overdispersion), and limits are widened by as much:"
                f" their scores vary by {sentence_list(widened)}, where chance alone would give {chance}."
            )
        if others:
            sentences.append(
                f"The rates of {sentence_list(others)} differ by no more than chance; their limits are not widened."
            )
        return sentences

    # -- funnels -------------------------------------------------------------------------------------

    @or_nothing
    def funnel_figure(self, phase: str) -> Figure | Result:
        """Return the rates of a phase's schools by size, between limits widened for overdispersion."""
        found = self.school_year(phase)
        if found is None:
            raise NoDataError(_too_few_of(phase))
        outside = dict(zip(found.laestabs, found.model.is_outside_998, strict=True))
        rows = [self.school_record(laestab, self.year, phase) for laestab in self.schools_of(phase)]
        table = self._named_rows([row for row in rows if row is not None], outside, self.schools)
        number = int(found.model.is_outside_95.sum())
        far = int(found.model.is_outside_998.sum())
        centre = Lookup(self.school_funnels, ["phase", "measure"])(phase=phase, measure="funnel_limit")
        assert centre is not None
        of = f"{len(found.laestabs)} {_kind(phase)}"
        title = phrase(f"{_number(number, True)} of {of} {_lies(number)} outside the 95% limits", "schools")
        return funnel_chart(
            table,
            _limits(found.model, [float(record["denominator"]) for record in found.records]),
            id=f"school-funnel-{phase.lower()}",
            title=f"Persistent absence by school, {self.shown_year}: {title[:1].lower()}{title[1:]}",
            subtitle=f"{_MEASURED}, by the size of the school; {self.area.name}, {_kind(phase)}",
            category="school",
            centre=("All shown", float(centre["rate"])),
            label="named",
            notes=[
                self._widened_note(found, phase),
                f"{_EXPECTED_OUTSIDE[found.model.tau2 > 0]} The unit is the pupil."
                f"{' Schools outside the 99.8% limits are named.' if far else ''} A rate outside asks for a reason, and is not itself"
                " a judgement.",
            ],
        )

    def _widened_note(self, found: SchoolYear, phase: str) -> str:
        """Say whether the limits are widened for overdispersion, and how many schools lie outside with and without that."""
        if not found.model.tau2 > 0:
            return "These schools differ by no more than chance, so the limits are not widened."
        far, of = int(found.model.is_outside_998.sum()), f"{len(found.laestabs)} {_kind(phase)}"
        unadjusted = int((np.abs(found.model.z_unadjusted) > Z998).sum())
        return phrase(
            f"Limits are widened for what schools differ by beyond chance: {_number(far)} of {of} {_lies(far)} outside the 99.8%"
            f" limits; without this it would be {_number(unadjusted)}.",
            "schools",
        )

    @or_nothing
    def change_funnel_figure(self, phase: str) -> Figure | Result:
        """Return the changes of a phase's schools since the first year, between the limits chance keeps them within."""
        found = self._first_changes(phase)
        rows = self.school_changes.select(phase=phase, since=found.since, measure="change_in_rate")
        sizes = [float(round(size)) for size in found.limits.size]
        lower, upper = found.limits.limits(sizes)
        is_out = (found.limits.change < lower) | (found.limits.change > upper)
        outside = dict(zip(found.laestabs, is_out, strict=True))
        every = [row for row in records(rows) if row["laestab"]]
        number = int(is_out.sum())
        title = phrase(
            f"{_number(number)} of {len(found.laestabs)} {_kind(phase)} {_lies(number)} outside the 95% limits",
            "schools",
        )
        return funnel_chart(
            self._named_rows(every, outside, self.school_changes),
            _limits(found.limits, sizes),
            id=f"school-change-funnel-{phase.lower()}",
            title=f"Change of persistent absence by school: {title}",
            subtitle=f"Percentage points, {_span(found)}, by the size of the school; {self.area.name}, {_kind(phase)}",
            category="school",
            centre=("All shown", found.limits.centre),
            size_label="Pupils, mean of both years",
            label="named",
            notes=[
                "The centre is the change of all these schools together: a point outside changed by more or by less than they"
                " did. Below the line of no change persistent absence fell. Schools outside the 95% limits are named.",
                _SAME_PUPILS,
                *_covid_notes(found),
            ],
        )

    def _named_rows(self, rows: Iterable[Record], outside: dict[str, Any], table: ProtectedTable) -> ProtectedTable:
        found = []
        for row in rows:
            laestab = str(row["laestab"])
            label = self._chart_label(laestab) if outside.get(laestab) else ""
            found.append({**row, "school": self.school_name(laestab), "named": label})
        return derived_from(found, table)

    def _first_changes(self, phase: str) -> SchoolChanges:
        """Return the changes since the first year, by which a school improves or deteriorates."""
        if not self.school_years_before:
            raise NoDataError("Changes of schools need pupil-level data of more than one year.")
        found = self.changes_of(phase, self.school_years_before[0])
        if found is None:
            raise NoDataError(_too_few_of(phase))
        return found

    # -- improving and deteriorating -----------------------------------------------------------------

    @or_nothing
    def school_table(self, phase: str) -> Table | Result:
        """Return the schools of a phase that clearly improved or deteriorated, by name."""
        found = self._first_changes(phase)
        lookup = Lookup(self.school_changes.select(phase=phase, since=found.since), ["laestab", "measure"])
        rows: list[Row] = []
        for verdict, measure in ((IMPROVING, "probability_fell"), (DETERIORATING, "probability_rose")):
            places = sorted(found.with_verdict(verdict), key=lambda at: self.school_name(found.laestabs[at]))
            for place in places:
                laestab = found.laestabs[place]
                change = lookup(laestab=laestab, measure="change_shrunken")
                cells = (
                    rate_of(found.before[place]), rate_of(found.after[place]), rate_of(change), interval_cell(change),
                    _probability_cell(lookup(laestab=laestab, measure=measure)),
                )  # fmt: skip
                rows.append(Row(self.school_name(laestab), cells, f"{verdict}: {_fell_or_rose(verdict)}"))
        if not rows:
            raise NoDataError("No school clearly changed.")
        return Table(
            f"schools-changed-{phase.lower()}",
            f"{_kind(phase).capitalize()} whose persistent absence clearly changed, {_span(found)}",
            f"{_MEASURED}; by name, {self.area.name}",
            (
                Column("School", align="left"),
                Column(show_academic_year(found.since), "", "%"),
                Column(show_academic_year(found.until), "", "%"),
                Column("Change", "Shrunken", "percentage points"),
                Column("95% interval", "Shrunken", "percentage points"),
                Column("Probability of that direction"),
            ),
            tuple(rows),
            source_of(self.school_changes),
            (
                direction_of("school").text,
                "A shrunken change is drawn towards that of all schools of the type, a small school's the more, since more of"
                " its change is chance. Schools that are not listed did not clearly change, or cannot be told: a real change of"
                " a small school often cannot. A school may be listed though its interval just holds zero, because the"
                " probability looks at one direction alone.",
                "A school may have improved by no more than all schools did, and one that went against them is drawn towards them: the"
                " chart of changes shows which changed otherwise.",
                _SAME_PUPILS,
                *_covid_notes(found),
            ),
        )

    @or_notice
    def school_sentences(self) -> Findings | Notice | Result:
        """Return how many schools improved and deteriorated, beside how many chance alone would mark."""
        if not self.is_local:
            return Result(())
        if not self.school_years_before:
            raise NoDataError("Changes of schools need pupil-level data of more than one year.")
        sentences = []
        for phase in MAIN_PHASES:
            if not self.schools_of(phase):
                continue
            told = [self.changes_of(phase, since) for since in self.school_years_before]
            if told[0] is None:
                sentences.append(_too_few_of(phase))
                continue
            sentences += [
                f"{_counted(found, phase)}{self._together(found, phase)}" for found in told if found is not None
            ]
        if not sentences:
            raise NoDataError("There are no schools whose changes could be told.")
        sentences.append(f"How this is told. {direction_of('school').text}")
        return Findings(tuple(sentences))

    def _together(self, found: SchoolChanges, phase: str) -> str:
        """Say how the rate of all the schools together changed: schools that improve may have done as all did."""
        lookup = Lookup(self.school_changes.select(phase=phase, since=found.since), ["laestab", "measure"])
        record = lookup(laestab="", measure="change_in_rate")
        if not is_shown(record):
            return ""
        return f" Over all of them together the rate changed by {show_number(record['rate'] * 100, 1, signed=True)} percentage points."


def _counted(found: SchoolChanges, phase: str) -> str:
    """Return how many schools of a phase improved and deteriorated, with what chance would give.

    The numbers count schools.
    """
    total = len(found.laestabs)
    hidden = sum(symbol == "c" for symbol in found.missing.values())
    new = len(found.missing) - hidden
    left = [f"{_number(hidden)} with hidden figures"] * bool(hidden) + [
        f"{_number(new)} without figures of both years"
    ] * bool(new)
    aside = f" ({sentence_list(left)} left aside)" if left else ""
    start = f"{_span(found).capitalize()}, persistent absence in {total} {_kind(phase)}{aside}: "
    if not found.model.has_variance:
        return phrase(
            f"{start}their changes differ by no more than chance alone would make them, so nothing is said of any one school.",
            "schools",
        )
    better, worse, open_ = (len(found.with_verdict(verdict)) for verdict in (IMPROVING, DETERIORATING, CANNOT_TELL))
    false = expected_by_chance(total)
    chance = "fewer than 1" if false < 1 else f"about {round_half_up(false):.0f}"
    return phrase(
        f"{start}{_number(better)} improved, {_number(worse)} deteriorated, and of {_number(open_)} it cannot be told. If no"
        f" school had changed, chance alone would on average mark {chance} of {total}.",
        "schools",
    )


def _limits(model: Funnel | ChangeFunnel, sizes: Sequence[float]) -> pd.DataFrame:
    """Return both pairs of limits at the sizes of the points and in between."""
    low, high = min(sizes), max(sizes)
    low, high = (0.9 * low, 1.1 * high) if low == high else (low, high)
    # Even on the scale of one over the root of the size, on which limits are nearly straight.
    every = np.unique([*sizes, *np.linspace(low**-0.5, high**-0.5, _CURVE) ** -2.0])
    every = every[(every >= low) & (every <= high)]
    lower, upper = model.limits(every)
    low_far, high_far = model.limits(every, Z998)
    return pd.DataFrame({"n": every, "lower95": lower, "upper95": upper, "lower998": low_far, "upper998": high_far})


def _kind(phase: str) -> str:
    """Return schools of a phase in running text.

    >>> _kind("Primary")
    'primary schools'
    """
    return f"{phase.lower()} schools"


def _number(count: int, is_start: bool = False) -> str:
    """Return a number of schools in running text.

    >>> _number(0), _number(3), _number(0, True)
    ('none', '3', 'None')
    """
    return str(count) if count else "None" if is_start else "none"


def _lies(count: int) -> str:
    return "lies" if count == 1 else "lie"


def _span(found: SchoolChanges) -> str:
    return f"from {show_academic_year(found.since)} to {show_academic_year(found.until)}"


def _covid_notes(found: SchoolChanges) -> list[str]:
    return [COVID_NOTE] if {found.since, found.until} & set(COVID_YEARS) else []


def _fell_or_rose(verdict: str) -> str:
    return "persistent absence fell" if verdict == IMPROVING else "persistent absence rose"


def _too_few_of(phase: str) -> str:
    text = f"fewer than {FEWEST_SCHOOLS} {_kind(phase)}"
    return (
        f"The {_kind(phase)} are not held beside each other: {phrase(text, 'schools')} have figures that can be shown."
    )


def _probability_cell(record: Record | None) -> Cell:
    """Return a probability as so many in a hundred; one near certainty is not written as certain."""
    if not is_shown(record):
        return rate_of(record)
    size = int(round_half_up(record["rate"] * 100))
    text = "over 99 in 100" if size > 99 else f"{size} in 100"
    return Cell(phrase(text, "schools"))
