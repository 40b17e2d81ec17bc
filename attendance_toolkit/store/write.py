"""Write a load into a store: everything is prepared beside it, then exchanged at once, or not at all."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from attendance_toolkit.errors import StoreError
from attendance_toolkit.store.parts import FLAG_COLUMNS, RECORD_COLUMNS, SESSION_COLUMNS
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

QUARANTINE_COLUMNS = ("census", "file", "sha256", "row", "nativeid", "rules", "reason")


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Keep two loads from writing into one store at the same time.

    Raises
    ------
    StoreError
        Another load holds the store.
    """
    made = not root.exists()
    root.mkdir(parents=True, exist_ok=True)
    lock = root / LOCK
    try:
        os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise StoreError(
            f"Another load is writing into '{root.name}'. If none is running, delete the file {LOCK} in it and try again."
        ) from None
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        if made and not any(root.iterdir()):
            root.rmdir()


def manifest_for(root: Path, *, key: str, is_synthetic: bool) -> dict:
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
        return {"version": FORMAT, "is_synthetic": is_synthetic, "key_id": key, "loads": [], "partitions": []}
    manifest = Store.open(root).manifest
    if manifest["key_id"] != key:
        raise StoreError(
            f"The store '{root.name}' was made with another key, so its pupils could not be linked."
            " Give the key file it was made with."
        )
    if bool(manifest["is_synthetic"]) != is_synthetic:
        there, new = ("synthetic", "real") if manifest["is_synthetic"] else ("real", "synthetic")
        raise StoreError(f"The store '{root.name}' holds {there} pupils; {new} ones need a store of their own.")
    return manifest


