"""Read tables typed off a printed report: one row per printed cell, with what the cell claims to be.

A printed table is described by a ``PrintedTable``: which columns name the row, and what each other column
holds. The three tables of Trafford's report (January 2025) come with the toolkit; another report's tables are
described in the same way, in a YAML file (``printed_layouts``). Claims of the text are read with them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from attendance_toolkit.errors import ParameterError, UnknownAreaError, UnreadableFileError, did_you_mean
from attendance_toolkit.loaders._head import Head, Recognised
from attendance_toolkit.loaders.printed_layouts import (
    KIND as LAYOUT_KIND,
)
from attendance_toolkit.loaders.printed_layouts import (
    LOCAL,
    NATIONAL,
    ROLES,
    PrintedColumn,
    PrintedTable,
    package_layouts,
    parse_layout,
)
from attendance_toolkit.schema.claims import KIND as CLAIMS_KIND
from attendance_toolkit.schema.claims import Claims, parse_claims
from attendance_toolkit.vocabulary.areas import ENGLAND, Area, find_area
from attendance_toolkit.vocabulary.calendar import parse_academic_year
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.rule_schemes import KIND as SCHEME_KIND
from attendance_toolkit.vocabulary.symbols import PLAIN_NUMBER, SYMBOLS, read_value

if TYPE_CHECKING:
    from attendance_toolkit.loaders.portal import PortalHeaders

__all__ = [
    "CARD_COLUMNS",
    "LOCAL",
    "MEASURE_NAMES",
    "NATIONAL",
    "PHASE_NAMES",
    "PREVIOUS_YEAR",
    "PRINTED_COLUMNS",
    "ROLES",
    "TRAFFORD_TABLES",
    "Printed",
    "PrintedColumn",
    "PrintedFile",
    "PrintedTable",
    "read_printed",
    "read_printed_cards",
    "read_printed_table",
    "recognise",
    "yaml_kind",
]

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


#: The three tables of Trafford's report of January 2025.
TRAFFORD_TABLES = package_layouts()


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
        No table has these columns, a row names an unknown phase or measure or is there twice, or a cell is neither a
        number in range nor a symbol.
    """
    source = Path(path)
    header, lines = _read(source)
    table = next((t for t in tables if header == t.header), None)
    if table is None:
        known = "; ".join(f"{t.name}: {', '.join(t.header)}" for t in tables)
        raise UnreadableFileError(f"{source.name} has the columns {', '.join(header)}. The known tables are: {known}.")
    local = find_area(local_area)
    rows = []
    seen: dict[tuple[str, ...], int] = {}
    for number, line in lines:
        named = {"phase": ALL, "group": ALL, "nc_year": ALL, "measure": ""}
        for key, meaning in table.keys:
            named[meaning] = _named(source, number, key, line[key], meaning, table)
        first = seen.setdefault(tuple(named.values()), number)
        if first != number:
            raise UnreadableFileError(
                f"{source.name}, row {number}, {', '.join(key for key, _ in table.keys)}:"
                f" '{', '.join(line[key].strip() for key, _ in table.keys)}' is there already in row {first}."
                " Keep one of the two rows."
            )
        for column in table.columns:
            value, decimals, symbol = _value(source, number, column.name, line[column.name], column.role)
            area = _area_of(column, local)
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
            raise UnreadableFileError(
                f"{source.name}, row {number}: {key[0]}, {key[1]} is there twice. Keep one of the two rows."
            )
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
    claims: tuple[Claims, ...] = ()
    """Claims of the text, one for each claims file."""
    local: str = ""
    """Code of the area whose figures stand beside the national ones."""

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
            named = self.cards_name or ", ".join(claims.name for claims in self.claims)
            raise UnreadableFileError(f"{named} does not say its academic year. Give it, as in 2023/24.")
        start = parse_academic_year(previous[0].removeprefix(PREVIOUS_YEAR).replace("_", "/")) // 100 + 1
        return start * 100 + (start + 1) % 100


#: No place has as many pupils.
_MOST = 1e9
#: Beginning of the name of a card's figure for the year before: previous_year_2022_23.
PREVIOUS_YEAR = "previous_year_"


