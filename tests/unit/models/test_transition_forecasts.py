"""Forecasts of schools' intakes: how they are put together, what their intervals cover, and chances instead of a league table."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.models.transition import Allowance, fit_step, forecast_schools, recentred
from attendance_toolkit.models.transition.forecasts import chance_among_highest
from attendance_toolkit.models.transition.step_model import outcome_of
from tests.unit.models.transition_cohorts import make_cohorts

#: The 95% point of the normal distribution: 90% lie inside.
Z90 = 1.6448536269514722


@pytest.fixture(scope="module")
def world():
    cohorts = make_cohorts(pupils=8000)
    model = fit_step(cohorts[:2]).levelled(cohorts[2])
    return SimpleNamespace(model=model, test=cohorts[2], forecast=forecast_schools(model, cohorts[2]))


def none():
    nothing = Allowance(0.0, 0.0, False)
    return {"rate": nothing, "persistent": nothing, "severe": nothing}


def test_a_school_is_the_mean_of_its_pupils(world):
    test, forecast = world.test, world.forecast
    pupils = world.model.predict(test)
    assert forecast.laestab.tolist() == sorted(set(test.destination.tolist()))
    for place in (0, 17, 39):
        own = test.destination == forecast.laestab[place]
        assert forecast.pupils[place] == own.sum()
        assert forecast.absence[place] == pytest.approx(pupils.rate[own].mean())
        assert forecast.persistent[place] == pytest.approx(pupils.persistent[own].mean())
        assert forecast.before[place] == pytest.approx(test.year_missed[own].sum() / test.year_possible[own].sum())
    np.testing.assert_allclose(forecast.dip, forecast.absence - forecast.before)
    assert (forecast.lower < forecast.absence).all()
    assert (forecast.persistent_upper > forecast.persistent).all()
    np.testing.assert_allclose(forecast.dip_upper - forecast.dip_lower, forecast.upper - forecast.lower)


def test_without_allowance_the_interval_is_that_of_chance_and_of_the_schools_level(world):
    test = world.test
    bare = forecast_schools(world.model, test, allowance=none())
    pupils = world.model.predict(test)
    own = test.destination == bare.laestab[5]
    effects = world.model.outcomes["persistent"].effects
    chance = pupils.persistent[own] * (1 - pupils.persistent[own])
    left = effects.sd**2 * (1 - effects.share[5]) * chance.mean() ** 2
    half = Z90 * np.sqrt(chance.sum() / own.sum() ** 2 + left)
    assert bare.persistent_upper[5] - bare.persistent[5] == pytest.approx(half)
    wide = forecast_schools(world.model, test, allowance={**none(), "rate": Allowance(0.003, 0.004, False)})
    squares = [((one.upper - one.absence) / Z90) ** 2 for one in (wide, bare)]
    np.testing.assert_allclose(squares[0] - squares[1], 0.005**2, rtol=1e-9)  # 3, 4, 5


def test_pupils_without_a_school_count_in_the_total_alone(world):
    test = world.test
    destination = np.where(np.arange(len(test.pupils)) % 4, test.destination, 0)
    forecast = forecast_schools(world.model, test, destination=destination)
    assert forecast.pupils.sum() == (destination != 0).sum()
    total = forecast.total
    assert total.pupils.tolist() == [len(test.pupils)]
    assert total.laestab.tolist() == [0]
    assert total.total is None
    assert total.absence[0] == pytest.approx(world.model.predict(test, destination).rate.mean())
    # All pupils are known better than any school's.
    assert total.upper[0] - total.lower[0] < (forecast.upper - forecast.lower).min()


def test_only_the_pupils_asked_for(world):
    test = world.test
    keep = test.destination == world.forecast.laestab[3]
    forecast = forecast_schools(world.model, test, keep)
    assert forecast.laestab.tolist() == [world.forecast.laestab[3]]
    assert forecast.absence[0] == pytest.approx(world.forecast.absence[3])
    assert forecast.probability_highest.tolist() == [1.0]  # one school is among the five highest of one
    nobody = forecast_schools(world.model, test, np.zeros(len(test.pupils), bool))
    assert len(nobody.laestab) == 0


def test_a_new_school_is_less_sure_than_one_with_history(world):
    test = world.test
    known = world.forecast.laestab[0]
    moved = np.where(test.destination == known, 9_999_999, test.destination)
    forecast = forecast_schools(world.model, test, destination=moved)
    new = forecast.laestab.tolist().index(9_999_999)
    assert forecast.pupils[new] == world.forecast.pupils[0]
    widths = [one.upper - one.lower for one in (forecast, world.forecast)]
    assert widths[0][new] > 1.3 * widths[1][0]


def test_intervals_cover_the_schools_of_a_year_that_drifts():
    """Twelve worlds, each year of which lies somewhere else: 90% of school means lie in their interval, 85 to 95% by chance."""
    inside = {name: [] for name in ("rate", "persistent", "severe")}
    for seed in range(12):
        level = np.random.default_rng(100 + seed).normal(-2.9, 0.05, 3)
        cohorts = make_cohorts(pupils=7000, schools=40, seed=seed, level=level)
        model, test = fit_step(cohorts[:2]), cohorts[2]
        forecast = forecast_schools(model, replace(test, later=None))
        place = np.searchsorted(forecast.laestab, test.destination)
        ends = {
            "rate": (forecast.lower, forecast.upper),
            "persistent": (forecast.persistent_lower, forecast.persistent_upper),
            "severe": (forecast.severe_lower, forecast.severe_upper),
        }
        for name, (lower, upper) in ends.items():
            found = np.bincount(place, outcome_of(test.later, name)) / forecast.pupils
            inside[name].append(((found >= lower) & (found <= upper)).mean())
    for name, shares in inside.items():
        assert 0.85 <= np.mean(shares) <= 0.97, (name, shares)


def test_chances_are_those_of_drawing_and_leave_drift_out(world):
    forecast = world.forecast
    assert forecast.probability_highest.sum() == pytest.approx(5)
    assert forecast.probability_largest_dip.sum() == pytest.approx(5)
    assert forecast.probability_highest[forecast.absence.argmax()] > 0.5
    assert forecast.probability_highest[forecast.absence.argmin()] == 0
    rate = world.model.allowances["rate"]
    drifting = {**world.model.allowances, "rate": replace(rate, drift_sd=0.5)}
    other = forecast_schools(world.model, world.test, allowance=drifting)
    np.testing.assert_array_equal(other.probability_highest, forecast.probability_highest)
    assert (other.upper > forecast.upper).all()
    ten = forecast_schools(world.model, world.test, worst=10)
    assert ten.probability_highest.sum() == pytest.approx(10)


def test_chance_of_one_of_two_is_the_normal_probability():
    # P(N(0.01, 2 * 0.01^2) > 0) = Phi(0.01 / 0.01414) = 0.7602
    found = chance_among_highest(np.array([0.11, 0.10, np.nan]), np.full(3, 1e-4), 1, np.array([True, True, True]))
    assert found[0] == pytest.approx(0.7602, abs=0.02)
    assert np.isnan(found[2])
    assert found[:2].sum() == 1
    small = chance_among_highest(np.array([0.9, 0.1]), np.full(2, 1e-4), 1, np.array([False, True]))
    assert np.isnan(small[0])
    assert small[1] == 1


def test_recentred_on_the_first_weeks(world):
    forecast = world.forecast
    possible = forecast.pupils * 70.0
    missed = (
        (forecast.absence + 0.01) * 0.8 * possible
    )  # a point above what was expected, in weeks with 0.8 of a year's absence
    moved = recentred(forecast, missed, possible, 0.8)
    np.testing.assert_allclose(moved.absence, forecast.absence + 0.01)
    np.testing.assert_allclose(moved.dip, forecast.dip + 0.01)
    assert moved.total.absence[0] == pytest.approx(forecast.total.absence[0] + 0.01)
    drift = world.model.allowances["rate"].drift_sd
    squares = [((one.upper - one.absence) / Z90) ** 2 for one in (forecast, moved)]
    np.testing.assert_allclose(squares[0] - squares[1], drift**2, rtol=1e-6)
    again = recentred(moved, missed, possible, 0.8)  # the second time nothing is left to move, or to take out
    np.testing.assert_allclose(again.upper, moved.upper)
    np.testing.assert_array_equal(moved.persistent, forecast.persistent)
    with pytest.raises(ParameterError, match="40 schools"):
        recentred(forecast, [1], [10], 0.8)
    with pytest.raises(ParameterError, match="above 0"):
        recentred(forecast, missed, possible, 0)


def test_what_the_model_lacks_is_missing(world):
    model = replace(
        world.model, outcomes={name: one for name, one in world.model.outcomes.items() if name != "severe"},
        not_fitted={"severe": "too few"},
    )  # fmt: skip
    forecast = forecast_schools(model, world.test)
    for one in (forecast, forecast.total):
        assert np.isnan(one.severe).all()
        assert np.isnan(one.severe_upper).all()
        assert np.isfinite(one.persistent).all()


def test_refuses_arrays_that_are_not_one_a_pupil(world):
    with pytest.raises(ParameterError, match="one for each of the 8000 pupils"):
        forecast_schools(world.model, world.test, np.ones(3, bool))
    with pytest.raises(ParameterError, match="at least one school"):
        forecast_schools(world.model, world.test, worst=0)
