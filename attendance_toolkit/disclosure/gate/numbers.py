"""Whether the numbers in a text have a provenance."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attendance_toolkit.disclosure.gate.evidence import Evidence
from attendance_toolkit.disclosure.gate.explain import LOST_LEARNING, NUMBERS
from attendance_toolkit.disclosure.gate.reading import Page
from attendance_toolkit.disclosure.gate.words import (
    NUMBER_WORDS,
    has_number,
    is_academic_year,
    parts_of,
    words_of,
)
from attendance_toolkit.vocabulary.rounding import number_text
from attendance_toolkit.vocabulary.statistics import find_measured

Fault = tuple[str, str]

_NOTED = re.compile(r"^[+−-]?\d[\d,]*(?:\.\d+)?$")
_ONE_IN = re.compile(r"\b1 in (\d[\d,]*(?:\.\d+)?)\b")
_SYMBOLS_INSTEAD = ("", "u", None)


def cell_texts(row: Mapping[str, Any]) -> set[str]:
    """Return what a table's cell may show of a cleared row: its symbol, or one of its numbers as we write them.

    >>> sorted(cell_texts({"measure": "severe_absence_rate", "numerator": 25.0, "denominator": 1000.0, "rate": 0.025,
    ...                    "lower": 0.017, "upper": 0.037, "symbol": ""}))
    ['1,000', '1.7', '2.5', '25', '3.7']
    >>> cell_texts({"measure": "severe_absence_rate", "symbol": "c", "rate": None})
    {'c'}
    """
    symbol = row.get("symbol")
    if symbol not in _SYMBOLS_INSTEAD:
        return {str(symbol)}
    name = str(row["measure"])
    measure, is_change = find_measured(name)
    is_signed = is_change or (measure is not None and measure.is_signed)
    scale = 100.0 if measure is None else measure.scale
    decimals = row.get("decimals")
    digits = (measure.decimals if measure else 1) if decimals is None or decimals != decimals else int(decimals)
    found = set()
    for column in NUMBERS:
        value = row.get(column)
        if value is None or value != value:
            # A number the row does not have is shown as not available.
            found.add("x")
        elif column in ("numerator", "denominator"):
            found.add(number_text(float(value), 0 if float(value).is_integer() else 1))
        else:
            found.add(number_text(float(value) * scale, digits, signed=is_signed))
    return {f"{text} {symbol}".strip() for text in found} if symbol else found


class NumberCheck:
    """Asks of each number in a text where it comes from.

    Parameters
    ----------
    page
        The page the texts stand on, whose tables, figures and cells are counted; None for a file by itself.
    """

    def __init__(self, evidence: Evidence, page: Page | None) -> None:
        self.evidence = evidence
        self._known: dict[tuple[str, bool], bool] = {}
        self._done: dict[tuple[str, bool, bool, bool], list[Fault]] = {}
        self._structure = _structure(page, lambda days: evidence.explainer.is_lost_learning(days))

    def explains_value(self, value: float) -> bool:
        """Return whether a value comes from cleared rows, or counts something else and was noted as that."""
        return value in self.evidence.things or self.evidence.explainer.explain(value) is not None

    def faults(
        self, text: str, *, is_alone: bool = False, in_drawing: bool = False, is_name: bool = False
    ) -> list[Fault]:
        """Return a rule and a sentence for each number of a text without a provenance.

        Parameters
        ----------
        is_alone
            The text fills a cell of a table: a small whole number may stand there, not in a sentence.
        in_drawing
            The text stands in a drawing, where axes have ticks.
        is_name
            The text is part of a file name, where academic years are written 2023-24.
        """
        if not any(character.isdigit() for character in text) and not any(map(has_number, words_of(text))):
            return []
        key = (text, is_alone, in_drawing, is_name)
        if key not in self._done:
            self._done[key] = list(self._look(text, is_alone, in_drawing, is_name))
        return self._done[key]

    def _look(self, text: str, is_alone: bool, in_drawing: bool, is_name: bool) -> Iterator[Fault]:
        if is_name:
            text = re.sub(r"\b((?:19|20)\d\d)[ -](\d\d)\b", r"\1/\2", text)
        # "1 in 4": no count of four pupils.
        text = _ONE_IN.sub(
            lambda match: " ¤ " if self._is_noted(f"{match[1]}%", is_alone, in_drawing) else match[0], text
        )
        for pattern, is_right in self._structure:
            text = pattern.sub(lambda match, fits=is_right: " ¤ " if fits(match) else match[0], text)  # type: ignore[misc]
        words = words_of(text)
        for place, word in enumerate(words):
            if not has_number(word) or self.evidence.template.allows(words, place, is_open=in_drawing):
                continue
            parts = [word] if self._is_noted(word, is_alone, in_drawing) else parts_of(word)
            if is_academic_year(word) or all(self._may_stand(part, is_alone, in_drawing) for part in parts):
                continue
            yield self._fault(word)

    def _may_stand(self, part: str, is_alone: bool, in_drawing: bool) -> bool:
        if in_drawing and not any(character.isdigit() for character in part):
            # Drawings are known by their seal; a label broken into lines has lost the words around "six".
            return True
        return not has_number(part) or self._is_noted(part, is_alone, in_drawing)

    def _is_noted(self, word: str, is_alone: bool, in_drawing: bool) -> bool:
        text = word.removesuffix("%")
        if not _NOTED.match(text):
            return False
        if in_drawing and text in self.evidence.ticks:
            return True
        key = (word, is_alone)
        if key not in self._known:
            self._known[key] = any(
                self._is_explained(word, value, is_alone) for value in self.evidence.noted.get(text, ())
            )
        return self._known[key]

    def _is_explained(self, word: str, value: float, is_alone: bool) -> bool:
        why = self.evidence.explainer.explain(value)
        if why is None:
            return False
        if is_alone:
            return True
        # In a sentence a whole number below the threshold looks like a count of pupils that should be hidden, whatever it is.
        is_whole = not {".", "%"} & set(word)
        looks_like_few = is_whole and int(re.sub(r"\D", "", word)) < (self.evidence.threshold or 0)
        return why != LOST_LEARNING and not looks_like_few

    def _fault(self, word: str) -> Fault:
        if not any(character.isdigit() for character in word):
            return "number_in_words", "A number in words is not in the template's texts."
        text = word.removesuffix("%")
        if text in self.evidence.noted:
            return "unexplained_number", "A number was written by the toolkit, but no cleared figure explains it."
        if text in self.evidence.ticks:
            return "unexplained_number", "A number of an axis stands outside the drawing."
        if NUMBER_WORDS & set(word.split("-")):
            return "number_in_words", "A number in words is not in the template's texts."
        return "unexplained_number", "A number is neither a cleared figure nor in the template's texts."


def _at_most(most: int, *groups: int) -> Callable[[re.Match[str]], bool]:
    """Return a check that the numbers of a match are at most so large: there are no more of them on the page."""
    return lambda match: all(int(match[group].replace(",", "")) <= most for group in groups or (1,))


def _structure(
    page: Page | None, is_lost: Callable[[float], bool]
) -> list[tuple[re.Pattern[str], Callable[[re.Match[str]], bool]]]:
    """Return numbers that count parts of the page itself, each with a check against the page."""
    count = page.count if page else lambda tag: 0
    tables, figures, cells = count("table"), count("figure"), count("td")
    shown = [text.without_marks for text in page.texts if text.element.tag == "td"] if page else []
    hidden = sum(text == "c" for text in shown)
    many = _at_most(max(cells, count("tr")))

    def share(match: re.Match[str]) -> bool:
        said, of, percent = int(match[1].replace(",", "")), int(match[2].replace(",", "")), match[3]
        return said == hidden and said <= of <= cells and percent == number_text(100 * said / of, 1)

    rules: list[tuple[str, Callable[[re.Match[str]], bool]]] = [
        (r"([\d,]+) of ([\d,]+) figures in the tables of this page (?:is|are) hidden to protect small numbers"
         r" \(([\d.]+)%\)", share),
        (r"\bFigure (\d+):", _at_most(figures)),
        (r"\bTable (\d+):", _at_most(tables)),
        (r"\bdata for figure (\d+)\b", _at_most(figures)),
        (r"\bDownload table (\d+)\b", _at_most(tables)),
        (r"\(CSV, (\d+) KB\)", _at_most(1024)),
        (r"\[note (\d+)\]", _at_most(cells)),
        (r"\bNote (\d+):", _at_most(cells)),
        (r"\b(\d+) values? (?:is|are|has|have|does|do|rounds?) (?:hidden to protect|not available|not apply|to 0|low)", many),
        (r"\b(?:Bar|Dot) chart of (\d+) rows?\b", many),
        (r"\b(\d+) small line charts? on one scale\b", _at_most(24)),
        (r"\b[Yy]ears (\d{1,2}) (?:to|and) (\d{1,2})\b(?![.,]?\d|%)", _at_most(14, 1, 2)),
        (r"\b[Yy]ears? (\d{1,2})\b(?![.,]?\d|%)", _at_most(14)),
        (r"\b(?:autumn|spring|summer) (?:census )?(20\d\d)\b(?!/)", _at_most(2100)),
        (r"\b(1) in (?=\d)", _at_most(1)),
        (r"\b(100|95|90|85|80)% attendance\b", _at_most(100)),
        (r"\b(\d) weeks? and (\d) days?\b", lambda match: is_lost(5 * int(match[1]) + int(match[2]))),
    ]  # fmt: skip
    return [(re.compile(pattern, re.IGNORECASE), fits) for pattern, fits in rules]
