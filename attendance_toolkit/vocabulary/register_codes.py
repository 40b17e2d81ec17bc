"""Register codes by session date: which class a mark falls in, and which reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache

from attendance_toolkit.errors import VocabularyError
from attendance_toolkit.vocabulary._reference import read_reference

#: Classes that make up possible sessions. ``covid`` is counted in possible sessions but is not an absence.
POSSIBLE_CLASSES = ("present", "approved_educational_activity", "authorised", "unauthorised", "covid")
SESSION_CLASSES = (*POSSIBLE_CLASSES, "not_possible", "administrative", "missing")

#: Reason columns, in DfE's order (their published names add ``sess_``).
AUTHORISED_REASONS = (
    "auth_illness",
    "auth_appointments",
    "auth_religious",
    "auth_study",
    "auth_traveller",
    "auth_holiday",
    "auth_excluded",
    "auth_interview",
    "auth_reg_performance",
    "auth_temp_reduced_timetable",
    "auth_other",
)
UNAUTHORISED_REASONS = ("unauth_holiday", "unauth_late", "unauth_other", "unauth_noyet")
REASON_LABELS = {
    "auth_illness": "Illness",
    "auth_appointments": "Medical or dental appointments",
    "auth_religious": "Religious observance",
    "auth_study": "Study leave",
    "auth_traveller": "Parent travelling for work",
    "auth_holiday": "Authorised holiday",
    "auth_excluded": "Suspended or excluded",
    "auth_interview": "Interview",
    "auth_reg_performance": "Regulated performance",
    "auth_temp_reduced_timetable": "Part-time timetable",
    "auth_other": "Other authorised",
    "auth_unclassified": "Authorised, reason not given",
    "unauth_holiday": "Unauthorised holiday",
    "unauth_late": "Late after the register closed",
    "unauth_other": "Other unauthorised",
    "unauth_noyet": "No reason yet",
    "unauth_unclassified": "Unauthorised, reason not given",
}


@dataclass(frozen=True)
class RegisterCode:
    """One row of ``reference/register_codes.csv``."""

    code: str
    meaning: str
    session_class: str
    reason: str
    valid_from: date
    valid_to: date


@cache
def all_register_codes() -> tuple[RegisterCode, ...]:
    """Return both code sets, each code with the days it is valid."""

    def day(text: str, default: date) -> date:
        return date.fromisoformat(text) if text else default

    return tuple(
        RegisterCode(
            row["code"],
            row["meaning"],
            row["session_class"],
            row["reason"],
            day(row["valid_from"], date.min),
            day(row["valid_to"], date.max),
        )
        for row in read_reference("register_codes.csv")
    )


@cache
def _by_code() -> dict[str, tuple[RegisterCode, ...]]:
    found: dict[str, list[RegisterCode]] = {}
    for row in all_register_codes():
        found.setdefault(row.code, []).append(row)
    return {code: tuple(rows) for code, rows in found.items()}


def classify_code(code: str, session_date: date, *, covid_x_possible: bool = True) -> tuple[RegisterCode, bool]:
    """Return the meaning of a mark on a session date, and whether the code is out of date then.

    H, J, Y and F still turn up after 19 August 2024; they keep their old meaning and are marked out of
    date, so a caller can list them. A code that did not exist yet on the date is an error.

    Parameters
    ----------
    covid_x_possible
        Count X as a possible session from September 2020 to March 2022, as DfE's published
        figures of those years do.

    Raises
    ------
    VocabularyError
        The code does not exist, or did not exist yet on that date.

    >>> classify_code("I", date(2024, 1, 9))[0].session_class
    'authorised'
    >>> classify_code("X", date(2021, 11, 1))[0].session_class, classify_code("X", date(2023, 11, 1))[0].session_class
    ('covid', 'not_possible')
    >>> classify_code("H", date(2024, 9, 9))[1]
    True
    """
    rows = _by_code().get(code.strip().upper() or "-")
    if rows is None:
        raise VocabularyError(f"'{code}' is not a register code. Use one of: {', '.join(sorted(_by_code()))}.")
    valid = [row for row in rows if row.valid_from <= session_date <= row.valid_to]
    if valid:
        # The covid meaning of X overlaps its ordinary one: the narrower one wins unless switched off.
        special = [row for row in valid if row.session_class == "covid"]
        plain = [row for row in valid if row.session_class != "covid"]
        return (special if special and covid_x_possible else plain)[0], False
    ended = [row for row in rows if row.valid_to < session_date and row.session_class != "covid"]
    if ended:
        return ended[-1], True
    raise VocabularyError(
        f"'{code}' did not exist on {session_date.isoformat()}: it is valid from {rows[0].valid_from.isoformat()}."
    )


@dataclass(frozen=True)
class ReadMark:
    """What one mark on one day counts as.

    Attributes
    ----------
    outcome
        "attended", "covid", a reason such as "auth_illness", "none" for a mark that is not of a possible session,
        "blank" for a missing mark, or "" for one that cannot be used.
    fault
        "" or the screening rule that it breaks.
    is_old
        Whether the code had ended by then; it keeps its old meaning.
    """

    outcome: str
    fault: str = ""
    is_old: bool = False


@cache
def read_mark(code: str, session_date: date) -> ReadMark:
    """Return what a mark counts as, by the code set of the session date.

    >>> read_mark("i", date(2024, 9, 9)).outcome, read_mark("X", date(2021, 11, 1)).outcome
    ('auth_illness', 'covid')
    >>> read_mark("Y7", date(2023, 9, 4)).fault, read_mark("?", date(2023, 9, 4)).fault
    ('register_code_new', 'register_code')
    >>> read_mark("", date(2023, 9, 4)).outcome, read_mark("D", date(2023, 9, 4)).outcome
    ('blank', 'none')
    """
    text = code.strip().upper()
    if (text or "-") not in _by_code():
        return ReadMark("", "register_code")
    try:
        row, is_old = classify_code(text, session_date)
    except VocabularyError:
        return ReadMark("", "register_code_new")
    outcomes = {"present": "attended", "approved_educational_activity": "attended", "covid": "covid",
                "missing": "blank"}  # fmt: skip
    return ReadMark(row.reason or outcomes.get(row.session_class, "none"), "", is_old)
