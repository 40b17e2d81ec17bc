"""Read the session rows, check them and add them up for each pupil row."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

import re

from attendance_toolkit.loaders._return_files import table_sql
from attendance_toolkit.loaders._values import codes_on, listed, parse_whole, show
from attendance_toolkit.loaders.school_census.checks import FEWEST_PUPILS
from attendance_toolkit.loaders.school_census.reading import read
from attendance_toolkit.loaders.school_census.work import DETAILS, Stack, Work, half_term_text
from attendance_toolkit.schema.census import MOST_SESSIONS, Carried, session_day
from attendance_toolkit.schema.tables import CENSUS_TABLES
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import REASON_COLUMNS

#: How a number of sessions may be written.
_NUMBER = r"\s*-?[0-9]+(\.[0-9]*)?\s*"
_NO_REASON = ("there is no attendance reason.", "register_code")


def read_sessions(work: Work) -> None:
    """Read, check and add up the session rows of every half term the census carries."""
    work.con.execute(
        "CREATE OR REPLACE TEMP TABLE keyed AS SELECT rid, in_group, nativeid, key FROM pupil WHERE rid NOT IN"
        " (SELECT rid FROM set_aside WHERE rule IN ('pupil_repeated', 'pupil_in_two_files', 'key_repeated'))"
    )
    work.con.execute("CREATE OR REPLACE TEMP TABLE rows_aside (item VARCHAR, row_number BIGINT, rule VARCHAR)")
    for carried in work.census.carries:
        _read_details(work, carried)
        if not work.is_blocked:
            _check_empty(work, carried)
        if work.is_blocked:
            return
        _sum_details(work, carried)
        _check_orphans(work, carried)


def _read_details(work: Work, carried: Carried) -> None:
    """Read the session rows of one half term, each with its fault if it has one."""
    codes = codes_on(session_day(carried.half_term, carried.academic_year))
    kind = f"codes_{carried.academic_year}_{carried.half_term.replace('-', '_')}"
    work.con.execute(f"DROP TABLE IF EXISTS details_{carried.item}")
    work.con.execute(f"DROP TYPE IF EXISTS {kind}")
    work.con.execute(f"CREATE TYPE {kind} AS ENUM ({listed(codes.known)})")
    most = MOST_SESSIONS[carried.half_term][1]
    stack = work.details[carried.item] = Stack(f"details_{carried.item}")
    files = []
    for number, group in enumerate(work.returns):
        for ending, on_roll in (("onroll", True), ("offroll", False)):
            table = DETAILS[carried.item] + ending
            if table not in group.tables:
                continue
            where = work.where[number][table]
            reason, sessions = where["attendancereason"], where["sessions"]
            files.append((
                number, table, on_roll,
                f"{where[CENSUS_TABLES[table].key]} AS key, {where['nativeid']} AS nativeid,"
                # The cast alone would read 1_0 and 1e1 as 10.
                f" CASE WHEN regexp_full_match({sessions}, '{_NUMBER}') THEN TRY_CAST({sessions} AS DOUBLE) END AS s,"
                f" coalesce(TRY_CAST({reason} AS {kind}), TRY_CAST(upper(trim({reason})) AS {kind})) AS c,"
                # 0 good, 1 not a possible number, 2 blank number, 3 unknown or blank code, 4 nothing in it
                f" CASE WHEN {sessions} IS NULL AND {reason} IS NULL THEN 4::TINYINT"
                f" WHEN {sessions} IS NULL THEN 2::TINYINT"
                f" WHEN s IS NULL OR s < 0 OR s <> floor(s) OR s > {most} THEN 1::TINYINT"
                f" WHEN c IS NULL THEN 3::TINYINT ELSE 0::TINYINT END AS fault",
            ))  # fmt: skip
    if not files:
        work.con.execute(
            f"CREATE OR REPLACE TEMP TABLE {stack.name} (in_group INTEGER, key VARCHAR, nativeid VARCHAR, s DOUBLE,"
            f" c {kind}, fault TINYINT)"
        )
        return
    read(work, stack, files)
    if work.is_blocked:
        return
    if work.one(f"SELECT bool_or(fault BETWEEN 1 AND 3) FROM {stack.name}")[0]:
        _report_faults(work, carried, stack)
    for code, count, first in work.all(
        f"SELECT c::VARCHAR, count(*), min(rowid) FROM {stack.name} WHERE fault = 0 AND c IN ({listed(codes.old)})"
        " GROUP BY c, in_group"
    ) if codes.old else []:  # fmt: skip
        work.draft_at(
            "register_code_old", stack, first,
            f"'{code}' had ended by {show_academic_year(carried.academic_year)} half term {carried.half_term};"
            " it keeps its old meaning.",
            column="attendancereason", value=code, count=count,
        )  # fmt: skip


def _report_faults(work: Work, carried: Carried, stack: Stack) -> None:
    """Read faulty files again for the text of the cells that could not be used: rare, so worth a second look."""
    day = session_day(carried.half_term, carried.academic_year)
    codes = codes_on(day)
    for source in stack.sources:
        span = f"d.rowid >= {source.start} AND d.rowid < {source.start + source.rows}"
        if not work.one(f"SELECT count(*) FROM {stack.name} d WHERE {span} AND fault BETWEEN 1 AND 3")[0]:
            continue
        where = work.where[source.return_number][source.table]
        select = f"{where['sessions']} AS sessions, {where['attendancereason']} AS reason"
        work.con.execute(f"CREATE OR REPLACE TEMP TABLE again AS {table_sql(source.file, select)}")
        for fault, sessions, reason, count, first in work.all(
            f"""
            SELECT d.fault, CASE WHEN d.fault = 1 THEN a.sessions END, CASE WHEN d.fault = 3 THEN a.reason END,
                   count(*), min(d.rowid)
            FROM {stack.name} d JOIN again a ON a.rowid + {source.start} = d.rowid
            WHERE d.fault BETWEEN 1 AND 3 AND {span} GROUP BY ALL ORDER BY 5
            """
        ):
            if fault == 1:
                rule, what = _fault_of(sessions, carried)
                work.draft_at(
                    rule, stack, first, f"'{show(sessions)}' {what}",
                    column="sessions", value=show(sessions), count=count, fix="The pupil's row is set aside.",
                )  # fmt: skip
            elif fault == 2:
                work.draft_at("sessions_blank", stack, first,
                               "there is no number of sessions; the row counts for nothing.",
                               column="sessions", count=count)  # fmt: skip
            else:
                says, rule = codes.why_not(reason, day) if reason else _NO_REASON
                work.draft_at(
                    rule, stack, first, says, column="attendancereason", value=show(reason or ""), count=count,
                    allowed=", ".join(codes.in_use), fix="Sessions under this code are set aside.",
                )  # fmt: skip
    fault_rule = (
        "CASE WHEN d.s < 0 THEN 'sessions_negative' WHEN d.s = floor(d.s) THEN 'sessions_too_many'"
        " ELSE 'sessions_not_number' END"
    )
    # A pupil whose sessions cannot be read cannot be counted; one with a stray code can.
    work.con.execute(
        f"""
        INSERT INTO set_aside
        SELECT DISTINCT k.rid, {fault_rule}
        FROM {stack.name} d JOIN keyed k USING (in_group, key, nativeid) WHERE d.fault = 1
        """
    )
    work.con.execute(
        f"INSERT INTO rows_aside SELECT '{carried.item}', rowid,"
        f" CASE WHEN fault = 3 THEN 'register_code' ELSE {fault_rule} END FROM {stack.name} d WHERE fault IN (1, 3)"
    )


def _fault_of(text: str, carried: Carried) -> tuple[str, str]:
    """Return the rule a number of sessions breaks, and what is wrong with it."""
    number, fault = parse_whole(text)
    if fault == "negative":
        return "sessions_negative", "is negative."
    if number is None and not re.fullmatch(r"\s*-?[0-9]+(\.0*)?\s*", text):
        return "sessions_not_number", "is not a whole number."
    most = MOST_SESSIONS[carried.half_term][1]
    return "sessions_too_many", f"sessions do not fit into {half_term_text(carried)}: {most} is the most."


def _check_empty(work: Work, carried: Carried) -> None:
    """Report tables of session rows with a header only, by which everybody with possible sessions was always present."""
    stack, item = work.details[carried.item], carried.item
    for source in stack.sources:
        # A table made from another layout has no rows where nobody missed anything.
        if source.rows or source.file.origin is not None:
            continue
        pupils, totals = work.one(
            f"SELECT count(*) FILTER ({item}possible > 0), count({item}authorised) + count({item}unauthorised)"
            f" FROM pupil WHERE in_group = {source.group} AND rid NOT IN (SELECT rid FROM set_aside)"
        )
        if not pupils or totals:
            continue
        # A few leavers may be left without session rows; a school may not.
        work.draft(
            "file_no_rows" if pupils >= FEWEST_PUPILS else "school_no_reasons", source.file,
            f"the file has a header and no rows, and {pupils} pupil{'s' if pupils > 1 else ''} of the return"
            f" {'have' if pupils > 1 else 'has'} possible sessions in {show_academic_year(carried.academic_year)}"
            f" {half_term_text(carried)}: nobody would have missed anything.",
            count=pupils, fix="Export the session details of the return again.",
        )  # fmt: skip


def _sum_details(work: Work, carried: Carried) -> None:
    """Add the session rows of one half term up for each pupil row, by reason and class."""
    codes = codes_on(session_day(carried.half_term, carried.academic_year))
    name = f"details_{carried.item}"
    # Only codes that occur are summed; most reasons are rare and every sum costs a pass.
    present = {code for (code,) in work.all(f"SELECT DISTINCT c::VARCHAR FROM {name} WHERE fault = 0")}
    wanted = {reason: codes.in_reason(reason) for reason in REASON_COLUMNS}
    wanted |= {f"all_{kind}": codes.in_class(kind) for kind in ("authorised", "unauthorised", "covid")}
    sums = []
    for column, members in wanted.items():
        found = [code for code in members if code in present]
        total = f"coalesce(sum(d.s) FILTER (d.c IN ({listed(found)})), 0)" if found else "0"
        sums.append(f"{total}::INTEGER AS {column}")
    work.con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE summed_{carried.item} AS
        SELECT k.rid, count(*) AS session_rows, bit_or(1::UBIGINT << enum_code(d.c)::UBIGINT) AS code_bits,
               {", ".join(sums)}
        FROM {name} d JOIN keyed k ON k.key = d.key AND k.nativeid = d.nativeid AND k.in_group = d.in_group
        WHERE d.fault = 0 GROUP BY k.rid
        """
    )


