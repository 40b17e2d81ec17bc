"""What the stages of reading a census share: the working tables, drafts of findings, and counts."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Unpack

import duckdb
import pyarrow as pa

from attendance_toolkit.loaders._return_files import FileCount, ReturnFiles
from attendance_toolkit.loaders._text import TextFile
from attendance_toolkit.schema.census import Carried, Census
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.schema.rules import RULES, Advice
from attendance_toolkit.schema.tables import NAME_COLUMNS
from attendance_toolkit.store.parts import LIST_PARTS, RECORD_COLUMNS, SESSION_COLUMNS

#: Columns of a pupil row in the working tables -> the extract's name, for pupils on and off the roll.
PUPIL_COLUMNS = {
    "key": ("pupilonrolltableid", "pupilnolongeronrolltableid"),
    "nativeid": ("nativeid", "nativeid"),
    "upn": ("upn", "upn"),
    "formerupn": ("formerupn", "formerupn"),
    "dob": ("dob", "dob"),
    "entrydate": ("entrydate", "entrydate"),
    "leavingdate": ("", "leavingdate"),
    "sex": ("sex", "sex"),
    "ncyear": ("ncyearactual", "ncyearleaving"),
    "senprovision": ("senprovision", "senprovision"),
    "enrolstatus": ("enrolstatus", "enrolstatus"),
    "boarder": ("boarder", "boarder"),
    "language": ("language", "language"),
    "ethnicity": ("ethnicity", "ethnicity"),
    "fsmday": ("fsmeoncensusday", "fsmeoncensusday"),
    **{
        f"{item}{kind}": (f"{item}{kind}", f"{item}{kind}")
        for item in ("termlysessions", "summerhalfterm2sessions")
        for kind in ("possible", "authorised", "unauthorised", "coronavirus")
    },
    **{name: (name, name) for name in NAME_COLUMNS},
}
CODED = {
    "sex": "sex_code",
    "ncyear": "year_group_code",
    "senprovision": "sen_code",
    "enrolstatus": "enrol_status_code",
    "boarder": "boarder_code",
    "language": "language_code",
    "ethnicity": "ethnicity_code",
}
DATES = ("dob", "entrydate", "leavingdate")
DETAILS = {"termlysessions": "termlysessiondetails", "summerhalfterm2sessions": "summerhalfterm2sessiondetails"}
PUPIL_TABLES = (("pupilonroll", True), ("pupilnolongeronroll", False))
PERIOD_TABLES = (("fsmperiod", True), ("fsmperiodsonroll", True), ("fsmperiodsoffroll", False))


@dataclass
class Source:
    """One file inside a working table: its rows follow each other from ``start``."""

    file: TextFile
    table: str
    return_number: int
    on_roll: bool
    start: int
    rows: int

    @property
    def group(self) -> int:
        """Return a number for the return and roll, within which keys are unique to a school."""
        return self.return_number * 2 + self.on_roll


class Stack:
    """A working table into which several files are read one after the other, so that row ids lead back."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sources: list[Source] = []
        self._starts: list[int] = []

    def add(self, source: Source) -> None:
        """Note the next file."""
        self.sources.append(source)
        self._starts.append(source.start)

    def find(self, rid: int) -> tuple[Source, int]:
        """Return the file of a row and its record number in it."""
        # Empty files share their start with the next one, and the last of equals is the one with rows.
        source = self.sources[bisect_right(self._starts, rid) - 1]
        return source, rid - source.start


class DraftAdvice(Advice, total=False):
    """What may be left out of a draft about a row, whose record and column are known."""

    value: str | None
    count: int


class DraftDetails(DraftAdvice, total=False):
    """What may be left out of a draft: the keyword arguments of ``Draft``."""

    record: int | None
    column: str | None


@dataclass
class Draft:
    """A finding whose record number still has to become a line of the file."""

    rule: str
    file: TextFile
    says: str
    record: int | None = None
    column: str | None = None
    value: str | None = None
    allowed: str = ""
    fix: str = ""
    count: int = 1


