"""Reading a text file before anything trusts it: bytes, encoding, delimiter, header, line numbers."""

from __future__ import annotations

import codecs
import csv
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_CHUNK = 1 << 22
#: First bytes of files that are not text, whatever their name says.
_NOT_TEXT = (
    (b"PK\x03\x04", "an Excel workbook or zip file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "a PDF"),
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "a gzip file"),
)


class NotReadableError(Exception):
    """A file that cannot be read: the rule it breaks, what is wrong and what to do."""

    def __init__(self, rule: str, says: str, fix: str, row: int | None = None) -> None:
        super().__init__(says)
        self.rule, self.says, self.fix, self.row = rule, says, fix, row


class Origin(Protocol):
    """Where the rows of a table come from that was made from a file of another layout."""

    @property
    def source(self) -> TextFile | None:
        """Return the user's CSV file when a row stands for a whole row of it, else None."""

    @property
    def unheard(self) -> frozenset[str]:
        """Return the columns the layout never has, so that their absence tells nothing."""

    def lines(self, records: Iterable[int]) -> dict[int, int]:
        """Return record number -> line in the user's file."""

    def column(self, name: str, record: int | None) -> str:
        """Return what the user's file calls a column, or the column a session row comes from."""

    def part(self, record: int) -> str:
        """Return which part of the user's file a row was made from, in words."""


@dataclass
class TextFile:
    """A readable CSV: where it can be read as UTF-8, and what is known before reading its rows.

    ``path`` and ``sha256`` are those of the file the user gave, also where ``readable`` was made from a part of it.
    """

    path: Path
    """The file the user gave."""
    readable: Path
    """The same text in UTF-8: the file itself, or a private copy."""
    sha256: str
    encoding: str
    header: list[str]
    """Header cells as they are written."""
    line_count: int
    """Lines with a line ending, header included."""
    origin: Origin | None = None
    """Set when ``readable`` was made from a file of another layout: one row a pupil, or XML."""

    @property
    def name(self) -> str:
        """Return the file's name without its folder."""
        return self.path.name

    @property
    def columns(self) -> list[str]:
        """Return the header in the spelling used here: lower case, letters and digits only."""
        return [clean_header(cell) for cell in self.header]


def clean_header(cell: str) -> str:
    """Return a header cell in lower case without spaces, hyphens or surrounding marks.

    >>> clean_header(" NativeId "), clean_header("SEN Provision"), clean_header("academic_year")
    ('nativeid', 'senprovision', 'academic_year')
    """
    text = cell.strip().lower()
    if text in _KEEP_UNDERSCORE:
        return text
    return re.sub(r"[\s_\-]+", "", text)


_KEEP_UNDERSCORE = frozenset({"academic_year", "looked_after", "social_worker"})


def _decoder(name: str) -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder(name)("strict")


def open_text(path: Path, private: Path) -> TextFile:
    """Return what is known of a CSV file from its bytes, converting it to UTF-8 when it is not.

    Parameters
    ----------
    path
        The file.
    private
        A folder only the user can read, for a converted copy.

    Raises
    ------
    NotReadableError
        Empty, not text, an unknown encoding, no header, or a delimiter other than the comma.
    """
    digest = hashlib.sha256()
    lines = 0
    first = b""
    utf8: codecs.IncrementalDecoder | None = _decoder("utf-8")
    nuls = False
    try:
        with path.open("rb") as handle:
            while chunk := handle.read(_CHUNK):
                if not first:
                    first = chunk
                digest.update(chunk)
                lines += chunk.count(b"\n")
                nuls = nuls or b"\0" in chunk
                # Plain ASCII needs no decoding unless the chunk before ended inside a character.
                if utf8 is not None and (not chunk.isascii() or utf8.getstate()[0]):
                    try:
                        utf8.decode(chunk)
                    except UnicodeDecodeError:
                        utf8 = None
    except OSError as error:
        raise NotReadableError(
            "file_missing", f"the file cannot be opened ({error.strerror}).", "Check its name and your access to it."
        ) from None
    if utf8 is not None and utf8.getstate()[0]:
        utf8 = None
    if not first.strip():
        raise NotReadableError("file_empty", "the file is empty.", "Export it again.")
    for magic, what in _NOT_TEXT:
        if first.startswith(magic):
            raise NotReadableError(
                "file_not_csv",
                f"this is {what}, not a CSV file.",
                "Open it and save it as 'CSV UTF-8 (comma delimited)'.",
            )
    encoding, readable = "utf-8", path
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif nuls:
        raise NotReadableError(
            "file_not_csv", "the file holds bytes that are not text.", "Export it again as CSV UTF-8."
        )
    elif utf8 is None:
        encoding = "cp1252"
    if encoding != "utf-8":
        readable = private / f"{digest.hexdigest()[:16]}.csv"
        lines = _convert(path, readable, encoding)
    header_line = _first_line(readable)
    header = next(csv.reader([header_line]), [])
    if len(header) <= 1:
        for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")):
            if header_line.count(mark) >= 2:
                raise NotReadableError(
                    "file_delimiter",
                    f"the columns are separated by {name}, not commas.",
                    "Save the file as 'CSV UTF-8 (comma delimited)'.",
                )
        raise NotReadableError(
            "file_not_csv",
            "the first line is not a header of comma-separated columns.",
            "Export it again with headers.",
        )
    return TextFile(path, readable, digest.hexdigest(), encoding, header, lines)


def _convert(path: Path, target: Path, encoding: str) -> int:
    """Write the file again in UTF-8 where only the user can read it; return its lines."""
    lines = 0
    try:
        with (
            path.open("r", encoding=encoding, newline="") as source,
            os.fdopen(
                os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600),
                "w",
                encoding="utf-8",
                newline="",
            ) as out,
        ):
            while text := source.read(_CHUNK):
                lines += text.count("\n")
                out.write(text)
    except UnicodeError:
        raise NotReadableError(
            "file_encoding", "the file is neither UTF-8, Windows-1252 nor UTF-16 text.", "Save it as 'CSV UTF-8'."
        ) from None
    return lines


def _first_line(path: Path) -> str:
    with path.open("r", encoding="utf-8-sig", newline="") as handle:
        return handle.readline(1 << 20).rstrip("\r\n")


def line_numbers(file: TextFile, records: Iterable[int], rows: int) -> dict[int, int]:
    """Return record number (0 is the first after the header) -> line in the file.

    Records and lines differ only when a quoted cell holds a line break or a line is blank, which the
    count of lines tells; only then is the file read again. Rows made from a file of another layout lead back to
    the lines of that file.
    """
    wanted = set(records)
    if file.origin is not None:
        return file.origin.lines(wanted)
    if file.line_count in (rows, rows + 1):
        return {record: record + 2 for record in wanted}
    found: dict[int, int] = {}
    with file.readable.open("r", encoding="utf-8-sig", newline="") as handle:
        reader = csv.reader(handle)
        start, record = 1, -2
        for cells in reader:
            if cells:
                record += 1
                if record in wanted:
                    found[record] = start
                    if len(found) == len(wanted):
                        break
            start = reader.line_num + 1
    return {record: found.get(record, record + 2) for record in wanted}
