"""Dots with intervals in panels on one scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import ReportError
from attendance_toolkit.presentation._rows import (
    Item,
    Mark,
    RowLayout,
    draw_dot,
    horizontal_zero_note,
    items_of,
    items_table,
    mark_of,
    numbers_width,
    order_note,
    range_words,
    row_labels,
    row_layout,
    symbol_of,
    value_axis,
)
from attendance_toolkit.presentation.blocks import Figure, Table
from attendance_toolkit.presentation.charting import (
    LINE,
    TEXT,
    Labels,
    finish,
    limits,
    synthetic_mark,
    written,
)
from attendance_toolkit.presentation.formats import (
    Format,
    hidden_notes,
    level_label,
    levels,
    require_columns,
    require_protected,
    single_format,
    source_of,
)
from attendance_toolkit.presentation.style import WIDE, Canvas, Paint, wrap_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Room above the first row of a panel, below its heading, and for the texts of an axis.
_GAP, _AXIS = 8.0, 28.0
#: A chart of more rows than this has the texts of the axis below every panel.
_SHORT = 14


@dataclass(frozen=True)
class _Panel:
    name: str
    items: tuple[Item, ...]
    mark: Mark | None
    has_label: bool


def dot_panels(
    table: ProtectedTable,
    *,
    id: str,
    title: str,
    subtitle: str,
    panel: str,
    category: str,
    highlight: Any = None,
    references: Mapping[Any, tuple[str, float | None] | None] | None = None,
    sort: bool = False,
    source: str = "",
    notes: Iterable[str] = (),
    labels: Labels | None = None,
) -> Figure:
    """Return dots with 95% intervals, a row for each category, in panels below each other on one scale.

    Parameters
    ----------
    panel, category
        Column of the panels and column of the rows. A panel has the rows of its own levels.
    highlight
        Level (or levels) drawn bold with another marker, such as this local authority.
    references
        Level of ``panel`` -> name and rate (0 to 1) of a dashed line, such as England's. Where all are the same it is
        named once.
    sort
        True sorts the rows of each panel from high to low; else they stand in their given order.

    Raises as ``line_by_year`` does.
    """
    require_protected(table)
    require_columns(table, panel, category)
    how = single_format(table)
    panels = _panels(table, panel, category, highlight, references or {}, how, labels, id, sort=sort)
    items = [item for one in panels for item in one.items]
    spans = [v for i in items for v in (i.value.value, i.value.lower, i.value.upper)]
    low, high, ticks = limits([*spans, *(one.mark.value for one in panels if one.mark)], zero_share=0.3)

    def paint(width: float) -> tuple[Paint, float]:
        layout = row_layout(items, width, 27)
        right = numbers_width(items, how) + 14
        mark_room = LINE + 4 if table.is_synthetic else 0
        boxes = _places(panels, layout, width, right, mark_room, is_long=len(items) > _SHORT)
        height = boxes[-1][1] + boxes[-1][3] + _AXIS

        def brush(canvas: Canvas) -> None:
            synthetic_mark(canvas, table)
            first = 0
            for number, (one, box) in enumerate(zip(panels, boxes, strict=True)):
                is_labelled = len(items) > _SHORT or number == len(panels) - 1
                axes = value_axis(canvas, box, low, high, ticks, how, is_labelled=is_labelled)
                _panel(canvas, axes, one, box, _part(layout, first, len(one.items)), how, width)
                first += len(one.items)

        return brush, height

    intervals = any(item.value.has_interval for item in items)
    said = ["Lines through the dots are 95% intervals."] if intervals else []
    said += [*horizontal_zero_note(low), *hidden_notes(table.rows), *(order_note(items) if sort else [])]
    kind = f"Dot chart of {len(items)} rows in panels on one scale" + (", with 95% intervals." if intervals else ".")
    words = [f"{one.name}. {' '.join([*range_words(one.items, how), *_mark_words(one, how)])}" for one in panels]
    return finish(
        table, id=id, title=title, subtitle=subtitle, alt=" ".join([kind, *words, *hidden_notes(table.rows)]),
        paint=paint, source=source, notes=[*said, *notes],
        data=_data(panels, how, category, id=f"{id}-data", title=title, subtitle=subtitle,
                   source=source_of(table, source)),
    )  # fmt: skip


def _panels(
    table: ProtectedTable,
    panel: str,
    category: str,
    highlight: Any,
    references: Mapping[Any, tuple[str, float | None] | None],
    how: Format,
    labels: Labels | None,
    id: str,
    *,
    sort: bool,
) -> list[_Panel]:
    found: list[_Panel] = []
    marks: set[Mark | None] = set()
    for level in levels(table.rows[panel]):
        mark = mark_of(references.get(level), how)
        items = items_of(table.select(**{panel: level}), category, highlight, how, labels, id, sort=sort)
        found.append(_Panel(level_label(panel, level, labels), tuple(items), mark, mark not in marks))
        marks.add(mark)
    if not found:
        raise ReportError(f"Figure '{id}' has no rows to draw.")
    if len(marks) > 1:
        # Lines at different places are named panel by panel.
        return [replace(one, has_label=one.mark is not None) for one in found]
    return [replace(one, has_label=one.has_label and one.mark is not None) for one in found]


def _places(
    panels: Sequence[_Panel], layout: RowLayout, width: float, right: float, top: float, *, is_long: bool
) -> list[tuple[float, float, float, float]]:
    """Return the box of each panel's rows."""
    boxes, y, first = [], top, 0
    for one in panels:
        rows = sum(layout.heights[first : first + len(one.items)])
        first += len(one.items)
        y += LINE * len(_heading(one, width)) + _GAP + (LINE + 2 if one.has_label else 0)
        boxes.append((layout.left, y, width - layout.left - right, rows))
        y += rows + (_AXIS if is_long else 0) + _GAP
    return boxes


