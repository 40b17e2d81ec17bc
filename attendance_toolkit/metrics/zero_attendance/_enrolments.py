"""Enrolments with no attendance, from sums of sessions (PUPIL_TERM rows)."""

# Column names and terms in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import duckdb
import pandas as pd

from attendance_toolkit.errors import VocabularyError
from attendance_toolkit.vocabulary.calendar import TERMS, WHOLE_YEAR
from attendance_toolkit.vocabulary.columns import CHARACTERISTICS, REASON_COLUMNS
from attendance_toolkit.vocabulary.register_codes import AUTHORISED_REASONS, REASON_LABELS, UNAUTHORISED_REASONS
from attendance_toolkit.vocabulary.zero_attendance import AuditRules, audit_rules

#: What an enrolment is found to be: one to be audited, or one that is listed apart and why.
AUDIT = "No attendance"
FEW_SESSIONS = "Few possible sessions"
COVID_ONLY = "Coronavirus sessions only"
OTHER_AGES = "Not of compulsory school age"
ELSEWHERE_ONLY = "Educated elsewhere only"
NO_POSSIBLE = "No possible session"
APART = (FEW_SESSIONS, COVID_ONLY, OTHER_AGES, ELSEWHERE_ONLY, NO_POSSIBLE)
#: Possible sessions below which nothing is to be said of a pupil: a school week.
FEWEST_SESSIONS = 10
#: Completed years on 31 August before the year, as DfE's absence statistics count.
COMPULSORY_AGES = (5, 15)

_PART_TIME = "sessions_auth_temp_reduced_timetable"
_COVID_LABEL = "Coronavirus, code X"
_HELD = ("la_code", "phase", "nc_year", "age", *CHARACTERISTICS)
_SUMS = {
    "possible": "sessions_possible",
    "authorised": "sessions_authorised",
    "unauthorised": "sessions_unauthorised",
    "covid": "sessions_covid",
    **{name: name for name in REASON_COLUMNS},
}


def no_attendance(
    pupil_terms: Any,
    *,
    la_codes: Collection[str] | None = None,
    term: str = WHOLE_YEAR,
    fewest: int = FEWEST_SESSIONS,
    by_pupil: bool = False,
    rules: AuditRules | None = None,
) -> pd.DataFrame:
    """Return the enrolments of one academic year in which no possible session of a period was attended.

    An enrolment is a pupil at a school. Half terms with more absence than possible sessions are left out, as DfE does.
    Boarders and small schools are counted: the list is for safeguarding, not for statistics.

    Parameters
    ----------
    pupil_terms
        PUPIL_TERM rows of one academic year: DuckDB relation or pandas frame. Those of other authorities tell what a pupil
        attends there.
    la_codes
        Authorities whose enrolments are returned; None means all.
    term
        "autumn", "spring", "summer" or "year".
    fewest
        Possible sessions below which an enrolment is listed apart.
    by_pupil
        One row a pupil, with the sessions of all schools together (the school is that of the most possible sessions): a
        pupil with attendance anywhere is not listed.

    Returns
    -------
    pandas frame in the order of school and pupil: upn, laestab, la_code, phase, nc_year, age, the characteristics,
    sessions (``possible``, ``authorised``, ``unauthorised``, ``covid``, reasons), ``attended`` (0 but for pupils educated
    elsewhere), ``attended_elsewhere`` (sessions attended at the pupil's other schools), ``part_time`` (sessions of a
    part-time timetable), ``cohort``, ``stratum`` (cohort and phase), ``mix`` (sessions by reason, in words) and ``kind``:
    ``AUDIT`` or one of ``APART``.

    Raises
    ------
    VocabularyError
        There is no such term.
    """
    columns = ("upn", "laestab", "term", *_HELD, *_SUMS.values())
    key = "upn" if by_pupil else "upn, laestab"
    school = "arg_max(laestab, (possible, -laestab)) AS laestab, " if by_pupil else ""
    held = ", ".join(
        f"arg_max({name}, (possible, -laestab)) AS {name}" if by_pupil else f"max({name}) AS {name}" for name in _HELD
    )
    every = ", ".join(f"max({name}) AS {name}" for name in _HELD)
    parts = ", ".join(f"coalesce(sum({column}), 0)::BIGINT AS {name}" for name, column in _SUMS.items())
    sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in _SUMS)
    found = frame_of(
        _of_term(pupil_terms, term, columns),
        f"""
        WITH enrolments AS (
            SELECT upn, laestab, {every}, {parts} FROM given
            WHERE sessions_authorised + sessions_unauthorised <= sessions_possible GROUP BY upn, laestab
        ), units AS (
            SELECT {key}, {school}{held}, {sums} FROM enrolments GROUP BY {key}
        ), counted AS (
            SELECT *, possible - authorised - unauthorised - covid AS attended FROM units
        )
        SELECT *, (sum(attended) OVER (PARTITION BY upn) - attended)::BIGINT AS attended_elsewhere
        FROM counted QUALIFY attended <= 0 ORDER BY laestab, upn
        """,
    )
    if la_codes is not None:
        found = found[found["la_code"].isin(list(la_codes))].reset_index(drop=True)
    found["mix"] = [code_mix(row) for row in found.to_dict("records")]
    return classified(found, fewest, rules or audit_rules())


