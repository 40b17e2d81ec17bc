"""Make tables from a return in XML, element by element: memory does not grow with the file.

The names of elements are read in any case and with any namespace. Those of free-meal periods, of the sex of a
pupil, of the count of sessions since autumn 2020 and of what leavers have differently were not seen in a
specification; the likely ones are read.
"""

from __future__ import annotations

import gzip
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast
from xml.parsers import expat

from attendance_toolkit.loaders._derived import MadeTable
from attendance_toolkit.loaders._expat import feed
from attendance_toolkit.loaders._return_files import ReturnFiles
from attendance_toolkit.loaders._text import NotReadableError, TextFile
from attendance_toolkit.loaders.school_census.layouts._flat import DETAILS, OFF, ON, Roll
from attendance_toolkit.loaders.school_census.layouts._header import FIRST_HALF, SECOND_HALF
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.schema.tables import NAME_COLUMNS

#: Element of a pupil -> column. The first of an element that occurs twice is read.
PUPIL_TAGS = {
    "upn": "upn",
    "dob": "dob",
    "dateofbirth": "dob",
    "sex": "sex",
    "gender": "sex",
    "gendercurrent": "sex",
    "entrydate": "entrydate",
    "leavingdate": "leavingdate",
    "enrolstatus": "enrolstatus",
    "boarder": "boarder",
    "senprovision": "senprovision",
    "language": "language",
    "languagecode": "language",
    "ethnicity": "ethnicity",
    "ncyearactual": "ncyear",
    "ncyearleaving": "ncyearleaving",
    "formerupn": "formerupn",
    **{name: name for name in NAME_COLUMNS},
}
_SESSION_TAGS = {
    "sessionspossible": "possible",
    "sessionsauthorised": "authorised",
    "sessionsunauthorised": "unauthorised",
    "sessionscoronavirus": "coronavirus",
}
_BLOCKS = {
    "termlyattendance": FIRST_HALF,
    "summerhalfterm2attendance": SECOND_HALF,
    # Special schools before 2016/17: a year in one sum, which no term can be taken from.
    "annualattendance": "annual",
}
_HEADER_TAGS = frozenset({"collection", "term", "year", "referencedate", "sourcelevel", "lea", "estab"})
_SCHOOL_TAGS = {
    "lea": "lea",
    "la": "lea",
    "estab": "estab",
    "laestab": "laestab",
    "urn": "urn",
    "schoolname": "schoolname",
    "phase": "phase",
    "schoolphase": "phase",
}
_PUPIL = {"pupilonroll": ON, "pupilnolongeronroll": OFF}
_PERIOD_TABLES = {ON.ending: "fsmperiod", OFF.ending: "fsmperiodsoffroll"}
_SPELT = {
    "nativeid": "Estab", "upn": "UPN", "dob": "DOB", "sex": "Sex", "entrydate": "EntryDate",
    "leavingdate": "LeavingDate", "enrolstatus": "EnrolStatus", "boarder": "Boarder", "senprovision": "SENprovision",
    "language": "Language", "ethnicity": "Ethnicity", "ncyearactual": "NCyearActual", "ncyearleaving": "NCyearLeaving",
    "fsmstartdate": "FSMstartDate", "fsmenddate": "FSMendDate", "sessions": "Sessions",
    "attendancereason": "AttendanceReason", "formerupn": "FormerUPN",
    **{name: name.capitalize() for name in NAME_COLUMNS},
    **{f"{item}{kind}": f"Sessions{kind.capitalize()}" for item in (FIRST_HALF, SECOND_HALF)
       for kind in ("possible", "authorised", "unauthorised", "coronavirus")},
}  # fmt: skip
_COLUMNS = ("upn", "dob", "sex", "entrydate", "leavingdate", "enrolstatus", "boarder", "senprovision", "language",
            "ethnicity", "formerupn", *NAME_COLUMNS)  # fmt: skip
