from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from attendance_toolkit.disclosure.linear import System, connected_cells, hiding_cost, sums
from attendance_toolkit.errors import DisclosureError

from .tables import with_margins


def test_a_sum_that_does_not_hold_is_refused():
    with pytest.raises(DisclosureError, match=r"1 sums do not hold.*0, 1, 2.*by -1"):
        System.of([3, 20, 24], sums([([0, 1], 2)], 3))


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_a_value_that_is_no_count_is_refused(wrong):
    with pytest.raises(DisclosureError, match="Cell 1 has the value"):
        System.of([3, wrong, 3], csr_array((0, 3)))


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(DisclosureError, match="other lengths"):
        System.of([3, 20, 23], sums([([0, 1], 2)], 3), movable=[True])


def test_large_sums_may_miss_by_rounding_error():
    assert System.of([0.1, 0.2, 0.1 + 0.2], sums([([0, 1], 2)], 3)).values[2] == pytest.approx(0.3)


def test_years_fall_apart_and_known_cells_connect_nothing():
    first, lines = with_margins(np.array([[1, 2], [3, 4]]))
    n = len(first)
    both = System.of(
        np.tile(first, 2),
        sums([([int(c) + add for c in line.indices[:-1]], int(line.indices[-1]) + add)
              for add in (0, n) for line in (lines[[r]] for r in range(lines.shape[0]))], 2 * n),
    )  # fmt: skip
    assert [set(part.cells) for part in both.parts()] == [set(range(n)), set(range(n, 2 * n))]
    # With the total of the second column and row known, nothing ties the corner to the rest but the inner cells.
    movable = np.ones(3, dtype=bool)
    movable[2] = False
    system = System.of([3, 20, 23, 4, 27], sums([([0, 1], 2), ([2, 3], 4)], 5), movable=[*movable, True, True])
    assert [part.cells.tolist() for part in system.parts()] == [[0, 1], [3, 4]]


def test_the_changes_of_a_part_leave_known_cells_out():
    system = System.of([3, 20, 23], sums([([0, 1], 2)], 3), movable=[True, True, False])
    (part,) = system.parts()
    assert part.changes.toarray().tolist() == [[1.0, 1.0]]


def test_a_system_without_sums_is_cells_alone():
    assert [cells.tolist() for cells in connected_cells(csr_array((0, 3)), np.ones(3, dtype=bool))] == [[0], [1], [2]]
    assert connected_cells(csr_array((0, 3)), np.zeros(3, dtype=bool)) == []


def test_cost_grows_threefold_with_each_sum_a_cell_totals():
    values, lines = with_margins(np.full((2, 2), 5))
    cost = hiding_cost(values, lines).reshape(3, 3)
    assert cost[0, 2] / (1 + np.log1p(10)) == pytest.approx(3)
    assert cost[2, 2] / (1 + np.log1p(20)) == pytest.approx(9)