def _heading(one: _Panel, width: float) -> list[str]:
    return wrap_text(one.name, TEXT, width - 4, bold=True)


def _part(layout: RowLayout, first: int, count: int) -> RowLayout:
    """Return the layout of some of the rows, from the top of their panel."""
    heights = layout.heights[first : first + count]
    tops = [sum(heights[:i]) for i in range(count)]
    return RowLayout(layout.label_lines[first : first + count], tops, heights, layout.left, sum(heights))


def _panel(
    canvas: Canvas,
    axes: Axes,
    one: _Panel,
    box: tuple[float, float, float, float],
    layout: RowLayout,
    how: Format,
    width: float,
) -> None:
    head = _heading(one, width)
    start = box[1] - _GAP - LINE * len(head) - (LINE + 2 if one.has_label else 0)
    for index, line in enumerate(head):
        canvas.text(0, start + 14 + index * LINE, line, weight="bold")
    if one.mark:
        one.mark.draw(axes)
        if one.has_label:
            one.mark.label(canvas, axes, box, how)
    row_labels(canvas, one.items, layout, box[1])
    for item, y0, row in zip(one.items, layout.tops, layout.heights, strict=True):
        draw_dot(axes, item, y0 + row / 2, how, tips=width == WIDE)
        bold = "bold" if item.is_highlighted else "normal"
        text = written(item.value.value, how) if item.value.is_shown else symbol_of(item)
        canvas.text(width - 2, box[1] + y0 + row / 2, text, ha="right", va="center_baseline", weight=bold)


def _mark_words(one: _Panel, how: Format) -> list[str]:
    return [f"Dashed line: {one.mark.name}, {written(one.mark.value, how)}."] if one.mark and one.has_label else []


def _data(
    panels: Sequence[_Panel], how: Format, category: str, *, id: str, title: str, subtitle: str, source: str
) -> Table:
    whole = items_table(
        [item for one in panels for item in one.items], how, category, id=id, title=title, subtitle=subtitle,
        source=source,
    )  # fmt: skip
    names = [one.name for one in panels for _ in one.items]
    return replace(whole, rows=tuple(replace(row, section=name) for row, name in zip(whole.rows, names, strict=True)))
