"""Charts from protected measure rows: each drawn wide and narrow, with its words and its figures.

Every function takes a ``ProtectedTable`` and gives a ``Figure`` block. Axis limits, order and text are made
from the shown values alone: a hidden value leaves a gap and is counted in the notes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import MaxNLocator

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import ReportError
from attendance_toolkit.presentation.blocks import Cell, Column, Figure, Row, Table
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
    DASHES,
    MARKERS,
    MAX_SERIES,
    NARROW,
    WIDE,
    Canvas,
    Paint,
    colour,
    drawing_png,
    drawing_svg,
    spread,
    text_width,
    wrap_text,
)
from attendance_toolkit.vocabulary.calendar import academic_year_before
from attendance_toolkit.vocabulary.columns import LABELS
from attendance_toolkit.vocabulary.rounding import show_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Labels = Mapping[str, Mapping[Any, str]]

_TEXT = 14
_LINE = 17
_SMALL = 13
#: A tip of a mark, as ``style.clean_svg`` finds it.
_TIP = "tip:"


@dataclass(frozen=True)
class _Value:
    """One shown (or hidden) value of a chart, on the written scale."""

    value: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_shown(self) -> bool:
        return not math.isnan(self.value)

    @property
    def has_interval(self) -> bool:
        return not (math.isnan(self.lower) or math.isnan(self.upper))


def _value(record: Mapping[str, Any] | None, how: Format) -> _Value:
    if record is None:
        return _Value()

    def number(name: str) -> float:
        return math.nan if is_missing(record[name]) else float(record[name]) * how.scale

    return _Value(number("rate"), number("lower"), number("upper"), record)


def _written(value: float, how: Format) -> str:
    """Return a value of the written scale with its unit."""
    return show_number(value, how.decimals, signed=how.signed) + how.suffix


def _with_interval(value: _Value, how: Format) -> str:
    text = _written(value.value, how)
    if value.has_interval:
        low, high = (show_number(v, how.decimals, signed=how.signed) for v in (value.lower, value.upper))
        text += f" (95% interval {low} to {high})"
    return text


def _cells(
    table: ProtectedTable, columns: Sequence[str], figure: str
) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    """Return each row under its levels; two rows of one mark are an error."""
    found: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for record in table.rows.to_dict("records"):
        key = tuple(record[name] for name in columns)
        if key in found:
            raise ReportError(
                f"Figure '{figure}' has more than one row for {', '.join(map(str, key))}. Select or group further."
            )
        found[key] = record
    return found


def _few(series: Sequence[Any], figure: str) -> None:
    if len(series) > MAX_SERIES:
        raise ReportError(
            f"Figure '{figure}' has {len(series)} series; more than {MAX_SERIES} cannot be told apart."
            " Choose fewer, or draw small multiples."
        )


def _and(items: Sequence[str]) -> str:
    """Return "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _finish(
    table: ProtectedTable,
    *,
    id: str,
    title: str,
    subtitle: str,
    alt: str,
    paint: Callable[[float], tuple[Paint, float]],
    data: Table,
    source: str,
    notes: Iterable[str],
) -> Figure:
    """Draw both widths and put the figure together."""
    drawn = {}
    for name, width in (("wide", WIDE), ("narrow", NARROW)):
        brush, height = paint(width)
        drawn[name] = drawing_svg(brush, width, height, prefix=f"{id}-{name[0]}")
    line = source_of(table, source)

    def png() -> bytes:
        brush, height = paint(WIDE)
        return drawing_png(brush, WIDE, height, title=title, subtitle=subtitle, source=line)

    return Figure(id, title, subtitle, alt, drawn["wide"], drawn["narrow"], data, line, tuple(notes), png)


# --- axes ---------------------------------------------------------------------------------------------------


def _limits(values: Iterable[float], *, zero_share: float = 0.6) -> tuple[float, float, list[float]]:
    """Return nice limits and ticks around the shown values.

    The axis starts at 0 unless the smallest value is ``zero_share`` of the largest or more: then a zero
    baseline would cost too much of the room to see anything. 1 means always.
    """
    shown = [v for v in values if not math.isnan(v)]
    low, high = (min(shown), max(shown)) if shown else (0.0, 1.0)
    if zero_share >= 1 or 0 <= low < zero_share * high:
        low = min(low, 0.0)
    if zero_share >= 1:
        high = max(high, 0.0)
    if high == low:
        high, low = high + 1, (low - 1 if low != 0 else 0.0)
    ticks = list(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]).tick_values(low, high))
    while len(ticks) > 2 and ticks[1] <= low:
        ticks.pop(0)
    while len(ticks) > 2 and ticks[-2] >= high:
        ticks.pop()
    return float(ticks[0]), float(ticks[-1]), [float(t) for t in ticks]


