"""Checks across returns, terms and schools: is what was received as a whole plausible?

They work on the sessions all returns of a call have been reduced to, together with those a store already has, so a
problem is found whether the terms come in one call or in several. A finding names schools by LAESTAB and never a pupil;
it is a warning, and nothing is set aside for it.

Modules: ``across`` (what the checks share), ``sessions`` (possible sessions, steps, copies) and ``rolls`` (schools and
pupils received, expected and lost).
"""

# Column names in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from attendance_toolkit.loaders.plausibility.across import gather
from attendance_toolkit.loaders.plausibility.rolls import (
    check_missing_terms,
    check_not_received,
    check_roll_list,
    check_roll_steps,
    check_unmatched,
)
from attendance_toolkit.loaders.plausibility.sessions import (
    check_area_copies,
    check_calendar_area,
    check_calendar_year,
    check_copies,
    check_steps,
)
from attendance_toolkit.schema.coverage import SOURCE_COLUMNS, Coverage, area_coverage
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.store.store import MANIFEST, Store

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_plausibility", "earlier_terms"]

_CHECKS = (
    check_calendar_area,
    check_calendar_year,
    check_roll_list,
    check_roll_steps,
    check_steps,
    check_copies,
    check_area_copies,
    check_missing_terms,
    check_not_received,
    check_unmatched,
)


def check_plausibility(
    con: duckdb.DuckDBPyConnection,
    *,
    schools: pd.DataFrame | None = None,
    earlier: duckdb.DuckDBPyRelation | None = None,
    file: str = "all files",
) -> tuple[list[Finding], Coverage]:
    """Check what all returns of a call, and the store they go into, say together.

    Parameters
    ----------
    con
        Connection with the working tables ``session_parts`` and ``record_parts``.
    schools
        A list of schools (``Store.schools``): what is expected, and rolls. None or empty: no list is known.
    earlier
        PUPIL_TERM rows a store has, as a relation on ``con`` (``earlier_terms``); rows of a school and half term that
        is in ``session_parts`` are about to be replaced and are left out.
    file
        What findings name as their file, such as "12 files".

    Returns
    -------
    The findings, and what was received of what was expected.
    """
    across = gather(con, schools, earlier, file)
    if across.terms.empty:
        return [], Coverage.empty()
    for check in _CHECKS:
        check(across)
    return across.findings, Coverage(
        area_coverage(across.terms, across.expected), across.unmatched, across.marks_frame()
    )  # fmt: skip


def earlier_terms(con: duckdb.DuckDBPyConnection, root: Path) -> duckdb.DuckDBPyRelation | None:
    """Return the rows of a store as a relation on a connection, or None where there is no store yet.

    Beside SOURCE_COLUMNS there is ``is_census``: a register loaded after a census does not take the census's place.

    Raises
    ------
    StoreError
        The store is damaged or of another version.
    """
    if not (root / MANIFEST).is_file():
        return None
    store = Store.open(root)
    try:
        if not store.la_codes():
            return None
        every = store.pupil_terms(columns=SOURCE_COLUMNS).sql_query()
        if "census" not in store.collections():
            return con.sql(f"SELECT *, false AS is_census FROM ({every})")
        census = store.pupil_terms(columns=SOURCE_COLUMNS, collection="census").sql_query()
        return con.sql(
            f"""
            WITH of_census AS ({census})
            SELECT *, true AS is_census FROM of_census UNION ALL
            SELECT *, false FROM ({every}) ANTI JOIN (SELECT DISTINCT laestab, academic_year, term FROM of_census)
                USING (laestab, academic_year, term)
            """
        )
    finally:
        store.close()
