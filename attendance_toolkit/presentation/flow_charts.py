"""Bars of 100%: where the pupils of each group are found a period later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from attendance_toolkit.disclosure.shades import SHADES, spread_shades
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import ReportError
from attendance_toolkit.presentation._rows import value_axis
from attendance_toolkit.presentation._segments import CROSSED, HATCHES, KEY_ROW, Look, draw_key, draw_patch, key_rows
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
    synthetic_mark,
    value_of,
    written,
)
from attendance_toolkit.presentation.formats import (
    Format,
    count_cell,
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
from attendance_toolkit.presentation.style import WIDE, Canvas, Paint, colour, text_width, wrap_text
from attendance_toolkit.vocabulary.columns import LABELS
from attendance_toolkit.vocabulary.hierarchies import ABSENCE_BANDS
from attendance_toolkit.vocabulary.rounding import show_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Levels that are no step of a scale: drawn grey, each with a hatching of its own.
OUTSIDE = ("Too few sessions", "To another district", "Left", "Finished Year 11")
#: Order of the levels a caller has put in no order of his own.
_ORDER = (
    *(label for label, _ in ABSENCE_BANDS), "Too few sessions", "Reached age 5", "From another district", "Joined",
    *OUTSIDE[1:],
)  # fmt: skip
_MOST_PANELS = 4
_BAR, _ROW, _SPACE, _AXIS = 26.0, 38.0, 8.0, 28.0
_TICKS = (0.0, 25.0, 50.0, 75.0, 100.0)
#: The smallest share, in percent, whose figure is written into its segment.
_LEAST = 8.0
#: Up to so many bars the text equivalent says two shares of each.
_FEW_BARS = 8


@dataclass(frozen=True)
class _Bar:
    """A group: the level it has, how many pupils it has, where they are found."""

    label: str
    size: str
    records: tuple[Mapping[str, Any] | None, ...]
    values: tuple[Value, ...]

    @property
    def shown(self) -> list[tuple[int, float]]:
        """Number of the level and share of every segment that can be drawn."""
        return [(number, value.value) for number, value in enumerate(self.values) if value.is_shown]

    @property
    def symbols(self) -> list[str]:
        """Symbols of the shares without a figure; that of an empty group is not among them."""
        found = (str(v.record.get("symbol") or "x") for v in self.values if v.record and not v.is_shown)
        return [symbol for symbol in found if symbol != "z"]

    @property
    def gap(self) -> float:
        """What is left to 100% where shares are hidden. It is that of all hidden ones together."""
        return max(0.0, 100.0 - sum(share for _, share in self.shown)) if self.symbols else 0.0


@dataclass(frozen=True)
class _Panel:
    name: str
    bars: tuple[_Bar, ...]


@dataclass(frozen=True)
class _After:
    """The levels of the segments in drawing order, and how each looks."""

    levels: tuple[Any, ...]
    labels: tuple[str, ...]
    looks: tuple[Look, ...]


def flow_bars(
    table: ProtectedTable,
    *,
    id: str,
    title: str,
    subtitle: str,
    before: str = "band_before",
    after: str = "band_after",
    step: str | None = None,
    outside: Iterable[Any] = OUTSIDE,
    counted: str = "pupils",
    source: str = "",
    notes: Iterable[str] = (),
    labels: Labels | None = None,
) -> Figure:
    """Return a bar of 100% for each level of ``before``, divided by the levels of ``after``.

    Shares that are hidden are drawn as one hatched rest: how much of it is whose cannot be seen.

    Parameters
    ----------
    table
        One row for each pair of levels: ``rate`` is the share of the group ``before`` that is found in ``after``,
        ``denominator`` the size of the group. No totals among the levels, or they would be counted twice.
    before, after
        Columns of the groups and of the segments. Levels stand in the order of their categorical; without one,
        absence bands from low to high, then those the vocabulary of flows has, then others as they occur.
    step
        Column of panels below each other, at most four, such as from which term to which.
    outside
        Levels of ``after`` that are no step of the scale, at most four: grey and hatched. The others, at most five, are
        shaded from low to high.
    counted
        What the size of a group counts, in words.

    Raises
    ------
    DisclosureError
        ``table`` has not been protected.
    ReportError
        No rows, two rows for one segment, a measure that is no percentage, too many panels or levels.
    """
    require_protected(table)
    require_columns(table, before, after, *([step] if step else []))
    how = single_format(table)
    if how.unit != "%":
        raise ReportError(f"Figure '{id}' shows parts of 100%, but '{how.label}' is no percentage.")
    ends = _after(table, after, tuple(outside), labels, id)
    panels = _panels(table, before, after, step, ends, how, labels, id)
    bars = [bar for panel in panels for bar in panel.bars]
    key = _key(ends, bars)

    def paint(width: float) -> tuple[Paint, float]:
        blocks = [_label_lines(bar, counted, width) for bar in bars]
        left = 10 + max(text_width(line, TEXT) for block in blocks for line in block)
        rows = key_rows([label for label, _ in key], width)
        top = (LINE + 4.0 if table.is_synthetic else 0.0) + KEY_ROW * len(rows) + 4
        boxes = _boxes(panels, blocks, width, left, top)
        height = boxes[-1][1] + boxes[-1][3] + _AXIS

        def brush(canvas: Canvas) -> None:
            room = synthetic_mark(canvas, table)
            draw_key(canvas, key, rows, room)
            first = 0
            for number, (panel, box) in enumerate(zip(panels, boxes, strict=True)):
                if panel.name:
                    _heading(canvas, panel.name, box, width)
                is_last = number == len(panels) - 1
                value_axis(canvas, box, 0.0, 100.0, _TICKS, how, is_labelled=is_last)
                part = blocks[first : first + len(panel.bars)]
                _draw_bars(canvas, panel.bars, part, box, ends, how, tips=width == WIDE)
                first += len(panel.bars)

        return brush, height

    hidden = hidden_notes(table.rows)
    said = [*_rest_note(bars), *_rounding_note(bars), *hidden]
    kind = f"Bar chart of {len(bars)} rows, each 100%, divided by {_name(after).lower()}."
    alt = " ".join([kind, *_alt(panels, ends, how, counted), *hidden])
    data = _data(
        panels, ends, how, before, counted, id=f"{id}-data", title=title, subtitle=subtitle,
        source=source_of(table, source),
    )  # fmt: skip
    return finish(
        table, id=id, title=title, subtitle=subtitle, alt=alt, paint=paint, data=data, source=source,
        notes=[*said, *notes],
    )  # fmt: skip


def _name(column: str) -> str:
    return LABELS.get(column, column.replace("_", " ").capitalize())


# --- what is drawn ------------------------------------------------------------------------------------------


def _ordered(column: pd.Series) -> list[Any]:
    """Return the levels of a column in drawing order.

    >>> _ordered(pd.Series(["Left", "50% or more", "Moved", "0% to under 5%"]))
    ['0% to under 5%', '50% or more', 'Left', 'Moved']
    """
    found = levels(column)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return found
    places = {level: place for place, level in enumerate(_ORDER)}
    return sorted(found, key=lambda level: places.get(level, len(_ORDER)))


def _after(table: ProtectedTable, after: str, outside: Sequence[Any], labels: Labels | None, id: str) -> _After:
    found = _ordered(table.rows[after])
    inside = [level for level in found if level not in outside]
    grey = [level for level in found if level in outside]
    for part, most, what in ((inside, len(SHADES), "shaded"), (grey, len(HATCHES), "hatched")):
        if len(part) > most:
            raise ReportError(
                f"Figure '{id}' has {len(part)} {what} levels of '{after}'; more than {most} cannot be told apart."
                " Add levels up before."
            )
    shades = (SHADES[place] for place in spread_shades(len(inside))) if inside else iter(())
    looks = {level: Look(shade) for level, shade in zip(inside, shades, strict=True)}
    # A hatching belongs to its level, so that two figures of one page have the same.
    places = {level: place for place, level in enumerate(outside)}
    free = [hatch for place, hatch in enumerate(HATCHES) if place not in {places[level] for level in grey}]
    for level in grey:
        looks[level] = Look("panel", HATCHES[places[level]] if places[level] < len(HATCHES) else free.pop())
    names = tuple(level_label(after, level, labels) for level in (*inside, *grey))
    return _After((*inside, *grey), names, tuple(looks[level] for level in (*inside, *grey)))


def _panels(
    table: ProtectedTable,
    before: str,
    after: str,
    step: str | None,
    ends: _After,
    how: Format,
    labels: Labels | None,
    id: str,
) -> list[_Panel]:
    steps: list[Any] = levels(table.rows[step]) if step else [None]
    if len(steps) > _MOST_PANELS:
        raise ReportError(
            f"Figure '{id}' has {len(steps)} panels; more than {_MOST_PANELS} are too long to compare. Choose fewer."
        )
    found = []
    for level in steps:
        part = table.select(**{step: level}) if step else table
        cells = cells_by(part, [before, after], id)
        bars = tuple(
            _bar(level_label(before, group, labels), [cells.get((group, end)) for end in ends.levels], how)
            for group in _ordered(part.rows[before])
        )
        found.append(_Panel(level_label(step, level, labels) if step else "", bars))
    if not any(panel.bars for panel in found):
        raise ReportError(f"Figure '{id}' has no rows to draw.")
    return found


def _bar(label: str, records: Sequence[Mapping[str, Any] | None], how: Format) -> _Bar:
    values = tuple(value_of(record, how) for record in records)
    sizes = [v.record["denominator"] for v in values if v.is_shown and not is_missing(v.record["denominator"])]
    return _Bar(label, show_number(float(sizes[0])) if sizes else "", tuple(records), values)


def _key(ends: _After, bars: Sequence[_Bar]) -> list[tuple[str, Look]]:
    entries = list(zip(ends.labels, ends.looks, strict=True))
    symbols = {symbol for bar in bars if bar.gap for symbol in bar.symbols}
    if symbols:
        entries.append(("Hidden" if symbols == {"c"} else "Not shown", Look("page", CROSSED)))
    return entries


# --- drawing ------------------------------------------------------------------------------------------------


def _label_lines(bar: _Bar, counted: str, width: float) -> list[str]:
    lines = wrap_text(bar.label, TEXT, 200 if width == WIDE else 106)
    return [*lines, *([f"{bar.size} {counted}"] if bar.size else [])]


def _boxes(
    panels: Sequence[_Panel], blocks: Sequence[Sequence[str]], width: float, left: float, top: float
) -> list[Box]:
    """Return where the bars of each panel stand."""
    boxes, y, first = [], top, 0
    # Half of "100%" below the last tick needs its room.
    across = width - left - text_width("100%", TEXT) / 2 - 2
    for panel in panels:
        rows = sum(_heights(blocks[first : first + len(panel.bars)]))
        first += len(panel.bars)
        y += LINE * len(wrap_text(panel.name, TEXT, width - 4, bold=True)) + _SPACE if panel.name else 0.0
        boxes.append((left, y, across, rows))
        y += rows + 2 * _SPACE
    return boxes


def _heights(blocks: Sequence[Sequence[str]]) -> list[float]:
    return [max(_ROW, LINE * len(block) + 8) for block in blocks]


def _heading(canvas: Canvas, name: str, box: Box, width: float) -> None:
    lines = wrap_text(name, TEXT, width - 4, bold=True)
    for index, line in enumerate(lines):
        canvas.text(0, box[1] - _SPACE + 3 - LINE * (len(lines) - 1 - index), line, weight="bold")


def _draw_bars(
    canvas: Canvas,
    bars: Sequence[_Bar],
    blocks: Sequence[Sequence[str]],
    box: Box,
    ends: _After,
    how: Format,
    *,
    tips: bool,
) -> None:
    axes = canvas.axes(*box, ticks=False)
    axes.set_xlim(0, box[2])
    axes.set_ylim(box[3], 0)
    top = 0.0
    for bar, block, height in zip(bars, blocks, _heights(blocks), strict=True):
        middle = top + height / 2
        for index, line in enumerate(block):
            is_size = bool(bar.size) and index == len(block) - 1
            y = box[1] + middle + (index - (len(block) - 1) / 2) * LINE
            canvas.text(
                box[0] - 8, y, line, size=SMALL if is_size else TEXT, role="muted" if is_size else "ink", ha="right",
                va="center_baseline",
            )  # fmt: skip
        _draw_bar(canvas, axes, bar, middle, box, ends, how, tips=tips)
        top += height


def _draw_bar(
    canvas: Canvas, axes: Axes, bar: _Bar, middle: float, box: Box, ends: _After, how: Format, *, tips: bool
) -> None:
    total = sum(share for _, share in bar.shown)
    # Shares of rounded counts may add up to more than 100%.
    scale = box[2] / max(total, 100.0)
    x = 0.0
    for number, share in bar.shown:
        if share > 0:
            tip = f"{TIP}{bar.label}, then {ends.labels[number]}: {written(share, how)}" if tips else None
            text = f"{show_number(share)}%" if share >= _LEAST else ""
            _segment(canvas, axes, (x, middle, share * scale), box, ends.looks[number], text, tip)
            x += share * scale
    if bar.gap * scale >= 1:
        is_hidden = set(bar.symbols) == {"c"}
        word = "hidden" if is_hidden else "not shown"
        tip = f"{TIP}{bar.label}: the rest is {word}" if tips else None
        _segment(canvas, axes, (x, middle, bar.gap * scale), box, Look("page", CROSSED), word, tip)
    elif not bar.shown:
        symbol = next((str(v.record.get("symbol") or "x") for v in bar.values if v.record), "x")
        canvas.text(box[0] + 6, box[1] + middle, symbol, va="center_baseline", role="muted")


def _segment(
    canvas: Canvas, axes: Axes, place: tuple[float, float, float], box: Box, look: Look, text: str, tip: str | None
) -> None:
    x, middle, width = place
    top = middle - _BAR / 2
    draw_patch(axes, (x, top, width, _BAR), look, tip)
    room = text_width(text, SMALL)
    if not text or room + 4 > width:
        return
    if look.hatch:
        # A figure among the lines of a hatching cannot be read.
        ground = min(room + 6, width - 2)
        axes.barh(
            [middle], [ground], left=[x + (width - ground) / 2], height=_BAR - 8, color=colour(look.ground), zorder=3
        )
    canvas.text(box[0] + x + width / 2, box[1] + middle, text, size=SMALL, ha="center", va="center_baseline")


# --- words and figures --------------------------------------------------------------------------------------


def _rest_note(bars: Sequence[_Bar]) -> list[str]:
    if not any(bar.gap for bar in bars):
        return []
    return ["The cross-hatched rest of a bar is that of all its hidden or missing shares together."]


def _rounding_note(bars: Sequence[_Bar]) -> list[str]:
    totals = [sum(share for _, share in bar.shown) for bar in bars if bar.shown and not bar.symbols]
    if all(abs(total - 100) < 0.5 for total in totals):
        return []
    return ["Shares of rounded counts may add up to a little less or more than 100%."]


def _alt(panels: Sequence[_Panel], ends: _After, how: Format, counted: str) -> list[str]:
    """Say the largest shares of each bar that are shown."""
    most = 2 if sum(len(panel.bars) for panel in panels) <= _FEW_BARS else 1
    sentences = []
    for panel in panels:
        sentences += [f"{panel.name}."] if panel.name else []
        for bar in panel.bars:
            name = f"{bar.label}, {bar.size} {counted}" if bar.size else bar.label
            largest = sorted(bar.shown, key=lambda one: (-one[1], one[0]))[:most]
            shares = " and ".join(f"{ends.labels[number]} {written(share, how)}" for number, share in largest)
            sentences.append(f"{name}: most often {shares}." if largest else f"{name}: no value can be shown.")
    return sentences


def _data(
    panels: Sequence[_Panel],
    ends: _After,
    how: Format,
    before: str,
    counted: str,
    *,
    id: str,
    title: str,
    subtitle: str,
    source: str,
) -> Table:
    heads = [Column(_name(before), align="left"), Column(counted.capitalize())]
    heads += [Column(label, unit=how.unit) for label in ends.labels]
    rows = []
    for panel in panels:
        for bar in panel.bars:
            sized = next((v.record for v in bar.values if v.is_shown), None)
            sized = sized or next((record for record in bar.records if record), None)
            cells = [count_cell(sized, "denominator") if sized else Cell(symbol="x")]
            cells += [rate_cell(record) if record else Cell(symbol="x") for record in bar.records]
            rows.append(Row(bar.label, tuple(cells), panel.name))
    return Table(id, title, subtitle, tuple(heads), tuple(rows), source)


__all__ = ["flow_bars"]
