"""All overview counts from the store: the toolkit against hand-written DuckDB SQL and plain pandas.

    python benchmarks/overview_measures.py            ten authorities, three years, 4 million pupil-term rows
    python benchmarks/overview_measures.py england    England for one year, 24 million rows

The table made: local authority x year x phase x sex x FSM x SEN x ethnicity with enrolments, sessions,
persistent and severe absentees, DfE's inclusion rules applied. The input is made here, in the store's layout.
``groupby().apply()`` is run on a twentieth of the pupils and its time multiplied; the table says so.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from measuring import compare, report_variant, run_variant

from attendance_toolkit.metrics.cells import absence_cells
from attendance_toolkit.vocabulary import columns as c

BY = ["la_code", "academic_year", "phase", "sex", "fsm_eligible", "sen_provision", "ethnicity_major"]
COUNTS = (
    "enrolments",
    "sessions_possible",
    "sessions_authorised",
    "sessions_unauthorised",
    "persistent_absentees",
    "severe_absentees",
)

SQL = f"""
WITH enrolments AS (
  SELECT upn, laestab, academic_year,
    sum(sessions_possible)::BIGINT AS possible,
    sum(sessions_authorised)::BIGINT AS authorised,
    sum(sessions_unauthorised)::BIGINT AS unauthorised,
    sum(CASE WHEN half_term <> '6' THEN sessions_possible ELSE 0 END)::BIGINT AS before_6,
    {", ".join(f"any_value({name}) AS {name}" for name in BY if name != "academic_year")}
  FROM read_parquet($path)
  WHERE age BETWEEN 5 AND 15 AND NOT is_boarder AND sessions_possible > 0
    AND sessions_authorised + sessions_unauthorised <= sessions_possible
    AND (age < 15 OR half_term <> '6')
  GROUP BY ALL),
kept AS (
  SELECT *, count(*) OVER (PARTITION BY laestab, academic_year) AS size FROM enrolments WHERE before_6 > 0)
SELECT {", ".join(BY)},
  count(*) AS enrolments,
  sum(possible)::BIGINT AS sessions_possible,
  sum(authorised)::BIGINT AS sessions_authorised,
  sum(unauthorised)::BIGINT AS sessions_unauthorised,
  sum((10 * (authorised + unauthorised) >= possible)::BIGINT)::BIGINT AS persistent_absentees,
  sum((2 * (authorised + unauthorised) >= possible)::BIGINT)::BIGINT AS severe_absentees
