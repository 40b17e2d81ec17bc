"""What a reader can work out: the lowest and highest value of each hidden cell, from nothing but what is shown.

This is the check on `suppress`, so it shares no code with it: it knows the sums, what is shown (exact, rounded or
nothing), and that no count is negative. It solves a linear programme for each end of each cell that simpler
reasoning leaves open, or an integer programme where the reader is taken to use that counts are whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import block_array, coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from attendance_toolkit.errors import DisclosureError

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

#: A joint table with more cells than this is not attacked: the programmes would take hours.
MOST_JOINT_CELLS = 200_000
#: A connected set of more unknown cells is large: each programme over it takes a second and more.
LARGE = 2_000
#: Two bounds nearer than this are one number.
_SAME = 1e-6
#: Passes over the sums that tighten bounds before any programme is solved.
_PASSES = 50
#: Seconds after which a programme is given up.
_SECONDS = 120.0
#: What scipy calls the end of a programme: solved, and without an end.
_SOLVED, _UNBOUNDED = 0, 3


def attack(
    lower: ArrayLike,
    upper: ArrayLike,
    equations: Any,
    targets: ArrayLike,
    *,
    integer: bool = False,
    enough: float | ArrayLike | None = None,
    enough_if_large: float | ArrayLike | None = None,
    tables: Iterable[FloatArray] = (),
    workers: int = 1,
) -> tuple[FloatArray, FloatArray]:
    """Return the interval a reader can work out for each target.

    Parameters
    ----------
    lower, upper
        (n,) What a reader knows of each cell before any arithmetic: equal where the exact figure is shown or known
        from elsewhere, the figure and half the base either way where it is rounded, 0 and infinity where it is hidden.
    equations
        (m, n) Sparse sums that everybody knows: +1 for a part, -1 for the total.
    targets
        (t,) Positions of the cells to be worked out.
    integer
        The reader uses that all cells are whole numbers. Slower; the intervals are at most as wide.
    enough
        Stop working on a target as soon as its interval is known to be at least this wide (one number or (t,)).
        The interval returned for it is then a part of the whole one. None works out every interval to its ends.
    enough_if_large
        The same, in connected sets of more than ``LARGE`` unknown cells only, where each end costs a second and more.
    tables
        Whole tables, (w, n) arrays, that somebody says agree with what is shown. Each is held against every bound and sum;
        one that does agree is a table the reader cannot rule out, and widens the intervals of all its cells. Others
        are passed over.
    workers
        Processes to share the work among. More than 1 needs a main module that may be imported.

    Returns
    -------
    (t,), (t,)
        Lowest and highest value; an end is infinite where nothing that is known limits it.

    Raises
    ------
    DisclosureError
        No values agree with what is shown, or a programme could not be solved.

    >>> from attendance_toolkit.disclosure.linear import sums
    >>> # 3 + 20 = 23 with 3 hidden is solved; with both hidden each is anything from 0 to 23.
    >>> line = sums([([0, 1], 2)], 3)
    >>> [end.tolist() for end in attack([0, 20, 23], [np.inf, 20, 23], line, [0])]
    [[3.0], [3.0]]
    >>> [end.tolist() for end in attack([0, 0, 23], [np.inf, np.inf, 23], line, [0, 1])]
    [[0.0, 0.0], [23.0, 23.0]]
    """
    low, high = np.array(lower, dtype=float), np.array(upper, dtype=float)
    sums, wanted = csr_array(equations, dtype=float), np.asarray(targets, dtype=np.intp)
    if not len(low) == len(high) == sums.shape[1]:
        raise DisclosureError(
            f"An attack on {len(low)} lower bounds, {len(high)} upper bounds and sums over {sums.shape[1]} cells."
        )
    width, large = (
        np.broadcast_to(np.inf if wide is None else np.asarray(wide, dtype=float), wanted.shape)
        for wide in (enough, enough_if_large)
    )
    seen = _seen(tables, low, high, sums, integer=integer)
    _tighten(low, high, sums, integer=integer)
    ends = low[wanted].copy(), high[wanted].copy()
    jobs = _jobs(low, high, sums, wanted, (width, large), seen, integer, workers)
    for job, (lowest, highest) in zip(jobs, _answers(jobs, workers), strict=True):
        ends[0][job.places], ends[1][job.places] = lowest, highest
    return ends[0] + 0.0, ends[1] + 0.0  # never minus zero


def attack_joint(
    lower: ArrayLike,
    upper: ArrayLike,
    equations: Any,
    joint: Any,
    targets: ArrayLike,
    *,
    integer: bool = False,
    enough: float | ArrayLike | None = None,
    workers: int = 1,
) -> tuple[FloatArray, FloatArray]:
    """Return the interval of each target for a reader who also knows that one joint table lies behind all cells.

    Published tables are margins of a table nobody publishes (FSM by SEN by sex by ...), whose cells are not
    negative either. That limits hidden cells further: if 28 of 30 pupils are eligible for FSM and 28 of 30 have SEN,
    at least 26 are both (Fréchet bounds: the overlap lies between n_a + n_b - n and the smaller margin).

    Parameters
    ----------
    lower, upper, equations, integer, enough, workers
        As for `attack`, over the n published cells.
    joint
        (n, j) Which cells of the joint table add up to each published cell; see `joint_margins`. A row without
        entries is a cell that is no margin of it.
    targets
        Positions of published cells; n + i is cell i of the joint table itself.

    >>> joint = joint_margins([{}, {"fsm": "yes"}, {"sen": "yes"}], {"fsm": ["yes", "no"], "sen": ["yes", "no"]})
    >>> [end.tolist() for end in attack_joint([30, 28, 28], [30, 28, 28], csr_array((0, 3)), joint, [3 + 0])]
    [[26.0], [28.0]]
    """
    margins = csr_array(joint, dtype=float)
    n, j = margins.shape
    tied = np.flatnonzero(np.diff(margins.indptr))
    minus = coo_array((-np.ones(len(tied)), (np.arange(len(tied)), tied)), shape=(len(tied), n))
    sums = csr_array(equations, dtype=float)
    both = (
        block_array([[sums, None], [minus, margins[tied]]]) if sums.shape[0] else block_array([[minus, margins[tied]]])
    )
    return attack(
        np.concatenate([np.asarray(lower, dtype=float), np.zeros(j)]),
        np.concatenate([np.asarray(upper, dtype=float), np.full(j, np.inf)]),
        both,
        targets,
        integer=integer,
        enough=enough,
        workers=workers,
    )


def joint_margins(coords: Sequence[Mapping[str, str]], levels: Mapping[str, Sequence[str]]) -> Any:
    """Return which cells of a joint table add up to each cell: (n, j), j the product of the numbers of levels.

    Parameters
    ----------
    coords
        The level of each cell in each dimension; a dimension it lacks is added up over.
    levels
        The levels of each dimension of the joint table, none of them a sum of others. The last varies fastest.

    Raises
    ------
    DisclosureError
        A cell has a dimension or a level the joint table lacks, or the table would be too large.

    >>> joint_margins([{}, {"sex": "F"}], {"fsm": ["yes", "no"], "sex": ["F", "M"]}).toarray().astype(int).tolist()
    [[1, 1, 1, 1], [1, 0, 1, 0]]
    """
    shape = tuple(len(names) for names in levels.values())
    size = int(np.prod(shape, dtype=float))
    if size > MOST_JOINT_CELLS:
        raise DisclosureError(
            f"A joint table of {size:,} cells is more than {MOST_JOINT_CELLS:,}: use fewer dimensions."
        )
    grid = np.indices(shape).reshape(len(shape), size)
    axis = {name: number for number, name in enumerate(levels)}
    rows: list[IndexArray] = []
    for cell in coords:
        inside = np.ones(size, dtype=bool)
        for name, level in cell.items():
            if name not in axis or level not in levels[name]:
                raise DisclosureError(f"The joint table has no {name} '{level}'.")
            inside &= grid[axis[name]] == list(levels[name]).index(level)
        rows.append(np.flatnonzero(inside))
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    columns = np.concatenate(rows) if rows else np.zeros(0, dtype=np.intp)
    return csr_array((np.ones(len(columns)), columns, starts), shape=(len(coords), size))


@dataclass(frozen=True)
class _Job:
    """Targets within one connected set of unknown cells."""

    places: IndexArray  # (t,) positions among all targets
    targets: IndexArray  # (t,) positions among the unknowns
    low: FloatArray
    high: FloatArray
    sums: Any
    total: FloatArray  # what the unknowns of each sum add up to
    enough: FloatArray
    seen: tuple[FloatArray, FloatArray]  # lowest and highest of the tables at hand; infinite, if there are none
    integer: bool


def _seen(
    tables: Iterable[FloatArray], low: FloatArray, high: FloatArray, sums: Any, *, integer: bool
) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and highest value of each cell in the tables that agree with what is known."""
    lowest, highest = np.full(len(low), np.inf), np.full(len(low), -np.inf)
    for some in tables:
        slack = _SAME * np.maximum(1.0, np.abs(some))
        agrees = ((some >= low - slack) & (some <= high + slack)).all(axis=1)
        missed = np.abs(sums @ some.T)
        size = np.maximum(1.0, np.abs(sums) @ np.abs(some).T)
        agrees &= (missed <= _SAME * size).all(axis=0)
        if integer:
            agrees &= (some == np.rint(some)).all(axis=1)
        if agrees.any():
            lowest, highest = (
                np.minimum(lowest, some[agrees].min(axis=0)),
                np.maximum(highest, some[agrees].max(axis=0)),
            )
    return lowest, highest


