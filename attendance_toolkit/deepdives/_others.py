"""A group beside everybody else: how many times their rate, by how much, and its share of all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from attendance_toolkit.deepdives._contrasts import counts_symbol, statistic_row
from attendance_toolkit.deepdives._shared import count_of, rate_of
from attendance_toolkit.intervals import wilson_interval
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.relative import risk_difference, risk_ratio
from attendance_toolkit.presentation.blocks import Cell, Column
from attendance_toolkit.presentation.formats import interval_cell, interval_words
from attendance_toolkit.presentation.narrative import has_interval, is_shown
from attendance_toolkit.vocabulary.rounding import show_number

Record = Mapping[str, Any]

#: What ``others_rows`` works out, in the order of a table's columns.
OTHERS = ("share_of_absentees", "share_of_enrolments", "risk_ratio", "risk_difference")
_UNKNOWN = Estimate(math.nan)

#: Columns of a group's counts, its rate and the rate's interval.
COUNT_COLUMNS = (
    Column("Enrolments"),
    Column("Number", "Severely absent"),
    Column("Rate", "Severely absent", "%"),
    Column("95% interval", "Severely absent"),
)


def others_rows(
    group: Record | None, total: Record | None, *, rest: Record | None = None, **groups: Any
) -> list[dict[str, Any]]:
    """Return the rows of a group beside everybody else, from the cleared counts of the group and of the total.

    Rounded counts may leave fewer than nobody: then the ratio and the difference do not apply (z), as they do not for a
    group that is everybody.

    Parameters
    ----------
    group, total
        Cleared rows of the rate: absentees over enrolments. The group is part of the total, and its shares are of it.
    rest
        The pupils the group is compared with, if they are not all of the total without the group.
    groups
        What the rows are about.

    >>> group = {"numerator": 30.0, "denominator": 200.0, "rate": 0.15, "symbol": ""}
    >>> total = {"numerator": 70.0, "denominator": 1000.0, "rate": 0.07, "symbol": ""}
    >>> {row["measure"]: round(row["rate"], 3) for row in others_rows(group, total)}
    {'share_of_absentees': 0.429, 'share_of_enrolments': 0.2, 'risk_ratio': 3.0, 'risk_difference': 0.1}
    >>> {row["symbol"] for row in others_rows({**group, "symbol": "c"}, total)}
    {'c'}
    """
    rest = without(total, group) if rest is None else rest
    symbol, rest_symbol = counts_symbol(group, total), counts_symbol(group, total, rest)
    ratio = difference = share = part = _UNKNOWN
    if not symbol:
        assert group is not None
        assert total is not None
        share = share_of(float(group["numerator"]), float(total["numerator"]))
        part = Estimate(_part(float(group["denominator"]), float(total["denominator"])))
    if not rest_symbol:
        counts = _counts(group, rest)
        ratio, difference = (_estimate(work(*counts)) for work in (risk_ratio, risk_difference))
    return [
        statistic_row("share_of_absentees", share, symbol, **groups),
        statistic_row("share_of_enrolments", part, symbol, **groups),
        statistic_row("risk_ratio", ratio, rest_symbol, **groups),
        statistic_row("risk_difference", difference, rest_symbol, **groups),
    ]


def without(total: Record | None, *parts: Record | None) -> dict[str, Any]:
    """Return the counts of a total without some of its parts; a part that is hidden hides them.

    Empty parts (z) and parts that are not there take nothing away. Where nobody is left, or rounding leaves fewer than
    nobody, the figure does not apply.

    >>> total = {"numerator": 70.0, "denominator": 1000.0, "rate": 0.07, "symbol": ""}
    >>> left = without(total, {"numerator": 30.0, "denominator": 200.0, "rate": 0.15, "symbol": ""}, None)
    >>> left["numerator"], left["denominator"], without(total, {**total, "symbol": "c"})["symbol"]
    (40.0, 800.0, 'c')
    """
    counted = [part for part in parts if part is not None and part["symbol"] != "z"]
    nothing: dict[str, Any] = {"numerator": math.nan, "denominator": math.nan, "rate": math.nan}
    symbol = counts_symbol(total, *counted)
    if symbol:
        return {**nothing, "symbol": symbol}
    assert total is not None
    events, trials = (
        float(total[name]) - sum(float(part[name]) for part in counted) for name in ("numerator", "denominator")
    )
    if not (trials > 0 and 0 <= events <= trials):
        return {**nothing, "symbol": "z"}
    return {"numerator": events, "denominator": trials, "rate": events / trials, "symbol": ""}


def _counts(group: Record | None, rest: Record | None) -> tuple[float, float, float, float]:
    assert group is not None
    assert rest is not None
    return (group["numerator"], group["denominator"], rest["numerator"], rest["denominator"])


def _estimate(found: tuple[Any, Any, Any]) -> Estimate:
    return Estimate(*(float(value) for value in found))


def share_row(measure: str, part: Record | None, whole: Record | None, **groups: Any) -> dict[str, Any]:
    """Return the row of one cleared count as a share of another, without an interval."""
    symbol = counts_symbol(part, whole)
    if symbol:
        return statistic_row(measure, None, symbol, **groups)
    assert part is not None
    assert whole is not None
    return statistic_row(measure, Estimate(_part(float(part["numerator"]), float(whole["numerator"]))), **groups)


def _part(part: float, whole: float) -> float:
    """Return a share; of rounded counts the part may come out above the whole."""
    return min(part / whole, 1.0) if whole > 0 else math.nan


def share_of(part: float, whole: float) -> Estimate:
    """Return a share of two counts with its interval; of rounded counts the part may come out above the whole."""
    if whole <= 0:
        return _UNKNOWN
    lower, upper = wilson_interval(min(part, whole), whole)
    return Estimate(_part(part, whole), float(lower), float(upper))


def ratio_words(record: Record) -> str:
    """Return a risk ratio in words, with its interval if it has one.

    >>> ratio_words({"measure": "risk_ratio", "rate": 3.14, "lower": 2.7, "upper": 3.6})
    '3.14 times (95% interval 2.70 to 3.60)'
    """
    text = f"{show_number(record['rate'], 2)} times"
    if not has_interval(record):
        return text
    return f"{text} ({interval_words(record)})"


def others_columns() -> tuple[Column, ...]:
    """Return the columns of a group beside everybody else (``others_cells``)."""
    return (
        *COUNT_COLUMNS,
        Column("Of all severe absentees", "Share", "%"),
        Column("Of all enrolments", "Share", "%"),
        Column("Risk ratio", "Beside other pupils"),
        Column("95% interval of the ratio", "Beside other pupils"),
        Column("Risk difference", "Beside other pupils", "percentage points"),
        Column("95% interval of the difference", "Beside other pupils"),
    )


def rate_cells(record: Record | None, enrolments: Record | None = None) -> tuple[Cell, ...]:
    """Return enrolments, count, rate and interval. Enrolments may be shown where the count of absentees is hidden."""
    size = rate_of(enrolments) if is_shown(enrolments) else count_of(record, "denominator")
    return (size, count_of(record), rate_of(record), interval_cell(record))


def others_cells(
    record: Record | None, found: Mapping[str, Record | None], enrolments: Record | None = None
) -> tuple[Cell, ...]:
    """Return the cells of a group: its counts, and the statistics of ``others_rows`` by name; none for all pupils."""
    cells = [*rate_cells(record, enrolments)]
    for name in OTHERS:
        statistic = found.get(name)
        with_interval = name.startswith("risk")
        if statistic is None:
            cells += [Cell(symbol="z")] * (1 + with_interval)
        else:
            cells += [rate_of(statistic), *([interval_cell(statistic)] if with_interval else [])]
    return tuple(cells)
