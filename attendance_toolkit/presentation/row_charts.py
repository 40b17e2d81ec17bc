"""One row for each category: dots with intervals, or bars."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import ReportError
from attendance_toolkit.presentation.blocks import Column, Figure, Row, Table
from attendance_toolkit.presentation.charting import (
    LINE,
    TEXT,
    TIP,
    Box,
    Labels,
    Value,
    cells_by,
    finish,
    limits,
    strokes,
    synthetic_mark,
    tick_text,
    value_of,
    with_interval,
    written,
    x_place,
)
from attendance_toolkit.presentation.formats import (
    Format,
    hidden_notes,
    is_missing,
    level_label,
    levels,
    rate_cell,
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
    wrap_text,
)
from attendance_toolkit.vocabulary.columns import LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class _Item:
    label: str
    value: Value
    is_highlighted: bool


def _items(
    table: ProtectedTable,
    category: str,
    highlight: Any,
    how: Format,
    labels: Labels | None,
    id: str,
    *,
    sort: bool,
) -> list[_Item]:
    """Return the categories in drawing order: by shown value, those without one last by name.

    The order they came in might be that of the exact figures, which a hidden value must not keep.
    """
    cells = cells_by(table, [category], id)
    chosen = set(highlight) if isinstance(highlight, (list, tuple, set)) else {highlight}
    items = [
        _Item(level_label(category, level, labels), value_of(cells[(level,)], how), level in chosen)
        for level in levels(table.rows[category])
    ]
    if not items:
        raise ReportError(f"Figure '{id}' has no rows to draw.")
    if sort:
        items.sort(key=lambda item: (-item.value.value if item.value.is_shown else math.inf, item.label))
    return items


def _items_table(
    items: Sequence[_Item], how: Format, category: str, *, id: str, title: str, subtitle: str, source: str
) -> Table:
    intervals = any(item.value.has_interval for item in items)
    heads = [Column(LABELS.get(category, category.replace("_", " ").capitalize()), align="left")]
    heads.append(Column("Rate" if intervals else how.label, unit=how.unit))
    if intervals:
        heads += [Column("Lower 95% limit", unit=how.unit), Column("Upper 95% limit", unit=how.unit)]
    columns = ("rate", "lower", "upper") if intervals else ("rate",)
    rows = [
        Row(i.label, tuple(rate_cell(i.value.record, c) for c in columns), emphasis=i.is_highlighted) for i in items
    ]
    return Table(id, title, subtitle, tuple(heads), tuple(rows), source)


def _range_words(items: Sequence[_Item], how: Format) -> list[str]:
    """Say the smallest and largest value; which is "highest" is not claimed where intervals may overlap."""
    shown = [item for item in items if item.value.is_shown]
    if not shown:
        return ["No value can be shown."]
    low, high = min(shown, key=lambda i: i.value.value), max(shown, key=lambda i: i.value.value)
    words = [
        "Values run from "
        + f"{with_interval(low.value, how)} for {low.label}"
        + f" to {with_interval(high.value, how)} for {high.label}."
    ]
    words += [f"{item.label}, highlighted: {with_interval(item.value, how)}." for item in shown if item.is_highlighted]
    return words


@dataclass(frozen=True)
class _RowLayout:
    """Where the rows of a dot or bar chart stand."""

    label_lines: list[list[str]]
    tops: list[float]
    heights: list[float]
    left: float
    total: float


def _row_layout(items: Sequence[_Item], width: float, least: float) -> _RowLayout:
    most = 210 if width == WIDE else 112
    lines = [wrap_text(item.label, TEXT, most, bold=item.is_highlighted) for item in items]
    left = max(
        text_width(line, TEXT, bold=item.is_highlighted)
        for item, block in zip(items, lines, strict=True)
        for line in block
    )
    heights = [max(least, LINE * len(block) + 8) for block in lines]
    tops = [sum(heights[:i]) for i in range(len(heights))]
    return _RowLayout(lines, tops, heights, min(left, most * 1.3) + 10, sum(heights))


def _row_labels(canvas: Canvas, items: Sequence[_Item], layout: _RowLayout, top: float) -> None:
    for item, block, y0, height in zip(items, layout.label_lines, layout.tops, layout.heights, strict=True):
        for index, line in enumerate(block):
            y = top + y0 + height / 2 + (index - (len(block) - 1) / 2) * LINE
            weight = "bold" if item.is_highlighted else "normal"
            canvas.text(layout.left - 8, y, line, ha="right", va="center_baseline", weight=weight)


def _value_axis(
    canvas: Canvas,
    box: Box,
    low: float,
    high: float,
    ticks: Sequence[float],
    how: Format,
) -> Axes:
    """Return axes with values to the right and pixels downwards, with grid lines and tick texts below."""
    axes = canvas.axes(*box, ticks=False)
    axes.set_xlim(low, high)
    axes.set_ylim(box[3], 0)
    texts = [tick_text(t, ticks, how) for t in ticks]
    widest = max(text_width(t, TEXT) for t in texts)
    step = max(1, math.ceil((widest + 8) / (box[2] / max(len(ticks) - 1, 1))))
    strokes(axes, [(tick, 0, tick, box[3]) for tick in ticks if tick != 0], "grid")
    strokes(axes, [(tick, 0, tick, box[3]) for tick in ticks if tick == 0], "axis", zorder=0.6)
    for tick, text in list(zip(ticks, texts, strict=True))[::step]:
        canvas.text(x_place(axes, box, tick), box[1] + box[3] + 18, text, size=TEXT, ha="center")
    return axes


def _right_edge(ticks: Sequence[float], how: Format) -> float:
    """Room for half of the last tick's text."""
    return text_width(tick_text(ticks[-1], ticks, how), TEXT) / 2 + 2


