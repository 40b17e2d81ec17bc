"""Lists of the graduated response: who is at which level over the last four school weeks, one file for each school."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.metrics.marks import (
    CALENDAR_WEEKS,
    DOWN,
    SCHOOL_DAYS,
    UP,
    WINDOWS,
    graduated_response,
    movement,
)
from attendance_toolkit.reporting.casework_marks import AreaMarks, area_marks, patterns_in_words
from attendance_toolkit.reporting.casework_response_files import ResponseFiles
from attendance_toolkit.reporting.list_writing import (
    ListsMade,
    check_asked,
    drop_older,
    names_of,
    unnamed_among,
    write_files,
)
from attendance_toolkit.reporting.priority_group import group_of_files
from attendance_toolkit.reporting.restricted import Restricted, require_restricted
from attendance_toolkit.store import Store
from attendance_toolkit.vocabulary.areas import Area
from attendance_toolkit.vocabulary.calendar import academic_year_of, show_academic_year
from attendance_toolkit.vocabulary.rule_schemes import Scheme, own_schemes, rule_scheme

SCHEME = "graduated_response"


@dataclass(frozen=True)
class ResponseMade:
    """What was written, and how many pupils are at which level.

    Attributes
    ----------
    levels
        Level -> pupils; those with too few sessions come last.
    moved
        Move -> pupils.
    compared_with
        Last day of the window compared with; "" if there is none.
    notes
        What else is to be known.
    """

    lists: ListsMade
    year: str
    levels: tuple[tuple[str, int], ...]
    moved: tuple[tuple[str, int], ...]
    compared_with: str = ""
    notes: tuple[str, ...] = ()

    def to_text(self) -> str:
        """Return the result as a person reads it.

        >>> made = ListsMade(Path("x"), (), 2, 5)
        >>> print(ResponseMade(made, "2023/24", (("Level 1", 30), ("Level 2", 5)), (("up", 2),), "2024-02-23").to_text())
        2 lists of 5 pupils were written, one file a school in each format.
        2023/24: Level 1 30; Level 2 5.
        Since 2024-02-23: 2 to a level of more need, 0 to one of less.
        """
        moves = dict(self.moved)
        levels = "; ".join(f"{name} {many:,}" for name, many in self.levels)
        compared = (
            f"Since {self.compared_with}: {moves.get(UP, 0):,} to a level of more need, {moves.get(DOWN, 0):,} to one of less."
            if self.compared_with
            else "There is no earlier window to compare with."
        )
        return "\n".join((self.lists.to_text(), f"{self.year}: {levels}.", compared, *self.notes))


def write_response(
    store: Store,
    area: str | Area,
    academic_year: str | int,
    restricted: Restricted,
    *,
    purpose: str,
    retain_until: date,
    as_of: date | None = None,
    since: date | None = None,
    window: str = SCHOOL_DAYS,
    safeguarding: Sequence[str | Path] | None = None,
    is_every_level: bool = False,
    rules: Sequence[str | Path] = (),
    identify: Sequence[str | Path] | None = None,
    key_file: str | Path | None = None,
    formats: Sequence[str] = ("xlsx", "csv"),
    today: date | None = None,
) -> ResponseMade:
    """Write the pupils at the levels that need work, one file for each school, and a summary of all pupils by school.

    Listed are pupils at a level of rank 2 or more, with refused leave, flagged by hand, or with too few possible sessions for
    a level. A list made again takes the place of the older one of its area and year.

    Parameters
    ----------
    store
        The authority's store, with registers.
    area
        Local authority, or an area of several.
    academic_year
        Such as 2023/24; "" for the latest with marks. The window does not reach into an earlier year.
    restricted
        The restricted folder (``restricted.open_restricted``).
    purpose, retain_until
        As for every list of pupils.
    as_of, since
        Last day that counts, and the earlier one levels are compared with: see ``metrics.marks.movement``.
    window
        "school days" or "calendar weeks".
    safeguarding
        Files of pupils flagged by hand: UPNs (needs the key) or pseudonyms.
    is_every_level
        List all pupils with a mark in the window.
    rules
        The authority's own rule schemes; that which replaces ``graduated_response`` is used.
    identify, key_file
        Files of the extract that was loaded, and the store's key: for UPNs and names in place of pseudonyms.
    formats
        "xlsx", "csv" or both.

    Returns
    -------
    What was written.

    Raises
    ------
    ParameterError
        A day outside the marks, a window there is not, or what every list refuses.
    NoDataError
        The store has no marks of the area and year, or nobody is to be listed.
    VocabularyError
        A rule scheme cannot be read, or replaces another.
    DisclosureError
        The folder is not a restricted one.
    StoreError
        The key is not the one the store was made with.
    """
    require_restricted(restricted.lists)
    scheme = _scheme_of(rules)
    if window not in WINDOWS:
        raise ParameterError(f"'{window}' is not a window. Use one of: {', '.join(WINDOWS)}.")
    formats = tuple(formats)
    day = today or date.today()
    if academic_year:
        # What is asked wrongly is said before marks are read.
        check_asked("graduated-response", area, academic_year, purpose, retain_until, formats, day)
    flagged = group_of_files(safeguarding, store, key_file).pupils if safeguarding else frozenset[int]()
    marks = area_marks(store, area, academic_year or (academic_year_of(as_of) if as_of else ""))
    asked = check_asked("graduated-response", marks.area, marks.year, purpose, retain_until, formats, day)
    marks.check_day(as_of, "last day that counts")
    marks.check_day(since, "day compared with")
    rows = graduated_response(marks.table, scheme, as_of=as_of, window=window)
    moved = movement(marks.table, scheme, as_of=as_of, since=since, window=window)
    files = ResponseFiles(marks, asked, scheme, rows, moved, flagged, as_of, since, window, is_every_level)
    listed = files.listed
    if listed.empty:
        raise NoDataError(
            f"No pupil of {marks.area.name} is to be listed: nobody is at a level that needs work. Add --all-levels to list"
            " all pupils."
        )
    upns = [int(upn) for upn in listed["upn"].unique()]
    names = names_of(store, upns, identify, key_file)
    files = replace(files, names=names, words=patterns_in_words(marks.table, upns, as_of))
    entries = write_files(restricted.lists, asked, files.lists(), is_identified=names is not None)
    entries += write_files(restricted.lists, replace(asked, formats=("csv",)), [files.summary()], is_identified=False)
    drop_older(restricted.lists, entries, asked)
    made = ListsMade(
        restricted.lists / asked.folder,
        tuple(restricted.lists / entry.file for entry in entries),
        int(listed["laestab"].nunique()),
        len(listed),
        unnamed_among(upns, names),
    )
    moves = tuple((str(name), int(many)) for name, many in moved.pupils["moved"].value_counts().sort_index().items())
    notes = _notes(marks, rows["upn"], flagged, window)
    return ResponseMade(
        made, show_academic_year(marks.year), files.level_counts(rows), moves, files.compared_with, notes
    )


def _scheme_of(rules: Sequence[str | Path]) -> Scheme:
    own = own_schemes(rules)
    if rules and SCHEME not in own:
        raise ParameterError(
            f"None of the rule schemes given replaces '{SCHEME}'. Leave out --rules, or add 'replaces: {SCHEME}'."
        )
    return own.get(SCHEME) or rule_scheme(SCHEME)


def _notes(marks: AreaMarks, upns: Iterable[int], flagged: frozenset[int], window: str) -> tuple[str, ...]:
    notes = []
    here = set(map(int, upns))
    if gone := len(flagged - here):
        who = "1 pupil" if gone == 1 else f"{gone:,} pupils"
        notes.append(
            f"{who} of the safeguarding file without a mark in these weeks {'is' if gone == 1 else 'are'} in no list."
        )
    if window == CALENDAR_WEEKS:
        notes.append("Weeks of the calendar: a holiday among them leaves fewer than 20 school days.")
    return tuple(notes)
