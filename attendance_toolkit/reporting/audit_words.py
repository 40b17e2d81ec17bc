"""How the audit names things: groups, counts and rules in words a data-protection officer reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attendance_toolkit.disclosure import clearing, primary
from attendance_toolkit.errors import AttendanceError
from attendance_toolkit.vocabulary.areas import find_area
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import LABELS

#: Why the rules hide a cell by itself -> in words.
RULES = {
    primary.SMALL_GROUP: "The group has fewer pupils than the threshold",
    primary.FEW: "Fewer pupils of the group than the threshold are counted, or none",
    primary.ALL_BUT_FEW: "All pupils of the group are counted, or all but fewer than the threshold",
    primary.FEW_CONTRIBUTE: "The sessions are of fewer pupils than the threshold",
    primary.ONE_OR_TWO: "One or two pupils may have missed most of the sessions",
    clearing.WITH_PUPILS: "The sessions are of a group, or of pupils, whose number is hidden",
    clearing.HIDDEN_BEFORE: "An earlier release hid the figure",
    clearing.CHANGED: "Since an earlier release showed the figure, it changed by fewer pupils than the threshold",
}
#: What is hidden by none of these rules.
CLOSES = "Not small itself: with it, a small figure could be worked out from the rest of a sum"
_COUNTS = {"enrolments": "enrolments", "no_absence_enrolments": "enrolments with no absence"}


def rule_in_words(why: str) -> str:
    """Return why a figure is hidden, in words.

    >>> rule_in_words("")
    'Not small itself: with it, a small figure could be worked out from the rest of a sum'
    """
    return RULES.get(why, why[:1].upper() + why[1:]) if why else CLOSES


def count_in_words(count: str) -> str:
    """Return what a cell counts, in words.

    >>> count_in_words("persistent_absentees"), count_in_words("not:severe_absentees"), count_in_words("band:50% or more")
    ('persistent absentees', 'all but severe absentees', 'enrolments in the band 50% or more')
    """
    kind, colon, rest = count.partition(":")
    if colon and kind == "not":
        return f"all but {count_in_words(rest)}"
    if colon and kind == "band":
        return f"enrolments in the band {rest}"
    return _COUNTS.get(count, count.replace("_", " ").replace(":", ", "))


def group_in_words(row: Mapping[str, Any], dimensions: tuple[str, ...]) -> str:
    """Return the group of pupils a cell is about: area, year, then its other levels.

    >>> row = {"area_code": "E08000009", "academic_year": "202324", "phase": "Primary", "sex": ""}
    >>> group_in_words(row, ("academic_year", "area_code", "phase", "sex"))
    'Trafford, 2023/24, School type: Primary'
    """
    parts = [_area(row.get("area_code")), _year(row.get("academic_year"))]
    parts += [
        f"{LABELS.get(name, name.replace('_', ' ').capitalize())}: {row[name]}"
        for name in dimensions
        if name not in ("area_code", "academic_year") and row.get(name)
    ]
    return ", ".join(part for part in parts if part) or "all pupils"


def area_name(code: str) -> str:
    """Return the name of an area, or its code where it is not one the toolkit knows.

    >>> area_name("E08000009"), area_name("")
    ('Trafford', 'Not of one area')
    """
    return _area(code) or "Not of one area"


def _area(code: Any) -> str:
    if not code:
        return ""
    try:
        return find_area(str(code)).name
    except AttendanceError:
        return str(code)


def _year(year: Any) -> str:
    if not year:
        return ""
    text = str(year)
    return show_academic_year(int(text)) if text.isdigit() else text
