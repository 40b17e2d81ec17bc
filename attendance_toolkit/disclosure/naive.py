"""What simpler methods would have given away of the same release: for the audit, never for protecting anything.

Each method hides the same small counts. The attacker, who knows every sum and every figure that is not hidden, then tries
to work them out, as it does with the release itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from attendance_toolkit.disclosure import primary
from attendance_toolkit.disclosure.attack import attack
from attendance_toolkit.disclosure.registry import SHOWN

if TYPE_CHECKING:
    from attendance_toolkit.disclosure.cleared import ClearedRelease

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

#: At most so many small counts are attacked for each method, spread evenly over the release.
MOST_TRIED = 200
#: Passes after which repeated hiding stops.
_PASSES = 20
#: Two bounds nearer than this are one whole number.
_ONE_NUMBER = 0.5

THRESHOLD = "Small counts hidden, nothing else"
ONCE = "Where a sum has one hidden figure, its next smallest is hidden too, once"
REPEATED = "The same again until no sum has exactly one hidden figure"


@dataclass(frozen=True)
class Leak:
    """What the attacker had of a method: small counts tried, worked out exactly, and narrowed below the width."""

    method: str
    hidden: int
    tried: int
    exact: int
    narrowed: int


def compare(release: ClearedRelease, *, most: int = MOST_TRIED) -> list[Leak]:
    """Return what three simpler methods leak of the counts of pupils of a release.

    Parameters
    ----------
    most
        Small counts tried for each method.

    Returns
    -------
    One entry a method, the weakest first; none where nothing is small.
    """
    cells = release.registry.cells
    pupils = ~cells["is_sessions"].to_numpy(dtype=bool)
    here = np.flatnonzero(pupils)
    empty = primary.empty(release.registry).to_numpy(dtype=bool)
    small = release.found.hidden & (release.found.why != "").to_numpy() & pupils & ~empty & ~release.past.known
    if not small.any() or release.policy.threshold is None:
        return []
    rows = np.flatnonzero(np.diff(release.registry.equations[:, here].indptr))
    sums = csr_array(release.registry.equations[rows][:, here])
    values = cells["value"].to_numpy(dtype=float)[here]
    free = (cells["kind"] != SHOWN).to_numpy()[here]
    movable = ~(empty | release.past.known)[here]
    first = (small & ~(cells["kind"] != SHOWN).to_numpy())[here]
    found = []
    for method, hidden in methods(sums, values, first, free, movable).items():
        chosen = np.flatnonzero(first)
        targets = chosen[:: max(1, -(-len(chosen) // most))]
        reached = _reached(sums, values, (hidden | free) & movable, targets, float(release.policy.width))
        narrowed = int((reached < release.policy.width * (1 - 1e-6)).sum())
        found.append(Leak(method, int(hidden.sum()), len(targets), int((reached < _ONE_NUMBER).sum()), narrowed))
    return found


def methods(
    sums: csr_array, values: FloatArray, first: BoolArray, free: BoolArray, movable: BoolArray
) -> Mapping[str, BoolArray]:
    """Return what each method hides, the weakest first.

    Parameters
    ----------
    sums
        (m, n) each row sums to 0: +1 for a part, -1 for the total.
    values, first
        (n,) exact values; the small counts all methods hide.
    free, movable
        (n,) what nobody is shown anyway; what may be hidden.
    """
    once = close_lines(sums, values, first, free, movable)
    again = once
    for _ in range(_PASSES):
        more = close_lines(sums, values, again, free, movable)
        if (more == again).all():
            break
        again = more
    return {THRESHOLD: first, ONCE: once, REPEATED: again}


def close_lines(
    sums: csr_array, values: FloatArray, hidden: BoolArray, free: BoolArray, movable: BoolArray
) -> BoolArray:
    """Return what is hidden when each sum with exactly one hidden figure loses its smallest other part as well.

    >>> from attendance_toolkit.disclosure.linear import sums
    >>> line, no = sums([([0, 1, 2], 3)], 4), np.zeros(4, dtype=bool)
    >>> close_lines(line, np.array([3.0, 20, 40, 63]), np.array([True, False, False, False]), no, ~no).tolist()
    [True, True, False, False]
    """
    found = hidden.copy()
    for start, end in zip(sums.indptr[:-1], sums.indptr[1:], strict=True):
        cells, signs = sums.indices[start:end], sums.data[start:end]
        if free[cells].any() or found[cells].sum() != 1:
            continue
        others = cells[(signs > 0) & ~found[cells] & movable[cells]]
        if len(others):
            found[others[np.argmin(values[others])]] = True
    return found


def _reached(
    sums: csr_array, values: FloatArray, unknown: BoolArray, targets: NDArray[np.intp], width: float
) -> FloatArray:
    lower, upper = np.where(unknown, 0.0, values), np.where(unknown, np.inf, values)
    low, high = attack(lower, upper, sums, targets, enough=width)
    return high - low
