"""Rows of derived tables: what is worked out on the page from cleared figures, each with its interval or its symbol."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import Z95, wilson_interval
from attendance_toolkit.metrics.absence import record_difference
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.relative import risk_ratio
from attendance_toolkit.presentation.formats import is_missing
from attendance_toolkit.presentation.narrative import is_shown
from attendance_toolkit.vocabulary.rounding import show_number
from attendance_toolkit.vocabulary.statistics import LEAST_P_VALUE

Record = Mapping[str, Any]

#: What a table with p values says of the smallest it writes (``LEAST_P_VALUE``).
P_NOTE = "A p value of 0.001 stands for 0.001 or less."


def statistic_row(measure: str, estimate: Estimate | None, symbol: str = "", **groups: Any) -> dict[str, Any]:
    """Return a row of a derived table.

    Parameters
    ----------
    estimate
        Value and interval; a missing value gives the symbol "z" (it does not apply), None needs a symbol.
    symbol
        Stands in place of the numbers: that of a figure behind the statistic that is hidden or missing.
    groups
        What the row is about.

    >>> statistic_row("risk_ratio", Estimate(2.0, 1.5, 2.7), sex="Female")["rate"]
    2.0
    >>> statistic_row("risk_ratio", None, "c")["symbol"], statistic_row("risk_ratio", Estimate(math.nan))["symbol"]
    ('c', 'z')
    """
    found = Estimate(math.nan) if symbol or estimate is None else estimate
    is_known = math.isfinite(found.value)
    lower, upper = (end if is_known and math.isfinite(end) else math.nan for end in (found.lower, found.upper))
    return {
        **groups,
        "measure": measure,
        "numerator": math.nan,
        "denominator": math.nan,
        "rate": found.value if is_known else math.nan,
        "lower": lower,
        "upper": upper,
        "symbol": symbol or ("" if is_known else "z"),
    }


def p_row(measure: str, p_value: float, symbol: str = "", **groups: Any) -> dict[str, Any]:
    """Return a row with a p value, none smaller than what is written of one (``LEAST_P_VALUE``)."""
    return statistic_row(
        measure, Estimate(max(p_value, LEAST_P_VALUE) if p_value == p_value else math.nan), symbol, **groups
    )


def p_text(record: Record) -> str:
    """Return a p value in running text.

    >>> p_text({"rate": 0.0432}), p_text({"rate": 0.001})
    ('0.043', '0.001 or less')
    """
    return f"{show_number(record['rate'], 3)}{' or less' if record['rate'] <= LEAST_P_VALUE else ''}"


def symbol_of(*records: Record | None) -> str:
    """Return why a statistic of these figures cannot be shown: the symbol of the first without a number, else "".

    A figure that is not there at all is "not available" (x).
    """
    for record in records:
        if not is_shown(record):
            return str((record or {}).get("symbol") or "x")
    return ""


def counts_symbol(*records: Record | None) -> str:
    """Return why the counts of these figures cannot be used; published rates without counts are "not available"."""
    without = any(
        record is not None and (is_missing(record["numerator"]) or is_missing(record["denominator"]))
        for record in records
    )
    return symbol_of(*records) or ("x" if without else "")


def risk_ratio_row(first: Record | None, second: Record | None, **groups: Any) -> dict[str, Any]:
    """Return the row of how many times the first rate is the second, from the counts of both."""
    symbol = counts_symbol(first, second)
    if symbol:
        return statistic_row("risk_ratio", None, symbol, **groups)
    return statistic_row("risk_ratio", ratio_of(first, second), **groups)


def ratio_of(first: Record | None, second: Record | None) -> Estimate:
    """Return the risk ratio of two figures with counts; missing where a zero makes it undefined."""
    assert first is not None
    assert second is not None
    found = risk_ratio(first["numerator"], first["denominator"], second["numerator"], second["denominator"])
    return Estimate(*(float(value) for value in found))


def gap_row(first: Record | None, second: Record | None, **groups: Any) -> dict[str, Any]:
    """Return the row of first minus second in percentage points, with Newcombe's interval."""
    symbol = symbol_of(first, second)
    if symbol:
        return statistic_row("rate_gap", None, symbol, **groups)
    assert first is not None
    assert second is not None
    change = record_difference(first, second)
    return statistic_row("rate_gap", Estimate(change["rate"], change["lower"], change["upper"]), **groups)


