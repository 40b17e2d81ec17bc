"""Segments told apart by more than their colour: grounds, hatchings, and a key of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attendance_toolkit.presentation.charting import TEXT, Box, strokes
from attendance_toolkit.presentation.style import Canvas, colour, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Hatchings of levels, and that of what is hidden.
HATCHES = ("rows", "up", "down", "columns")
CROSSED = "crossed"
KEY_ROW = 24.0


@dataclass(frozen=True)
class Look:
    """Ground of a segment and the hatching on it."""

    ground: str
    hatch: str = ""


def draw_patch(axes: Axes, box: Box, look: Look, tip: str | None = None) -> None:
    x, top, width, height = box
    axes.barh(
        [top + height / 2], [width], left=[x], height=height, facecolor=colour(look.ground), edgecolor=colour("axis"),
        linewidth=1, clip_on=False, zorder=1.5,
    )  # fmt: skip
    if tip:
        axes.patches[-1].set_gid(tip)
    if look.hatch:
        strokes(axes, _hatching((x, top, x + width, top + height), look.hatch), "others", zorder=2)


def _hatching(edges: tuple[float, float, float, float], hatch: str) -> Iterator[tuple[float, float, float, float]]:
    """Return the lines of a hatching within left, top, right and bottom.

    matplotlib's own hatchings are patterns, which no drawing of ours may have: a pattern can hold anything.
    """
    left, top, right, bottom = edges
    if hatch == "rows":
        yield from ((left, y, right, y) for y in _steps(top, bottom, 5))
    if hatch == "columns":
        yield from ((x, top, x, bottom) for x in _steps(left, right, 5))
    if hatch in ("up", CROSSED):
        for c in _steps(left + top, right + bottom, 11 if hatch == CROSSED else 8):
            yield max(left, c - bottom), min(bottom, c - left), min(right, c - top), max(top, c - right)
    if hatch in ("down", CROSSED):
        for c in _steps(left - bottom, right - top, 11 if hatch == CROSSED else 8):
            yield max(left, c + top), max(top, left - c), min(right, c + bottom), min(bottom, right - c)


def _steps(low: float, high: float, step: float) -> Iterator[float]:
    """Return the multiples of a step between two numbers.

    >>> list(_steps(3, 15, 5))
    [5, 10]
    """
    first, last = math.floor(low / step) + 1, math.ceil(high / step)
    yield from (step * number for number in range(first, last))


def key_rows(names: Sequence[str], width: float) -> list[list[tuple[int, float]]]:
    """Break the key into rows: number of the entry and its left edge."""
    rows: list[list[tuple[int, float]]] = [[]]
    at = 0.0
    for number, name in enumerate(names):
        room = 30 + text_width(name, TEXT) + 16
        if rows[-1] and at + room - 16 > width:
            rows.append([])
            at = 0.0
        rows[-1].append((number, at))
        at += room
    return rows


def draw_key(
    canvas: Canvas, key: Sequence[tuple[str, Look]], rows: Sequence[Sequence[tuple[int, float]]], top: float
) -> None:
    axes = canvas.axes(0, top, canvas.width, KEY_ROW * len(rows), ticks=False)
    axes.set_xlim(0, canvas.width)
    axes.set_ylim(KEY_ROW * len(rows), 0)
    for index, row in enumerate(rows):
        for number, left in row:
            name, look = key[number]
            draw_patch(axes, (left + 1, KEY_ROW * index + 4, 22, 16), look)
            canvas.text(left + 30, top + KEY_ROW * index + 12, name, va="center_baseline")
