"""Lines over the years, or over the levels of an ordered category."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.presentation._lines import (
    Lines,
    band_is_visible,
    draw_gaps,
    draw_lines,
    end_labels,
    gap_note,
    gather_lines,
    interval_note,
    label_room,
    line_alt,
    lines_table,
    tick_marks,
    value_grid,
    zero_note,
)
from attendance_toolkit.presentation.blocks import Figure
from attendance_toolkit.presentation.charting import (
    LINE,
    TEXT,
    Box,
    Labels,
    finish,
    limits,
    synthetic_mark,
    tick_text,
    x_place,
)
from attendance_toolkit.presentation.formats import (
    hidden_notes,
    single_format,
    source_of,
)
from attendance_toolkit.presentation.style import (
    WIDE,
    Canvas,
    Paint,
    text_width,
    wrap_text,
)
from attendance_toolkit.vocabulary import ledger
from attendance_toolkit.vocabulary.columns import LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    lines = gather_lines(table, x, series, gap_years, labels, id)
    kind = f"Line chart by {LABELS.get(x, x).lower()}, {lines.texts[0]} to {lines.texts[-1]}."
    words = _Words(id, title, subtitle, kind, x, source, tuple(notes))
    return _line_chart(table, lines, words, lambda spacing: _Axis.sparse(lines.texts, spacing))


def line_by_level(
    table: ProtectedTable,
    *,
    id: str,
    title: str,
    subtitle: str,
    x: str,
    series: str,
    source: str = "",
    notes: Iterable[str] = (),
    labels: Labels | None = None,
) -> Figure:
    """Return a line over the ordered levels of a category, such as year groups, for each of at most four series.

    The lines join groups of pupils in order; they are no course over time.

    Parameters
    ----------
    x
        Column of the levels: in the order of its categorical, else as they first occur.

    Raises as ``line_by_year`` does.
    """
    lines = gather_lines(table, x, series, (), labels, id)
    name = LABELS.get(x, x.replace("_", " ").capitalize())
    kind = f"Line chart by {name.lower()}, from {lines.texts[0]} to {lines.texts[-1]}."
    words = _Words(id, title, subtitle, kind, x, source, tuple(notes))
    return _line_chart(table, lines, words, lambda spacing: _Axis.of_levels(lines.texts, spacing, name))


@dataclass(frozen=True)
class _Words:
    """What a line chart says of itself."""

    id: str
    title: str
    subtitle: str
    kind: str
    x: str
    source: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Axis:
    """Texts below the positions: the lines of each (none where it would not fit), and what they all are."""

    blocks: tuple[tuple[str, ...], ...]
    caption: str = ""

    @property
    def height(self) -> float:
        """Room below the plot."""
        return 15.0 + LINE * max(map(len, self.blocks)) + (LINE + 3 if self.caption else 0)

    @staticmethod
    def sparse(texts: Sequence[str], spacing: float) -> _Axis:
        """Return as many of the texts as fit on one line, always the last."""
        widest = max(text_width(t, TEXT) for t in texts)
        step = max(1, math.ceil((widest + 10) / spacing)) if len(texts) > 1 else 1
        last = len(texts) - 1
        return _Axis(tuple((text,) if (last - place) % step == 0 else () for place, text in enumerate(texts)))

    @staticmethod
    def of_levels(texts: Sequence[str], spacing: float, name: str) -> _Axis:
        """Return every text, broken into lines; the first word all have in common stands below, once.

        >>> _Axis.of_levels(["Year 7", "Year 8"], 40, "Year group")
        _Axis(blocks=(('7',), ('8',)), caption='Year group')
        """
        first = {text.split(" ")[0] for text in texts}
        caption = ""
        if len(texts) > 1 and len(first) == 1 and all(" " in text for text in texts):
            word = first.pop()
            texts = [text.split(" ", 1)[1] for text in texts]
            caption = name if name.startswith(word) else word
        blocks = [tuple(wrap_text(text, TEXT, spacing - 8)) for text in texts]
        if max(text_width(line, TEXT) for block in blocks for line in block) > spacing - 4:
            return _Axis(_Axis.sparse(texts, spacing).blocks, caption)
        return _Axis(tuple(blocks), caption)

    def write(self, canvas: Canvas, axes: Axes, box: Box) -> None:
        """Write the texts, and a mark under every position."""
        tick_marks(axes, box, len(self.blocks))
        y = box[1] + box[3] + 20
        for place, block in enumerate(self.blocks):
            for index, line in enumerate(block):
                # A number that stands for "Year 7" is a text of the axis, not a figure.
                text = ledger.note(line, float(line), ledger.AXIS) if line.isdigit() else line
                canvas.text(x_place(axes, box, place), y + index * LINE, text, size=TEXT, ha="center")
        if self.caption:
            below = y + LINE * max(map(len, self.blocks)) + 3
            canvas.text(box[0] + box[2] / 2, below, self.caption, size=TEXT, ha="center")


def _line_chart(table: ProtectedTable, lines: Lines, words: _Words, axis_of: Callable[[float], _Axis]) -> Figure:
    how = single_format(table)
    low, high, ticks = limits(lines.extremes())
    count = len(lines.positions)
    edge = 0.5 if lines.gaps else 0.12
    start, end = -edge if 0 in lines.gaps else -0.12, count - 1 + (edge if count - 1 in lines.gaps else 0.06)

    def paint(width: float) -> tuple[Paint, float]:
        wide = width == WIDE
        left = 10 + max(text_width(tick_text(t, ticks, how), TEXT) for t in ticks)
        room = label_room(lines, how, 150 if wide else 84)
        most = max(room, 40)
        tallest = max(len(wrap_text(f"{n} 00.0%", TEXT, most, bold=True)) for n in lines.names)
        across = width - left - room - 18
        axis = axis_of(across / (end - start))
        height = max(300 if wide else 270, len(lines.series) * (tallest * LINE + 2) + 60) + axis.height - 32

        def brush(canvas: Canvas) -> None:
            top = 12 + synthetic_mark(canvas, table)
            box = (left, top, across, height - top - axis.height)
            axes = canvas.axes(*box, ticks=False)
            axes.set_xlim(start, end)
            axes.set_ylim(low, high)
            draw_gaps(axes, lines)
            value_grid(canvas, axes, box, ticks, how)
            axis.write(canvas, axes, box)
            draw_lines(axes, lines, how, tips=wide, bands=band_is_visible(lines, low, high, box[3]))
            end_labels(canvas, lines, how, box=box, low=low, high=high, width=most)

        return brush, height

    hidden = hidden_notes(table.rows)
    said = [*interval_note([lines], low, high), *gap_note(lines), *zero_note(low), *hidden]
    alt = " ".join([words.kind, *line_alt(lines, how), *gap_note(lines), *hidden])
    data = lines_table(
        [("", lines)], how, id=f"{words.id}-data", title=words.title, subtitle=words.subtitle, x=words.x,
        source=source_of(table, words.source),
    )  # fmt: skip
    return finish(
        table, id=words.id, title=words.title, subtitle=words.subtitle, alt=alt, paint=paint, data=data,
        source=words.source, notes=[*said, *words.notes],
    )  # fmt: skip