class Work:
    """The returns of one census while they are read: what the stages hand to each other.

    Working tables in the connection, in the order in which they come to be:

    ``raw_pupil``
        Pupil rows as text, all files one after the other (``pupils`` leads back to file and record).
    ``map_*``
        What each distinct text of a column means.
    ``pupil``
        Pupil rows with what their texts mean; ``rid`` is the row id of ``raw_pupil``.
    ``set_aside``
        Pupil rows that cannot be used, once for each rule they break.
    ``details_*``, ``summed_*``
        Session rows of one item, and their sums for each pupil row.
    ``rows_aside``
        Session rows that cannot be used.
    ``fsm``
        Free-meal eligibility of each pupil row, from ``period``.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        census: Census,
        returns: Sequence[ReturnFiles],
        where: Sequence[dict[str, dict[str, str]]],
        *,
        key: bytes | None,
        schools: dict[str, dict[str, str]],
    ) -> None:
        self.con, self.census, self.returns, self.where = con, census, returns, where
        self.key, self.schools = key, schools
        self.drafts: list[Draft] = []
        self.findings: list[Finding] = []
        self.counts: dict[tuple[int, str], FileCount] = {}
        self.laestabs: list[set[int]] = [set() for _ in returns]
        self.pupils = Stack("raw_pupil")
        self.details: dict[str, Stack] = {}
        self.periods = Stack("period")

    def one(self, sql: str) -> tuple:
        """Return the only row of a query."""
        row = self.con.execute(sql).fetchone()
        assert row is not None
        return row

    def all(self, sql: str) -> list[tuple]:
        """Return the rows of a query."""
        return self.con.execute(sql).fetchall()

    def map(self, name: str, columns: Mapping[str, Sequence], types: dict[str, pa.DataType]) -> None:
        """Make a small lookup table."""
        arrays = {c: pa.array(v, type=types[c]) for c, v in columns.items()}
        self.con.register("incoming", pa.table(arrays))
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM incoming")
        self.con.unregister("incoming")

    def draft(self, rule: str, file: TextFile, says: str, **more: Unpack[DraftDetails]) -> None:
        """Draft a finding about a file, or a record of it."""
        self.drafts.append(Draft(rule, file, says, **more))

    def draft_at(
        self, rule: str, stack: Stack, rid: int, says: str, *, column: str | None = None, **more: Unpack[DraftAdvice]
    ) -> None:
        """Draft a finding about a row of a working table, with the column as the file spells it."""
        source, record = stack.find(rid)
        if stack is self.pupils and column in PUPIL_COLUMNS:
            column = PUPIL_COLUMNS[column][not source.on_roll] or column
        self.draft(rule, source.file, says, record=record, column=column, **more)

    def rows_of(self, number: int, table: str, file: TextFile) -> int:
        """Return the rows of a file."""
        count = self.counts.get((number, table))
        return count.rows_in if count else max(file.line_count - 1, 0)

    @property
    def is_blocked(self) -> bool:
        """Whether a blocking finding was made."""
        return any(RULES[d.rule].severity == "blocking" for d in self.drafts)

    def drop(self) -> None:
        """Let go of the working tables of this census."""
        names = ["raw_pupil", "pupil", "keyed", "repeated", "arithmetic", "orphan", "again", "period", "fsm",
                 "set_aside", "rows_aside", "aside", "characteristics"]  # fmt: skip
        names += [f"{kind}_{c.item}" for c in self.census.carries for kind in ("details", "summed")]
        for name in names:
            self.con.execute(f"DROP TABLE IF EXISTS {name}")


def half_term_text(carried: Carried) -> str:
    """Return the half term, or span, in words."""
    return f"half term{'s' if '-' in carried.half_term else ''} {carried.half_term}"


def make_working_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Make the tables all returns of a call share."""

    def columns(of: dict[str, str]) -> str:
        return ", ".join(f"{name} {kind}" for name, kind in of.items())

    con.execute("CREATE TEMP TABLE map_upn (code VARCHAR, state TINYINT, pseudonym BIGINT)")
    con.execute(f"CREATE TEMP TABLE session_parts ({columns(SESSION_COLUMNS)})")
    con.execute(f"CREATE TEMP TABLE record_parts ({columns(RECORD_COLUMNS)})")
    for part in LIST_PARTS:
        con.execute(f"CREATE TEMP TABLE {part.table} ({columns(part.columns)})")
