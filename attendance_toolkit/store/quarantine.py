"""The restricted folder of a store: the rows that were not loaded, as they were read, each with its reason.

It is the only place in a store with UPNs, names and dates of birth: a row is often there because its UPN could not
be read, and nobody could put it right without seeing it.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

FOLDER = "quarantine"
README = "README.txt"
SUMMARY = "summary.csv"
#: Added after the columns of the file a row came from.
ADDED_COLUMNS = (
    "quarantine_table",
    "quarantine_file",
    "quarantine_row",
    "quarantine_school",
    "quarantine_rules",
    "quarantine_reason",
)
SUMMARY_COLUMNS = ("census", "table", "file", "sha256", "rules", "reason", "rows", "kept_in")
#: Said in the manifest and at the top of the folder.
NOTE = (
    "The folder quarantine holds the rows that were not loaded, as they were read. It is the only part of the store with"
    " UPNs, names and dates of birth: restricted, not to be shared or copied with the rest."
)
_README_TEXT = """RESTRICTED: PERSONAL DATA OF PUPILS

This folder holds the rows that were not loaded, as they were read: with UPNs, names and dates of birth. It is the only
part of the store that has them. Only the person who loads the data needs it; do not share it or copy it with the rest.

summary.csv    how many rows of which file were set aside, and why; no pupil is in it
2024-spring/   for example: one file for each file of the spring 2024 census that had such rows, with all of its columns
pupil_flags/   the same for files of pupil flags; admissions/ for school offers, support_groups/ for supported pupils

Six columns were added: quarantine_table, quarantine_file and quarantine_row (where the row is: the line, the header being
line 1), quarantine_school, quarantine_rules and quarantine_reason (why it was set aside). A pupil's session
rows and free-meal periods go with the pupil's row and have its reason.

To put rows right: correct them in the file of the extract that quarantine_file and quarantine_row name (or copy a corrected
line from here over it, without the six columns) and load the whole return again. It takes the place of what was
loaded, and the rows that are right now leave this folder. These files are not loaded by themselves, because a load replaces
a school, and would leave of it only the rows that are here.
"""


@dataclass(frozen=True)
class AsideFile:
    """Rows of one file that were set aside, written out."""

    census: str
    """Name of the census; empty for lists of pupils (flags, school offers, supported pupils)."""
    table: str
    file: str
    sha256: str
    path: Path
    counts: dict[tuple[str, str], int]
    """(rules, reason) -> rows."""

    @property
    def place(self) -> tuple[str, str, str]:
        """Return what a store knows a loaded file by."""
        return self.census, self.file, self.table


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> dict[tuple[str, str], int]:
    """Write rows that end in the added columns where only the user can read them; count rules and reasons."""
    counts: Counter[tuple[str, str]] = Counter()
    with _open_private(path) as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow([*header, *ADDED_COLUMNS])
        for row in rows:
            counts[(str(row[-2]), str(row[-1]))] += 1
            writer.writerow(row)
    return dict(counts)


def is_quarantine_header(columns: Collection[str]) -> bool:
    """Whether a header is that of rows set aside.

    >>> is_quarantine_header(["upn", *ADDED_COLUMNS]), is_quarantine_header(["upn"])
    (True, False)
    """
    return {"quarantine_file", "quarantine_row"} <= {c.strip().lower() for c in columns}


def merge_quarantine(
    root: Path,
    prepared: Path,
    *,
    new: Sequence[AsideFile],
    surviving: Collection[tuple[str, str, str]],
    replaced: dict[str, set[int]],
) -> int:
    """Write the quarantine of a store anew: rows of this load, and of older files that still stand.

    Parameters
    ----------
    root, prepared
        The store, and the folder in which its next contents are made.
    new
        The files of this load.
    surviving
        Census, file and table of the older files that are still part of the store.
    replaced
        Census -> schools loaded anew: their older rows go.

    Returns
    -------
    The number of rows in quarantine.
    """
    folder = prepared / FOLDER
    folder.mkdir(mode=0o700)
    summary: list[dict[str, object]] = []
    taken: set[Path] = set()

    def note(place: tuple[str, str, str], sha256: str, kept_in: Path, counts: dict[tuple[str, str], int]) -> None:
        census, file, table = place
        for (rules, reason), rows in sorted(counts.items()):
            summary.append({
                "census": census, "table": table, "file": file, "sha256": sha256, "rules": rules, "reason": reason,
                "rows": rows, "kept_in": kept_in.as_posix(),
            })  # fmt: skip

    def take(place: tuple[str, str, str]) -> Path:
        census, file, table = place
        name = Path(file)
        here = Path(census or table, name.stem + ".csv")
        number = 1
        while here in taken:
            number += 1
            here = here.with_name(f"{name.stem}-{number}.csv")
        taken.add(here)
        (folder / here).parent.mkdir(mode=0o700, exist_ok=True)
        return here

    for place, sha256, source in _old_files(root / FOLDER, surviving):
        schools = {str(s) for s in replaced.get(place[0], ())}
        here = take(place)
        counts = _copy_without(root / FOLDER / source, folder / here, schools)
        if not counts:
            (folder / here).unlink()
            taken.discard(here)
        note(place, sha256, here, counts)
    for item in sorted(new, key=lambda i: (i.place, i.sha256, i.path.name)):
        here = take(item.place)
        with item.path.open(encoding="utf-8", newline="") as source_handle, _open_private(folder / here) as handle:
            shutil.copyfileobj(source_handle, handle)
        note(item.place, item.sha256, here, item.counts)
    for directory in [d for d in folder.iterdir() if d.is_dir() and not any(d.iterdir())]:
        directory.rmdir()
    with _open_private(folder / README) as handle:
        handle.write(_README_TEXT)
    with _open_private(folder / SUMMARY) as handle:
        writer = csv.DictWriter(handle, SUMMARY_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(summary, key=lambda r: tuple(str(r[c]) for c in SUMMARY_COLUMNS)))
    return sum(int(str(row["rows"])) for row in summary)


def _open_private(path: Path) -> TextIO:
    """Open a new text file that only the user can read."""
    return os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600),
        "w",
        encoding="utf-8",
        newline="",
    )


def _old_files(
    folder: Path, surviving: Collection[tuple[str, str, str]]
) -> list[tuple[tuple[str, str, str], str, str]]:
    """Return the files in quarantine that still stand: place, hash and path in the folder."""
    if not (folder / SUMMARY).is_file():
        return []
    with (folder / SUMMARY).open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    found = {((r["census"], r["file"], r["table"]), r["sha256"], r["kept_in"]) for r in rows}
    return sorted(f for f in found if f[0] in surviving and (folder / f[2]).is_file())


def _copy_without(source: Path, target: Path, schools: Collection[str]) -> dict[tuple[str, str], int]:
    """Copy rows of quarantine but for some schools."""
    school = -len(ADDED_COLUMNS) + ADDED_COLUMNS.index("quarantine_school")
    with source.open(encoding="utf-8", newline="") as handle:
        reader = csv.reader(handle)
        header = next(reader)[: -len(ADDED_COLUMNS)]
        return write_csv(target, header, (row for row in reader if row[school] not in schools))
