"""Changes of rates in words: how much, whether it is clear, and what the written definition makes of it."""

from __future__ import annotations

from typing import Any

from attendance_toolkit.deepdives._shared import Record, rate_of
from attendance_toolkit.presentation.blocks import Cell
from attendance_toolkit.presentation.formats import figure_words
from attendance_toolkit.presentation.narrative import change_verb, has_interval, is_clear, is_shown, points
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS
from attendance_toolkit.vocabulary.directions import direction_of
from attendance_toolkit.vocabulary.rounding import round_half_up, show_number

SAME_PUPILS_NOTE = (
    "Mostly the same pupils are counted in both years; the intervals take them as independent and are a little wide."
)
#: What stands in place of a direction.
UNCHANGED, SAME = "did not clearly change", "was the same when rounded"
TERM_NOTE = "Each term's thresholds apply to that term's own sessions, so terms do not average to the year."


def verdict(change: Record | None) -> str:
    """Return "Improving", "Deteriorating" or "Cannot tell" by the definition for areas; empty without an interval.

    >>> verdict({"rate": -0.02, "lower": -0.03, "upper": -0.01, "symbol": ""})
    'Improving'
    >>> verdict({"rate": -0.02, "lower": None, "upper": None, "symbol": ""})
    ''
    """
    if not is_shown(change) or not has_interval(change):
        return ""
    return {"fell": "Improving", "rose": "Deteriorating"}.get(change_verb(change), "Cannot tell")


def verdict_cell(change: Record | None) -> Cell:
    """Return the verdict as a table cell; the symbol of a change that is not shown, "z" without an interval."""
    if change is None:
        return Cell(symbol="x")
    if not is_shown(change):
        return Cell(symbol=str(change["symbol"] or "x"))
    return Cell(verdict(change)) if has_interval(change) else Cell(symbol="z")


def direction_note() -> str:
    """Return the written definition of improving and deteriorating of an area."""
    return direction_of("area").text


def verdict_words(change: Record) -> str:
    """Return the verdict as a sentence; nothing of a change without an interval."""
    found = verdict(change)
    if not found:
        return ""
    if found == "Cannot tell":
        return "By the written definition it cannot be told whether it improved or deteriorated."
    return f"By the written definition it {'improved' if found == 'Improving' else 'deteriorated'} between these two years."


def is_moved(change: Record) -> bool:
    """Return whether a change has an interval that leaves out no change."""
    return is_clear(change)


def decimals_in(change: Record) -> int:
    """Return with how many decimals a change is written: its own, else one."""
    known: Any = change.get("decimals")
    return 1 if known is None or known != known else max(int(known), 1)


def moved(change: Record, rate: str = "") -> str:
    """Return "fell by 1.2 percentage points", "did not clearly change", or, without interval, how the figures compare.

    Parameters
    ----------
    rate
        Said after a size: " a year".

    >>> moved({"rate": -0.012, "lower": -0.02, "upper": -0.004, "symbol": ""}, " a year")
    'fell by 1.2 percentage points a year'
    >>> moved({"rate": 0.012, "lower": None, "upper": None}), moved({"rate": 0.0, "lower": None, "upper": None})
    ('was 1.2 percentage points higher', 'was the same when rounded')
    """
    decimals = decimals_in(change)
    size = points(change["rate"], decimals)
    if has_interval(change):
        return f"{change_verb(change)} by {size}{rate}" if is_moved(change) else UNCHANGED
    if round_half_up(abs(change["rate"]) * 100, decimals) == 0:
        return SAME
    return f"was {size} {'higher' if change['rate'] > 0 else 'lower'}"


def in_brackets(change: Record, rate: str = "") -> str:
    """Return the interval in brackets, after a figure that does not stand in the words before it; nothing without one.

    ``rate`` is said after the figure: " a year".

    >>> in_brackets({"measure": "persistent_trend", "rate": 0.004, "lower": -0.01, "upper": 0.018, "decimals": 1, "symbol": ""})
    ' (+0.4 percentage points, 95% interval −1.0 to 1.8)'
    """
    if not has_interval(change):
        return ""
    figure = "" if is_moved(change) else f"{figure_words(change)} percentage points{rate}, "
    return f" ({figure}{ends_in_points(change)})"


def ends_in_points(change: Record) -> str:
    """Return the 95% interval of a change with the decimals of the change.

    An end that would print as 0 gets one decimal more: the reader must see on which side of 0 it is.
    """
    decimals = decimals_in(change)
    ends = (change["lower"], change["upper"])
    decimals += any(end != 0 and round_half_up(abs(end) * 100, decimals) == 0 for end in ends)
    low, high = (show_number(end * 100, decimals) for end in ends)
    return f"95% interval {low} to {high}"


def schools(phase: str) -> str:
    """Return the schools of a phase in running text."""
    return "all schools" if phase == ALL_SCHOOLS else f"{phase.lower()} schools"


def pupils_in_text(words: str) -> str:
    """Return the pupils of a row's header inside a sentence.

    >>> [pupils_in_text(words) for words in ("Eligible for free school meals", "EHC plan", "SEN support", "No SEN")]
    ['pupils eligible for free school meals', 'pupils with an EHC plan', 'pupils with SEN support', 'pupils with no SEN']
    """
    known = {"Girls": "girls", "Boys": "boys", "EHC plan": "pupils with an EHC plan", "No SEN": "pupils with no SEN"}
    if words in known:
        return known[words]
    return f"pupils with {words}" if words.startswith("SEN") else f"pupils {words[:1].lower()}{words[1:]}"


def higher_or_lower(gap: Record) -> str:
    """Return a difference with its interval in words, with a direction only where it is clear.

    >>> higher_or_lower({"measure": "severe_term_effect", "rate": 0.02, "lower": 0.01, "upper": 0.03, "symbol": ""})
    '2.0 percentage points higher (95% interval 1.0 to 3.0)'
    """
    if not is_moved(gap):
        return f"not clearly different{in_brackets(gap)}"
    return f"{points(gap['rate'], decimals_in(gap))} {'higher' if gap['rate'] > 0 else 'lower'}{in_brackets(gap)}"


def course(change: Record | None, rate: str = "") -> str:
    """Return a change with its interval, or that it is hidden; empty where there is none to tell.

    >>> course({"symbol": "c", "rate": None})
    'cannot be told, since figures are hidden'
    """
    if change is not None and change["symbol"] == "c":
        return "cannot be told, since figures are hidden"
    return f"{moved(change, rate)}{in_brackets(change, rate)}" if is_shown(change) else ""


def rate_or_none(record: Record | None) -> Cell:
    """Return a statistic as a table cell; "z" where there is none of this kind."""
    return Cell(symbol="z") if record is None else rate_of(record)


def untold(what: str, record: Record | None) -> str:
    """Say that something cannot be told, and why."""
    if record is not None and record["symbol"] == "c":
        return f"{what} cannot be told: the figures are hidden to protect small numbers."
    return f"{what} cannot be told: too few pupils are at the threshold."
