"""Lines over the years: one chart, or small ones on one scale."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import ReportError
from attendance_toolkit.presentation.blocks import Cell, Column, Figure, Row, Table
from attendance_toolkit.presentation.charting import (
    LINE,
    SMALL,
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
    level_label,
    levels,
    rate_cell,
    require_columns,
    require_protected,
    single_format,
    source_of,
)
from attendance_toolkit.presentation.style import (
    DASHES,
    MARKERS,
    MAX_SERIES,
    WIDE,
    Canvas,
    Paint,
    colour,
    spread,
    text_width,
    wrap_text,
)
from attendance_toolkit.vocabulary.calendar import academic_year_before
from attendance_toolkit.vocabulary.columns import LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _and(items: Sequence[str]) -> str:
    """Return "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _few(series: Sequence[Any], figure: str) -> None:
    if len(series) > MAX_SERIES:
        raise ReportError(
            f"Figure '{figure}' has {len(series)} series; more than {MAX_SERIES} cannot be told apart."
            " Choose fewer, or draw small multiples."
        )


def _value_grid(
    canvas: Canvas, axes: Axes, box: Box, ticks: Sequence[float], how: Format, *, texts: bool = True
) -> None:
    """Draw horizontal grid lines, with their values to the left."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    strokes(axes, [(left, tick, right, tick) for tick in ticks if tick not in (0, low)], "grid")
    strokes(axes, [(left, tick, right, tick) for tick in ticks if tick in (0, low)], "axis", zorder=0.6)
    for tick in ticks if texts else ():
        y = box[1] + box[3] * (high - tick) / (high - low)
        canvas.text(box[0] - 6, y, tick_text(tick, ticks, how), size=TEXT, ha="right", va="center_baseline")


def _tick_marks(axes: Axes, box: Box, count: int) -> None:
    """Draw a short mark under every position."""
    low, high = axes.get_ylim()
    strokes(axes, [(place, low, place, low - 5 * (high - low) / box[3]) for place in range(count)], "axis")


def _year_texts(canvas: Canvas, axes: Axes, box: Box, texts: Sequence[str]) -> None:
    """Label as many positions as fit, always the last."""
    _tick_marks(axes, box, len(texts))
    spacing = x_place(axes, box, 1) - x_place(axes, box, 0)
    widest = max(text_width(t, TEXT) for t in texts)
    step = max(1, math.ceil((widest + 10) / spacing)) if len(texts) > 1 else 1
    for place in range(len(texts) - 1, -1, -step):
        canvas.text(x_place(axes, box, place), box[1] + box[3] + 20, texts[place], size=TEXT, ha="center")


@dataclass(frozen=True)
class _Lines:
    """Values of one panel: series by position."""

    positions: tuple[Any, ...]
    texts: tuple[str, ...]
    series: tuple[Any, ...]
    names: tuple[str, ...]
    values: Mapping[tuple[Any, Any], Value]
    gaps: tuple[int, ...] = ()

    def of(self, series: Any) -> list[Value]:
        return [self.values.get((series, position), Value()) for position in self.positions]

    def extremes(self) -> list[float]:
        return [v for value in self.values.values() for v in (value.value, value.lower, value.upper)]

    @property
    def has_intervals(self) -> bool:
        return any(value.has_interval for value in self.values.values())


def _positions(table: ProtectedTable, x: str, gap_years: Iterable[int]) -> tuple[tuple[Any, ...], tuple[int, ...]]:
    """Return the positions along the axis and which of them have no row at all."""
    present = levels(table.rows[x])
    if x != "academic_year":
        return tuple(present), ()
    present = sorted(int(year) for year in present)
    if not present:
        return (), ()
    years, year = [present[-1]], present[-1]
    while year > present[0]:
        year = academic_year_before(year)
        years.append(year)
    years.reverse()
    missing = (set(years) - set(present)) | {int(y) for y in gap_years}
    return tuple(years), tuple(i for i, y in enumerate(years) if y in missing)


def _draw_lines(
    axes: Axes,
    lines: _Lines,
    how: Format,
    *,
    tips: bool,
    bands: bool,
    size: float = 8.0,
    width: float = 2.25,
    few_marks: bool = False,
) -> None:
    """Draw the lines of one panel. With ``few_marks`` only the last point and points alone get a marker."""
    places = list(range(len(lines.positions)))
    for number, (series, name) in enumerate(zip(lines.series, lines.names, strict=True)):
        values = lines.of(series)
        ink = colour(f"s{number + 1}")
        if bands:
            axes.fill_between(
                places, [v.lower for v in values], [v.upper for v in values], facecolor=ink, alpha=0.13,
                linewidth=0,                 clip_on=False, zorder=1,
            )  # fmt: skip
        heights = [v.value for v in values]
        axes.plot(
            places,
            heights,
            color=ink,
            linewidth=width,
            linestyle=DASHES[number],
            clip_on=False,
            zorder=2 + number / 10,
        )  # type: ignore[arg-type]
        marks: dict[str, Any] = {
            "color": ink, "marker": MARKERS[number], "linestyle": "none",
            "markersize": size + (1.5 if MARKERS[number] == "^" else 0),
            "markeredgecolor": colour("page"), "markeredgewidth": 1, "clip_on": False,
            "zorder": 3 + number / 10,
        }  # fmt: skip
        marked = _lone_points(heights) if few_marks else places
        if not tips:
            axes.plot(marked, [heights[place] for place in marked], **marks)
            continue
        for place in marked:
            value, text = values[place], lines.texts[place]
            if value.is_shown:
                tip = f"{name}, {text}: {with_interval(value, how)}"
                axes.plot([place], [value.value], gid=TIP + tip, **marks)


def _lone_points(heights: Sequence[float]) -> list[int]:
    """Return the last shown place, and the places no line reaches.

    >>> _lone_points([1.0, math.nan, 2.0, math.nan, 3.0, 4.0])
    [0, 2, 5]
    """
    shown = [place for place, height in enumerate(heights) if not math.isnan(height)]
    return [p for p in shown if p == shown[-1] or (p - 1 not in shown and p + 1 not in shown)]


def _draw_gaps(axes: Axes, lines: _Lines) -> None:
    for place in lines.gaps:
        axes.axvspan(place - 0.5, place + 0.5, facecolor=colour("panel"), linewidth=0, zorder=0.1, clip_on=False)


def _end_labels(
    canvas: Canvas,
    lines: _Lines,
    how: Format,
    *,
    box: Box,
    low: float,
    high: float,
    width: float,
) -> None:
    """Write each series' name and last value beside the end of its line, apart from the others."""
    left, top, plot_width, height = box
    wanted, blocks = [], []
    for series, name in zip(lines.series, lines.names, strict=True):
        values = lines.of(series)
        known = [v for v in values if v.is_shown]
        if not known:
            wanted.append(top + height / 2)
            blocks.append(wrap_text(f"{name}: {_no_value(values)}", TEXT, width))
            continue
        last = known[-1].value
        wanted.append(top + height * (high - last) / (high - low))
        ending = f" {written(last, how)}" if values[-1].is_shown else ""
        blocks.append(wrap_text(name + ending, TEXT, width))
    tallest = max(len(block) for block in blocks)
    gap = tallest * LINE + 2
    first = top + (tallest - 1) * LINE / 2
    places = spread(wanted, gap, first, max(top + height, first + gap * (len(blocks) - 1)))
    x = left + plot_width + 12
    for number, (place, block) in enumerate(zip(places, blocks, strict=True)):
        for index, line in enumerate(block):
            y = place + (index - (len(block) - 1) / 2) * LINE
            canvas.text(x, y, line, role=f"t{number + 1}", va="center_baseline", weight="bold")


