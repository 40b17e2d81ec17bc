"""Reading single values of an extract: dates, whole numbers, school numbers and register codes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache

from attendance_toolkit.errors import VocabularyError
from attendance_toolkit.schema.findings import mask
from attendance_toolkit.vocabulary.register_codes import all_register_codes, classify_code

_MONTHS = {
    m: i for i, m in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
_EXTRACT = re.compile(r"^(\d{4})-([A-Za-z]{3}|\d{1,2})-(\d{1,2})(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?Z?$")
_SLASHED = re.compile(r"^(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})(?: \d{1,2}:\d\d(?::\d\d)?)?$")
_SERIAL = re.compile(r"^(\d{5})(?:\.\d+)?$")
#: A comma is taken for one between thousands only where it stands there: in 12,5 it is a decimal comma.
_WHOLE = re.compile(r"(-?)([0-9]{1,6}|[0-9]{1,3},[0-9]{3})(?:\.0*)?")


@lru_cache(maxsize=200_000)
def parse_date(text: str) -> tuple[date | None, str]:
    """Return the day a text means, and how it was written: extract, day first, serial, unclear or unreadable.

    >>> parse_date("2024-Sep-09 00:00:00")
    (datetime.date(2024, 9, 9), 'extract')
    >>> parse_date("25/12/2011"), parse_date("40902")
    ((datetime.date(2011, 12, 25), 'day first'), (datetime.date(2011, 12, 25), 'serial'))
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
    >>> parse_whole("1,234"), parse_whole("12,5"), parse_whole("1_0")
    ((1234, ''), (None, 'not number'), (None, 'not number'))
    """
    cell = text.strip()
    if not cell:
        return None, "blank"
    match = _WHOLE.fullmatch(cell)
    if not match:
        return None, "not number"
    number = int(match[2].replace(",", ""))
    return (None, "negative") if match[1] and number else (number, "")


DATE_FINDINGS: dict[str, tuple[str, str, str]] = {
    "serial": ("date_spreadsheet", "'{value}' is a spreadsheet's day number; it was turned back into a date.", ""),
    "day first": ("date_day_first", "'{value}' was read with the day first.", ""),
    "unclear": ("date_day_first", "'{value}' was read with the day first, like the other dates of the column.", ""),
    "unreadable": (
        "date_unreadable",
        "'{value}' is not a date that can be read with certainty.",
        "Write dates as 2024-Sep-09. The date is left out.",
    ),
    "unlikely": (
        "birth_unlikely",
        "'{value}' is not a date of birth of a pupil.",
        "The date is left out; check the year.",
    ),
}
UPN_FINDINGS = {
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


def show(text: str) -> str:
    """Return a value for a message: short, on one line, and nothing that looks like a UPN."""
    shown = " ".join(str(text).split())[:40]
    return mask(shown) if re.search(r"[A-Za-z]\d{11}[0-9A-Za-z]", shown) else shown


def known(level: str) -> str | None:
    """Return a level, or None for Unknown."""
    return None if level == "Unknown" else level


def years_before(day: date, years: int) -> date:
    """Return the same day some years earlier; 28 February for 29 February."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


def laestab_of(school: dict[str, str], native: str) -> int | None:
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


def listed(codes: Iterable[str]) -> str:
    """Return codes of the toolkit as a list of SQL literals."""
    return ", ".join("'" + code.replace("'", "''") + "'" for code in codes)


class RegisterCodes:
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
                return f"'{show(text)}' did not exist before {row.valid_from.isoformat()}.", "register_code_new"
        return f"'{show(text)}' is not a register code.", "register_code"


@lru_cache(maxsize=64)
def codes_on(day: date) -> RegisterCodes:
    """Return the register codes as they are read on one day."""
    return RegisterCodes(day)