_FIRST_SESSIONS = tuple(f"{FIRST_HALF}{kind}" for kind in _SESSION_TAGS.values())
_SECOND_SESSIONS = tuple(f"{SECOND_HALF}{kind}" for kind in _SESSION_TAGS.values())
#: Named also when no pupil has one, so that what is missing is said.
_ALWAYS = ("upn", "dob", "sex", f"{FIRST_HALF}possible")
_CHUNK = 1 << 20
# What an end of an element means: the numbers are compared some fifty times for each pupil.
_IGNORED, _FIELD, _COUNT, _REASON, _DETAIL, _AMOUNT, _PUPIL_END, _BLOCK_END, _HEAD, _SCHOOL, _PERIOD, _OTHER = range(12)


def expand_xml(path: Path, private: Path, *, is_gzip: bool = False) -> ReturnFiles:
    """Return the tables made from a return in XML.

    Parameters
    ----------
    path
        The file.
    private
        A folder only the user can read, for the tables.
    is_gzip
        Whether the file is compressed.

    Raises
    ------
    NotReadableError
        The XML is not well formed or breaks off, its encoding is unknown, or it declares a document type or entities.
    """
    group = ReturnFiles(path.stem, layout="xml")
    folder = Path(tempfile.mkdtemp(prefix="made-", dir=private))
    maker = _Maker(folder)
    try:
        with gzip.open(path) if is_gzip else path.open("rb") as handle:
            digest = maker.read(cast(BinaryIO, handle))
    except OSError as error:
        raise NotReadableError(
            "file_missing", f"the file cannot be opened ({error.strerror or 'damaged'}).",
            "Check its name and your access to it.",
        ) from None  # fmt: skip
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code)
        says = f"the XML is not well formed or breaks off at line {error.lineno}: {what}."
        raise NotReadableError(
            "xml_malformed", says, "Export the return again; a return is complete when it ends in </Message>.",
            error.lineno,
        ) from None  # fmt: skip
    finally:
        maker.close()
    file = TextFile(path, path, digest, "utf-8", [], 0)
    group.findings += maker.findings(path.name)
    if not any(f.severity == "blocking" for f in group.findings):
        group.tables = maker.tables(file)
    return group


