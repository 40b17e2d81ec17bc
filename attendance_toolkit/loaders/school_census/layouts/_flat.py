"""Make tables from a file of one row a pupil."""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import NamedTuple

from attendance_toolkit.loaders._derived import MadeTable
from attendance_toolkit.loaders._return_files import ReturnFiles
from attendance_toolkit.loaders._text import TextFile, open_text
from attendance_toolkit.loaders._values import parse_date, show
from attendance_toolkit.loaders.school_census.layouts._header import (
    FIRST_HALF,
    SECOND_HALF,
    FlatHeader,
    check_header,
    read_header,
)
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.schema.tables import NAME_COLUMNS

_LEAVER = "leaver"
_ENCODINGS = {"cp1252": "Windows-1252", "utf-16": "UTF-16"}
#: Cells of a reason column that count for nothing: blanks mean zero in these files.
_NOTHING = frozenset({"", "0", "0.0", "0.00"})
_COMMON = (
    "upn",
    "dob",
    "sex",
    "entrydate",
    "leavingdate",
    "enrolstatus",
    "boarder",
    "senprovision",
    "language",
    "ethnicity",
    "fsmeoncensusday",
    *(f"{item}{kind}" for item in (FIRST_HALF, SECOND_HALF)
      for kind in ("possible", "authorised", "unauthorised", "coronavirus")),
    "formerupn",
    *NAME_COLUMNS,
)  # fmt: skip
#: What these files never say of pupils who left.
_UNHEARD = ("leavingdate", "ncyearleaving")


class Roll(NamedTuple):
    """The tables pupils on the roll, or off it, go to."""

    table: str
    key: str
    year_group: str
    ending: str


ON = Roll("pupilonroll", "pupilonrolltableid", "ncyearactual", "onroll")
OFF = Roll("pupilnolongeronroll", "pupilnolongeronrolltableid", "ncyearleaving", "offroll")
DETAILS = {FIRST_HALF: "termlysessiondetails", SECOND_HALF: "summerhalfterm2sessiondetails"}


@dataclass
class Schools:
    """The school of each row: a seven-digit LAESTAB, or four digits and the authority."""

    la: str
    without_la: list[tuple[str, int]] = field(default_factory=list)
    """School by four digits and line, once for each row whose authority is not known."""
    _known: dict[tuple[str, str, str, str], str] = field(default_factory=dict)

    def native(self, laestab: str, estab: str, la: str, native: str, line: int) -> str:
        """Return what the school is called here: its LAESTAB, else the text as it is."""
        place = (laestab, estab, la, native)
        found = self._known.get(place)
        if found is None:
            found = self._known[place] = self._find(*place)
        if not found:
            self.without_la.append((estab.strip(), line))
        return found

    def _find(self, laestab: str, estab: str, la: str, native: str) -> str:
        for text in (laestab, estab, native):
            digits = re.sub(r"\.0$", "", text.strip()).replace("/", "").replace(" ", "")
            if re.fullmatch(r"[1-9]\d{6}", digits):
                return digits
        number = re.sub(r"\.0$", "", estab.strip())
        if not re.fullmatch(r"\d{1,4}", number):
            return estab.strip() or laestab.strip() or native.strip() or "?"
        beside = re.sub(r"\.0$", "", la.strip())
        # A NativeId begins with the code of the authority.
        start = re.match(r"[1-9]\d\d", native.strip())
        authority = beside if re.fullmatch(r"[1-9]\d\d", beside) else start[0] if start else self.la
        return f"{authority}{number:0>4}" if authority else ""


def expand_flat(path: Path, private: Path, *, la: str | None = None) -> ReturnFiles:
    """Return the tables made from a file of one row a pupil.

    Parameters
    ----------
    path
        The file, a CSV file with a header.
    private
        A folder only the user can read, for the tables.
    la
        DfE code of the authority, for files that name a school by four digits only.

    Raises
    ------
    NotReadableError
        The file is not a CSV file.
    """
    file = open_text(path, private)
    header = read_header(file.header)
    group = ReturnFiles(path.stem, layout=header.layout.name, la=la)
    if header.kind == "characteristics":
        group.layout = "flat_characteristics"
    if file.encoding != "utf-8":
        group.findings.append(
            finding("file_converted", file.name, f"read as {_ENCODINGS[file.encoding]} text, not UTF-8.",
                    fix="Check that letters with accents are right in it.")
        )  # fmt: skip
    wrong = check_header(header, file.name, file.header)
    group.findings += wrong
    if any(f.severity == "blocking" for f in wrong):
        return group
    since = header.layout.since()
    group.since = tuple((spelt, since[name]) for name, spelt in header.dated.items() if name in since)
    folder = Path(tempfile.mkdtemp(prefix="made-", dir=private))
    maker = _Maker(folder, file, header, Schools(la or ""))
    try:
        maker.read()
    finally:
        maker.close()
    group.findings += maker.findings()
    if not any(f.severity == "blocking" for f in group.findings):
        group.tables, group.newest = maker.tables(), maker.newest
    return group


