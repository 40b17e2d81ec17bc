"""Expected shares against data made by the model itself, and against data with a planted change."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, binom, multivariate_normal, norm

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.models.no_change import _without_ties, expected_shares

SESSIONS = 300


def trajectory(rates):
    """Return 0 persistent, 1 recovered, 2 deteriorating, 3 never, 4 anything else: first match wins."""
    high = rates >= 0.1
    rules = [
        high.all(axis=1),
        high[:, 0] & (rates[:, -1] < 0.05),
        (rates[:, -1] - rates[:, 0] >= 0.05) & high[:, -1],
        ~high.any(axis=1),
    ]
    return np.select(rules, range(4), 4)


def unchanged(rng, pupils, correlation=0.65, sessions=SESSIONS, years=3):
    """Return rates of pupils who keep a level: skewed, whole sessions, and many of none at all."""
    latent = np.sqrt(correlation) * rng.normal(size=(pupils, 1)) + np.sqrt(1 - correlation) * rng.normal(
        size=(pupils, years)
    )
    return np.floor(beta.ppf(norm.cdf(latent), 0.8, 11) * sessions) / sessions


def test_without_change_the_expected_is_observed():
    """60 data sets of 3,000 pupils, 5 classes: the range holds the share observed in 95% or a little more."""
    rng = np.random.default_rng(2)
    inside, away = [], []
    for seed in range(60):
        rates = unchanged(rng, 3000)
        found = expected_shares(rates, trajectory, n_classes=5, draws=5, seed=seed)
        observed = np.bincount(trajectory(rates), minlength=5) / 3000
        inside.append((found.lower <= observed) & (observed <= found.upper))
        away.append(observed - found.share)
    assert 0.94 < np.mean(inside) <= 1
    # No class is found too often or too seldom: the mean of 60 lies within three of its own errors, or 0.1 points.
    mean, error = np.mean(away, axis=0), np.std(away, axis=0) / np.sqrt(60)
    assert (np.abs(mean) < np.maximum(3 * error, 0.001)).all(), (mean, error)


def test_expected_shares_are_those_of_the_normal_distribution():
    """Of uniform rates, the share above the median in both years is 1/4 + arcsin(r) / 2 pi (Sheppard 1899)."""
    rng = np.random.default_rng(3)
    scores = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=20_000)
    found = expected_shares(norm.cdf(scores), lambda r: (r >= 0.5).all(axis=1), n_classes=2)
    assert found.correlation == pytest.approx(0.6, abs=0.015)
    assert found.share[1] == pytest.approx(0.25 + np.arcsin(0.6) / (2 * np.pi), abs=0.005)
    assert found.share.sum() == pytest.approx(1)


def test_planted_recovery_exceeds_what_noise_gives():
    rng = np.random.default_rng(13)
    rates = unchanged(rng, 6000)
    high = np.flatnonzero(rates[:, 0] >= 0.1)
    changed = rates.copy()
    helped = rng.choice(high, len(high) // 5, replace=False)
    changed[helped, 2] = np.minimum(changed[helped, 2], 0.03)
    observed = np.bincount(trajectory(changed), minlength=5) / 6000
    found = expected_shares(changed, trajectory, n_classes=5)
    assert observed[1] > found.upper[1] + 0.005
    assert observed[1] > 1.3 * found.share[1]
    # And a naive reader would have taken this much for recovery where nobody changed.
    plain = expected_shares(rates, trajectory, n_classes=5)
    assert plain.share[1] > 0.02
    assert plain.lower[1] <= np.mean(trajectory(rates) == 1) <= plain.upper[1]


@pytest.mark.parametrize("sessions", [10, 40, 300])
def test_ties_do_not_weaken_the_level(sessions):
    """With 10 sessions two pupils in five have a rate of 0 and share one score."""
    rates = unchanged(np.random.default_rng(5), 60_000, correlation=0.7, sessions=sessions)
    found = expected_shares(rates, lambda r: np.zeros(len(r)), n_classes=1, draws=1)
    assert found.correlation == pytest.approx(0.7, abs=0.01)


def test_correlation_of_two_tied_halves_is_sheppards():
    """Scores of two values only, cut at the median: they correlate by 2 arcsin(r) / pi."""
    for correlation in (0.2, 0.5, 0.8):
        both_low = multivariate_normal.cdf([0, 0], cov=[[1, correlation], [correlation, 1]])
        shown = 4 * both_low - 1
        assert shown == pytest.approx(2 * np.arcsin(correlation) / np.pi, abs=1e-4)
        assert _without_ties(shown, np.repeat([0.0, 0.1], 50)) == pytest.approx(correlation, abs=0.005)


def test_the_range_is_that_of_as_many_pupils():
    rates = unchanged(np.random.default_rng(6), 500)
    found = expected_shares(rates, trajectory, n_classes=6)
    assert found.n_pupils == 500
    inside = binom.cdf(np.round(found.upper * 500), 500, found.share) - binom.cdf(
        np.round(found.lower * 500) - 1, 500, found.share
    )
    assert (inside >= 0.95).all()
    assert inside[[0, 3]].max() < 0.97  # no wider than whole pupils make it
    assert (found.share[5], found.lower[5], found.upper[5]) == (0, 0, 0)  # a class the rule never gives


def test_pupils_without_any_level_are_independent_years():
    rng = np.random.default_rng(7)
    found = expected_shares(rng.random((20_000, 3)) ** 3, trajectory, n_classes=5)
    assert found.correlation < 0.02
    high = 1 - 0.1 ** (1 / 3)
    assert found.share[0] == pytest.approx(high**3, abs=0.01)
    opposed = np.column_stack([rng.random(500), np.zeros(500)])
    opposed[:, 1] = 1 - opposed[:, 0]
    assert expected_shares(opposed, lambda r: r[:, 0] >= 0.5, n_classes=2).correlation == 0


def test_same_seed_same_shares():
    rates = unchanged(np.random.default_rng(8), 300)
    first, again = (expected_shares(rates, trajectory, n_classes=5, seed=9) for _ in range(2))
    np.testing.assert_array_equal(first.share, again.share)
    assert (expected_shares(rates, trajectory, n_classes=5, seed=10).share != first.share).any()


def test_everybody_at_one_rate():
    found = expected_shares(np.full((50, 3), 0.04), trajectory, n_classes=5)
    assert (found.share[3], found.lower[3], found.upper[3]) == (1, 1, 1)
    assert found.correlation == 0


def test_what_cannot_be_is_refused():
    rates = unchanged(np.random.default_rng(9), 20)
    with pytest.raises(ParameterError, match="two years or more"):
        expected_shares(rates[:, :1], trajectory, n_classes=5)
    with pytest.raises(NoDataError, match="rates of 1 pupils"):
        expected_shares(rates[:1], trajectory, n_classes=5)
    rates[3, 1] = np.nan
    with pytest.raises(ParameterError, match="row 3, year 1, is nan: rates are from 0 to 1"):
        expected_shares(rates, trajectory, n_classes=5)
    rates[3, 1] = 1.5
    with pytest.raises(ParameterError, match=r"is 1\.5"):
        expected_shares(rates, trajectory, n_classes=5)
    rates[3, 1] = 0
    with pytest.raises(ParameterError, match="20 codes from 0 to 2"):
        expected_shares(rates, trajectory, n_classes=3)
    with pytest.raises(ParameterError, match=r"returned the shape \(20, 3\)"):
        expected_shares(rates, lambda r: r >= 0.1, n_classes=2)
    with pytest.raises(ParameterError, match="asked for were 0 and 5"):
        expected_shares(rates, trajectory, n_classes=5, draws=0)