def _tighten(low: FloatArray, high: FloatArray, sums: Any, *, integer: bool) -> None:
    """Narrow the bounds in place by looking at one sum at a time, as a reader with a pencil would."""
    entries = coo_array(sums)
    row, cell = entries.coords
    sign = entries.data
    for _ in range(_PASSES):
        least, most = np.where(sign > 0, low[cell], high[cell]) * sign, np.where(sign > 0, high[cell], low[cell]) * sign
        rest_least, rest_most = (
            _rest(row, part, sums.shape[0], end) for part, end in ((least, -np.inf), (most, np.inf))
        )
        # sign * y = -(rest): y lies between the ends the rest allows.
        ends = -rest_most * sign, -rest_least * sign
        new_low, new_high = low.copy(), high.copy()
        np.maximum.at(new_low, cell, np.minimum(*ends))
        np.minimum.at(new_high, cell, np.maximum(*ends))
        if integer:
            new_low, new_high = np.ceil(new_low - _SAME), np.floor(new_high + _SAME)
        crossed = np.flatnonzero(new_low > new_high + _SAME * np.maximum(1.0, np.abs(new_low)))
        if len(crossed):
            raise DisclosureError(
                f"No values agree with what is shown: cell {crossed[0]} would be at least {new_low[crossed[0]]:g} and at"
                f" most {new_high[crossed[0]]:g}. Figures that contradict each other were put in one release."
            )
        moved = (np.abs(_finite(new_low) - _finite(low)) > _SAME) | (np.abs(_finite(new_high) - _finite(high)) > _SAME)
        moved |= np.isfinite(new_high) != np.isfinite(high)
        low[:], high[:] = new_low, np.maximum(new_low, new_high)
        if not moved.any():
            return


