"""The one heavy step: PUPIL_TERM rows to CELLS, additive counts for each combination of groups.

One narwhals body runs on DuckDB, polars and pandas. Its rules, learnt from trials: cast and flag in
``with_columns`` before ``group_by``; only plain sums inside ``agg`` (a conditional there is silently wrong on
pandas); 64-bit sums; thresholds compared as integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import narwhals as nw
import pandas as pd

from attendance_toolkit.errors import UnknownColumnError, did_you_mean
from attendance_toolkit.vocabulary.columns import (
    ALL_COUNTS,
    BAND_COLUMNS,
    CELL_COUNTS,
    CONTRIBUTOR_COUNTS,
    FULL_ABSENCE_COUNTS,
    REASON_COLUMNS,
    SEVERE_COUNTS,
    TIME_ON_ROLL,
)
from attendance_toolkit.vocabulary.measures import PERSISTENT, SEVERE


@dataclass(frozen=True)
class InclusionRules:
    """Who is counted. The defaults are those of DfE's published absence statistics.

    Source: DfE, Pupil absence statistics: methodology (ages, boarders, possible sessions, small schools,
    second half of the summer term).
    """

    min_age: int | None = 5
    max_age: int | None = 15
    exclude_boarders: bool = True
    exclude_impossible: bool = True
    """Leave out a pupil's half term with no possible session, or more absence than possible sessions."""
    exclude_half_term_6_at_15: bool = True
    exclude_half_term_6_joiners: bool = True
    min_school_enrolments: int = 6
    covid_x_possible: bool = True
    """Keep code X of the coronavirus period in possible sessions."""


DFE_RULES = InclusionRules()
EVERYBODY = InclusionRules(None, None, False, True, False, False, 0, True)


def _check_groups(by: Sequence[str], available: Sequence[str]) -> None:
    for name in by:
        if name not in available:
            hint = did_you_mean(name, available)
            raise UnknownColumnError(
                f"There is no column '{name}' to group by.{hint} Choose from: {', '.join(available)}."
            )


def _on_duckdb(data: Any) -> Any:
    """Hand a pandas frame to DuckDB: an order of magnitude quicker than pandas for this query."""
    if isinstance(data, pd.DataFrame):
        connection = duckdb.connect()
        return connection.from_df(data)
    return data


def enrolment_years(
    pupil_terms: Any, by: Sequence[str] = (), *, rules: InclusionRules = DFE_RULES
) -> nw.LazyFrame[Any]:
    """Return one row per enrolment (pupil and school) and period, DfE's inclusion rules applied.

    The period is the academic year, or the term or half term when ``by`` asks for it.
    """
    frame = nw.from_native(pupil_terms).lazy()
    columns = frame.collect_schema().names()
    _check_groups(by, columns)
    period = ["academic_year", *[name for name in ("term", "half_term") if name in by]]
    key = ["upn", "laestab", *period]
    held = [name for name in by if name not in key]

    possible = nw.col("sessions_possible").cast(nw.Int64)
    if not rules.covid_x_possible:
        possible = possible - nw.col("sessions_covid").cast(nw.Int64)
    frame = frame.with_columns(
        possible=possible,
        authorised=nw.col("sessions_authorised").cast(nw.Int64),
        unauthorised=nw.col("sessions_unauthorised").cast(nw.Int64),
        covid=nw.col("sessions_covid").cast(nw.Int64),
        is_half_term_6=(nw.col("half_term") == "6").cast(nw.Int64),
        **{name: nw.col(name).cast(nw.Int64) for name in REASON_COLUMNS},
    )
    if rules.min_age is not None:
        frame = frame.filter(nw.col("age") >= rules.min_age)
    if rules.max_age is not None:
        frame = frame.filter(nw.col("age") <= rules.max_age)
    if rules.exclude_boarders:
        frame = frame.filter(~nw.col("is_boarder"))
    if rules.exclude_impossible:
        frame = frame.filter(
            nw.col("possible") > 0, nw.col("authorised") + nw.col("unauthorised") <= nw.col("possible")
        )
    if rules.exclude_half_term_6_at_15:
        frame = frame.filter((nw.col("age") < 15) | (nw.col("is_half_term_6") == 0))
    frame = frame.with_columns(possible_before_6=nw.col("possible") * (1 - nw.col("is_half_term_6")))

    sums = ["possible", "authorised", "unauthorised", "covid", "possible_before_6", *REASON_COLUMNS]
    enrolments = frame.group_by(key).agg(
        *[nw.col(name).sum() for name in sums],
        *[nw.col(name).any_value() for name in held],
    )
    if rules.exclude_half_term_6_joiners:
        before = nw.col("possible_before_6")
        if len(period) > 1:
            before = before.sum().over("upn", "laestab", "academic_year")
        enrolments = enrolments.with_columns(joined_before_6=before).filter(nw.col("joined_before_6") > 0)
    if rules.min_school_enrolments > 1:
        enrolments = enrolments.with_columns(one=nw.lit(1, dtype=nw.Int64))
        enrolments = enrolments.with_columns(school_enrolments=nw.col("one").sum().over("laestab", *period))
        enrolments = enrolments.filter(nw.col("school_enrolments") >= rules.min_school_enrolments)
    return enrolments


