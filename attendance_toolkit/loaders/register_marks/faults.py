"""Find the rows whose marks cannot be used, and say of each what is wrong with it."""

# Table names in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

import duckdb

from attendance_toolkit.loaders._values import UPN_FINDINGS, codes_on, show
from attendance_toolkit.loaders.register_marks.marks import NEW_CODE, WEEKEND, Marks
from attendance_toolkit.loaders.register_marks.meanings import is_mangled
from attendance_toolkit.loaders.register_marks.reading import Source
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.store.keys import UPN_STATES
from attendance_toolkit.vocabulary.calendar import NEW_CODES_FROM

#: Findings of one rule and file that differ by value: more than this many are added up.
MOST_VALUES = 25
_BLANKS = "v.code NOT IN ('', '-') AND trim(v.code) NOT IN ('', '-')"


def make_table(con: duckdb.DuckDBPyConnection) -> None:
    """Make ``marks_aside``: the marks that are not used, once for each rule they break."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE marks_aside (source INTEGER, rid BIGINT, d VARCHAR, rule VARCHAR, value VARCHAR)"
    )


def find_faults(marks: Marks, source: Source) -> list[Finding]:
    """Add the marks of a source that cannot be used to ``marks_aside`` and return a finding for each value."""
    n = source.number
    if not _suspects(marks, n):
        return []
    con = marks.con
    inserts = {
        "upn": f"""
            SELECT v.rid, v.d, ['', {", ".join(f"'{rule}'" for rule in UPN_STATES[1:])}][u.state + 1], NULL
            FROM {source.view} v JOIN map_upn u ON u.code = upper(trim(v.upn)) AND u.state > 0 WHERE {_BLANKS}""",
        "day": f"""
            SELECT v.rid, v.d, d.rule, d.text FROM {source.view} v
            JOIN day_{n} d ON d.raw IS NOT DISTINCT FROM v.d AND coalesce(d.rule, 'date_unreadable') <> '' WHERE {_BLANKS}""",
        "session": f"""
            SELECT v.rid, v.d, 'session_unknown', v.s FROM {source.view} v
            JOIN day_{n} d ON d.raw = v.d AND d.session IS NULL
            JOIN session_{n} s ON s.raw = v.s AND s.session IS NULL WHERE {_BLANKS}""",
        "school": f"""
            SELECT v.rid, v.d, 'school_unknown', v.school::VARCHAR FROM {source.view} v
            JOIN school_{n} k ON k.raw IS NOT DISTINCT FROM v.school AND k.laestab IS NULL WHERE {_BLANKS}""",
        "code": f"""
            SELECT v.rid, v.d, 'register_code', v.code FROM {source.view} v
            JOIN code_{n} c ON c.raw = v.code AND c.code IS NULL WHERE {_BLANKS}""",
        "mark": f"""
            SELECT v.rid, v.d, CASE WHEN m.fault = {NEW_CODE} THEN 'register_code_new' ELSE 'mark_weekend' END,
                   CASE WHEN m.fault = {NEW_CODE} THEN v.code ELSE m.day::VARCHAR END
            FROM {source.view} v JOIN (SELECT DISTINCT d, s, c, day, fault FROM mark_{n} WHERE fault > 0) m
            ON m.d = v.d AND m.s = v.s AND m.c = v.code""",
    }
    assert WEEKEND > NEW_CODE
    for kind in _needed(marks, n):
        con.execute(
            f"INSERT INTO marks_aside SELECT {n}, rid, d::VARCHAR, rule, value FROM ({inserts[kind]}) t (rid, d, rule, value)"
        )
    return _say(marks, source)


def _suspects(marks: Marks, n: int) -> bool:
    bad = marks.all(
        f"SELECT count(*) FROM mark_groups g LEFT JOIN map_upn u ON u.code = upper(trim(g.upn))"
        f" WHERE g.source = {n} AND (g.worst > 0 OR g.known < g.marks OR u.state > 0)"
    )[0][0]
    return bool(bad or marks.all(f"SELECT count(*) FROM school_{n} WHERE laestab IS NULL")[0][0])


def _needed(marks: Marks, n: int) -> list[str]:
    """Return which kinds of fault a source has at all, so that it is not read for the others."""
    asks = {
        "upn": f"SELECT count(*) FROM mark_groups g JOIN map_upn u ON u.code = upper(trim(g.upn)) WHERE g.source = {n}"
               " AND u.state > 0",
        "day": f"SELECT count(*) FROM day_{n} WHERE day IS NULL",
        "session": f"SELECT count(*) FROM session_{n} WHERE session IS NULL AND EXISTS"
                   f" (SELECT 1 FROM day_{n} WHERE session IS NULL)",
        "school": f"SELECT count(*) FROM school_{n} WHERE laestab IS NULL",
        "code": f"SELECT count(*) FROM code_{n} WHERE code IS NULL",
        "mark": f"SELECT count(*) FROM mark_groups WHERE source = {n} AND worst > 0",
    }  # fmt: skip
    return [kind for kind, sql in asks.items() if marks.all(sql)[0][0]]


_COLUMNS = {
    "date_unreadable": "date", "mark_year": "date", "mark_weekend": "date", "session_unknown": "session",
    "school_unknown": "laestab", "register_code": "code", "register_code_new": "code",
}  # fmt: skip


def _say(marks: Marks, source: Source) -> list[Finding]:
    rows = marks.all(
        f"SELECT rule, value, count(*), min(rid), arg_min(d, rid) FROM marks_aside WHERE source = {source.number}"
        " GROUP BY ALL ORDER BY rule, 4"
    )
    by_rule: dict[str, list[tuple]] = {}
    for rule, value, count, first, d in rows:
        mangled = rule == "register_code" and is_mangled(value or "")
        by_rule.setdefault("mark_spreadsheet" if mangled else rule, []).append((value, count, first, d))
    found = []
    for rule, values in by_rule.items():
        for value, count, first, d in values[:MOST_VALUES]:
            says, allowed, fix = _words(rule, value or "")
            role = _COLUMNS.get(rule, "code" if rule == "mark_spreadsheet" else "upn")
            shown = None if value is None else show(value)
            found.append(
                finding(rule, source.name, says, row=source.first_line + first, column=_column(source, role, d), value=shown,
                        allowed=allowed, fix=fix, count=count)
            )  # fmt: skip
        rest = values[MOST_VALUES:]
        if rest:
            found.append(
                finding(rule, source.name, f"{len(rest)} more values like these.",
                        row=source.first_line + min(first for _, _, first, _ in rest), count=sum(c for _, c, _, _ in rest))
            )  # fmt: skip
    return found


def _column(source: Source, role: str, d: str | None) -> str | None:
    if role == "laestab":
        return next((c for r in ("laestab", "estab", "urn") if (c := source.column_of(r))), None)
    # The column of a UPN is called so in findings, where its values are masked.
    return "upn" if role == "upn" else source.column_of(role, d)


def _words(rule: str, value: str) -> tuple[str, str, str]:
    """Return what is wrong, what is allowed and how to put it right."""
    shown = show(value)
    if rule in UPN_FINDINGS:
        says, fix = UPN_FINDINGS[rule]
        return says, "", fix.replace("The row is", "Its marks are")
    aside = "The mark is set aside."
    return {
        "date_unreadable": (f"'{shown}' is not a date that can be read with certainty.", "",
                            f"Write dates as 2024-09-09. {aside}"),
        "mark_year": (f"'{shown}' is not a day that marks can be of.", "", f"{aside} Check the year."),
        "mark_weekend": (f"{shown} is a weekend.", "", f"{aside} Correct the date, or ask the school."),
        "session_unknown": (f"'{shown}' is not a session.", "AM, PM", aside),
        "school_unknown": (f"'{shown}' is not the LAESTAB of a school of a known local authority.", "",
                           f"Give the seven-digit LAESTAB. {aside}"),
        "register_code": (f"'{shown}' is not a register code.", ", ".join(codes_on(NEW_CODES_FROM).in_use), aside),
        "mark_spreadsheet": (f"'{shown}' is what a spreadsheet makes of a register code.", "",
                             f"Export again and do not open the file in a spreadsheet before loading it. {aside}"),
        "register_code_new": (f"'{shown}' did not exist on the day.", "", aside),
    }[rule]  # fmt: skip
