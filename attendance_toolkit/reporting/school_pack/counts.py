"""Counts of a group of pupils of a school, and exact rates of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

from attendance_toolkit.vocabulary.rounding import number_text

#: Counts of CELLS that packs are made of, beside reasons.
CELL_NAMES = (
    "enrolments",
    "sessions_possible",
    "sessions_authorised",
    "sessions_unauthorised",
    "persistent_absentees",
    "severe_absentees",
)


@dataclass(frozen=True)
class Counts:
    """Enrolments, and sessions of them; ``persistent`` and ``severe`` are enrolments."""

    enrolments: int = 0
    possible: int = 0
    authorised: int = 0
    unauthorised: int = 0
    persistent: int = 0
    severe: int = 0

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Counts:
        """Return the counts of a row of CELLS."""
        return cls(*(int(row[name]) for name in CELL_NAMES))

    @classmethod
    def total(cls, parts: Iterable[Counts]) -> Counts:
        """Return counts added up."""
        return cls(
            *(sum(column) for column in zip(cls().as_tuple(), *(part.as_tuple() for part in parts), strict=True))
        )

    def as_tuple(self) -> tuple[int, ...]:
        """Return the counts in the order of the fields."""
        return tuple(getattr(self, field.name) for field in fields(self))

    @property
    def missed(self) -> int:
        """Sessions missed."""
        return self.authorised + self.unauthorised

    def rate(self, measure: str) -> Fraction | None:
        """Return a rate in percent, exact; None where nothing was possible.

        >>> Counts(10, 3800, 190, 190, 2, 1).rate("attendance_rate")
        Fraction(90, 1)
        """
        count, whole = {
            "attendance_rate": (self.possible - self.missed, self.possible),
            "overall_absence_rate": (self.missed, self.possible),
            "authorised_absence_rate": (self.authorised, self.possible),
            "unauthorised_absence_rate": (self.unauthorised, self.possible),
            "persistent_absence_rate": (self.persistent, self.enrolments),
            "severe_absence_rate": (self.severe, self.enrolments),
        }[measure]
        return Fraction(100 * count, whole) if whole else None


def percent_text(value: Fraction | None, decimals: int = 1) -> str:
    """Return a percentage, or that there is none.

    >>> percent_text(Fraction(1869, 20)), percent_text(None)
    ('93.5%', 'none')
    """
    return "none" if value is None else f"{number_text(float(value), decimals)}%"


def points_text(value: Fraction | None, decimals: int = 1) -> str:
    """Return a difference in percentage points with its sign, or that there is none.

    >>> points_text(Fraction(-1, 4), 2), points_text(None)
    ('−0.25', 'not known')
    """
    return "not known" if value is None else number_text(float(value), decimals, signed=True)
