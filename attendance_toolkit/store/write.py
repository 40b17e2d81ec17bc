"""Write a load into a store: everything is prepared beside it, then exchanged at once, or not at all."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from attendance_toolkit.errors import StoreError
from attendance_toolkit.schema.census import Census
from attendance_toolkit.store.parts import FLAG_COLUMNS, RECORD_COLUMNS, SESSION_COLUMNS
from attendance_toolkit.store.quarantine import NOTE, AsideFile, merge_quarantine
from attendance_toolkit.store.resolve import resolve
from attendance_toolkit.store.store import (
    CONTENTS,
    FORMAT,
    LOCK,
    MANIFEST,
    PREPARED,
    PREVIOUS,
    Store,
    _partition,
    recover,
)


def check_place(root: Path) -> None:
    """Make sure that a store can lie where it is wanted, before anything is read for it.

    Raises
    ------
    StoreError
        There is a file in its place, or where one of its folders would have to be.
    """
    for path in (root, *root.absolute().parents):
        if path.exists():
            if not path.is_dir():
                raise StoreError(f"'{path.name}' is a file, not a folder for a store. Name an empty or new folder.")
            return


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Keep two loads from writing into one store at the same time.

    Raises
    ------
    StoreError
        Another load holds the store.
    """
    check_place(root)
    made = not root.exists()
    lock = root / LOCK
    try:
        root.mkdir(parents=True, exist_ok=True)
        os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise StoreError(
            f"Another load is writing into '{root.name}'. If none is running, delete the file {LOCK} in it and try"
            " again."
        ) from None
    except OSError as error:
        raise StoreError(f"The store '{root.name}' cannot be written ({error.strerror}). Check your access.") from None
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        if made and not any(root.iterdir()):
            root.rmdir()


def manifest_for(root: Path, *, key: str, is_synthetic: bool | None) -> dict:
    """Return the manifest to build on: the store's own, or an empty one for a new store.

    Raises
    ------
    StoreError
        The folder holds something else, the store was made with another key, or real and synthetic rows
        would be mixed.
    """
    if root.is_dir():
        recover(root)
    if not (root / MANIFEST).exists():
        if root.exists() and not root.is_dir():
            raise StoreError(f"'{root.name}' is a file, not a folder for a store.")
        if root.is_dir() and any(p.name not in (LOCK, PREPARED) for p in root.iterdir()):
            raise StoreError(f"'{root.name}' holds other files and is not a store. Name an empty or new folder.")
        return {"version": FORMAT, "is_synthetic": bool(is_synthetic), "key_id": key, "loads": [], "partitions": []}
    manifest = Store.open(root).manifest
    if manifest["key_id"] != key:
        raise StoreError(
            f"The store '{root.name}' was made with another key, so its pupils could not be linked."
            " Give the key file it was made with."
        )
    if is_synthetic is not None and bool(manifest["is_synthetic"]) != is_synthetic:
        there, new = ("synthetic", "real") if manifest["is_synthetic"] else ("real", "synthetic")
        raise StoreError(f"The store '{root.name}' holds {there} pupils; {new} ones need a store of their own.")
    return manifest