FROM kept WHERE size >= 6 GROUP BY ALL
"""


def make_input(path: Path, pupils: int, years: tuple[int, ...], authorities: int) -> None:
    """Write PUPIL_TERM rows of invented pupils with the store's columns."""
    rng = np.random.default_rng(1)
    school = rng.integers(0, pupils // 375, pupils)
    pick = lambda levels, p=None: np.asarray(levels, dtype=object)[rng.choice(len(levels), pupils, p=p)]  # noqa: E731
    la = np.array([f"E0{8000001 + i}" for i in range(authorities)], dtype=object)
    held = {
        "upn": rng.integers(1, 2**62, pupils),
        "la_code": la[school % authorities],
        "laestab": (3_000_000 + school).astype("int32"),
        "urn": (100_000 + school).astype("int32"),
        "phase": pick(["Primary", "Secondary", "Special"], [0.55, 0.42, 0.03]),
        "nc_year": pick([str(n) for n in range(1, 12)]),
        "age": rng.integers(4, 16, pupils).astype("int16"),
        "sex": pick(["Female", "Male"]),
        "fsm_eligible": pick(c.FSM_STATUSES, [0.25, 0.74, 0.01]),
        "fsm6": pick(c.FSM6_STATUSES, [0.3, 0.69, 0.01]),
        "sen_provision": pick(c.SEN_PROVISIONS, [0.8, 0.14, 0.05, 0.01]),
        "ethnicity_major": pick(c.ETHNICITY_MAJOR),
        "ethnicity_minor": pick(c.ETHNICITY_MAJOR),
        "first_language": pick(c.LANGUAGES, [0.8, 0.19, 0.01]),
        "looked_after": pick(["Yes", "No"], [0.01, 0.99]),
        "social_worker": pick(["Yes", "No"], [0.03, 0.97]),
        "enrol_status": np.full(pupils, "Single", dtype=object),
        "is_boarder": rng.random(pupils) < 0.001,
        "on_roll": np.ones(pupils, dtype=bool),
    }
    frame = pd.DataFrame(held)
    text = [name for name in frame.columns if frame[name].dtype.kind not in "biuf"]
    frame = frame.astype(dict.fromkeys(text, "category"))
    connection = duckdb.connect()
    files = []
    for year in years:
        for term, half_term, possible in (("autumn", "1-2", 142), ("spring", "3-4", 118), ("summer", "5-6", 120)):
            absent = np.minimum(rng.negative_binomial(0.7, 0.08, pupils), possible)
            unauthorised = rng.binomial(absent, 0.3)
            part = frame.assign(
                academic_year=np.int32(year),
                term=term,
                half_term=half_term,
                sessions_possible=np.int32(possible),
                sessions_authorised=(absent - unauthorised).astype("int32"),
                sessions_unauthorised=unauthorised.astype("int32"),
                sessions_covid=np.int32(0),
                **{name: np.int32(0) for name in c.REASON_COLUMNS},
            ).assign(
                sessions_auth_illness=(absent - unauthorised).astype("int32"),
                sessions_unauth_other=unauthorised.astype("int32"),
            )
            files.append(path / f"{year}-{term}.parquet")
            connection.register("part", part[list(c.PUPIL_TERM)])
            connection.execute(f"COPY part TO '{files[-1]}' (FORMAT parquet)")


def checksum(frame: pd.DataFrame) -> list[int]:
    return [len(frame), *[int(frame[name].sum()) for name in COUNTS]]


def connect(limit: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    if limit:
        connection.execute(f"SET memory_limit = '{limit}'")
        connection.execute("SET preserve_insertion_order = false")
    return connection


def pandas_frame(path: Path) -> pd.DataFrame:
    names = [
        *dict.fromkeys([*BY, "upn", "laestab", "half_term", "age", "is_boarder"]),
        *[n for n in COUNTS if n.startswith("sessions")],
    ]
    return pd.concat(
        [pd.read_parquet(file, columns=names) for file in sorted(path.glob("*.parquet"))], ignore_index=True
    )


def screened(frame: pd.DataFrame) -> pd.DataFrame:
    for name in BY:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            frame[name] = frame[name].astype(str)
    absent = frame["sessions_authorised"] + frame["sessions_unauthorised"]
    return frame[
        frame["age"].between(5, 15)
        & ~frame["is_boarder"]
        & (frame["sessions_possible"] > 0)
        & (absent <= frame["sessions_possible"])
    ]


def default_pandas(path: Path) -> list[int]:
    """What an analyst writes: default ``groupby().agg()`` with string keys."""
    frame = screened(pandas_frame(path))
    sums = {name: "sum" for name in COUNTS if name.startswith("sessions")}
    enrolments = frame.groupby(["upn", "laestab", *BY])[list(sums)].agg("sum").reset_index()
    size = enrolments.groupby(["laestab", "academic_year"])["upn"].transform("size")
    enrolments = enrolments[size >= 6]
    absent = enrolments["sessions_authorised"] + enrolments["sessions_unauthorised"]
    enrolments = enrolments.assign(
        enrolments=1,
        persistent_absentees=(10 * absent >= enrolments["sessions_possible"]).astype(int),
        severe_absentees=(2 * absent >= enrolments["sessions_possible"]).astype(int),
    )
    return checksum(enrolments.groupby(BY)[list(COUNTS)].agg("sum").reset_index())


def apply_pandas(path: Path, share: int = 20) -> None:
    """``groupby().apply()`` for each pupil, on one in ``share`` pupils."""
    frame = screened(pandas_frame(path))
    frame = frame[frame["upn"] % share == 0]

    def one(rows: pd.DataFrame) -> pd.Series:
        absent = (rows["sessions_authorised"] + rows["sessions_unauthorised"]).sum()
        possible = rows["sessions_possible"].sum()
        return pd.Series(
            {
                "possible": possible,
                "absent": absent,
                "persistent": 10 * absent >= possible,
                "severe": 2 * absent >= possible,
            }
        )

    enrolments = frame.groupby(["upn", "laestab", *BY])[
        ["sessions_possible", "sessions_authorised", "sessions_unauthorised"]
    ].apply(one)
    enrolments.groupby(BY).sum()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("size", nargs="?", default="greater-manchester", choices=["greater-manchester", "england"])
    parser.add_argument("--variant")
    parser.add_argument("--path", type=Path)
    options = parser.parse_args()
    if options.variant:
        pattern = f"{options.path}/*.parquet"
        kind, _, limit = options.variant.partition(", memory limit ")
        sizes = (8_000_000, (202324,), 150) if options.size == "england" else (450_000, (202122, 202223, 202324), 10)
        work = {
            "make the input": lambda: make_input(options.path, *sizes),
            "hand-written DuckDB SQL": lambda: checksum(
                connect(limit).execute(SQL, {"path": pattern}).to_arrow_table().to_pandas()
            ),
            "toolkit": lambda: checksum(
                absence_cells(connect(limit).sql(f"FROM read_parquet('{pattern}')"), BY, counts=COUNTS)
            ),
            "pandas groupby().agg(), string keys": lambda: default_pandas(options.path),
            "pandas groupby().apply(), 1 pupil in 20": lambda: apply_pandas(options.path),
        }[kind]
        report_variant(work)
        return
    with tempfile.TemporaryDirectory() as folder:
        england = options.size == "england"
        arguments = (options.size, "--path", folder)
        # In a process of its own: a child's peak memory starts at its parent's.
        run_variant(__file__, "make the input", *arguments)
        sql, ours = "hand-written DuckDB SQL", "toolkit"
        if england:
            compare(
                __file__,
                {sql: 3, ours: 3, f"{sql}, memory limit 1500MB": 1, f"{ours}, memory limit 1500MB": 1},
                sql,
                *arguments,
            )
            return
        found = compare(
            __file__,
            {sql: 5, ours: 5, "pandas groupby().agg(), string keys": 2, "pandas groupby().apply(), 1 pupil in 20": 1},
            sql,
            *arguments,
        )
        mine = found[ours]["seconds"]
        print(f"toolkit / SQL: {mine / found[sql]['seconds']:.2f} (target at most 1.3)")
        print(
            f"pandas agg / toolkit: {found['pandas groupby().agg(), string keys']['seconds'] / mine:.1f} (target at least 3)"
        )
        apply = 20 * found["pandas groupby().apply(), 1 pupil in 20"]["seconds"]
        print(f"pandas apply x 20 / toolkit: {apply / mine:.0f} (target at least 10)")
        print(f"toolkit peak: {found[ours]['peak_mb']:.0f} MB (target under 1,500)")


if __name__ == "__main__":
    sys.exit(main())
