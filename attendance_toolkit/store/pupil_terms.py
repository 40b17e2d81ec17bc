"""Make PUPIL_TERM of a store anew where a load changes it, one collection of sessions at a time."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from attendance_toolkit.store._files import copy, link_tree, parquet, parquet_with, view
from attendance_toolkit.store.parts import COLLECTIONS, FLAG_COLUMNS, RECORD_COLUMNS, SESSION_COLUMNS
from attendance_toolkit.store.resolve import resolve
from attendance_toolkit.store.store import _partition, place_of

Place = tuple[str, int, str]


def merge_pupil_terms(con: duckdb.DuckDBPyConnection, root: Path, prepared: Path, manifest: dict) -> list[dict]:
    """Make PUPIL_TERM again wherever a pupil of this load has rows, so that the order of loads does not matter."""
    link_tree(root / "pupil_term", prepared / "pupil_term")
    found = {place_of(p): p for p in manifest["partitions"]}
    records = sorted((prepared / "parts" / "records").rglob("part.parquet"))
    view(con, "all_records", records, RECORD_COLUMNS)
    flags = sorted((prepared / "parts" / "flags").rglob("part.parquet"))
    con.execute(f"CREATE OR REPLACE TEMP VIEW all_flags AS {parquet_with(flags, FLAG_COLUMNS)}")
    _make_known_schools(con, prepared)
    touched = _touched(con, root, found)
    has_census = False
    # The census first: what it says of schools and ages serves the other collections.
    for place in sorted(touched, key=lambda p: (COLLECTIONS.index(p[2]), p)):
        la, year, collection = place
        start = year // 100
        describing = {
            f"census={n}"
            for n in (f"{start}-autumn", f"{start + 1}-spring", f"{start + 1}-summer", f"{start + 1}-autumn")
        } | {f"census={start}-{name}" for name in COLLECTIONS[1:]}
        view(con, "year_describing", [f for f in records if f.parent.parent.name in describing], RECORD_COLUMNS)
        old = parquet([root / _partition(*place)]) if place in found else None
        if collection == "census":
            sql = _census_sessions(la, year, old)
        else:
            census = [prepared / _partition(*p) for p in sorted(found) if p[2] == "census"]
            if census and not has_census:
                _add_census_schools(con, census)
                has_census = True
            sql = _collected_sessions(con, place, old, census)
        con.execute(f"CREATE OR REPLACE TEMP VIEW year_sessions AS {sql}")
        resolved = resolve(
            con, year, sessions="year_sessions", records="year_describing", all_records="all_records",
            flags="all_flags", schools="known_schools", age_of_year_group=collection != "census",
        )  # fmt: skip
        target = prepared / _partition(*place)
        rows = copy(con, resolved, target)
        if rows:
            found[place] = {"la_code": la, "academic_year": year, "collection": collection, "rows": rows,
                            "bytes": target.stat().st_size}  # fmt: skip
        else:
            found.pop(place, None)
            target.unlink()
    return [found[place] for place in sorted(found)]


def _make_known_schools(con: duckdb.DuckDBPyConnection, prepared: Path) -> None:
    """Make ``known_schools``: the phase and URN of each LAESTAB, of the school that is open or opened last under it."""
    from attendance_toolkit.store.schools import read_school_rows, settle_schools  # here: it loads pandas

    listed = settle_schools(read_school_rows(prepared))
    listed = listed[listed["laestab"].notna()].drop_duplicates("laestab")
    con.register("incoming", pa.Table.from_pandas(listed[["laestab", "urn", "phase"]], preserve_index=False))
    con.execute(
        "CREATE OR REPLACE TEMP TABLE known_schools AS"
        " SELECT laestab::INTEGER AS laestab, urn::INTEGER AS urn, nullif(phase, 'Unknown') AS phase FROM incoming"
    )
    con.unregister("incoming")


def _add_census_schools(con: duckdb.DuckDBPyConnection, census: list[Path]) -> None:
    """Add to ``known_schools`` what census rows say and no list does: a store of version 1 kept no schools of returns."""
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE known_schools AS
        SELECT laestab, coalesce(k.urn, c.urn) AS urn, coalesce(k.phase, c.phase) AS phase
        FROM known_schools k FULL JOIN (
            SELECT laestab, arg_max(urn, academic_year) AS urn, arg_max(phase, academic_year) AS phase
            FROM {parquet(census)} WHERE phase <> 'Unknown' GROUP BY laestab
        ) c USING (laestab)
        """
    )