def dot_interval(
    table: ProtectedTable,
    *,
    id: str,
    title: str,
    subtitle: str,
    category: str,
    highlight: Any = None,
    reference: tuple[str, float | None] | None = None,
    source: str = "",
    notes: Iterable[str] = (),
    labels: Labels | None = None,
) -> Figure:
    """Return a dot with its 95% interval for each category, sorted from high to low.

    Parameters
    ----------
    highlight
        Level (or levels) drawn bold with another marker, such as this local authority.
    reference
        Name and rate (0 to 1) of a line to compare with, such as England's rate.

    Raises as ``line_by_year`` does.
    """
    require_protected(table)
    require_columns(table, category)
    how = single_format(table)
    items = _items(table, category, highlight, how, labels, id, sort=True)
    mark = None
    if reference is not None and not is_missing(reference[1]):
        mark = (reference[0], float(reference[1]) * how.scale)  # type: ignore[arg-type]
    spans = [v for i in items for v in (i.value.value, i.value.lower, i.value.upper)]
    low, high, ticks = limits([*spans, *([mark[1]] if mark else [])], zero_share=0.3)

    def paint(width: float) -> tuple[Paint, float]:
        layout = _row_layout(items, width, 27)
        numbers = max(
            (text_width(written(i.value.value, how), TEXT, bold=True) for i in items if i.value.is_shown),
            default=text_width("hidden", TEXT),
        )
        synthetic = LINE + 4 if table.is_synthetic else 0
        top = synthetic + (22 if mark else 6)
        height = top + layout.total + 28

        def brush(canvas: Canvas) -> None:
            synthetic_mark(canvas, table)
            box = (layout.left, top, width - layout.left - numbers - 14, layout.total)
            axes = _value_axis(canvas, box, low, high, ticks, how)
            if mark:
                axes.axvline(
                    mark[1],
                    color=colour("ink"),
                    linewidth=1.5,
                    linestyle=(0, (4, 3)),
                    zorder=1,
                    clip_on=False,
                )
                text = f"{mark[0]} {written(mark[1], how)}"
                half = text_width(text, TEXT) / 2
                x = layout.left + box[2] * (mark[1] - low) / (high - low)
                canvas.text(min(max(x, half + 2), width - half - 2), top - 7, text, ha="center")
            _row_labels(canvas, items, layout, top)
            for item, y0, row in zip(items, layout.tops, layout.heights, strict=True):
                y = y0 + row / 2
                _dot(axes, item, y, how, tips=width == WIDE)
                bold = "bold" if item.is_highlighted else "normal"
                text = written(item.value.value, how) if item.value.is_shown else _symbol(item)
                canvas.text(width - 2, top + y, text, ha="right", va="center_baseline", weight=bold)

        return brush, height

    intervals = any(item.value.has_interval for item in items)
    said = ["Lines through the dots are 95% intervals."] if intervals else []
    said += [*_horizontal_zero_note(low), *hidden_notes(table.rows)]
    said += _legend_for(items)
    kind = f"Dot chart of {len(items)} rows, sorted from high to low" + (", with 95% intervals." if intervals else ".")
    line = [f"Dashed line: {mark[0]}, {written(mark[1], how)}."] if mark else []
    alt = " ".join([kind, *_range_words(items, how), *line, *hidden_notes(table.rows)])
    data = _items_table(
        items, how, category, id=f"{id}-data", title=title, subtitle=subtitle, source=source_of(table, source)
    )
    return finish(
        table, id=id, title=title, subtitle=subtitle, alt=alt, paint=paint, data=data, source=source,
        notes=[*said, *notes],
    )  # fmt: skip


