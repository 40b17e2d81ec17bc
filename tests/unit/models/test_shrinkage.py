"""Beta-binomial fits against VGAM and scipy; shrunken estimates and ranks against a planted truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta, betabinom

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.shrinkage import fit_beta_binomial, places_at_top, rank_uncertainty

#: Surgical mortality of 12 hospitals (BUGS examples, volume I).
OPERATIONS = np.array([47, 148, 119, 810, 211, 196, 148, 215, 207, 97, 256, 360])
DEATHS = np.array([0, 18, 8, 46, 8, 13, 9, 31, 14, 8, 29, 24])


def test_surgical_equals_vgam():
    fit = fit_beta_binomial(DEATHS, OPERATIONS)
    assert fit.mean == pytest.approx(0.07649874, abs=1e-6)  # VGAM 1.1-7 betabinomial
    assert fit.rho == pytest.approx(0.0091838, abs=1e-6)
    assert fit.log_likelihood == pytest.approx(-38.75309, abs=1e-5)
    assert not fit.is_at_bound
    a, b = fit.mean * fit.size, (1 - fit.mean) * fit.size
    assert fit.log_likelihood == pytest.approx(betabinom.logpmf(DEATHS, OPERATIONS, a, b).sum())


def test_posterior_is_the_beta_distribution_between_rate_and_mean():
    fit = fit_beta_binomial(DEATHS, OPERATIONS)
    found = fit.posterior(DEATHS, OPERATIONS)
    a, b = fit.mean * fit.size + DEATHS, (1 - fit.mean) * fit.size + OPERATIONS - DEATHS
    assert found.rate == pytest.approx(beta.mean(a, b))
    assert found.lower == pytest.approx(beta.ppf(0.025, a, b))
    assert found.upper == pytest.approx(beta.ppf(0.975, a, b))
    raw = DEATHS / OPERATIONS
    assert ((found.rate - fit.mean) * (raw - fit.mean) > 0).all()
    assert (abs(found.rate - fit.mean) < abs(raw - fit.mean)).all()
    assert found.rate[0] > 0  # nobody died of 47, which is not a rate of nothing
    nobody = fit.posterior(0, 0)
    assert float(nobody.rate) == pytest.approx(fit.mean)


def test_without_overdispersion_the_size_is_at_its_bound():
    """Counts drawn at one rate; as in the Missouri cancer counts, the likelihood has no inner maximum."""
    rng = np.random.default_rng(12)
    trials = rng.integers(500, 30_000, 84)
    # Quantiles of each binomial in a random order, spread less than chance would: a certain case.
    events = np.round(trials * 0.002 + rng.uniform(-0.8, 0.8, 84) * np.sqrt(trials * 0.002)).clip(0)
    fit = fit_beta_binomial(events, trials)
    assert fit.is_at_bound
    assert fit.size == pytest.approx(1e6)
    assert fit.mean == pytest.approx(events.sum() / trials.sum(), rel=0.001)
    assert np.ptp(fit.posterior(events, trials).rate) < 0.05 * fit.mean


def test_planted_size_is_found_and_intervals_cover_the_true_rates():
    rng = np.random.default_rng(21)
    truth = rng.beta(0.04 * 150, 0.96 * 150, 3000)
    trials = rng.integers(60, 1500, 3000)
    events = rng.binomial(trials, truth)
    fit = fit_beta_binomial(events, trials)
    assert fit.mean == pytest.approx(0.04, rel=0.03)
    assert fit.size == pytest.approx(150, rel=0.1)
    found = fit.posterior(events, trials)
    assert 0.93 < ((found.lower <= truth) & (truth <= found.upper)).mean() < 0.97
    raw = events / trials
    assert ((found.rate - truth) ** 2).mean() < ((raw - truth) ** 2).mean()


def test_sizes_without_rates_between_0_and_1_are_refused():
    for events, trials in [([0, 0], [10, 10]), ([10, 10], [10, 10]), ([3], [10]), ([3, 0], [10, 0])]:
        with pytest.raises(NoDataError, match="two units or more"):
            fit_beta_binomial(events, trials)


def test_units_without_trials_or_hidden_are_left_out_of_the_fit():
    fit = fit_beta_binomial([*DEATHS, 0, np.nan], [*OPERATIONS, 0, 100])
    assert fit == fit_beta_binomial(DEATHS, OPERATIONS)


def test_ranks_of_two_units_equal_the_integral():
    a, b = (60.5, 1000 - 60 + 0.5), (45.5, 900 - 45 + 0.5)
    exact = quad(lambda p: beta.pdf(p, *a) * beta.cdf(p, *b), 0, 0.2)[0]
    found = rank_uncertainty([60, 45], [1000, 900], draws=40_000)
    assert found["probability_top"].tolist() == pytest.approx([exact, 1 - exact], abs=0.01)


def test_ranks_of_units_alike_and_far_apart():
    found = rank_uncertainty([50] * 12, [1000] * 12)
    assert found["probability_top"].to_numpy() == pytest.approx(4 / 12, abs=0.04)
    assert (found["upper"] - found["lower"] >= 10).all()
    found = rank_uncertainty([10, 50, 100, 200, 400, 800], [10_000] * 6)
    assert found["median"].tolist() == found["lower"].tolist() == found["upper"].tolist() == [6, 5, 4, 3, 2, 1]
    assert found["probability_top"].tolist() == [0, 0, 0, 0, 1, 1]


def test_rank_intervals_hold_the_true_rank_of_planted_rates():
    rng = np.random.default_rng(5)
    held = []
    for _ in range(60):
        truth = rng.uniform(0.01, 0.05, 10)
        trials = rng.integers(1000, 5000, 10)
        found = rank_uncertainty(rng.binomial(trials, truth), trials, draws=1000)
        rank = (-truth).argsort().argsort() + 1
        held.append(found["lower"].le(rank) & found["upper"].ge(rank))
    assert np.mean(held) > 0.93  # ranks are whole numbers, so the interval holds a little more than it must


def test_ranks_are_the_same_each_time_and_hidden_units_have_none():
    events, trials = [30, np.nan, 20, 0], [1000, 900, 1000, 0]
    found = rank_uncertainty(events, trials)
    assert found.equals(rank_uncertainty(events, trials))
    assert found.isna().all(axis=1).tolist() == [False, True, False, True]
    assert found["upper"].max() == 2
    assert rank_uncertainty([], []).empty


@pytest.mark.parametrize(("units", "top", "places"), [(10, 1 / 3, 3), (12, 1 / 3, 4), (2, 1 / 3, 1), (207, 0.1, 20)])
def test_places_at_the_top(units, top, places):
    assert places_at_top(units, top) == places
