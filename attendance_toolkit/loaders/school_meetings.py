"""Read lists of meetings with schools: the school, the day, how they met and, if the list has it, the school's colour.

One row a meeting, in CSV or a workbook. Notes and other columns are not read: they may be about a child.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import duckdb
import pyarrow as pa

from attendance_toolkit.loaders._head import Head, Recognised
from attendance_toolkit.loaders._return_files import FileCount
from attendance_toolkit.loaders._table_rows import table_rows
from attendance_toolkit.loaders._text import NotReadableError, clean_header
from attendance_toolkit.loaders._values import laestab_of, parse_date, show
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.vocabulary.areas import area_of_laestab
from attendance_toolkit.vocabulary.calendar import academic_year_of

#: Name of the kind, as the manifest of a store has it.
MEETINGS = "meetings"
#: How a school is met; "other" where a list has other words for it.
IN_PERSON, ONLINE, BY_REQUEST, OTHER = "in person", "online", "by request", "other"
MEETING_KINDS = (IN_PERSON, ONLINE, BY_REQUEST, OTHER)

_ALIASES = {
    **dict.fromkeys(
        ("laestab", "laestabnumber", "schoollaestab", "dfenumber", "dfeno", "dfecode", "schooldfenumber"), "laestab"
    ),
    **dict.fromkeys(("urn", "schoolurn", "urnnumber", "uniquereferencenumber"), "urn"),
    **dict.fromkeys(("date", "meetingdate", "dateofmeeting", "meeting_date", "day", "heldon"), "date"),
    **dict.fromkeys(
        ("kind", "kindofmeeting", "meetingkind", "meeting_kind", "meetingtype", "typeofmeeting", "meeting_type", "format"),
        "kind",
    ),
    **dict.fromkeys(("colour", "color", "rag", "ragrating", "ragcolour", "rating"), "colour"),
}  # fmt: skip
_KIND_WORDS = {
    **dict.fromkeys(
        ("in person", "inperson", "face to face", "visit", "school visit", "on site", "onsite", "at school"), IN_PERSON
    ),
    **dict.fromkeys(("online", "on line", "virtual", "remote", "teams", "video", "video call", "zoom"), ONLINE),
    **dict.fromkeys(("by request", "on request", "request", "requested", "at request"), BY_REQUEST),
}
_COLOUR_LETTERS = {"r": "Red", "a": "Amber", "g": "Green"}
_EARLIEST = date(2000, 9, 1)
_AT_A_SCHOOL = ("laestab", "urn")

_SAYS = {
    "meeting_date": ("'{value}' is not the day of a meeting.",
                     "The row is set aside; write the day as 2024-Jan-17 or 17/01/2024."),
    "meeting_school": ("'{value}' is not the number of a school that is known.",
                       "The row is set aside; give the LAESTAB, or load a list of schools that has the URN."),
    "meeting_school_unlisted": ("school {value} is in no list or return that is loaded.",
                                "The meeting is kept; check the number, or load the school's returns."),
    "meeting_kind": ("'{value}' is not one of: in person, online, by request.",
                     "The meeting is kept as one of another kind."),
    "meeting_colour": ("'{value}' is not the name of a colour.", "The meeting is kept without a colour."),
    "meeting_repeated": ("the school has an earlier row for a meeting on the same day.",
                         "The first row is kept and this one is set aside."),
    "date_day_first": ("'{value}' was read with the day first.", ""),
    "date_spreadsheet": ("'{value}' is a spreadsheet's day number; it was turned back into a date.", ""),
}  # fmt: skip
_READ_AS = {"serial": "date_spreadsheet", "unclear": "date_day_first"}


def recognise(head: Head) -> Recognised | None:
    """Return what a list of meetings with schools is, None for any other file.

    Parameters
    ----------
    head
        The beginning of a file; only the first row is looked at.
    """
    if head.format not in ("csv", "workbook") or not head.rows:
        return None
    columns = {clean_header(cell) for cell in head.header}
    found = {_ALIASES.get(cell) for cell in columns}
    if "upn" in columns or not ({"date", "kind"} <= found and found & set(_AT_A_SCHOOL)):
        return None
    return Recognised(MEETINGS, MEETINGS, "a list of meetings with schools",
                      "what became of attendance at the schools met")  # fmt: skip


@dataclass
class MeetingList:
    """What a list of meetings says, and what of it could not be used."""

    rows: list[tuple[int, int, date, str, str | None]] = field(default_factory=list)
    """laestab, academic_year, day, kind, colour; a row a meeting."""
    findings: list[Finding] = field(default_factory=list)
    count: FileCount = field(default_factory=FileCount)

    def keep(self, con: duckdb.DuckDBPyConnection) -> None:
        """Add the rows to ``meeting_parts``; a row of an earlier file of the call stands."""
        types = (pa.int32(), pa.int32(), pa.date32(), pa.string(), pa.string())
        names = ("laestab", "academic_year", "day", "kind", "colour")
        columns = list(zip(*self.rows, strict=True)) or [()] * len(names)
        arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
        con.register("incoming", pa.table(dict(zip(names, arrays, strict=True))))
        con.execute("INSERT INTO meeting_parts SELECT * FROM incoming ANTI JOIN meeting_parts USING (laestab, day)")
        con.unregister("incoming")


def read_meetings(head: Head, by_urn: Mapping[int, int], known: Sequence[int] = ()) -> MeetingList:
    r"""Read a list of meetings.

    Parameters
    ----------
    head
        A file that ``recognise`` knows.
    by_urn
        URN -> LAESTAB of the schools that are known.
    known
        LAESTABs of the schools that are known; a meeting with another is kept and told, unless none is known at all.

    Returns
    -------
    The meetings in the order of the file. Of two rows for one school and day the first is kept.

    Examples
    --------
    >>> import tempfile
    >>> from attendance_toolkit.loaders._head import look
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "meetings.csv"
    ...     _ = file.write_text("laestab,date,kind,colour\n3544001,2024-Jan-17,Face to face,red\n")
    ...     found = read_meetings(look(file), {})
    >>> found.rows
    [(3544001, 202324, datetime.date(2024, 1, 17), 'in person', 'Red')]
    """
    return _Reader(head, by_urn, known).run()


class _Reader:
    def __init__(self, head: Head, by_urn: Mapping[int, int], known: Sequence[int]) -> None:
        self.head, self.by_urn, self.known = head, by_urn, frozenset(known)
        self.list = MeetingList()
        self.found: dict[tuple[str, str, str], list[int]] = {}
        """(rule, column, value) -> lines."""
        self.at: dict[str, int] = {}
        self._cells: list[str] = []
        self._line = 0

    def run(self) -> MeetingList:
        try:
            rows = table_rows(self.head)
            _, header = next(rows)
            cleaned = [clean_header(cell) for cell in header]
            for place, cell in enumerate(cleaned):
                if column := _ALIASES.get(cell):
                    if column in self.at:
                        return self._blocked("column_repeated", 1, f"two columns say the {column} of a meeting.")
                    self.at[column] = place
            seen: set[tuple[int, date]] = set()
            for line, cells in rows:
                self.list.count.rows_in += 1
                if len(cells) < len(header) or any(cell.strip() for cell in cells[len(header) :]):
                    says = f"this row has {len(cells)} cells and the header {len(header)}."
                    return self._blocked("file_ragged", line, says)
                self._cells, self._line = cells, line
                self._one(seen)
        except NotReadableError as error:
            return self._blocked(error.rule, error.row or 1, error.says, error.fix)
        if not self.list.count.rows_in:
            return self._blocked("file_no_rows", 1, "there are column names and no meetings below them.")
        self.list.findings = self._findings(header)
        self.list.count.rows_quarantined = self.list.count.rows_in - len(self.list.rows)
        return self.list

    def _blocked(self, rule: str, line: int, says: str, fix: str = "Export the list again.") -> MeetingList:
        return MeetingList(findings=[finding(rule, self.head.name, says, row=line, fix=fix)])

    def _text(self, column: str) -> str:
        place = self.at.get(column)
        return "" if place is None else " ".join(self._cells[place].split())

    def _note(self, rule: str, column: str, value: str) -> None:
        self.found.setdefault((rule, column, show(value)), []).append(self._line)

    def _one(self, seen: set[tuple[int, date]]) -> None:
        """Read a row; it is kept if its school and its day can be told."""
        laestab, day = self._school(), self._day()
        if laestab is None or day is None:
            return
        if (laestab, day) in seen:
            self._note("meeting_repeated", "date", self._text("date"))
            return
        seen.add((laestab, day))
        if self.known and laestab not in self.known:
            self._note("meeting_school_unlisted", "laestab" if "laestab" in self.at else "urn", str(laestab))
        self.list.rows.append((laestab, academic_year_of(day), day, self._kind(), self._colour()))

    def _school(self) -> int | None:
        laestab = laestab_of({"laestab": self._text("laestab")}, "")
        if laestab is None and re.fullmatch(r"[1-9]\d{5}(\.0)?", self._text("urn")):
            laestab = self.by_urn.get(int(self._text("urn")[:6]))
        if laestab is None or area_of_laestab(laestab) is None:
            column = next(name for name in _AT_A_SCHOOL if name in self.at)
            self._note("meeting_school", column, self._text(column) or self._text("urn"))
            return None
        return laestab

    def _day(self) -> date | None:
        text = self._text("date")
        # A workbook gives a day with the time of midnight.
        day, how = parse_date(text)
        if day is None or day < _EARLIEST:
            self._note("meeting_date", "date", text)
            return None
        if how in _READ_AS:
            self._note(_READ_AS[how], "date", text)
        return day

    def _kind(self) -> str:
        text = self._text("kind").casefold().replace("-", " ").replace("_", " ")
        kind = _KIND_WORDS.get(text)
        if kind is None and text not in ("other", ""):
            self._note("meeting_kind", "kind", self._text("kind"))
        return kind or OTHER

    def _colour(self) -> str | None:
        text = self._text("colour")
        if not text:
            return None
        if not re.fullmatch(r"[^\W\d_][\w /-]{0,19}", text):
            self._note("meeting_colour", "colour", text)
            return None
        return _COLOUR_LETTERS.get(text.casefold(), text.capitalize())

    def _findings(self, header: Sequence[str]) -> list[Finding]:
        found = []
        for (rule, column, value), lines in self.found.items():
            says, fix = _SAYS[rule]
            found.append(
                finding(rule, self.head.name, says.format(value=value or "blank"), row=min(lines),
                        column=header[self.at[column]].strip(), value=value, fix=fix, count=len(lines))
            )  # fmt: skip
        return found
