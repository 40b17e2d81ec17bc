"""Small registers and transfer files for tests, and sums made apart from the readers."""

from __future__ import annotations

import csv
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path

import duckdb

from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders.school_census import make_working_tables

KEY = b"k" * 32
HEADER = ("UPN", "DfE Number", "Date", "Session", "Mark")
SCHOOL, OTHER_SCHOOL = "9892001", "9892002"


def make_upn(number: int) -> str:
    """Return a UPN with the right check letter (Government Data Standards Catalogue, UPN 2.0)."""
    digits = f"989200{number:06d}"
    total = sum(place * int(digit) for place, digit in enumerate(digits, 2))
    return "ABCDEFGHJKLMNPQRTUVWXYZ"[total % 23] + digits


UPNS = [make_upn(n) for n in range(30)]


def weekdays(first: date, count: int) -> list[date]:
    """Return weekdays in a row."""
    days = (first + timedelta(days=n) for n in range(count * 2 + 7))
    return [day for day in days if day.weekday() < 5][:count]


def rows_of(
    upns: Iterable[str] = UPNS[:3], school: str = SCHOOL, first: date = date(2024, 9, 9), days: int = 5
) -> list[list[str]]:
    """Return a row for each session of some pupils, all present."""
    return [
        [upn, school, day.isoformat(), session, mark]
        for upn in upns
        for day in weekdays(first, days)
        for session, mark in (("AM", "/"), ("PM", "\\"))
    ]


def write_rows(path: Path, rows: Iterable[Iterable[str]], header: Iterable[str] = HEADER) -> Path:
    """Write rows as CSV."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def read(reader: Callable, *paths: Path, **more: object) -> tuple:
    """Run a reader over files; return it and its connection."""
    con = duckdb.connect()
    con.execute("SET enable_progress_bar = false")
    make_working_tables(con)
    private = Path(tempfile.mkdtemp())
    found = reader(con, [look(path) for path in paths], private, **{"key": KEY, **more})
    found.run()
    return found, con


def sums(con: duckdb.DuckDBPyConnection, by: str = "term") -> dict[tuple, tuple[int, int, int]]:
    """Return (UPN, school, term) -> possible, authorised, unauthorised, where sessions were possible."""
    rows = con.execute(
        f"SELECT code, laestab, {by}, sum(sessions_possible), sum(sessions_authorised), sum(sessions_unauthorised)"
        " FROM collected_parts JOIN map_upn ON pseudonym = upn GROUP BY ALL"
    ).fetchall()
    return {(u, s, t): (int(p), int(a), int(n)) for u, s, t, p, a, n in rows if p}


def census_sums(folder: Path) -> dict[tuple, tuple[int, int, int]]:
    """Return the same from the pupil tables of census returns of 2023/24, read with the csv module alone."""
    carries = {"spring": "autumn", "summer": "spring", "autumn": "summer"}
    found: dict[tuple, list[int]] = defaultdict(lambda: [0, 0, 0])
    for path in folder.glob("*roll.csv"):
        _, year, collection, *_, table = path.stem.split("_")
        if table not in ("pupilonroll", "pupilnolongeronroll") or (year, collection) == ("2023", "autumn"):
            continue
        with path.open(encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle):
                low = {name.lower(): cell for name, cell in row.items()}
                for item in ("termlysessions", "summerhalfterm2sessions"):
                    if low.get(item + "possible"):
                        total = found[(low["upn"], int(low["nativeid"]), carries[collection])]
                        for place, kind in enumerate(("possible", "authorised", "unauthorised")):
                            total[place] += int(low[item + kind])
    return {key: (p, a, u) for key, (p, a, u) in found.items() if p}
