"""Find the files a user named, look at their first line and read them as text into DuckDB."""

# ruff: noqa: S608 - SQL is put together from our own text; a file's values are bound as parameters.

from __future__ import annotations

import csv
import gzip
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from attendance_toolkit.errors import UnreadableFileError

_ENDINGS = (".csv", ".csv.gz")
#: Enough of a file to hold the longest header seen (4 kB) and to notice a wrong encoding.
_HEAD_BYTES = 65_536


@dataclass(frozen=True)
class Source:
    """A file before its layout is known: the fields of its first two lines, lower case."""

    path: Path
    first: tuple[str, ...]
    second: tuple[str, ...]
    has_bom: bool

    @property
    def name(self) -> str:
        """File name for messages and the ``source_file`` column; never the folder, which may name a person."""
        return self.path.name


def find_files(paths: Iterable[Path | str]) -> list[tuple[Path, str]]:
    """Return each CSV file named or lying in a named folder, with its path inside the folder ("" if named).

    Folders are searched to any depth, in the order of the names, so that the order in which an
    operating system lists a folder never changes a result.

    Raises
    ------
    UnreadableFileError
        A path does not exist, or no path was given.
    """
    every = list(paths)
    if not every:
        raise UnreadableFileError("No published file was given. Give at least one file or folder.")
    found: dict[Path, str] = {}
    for given in every:
        path = Path(given)
        if path.is_dir():
            for inner in sorted(p for p in path.rglob("*") if p.name.lower().endswith(_ENDINGS) and p.is_file()):
                found.setdefault(inner, inner.relative_to(path).as_posix())
        elif path.is_file():
            found[path] = ""
        else:
            raise UnreadableFileError(f"'{given}' does not exist. Give a file or a folder of published CSV files.")
    return list(found.items())


def look_at(path: Path) -> Source:
    """Return the first two lines of a file as fields.

    Raises
    ------
    UnreadableFileError
        The file is empty, not text in UTF-8, not comma-separated, or has a column name twice.
    """
    try:
        opener = gzip.open if path.name.lower().endswith(".gz") else open
        with opener(path, "rb") as handle:
            head = handle.read(_HEAD_BYTES)
    except (OSError, EOFError) as error:
        raise UnreadableFileError(f"{path.name} could not be opened: {type(error).__name__}.") from None
    if not head.strip():
        raise UnreadableFileError(f"{path.name} is empty.")
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UnreadableFileError(f"{path.name} is in UTF-16. Save it as 'CSV UTF-8 (comma delimited)'.")
    cut = head if len(head) < _HEAD_BYTES else head[: head.rfind(b"\n") + 1] or head
    try:
        text = cut.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = cut[: error.start].count(b"\n") + 1
        raise UnreadableFileError(
            f"{path.name}, row {line}: the text is not UTF-8. Save it as 'CSV UTF-8 (comma delimited)'."
        ) from None
    rows = csv.reader(text.splitlines())
    first = tuple(field.strip().lower() for field in next(rows, []))
    second = tuple(field.strip().lower() for field in next(rows, []))
    if len(first) <= 1:
        for mark, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")):
            if first and mark in first[0]:
                raise UnreadableFileError(f"{path.name} is separated by {word}. Save it separated by commas.")
    return Source(path, first, second, head.startswith(b"\xef\xbb\xbf"))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as hexadecimal text."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read_raw(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    columns: Iterable[str],
    *,
    has_header: bool,
    drop: str = "",
) -> tuple[int, int]:
    """Read a file as text into the table ``raw`` with its row numbers; return rows read and rows dropped.

    Row numbers are those a spreadsheet shows: the header, where there is one, is row 1.

    Parameters
    ----------
    columns
        The names of all columns of the file, in order.
    drop
        SQL condition of rows that are not wanted, such as those of schools.
    """
    names = list(columns)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UnreadableFileError(f"{source.name}: the column '{twice[0]}' is there more than once.")
    try:
        con.execute("DROP TABLE IF EXISTS raw")
        con.execute(
            "CREATE TEMP TABLE raw AS SELECT row_number() OVER () + ? AS source_row, * FROM read_csv(?,"
            " columns = ?, header = ?, auto_detect = false, delim = ',', quote = '\"', escape = '\"',"
            " null_padding = false)",
            [int(has_header), str(source.path), dict.fromkeys(names, "VARCHAR"), has_header],
        )
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.IOException) as error:
        raise UnreadableFileError(f"{source.name}, {_short(error)}") from None
    rows = _one(con, "SELECT count(*) FROM raw")
    if not rows:
        raise UnreadableFileError(f"{source.name} has column names and no rows.")
    if drop:
        con.execute(f"DELETE FROM raw WHERE {drop}")
    return rows, rows - _one(con, "SELECT count(*) FROM raw")


def _one(con: duckdb.DuckDBPyConnection, query: str) -> int:
    row = con.execute(query).fetchone()
    return int(row[0]) if row else 0


def _short(error: Exception) -> str:
    """Return where and why a file could not be read, without the path and without the row's text."""
    text = str(error)
    line = re.search(r"CSV Error on Line: (\d+)", text)
    fields = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text)
    where = f"row {line[1]}" if line else "a row"
    if fields:
        return f"{where} has {fields[2]} fields, but the first has {fields[1]}."
    if "unicode" in text.lower() or "utf-8" in text.lower():
        return f"{where} is not UTF-8. Save the file as 'CSV UTF-8 (comma delimited)'."
    return f"{where} could not be read as comma-separated text (a quotation mark may be missing)."
