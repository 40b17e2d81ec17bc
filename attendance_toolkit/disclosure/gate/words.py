"""Which words with digits a page may have: those of the toolkit's own texts, of its notebooks and of its parameters.

A number of a page is a *word with digits*. It belongs to the template if a text of the toolkit has the same word between
the same neighbours: "at least 10% of their sessions" allows no "10% of boys". Where a text is put together while the page
is made, its ends are open: the neighbour there may be anything.
"""

from __future__ import annotations

import ast
import csv
import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from attendance_toolkit.errors import DisclosureError

_PACKAGE = Path(__file__).resolve().parents[2]
#: The gate's own texts are no page's: among them are the poisons it tests itself with.
_GATE = Path(__file__).resolve().parent
_BEFORE = "([{<“‘\"'«*_`:;,.…"
_AFTER = ")]}>”’\"'».,:;!?…*_`"

#: Numbers in words count as numbers: a hidden 7 may be typed as "seven".
NUMBER_WORDS = frozenset(
    ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
     "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "thirty", "forty", "fifty", "sixty",
     "seventy", "eighty", "ninety", "hundred", "thousand", "dozen")
)  # fmt: skip
#: Small counts, in digits or in words: what a hidden figure looks like. Their neighbours must be known on both sides.
_SMALL = re.compile(r"^\d$")
#: Texts for a database or a pattern, not for a reader.
_CODE = re.compile(
    r"\b(?:SELECT|FROM|JOIN|WHERE|CASE|WHEN|COALESCE|CREATE|FILTER|NULL|UNION|OVER)\b|\\[dbsw]|%[YmdH]|::"
)

_YEAR = re.compile(r"^((?:19|20)\d\d)/(\d\d)$")
_PARTED = re.compile(r"[–—/=()|]|(?<=[\w%])-")


def words_of(text: str) -> list[str]:
    """Return the words of a text without the punctuation around them, in small letters.

    >>> words_of("Absence fell (95% interval −2.1 to −1.5).")
    ['absence', 'fell', '95%', 'interval', '−2.1', 'to', '−1.5']
    """
    found = (word.lstrip(_BEFORE).rstrip(_AFTER) for word in text.casefold().split())
    return [word for word in found if word]


def has_number(word: str) -> bool:
    """Return whether a word has a digit or is a number in words.

    >>> has_number("95%"), has_number("seven"), has_number("twenty-one"), has_number("often")
    (True, True, True, False)
    """
    if any(character.isdigit() for character in word):
        return True
    return any(part in NUMBER_WORDS for part in word.split("-"))


def is_academic_year(word: str) -> bool:
    """Return whether a word is an academic year.

    >>> is_academic_year("2023/24"), is_academic_year("2023/25")
    (True, False)
    """
    match = _YEAR.match(word)
    return match is not None and (int(match[1]) + 1) % 100 == int(match[2])


def parts_of(word: str) -> list[str]:
    """Return the parts of a word joined by dashes, strokes and the like; a minus sign stays with its number.

    >>> parts_of("10–15%"), parts_of("−2.1"), parts_of("7.7%")
    (['10', '15%'], ['−2.1'], ['7.7%'])
    """
    return [part for part in (p.strip(_BEFORE + _AFTER) for p in _PARTED.split(word)) if part]


def strange_characters(text: str) -> bool:
    """Return whether a text has characters no page of ours has: other digits, invisible ones, direction marks.

    >>> strange_characters("7.7% of pupils"), strange_characters(chr(0x667)), strange_characters(f"a{chr(0x200B)}b")
    (False, True, True)
    """
    if text.isascii():
        return any(character < " " and character not in "\n\r\t" for character in text)
    for character in set(text):
        if character.isascii() and (character >= " " or character in "\n\r\t"):
            continue
        kind = unicodedata.category(character)
        if kind[0] in "NC" or kind == "Mn":
            return True
    return False


