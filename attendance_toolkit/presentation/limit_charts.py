"""Values in the order of time and the limits chance keeps them within (XmR)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import DisclosureError, ReportError
from attendance_toolkit.presentation._limits import CENTRE, DASHED, end_room, end_texts, reference_line
from attendance_toolkit.presentation._lines import (
    Lines,
    axis_positions,
    draw_gaps,
    gap_note,
    line_alt,
    value_grid,
    zero_note,
)
from attendance_toolkit.presentation.blocks import Cell, Column, Figure, Row, Table
from attendance_toolkit.presentation.charting import (
    TEXT,
    TIP,
    Box,
    Labels,
    Value,
    cells_by,
    finish,
    limits,
    strokes,
    synthetic_mark,
    tick_text,
    value_of,
    written,
    x_place,
)
from attendance_toolkit.presentation.formats import (
    Format,
    hidden_notes,
    level_label,
    levels,
    rate_cell,
    require_columns,
    require_protected,
    single_format,
    source_of,
)
from attendance_toolkit.presentation.narrative import sentence_list
from attendance_toolkit.presentation.style import WIDE, Canvas, Paint, colour, text_width
from attendance_toolkit.vocabulary.columns import LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class _Rule:
    """A signal: the shape of its points, and what they are."""

    marker: str
    shape: str
    words: str


#: Name of a rule -> how its points look. A point of several rules has the shape of the first.
SIGNALS: Mapping[str, _Rule] = {
    "beyond limits": _Rule("s", "Squares", "beyond the limits"),
    "run of 7": _Rule("^", "Triangles", "in a run of seven or more values on one side of the mean"),
    "trend of 7": _Rule("v", "Triangles pointing down", "in a run of seven or more values that all rise or all fall"),
    "two of three": _Rule("D", "Diamonds", "where two of three values in a row are near the same limit"),
}


@dataclass(frozen=True)
class _Course:
    """Positions in the order of time, what stands below them, and the years of the positions."""

    lines: Lines
    ticks: tuple[tuple[float, str], ...]
    years: tuple[int | None, ...]

    @property
    def values(self) -> list[Value]:
        return self.lines.of("")


@dataclass(frozen=True)
class _Limits:
    """The three lines, on the written scale; no lower one where it would lie below what is possible."""

    centre: float
    lower: float | None
    upper: float
    is_trial: bool

    def ends(self, how: Format) -> list[tuple[float, str]]:
        """Return value and text of each line, the centre second."""
        trial = "trial " if self.is_trial else ""
        found = [(self.upper, f"Upper {trial}limit {written(self.upper, how)}")]
        found.append((self.centre, f"Mean {written(self.centre, how)}"))
        if self.lower is not None:
            found.append((self.lower, f"Lower {trial}limit {written(self.lower, how)}"))
        return found


def control_chart(
    table: ProtectedTable,
    *,
    id: str,
    title: str,
    subtitle: str,
    centre: float,
    lower: float,
    upper: float,
    x: str = "academic_year",
    year: str | None = None,
    signals: Mapping[str, Iterable[Any]] | None = None,
    is_trial: bool = False,
    gap_years: Iterable[int] = (),
    marked_years: Iterable[int] = (),
    marked_as: str = "the pandemic",
    source: str = "",
    notes: Iterable[str] = (),
    labels: Labels | None = None,
) -> Figure:
    """Return an XmR chart: values in the order of time, their mean, and the limits chance keeps them within.

    Parameters
    ----------
    table
        One row for each position along the axis.
    centre, lower, upper
        Mean and limits on the scale of ``rate`` (0 to 1), worked out from cleared values. Their figures are written, so
        the gate has to know them: give those of a derived row. A lower limit below 0 of a rate is not drawn.
    x, year
        Column of the positions. With ``year``, ``x`` has the positions within an academic year, such as terms.
    signals
        Name of a rule, one of ``SIGNALS`` -> the levels of ``x`` it flags; with ``year``, pairs of year and level.
        Rules that flag nothing may be left out.
    is_trial
        True for limits from fewer than 12 values: the subtitle says so.
    gap_years
        Years to leave out even where rows exist; years without rows are gaps anyway.
    marked_years, marked_as
        Years shaded though they have figures, and what they were.

    Raises
    ------
    DisclosureError
        ``table`` has not been protected, or a signal is given for a value that is not shown.
    ReportError
        No rows, two rows for one position, an unknown rule or position, or measures of different units.
    """
    require_protected(table)
    require_columns(table, *([year] if year else []), x)
    how = single_format(table)
    course = _course(table, x, year, gap_years, how, labels, id)
    flagged = _flagged(signals or {}, course, id)
    lines = course.lines
    of = _Limits(
        centre * how.scale, None if lower < 0 and not how.signed else lower * how.scale, upper * how.scale, is_trial
    )
    ends = of.ends(how)
    low, high, grid = limits([*(value.value for value in course.values), *(value for value, _ in ends)], zero_share=0.3)
    marked = [place for place, one in enumerate(course.years) if one in set(marked_years) and place not in lines.gaps]

    def paint(width: float) -> tuple[Paint, float]:
        wide = width == WIDE
        left = 10 + max(text_width(tick_text(t, grid, how), TEXT) for t in grid)
        most = 150.0 if wide else 74.0
        across = width - left - end_room((text for _, text in ends), most)
        height = 330.0 if wide else 300.0

        def brush(canvas: Canvas) -> None:
            top = 12 + synthetic_mark(canvas, table)
            box = (left, top, across, height - top - 32)
            axes = canvas.axes(*box, ticks=False)
            axes.set_xlim(-0.5, len(lines.positions) - 0.5)
            axes.set_ylim(low, high)
            draw_gaps(axes, lines)
            _shade(axes, marked)
            value_grid(canvas, axes, box, grid, how)
            for number, (value, _) in enumerate(ends):
                reference_line(axes, value, CENTRE if number == 1 else DASHED)
            _time_axis(canvas, axes, box, course)
            _draw_course(axes, course, flagged, how, tips=wide)
            end_texts(canvas, axes, box, ends, most)

        return brush, height

    hidden = hidden_notes(table.rows)
    found = _signal_words(flagged, lines)
    breaks = [*_marked_words(course, marked, marked_as), *gap_note(lines)]
    below = [] if of.lower is not None else ["The lower limit lies below 0 and is not drawn."]
    said = ["Dashed lines: the mean, and the limits that chance alone keeps nearly all values within."]
    said += [*below, *found, *breaks, *zero_note(low), *hidden]
    kind = f"Control chart (XmR) of single values, {lines.texts[0]} to {lines.texts[-1]}."
    alt = [kind, *line_alt(lines, how), f"{', '.join(text for _, text in ends)}.", *below, *found, *breaks, *hidden]
    if is_trial:
        subtitle = f"{subtitle}. Trial limits, from fewer than 12 values"
    data = _data(
        course, of, flagged, how, x, id=f"{id}-data", title=title, subtitle=subtitle, source=source_of(table, source)
    )
    return finish(
        table, id=id, title=title, subtitle=subtitle, alt=" ".join(alt), paint=paint, data=data, source=source,
        notes=[*said, *notes],
    )  # fmt: skip


# --- positions ----------------------------------------------------------------------------------------------


def _course(
    table: ProtectedTable,
    x: str,
    year: str | None,
    gap_years: Iterable[int],
    how: Format,
    labels: Labels | None,
    id: str,
) -> _Course:
    if not len(table.rows):
        raise ReportError(f"Figure '{id}' has no rows to draw.")
    if year:
        return _course_within_years(table, x, year, gap_years, how, labels, id)
    positions, gaps = axis_positions(table, x, gap_years)
    years = tuple(int(one) if x == "academic_year" else None for one in positions)
    left_out = {positions[place] for place in gaps}
    values = {("", key): value_of(record, how) for (key,), record in cells_by(table, [x], id).items()}
    values = {key: value for key, value in values.items() if key[1] not in left_out}
    texts = tuple(level_label(x, one, labels) for one in positions)
    lines = Lines(positions, texts, ("",), (how.label,), values, gaps)
    return _Course(lines, tuple((float(place), text) for place, text in enumerate(texts)), years)


def _course_within_years(
    table: ProtectedTable, x: str, year: str, gap_years: Iterable[int], how: Format, labels: Labels | None, id: str
) -> _Course:
    """Return the positions within each year; a year without any is one empty position."""
    every, gaps = axis_positions(table, "academic_year" if year == "academic_year" else year, gap_years)
    cells = {(int(one), level): record for (one, level), record in cells_by(table, [year, x], id).items()}
    order = levels(table.rows[x])
    positions: list[Any] = []
    empty: list[int] = []
    ticks: list[tuple[float, str]] = []
    for place, one in enumerate(int(found) for found in every):
        first = len(positions)
        if place in gaps:
            empty.append(first)
            positions.append((one, None))
        else:
            positions += [(one, level) for level in order if (one, level) in cells]
        ticks.append(((first + len(positions) - 1) / 2, level_label(year, one, labels)))
    texts = tuple(_text(x, level, level_label(year, one, labels), labels) for one, level in positions)
    values = {("", key): value_of(cells[key], how) for key in positions if key[1] is not None}
    lines = Lines(tuple(positions), texts, ("",), (how.label,), values, tuple(empty))
    return _Course(lines, tuple(ticks), tuple(one for one, _ in positions))


def _text(x: str, level: Any, year: str, labels: Labels | None) -> str:
    """Return a position in words.

    >>> _text("term", "Autumn", "2023/24", None), _text("week", "Week 3", "2023/24", None)
    ('Autumn 2023/24', 'Week 3, 2023/24')
    """
    if level is None:
        return year
    label = level_label(x, level, labels)
    label = label[:1].upper() + label[1:]
    return f"{label}, {year}" if label[-1:].isdigit() else f"{label} {year}"


def _flagged(signals: Mapping[str, Iterable[Any]], course: _Course, id: str) -> dict[str, tuple[int, ...]]:
    """Return the places each rule flags, in the order of the rules."""
    unknown = sorted(set(signals) - set(SIGNALS))
    if unknown:
        raise ReportError(f"Figure '{id}': '{unknown[0]}' is no rule. Use one of: {', '.join(SIGNALS)}.")
    places = {position: place for place, position in enumerate(course.lines.positions)}
    found: dict[str, tuple[int, ...]] = {}
    for rule in SIGNALS:
        for position in signals.get(rule, ()):
            key = tuple(position) if isinstance(position, (list, tuple)) else position
            if key not in places:
                raise ReportError(f"Figure '{id}' has no position '{position}' to flag. Give levels of its own axis.")
            if not course.values[places[key]].is_shown:
                # A signal would say where the hidden value lies.
                raise DisclosureError(
                    f"Figure '{id}' flags a value that is not shown. Work signals out from cleared values alone."
                )
            found[rule] = (*found.get(rule, ()), places[key])
    return {rule: tuple(sorted(set(flagged))) for rule, flagged in found.items()}


# --- drawing ------------------------------------------------------------------------------------------------


def _shade(axes: Axes, places: Sequence[int]) -> None:
    for place in places:
        axes.axvspan(place - 0.5, place + 0.5, facecolor=colour("panel"), linewidth=0, zorder=0.1, clip_on=False)


def _time_axis(canvas: Canvas, axes: Axes, box: Box, course: _Course) -> None:
    """Write as many of the texts as fit on one line, always the last, and mark where each position or year begins."""
    low, high = axes.get_ylim()
    is_in_years = len(course.ticks) < len(course.lines.positions)
    years = course.years
    marks = [place - 0.5 for place in range(len(years)) if place == 0 or years[place] != years[place - 1]]
    marks = [*marks, len(years) - 0.5] if is_in_years else [place for place, _ in course.ticks]
    strokes(axes, [(mark, low, mark, low - 5 * (high - low) / box[3]) for mark in marks], "axis")
    widest = max(text_width(text, TEXT) for _, text in course.ticks)
    nearest = min((b[0] - a[0] for a, b in itertools.pairwise(course.ticks)), default=1.0)
    step = max(1, math.ceil((widest + 10) / (nearest * box[2] / len(years))))
    for place, text in course.ticks[::-1][::step]:
        half = text_width(text, TEXT) / 2
        at = min(max(x_place(axes, box, place), half), canvas.width - half)
        canvas.text(at, box[1] + box[3] + 20, text, size=TEXT, ha="center")


def _draw_course(axes: Axes, course: _Course, flagged: Mapping[str, Sequence[int]], how: Format, *, tips: bool) -> None:
    values = course.values
    axes.plot(
        range(len(values)), [v.value for v in values], color=colour("others"), linewidth=1.5, clip_on=False, zorder=2
    )
    rules = {place: SIGNALS[rule] for rule in list(SIGNALS)[::-1] for place in flagged.get(rule, ())}
    for place, value in enumerate(values):
        if not value.is_shown:
            continue
        rule = rules.get(place)
        axes.plot(
            [place], [value.value], linestyle="none", marker=rule.marker if rule else "o",
            color=colour("s3" if rule else "s1"), markersize=10 if rule else 5.5, markeredgecolor=colour("page"),
            markeredgewidth=1 if rule else 0.5, clip_on=False, zorder=3.5 if rule else 3,
            gid=f"{TIP}{course.lines.texts[place]}: {written(value.value, how)}" if tips else None,
        )  # fmt: skip


# --- words and figures --------------------------------------------------------------------------------------


def _stretches(places: Sequence[int], texts: Sequence[str]) -> str:
    """Return positions in words, neighbours as one stretch.

    >>> _stretches([0, 1, 2, 4], ["a", "b", "c", "d", "e"])
    'a to c and e'
    """
    found = []
    for _, run in itertools.groupby(enumerate(places), key=lambda pair: pair[1] - pair[0]):
        members = [place for _, place in run]
        found.append(texts[members[0]] if len(members) == 1 else f"{texts[members[0]]} to {texts[members[-1]]}")
    return sentence_list(found)


def _signal_words(flagged: Mapping[str, Sequence[int]], lines: Lines) -> list[str]:
    """Name the signals. A point has one shape, so a rule may have points of the shape of one before it."""
    if not flagged:
        return ["No value is a signal of a change."]
    taken: set[int] = set()
    said = []
    for rule, places in flagged.items():
        look = SIGNALS[rule]
        shape = f" ({look.shape.lower()})" if set(places) - taken else ""
        words = look.words[:1].upper() + look.words[1:]
        said.append(f"{words}{shape}: {_stretches(places, lines.texts)}.")
        taken |= set(places)
    return said


def _marked_words(course: _Course, marked: Sequence[int], marked_as: str) -> list[str]:
    years = list(dict.fromkeys(course.years[place] for place in marked))
    if not years:
        return []
    names = [level_label("academic_year", year) for year in years]
    return [f"Shaded though there are values: {sentence_list(names)} ({marked_as})."]


def _data(
    course: _Course,
    of: _Limits,
    flagged: Mapping[str, Sequence[int]],
    how: Format,
    x: str,
    *,
    id: str,
    title: str,
    subtitle: str,
    source: str,
) -> Table:
    heads = (
        Column(LABELS.get(x, x.replace("_", " ").capitalize()), align="left"), Column(how.label, unit=how.unit),
        Column("Signal", align="left"),
    )  # fmt: skip
    rows = []
    for place, (text, value) in enumerate(zip(course.lines.texts, course.values, strict=True)):
        if value.record:
            names = [SIGNALS[rule].words for rule, places in flagged.items() if place in places]
            signal = Cell("; ".join(names) or "no signal") if value.is_shown else Cell(symbol="z")
            rows.append(Row(text, (rate_cell(value.record), signal), "Values"))
    lines = (("Upper limit", of.upper), ("Mean", of.centre), ("Lower limit", of.lower))
    for name, number in lines:
        if number is not None:
            rows.append(Row(name, (Cell(how.number(number / how.scale), number), Cell(symbol="z")), "Lines"))
    return Table(id, title, subtitle, heads, tuple(rows), source)


__all__ = ["SIGNALS", "control_chart"]
