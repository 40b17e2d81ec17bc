"""How figures of MEASURE rows are written: percentages, percentage points, sessions, counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import DisclosureError, ReportError, UnknownColumnError
from attendance_toolkit.presentation.blocks import Cell
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.measures import MEASURES
from attendance_toolkit.vocabulary.rounding import round_half_up, show_number
from attendance_toolkit.vocabulary.statistics import find_measured
from attendance_toolkit.vocabulary.symbols import SYMBOLS

#: Unit of a measure -> unit in headers, and what follows a number in running text.
_UNITS = {
    "percent": ("%", "%"),
    "points": ("percentage points", " pp"),
    "error": ("percentage points", " pp"),
    "sessions": ("sessions", ""),
    "count": ("", ""),
    "ratio": ("", ""),
    "logit": ("", ""),
    "p": ("", ""),
    "rank": ("", ""),
    "days": ("days", ""),
}


@dataclass(frozen=True)
class Format:
    """How the ``rate`` of a measure is written.

    ``scale`` turns the stored rate into the written number; ``unit`` is for headers ("%"), ``suffix``
    follows a number in running text or on a chart.
    """

    label: str
    unit: str
    suffix: str
    scale: float
    decimals: int
    signed: bool
    numerator: str

    def number(self, rate: float) -> str:
        """Return the number without its unit, as in a table."""
        return show_number(rate * self.scale, self.decimals, signed=self.signed)

    def with_decimals(self, decimals: Any) -> Format:
        """Return the format with the decimals a figure was published with; missing leaves it as it is.

        A figure published as 0.75 is not cut to 0.8: its third decimal is unknown, and DfE's own one-decimal
        figure is 0.7.
        """
        return self if is_missing(decimals) else replace(self, decimals=int(decimals))

    def short(self, rate: float) -> str:
        """Return the number with its unit, as on a chart."""
        return self.number(rate) + self.suffix


def measure_format(measure: str) -> Format:
    """Return how a measure is written.

    >>> measure_format("overall_absence_rate").short(0.0771)
    '7.7%'
    >>> measure_format("overall_absence_rate_change").short(-0.0025), measure_format("risk_ratio").short(4.1)
    ('−0.3 pp', '4.10')
    >>> measure_format("prediction_rmse").short(0.0712), measure_format("prediction_rmse").unit
    ('7.12 pp', 'percentage points')
    """
    known, is_change = find_measured(measure)
    if known is None:
        raise UnknownColumnError(f"'{measure}' is not a measure. Use one of: {', '.join(MEASURES)}.")
    label = f"{known.label}, change" if is_change else known.label
    unit, suffix = _UNITS["points" if is_change and known.unit == "percent" else known.unit]
    return Format(label, unit, suffix, known.scale, known.decimals, is_change or known.is_signed, known.numerator)


def require_protected(table: Any) -> ProtectedTable:
    """Return the table if it has been cleared for showing.

    Raises
    ------
    DisclosureError
        It is a plain DataFrame or anything else.
    """
    if not isinstance(table, ProtectedTable):
        raise DisclosureError(
            f"Only a protected table can be shown, not a {type(table).__name__}."
            " Declare it in the deep dive, so that a release clears it."
        )
    return table


def require_columns(table: ProtectedTable, *names: str) -> None:
    """Raise UnknownColumnError for a column the table does not have, naming the choices."""
    for name in names:
        if name not in table.rows.columns:
            raise UnknownColumnError(
                f"The table has no column '{name}'. It has: {', '.join(map(str, table.rows.columns))}."
            )


def source_of(table: ProtectedTable, source: str = "") -> str:
    """Return the source line: the caller's or the table's, saying "Synthetic data" where it is."""
    text = source or table.source
    if table.is_synthetic and "synthetic" not in text.lower():
        return f"Synthetic data. {text}".strip()
    return text


def records(table: ProtectedTable) -> list[dict[str, Any]]:
    """Return the rows as dictionaries. By column, because pandas' own way boxes every text anew."""
    names = [str(name) for name in table.rows.columns]
    columns = [table.rows[name].tolist() for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def levels(column: pd.Series) -> list[Any]:
    """Return the levels present, in the order of a categorical, else as they first occur."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        present = set(column.dropna().unique())
        return [level for level in column.cat.categories if level in present]
    return list(column.dropna().unique())


def level_label(column: str, value: Any, labels: Mapping[str, Mapping[Any, str]] | None = None) -> str:
    """Return a level as people read it: years, measures and the caller's own labels.

    >>> level_label("academic_year", 202324), level_label("phase", "Primary")
    ('2023/24', 'Primary')
    """
    if labels and value in labels.get(column, {}):
        return labels[column][value]
    if column == "academic_year":
        return show_academic_year(int(value))
    if column == "measure" and isinstance(value, str):
        return measure_format(value).label
    return str(value)


def is_missing(value: Any) -> bool:
    """Return True for None, NaN and NA."""
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def rate_cell(row: Mapping[str, Any], column: str = "rate") -> Cell:
    """Return the rate (or a bound of its interval) of one MEASURE row as a table cell."""
    ref = _ref(row)
    if row["symbol"] and row["symbol"] != "u":
        return Cell(symbol=str(row["symbol"]), ref=ref)
    value = row[column]
    if is_missing(value):
        return _no_number(row, ref)
    how = measure_format(str(row["measure"])).with_decimals(row.get("decimals"))
    return Cell(how.number(float(value)), float(value) * how.scale, symbol=str(row["symbol"]), ref=ref)


def _ref(row: Mapping[str, Any]) -> str:
    """Return the id of the row in its release; nothing for a row made from others, such as a difference."""
    ref = row.get("cell")
    return "" if is_missing(ref) else str(ref)


def _no_number(row: Mapping[str, Any], ref: str) -> Cell:
    # A figure left out as unreliable is not what its row of the release has: it names no row.
    is_left_out = row["symbol"] == "u" and is_missing(row["rate"])
    return Cell(symbol="u") if is_left_out else Cell(symbol="x", ref=ref)


def count_cell(row: Mapping[str, Any], column: str = "numerator") -> Cell:
    """Return a count of one MEASURE row as a table cell."""
    ref = _ref(row)
    if row["symbol"] and row["symbol"] != "u":
        return Cell(symbol=str(row["symbol"]), ref=ref)
    value = row[column]
    if is_missing(value):
        return _no_number(row, ref)
    decimals = 0 if float(value).is_integer() else 1
    return Cell(show_number(float(value), decimals), float(value), symbol=str(row["symbol"]), ref=ref)


#: What "no difference" is, by the unit of a figure: a ratio's is 1.
_NULLS = {"percentage points": 0.0, "": 1.0}
_MORE_DECIMALS = 3


def interval_ends(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return both ends of a row's interval as its figure is written.

    With as many decimals more as it takes, up to three, where an end would print as no difference but is not: the reader
    must see on which side it lies.

    >>> interval_ends({"measure": "rate_gap", "lower": 0.0004, "upper": 0.0013})
    ('+0.04', '+0.13')
    >>> interval_ends({"measure": "risk_ratio", "lower": 0.81, "upper": 0.9979})
    ('0.810', '0.998')
    >>> interval_ends({"measure": "rate_gap", "lower": 0.00002, "upper": 0.0017})
    ('+0.002', '+0.170')
    """
    how = measure_format(str(row["measure"])).with_decimals(row.get("decimals"))
    null = _NULLS.get(how.unit, math.nan)
    ends = [float(row[name]) for name in ("lower", "upper")]
    apart = [end * how.scale for end in ends if end * how.scale != null]
    enough = (
        more for more in range(_MORE_DECIMALS) if all(round_half_up(end, how.decimals + more) != null for end in apart)
    )
    how = how.with_decimals(how.decimals + next(enough, _MORE_DECIMALS))
    return how.number(ends[0]), how.number(ends[1])


def figure_words(row: Mapping[str, Any]) -> str:
    """Return a row's figure in running text, with its own decimals.

    >>> figure_words({"measure": "vpc_latent", "rate": 0.19, "decimals": 0})
    '19%'
    """
    how = measure_format(str(row["measure"])).with_decimals(row.get("decimals"))
    return f"{how.number(float(row['rate']))}{_percent_sign(how)}"


def interval_words(row: Mapping[str, Any]) -> str:
    """Return a row's interval in running text. A percentage has its sign at both ends: a bare 6 might be a count of few.

    >>> interval_words({"measure": "vpc_latent", "lower": 0.06, "upper": 0.36, "decimals": 0})
    '95% interval 6% to 36%'
    """
    sign = _percent_sign(measure_format(str(row["measure"])))
    return f"95% interval {f'{sign} to '.join(interval_ends(row))}{sign}"


def _percent_sign(how: Format) -> str:
    return how.unit if how.unit == "%" else ""


def interval_cell(row: Mapping[str, Any] | None) -> Cell:
    """Return the interval of a row as one cell; "z" where it has none, "x" where there is no row."""
    if row is None:
        return Cell(symbol="x")
    if row["symbol"] and row["symbol"] != "u":
        return Cell(symbol=str(row["symbol"]))
    if is_missing(row["lower"]) or is_missing(row["upper"]):
        return Cell(symbol="z")
    return Cell(" to ".join(interval_ends(row)))


def hidden_notes(rows: pd.DataFrame) -> list[str]:
    """Say in words how many values are hidden or missing, by symbol.

    >>> hidden_notes(pd.DataFrame({"symbol": ["", "c", "c", "x"]}))
    ['2 values are hidden to protect small numbers.', '1 value is not available.']
    """
    words = {
        "c": ("is hidden to protect small numbers", "are hidden to protect small numbers"),
        "x": ("is not available", "are not available"),
        "z": ("does not apply: the group is empty", "do not apply: the groups are empty"),
        "low": ("rounds to 0 but is not 0", "round to 0 but are not 0"),
        "k": ("rounds to 0 but is not 0", "round to 0 but are not 0"),
        "u": ("has low reliability", "have low reliability"),
    }
    notes = []
    for symbol in SYMBOLS:
        count = int((rows["symbol"] == symbol).sum())
        if count:
            one, many = words[symbol]
            notes.append(f"1 value {one}." if count == 1 else f"{count} values {many}.")
    return notes


def single_format(table: ProtectedTable) -> Format:
    """Return how the table's rates are written; all its measures must share a unit.

    Raises
    ------
    ReportError
        Measures of different units, which one axis cannot show.
    """
    measures = levels(table.rows["measure"])
    if not measures:
        raise ReportError("There are no rows to draw. Check the selection before the figure.")
    formats = [measure_format(str(name)) for name in measures]
    if len({(f.unit, f.scale) for f in formats}) > 1:
        raise ReportError("One figure cannot mix percentages with other units. Draw one figure for each.")
    if "decimals" not in table.rows.columns:
        return formats[0]
    # How a hidden figure would have been written says something of it.
    published: Any = table.rows.loc[table.rows["symbol"] == "", "decimals"].dropna()
    return formats[0].with_decimals(max(published) if len(published) else None)