def _no_value(values: Sequence[Value]) -> str:
    """Say why a series has no line at all: hidden, or nothing there."""
    return "hidden" if any(v.record.get("symbol") == "c" for v in values) else "no figures"


def _label_room(lines: _Lines, how: Format, most: float) -> float:
    texts = []
    for series, name in zip(lines.series, lines.names, strict=True):
        known = [v.value for v in lines.of(series) if v.is_shown]
        texts.append(f"{name} {written(known[-1], how)}" if known else f"{name}: {_no_value(lines.of(series))}")
    width = max(text_width(line, TEXT, bold=True) for text in texts for line in wrap_text(text, TEXT, most, bold=True))
    return min(max(width, 40.0), most * 1.35)


def _band_is_visible(lines: _Lines, low: float, high: float, height: float) -> bool:
    widths = [v.upper - v.lower for v in lines.values.values() if v.has_interval]
    return bool(widths) and max(widths) / (high - low) * height > 3


def _line_alt(lines: _Lines, how: Format) -> list[str]:
    """Say each series' first and last value and, where they lie between, its lowest and highest."""
    sentences = []
    for series, name in zip(lines.series, lines.names, strict=True):
        known = [(text, v.value) for text, v in zip(lines.texts, lines.of(series), strict=True) if v.is_shown]
        if not known:
            sentences.append(f"{name}: no value can be shown.")
            continue
        if len(known) == 1:
            sentences.append(f"{name}: {written(known[0][1], how)} in {known[0][0]}.")
            continue
        first, last = known[0], known[-1]
        words = f"{name}: {written(first[1], how)} in {first[0]}, {written(last[1], how)} in {last[0]}"
        between = known[1:-1]
        if between:
            lowest, highest = min(between, key=lambda k: k[1]), max(between, key=lambda k: k[1])
            if lowest[1] < min(first[1], last[1]):
                words += f", lowest {written(lowest[1], how)} in {lowest[0]}"
            if highest[1] > max(first[1], last[1]):
                words += f", highest {written(highest[1], how)} in {highest[0]}"
        sentences.append(words + ".")
    return sentences


