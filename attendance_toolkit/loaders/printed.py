"""Read tables typed off a printed report: one row per printed cell, with what the cell claims to be.

A printed table is described by a ``PrintedTable``: which columns name the row, and what each other column
holds. The three tables of Trafford's report (January 2025) are ready made; another report's tables are
described in the same way.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from attendance_toolkit.errors import ParameterError, UnknownAreaError, UnreadableFileError, did_you_mean
from attendance_toolkit.vocabulary.areas import ENGLAND, Area, find_area
from attendance_toolkit.vocabulary.calendar import parse_academic_year
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.symbols import read_value

LOCAL, NATIONAL = "local", "national"
ROLES = ("rate", "count", "size")

#: One row per printed cell. ``row`` is the line of the file; ``value`` is in percent for a rate; ``decimals``
#: is the precision of the column; ``published`` says whether the column claims to be a published figure.
PRINTED_COLUMNS = (
    "table",
    "row",
    "column",
    "label",
    "phase",
    "group",
    "nc_year",
    "measure",
    "role",
    "area_code",
    "area_level",
    "academic_year",
    "period",
    "published",
    "printed",
    "value",
    "decimals",
    "symbol",
)
CARD_COLUMNS = ("card", "quantity", "printed", "value", "decimals", "unit", "derived_from")
_CARD_HEADER = [name for name in CARD_COLUMNS if name not in ("value", "decimals")]

MEASURE_NAMES = {
    "Attendance rate": "attendance_rate",
    "Overall absence": "overall_absence_rate",
    "Authorised absence": "authorised_absence_rate",
    "Unauthorised absence": "unauthorised_absence_rate",
    "Persistent absence": "persistent_absence_rate",
    "Severe absence": "severe_absence_rate",
}
PHASE_NAMES = {
    "Primary": "Primary",
    "Secondary": "Secondary",
    "Special": "Special",
    "Pupil Referral Unit (PRU)": "Pupil referral unit",
    "All schools": "All schools",
}


@dataclass(frozen=True)
class PrintedColumn:
    """What one column of a printed table holds."""

    name: str
    role: str = "rate"
    """"rate" (percent), "count" (the enrolments behind a rate) or "size" (all enrolments of the row)."""
    measure: str = ""
    """Measure of a rate, or of the rate a count belongs to; empty if the row names it or for a size."""
    area: str = LOCAL
    academic_year: int = 0
    period: str = "year"
    published: bool = True
    """False for a figure no published file gives, such as one from DfE's portal."""
    label: str = ""


@dataclass(frozen=True)
class PrintedTable:
    """A printed table: the columns that name its rows, and the others."""

    name: str
    title: str
    keys: tuple[tuple[str, str], ...]
    """(column of the file, "phase", "group", "nc_year" or "measure")."""
    columns: tuple[PrintedColumn, ...]

    @property
    def header(self) -> list[str]:
        """The columns of the file, in order."""
        return [key for key, _ in self.keys] + [column.name for column in self.columns]


_PUBLISHED = "Published data {} full year"
_PORTAL = "DfE portal, autumn 2024"


def _portal(name: str, role: str, measure: str, label: str) -> PrintedColumn:
    return PrintedColumn(name, role, measure, LOCAL, 202425, "autumn", False, f"{_PORTAL}: {label}")


