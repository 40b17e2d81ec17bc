"""Write a load into a store: everything is prepared beside it, then exchanged at once, or not at all."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from attendance_toolkit.errors import StoreError
from attendance_toolkit.schema.census import Census
from attendance_toolkit.store._files import copy, link_tree, parquet, parquet_with
from attendance_toolkit.store.identifiers import digesting
from attendance_toolkit.store.marks import merge_marks
from attendance_toolkit.store.parts import COLLECTIONS, LIST_PARTS, RECORD_COLUMNS, ListPart, make_collected_tables
from attendance_toolkit.store.pupil_terms import merge_pupil_terms as _merge_pupil_terms
from attendance_toolkit.store.pupil_terms import wholly_replaced
from attendance_toolkit.store.quarantine import NOTE, AsideFile, merge_quarantine
from attendance_toolkit.store.screening import SCREENING, merge_screening, read_screening
from attendance_toolkit.store.store import (
    CONTENTS,
    FORMAT,
    IDENTIFIERS,
    LOCK,
    MANIFEST,
    PREPARED,
    PREVIOUS,
    Store,
    recover,
)

if TYPE_CHECKING:
    import pandas as pd


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
    screening: dict | None = None,
    schools_listed: pd.DataFrame | None = None,
    key: bytes | None = None,
) -> dict:
    """Merge the working tables of a load into the store and return the new manifest.

    Parameters
    ----------
    con
        Connection with ``session_parts``, ``record_parts`` and the tables of ``store.parts.LIST_PARTS``; with
        ``collected_parts`` and ``mark_parts`` (``store.marks``) where a register is loaded.
    replaced
        Census -> schools (LAESTAB) whose rows are replaced by this load.
    loads
        One entry for each file, for the manifest.
    aside
        Files of rows set aside, for the restricted folder.
    screening
        What screening said, as ``ScreeningReport.to_dict`` gives it.
    schools_listed
        Schools of lists and of census returns: SCHOOL_COLUMNS.
    key
        The pseudonym key, with which identifiers are digested; without it those of this load stay unknown.
    """
    prepared = root / PREPARED
    shutil.rmtree(prepared, ignore_errors=True)
    prepared.mkdir()
    schools = {census.name: found for census, found in replaced.items()}
    try:
        with _identifiers_written(con, root, prepared, manifest, key) as identifiers:
            make_collected_tables(con)
            _note_replaced(con, replaced)
            schools |= wholly_replaced(con, root, manifest)
            _merge_records(con, root, prepared, schools)
            for part in LIST_PARTS:
                _merge_list(con, root, prepared, part)
            merge_marks(con, root, prepared)
            if schools_listed is not None:
                from attendance_toolkit.store.schools import merge_schools  # here: it loads pandas

                merge_schools(prepared, root, schools_listed)
            merged = _merge_loads(manifest["loads"], loads, schools)
            names = {_place(entry) for entry in loads}
            rows = merge_quarantine(
                root, prepared, new=aside, surviving={_place(e) for e in merged} - names, replaced=schools
            )
            partitions = _merge_pupil_terms(con, root, prepared, manifest)
            quarantine = {"rows": rows, "note": NOTE}
            new = {**manifest, "version": FORMAT, "partitions": partitions, "loads": merged, "quarantine": quarantine}
            new["identifiers"] = identifiers()
        text = json.dumps(new, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        (prepared / MANIFEST).write_text(text, encoding="utf-8")
        said = screening or {"files": [], "findings": []}
        said = merge_screening(read_screening(root), said, {entry["file"] for entry in merged})
        (prepared / SCREENING).write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
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


@contextmanager
def _identifiers_written(
    con: duckdb.DuckDBPyConnection, root: Path, prepared: Path, manifest: dict, key: bytes | None
) -> Iterator[Callable[[], dict]]:
    """Write the digests of identifiers meanwhile; give what the manifest says of them, which waits for them.

    They are complete if every load into the store has kept them: a store of an older toolkit never comes to be.
    """
    if key is None:
        if (root / IDENTIFIERS).is_file():
            shutil.copy2(root / IDENTIFIERS, prepared / IDENTIFIERS)
        yield lambda: {**manifest.get("identifiers", {}), "is_complete": False}
        return
    is_complete = not manifest["loads"] or manifest.get("identifiers", {}).get("is_complete", False)
    with digesting(con, root, prepared, key) as counted:
        yield lambda: {**counted.result(), "is_complete": is_complete}


# ---- records and lists of pupils -------------------------------------------------------------------------------


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
    link_tree(root / "parts", prepared / "parts")
    con.execute("CREATE OR REPLACE TEMP TABLE gone (upn BIGINT)")
    _merge_collected_records(con, root, prepared)
    for census in sorted(set(replaced) - set(COLLECTIONS)):
        folder = Path("parts", "records", f"census={census}")
        rows = con.execute("SELECT DISTINCT la_code FROM record_parts WHERE census = $census", {"census": census})
        las = {la for (la,) in rows.fetchall()}
        las |= {p.name.removeprefix("la_code=") for p in (root / folder).glob("la_code=*")}
        for la in sorted(las):
            sql = f"SELECT {names} FROM record_parts WHERE census = '{census}' AND la_code = '{la}'"
            old = root / folder / f"la_code={la}" / "part.parquet"
            if old.is_file():
                here = f"(SELECT DISTINCT laestab FROM replaced WHERE census = '{census}')"
                con.execute(f"INSERT INTO gone SELECT upn FROM {parquet([old])} SEMI JOIN {here} USING (laestab)")
                sql += f" UNION ALL SELECT {names} FROM {parquet([old])} ANTI JOIN {here} USING (laestab)"
            copy(
                con, f"SELECT * FROM ({sql}) ORDER BY upn, place", prepared / folder / f"la_code={la}" / "part.parquet"
            )


def _merge_collected_records(con: duckdb.DuckDBPyConnection, root: Path, prepared: Path) -> None:
    """Put the load's records from elsewhere than the census in the place of those of the same pupil and school."""
    names = ", ".join(RECORD_COLUMNS)
    for census, la in con.execute("SELECT DISTINCT census, la_code FROM record_parts ORDER BY ALL").fetchall():
        if census.partition("-")[2] not in COLLECTIONS:
            continue
        place = Path("parts", "records", f"census={census}", f"la_code={la}", "part.parquet")
        new = f"(SELECT {names} FROM record_parts WHERE census = '{census}' AND la_code = '{la}')"
        sql = f"SELECT * FROM {new}"
        if (root / place).is_file():
            sql += f" UNION ALL SELECT {names} FROM {parquet([root / place])} ANTI JOIN {new} USING (upn, laestab)"
        copy(con, f"SELECT * FROM ({sql}) ORDER BY upn, place", prepared / place)


def _merge_list(con: duckdb.DuckDBPyConnection, root: Path, prepared: Path, part: ListPart) -> None:
    """Put the load's rows of a kind of list in the place of those of the same pupil and year (and group)."""
    names = ", ".join(part.columns)
    for (year,) in con.execute(f"SELECT DISTINCT academic_year FROM {part.table} ORDER BY 1").fetchall():
        place = Path("parts", part.folder, f"academic_year={year}", "part.parquet")
        sql = f"SELECT {names} FROM {part.table} WHERE academic_year = {year}"
        if (root / place).is_file():
            old = parquet_with([root / place], part.columns)
            sql += f" UNION ALL SELECT {names} FROM ({old}) ANTI JOIN {part.table} USING ({', '.join(part.keys)})"
        copy(con, f"SELECT * FROM ({sql}) ORDER BY {', '.join(part.keys)}", prepared / place)


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
