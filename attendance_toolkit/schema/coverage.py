"""Coverage: which schools and pupils have been received, of those expected, and who is lost between terms.

Everything here is made from rows with the columns of PUPIL_TERM, whether they come from a load or from a store.
"""

# Table names in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from attendance_toolkit.vocabulary.calendar import TERMS
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS

if TYPE_CHECKING:
    import pandas as pd

#: Columns of rows from which coverage is made: a part of PUPIL_TERM.
SOURCE_COLUMNS = (
    "upn",
    "la_code",
    "laestab",
    "academic_year",
    "term",
    "half_term",
    "phase",
    "age",
    "on_roll",
    "sessions_possible",
    "sessions_authorised",
    "sessions_unauthorised",
)
AREA_COLUMNS = (
    "la_code",
    "academic_year",
    "term",
    "phase",
    "schools_received",
    "schools_expected",
    "pupils_received",
    "pupils_expected",
    "expected_from",
)
UNMATCHED_COLUMNS = (
    "la_code",
    "academic_year",
    "term",
    "next_academic_year",
    "next_term",
    "pupils",
    "found",
    "left_year_11",
    "moved",
    "school_missing",
    "unknown",
)
MARK_COLUMNS = ("rule", "la_code", "academic_year", "term", "schools", "says")
#: How the source of a school begins that a census return gave: a return has the schools that came, no others.
CENSUS_SOURCE = "school census"
FROM_LIST = "list of schools"
FROM_TERMS = "other terms of the year"
#: Only these kinds of school send a school census: the beginnings of GIAS's TypeOfEstablishment (name).
STATE_FUNDED = (
    "academy",
    "city technology",
    "community",
    "foundation",
    "free school",
    "local authority nursery",
    "non-maintained special",
    "pupil referral",
    "studio",
    "university technical",
    "voluntary",
)


