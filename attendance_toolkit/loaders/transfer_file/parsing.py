"""Stream a transfer file: one pupil is held at a time."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import BinaryIO, cast
from xml.parsers import expat

from attendance_toolkit.errors import VocabularyError
from attendance_toolkit.loaders._expat import feed
from attendance_toolkit.loaders._head import Head, Recognised
from attendance_toolkit.loaders._text import NotReadableError
from attendance_toolkit.loaders._values import parse_date
from attendance_toolkit.vocabulary.calendar import academic_year_of, parse_academic_year, show_academic_year

_CHUNK = 1 << 20
#: Elements that are read, in lower case without namespace.
_PUPIL_TAGS = {
    "upn": "upn",
    "dob": "dob",
    "sex": "sex",
    "gender": "sex",
    "ncyearactual": "nc_year",
    "ncyear": "nc_year",
    "forename": "forename",
    "surname": "surname",
    "middlenames": "middle",
    "formerupn": "former_upn",
}
_YEAR_TAGS = {
    "year": "year", "academicyear": "year", "lea": "lea", "la": "lea", "estab": "estab",
    "sessionspossible": "possible", "sessionsauthorised": "authorised", "sessionsunauthorised": "unauthorised",
    "sessionsattended": "attended", "attendancestartdate": "start", "attendancemarks": "marks",
}  # fmt: skip
_HEADER_TAGS = {"lea", "estab", "academicyear", "datetime", "ctfversion"}
_YEAR_BLOCKS = frozenset({"yeardata", "attendanceyear"})


@dataclass
class PupilYear:
    """A pupil's attendance of one year at one school, as texts."""

    upn: str = ""
    dob: str = ""
    sex: str = ""
    nc_year: str = ""
    forename: str = ""
    surname: str = ""
    middle: str = ""
    former_upn: str = ""
    year: str = ""
    lea: str = ""
    estab: str = ""
    possible: str = ""
    authorised: str = ""
    unauthorised: str = ""
    attended: str = ""
    start: str = ""
    marks: str = ""
    line: int = 0
    number: int = 0
    """Place among the blocks of the file: a whole file may be one line."""


@dataclass
class Parsed:
    """What is known of a file when it was read to its end."""

    sha256: str = ""
    header: dict[str, str] = field(default_factory=dict)
    pupils: int = 0
    blocks: int = 0


def recognise(head: Head) -> Recognised | None:
    """Return what a file is when it is a transfer file, else None."""
    if head.format != "xml":
        return None
    match = re.search(r"<(?:\w+:)?(\w+)[\s>/]", re.sub(r"<[?!][^>]*>|<!--.*?-->", "", head.text, flags=re.DOTALL))
    if match is None or match[1].lower() != "ctfile":
        return None
    version = re.search(r"<(?:\w+:)?CTFversion>\s*([\d.]+)", head.text, re.IGNORECASE)
    stated = re.search(r"<(?:\w+:)?AcademicYear>\s*(\d{4})", head.text, re.IGNORECASE)
    years = (int(stated[1]) * 100 + (int(stated[1]) + 1) % 100,) if stated else ()
    said = f", version {version[1]}" if version else ""
    said += f", of {show_academic_year(years[0])}" if years else ""
    return Recognised(
        "transfer", "ctf", f"a common transfer file (CTF){said}",
        "attendance of pupils who changed school, such as Year 6 leavers; by half term where it has marks", years,
    )  # fmt: skip


def read_years(head: Head, parsed: Parsed) -> Iterator[PupilYear]:
    """Yield the years of a file's pupils, with the pupil's own items; fill in ``parsed`` on the way.

    Raises
    ------
    NotReadableError
        The XML is not well formed or breaks off, its encoding is unknown, or it declares a document type.
    """
    made: list[PupilYear] = []
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    start, end, text = _handlers(parser, parsed, made)
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    digest = hashlib.sha256()
    with head.path.open("rb") as plain:
        while chunk := plain.read(_CHUNK):
            digest.update(chunk)
    parsed.sha256 = digest.hexdigest()
    try:
        with gzip.open(head.path) if head.is_gzip else head.path.open("rb") as handle:
            while chunk := cast(BinaryIO, handle).read(_CHUNK):
                feed(parser, chunk)
                yield from made
                made.clear()
        feed(parser, b"", is_last=True)
        yield from made
    except expat.ExpatError as error:
        raise NotReadableError(
            "xml_malformed",
            f"the XML is not well formed or breaks off at line {error.lineno}: {expat.ErrorString(error.code)}.",
            "Export the file again; a transfer file is complete when it ends in </CTfile>.",
        ) from None
    except (OSError, EOFError):
        raise NotReadableError("file_damaged", "the compressed file is damaged.", "Fetch it again.") from None


