"""A release as a reader has it: all cleared tables of all pages as one set of conditions, and a linear programme.

The reader knows how groups add up, where they do (the tests take that from the exact figures: the worst case), and
nothing else. No code of the toolkit does the sums here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from attendance_toolkit.disclosure.cleared import ClearedTables
from attendance_toolkit.errors import NoDataError

#: Area, year, phase, term, characteristic, level, what is counted.
Cell = tuple[str, int, str, str, str, str, str]
WHOLE = "pupils"
STATUS = {"persistent_absence_rate": "persistent", "severe_absence_rate": "severe", "no_absence_rate": "never absent"}
PHASES = ("Primary", "Secondary", "Special")
ALL, ALL_SCHOOLS, BOTH = "All", "All schools", "Primary and secondary"


def tables_of(seen: Path, audience: str) -> dict[tuple[str, str, str], pd.DataFrame]:
    """Return (report, area, table) -> rows of every table that notebooks of an audience were given."""
    found = {}
    for folder in sorted(seen.glob(f"*_{audience}")):
        opened = ClearedTables.open(folder)
        report, area = folder.name.removesuffix(f"_{audience}").rsplit("_", 1)
        for name in opened.names:
            try:
                found[(report, area, name)] = opened.table(name).rows
            except NoDataError:
                continue
    return found


def counts_of(tables: Mapping[tuple[str, str, str], pd.DataFrame]) -> pd.DataFrame:
    """Return what the tables say of numbers of pupils: a row for each cell and time it is said, with value and symbol."""
    found = []
    for key, rows in tables.items():
        if key[2] not in ("groups", "cards", "terms", "bands"):
            continue
        group = pd.DataFrame({"area": rows["area_code"].astype(str), "year": rows["academic_year"].astype(int)})
        for name, column, default in (
            ("phase", "phase", ALL_SCHOOLS), ("term", "term", ALL), ("characteristic", "characteristic", ALL),
            ("level", "level", ALL),
        ):  # fmt: skip
            group[name] = rows[column].astype(str) if column in rows else default
        measure = rows["measure"].astype(str)
        own = measure.map({**STATUS, "enrolments": WHOLE})
        if "band" in rows:
            own = own.where(measure != "band_rate", "band " + rows["band"].astype(str))
        symbol = rows["symbol"].astype(str)
        said = group.assign(count=own, value=rows["numerator"], symbol=symbol)
        found.append(said[own.notna()])
        # A shown rate says its denominator, too.
        sizes = group.assign(count=WHOLE, value=rows["denominator"], symbol=symbol)
        found.append(sizes[own.notna() & (own != WHOLE) & (symbol == "")])
    return pd.concat(found, ignore_index=True)


KEY = ["area", "year", "phase", "term", "characteristic", "level", "count"]


def exact_of(said: pd.DataFrame) -> dict[Cell, float]:
    """Return the exact count of each cell, from what the authority's own staff are shown; complements included."""
    known = said[said["symbol"] == ""]
    exact = {tuple(row[:-1]): float(row[-1]) for row in known[[*KEY, "value"]].itertuples(index=False)}
    exact |= {tuple(row): 0.0 for row in said.loc[said["symbol"] == "z", KEY].itertuples(index=False)}
    for cell, value in list(exact.items()):
        whole = exact.get((*cell[:-1], WHOLE))
        if cell[-1] in STATUS.values() and whole is not None:
            exact[(*cell[:-1], f"not {cell[-1]}")] = whole - value
    return exact


