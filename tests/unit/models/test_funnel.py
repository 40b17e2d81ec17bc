"""Funnels against FunnelPlotR and hand arithmetic, and what they find where the truth is planted."""

from __future__ import annotations

import math

import numpy as np
import pytest

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.funnel import Z998, change_funnel, funnel

#: Surgical mortality of 12 hospitals (BUGS examples, volume I).
OPERATIONS = np.array([47, 148, 119, 810, 211, 196, 148, 215, 207, 97, 256, 360])
DEATHS = np.array([0, 18, 8, 46, 8, 13, 9, 31, 14, 8, 29, 24])


def test_surgical_equals_funnelplotr():
    found = funnel(DEATHS, OPERATIONS)
    assert found.dispersion == pytest.approx(2.379791504, abs=1e-9)  # FunnelPlotR's functions, R 4.2.2
    assert found.tau2 == pytest.approx(0.00180957084, abs=1e-11)
    assert found.centre == pytest.approx(208 / 2814)
    assert found.units == 12


def test_scores_and_limits_are_the_printed_formulas():
    found = funnel(DEATHS, OPERATIONS)
    middle = math.asin(math.sqrt(208 / 2814))
    for unit in range(12):
        distance = math.asin(math.sqrt(DEATHS[unit] / OPERATIONS[unit])) - middle
        error = 1 / (2 * math.sqrt(OPERATIONS[unit]))
        assert found.z_unadjusted[unit] == pytest.approx(distance / error)
        assert found.z[unit] == pytest.approx(distance / math.sqrt(error**2 + found.tau2))
    for trials, z in ((100, 1.96), (810, 3.09)):
        half = z * math.sqrt(1 / (4 * trials) + found.tau2)
        lower, upper = found.limits(trials, z)
        assert (float(lower), float(upper)) == pytest.approx(
            (math.sin(middle - half) ** 2, math.sin(middle + half) ** 2)
        )


def test_a_unit_is_outside_exactly_where_it_is_beyond_its_own_limits():
    found = funnel(DEATHS, OPERATIONS)
    for z, outside in ((1.959963984540054, found.is_outside_95), (Z998, found.is_outside_998)):
        lower, upper = found.limits(OPERATIONS, z)
        # The lower limit of small units is cut off at 0, and 0 of 47 may be below it on the arcsine scale alone.
        beyond = (found.rate < lower) | (found.rate > upper) | ((found.rate == 0) & (found.z < -z))
        assert outside.tolist() == beyond.tolist()
    assert found.is_outside_95.any()


def test_limits_stay_between_0_and_1_and_narrow_with_the_pupils():
    found = funnel([0, 2, 1, 3, 0], [20, 40, 30, 50, 10])
    pupils = np.array([1, 2, 5, 20, 100, 1000])
    lower, upper = found.limits(pupils, Z998)
    assert (lower >= 0).all()
    assert (upper <= 1).all()
    assert (np.diff(upper - lower) <= 0).all()
    low95, high95 = found.limits(pupils)
    assert ((lower <= low95) & (high95 <= upper)).all()


def test_units_without_pupils_or_hidden_are_left_out():
    found = funnel([*DEATHS, 0, np.nan], [*OPERATIONS, 0, 50])
    plain = funnel(DEATHS, OPERATIONS)
    assert (found.tau2, found.centre, found.units) == (plain.tau2, plain.centre, 12)
    assert np.isnan(found.rate[12:]).all()
    assert np.isnan(found.z[12:]).all()
    assert not found.is_outside_95[12:].any()
    with pytest.raises(NoDataError, match="2 or more need pupils, and 1 have"):
        funnel([1, np.nan], [10, 10])
    with pytest.raises(ValueError, match="units in a row"):
        funnel([[1, 2]], [[10, 10]])


def schools(rng, units=60, spread=0.0, rate=0.2):
    """Numbers of pupils and true rates, which vary on the arcsine scale by so much."""
    pupils = rng.integers(150, 1500, units)
    return pupils, np.sin(math.asin(math.sqrt(rate)) + rng.normal(0, spread, units)) ** 2


def shares_outside(spread, sets=250, **options):
    rng = np.random.default_rng(1)
    outside = []
    for _ in range(sets):
        pupils, rates = schools(rng, spread=spread)
        found = funnel(rng.binomial(pupils, rates), pupils, **options)
        outside.append([found.is_outside_95.mean(), found.is_outside_998.mean(), found.tau2])
    return np.mean(outside, axis=0)


def test_no_more_than_the_stated_share_of_equal_schools_is_outside():
    """15,000 schools of one true rate."""
    outside_95, outside_998, tau2 = shares_outside(0.0)
    assert 0.04 < outside_95 < 0.056
    assert outside_998 < 0.0035
    assert tau2 < 1e-5


