"""Lines of values along an axis: what all line charts share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import ReportError
from attendance_toolkit.presentation.blocks import Cell, Column, Row, Table
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
)
from attendance_toolkit.presentation.formats import (
    Format,
    level_label,
    levels,
    rate_cell,
    require_columns,
    require_protected,
    single_format,
)
from attendance_toolkit.presentation.style import (
    DASHES,
    MARKERS,
    MAX_SERIES,
    Canvas,
    colour,
    spread,
    text_width,
    wrap_text,
)
from attendance_toolkit.vocabulary import ledger
from attendance_toolkit.vocabulary.calendar import academic_year_before
from attendance_toolkit.vocabulary.columns import LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _and(items: Sequence[str]) -> str:
    """Return "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def few_series(series: Sequence[Any], figure: str) -> None:
    if len(series) > MAX_SERIES:
        raise ReportError(
            f"Figure '{figure}' has {len(series)} series; more than {MAX_SERIES} cannot be told apart."
            " Choose fewer, or draw small multiples."
        )


def value_grid(
    canvas: Canvas, axes: Axes, box: Box, ticks: Sequence[float], how: Format, *, texts: bool = True
) -> None:
    """Draw horizontal grid lines, with their values to the left."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    strokes(axes, [(left, tick, right, tick) for tick in ticks if tick not in (0, low)], "grid")
    strokes(axes, [(left, tick, right, tick) for tick in ticks if tick in (0, low)], "axis", zorder=0.6)
    for tick in ticks if texts else ():
        y = box[1] + box[3] * (high - tick) / (high - low)
        canvas.text(box[0] - 6, y, tick_text(tick, ticks, how), size=TEXT, ha="right", va="center_baseline")


def tick_marks(axes: Axes, box: Box, count: int) -> None:
    """Draw a short mark under every position."""
    low, high = axes.get_ylim()
    strokes(axes, [(place, low, place, low - 5 * (high - low) / box[3]) for place in range(count)], "axis")


@dataclass(frozen=True)
class Lines:
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


def axis_positions(table: ProtectedTable, x: str, gap_years: Iterable[int]) -> tuple[tuple[Any, ...], tuple[int, ...]]:
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


def draw_lines(
    axes: Axes,
    lines: Lines,
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
        )
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


def draw_gaps(axes: Axes, lines: Lines) -> None:
    for place in lines.gaps:
        axes.axvspan(place - 0.5, place + 0.5, facecolor=colour("panel"), linewidth=0, zorder=0.1, clip_on=False)


def end_labels(
    canvas: Canvas,
    lines: Lines,
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


def label_room(lines: Lines, how: Format, most: float) -> float:
    texts = []
    for series, name in zip(lines.series, lines.names, strict=True):
        known = [v.value for v in lines.of(series) if v.is_shown]
        texts.append(f"{name} {written(known[-1], how)}" if known else f"{name}: {_no_value(lines.of(series))}")
    width = max(text_width(line, TEXT, bold=True) for text in texts for line in wrap_text(text, TEXT, most, bold=True))
    return min(max(width, 40.0), most * 1.35)


def band_is_visible(lines: Lines, low: float, high: float, height: float) -> bool:
    widths = [v.upper - v.lower for v in lines.values.values() if v.has_interval]
    return bool(widths) and max(widths) / (high - low) * height > 3


def line_alt(lines: Lines, how: Format) -> list[str]:
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


def gap_note(lines: Lines) -> list[str]:
    if not lines.gaps:
        return []
    years = _and([lines.texts[i] for i in lines.gaps])
    return [f"There are no figures for {years}, so the lines break there."]


def lines_table(
    panels: Sequence[tuple[str, Lines]],
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


def gather_lines(
    table: ProtectedTable,
    x: str,
    series: str,
    gap_years: Iterable[int],
    labels: Labels | None,
    id: str,
) -> Lines:
    """Return the lines of one chart: series by position along ``x``."""
    require_protected(table)
    require_columns(table, x, series)
    how = single_format(table)
    positions, gaps = axis_positions(table, x, gap_years)
    if not positions:
        raise ReportError(f"Figure '{id}' has no rows to draw.")
    left_out = {positions[i] for i in gaps}
    values = {
        (s, position_key(x, position)): value_of(record, how)
        for (s, position), record in cells_by(table, [series, x], id).items()
        if position_key(x, position) not in left_out
    }
    names = levels(table.rows[series])
    few_series(names, id)
    return Lines(
        positions,
        tuple(level_label(x, position, labels) for position in positions),
        tuple(names),
        tuple(level_label(series, name, labels) for name in names),
        values,
        gaps,
    )


def position_key(x: str, position: Any) -> Any:
    return int(position) if x == "academic_year" else position


def interval_note(panels: Sequence[Lines], low: float, high: float) -> list[str]:
    if not any(lines.has_intervals for lines in panels):
        return []
    if any(band_is_visible(lines, low, high, 250) for lines in panels):
        return ["Shaded bands are 95% intervals."]
    return ["The 95% intervals are narrower than the lines; they are in the data table."]


def zero_note(low: float) -> list[str]:
    return [ledger.phrase("The vertical axis does not start at 0.", "scale")] if low > 0 else []
