"""Words for a change held against the one that was to be expected: of supported pupils, and of schools that were met."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.deepdives._shared import Record
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import Figure
from attendance_toolkit.presentation.figures import dot_interval
from attendance_toolkit.presentation.narrative import interval_in_points, is_clear, is_shown, points
from attendance_toolkit.vocabulary.rounding import show_number


def signed(record: Record) -> str:
    """Return a difference in percentage points with its sign.

    >>> signed({"rate": -0.0123})
    '−1.2'
    """
    return show_number(record["rate"] * 100, 1, signed=True)


def with_interval(record: Record) -> str:
    """Return a difference with its sign and interval.

    >>> with_interval({"rate": 0.012, "lower": 0.004, "upper": 0.02})
    '+1.2 percentage points, 95% interval 0.4 to 2.0'
    """
    return f"{signed(record)} percentage points, {interval_in_points(record)}"


def support_verdict(effect: Record) -> str:
    """Say whether supported pupils did better or worse than expected, if the interval allows it."""
    if not is_clear(effect):
        return (
            f"Beyond that the supported pupils' absence was not clearly different ({with_interval(effect)}): the figures"
            " neither show that the support lowered absence nor rule it out."
        )
    word = "lower" if effect["rate"] < 0 else "higher"
    return (
        f"Beyond that the supported pupils' absence was clearly {word} than expected ({with_interval(effect)}). Other things"
        " that set them apart from the pupils they are held against may have a part in it."
    )


def effect_title(
    effect: Record | None, subject: str, without: str, words: tuple[str, str] = ("lower", "higher")
) -> str:
    """Return the finding a drawing shows.

    Parameters
    ----------
    effect
        The difference from what was expected.
    subject
        What changed: "Absence of supported pupils".
    without
        What the expectation is without: "support".
    words
        What a difference below 0 and above 0 is called.
    """
    if not is_shown(effect):
        return f"{subject}: change, and change expected without {without}"
    if not is_clear(effect):
        return f"{subject} was not clearly different from what was expected without {without}"
    return f"{subject} was {points(effect['rate'])} {words[effect['rate'] > 0]} than expected without {without}"


def change_figure(
    rows: Sequence[tuple[str, Record | None]], effect: str, table: ProtectedTable, **words: Any
) -> Figure:
    """Return changes as dots with intervals, in the order given.

    Parameters
    ----------
    rows
        Label and figure; those that are not there are left out.
    effect
        Measure of the differences from what was expected: drawn bold, and one of them has to be shown.
    table
        The table the figures are of.
    words
        ``id``, ``title``, ``subtitle`` and ``notes`` of the figure.

    Raises
    ------
    NoDataError
        No difference from what was expected can be shown.
    """
    found = [{**record, "row": f"{label[:1].upper()}{label[1:]}"} for label, record in rows if record is not None]
    if not any(row["symbol"] == "" and row["measure"] == effect for row in found):
        raise NoDataError("There is no change beyond what was expected to draw.")
    drawn = derived_from(found, table)
    drawn.rows["row"] = pd.Categorical(drawn.rows["row"], [row["row"] for row in found])
    highlight = [row["row"] for row in found if row["measure"] == effect]
    return dot_interval(drawn, category="row", highlight=highlight, sort=False, **words)
