"""The files of a return: their columns, their SQL, and the census a small table names."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import duckdb

from attendance_toolkit.errors import VocabularyError, did_you_mean
from attendance_toolkit.loaders._text import NotReadableError, TextFile, clean_header, line_numbers
from attendance_toolkit.loaders._values import parse_date
from attendance_toolkit.schema.census import Census, make_census
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.schema.tables import ALIASES, TableSpec

LAYOUT = "school census"


@dataclass
class ReturnFiles:
    """The files of one return, by table."""

    prefix: str
    tables: dict[str, TextFile] = field(default_factory=dict)
    census: Census | None = None
    schools: dict[str, dict[str, str]] = field(default_factory=dict)
    """NativeId -> row of the school table."""
    layout: str = ""
    """Layout of the file the tables were made from; empty for a return given as tables."""
    la: str | None = None
    """DfE code of the authority whose establishments the file names by four digits, as it was asked for."""
    newest: date | None = None
    """Newest entry date, where it was seen while the tables were made."""
    since: tuple[tuple[str, Census], ...] = ()
    """Columns of a file of one row a pupil that began with a census: (column, the census)."""
    findings: list[Finding] = field(default_factory=list)
    """What was found while the tables were made. Blocking: then there are no tables."""

    @property
    def main_table(self) -> str:
        """Return the table that stands for the return: its pupils on roll if it has any, else any table."""
        for table in ("pupilonroll", "pupilnolongeronroll"):
            if table in self.tables:
                return table
        return next(iter(self.tables))

    @property
    def name(self) -> str:
        """Return the name of the file that stands for the return."""
        return self.tables[self.main_table].name


@dataclass
class FileCount:
    """Rows of one file: read, loaded and set aside."""

    rows_in: int = 0
    rows_quarantined: int = 0

    @property
    def rows_loaded(self) -> int:
        """Return the rows that were loaded."""
        return self.rows_in - self.rows_quarantined


def check_columns(table: str, file: TextFile, spec: TableSpec) -> tuple[dict[str, str], list[Finding]]:
    """Return where each wanted column of a table is (name -> position name), and the findings.

    The headers of tables made from another layout are the toolkit's own; what its columns lack was found then.
    """
    found: list[Finding] = []
    where: dict[str, str] = {}
    plain = [cell.strip().lower().lstrip("\ufeff") for cell in file.header]
    for place, cell in enumerate(plain):
        cleaned = clean_header(cell)
        name = spec.name_of(cleaned)
        if name not in spec.columns:
            continue
        if name in where:
            found.append(
                finding("column_repeated", file.name, f"'{name}' is in the header twice.", row=1, column=name,
                        fix="Keep one of the two columns.")
            )  # fmt: skip
            continue
        where[name] = f"c{place}"
        if name != cell and cell not in ALIASES and cleaned not in spec.aliases:
            found.append(finding("column_respelt", file.name, f"read as '{name}'.", row=1, column=cell))
    strangers = [cell for cell in plain if spec.name_of(clean_header(cell)) not in spec.columns]
    if not where:
        # The first line is then perhaps a pupil's, and must not be shown.
        return where, [
            finding("column_missing", file.name, f"the first line names none of the columns of {table}.", row=1,
                    allowed=", ".join(spec.required), fix="Export the table again with its header.")
        ]  # fmt: skip
    for name in spec.required:
        if name not in where:
            hint = did_you_mean(name, strangers).replace("Did you mean", "Is it")
            found.append(
                finding("column_missing", file.name, f"the column '{name}' is missing.{hint}", row=1, column=name,
                        fix=f"Add it, or name the column that holds it '{name}'.")
            )  # fmt: skip
    unheard = file.origin.unheard if file.origin is not None else frozenset()
    for name in (*spec.expected, *spec.respelt):
        if name not in where and name not in unheard:
            absent = column_absent(file, name, strangers)
            if name in spec.expected or "Is it" in absent.says:
                found.append(absent)
    return where, found


def column_absent(file: TextFile, name: str, strangers: Sequence[str]) -> Finding:
    """Return the finding that a characteristic has no column, with the header among others that may be it."""
    hint = did_you_mean(name, strangers).replace("Did you mean", "Is it")
    says = f"there is no column '{name}', so it is Unknown for everybody.{hint}"
    return finding("column_absent", file.name, says, row=1, column=name)


def table_sql(file: TextFile, select: str) -> str:
    """Return SQL that reads a file as text and selects from it, in file order.

    Columns are named by their place, ``c0`` the first. Rows that do not fit the header go to DuckDB's
    tables of rejects.
    """
    columns = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(file.header)))
    path = str(file.readable).replace("'", "''")
    return (
        f"SELECT {select} FROM read_csv('{path}', header = true, auto_detect = false, delim = ',', quote = '\"',"
        f" escape = '\"', columns = {{{columns}}}, store_rejects = true,"
        f" rejects_limit = 10000, max_line_size = 4000000)"
    )


def read_small(con: duckdb.DuckDBPyConnection, file: TextFile, where: dict[str, str]) -> list[dict[str, str]]:
    """Return the rows of a small table as dictionaries of text.

    Raises
    ------
    NotReadableError
        The rows cannot be read as CSV, or do not have as many cells as the header.
    """
    select = ", ".join(f"{place} AS {name}" for name, place in where.items())
    rows = read_rows(con, file, table_sql(file, select))
    return [{n: (v or "").strip() for n, v in zip(where, row, strict=True)} for row in rows]


def read_rows(con: duckdb.DuckDBPyConnection, file: TextFile, sql: str) -> list[tuple]:
    """Return the rows of a query over one file.

    Raises
    ------
    NotReadableError
        As ``read_small``.
    """
    con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    try:
        rows = con.execute(sql).fetchall()
        ragged = con.execute("SELECT min(line), count(DISTINCT line) FROM reject_errors").fetchall()[0]
    except duckdb.Error as error:
        # Only the kind of the error: more of it would show the line.
        reason = str(error).splitlines()[0][:80]
        raise NotReadableError(
            "file_ragged", f"the rows cannot be read as CSV ({reason}).", "Export the file again."
        ) from None
    finally:
        con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    if ragged[1]:
        raise NotReadableError(
            "file_ragged",
            f"{ragged[1]:,} rows do not have as many cells as the header, the first in line {ragged[0]}.",
            "Look for a comma or quotation mark inside a cell, or export the file again.",
        )
    return rows


def census_from_rows(file: TextFile, rows: list[dict[str, str]]) -> tuple[Census | None, list[Finding]]:
    """Return the census a ``schoolcensus`` table names, and findings when it names none or several."""
    stated: dict[tuple[str, str], int] = {}
    days: set[date] = set()
    for number, row in enumerate(rows):
        stated.setdefault((row["term"].upper()[:3], re.sub(r"\.0$", "", row["year"])), number)
        day, _ = parse_date(row.get("referencedate") or "")
        if day:
            days.add(day)
    if len(stated) > 1:
        names = ", ".join(f"{term} {year}" for term, year in stated)
        place = list(stated.values())[1]
        return None, [
            finding("census_conflict", file.name, f"the file holds several censuses: {names}.",
                    row=line_numbers(file, [place], len(rows))[place], column="term",
                    fix="Give each census its own set of files.")
        ]  # fmt: skip
    if not stated:
        return None, []
    (term, year), _ = next(iter(stated.items()))
    try:
        census = make_census(term, year)
        day = min(days) if days else census.day
        # A reference date of another year than the census it stands for is a slip of the pen.
        return Census(census.collection, census.year, day if day.year == census.year else census.day), []
    except VocabularyError:
        return None, [
            finding("census_unknown", file.name, f"'{term} {year}' is not a census.",
                    row=line_numbers(file, [0], len(rows))[0], column="term", value=term,
                    allowed="AUT, SPR, SUM with a year of four digits")
        ]  # fmt: skip
