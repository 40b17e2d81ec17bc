"""Read a list of schools row by row: what cannot be used is a finding, and every row is accounted for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd

from attendance_toolkit.errors import UnreadableFileError
from attendance_toolkit.loaders._head import Head, look
from attendance_toolkit.loaders._table_rows import table_rows
from attendance_toolkit.loaders._text import NotReadableError
from attendance_toolkit.loaders._values import laestab_of, parse_date, parse_whole, show
from attendance_toolkit.loaders.schools._headers import layout_of, places_of
from attendance_toolkit.loaders.schools._phases import is_phase_word, phase_of
from attendance_toolkit.schema.census import Census
from attendance_toolkit.schema.codes import level_of
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.store.schools import CENSUS_SOURCE, school_frame
from attendance_toolkit.vocabulary.areas import area_of_laestab
from attendance_toolkit.vocabulary.columns import SCHOOL_COLUMNS

NATIONAL_TOTAL, AUTHORITY_TOTAL = "totals of England", "totals of a local authority"
_MISSING = frozenset({"", "na", "n/a", "null", "none", "supp", "z", "x", ".", "-", "not applicable", "not recorded"})
_DATES = ("open_date", "close_date", "pupils_at", "changed")
_WHOLE = {"statutory_low_age": 99, "statutory_high_age": 99, "number_of_pupils": 99_999}
_TEXTS = ("type", "status", "postcode", "trust")


@dataclass(frozen=True, eq=False)
class SchoolList:
    """What a list of schools says.

    Attributes
    ----------
    frame
        SCHOOL_COLUMNS, one row for each school kept.
    findings
        What is wrong with the file, by rule; rows set aside are named in them.
    rows
        Rows of the file below its header: ``len(frame)`` + ``set_aside`` + the sum of ``left_out``.
    set_aside
        Rows that a finding keeps out of ``frame``.
    left_out
        Reason -> rows that are not schools, such as totals of England.
    """

    name: str
    layout: str
    frame: pd.DataFrame
    findings: list[Finding] = field(default_factory=list)
    rows: int = 0
    set_aside: int = 0
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def is_blocked(self) -> bool:
        """Whether nothing of the file can be used."""
        return any(f.severity == "blocking" for f in self.findings)


def read_schools(path: Path | str | Head, *, as_at: date | None = None) -> SchoolList:
    """Read a list of schools: a GIAS download, a performance table of pupils, or any list with such columns.

    Parameters
    ----------
    path
        CSV (UTF-8, Windows-1252 or UTF-16; plain or gzip) or workbook. The columns are found by
        ``vocabulary/reference/school_list_headers.csv``; others, such as names of head teachers, are not read.
    as_at
        Day of the list; else the latest change or census day in it, if it has any.

    Returns
    -------
    The schools, and findings for what could not be used. GIAS writes dates day first, and so they are read.

    Raises
    ------
    UnreadableFileError
        The file cannot be read or is not a list of schools.
    """
    try:
        head = path if isinstance(path, Head) else look(Path(path))
        layout = layout_of(head)
        if layout is None:
            raise UnreadableFileError(
                f"{head.name} is not a list of schools: it needs a URN or LAESTAB, a name, and a column such as phase,"
                " type, ages or pupils on roll. Download 'All establishment data' from GIAS."
            )
        return _Reader(head, layout[0], as_at).run()
    except NotReadableError as error:
        name = path.name if isinstance(path, Head) else Path(path).name
        raise UnreadableFileError(f"{name}: {error.says} {error.fix}".strip()) from None


class _Reader:
    def __init__(self, head: Head, layout: str, as_at: date | None) -> None:
        self.head, self.layout, self.as_at = head, layout, as_at
        self.found: dict[tuple[str, str, str], list[int]] = {}
        """(rule, column, value) -> lines."""
        self.left_out: Counter[str] = Counter()
        self.aside: set[int] = set()
        self.latest: dict[str, date] = {}
        self.at: dict[str, int] = {}
        self.header: list[str] = []
        self._cells: list[str] = []
        self._line = 0

    def run(self) -> SchoolList:
        rows = table_rows(self.head)
        _, self.header = next(rows)
        twice = [cell for cell, times in Counter(self.header).items() if times > 1 and cell.strip()]
        self.at = places_of(self.header)
        if set(twice) & {self.header[place] for place in self.at.values()}:
            return self._blocked("column_repeated", 1, f"the column '{show(twice[0])}' is there more than once.")
        schools: dict[int, dict[str, object]] = {}
        number = 0
        for line, cells in rows:
            number += 1
            if len(cells) < len(self.header) or any(cell.strip() for cell in cells[len(self.header) :]):
                says = f"this row has {len(cells)} cells and the header {len(self.header)}."
                return self._blocked("file_ragged", line, says)
            self._cells, self._line = cells, line
            reason = self._total()
            if reason:
                self.left_out[reason] += 1
            elif school := self._school():
                schools[line] = school
        if not number:
            return self._blocked("file_no_rows", 1, "there are column names and no schools below them.")
        self._drop_repeated(schools)
        kept = [row for line, row in sorted(schools.items()) if line not in self.aside]
        day = self.as_at or self.latest.get("changed") or self.latest.get("pupils_at")
        columns = {name: [row.get(name) for row in kept] for name in SCHOOL_COLUMNS}
        columns["source"], columns["as_at"] = [self.head.name] * len(kept), [day] * len(kept)
        return SchoolList(
            self.head.name, self.layout, school_frame(columns), self._findings(), number, len(self.aside),
            dict(self.left_out),
        )  # fmt: skip

    def _blocked(self, rule: str, line: int, says: str) -> SchoolList:
        fix = "Export the list again, or correct it in a text editor."
        return SchoolList(
            self.head.name, self.layout, school_frame(), [finding(rule, self.head.name, says, row=line, fix=fix)]
        )

    def _text(self, column: str) -> str:
        place = self.at.get(column)
        cell = "" if place is None else " ".join(self._cells[place].split())
        return "" if column != "school_name" and cell.casefold() in _MISSING else cell

    def _note(self, rule: str, column: str, value: str = "") -> None:
        self.found.setdefault((rule, column, show(value)), []).append(self._line)

    def _total(self) -> str:
        """Return why a row is not a school: performance tables end with totals."""
        if "NAT" in (self._text("la"), self._text("urn"), self._text("laestab")):
            return NATIONAL_TOTAL
        is_performance = self.layout == "performance_pupils"
        return AUTHORITY_TOTAL if is_performance and not self._text("urn") and not self._text("estab") else ""

    def _school(self) -> dict[str, object] | None:
        """Return the school of the row, None if it is set aside."""
        urn_text = re.sub(r"\.0$", "", self._text("urn"))
        laestab = self._laestab()
        is_keyed = bool(re.fullmatch(r"[1-9]\d{5}", urn_text)) if "urn" in self.at else laestab is not None
        if not is_keyed:
            column = "urn" if "urn" in self.at else "laestab"
            self._note("school_urn_blank", column, urn_text if column == "urn" else self._text("laestab"))
            self.aside.add(self._line)
            return None
        area = area_of_laestab(laestab) if laestab else None
        la = self._text("la") or (str(laestab)[:3] if laestab else "")
        if la and not area:
            area = area_of_laestab(int(la) * 10_000) if re.fullmatch(r"\d{3}", la) else None
            if not area:
                self._note("school_la_unknown", "la", la)
        school: dict[str, object] = {name: self._text(name) or None for name in _TEXTS}
        school |= {name: self._date(name) for name in _DATES}
        numbers = {name: self._whole(name, most) for name, most in _WHOLE.items()}
        word = self._text("phase_source") or self._raw_word()
        types = (self._text("type"), self._text("type_group"))
        phase, told_from = phase_of(word, types, numbers["statutory_low_age"], numbers["statutory_high_age"])
        if word and not is_phase_word(word):
            self._note("school_phase_unknown", "phase_source", word)
        return school | {
            **numbers,
            "laestab": laestab,
            "urn": int(urn_text) if urn_text else None,
            "school_name": self._text("school_name") or None,
            "phase": phase,
            "phase_source": told_from or None,
            "la_code": area.code if area else None,
            "percent_fsm": self._percent(),
        }

    def _raw_word(self) -> str:
        """Return "Not applicable" where that is the phase: GIAS means that the type tells."""
        place = self.at.get("phase_source")
        cell = "" if place is None else self._cells[place].strip()
        return cell if is_phase_word(cell) else ""

    def _laestab(self) -> int | None:
        estab = re.sub(r"\.0$", "", self._text("estab"))
        found = laestab_of({"laestab": self._text("laestab"), "lea": self._text("la"), "estab": estab}, "")
        given = self._text("laestab")
        # In a list without URNs the whole row is set aside for it.
        if found is None and "urn" in self.at and (given or not re.fullmatch(r"\d{0,4}", estab)):
            self._note("school_laestab", "laestab" if given else "estab", given or estab)
        return found

    def _date(self, column: str) -> date | None:
        text = self._text(column)
        day, how = parse_date(text)
        if day is None and how != "blank":
            self._note("school_date", column, text)
        if day is not None and day > self.latest.get(column, date.min):
            self.latest[column] = day
        return day

    def _whole(self, column: str, most: int) -> int | None:
        text = self._text(column)
        number, wrong = parse_whole(text)
        if (wrong and wrong != "blank") or (number is not None and number > most):
            self._note("school_number", column, text)
            return None
        return number

    def _percent(self) -> float | None:
        text = self._text("percent_fsm").removesuffix("%").strip()
        if not text:
            return None
        value = float(text) if re.fullmatch(r"\d{1,3}(\.\d+)?", text) else -1.0
        if not 0 <= value <= 100:
            self._note("school_number", "percent_fsm", text)
            return None
        return value

    def _drop_repeated(self, schools: Mapping[int, dict[str, object]]) -> None:
        """Set aside the second of two equal rows, and all rows of a school that are not equal."""
        lines: dict[object, list[int]] = {}
        for line, row in schools.items():
            lines.setdefault(row["urn"] or row["laestab"], []).append(line)
        column = "urn" if "urn" in self.at else "laestab"
        for key, places in lines.items():
            if len(places) == 1:
                continue
            alike = all(schools[place] == schools[places[0]] for place in places)
            gone = places[1:] if alike else places
            self.aside |= set(gone)
            self.found["school_urn_repeated", column, str(key)] = gone

    def _findings(self) -> list[Finding]:
        found = []
        wanted = ("phase_source", "type", "statutory_low_age")
        if not {"laestab", "la"} & set(self.at) or ("estab" not in self.at and "laestab" not in self.at):
            found.append(self._lacks("LA and establishment number (or LAESTAB)",
                                     "its schools are known by URN only"))  # fmt: skip
        if not set(wanted) & set(self.at):
            found.append(self._lacks("phase, type or ages", "the phase of its schools is Unknown"))
        for (rule, column, value), lines in self.found.items():
            place = self.at.get(column)
            name = self.header[place].strip() if place is not None else column
            says, fix = _SAYS[rule]
            text = says.format(value=value or "blank") if value else says.replace("'{value}'", "the cell is empty: it")
            found.append(
                finding(rule, self.head.name, text, row=min(lines), column=name, value=value, fix=fix, count=len(lines))
            )
        return found

    def _lacks(self, columns: str, so: str) -> Finding:
        return finding("school_list_columns", self.head.name, f"the list has no {columns}, so {so}.",
                       fix="Load a GIAS download as well; schools are put together by URN.")  # fmt: skip


_SAYS = {
    "school_urn_blank": ("'{value}' is not a URN of six digits or an LAESTAB of seven.",
                         "The row is set aside; look the school up in GIAS."),
    "school_urn_repeated": ("school {value} is in the list more than once.",
                            "Equal rows are read once; different ones are set aside. Keep the row that is right."),
    "school_laestab": ("'{value}' is not an establishment number of four digits.",
                       "The school is kept without its LAESTAB; look it up in GIAS."),
    "school_la_unknown": ("'{value}' is not the DfE code of a local authority in England.",
                          "The school is kept without an authority."),
    "school_phase_unknown": ("'{value}' is not a phase DfE uses.",
                             "The phase is Unknown; ask for the word to be added to school_phases.csv."),
    "school_date": ("'{value}' is not a date.", "The date is left empty; write it as dd/mm/yyyy."),
    "school_number": ("'{value}' is not a possible number.", "The number is left empty; correct the list."),
}  # fmt: skip


def schools_from_census(rows: Iterable[Mapping[str, str]], census: Census) -> pd.DataFrame:
    """Return the schools a census return names, for the store's list.

    Parameters
    ----------
    rows
        Rows of the return's school table as text, by cleaned header: nativeid, laestab or lea and estab, urn,
        schoolname, phase (a census code).
    census
        The return's census; its day is the day of the row.

    Returns
    -------
    SCHOOL_COLUMNS; a row without an LAESTAB is left out, since the census screening has a rule for it. Pupils
    on roll are not in that table.
    """
    columns: dict[str, list] = {name: [] for name in SCHOOL_COLUMNS}
    seen: set[int] = set()
    for row in rows:
        laestab = laestab_of(dict(row), row.get("nativeid", ""))
        if laestab is None or laestab in seen:
            continue
        seen.add(laestab)
        area = area_of_laestab(laestab)
        code = row.get("phase", "").strip()
        urn = re.sub(r"\.0$", "", row.get("urn", "").strip())
        known = {
            "laestab": laestab,
            "urn": int(urn) if re.fullmatch(r"[1-9]\d{5}", urn) else None,
            "school_name": " ".join(row.get("schoolname", "").split()) or None,
            "phase": (level_of("phase", code) if code else None) or "Unknown",
            "phase_source": code or None,
            "la_code": area.code if area else None,
            "source": f"{CENSUS_SOURCE}, {census.name}",
            "as_at": census.day,
        }
        for name in SCHOOL_COLUMNS:
            columns[name].append(known.get(name))
    return school_frame(columns)
