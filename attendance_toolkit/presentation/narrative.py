"""Sentences made from cleared figures: numbers in words, directions only where the interval allows one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

import pandas as pd

from attendance_toolkit.presentation.blocks import Table
from attendance_toolkit.vocabulary.rounding import number_text, round_half_up, show_number

Record = Mapping[str, Any]


def percent(rate: float, decimals: int = 1) -> str:
    """Return a rate as a percentage.

    >>> percent(0.07713)
    '7.7%'
    """
    return f"{show_number(rate * 100, decimals)}%"


def said(record: Record) -> str:
    """Return a record's rate as a percentage, with the decimals it was published with (1 if it was not).

    >>> said({"rate": 0.0075, "decimals": 2}), said({"rate": 0.0077})
    ('0.75%', '0.8%')
    """
    return percent(record["rate"], _decimals(record))


def _decimals(*records: Record) -> int:
    known: list[Any] = [record.get("decimals") for record in records]
    return max((int(value) for value in known if not _missing(value)), default=1)


def points(difference: float, decimals: int = 1) -> str:
    """Return the size of a difference between two rates in percentage points, without its sign.

    >>> points(-0.0175)
    '1.8 percentage points'
    >>> points(0.0101)
    '1.0 percentage point'
    """
    size = show_number(abs(difference) * 100, decimals)
    return f"{size} percentage point{'' if float(size.replace(',', '')) == 1 else 's'}"


def one_in(rate: float) -> str:
    """Return a small rate as "1 in n".

    >>> one_in(0.0278), one_in(0.5)
    ('1 in 36', '1 in 2')
    """
    return f"1 in {show_number(1 / rate)}"


def is_shown(record: Record | None) -> TypeGuard[Record]:
    """Return whether a record has a rate that may be said."""
    return record is not None and not record["symbol"] and not _missing(record["rate"])


def has_interval(record: Record) -> bool:
    """Return whether a record has an interval."""
    return not _missing(record.get("lower")) and not _missing(record.get("upper"))


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def interval_in_points(change: Record, decimals: int = 1) -> str:
    """Return the 95% interval of a difference, in percentage points.

    >>> interval_in_points({"lower": -0.021, "upper": -0.0149})
    '95% interval −2.1 to −1.5'
    """
    # A bound that would print as 0.0 gets one decimal more: the reader must see on which side of 0 it is.
    ends = (change["lower"], change["upper"])
    decimals += any(round_half_up(abs(end) * 100, decimals) == 0 for end in ends)
    low, high = (show_number(end * 100, decimals) for end in ends)
    return f"95% interval {low} to {high}"


def is_clear(record: Record | None, null: float = 0.0) -> TypeGuard[Record]:
    """Return whether a record is shown and its interval leaves out ``null``: 0 for differences, 1 for ratios.

    Without an interval nothing is clear.

    >>> is_clear({"rate": 1.2, "lower": 1.02, "upper": 1.4, "symbol": ""}, 1.0), is_clear(None)
    (True, False)
    """
    return is_shown(record) and has_interval(record) and not record["lower"] <= null <= record["upper"]


def change_verb(change: Record) -> str:
    """Return "rose" or "fell" where the interval excludes 0, "did not clearly change" where it does not.

    >>> change_verb({"rate": -0.01, "lower": -0.02, "upper": -0.001})
    'fell'
    >>> change_verb({"rate": -0.01, "lower": -0.02, "upper": 0.001})
    'did not clearly change'
    """
    if change["lower"] > 0:
        return "rose"
    if change["upper"] < 0:
        return "fell"
    return "did not clearly change"


def change_sentence(subject: str, before: Record, after: Record, change: Record, period: str, previous: str) -> str:
    """Return one sentence on the change between two years. Changes are worked out before rounding.

    Without an interval (published rates without counts) the sentence compares the two figures and says no more.
    """
    was, now = said(before), said(after)
    decimals = _decimals(before, after)
    size = points(change["rate"], decimals)
    if not has_interval(change):
        if round_half_up(abs(change["rate"]) * 100, decimals) == 0:
            return f"{subject} was {now} in {period}, the same as in {previous} when rounded."
        word = "higher" if change["rate"] > 0 else "lower"
        return f"{subject} was {now} in {period}, {size} {word} than in {previous} ({was})."
    verb = change_verb(change)
    if verb == "did not clearly change":
        sign = show_number(change["rate"] * 100, decimals, signed=True)
        return (
            f"{subject} did not clearly change: {was} in {previous}, {now} in {period}"
            f" ({sign} percentage points, {interval_in_points(change, decimals)})."
        )
    interval = interval_in_points(change, decimals)
    return f"{subject} {verb} by {size}, from {was} in {previous} to {now} in {period} ({interval})."


def compared_with(record: Record, other: Record, name: str) -> str:
    """Return a comparison with another area in words; "not clearly different" where the interval holds it.

    >>> compared_with({"rate": 0.0641}, {"rate": 0.0718}, "England")
    '0.8 percentage points below England (7.2%)'
    """
    if has_interval(record) and record["lower"] <= other["rate"] <= record["upper"]:
        return f"not clearly different from {name} ({said(other)})"
    difference = record["rate"] - other["rate"]
    if round_half_up(abs(difference) * 100, 1) == 0:
        return f"level with {name} ({said(other)}) when rounded"
    word = "above" if difference > 0 else "below"
    return f"{points(difference)} {word} {name} ({said(other)})"


def stands_against(record: Record, other: Record) -> str:
    """Return "below", "above" or "not clearly different from": by the interval, else by the published digits.

    >>> stands_against({"rate": 0.05, "lower": 0.04, "upper": 0.06}, {"rate": 0.055})
    'not clearly different from'
    >>> stands_against({"rate": 0.05, "decimals": 2}, {"rate": 0.055, "decimals": 2})
    'below'
    """
    low, high = (record["lower"], record["upper"]) if has_interval(record) else (record["rate"], record["rate"])
    if low <= other["rate"] <= high:
        return "not clearly different from"
    return "above" if low > other["rate"] else "below"


def sentence_list(items: list[str]) -> str:
    """Return items as a list in running text.

    >>> sentence_list(["Primary", "Secondary", "Special"])
    'Primary, Secondary and Special'
    """
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def hidden_share(tables: Iterable[Table]) -> str:
    """Say how many of the figures in tables are hidden; empty text where none is.

    The numbers are about the page, not about pupils: the gate counts the cells of the finished page itself.

    >>> from attendance_toolkit.presentation.blocks import Cell, Column, Row
    >>> cells = (Cell("5.5", 5.5), Cell(symbol="c"), Cell(symbol="z"))
    >>> columns = (Column("Phase"), Column("A"), Column("B"), Column("C"))
    >>> hidden_share([Table("t", "T", "", columns, (Row("Primary", cells),))])
    '1 of 2 figures in the tables of this page is hidden to protect small numbers (50.0%).'
    """
    cells = [cell for table in tables for row in table.rows for cell in row.cells]
    hidden = sum(cell.symbol == "c" for cell in cells)
    figures = hidden + sum(cell.value is not None for cell in cells)
    if not hidden:
        return ""
    share = number_text(100 * hidden / figures, 1)
    return (
        f"{number_text(hidden)} of {number_text(figures)} figures in the tables of this page"
        f" {'is' if hidden == 1 else 'are'} hidden to protect small numbers ({share}%)."
    )