def enrolments_with_possible(
    pupil_terms: Any, *, la_codes: Collection[str] | None = None, term: str = WHOLE_YEAR
) -> int:
    """Return how many enrolments of compulsory school age have a possible session: what no attendance is a share of."""
    chosen = _of_term(pupil_terms, term, ("upn", "laestab", "la_code", "term", "age", "sessions_possible"))
    first, last = COMPULSORY_AGES
    counted = frame_of(
        chosen,
        f"""
        SELECT la_code, count(DISTINCT (upn, laestab)) AS enrolments FROM given
        WHERE sessions_possible > 0 AND (age IS NULL OR age BETWEEN {first} AND {last}) GROUP BY la_code
        """,
    )
    here = counted if la_codes is None else counted[counted["la_code"].isin(list(la_codes))]
    return int(here["enrolments"].sum())


def classified(found: pd.DataFrame, fewest: int, rules: AuditRules) -> pd.DataFrame:
    """Return enrolments with ``part_time``, ``cohort``, ``stratum`` and ``kind``; one of unknown age is audited."""
    found = found.copy()
    first, last = COMPULSORY_AGES
    age = pd.to_numeric(found["age"])
    missed = found["authorised"] + found["unauthorised"]
    kind = pd.Series(AUDIT, index=found.index, dtype="object")
    kind = kind.mask(found["possible"] < fewest, FEW_SESSIONS)
    kind = kind.mask(missed == 0, COVID_ONLY)
    kind = kind.mask(found["attended"] > 0, ELSEWHERE_ONLY)
    kind = kind.mask(found["possible"] == 0, NO_POSSIBLE)
    found["kind"] = kind.mask(age.notna() & ~age.between(first, last), OTHER_AGES)
    found["part_time"] = found[_PART_TIME]
    cohort = pd.Series(rules.none, index=found.index, dtype="object")
    for one in reversed(rules.cohorts):
        cohort = cohort.mask(found[one.column].astype("object") == one.level, one.label)
    found["cohort"] = cohort
    found["phase"] = found["phase"].astype("object").fillna("Unknown")
    found["stratum"] = cohort + ", " + found["phase"].str.lower()
    return found


def code_mix(row: Mapping[Any, Any]) -> str:
    """Return an enrolment's sessions by reason, the most first.

    >>> code_mix({"authorised": 12, "unauthorised": 3, "covid": 0, "sessions_auth_illness": 10, "sessions_unauth_noyet": 3})
    'Illness 10; No reason yet 3; Authorised, reason not given 2'
    """
    counts = []
    for kind, reasons in (("auth", AUTHORISED_REASONS), ("unauth", UNAUTHORISED_REASONS)):
        named = [(name, int(row.get(f"sessions_{name}") or 0)) for name in reasons]
        rest = int(row["authorised" if kind == "auth" else "unauthorised"]) - sum(count for _, count in named)
        counts += [(REASON_LABELS[name], count) for name, count in (*named, (f"{kind}_unclassified", rest))]
    counts.append((_COVID_LABEL, int(row["covid"])))
    return "; ".join(f"{label} {count}" for label, count in sorted(counts, key=lambda one: -one[1]) if count > 0)


def frame_of(relation: duckdb.DuckDBPyRelation, sql: str) -> pd.DataFrame:
    """Return what a query of a relation, which it calls ``given``, finds."""
    found = relation.query("given", sql)
    assert found is not None  # a SELECT
    return found.df()


def _of_term(data: Any, term: str, columns: Sequence[str]) -> duckdb.DuckDBPyRelation:
    """Return columns of PUPIL_TERM rows of a term, or of the whole year."""
    if term not in (*TERMS, WHOLE_YEAR):
        raise VocabularyError(f"'{term}' is not a term. There are: {', '.join((*TERMS, WHOLE_YEAR))}.")
    relation = duckdb.connect().from_df(data) if isinstance(data, pd.DataFrame) else data
    chosen: duckdb.DuckDBPyRelation = relation.project(", ".join(columns))
    return chosen if term == WHOLE_YEAR else chosen.filter(f"term = '{term}'")
