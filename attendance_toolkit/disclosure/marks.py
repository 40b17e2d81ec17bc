"""Which marks, ranks and colours may be shown: one for each school, a list of the highest, a heat map's classes.

A school's figure is a figure like any other and is cleared by a release. The functions here take cleared rows, with
missing numbers beside a symbol, wherever an order or a scale could say more than the figures themselves; only
``safe_dots`` and ``single_unit_cells`` take exact counts. Sources: disclosure rules as in ``disclosure.distributions``;
Handbook on Statistical Disclosure Control for Outputs, 2nd edition (dominance, units as well as persons).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from attendance_toolkit.disclosure.distributions import to_base
from attendance_toolkit.disclosure.policy import Policy
from attendance_toolkit.errors import DisclosureError
from attendance_toolkit.intervals import wilson_interval

_NUMBERS = ("numerator", "denominator", "rate", "lower", "upper")


def safe_dots(rows: pd.DataFrame, policy: Policy, *, label: str) -> pd.DataFrame:
    """Return one row for each school (or other unit), as a dot or a point of a funnel may show it.

    A dot needs ``threshold`` pupils, as many that the numerator counts and as many it does not. Both places of a dot
    come from rounded counts, so that reading them off gives no more than the table. Rows stand by name: no order of
    exact figures is left.

    Parameters
    ----------
    rows
        One row a unit with ``label``, ``numerator`` and ``denominator``, exact.

    Returns
    -------
    ``label``, ``numerator``, ``denominator`` (the funnel's horizontal place), ``rate``, ``lower``, ``upper`` and
    ``symbol``: "c" hidden, "z" no pupils; those have no numbers.

    >>> from attendance_toolkit.disclosure.policy import SHARED
    >>> rows = pd.DataFrame({"school": ["Oak", "Ash"], "numerator": [4.0, 52.0], "denominator": [90.0, 208.0]})
    >>> safe_dots(rows, SHARED, label="school")[["school", "rate", "symbol"]].to_numpy().tolist()
    [['Ash', 0.23809523809523808, ''], ['Oak', nan, 'c']]
    """
    found = rows[[label, "numerator", "denominator"]].sort_values(label, kind="stable").reset_index(drop=True)
    count, size = found["numerator"].astype(float), found["denominator"].astype(float)
    shown = size > 0
    if policy.threshold is not None:
        shown &= (count >= policy.threshold) & (size - count >= policy.threshold)
    found["numerator"] = to_base(count, policy.rounding)
    found["denominator"] = to_base(size, policy.rounding)
    found["rate"] = found["numerator"] / found["denominator"].where(shown)
    found["lower"], found["upper"] = wilson_interval(found["numerator"], found["denominator"])
    found.loc[~shown, list(_NUMBERS)] = np.nan
    return found.assign(symbol=np.where(shown, "", np.where(size > 0, "c", "z")))


def single_unit_cells(counts_of_schools: pd.Series, *, least: int = 3) -> pd.Series:
    """Return which totals are as good as one school's own figure: those of one school, or of two.

    The one special school of an authority is the row "Special"; of two schools each can take its own figure away.
    Where a policy keeps figures of single schools from readers, these cells are hidden like small ones.

    Parameters
    ----------
    counts_of_schools
        Schools behind each total; 0 or missing for none.
    least
        The number of schools from which a total may be shown.

    >>> single_unit_cells(pd.Series({"Primary": 61, "Special": 1, "Pupil referral unit": 0})).tolist()
    [False, True, False]
    """
    schools = counts_of_schools.fillna(0)
    return (schools > 0) & (schools < least)


@dataclass(frozen=True)
class Ranking:
    """A list of the highest (or lowest) among the figures that may be shown.

    Attributes
    ----------
    rows
        The cleared rows listed, with ``rank``: the same for equal figures, counted among the shown ones.
    not_ranked
        Names of the hidden ones, by name.
    note
        What stands below the list.
    """

    rows: pd.DataFrame
    not_ranked: tuple[Hashable, ...]
    note: str


def top_n(
    rows: pd.DataFrame, n: int, by: str = "rate", *, label: str, lowest: bool = False, among_all: bool = False
) -> Ranking:
    """Return the n highest of the shown figures; equal ones share their rank, so that the list may be longer.

    Hidden figures are named apart, by name. Nothing follows for them: they may lie anywhere.

    Parameters
    ----------
    rows
        Cleared MEASURE rows, one a unit.
    by
        "rate" or "numerator": a column of cleared figures.
    among_all
        The list is to say which rank each has among all units. With a hidden one that would bound its figure.

    Raises
    ------
    DisclosureError
        A hidden row still carries a number, ``by`` is no cleared figure, or ranks among all units are asked for while
        some are hidden.
    ValueError
        ``n`` is not positive.

    >>> rows = pd.DataFrame({"school": ["Oak", "Ash", "Elm", "Yew"], "rate": [0.2, 0.3, math.nan, 0.2],
    ...     "symbol": ["", "", "c", ""]})
    >>> found = top_n(rows, 2, label="school")
    >>> found.rows[["school", "rank"]].to_numpy().tolist(), found.not_ranked
    ([['Ash', 1], ['Oak', 2], ['Yew', 2]], ('Elm',))
    >>> found.note
    'Ranked among the 3 whose figures can be shown. 1 is hidden to protect small numbers and not ranked.'
    """
    if n < 1:
        raise ValueError(f"A list of {n} cannot be made.")
    if by not in ("rate", "numerator"):
        raise DisclosureError(f"A list can be ranked by rate or numerator, not by '{by}', which nobody has cleared.")
    hidden = rows["symbol"] != ""
    numbers = [name for name in _NUMBERS if name in rows.columns]
    if rows.loc[hidden, numbers].notna().to_numpy().any():
        raise DisclosureError("A hidden row still carries a number. Rank the rows of a cleared table.")
    protected = rows["symbol"] == "c"
    if among_all and protected.any():
        raise DisclosureError(
            f"{int(protected.sum())} of {len(rows)} figures are hidden: a rank among all would say where they lie."
            " Rank among those that can be shown, or show the list without ranks, by name."
        )
    shown = rows[~hidden].copy()
    shown["rank"] = shown[by].rank(method="min", ascending=lowest).astype(int)
    listed = shown[shown["rank"] <= n].sort_values(["rank", label], kind="stable").reset_index(drop=True)
    left_out = tuple(sorted(rows.loc[protected, label], key=str))
    note = f"Ranked among the {len(shown)} whose figures can be shown."
    if left_out:
        verb = "is" if len(left_out) == 1 else "are"
        note += f" {len(left_out)} {verb} hidden to protect small numbers and not ranked."
    return Ranking(listed, left_out, note)


def heat_classes(
    rates: ArrayLike, symbols: ArrayLike, *, classes: int = 5
) -> tuple[NDArray[np.int64], tuple[float, ...]]:
    """Return the colour class of each cell of a heat map, and the edges between the classes.

    The edges are round numbers that hold the shown figures; a hidden figure moves none of them. Cells without a
    figure, hidden or empty, have the class -1 and look alike: their symbol says which is which.

    Parameters
    ----------
    rates, symbols
        Of one shape: cleared rates, and "" where one is shown.
    classes
        At most how many colours.

    Returns
    -------
    classes (from 0, or -1), and the edges, one more than there are colours; none where nothing is shown.

    Raises
    ------
    DisclosureError
        A hidden cell still carries a number.

    >>> heat_classes([0.11, math.nan, 0.29], ["", "c", ""], classes=4)
    (array([ 0, -1,  3]), (0.1, 0.15, 0.2, 0.25, 0.3))
    """
    values, marks = np.asarray(rates, dtype=float), np.asarray(symbols, dtype=object)
    shown = (marks == "").astype(bool)
    if not np.isnan(values[~shown]).all():
        raise DisclosureError(
            "A hidden cell of the heat map still carries a number. Colour the rows of a cleared table."
        )
    shown &= ~np.isnan(values)
    found = np.full(values.shape, -1, dtype=np.int64)
    if not shown.any():
        return found, ()
    edges = _round_edges(float(values[shown].min()), float(values[shown].max()), classes)
    found[shown] = np.clip(np.searchsorted(edges, values[shown], side="right") - 1, 0, len(edges) - 2)
    return found, tuple(float(edge) for edge in edges)


def _round_edges(low: float, high: float, classes: int) -> Sequence[float]:
    """Return evenly spaced round numbers from at most ``low`` to at least ``high``, with the smallest step that does."""
    span = high - low if high - low > 1e-6 else max(abs(high), 1e-6)
    power = math.floor(math.log10(span / classes))
    for step in (factor * 10.0**exponent for exponent in range(power, power + 3) for factor in (1, 2, 2.5, 5)):
        first, last = (
            math.floor(low / step + 1e-9),
            max(math.ceil(high / step - 1e-9), math.floor(low / step + 1e-9) + 1),
        )
        if last - first <= classes:
            return [round(step * i, 12) for i in range(first, last + 1)]
    raise AssertionError("a step of a hundred times the span holds everything")