TRAFFORD_TABLES = (
    PrintedTable(
        "Table 1",
        "Overall attendance 2022/23 and 2023/24",
        (("phase", "phase"), ("measure", "measure")),
        (
            PrintedColumn("national_2022_23", area=NATIONAL, academic_year=202223, label=_PUBLISHED.format("2022/23")),
            PrintedColumn("trafford_2022_23", academic_year=202223, label=_PUBLISHED.format("2022/23")),
            PrintedColumn("national_2023_24", area=NATIONAL, academic_year=202324, label=_PUBLISHED.format("2023/24")),
            PrintedColumn("trafford_2023_24", academic_year=202324, label=_PUBLISHED.format("2023/24")),
            _portal("trafford_autumn_2024", "rate", "", "rate"),
        ),
    ),
    PrintedTable(
        "Table 2",
        "Pupil characteristics attendance overview",
        (("phase", "phase"), ("characteristic", "group")),
        (
            *(
                PrintedColumn(
                    f"{place}_{short}_2023_24",
                    measure=measure,
                    area=NATIONAL if place == "national" else LOCAL,
                    academic_year=202324,
                    label=_PUBLISHED.format("2023/24"),
                )
                for short, measure in (("attendance", "attendance_rate"), ("pa", "persistent_absence_rate"))
                for place in ("national", "trafford")
            ),
            _portal("enrolments", "size", "", "number on roll"),
            _portal("attendance_rate", "rate", "attendance_rate", "attendance"),
            _portal("pa_number", "count", "persistent_absence_rate", "persistent absentees"),
            _portal("pa_rate", "rate", "persistent_absence_rate", "persistent absence"),
            _portal("sa_number", "count", "severe_absence_rate", "severe absentees"),
            _portal("sa_rate", "rate", "severe_absence_rate", "severe absence"),
        ),
    ),
    PrintedTable(
        "Table 3",
        "Year groups, mainstream schools",
        (("nc_year", "nc_year"),),
        (
            _portal("attendance_rate", "rate", "attendance_rate", "attendance"),
            _portal("pa_rate", "rate", "persistent_absence_rate", "persistent absence"),
            _portal("sa_rate", "rate", "severe_absence_rate", "severe absence"),
        ),
    ),
)


def read_printed_table(
    path: Path | str, *, local_area: str, tables: Sequence[PrintedTable] = TRAFFORD_TABLES
) -> pd.DataFrame:
    """Read a printed table from a CSV file, one row per printed cell (``PRINTED_COLUMNS``).

    Parameters
    ----------
    local_area
        Name or code of the area whose figures stand beside the national ones.
    tables
        The tables it may be; the one whose columns are those of the file is taken.

    Raises
    ------
    UnreadableFileError
        No table has these columns, a row names an unknown phase or measure, or a cell is neither a number
        nor a symbol.
    """
    source = Path(path)
    header, lines = _read(source)
    table = next((t for t in tables if header == t.header), None)
    if table is None:
        known = "; ".join(f"{t.name}: {', '.join(t.header)}" for t in tables)
        raise UnreadableFileError(f"{source.name} has the columns {', '.join(header)}. The known tables are: {known}.")
    local = find_area(local_area)
    rows = []
    for number, line in lines:
        named = {"phase": ALL, "group": ALL, "nc_year": ALL, "measure": ""}
        for key, meaning in table.keys:
            named[meaning] = _named(source, number, key, line[key], meaning)
        for column in table.columns:
            value, decimals, symbol = _value(source, number, column.name, line[column.name])
            area = find_area(ENGLAND) if column.area == NATIONAL else local
            rows.append(
                {
                    "table": table.name,
                    "row": number,
                    "column": column.name,
                    "label": column.label,
                    "phase": named["phase"],
                    "group": named["group"],
                    "nc_year": named["nc_year"],
                    "measure": column.measure or named["measure"],
                    "role": column.role,
                    "area_code": area.code,
                    "area_level": area.level,
                    "academic_year": column.academic_year,
                    "period": column.period,
                    "published": column.published,
                    "printed": line[column.name].strip(),
                    "value": value,
                    "decimals": decimals,
                    "symbol": symbol,
                }
            )
    frame = pd.DataFrame(rows, columns=list(PRINTED_COLUMNS))
    # Trailing zeros of a whole column are the typist's, not precision: 94.50, 95.30, 22.80 are to one decimal.
    frame["decimals"] = frame.groupby(["table", "column"])["decimals"].transform("max").astype("int64")
    return frame


