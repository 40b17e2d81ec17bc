"""The checks of a published file, a column at a time: what must hold within each row.

What must hold is data (``vocabulary.identities``). Columns are compared as arrays; only rows close to the
limit are looked at again with exact fractions. A percentage agrees if the quotient of its counts could be printed
as it is, whichever way a half is rounded: DfE's files hold both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from attendance_toolkit.errors import UnknownAreaError
from attendance_toolkit.metrics.reconciliation._printed_digits import Numbers, half_digit, half_step
from attendance_toolkit.schema.column_table import KEYS, ColumnTable
from attendance_toolkit.vocabulary.areas import find_area
from attendance_toolkit.vocabulary.identities import Identities, Rate, Sum, identities
from attendance_toolkit.vocabulary.rounding import show_number

#: One row per finding. ``is_certain`` is False for what is only worth a look; ``row`` is the first line concerned.
FINDING_COLUMNS = ("file", "check", "is_certain", *KEYS, "column", "printed", "expected", "says")
Rows = npt.NDArray[np.bool_]
_CLOSE = 1e-7


def reconcile_columns(table: ColumnTable) -> pd.DataFrame:
    """Return what does not agree within the rows of a published file.

    Parameters
    ----------
    table
        As ``loaders.column_table.read_column_table`` gives it, or ``rows.cells_table`` and ``rows.rates_table``.

    Returns
    -------
    FINDING_COLUMNS, in the order of the checks and then of the file.
    """
    known = identities()
    checks: Sequence[Callable[[ColumnTable, Identities], Iterator[pd.DataFrame]]] = (
        check_rates,
        check_counts_exist,
        check_sums,
        check_order,
        check_added_rates,
    )
    return joined([found for check in checks for found in check(table, known)])


def joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return findings one under the other; no findings give an empty frame with FINDING_COLUMNS."""
    given = [part for part in parts if len(part)]
    return pd.concat(given, ignore_index=True) if given else pd.DataFrame(columns=list(FINDING_COLUMNS))


def findings_of(
    table: ColumnTable,
    check: str,
    rows: Rows,
    column: str,
    texts: Callable[[int], tuple[str, str, str]],
    *,
    is_certain: bool = True,
) -> pd.DataFrame:
    """Return a finding for each marked row; ``texts`` gives what is printed, what is expected and the sentence."""
    where = np.flatnonzero(rows)
    found = table.keys.iloc[where].reset_index(drop=True)
    found = found.assign(file=table.name, check=check, is_certain=is_certain, column=column)
    made = [texts(i) for i in where.tolist()]
    found["printed"], found["expected"] = [text[0] for text in made], [text[1] for text in made]
    found["says"] = [f"{place_text(table, i)}: {text[2]}" for i, text in zip(where.tolist(), made, strict=True)]
    return found[list(FINDING_COLUMNS)]


def place_text(table: ColumnTable, row: int) -> str:
    """Return what a row is about, in words."""
    key = table.keys.iloc[row]
    parts = [area_text(str(key["area"])), key["phase"], key["group"].strip(" |"), key["period"], str(key["year"])]
    return f"row {key['row']} ({', '.join(str(part) for part in parts if part)})"


def area_text(code: str) -> str:
    """Return the name of an area, or its code where the toolkit does not know it."""
    try:
        return find_area(code).name if len(code) == 9 else code
    except UnknownAreaError:
        return code


def number_text(value: float) -> str:
    """Return a number as it is printed: whole, or with the decimals it needs (nine at most)."""
    return show_number(value) if value == int(value) else f"{value:.9f}".rstrip("0")


def _decimals_of(half: float) -> int:
    return max(0, min(9, round(-math.log10(2 * half))))


# --- percentages against their counts ------------------------------------------------------------------


def weighted_rows(table: ColumnTable, known: Identities) -> Rows:
    """Return the rows whose rates are means of the phases, not quotients of their own counts."""
    rows = np.zeros(len(table), dtype=bool)
    for rule in known.weighted:
        rows |= (table.keys["series"].eq(rule.series) & table.keys["phase"].isin(rule.phases)).to_numpy()
    return rows


def check_rates(table: ColumnTable, known: Identities) -> Iterator[pd.DataFrame]:
    """Find percentages that no rounding explains as their count over their size."""
    free = ~weighted_rows(table, known)
    for rate in known.rates:
        if table.has(rate.percent, rate.count, rate.size):
            yield _wrong_rates(table, rate, free)
            yield _rates_of_nobody(table, rate, free)


