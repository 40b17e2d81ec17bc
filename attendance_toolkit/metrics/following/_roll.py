"""From PUPIL_TERM rows to pupils who are followed: one query, then wide arrays."""

# Names and levels in the SQL are the vocabulary's own; values from files are never put into it.
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import duckdb
import numpy as np
import pandas as pd

from attendance_toolkit.errors import NoDataError, ParameterError, did_you_mean
from attendance_toolkit.metrics.cells import DFE_RULES, InclusionRules, enrolment_years
from attendance_toolkit.metrics.following.followed import FOLLOWED_BY, Array, Followed, Period
from attendance_toolkit.metrics.packing import (
    LEVELS,
    SCHOOLS,
    Columns,
    checked_levels,
    columns_of,
    listed,
    packed_sql,
    unpacked,
)
from attendance_toolkit.vocabulary.calendar import TERMS, WHOLE_YEAR

USUAL = ("phase", "nc_year", "fsm_eligible", "sen_provision", "sex")


def follow_pupils(
    pupil_terms: pd.DataFrame | duckdb.DuckDBPyRelation,
    *,
    by: str = "term",
    members: Collection[str] | None = None,
    rules: InclusionRules = DFE_RULES,
    characteristics: Sequence[str] = USUAL,
) -> Followed:
    """Return every pupil counted in the area's schools in some period, followed through all periods there are.

    A pupil at two of the area's schools in one period counts once, the sessions of both added up; so a rate of pupils
    followed is not quite the published one, which is of enrolments.

    Parameters
    ----------
    pupil_terms
        PUPIL_TERM rows of all districts and years of the store: a pandas frame or a DuckDB relation.
    by
        "term" or "year". A figure known for the whole year only does not say in which term it was: by term, its
        pupils are on the roll in each term of the year, with no session.
    members
        Nine-character codes of the area's local authorities; all of them if None.
    rules
        Whose sessions count, as in CELLS. Pupils outside the ages are on no roll; one who is on a roll of the area but
        not counted for another reason (no possible session, a school of under six pupils, a boarder) has too few
        sessions, if counted in another period.
    characteristics
        Columns of ``LEVELS``: of the school with most possible sessions in the period.

    Raises
    ------
    ParameterError
        ``by`` or a characteristic is not one of those there are.
    NoDataError
        There is no row, or nobody is counted in the area.
    VocabularyError
        The rows have a level that is not in the vocabulary.
    """
    if by not in FOLLOWED_BY:
        raise ParameterError(f"Pupils are followed by '{by}'.{did_you_mean(by, FOLLOWED_BY)} Use 'term' or 'year'.")
    for name in characteristics:
        if name not in LEVELS:
            raise ParameterError(
                f"Pupils cannot be followed with '{name}'.{did_you_mean(name, LEVELS)} Use: {', '.join(LEVELS)}."
            )
    levels = {name: LEVELS[name] for name in characteristics}
    rows = duckdb.connect().from_df(pupil_terms) if isinstance(pupil_terms, pd.DataFrame) else pupil_terms
    periods = _periods(rows, by)
    la_codes = checked_levels(rows, levels)
    here = la_codes if members is None else tuple(code for code in la_codes if code in members)
    if not here:
        raise NoDataError(
            f"No pupil of the rows is in {', '.join(sorted(members or ()))}: there are {', '.join(la_codes)}."
        )
    counted, others = _query(rows, by, here, la_codes, levels, rules)
    if not len(counted["upn"]):
        raise NoDataError("Nobody in the rows is counted: look at the ages and the possible sessions.")
    return _wide(counted, others, periods, la_codes, levels, rules)


def _periods(rows: duckdb.DuckDBPyRelation, by: str) -> tuple[Period, ...]:
    found = rows.aggregate("academic_year, term").fetchall()
    if by == "year":
        return tuple(Period(year) for year in sorted({year for year, _ in found}))
    kept = sorted((year, TERMS.index(term)) for year, term in found if term in TERMS)
    if not kept:
        raise NoDataError("No figure is of a term: the rows have whole years only. Follow the pupils by year.")
    return tuple(Period(year, TERMS[term]) for year, term in kept)


