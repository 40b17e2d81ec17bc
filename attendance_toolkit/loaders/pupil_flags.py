"""Read pupil flags: a CSV of UPN, academic year, and whether the pupil is looked after or has a social worker.

A pupil or year that is not listed stays "Unknown": list every pupil, with Yes or No, where it is known.
"""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from pathlib import Path
from typing import Unpack

import duckdb
import pyarrow as pa

from attendance_toolkit.errors import VocabularyError
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

_ANSWERS = {"YES": "Yes", "Y": "Yes", "TRUE": "Yes", "1": "Yes", "NO": "No", "N": "No", "FALSE": "No", "0": "No",
            "UNKNOWN": None, "": None}  # fmt: skip


class FlagReader:
    """Reads one file of pupil flags into ``flag_parts``; ``key`` may be missing when only screening."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, file: TextFile, where: dict[str, str], key: bytes | None
    ) -> None:
        self.con, self.file, self.where, self.key = con, file, where, key
        self.findings: list[Finding] = []
        self.count = FileCount()
        self._aside: dict[int, list[str]] = {}

    def _report(
        self, rule: str, records: list[int], column: str, value: str | None, says: str, **more: Unpack[Advice]
    ) -> None:
        first = min(records)
        line = line_numbers(self.file, [first], self.count.rows_in)[first]
        self.findings.append(
            finding(rule, self.file.name, says, row=line, column=column, value=value, count=len(records), **more)
        )

    def run(self) -> None:
        """Read, check and keep the rows. Flags are one short row a pupil, so distinct values are few."""
        flags: list[str] = [c for c in ("looked_after", "social_worker") if c in self.where]
        select = ", ".join(f"{self.where[c]} AS {c}" for c in ("upn", "academic_year", *flags))
        con = self.con
        con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
        try:
            con.execute(f"CREATE OR REPLACE TEMP TABLE flags AS {table_sql(self.file, select)}")
        except duckdb.Error as error:
            # Lines that end in two ways, or a quotation mark without an end. More of the error would show the line.
            reason = str(error).splitlines()[0][:80]
            self.findings.append(
                finding("file_ragged", self.file.name, f"the rows cannot be read as CSV ({reason}).",
                        fix="Export the file again.")
            )  # fmt: skip
            return
        rejected = con.execute("SELECT min(line), count(DISTINCT line) FROM reject_errors").fetchone()
        con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
        self.count.rows_in = con.execute("SELECT count(*) FROM flags").fetchall()[0][0]
        if rejected and rejected[1]:
            self.findings.append(
                finding("file_ragged", self.file.name, "this row does not have as many cells as the header.",
                        row=int(rejected[0]), count=int(rejected[1]), fix="Look for a comma inside a cell.")
            )  # fmt: skip
            return
        if not self.count.rows_in:
            self.findings.append(
                finding("file_no_rows", self.file.name, "the file has a header and no rows.",
                        fix="Export it again, or leave it out.")
            )  # fmt: skip
            return
        codes = [r[0] for r in con.execute("SELECT DISTINCT coalesce(upper(trim(upn)), '') FROM flags").fetchall()]
        if self.key:
            note_identifiers(con, upns=codes)
        states = check_upns(codes)
        good = [code for code, state in zip(codes, states, strict=True) if state == 0]
        numbers = dict(zip(good, pseudonyms(good, self.key), strict=True)) if self.key else dict.fromkeys(good, 0)
        self._register(
            "flag_upn", {"code": codes, "state": states.tolist(), "pseudonym": [numbers.get(c) for c in codes]}
        )
        for state, shown, records in con.execute(
            "SELECT u.state, left(u.code, 2), list(f.rowid) FROM flags f JOIN flag_upn u"
            " ON u.code = coalesce(upper(trim(f.upn)), '') WHERE u.state > 0 GROUP BY 1, 2"
        ).fetchall():
            rule = UPN_STATES[state]
            says, fix = UPN_FINDINGS[rule]
            self._set_aside(rule, records)
            self._report(rule, records, "upn", f"{shown}******" if shown else "", says, fix=fix)
        self._map_years()
        for column in flags:
            self._map_answers(column)
        self._keep(flags)

    def _register(self, name: str, columns: dict[str, list]) -> None:
        types = {
            "code": pa.string(),
            "state": pa.int8(),
            "pseudonym": pa.int64(),
            "year": pa.int32(),
            "level": pa.string(),
        }
        self.con.register("incoming", pa.table({c: pa.array(v, types[c]) for c, v in columns.items()}))
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM incoming")
        self.con.unregister("incoming")

    def _set_aside(self, rule: str, records: list[int]) -> None:
        for record in records:
            self._aside.setdefault(record, []).append(rule)

    def _map_years(self) -> None:
        texts, years = [], []
        for text, records in self.con.execute("SELECT academic_year, list(rowid) FROM flags GROUP BY 1").fetchall():
            try:
                year: int | None = parse_academic_year(text or "")
            except VocabularyError:
                year = None
                self._set_aside("flag_year", records)
                self._report("flag_year", records, "academic_year", show(text or ""),
                             f"'{show(text or '')}' is not an academic year.",
                             fix="Write both years, for example 2023/24.")  # fmt: skip
            texts.append(text)
            years.append(year)
        self._register("flag_year", {"code": texts, "year": years})

    def _map_answers(self, column: str) -> None:
        texts, levels = [], []
        for text, records in self.con.execute(f"SELECT {column}, list(rowid) FROM flags GROUP BY 1").fetchall():
            code = (text or "").strip().upper()
            if code not in _ANSWERS:
                self._report("flag_value", records, column, show(text), f"'{show(text)}' is not an answer.",
                             allowed="Yes, No", fix="It is read as Unknown.")  # fmt: skip
            texts.append(text)
            levels.append(_ANSWERS.get(code))
        self._register(f"flag_{column}", {"code": texts, "level": levels})

    def _keep(self, flags: list[str]) -> None:
        con = self.con
        con.execute("CREATE OR REPLACE TEMP TABLE flags_aside (record BIGINT)")
        if self._aside:
            self.con.register("incoming", pa.table({"record": pa.array(list(self._aside), pa.int64())}))
            con.execute("INSERT INTO flags_aside SELECT * FROM incoming")
            con.unregister("incoming")
        answers = ", ".join(
            f"(SELECT level FROM flag_{c} WHERE code IS NOT DISTINCT FROM f.{c}) AS {c}"
            if c in flags
            else f"NULL::VARCHAR AS {c}"
            for c in ("looked_after", "social_worker")
        )
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE flags_read AS
            SELECT f.rowid AS record, u.code AS upn, u.pseudonym, y.year, {answers}
            FROM flags f JOIN flag_upn u ON u.code = coalesce(upper(trim(f.upn)), '')
            JOIN flag_year y ON y.code IS NOT DISTINCT FROM f.academic_year
            WHERE f.rowid NOT IN (SELECT record FROM flags_aside)
            """
        )
        twice = con.execute(
            "SELECT record FROM flags_read r JOIN (SELECT upn, year, min(record) AS kept FROM flags_read GROUP BY ALL"
            " HAVING count(*) > 1) t USING (upn, year) WHERE r.record > t.kept"
        ).fetchall()
        if twice:
            records = [r[0] for r in twice]
            self._set_aside("pupil_repeated", records)
            self._report("pupil_repeated", records, "upn", None, "the pupil is listed twice for the same year.",
                         fix="The first row is kept and this one is set aside.")  # fmt: skip
            con.execute("DELETE FROM flags_read WHERE record IN (" + ", ".join(map(str, records)) + ")")
        if self.key:
            con.execute(
                "INSERT INTO flag_parts SELECT pseudonym, year, looked_after, social_worker FROM flags_read"
                " ANTI JOIN flag_parts ON flag_parts.upn = pseudonym AND flag_parts.academic_year = year"
            )
        self.count.rows_quarantined = len(self._aside)

    def write_aside(self, folder: Path) -> list[AsideFile]:
        """Write the rows that were set aside, as they were read, into a private folder."""
        if not self._aside:
            return []
        marks = [(record, " ".join(rules), "") for record, rules in sorted(self._aside.items())]
        return [write_rows(self.con, self.file, "pupil_flags", "", marks, self.count.rows_in, folder)]
