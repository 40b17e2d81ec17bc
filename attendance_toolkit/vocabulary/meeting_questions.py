"""Questions to ask at a Targeting Support Meeting: each tied to a figure of the school, as data.

A file of questions is a YAML document: ``kind: meeting questions``, ``source`` and ``questions``, each with ``figure``, one of
``above``, ``at_least``, ``below`` and ``at_most`` with a number, and ``ask``, in which ``{value}`` stands for the figure in words
and ``{about}`` for what it is about.
"""

from __future__ import annotations

import operator
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from attendance_toolkit.errors import VocabularyError, did_you_mean
from attendance_toolkit.vocabulary._reference import parse_yaml, read_yaml_text
from attendance_toolkit.vocabulary.rounding import number_text

KIND = "meeting questions"
_FILE = "meeting_questions.yaml"
PUPILS, SESSIONS, PERCENT, POINTS, TIMES = "pupils", "sessions", "percent", "percentage points", "meetings"
#: Figures a question may be tied to -> their unit. Shares and differences are in percent and percentage points, exact.
FIGURES: Mapping[str, str] = {
    "severe_without_plan": PUPILS,
    "severe_with_plan": PUPILS,
    "persistent_absentees": PUPILS,
    "attended_nothing": PUPILS,
    "penalty_windows": PUPILS,
    "pupils_to_a_worse_level": PUPILS,
    "incoming_priority": PUPILS,
    "attendance_less_national": POINTS,
    "attendance_less_similar": POINTS,
    "attendance_change": POINTS,
    "persistent_rate_change": POINTS,
    "severe_rate_change": POINTS,
    "term_change": POINTS,
    "group_sessions": SESSIONS,
    "year_group_absence": PERCENT,
    "unauthorised_share": PERCENT,
    "no_reason_share": PERCENT,
    "excluded_share": PERCENT,
    "part_time_sessions": SESSIONS,
    "weekday_absence_gap": POINTS,
    "actions_open": TIMES,
}
_TESTS: Mapping[str, Callable[[Fraction, Fraction], bool]] = {
    "above": operator.gt,
    "at_least": operator.ge,
    "below": operator.lt,
    "at_most": operator.le,
}
_KEYS = ("kind", "source", "questions")
_FIELDS = ("value", "about")


@dataclass(frozen=True)
class Figure:
    """A figure of a school: its exact value, in the unit of ``FIGURES``, and what it is about, if it is about something."""

    value: Fraction
    about: str = ""


@dataclass(frozen=True)
class Question:
    """A question, and what a figure must be for it to be asked."""

    figure: str
    test: str
    limit: Fraction
    ask: str

    def asked_of(self, figure: Figure) -> str:
        """Return the question in words; "" if the figure is not as it says.

        >>> Question("severe_without_plan", "above", Fraction(0), "Without a plan: {value}. Who leads?").asked_of(
        ...     Figure(Fraction(3))
        ... )
        'Without a plan: 3 pupils. Who leads?'
        """
        if not _TESTS[self.test](figure.value, self.limit):
            return ""
        return self.ask.format(value=in_words(self.figure, figure.value), about=figure.about)


def in_words(figure: str, value: Fraction) -> str:
    """Return the value of a figure in its unit.

    >>> in_words("severe_without_plan", Fraction(1)), in_words("attendance_change", Fraction(-3, 4))
    ('1 pupil', '−0.8 percentage points')
    >>> in_words("unauthorised_share", Fraction(100, 3))
    '33.3%'
    """
    unit = FIGURES[figure]
    if unit == PERCENT:
        return f"{number_text(float(value), 1)}%"
    if unit == POINTS:
        text = number_text(float(value), 1, signed=True)
        return f"{text} percentage point{'' if text.strip('+−') == '1.0' else 's'}"
    text = number_text(float(value))
    return f"{text} {unit[:-1] if text == '1' else unit}"


