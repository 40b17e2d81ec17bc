"""When a penalty notice for absence may be considered, as data (``reference/penalty_notices.yaml``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from attendance_toolkit.errors import VocabularyError
from attendance_toolkit.vocabulary._reference import parse_yaml, read_yaml_text
from attendance_toolkit.vocabulary.register_codes import all_register_codes

FILE = "penalty_notices.yaml"
KIND = "penalty notices"
_NUMBERS = ("sessions", "school_weeks", "recoded_within_days", "most_notices", "years")
_KEYS = ("kind", "source", "in_force", *_NUMBERS, "codes", "not_yet", "amounts")
_AMOUNT_KEYS = ("notice", "pounds", "within_days")


@dataclass(frozen=True)
class PenaltyRule:
    """The threshold and what follows.

    Attributes
    ----------
    in_force
        First day of the rule.
    sessions, school_weeks
        So many sessions within so many school weeks.
    codes
        Register codes that count, in any mix.
    not_yet, recoded_within_days
        The code of a reason not yet established, and the school days within which it is to be replaced.
    most_notices, years
        No more notices than this within so many years.
    amounts
        (number of the notice, pounds, days within which it is to be paid).
    """

    source: str
    in_force: date
    sessions: int
    school_weeks: int
    codes: tuple[str, ...]
    not_yet: str
    recoded_within_days: int
    most_notices: int
    years: int
    amounts: tuple[tuple[int, int, int], ...]

    def amount_in_words(self, notice: int) -> str:
        """Return what a notice asks for.

        >>> penalty_rule().amount_in_words(1), penalty_rule().amount_in_words(2)
        ('£80 if paid within 21 days, else £160 within 28 days', '£160 within 28 days')
        """
        due = sorted((days, pounds) for number, pounds, days in self.amounts if number == notice)
        words = [f"£{pounds}{' if paid' if place < len(due) - 1 else ''} within {days} days"
                 for place, (days, pounds) in enumerate(due)]  # fmt: skip
        return ", else ".join(words)


@cache
def penalty_rule() -> PenaltyRule:
    """Return the rule of England, from 19 August 2024.

    >>> rule = penalty_rule()
    >>> rule.sessions, rule.school_weeks, rule.codes
    (10, 10, ('G', 'N', 'O', 'U'))
    """
    return parse_penalty_rule(read_yaml_text(FILE), FILE)


def read_penalty_rule(file: str | Path) -> PenaltyRule:
    """Return a rule from a file.

    Raises
    ------
    VocabularyError
        The file cannot be read, or does not hold a rule. The message names the key.
    """
    path = Path(file)
    try:
        return parse_penalty_rule(path.read_text(encoding="utf-8-sig"), path.name)
    except (OSError, UnicodeDecodeError):
        raise VocabularyError(
            f"{path.name} cannot be read. Give a YAML file like reference/{FILE} of the toolkit, in UTF-8."
        ) from None


def parse_penalty_rule(text: str, name: str = "the rule") -> PenaltyRule:
    """Return a rule from YAML text.

    Raises
    ------
    VocabularyError
        The text is not YAML, or a key is missing, unknown or of the wrong type. The message names the key.
    """
    given = parse_yaml(text, name)
    if not isinstance(given, dict) or given.get("kind") != KIND:
        raise VocabularyError(
            f"{name} does not say when penalty notices are considered. It must begin with 'kind: {KIND}'."
        )
    _all_of(name, given, _KEYS)
    numbers = {key: _whole(f"{name}, {key}", given[key]) for key in _NUMBERS}
    known = {row.code for row in all_register_codes() if row.session_class == "unauthorised"}
    if not isinstance(given["codes"], list) or not given["codes"] or not known.issuperset(map(str, given["codes"])):
        raise VocabularyError(
            f"{name}, codes: write a list of codes of unauthorised absence: {', '.join(sorted(known))}."
        )
    codes = tuple(str(code) for code in given["codes"])
    if given["not_yet"] not in codes:
        raise VocabularyError(f"{name}, not_yet: '{given['not_yet']}' is not one of codes: {', '.join(codes)}.")
    if not isinstance(given["in_force"], date):
        raise VocabularyError(f"{name}, in_force: '{given['in_force']}' is not a date. Write it as 2024-08-19.")
    if not isinstance(given["amounts"], list):
        raise VocabularyError(f"{name}, amounts: write a list, as in [{{notice: 1, pounds: 160, within_days: 28}}].")
    return PenaltyRule(
        " ".join(str(given["source"]).split()),
        given["in_force"],
        numbers["sessions"],
        numbers["school_weeks"],
        codes,
        str(given["not_yet"]),
        numbers["recoded_within_days"],
        numbers["most_notices"],
        numbers["years"],
        tuple(_amount(f"{name}, amounts", row) for row in given["amounts"]),
    )


def _amount(where: str, row: Any) -> tuple[int, int, int]:
    if not isinstance(row, dict):
        raise VocabularyError(f"{where}: '{row}' has no keys. Write {{notice: 1, pounds: 160, within_days: 28}}.")
    _all_of(where, row, _AMOUNT_KEYS)
    notice, pounds, days = (_whole(f"{where}, {key}", row[key]) for key in _AMOUNT_KEYS)
    return notice, pounds, days


def _all_of(where: str, given: dict[Any, Any], keys: Iterable[str]) -> None:
    allowed = tuple(keys)
    for key in allowed:
        if key not in given:
            raise VocabularyError(f"{where}: '{key}' is missing. Give it.")
    for key in given:
        if key not in allowed:
            raise VocabularyError(f"{where}: '{key}' is not a key. Use: {', '.join(allowed)}.")


def _whole(where: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1000:
        raise VocabularyError(f"{where}: '{value}' is not allowed. Write a whole number above 0.")
    return value
