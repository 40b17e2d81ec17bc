"""What the checks across returns share: the rows, the schools, and the findings they make."""

# Table names in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import duckdb
import pandas as pd

from attendance_toolkit.schema.coverage import (
    MARK_COLUMNS,
    SOURCE_COLUMNS,
    expected_schools,
    school_terms_sql,
    unmatched_sql,
)
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.store.parts import make_collected_tables
from attendance_toolkit.vocabulary.areas import find_area
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, show_academic_year

#: Schools named in one finding; more are counted.
MOST_NAMED = 8
#: Name of the table or view with the rows of all returns and of the store.
ROWS = "across_rows"


@dataclass
class Across:
    """The rows of all returns and the store, reduced to schools, and the findings made so far."""

    con: duckdb.DuckDBPyConnection
    terms: pd.DataFrame
    """Rows of ``school_terms_sql``."""
    unmatched: pd.DataFrame
    rolls: pd.DataFrame
    """``laestab``, ``pupils`` on roll in the newest census of this call, ``census``."""
    schools: pd.DataFrame
    """Schools of the list, all of them; ``laestab`` is a whole number."""
    expected: pd.DataFrame
    """Those of them that should send a census."""
    file: str
    findings: list[Finding] = field(default_factory=list)
    marks: list[dict[str, object]] = field(default_factory=list)

    def note(
        self,
        rule: str,
        la_code: str,
        academic_year: int,
        term: str,
        says: str,
        *,
        schools: Iterable[int] = (),
        count: int | None = None,
        fix: str = "",
    ) -> None:
        """Make one finding about an authority and a term; ``says`` follows the names of both."""
        named = sorted(int(s) for s in schools)
        when = (
            f"{TERM_LABELS[term].lower()} {show_academic_year(academic_year)}"
            if term
            else show_academic_year(academic_year)
        )
        text = f"{find_area(la_code).name}, {when}: {says}"
        value = None
        if named:
            value = ", ".join(map(str, named[:MOST_NAMED]))
            more = len(named) - MOST_NAMED
            text += f" ({value}{f' and {more} more' if more > 0 else ''})."
        self.findings.append(
            finding(
                rule, self.file, text, value=value,
                count=count if count is not None else max(len(named), 1), fix=fix,
            )
        )  # fmt: skip
        self.marks.append(dict(zip(MARK_COLUMNS, (rule, la_code, academic_year, term, len(named), text), strict=True)))

    def marks_frame(self) -> pd.DataFrame:
        """Return the marks as ``Coverage.marks``."""
        return pd.DataFrame(self.marks, columns=list(MARK_COLUMNS))


def gather(
    con: duckdb.DuckDBPyConnection,
    schools: pd.DataFrame | None,
    earlier: duckdb.DuckDBPyRelation | None,
    file: str,
) -> Across:
    """Bring the rows of this call and of the store together and reduce them."""
    _gather_rows(con, earlier)
    listed = _whole(schools)
    return Across(
        con,
        _with_phases(con.execute(school_terms_sql(ROWS)).df(), listed),
        con.execute(unmatched_sql(ROWS)).df(),
        con.execute(_ROLLS).df(),
        listed,
        expected_schools(listed),
        file,
    )


def _gather_rows(con: duckdb.DuckDBPyConnection, earlier: duckdb.DuckDBPyRelation | None) -> None:
    """Make the rows of census returns, of registers, and of the store, each half term of a school from one of them."""
    columns = ", ".join(SOURCE_COLUMNS)
    make_collected_tables(con)
    con.execute(f"CREATE OR REPLACE TEMP VIEW census_rows AS SELECT {columns} FROM session_parts")
    # Transfer files and downloads hold some pupils of a school, or no half terms: they say nothing about a school.
    con.execute(
        f"CREATE OR REPLACE TEMP VIEW register_rows AS SELECT {columns} FROM collected_parts WHERE collection = 'register'"
    )
    views = ["census_rows", "register_rows"]
    if earlier is not None:
        earlier.create_view("stored_rows", replace=True)
        for view, which in (("stored_census", "is_census"), ("stored_others", "NOT is_census")):
            con.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT {columns} FROM stored_rows WHERE {which}")
        # As in the store: the census before registers, whenever they came.
        views = ["census_rows", "stored_census", "register_rows", "stored_others"]
    con.execute(
        "CREATE OR REPLACE TEMP TABLE given (source VARCHAR, laestab INTEGER, academic_year INTEGER, half_term VARCHAR)"
    )
    for view in views:
        # A half term of a school that one source has is not taken from a later one, whatever span the later gives it in.
        con.execute(
            f"""
            INSERT INTO given
            SELECT '{view}', e.* FROM (SELECT DISTINCT laestab, academic_year, half_term FROM {view}) e
            ANTI JOIN given g ON g.laestab = e.laestab AND g.academic_year = e.academic_year
                AND left(e.half_term, 1) <= right(g.half_term, 1) AND right(e.half_term, 1) >= left(g.half_term, 1)
            """
        )
    parts = (
        f"SELECT {columns} FROM {view} SEMI JOIN (SELECT * FROM given WHERE source = '{view}')"
        " USING (laestab, academic_year, half_term)"
        for view in views
    )
    con.execute(f"CREATE OR REPLACE TEMP VIEW {ROWS} AS {' UNION ALL '.join(parts)}")


#: ``place`` holds (the census's number * 2 + off the roll) * 4 + status, then seven digits of the school.
_ROLLS = """
    WITH given AS (
        SELECT laestab, any_value(la_code) AS la_code, census, max(place) AS place,
               count(DISTINCT upn) FILTER (place // 40000000 % 2 = 0) AS pupils
        FROM record_parts WHERE census SIMILAR TO '.*-(autumn|spring|summer)' GROUP BY laestab, census
    )
    SELECT laestab, arg_max(la_code, place) AS la_code, arg_max(census, place) AS census, arg_max(pupils, place) AS pupils
    FROM given GROUP BY laestab ORDER BY laestab
"""


def _with_phases(terms: pd.DataFrame, listed: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the phase of the list where no file says it, as the store will have it."""
    if "phase" not in listed.columns:
        return terms
    known = listed[listed["phase"].notna()].drop_duplicates("laestab")
    phases = dict(zip(known["laestab"], known["phase"], strict=True))
    said = zip(terms["laestab"], terms["phase"], strict=True)
    return terms.assign(phase=[phases.get(laestab, phase) if phase == "Unknown" else phase for laestab, phase in said])


def _whole(schools: pd.DataFrame | None) -> pd.DataFrame:
    if schools is None or "laestab" not in schools.columns:
        return pd.DataFrame(columns=["laestab", "la_code", "phase", "number_of_pupils"])
    number = pd.to_numeric(schools["laestab"], errors="coerce")
    return schools[number.notna()].assign(laestab=number[number.notna()].astype("int64"))
