"""Checks across returns, terms and schools: is what was received as a whole plausible?

They work on the sessions all returns of a call have been reduced to, together with those a store already has, so a
problem is found whether the terms come in one call or in several. A finding names schools by LAESTAB and never a pupil;
it is a warning, and nothing is set aside for it.

Modules: ``across`` (what the checks share), ``sessions`` (possible sessions, steps, copies) and ``rolls`` (schools and
pupils received, expected and lost).
"""

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

    Raises
    ------
    StoreError
        The store is damaged or of another version.
    """
    if not (root / MANIFEST).is_file():
        return None
    store = Store.open(root)
    try:
        return con.sql(store.pupil_terms(columns=SOURCE_COLUMNS).sql_query()) if store.la_codes() else None
    finally:
        store.close()