def _wrong_rates(table: ColumnTable, rate: Rate, free: Rows) -> pd.DataFrame:
    value, count, size = (table.numbers[name] for name in (rate.percent, rate.count, rate.size))
    half = half_digit(table, rate.percent)
    count_half, size_half = half_step(table, rate.count), half_step(table, rate.size)
    rows = free & ~np.isnan(value) & ~np.isnan(count) & (size > 0)
    low, high = _quotient(count, size, count_half, size_half)
    with np.errstate(invalid="ignore"):
        short = np.maximum(low - value, value - high) - half
        wrong = rows & (short > _CLOSE)
        close = rows & (np.abs(short) <= _CLOSE)
    for i in np.flatnonzero(close).tolist():
        wrong[i] = _is_off(value[i], count[i], size[i], count_half[i], size_half[i], half[i])

    def texts(i: int) -> tuple[str, str, str]:
        true = f"{show_number(float(100 * count[i] / size[i]), _decimals_of(half[i]))}%"
        says = (
            f"{rate.percent} is {number_text(value[i])}, but {rate.count} {number_text(count[i])} of {rate.size}"
            f" {number_text(size[i])} is {true}."
        )
        return number_text(value[i]), true, says

    return findings_of(table, "rate_from_counts", wrong, rate.percent, texts)


def _rates_of_nobody(table: ColumnTable, rate: Rate, free: Rows) -> pd.DataFrame:
    value, size = table.numbers[rate.percent], table.numbers[rate.size]

    def texts(i: int) -> tuple[str, str, str]:
        return (
            number_text(value[i]),
            "no rate",
            f"{rate.percent} is {number_text(value[i])}, but {rate.size} is 0.",
        )

    rows = free & ~np.isnan(value) & (value != 0) & (size == 0)
    return findings_of(table, "rate_from_counts", rows, rate.percent, texts)


def _quotient(count: Numbers, size: Numbers, count_half: Numbers, size_half: Numbers) -> tuple[Numbers, Numbers]:
    """Return the lowest and highest percentage counts can give, whatever they were before rounding."""
    with np.errstate(divide="ignore", invalid="ignore"):
        low = 100 * np.maximum(count - count_half, 0) / (size + size_half)
        high = np.where(size > size_half, 100 * (count + count_half) / (size - size_half), np.inf)
    return low, high


def _is_off(value: float, count: float, size: float, count_half: float, size_half: float, half: float) -> bool:
    """Return whether a percentage disagrees with its counts, exactly: its text is the decimal it was read from."""
    if half < 1e-8:  # an unrounded double
        return False
    printed, slack = Fraction(repr(float(value))), Fraction(repr(float(half)))
    low = 100 * max(Fraction(count) - Fraction(count_half), Fraction(0)) / (Fraction(size) + Fraction(size_half))
    below = Fraction(size) - Fraction(size_half)
    high = 100 * (Fraction(count) + Fraction(count_half)) / below if below > 0 else None
    return printed + slack < low or (high is not None and printed - slack > high)


def check_counts_exist(table: ColumnTable, known: Identities) -> Iterator[pd.DataFrame]:
    """Find counts that are not whole, and percentages of a size that no whole count gives."""
    free = ~weighted_rows(table, known)
    # The attendance series gives mean enrolments of the days.
    averages = {"enrolments"} if table.has("overall_attendance") else set()
    for name in sorted(known.counts & set(table.numbers) - averages):
        yield _broken_counts(table, name)
    for rate in known.rates:
        if table.has(rate.percent, rate.count, rate.size):
            yield _unreachable_rates(table, rate, free)


def _broken_counts(table: ColumnTable, name: str) -> pd.DataFrame:
    value = table.numbers[name]
    with np.errstate(invalid="ignore"):
        broken = ~np.isnan(value) & ((value != np.floor(value)) | (value < 0))

    def texts(i: int) -> tuple[str, str, str]:
        says = f"{name} is {number_text(value[i])}; a count is a whole number of 0 or more."
        return number_text(value[i]), "a whole number", says

    return findings_of(table, "whole_count", broken, name, texts)


