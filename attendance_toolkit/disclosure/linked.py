"""Protect areas that add up to a larger one, without searching all of them at once.

Ten districts and their combined authority are one linear system, but nearly all of its sums lie within one area. Each
area is protected by itself; every movement found is then made to hold for the sums over areas as well, by its *mirror*: the
same figures of another area move the other way (the total stays as it is), or the total moves along. A mirror is tried out,
not searched for, which takes a thousandth of the time of a linear programme over all areas. What no mirror protects is left
to that programme.

Like every other movement, one with its mirror is a witness, and ``check_witnesses`` asks nothing of how it was found.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array, vstack

from attendance_toolkit.disclosure.linear import BoolArray, FloatArray, IndexArray, Part, System
from attendance_toolkit.disclosure.suppress import BATCH, Movement, PartSuppression, Suppression, result_of, suppress

#: Rounds in which what a mirror hides is widened, and mirrored in its turn.
_ROUNDS = 6
#: Cells that all areas together are asked to move at once, where nothing more is hidden for it.
_BULK = 200
#: Largest connected part that one programme after another is solved over in good time.
SMALL_ENOUGH = 4_000


@dataclass(frozen=True)
class Places:
    """Where the cells of a system stand.

    Attributes
    ----------
    block
        (n,) Number of the area a cell belongs to.
    slot
        (n,) Number of the figure, the same in every area that has it.
    """

    block: IndexArray
    slot: IndexArray


def suppress_linked(
    system: System,
    primary: ArrayLike,
    places: Places,
    *,
    width: ArrayLike = 5.0,
    sliding: ArrayLike | None = None,
    batch: int = BATCH,
    least: int = SMALL_ENOUGH,
    workers: int = 1,
) -> Suppression:
    """Return which cells to hide, as ``suppress`` does, area by area where that is enough.

    Parameters
    ----------
    places
        The area and the figure of each cell; a pair stands for one cell.
    least
        Where no connected part has more cells, all areas are searched at once: that hides fewer cells of small tables.
    workers
        Processes that areas are searched in; what is hidden does not depend on it.

    Examples
    --------
    Two districts and their sum, each with two parts and a total; 3 is small. What hides it in one district is mirrored in
    the other, and the sum of both is shown whole.

    >>> from attendance_toolkit.disclosure.linear import sums
    >>> lines = [([0, 1], 2), ([3, 4], 5), ([6, 7], 8), ([0, 3], 6), ([1, 4], 7), ([2, 5], 8)]
    >>> system = System.of([3, 20, 23, 30, 17, 47, 33, 37, 70], sums(lines, 9))
    >>> where = Places(np.repeat([0, 1, 2], 3), np.tile([0, 1, 2], 3))
    >>> np.flatnonzero(suppress_linked(system, np.arange(9) == 0, where, least=0).hidden).tolist()
    [0, 1, 3, 4]
    """
    crossing = _crossing(system, places)
    if not crossing.any() or max(len(part.cells) for part in system.parts()) <= least:
        return suppress(system, primary, width=width, sliding=sliding, batch=batch)
    n = len(system.values)
    strict = np.asarray(primary, dtype=bool)
    slide = (np.zeros(n, dtype=bool) if sliding is None else np.asarray(sliding, dtype=bool)) & ~strict
    widths = np.broadcast_to(np.asarray(width, dtype=float), (n,)).copy()
    work = _Mirrors(system, places, np.flatnonzero(~crossing), strict, slide, widths, batch)
    work.run(workers)
    return _complete(system, strict, slide, widths, batch, work, workers)


def _crossing(system: System, places: Places) -> BoolArray:
    """Return which sums are over several areas."""
    equations = system.equations
    row = np.repeat(np.arange(equations.shape[0]), np.diff(equations.indptr))
    block = places.block[equations.indices]
    low, high = np.full(equations.shape[0], np.iinfo(np.intp).max), np.full(equations.shape[0], -1)
    np.minimum.at(low, row, block)
    np.maximum.at(high, row, block)
    return high > np.minimum(low, high)


class _Mirrors:
    """The areas' own movements, and for each one that fulfils the sums over areas."""

    def __init__(
        self,
        system: System,
        places: Places,
        inner: IndexArray,
        strict: BoolArray,
        slide: BoolArray,
        width: FloatArray,
        batch: int,
    ) -> None:
        self.system, self.places = system, places
        n = len(system.values)
        self.hidden = strict | slide
        self.up, self.down = np.zeros(n), np.zeros(n)
        self.movements: list[Movement] = []
        self._by_cell = csr_array(system.equations.T)
        shape = int(places.slot.max()) + 1, int(places.block.max()) + 1
        self._cell = np.full(shape, -1, dtype=np.intp)
        self._cell[places.slot, places.block] = np.arange(n)
        alone = replace(system, equations=csr_array(system.equations[inner]))
        self._works: list[tuple[Part, PartSuppression]] = []
        self._owner, self._position = np.full(n, -1), np.full(n, -1)
        for part in alone.parts():
            cells = part.cells
            work = PartSuppression(part, strict[cells], slide[cells], width[cells], system.is_whole, batch)
            self._owner[cells], self._position[cells] = len(self._works), np.arange(len(cells))
            self._works.append((part, work))

    def run(self, workers: int = 1) -> None:
        """Protect each area, then mirror what was found until nothing new is hidden."""
        done = [0] * len(self._works)
        for number in range(_ROUNDS):
            _search([work for _, work in self._works if work.hidden.any()], number == 0, workers)
            found = [
                (part.cells[where], by)
                for place, (part, work) in enumerate(self._works)
                for where, by in work.movements[done[place] :]
            ]
            done = [len(work.movements) for _, work in self._works]
            if not found:
                return
            # Large movements first: what they hide serves the others.
            for cells, by in sorted(found, key=lambda movement: -len(movement[0])):
                self._mirror(cells, by)

    def _mirror(self, cells: IndexArray, by: FloatArray) -> None:
        """Enter a movement of one area with the mirror that hides least, if there is one."""
        if not self._missed(cells, by).any():
            self._enter(cells, by)
            return
        own = self.places.block[cells[0]]
        others = self._cell[self.places.slot[cells]]
        choices = []
        for block in range(others.shape[1]):
            there = others[:, block]
            if block == own or (there < 0).any() or not self.system.movable[there].all():
                continue
            new = ~self.hidden[there] & ~self.system.free[there]
            cost = float(self.system.weight[there[new]].sum())
            choices += [(cost, block, sign) for sign in (-1.0, 1.0)]
        for _, block, sign in sorted(choices):
            there, moved = others[:, block], sign * by
            if (self.system.values[there] + moved < 0).any():
                continue
            both, all_by = np.concatenate([cells, there]), np.concatenate([by, moved])
            if not self._missed(both, all_by).any():
                self._enter(both, all_by)
                return

    def _missed(self, cells: IndexArray, by: FloatArray) -> FloatArray:
        """Return by how much each sum the cells stand in misses its total after a movement."""
        rows = self._by_cell[cells]
        missed = np.bincount(rows.indices, np.repeat(by, np.diff(rows.indptr)) * rows.data)
        return np.where(np.abs(missed) > 1e-6 * max(1.0, float(np.abs(by).max())), missed, 0.0)

    def _enter(self, cells: IndexArray, by: FloatArray) -> None:
        order = np.argsort(cells)
        cells, by = cells[order], by[order]
        self.movements.append((cells, by))
        self.up[cells] = np.maximum(self.up[cells], by)
        self.down[cells] = np.maximum(self.down[cells], -by)
        shown = ~self.system.free[cells]
        self.hidden[cells[shown]] = True
        for owner in np.unique(self._owner[cells]):
            if owner < 0:
                continue
            _, work = self._works[owner]
            here = self._owner[cells] == owner
            place = self._position[cells[here]]
            work.hidden[place[shown[here]]] = True
            work.up[place] = np.maximum(work.up[place], by[here])
            work.down[place] = np.maximum(work.down[place], -by[here])


