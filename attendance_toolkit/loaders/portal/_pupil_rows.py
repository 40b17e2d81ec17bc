"""The rows of one list of pupils: what their cells mean, and what is wrong with them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from attendance_toolkit.loaders._identifiers import identifying_places, split_name
from attendance_toolkit.loaders._values import DATE_FINDINGS, UPN_FINDINGS, parse_date, show
from attendance_toolkit.loaders.portal._headers import PortalHeaders
from attendance_toolkit.loaders.portal._layout import Header, PortalColumn, find_pupils, repeated
from attendance_toolkit.loaders.portal._schools import School, SchoolFinder
from attendance_toolkit.loaders.portal._sessions import Amount, Given, agrees, read_amount, work_out
from attendance_toolkit.loaders.portal._sheets import Row, Sheet
from attendance_toolkit.loaders.portal._summary import year_group
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.vocabulary.calendar import age_on_31_august

#: A year has no more than 2 sessions on each of 262 weekdays; 195 days of school are unusual.
MOST_POSSIBLE, LONG_YEAR = 524, 400
_AGES = range(2, 20)
_BLANK = frozenset({"", "-", "–", "x", "z", "c", "N/A"})
_SCHOOL = ("laestab", "urn", "school_name")
#: Rule -> what is said of the first such row, and what to do.
_SAYS = {
    **UPN_FINDINGS,
    "pupil_repeated": ("the pupil is listed twice at the school.", "The first row is kept and this one is set aside."),
    "pupil_in_two_files": (
        "the pupil is at the same school in another file.", "The first file's row is kept and this one is set aside."
    ),
    "school_unknown": (
        "it cannot be told which school this is.",
        "The row is set aside; load a list of schools into the store first, or give the seven digits of the LAESTAB.",
    ),
    "possible_blank": ("there are no possible sessions.", "The row is set aside; download the list again."),
    "possible_too_many": (
        "no year has as many sessions.", "The row is set aside; check that the columns are under the right headers."
    ),
    "sessions_not_number": ("this is not a whole number of sessions.", "The row is set aside; correct the cell."),
    "sessions_negative": ("sessions cannot be negative.", "The row is set aside; correct the cell."),
    "portal_percent": ("this is not a percentage (0 to 100).", "The row is set aside; correct the cell."),
    "portal_parts_differ": (
        "authorised and unauthorised absence do not add up to the missed sessions.",
        "The row is set aside; check it in the portal.",
    ),
    "absent_over_possible": ("more sessions are missed than were possible.", "The row is set aside; check it."),
    "possible_unlikely": (f"more than {LONG_YEAR} sessions are unusual.", "Check the dates of the download."),
    "portal_totals": ("attendance or absence is not that of the sessions.", "The sessions are taken; check the row."),
    "portal_from_percent": (
        "several whole numbers of sessions fit these percentages; the nearest is taken.",
        "Download sessions instead of percentages if you can.",
    ),
    "year_group_code": ("this is not a year group.", "The year group is left out."),
    **{rule: (says.replace("'{value}'", "this"), fix) for rule, says, fix in DATE_FINDINGS.values()},
}  # fmt: skip
_MASKED = frozenset({"upn", "dob"})


#: What may be shown of a cell: short numbers. Under a wrong header there may be a name or a date of birth.
_SHOWABLE = re.compile(r"-?[\d.,]{1,7}\s?%?")


def _shown(text: str) -> str | None:
    return text if _SHOWABLE.fullmatch(text) else None


@dataclass
class PupilRow:
    """One row: where it is, what it gives, and the rules it breaks (it is set aside if there are any)."""

    line: int
    cells: tuple[str, ...]
    upn: str
    rules: list[str] = field(default_factory=list)
    noted: list[tuple[str, str, str | None]] = field(default_factory=list)
    """(rule, column, value) of everything found."""
    school: School | None = None
    age: int | None = None
    nc_year: str | None = None
    possible: int = 0
    authorised: int = 0
    unauthorised: int = 0

    def fail(self, rule: str, column: str, value: str | None = None) -> None:
        """Set the row aside."""
        if rule not in self.rules:
            self.rules.append(rule)
        self.note(rule, column, value)

    def note(self, rule: str, column: str, value: str | None = None) -> None:
        """Note something of the row."""
        self.noted.append((rule, column, value))


class PupilSheet:
    """One list of pupils, a file or a sheet of one."""

    def __init__(self, file: str, sheet: Sheet, words: PortalHeaders, *, several: bool) -> None:
        self.file, self.words = file, words
        self.table = f"portal_pupils {sheet.name}" if several else "portal_pupils"
        header = find_pupils([row.cells for row in sheet.rows], words)
        assert header is not None
        self.header: Header = header
        top = sheet.rows[header.first]
        self.titles = list(top.cells)
        self.rows: list[PupilRow] = []
        self.seen: set[tuple[str, int]] = set()
        self.notes = list(sheet.rows[: header.first])
        self._findings: list[Finding] = []
        self._units: dict[str, str] = {}
        self._factor = 1
        self._columns: dict[str, PortalColumn] = {}
        self._check_columns(top)
        self._part(sheet.rows[header.first + 1 :], top)

    def findings(self) -> list[Finding]:
        """Return what was found in the header and in whole columns."""
        return self._findings

    @property
    def kept_places(self) -> list[int]:
        """Return the places of the columns that may be kept as they are read: all but names of pupils.

        A column with an unknown header may hold a name too, and so is left out.
        """
        kept = {c.place for c in self.header.columns if c.meaning not in ("pupil_name", "", "ignored")}
        return [place for place in range(len(self.titles)) if place in kept]

    def identifying(self) -> tuple[list[tuple[str, str, str]], dict[str, list[str]]]:
        """Return the names of the list's pupils, and their dates of birth, UPNs and postcodes, by what they are."""
        places = identifying_places(self.titles)
        named = [c.place for c in self.header.columns if c.meaning == "pupil_name"]
        whole = [places["name"]] if "name" in places else [p for p in named if p not in places.values()]
        names = [split_name(row.cells[place]) for place in whole for row in self.rows]
        if {"forename", "surname"} <= set(places):
            names += [(row.cells[places["forename"]], "", row.cells[places["surname"]]) for row in self.rows]
        days = [parse_date(self._cell(row, "date_of_birth"))[0] for row in self.rows]
        upns = [row.upn for row in self.rows]
        upns += [row.cells[places["formerupn"]] for row in self.rows] if "formerupn" in places else []
        postcodes = [row.cells[places["postcode"]] for row in self.rows] if "postcode" in places else []
        births = [day.isoformat() for day in days if day]
        return names, {"dates_of_birth": births, "upns": upns, "postcodes": postcodes}

    # -- header and rows --

    def _find(self, rule: str, says: str, *, row: int | None = None, column: str | None = None, count: int = 1,
              fix: str = "") -> None:  # fmt: skip
        self._findings.append(finding(rule, self.file, says, row=row, column=column, count=count, fix=fix))

    def _check_columns(self, top: Row) -> None:
        twice = repeated(self.header)
        if twice is not None:
            self._find("column_repeated", f"'{show(twice.title)}' is in the header twice.", row=top.line,
                       fix="Keep one of the two columns.")  # fmt: skip
        for column in self.header.columns:
            name = column.measure or column.meaning
            if name and name not in ("ignored", "pupil_name"):
                self._columns.setdefault(name, column)
        for name, wanted in (
            ("school", _SCHOOL),
            ("possible sessions", ("possible_sessions",)),
            ("authorised or unauthorised absence", ("authorised", "unauthorised")),
        ):
            if not set(wanted) & set(self._columns):
                self._find("column_missing", f"there is no column of {name}.", row=top.line,
                           fix="Add it; if it has another name in your download, write that into your map of headers.")  # fmt: skip
        if not {"nc_year", "date_of_birth"} & set(self._columns):
            self._find("column_absent", "there is neither a year group nor a date of birth. Pupils whose age no census"
                       " tells are in no figure by DfE's rules, which count ages 5 to 15.", row=top.line)  # fmt: skip
        strangers = [show(c.title) for c in self.header.columns if c.title and not c.meaning]
        if strangers:
            self._find("portal_column", f"not read: {', '.join(strangers[:8])}.", row=top.line, count=len(strangers),
                       fix="If it is needed, write its header into your map of headers.")  # fmt: skip

    def _part(self, rows: tuple[Row, ...], top: Row) -> None:
        """Tell pupils from notes, and from the header printed again."""
        width, place = len(self.titles), self._columns["upn"].place
        notes: list[Row] = []
        ragged: list[Row] = []
        for row in rows:
            if row.cells == top.cells or (row.filled == 1 and not any(row.cells[place : place + 1])):
                notes.append(row)
            elif len(row.cells) != width and (any(row.cells[width:]) or len(row.cells) < width):
                ragged.append(row)
            else:
                self.rows.append(PupilRow(row.line, row.cells[:width], row.cells[place].upper()))
        if ragged:
            self._find("file_ragged", "this row does not have as many cells as the header.", row=ragged[0].line,
                       count=len(ragged), fix="Look for a comma inside a cell.")  # fmt: skip
        if notes:
            self._find("portal_note", "this row is no pupil's: a note, or the header again. It is not read.",
                       row=notes[0].line, count=len(notes))  # fmt: skip
        if not self.rows and not ragged:
            self._find("file_no_rows", "there is a header and no pupil below it.", row=top.line,
                       fix="Download the list again.")  # fmt: skip
        self.notes += notes

    # -- values --

    def read(self, academic_year: int, finder: SchoolFinder) -> None:
        """Read every row; what is wrong is noted at the row."""
        if any(f.severity == "blocking" for f in self._findings):
            return
        self._settle_units()
        schools: dict[tuple[str, ...], School | None] = {}
        for row in self.rows:
            named = tuple(self._cell(row, name) for name in _SCHOOL)
            if named not in schools:
                schools[named] = finder.find(laestab=named[0], urn=named[1], name=named[2])
            row.school = schools[named]
            if row.school is None:
                column = next((n for n, text in zip(_SCHOOL, named, strict=True) if text), None)
                column = column or next(n for n in _SCHOOL if n in self._columns)
                row.fail("school_unknown", column, _shown(self._cell(row, column)))
            row.nc_year = self._year_group(row)
            row.age = self._age(row, academic_year)
            self._sessions(row)

    def _cell(self, row: PupilRow, name: str) -> str:
        column = self._columns.get(name)
        text = "" if column is None else row.cells[column.place]
        return "" if text in _BLANK else text

    def _amount(self, row: PupilRow, name: str) -> Amount | None:
        """Return a cell's number, None for a blank or (noted) something else."""
        text = self._cell(row, name)
        return read_amount(text) if text else None

    def _settle_units(self) -> None:
        """Tell sessions from percentages where the header does not say."""
        shares = [n for n in ("attendance", "absence", "authorised", "unauthorised") if n in self._columns]
        amounts = {name: [a for row in self.rows if (a := self._amount(row, name))] for name in shares}
        # A workbook holds 95% as 0.95.
        attendance = [a for a in amounts.get("attendance", []) if a.value]
        if attendance and all(a.value <= 1 and not a.is_percent for a in attendance) and self._fits_fractions():
            self._factor = 100
        unsure = []
        for name in shares:
            given = self._columns[name].figure
            if given:
                self._units[name] = given
            elif name in ("attendance", "absence") or any(not a.is_whole for a in amounts[name]):
                self._units[name] = "rate"
            else:
                unsure.append(name)
        if unsure:
            unit = self._unit_by_sums(set(unsure))
            if not unit:
                titles = " and ".join(f"'{show(self._columns[name].title)}'" for name in unsure)
                self._find("portal_units", f"it cannot be told whether {titles} are sessions or percentages.",
                           fix="Write '(%)' or '(sessions)' behind the header.")  # fmt: skip
            self._units |= dict.fromkeys(unsure, unit)

    def _fits_fractions(self) -> bool:
        """Whether attendance below 1 is a fraction of 1, by the sessions where there are any."""
        nearer = {1: 0, 100: 0}
        for row in self.rows:
            possible, missed, share = (
                self._amount(row, n) for n in ("possible_sessions", "missed_sessions", "attendance")
            )
            if possible is None or missed is None or share is None or not possible.value > 0:
                continue
            true = 100 * (possible.value - missed.value) / possible.value
            far = {factor: abs(share.value * factor - true) for factor in nearer}
            if far[1] != far[100]:
                nearer[min(far, key=lambda factor: far[factor])] += 1
        return nearer[100] >= nearer[1]

    def _unit_by_sums(self, names: set[str]) -> str:
        """Return the unit in which authorised and unauthorised absence add up to the missed sessions."""
        tried = {"count": 0, "rate": 0}
        for row in self.rows:
            wanted = ("possible_sessions", "missed_sessions", *names)
            amounts = {n: a for n in wanted if (a := self._amount(row, n)) is not None and a.is_whole}
            if len(amounts) < len(wanted):
                continue
            possible, missed = int(amounts["possible_sessions"].value), int(amounts["missed_sessions"].value)
            if not 0 < missed < possible:
                continue
            fits = []
            for unit in tried:
                parts = {n: int(a.value) if unit == "count" else a for n, a in amounts.items() if n in names}
                given = Given(possible, missed, parts.get("authorised"), parts.get("unauthorised"))
                if len(names) == 2 and work_out(given) is not None:
                    fits.append(unit)
            # Of about 100 sessions, both readings may fit: such a pupil says nothing.
            if len(fits) == 1:
                tried[fits[0]] += 1
        best = max(tried, key=lambda unit: tried[unit])
        others = sum(tried.values()) - tried[best]
        return best if tried[best] > 2 * others else ""

    def _age(self, row: PupilRow, academic_year: int) -> int | None:
        text = self._cell(row, "date_of_birth")
        if text:
            born = parse_date(text)[0]
            if born is not None:
                age = age_on_31_august(born, academic_year)
                if age in _AGES:
                    return age
                row.note("birth_unlikely", "dob")
            else:
                row.note("date_unreadable", "dob")
        if row.nc_year is None:
            return None
        # A pupil of Year 1 is 5 on 31 August before it.
        return 4 if row.nc_year == "R" else int(row.nc_year) + 4

    def _year_group(self, row: PupilRow) -> str | None:
        text = self._cell(row, "nc_year")
        level = year_group(text) if text else None
        if text and level is None:
            row.note("year_group_code", "nc_year", _shown(text))
        return level

    def _whole(self, row: PupilRow, name: str) -> int | None:
        """Return a number of sessions; None if blank, or not one, which sets the row aside."""
        text = self._cell(row, name)
        if not text:
            return None
        amount = read_amount(text)
        if amount is not None and amount.value < 0:
            row.fail("sessions_negative", name, _shown(text))
        elif amount is None or not amount.is_whole:
            row.fail("sessions_not_number", name, _shown(text))
        else:
            return int(amount.value)
        return None

    def _share(self, row: PupilRow, name: str) -> Amount | int | None:
        """Return a part as sessions or percentage; None if blank, or not one, which sets the row aside."""
        if name not in self._units or self._units[name] == "count":
            return self._whole(row, name)
        text = self._cell(row, name)
        if not text:
            return None
        amount = read_amount(text)
        amount = amount and amount.times(1 if amount.is_percent else self._factor)
        if amount is None or not 0 <= amount.value <= 100:
            row.fail("portal_percent", name, _shown(text))
            return None
        return amount

    def _sessions(self, row: PupilRow) -> None:
        possible = self._whole(row, "possible_sessions")
        missed = self._whole(row, "missed_sessions")
        parts = {name: self._share(row, name) for name in ("authorised", "unauthorised", "absence", "attendance")}
        # Attendance in sessions is what is left of the possible ones.
        absence, attendance = (p if isinstance(p, Amount) else None for p in (parts["absence"], parts["attendance"]))
        if missed is None and isinstance(parts["absence"], int):
            missed = parts["absence"]
        if possible is None:
            if not row.rules:
                row.fail("possible_blank", "possible_sessions")
            return
        if possible > MOST_POSSIBLE:
            row.fail("possible_too_many", "possible_sessions", str(possible))
        if row.rules:
            return
        given = Given(possible, missed, parts["authorised"], parts["unauthorised"], absence, attendance)
        if missed is not None and missed > possible:
            row.fail("absent_over_possible", "missed_sessions", f"{missed} of {possible}")
            return
        worked = work_out(given)
        if worked is None:
            row.fail("portal_parts_differ", "authorised" if "authorised" in self._columns else "unauthorised")
            return
        if worked.authorised + worked.unauthorised > possible:
            row.fail(
                "absent_over_possible", "possible_sessions", f"{worked.authorised + worked.unauthorised} of {possible}"
            )
            return
        row.possible, row.authorised, row.unauthorised = possible, worked.authorised, worked.unauthorised
        if possible > LONG_YEAR:
            row.note("possible_unlikely", "possible_sessions", str(possible))
        if not worked.is_exact:
            row.note("portal_from_percent", "authorised" if "authorised" in self._columns else "unauthorised")
        days = self._whole(row, "full_days_missed")
        if not agrees(given, worked.authorised + worked.unauthorised) or (
            days is not None and 2 * days > worked.authorised + worked.unauthorised
        ):
            row.note("portal_totals", "attendance" if "attendance" in self._columns else "missed_sessions")

    def row_findings(self) -> list[Finding]:
        """Return what was found in the rows: one finding for each rule and column, with its first row."""
        found: dict[tuple[str, str], list[tuple[int, str | None]]] = {}
        for row in self.rows:
            for rule, column, value in row.noted:
                found.setdefault((rule, column), []).append((row.line, value))
        result = []
        for (rule, column), places in found.items():
            says, fix = _SAYS[rule]
            line, value = places[0]
            held = self._columns.get("date_of_birth" if column == "dob" else column)
            shown = column if column in _MASKED or held is None else show(held.title)
            result.append(finding(rule, self.file, says, row=line, column=shown, value=value, fix=fix,
                                  count=len(places)))  # fmt: skip
        return result