def read_printed_cards(path: Path | str) -> pd.DataFrame:
    """Read the figures of printed cards (card, quantity, printed, unit, derived_from) with their values.

    ``decimals`` is that of each printed figure. ``derived_from`` is "given" for a figure that is an input.

    Raises
    ------
    UnreadableFileError
        A column is missing or a figure is not a number.
    """
    source = Path(path)
    header, lines = _read(source)
    if header != _CARD_HEADER:
        raise UnreadableFileError(
            f"{source.name} has the columns {', '.join(header)}; cards have {', '.join(_CARD_HEADER)}."
        )
    rows = []
    seen: set[tuple[str, str]] = set()
    for number, line in lines:
        key = (line["card"], line["quantity"])
        if key in seen:
            raise UnreadableFileError(f"{source.name}, row {number}: {key[0]}, {key[1]} is there twice.")
        seen.add(key)
        value, _, _ = _value(source, number, "printed", line["printed"])
        text = line["printed"].strip()
        decimals = len(text.partition(".")[2])
        rows.append({**line, "printed": text, "value": value, "decimals": decimals})
    return pd.DataFrame(rows, columns=list(CARD_COLUMNS))


@dataclass(frozen=True, eq=False)
class PrintedFile:
    """One printed table read from a file."""

    name: str
    """Name of the file."""
    layout: PrintedTable
    cells: pd.DataFrame
    """One row per printed cell (``PRINTED_COLUMNS``)."""
    headings: Mapping[int, tuple[str, ...]]
    """Line of the file -> what is printed in the columns that name the row."""


@dataclass(frozen=True, eq=False)
class Printed:
    """Everything read from the files of a printed report, tables in the order of their numbers."""

    tables: tuple[PrintedFile, ...]
    cards: pd.DataFrame
    """Figures of the cards (``CARD_COLUMNS``); empty if no file had any."""
    cards_name: str = ""

    @cached_property
    def cells(self) -> pd.DataFrame:
        """The cells of all tables."""
        parts = [table.cells for table in self.tables]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(PRINTED_COLUMNS))

    @property
    def academic_year(self) -> int:
        """The latest full year printed, else the latest year; of cards, the one after the year before."""
        if len(self.cells):
            full = self.cells[self.cells["period"] == "year"]
            return int((full if len(full) else self.cells)["academic_year"].max())
        previous = [name for name in self.cards["quantity"] if name.startswith(PREVIOUS_YEAR)]
        if not previous:
            raise UnreadableFileError(f"{self.cards_name} does not say its academic year. Give it, as in 2023/24.")
        start = parse_academic_year(previous[0].removeprefix(PREVIOUS_YEAR).replace("_", "/")) // 100 + 1
        return start * 100 + (start + 1) % 100


#: Beginning of the name of a card's figure for the year before: previous_year_2022_23.
PREVIOUS_YEAR = "previous_year_"


def read_printed(
    paths: Sequence[Path | str], *, local_area: str, tables: Sequence[PrintedTable] = TRAFFORD_TABLES
) -> Printed:
    """Read printed tables and cards from CSV files; what each file is, its header says.

    Raises
    ------
    UnreadableFileError
        A file is neither, two are the same table, or a cell cannot be read.
    ParameterError
        A table names another area in its columns than the one given.
    """
    area = find_area(local_area)
    found: dict[str, PrintedFile] = {}
    cards, cards_name = pd.DataFrame(columns=list(CARD_COLUMNS)), ""
    for source in map(Path, paths):
        header, lines = _read(source)
        if header == _CARD_HEADER:
            if cards_name:
                raise UnreadableFileError(f"{cards_name} and {source.name} are both cards. Check one at a time.")
            cards, cards_name = read_printed_cards(source), source.name
            continue
        layout = next((t for t in tables if header == t.header), None)
        if layout is None:
            raise UnreadableFileError(_not_known(source.name, header, tables))
        if layout.name in found:
            raise UnreadableFileError(
                f"{found[layout.name].name} and {source.name} are both {layout.name}. Check one at a time."
            )
        _check_area(source.name, layout, area)
        keys = [key for key, _ in layout.keys]
        headings = {number: tuple(line[key].strip() for key in keys) for number, line in lines}
        cells = read_printed_table(source, local_area=area.code, tables=[layout])
        found[layout.name] = PrintedFile(source.name, layout, cells, headings)
    order = [layout.name for layout in tables]
    return Printed(tuple(sorted(found.values(), key=lambda table: order.index(table.layout.name))), cards, cards_name)


