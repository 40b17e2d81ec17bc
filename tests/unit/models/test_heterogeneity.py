"""Cochran's Q and I² against statsmodels, and its error rate where nothing differs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from attendance_toolkit.models.heterogeneity import heterogeneity
from attendance_toolkit.models.relative import log_risk_ratio


def test_equals_statsmodels():
    rng = np.random.default_rng(4)
    estimates, errors = rng.normal(0.4, 0.3, 10), rng.uniform(0.05, 0.3, 10)
    found = heterogeneity(estimates, errors)
    theirs = combine_effects(estimates, errors**2)
    homogeneity = theirs.test_homogeneity()
    assert (found.q, found.p_value) == pytest.approx((homogeneity.statistic, homogeneity.pvalue))
    assert found.i2 == pytest.approx(theirs.i2)
    assert found.common == pytest.approx(theirs.mean_effect_fe)
    assert found.df == 9


def test_groups_without_an_estimate_are_left_out():
    whole = heterogeneity([0.1, 0.5, 0.2], [0.1, 0.1, 0.2])
    assert heterogeneity([0.1, np.nan, 0.5, -np.inf, 0.2], [0.1, 0.1, 0.1, np.nan, 0.2]) == whole
    one = heterogeneity([0.1], [0.1])
    assert (one.q, one.df) == (pytest.approx(0), 0)
    assert math.isnan(one.p_value)
    assert math.isnan(one.i2)
    assert math.isnan(heterogeneity([], []).common)


def test_estimates_all_alike_share_nothing_beyond_chance():
    found = heterogeneity([0.3, 0.3, 0.3], [0.1, 0.2, 0.3])
    assert (found.i2, round(found.p_value, 6)) == (0, 1)


def test_a_standard_error_of_0_is_refused():
    with pytest.raises(ValueError, match="standard error is 0"):
        heterogeneity([1, 2], [0.1, 0])


def test_one_planted_ratio_for_all_districts_is_rarely_called_different_and_different_ones_often():
    rng = np.random.default_rng(8)
    n1, n0 = rng.integers(4000, 12000, (1000, 10)), rng.integers(8000, 25000, (1000, 10))
    base = rng.uniform(0.01, 0.03, (1000, 10))

    def called(ratio):
        logs, errors = log_risk_ratio(rng.binomial(n1, base * ratio), n1, rng.binomial(n0, base), n0)
        return np.mean([heterogeneity(*row).p_value < 0.05 for row in zip(logs, errors, strict=True)])

    assert 0.03 < called(2.0) < 0.07
    assert called(rng.uniform(1.5, 3.0, (1, 10))) > 0.9
