"""Areas protected one by one and mirrored in each other: the proof, the attack and the programme over all areas agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance_toolkit.disclosure import linked
from attendance_toolkit.disclosure.attack import attack
from attendance_toolkit.disclosure.linear import System, sums
from attendance_toolkit.disclosure.linked import Places, suppress_linked
from attendance_toolkit.disclosure.suppress import PartSuppression, check_witnesses, suppress

WIDTH = 5


def areas(seed: int, districts: int = 4, rows: int = 4, columns: int = 3) -> tuple[System, np.ndarray, Places]:
    """Return invented tables of districts and of all of them together, each with its margins."""
    generator = np.random.default_rng(seed)
    inner = generator.poisson(generator.choice([4, 12, 60], size=(districts, rows, columns)))
    tables = np.concatenate([inner, inner.sum(axis=0, keepdims=True)])
    full = np.zeros((districts + 1, rows + 1, columns + 1))
    full[:, :rows, :columns] = tables
    full[:, rows, :columns] = tables.sum(axis=1)
    full[:, :, columns] = full.sum(axis=2)
    place = np.arange(full.size).reshape(full.shape)
    lines = [
        (place[b, r, :columns].tolist(), int(place[b, r, columns]))
        for b in range(districts + 1)
        for r in range(rows + 1)
    ]
    lines += [
        (place[b, :rows, c].tolist(), int(place[b, rows, c])) for b in range(districts + 1) for c in range(columns)
    ]
    lines += [
        (place[:districts, r, c].tolist(), int(place[districts, r, c]))
        for r in range(rows + 1)
        for c in range(columns + 1)
    ]
    block, slot = np.indices((districts + 1, (rows + 1) * (columns + 1))).reshape(2, -1)
    values = full.ravel()
    return System.of(values, sums(lines, values.size)), (values > 0) & (values < 10), Places(block, slot)


def reached(system: System, hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    targets = np.flatnonzero(hidden)
    lower, upper = np.where(hidden, 0.0, system.values), np.where(hidden, np.inf, system.values)
    return targets, *attack(lower, upper, system.equations, targets)


@pytest.mark.parametrize("seed", range(12))
def test_what_mirrors_protect_is_proved_and_withstands_the_attack(seed):
    system, small, places = areas(seed)
    found = suppress_linked(system, small, places, width=WIDTH, least=0)
    assert check_witnesses(system, found) == []
    assert not found.unprotected
    targets, low, high = reached(system, found.hidden)
    assert (high - low >= WIDTH - 1e-6)[small[targets]].all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(2, 4))
def test_any_areas(seed, districts, rows):
    system, small, places = areas(seed, districts, rows)
    found = suppress_linked(system, small, places, width=WIDTH, least=0)
    assert check_witnesses(system, found) == []
    whole = suppress(system, small, width=WIDTH)
    # The programme over all areas is the judge of what can be protected at all.
    assert set(found.unprotected) == set(whole.unprotected)


def test_small_parts_are_searched_at_once():
    # There mirrors would hide a third more; in a release of ten authorities they hide 3% more.
    system, small, places = areas(3, 5, 6, 4)
    at_once, mirrored = (suppress_linked(system, small, places, width=WIDTH, least=least) for least in (4_000, 0))
    assert (at_once.hidden == suppress(system, small, width=WIDTH).hidden).all()
    assert at_once.hidden.sum() < mirrored.hidden.sum() < 1.6 * at_once.hidden.sum()


def test_a_district_whose_neighbours_lack_the_figure_moves_the_total():
    # One district alone has the figures; what the total shows of them is the district's own.
    lines = [([0, 1], 2), ([3, 4], 5), ([0], 3), ([1], 4), ([2, 6], 5)]
    system = System.of([3, 40, 43, 3, 40, 43, 0], sums(lines[:4], 7))
    places = Places(np.array([0, 0, 0, 2, 2, 2, 1]), np.array([0, 1, 2, 0, 1, 2, 2]))
    found = suppress_linked(system, np.arange(7) == 0, places, width=WIDTH, least=0)
    assert found.hidden[[0, 1, 3, 4]].all()
    assert check_witnesses(system, found) == []


def test_without_a_sum_over_areas_nothing_changes():
    system, small, places = areas(1)
    inside = np.array([len(set(places.block[row.indices])) == 1 for row in system.equations])
    alone = System.of(system.values, system.equations[inside])
    ours, plain = suppress_linked(alone, small, places, width=WIDTH), suppress(alone, small, width=WIDTH)
    assert (ours.hidden == plain.hidden).all()


def test_the_attacker_checks_the_tables_put_before_it():
    line = sums([([0, 1], 2)], 3)
    lower, upper = [0, 0, 23], [np.inf, np.inf, 23]
    tables = [np.array([[3.0, 20, 23], [10, 13, 23]]), np.array([[23.0, 1, 23], [3, 20, 24], [-1, 24, 23]])]
    low, high = attack(lower, upper, line, [0], enough=5, tables=tables)
    # The two good ones give 3 to 10, which is enough; the three that break a sum or a bound give nothing.
    assert (low.item(), high.item()) == (3, 10)
    assert [end.item() for end in attack(lower, upper, line, [0], tables=tables)] == [0, 23]


def test_the_number_of_processes_changes_nothing():
    system, small, places = areas(11, 6, 8, 5)
    one, two = (suppress_linked(system, small, places, width=WIDTH, least=0, workers=workers) for workers in (1, 2))
    assert (one.hidden == two.hidden).all()
    assert (one.witnesses != two.witnesses).nnz == 0
    assert one.witnesses.shape[0] > 20


@pytest.mark.parametrize("bulk", [0, 5, 200])
def test_asking_many_cells_at_once_protects_them_all_the_same(monkeypatch, bulk):
    monkeypatch.setattr(linked, "_BULK", bulk)
    for seed in range(4):
        system, small, places = areas(seed, 5, 6, 4)
        found = suppress_linked(system, small, places, width=WIDTH, least=0)
        assert check_witnesses(system, found) == []
        assert set(found.unprotected) == set(suppress(system, small, width=WIDTH).unprotected)


def test_in_bulk_nothing_more_is_hidden_than_one_after_the_other():
    """One part, protected as a whole: programmes for many cells move only what is hidden anyway."""
    system, small, _ = areas(5, 6, 8, 5)
    (part, *others) = system.parts()
    assert not others
    hidden = {}
    for bulk in (0, 50):
        strict = small[part.cells]
        work = PartSuppression(part, strict, np.zeros_like(strict), np.full(len(strict), 5.0), True, 3, bulk)
        work.run()
        hidden[bulk] = int(work.hidden.sum())
    assert hidden[50] <= 1.05 * hidden[0]
