"""Rows of pupils who are followed: how many a group has, and what became of them. Counts that hold totals and parts alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from attendance_toolkit.intervals import wilson_interval
from attendance_toolkit.vocabulary.areas import Area
from attendance_toolkit.vocabulary.columns import ALL

#: Levels shown -> the levels of a column that each is made of.
Members = Mapping[str, Sequence[str]]


def topic_of(what: str, area: Area) -> str:
    """Return the topic of figures of pupils who are followed in an area: of each area one of its own.

    They do not add up over areas. A pupil who moves from one district of a combined authority to another has left the
    first and joined the second, but is followed on in both together, with the sessions of both.
    """
    return f"{what} in {area.name}"


def added_up(cells: pd.DataFrame, column: str, members: Members) -> pd.DataFrame:
    """Return cells with the levels of a column added up to those that are shown; a level may be in several of them.

    Parameters
    ----------
    cells
        Group columns and ``pupils``.

    >>> cells = pd.DataFrame({"outcome": ["a", "b"], "pupils": [3, 4]})
    >>> added_up(cells, "outcome", {"a": ["a"], "both": ["a", "b"]})["pupils"].tolist()
    [3, 7]
    """
    pairs = [(level, shown) for shown, levels in members.items() for level in levels]
    shown = pd.DataFrame(pairs, columns=[column, "shown"])
    found = cells.merge(shown, on=column).drop(columns=column).rename(columns={"shown": column})
    by = [name for name in cells.columns if name != "pupils"]
    return found.groupby(by, sort=False, observed=True)["pupils"].sum().reset_index()


def outcome_rows(sizes: pd.DataFrame, cells: pd.DataFrame, wanted: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Return MEASURE rows of groups of pupils: their number, and the share of them with each outcome.

    Parameters
    ----------
    sizes
        One row a group: its columns and ``pupils``, how many are in it.
    cells
        The columns of the groups, ``outcome`` and ``pupils``; an outcome nobody has may be left out.
    wanted
        One row for each group and outcome to be shown: those that are possible. With the outcome "All" a group's number
        alone is shown.
    measure
        The rate of an outcome, such as "flow_rate".

    Returns
    -------
    Rows of the measure ``pupils`` (outcome "All"), then those of the rate, with Wilson intervals and ``enrolments``, the
    size of the group. A group that is not among the sizes has nobody in it.
    """
    by = [name for name in wanted.columns if name != "outcome"]
    groups = _with_pupils(wanted[by].drop_duplicates(ignore_index=True), sizes, by)
    counted = groups.rename(columns={"pupils": "enrolments"})
    number = counted.assign(
        outcome=ALL, measure="pupils", numerator=counted["enrolments"], denominator=np.nan, rate=counted["enrolments"],
        lower=np.nan, upper=np.nan, symbol="",
    )  # fmt: skip
    wanted = wanted[wanted["outcome"] != ALL]
    rates = _with_pupils(wanted, cells, [*by, "outcome"]).rename(columns={"pupils": "numerator"}).merge(counted, on=by)
    rates["denominator"] = rates["enrolments"]
    some = rates["denominator"].where(rates["denominator"] > 0)
    rates["rate"] = rates["numerator"] / some
    rates["lower"], rates["upper"] = wilson_interval(rates["numerator"], rates["denominator"])
    rates["symbol"] = np.where(some.isna(), "z", "")
    return pd.concat([number, rates.assign(measure=measure)], ignore_index=True)[[*by, "outcome", *_COLUMNS]]


_COLUMNS = ("measure", "numerator", "denominator", "rate", "lower", "upper", "symbol", "enrolments")


def _with_pupils(wanted: pd.DataFrame, cells: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    found = wanted.merge(cells[[*by, "pupils"]], how="left", on=list(by), validate="one_to_one")
    return found.assign(pupils=found["pupils"].fillna(0.0).astype(float))
