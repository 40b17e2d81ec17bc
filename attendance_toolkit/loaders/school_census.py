"""Read school-census returns in the flat layout: one CSV file per table, ``<anything>_<table>.csv``.

A return is a set of files that share the part of the name before the table. The rows are read, checked and
added up inside DuckDB; Python only ever sees the distinct codes, dates and numbers of a column.

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

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache

import duckdb
import numpy as np
import pyarrow as pa

from attendance_toolkit.errors import VocabularyError, did_you_mean
from attendance_toolkit.loaders._text import TextFile, clean_header, line_numbers
from attendance_toolkit.schema.census import MOST_SESSIONS, Carried, Census, make_census, session_day
from attendance_toolkit.schema.codes import CODE_LABELS, allowed_codes, ethnicities, level_of, year_before
from attendance_toolkit.schema.findings import IDENTIFYING_COLUMNS, Finding, mask
from attendance_toolkit.schema.rules import RULES, finding
from attendance_toolkit.schema.tables import ALIASES, CENSUS_TABLES, TableSpec
from attendance_toolkit.store.keys import UPN_STATES, check_upns, pseudonyms
from attendance_toolkit.store.parts import FLAG_COLUMNS, RECORD_COLUMNS, SESSION_COLUMNS
from attendance_toolkit.vocabulary.areas import area_of_laestab
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import REASON_COLUMNS
from attendance_toolkit.vocabulary.register_codes import all_register_codes, classify_code

LAYOUT = "school census"
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

@dataclass
class ReturnFiles:
    """The files of one return, by table."""

    prefix: str
    tables: dict[str, TextFile] = field(default_factory=dict)
    census: Census | None = None
    schools: dict[str, dict[str, str]] = field(default_factory=dict)
    """NativeId -> row of the school table."""

    @property
    def name(self) -> str:
        """Return a name for messages: the pupil file, else any file."""
        for table in ("pupilonroll", "pupilnolongeronroll", *self.tables):
            if table in self.tables:
                return self.tables[table].name
        return self.prefix


@dataclass
class FileCount:
    """Rows of one file: read, loaded and set aside."""

    rows_in: int = 0
    rows_quarantined: int = 0

    @property
    def rows_loaded(self) -> int:
        """Return the rows that were loaded."""
        return self.rows_in - self.rows_quarantined


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


# ---- columns -----------------------------------------------------------------------------------------


def check_columns(table: str, file: TextFile, spec: TableSpec) -> tuple[dict[str, str], list[Finding]]:
    """Return where each wanted column of a table is (name -> position name), and the findings."""
    found: list[Finding] = []
    where: dict[str, str] = {}
    plain = [cell.strip().lower().lstrip("\ufeff") for cell in file.header]
    for place, cell in enumerate(plain):
        name = clean_header(cell)
        name = ALIASES.get(name, name)
        if name not in spec.columns:
            continue
        if name in where:
            found.append(
                finding("column_repeated", file.name, f"'{name}' is in the header twice.", row=1, column=name,
                        fix="Keep one of the two columns.")
            )  # fmt: skip
            continue
        where[name] = f"c{place}"
        if name != cell and cell not in ALIASES:
            found.append(
                finding("column_respelt", file.name, f"read as '{name}'.", row=1, column=cell)
            )
    strangers = [cell for cell in plain if ALIASES.get(clean_header(cell), clean_header(cell)) not in spec.columns]
    for name in spec.required:
        if name not in where:
            hint = did_you_mean(name, strangers).replace("Did you mean", "Is it")
            found.append(
                finding("column_missing", file.name, f"the column '{name}' is missing.{hint}", row=1, column=name,
                        fix=f"Name the column '{name}'.")
            )  # fmt: skip
    for name in spec.expected:
        if name not in where:
            hint = did_you_mean(name, strangers).replace("Did you mean", "Is it")
            found.append(
                finding("column_absent", file.name, f"there is no column '{name}', so it is Unknown for everybody.{hint}",
                        row=1, column=name)
            )  # fmt: skip
    return where, found


def table_sql(file: TextFile, where: dict[str, str], select: str, rejects: str) -> str:
    """Return SQL that reads a file as text and selects from it, in file order."""
    columns = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(file.header)))
    path = str(file.readable).replace("'", "''")
    return (
        f"SELECT {select} FROM read_csv('{path}', header = true, auto_detect = false, delim = ',', quote = '\"',"
        f" escape = '\"', columns = {{{columns}}}, store_rejects = true, rejects_table = '{rejects}',"
        f" rejects_scan = '{rejects}_scan', rejects_limit = 10000, max_line_size = 4000000)"
    )


def read_small(con: duckdb.DuckDBPyConnection, file: TextFile, where: dict[str, str]) -> list[dict[str, str]]:
    """Return the rows of a small table as dictionaries of text."""
    select = ", ".join(f"{place} AS {name}" for name, place in where.items())
    cursor = con.execute(table_sql(file, where, select, "rejected_small"))
    rows = [{n: (v or "").strip() for n, v in zip(where, row, strict=True)} for row in cursor.fetchall()]
    con.execute("DROP TABLE IF EXISTS rejected_small; DROP TABLE IF EXISTS rejected_small_scan")
    return rows


# ---- which census ------------------------------------------------------------------------------------


def census_from_rows(file: TextFile, rows: list[dict[str, str]]) -> tuple[Census | None, list[Finding]]:
    """Return the census a ``schoolcensus`` table names, and findings when it names none or several."""
    stated: dict[tuple[str, str], int] = {}
    days: set[date] = set()
    for number, row in enumerate(rows):
        stated.setdefault((row["term"].upper()[:3], re.sub(r"\.0$", "", row["year"])), number)
        day, _ = parse_date(row.get("referencedate") or "")
        if day:
            days.add(day)
    if len(stated) > 1:
        names = ", ".join(f"{term} {year}" for term, year in stated)
        place = list(stated.values())[1]
        return None, [
            finding("census_conflict", file.name, f"the file holds several censuses: {names}.", row=place + 2, column="term",
                    fix="Give each census its own set of files.")
        ]  # fmt: skip
    if not stated:
        return None, []
    (term, year), _ = next(iter(stated.items()))
    try:
        census = make_census(term, year)
        day = min(days) if days else census.day
        # A reference date of another year than the census it stands for is a slip of the pen.
        return Census(census.collection, census.year, day if day.year == census.year else census.day), []
    except VocabularyError:
        return None, [
            finding("census_unknown", file.name, f"'{term} {year}' is not a census.", row=2, column="term", value=term,
                    allowed="AUT, SPR, SUM with a year of four digits")
        ]  # fmt: skip


# ---- dates -------------------------------------------------------------------------------------------

_MONTHS = {m: i for i, m in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)}
_EXTRACT = re.compile(r"^(\d{4})-([A-Za-z]{3}|\d{1,2})-(\d{1,2})(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?Z?$")
_SLASHED = re.compile(r"^(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})(?: \d{1,2}:\d\d(?::\d\d)?)?$")
_SERIAL = re.compile(r"^(\d{5})(?:\.\d+)?$")


@lru_cache(maxsize=200_000)
def parse_date(text: str) -> tuple[date | None, str]:
    """Return the day a text means, and how it was written: extract, day first, serial, unclear or unreadable.

    >>> parse_date("2024-Sep-09 00:00:00"), parse_date("25/12/2011"), parse_date("40902")
    ((datetime.date(2024, 9, 9), 'extract'), (datetime.date(2011, 12, 25), 'day first'), (datetime.date(2011, 12, 25), 'serial'))
    >>> parse_date("03/04/2011"), parse_date("12/25/2011"), parse_date("soon")
    ((datetime.date(2011, 4, 3), 'unclear'), (None, 'month first'), (None, 'unreadable'))
    """
    cell = text.strip()
    if not cell:
        return None, "blank"
    try:
        if match := _EXTRACT.match(cell):
            month = match[2]
            number = int(month) if month.isdigit() else _MONTHS.get(month.lower(), 0)
            return date(int(match[1]), number, int(match[3])), "extract"
        if match := _SLASHED.match(cell):
            first, second, year = int(match[1]), int(match[2]), int(match[3])
            if second > 12 >= first:
                return None, "month first"
            return date(year, second, first), "day first" if first > 12 else "unclear"
        if match := _SERIAL.match(cell):
            # Spreadsheets count days from 30 December 1899.
            return date(1899, 12, 30) + timedelta(days=int(match[1])), "serial"
    except ValueError:
        pass
    return None, "unreadable"


def parse_whole(text: str) -> tuple[int | None, str]:
    """Return a whole number, and what is wrong with it: "", blank, negative or not number.

    >>> parse_whole("132.0"), parse_whole("-3"), parse_whole("12.5"), parse_whole("a")
    ((132, ''), (None, 'negative'), (None, 'not number'), (None, 'not number'))
    """
    cell = text.strip().replace(",", "")
    if not cell:
        return None, "blank"
    match = re.fullmatch(r"(-?)(\d{1,6})(?:\.0*)?", cell)
    if not match:
        return None, "not number"
    return (None, "negative") if match[1] and int(match[2]) else (int(match[2]), "")


# ---- one return --------------------------------------------------------------------------------------


class ReturnReader:
    """Reads and screens one return into working tables; made new for each return.

    ``session_parts`` and ``record_parts`` of the connection are added to when a key is given.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        files: ReturnFiles,
        where: dict[str, dict[str, str]],
        *,
        key: bytes | None,
        asked: Census | None,
        other_schools: dict[str, dict[str, str]],
        number: int,
    ) -> None:
        self.con, self.files, self.where = con, files, where
        self.key, self.asked, self.other_schools = key, asked, other_schools
        self.number = number
        self.drafts: list[_Draft] = []
        self.findings: list[Finding] = []
        self.counts: dict[str, FileCount] = {}
        self.laestabs: set[int] = set()
        self.census: Census | None = None
        self._quarantine: list[tuple[TextFile, int, str, str]] = []

    # -- helpers --

    def _one(self, sql: str) -> tuple:
        row = self.con.execute(sql).fetchone()
        assert row is not None
        return row

    def _all(self, sql: str) -> list[tuple]:
        return self.con.execute(sql).fetchall()

    def _map(self, name: str, columns: dict[str, Sequence], types: dict[str, pa.DataType]) -> None:
        """Make a small lookup table."""
        arrays = {c: pa.array(v, type=types[c]) for c, v in columns.items()}
        self.con.register("incoming", pa.table(arrays))
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM incoming")
        self.con.unregister("incoming")

    def _pupil_file(self, on_roll: bool) -> TextFile:
        return self.files.tables["pupilonroll" if on_roll else "pupilnolongeronroll"]

    def _extract_name(self, column: str, on_roll: bool) -> str:
        return _PUPIL_COLUMNS[column][0 if on_roll else 1]

    def _draft(self, rule: str, file: TextFile, says: str, **more: object) -> None:
        self.drafts.append(_Draft(rule, file, says, **more))  # type: ignore[arg-type]

    @property
    def is_blocked(self) -> bool:
        """Whether a blocking finding was made."""
        return any(RULES[d.rule].severity == "blocking" for d in self.drafts) or any(
            f.severity == "blocking" for f in self.findings
        )

    # -- the run --

    def run(self) -> None:
        """Read, screen and reduce the return. Stops after a stage with a blocking finding."""
        for step in (
            self._read_pupils,
            self._find_census,
            self._map_values,
            self._make_pupils,
            self._check_keys,
            self._read_sessions,
            self._check_arithmetic,
            self._check_plausible,
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

    def _read(self, target: str, table: str, select: str) -> int:
        """Read a file into a table; a ragged row blocks. Return its rows."""
        file = self.files.tables[table]
        sql = table_sql(file, self.where[table], select, "rejected")
        try:
            self.con.execute(f"CREATE OR REPLACE TEMP TABLE {target} AS {sql}")
        except duckdb.Error as error:
            reason = str(error).splitlines()[0][:80]
            self._draft("file_ragged", file, f"the rows cannot be read as CSV ({reason}).", fix="Export the file again.")
            self.con.execute(f"CREATE OR REPLACE TEMP TABLE {target} AS {sql.replace('SELECT', 'SELECT', 1)} LIMIT 0")
            return 0
        rejected = self._all(
            "SELECT min(line), count(DISTINCT line), first(error_type::VARCHAR ORDER BY line) FROM rejected"
        )[0]
        if rejected[1]:
            kind = {"TOO MANY COLUMNS": "more cells than the header", "MISSING COLUMNS": "fewer cells than the header"}
            self._draft(
                "file_ragged",
                file,
                f"this row has {kind.get(rejected[2], 'a cell that cannot be read')}.",
                # The reader counts lines itself here: two back from record to line.
                record=int(rejected[0]) - 2,
                count=int(rejected[1]),
                fix="Look for a comma or quotation mark inside a cell, or export the file again.",
            )
        self.con.execute("DROP TABLE IF EXISTS rejected; DROP TABLE IF EXISTS rejected_scan")
        rows = int(self._one(f"SELECT count(*) FROM {target}")[0])
        self.counts[table] = FileCount(rows)
        return rows

    def _read_pupils(self) -> None:
        views = []
        for on_roll, table in ((True, "pupilonroll"), (False, "pupilnolongeronroll")):
            if table not in self.files.tables:
                continue
            where = self.where[table]
            cells = []
            for column in _PUPIL_COLUMNS:
                name = self._extract_name(column, on_roll)
                cells.append(f"{where[name]} AS {column}" if name in where else f"NULL::VARCHAR AS {column}")
            rows = self._read(f"raw_{table}", table, ", ".join(cells))
            if not rows and on_roll and not self.is_blocked:
                self._draft("file_no_rows", self.files.tables[table], "the file has a header and no rows.",
                            fix="Export the return again.")  # fmt: skip
            offset = 0 if on_roll else 1
            views.append(f"SELECT rowid * 2 + {offset} AS rid, {on_roll} AS on_roll, * FROM raw_{table}")
        self.con.execute("CREATE OR REPLACE TEMP VIEW raw_pupil AS " + " UNION ALL ".join(views))
        self.con.execute("CREATE OR REPLACE TEMP TABLE set_aside (rid BIGINT, rule VARCHAR)")

    # -- population: the census --

    def _find_census(self) -> None:
        stated = self.files.census
        source = self.files.tables.get("schoolcensus") or self.files.tables[self._main_table()]
        if stated and self.asked and (stated.collection, stated.year) != (self.asked.collection, self.asked.year):
            self._draft("census_conflict", source, f"the return says it is the {stated.label} census,"
                        f" but {self.asked.label} was asked for.", fix="Leave the census out, or give the other files.")  # fmt: skip
            return
        distinct = self._distinct_dates(("entrydate", "leavingdate"))
        newest = max((day for day, _, _ in distinct), default=None)
        self.census = stated or self.asked or self._guess_census(newest)
        if self.census is None:
            return
        main = self._main_table()
        file = self.files.tables[main]
        census = self.census
        has_half_term = "summerhalfterm2sessionspossible" in self.where[main]
        if has_half_term != (census.collection == "autumn"):
            wrong = "has" if has_half_term else "lacks"
            self._draft(
                "census_wrong_columns",
                file,
                f"the return is said to be the {census.label} census but {wrong} the column"
                " 'summerhalfterm2sessionspossible', which only the autumn census has.",
                record=-1,
                column="summerhalfterm2sessionspossible",
                fix="Check which census the extract was taken from.",
            )
        late = [(day, n, first) for day, n, first in distinct if day > census.day]
        late_rows = sum(n for _, n, _ in late)
        all_rows = sum(n for _, n, _ in distinct)
        if late_rows >= max(2, 0.005 * all_rows):
            day, _, first = min(late, key=lambda item: item[2])
            self._draft(
                "census_wrong_dates",
                self._pupil_file(first % 2 == 0),
                f"pupils joined or left after the {census.label} census day, {census.day.isoformat()}:"
                f" the latest on {max(d for d, _, _ in late).isoformat()}.",
                record=first // 2,
                column="entrydate" if first % 2 == 0 else "leavingdate",
                value=day.isoformat(),
                count=late_rows,
                fix="Check which census the extract was taken from.",
            )
        elif late:
            for day, count, first in late:
                self._draft(
                    "entry_after_census", self._pupil_file(first % 2 == 0),
                    f"{day.isoformat()} is after the census day, {census.day.isoformat()}.",
                    record=first // 2, column="entrydate" if first % 2 == 0 else "leavingdate",
                    value=day.isoformat(), count=count,
                )  # fmt: skip
        if newest and (census.day - newest).days > 300:
            self._draft(
                "census_wrong_dates",
                file,
                f"nobody joined or left in the 300 days before the {census.label} census day,"
                f" {census.day.isoformat()}: the latest was {newest.isoformat()}.",
                column="entrydate",
                value=newest.isoformat(),
                fix="Check which census the extract was taken from.",
            )

    def _main_table(self) -> str:
        return "pupilonroll" if "pupilonroll" in self.files.tables else "pupilnolongeronroll"

    def _distinct_dates(self, columns: Iterable[str]) -> list[tuple[date, int, int]]:
        found = []
        for column in columns:
            for text, count, first in self._all(
                f"SELECT {column}, count(*), min(rid) FROM raw_pupil WHERE {column} IS NOT NULL GROUP BY 1"
            ):
                day, _ = parse_date(text)
                if day:
                    found.append((day, count, first))
        return found

    def _guess_census(self, newest: date | None) -> Census | None:
        main = self._main_table()
        file, columns = self.files.tables[main], self.where[main]
        if newest is None:
            self._draft(
                "census_unknown",
                file,
                "it cannot be told which census this is: there is no schoolcensus table and there are no entry dates.",
                fix="Give the census, for example: census 'autumn 2024'.",
            )
            return None
        if "summerhalfterm2sessionspossible" in columns:
            collection = "autumn"
        elif "ethnicity" in columns:
            collection = "spring"
        else:
            collection = "summer"
        year = newest.year + (collection != "autumn" and newest.month >= 8)
        census = make_census(collection, year)
        self._draft(
            "census_guessed",
            file,
            f"read as the {census.label} census, from its columns and the newest date, {newest.isoformat()}.",
            fix="Give the schoolcensus table or the census if that is wrong.",
        )
        return census

    # -- population and codes: distinct values --

    def _map_values(self) -> None:
        assert self.census is not None
        for column, rule in _CODED.items():
            codes: list[str] = []
            levels: list[str | None] = []
            for text, on_roll, count, first in self._all(
                f"SELECT {column}, on_roll, count(*), min(rid) FROM raw_pupil WHERE {column} IS NOT NULL GROUP BY 1, 2"
            ):
                name = self._extract_name(column, on_roll)
                level = level_of(name, text) if text.strip() else None
                if text.strip() and level is None:
                    self._draft(
                        rule, self._pupil_file(on_roll),
                        f"'{_show(text)}' is not a code for {CODE_LABELS[name]} in the {self.census.label} census.",
                        record=first // 2, column=name, value=_show(text), count=count, allowed=allowed_codes(name),
                        fix="It is read as Unknown.",
                    )  # fmt: skip
                if text not in codes:
                    codes.append(text)
                    levels.append(level)
            self._map(f"map_{column}", {"code": codes, "level": levels}, {"code": pa.string(), "level": pa.string()})
        self._map_dates()
        self._map_numbers()
        self._map_schools()
        self._map_upns()

    def _map_dates(self) -> None:
        assert self.census is not None
        texts: dict[str, date | None] = {}
        births: dict[str, date | None] = {}
        for column in _DATES:
            styles: dict[tuple[str, bool], list] = {}
            rows = self._all(
                f"SELECT {column}, on_roll, count(*), min(rid) FROM raw_pupil WHERE {column} IS NOT NULL GROUP BY 1, 2"
            )
            seen = {parse_date(text)[1] for text, _, _, _ in rows}
            for text, on_roll, count, first in rows:
                day, style = parse_date(text)
                # Days and months cannot be told apart where no day is above 12, or where some month is.
                if style == "month first" or (style == "unclear" and "day first" not in seen) or (style == "unclear" and "month first" in seen):
                    day, style = None, "unreadable"
                (births if column == "dob" else texts)[text] = day
                if column == "dob" and day and not 0 <= self.census.year - day.year <= 25:
                    births[text] = None
                    style = "unlikely"
                if style not in ("extract", "blank"):
                    tally = styles.setdefault((style, on_roll), [0, first, text])
                    tally[0] += count
                    if first < tally[1]:
                        tally[1:] = [first, text]
            for (style, on_roll), (count, first, text) in styles.items():
                rule, says, fix = _DATE_FINDINGS[style]
                value = mask(text) if column in IDENTIFYING_COLUMNS else _show(text)
                self._draft(rule, self._pupil_file(on_roll), says.format(value=value), record=first // 2, column=column,
                            value=value, count=count, fix=fix)  # fmt: skip
        for name, found in (("map_day", texts), ("map_birth", births)):
            self._map(name, {"code": list(found), "day": list(found.values())}, {"code": pa.string(), "day": pa.date32()})
        for on_roll, count, first in self._all(
            "SELECT on_roll, count(*), min(rid) FROM raw_pupil WHERE dob IS NULL GROUP BY 1"
        ):
            self._draft(
                "birth_blank", self._pupil_file(on_roll), "there is no date of birth, so the pupil's age is unknown.",
                record=first // 2, column="dob", count=count,
                fix="Pupils without an age are outside DfE's age range of 5 to 15.",
            )  # fmt: skip

    def _number_columns(self) -> list[str]:
        assert self.census is not None
        return [f"{c.item}{k}" for c in self.census.carries
                for k in ("possible", "authorised", "unauthorised", "coronavirus")]  # fmt: skip

    def _map_numbers(self) -> None:
        numbers: dict[str, int | None] = {}
        for column in self._number_columns():
            for text, on_roll, count, first in self._all(
                f"SELECT {column}, on_roll, count(*), min(rid) FROM raw_pupil WHERE {column} IS NOT NULL GROUP BY 1, 2"
            ):
                number, fault = parse_whole(text)
                numbers[text] = number
                if fault in ("negative", "not number"):
                    rule = "sessions_negative" if fault == "negative" else "sessions_not_number"
                    says = "is negative" if fault == "negative" else "is not a whole number"
                    self._draft(
                        rule, self._pupil_file(on_roll), f"'{_show(text)}' {says}.", record=first // 2, column=column,
                        value=_show(text), count=count, fix="The row is set aside.",
                    )  # fmt: skip
                    self.con.execute(
                        f"INSERT INTO set_aside SELECT rid, '{rule}' FROM raw_pupil"
                        f" WHERE {column} = $text AND on_roll = {on_roll}",
                        {"text": text},
                    )
        self._map("map_number", {"code": list(numbers), "number": list(numbers.values())},
                  {"code": pa.string(), "number": pa.int32()})  # fmt: skip

    def _map_schools(self) -> None:
        assert self.census is not None
        rows: dict[str, list] = {k: [] for k in ("nativeid", "laestab", "la_code", "phase", "urn")}
        for native, count, first in self._all("SELECT nativeid, count(*), min(rid) FROM raw_pupil GROUP BY 1"):
            school = self.files.schools.get(native or "") or self.other_schools.get(native or "") or {}
            laestab = _laestab_of(school, native or "")
            area = area_of_laestab(laestab) if laestab else None
            if area is None:
                what = f"local authority {laestab // 10000} is not known" if laestab else "there is no LAESTAB for it"
                self._draft(
                    "school_unknown", self._pupil_file(first % 2 == 0),
                    f"the school '{_show(native or '')}' cannot be used: {what}.",
                    record=first // 2, column="nativeid", value=_show(native or ""), count=count,
                    fix="Add a school table with the seven-digit LAESTAB of each NativeId.",
                )  # fmt: skip
                laestab = None
            else:
                self.laestabs.add(laestab)  # type: ignore[arg-type]
            phase_code = school.get("phase", "")
            phase = level_of("phase", phase_code) if phase_code else None
            urn, _ = parse_whole(school.get("urn", ""))
            for name, value in zip(rows, (native, laestab, area.code if area else None, phase, urn), strict=True):
                rows[name].append(value)
        types = {"nativeid": pa.string(), "laestab": pa.int32(), "la_code": pa.string(), "phase": pa.string(),
                 "urn": pa.int32()}  # fmt: skip
        self._map("map_school", rows, types)
        if not self.files.schools and not self.other_schools:
            self._draft(
                "school_table_missing", self.files.tables[self._main_table()],
                "the return has no school table, so the phase of every school is Unknown.",
                fix="Add the school table of the return.",
            )  # fmt: skip
        table = self.files.tables.get("school")
        if table:
            counted: dict[str, list[int]] = {}
            for number, row in enumerate(self.files.schools.values()):
                code = row.get("phase", "")
                if code and level_of("phase", code) is None:
                    counted.setdefault(code, []).append(int(row.get("#record", number)))
            for code, places in counted.items():
                self._draft(
                    "phase_code", table, f"'{_show(code)}' is not a code for {CODE_LABELS['phase']}.", record=min(places),
                    column="phase", value=_show(code), count=len(places), allowed=allowed_codes("phase"),
                    fix="It is read as Unknown.",
                )  # fmt: skip

    def _map_upns(self) -> None:
        """Check each new UPN once, and give it its pseudonym when there is a key."""
        texts = self._all(
            "SELECT DISTINCT upper(trim(upn)) AS code FROM raw_pupil WHERE upn IS NOT NULL"
            " EXCEPT ALL SELECT code FROM map_upn"
        ) if self._one("SELECT count(*) FROM map_upn")[0] == 0 else self._all(
            "SELECT code FROM (SELECT DISTINCT upper(trim(upn)) AS code FROM raw_pupil WHERE upn IS NOT NULL)"
            " ANTI JOIN map_upn USING (code)"
        )  # fmt: skip
        codes = [row[0] for row in texts]
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
        assert self.census is not None
        joins = "".join(f" LEFT JOIN map_{c} ON map_{c}.code = r.{c}" for c in _CODED)
        number = "".join(f" LEFT JOIN map_number n{i} ON n{i}.code = r.{c}"
                         for i, c in enumerate(self._number_columns()))  # fmt: skip
        self.con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE pupil AS
            SELECT r.rid, r.on_roll, r.key, r.nativeid, s.laestab, s.la_code, s.phase, s.urn,
                   coalesce(u.state, 1) AS upn_state, u.pseudonym, u.code AS upn,
                   birth.day AS dob, entry.day AS entrydate, leaving.day AS leavingdate,
                   {", ".join(f"map_{c}.level AS {c}" for c in _CODED)},
                   {", ".join(f"n{i}.number AS {c}" for i, c in enumerate(self._number_columns()))}
            FROM raw_pupil r
            LEFT JOIN map_school s ON s.nativeid IS NOT DISTINCT FROM r.nativeid
            LEFT JOIN map_upn u ON u.code = upper(trim(r.upn))
            LEFT JOIN map_birth birth ON birth.code = r.dob
            LEFT JOIN map_day entry ON entry.code = r.entrydate
            LEFT JOIN map_day leaving ON leaving.code = r.leavingdate
            {joins}{number}
            """
        )
        self.con.execute("INSERT INTO set_aside SELECT rid, 'school_unknown' FROM pupil WHERE laestab IS NULL")
        for state, on_roll, shown, count, first in self._all(
            "SELECT upn_state, on_roll, left(upn, 2), count(*), min(rid) FROM pupil WHERE upn_state > 0 GROUP BY 1, 2, 3"
        ):
            rule = UPN_STATES[state]
            says, fix = _UPN_FINDINGS[rule]
            self._draft(rule, self._pupil_file(on_roll), says, record=first // 2, column="upn",
                        value=f"{shown or ''}******" if state > 1 else "", count=count, fix=fix)  # fmt: skip
        self.con.execute(
            "INSERT INTO set_aside SELECT rid, CASE upn_state "
            + " ".join(f"WHEN {i} THEN '{name}'" for i, name in enumerate(UPN_STATES))
            + " END FROM pupil WHERE upn_state > 0"
        )

    # -- keys --

    def _check_keys(self) -> None:
        assert self.census is not None
        # A pupil is one row on the roll of a school; off the roll, one row for each spell.
        for on_roll, spell in ((True, ()), (False, ("entrydate", "leavingdate"))):
            rule = "pupil_repeated"
            same = "".join(f" AND p.{c} IS NOT DISTINCT FROM t.{c}" for c in spell)
            self.con.execute(
                f"""
                CREATE OR REPLACE TEMP TABLE repeated AS
                WITH twice AS (
                    SELECT {", ".join(("upn", "laestab", *spell))}, min(rid) AS kept FROM pupil
                    WHERE on_roll = {on_roll} AND upn_state = 0 AND laestab IS NOT NULL
                    GROUP BY ALL HAVING count(*) > 1
                )
                SELECT p.rid, t.kept FROM pupil p JOIN twice t
                ON p.upn = t.upn AND p.laestab = t.laestab{same} AND p.rid > t.kept AND p.on_roll = {on_roll}
                """
            )
            count, first, kept = self._one("SELECT count(*), min(rid), arg_min(kept, rid) FROM repeated")
            if count:
                self._draft(
                    rule, self._pupil_file(on_roll),
                    f"the pupil is already on row {kept // 2 + 2} for the same school"
                    + ("." if on_roll else " and the same spell."),
                    record=first // 2, column="upn", count=count,
                    fix="The first row is kept and this one is set aside.",
                )  # fmt: skip
                self.con.execute(f"INSERT INTO set_aside SELECT rid, '{rule}' FROM repeated")
        for on_roll, count, first in self._all(
            """
            WITH left_over AS (SELECT * FROM pupil ANTI JOIN set_aside USING (rid)),
                 twice AS (SELECT nativeid, key, on_roll FROM left_over GROUP BY ALL HAVING count(*) > 1)
            SELECT on_roll, count(*), min(rid) FROM left_over SEMI JOIN twice USING (nativeid, key, on_roll) GROUP BY 1
            """
        ):
            file = self._pupil_file(on_roll)
            column = self._extract_name("key", on_roll)
            self._draft(
                "key_repeated", file, "two pupils of a school have the same key, so their sessions cannot be told apart.",
                record=first // 2, column=column, count=count, fix="The rows are set aside; export the return again.",
            )  # fmt: skip
            self.con.execute(
                f"""
                INSERT INTO set_aside
                WITH left_over AS (SELECT * FROM pupil ANTI JOIN set_aside USING (rid)),
                     twice AS (SELECT nativeid, key, on_roll FROM left_over GROUP BY ALL HAVING count(*) > 1)
                SELECT rid, 'key_repeated' FROM left_over SEMI JOIN twice USING (nativeid, key, on_roll)
                WHERE on_roll = {on_roll}
                """
            )
        self._check_other_files()

    def _check_other_files(self) -> None:
        """Find pupils who are on the roll of the same school in an earlier return of the same census."""
        assert self.census is not None
        self.con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE repeated AS
            SELECT p.rid, s.file FROM pupil p JOIN seen s
            ON s.census = {self.census.sequence} AND s.laestab = p.laestab AND s.upn = p.upn
            WHERE p.on_roll AND p.upn_state = 0 AND p.rid NOT IN (SELECT rid FROM set_aside)
            """
        )
        count, first, other = self._one("SELECT count(*), min(rid), arg_min(file, rid) FROM repeated")
        if count:
            self._draft(
                "pupil_in_two_files", self._pupil_file(True), f"the pupil is also on the roll of the school in {other}.",
                record=first // 2, column="upn", count=count, fix="The other row is kept and this one is set aside.",
            )  # fmt: skip
            self.con.execute("INSERT INTO set_aside SELECT rid, 'pupil_in_two_files' FROM repeated")
        if self.remember and "pupilonroll" in self.files.tables:
            self.con.execute(
                f"INSERT INTO seen SELECT {self.census.sequence}, laestab, upn, $file FROM pupil"
                " WHERE on_roll AND upn_state = 0 AND laestab IS NOT NULL AND rid NOT IN (SELECT rid FROM set_aside)",
                {"file": self._pupil_file(True).name},
            )

    remember = True
    """Whether another return of the same census follows, so that this one's pupils must be remembered."""

    # -- sessions --

    def _read_sessions(self) -> None:
        assert self.census is not None
        self.con.execute(
            "CREATE OR REPLACE TEMP TABLE keyed AS SELECT rid, on_roll, nativeid, key FROM pupil"
            " WHERE rid NOT IN (SELECT rid FROM set_aside WHERE rule IN"
            " ('pupil_repeated', 'key_repeated', 'pupil_in_two_files'))"
        )
        for carried in self.census.carries:
            self._read_item(carried)

    def _read_item(self, carried: Carried) -> None:
        """Read the session rows of one half term and add them up for each pupil row."""
        codes = _codes_on(session_day(carried.half_term, carried.academic_year))
        parts = []
        for on_roll, ending in ((True, "onroll"), (False, "offroll")):
            table = _DETAILS[carried.item] + ending
            if table not in self.files.tables:
                continue
            self._read_details(table, on_roll, codes, carried)
            parts.append((table, on_roll))
        totals = [
            f"sum(s) FILTER (c IN ({_listed(codes.in_reason(reason))}))::INTEGER AS {reason}"
            if codes.in_reason(reason)
            else f"0 AS {reason}"
            for reason in REASON_COLUMNS
        ]
        for name, kind in (("authorised", "authorised"), ("unauthorised", "unauthorised"), ("covid", "covid")):
            listed = codes.in_class(kind)
            totals.append(
                f"sum(s) FILTER (c IN ({_listed(listed)}))::INTEGER AS all_{name}" if listed else f"0 AS all_{name}"
            )
        select = []
        for table, on_roll in parts:
            select.append(
                f"""
                SELECT k.rid, count(*) AS session_rows, bit_or(1::UBIGINT << enum_code(c)::UBIGINT) AS code_bits,
                       {", ".join(totals)}
                FROM details_{table} d
                JOIN (SELECT * FROM keyed WHERE on_roll = {on_roll}) k ON k.key = d.key AND k.nativeid = d.nativeid
                WHERE d.fault = 0 GROUP BY 1
                """
            )
        empty = ", ".join(["0::INTEGER"] * len(totals))
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE summed_{carried.half_term.replace('-', '_')} AS "
            + (
                " UNION ALL ".join(select)
                if select
                else f"SELECT * FROM (VALUES (NULL::BIGINT, 0::BIGINT, 0::UBIGINT, {empty})) t(rid, session_rows, code_bits,"
                f" {', '.join([*REASON_COLUMNS, 'all_authorised', 'all_unauthorised', 'all_covid'])}) WHERE false"
            )
        )
        for table, on_roll in parts:
            self._check_orphans(table, on_roll, carried)

    def _read_details(self, table: str, on_roll: bool, codes: _Codes, carried: Carried) -> None:
        where, file = self.where[table], self.files.tables[table]
        key = CENSUS_TABLES[table].key
        reason, sessions = where["attendancereason"], where["sessions"]
        kind = f"register_codes_{carried.academic_year}_{carried.half_term.replace('-', '_')}"
        if kind not in {name for (name,) in self._all("SELECT type_name FROM duckdb_types()")}:
            self.con.execute(f"CREATE TYPE {kind} AS ENUM ({_listed(codes.known)})")
        self._read(
            f"details_{table}",
            table,
            f"{where[key]} AS key, {where['nativeid']} AS nativeid, TRY_CAST({sessions} AS DOUBLE) AS s,"
            f" coalesce(TRY_CAST({reason} AS {kind}), TRY_CAST(coalesce(upper(trim({reason})), '-') AS {kind})) AS c,"
            # 0 good, 1 not a whole number or negative, 2 blank number, 3 unknown code
            f" CASE WHEN {sessions} IS NULL THEN 2::TINYINT"
            f" WHEN s IS NULL OR s < 0 OR s <> floor(s) OR s > 100000 THEN 1::TINYINT"
            f" WHEN c IS NULL THEN 3::TINYINT ELSE 0::TINYINT END AS fault",
        )
        counts = dict(self._all(f"SELECT fault, count(*) FROM details_{table} GROUP BY 1"))
        if counts.get(1) or counts.get(2) or counts.get(3):
            self._report_faults(table, on_roll, codes, carried)
        for code, count, first in self._all(
            f"SELECT c::VARCHAR, count(*), min(rowid) FROM details_{table} WHERE fault = 0 AND c IN ({_listed(codes.old)})"
            " GROUP BY 1"
        ) if codes.old else []:  # fmt: skip
            self._draft(
                "register_code_old", file,
                f"'{code}' ended before {show_academic_year(carried.academic_year)} half term {carried.half_term};"
                " it keeps its old meaning.",
                record=first, column="attendancereason", value=code, count=count,
            )  # fmt: skip

    def _report_faults(self, table: str, on_roll: bool, codes: _Codes, carried: Carried) -> None:
        """Read the file again for the text of the cells that could not be used: rare, so worth a second look."""
        file, where = self.files.tables[table], self.where[table]
        inner = table_sql(
            file, where, f"{where['sessions']} AS sessions, {where['attendancereason']} AS reason", "rejected_again"
        )
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE again AS {inner}")
        self.con.execute("DROP TABLE IF EXISTS rejected_again; DROP TABLE IF EXISTS rejected_again_scan")
        day = session_day(carried.half_term, carried.academic_year)
        for fault, sessions, reason, count, first in self._all(
            f"""
            SELECT d.fault, CASE WHEN d.fault = 1 THEN a.sessions END, CASE WHEN d.fault = 3 THEN a.reason END,
                   count(*), min(d.rowid)
            FROM details_{table} d JOIN again a ON a.rowid = d.rowid WHERE d.fault > 0 GROUP BY ALL
            """
        ):
            if fault == 1:
                negative = parse_whole(sessions)[1] == "negative"
                self._draft(
                    "sessions_negative" if negative else "sessions_not_number", file,
                    f"'{_show(sessions)}' is {'negative' if negative else 'not a whole number'}.",
                    record=first, column="sessions", value=_show(sessions), count=count,
                    fix="The pupil's row is set aside.",
                )  # fmt: skip
            elif fault == 2:
                self._draft("sessions_blank", file, "there is no number of sessions; the row counts for nothing.",
                            record=first, column="sessions", count=count)  # fmt: skip
            else:
                says, rule = codes.why_not(reason, day)
                self._draft(
                    rule, file, says, record=first, column="attendancereason", value=_show(reason), count=count,
                    allowed=", ".join(codes.in_use), fix="Sessions under this code are set aside.",
                )  # fmt: skip
        # A pupil whose sessions cannot be read cannot be counted; one with a stray code can.
        self.con.execute(
            f"""
            INSERT INTO set_aside
            SELECT DISTINCT k.rid, CASE WHEN d.s < 0 THEN 'sessions_negative' ELSE 'sessions_not_number' END
            FROM details_{table} d JOIN keyed k ON k.key = d.key AND k.nativeid = d.nativeid AND k.on_roll = {on_roll}
            WHERE d.fault = 1
            """
        )
        self._set_rows_aside(
            table,
            f"SELECT rowid, CASE fault WHEN 1 THEN 'sessions_not_number' ELSE 'register_code' END FROM details_{table}"
            " WHERE fault IN (1, 3)",
        )

    def _set_rows_aside(self, table: str, sql: str) -> None:
        self.con.execute(
            f"INSERT INTO rows_aside SELECT {self.number}, '{table}', row_number, rule FROM ({sql}) t(row_number, rule)"
        )

    def _check_orphans(self, table: str, on_roll: bool, carried: Carried) -> None:
        name = f"summed_{carried.half_term.replace('-', '_')}"
        matched = self._one(f"SELECT coalesce(sum(session_rows), 0) FROM {name} WHERE rid % 2 = {0 if on_roll else 1}")[0]
        good = self._one(f"SELECT count(*) FROM details_{table} WHERE fault = 0")[0]
        if matched == good:
            return
        pupil = f"(SELECT key, nativeid, rid FROM pupil WHERE on_roll = {on_roll})"
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE orphan AS SELECT d.rowid AS row_number, d.nativeid FROM details_{table} d"
            f" ANTI JOIN {pupil} p ON p.key = d.key AND p.nativeid = d.nativeid WHERE d.fault = 0"
        )
        for native, count, first in self._all(
            "SELECT nativeid, count(*), min(row_number) FROM orphan GROUP BY 1 ORDER BY 3"
        ):
            self._draft(
                "session_orphan", self.files.tables[table],
                f"no pupil of school '{_show(native or '')}' has this key in"
                f" {'pupilonroll' if on_roll else 'pupilnolongeronroll'}.",
                record=first, column="nativeid", value=_show(native or ""), count=count,
                fix="The row is set aside; export all tables of the return together.",
            )  # fmt: skip
        self._set_rows_aside(table, "SELECT row_number, 'session_orphan' FROM orphan")

    # -- arithmetic --

    def _check_arithmetic(self) -> None:
        assert self.census is not None
        for carried in self.census.carries:
            summed = f"summed_{carried.half_term.replace('-', '_')}"
            item = carried.item
            unlikely, impossible = MOST_SESSIONS[carried.half_term]
            self.con.execute(
                f"""
                CREATE OR REPLACE TEMP TABLE arithmetic AS
                SELECT p.rid, p.on_roll, p.{item}possible AS possible, a.session_rows, a.code_bits,
                       coalesce(a.all_authorised, 0) AS given_authorised,
                       coalesce(a.all_unauthorised, 0) AS given_unauthorised,
                       greatest(given_authorised, coalesce(p.{item}authorised, 0)) AS authorised,
                       greatest(given_unauthorised, coalesce(p.{item}unauthorised, 0)) AS unauthorised,
                       coalesce(p.{item}authorised <> given_authorised, false)
                           OR coalesce(p.{item}unauthorised <> given_unauthorised, false) AS differs
                FROM pupil p LEFT JOIN {summed} a USING (rid)
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
            flags = self._one(
                "SELECT " + ", ".join(f"count(*) FILTER ({test})" for test in tests.values()) + " FROM arithmetic"
            )
            for (rule, test), count in zip(tests.items(), flags, strict=True):
                if count:
                    self._report_arithmetic(rule, test, carried, impossible)

    def _report_arithmetic(self, rule: str, test: str, carried: Carried, impossible: int) -> None:
        aside = RULES[rule].severity == "quarantine"
        column = "attendancereason" if rule == "reason_repeated" else f"{carried.item}possible"
        if rule == "totals_differ":
            column = f"{carried.item}authorised"
        value = {
            "possible_too_many": "possible::VARCHAR",
            "possible_unlikely": "possible::VARCHAR",
        }.get(rule, "''")
        for on_roll, shown, count, first, missed, possible in self._all(
            f"""
            SELECT on_roll, {value}, count(*), min(rid), arg_min(authorised + unauthorised, rid), arg_min(possible, rid)
            FROM arithmetic WHERE {test} GROUP BY 1, 2 ORDER BY 3 DESC
            """
        ):
            span = f"half term {carried.half_term}" if "-" not in carried.half_term else f"half terms {carried.half_term}"
            says = {
                "reason_repeated": "a pupil has two session rows for the same register code.",
                "possible_blank": "the pupil has session rows but no possible sessions.",
                "possible_too_many": f"{shown} possible sessions do not fit into {span}, which has at most {impossible}.",
                "possible_unlikely": f"{shown} possible sessions are more than {span} usually has.",
                "absent_over_possible": f"{missed} sessions are missed of {possible} possible ones.",
                "totals_differ": "the supplied totals differ from the session rows; the larger of the two is used.",
            }[rule]
            self._draft(
                rule, self._pupil_file(on_roll), says, record=first // 2, column=column,
                value=shown or (f"{missed} of {possible}" if rule == "absent_over_possible" else None), count=count,
                fix="The row is set aside." if aside else "",
            )  # fmt: skip
        if aside:
            self.con.execute(f"INSERT INTO set_aside SELECT rid, '{rule}' FROM arithmetic WHERE {test}")

    # -- plausibility --

    def _check_plausible(self) -> None:
        assert self.census is not None
        file = self.files.tables[self._main_table()]
        for carried in self.census.carries:
            summed = f"summed_{carried.half_term.replace('-', '_')}"
            year = show_academic_year(carried.academic_year)
            possible = self._one(f"SELECT coalesce(sum({carried.item}possible), 0) FROM pupil")[0]
            if not possible:
                self._draft(
                    "term_no_sessions", file,
                    f"nobody has possible sessions in {year} half term {carried.half_term}, so it has no data.",
                    column=f"{carried.item}possible", fix="Check that the extract includes the attendance items.",
                )  # fmt: skip
                continue
            for native, pupils, first in self._all(
                f"""
                SELECT p.nativeid, count(*), min(p.rid) FROM pupil p LEFT JOIN {summed} a USING (rid)
                WHERE p.{carried.item}possible > 0 GROUP BY 1
                HAVING count(*) >= 10 AND coalesce(sum(a.session_rows), 0) = 0
                   AND coalesce(sum(p.{carried.item}authorised), 0) + coalesce(sum(p.{carried.item}unauthorised), 0) = 0
                ORDER BY 3
                """
            ):
                self._draft(
                    "school_no_reasons", self._pupil_file(first % 2 == 0),
                    f"school '{_show(native)}' has {pupils} pupils with possible sessions and no session rows in {year}"
                    f" half term {carried.half_term}: nobody would have missed anything.",
                    record=first // 2, column="nativeid", value=_show(native), count=pupils,
                    fix="Check that the session details of this school are in the extract.",
                )  # fmt: skip
        blanks = ("sex", "ncyear", "senprovision")
        counted = self._one(
            "SELECT count(*) FILTER (on_roll), "
            + ", ".join(f"count(*) FILTER (on_roll AND {c} IS NULL)" for c in blanks)
            + " FROM pupil"
        )
        for column, blank in zip(blanks, counted[1:], strict=True):
            name = self._extract_name(column, True)
            if counted[0] >= 20 and blank > 0.2 * counted[0] and name in self.where.get("pupilonroll", {}):
                self._draft(
                    "characteristic_blank", self._pupil_file(True),
                    f"{blank:,} of {counted[0]:,} pupils on roll have no usable value; they are Unknown.", column=name,
                )  # fmt: skip

    # -- results --

    def _count(self) -> None:
        for table, on_roll in (("pupilonroll", True), ("pupilnolongeronroll", False)):
            if table in self.counts:
                self.counts[table].rows_quarantined = int(
                    self._one(f"SELECT count(DISTINCT rid) FROM set_aside WHERE rid % 2 = {0 if on_roll else 1}")[0]
                )
        assert self.census is not None
        for carried in self.census.carries:
            summed = f"summed_{carried.half_term.replace('-', '_')}"
            for on_roll, ending in ((True, "onroll"), (False, "offroll")):
                table = _DETAILS[carried.item] + ending
                if table not in self.counts:
                    continue
                kept = self._one(
                    f"SELECT coalesce(sum(session_rows), 0) FROM {summed} WHERE rid % 2 = {0 if on_roll else 1}"
                    " AND rid NOT IN (SELECT rid FROM set_aside)"
                )[0]
                blank = self._one(f"SELECT count(*) FROM details_{table} WHERE fault = 2")[0]
                self.counts[table].rows_quarantined = self.counts[table].rows_in - int(kept) - int(blank)

    def _write_parts(self) -> None:
        assert self.census is not None
        census = self.census
        for carried in census.carries:
            summed = f"summed_{carried.half_term.replace('-', '_')}"
            item = carried.item
            start = carried.academic_year // 100
            reasons = ", ".join(f"coalesce(a.{name}, 0)" for name in REASON_COLUMNS)
            self.con.execute(
                f"""
                INSERT INTO session_parts
                SELECT p.pseudonym, p.la_code, p.laestab, p.urn, {carried.academic_year}, '{carried.term}',
                       '{carried.half_term}', '{census.name}', coalesce(p.phase, 'Unknown'),
                       {start} - year(p.dob) - (month(p.dob) * 100 + day(p.dob) > 831)::INTEGER,
                       coalesce(p.enrolstatus, 'Unknown'), coalesce(p.boarder = 'true', false), p.on_roll,
                       p.{item}possible, greatest(coalesce(a.all_authorised, 0), coalesce(p.{item}authorised, 0)),
                       greatest(coalesce(a.all_unauthorised, 0), coalesce(p.{item}unauthorised, 0)),
                       greatest(coalesce(a.all_covid, 0), coalesce(p.{item}coronavirus, 0)),
                       {reasons}
                FROM pupil p LEFT JOIN {summed} a USING (rid)
                WHERE p.{item}possible IS NOT NULL AND p.rid NOT IN (SELECT rid FROM set_aside)
                """
            )
        self._map_fsm()
        groups = ethnicities()
        self._map("map_group", {"code": list(groups), "major": [_known(g[0]) for g in groups.values()],
                                "minor": [_known(g[1]) for g in groups.values()]},
                  {"code": pa.string(), "major": pa.string(), "minor": pa.string()})  # fmt: skip
        years = [level for (level,) in self._all("SELECT DISTINCT ncyear FROM pupil WHERE ncyear IS NOT NULL")]
        self._map("map_before", {"level": years, "before": [_known(year_before(y)) for y in years]},
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
        """Make ``fsm``: for each pupil row, eligible on the census day, and at any time in six years."""
        assert self.census is not None
        day = self.census.day
        six = _years_before(day, 6)
        self.con.execute("CREATE OR REPLACE TEMP TABLE fsm (rid BIGINT, eligible VARCHAR, six VARCHAR)")
        for on_roll, tables in ((True, ("fsmperiod", "fsmperiodsonroll")), (False, ("fsmperiodsoffroll",))):
            for table in tables:
                if table not in self.files.tables or table not in self.where:
                    continue
                where = self.where[table]
                key = CENSUS_TABLES[table].key
                self._read(
                    "period",
                    table,
                    f"{where[key]} AS key, {where['nativeid']} AS nativeid, {where['fsmstartdate']} AS opened,"
                    f" {where['fsmenddate']} AS closed",
                )
                self._map_period_days(self.files.tables[table])
                earliest = self._one("SELECT min(day) FROM map_period JOIN period ON period.opened = map_period.code")[0]
                goes_back = earliest is not None and earliest <= six
                never = "'Not FSM in the last six years'" if goes_back else "NULL::VARCHAR"
                self.con.execute(
                    f"""
                    INSERT INTO fsm
                    WITH spans AS (
                        SELECT d.key, d.nativeid,
                               bool_or(o.day <= DATE '{day}' AND (c.day IS NULL OR c.day >= DATE '{day}')
                                       AND (d.closed IS NULL OR c.day IS NOT NULL)) AS now,
                               bool_or(o.day <= DATE '{day}' AND (d.closed IS NULL OR c.day >= DATE '{six}')) AS six
                        FROM period d LEFT JOIN map_period o ON o.code = d.opened
                        LEFT JOIN map_period c ON c.code = d.closed GROUP BY 1, 2
                    )
                    SELECT p.rid,
                           CASE WHEN s.now THEN 'FSM eligible' ELSE 'Not known to be FSM eligible' END,
                           CASE WHEN s.six THEN 'FSM in the last six years' ELSE {never} END
                    FROM pupil p LEFT JOIN spans s ON s.key = p.key AND s.nativeid = p.nativeid
                    WHERE p.on_roll = {on_roll}
                    """
                )

    def _map_period_days(self, file: TextFile) -> None:
        days: dict[str, date | None] = {}
        for column in ("opened", "closed"):
            styles: dict[str, list] = {}
            rows = self._all(f"SELECT {column}, count(*), min(rowid) FROM period WHERE {column} IS NOT NULL GROUP BY 1")
            seen = {parse_date(text)[1] for text, _, _ in rows}
            for text, count, first in rows:
                day, style = parse_date(text)
                if style == "month first" or (style == "unclear" and ("day first" not in seen or "month first" in seen)):
                    day, style = None, "unreadable"
                days[text] = day
                if style not in ("extract", "blank"):
                    tally = styles.setdefault(style, [0, first, text])
                    tally[0] += count
            for style, (count, first, text) in styles.items():
                rule, says, fix = _DATE_FINDINGS[style]
                self._draft(rule, file, says.format(value=_show(text)), record=first, value=_show(text), count=count,
                            column="fsmstartdate" if column == "opened" else "fsmenddate", fix=fix)  # fmt: skip
        self._map("map_period", {"code": list(days), "day": list(days.values())},
                  {"code": pa.string(), "day": pa.date32()})  # fmt: skip

    # -- findings and quarantine --

    def _settle(self) -> None:
        """Turn drafts into findings: record numbers into lines, and long lists of values into one."""
        groups: dict[tuple, list[_Draft]] = {}
        for draft in self.drafts:
            groups.setdefault((draft.rule, draft.file.name, draft.column), []).append(draft)
        kept: list[_Draft] = []
        for drafts in groups.values():
            drafts.sort(key=lambda d: (d.record is None, d.record or 0))
            kept += drafts[:MOST_VALUES]
            if len(drafts) > MOST_VALUES:
                rest = drafts[MOST_VALUES:]
                first = rest[0]
                kept.append(
                    _Draft(first.rule, first.file, f"{len(rest)} more values like this.", first.record, first.column,
                           None, first.allowed, first.fix, sum(d.count for d in rest))
                )  # fmt: skip
        wanted: dict[str, set[int]] = {}
        for draft in kept:
            if draft.record is not None and draft.record >= 0:
                wanted.setdefault(draft.file.name, set()).add(draft.record)
        lines = {
            file.name: line_numbers(file, wanted.get(file.name, ()), self._rows_of(table))
            for table, file in self.files.tables.items()
            if file.name in wanted
        }
        for d in kept:
            row = None if d.record is None else 1 if d.record < 0 else lines[d.file.name][d.record]
            if d.rule == "file_ragged" and d.record is not None:
                row = d.record + 2
            self.findings.append(
                finding(d.rule, d.file.name, d.says, row=row, column=d.column, value=d.value, allowed=d.allowed,
                        fix=d.fix, count=d.count)
            )  # fmt: skip

    def _rows_of(self, table: str) -> int:
        return self.counts[table].rows_in if table in self.counts else 0

    def quarantined(self) -> list[dict[str, object]]:
        """Return the rows that were set aside: where each is, and why; no name, UPN or birth date."""
        assert self.census is not None
        found: list[dict[str, object]] = []
        for on_roll, table in ((True, "pupilonroll"), (False, "pupilnolongeronroll")):
            if table not in self.files.tables:
                continue
            rows = self._all(
                "SELECT a.rid // 2, string_agg(DISTINCT a.rule, ' ' ORDER BY a.rule), first(r.nativeid)"
                " FROM set_aside a JOIN raw_pupil r USING (rid)"
                f" WHERE a.rid % 2 = {0 if on_roll else 1} GROUP BY 1 ORDER BY 1"
            )
            found += self._describe(table, rows)
        for (table,) in self._all(
            f"SELECT DISTINCT file_table FROM rows_aside WHERE return_number = {self.number} ORDER BY 1"
        ):
            rows = self._all(
                f"SELECT row_number, rule, d.nativeid FROM rows_aside JOIN details_{table} d ON d.rowid = row_number"
                f" WHERE return_number = {self.number} AND file_table = '{table}' ORDER BY 1"
            )
            found += self._describe(table, rows)
        return found

    def _describe(self, table: str, rows: list[tuple]) -> list[dict[str, object]]:
        assert self.census is not None
        file = self.files.tables[table]
        lines = line_numbers(file, (row[0] for row in rows), self._rows_of(table))
        return [
            {
                "census": self.census.name,
                "file": file.name,
                "sha256": file.sha256,
                "row": lines[record],
                "nativeid": native or "",
                "rules": rules,
                "reason": "; ".join(RULES[r].asks for r in rules.split()) + ": it is not so here",
            }
            for record, rules, native in rows
        ]


# ---- small things ------------------------------------------------------------------------------------

_DATE_FINDINGS: dict[str, tuple[str, str, str]] = {
    "serial": ("date_spreadsheet", "'{value}' is a spreadsheet's day number; it was turned back into a date.", ""),
    "day first": ("date_day_first", "'{value}' was read with the day first.", ""),
    "unclear": ("date_day_first", "'{value}' was read with the day first, like the other dates of the column.", ""),
    "unreadable": (
        "date_unreadable",
        "'{value}' is not a date that can be read with certainty.",
        "Write dates as 2024-Sep-09. The date is left out.",
    ),
    "unlikely": ("birth_unlikely", "'{value}' is not a date of birth of a pupil.", "The date is left out; check the year."),
}
_UPN_FINDINGS = {
    "upn_blank": ("there is no UPN.", "The row is set aside; add the UPN."),
    "upn_spreadsheet": (
        "the UPN was turned into a number or an error by a spreadsheet.",
        "The row is set aside; export again and do not open the file in a spreadsheet before loading it.",
    ),
    "upn_format": (
        "the UPN is not a letter, eleven digits and a digit or letter.",
        "The row is set aside; correct the UPN at the school.",
    ),
    "upn_check_letter": (
        "the check letter of the UPN does not fit its digits, so it is mistyped.",
        "The row is set aside; correct the UPN at the school.",
    ),
}


def _show(text: str) -> str:
    """Return a value for a message: short, on one line, and nothing that looks like a UPN."""
    shown = " ".join(str(text).split())[:40]
    return mask(shown) if re.search(r"[A-Za-z]\d{11}[0-9A-Za-z]", shown) else shown


def _known(level: str) -> str | None:
    return None if level == "Unknown" else level


def _years_before(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


def _laestab_of(school: dict[str, str], native: str) -> int | None:
    """Return the seven-digit LAESTAB of a school row, or of a NativeId that is one."""
    candidates = [school.get("laestab", "")]
    lea, estab = school.get("lea", ""), school.get("estab", "")
    if lea and estab:
        candidates.append(f"{lea}{estab:0>4}")
    candidates.append(native)
    for text in candidates:
        digits = re.sub(r"\.0$", "", text.strip()).replace("/", "")
        if re.fullmatch(r"[1-9]\d{6}", digits):
            return int(digits)
    return None


def _listed(codes: Iterable[str]) -> str:
    return ", ".join("'" + code.replace("'", "''") + "'" for code in codes)


class _Codes:
    """The register codes as they are read on one day."""

    def __init__(self, day: date) -> None:
        self.known: list[str] = []
        self.old: list[str] = []
        self.in_use: list[str] = []
        self._reason: dict[str, str] = {}
        self._class: dict[str, str] = {}
        for code in dict.fromkeys(row.code for row in all_register_codes()):
            try:
                row, is_old = classify_code(code, day)
            except VocabularyError:
                continue
            self.known.append(code)
            (self.old if is_old else self.in_use).append(code)
            self._reason[code], self._class[code] = row.reason, row.session_class

    def in_reason(self, column: str) -> list[str]:
        """Return the codes counted in a reason column."""
        return [c for c in self.known if self._reason[c] and f"sessions_{self._reason[c]}" == column]

    def in_class(self, name: str) -> list[str]:
        """Return the codes of a session class."""
        return [c for c in self.known if self._class[c] == name]

    def why_not(self, text: str, day: date) -> tuple[str, str]:
        """Return what is wrong with a code on the day, and the rule it breaks."""
        code = text.strip().upper()
        for row in all_register_codes():
            if row.code == code:
                return f"'{_show(text)}' did not exist before {row.valid_from.isoformat()}.", "register_code_new"
        return f"'{_show(text)}' is not a register code.", "register_code"


@lru_cache(maxsize=64)
def _codes_on(day: date) -> _Codes:
    return _Codes(day)


def make_working_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Make the tables all returns of a call share."""

    def columns(of: dict[str, str]) -> str:
        return ", ".join(f"{name} {kind}" for name, kind in of.items())

    con.execute("CREATE TEMP TABLE map_upn (code VARCHAR, state TINYINT, pseudonym BIGINT)")
    con.execute("CREATE TEMP TABLE seen (census INTEGER, laestab INTEGER, upn VARCHAR, file VARCHAR)")
    con.execute(f"CREATE TEMP TABLE session_parts ({columns(SESSION_COLUMNS)})")
    con.execute(f"CREATE TEMP TABLE record_parts ({columns(RECORD_COLUMNS)})")
    con.execute(f"CREATE TEMP TABLE flag_parts ({columns(FLAG_COLUMNS)})")
    con.execute(
        "CREATE TEMP TABLE rows_aside (return_number INTEGER, file_table VARCHAR, row_number BIGINT, rule VARCHAR)"
    )