def _gap_note(lines: _Lines) -> list[str]:
    if not lines.gaps:
        return []
    years = _and([lines.texts[i] for i in lines.gaps])
    return [f"There are no figures for {years}, so the lines break there."]


def _lines_table(
    panels: Sequence[tuple[str, _Lines]],
    how: Format,
    *,
    id: str,
    title: str,
    subtitle: str,
    x: str,
    source: str,
) -> Table:
    """Return the figures drawn: positions by series, or one line per value where intervals are drawn."""
    first = panels[0][1]
    label = Column(LABELS.get(x, x.replace("_", " ").capitalize()), align="left")
    rows = []
    if any(lines.has_intervals for _, lines in panels):
        heads = [label, Column("Rate", unit=how.unit), Column("Lower 95% limit", unit=how.unit)]
        heads.append(Column("Upper 95% limit", unit=how.unit))
        for panel, lines in panels:
            for series, name in zip(lines.series, lines.names, strict=True):
                section = ", ".join(part for part in (panel, name) if part)
                for text, value in zip(lines.texts, lines.of(series), strict=True):
                    if value.record:
                        cells = tuple(rate_cell(value.record, column) for column in ("rate", "lower", "upper"))
                        rows.append(Row(text, cells, section))
        return Table(id, title, subtitle, tuple(heads), tuple(rows), source)
    heads = [label, *(Column(name, unit=how.unit) for name in first.names)]
    for panel, lines in panels:
        for position, text in zip(lines.positions, lines.texts, strict=True):
            values = [lines.values.get((series, position)) for series in lines.series]
            if any(values):
                cells = tuple(Cell(symbol="x") if v is None else rate_cell(v.record) for v in values)
                rows.append(Row(text, cells, panel))
    return Table(id, title, subtitle, tuple(heads), tuple(rows), source)


def line_by_year(
    table: ProtectedTable,
    *,
    id: str,
    title: str,
    subtitle: str,
    x: str = "academic_year",
    series: str = "series_label",
    source: str = "",
    notes: Iterable[str] = (),
    gap_years: Iterable[int] = (),
    labels: Labels | None = None,
) -> Figure:
    """Return a line for each of at most four series, named at its end.

    Parameters
    ----------
    title
        The headline: what the chart shows.
    subtitle
        Measure, place and period.
    gap_years
        Years to leave out even where rows exist; years without rows are gaps anyway.
    labels
        Column -> level -> what to print.

    Raises
    ------
    DisclosureError
        ``table`` has not been protected.
    ReportError
        More than four series, two rows for one mark, or measures of different units.
    """
    require_protected(table)
    require_columns(table, x, series)
    how = single_format(table)
    lines = _gather(table, x, series, how, gap_years, labels, id)
    _few(lines.series, id)
    low, high, ticks = limits(lines.extremes())

    def paint(width: float) -> tuple[Paint, float]:
        wide = width == WIDE
        left = 10 + max(text_width(tick_text(t, ticks, how), TEXT) for t in ticks)
        room = _label_room(lines, how, 150 if wide else 84)
        most = max(room, 40)
        tallest = max(len(wrap_text(f"{n} 00.0%", TEXT, most, bold=True)) for n in lines.names)
        height = max(300 if wide else 270, len(lines.series) * (tallest * LINE + 2) + 60)

        def brush(canvas: Canvas) -> None:
            top = 12 + synthetic_mark(canvas, table)
            box = (left, top, width - left - room - 18, height - top - 32)
            axes = canvas.axes(*box, ticks=False)
            count = len(lines.positions)
            edge = 0.5 if lines.gaps else 0.12
            axes.set_xlim(-edge if 0 in lines.gaps else -0.12, count - 1 + (edge if count - 1 in lines.gaps else 0.06))
            axes.set_ylim(low, high)
            _draw_gaps(axes, lines)
            _value_grid(canvas, axes, box, ticks, how)
            _year_texts(canvas, axes, box, lines.texts)
            _draw_lines(axes, lines, how, tips=wide, bands=_band_is_visible(lines, low, high, box[3]))
            _end_labels(canvas, lines, how, box=box, low=low, high=high, width=most)

        return brush, height

    said = [
        *_interval_note([lines], low, high),
        *_gap_note(lines),
        *_zero_note(low),
        *hidden_notes(table.rows),
    ]
    alt = " ".join(
        [
            f"Line chart by {LABELS.get(x, x).lower()}, {lines.texts[0]} to {lines.texts[-1]}.",
            *_line_alt(lines, how),
            *_gap_note(lines),
            *hidden_notes(table.rows),
        ]
    )
    data = _lines_table(
        [("", lines)],
        how,
        id=f"{id}-data",
        title=title,
        subtitle=subtitle,
        x=x,
        source=source_of(table, source),
    )
    return finish(
        table, id=id, title=title, subtitle=subtitle, alt=alt, paint=paint, data=data, source=source,
        notes=[*said, *notes],
    )  # fmt: skip


