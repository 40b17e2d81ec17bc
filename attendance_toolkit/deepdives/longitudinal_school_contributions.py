"""What each school adds to the change of the area's rate since the year before."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from attendance_toolkit.deepdives._base import derived_table
from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._shared import SHORT, Lookup, Record, or_nothing, rate_of, the_area
from attendance_toolkit.deepdives.longitudinal_change_data import Units, contribution_rows
from attendance_toolkit.deepdives.longitudinal_schools import LongitudinalSchools
from attendance_toolkit.deepdives.longitudinal_schools_data import ABOUT
from attendance_toolkit.disclosure.modelled import points_decimals
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import Column, Findings, Result, Row, Table
from attendance_toolkit.presentation.formats import figure_words, interval_cell, interval_words, source_of
from attendance_toolkit.presentation.narrative import is_clear, is_shown
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, MAIN_PHASES
from attendance_toolkit.vocabulary.ledger import phrase

_SCHOOL = "school"


class LongitudinalSchoolContributions(LongitudinalSchools):
    """Contributions of schools, from cleared counts alone."""

    @derived_table
    def school_contributions(self) -> ProtectedTable:
        """What each school adds to the change of persistent absence, columns as of ``contribution_parts``.

        Schools with hidden figures have their share of the whole, and no row of numbers.
        """
        since = academic_year_before(self.year)
        whole = (self.own(ABOUT, since), self.own(ABOUT))
        if not (is_shown(whole[0]) and is_shown(whole[1])):
            raise NoDataError("What schools add to the change needs figures of the year before and of this one.")
        units: dict[str, Units] = {ALL: whole}
        # A school that closed has its place in the year before.
        for laestab in sorted({name for name, year in self._school_records if year in (since, self.year)}):
            units[laestab] = (self._counted_in(laestab, since), self._counted_in(laestab, self.year))
        groups = {"since": since, "academic_year": self.year, "about": ABOUT, "kind": _SCHOOL}
        is_rounded = self.inputs.policy.rounding > 1
        rows = list(
            contribution_rows(
                units, groups, {"decimals": points_decimals(whole[1]["denominator"])}, is_rounded=is_rounded
            )
        )
        return derived_from(rows, self.schools, self.rates)

    def _counted_in(self, laestab: str, year: int) -> Record | None:
        found = self._school_records.get((laestab, year), {})
        return next((record for phase, record in found.items() if phase in MAIN_PHASES), None)

    @cached_property
    def _school_contributions(self) -> Lookup:
        return Lookup(self.school_contributions, ["level", "measure"])

    def school_contribution(self, laestab: str, measure: str = "contribution") -> Record | None:
        """Return what a school adds to the change, or a part of that; "All" is the whole, which has a change alone."""
        return self._school_contributions(level=laestab, measure=measure)

    def _adding_clearly(self) -> list[str]:
        """Return the schools whose contribution is clear of chance, by name."""
        every = [str(level) for level in self.school_contributions.rows["level"].unique() if str(level).isdigit()]
        return sorted(
            (name for name in every if is_clear(self.school_contribution(name))),
            key=lambda name: self.school_name(name),
        )

    @property
    def _contribution_span(self) -> str:
        return f"{show_academic_year(academic_year_before(self.year))} to {show_academic_year(self.year)}"

    # -- blocks --------------------------------------------------------------------------------------

    @or_nothing
    def school_contribution_sentences(self) -> Findings | Result:
        """Return how many schools clearly added to the change, and how many worked against it."""
        change = self.school_contribution(ALL, "change_in_rate")
        if not is_shown(change):
            raise NoDataError("The change of the whole is hidden.")
        levels = [str(level) for level in self.school_contributions.rows["level"].unique() if str(level).isdigit()]
        told = [name for name in levels if is_shown(self.school_contribution(name))]
        clear = [self.school_contribution(name) for name in self._adding_clearly()]
        up, down = (_side(clear, sign) for sign in (1, -1))
        count = phrase(f"{len(told)} of {len(levels)} schools", "schools")
        return Findings(
            (
                f"{SHORT[ABOUT]} in {the_area(self.area)}, {self._contribution_span}: {figure_words(change)} percentage points"
                f" ({interval_words(change)}). The figures of {count} can be shown: {up} clearly pushed the rate up and {down} clearly"
                " pulled it down. By chance alone about one in twenty would seem to do either.",
            )
        )

    @or_nothing
    def school_contribution_table(self) -> Table | Result:
        """Return the schools whose contribution to the change is clear of chance, by name."""
        schools = self._adding_clearly()
        if not schools:
            raise NoDataError("No school's contribution is clear of chance.")
        rows = []
        for laestab in schools:
            own = self.school_contribution(laestab, "change_in_rate")
            part, within, size = (
                self.school_contribution(laestab, name)
                for name in ("contribution", "contribution_within", "contribution_size")
            )
            cells = (
                rate_of(own), interval_cell(own), rate_of(part), interval_cell(part), rate_of(within), rate_of(size),
            )  # fmt: skip
            rows.append(Row(self.school_name(laestab), cells))
        return Table(
            "contribution-schools",
            f"Schools that clearly moved persistent absence, {self._contribution_span}",
            "All schools; percentage points; schools by name",
            (
                Column("School", align="left"),
                Column("Change", "Its own rate"),
                Column("95% interval", "Its own rate"),
                Column("Contribution", "Part of the change of all"),
                Column("95% interval", "Part of the change of all"),
                Column("By its own rate", "Part of the change of all"),
                Column("By its size", "Part of the change of all"),
            ),
            tuple(rows),
            source_of(self.school_contributions),
            (
                *(
                    ["Worked out from rounded counts, which move a small school's rate."]
                    if self.inputs.policy.rounding > 1
                    else []
                ),
                "A large school adds more than a small one whose rate moved as much. Contributions of all schools, hidden ones"
                " among them, add up to the change of all pupils. Intervals take shares as known and the years as independent."
                " A contribution says where the change arose, and is no judgement of a school.",
            ),
        )


def _side(parts: Sequence[Record | None], sign: int) -> str:
    number = sum(part is not None and part["rate"] * sign > 0 for part in parts)
    return phrase(f"{number} of them", "schools") if number else "none of them"
