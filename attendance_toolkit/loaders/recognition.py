"""Tell what a file is. Each reader knows its own files; here they are asked in turn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attendance_toolkit.loaders import (
    lookups,
    portal,
    printed,
    register_marks,
    school_meetings,
    school_offers,
    schools,
    support_groups,
    transfer_file,
)
from attendance_toolkit.loaders._head import Head, Recognised, look
from attendance_toolkit.loaders.published import _recognise as published
from attendance_toolkit.loaders.school_census import layouts
from attendance_toolkit.store.quarantine import is_quarantine_header
from attendance_toolkit.vocabulary.group_comparators import OWN_DATASET

#: Kind -> what to do with such a file.
KINDS = {
    "census": "attendance load FILE --store FOLDER",
    "register": "attendance load FILE --store FOLDER",
    "transfer": "attendance load FILE --store FOLDER",
    "pupil_flags": "attendance load FILE --store FOLDER",
    "admissions": "attendance load FILE --store FOLDER",
    "support_groups": "attendance load FILE --store FOLDER",
    "meetings": "attendance load FILE --store FOLDER",
    "portal_pupils": "attendance load FILE --store FOLDER --year 2024/25",
    "schools": "attendance load FILE --store FOLDER",
    "portal_summary": "attendance reconcile FILE --area NAME",
    "printed": "attendance reconcile FILE --area NAME",
    "rules": "attendance reconcile FILE",
    "published": "attendance report NAME --area NAME --year YEAR --published FILE; attendance reconcile FILE",
    "lookup": "it is part of the toolkit's own reference tables; nothing needs to be done",
    "metadata": "keep it beside the data file it describes",
    "set_aside": "correct the rows in the extract itself and load the whole return again",
}

Recogniser = Callable[[Head], Recognised | None]


def recognisers() -> tuple[Recogniser, ...]:
    """Return the recognisers, the most particular first."""
    return (
        _set_aside,
        printed.recognise,
        lookups.recognise,
        layouts.recognise,
        register_marks.recognise,
        transfer_file.recognise,
        _national_of_groups,
        portal.recognise,
        support_groups.recognise,
        school_meetings.recognise,
        school_offers.recognise,
        schools.recognise,
        published.recognise,
    )


def recognise(path: Path | Head) -> Recognised | None:
    """Return what a file is, None when no reader knows it.

    Raises
    ------
    NotReadableError
        The file cannot be opened or is damaged.
    """
    head = path if isinstance(path, Head) else look(path)
    for ask in recognisers():
        if found := ask(head):
            return found
    return None


def _national_of_groups(head: Head) -> Recognised | None:
    """Recognise an authority's own national figures, whose columns would do for a summary of the portal."""
    found = published.recognise(head)
    return found if found is not None and found.layout == OWN_DATASET else None


def _set_aside(head: Head) -> Recognised | None:
    if not is_quarantine_header(list(head.header)):
        return None
    return Recognised("set_aside", "quarantine", "a list of rows that an earlier load set aside", "nothing by itself")