def pooled(records: Sequence[Record]) -> dict[str, Any] | None:
    """Return the figure of several groups together, from their counts; None of no group.

    One that is hidden hides the whole.

    >>> record = {"measure": "severe_absence_rate", "numerator": 10.0, "denominator": 100.0, "rate": 0.1, "symbol": ""}
    >>> pooled([record, {**record, "numerator": 30.0, "rate": 0.3}])["rate"]
    0.2
    """
    if not records:
        return None
    if len(records) == 1:
        return dict(records[0])
    numbers = dict.fromkeys(("numerator", "denominator", "rate", "lower", "upper"), math.nan)
    symbol = counts_symbol(*(record for record in records if record["symbol"] != "z"))
    if symbol:
        return {**records[0], **numbers, "symbol": symbol, "cell": None}
    counted = [record for record in records if record["symbol"] == ""]
    events, trials = (sum(float(record[name]) for record in counted) for name in ("numerator", "denominator"))
    lower, upper = wilson_interval(events, trials)
    found = {
        "numerator": float(events),
        "denominator": float(trials),
        "rate": events / trials if trials else math.nan,
        "lower": float(lower),
        "upper": float(upper),
    }
    return {**records[0], **found, "symbol": "" if trials else "z", "cell": None}


def log_error(estimate: Estimate) -> float:
    """Return the standard error of a ratio's logarithm, from its interval."""
    return (math.log(estimate.upper) - math.log(estimate.lower)) / (2 * Z95)


def quotient(first: Estimate, second: Estimate) -> Estimate:
    """Return the ratio of two independent ratios with its interval, by the log method.

    Source: Altman and Bland (2003), Interaction revisited: the difference between two estimates, BMJ 326, 219. Their
    example: risk ratios 0.67 (0.46 to 0.98) and 0.88 (0.71 to 1.08) give 0.76 (0.50 to 1.17, rounded on the way).

    >>> found = quotient(Estimate(0.67, 0.46, 0.98), Estimate(0.88, 0.71, 1.08))
    >>> round(found.value, 2), round(found.lower, 2), round(found.upper, 2)
    (0.76, 0.49, 1.17)
    """
    if not all(
        math.isfinite(end) and end > 0 for side in (first, second) for end in (side.value, side.lower, side.upper)
    ):
        return Estimate(math.nan)
    middle = math.log(first.value / second.value)
    half = Z95 * math.hypot(log_error(first), log_error(second))
    return Estimate(math.exp(middle), math.exp(middle - half), math.exp(middle + half))


def quotient_row(first: Record, second: Record, **groups: Any) -> dict[str, Any]:
    """Return the row of one risk ratio over another, from their rows."""
    symbol = symbol_of(first, second)
    estimate = None if symbol else quotient(estimate_of(first), estimate_of(second))
    return statistic_row("ratio_of_risk_ratios", estimate, symbol, **groups)


def estimate_of(record: Record) -> Estimate:
    """Return value and interval of a shown row."""
    return Estimate(
        *(math.nan if is_missing(record[name]) else float(record[name]) for name in ("rate", "lower", "upper"))
    )


def derived_from(rows: Iterable[Mapping[str, Any]], *tables: ProtectedTable, nothing: str = "") -> ProtectedTable:
    """Return rows worked out from cleared tables as a table with the rules and sources of these.

    Raises
    ------
    NoDataError
        There are no rows; the sentence is ``nothing``.
    """
    frame = pd.DataFrame(list(rows))
    if frame.empty:
        raise NoDataError(nothing or "There is nothing to work out from the figures of this page.")
    return ProtectedTable.made_from(frame, tables)
