"""Who a page is for."""

from __future__ import annotations

PARTNER, INTERNAL = "partner", "internal"
#: Partners outside the authority, who see what a release has cleared; the authority's own staff, who see everything.
AUDIENCES = (PARTNER, INTERNAL)
#: Government's mark for what must stay inside.
SENSITIVE = "OFFICIAL-SENSITIVE"


def marking_for(audience: str) -> str:
    """Return the protective marking of a page, or nothing for a page for partners.

    >>> marking_for("internal"), marking_for("partner")
    ('OFFICIAL-SENSITIVE', '')
    """
    return SENSITIVE if audience == INTERNAL else ""
