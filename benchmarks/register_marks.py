"""Register marks to pupil × half-term sums, against bare group-bys over the same Parquet.

    python benchmarks/register_marks.py [--marks 5000000] [--order pupil|date] [--memory-limit 3GB]

The Parquet is made in a process of its own. ``--marks 85000000`` is a year of Greater Manchester. The bare ways give the
sums of PUPIL_TERM from one plain query, without any check: half terms by date, sessions by code. Target: at most twice
the quicker one, below 4 GB.

A second table is of the single marks that the store keeps: reading the register and writing them, against a bare copy of the
same file in the same order. What they cost a load is "toolkit, marks kept" less "toolkit, every check".
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parent))

from measuring import compare, report_variant

if TYPE_CHECKING:
    from attendance_toolkit.loaders.register_marks import RegisterReader

AUTHORISED = ("C", "C1", "C2", "E", "I", "J1", "M", "R", "S", "T", "H")
UNAUTHORISED = ("G", "N", "O", "U")
STARTS = ("2024-10-28", "2025-01-01", "2025-02-17", "2025-04-21", "2025-05-26")


def make_upns(count: int) -> pa.Array:
    """Return UPNs with the right check letter."""
    numbers = np.arange(count, dtype=np.int64) + 352_200_000_000
    digits = (numbers[:, None] // 10 ** np.arange(11, -1, -1)) % 10
    letters = np.array(list("ABCDEFGHJKLMNPQRTUVWXYZ"))
    check = letters[(digits * np.arange(2, 14)).sum(axis=1) % 23]
    return pa.array([c + "".join(map(str, row)) for c, row in zip(check, digits, strict=True)])


def make_input(path: Path, marks: int, order: str, limit: str) -> None:
    """Write 380 marks for each pupil of 2024/25: one in fourteen is not present."""
    pupils = max(marks // 380, 1)
    con = duckdb.connect()
    con.execute(f"SET enable_progress_bar = false; SET memory_limit = '{limit}'")
    con.execute("SET preserve_insertion_order = false" if order == "pupil" else "SET threads = 2")
    con.register("upns", pa.table({"i": pa.array(np.arange(pupils)), "upn": make_upns(pupils)}))
    con.execute(
        """
        CREATE TABLE days AS
        SELECT row_number() OVER (ORDER BY d) - 1 AS k, d::DATE AS date FROM range(DATE '2024-09-02', DATE '2025-07-23',
            INTERVAL 1 DAY) t(d)
        WHERE isodow(d) < 6 AND NOT (d BETWEEN '2024-10-28' AND '2024-11-01' OR d BETWEEN '2024-12-21' AND '2025-01-05'
            OR d BETWEEN '2025-02-17' AND '2025-02-21' OR d BETWEEN '2025-04-05' AND '2025-04-21'
            OR d BETWEEN '2025-05-26' AND '2025-05-30')
        LIMIT 190
        """
    )
    by_date = "ORDER BY d.date, laestab, session, upn" if order == "date" else ""
    con.execute(
        f"""
        COPY (
            SELECT u.upn, (3522000 + (u.i // 450) % 1000)::INTEGER AS laestab, d.date, ['AM', 'PM'][1 + s] AS session,
                   CASE WHEN h % 100 < 93 THEN ['/', '\\'][1 + s]
                        ELSE ['I','I','I','M','O','G','L','C2','V','U'][1 + ((h // 100) % 10)::INTEGER] END AS code
            FROM (SELECT i, upn, k, s, hash(i * 1000 + k * 2 + s) % 1000 AS h FROM upns, days, range(2) x(s)) u
            JOIN days d USING (k) {by_date}
        ) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
        """
    )


def connection(limit: str) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute(f"SET enable_progress_bar = false; SET memory_limit = '{limit}'; SET threads = 2")
    return con


def bare_duckdb(path: Path, limit: str) -> list[int]:
    con = connection(limit)
    con.execute("SET preserve_insertion_order = false")
    half = "1" + "".join(f" + (date >= DATE '{start}')::INTEGER" for start in STARTS)
    listed = {name: ", ".join(f"'{c}'" for c in of) for name, of in (("a", AUTHORISED), ("u", UNAUTHORISED))}
    reasons = ", ".join(f"count(*) FILTER (code = '{c}') AS r_{c}" for c in (*AUTHORISED, *UNAUTHORISED))
    con.execute(
        f"CREATE TABLE sums AS SELECT upn, laestab, {half} AS half_term, count(*) AS possible,"
        f" count(*) FILTER (code IN ({listed['a']})) AS authorised,"
        f" count(*) FILTER (code IN ({listed['u']})) AS unauthorised, {reasons} FROM '{path}' GROUP BY ALL"
    )
    return _check(con, "sums", "possible", "authorised", "unauthorised")


def bare_polars(path: Path, limit: str) -> list[int]:
    import polars as pl

    half = pl.lit(1) + sum((pl.col("date") >= pl.lit(start).str.to_date()).cast(pl.Int32) for start in STARTS)
    reasons = [(pl.col("code") == c).sum().alias(f"r_{c}") for c in (*AUTHORISED, *UNAUTHORISED)]
    sums = (
        pl.scan_parquet(path)
        .group_by("upn", "laestab", half.alias("half_term"))
        .agg(
            pl.len().alias("possible"),
            pl.col("code").is_in(AUTHORISED).sum().alias("authorised"),
            pl.col("code").is_in(UNAUTHORISED).sum().alias("unauthorised"),
            *reasons,
        )
        .collect(engine="streaming")
    )
    totals = sums.select(
        pl.len(), *(pl.col(c).cast(pl.Int64).sum() for c in ("possible", "authorised", "unauthorised"))
    )
    return [int(n) for n in totals.row(0)]


def toolkit(path: Path, limit: str) -> list[int]:
    with _read(path, limit) as (reader, _):
        return _check(
            reader.con, "collected_parts", "sessions_possible", "sessions_authorised", "sessions_unauthorised"
        )


@contextmanager
def _read(path: Path, limit: str) -> Iterator[tuple[RegisterReader, Path]]:
    from attendance_toolkit.loaders._head import look
    from attendance_toolkit.loaders.register_marks import RegisterReader
    from attendance_toolkit.loaders.school_census import make_working_tables

    con = connection(limit)
    with tempfile.TemporaryDirectory() as private:
        con.execute(f"SET temp_directory = '{private}/spill'")
        make_working_tables(con)
        reader = RegisterReader(con, [look(path)], Path(private), key=b"k" * 32)
        reader.run()
        assert not reader.findings, [str(f) for f in reader.findings]
        yield reader, Path(private)


def bare_copy(path: Path, limit: str) -> list[int]:
    con = connection(limit)
    with tempfile.TemporaryDirectory() as private:
        con.execute(f"SET temp_directory = '{private}/spill'")
        target = Path(private) / "copy.parquet"
        con.execute(
            f"COPY (SELECT * FROM '{path}' ORDER BY laestab, upn, date, session) TO '{target}'"
            " (FORMAT parquet, COMPRESSION zstd)"
        )
        return _check(con, f"'{target}'", "(code = 'I')::INTEGER")


def marks_kept(path: Path, limit: str) -> list[int]:
    from attendance_toolkit.store.marks import merge_marks

    with _read(path, limit) as (reader, private):
        reader.keep_marks()
        merge_marks(reader.con, private / "store", private / "prepared")
        written = list((private / "prepared").rglob("part.parquet"))
        files = ", ".join(f"'{file}'" for file in written)
        return _check(reader.con, f"read_parquet([{files}])", "(code = 'I')::INTEGER")


def _check(con: duckdb.DuckDBPyConnection, table: str, *columns: str) -> list[int]:
    totals = ", ".join(f"sum({c})::BIGINT" for c in columns)
    return list(con.execute(f"SELECT count(*), {totals} FROM {table}").fetchall()[0])


WAYS = {"bare DuckDB group-by": bare_duckdb, "bare Polars group-by": bare_polars, "toolkit, every check": toolkit}
COPIES = {"bare copy in the same order": bare_copy, "toolkit, marks kept": marks_kept}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--marks", type=int, default=5_000_000)
    parser.add_argument("--order", choices=("pupil", "date"), default="pupil")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--memory-limit", default="3GB")
    parser.add_argument("--keep", type=Path, help="Parquet file to keep the input in")
    parser.add_argument("--variant", choices=[*WAYS, *COPIES, "make"])
    parser.add_argument("--input", type=Path)
    arguments = parser.parse_args()
    if arguments.variant == "make":
        report_variant(lambda: make_input(arguments.input, arguments.marks, arguments.order, arguments.memory_limit))
        return
    if arguments.variant:
        report_variant(lambda: (WAYS | COPIES)[arguments.variant](arguments.input, arguments.memory_limit))
        return
    from measuring import run_variant

    with tempfile.TemporaryDirectory() as folder:
        path = arguments.keep or Path(folder) / "marks.parquet"
        more = ["--input", str(path), "--memory-limit", arguments.memory_limit]
        if not path.exists():
            made = run_variant(__file__, "make", *more, "--marks", str(arguments.marks), "--order", arguments.order)
            print(f"input made in {made['seconds']:.0f} s, {path.stat().st_size / 1e6:,.0f} MB")
        compare(__file__, dict.fromkeys(WAYS, arguments.repeat), "bare DuckDB group-by", *more)
        compare(__file__, dict.fromkeys(COPIES, arguments.repeat), "bare copy in the same order", *more)


if __name__ == "__main__":
    main()
