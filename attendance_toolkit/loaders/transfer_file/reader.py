"""Read transfer files into the store's parts."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Unpack

import duckdb
import pyarrow as pa

from attendance_toolkit.loaders._entries import entry_of
from attendance_toolkit.loaders._head import Head
from attendance_toolkit.loaders._return_files import FileCount
from attendance_toolkit.loaders._set_aside import reason_of
from attendance_toolkit.loaders._text import NotReadableError
from attendance_toolkit.loaders._values import UPN_FINDINGS, laestab_of, parse_whole, show
from attendance_toolkit.loaders.register_marks import parts
from attendance_toolkit.loaders.register_marks.columns import check_year
from attendance_toolkit.loaders.register_marks.marks import Marks, map_upns
from attendance_toolkit.loaders.register_marks.reader import drop_tables
from attendance_toolkit.loaders.transfer_file.laying import TransferMarks, lay_marks
from attendance_toolkit.loaders.transfer_file.parsing import (
    Parsed,
    PupilYear,
    day_of,
    marks_a_week,
    read_years,
    year_of,
)
from attendance_toolkit.schema.codes import level_of, year_before
from attendance_toolkit.schema.findings import FileInfo, Finding
from attendance_toolkit.schema.rules import Details, finding
from attendance_toolkit.store.identifiers import note_identifiers
from attendance_toolkit.store.keys import UPN_STATES
from attendance_toolkit.store.parts import make_collected_tables
from attendance_toolkit.store.quarantine import AsideFile, write_csv
from attendance_toolkit.vocabulary.areas import area_of_laestab
from attendance_toolkit.vocabulary.calendar import academic_year_before
from attendance_toolkit.vocabulary.columns import REASON_COLUMNS
from attendance_toolkit.vocabulary.register_codes import AUTHORISED_REASONS, UNAUTHORISED_REASONS

LAYOUT = "common transfer file"
COLLECTION = "transfer"
_AT_ONCE = 20_000
_COLUMNS = {
    "file": pa.int32(), "line": pa.int32(), "number": pa.int32(), "upn": pa.string(), "dob": pa.date32(), "sex": pa.string(),
    "nc_year": pa.string(), "year": pa.int32(), "laestab": pa.int32(), "la_code": pa.string(), "possible": pa.int32(),
    "authorised": pa.int32(), "unauthorised": pa.int32(), "start": pa.date32(), "marks": pa.string(),
    "weekly": pa.int32(), "rule": pa.string(), "value": pa.string(),
}  # fmt: skip
_TEXTS = ("upn", "dob", "sex", "nc_year", "year", "lea", "estab", "possible", "authorised", "unauthorised", "attended",
          "start", "marks")  # fmt: skip


@dataclass
class TransferFile:
    """One file, with the blocks (a pupil's year at a school) read and set aside."""

    head: Head
    parsed: Parsed = field(default_factory=Parsed)
    count: FileCount = field(default_factory=FileCount)
    weekly: set[int] = field(default_factory=set)


class TransferReader:
    """Reads transfer files into ``collected_parts`` and ``record_parts`` of the connection.

    A pupil's year at a school is replaced by what a load brings for it: a file holds some pupils of a school only.

    Parameters
    ----------
    con
        Connection with the working tables of a call (``make_working_tables``).
    files
        Heads of the files.
    private
        A folder only the user can read.
    key
        The key of the pseudonyms; without one nothing is handed to the store.
    asked_year
        Academic year to read; None reads every year in the files.

    Attributes
    ----------
    findings
        What screening found.
    sources
        The files, each with its ``count`` of pupil years.
    laestabs
        Schools with attendance.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        files: Sequence[Head],
        private: Path,
        *,
        key: bytes | None = None,
        asked_year: int | None = None,
    ) -> None:
        self.con, self.private, self.key, self.asked_year = con, private, key, asked_year
        self.sources = [TransferFile(head) for head in files]
        self.findings: list[Finding] = []
        self.laestabs: set[int] = set()
        self.marks = Marks(con, [TransferMarks()], key)
        self._rows: list[dict] = []
        self._pupil_names: set[tuple[str, str, str]] = set()
        self._births: set[str] = set()
        self._former_upns: set[str] = set()

    @property
    def is_blocked(self) -> bool:
        """Whether a blocking finding was made."""
        return any(f.severity == "blocking" for f in self.findings)

    def run(self) -> None:
        """Read, screen and add up the files. Stops after a stage with a blocking finding."""
        for stage in (self._read, self._settle, self._add_marks, self._hand_over):
            stage()
            if self.is_blocked:
                return

    # -- reading --

    def _read(self) -> None:
        listed = ", ".join(f"{name} {_SQL[kind]}" for name, kind in _COLUMNS.items())
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE transfer_years ({listed})")
        seen: dict[str, str] = {}
        for place, file in enumerate(self.sources):
            try:
                for block in read_years(file.head, file.parsed):
                    if file.parsed.sha256 in seen:
                        continue
                    self._keep(place, file, block)
            except NotReadableError as error:
                self._report(error.rule, file.head.name, error.says, fix=error.fix)
                continue
            if file.parsed.sha256 in seen:
                self._report("file_repeated", file.head.name,
                             f"the same file as {seen[file.parsed.sha256]}; it is read once.")  # fmt: skip
            elif not file.count.rows_in:
                self._report("file_no_rows", file.head.name, "no pupil in it has attendance.",
                             fix="Export it again with attendance included.")  # fmt: skip
            seen[file.parsed.sha256] = file.head.name
        self._flush()
        if self.key is not None:
            note_identifiers(self.con, names=self._pupil_names, dates_of_birth=self._births, upns=self._former_upns)

    def _keep(self, place: int, file: TransferFile, block: PupilYear) -> None:
        file.count.rows_in += 1
        row, rule, value = self._row(file, block)
        self._pupil_names.add((block.forename, block.middle, block.surname))
        self._former_upns.add(block.former_upn)
        self._births.add(row["dob"].isoformat() if row["dob"] else "")
        row |= {"file": place, "line": block.line, "number": block.number, "rule": rule, "value": value}
        self._rows.append(row)
        if len(self._rows) >= _AT_ONCE:
            self._flush()

    def _row(self, file: TransferFile, block: PupilYear) -> tuple[dict, str, str | None]:
        """Return what a block says, the first rule that it breaks, and the value that breaks it."""
        start = day_of(block.start) if block.start else None
        year = year_of(block.year, start)
        laestab = laestab_of({"lea": block.lea, "estab": block.estab}, "") if block.lea and block.estab else None
        if not block.lea and not block.estab and year == year_of(file.parsed.header.get("academicyear", ""), None):
            # A block of the current year without a school is of the one that sends the file.
            header = file.parsed.header
            laestab = laestab_of({"lea": header.get("lea", ""), "estab": header.get("estab", "")}, "")
        area = area_of_laestab(laestab) if laestab else None
        numbers = {name: parse_whole(getattr(block, name)) for name in ("possible", "authorised", "unauthorised")}
        weekly = marks_a_week(start, block.marks.upper()) if start and block.marks else 0
        row = {
            "upn": block.upn.strip().upper(), "dob": day_of(block.dob) if block.dob else None,
            "sex": level_of("sex", block.sex), "nc_year": self._nc_year(file, block, year), "year": year,
            "laestab": laestab, "la_code": area.code if area else None, "start": start,
            "marks": block.marks.upper() if start else "", "weekly": weekly,
            **{name: number for name, (number, _) in numbers.items()},
        }  # fmt: skip
        for name, (_, fault) in numbers.items():
            if fault in ("negative", "not number"):
                return row, f"sessions_{'negative' if fault == 'negative' else 'not_number'}", getattr(block, name)
        if block.start and start is None:
            return row, "date_unreadable", block.start
        if year is None or not check_year(year, date.today()):
            return row, "mark_year", block.year or block.start
        if area is None:
            return row, "school_unknown", f"{block.lea}{block.estab}"
        possible = numbers["possible"][0]
        missed = sum(numbers[name][0] or 0 for name in ("authorised", "unauthorised"))
        if possible is not None and missed > possible and not row["marks"]:
            return row, "absent_over_possible", f"{missed} of {possible}"
        return row, "", None

    def _nc_year(self, file: TransferFile, block: PupilYear, year: int | None) -> str | None:
        """Return the year group of the block's year: the file has that of the year it was made in."""
        level = level_of("ncyearactual", block.nc_year) if block.nc_year else None
        made = year_of(file.parsed.header.get("academicyear", ""), None)
        if level is None or year is None or made is None or year > made:
            return None
        while year < made:
            level, made = year_before(level), academic_year_before(made)
        return None if level == "Unknown" else level

    def _flush(self) -> None:
        if not self._rows:
            return
        columns = {name: pa.array([row[name] for row in self._rows], kind) for name, kind in _COLUMNS.items()}
        self.con.register("incoming", pa.table(columns))
        self.con.execute("INSERT INTO transfer_years SELECT * FROM incoming")
        self.con.unregister("incoming")
        self._rows = []

    # -- settling --

    def _settle(self) -> None:
        con = self.con
        codes = [c for (c,) in con.execute("SELECT DISTINCT upn FROM transfer_years").fetchall()]
        map_upns(con, codes, self.key)
        names = ", ".join(f"'{rule}'" for rule in UPN_STATES)
        con.execute(
            f"UPDATE transfer_years SET rule = [{names}][u.state + 1] FROM map_upn u"
            " WHERE u.code = transfer_years.upn AND u.state > 0 AND rule = ''"
        )
        for place, file in enumerate(self.sources):
            rows = con.execute(
                f"SELECT rule, value, count(*), min(line) FROM transfer_years WHERE file = {place} AND rule <> ''"
                " GROUP BY ALL ORDER BY 4"
            ).fetchall()
            for rule, value, count, line in rows:
                self._say(file, rule, value, count, line)
            file.count.rows_quarantined = sum(count for _, _, count, _ in rows)
        weekly = {w for (w,) in con.execute("SELECT DISTINCT weekly FROM transfer_years WHERE weekly > 0").fetchall()}
        # A string too short to hold a weekend reads the same either way, but for its last days: as the others are.
        usual = 10 if weekly == {10} else 14
        con.execute(f"UPDATE transfer_years SET weekly = {usual} WHERE weekly = 0")
        for place, file in enumerate(self.sources):
            file.weekly = {
                w for (w,) in con.execute(
                    f"SELECT DISTINCT weekly FROM transfer_years WHERE file = {place} AND rule = '' AND marks <> ''"
                ).fetchall()
            }  # fmt: skip
            if len(file.weekly) > 1:
                self._report("marks_unclear", file.head.name,
                             "some strings of marks have places for weekends and some have not; each is read as it is.",
                             column="AttendanceMarks", fix="Compare possible sessions with the totals.")  # fmt: skip
        con.execute(
            """
            CREATE OR REPLACE TEMP TABLE transfer_kept AS
            SELECT DISTINCT ON (upn, laestab, year) rowid AS rid, * FROM transfer_years
            WHERE rule = '' AND (marks <> '' OR coalesce(possible, 0) > 0) AND ($asked IS NULL OR year = $asked)
            ORDER BY upn, laestab, year, (marks = ''), possible DESC, length(marks) DESC, file, line
            """,
            {"asked": self.asked_year},
        )
        again = con.execute(
            "SELECT count(*) FROM transfer_years y JOIN transfer_kept k USING (upn, laestab, year)"
            " WHERE y.rule = '' AND y.rowid <> k.rid"
        ).fetchall()[0][0]
        if again:
            self._report("transfer_repeated", self._names(), "a pupil's year at a school is given more than once.",
                         count=again, fix="The one with marks, else with the most sessions, is used.")  # fmt: skip

        if not self.is_blocked and not con.execute("SELECT count(*) FROM transfer_kept").fetchall()[0][0]:
            self._report("marks_none", self._names(), "no pupil's year of it can be used.",
                         fix="See the other findings, and the year that was asked for.")  # fmt: skip

    def _say(self, file: TransferFile, rule: str, value: str | None, count: int, line: int) -> None:
        says, fix = UPN_FINDINGS.get(rule, ("", ""))
        column = {"date_unreadable": "AttendanceStartDate", "mark_year": "Year", "school_unknown": "Estab"}.get(
            rule, "SessionsPossible"
        )
        words = {
            "date_unreadable": f"'{show(value or '')}' is not a date that can be read with certainty.",
            "mark_year": f"'{show(value or '')}' is not a year that attendance can be of.",
            "school_unknown": f"'{show(value or '')}' is not the LAESTAB of a school of a known local authority.",
            "sessions_negative": f"'{show(value or '')}' is negative.",
            "sessions_not_number": f"'{show(value or '')}' is not a whole number.",
            "absent_over_possible": "more sessions are missed than were possible.",
        }
        self._report(
            rule, file.head.name, says or words[rule], row=line, column="upn" if says else column,
            value=None if says else show(value or ""), count=count,
            fix=fix.replace("The row is", "The pupil's attendance is") or "The pupil's year is set aside.",
        )  # fmt: skip

    # -- marks --

    def _add_marks(self) -> None:
        lay_marks(self.con)
        self.marks.make_mark_tables()
        self.marks.add_up()
        self.marks.settle_repeats()
        self._check_marks()

    def _check_marks(self) -> None:
        n = TransferMarks.number
        rows = self.marks.all(
            f"SELECT v.code, count(*), min(k.line) FROM {TransferMarks.view} v JOIN transfer_kept k USING (rid)"
            f" JOIN code_{n} c ON c.raw = v.code AND c.code IS NULL GROUP BY 1 ORDER BY 3"
        )
        for code, count, line in rows:
            self._report("register_code", self._names(), f"'{show(code)}' is not a register code.", row=line,
                         column="AttendanceMarks", value=show(code), count=count, fix="The mark is left out.")  # fmt: skip
        authorised = " + ".join(f"n_{name}" for name in AUTHORISED_REASONS)
        unauthorised = " + ".join(f"n_{name}" for name in UNAUTHORISED_REASONS)
        differ = self.marks.all(
            f"""
            SELECT count(*), min(k.line) FROM transfer_kept k JOIN map_upn u ON u.code = k.upn
            JOIN (SELECT upn, laestab, sum(n_attended + n_covid + {authorised} + {unauthorised}) AS possible,
                         sum({authorised}) AS authorised, sum({unauthorised}) AS unauthorised, t.year
                  FROM pupil_marks JOIN (SELECT unnest(range({len(self.marks.units)})) AS unit,
                       unnest({[unit[0] for unit in self.marks.units]}::INTEGER[]) AS year) t USING (unit) GROUP BY ALL) m
                ON m.upn = u.pseudonym AND m.laestab = k.laestab AND m.year = k.year
            WHERE k.marks <> '' AND (coalesce(k.possible, m.possible) <> m.possible
                OR coalesce(k.authorised, m.authorised) <> m.authorised
                OR coalesce(k.unauthorised, m.unauthorised) <> m.unauthorised)
            """
        )[0] if self.marks.units else (0, None)  # fmt: skip
        if differ[0]:
            self._report("transfer_totals", self._names(), "totals differ from the marks; the marks are used.",
                         row=differ[1], column="SessionsPossible", count=differ[0])  # fmt: skip

    # -- to the store --

    def _hand_over(self) -> None:
        con = self.con
        self.laestabs = {s for (s,) in con.execute("SELECT DISTINCT laestab FROM transfer_kept").fetchall()}
        if self.key is None:
            return
        make_collected_tables(con)
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE pupil_details AS
            SELECT u.pseudonym AS upn, {TransferMarks.number} AS source, k.laestab::VARCHAR AS school, k.year, k.dob, k.sex,
                   k.nc_year, NULL::VARCHAR AS fsm, NULL::VARCHAR AS sen
            FROM transfer_kept k JOIN map_upn u ON u.code = k.upn
            """
        )
        parts.write_sessions(self.marks, COLLECTION, by_pupil=True)
        reasons = ", ".join("0" for _ in REASON_COLUMNS)
        con.execute(
            f"""
            INSERT INTO collected_parts
            SELECT u.pseudonym, k.la_code, k.laestab, NULL, k.year, 'year', '1-6', 'Unknown',
                   k.year // 100 - year(k.dob) - (month(k.dob) * 100 + day(k.dob) > 831)::INTEGER, 'Unknown', false, true,
                   k.possible, coalesce(k.authorised, 0), coalesce(k.unauthorised, 0), 0, {reasons}, '{COLLECTION}'
            FROM transfer_kept k JOIN map_upn u ON u.code = k.upn WHERE k.marks = ''
            """
        )
        con.execute(
            f"INSERT INTO collected_scopes SELECT '{COLLECTION}', k.year, NULL, k.laestab, u.pseudonym"
            " FROM transfer_kept k JOIN map_upn u ON u.code = k.upn WHERE k.marks = ''"
        )
        parts.write_yearly_records(con, COLLECTION)

    # -- for the manifest --

    def _names(self) -> str:
        return self.sources[0].head.name if len(self.sources) == 1 else f"{len(self.sources)} transfer files"

    def _report(self, rule: str, file: str, says: str, **more: Unpack[Details]) -> None:
        self.findings.append(finding(rule, file, says, **more))

    def files_info(self) -> list[FileInfo]:
        """Return what each file is, for the report."""
        return [
            FileInfo(s.head.name, LAYOUT, self._table(s), "", s.count.rows_in, s.parsed.sha256) for s in self.sources
        ]

    def _table(self, source: TransferFile) -> str:
        weeks = " and ".join(str(w) for w in sorted(source.weekly))
        return f"transfer, {weeks} marks a week" if weeks else "transfer"

    def entries(self) -> list[dict]:
        """Return an entry for the manifest for each file."""
        return [
            entry_of(
                s.head.name, s.parsed.sha256, table="transfer", layout=LAYOUT, census=COLLECTION, count=s.count,
                schools=self.laestabs,
            )
            for s in self.sources
        ]  # fmt: skip

    def write_aside(self, folder: Path) -> list[AsideFile]:
        """Write the pupil years that were set aside, as they were read, into a private folder."""
        written = []
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for place, file in enumerate(self.sources):
            rules = dict(
                self.con.execute(
                    f"SELECT number, string_agg(DISTINCT rule, ' ') FROM transfer_years WHERE file = {place} AND rule <> ''"
                    " GROUP BY 1"
                ).fetchall()
            )
            if not rules:
                continue
            blocks = _blocks_at(file, set(rules))
            target = folder / f"{len(list(folder.iterdir()))}.csv"
            counts = write_csv(target, _TEXTS, (
                (*(getattr(b, name) for name in _TEXTS), "transfer", file.head.name, b.line, f"{b.lea}{b.estab}",
                 rules[b.number], reason_of(rules[b.number])) for b in blocks
            ))  # fmt: skip
            written.append(AsideFile(COLLECTION, "transfer", file.head.name, file.parsed.sha256, target, counts))
        return written

    def drop(self) -> None:
        """Let go of the working tables."""
        drop_tables(self.con, [TransferMarks.number])
        for name in ("transfer_years", "transfer_kept"):
            self.con.execute(f"DROP TABLE IF EXISTS {name}")


_SQL = {pa.int32(): "INTEGER", pa.string(): "VARCHAR", pa.date32(): "DATE"}


def _blocks_at(file: TransferFile, numbers: set[int]) -> list[PupilYear]:
    """Read a file again for the blocks with some numbers."""
    return [block for block in read_years(file.head, Parsed()) if block.number in numbers]
