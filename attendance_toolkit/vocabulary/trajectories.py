"""Trajectories of pupils over three years, as rules held as data (``reference/trajectories.yaml``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cache
from typing import Any

from attendance_toolkit.errors import VocabularyError, did_you_mean
from attendance_toolkit.vocabulary._reference import parse_yaml, read_yaml_text

FILE = "trajectories.yaml"
KIND = "trajectories"
DIRECTIONS = ("improving", "deteriorating", "neither")
YEARS = ("first", "last", "every")
CHANGE = "first to last"
_KEYS = ("kind", "years", "source", "not_followed", "rules")
_RULE_KEYS = ("name", "direction", "when")
#: Limits of a share, and of a change: a rise of at least so much, or a change of at most so much (a fall).
_LIMITS = {"years": ("at_least", "below"), "change": ("at_least", "at_most")}
_OF_YEARS = {"first": "in the first year", "last": "in the last year", "every": "in every year"}


@dataclass(frozen=True)
class Condition:
    """A limit on the share of sessions missed, or on its change.

    Attributes
    ----------
    years
        "first", "last" or "every" for a share; empty for the change from the first year to the last.
    comparison
        "at_least", "below" (of a share) or "at_most" (of a change).
    limit
        Percent of sessions, or percentage points of a change.
    """

    years: str
    comparison: str
    limit: Fraction

    @property
    def text(self) -> str:
        """The condition in words.

        >>> Condition("every", "at_least", Fraction(10)).text, Condition("", "at_most", Fraction(-5)).text
        ('10% or more in every year', '5 percentage points or more lower in the last year than in the first')
        """
        number = f"{float(abs(self.limit)):g}"
        if self.years:
            share = f"{number}% or more" if self.comparison == "at_least" else f"below {number}%"
            return f"{share} {_OF_YEARS[self.years]}"
        side = "lower" if self.comparison == "at_most" else "higher"
        return f"{number} percentage points or more {side} in the last year than in the first"


@dataclass(frozen=True)
class Rule:
    """A trajectory: it is a pupil's if all of ``when`` holds and no rule before it does."""

    name: str
    direction: str
    """"improving", "deteriorating" or "neither"."""
    when: tuple[Condition, ...]

    @property
    def text(self) -> str:
        """The conditions in words.

        >>> trajectory_rules().rules[2].text
        '10% or more in the first year and below 5% in the last year'
        """
        return " and ".join(condition.text for condition in self.when) or "everybody else"


