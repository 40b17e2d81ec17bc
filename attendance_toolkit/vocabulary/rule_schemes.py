"""Rule schemes: levels of a quantity, such as a RAG rating or a graduated response, as data.

A scheme is a YAML document: ``kind: rule scheme``, ``name``, ``source``, ``quantity``, ``unit``, ``direction`` ("higher
is better" or "lower is better"), ``range`` ([lowest, highest], null for no end), ``levels`` and, where there are any,
``default`` (the level of values in no other), ``combine`` and ``groups``, ``actions`` and ``examples``. A level has a
``name``, ``rank`` (0 is best), ``from``, ``to`` and ``includes`` ("from", "to", "both" or "neither"; both if not said).

A rating of schools also has ``minimum_cohort`` (enrolments a group needs to count; 10), ``comparator`` ("same cohort" or
"all pupils") and ``always`` (what every school is offered, whatever its level). A scheme of register marks has ``window``
(school days looked back on; 20) and ``possible`` (possible sessions a pupil needs in them; 20).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from attendance_toolkit.errors import VocabularyError, did_you_mean
from attendance_toolkit.vocabulary._reference import names_in, parse_yaml, read_yaml_text

KIND = "rule scheme"
UNITS = ("percent", "percentage points", "share", "sessions", "days", "weeks")
DIRECTIONS = ("higher is better", "lower is better")
INCLUDES = ("from", "to", "both", "neither")
COMBINES = ("", "any", "worst", "all only")
#: Whom a group is held against: the same group nationally, or all pupils nationally.
SAME_COHORT, ALL_PUPILS = "same cohort", "all pupils"
COMPARATORS = (SAME_COHORT, ALL_PUPILS)
_KEYS = ("kind", "replaces", "name", "source", "quantity", "unit", "direction", "range", "levels", "default", "combine", "groups",
         "actions", "examples", "minimum_cohort", "comparator", "always", "window", "possible")  # fmt: skip
_LEVEL_KEYS = ("name", "rank", "from", "to", "includes", "unit", "printed")


@dataclass(frozen=True)
class Level:
    """Values from ``low`` to ``high`` (None: no end), and which ends belong to it."""

    name: str
    rank: int | None
    low: Fraction | None
    high: Fraction | None
    has_low: bool = True
    has_high: bool = True
    unit: str = ""
    printed: str = ""


@dataclass(frozen=True)
class Scheme:
    """A rule scheme; levels in the order they are tried."""

    name: str
    source: str
    quantity: str
    unit: str
    direction: str
    low: Fraction | None
    high: Fraction | None
    levels: tuple[Level, ...]
    default: str = ""
    combine: str = ""
    groups: tuple[str, ...] = ()
    actions: tuple[tuple[str, str], ...] = ()
    """(what is done, level)."""
    examples: tuple[tuple[Fraction, int, int], ...] = ()
    """Lost learning: (attendance in percent, weeks, days)."""
    replaces: str = ""
    """Name of the toolkit's scheme that an authority's own takes the place of."""
    minimum_cohort: int = 10
    """Enrolments a group of a school needs before it can set a level."""
    comparator: str = SAME_COHORT
    """Whom a group of a school is held against: "same cohort" or "all pupils", of the same phase."""
    always: tuple[str, ...] = ()
    """What there is for everyone, whatever the level."""
    window: int = 20
    """School days a level of register marks looks back on."""
    possible: int = 20
    """Possible sessions a pupil needs in the window."""

    def actions_at(self, level: str) -> tuple[str, ...]:
        """Return what is done at a level, in the order of the scheme; what there is always is not in it.

        >>> rule_scheme("school_rag").actions_at("Green")[0]
        'Attendance meeting by request'
        """
        return tuple(action for action, where in self.actions if where == level)


def parse_scheme(text: str, name: str = "the scheme") -> Scheme:
    r"""Return a scheme from YAML text.

    Raises
    ------
    VocabularyError
        The text is not YAML, a key is missing, unknown or of the wrong type. The message names the key.

    >>> parse_scheme("kind: rule scheme\nname: A\nunit: percent\nlevels: []").name
    'A'
    """
    given = parse_yaml(text, name)
    if not isinstance(given, dict) or given.get("kind") != KIND:
        raise VocabularyError(f"{name} is not a rule scheme. It must begin with 'kind: {KIND}'.")
    _only(name, given, _KEYS)
    unit = _one_of(name, "unit", given.get("unit", "percent"), UNITS)
    direction = _one_of(name, "direction", given.get("direction", DIRECTIONS[0]), DIRECTIONS)
    combine = _one_of(name, "combine", given.get("combine", ""), COMBINES)
    ends = _list(name, "range", given.get("range", [None, None]))
    if len(ends) != 2:
        raise VocabularyError(f"{name}, range: give the lowest and the highest value, for example [0, 100].")
    levels = [_level(name, number, row) for number, row in enumerate(_list(name, "levels", given.get("levels", [])), 1)]
    actions = [_mapping(name, "actions", row) for row in _list(name, "actions", given.get("actions", []))]
    examples = [_mapping(name, "examples", row) for row in _list(name, "examples", given.get("examples", []))]
    return Scheme(
        str(given.get("name") or name),
        str(given.get("source", "")),
        str(given.get("quantity", "")),
        unit,
        direction,
        _number(name, "range", ends[0]),
        _number(name, "range", ends[1]),
        tuple(levels),
        str(given.get("default") or ""),
        combine,
        tuple(str(group) for group in _list(name, "groups", given.get("groups", []))),
        tuple((str(row.get("name", "")), str(row.get("level", ""))) for row in actions),
        tuple(_example(name, row) for row in examples),
        str(given.get("replaces") or ""),
        minimum_cohort=_whole(name, "minimum_cohort", given.get("minimum_cohort", 10)),
        comparator=_one_of(name, "comparator", given.get("comparator", SAME_COHORT), COMPARATORS),
        always=tuple(str(offer) for offer in _list(name, "always", given.get("always", []))),
        window=_whole(name, "window", given.get("window", 20)),
        possible=_whole(name, "possible", given.get("possible", 20)),
    )


def _level(name: str, number: int, row: Any) -> Level:
    where = f"{name}, level {number}"
    given = _mapping(name, "levels", row)
    _only(where, given, _LEVEL_KEYS)
    if not given.get("name"):
        raise VocabularyError(f"{where}: it has no name. Give it one, as in {{name: Level 1}}.")
    includes = _one_of(where, "includes", given.get("includes", "both"), INCLUDES)
    rank = given.get("rank")
    if rank is not None and (isinstance(rank, bool) or not isinstance(rank, int)):
        raise VocabularyError(f"{where}, rank: '{rank}' is not a whole number. 0 is the best level.")
    low, high = (_number(where, key, given.get(key)) for key in ("from", "to"))
    unit = given.get("unit", "")
    return Level(
        str(given["name"]),
        rank,
        low,
        high,
        low is not None and includes in ("from", "both"),
        high is not None and includes in ("to", "both"),
        _one_of(where, "unit", unit, UNITS) if unit else "",
        str(given.get("printed", "")),
    )


def _example(name: str, row: Mapping[str, Any]) -> tuple[Fraction, int, int]:
    rate = _number(name, "examples, attendance", row.get("attendance"))
    weeks, days = row.get("weeks"), row.get("days")
    if rate is None or not isinstance(weeks, int) or not isinstance(days, int):
        raise VocabularyError(f"{name}, examples: each needs attendance, weeks and days as numbers.")
    return rate, weeks, days


def _number(where: str, key: str, value: Any) -> Fraction | None:
    if value is None:
        return None
    try:
        if isinstance(value, bool):
            raise ValueError
        return Fraction(Decimal(str(value)))
    except (InvalidOperation, ValueError, OverflowError):
        raise VocabularyError(f"{where}, {key}: '{value}' is not a number. Write one such as 95 or 92.5.") from None


def _whole(where: str, key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise VocabularyError(f"{where}, {key}: '{value}' is not a whole number of 1 or more. Write one such as 10.")
    return value


def _only(where: str, given: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    for key in given:
        if key not in allowed:
            raise VocabularyError(
                f"{where}: '{key}' is not a key. Use one of: {', '.join(allowed)}.{did_you_mean(str(key), allowed)}"
            )


def _one_of(where: str, key: str, value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        shown = ", ".join(name for name in allowed if name)
        raise VocabularyError(f"{where}, {key}: '{value}' is not allowed. Use one of: {shown}.")
    return str(value)


def _list(where: str, key: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise VocabularyError(f"{where}, {key}: a list is needed. Write it in brackets, as in [a, b].")
    return value


def _mapping(where: str, key: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise VocabularyError(f"{where}, {key}: each entry must have names and values, as in {{name: Level 1}}.")
    return value


@cache
def scheme_names() -> tuple[str, ...]:
    """Return the names of the schemes in the package.

    >>> scheme_names()[0]
    'graduated_response'
    """
    return tuple(name.partition("/")[2].removesuffix(".yaml") for name in names_in("schemes", ".yaml"))


@cache
def rule_scheme(name: str) -> Scheme:
    """Return a scheme of the package.

    Raises
    ------
    VocabularyError
        There is none of this name.
    """
    if name not in scheme_names():
        raise VocabularyError(f"'{name}' is not a rule scheme. Use one of: {', '.join(scheme_names())}.")
    return parse_scheme(read_yaml_text(f"schemes/{name}.yaml"), name)


def own_schemes(files: Iterable[str | Path]) -> dict[str, Scheme]:
    """Return an authority's own schemes by the name of the toolkit's that each takes the place of.

    Raises
    ------
    VocabularyError
        A file cannot be read, is not a rule scheme, or replaces none of the toolkit's.
    """
    found: dict[str, Scheme] = {}
    for file in map(Path, files):
        try:
            scheme = parse_scheme(file.read_text(encoding="utf-8-sig"), file.name)
        except (OSError, UnicodeDecodeError):
            raise VocabularyError(f"{file.name} cannot be read. Give a YAML file of a rule scheme, in UTF-8.") from None
        if scheme.replaces not in scheme_names():
            raise VocabularyError(
                f"{file.name}, replaces: '{scheme.replaces}' is not a rule scheme of the toolkit."
                f" Use one of: {', '.join(scheme_names())}.{did_you_mean(scheme.replaces, scheme_names())}"
            )
        found[scheme.replaces] = scheme
    return found
