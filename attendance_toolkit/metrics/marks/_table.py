"""Marks made ready once: what each counts as on its day, and the school days and school weeks of each school."""

# Only names of the toolkit's own are put into the SQL here.
from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

import duckdb
import pandas as pd
import pyarrow as pa

from attendance_toolkit.errors import NoDataError, UnknownColumnError, VocabularyError
from attendance_toolkit.vocabulary.register_codes import read_mark

#: What a session counts as. Attended and covid sessions are possible and not missed.
NOT_POSSIBLE, ATTENDED, COVID, AUTHORISED, UNAUTHORISED = range(5)
#: Columns of marks that are needed here.
NEEDED = ("upn", "laestab", "day", "session", "code")
_EPOCH = date(1970, 1, 1)
_SLOT = "(2 * (day - DATE '1970-01-01') + (session = 'PM')::INTEGER)::INTEGER"


def _kind(outcome: str) -> int | None:
    """Return what an outcome of ``read_mark`` counts as; None for a blank, which is no mark."""
    if outcome.startswith("auth_"):
        return AUTHORISED
    if outcome.startswith("unauth_"):
        return UNAUTHORISED
    return {"attended": ATTENDED, "covid": COVID, "blank": None}.get(outcome, NOT_POSSIBLE)


class MarkTable:
    """Marks in memory, in a connection of their own.

    Tables: ``mark`` (upn, laestab, slot, kind, code, reason), where ``slot`` is twice the day number and one more in the
    afternoon, and ``code`` and ``reason`` are places in ``codes`` and ``reasons``; and ``school_day`` (laestab, day, number,
    week, week_number), where ``number`` and ``week_number`` count a school's days and weeks with sessions from 1.

    Parameters
    ----------
    marks
        Rows of ``store.parts.MARK_COLUMNS``: upn, laestab, day, session and code are read. A relation or a frame.

    Raises
    ------
    UnknownColumnError
        A column is missing.
    VocabularyError
        A code did not exist on its day, or a session is neither AM nor PM.
    """

    def __init__(self, marks: duckdb.DuckDBPyRelation | pd.DataFrame) -> None:
        for name in NEEDED:
            if name not in marks.columns:
                raise UnknownColumnError(f"Marks need a column '{name}'. Give them as Store.marks() does.")
        self.con = duckdb.connect()
        self.con.execute("SET preserve_insertion_order = false")
        if isinstance(marks, pd.DataFrame):
            self.con.register("given", marks[list(NEEDED)])
            marks = self.con.sql("SELECT upn, laestab, day::DATE AS day, session, code FROM given")
        self.codes, self.reasons = self._make_meanings(marks)
        # Rows of another connection, as a table: of a stream DuckDB does not know that it is the longer side of a join.
        rows = marks.project(f"upn::BIGINT AS upn, laestab::INTEGER AS laestab, {_SLOT} AS slot, code").to_arrow_table()
        self.con.register("incoming", rows)
        self._make_marks()
        self.con.unregister("incoming")
        self._make_words()
        self._make_school_days()

    def _make_meanings(self, given: duckdb.DuckDBPyRelation) -> tuple[tuple[str, ...], tuple[str, ...]]:
        found = given.aggregate("day, session, code").fetchall()
        if wrong := sorted({session for _, session, _ in found} - {"AM", "PM"}):
            raise VocabularyError(f"'{wrong[0]}' is not a session of a day. Use AM or PM.")
        rows: list[tuple[date, str, int, str]] = []
        for day, code in sorted({(day, code) for day, _, code in found}):
            read = read_mark(code, day)
            if read.fault:
                raise VocabularyError(f"'{code}' was no register code on {day.isoformat()}. Load the register again.")
            kind = _kind(read.outcome)
            if kind is not None:
                rows.append((day, code, kind, read.outcome))
        codes = tuple(sorted({row[1] for row in rows}))
        reasons = tuple(sorted({row[3] for row in rows}))
        table = pa.table(
            {
                "day_number": pa.array([day_number(row[0]) for row in rows], pa.int32()),
                "code": pa.array([row[1] for row in rows], pa.string()),
                "kind": pa.array([row[2] for row in rows], pa.int8()),
                "code_place": pa.array([codes.index(row[1]) for row in rows], pa.int8()),
                "reason": pa.array([reasons.index(row[3]) for row in rows], pa.int8()),
            }
        )
        self.con.register("meaning", table)
        return codes, reasons

    def _make_words(self) -> None:
        for name, words in (("code_word", self.codes), ("reason_word", self.reasons)):
            places = pa.array(range(len(words)), pa.int8())
            self.con.register(name, pa.table({"place": places, "word": pa.array(words, pa.string())}))

    def _make_marks(self) -> None:
        self.con.execute(
            """
            CREATE TEMP TABLE mark AS
            SELECT i.upn, i.laestab, i.slot, m.kind, m.code_place AS code, m.reason
            FROM incoming i JOIN meaning m ON m.code = i.code AND m.day_number = i.slot // 2
            """
        )

    def _make_school_days(self) -> None:
        self.con.execute(
            """
            CREATE TEMP TABLE school_day AS
            SELECT laestab, day, row_number() OVER (PARTITION BY laestab ORDER BY day)::INTEGER AS number, week,
                   dense_rank() OVER (PARTITION BY laestab ORDER BY week)::INTEGER AS week_number
            -- 1 January 1970 was a Thursday: weeks begin on Monday.
            FROM (SELECT DISTINCT laestab, slot // 2 AS day, (slot // 2 + 3) // 7 AS week FROM mark WHERE kind > 0)
            """
        )

    def chosen(self, upns: Collection[int], until: date | None = None) -> MarkTable:
        """Return the marks of some pupils alone, up to a day if one is given."""
        wanted = pa.table({"upn": pa.array(sorted(upns), pa.int64())})
        self.con.register("wanted", wanted)
        rows = self.con.sql(
            "SELECT m.* FROM mark m SEMI JOIN wanted USING (upn) WHERE $last IS NULL OR m.slot < 2 * $last + 2",
            params={"last": day_number(until) if until else None},
        ).to_arrow_table()
        self.con.unregister("wanted")
        made = object.__new__(MarkTable)
        made.con, made.codes, made.reasons = duckdb.connect(), self.codes, self.reasons
        made.con.register("rows", rows)
        made.con.execute("CREATE TEMP TABLE mark AS FROM rows")
        made.con.unregister("rows")
        made._make_words()
        made._make_school_days()
        return made

    def place_of(self, code: str) -> int:
        """Return the place of a code in ``codes``; -1, which no mark has, if no mark is of it."""
        return self.codes.index(code) if code in self.codes else -1

    @property
    def first_and_last_day(self) -> tuple[date, date]:
        """The first and the last school day of any school.

        Raises
        ------
        NoDataError
            No mark is of a possible session.
        """
        ((first, last),) = self.con.execute("SELECT min(day), max(day) FROM school_day").fetchall()
        if first is None:
            raise NoDataError("The registers have no possible session. Load registers of the year.")
        return day_of(first), day_of(last)

    @property
    def last_day(self) -> date:
        """The last school day of any school; raises as ``first_and_last_day`` does."""
        return self.first_and_last_day[1]


Given = duckdb.DuckDBPyRelation | pd.DataFrame | MarkTable


def ready(marks: Given) -> MarkTable:
    """Return marks made ready; those that are already, as they are."""
    return marks if isinstance(marks, MarkTable) else MarkTable(marks)


def day_number(day: date) -> int:
    """Return the number of a day.

    >>> day_number(date(1970, 1, 2))
    1
    """
    return (day - _EPOCH).days


def day_of(number: int) -> date:
    """Return the day of a number.

    >>> day_of(1)
    datetime.date(1970, 1, 2)
    """
    return _EPOCH + timedelta(days=int(number))
