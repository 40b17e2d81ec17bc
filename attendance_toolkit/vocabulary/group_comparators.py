"""National attendance of groups of pupils by phase, against which the groups of a school or an area are held."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from attendance_toolkit.vocabulary._reference import read_reference

#: Groups of a rating of schools, as rule schemes name them -> column and level of PUPIL_TERM; None is all pupils.
RATING_GROUPS: dict[str, tuple[str, str] | None] = {
    "All pupils": None,
    "EHCP": ("sen_provision", "EHC plan"),
    "SEN Support": ("sen_provision", "SEN support"),
    "FSM": ("fsm_eligible", "FSM eligible"),
    "Children with a social worker": ("social_worker", "Yes"),
}
#: All groups an authority may give national figures of: those of a rating, and those of the page on vulnerable groups.
COMPARED_GROUPS: dict[str, tuple[str, str] | None] = RATING_GROUPS | {
    "Looked-after children": ("looked_after", "Yes"),
    "Children on a child protection plan": ("protection_plan", "Yes"),
    "Young carers": ("young_carer", "Yes"),
}
#: Groups whose published figures count pupils matched between two censuses, which DfE advises against comparing with the
#: enrolments of the absence statistics: no figure of them is in the toolkit, an authority may give its own.
PUPIL_BASED = ("Children with a social worker", "Looked-after children", "Children on a child protection plan")
#: Dataset of an authority's own file of such figures, and series of its rows.
OWN_DATASET, OWN_SERIES = "group_comparators", "own"


@dataclass(frozen=True)
class NationalAttendance:
    """One national figure.

    Attributes
    ----------
    series
        "census" (full year) or "attendance" (year to date at the end of the year).
    attendance
        Share, 0 to 1: from published counts, else the percentage as printed.
    decimals
        Decimals of the printed percentages; None where counts give them.
    persistent_absence
        Share of enrolments, 0 to 1, as printed; None where the source has none.
    """

    series: str
    academic_year: int
    phase: str
    group: str
    attendance: Fraction
    decimals: int | None
    source: str
    persistent_absence: Fraction | None = None


@cache
def national_attendance() -> tuple[NationalAttendance, ...]:
    """Return the national figures of groups that the toolkit has, oldest first.

    >>> {(row.series, row.academic_year) for row in national_attendance() if row.academic_year > 201617}
    {('attendance', 202324)}
    """
    return tuple(_row(row) for row in read_reference("group_comparators.csv"))


def _row(row: dict[str, str]) -> NationalAttendance:
    if row["sessions_possible"]:
        share = 1 - Fraction(int(row["sessions_missed"]), int(row["sessions_possible"]))
    else:
        share = Fraction(row["attendance"]) / 100
    return NationalAttendance(
        row["series"],
        int(row["academic_year"]),
        row["phase"],
        row["group"],
        share,
        int(row["decimals"]) if row["decimals"] else None,
        row["source"],
        Fraction(row["persistent_absence"]) / 100 if row["persistent_absence"] else None,
    )