class _Maker:
    """Reads a return and writes its tables. One pupil is held at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[str, MadeTable] = {}
        self._seen: set[str] = set()
        self._header: dict[str, str] = {}
        self._headers: list[tuple[dict[str, str], int]] = []
        self._school: dict[str, str] = {}
        self._schools: dict[str, tuple[dict[str, str], int]] = {}
        self._pupils = 0
        self._has_meals = False

    # -- reading --

    def read(self, handle: BinaryIO) -> str:
        """Read the file once; return its SHA-256."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_doctype(parser)
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = self._handlers(parser)
        digest = hashlib.sha256()
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
            feed(parser, chunk)
        feed(parser, b"", is_last=True)
        return digest.hexdigest()

    def _handlers(
        self, parser: expat.XMLParserType
    ) -> tuple[Callable[[str, dict], None], Callable[[str], None], Callable[[str], None]]:
        """Return what is called at each start, end and text: closures, since a file has millions of each."""
        meanings: dict[str, tuple[int, str]] = {}
        text: list[str] = []
        values: dict[str, str] = {}
        details: list[tuple[str, str, str]] = []
        periods: list[tuple[str, str]] = []
        reason = count = block = ""
        roll: Roll | None = None
        line = 0

        def start(name: str, _attributes: dict) -> None:
            nonlocal roll, block, line, reason, count
            text.clear()
            meaning = meanings.get(name)
            if meaning is None:
                meaning = meanings[name] = _meaning(name)
            what = meaning[0]
            if what == _PUPIL_END:
                roll, line = _PUPIL[meaning[1]], parser.CurrentLineNumber
            elif what == _BLOCK_END:
                block = meaning[1]
            elif what == _DETAIL:
                reason = count = ""
            elif what == _OTHER and roll is None:
                self._begin(meaning[1], parser.CurrentLineNumber)

        def end(name: str) -> None:
            nonlocal roll, block, reason, count
            what, column = meanings[name]
            if what == _IGNORED:
                return
            if what == _REASON:
                reason = "".join(text).strip()
            elif what == _COUNT:
                count = "".join(text).strip()
            elif what == _DETAIL:
                if roll is not None and block in DETAILS:
                    details.append((block, reason, count))
            elif what == _FIELD:
                if roll is not None:
                    values.setdefault(column, "".join(text).strip())
            elif what == _AMOUNT:
                if block in DETAILS:
                    values[block + column] = "".join(text).strip()
            elif what == _BLOCK_END:
                block = ""
            elif what == _PERIOD:
                periods.append((values.pop("fsmstartdate", ""), values.pop("fsmenddate", "")))
            elif what == _PUPIL_END:
                if roll is not None:
                    if "fsmstartdate" in values:
                        # Dates without an element around them.
                        periods.append((values.pop("fsmstartdate"), values.pop("fsmenddate", "")))
                    self._pupil(roll, values, details, periods, line)
                roll = None
                values.clear()
                details.clear()
                periods.clear()
            elif what in (_HEAD, _SCHOOL) and roll is None:
                self._note(column, "".join(text).strip())
            text.clear()

        return start, end, text.append

    def _begin(self, tag: str, line: int) -> None:
        if tag == "header":
            self._header = {"#in": "1"}
            self._headers.append((self._header, line))
            self._school = {}
        elif tag == "school":
            self._school = {"#in": "1"}

    def _note(self, tag: str, text: str) -> None:
        """Keep a value of the header or of a school."""
        if "#in" in self._school:
            if tag in _SCHOOL_TAGS and text:
                self._school.setdefault(_SCHOOL_TAGS[tag], text)
        elif tag in _HEADER_TAGS and text:
            self._header.setdefault(tag, text)

    # -- writing --

    def _native(self) -> str:
        """Return the school of the pupils that follow, as seven digits where they are given."""
        if "laestab" in self._school:
            return self._school["laestab"].replace("/", "")
        authority = self._school.get("lea") or self._header.get("lea", "")
        estab = self._school.get("estab") or self._header.get("estab", "")
        return f"{authority}{estab:0>4}" if authority and estab else estab or "?"

    def _pupil(
        self,
        roll: Roll,
        values: dict[str, str],
        details: list[tuple[str, str, str]],
        periods: list[tuple[str, str]],
        line: int,
    ) -> None:
        native = self._native()
        if native not in self._schools:
            self._schools[native] = (self._school, line)
        self._pupils += 1
        key = str(self._pupils)
        group = values.pop("ncyearleaving", "") if roll is OFF else ""
        group = group or values.pop("ncyear", "")
        if group:
            self._seen.add(roll.year_group)
        self._seen.update(values)
        columns = (*_COLUMNS, *_FIRST_SESSIONS, *_SECOND_SESSIONS)
        row = [key, native, group, *(values.get(c, "") for c in columns)]
        self._table(roll.table, (roll.key, "nativeid", roll.year_group, *columns)).add(row, line)
        for item in DETAILS:
            rows = [(key, native, code, number) for where, code, number in details if where == item]
            if rows:
                self._details(item, roll).add_sessions(rows, [0] * len(rows), line)
        if periods:
            self._periods(roll, [(key, native, *period) for period in periods], line)

    def _details(self, item: str, roll: Roll) -> MadeTable:
        return self._table(DETAILS[item] + roll.ending, (roll.key, "nativeid", "attendancereason", "sessions"))

    def _periods(self, roll: Roll, rows: list[tuple[str, str, str, str]], line: int) -> None:
        self._has_meals = True
        table = self._table(_PERIOD_TABLES[roll.ending], (roll.key, "nativeid", "fsmstartdate", "fsmenddate"))
        for row in rows:
            table.add(row, line)

    def _table(self, name: str, header: tuple[str, ...]) -> MadeTable:
        found = self._made.get(name)
        if found is None:
            found = self._made[name] = MadeTable(self.folder, name, header)
        return found

    def close(self) -> None:
        """Close the tables."""
        for made in self._made.values():
            made.close()

    # -- afterwards --

    def findings(self, name: str) -> list[Finding]:
        """Return what is wrong with the return as a whole."""
        found = []
        levels = {header.get("sourcelevel", "").upper()[:1] for header, _ in self._headers}
        if "S" in levels and len(self._headers) == 1 and len(self._schools) > 1:
            named = ", ".join(sorted(self._schools)[:5])
            second = list(self._schools.values())[1][1]
            found.append(
                finding("school_several", name,
                        f"the header says that this is the return of one school, and its pupils are of"
                        f" {len(self._schools)}: {named}.",
                        row=second, column="Estab",
                        fix="Give the return of each school as a file of its own, or the one of the authority.")
            )  # fmt: skip
        return found

    def tables(self, file: TextFile) -> dict[str, TextFile]:
        """Return the tables as files."""
        is_autumn = any(header.get("term", "").upper().startswith("AUT") for header, _ in self._headers)
        self._schools_table()
        self._census_table()
        self._empty_tables(is_autumn)
        seen = self._seen | set(_ALWAYS) | ({f"{SECOND_HALF}possible"} if is_autumn else set())
        found = {}
        for name, made in self._made.items():
            always = set(made.header) if name not in (ON.table, OFF.table) else {made.header[0], "nativeid"}
            if name == "school":
                always = {"nativeid"} | {c for c in made.header if any(c in s for s, _ in self._schools.values())}
            columns = {**_SPELT, made.header[0]: _SPELT.get(made.header[0], made.header[0])}
            what = f"the XML element that begins on the line in {file.name}"
            found[name] = made.finish(file, columns, seen=seen | always, unheard=("leavingdate",), what=what)
        return found

    def _schools_table(self) -> None:
        header = ("nativeid", "laestab", "urn", "schoolname", "phase")
        table = self._table("school", header)
        for native, (school, line) in self._schools.items():
            table.add([native, *(school.get(c, "") for c in header[1:])], line)

    def _census_table(self) -> None:
        stated = [(header, line) for header, line in self._headers if header.get("term") or header.get("year")]
        for header, line in stated:
            cells = [header.get(c, "") for c in ("estab", "collection", "term", "year", "referencedate")]
            self._table("schoolcensus", ("nativeid", "collection", "term", "year", "referencedate")).add(cells, line)

    def _empty_tables(self, is_autumn: bool) -> None:
        """Make the tables a return has also where nobody is in them."""
        columns = (*_COLUMNS, *_FIRST_SESSIONS, *_SECOND_SESSIONS)
        if OFF.table not in self._made:
            self._table(ON.table, (ON.key, "nativeid", ON.year_group, *columns))
        for roll in (ON, OFF):
            if roll.table in self._made:
                self._details(FIRST_HALF, roll)
                if is_autumn:
                    self._details(SECOND_HALF, roll)
                if self._has_meals and roll is ON:
                    self._table(_PERIOD_TABLES[roll.ending], (roll.key, "nativeid", "fsmstartdate", "fsmenddate"))


