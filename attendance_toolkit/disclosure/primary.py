"""Which cells are small or sensitive by themselves: the rules that need no other cell of the release."""

from __future__ import annotations

import numpy as np
import pandas as pd

from attendance_toolkit.disclosure import counts
from attendance_toolkit.disclosure.policy import Policy
from attendance_toolkit.disclosure.registry import Registry

#: Sum of squares over square of sum: below this no two pupils can hold 90 % of a sum, since 2 * 0.45^2 = 0.405.
CONCENTRATED = 0.405

SMALL_GROUP = "a group of few pupils"
FEW = "few pupils of a group, or none"
ALL_BUT_FEW = "all pupils of a group, or all but few"
FEW_CONTRIBUTE = "sessions of few pupils"
ONE_OR_TWO = "one or two pupils may make up most of the sessions"


def enrolments_of(registry: Registry) -> pd.Series:
    """Return the enrolments of each cell's group (missing where no table says them), by cell."""
    cells = registry.cells
    sizes = cells[cells["count"] == counts.ENROLMENTS].set_index("group")["value"]
    return cells["group"].map(sizes)


def empty(registry: Registry) -> pd.Series:
    """Return which cells are of groups nobody is in: everybody is shown that, so they hide nothing."""
    return (enrolments_of(registry) == 0) & (registry.cells["kind"] != "left over")


def small_pupils(registry: Registry, policy: Policy) -> pd.Series:
    """Return why each count of pupils is to be hidden for its own sake; empty where it is not, and for sessions.

    A group is small with 1 to threshold - 1 pupils. A status is small if fewer than threshold of a group have it,
    nobody included; the complement is a cell of its own (``not:``).
    """
    cells = registry.cells
    why = pd.Series("", index=cells.index)
    if policy.threshold is None:
        return why
    pupils = ~cells["is_sessions"]
    is_group = cells["count"] == counts.ENROLMENTS
    few = cells["value"] < policy.threshold
    why[pupils & is_group & few & (cells["value"] > 0)] = SMALL_GROUP
    status = pupils & ~is_group & few & (enrolments_of(registry) != 0)
    is_complement = cells["count"].str.startswith("not:")
    why[status] = FEW
    why[status & is_complement] = ALL_BUT_FEW
    return why


def small_sessions(registry: Registry, policy: Policy) -> pd.Series:
    """Return why each sum of sessions is to be hidden for its own sake, apart from the size of its group.

    Fewer sessions than the threshold are of fewer pupils, whoever they are. No session at all is of nobody, and is
    hidden only where it says the same of each pupil of the group: nobody missed any, nobody attended any.
    """
    cells = registry.cells
    why = pd.Series("", index=cells.index)
    if policy.threshold is None:
        return why
    asked = cells["is_sessions"] & (cells["kind"] == "asked for") & ~empty(registry)
    of_all = cells["count"].isin(["sessions_absent", "sessions_attended"])
    people = np.minimum(cells["contributors"].fillna(cells["value"]), cells["value"])
    why[asked & (cells["concentration"] >= CONCENTRATED)] = ONE_OR_TWO
    why[asked & (people < policy.threshold) & ((cells["value"] > 0) | of_all)] = FEW_CONTRIBUTE
    return why


def follows(registry: Registry, hidden: pd.Series) -> pd.Series:
    """Return which sums of sessions are hidden because a count of pupils is.

    Sessions of a group tell its size (a school year has about as many for each pupil), and sessions of its
    persistent absentees tell how many those are.
    """
    cells = registry.cells
    found = pd.Series(False, index=cells.index)
    for ending, count in (("", counts.ENROLMENTS), ("_persistent", counts.PERSISTENT), ("_severe", counts.SEVERE)):
        of_group = set(cells.loc[hidden & (cells["count"] == count), "group"])
        concerned = cells["is_sessions"] & cells["group"].isin(of_group)
        found |= concerned & (cells["count"].str.endswith(ending) if ending else True)
    return found


def session_width(registry: Registry, policy: Policy) -> np.ndarray:
    """Return how closely nobody may know a sum of sessions: what ``width`` of its pupils have on average, 10 % at least."""
    cells = registry.cells
    people = cells["contributors"].fillna(enrolments_of(registry)).fillna(policy.width)
    value = cells["value"].to_numpy(dtype=float)
    few = np.maximum(np.minimum(people.to_numpy(dtype=float), value), policy.width)
    return np.maximum(np.floor(value * np.maximum(policy.width / few, 0.1)), 1.0)
