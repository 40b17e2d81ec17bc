"""Schools that were met beside schools as low: least squares by statsmodels, false alarms, a planted effect, refusals."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.models.before_after import school_effect
from attendance_toolkit.models.transition.regression_to_mean import SupportRefusedError

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))
import before_after as simulated

NOW = 202324


def made(seed=1, **options):
    return simulated.make_schools(np.random.default_rng(seed), **options)


def effect_of(schools, **changes):
    given = {**schools, **changes}
    before, after, is_met = (given.pop(name) for name in ("before", "after", "is_met"))
    return school_effect(before, after, is_met, now=NOW, **given)


def test_one_phase_is_weighted_least_squares():
    """The expected mean, its variance and the residual variance, by statsmodels' WLS and its predictions."""
    schools = made(earlier_years=2)
    schools["earlier"] = np.full(len(schools["before"]), np.nan)
    found = effect_of(schools)
    x, y, met, year = (schools[name] for name in ("before", "after", "is_met", "academic_year"))
    design = np.column_stack([*(year == one for one in np.unique(year)), x]).astype(float)
    fit = sm.WLS(y[~met], design[~met], weights=1 / (1 - x[~met]) ** 2).fit()
    mean = design[met].mean(axis=0)
    assert found.expected_change.value == pytest.approx(mean @ fit.params - x[met].mean())
    expected = mean @ fit.cov_params() @ mean
    schools_differ = fit.scale * ((1 - x[met]) ** 2).mean() / met.sum()
    assert found.se == pytest.approx(np.sqrt(expected + schools_differ))
    half = stats.t.ppf(0.975, fit.df_resid) * found.se
    assert found.effect.lower == pytest.approx(found.effect.value - half)
    assert found.df == pytest.approx(fit.df_resid)


def test_the_parts_fit_each_other():
    # The first of the years has no year before it: with the level of the year before, two years are left.
    found = effect_of(made())
    assert found.uses_earlier_level
    assert found.change == pytest.approx(found.after - found.before)
    assert found.effect.value == pytest.approx(found.change - found.expected_change.value)
    assert (found.n, found.n_left_out, found.n_others, found.years) == (22, 0, 73, (202223,))


@settings(max_examples=20, deadline=None)
@given(st.floats(-0.03, 0.02), st.integers(0, 1000))
def test_a_year_that_is_good_for_all_is_no_effect(shift, seed):
    schools = made(seed)
    now = schools["academic_year"] == NOW
    lifted = np.where(now, np.clip(schools["after"] + shift, 0, 1), schools["after"])
    plain, moved = effect_of(schools), effect_of(schools, after=lifted)
    assert moved.effect.value == pytest.approx(plain.effect.value, abs=1e-9)
    assert moved.change == pytest.approx(plain.change + shift, abs=1e-9)


def test_schools_chosen_for_a_low_term_are_seldom_found_changed_and_the_bare_comparison_often_is():
    """Of 300 authorities nobody did anything in: the interval should leave out 0 in 5 of 100."""
    tally = simulated.tally(300, seed=7)
    assert 0.01 <= tally.clear <= 0.09
    assert tally.naive > 0.4
    assert abs(tally.mean_effect) < 0.0008 < 0.003 < tally.mean_change


def test_a_planted_point_is_found_and_lies_inside_the_interval():
    tally = simulated.tally(200, seed=8, planted=0.01)
    assert tally.covers >= 0.9
    assert tally.clear > 0.5


def test_phases_are_held_apart():
    """Secondary schools all fall by five points: primary schools that were met must not be held against them."""
    primary, secondary = made(3), made(4)
    fall = {**secondary, "after": secondary["after"] - 0.05, "is_met": np.zeros_like(secondary["is_met"])}
    keys = primary.keys()
    both = {name: np.concatenate([primary[name], fall[name]]) for name in keys}
    both["phase"] = np.repeat(["Primary", "Secondary"], [len(primary["before"]), len(fall["before"])])
    assert effect_of(both).effect.value == pytest.approx(effect_of(primary).effect.value)


def test_without_enough_schools_there_is_no_effect():
    schools = made()
    met = schools["is_met"]
    two = met & (np.cumsum(met) <= 2)
    kept = ~met | two
    with pytest.raises(SupportRefusedError, match="Too few of the schools that were met"):
        effect_of({name: values[kept] for name, values in schools.items()})
    with pytest.raises(SupportRefusedError, match="too few schools of the same school type"):
        effect_of({name: values[met] for name, values in schools.items()})


def test_wrong_input_is_said():
    schools = made()
    with pytest.raises(ParameterError, match="from 0 to 1"):
        effect_of(schools, before=schools["before"] * 100)
    with pytest.raises(ParameterError, match="one value of each kind"):
        effect_of(schools, after=schools["after"][:-1])
    with pytest.raises(ParameterError, match="Schools met are those of the year"):
        effect_of(schools, is_met=np.ones_like(schools["is_met"]))
