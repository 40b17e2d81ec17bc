"""Intervals against R's printed values, statsmodels, exact Poisson limits, and simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from attendance_toolkit.intervals import (
    Z95,
    byar_interval,
    contrast_interval,
    jeffreys_interval,
    newcombe_interval,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("x", "n", "low", "high"),
    [(15, 148, 0.060449, 0.157643), (0, 20, 0, 0.116639), (81, 263, 0.254522, 0.365647)],
)
def test_jeffreys_equals_r_qbeta(x, n, low, high):
    assert [round(float(v), 6) for v in jeffreys_interval(x, n)] == [low, high]


def test_jeffreys_ends_at_0_and_1_and_is_symmetric():
    low, high = jeffreys_interval([0, 20, 3], [20, 20, 0])
    assert (low[0], high[1]) == (0, 1)  # statsmodels' own gives 2.4e-5
    assert low[1] == pytest.approx(1 - high[0])
    assert np.isnan([low[2], high[2]]).all()
    inner = np.arange(1, 50)
    assert jeffreys_interval(inner, 50) == pytest.approx(np.array(proportion_confint(inner, 50, method="jeffreys")))


#: Newcombe 1998, Statistics in Medicine 17, 873: the first two published, the rest worked out from his formula.
NEWCOMBE = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (6, 7, 2, 7, 0.0582, 0.8062),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 20, -0.1611, 0.2775),
    (0, 10, 0, 10, -0.2775, 0.2775),
    (10, 10, 0, 20, 0.6791, 1.0),
    (10, 10, 0, 10, 0.6075, 1.0),
]


def test_newcombe_equals_all_examples_and_statsmodels():
    x1, n1, x2, n2, low, high = (np.array(column) for column in zip(*NEWCOMBE, strict=True))
    found = newcombe_interval(x1 / n1, wilson_interval(x1, n1), x2 / n2, wilson_interval(x2, n2))
    assert found[0].round(4) == pytest.approx(low)
    assert found[1].round(4) == pytest.approx(high)
    # statsmodels gives the interval of the rates' own order; ours is the same array at once.
    theirs = [confint_proportions_2indep(*row[:4], method="newcomb") for row in NEWCOMBE]
    assert np.column_stack(found) == pytest.approx(np.array(theirs), abs=1e-10)


def test_byar_equals_breslow_and_day_and_nears_the_exact_limits():
    low, high = byar_interval([10, 100])
    assert low.round(2).tolist() == [4.79, 81.36]
    assert high.round(2).tolist() == [18.39, 121.63]
    counts = np.arange(5, 400)
    low, high = byar_interval(counts)
    assert low == pytest.approx(chi2.ppf(0.025, 2 * counts) / 2, rel=0.012)
    assert high == pytest.approx(chi2.ppf(0.975, 2 * counts + 2) / 2, rel=0.001)
    assert np.isnan(byar_interval([np.nan])).all()
    assert byar_interval(0)[0] == 0


def wald(cases, totals):
    p = cases / totals
    contrast = p[1, 1] - p[1, 0] - p[0, 1] + p[0, 0]
    half = Z95 * np.sqrt((p * (1 - p) / totals).sum(axis=(0, 1)))
    return contrast - half, contrast + half


def test_contrast_equals_wald_in_large_groups_and_squared_distances_in_small_ones():
    cases, totals = np.array([[440, 580], [730, 2250]]) * 100, np.array([[55300, 19300], [33600, 17400]]) * 100
    found = contrast_interval(cases / totals, wilson_interval(cases, totals))
    assert found == pytest.approx(wald(cases, totals), abs=2e-5)
    # Two groups alike on both sides: the difference of the other two, with all four distances.
    cases, totals = np.array([[0, 5], [1, 9]]), np.array([[29, 56], [12, 10]])
    p, (low, high) = cases / totals, wilson_interval(cases, totals)
    contrast = p[1, 1] - p[1, 0] - p[0, 1] + p[0, 0]
    plus, minus = [(1, 1), (0, 0)], [(1, 0), (0, 1)]
    below = sum((p[i] - low[i]) ** 2 for i in plus) + sum((high[i] - p[i]) ** 2 for i in minus)
    above = sum((high[i] - p[i]) ** 2 for i in plus) + sum((p[i] - low[i]) ** 2 for i in minus)
    found = contrast_interval(p, (low, high))
    assert found == pytest.approx((contrast - np.sqrt(below), contrast + np.sqrt(above)))


def coverage(low, high, truth):
    return float(((low <= truth) & (truth <= high)).mean())


def test_intervals_cover_the_truth_19_times_in_20():
    """Averaged over true rates and sizes as severe absence has them; planted, so the truth is known."""
    rng = np.random.default_rng(11)
    truth = rng.uniform(0.01, 0.15, (2, 2, 20_000))
    totals = rng.integers(100, 3000, truth.shape)
    cases = rng.binomial(totals, truth)
    found = {
        "wilson": coverage(*wilson_interval(cases, totals), truth),
        "jeffreys": coverage(*jeffreys_interval(cases, totals), truth),
        "newcombe": coverage(
            *newcombe_interval(
                cases[0] / totals[0],
                wilson_interval(cases[0], totals[0]),
                cases[1] / totals[1],
                wilson_interval(cases[1], totals[1]),
            ),
            truth[0] - truth[1],
        ),
        "contrast": coverage(
            *contrast_interval(cases / totals, wilson_interval(cases, totals)),
            truth[1, 1] - truth[1, 0] - truth[0, 1] + truth[0, 0],
        ),
    }
    expected = rng.uniform(8, 300, 20_000)
    found["byar"] = coverage(*byar_interval(rng.poisson(expected)), expected)
    assert all(0.93 < share < 0.97 for share in found.values()), found
