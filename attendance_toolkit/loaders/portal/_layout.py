"""Find the header of a download, in one row or two, and say what each column holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from attendance_toolkit.loaders._head import Head, Recognised
from attendance_toolkit.loaders.portal._headers import PortalHeaders, default_headers, plain
from attendance_toolkit.loaders.portal._sheets import HEADER_WITHIN, heads

ROW_KEYS = ("phase", "group", "nc_year", "school_name", "urn", "laestab")
_PUPIL_FIGURES = ("possible_sessions", "missed_sessions", "full_days_missed")
#: Columns that only a list of pupils has: such a list without UPNs is no table of schools.
_OF_PUPILS = ("upn", "pupil_name", "date_of_birth", *_PUPIL_FIGURES)
_PUPIL_MEASURES = ("attendance", "absence", "authorised", "unauthorised")


@dataclass(frozen=True)
class PortalColumn:
    """What one column holds.

    Attributes
    ----------
    place
        Its place, the first being 0.
    title
        Its header as it is written; of two rows with a colon between.
    meaning
        A key of "columns", or "measure", or "" when the header is not known.
    measure, figure
        Of a measure: which, and "count", "rate" or "" when the header does not say.
    """

    place: int
    title: str
    meaning: str
    measure: str = ""
    figure: str = ""


@dataclass(frozen=True)
class Header:
    """The header of a download: the rows it takes (places in the rows looked at), and its columns."""

    first: int
    rows: int
    columns: tuple[PortalColumn, ...]

    def named(self, meaning: str) -> PortalColumn | None:
        """Return the column of a meaning, None if there is none."""
        return next((column for column in self.columns if column.meaning == meaning), None)

    def measured(self, measure: str) -> list[PortalColumn]:
        """Return the columns of a measure."""
        return [column for column in self.columns if column.measure == measure]

    @property
    def is_summary(self) -> bool:
        """Whether rows are groups, years or schools with measures."""
        rates = [c for c in self.columns if c.meaning == "measure" and c.figure != "count"]
        return (
            bool(rates) and not any(self.named(key) for key in _OF_PUPILS) and any(self.named(key) for key in ROW_KEYS)
        )

    @property
    def is_pupils(self) -> bool:
        """Whether rows are pupils with attendance."""
        figures = sum(1 for name in _PUPIL_FIGURES if self.named(name))
        figures += sum(1 for name in _PUPIL_MEASURES if self.measured(name))
        return self.named("upn") is not None and figures >= 2

    @property
    def layout(self) -> str:
        """Return the machine name of the layout."""
        if self.is_pupils:
            return "portal_pupils"
        if self.named("nc_year"):
            return "portal_years"
        return "portal_schools" if any(self.named(key) for key in ROW_KEYS[3:]) else "portal_groups"


def find_summary(rows: Sequence[Sequence[str]], words: PortalHeaders) -> Header | None:
    """Return the header of a summary table among the first rows, None if there is none.

    >>> rows = [["Autumn 2024"], ["School type", "PA", ""], ["", "No.", "% Rate"], ["Primary", "19", "10.5%"]]
    >>> [(c.meaning, c.measure, c.figure) for c in find_summary(rows, default_headers()).columns]
    [('phase', '', ''), ('measure', 'persistent', 'count'), ('measure', 'persistent', 'rate')]
    """
    for place in range(min(len(rows), HEADER_WITHIN)):
        two = _two_rows(rows, place, words)
        if two is not None and two.is_summary:
            return two
        one = _one_row(rows, place, words)
        if one.is_summary:
            return one
    return None


def find_pupils(rows: Sequence[Sequence[str]], words: PortalHeaders) -> Header | None:
    """Return the header of a list of pupils among the first rows, None if there is none."""
    for place in range(min(len(rows), HEADER_WITHIN)):
        found = _one_row(rows, place, words)
        if found.is_pupils:
            return found
    return None


def recognise(head: Head, words: PortalHeaders | None = None) -> Recognised | None:
    """Return what a portal download is, None for any other file.

    Parameters
    ----------
    head
        The beginning of the file.
    words
        The user's own map of headers; the toolkit's if None.
    """
    words = words or default_headers()
    for rows in heads(head):
        if header := find_pupils(rows, words):
            return Recognised("portal_pupils", header.layout, "a list of pupils from DfE's portal",
                              "attendance and absence of the year to date")  # fmt: skip
        if header := find_summary(rows, words):
            what = {"portal_years": "by year group", "portal_schools": "by school"}.get(header.layout, "by group")
            return Recognised("portal_summary", header.layout, f"a summary table from DfE's portal, {what}",
                              "a check of its figures against each other and against published ones")  # fmt: skip
    return None


def _one_row(rows: Sequence[Sequence[str]], place: int, words: PortalHeaders) -> Header:
    cells = rows[place]
    return Header(place, 1, _preferred([_column(i, cell, words) for i, cell in enumerate(cells)], words))


def _two_rows(rows: Sequence[Sequence[str]], place: int, words: PortalHeaders) -> Header | None:
    """Return the header of two rows, with cells merged over two columns, or None if it is not of that kind."""
    if place + 1 >= len(rows):
        return None
    top, below = rows[place], rows[place + 1]
    width = max(len(top), len(below))
    tops = [*top, *[""] * (width - len(top))]
    belows = [*below, *[""] * (width - len(below))]
    if not any(words.meaning("figures", cell) for cell in belows if cell):
        return None
    columns = []
    over = ""
    for i, (upper, lower) in enumerate(zip(tops, belows, strict=True)):
        figure = words.meaning("figures", lower) if lower else ""
        # A cell merged over several columns holds its text in the first one only.
        over = upper or (over if figure else "")
        measure, own = words.measure(over) if over else ("", "")
        if figure and measure and not own:
            columns.append(PortalColumn(i, f"{over}: {lower}", "measure", measure, figure))
        elif upper and lower:
            columns.append(PortalColumn(i, f"{upper}: {lower}", ""))
        elif figure:
            columns.append(PortalColumn(i, f"{over}: {lower}".lstrip(": "), ""))
        else:
            columns.append(_column(i, upper or lower, words))
    return Header(place, 2, _preferred(columns, words))


def _column(place: int, title: str, words: PortalHeaders) -> PortalColumn:
    if not title:
        return PortalColumn(place, "", "")
    if meaning := words.meaning("columns", title):
        return PortalColumn(place, title, meaning)
    measure, figure = words.measure(title)
    return PortalColumn(place, title, "measure" if measure else "", measure, figure)


def _preferred(columns: list[PortalColumn], words: PortalHeaders) -> tuple[PortalColumn, ...]:
    """Keep of several columns of one meaning the one whose spelling comes first; the others are not read."""
    kept: dict[str, PortalColumn] = {}
    for column in columns:
        if column.meaning in ("", "measure", "ignored", "pupil_name"):
            continue
        other = kept.get(column.meaning)
        if other is None or words.rank("columns", column.title) < words.rank("columns", other.title):
            kept[column.meaning] = column
    result = []
    for column in columns:
        best = kept.get(column.meaning)
        # The very same header twice is a mistake the readers tell of; another word for it is only left alone.
        if best is not None and best is not column and plain(best.title) != plain(column.title):
            column = PortalColumn(column.place, column.title, "ignored")
        result.append(column)
    return tuple(result)


def repeated(header: Header) -> PortalColumn | None:
    """Return the second of two columns that mean the same, None if there is none."""
    seen: set[tuple[str, str, str]] = set()
    for column in header.columns:
        if column.meaning in ("", "ignored", "pupil_name"):
            continue
        key = (column.meaning, column.measure, column.figure)
        if key in seen:
            return column
        seen.add(key)
    return None
