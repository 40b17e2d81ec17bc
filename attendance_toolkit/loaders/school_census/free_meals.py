"""Tell from the free-meal periods who is eligible, and who was in six years."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

import pyarrow as pa

from attendance_toolkit.loaders._values import show, years_before
from attendance_toolkit.loaders.school_census.reading import read
from attendance_toolkit.loaders.school_census.values import read_days, report_dates
from attendance_toolkit.loaders.school_census.work import PERIOD_TABLES, Work
from attendance_toolkit.schema.tables import CENSUS_TABLES, CHARACTERISTICS

_MARKS = {
    **dict.fromkeys(("y", "yes", "1", "1.0", "t", "true"), True),
    **dict.fromkeys(("n", "no", "0", "0.0", "f", "false"), False),
}


def map_fsm(work: Work) -> None:
    """Make ``fsm``: for each pupil row, eligible on the census day, and at any time in six years.

    A roll without a table of periods has no row, so its pupils are Unknown. Six years are known to be
    free of periods only where the return's periods go back that far. A file of characteristics says yes or no for
    the census day alone.
    """
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
    if work.is_blocked:
        return
    if files:
        _map_periods(work, _share_xml(work))
    elif any(group.layout == "xml" for group in work.returns):
        _share_xml(work)
    _map_marks(work)


def _share_xml(work: Work) -> list[int]:
    """Return the pupils on roll of the XML returns when some of them have periods, and report those that have none.

    What XML returns of one census can hold is the same for all: in one of them, without a period from six years
    ago, or without any, nobody has one.
    """
    xml = {number: group for number, group in enumerate(work.returns) if group.layout == "xml"}
    has = {source.return_number for source in work.periods.sources} & set(xml)
    for number, group in xml.items():
        if number not in has and not work.is_blocked:
            says = (
                "so nobody is read as eligible: other returns of the census have periods."
                if has
                else "so free meals are Unknown for everybody."
            )
            work.draft("column_absent", group.tables[group.main_table], f"no pupil has an FSM period, {says}",
                       column="FSMperiod")  # fmt: skip
    return [number * 2 + 1 for number in xml] if has else []


def _map_periods(work: Work, shared: list[int]) -> None:
    """Add to ``fsm`` what the periods say; ``shared`` are the returns that are as one."""
    day = work.census.day
    six = years_before(day, 6)
    stack = work.periods
    for column in ("fsmstartdate", "fsmenddate"):
        texts = [t for (t,) in work.all(f"SELECT DISTINCT {column} FROM period WHERE {column} IS NOT NULL ORDER BY 1")]
        days, styles = read_days(work, texts)
        work.map(f"map_{column}", {"code": texts, "day": days}, {"code": pa.string(), "day": pa.date32()})
        work.map("asked", {"text": list(styles)}, {"text": pa.string()})
        places = work.all(
            f"SELECT text, count(*), min(p.rowid) FROM period p JOIN asked ON text = {column} GROUP BY text, in_group"
        )
        report_dates(work, stack, column, [(styles[text], text, count, first) for text, count, first in places])
    groups = ", ".join(str(g) for g in sorted({source.group for source in stack.sources} | set(shared)))
    reach = f"CASE WHEN in_group IN ({', '.join(map(str, shared)) or -1}) THEN -1 ELSE in_group END"
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
        reach AS (SELECT {reach} AS alike, min(opened) <= DATE '{six}' AS goes_back FROM dated GROUP BY 1)
        SELECT p.rid,
               CASE WHEN s.is_now THEN 'FSM eligible' ELSE 'Not known to be FSM eligible' END,
               CASE WHEN s.in_six THEN 'FSM in the last six years'
                    WHEN r.goes_back THEN 'Not FSM in the last six years' END
        FROM pupil p
        LEFT JOIN spans s ON s.key = p.key AND s.nativeid = p.nativeid AND s.in_group = p.in_group
        LEFT JOIN reach r ON r.alike = {reach.replace("in_group", "p.in_group")}
        WHERE p.in_group IN ({groups})
        """
    )


def _map_marks(work: Work) -> None:
    """Add to ``fsm`` the pupils without periods whose row says yes or no; a blank is no where others say something."""
    texts = [t for (t,) in work.all("SELECT DISTINCT fsmday FROM raw_pupil WHERE fsmday IS NOT NULL ORDER BY 1")]
    if not texts:
        return
    meanings = [_MARKS.get(text.strip().lower()) for text in texts]
    for text in [t for t, meaning in zip(texts, meanings, strict=True) if meaning is None]:
        work.map("asked", {"text": [text]}, {"text": pa.string()})
        for count, first in work.all(
            "SELECT count(*), min(r.rowid) FROM raw_pupil r JOIN asked ON text = fsmday GROUP BY in_group ORDER BY 2"
        ):
            work.draft_at(
                "fsm_code", work.pupils, first, f"'{show(text)}' does not say whether a pupil is eligible.",
                column="fsmday", value=show(text), count=count, allowed="Y, N, 1, 0, True, False",
                fix="It is read as Unknown.",
            )  # fmt: skip
    has_file = any(CHARACTERISTICS in group.tables for group in work.returns)
    work.map("map_fsmday", {"code": texts, "meaning": meanings}, {"code": pa.string(), "meaning": pa.bool_()})
    work.con.execute(
        f"""
        INSERT INTO fsm
        WITH marked AS (
            SELECT r.rowid AS rid, r.in_group, r.fsmday IS NULL AS is_blank, m.meaning
            FROM raw_pupil r LEFT JOIN map_fsmday m ON m.code = r.fsmday
            WHERE r.rowid NOT IN (SELECT rid FROM fsm)
        )
        SELECT rid,
               CASE WHEN meaning THEN 'FSM eligible'
                    WHEN NOT meaning OR (is_blank AND NOT {has_file}) THEN 'Not known to be FSM eligible' END,
               CASE WHEN meaning THEN 'FSM in the last six years' END
        FROM marked SEMI JOIN (SELECT DISTINCT in_group FROM marked WHERE NOT is_blank) USING (in_group)
        """
    )
