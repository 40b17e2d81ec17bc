"""What one file gives, and the SQL that makes it: cells, rates, symbols and rows of schools."""

# ruff: noqa: S608 - SQL is put together from our own text; names and values of a file pass column() and quoted().

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from attendance_toolkit.loaders.published._files import Source, reject
from attendance_toolkit.loaders.published._values import Cells, area_join, number_of, quoted, text_of
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, CELL_COUNTS, PUBLISHED_GROUPS, REASON_COLUMNS

#: DfE's names of school types and phases under every layout.
PHASES = {
    "State-funded primary": "Primary",
    "State-funded secondary": "Secondary",
    "Special": "Special",
    "State-funded special": "Special",
    "State-funded special school": "Special",
    "Primary": "Primary",
    "Secondary": "Secondary",
    "Total": ALL_SCHOOLS,
    "All schools": ALL_SCHOOLS,
    "Pupil Referral Unit": "Pupil referral unit",
    "State-funded alternative provision": "Pupil referral unit",
    "State-funded AP school": "Pupil referral unit",
}

#: SQL of a number that a file does not have.
NO_NUMBER = "CAST(NULL AS DOUBLE)"

#: Counts that only the rows of schools have.
MISSED_ANY_COLUMNS = (
    "missed_any",
    "missed_any_authorised",
    "missed_any_unauthorised",
    *(name.replace("sessions_", "missed_any_", 1) for name in REASON_COLUMNS),
    "missed_any_auth_ext_holiday",
)
SCHOOL_COUNTS = (*CELL_COUNTS, "sessions_overall", *MISSED_ANY_COLUMNS)
#: What names a school besides the groups.
SCHOOL_NAMES = ("laestab", "urn", "school_name", "academy_type")


@dataclass
class Part:
    """What one file gave. Every table carries ``source_file`` and ``source_row``."""

    cells: pa.Table | None = None
    rates: pa.Table | None = None
    symbols: pa.Table | None = None
    schools: pa.Table | None = None
    school_symbols: pa.Table | None = None
    rows: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows not read, by reason."""


def phase_column(source: Source) -> str | None:
    """Return the name of the column with the school type, which changed over the years."""
    known = ("school_type", "education_phase", "phase_type_grouping")
    return next((name for name in known if name in source.first), None)


def groups(**given: str) -> str:
    """Return the SQL select list of PUBLISHED_GROUPS; a group that is not given is "All"."""
    return ", ".join(f"{given.get(name, quoted(ALL))} AS {name}" for name in PUBLISHED_GROUPS)


def arrow(con: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """Return the result of a query."""
    return con.sql(query).to_arrow_table()


def join_areas(con: duckdb.DuckDBPyConnection, source: Source, *, level: str = "geographic_level") -> None:
    """Make the table ``places`` from the area columns a file has under their standard names."""
    has = {name: name if name in source.first else None for name in
           ("old_la_code", "new_la_code", "region_code", "country_code")}  # fmt: skip
    area_join(
        con,
        source,
        level=level,
        dfe_code=has["old_la_code"],
        la_code=has["new_la_code"],
        region=has["region_code"],
        country=has["country_code"],
    )


def cells_table(
    con: duckdb.DuckDBPyConnection, select: str, counts: Mapping[str, str], source: Source, where: str = "TRUE"
) -> pa.Table:
    """Return CELLS of the joined table: the counts given, NULL for those the file does not have."""
    chosen = ", ".join(f"CAST({counts.get(name, 'NULL')} AS BIGINT) AS {name}" for name in CELL_COUNTS)
    return arrow(
        con,
        f"SELECT {select}, {chosen}, {quoted(source.name)} AS source_file, source_row"
        f" FROM raw JOIN places USING (place) WHERE {where} ORDER BY source_row",
    )


def symbols_table(
    con: duckdb.DuckDBPyConnection,
    select: str,
    cells: Cells,
    counts: Mapping[str, str],
    source: Source,
    where: str = "TRUE",
) -> pa.Table | None:
    """Return one row per count that has a symbol in place of a number; ``counts``: our name -> file's."""
    parts = [
        f"SELECT {select}, {quoted(ours)} AS count, {cells.symbol_of(theirs)} AS symbol,"
        f" {quoted(source.name)} AS source_file, source_row FROM raw JOIN places USING (place)"
        f" WHERE {where} AND {cells.symbol_of(theirs)} <> ''"
        for ours, theirs in counts.items()
        if theirs in cells.symbols
    ]
    return arrow(con, " UNION ALL ".join(parts) + " ORDER BY source_row, count") if parts else None


def school_names(source: Source) -> str:
    """Return the SQL of SCHOOL_NAMES; names differ between layouts, and a missing one is NULL or ''."""
    columns = source.first

    def first_of(*names: str) -> str:
        return next((text_of(name) for name in names if name in columns), "''")

    return (
        f"try_cast({first_of('laestab', 'school_laestab')} AS BIGINT) AS laestab,"
        f" try_cast({first_of('urn', 'school_urn')} AS BIGINT) AS urn,"
        f" {first_of('school_name')} AS school_name, {first_of('academy_type')} AS academy_type"
    )


