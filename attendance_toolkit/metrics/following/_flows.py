"""Flows between bands from one period to the next: counts of pupils that add up to the rolls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.metrics.following.followed import ABSENT, ELSEWHERE, TOO_FEW, Array, Followed
from attendance_toolkit.vocabulary import outcomes as o

_REACHED_5, _FROM_DISTRICT, _JOINED = (o.BEFORE.index(name) for name in (o.REACHED_5, o.FROM_DISTRICT, o.JOINED))
_FINISHED, _TO_DISTRICT, _LEFT = (o.AFTER.index(name) for name in (o.FINISHED, o.TO_DISTRICT, o.LEFT))
#: Above so many combinations of groups, those that occur are numbered first.
_MANY = 1_000_000


def band_matrix(before: Array, after: Array, groups: Array | None = None, *, n_groups: int = 1) -> Array:
    """Return how many pupils were what before and what after, in each group.

    Parameters
    ----------
    before, after
        (M,) positions in ``outcomes.BEFORE`` and ``outcomes.AFTER``.
    groups
        (M,) whole numbers from 0 to ``n_groups`` - 1; one group if None.

    Returns
    -------
    (n_groups, 9, 9) counts: [group, before, after].

    >>> band_matrix(np.array([0, 0, 4]), np.array([0, 4, 4]))[0, [0, 0, 4], [0, 4, 4]].tolist()
    [1, 1, 1]
    """
    cell: Array = before.astype(np.int32 if n_groups <= _MANY else np.int64) * len(o.AFTER)
    cell += after
    if groups is not None:
        cell += groups.astype(cell.dtype) * (len(o.BEFORE) * len(o.AFTER))
    counts = np.bincount(cell, minlength=n_groups * len(o.BEFORE) * len(o.AFTER))
    return counts.reshape(n_groups, len(o.BEFORE), len(o.AFTER))


def flow_codes(followed: Followed, at: int) -> tuple[Array, Array]:
    """Return what each pupil was in the period ``at`` and is in the next, as positions in BEFORE and AFTER.

    Who is on the roll in neither is "Joined" and "Left", or the like: leave them out.
    """
    states, rules = followed.states, followed.rules
    before, after = states[:, at].copy(), states[:, at + 1].copy()
    gone, new = after == ABSENT, before == ABSENT
    before[states[:, at] == ELSEWHERE] = _FROM_DISTRICT
    after[states[:, at + 1] == ELSEWHERE] = _TO_DISTRICT
    before[new], after[gone] = _JOINED, _LEFT
    age = followed.age
    if rules.min_age is not None:
        before[new & (age[:, at] >= 0) & (age[:, at] < rules.min_age)] = _REACHED_5
    if rules.max_age is not None:
        after[gone & (age[:, at + 1] > rules.max_age)] = _FINISHED
    return before, after


def flow_cells(followed: Followed, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return how many pupils went from which band to which, between each two periods that follow each other at once.

    Everybody on the roll in either period is in exactly one cell: those not in the band before have joined, those not
    in a band after have left (``vocabulary.outcomes``).

    Parameters
    ----------
    followed
        Pupils followed by term or by year.
    by
        Characteristics, "la_code" or "laestab": of the later period, or of the earlier one if the pupil has gone.

    Returns
    -------
    pandas frame: academic_year (of the later period), step, band_before, band_after, the columns of ``by``, pupils.
    Cells without a pupil are left out.

    Raises
    ------
    UnknownColumnError
        The pupils are followed without a column of ``by``.
    """
    parts = []
    for at, step in followed.steps:
        before, after = flow_codes(followed, at)
        rows = np.flatnonzero((followed.states[:, at] <= TOO_FEW) | (followed.states[:, at + 1] <= TOO_FEW))
        keys = _of_flow(followed, at, rows, by)
        parts.append(_step_frame(followed, at, step, before[rows], after[rows], keys))
    return _stacked(parts, ["academic_year", "step", "band_before", "band_after", *dict.fromkeys(by), "pupils"])


