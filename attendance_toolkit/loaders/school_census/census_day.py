"""Check that a return is of the census it is said to be, or tell which one it is."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from datetime import date

import duckdb

from attendance_toolkit.loaders._return_files import ReturnFiles, column_absent, read_rows, table_sql
from attendance_toolkit.loaders._text import TextFile
from attendance_toolkit.loaders._values import parse_date, show
from attendance_toolkit.loaders.school_census.layouts._dated import DATED_TABLES, TABLES
from attendance_toolkit.loaders.school_census.work import Work
from attendance_toolkit.schema.census import Census, census_from, make_census
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.schema.rules import finding


def guess_census(
    con: duckdb.DuckDBPyConnection, group: ReturnFiles, where: dict[str, dict[str, str]]
) -> tuple[Census | None, Finding]:
    """Return the census a return seems to be, from its columns and newest entry date, and the finding to say so.

    Raises
    ------
    NotReadableError
        The rows cannot be read as CSV.
    """
    main = group.main_table
    file, columns = group.tables[main], where[main]
    newest: date | None = None
    if "entrydate" in columns:
        sql = table_sql(file, columns["entrydate"] + " AS entry")
        days = [parse_date(text)[0] for (text,) in read_rows(con, file, f"SELECT DISTINCT entry FROM ({sql})") if text]
        newest = max((day for day in days if day), default=None)
    if newest is None:
        return None, finding(
            "census_unknown", file.name,
            "it cannot be told which census this is: there is no schoolcensus table and there are no entry dates.",
            fix="Give the census, for example: census 'autumn 2024'.",
        )  # fmt: skip
    if "summerhalfterm2sessionspossible" in columns:
        collection = "autumn"
    elif "ethnicity" in columns:
        collection = "spring"
    else:
        collection = "summer"
    census = make_census(collection, newest.year + (collection != "autumn" and newest.month >= 8))
    if group.layout and collection == "summer":
        # A file of one row a pupil has the same columns in every term: the first census after the date it is.
        census = census_from(newest)
    return census, finding(
        "census_guessed", file.name,
        f"read as the {census.label} census, from its columns and the newest entry date, {newest.isoformat()}.",
        fix="Give the schoolcensus table, or the census, if that is wrong.",
    )  # fmt: skip


def check_census(work: Work) -> None:
    """Check that columns and dates of each return are those of the census it is said to be."""
    census = work.census
    dates: dict[int, list[tuple[date, int, int, str]]] = {}
    for column in ("entrydate", "leavingdate"):
        for text, in_group, count, first in work.all(
            f"SELECT {column}, in_group, count(*), min(rowid) FROM raw_pupil WHERE {column} IS NOT NULL GROUP BY 1, 2"
        ):
            day, _ = parse_date(text)
            if day:
                dates.setdefault(in_group // 2, []).append((day, count, first, column))
    for number, group in enumerate(work.returns):
        main = group.main_table
        has_half_term = "summerhalfterm2sessionspossible" in work.where[number][main]
        # An October file of one row a pupil may carry the first half of the summer term alone.
        may_lack = group.layout.startswith("flat")
        if has_half_term != (census.collection == "autumn") and (has_half_term or not may_lack):
            work.draft(
                "census_wrong_columns", group.tables[main],
                f"the return is said to be the {census.label} census but {'has' if has_half_term else 'lacks'} the"
                " column 'summerhalfterm2sessionspossible', which only the autumn census has.",
                record=-1, column="summerhalfterm2sessionspossible",
                fix="Check which census the extract was taken from.",
            )  # fmt: skip
        _check_age_of_columns(work, number)
        _check_ethnicity(work, number)
        # An XML return says itself which census it is, and in a small school nobody may have joined for years.
        _check_dates(work, group.tables[main], dates.get(number, []), is_sure=group.layout == "xml")


def _check_age_of_columns(work: Work, number: int) -> None:
    """Report columns that did not exist yet when a census of that age was taken."""
    census, group = work.census, work.returns[number]
    main = group.tables[group.main_table]
    new = [(name, first) for name, first in group.since if first.sequence > census.sequence]
    if not group.layout:
        new = TABLES.too_new([c for c in main.columns if c in DATED_TABLES], census)
    for name, first in new[:1]:
        others = f" and {len(new) - 1} more" if len(new) > 1 else ""
        work.draft(
            "census_wrong_columns", main,
            f"the return is said to be the {census.label} census, but the column '{show(name)}'{others} came with"
            f" that of {first.label}.",
            record=-1, column=name, fix="Check which census the extract was taken from.",
        )  # fmt: skip


def _check_ethnicity(work: Work, number: int) -> None:
    """Report a spring return without ethnicity, which the spring census alone collects."""
    file = work.returns[number].tables.get("pupilonroll")
    if work.census.collection != "spring" or file is None or "ethnicity" in work.where[number]["pupilonroll"]:
        return
    if file.origin is None or "ethnicity" not in file.origin.unheard:
        absent = column_absent(file, "ethnicity", [cell.strip().lower() for cell in file.header])
        work.draft(absent.rule, file, absent.says, record=-1, column=absent.column)


def _check_dates(work: Work, file: TextFile, dates: list[tuple[date, int, int, str]], *, is_sure: bool) -> None:
    census = work.census
    late = [entry for entry in dates if entry[0] > census.day]
    late_rows, all_rows = sum(e[1] for e in late), sum(e[1] for e in dates)
    fix = "Check which census the extract was taken from."
    if late_rows >= max(2, 0.005 * all_rows):
        day, _, first, column = min(late, key=lambda entry: entry[2])
        work.draft_at(
            "census_wrong_dates", work.pupils, first,
            f"pupils joined or left after the {census.label} census day, {census.day.isoformat()}:"
            f" the latest on {max(entry[0] for entry in late).isoformat()}.",
            column=column, value=day.isoformat(), count=late_rows, fix=fix,
        )  # fmt: skip
        return
    for day, count, first, column in late:
        work.draft_at(
            "entry_after_census", work.pupils, first,
            f"{day.isoformat()} is after the census day, {census.day.isoformat()}.",
            column=column, value=day.isoformat(), count=count,
        )  # fmt: skip
    newest = max((entry[0] for entry in dates), default=None)
    if newest and not is_sure and (census.day - newest).days > 300:
        work.draft(
            "census_wrong_dates", file,
            f"nobody joined or left in the 300 days before the {census.label} census day,"
            f" {census.day.isoformat()}: the latest was {newest.isoformat()}.",
            column="entrydate", value=newest.isoformat(), fix=fix,
        )  # fmt: skip