def _refuse(*_: object) -> None:
    raise NotReadableError(
        "xml_doctype",
        "the XML declares a document type, which can hold entities that expand or read other files.",
        "A transfer file has none: export it again, or remove the <!DOCTYPE …> declaration.",
    )


Handlers = tuple[Callable[[str, dict], None], Callable[[str], None], Callable[[str], None]]


def _handlers(parser: expat.XMLParserType, parsed: Parsed, made: list[PupilYear]) -> Handlers:
    path: list[str] = []
    texts: list[str] = []
    pupil: dict[str, str] = {}
    years: list[PupilYear] = []
    current: list[PupilYear] = []

    def start(name: str, _: dict) -> None:
        tag = name.rpartition(":")[2].lower()
        path.append(tag)
        texts.clear()
        if tag == "pupil":
            pupil.clear()
            years.clear()
        elif tag in _YEAR_BLOCKS and "pupil" in path:
            current[:] = [PupilYear(line=parser.CurrentLineNumber)]

    def end(_: str) -> None:
        tag = path.pop()
        # Blanks may be marks; line breaks of the file's layout are not.
        text = re.sub(r"[\r\n\t]", "", "".join(texts))
        texts.clear()
        if tag in _YEAR_BLOCKS and current:
            years.append(current.pop())
            parsed.blocks += 1
            years[-1].number = parsed.blocks
        elif tag == "pupil":
            parsed.pupils += 1
            for found in years:
                made.append(found)
                for name, value in pupil.items():
                    setattr(found, name, value)
        elif current:
            if tag in _YEAR_TAGS:
                setattr(current[0], _YEAR_TAGS[tag], text if tag == "attendancemarks" else text.strip())
        elif "pupil" in path:
            if tag in _PUPIL_TAGS and path[-1] in ("pupil", "basicdetails", "pupilidentifiers", "schoolhistory"):
                pupil.setdefault(_PUPIL_TAGS[tag], text.strip())
        elif tag in _HEADER_TAGS and "destschool" not in path:
            parsed.header.setdefault(tag, text.strip())

    return start, end, texts.append


def year_of(text: str, start: date | None) -> int | None:
    """Return the academic year of a block: of its first mark, else the year that starts in ``Year``.

    >>> year_of("2023", None), year_of("2023/24", None), year_of("2024", date(2023, 9, 4)), year_of("", None)
    (202324, 202324, 202324, None)
    """
    if start:
        return academic_year_of(start)
    if re.fullmatch(r"(19|20)\d\d", text):
        return int(text) * 100 + (int(text) + 1) % 100
    try:
        return parse_academic_year(text)
    except VocabularyError:
        return None


def marks_a_week(start: date, marks: str) -> int:
    r"""Return 14 when a string of marks has places for weekends, 10 when it has not, 0 when it is too short to tell.

    >>> week = "/\\" * 5
    >>> marks_a_week(date(2024, 9, 2), week * 4), marks_a_week(date(2024, 9, 2), (week + "####") * 4)
    (10, 14)
    >>> marks_a_week(date(2024, 9, 2), week)
    0
    """
    first = start.weekday()
    weekend = "".join(mark for place, mark in enumerate(marks) if (first + place // 2) % 7 > 4)
    if not weekend:
        return 0
    return 14 if not weekend.strip(" -#XZ*") else 10


def day_of(text: str) -> date | None:
    """Return the day of a text, None when it is none."""
    return parse_date(text)[0]
