"""Academic years, terms and half terms, and which term a census return carries."""

from __future__ import annotations

import re
from datetime import date, timedelta

from attendance_toolkit.errors import VocabularyError

TERMS = ("autumn", "spring", "summer")
TERM_LABELS = {"autumn": "Autumn", "spring": "Spring", "summer": "Summer"}

#: Half terms, and the spans of half terms a return may give as one figure, with their term.
HALF_TERM_TERMS = {
    "1": "autumn",
    "2": "autumn",
    "1-2": "autumn",
    "3": "spring",
    "4": "spring",
    "3-4": "spring",
    "5": "summer",
    "6": "summer",
    "5-6": "summer",
    "1-6": "year",
}
#: The term of a figure that is known for the whole year only.
WHOLE_YEAR = "year"

#: A school census carries the attendance of an earlier term (DfE pupil absence statistics
#: methodology, section 3): collection -> ((half terms, years back to the term's academic year), ...).
CENSUS_CARRIES = {
    "autumn": (("5", -1), ("6", -1)),
    "spring": (("1-2", 0),),
    "summer": (("3-4", 0),),
}

#: The new register codes apply to sessions on or after this day (SI 2024/208).
NEW_CODES_FROM = date(2024, 8, 19)

_YEAR_FORMS = re.compile(r"^(?P<a>\d{4})\s*[/\-–]?\s*(?P<b>\d{2}|\d{4})$")


def parse_academic_year(value: str | int) -> int:
    """Return an academic year as six digits, from any unambiguous notation.

    Raises
    ------
    VocabularyError
        A bare four-digit year (start or end year?) or two years that do not follow each other.

    >>> parse_academic_year("2023/24"), parse_academic_year("2023/2024"), parse_academic_year(202324)
    (202324, 202324, 202324)
    >>> parse_academic_year("2023")
    Traceback (most recent call last):
        ...
    attendance_toolkit.errors.VocabularyError: '2023' is not an academic year. Write both years, for example 2023/24.
    """
    text = str(value).strip()
    match = _YEAR_FORMS.match(text)
    if match:
        start = int(match["a"])
        if match["b"] in (f"{(start + 1) % 100:02d}", str(start + 1)):
            return start * 100 + (start + 1) % 100
    raise VocabularyError(f"'{text}' is not an academic year. Write both years, for example 2023/24.")


def show_academic_year(academic_year: int) -> str:
    """Return the year as people write it.

    >>> show_academic_year(202324), show_academic_year(199900)
    ('2023/24', '1999/00')
    """
    return f"{academic_year // 100}/{academic_year % 100:02d}"


def academic_year_before(academic_year: int, years: int = 1) -> int:
    """Return the academic year some years earlier.

    >>> academic_year_before(202324), academic_year_before(200001)
    (202223, 199900)
    """
    start = academic_year // 100 - years
    return start * 100 + (start + 1) % 100


def academic_year_of(day: date) -> int:
    """Return the academic year (1 August to 31 July) a day belongs to.

    >>> academic_year_of(date(2024, 7, 31)), academic_year_of(date(2024, 8, 1))
    (202324, 202425)
    """
    start = day.year if day.month >= 8 else day.year - 1
    return start * 100 + (start + 1) % 100


def age_on_31_august(born: date, academic_year: int) -> int:
    """Return completed years on the 31 August before the academic year starts.

    DfE's absence statistics cover ages 5 to 15 on that day.

    >>> age_on_31_august(date(2012, 8, 31), 202324), age_on_31_august(date(2012, 9, 1), 202324)
    (11, 10)
    """
    start = academic_year // 100
    return start - born.year - ((born.month, born.day) > (8, 31))


def easter_sunday(year: int) -> date:
    """Return Easter Sunday of a calendar year (Gregorian computus; Meeus, Astronomical Algorithms, chapter 8).

    >>> easter_sunday(2024), easter_sunday(2025)
    (datetime.date(2024, 3, 31), datetime.date(2025, 4, 20))
    """
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def _monday_from(day: date) -> date:
    return day + timedelta(days=-day.weekday() % 7)


def half_term_starts(academic_year: int) -> tuple[date, date, date, date, date, date]:
    """Return the first day of each half term; one ends where the next begins, the last on 31 July.

    Terms have the limits of the school census: autumn 1 August to 31 December, spring 1 January to Easter
    Sunday, summer from Easter Monday; the second half of the summer begins with the week of the spring bank
    holiday, the last Monday of May (DfE, Pupil absence statistics: methodology). Inside the autumn and spring
    terms DfE sets no limit, because the census gives each as one figure. The usual breaks are used there: the
    week of the Monday from 23 October, and of the Monday from 12 February. A register shows each school's own.

    >>> [day.isoformat() for day in half_term_starts(202425)]
    ['2024-08-01', '2024-10-28', '2025-01-01', '2025-02-17', '2025-04-21', '2025-05-26']
    """
    start = academic_year // 100
    return (
        date(start, 8, 1),
        _monday_from(date(start, 10, 23)),
        date(start + 1, 1, 1),
        _monday_from(date(start + 1, 2, 12)),
        easter_sunday(start + 1) + timedelta(days=1),
        _monday_from(date(start + 1, 5, 25)),
    )


def break_windows(academic_year: int) -> tuple[tuple[date, date], tuple[date, date]]:
    """Return the days between which the Monday of the autumn and of the spring break can lie.

    >>> break_windows(202425)[0]
    (datetime.date(2024, 10, 7), datetime.date(2024, 11, 8))
    """
    start = academic_year // 100
    return (date(start, 10, 7), date(start, 11, 8)), (date(start + 1, 1, 29), date(start + 1, 3, 1))
