"""Which school census a return is: its collection, its day, and the half terms it carries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from attendance_toolkit.errors import VocabularyError
from attendance_toolkit.vocabulary.calendar import (
    CENSUS_CARRIES,
    HALF_TERM_TERMS,
    academic_year_before,
    academic_year_of,
)

COLLECTIONS = {"AUT": "autumn", "SPR": "spring", "SUM": "summer"}
_ORDER = {"spring": 1, "summer": 2, "autumn": 3}
#: Month and which Thursday of it is usually the census day.
_USUAL_DAYS = {"autumn": (10, 1), "spring": (1, 3), "summer": (5, 3)}


@dataclass(frozen=True)
class Carried:
    """One half term, or span, whose sessions a return carries."""

    half_term: str
    term: str
    academic_year: int
    item: str
    """Prefix of the columns that hold it."""


@dataclass(frozen=True)
class Census:
    """A school census: collection and calendar year, with its day."""

    collection: str
    year: int
    day: date

    @property
    def name(self) -> str:
        """Return the name used in folders and manifests.

        >>> census_of("autumn 2024").name
        '2024-autumn'
        """
        return f"{self.year}-{self.collection}"

    @property
    def label(self) -> str:
        """Return the name people use."""
        return f"{self.collection} {self.year}"

    @property
    def sequence(self) -> int:
        """Return a number that orders censuses in time."""
        return self.year * 10 + _ORDER[self.collection]

    @property
    def academic_year(self) -> int:
        """Return the academic year of the census day."""
        return academic_year_of(self.day)

    @property
    def carries(self) -> tuple[Carried, ...]:
        """Return the half terms the return carries: a census reports an earlier term's attendance.

        >>> [(c.half_term, c.academic_year) for c in census_of("2024 autumn").carries]
        [('5', 202324), ('6', 202324)]
        >>> [(c.half_term, c.academic_year) for c in census_of("spring 2024").carries]
        [('1-2', 202324)]
        """
        found = []
        for half_term, back in CENSUS_CARRIES[self.collection]:
            year = academic_year_before(self.academic_year, -back)
            item = "summerhalfterm2sessions" if half_term == "6" else "termlysessions"
            found.append(Carried(half_term, HALF_TERM_TERMS[half_term], year, item))
        return tuple(found)


def usual_day(collection: str, year: int) -> date:
    """Return the usual census day: first Thursday of October, third of January or May.

    >>> usual_day("autumn", 2024), usual_day("spring", 2024)
    (datetime.date(2024, 10, 3), datetime.date(2024, 1, 18))
    """
    month, nth = _USUAL_DAYS[collection]
    first = date(year, month, 1)
    return first + timedelta(days=(3 - first.weekday()) % 7 + 7 * (nth - 1))


def make_census(term: str, year: str | int, day: date | None = None) -> Census:
    """Return the census of a term name or code and a calendar year.

    Raises
    ------
    VocabularyError
        The term is none of AUT, SPR, SUM or autumn, spring, summer, or the year is not four digits.
    """
    collection = COLLECTIONS.get(str(term).strip().upper()[:3], "")
    text = re.sub(r"\.0$", "", str(year).strip())
    if not collection or not re.fullmatch(r"(19|20)\d\d", text):
        raise VocabularyError(f"'{term} {year}' is not a school census. Write for example 'autumn 2024'.")
    return Census(collection, int(text), day or usual_day(collection, int(text)))


def census_of(text: str) -> Census:
    """Return the census a person named, in either order.

    Raises
    ------
    VocabularyError
        It is not a term and a calendar year.

    >>> census_of("autumn 2024") == census_of("2024-autumn") == census_of("AUT 2024")
    True
    """
    words = re.findall(r"[A-Za-z]+|\d+", str(text))
    years = [w for w in words if w.isdigit()]
    terms = [w for w in words if w.upper()[:3] in COLLECTIONS]
    if len(years) != 1 or len(terms) != 1 or len(words) != 2:
        raise VocabularyError(f"'{text}' is not a school census. Write for example 'autumn 2024'.")
    return make_census(terms[0], years[0])


def census_from(day: date) -> Census:
    """Return the first census whose usual day is the day or later.

    >>> census_from(date(2022, 1, 10)).label, census_from(date(2021, 10, 8)).label
    ('spring 2022', 'spring 2022')
    """
    found = [Census(c, y, usual_day(c, y)) for y in (day.year, day.year + 1) for c in _ORDER]
    return next(census for census in found if census.day >= day)


def censuses(first: str, last: str) -> tuple[Census, ...]:
    """Return the censuses from one to another, in the order of time.

    >>> [c.name for c in censuses("2023-autumn", "2024-summer")]
    ['2023-autumn', '2024-spring', '2024-summer']
    """
    low, high = census_of(first), census_of(last)
    years = range(low.year, high.year + 1)
    found = [make_census(c, y) for y in years for c in _ORDER]
    return tuple(c for c in found if low.sequence <= c.sequence <= high.sequence)


#: A day inside each half term or span, to choose the register code set by (months of the academic year).
_SESSION_DAYS = {"1-2": (0, 11, 1), "1": (0, 9, 20), "2": (0, 11, 20), "3-4": (1, 2, 1), "3": (1, 1, 20),
                 "4": (1, 3, 10), "5": (1, 5, 10), "6": (1, 6, 20), "5-6": (1, 6, 1)}  # fmt: skip


def session_day(half_term: str, academic_year: int) -> date:
    """Return a day inside a half term, by which its register codes are read.

    >>> session_day("6", 202324), session_day("1-2", 202425)
    (datetime.date(2024, 6, 20), datetime.date(2024, 11, 1))
    """
    later, month, day = _SESSION_DAYS[half_term]
    return date(academic_year // 100 + later, month, day)


#: Most sessions a pupil could have: two for every weekday of the longest such term. Above the first number
#: a figure is unlikely, above the second it is impossible (weekdays of 1 August to 31 December, 1 January
#: to the latest Easter Sunday, Easter Monday to 31 May, and 25 May to 31 July).
MOST_SESSIONS = {"1-2": (170, 220), "3-4": (150, 166), "5": (90, 100), "6": (90, 98)}