def read_printed(
    paths: Sequence[Path | str],
    *,
    local_area: str,
    tables: Sequence[PrintedTable] = TRAFFORD_TABLES,
    academic_year: int | str | None = None,
    period: str = "",
    headers: PortalHeaders | None = None,
) -> Printed:
    """Read printed tables and cards from CSV files, layouts and claims from YAML; what each is, its content says.

    A table is read by the layouts among the files first, then by ``tables``. Summary tables of DfE's portal
    are read as printed tables.

    Parameters
    ----------
    academic_year
        Such as "2024/25": that of a portal summary that does not say its own.
    period
        Period of portal summaries, one of ``portal.PERIODS``; empty takes the year to date.
    headers
        The user's own map of the headers of portal summaries.

    Raises
    ------
    UnreadableFileError
        A file is none of these, two are the same table, or a cell cannot be read.
    ParameterError
        A table names another area in its columns than the one given.
    """
    area = find_area(local_area)
    kinds = {Path(path): yaml_kind(Path(path)) for path in paths}
    own = [parse_layout(_text_of(path), path.name) for path, kind in kinds.items() if kind == LAYOUT_KIND]
    claims = tuple(parse_claims(_text_of(path), path.name) for path, kind in kinds.items() if kind == CLAIMS_KIND)
    known = [*own, *tables]
    found: dict[str, PrintedFile] = {}
    cards, cards_name = pd.DataFrame(columns=list(CARD_COLUMNS)), ""
    for source in (path for path, kind in kinds.items() if not kind):
        if read := _portal_tables(source, area, known, academic_year, period, headers):
            for table in read:
                _put(found, table)
            continue
        header, _ = _read(source)
        if header == _CARD_HEADER:
            if cards_name:
                raise UnreadableFileError(f"{cards_name} and {source.name} are both cards. Check one at a time.")
            cards, cards_name = read_printed_cards(source), source.name
            continue
        _put(found, _printed_file(source, known, area))
    order = [layout.name for layout in known]
    shown = sorted(found.values(), key=lambda t: order.index(t.layout.name) if t.layout.name in order else len(order))
    return Printed(tuple(shown), cards, cards_name, claims, area.code)


def _put(found: dict[str, PrintedFile], table: PrintedFile) -> None:
    name = table.layout.name
    if name in found:
        raise UnreadableFileError(f"{found[name].name} and {table.name} are both {name}. Check one at a time.")
    found[name] = table


def _printed_file(source: Path, known: Sequence[PrintedTable], area: Area) -> PrintedFile:
    header, lines = _read(source)
    layout = next((table for table in known if header == table.header), None)
    if layout is None:
        raise UnreadableFileError(_not_known(source.name, header, known))
    _check_area(source.name, layout, area)
    keys = [key for key, _ in layout.keys]
    headings = {number: tuple(line[key].strip() for key in keys) for number, line in lines}
    return PrintedFile(source.name, layout, read_printed_table(source, local_area=area.code, tables=[layout]), headings)


def _portal_tables(
    source: Path,
    area: Area,
    known: Sequence[PrintedTable],
    academic_year: int | str | None,
    period: str,
    headers: PortalHeaders | None,
) -> tuple[PrintedFile, ...]:
    """Return the tables of a summary downloaded from DfE's portal; none if the file is something else."""
    from attendance_toolkit.loaders import portal  # here: its reader makes PrintedFile
    from attendance_toolkit.loaders._head import look
    from attendance_toolkit.loaders._text import NotReadableError

    try:
        head = look(source)
        if _is_known_header(head, known):
            return ()
        found = portal.recognise(head, headers)
    except NotReadableError:
        return ()
    if found is None or found.kind != "portal_summary":
        return ()
    return portal.read_summary(
        source,
        local_area=area.code,
        year_if_unsaid=academic_year,
        period=period or portal.PERIODS[0],
        headers=headers,
    )


def _is_known_header(head: Head, known: Sequence[PrintedTable]) -> bool:
    header = [cell.strip() for cell in head.header]
    return header == _CARD_HEADER or any(header == table.header for table in known)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise UnreadableFileError(f"{path.name} cannot be read as UTF-8 text. Save it again as UTF-8.") from None


_YAML_KIND = re.compile(r"^kind:[ \t]*[\"']?(?P<kind>[a-z ]+?)[\"']?[ \t]*(#.*)?$", re.MULTILINE)
_YAML_KINDS = (LAYOUT_KIND, CLAIMS_KIND, SCHEME_KIND)


