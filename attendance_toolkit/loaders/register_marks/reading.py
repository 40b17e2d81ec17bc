"""Bring a register file of any format into Parquet with row numbers, and say where its columns are."""

# Column names in the SQL are the toolkit's own or quoted; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

import codecs
import gzip
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from attendance_toolkit.errors import did_you_mean
from attendance_toolkit.loaders._head import Head, cell_text
from attendance_toolkit.loaders._identifiers import identifying_places, split_name
from attendance_toolkit.loaders._return_files import FileCount
from attendance_toolkit.loaders._text import NotReadableError
from attendance_toolkit.loaders._values import listed
from attendance_toolkit.loaders.register_marks.columns import LABELS, PUPIL_ROLES, Layout, layout_of
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.store.identifiers import note_identifiers
from attendance_toolkit.vocabulary.register_codes import all_register_codes

_CHUNK = 1 << 22
#: Something of a day in a header: two numbers apart, or a number beside the name of a month.
_DAY_LIKE = re.compile(
    r"\d[\s/.\-]+\d|\d{8}|\d[\s\-]*(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", re.IGNORECASE
)


@dataclass
class Source:
    """One table of marks: a file, or a sheet of a workbook.

    ``view`` is a view with the columns upn, school, d (date), s (session), code and rid (row, from 0), as the file
    writes them. A register with one column for each session is a row for each cell there: d is then the number of the
    column and s is empty.
    """

    name: str
    sha256: str
    parquet: Path
    layout: Layout
    header: list[str]
    number: int
    sheet: str = ""
    count: FileCount = field(default_factory=FileCount)
    first_line: int = 2
    """Line of the first row: a Parquet file has no header."""

    @property
    def view(self) -> str:
        """Return the name of its view."""
        return f"marks_{self.number}"

    @property
    def table(self) -> str:
        """Return what it is called beside its file in the manifest: the sheet of a workbook."""
        return f"register {self.sheet}".strip()

    def column_of(self, role: str, key: object = None) -> str | None:
        """Return a header for a finding: that of a role, or of a session's column."""
        if self.layout.is_wide and role in ("code", "date", "session"):
            return self.header[int(str(key))] if key is not None else None
        place = self.layout.roles.get(role)
        return None if place is None else self.header[place]


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def open_sources(
    con: duckdb.DuckDBPyConnection, head: Head, private: Path, number: int, sha256: str
) -> tuple[list[Source], list[Finding]]:
    """Return the tables of marks of a file, and findings about its columns and rows.

    Parameters
    ----------
    con
        A connection to read it with.
    head
        The file.
    private
        A folder only the user can read, for copies.
    number
        A number that no other file has, times 1,000.
    sha256
        Hash of the file.
    """
    target = private / f"register-{number}.parquet"
    found: list[Finding] = []
    opened: list[tuple[Path, str, list[str]]] = []
    if head.format == "parquet":
        opened = [(head.path, "", list(pq.ParquetFile(head.path).schema_arrow.names))]
    elif head.format == "workbook":
        opened, found = _open_workbook(head, private, number)
    else:
        found = _copy_text(con, head, private, target)
        opened = [(target, "", list(head.header))]
    sources = [
        Source(
            head.name,
            sha256,
            path,
            layout_of(header),
            header,
            number + place,
            sheet,
            first_line=1 if head.format == "parquet" else 2,
        )
        for place, (path, sheet, header) in enumerate(opened)
    ]
    if any(f.severity == "blocking" for f in found):
        return sources, found
    for source in sources:
        found += check_columns(source)
        if source.layout.is_wide:
            found += unread_marks(con, source)
        source.count.rows_in = _rows(con, source)
        if not source.count.rows_in:
            found.append(finding("file_no_rows", source.name, "the register has no rows.", fix="Export it again."))
    return sources, found


def is_damaged(source: Source) -> bool:
    """Whether the rows of a source cannot be read to their end. Reads all of them, with a connection of its own."""
    con = duckdb.connect()
    try:
        con.execute(f"SELECT max(hash(t)) FROM read_parquet({_quoted(source.parquet)}) t").fetchall()
    except duckdb.Error:
        return True
    finally:
        con.close()
    return False


def _rows(con: duckdb.DuckDBPyConnection, source: Source) -> int:
    rows = pq.ParquetFile(source.parquet).metadata.num_rows
    return rows * (len(source.layout.sessions) if source.layout.is_wide else 1)


