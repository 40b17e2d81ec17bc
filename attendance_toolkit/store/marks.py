"""Single marks of registers in a store: put in the place of those of the same half term of a school."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from attendance_toolkit.store._files import copy, parquet
from attendance_toolkit.store.parts import MARK_COLUMNS
from attendance_toolkit.store.store import mark_file
from attendance_toolkit.vocabulary.register_codes import all_register_codes

_SORTED = ("upn", "laestab", "half_term", "day", "session", "code")
#: Order of the rows, so that the same marks are the same bytes, and those of a pupil lie together.
_ORDER = "laestab, upn, day, session"


def hand_over_marks(con: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    """Give a connection the single marks of a load: ``mark_parts``, a view of Parquet files of MARK_COLUMNS."""
    con.execute(f"CREATE OR REPLACE TEMP VIEW mark_parts AS SELECT {', '.join(MARK_COLUMNS)} FROM {parquet(files)}")


def merge_marks(con: duckdb.DuckDBPyConnection, root: Path, prepared: Path) -> None:
    """Write the load's marks of registers, and the store's own of half terms that this load does not bring.

    The scope is that of the register's sums (``collected_scopes``), so that sums and marks stay the same.
    """
    places = con.execute(
        "SELECT DISTINCT la_code, academic_year FROM collected_parts WHERE collection = 'register' ORDER BY ALL"
    ).fetchall()
    if not places or not _is_given(con):
        return
    names = ", ".join(_SORTED)
    scopes = "(SELECT academic_year, half_term, laestab FROM collected_scopes WHERE collection = 'register')"
    for la, year in places:
        sql = f"SELECT {names} FROM mark_parts WHERE la_code = '{la}' AND academic_year = {year}"
        old = root / mark_file(la, year)
        if old.is_file():
            sql += (
                f" UNION ALL SELECT {names} FROM {parquet([old])}"
                f" ANTI JOIN {scopes} USING (academic_year, half_term, laestab)"
            )
        copy(con, _in_order(sql, la, year), prepared / mark_file(la, year))


def _in_order(sql: str, la: str, year: int) -> str:
    """Return SQL for marks of one authority's year in their order.

    Rows are made narrow before they are sorted (one byte for a code, no text): that halves the time and the memory.
    """
    codes = ", ".join(f"'{code}'" for code in sorted({row.code for row in all_register_codes()}))
    narrow = {
        "upn": "upn",
        "laestab": "laestab",
        "half_term": "half_term::UTINYINT",
        "day": "day",
        "session": "session = 'PM'",
        "code": f"code::ENUM ({codes})",
    }
    wide = {
        "la_code": f"'{la}'",
        "academic_year": f"{year}::INTEGER",
        "half_term": "half_term::VARCHAR",
        "session": "CASE WHEN session THEN 'PM' ELSE 'AM' END",
        "code": "code::VARCHAR",
    }
    inner = ", ".join(f"{cell} AS {name}" for name, cell in narrow.items())
    outer = ", ".join(f"{wide.get(name, name)} AS {name}" for name in MARK_COLUMNS)
    return f"SELECT {outer} FROM (SELECT {inner} FROM ({sql}) ORDER BY {_ORDER})"


def _is_given(con: duckdb.DuckDBPyConnection) -> bool:
    sql = "SELECT count(*) FROM duckdb_views() WHERE view_name = 'mark_parts'"
    return bool(con.execute(sql).fetchall()[0][0])
