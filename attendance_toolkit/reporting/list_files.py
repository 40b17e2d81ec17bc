"""One school's list as a workbook and as a CSV file: the marking first, and nothing that runs or hides."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import IO, Any

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.styles import Alignment, Font
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from attendance_toolkit.schema.findings import _no_formula
from attendance_toolkit.vocabulary.audiences import SENSITIVE

#: What XML cannot hold, and line breaks, which would let a value begin a line of its own.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_WIDTHS = {"Pupil": 22, "UPN": 16, "Name": 30, "Present school": 34, "School": 34,
           "Terms (sessions missed of possible)": 52}  # fmt: skip
Value = str | int | float


@dataclass(frozen=True)
class PupilList:
    """The list of one school.

    Attributes
    ----------
    about
        Label and text of the rows above the table, after the marking.
    columns
        Headers of the table.
    rows
        One pupil each, in the order of the columns.
    made_on
        Goes into the properties of the workbook.
    choices
        Column -> what its cells may be: a workbook offers them as a drop-down list.
    """

    title: str
    about: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    made_on: date
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def plain_text(text: str) -> str:
    r"""Return text on one line, without characters that are not printed.

    >>> plain_text(" a\tb\x00 ")
    'a b'
    """
    return " ".join(_CONTROL.sub(" ", text).split())


def write_csv(listed: PupilList, path: Path) -> None:
    """Write a list as CSV: UTF-8 with a mark that spreadsheets know it by, and no cell that they would run."""

    def write(handle: IO[bytes]) -> None:
        text = io.TextIOWrapper(handle, encoding="utf-8-sig", newline="")
        writer = csv.writer(text, lineterminator="\n")
        lines: list[Sequence[Value]] = [[SENSITIVE], [listed.title], *listed.about, [], listed.columns, *listed.rows]
        for line in lines:
            writer.writerow([_no_formula(_clean(value)) for value in line])
        text.detach()

    _write_private(path, write)


def write_xlsx(listed: PupilList, path: Path) -> None:
    """Write a list as a workbook of one sheet: no formula, no hidden part, no name of a user in its properties."""
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "Pupils"
    _put(sheet, 1, [SENSITIVE], bold=True)
    _put(sheet, 2, [listed.title], bold=True)
    at = 3
    for label, text in listed.about:
        _put(sheet, at, [label, text])
        at += 1
    top = at + 1
    _put(sheet, top, listed.columns, bold=True)
    for number, row in enumerate(listed.rows, start=top + 1):
        _put(sheet, number, row)
    for place, name in enumerate(listed.columns, start=1):
        letter = sheet.cell(top, place).column_letter
        sheet.column_dimensions[letter].width = _WIDTHS.get(name, 14)
        sheet.cell(top, place).alignment = Alignment(wrap_text=True, vertical="bottom")
    _offer(sheet, listed, top)
    sheet.freeze_panes = sheet.cell(top + 1, 1)
    sheet.print_title_rows = f"{top}:{top}"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", sheet.PAPERSIZE_A4
    for part in (sheet.oddHeader, sheet.oddFooter):
        part.center.text = SENSITIVE
    properties = book.properties
    properties.creator, properties.lastModifiedBy, properties.title = "attendance-toolkit", None, listed.title
    properties.created = datetime.combine(listed.made_on, time())
    _write_private(path, book.save)


def write_page(page: bytes, path: Path) -> None:
    """Write a finished page that only the user can read."""
    _write_private(path, lambda handle: handle.write(page))


def _offer(sheet: Worksheet, listed: PupilList, top: int) -> None:
    """Add the drop-down lists of the rows below the header: values written out, no formula and no hidden sheet."""
    for name, texts in listed.choices.items():
        if listed.rows:
            offered = DataValidation(type="list", formula1=f'"{",".join(texts)}"', allow_blank=True)
            offered.showErrorMessage, offered.errorTitle = True, "Not in the list"
            offered.error = "Choose one of the list, or leave the cell empty."
            letter = sheet.cell(top, listed.columns.index(name) + 1).column_letter
            offered.add(f"{letter}{top + 1}:{letter}{top + len(listed.rows)}")
            sheet.add_data_validation(offered)


def _put(sheet: Worksheet, row: int, values: Sequence[Value], *, bold: bool = False) -> None:
    for place, value in enumerate(values, start=1):
        cell = sheet.cell(row, place)
        assert isinstance(cell, Cell)
        cell.value = _clean(value)
        if isinstance(value, str):
            # openpyxl takes "=…" for a formula; as text, and kept as text when somebody edits the cell, it does nothing.
            cell.data_type = "s"
            cell.quotePrefix = _no_formula(cell.value) != cell.value
        if bold:
            cell.font = Font(bold=True)


def _clean(value: Value) -> Value:
    return plain_text(value) if isinstance(value, str) else value


def _write_private(path: Path, write: Callable[[Any], Any]) -> None:
    """Write a whole file that only the user can read, or none of it."""
    part = path.with_name(f".{path.name}.part")
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(part, flags, 0o600), "w+b") as handle:
        write(handle)
    part.replace(path)
