"""Blocks: what a notebook cell shows.

Each block is a frozen description. Its cell output carries the whole description as one JSON document under
``MIME``, and nothing else is needed to make the page; JupyterLab shows the HTML (or, for a figure, the PNG)
beside it.
"""

from __future__ import annotations

import base64
import csv
import dataclasses
import io
import math
import numbers
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from attendance_toolkit.disclosure.shades import SHADES, shades_of
from attendance_toolkit.errors import DisclosureError, ReportError
from attendance_toolkit.vocabulary import ledger
from attendance_toolkit.vocabulary.ledger import OUTPUT_VARIABLE
from attendance_toolkit.vocabulary.symbols import SYMBOLS

#: The output type every block carries; the exporter reads this one and refuses outputs without it.
MIME = "application/vnd.attendance-toolkit+json"
#: Raised when a document's shape changes.
VERSION = 1
#: Where a document carries the numbers noted since the block before it (``vocabulary.ledger``).
SAID = "said"

_ID = re.compile(r"^[a-z][a-z0-9-]*$")
_REF = re.compile(r"^c[0-9a-f]{10}$")
#: Symbols that stand in place of a number. "u" (low reliability) may stand beside one.
_SYMBOLS_INSTEAD = frozenset(SYMBOLS) - {"u"}


def _plain(value: Any) -> Any:
    """Return the value in types JSON has; missing numbers become None."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return None if math.isnan(value) else float(value)
    if type(value).__name__ == "NAType":
        return None
    if hasattr(value, "item"):
        return _plain(value.item())
    return str(value)


def _check_id(value: str) -> None:
    if not _ID.match(value):
        raise ReportError(
            f"'{value}' cannot be the id of a table or figure. Use small letters, digits and hyphens,"
            " beginning with a letter, for example absence-by-phase."
        )


class Block:
    """Base class: turns a frozen description into a cell output."""

    kind: ClassVar[str] = ""
    _left_out: ClassVar[tuple[str, ...]] = ()

    def document(self) -> dict[str, Any]:
        """Return the complete description in plain JSON types."""
        fields = {
            f.name: _as_document(getattr(self, f.name))
            for f in dataclasses.fields(self)  # type: ignore[arg-type]
            if f.name not in self._left_out
        }
        return {"kind": self.kind, "version": VERSION, **fields}

    def plain_text(self) -> str:
        """Return the block as a line or a few lines of text."""
        return f"{type(self).__name__}"

    def preview_html(self) -> str:
        """Return the HTML JupyterLab shows. It carries its own small style."""
        from attendance_toolkit.presentation.markup import preview

        return preview(self)

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        data: dict[str, Any] = {MIME: self._carried(), "text/plain": self.plain_text()}
        if os.environ.get(OUTPUT_VARIABLE) != "page":
            data["text/html"] = self.preview_html()
        return data, {}

    def _carried(self) -> dict[str, Any]:
        """Return the document and, while a page is made, the numbers noted since the block before."""
        noted = ledger.drain()
        return {**self.document(), SAID: [list(entry) for entry in noted]} if noted else self.document()


def _as_document(value: Any) -> Any:
    if isinstance(value, Block):
        return value.document()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _as_document(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [_as_document(item) for item in value]
    return _plain(value)


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes
    ----------
    text
        What is shown.
    value
        The same figure unrounded, for the CSV file; None for text, or where a symbol stands for the number.
    symbol
        A DfE symbol: shown in place of the number ("c", "x", "z", "low", "k") or beside it ("u").
    note
        A footnote for this cell alone.
    ref
        Id of the row of the release the cell shows; the page carries it, and the gate holds the cell against it.
    shade
        Place of the cell's colour in ``disclosure.shades.SHADES``; None leaves it plain. ``tables.heat_table`` sets it.

    >>> Cell("7.7", 7.71).shown, Cell("", symbol="c").shown
    ('7.7', 'c')
    """

    text: str = ""
    value: float | None = None
    symbol: str = ""
    note: str = ""
    ref: str = field(default="", repr=False)
    shade: int | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", str(self.text))
        object.__setattr__(self, "value", _plain(self.value))
        if self.ref and not _REF.match(self.ref):
            raise ReportError("A cell's reference must be the id of a row of the release.")
        if self.symbol and self.symbol not in SYMBOLS:
            raise ReportError(f"'{self.symbol}' is not a DfE symbol. Use one of: {', '.join(sorted(SYMBOLS))}.")
        if self.symbol in _SYMBOLS_INSTEAD and (
            self.value is not None or self.text not in ("", self.symbol, f"[{self.symbol}]")
        ):
            raise DisclosureError(f"A cell with the symbol '{self.symbol}' still carries a number.")
        if self.shade is not None and (self.symbol or self.shade not in range(len(SHADES))):
            raise DisclosureError("Only a cell that shows a number and no symbol has a shade, one of those there are.")

    @property
    def shown(self) -> str:
        """What a reader sees, symbol included."""
        if self.symbol in _SYMBOLS_INSTEAD:
            return self.symbol
        return f"{self.text} {self.symbol}".strip()

    def csv_text(self) -> str:
        """Return the cell for a CSV file: plain digits for a number, never a spreadsheet formula.

        >>> Cell("32,144", 32144).csv_text(), Cell("=1+1").csv_text()
        ('32144', "'=1+1")
        """
        if self.symbol in _SYMBOLS_INSTEAD:
            return self.symbol
        if self.value is not None:
            value = float(self.value)
            return str(int(value)) if value.is_integer() else f"{value:.10g}"
        return _no_formula(self.text or self.symbol)


