"""Read tables typed off a printed report: one row per printed cell, with what the cell claims to be.

A printed table is described by a ``PrintedTable``: which columns name the row, and what each other column
holds. The three tables of Trafford's report (January 2025) are ready made; another report's tables are
described in the same way.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from attendance_toolkit.errors import UnreadableFileError, did_you_mean
from attendance_toolkit.vocabulary.areas import ENGLAND, find_area
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
    table = next((t for t in tables if header == [k for k, _ in t.keys] + [c.name for c in t.columns]), None)
    if table is None:
        known = "; ".join(
            f"{t.name}: {', '.join([k for k, _ in t.keys] + [c.name for c in t.columns])}" for t in tables
        )
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
    expected = [name for name in CARD_COLUMNS if name not in ("value", "decimals")]
    if header != expected:
        raise UnreadableFileError(
            f"{source.name} has the columns {', '.join(header)}; cards have {', '.join(expected)}."
        )
    rows = []
    for number, line in lines:
        value, _, _ = _value(source, number, "printed", line["printed"])
        text = line["printed"].strip()
        decimals = len(text.partition(".")[2])
        rows.append({**line, "printed": text, "value": value, "decimals": decimals})
    return pd.DataFrame(rows, columns=list(CARD_COLUMNS))


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
    except UnicodeDecodeError:
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
