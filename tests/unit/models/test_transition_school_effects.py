"""Shrunken school effects, allowances and pupils' intervals, against statsmodels' meta-analysis, hand arithmetic and planted truths."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from attendance_toolkit.errors import ParameterError, VocabularyError
from attendance_toolkit.models.transition.allowance import Missed, how_missed, school_allowance, usual_allowance
from attendance_toolkit.models.transition.pupil_intervals import halves, learn_intervals
from attendance_toolkit.models.transition.school_effects import school_effects
from attendance_toolkit.vocabulary._reference import read_yaml_text
from attendance_toolkit.vocabulary.transition_allowance import FILE, default_allowance, parse_allowance


def make_schools(seed=5, schools=120, tau=0.03, omega=0.0, drift=(0.0,), within=0.08):
    """Return residuals, schools, cohorts and the schools' true effects."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, tau, schools)
    parts = []
    for cohort, shift in enumerate(drift):
        size = rng.integers(20, 200, schools)
        school = np.repeat(np.arange(1, schools + 1), size)
        own = truth + rng.normal(0, omega, schools)
        parts.append(
            (own[school - 1] + shift + rng.normal(0, within, len(school)), school, np.full(len(school), cohort))
        )
    return *(np.concatenate(part) for part in zip(*parts, strict=True)), truth


def test_variance_between_schools_is_dersimonian_and_lairds():
    residual, school, cohort, _ = make_schools()
    v = 0.08**2
    found = school_effects(residual / v, np.full(len(residual), 1 / v), school, cohort)
    size = np.bincount(school)[1:]
    mean = np.bincount(school, residual)[1:] / size
    oracle = combine_effects(mean, v / size, method_re="chi2")
    assert found.sd**2 == pytest.approx(oracle.tau2, rel=1e-9)
    share = oracle.tau2 / (oracle.tau2 + v / size)
    np.testing.assert_allclose(found.share, share, rtol=1e-9)
    np.testing.assert_allclose(found.effect, share * (mean - residual.mean()), rtol=1e-9)
    assert found.year_sd == 0


def test_effects_are_nearer_the_truth_than_schools_own_means():
    residual, school, cohort, truth = make_schools(schools=400, tau=0.01)
    v = 0.08**2
    found = school_effects(residual / v, np.full(len(residual), 1 / v), school, cohort)
    own = np.bincount(school, residual)[1:] / np.bincount(school)[1:]
    assert ((found.effect - truth) ** 2).mean() < 0.8 * ((own - truth) ** 2).mean()
    assert found.sd == pytest.approx(0.01, rel=0.2)


def test_a_schools_year_is_told_from_its_level():
    residual, school, cohort, _ = make_schools(schools=400, tau=0.03, omega=0.02, drift=(0.0, 0.05, -0.02))
    v = 0.08**2
    found = school_effects(residual / v, np.full(len(residual), 1 / v), school, cohort)
    assert found.sd == pytest.approx(0.03, rel=0.15)
    assert found.year_sd == pytest.approx(0.02, rel=0.15)
    # With one year the two cannot be told apart: what is given is taken as the year's, up to half.
    one = cohort == 0
    single = school_effects(residual[one] / v, np.full(one.sum(), 1 / v), school[one], cohort[one], year_sd=0.02)
    assert single.sd == pytest.approx(0.03, rel=0.15)
    most = school_effects(residual[one] / v, np.full(one.sum(), 1 / v), school[one], cohort[one], year_sd=9.0)
    assert 0 < most.sd < single.sd


def test_drift_of_a_year_is_no_schools_doing():
    residual, school, cohort, _ = make_schools(drift=(0.0, 0.0))
    v = 0.08**2
    information = np.full(len(residual), 1 / v)
    found = school_effects(residual / v, information, school, cohort)
    moved = school_effects((residual + 0.04 * cohort) / v, information, school, cohort)
    np.testing.assert_allclose(moved.effect, found.effect, atol=1e-12)


def test_schools_without_history_have_no_effect():
    found = school_effects([3.0, 3.0, -3.0, -3.0, 9.0], np.ones(5), [11, 11, 12, 12, 0], np.ones(5))
    effect, share = found.of(np.array([12, 10, 0, 13, 11]))
    assert effect[[1, 2, 3]].tolist() == share[[1, 2, 3]].tolist() == [0, 0, 0]
    assert effect[0] < 0 < effect[4]
    assert found.left_variance(share)[1] == pytest.approx(found.sd**2)
    alone = school_effects([3.0, 1.0], np.ones(2), [11, 11], np.ones(2))
    assert (alone.sd, alone.effect.tolist()) == (0.0, [0.0])
    nobody = school_effects([3.0], np.ones(1), [0], np.ones(1))
    assert nobody.of(np.array([0, 5]))[0].tolist() == [0, 0]


