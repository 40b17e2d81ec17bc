"""The likelihood and the posterior against integration by scipy.integrate.quad, their derivatives against differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import binom, norm

from attendance_toolkit.models.maihda import fit_maihda, predict_strata
from attendance_toolkit.models.maihda.likelihood import evaluate
from attendance_toolkit.models.maihda.rows import make_rows

EVENTS = np.array([0.0, 3, 7, 12, 2, 30])
TRIALS = np.array([9.0, 10, 7, 40, 300, 400])
COLUMN = np.array([0.0, 1, 0, 1, 0, 1])
MATRIX = np.column_stack([np.ones(6), COLUMN])
GROUPS = np.array(["b", "a", "b", "c", "a", "c"])
PARAMETERS = np.array([-1.5, 0.4, 0.9])


def brute_force(parameters: np.ndarray, groups: np.ndarray) -> float:
    """Sum over groups of the logarithm of the integral of binomials and the normal density of the effect."""
    eta, sd = MATRIX @ parameters[:-1], parameters[-1]

    def integrand(u: float, rows: np.ndarray) -> float:
        return float(np.prod(binom.pmf(EVENTS[rows], TRIALS[rows], expit(eta[rows] + u))) * norm.pdf(u, scale=sd))

    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    return sum(np.log(quad(integrand, -12, 12, args=(rows,), limit=500, points=[-2, 0, 2])[0]) for rows in members)


@pytest.mark.parametrize("groups", [np.arange(6), GROUPS], ids=["strata of one row", "strata of several rows"])
def test_likelihood_is_the_integral(groups):
    rows = make_rows(EVENTS, TRIALS, MATRIX, groups)
    assert evaluate(rows, PARAMETERS, points=25).value == pytest.approx(brute_force(PARAMETERS, groups), abs=1e-6)
    assert evaluate(rows, PARAMETERS, points=15).value == pytest.approx(brute_force(PARAMETERS, groups), abs=1e-4)


@pytest.mark.parametrize("groups", [np.arange(6), GROUPS], ids=["strata of one row", "strata of several rows"])
@pytest.mark.parametrize("sd", [0.9, 0.2, 0.0])
def test_derivatives_are_those_of_the_likelihood(groups, sd):
    rows = make_rows(EVENTS, TRIALS, MATRIX, groups)
    here = np.append(PARAMETERS[:-1], sd)
    found = evaluate(rows, here, points=41)
    step = 1e-4
    for place in range(3):
        move = np.zeros(3)
        move[place] = step
        ahead, behind = evaluate(rows, here + move, points=41), evaluate(rows, here - move, points=41)
        assert found.gradient[place] == pytest.approx((ahead.value - behind.value) / (2 * step), abs=2e-5)
        assert found.hessian[place] == pytest.approx(
            (ahead.gradient - behind.gradient) / (2 * step), rel=1e-4, abs=1e-4
        )


def test_without_variation_the_likelihood_is_the_binomials():
    rows = make_rows(EVENTS, TRIALS, MATRIX)
    expected = binom.logpmf(EVENTS, TRIALS, expit(MATRIX @ PARAMETERS[:-1])).sum()
    assert evaluate(rows, np.append(PARAMETERS[:-1], 0.0)).value == pytest.approx(expected, abs=1e-9)


def test_many_pupils_neither_under_nor_overflow():
    events, trials = np.array([2e5, 3e6, 9e4]), np.array([1e6, 4e6, 5e6])
    assert np.isfinite(evaluate(make_rows(events, trials, np.ones((3, 1))), np.array([20.0, 3.0])).value)
    fit = fit_maihda(events, trials)
    assert fit.is_converged
    # So many pupils leave nothing to chance: the estimate is the standard deviation of the three logits.
    assert fit.sd == pytest.approx(np.std(np.log(events / (trials - events))), rel=1e-4)


def posterior(y: float, n: float, eta: float, sd: float) -> tuple[float, float, float, float]:
    """Return mean rate, its 2.5% and 97.5% quantiles and the mean effect, by quad and root finding."""

    def density(u: float) -> float:
        return float(binom.pmf(y, n, expit(eta + u)) * norm.pdf(u, scale=sd))

    def integral(function, high: float = 8.0) -> float:
        return quad(function, -8, high, limit=500, points=[p for p in (-1, 0, 1) if p < high])[0]

    total = integral(density)
    ends = [brentq(lambda q, s=share: integral(density, q) / total - s, -7, 7) for share in (0.025, 0.975)]
    rate = integral(lambda u: density(u) * expit(eta + u)) / total
    return rate, *[float(expit(eta + end)) for end in ends], integral(lambda u: u * density(u)) / total


@pytest.mark.parametrize(("y", "n"), [(0, 9), (3, 10), (7, 7), (30, 400), (0, 0)])
def test_stratum_estimates_are_the_posterior(y, n):
    found = predict_strata(-1.2, 0.7, [y], [n])
    expected = posterior(y, n, -1.2, 0.7)
    values = [found.rate[0], found.lower[0], found.upper[0], found.effect[0]]
    assert values == pytest.approx(expected, abs=2e-4)
    assert found.main_effects_rate[0] == pytest.approx(expit(-1.2))


def test_averaging_over_parameters_that_are_certain_changes_nothing():
    events, trials = [3, 30], [10, 400]
    known = predict_strata([-1.2, -2.0], 0.7, events, trials)
    averaged = predict_strata([-1.2, -2.0], 0.7, events, trials, sd_interval=(0.69999, 0.70001))
    for name in ("rate", "lower", "upper", "effect", "effect_sd"):
        assert getattr(averaged, name) == pytest.approx(getattr(known, name), abs=1e-5)


def test_uncertain_main_effects_widen_a_small_strata_interval_by_their_error():
    # Without any variation between strata the rate is the main effects' own: its interval is that of the coefficient,
    # here one of a pooled rate, 400 of 2,000 (Wald on the logit scale), which the nodes average over.
    events, trials = np.array([200.0, 200.0]), np.array([1000.0, 1000.0])
    linear, error = np.log(0.2 / 0.8), 1 / np.sqrt(2000 * 0.2 * 0.8)
    found = predict_strata(linear, 0.0, events, trials, design=np.ones((2, 1)), sd_interval=(0.0, 1e-4))
    assert found.lower[0] == pytest.approx(expit(linear - 1.96 * error), abs=0.002)
    assert found.upper[0] == pytest.approx(expit(linear + 1.96 * error), abs=0.002)
