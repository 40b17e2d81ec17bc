"""Find a list of pupils in a file: a CSV whose first line is the header, or a table below rows that say what it is.

The toolkit's own restricted lists, and workbooks of an authority, begin with rows of two cells such as "Support group" and
its name. What they say of the whole list is read like a column that has the same text in every row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from attendance_toolkit.loaders._derived import MadeTable
from attendance_toolkit.loaders._head import Head
from attendance_toolkit.loaders._table_rows import table_rows
from attendance_toolkit.loaders._text import TextFile, clean_header, open_text
from attendance_toolkit.schema.pupil_lists import PUPIL_LISTS, list_of_header
from attendance_toolkit.store._files import sha256_of

#: A header further down than this is not looked for.
_MOST_ABOVE = 20


def find_list(head: Head) -> str | None:
    """Return the table of ``schema.pupil_lists`` a file holds, None for any other file.

    Parameters
    ----------
    head
        The beginning of a file; of a workbook, the first sheet with such a table counts.
    """
    found = _find(head)
    return found[0] if found else None


def _find(head: Head) -> tuple[str, str | None] | None:
    """Return the table and, of a workbook, the sheet it is in."""
    if head.format not in ("csv", "workbook"):
        return None
    sheets: Iterable[tuple[str | None, Sequence[Sequence[str]]]] = head.sheets.items() or [(None, head.rows)]
    for sheet, rows in sheets:
        about: dict[str, str] = {}
        for cells in rows[:_MOST_ABOVE]:
            table = list_of_header([*map(clean_header, cells), *about])
            if table:
                return table, sheet
            about |= _said_of_all(cells)
    return None


def _said_of_all(cells: Sequence[str]) -> dict[str, str]:
    """Return what a row above the header says of the whole list: a column, and its text."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    if len(filled) != 2:
        return {}
    name = clean_header(filled[0])
    known = {alias for spec in PUPIL_LISTS.values() for alias in spec.aliases} - {"upn"}
    return {name: filled[1]} if name in known else {}


def open_list(head: Head, private: Path) -> TextFile:
    """Return the list of pupils in a file as a CSV file whose first line is its header.

    Parameters
    ----------
    head
        A file that ``find_list`` knows.
    private
        A folder only the user can read, for a converted copy.

    Raises
    ------
    NotReadableError
        The file is damaged, or its text is not comma-separated.
    """
    if head.format == "csv" and not head.is_gzip and list_of_header(head.columns):
        return open_text(head.path, private)
    found = _find(head)
    assert found is not None  # it was recognised
    rows = table_rows(head, found[1])
    about: dict[str, str] = {}
    for _, cells in rows:
        if list_of_header([*map(clean_header, cells), *about]) == found[0]:
            return _made(head, private, cells, rows, about)
        about |= _said_of_all(cells)
    raise AssertionError("the header was in the rows looked at")


def _made(
    head: Head, private: Path, header: Sequence[str], rows: Iterator[tuple[int, list[str]]], about: dict[str, str]
) -> TextFile:
    """Write the table again in a private folder, with what is said above it as columns of its own."""
    sha256 = sha256_of(head.path)
    more = {name: text for name, text in about.items() if name not in set(map(clean_header, header))}
    made = MadeTable(private, f"list-{sha256[:16]}", [*header, *more])
    width = len(header)
    try:
        for line, cells in rows:
            # Sheets and lists end in cells without text, or lack them; any other length is a fault that is then found.
            filled = [*cells, *[""] * (width - len(cells))]
            kept = filled[:width] if not any(cell.strip() for cell in filled[width:]) else filled
            made.add([*kept, *more.values()], line)
    finally:
        made.close()
    source = TextFile(head.path, head.path, sha256, head.encoding, list(header), 0)
    return made.finish(source, {}, what="a row of the list")
