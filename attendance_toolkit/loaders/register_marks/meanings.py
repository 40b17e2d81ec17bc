"""What the distinct dates, session words, codes and schools of a register mean, and what is wrong with them."""

# Table names in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

import duckdb

from attendance_toolkit.loaders._values import laestab_of, parse_date, parse_whole, show
from attendance_toolkit.loaders.register_marks.columns import (
    check_year,
    is_month_first,
    is_weekday,
    read_day,
    session_words,
)
from attendance_toolkit.loaders.register_marks.marks import put
from attendance_toolkit.loaders.register_marks.reading import Source
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.vocabulary.areas import area_of_laestab
from attendance_toolkit.vocabulary.calendar import academic_year_of, show_academic_year
from attendance_toolkit.vocabulary.register_codes import all_register_codes

_KNOWN = frozenset(row.code for row in all_register_codes())
_BLANK = frozenset({"", "-"})


def tally(con: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Count the marks of a source by school and day, by session and by code: all that is known before adding up."""
    n = source.number
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE code_{n} AS SELECT code AS raw, count(*) AS marks FROM {source.view} GROUP BY 1"
    )
    rows = con.execute(f"SELECT raw, marks FROM code_{n}").fetchall()
    codes = [read_code(raw) for raw, _ in rows]
    put(con, f"code_{n}", {"raw": [r for r, _ in rows], "marks": [m for _, m in rows], "code": codes,
                           "is_mark": [c is not None and c not in _BLANK and c not in ("#", "Z") for c in codes]},
        {"raw": "text", "marks": "long", "code": "text", "is_mark": "flag"})  # fmt: skip
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE school_day_{n} AS
        SELECT v.school, v.d, count(*) FILTER (c.is_mark) AS marks
        FROM {source.view} v LEFT JOIN code_{n} c ON c.raw = v.code GROUP BY ALL
        """
    )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE session_{n} AS SELECT s AS raw, count(*) AS marks FROM {source.view} GROUP BY 1"
    )


def read_code(text: str) -> str | None:
    """Return the register code of a cell: "" when blank, None when it is no code.

    >>> read_code(" i "), read_code(""), read_code("1")
    ('I', '', None)
    """
    code = text.strip().upper()
    return code if code in _KNOWN or not code else None


def is_mangled(text: str) -> bool:
    """Whether a spreadsheet seems to have turned a code into a number, date or truth value.

    >>> is_mangled("1"), is_mangled("01-Jan"), is_mangled("45292"), is_mangled("?")
    (True, True, True, False)
    """
    cell = text.strip()
    return bool(re.fullmatch(r"-?\d+(\.\d+)?|#[A-Z/0]+[!?]?|TRUE|FALSE", cell, re.IGNORECASE)) or bool(
        re.fullmatch(r"\d{1,2}-[A-Za-z]{3}|[A-Za-z]{3}-\d\d", cell) or parse_date(cell)[0]
    )


# -- days --


def map_days(con: duckdb.DuckDBPyConnection, source: Source, *, asked_year: int | None, today: date) -> list[Finding]:
    """Make ``day_n``, and return what is wrong with dates as a whole; single ones are found with their rows."""
    n = source.number
    texts = [t for (t,) in con.execute(f"SELECT DISTINCT d::VARCHAR FROM school_day_{n}").fetchall()]
    written = {t: source.layout.sessions[int(t)][0] if source.layout.is_wide else t or "" for t in texts}
    found: list[Finding] = []
    if is_month_first(list(written.values())):
        example = next(t for t in written.values() if read_day(t)[2] in ("month first", "unclear"))
        return [
            finding("date_month_first", source.name, f"dates such as '{show(example)}' are written with the month first.",
                    column=source.column_of("date", next(iter(texts))), value=show(example),
                    fix="Export them as 2024-09-13, or with the day first.")
        ]  # fmt: skip
    rows: dict[str, list] = {name: [] for name in ("text", "day", "session", "rule", "style")}
    years: dict[int, bool] = {}
    for text, shown in written.items():
        day, session, style = read_day(shown)
        rule = ""
        if source.layout.is_wide:
            session, weekday = source.layout.sessions[int(text)][1:]
            if day is None or not is_weekday(day, weekday):
                found.append(
                    finding("session_header", source.name, f"'{show(source.header[int(text)])}' is not a day that exists.",
                            row=1, column=source.header[int(text)][:40], fix="Correct the header of the column.")
                )  # fmt: skip
        if day is None:
            rule = "date_unreadable"
        else:
            years[academic_year_of(day)] = fits = check_year(academic_year_of(day), today)
            if not fits or (asked_year and academic_year_of(day) != asked_year):
                day, rule = None, "mark_year"
        for name, value in zip(rows, (text, day, session or None, rule, style), strict=True):
            rows[name].append(value)
    put(con, f"day_text_{n}", rows, {"text": "text", "day": "day", "session": "text", "rule": "text", "style": "text"})
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE day_{n} AS SELECT d.raw, t.text, t.day, t.session, t.rule FROM"
        f" (SELECT DISTINCT d AS raw FROM school_day_{n}) d LEFT JOIN day_text_{n} t ON t.text = d.raw::VARCHAR"
    )
    return found + _check_years(source, years, asked_year) + _say_styles(source, rows, written)


