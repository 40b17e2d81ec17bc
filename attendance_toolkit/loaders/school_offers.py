"""Read school offers (admissions): UPN, year or date of entry, and the school offered by LAESTAB or URN."""

# Table names in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

import re
from collections.abc import Mapping

import duckdb

from attendance_toolkit.loaders._head import Head, Recognised
from attendance_toolkit.loaders._listed_table import find_list
from attendance_toolkit.loaders._pupil_rows import PupilRows
from attendance_toolkit.loaders._text import TextFile
from attendance_toolkit.loaders._values import DATE_FINDINGS, parse_date, show
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.schema.pupil_lists import ADMISSIONS, ENTRY_COLUMNS, SCHOOL_COLUMNS
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.vocabulary.areas import area_of_laestab
from attendance_toolkit.vocabulary.calendar import academic_year_of

_SCIENTIFIC = re.compile(r"\d(\.\d+)?E\+?\d+", re.IGNORECASE)
_ERROR = re.compile(r"#[A-Z/]+[!?]?", re.IGNORECASE)
_FIX = "The row is set aside; correct it or leave it out."


def recognise(head: Head) -> Recognised | None:
    """Return what a list of school offers is, None for any other file."""
    if find_list(head) != ADMISSIONS:
        return None
    return Recognised(
        ADMISSIONS, ADMISSIONS, "a list of school offers (admissions)", "the school each pupil is expected at"
    )


def check_offers(file: TextFile, where: Mapping[str, str]) -> list[Finding]:
    """Return the findings that a list of offers lacks the year of entry or the school: any of several columns will do."""
    found = []
    for name, any_of, what in (
        ("academic_year", ENTRY_COLUMNS, "the academic year of entry"),
        ("laestab", SCHOOL_COLUMNS, "the school offered"),
    ):
        if not set(any_of) & set(where):
            found.append(
                finding("column_missing", file.name, f"there is no column of {what}.", row=1, column=name,
                        fix=f"Add it, or name the column that holds it '{name}'.")
            )  # fmt: skip
    return found