def _tick_text(tick: float, ticks: Sequence[float], how: Format) -> str:
    step = min((b - a for a, b in itertools.pairwise(ticks)), default=1.0)
    decimals = next(d for d in range(6) if d == 5 or abs(round(step, d) - step) < 1e-9)
    return show_number(tick, decimals, signed=how.signed) + ("%" if how.suffix == "%" else "")


def _horizontal_grid(canvas: Canvas, axes: Axes, ticks: Sequence[float], how: Format, left: float) -> None:
    """Draw grid lines with their values to the left of the axes."""
    axes.set_yticks(list(ticks), [_tick_text(t, ticks, how) for t in ticks])
    axes.tick_params(axis="y", length=0, labelsize=_TEXT)
    for tick in ticks:
        strong = tick == 0
        axes.axhline(
            tick,
            color=colour("axis" if strong else "grid"),
            linewidth=1,
            zorder=0.5,
            clip_on=False,
            solid_capstyle="butt",
        )


def _year_ticks(axes: Axes, texts: Sequence[str], spacing: float, base: float) -> None:
    """Label as many positions as fit, always the last."""
    widest = max(text_width(t, _TEXT) for t in texts)
    step = max(1, math.ceil((widest + 10) / spacing)) if len(texts) > 1 else 1
    shown = set(range(len(texts) - 1, -1, -step))
    axes.set_xticks(range(len(texts)), [t if i in shown else "" for i, t in enumerate(texts)])
    axes.tick_params(axis="x", length=5, pad=5)
    axes.axhline(base, color=colour("axis"), linewidth=1, zorder=0.6, clip_on=False)


def _synthetic_mark(canvas: Canvas, table: ProtectedTable) -> float:
    """Write "Synthetic data" into the drawing itself, and return the room it takes."""
    if not table.is_synthetic:
        return 0.0
    canvas.text(canvas.width - 2, 13, "Synthetic data", size=_SMALL, role="muted", ha="right")
    return _LINE + 4.0


# --- lines by year ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Lines:
    """Values of one panel: series by position."""

    positions: tuple[Any, ...]
    texts: tuple[str, ...]
    series: tuple[Any, ...]
    names: tuple[str, ...]
    values: Mapping[tuple[Any, Any], _Value]
    gaps: tuple[int, ...] = ()

    def of(self, series: Any) -> list[_Value]:
        return [self.values.get((series, position), _Value()) for position in self.positions]

    def extremes(self) -> list[float]:
        return [v for value in self.values.values() for v in (value.value, value.lower, value.upper)]

    @property
    def has_intervals(self) -> bool:
        return any(value.has_interval for value in self.values.values())


def _positions(
    table: ProtectedTable, x: str, gap_years: Iterable[int]
) -> tuple[tuple[Any, ...], tuple[int, ...]]:
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
                places, [v.lower for v in values], [v.upper for v in values], facecolor=ink, alpha=0.13, linewidth=0,
                clip_on=False, zorder=1,
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
            "color": ink, "marker": MARKERS[number], "markersize": size + (1.5 if MARKERS[number] == "^" else 0), "linestyle": "none",
            "markeredgecolor": colour("page"), "markeredgewidth": 1, "clip_on": False, "zorder": 3 + number / 10,
        }  # fmt: skip
        marked = _lone_points(heights) if few_marks else places
        if not tips:
            axes.plot(marked, [heights[place] for place in marked], **marks)
            continue
        for place in marked:
            value, text = values[place], lines.texts[place]
            if value.is_shown:
                tip = f"{name}, {text}: {_with_interval(value, how)}"
                axes.plot([place], [value.value], gid=_TIP + tip, **marks)


def _lone_points(heights: Sequence[float]) -> list[int]:
    """Return the last shown place, and the places no line reaches.

    >>> _lone_points([1.0, math.nan, 2.0, math.nan, 3.0, 4.0])
    [0, 2, 5]
    """
    shown = [place for place, height in enumerate(heights) if not math.isnan(height)]
    return [p for p in shown if p == shown[-1] or (p - 1 not in shown and p + 1 not in shown)]