class _Maker:
    """Reads a file of one row a pupil row by row and writes its tables."""

    def __init__(self, folder: Path, file: TextFile, header: FlatHeader, schools: Schools) -> None:
        self.folder, self.file, self.header, self.schools = folder, file, header, schools
        self.newest: date | None = None
        self._seen_days: set[str] = set()
        self._ragged: list[tuple[int, int]] = []
        """Line and cells of the first row that does not fit, and how many do not."""
        self._ragged_rows = 0
        self._rows = 0
        self._made: dict[str, MadeTable] = {}
        self._columns = [c for c in _COMMON if c in header.places]
        if header.kind == "characteristics":
            # Without sessions of its own the table must not seem to lack its session details.
            self._columns += [f"{FIRST_HALF}{k}" for k in ("possible", "authorised", "unauthorised")]
        self._items = tuple(dict.fromkeys(r.item for r in header.reasons))

    def read(self) -> None:
        """Read every row once."""
        for cells, line in self._lines():
            if len(cells) != self.header.width:
                self._ragged_rows += 1
                if not self._ragged:
                    self._ragged.append((line, len(cells)))
                continue
            self._rows += 1
            self._one(cells, line)

    def _lines(self) -> Iterator[tuple[list[str], int]]:
        """Give the rows below the header, each with the line it begins on."""
        with self.file.readable.open("r", encoding="utf-8-sig", newline="") as handle:
            reader = csv.reader(handle)
            next(reader)
            start = reader.line_num + 1
            try:
                for cells in reader:
                    if cells:
                        yield cells, start
                    start = reader.line_num + 1
            except csv.Error:
                # A cell of more than the csv module takes: a quotation mark that is never closed.
                self._ragged_rows += 1
                self._ragged.append((start, 0))

    def _one(self, cells: Sequence[str], line: int) -> None:
        places = self.header.places

        def cell(name: str) -> str:
            place = places.get(name)
            return cells[place] if place is not None else ""

        native = self.schools.native(cell("laestab"), cell("estab"), cell("la"), cell("nativeid"), line)
        status, group = cell("enrolstatus"), cell("ncyearactual")
        has_left = bool(cell("leavingdate").strip()) and not status.strip()
        is_leaver = has_left or _LEAVER in (status.strip().lower(), group.strip().lower())
        # A file of characteristics is one table, whoever is in it.
        roll = OFF if is_leaver and self.header.kind != "characteristics" else ON
        if group.strip().lower() == _LEAVER:
            group = ""
        if roll is OFF:
            group = cell("ncyearleaving") or group
        key = str(self._rows)
        row = [key, native, group, *(cell(name) for name in self._columns)]
        if status.strip().lower() == _LEAVER and "enrolstatus" in self._columns:
            row[3 + self._columns.index("enrolstatus")] = ""
        self._table(roll.table, (roll.key, "nativeid", roll.year_group, *self._columns)).add(row, line)
        self._note_day(cell("entrydate"))
        for item in self._items:
            self._sessions(item, roll, cells, key, native, line)

    def _sessions(self, item: str, roll: Roll, cells: Sequence[str], key: str, native: str, line: int) -> None:
        rows, places = [], []
        for number, reason in enumerate(self.header.reasons):
            if reason.item == item and (text := cells[reason.place]) not in _NOTHING and (text := text.strip()):
                rows.append((key, native, reason.code, text))
                places.append(number)
        table = self._table(DETAILS[item] + roll.ending, (roll.key, "nativeid", "attendancereason", "sessions"))
        if rows:
            table.add_sessions(rows, places, line)

    def _table(self, name: str, header: Sequence[str]) -> MadeTable:
        found = self._made.get(name)
        if found is None:
            found = self._made[name] = MadeTable(self.folder, name, header)
        return found

    def _note_day(self, text: str) -> None:
        if text in self._seen_days:
            return
        if len(self._seen_days) < 100_000:
            self._seen_days.add(text)
        day, _ = parse_date(text)
        if day is not None and (self.newest is None or day > self.newest):
            self.newest = day

    def close(self) -> None:
        """Close the tables."""
        for made in self._made.values():
            made.close()

    def findings(self) -> list[Finding]:
        """Return what is wrong with the rows."""
        found = []
        if self._ragged:
            line, cells = self._ragged[0]
            what = f"{cells} cells and the header {self.header.width}" if cells else "a quotation mark without an end"
            found.append(
                finding("file_ragged", self.file.name, f"this row has {what}.", row=line, count=self._ragged_rows,
                        fix="Look for a comma or quotation mark inside a cell, or export the file again.")
            )  # fmt: skip
        if self.schools.without_la:
            estab, line = self.schools.without_la[0]
            column = self.header.spelt.get("estab", "Estab")
            found.append(
                finding("la_missing", self.file.name,
                        f"school '{show(estab)}' is given by its number within an authority, and the file does not say"
                        " which.",
                        row=line, column=column, value=show(estab), count=len(self.schools.without_la),
                        fix="Say it, for example with --la 358, or add a column LA with the three-digit code.")
            )  # fmt: skip
        return found

    def tables(self) -> dict[str, TextFile]:
        """Return the tables as files."""
        if not self._made:
            self._table(ON.table, (ON.key, "nativeid", ON.year_group, *self._columns))
        self._pair_details()
        spelt = {"nativeid": self._school_column(), **self.header.spelt}
        spelt.setdefault("ncyearleaving", spelt.get("ncyearactual", "NCyearActual"))
        reasons = [r.spelt for r in self.header.reasons]
        found = {}
        for name, made in self._made.items():
            is_pupils = name in (ON.table, OFF.table)
            has_group = {"ncyearactual", "ncyearleaving"} & self.header.places.keys()
            seen = [c for c in made.header if has_group or c not in ("ncyearactual", "ncyearleaving")]
            found[name] = made.finish(
                self.file, spelt, seen=seen, reasons=() if is_pupils else reasons, is_row=is_pupils, unheard=_UNHEARD
            )
        return found

    def _school_column(self) -> str:
        spelt = self.header.spelt
        return next((spelt[name] for name in ("laestab", "estab", "nativeid") if name in spelt), "Estab")

    def _pair_details(self) -> None:
        """Make the session tables of a roll with pupils also when nobody on it missed anything."""
        for roll in (ON, OFF):
            if roll.table in self._made:
                for item in self._items:
                    self._table(DETAILS[item] + roll.ending, (roll.key, "nativeid", "attendancereason", "sessions"))
