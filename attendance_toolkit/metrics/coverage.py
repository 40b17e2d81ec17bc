"""Facts about what was received: coverage of a store, and what stands behind the figures of each term and phase."""

# Column names and levels in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import pandas as pd

from attendance_toolkit.metrics.reportable import SUBJECTS, Facts
from attendance_toolkit.schema.coverage import (
    FROM_LIST,
    Coverage,
    area_coverage,
    expected_schools,
    school_terms_sql,
    unmatched_sql,
)
from attendance_toolkit.schema.findings import STAGES, ScreeningReport
from attendance_toolkit.schema.rules import RULES
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, TERMS, WHOLE_YEAR
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS, MAIN_PHASES, REASON_COLUMNS

__all__ = ["FROM_LIST", "RULES", "STAGES", "Coverage", "screening_of", "store_coverage", "term_facts", "term_name"]

_CHARACTERISTICS = tuple(s.characteristic for s in SUBJECTS if s.characteristic)
#: Name by which queries know the relation they are about.
_ROWS = "pupil_term_rows"


def screening_of(document: Mapping[str, Any]) -> ScreeningReport:
    """Return the screening report a store keeps (``Store.screening``)."""
    return ScreeningReport.from_dict(document)


def store_coverage(pupil_terms: duckdb.DuckDBPyRelation, schools: pd.DataFrame | None = None) -> Coverage:
    """Return coverage from PUPIL_TERM rows, for stores that keep none; without marks.

    Parameters
    ----------
    pupil_terms
        A relation with the columns of PUPIL_TERM.
    schools
        A list of schools, or None.
    """
    terms = _frame(pupil_terms, school_terms_sql(_ROWS))
    lost = _frame(pupil_terms, unmatched_sql(_ROWS))
    return Coverage(area_coverage(terms, expected_schools(schools)), lost, Coverage.empty().marks)


def _frame(rows: duckdb.DuckDBPyRelation, sql: str) -> pd.DataFrame:
    """Return the rows of a query over a relation, which it names ``_ROWS``."""
    found = rows.query(_ROWS, sql)
    assert found is not None
    return found.df()


# ---- facts -------------------------------------------------------------------------------------------------


def term_facts(
    pupil_terms: duckdb.DuckDBPyRelation, coverage: Coverage, la_codes: Iterable[str], *, threshold: int | None = None
) -> pd.DataFrame:
    """Return what verdicts are made from: a row for each academic year, term (and "year") and phase.

    Parameters
    ----------
    pupil_terms
        A relation with the PUPIL_TERM rows of the area.
    coverage
        Coverage of the store.
    la_codes
        The authorities of the area, whose coverage is added up.
    threshold
        Fewest enrolments that may be shown, or None.

    Returns
    -------
    Besides the groups: enrolments (the largest of the terms for a year), sessions, ``rows`` (enrolments of a term, added
    up), how many of them have an unknown characteristic, ``halves`` (half terms received), schools and pupils received
    and expected, and ``marks`` (rules broken across returns).
    """
    unknown = ", ".join(f"count(*) FILTER ({c} = 'Unknown' AND in_age) AS unknown_{c}" for c in _CHARACTERISTICS)
    reasons = " + ".join(REASON_COLUMNS)
    counted = _frame(
        pupil_terms,
        f"""
        WITH enrolments AS (
            SELECT upn, laestab, academic_year, term, phase, coalesce(any_value(age) BETWEEN 5 AND 15, false) AS in_age,
                   any_value(age) IS NULL AS no_age, {", ".join(f"any_value({c}) AS {c}" for c in _CHARACTERISTICS)},
                   sum(sessions_possible) AS possible, sum(sessions_authorised + sessions_unauthorised) AS absent,
                   sum({reasons}) AS reasons
            FROM {_ROWS} WHERE sessions_possible > 0 AND term IN ({", ".join(f"'{t}'" for t in TERMS)})
            GROUP BY upn, laestab, academic_year, term, phase
        )
        SELECT academic_year, term, phase, count(*) FILTER (in_age) AS rows, count(*) FILTER (no_age) AS rows_without_age,
               coalesce(sum(possible) FILTER (in_age), 0)::BIGINT AS sessions_possible,
               coalesce(sum(absent) FILTER (in_age), 0)::BIGINT AS sessions_absent,
               coalesce(sum(reasons) FILTER (in_age), 0)::BIGINT AS sessions_with_reason, {unknown}
        FROM enrolments GROUP BY ALL
        """,
    )
    halves = _frame(
        pupil_terms, f"SELECT DISTINCT academic_year, term, half_term FROM {_ROWS} WHERE sessions_possible > 0"
    )
    received: dict[tuple[int, str], set[int]] = {}
    for year, term, half_term in halves.itertuples(index=False):
        if term in TERMS:
            first, _, last = str(half_term).partition("-")
            numbers = set(range(int(first), int(last or first) + 1))
            received.setdefault((year, term), set()).update(numbers)
            received.setdefault((year, WHOLE_YEAR), set()).update(numbers)
    parts = _with_totals(counted)
    inside = set(la_codes)
    areas = coverage.areas[coverage.areas["la_code"].isin(inside)]
    marks = coverage.marks[coverage.marks["la_code"].isin(inside)]
    rows = [
        {
            **one,
            **_coverage_of(areas, one),
            "halves": frozenset(received.get((one["academic_year"], one["term"]), set())),
            "marks": _marks_of(marks, one),
            "threshold": threshold or 0,
        }
        for one in ({str(name): value for name, value in row.items()} for row in parts.to_dict("records"))
    ]
    return pd.DataFrame(rows)