def questions_of(questions: tuple[Question, ...], figures: Mapping[str, Figure]) -> list[tuple[str, str]]:
    """Return (figure, question) for the questions whose figure a school has and that are to be asked, in their order."""
    asked = ((one.figure, one.asked_of(figures[one.figure])) for one in questions if one.figure in figures)
    return [(figure, text) for figure, text in asked if text]


@cache
def meeting_questions() -> tuple[Question, ...]:
    """Return the toolkit's own questions.

    >>> meeting_questions()[0].figure
    'severe_without_plan'
    """
    return parse_questions(read_yaml_text(_FILE), _FILE)


def own_questions(file: str | Path) -> tuple[Question, ...]:
    """Return an authority's own questions.

    Raises
    ------
    VocabularyError
        The file cannot be read or is not sound; the message names the question and the key.
    """
    path = Path(file)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise VocabularyError(f"{path.name} cannot be read. Give a YAML file of questions, in UTF-8.") from None
    return parse_questions(text, path.name)


def parse_questions(text: str, name: str) -> tuple[Question, ...]:
    r"""Return questions from YAML text.

    Raises
    ------
    VocabularyError
        The text is not YAML, a key is missing or unknown, or a question names a figure there is not.

    >>> found = parse_questions(
    ...     "kind: meeting questions\nquestions:\n- {figure: attended_nothing, above: 0, ask: 'None: {value}?'}", "mine"
    ... )
    >>> found[0].limit
    Fraction(0, 1)
    """
    given = parse_yaml(text, name)
    if not isinstance(given, dict) or given.get("kind") != KIND:
        raise VocabularyError(f"{name} is not a file of questions. It must begin with 'kind: {KIND}'.")
    _only(name, given, _KEYS)
    rows = given.get("questions")
    if not isinstance(rows, list) or not rows:
        raise VocabularyError(f"{name}, questions: a list of questions is needed, each beginning with '- figure:'.")
    return tuple(_question(f"{name}, question {number}", row) for number, row in enumerate(rows, 1))


def _question(where: str, row: Any) -> Question:
    if not isinstance(row, dict):
        raise VocabularyError(f"{where}: it must have names and values, as in {{figure: attended_nothing, above: 0}}.")
    _only(where, row, ("figure", *_TESTS, "ask"))
    figure = row.get("figure")
    if figure not in FIGURES:
        hint = did_you_mean(str(figure), FIGURES)
        raise VocabularyError(f"{where}, figure: '{figure}' is not a figure.{hint} Use one of: {', '.join(FIGURES)}.")
    tests = [key for key in _TESTS if key in row]
    if len(tests) != 1:
        raise VocabularyError(f"{where}: give one of {', '.join(_TESTS)} with a number, and only one.")
    ask = row.get("ask")
    if not isinstance(ask, str) or not ask.strip():
        raise VocabularyError(f"{where}, ask: the question in words is missing.")
    _check_fields(where, ask)
    return Question(str(figure), tests[0], _number(f"{where}, {tests[0]}", row[tests[0]]), " ".join(ask.split()))


def _check_fields(where: str, ask: str) -> None:
    try:
        names = [(field, spec, how) for _, field, spec, how in string.Formatter().parse(ask) if field is not None]
    except ValueError:
        names = [("{", "", None)]
    for field, spec, how in names:
        if field not in _FIELDS or spec or how:
            raise VocabularyError(f"{where}, ask: only {{value}} and {{about}} may stand in braces.")


def _number(where: str, value: Any) -> Fraction:
    try:
        if isinstance(value, bool):
            raise ValueError
        return Fraction(Decimal(str(value)))
    except (InvalidOperation, ValueError, OverflowError):
        raise VocabularyError(f"{where}: '{value}' is not a number. Write one such as 0 or 2.5.") from None


def _only(where: str, given: Mapping[Any, Any], allowed: tuple[str, ...]) -> None:
    for key in given:
        if key not in allowed:
            raise VocabularyError(
                f"{where}: '{key}' is not a key. Use one of: {', '.join(allowed)}.{did_you_mean(str(key), allowed)}"
            )
