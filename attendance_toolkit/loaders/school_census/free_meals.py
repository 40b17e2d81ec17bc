"""Tell from the free-meal periods who is eligible, and who was in six years."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

import pyarrow as pa

from attendance_toolkit.loaders._values import years_before
from attendance_toolkit.loaders.school_census.reading import read
from attendance_toolkit.loaders.school_census.values import read_days, report_dates
from attendance_toolkit.loaders.school_census.work import PERIOD_TABLES, Work
from attendance_toolkit.schema.tables import CENSUS_TABLES


def map_fsm(work: Work) -> None:
    """Make ``fsm``: for each pupil row, eligible on the census day, and at any time in six years.

    A roll without a table of periods has no row, so its pupils are Unknown. Six years are known to be
    free of periods only where the return's periods go back that far.
    """
    day = work.census.day
    six = years_before(day, 6)
    stack = work.periods
    files = []
    for number, group in enumerate(work.returns):
        for table, on_roll in PERIOD_TABLES:
            if table in group.tables:
                where = work.where[number][table]
                files.append((
                    number, table, on_roll,
                    f"{where[CENSUS_TABLES[table].key]} AS key, {where['nativeid']} AS nativeid,"
                    f" {where['fsmstartdate']} AS fsmstartdate, {where['fsmenddate']} AS fsmenddate",
                ))  # fmt: skip
    if files:
        read(work, stack, files)
    work.con.execute("CREATE OR REPLACE TEMP TABLE fsm (rid BIGINT, eligible VARCHAR, six VARCHAR)")
    if not files or work.is_blocked:
        return
    for column in ("fsmstartdate", "fsmenddate"):
        texts = [t for (t,) in work.all(f"SELECT DISTINCT {column} FROM period WHERE {column} IS NOT NULL ORDER BY 1")]
        days, styles = read_days(work, texts)
        work.map(f"map_{column}", {"code": texts, "day": days}, {"code": pa.string(), "day": pa.date32()})
        work.map("asked", {"text": list(styles)}, {"text": pa.string()})
        places = work.all(
            f"SELECT text, count(*), min(p.rowid) FROM period p JOIN asked ON text = {column} GROUP BY text, in_group"
        )
        report_dates(work, stack, column, [(styles[text], text, count, first) for text, count, first in places])
    groups = ", ".join(str(g) for g in sorted({source.group for source in stack.sources}))
    work.con.execute(
        f"""
        INSERT INTO fsm
        WITH dated AS (
            SELECT d.in_group, d.key, d.nativeid, o.day AS opened, c.day AS closed, d.fsmenddate IS NULL AS is_open
            FROM period d
            LEFT JOIN map_fsmstartdate o ON o.code = d.fsmstartdate
            LEFT JOIN map_fsmenddate c ON c.code = d.fsmenddate
        ),
        spans AS (
            SELECT in_group, key, nativeid,
                   bool_or(opened <= DATE '{day}' AND (is_open OR closed >= DATE '{day}')) AS is_now,
                   bool_or(opened <= DATE '{day}' AND (is_open OR closed >= DATE '{six}')) AS in_six
            FROM dated GROUP BY ALL
        ),
        reach AS (SELECT in_group, min(opened) <= DATE '{six}' AS goes_back FROM dated GROUP BY 1)
        SELECT p.rid,
               CASE WHEN s.is_now THEN 'FSM eligible' ELSE 'Not known to be FSM eligible' END,
               CASE WHEN s.in_six THEN 'FSM in the last six years'
                    WHEN r.goes_back THEN 'Not FSM in the last six years' END
        FROM pupil p
        LEFT JOIN spans s ON s.key = p.key AND s.nativeid = p.nativeid AND s.in_group = p.in_group
        LEFT JOIN reach r ON r.in_group = p.in_group
        WHERE p.in_group IN ({groups})
        """
    )