def _no_formula(text: str) -> str:
    """Return text a spreadsheet will not run: names that begin like a formula get a leading quote mark."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and len(text) > 1 else text


@dataclass(frozen=True)
class Column:
    """A column of a table. ``group`` is the header spanning neighbouring columns with the same group."""

    label: str
    group: str = ""
    unit: str = ""
    align: str = "right"

    def __post_init__(self) -> None:
        if not self.label.strip():
            raise ReportError("Every column of a table needs a header.")

    @property
    def heading(self) -> str:
        """Label with its unit.

        >>> Column("Overall absence", unit="%").heading
        'Overall absence (%)'
        """
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def full_heading(self) -> str:
        """Heading with the group before it, as the CSV file has it."""
        return f"{self.group}: {self.heading}" if self.group else self.heading


@dataclass(frozen=True)
class Row:
    """A row: its header, its cells, the section it stands in, and whether it is printed bold."""

    header: str
    cells: tuple[Cell, ...]
    section: str = ""
    emphasis: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "header", str(self.header))
        object.__setattr__(self, "cells", tuple(self.cells))
        if not self.header.strip():
            raise ReportError("Every row of a table needs a header.")


@dataclass(frozen=True)
class Table(Block):
    """A table. The first column holds the row headers; the others hold ``Row.cells`` in order."""

    kind: ClassVar[str] = "table"

    id: str
    title: str
    subtitle: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    source: str = ""
    notes: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    """What the shades of a heat table stand for, from low to high."""

    def __post_init__(self) -> None:
        _check_id(self.id)
        object.__setattr__(self, "key", tuple(self.key))
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "rows", tuple(self.rows))
        object.__setattr__(self, "notes", tuple(self.notes))
        if not self.title.strip():
            raise ReportError(f"Table '{self.id}' needs a title.")
        for row in self.rows:
            if len(row.cells) != len(self.columns) - 1:
                raise ReportError(
                    f"Table '{self.id}', row '{row.header}': {len(row.cells)} cells for"
                    f" {len(self.columns) - 1} columns."
                )
        self._check_shades()

    def _check_shades(self) -> None:
        """The gate refuses any other shades; here the error comes where they were made."""
        cells = [cell for row in self.rows for cell in row.cells]
        if self.key or any(cell.shade is not None for cell in cells):
            shades, _ = shades_of([cell.shown for cell in cells])
            if [cell.shade for cell in cells] != shades:
                raise DisclosureError(f"Table '{self.id}': its shades do not follow from the figures it shows.")

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that occur, in the order of the vocabulary: what the legend explains."""
        used = {cell.symbol for row in self.rows for cell in row.cells if cell.symbol}
        return tuple(symbol for symbol in SYMBOLS if symbol in used)

    @property
    def csv_name(self) -> str:
        """File name of the CSV file."""
        return f"{self.id}.csv"

    def to_csv(self) -> str:
        """Return the table as CSV text: one header row, one row per row, only what the table shows.

        Figures shown rounded are written unrounded; hidden ones are their symbol.

        >>> Table("t", "T", "", (Column("Phase"), Column("Absence", unit="%")),
        ...       (Row("Primary", (Cell("5.5", 5.46),)),)).to_csv().splitlines()
        ['Phase,Absence (%)', 'Primary,5.46']
        """
        sections = any(row.section for row in self.rows)
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        head = [_no_formula(column.full_heading) for column in self.columns]
        writer.writerow((["Section"] if sections else []) + head)
        for row in self.rows:
            before = [_no_formula(row.section)] if sections else []
            writer.writerow([*before, _no_formula(row.header), *(cell.csv_text() for cell in row.cells)])
        return out.getvalue()

    def plain_text(self) -> str:
        """Return the title and the rows, tab-separated."""
        lines = [self.title, "\t".join(column.full_heading for column in self.columns)]
        lines += ["\t".join([row.header, *(cell.shown for cell in row.cells)]) for row in self.rows]
        return "\n".join(lines)


