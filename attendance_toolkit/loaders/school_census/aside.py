"""Say which rows of which files are not loaded, count them, and write them out as they were read."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from pathlib import Path

from attendance_toolkit.loaders._set_aside import write_rows
from attendance_toolkit.loaders.school_census.work import Source, Stack, Work
from attendance_toolkit.store.quarantine import AsideFile


def _stacks(work: Work) -> list[Stack]:
    return [work.pupils, *work.details.values(), work.periods]


def find_aside(work: Work) -> None:
    """Make ``aside``: every row that is not loaded, by working table, with its rules and its school.

    Session rows and free-meal periods go with the row of their pupil.
    """
    work.con.execute("CREATE OR REPLACE TEMP TABLE aside (stack VARCHAR, rid BIGINT, rules VARCHAR, school VARCHAR)")
    if not work.one("SELECT (SELECT count(*) FROM set_aside) + (SELECT count(*) FROM rows_aside)")[0]:
        return
    work.con.execute(
        """
        INSERT INTO aside
        SELECT 'raw_pupil', rid, string_agg(DISTINCT a.rule, ' ' ORDER BY a.rule),
               any_value(coalesce(p.laestab::VARCHAR, p.nativeid, ''))
        FROM set_aside a JOIN pupil p USING (rid) GROUP BY rid
        """
    )
    work.con.execute(
        """
        CREATE OR REPLACE TEMP TABLE keys_aside AS
        WITH gone AS (
            SELECT p.in_group, p.key, p.nativeid, a.rules, a.school
            FROM aside a JOIN pupil p USING (rid) WHERE p.key IS NOT NULL AND p.nativeid IS NOT NULL
        )
        SELECT in_group, key, nativeid, min(rules) AS rules, min(school) AS school FROM gone
        ANTI JOIN (SELECT in_group, key, nativeid FROM pupil WHERE rid NOT IN (SELECT rid FROM aside))
            USING (in_group, key, nativeid)
        GROUP BY in_group, key, nativeid
        """
    )
    for item, stack in work.details.items():
        work.con.execute(
            f"""
            INSERT INTO aside
            SELECT '{stack.name}', rid, string_agg(DISTINCT rule, ' ' ORDER BY rule), min(school)
            FROM (
                SELECT d.rowid AS rid, k.rules AS rule, k.school
                FROM {stack.name} d JOIN keys_aside k USING (in_group, key, nativeid) WHERE d.fault = 0
                UNION ALL
                SELECT r.row_number, r.rule, coalesce(s.laestab::VARCHAR, d.nativeid, '')
                FROM rows_aside r JOIN {stack.name} d ON d.rowid = r.row_number
                LEFT JOIN map_school s ON s.return_number = d.in_group // 2 AND s.nativeid = d.nativeid
                WHERE r.item = '{item}'
            )
            GROUP BY rid
            """
        )
    if work.periods.sources:
        work.con.execute(
            "INSERT INTO aside SELECT 'period', d.rowid, k.rules, k.school"
            " FROM period d JOIN keys_aside k USING (in_group, key, nativeid)"
        )
    work.con.execute("DROP TABLE keys_aside")


def _within(stack: Stack, source: Source) -> str:
    return f"stack = '{stack.name}' AND rid >= {source.start} AND rid < {source.start + source.rows}"


def count_aside(work: Work) -> None:
    """Count the rows set aside in each file."""
    for stack in _stacks(work):
        for source in stack.sources:
            rows = work.one(f"SELECT count(*) FROM aside WHERE {_within(stack, source)}")[0]
            work.counts[(source.return_number, source.table)].rows_quarantined = rows


def write_aside(work: Work, folder: Path) -> list[AsideFile]:
    """Write the rows set aside into a private folder, one file for each file they came in."""
    found = []
    for stack in _stacks(work):
        for source in stack.sources:
            if not work.counts[(source.return_number, source.table)].rows_quarantined:
                continue
            marks = work.all(
                f"SELECT rid - {source.start}, rules, school FROM aside WHERE {_within(stack, source)} ORDER BY 1"
            )
            found.append(
                write_rows(work.con, source.file, source.table, work.census.name, marks, source.rows, folder)
            )  # fmt: skip
    return found