def _draw_gaps(axes: Axes, lines: _Lines) -> None:
    for place in lines.gaps:
        axes.axvspan(
            place - 0.5, place + 0.5, facecolor=colour("panel"), linewidth=0, zorder=0.1, clip_on=False
        )


def _end_labels(
    canvas: Canvas,
    lines: _Lines,
    how: Format,
    *,
    box: tuple[float, float, float, float],
    low: float,
    high: float,
    width: float,
) -> None:
    """Write each series' name and last value beside the end of its line, moved apart where they would meet."""
    left, top, plot_width, height = box
    wanted, blocks = [], []
    for series, name in zip(lines.series, lines.names, strict=True):
        values = lines.of(series)
        known = [v for v in values if v.is_shown]
        if not known:
            wanted.append(top + height / 2)
            blocks.append(wrap_text(f"{name}: hidden", _TEXT, width))
            continue
        last = known[-1].value
        wanted.append(top + height * (high - last) / (high - low))
        ending = f" {_written(last, how)}" if values[-1].is_shown else ""
        blocks.append(wrap_text(name + ending, _TEXT, width))
    tallest = max(len(block) for block in blocks)
    gap = tallest * _LINE + 2
    first = top + (tallest - 1) * _LINE / 2
    places = spread(wanted, gap, first, max(top + height, first + gap * (len(blocks) - 1)))
    x = left + plot_width + 12
    for number, (place, block) in enumerate(zip(places, blocks, strict=True)):
        for index, line in enumerate(block):
            y = place + (index - (len(block) - 1) / 2) * _LINE
            canvas.text(x, y, line, role=f"t{number + 1}", va="center_baseline", weight="bold")


def _label_room(lines: _Lines, how: Format, most: float) -> float:
    texts = []
    for series, name in zip(lines.series, lines.names, strict=True):
        known = [v.value for v in lines.of(series) if v.is_shown]
        texts.append(f"{name} {_written(known[-1], how)}" if known else f"{name}: hidden")
    width = max(
        text_width(line, _TEXT, bold=True)
        for text in texts
        for line in wrap_text(text, _TEXT, most, bold=True)
    )
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
            sentences.append(f"{name}: {_written(known[0][1], how)} in {known[0][0]}.")
            continue
        first, last = known[0], known[-1]
        words = f"{name}: {_written(first[1], how)} in {first[0]}, {_written(last[1], how)} in {last[0]}"
        between = known[1:-1]
        if between:
            lowest, highest = min(between, key=lambda k: k[1]), max(between, key=lambda k: k[1])
            if lowest[1] < min(first[1], last[1]):
                words += f", lowest {_written(lowest[1], how)} in {lowest[0]}"
            if highest[1] > max(first[1], last[1]):
                words += f", highest {_written(highest[1], how)} in {highest[0]}"
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
                        cells = tuple(
                            _bound_cell(value.record, column) for column in ("rate", "lower", "upper")
                        )
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


