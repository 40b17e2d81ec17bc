"""One row for each category: dots with intervals, or bars."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.presentation._rows import (
    Item,
    draw_dot,
    horizontal_zero_note,
    items_of,
    items_table,
    mark_of,
    numbers_width,
    order_note,
    range_words,
    right_edge,
    row_labels,
    row_layout,
    symbol_of,
    value_axis,
)
from attendance_toolkit.presentation.blocks import Figure
from attendance_toolkit.presentation.charting import (
    LINE,
    TEXT,
    TIP,
    Box,
    Labels,
    finish,
    limits,
    synthetic_mark,
    with_interval,
    written,
)
from attendance_toolkit.presentation.formats import (
    Format,
    hidden_notes,
    require_columns,
    require_protected,
    single_format,
    source_of,
)
from attendance_toolkit.presentation.style import (
    WIDE,
    Canvas,
    Paint,
    colour,
    text_width,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def dot_interval(
    table: ProtectedTable,
    *,
    id: str,
    title: str,
    subtitle: str,
    category: str,
    highlight: Any = None,
    reference: tuple[str, float | None] | None = None,
    sort: bool = True,
    source: str = "",
    notes: Iterable[str] = (),
    labels: Labels | None = None,
) -> Figure:
    """Return a dot with its 95% interval for each category, sorted from high to low.

    Parameters
    ----------
    highlight
        Level (or levels) drawn bold with another marker, such as this local authority.
    sort
        False keeps the levels in their given order, such as that of terms.
    reference
        Name and rate (0 to 1) of a line to compare with, such as England's rate.

    Raises as ``line_by_year`` does.
    """
    require_protected(table)
    require_columns(table, category)
    how = single_format(table)
    items = items_of(table, category, highlight, how, labels, id, sort=sort)
    mark = mark_of(reference, how)
    spans = [v for i in items for v in (i.value.value, i.value.lower, i.value.upper)]
    low, high, ticks = limits([*spans, *([mark.value] if mark else [])], zero_share=0.3)

    def paint(width: float) -> tuple[Paint, float]:
        layout = row_layout(items, width, 27)
        numbers = numbers_width(items, how)
        synthetic = LINE + 4 if table.is_synthetic else 0
        top = synthetic + (22 if mark else 6)
        height = top + layout.total + 28

        def brush(canvas: Canvas) -> None:
            synthetic_mark(canvas, table)
            box = (layout.left, top, width - layout.left - numbers - 14, layout.total)
            axes = value_axis(canvas, box, low, high, ticks, how)
            if mark:
                mark.draw(axes)
                mark.label(canvas, axes, box, how)
            row_labels(canvas, items, layout, top)
            for item, y0, row in zip(items, layout.tops, layout.heights, strict=True):
                y = y0 + row / 2
                draw_dot(axes, item, y, how, tips=width == WIDE)
                bold = "bold" if item.is_highlighted else "normal"
                text = written(item.value.value, how) if item.value.is_shown else symbol_of(item)
                canvas.text(width - 2, top + y, text, ha="right", va="center_baseline", weight=bold)

        return brush, height

    intervals = any(item.value.has_interval for item in items)
    said = ["Lines through the dots are 95% intervals."] if intervals else []
    said += [*horizontal_zero_note(low), *hidden_notes(table.rows)]
    said += order_note(items) if sort else []
    order = ", sorted from high to low" if sort else ""
    kind = f"Dot chart of {len(items)} rows{order}" + (", with 95% intervals." if intervals else ".")
    line = [f"Dashed line: {mark.name}, {written(mark.value, how)}."] if mark else []
    alt = " ".join([kind, *range_words(items, how), *line, *hidden_notes(table.rows)])
    data = items_table(
        items, how, category, id=f"{id}-data", title=title, subtitle=subtitle, source=source_of(table, source)
    )
    return finish(
        table, id=id, title=title, subtitle=subtitle, alt=alt, paint=paint, data=data, source=source,
        notes=[*said, *notes],
    )  # fmt: skip


def bars(
    table: ProtectedTable,
    *,
    id: str,
    title: str,
    subtitle: str,
    category: str,
    highlight: Any = None,
    sort: bool = False,
    source: str = "",
    notes: Iterable[str] = (),
    labels: Labels | None = None,
) -> Figure:
    """Return a horizontal bar from zero for each category, its value written at the end.

    Levels stand in their given order unless ``sort``. Raises as ``line_by_year`` does.
    """
    require_protected(table)
    require_columns(table, category)
    how = single_format(table)
    items = items_of(table, category, highlight, how, labels, id, sort=sort)
    spans = [v for i in items for v in (i.value.value, i.value.lower, i.value.upper)]
    low, high, ticks = limits(spans, zero_share=1)
    any_highlight = any(item.is_highlighted for item in items)

    def paint(width: float) -> tuple[Paint, float]:
        layout = row_layout(items, width, 30)
        numbers = 12 + max(
            (text_width(written(i.value.value, how), TEXT, bold=True) for i in items if i.value.is_shown),
            default=20,
        )
        top = (LINE + 4 if table.is_synthetic else 0) + 6
        height = top + layout.total + 28

        def brush(canvas: Canvas) -> None:
            synthetic_mark(canvas, table)
            right = max(numbers, right_edge(ticks, how))
            box = (layout.left, top, width - layout.left - right, layout.total)
            axes = value_axis(canvas, box, low, high, ticks, how)
            row_labels(canvas, items, layout, top)
            for item, y0, row in zip(items, layout.tops, layout.heights, strict=True):
                strong = item.is_highlighted or not any_highlight
                _bar(axes, item, y0 + row / 2, how, strong=strong, tips=width == WIDE)
                _bar_text(canvas, item, how, box=box, y=top + y0 + row / 2, low=low, high=high)

        return brush, height

    intervals = any(item.value.has_interval for item in items)
    said = ["Thin lines at the ends of the bars are 95% intervals."] if intervals else []
    said += hidden_notes(table.rows)
    kind = f"Bar chart of {len(items)} rows" + (", sorted from high to low." if sort else ".")
    listed = [f"{i.label} {written(i.value.value, how)}" for i in items if i.value.is_shown]
    words = [f"{'; '.join(listed)}."] if 0 < len(listed) <= 6 else range_words(items, how)
    alt = " ".join([kind, *words, *hidden_notes(table.rows)])
    data = items_table(
        items, how, category, id=f"{id}-data", title=title, subtitle=subtitle, source=source_of(table, source)
    )
    return finish(
        table, id=id, title=title, subtitle=subtitle, alt=alt, paint=paint, data=data, source=source,
        notes=[*said, *notes],
    )  # fmt: skip


def _bar(axes: Axes, item: Item, y: float, how: Format, *, strong: bool, tips: bool) -> None:
    value = item.value
    if not value.is_shown:
        return
    tip = f"{TIP}{item.label}: {with_interval(value, how)}" if tips else None
    axes.barh([y], [value.value], height=17, color=colour("s1" if strong else "others"), clip_on=False, zorder=2)
    if tip:
        axes.patches[-1].set_gid(tip)
    if value.has_interval:
        for ink, thick in (("page", 4.5), ("ink", 1.75)):
            axes.plot(
                [value.lower, value.upper], [y, y], color=colour(ink), linewidth=thick, solid_capstyle="butt",
                clip_on=False, zorder=3,
            )  # fmt: skip


def _bar_text(
    canvas: Canvas,
    item: Item,
    how: Format,
    *,
    box: Box,
    y: float,
    low: float,
    high: float,
) -> None:
    def place(value: float) -> float:
        return box[0] + box[2] * (value - low) / (high - low)

    if not item.value.is_shown:
        canvas.text(place(0.0) + 6, y, symbol_of(item), va="center_baseline", role="muted")
        return
    ends = [item.value.value, item.value.upper] if item.value.has_interval else [item.value.value]
    end = max(0.0, *ends)
    weight = "bold" if item.is_highlighted else "normal"
    canvas.text(place(end) + 6, y, written(item.value.value, how), va="center_baseline", weight=weight)