def _gather(
    table: ProtectedTable,
    x: str,
    series: str,
    how: Format,
    gap_years: Iterable[int],
    labels: Labels | None,
    id: str,
) -> _Lines:
    positions, gaps = _positions(table, x, gap_years)
    if not positions:
        raise ReportError(f"Figure '{id}' has no rows to draw.")
    left_out = {positions[i] for i in gaps}
    values = {
        (s, _key(x, position)): value_of(record, how)
        for (s, position), record in cells_by(table, [series, x], id).items()
        if _key(x, position) not in left_out
    }
    names = levels(table.rows[series])
    return _Lines(
        positions,
        tuple(level_label(x, position, labels) for position in positions),
        tuple(names),
        tuple(level_label(series, name, labels) for name in names),
        values,
        gaps,
    )


def _key(x: str, position: Any) -> Any:
    return int(position) if x == "academic_year" else position


def _interval_note(panels: Sequence[_Lines], low: float, high: float) -> list[str]:
    if not any(lines.has_intervals for lines in panels):
        return []
    if any(_band_is_visible(lines, low, high, 250) for lines in panels):
        return ["Shaded bands are 95% intervals."]
    return ["The 95% intervals are narrower than the lines; they are in the data table."]


def _zero_note(low: float) -> list[str]:
    return ["The vertical axis does not start at 0."] if low > 0 else []


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
    _few(whole, id)
    positions, gaps = _positions(table, x, gap_years)
    if not positions:
        raise ReportError(f"Figure '{id}' has no rows to draw.")
    texts = tuple(level_label(x, position, labels) for position in positions)
    names = tuple(level_label(series, name, labels) for name in whole)
    cells = cells_by(table, [panel, series, x], id)
    left_out = {positions[i] for i in gaps}
    panels = []
    for level in levels(table.rows[panel]):
        values = {
            (s, _key(x, position)): value_of(record, how)
            for (p, s, position), record in cells.items()
            if p == level and _key(x, position) not in left_out
        }
        panels.append((level_label(panel, level, labels), _Lines(positions, texts, tuple(whole), names, values, gaps)))
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
                _draw_gaps(axes, lines)
                _value_grid(canvas, axes, box, ticks, how, texts=not column)
                _end_texts(canvas, axes, box, texts)
                bands = _band_is_visible(lines, low, high, plot_height)
                _draw_lines(axes, lines, how, tips=width == WIDE, bands=bands, size=7, width=2, few_marks=True)
                _end_values(canvas, lines, how, box=box, low=low, high=high)

        return brush, height

    shown = [lines for _, lines in panels]
    said = [
        f"All panels have the same scale and run from {texts[0]} to {texts[-1]}.",
        *_interval_note(shown, low, high),
        *_gap_note(shown[0]),
    ]
    said += [*_zero_note(low), *hidden_notes(table.rows)]
    alt = " ".join(
        [f"{len(panels)} small line charts on one scale, {texts[0]} to {texts[-1]}."]
        + [f"{name}. {' '.join(_line_alt(lines, how))}" for name, lines in panels]
        + [*_gap_note(shown[0]), *hidden_notes(table.rows)]
    )
    data = _lines_table(
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
    _tick_marks(axes, box, len(texts))
    last, y = len(texts) - 1, box[1] + box[3] + 19
    needed = text_width(texts[0], SMALL) + text_width(texts[-1], SMALL) + 10
    canvas.text(x_place(axes, box, last), y, texts[-1], size=SMALL, ha="right" if last else "center")
    if last and needed < box[2]:
        canvas.text(x_place(axes, box, 0), y, texts[0], size=SMALL, ha="left")


def _end_values(
    canvas: Canvas,
    lines: _Lines,
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