def _search(works: list[PartSuppression], is_first: bool, workers: int) -> None:
    """Protect parts that no sum ties together, side by side; after the first time, widen what others have hidden there."""
    if workers <= 1 or len(works) <= 1:
        for work in works:
            _search_one(work, is_first)
        return
    earlier = [work.movements for work in works]
    for work in works:
        # What was found before need not travel.
        work.movements = []
    # Large ones first, so that none is left for the end. Not forked: the caller may have threads of a database running.
    order = sorted(range(len(works)), key=lambda place: -len(works[place].part.cells))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        found = pool.map(_search_one, [works[place] for place in order], [is_first] * len(works))
        for place, (hidden, up, down, movements) in zip(order, found, strict=True):
            work = works[place]
            work.hidden, work.up, work.down = hidden, up, down
            work.movements = earlier[place] + movements


def _search_one(work: PartSuppression, is_first: bool) -> tuple[BoolArray, FloatArray, FloatArray, list[Movement]]:
    if is_first:
        work.run()
    else:
        work.widen()
    return work.hidden, work.up, work.down, work.movements


def _complete(
    system: System,
    strict: BoolArray,
    slide: BoolArray,
    width: FloatArray,
    batch: int,
    mirrors: _Mirrors,
    workers: int,
) -> Suppression:
    """Search all areas at once for what no mirror protects, beginning from what is hidden already."""
    hidden, up, down = mirrors.hidden, mirrors.up, mirrors.down
    n = len(system.values)
    witnesses = [_row(movement, n) for movement in mirrors.movements]
    works = []
    for part in system.parts():
        cells = part.cells
        if hidden[cells].any():
            work = PartSuppression(part, strict[cells], slide[cells], width[cells], system.is_whole, batch, _BULK)
            work.hidden, work.up, work.down = hidden[cells].copy(), up[cells].copy(), down[cells].copy()
            works.append(work)
    _search(works, True, workers)
    for work in works:
        cells = work.part.cells
        hidden[cells], up[cells], down[cells] = work.hidden, work.up, work.down
        witnesses += [_row((cells[where], by), n) for where, by in work.movements]
    rows = csr_array(vstack(witnesses)) if witnesses else csr_array((0, n))
    return result_of(system, strict, slide, width, hidden, down, up, rows)


def _row(movement: tuple[IndexArray, FloatArray], n: int) -> csr_array:
    cells, by = movement
    return csr_array((by, (np.zeros(len(cells), dtype=np.intp), cells)), shape=(1, n))