@dataclass
class Reader:
    """Unknown counts, what is shown of each, and sums of them. ``slack``: half of what counts are rounded to."""

    exact: Mapping[Cell, float]
    slack: float
    members: Mapping[str, tuple[str, ...]]
    bounds: dict[Cell, tuple[float, float]] = field(default_factory=dict)
    hidden: set[Cell] = field(default_factory=set)

    def reads(self, said: pd.DataFrame) -> Reader:
        """Take in what tables say."""
        for *key, value, symbol in said[[*KEY, "value", "symbol"]].itertuples(index=False):
            cell: Cell = tuple(key)  # type: ignore[assignment]
            low, high = self.bounds.get(cell, (0.0, np.inf))
            if symbol == "c":
                self.hidden.add(cell)
            elif symbol == "z":
                self.bounds[cell] = (0.0, 0.0)
            elif symbol == "":
                self.bounds[cell] = (max(low, value - self.slack), min(high, value + self.slack))
        self.hidden -= set(self.bounds)
        return self

    def sums(self) -> list[tuple[Cell, tuple[Cell, ...]]]:
        """Return the sums that hold of the exact counts: (total, parts)."""
        exact = self.exact
        levels: dict[tuple[str, int, str], set[str]] = {}
        for cell in exact:
            levels.setdefault((cell[0], cell[1], cell[4]), set()).add(cell[5])
        found: dict[tuple[Cell, tuple[Cell, ...]], None] = {}

        def add(total: Cell, parts: Iterable[Cell]) -> None:
            chosen = tuple(sorted(parts))
            is_known = total in exact and bool(chosen) and all(part in exact for part in chosen)
            if is_known and abs(exact[total] - sum(exact[part] for part in chosen)) < 0.5:
                found[(total, chosen)] = None

        for cell in exact:
            area, year, phase, term, dim, level, count = cell
            rest = (dim, level, count)
            if phase == ALL_SCHOOLS:
                add(cell, [(area, year, p, term, *rest) for p in PHASES])
                add(cell, [(area, year, p, term, *rest) for p in (BOTH, "Special")])
            if phase == BOTH:
                add(cell, [(area, year, p, term, *rest) for p in PHASES[:2]])
            if level == ALL:
                for name in {key[2] for key in levels if key[:2] == (area, year)} - {ALL}:
                    parts = levels[(area, year, name)] - {ALL, "Any SEN"}
                    add(cell, [p for v in parts if (p := (area, year, phase, term, name, v, count)) in exact])
            if level == "Any SEN":
                add(cell, [(area, year, phase, term, dim, v, count) for v in ("SEN support", "EHC plan")])
            if area in self.members:
                add(cell, [(part, *cell[1:]) for part in self.members[area]])
            if count == WHOLE:
                for status in STATUS.values():
                    add(cell, [(*cell[:-1], status), (*cell[:-1], f"not {status}")])
                add(cell, [c for c in exact if c[-1].startswith("band ") and c[:-1] == cell[:-1]] if dim == ALL else [])
        return list(found)

    def reaches(self, targets: Iterable[Cell]) -> dict[Cell, tuple[float, float]]:
        """Return the smallest and largest value of each target that fit all that is shown."""
        targets = list(targets)
        sums = self.sums()
        cells = dict.fromkeys(itertools.chain(targets, *((total, *parts) for total, parts in sums)))
        number = {cell: i for i, cell in enumerate(cells)}
        ends = np.array([self.bounds.get(cell, (0.0, np.inf)) for cell in cells])
        entries = [
            (i, number[cell], sign)
            for i, (total, parts) in enumerate(sums)
            for cell, sign in ((total, -1.0), *((part, 1.0) for part in parts))
        ]
        rows, columns, signs = zip(*entries, strict=True)
        matrix = csr_array((signs, (rows, columns)), shape=(len(sums), len(cells)))
        # Severe absentees are among the persistent ones; both are among the pupils.
        less = [
            (number[cell], number[above])
            for cell in cells
            if cell[-1] == "severe" and (above := (*cell[:-1], "persistent")) in number
        ]
        below = csr_array(
            (np.tile([1.0, -1.0], len(less)), (np.repeat(np.arange(len(less)), 2), np.ravel(less))),
            shape=(len(less), len(cells)),
        )
        conditions = [LinearConstraint(matrix, 0, 0), LinearConstraint(below, -np.inf, 0)]
        found = {}
        for cell in targets:
            reached = []
            for sign in (1.0, -1.0):
                cost = np.zeros(len(cells))
                cost[number[cell]] = sign
                answer = milp(cost, constraints=conditions, bounds=Bounds(ends[:, 0], ends[:, 1]))
                assert answer.status in (0, 3), f"what is shown contradicts itself: {answer.message}"
                reached.append(np.inf if answer.status == 3 else sign * answer.fun)
            found[cell] = (reached[0], reached[1])
        return found


def is_small(cell: Cell, exact: Mapping[Cell, float], threshold: int = 10) -> bool:
    """Return whether a count is one to be hidden for its own sake: few pupils, nobody of some, or all of them."""
    value, whole = exact[cell], exact.get((*cell[:-1], WHOLE), 0.0)
    if cell[-1] == WHOLE:
        return 0 < value < threshold
    return bool(whole) and (value < threshold or whole - value < threshold)


def naive(said: pd.DataFrame, exact: Mapping[Cell, float], close: Callable[[set[Cell]], set[Cell]]) -> pd.DataFrame:
    """Return the exact counts with the small ones blanked, and whatever ``close`` blanks with them."""
    cells = [tuple(row) for row in said[KEY].itertuples(index=False)]
    hidden = close({cell for cell in set(cells) if cell in exact and is_small(cell, exact)})
    shown = said.assign(value=[exact.get(cell, np.nan) for cell in cells])
    return shown.assign(symbol=["c" if cell in hidden else "" for cell in cells]).dropna(subset="value")


def once(
    sums: Iterable[tuple[Cell, tuple[Cell, ...]]], exact: Mapping[Cell, float]
) -> Callable[[set[Cell]], set[Cell]]:
    """Return the usual snippet: a lonely blank of a sum takes its smallest sibling with it, once."""

    def close(hidden: set[Cell]) -> set[Cell]:
        more = set(hidden)
        for total, parts in sums:
            lonely = [part for part in parts if part in more]
            if len(lonely) == 1 and total not in more and len(parts) > 1:
                more.add(min((part for part in parts if part not in more), key=lambda part: exact[part]))
        return more

    return close
