"""The step from one year group to the next: what became of a year group's roll, and how a destination is known."""

from __future__ import annotations

#: Year group before -> year group after, of the steps the toolkit follows by name.
TRANSITION, SECOND_TRANSITION = ("6", "7"), ("7", "8")

#: How the school a pupil goes to is known: from the roll of a later census or from later sessions, from a file of school
#: offers (admissions), or not at all.
ON_ROLL, OFFERED, NOT_KNOWN = "On roll", "Offered", "Not known"
DESTINATION_SOURCES = (ON_ROLL, OFFERED, NOT_KNOWN)

#: What became of the pupils on the roll of a year group, each once. "Here" is the area's mainstream schools.
LINKED_HERE, LINKED_ELSEWHERE = "Next year group here", "Next year group in another district"
TOO_FEW_SESSIONS = "Too few sessions to compare"
TO_SPECIAL, TO_REFERRAL = "In a special school", "In a pupil referral unit"
OTHER_YEAR_GROUP, NO_ROLL = "Another year group", "On no roll of the data"
LINK_OUTCOMES = (
    LINKED_HERE,
    LINKED_ELSEWHERE,
    TOO_FEW_SESSIONS,
    TO_SPECIAL,
    TO_REFERRAL,
    OTHER_YEAR_GROUP,
    NO_ROLL,
)
#: Several of them together: pupils with enough sessions in both years, whose absence can be compared; and all others.
COMPARED, NOT_COMPARED = "Compared", "Not compared"
#: Total -> parts of the roll of one year group; "" is the whole roll.
LINK_SUMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", (COMPARED, NOT_COMPARED)),
    (COMPARED, LINK_OUTCOMES[:2]),
    (NOT_COMPARED, LINK_OUTCOMES[2:]),
)
#: Totals of which a part may be one nobody can be in: there may be no other district in the data.
MAY_LACK_LINKS = (LINK_OUTCOMES[:2], LINK_OUTCOMES[2:])