@dataclass(frozen=True)
class Figure(Block):
    """A chart: its headline, what it measures, its text equivalent, two drawings and the figures drawn."""

    kind: ClassVar[str] = "figure"
    _left_out: ClassVar[tuple[str, ...]] = ("png",)

    id: str
    title: str
    subtitle: str
    alt: str
    svg_wide: str
    svg_narrow: str
    data: Table
    source: str = ""
    notes: tuple[str, ...] = ()
    seal: str = ""
    """Says that our own chart function drew both drawings (``presentation.seals``)."""
    png: Callable[[], bytes] | None = field(default=None, repr=False, compare=False)
    """Draws the picture JupyterLab shows; not part of the document."""

    def __post_init__(self) -> None:
        _check_id(self.id)
        object.__setattr__(self, "notes", tuple(self.notes))
        if self.data.id == self.id:
            raise ReportError(f"Figure '{self.id}' and its data table need different ids.")
        if not self.title.strip() or len(self.alt.strip()) < 20:
            raise ReportError(f"Figure '{self.id}' needs a title and a text equivalent of more than a few words.")

    def plain_text(self) -> str:
        """Return title, subtitle and the text equivalent."""
        return "\n".join(part for part in (self.title, self.subtitle, self.alt) if part)

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        # JupyterLab prefers HTML to PNG, and its sanitiser drops inline SVG: a figure gives the PNG alone.
        data: dict[str, Any] = {MIME: self._carried(), "text/plain": self.plain_text()}
        if os.environ.get(OUTPUT_VARIABLE) != "page" and self.png is not None:
            data["image/png"] = base64.b64encode(self.png()).decode("ascii")
            return data, {"image/png": {"alt": self.alt}}
        return data, {}


@dataclass(frozen=True)
class Tile:
    """A headline figure with a comparison in words and, if there is one, its course as a small line.

    ``spark`` may hold NaN or None for a hidden or missing year. ``spark_label`` says the course in words.
    """

    label: str
    value: str
    comparison: str = ""
    spark: tuple[float | None, ...] = ()
    spark_label: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "spark", tuple(_plain(value) for value in self.spark))


@dataclass(frozen=True)
class Tiles(Block):
    """A row of tiles."""

    kind: ClassVar[str] = "tiles"

    tiles: tuple[Tile, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "tiles", tuple(self.tiles))

    def plain_text(self) -> str:
        """Return one line per tile."""
        return "\n".join(f"{t.label}: {t.value}. {t.comparison}".rstrip() for t in self.tiles)


