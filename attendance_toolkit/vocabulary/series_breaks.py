"""Breaks between series, periods, years and definitions, from ``reference/series_breaks.csv``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from attendance_toolkit.vocabulary._reference import read_reference

#: What two figures differ in: series, period, measure; a boundary between years; a year itself; a year between.
KINDS = ("series", "period", "measure", "year", "attendance year", "within", "spans")
ACTIONS = ("refuse", "label")


@dataclass(frozen=True)
class SeriesBreak:
    """One reason why two figures are not the same thing measured twice."""

    id: str
    kind: str
    first: str
    """A series, period, measure or academic year; of a boundary, the first year after it."""
    second: str
    measures: tuple[str, ...]
    """Measures it concerns; empty means all."""
    reasons: tuple[str, ...]
    action: str
    """"refuse": the two are not to be compared; "label": they may be, with the sentence beside them."""
    says: str
    source: str


@cache
def series_breaks() -> tuple[SeriesBreak, ...]:
    """Return every break known.

    >>> [known.id for known in series_breaks() if known.kind == "within"]
    ['covid_years', 'no_year_201920']
    """
    return tuple(
        SeriesBreak(
            row["id"],
            row["kind"],
            row["first"],
            row["second"],
            tuple(row["measures"].split()),
            tuple(row["reasons"].split()),
            row["action"],
            row["says"],
            row["source"],
        )
        for row in read_reference("series_breaks.csv")
    )
