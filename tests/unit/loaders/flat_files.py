"""Small census files of one row a pupil for tests: good by default, with one thing changed at a time."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "screening"))

from census_builder import make_upn

HEADER = ["Estab", "UPN", "Surname", "Forename", "Gender", "DoB", "EnrolStatus", "EntryDate", "NCyearActual"]
TOTALS = ["TermlySessionsPossible", "TermlySessionsAuthorised", "TermlySessionsUnauthorised"]
REASONS = [f"T_Reason_{code}" for code in "IMRSTHECGUON"]
CODES = ["/", "\\", *"BJLPVWCEHIMRSTGNOUDXY"]
Row = dict[str, str]


def pupil(number: int, **cells: str) -> Row:
    """Return a good row: ill for four sessions of 120, one session without a reason."""
    row = {
        "Estab": "9812001", "UPN": make_upn(number), "Surname": "Testpupil", "Forename": "A", "Gender": "MF"[number % 2],
        "DoB": "2005-Nov-21 00:00:00", "EnrolStatus": "C", "EntryDate": "2014-Sep-03 00:00:00", "NCyearActual": "4",
        "TermlySessionsPossible": "120", "TermlySessionsAuthorised": "4", "TermlySessionsUnauthorised": "1",
        "T_Reason_I": "4", "T_Reason_N": "1", "I": "4", "N": "1", "/": "58", "\\": "57",
    }  # fmt: skip
    return {**row, **cells}


def write(path: Path, rows: Iterable[Row], columns: Sequence[str] = (*HEADER, *TOTALS, *REASONS)) -> Path:
    """Write rows with some columns, in that order; a column a row does not have is blank."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([row.get(c, "") for c in columns] for row in rows)
    return path


def rules(report: object) -> set[str]:
    """Return the rules of the findings, but for what every file of one row a pupil lacks."""
    usual = {"school_table_missing", "column_absent"}
    return {f.rule for f in report.findings} - usual  # type: ignore[attr-defined]


def found(report: object, rule: str):
    """Return the only finding of a rule."""
    (one,) = [f for f in report.findings if f.rule == rule]  # type: ignore[attr-defined]
    return one
