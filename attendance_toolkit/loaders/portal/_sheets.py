"""A download as rows of text: CSV with any delimiter, or every sheet of a workbook."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from attendance_toolkit.loaders._head import Head, cell_text, look
from attendance_toolkit.loaders._text import NotReadableError

DELIMITERS = (",", ";", "\t", "|")
#: Rows searched for a header: titles and notes may stand above it.
HEADER_WITHIN = 40
#: An LA has fewer than a million pupils; a larger file is not a portal download.
_MOST_BYTES = 400_000_000


@dataclass(frozen=True)
class Row:
    """One row of a sheet: its line in the file, or row of the sheet, and its cells stripped."""

    line: int
    cells: tuple[str, ...]

    @property
    def filled(self) -> int:
        """Return how many cells are not blank."""
        return sum(1 for cell in self.cells if cell)


@dataclass(frozen=True)
class Sheet:
    """The rows of a CSV file (``name`` is "") or of one sheet of a workbook; blank rows are left out."""

    name: str
    rows: tuple[Row, ...]


def heads(head: Head) -> Iterator[tuple[tuple[str, ...], ...]]:
    """Yield the first rows of a file in every way they may be meant: by delimiter, or by sheet."""
    if head.format == "workbook":
        yield from (_stripped(rows) for rows in head.sheets.values())
    elif head.format == "csv":
        for delimiter in DELIMITERS:
            if delimiter in head.text:
                yield _stripped(_first_rows(head.text, delimiter))


def _stripped(rows: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(cell.strip().lstrip("\ufeff") for cell in row) for row in rows)


def _first_rows(text: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            rows.append(cells)
            if len(rows) == HEADER_WITHIN:
                break
    except csv.Error:
        pass  # what was read before the bad row is enough to recognise a file by
    return rows


def read_sheets(path: Path, has_header: Callable[[Sequence[Sequence[str]]], bool]) -> list[Sheet]:
    """Return the sheets of a file that have the header looked for.

    Parameters
    ----------
    path
        The file.
    has_header
        Whether some first rows hold the header; it settles the delimiter too.

    Raises
    ------
    NotReadableError
        The file cannot be opened or decoded, is damaged, or has no such header.
    """
    head = look(path)
    if head.format == "workbook":
        sheets = [sheet for sheet in _workbook(path) if has_header(_beginning(sheet))]
    elif head.format == "csv":
        sheets = _text_sheets(head, has_header)
    else:
        raise NotReadableError(
            "file_not_csv", f"this is a file of the kind {head.format}, not CSV or Excel.", "Download it again as CSV."
        )
    if not sheets:
        raise NotReadableError(
            "file_unknown",
            "no row of it has the headers of a download from DfE's portal.",
            "Where the download has other words than the toolkit knows, write them into a map of headers:"
            " attendance headers > my_headers.yaml; then give --headers my_headers.yaml.",
        )
    return sheets


def _beginning(sheet: Sheet) -> list[tuple[str, ...]]:
    return [row.cells for row in sheet.rows[:HEADER_WITHIN]]


def _text_sheets(head: Head, has_header: Callable[[Sequence[Sequence[str]]], bool]) -> list[Sheet]:
    delimiter = next(
        (mark for mark in DELIMITERS if mark in head.text and has_header(_stripped(_first_rows(head.text, mark)))),
        None,
    )
    return [] if delimiter is None else [Sheet("", tuple(_split(_decoded(head), delimiter)))]


def _decoded(head: Head) -> str:
    if head.path.stat().st_size > _MOST_BYTES:
        raise NotReadableError("file_damaged", "the file is too large for a portal download.", "Check what it is.")
    try:
        if head.is_gzip:
            with gzip.open(head.path) as packed:
                raw = packed.read(_MOST_BYTES)
        else:
            raw = head.path.read_bytes()
    except (OSError, EOFError, zlib.error):
        raise NotReadableError("file_damaged", "the compressed file is damaged.", "Fetch it again.") from None
    encodings = ["utf-16"] if head.encoding == "utf-16" else ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeError:
            continue
        if "\0" in text:
            raise NotReadableError("file_not_csv", "the file holds bytes that are not text.", "Download it again.")
        return text
    raise NotReadableError(
        "file_encoding", "the file is neither UTF-8, Windows-1252 nor UTF-16 text.", "Save it as 'CSV UTF-8'."
    )


def _split(text: str, delimiter: str) -> Iterator[Row]:
    # One character more than the csv module's usual most is a quotation mark that was never closed.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    before = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise _unbalanced(before + 1) from None
        if any("\n" in cell and cell.count(delimiter) > 1 for cell in cells):
            # A quotation mark that is closed only rows later takes whole rows into one cell.
            raise _unbalanced(before + 1)
        row = Row(before + 1, tuple(" ".join(cell.split()) for cell in cells))
        before = reader.line_num
        if row.filled:
            yield row


def _unbalanced(line: int) -> NotReadableError:
    return NotReadableError(
        "file_damaged", f"from row {line} on, a quotation mark is opened and not closed.", "Download it again."
    )


def _workbook(path: Path) -> Iterator[Sheet]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(path)
        for name in book.sheet_names:
            cells = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            rows = (
                Row(number, tuple(" ".join(cell_text(cell).split()) for cell in row))
                for number, row in enumerate(cells, start=1)
            )
            yield Sheet(name, tuple(row for row in rows if row.filled))
    except (CalamineError, OSError, ValueError):
        raise NotReadableError(
            "file_damaged", "the file is a zip file or a damaged Excel workbook.", "Open it in Excel and save it again."
        ) from None
