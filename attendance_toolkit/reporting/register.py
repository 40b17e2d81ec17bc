"""The register of pupil lists: what was made, for what purpose, and until when it may be kept."""

from __future__ import annotations

import csv
import os
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path

from attendance_toolkit.errors import ReportError
from attendance_toolkit.schema.findings import _no_formula

REGISTER = "lists.csv"


@dataclass(frozen=True)
class Entry:
    """One file of pupils. ``file`` is its path inside the folder of lists; ``pupils`` how many it names."""

    file: str
    kind: str
    area: str
    academic_year: str
    school: str
    pupils: int
    identified: str
    """"yes": with UPNs and names; "no": with pseudonyms alone."""
    purpose: str
    made_on: date
    retain_until: date
    sha256: str
    deleted_on: str = ""


_COLUMNS = tuple(f.name for f in fields(Entry))


def read_register(folder: Path) -> list[Entry]:
    """Return the entries of the register in a folder of lists; none if there is no register yet.

    Raises
    ------
    ReportError
        The register cannot be read: the message says the row.
    """
    path = folder / REGISTER
    if not path.is_file():
        return []
    found = []
    with path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle)
        if tuple(reader.fieldnames or ()) != _COLUMNS:
            raise ReportError(f"{REGISTER}, row 1: the columns are not {', '.join(_COLUMNS)}. Put the register back.")
        for row in reader:
            try:
                found.append(_entry(row))
            except (TypeError, ValueError):
                raise ReportError(
                    f"{REGISTER}, row {reader.line_num}: pupils must be a whole number, and made_on and retain_until dates"
                    " such as 2026-03-31. Correct the row."
                ) from None
    return found


def _entry(row: dict[str, str]) -> Entry:
    known = {
        "pupils": int(row["pupils"]),
        "made_on": date.fromisoformat(row["made_on"]),
        "retain_until": date.fromisoformat(row["retain_until"]),
    }
    return Entry(**{**row, **known})  # type: ignore[arg-type]


def add_entries(folder: Path, entries: Iterable[Entry]) -> None:
    """Add entries to the register; a file made again takes the place of its older entry."""
    new = {entry.file: entry for entry in entries}
    _write(folder, [entry for entry in read_register(folder) if entry.file not in new] + list(new.values()))


def mark_deleted(folder: Path, files: Collection[str], day: date) -> None:
    """Note that files were deleted; their entries stay."""
    if files:
        _write(folder, [
            Entry(**{**asdict(entry), "deleted_on": day.isoformat()}) if entry.file in files else entry
            for entry in read_register(folder)
        ])  # fmt: skip


def _write(folder: Path, entries: Iterable[Entry]) -> None:
    part = folder / f".{REGISTER}.part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as handle:
        # The mark by which spreadsheets know UTF-8.
        handle.write("\ufeff")
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for entry in entries:
            writer.writerow([_no_formula(getattr(entry, name)) for name in _COLUMNS])
    part.replace(folder / REGISTER)