def write_load(
    con: duckdb.DuckDBPyConnection,
    root: Path,
    manifest: dict,
    *,
    replaced: dict[Census, set[int]],
    loads: list[dict],
    aside: Sequence[AsideFile],
) -> dict:
    """Merge the working tables of a load into the store and return the new manifest.

    Parameters
    ----------
    con
        Connection with ``session_parts``, ``record_parts`` and ``flag_parts``.
    replaced
        Census -> schools (LAESTAB) whose rows are replaced by this load.
    loads
        One entry for each file, for the manifest.
    aside
        Files of rows set aside, for the restricted folder.
    """
    prepared = root / PREPARED
    shutil.rmtree(prepared, ignore_errors=True)
    prepared.mkdir()
    schools = {census.name: found for census, found in replaced.items()}
    try:
        _note_replaced(con, replaced)
        _merge_records(con, root, prepared, schools)
        _merge_flags(con, root, prepared)
        merged = _merge_loads(manifest["loads"], loads, schools)
        names = {_place(entry) for entry in loads}
        rows = merge_quarantine(
            root, prepared, new=aside, surviving={_place(e) for e in merged} - names, replaced=schools
        )
        partitions = _merge_pupil_terms(con, root, prepared, manifest)
        quarantine = {"rows": rows, "note": NOTE}
        new = {**manifest, "partitions": partitions, "loads": merged, "quarantine": quarantine}
        text = json.dumps(new, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        (prepared / MANIFEST).write_text(text, encoding="utf-8")
        _exchange(root, prepared)
    except (duckdb.Error, OSError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise StoreError(
            f"The store '{root.name}' could not be written ({reason}); it is as it was before. Check the space on its"
            " disk and your access."
        ) from error
    finally:
        shutil.rmtree(prepared, ignore_errors=True)
    return new


# ---- records and flags -------------------------------------------------------------------------------


def _parquet(paths: Iterable[Path]) -> str:
    listed = ", ".join("'" + str(p).replace("'", "''") + "'" for p in paths)
    return f"read_parquet([{listed}], hive_partitioning = false)"


def _copy(con: duckdb.DuckDBPyConnection, sql: str, target: Path) -> int:
    """Write a query to a Parquet file and return its rows; never into a file linked from the old store."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    path = str(target).replace("'", "''")
    done = con.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 245760)")
    return int(done.fetchall()[0][0])


def _link_tree(source: Path, target: Path) -> None:
    """Repeat a folder with hard links, which cost nothing; copy where links are not possible."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.rglob("*")) if source.is_dir() else ():
        there = target / path.relative_to(source)
        if path.is_dir():
            there.mkdir(parents=True, exist_ok=True)
            continue
        try:
            os.link(path, there)
        except OSError:
            shutil.copy2(path, there)


def _note_replaced(con: duckdb.DuckDBPyConnection, replaced: dict[Census, set[int]]) -> None:
    """Make ``replaced``: the schools and half terms whose sessions come anew."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE replaced"
        " (census VARCHAR, academic_year INTEGER, half_term VARCHAR, laestab INTEGER)"
    )
    for census, schools in replaced.items():
        rows = [(census.name, c.academic_year, c.half_term, s) for c in census.carries for s in sorted(schools)]
        columns = (
            {n: pa.array(v) for n, v in zip(("a", "b", "c", "d"), zip(*rows, strict=True), strict=True)} if rows else {}
        )
        if columns:
            con.register("incoming", pa.table(columns))
            con.execute("INSERT INTO replaced SELECT * FROM incoming")
            con.unregister("incoming")


def _merge_records(con: duckdb.DuckDBPyConnection, root: Path, prepared: Path, replaced: dict[str, set[int]]) -> None:
    """Put the load's records in the place of those of the same census and school; note whose went."""
    names = ", ".join(RECORD_COLUMNS)
    _link_tree(root / "parts", prepared / "parts")
    con.execute("CREATE OR REPLACE TEMP TABLE gone (upn BIGINT)")
    for census in sorted(replaced):
        folder = Path("parts", "records", f"census={census}")
        rows = con.execute("SELECT DISTINCT la_code FROM record_parts WHERE census = $census", {"census": census})
        las = {la for (la,) in rows.fetchall()}
        las |= {p.name.removeprefix("la_code=") for p in (root / folder).glob("la_code=*")}
        for la in sorted(las):
            sql = f"SELECT {names} FROM record_parts WHERE census = '{census}' AND la_code = '{la}'"
            old = root / folder / f"la_code={la}" / "part.parquet"
            if old.is_file():
                here = f"(SELECT DISTINCT laestab FROM replaced WHERE census = '{census}')"
                con.execute(f"INSERT INTO gone SELECT upn FROM {_parquet([old])} SEMI JOIN {here} USING (laestab)")
                sql += f" UNION ALL SELECT {names} FROM {_parquet([old])} ANTI JOIN {here} USING (laestab)"
            _copy(
                con, f"SELECT * FROM ({sql}) ORDER BY upn, place", prepared / folder / f"la_code={la}" / "part.parquet"
            )


def _merge_flags(con: duckdb.DuckDBPyConnection, root: Path, prepared: Path) -> None:
    names = ", ".join(FLAG_COLUMNS)
    for (year,) in con.execute("SELECT DISTINCT academic_year FROM flag_parts ORDER BY 1").fetchall():
        place = Path("parts", "flags", f"academic_year={year}", "part.parquet")
        sql = f"SELECT {names} FROM flag_parts WHERE academic_year = {year}"
        if (root / place).is_file():
            old = _parquet([root / place])
            sql += f" UNION ALL SELECT {names} FROM {old} ANTI JOIN flag_parts USING (upn, academic_year)"
        _copy(con, f"SELECT * FROM ({sql}) ORDER BY upn", prepared / place)


def _view(con: duckdb.DuckDBPyConnection, name: str, files: list[Path], columns: dict[str, str]) -> None:
    if files:
        sql = f"SELECT {', '.join(columns)} FROM {_parquet(files)}"
    else:
        empty = ", ".join(f"NULL::{kind} AS {column}" for column, kind in columns.items())
        sql = f"SELECT {empty} WHERE false"
    con.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {sql}")


# ---- pupil terms -------------------------------------------------------------------------------------


def _merge_pupil_terms(con: duckdb.DuckDBPyConnection, root: Path, prepared: Path, manifest: dict) -> list[dict]:
    """Make PUPIL_TERM again wherever a pupil of this load has rows, so that the order of loads does not matter."""
    _link_tree(root / "pupil_term", prepared / "pupil_term")
    found = {(p["la_code"], p["academic_year"]): p for p in manifest["partitions"]}
    touched = set(con.execute("SELECT DISTINCT la_code, academic_year FROM session_parts").fetchall())
    if found:
        files = [root / _partition(*place) for place in sorted(found)]
        touched |= set(
            con.execute(
                f"""
                SELECT DISTINCT la_code, academic_year FROM {_parquet(files)}
                SEMI JOIN (SELECT upn FROM record_parts UNION SELECT upn FROM flag_parts UNION SELECT upn FROM gone)
                    USING (upn)
                UNION
                SELECT DISTINCT la_code, academic_year FROM {_parquet(files)}
                SEMI JOIN replaced USING (academic_year, half_term, laestab)
                """
            ).fetchall()
        )
    records = sorted((prepared / "parts" / "records").rglob("part.parquet"))
    _view(con, "all_records", records, RECORD_COLUMNS)
    _view(con, "all_flags", sorted((prepared / "parts" / "flags").rglob("part.parquet")), FLAG_COLUMNS)
    columns = ", ".join(SESSION_COLUMNS)
    for la, year in sorted(touched):
        start = year // 100
        describing = {
            f"census={n}"
            for n in (f"{start}-autumn", f"{start + 1}-spring", f"{start + 1}-summer", f"{start + 1}-autumn")
        }
        _view(con, "year_describing", [f for f in records if f.parent.parent.name in describing], RECORD_COLUMNS)
        sql = f"SELECT {columns} FROM session_parts WHERE la_code = '{la}' AND academic_year = {year}"
        if (la, year) in found:
            old = _parquet([root / _partition(la, year)])
            sql += (
                f" UNION ALL SELECT {columns} FROM {old} ANTI JOIN replaced USING (academic_year, half_term, laestab)"
            )
        con.execute(f"CREATE OR REPLACE TEMP VIEW year_sessions AS {sql}")
        resolved = resolve(
            con, year, sessions="year_sessions", records="year_describing", all_records="all_records", flags="all_flags"
        )
        target = prepared / _partition(la, year)
        rows = _copy(con, resolved, target)
        if rows:
            found[(la, year)] = {"la_code": la, "academic_year": year, "rows": rows, "bytes": target.stat().st_size}
        else:
            found.pop((la, year), None)
            target.unlink()
    return [found[place] for place in sorted(found)]


# ---- manifest and exchange -------------------------------------------------------------------------


def _place(entry: dict) -> tuple[str, str, str]:
    """Return what a store knows a loaded file by."""
    return entry["census"], entry["file"], entry["table"]


def _merge_loads(old: list[dict], new: list[dict], replaced: dict[str, set[int]]) -> list[dict]:
    """Return the load entries: a file loaded again replaces its entry, and a school loaded again leaves it."""
    names = {_place(entry) for entry in new}
    kept = []
    for entry in old:
        if _place(entry) in names:
            continue
        gone = replaced.get(entry["census"], set())
        schools = [s for s in entry["schools"] if s not in gone]
        if entry["schools"] and not schools:
            continue
        kept.append({**entry, "schools": schools})
    return sorted([*kept, *new], key=lambda e: (e["census"], e["file"], e["table"]))


def _exchange(root: Path, prepared: Path) -> None:
    """Put the prepared contents in the place of the old ones; on any error put the old ones back."""
    previous = root / PREVIOUS
    previous.mkdir()
    try:
        for name in CONTENTS:
            if (root / name).exists():
                (root / name).replace(previous / name)
        (previous / "moved").touch()
        for name in CONTENTS:
            if (prepared / name).exists():
                (prepared / name).replace(root / name)
        (previous / "complete").touch()
    except BaseException as error:
        recover(root)
        if isinstance(error, OSError):
            raise StoreError(f"The store could not be written ({error.strerror}); it is as it was before.") from None
        raise
    shutil.rmtree(previous, ignore_errors=True)
