"""Schools of one type held against each other, one thing at a time: which lie outside the limits chance keeps them within."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from attendance_toolkit.deepdives._contrasts import Record, counts_symbol, statistic_row
from attendance_toolkit.deepdives._school_names import SchoolNames
from attendance_toolkit.deepdives._shared import Lookup, rate_of
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.funnel import Funnel, funnel
from attendance_toolkit.presentation.blocks import Cell, Column, Row

#: With fewer schools of a type, how much they differ cannot be told.
FEWEST_SCHOOLS = 8
#: What a table of schools outside the limits says of them.
LIMITS_NOTE = (
    "Above and below: outside 95% limits that are widened for what schools of the type differ by, so that about one school in"
    " ten would lie outside for each {what} where schools differ in the ordinary way."
)

#: Columns of a table of ``apart_rows``.
APART_COLUMNS = (
    Column("School", align="left"),
    Column("This school", "", "%"),
    Column("These schools together", "", "%"),
    Column("Limits", align="left"),
)


@dataclass(frozen=True)
class SchoolFunnel:
    """The schools of a type with a figure that can be shown, with limits widened for what schools differ by."""

    rows: tuple[Record, ...]
    model: Funnel

    def apart(self) -> list[tuple[Record, bool]]:
        """Return the rows outside the limits, and whether they are above them."""
        places = zip(self.rows, self.model.is_outside_95, self.model.rate, strict=True)
        return [(row, bool(rate > self.model.centre)) for row, is_out, rate in places if is_out]


#: (school type, what is looked at) -> its funnel.
SchoolFunnels = Mapping[tuple[str, str], SchoolFunnel]


def school_funnels(rows: Iterable[Record], about: str) -> dict[tuple[str, str], SchoolFunnel]:
    """Return a funnel for each school type and each value of a column, of the cleared rows that can be shown.

    A thing that fewer than ``FEWEST_SCHOOLS`` schools of a type have a figure of has none.
    """
    shown: dict[tuple[str, str], list[Record]] = {}
    for record in rows:
        if not counts_symbol(record):
            shown.setdefault((str(record["phase"]), str(record[about])), []).append(record)
    found = {}
    for key, held in shown.items():
        events, trials = ([float(row[name]) for row in held] for name in ("numerator", "denominator"))
        if len(held) >= FEWEST_SCHOOLS and 0 < sum(events) < sum(trials) and min(trials) > 0:
            found[key] = SchoolFunnel(tuple(held), funnel(events, trials))
    return found


def centre_rows(funnels: SchoolFunnels, measure: str, about: str, academic_year: int) -> list[dict[str, Any]]:
    """Return rows of a derived table with what each funnel's schools have together."""
    return [
        statistic_row(measure, Estimate(one.model.centre), academic_year=academic_year, phase=phase, **{about: level})
        for (phase, level), one in funnels.items()
    ]


def apart_rows(
    funnels: SchoolFunnels, centres: Lookup, names: SchoolNames, phase: str, about: str, levels: Mapping[str, str]
) -> list[Row]:
    """Return the schools of a type outside the limits, by what is looked at and by name.

    Parameters
    ----------
    centres
        The derived table of ``centre_rows`` by phase and the column ``about``.
    levels
        What is looked at, in its order -> the words for it.

    Raises
    ------
    NoDataError
        No school lies outside.
    """
    rows = []
    for level, words in levels.items():
        one = funnels.get((phase, level))
        for record, is_above in names.sorted_rows(one.apart() if one else []):
            cells = (
                rate_of(record),
                rate_of(centres(phase=phase, **{about: level})),
                Cell("Above" if is_above else "Below"),
            )
            rows.append(Row(names.told(str(record["laestab"])), cells, words))
    if not rows:
        raise NoDataError("No school lies outside the limits.")
    return rows
