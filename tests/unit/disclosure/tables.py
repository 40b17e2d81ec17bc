"""Small tables with margins as systems of cells, and naive ways of hiding, for tests."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.sparse import csr_array

from attendance_toolkit.disclosure.linear import sums


def with_margins(inner: np.ndarray) -> tuple[np.ndarray, csr_array]:
    """Return the cells of a table of any number of dimensions with all its margins, and the sums between them.

    Cells are in C order of the table with one more level, the total, at the end of each dimension.
    """
    table = np.asarray(inner, dtype=float)
    for axis in range(table.ndim):
        table = np.concatenate([table, table.sum(axis=axis, keepdims=True)], axis=axis)
    position = np.arange(table.size).reshape(table.shape)
    lines = []
    for axis, size in enumerate(table.shape):
        along = np.moveaxis(position, axis, -1).reshape(-1, size)
        lines += [(line[:-1].tolist(), int(line[-1])) for line in along]
    return table.ravel(), sums(lines, table.size)


def enumerate_3x3(values: np.ndarray, hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest value of each of 16 cells over all 3x3 tables that agree with what is shown.

    Only inner cells may be hidden. Brute force: every filling of the hidden cells is tried, line by line.
    """
    table, mask = values.reshape(4, 4), hidden.reshape(4, 4)[:3, :3]
    fillings = []
    for row in range(3):
        blanks = np.flatnonzero(mask[row])
        left = int(table[row, 3] - table[row, :3][~mask[row]].sum())
        lines = []
        for filled in itertools.product(range(left + 1), repeat=len(blanks)):
            if sum(filled) == left:
                line = table[row, :3].copy()
                line[blanks] = filled
                lines.append(line)
        fillings.append(lines)
    low, high = np.full((3, 3), np.inf), np.full((3, 3), -np.inf)
    for rows in itertools.product(*fillings):
        found = np.array(rows)
        if (found.sum(axis=0) == table[3, :3]).all():
            low, high = np.minimum(low, found), np.maximum(high, found)
    ends = table.copy(), table.copy()
    ends[0][:3, :3], ends[1][:3, :3] = low, high
    return ends[0].ravel(), ends[1].ravel()


def known(values: np.ndarray, hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what a reader knows of each cell: the exact value, or that it is not negative."""
    return np.where(hidden, 0.0, values), np.where(hidden, np.inf, values)