def _not_known(name: str, header: Sequence[str], tables: Sequence[PrintedTable]) -> str:
    if len(header) == 1 and re.search(r"[;\t|]", header[0]):
        return f"{name} is not separated by commas. Save it as 'CSV UTF-8 (comma delimited)'."
    known = "; ".join(f"{t.name}: {', '.join(t.header)}" for t in tables)
    shown = ", ".join(header[:12]) + (" and more" if len(header) > 12 else "")
    return (
        f"{name} is not a printed table this toolkit knows. Its columns are: {shown}."
        f" Known are: {known}; cards: {', '.join(_CARD_HEADER)}."
    )


def _check_area(name: str, layout: PrintedTable, area: Area) -> None:
    """Refuse a table whose columns name another area: its figures would be held against the wrong ones."""
    for column in layout.columns:
        try:
            named = find_area(column.name.partition("_")[0])
        except UnknownAreaError:
            continue
        if named.code != area.code:
            raise ParameterError(
                f"{name} prints figures of {named.name} (column {column.name}), not of {area.name}."
                f" Give the area {named.name}."
            )


def _read(source: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    try:
        with source.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.reader(handle)
            header = [field.strip() for field in next(reader, [])]
            lines = []
            for fields in reader:
                if not any(field.strip() for field in fields):
                    continue
                if len(fields) != len(header):
                    raise UnreadableFileError(
                        f"{source.name}, row {reader.line_num}: {len(fields)} fields, but the header has {len(header)}."
                    )
                lines.append((reader.line_num, dict(zip(header, fields, strict=True))))
    except FileNotFoundError:
        raise UnreadableFileError(f"'{source}' does not exist.") from None
    except (IsADirectoryError, PermissionError):
        raise UnreadableFileError(f"'{source}' is not a file that can be read. Give CSV files.") from None
    except (UnicodeDecodeError, csv.Error):
        raise UnreadableFileError(f"{source.name} is not UTF-8. Save it as 'CSV UTF-8 (comma delimited)'.") from None
    if not lines:
        raise UnreadableFileError(f"{source.name} is empty.")
    return header, lines


def _named(source: Path, number: int, key: str, text: str, meaning: str) -> str:
    names: Mapping[str, str] | None = {"phase": PHASE_NAMES, "measure": MEASURE_NAMES}.get(meaning)
    text = text.strip()
    if names is None:
        return text.removeprefix("Y") if meaning == "nc_year" and text != "Y" else text
    if text not in names:
        raise UnreadableFileError(
            f"{source.name}, row {number}, {key}: '{text}' is not known. Use one of: {', '.join(names)}."
            + did_you_mean(text, names)
        )
    return names[text]


def _value(source: Path, number: int, column: str, text: str) -> tuple[float, int, str]:
    """Return value, decimals without trailing zeros, and symbol."""
    cell = text.strip().removesuffix("%").replace(",", "")
    try:
        value, symbol = read_value(cell)
    except ValueError:
        raise UnreadableFileError(
            f"{source.name}, row {number}, {column}: '{text}' is neither a number nor a symbol."
        ) from None
    if value is None:
        return float("nan"), 0, symbol
    return value, len(cell.partition(".")[2].rstrip("0")), ""
