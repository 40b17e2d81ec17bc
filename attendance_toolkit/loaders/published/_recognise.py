"""Say what a published file is from its head."""

from __future__ import annotations

from attendance_toolkit.errors import VocabularyError
from attendance_toolkit.loaders._head import Head, Recognised
from attendance_toolkit.loaders.published._fetched import own_names
from attendance_toolkit.loaders.published._files import Source
from attendance_toolkit.loaders.published._layouts import Layout, layout_of
from attendance_toolkit.loaders.published._periods import day_period, week_period
from attendance_toolkit.loaders.published._time_series import end_year
from attendance_toolkit.vocabulary.calendar import parse_academic_year, show_academic_year
from attendance_toolkit.vocabulary.group_comparators import OWN_DATASET

_HEADER_WITHIN = 15


def recognise(head: Head) -> Recognised | None:
    """Return what a published file, or a file that describes one, is; None if it is neither.

    >>> from pathlib import Path
    >>> rows = (("Short Desc", "Years", "LA and Regions", "Values", "LA Number"), ("TotAbs", "2023", "Bury", "7", "351"))
    >>> found = recognise(Head(Path("x.csv"), "csv", rows=rows))
    >>> found.kind, found.layout, found.years
    ('published', 'la_time_series', (202223,))
    """
    if head.format == "csv" and head.delimiter == "," and head.rows:
        return _of_rows(head, (tuple(own_names(head.path, head.rows[0])), *head.rows[1:]))
    if head.format == "workbook":
        for rows in head.sheets.values():
            for skipped in range(min(_HEADER_WITHIN, len(rows))):
                if found := _of_rows(head, rows[skipped:]):
                    return found
    return None


def _of_rows(head: Head, rows: tuple[tuple[str, ...], ...]) -> Recognised | None:
    if not rows:
        return None
    lower = [tuple(cell.strip().lower() for cell in row) for row in rows[:2]]
    source = Source(head.path, lower[0], lower[1] if len(lower) > 1 else (), False)
    layout = layout_of(source)
    if layout is None:
        return None
    if layout.describes:
        return Recognised("metadata", layout.name, layout.title, "nothing by itself: it describes data files")
    years = _years(layout, source.first, rows)
    seen = f", {show_academic_year(years[-1])}" if len(years) == 1 else ""
    what = layout.title if layout.name == OWN_DATASET else f"published statistics of DfE, {layout.title}"
    return Recognised("published", layout.name, f"{what}{seen}", layout.feeds, years)


def _years(layout: Layout, names: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> tuple[int, ...]:
    """Return the academic years in the rows looked at, those that can be told."""
    found: set[int] = set()
    for row in rows:
        cells = dict(zip(names, (cell.strip() for cell in row), strict=False))
        try:
            found.add(_year(layout, cells, row))
        except (VocabularyError, ValueError, KeyError, IndexError):
            continue  # the header, or a row that the reader will refuse
    return tuple(sorted(found))


def _year(layout: Layout, cells: dict[str, str], row: tuple[str, ...]) -> int:
    if layout.name == "absence_bands":
        return parse_academic_year(row[1])
    if layout.name == "la_time_series":
        return end_year(cells["years"])
    if day := cells.get("attendance_date"):
        return day_period(day)[0]
    text = cells.get("time_period") or cells.get("academic_year") or cells["year"]
    if len(text) == 4:
        return week_period(text, cells["time_identifier"])[0]
    return parse_academic_year(text)
