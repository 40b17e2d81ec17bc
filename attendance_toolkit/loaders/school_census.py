"""Read school-census returns in the flat layout: one CSV file per table, ``<anything>_<table>.csv``.

A return is a set of files that share the part of the name before the table. Returns of the same census are
read together. The rows are read, checked and added up inside DuckDB; Python only ever sees the distinct
codes, dates and numbers of a column.

What happens to a row
    *Set aside whole*: no usable UPN, an unknown school, a key or pupil that occurs twice, impossible
    sessions (negative, not whole, more than the term has weekdays, more missed than possible). Its session
    rows go with it.
    *Loaded with the value set aside*: an unknown code or date of a characteristic (the level is then
    "Unknown"); a session row without a pupil, or with a code that is not a register code.
    *Loaded without sessions*: a pupil without possible sessions, such as a September starter in the autumn
    return, which carries the summer term before. The row still describes the pupil.
"""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from attendance_toolkit.loaders._return_files import FileCount, ReturnFiles, table_sql
from attendance_toolkit.loaders._text import TextFile, line_numbers
from attendance_toolkit.loaders._values import (
    DATE_FINDINGS,
    UPN_FINDINGS,
    codes_on,
    known,
    laestab_of,
    listed,
    parse_date,
    parse_whole,
    show,
    years_before,
)
from attendance_toolkit.schema.census import MOST_SESSIONS, Carried, Census, make_census, session_day
from attendance_toolkit.schema.codes import CODE_LABELS, allowed_codes, ethnicities, level_of, year_before
from attendance_toolkit.schema.findings import IDENTIFYING_COLUMNS, Finding, mask
from attendance_toolkit.schema.rules import RULES, finding
from attendance_toolkit.schema.tables import CENSUS_TABLES
from attendance_toolkit.store.keys import UPN_STATES, check_upns, pseudonyms
from attendance_toolkit.store.parts import FLAG_COLUMNS, RECORD_COLUMNS, SESSION_COLUMNS
from attendance_toolkit.vocabulary.areas import area_of_laestab
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import REASON_COLUMNS

#: Findings of one rule, file and column that differ only by value: more than this many are added up.
MOST_VALUES = 25

#: Columns of a pupil row in the working tables -> the extract's name, for pupils on and off the roll.
_PUPIL_COLUMNS = {
    "key": ("pupilonrolltableid", "pupilnolongeronrolltableid"),
    "nativeid": ("nativeid", "nativeid"),
    "upn": ("upn", "upn"),
    "dob": ("dob", "dob"),
    "entrydate": ("entrydate", "entrydate"),
    "leavingdate": ("", "leavingdate"),
    "sex": ("sex", "sex"),
    "ncyear": ("ncyearactual", "ncyearleaving"),
    "senprovision": ("senprovision", "senprovision"),
    "enrolstatus": ("enrolstatus", "enrolstatus"),
    "boarder": ("boarder", "boarder"),
    "language": ("language", "language"),
    "ethnicity": ("ethnicity", "ethnicity"),
    **{
        f"{item}{kind}": (f"{item}{kind}", f"{item}{kind}")
        for item in ("termlysessions", "summerhalfterm2sessions")
        for kind in ("possible", "authorised", "unauthorised", "coronavirus")
    },
}
_CODED = {
    "sex": "sex_code",
    "ncyear": "year_group_code",
    "senprovision": "sen_code",
    "enrolstatus": "enrol_status_code",
    "boarder": "boarder_code",
    "language": "language_code",
    "ethnicity": "ethnicity_code",
}
_DATES = ("dob", "entrydate", "leavingdate")
_DETAILS = {"termlysessions": "termlysessiondetails", "summerhalfterm2sessions": "summerhalfterm2sessiondetails"}
_PUPIL_TABLES = (("pupilonroll", True), ("pupilnolongeronroll", False))
_PERIOD_TABLES = (("fsmperiod", True), ("fsmperiodsonroll", True), ("fsmperiodsoffroll", False))


@dataclass
class _Source:
    """One file inside a working table: its rows follow each other from ``start``."""

    file: TextFile
    table: str
    return_number: int
    on_roll: bool
    start: int
    rows: int

    @property
    def group(self) -> int:
        """Return a number for the return and roll, within which keys are unique to a school."""
        return self.return_number * 2 + self.on_roll


