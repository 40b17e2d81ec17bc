"""Pupils followed across nine terms, 4 million pupil-terms: band matrices of the toolkit against pandas.

    python benchmarks/band_matrix.py

First the matrices alone, eight steps from term to term: ``band_matrix`` counts pairs in the wide array that following pupils
leaves behind, or in one scattered from rows of pupil, term and band; pandas pivots such rows and crosstabulates pairs of
columns. Then the whole way from Parquet in the store's layout: ``follow_pupils`` and ``flow_cells``, against pandas
``groupby().agg()``, ``pivot`` and ``crosstab``. The toolkit then does more: joiners of half term 6, small schools, schools,
districts and characteristics. Pupils and their absence are invented; some leave and come back.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from measuring import compare, report_variant, run_variant
from overview_measures import make_input

from attendance_toolkit.metrics.following import band_matrix, flow_cells, follow_pupils
from attendance_toolkit.vocabulary.outcomes import AFTER, BANDS, BEFORE

PUPILS, YEARS = 450_000, (202122, 202223, 202324)
TERMS = ("autumn", "spring", "summer")
READY = "toolkit: matrices, rows already wide"
OURS, PANDAS = "toolkit: matrices", "pandas: pivot and crosstab"
FOLLOW, WHOLE = "toolkit: from Parquet", "pandas: from Parquet"
#: In no band: on no roll.
GONE = 8


def make_rows(path: Path) -> None:
    """Write the Parquet files, and the rows of pupil, period and band they come to."""
    make_input(path, PUPILS, YEARS, 10)
    for file in path.glob("*.parquet"):
        # One pupil in twelve is missing in a term: other ones each time.
        seed = sum(map(ord, file.stem))
        duckdb.execute(f"COPY (FROM '{file}' WHERE hash(upn, {seed}) % 12 > 0) TO '{file}.new' (FORMAT parquet)")
        Path(f"{file}.new").replace(file)
    bands_of(read_frame(path)).to_parquet(path.parent / "bands.parquet")


def read_frame(path: Path) -> pd.DataFrame:
    names = ["upn", "laestab", "academic_year", "term", "half_term", "age", "is_boarder",
             "sessions_possible", "sessions_authorised", "sessions_unauthorised"]  # fmt: skip
    return pd.concat(
        [pd.read_parquet(file, columns=names) for file in sorted(path.glob("*.parquet"))], ignore_index=True
    )


def bands_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Return upn, period and band with pandas, by DfE's rules as far as the invented rows know them."""
    absent = frame["sessions_authorised"] + frame["sessions_unauthorised"]
    frame = frame[frame["age"].between(5, 15) & ~frame["is_boarder"] & (absent <= frame["sessions_possible"])]
    period = frame["academic_year"].map({year: 3 * at for at, year in enumerate(YEARS)})
    period += frame["term"].astype("str").map({term: at for at, term in enumerate(TERMS)})
    sums = frame.assign(period=period, absent=absent).groupby(["upn", "period"])[["sessions_possible", "absent"]]
    sums = sums.agg("sum").reset_index()
    edges = [(1, 20), (1, 10), (1, 5), (1, 2)]
    sums["band"] = sum((sums["absent"] * of >= sums["sessions_possible"] * share).astype("int8") for share, of in edges)
    return sums[["upn", "period", "band"]].astype({"period": "int8", "band": "int8"})


def checksum(matrices: list[np.ndarray]) -> list[int]:
    """Return the diagonals' sums, step by step: pupils who stay in their band."""
    return [int(np.trace(matrix[: len(BANDS), : len(BANDS)])) for matrix in matrices]


def wide_of(rows: dict[str, np.ndarray]) -> np.ndarray:
    number, pupils = pd.factorize(rows["upn"])
    wide = np.full((len(pupils), 9), GONE, np.int8)
    wide[number, rows["period"]] = rows["band"]
    return wide


def matrices(wide: np.ndarray) -> list[int]:
    return checksum([band_matrix(wide[:, at], wide[:, at + 1])[0] for at in range(wide.shape[1] - 1)])


def pandas_matrices(rows: pd.DataFrame) -> list[int]:
    wide = rows.pivot(index="upn", columns="period", values="band").fillna(GONE).astype("int8")
    return checksum([pd.crosstab(wide[at], wide[at + 1]).to_numpy() for at in range(8)])


def toolkit_whole(path: Path) -> list[int]:
    cells = flow_cells(follow_pupils(duckdb.connect().sql(f"FROM read_parquet('{path}/*.parquet')")))
    found = []
    for _, step in cells.groupby(["academic_year", "step"], sort=False):
        table = step.pivot(index="band_before", columns="band_after", values="pupils")
        found.append(table.reindex(index=list(BEFORE), columns=list(AFTER)).fillna(0).to_numpy())
    return checksum(found)


def prepared(variant: str, path: Path) -> Callable[[], object]:
    """Return the work to be timed; what it starts from is read before."""
    bands = path.parent / "bands.parquet"
    if variant in (OURS, READY):
        frame = pd.read_parquet(bands)
        rows = {name: frame[name].to_numpy() for name in frame}
        if variant == OURS:
            return lambda: matrices(wide_of(rows))
        wide = wide_of(rows)
        return lambda: matrices(wide)
    if variant == PANDAS:
        frame = pd.read_parquet(bands)
        return lambda: pandas_matrices(frame)
    if variant == FOLLOW:
        return lambda: toolkit_whole(path)
    if variant == WHOLE:
        return lambda: pandas_matrices(bands_of(read_frame(path)))
    return lambda: make_rows(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variant")
    parser.add_argument("--path", type=Path)
    options = parser.parse_args()
    if options.variant:
        report_variant(prepared(options.variant, options.path))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        path.mkdir()
        arguments = ("--path", str(path))
        run_variant(__file__, "make the input", *arguments)
        found = compare(__file__, {OURS: 3, READY: 3, PANDAS: 2}, OURS, *arguments)
        seconds = {name: row["seconds"] for name, row in found.items()}
        print(
            f"pandas / toolkit, matrices of pupils already followed: {seconds[PANDAS] / seconds[READY]:.0f} (target 10)"
        )
        print(f"pandas / toolkit, matrices from rows: {seconds[PANDAS] / seconds[OURS]:.1f}")
        found = compare(__file__, {FOLLOW: 2, WHOLE: 2}, FOLLOW, *arguments)
        print(f"pandas / toolkit, from Parquet: {found[WHOLE]['seconds'] / found[FOLLOW]['seconds']:.1f}")


if __name__ == "__main__":
    sys.exit(main())
