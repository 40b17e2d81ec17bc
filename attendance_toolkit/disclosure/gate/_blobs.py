"""Byte strings that are written as text: base64 and its kin, hexadecimal, data addresses."""

from __future__ import annotations

import base64
import binascii
import re
import string
import zlib
from collections.abc import Iterator

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{11,}={0,2}")
_LINES = re.compile(r"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{40,}+[ \t]*\r?\n[ \t]*)++[A-Za-z0-9+/]*+={0,2}")
_HEX = re.compile(r"[0-9a-fA-F]{20,}")
_BASE32 = re.compile(r"[A-Z2-7]{16,}=*|[a-z2-7]{16,}=*")
_BASE85 = re.compile(r"<~([!-uz\s]{8,})~>")
_PRINTABLE = string.printable.encode()
_RUN = re.compile(rb"[\x20-\x7e]{8,}")
_MAGIC = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x89PNG", b"\xff\xd8\xff", b"PK\x03\x04", b"%PDF-", b"PAR1")
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_HASH_SIZES = frozenset((16, 20, 32, 48, 64))


def text_of(data: bytes) -> tuple[str, float]:
    """Return what a byte string says as text, and the share of it that can be printed.

    Where it is no text, the runs of it that could be one are returned with the share.

    >>> text_of("Zoë".encode()), text_of("Zoë".encode("utf-16-le"))
    (('Zoë', 1.0), ('Zoë', 1.0))
    """
    for mark, encoding in ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"),
                           (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):  # fmt: skip
        if data.startswith(mark):
            return data.decode(encoding, errors="replace"), 1.0
    if b"\0" in data[:4096]:
        for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
            text = data.decode(encoding, errors="replace")
            if _share_of_letters(text) >= 0.9:
                return text, 1.0
    share = 1 - len(data.translate(None, _PRINTABLE)) / max(len(data), 1)
    if share == 1:
        return data.decode("ascii"), 1.0
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        if _share_of_letters(text) >= 0.9:
            return text, 1.0
    if share >= 0.75 and not re.search(rb"[\x00-\x08\x0e-\x1f\x7f-\x9f]", data):
        return data.decode("latin-1"), 1.0
    return "\n".join(run.decode("ascii") for run in _RUN.findall(data)), share if share < 0.9 else 0.9


def _share_of_letters(text: str) -> float:
    """Return the share of characters of alphabets in use here: Latin with accents, punctuation, digits."""
    return sum(
        c in "\t\n\r" or " " <= c <= "~" or "\u00a0" <= c <= "\u024f" or "\u2010" <= c <= "\u2044" for c in text
    ) / max(len(text), 1)


def encoded_blobs(text: str, done: set[str], *, is_rough: bool = False) -> Iterator[tuple[str, bytes]]:
    """Give what the tokens of a text decode to, where that is text, compressed data, an image or a hash.

    Parameters
    ----------
    text
        Any text.
    done
        Tokens that have been decoded already; those of this text are added.
    is_rough
        Whether spaces were left out of it, so that a token may begin anywhere in a long one.
    """
    for token in _new(_BASE64, text, done):
        yield from (("base64", data) for data in _from_base64(token))
    for token in _new(_LINES, text, done):
        yield from (("base64", data) for data in _from_base64("".join(token.split())))
    for token in _new(_HEX, text, done):
        for start in (0, 1):
            data = bytes.fromhex(token[start : start + (len(token) - start) // 2 * 2])
            if _says_something(data):
                yield "hexadecimal", data
    if is_rough:
        return
    for token in _new(_BASE32, text, done):
        bare = token.rstrip("=").upper()
        try:
            data = base64.b32decode(bare + "=" * (-len(bare) % 8))
        except binascii.Error:
            continue
        if _says_something(data):
            yield "base32", data
    for token in _BASE85.findall(text) if "<~" in text else ():
        try:
            yield "base85", base64.a85decode(token)
        except ValueError:
            continue


def _new(pattern: re.Pattern[str], text: str, done: set[str]) -> list[str]:
    """Return the tokens of a text that have not been decoded yet by the same pattern."""
    found = [token for token in dict.fromkeys(pattern.findall(text)) if pattern.pattern[:12] + token not in done]
    done.update(pattern.pattern[:12] + token for token in found)
    return found


def _from_base64(token: str) -> Iterator[bytes]:
    """Give what a token decodes to, from each of the four places a quantum may begin at."""
    bare = token.rstrip("=").replace("-", "+").replace("_", "/")
    for start in range(4):
        cut = bare[start:]
        if len(cut) % 4 == 1:
            cut = cut[:-1]
        data = binascii.a2b_base64(cut + "=" * (-len(cut) % 4))
        if _says_something(data):
            yield data
            if start == 0 and not data.translate(None, _PRINTABLE):
                return
        elif start == 0 and "=" in token and len(data) in _HASH_SIZES and _is_mixed(token):
            yield data.hex().encode()


def _is_mixed(token: str) -> bool:
    return all(re.search(kind, token) for kind in ("[0-9]", "[a-z]", "[A-Z]"))


def _says_something(data: bytes) -> bool:
    """Whether bytes are more than a word of the page that happens to be decodable."""
    if len(data) < 8:
        return False
    if data.startswith(_MAGIC) or (data.startswith(_ZLIB) and _is_zlib(data)):
        return True
    odd = len(data.translate(None, _PRINTABLE))
    if odd == 0:
        return True
    return _RUN.search(data) is not None or _is_wide(data) or bool(inflate_raw(data))


def _is_zlib(data: bytes) -> bool:
    try:
        return bool(zlib.decompressobj().decompress(data, 64))
    except zlib.error:
        return False


def _is_wide(data: bytes) -> bool:
    """Whether bytes are text of two bytes a letter."""
    return data.count(0) * 5 >= len(data) * 2


def inflate_raw(data: bytes) -> bytes:
    """Return what bytes are as a deflate stream without a header, if that is a text; else nothing.

    >>> packer = zlib.compressobj(wbits=-15)
    >>> inflate_raw(packer.compress(b"Anna Smith" * 3) + packer.flush())[:10]
    b'Anna Smith'
    """
    unpack = zlib.decompressobj(-15)
    try:
        found = unpack.decompress(data, 1_000_000)
    except zlib.error:
        return b""
    is_text = len(found) >= 8 and not found.translate(None, _PRINTABLE)
    return found if unpack.eof and is_text else b""
