"""Readings of a text: without disguises, without markup, escapes resolved, turned and run together."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache, partial
from urllib.parse import unquote

#: Letters of other alphabets that look like Latin ones.
_LOOK_ALIKE = dict(
    zip(
        "АВЕЅІЈКМНОРСТУХаеоѕіјрсухԁһԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧοαινρυχӀ",
        "ABESIJKMHOPCTYXaeosijpcyxdhqwABEZHIKMNOPTYXoaivpuxl",
        strict=True,
    )
)
#: Elements inside a line: nothing stands between the letters before and after them.
_INLINE = frozenset(
    re.findall(
        r"\w+",
        "a abbr b bdi bdo big cite code del dfn em font i ins kbd mark q s samp small span strike strong sub sup tspan tt"
        " u var wbr",
    )
)
_MARKUP = re.compile(
    r"<!--(?P<comment>.*?)-->|<!\[CDATA\[(?P<cdata>.*?)\]\]>"
    r"|<(?P<end>/?)(?P<tag>[A-Za-z][\w:-]*)(?P<attributes>(?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>"
    r"|<[!?](?P<other>[^>]*)>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
#: Attributes of coordinates. They are searched in the source; as text they would only be numbers.
_COORDINATES = frozenset(("d", "points", "transform", "viewbox", "gradienttransform"))
_IS_MARKUP = re.compile(r"<(?:!--|!doctype|\?xml|/?[a-z][\w:-]*[\s/>])", re.IGNORECASE)

_ESCAPE = re.compile(
    r"\\u\{([0-9a-fA-F]{1,6})\}|\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\x([0-9a-fA-F]{2})|\\([0-9a-fA-F]{2,6})[ \t\n]?"
)
_OCTAL = re.compile(r"\\([0-7]{3})")
_PERCENT = re.compile(r"%(?:25)*[0-9a-fA-F]{2}")
_QUOTED = re.compile(r"=[0-9A-F]{2}")
_BETWEEN = re.compile(r"[\s\"'<>]+")
_CODES = re.compile(r"(?<![\w.])(?:\d{2,3}[,;\s]{1,2}){8,}\d{2,3}(?![\w.])")
_HEX_CODES = re.compile(r"(?:(?:0x|\\x|%|&#x|)[0-9a-fA-F]{2}[,;: \-]{1,2}){8,}(?:0x|\\x|%|&#x|)[0-9a-fA-F]{2}")
_SPACED = re.compile(r"(?<![^\W_])(?:[^\W_][\W_]{1,3}){6,}[^\W_](?![^\W_])")
_NO_WORD = re.compile(r"[\W_]+")


@lru_cache(maxsize=4096)
def _plain(character: str) -> str | None:
    """Return what a character beyond ASCII is read as; None for one that nobody sees."""
    code = ord(character)
    if 0xE0020 <= code <= 0xE007E:
        return chr(code - 0xE0000)  # tag characters: invisible ASCII
    category = unicodedata.category(character)
    if category == "Cf" or code in (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, 0x2800):
        return None
    if 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF:
        return None
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Pd" or character == "−":
        return "-"
    if category == "Zs":
        return " "
    return _LOOK_ALIKE.get(character, character)


def fold(text: str) -> str:
    r"""Return a text as it looks: no invisible characters, look-alikes and wide letters as plain ones.

    >>> fold("Ｂ80\u200b12\u00ad \u0410nna")
    'B8012 Anna'
    """
    if text.isascii():
        return text.replace("\0", "") if "\0" in text else text
    table = {ord(character): _plain(character) for character in set(text) if character > "\x7f"}
    return unicodedata.normalize("NFKC", text.translate(table)).replace("\0", "")


def is_markup(text: str) -> bool:
    """Whether a text has tags or comments."""
    return "<" in text and _IS_MARKUP.search(text) is not None


def readable(text: str) -> str:
    """Return what markup says: its text in reading order, then attributes, comments and declarations.

    >>> readable('<p title="A">An<b>na</b> S</p><td>1</td>').split()
    ['Anna', 'S', '1', 'A']
    """
    shown: list[str] = []
    beside: list[str] = []
    at = 0
    for match in _MARKUP.finditer(text):
        shown.append(text[at : match.start()])
        at = match.end()
        tag = match["tag"]
        if tag:
            shown.append("" if tag.lower() in _INLINE else "\n")
            for name, double, single, bare in _ATTRIBUTE.findall(match["attributes"] or ""):
                if name.lower() not in _COORDINATES:
                    beside.append(double or single or bare)
        else:
            beside.append(match["comment"] or match["cdata"] or match["other"] or "")
    shown.append(text[at:])
    return html.unescape("".join(shown) + "\n" + "\n".join(beside))


def unescape_entities(text: str) -> str:
    """Return a text with its HTML entities resolved."""
    return html.unescape(text) if "&" in text else text


def decoded_tokens(text: str) -> Iterator[tuple[str, str]]:
    """Give the parts of a text that are written in escapes, resolved: (name of the writing, text)."""
    if "\\" in text:
        lines = "\n".join(line for line in text.split("\n") if "\\" in line)
        # The same digits are read to base 16 by a style sheet and to base 8 by a program: both are tried.
        for pattern, base in ((_ESCAPE, 16), (_OCTAL, 8)):
            plain = pattern.sub(partial(_letter, base=base), lines)
            if plain != lines:
                yield "escapes", plain
    for name, tokens, decode in (
        ("percent", _tokens_with(text, "%", _PERCENT), _unquoted),
        ("quoted-printable", _tokens_with(text, "=", _QUOTED), _from_quoted),
        ("character codes", _CODES.findall(text), _from_codes),
        ("hexadecimal codes", _HEX_CODES.findall(text), _from_hex_codes),
    ):
        decoded = [decode(token) for token in dict.fromkeys(tokens)]
        found = "\n".join(part for part in decoded if part)
        if found:
            yield name, found


def _tokens_with(text: str, character: str, pattern: re.Pattern[str]) -> list[str]:
    """Return the tokens of a text that have a pattern in them; no pattern over them, which would take its time."""
    if character not in text or not pattern.search(text):
        return []
    return [token for token in _BETWEEN.split(text) if character in token and pattern.search(token)]


def _from_quoted(token: str) -> str:
    return unquote(token.replace("%", "%25").replace("=", "%"), errors="replace")


def _letter(match: re.Match[str], base: int) -> str:
    code = int(next(group for group in match.groups() if group), base)
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else ""


def _unquoted(token: str) -> str:
    for _ in range(5):
        plain = unquote(token, errors="replace")
        if plain == token:
            break
        token = plain
    return token.replace("+", " ")


def _from_codes(token: str) -> str:
    codes = [int(number) for number in re.findall(r"\d+", token)]
    return "".join(map(chr, codes)) if all(code in (9, 10, 13) or 32 <= code < 256 for code in codes) else ""


def _from_hex_codes(token: str) -> str:
    data = bytes(int(pair, 16) for pair in re.findall(r"[0-9a-fA-F]{2}(?![0-9a-zA-Z])", token))
    return data.decode("latin-1") if data and all(code in (9, 10, 13) or code >= 32 for code in data) else ""


def spaced_runs(text: str) -> str:
    """Return what is written with something between every two letters, a line each; numbers alone are not.

    >>> spaced_runs("A n n a, then 1 2 3 4 5 6 7 8 and B-8-0-1-2-0-0")
    'B801200'
    """
    runs = (_NO_WORD.sub("", run) for run in _SPACED.findall(text))
    return "\n".join(run for run in dict.fromkeys(runs) if not run.isdigit())


def run_together(text: str) -> str:
    """Return the letters and digits of a text with nothing between them."""
    return _NO_WORD.sub("", text)