@dataclass(frozen=True)
class Findings(Block):
    """A list of sentences."""

    kind: ClassVar[str] = "findings"

    sentences: tuple[str, ...]
    title: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sentences", tuple(s for s in self.sentences if s))

    def plain_text(self) -> str:
        """Return one line per sentence."""
        return "\n".join(([self.title] if self.title else []) + [f"- {s}" for s in self.sentences])


@dataclass(frozen=True)
class Paragraph(Block):
    """A paragraph of prose."""

    kind: ClassVar[str] = "paragraph"

    text: str

    def plain_text(self) -> str:
        """Return the text."""
        return self.text


@dataclass(frozen=True)
class Notice(Block):
    """Something a reader must know before reading on: what is missing, hidden or not comparable."""

    kind: ClassVar[str] = "notice"

    text: str
    title: str = ""

    def plain_text(self) -> str:
        """Return the text."""
        return f"{self.title}: {self.text}" if self.title else self.text


@dataclass(frozen=True)
class PageHead(Block):
    """Title block, banner and footer of the page; the notebook shows it first, once."""

    kind: ClassVar[str] = "head"

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    synthetic: bool
    footer: tuple[tuple[str, str], ...]
    report_name: str
    area_code: str
    area_name: str
    academic_year: int
    marking: str = ""
    """Protective marking, such as OFFICIAL-SENSITIVE; repeated on every printed page."""

    def __post_init__(self) -> None:
        for name in ("facts", "footer"):
            pairs = tuple((str(label), str(text)) for label, text in getattr(self, name))
            object.__setattr__(self, name, pairs)

    def plain_text(self) -> str:
        """Return title, subtitle and facts."""
        lines = [self.title, self.subtitle, *(f"{label}: {text}" for label, text in self.facts)]
        marks = [self.marking] if self.marking else []
        return "\n".join(marks + (["SYNTHETIC DATA"] if self.synthetic else []) + lines)


@dataclass(frozen=True)
class Result(Block):
    """Headline numbers for ``result.json``. Nothing of it is shown on the page."""

    kind: ClassVar[str] = "result"

    rows: tuple[Mapping[str, Any], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(_plain(row) for row in self.rows))

    def plain_text(self) -> str:
        """Say how many numbers there are."""
        return f"{len(self.rows)} headline numbers for result.json"


_BLOCKS: dict[str, type[Block]] = {
    cls.kind: cls for cls in (Table, Figure, Tiles, Findings, Paragraph, Notice, PageHead, Result)
}


def block_from_document(document: Mapping[str, Any]) -> Block:
    """Return the block a cell output describes.

    Raises
    ------
    ReportError
        The document is of another kind or version.

    >>> block_from_document(Paragraph("Hello.").document())
    Paragraph(text='Hello.')
    """
    kind = document.get("kind")
    if kind not in _BLOCKS or document.get("version") != VERSION:
        raise ReportError(f"A cell output of kind '{kind}' was made by another version of the toolkit. Run it again.")
    values = {key: value for key, value in document.items() if key not in ("kind", "version", SAID)}
    if kind == "table":
        values = _table_values(values)
    elif kind == "figure":
        data = {key: value for key, value in values["data"].items() if key not in ("kind", "version")}
        values["data"] = Table(**_table_values(data))
    elif kind == "tiles":
        values["tiles"] = tuple(Tile(**tile) for tile in values["tiles"])
    elif kind == "head":
        values["facts"] = tuple(tuple(pair) for pair in values["facts"])
        values["footer"] = tuple(tuple(pair) for pair in values["footer"])
    return _BLOCKS[kind](**values)


def _table_values(values: Mapping[str, Any]) -> dict[str, Any]:
    rows = tuple(Row(**{**row, "cells": tuple(Cell(**cell) for cell in row["cells"])}) for row in values["rows"])
    return {**values, "columns": tuple(Column(**column) for column in values["columns"]), "rows": rows}