@dataclass
class Words:
    """Texts whose numbers a page may repeat.

    ``contexts`` are word with digits -> its neighbours (None where a text begins or ends); ``phrases`` are
    word with digits -> (all words of the phrase, its place in them): the whole phrase must be there.
    """

    contexts: dict[str, set[tuple[str | None, str | None]]] = field(default_factory=dict)
    phrases: dict[str, set[tuple[tuple[str, ...], int]]] = field(default_factory=dict)
    alone: set[str] = field(default_factory=set)
    """Single words: allowed where they are all there is, such as a number that fills a cell of a table."""

    def add_text(self, text: str) -> None:
        """Add a text of the toolkit: each number with its neighbours."""
        words = words_of(text)
        for place, word in enumerate(words):
            if has_number(word):
                before = words[place - 1] if place else None
                after = words[place + 1] if place + 1 < len(words) else None
                is_small = bool(_SMALL.match(word)) or not any(map(str.isdigit, word))
                known = (before is not None) + (after is not None)
                if known == 2 or (known == 1 and not is_small):
                    self.contexts.setdefault(word, set()).add((before, after))

    def add_phrase(self, text: str) -> None:
        """Add a phrase, to be repeated whole: a parameter, a level, or words whose numbers count other things."""
        words = tuple(words_of(text))
        # A code such as an area's is a word of its own; a bare number is not, or it would allow that number anywhere.
        if len(words) == 1 and _is_bare(words[0]):
            self.alone.add(words[0])
            return
        for place, word in enumerate(words):
            if has_number(word):
                self.phrases.setdefault(word, set()).add((words, place))

    def allows(self, words: list[str], place: int, *, is_open: bool = False) -> bool:
        """Return whether the word with digits at a place of a text is one of these texts'.

        ``is_open`` says that the text is a line of a longer one, as labels of drawings are: beyond its ends there may be
        any word.
        """
        word = words[place]
        if len(words) == 1 and word in self.alone:
            return True
        before = words[place - 1] if place else None
        after = words[place + 1] if place + 1 < len(words) else None
        for left, right in self.contexts.get(word, ()):
            before_fits = left is None or left == before or (is_open and before is None)
            after_fits = right is None or right == after or (is_open and after is None)
            if before_fits and after_fits and len(words) > 1:
                return True
        for phrase, at in self.phrases.get(word, ()):
            start = place - at
            if start >= 0 and tuple(words[start : start + len(phrase)]) == phrase:
                return True
        return False


def _is_bare(word: str) -> bool:
    """Return whether a word is a number and nothing else; a date is more than that, and pupils are not cut in parts."""
    is_more = re.fullmatch(r"\d{4}-\d\d-\d\d|\d+\.\d+", word)
    return not any(character.isalpha() or character == "/" for character in word) and not is_more


class _Texts(ast.NodeVisitor):
    """Gathers the texts of a module that are not docstrings."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def visit_Expr(self, node: ast.Expr) -> None:
        # A text standing alone is a docstring or the comment of an attribute; doctests in them have example figures.
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.texts.append(node.value)


@cache
def package_texts() -> tuple[str, ...]:
    """Return every text with a number in the toolkit's own source, docstrings left out.

    Raises
    ------
    DisclosureError
        The source cannot be read, so that nothing could be told from what a page made up.
    """
    found: dict[str, None] = {}
    for path in sorted(set(_PACKAGE.rglob("*.py")) - set(_GATE.rglob("*.py"))):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (OSError, SyntaxError, UnicodeDecodeError) as error:
            raise DisclosureError(
                f"The gate cannot read the toolkit's own texts ({path.name}: {type(error).__name__}). Install it again."
            ) from None
        visitor = _Texts()
        visitor.visit(tree)
        found |= dict.fromkeys(
            text for text in visitor.texts if any(map(has_number, words_of(text))) and not _CODE.search(text)
        )
    found |= dict.fromkeys(_reference_texts())
    return tuple(found)


def _reference_texts() -> list[str]:
    """Return the sentences with numbers in the vocabulary's reference files, such as what breaks a series."""
    found = []
    for path in sorted((_PACKAGE / "vocabulary" / "reference").rglob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as handle:
            entries = {entry for row in csv.reader(handle) for entry in row if entry.count(" ") >= 3}
        found += sorted(entry for entry in entries if any(map(has_number, words_of(entry))))
    return found


def notebook_texts(path: Path) -> tuple[str, ...]:
    """Return the Markdown of a notebook: words of the signed template.

    Raises
    ------
    DisclosureError
        The file is not a notebook.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DisclosureError(f"'{path.name}' cannot be read as a notebook ({type(error).__name__}).") from None
    markdown = [cell.get("source", "") for cell in cells if cell.get("cell_type") == "markdown"]
    return tuple("".join(source) if isinstance(source, list) else str(source) for source in markdown)


def template_words(texts: Iterable[str] = (), phrases: Iterable[str] = ()) -> Words:
    """Return the words of the toolkit, of further texts (a notebook's Markdown) and of phrases to be repeated whole.

    >>> words = template_words(["Of 190 school days"], ["3 of 12 schools"])
    >>> words.allows(words_of("of 190 school days"), 1), words.allows(words_of("there are 190 pupils"), 2)
    (True, False)
    >>> words.allows(words_of("All 3 of 12 schools"), 1), words.allows(words_of("3 of 11 schools"), 0)
    (True, False)
    """
    words = Words()
    for text in (*package_texts(), *texts):
        words.add_text(text)
    for text in phrases:
        words.add_phrase(text)
    return words