def _query(
    rows: duckdb.DuckDBPyRelation,
    by: str,
    here: Sequence[str],
    la_codes: Sequence[str],
    levels: Mapping[str, tuple[str, ...]],
    rules: InclusionRules,
) -> tuple[Columns, Columns]:
    """Return the counted sessions of pupils and periods; and of the same pupils, the periods in which nothing is counted.

    School, authority, age and characteristics are packed into one whole number, so that the school with most sessions
    gives all of them by one ``arg_max`` of integers. Terms are 1 to 3, 4 for a whole year and 0 if pupils are followed
    by year.
    """
    is_here = f"list_contains({listed(here)}, la_code)"
    coded = rows.project(f"*, {packed_sql(la_codes, levels)} AS packed, {is_here} AS is_here")
    area, period = coded.filter("is_here"), []
    if by == "term":
        area, period = area.filter(f"term <> '{WHOLE_YEAR}'"), ["term"]
    term = f"list_position({listed((*TERMS, WHOLE_YEAR))}, term)" if by == "term" else "0"
    counted = (
        enrolment_years(area, [*period, "packed"], rules=rules)
        .to_native()
        .aggregate(
            f"upn, academic_year, {term} AS term, sum(possible)::INTEGER AS possible,"
            " sum(authorised + unauthorised)::INTEGER AS missed,"
            f" arg_max(packed, possible * {2 * SCHOOLS} - laestab) AS packed",
            ", ".join(["upn", "academic_year", *period]),
        )
        .to_arrow_table()
    )
    ages = " AND ".join(
        f"(age IS NULL OR age {sign} {int(limit)})"
        for sign, limit in ((">=", rules.min_age), ("<=", rules.max_age))
        if limit is not None
    )
    # ``counted`` is the table of the lines before, which DuckDB finds by its name.
    others = (
        coded.filter(ages or "true")
        .project(f"* REPLACE ({term} AS term)")
        .query(
            "entries",
            "SELECT upn, academic_year, term, coalesce(arg_max(packed, -laestab) FILTER (is_here), -1) AS packed,"
            " bool_or(is_here) AS is_here, bool_or(NOT is_here) AS is_elsewhere,"
            " bool_or(NOT is_here AND sessions_possible > 0) AS has_sessions"
            " FROM entries SEMI JOIN counted USING (upn) ANTI JOIN counted USING (upn, academic_year, term) GROUP BY ALL",
        )
    )
    assert others is not None  # it is a SELECT
    return columns_of(counted), columns_of(others.to_arrow_table())


def _wide(
    counted: Columns,
    others: Columns,
    periods: tuple[Period, ...],
    la_codes: tuple[str, ...],
    levels: Mapping[str, tuple[str, ...]],
    rules: InclusionRules,
) -> Followed:
    number, pupils = pd.factorize(counted["upn"])
    order = np.argsort(pupils)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    pupils = pupils[order]
    shape = (len(pupils), len(periods))
    possible, missed = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    packed = np.full(shape, -1, np.int64)
    cell = (rank[number], _places(counted, periods))
    possible[cell], missed[cell], packed[cell] = counted["possible"], counted["missed"], counted["packed"]

    here, elsewhere, has_sessions = (np.zeros(shape, bool) for _ in range(3))
    places, row = _places(others, periods), np.searchsorted(pupils, others["upn"])
    for column, period in enumerate(periods):
        # By term, a figure of a whole year (no place) tells who is on the roll in each term of it.
        whole = (places < 0) & (others["academic_year"] == period.academic_year)
        for rows in (np.flatnonzero(places == column), np.flatnonzero(whole)):
            cell = (row[rows], np.full(len(rows), column))
            packed[cell] = np.where(packed[cell] < 0, others["packed"][rows], packed[cell])
            here[cell] |= others["is_here"][rows]
            elsewhere[cell] |= others["is_elsewhere"][rows]
            has_sessions[cell] |= others["has_sessions"][rows]

    elsewhere = (possible == 0) & (has_sessions | (elsewhere & ~here))
    on_roll = (possible > 0) | (here & ~elsewhere)
    codes, la, laestab, age = unpacked(np.where(on_roll, packed, -1), levels, len(la_codes))
    age = _ages(age, periods)
    return Followed(
        pupils, periods, possible, missed, on_roll, elsewhere, laestab, la, la_codes, age, codes, levels, rules
    )


def _places(found: Columns, periods: tuple[Period, ...]) -> Array:
    """Return the position of each row's period; -1 for a figure of a whole year among terms."""
    years = np.array(sorted({period.academic_year for period in periods}))
    place = np.full((len(years), len(TERMS) + 2), -1)
    for position, period in enumerate(periods):
        term = TERMS.index(period.term) + 1 if period.term in TERMS else 0
        place[np.searchsorted(years, period.academic_year), term] = position
    # A year that is known as a whole only is none of the periods by term.
    year = np.minimum(np.searchsorted(years, found["academic_year"]), len(years) - 1)
    places: Array = np.where(years[year] == found["academic_year"], place[year, found["term"]], -1)
    return places


def _ages(age: Array, periods: tuple[Period, ...]) -> Array:
    """Return ages in every period, from the year of birth that any period gives."""
    starts = np.array([period.academic_year // 100 for period in periods], np.int16)
    born = np.where(age >= 0, starts - age, -1).max(axis=1, keepdims=True)
    return np.where(born >= 0, starts - born, -1).astype(np.int16)
