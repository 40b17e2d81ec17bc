"""Add marks up for each pupil, school and half term inside DuckDB: what registers and transfer files share.

The one heavy step joins every mark to a small table that says what it counts as, and sums for each pupil, school and
half term. Its counters are packed, nine bits each, into three sums, and the sessions that were marked into two bit
maps, one bit for each weekday. A pupil has at most 128 sessions in a half term, so that nothing can overflow; where
there are more marks than bits a session was marked twice, and only those pupils are looked at mark by mark.
"""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Protocol

import duckdb
import numpy as np
import pyarrow as pa

from attendance_toolkit.loaders.register_marks.school_weeks import Breaks, find_breaks
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.store.keys import check_upns, pseudonyms
from attendance_toolkit.vocabulary.calendar import HALF_TERM_TERMS, academic_year_of, half_term_starts
from attendance_toolkit.vocabulary.columns import REASON_COLUMNS
from attendance_toolkit.vocabulary.register_codes import read_mark

#: What a mark adds one to: (sum, place) in packed counters of nine bits.
_REASONS = [name.removeprefix("sessions_") for name in REASON_COLUMNS]
COUNTERS = {name: divmod(place, 7) for place, name in enumerate([*_REASONS, "attended", "covid", "none"])}
_MOST = 511
#: Faults in the table of marks: used, of a code not yet in force, on a weekend.
USED, NEW_CODE, WEEKEND = 0, 1, 2


class MarkSource(Protocol):
    """Marks of one file: a view with upn, school, d, s, code and rid."""

    number: int

    @property
    def view(self) -> str:
        """Return the name of the view."""
        ...


def put(con: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, Sequence], types: Mapping[str, str]) -> None:
    """Make a small table."""
    con.register("incoming", pa.table({c: pa.array(v, _ARROW[types[c]]) for c, v in columns.items()}))
    con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM incoming")
    con.unregister("incoming")


_ARROW = {"text": pa.string(), "day": pa.date32(), "int": pa.int32(), "long": pa.int64(), "tiny": pa.int8(),
          "bits": pa.uint64(), "flag": pa.bool_()}  # fmt: skip


def map_upns(con: duckdb.DuckDBPyConnection, codes: list[str], key: bytes | None) -> None:
    """Add UPNs to ``map_upn`` of the connection: each is checked, and gets its pseudonym, once."""
    put(con, "upn_asked", {"code": codes}, {"code": "text"})
    new = [c for (c,) in con.execute("SELECT code FROM upn_asked ANTI JOIN map_upn USING (code)").fetchall()]
    states = check_upns(new)
    good = np.flatnonzero(states == 0)
    found: list[int | None] = [None] * len(new)
    # Without a key pupils are only told apart.
    numbers = pseudonyms((new[i] for i in good), key) if key else [-1 - int(i) for i in good]
    for place, value in zip(good.tolist(), numbers, strict=True):
        found[place] = value
    put(con, "upn_new", {"code": new, "state": states.tolist(), "pseudonym": found},
        {"code": "text", "state": "tiny", "pseudonym": "long"})  # fmt: skip
    con.execute("INSERT INTO map_upn SELECT code, state, pseudonym FROM upn_new")


