from __future__ import annotations

import ast
import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from attendance_toolkit.disclosure import attack as module
from attendance_toolkit.disclosure.attack import attack, attack_joint, joint_margins
from attendance_toolkit.disclosure.linear import sums
from attendance_toolkit.errors import DisclosureError

from .tables import enumerate_3x3, known, with_margins


def test_the_attacker_shares_no_code_with_the_protection():
    names = set()
    for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    assert {name for name in names if name.startswith("attendance_toolkit")} == {"attendance_toolkit.errors"}


@pytest.mark.parametrize("seed", range(120))
def test_intervals_equal_brute_force_on_3x3_tables(seed):
    rng = np.random.default_rng(seed)
    values, lines = with_margins(rng.integers(0, 7, (3, 3)))
    hidden = np.zeros((4, 4), dtype=bool)
    hidden[:3, :3] = rng.random((3, 3)) < 0.65
    hidden = hidden.ravel()
    low, high = enumerate_3x3(values, hidden)
    bounds = known(values, hidden)
    for integer in (False, True):
        found = attack(*bounds, lines, np.arange(16), integer=integer)
        np.testing.assert_allclose(found[0], low, atol=1e-6)
        np.testing.assert_allclose(found[1], high, atol=1e-6)


@pytest.mark.parametrize("seed", range(30))
def test_rounded_2x2_tables_equal_brute_force(seed):
    # Every count rounded to 5 by itself: the tables of whole numbers that round to what is shown are counted out.
    rng = np.random.default_rng(seed)
    inner = rng.integers(0, 12, (2, 2))
    values, lines = with_margins(inner)
    shown = np.floor(values / 5 + 0.5) * 5
    cells = np.array(list(itertools.product(range(16), repeat=4)))
    rows, columns = cells[:, [0, 2]] + cells[:, [1, 3]], cells[:, [0, 1]] + cells[:, [2, 3]]
    every = np.column_stack([cells[:, :2], rows[:, 0], cells[:, 2:], rows[:, 1], columns, cells.sum(axis=1)])
    agreeing = every[(np.floor(every / 5 + 0.5) * 5 == shown).all(axis=1)]
    low, high = agreeing.min(axis=0), agreeing.max(axis=0)
    # Whole numbers from 2 below to 2 above round to the multiple of 5.
    found = attack(np.maximum(shown - 2, 0), shown + 2, lines, np.arange(9), integer=True)
    np.testing.assert_allclose(found[0], low, atol=1e-6)
    np.testing.assert_allclose(found[1], high, atol=1e-6)


def test_whole_numbers_can_say_more_than_fractions():
    # a + b = 1, a + c = 1 and b + c between 0.5 and 2.5: a may be 0.75 in fractions, but only 0 in whole numbers,
    # because b and c are both 1 - a and their sum 2 - 2a is even.
    lines = sums([([0, 1], 3), ([0, 2], 3), ([1, 2], 4)], 5)
    low, high = np.array([0, 0, 0, 1, 0.5]), np.array([np.inf, np.inf, np.inf, 1, 2.5])
    ends = [attack(low, high, lines, [0], integer=integer) for integer in (False, True)]
    assert [(end[0].item(), end[1].item()) for end in ends] == [(0.0, 0.75), (0.0, 0.0)]


def test_enough_stops_early_and_never_claims_more_than_there_is():
    rng = np.random.default_rng(7)
    values, lines = with_margins(rng.poisson(15, (4, 4)))
    hidden = np.zeros((5, 5), dtype=bool)
    hidden[:3, :3] = True
    bounds, targets = known(values, hidden.ravel()), np.flatnonzero(hidden.ravel())
    low, high = attack(*bounds, lines, targets)
    part_low, part_high = attack(*bounds, lines, targets, enough=4)
    assert (low <= part_low + 1e-6).all()
    assert (part_high <= high + 1e-6).all()
    assert (part_high - part_low >= np.minimum(4, high - low) - 1e-6).all()


def test_two_processes_find_the_same():
    rng = np.random.default_rng(8)
    values, lines = with_margins(rng.poisson(15, (5, 5)))
    hidden = np.zeros((6, 6), dtype=bool)
    hidden[:5, :5] = True
    bounds, targets = known(values, hidden.ravel()), np.flatnonzero(hidden.ravel())
    for one, two in zip(attack(*bounds, lines, targets), attack(*bounds, lines, targets, workers=2), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)


