"""Tables made from protected measure rows, and from rows already written out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import pandas as pd

from attendance_toolkit.disclosure.shades import shades_of
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import ReportError
from attendance_toolkit.presentation.blocks import Cell, Column, Row, Table
from attendance_toolkit.presentation.formats import (
    count_cell,
    is_missing,
    level_label,
    levels,
    measure_format,
    rate_cell,
    records,
    require_columns,
    require_protected,
    source_of,
)
from attendance_toolkit.vocabulary.columns import LABELS
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.rounding import show_number

Labels = Mapping[str, Mapping[Any, str]]
#: What a leaf column shows: columns of a MEASURE row.
_SHOWN = {
    "rate": ("rate",),
    "numerator": ("numerator",),
    "denominator": ("denominator",),
    "both": ("numerator", "rate"),
    "interval": ("rate", "lower", "upper"),
}


def measure_table(
    table: ProtectedTable,
    *,
    id: str,
    rows: str | Sequence[str],
    columns: str | Sequence[str] = "measure",
    value: Literal["rate", "numerator", "denominator", "both", "interval"] = "rate",
    title: str,
    subtitle: str = "",
    row_label: str = "",
    source: str = "",
    notes: Iterable[str] = (),
    labels: Labels | None = None,
    emphasis: Iterable[Any] = (),
) -> Table:
    """Return measure rows as a table.

    Parameters
    ----------
    rows
        Column for the rows; with two, the first makes sections.
    columns
        Column for the columns; with more than one, all but the last make the headers above.
    value
        "rate", "numerator", "denominator", "both" (count and rate side by side) or "interval" (rate with its
        95% interval).
    row_label
        Header of the first column; by default the vocabulary's label of the row column.
    labels
        Column -> level -> what to print, where the vocabulary does not say.
    emphasis
        Levels of the row column printed bold.

    Levels stand in the order of their categorical, else in the order of the rows. A combination without a row
    is "not available" (x).

    Raises
    ------
    DisclosureError
        ``table`` has not been protected.
    ReportError
        Two rows fall into one cell.
    """
    require_protected(table)
    row_columns = [rows] if isinstance(rows, str) else list(rows)
    column_columns = [columns] if isinstance(columns, str) else list(columns)
    if not 1 <= len(row_columns) <= 2 or not column_columns:
        raise ReportError(f"Table '{id}': give one or two columns for the rows and at least one for the columns.")
    require_columns(table, *row_columns, *column_columns)
    frame = table.rows
    cells: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for record in records(table):
        key = tuple(record[name] for name in (*row_columns, *column_columns))
        if key in cells:
            raise ReportError(
                f"Table '{id}' has more than one row for {', '.join(map(str, key))}. Select or group further."
            )
        cells[key] = record
    keys_of = {name: levels(frame[name]) for name in (*row_columns, *column_columns)}
    n = len(row_columns)
    row_keys_present, column_examples = {key[:n] for key in cells}, {key[n:]: cells[key] for key in cells}
    row_keys = [k for k in _product([keys_of[name] for name in row_columns]) if k in row_keys_present]
    column_keys = [k for k in _product([keys_of[name] for name in column_columns]) if k in column_examples]

    heads = [
        Column(
            row_label or LABELS.get(row_columns[-1], row_columns[-1].replace("_", " ").capitalize()),
            align="left",
        )
    ]
    shown = _SHOWN[value]
    for key in column_keys:
        heads += _leaf_columns(key, column_columns, shown, str(column_examples[key]["measure"]), labels)
    strong = set(emphasis)
    body = []
    for row_key in row_keys:
        line: list[Cell] = []
        for column_key in column_keys:
            found = cells.get((*row_key, *column_key))
            line += [Cell(symbol="x") if found is None else _cell(found, name) for name in shown]
        names = [level_label(column, level, labels) for column, level in zip(row_columns, row_key, strict=True)]
        body.append(Row(names[-1], tuple(line), names[0] if n == 2 else "", row_key[-1] in strong))
    return Table(id, title, subtitle, tuple(heads), tuple(body), source_of(table, source), tuple(notes))


def heat_table(
    table: ProtectedTable,
    *,
    id: str,
    title: str,
    subtitle: str = "",
    rows: str,
    columns: str,
    section: str = "",
    least: int = 10,
    row_label: str = "",
    labels: Labels | None = None,
    source: str = "",
    notes: Iterable[str] = (),
) -> Table:
    """Return the rates of one measure, rows by columns, each cell shaded by its figure and the figure always printed.

    Shades are worked out from the figures as printed (``disclosure.shades``). Hidden cells, and those too small to be
    reliable, have no shade.

    Parameters
    ----------
    rows, columns, section
        Column for the rows and for the columns, and one that parts the rows into sections.
    least
        Figures on fewer enrolments (denominator) are left out as unreliable, symbol "u".

    Raises
    ------
    DisclosureError
        ``table`` has not been protected.
    ReportError
        Two rows fall into one cell, or there is more than one measure.

    >>> rows = pd.DataFrame({"sex": ["Female", "Male"], "phase": "Special", "measure": "severe_absence_rate",
    ...     "numerator": 5.0, "denominator": [50.0, 9.0], "rate": 0.1, "lower": 0.0, "upper": 0.2, "symbol": ""})
    >>> made = heat_table(ProtectedTable(rows, "", ""), id="t", title="T", rows="sex", columns="phase")
    >>> [(row.header, row.cells[0].shown, row.cells[0].shade) for row in made.rows], made.key
    ([('Female', '10.0', 0), ('Male', 'u', None)], ('10 to 11',))
    """
    require_protected(table)
    measures = levels(table.rows["measure"])
    if len(measures) > 1:
        raise ReportError(
            f"Table '{id}' cannot shade more than one measure: {', '.join(map(str, measures))}. Select one."
        )
    reliable, left_out = without_small(table, least)
    plain = measure_table(
        reliable, id=id, rows=[section, rows] if section else rows, columns=columns, title=title, subtitle=subtitle,
        row_label=row_label, source=source, labels=labels,
        notes=[*([f"u: {phrase(f'fewer than {least} enrolments', 'rule')}."] if left_out else []), *notes],
    )  # fmt: skip
    shades, key = shades_of([cell.shown for row in plain.rows for cell in row.cells])
    places = iter(shades)
    body = [replace(row, cells=tuple(replace(cell, shade=next(places)) for cell in row.cells)) for row in plain.rows]
    return replace(plain, rows=tuple(body), key=tuple(phrase(text, "scale") for text in key))


def without_small(table: ProtectedTable, least: int) -> tuple[ProtectedTable, int]:
    """Return a table without the numbers of figures on fewer than ``least``, and how many those are.

    Hidden figures are left as they are: how many enrolments they have is not known here.
    """
    require_protected(table)
    frame = table.rows
    small = (frame["symbol"] == "") & (pd.to_numeric(frame["denominator"]) < least)
    if not small.any():
        return table, 0
    frame = frame.copy()
    frame.loc[small, ["numerator", "denominator", "rate", "lower", "upper"]] = float("nan")
    frame.loc[small, "symbol"] = "u"
    return table.with_rows(frame), int(small.sum())


def _product(lists: list[list[Any]]) -> list[tuple[Any, ...]]:
    keys: list[tuple[Any, ...]] = [()]
    for values in lists:
        keys = [(*key, value) for key in keys for value in values]
    return keys


def _cell(record: Mapping[str, Any], name: str) -> Cell:
    return count_cell(record, name) if name in ("numerator", "denominator") else rate_cell(record, name)


def _leaf_columns(
    key: tuple[Any, ...], names: list[str], shown: tuple[str, ...], measure: str, labels: Labels | None
) -> list[Column]:
    texts = [level_label(name, level, labels) for name, level in zip(names, key, strict=True)]
    how = measure_format(measure)
    if len(shown) == 1:
        unit = "" if shown[0] in ("numerator", "denominator") else how.unit
        return [Column(texts[-1], ", ".join(texts[:-1]), unit)]
    group = ", ".join(texts)
    words = {"numerator": "Number", "rate": "Rate", "lower": "Lower 95% limit", "upper": "Upper 95% limit"}
    return [Column(words[name], group, "" if name == "numerator" else how.unit) for name in shown]


def table_from_rows(
    *,
    id: str,
    title: str,
    subtitle: str = "",
    columns: Sequence[str | Column],
    rows: Iterable[Row | Sequence[Any]],
    source: str = "",
    notes: Iterable[str] = (),
) -> Table:
    """Return a table from rows written out by the caller: header first, then one entry per column.

    An entry is a Cell, text, a number (shown with thousands commas, whole or with one decimal) or None
    (not available). The figures must already be fit to show.

    Raises
    ------
    DisclosureError
        ``rows`` is a DataFrame, or a row is a Series: nothing says that its figures were cleared.

    >>> phases = [("Primary", 18000)]
    >>> table_from_rows(id="t", title="T", columns=["Phase", "Enrolments"], rows=phases).rows[0].cells
    (Cell(text='18,000', value=18000, symbol='', note=''),)
    """
    rows = _refuse_frames(rows)
    heads = tuple(
        entry if isinstance(entry, Column) else Column(entry, align="left" if index == 0 else "right")
        for index, entry in enumerate(columns)
    )
    body = tuple(
        row if isinstance(row, Row) else Row(str(row[0]), tuple(_as_cell(entry) for entry in row[1:])) for row in rows
    )
    return Table(id, title, subtitle, heads, body, source, tuple(notes))


def _refuse_frames(rows: Iterable[Row | Sequence[Any]]) -> list[Row | Sequence[Any]]:
    """Return the rows as a list, unless they are pandas objects."""
    if isinstance(rows, pd.DataFrame):
        require_protected(rows)
    found = list(rows)
    for row in found:
        if isinstance(row, pd.Series):
            require_protected(row)
    return found


def _as_cell(entry: Any) -> Cell:
    if isinstance(entry, Cell):
        return entry
    if is_missing(entry):
        return Cell(symbol="x")
    if isinstance(entry, str):
        return Cell(entry)
    return Cell(show_number(entry, 0 if float(entry).is_integer() else 1), entry)
