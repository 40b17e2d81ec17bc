"""Enrolments with no attendance, from single marks of registers: any span of days, and education elsewhere told apart."""

# Column names in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from functools import cache
from typing import Any

import duckdb
import pandas as pd

from attendance_toolkit.metrics.zero_attendance._enrolments import (
    _HELD,
    ELSEWHERE_ONLY,
    FEWEST_SESSIONS,
    NO_POSSIBLE,
    classified,
    frame_of,
)
from attendance_toolkit.vocabulary.calendar import HALF_TERM_TERMS, WHOLE_YEAR
from attendance_toolkit.vocabulary.columns import REASON_COLUMNS
from attendance_toolkit.vocabulary.register_codes import all_register_codes, classify_code, read_mark
from attendance_toolkit.vocabulary.zero_attendance import AuditRules, audit_rules


def no_attendance_in_marks(
    marks: Any,
    pupil_terms: Any = None,
    *,
    first: date | None = None,
    last: date | None = None,
    la_codes: Collection[str] | None = None,
    term: str = WHOLE_YEAR,
    fewest: int = FEWEST_SESSIONS,
    rules: AuditRules | None = None,
) -> pd.DataFrame:
    """Return the enrolments without an attended session in a span of days, from single marks.

    Beside those that ``no_attendance`` returns there are pupils whose every attended session was education elsewhere (codes K
    and B), and pupils with no possible session, such as those coded D alone.

    Parameters
    ----------
    marks
        Single marks (MARK_COLUMNS): DuckDB relation or pandas frame.
    pupil_terms
        PUPIL_TERM rows on the marks' own connection, or a pandas frame, for the characteristics; without them these are
        "Unknown".
    first, last
        Days, both included; None is the first and the last there is.
    la_codes, term, fewest
        As for ``no_attendance``.

    Returns
    -------
    pandas frame as of ``no_attendance``. ``mix`` is by register code, with its meaning.
    """
    rules = rules or audit_rules()
    relation = duckdb.connect().from_df(marks) if isinstance(marks, pd.DataFrame) else marks
    counts = _counts(_chosen(relation, first, last, term))
    found = _enrolments(counts, rules)
    found = found[(found["attended"] == found["educated_elsewhere"])].reset_index(drop=True)
    found["mix"] = _mixes(counts, found)
    found = found.merge(_held(pupil_terms, found), how="left", on=["upn", "laestab"], suffixes=("", "_held"))
    found["la_code"] = found["la_code"].fillna(found["la_code_held"])
    for name in _HELD:
        if name not in ("la_code", "age"):
            found[name] = found[name].astype("object").fillna("Unknown")
    found = found.drop(columns="la_code_held")
    if la_codes is not None:
        found = found[found["la_code"].isin(list(la_codes))].reset_index(drop=True)
    return classified(found, fewest, rules)


def with_marks(found: pd.DataFrame, of_marks: pd.DataFrame) -> pd.DataFrame:
    """Return enrolments found from sums of sessions with what single marks of the same period add.

    The mix is by register code where there are marks; pupils educated elsewhere only, and pupils without a possible
    session, are added to those listed apart. Who has no attendance stays as the sums have it.

    Parameters
    ----------
    found, of_marks
        From ``no_attendance`` and ``no_attendance_in_marks``, of the same period.
    """
    keys = ["upn", "laestab"]
    mixes = of_marks.set_index(keys)["mix"]
    known = pd.MultiIndex.from_frame(found[keys])
    better = pd.Series(mixes.reindex(known).to_numpy(), index=found.index)
    found = found.assign(mix=better.where(better.notna(), found["mix"]))
    added = of_marks[of_marks["kind"].isin([ELSEWHERE_ONLY, NO_POSSIBLE])]
    added = added[~pd.MultiIndex.from_frame(added[keys]).isin(known)]
    together = [part for part in (found, added[[name for name in found.columns if name in added]]) if len(part)]
    if not together:
        return found
    return pd.concat(together, ignore_index=True).sort_values(["laestab", "upn"], ignore_index=True)


def _chosen(
    marks: duckdb.DuckDBPyRelation, first: date | None, last: date | None, term: str
) -> duckdb.DuckDBPyRelation:
    """Return the marks of a span of days and a term."""
    if first is not None:
        marks = marks.filter(f"day >= DATE '{first.isoformat()}'")
    if last is not None:
        marks = marks.filter(f"day <= DATE '{last.isoformat()}'")
    if term != WHOLE_YEAR:
        halves = ", ".join(f"'{name}'" for name, of in HALF_TERM_TERMS.items() if of == term)
        marks = marks.filter(f"half_term IN ({halves})")
    return marks