class OfferReader(PupilRows):
    """Reads one list of school offers into ``destination_parts``.

    Parameters
    ----------
    con, file, where, key
        As of every list of pupils.
    by_urn
        URN -> LAESTAB of the schools that are known.
    la
        DfE code of the authority of schools that are given by four digits, "" for none.
    """

    table = ADMISSIONS
    parts = "destination_parts"
    names = ("laestab",)
    year_rule = "offer_year"
    twice = "the pupil is listed twice for the same year, with the same school."

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        file: TextFile,
        where: dict[str, str],
        key: bytes | None,
        *,
        by_urn: Mapping[int, int],
        la: str = "",
    ) -> None:
        super().__init__(con, file, where, key)
        self.by_urn, self.la = by_urn, la
        self.year_column = next(c for c in ENTRY_COLUMNS if c in where)

    def _columns(self) -> list[str]:
        """Return the column of the school and, where it is an LAESTAB, one of URNs for rows without."""
        here = [c for c in SCHOOL_COLUMNS if c in self.where]
        is_offer = here[0].startswith("offered")
        # Beside a column of the offer, a plain one may be the school of today.
        beside = [c for c in here[1:] if c.endswith("urn") and c.startswith("offered") == is_offer]
        return [here[0], *(beside[:1] if not here[0].endswith("urn") else [])]

    def _year_of(self, text: str) -> int | None:
        if self.year_column == "entry_year" and re.fullmatch(r"20\d\d", text.strip()):
            start = int(text)
            return start * 100 + (start + 1) % 100
        if self.year_column == "entry_date":
            day, _ = parse_date(text)
            return academic_year_of(day) if day else None
        return super()._year_of(text)

    def _map_values(self) -> None:
        if self.year_column == "entry_date":
            self._say_dates()
        first, *others = self._columns()
        beside = f"nullif(trim({others[0]}), '')" if others else "NULL::VARCHAR"
        rows = self.con.execute(
            f"SELECT nullif(trim({first}), ''), {beside}, list(rowid) FROM listed GROUP BY ALL"
        ).fetchall()
        numbers = []
        for text, urn, records in rows:
            column = first if text or not others else others[0]
            numbers.append(self._school(column, text or urn or "", records))
        self._register(
            "listed_school",
            {"code": [row[0] for row in rows], "beside": [row[1] for row in rows], "laestab": numbers},
        )

    def _say_dates(self) -> None:
        seen: dict[str, list[int]] = {}
        first: dict[str, str] = {}
        for text, records in self._distinct("entry_date"):
            _, style = parse_date(text or "")
            if style in ("serial", "day first", "unclear"):
                seen.setdefault(DATE_FINDINGS[style][0], []).extend(records)
                first.setdefault(DATE_FINDINGS[style][0], DATE_FINDINGS[style][1].format(value=show(text or "")))
        for rule, records in seen.items():
            self._report(rule, records, "entry_date", None, first[rule])

    def _school(self, column: str, text: str, records: list[int]) -> int | None:
        """Return the LAESTAB a cell names; what is wrong with it is said, and its rows are set aside."""
        if not text:
            self._wrong("offer_blank", column, text, records, "no school is named.")
            return None
        if _SCIENTIFIC.fullmatch(text) or _ERROR.fullmatch(text):
            self._wrong("offer_laestab", column, text, records,
                        f"'{show(text)}' is what a spreadsheet made of the number of a school.")  # fmt: skip
            return None
        digits = re.sub(r"[\s/\-]|\.0+$", "", text)
        is_urn = column.endswith("urn") or (column == "offered_school" and re.fullmatch(r"[1-9]\d{5}", digits))
        return self._by_urn(column, text, digits, records) if is_urn else self._by_number(column, text, digits, records)

    def _by_urn(self, column: str, text: str, digits: str, records: list[int]) -> int | None:
        laestab = self.by_urn.get(int(digits)) if re.fullmatch(r"[1-9]\d{5}", digits) else None
        if laestab is None:
            self._wrong("offer_urn", column, text, records,
                        f"'{show(text)}' is the URN of no school of the returns and lists given or of the store.",
                        fix="The row is set aside; give a list of schools with it (a GIAS download), or the LAESTAB.",
                        )  # fmt: skip
            return None
        self.laestabs.add(laestab)
        return laestab

    def _by_number(self, column: str, text: str, digits: str, records: list[int]) -> int | None:
        if self.la and re.fullmatch(r"\d{4}", digits):
            digits = f"{self.la}{digits}"
        if not re.fullmatch(r"[1-9]\d{6}", digits) or area_of_laestab(int(digits)) is None:
            self._wrong("offer_laestab", column, text, records,
                        f"'{show(text)}' is not the LAESTAB of a school of a local authority of England.",
                        fix="The row is set aside; write seven digits, for example 3584001 or 358/4001.")  # fmt: skip
            return None
        self.laestabs.add(int(digits))
        return int(digits)

    def _wrong(self, rule: str, column: str, text: str, records: list[int], says: str, *, fix: str = _FIX) -> None:
        self._set_aside(rule, records)
        self._report(rule, records, column, show(text), says, fix=fix)

    def _kept_values(self) -> str:
        first, *others = self._columns()
        beside = f"nullif(trim(f.{others[0]}), '')" if others else "NULL"
        return (
            f"(SELECT laestab FROM listed_school WHERE code IS NOT DISTINCT FROM nullif(trim(f.{first}), '')"
            f" AND beside IS NOT DISTINCT FROM {beside}) AS laestab"
        )

    def _drop_repeated(self) -> None:
        """Keep the first offer of a pupil and year: nobody but the authority knows which of two stands."""
        differing = self.con.execute(
            "SELECT record FROM listed_read r JOIN (SELECT upn, year, arg_min(laestab, record) AS first FROM listed_read"
            " GROUP BY ALL) t USING (upn, year) WHERE r.laestab <> t.first"
        ).fetchall()
        if differing:
            self._set_aside_repeated(
                "offer_conflict", [r[0] for r in differing], "the pupil has two offers for the same year that differ."
            )
        super()._drop_repeated()
