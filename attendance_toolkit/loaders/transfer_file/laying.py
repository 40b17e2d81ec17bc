"""Lay strings of marks over the days from their start."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

import duckdb

from attendance_toolkit.loaders.register_marks.marks import put
from attendance_toolkit.loaders.register_marks.meanings import read_code


class TransferMarks:
    """The marks of all files as one source for ``Marks``."""

    number = 900_000
    view = "marks_900000"


def lay_marks(con: duckdb.DuckDBPyConnection) -> None:
    """Make the view of marks, and what they mean, from ``transfer_kept``: a row for each character of a string."""
    n = TransferMarks.number
    con.execute(
        f"""
        CREATE OR REPLACE TEMP VIEW {TransferMarks.view} AS
        SELECT upn, laestab AS school, rid,
               CASE WHEN weekly = 14 THEN start + (i // 2)::INTEGER
                    -- Weekdays only: five days on is a week on. A start at a weekend means the Monday after it.
                    ELSE first + (((i // 2) + isodow(first) - 1) // 5 * 7
                                  + ((i // 2) + isodow(first) - 1) % 5 - isodow(first) + 1)::INTEGER END AS d,
               ['AM', 'PM'][i % 2 + 1] AS s, trim(substr(marks, i + 1, 1)) AS code
        FROM (SELECT *, start + greatest(8 - isodow(start), 0)::INTEGER * (isodow(start) > 5)::INTEGER AS first,
                     unnest(range(length(marks))) AS i FROM transfer_kept WHERE marks <> '')
        """
    )
    rows = con.execute(f"SELECT code, count(*) FROM {TransferMarks.view} GROUP BY 1").fetchall()
    codes = [read_code("-" if raw == "*" else raw) for raw, _ in rows]
    put(con, f"code_{n}", {"raw": [r for r, _ in rows], "code": codes,
                           "is_mark": [c not in (None, "", "-", "#", "Z") for c in codes]},
        {"raw": "text", "code": "text", "is_mark": "flag"})  # fmt: skip
    put(con, f"session_{n}", {"raw": ["AM", "PM"], "session": ["AM", "PM"]}, {"raw": "text", "session": "text"})
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE school_day_{n} AS SELECT v.school, v.d,"
        f" count(*) FILTER (c.is_mark) AS marks FROM {TransferMarks.view} v JOIN code_{n} c ON c.raw = v.code GROUP BY ALL"
    )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE day_{n} AS SELECT DISTINCT d AS raw, d AS day, NULL::VARCHAR AS session"
        f" FROM school_day_{n}"
    )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE school_{n} AS SELECT DISTINCT laestab AS raw, laestab, la_code FROM transfer_kept"
    )
