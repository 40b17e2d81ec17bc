"""Read the CSV files of a census into working tables whose row ids lead back to lines."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

import duckdb

from attendance_toolkit.loaders._return_files import FileCount, table_sql
from attendance_toolkit.loaders.school_census.work import PUPIL_COLUMNS, PUPIL_TABLES, Source, Stack, Work


def read(work: Work, stack: Stack, files: list[tuple[int, str, bool, str]]) -> None:
    """Read files (return, table, on roll, selected cells) into a working table, one after the other.

    One statement for all of them costs a tenth of one for each. The order of rows is then checked, since
    row ids must lead back to lines; a file that cannot be read is found by reading them one by one.
    """
    selects, sources = [], []
    for place, (number, table, on_roll, select) in enumerate(files):
        source = Source(work.returns[number].tables[table], table, number, on_roll, 0, 0)
        sources.append(source)
        selects.append(
            f"SELECT {place}::INTEGER AS source, {source.group}::INTEGER AS in_group, *"
            f" FROM ({table_sql(source.file, select)})"
        )
    try:
        work.con.execute(f"CREATE OR REPLACE TEMP TABLE {stack.name} AS {' UNION ALL '.join(selects)}")
    except duckdb.Error:
        _read_singly(work, stack, sources, selects)
    spans = _spans(work, stack)
    if any(last - first + 1 != rows for rows, first, last in spans.values()):
        _read_singly(work, stack, sources, selects)
        spans = _spans(work, stack)
    start = 0
    for place, source in enumerate(sources):
        source.start, source.rows = start, spans.get(place, (0, 0, 0))[0]
        start += source.rows
        stack.add(source)
        work.counts[(source.return_number, source.table)] = FileCount(source.rows)
    _check_rejected(work)


def _spans(work: Work, stack: Stack) -> dict[int, tuple[int, int, int]]:
    found = work.all(f"SELECT source, count(*), min(rowid), max(rowid) FROM {stack.name} GROUP BY 1")
    return {place: (rows, first, last) for place, rows, first, last in found}


def _read_singly(work: Work, stack: Stack, sources: list[Source], selects: list[str]) -> None:
    work.con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    work.con.execute(f"CREATE OR REPLACE TEMP TABLE {stack.name} AS {selects[0]} LIMIT 0")
    for source, select in zip(sources, selects, strict=True):
        try:
            work.con.execute(f"INSERT INTO {stack.name} {select}")
        except duckdb.Error as error:
            reason = str(error).splitlines()[0][:80]
            work.draft("file_ragged", source.file, f"the rows cannot be read as CSV ({reason}).",
                        fix="Export the file again.")  # fmt: skip


def _check_rejected(work: Work) -> None:
    """Report the rows that do not have as many cells as their header."""
    kinds = {"TOO MANY COLUMNS": "more cells than the header", "MISSING COLUMNS": "fewer cells than the header"}
    files = {str(f.readable): f for group in work.returns for f in group.tables.values()}
    for path, line, count, kind in work.all(
        "SELECT s.file_path, min(r.line), count(DISTINCT r.line), first(r.error_type::VARCHAR ORDER BY r.line)"
        " FROM reject_errors r JOIN reject_scans s USING (scan_id, file_id) GROUP BY 1"
    ) if work.all("SELECT 1 FROM duckdb_tables() WHERE table_name = 'reject_errors'") else []:  # fmt: skip
        work.draft(
            "file_ragged", files[path], f"this row has {kinds.get(kind, 'a cell that cannot be read')}.",
            record=int(line) - 2, count=int(count),
            fix="Look for a comma or quotation mark inside a cell, or export the file again.",
        )  # fmt: skip
    work.con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")


def read_pupils(work: Work) -> None:
    """Read the pupil tables of every return into ``raw_pupil``."""
    work.con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    files = []
    for number, group in enumerate(work.returns):
        for table, on_roll in PUPIL_TABLES:
            if table not in group.tables:
                continue
            where = work.where[number][table]
            cells = []
            for column, names in PUPIL_COLUMNS.items():
                name = names[not on_roll]
                cells.append(f"{where[name]} AS {column}" if name in where else f"NULL::VARCHAR AS {column}")
            files.append((number, table, on_roll, ", ".join(cells)))
    read(work, work.pupils, files)
    for source in work.pupils.sources:
        if source.on_roll and not source.rows and not work.is_blocked:
            work.draft("file_no_rows", source.file, "the file has a header and no rows.",
                        fix="Export the return again.")  # fmt: skip
    work.con.execute("CREATE OR REPLACE TEMP TABLE set_aside (rid BIGINT, rule VARCHAR)")
