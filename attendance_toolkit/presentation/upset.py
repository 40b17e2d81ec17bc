"""Combinations of characteristics, a row each: dots say what a row combines, a dot with an interval how high it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import ReportError
from attendance_toolkit.presentation._rows import (
    Item,
    draw_dot,
    horizontal_zero_note,
    mark_of,
    numbers_width,
    order_note,
    range_words,
    symbol_of,
    value_axis,
)
from attendance_toolkit.presentation.blocks import Column, Figure, Row, Table
from attendance_toolkit.presentation.charting import (
    LINE,
    TEXT,
    finish,
    limits,
    strokes,
    synthetic_mark,
    value_of,
    written,
)
from attendance_toolkit.presentation.formats import (
    Format,
    count_cell,
    hidden_notes,
    is_missing,
    rate_cell,
    records,
    require_columns,
    require_protected,
    single_format,
    source_of,
)
from attendance_toolkit.presentation.narrative import sentence_list
from attendance_toolkit.presentation.style import WIDE, Canvas, Paint, colour, text_width, wrap_text
from attendance_toolkit.presentation.tables import without_small
from attendance_toolkit.vocabulary.ledger import phrase
from attendance_toolkit.vocabulary.rounding import show_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW = 28.0
_NOBODY = "None of these"


@dataclass(frozen=True)
class Membership:
    """A set of pupils: those with one of some levels in a column."""

    label: str
    column: str
    levels: tuple[Any, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple(self.levels))


@dataclass(frozen=True)
class _Combination:
    """A row: which sets it is in, and its figure."""

    members: tuple[bool, ...]
    item: Item

    @property
    def record(self) -> Mapping[str, Any]:
        return self.item.value.record


def upset_rows(
    table: ProtectedTable,
    *,
    id: str,
    title: str,
    subtitle: str,
    sets: Sequence[Membership],
    least: int = 10,
    most: int = 20,
    reference: tuple[str, float | None] | None = None,
    source: str = "",
    notes: Iterable[str] = (),
) -> Figure:
    """Return an UpSet chart turned on its side: a row for each combination, from the highest shown rate down.

    Filled dots say which sets a row is in, empty ones which it is not in; beside them stand the rate with its 95%
    interval, and the count.

    Parameters
    ----------
    sets
        The sets, from left to right. Two rows that are in the same sets are an error.
    least
        Combinations of fewer enrolments are left out, and counted in the notes.
    most
        At most so many rows. Hidden figures stand last, by name; where rows are cut they are only counted.
    reference
        Name and rate (0 to 1) of a dashed line to compare with.

    Raises
    ------
    DisclosureError
        ``table`` has not been protected.
    ReportError
        No sets, no rows, two rows in the same sets, or measures of different units.
    """
    require_protected(table)
    require_columns(table, *(one.column for one in sets))
    reliable, small = without_small(table, least)
    how = single_format(table)
    every = _combinations(reliable, sets, how, id)
    rows, cut = _chosen(every, most)
    mark = mark_of(reference, how)
    items = [row.item for row in rows]
    spans = [v for i in items for v in (i.value.value, i.value.lower, i.value.upper)]
    low, high, ticks = limits([*spans, *([mark.value] if mark else [])], zero_share=0.3)
    has_counts = any(not is_missing(row.record["numerator"]) for row in rows)

    def paint(width: float) -> tuple[Paint, float]:
        grid = _Grid.of(sets, width, is_synthetic=table.is_synthetic)
        rate_width = max(numbers_width(items, how), text_width("Rate", TEXT, bold=True))
        count_width = _count_width(rows) + 12 if has_counts else 0.0
        box = (
            grid.right + 14, grid.bottom, width - grid.right - 14 - rate_width - count_width - 14, _ROW * len(rows)
        )  # fmt: skip
        height = box[1] + box[3] + 28

        def brush(canvas: Canvas) -> None:
            synthetic_mark(canvas, table)
            grid.draw(canvas, rows)
            axes = value_axis(canvas, box, low, high, ticks, how)
            if mark:
                mark.draw(axes)
                half = text_width(mark.text(how), TEXT) / 2
                place = box[0] + box[2] * (mark.value - low) / (high - low)
                place = min(max(place, box[0] - 8 + half), box[0] + box[2] + 8 - half)
                canvas.text(place, box[1] - LINE - 10, mark.text(how), ha="center")
            _texts(canvas, axes, rows, box, how, width, count_width if has_counts else None)

        return brush, height

    hidden = hidden_notes(_frame_of(rows, table))
    intervals = any(item.value.has_interval for item in items)
    said = ["Filled dots: the combination has it; empty dots: it has not."]
    said += ["Lines through the dots are 95% intervals."] if intervals else []
    said += [*([f"Number: {how.numerator}."] if has_counts and how.numerator else []), *horizontal_zero_note(low)]
    said += [*cut, *_small_note(small, least), *hidden, *order_note(items)]
    kind = f"Dot chart of {len(rows)} rows, each a combination of {sentence_list([one.label for one in sets])},"
    kind += " sorted from high to low" + (", with 95% intervals." if intervals else ".")
    line = [f"Dashed line: {mark.name}, {written(mark.value, how)}."] if mark else []
    alt = " ".join([kind, *range_words(items, how), *line, *cut, *hidden])
    data = _data(rows, how, id=f"{id}-data", title=title, subtitle=subtitle, source=source_of(table, source))
    return finish(
        table, id=id, title=title, subtitle=subtitle, alt=alt, paint=paint, data=data, source=source,
        notes=[*said, *notes],
    )  # fmt: skip


def _combinations(table: ProtectedTable, sets: Sequence[Membership], how: Format, id: str) -> list[_Combination]:
    """Return the rows in drawing order, those left out as too small taken away."""
    if not sets:
        raise ReportError(f"Figure '{id}' has no sets to combine.")
    found: dict[tuple[bool, ...], _Combination] = {}
    for record in records(table):
        members = tuple(record[one.column] in one.levels for one in sets)
        names = [one.label for one, is_in in zip(sets, members, strict=True) if is_in]
        label = sentence_list(names) if names else _NOBODY
        if members in found:
            raise ReportError(
                f"Figure '{id}' has more than one row for '{label}'. Add the rows of the other levels up before, leave"
                " them out, or give a set for them."
            )
        found[members] = _Combination(members, Item(label, value_of(record, how), False))
    rows = [row for row in found.values() if row.record["symbol"] != "u"]
    if not rows:
        raise ReportError(f"Figure '{id}' has no rows to draw.")
    rows.sort(key=lambda row: (-row.item.value.value if row.item.value.is_shown else math.inf, row.item.label))
    return rows


def _chosen(rows: list[_Combination], most: int) -> tuple[list[_Combination], list[str]]:
    """Return the rows drawn, and what is said of the others."""
    if len(rows) <= most:
        return rows, []
    shown = [row for row in rows if row.item.value.is_shown]
    drawn = shown[:most] or rows[:most]
    said = []
    if len(shown) > most:
        said.append(
            phrase(
                f"Drawn are the {most} combinations with the highest rates of {len(shown)} that can be shown.", "groups"
            )
        )
    hidden = sum(row.record["symbol"] == "c" for row in rows) if shown else 0
    if hidden:
        words = "combination is" if hidden == 1 else "combinations are"
        said.append(phrase(f"{hidden} more {words} hidden to protect small numbers.", "groups"))
    return drawn, said


def _small_note(small: int, least: int) -> list[str]:
    if not small:
        return []
    words = "combination has" if small == 1 else "combinations have"
    left_out = "is left out" if small == 1 else "are left out"
    return [phrase(f"{small} {words} fewer than {least} enrolments and {left_out}.", "groups")]


def _frame_of(rows: Sequence[_Combination], table: ProtectedTable) -> Any:
    """Return the rows drawn, for the notes on what is hidden."""
    symbols = [str(row.record["symbol"]) for row in rows]
    return table.rows.head(0).reindex(range(len(rows))).assign(symbol=symbols)


@dataclass(frozen=True)
class _Grid:
    """The dots of the sets: where their columns stand, and the headings above."""

    places: tuple[float, ...]
    headings: tuple[tuple[str, ...], ...]
    bottom: float
    right: float
    is_turned: bool

    @staticmethod
    def of(sets: Sequence[Membership], width: float, *, is_synthetic: bool) -> _Grid:
        """Return the grid for a width: headings are turned where they would not stand side by side."""
        extra = LINE + 4.0 if is_synthetic else 0.0
        room = (300.0 if width == WIDE else 104.0) / len(sets)
        longest = max(text_width(word, TEXT) for one in sets for word in one.label.split())
        is_turned = longest + 8 > room
        step = min(max(room, 20.0), 30.0) if is_turned else min(room, 92.0)
        places = tuple(step * (number + 0.5) for number in range(len(sets)))
        headings = tuple((one.label,) if is_turned else tuple(wrap_text(one.label, TEXT, step - 6)) for one in sets)
        tall = max(text_width(one.label, TEXT) for one in sets) + 8 if is_turned else LINE * max(map(len, headings))
        return _Grid(places, headings, extra + max(tall, 2 * LINE) + 14, step * len(sets), is_turned)

    def draw(self, canvas: Canvas, rows: Sequence[_Combination]) -> None:
        """Draw headings and dots; a line joins the filled dots of a row."""
        for x, lines in zip(self.places, self.headings, strict=True):
            if self.is_turned:
                canvas.text(
                    x, self.bottom - 8, lines[0], rotation=90, rotation_mode="anchor", ha="left", va="center"
                )  # fmt: skip
                continue
            for index, line in enumerate(reversed(lines)):
                canvas.text(x, self.bottom - 10 - index * LINE, line, ha="center")
        axes = canvas.axes(0, self.bottom, canvas.width, _ROW * len(rows), ticks=False)
        axes.set_xlim(0, canvas.width)
        axes.set_ylim(_ROW * len(rows), 0)
        strokes(axes, [(0, _ROW * n, canvas.width, _ROW * n) for n in range(len(rows) + 1)], "grid", zorder=0.1)
        for number, row in enumerate(rows):
            self._row(axes, row, _ROW * (number + 0.5))

    def _row(self, axes: Axes, row: _Combination, y: float) -> None:
        filled = [x for x, is_in in zip(self.places, row.members, strict=True) if is_in]
        empty = [x for x, is_in in zip(self.places, row.members, strict=True) if not is_in]
        if len(filled) > 1:
            axes.plot(
                [filled[0], filled[-1]], [y, y], color=colour("s1"), linewidth=2.5, clip_on=False, zorder=1
            )  # fmt: skip
        dots: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 11, "clip_on": False, "zorder": 2}
        axes.plot(filled, [y] * len(filled), color=colour("s1"), markeredgecolor=colour("page"), **dots)
        axes.plot(
            empty, [y] * len(empty), color=colour("page"), markeredgecolor=colour("axis"), markeredgewidth=1.5, **dots
        )  # fmt: skip


def _count_width(rows: Sequence[_Combination]) -> float:
    texts = [_count(row) for row in rows]
    return max(text_width(text, TEXT) for text in [*texts, "Number"])


def _count(row: _Combination) -> str:
    value = row.record["numerator"]
    return symbol_of(row.item) if is_missing(value) else show_number(float(value))


def _texts(
    canvas: Canvas,
    axes: Axes,
    rows: Sequence[_Combination],
    box: tuple[float, float, float, float],
    how: Format,
    width: float,
    count_width: float | None,
) -> None:
    """Draw the dots with intervals and write rates and counts beside them, in columns."""
    rates = width - 2 - (count_width or 0.0)
    canvas.text(rates, box[1] - 10, "Rate", ha="right", weight="bold")
    if count_width is not None:
        canvas.text(width - 2, box[1] - 10, "Number", ha="right", weight="bold")
    for number, row in enumerate(rows):
        y = _ROW * (number + 0.5)
        draw_dot(axes, row.item, y, how, tips=width == WIDE)
        text = written(row.item.value.value, how) if row.item.value.is_shown else symbol_of(row.item)
        canvas.text(rates, box[1] + y, text, ha="right", va="center_baseline")
        if count_width is not None:
            canvas.text(width - 2, box[1] + y, _count(row), ha="right", va="center_baseline")


def _data(rows: Sequence[_Combination], how: Format, *, id: str, title: str, subtitle: str, source: str) -> Table:
    heads = [
        Column("Combination", align="left"), Column("Number"), Column("Enrolments"), Column("Rate", unit=how.unit),
        Column("Lower 95% limit", unit=how.unit), Column("Upper 95% limit", unit=how.unit),
    ]  # fmt: skip
    body = [
        Row(
            row.item.label,
            (
                *(count_cell(row.record, name) for name in ("numerator", "denominator")),
                *(rate_cell(row.record, name) for name in ("rate", "lower", "upper")),
            ),
        )
        for row in rows
    ]
    return Table(id, title, subtitle, tuple(heads), tuple(body), source)


__all__ = ["Membership", "upset_rows"]