class _Stack:
    """A working table into which several files are read one after the other, so that row ids lead back."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sources: list[_Source] = []
        self._starts: list[int] = []

    def add(self, source: _Source) -> None:
        self.sources.append(source)
        self._starts.append(source.start)

    def find(self, rid: int) -> tuple[_Source, int]:
        """Return the file of a row and its record number in it."""
        # Empty files share their start with the next one, and the last of equals is the one with rows.
        source = self.sources[bisect_right(self._starts, rid) - 1]
        return source, rid - source.start


@dataclass
class _Draft:
    """A finding whose record number still has to become a line of the file."""

    rule: str
    file: TextFile
    says: str
    record: int | None = None
    column: str | None = None
    value: str | None = None
    allowed: str = ""
    fix: str = ""
    count: int = 1


def guess_census(
    con: duckdb.DuckDBPyConnection, group: ReturnFiles, where: dict[str, dict[str, str]]
) -> tuple[Census | None, Finding]:
    """Return the census a return seems to be, from its columns and newest entry date, and the finding to say so."""
    main = group.main_table
    file, columns = group.tables[main], where[main]
    newest: date | None = None
    if "entrydate" in columns:
        sql = table_sql(file, columns["entrydate"] + " AS entry")
        cursor = con.execute(f"SELECT DISTINCT entry FROM ({sql})")
        days = [parse_date(text)[0] for (text,) in cursor.fetchall() if text]
        newest = max((day for day in days if day), default=None)
    if newest is None:
        return None, finding(
            "census_unknown", file.name,
            "it cannot be told which census this is: there is no schoolcensus table and there are no entry dates.",
            fix="Give the census, for example: census 'autumn 2024'.",
        )  # fmt: skip
    if "summerhalfterm2sessionspossible" in columns:
        collection = "autumn"
    else:
        collection = "spring" if "ethnicity" in columns else "summer"
    census = make_census(collection, newest.year + (collection != "autumn" and newest.month >= 8))
    return census, finding(
        "census_guessed", file.name,
        f"read as the {census.label} census, from its columns and the newest entry date, {newest.isoformat()}.",
        fix="Give the schoolcensus table, or the census, if that is wrong.",
    )  # fmt: skip


class CensusReader:
    """Reads and screens the returns of one census into working tables.

    With a key, ``session_parts`` and ``record_parts`` of the connection are added to.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        census: Census,
        returns: Sequence[ReturnFiles],
        where: Sequence[dict[str, dict[str, str]]],
        *,
        key: bytes | None,
        schools: dict[str, dict[str, str]],
    ) -> None:
        self.con, self.census, self.returns, self.where = con, census, returns, where
        self.key, self.schools = key, schools
        self.drafts: list[_Draft] = []
        self.findings: list[Finding] = []
        self.counts: dict[tuple[int, str], FileCount] = {}
        self.laestabs: list[set[int]] = [set() for _ in returns]
        self.pupils = _Stack("raw_pupil")
        self.details: dict[str, _Stack] = {}

    # -- helpers --

    def _one(self, sql: str) -> tuple:
        row = self.con.execute(sql).fetchone()
        assert row is not None
        return row

    def _all(self, sql: str) -> list[tuple]:
        return self.con.execute(sql).fetchall()

    def _map(self, name: str, columns: Mapping[str, Sequence], types: dict[str, pa.DataType]) -> None:
        """Make a small lookup table."""
        arrays = {c: pa.array(v, type=types[c]) for c, v in columns.items()}
        self.con.register("incoming", pa.table(arrays))
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM incoming")
        self.con.unregister("incoming")

    def _draft(self, rule: str, file: TextFile, says: str, **more: object) -> None:
        self.drafts.append(_Draft(rule, file, says, **more))  # type: ignore[arg-type]

    def _draft_at(
        self, rule: str, stack: _Stack, rid: int, says: str, *, column: str | None = None, **more: object
    ) -> None:
        """Draft a finding about a row of a working table, with the column as the file spells it."""
        source, record = stack.find(rid)
        if stack is self.pupils and column in _PUPIL_COLUMNS:
            column = _PUPIL_COLUMNS[column][not source.on_roll] or column
        self._draft(rule, source.file, says, record=record, column=column, **more)

    @property
    def is_blocked(self) -> bool:
        """Whether a blocking finding was made."""
        return any(RULES[d.rule].severity == "blocking" for d in self.drafts)

    # -- the run --

    def run(self) -> None:
        """Read, screen and reduce the returns. Stops after a stage with a blocking finding."""
        for step in (
            self._read_pupils,
            self._check_census,
            self._map_values,
            self._make_pupils,
            self._check_keys,
            self._read_sessions,
            self._check_arithmetic,
            self._check_plausible,
            self._map_fsm,
        ):
            step()
            if self.is_blocked:
                break
        else:
            self._count()
            if self.key is not None:
                self._write_parts()
        self._settle()

    # -- file --

    def _read(self, stack: _Stack, files: list[tuple[int, str, bool, str]]) -> None:
        """Read files (return, table, on roll, selected cells) into a working table, one after the other.

        One statement for all of them costs a tenth of one for each. The order of rows is then checked, since
        row ids must lead back to lines; a file that cannot be read is found by reading them one by one.
        """
        selects, sources = [], []
        for place, (number, table, on_roll, select) in enumerate(files):
            source = _Source(self.returns[number].tables[table], table, number, on_roll, 0, 0)
            sources.append(source)
            selects.append(
                f"SELECT {place}::INTEGER AS source, {source.group}::INTEGER AS in_group, *"
                f" FROM ({table_sql(source.file, select)})"
            )
        try:
            self.con.execute(f"CREATE OR REPLACE TEMP TABLE {stack.name} AS {' UNION ALL '.join(selects)}")
        except duckdb.Error:
            self._read_singly(stack, sources, selects)
        spans = self._spans(stack)
        if any(last - first + 1 != rows for rows, first, last in spans.values()):
            self._read_singly(stack, sources, selects)
            spans = self._spans(stack)
        start = 0
        for place, source in enumerate(sources):
            source.start, source.rows = start, spans.get(place, (0, 0, 0))[0]
            start += source.rows
            stack.add(source)
            self.counts[(source.return_number, source.table)] = FileCount(source.rows)
        self._check_rejected()

    def _spans(self, stack: _Stack) -> dict[int, tuple[int, int, int]]:
        found = self._all(f"SELECT source, count(*), min(rowid), max(rowid) FROM {stack.name} GROUP BY 1")
        return {place: (rows, first, last) for place, rows, first, last in found}

    def _read_singly(self, stack: _Stack, sources: list[_Source], selects: list[str]) -> None:
        self.con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE {stack.name} AS {selects[0]} LIMIT 0")
        for source, select in zip(sources, selects, strict=True):
            try:
                self.con.execute(f"INSERT INTO {stack.name} {select}")
            except duckdb.Error as error:
                reason = str(error).splitlines()[0][:80]
                self._draft("file_ragged", source.file, f"the rows cannot be read as CSV ({reason}).",
                            fix="Export the file again.")  # fmt: skip

    def _check_rejected(self) -> None:
        """Report the rows that do not have as many cells as their header."""
        kinds = {"TOO MANY COLUMNS": "more cells than the header", "MISSING COLUMNS": "fewer cells than the header"}
        files = {str(f.readable): f for group in self.returns for f in group.tables.values()}
        for path, line, count, kind in self._all(
            "SELECT s.file_path, min(r.line), count(DISTINCT r.line), first(r.error_type::VARCHAR ORDER BY r.line)"
            " FROM reject_errors r JOIN reject_scans s USING (scan_id, file_id) GROUP BY 1"
        ) if self._all("SELECT 1 FROM duckdb_tables() WHERE table_name = 'reject_errors'") else []:  # fmt: skip
            self._draft(
                "file_ragged", files[path], f"this row has {kinds.get(kind, 'a cell that cannot be read')}.",
                record=int(line) - 2, count=int(count),
                fix="Look for a comma or quotation mark inside a cell, or export the file again.",
            )  # fmt: skip
        self.con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")

    def _read_pupils(self) -> None:
        self.con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
        files = []
        for number, group in enumerate(self.returns):
            for table, on_roll in _PUPIL_TABLES:
                if table not in group.tables:
                    continue
                where = self.where[number][table]
                cells = []
                for column, names in _PUPIL_COLUMNS.items():
                    name = names[not on_roll]
                    cells.append(f"{where[name]} AS {column}" if name in where else f"NULL::VARCHAR AS {column}")
                files.append((number, table, on_roll, ", ".join(cells)))
        self._read(self.pupils, files)
        for source in self.pupils.sources:
            if source.on_roll and not source.rows and not self.is_blocked:
                self._draft("file_no_rows", source.file, "the file has a header and no rows.",
                            fix="Export the return again.")  # fmt: skip
        self.con.execute("CREATE OR REPLACE TEMP TABLE set_aside (rid BIGINT, rule VARCHAR)")

    # -- population: the census --

    def _check_census(self) -> None:
        """Check that columns and dates of each return are those of the census it is said to be."""
        census = self.census
        dates: dict[int, list[tuple[date, int, int, str]]] = {}
        for column in ("entrydate", "leavingdate"):
            for text, in_group, count, first in self._all(
                f"SELECT {column}, in_group, count(*), min(rowid) FROM raw_pupil WHERE {column} IS NOT NULL"
                " GROUP BY 1, 2"
            ):
                day, _ = parse_date(text)
                if day:
                    dates.setdefault(in_group // 2, []).append((day, count, first, column))
        for number, group in enumerate(self.returns):
            main = group.main_table
            has_half_term = "summerhalfterm2sessionspossible" in self.where[number][main]
            if has_half_term != (census.collection == "autumn"):
                self._draft(
                    "census_wrong_columns", group.tables[main],
                    f"the return is said to be the {census.label} census but {'has' if has_half_term else 'lacks'} the"
                    " column 'summerhalfterm2sessionspossible', which only the autumn census has.",
                    record=-1, column="summerhalfterm2sessionspossible",
                    fix="Check which census the extract was taken from.",
                )  # fmt: skip
            self._check_dates(group.tables[main], dates.get(number, []))

    def _check_dates(self, file: TextFile, dates: list[tuple[date, int, int, str]]) -> None:
        census = self.census
        late = [entry for entry in dates if entry[0] > census.day]
        late_rows, all_rows = sum(e[1] for e in late), sum(e[1] for e in dates)
        fix = "Check which census the extract was taken from."
        if late_rows >= max(2, 0.005 * all_rows):
            day, _, first, column = min(late, key=lambda entry: entry[2])
            self._draft_at(
                "census_wrong_dates", self.pupils, first,
                f"pupils joined or left after the {census.label} census day, {census.day.isoformat()}:"
                f" the latest on {max(entry[0] for entry in late).isoformat()}.",
                column=column, value=day.isoformat(), count=late_rows, fix=fix,
            )  # fmt: skip
            return
        for day, count, first, column in late:
            self._draft_at(
                "entry_after_census", self.pupils, first,
                f"{day.isoformat()} is after the census day, {census.day.isoformat()}.",
                column=column, value=day.isoformat(), count=count,
            )  # fmt: skip
        newest = max((entry[0] for entry in dates), default=None)
        if newest and (census.day - newest).days > 300:
            self._draft(
                "census_wrong_dates", file,
                f"nobody joined or left in the 300 days before the {census.label} census day,"
                f" {census.day.isoformat()}: the latest was {newest.isoformat()}.",
                column="entrydate", value=newest.isoformat(), fix=fix,
            )  # fmt: skip

    # -- population and codes: distinct values --

    def _distinct(self, column: str) -> list[str]:
        return [
            t for (t,) in self._all(f"SELECT DISTINCT {column} FROM raw_pupil WHERE {column} IS NOT NULL ORDER BY 1")
        ]

    def _places(self, column: str, texts: Sequence[str]) -> list[tuple[str, int, int]]:
        """Return (text, rows, first row) of some values of a column, apart for each file."""
        if not texts:
            return []
        self._map("asked", {"text": list(texts)}, {"text": pa.string()})
        rows = self._all(
            f"SELECT text, in_group, count(*), min(r.rowid) FROM raw_pupil r JOIN asked ON text = {column}"
            " GROUP BY 1, 2 ORDER BY 4"
        )
        return [(text, count, first) for text, _, count, first in rows]

    def _map_values(self) -> None:
        for column, rule in _CODED.items():
            texts = self._distinct(column)
            # On and off the roll a column may have two names, never two code sets.
            levels = [level_of(_PUPIL_COLUMNS[column][0], text) if text.strip() else None for text in texts]
            strange = [t for t, level in zip(texts, levels, strict=True) if level is None and t.strip()]
            for text, count, first in self._places(column, strange):
                name = _PUPIL_COLUMNS[column][0]
                self._draft_at(
                    rule, self.pupils, first,
                    f"'{show(text)}' is not a code for {CODE_LABELS[name]} in the {self.census.label} census.",
                    column=column, value=show(text), count=count, allowed=allowed_codes(name),
                    fix="It is read as Unknown.",
                )  # fmt: skip
            self._map(f"map_{column}", {"code": texts, "level": levels}, {"code": pa.string(), "level": pa.string()})
        self._map_dates()
        self._map_numbers()
        self._map_schools()
        self._map_upns()

    def _read_days(self, texts: Sequence[str], *, is_birth: bool = False) -> tuple[list[date | None], dict[str, str]]:
        """Return the day of each text, and for those not written as in an extract how they are written."""
        parsed = [parse_date(text) for text in texts]
        seen = {style for _, style in parsed}
        # Day and month can only be told apart where some day is above 12 and no month is.
        is_clear = "day first" in seen and "month first" not in seen
        days: list[date | None] = []
        styles: dict[str, str] = {}
        for text, (day, style) in zip(texts, parsed, strict=True):
            if style == "month first" or (style == "unclear" and not is_clear):
                day, style = None, "unreadable"
            if is_birth and day and not 0 <= self.census.year - day.year <= 25:
                day, style = None, "unlikely"
            days.append(day)
            if style not in ("extract", "blank"):
                styles[text] = style
        return days, styles

    def _map_dates(self) -> None:
        for column in _DATES:
            texts = self._distinct(column)
            days, styles = self._read_days(texts, is_birth=column == "dob")
            self._map(f"map_{column}", {"code": texts, "day": days}, {"code": pa.string(), "day": pa.date32()})
            places = [(styles[text], text, count, first) for text, count, first in self._places(column, list(styles))]
            self._report_dates(self.pupils, column, places)
        for count, first in self._all("SELECT count(*), min(rowid) FROM raw_pupil WHERE dob IS NULL GROUP BY in_group"):
            self._draft_at(
                "birth_blank", self.pupils, first, "there is no date of birth, so the pupil's age is unknown.",
                column="dob", count=count, fix="Pupils without an age are outside DfE's age range of 5 to 15.",
            )  # fmt: skip

    def _report_dates(self, stack: _Stack, column: str, places: list[tuple[str, str, int, int]]) -> None:
        """Report once for each file and way of writing; the first value stands for the others."""
        tally: dict[tuple[str, str], tuple[int, int, str]] = {}
        for style, text, count, first in places:
            at = (DATE_FINDINGS[style][0], stack.find(first)[0].file.name)
            old = tally.get(at, (0, first, text))
            tally[at] = (old[0] + count, *min((old[1], old[2]), (first, text)))
        styles = {text: style for style, text, _, _ in places}
        for (rule, _), (count, first, text) in tally.items():
            _, says, fix = DATE_FINDINGS[styles[text]]
            value = mask(text) if column in IDENTIFYING_COLUMNS else show(text)
            self._draft_at(
                rule, stack, first, says.format(value=value), column=column, value=value, count=count, fix=fix
            )

    def _number_columns(self) -> list[str]:
        return [f"{c.item}{k}" for c in self.census.carries
                for k in ("possible", "authorised", "unauthorised", "coronavirus")]  # fmt: skip

    def _map_numbers(self) -> None:
        numbers: dict[str, int | None] = {}
        for column in self._number_columns():
            faults: dict[str, str] = {}
            for text in self._distinct(column):
                numbers[text], fault = parse_whole(text)
                if fault in ("negative", "not number"):
                    faults[text] = fault
            for text, count, first in self._places(column, list(faults)):
                negative = faults[text] == "negative"
                self._draft_at(
                    "sessions_negative" if negative else "sessions_not_number", self.pupils, first,
                    f"'{show(text)}' is {'negative' if negative else 'not a whole number'}.",
                    column=column, value=show(text), count=count, fix="The row is set aside.",
                )  # fmt: skip
            for text, fault in faults.items():
                rule = "sessions_negative" if fault == "negative" else "sessions_not_number"
                self.con.execute(
                    f"INSERT INTO set_aside SELECT rowid, '{rule}' FROM raw_pupil WHERE {column} = $text",
                    {"text": text},
                )
        self._map("map_number", {"code": list(numbers), "number": list(numbers.values())},
                  {"code": pa.string(), "number": pa.int32()})  # fmt: skip

    def _map_schools(self) -> None:
        rows: dict[str, list] = {k: [] for k in ("return_number", "nativeid", "laestab", "la_code", "phase", "urn")}
        for number, native, count, first in self._all(
            "SELECT in_group // 2, nativeid, count(*), min(rowid) FROM raw_pupil GROUP BY 1, 2 ORDER BY 4"
        ):
            school = self.returns[number].schools.get(native or "") or self.schools.get(native or "") or {}
            laestab = laestab_of(school, native or "")
            area = area_of_laestab(laestab) if laestab else None
            if area is None:
                what = f"local authority {laestab // 10000} is not known" if laestab else "there is no LAESTAB for it"
                self._draft_at(
                    "school_unknown", self.pupils, first,
                    f"the school '{show(native or '')}' cannot be used: {what}.",
                    column="nativeid", value=show(native or ""), count=count,
                    fix="Add a school table with the seven-digit LAESTAB of each NativeId.",
                )  # fmt: skip
                laestab = None
            elif laestab:
                self.laestabs[number].add(laestab)
            phase_code = school.get("phase", "")
            phase = level_of("phase", phase_code) if phase_code else None
            urn, _ = parse_whole(school.get("urn", ""))
            row = (number, native, laestab, area.code if area else None, phase, urn)
            for name, value in zip(rows, row, strict=True):
                rows[name].append(value)
        types = {"return_number": pa.int32(), "nativeid": pa.string(), "laestab": pa.int32(), "la_code": pa.string(),
                 "phase": pa.string(), "urn": pa.int32()}  # fmt: skip
        self._map("map_school", rows, types)
        for group in self.returns:
            if not group.schools and not self.schools:
                self._draft(
                    "school_table_missing", group.tables[group.main_table],
                    "the return has no school table, so the phase of every school is Unknown.",
                    fix="Add the school table of the return.",
                )  # fmt: skip
            counted: dict[str, list[int]] = {}
            for school in group.schools.values() if "school" in group.tables else ():
                code = school.get("phase", "")
                if code and level_of("phase", code) is None:
                    counted.setdefault(code, []).append(int(school["#record"]))
            for code, places in counted.items():
                self._draft(
                    "phase_code", group.tables["school"], f"'{show(code)}' is not a code for {CODE_LABELS['phase']}.",
                    record=min(places), column="phase", value=show(code), count=len(places),
                    allowed=allowed_codes("phase"), fix="It is read as Unknown.",
                )  # fmt: skip

    def _map_upns(self) -> None:
        """Check each new UPN once, and give it its pseudonym when there is a key."""
        codes = [
            code
            for (code,) in self._all(
                "SELECT code FROM (SELECT DISTINCT upper(trim(upn)) AS code FROM raw_pupil WHERE upn IS NOT NULL)"
                " ANTI JOIN map_upn USING (code)"
            )
        ]
        states = check_upns(codes)
        good = np.flatnonzero(states == 0)
        pseudonym: list[int | None] = [None] * len(codes)
        if self.key is not None:
            for place, value in zip(good.tolist(), pseudonyms((codes[i] for i in good), self.key), strict=True):
                pseudonym[place] = value
        table = pa.table({"code": pa.array(codes, pa.string()), "state": pa.array(states, pa.int8()),
                          "pseudonym": pa.array(pseudonym, pa.int64())})  # fmt: skip
        self.con.register("incoming", table)
        self.con.execute("INSERT INTO map_upn SELECT * FROM incoming")
        self.con.unregister("incoming")

    # -- the pupil table --

    def _make_pupils(self) -> None:
        joined = (*_CODED, *_DATES)
        numbers = self._number_columns()
        self.con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE pupil AS
            SELECT r.rowid AS rid, r.in_group, r.in_group % 2 = 1 AS on_roll, r.key, r.nativeid,
                   s.laestab, s.la_code, s.phase, s.urn, coalesce(u.state, 1) AS upn_state, u.pseudonym, u.code AS upn,
                   {", ".join(f"map_{c}.level AS {c}" for c in _CODED)},
                   {", ".join(f"map_{c}.day AS {c}" for c in _DATES)},
                   {", ".join(f"n{i}.number AS {c}" for i, c in enumerate(numbers))}
            FROM raw_pupil r
            LEFT JOIN map_school s ON s.return_number = r.in_group // 2 AND s.nativeid IS NOT DISTINCT FROM r.nativeid
            LEFT JOIN map_upn u ON u.code = upper(trim(r.upn))
            {" ".join(f"LEFT JOIN map_{c} ON map_{c}.code = r.{c}" for c in joined)}
            {" ".join(f"LEFT JOIN map_number n{i} ON n{i}.code = r.{c}" for i, c in enumerate(numbers))}
            """
        )
        self.con.execute("INSERT INTO set_aside SELECT rid, 'school_unknown' FROM pupil WHERE laestab IS NULL")
        for state, shown, count, first in self._all(
            "SELECT upn_state, left(upn, 2), count(*), min(rid) FROM pupil WHERE upn_state > 0 GROUP BY 1, 2, in_group"
        ):
            rule = UPN_STATES[state]
            says, fix = UPN_FINDINGS[rule]
            self._draft_at(rule, self.pupils, first, says, column="upn", count=count, fix=fix,
                           value=f"{shown or ''}******" if state > 1 else "")  # fmt: skip
        named = " ".join(f"WHEN {i} THEN '{name}'" for i, name in enumerate(UPN_STATES))
        self.con.execute(f"INSERT INTO set_aside SELECT rid, CASE upn_state {named} END FROM pupil WHERE upn_state > 0")

    # -- keys --

    def _check_keys(self) -> None:
        # A pupil is one row on the roll of a school; off the roll, one row for each spell.
        for on_roll, spell in ((True, ()), (False, ("entrydate", "leavingdate"))):
            same = "".join(f" AND p.{c} IS NOT DISTINCT FROM t.{c}" for c in spell)
            self.con.execute(
                f"""
                CREATE OR REPLACE TEMP TABLE repeated AS
                WITH twice AS (
                    SELECT {", ".join(("upn", "laestab", *spell))}, min(rid) AS kept, arg_min(in_group, rid) AS kept_in
                    FROM pupil WHERE on_roll = {on_roll} AND upn_state = 0 AND laestab IS NOT NULL
                    GROUP BY {", ".join(("upn", "laestab", *spell))} HAVING count(*) > 1
                )
                SELECT p.rid, t.kept, p.in_group,
                       CASE WHEN p.in_group = t.kept_in THEN 'pupil_repeated' ELSE 'pupil_in_two_files' END AS rule
                FROM pupil p JOIN twice t
                ON p.upn = t.upn AND p.laestab = t.laestab{same} AND p.rid > t.kept AND p.on_roll = {on_roll}
                """
            )
            for rule, count, first, kept in self._all(
                "SELECT rule, count(*), min(rid), arg_min(kept, rid) FROM repeated GROUP BY rule, in_group"
            ):
                source, record = self.pupils.find(kept)
                place = f"row {line_numbers(source.file, [record], source.rows)[record]}"
                if rule == "pupil_in_two_files":
                    place += f" of {source.file.name}"
                self._draft_at(
                    rule, self.pupils, first,
                    f"the pupil is already on {place} for the same school{'' if on_roll else ' and the same spell'}.",
                    column="upn", count=count, fix="The first row is kept and this one is set aside.",
                )  # fmt: skip
            self.con.execute("INSERT INTO set_aside SELECT rid, rule FROM repeated")
        self.con.execute(
            """
            CREATE OR REPLACE TEMP TABLE repeated AS
            WITH left_over AS (SELECT rid, in_group, nativeid, key FROM pupil ANTI JOIN set_aside USING (rid)),
                 twice AS (SELECT in_group, nativeid, key FROM left_over GROUP BY ALL HAVING count(*) > 1)
            SELECT rid, in_group FROM left_over SEMI JOIN twice USING (in_group, nativeid, key)
            """
        )
        for count, first in self._all("SELECT count(*), min(rid) FROM repeated GROUP BY in_group"):
            self._draft_at(
                "key_repeated", self.pupils, first,
                "two pupils of a school have the same key, so their sessions cannot be told apart.",
                column="key", count=count, fix="The rows are set aside; export the return again.",
            )  # fmt: skip
        self.con.execute("INSERT INTO set_aside SELECT rid, 'key_repeated' FROM repeated")

    # -- sessions --

    def _read_sessions(self) -> None:
        self.con.execute(
            "CREATE OR REPLACE TEMP TABLE keyed AS SELECT rid, in_group, nativeid, key FROM pupil WHERE rid NOT IN"
            " (SELECT rid FROM set_aside WHERE rule IN ('pupil_repeated', 'pupil_in_two_files', 'key_repeated'))"
        )
        self.con.execute("CREATE OR REPLACE TEMP TABLE rows_aside (item VARCHAR, row_number BIGINT, rule VARCHAR)")
        for carried in self.census.carries:
            self._read_details(carried)
            if self.is_blocked:
                return
            self._sum_details(carried)
            self._check_orphans(carried)

    def _read_details(self, carried: Carried) -> None:
        """Read the session rows of one half term, each with its fault if it has one."""
        codes = codes_on(session_day(carried.half_term, carried.academic_year))
        kind = f"codes_{carried.academic_year}_{carried.half_term.replace('-', '_')}"
        self.con.execute(f"DROP TABLE IF EXISTS details_{carried.item}")
        self.con.execute(f"DROP TYPE IF EXISTS {kind}")
        self.con.execute(f"CREATE TYPE {kind} AS ENUM ({listed(codes.known)})")
        stack = self.details[carried.item] = _Stack(f"details_{carried.item}")
        files = []
        for number, group in enumerate(self.returns):
            for ending, on_roll in (("onroll", True), ("offroll", False)):
                table = _DETAILS[carried.item] + ending
                if table not in group.tables:
                    continue
                where = self.where[number][table]
                reason, sessions = where["attendancereason"], where["sessions"]
                files.append((
                    number, table, on_roll,
                    f"{where[CENSUS_TABLES[table].key]} AS key, {where['nativeid']} AS nativeid,"
                    f" TRY_CAST({sessions} AS DOUBLE) AS s,"
                    f" coalesce(TRY_CAST({reason} AS {kind}),"
                    f" TRY_CAST(coalesce(upper(trim({reason})), '-') AS {kind})) AS c,"
                    # 0 good, 1 not a whole number or negative, 2 blank number, 3 unknown code
                    f" CASE WHEN {sessions} IS NULL THEN 2::TINYINT"
                    f" WHEN s IS NULL OR s < 0 OR s <> floor(s) OR s > 100000 THEN 1::TINYINT"
                    f" WHEN c IS NULL THEN 3::TINYINT ELSE 0::TINYINT END AS fault",
                ))  # fmt: skip
        if not files:
            self.con.execute(
                f"CREATE OR REPLACE TEMP TABLE {stack.name} (in_group INTEGER, key VARCHAR, nativeid VARCHAR, s DOUBLE,"
                f" c {kind}, fault TINYINT)"
            )
            return
        self._read(stack, files)
        if self.is_blocked:
            return
        if self._one(f"SELECT bool_or(fault > 0) FROM {stack.name}")[0]:
            self._report_faults(carried, stack)
        for code, count, first in self._all(
            f"SELECT c::VARCHAR, count(*), min(rowid) FROM {stack.name} WHERE fault = 0 AND c IN ({listed(codes.old)})"
            " GROUP BY c, in_group"
        ) if codes.old else []:  # fmt: skip
            self._draft_at(
                "register_code_old", stack, first,
                f"'{code}' had ended by {show_academic_year(carried.academic_year)} half term {carried.half_term};"
                " it keeps its old meaning.",
                column="attendancereason", value=code, count=count,
            )  # fmt: skip

    def _report_faults(self, carried: Carried, stack: _Stack) -> None:
        """Read faulty files again for the text of the cells that could not be used: rare, so worth a second look."""
        day = session_day(carried.half_term, carried.academic_year)
        codes = codes_on(day)
        for source in stack.sources:
            span = f"d.rowid >= {source.start} AND d.rowid < {source.start + source.rows}"
            if not self._one(f"SELECT count(*) FROM {stack.name} d WHERE {span} AND fault > 0")[0]:
                continue
            where = self.where[source.return_number][source.table]
            select = f"{where['sessions']} AS sessions, {where['attendancereason']} AS reason"
            self.con.execute(f"CREATE OR REPLACE TEMP TABLE again AS {table_sql(source.file, select)}")
            for fault, sessions, reason, count, first in self._all(
                f"""
                SELECT d.fault, CASE WHEN d.fault = 1 THEN a.sessions END, CASE WHEN d.fault = 3 THEN a.reason END,
                       count(*), min(d.rowid)
                FROM {stack.name} d JOIN again a ON a.rowid + {source.start} = d.rowid
                WHERE d.fault > 0 AND {span} GROUP BY ALL ORDER BY 5
                """
            ):
                if fault == 1:
                    negative = parse_whole(sessions)[1] == "negative"
                    self._draft_at(
                        "sessions_negative" if negative else "sessions_not_number", stack, first,
                        f"'{show(sessions)}' is {'negative' if negative else 'not a whole number'}.",
                        column="sessions", value=show(sessions), count=count, fix="The pupil's row is set aside.",
                    )  # fmt: skip
                elif fault == 2:
                    self._draft_at("sessions_blank", stack, first,
                                   "there is no number of sessions; the row counts for nothing.",
                                   column="sessions", count=count)  # fmt: skip
                else:
                    says, rule = codes.why_not(reason, day)
                    self._draft_at(
                        rule, stack, first, says, column="attendancereason", value=show(reason), count=count,
                        allowed=", ".join(codes.in_use), fix="Sessions under this code are set aside.",
                    )  # fmt: skip
        # A pupil whose sessions cannot be read cannot be counted; one with a stray code can.
        self.con.execute(
            f"""
            INSERT INTO set_aside
            SELECT DISTINCT k.rid, CASE WHEN d.s < 0 THEN 'sessions_negative' ELSE 'sessions_not_number' END
            FROM {stack.name} d JOIN keyed k USING (in_group, key, nativeid) WHERE d.fault = 1
            """
        )
        self.con.execute(
            f"INSERT INTO rows_aside SELECT '{carried.item}', rowid,"
            " CASE WHEN fault = 3 THEN 'register_code' WHEN s < 0 THEN 'sessions_negative'"
            " ELSE 'sessions_not_number' END"
            f" FROM {stack.name} WHERE fault IN (1, 3)"
        )

    def _sum_details(self, carried: Carried) -> None:
        """Add the session rows of one half term up for each pupil row, by reason and class."""
        codes = codes_on(session_day(carried.half_term, carried.academic_year))
        name = f"details_{carried.item}"
        # Only codes that occur are summed; most reasons are rare and every sum costs a pass.
        present = {code for (code,) in self._all(f"SELECT DISTINCT c::VARCHAR FROM {name} WHERE fault = 0")}
        wanted = {reason: codes.in_reason(reason) for reason in REASON_COLUMNS}
        wanted |= {f"all_{kind}": codes.in_class(kind) for kind in ("authorised", "unauthorised", "covid")}
        sums = []
        for column, members in wanted.items():
            found = [code for code in members if code in present]
            total = f"coalesce(sum(d.s) FILTER (d.c IN ({listed(found)})), 0)" if found else "0"
            sums.append(f"{total}::INTEGER AS {column}")
        self.con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE summed_{carried.item} AS
            SELECT k.rid, count(*) AS session_rows, bit_or(1::UBIGINT << enum_code(d.c)::UBIGINT) AS code_bits,
                   {", ".join(sums)}
            FROM {name} d JOIN keyed k ON k.key = d.key AND k.nativeid = d.nativeid AND k.in_group = d.in_group
            WHERE d.fault = 0 GROUP BY k.rid
            """
        )

    def _check_orphans(self, carried: Carried) -> None:
        stack = self.details[carried.item]
        matched = self._one(f"SELECT coalesce(sum(session_rows), 0) FROM summed_{carried.item}")[0]
        good = self._one(f"SELECT count(*) FROM {stack.name} WHERE fault = 0")[0]
        if matched == good:
            return
        self.con.execute(
            "CREATE OR REPLACE TEMP TABLE orphan AS SELECT d.rowid AS row_number, d.in_group, d.nativeid"
            f" FROM {stack.name} d ANTI JOIN pupil p"
            " ON p.key = d.key AND p.nativeid = d.nativeid AND p.in_group = d.in_group WHERE d.fault = 0"
        )
        for native, count, first in self._all(
            "SELECT nativeid, count(*), min(row_number) FROM orphan GROUP BY nativeid, in_group ORDER BY 3"
        ):
            table = "pupilonroll" if stack.find(first)[0].on_roll else "pupilnolongeronroll"
            self._draft_at(
                "session_orphan", stack, first, f"no pupil of school '{show(native or '')}' in {table} has this key.",
                column="nativeid", value=show(native or ""), count=count,
                fix="The row is set aside; export all tables of the return together.",
            )  # fmt: skip
        self.con.execute(f"INSERT INTO rows_aside SELECT '{carried.item}', row_number, 'session_orphan' FROM orphan")

    # -- arithmetic --

    def _check_arithmetic(self) -> None:
        for carried in self.census.carries:
            item = carried.item
            unlikely, impossible = MOST_SESSIONS[carried.half_term]
            self.con.execute(
                f"""
                CREATE OR REPLACE TEMP TABLE arithmetic AS
                SELECT p.rid, p.in_group, p.{item}possible AS possible, a.session_rows, a.code_bits,
                       coalesce(a.all_authorised, 0) AS given_authorised,
                       coalesce(a.all_unauthorised, 0) AS given_unauthorised,
                       greatest(given_authorised, coalesce(p.{item}authorised, 0)) AS authorised,
                       greatest(given_unauthorised, coalesce(p.{item}unauthorised, 0)) AS unauthorised,
                       coalesce(p.{item}authorised <> given_authorised, false)
                           OR coalesce(p.{item}unauthorised <> given_unauthorised, false) AS differs
                FROM pupil p LEFT JOIN summed_{item} a USING (rid)
                WHERE p.rid NOT IN (SELECT rid FROM set_aside)
                """
            )
            tests = {
                "reason_repeated": "session_rows <> bit_count(code_bits)",
                "possible_blank": "possible IS NULL AND session_rows > 0",
                "possible_too_many": f"possible > {impossible}",
                "absent_over_possible": "authorised + unauthorised > possible",
                "possible_unlikely": f"possible > {unlikely} AND possible <= {impossible}",
                "totals_differ": "differs",
            }
            counted = self._one(
                "SELECT " + ", ".join(f"count(*) FILTER ({test})" for test in tests.values()) + " FROM arithmetic"
            )
            for (rule, test), count in zip(tests.items(), counted, strict=True):
                if count:
                    self._report_arithmetic(rule, test, carried)

    def _report_arithmetic(self, rule: str, test: str, carried: Carried) -> None:
        aside = RULES[rule].severity == "quarantine"
        column = f"{carried.item}{'authorised' if rule == 'totals_differ' else 'possible'}"
        # The number itself is part of the finding only where it is what is wrong.
        by = "possible" if rule in ("possible_too_many", "possible_unlikely") else "NULL"
        impossible = MOST_SESSIONS[carried.half_term][1]
        span = f"half term{'s' if '-' in carried.half_term else ''} {carried.half_term}"
        for shown, count, first, missed, possible in self._all(
            f"""
            SELECT {by}, count(*), min(rid), arg_min(authorised + unauthorised, rid), arg_min(possible, rid)
            FROM arithmetic WHERE {test} GROUP BY {by}, in_group ORDER BY 3
            """
        ):
            says = {
                "reason_repeated": "the pupil has two session rows for the same register code.",
                "possible_blank": "the pupil has session rows but no possible sessions.",
                "possible_too_many": f"{shown} possible sessions do not fit into {span}: {impossible} is the most.",
                "possible_unlikely": f"{shown} possible sessions are more than {span} usually has.",
                "absent_over_possible": f"{missed} sessions are missed of {possible} possible ones.",
                "totals_differ": "the supplied totals differ from the session rows; the larger of the two is used.",
            }[rule]
            value = (
                f"{missed} of {possible}" if rule == "absent_over_possible" else None if shown is None else str(shown)
            )
            self._draft_at(rule, self.pupils, first, says, column=column, value=value, count=count,
                           fix="The row is set aside." if aside else "")  # fmt: skip
        if aside:
            self.con.execute(f"INSERT INTO set_aside SELECT rid, '{rule}' FROM arithmetic WHERE {test}")

    # -- plausibility --

    def _check_plausible(self) -> None:
        for carried in self.census.carries:
            item, year = carried.item, show_academic_year(carried.academic_year)
            given = dict(self._all(f"SELECT in_group // 2, coalesce(sum({item}possible), 0) FROM pupil GROUP BY 1"))
            without = [n for n in range(len(self.returns)) if not given.get(n, 0)]
            # An extract taken for its characteristics alone has none anywhere: one finding says so.
            for number in without[:1] if len(without) == len(self.returns) else without:
                group = self.returns[number]
                self._draft(
                    "term_no_sessions", group.tables[group.main_table],
                    f"nobody has possible sessions in {year} {_half_term(carried)}, so it has no data"
                    + (f" in any of the {len(without)} returns." if 1 < len(without) == len(self.returns) else "."),
                    column=f"{item}possible",
                    fix="Check that the extract includes the attendance items.",
                )  # fmt: skip
            for native, pupils, first in self._all(
                f"""
                SELECT p.nativeid, count(*), min(p.rid) FROM pupil p LEFT JOIN summed_{item} a USING (rid)
                WHERE p.{item}possible > 0 GROUP BY p.nativeid, p.in_group // 2
                HAVING count(*) >= 10 AND coalesce(sum(a.session_rows), 0) = 0
                   AND coalesce(sum(p.{item}authorised), 0) + coalesce(sum(p.{item}unauthorised), 0) = 0
                ORDER BY 3
                """
            ):
                self._draft_at(
                    "school_no_reasons", self.pupils, first,
                    f"school '{show(native)}' has {pupils} pupils with possible sessions and no session rows in {year}"
                    f" {_half_term(carried)}: nobody would have missed anything.",
                    column="nativeid", value=show(native), count=pupils,
                    fix="Check that the session details of this school are in the extract.",
                )  # fmt: skip
        for column in ("sex", "ncyear", "senprovision"):
            for blank, pupils, first, number in self._all(
                f"SELECT count(*) FILTER ({column} IS NULL), count(*), min(rid), in_group // 2 FROM pupil WHERE on_roll"
                f" GROUP BY in_group HAVING count(*) >= 20 AND count(*) FILTER ({column} IS NULL) > 0.2 * count(*)"
            ):
                name = _PUPIL_COLUMNS[column][0]
                if name in self.where[number]["pupilonroll"]:
                    self._draft(
                        "characteristic_blank", self.pupils.find(first)[0].file,
                        f"{blank:,} of {pupils:,} pupils on roll have no usable value; they are Unknown.", column=name,
                    )  # fmt: skip

    # -- results --

    def _count(self) -> None:
        """Count what was set aside in each file: a session row goes with its pupil's row."""

        def note(source: _Source, rows: int) -> None:
            self.counts[(source.return_number, source.table)].rows_quarantined = rows

        aside = dict(
            self._all("SELECT in_group, count(DISTINCT a.rid) FROM set_aside a JOIN pupil USING (rid) GROUP BY 1")
        )
        for source in self.pupils.sources:
            note(source, int(aside.get(source.group, 0)))
        for item, stack in self.details.items():
            kept = dict(
                self._all(
                    f"SELECT in_group, sum(session_rows) FROM summed_{item} JOIN pupil USING (rid)"
                    " WHERE rid NOT IN (SELECT rid FROM set_aside) GROUP BY 1"
                )
            )
            blank = dict(self._all(f"SELECT in_group, count(*) FROM {stack.name} WHERE fault = 2 GROUP BY 1"))
            for source in stack.sources:
                note(source, source.rows - int(kept.get(source.group, 0)) - int(blank.get(source.group, 0)))

    def _write_parts(self) -> None:
        census = self.census
        for carried in census.carries:
            item = carried.item
            start = carried.academic_year // 100
            reasons = ", ".join(f"coalesce(a.{name}, 0)" for name in REASON_COLUMNS)
            self.con.execute(
                f"""
                INSERT INTO session_parts
                SELECT p.pseudonym, p.la_code, p.laestab, p.urn, {carried.academic_year}, '{carried.term}',
                       '{carried.half_term}', coalesce(p.phase, 'Unknown'),
                       {start} - year(p.dob) - (month(p.dob) * 100 + day(p.dob) > 831)::INTEGER,
                       coalesce(p.enrolstatus, 'Unknown'), coalesce(p.boarder = 'true', false), p.on_roll,
                       p.{item}possible, greatest(coalesce(a.all_authorised, 0), coalesce(p.{item}authorised, 0)),
                       greatest(coalesce(a.all_unauthorised, 0), coalesce(p.{item}unauthorised, 0)),
                       greatest(coalesce(a.all_covid, 0), coalesce(p.{item}coronavirus, 0)),
                       {reasons}
                FROM pupil p LEFT JOIN summed_{item} a USING (rid)
                WHERE p.{item}possible IS NOT NULL AND p.rid NOT IN (SELECT rid FROM set_aside)
                """
            )
        groups = ethnicities()
        self._map("map_group", {"code": list(groups), "major": [known(g[0]) for g in groups.values()],
                                "minor": [known(g[1]) for g in groups.values()]},
                  {"code": pa.string(), "major": pa.string(), "minor": pa.string()})  # fmt: skip
        years = [level for (level,) in self._all("SELECT DISTINCT ncyear FROM pupil WHERE ncyear IS NOT NULL")]
        self._map("map_before", {"level": years, "before": [known(year_before(y)) for y in years]},
                  {"level": pa.string(), "before": pa.string()})  # fmt: skip
        started = date(census.academic_year // 100, 9, 1)
        self.con.execute(
            f"""
            INSERT INTO record_parts
            SELECT p.pseudonym, p.la_code, p.laestab, '{census.name}', {census.academic_year},
                   -- Earlier census first; on roll before off roll; single and main before other registrations.
                   (({census.sequence}::BIGINT * 2 + (NOT p.on_roll)::INTEGER) * 4
                       + CASE p.enrolstatus WHEN 'Single' THEN 0 WHEN 'Main' THEN 0 WHEN 'Subsidiary' THEN 2
                         WHEN 'Other' THEN 3 ELSE 1 END) * 10000000 + p.laestab,
                   p.ncyear,
                   -- The year group of a leaver is the one they left; of anybody else, one more than last year's.
                   CASE WHEN NOT p.on_roll AND (p.leavingdate IS NULL OR p.leavingdate < DATE '{started}')
                        THEN p.ncyear ELSE b.before END,
                   p.sex, f.eligible, f.six, p.senprovision, g.major, g.minor, nullif(p.language, 'Unknown')
            FROM pupil p
            LEFT JOIN fsm f USING (rid)
            LEFT JOIN map_group g ON g.code = p.ethnicity
            LEFT JOIN map_before b ON b.level = p.ncyear
            WHERE p.rid NOT IN (SELECT rid FROM set_aside)
            """
        )

    def _map_fsm(self) -> None:
        """Make ``fsm``: for each pupil row, eligible on the census day, and at any time in six years.

        A roll without a table of periods has no row, so its pupils are Unknown. Six years are known to be
        free of periods only where the return's periods go back that far.
        """
        day = self.census.day
        six = years_before(day, 6)
        stack = _Stack("period")
        files = []
        for number, group in enumerate(self.returns):
            for table, on_roll in _PERIOD_TABLES:
                if table in group.tables:
                    where = self.where[number][table]
                    files.append((
                        number, table, on_roll,
                        f"{where[CENSUS_TABLES[table].key]} AS key, {where['nativeid']} AS nativeid,"
                        f" {where['fsmstartdate']} AS fsmstartdate, {where['fsmenddate']} AS fsmenddate",
                    ))  # fmt: skip
        if files:
            self._read(stack, files)
        self.con.execute("CREATE OR REPLACE TEMP TABLE fsm (rid BIGINT, eligible VARCHAR, six VARCHAR)")
        if not files or self.is_blocked:
            return
        for column in ("fsmstartdate", "fsmenddate"):
            texts = [
                t for (t,) in self._all(f"SELECT DISTINCT {column} FROM period WHERE {column} IS NOT NULL ORDER BY 1")
            ]
            days, styles = self._read_days(texts)
            self._map(f"map_{column}", {"code": texts, "day": days}, {"code": pa.string(), "day": pa.date32()})
            self._map("asked", {"text": list(styles)}, {"text": pa.string()})
            places = self._all(
                f"SELECT text, count(*), min(p.rowid) FROM period p JOIN asked ON text = {column}"
                " GROUP BY text, in_group"
            )
            self._report_dates(stack, column, [(styles[text], text, count, first) for text, count, first in places])
        groups = ", ".join(str(g) for g in sorted({source.group for source in stack.sources}))
        self.con.execute(
            f"""
            INSERT INTO fsm
            WITH dated AS (
                SELECT d.in_group, d.key, d.nativeid, o.day AS opened, c.day AS closed, d.fsmenddate IS NULL AS is_open
                FROM period d
                LEFT JOIN map_fsmstartdate o ON o.code = d.fsmstartdate
                LEFT JOIN map_fsmenddate c ON c.code = d.fsmenddate
            ),
            spans AS (
                SELECT in_group, key, nativeid,
                       bool_or(opened <= DATE '{day}' AND (is_open OR closed >= DATE '{day}')) AS is_now,
                       bool_or(opened <= DATE '{day}' AND (is_open OR closed >= DATE '{six}')) AS in_six
                FROM dated GROUP BY ALL
            ),
            reach AS (SELECT in_group, min(opened) <= DATE '{six}' AS goes_back FROM dated GROUP BY 1)
            SELECT p.rid,
                   CASE WHEN s.is_now THEN 'FSM eligible' ELSE 'Not known to be FSM eligible' END,
                   CASE WHEN s.in_six THEN 'FSM in the last six years'
                        WHEN r.goes_back THEN 'Not FSM in the last six years' END
            FROM pupil p
            LEFT JOIN spans s ON s.key = p.key AND s.nativeid = p.nativeid AND s.in_group = p.in_group
            LEFT JOIN reach r ON r.in_group = p.in_group
            WHERE p.in_group IN ({groups})
            """
        )

    def drop(self) -> None:
        """Let go of the working tables of this census."""
        names = [
            "raw_pupil",
            "pupil",
            "keyed",
            "repeated",
            "arithmetic",
            "orphan",
            "again",
            "period",
            "fsm",
            "set_aside",
        ]
        names += [f"{kind}_{c.item}" for c in self.census.carries for kind in ("details", "summed")]
        for name in names:
            self.con.execute(f"DROP TABLE IF EXISTS {name}")

    # -- findings and quarantine --

    def _settle(self) -> None:
        """Turn drafts into findings: record numbers into lines, and long lists of values into one."""
        groups: dict[tuple, list[_Draft]] = {}
        for draft in self.drafts:
            groups.setdefault((draft.rule, draft.file.path, draft.column), []).append(draft)
        kept: list[_Draft] = []
        for drafts in groups.values():
            drafts.sort(key=lambda d: (d.record is None, d.record or 0))
            kept += drafts[:MOST_VALUES]
            rest = drafts[MOST_VALUES:]
            if rest:
                kept.append(
                    _Draft(rest[0].rule, rest[0].file, f"{len(rest)} more values like these.", rest[0].record,
                           rest[0].column, None, rest[0].allowed, rest[0].fix, sum(d.count for d in rest))
                )  # fmt: skip
        wanted: dict[int, set[int]] = {}
        for draft in kept:
            if draft.record is not None and draft.record >= 0 and draft.rule != "file_ragged":
                wanted.setdefault(id(draft.file), set()).add(draft.record)
        lines: dict[int, dict[int, int]] = {}
        for number, group in enumerate(self.returns):
            for table, file in group.tables.items():
                if id(file) in wanted:
                    lines[id(file)] = line_numbers(file, wanted[id(file)], self._rows_of(number, table, file))
        for d in kept:
            row = None if d.record is None else 1 if d.record < 0 else d.record + 2
            if d.record is not None and d.record >= 0 and d.rule != "file_ragged":
                row = lines[id(d.file)][d.record]
            self.findings.append(
                finding(d.rule, d.file.name, d.says, row=row, column=d.column, value=d.value, allowed=d.allowed,
                        fix=d.fix, count=d.count)
            )  # fmt: skip

    def _rows_of(self, number: int, table: str, file: TextFile) -> int:
        count = self.counts.get((number, table))
        return count.rows_in if count else max(file.line_count - 1, 0)

    def quarantined(self) -> list[dict[str, object]]:
        """Return the rows that were set aside: where each is, and why; no name, UPN or birth date."""
        found = self._describe(
            self.pupils,
            self._all(
                "SELECT a.rid, string_agg(DISTINCT a.rule, ' ' ORDER BY a.rule), first(p.nativeid)"
                " FROM set_aside a JOIN pupil p USING (rid) GROUP BY 1 ORDER BY 1"
            ),
        )
        for item, stack in self.details.items():
            rows = self._all(
                f"SELECT a.row_number, a.rule, d.nativeid FROM rows_aside a JOIN {stack.name} d"
                " ON d.rowid = a.row_number"
                f" WHERE a.item = '{item}' ORDER BY 1"
            )
            found += self._describe(stack, rows)
        return found

    def _describe(self, stack: _Stack, rows: Iterable[tuple[int, str, str | None]]) -> list[dict[str, object]]:
        by_source: dict[int, list[tuple[int, str, str | None]]] = {}
        for rid, rules, native in rows:
            source, record = stack.find(rid)
            by_source.setdefault(stack.sources.index(source), []).append((record, rules, native))
        found: list[dict[str, object]] = []
        for place, records in by_source.items():
            source = stack.sources[place]
            lines = line_numbers(source.file, (record for record, _, _ in records), source.rows)
            for record, rules, native in records:
                asked = "; ".join(RULES[rule].asks for rule in rules.split())
                found.append({
                    "census": self.census.name, "file": source.file.name, "sha256": source.file.sha256,
                    "row": lines[record], "nativeid": native or "", "rules": rules, "reason": f"not so here: {asked}",
                })  # fmt: skip
        return found


def _half_term(carried: Carried) -> str:
    return f"half term{'s' if '-' in carried.half_term else ''} {carried.half_term}"


def make_working_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Make the tables all returns of a call share."""

    def columns(of: dict[str, str]) -> str:
        return ", ".join(f"{name} {kind}" for name, kind in of.items())

    con.execute("CREATE TEMP TABLE map_upn (code VARCHAR, state TINYINT, pseudonym BIGINT)")
    con.execute(f"CREATE TEMP TABLE session_parts ({columns(SESSION_COLUMNS)})")
    con.execute(f"CREATE TEMP TABLE record_parts ({columns(RECORD_COLUMNS)})")
    con.execute(f"CREATE TEMP TABLE flag_parts ({columns(FLAG_COLUMNS)})")
