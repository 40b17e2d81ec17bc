"""Tables made from a file of another layout, whose rows lead back to the lines of that file."""

from __future__ import annotations

import csv
import os
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TextIO

from attendance_toolkit.loaders._text import TextFile

#: Rows held before they are written.
_AT_ONCE = 4_000


@dataclass(frozen=True)
class Lines:
    """Where the rows of a made table come from: a line for each, and for a session row a column.

    Attributes
    ----------
    index
        File of one unsigned 32-bit number for each row: the line in the user's file.
    columns
        Name of a column here -> what the user's file calls it.
    places, reasons
        File of one unsigned 16-bit number for each session row, and the columns of the user's file it counts in.
    source
        The user's CSV file when each row here stands for a row of it.
    unheard
        Columns the layout never has.
    what
        The part of the user's file each row stands for, in words.
    """

    index: Path
    columns: Mapping[str, str]
    places: Path | None = None
    reasons: tuple[str, ...] = ()
    source: TextFile | None = None
    unheard: frozenset[str] = frozenset()
    what: str = ""

    def lines(self, records: Iterable[int]) -> dict[int, int]:
        """Return record number -> line in the user's file."""
        return _numbers(self.index, records, "I")

    def column(self, name: str, record: int | None) -> str:
        """Return what the user's file calls a column, or the column a session row comes from."""
        if name in ("sessions", "attendancereason") and self.places is not None and record is not None and record >= 0:
            return self.reasons[_numbers(self.places, [record], "H")[record]]
        return self.columns.get(name, name)

    def part(self, record: int) -> str:
        """Return which part of the user's file a row was made from, in words."""
        return self.what or f"column {self.column('sessions', record)}"


def _numbers(path: Path, records: Iterable[int], kind: str) -> dict[int, int]:
    """Return some of the numbers of an index file."""
    size = array(kind).itemsize
    found = {}
    with path.open("rb") as handle:
        for record in sorted(set(records)):
            handle.seek(record * size)
            cell = array(kind)
            cell.frombytes(handle.read(size))
            found[record] = cell[0]
    return found


def open_private(path: Path) -> TextIO:
    """Open a new text file that only the user can read."""
    return os.fdopen(_private(path), "w", encoding="utf-8", newline="")


def _open_private_bytes(path: Path) -> BinaryIO:
    return os.fdopen(_private(path), "wb")


def _private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)


@dataclass
class MadeTable:
    """A table being made: give it rows and where they come from, then ``finish`` it.

    Rows are written as they come, so that memory does not grow with the file.
    """

    folder: Path
    name: str
    header: Sequence[str]
    rows: int = 0
    _cells: list[Sequence[str]] = field(default_factory=list)
    _lines: array = field(default_factory=lambda: array("I"))
    _places: array = field(default_factory=lambda: array("H"))

    def __post_init__(self) -> None:
        self._text = open_private(self.folder / f"{self.name}.csv")
        self._writer = csv.writer(self._text, lineterminator="\n")
        self._writer.writerow(self.header)
        self._index = _open_private_bytes(self.folder / f"{self.name}.lines")
        self._place_index = _open_private_bytes(self.folder / f"{self.name}.places")

    def add(self, cells: Sequence[str], line: int) -> None:
        """Add a row."""
        self._cells.append(cells)
        self._lines.append(line)
        if len(self._cells) >= _AT_ONCE:
            self._flush()

    def add_sessions(self, rows: Sequence[Sequence[str]], places: Iterable[int], line: int) -> None:
        """Add the session rows of one pupil, with the number of the column each comes from."""
        self._cells.extend(rows)
        self._lines.extend([line] * len(rows))
        self._places.extend(places)
        if len(self._cells) >= _AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        self.rows += len(self._cells)
        self._writer.writerows(self._cells)
        self._lines.tofile(self._index)
        self._places.tofile(self._place_index)
        self._cells.clear()
        del self._lines[:], self._places[:]

    def close(self) -> None:
        """Write what is left."""
        if not self._text.closed:
            self._flush()
            for handle in (self._text, self._index, self._place_index):
                handle.close()

    def finish(
        self,
        file: TextFile,
        columns: Mapping[str, str],
        *,
        seen: Iterable[str] | None = None,
        reasons: Sequence[str] = (),
        is_row: bool = False,
        unheard: Iterable[str] = (),
        what: str = "",
    ) -> TextFile:
        """Return the table as a file that still bears the name of the user's.

        Parameters
        ----------
        file
            The user's file.
        columns
            Name of a column here -> what the user's file calls it.
        seen
            Columns that the user's file has; the others are left without a name, so that they count as absent.
        reasons
            Columns the session rows come from.
        is_row
            Whether each row stands for a whole row of the user's file.
        unheard
            Columns the layout never has.
        what
            The part of the user's file each row stands for, in words.
        """
        self.close()
        named = self.header if seen is None else [c if c in set(seen) else "" for c in self.header]
        origin = Lines(
            self.folder / f"{self.name}.lines",
            columns,
            self.folder / f"{self.name}.places" if reasons else None,
            tuple(reasons),
            file if is_row else None,
            frozenset(unheard),
            what,
        )
        return TextFile(
            file.path,
            self.folder / f"{self.name}.csv",
            file.sha256,
            file.encoding,
            list(named),
            self.rows + 1,
            origin,
        )