def _check_orphans(work: Work, carried: Carried) -> None:
    stack = work.details[carried.item]
    matched = work.one(f"SELECT coalesce(sum(session_rows), 0) FROM summed_{carried.item}")[0]
    good = work.one(f"SELECT count(*) FROM {stack.name} WHERE fault = 0")[0]
    if matched == good:
        return
    work.con.execute(
        "CREATE OR REPLACE TEMP TABLE orphan AS SELECT d.rowid AS row_number, d.in_group, d.nativeid"
        f" FROM {stack.name} d ANTI JOIN pupil p"
        " ON p.key = d.key AND p.nativeid = d.nativeid AND p.in_group = d.in_group WHERE d.fault = 0"
    )
    for native, count, first in work.all(
        "SELECT nativeid, count(*), min(row_number) FROM orphan GROUP BY nativeid, in_group ORDER BY 3"
    ):
        table = "pupilonroll" if stack.find(first)[0].on_roll else "pupilnolongeronroll"
        work.draft_at(
            "session_orphan", stack, first, f"no pupil of school '{show(native or '')}' in {table} has this key.",
            column="nativeid", value=show(native or ""), count=count,
            fix="The row is set aside; export all tables of the return together.",
        )  # fmt: skip
    work.con.execute(f"INSERT INTO rows_aside SELECT '{carried.item}', row_number, 'session_orphan' FROM orphan")
