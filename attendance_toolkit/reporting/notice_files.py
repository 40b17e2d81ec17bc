"""Files of penalty notices given: which pupil, on which day."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.loaders._text import clean_header
from attendance_toolkit.loaders._values import parse_date
from attendance_toolkit.reporting.list_writing import store_key
from attendance_toolkit.reporting.priority_group import pupil_header, rows_of
from attendance_toolkit.store import Store
from attendance_toolkit.store.keys import pseudonyms

_DATES = frozenset({"date", "dateofnotice", "noticedate", "dateissued", "issued", "issuedate", "day"})
_KEY_NEEDED = "The notices have UPNs, and telling whose they are needs the key the store was made with: give its file."


def notices_of_files(files: Sequence[str | Path], store: Store, key_file: str | Path | None) -> dict[int, list[date]]:
    """Return pseudonym -> days of notices, oldest first, from tables with a column of UPNs (or pseudonyms) and one of dates.

    Raises
    ------
    ParameterError
        A file lacks one of the columns, a row lacks its pupil, or a date cannot be read; or there is no key.
    StoreError
        The key is not the one the store was made with.
    UnreadableFileError
        A file cannot be read.
    """
    known: list[tuple[int, date]] = []
    upns: list[tuple[str, date]] = []
    for path in map(Path, files):
        is_upn, rows = _rows(path)
        if is_upn:
            upns += rows
        else:
            known += [(int(pupil), day) for pupil, day in rows]
    if upns:
        texts = sorted({upn for upn, _ in upns})
        numbers = dict(zip(texts, pseudonyms(texts, store_key(store, key_file, _KEY_NEEDED)), strict=True))
        known += [(numbers[upn], day) for upn, day in upns]
    found: dict[int, list[date]] = {}
    # The same notice in two files is one.
    for pupil, day in sorted(set(known)):
        found.setdefault(pupil, []).append(day)
    return found


def _rows(path: Path) -> tuple[bool, list[tuple[str, date]]]:
    rows = rows_of(path)
    header = pupil_header(rows)
    if header is None:
        raise ParameterError(
            f"{path.name} names no pupil: it needs a column 'UPN' (or 'Pupil' of pseudonyms) and one 'Date'."
        )
    top, column, is_upn = header
    names = [re.sub(r"[^a-z]", "", clean_header(cell)) for cell in rows[top]]
    when = next((place for place, name in enumerate(names) if name in _DATES), None)
    if when is None:
        raise ParameterError(f"{path.name} has no column of dates. Name the one with the day of each notice 'Date'.")
    found = []
    for number, cells in enumerate(rows[top + 1 :], start=top + 2):
        pupil = cells[column].strip().upper() if len(cells) > column else ""
        text = cells[when].strip() if len(cells) > when else ""
        day, _ = parse_date(text)
        if day is None:
            raise ParameterError(
                f"{path.name}, row {number}, column '{rows[top][when].strip()}': '{text[:20]}' is not a date. Write it as"
                " 2024-09-13 or 13/09/2024."
            )
        if not pupil or not (is_upn or re.fullmatch(r"\d{1,19}", pupil)):
            raise ParameterError(
                f"{path.name}, row {number}: the pupil is missing or no pseudonym. Give each notice its pupil."
            )
        found.append((pupil, day))
    return is_upn, found