def moves_cells(followed: Followed, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return how many pupils stayed at their school or changed it, between each two periods.

    Of pupils on a roll of the store in both periods, and of the area in at least one; the school is that with most
    sessions in the period. A change from primary to secondary school is a change too: with "nc_year" in ``by`` it can be
    told from others.

    Returns
    -------
    pandas frame: academic_year (of the later period), step, move (``outcomes.MOVES``), band_before, band_after, the
    columns of ``by``, pupils.
    """
    parts = []
    for at, step in followed.steps:
        first, second = followed.states[:, at], followed.states[:, at + 1]
        held = (first <= ELSEWHERE) & (second <= ELSEWHERE) & ((first <= TOO_FEW) | (second <= TOO_FEW))
        rows = np.flatnonzero(held)
        before, after = flow_codes(followed, at)
        keys = {"move": (_moves(followed, at, rows), o.MOVES)} | _of_flow(followed, at, rows, by)
        parts.append(_step_frame(followed, at, step, before[rows], after[rows], keys))
    names = ["academic_year", "step", "move", "band_before", "band_after", *dict.fromkeys(by), "pupils"]
    return _stacked(parts, names)


def _moves(followed: Followed, at: int, rows: Array) -> Array:
    la, laestab = followed.la[rows, at : at + 2], followed.laestab[rows, at : at + 2]
    found = np.full(len(rows), o.MOVES.index(o.OTHER_SCHOOL), np.int8)
    found[laestab[:, 0] == laestab[:, 1]] = o.MOVES.index(o.SAME_SCHOOL)
    # A pupil of another district is of none of the area's: -1.
    found[la[:, 0] != la[:, 1]] = o.MOVES.index(o.OTHER_DISTRICT)
    return found


Keys = dict[str, tuple[Array, Sequence[Any]]]


def _of_flow(followed: Followed, at: int, rows: Array, by: Sequence[str]) -> Keys:
    """Return the groups of a flow: of the later period, or of the earlier one if the pupil is not on the roll then."""
    period = np.where(followed.states[rows, at + 1] <= TOO_FEW, at + 1, at)
    found = {}
    for name in dict.fromkeys(by):
        codes, levels = followed.column(name)
        found[name] = (codes[rows, period], levels)
    return found


def numbered(keys: Keys, rows: int) -> tuple[Array, list[tuple[Any, ...]]]:
    """Return a number for each combination of groups, row by row, and the combinations that occur, in order."""
    number, size = np.zeros(rows, np.int64), 1
    for codes, levels in keys.values():
        number, size = number * len(levels) + codes, size * len(levels)
        if size > _MANY:
            # Numbered anew by rank, which keeps the order and the number small.
            ranks, number = np.unique(number, return_inverse=True)
            size = len(ranks)
    _, first, number = np.unique(number, return_index=True, return_inverse=True)
    chosen = [(codes[first], levels) for codes, levels in keys.values()]
    columns = [[levels[code] for code in codes.tolist()] for codes, levels in chosen]
    return number, list(zip(*columns, strict=True)) if columns else [()] * len(first)


def _step_frame(followed: Followed, at: int, step: str, before: Array, after: Array, keys: Keys) -> pd.DataFrame:
    groups, names = numbered(keys, len(before))
    counts = band_matrix(before, after, groups, n_groups=max(len(names), 1))
    group, first, second = np.nonzero(counts)
    found: dict[str, Any] = {
        name: [names[one][position] for one in group.tolist()] for position, name in enumerate(keys)
    }
    found |= {
        "academic_year": followed.periods[at + 1].academic_year,
        "step": step,
        "band_before": [o.BEFORE[code] for code in first.tolist()],
        "band_after": [o.AFTER[code] for code in second.tolist()],
        "pupils": counts[group, first, second].astype(np.int64),
    }
    return pd.DataFrame(found)


def _stacked(parts: list[pd.DataFrame], names: list[str]) -> pd.DataFrame:
    kept = [part for part in parts if len(part)]
    return pd.concat(kept, ignore_index=True)[names] if kept else pd.DataFrame(columns=names)
