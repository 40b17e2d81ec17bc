"""Find the files a user named, look at their first line and read them as text into DuckDB."""

# ruff: noqa: S608 - SQL is put together from our own text; a file's values are bound as parameters.

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from attendance_toolkit.errors import UnreadableFileError
from attendance_toolkit.loaders._head import cell_text
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.schema.rules import finding

_ENDINGS = (".csv", ".csv.gz", ".xlsx", ".xls", ".ods")
WORKBOOKS = (".xlsx", ".xls", ".ods")
#: Enough of a file to hold the longest header seen (4 kB) and to notice a wrong encoding.
_HEAD_BYTES = 65_536
#: A column header of a workbook is looked for in as many rows, below titles and notes.
_HEADER_WITHIN = 15


class UnknownEditionError(UnreadableFileError):
    """A file that is whole and of a known layout, but does not say its academic year."""


@dataclass(frozen=True)
class Source:
    """A file before its layout is known: the fields of its first two lines, lower case.

    Attributes
    ----------
    given
        The file the user named, where ``path`` is a copy of one sheet of it.
    skipped
        Rows of that sheet above the column names.
    findings
        None: a row that breaks a rule raises. A list: such rows are set aside with a finding each.
    """

    path: Path
    first: tuple[str, ...]
    second: tuple[str, ...]
    has_bom: bool
    given: Path | None = None
    skipped: int = 0
    findings: list[Finding] | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """File name for messages and the ``source_file`` column; never the folder, which may name a person."""
        return (self.given or self.path).name


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
        opener = gzip.open if is_gzip(path) else open
        with opener(path, "rb") as handle:
            head = handle.read(_HEAD_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFileError(
            f"{path.name} could not be opened: {type(error).__name__}. Fetch the file again."
        ) from None
    if not head.strip():
        raise UnreadableFileError(f"{path.name} is empty. Download it again.")
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UnreadableFileError(f"{path.name} is in UTF-16. Save it as 'CSV UTF-8 (comma delimited)'.")
    if b"\0" in head:
        # DuckDB would end the name of a column at it, and the column would not be found.
        raise UnreadableFileError(f"{path.name} holds bytes that are not text. Download it again as CSV UTF-8.")
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


def is_gzip(path: Path) -> bool:
    """Return whether a file is compressed, by its first bytes."""
    with path.open("rb") as handle:
        return handle.read(2) == b"\x1f\x8b"


def sheet_as_csv(path: Path, folder: Path, is_known: Callable[[Source], bool]) -> Source | None:
    """Write the first sheet of a workbook that has a known layout as CSV into a private folder.

    The row numbers of findings and of ``source_row`` stay those of the sheet.

    Returns
    -------
    The copy, or None if no sheet has a known layout.

    Raises
    ------
    UnreadableFileError
        The workbook is damaged.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(path)
        for name in book.sheet_names:
            # skip_empty_area would move the rows, and with them the row numbers.
            sheet = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            rows = [[cell_text(cell).strip() for cell in row] for row in sheet]
            for skipped, row in enumerate(rows[:_HEADER_WITHIN]):
                first = tuple(cell.lower() for cell in row)
                while first and not first[-1]:
                    first = first[:-1]
                second = tuple(cell.lower() for cell in rows[skipped + 1]) if len(rows) > skipped + 1 else ()
                copy = folder / f"{path.stem}.csv"
                source = Source(copy, first, second, False, path, skipped)
                if first and is_known(source):
                    _write(copy, [line[: len(first)] for line in rows[skipped:] if any(line)])
                    return source
    except (CalamineError, OSError, ValueError) as error:
        raise UnreadableFileError(
            f"{path.name} could not be opened as a workbook: {type(error).__name__}. Open it in Excel and save it again."
        ) from None
    return None


def _write(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows(rows)


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
        raise UnreadableFileError(f"{source.name}: the column '{twice[0]}' is there more than once. Keep one of them.")
    try:
        con.execute("DROP TABLE IF EXISTS raw")
        con.execute(
            "CREATE TEMP TABLE raw AS SELECT row_number() OVER () + ? AS source_row, * FROM read_csv(?,"
            " columns = ?, header = ?, auto_detect = false, delim = ',', quote = '\"', escape = '\"',"
            " null_padding = false, compression = ?)",
            [
                int(has_header) + source.skipped,
                str(source.path),
                dict.fromkeys(names, "VARCHAR"),
                has_header,
                "gzip" if is_gzip(source.path) else "none",
            ],
        )
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.IOException) as error:
        raise UnreadableFileError(f"{source.name}, {_short(error)}") from None
    rows = _one(con, "SELECT count(*) FROM raw")
    if not rows:
        raise UnreadableFileError(f"{source.name} has column names and no rows. Download it again.")
    if drop:
        con.execute(f"DELETE FROM raw WHERE {drop}")
    return rows, rows - _one(con, "SELECT count(*) FROM raw")


def reject(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    rule: str,
    where: str,
    values: Sequence[object],
    *,
    column: str,
    value: str,
    allowed: str,
) -> None:
    """Set the rows of ``raw`` that meet a condition aside with a finding, or raise if nobody asked for findings.

    Parameters
    ----------
    where, values
        SQL condition and the values bound in it.

    Raises
    ------
    UnreadableFileError
        ``source.findings`` is None.
    """
    row = con.execute(f"SELECT min(source_row), count(*) FROM raw WHERE {where}", values).fetchone()
    first, count = (int(row[0]), int(row[1])) if row and row[1] else (0, 0)
    if source.findings is None:
        raise complain(source, first, column, value, allowed)
    if count:
        says = f"'{value[:60]}' is not allowed."
        source.findings.append(
            finding(
                rule, source.name, says, row=first, column=column, value=value[:60], fix=f"Use {allowed}.", count=count
            )
        )
        con.execute(f"DELETE FROM raw WHERE {where}", values)


def complain(source: Source, row: int, name: str, value: str, allowed: str) -> UnreadableFileError:
    """Return the error for one cell: file, row, column, value and what it may be."""
    return UnreadableFileError(f"{source.name}, row {row}, {name}: '{value}' is not allowed. Use {allowed}.")


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
        return f"{where} has {fields[2]} fields, but the first has {fields[1]}. Correct the row or download the file again."
    if "unicode" in text.lower() or "utf-8" in text.lower():
        return f"{where} is not UTF-8. Save the file as 'CSV UTF-8 (comma delimited)'."
    return f"{where} could not be read as comma-separated text (a quotation mark may be missing). Correct the row."
