"""The identifiers of the pupils a release was made from, as keyed digests, and where a text holds one of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from attendance_toolkit.disclosure.gate.findings import Finding
from attendance_toolkit.disclosure.gate.patterns import UPN, Match, dates_in, postcodes_in
from attendance_toolkit.schema.digests import (
    KINDS,
    NAME_WORDS,
    digests,
    hash_spellings,
    name_spelling,
    name_spellings,
    postcode_spelling,
    search_key,
    upn_spelling,
    words_of,
)

#: Words of the calendar, which are names of children, too; beside the name of an area they are no pupil.
CALENDAR_WORDS = (
    "spring", "summer", "autumn", "april", "may", "june", "july", "august", "january", "february", "march", "september",
    "october", "november", "december",
)  # fmt: skip
SAYS = {
    "known_upn": "It holds the UPN of a pupil of this release.",
    "known_upn_hash": "It holds a hash of the UPN of a pupil of this release.",
    "known_name": "It holds the full name of a pupil of this release.",
    "known_date_of_birth": "It holds the date of birth of a pupil of this release.",
    "known_postcode": "It holds the postcode of a pupil of this release.",
}
_HEX = re.compile(r"(?<![0-9a-f])[0-9a-f]{16,}", re.IGNORECASE)
_SHORTEST_RUN_ON, _LONGEST_RUN_ON = 8, 40
#: A UPN with anything beside it.
_UPN_ANYWHERE = re.compile(r"(?=([A-HJ-NP-RT-Z]\d{11}[0-9A-HJ-NP-RT-Z]))", re.IGNORECASE)


@dataclass(frozen=True)
class Identifiers:
    """Digests of UPNs, their unsalted hashes, names, dates of birth and postcodes.

    Attributes
    ----------
    key
        As ``schema.digests.search_key`` gives it.
    known
        Kind (``schema.digests.KINDS``) -> digests, sorted.
    unknown
        Why the identifiers of the release are not known; empty if they are.
    """

    key: str = ""
    known: Mapping[str, np.ndarray] = field(default_factory=dict)
    unknown: str = ""

    @classmethod
    def missing(cls, reason: str) -> Identifiers:
        """Return identifiers that are not known, with the reason as a sentence that says what to do."""
        return cls(unknown=reason)

    @classmethod
    def from_values(
        cls,
        key: bytes,
        *,
        upns: Iterable[str] = (),
        names: Iterable[tuple[str, str]] = (),
        dates_of_birth: Iterable[str] = (),
        postcodes: Iterable[str] = (),
    ) -> Identifiers:
        """Return the digests of values at hand: of canaries, or of the poison of a self-test.

        Parameters
        ----------
        key
            A pseudonym key.
        upns, postcodes
            As written anywhere.
        names
            Forename and surname.
        dates_of_birth
            ISO 8601.

        >>> known = Identifiers.from_values(b"k" * 32, names=[("Zéphyrine", "Quill")])
        >>> [hit.rule for hit in known.find("QUILL, Zephyrine")]
        ['known_name']
        """
        names = list(names)
        plain = [upn_spelling(upn) for upn in upns]
        spelt: dict[str, Iterable[str]] = {
            "upn": plain,
            "upn_hash": (short for upn in plain for short in hash_spellings(upn)),
            "name": (spelling for first, last in names for spelling in name_spellings(first, last)),
            "name_word": (word for pair in names for part in pair for word in words_of(part)),
            "date_of_birth": dates_of_birth,
            "postcode": (postcode_spelling(code) for code in postcodes),
        }
        secret = search_key(key)
        return cls(secret, {kind: np.unique(digests(kind, values, secret)) for kind, values in spelt.items()})

    @property
    def is_known(self) -> bool:
        """Whether there is anything to look up."""
        return not self.unknown

    def count(self) -> dict[str, int]:
        """Return the number of digests of each kind."""
        return {kind: len(self.known.get(kind, ())) for kind in KINDS}

    def finding(self) -> Finding | None:
        """Return the finding that says why no identifiers are searched for, or None if they are."""
        return Finding("store", "", "identifiers_unknown", self.unknown) if self.unknown else None

    def holds(self, kind: str, values: Sequence[str]) -> np.ndarray:
        """Return which of some values are known: a truth value each, in their order."""
        there = self.known.get(kind)
        if there is None or not len(there) or not len(values):
            return np.zeros(len(values), dtype=bool)
        wanted = digests(kind, values, self.key)
        at = np.searchsorted(there, wanted)
        return there[np.minimum(at, len(there) - 1)] == wanted

    # -- search ---------------------------------------------------------------------------------------

    def find(self, text: str, allowed: AllowedPhrases | None = None) -> list[Match]:
        """Return the places of a text that hold a known identifier.

        Parameters
        ----------
        text
            Decoded and folded text.
        allowed
            Phrases whose words are no pupil's name where a phrase stands complete.
        """
        if not self.is_known:
            return []
        return [*self._shapes(text), *self.find_names(text, allowed or AllowedPhrases(()))]

    def find_upns(self, text: str) -> list[Match]:
        """Return the places of a text made by guessing (turned round, run together) that hold a known UPN."""
        return self._known("known_upn", "upn", ((m[1], m.span(1)) for m in _UPN_ANYWHERE.finditer(text)))

    def _shapes(self, text: str) -> list[Match]:
        found = self._known("known_upn", "upn", ((m[0], m.span()) for m in UPN.finditer(text)))
        hashes = ((m[0][:16].lower(), m.span()) for m in _HEX.finditer(text))
        found += self._known("known_upn_hash", "upn_hash", hashes)
        found += self._known(
            "known_postcode",
            "postcode",
            ((text[m.start : m.end], (m.start, m.end)) for m in postcodes_in(text)),
            postcode_spelling,
        )
        found += self._known(
            "known_date_of_birth", "date_of_birth", ((day, (m.start, m.end)) for day, m in dates_in(text)), str
        )
        return found

    def _known(
        self,
        rule: str,
        kind: str,
        candidates: Iterable[tuple[str, tuple[int, int]]],
        spell: Callable[[str], str] = upn_spelling,
    ) -> list[Match]:
        places: dict[str, tuple[int, int]] = {}
        spelling = str if kind == "upn_hash" else spell
        for value, span in candidates:
            places.setdefault(spelling(value), span)
        values = list(places)
        return [Match(rule, *places[values[i]]) for i in np.flatnonzero(self.holds(kind, values))]

    def find_names(self, text: str, allowed: AllowedPhrases) -> list[Match]:
        """Return the places of full names, in any order of their words and run together.

        Only windows of words that are each a word of some name are looked up. Surnames alone are not looked for: Bury and
        Summer are some.
        """
        if not len(self.known.get("name", ())):
            return []
        words = words_of(text)
        unlike = list(dict.fromkeys(words))
        is_name = dict(zip(unlike, self.holds("name_word", unlike).tolist(), strict=True))
        windows: dict[str, list[tuple[int, int]]] = {}
        for first, last in _runs([is_name[word] for word in words]):
            for start in range(first, last):
                for end in range(start + 2, min(start + NAME_WORDS, last) + 1):
                    windows.setdefault(name_spelling(words[start:end]), []).append((start, end))
        spelt = list(windows)
        hits = [span for i in np.flatnonzero(self.holds("name", spelt)) for span in windows[spelt[i]]]
        if hits:
            covered = allowed.cover(words)
            hits = [(start, end) for start, end in hits if not covered[start:end].all()]
        places = [start for start, _ in hits]
        run_on = self._run_on([word for word in unlike if not is_name[word]])
        places += [words.index(word) for word in run_on]
        return [Match("known_name", at, at) for at in _line_starts(text, places)]

    def _run_on(self, words: list[str]) -> list[str]:
        """Return the words that are a name without a space in it: annasmith."""
        long = [word for word in words if _SHORTEST_RUN_ON <= len(word) <= _LONGEST_RUN_ON and not word.isdigit()]
        starts = list({word[:at] for word in long for at in range(2, len(word) - 1)})
        known = {starts[i] for i in np.flatnonzero(self.holds("name_word", starts))}
        likely = [
            (word, name_spelling((word[:at], word[at:])))
            for word in long
            for at in range(2, len(word) - 1)
            if word[:at] in known
        ]
        hits = np.flatnonzero(self.holds("name", [spelling for _, spelling in likely]))
        return list(dict.fromkeys(likely[i][0] for i in hits))


class AllowedPhrases:
    """Phrases that may stand on a page though their words are names: areas, schools, words of the calendar.

    A word is allowed only as part of a complete phrase: with "St Thomas More School" and "Bury", "Thomas Bury" is not.

    >>> AllowedPhrases(["St Thomas More", "Bury"]).cover(words_of("St Thomas More, Bury: Thomas Bury")).tolist()
    [True, True, True, True, False, True]
    """

    def __init__(self, phrases: Collection[str]) -> None:
        self.texts = tuple(phrase.casefold() for phrase in phrases if phrase.strip())

    def __bool__(self) -> bool:
        return True

    @cached_property
    def _by_first(self) -> dict[str, list[list[str]]]:
        found: dict[str, list[list[str]]] = {}
        for phrase in (*self.texts, *CALENDAR_WORDS):
            words = words_of(phrase)
            if words:
                found.setdefault(words[0], []).append(words)
        return found

    def cover(self, words: list[str]) -> np.ndarray:
        """Return which words of a text lie in a complete phrase."""
        covered = np.zeros(len(words), dtype=bool)
        for at, word in enumerate(words):
            for phrase in self._by_first.get(word, ()):
                if words[at : at + len(phrase)] == phrase:
                    covered[at : at + len(phrase)] = True
        return covered

    def is_phrase(self, text: str) -> bool:
        """Whether a text is a whole phrase."""
        return text.strip().casefold() in self._whole

    @cached_property
    def _whole(self) -> frozenset[str]:
        return frozenset(self.texts)

    def has(self, text: str) -> bool:
        """Whether a text, such as an address or a date, is part of a phrase."""
        wanted = text.strip().casefold()
        return any(wanted in phrase for phrase in self.texts)


def _line_starts(text: str, places: Sequence[int]) -> list[int]:
    """Return where the lines begin in which the words of some places stand (a word's number -> a character's)."""
    if not places:
        return []
    ends = np.cumsum([len(words_of(line)) for line in text.split("\n")])
    begins = np.concatenate([[0], np.cumsum([len(line) + 1 for line in text.split("\n")])])
    return [int(begins[line]) for line in np.searchsorted(ends, places, side="right")]


def _runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """Return the first and the past-the-last place of every run of two or more.

    >>> _runs([True, True, False, True, False, True, True, True])
    [(0, 2), (5, 8)]
    """
    edges = np.diff(np.concatenate([[0], np.asarray(flags, dtype=np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(int(a), int(b)) for a, b in zip(starts, ends, strict=True) if b - a >= 2]
