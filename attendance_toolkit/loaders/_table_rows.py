"""Every row of a table of moderate size as text with its line number: CSV of any encoding, gzip or a workbook."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator

from attendance_toolkit.loaders._head import Head, cell_text
from attendance_toolkit.loaders._text import NotReadableError

_ENCODINGS = {"utf-8": "utf-8-sig", "cp1252": "cp1252", "utf-16": "utf-16"}


def table_rows(head: Head, sheet: str | None = None) -> Iterator[tuple[int, list[str]]]:
    """Return (line, cells) of every row that is not blank, the header first.

    Parameters
    ----------
    head
        The file as ``look`` saw it.
    sheet
        Of a workbook; the first sheet with cells if not given.

    Raises
    ------
    NotReadableError
        The file is neither text nor a workbook, is damaged, or a quotation mark never ends.
    """
    rows = _sheet_rows(head, sheet) if head.format == "workbook" else _csv_rows(head)
    return ((line, cells) for line, cells in rows if any(cell.strip() for cell in cells))


def _csv_rows(head: Head) -> Iterator[tuple[int, list[str]]]:
    if head.format != "csv":
        raise NotReadableError("file_not_csv", f"this is {head.format}, not a table.", "Export it again as CSV.")
    reader = csv.reader(io.StringIO(_text_of(head), newline=""), delimiter=head.delimiter, strict=True)
    start = 1
    try:
        for cells in reader:
            yield start, cells
            start = reader.line_num + 1
    except csv.Error:
        raise NotReadableError(
            "file_not_csv",
            f"row {start} could not be read as comma-separated text (a quotation mark may be missing).",
            "Correct the row or export the file again.",
        ) from None


def _text_of(head: Head) -> str:
    try:
        data = gzip.decompress(head.path.read_bytes()) if head.is_gzip else head.path.read_bytes()
    except (OSError, EOFError, zlib.error):
        raise NotReadableError("file_damaged", "the file is damaged or cannot be opened.", "Fetch it again.") from None
    # The head may end before the first letter that is not UTF-8.
    names = dict.fromkeys((head.encoding, *(() if head.encoding == "utf-16" else ("cp1252",))))
    for name in names:
        try:
            return data.decode(_ENCODINGS[name])
        except UnicodeDecodeError:
            continue
    raise NotReadableError(
        "file_encoding", "the file is neither UTF-8, Windows-1252 nor UTF-16 text.", "Save it as 'CSV UTF-8'."
    )


def _sheet_rows(head: Head, sheet: str | None) -> Iterator[tuple[int, list[str]]]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(head.path)
        cells = book.get_sheet_by_name(sheet or next(iter(head.sheets))).to_python(skip_empty_area=False)
    except (CalamineError, OSError, ValueError):
        raise NotReadableError(
            "file_damaged", "the workbook is damaged.", "Open it in Excel and save it again."
        ) from None
    for number, row in enumerate(cells, start=1):
        yield number, [cell_text(cell) for cell in row]