# -- text --


def _copy_text(con: duckdb.DuckDBPyConnection, head: Head, private: Path, target: Path) -> list[Finding]:
    """Copy delimited text into Parquet, all columns as text named by their place, in file order."""
    found: list[Finding] = []
    if head.encoding != "utf-8":
        text = _as_utf8(head, private / f"{target.stem}.csv", head.encoding)
        found.append(_converted(head, head.encoding))
    else:
        text = head.path
    try:
        rejected = _copy(con, head, text, target)
    except duckdb.InvalidInputException:
        # Only the first bytes were looked at for the encoding: a letter with an accent may come later.
        text = _as_utf8(head, private / f"{target.stem}.csv", "cp1252")
        found.append(_converted(head, "cp1252"))
        try:
            rejected = _copy(con, head, text, target)
        except duckdb.Error:
            raise NotReadableError(
                "file_not_csv", "the file cannot be read as a table.", "Export it again as CSV UTF-8."
            ) from None
    except duckdb.Error:
        raise NotReadableError(
            "file_damaged" if head.is_gzip else "file_not_csv",
            "the file cannot be read to its end.",
            "Export it again.",
        ) from None
    if rejected[1]:
        found.append(
            finding("file_ragged", head.name, "this row does not have as many cells as the header.",
                    row=int(rejected[0]), count=int(rejected[1]), fix="Look for a comma inside a cell.")
        )  # fmt: skip
    return found


def _copy(con: duckdb.DuckDBPyConnection, head: Head, text: Path, target: Path) -> tuple[int, int]:
    """Copy text to Parquet; return the first line that does not fit the header, and how many do not."""
    columns = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(head.header)))
    is_gzip = head.is_gzip and text == head.path
    con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    # The order of rows leads back to lines.
    con.execute("SET preserve_insertion_order = true")
    con.execute(
        f"COPY (SELECT * FROM read_csv({_quoted(text)}, header = true, auto_detect = false, delim = $mark, quote = '\"',"
        f" escape = '\"', columns = {{{columns}}}, compression = '{'gzip' if is_gzip else 'none'}',"
        " store_rejects = true, rejects_limit = 10000, max_line_size = 4000000))"
        f" TO {_quoted(target)} (FORMAT parquet, COMPRESSION snappy)".replace("$mark", _MARKS[head.delimiter])
    )
    first = con.execute("SELECT coalesce(min(line), 0), count(DISTINCT line) FROM reject_errors").fetchall()[0]
    con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    return first


_MARKS = {",": "','", ";": "';'", "\t": "'\t'", "|": "'|'"}


def _as_utf8(head: Head, target: Path, encoding: str) -> Path:
    """Write the text again in UTF-8 where only the user can read it."""
    opener = gzip.open if head.is_gzip else open
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    try:
        with opener(head.path, "rb") as packed, os.fdopen(os.open(target, flags, 0o600), "wb") as out:
            reader = codecs.getincrementaldecoder(encoding)("strict")
            while chunk := packed.read(_CHUNK):
                out.write(reader.decode(chunk).encode())
            out.write(reader.decode(b"", final=True).encode())
    except (UnicodeError, OSError, EOFError):
        raise NotReadableError(
            "file_encoding", "the file is neither UTF-8, Windows-1252 nor UTF-16 text.", "Save it as 'CSV UTF-8'."
        ) from None
    return target


def _converted(head: Head, encoding: str) -> Finding:
    shown = {"cp1252": "Windows-1252", "utf-16": "UTF-16"}[encoding]
    return finding("file_converted", head.name, f"read as {shown} text, not UTF-8.",
                   fix="Check that letters with accents are right in it.")  # fmt: skip


# -- workbooks --


def _open_workbook(head: Head, private: Path, number: int) -> tuple[list[tuple[Path, str, list[str]]], list[Finding]]:
    """Copy the sheets with marks into Parquet as text; the others are left out."""
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_path(head.path)
    opened: list[tuple[Path, str, list[str]]] = []
    left_out = []
    for place, (name, top) in enumerate(head.sheets.items()):
        header = list(top[0])
        if not layout_of(header).is_register:
            left_out.append(name)
            continue
        rows = book.get_sheet_by_name(name).to_python()
        cells = [[cell_text(cell) for cell in row] for row in rows]
        cells = [row for row in cells if any(row)][1:]
        target = private / f"register-{number}-{place}.parquet"
        columns = {f"c{i}": pa.array([row[i] or None for row in cells], pa.string()) for i in range(len(header))}
        pq.write_table(pa.table(columns), target)
        opened.append((target, name, header))
    found = []
    if left_out:
        found.append(
            finding("file_ignored", head.name, f"{len(left_out)} sheets without marks are left out.",
                    fix="Nothing needs to be done if they hold no marks.")
        )  # fmt: skip
    return opened, found


