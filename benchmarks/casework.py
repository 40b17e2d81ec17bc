"""Casework of one authority from single marks: 40,000 pupils, 380 sessions each, against plain pandas.

    python benchmarks/casework.py

The toolkit reads the marks from Parquet in the store's layout and makes the levels of the graduated response, who moved, and
the penalty-notice windows. Pandas does the same for a sample of 2,000 of the pupils, by merges, ``groupby`` and a loop over
pupils, and its seconds are scaled by pupils. Both must agree on the sample. Pupils and marks are invented: spells of absence
with rates from none to severe, 110 schools, 38 school weeks with holidays between them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from measuring import report_variant, run_variant

from attendance_toolkit.metrics.marks import MarkTable, graduated_response, movement, penalty_windows
from attendance_toolkit.vocabulary.register_codes import read_mark
from attendance_toolkit.vocabulary.rule_schemes import rule_scheme

PUPILS, SAMPLE, SCHOOLS, WEEKS = 40_000, 2_000, 110, 38
HOLIDAYS = {7, 15, 16, 22, 28, 29, 35}
ABSENT = np.array(["I", "M", "O", "G", "N", "U", "C"])
OFTEN = [0.6, 0.12, 0.1, 0.05, 0.02, 0.03, 0.08]


def make_marks(path: Path) -> None:
    """Write the marks of all pupils, and of the sample."""
    rng = np.random.default_rng(1)
    weeks = [week for week in range(WEEKS + len(HOLIDAYS)) if week not in HOLIDAYS][:WEEKS]
    days = np.array([date(2023, 9, 4) + timedelta(days=7 * week + day) for week in weeks for day in range(5)])
    sessions = 2 * len(days)
    # With runs of absence about 7% of sessions are missed, as in England.
    rate = rng.beta(0.5, 16, PUPILS)
    # A day after a missed one is missed in two of three cases.
    missed = rng.random((PUPILS, len(days))) < rate[:, None]
    for day in range(1, len(days)):
        missed[:, day] = np.where(rng.random(PUPILS) < (2 / 3) * missed[:, day - 1], True, missed[:, day])
    own = rng.choice(len(ABSENT), PUPILS, p=OFTEN)
    code = np.where(
        rng.random((PUPILS, len(days))) < 0.7, own[:, None], rng.choice(len(ABSENT), (PUPILS, len(days)), p=OFTEN)
    )
    codes = np.where(missed, code, -1)
    flat = np.repeat(codes, 2, axis=1).ravel()
    present = np.tile([len(ABSENT), len(ABSENT) + 1], PUPILS * len(days))
    words = pa.array([*ABSENT.tolist(), "/", "\\"])
    count = PUPILS * sessions
    table = pa.table(
        {
            "upn": np.repeat(rng.permutation(PUPILS * 1000)[:PUPILS].astype(np.int64), sessions),
            "la_code": pa.DictionaryArray.from_arrays(np.zeros(count, np.int8), ["E08000009"]).cast(pa.string()),
            "laestab": np.repeat(np.sort(3582000 + rng.integers(0, SCHOOLS, PUPILS)), sessions).astype(np.int32),
            "academic_year": np.full(count, 202324, np.int32),
            "half_term": pa.DictionaryArray.from_arrays(np.zeros(count, np.int8), ["1"]).cast(pa.string()),
            "day": pa.array(np.tile(np.repeat(days, 2).astype("datetime64[D]"), PUPILS)),
            "session": pa.DictionaryArray.from_arrays(np.tile([0, 1], count // 2), ["AM", "PM"]).cast(pa.string()),
            "code": words.take(pa.array(np.where(flat < 0, present, flat))),
        }
    )
    pq.write_table(table, path / "all.parquet")
    # Whole schools, so that school weeks are the same.
    schools = np.unique(table["laestab"].to_numpy())[: max(1, SCHOOLS * SAMPLE // PUPILS)]
    duckdb.execute(
        f"COPY (FROM '{path}/all.parquet' WHERE laestab <= {int(schools[-1])}) TO '{path}/sample.parquet' (FORMAT parquet)"
    )


def totals(levels: pd.Series, moved: pd.Series, events: int) -> list[object]:
    """Return what both ways must agree on."""
    return [levels.value_counts().sort_index().to_dict(), moved.value_counts().sort_index().to_dict(), events]


def of_toolkit(path: Path) -> list[object]:
    scheme = rule_scheme("graduated_response")
    with duckdb.connect() as con:
        table = MarkTable(con.sql(f"FROM '{path}'"))
        found = graduated_response(table, scheme)
        moved = movement(table, scheme).pupils
        events = penalty_windows(table)
    return totals(found["level"], moved["moved"], len(events))


def of_pandas(path: Path) -> list[object]:
    rows = pd.read_parquet(path, columns=["upn", "laestab", "day", "session", "code"])
    rows["day"] = pd.to_datetime(rows["day"])
    kinds = rows[["day", "code"]].drop_duplicates()
    kinds["outcome"] = [
        read_mark(code, day.date()).outcome for day, code in zip(kinds["day"], kinds["code"], strict=True)
    ]
    rows = rows.merge(kinds, on=["day", "code"])
    rows["missed"] = rows["outcome"].str.contains("auth_")
    days = rows[["laestab", "day"]].drop_duplicates().sort_values(["laestab", "day"])
    days["back"] = days.groupby("laestab").cumcount(ascending=False)
    days["week"] = (
        (days["day"] - pd.to_timedelta(days["day"].dt.weekday, unit="D")).groupby(days["laestab"]).rank("dense")
    )
    rows = rows.merge(days, on=["laestab", "day"])
    levels = []
    for first in (0, 20):
        inside = rows[rows["back"].between(first, first + 19)]
        counted = inside.groupby(["laestab", "upn"]).agg(possible=("missed", "size"), missed=("missed", "sum"))
        attended = (counted["possible"] - counted["missed"]) * 100 / counted["possible"]
        levels.append(pd.cut(attended, [-1, 79.9999, 89.9999, 99.9999, 100], labels=[3, 2, 1, 0]).astype(int))
    both = pd.DataFrame({"now": levels[0], "before": levels[1]})
    moved = pd.Series(np.select([both["now"] > both["before"], both["now"] < both["before"]], ["up", "down"], "same"))
    counts = rows[rows["code"].isin(["G", "N", "O", "U"])].sort_values(["laestab", "upn", "day", "session"])
    events = 0
    for _, part in counts.groupby(["laestab", "upn"]):
        waiting: list[float] = []
        for week in part["week"]:
            waiting = [*(one for one in waiting if one > week - 10), week]
            if len(waiting) == 10:
                events, waiting = events + 1, []
    return totals(levels[0], moved, events)


def make(path: Path) -> int:
    make_marks(path)
    return len(pq.read_table(path / "sample.parquet", columns=["upn"])["upn"].unique())


# The marks are made in a process of their own: their memory would be counted as that of those it starts.
WORK = {"toolkit": of_toolkit, "pandas": of_pandas, "make": make}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", choices=sorted(WORK))
    parser.add_argument("--file", type=Path)
    given = parser.parse_args()
    if given.variant:
        report_variant(lambda: WORK[given.variant](given.file))
        sys.exit(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        sample = run_variant(__file__, "make", "--file", folder)["checksum"]
        ours, whole = (
            run_variant(__file__, "toolkit", "--file", str(path / f"{name}.parquet")) for name in ("sample", "all")
        )
        theirs = run_variant(__file__, "pandas", "--file", str(path / "sample.parquet"))
        if ours["checksum"] != theirs["checksum"]:
            raise SystemExit(f"They disagree: {ours['checksum']} and {theirs['checksum']}")
        scaled = theirs["seconds"] * PUPILS / sample
        print(f"toolkit, {PUPILS:,} pupils: {whole['seconds']:.1f} s, {whole['peak_mb']:,.0f} MB; {whole['checksum']}")
        print(
            f"pandas, {sample:,} pupils: {theirs['seconds']:.1f} s, {theirs['peak_mb']:,.0f} MB; scaled {scaled:.0f} s,"
            f" {scaled / whole['seconds']:.1f} times as long"
        )


if __name__ == "__main__":
    main()