@dataclass(frozen=True)
class TrajectoryRules:
    """The rules in the order they are tried; the last one holds for everybody.

    Attributes
    ----------
    years
        How many years one after another a trajectory is made of.
    not_followed
        What pupils without enough sessions in each of these years are counted as.
    """

    years: int
    source: str
    not_followed: str
    rules: tuple[Rule, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The trajectories, in order, without ``not_followed``."""
        return tuple(rule.name for rule in self.rules)

    def towards(self, direction: str) -> tuple[str, ...]:
        """Return the trajectories of one direction: "improving", "deteriorating" or "neither".

        >>> trajectory_rules().towards("deteriorating")
        ('Deteriorating',)
        """
        return tuple(rule.name for rule in self.rules if rule.direction == direction)


@cache
def trajectory_rules() -> TrajectoryRules:
    """Return the toolkit's rules.

    >>> trajectory_rules().names[0], trajectory_rules().years
    ('Persistently severe', 3)
    """
    return parse_trajectories(read_yaml_text(FILE), FILE)


def trajectory_names() -> tuple[str, ...]:
    """Return every level of a trajectory, "Not followed all three years" last.

    >>> trajectory_names()[-2:]
    ('Fluctuating', 'Not followed all three years')
    """
    rules = trajectory_rules()
    return (*rules.names, rules.not_followed)


def parse_trajectories(text: str, name: str = "the rules") -> TrajectoryRules:
    """Return rules from YAML text.

    Raises
    ------
    VocabularyError
        The text is not YAML, a key is missing, unknown or of the wrong type, a name is there twice, or a pupil could
        be left without a rule. The message names the rule and the key.
    """
    given = parse_yaml(text, name)
    if not isinstance(given, dict) or given.get("kind") != KIND:
        raise VocabularyError(f"{name} does not hold trajectories. It must begin with 'kind: {KIND}'.")
    _only(name, given, _KEYS)
    years = given.get("years", 3)
    if isinstance(years, bool) or not isinstance(years, int) or years < 2:
        raise VocabularyError(f"{name}, years: '{years}' is not a number of years. Write a whole number from 2.")
    rows = given.get("rules")
    if not isinstance(rows, list) or not rows:
        raise VocabularyError(f"{name}, rules: a list of rules is needed.")
    rules = tuple(_rule(f"{name}, rule {number}", row) for number, row in enumerate(rows, 1))
    not_followed = str(given.get("not_followed") or "Not followed")
    names = [*(rule.name for rule in rules), not_followed]
    for one in names:
        if names.count(one) > 1:
            raise VocabularyError(f"{name}: '{one}' is there twice. Give each trajectory a name of its own.")
    for rule in rules[:-1]:
        if not rule.when:
            raise VocabularyError(f"{name}: '{rule.name}' has no condition, so no rule after it holds. Put it last.")
    if rules[-1].when:
        raise VocabularyError(
            f"{name}: the last rule, '{rules[-1].name}', has conditions, so a pupil may be left without one."
            " Add a last rule with 'when: []'."
        )
    return TrajectoryRules(years, str(given.get("source", "")), not_followed, rules)


def _rule(where: str, row: Any) -> Rule:
    if not isinstance(row, dict) or not row.get("name"):
        raise VocabularyError(f"{where}: it has no name. Give it one, as in 'name: Recovered'.")
    _only(where, row, _RULE_KEYS)
    direction = row.get("direction", "neither")
    if direction not in DIRECTIONS:
        raise VocabularyError(f"{where}, direction: '{direction}' is not allowed. Use one of: {', '.join(DIRECTIONS)}.")
    when = row.get("when")
    if not isinstance(when, list):
        raise VocabularyError(f"{where}, when: a list of conditions is needed; [] for everybody left.")
    return Rule(str(row["name"]), direction, tuple(_condition(where, one) for one in when))


def _condition(where: str, given: Any) -> Condition:
    if not isinstance(given, dict):
        raise VocabularyError(f"{where}, when: each condition has keys, as in {{years: every, at_least: 10}}.")
    _only(where, given, ("years", "change", "at_least", "at_most", "below"))
    subjects = [key for key in _LIMITS if key in given]
    limits = [key for key in ("at_least", "at_most", "below") if key in given]
    if len(subjects) != 1 or len(limits) != 1 or limits[0] not in _LIMITS[subjects[0]]:
        raise VocabularyError(
            f"{where}, when: a condition is of years with at_least or below, or of a change with at_least or at_most."
        )
    subject, limit = subjects[0], limits[0]
    allowed = YEARS if subject == "years" else (CHANGE,)
    if given[subject] not in allowed:
        raise VocabularyError(
            f"{where}, {subject}: '{given[subject]}' is not allowed. Use one of: {', '.join(allowed)}."
        )
    value = _number(f"{where}, {limit}", given[limit])
    if subject == "change" and (value == 0 or (value > 0) != (limit == "at_least")):
        raise VocabularyError(
            f"{where}, {limit}: '{given[limit]}' is no change to that side. Write a rise as at_least: 5, a fall as at_most: -5."
        )
    return Condition(given["years"] if subject == "years" else "", limit, value)


def _number(where: str, value: Any) -> Fraction:
    try:
        if isinstance(value, bool):
            raise ValueError
        limit = Fraction(Decimal(str(value)))
    except (InvalidOperation, ValueError, OverflowError):
        raise VocabularyError(f"{where}: '{value}' is not a number. Write percent, such as 10 or 12.5.") from None
    # Two decimals and no more, so that products of sessions stay whole numbers of 64 bits.
    if not -100 <= limit <= 100 or (limit * 100).denominator != 1:
        raise VocabularyError(f"{where}: '{value}' is not percent from -100 to 100 with at most two decimals.")
    return limit


def _only(where: str, given: Mapping[Any, Any], allowed: tuple[str, ...]) -> None:
    for key in given:
        if key not in allowed:
            raise VocabularyError(
                f"{where}: '{key}' is not a key. Use one of: {', '.join(allowed)}.{did_you_mean(str(key), allowed)}"
            )
