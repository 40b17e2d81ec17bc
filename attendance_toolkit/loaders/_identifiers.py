"""Names of pupils in files whose readers need none: found by header, and noted for the search of what leaves."""

from __future__ import annotations

from collections.abc import Sequence

from attendance_toolkit.loaders._text import clean_header

_HEADERS = {
    **dict.fromkeys(("forename", "firstname", "legalforename", "preferredforename", "givenname"), "forename"),
    **dict.fromkeys(("surname", "lastname", "legalsurname", "preferredsurname", "familyname"), "surname"),
    **dict.fromkeys(("name", "pupilname", "studentname", "fullname", "pupil", "student"), "name"),
    **dict.fromkeys(("postcode", "homepostcode"), "postcode"),
    **dict.fromkeys(("formerupn", "previousupn"), "formerupn"),
}


def identifying_places(header: Sequence[str]) -> dict[str, int]:
    """Return where a file has names, postcodes and former UPNs: what -> place of the first such column.

    >>> identifying_places(["UPN", "Legal Surname", "Forename", "Mark"])
    {'surname': 1, 'forename': 2}
    """
    found: dict[str, int] = {}
    for place, cell in enumerate(header):
        what = _HEADERS.get(clean_header(cell))
        if what:
            found.setdefault(what, place)
    return found


def split_name(text: str) -> tuple[str, str, str]:
    """Return forename, middle names (none) and surname of a name in one cell. How it is split matters little: names are
    compared whatever the order of their words.

    >>> split_name("SMITH, Anna Marie"), split_name("Anna Smith")
    (('Anna Marie', '', 'SMITH'), ('Anna', '', 'Smith'))
    """
    surname, comma, forename = text.partition(",")
    if not comma:
        forename, _, surname = text.strip().partition(" ")
    return forename.strip(), "", surname.strip()
