"""The returns of a cohort as rows of text, from the table files and with the csv module alone.

The writers of the other layouts start here: what they write comes from the files, not from the toolkit's reader.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from attendance_toolkit.loaders.synthetic._census_files import write_census_files
from attendance_toolkit.loaders.synthetic._cohort import SyntheticCohort

Row = dict[str, str]
ON, OFF = "pupilonroll", "pupilnolongeronroll"


@dataclass
class ReturnAsText:
    """One return: its pupils, each with sessions by half, and free-meal periods."""

    prefix: str
    year: int
    term: str
    day: str
    schools: dict[str, Row] = field(default_factory=dict)
    pupils: list[tuple[str, Row]] = field(default_factory=list)
    """(table, row), in file order."""
    sessions: dict[tuple[str, str, str], dict[str, int]] = field(default_factory=dict)
    """(item, table, key) -> register code -> sessions."""
    periods: dict[str, list[Row]] = field(default_factory=dict)


def key_of(table: str, row: Row) -> str:
    """Return the key of a pupil's row."""
    return row[f"{table}tableid"]


def returns_as_text(cohort: SyntheticCohort) -> Iterator[ReturnAsText]:
    """Give every return of every authority, LA-maintained schools and academies apart."""
    with tempfile.TemporaryDirectory() as folder:
        paths = write_census_files(cohort, folder)
        groups: dict[str, dict[str, Path]] = {}
        for path in paths:
            prefix, _, table = path.stem.rpartition("_")
            groups.setdefault(prefix, {})[table] = path
        for prefix, tables in groups.items():
            if ON in tables:
                yield _one(prefix, tables)


def _rows(path: Path | None) -> list[Row]:
    if path is None:
        return []
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _one(prefix: str, tables: dict[str, Path]) -> ReturnAsText:
    _, year, term, _ = prefix.split("_")
    day = _rows(tables["schoolcensus"])[0]["referencedate"]
    found = ReturnAsText(prefix, int(year), term, day)
    found.schools = {row["nativeid"]: row for row in _rows(tables["school"])}
    for table, ending in ((ON, "onroll"), (OFF, "offroll")):
        found.pupils += [(table, row) for row in _rows(tables.get(table))]
        for item, details in (
            ("termlysessions", "termlysessiondetails"),
            ("summerhalfterm2sessions", "summerhalfterm2sessiondetails"),
        ):
            for row in _rows(tables.get(details + ending)):
                codes = found.sessions.setdefault((item, table, key_of(table, row)), {})
                codes[row["attendancereason"]] = int(row["sessions"])
    for row in _rows(tables.get("fsmperiod") or tables.get("fsmperiodsonroll")):
        found.periods.setdefault(key_of(ON, row), []).append(row)
    return found
