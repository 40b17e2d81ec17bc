"""Tell a list of schools by its header, and which of its columns is which."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from attendance_toolkit.loaders._head import Head, Recognised
from attendance_toolkit.loaders._text import clean_header
from attendance_toolkit.vocabulary._reference import read_reference

#: Headers of tables that name schools and are no list of them: pupils, figures, returns.
_NOT_A_LIST = re.compile(
    r"^(upn|uniquepupilnumber|pupil(name|id)?|surname|forename|nativeid|timeperiod|geographiclevel|perctot|date|code|mark"
    r"|.*(attendance|absence|absent|session|enrolment).*|sess.*)$"
)
_LAYOUTS = (
    ("gias", "a GIAS download (edubasealldata)", {"urn", "la (code)", "establishmentname", "phaseofeducation (name)"}),
    (
        "performance_pupils",
        "a school performance table of pupils on roll, special needs, language and free school meals",
        {"urn", "la", "estab", "schooltype", "nor", "tsenelse", "numeal"},
    ),
)
_FEEDS = "the names, phases and pupils on roll of schools, against which returns are checked"


@cache
def header_map() -> dict[str, str]:
    """Return header as ``clean_header`` spells it -> our column.

    >>> header_map()["la(code)"], header_map()["uniquereferencenumber"], header_map()["nor"]
    ('la', 'urn', 'number_of_pupils')
    """
    return {clean_header(row["header"]): row["column"] for row in read_reference("school_list_headers.csv")}


def places_of(header: Sequence[str]) -> dict[str, int]:
    """Return our column -> its place in a header; of two headers for one column the first counts.

    >>> places_of(["URN", "name", "Website"])
    {'urn': 0, 'school_name': 1}
    """
    known = header_map()
    found: dict[str, int] = {}
    for place, cell in enumerate(header):
        column = known.get(clean_header(cell))
        if column is not None:
            found.setdefault(column, place)
    return found


def layout_of(head: Head) -> tuple[str, str] | None:
    """Return the name and description of the layout of a list of schools, None for any other file."""
    if head.format not in ("csv", "workbook"):
        return None
    for name, says, needs in _LAYOUTS:
        if needs <= head.names:
            return name, says
    if any(_NOT_A_LIST.match(re.sub(r"[_\s]", "", cell)) for cell in head.columns):
        return None
    found = set(places_of(head.header))
    has_key = "urn" in found or "laestab" in found or {"la", "estab"} <= found
    tells = found & {"phase_source", "type", "open_date", "number_of_pupils", "statutory_low_age", "postcode"}
    return ("school_list", "a list of schools") if has_key and "school_name" in found and tells else None


def recognise(head: Head) -> Recognised | None:
    """Return what a list of schools is, None for any other file.

    Parameters
    ----------
    head
        The beginning of a file; only the first row is looked at.
    """
    found = layout_of(head)
    return Recognised("schools", found[0], found[1], _FEEDS) if found else None
