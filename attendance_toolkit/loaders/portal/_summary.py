"""Read summary tables of DfE's portal into the shape of printed tables, and into MEASURE rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pandas as pd

from attendance_toolkit.errors import ParameterError, UnreadableFileError, did_you_mean
from attendance_toolkit.loaders._text import NotReadableError
from attendance_toolkit.loaders._values import show
from attendance_toolkit.loaders.portal._headers import PortalHeaders, default_headers, plain
from attendance_toolkit.loaders.portal._layout import ROW_KEYS, PortalColumn, find_summary, repeated
from attendance_toolkit.loaders.portal._sheets import Row, Sheet, read_sheets
from attendance_toolkit.loaders.portal._years import years_said
from attendance_toolkit.loaders.printed import LOCAL, PRINTED_COLUMNS, PrintedColumn, PrintedFile, PrintedTable
from attendance_toolkit.vocabulary.areas import Area, find_area
from attendance_toolkit.vocabulary.calendar import TERMS, parse_academic_year, show_academic_year
from attendance_toolkit.vocabulary.columns import ALL, NC_YEARS
from attendance_toolkit.vocabulary.symbols import PLAIN_NUMBER, SYMBOL_SPELLINGS, SYMBOLS, read_value

#: Periods a download may be of. The portal counts from the first day of the year unless dates are chosen.
PERIODS = ("year to date", *TERMS)
MEASURES = {
    "attendance": "attendance_rate",
    "absence": "overall_absence_rate",
    "authorised": "authorised_absence_rate",
    "unauthorised": "unauthorised_absence_rate",
    "persistent": "persistent_absence_rate",
    "severe": "severe_absence_rate",
}
SHARE_OF_PUPILS = ("persistent", "severe")
#: England has fewer pupils than this.
_MOST_PUPILS = 20_000_000


def read_summary(
    path: Path | str,
    *,
    local_area: str,
    academic_year: int | str | None = None,
    year_if_unsaid: int | str | None = None,
    period: str = PERIODS[0],
    headers: PortalHeaders | None = None,
) -> tuple[PrintedFile, ...]:
    """Read the summary tables of a download: of groups, year groups or schools.

    Parameters
    ----------
    path
        A CSV file or a workbook; every sheet with a table is read.
    local_area
        Name or code of the authority the figures are of.
    academic_year
        Such as "2024/25"; None takes the one that stands above or below the table.
    year_if_unsaid
        The year taken, without ``academic_year``, where none or several stand there.
    period
        "year to date", or the term that was chosen in the portal.
    headers
        The user's own map of headers.

    Returns
    -------
    One printed table for each sheet, named "Portal by group", "Portal by year group" or "Portal by school" (with
    the sheet where there are several). Rates are in percent. ``No.`` under attendance is all pupils of the row
    (role "size"), under persistent and severe absence those who are (role "count").

    Raises
    ------
    UnreadableFileError
        A header or a cell cannot be understood; a row is there twice; the same column is there twice.
    ParameterError
        The year or period is missing or not one.
    UnknownAreaError
        The area is not one.
    """
    source = Path(path)
    words = headers or default_headers()
    area = find_area(local_area)
    if period not in PERIODS:
        raise ParameterError(f"'{period}' is not a period.{did_you_mean(period, PERIODS)} Use: {', '.join(PERIODS)}.")
    try:
        sheets = read_sheets(source, lambda rows: find_summary(rows, words) is not None)
    except NotReadableError as error:
        raise UnreadableFileError(f"{source.name}: {error.says} {error.fix}") from None
    tables = []
    for sheet in sheets:
        reader = _Reader(source.name, sheet, words, several=len(sheets) > 1)
        tables.append(reader.read(area, _year(reader, academic_year, year_if_unsaid), period))
    return tuple(tables)


@dataclass(frozen=True)
class _Number:
    """A cell: its value (percent or pupils), its decimals as written, and its symbol if it has no value."""

    value: Decimal | None
    decimals: int = 0
    symbol: str = ""


class _Reader:
    """One sheet while it is read."""

    def __init__(self, file: str, sheet: Sheet, words: PortalHeaders, *, several: bool) -> None:
        self.words, self.sheet = words, sheet
        self.where = f"{file}, sheet {sheet.name}" if sheet.name and several else file
        self.file = file
        rows = [row.cells for row in sheet.rows]
        header = find_summary(rows, words)
        assert header is not None
        self.header = header
        self.names = list(sheet.rows[header.first : header.first + header.rows])
        self.above = list(sheet.rows[: header.first])
        self.body: list[Row] = []
        self.notes: list[Row] = []
        self._part(sheet.rows[header.first + header.rows :])
        self._check_header()
        kind = {"portal_years": "year group", "portal_schools": "school"}.get(header.layout, "group")
        self.table = f"Portal by {kind}" + (f" ({sheet.name})" if several else "")

    def fail(self, says: str, row: Row | None = None, column: PortalColumn | None = None) -> UnreadableFileError:
        """Return the error of a place of the file."""
        place = self.where + (f", row {row.line}" if row else "") + (f", {column.title}" if column else "")
        return UnreadableFileError(f"{place}: {says}")

    def _part(self, rows: Sequence[Row]) -> None:
        """Tell rows of figures from notes and from a header that is printed again on a new page."""
        again = {row.cells for row in self.names}
        for row in rows:
            if row.cells in again:
                continue
            if row.filled == 1 and len(self._known()) > 1:
                text = next(cell for cell in row.cells if cell)
                if any(self.words.meaning(section, text) for section in ("phases", "groups")):
                    raise self.fail(f"'{show(text)}' has no figures. Delete the row, or fill it in.", row)
                self.notes.append(row)
                continue
            if self.notes:
                # A table that goes on below a note could be another table.
                raise self.fail("there are figures below a note. Keep one table in a file or sheet.", row)
            if any(row.cells[self._width() :]):
                raise self.fail(f"the row has {len(row.cells)} cells, but the header {self._width()}."
                                " Look for a comma inside a number that is not in quotation marks.", row)  # fmt: skip
            if len(row.cells) < self._width() and not self._is_workbook():
                raise self.fail(f"the row has {len(row.cells)} cells, but the header {self._width()}."
                                " Download the file again.", row)  # fmt: skip
            self.body.append(Row(row.line, (*row.cells, *[""] * (self._width() - len(row.cells)))))
        if not self.body:
            raise self.fail("there is a header and no row of figures below it. Download it again.")

    def _is_workbook(self) -> bool:
        return bool(self.sheet.name)

    def _width(self) -> int:
        return max(len(row.cells) for row in self.names)

    def _known(self) -> list[PortalColumn]:
        return [c for c in self.header.columns if c.meaning and c.meaning != "ignored"]

    def _check_header(self) -> None:
        twice = repeated(self.header)
        if twice is not None:
            raise self.fail(f"'{twice.title}' is in the header twice. Keep one of the two columns.")
        used = {c.place for c in self.header.columns if c.title}
        for row in self.body:
            for place, cell in enumerate(row.cells):
                if cell and place not in used:
                    raise self.fail(f"cell {place + 1} holds a figure, but its column has no header. Give it one, or"
                                    " delete the column.", row)  # fmt: skip
        for column in self.header.columns:
            if column.title and not column.meaning:
                known = [w for section in ("columns", "measures") for ws in self.words.spellings[section].values()
                         for w in ws]  # fmt: skip
                raise self.fail(
                    f"the header '{show(column.title)}' is not known.{did_you_mean(plain(column.title), known)} Write it"
                    " into your map of headers, under 'ignored' if it is not needed: attendance headers >"
                    " my_headers.yaml; then give --headers my_headers.yaml."
                )
            if column.meaning == "measure" and column.figure == "count" and column.measure in (
                "absence", "authorised", "unauthorised"):  # fmt: skip
                raise self.fail(
                    f"a number under '{show(column.title)}' could be pupils or sessions. Write the header under"
                    " 'ignored' in your map of headers."
                )

    # -- rows --

    def read(self, area: Area, year: int, period: str) -> PrintedFile:
        """Return the table."""
        sizes = [c for c in self.header.columns if _role(c) == "size"]
        columns = [c for c in self.header.columns if c.meaning in ("measure", "pupils")]
        numbers = {c.place: self._numbers(c) for c in columns}
        if len(sizes) > 1:
            self._same_sizes(sizes, numbers)
            columns.remove(sizes[1])
        keys = [c for c in self.header.columns if c.meaning in ROW_KEYS]
        label = f"DfE portal, {show_academic_year(year)}, {period}"
        layout = PrintedTable(
            self.table,
            f"DfE portal, {period}",
            tuple((c.title, _meaning(c)) for c in keys),
            tuple(
                PrintedColumn(c.title, _role(c), _measure(c), LOCAL, year, period, False, f"{label}: {c.title}")
                for c in columns
            ),
        )
        rows = []
        headings: dict[int, tuple[str, ...]] = {}
        for number, (row, named) in enumerate(self._named(keys)):
            headings[row.line] = tuple(row.cells[c.place] for c in keys)
            for column in columns:
                cell = numbers[column.place][number]
                rows.append({
                    "table": self.table, "row": row.line, "column": column.title, "label": f"{label}: {column.title}",
                    **named, "measure": _measure(column), "role": _role(column), "area_code": area.code,
                    "area_level": area.level, "academic_year": year, "period": period, "published": False,
                    "printed": row.cells[column.place],
                    "value": float("nan") if cell.value is None else float(cell.value),
                    "decimals": cell.decimals, "symbol": cell.symbol,
                })  # fmt: skip
        cells = pd.DataFrame(rows, columns=list(PRINTED_COLUMNS))
        # Trailing zeros of a whole column are the software's, not precision: 95.90% is to one decimal.
        cells["decimals"] = cells.groupby("column")["decimals"].transform("max").astype("int64")
        return PrintedFile(self.file, layout, cells, headings)

    def _named(self, keys: list[PortalColumn]) -> list[tuple[Row, dict[str, str]]]:
        """Return what each row is about; a blank phase is the one above it, whose cell is merged."""
        found: list[tuple[Row, dict[str, str]]] = []
        seen: dict[tuple[str, ...], int] = {}
        has_schools = self.header.layout == "portal_schools"
        phase = ""
        for row in self.body:
            texts = {c.meaning: row.cells[c.place] for c in keys}
            if not texts.get("phase") and not has_schools and "phase" in texts:
                texts["phase"] = phase
            phase = texts.get("phase", "")
            named = {"phase": ALL, "group": ALL, "nc_year": ALL}
            for column in keys:
                if column.meaning in ("phase", "group", "nc_year") and not (has_schools and column.meaning == "group"):
                    named[column.meaning] = self._level(column, row, texts[column.meaning])
            if has_schools:
                named["group"] = self._school(row, texts)
            key = tuple(named.values())
            if key in seen:
                shown = ", ".join(value for value in key if value != ALL) or "All"
                raise self.fail(f"{shown} is there twice, first in row {seen[key]}. Keep one.", row)
            seen[key] = row.line
            found.append((row, named))
        return found

    def _level(self, column: PortalColumn, row: Row, text: str) -> str:
        if column.meaning == "nc_year":
            level = year_group(text)
            if level is None and self.words.meaning("groups", text) == ALL:
                level = ALL
            allowed: Sequence[str] = ("R", "1 to 14", "All")
        else:
            section = "phases" if column.meaning == "phase" else "groups"
            level = self.words.meaning(section, text) or None
            allowed = tuple(self.words.spellings[section])
        if level is None:
            hint = did_you_mean(text, allowed)
            raise self.fail(
                f"'{show(text)}' is not known.{hint} Use one of: {', '.join(allowed)}; or write it into your map of"
                " headers.", row, column
            )  # fmt: skip
        return level

    def _school(self, row: Row, texts: dict[str, str]) -> str:
        name = texts.get("school_name", "")
        number = texts.get("urn", "") or texts.get("laestab", "")
        if number and not re.fullmatch(r"[0-9]{5,7}|[0-9]{3}/[0-9]{4}", number):
            raise self.fail(f"'{show(number)}' is not the URN or LAESTAB of a school. Correct the cell.", row)
        if not (name or number):
            raise self.fail("the row has no school. Fill in its name or URN, or delete the row.", row)
        return f"{name} ({number})" if name and number else name or number

    # -- cells --

    def _numbers(self, column: PortalColumn) -> list[_Number]:
        found = [self._number(column, row) for row in self.body]
        values = [n.value for n in found if n.value is not None]
        if _role(column) != "rate":
            return found
        percents = any("%" in row.cells[column.place] for row in self.body)
        if not percents and self._is_fraction():
            found = [
                n if n.value is None else _Number(n.value * 100, max(n.decimals - 2, 0)) for n in found
            ]  # fmt: skip
        elif (
            not percents and not column.figure and column.measure in SHARE_OF_PUPILS and len(values) > 1
            and all(v == v.to_integral_value() for v in values)
        ):  # fmt: skip
            raise self.fail(
                f"it cannot be told whether '{column.title}' holds pupils or percentages. Name the column"
                f" '{column.title} (%)' or '{column.title} (No.)'."
            )
        for row, number in zip(self.body, found, strict=True):
            if number.value is not None and not 0 <= number.value <= 100:
                raise self.fail(f"'{show(row.cells[column.place])}' is not a percentage (0 to 100). Correct the cell.",
                                row, column)  # fmt: skip
        return found

    def _number(self, column: PortalColumn, row: Row) -> _Number:
        text = row.cells[column.place]
        bare = text.removesuffix("%").strip()
        if not PLAIN_NUMBER.fullmatch(bare):
            is_symbol = bare in SYMBOL_SPELLINGS or bare.lower() in SYMBOLS
            if is_symbol and "%" not in text:
                return _Number(None, 0, read_value(bare)[1])
            raise self.fail(f"'{show(text)}' is neither a number nor a symbol. Correct the cell.", row, column)
        number = exact(bare)
        is_count = _role(column) != "rate"
        if is_count and ("%" in text or number != number.to_integral_value() or not 0 <= number < _MOST_PUPILS):
            raise self.fail(f"'{show(text)}' is not a number of pupils. Correct the cell.", row, column)
        return _Number(number, len(bare.partition(".")[2].rstrip("0")))

    def _is_fraction(self) -> bool:
        """Whether rates are fractions of 1, as a workbook holds them: no attendance of a whole group is below 1%.

        Raises
        ------
        UnreadableFileError
            It cannot be told, or fractions and percentages are mixed.
        """
        attendance = [c for c in self.header.measured("attendance") if c.figure != "count"]
        columns = attendance or [c for c in self.header.columns if _role(c) == "rate"]
        cells = [self._number(column, row) for column in columns for row in self.body]
        values = [n.value for n in cells if n.value]
        small = [v for v in values if v <= 1]
        if attendance:
            if small and len(small) < len(values):
                raise self.fail("some attendance rates are fractions (0.95) and some percentages (95.0). Write all of"
                                " them in one way.")  # fmt: skip
            return bool(small)
        if values and len(small) == len(values):
            raise self.fail("it cannot be told whether 0.5 means 0.5% or 50%. Write rates with a per cent sign.")
        return False

    def _same_sizes(self, sizes: list[PortalColumn], numbers: dict[int, list[_Number]]) -> None:
        """Make sure that two columns of numbers of pupils agree."""
        for row, *pair in zip(self.body, *(numbers[c.place] for c in sizes), strict=True):
            if pair[0].value != pair[1].value:
                raise self.fail(
                    f"'{sizes[0].title}' and '{sizes[1].title}' should both be all pupils of the row, and differ."
                    " Write one of them under 'ignored' in your map of headers.", row
                )  # fmt: skip


def exact(text: str) -> Decimal:
    """Return a number written with or without commas between thousands.

    >>> exact("1,935"), exact("95.90")
    (Decimal('1935'), Decimal('95.90'))
    """
    try:
        return Decimal(text.replace(",", ""))
    except InvalidOperation:  # pragma: no cover - the callers have matched a number
        raise ValueError(text) from None


def year_group(text: str) -> str | None:
    """Return the year group a text means, None if none.

    >>> [year_group(t) for t in ("YR", "Reception", "Year 7", "Y07", "7", "Year 15")]
    ['R', 'R', '7', '7', '7', None]
    """
    word = re.sub(r"^(nc\s*)?(year|yr|y)\s*(group)?\s*(?=[\dr])", "", text.strip().lower()).lstrip("0")
    if word in ("r", "reception"):
        return "R"
    return word if word in NC_YEARS and word.isdigit() else None


def _meaning(column: PortalColumn) -> str:
    return column.meaning if column.meaning in ("phase", "group", "nc_year") else "group"


def _role(column: PortalColumn) -> str:
    if column.meaning == "pupils" or (column.measure == "attendance" and column.figure == "count"):
        return "size"
    return {"measure": "count" if column.figure == "count" else "rate"}.get(column.meaning, "")


def _measure(column: PortalColumn) -> str:
    return "" if _role(column) == "size" else MEASURES[column.measure]


def _year(reader: _Reader, asked: int | str | None, if_unsaid: int | str | None = None) -> int:
    """Return the academic year: that asked for, which must not contradict the one beside the table."""
    said = years_said([*reader.above, *reader.notes])
    if not asked and len(said) != 1:
        asked = if_unsaid
    if not asked:
        if len(said) != 1:
            raise ParameterError(f"{reader.file} does not say its academic year. Give it, as in 2024/25.")
        return next(iter(said))
    year = parse_academic_year(asked)
    if said and year not in said:
        shown = ", ".join(show_academic_year(y) for y in sorted(said))
        raise ParameterError(f"{reader.file} says it is of {shown}, not of {show_academic_year(year)}. Give that year.")
    return year
