"""Keyed digests of what points at one child: written by a load, looked up before a page leaves.

Both sides must spell a value in the same way before it is digested, which is why the spelling is here. Who has the
digests and not the key can neither read a value from them nor try one out.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

import numpy as np

#: What is digested. ``upn_hash``: the first 16 hexadecimal digits of MD5, SHA-1 or SHA-256 of a UPN. ``name``: forename
#: and surname. ``name_word``: every word of a name, which says quickly where no name can be.
KINDS = ("upn", "upn_hash", "name", "name_word", "date_of_birth", "postcode")
#: Longest name that is looked for, in words.
NAME_WORDS = 6

_APOSTROPHES = str.maketrans("", "", "'’‘`´ʼ′")
_WORD = re.compile(r"[^\W_]+")
#: Letters that have no decomposition into a base letter and an accent.
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ı": "i", "ħ": "h"}
)


def search_key(key: bytes) -> str:
    """Return the key of the digests, made from the pseudonym key so that there is one secret to keep.

    The two do not give each other away: a digest cannot be compared with a pseudonym of the store.

    >>> len(search_key(b"k" * 32)), search_key(b"k" * 32) == search_key(b"l" * 32)
    (32, False)
    """
    return hashlib.blake2b(b"attendance identifier search", key=key, digest_size=16).hexdigest()


def digests(kind: str, values: Iterable[str], key: str) -> np.ndarray:
    """Return a 64-bit digest of each value: the beginning of SHA-256 over key, kind and value.

    Cut to a quarter, the hash cannot be extended, so that the plain prefix is a sound key; and DuckDB computes the same
    (``sha256``), which a load needs for its speed.

    Parameters
    ----------
    kind
        One of ``KINDS``.
    values
        Values as ``upn_spelling``, ``name_spelling``, ... give them.
    key
        As ``search_key`` gives it.

    Returns
    -------
    Unsigned 64-bit integers, in the order of the values.

    >>> digests("upn", ["B801200005001"], "0" * 32)
    array([10595921229277569118], dtype=uint64)
    """
    sha, number, prefix = hashlib.sha256, int.from_bytes, prefix_of(kind, key)
    start = sha(prefix.encode())
    found = []
    for value in values:
        hashed = start.copy()
        hashed.update(value.encode())
        found.append(number(hashed.digest()[:8], "big"))
    return np.array(found, dtype=np.uint64)


def prefix_of(kind: str, key: str) -> str:
    """Return what is hashed before a value of a kind, so that equal values of two kinds have unlike digests."""
    return f"{key}{KINDS.index(kind)}"


def words_of(text: str) -> list[str]:
    """Return the words of a text as names are compared: without case, accents and apostrophes.

    >>> words_of("O’Brien-Łukasz, ANNÉ_Marie")
    ['obrien', 'lukasz', 'anne', 'marie']
    """
    text = text.translate(_APOSTROPHES).casefold()
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.translate(_LETTERS))
        text = "".join(c for c in text if not unicodedata.combining(c))
    return _WORD.findall(text)


def name_spelling(words: Iterable[str]) -> str:
    """Return the words of a name in an order of their own, so that "Smith, Anna" is "Anna Smith".

    >>> name_spelling(["smith", "anna"])
    'anna smith'
    """
    return " ".join(sorted(words))


def name_spellings(forename: str, surname: str, middle: str = "") -> set[str]:
    """Return the spellings a pupil's name is looked for in; none where forename or surname is missing.

    >>> sorted(name_spellings("Mary Jane", "van Berg"))
    ['berg jane mary van', 'berg mary van']
    """
    first, last, between = words_of(forename), words_of(surname), words_of(middle)
    if not first or not last:
        return set()
    spelt = [[*first, *last], [first[0], *last], *([[*first, *between, *last]] if between else [])]
    return {name_spelling(words) for words in spelt if len(words) <= NAME_WORDS}


def upn_spelling(upn: str) -> str:
    """Return a UPN without spaces and in capitals."""
    return "".join(upn.split()).upper()


def postcode_spelling(postcode: str) -> str:
    """Return a postcode without spaces and in capitals.

    >>> postcode_spelling(" m1 1aa")
    'M11AA'
    """
    return "".join(postcode.split()).upper()


def hash_spellings(upn: str) -> tuple[str, str, str]:
    """Return the beginnings of the unsalted hashes of a UPN, which anybody can compute for every UPN there can be."""
    value = upn.encode()
    md5, sha1 = hashlib.md5(value, usedforsecurity=False), hashlib.sha1(value, usedforsecurity=False)
    return md5.hexdigest()[:16], sha1.hexdigest()[:16], hashlib.sha256(value).hexdigest()[:16]
