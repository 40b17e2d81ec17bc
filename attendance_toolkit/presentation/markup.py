"""Blocks as HTML: one renderer for the page and for the preview in JupyterLab."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape

from attendance_toolkit.disclosure.shades import SHADES, spread_shades
from attendance_toolkit.errors import ReportError
from attendance_toolkit.presentation.blocks import (
    Block,
    Cell,
    Column,
    Figure,
    Findings,
    Notice,
    PageHead,
    Paragraph,
    Result,
    Row,
    Table,
    Tile,
    Tiles,
)
from attendance_toolkit.presentation.seals import check_seal
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.symbols import SYMBOLS

SYNTHETIC = "Synthetic data"
SYNTHETIC_BANNER = "No figure on this page describes a real council, school or pupil."

_NOT_SLUG = re.compile(r"[^a-z0-9]+")


def slug(text: str) -> str:
    """Return text as an id or file name part.

    >>> slug("What changed since 2022/23?")
    'what-changed-since-2022-23'
    """
    return _NOT_SLUG.sub("-", text.lower()).strip("-") or "part"


@dataclass
class PageContext:
    """What the page knows while its blocks are rendered: numbering, ids in use, CSV files and drawings.

    ``drawings`` are the sha256 of every drawing put on the page, ``drawn`` the values of the small lines in tiles.
    ``seal`` is the key figures are sealed with; None takes the one of this process, if it has one.
    """

    head: PageHead | None = None
    seal: str | None = None
    ids: set[str] = field(default_factory=set)
    tables: dict[str, str] = field(default_factory=dict)
    drawings: set[str] = field(default_factory=set)
    drawn: list[float] = field(default_factory=list)
    figure_count: int = 0
    table_count: int = 0

    @property
    def is_synthetic(self) -> bool:
        """True when the page is about made-up pupils."""
        return bool(self.head and self.head.synthetic)

    def take_id(self, wanted: str) -> str:
        """Reserve an id.

        Raises
        ------
        ReportError
            Another block already has it.
        """
        if wanted in self.ids:
            raise ReportError(f"Two parts of the page have the id '{wanted}'. Give one of them another id.")
        self.ids.add(wanted)
        return wanted

    def put_drawing(self, svg: str) -> str:
        """Take note of a drawing that goes on the page, and return it."""
        if svg:
            self.drawings.add(hashlib.sha256(svg.encode("utf-8")).hexdigest())
        return svg

    def download_name(self, csv_name: str) -> str:
        """Return the name a downloaded CSV file gets, which says what it is once it lies in a folder."""
        if self.head is None:
            return csv_name
        year = show_academic_year(self.head.academic_year).replace("/", "-")
        parts = [slug(self.head.area_name), year, csv_name]
        return "-".join(["synthetic", *parts] if self.is_synthetic else parts)


def text_html(text: str) -> str:
    """Return text escaped for HTML; the quotation marks of prose are left as they are."""
    return escape(text, quote=False)


def attribute(text: str) -> str:
    """Return text escaped for an HTML attribute."""
    return escape(" ".join(text.split()), quote=True)


def render(block: Block, context: PageContext | None = None) -> str:
    """Return the HTML of one block. ``Result`` and ``PageHead`` give none: the template places the head."""
    context = context or PageContext()
    if isinstance(block, Table):
        return _table(block, context)
    if isinstance(block, Figure):
        return _figure(block, context)
    if isinstance(block, Tiles):
        return _tiles(block, context)
    if isinstance(block, Findings):
        heading = f"<h3>{text_html(block.title)}</h3>\n" if block.title else ""
        items = "\n".join(f"<li>{text_html(sentence)}</li>" for sentence in block.sentences)
        return f'{heading}<ul class="findings">\n{items}\n</ul>' if items else heading
    if isinstance(block, Notice):
        title = f"<strong>{text_html(block.title)}.</strong> " if block.title else ""
        return f'<p class="notice">{title}{text_html(block.text)}</p>'
    if isinstance(block, Paragraph):
        return f"<p>{text_html(block.text)}</p>"
    if isinstance(block, (PageHead, Result)):
        return ""
    raise ReportError(f"A block of kind '{block.kind}' cannot be put on a page.")


def _source_line(source: str, context: PageContext) -> str:
    """Return the source as printed: made-up figures always say so first."""
    source = source.strip()
    if context.is_synthetic and "synthetic" not in source.lower():
        source = f"{SYNTHETIC}. {source}".strip()
    return f'<p class="source">Source: {text_html(source)}</p>' if source else ""


def _small_print(block: Table | Figure, context: PageContext, *, extra: Iterable[str] = (), source: bool = True) -> str:
    parts = [f'<p class="note">{text_html(note)}</p>' for note in extra]
    if block.notes:
        parts.append(f'<p class="note">{text_html(" ".join(block.notes))}</p>')
    if source:
        parts.append(_source_line(block.source, context))
    return "\n".join(part for part in parts if part)


# --- tables -------------------------------------------------------------------------------------------------


def _cell_notes(table: Table) -> dict[str, int]:
    """Number the footnotes of single cells, the same words once."""
    notes: dict[str, int] = {}
    for row in table.rows:
        for cell in row.cells:
            if cell.note:
                notes.setdefault(cell.note, len(notes) + 1)
    return notes


def _cell(cell: Cell, column: Column, notes: dict[str, int]) -> str:
    classes = []
    if column.align != "left":
        classes.append("n")
    if cell.symbol and cell.shown == cell.symbol:
        classes.append("sym")
    if cell.shade is not None:
        classes.append(SHADES[cell.shade])
    marker = f' <span class="ref">[note {notes[cell.note]}]</span>' if cell.note else ""
    kind = f' class="{" ".join(classes)}"' if classes else ""
    ref = f' data-cell="{cell.ref}"' if cell.ref else ""
    start = f"<td{kind}{ref}>"
    return f"{start}{text_html(cell.shown) or '&nbsp;'}{marker}</td>"


def _head_rows(table: Table) -> str:
    def heading(column: Column, extra: str = "") -> str:
        # A short header keeps its unit on the same line.
        space = " " if " " in column.label else "&nbsp;"
        unit = f'{space}<span class="unit">({text_html(column.unit)})</span>' if column.unit else ""
        number = ' class="n"' if column.align != "left" else ""
        return f'<th scope="col"{extra}{number}>{text_html(column.label)}{unit}</th>'

    first, rest = table.columns[0], table.columns[1:]
    first = Column(first.label, first.group, first.unit, "left")
    if not any(column.group for column in rest):
        return f"<tr>{heading(first)}{''.join(heading(column) for column in rest)}</tr>"
    upper = [heading(first, ' rowspan="2"')]
    lower = []
    at = 0
    while at < len(rest):
        column = rest[at]
        if not column.group:
            upper.append(heading(column, ' rowspan="2"'))
            at += 1
            continue
        end = at
        while end < len(rest) and rest[end].group == column.group:
            lower.append(heading(rest[end]))
            end += 1
        span = f' colspan="{end - at}"' if end - at > 1 else ""
        upper.append(f'<th scope="colgroup" class="group"{span}>{text_html(column.group)}</th>')
        at = end
    return f"<tr>{''.join(upper)}</tr>\n<tr>{''.join(lower)}</tr>"


def _column_groups(table: Table) -> str:
    """Return <colgroup> elements, which ``scope=colgroup`` needs."""
    if not any(column.group for column in table.columns[1:]):
        return ""
    spans: list[list[object]] = [["", 1]]
    for column in table.columns[1:]:
        if column.group and spans[-1][0] == column.group:
            spans[-1][1] = int(spans[-1][1]) + 1  # type: ignore[call-overload]
        else:
            spans.append([column.group, 1])
    return "".join("<colgroup>" if n == 1 else f'<colgroup span="{n}">' for _, n in spans)


def _bodies(table: Table, notes: dict[str, int]) -> str:
    bodies: list[str] = []
    section = None
    for row in table.rows:
        if section is None or row.section != section:
            if bodies:
                bodies.append("</tbody>")
            bodies.append("<tbody>")
            if row.section:
                span, section = len(table.columns), text_html(row.section)
                bodies.append(f'<tr class="section"><th scope="rowgroup" colspan="{span}">{section}</th></tr>')
            section = row.section
        bodies.append(_row(row, table.columns, notes))
    return "\n".join([*bodies, "</tbody>"]) if bodies else ""


def _row(row: Row, columns: tuple[Column, ...], notes: dict[str, int]) -> str:
    cells = "".join(_cell(cell, column, notes) for cell, column in zip(row.cells, columns[1:], strict=True))
    strong = ' class="strong"' if row.emphasis else ""
    return f'<tr{strong}><th scope="row">{text_html(row.header)}</th>{cells}</tr>'


def _least_width(table: Table) -> int:
    """Estimate how many characters wide the table is when every word break is taken."""

    def longest_word(text: str) -> int:
        return max((len(word) for word in text.split()), default=0)

    widths = []
    for index, column in enumerate(table.columns):
        texts = [row.header for row in table.rows] if index == 0 else [row.cells[index - 1].shown for row in table.rows]
        body = max((longest_word(t) if index == 0 or column.align == "left" else len(t) for t in texts), default=0)
        widths.append(max(body, longest_word(column.heading)) + 2)
    return sum(widths)


#: A table of at most this many characters fits a 360 pixel screen without scrolling.
_FITS_A_PHONE = 30


#: Row headers of at most this many characters are kept on one line.
_SHORT_HEADER = 14


def _table_element(table: Table, element_id: str, label: str) -> str:
    notes = _cell_notes(table)
    subtitle = f'<span class="subtitle">{text_html(table.subtitle)}</span>' if table.subtitle else ""
    title = f'<strong class="title">{text_html(label)}{text_html(table.title)}</strong>'
    caption = f'<caption id="{element_id}-caption"><span class="cap">{title}{subtitle}</span></caption>'
    body = _bodies(table, notes) or (f'<tbody><tr><td colspan="{len(table.columns)}">No figures.</td></tr></tbody>')
    short = all(len(row.header) <= _SHORT_HEADER for row in table.rows)
    kind = ("short" if short else "long") + (" heat" if table.key else "")
    element = (
        f'<table class="{kind}">\n{caption}\n{_column_groups(table)}'
        f"<thead>\n{_head_rows(table)}\n</thead>\n{body}\n</table>"
    )
    if _least_width(table) <= _FITS_A_PHONE:
        return element
    access = f'role="region" tabindex="0" aria-labelledby="{element_id}-caption"'
    return f'<div class="scroller" {access}>\n{element}\n</div>'


def _legend(table: Table) -> list[str]:
    if not table.symbols:
        return []
    return ["Symbols: " + "; ".join(f"{symbol} = {SYMBOLS[symbol]}" for symbol in table.symbols) + "."]


def _shade_key(table: Table) -> str:
    """Return what the shades stand for, as a list of samples."""
    if not table.key:
        return ""
    units = {column.unit for column in table.columns[1:]}
    unit = f" ({text_html(units.pop())})" if len(units) == 1 and units != {""} else ""
    samples = "".join(
        f'<li class="{SHADES[shade]}">{text_html(text)}</li>'
        for shade, text in zip(spread_shades(len(table.key)), table.key, strict=True)
    )
    return f'<ul class="key"><li>Shading{unit}:</li>{samples}</ul>'


def _table_notes(table: Table) -> list[str]:
    numbered = [f"Note {number}: {note}" for note, number in _cell_notes(table).items()]
    return _legend(table) + numbered


def _download(table: Table, label: str, context: PageContext) -> str:
    text = table.to_csv()
    if table.csv_name in context.tables:
        raise ReportError(f"Two tables of the page have the id '{table.id}'. Give one of them another id.")
    context.tables[table.csv_name] = text
    # The byte order mark tells spreadsheet programs that the file is UTF-8.
    raw = ("\ufeff" + text).encode("utf-8")
    size = max(1, math.ceil(len(raw) / 1024))
    data = base64.b64encode(raw).decode("ascii")
    name = attribute(context.download_name(table.csv_name))
    return (
        f'<p class="download"><a download="{name}" href="data:text/csv;charset=utf-8;base64,{data}">'
        f"Download {label} (CSV, {size} KB)</a></p>"
    )


def _table(table: Table, context: PageContext) -> str:
    context.table_count += 1
    number = f"table {context.table_count}"
    element_id = context.take_id(table.id)
    parts = [
        f'<div class="table" id="{element_id}">',
        _table_element(table, element_id, f"Table {context.table_count}: "),
        _shade_key(table),
        _small_print(table, context, extra=_table_notes(table)),
        _download(table, number, context),
        "</div>",
    ]
    return "\n".join(part for part in parts if part)


# --- figures ------------------------------------------------------------------------------------------------


def _figure(figure: Figure, context: PageContext) -> str:
    check_seal(figure.seal, figure.svg_wide, figure.svg_narrow, name=figure.id, key=context.seal)
    context.figure_count += 1
    number = context.figure_count
    element_id = context.take_id(figure.id)
    data_id = context.take_id(figure.data.id)
    label = f'aria-label="{attribute(figure.alt)}"'
    subtitle = f'<span class="subtitle">{text_html(figure.subtitle)}</span>' if figure.subtitle else ""
    legend = _table_notes(figure.data)
    # The figure's own source line covers the data table, but a CSV file or a saved table is read alone.
    legend_html = "\n".join(f'<p class="note">{text_html(line)}</p>' for line in legend)
    parts = [
        f'<figure id="{element_id}">',
        f'<figcaption><strong class="title">Figure {number}: {text_html(figure.title)}</strong>{subtitle}</figcaption>',
        f'<div class="wide">{context.put_drawing(_labelled(figure.svg_wide, label))}</div>',
        f'<div class="narrow">{context.put_drawing(_labelled(figure.svg_narrow, label))}</div>',
        _small_print(figure, context),
        f"<details>\n<summary>Data for figure {number}</summary>",
        _table_element(figure.data, data_id, ""),
        legend_html,
        _download(figure.data, f"data for figure {number}", context),
        "</details>",
        "</figure>",
    ]
    return "\n".join(part for part in parts if part)


def _labelled(svg: str, label: str) -> str:
    """Put the text equivalent on the drawing."""
    if not svg.startswith("<svg "):
        raise ReportError("A figure's drawing must be an <svg> element.")
    start, _, rest = svg.partition(">")
    start = re.sub(r'\s(role|aria-label)="[^"]*"', "", start)
    return f'{start} role="img" {label}>{rest}'


# --- tiles --------------------------------------------------------------------------------------------------

_SPARK_WIDTH, _SPARK_HEIGHT, _SPARK_EDGE = 96, 32, 4


def sparkline(
    values: Iterable[float | None], *, label: str = "", low: float | None = None, high: float | None = None
) -> str:
    """Return a small line as SVG, the last point marked; None leaves a gap.

    ``low`` and ``high`` put several sparklines on one scale. Without a ``label`` the line is decoration
    for assistive technology: the words beside it must say the same.

    >>> sparkline([1.0]), sparkline([None, 2.0])
    ('', '')
    """
    points = [None if v is None or math.isnan(v) else float(v) for v in values]
    known = [v for v in points if v is not None]
    if len(known) < 2:
        return ""
    low = min(known) if low is None else low
    high = max(known) if high is None else high
    spread = (high - low) or 1.0

    def place(index: int, value: float) -> tuple[float, float]:
        x = _SPARK_EDGE + index / (len(points) - 1) * (_SPARK_WIDTH - 2 * _SPARK_EDGE)
        y = _SPARK_HEIGHT - _SPARK_EDGE - (value - low) / spread * (_SPARK_HEIGHT - 2 * _SPARK_EDGE)
        return round(x, 1), round(y, 1)

    path, pen_down, last = "", False, (0.0, 0.0)
    for index, value in enumerate(points):
        if value is None:
            pen_down = False
            continue
        last = place(index, value)
        path += f"{'L' if pen_down else 'M'}{last[0]:g} {last[1]:g}"
        pen_down = True
    access = f'role="img" aria-label="{attribute(label)}"' if label else 'aria-hidden="true" focusable="false"'
    return (
        f'<svg class="spark" viewBox="0 0 {_SPARK_WIDTH} {_SPARK_HEIGHT}" width="{_SPARK_WIDTH}"'
        f' height="{_SPARK_HEIGHT}" {access}><path d="{path}"/>'
        f'<circle cx="{last[0]:g}" cy="{last[1]:g}" r="3"/></svg>'
    )


def _tile(tile: Tile, context: PageContext) -> str:
    comparison = f'<p class="comparison">{text_html(tile.comparison)}</p>' if tile.comparison else ""
    line = context.put_drawing(sparkline(tile.spark, label=tile.spark_label))
    context.drawn += [value for value in tile.spark if value is not None]
    return (
        f'<li class="tile"><p class="label">{text_html(tile.label)}</p>'
        f'<p class="value">{text_html(tile.value)}{line}</p>{comparison}</li>'
    )


def _tiles(block: Tiles, context: PageContext) -> str:
    return '<ul class="tiles">\n' + "\n".join(_tile(tile, context) for tile in block.tiles) + "\n</ul>"


# --- the preview in JupyterLab ------------------------------------------------------------------------------


def preview(block: Block) -> str:
    """Return plain HTML for JupyterLab, whose sanitiser removes styles: structure has to carry it alone."""
    context = PageContext()
    if isinstance(block, PageHead):
        facts = "".join(f"<li>{text_html(label)}: {text_html(text)}</li>" for label, text in block.facts)
        banner = f"<p><strong>{SYNTHETIC}.</strong> {SYNTHETIC_BANNER}</p>" if block.synthetic else ""
        title = f"<p><strong>{text_html(block.title)}</strong><br>{text_html(block.subtitle)}</p>"
        return f"{banner}{title}<ul>{facts}</ul>"
    if isinstance(block, Result):
        return f"<p><small>{text_html(block.plain_text())}</small></p>"
    if isinstance(block, Table):
        # The page parts title and subtitle by style; here a line break has to.
        table = _table_element(block, block.id, "").replace('<span class="sub"', '<br><span class="sub"', 1)
        parts = [table, _small_print(block, context, extra=_table_notes(block))]
        return "\n".join(part for part in parts if part)
    if isinstance(block, Tiles):
        items = "".join(
            f"<li>{text_html(t.label)}: <strong>{text_html(t.value)}</strong> {text_html(t.comparison)}</li>"
            for t in block.tiles
        )
        return f"<ul>{items}</ul>"
    return render(block, context)