def _bound_cell(record: Mapping[str, Any], column: str) -> Cell:
    return rate_cell(record, column)


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
    low, high, ticks = _limits(lines.extremes())

    def paint(width: float) -> tuple[Paint, float]:
        wide = width == WIDE
        left = 10 + max(text_width(_tick_text(t, ticks, how), _TEXT) for t in ticks)
        room = _label_room(lines, how, 150 if wide else 84)
        most = max(room, 40)
        tallest = max(len(wrap_text(f"{n} 00.0%", _TEXT, most, bold=True)) for n in lines.names)
        height = max(300 if wide else 270, len(lines.series) * (tallest * _LINE + 2) + 60)

        def brush(canvas: Canvas) -> None:
            top = 12 + _synthetic_mark(canvas, table)
            box = (left, top, width - left - room - 18, height - top - 32)
            axes = canvas.axes(*box)
            count = len(lines.positions)
            edge = 0.5 if lines.gaps else 0.12
            axes.set_xlim(
                -edge if 0 in lines.gaps else -0.12, count - 1 + (edge if count - 1 in lines.gaps else 0.06)
            )
            axes.set_ylim(low, high)
            _draw_gaps(axes, lines)
            _horizontal_grid(canvas, axes, ticks, how, left)
            _year_ticks(axes, lines.texts, box[2] / max(count - 0.8, 1), low)
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
        ]
        + [*_gap_note(lines), *hidden_notes(table.rows)]
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
    return _finish(
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
        (s, _key(x, position)): _value(record, how)
        for (s, position), record in _cells(table, [series, x], id).items()
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
    cells = _cells(table, [panel, series, x], id)
    left_out = {positions[i] for i in gaps}
    panels = []
    for level in levels(table.rows[panel]):
        values = {
            (s, _key(x, position)): _value(record, how)
            for (p, s, position), record in cells.items()
            if p == level and _key(x, position) not in left_out
        }
        panels.append(
            (level_label(panel, level, labels), _Lines(positions, texts, tuple(whole), names, values, gaps))
        )
    low, high, ticks = _limits(v for _, lines in panels for v in lines.extremes())
    left = 10 + max(text_width(_tick_text(t, ticks, how), _TEXT) for t in ticks)
    ends = 8 + max(
        (
            text_width(_written(v.value, how), _SMALL, bold=True)
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
        heads = [wrap_text(name, _TEXT, slot - 6, bold=True) for name, _ in panels]
        head_height = 8 + _LINE * max(len(head) for head in heads)
        key_rows = _key_rows(names, width) if len(names) > 1 else []
        key_height = 22 * len(key_rows) + (6 if key_rows else 0)
        mark = _LINE + 4 if table.is_synthetic else 0
        row_height = head_height + plot_height + 36
        height = mark + key_height + down * row_height

        def brush(canvas: Canvas) -> None:
            _synthetic_mark(canvas, table)
            _draw_key(canvas, key_rows, mark)
            for index, (_, lines) in enumerate(panels):
                row, column = divmod(index, across)
                x0 = left + column * (slot + gap)
                y0 = mark + key_height + row * row_height
                for k, line in enumerate(heads[index]):
                    canvas.text(x0, y0 + 14 + k * _LINE, line, weight="bold")
                box = (x0, y0 + head_height, slot - ends, plot_height)
                axes = canvas.axes(*box)
                axes.set_xlim(-0.15, len(positions) - 0.9)
                axes.set_ylim(low, high)
                _draw_gaps(axes, lines)
                _horizontal_grid(canvas, axes, ticks, how, left)
                if column:
                    axes.set_yticklabels([])
                _ends_only(axes, texts, low, box[2])
                bands = _band_is_visible(lines, low, high, plot_height)
                _draw_lines(
                    axes, lines, how, tips=width == WIDE, bands=bands, size=7, width=2, few_marks=True
                )
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
    return _finish(
        table, id=id, title=title, subtitle=subtitle, alt=alt, paint=paint, data=data, source=source,
        notes=[*said, *notes],
    )  # fmt: skip


def _key_rows(names: Sequence[str], width: float) -> list[list[tuple[int, str, float]]]:
    """Break the key into rows: (series number, name, left edge)."""
    rows: list[list[tuple[int, str, float]]] = [[]]
    at = 0.0
    for number, name in enumerate(names):
        room = 44 + text_width(name, _TEXT, bold=True) + 20
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
    axes = canvas.axes(0, top, canvas.width, height)
    axes.set_xlim(0, canvas.width)
    axes.set_ylim(height, 0)
    axes.set_xticks([])
    axes.set_yticks([])
    for index, row in enumerate(rows):
        y = 22 * index + 11
        for number, name, left in row:
            ink = colour(f"s{number + 1}")
            axes.plot([left + 1, left + 36], [y, y], color=ink, linewidth=2.25, linestyle=DASHES[number])  # type: ignore[arg-type]
            axes.plot(
                [left + 18.5],
                [y],
                color=ink,
                marker=MARKERS[number],
                markersize=7,
                markeredgecolor=colour("page"),
            )
            axes.text(
                left + 43,
                y,
                name,
                fontsize=_TEXT,
                color=colour(f"t{number + 1}"),
                va="center_baseline",
                weight="bold",
            )


def _ends_only(axes: Axes, texts: Sequence[str], base: float, width: float) -> None:
    """Label the first and last position of a small chart, or the last alone where both do not fit."""
    last = len(texts) - 1
    needed = text_width(texts[0], _SMALL) + text_width(texts[-1], _SMALL) + 10
    show = {0, last} if needed < width else {last}
    axes.set_xticks(range(len(texts)), [t if i in show else "" for i, t in enumerate(texts)])
    axes.tick_params(axis="x", length=4, labelsize=_SMALL)
    for index, label in enumerate(axes.get_xticklabels()):
        if index == last and last > 0:
            label.set_horizontalalignment("right")
        elif index == 0:
            label.set_horizontalalignment("left")
    axes.axhline(base, color=colour("axis"), linewidth=1, zorder=0.6, clip_on=False)


def _end_values(
    canvas: Canvas,
    lines: _Lines,
    how: Format,
    *,
    box: tuple[float, float, float, float],
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
        text = _written(value, how)
        canvas.text(
            left + width + 7,
            place,
            text,
            size=_SMALL,
            role=f"t{number + 1}",
            va="center_baseline",
            weight="bold",
        )


# --- rows of dots and bars ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Item:
    label: str
    value: _Value
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
    """Return the categories in drawing order: sorted by shown value, hidden ones last in their given order."""
    cells = _cells(table, [category], id)
    chosen = set(highlight) if isinstance(highlight, (list, tuple, set)) else {highlight}
    items = [
        _Item(level_label(category, level, labels), _value(cells[(level,)], how), level in chosen)
        for level in levels(table.rows[category])
    ]
    if not items:
        raise ReportError(f"Figure '{id}' has no rows to draw.")
    if sort:
        items.sort(key=lambda item: -item.value.value if item.value.is_shown else math.inf)
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
        Row(i.label, tuple(_bound_cell(i.value.record, c) for c in columns), emphasis=i.is_highlighted)
        for i in items
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
        + f"{_with_interval(low.value, how)} for {low.label}"
        + f" to {_with_interval(high.value, how)} for {high.label}."
    ]
    words += [
        f"{item.label}, highlighted: {_with_interval(item.value, how)}."
        for item in shown
        if item.is_highlighted
    ]
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
    lines = [wrap_text(item.label, _TEXT, most, bold=item.is_highlighted) for item in items]
    left = max(
        text_width(line, _TEXT, bold=item.is_highlighted)
        for item, block in zip(items, lines, strict=True)
        for line in block
    )
    heights = [max(least, _LINE * len(block) + 8) for block in lines]
    tops = [sum(heights[:i]) for i in range(len(heights))]
    return _RowLayout(lines, tops, heights, min(left, most * 1.3) + 10, sum(heights))


def _row_labels(canvas: Canvas, items: Sequence[_Item], layout: _RowLayout, top: float) -> None:
    for item, block, y0, height in zip(items, layout.label_lines, layout.tops, layout.heights, strict=True):
        for index, line in enumerate(block):
            y = top + y0 + height / 2 + (index - (len(block) - 1) / 2) * _LINE
            weight = "bold" if item.is_highlighted else "normal"
            canvas.text(layout.left - 8, y, line, ha="right", va="center_baseline", weight=weight)


def _value_axis(
    canvas: Canvas,
    box: tuple[float, float, float, float],
    low: float,
    high: float,
    ticks: Sequence[float],
    how: Format,
) -> Axes:
    """Return axes with values to the right and pixels downwards, with grid lines and tick texts below."""
    axes = canvas.axes(*box)
    axes.set_xlim(low, high)
    axes.set_ylim(box[3], 0)
    texts = [_tick_text(t, ticks, how) for t in ticks]
    widest = max(text_width(t, _TEXT) for t in texts)
    step = max(1, math.ceil((widest + 8) / (box[2] / max(len(ticks) - 1, 1))))
    axes.set_xticks(list(ticks), [t if i % step == 0 else "" for i, t in enumerate(texts)])
    axes.set_yticks([])
    axes.tick_params(axis="x", length=0)
    for tick in ticks:
        axes.axvline(
            tick, color=colour("axis" if tick == 0 else "grid"), linewidth=1, zorder=0.5, clip_on=False
        )
    return axes


def _right_edge(ticks: Sequence[float], how: Format) -> float:
    """Room for half of the last tick's text."""
    return text_width(_tick_text(ticks[-1], ticks, how), _TEXT) / 2 + 2


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
    low, high, ticks = _limits([*spans, *([mark[1]] if mark else [])], zero_share=0.3)

    def paint(width: float) -> tuple[Paint, float]:
        layout = _row_layout(items, width, 27)
        numbers = max(
            (text_width(_written(i.value.value, how), _TEXT, bold=True) for i in items if i.value.is_shown),
            default=text_width("hidden", _TEXT),
        )
        synthetic = _LINE + 4 if table.is_synthetic else 0
        top = synthetic + (22 if mark else 6)
        height = top + layout.total + 28

        def brush(canvas: Canvas) -> None:
            _synthetic_mark(canvas, table)
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
                text = f"{mark[0]} {_written(mark[1], how)}"
                half = text_width(text, _TEXT) / 2
                x = layout.left + box[2] * (mark[1] - low) / (high - low)
                canvas.text(min(max(x, half + 2), width - half - 2), top - 7, text, ha="center")
            _row_labels(canvas, items, layout, top)
            for item, y0, row in zip(items, layout.tops, layout.heights, strict=True):
                y = y0 + row / 2
                _dot(axes, item, y, how, tips=width == WIDE)
                bold = "bold" if item.is_highlighted else "normal"
                text = _written(item.value.value, how) if item.value.is_shown else _symbol(item)
                canvas.text(width - 2, top + y, text, ha="right", va="center_baseline", weight=bold)

        return brush, height

    intervals = any(item.value.has_interval for item in items)
    said = ["Lines through the dots are 95% intervals."] if intervals else []
    said += [*_horizontal_zero_note(low), *hidden_notes(table.rows)]
    said += _legend_for(items)
    kind = f"Dot chart of {len(items)} rows, sorted from high to low" + (
        ", with 95% intervals." if intervals else "."
    )
    line = [f"Dashed line: {mark[0]}, {_written(mark[1], how)}."] if mark else []
    alt = " ".join([kind, *_range_words(items, how), *line, *hidden_notes(table.rows)])
    data = _items_table(
        items, how, category, id=f"{id}-data", title=title, subtitle=subtitle, source=source_of(table, source)
    )
    return _finish(
        table, id=id, title=title, subtitle=subtitle, alt=alt, paint=paint, data=data, source=source,
        notes=[*said, *notes],
    )  # fmt: skip


def _symbol(item: _Item) -> str:
    return str(item.value.record.get("symbol") or "x")


def _legend_for(items: Sequence[_Item]) -> list[str]:
    return (
        []
        if all(item.value.is_shown for item in items)
        else ["Rows without a value stand last, with their symbol."]
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
        markersize=9 if item.is_highlighted else 8, markeredgecolor=colour("page"), markeredgewidth=1, clip_on=False,
        zorder=3, gid=f"{_TIP}{item.label}: {_with_interval(value, how)}" if tips else None,
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
    low, high, ticks = _limits(spans, zero_share=1)
    any_highlight = any(item.is_highlighted for item in items)

    def paint(width: float) -> tuple[Paint, float]:
        layout = _row_layout(items, width, 30)
        numbers = 12 + max(
            (text_width(_written(i.value.value, how), _TEXT, bold=True) for i in items if i.value.is_shown),
            default=20,
        )
        top = (_LINE + 4 if table.is_synthetic else 0) + 6
        height = top + layout.total + 28

        def brush(canvas: Canvas) -> None:
            _synthetic_mark(canvas, table)
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
    listed = [f"{i.label} {_written(i.value.value, how)}" for i in items if i.value.is_shown]
    words = [f"{'; '.join(listed)}."] if 0 < len(listed) <= 6 else _range_words(items, how)
    alt = " ".join([kind, *words, *hidden_notes(table.rows)])
    data = _items_table(
        items, how, category, id=f"{id}-data", title=title, subtitle=subtitle, source=source_of(table, source)
    )
    return _finish(
        table, id=id, title=title, subtitle=subtitle, alt=alt, paint=paint, data=data, source=source,
        notes=[*said, *notes],
    )  # fmt: skip


def _bar(axes: Axes, item: _Item, y: float, how: Format, *, strong: bool, tips: bool) -> None:
    value = item.value
    if not value.is_shown:
        return
    tip = f"{_TIP}{item.label}: {_with_interval(value, how)}" if tips else None
    axes.barh(
        [y], [value.value], height=17, color=colour("s1" if strong else "others"), clip_on=False, zorder=2
    )
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
    box: tuple[float, float, float, float],
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
    canvas.text(place(end) + 6, y, _written(item.value.value, how), va="center_baseline", weight=weight)
