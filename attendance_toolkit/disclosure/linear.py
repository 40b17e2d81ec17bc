"""Counts tied together by sums, as arrays: the cells, the sums, and who knows or sees which of them.

Nothing here knows about pupils or files. ``release`` turns the counts of a whole release into one `System`,
``suppress`` chooses what to hide in it, ``attack`` tries to work the hidden counts out again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from attendance_toolkit.errors import DisclosureError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IndexArray = NDArray[np.intp]

#: Relative error up to which the parts of a sum are taken to add up to its total.
TOLERANCE = 1e-7


@dataclass(frozen=True)
class System:
    """Cells and the sums between them.

    Attributes
    ----------
    values
        (n,) The exact value of each cell, 0 or more.
    equations
        (m, n) Sparse rows that each add up to 0 over the values: +1 for a part, -1 for the total.
    movable
        (n,) False where everybody knows the exact value: published figures, and groups nobody is in.
    free
        (n,) True where the cell is never shown to anybody, so that hiding it costs nothing.
    weight
        (n,) What it costs to hide a cell, above 0. See `hiding_cost`.

    Raises
    ------
    DisclosureError
        The arrays differ in length, a value is negative or missing, or a sum does not hold.

    >>> from attendance_toolkit.disclosure.linear import sums
    >>> system = System.of([3, 20, 23], sums([([0, 1], 2)], 3))
    >>> system.equations.toarray().tolist()
    [[1.0, 1.0, -1.0]]
    """

    values: FloatArray
    equations: Any
    movable: BoolArray
    free: BoolArray
    weight: FloatArray

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "values", np.asarray(self.values, dtype=float))
        set_(self, "equations", csr_array(self.equations, dtype=float))
        set_(self, "movable", np.asarray(self.movable, dtype=bool))
        set_(self, "free", np.asarray(self.free, dtype=bool))
        set_(self, "weight", np.asarray(self.weight, dtype=float))
        n = len(self.values)
        lengths = {len(self.movable), len(self.free), len(self.weight), self.equations.shape[1]}
        if lengths != {n}:
            raise DisclosureError(f"A system of {n} cells has arrays of other lengths: {sorted(lengths - {n})}.")
        for name, array, ok in (
            ("value", self.values, np.isfinite(self.values) & (self.values >= 0)),
            ("weight", self.weight, np.isfinite(self.weight) & (self.weight > 0)),
        ):
            if not ok.all():
                first = int(np.flatnonzero(~ok)[0])
                raise DisclosureError(f"Cell {first} has the {name} {array[first]}: it has to be a number, 0 or more.")
        _check_sums(self.values, self.equations)

    @classmethod
    def of(
        cls,
        values: ArrayLike,
        equations: Any,
        *,
        movable: ArrayLike | None = None,
        free: ArrayLike | None = None,
        weight: ArrayLike | None = None,
    ) -> System:
        """Return a system, with every cell movable, none free and the usual costs unless others are given."""
        exact = np.asarray(values, dtype=float)
        return cls(
            exact,
            equations,
            np.ones(len(exact), dtype=bool) if movable is None else np.asarray(movable, dtype=bool),
            np.zeros(len(exact), dtype=bool) if free is None else np.asarray(free, dtype=bool),
            hiding_cost(exact, equations) if weight is None else np.asarray(weight, dtype=float),
        )

    @property
    def is_whole(self) -> bool:
        """Whether every value is a whole number, as counts of pupils and of sessions are."""
        return bool((self.values == np.rint(self.values)).all())

    def components(self) -> list[IndexArray]:
        """Return the cells of each connected part, largest part first.

        Cells are connected by the sums they stand in together. A cell that everybody knows connects nothing:
        it is a constant of its sums. Academic years therefore fall apart by themselves.
        """
        return connected_cells(self.equations, self.movable)

    def parts(self) -> list[Part]:
        """Return each connected part as a small system of its own, largest first."""
        parts = []
        for cells in self.components():
            rows = self.equations[:, cells]
            changes = rows[np.flatnonzero(np.diff(rows.indptr))]
            parts.append(Part(cells, self.values[cells], changes, self.free[cells], self.weight[cells]))
        return parts


@dataclass(frozen=True)
class Part:
    """The movable cells of one connected part of a `System`.

    Attributes
    ----------
    cells
        (k,) Positions of the cells in the system.
    changes
        (r, k) Equations every change of the cells has to fulfil: ``changes @ d == 0``. (The values themselves need
        not add up to 0: cells that everybody knows are left out, because they do not change.)
    values, free, weight
        (k,) As in `System`.
    """

    cells: IndexArray
    values: FloatArray
    changes: Any
    free: BoolArray
    weight: FloatArray


def sums(lines: Iterable[tuple[Iterable[int], int]], cells: int) -> Any:
    """Return the equations (m, cells) of lines, each the positions of its parts and of its total.

    >>> sums([([0, 1], 2), ([2, 3], 4)], 5).toarray().astype(int).tolist()
    [[1, 1, -1, 0, 0], [0, 0, 1, 1, -1]]
    """
    rows: list[int] = []
    columns: list[int] = []
    signs: list[float] = []
    number = 0
    for parts, total in lines:
        for cell, sign in [*((part, 1.0) for part in parts), (total, -1.0)]:
            rows.append(number)
            columns.append(cell)
            signs.append(sign)
        number += 1
    return csr_array(coo_array((signs, (rows, columns)), shape=(number, cells)))


def hiding_cost(values: ArrayLike, equations: Any) -> FloatArray:
    """Return what it costs to hide each cell: more for large counts, three times as much for each sum it totals.

    The cost is (1 + log(1 + x)) * 3^totals: readers miss the total of an authority more than one of its parts.

    >>> hiding_cost([0, 99, 99], sums([([0, 1], 2)], 3)).round(2).tolist()
    [1.0, 5.61, 16.82]
    """
    totals = np.asarray((csr_array(equations) < 0).sum(axis=0)).ravel()
    return (1 + np.log1p(np.maximum(np.asarray(values, dtype=float), 0.0))) * 3.0**totals


def connected_cells(equations: Any, chosen: BoolArray) -> list[IndexArray]:
    """Return groups of the chosen cells that the equations tie together, largest first, each in rising order.

    >>> [c.tolist() for c in connected_cells(sums([([0, 1], 2), ([3, 4], 2)], 6), np.array([1, 1, 0, 1, 1, 1]) > 0)]
    [[0, 1], [3, 4], [5]]
    """
    cells = np.flatnonzero(chosen)
    if not len(cells):
        return []
    among = csr_array(equations)[:, cells]
    m, n = among.shape
    entries = coo_array(among)
    graph = coo_array((np.ones(entries.nnz), (entries.coords[0], entries.coords[1] + m)), shape=(m + n, m + n))
    labels = connected_components(graph, directed=False)[1][m:]
    order = np.argsort(labels, kind="stable")
    groups = np.split(cells[order], np.flatnonzero(np.diff(labels[order])) + 1)
    return sorted(groups, key=lambda group: (-len(group), int(group[0])))


def _check_sums(values: FloatArray, equations: Any) -> None:
    missed = equations @ values
    allowed = TOLERANCE * np.maximum(1.0, abs(equations) @ values)
    wrong = np.flatnonzero(np.abs(missed) > allowed)
    if len(wrong):
        first = int(wrong[0])
        cells = equations.indices[equations.indptr[first] : equations.indptr[first + 1]]
        raise DisclosureError(
            f"{len(wrong)} sums do not hold; the first is over the cells {', '.join(map(str, cells[:12]))} and misses"
            f" its total by {missed[first]:g}. Figures of one release that contradict each other cannot be protected."
        )