def absence_cells(
    pupil_terms: Any,
    by: Sequence[str] = (),
    *,
    rules: InclusionRules = DFE_RULES,
    counts: Sequence[str] = CELL_COUNTS,
    on_duckdb: bool = True,
) -> pd.DataFrame:
    """Return CELLS: additive counts of enrolments and sessions for each combination of groups.

    Sessions are added up per enrolment (pupil and school) over the academic year, or over the term or half
    term when ``by`` names it; the 10% and 50% thresholds are applied to that enrolment's own sessions.

    Parameters
    ----------
    pupil_terms
        PUPIL_TERM rows: pandas or polars frame, DuckDB relation.
    by
        Group columns of PUPIL_TERM, and "time_on_roll": how many possible sessions the enrolment itself has
        (``TIME_ON_ROLL``). Empty means one cell for everybody.
    rules
        Who is counted; DfE's rules unless told otherwise.
    counts
        Which of ``ALL_COUNTS`` to make; leaving out the reasons halves the work on a large store.
    on_duckdb
        Run a pandas frame through DuckDB (much faster). False keeps it on pandas.

    Returns
    -------
    pandas frame: the group columns, then ``counts`` as whole numbers.

    Raises
    ------
    UnknownColumnError
        A name in ``by`` is absent; the message lists the columns to choose from.
    """
    by = list(dict.fromkeys(by))
    held = [name for name in by if name != "time_on_roll"]
    enrolments = enrolment_years(_on_duckdb(pupil_terms) if on_duckdb else pupil_terms, held, rules=rules)
    absent = nw.col("authorised") + nw.col("unauthorised")
    flagged = enrolments.with_columns(enrolments=nw.lit(1, dtype=nw.Int64), absent=absent)
    flagged = flagged.with_columns(
        persistent_absentees=(nw.col("absent") * PERSISTENT[1] >= nw.col("possible") * PERSISTENT[0]).cast(nw.Int64),
        severe_absentees=(nw.col("absent") * SEVERE[1] >= nw.col("possible") * SEVERE[0]).cast(nw.Int64),
        no_absence_enrolments=(nw.col("absent") == 0).cast(nw.Int64),
        band=nw.col("absent") * 20 // nw.col("possible"),
        square_possible=nw.col("possible") * nw.col("possible"),
        square_absent=nw.col("absent") * nw.col("absent"),
        square_authorised=nw.col("authorised") * nw.col("authorised"),
        square_unauthorised=nw.col("unauthorised") * nw.col("unauthorised"),
        cross_absent=nw.col("absent") * nw.col("possible"),
        cross_authorised=nw.col("authorised") * nw.col("possible"),
        cross_unauthorised=nw.col("unauthorised") * nw.col("possible"),
    )
    names = {
        "possible": "sessions_possible",
        "authorised": "sessions_authorised",
        "unauthorised": "sessions_unauthorised",
    }
    last = len(BAND_COLUMNS) - 1
    flagged = flagged.with_columns(
        **{new: nw.col(old) for old, new in names.items()},
        sessions_covid=nw.col("covid"),
        **{f"{new}_persistent": nw.col(old) * nw.col("persistent_absentees") for old, new in names.items()},
        **{f"{new}_severe": nw.col(old) * nw.col("severe_absentees") for old, new in names.items()},
        **{
            column: ((nw.col("band") == index) if index < last else (nw.col("band") >= last)).cast(nw.Int64)
            for index, column in enumerate(BAND_COLUMNS)
        },
        **_contributor_columns(counts),
    )
    for further in (_severe_columns(counts), _full_absence_columns(counts)):
        if further:
            flagged = flagged.with_columns(**further)
    if len(held) < len(by):
        flagged = flagged.with_columns(time_on_roll=_time_on_roll())
    if by:
        cells = flagged.group_by(by).agg(*[nw.col(name).sum() for name in counts])
    else:
        cells = flagged.select(*[nw.col(name).sum() for name in counts])
    return _to_pandas(cells, by, list(counts))