def yaml_kind(path: Path | str) -> str:
    """Return what a YAML file of ours is: "printed table", "claims" or "rule scheme"; "" for any other file."""
    try:
        with Path(path).open("rb") as handle:
            start = handle.read(1 << 14).decode("utf-8-sig", "replace")
    except OSError:
        return ""
    return _kind_in(start)


def _kind_in(text: str) -> str:
    found = _YAML_KIND.search(text)
    return found["kind"] if found and found["kind"] in _YAML_KINDS else ""


def recognise(head: Head) -> Recognised | None:
    """Return what a printed table, a card, or a YAML file about them is, None for any other file."""
    kind = _kind_in(head.text[: 1 << 14]) if head.format in ("csv", "json") else ""
    if kind == SCHEME_KIND:
        return Recognised("rules", "rule_scheme", "a rule scheme", "a check of its levels for gaps and overlaps")
    if kind:
        says = "the layout of a printed table" if kind == LAYOUT_KIND else "claims of a report's text"
        return Recognised("printed", kind.replace(" ", "_"), says, "a check of a printed report")
    if head.format != "csv":
        return None
    header = [cell.strip() for cell in head.header]
    if header == _CARD_HEADER:
        return Recognised("printed", "cards", "the figures of printed cards", "a check of a printed report")
    for table in TRAFFORD_TABLES:
        if header == table.header:
            years = tuple(sorted({column.academic_year for column in table.columns}))
            says = f"a printed table ({table.title})"
            return Recognised("printed", "printed_table", says, "a check of a printed report", years)
    return None


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
                        " Look for a comma that is not in quotation marks, or a missing cell."
                    )
                lines.append((reader.line_num, dict(zip(header, fields, strict=True))))
    except FileNotFoundError:
        raise UnreadableFileError(f"'{source}' does not exist.") from None
    except (IsADirectoryError, PermissionError):
        raise UnreadableFileError(f"'{source}' is not a file that can be read. Give CSV files.") from None
    except (UnicodeDecodeError, csv.Error):
        raise UnreadableFileError(f"{source.name} is not UTF-8. Save it as 'CSV UTF-8 (comma delimited)'.") from None
    if not lines:
        raise UnreadableFileError(f"{source.name} is empty. Write the header and the rows of the table into it.")
    return header, lines


def _area_of(column: PrintedColumn, local: Area) -> Area:
    if column.area == LOCAL:
        return local
    return find_area(ENGLAND if column.area == NATIONAL else column.area)


def _named(source: Path, number: int, key: str, text: str, meaning: str, table: PrintedTable) -> str:
    usual: Mapping[str, str] | None = {"phase": PHASE_NAMES, "measure": MEASURE_NAMES}.get(meaning)
    names = {**(usual or {}), **table.values[meaning]} if meaning in table.values else usual
    text = text.strip()
    if names is None:
        return text.removeprefix("Y") if meaning == "nc_year" and text != "Y" else text
    if text not in names:
        raise UnreadableFileError(
            f"{source.name}, row {number}, {key}: '{text}' is not known. Use one of: {', '.join(names)}."
            + did_you_mean(text, names)
        )
    return names[text]


def _value(source: Path, number: int, column: str, text: str, role: str = "") -> tuple[float, int, str]:
    """Return value, decimals without trailing zeros, and symbol; a rate must be a percentage."""
    cell = text.strip().removesuffix("%").strip()
    if PLAIN_NUMBER.fullmatch(cell):
        cell = cell.replace(",", "")
        value = float(cell)
        if not (0 <= value <= 100 if role == "rate" else 0 <= value < _MOST if role else True):
            allowed = "a percentage from 0 to 100" if role == "rate" else "a number of pupils"
            raise UnreadableFileError(
                f"{source.name}, row {number}, {column}: '{text[:60]}' is not {allowed}. Correct the cell."
            )
        return value, len(cell.partition(".")[2].rstrip("0")), ""
    try:
        symbol = read_value(cell)[1]
    except ValueError:
        symbol = ""
    if not symbol:
        raise UnreadableFileError(
            f"{source.name}, row {number}, {column}: '{text[:60]}' is neither a number nor a symbol. Write it as in 1,234"
            f" or 95.2, or use one of the symbols {', '.join(sorted(SYMBOLS))}."
        )
    return float("nan"), 0, symbol