def _unreachable_rates(table: ColumnTable, rate: Rate, free: Rows) -> pd.DataFrame:
    """Find percentages printed without their count which no whole count of the size gives."""
    value, count, size = (table.numbers[name] for name in (rate.percent, rate.count, rate.size))
    half, size_half = half_digit(table, rate.percent), half_step(table, rate.size)
    alone = free & np.isnan(count) & ~np.isnan(value) & (size > 0) & (size_half == 0)
    with np.errstate(invalid="ignore"):
        first = np.ceil((value - half) * size / 100 - _CLOSE)
        none = alone & (first > (value + half) * size / 100 + _CLOSE)

    def texts(i: int) -> tuple[str, str, str]:
        says = f"{rate.percent} is {number_text(value[i])}, which no whole number of {rate.size}"
        return number_text(value[i]), "a rate of whole numbers", f"{says} {number_text(size[i])} gives."

    return findings_of(table, "no_whole_count", none, rate.percent, texts)


# --- totals, order, added percentages ------------------------------------------------------------------


def check_sums(table: ColumnTable, known: Identities) -> Iterator[pd.DataFrame]:
    """Find totals that are not the sum of their parts, or below it where parts may fall short."""
    for rule in known.sums:
        if table.has(rule.total, *rule.parts):
            yield _wrong_sums(table, rule)


def _wrong_sums(table: ColumnTable, rule: Sum) -> pd.DataFrame:
    total = table.numbers[rule.total]
    parts = np.vstack([table.numbers[name] for name in rule.parts])
    slack = half_step(table, rule.total) + sum(half_step(table, name) for name in rule.parts)
    added, complete = np.nansum(parts, axis=0), ~np.isnan(parts).any(axis=0)
    with np.errstate(invalid="ignore"):
        wrong = ~np.isnan(total) & (added - total > slack)
        if rule.is_equal:
            wrong |= complete & (total - added > slack)
    names = f"{', '.join(rule.parts[:-1])} and {rule.parts[-1]} add up to" if len(rule.parts) > 1 else ""
    names = names or f"{rule.parts[0]} is"

    def texts(i: int) -> tuple[str, str, str]:
        rest = "too many" if added[i] > total[i] else "are in none of the parts"
        says = (
            f"{names} {number_text(added[i])}, {rule.total} is {number_text(total[i])}:"
            f" {number_text(abs(added[i] - total[i]))} {rest}."
        )
        return number_text(total[i]), number_text(added[i]), says

    return findings_of(table, "parts_add_up", wrong, rule.total, texts)


def check_order(table: ColumnTable, known: Identities) -> Iterator[pd.DataFrame]:
    """Find parts above their whole: severe above persistent absentees, absence above possible sessions."""
    for chain in known.order:
        for part, whole in pairwise(name for name in chain if table.has(name)):
            yield _above_whole(table, part, whole, known)


def _above_whole(table: ColumnTable, part: str, whole: str, known: Identities) -> pd.DataFrame:
    value, limit = table.numbers[part], table.numbers[whole]
    slack = sum(half_step(table, n) if n in known.counts else half_digit(table, n) for n in (part, whole))
    with np.errstate(invalid="ignore"):
        wrong = value - limit > slack

    def texts(i: int) -> tuple[str, str, str]:
        says = f"{part} is {number_text(value[i])}, above {whole} {number_text(limit[i])}, of which it is a part."
        return number_text(value[i]), f"at most {number_text(limit[i])}", says

    return findings_of(table, "part_above_whole", wrong, part, texts)


def check_added_rates(table: ColumnTable, known: Identities) -> Iterator[pd.DataFrame]:
    """Find percentages that should add up to 100, or to another percentage of the row, and cannot."""
    for total, names in known.added_rates:
        if table.has(*names, *([total] if isinstance(total, str) else [])):
            yield _wrong_added(table, total, names)


def _wrong_added(table: ColumnTable, total: int | str, names: tuple[str, ...]) -> pd.DataFrame:
    whole = [total] if isinstance(total, str) else []
    slack = np.sum([half_digit(table, name) for name in (*names, *whole)], axis=0)
    added = np.sum([table.numbers[name] for name in names], axis=0)
    target = table.numbers[total] if isinstance(total, str) else np.full(len(table), float(total))
    with np.errstate(invalid="ignore"):
        wrong = np.abs(added - target) > slack * (1 + _CLOSE) + 1e-9
    named = f" ({total})" if isinstance(total, str) else ""

    def texts(i: int) -> tuple[str, str, str]:
        terms = " + ".join(f"{name} {number_text(table.numbers[name][i])}" for name in names)
        says = f"{terms} = {number_text(added[i])}, not {number_text(target[i])}{named}."
        return number_text(added[i]), number_text(target[i]), says

    return findings_of(table, "rates_add_up", wrong, names[-1], texts)
