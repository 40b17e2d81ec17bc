"""Supported pupils of several year groups: the same as one year group alone, weights by hand, groups without support."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.models.transition.regression_to_mean import support_effect, tilted_weights
from attendance_toolkit.models.transition.support import support_effect_of
from attendance_toolkit.models.transition.support_year_groups import support_across_year_groups
from attendance_toolkit.vocabulary.columns import NC_YEARS
from tests.unit.models.transition_cohorts import make_cohorts

YEAR = 202324


def moved(cohorts, from_year, to_year, offset):
    """Return the same cohorts as those of other year groups, of other pupils, in secondary schools."""
    found = []
    for one in cohorts:
        later = one.later
        if later is not None:
            group = np.full(len(one.pupils), NC_YEARS.index(to_year), np.int8)
            later = replace(later, year_group=group)
        found.append(replace(one, from_year=from_year, to_year=to_year, pupils=one.pupils + offset, later=later))
    return tuple(found)


@pytest.fixture(scope="module")
def cohorts():
    sixth = make_cohorts(later=False, seed=5, level=(-3.3,), pupils=2500)
    eighth = make_cohorts(later=False, seed=6, level=(-2.8,), pupils=2500)
    return {"6": sixth, "8": moved(eighth, "8", "9", 10_000_000)}


def at_ten_percent(cohort):
    return cohort.pupils[10 * cohort.year_missed.astype(int) >= cohort.year_possible]


def drawn(cohorts, sizes, seed=1):
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [rng.choice(at_ten_percent(cohorts[name][1]), size, replace=False) for name, size in sizes.items()]
    )


def test_one_year_group_is_the_study_of_that_year_group(cohorts):
    group = drawn(cohorts, {"6": 28})
    across = support_across_year_groups(cohorts, group, support_year=YEAR, threshold=0.1)
    alone = support_effect_of(cohorts["6"], group, threshold=0.1, window="1-2")
    assert (across.year_groups, across.compared, across.found) == (("7",), alone.compared, alone.found)
    for one, other in ((across.effect, alone.effect), (across.same_year, alone.same_year)):
        assert one.effect.value == pytest.approx(other.effect.value, abs=1e-12)
        assert (one.se, one.n_compared) == (pytest.approx(other.se), other.n_compared)
    assert across.persistent_after == alone.persistent_after


def test_several_year_groups_are_weighted_by_their_pupils(cohorts):
    """The expected mean by hand: earlier pupils of a year group weigh its supported pupils, then all are tilted."""
    group = drawn(cohorts, {"6": 8, "8": 24})
    found = support_across_year_groups(cohorts, group, support_year=YEAR, threshold=0.1)
    assert (found.year_groups, found.compared, found.history_years) == (("7", "9"), 32, (202122,))
    before, after, weight, mine = [], [], [], []
    for name, size in (("6", 8), ("8", 24)):
        first, current = cohorts[name][0], cohorts[name][1]
        chosen = np.isin(first.pupils, at_ten_percent(first)) & (first.later.period_possible[:, 0] >= 10)
        before.append(first.year_missed[chosen] / first.year_possible[chosen])
        after.append(first.later.period_missed[chosen, 0] / first.later.period_possible[chosen, 0])
        weight.append(np.full(chosen.sum(), size / chosen.sum()))
        here = np.isin(current.pupils, group)
        mine.append(current.year_missed[here] / current.year_possible[here])
    before, after, weight = (np.concatenate(parts) for parts in (before, after, weight))
    mean = np.concatenate(mine).mean()
    low, high = -100.0, 100.0
    for _ in range(200):
        k = (low + high) / 2
        tilted = weight * np.exp(-k * (before - 0.1))
        low, high = (k, high) if (tilted @ before) / tilted.sum() > mean else (low, k)
    assert found.effect.before == pytest.approx(mean)
    assert found.effect.expected_after == pytest.approx((tilted @ after) / tilted.sum(), abs=1e-9)
    assert found.effect.effect.value == pytest.approx(found.effect.naive_change - found.effect.expected_change)


def test_year_groups_too_small_alone_are_told_together(cohorts):
    group = drawn(cohorts, {"6": 6, "8": 6})
    assert support_across_year_groups(cohorts, group[:6], support_year=YEAR, threshold=0.1).refusal is not None
    assert support_across_year_groups(cohorts, group, support_year=YEAR, threshold=0.1).effect is not None


def test_groups_without_support_are_seldom_found_changed(cohorts):
    clear = 0
    for seed in range(150):
        found = support_across_year_groups(
            cohorts, drawn(cohorts, {"6": 15, "8": 25}, seed), support_year=YEAR, threshold=0.1
        )
        clear += found.effect.effect.is_clear_of(0)
    assert clear <= 15


def test_pupils_supported_before_are_no_comparison(cohorts):
    group = drawn(cohorts, {"6": 28})
    earlier = at_ten_percent(cohorts["6"][0])
    found = support_across_year_groups(cohorts, group, support_year=YEAR, threshold=0.1, supported=earlier[:100])
    every = support_across_year_groups(cohorts, group, support_year=YEAR, threshold=0.1)
    assert found.effect.n_compared == every.effect.n_compared - 100


def test_nobody_of_a_list_is_refused_not_guessed(cohorts):
    found = support_across_year_groups(cohorts, [1, 2, 3], support_year=YEAR, threshold=0.0)
    assert (found.listed, found.found, found.compared, found.effect) == (3, 0, 0, None)
    assert "Too few supported pupils" in str(found.refusal)


def test_equal_weights_change_nothing_and_wrong_ones_are_said():
    rng = np.random.default_rng(1)
    x = 0.1 + rng.exponential(0.05, 300)
    y = x + rng.normal(0, 0.01, 300)
    plain = support_effect(x[:30], y[:30], x[30:], y[30:])
    assert support_effect(
        x[:30], y[:30], x[30:], y[30:], history_weight=np.full(270, 7.0)
    ).effect.value == pytest.approx(plain.effect.value)
    weight, _ = tilted_weights(np.array([0.1, 0.2, 0.4]), 0.2, np.array([1.0, 5.0, 1.0]))
    assert weight @ np.array([0.1, 0.2, 0.4]) == pytest.approx(0.2)
    with pytest.raises(ParameterError, match="one weight above 0"):
        support_effect(x[:30], y[:30], x[30:], y[30:], history_weight=np.zeros(270))