def schools_table(
    con: duckdb.DuckDBPyConnection, select: str, counts: Mapping[str, str], source: Source
) -> pa.Table | None:
    """Return the rows of single schools: groups, SCHOOL_NAMES and SCHOOL_COUNTS."""
    chosen = ", ".join(f"CAST({counts.get(name, 'NULL')} AS BIGINT) AS {name}" for name in SCHOOL_COUNTS)
    table = arrow(
        con,
        f"SELECT {select}, {school_names(source)}, {chosen}, {quoted(source.name)} AS source_file, source_row"
        " FROM raw JOIN places USING (place) WHERE area_level = 'School' ORDER BY source_row",
    )
    return table if table.num_rows else None


def split_by_level(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    part: Part,
    select: str,
    cells: Cells,
    values: Mapping[str, str],
    columns: Mapping[str, str],
    *,
    school_values: Mapping[str, str] | None = None,
    school_columns: Mapping[str, str] | None = None,
) -> None:
    """Fill a part with the cells of areas and the rows of schools, and the symbols of both.

    Parameters
    ----------
    values
        Our count -> its SQL.
    columns
        Our count -> the file's column, for its symbols.
    school_values, school_columns
        Further counts that only the rows of schools keep.
    """
    area = "area_level <> 'School'"
    part.cells = cells_table(con, select, values, source, area)
    part.symbols = symbols_table(con, select, cells, columns, source, area)
    if "laestab" in source.first or "school_laestab" in source.first:
        part.schools = schools_table(con, select, {**values, **(school_values or {})}, source)
        wide = f"{select}, {school_names(source)}"
        all_columns = {**columns, **(school_columns or {})}
        part.school_symbols = symbols_table(con, wide, cells, all_columns, source, "area_level = 'School'")


def check_schools(con: duckdb.DuckDBPyConnection, source: Source, level: str = "geographic_level") -> None:
    """Set rows of schools aside that have no seven-digit LAESTAB, or raise."""
    name = next((n for n in ("laestab", "school_laestab") if n in source.first), "")
    is_school = f"lower({text_of(level)}) = 'school'"
    bad = f"{is_school} AND NOT regexp_full_match({text_of(name)}, '[0-9]{{7}}')" if name else is_school
    shown = text_of(name) if name else "''"
    for (text,) in con.execute(f"SELECT DISTINCT {shown} FROM raw WHERE {bad} ORDER BY 1").fetchall():
        allowed = "a school's seven-digit LAESTAB"
        where = f"({bad}) AND {shown} = ?"
        reject(con, source, "published_area", where, [text], column=name or level, value=text, allowed=allowed)


def rates_table(con: duckdb.DuckDBPyConnection, parts: list[str], source: Source) -> pa.Table:
    """Return MEASURE rows of several selects of: groups, measure, numerator, denominator, percent, ...

    Counts are given only where they reproduce the published rate: the totals of the attendance series
    are weighted by census headcount, so their counts divide to another figure.
    """
    union = " UNION ALL ".join(parts)
    return arrow(
        con,
        "SELECT * EXCLUDE (numerator, denominator, percent),"
        " CASE WHEN agrees THEN numerator END AS numerator, CASE WHEN agrees THEN denominator END AS denominator,"
        " CAST(NULL AS DOUBLE) AS lower, CAST(NULL AS DOUBLE) AS upper, "
        f"{quoted(source.name)} AS source_file FROM ("
        "SELECT *, CASE WHEN percent IS NULL AND symbol = '' THEN numerator / denominator ELSE percent / 100 END"
        " AS rate, coalesce(denominator > 0 AND abs(numerator / denominator - rate) < 1e-9, FALSE) AS agrees"
        f" FROM ({union})) ORDER BY source_row, measure, reason",
    )


def rate_select(
    select: str,
    measure: str,
    *,
    numerator: str = NO_NUMBER,
    denominator: str = NO_NUMBER,
    percent: str = NO_NUMBER,
    symbol: str = "''",
    reason: str = ALL,
    printed: str = "''",
    decimals: int | str | None = None,
    where: str = "TRUE",
    table: str = "raw JOIN places USING (place)",
) -> str:
    """Return one select for ``rates_table``. Without ``percent`` the counts give the rate; ``decimals`` may be SQL."""
    shown = "CAST(NULL AS INTEGER)" if decimals is None else str(decimals)
    return (
        f"SELECT {select}, {quoted(measure)} AS measure, {numerator} AS numerator, {denominator} AS denominator,"
        f" {percent} AS percent, {symbol} AS symbol, {quoted(reason)} AS reason, {printed} AS printed,"
        f" {shown} AS decimals, source_row FROM {table} WHERE {where}"
    )


def check_sum(con: duckdb.DuckDBPyConnection, source: Source, total: str, terms: tuple[str, ...]) -> None:
    """Set rows aside whose total is not the sum of its parts, or raise; rows that lack one are left alone."""
    added = " + ".join(number_of(name) for name in terms)
    where = f"{number_of(total)} <> {added}"
    row = con.execute(f"SELECT {text_of(total)} FROM raw WHERE {where} ORDER BY source_row LIMIT 1").fetchone()
    if row:
        allowed = f"the sum of {' and '.join(terms)}"
        reject(con, source, "published_parts", where, [], column=total, value=str(row[0]), allowed=allowed)
