"""Additive interaction against epiR, hand arithmetic and data with a planted truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from attendance_toolkit.models.interaction import additive_interaction

#: Oral cancer by alcohol and smoking (Rothman and Keller 1972), as epiR 2.0.57's epi.interaction has it.
CASES, TOTALS = [[3, 8], [6, 225]], [[23, 26], [18, 391]]


def rounded(estimate, digits=3):
    return [round(v, digits) for v in (estimate.value, estimate.lower, estimate.upper)]


def test_odds_ratio_version_equals_epir():
    found = additive_interaction(CASES, TOTALS, ratio="odds")
    assert rounded(found.reri) == [3.740, -1.837, 9.316]
    assert rounded(found.ap) == [0.414, -0.073, 0.901]
    assert rounded(found.synergy) == [1.870, 0.646, 5.416]


def test_risk_version_equals_hand_arithmetic():
    """Risks 1%, 2%, 3% and 6%: r10 = 3, r01 = 2, r11 = 6; excess of both 5, of each in sum 3."""
    found = additive_interaction([[100, 200], [300, 600]], np.full((2, 2), 10_000))
    assert found.ratios == ((1.0, pytest.approx(2.0)), (pytest.approx(3.0), pytest.approx(6.0)))
    assert found.reri.value == pytest.approx(2)
    assert found.ap.value == pytest.approx(1 / 3)
    assert found.synergy.value == pytest.approx(5 / 3)
    assert found.contrast.value == pytest.approx(0.02)
    assert found.risks[1][0].value == 0.03
    # The same delta method, written out: var of log ratios is 1/y - 1/n, shared with the group of neither.
    v00, v01, v10, v11 = (1 / y - 1 / 10_000 for y in (100, 200, 300, 600))
    covariance = np.diag([v10, v01, v11]) + v00
    for estimate, gradient in [(found.reri, [-3, -2, 6]), (found.ap, [-3 / 6, -2 / 6, 4 / 6])]:
        half = 1.959963984540054 * math.sqrt(np.array(gradient) @ covariance @ np.array(gradient))
        assert (estimate.lower, estimate.upper) == pytest.approx((estimate.value - half, estimate.value + half))
    odds = [y / (10_000 - y) for y in (600, 300, 200, 100)]
    assert found.odds_ratio_interaction.value == pytest.approx(odds[0] * odds[3] / (odds[1] * odds[2]))


def test_swapping_the_two_characteristics_changes_nothing():
    one = additive_interaction(CASES, TOTALS)
    other = additive_interaction(np.transpose(CASES), np.transpose(TOTALS))
    for name in ("reri", "ap", "synergy", "contrast", "odds_ratio_interaction"):
        assert rounded(getattr(one, name), 9) == rounded(getattr(other, name), 9)


def test_synergy_is_none_where_each_alone_adds_no_risk():
    assert additive_interaction([[100, 50], [120, 300]], np.full((2, 2), 1000)).synergy is None  # r10 + r01 = 1.7
    assert additive_interaction([[100, 100], [100, 300]], np.full((2, 2), 1000)).synergy is None  # exactly 2
    assert additive_interaction([[100, 200], [200, 50]], np.full((2, 2), 1000)).synergy is None  # r11 = 0.5
    assert additive_interaction([[100, 100], [101, 300]], np.full((2, 2), 1000)).synergy is not None


def test_zero_cells_leave_what_can_be_said():
    none_unexposed = additive_interaction([[0, 5], [6, 30]], np.full((2, 2), 100))
    assert math.isnan(none_unexposed.reri.value)
    assert none_unexposed.synergy is None
    assert math.isnan(none_unexposed.odds_ratio_interaction.value)
    # The contrast needs no ratio: (30 - 6 - 5 + 0)% with an interval.
    assert none_unexposed.contrast.value == pytest.approx(0.19)
    assert none_unexposed.contrast.lower < 0.19 < none_unexposed.contrast.upper
    none_alone = additive_interaction([[5, 0], [6, 30]], np.full((2, 2), 100))
    assert none_alone.reri.value == pytest.approx(6 - 1.2 - 0 + 1)
    assert math.isnan(none_alone.reri.lower)
    empty_group = additive_interaction([[5, 4], [6, 0]], [[100, 100], [100, 0]])
    assert math.isnan(empty_group.contrast.value)
    assert math.isnan(empty_group.ap.value)


def test_three_groups_are_refused():
    with pytest.raises(ValueError, match=r"shape \(3, 2\)"):
        additive_interaction(np.ones((3, 2)), np.full((3, 2), 9))


def simulate(risks, size, times, seed):
    rng = np.random.default_rng(seed)
    return [additive_interaction(rng.binomial(size, risks), size) for _ in range(times)]


def share_covering(estimates, truth):
    return np.mean([e.lower <= truth <= e.upper for e in estimates])


def test_no_interaction_on_the_logit_scale_is_interaction_on_the_additive_one():
    """Two characteristics that multiply the odds by 3 and 5, and do not interact: planted, so every truth is known."""
    logits = -4 + np.array([[0, math.log(5)], [math.log(3), math.log(15)]])
    risks = 1 / (1 + np.exp(-logits))
    r = risks / risks[0, 0]
    reri = r[1, 1] - r[1, 0] - r[0, 1] + 1
    synergy = (r[1, 1] - 1) / (r[1, 0] + r[0, 1] - 2)
    contrast = risks[1, 1] - risks[1, 0] - risks[0, 1] + risks[0, 0]
    assert reri > 5  # though nothing interacts
    found = simulate(risks, np.array([[6000, 2500], [3000, 1500]]), 1500, seed=2)
    assert np.mean([e.reri.is_clear_of(0) for e in found]) > 0.99
    assert np.mean([e.odds_ratio_interaction.is_clear_of(1) for e in found]) < 0.07
    assert 0.93 < share_covering([e.reri for e in found], reri) < 0.97
    assert 0.93 < share_covering([e.ap for e in found], reri / r[1, 1]) < 0.97
    assert 0.93 < share_covering([e.synergy for e in found], synergy) < 0.97
    assert 0.93 < share_covering([e.contrast for e in found], contrast) < 0.97
    assert 0.93 < share_covering([e.odds_ratio_interaction for e in found], 1) < 0.97


def test_no_interaction_on_the_additive_scale_is_reported_as_none():
    risks = np.array([[0.02, 0.05], [0.04, 0.07]])
    found = simulate(risks, np.array([[6000, 2500], [3000, 1500]]), 1500, seed=3)
    assert np.mean([e.reri.is_clear_of(0) for e in found]) < 0.07
    assert np.mean([e.contrast.is_clear_of(0) for e in found]) < 0.07
    assert np.mean([e.odds_ratio_interaction.is_clear_of(1) for e in found]) > 0.3  # below 1 on the logit scale
