"""What the lists made from single marks share: the marks of an area and year, year groups, days that are possible."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.metrics.marks import WEEKDAYS, MarkTable, patterns
from attendance_toolkit.reporting.list_writing import held_members
from attendance_toolkit.store import Store
from attendance_toolkit.vocabulary.areas import Area, find_area
from attendance_toolkit.vocabulary.calendar import parse_academic_year, show_academic_year

#: A day of the week is named where at least so many of its sessions were missed, and so many standard deviations more than the
#: pupil's usual share: 1% on one side for each of five days. Sessions of a day are missed together, which doubles the variance.
_FEWEST_OF_A_DAY, _DEVIATIONS, _TOGETHER = 5, 2.33, 2
DECIDED_BY_PEOPLE = (
    "A list to work from, not a decision. Each case is decided on its own by somebody who knows the child, support comes"
    " first, and nothing is sent or recorded anywhere by this list."
)


@dataclass(frozen=True, eq=False)
class AreaMarks:
    """The marks of an area.

    Attributes
    ----------
    year
        The academic year asked for, or the latest with marks.
    table
        The marks: of that year alone, or of it and earlier ones.
    """

    store: Store
    area: Area
    members: tuple[str, ...]
    year: int
    table: MarkTable

    def check_day(self, day: date | None, what: str) -> None:
        """Check that a day lies within the marks.

        Raises
        ------
        ParameterError
            It does not; the message says from when to when there are marks.
        """
        first, last = self.table.first_and_last_day
        if day is not None and not first <= day <= last:
            raise ParameterError(
                f"{day.isoformat()} ({what}) is outside the marks of {self.area.name}, which are of {first.isoformat()} to"
                f" {last.isoformat()}. Give a day within them."
            )

    def year_groups(self) -> dict[int, str]:
        """Return pseudonym -> year group in the year, as the latest record of it has it."""
        rows = self.store.pupil_terms(list(self.members), [self.year], ["upn", "half_term", "nc_year"])
        known = rows.filter("nc_year <> 'Unknown'").aggregate("upn, arg_max(nc_year, half_term || nc_year)").fetchall()
        return {int(upn): str(group) for upn, group in known}


def area_marks(store: Store, area: str | Area, academic_year: str | int, *, with_earlier: bool = False) -> AreaMarks:
    """Return the marks of an area and academic year.

    Parameters
    ----------
    academic_year
        "" for the latest with marks.
    with_earlier
        Take the marks of earlier years along.

    Raises
    ------
    NoDataError
        The store has no pupils or no marks of the area, or none of the year.
    """
    place = area if isinstance(area, Area) else find_area(area)
    members = held_members(store, place)
    years = sorted({year for code, year in store.marked() if code in members})
    if not years:
        raise NoDataError(
            f"The store has no register marks of {place.name}. Load its registers, one row a mark or one column a session:"
            f" attendance load REGISTER… --store {store.path.name}. Registers loaded before single marks were kept are to be"
            " loaded again."
        )
    year = parse_academic_year(academic_year) if academic_year else years[-1]
    if year not in years:
        raise NoDataError(
            f"The store has no register marks of {place.name} in {show_academic_year(year)}. It has those of:"
            f" {', '.join(map(show_academic_year, years))}."
        )
    wanted = [one for one in years if one == year or (with_earlier and one < year)]
    table = MarkTable(store.marks(members, wanted))
    return AreaMarks(store, place, tuple(members), year, table)


def patterns_in_words(table: MarkTable, upns: Sequence[int], until: date | None) -> dict[tuple[int, int], str]:
    """Return (pseudonym, school) -> the pattern of absence up to a day, in words."""
    rows = patterns(table.chosen(set(upns), until))
    return {(int(row["upn"]), int(row["laestab"])): pattern_words(row) for row in rows.to_dict("records")}


def pattern_words(row: Mapping[Any, Any]) -> str:
    """Return a row of ``metrics.marks.patterns`` in words.

    >>> row = dict(possible=100, missed=12, weekday=0, weekday_missed=9, weekday_possible=20, spells=4, longest=6,
    ...            single_days=0.5, late=3, late_after=0, part_time=0, arranged=0)
    >>> pattern_words(row)
    '4 spells of absence, the longest 6 sessions; 2 within one day; Monday most: 9 of 20 sessions; late 3'
    """
    said = []
    if row["spells"]:
        many = int(row["spells"])
        said.append(f"{many:,} spell{'' if many == 1 else 's'} of absence, the longest {_sessions(row['longest'])}")
        if many > 1 and (single := round(row["single_days"] * many)):
            said.append(f"{single} within one day")
    usual = row["missed"] / row["possible"] if row["possible"] else 0
    expected = usual * row["weekday_possible"]
    more = row["weekday_missed"] - expected
    often = row["weekday_missed"] >= _FEWEST_OF_A_DAY
    if often and more >= _DEVIATIONS * math.sqrt(_TOGETHER * expected * (1 - usual)) > 0:
        day = WEEKDAYS[int(row["weekday"])]
        said.append(f"{day} most: {int(row['weekday_missed'])} of {_sessions(row['weekday_possible'])}")
    for name, words in (
        ("late", "late"),
        ("late_after", "late after the register closed (U)"),
        ("part_time", "part-time timetable (C2)"),
        ("arranged", "arranged or off-site education (K, B)"),
    ):
        if row[name]:
            said.append(f"{words} {int(row[name])}")
    return "; ".join(said)


def _sessions(number: float) -> str:
    return "1 session" if number == 1 else f"{int(number):,} sessions"


def day_words(day: date | pd.Timestamp) -> str:
    """Return a day as lists write it.

    >>> day_words(pd.Timestamp(2024, 3, 22))
    '2024-03-22'
    """
    return day.isoformat()[:10]