def _refuse_doctype(parser: expat.XMLParserType) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise NotReadableError(
            "xml_doctype",
            "the XML declares a document type, which can hold entities that expand or read other files.",
            "A census return has none: export it again, or remove the <!DOCTYPE …> declaration.",
            parser.CurrentLineNumber,
        )

    return refuse


def _meaning(name: str) -> tuple[int, str]:
    """Return what an element means, by its name without namespace and case.

    >>> _meaning("sc:SessionDetail")[0] == _DETAIL, _meaning("Religion")[0] == _IGNORED
    (True, True)
    """
    tag = name.rpartition(":")[2].lower()
    if tag in _PUPIL:
        return _PUPIL_END, tag
    if tag in _BLOCKS:
        return _BLOCK_END, _BLOCKS[tag]
    if tag in PUPIL_TAGS:
        return _FIELD, PUPIL_TAGS[tag]
    if tag in _SESSION_TAGS:
        return _AMOUNT, _SESSION_TAGS[tag]
    kinds = {"sessiondetail": _DETAIL, "attendancereason": _REASON, "absencesessions": _COUNT, "sessions": _COUNT,
             "fsmperiod": _PERIOD, "header": _OTHER, "school": _OTHER}  # fmt: skip
    if tag in kinds:
        return kinds[tag], tag
    if tag in ("fsmstartdate", "fsmenddate"):
        return _FIELD, tag
    if tag in _SCHOOL_TAGS:
        return _SCHOOL, tag
    return (_HEAD, tag) if tag in _HEADER_TAGS else (_IGNORED, tag)