def _with_totals(counted: pd.DataFrame) -> pd.DataFrame:
    """Add all main phases, whole years, and terms of a year that are not there."""
    numbers = [name for name in counted.columns if name not in ("academic_year", "term", "phase")]
    main = counted[counted["phase"].isin(MAIN_PHASES)].groupby(["academic_year", "term"], as_index=False)[numbers].sum()
    terms = pd.concat([main.assign(phase=ALL_SCHOOLS), counted], ignore_index=True)
    phases = terms[["academic_year", "phase"]].drop_duplicates()
    every = phases.merge(pd.DataFrame({"term": list(TERMS)}), how="cross")
    terms = every.merge(terms, how="left", on=["academic_year", "term", "phase"]).fillna(dict.fromkeys(numbers, 0))
    terms["enrolments"] = terms["rows"]
    year = terms.groupby(["academic_year", "phase"], as_index=False, sort=False)[numbers].sum()
    largest = terms.groupby(["academic_year", "phase"], as_index=False, sort=False)["enrolments"].max()
    year = year.merge(largest, on=["academic_year", "phase"]).assign(term=WHOLE_YEAR)
    return pd.concat([terms, year], ignore_index=True).astype(dict.fromkeys([*numbers, "enrolments"], "int64"))


_COVERED = ("schools_received", "schools_expected", "pupils_received", "pupils_expected")


def _coverage_of(areas: pd.DataFrame, one: Facts) -> dict[str, float]:
    """Return what was received and expected of a phase and term; of a year, in the worst of its terms."""
    rows = areas[areas["academic_year"] == one["academic_year"]]
    # "All schools" of a figure leaves out alternative provision, which coverage counts in.
    rows = rows[rows["phase"].isin(MAIN_PHASES if one["phase"] == ALL_SCHOOLS else [one["phase"]])]
    if one["term"] != WHOLE_YEAR:
        rows = rows[rows["term"] == one["term"]]
    if rows.empty:
        return dict.fromkeys(_COVERED, float("nan"))
    numbers = rows[list(_COVERED)].apply(pd.to_numeric)
    sums = numbers.groupby(rows["term"]).sum(min_count=1)
    share = (sums["schools_received"] / sums["schools_expected"]).astype(float)
    worst = sums.loc[share.idxmin()]
    return {name: float(worst[name]) if pd.notna(worst[name]) else float("nan") for name in _COVERED}


def _marks_of(marks: pd.DataFrame, one: Facts) -> frozenset[str]:
    here = marks[marks["academic_year"] == one["academic_year"]]
    if one["term"] != WHOLE_YEAR:
        here = here[here["term"].isin([one["term"], ""])]
    return frozenset(here["rule"])


def term_name(term: str) -> str:
    """Return a term, or the whole year, in words.

    >>> term_name("autumn"), term_name("year")
    ('Autumn', 'Full year')
    """
    return TERM_LABELS.get(term, "Full year")