def _finite(bound: FloatArray) -> FloatArray:
    return np.where(np.isfinite(bound), bound, 0.0)


def _rest(row: NDArray[np.int32], part: FloatArray, rows: int, endless: float) -> FloatArray:
    """Return, for each entry, the sum of the other entries of its row; ``endless`` where one of those is infinite."""
    infinite = ~np.isfinite(part)
    finite = np.where(infinite, 0.0, part)
    total = np.bincount(row, finite, rows)[row] - finite
    others = np.bincount(row, infinite, rows)[row] - infinite
    return np.where(others > 0, endless, total)


def _jobs(
    low: FloatArray,
    high: FloatArray,
    sums: Any,
    wanted: IndexArray,
    widths: tuple[FloatArray, FloatArray],
    seen: tuple[FloatArray, FloatArray],
    integer: bool,
    workers: int,
) -> list[_Job]:
    """Divide the targets that are still open by connected set of unknown cells.

    ``widths``: what is enough for each target, and what is enough in a large set.
    """
    open_cells = high - low > _SAME * np.maximum(1.0, np.abs(low))
    unknown = np.flatnonzero(open_cells)
    if not open_cells[wanted].any():
        return []
    known = np.where(open_cells, 0.0, low)
    total = -(sums @ known)
    among = sums[:, unknown]
    used = np.flatnonzero(np.diff(among.indptr))
    among, total = csr_array(among[used]), total[used]
    entries = coo_array(among)
    m, k = among.shape
    graph = coo_array((np.ones(entries.nnz), (entries.coords[0], entries.coords[1] + m)), shape=(m + k, m + k))
    label = connected_components(graph, directed=False)[1]
    position = np.full(len(low), -1)
    position[unknown] = np.arange(k)
    place = np.flatnonzero(open_cells[wanted])
    of_target = label[m:][position[wanted[place]]]
    jobs = []
    for number in np.unique(of_target):
        cells, rows = np.flatnonzero(label[m:] == number), np.flatnonzero(label[:m] == number)
        inner = np.full(k, -1)
        inner[cells] = np.arange(len(cells))
        places = place[of_target == number]
        matrix = among[rows][:, cells]
        width = np.minimum(*widths) if len(cells) > LARGE else widths[0]
        for share in np.array_split(places, min(workers, max(1, len(places) // 8))):
            jobs.append(
                _Job(
                    share,
                    inner[position[wanted[share]]],
                    low[unknown[cells]],
                    high[unknown[cells]],
                    matrix,
                    total[rows],
                    width[share],
                    (seen[0][unknown[cells]], seen[1][unknown[cells]]),
                    integer,
                )
            )
    return sorted(jobs, key=lambda job: -len(job.places) * len(job.low))


def _answers(jobs: list[_Job], workers: int) -> list[tuple[FloatArray, FloatArray]]:
    if workers <= 1 or len(jobs) <= 1:
        return [_work_out(job) for job in jobs]
    # Not forked: the caller may have threads of a database or a kernel running.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(_work_out, jobs))


def _work_out(job: _Job) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and highest values of the targets of one job.

    Every solution is a table that agrees with what is shown, so it widens what is known to be possible for all
    targets at once; an end that has been reached needs no programme of its own.
    """
    reached_low, reached_high = job.seen[0].copy(), job.seen[1].copy()
    outer_low, outer_high = job.low.copy(), job.high.copy()

    def see(table: FloatArray) -> None:
        np.minimum(reached_low, table, out=reached_low)
        np.maximum(reached_high, table, out=reached_high)

    every = np.zeros(len(job.low))
    is_open = reached_high[job.targets] - reached_low[job.targets] < job.enough
    every[job.targets[is_open]] = 1.0
    for sign in (1.0, -1.0) if is_open.any() else ():
        table = _solve(job, sign * every)
        if table is not None:
            see(table)
    slack = _SAME * np.maximum(1.0, np.abs(job.low))
    for place, target in enumerate(job.targets):
        for sign, reached, outer in ((1.0, reached_low, outer_low), (-1.0, reached_high, outer_high)):
            if reached_high[target] - reached_low[target] >= job.enough[place]:
                break
            if np.isfinite(reached[target]) and abs(reached[target] - outer[target]) <= slack[target]:
                continue
            objective = np.zeros(len(job.low))
            objective[target] = sign
            table = _solve(job, objective)
            if table is None:
                reached[target] = -sign * np.inf
            else:
                see(table)
                outer[target] = table[target]
    return reached_low[job.targets], reached_high[job.targets]


def _solve(job: _Job, objective: FloatArray) -> FloatArray | None:
    """Return the table at the optimum, or None where the objective has no end."""
    # Presolving costs more than it saves in small programmes, but settles some that end undecided without it.
    for presolve in (job.integer, not job.integer):
        answer = milp(
            objective,
            constraints=LinearConstraint(job.sums, job.total, job.total),
            bounds=Bounds(job.low, job.high),
            integrality=np.ones(len(objective)) if job.integer else None,
            options={"presolve": presolve, "time_limit": _SECONDS},
        )
        if answer.status == _SOLVED:
            return np.asarray(answer.x, dtype=float)
        if answer.status == _UNBOUNDED:
            return None
    raise DisclosureError(
        f"The attack could not be worked out ({answer.message}): figures that contradict each other were put in one"
        " release, rounded ones were taken for exact, or the release is too large to be checked in one piece."
    )
