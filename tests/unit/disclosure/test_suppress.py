from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse import csr_array, vstack

from attendance_toolkit.disclosure.attack import attack
from attendance_toolkit.disclosure.linear import System, sums
from attendance_toolkit.disclosure.suppress import check_witnesses, suppress
from attendance_toolkit.errors import DisclosureError

from .tables import known, with_margins

HAND = np.array([[3, 20, 44], [30, 17, 25], [61, 28, 33]])


def small(values, threshold=10):
    return values < threshold


def reached(system, hidden, **options):
    targets = np.flatnonzero(hidden & system.movable)
    low, high = attack(*known(system.values, hidden & system.movable), system.equations, targets, **options)
    ends = system.values.copy(), system.values.copy()
    ends[0][targets], ends[1][targets] = low, high
    return ends


def test_one_small_cell_takes_three_others_with_it():
    system = System.of(*with_margins(HAND))
    found = suppress(system, small(system.values))
    table = found.hidden.reshape(4, 4)
    # A rectangle is the least that works: no line may have exactly one blank.
    assert table.sum() == 4
    assert sorted(table[:3, :3].sum(axis=0)) == [0, 2, 2]
    assert sorted(table[:3, :3].sum(axis=1)) == [0, 2, 2]
    assert table[0, 0]
    assert check_witnesses(system, found) == []


@settings(max_examples=40, deadline=None)
@given(
    inner=hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=3, min_side=2, max_side=4), elements=st.integers(0, 60)),
    width=st.sampled_from([1, 3, 5]),
)  # fmt: skip
def test_the_attacker_narrows_no_protected_cell_below_what_was_asked(inner, width):
    system = System.of(*with_margins(inner))
    primary = small(system.values)
    found = suppress(system, primary, width=width)
    assert check_witnesses(system, found) == []
    assert found.hidden[primary].all()
    low, high = reached(system, found.hidden, integer=True)
    fine = np.ones(len(primary), dtype=bool)
    fine[[*found.unprotected, *found.narrow]] = False
    assert (high - low >= width)[found.hidden & fine].all()
    strict = primary & fine
    assert (high >= system.values + width)[strict].all()
    assert (low <= np.maximum(system.values - width, 0))[strict].all()
    # Nothing is unprotected where nothing is known: the grand total can always be hidden.
    assert found.unprotected == ()


@settings(max_examples=40, deadline=None)
@given(inner=hnp.arrays(np.int64, (3, 4), elements=st.integers(0, 40)), data=st.data())
def test_what_is_known_elsewhere_makes_cells_unprotected_and_is_said(inner, data):
    values, lines = with_margins(inner)
    movable = data.draw(hnp.arrays(bool, len(values), elements=st.booleans()))
    system = System.of(values, lines, movable=movable)
    found = suppress(system, small(values))
    assert check_witnesses(system, found) == []
    low, high = reached(system, found.hidden, integer=True)
    falls_short = (high < values + 5) | (low > np.maximum(values - 5, 0))
    # The attacker is the judge: a cell it narrows is reported, and one reported cannot be had by hiding everything.
    assert set(np.flatnonzero(falls_short & small(values))) <= set(found.unprotected)
    all_low, all_high = reached(system, np.ones(len(values), dtype=bool), integer=True)
    hopeless = (all_high < values + 5) | (all_low > np.maximum(values - 5, 0))
    assert set(found.unprotected) == set(np.flatnonzero(hopeless & small(values)))
    for cell in found.unprotected:
        assert low[cell] <= found.reach[cell][0] <= values[cell] <= found.reach[cell][1] <= high[cell]


def test_a_primary_cell_that_everybody_knows_is_reported_as_solved():
    system = System.of([3, 20, 23], sums([([0, 1], 2)], 3), movable=[False, True, True])
    found = suppress(system, [True, False, False])
    assert found.unprotected == (0,)
    assert found.reach[0] == (3.0, 3.0)


def test_partly_known_margins_cap_the_reach():
    # 3 + 2 = 5 with the 5 published: the 3 may be 0 to 5, but not 8.
    system = System.of([3, 2, 5], sums([([0, 1], 2)], 3), movable=[True, True, False])
    found = suppress(system, [True, True, False])
    assert found.unprotected == (0, 1)
    assert found.reach == {0: (0.0, 5.0), 1: (0.0, 5.0)}