def _contributor_columns(counts: Sequence[str]) -> dict[str, nw.Expr]:
    """Return those of ``CONTRIBUTOR_COUNTS`` that are asked for, of one enrolment."""
    found = {}
    for name in dict.fromkeys(name.removesuffix("_severe") for name in counts):
        if name in CONTRIBUTOR_COUNTS:
            kind, _, what = name.partition("_")
            sessions = nw.col(what if what in ("authorised", "unauthorised") else f"sessions_{what}")
            found[name] = (sessions > 0).cast(nw.Int64) if kind == "enrolments" else sessions * sessions
    return found


def _severe_columns(counts: Sequence[str]) -> dict[str, nw.Expr]:
    """Return those of ``SEVERE_COUNTS`` that are asked for, of one enrolment: the count, if it is a severe absentee."""
    return {
        name: nw.col(name.removesuffix("_severe")) * nw.col("severe_absentees")
        for name in counts
        if name in SEVERE_COUNTS
    }


def _full_absence_columns(counts: Sequence[str]) -> dict[str, nw.Expr]:
    """Return those of ``FULL_ABSENCE_COUNTS`` that are asked for, of one enrolment."""
    is_full = nw.col("absent") == nw.col("possible")
    has_more = nw.col("unauthorised") > nw.col("authorised")
    found = {
        "full_absence_enrolments": is_full,
        "full_absence_authorised": is_full & ~has_more,
        "full_absence_unauthorised": is_full & has_more,
        "full_absence_part_time": is_full & (nw.col("sessions_auth_temp_reduced_timetable") > 0),
    }
    return {name: found[name].cast(nw.Int64) for name in FULL_ABSENCE_COUNTS if name in counts}


def _time_on_roll() -> nw.Expr:
    *shorter, (longest, _) = TIME_ON_ROLL
    found = nw.lit(longest)
    for label, limit in reversed(shorter):
        found = nw.when(nw.col("possible") < limit).then(nw.lit(label)).otherwise(found)
    return found


def _to_pandas(cells: nw.LazyFrame[Any], by: list[str], names: list[str]) -> pd.DataFrame:
    frame = cells.collect("pyarrow").to_pandas() if cells.implementation.is_duckdb() else cells.collect().to_pandas()
    frame = frame[[*by, *names]]
    for name in by:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            frame[name] = frame[name].astype("str")
    counts = frame[names].fillna(0).astype("int64")
    frame = pd.concat([frame[by], counts], axis=1) if by else counts
    if not by:
        return frame
    # Sorted, so that the same data give the same rows whatever the engine and its threads did.
    return frame.sort_values(by, kind="stable").reset_index(drop=True)


def add_cells(cells: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return cells added up over every group column not in ``by``. A count missing in a part is missing in the sum."""
    _check_groups(by, [name for name in cells.columns if name not in ALL_COUNTS])
    counts = [name for name in ALL_COUNTS if name in cells.columns]
    if not by:
        return cells[counts].sum(min_count=1, skipna=False).to_frame().T
    grouped = cells.groupby(list(by), sort=True, observed=True, dropna=False)[counts]
    total = grouped.sum(min_count=1)
    holes = cells[counts].isna()
    if holes.to_numpy().any():
        incomplete = holes.groupby([cells[name] for name in by], sort=True, observed=True, dropna=False).any()
        total = total.mask(incomplete)
    return total.reset_index()


def pupil_count(pupil_terms: Any, by: Sequence[str] = (), *, rules: InclusionRules = DFE_RULES) -> pd.DataFrame:
    """Return the number of different pupils in each group; a pupil of two schools counts once in a group.

    Not additive: a pupil may be in several groups. Enrolments (in CELLS) are.
    """
    enrolments = enrolment_years(_on_duckdb(pupil_terms), by, rules=rules)
    counted = (
        enrolments.group_by(list(by)).agg(pupils=nw.col("upn").n_unique())
        if by
        else enrolments.select(pupils=nw.col("upn").n_unique())
    )
    frame = (
        counted.collect("pyarrow").to_pandas() if counted.implementation.is_duckdb() else counted.collect().to_pandas()
    )
    return frame.sort_values(list(by)).reset_index(drop=True) if by else frame
