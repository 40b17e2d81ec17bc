"""The ledger of a page: every number our functions wrote for it, as text and as value.

While a page is made (``ATTENDANCE_OUTPUT=page``) each number is noted when it is written. Blocks carry what was noted
since the block before them, and the gate asks of every number on the page where it comes from: a number nobody noted is
refused, and so is one whose value no cleared figure explains. At all other times noting does nothing.
"""

from __future__ import annotations

import os

#: ``ATTENDANCE_OUTPUT=page`` says a page is made: nobody looks at the notebook itself.
OUTPUT_VARIABLE = "ATTENDANCE_OUTPUT"

#: A figure about pupils: cleared figures must explain its value.
FIGURE = "figure"
#: The text of a tick on an axis: a round number, allowed inside drawings alone.
AXIS = "axis"
#: What ``phrase`` may be about. Pupils, enrolments and sessions are not among them, on purpose.
THINGS = frozenset(
    (
        "districts",
        "files",
        "findings",
        "gaps",
        "groups",
        "measures",
        "pages",
        "pairs",
        "printed report",
        "rows of a table",
        "rule",
        "scale",
        "schools",
        "strata",
        "terms",
        "values",
        "years",
    )
)

Entry = tuple[str, "float | None", str]

_noted: dict[Entry, None] = {}


def is_on() -> bool:
    """Return whether numbers are noted: a page is being made."""
    return os.environ.get(OUTPUT_VARIABLE) == "page"


def note(text: str, value: float | None, kind: str = FIGURE) -> str:
    """Note a number as written and as it was before rounding, and return the text."""
    if is_on():
        _noted[(text, None if value is None or value != value else float(value), kind)] = None
    return text


def phrase(text: str, about: str) -> str:
    """Note words whose numbers count something other than pupils, and return them.

    The gate accepts the numbers in these very words only: "3 of 12 schools" allows no other 3 and no other 12.

    Parameters
    ----------
    about
        What is counted, one of ``THINGS``.

    Raises
    ------
    ValueError
        The numbers are about something else. Figures about pupils come from cleared tables.

    >>> phrase("3 of 12 schools", "schools")
    '3 of 12 schools'
    >>> phrase("7 pupils", "pupils")
    Traceback (most recent call last):
        ...
    ValueError: 'pupils' is not something to count without a cleared figure. Use one of: districts, files, findings,\
 gaps, groups, measures, pages, pairs, printed report, rows of a table, rule, scale, schools, strata, terms, values,\
 years.
    """
    if about not in THINGS:
        raise ValueError(
            f"'{about}' is not something to count without a cleared figure. Use one of: {', '.join(sorted(THINGS))}."
        )
    if is_on() and any(character.isdigit() for character in text):
        _noted[(text, None, about)] = None
    return text


def drain() -> list[Entry]:
    """Return what was noted since the last call, each entry once, and forget it."""
    found = list(_noted)
    _noted.clear()
    return found
