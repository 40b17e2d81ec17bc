"""Small line charts written as SVG by hand: a run makes hundreds, and each is a few lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from attendance_toolkit.presentation.markup import attribute
from attendance_toolkit.presentation.style import spread
from attendance_toolkit.vocabulary.rounding import number_text

_WIDTH, _HEIGHT = 660, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 190, 14, 34
#: Colour of the line, of its label, and dashes, series by series; the school itself is first.
_LOOKS = (("s1", "t1", ""), ("others", "muted", "7 4"), ("s3", "t3", "2 4"))
_MOST_TICKS = 9


@dataclass(frozen=True)
class Line:
    """A series: its name and its values in percent, one for each place along the chart; None leaves a gap."""

    name: str
    values: tuple[float | None, ...]


def line_chart(lines: Sequence[Line], places: Sequence[str], title: str, description: str) -> str:
    """Return a chart of up to three lines, in percent, with the names of the lines at their ends.

    Parameters
    ----------
    lines
        Each with as many values as there are places.
    places
        What stands along the bottom.
    title, description
        What the chart is, and what it shows, in words: its text equivalent.

    Returns
    -------
    An ``<svg>`` element; "" where no line has two values.

    >>> line_chart([Line("School", (93.0, 94.0))], ["2022/23", "2023/24"], "Attendance", "From 93.0% to 94.0%.")[:4]
    '<svg'
    """
    drawn = [line for line in lines if sum(value is not None for value in line.values) > 1]
    if not drawn:
        return ""
    known = [value for line in drawn for value in line.values if value is not None]
    low, high = min(known), max(known)
    edge = max((high - low) * 0.12, 0.5)
    low, high = low - edge, min(high + edge, 100.0)
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def across(index: int) -> float:
        return _LEFT + width * index / max(len(places) - 1, 1)

    def down(value: float) -> float:
        return _TOP + height * (high - value) / (high - low)

    parts = _axes(low, high, down) + _places(places, across)
    ends = [(line, next(v for v in reversed(line.values) if v is not None)) for line in drawn]
    labels = spread([down(value) for _, value in ends], 17, _TOP + 6, _HEIGHT - _BOTTOM)
    for (line, last), at, (stroke, ink, dashes) in zip(ends, labels, _LOOKS, strict=False):
        parts.append(_path(line, across, down, stroke, dashes))
        text = f"{escape(line.name, quote=False)} {number_text(last, 1)}%"
        parts.append(f'<text x="{_WIDTH - _RIGHT + 10}" y="{at + 4:.1f}" style="fill:var(--{ink})">{text}</text>')
    label = attribute(f"{title}. {description}")
    words = f"<title>{escape(title, quote=False)}</title><desc>{escape(description, quote=False)}</desc>"
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    return f'<svg {box} role="img" aria-label="{label}" font-size="13">{words}{"".join(parts)}</svg>'


def _axes(low: float, high: float, down: Callable[[float], float]) -> list[str]:
    step = next(size for size in (0.5, 1, 2, 5, 10, 20, 50) if (high - low) / size <= 6)
    first = -(-low // step) * step
    found, value = [], first
    while value <= high + 1e-9:
        at = down(value)
        text = number_text(value, 1 if step < 1 else 0)
        found.append(
            f'<path d="M{_LEFT} {at:.1f}H{_WIDTH - _RIGHT}" style="stroke:var(--grid);stroke-width:1;fill:none"/>'
            f'<text x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end" style="fill:var(--ink)">{text}%</text>'
        )
        value += step
    return found


def _places(places: Sequence[str], across: Callable[[int], float]) -> list[str]:
    every = -(-len(places) // _MOST_TICKS)
    return [
        f'<text x="{across(index):.1f}" y="{_HEIGHT - 10}" text-anchor="middle" style="fill:var(--ink)">'
        f"{escape(text, quote=False)}</text>"
        for index, text in enumerate(places)
        if index % every == 0
    ]


def _path(line: Line, across: Callable[[int], float], down: Callable[[float], float], stroke: str, dashes: str) -> str:
    path, is_down = "", False
    dots = []
    for index, value in enumerate(line.values):
        if value is None:
            is_down = False
            continue
        x, y = across(index), down(value)
        path += f"{'L' if is_down else 'M'}{x:.1f} {y:.1f}"
        is_down = True
        if len(line.values) <= _MOST_TICKS:
            dots.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" style="fill:var(--{stroke})"/>')
    dash = f";stroke-dasharray:{dashes}" if dashes else ""
    return f'<path d="{path}" style="stroke:var(--{stroke});stroke-width:2.5;fill:none{dash}"/>{"".join(dots)}'
