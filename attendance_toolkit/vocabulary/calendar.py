"""Academic years, terms and half terms, and which term a census return carries."""

from __future__ import annotations

import re
from datetime import date

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
}

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
