"""Time, memory and size of the synthetic data, beside writing the same rows with pandas.

    python benchmarks/synthetic.py --size full

Each part runs in a process of its own, so that peak memory is that part's. The alternative is
``DataFrame.to_csv`` of the on-roll session rows of one return, against the writer used here.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# ``ru_maxrss`` of a child can carry over its parent's peak, so the parent stays small.


def peak_megabytes() -> float:
    """Return the peak memory of this process (0 where the platform does not say)."""
    try:
        import resource
    except ImportError:
        return 0.0
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def part(name: str, size: str) -> None:
    from attendance_toolkit.loaders.synthetic import generate, make_synthetic

    if name == "generate":
        begin = time.perf_counter()
        cohort = generate(size)
        seconds = time.perf_counter() - begin
        print(
            f"generate {size}: {len(cohort.pupils):,} pupils, {len(cohort.sessions):,} rows of pupil, school and half"
            f" term in {seconds:.1f} s, peak {peak_megabytes():,.0f} MB"
        )
    elif name == "files":
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            paths = make_synthetic(folder, size)
            seconds = time.perf_counter() - begin
            megabytes = sum(path.stat().st_size for path in paths) / 1e6
            print(
                f"make_synthetic {size}: {len(paths):,} files, {megabytes:,.0f} MB in {seconds:.1f} s,"
                f" peak {peak_megabytes():,.0f} MB"
            )
    else:
        compare(size)


def compare(size: str) -> None:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    from attendance_toolkit.loaders.synthetic import generate, write_census_files
    from attendance_toolkit.loaders.synthetic._census_files import _OPTIONS

    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        write_census_files(generate(size, areas=["Castleford Vale"]), folder)
        frame = pd.read_csv(folder / "983_2023_spring_la_termlysessiondetailsonroll.csv")
        table = pa.Table.from_pandas(frame, preserve_index=False)
        begin = time.perf_counter()
        pa_csv.write_csv(table, str(folder / "a.csv"), _OPTIONS)
        ours = time.perf_counter() - begin
        begin = time.perf_counter()
        frame.to_csv(folder / "b.csv", index=False)
        theirs = time.perf_counter() - begin
        print(
            f"{len(frame):,} session rows: {ours:.3f} s; pandas to_csv {theirs:.3f} s, {theirs / ours:.1f} times that"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="full", choices=("small", "sample", "full"))
    parser.add_argument("--part", choices=("generate", "files", "compare"))
    chosen = parser.parse_args()
    if chosen.part:
        part(chosen.part, chosen.size)
        return
    for name in ("generate", "files", "compare"):
        subprocess.run([sys.executable, __file__, "--part", name, "--size", chosen.size], check=True)


if __name__ == "__main__":
    main()
