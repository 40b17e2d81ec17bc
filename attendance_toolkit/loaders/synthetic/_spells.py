"""Lay absences as they really lie: in spells of some sessions, most from a morning on, with days at school between.

Each row is a stay of a pupil at a school in a half term. How often it has each code, and on which sessions it is marked, is
given; only the order of the codes is drawn here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attendance_toolkit.loaders.synthetic._parameters import CODES, COLUMN, Array

#: Share of spells that start in the morning where there is room.
MORNING_START = 0.85


@dataclass(frozen=True)
class SpellShape:
    """How the sessions of one code lie: longest spell, chance of a whole day, chance of another day."""

    most: int
    whole_day: float
    next_day: float


_SINGLE = SpellShape(1, 0.0, 0.0)
_ILL = SpellShape(10, 0.9, 0.4)
_DAYS = SpellShape(4, 0.85, 0.15)
_HOLIDAY = SpellShape(20, 0.98, 0.85)
_LASTING = SpellShape(60, 0.98, 0.95)
#: Lateness is of single mornings, illness of one to ten sessions, holidays and exclusions are longer.
SHAPES = {
    **dict.fromkeys("LU", _SINGLE),
    **dict.fromkeys("MJW", SpellShape(2, 0.25, 0.0)),
    "I": _ILL,
    **dict.fromkeys("GHET", _HOLIDAY),
    **dict.fromkeys("BSXY", _LASTING),
    **dict.fromkeys("ONCRPVD", _DAYS),
}


def spell_starts(row: Array, code: Array, rng: np.random.Generator) -> Array:
    """Return where a new spell begins, for sessions sorted by row and code: a boolean each.

    Sessions go in pairs, the two of a day; a pair may stay one spell, and the next pair may go on with it.
    """
    most = np.array([SHAPES.get(name, _DAYS).most for name in CODES])[code]
    whole = np.array([SHAPES.get(name, _DAYS).whole_day for name in CODES])[code]
    on = np.array([SHAPES.get(name, _DAYS).next_day for name in CODES])[code]
    fresh = np.ones(len(row), bool)
    fresh[1:] = (row[1:] != row[:-1]) | (code[1:] != code[:-1])
    at = _places(fresh)
    starts = fresh | (rng.random(len(row)) >= np.where(at % 2 == 1, whole, on))
    starts |= _places(starts) % most == 0
    return starts


def _places(starts: Array) -> Array:
    """Return the place of each session in its run, from 0."""
    first = np.flatnonzero(starts)
    found: Array = np.arange(len(starts)) - np.repeat(first, np.diff(np.append(first, len(starts))))
    return found


def lay_spells(
    counts: Array, is_morning: Array, weekday: Array, rng: np.random.Generator, *, friday_share: float = 0.0
) -> Array:
    r"""Return the codes of all rows, one row after the other, each in the order of its sessions.

    Parameters
    ----------
    counts
        Marks of each row (rows × codes in the order of CODES). ``/`` and ``\`` are taken together: the sessions without
        any other code get the one that belongs to them.
    is_morning, weekday
        Of the sessions of all rows, in their order; weekday 0 is Monday.
    friday_share
        Share of the spells that are moved on to the next Friday's morning where there is room: a planted excess.

    Returns
    -------
    Places in CODES.
    """
    totals = counts.sum(axis=1)
    offset = np.cumsum(totals) - totals
    codes = np.where(is_morning, COLUMN["/"], COLUMN["\\"]).astype(np.int8)
    other = counts.copy()
    other[:, [COLUMN["/"], COLUMN["\\"]]] = 0
    if not other.any():
        return codes
    cells = np.flatnonzero(other)
    unit_cell = np.repeat(cells, other.ravel()[cells])
    unit_row, unit_code = unit_cell // other.shape[1], unit_cell % other.shape[1]
    first = np.flatnonzero(spell_starts(unit_row, unit_code, rng))
    length = np.diff(np.append(first, len(unit_row)))
    row, code = unit_row[first], unit_code[first]
    order = np.lexsort((rng.random(len(row)), row))
    row, code, length = row[order], code[order], length[order]
    start = _place_spells(row, length, totals - other.sum(axis=1), offset, is_morning, weekday, rng, friday_share)
    within = np.arange(len(unit_row)) - np.repeat(np.cumsum(length) - length, length)
    codes[np.repeat(start, length) + within] = np.repeat(code, length)
    return codes


def _place_spells(
    row: Array, length: Array, present: Array, offset: Array, is_morning: Array, weekday: Array,
    rng: np.random.Generator, friday_share: float,
) -> Array:  # fmt: skip
    """Return the first session of each spell: spells of a row keep their order, and a present session between if they can."""
    new = np.ones(len(row), bool)
    new[1:] = row[1:] != row[:-1]
    number = _places(new)
    spells = np.bincount(row, minlength=len(present))[row]
    # Present sessions before a spell, of those that need not stand between two.
    between = np.where(present[row] >= spells - 1, 1, 0)
    free = present[row] - between * (spells - 1)
    before = np.floor(rng.random(len(row)) * (free + 1)).astype(np.int64)
    before = before[np.lexsort((before, row))]
    ahead = np.cumsum(length) - length
    ahead = ahead - np.repeat(ahead[new], np.diff(np.append(np.flatnonzero(new), len(row))))
    base = offset[row] + ahead + between * number
    last = len(is_morning) - 1

    def moved(by: Array) -> Array:
        """Return what stands before each spell when some wait longer; the later ones of the row wait with them."""
        wide = int(free.max()) + 1
        group = np.cumsum(new) - 1
        found: Array = np.maximum.accumulate(np.minimum(before + by, free) + group * wide) - group * wide
        return found

    if friday_share:
        start = base + before
        wait = _until_friday(is_morning, weekday)[np.minimum(start, last)]
        before = moved(np.where((rng.random(len(row)) < friday_share) & (before + wait <= free), wait, 0))
    start = base + before
    waits = ~is_morning[np.minimum(start, last)] & (rng.random(len(row)) < MORNING_START)
    before = moved(waits.astype(np.int64))
    found: Array = base + before
    return found


def _until_friday(is_morning: Array, weekday: Array) -> Array:
    """Return the number of sessions from each one to the next morning of a Friday; none left counts as very many."""
    friday = np.flatnonzero(is_morning & (weekday == 4))
    every = np.arange(len(is_morning))
    after = np.append(friday, 1 << 40)
    found: Array = after[np.searchsorted(friday, every)] - every
    return found
