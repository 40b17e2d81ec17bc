"""Reconciling a published file of 50,000 rows against a plain loop over the rows of a pandas frame.

    python benchmarks/reconcile.py [--rows 50000] [--sample 2000]

The file has the columns and the proportions of DfE's absence by geography: authorities, regions and England, four
school types, as many years as are needed. The loop makes only the checks within a row (each percentage against its
counts, absence against its parts), on a sample, and its time is scaled to all rows; the toolkit makes every check, from
the CSV file on. Both must find the planted faults.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import compare, report_variant

PHASES = ("State-funded primary", "State-funded secondary", "Special")
RATES = (
    ("sess_overall_percent", "sess_overall", "sess_possible"),
    ("sess_authorised_percent", "sess_authorised", "sess_possible"),
    ("sess_unauthorised_percent", "sess_unauthorised", "sess_possible"),
    ("enrolments_pa_10_exact_percent", "enrolments_pa_10_exact", "enrolments"),
)
COUNTS = (
    "enrolments",
    "sess_possible",
    "sess_overall",
    "sess_authorised",
    "sess_unauthorised",
    "enrolments_pa_10_exact",
)
FAULTS = 7


def make_file(path: Path, rows: int) -> None:
    """Write a file in which everything adds up, and then change seven percentages."""
    rng = np.random.default_rng(1)
    areas = [(f"E{8_000_000 + n:08d}", f"E{12_000_000 + n % 9:08d}") for n in range(153)]
    years = math.ceil(rows / ((len(areas) + 10) * 4))
    parts = []
    for n in range(years):
        start = 1990 + n
        base = pd.DataFrame([(code, region, phase) for code, region in areas for phase in PHASES],
                            columns=["new_la_code", "region_code", "school_type"])  # fmt: skip
        base["enrolments"] = rng.integers(50, 40_000, len(base))
        base["sess_possible"] = base["enrolments"] * 371
        base["sess_authorised"] = (base["sess_possible"] * rng.uniform(0.03, 0.06, len(base))).astype(int)
        base["sess_unauthorised"] = (base["sess_possible"] * rng.uniform(0.005, 0.04, len(base))).astype(int)
        base["enrolments_pa_10_exact"] = (base["enrolments"] * rng.uniform(0.05, 0.4, len(base))).astype(int)
        base["sess_overall"] = base["sess_authorised"] + base["sess_unauthorised"]
        counts = list(COUNTS)
        total = base.groupby(["new_la_code", "region_code"], as_index=False)[counts].sum().assign(school_type="Total")
        level = pd.concat([base, total]).assign(geographic_level="Local authority")
        region = level.groupby(["region_code", "school_type"], as_index=False)[counts].sum()
        england = level.groupby("school_type", as_index=False)[counts].sum()
        part = pd.concat(
            [level, region.assign(geographic_level="Regional"), england.assign(geographic_level="National")]
        )
        parts.append(part.assign(time_period=f"{start}{(start + 1) % 100:02d}"))
    frame = pd.concat(parts, ignore_index=True).head(rows)
    frame["time_identifier"], frame["country_code"] = "Academic year", "E92000001"
    for rate, count, size in RATES:
        frame[rate] = (100 * frame[count] / frame[size]).map("{:.5f}".format)
    for number in range(FAULTS):
        row = 11 + number * 97
        frame.loc[row, "sess_overall_percent"] = f"{float(frame.loc[row, 'sess_overall_percent']) + 0.01:.5f}"
    frame.to_csv(path, index=False)


def toolkit(path: Path) -> int:
    from attendance_toolkit.reporting.reconcile import check_published

    found = check_published([path])
    return int((found["check"] == "rate_from_counts").sum())


def row_loop(path: Path, sample: int) -> int:
    """Check each row by itself with Python numbers, as a script would."""
    frame = pd.read_csv(path, dtype=str).head(sample)
    found = 0
    for _, row in frame.iterrows():
        for rate, count, size in RATES:
            if abs(100 * float(row[count]) / float(row[size]) - float(row[rate])) > 0.000_005_000_001:
                found += 1
        if float(row["sess_authorised"]) + float(row["sess_unauthorised"]) != float(row["sess_overall"]):
            found += 1
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--sample", type=int, default=2_000)
    parser.add_argument("--variant", default="")
    parser.add_argument("--file", default="")
    options = parser.parse_args()
    if options.variant:
        path = Path(options.file)
        works = {
            "toolkit, every check": lambda: toolkit(path),
            "row loop, sample": lambda: row_loop(path, options.sample),
        }
        report_variant(works[options.variant])
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "published.csv"
        started = time.perf_counter()
        make_file(path, options.rows)
        print(
            f"{options.rows:,} rows, {path.stat().st_size / 1e6:.1f} MB, made in {time.perf_counter() - started:.1f} s"
        )
        found = compare(__file__, {"toolkit, every check": 3, "row loop, sample": 3}, "toolkit, every check",
                        "--file", str(path), "--sample", str(options.sample))  # fmt: skip
        scaled = found["row loop, sample"]["seconds"] * options.rows / options.sample
        ours = found["toolkit, every check"]["seconds"]
        print(f"row loop scaled to {options.rows:,} rows: {scaled:.1f} s, {scaled / ours:.1f} times the toolkit")


if __name__ == "__main__":
    main()
