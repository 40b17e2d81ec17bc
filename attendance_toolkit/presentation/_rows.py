"""One row for each category: what dot charts and bars share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import ReportError
from attendance_toolkit.presentation.blocks import Column, Row, Table
from attendance_toolkit.presentation.charting import (
    LINE,
    TEXT,
    TIP,
    Box,
    Labels,
    Value,
    cells_by,
    strokes,
    tick_text,
    value_of,
    with_interval,
    written,
    x_place,
)
from attendance_toolkit.presentation.formats import (
    Format,
    is_missing,
    level_label,
    levels,
    rate_cell,
)
from attendance_toolkit.presentation.style import (
    WIDE,
    Canvas,
    colour,
    text_width,
    wrap_text,
)
from attendance_toolkit.vocabulary import ledger
from attendance_toolkit.vocabulary.columns import LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Item:
    """A row of the chart."""

    label: str
    value: Value
    is_highlighted: bool


def items_of(
    table: ProtectedTable,
    category: str,
    highlight: Any,
    how: Format,
    labels: Labels | None,
    id: str,
    *,
    sort: bool,
) -> list[Item]:
    """Return the categories in drawing order: by shown value, those without one last by name.

    The order they came in might be that of the exact figures, which a hidden value must not keep.
    """
    cells = cells_by(table, [category], id)
    chosen = set(highlight) if isinstance(highlight, (list, tuple, set)) else {highlight}
    items = [
        Item(level_label(category, level, labels), value_of(cells[(level,)], how), level in chosen)
        for level in levels(table.rows[category])
    ]
    if not items:
        raise ReportError(f"Figure '{id}' has no rows to draw.")
    if sort:
        items.sort(key=lambda item: (-item.value.value if item.value.is_shown else math.inf, item.label))
    return items


def items_table(
    items: Sequence[Item], how: Format, category: str, *, id: str, title: str, subtitle: str, source: str
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


def range_words(items: Sequence[Item], how: Format) -> list[str]:
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
class RowLayout:
    """Where the rows of a dot or bar chart stand."""

    label_lines: list[list[str]]
    tops: list[float]
    heights: list[float]
    left: float
    total: float


def row_layout(items: Sequence[Item], width: float, least: float) -> RowLayout:
    most = 210 if width == WIDE else 112
    lines = [wrap_text(item.label, TEXT, most, bold=item.is_highlighted) for item in items]
    left = max(
        text_width(line, TEXT, bold=item.is_highlighted)
        for item, block in zip(items, lines, strict=True)
        for line in block
    )
    heights = [max(least, LINE * len(block) + 8) for block in lines]
    tops = [sum(heights[:i]) for i in range(len(heights))]
    return RowLayout(lines, tops, heights, min(left, most * 1.3) + 10, sum(heights))


def row_labels(canvas: Canvas, items: Sequence[Item], layout: RowLayout, top: float) -> None:
    for item, block, y0, height in zip(items, layout.label_lines, layout.tops, layout.heights, strict=True):
        for index, line in enumerate(block):
            y = top + y0 + height / 2 + (index - (len(block) - 1) / 2) * LINE
            weight = "bold" if item.is_highlighted else "normal"
            canvas.text(layout.left - 8, y, line, ha="right", va="center_baseline", weight=weight)


def value_axis(
    canvas: Canvas,
    box: Box,
    low: float,
    high: float,
    ticks: Sequence[float],
    how: Format,
    *,
    is_labelled: bool = True,
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
    for tick, text in list(zip(ticks, texts, strict=True))[::step] if is_labelled else ():
        canvas.text(x_place(axes, box, tick), box[1] + box[3] + 18, text, size=TEXT, ha="center")
    return axes


@dataclass(frozen=True)
class Mark:
    """A line to compare with, on the written scale."""

    name: str
    value: float

    def text(self, how: Format) -> str:
        """Return its name and value."""
        return f"{self.name} {written(self.value, how)}"

    def draw(self, axes: Axes) -> None:
        """Draw the line over the whole height of the axes."""
        axes.axvline(
            self.value, color=colour("ink"), linewidth=1.5, linestyle=(0, (4, 3)), zorder=1, clip_on=False
        )  # fmt: skip

    def label(self, canvas: Canvas, axes: Axes, box: Box, how: Format) -> None:
        """Write name and value above the line."""
        text = self.text(how)
        half = text_width(text, TEXT) / 2
        x = min(max(x_place(axes, box, self.value), half + 2), canvas.width - half - 2)
        canvas.text(x, box[1] - 7, text, ha="center")


def mark_of(reference: tuple[str, float | None] | None, how: Format) -> Mark | None:
    """Return the line for a name and a rate (0 to 1); None where the rate is missing."""
    if reference is None or reference[1] is None or is_missing(reference[1]):
        return None
    return Mark(reference[0], float(reference[1]) * how.scale)


def numbers_width(items: Sequence[Item], how: Format) -> float:
    """Return the room the written values take."""
    return max(
        (text_width(written(i.value.value, how), TEXT, bold=True) for i in items if i.value.is_shown),
        default=text_width("hidden", TEXT),
    )


def right_edge(ticks: Sequence[float], how: Format) -> float:
    """Room for half of the last tick's text."""
    return text_width(tick_text(ticks[-1], ticks, how), TEXT) / 2 + 2


def symbol_of(item: Item) -> str:
    return str(item.value.record.get("symbol") or "x")


def order_note(items: Sequence[Item]) -> list[str]:
    return (
        []
        if all(item.value.is_shown for item in items)
        else ["Rows without a value stand last, by name, with their symbol."]
    )


def horizontal_zero_note(low: float) -> list[str]:
    return [ledger.phrase("The horizontal axis does not start at 0.", "scale")] if low > 0 else []


def draw_dot(axes: Axes, item: Item, y: float, how: Format, *, tips: bool) -> None:
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
