"""What the charts share: values on the written scale, axis limits, and the way a figure is put together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import MaxNLocator

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import ReportError
from attendance_toolkit.presentation.blocks import Figure, Table
from attendance_toolkit.presentation.formats import Format, is_missing, records, require_protected, source_of
from attendance_toolkit.presentation.seals import seal_of
from attendance_toolkit.presentation.style import (
    NARROW,
    WIDE,
    Canvas,
    Paint,
    colour,
    drawing_png,
    drawing_svg,
)
from attendance_toolkit.vocabulary import ledger
from attendance_toolkit.vocabulary.rounding import number_text, show_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Box = tuple[float, float, float, float]
"""Left, top, width and height on the canvas, in pixels."""
Labels = Mapping[str, Mapping[Any, str]]

TEXT = 14
LINE = 17
SMALL = 13
#: A tip of a mark, as ``style.clean_svg`` finds it.
TIP = "tip:"


@dataclass(frozen=True)
class Value:
    """One shown (or hidden) value of a chart, on the written scale."""

    value: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_shown(self) -> bool:
        """False for a hidden or missing value."""
        return not math.isnan(self.value)

    @property
    def has_interval(self) -> bool:
        """True when both bounds are known."""
        return not (math.isnan(self.lower) or math.isnan(self.upper))


def value_of(record: Mapping[str, Any] | None, how: Format) -> Value:
    """Return a measure row's rate and interval on the written scale."""
    if record is None:
        return Value()

    def number(name: str) -> float:
        return math.nan if is_missing(record[name]) else float(record[name]) * how.scale

    return Value(number("rate"), number("lower"), number("upper"), record)


def written(value: float, how: Format) -> str:
    """Return a value of the written scale with its unit."""
    return show_number(value, how.decimals, signed=how.signed) + how.suffix


def with_interval(value: Value, how: Format) -> str:
    """Return a value with its interval, as alt text and tooltips have it."""
    text = written(value.value, how)
    if value.has_interval:
        low, high = (show_number(v, how.decimals, signed=how.signed) for v in (value.lower, value.upper))
        text += f" (95% interval {low} to {high})"
    return text


def cells_by(table: ProtectedTable, columns: Sequence[str], figure: str) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    """Return each row under its levels; two rows of one mark are an error."""
    require_protected(table)
    found: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for record in records(table):
        key = tuple(record[name] for name in columns)
        if key in found:
            raise ReportError(
                f"Figure '{figure}' has more than one row for {', '.join(map(str, key))}. Select or group further."
            )
        found[key] = record
    return found


def finish(
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
    """Draw both widths, seal the drawings and put the figure together."""
    require_protected(table)
    drawn = {}
    for name, width in (("wide", WIDE), ("narrow", NARROW)):
        brush, height = paint(width)
        drawn[name] = drawing_svg(brush, width, height, prefix=f"{id}-{name[0]}")
    line = source_of(table, source)

    def png() -> bytes:
        brush, height = paint(WIDE)
        return drawing_png(brush, WIDE, height, title=title, subtitle=subtitle, source=line)

    seal = seal_of(drawn["wide"], drawn["narrow"])
    return Figure(id, title, subtitle, alt, drawn["wide"], drawn["narrow"], data, line, tuple(notes), seal, png)


# --- axes ---------------------------------------------------------------------------------------------------


def limits(values: Iterable[float], *, zero_share: float = 0.6) -> tuple[float, float, list[float]]:
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


def tick_text(tick: float, ticks: Sequence[float], how: Format) -> str:
    """Return the text of one tick, with as many decimals as the ticks need."""
    step = min((b - a for a, b in itertools.pairwise(ticks)), default=1.0)
    decimals = next(d for d in range(6) if d == 5 or abs(round(step, d) - step) < 1e-9)
    text = ledger.note(number_text(tick, decimals, signed=how.signed), tick, ledger.AXIS)
    return text + ("%" if how.suffix == "%" else "")


def strokes(
    axes: Axes, segments: Iterable[tuple[float, float, float, float]], role: str, *, zorder: float = 0.5
) -> None:
    """Draw straight lines (x, y, x, y) of one colour as one mark."""
    xs: list[float] = []
    ys: list[float] = []
    for x0, y0, x1, y1 in segments:
        xs += [x0, x1, math.nan]
        ys += [y0, y1, math.nan]
    if xs:
        axes.plot(xs, ys, color=colour(role), linewidth=1, zorder=zorder, clip_on=False, solid_capstyle="butt")


def x_place(axes: Axes, box: Box, value: float) -> float:
    """Return where a value of the horizontal axis lies on the canvas."""
    low, high = axes.get_xlim()
    return box[0] + box[2] * (value - low) / (high - low)


def synthetic_mark(canvas: Canvas, table: ProtectedTable) -> float:
    """Write "Synthetic data" into the drawing itself, and return the room it takes."""
    if not table.is_synthetic:
        return 0.0
    canvas.text(canvas.width - 2, 13, "Synthetic data", size=SMALL, role="muted", ha="right")
    return LINE + 4.0