def _symbol(item: _Item) -> str:
    return str(item.value.record.get("symbol") or "x")


def _legend_for(items: Sequence[_Item]) -> list[str]:
    return (
        []
        if all(item.value.is_shown for item in items)
        else ["Rows without a value stand last, by name, with their symbol."]
    )


def _horizontal_zero_note(low: float) -> list[str]:
    return ["The horizontal axis does not start at 0."] if low > 0 else []


def _dot(axes: Axes, item: _Item, y: float, how: Format, *, tips: bool) -> None:
    value = item.value
    if not value.is_shown:
        return
    ink = colour("s1" if item.is_highlighted else "others")
    if value.has_interval:
        axes.plot(
            [value.lower, value.upper], [y, y], color=ink, linewidth=3.5 if item.is_highlighted else 2,
            solid_capstyle="butt", clip_on=False, zorder=2,
        )  # fmt: skip
    axes.plot(
        [value.value], [y], color=ink, marker="D" if item.is_highlighted else "o",
        markersize=9 if item.is_highlighted else 8, markeredgecolor=colour("page"), markeredgewidth=1,
        clip_on=False, zorder=3,
        gid=f"{TIP}{item.label}: {with_interval(value, how)}" if tips else None,
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
    items = _items(table, category, highlight, how, labels, id, sort=sort)
    spans = [v for i in items for v in (i.value.value, i.value.lower, i.value.upper)]
    low, high, ticks = limits(spans, zero_share=1)
    any_highlight = any(item.is_highlighted for item in items)

    def paint(width: float) -> tuple[Paint, float]:
        layout = _row_layout(items, width, 30)
        numbers = 12 + max(
            (text_width(written(i.value.value, how), TEXT, bold=True) for i in items if i.value.is_shown),
            default=20,
        )
        top = (LINE + 4 if table.is_synthetic else 0) + 6
        height = top + layout.total + 28

        def brush(canvas: Canvas) -> None:
            synthetic_mark(canvas, table)
            right = max(numbers, _right_edge(ticks, how))
            box = (layout.left, top, width - layout.left - right, layout.total)
            axes = _value_axis(canvas, box, low, high, ticks, how)
            _row_labels(canvas, items, layout, top)
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
    words = [f"{'; '.join(listed)}."] if 0 < len(listed) <= 6 else _range_words(items, how)
    alt = " ".join([kind, *words, *hidden_notes(table.rows)])
    data = _items_table(
        items, how, category, id=f"{id}-data", title=title, subtitle=subtitle, source=source_of(table, source)
    )
    return finish(
        table, id=id, title=title, subtitle=subtitle, alt=alt, paint=paint, data=data, source=source,
        notes=[*said, *notes],
    )  # fmt: skip


def _bar(axes: Axes, item: _Item, y: float, how: Format, *, strong: bool, tips: bool) -> None:
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
    item: _Item,
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
        canvas.text(place(0.0) + 6, y, _symbol(item), va="center_baseline", role="muted")
        return
    ends = [item.value.value, item.value.upper] if item.value.has_interval else [item.value.value]
    end = max(0.0, *ends)
    weight = "bold" if item.is_highlighted else "normal"
    canvas.text(place(end) + 6, y, written(item.value.value, how), va="center_baseline", weight=weight)
