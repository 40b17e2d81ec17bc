"""Write rows that are not loaded as they were read, so that somebody who may see them can put them right."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from attendance_toolkit.loaders._return_files import table_sql
from attendance_toolkit.loaders._text import TextFile, line_numbers
from attendance_toolkit.schema.rules import RULES
from attendance_toolkit.store.quarantine import AsideFile, write_csv

_AT_ONCE = 20_000


def write_rows(
    con: duckdb.DuckDBPyConnection,
    file: TextFile,
    table: str,
    census: str,
    marks: Sequence[tuple[int, str, str]],
    rows: int,
    folder: Path,
) -> AsideFile:
    """Write rows of a file with all their columns, as text, and why they were set aside.

    Parameters
    ----------
    con
        A connection to read the file with.
    file, table, census
        Where the rows came from; the census is empty for a list of pupils.
    marks
        Record number in the file, names of rules with blanks between, and school, in file order.
    rows
        Records in the file.
    folder
        A folder only the user can read.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = folder / f"{len(list(folder.iterdir()))}.csv"
    lines = line_numbers(file, (record for record, _, _ in marks), rows)
    origin = file.origin
    if origin is not None and origin.source is not None:
        # Made from a file of one row a pupil: the row as it was there is what can be put right.
        source = origin.source
        given = _source_rows(source, {lines[record]: (school, why) for record, why, school in marks}, table)
        counts = write_csv(target, source.header, given)
        return AsideFile(census, table, file.name, file.sha256, target, counts)
    con.execute(f"CREATE OR REPLACE TEMP TABLE again AS {table_sql(file, '*')}")
    con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    con.register("incoming", pa.table({
        "record": pa.array([m[0] for m in marks], pa.int64()), "line": pa.array([lines[m[0]] for m in marks]),
        "rules": pa.array([m[1] for m in marks]), "school": pa.array([m[2] for m in marks]),
    }))  # fmt: skip
    cells = ", ".join(f"a.c{place}" for place in range(len(file.header)))
    cursor = con.execute(
        f"SELECT {cells}, i.record, i.line, i.school, i.rules"
        " FROM incoming i JOIN again a ON a.rowid = i.record ORDER BY i.record"
    )

    def read() -> Iterator[tuple]:
        while found := cursor.fetchmany(_AT_ONCE):
            for *texts, record, line, school, rules in found:
                where = "" if origin is None else f" (made from {origin.part(record)})"
                yield (*texts, table, file.name, line, school, rules, reason_of(rules) + where)

    # A column the user's file does not have has no name, and is left in its place.
    counts = write_csv(target, file.header, read())
    con.unregister("incoming")
    con.execute("DROP TABLE again")
    return AsideFile(census, table, file.name, file.sha256, target, counts)


def _source_rows(file: TextFile, wanted: dict[int, tuple[str, str]], table: str) -> Iterator[tuple]:
    """Give the rows that begin on some lines of a file as they were read, with where they were and why."""
    with file.readable.open("r", encoding="utf-8-sig", newline="") as handle:
        reader = csv.reader(handle)
        start = 1
        for cells in reader:
            if start in wanted:
                school, rules = wanted[start]
                yield (*cells, table, file.name, start, school, rules, reason_of(rules))
            start = reader.line_num + 1


def reason_of(rules: str) -> str:
    """Return why a row was set aside, in words.

    >>> reason_of("sessions_negative upn_blank")
    'not so here: sessions are not negative; every pupil has a UPN'
    """
    return "not so here: " + "; ".join(RULES[rule].asks for rule in rules.split())