class Marks:
    """Marks of several sources, with what their dates, sessions, codes and schools mean.

    Tables in the connection, for source n: ``day_n`` (raw, day, session), ``session_n`` (raw, session), ``code_n`` (raw,
    code), ``school_n`` (raw, laestab, la_code, breaks) and ``mark_n``, what each combination of them counts as. A
    value that cannot be used is not in ``mark_n``. Then ``pupil_marks``: one row for each pupil, school and ``unit``, the
    number of a half term in ``units``.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, sources: Sequence[MarkSource], key: bytes | None) -> None:
        self.con, self.sources, self.key = con, sources, key
        self.years: list[int] = []
        self.findings: list[Finding] = []
        self.breaks: dict[int, Breaks] = {}

    @property
    def units(self) -> list[tuple[int, str, str]]:
        """Return academic year, term and half term by unit number."""
        return [(y, HALF_TERM_TERMS[h], h) for y in self.years for h in ("1", "2", "3", "4", "5", "6")]

    def all(self, sql: str) -> list[tuple]:
        """Return the rows of a query."""
        return self.con.execute(sql).fetchall()

    # -- what marks count as --

    def make_mark_tables(self) -> None:
        """Make ``mark_n`` of every source from its days, sessions, codes and schools."""
        days: set[date] = set()
        for source in self.sources:
            days |= {day for (day,) in self.all(f"SELECT DISTINCT day FROM day_{source.number} WHERE day IS NOT NULL")}
        self.years = sorted({academic_year_of(day) for day in days})
        patterns = self._number_breaks()
        self._make_calendar(sorted(days), patterns)
        self._make_meanings(sorted(days))
        for source in self.sources:
            self._make_marks(source.number)

    def _number_breaks(self) -> list[tuple[tuple[int, date, date], ...]]:
        """Give schools with the same breaks the same number, and return the breaks by number."""
        usual: Breaks = {}
        for year in self.years:
            starts = half_term_starts(year)
            usual[year] = (starts[1], starts[3])
        own = self.all(
            " UNION ALL ".join(
                f"SELECT k.laestab, d.day, sum(x.marks) FROM school_day_{s.number} x JOIN school_{s.number} k"
                f" ON k.raw = x.school JOIN day_{s.number} d ON d.raw = x.d WHERE d.day IS NOT NULL AND"
                " k.laestab IS NOT NULL AND x.marks > 0 GROUP BY ALL"
                for s in self.sources
            )
        )
        taught: dict[int, dict[date, int]] = {}
        for laestab, day, count in own:
            at = taught.setdefault(laestab, {})
            at[day] = at.get(day, 0) + int(count)
        self.taught = taught
        numbers: dict[tuple, int] = {}
        of_school = {}
        for laestab in sorted(taught):
            found = {**usual, **find_breaks(taught[laestab])}
            self.breaks[laestab] = found
            pattern = tuple((year, *found[year]) for year in self.years)
            of_school[laestab] = numbers.setdefault(pattern, len(numbers))
        put(self.con, "school_breaks", {"laestab": list(of_school), "breaks": list(of_school.values())},
            {"laestab": "int", "breaks": "int"})  # fmt: skip
        return list(numbers) or [tuple((year, *usual[year]) for year in self.years)]

    def _make_calendar(self, days: list[date], patterns: list[tuple[tuple[int, date, date], ...]]) -> None:
        rows: dict[str, list] = {"breaks": [], "day": [], "unit": [], "bit": []}
        for number, pattern in enumerate(patterns):
            starts = {}
            for year, autumn, spring in pattern:
                first = half_term_starts(year)
                starts[year] = (first[0], autumn, first[2], spring, first[4], first[5])
            for day in days:
                year = academic_year_of(day)
                half = sum(day >= start for start in starts[year]) - 1
                # Weekdays in a row have different numbers below 64, and no half term has more of them.
                weekday = (day.toordinal() - 1) // 7 * 5 + min(day.weekday(), 4)
                rows["breaks"].append(number)
                rows["day"].append(day)
                rows["unit"].append(self.years.index(year) * 6 + half)
                rows["bit"].append(1 << (weekday % 64))
        put(self.con, "mark_calendar", rows, {"breaks": "int", "day": "day", "unit": "int", "bit": "bits"})

    def _make_meanings(self, days: list[date]) -> None:
        """Make ``meaning``: what each code counts as on each day."""
        codes: set[str] = set()
        for source in self.sources:
            codes |= {c for (c,) in self.all(f"SELECT DISTINCT code FROM code_{source.number} WHERE code IS NOT NULL")}
        names = ("day", "code", "outcome", "fault", "is_old", "w0", "w1", "w2")
        rows: dict[str, list] = {name: [] for name in names}
        for day in days:
            for code in codes:
                read = read_mark(code, day)
                weights = [0, 0, 0]
                fault = NEW_CODE if read.fault else USED
                if not fault and day.weekday() > 4 and read.outcome not in ("blank", "none"):
                    fault = WEEKEND
                if not fault:
                    place, counter = COUNTERS.get(read.outcome, (0, None))
                    weights[place] = 0 if counter is None else 1 << (9 * counter)
                for name, value in zip(names, (day, code, read.outcome, fault, read.is_old, *weights), strict=True):
                    rows[name].append(value)
        put(self.con, "meaning", rows, {"day": "day", "code": "text", "outcome": "text", "fault": "tiny", "is_old": "flag",
                                        "w0": "long", "w1": "long", "w2": "long"})  # fmt: skip

    def _make_marks(self, n: int) -> None:
        con = self.con
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE school_{n} AS
            SELECT raw, laestab, la_code, coalesce(b.breaks, 0) AS breaks
            FROM school_{n} LEFT JOIN school_breaks b USING (laestab)
            """
        )
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE mark_{n} AS
            SELECT k.breaks, d.raw AS d, s.raw AS s, c.raw AS c, c.code, d.day, coalesce(d.session, s.session) AS session,
                   k.unit::SMALLINT AS unit, m.w0, m.w1, m.w2, m.fault, m.outcome,
                   CASE WHEN m.outcome = 'blank' THEN true END AS blank,
                   CASE WHEN m.fault = 0 AND m.outcome <> 'blank' AND coalesce(d.session, s.session) = 'AM'
                        THEN k.bit ELSE 0::UBIGINT END AS am,
                   CASE WHEN m.fault = 0 AND m.outcome <> 'blank' AND coalesce(d.session, s.session) = 'PM'
                        THEN k.bit ELSE 0::UBIGINT END AS pm
            FROM day_{n} d CROSS JOIN session_{n} s CROSS JOIN code_{n} c
            JOIN mark_calendar k ON k.day = d.day
            JOIN meaning m ON m.day = d.day AND m.code = c.code
            WHERE coalesce(d.session, s.session) IS NOT NULL
            """
        )

    # -- the heavy step --

    def add_up(self) -> None:
        """Make ``pupil_marks``."""
        con = self.con
        con.execute(
            "CREATE OR REPLACE TEMP TABLE mark_groups (source INTEGER, upn VARCHAR, school VARCHAR, unit SMALLINT,"
            " marks BIGINT, known BIGINT, blank BIGINT, worst TINYINT, w0 BIGINT, w1 BIGINT, w2 BIGINT, am UBIGINT, pm UBIGINT)"
        )
        for source in self.sources:
            self._group(source)
        self._map_upns()
        counters = ", ".join(
            f"sum((g.w{place} >> {9 * counter}) & {_MOST})::INTEGER AS n_{name}"
            for name, (place, counter) in COUNTERS.items()
        )
        schools = " UNION ALL ".join(
            f"SELECT {s.number} AS source, raw::VARCHAR AS school, laestab FROM school_{s.number}" for s in self.sources
        )
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE pupil_marks AS
            SELECT u.pseudonym AS upn, k.laestab, g.unit, sum(g.marks - g.blank)::BIGINT AS marks, {counters},
                   bit_or(g.am) AS am, bit_or(g.pm) AS pm
            FROM mark_groups g JOIN map_upn u ON u.code = upper(trim(g.upn)) AND u.state = 0
            JOIN ({schools}) k ON k.source = g.source AND k.school = g.school AND k.laestab IS NOT NULL
            WHERE g.unit IS NOT NULL GROUP BY ALL
            """
        )

    def _group(self, source: MarkSource) -> None:
        n = source.number
        several = self.all("SELECT count(DISTINCT breaks) FROM mark_calendar")[0][0] > 1
        join = f"LEFT JOIN school_{n} k ON k.raw = v.school" if several else ""
        also = "AND m.breaks = k.breaks" if several else ""
        # The order of rows means nothing here, and keeping it would cost memory.
        self.con.execute("SET preserve_insertion_order = false")
        self.con.execute(
            f"""
            INSERT INTO mark_groups
            SELECT {n}, v.upn, v.school::VARCHAR, m.unit, count(*), count(m.fault), count(m.blank), max(m.fault),
                   TRY_CAST(sum(m.w0) AS BIGINT), TRY_CAST(sum(m.w1) AS BIGINT), TRY_CAST(sum(m.w2) AS BIGINT),
                   bit_or(m.am), bit_or(m.pm)
            FROM {source.view} v {join} LEFT JOIN mark_{n} m ON m.d = v.d AND m.s = v.s AND m.c = v.code {also}
            GROUP BY v.upn, v.school, m.unit
            """
        )
        self.con.execute("SET preserve_insertion_order = true")

    def _map_upns(self) -> None:
        rows = self.all("SELECT DISTINCT upper(trim(upn)) FROM mark_groups")
        map_upns(self.con, [code for (code,) in rows], self.key)

    # -- sessions marked twice --

    def settle_repeats(self) -> tuple[int, int]:
        """Look at pupils with more marks than sessions one by one; return sessions repeated alike, and in conflict.

        Marks that agree count once. Marks that differ are none of them used: their rows are in ``conflicts``.
        """
        con = self.con
        counted = " + ".join(f"n_{name}" for name in COUNTERS)
        con.execute(
            "CREATE OR REPLACE TEMP TABLE repeated_units AS SELECT upn, laestab, unit FROM pupil_marks"
            f" WHERE marks > {_MOST} OR n_none IS NULL OR {counted} > bit_count(am) + bit_count(pm)"
        )
        con.execute("CREATE OR REPLACE TEMP TABLE conflicts (source INTEGER, rid BIGINT, d VARCHAR, laestab INTEGER)")
        if not self.all("SELECT count(*) FROM repeated_units")[0][0]:
            return 0, 0
        con.execute(
            "CREATE OR REPLACE TEMP TABLE repeated_marks AS "
            + self._single_marks(
                "JOIN repeated_units r ON r.upn = u.pseudonym AND r.laestab = k.laestab AND r.unit = m.unit"
            )
        )
        # Present in the morning and in the afternoon are two signs for the same.
        con.execute(
            """
            CREATE OR REPLACE TEMP TABLE repeated_sessions AS
            SELECT upn, laestab, unit, day, session, count(*) AS marks, any_value(am) AS am, any_value(pm) AS pm,
                   count(DISTINCT replace(code, '\\', '/')) AS kinds, min(code) AS code, any_value(w0) AS w0,
                   any_value(w1) AS w1, any_value(w2) AS w2
            FROM repeated_marks GROUP BY ALL
            """
        )
        con.execute(
            """
            INSERT INTO conflicts SELECT m.source, m.rid, m.d, m.laestab FROM repeated_marks m
            JOIN repeated_sessions s USING (upn, laestab, unit, day, session) WHERE s.kinds > 1
            """
        )
        counters = ", ".join(
            f"coalesce(sum((w{place} >> {9 * counter}) & {_MOST}) FILTER (kinds = 1), 0)::INTEGER AS n_{name}"
            for name, (place, counter) in COUNTERS.items()
        )
        con.execute("DELETE FROM pupil_marks USING repeated_units r WHERE pupil_marks.upn = r.upn"
                    " AND pupil_marks.laestab = r.laestab AND pupil_marks.unit = r.unit")  # fmt: skip
        con.execute(
            f"INSERT INTO pupil_marks SELECT upn, laestab, unit, sum(marks)::BIGINT, {counters}, bit_or(am), bit_or(pm)"
            " FROM repeated_sessions GROUP BY upn, laestab, unit"
        )
        alike, differing = self.all(
            "SELECT coalesce(sum(marks - 1) FILTER (kinds = 1), 0), count(*) FILTER (kinds > 1) FROM repeated_sessions"
        )[0]
        return int(alike), int(differing)

    def _single_marks(self, narrowed: str) -> str:
        """Return SQL for single usable marks of some pupils."""
        parts = []
        for source in self.sources:
            n = source.number
            parts.append(
                f"""
                SELECT {n} AS source, v.rid, v.d::VARCHAR AS d, u.pseudonym AS upn, k.laestab, m.unit, m.day, m.session,
                       m.code, m.outcome, m.w0, m.w1, m.w2, m.am, m.pm
                FROM {source.view} v JOIN map_upn u ON u.code = upper(trim(v.upn)) AND u.state = 0
                JOIN school_{n} k ON k.raw = v.school AND k.laestab IS NOT NULL
                JOIN mark_{n} m ON m.d = v.d AND m.s = v.s AND m.c = v.code AND m.breaks = k.breaks
                     AND m.fault = 0 AND m.outcome <> 'blank'
                {narrowed}
                """
            )
        return " UNION ALL ".join(parts)

    def at_two_schools(self) -> tuple[int, int]:
        """Return the sessions that are possible at two schools for one pupil, and the pupils that have some."""
        con = self.con
        con.execute(
            """
            CREATE OR REPLACE TEMP TABLE moved AS
            SELECT upn, unit FROM pupil_marks GROUP BY ALL
            HAVING sum(bit_count(am) + bit_count(pm)) > bit_count(bit_or(am)) + bit_count(bit_or(pm))
            """
        )
        if not self.all("SELECT count(*) FROM moved")[0][0]:
            return 0, 0
        marks = self._single_marks("JOIN moved r ON r.upn = u.pseudonym AND r.unit = m.unit")
        row = self.all(
            f"SELECT count(*), count(DISTINCT upn) FROM (SELECT upn, day, session FROM ({marks})"
            " WHERE outcome <> 'none' GROUP BY ALL HAVING count(DISTINCT laestab) > 1)"
        )[0]
        return int(row[0]), int(row[1])