def test_the_large_side_of_a_small_count_needs_only_a_wide_interval():
    # 97 and 3 of 100: as a primary cell of its own the 97 would have to reach 102, and hide the 100 too.
    table = np.array([[97, 3], [60, 40], [55, 45]])
    values, lines = with_margins(table)
    system = System.of(values, lines)
    position = np.arange(12).reshape(4, 3)
    primary, other = np.zeros(12, dtype=bool), np.zeros(12, dtype=bool)
    primary[position[0, 1]] = other[position[0, 0]] = True
    slides = suppress(system, primary, sliding=other)
    assert not slides.hidden[position[0, 2]]
    assert not slides.secondary[position[0, 0]]
    assert suppress(system, primary | other).hidden[position[0, 2]] or slides.hidden.sum() == 4
    assert check_witnesses(system, slides) == []
    low, high = reached(system, slides.hidden)
    assert high[position[0, 0]] - low[position[0, 0]] >= 5


def test_free_cells_are_used_first_and_never_counted_as_hidden():
    # Two parts shown, the rest of the total never shown: moving it costs nothing.
    values = [3, 40, 57, 100]
    free = [False, False, True, False]
    system = System.of(values, sums([([0, 1, 2], 3)], 4), free=free)
    found = suppress(system, [True, False, False, False])
    assert np.flatnonzero(found.hidden).tolist() == [0]
    assert found.secondary.sum() == 0
    assert check_witnesses(system, found) == []


def test_widths_may_differ_by_cell_and_be_thousands_of_sessions():
    values, lines = with_margins(HAND * 380.0)
    system = System.of(values, lines)
    width = np.where(np.arange(16) == 0, 950.0, 100.0)
    found = suppress(system, np.arange(16) == 0, width=width)
    assert check_witnesses(system, found) == []
    low, high = reached(system, found.hidden)
    assert high[0] >= 1140 + 950
    assert low[0] <= 1140 - 950


def test_amounts_that_are_not_whole_are_proved_to_a_tolerance():
    values, lines = with_margins(HAND * 1.37)
    system = System.of(values, lines)
    found = suppress(system, np.arange(16) == 0)
    assert check_witnesses(system, found) == []
    assert not system.is_whole


def test_the_same_system_is_protected_the_same_way_twice():
    rng = np.random.default_rng(3)
    system = System.of(*with_margins(rng.poisson(20, (4, 4, 3))))
    first, second = (suppress(system, small(system.values)) for _ in range(2))
    assert (first.hidden == second.hidden).all()
    assert (first.witnesses != second.witnesses).nnz == 0


def test_whole_numbers_have_witnesses_in_whole_numbers():
    rng = np.random.default_rng(4)
    for _ in range(10):
        system = System.of(*with_margins(rng.poisson(12, (3, 3, 3))))
        found = suppress(system, small(system.values, 6))
        assert (found.witnesses.data == np.rint(found.witnesses.data)).all()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda s: replace(s, hidden=s.primary), "a cell moves that is shown or known"),
        (lambda s: replace(s, hidden=s.hidden & ~s.primary), "a primary cell is not hidden"),
        (lambda s: replace(s, witnesses=s.witnesses[:0]), "moves less than asked"),
        (lambda s: replace(s, witnesses=s.witnesses * 0.5), "moves less than asked"),
        (lambda s: replace(s, witnesses=s.witnesses * 50), "a count falls below 0"),
        (lambda s: replace(s, width=s.width * 2), "moves less than asked"),
    ],
)
def test_spoilt_witnesses_prove_nothing(spoil, reason):
    system = System.of(*with_margins(HAND))
    found = suppress(system, small(system.values))
    assert reason in {failure.reason for failure in check_witnesses(system, spoil(found))}


def test_a_witness_that_breaks_a_sum_is_found():
    system = System.of(*with_margins(HAND))
    found = suppress(system, small(system.values))
    row = np.zeros((1, 16))
    row[0, 0] = 1
    spoilt = replace(found, witnesses=csr_array(vstack([found.witnesses, csr_array(row)])))
    (failure,) = check_witnesses(system, spoilt)
    assert (failure.witness, failure.reason) == (found.witnesses.shape[0], "a sum does not hold")


def test_nothing_small_hides_nothing():
    system = System.of(*with_margins(HAND))
    found = suppress(system, np.zeros(16, dtype=bool))
    assert not found.hidden.any()
    assert found.witnesses.shape == (0, 16)
    assert check_witnesses(system, found) == []


@pytest.mark.parametrize("options", [{"width": 0}, {"width": np.nan}, {"sliding": [True]}])
def test_what_cannot_be_asked_is_refused(options):
    system = System.of(*with_margins(HAND))
    with pytest.raises(DisclosureError):
        suppress(system, small(system.values), **options)