def test_limits_hold_schools_that_differ_as_the_docstring_says():
    """A standard deviation of 0.03 on the arcsine scale, 2.4 percentage points: planted, and found without Winsorising."""
    outside_95, outside_998, tau2 = shares_outside(0.03, winsorised=0)
    assert 0.042 < outside_95 < 0.056
    assert outside_998 < 0.0035
    assert tau2 == pytest.approx(0.03**2, rel=0.06)
    outside_95, outside_998, tau2 = shares_outside(0.03)
    assert 0.08 < outside_95 < 0.12
    assert 0.007 < outside_998 < 0.017
    assert tau2 < 0.03**2


def test_outlying_schools_are_found_and_do_not_widen_their_own_limits():
    rng = np.random.default_rng(2)
    found_before, found_winsorised = [], []
    for _ in range(100):
        pupils, rates = schools(rng)
        rates[:3] = 0.32
        events = rng.binomial(pupils, rates)
        found_before.append(funnel(events, pupils, winsorised=0).is_outside_998[:3].mean())
        found_winsorised.append(funnel(events, pupils).is_outside_998[:3].mean())
    assert np.mean(found_winsorised) > 0.9
    assert np.mean(found_winsorised) > np.mean(found_before)


def test_change_funnel_is_the_printed_formula():
    y0, n0, y1, n1 = [30, 40, 52], [200, 210, 240], [20, 61, 50], [190, 230, 250]
    found = change_funnel(y0, n0, y1, n1)
    before, after = 122 / 650, 131 / 670
    assert found.centre == pytest.approx(after - before)
    angle = [math.asin(math.sqrt(rate)) for rate in (before, after)]
    for unit in range(3):
        distance = math.asin(math.sqrt(y1[unit] / n1[unit])) - math.asin(math.sqrt(y0[unit] / n0[unit]))
        z = (distance - (angle[1] - angle[0])) / math.sqrt(1 / (4 * n0[unit]) + 1 / (4 * n1[unit]))
        assert found.z_unadjusted[unit] == pytest.approx(z)
        assert found.size[unit] == pytest.approx(2 / (1 / n0[unit] + 1 / n1[unit]))
    assert found.change.tolist() == pytest.approx([a / b - c / d for c, d, a, b in zip(y0, n0, y1, n1, strict=True)])


def test_change_limits_are_those_of_a_unit_with_the_rate_of_all():
    """A unit drawn about the middle angle that changes by the limit on the arcsine scale lies on the drawn limit."""
    found = change_funnel([100, 150, 90], [500, 640, 520], [80, 160, 60], [490, 660, 500])
    first, second = (math.asin(math.sqrt(rate)) for rate in (found.before, found.after))
    for size in (100, 500, 2000):
        for z in (1.959963984540054, Z998):
            half = z * math.sqrt(1 / (2 * size) + found.tau2)
            expected = []
            for end in (second - first - half, second - first + half):
                middle = (first + second) / 2
                expected.append(math.sin(middle + end / 2) ** 2 - math.sin(middle - end / 2) ** 2)
            assert [float(limit) for limit in found.limits(size, z)] == pytest.approx(expected)


def test_changes_of_schools_that_did_not_change_are_within_and_planted_ones_outside():
    """60 schools of unlike rates, none changing: 5% outside by chance. Then three of them change by 12 points."""
    rng = np.random.default_rng(6)
    quiet, planted = [], []
    for _ in range(200):
        pupils, rates = schools(rng, spread=0.06)
        before = rng.binomial(pupils, rates)
        found = change_funnel(before, pupils, rng.binomial(pupils, rates), pupils)
        quiet.append([found.is_outside_95.mean(), found.is_outside_998.mean()])
        moved = rates + np.where(np.arange(60) < 3, 0.12, 0)
        found = change_funnel(before, pupils, rng.binomial(pupils, moved), pupils)
        planted.append(found.is_outside_998[:3].mean())
    outside_95, outside_998 = np.mean(quiet, axis=0)
    assert 0.04 < outside_95 < 0.057
    assert outside_998 < 0.004
    assert np.mean(planted) > 0.75


def test_changes_of_the_same_pupils_are_within_more_often_than_stated():
    """Half of the pupils are there in both years and keep what they were: chance is smaller than of two samples."""
    rng = np.random.default_rng(9)
    outside = []
    for _ in range(150):
        pupils, rates = schools(rng)
        staying = rng.binomial(pupils // 2, rates)
        events = [staying + rng.binomial(pupils - pupils // 2, rates) for _ in range(2)]
        outside.append(change_funnel(events[0], pupils, events[1], pupils).is_outside_95.mean())
    assert np.mean(outside) < 0.02


def test_units_of_one_year_only_have_no_change():
    found = change_funnel([30, 40, 52, 5, np.nan], [200, 210, 240, 50, 50], [20, 61, 50, 0, 5], [190, 230, 250, 0, 60])
    assert found.units == 3
    assert np.isnan(found.change).tolist() == [False, False, False, True, True]
    assert found.before == pytest.approx(122 / 650)  # of units with both years alone
    assert not found.is_outside_95[3:].any()