def write_load(
    con: duckdb.DuckDBPyConnection,
    root: Path,
    manifest: dict,
    *,
    replaced: dict[str, set[int]],
    loads: list[dict],
    quarantined: Iterable[dict[str, object]],
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
    quarantined
        Rows set aside, for the restricted list.
    """
    prepared = root / PREPARED
    shutil.rmtree(prepared, ignore_errors=True)
    prepared.mkdir()
    try:
        _merge_parts(con, root, prepared, replaced)
        _merge_quarantine(root, prepared, replaced, loads, quarantined)
        partitions = _resolve_touched(con, root, prepared, manifest)
        new = {
            **manifest,
            "partitions": partitions,
            "loads": _merge_loads(manifest["loads"], loads, replaced),
        }
        text = json.dumps(new, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        (prepared / MANIFEST).write_text(text, encoding="utf-8")
        _exchange(root, prepared)
    finally:
        shutil.rmtree(prepared, ignore_errors=True)
    return new


# ---- parts -------------------------------------------------------------------------------------------


def _listed(paths: Iterable[Path]) -> str:
    return "[" + ", ".join("'" + str(p).replace("'", "''") + "'" for p in paths) + "]"


def _copy(con: duckdb.DuckDBPyConnection, sql: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    path = str(target).replace("'", "''")
    con.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 245760)")


def _link_tree(source: Path, target: Path) -> None:
    """Repeat a folder with hard links, which cost nothing; copy where links are not possible."""
    if not source.is_dir():
        return
    for path in sorted(source.rglob("*")):
        there = target / path.relative_to(source)
        if path.is_dir():
            there.mkdir(parents=True, exist_ok=True)
            continue
        there.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, there)
        except OSError:
            shutil.copy2(path, there)


def _merge_parts(con: duckdb.DuckDBPyConnection, root: Path, prepared: Path, replaced: dict[str, set[int]]) -> None:
    (prepared / "parts").mkdir()
    _link_tree(root / "parts", prepared / "parts")
    for kind, columns, order in (
        ("sessions", SESSION_COLUMNS, "laestab, upn, half_term, on_roll DESC"),
        ("records", RECORD_COLUMNS, "place, upn"),
    ):
        table = "session_parts" if kind == "sessions" else "record_parts"
        names = ", ".join(columns)
        for census, schools in sorted(replaced.items()):
            folder = Path("parts", kind, f"census={census}")
            las = {la for (la,) in con.execute(f"SELECT DISTINCT la_code FROM {table} WHERE census = '{census}'").fetchall()}
            las |= {p.name.removeprefix("la_code=") for p in (root / folder).glob("la_code=*")}
            for la in sorted(las):
                new = f"SELECT {names} FROM {table} WHERE census = '{census}' AND la_code = '{la}'"
                old = root / folder / f"la_code={la}" / "part.parquet"
                union = new
                if old.is_file():
                    gone = ", ".join(map(str, sorted(schools))) or "NULL"
                    hit = con.execute(
                        f"SELECT count(*) FROM read_parquet({_listed([old])}, hive_partitioning = false) WHERE laestab IN ({gone})"
                    ).fetchone()
                    added = con.execute(f"SELECT count(*) FROM ({new})").fetchone()
                    if not (hit and hit[0]) and not (added and added[0]):
                        continue
                    union += (
                        f" UNION ALL SELECT {names} FROM read_parquet({_listed([old])}, hive_partitioning = false)"
                        f" WHERE laestab NOT IN ({gone})"
                    )
                target = prepared / folder / f"la_code={la}" / "part.parquet"
                target.unlink(missing_ok=True)
                _copy(con, f"SELECT * FROM ({union}) ORDER BY {order}", target)
    years = [y for (y,) in con.execute("SELECT DISTINCT academic_year FROM flag_parts ORDER BY 1").fetchall()]
    for year in years:
        folder = Path("parts", "flags", f"academic_year={year}")
        old = root / folder / "part.parquet"
        names = ", ".join(FLAG_COLUMNS)
        union = f"SELECT {names} FROM flag_parts WHERE academic_year = {year}"
        if old.is_file():
            union += (
                f" UNION ALL SELECT {names} FROM read_parquet({_listed([old])}, hive_partitioning = false)"
                " ANTI JOIN flag_parts USING (upn, academic_year)"
            )
        target = prepared / folder / "part.parquet"
        target.unlink(missing_ok=True)
        _copy(con, f"SELECT * FROM ({union}) ORDER BY upn", target)


def _part_files(prepared: Path, kind: str) -> list[Path]:
    return sorted((prepared / "parts" / kind).rglob("part.parquet"))


def _view(con: duckdb.DuckDBPyConnection, name: str, files: list[Path], columns: dict[str, str], where: str = "") -> None:
    if files:
        sql = f"SELECT {', '.join(columns)} FROM read_parquet({_listed(files)}, hive_partitioning = false) {where}"
    else:
        empty = ", ".join(f"NULL::{kind} AS {column}" for column, kind in columns.items())
        sql = f"SELECT {empty} WHERE false"
    con.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {sql}")


# ---- pupil terms -------------------------------------------------------------------------------------


def _resolve_touched(con: duckdb.DuckDBPyConnection, root: Path, prepared: Path, manifest: dict) -> list[dict]:
    """Make PUPIL_TERM again wherever a pupil of this load has rows, so that the order of loads does not matter."""
    (prepared / "pupil_term").mkdir()
    _link_tree(root / "pupil_term", prepared / "pupil_term")
    session_files = _part_files(prepared, "sessions")
    _view(con, "all_sessions", session_files, SESSION_COLUMNS)
    _view(con, "all_records", _part_files(prepared, "records"), RECORD_COLUMNS)
    _view(con, "all_flags", _part_files(prepared, "flags"), FLAG_COLUMNS)
    old_parts = {(p["la_code"], p["academic_year"]): p for p in manifest["partitions"]}
    touched = set(
        con.execute(
            "SELECT DISTINCT la_code, academic_year FROM all_sessions SEMI JOIN"
            " (SELECT upn FROM record_parts UNION SELECT upn FROM flag_parts) USING (upn)"
        ).fetchall()
    )
    # Pupils who left a corrected return altogether are in its old rows only.
    for (la, census) in con.execute("SELECT DISTINCT la_code, census FROM record_parts").fetchall():
        old = root / "parts" / "sessions" / f"census={census}" / f"la_code={la}" / "part.parquet"
        if old.is_file():
            years = con.execute(
                f"SELECT DISTINCT academic_year FROM read_parquet({_listed([old])}, hive_partitioning = false)"
            ).fetchall()
            touched |= {(la, year) for (year,) in years}
    found = dict(old_parts)
    for la in sorted({la for la, _ in touched}):
        years = sorted(year for area, year in touched if area == la)
        files = [f for f in session_files if f.parent.name == f"la_code={la}"]
        _view(con, "la_sessions", files, SESSION_COLUMNS, f"WHERE academic_year IN ({', '.join(map(str, years))})")
        con.execute("CREATE OR REPLACE TEMP TABLE la_pupils AS SELECT DISTINCT upn FROM la_sessions")
        con.execute("CREATE OR REPLACE TEMP VIEW la_records AS SELECT * FROM all_records SEMI JOIN la_pupils USING (upn)")
        resolve(con, "la_sessions", "la_records", "all_flags", "resolved")
        for year in years:
            found.pop((la, year), None)
            target = prepared / _partition(la, year)
            target.unlink(missing_ok=True)
            rows = con.execute(f"SELECT count(*) FROM resolved WHERE academic_year = {year}").fetchone()
            if not rows or not rows[0]:
                continue
            _copy(con, f"SELECT * FROM resolved WHERE academic_year = {year} ORDER BY laestab, upn, half_term", target)
            found[(la, year)] = {
                "la_code": la, "academic_year": year, "rows": rows[0], "bytes": target.stat().st_size,
            }  # fmt: skip
        con.execute("DROP TABLE resolved; DROP TABLE la_pupils")
    return [found[place] for place in sorted(found)]


# ---- manifest and quarantine -------------------------------------------------------------------------


def _merge_loads(old: list[dict], new: list[dict], replaced: dict[str, set[int]]) -> list[dict]:
    """Return the load entries: a file loaded again replaces its entry, and a school loaded again leaves it."""
    names = {(entry["census"], entry["file"], entry["table"]) for entry in new}
    kept = []
    for entry in old:
        if (entry["census"], entry["file"], entry["table"]) in names:
            continue
        gone = replaced.get(entry["census"], set())
        schools = [s for s in entry["schools"] if s not in gone]
        if entry["schools"] and not schools:
            continue
        kept.append({**entry, "schools": schools})
    return sorted([*kept, *new], key=lambda e: (e["census"], e["file"], e["table"]))


def _merge_quarantine(
    root: Path,
    prepared: Path,
    replaced: dict[str, set[int]],
    loads: list[dict],
    rows: Iterable[dict[str, object]],
) -> None:
    """Write the restricted list of rows set aside: file and line, never the pupil."""
    folder = prepared / "quarantine"
    folder.mkdir(mode=0o700)
    files = {(str(entry["census"]), str(entry["file"])) for entry in loads}
    schools = {census: {str(s) for s in found} for census, found in replaced.items()}
    kept: list[dict[str, object]] = []
    old = root / "quarantine" / "rows.csv"
    if old.is_file():
        with old.open(encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle):
                again = (row["census"], row["file"]) in files or row["nativeid"] in schools.get(row["census"], set())
                if not again:
                    kept.append(dict(row))
    kept += list(rows)
    target = folder / "rows.csv"
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, QUARANTINE_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)


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
