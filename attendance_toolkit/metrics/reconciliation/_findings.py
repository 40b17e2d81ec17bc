"""A finding on a printed figure, and the exact arithmetic of rounded numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pandas as pd

from attendance_toolkit.vocabulary.areas import find_area
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.measures import MEASURES
from attendance_toolkit.vocabulary.rounding import show_number

Cell = tuple[int, str]
ONE_OF = "; one of these is wrong."
COHORT = ["table", "area_code", "academic_year", "period"]


@dataclass(frozen=True)
class PrintedFinding:
    """One thing that does not add up in a printed table."""

    check: str
    table: str
    cells: tuple[Cell, ...]
    """(row, column) of the cells concerned."""
    printed: str
    expected: str
    says: str
    flags: bool = True
    """Whether the cells are to be marked in a rendering; False for a claim in the text or for whole columns."""
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the sentence."""
        return f"{self.table}: {self.says}" if self.table else self.says


def exact_value(value: float) -> Fraction:
    return Fraction(Decimal(repr(float(value))))


def rounding_interval(value: float, decimals: int) -> tuple[Fraction, Fraction]:
    """Return the lowest and highest number a printed value can stand for, ends included.

    >>> [float(end) for end in rounding_interval(15.2, 1)]
    [15.15, 15.25]
    """
    half = Fraction(1, 2 * 10**decimals)
    return exact_value(value) - half, exact_value(value) + half


def overlap(first: tuple[Fraction, Fraction], second: tuple[Fraction, Fraction]) -> bool:
    return first[0] <= second[1] and second[0] <= first[1]


def agrees(printed: float, decimals: int, value: float, value_decimals: Any) -> bool:
    """Return whether a printed value and a published one can be the same; <NA> decimals: it is exact."""
    exact = (exact_value(value), exact_value(value))
    known = exact if pd.isna(value_decimals) else rounding_interval(value, int(value_decimals))
    return overlap(rounding_interval(printed, decimals), known)


def percent_text(value: Fraction | float, decimals: int) -> str:
    return f"{show_number(float(value), decimals)}%"


def measure_name(measure: str) -> str:
    return MEASURES[measure].label.split(" (")[0].lower() if measure in MEASURES else measure


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*(frame[name] for name in names), strict=True)]


def grouped(frame: pd.DataFrame, *names: str) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """Return the rows by the values of some columns, in order. Plain dicts: tables are small, groups many."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in records(frame):
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return groups


def group_text(cell: Mapping[str, Any]) -> str:
    parts = [] if cell["phase"] == ALL else [cell["phase"]]
    parts += [cell["group"]] if cell["group"] not in (ALL, "") else []
    parts += [f"year {cell['nc_year']}"] if cell["nc_year"] != ALL else []
    return ", ".join(parts)


def place_of(cell: Mapping[str, Any]) -> str:
    """Return the area and time of a column."""
    period = "" if cell["period"] == "year" else f"{cell['period']} "
    return f"{find_area(cell['area_code']).name} {period}{show_academic_year(cell['academic_year'])}"


def with_values(printed: pd.DataFrame) -> pd.DataFrame:
    return printed[printed["value"].notna()]