def _counts(marks: duckdb.DuckDBPyRelation) -> pd.DataFrame:
    """Return sessions by enrolment, code and what the code counted as (``outcome``).

    What a code counts as changes on few days (``_turns``): between two of them one mark tells of all. Marks are added up by
    the store's engine and never held in memory.
    """
    era = " + ".join(f"(day >= DATE '{turn.isoformat()}')::INTEGER" for turn in _turns())
    counts = frame_of(
        marks,
        f"""
        SELECT upn, laestab, max(la_code) AS la_code, code, {era} AS era, min(day) AS day, count(*)::BIGINT AS sessions
        FROM given GROUP BY upn, laestab, code, era ORDER BY laestab, upn, sessions DESC, code, era
        """,
    )
    days = pd.to_datetime(counts["day"]).dt.date
    first = dict(zip(zip(counts["code"], counts["era"], strict=True), days, strict=True))
    meanings = {(code, era): read_mark(str(code), day).outcome for (code, era), day in first.items()}
    found = [meanings[key] for key in zip(counts["code"], counts["era"], strict=True)]
    counts["outcome"] = pd.Series(found, index=counts.index, dtype="object")
    return counts[~counts["outcome"].isin(["", "blank"])].reset_index(drop=True)


@cache
def _turns() -> tuple[date, ...]:
    """Return the days on which what any register code counts as begins or has ended."""
    codes = all_register_codes()
    begun = {code.valid_from for code in codes if code.valid_from != date.min}
    return tuple(sorted(begun | {code.valid_to + timedelta(days=1) for code in codes if code.valid_to != date.max}))


def _enrolments(counts: pd.DataFrame, rules: AuditRules) -> pd.DataFrame:
    """Return the sums of sessions of each enrolment."""
    keys = ["upn", "laestab"]
    outcome, sessions = counts["outcome"], counts["sessions"]
    columns = {
        "possible": sessions.where(outcome != "none", 0),
        "attended": sessions.where(outcome == "attended", 0),
        "covid": sessions.where(outcome == "covid", 0),
        "authorised": sessions.where(outcome.str.startswith("auth_"), 0),
        "unauthorised": sessions.where(outcome.str.startswith("unauth_"), 0),
        "educated_elsewhere": sessions.where(
            (outcome == "attended") & counts["code"].isin(rules.education_elsewhere), 0
        ),
        **{name: sessions.where(outcome == name.removeprefix("sessions_"), 0) for name in REASON_COLUMNS},
    }
    wide = pd.DataFrame({**{name: counts[name] for name in (*keys, "la_code")}, **columns})
    found = wide.groupby(keys, sort=True).agg({"la_code": "first", **dict.fromkeys(columns, "sum")}).reset_index()
    attended = found.groupby("upn")["attended"].transform("sum")
    found["attended_elsewhere"] = attended - found["attended"]
    return found.sort_values(["laestab", "upn"], ignore_index=True)


def _mixes(counts: pd.DataFrame, found: pd.DataFrame) -> list[str]:
    """Return each enrolment's sessions by code, the most first, with the meaning of the code on its first day there."""
    keys = ["upn", "laestab"]
    chosen = counts.merge(found[keys], on=keys)
    texts: dict[tuple[int, int], list[str]] = {}
    for upn, laestab, code, day, sessions in chosen[[*keys, "code", "day", "sessions"]].itertuples(index=False):
        meaning = classify_code(code, pd.Timestamp(day).date())[0].meaning
        texts.setdefault((upn, laestab), []).append(f"{code} ({meaning}) {sessions}")
    return ["; ".join(texts[key]) for key in zip(found["upn"], found["laestab"], strict=True)]


def _held(pupil_terms: Any, found: pd.DataFrame) -> pd.DataFrame:
    """Return characteristics of the enrolments found."""
    names = ["upn", "laestab", *_HELD]
    if pupil_terms is None:
        return pd.DataFrame({name: pd.Series(dtype="object") for name in names}).astype(
            {"upn": "int64", "laestab": "int64"}
        )
    relation = duckdb.connect().from_df(pupil_terms) if isinstance(pupil_terms, pd.DataFrame) else pupil_terms
    held = ", ".join(f"max({name}) AS {name}" for name in _HELD)
    every = frame_of(relation, f"SELECT upn, laestab, {held} FROM given GROUP BY upn, laestab")
    return every.merge(found[["upn", "laestab"]], on=["upn", "laestab"])
