"""Read lists of pupils of DfE's portal: sessions of the year to date, one row a pupil and school.

Names are dropped on reading: they are in no working table, no message and no list of rows set aside.
"""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from attendance_toolkit.loaders._entries import entry_of
from attendance_toolkit.loaders._head import Head
from attendance_toolkit.loaders._return_files import FileCount
from attendance_toolkit.loaders._set_aside import reason_of
from attendance_toolkit.loaders._text import NotReadableError
from attendance_toolkit.loaders.portal._headers import PortalHeaders, default_headers
from attendance_toolkit.loaders.portal._layout import find_pupils
from attendance_toolkit.loaders.portal._pupil_rows import PupilRow, PupilSheet
from attendance_toolkit.loaders.portal._schools import SchoolFinder
from attendance_toolkit.loaders.portal._sheets import read_sheets
from attendance_toolkit.loaders.portal._years import years_said
from attendance_toolkit.schema.findings import FileInfo, Finding
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.store._files import sha256_of
from attendance_toolkit.store.identifiers import note_identifiers
from attendance_toolkit.store.keys import UPN_STATES, check_upns, pseudonyms
from attendance_toolkit.store.parts import COLLECTED_COLUMNS, SCOPE_COLUMNS, make_collected_tables, record_place
from attendance_toolkit.store.quarantine import AsideFile, write_csv
from attendance_toolkit.vocabulary.calendar import academic_year_of, show_academic_year

#: The portal counts every session of the year so far, without saying of which half term.
HALF_TERM, TERM = "1-6", "year"
COLLECTION = "portal"
LAYOUT = "DfE portal, list of pupils"
TABLE = "portal_pupils"
_TYPES = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "INTEGER": pa.int32(), "SMALLINT": pa.int16(),
          "BOOLEAN": pa.bool_()}  # fmt: skip


@dataclass
class PortalFile:
    """One file of pupils: what a load notes of it."""

    path: Path
    sha256: str = ""
    sheets: list[PupilSheet] = field(default_factory=list)
    count: FileCount = field(default_factory=FileCount)
    laestabs: set[int] = field(default_factory=set)

    @property
    def name(self) -> str:
        """Return the file's name without its folder."""
        return self.path.name


def _kept(cell: str) -> str:
    """Return a cell as it may be written out: numbers, dates and UPNs, never words.

    Under a wrong header there may be a name.

    >>> _kept("A358012345678"), _kept("Year 7"), _kept("93.2%"), _kept("Ada Lovelace"), _kept("Lovelace 2")
    ('A358012345678', 'Year 7', '93.2%', '(left out)', '(left out)')
    """
    letters = sum(character.isalpha() for character in cell)
    return cell if not cell or (letters < 5 and any(character.isdigit() for character in cell)) else "(left out)"


