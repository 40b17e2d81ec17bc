"""Pseudonyms: a keyed hash of the UPN. The key lies in a file of the user's, never in the store."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from attendance_toolkit.errors import StoreError

_ALPHABET = "ABCDEFGHJKLMNPQRTUVWXYZ"
#: What is wrong with a UPN, by the number ``check_upns`` gives it.
UPN_STATES = ("ok", "upn_blank", "upn_spreadsheet", "upn_format", "upn_check_letter")


def check_upns(upns: list[str]) -> np.ndarray:
    """Return for each UPN 0 when it is good, else the place of its fault in ``UPN_STATES``.

    A UPN is a check letter, eleven digits, and a digit or (temporary UPN) a letter; the letters I, O and S
    are not used. The letter is the sum over positions 2 to 13 of position times digit, modulo 23
    (Government Data Standards Catalogue, Unique Pupil Number 2.0).

    >>> check_upns(["B801200005001", "M80120000500A", "C801200005001", "8.012E+11", "B80120000500", ""]).tolist()
    [0, 0, 4, 2, 3, 1]
    """
    states = np.zeros(len(upns), dtype=np.int8)
    if not upns:
        return states
    raw = np.array([u.encode("ascii", "replace") for u in upns], dtype="S16")
    cells = raw.view(np.uint8).reshape(len(upns), 16)
    letter = np.full(256, 99, dtype=np.int64)
    for place, character in enumerate(_ALPHABET):
        letter[ord(character)] = place
    digit = np.full(256, 99, dtype=np.int64)
    for number in range(10):
        digit[ord(str(number))] = number
    first = letter[cells[:, 0]]
    middle = digit[cells[:, 1:12]]
    last = np.minimum(digit[cells[:, 12]], letter[cells[:, 12]])
    shaped = (first < 99) & (middle < 99).all(axis=1) & (last < 99) & (cells[:, 13] == 0) & (cells[:, 12] != 0)
    total = (middle * np.arange(2, 13)).sum(axis=1) + last * 13
    states[~shaped] = 3
    states[shaped & (total % 23 != first)] = 4
    # Scientific notation, a bare number or a formula error: what a spreadsheet leaves of an identifier.
    for i in np.flatnonzero(~shaped):
        text = upns[i]
        if not text:
            states[i] = 1
        elif text[0] in "0123456789#=" or text in ("TRUE", "FALSE"):
            states[i] = 2
    return states


def pseudonyms(upns: Iterable[str], key: bytes) -> list[int]:
    """Return a 63-bit pseudonym for each UPN: BLAKE2b with the key, so nobody without it can try UPNs out.

    >>> pseudonyms(["B801200005001"], b"k" * 32) == pseudonyms(["B801200005001"], b"k" * 32)
    True
    >>> pseudonyms(["B801200005001"], b"k" * 32) == pseudonyms(["B801200005001"], b"l" * 32)
    False
    """
    blake, number = hashlib.blake2b, int.from_bytes
    return [number(blake(u.encode(), key=key, digest_size=8).digest(), "big") >> 1 for u in upns]


def key_id(key: bytes) -> str:
    """Return a short name of the key, which does not give it away, so that two keys cannot be mixed."""
    return hashlib.blake2b(b"attendance key id", key=key, digest_size=6).hexdigest()


def read_or_make_key(path: Path, store: Path) -> bytes:
    """Return the key in a file, making the file on first use.

    Raises
    ------
    StoreError
        The file lies inside the store, cannot be read, or does not hold a key.
    """
    file, inside = path.expanduser().resolve(), store.expanduser().resolve()
    if file == inside or inside in file.parents:
        raise StoreError(
            f"The key file {path.name} lies inside the store. Keep it elsewhere: who has both can look UPNs up."
        )
    try:
        try:
            text = file.read_text(encoding="ascii")
        except FileNotFoundError:
            file.parent.mkdir(parents=True, exist_ok=True)
            text = secrets.token_hex(32) + "\n"
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as out:
                out.write(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise StoreError(f"The key file {path.name} cannot be used: {reason}.") from None
    return _key_of(text, path)


def read_key(path: Path) -> bytes:
    """Return the key in a file that is there.

    Raises
    ------
    StoreError
        The file is not there, cannot be read, or does not hold a key.
    """
    try:
        text = path.expanduser().read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise StoreError(f"The key file {path.name} cannot be used: {reason}.") from None
    return _key_of(text, path)


def _key_of(text: str, path: Path) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if not 16 <= len(key) <= 64:
        raise StoreError(
            f"The key file {path.name} does not hold a key (32 to 128 hexadecimal digits)."
            " Name a file that does not exist yet and one is made."
        )
    return key
