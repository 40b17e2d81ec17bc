"""Decompositions against Das Gupta's printed examples, brute force over all orders, and their identities."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.decomposition import (
    cross_classified,
    decomposition_interval,
    function_effects,
    kitagawa,
    product_effects,
    standardise_cells,
    standardise_functions,
    standardise_products,
    structure_factors,
)


@pytest.fixture(scope="module")
def golden(shared):
    """Examples of Das Gupta (1993), Standardization and Decomposition of Rates, with the results printed there."""
    return json.loads((shared / "golden" / "das_gupta.json").read_text(encoding="utf-8"))


def test_two_factors_example_2_1(golden):
    example = golden["2.1"]
    found = standardise_products([example["population_1"], example["population_2"]])
    for column, name in enumerate(("a", "b")):
        assert found[:, column].tolist() == pytest.approx(example["standardised_rates"][name], rel=5e-7)


def test_five_factors_example_2_4(golden):
    example = golden["2.4"]
    found = product_effects(example["population_1"], example["population_2"])
    assert found.tolist() == pytest.approx(example["effects"], abs=5e-7)


def test_composition_and_rate_example_5_1(golden):
    example = golden["5.1"]
    found = kitagawa(*(example[name] for name in ("share_1970", "rate_1970", "share_1985", "rate_1985")))
    assert found.composition == pytest.approx(example["effects"]["composition"], abs=1e-9)
    assert found.rate == pytest.approx(example["effects"]["rate"], abs=1e-9)


def test_cross_classified_example_5_3(golden):
    example = golden["5.3"]
    names = ("population_1970", "rate_1970", "population_1985", "rate_1985")
    tables = [np.reshape(example[name], (2, 11)) for name in names]
    found = cross_classified(*tables, names=["race", "age"])
    assert list(found.structure) == ["race", "age"]
    assert found.structure["age"] == pytest.approx(example["effects"]["age"], abs=5e-8)
    assert found.structure["race"] == pytest.approx(example["effects"]["race"], abs=5e-8)
    assert found.rate == pytest.approx(example["effects"]["rate"], abs=5e-8)
    # All in all from the counts alone: deaths per 1,000 of all people of each year.
    crude = [(n * r).sum() / n.sum() for n, r in (tables[:2], tables[2:])]
    assert found.total == pytest.approx(crude[1] - crude[0])
    assert found.composition == pytest.approx(kitagawa(*tables).composition)


def test_standardised_cells_of_two_populations_differ_by_the_effects_of_example_5_3(golden):
    example = golden["5.3"]
    tables = {name: np.reshape(example[name], (2, 11)) for name in example if isinstance(example[name], list)}
    found = standardise_cells(
        [tables["population_1970"], tables["population_1985"]],
        [tables["rate_1970"], tables["rate_1985"]],
        names=["race", "age"],
    )
    assert np.diff(found.structure["age"])[0] == pytest.approx(example["effects"]["age"], abs=5e-8)
    assert np.diff(found.rate)[0] == pytest.approx(example["effects"]["rate"], abs=5e-8)


def over_all_orders(rate, factors0, factors1):
    """The definition: change the factors one by one, in every order, and average what each change changed."""
    count = len(factors0)
    effects = np.zeros(count)
    orders = list(itertools.permutations(range(count)))
    for order in orders:
        now = list(factors0)
        for factor in order:
            before = rate(*now)
            now[factor] = factors1[factor]
            effects[factor] += (rate(*now) - before) / len(orders)
    return effects


factor_values = st.floats(0, 50, allow_nan=False)


@given(st.integers(1, 5).flatmap(lambda k: st.tuples(*[st.lists(factor_values, min_size=k, max_size=k)] * 2)))
def test_product_effects_are_the_average_over_all_orders(factors):
    first, second = factors
    found = product_effects(first, second)
    scale = math.prod(max(a, b, 1) for a, b in zip(first, second, strict=True))
    expected = over_all_orders(lambda *f: math.prod(f), first, second)
    assert found == pytest.approx(expected, abs=1e-9 * scale)
    assert found.sum() == pytest.approx(math.prod(second) - math.prod(first), abs=1e-9 * scale)


def test_function_effects_are_the_average_over_all_orders():
    rng = np.random.default_rng(4)
    first, second = ([rng.uniform(0.1, 1, 6) for _ in range(4)] for _ in range(2))

    def share(a, b, c, d):
        return float((a * b * c).sum() / ((a * b * c).sum() + (a * (1 - b) * d).sum()))

    assert function_effects(share, first, second) == pytest.approx(over_all_orders(share, first, second))


def reconciled(pairwise):
    """Equation 6.11 as printed, term by term; ``pairwise[x][z]`` is the rate of x standardised by the pair x and z."""
    n = len(pairwise)
    found = []
    for y in range(n):
        own = sum(pairwise[y][x] for x in range(n) if x != y) / (n - 1)
        others = 0.0
        for x in range(n):
            if x != y:
                others += sum(pairwise[x][z] for z in range(n) if z not in (x, y)) - (n - 2) * pairwise[x][y]
        found.append(own + others / (n * (n - 1)))
    return found


@settings(max_examples=40)
@given(arrays(float, st.tuples(st.integers(2, 6), st.integers(2, 4)), elements=st.floats(0.01, 20)))
def test_many_populations_follow_the_equation_and_keep_the_invariant(factors):
    populations, count = factors.shape
    found = standardise_products(factors)
    pairs = [[standardise_products(factors[[x, z]])[0] for z in range(populations)] for x in range(populations)]
    for factor in range(count):
        expected = reconciled([[pair[factor] for pair in row] for row in pairs])
        assert found[:, factor] == pytest.approx(np.array(expected), rel=1e-9)
    # The sum over factors less the population's own rate is one number for all populations.
    crude = factors.prod(axis=1)
    assert np.ptp(found.sum(axis=1) - crude) <= 1e-9 * max(1, abs(found).max())
    assert standardise_functions(lambda *f: math.prod(f), list(factors)) == pytest.approx(found)


def test_an_equal_factor_has_no_effect_between_any_two_populations():
    found = standardise_products([[2, 5, 0.1], [2, 7, 0.3], [2, 6, 0.5], [2, 9, 0.2]])
    assert np.ptp(found[:, 0]) < 1e-12
    assert np.ptp(found[:, 1]) > 1


@st.composite
def populations(draw, least=2, most=2):
    """Numbers of pupils, empty cells among them, and rates; NaN where a cell is empty."""
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    number = draw(st.integers(least, most))
    cells = draw(arrays(float, (number, *shape), elements=st.integers(0, 40).map(float)))
    cells[(slice(None), *[0] * len(shape))] += 1  # nobody is without a pupil
    rates = draw(arrays(float, (number, *shape), elements=st.floats(0, 1)))
    return cells, np.where(cells > 0, rates, np.nan)


@given(populations())
def test_parts_add_up_to_the_change_whatever_is_empty(drawn):
    cells, rates = drawn
    found = cross_classified(cells[0], rates[0], cells[1], rates[1])
    crude = [np.nansum(n * r) / n.sum() for n, r in zip(cells, rates, strict=True)]
    assert found.total == pytest.approx(crude[1] - crude[0], abs=1e-12)
    assert sum(found.structure.values()) + found.rate == pytest.approx(found.total, abs=1e-12)
    parts = kitagawa(cells[0], rates[0], cells[1], rates[1])
    assert (parts.composition, parts.rate) == pytest.approx((found.composition, found.rate), abs=1e-12)
    back = cross_classified(cells[1], rates[1], cells[0], rates[0])
    assert list(back.structure.values()) == pytest.approx([-x for x in found.structure.values()], abs=1e-12)


@settings(max_examples=40)
@given(populations(3, 5))
def test_standardised_cells_keep_the_invariant_whatever_is_empty(drawn):
    cells, rates = drawn
    found = standardise_cells(cells, rates)
    assert found.crude == pytest.approx([np.nansum(n * r) / n.sum() for n, r in zip(cells, rates, strict=True)])
    assert np.ptp(sum(found.structure.values()) + found.rate - found.crude) < 1e-12


@given(populations())
def test_structure_factors_multiply_to_the_share(drawn):
    cells = drawn[0][0]
    assert structure_factors(cells).prod(axis=0) == pytest.approx(cells / cells.sum())


def test_structure_factors_of_two_characteristics_are_the_printed_formula():
    """For two characteristics the geometric means are the roots of N_ij/N_.j x N_i./N_.. and of N_ij/N_i. x N_.j/N_.."""
    n = np.array([[30.0, 10.0, 5.0], [20.0, 40.0, 15.0]])
    rows, columns = n.sum(axis=1, keepdims=True), n.sum(axis=0, keepdims=True)
    first, second = structure_factors(n)
    assert first == pytest.approx(np.sqrt(n / columns * rows / n.sum()))
    assert second == pytest.approx(np.sqrt(n / rows * columns / n.sum()))


def test_planted_mixes_and_rates_are_told_apart():
    """Independent characteristics; then FSM alone, then SEN alone, then rates alone, change: nothing else is found."""
    fsm, sen = np.array([0.8, 0.2]), np.array([0.7, 0.2, 0.1])
    rates = np.array([[0.05, 0.10, 0.2], [0.15, 0.2, 0.3]])
    before = np.outer(fsm, sen)
    more_fsm, more_sen = np.outer([0.7, 0.3], sen), np.outer(fsm, [0.6, 0.25, 0.15])
    found = cross_classified(before, rates, more_fsm, rates, names=["fsm", "sen"])
    assert found.structure["fsm"] == pytest.approx(0.1 * ((rates[1] - rates[0]) * sen).sum())
    assert (found.structure["sen"], found.rate) == pytest.approx((0, 0), abs=1e-15)
    found = cross_classified(before, rates, more_sen, rates, names=["fsm", "sen"])
    assert found.structure["sen"] == pytest.approx((rates * np.outer(fsm, [-0.1, 0.05, 0.05])).sum())
    assert (found.structure["fsm"], found.rate) == pytest.approx((0, 0), abs=1e-15)
    found = cross_classified(before, rates, before, rates + 0.03)
    assert found.rate == pytest.approx(0.03)
    assert list(found.structure.values()) == pytest.approx([0, 0], abs=1e-15)


def test_a_cell_empty_in_one_year_borrows_the_other_years_rate():
    """A special school opens: all of it is composition, none is rate."""
    found = kitagawa([100, 0], [0.1, np.nan], [100, 25], [0.1, 0.6])
    assert found.rate == 0
    assert found.composition == pytest.approx(0.2 - 0.1)
    assert kitagawa([100, 0], [0.1, 0.9], [100, 25], [0.1, 0.6]) == found  # a rate of nobody does not count


def test_what_cannot_be_decomposed_is_refused():
    with pytest.raises(NoDataError, match="1 of 4 cells"):
        kitagawa([10, 20], [0.1, np.nan], [10, 20], [0.1, 0.2])
    with pytest.raises(NoDataError, match="Population 2 of 2 has no pupils"):
        kitagawa([10, 20], [0.1, 0.2], [0, 0], [0.1, 0.2])
    with pytest.raises(ValueError, match="one shape"):
        kitagawa([10, 20], [0.1, 0.2], [10], [0.1])
    with pytest.raises(ValueError, match="fewer than 0"):
        kitagawa([10, -1], [0.1, 0.2], [10, 5], [0.1, 0.2])
    with pytest.raises(ValueError, match="name of its own"):
        cross_classified([[1.0]], [[0.1]], [[1.0]], [[0.2]], names=["sex"])
    with pytest.raises(ValueError, match="two populations"):
        standardise_products([[1, 2]])
    with pytest.raises(ValueError, match="one shape"):
        product_effects([1, 2], [1, 2, 3])


def test_intervals_hold_the_planted_parts_19_times_in_20():
    """Cells and events of both years are drawn; parts of the expected cells are the truth."""
    rng = np.random.default_rng(8)
    share0, share1 = np.array([[0.5, 0.2], [0.2, 0.1]]), np.array([[0.4, 0.2], [0.25, 0.15]])
    rates0, rates1 = np.array([[0.1, 0.2], [0.25, 0.4]]), np.array([[0.12, 0.2], [0.22, 0.35]])
    truth = cross_classified(share0, rates0, share1, rates1, names=["fsm", "sen"])
    planted = [truth.total, truth.rate, truth.composition, *truth.structure.values()]
    held = []
    for seed in range(150):
        cells = [rng.multinomial(4000, share.ravel()).reshape(2, 2) for share in (share0, share1)]
        events = [rng.binomial(n, p) for n, p in zip(cells, (rates0, rates1), strict=True)]
        found = decomposition_interval(
            events[0], cells[0], events[1], cells[1], names=["fsm", "sen"], draws=200, seed=seed
        )
        parts = [found.total, found.rate, found.composition, *found.structure.values()]
        held.append([part.lower <= true <= part.upper for part, true in zip(parts, planted, strict=True)])
    assert (np.mean(held, axis=0) > 0.89).all()  # 200 draws and 150 sets: 0.95 less three standard errors
    assert np.mean(held) < 0.98


def test_intervals_are_the_same_each_time_and_their_values_are_the_decomposition():
    cells = [np.array([[500, 100], [200, 80]]), np.array([[480, 110], [230, 90]])]
    events = [np.array([[50, 20], [40, 30]]), np.array([[40, 20], [50, 30]])]
    found = decomposition_interval(events[0], cells[0], events[1], cells[1], draws=50)
    assert found == decomposition_interval(events[0], cells[0], events[1], cells[1], draws=50)
    assert found != decomposition_interval(events[0], cells[0], events[1], cells[1], draws=50, seed=2)
    exact = cross_classified(cells[0], events[0] / cells[0], cells[1], events[1] / cells[1])
    assert found.rate.value == exact.rate
    assert {name: part.value for name, part in found.structure.items()} == exact.structure
    with pytest.raises(ValueError, match="whole numbers"):
        decomposition_interval([1.5], [10], [1], [10])
    with pytest.raises(NoDataError, match="1 of 2 cells"):
        decomposition_interval([1, np.nan], [10, 10], [1, 1], [10, 10])