@dataclass(frozen=True, eq=False)
class Coverage:
    """What was received of what was expected, and pupils lost between terms.

    Attributes
    ----------
    areas
        A row for each local authority, academic year, term and phase ("All schools" too): schools and pupils received
        and expected. A pupil of two schools counts at both. Expected pupils are the list's roll, or missing.
        ``expected_from`` says whether what is expected comes from a list of schools or from the year's other terms.
    unmatched
        A row for each local authority and pair of terms that follow each other: pupils of the earlier term, how many
        are found in the later one, and the others by reason: left after Year 11, recorded as leaving, school not
        received in the later term, unknown.
    marks
        Which authority and term a finding across returns is about (rule, authority, year, term, schools).
    """

    areas: pd.DataFrame
    unmatched: pd.DataFrame
    marks: pd.DataFrame

    @classmethod
    def empty(cls) -> Coverage:
        """Return coverage of nothing."""
        return cls.from_dict({})

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Return the frames as lists of rows in types JSON has; a missing number is None."""
        return {f.name: _records(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Coverage:
        """Return coverage as ``to_dict`` gave it.

        >>> Coverage.from_dict({}).areas.columns.tolist()[:3]
        ['la_code', 'academic_year', 'term']
        """
        import pandas as pd

        names = {"areas": AREA_COLUMNS, "unmatched": UNMATCHED_COLUMNS, "marks": MARK_COLUMNS}
        return cls(**{n: pd.DataFrame(document.get(n) or [], columns=list(columns)) for n, columns in names.items()})


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    whole = frame.astype(object).where(frame.notna(), None)
    return [{str(k): v.item() if hasattr(v, "item") else v for k, v in row.items()} for row in whole.to_dict("records")]


# ---- SQL ---------------------------------------------------------------------------------------------------


_TERM_LIST = ", ".join(f"'{term}'" for term in TERMS)


def _terms(column: str = "term") -> str:
    """Return SQL for the place of a term in its year, 1 to 3."""
    return f"list_position([{_TERM_LIST}], {column})"


def school_terms_sql(source: str) -> str:
    """Return SQL for one row per school, academic year and half term (or span).

    Columns: ``la_code``, ``laestab``, ``academic_year``, ``term``, ``half_term``, ``phase``, ``pupils``, ``possible``,
    ``absent``, ``usual`` (the most frequent number of possible sessions of a pupil; of equals the largest) and
    ``place`` (a number by which terms follow each other without a gap).
    """
    keys = "la_code, laestab, academic_year, term, half_term"
    return f"""
        WITH given AS (
            SELECT {keys}, phase, upn, sessions_possible AS possible,
                   sessions_authorised + sessions_unauthorised AS absent
            FROM {source} WHERE term IN ({_TERM_LIST}) AND sessions_possible > 0
        ),
        numbers AS (
            SELECT {keys}, possible, count(*) AS n, sum(absent) AS absent, max(phase) AS phase
            FROM given GROUP BY {keys}, possible
        ),
        schools AS (
            SELECT {keys}, max(phase) AS phase, sum(n * possible)::BIGINT AS possible, sum(absent)::BIGINT AS absent,
                   arg_max(possible, n * 1000 + possible) AS usual
            FROM numbers GROUP BY ALL
        )
        SELECT s.*, p.pupils, (s.academic_year // 100) * 3 + {_terms("s.term")} AS place
        FROM schools s JOIN (SELECT {keys}, count(DISTINCT upn) AS pupils FROM given GROUP BY ALL) p USING ({keys})
        ORDER BY la_code, laestab, academic_year, half_term
    """


def unmatched_sql(source: str) -> str:
    """Return SQL for ``Coverage.unmatched``: pupils of a term who are not found in the next one, by reason."""
    return f"""
        WITH given AS (
            SELECT upn, la_code, laestab, academic_year, term, age, on_roll,
                   (academic_year // 100) * 3 + {_terms()} AS place
            FROM {source} WHERE term IN ({_TERM_LIST}) AND sessions_possible > 0
        ),
        here AS (
            -- One row for each pupil and term: the enrolment on a roll stands for the pupil, else the one that ended.
            SELECT upn, place, arg_min(la_code, (NOT on_roll, laestab)) AS la_code, any_value(academic_year) AS academic_year,
                   any_value(term) AS term, arg_min(laestab, (NOT on_roll, laestab)) AS laestab, max(age) AS age,
                   bool_or(on_roll) AS on_roll
            FROM given GROUP BY upn, place
        ),
        schools AS (SELECT DISTINCT laestab, place FROM given),
        areas AS (SELECT la_code, place, any_value(academic_year) AS academic_year, any_value(term) AS term
                  FROM given GROUP BY ALL),
        followed AS (
            SELECT h.*, n.academic_year AS next_academic_year, n.term AS next_term, later.upn IS NOT NULL AS found,
                   h.age = 15 AND n.academic_year > h.academic_year AS is_after_year_11, s.laestab IS NULL AS is_school_missing
            FROM here h JOIN areas n ON n.la_code = h.la_code AND n.place = h.place + 1
            LEFT JOIN here later ON later.upn = h.upn AND later.place = h.place + 1
            LEFT JOIN schools s ON s.laestab = h.laestab AND s.place = h.place + 1
        )
        SELECT * FROM (
        SELECT la_code, academic_year, term, next_academic_year, next_term, count(*) AS pupils,
               count(*) FILTER (found) AS found,
               count(*) FILTER (NOT found AND is_after_year_11) AS left_year_11,
               count(*) FILTER (NOT found AND NOT coalesce(is_after_year_11, false) AND NOT on_roll) AS moved,
               count(*) FILTER (NOT found AND NOT coalesce(is_after_year_11, false) AND on_roll AND is_school_missing)
                   AS school_missing,
               count(*) FILTER (NOT found AND NOT coalesce(is_after_year_11, false) AND on_roll AND NOT is_school_missing)
                   AS unknown
        FROM followed GROUP BY ALL
        ) ORDER BY la_code, next_academic_year, {_terms("next_term")}
    """


# ---- expected schools --------------------------------------------------------------------------------------


def expected_schools(schools: pd.DataFrame | None) -> pd.DataFrame:
    """Return the schools of a list that should send a school census: open, state-funded, with pupils of 4 to 15.

    Parameters
    ----------
    schools
        A list of schools: ``laestab``, ``la_code``, ``phase``, ``number_of_pupils`` and, where known, ``type``,
        ``status``, ``open_date``, ``close_date``, ``statutory_low_age``, ``statutory_high_age``.

    Returns
    -------
    The rows that count, in the same columns. A school whose kind is not known counts.
    """
    import pandas as pd

    wanted = ["laestab", "la_code", "phase", "number_of_pupils"]
    if schools is None or not len(schools) or not {"laestab", "la_code"} <= set(schools.columns):
        return pd.DataFrame(columns=[*wanted, "open_date", "close_date"])
    frame = schools.reindex(columns=list(dict.fromkeys([*schools.columns, *wanted, "open_date", "close_date"])))
    keep = frame["laestab"].notna() & frame["la_code"].notna()
    if "type" in frame:
        kinds = frame["type"].astype("string").fillna("").str.strip().str.lower()
        keep &= (kinds.str.startswith(STATE_FUNDED) & ~kinds.str.contains("16")) | (kinds == "")
    if "source" in frame:
        sources = frame["source"].astype("string").fillna("").str.split("; ")
        keep &= ~sources.map(lambda names: all(name.startswith(CENSUS_SOURCE) for name in names)).astype(bool)
    if "status" in frame:
        status = frame["status"].astype("string").str.lower().fillna("")
        keep &= ~status.str.startswith("proposed")
    pupils = pd.to_numeric(frame["number_of_pupils"], errors="coerce")
    keep &= ~(pupils == 0)
    for column, worst in (("statutory_high_age", lambda age: age < 5), ("statutory_low_age", lambda age: age >= 16)):
        if column in frame:
            keep &= ~worst(pd.to_numeric(frame[column], errors="coerce")).fillna(False)
    return frame.assign(number_of_pupils=pupils)[keep].drop_duplicates("laestab").reset_index(drop=True)


def schools_due(expected: pd.DataFrame, academic_year: int) -> pd.DataFrame:
    """Return the expected schools that were open for the whole of an academic year, as far as dates are known."""
    import pandas as pd

    start, end = pd.Timestamp(academic_year // 100, 9, 1), pd.Timestamp(academic_year // 100 + 1, 7, 1)
    opened = pd.to_datetime(expected["open_date"], errors="coerce")
    closed = pd.to_datetime(expected["close_date"], errors="coerce")
    return expected[(opened.isna() | (opened <= start)) & (closed.isna() | (closed >= end))]


def area_coverage(school_terms: pd.DataFrame, expected: pd.DataFrame) -> pd.DataFrame:
    """Return ``Coverage.areas`` from the rows of ``school_terms_sql`` and the schools that are expected.

    Where the list has no school of an authority, the schools of the year's other terms are expected.
    """
    import pandas as pd

    if school_terms.empty:
        return Coverage.empty().areas
    received = school_terms.groupby(["la_code", "academic_year", "term", "laestab"], as_index=False, observed=True).agg(
        phase=("phase", "max"), pupils=("pupils", "max")
    )
    parts: list[dict[str, Any]] = []
    for (la_code, year), rows in grouped(received, "la_code", "academic_year"):
        listed = schools_due(expected[expected["la_code"] == la_code], int(year))
        due = listed if len(listed) else rows.drop_duplicates("laestab")
        phases = due.set_index("laestab")["phase"].astype("string").fillna("Unknown").to_dict()
        rolls = listed.set_index("laestab")["number_of_pupils"]
        for term in [t for t in TERMS if t in set(rows["term"])]:
            here = rows[rows["term"] == term].set_index("laestab")
            of = {"la_code": la_code, "academic_year": int(year), "term": term}
            parts += [
                {**of, **counts, "expected_from": FROM_LIST if len(listed) else FROM_TERMS}
                for counts in _received_by_phase(here, phases, rolls)
            ]
    return pd.DataFrame(parts, columns=list(AREA_COLUMNS))


def _received_by_phase(
    here: pd.DataFrame, phases: Mapping[Any, str], rolls: pd.Series
) -> Iterator[dict[str, str | int | None]]:
    """Return the counts of one authority and term for all schools and each phase."""
    # A school that came and is not in the list was to be expected all the same.
    wanted: dict[Any, str] = {
        **{school: phase for school, phase in here["phase"].items() if school not in phases},
        **phases,
    }
    for phase in (ALL_SCHOOLS, *sorted(set(wanted.values()))):
        names = [school for school, of in wanted.items() if phase in (ALL_SCHOOLS, of)]
        came = here[here.index.isin(names)]
        known = rolls.reindex(names)
        # A school whose roll the list does not have is expected with the pupils it sent.
        due = known.fillna(here["pupils"].reindex(names)).sum() if known.notna().any() else None
        yield {
            "phase": phase,
            "schools_received": len(came),
            "schools_expected": len(names),
            "pupils_received": int(came["pupils"].sum()),
            "pupils_expected": None if due is None else int(due),
        }


def grouped(rows: pd.DataFrame, *keys: str) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Return the groups of rows in the order of their keys."""
    yield from rows.groupby(list(keys), sort=True, observed=True)  # type: ignore[misc]