# -- columns --


def check_columns(source: Source) -> list[Finding]:
    """Return findings about the columns of a register."""
    layout, found = source.layout, []
    for cell in layout.repeated:
        found.append(
            finding("column_repeated", source.name, f"two columns hold the same: '{_short(cell)}' is the second.", row=1,
                    column=_short(cell), fix="Keep one of the two columns.")
        )  # fmt: skip
    strangers = [cell for place, cell in enumerate(source.header) if place not in layout.roles.values()]
    needed = ("upn",) if layout.is_wide else ("upn", "date", "code")
    for role in needed:
        if role not in layout.roles:
            hint = did_you_mean(LABELS[role].split()[-1], strangers).replace("Did you mean", "Is it")
            found.append(
                finding("column_missing", source.name, f"there is no column for {LABELS[role]}.{hint}", row=1, column=role,
                        fix=f"Add it, or name the column that holds it '{role}'.")
            )  # fmt: skip
    return found


def unread_marks(con: duckdb.DuckDBPyConnection, source: Source) -> list[Finding]:
    """Return a finding for the columns of a wide register that hold marks under a header that is not understood.

    Marks are register codes in most of the cells that are filled in; either a sign for present is among them, or the header
    has something of a day. Letters alone would not do: a column of Y and N, or of houses, holds register codes too.
    """
    known = {*source.layout.roles.values(), *source.layout.sessions}
    others = [place for place in range(len(source.header)) if place not in known]
    if not others:
        return []
    names, _ = _names(con, source)
    codes = listed(sorted({row.code for row in all_register_codes()} - {"-"}))
    counts = ", ".join(
        f"count(*) FILTER ({cell} <> ''), count(*) FILTER ({cell} IN ({codes})), count(*) FILTER ({cell} IN ('/', '\\'))"
        for cell in (f"upper(trim(CAST({names[place]} AS VARCHAR)))" for place in others)
    )
    row = con.execute(f"SELECT {counts} FROM read_parquet({_quoted(source.parquet)})").fetchall()[0]
    unread = []
    for at, place in enumerate(others):
        filled, coded, present = row[3 * at : 3 * at + 3]
        if 2 * coded > filled and (2 * present > filled or _DAY_LIKE.search(source.header[place])):
            unread.append(_short(source.header[place]))
    if not unread:
        return []
    many = len(unread) > 1
    says = (
        f"{len(unread)} columns hold marks and their headers are no days with AM or PM: {', '.join(unread[:5])}"
        + (" and others." if len(unread) > 5 else ".")
        if many
        else f"the column '{unread[0]}' holds marks and its header is no day with AM or PM."
    )
    return [
        finding("session_header", source.name, says, row=1, column=unread[0], allowed="2024-09-09 AM, Mon 09 Sep 2024 PM",
                fix=f"Correct the header{'s' if many else ''}, or delete the column{'s' if many else ''}.",
                count=len(unread))
    ]  # fmt: skip


def _short(cell: str) -> str:
    return " ".join(cell.split())[:40]


def make_view(
    con: duckdb.DuckDBPyConnection, source: Source, *, given_school: str | None, clean_upn: bool = False
) -> None:
    """Make the view of a source; with ``clean_upn`` UPNs lose blanks and become capitals (slower).

    Parameters
    ----------
    given_school
        LAESTAB of the school of a file that does not name it.
    """
    con.execute(f"CREATE OR REPLACE TEMP VIEW {source.view} AS {_select(con, source, given_school, clean_upn)}")


def _names(con: duckdb.DuckDBPyConnection, source: Source) -> tuple[list[str], list[str]]:
    """Return the quoted names and the types of the columns of a source's Parquet file."""
    rows = con.execute(f"DESCRIBE SELECT * FROM read_parquet({_quoted(source.parquet)})").fetchall()
    return ['"' + row[0].replace('"', '""') + '"' for row in rows], [row[1] for row in rows]