def _touched(con: duckdb.DuckDBPyConnection, root: Path, found: dict[Place, dict]) -> set[Place]:
    """Return the partitions with new sessions, or with a pupil or school of this load, or a school known only now."""
    touched: set[Place] = {
        (la, year, "census")
        for la, year in con.execute("SELECT DISTINCT la_code, academic_year FROM session_parts").fetchall()
    }
    touched |= set(con.execute("SELECT DISTINCT la_code, academic_year, collection FROM collected_parts").fetchall())
    for collection in {place[2] for place in found}:
        files = parquet(root / _partition(*place) for place in sorted(found) if place[2] == collection)
        scopes = f"(SELECT * FROM collected_scopes WHERE collection = '{collection}')"
        rows = con.execute(
            f"""
            SELECT DISTINCT la_code, academic_year FROM {files}
            SEMI JOIN (SELECT upn FROM record_parts UNION SELECT upn FROM flag_parts UNION SELECT upn FROM gone)
                USING (upn)
            UNION
            SELECT DISTINCT la_code, academic_year FROM {files} s JOIN known_schools k USING (laestab)
            WHERE s.phase = 'Unknown' AND k.phase IS NOT NULL OR s.urn IS NULL AND k.urn IS NOT NULL
            UNION
            SELECT DISTINCT la_code, academic_year FROM {files}
            SEMI JOIN {
                "replaced USING (academic_year, half_term, laestab)"
                if collection == "census"
                else scopes + " USING (academic_year, laestab)"
            }
            """
        ).fetchall()
        touched |= {(la, year, collection) for la, year in rows}
    return touched


def _census_sessions(la: str, year: int, old: str | None) -> str:
    columns = ", ".join(SESSION_COLUMNS)
    sql = f"SELECT {columns} FROM session_parts WHERE la_code = '{la}' AND academic_year = {year}"
    if old:
        sql += f" UNION ALL SELECT {columns} FROM {old} ANTI JOIN replaced USING (academic_year, half_term, laestab)"
    return sql


def _collected_sessions(con: duckdb.DuckDBPyConnection, place: Place, old: str | None, census: list[Path]) -> str:
    """Return SQL for sessions from elsewhere than the census, with the ages that the census gives."""
    la, year, collection = place
    columns = ", ".join(SESSION_COLUMNS)
    sql = (
        f"SELECT {columns} FROM collected_parts"
        f" WHERE la_code = '{la}' AND academic_year = {year} AND collection = '{collection}'"
    )
    if old:
        scopes = f"SELECT * FROM collected_scopes WHERE collection = '{collection}'"
        sql += (
            f" UNION ALL SELECT {columns} FROM {old}"
            f" ANTI JOIN ({scopes} AND upn IS NULL) USING (academic_year, half_term, laestab)"
            f" ANTI JOIN ({scopes} AND upn IS NOT NULL) USING (academic_year, laestab, upn)"
        )
    if not census:
        return sql
    files = parquet(census)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE census_ages AS SELECT upn, max(academic_year // 100 - age) AS born FROM {files}"
        f" SEMI JOIN ({sql}) USING (upn) GROUP BY 1"
    )
    return (
        f"SELECT s.* REPLACE (coalesce(s.age, {year // 100} - a.born)::SMALLINT AS age) FROM ({sql}) s"
        " LEFT JOIN census_ages a ON a.upn = s.upn"
    )


def wholly_replaced(con: duckdb.DuckDBPyConnection, root: Path, manifest: dict) -> dict[str, set[int]]:
    """Return collection -> schools of which a load replaces every half term that the store has.

    Older files, and rows they had set aside, no longer say anything about such a school.
    """
    found: dict[str, set[int]] = {}
    for collection in COLLECTIONS[1:]:
        places = [p for p in map(place_of, manifest["partitions"]) if p[2] == collection]
        if not places:
            continue
        files = parquet(root / _partition(*place) for place in places)
        rows = con.execute(
            f"""
            SELECT laestab FROM (SELECT DISTINCT laestab, academic_year, half_term FROM {files}) o
            LEFT JOIN (SELECT DISTINCT laestab, academic_year, half_term, true AS anew FROM collected_scopes
                       WHERE collection = '{collection}' AND upn IS NULL) s USING (laestab, academic_year, half_term)
            GROUP BY laestab HAVING bool_and(coalesce(anew, false))
            """
        ).fetchall()
        found[collection] = {laestab for (laestab,) in rows}
    return found