class PortalReader:
    """Reads lists of pupils into ``collected_parts``, ``collected_scopes`` and ``record_parts`` of the connection.

    A list takes the place of what the portal said before of the same schools and academic year.

    Parameters
    ----------
    con
        A connection with the working tables of ``make_working_tables``.
    files
        The files, or heads of them, all of one academic year.
    key
        The key of the pseudonyms; without one, rows are checked and not kept.
    asked_year
        Six digits; None takes the year that stands in the files.
    la
        Three-digit DfE code for schools given by four digits or by name.
    schools
        The store's list of schools; None if there is none.
    headers
        The user's own map of headers.

    Attributes
    ----------
    findings, files, laestabs, academic_year
        What was found, after ``run``. ``files`` have the counts: rows read are rows loaded and rows set aside.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        files: Sequence[Head | Path],
        *,
        key: bytes | None,
        asked_year: int | None = None,
        la: str = "",
        schools: pd.DataFrame | None = None,
        headers: PortalHeaders | None = None,
    ) -> None:
        self.con, self.key, self.asked_year = con, key, asked_year
        self.words = headers or default_headers()
        self.finder = SchoolFinder(schools, la)
        self.files = [PortalFile(file.path if isinstance(file, Head) else file) for file in files]
        self.findings: list[Finding] = []
        self.laestabs: set[int] = set()
        self.academic_year: int | None = None

    @property
    def is_blocked(self) -> bool:
        """Whether a blocking finding was made: nothing is kept then."""
        return any(f.severity == "blocking" for f in self.findings)

    def run(self) -> None:
        """Read, check and keep the rows."""
        for file in self.files:
            self._open(file)
        self._settle_year()
        sheets = [(file, sheet) for file in self.files for sheet in file.sheets]
        for _, sheet in sheets:
            if self.academic_year is not None:
                sheet.read(self.academic_year, self.finder)
            self.findings += sheet.findings()
        if self.is_blocked:
            return
        rows = [row for _, sheet in sheets for row in sheet.rows]
        self._check_upns(rows)
        self._check_repeated(sheets)
        for file, sheet in sheets:
            self.findings += sheet.row_findings()
            kept = [row for row in sheet.rows if not row.rules]
            file.count.rows_in += len(sheet.rows)
            file.count.rows_quarantined += len(sheet.rows) - len(kept)
            file.laestabs |= {row.school.laestab for row in kept if row.school}
        self.laestabs = set().union(*(file.laestabs for file in self.files))
        if self.key is not None:
            self._note_pupils([sheet for _, sheet in sheets])
            self._keep([row for row in rows if not row.rules])

    def _open(self, file: PortalFile) -> None:
        try:
            sheets = read_sheets(file.path, lambda rows: find_pupils(rows, self.words) is not None)
        except NotReadableError as error:
            self.findings.append(finding(error.rule, file.name, error.says, fix=error.fix))
            return
        file.sha256 = sha256_of(file.path)
        file.sheets = [PupilSheet(file.name, sheet, self.words, several=len(sheets) > 1) for sheet in sheets]

    def _settle_year(self) -> None:
        """Take the year asked for, else the one the files name; they must not contradict it."""
        fix = "Give the academic year, as in --year 2024/25."
        for file in self.files:
            said = set().union(*(years_said(sheet.notes) for sheet in file.sheets))
            year = self.asked_year or self.academic_year
            shown = ", ".join(show_academic_year(y) for y in sorted(said))
            if said and year and year not in said:
                says = f"the file says it is of {shown}, not of {show_academic_year(year)}."
            elif not year and len(said) != 1:
                says = "the file does not say its academic year." if not said else f"the file names {shown}."
            else:
                self.academic_year = year or next(iter(said))
                if self.academic_year <= academic_year_of(date.today()):
                    continue
                says = f"{show_academic_year(self.academic_year)} has not begun yet."
            if file.sheets:
                self.findings.append(finding("portal_year", file.name, says, fix=fix))

    def _check_upns(self, rows: list[PupilRow]) -> None:
        codes = sorted({row.upn for row in rows})
        states = dict(zip(codes, check_upns(codes).tolist(), strict=True))
        for row in rows:
            if states[row.upn]:
                row.fail(UPN_STATES[states[row.upn]], "upn", f"{row.upn[:2]}******" if row.upn else "")

    def _check_repeated(self, sheets: list[tuple[PortalFile, PupilSheet]]) -> None:
        """Keep the first row of a pupil at a school."""
        seen: dict[tuple[str, int], PortalFile] = {}
        for file, sheet in sheets:
            for row in sheet.rows:
                if row.rules or row.school is None:
                    continue
                first = seen.setdefault((row.upn, row.school.laestab), file)
                if first is not file:
                    row.fail("pupil_in_two_files", "upn")
                elif (row.upn, row.school.laestab) in sheet.seen or self._in_earlier_sheet(file, sheet, row):
                    row.fail("pupil_repeated", "upn")
                sheet.seen.add((row.upn, row.school.laestab))

    @staticmethod
    def _in_earlier_sheet(file: PortalFile, sheet: PupilSheet, row: PupilRow) -> bool:
        assert row.school is not None
        earlier = file.sheets[: file.sheets.index(sheet)]
        return any((row.upn, row.school.laestab) in other.seen for other in earlier)

    def _note_pupils(self, sheets: list[PupilSheet]) -> None:
        """Note what identifies the pupils of the lists, those set aside included, for the search of what leaves."""
        for sheet in sheets:
            names, others = sheet.identifying()
            note_identifiers(self.con, names=names, **others)

    def _keep(self, rows: list[PupilRow]) -> None:
        assert self.key is not None
        codes = sorted({row.upn for row in rows})
        numbers = dict(zip(codes, pseudonyms(codes, self.key), strict=True))
        self._insert("map_upn", {
            "code": (pa.string(), codes), "state": (pa.int8(), [0] * len(codes)),
            "pseudonym": (pa.int64(), [numbers[code] for code in codes]),
        })  # fmt: skip
        schools = [row.school for row in rows if row.school is not None]
        year = self.academic_year
        values: dict[str, list] = {
            "upn": [numbers[row.upn] for row in rows],
            "la_code": [s.la_code for s in schools],
            "laestab": [s.laestab for s in schools],
            "urn": [s.urn for s in schools],
            "academic_year": [year] * len(rows),
            "term": [TERM] * len(rows),
            "half_term": [HALF_TERM] * len(rows),
            "collection": [COLLECTION] * len(rows),
            "phase": [s.phase for s in schools],
            "age": [row.age for row in rows],
            # The portal tells neither registration nor boarding; leavers are counted to their last day.
            "enrol_status": ["Unknown"] * len(rows),
            "is_boarder": [False] * len(rows),
            "on_roll": [True] * len(rows),
            "sessions_possible": [row.possible for row in rows],
            "sessions_authorised": [row.authorised for row in rows],
            "sessions_unauthorised": [row.unauthorised for row in rows],
            "sessions_covid": [0] * len(rows),
        }
        # Reasons are not in the list: missing, not 0.
        nothing = [None] * len(rows)
        make_collected_tables(self.con)
        self._insert("collected_parts", {
            name: (_TYPES[kind], values.get(name, nothing)) for name, kind in COLLECTED_COLUMNS.items()
        })  # fmt: skip
        here = sorted(self.laestabs)
        scopes: dict[str, list] = {"collection": [COLLECTION] * len(here), "academic_year": [year] * len(here),
                                   "half_term": [HALF_TERM] * len(here), "laestab": here}  # fmt: skip
        self._insert("collected_scopes", {
            name: (_TYPES[kind], scopes.get(name, [None] * len(here))) for name, kind in SCOPE_COLUMNS.items()
        })  # fmt: skip
        self._keep_records([row for row in rows if row.nc_year], numbers)

    def _keep_records(self, rows: list[PupilRow], numbers: dict[str, int]) -> None:
        """Keep the year groups, which come after what any census says of the pupil."""
        assert self.academic_year is not None
        schools = [row.school for row in rows if row.school is not None]
        said = {
            "upn": (pa.int64(), [numbers[row.upn] for row in rows]),
            "la_code": (pa.string(), [s.la_code for s in schools]),
            "laestab": (pa.int32(), [s.laestab for s in schools]),
            "nc_year": (pa.string(), [row.nc_year for row in rows]),
        }
        self.con.register("incoming", pa.table({n: pa.array(v, type=t) for n, (t, v) in said.items()}))
        place = record_place(str(self.academic_year), "laestab")
        self.con.execute(
            f"INSERT INTO record_parts BY NAME SELECT *, '{self.academic_year // 100}-{COLLECTION}' AS census,"
            f" {self.academic_year} AS academic_year, {place} AS place FROM incoming"
        )
        self.con.unregister("incoming")

    def _insert(self, table: str, columns: dict[str, tuple[pa.DataType, list]]) -> None:
        self.con.register("incoming", pa.table({n: pa.array(v, type=t) for n, (t, v) in columns.items()}))
        self.con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
        self.con.unregister("incoming")

    @property
    def sources(self) -> list[PortalFile]:
        """Return the files, each with its ``count``."""
        return self.files

    def files_info(self) -> list[FileInfo]:
        """Return what each file is, for the report."""
        years = () if self.academic_year is None else (self.academic_year,)
        return [
            FileInfo(f.name, LAYOUT, TABLE, "", f.count.rows_in, f.sha256, kind=TABLE, years=years) for f in self.files
        ]

    def entries(self) -> list[dict]:
        """Return an entry for the manifest for each file."""
        return [
            entry_of(f.name, f.sha256, table=TABLE, layout=LAYOUT, census=COLLECTION, count=f.count, schools=f.laestabs)
            for f in self.files
        ]

    def write_aside(self, folder: Path) -> list[AsideFile]:
        """Write the rows that were set aside into a private folder, without words: one may be a name."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = []
        for file in self.files:
            for sheet in file.sheets:
                aside = [row for row in sheet.rows if row.rules]
                if not aside:
                    continue
                target = folder / f"{len(list(folder.iterdir()))}.csv"
                places = sheet.kept_places
                counts = write_csv(
                    target,
                    [sheet.titles[place] for place in places],
                    (
                        (*(_kept(row.cells[place]) for place in places), TABLE, file.name, row.line,
                         row.school.laestab if row.school else "", " ".join(row.rules),
                         reason_of(" ".join(row.rules)))
                        for row in aside
                    ),
                )  # fmt: skip
                written.append(AsideFile(COLLECTION, sheet.table, file.name, file.sha256, target, counts))
        return written

    def drop(self) -> None:
        """Let go of nothing: the rows are in no working table of their own."""
