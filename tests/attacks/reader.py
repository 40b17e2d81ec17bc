"""A reader who knows how groups add up and adds nothing else to what is shown. No code of ours does the sums here.

The reader writes every count as an unknown, every sum of groups and every shown number as a condition, and asks scipy's
linear (or integer) programme for the smallest and the largest value of each hidden count.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS
from tests.attacks.world import LEVELS

#: Group (area, year and levels), and what is counted of it.
Cell = tuple[frozenset[tuple[str, str]], str]
WHOLE, POSSIBLE, ABSENT, ATTENDED = "enrolments", "sessions possible", "sessions absent", "sessions attended"
#: Measure -> what its numerator and its denominator count.
SAYS = {
    "enrolments": (WHOLE, ""),
    "persistent_absence_rate": ("persistent", WHOLE),
    "severe_absence_rate": ("severe", WHOLE),
    "overall_absence_rate": (ABSENT, POSSIBLE),
    "attendance_rate": (ATTENDED, POSSIBLE),
    "mean_sessions_missed": (ABSENT, WHOLE),
}
STATUS = ("persistent", "severe")


@dataclass
class Reader:
    """What a reader has: unknown counts with their possible values, and sums of them.

    Attributes
    ----------
    slack
        Shown counts may be this far from the exact ones: half of what they are rounded to.
    """

    slack: float = 0.0
    bounds: dict[Cell, tuple[float, float]] = field(default_factory=dict)
    hidden: set[Cell] = field(default_factory=set)
    sums: list[tuple[Cell, tuple[Cell, ...]]] = field(default_factory=list)
    _shapes: set[tuple[frozenset[tuple[str, str]], frozenset[str]]] = field(default_factory=set)

    def reads(self, rows: pd.DataFrame) -> Reader:
        """Take in a table as shown: numerators and denominators, and which rows are hidden."""
        dims = [name for name in LEVELS if name in rows.columns]
        for row in rows.to_dict("records"):
            levels = {(name, row[name]) for name in dims if row[name] not in (ALL, ALL_SCHOOLS)}
            fixed = frozenset((name, str(row[name])) for name in ("area_code", "academic_year") if name in row)
            group = fixed | frozenset(levels)
            self._shapes.add((fixed, frozenset(name for name, _ in levels)))
            if row["measure"] in SAYS:
                for count, column in zip(SAYS[row["measure"]], ("numerator", "denominator"), strict=True):
                    # A hidden row hides its numerator; whether its denominator is known other rows say.
                    if count and (column == "numerator" or row["symbol"] == ""):
                        self._learn((group, count), row, column)
        return self

    def knows(self, cell: Cell, value: float) -> None:
        """Take in a count from elsewhere."""
        self.bounds[cell] = (value, value)

    def _learn(self, cell: Cell, row: Mapping[str, object], column: str) -> None:
        if row["symbol"] == "c":
            self.hidden.add(cell)
        elif row["symbol"] == "z":
            self.knows(cell, 0)
        elif row["symbol"] == "":
            value = float(row[column])  # type: ignore[arg-type]
            low, high = self.bounds.get(cell, (0.0, math.inf))
            self.bounds[cell] = (max(low, value - self.slack), min(high, value + self.slack))

    def reaches(self, cells: Iterable[Cell] | None = None, *, integer: bool = False) -> dict[Cell, tuple[float, float]]:
        """Return the smallest and largest value of each hidden count that fit everything shown."""
        number, sums = self._system()
        low = np.zeros(len(number))
        high = np.full(len(number), np.inf)
        for cell, (least, most) in self.bounds.items():
            low[number[cell]], high[number[cell]] = max(least, 0), most
        matrix = csr_array((len(sums), len(number)))
        if sums:
            entries = [
                (i, number[c], s)
                for i, (t, parts) in enumerate(sums)
                for c, s in [(t, -1.0), *((p, 1.0) for p in parts)]
            ]
            rows, columns, signs = zip(*entries, strict=True)
            matrix = csr_array((signs, (rows, columns)), shape=(len(sums), len(number)))
        found = {}
        for cell in self.hidden if cells is None else cells:
            ends = []
            for sign in (1.0, -1.0):
                cost = np.zeros(len(number))
                cost[number[cell]] = sign
                answer = milp(
                    cost,
                    constraints=LinearConstraint(matrix, 0, 0),
                    bounds=Bounds(low, high),
                    integrality=np.full(len(number), int(integer)),
                )
                assert answer.status in (0, 3), answer.message
                ends.append(math.inf if answer.status == 3 else sign * answer.fun)
            found[cell] = (ends[0], ends[1])
        return found

    def _system(self) -> tuple[dict[Cell, int], list[tuple[Cell, tuple[Cell, ...]]]]:
        """Return a number for each unknown, and the sums: over levels, and of a status with its complement."""
        groups: set[frozenset[tuple[str, str]]] = set()
        sums = list(self.sums)
        counts = [WHOLE, *sorted({count for _, count in (*self.bounds, *self.hidden)} - {WHOLE})]
        for fixed, shape in self._shapes:
            for size in range(len(shape) + 1):
                for chosen in itertools.combinations(sorted(shape), size):
                    for levels in itertools.product(*(LEVELS[name] for name in chosen)):
                        groups.add(fixed | frozenset(zip(chosen, levels, strict=True)))
        for group in sorted(groups, key=sorted):
            present = {name for name, _ in group}
            for name in sorted(set(LEVELS) - present):
                parts = [group | {(name, level)} for level in LEVELS[name]]
                if all(part in groups for part in parts):
                    sums += [((group, count), tuple((part, count) for part in parts)) for count in counts]
            for count in STATUS:
                if count in counts:
                    sums.append(((group, WHOLE), ((group, count), (group, f"not {count}"))))
            if {"persistent", "severe"} <= set(counts):
                sums.append(((group, "persistent"), ((group, "severe"), (group, "persistent, not severe"))))
            if POSSIBLE in counts:
                sums.append(((group, POSSIBLE), ((group, ABSENT), (group, ATTENDED))))
        number: dict[Cell, int] = {}
        for cell in itertools.chain(self.bounds, self.hidden, *((total, *parts) for total, parts in sums)):
            number.setdefault(cell, len(number))
        return number, sums


def true_counts(pupils: pd.DataFrame) -> Callable[[Cell], int]:
    """Return a function that counts pupils by hand: what the reader is after."""
    status = {
        WHOLE: pd.Series(1, index=pupils.index),
        "persistent": pupils["absent"] * 10 >= pupils["possible"],
        "severe": pupils["absent"] * 2 >= pupils["possible"],
        POSSIBLE: pupils["possible"],
        ABSENT: pupils["absent"],
        ATTENDED: pupils["possible"] - pupils["absent"],
    }

    def count(cell: Cell) -> int:
        chosen = pd.Series(True, index=pupils.index)
        for name, level in cell[0]:
            chosen &= pupils[name].astype(str) == level
        return int(status[cell[1]][chosen].sum())

    return count


def solved(reaches: Mapping[Cell, tuple[float, float]]) -> int:
    """Return how many hidden counts have one possible value left."""
    return sum(high - low < 1 - 1e-6 for low, high in reaches.values())


def narrow(reaches: Mapping[Cell, tuple[float, float]], width: float) -> int:
    """Return how many hidden counts are known more closely than to a range of ``width``."""
    return sum(high - low < width - 1e-6 for low, high in reaches.values())


def small(
    reaches: Mapping[Cell, tuple[float, float]], count: Callable[[Cell], int], threshold: int = 10
) -> dict[Cell, tuple[float, float]]:
    """Return those that are hidden for their own sake: few pupils, nobody, or everybody but few."""
    found = {}
    for cell, ends in reaches.items():
        group, what = cell
        size = count((group, WHOLE))
        if what not in (WHOLE, *STATUS):
            continue
        if size and (count(cell) < threshold or (what != WHOLE and size - count(cell) < threshold)):
            found[cell] = ends
    return found


def reading(tables: Mapping[str, pd.DataFrame], slack: float = 0.0) -> Reader:
    """Return a reader of all tables together."""
    reader = Reader(slack)
    for rows in tables.values():
        reader.reads(rows)
    return reader
