"""The beginning of a file, from which it is recognised: by content, never by name."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from attendance_toolkit.loaders._text import NotReadableError, clean_header

#: Bytes looked at. A pupil row of the widest layout is below 1 kB, so this is dozens of rows.
HEAD_BYTES = 1 << 16
_ROWS = 40
_FORMATS = (
    (b"PAR1", "parquet"),
    (b"PK\x03\x04", "workbook"),
    (b"\xd0\xcf\x11\xe0", "workbook"),
    (b"%PDF", "pdf"),
)


@dataclass(frozen=True)
class Head:
    """What the first bytes of a file say.

    Attributes
    ----------
    format
        "csv" (any delimited text), "xml", "json", "workbook" (Excel), "parquet" or "pdf".
    text
        The first 64 kB as text; empty for a workbook or Parquet file.
    rows
        The first rows as cells of text, split at ``delimiter``: of a CSV file, of a workbook's first sheet with
        cells, or the one row of column names of a Parquet file. Empty for other formats.
    sheets
        Sheet name -> its first rows; empty unless a workbook.
    """

    path: Path
    format: str
    text: str = ""
    rows: tuple[tuple[str, ...], ...] = ()
    delimiter: str = ","
    encoding: str = "utf-8"
    is_gzip: bool = False
    sheets: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the file's name without its folder."""
        return self.path.name

    @property
    def header(self) -> tuple[str, ...]:
        """Return the first row as it is written."""
        return self.rows[0] if self.rows else ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the first row in the spelling used for pupil-level files: lower case, no spaces or hyphens."""
        return tuple(clean_header(cell) for cell in self.header)

    @property
    def names(self) -> frozenset[str]:
        """Return the first row stripped and in lower case, as a set."""
        return frozenset(cell.strip().lower() for cell in self.header)


@dataclass(frozen=True)
class Recognised:
    """What a file is.

    Attributes
    ----------
    kind
        What can be done with it: a key of ``recognition.KINDS``.
    layout
        Machine name of the layout, such as "flat_2015" or "attendance_weekly".
    says
        What it is, in words that follow "This is": "a school census return in XML, autumn 2024".
    feeds
        What can be made from it, in words that follow "It can feed".
    years
        Academic years seen in the rows looked at, if any.
    """

    kind: str
    layout: str
    says: str
    feeds: str
    years: tuple[int, ...] = ()


def look(path: Path) -> Head:
    """Return the head of a file.

    Raises
    ------
    NotReadableError
        It cannot be opened, is empty, or is neither text, a workbook nor Parquet.
    """
    try:
        with path.open("rb") as handle:
            start = handle.read(HEAD_BYTES)
    except OSError as error:
        raise NotReadableError(
            "file_missing", f"the file cannot be opened ({error.strerror}).", "Check its name and your access to it."
        ) from None
    if not start.strip(b"\xef\xbb\xbf \t\r\n"):
        raise NotReadableError("file_empty", "the file is empty.", "Export it again.")
    is_gzip = start.startswith(b"\x1f\x8b")
    if is_gzip:
        try:
            with gzip.open(path) as packed:
                start = packed.read(HEAD_BYTES)
        except (OSError, EOFError, zlib.error):
            raise NotReadableError("file_damaged", "the compressed file is damaged.", "Fetch it again.") from None
    for magic, name in _FORMATS:
        if start.startswith(magic):
            if name == "workbook":
                return _workbook(path)
            if name == "parquet":
                return _parquet(path)
            return Head(path, name)
    text, encoding = _decode(start)
    bare = text.lstrip("\ufeff \t\r\n")
    if bare.startswith("<"):
        return Head(path, "xml", text, encoding=encoding, is_gzip=is_gzip)
    if bare.startswith(("{", "[")):
        return Head(path, "json", text, encoding=encoding, is_gzip=is_gzip)
    rows, delimiter = _split(text, is_whole=len(start) < HEAD_BYTES)
    return Head(path, "csv", text, rows, delimiter, encoding, is_gzip)


def _decode(start: bytes) -> tuple[str, str]:
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return codecs.getincrementaldecoder("utf-16")("replace").decode(start), "utf-16"
    if b"\0" in start:
        raise NotReadableError("file_not_csv", "the file holds bytes that are not text.", "Export it again as CSV.")
    try:
        # Incremental: the cut may fall inside a character.
        return codecs.getincrementaldecoder("utf-8-sig")("strict").decode(start), "utf-8"
    except UnicodeDecodeError:
        return start.decode("cp1252", "replace"), "cp1252"


def _split(text: str, *, is_whole: bool) -> tuple[tuple[tuple[str, ...], ...], str]:
    """Return the first rows and the delimiter: the mark that the first line has most of."""
    first = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max((",", ";", "\t", "|"), key=lambda mark: (first.count(mark), mark == ","))
    if not is_whole and "\n" in text:
        text = text[: text.rindex("\n") + 1]
    rows: list[tuple[str, ...]] = []
    try:
        for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if cells:
                rows.append(tuple(cells))
            if len(rows) == _ROWS:
                break
    except csv.Error:
        pass  # a stray quotation mark further down: what was read tells enough, and the reader will say the row
    return tuple(rows), delimiter


def _workbook(path: Path) -> Head:
    from python_calamine import CalamineError, CalamineWorkbook

    sheets: dict[str, tuple[tuple[str, ...], ...]] = {}
    try:
        book = CalamineWorkbook.from_path(path)
        for name in book.sheet_names:
            cells = book.get_sheet_by_name(name).to_python(nrows=_ROWS)
            rows = tuple(tuple(cell_text(cell) for cell in row) for row in cells)
            if any(any(row) for row in rows):
                sheets[name] = rows
    except (CalamineError, OSError, ValueError):
        raise NotReadableError(
            "file_damaged", "the file is a zip file or a damaged Excel workbook.", "Open it in Excel and save it again."
        ) from None
    if not sheets:
        raise NotReadableError("file_empty", "the workbook has no cells.", "Export it again.")
    return Head(path, "workbook", rows=next(iter(sheets.values())), sheets=sheets)


def cell_text(cell: object) -> str:
    """Return a workbook cell as the text a CSV export would hold; whole numbers without a point.

    >>> cell_text(301.0), cell_text(0.5), cell_text(None), cell_text(True)
    ('301', '0.5', '', 'TRUE')
    """
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell)


def _parquet(path: Path) -> Head:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = tuple(pq.ParquetFile(path).schema_arrow.names)
    except (pa.ArrowException, OSError):
        raise NotReadableError("file_damaged", "the Parquet file is damaged.", "Write it again.") from None
    return Head(path, "parquet", rows=(names,))
