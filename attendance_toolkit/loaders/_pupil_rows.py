"""Lists of pupils from other systems than the census: one row a pupil and academic year, with something known of the pupil.

What all of them share is here: the rows are read as text, UPNs are checked and turned into pseudonyms, years are read, a
pupil listed twice is found, and rows that cannot be used are set aside as they were read.
"""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Unpack

import duckdb
import pyarrow as pa

from attendance_toolkit.errors import VocabularyError
from attendance_toolkit.loaders._identifiers import identifying_places, split_name
from attendance_toolkit.loaders._return_files import FileCount, table_sql
from attendance_toolkit.loaders._set_aside import write_rows
from attendance_toolkit.loaders._text import TextFile, line_numbers
from attendance_toolkit.loaders._values import UPN_FINDINGS, show
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.schema.rules import Advice, finding
from attendance_toolkit.store.identifiers import note_identifiers
from attendance_toolkit.store.keys import UPN_STATES, check_upns, pseudonyms
from attendance_toolkit.store.quarantine import AsideFile
from attendance_toolkit.vocabulary.calendar import parse_academic_year

_TYPES = {
    "code": pa.string(),
    "beside": pa.string(),
    "state": pa.int8(),
    "pseudonym": pa.int64(),
    "year": pa.int32(),
    "level": pa.string(),
    "laestab": pa.int32(),
}


