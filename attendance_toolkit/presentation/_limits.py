"""Lines of limits named at their ends: what control charts and funnels share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from attendance_toolkit.presentation.charting import LINE, TEXT, Box
from attendance_toolkit.presentation.style import Canvas, colour, spread, text_width, wrap_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Dashes of a centre line, of limits, and of the outer limits of a funnel.
CENTRE, DASHED, DOTTED = (0, (9, 3)), (0, (4, 3)), (0, (1.5, 2.5))


def reference_line(axes: Axes, value: float, dashes: Any) -> None:
    """Draw a horizontal line over the whole width of the axes."""
    axes.axhline(value, color=colour("ink"), linewidth=1.25, linestyle=dashes, zorder=1, clip_on=False)


def end_texts(canvas: Canvas, axes: Axes, box: Box, ends: Sequence[tuple[float, str]], most: float) -> None:
    """Write texts to the right of the plot, each beside its value, apart from the others."""
    low, high = axes.get_ylim()
    blocks = [wrap_text(text, TEXT, most) for _, text in ends]
    tallest = max(len(block) for block in blocks)
    wanted = [box[1] + box[3] * (high - value) / (high - low) for value, _ in ends]
    half = (tallest - 1) * LINE / 2
    places = spread(wanted, tallest * LINE + 1, box[1] + half, box[1] + box[3] - half)
    for place, block in zip(places, blocks, strict=True):
        for index, line in enumerate(block):
            y = place + (index - (len(block) - 1) / 2) * LINE
            canvas.text(box[0] + box[2] + 8, y, line, va="center_baseline")


def end_room(texts: Iterable[str], most: float) -> float:
    """Return the width such texts take, their distance from the plot included."""
    return 10 + max(text_width(line, TEXT) for text in texts for line in wrap_text(text, TEXT, most))
