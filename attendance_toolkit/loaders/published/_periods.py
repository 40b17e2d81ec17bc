"""Names of periods. Only a whole academic year is called "year"; nothing shorter can be mistaken for it."""

from __future__ import annotations

import re
from datetime import date, datetime

from attendance_toolkit.vocabulary.calendar import TERMS, parse_academic_year

PERIOD_YEAR = "year"
PERIOD_FIVE_HALF_TERMS = "year, five half terms"
PERIOD_AUTUMN_SPRING = "autumn and spring"

#: DfE's time identifiers of terms, and the words of older files, with the period they name.
TERM_PERIODS = {"Autumn term": "autumn", "Spring term": "spring", "Summer term": "summer"}
PERIODS = {
    "Academic year": PERIOD_YEAR,
    "Six half terms": PERIOD_YEAR,
    "Full year": PERIOD_YEAR,
    "Five half terms": PERIOD_FIVE_HALF_TERMS,
    "Autumn and spring term": PERIOD_AUTUMN_SPRING,
    "Autumn and spring terms": PERIOD_AUTUMN_SPRING,
    **TERM_PERIODS,
}
BREAKDOWNS = {"five half terms": PERIOD_FIVE_HALF_TERMS, "six half terms": PERIOD_YEAR}

_WEEK = re.compile(r"^(?:week\s*)?(\d{1,2})$", re.IGNORECASE)
_KINDS = (
    (re.compile(r"^\d{4}-\d{2}-\d{2}$"), "day"),
    (re.compile(r"^week \d{1,2} \d{4}$"), "week"),
    (re.compile(r"^to week \d{1,2} \d{4}$"), "year to date"),
)


def period_kind(period: str) -> str:
    """Return what kind of period a name is.

    Returns
    -------
    "year", "part of a year" (five half terms, autumn and spring), "term", "year to date", "week" or "day".

    Raises
    ------
    ValueError
        The name is no period of a published row.

    >>> [period_kind(name) for name in ("year", "autumn", "to week 30 2025", "week 37 2025", "2025-09-12")]
    ['year', 'term', 'year to date', 'week', 'day']
    """
    if period == PERIOD_YEAR:
        return "year"
    if period in (PERIOD_FIVE_HALF_TERMS, PERIOD_AUTUMN_SPRING):
        return "part of a year"
    if period in TERMS:
        return "term"
    for pattern, kind in _KINDS:
        if pattern.match(period):
            return kind
    raise ValueError(f"'{period}' is not a period of a published row")


def academic_year_of(day: date) -> int:
    """Return the academic year of a day, 1 August to 31 July.

    >>> academic_year_of(date(2025, 7, 31)), academic_year_of(date(2025, 8, 1))
    (202425, 202526)
    """
    start = day.year - (day.month < 8)
    return start * 100 + (start + 1) % 100


def week_period(year: str, week: str, *, to_date: bool = False) -> tuple[int, str]:
    """Return the academic year and the period of a calendar year and an ISO week number as DfE gives them.

    Raises
    ------
    ValueError
        There is no such week.

    >>> week_period("2025", "Week 37"), week_period("2025", "Week 30", to_date=True)
    ((202526, 'week 37 2025'), (202425, 'to week 30 2025'))
    """
    match = _WEEK.match(week)
    if not match or not re.fullmatch(r"\d{4}", year):
        raise ValueError(f"{year} {week}")
    number = int(match[1])
    monday = date.fromisocalendar(int(year), number, 1)
    return academic_year_of(monday), f"{'to ' if to_date else ''}week {number} {year}"


def day_period(text: str) -> tuple[int, str]:
    """Return the academic year and the period of a day, written as in 2025-09-08 or 08/09/2025.

    Raises
    ------
    ValueError
        The text is no such day.

    >>> day_period("08/09/2025") == day_period("2025-09-08") == (202526, "2025-09-08")
    True
    """
    day = datetime.strptime(text, "%d/%m/%Y").date() if "/" in text else date.fromisoformat(text)
    return academic_year_of(day), day.isoformat()


def year_or_week_period(year: str, identifier: str) -> tuple[int, str]:
    """Return the academic year and the period of ``time_period`` and ``time_identifier``.

    >>> year_or_week_period("202324", "Spring term"), year_or_week_period("2025", "Week 37")
    ((202324, 'spring'), (202526, 'week 37 2025'))
    """
    if _WEEK.match(identifier):
        return week_period(year, identifier)
    known = {name.casefold(): period for name, period in PERIODS.items()}
    return parse_academic_year(year), known[identifier.casefold()]