def _check_years(source: Source, years: Mapping[int, bool], asked_year: int | None) -> list[Finding]:
    if not years or any(fits and asked_year in (None, year) for year, fits in years.items()):
        return []
    shown = ", ".join(show_academic_year(year) for year in sorted(years))
    why = f"but {show_academic_year(asked_year)} was asked for" if asked_year else "which cannot be"
    return [
        finding("mark_wrong_year", source.name, f"the marks are of {shown}, {why}.",
                column=source.column_of("date", next(iter(source.layout.sessions), None)),
                fix="Check the dates of the export." if not asked_year else "Give the right year or the right file.")
    ]  # fmt: skip


def _say_styles(source: Source, rows: Mapping[str, list], written: Mapping[str, str]) -> list[Finding]:
    """Say once how dates were read where that is not certain."""
    if source.layout.is_wide:
        return []
    found = []
    styles = dict(zip(rows["text"], rows["style"], strict=True))
    for style, rule, says in (
        ("serial", "date_spreadsheet", "is a spreadsheet's day number; it was turned back into a date."),
        ("unclear", "date_day_first", "was read with the day first; nothing in the file shows which comes first."),
    ):
        texts = [text for text, kind in styles.items() if kind == style]
        # One date with a day above 12 shows the order of all.
        if texts and not (style == "unclear" and "day first" in styles.values()):
            found.append(
                finding(rule, source.name, f"'{show(written[texts[0]])}' {says}", column=source.column_of("date"),
                        value=show(written[texts[0]]), count=len(texts))
            )  # fmt: skip
    return found


# -- sessions, codes, schools --


def map_sessions(con: duckdb.DuckDBPyConnection, source: Source) -> list[Finding]:
    """Make ``session_n``; a file that nowhere says which session a mark is of cannot be used."""
    n = source.number
    raws = [r for (r,) in con.execute(f"SELECT raw FROM session_{n}").fetchall()]
    words = session_words(raws)
    put(con, f"session_{n}", {"raw": raws, "session": [words[r] for r in raws]}, {"raw": "text", "session": "text"})
    told = con.execute(
        f"SELECT (SELECT count(session) FROM session_{n}) + (SELECT count(session) FROM day_{n})"
    ).fetchall()[0][0]
    if told:
        return []
    return [
        finding("column_missing", source.name, "nothing says which marks are of the morning and which of the afternoon.",
                column="session", allowed="AM and PM, A and P, M and A, 1 and 2, or a time with the date",
                fix="Add a column 'session'.")
    ]  # fmt: skip


def map_schools(con: duckdb.DuckDBPyConnection, source: Source, *, la: str, by_urn: Mapping[int, int]) -> None:
    """Make ``school_n``: which LAESTAB each text that names a school means; null when it cannot be told."""
    n = source.number
    rows: dict[str, list] = {name: [] for name in ("text", "laestab", "la_code")}
    for (text,) in con.execute(f"SELECT DISTINCT school::VARCHAR FROM school_day_{n}").fetchall():
        laestab = _laestab(text or "", source, la, by_urn)
        area = area_of_laestab(laestab) if laestab else None
        rows["text"].append(text)
        rows["laestab"].append(laestab if area else None)
        rows["la_code"].append(area.code if area else None)
    put(con, f"school_text_{n}", rows, {"text": "text", "laestab": "int", "la_code": "text"})
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE school_{n} AS SELECT d.raw, t.text, t.laestab, t.la_code FROM"
        f" (SELECT DISTINCT school AS raw FROM school_day_{n}) d LEFT JOIN school_text_{n} t ON t.text = d.raw::VARCHAR"
    )


def _laestab(text: str, source: Source, la: str, by_urn: Mapping[int, int]) -> int | None:
    roles = source.layout.roles
    number, _ = parse_whole(text)
    if "laestab" not in roles and "estab" not in roles and "urn" in roles:
        return by_urn.get(number or 0)
    if "estab" in roles and "laestab" not in roles:
        lea, _, estab = text.rpartition("/")
        estab = re.sub(r"\.0$", "", estab.strip())
        # Some systems write all seven digits into the column of the establishment.
        return laestab_of({"lea": re.sub(r"\.0$", "", lea.strip()) or la, "estab": estab}, "") or laestab_of({}, estab)
    return laestab_of({"laestab": re.sub(r"[\s\-]", "", text)}, "")