def test_schools_that_differ_by_chance_alone_keep_nothing():
    # Five schools with the same mean: Q is 0, below its 4 degrees of freedom.
    found = school_effects(np.tile([1.0, -1.0], 5), np.ones(10), np.repeat(np.arange(1, 6), 2), np.ones(10))
    assert found.sd == 0
    assert not found.effect.any()


def test_effects_refuse_what_is_not_one_a_pupil():
    with pytest.raises(ParameterError, match="one a pupil"):
        school_effects([1.0], np.ones(2), [1, 2], [1, 1])
    with pytest.raises(ParameterError, match="above 0"):
        school_effects([1.0], [0.0], [1], [1])


def test_allowance_is_the_variance_beyond_chance():
    rng = np.random.default_rng(2)
    chance = rng.uniform(0.002, 0.01, 800) ** 2
    found = 0.08 + 0.004 + rng.normal(0, 0.006, 800) + rng.normal(0, np.sqrt(chance))
    missed = how_missed(np.full(800, 0.08), found, chance)
    oracle = combine_effects(found - 0.08, chance, method_re="chi2")
    assert missed.variance == pytest.approx(oracle.tau2, rel=1e-9)
    assert missed.drift == pytest.approx(oracle.mean_effect_fe, rel=1e-9)
    allowance = school_allowance([missed])
    assert allowance.school_year_sd == pytest.approx(0.006, rel=0.1)
    # One year of drift, and the default one beside it.
    assert allowance.drift_sd == pytest.approx(math.sqrt((missed.drift**2 + 0.0032**2) / 2))
    assert (allowance.is_default, allowance.schools, allowance.years) == (False, 800, 1)


def test_without_a_year_predicted_the_allowance_is_the_default():
    assert school_allowance([]) == usual_allowance() == school_allowance([how_missed([], [], [])])
    assert usual_allowance().is_default
    few = school_allowance(
        [Missed(0.01, 2, 0.0)]
    )  # one difference between two schools hardly counts beside ten schools
    assert few.school_year_sd == pytest.approx(math.sqrt((0.01 + 10 * 0.0052**2) / 11))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("kind: transition_allowance", "kind: other", "must begin with"),
        ("  drift_sd: 0.32\n", "", "rate: 'drift_sd' is missing"),
        ("drift_sd: 0.32", "drift_sd: -1", "rate, drift_sd: '-1'"),
        ("as_years: 1", "as_years: yes", "as_years: 'True'"),
        ("as_years: 1", "as_years: 1\nnone: 1", "'none' is not a key"),
    ],
)
def test_the_allowance_file_is_checked(old, new, problem):
    text = read_yaml_text(FILE)
    assert parse_allowance(text)["rate"] == default_allowance()
    assert old in text
    with pytest.raises(VocabularyError, match=problem):
        parse_allowance(text.replace(old, new))


def test_intervals_cover_every_fifth_of_pupils_whatever_the_shape_of_errors():
    rng = np.random.default_rng(4)
    predicted = rng.beta(1, 12, 40_000)
    found = np.clip(predicted * rng.gamma(1.5, 1 / 1.5, 40_000), 0, 1)  # skewed, wider where more is missed
    learned = learn_intervals(found[::2], predicted[::2])
    lower, upper = learned.bounds(predicted[1::2])
    is_in = (found[1::2] >= lower) & (found[1::2] <= upper)
    fifth = np.searchsorted(np.quantile(predicted, [0.2, 0.4, 0.6, 0.8]), predicted[1::2])
    for part in range(5):
        assert is_in[fifth == part].mean() == pytest.approx(0.9, abs=0.02)
    assert (lower <= predicted[1::2]).all()
    assert (upper >= predicted[1::2]).all()
    assert learned.variance(predicted[1::2]).mean() == pytest.approx(((found - predicted) ** 2).mean(), rel=0.1)


def test_too_few_pupils_to_tell_an_end_leave_it_open():
    learned = learn_intervals(np.linspace(0, 0.2, 50), np.full(50, 0.1) + np.arange(50) / 1e6)
    lower, upper = learned.bounds(np.array([0.1]))
    assert (lower[0], upper[0]) == (0, 1)


def test_halves_do_not_depend_on_order_or_on_who_else_is_there():
    pupils = np.random.default_rng(1).integers(-(2**62), 2**62, 10_000)
    half = halves(pupils)
    np.testing.assert_array_equal(halves(pupils[::-1])[::-1], half)
    assert half.mean() == pytest.approx(0.5, abs=0.02)
    assert abs(np.corrcoef(half, pupils % 2)[0, 1]) < 0.05
