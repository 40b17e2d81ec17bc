"""Scores of predictions: against definitions written out, scikit-learn, SciPy, statsmodels and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import spearmanr

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.models.transition import scores


@pytest.fixture(scope="module")
def chances():
    rng = np.random.default_rng(4)
    linear = rng.normal(-1.5, 1.2, 4000)
    return linear, rng.random(4000) < 1 / (1 + np.exp(-linear))


def pairwise_auc(outcome, score):
    pairs = itertools.product(score[outcome], score[~outcome])
    return np.mean([1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs])


def test_auc_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(1)
    outcome, score = rng.random(120) < 0.3, rng.integers(0, 12, 120).astype(float)
    assert scores.auc(outcome, score) == pytest.approx(pairwise_auc(outcome, score), abs=1e-12)
    assert np.isnan(scores.auc([1, 1], [0.2, 0.3]))


def test_average_precision_by_its_definition():
    outcome, score = np.array([1, 0, 1, 0, 1]), np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    assert scores.average_precision(outcome, score) == pytest.approx((1 / 1 + 2 / 3 + 3 / 5) / 3)
    assert np.isnan(scores.average_precision([0, 0], [0.1, 0.2]))


def test_calibration_finds_a_planted_slope_and_level(chances):
    linear, outcome = chances
    right = 1 / (1 + np.exp(-linear))
    slope, intercept = scores.calibration(outcome, right)
    assert slope == pytest.approx(1, abs=0.08)
    assert intercept == pytest.approx(0, abs=0.1)
    too_far = 1 / (1 + np.exp(-(2 * linear - 0.5)))
    half, _ = scores.calibration(outcome, too_far)
    assert half == pytest.approx(slope / 2, rel=1e-6)  # twice the spread: half the slope
    _, low = scores.calibration(outcome, 1 / (1 + np.exp(-(linear - 0.4))))
    assert low == pytest.approx(intercept + 0.4, abs=1e-6)


def test_calibration_is_statsmodels_logit(chances):
    linear, outcome = chances
    fit = sm.Logit(outcome.astype(float), sm.add_constant(linear)).fit(disp=0)
    slope, _ = scores.calibration(outcome, 1 / (1 + np.exp(-linear)))
    assert slope == pytest.approx(fit.params[1], rel=1e-6)
    assert all(np.isnan(scores.calibration(outcome[:50] & False, np.full(50, 0.1))))


def test_rate_calibration_is_least_squares():
    rng = np.random.default_rng(2)
    predicted = rng.random(300)
    found = 0.1 + 0.7 * predicted + rng.normal(0, 0.1, 300)
    assert scores.rate_calibration(found, predicted) == pytest.approx(np.polyfit(predicted, found, 1)[0], rel=1e-9)
    assert np.isnan(scores.rate_calibration([0.1, 0.2], [0.3, 0.3]))


def test_errors():
    assert scores.mean_absolute_error([0.0, 1.0], [0.5, 0.0]) == 0.75
    assert scores.root_mean_square_error([0.0, 1.0], [0.5, 0.0]) == pytest.approx(np.sqrt(1.25 / 2))
    assert scores.brier([1, 0, 0], [1.0, 0.5, 0.0]) == pytest.approx(0.25 / 3)


def test_rank_correlation_is_scipys():
    rng = np.random.default_rng(3)
    x = rng.integers(0, 9, 40)
    y = x + rng.integers(0, 5, 40)
    assert scores.rank_correlation(x, y) == pytest.approx(spearmanr(x, y).statistic)
    assert np.isnan(scores.rank_correlation([1, 2, 3], [5, 5, 5]))
    assert np.isnan(scores.rank_correlation([1, 2], [5, 6]))


def test_a_list_counts_equal_scores_at_its_end_by_their_share():
    outcome, score = np.array([1, 1, 0, 0, 1]), np.array([0.9, 0.5, 0.5, 0.5, 0.1])
    found = scores.list_score(outcome, score, 2)
    assert (found.listed, found.outcomes) == (2, 3)
    assert found.found == pytest.approx(1 + 1 / 3)
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(4 / 9)


def test_a_rule_may_list_fewer_than_there_are_places():
    found = scores.list_score([1, 0, 1], [0.3, 0.2, 0.1], 3, allowed=[True, False, False])
    assert (found.listed, found.found, found.precision) == (1, 1.0, 1.0)
    nobody = scores.list_score([1, 0], [0.3, 0.2], 3, allowed=[False, False])
    assert nobody.listed == 0
    assert np.isnan(nobody.precision)
    assert nobody.recall == 0


def test_quintiles_add_up(chances):
    linear, outcome = chances
    chance = 1 / (1 + np.exp(-linear))
    found = scores.calibration_quintiles(outcome, chance)
    assert found["pupils"].sum() == 4000
    assert found["pupils"].between(799, 801).all()
    assert found["found"].sum() == outcome.sum()
    assert found["expected"].sum() == pytest.approx(chance.sum())
    assert (found["expected"] / found["pupils"]).is_monotonic_increasing


def test_observed_over_expected_has_byars_limits_of_the_published_example():
    # Breslow and Day (1987): 10 observed, limits 4.787 and 18.391; here 20 expected.
    found = scores.observed_over_expected([1] * 10 + [0] * 90, [0.2] * 100)
    assert found["ratio"] == pytest.approx(0.5)
    assert found["lower"] == pytest.approx(4.787 / 20, abs=1e-4)
    assert found["upper"] == pytest.approx(18.391 / 20, abs=1e-4)


def test_auc_gain_has_the_interval_of_a_bootstrap(chances):
    linear, outcome = chances
    rng = np.random.default_rng(6)
    worse = linear + rng.normal(0, 1.2, 4000)
    gain = scores.auc_gain(outcome, linear, worse)
    assert gain.value == pytest.approx(scores.auc(outcome, linear) - scores.auc(outcome, worse), abs=1e-12)
    draws = []
    for _ in range(300):
        rows = rng.integers(0, 4000, 4000)
        draws.append(scores.auc(outcome[rows], linear[rows]) - scores.auc(outcome[rows], worse[rows]))
    assert (gain.upper - gain.lower) / 3.92 == pytest.approx(np.std(draws), rel=0.15)
    assert gain.is_clear
    same = scores.auc_gain(outcome, linear, linear)
    assert (same.value, same.is_clear) == (0, False)


def test_error_gain_has_the_spread_of_schools_drawn_again():
    rng = np.random.default_rng(8)
    school = rng.integers(0, 60, 3000)
    shared = rng.normal(0, 0.03, 60)[school]
    found = 0.2 + shared + rng.normal(0, 0.05, 3000)
    first, second = np.full(3000, 0.2), 0.2 + 0.2 * rng.normal(0, 0.1, 3000)
    gain = scores.error_gain(found, first, second, school)
    draws = []
    for _ in range(400):
        times = np.bincount(rng.integers(0, 60, 60), minlength=60)[school]
        errors = [np.sqrt(np.average((found - one) ** 2, weights=times)) for one in (first, second)]
        draws.append(errors[1] - errors[0])
    assert (gain.upper - gain.lower) / 3.92 == pytest.approx(np.std(draws), rel=0.2)
    assert gain.is_clear
    assert np.isnan(
        scores.error_gain(found, first, second, np.zeros(3000)).lower
    )  # one school tells nothing of its kind


def test_refuses_what_is_missing():
    with pytest.raises(ParameterError, match="missing"):
        scores.auc([1, 0], [0.1, np.nan])
    with pytest.raises(ParameterError, match="as many"):
        scores.brier([1, 0], [0.1])
    with pytest.raises(ParameterError, match="capacity"):
        scores.list_score([1, 0], [0.1, 0.2], 0)
