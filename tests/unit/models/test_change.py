"""Shrunken changes: the posterior by brute force, planted changes found, and nothing found where nothing changed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import norm

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.change import shrunken, shrunken_change

#: Effects of coaching in eight schools (Rubin 1981) and their standard errors.
EFFECTS = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
ERRORS = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


def test_eight_schools_equal_the_joint_posterior_by_brute_force():
    """A grid over mean and spread, flat in both: no formula for the mean given the spread is used."""
    found = shrunken(EFFECTS, ERRORS**2)
    mean, spread = np.meshgrid(np.linspace(-70, 90, 1601), np.linspace(1e-6, 4 * EFFECTS.std(), 301), indexing="ij")
    log_posterior = sum(norm.logpdf(y, mean, np.sqrt(s**2 + spread**2)) for y, s in zip(EFFECTS, ERRORS, strict=True))
    weight = np.exp(log_posterior - log_posterior.max())
    weight /= weight.sum()
    assert found.centre == pytest.approx((weight * mean).sum(), abs=0.05)
    assert found.centre_error == pytest.approx(np.sqrt((weight * (mean - found.centre) ** 2).sum()), rel=0.02)
    for school in range(8):
        precision = 1 / ERRORS[school] ** 2 + 1 / spread**2
        middle = (EFFECTS[school] / ERRORS[school] ** 2 + mean / spread**2) / precision
        assert found.mean[school] == pytest.approx((weight * middle).sum(), abs=0.05)
        for end, probability in (
            (found.lower, 0.025),
            (found.upper, 0.975),
            (np.zeros(8), found.probability_fell[school]),
        ):
            below = (weight * ndtr((end[school] - middle) * np.sqrt(precision))).sum()
            assert below == pytest.approx(probability, abs=0.002)
    # Cochran's test and the moments see no variance, and no school is far from the others.
    assert found.tau2 == 0
    assert not found.has_variance
    assert (found.shrinkage > 0.5).all()


def test_alike_units_are_drawn_together_and_unlike_ones_are_left():
    alike = shrunken([0.01, 0.011, 0.009, 0.01], [1e-4] * 4)
    assert np.ptp(alike.mean) < 0.001
    # At least as wide as if all four were one unit of four times the size.
    assert (alike.upper - alike.lower > 2 * 1.96 * 0.005).all()
    unlike = shrunken([0.30, -0.25, 0.10, -0.20], [1e-6] * 4)
    assert unlike.mean == pytest.approx(unlike.change, abs=1e-4)
    assert unlike.upper - unlike.lower == pytest.approx(2 * 1.96e-3, rel=0.02)
    assert unlike.has_variance


def test_rates_without_events_have_a_variance():
    found = shrunken_change([0, 3, 5, 2], [100, 120, 150, 90], [0, 4, 2, 3], [110, 115, 140, 95])
    assert np.isfinite(found.mean).all()
    assert found.lower[0] < 0 < found.upper[0]
    with pytest.raises(NoDataError, match="between 0% and 100%"):
        shrunken_change([0, 0, 0], [10, 10, 10], [0, 0, 0], [10, 10, 10])
    with pytest.raises(NoDataError, match="3 or more need pupils, and 2 have"):
        shrunken_change([1, 2, np.nan], [10, 10, 10], [1, 2, 1], [10, 10, 10])
    with pytest.raises(ValueError, match="dispersion is 0"):
        shrunken_change([1, 2, 3], [10, 10, 10], [1, 2, 1], [10, 10, 10], dispersion=0)


def test_units_of_one_year_only_are_left_out_and_stay_in_place():
    y0, n0, y1, n1 = [30, 40, 52, 41], [200, 210, 240, 200], [20, 61, 50, 44], [190, 230, 250, 205]
    plain = shrunken_change(y0, n0, y1, n1)
    found = shrunken_change([5, *y0, np.nan], [50, *n0, 60], [0, *y1, 4], [0, *n1, 60])
    assert found.mean[1:5].tolist() == plain.mean.tolist()
    assert np.isnan(found.mean[[0, 5]]).all()
    assert np.isnan(found.probability_fell[[0, 5]]).all()
    assert (found.units, found.centre) == (4, plain.centre)
    assert plain.probability_fell + plain.probability_rose == pytest.approx(1)
    # Counts four times as dispersed are worth a quarter of the pupils.
    quarter = shrunken_change(*(np.array(counts) / 4 for counts in (y0, n0, y1, n1)))
    assert shrunken_change(y0, n0, y1, n1, dispersion=4).mean == pytest.approx(quarter.mean)


def simulate(*, rate, pupils, spread=0.0, common=0.0, planted=0.0, sets=100, units=60, seed=1):
    """Draw schools of unlike rates and their changes; return true changes and what was found, (sets, units) each."""
    rng = np.random.default_rng(seed)
    kept = []
    for _ in range(sets):
        n0 = rng.integers(*pupils, units)
        n1 = np.round(n0 * rng.uniform(0.9, 1.1, units)).astype(int)
        before = np.clip(rng.normal(rate, 0.3 * rate, units), 0.01 * rate, 1)
        change = np.full(units, common) + (rng.normal(0, spread, units) if spread else 0)
        change[:10], change[10:20] = change[:10] - planted, change[10:20] + planted
        after = np.clip(before + change, 0.01 * rate, 1)
        found = shrunken_change(rng.binomial(n0, before), n0, rng.binomial(n1, after), n1)
        kept.append([after - before, found.probability_fell, found.probability_rose, found.lower, found.upper])
    return np.moveaxis(np.array(kept), 1, 0)


SIZES = {"primary": (150, 400), "secondary": (600, 1500)}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rate", [0.2, 0.03])
def test_nothing_is_found_where_nothing_changed(size, rate):
    """6,000 schools, persistent and severe absence: far fewer than 2.5% a side have a probability of 95%."""
    _, fell, rose, lower, upper = simulate(rate=rate, pupils=SIZES[size])
    assert (fell >= 0.95).mean() < 0.025
    assert (rose >= 0.95).mean() < 0.025
    # And no year in which every school is named at once because their mean happened to move.
    assert ((fell >= 0.95).mean(axis=1) > 0.5).mean() <= 0.02
    assert ((lower <= 0) & (upper >= 0)).mean() > 0.95


@pytest.mark.parametrize(("size", "power"), [("primary", 0.3), ("secondary", 0.9)])
def test_planted_changes_are_found_and_unchanged_schools_are_not(size, power):
    """10 of 60 schools fall from about 20% by 7 points, 10 rise, 40 stay: power of about 45% and 95%."""
    change, fell, rose, _, _ = simulate(rate=0.2, pupils=SIZES[size], planted=0.07)
    assert (fell[:, :10] >= 0.95).mean() > power
    assert (rose[:, 10:20] >= 0.95).mean() > power
    assert (fell[change == 0] >= 0.95).mean() < 0.05
    assert (rose[change == 0] >= 0.95).mean() < 0.05
    assert (fell[:, 10:20] >= 0.95).mean() < 0.001  # never the wrong way


@pytest.mark.parametrize("common", [0.0, -0.02])
def test_stated_probabilities_are_how_often_it_is_true(common):
    """Every school changes by its own amount: of those named with 95% or more at least 95% have fallen."""
    change, fell, _, lower, upper = simulate(rate=0.2, pupils=SIZES["primary"], spread=0.03, common=common, sets=200)
    named = fell >= 0.95
    assert named.sum() > 300
    assert (change[named] < 0).mean() > 0.95
    assert (change[fell > 0.5] < 0).mean() == pytest.approx(fell[fell > 0.5].mean(), abs=0.05)
    assert 0.92 < ((lower <= change) & (change <= upper)).mean() < 0.97


def test_shrunken_changes_are_nearer_to_the_truth_than_those_counted():
    rng = np.random.default_rng(5)
    pupils = rng.integers(150, 400, 300)
    before = rng.uniform(0.1, 0.3, 300)
    truth = rng.normal(0, 0.02, 300)
    found = shrunken_change(
        rng.binomial(pupils, before), pupils, rng.binomial(pupils, np.clip(before + truth, 0, 1)), pupils
    )
    assert ((found.mean - truth) ** 2).mean() < 0.6 * ((found.change - truth) ** 2).mean()
