"""What the columns of a register are: the names they go by, and the headers of one column per session."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from attendance_toolkit.loaders._head import Head, Recognised
from attendance_toolkit.loaders._text import clean_header
from attendance_toolkit.loaders._values import parse_date
from attendance_toolkit.vocabulary.calendar import academic_year_of, show_academic_year

#: Header in the spelling of ``clean_header`` without brackets and dots -> what the column holds.
ALIASES = {
    **dict.fromkeys(("upn", "uniquepupilnumber", "pupilupn", "studentupn", "upnnumber"), "upn"),
    **dict.fromkeys(
        ("laestab", "dfenumber", "dfeno", "dfecode", "schooldfenumber", "schooldfeno", "schoollaestab", "dfesnumber",
         "establishmentdfenumber"), "laestab"
    ),
    **dict.fromkeys(("la", "lea", "lacode", "lanumber", "leanumber", "leacode", "localauthoritycode"), "lea"),
    **dict.fromkeys(("estab", "establishmentnumber", "estabnumber", "estabno", "establishment"), "estab"),
    **dict.fromkeys(("urn", "schoolurn", "uniquereferencenumber"), "urn"),
    **dict.fromkeys(
        ("date", "attendancedate", "sessiondate", "markdate", "registerdate", "dateofsession"), "date"
    ),
    **dict.fromkeys(
        ("datetime", "sessiondatetime", "attendancedatetime", "markdatetime", "startdatetime", "sessionstart",
         "timestamp"), "date"
    ),
    **dict.fromkeys(
        ("session", "ampm", "sessionname", "period", "registersession", "sessiontype", "attendancesession",
         "sessionampm"), "session"
    ),
    **dict.fromkeys(
        ("mark", "code", "attendancecode", "attendancemark", "sessioncode", "registercode", "registermark",
         "markcode", "sessionmark"), "code"
    ),
    **dict.fromkeys(("dob", "dateofbirth", "birthdate"), "dob"),
    **dict.fromkeys(("sex", "gender", "legalsex"), "sex"),
    **dict.fromkeys(("ncyear", "ncyearactual", "yeargroup", "nationalcurriculumyear"), "nc_year"),
    **dict.fromkeys(("fsm", "fsmeligible", "fsmstatus", "freeschoolmeals", "eligibleforfreemeals"), "fsm"),
    **dict.fromkeys(("sen", "senprovision", "senstatus", "senstage"), "sen"),
}  # fmt: skip
#: Columns that describe a pupil, in the order in which they are kept.
PUPIL_ROLES = ("dob", "sex", "nc_year", "fsm", "sen")
LABELS = {
    "upn": "UPN", "date": "the date of the session", "session": "AM or PM", "code": "the attendance code",
}  # fmt: skip
_SESSION_WORDS = {
    **dict.fromkeys(("am", "a", "1", "m", "a.m.", "a.m", "morning", "am session", "session 1", "s1"), "AM"),
    **dict.fromkeys(("pm", "p", "2", "p.m.", "p.m", "afternoon", "pm session", "session 2", "s2"), "PM"),
}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HALF = re.compile(r"(?:^|(?<=[\s_/\-:,]))(a\.?m\.?|p\.?m\.?|morning|afternoon)(?=$|[\s_/\-:,])", re.IGNORECASE)
_WEEKDAY = re.compile(r"^(mon|tue|wed|thu|fri|sat|sun)[a-z]*[\s,]+", re.IGNORECASE)
_NAMED_MONTH = re.compile(r"^(\d{1,2})[\s\-/]+([A-Za-z]{3,9})[\s\-/]+(\d{4})$")
_TIME = re.compile(r"(?:[ T])(\d{1,2}):(\d\d)(?::\d\d(?:\.\d+)?)?\s*([AaPp][Mm])?(?:Z|[+-]\d\d(?::?\d\d)?)?$")
_COMPACT = re.compile(r"^(\d{4})(\d\d)(\d\d)$")
_SERIAL_TIME = re.compile(r"^\d{5}(\.\d+)$")


def role_of(header: str) -> str | None:
    """Return what a column holds, by its header, or None.

    >>> role_of("Unique Pupil Number"), role_of("AM/PM"), role_of("DfE No."), role_of("Surname")
    ('upn', 'session', 'laestab', None)
    """
    return ALIASES.get(re.sub(r"[^a-z0-9]", "", clean_header(header)))


def session_of(text: str) -> str | None:
    """Return "AM" or "PM" for a word, letter or number that says so.

    M is morning beside A for afternoon in some systems and A is AM beside P in others; see ``session_words``.

    >>> session_of("Morning"), session_of("2"), session_of("PM"), session_of("Tutor")
    ('AM', 'PM', 'PM', None)
    """
    return _SESSION_WORDS.get(re.sub(r"\s+", " ", text.strip().lower()))


def session_words(texts: Iterable[str]) -> dict[str, str | None]:
    """Return what the distinct words of a session column mean: beside M, A is the afternoon.

    Numbers above 2 are lessons, so that 1 and 2 are not the two sessions of a day either.

    >>> session_words(["M", "A"]), session_words(["A", "P"]), session_words(["1", "3"])
    ({'M': 'AM', 'A': 'PM'}, {'A': 'AM', 'P': 'PM'}, {'1': None, '3': None})
    """
    words = list(texts)
    plain = {word.strip().lower() for word in words}
    found = {word: session_of(word) for word in words}
    if "m" in plain and "p" not in plain:
        found |= {word: "PM" for word in words if word.strip().lower() == "a"}
    if any(word.isdigit() and int(word) > 2 for word in plain):
        found |= {word: None for word in words if word.strip().isdigit()}
    return found


def read_day(text: str) -> tuple[date | None, str, str]:
    """Return day, session ("" if the text has no time of day) and how the day was written.

    Times before noon are the morning session. Midnight alone is no time: exports of plain dates have it.

    >>> read_day("2024-09-09 13:05:00"), read_day("09/09/2024 08:45")
    ((datetime.date(2024, 9, 9), 'PM', 'extract'), (datetime.date(2024, 9, 9), 'AM', 'unclear'))
    >>> read_day("20240909"), read_day("45544.5"), read_day("9 Sep 2024")[0]
    ((datetime.date(2024, 9, 9), '', 'extract'), (datetime.date(2024, 9, 9), 'PM', 'serial'), datetime.date(2024, 9, 9))
    """
    cell = text.strip()
    session = ""
    if match := _TIME.search(cell):
        hour, minute, half = int(match[1]), int(match[2]), (match[3] or "").upper()
        if half:
            session = half
        elif hour or minute:
            session = "AM" if hour < 12 else "PM"
        cell = cell[: match.start()].strip()
    elif match := _SERIAL_TIME.match(cell):
        share = float(match[1])
        session = "" if share == 0 else "AM" if share < 0.5 else "PM"
    if match := _COMPACT.match(cell):
        cell = "-".join(match.groups())
    elif match := _NAMED_MONTH.match(cell):
        cell = f"{match[3]}-{match[2][:3]}-{match[1]}"
    day, style = parse_date(cell)
    return day, session, style


def session_header(header: str) -> tuple[str, str, str] | None:
    """Return the day as text, the session and the weekday (may be empty) of a column header for one session.

    >>> session_header("2024-09-09 AM"), session_header("Mon 09 Sep 2024 pm")
    (('2024-09-09', 'AM', ''), ('09 Sep 2024', 'PM', 'mon'))
    >>> session_header("PM 09/09/2024"), session_header("Form"), session_header("2024-09-09")
    (('09/09/2024', 'PM', ''), None, None)
    """
    halves = _HALF.findall(header)
    if len(halves) != 1:
        return None
    rest = _HALF.sub("", header, count=1).strip(" _/-:,")
    weekday = ""
    if match := _WEEKDAY.match(rest + " "):
        weekday, rest = match[1].lower(), rest[match.end() :].strip(" ,")
    if not re.search(r"\d", rest) or read_day(rest)[2] in ("unreadable", "blank"):
        return None
    return rest, "AM" if halves[0][0].lower() in ("a", "m") else "PM", weekday


def is_weekday(day: date, name: str) -> bool:
    """Whether a day is the weekday that is said with it; an empty name says nothing.

    >>> is_weekday(date(2024, 9, 9), "mon"), is_weekday(date(2024, 9, 9), "tue"), is_weekday(date(2024, 9, 9), "")
    (True, False, True)
    """
    return not name or _WEEKDAYS[day.weekday()] == name


def is_month_first(texts: Sequence[str]) -> bool:
    """Whether dates with slashes are written with the month first: a second number above 12, or only then no weekends.

    >>> is_month_first(["09/13/2024", "09/09/2024"]), is_month_first(["13/09/2024", "09/09/2024"])
    (True, False)
    >>> is_month_first(["09/02/2024", "09/03/2024", "09/04/2024", "09/05/2024", "09/06/2024"])
    True
    """
    styles = {text: read_day(text) for text in texts}
    kinds = {style for _, _, style in styles.values()}
    if "month first" in kinds:
        return True
    unclear = [day for day, _, style in styles.values() if style == "unclear" and day]
    if "day first" in kinds or len(unclear) < 5:
        return False
    turned = [day.replace(month=day.day, day=day.month) for day in unclear]
    weekends = sum(day.weekday() > 4 for day in unclear)
    # Two days of seven fall on a weekend by chance; a register has none.
    return weekends >= 1 and not any(day.weekday() > 4 for day in turned)


@dataclass
class Layout:
    """Where things are in a register: role -> column number, and the columns of sessions of a wide one."""

    roles: dict[str, int] = field(default_factory=dict)
    sessions: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    """Column number -> day as text, session, weekday."""
    repeated: list[str] = field(default_factory=list)
    """Headers whose role, or session, another column has already."""

    @property
    def is_wide(self) -> bool:
        """Whether there is one column for each session."""
        return len(self.sessions) > 1 and "code" not in self.roles

    @property
    def is_register(self) -> bool:
        """Whether this can only be a register."""
        if "upn" not in self.roles:
            return False
        return self.is_wide or ("date" in self.roles and bool({"code", "session"} & set(self.roles)))


def layout_of(header: Sequence[str]) -> Layout:
    """Return what the columns of a register hold.

    >>> layout_of(["UPN", "DfE No", "Date", "Session", "Mark"]).roles
    {'upn': 0, 'laestab': 1, 'date': 2, 'session': 3, 'code': 4}
    """
    found = Layout()
    taken: dict[tuple[date | None, str], int] = {}
    for place, cell in enumerate(header):
        if session := session_header(cell):
            key = (read_day(session[0])[0], session[1])
            if key in taken:
                found.repeated.append(cell)
            taken[key] = place
            found.sessions[place] = session
            continue
        role = role_of(cell)
        if role is None:
            continue
        if role in found.roles:
            found.repeated.append(cell)
        else:
            found.roles[role] = place
    return found


def recognise(head: Head) -> Recognised | None:
    """Return what a file is when it is a register of marks, else None.

    A register has a UPN, a date or columns of sessions, and marks; extracts of the census, exclusions and lists
    of pupils have no marks by session.
    """
    if head.format not in ("csv", "parquet", "workbook"):
        return None
    sheets = list(head.sheets.values()) if head.sheets else [head.rows]
    layouts = [(layout_of(rows[0]), rows[1:]) for rows in sheets if rows]
    layouts = [(found, rows) for found, rows in layouts if found.is_register]
    if not layouts:
        return None
    found, rows = layouts[0]
    days = [text for text, _, _ in found.sessions.values()]
    if not found.is_wide:
        place = found.roles["date"]
        days = [row[place] for row in rows if len(row) > place]
    years = sorted({academic_year_of(day) for day, _, _ in map(read_day, days) if day})
    # No number in words: pages show this text, and their gate would take it for a figure.
    shape = "a column for each session" if found.is_wide else "a row for each mark"
    said = f", {', '.join(show_academic_year(y) for y in years)}" if years else ""
    return Recognised(
        "register",
        "register_wide" if found.is_wide else "register_long",
        f"a register of attendance marks with {shape}{said}",
        "every pupil-level measure, by half term; year-to-date figures before a census carries them",
        tuple(years),
    )


def check_year(academic_year: int, today: date) -> bool:
    """Whether marks can be of an academic year: electronic registers began after 2000, and none is of the future.

    >>> check_year(202324, date(2024, 9, 1)), check_year(199900, date(2024, 9, 1)), check_year(202526, date(2024, 9, 1))
    (True, False, False)
    """
    return 200001 <= academic_year <= academic_year_of(today)
