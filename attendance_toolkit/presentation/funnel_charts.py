"""Points by their size, and the limits chance keeps them within: a funnel."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import ReportError, UnknownColumnError
from attendance_toolkit.presentation._limits import CENTRE, DASHED, DOTTED, end_room, end_texts, reference_line
from attendance_toolkit.presentation._lines import value_grid, zero_note
from attendance_toolkit.presentation._names import free_place
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
    strokes,
    synthetic_mark,
    tick_text,
    value_of,
    written,
    x_place,
)
from attendance_toolkit.presentation.charting import (
    limits as axis_limits,
)
from attendance_toolkit.presentation.formats import (
    Format,
    count_cell,
    hidden_notes,
    is_missing,
    level_label,
    measure_format,
    rate_cell,
    require_columns,
    require_protected,
    single_format,
    source_of,
)
from attendance_toolkit.presentation.style import WIDE, Canvas, Paint, colour, text_width, wrap_text
from attendance_toolkit.vocabulary.columns import LABELS
from attendance_toolkit.vocabulary.ledger import phrase

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Columns of the limits: sizes, and both limits at each size.
LIMIT_COLUMNS = ("n", "lower95", "upper95", "lower998", "upper998")
#: Names on a chart: more would cover the points.
MOST_NAMES, MOST_NAMES_NARROW = 8, 4

_WITHIN, _OUTSIDE, _FAR_OUTSIDE = 0, 1, 2
_MARKS: Mapping[int, tuple[str, float, str]] = {
    _WITHIN: ("o", 5.0, "others"),
    _OUTSIDE: ("^", 8.0, "s1"),
    _FAR_OUTSIDE: ("D", 7.5, "s3"),
}


@dataclass(frozen=True)
class _Point:
    """A point of the funnel. Its size is missing where its figure is hidden."""

    name: str
    label: str
    value: Value
    size: float
    outside: int
    excess: float

    @property
    def is_drawn(self) -> bool:
        return self.value.is_shown and not math.isnan(self.size)


@dataclass(frozen=True)
class _Curves:
    """Limits on the written scale, by size."""

    n: NDArray[np.float64]
    inner: tuple[NDArray[np.float64], NDArray[np.float64]]
    outer: tuple[NDArray[np.float64], NDArray[np.float64]]

    @staticmethod
    def of(frame: pd.DataFrame, how: Format, id: str) -> _Curves:
        missing = [name for name in LIMIT_COLUMNS if name not in frame.columns]
        if missing:
            raise UnknownColumnError(f"The limits of figure '{id}' need the columns {', '.join(missing)}.")
        rows = frame.sort_values("n")
        values = {name: rows[name].to_numpy(dtype=float) * how.scale for name in LIMIT_COLUMNS[1:]}
        return _Curves(
            rows["n"].to_numpy(dtype=float), (values["lower95"], values["upper95"]),
            (values["lower998"], values["upper998"]),
        )  # fmt: skip

    def at(self, size: float, id: str) -> tuple[float, float, float, float]:
        """Return the inner and the outer limits at a size: limits are nearly straight in one over its square root."""
        if not self.n[0] <= size <= self.n[-1]:
            raise ReportError(
                f"The limits of figure '{id}' do not reach to every point. Work them out from the smallest to the"
                " largest size."
            )
        places = -1 / np.sqrt(self.n)
        lower, upper, low, high = (
            float(np.interp(-1 / math.sqrt(size), places, v)) for v in (*self.inner, *self.outer)
        )
        return lower, upper, low, high


def funnel_chart(
    table: ProtectedTable,
    limits: pd.DataFrame,
    *,
    id: str,
    title: str,
    subtitle: str,
    category: str,
    centre: tuple[str, float],
    size: str = "denominator",
    size_label: str = "Number of pupils",
    label: str | None = None,
    source: str = "",
    notes: Iterable[str] = (),
    labels: Labels | None = None,
) -> Figure:
    """Return a funnel: a point for each category at its size and its rate, between limits that narrow with size.

    Of changes it shows whether a change is more than chance: the rate is a change, the centre that of all.

    Parameters
    ----------
    table
        One row for each category. A hidden row is no point; it stands in the data table with its symbol.
    limits
        Limits to draw, worked out from cleared figures: columns ``LIMIT_COLUMNS``, rates (0 to 1) by size, at enough sizes
        for a curve, from the smallest to the largest of the points. Where the size of a point is among them, it is judged
        by these very limits, else by those in between.
    category
        Column of the points, such as schools.
    centre
        Name and rate (0 to 1) of the centre line. Its figure is written: give that of a cleared or derived row.
    size, size_label
        Column of the size, and what it is.
    label
        Column that is not empty for points to be named on the chart, at most eight (four on a phone): those
        farthest outside.

    Raises
    ------
    DisclosureError
        ``table`` has not been protected.
    UnknownColumnError
        A column is missing.
    ReportError
        No rows, two rows for one category, limits that do not reach to every point, or measures of different units.
    """
    require_protected(table)
    require_columns(table, category, size, *([label] if label else []))
    how = single_format(table)
    curves = _Curves.of(limits, how, id)
    middle = centre[1] * how.scale
    points = _points(table, category, size, label, curves, middle, how, labels, id)
    drawn = [point for point in points if point.is_drawn]
    named = _named(drawn)[:MOST_NAMES]
    sizes = measure_format("enrolments")
    right = max([*(point.size for point in drawn)] or [float(curves.n[-1])])
    low, high, grid = _rate_axis(drawn, curves, middle, how)
    start, stop, steps = axis_limits([0.0, right], zero_share=1)
    ends = _ends(curves, centre[0], middle, min(stop, float(curves.n[-1])), how)

    def paint(width: float) -> tuple[Paint, float]:
        wide = width == WIDE
        left = 10 + max(text_width(tick_text(t, grid, how), TEXT) for t in grid)
        most = 140.0 if wide else 92.0
        across = width - left - max(end_room((text for _, text in ends), most), 24.0)
        height = 400.0 if wide else 360.0

        def brush(canvas: Canvas) -> None:
            top = 12 + synthetic_mark(canvas, table)
            box = (left, top, across, height - top - 34 - LINE)
            axes = canvas.axes(*box, ticks=False)
            axes.set_xlim(start, stop)
            axes.set_ylim(low, high)
            value_grid(canvas, axes, box, grid, how)
            _size_axis(canvas, axes, box, steps, sizes, size_label)
            _draw_curves(axes, curves, middle)
            _draw_points(axes, drawn, how, tips=wide)
            _write_names(canvas, axes, box, named if wide else named[:MOST_NAMES_NARROW], drawn, wide=wide)
            end_texts(canvas, axes, box, ends, most)

        return brush, height

    hidden = hidden_notes(table.rows)
    said = ["Dashed: 95% limits; dotted: 99.8% limits. Chance alone keeps nearly all points within them."]
    said += [*_shape_note(drawn), *_name_note(drawn), *zero_note(low), *hidden]
    counts = _count_words(drawn)
    alt = [
        phrase(f"Funnel chart of {len(drawn)} points.", "values"), f"{size_label} from left to right.",
        f"Centre line: {centre[0]}, {written(middle, how)}.", *counts, *_name_words(named, how), *hidden,
    ]  # fmt: skip
    data = _data(
        points, how, category, size, size_label, id=f"{id}-data", title=title, subtitle=subtitle,
        source=source_of(table, source),
    )  # fmt: skip
    return finish(
        table, id=id, title=title, subtitle=subtitle, alt=" ".join(alt), paint=paint, data=data, source=source,
        notes=[*said, *notes],
    )  # fmt: skip


# --- points and limits --------------------------------------------------------------------------------------


def _points(
    table: ProtectedTable,
    category: str,
    size: str,
    label: str | None,
    curves: _Curves,
    middle: float,
    how: Format,
    labels: Labels | None,
    id: str,
) -> list[_Point]:
    """Return the points by name: no order of exact figures is left."""
    found = []
    for (level,), record in cells_by(table, [category], id).items():
        value = value_of(record, how)
        number = float(record[size]) if value.is_shown and not is_missing(record[size]) else math.nan
        outside, excess = _WITHIN, 0.0
        if number > 0:
            outside, excess = _place(value.value, curves.at(number, id), middle)
        text = "" if label is None or is_missing(record[label]) else str(record[label]).strip()
        found.append(_Point(level_label(category, level, labels), text, value, number, outside, excess))
    if not found:
        raise ReportError(f"Figure '{id}' has no rows to draw.")
    return sorted(found, key=lambda point: point.name)


def _place(rate: float, at: tuple[float, float, float, float], middle: float) -> tuple[int, float]:
    """Return whether a rate is outside the limits, and how far it is from the centre in widths of the inner ones.

    >>> _place(9.0, (4.0, 6.0, 2.0, 8.0), 5.0), _place(4.5, (4.0, 6.0, 2.0, 8.0), 5.0)
    ((2, 4.0), (0, 0.5))
    """
    lower, upper, low, high = at
    room = upper - middle if rate > middle else middle - lower
    excess = abs(rate - middle) / room if room > 0 else math.inf
    if rate < low or rate > high:
        return _FAR_OUTSIDE, excess
    return (_OUTSIDE if rate < lower or rate > upper else _WITHIN), excess


def _named(drawn: Sequence[_Point]) -> list[_Point]:
    """Return the points to name, those farthest outside first."""
    return sorted((point for point in drawn if point.label), key=lambda point: (-point.excess, point.name))


def _rate_axis(
    drawn: Sequence[_Point], curves: _Curves, middle: float, how: Format
) -> tuple[float, float, list[float]]:
    """Return the axis of rates: it holds every point, and the inner limits where most points are.

    At small sizes limits are so wide that an axis for them would leave the points no room.
    """
    sizes = sorted(point.size for point in drawn)
    typical = sizes[len(sizes) // 2] if sizes else float(curves.n[len(curves.n) // 2])
    places = -1 / np.sqrt(curves.n)
    wide = [float(np.interp(-1 / math.sqrt(typical), places, v)) for v in curves.outer]
    if not how.signed:
        wide = [max(0.0, end) for end in wide]
    return axis_limits([*(point.value.value for point in drawn), middle, *wide])


def _ends(curves: _Curves, name: str, middle: float, right: float, how: Format) -> list[tuple[float, str]]:
    """Return the texts at the ends of the lines. The lower limits have the dashes of the upper ones."""
    places = -1 / np.sqrt(curves.n)
    outer, inner = (float(np.interp(-1 / math.sqrt(right), places, v[1])) for v in (curves.outer, curves.inner))
    return [(outer, "99.8% limits"), (inner, "95% limits"), (middle, f"{name} {written(middle, how)}")]


# --- drawing ------------------------------------------------------------------------------------------------


def _size_axis(canvas: Canvas, axes: Axes, box: Box, steps: Sequence[float], sizes: Format, size_label: str) -> None:
    low, high = axes.get_ylim()
    strokes(axes, [(step, low, step, low - 5 * (high - low) / box[3]) for step in steps], "axis")
    texts = [tick_text(step, steps, sizes) for step in steps]
    widest = max(text_width(text, TEXT) for text in texts)
    every = max(1, math.ceil((widest + 8) / (box[2] / max(len(steps) - 1, 1))))
    for step, text in list(zip(steps, texts, strict=True))[::every]:
        canvas.text(x_place(axes, box, step), box[1] + box[3] + 20, text, size=TEXT, ha="center")
    canvas.text(box[0] + box[2] / 2, box[1] + box[3] + 22 + LINE, size_label, size=TEXT, ha="center")


def _draw_curves(axes: Axes, curves: _Curves, middle: float) -> None:
    reference_line(axes, middle, CENTRE)
    for pair, dashes in ((curves.inner, DASHED), (curves.outer, DOTTED)):
        for values in pair:
            axes.plot(curves.n, values, color=colour("ink"), linewidth=1.25, linestyle=dashes, zorder=1)


def _draw_points(axes: Axes, drawn: Sequence[_Point], how: Format, *, tips: bool) -> None:
    # Those outside come last, so that no other point covers them.
    for point in sorted(drawn, key=lambda one: one.outside):
        marker, size, role = _MARKS[point.outside]
        axes.plot(
            [point.size], [point.value.value], linestyle="none", marker=marker, markersize=size, color=colour(role),
            markeredgecolor=colour("page"), markeredgewidth=0.75, clip_on=False, zorder=2 + point.outside / 10,
            gid=f"{TIP}{point.name}: {written(point.value.value, how)}" if tips else None,
        )  # fmt: skip


def _write_names(
    canvas: Canvas, axes: Axes, box: Box, named: Sequence[_Point], drawn: Sequence[_Point], *, wide: bool
) -> None:
    """Write the names beside their points, where they cover neither each other nor, as far as possible, points."""
    if not named:
        return
    # A point outside the limits is worse to cover than one within.
    marks = [_pixels(axes, box, point) for point in drawn for _ in range(1 if point.outside == _WITHIN else 3)]
    layer = canvas.axes(*box, ticks=False)
    layer.set_xlim(0, box[2])
    layer.set_ylim(box[3], 0)
    taken: list[Box] = []
    for point in named:
        x, y = _pixels(axes, box, point)
        lines = wrap_text(point.label, SMALL, 180 if wide else 100)
        room = (max(text_width(line, SMALL) for line in lines), LINE * len(lines) - 2.0)
        place = free_place((x, y), room, taken, marks, (box[2], box[3]))
        if place is None:
            continue
        taken.append(place)
        left, top, width, height = place
        for index, line in enumerate(lines):
            at = box[1] + top + (index + 0.5) * (height / len(lines))
            canvas.text(box[0] + left, at, line, size=SMALL, va="center_baseline", gid="class:h")
        near = (min(max(x, left), left + width), min(max(y, top), top + height))
        if math.hypot(near[0] - x, near[1] - y) > 14:
            strokes(layer, [(x, y, *near)], "axis", zorder=1)


def _pixels(axes: Axes, box: Box, point: _Point) -> tuple[float, float]:
    low, high = axes.get_ylim()
    return x_place(axes, box, point.size) - box[0], box[3] * (high - point.value.value) / (high - low)


# --- words and figures --------------------------------------------------------------------------------------


def _shape_note(drawn: Sequence[_Point]) -> list[str]:
    words = {_OUTSIDE: "triangles lie outside the 95% limits", _FAR_OUTSIDE: "diamonds outside the 99.8% limits"}
    found = [words[kind] for kind in (_OUTSIDE, _FAR_OUTSIDE) if any(point.outside == kind for point in drawn)]
    if not found:
        return []
    text = ", ".join(found)
    return [f"Points outside: {text}." if len(found) > 1 else f"{text[:1].upper()}{text[1:]}."]


def _name_note(drawn: Sequence[_Point]) -> list[str]:
    if sum(bool(point.label) for point in drawn) <= MOST_NAMES_NARROW:
        return []
    most = f"At most {MOST_NAMES} points are named, on a narrow screen {MOST_NAMES_NARROW}"
    return [phrase(f"{most}: those farthest from the centre for their size.", "values")]


def _count_words(drawn: Sequence[_Point]) -> list[str]:
    outside = sum(point.outside > _WITHIN for point in drawn)
    far = sum(point.outside == _FAR_OUTSIDE for point in drawn)
    if not outside:
        return ["No point lies outside the 95% limits."]
    verb = "point lies" if outside == 1 else "points lie"
    return [
        phrase(f"{outside} {verb} outside the 95% limits.", "values"),
        phrase(f"{far} of these {'lies' if far == 1 else 'lie'} outside the 99.8% limits.", "values"),
    ]


def _name_words(named: Sequence[_Point], how: Format) -> list[str]:
    said = [f"{point.name} {written(point.value.value, how)}, {_POSITION[point.outside]}" for point in named]
    return [f"Named: {'; '.join(said)}."] if said else []


_POSITION = {
    _WITHIN: "within the 95% limits",
    _OUTSIDE: "outside the 95% limits",
    _FAR_OUTSIDE: "outside the 99.8% limits",
}


def _data(
    points: Sequence[_Point], how: Format, category: str, size: str, size_label: str, *, id: str, title: str,
    subtitle: str, source: str,
) -> Table:  # fmt: skip
    heads = (
        Column(LABELS.get(category, category.replace("_", " ").capitalize()), align="left"), Column(size_label),
        Column(how.label, unit=how.unit), Column("Position", align="left"),
    )  # fmt: skip
    rows = []
    for point in points:
        record: Mapping[str, Any] = point.value.record
        position = Cell(_POSITION[point.outside]) if point.is_drawn else Cell(symbol="z")
        rows.append(
            Row(point.name, (count_cell(record, size), rate_cell(record), position), emphasis=bool(point.label))
        )
    return Table(id, title, subtitle, heads, tuple(rows), source)


__all__ = ["LIMIT_COLUMNS", "MOST_NAMES", "funnel_chart"]
