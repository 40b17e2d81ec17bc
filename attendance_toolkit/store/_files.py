"""Files: the Parquet of a store read, written and repeated by links; the hash a file is known by."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import duckdb


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as hexadecimal text; the file is read in pieces."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def parquet(paths: Iterable[Path]) -> str:
    """Return SQL that reads Parquet files as one table."""
    listed = ", ".join("'" + str(p).replace("'", "''") + "'" for p in paths)
    return f"read_parquet([{listed}], hive_partitioning = false)"


def parquet_with(paths: Iterable[Path], columns: dict[str, str]) -> str:
    """Return SQL for columns of Parquet files, null in those of files written before the column was kept; no file, no row."""
    empty = "SELECT " + ", ".join(f"NULL::{kind} AS {column}" for column, kind in columns.items()) + " WHERE false"
    files = list(paths)
    if not files:
        return empty
    found = parquet(files).replace("hive_partitioning = false", "hive_partitioning = false, union_by_name = true")
    return f"SELECT {', '.join(columns)} FROM ({empty} UNION ALL BY NAME SELECT * FROM {found})"


def copy(con: duckdb.DuckDBPyConnection, sql: str, target: Path) -> int:
    """Write a query to a Parquet file and return its rows; never into a file linked from the old store."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    path = str(target).replace("'", "''")
    done = con.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 245760)")
    return int(done.fetchall()[0][0])


def link_tree(source: Path, target: Path) -> None:
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


def view(con: duckdb.DuckDBPyConnection, name: str, files: list[Path], columns: dict[str, str]) -> None:
    """Make a view of Parquet files; without files it has the columns and no rows."""
    sql = f"SELECT {', '.join(columns)} FROM {parquet(files)}" if files else parquet_with((), columns)
    con.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {sql}")
