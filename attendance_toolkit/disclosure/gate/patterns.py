"""What must not be in a partner's file whoever's it is: identifiers by their shape, paths, error messages.

Every pattern is applied to text that has been decoded and folded (``decode``), so that it need not know of disguises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

#: A pupil's number, with a right or a wrong check letter; the letters I, O and S are never used.
UPN = re.compile(r"(?<![A-Z0-9])[A-HJ-NP-RT-Z]\d{11}[0-9A-HJ-NP-RT-Z](?![A-Z0-9])", re.IGNORECASE)
#: The same in groups, which only means something where the check letter is right.
_GROUPED_UPN = re.compile(
    r"(?<![A-Z0-9])[A-HJ-NP-RT-Z](?:[ \-./]?\d){11}[ \-./]?[0-9A-HJ-NP-RT-Z](?![A-Z0-9]|[ \-./]\d)", re.IGNORECASE
)
PATHS = (
    re.compile(r"(?:^|[\s\"'(=,;])/(?:[\w.@-]+/)+[\w.@-]+"),
    re.compile(r"(?<![A-Za-z])[A-Za-z]:\\[\w.]"),
    re.compile(r"\\\\[\w.-]+\\[\w.$-]+"),
    re.compile(r"\bfile:/", re.IGNORECASE),
)
TRACEBACKS = (
    re.compile(r"Traceback \(most recent call last\)"),
    re.compile(r"\bFile \"[^\"]*\", line \d+"),
    re.compile(r"\b[A-Z]\w*(?:Error|Exception|Warning): "),
)

#: Letters a postcode begins with (Royal Mail, postcode areas, with the Crown dependencies).
_POSTCODE_AREAS = frozenset(
    re.findall(
        r"\w+",
        "AB AL B BA BB BD BH BL BN BR BS BT CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN DT DY E EC EH EN EX FK FY"
        " G GL GU GY HA HD HG HP HR HS HU HX IG IM IP IV JE KA KT KW KY L LA LD LE LL LN LS LU M ME MK ML N NE NG NN NP"
        " NR NW OL OX PA PE PH PL PO PR RG RH RM S SA SE SG SK SL SM SN SO SP SR SS ST SW SY TA TD TF TN TQ TR TS TW UB W"
        " WA WC WD WF WN WR WS WV YO ZE",
    )
)
_POSTCODE = re.compile(
    r"(?<![A-Za-z0-9#&])([A-Za-z]{1,2})[0-9][0-9A-HJKMNP-Ya-hjkmnp-y]? {0,2}[0-9][ABD-HJLNP-UW-Zabd-hjlnp-uw-z]{2}"
    r"(?![A-Za-z0-9])"
)
_ORDINAL = re.compile(r"\d(?:st|nd|rd|th)$")
_SEPARATED = r"(?P<sep>[/.\- ])"
#: A date written with numbers: 2012-05-01, 2012/05/01, 01/05/2012, 1.5.2012, 01/05/12.
NUMERIC_DATE = re.compile(
    rf"(?<![\d./-])(?:(?P<y>(?:19|20)\d\d){_SEPARATED}(?P<m>\d{{1,2}})(?P=sep)(?P<d>\d{{1,2}})"
    r"|(?P<a>\d{1,2})(?P<sep2>[/.\- ])(?P<b>\d{1,2})(?P=sep2)(?P<y2>(?:19|20)\d\d)"
    r"|(?P<a3>\d{1,2})/(?P<b3>\d{1,2})/(?P<y3>\d\d))(?![\d/]|[.-]\d)"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_ENDINGS = ("uary", "ruary", "ch", "il", "", "e", "y", "ust", "t?(?:ember)?", "ober", "ember", "ember")
_MONTH = f"(?P<mon>{'|'.join(f'{m}(?:{ending})?' for m, ending in zip(_MONTHS, _MONTH_ENDINGS, strict=True))})"
#: A date with the month's name: 1 May 2012, 1st May 2012, 2012-May-01, May 1, 2012.
WORDED_DATE = re.compile(
    rf"(?<![\d])(?:(?P<d>\d{{1,2}})(?:st|nd|rd|th)?[ \-/.]{{1,2}}(?:of )?{_MONTH}[ \-/.,]{{1,2}}(?P<y>\d{{4}}|\d\d)"
    rf"|(?P<y2>\d{{4}})[ \-/.]{_MONTH.replace('mon', 'mon2')}[ \-/.](?P<d2>\d{{1,2}})"
    rf"|\b{_MONTH.replace('mon', 'mon3')}[ .]{{1,2}}(?P<d3>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y3>\d{{4}}))(?!\d)",
    re.IGNORECASE,
)
#: Eight digits that may be a date: 20120501, 01052012.
DIGIT_DATE = re.compile(r"(?<![\d.])\d{8}(?!\d|\.\d)")
EMAIL = re.compile(r"(?<![\w.])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_USER_PATH = re.compile(
    r"(?<![\w/.])~/\w|\b(?:home|Users|Documents and Settings)[/\\][\w.-]+[/\\]|%(?:USERPROFILE|APPDATA|TEMP)%",
    re.IGNORECASE,
)
NHS_NUMBER = re.compile(r"(?<![\d.])(\d{3})([ -])(\d{3})\2(\d{4})(?!\d|\.\d)")
_NHS_NAMED = re.compile(r"\bNHS\W{0,3}(?:n(?:o|umber)\W{0,3})?(\d{10})(?!\d)", re.IGNORECASE)
#: Digits between letters are part of the id of a cleared row or of a sum, not a telephone number.
PHONE = re.compile(
    r"(?<![\d.#-])(?:\+44 ?(?:\(0\))? ?\d{2,5}[ -]?\d{3,4}[ -]?\d{3,4}|\(?0[1-9]\d{1,4}\)?[ -]\d{3,4}[ -]?\d{3,4}"
    r"|(?<![A-Za-z])0[1-9]\d{8,9}(?![A-Za-z]))(?![\d-]|\.\d)"
)
HEX_RUN = re.compile(r"(?<![0-9A-Za-z])(?<!\d\.)[0-9a-fA-F]{16,128}(?![0-9A-Za-z])")
UUID = re.compile(
    r"(?<![0-9a-fA-F-])[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![0-9a-fA-F-])"
)
LONG_NUMBER = re.compile(r"(?<![\d.eE+-])\d{15,20}(?!\d|\.\d)")
_HASH_LENGTHS = frozenset((16, 32, 40, 56, 64, 96, 128))
_ALPHABET = "ABCDEFGHJKLMNPQRTUVWXYZ"


@dataclass(frozen=True)
class Match:
    """A place in a text: from ``start`` to ``end``."""

    rule: str
    start: int
    end: int


#: Rule -> what a person is told. Nothing of what was matched is in it.
SAYS = {
    "upn_shape": "It holds something shaped like a pupil's UPN.",
    "postcode": "It holds a full postcode.",
    "date": "It holds an exact date that the page does not state as its own.",
    "email": "It holds an e-mail address.",
    "user_path": "It holds a path into somebody's own folder.",
    "path": "It holds a file path.",
    "server_name": "It holds the name of a server.",
    "traceback": "It holds an error message of the program.",
    "nhs_number": "It holds something shaped like an NHS number.",
    "phone": "It holds a telephone number.",
    "hash": "It holds a hexadecimal number like an unsalted hash, from which a pupil could be worked out.",
    "uuid": "It holds an identifier of a row (UUID).",
    "long_number": "It holds a number so long that it can only be an identifier.",
}


def is_upn(text: str) -> bool:
    """Whether a text has the shape and the check letter of a UPN.

    >>> is_upn("B801200005001"), is_upn("m80120000500a"), is_upn("C801200005001"), is_upn("B80120000500")
    (True, True, False, False)
    """
    text = text.upper()
    if not UPN.fullmatch(text):
        return False
    values = [_ALPHABET.index(c) if c in _ALPHABET else int(c) for c in text[1:]]
    return _ALPHABET[sum(place * value for place, value in enumerate(values, start=2)) % 23] == text[0]


def _day(year: str, month: int, day: str) -> str:
    number = int(year)
    if len(year) == 2:
        number += 2000 if number < 70 else 1900
    try:
        return date(number, month, int(day)).isoformat()
    except ValueError:
        return ""


def dates_in(text: str) -> Iterator[tuple[str, Match]]:
    """Give every date of a text as ISO 8601, with its place; one that may be read in two ways is given in both.

    >>> [day for day, _ in dates_in("01/05/2012, 2012-May-01, 1 May 2012 and 20120501; 3.5 to 4.6, 31/02/2012")]
    ['2012-05-01', '2012-01-05', '2012-05-01', '2012-05-01', '2012-05-01']
    """
    for match in NUMERIC_DATE.finditer(text):
        for day in _readings(match):
            yield day, Match("date", *match.span())
    for match in WORDED_DATE.finditer(text):
        month = next(m for m in (match["mon"], match["mon2"], match["mon3"]) if m)
        year = match["y"] or match["y2"] or match["y3"]
        day = _day(year, _MONTHS.index(month[:3].lower()) + 1, match["d"] or match["d2"] or match["d3"])
        if day:
            yield day, Match("worded_date", *match.span())
    for match in DIGIT_DATE.finditer(text):
        digits = match[0]
        for year, month, day in ((digits[:4], digits[4:6], digits[6:]), (digits[4:], digits[2:4], digits[:2])):
            found = _day(year, int(month), day) if year[:2] in ("19", "20") and month != "00" else ""
            if found:
                yield found, Match("digit_date", *match.span())


def _readings(match: re.Match[str]) -> list[str]:
    if match["y"]:
        options = [_day(match["y"], int(match["m"]), match["d"])]
    else:
        year, a, b = match["y2"] or match["y3"], match["a"] or match["a3"], match["b"] or match["b3"]
        options = [_day(year, int(b), a), _day(year, int(a), b)]
    return list(dict.fromkeys(option for option in options if option))


def _is_nhs(digits: str) -> bool:
    check = 11 - sum(int(d) * (10 - i) for i, d in enumerate(digits[:9])) % 11
    return check % 11 == int(digits[9]) and check != 10


def _simple(rule: str, *patterns: re.Pattern[str]) -> Callable[[str], Iterator[Match]]:
    def find(text: str) -> Iterator[Match]:
        for pattern in patterns:
            for match in pattern.finditer(text):
                yield Match(rule, *match.span())

    return find


def postcodes_in(text: str) -> Iterator[Match]:
    """Give the full postcodes of a text: "KS2 3rd" is none, "KS2 3RD" would be one if there were an area KS.

    >>> [match.start for match in postcodes_in("M1 1AA, sw1a1aa; the S2 3rd, QQ1 1AA, #e1 2ab")]
    [0, 8]
    """
    for match in _POSTCODE.finditer(text):
        if match[1].upper() in _POSTCODE_AREAS and not _ORDINAL.search(match[0]):
            yield Match("postcode", *match.span())


def _dates(text: str) -> Iterator[Match]:
    # A day with its month in words is how a page says when something was published: only a pupil's own is refused.
    for match in NUMERIC_DATE.finditer(text):
        if (match["sep"] or match["sep2"]) != " " and _readings(match):
            yield Match("date", *match.span())


def _nhs_numbers(text: str) -> Iterator[Match]:
    for match in NHS_NUMBER.finditer(text):
        if _is_nhs(match[1] + match[3] + match[4]):
            yield Match("nhs_number", *match.span())
    for match in _NHS_NAMED.finditer(text):
        yield Match("nhs_number", *match.span())


def _hashes(text: str) -> Iterator[Match]:
    for match in HEX_RUN.finditer(text):
        # Hidden cells of a table and ticks of an axis one after the other, "c c c 0 2 4 c c", are no hash. One of 32 digits has
        # no letter but c in 6 of a million cases; digests of the run's own pupils are searched for by themselves.
        if len(match[0]) in _HASH_LENGTHS and re.search("[abdefABDEF]", match[0]) and re.search(r"\d", match[0]):
            yield Match("hash", *match.span())


def _phones(text: str) -> Iterator[Match]:
    for match in PHONE.finditer(text):
        if 10 <= sum(c.isdigit() for c in match[0]) <= 13:
            yield Match("phone", *match.span())


_upns = _simple("upn_shape", UPN)


def _grouped_upns(text: str) -> Iterator[Match]:
    for match in _GROUPED_UPN.finditer(text):
        if len(match[0]) > 13 and is_upn(re.sub(r"[^A-Za-z0-9]", "", match[0])):
            yield Match("upn_shape", *match.span())


_finders: tuple[tuple[Callable[[str], bool], Callable[[str], Iterator[Match]]], ...] = (
    # What a text must have before it is worth a search.
    (lambda text: True, _upns),
    (lambda text: True, _grouped_upns),
    (lambda text: True, postcodes_in),
    (lambda text: True, _dates),
    (lambda text: "@" in text, _simple("email", EMAIL)),
    (lambda text: any(c in text for c in "/\\%"), _simple("user_path", _USER_PATH)),
    (lambda text: True, _nhs_numbers),
    (lambda text: "0" in text, _phones),
    (lambda text: True, _hashes),
    (lambda text: "-" in text, _simple("uuid", UUID)),
    (lambda text: True, _simple("long_number", LONG_NUMBER)),
    (lambda text: "Trace" in text or "File" in text or "Error" in text or "Exception" in text or "Warning" in text,
     _simple("traceback", *TRACEBACKS)),
)  # fmt: skip
_path_finders = (_simple("path", PATHS[0], PATHS[1], PATHS[3]), _simple("server_name", PATHS[2]))


def find_patterns(text: str, *, paths: bool = True) -> Iterator[Match]:
    r"""Give every place of a text that has the shape of something that must not be in it.

    Parameters
    ----------
    text
        Decoded and folded text.
    paths
        Whether a slash may begin a path; it does not in the source of a page.

    >>> [match.rule for match in find_patterns("B801200005001 of M1 1AA, \\\\server1\\share$")]
    ['upn_shape', 'postcode', 'server_name']
    """
    for is_worth, find in _finders:
        if is_worth(text):
            yield from find(text)
    if paths:
        for find in _path_finders:
            yield from find(text)


def find_upns(text: str) -> Iterator[Match]:
    """Give the places of a text with a UPN whose check letter is right: in text made by guessing, where shapes abound."""
    for match in _upns(text):
        if is_upn(text[match.start : match.end]):
            yield match
