"""Small line charts on one scale."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import ReportError
from attendance_toolkit.presentation._lines import (
    Lines,
    axis_positions,
    band_is_visible,
    draw_gaps,
    draw_lines,
    few_series,
    gap_note,
    interval_note,
    line_alt,
    lines_table,
    position_key,
    tick_marks,
    value_grid,
    zero_note,
)
from attendance_toolkit.presentation.blocks import Figure
from attendance_toolkit.presentation.charting import (
    LINE,
    SMALL,
    TEXT,
    Box,
    Labels,
    cells_by,
    finish,
    limits,
    synthetic_mark,
    tick_text,
    value_of,
    written,
    x_place,
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
from attendance_toolkit.presentation.style import (
    DASHES,
    MARKERS,
    WIDE,
    Canvas,
    Paint,
    colour,
    spread,
    text_width,
    wrap_text,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def small_multiples_by_year(
    table: ProtectedTable,
    *,
    id: str,
    title: str,
    subtitle: str,
    panel: str,
    series: str = "series_label",
    x: str = "academic_year",
    source: str = "",
    notes: Iterable[str] = (),
    gap_years: Iterable[int] = (),
    labels: Labels | None = None,
) -> Figure:
    """Return one small line chart per level of ``panel``, all on the same scale, with one key for the series.

    Raises as ``line_by_year`` does.
    """
    require_protected(table)
    require_columns(table, x, series, panel)
    how = single_format(table)
    whole = levels(table.rows[series])
    few_series(whole, id)
    positions, gaps = axis_positions(table, x, gap_years)
    if not positions:
        raise ReportError(f"Figure '{id}' has no rows to draw.")
    texts = tuple(level_label(x, position, labels) for position in positions)
    names = tuple(level_label(series, name, labels) for name in whole)
    cells = cells_by(table, [panel, series, x], id)
    left_out = {positions[i] for i in gaps}
    panels = []
    for level in levels(table.rows[panel]):
        values = {
            (s, position_key(x, position)): value_of(record, how)
            for (p, s, position), record in cells.items()
            if p == level and position_key(x, position) not in left_out
        }
        panels.append((level_label(panel, level, labels), Lines(positions, texts, tuple(whole), names, values, gaps)))
    low, high, ticks = limits(v for _, lines in panels for v in lines.extremes())
    left = 10 + max(text_width(tick_text(t, ticks, how), TEXT) for t in ticks)
    ends = 8 + max(
        (
            text_width(written(v.value, how), SMALL, bold=True)
            for _, p in panels
            for v in p.values.values()
            if v.is_shown
        ),
        default=20,
    )

    def paint(width: float) -> tuple[Paint, float]:
        across = min(len(panels), 3 if width == WIDE else 1 if len(panels) < 3 else 2)
        down = math.ceil(len(panels) / across)
        gap = 20 if width == WIDE else 8
        plot_height = 150 if width == WIDE else 125
        slot = (width - left - gap * (across - 1)) / across
        heads = [wrap_text(name, TEXT, slot - 6, bold=True) for name, _ in panels]
        head_height = 8 + LINE * max(len(head) for head in heads)
        key_rows = _key_rows(names, width) if len(names) > 1 else []
        key_height = 22 * len(key_rows) + (6 if key_rows else 0)
        mark = LINE + 4 if table.is_synthetic else 0
        row_height = head_height + plot_height + 36
        height = mark + key_height + down * row_height

        def brush(canvas: Canvas) -> None:
            synthetic_mark(canvas, table)
            _draw_key(canvas, key_rows, mark)
            for index, (_, lines) in enumerate(panels):
                row, column = divmod(index, across)
                x0 = left + column * (slot + gap)
                y0 = mark + key_height + row * row_height
                for k, line in enumerate(heads[index]):
                    canvas.text(x0, y0 + 14 + k * LINE, line, weight="bold")
                box = (x0, y0 + head_height, slot - ends, plot_height)
                axes = canvas.axes(*box, ticks=False)
                axes.set_xlim(-0.15, len(positions) - 0.9)
                axes.set_ylim(low, high)
                draw_gaps(axes, lines)
                value_grid(canvas, axes, box, ticks, how, texts=not column)
                _end_texts(canvas, axes, box, texts)
                bands = band_is_visible(lines, low, high, plot_height)
                draw_lines(axes, lines, how, tips=width == WIDE, bands=bands, size=7, width=2, few_marks=True)
                _end_values(canvas, lines, how, box=box, low=low, high=high)

        return brush, height

    shown = [lines for _, lines in panels]
    said = [
        f"All panels have the same scale and run from {texts[0]} to {texts[-1]}.",
        *interval_note(shown, low, high),
        *gap_note(shown[0]),
    ]
    said += [*zero_note(low), *hidden_notes(table.rows)]
    alt = " ".join(
        [f"{len(panels)} small line charts on one scale, {texts[0]} to {texts[-1]}."]
        + [f"{name}. {' '.join(line_alt(lines, how))}" for name, lines in panels]
        + [*gap_note(shown[0]), *hidden_notes(table.rows)]
    )
    data = lines_table(
        panels, how, id=f"{id}-data", title=title, subtitle=subtitle, x=x, source=source_of(table, source)
    )
    return finish(
        table, id=id, title=title, subtitle=subtitle, alt=alt, paint=paint, data=data, source=source,
        notes=[*said, *notes],
    )  # fmt: skip


def _key_rows(names: Sequence[str], width: float) -> list[list[tuple[int, str, float]]]:
    """Break the key into rows: (series number, name, left edge)."""
    rows: list[list[tuple[int, str, float]]] = [[]]
    at = 0.0
    for number, name in enumerate(names):
        room = 44 + text_width(name, TEXT, bold=True) + 20
        if at + room - 20 > width and rows[-1]:
            rows.append([])
            at = 0.0
        rows[-1].append((number, name, at))
        at += room
    return rows


def _draw_key(canvas: Canvas, rows: list[list[tuple[int, str, float]]], top: float) -> None:
    if not rows:
        return
    height = 22 * len(rows)
    axes = canvas.axes(0, top, canvas.width, height, ticks=False)
    axes.set_xlim(0, canvas.width)
    axes.set_ylim(height, 0)
    for index, row in enumerate(rows):
        y = 22 * index + 11
        for number, name, left in row:
            ink = colour(f"s{number + 1}")
            line: dict[str, Any] = {"color": ink, "linewidth": 2.25, "linestyle": DASHES[number], "clip_on": False}
            axes.plot([left + 1, left + 36], [y, y], **line)
            axes.plot(
                [left + 18.5],
                [y],
                color=ink,
                marker=MARKERS[number],
                markersize=7,
                markeredgecolor=colour("page"),
                clip_on=False,
            )
            axes.text(
                left + 43,
                y,
                name,
                fontsize=TEXT,
                color=colour(f"t{number + 1}"),
                va="center_baseline",
                weight="bold",
            )


def _end_texts(canvas: Canvas, axes: Axes, box: Box, texts: Sequence[str]) -> None:
    """Label the first and last position of a small chart, or the last alone where both do not fit."""
    tick_marks(axes, box, len(texts))
    last, y = len(texts) - 1, box[1] + box[3] + 19
    needed = text_width(texts[0], SMALL) + text_width(texts[-1], SMALL) + 10
    canvas.text(x_place(axes, box, last), y, texts[-1], size=SMALL, ha="right" if last else "center")
    if last and needed < box[2]:
        canvas.text(x_place(axes, box, 0), y, texts[0], size=SMALL, ha="left")


def _end_values(
    canvas: Canvas,
    lines: Lines,
    how: Format,
    *,
    box: Box,
    low: float,
    high: float,
) -> None:
    left, top, width, height = box
    found = [
        (number, lines.of(series)[-1].value)
        for number, series in enumerate(lines.series)
        if lines.of(series)[-1].is_shown
    ]
    places = spread([top + height * (high - v) / (high - low) for _, v in found], 15, top - 4, top + height)
    for (number, value), place in zip(found, places, strict=True):
        text = written(value, how)
        canvas.text(
            left + width + 7,
            place,
            text,
            size=SMALL,
            role=f"t{number + 1}",
            va="center_baseline",
            weight="bold",
        )
