"""Claims: sentences of a report about its figures, as data that can be checked.

A claims file is YAML: ``kind: claims``, ``name``, ``source`` and ``claims``, a list of entries with ``check``, ``where``
(section of the report), ``text`` (quoted briefly) and what the check needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from attendance_toolkit.errors import UnreadableFileError, VocabularyError, did_you_mean
from attendance_toolkit.vocabulary._reference import parse_yaml

KIND = "claims"
_NUMBER, _WHOLE, _TEXT, _LIST = (int, float), (int,), (str,), (list,)
#: Check -> key -> types; a key that ends in "?" may be left out.
CHECKS: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "gap": {"local": _TEXT, "national": _TEXT, "pairs": _LIST, "relation": _TEXT},
    "sample": {"total": _WHOLE, "share": _NUMBER, "parts": _LIST, "decimals?": _WHOLE},
    "share": {"count": _WHOLE, "percent": _NUMBER, "of?": _WHOLE, "decimals?": _WHOLE},
    "change": {"before": _NUMBER, "after": _NUMBER, "printed": _NUMBER, "unit": _TEXT},
    "start date": {"event": _TEXT, "printed": (date, str)},
    "threshold": {"measure": _TEXT, "attendance": _NUMBER, "includes": (bool,)},
    "equivalent": {"count": _WHOLE, "previous_percent": _NUMBER, "cohort": _WHOLE, "printed": _WHOLE},
    "sum": {"total": _WHOLE, "parts": _LIST},
    "words": {"words": _LIST, "quotes": _LIST},
    "lost learning": {"rows": _LIST},
}
RELATIONS = ("narrower", "wider", "in line")
UNITS = ("%", "percentage points")
_COMMON = ("check", "where", "text")


@dataclass(frozen=True)
class Claim:
    """One sentence of a report and the numbers it rests on."""

    check: str
    where: str
    text: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Claims:
    """The claims of one report."""

    name: str
    source: str
    claims: tuple[Claim, ...]


def parse_claims(text: str, name: str) -> Claims:
    """Return the claims a YAML text holds.

    Raises
    ------
    UnreadableFileError
        A check is not known, or a value is missing or of the wrong type: the message names it.
    """
    try:
        given = parse_yaml(text, name)
    except VocabularyError as error:
        raise UnreadableFileError(str(error)) from None
    if not isinstance(given, dict) or given.get("kind") != KIND or not isinstance(given.get("claims"), list):
        raise UnreadableFileError(f"{name} holds no claims. It must have 'kind: {KIND}' and a list named claims.")
    claims = tuple(_claim(f"{name}, claim {number}", row) for number, row in enumerate(given["claims"], 1))
    return Claims(str(given.get("name") or name), str(given.get("source", "")), claims)


def _claim(where: str, row: Any) -> Claim:
    if not isinstance(row, dict) or row.get("check") not in CHECKS:
        named = row.get("check") if isinstance(row, dict) else row
        raise UnreadableFileError(
            f"{where}, check: '{named}' is not allowed. Use one of: {', '.join(CHECKS)}."
            + did_you_mean(str(named), CHECKS)
        )
    needs = CHECKS[row["check"]]
    values = {}
    for key, types in needs.items():
        plain = key.removesuffix("?")
        if plain not in row:
            if key.endswith("?"):
                continue
            raise UnreadableFileError(f"{where} ({row['check']}): {plain} is missing. Add it.")
        value = row[plain]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            shown = " or ".join(kind.__name__ for kind in types)
            raise UnreadableFileError(f"{where}, {plain}: '{value}' is not allowed; {shown} is needed. Correct it.")
        values[plain] = value
    allowed = [key.removesuffix("?") for key in needs]
    for key in row:
        if key not in (*_COMMON, *allowed):
            raise UnreadableFileError(
                f"{where}: '{key}' is not a key of '{row['check']}'. Use one of: {', '.join((*_COMMON, *allowed))}."
            )
    _check_values(where, row["check"], values)
    return Claim(row["check"], str(row.get("where", "")), str(row.get("text", "")), values)


def _check_values(where: str, check: str, values: Mapping[str, Any]) -> None:
    """Refuse lists of the wrong shape and words that are not allowed."""
    wrong = ""
    if check == "gap":
        pairs = values["pairs"]
        if values["relation"] not in RELATIONS:
            wrong = f"relation: '{values['relation']}' is not allowed. Use one of: {', '.join(RELATIONS)}."
        elif not all(isinstance(p, list) and len(p) == 2 and all(isinstance(g, str) for g in p) for p in pairs):
            wrong = "pairs: each is a list of two groups, as in [EHC, No SEN]."
    elif check == "change" and values["unit"] not in UNITS:
        wrong = f"unit: '{values['unit']}' is not allowed. Use one of: {', '.join(UNITS)}."
    elif check in ("sample", "sum") and not all(_is_number(part) for part in values["parts"]):
        wrong = "parts: numbers are needed. Write them as in [12, 34]."
    elif check == "lost learning" and not all(
        isinstance(row, list) and len(row) == 3 and all(_is_number(cell) for cell in row) for row in values["rows"]
    ):
        wrong = "rows: each is [attendance in percent, weeks, days]."
    elif check == "words" and not all(isinstance(word, str) for word in (*values["words"], *values["quotes"])):
        wrong = "words and quotes: texts are needed. Put them in quotation marks."
    if wrong:
        raise UnreadableFileError(f"{where}, {wrong}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