class PupilRows(ABC):
    """Reads one file of a kind of list; ``key`` may be missing when only screening.

    A kind says which columns it reads besides the UPN and the year, what it makes of them (``_map_values``,
    ``_kept_values``), and the table of the connection its rows go to.
    """

    table: ClassVar[str]
    """Name of the kind, as the manifest and the quarantine have it."""
    parts: ClassVar[str]
    """Working table of the connection that takes the rows: pseudonym, academic year, then the values."""
    names: ClassVar[tuple[str, ...]]
    """Columns of ``parts`` after the pseudonym and the year."""
    keys: ClassVar[tuple[str, ...]] = ("upn", "year")
    """What a row stands for: a second one is set aside."""
    year_rule: ClassVar[str]
    year_column = "academic_year"
    twice = "the pupil is listed twice for the same year."

    def __init__(
        self, con: duckdb.DuckDBPyConnection, file: TextFile, where: dict[str, str], key: bytes | None
    ) -> None:
        self.con, self.file, self.where, self.key = con, file, where, key
        self.findings: list[Finding] = []
        self.count = FileCount()
        self.laestabs: set[int] = set()
        """Schools the list names, if its kind names any."""
        self._aside: dict[int, list[str]] = {}

    # -- what a kind of list says itself --

    @abstractmethod
    def _columns(self) -> Sequence[str]:
        """Return the columns to read besides the UPN and the year, of those the file has."""

    @abstractmethod
    def _map_values(self) -> None:
        """Read the distinct values of the columns into tables of the connection; say what cannot be read."""

    @abstractmethod
    def _kept_values(self) -> str:
        """Return SQL for ``names`` of a row ``f`` of the file."""

    def _year_of(self, text: str) -> int | None:
        """Return the academic year a cell means, None for none."""
        try:
            return parse_academic_year(text)
        except VocabularyError:
            return None

    # -- reading --

    def run(self) -> None:
        """Read, check and keep the rows. Lists have one short row a pupil, so distinct values are few."""
        if not self._read():
            return
        self._map_upns()
        self._map_years()
        self._map_values()
        self._keep()

    def _read(self) -> bool:
        """Read the file into ``listed``; return whether it has rows that can be used."""
        wanted = ("upn", self.year_column, *self._columns())
        select = ", ".join(f"{self.where[c]} AS {c}" for c in wanted)
        con = self.con
        con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
        try:
            con.execute(f"CREATE OR REPLACE TEMP TABLE listed AS {table_sql(self.file, select)}")
        except duckdb.Error as error:
            # Lines that end in two ways, or a quotation mark without an end. More of the error would show the line.
            reason = str(error).splitlines()[0][:80]
            self.findings.append(
                finding("file_ragged", self.file.name, f"the rows cannot be read as CSV ({reason}).",
                        fix="Export the file again.")
            )  # fmt: skip
            return False
        rejected = con.execute("SELECT min(line), count(DISTINCT line) FROM reject_errors").fetchone()
        con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
        self.count.rows_in = con.execute("SELECT count(*) FROM listed").fetchall()[0][0]
        if rejected and rejected[1]:
            self.findings.append(
                finding("file_ragged", self.file.name, "this row does not have as many cells as the header.",
                        row=int(rejected[0]), count=int(rejected[1]), fix="Look for a comma inside a cell.")
            )  # fmt: skip
            return False
        if not self.count.rows_in:
            self.findings.append(
                finding("file_no_rows", self.file.name, "the file has a header and no rows.",
                        fix="Export it again, or leave it out.")
            )  # fmt: skip
            return False
        return True

    def _map_upns(self) -> None:
        con = self.con
        codes = [r[0] for r in con.execute("SELECT DISTINCT coalesce(upper(trim(upn)), '') FROM listed").fetchall()]
        if self.key:
            note_identifiers(con, upns=codes)
        states = check_upns(codes)
        good = [code for code, state in zip(codes, states, strict=True) if state == 0]
        numbers = dict(zip(good, pseudonyms(good, self.key), strict=True)) if self.key else dict.fromkeys(good, 0)
        self._register(
            "listed_upn", {"code": codes, "state": states.tolist(), "pseudonym": [numbers.get(c) for c in codes]}
        )
        for state, shown, records in con.execute(
            "SELECT u.state, left(u.code, 2), list(f.rowid) FROM listed f JOIN listed_upn u"
            " ON u.code = coalesce(upper(trim(f.upn)), '') WHERE u.state > 0 GROUP BY 1, 2"
        ).fetchall():
            rule = UPN_STATES[state]
            says, fix = UPN_FINDINGS[rule]
            self._set_aside(rule, records)
            self._report(rule, records, "upn", f"{shown}******" if shown else "", says, fix=fix)

    def _map_years(self) -> None:
        texts, years = [], []
        for text, records in self._distinct(self.year_column):
            year = self._year_of(text or "")
            if year is None:
                self._set_aside(self.year_rule, records)
                self._report(self.year_rule, records, self.year_column, show(text or ""),
                             f"'{show(text or '')}' is not an academic year.",
                             fix="Write both years, for example 2023/24.")  # fmt: skip
            texts.append(text)
            years.append(year)
        self._register("listed_year", {"code": texts, "year": years})

    def _keep(self) -> None:
        con = self.con
        con.execute("CREATE OR REPLACE TEMP TABLE listed_aside (record BIGINT)")
        if self._aside:
            con.register("incoming", pa.table({"record": pa.array(list(self._aside), pa.int64())}))
            con.execute("INSERT INTO listed_aside SELECT * FROM incoming")
            con.unregister("incoming")
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE listed_read AS
            SELECT f.rowid AS record, u.code AS upn, u.pseudonym, y.year, {self._kept_values()}
            FROM listed f JOIN listed_upn u ON u.code = coalesce(upper(trim(f.upn)), '')
            JOIN listed_year y ON y.code IS NOT DISTINCT FROM f.{self.year_column}
            WHERE f.rowid NOT IN (SELECT record FROM listed_aside)
            """
        )
        self._drop_repeated()
        if self.key:
            # A row of an earlier file of the call stands.
            old = {"upn": "upn = pseudonym", "year": "academic_year = year"}
            same = " AND ".join(f"{self.parts}.{old.get(k, f'{k} = listed_read.{k}')}" for k in self.keys)
            con.execute(
                f"INSERT INTO {self.parts} SELECT pseudonym, year, {', '.join(self.names)} FROM listed_read"
                f" ANTI JOIN {self.parts} ON {same}"
            )
        self.count.rows_quarantined = len(self._aside)

    def _drop_repeated(self) -> None:
        keys = ", ".join(self.keys)
        twice = self.con.execute(
            f"SELECT record FROM listed_read r JOIN (SELECT {keys}, min(record) AS kept FROM listed_read GROUP BY ALL"
            f" HAVING count(*) > 1) t USING ({keys}) WHERE r.record > t.kept"
        ).fetchall()
        if twice:
            self._set_aside_repeated("pupil_repeated", [r[0] for r in twice], self.twice)

    def _set_aside_repeated(self, rule: str, records: list[int], says: str) -> None:
        self._set_aside(rule, records)
        self._report(rule, records, "upn", None, says, fix="The first row is kept and this one is set aside.")
        self.con.execute("DELETE FROM listed_read WHERE record IN (" + ", ".join(map(str, records)) + ")")

    # -- helpers --

    def _distinct(self, column: str) -> list[tuple[str | None, list[int]]]:
        """Return each distinct text of a column with the records that have it."""
        return self.con.execute(f"SELECT {column}, list(rowid) FROM listed GROUP BY 1").fetchall()

    def _register(self, name: str, columns: dict[str, list]) -> None:
        self.con.register("incoming", pa.table({c: pa.array(v, _TYPES[c]) for c, v in columns.items()}))
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM incoming")
        self.con.unregister("incoming")

    def _set_aside(self, rule: str, records: list[int]) -> None:
        for record in records:
            self._aside.setdefault(record, []).append(rule)

    def _report(
        self, rule: str, records: list[int], column: str, value: str | None, says: str, **more: Unpack[Advice]
    ) -> None:
        first = min(records)
        line = line_numbers(self.file, [first], self.count.rows_in)[first]
        self.findings.append(
            finding(rule, self.file.name, says, row=line, column=column, value=value, count=len(records), **more)
        )

    def write_aside(self, folder: Path) -> list[AsideFile]:
        """Write the rows that were set aside, as they were read, into a private folder."""
        if not self._aside:
            return []
        marks = [(record, " ".join(rules), "") for record, rules in sorted(self._aside.items())]
        return [write_rows(self.con, self.file, self.table, "", marks, self.count.rows_in, folder)]


def note_names(con: duckdb.DuckDBPyConnection, file: TextFile) -> None:
    """Note names, postcodes and former UPNs of a list that needs none of them, for the search of what leaves."""
    places = identifying_places(file.header)

    def distinct(*wanted: str) -> list[tuple[str, ...]]:
        cells = ", ".join(f"coalesce(c{places[what]}, '')" for what in wanted)
        rows = con.execute(f"SELECT DISTINCT * FROM ({table_sql(file, cells)})").fetchall()
        con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
        return rows

    names = [split_name(name) for (name,) in distinct("name")] if "name" in places else []
    if {"forename", "surname"} <= set(places):
        names += [(forename, "", surname) for forename, surname in distinct("forename", "surname")]
    note_identifiers(
        con,
        names=names,
        upns=[cell for (cell,) in distinct("formerupn")] if "formerupn" in places else [],
        postcodes=[cell for (cell,) in distinct("postcode")] if "postcode" in places else [],
    )