def test_a_hidden_total_of_hidden_parts_has_no_upper_end():
    low, high = attack([0, 20, 0], [np.inf, 20, np.inf], sums([([0, 1], 2)], 3), [0, 2])
    assert low.tolist() == [0.0, 20.0]
    assert high.tolist() == [np.inf, np.inf]


def test_cells_in_no_sum_keep_what_is_known_of_them():
    low, high = attack([0, 7.5], [np.inf, 12.5], csr_array((0, 2)), [1, 0, 1])
    assert (low.tolist(), high.tolist()) == ([7.5, 0.0, 7.5], [12.5, np.inf, 12.5])


@pytest.mark.parametrize("shown", [19.0, 2.0])
def test_figures_that_contradict_each_other_are_refused(shown):
    with pytest.raises(DisclosureError, match="contradict"):
        attack([0, 20, shown], [np.inf, 20, shown], sums([([0, 1], 2)], 3), [0])


def test_a_contradiction_no_single_sum_shows_is_refused():
    # a + b = 10, c + d = 10, but a + c = 4 and b + d = 15.
    lines = sums([([0, 1], 4), ([2, 3], 5), ([0, 2], 6), ([1, 3], 7)], 8)
    low, high = [0, 0, 0, 0, 10, 10, 4, 15], [np.inf] * 4 + [10, 10, 4, 15]
    with pytest.raises(DisclosureError, match="contradict"):
        attack(low, high, lines, [0, 1, 2, 3])


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(DisclosureError, match="2 lower bounds"):
        attack([0, 0], [1, 1, 1], sums([([0, 1], 2)], 3), [0])


def test_threshold_only_is_solved_by_subtraction():
    values, lines = with_margins(np.array([[3, 20, 44], [30, 17, 25], [61, 28, 33]]))
    hidden = values < 10
    low, high = attack(*known(values, hidden), lines, np.flatnonzero(hidden))
    assert low.tolist() == high.tolist() == [3.0]


def test_two_margins_of_28_in_30_force_an_overlap_of_26():
    # Frechet (1940): max(0, a + b - n) <= overlap <= min(a, b).
    levels = {"fsm_eligible": ["FSM", "No FSM"], "sen_provision": ["SEN", "No SEN"]}
    cells = [{}, {"fsm_eligible": "FSM"}, {"sen_provision": "SEN"}]
    for n, a, b in [(30, 28, 28), (30, 12, 9), (30, 30, 4), (30, 20, 11)]:
        joint = joint_margins(cells, levels)
        low, high = attack_joint([n, a, b], [n, a, b], csr_array((0, 3)), joint, [3])
        assert (low[0], high[0]) == (max(0, a + b - n), min(a, b))


def test_a_joint_table_narrows_a_hidden_cell_of_a_two_way_table():
    # Three binary dimensions; AB and BC are shown, the AC cell is hidden and in no published sum at all.
    rng = np.random.default_rng(11)
    table = rng.integers(0, 9, (2, 2, 2))
    levels = {"a": ["0", "1"], "b": ["0", "1"], "c": ["0", "1"]}
    cells = [{"a": str(i), "b": str(j)} for i in range(2) for j in range(2)]
    cells += [{"b": str(j), "c": str(k)} for j in range(2) for k in range(2)]
    values = [table[i, j, :].sum() for i in range(2) for j in range(2)]
    values += [table[:, j, k].sum() for j in range(2) for k in range(2)]
    low = np.array([*values, 0], dtype=float)
    high = np.array([*values, np.inf], dtype=float)
    joint = joint_margins([*cells, {"a": "1", "c": "1"}], levels)
    alone = attack(low, high, csr_array((0, 9)), [8])
    assert (alone[0][0], alone[1][0]) == (0.0, np.inf)
    found = attack_joint(low, high, csr_array((0, 9)), joint, [8], integer=True)
    # Brute force over every joint table with these margins: given B, A and C are free within Frechet's bounds.
    ends = [
        sum(max(0, values[2 + j] + values[5 + 2 * j] - (values[j] + values[2 + j])) for j in range(2)),
        sum(min(values[2 + j], values[5 + 2 * j]) for j in range(2)),
    ]
    assert [found[0][0], found[1][0]] == ends
    assert ends[0] <= table[1, :, 1].sum() <= ends[1]


def test_a_joint_table_with_other_levels_or_too_many_is_refused():
    with pytest.raises(DisclosureError, match="no sex 'X'"):
        joint_margins([{"sex": "X"}], {"sex": ["Female", "Male"]})
    with pytest.raises(DisclosureError, match="more than"):
        joint_margins([{}], {str(n): [str(m) for m in range(10)] for n in range(6)})