def _select(con: duckdb.DuckDBPyConnection, source: Source, given_school: str | None, clean_upn: bool) -> str:
    names, types = _names(con, source)
    roles = source.layout.roles

    def text(role: str) -> str:
        place = roles[role]
        cell = names[place] if types[place] == "VARCHAR" else f"CAST({names[place]} AS VARCHAR)"
        return f"coalesce({cell}, '')"

    upn = f"upper(trim({text('upn')}))" if clean_upn else text("upn")
    school = _school_sql(roles, text, names, types, given_school)
    if source.layout.is_wide:
        places = list(source.layout.sessions)
        cells = ", ".join(f"coalesce(CAST({names[p]} AS VARCHAR), '')" for p in places)
        return (
            f"SELECT upn, school, unnest([{', '.join(map(str, places))}])::INTEGER AS d, '' AS s, unnest(cells) AS code,"
            f" rid FROM (SELECT {upn} AS upn, {school} AS school, [{cells}] AS cells, file_row_number AS rid"
            f" FROM read_parquet({_quoted(source.parquet)}, file_row_number = true))"
        )
    place = roles["date"]
    day = names[place] if types[place] in ("DATE", "TIMESTAMP") else text("date")
    if types[place] == "TIMESTAMP WITH TIME ZONE":
        # Midnight of a summer's day is eleven at night of the day before in universal time.
        day = f"timezone('Europe/London', {names[place]})"
    session = text("session") if "session" in roles else "''"
    return (
        f"SELECT {upn} AS upn, {school} AS school, {day} AS d, {session} AS s, {text('code')} AS code,"
        f" file_row_number AS rid FROM read_parquet({_quoted(source.parquet)}, file_row_number = true)"
    )


def _school_sql(
    roles: dict[str, int], text: Callable[[str], str], names: list[str], types: list[str], given: str | None
) -> str:
    """Return SQL for what names the school: one column or two."""
    if "laestab" in roles:
        place = roles["laestab"]
        return names[place] if "INT" in types[place] else text("laestab")
    if "estab" in roles:
        return f"{text('lea')} || '/' || {text('estab')}" if "lea" in roles else text("estab")
    if "urn" in roles:
        return text("urn")
    return f"'{int(given)}'" if given else "''"


def pupil_sql(con: duckdb.DuckDBPyConnection, source: Source, given_school: str | None) -> str | None:
    """Return SQL for what a source says of its pupils: a row for each pupil and school; None when it says nothing."""
    roles = {role: place for role, place in source.layout.roles.items() if role in PUPIL_ROLES}
    if not roles:
        return None
    names, types = _names(con, source)

    def text(role: str) -> str:
        return f"coalesce(CAST({names[source.layout.roles[role]]} AS VARCHAR), '')"

    school = _school_sql(source.layout.roles, text, names, types, given_school)
    cells = ", ".join(
        f"max(nullif(trim({text(role)}), '')) AS {role}" if role in roles else f"NULL::VARCHAR AS {role}"
        for role in PUPIL_ROLES
    )
    return (
        f"SELECT upper(trim({text('upn')})) AS upn, CAST({school} AS VARCHAR) AS school, {cells}"
        f" FROM read_parquet({_quoted(source.parquet)}) GROUP BY ALL"
    )


def note_pupils(con: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Note names, postcodes and former UPNs of a source's pupils, for the search of what leaves."""
    places = identifying_places(source.header)
    names, _ = _names(con, source)

    def distinct(*wanted: str) -> list[tuple[str, ...]]:
        cells = ", ".join(f"coalesce(CAST({names[places[what]]} AS VARCHAR), '')" for what in wanted)
        return con.execute(f"SELECT DISTINCT {cells} FROM read_parquet({_quoted(source.parquet)})").fetchall()

    said = [split_name(name) for (name,) in distinct("name")] if "name" in places else []
    if {"forename", "surname"} <= set(places):
        said += [(forename, "", surname) for forename, surname in distinct("forename", "surname")]
    note_identifiers(
        con,
        names=said,
        upns=[upn for (upn,) in distinct("formerupn")] if "formerupn" in places else (),
        postcodes=[code for (code,) in distinct("postcode")] if "postcode" in places else (),
    )


def names_school(source: Source) -> bool:
    """Whether a source says which school its marks are of."""
    return bool({"laestab", "estab", "urn"} & set(source.layout.roles))
