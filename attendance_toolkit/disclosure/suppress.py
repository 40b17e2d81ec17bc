"""Which further cells to hide so that no small count can be worked out from the sums around it.

For each cell to be protected, and each direction, one linear programme finds the cheapest *movement*: changes of
cells under which every sum still holds, no count falls below 0 and the cell itself moves by the width asked. The cells
that move are hidden with it. Exact figures x and moved figures x + d then agree on everything that is shown, so a
reader cannot tell them apart: each movement is kept as a *witness*, and `check_witnesses` proves the protection from
the witnesses alone.

The idea is Kelly, Golden and Assad (1992), Cell suppression: disclosure protection for sensitive tabular data,
Networks 22, 397, with the linear relaxation for linked tables of Fischetti and Salazar (2001), Solving the cell
suppression problem on tabular data with linear constraints, Management Science 47, 1008. It hides few cells, not the
fewest: that would be an integer programme of the whole release.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array, hstack, vstack

from attendance_toolkit.disclosure.linear import BoolArray, FloatArray, IndexArray, Part, System
from attendance_toolkit.errors import DisclosureError

#: Cells protected by one linear programme.
BATCH = 3
#: What moving a cell costs that is hidden anyway: not nothing, or movements would wander.
_HIDDEN_COST = 1e-3
#: Changes below this (in units of the width / 5) are the solver's noise.
_NOISE = 1e-6
#: A programme for many cells is tried again with those that did not move if one in so many did.
_WORTH_ANOTHER = 20
#: Seconds after which a programme is given up, and what scipy calls that.
_SECONDS = 30.0
_OUT_OF_TIME = 1
#: Seconds after which the search for a movement in whole numbers is given up, and the cells of the largest part
#: that is searched as a whole.
_WHOLE_SECONDS = 5.0
_WHOLE_CELLS = 1_000

#: The cells that move, and by how much.
Movement = tuple[IndexArray, FloatArray]


@dataclass(frozen=True)
class Suppression:
    """What is hidden, and the proof.

    Attributes
    ----------
    hidden
        (n,) Cells that must not be shown: primary, secondary, and those asked for as ``sliding``.
    primary, sliding, width
        (n,) What was asked: see `suppress`.
    witnesses
        (w, n) Sparse movements: the exact values and the values plus any row agree on everything that is shown.
    unprotected
        Cells asked for that cannot be protected as asked, because too much around them is known.
    narrow
        Secondary cells that move, but by less than their width: not confidential themselves.
    reach
        For each cell of ``unprotected`` and ``narrow``: the lowest and highest value the witnesses prove possible.
    """

    hidden: BoolArray
    primary: BoolArray
    sliding: BoolArray
    width: FloatArray
    witnesses: Any
    unprotected: tuple[int, ...] = ()
    narrow: tuple[int, ...] = ()
    reach: Mapping[int, tuple[float, float]] = field(default_factory=dict)

    @property
    def secondary(self) -> BoolArray:
        """Cells hidden only to protect others."""
        return self.hidden & ~self.primary & ~self.sliding


@dataclass(frozen=True)
class WitnessFailure:
    """Something the witnesses do not prove: the cell (or the witness) and why."""

    cell: int | None
    witness: int | None
    reason: str


def suppress(
    system: System,
    primary: ArrayLike,
    *,
    width: ArrayLike = 5.0,
    sliding: ArrayLike | None = None,
    batch: int = BATCH,
) -> Suppression:
    """Return which cells to hide so that every primary cell stays uncertain by the width.

    Parameters
    ----------
    system
        Cells and sums. Values of different kinds (pupils, sessions) may stand in one system.
    primary
        (n,) Cells that must not be known: each has to be able to rise by its width, and to fall by its width or
        to 0.
    width
        The width asked of each cell, one number or (n,).
    sliding
        (n,) Further cells that are hidden from the start, for which an interval as wide as the width is enough,
        wherever it lies. Use it for the other side of a small count: "97 of 100" is hidden with "3 of 100", and
        asking that it may rise by 5 would hide the 100 as well.
    batch
        Cells protected by one linear programme. 1 is slower and hides a little less.

    Returns
    -------
    Suppression
        Secondary cells get an interval as wide as their width too, where that is possible.

    Raises
    ------
    DisclosureError
        The arrays do not fit the system, or a width is not above 0.

    >>> from attendance_toolkit.disclosure.linear import sums
    >>> # Two areas by two levels with their totals; 3 is small.
    >>> system = System.of([3, 20, 23, 30, 17, 47, 33, 37, 70], sums(
    ...     [([0, 1], 2), ([3, 4], 5), ([6, 7], 8), ([0, 3], 6), ([1, 4], 7), ([2, 5], 8)], 9))
    >>> found = suppress(system, np.arange(9) == 0)
    >>> np.flatnonzero(found.hidden).tolist()
    [0, 1, 3, 4]
    """
    n = len(system.values)
    asked = np.asarray(primary, dtype=bool)
    slide = np.zeros(n, dtype=bool) if sliding is None else np.asarray(sliding, dtype=bool)
    widths = np.broadcast_to(np.asarray(width, dtype=float), (n,)).copy()
    if asked.shape != (n,) or slide.shape != (n,):
        raise DisclosureError(f"A system of {n} cells needs masks of the same length.")
    slide = slide & ~asked
    if not (np.isfinite(widths) & (widths > 0)).all():
        raise DisclosureError("Every width has to be a number above 0.")
    hidden = asked | slide
    witnesses: list[Any] = []
    low, high = system.values.copy(), system.values.copy()
    for part in system.parts():
        cells = part.cells
        if not hidden[cells].any():
            continue
        work = PartSuppression(part, asked[cells], slide[cells], widths[cells], system.is_whole, batch)
        work.run()
        hidden[cells] |= work.hidden
        low[cells], high[cells] = part.values - work.down, part.values + work.up
        witnesses += [_spread(movement, cells, n) for movement in work.movements]
    rows = csr_array(vstack(witnesses)) if witnesses else csr_array((0, n))
    return result_of(system, asked, slide, widths, hidden, system.values - low, high - system.values, rows)


def result_of(
    system: System,
    asked: BoolArray,
    slide: BoolArray,
    width: FloatArray,
    hidden: BoolArray,
    down: FloatArray,
    up: FloatArray,
    witnesses: Any,
) -> Suppression:
    """Return a suppression, with the cells that move less than asked listed as such."""
    short = _shortfall(system, asked, hidden & ~asked & ~(system.free & ~slide), width, down, up)
    unprotected = np.flatnonzero(short & (asked | slide))
    narrow = np.flatnonzero(short & ~(asked | slide))
    return Suppression(
        hidden,
        asked,
        slide,
        width,
        witnesses,
        tuple(map(int, unprotected)),
        tuple(map(int, narrow)),
        {
            int(cell): (float(system.values[cell] - down[cell]), float(system.values[cell] + up[cell]))
            for cell in (*unprotected, *narrow)
        },
    )


def check_witnesses(system: System, suppression: Suppression) -> list[WitnessFailure]:
    """Return what the witnesses do not prove; an empty list is the proof that the protection holds.

    Each witness must fulfil every sum (exactly, where all values are whole numbers), leave no count below 0 and
    change only cells that are hidden or never shown and that nobody knows. Together they must move every cell that
    is not listed as unprotected as far as asked. Nothing but the stored arrays is used: no solver.
    """
    failures: list[WitnessFailure] = []
    movements = csr_array(suppression.witnesses)
    entries = coo_array(movements)
    number, cell = entries.coords
    may_move = (suppression.hidden | system.free) & system.movable
    # Sums of whole numbers are exact; others hold up to the solver's tolerance, relative to the movement.
    slack = np.zeros(movements.shape[0])
    fractional = np.zeros(movements.shape[0], dtype=bool)
    np.logical_or.at(fractional, number, entries.data != np.rint(entries.data))
    np.maximum.at(slack, number, _NOISE * np.maximum(1.0, np.abs(entries.data)) * fractional[number])
    missed = coo_array(movements @ system.equations.T)
    for reason, wrong in (
        ("a sum does not hold", missed.coords[0][np.abs(missed.data) > slack[missed.coords[0]]]),
        ("a count falls below 0", number[system.values[cell] + entries.data < -slack[number]]),
        ("a cell moves that is shown or known", number[(entries.data != 0) & ~may_move[cell]]),
    ):
        failures += [WitnessFailure(None, int(found), reason) for found in np.unique(wrong)]
    if (suppression.primary & ~suppression.hidden).any():
        cells = np.flatnonzero(suppression.primary & ~suppression.hidden)
        failures += [WitnessFailure(int(cell), None, "a primary cell is not hidden") for cell in cells]
    up, down = np.zeros(len(system.values)), np.zeros(len(system.values))
    np.maximum.at(up, cell, entries.data)
    np.maximum.at(down, cell, -entries.data)
    spanning = suppression.hidden & ~suppression.primary & ~(system.free & ~suppression.sliding)
    short = _shortfall(system, suppression.primary, spanning, suppression.width, down, up)
    short[list(suppression.unprotected) + list(suppression.narrow)] = False
    failures += [WitnessFailure(int(cell), None, "moves less than asked") for cell in np.flatnonzero(short)]
    return failures


def _shortfall(
    system: System, strict: BoolArray, spanning: BoolArray, width: FloatArray, down: FloatArray, up: FloatArray
) -> BoolArray:
    """Return the cells that move less than asked: strict ones both ways, spanning ones in all."""
    slack = 1e-6 * width
    short = strict & ((up < width - slack) | (down < np.minimum(width, system.values) - slack))
    return short | (spanning & (up + down < width - slack))


def _spread(movement: tuple[IndexArray, FloatArray], cells: IndexArray, n: int) -> Any:
    where, by = movement
    return csr_array((by, (np.zeros(len(where), dtype=np.intp), cells[where])), shape=(1, n))


class PartSuppression:
    """The search within one connected part. Positions are those of the part."""

    def __init__(
        self,
        part: Part,
        strict: BoolArray,
        sliding: BoolArray,
        width: FloatArray,
        is_whole: bool,
        batch: int,
        bulk: int = 0,
    ) -> None:
        self.part, self.strict, self.sliding, self.width = part, strict, sliding, width
        self.is_whole, self.batch, self.bulk = is_whole, batch, bulk
        self.hidden = strict | sliding
        k = len(part.cells)
        self.up, self.down = np.zeros(k), np.zeros(k)
        self.movements: list[Movement] = []
        #: Solvers work to absolute tolerances: widths of thousands of sessions are scaled to widths of 5 pupils.
        self.unit = float(np.median(width[self.hidden] if self.hidden.any() else width)) / 5
        self._both = hstack([part.changes, -part.changes]).tocsc()
        self._by_cell = part.changes.tocsc()

    def run(self) -> None:
        """Protect every cell asked for, then widen what was hidden with them."""
        for direction in (1, -1):
            self._protect_strict(direction)
        self.widen()

    def _protect_strict(self, direction: int) -> None:
        asks = self.width if direction > 0 else np.minimum(self.width, self.part.values)
        failed = np.zeros(len(asks), dtype=bool)

        def waiting() -> IndexArray:
            reached = self.up if direction > 0 else self.down
            found = np.flatnonzero(self.strict & ~failed & (reached < asks * (1 - 1e-9)))
            return found[np.argsort(-asks[found], kind="stable")]

        self._in_bulk(waiting, lambda cell: direction * float(asks[cell]))
        while len(left := waiting()):
            chosen = self._apart(left, self.batch)
            if not self._move({int(cell): direction * float(asks[cell]) for cell in chosen}):
                for cell in chosen:
                    if not self._move({int(cell): direction * float(asks[cell])}):
                        self._move_as_far_as_possible(int(cell), direction, float(asks[cell]))
                        failed[cell] = True

    def widen(self) -> None:
        """Give every other hidden cell an interval as wide as its width."""
        failed = np.zeros(len(self.width), dtype=bool)

        def waiting() -> IndexArray:
            spanning = self.hidden & ~self.strict & ~(self.part.free & ~self.sliding) & ~failed
            return np.flatnonzero(spanning & (self.up + self.down < self.width * (1 - 1e-9)))

        self._in_bulk(waiting, self._missing)
        while len(left := waiting()):
            chosen = self._apart(left, self.batch)
            # Falling is what large counts can always do; the others rise.
            asks = {int(c): self._missing(int(c)) for c in chosen}
            if self._move(asks):
                continue
            for cell, ask in asks.items():
                if self._move({cell: ask}) or self._move({cell: self._missing(cell, prefer=-np.sign(ask))}):
                    continue
                for direction in (1, -1):
                    self._move_as_far_as_possible(cell, direction, float(self.width[cell]))
                failed[cell] = self.up[cell] + self.down[cell] < self.width[cell] * (1 - 1e-9)

    def _in_bulk(self, waiting: Callable[[], IndexArray], ask: Callable[[int], float]) -> None:
        """Move many cells at once as far as they can, among cells that are hidden already; others need a search of their own.

        One programme for many cells of a large part takes little longer than one for three.
        """
        tried = np.zeros(len(self.width), dtype=bool)
        while self.bulk and len(left := [cell for cell in waiting() if not tried[cell]]) > self.batch:
            batches = [left[: self.bulk]]
            while batches:
                chosen = batches.pop()
                # Another batch may have moved one of them already.
                asks = {cell: by for cell in chosen if (by := ask(cell))}
                movement = self._together(asks)
                if movement is None and len(chosen) > self.batch:
                    batches += [chosen[len(chosen) // 2 :], chosen[: len(chosen) // 2]]
                    continue
                got = [movement is not None and movement[cell] / by > 1 - 1e-9 for cell, by in asks.items()]
                if movement is not None and any(got):
                    self.take(movement)
                # Some stand in each other's way: they are asked again without those that have moved, as long as it pays.
                tried[chosen] = sum(got) * _WORTH_ANOTHER < len(chosen)

    def _together(self, asks: Mapping[int, float]) -> FloatArray | None:
        """Return a movement of hidden cells in which as many cells as can be move as far as asked; None for no proof."""
        lower, upper = self._bounds()
        k = len(self.part.cells)
        price = self._price()
        for cell, by in asks.items():
            column, other = (cell, k + cell) if by > 0 else (k + cell, cell)
            upper[other], upper[column] = 0.0, min(upper[column], abs(by) / self.unit)
            price[column] = -1.0
        found = self._solve(price, lower, upper, among=np.flatnonzero(self.hidden | self.part.free))
        return found if found is not None and self._is_proof(found) else None

    def _missing(self, cell: int, prefer: float = -1) -> float:
        """Return the movement that would make the interval of a cell wide enough, downwards where it can be."""
        missing_down = self.width[cell] - self.up[cell]
        if prefer < 0 and missing_down <= self.part.values[cell]:
            return -float(missing_down)
        return float(self.width[cell] - self.down[cell])

    def _apart(self, ordered: Iterable[int], most: int) -> list[int]:
        """Return the first cells that stand in no sum together, up to a number."""
        chosen: list[int] = []
        taken: set[int] = set()
        matrix = self._by_cell
        for cell in ordered:
            rows = set(matrix.indices[matrix.indptr[cell] : matrix.indptr[cell + 1]].tolist())
            if taken & rows:
                continue
            chosen.append(int(cell))
            taken |= rows
            if len(chosen) == most:
                break
        return chosen

    def _move(self, asks: Mapping[int, float]) -> bool:
        """Find and take the cheapest movement in which each cell moves at least as far as asked."""
        movement = self._cheapest(asks)
        if movement is None:
            return False
        self.take(movement)
        return True

    def take(self, movement: FloatArray) -> None:
        """Enter a movement: what moves is hidden, and known to be able to."""
        where = np.flatnonzero(movement)
        self.hidden[where[~self.part.free[where]]] = True
        self.up = np.maximum(self.up, movement)
        self.down = np.maximum(self.down, -movement)
        self.movements.append((where, movement[where]))

    def _cheapest(self, asks: Mapping[int, float]) -> FloatArray | None:
        # A movement of cells that are hidden anyway hides nothing more: no other can be cheaper.
        found = self._among_hidden(asks)
        bounds = self._bounds_of(asks)
        if found is not None or bounds is None:
            return found
        found = self._solve(self._price(), *bounds)
        return (
            found if found is None or self._is_proof(found) else self._in_whole_numbers(found, self._price(), *bounds)
        )

    def _among_hidden(self, asks: Mapping[int, float]) -> FloatArray | None:
        """Return a movement of cells that are hidden already, if one is a proof."""
        bounds = self._bounds_of(asks)
        if bounds is None:
            return None
        found = self._solve(self._price(), *bounds, among=np.flatnonzero(self.hidden | self.part.free))
        return found if found is not None and self._is_proof(found) else None

    def _price(self) -> FloatArray:
        price = np.where(self.hidden | self.part.free, _HIDDEN_COST, self.part.weight)
        return np.concatenate([price, price])

    def _bounds_of(self, asks: Mapping[int, float]) -> tuple[FloatArray, FloatArray] | None:
        """Return the bounds of movements in which cells move as far as asked; None where one has not so much to lose."""
        lower, upper = self._bounds()
        k = len(self.part.cells)
        for cell, by in asks.items():
            if by > 0:
                lower[cell], upper[k + cell] = by / self.unit, 0.0
            elif -by > self.part.values[cell]:
                return None
            else:
                lower[k + cell], upper[cell] = -by / self.unit, 0.0
        return lower, upper

    def _in_whole_numbers(
        self, movement: FloatArray, objective: FloatArray, lower: FloatArray, upper: FloatArray
    ) -> FloatArray | None:
        """Return a movement in whole numbers near a fractional one: a reader knows that pupils are whole.

        In a part too large to be searched for one, the fractional movement is returned.
        """
        for times in (2, 3, 4, 6):
            multiple = np.rint(times * movement)
            if np.abs(multiple - times * movement).max() < _NOISE * times and self._adds_up(multiple):
                return multiple
        near = np.flatnonzero(self.hidden | self.part.free | (movement != 0))
        found = self._solve(objective, lower, upper, among=near, whole=True)
        if found is not None:
            return found
        return self._solve(objective, lower, upper, whole=True) if len(movement) <= _WHOLE_CELLS else movement

    def _move_as_far_as_possible(self, cell: int, direction: int, ask: float) -> None:
        """Take the movement of one cell that comes nearest to what was asked, if there is any."""
        lower, upper = self._bounds()
        k = len(self.part.cells)
        column, other = (cell, k + cell) if direction > 0 else (k + cell, cell)
        upper[other], upper[column] = 0.0, min(upper[column], ask / self.unit)
        objective = np.zeros(2 * k)
        objective[column] = -1.0
        found = self._solve(objective, lower, upper)
        if found is not None and not self._is_proof(found):
            found = self._in_whole_numbers(found, objective, lower, upper)
        reached = 0.0 if found is None else abs(float(found[cell]))
        if reached > 0:
            self._move({cell: direction * reached})

    def _bounds(self) -> tuple[FloatArray, FloatArray]:
        k = len(self.part.cells)
        return np.zeros(2 * k), np.concatenate([np.full(k, np.inf), self.part.values / self.unit])

    def _solve(
        self,
        objective: FloatArray,
        lower: FloatArray,
        upper: FloatArray,
        *,
        whole: bool = False,
        among: IndexArray | None = None,
    ) -> FloatArray | None:
        """Return the movement at the optimum, or None if there is none."""
        k = len(self.part.cells)
        columns = np.arange(2 * k) if among is None else np.concatenate([among, among + k])
        matrix = self._both
        if among is not None:
            matrix = matrix[:, columns].tocsr()
            matrix = matrix[np.flatnonzero(np.diff(matrix.indptr))]
        # Presolving costs more than it saves: the matrix is the same each time and small. It is the way out where the
        # simplex method makes no headway without it.
        for presolve in (True,) if whole else (False, True):
            answer = milp(
                objective[columns],
                constraints=LinearConstraint(matrix, 0.0, 0.0),
                bounds=Bounds(lower[columns], upper[columns]),
                integrality=np.ones(len(columns)) if whole else None,
                options={"presolve": presolve, "time_limit": _WHOLE_SECONDS if whole else _SECONDS},
            )
            if answer.status != _OUT_OF_TIME:
                break
        if answer.x is None or (answer.status == _OUT_OF_TIME and not whole):
            return None
        both = np.zeros(2 * k)
        both[columns] = answer.x
        movement = both[:k] - both[k:]
        movement[np.abs(movement) < _NOISE] = 0.0
        movement *= self.unit
        rounded = np.rint(movement)
        if self.is_whole and self._adds_up(rounded):
            return rounded
        return None if whole else movement

    def _adds_up(self, movement: FloatArray) -> bool:
        return not (self.part.changes @ movement).any() and bool((self.part.values + movement >= 0).all())

    def _is_proof(self, movement: FloatArray) -> bool:
        """Whether the movement proves something to a reader who knows that counts are whole numbers."""
        return not self.is_whole or (bool((movement == np.rint(movement)).all()) and self._adds_up(movement))
