"""What the days on which a school has marks say: its half-term breaks, weeks without marks, stray days."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from statistics import median

from attendance_toolkit.vocabulary.calendar import academic_year_of, break_windows, easter_sunday, half_term_starts

#: Academic year -> first days of the second half of the autumn term and of the spring term: the Monday of the break.
Breaks = dict[int, tuple[date, date]]
#: A day with less than this share of a school's usual marks is no ordinary school day.
STRAY_SHARE = 0.05
_FEWEST_USUAL = 20
_WEEK = timedelta(days=7)


def monday_of(day: date) -> date:
    """Return the Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def find_breaks(taught: Collection[date]) -> Breaks:
    """Return the autumn and spring break of each year as the days with marks show them, where they do.

    A break is the first whole week without marks in the usual window, with marks before and after it in the term.
    A year with one of the two keeps the usual day for the other one.

    >>> days = [date(2024, 9, 2) + timedelta(days=n) for n in range(110)]
    >>> days = [d for d in days if d.weekday() < 5 and not date(2024, 10, 21) <= d <= date(2024, 10, 25)]
    >>> find_breaks(days)[202425][0]
    datetime.date(2024, 10, 21)
    """
    days = sorted(day for day in taught if day.weekday() < 5)
    weeks = {monday_of(day) for day in days}
    found: Breaks = {}
    for year in {academic_year_of(day) for day in days}:
        starts = half_term_starts(year)
        halves = [starts[1], starts[3]]
        limits = ((starts[0], starts[2]), (starts[2], starts[4]))
        for term, (first, last) in enumerate(break_windows(year)):
            inside = [day for day in days if limits[term][0] <= day < limits[term][1]]
            monday = monday_of(first + timedelta(days=6))
            while inside and monday <= last:
                if monday not in weeks and inside[0] < monday < inside[-1]:
                    halves[term] = monday
                    break
                monday += _WEEK
        found[year] = (halves[0], halves[1])
    return found


def stray_days(taught: Mapping[date, int]) -> dict[date, int]:
    """Return days on which a school has hardly any marks, such as one clicked in the holidays, and how many.

    >>> days = {date(2024, 9, 2) + timedelta(days=n): 200 for n in range(5)}
    >>> stray_days({**days, date(2024, 8, 20): 2})
    {datetime.date(2024, 8, 20): 2}
    """
    weekdays = {day: marks for day, marks in taught.items() if day.weekday() < 5}
    if len(weekdays) < 3:
        return {}
    usual = median(weekdays.values())
    if usual < _FEWEST_USUAL:
        return {}
    return {day: marks for day, marks in sorted(weekdays.items()) if marks < STRAY_SHARE * usual}


def weeks_without(taught: Collection[date], others: Collection[date]) -> list[tuple[date, int]]:
    """Return runs of two or more school weeks without marks: first Monday and number of weeks.

    Parameters
    ----------
    taught
        Days with marks of a school.
    others
        Mondays of weeks in which most schools have marks; empty when there are too few schools to tell. Weeks of the
        usual holidays are then left out, and only those between a school's first and last marks are looked at.

    >>> days = [date(2024, 9, 2), date(2024, 9, 9), date(2024, 9, 30)]
    >>> weeks_without(days, [])
    [(datetime.date(2024, 9, 16), 2)]
    """
    mine = {monday_of(day) for day in taught}
    if not mine:
        return []
    expected = sorted(others)
    if not expected:
        span = (max(mine) - min(mine)).days // 7
        expected = [w for w in (min(mine) + n * _WEEK for n in range(span)) if not _is_holiday(w)]
    missing = [week for week in expected if week not in mine]
    runs: list[list[date]] = []
    for week in missing:
        place = expected.index(week)
        if runs and expected[place - 1] == runs[-1][-1]:
            runs[-1].append(week)
        else:
            runs.append([week])
    return [(run[0], len(run)) for run in runs if len(run) > 1]


def _is_holiday(monday: date) -> bool:
    """Whether a week usually has no school, somewhere in England."""
    year = monday.year
    easter = monday_of(easter_sunday(year))
    spans = [
        (date(year, 7, 15), date(year, 9, 8)),
        (date(year, 12, 15), date(year, 12, 31)),
        (date(year, 1, 1), date(year, 1, 7)),
        (easter - 2 * _WEEK, easter + 2 * _WEEK),
        (date(year, 5, 20), date(year, 6, 3)),
        *break_windows(academic_year_of(monday)),
    ]
    return any(first <= monday <= last for first, last in spans)


def taught_weeks(schools: Mapping[int, Collection[date]]) -> list[date]:
    """Return the Mondays of weeks in which more than half of the schools have marks; none with fewer than four."""
    if len(schools) < 4:
        return []
    counts: dict[date, int] = {}
    for days in schools.values():
        for week in {monday_of(day) for day in days}:
            counts[week] = counts.get(week, 0) + 1
    return sorted(week for week, count in counts.items() if count * 2 > len(schools))
