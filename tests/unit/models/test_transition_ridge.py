"""Logistic fits of rates and of 0 and 1, against statsmodels, scikit-learn and the gradient."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.models.transition.rate import fit_rate
from attendance_toolkit.models.transition.ridge import RIDGE, fit_ridge


def make_rows(rows=3000, seed=0):
    """Return a design, 0 and 1, and sessions that vary more than independent ones would."""
    rng = np.random.default_rng(seed)
    design = np.column_stack([np.ones(rows), rng.normal(3, 2, rows), rng.random(rows) < 0.1, rng.normal(size=rows)])
    linear = design @ [-2.5, 0.3, 0.6, -0.2]
    possible = rng.integers(60, 380, rows)
    return (
        design,
        rng.binomial(1, expit(linear)),
        rng.binomial(possible, expit(linear + rng.normal(size=rows))),
        possible,
    )


def test_without_a_ridge_it_is_statsmodels_glm():
    design, outcome, _, _ = make_rows()
    fit = fit_ridge(design, outcome, ridge=0)
    expected = sm.GLM(outcome, design, family=sm.families.Binomial()).fit(tol=1e-15, cov_type="HC0")
    assert fit.is_converged
    np.testing.assert_allclose(fit.coefficients, expected.params, rtol=1e-8)
    np.testing.assert_allclose(fit.covariance, expected.cov_params(), rtol=1e-7)
    assert fit.dispersion == pytest.approx(expected.pearson_chi2 / len(outcome), rel=1e-8)


def test_rates_by_sessions_are_a_binomial_glm_with_robust_errors():
    design, _, missed, possible = make_rows()
    fit = fit_rate(design, missed, possible, ridge=0)
    counts = np.column_stack([missed, possible - missed])
    expected = sm.GLM(counts, design, family=sm.families.Binomial()).fit(tol=1e-15, cov_type="HC0")
    np.testing.assert_allclose(fit.coefficients, expected.params, rtol=1e-8)
    np.testing.assert_allclose(fit.covariance, expected.cov_params(), rtol=1e-6)
    naive = sm.GLM(counts, design, family=sm.families.Binomial()).fit(tol=1e-15)
    assert (fit.standard_errors > 3 * naive.bse).all()  # sessions of one pupil are no independent trials
    np.testing.assert_allclose((possible * fit.fitted).sum(), missed.sum(), rtol=1e-9)


def test_rates_one_a_pupil_are_a_fractional_logit():
    design, _, missed, possible = make_rows()
    fit = fit_rate(design, missed, possible, by_sessions=False, ridge=0)
    expected = sm.GLM(missed / possible, design, family=sm.families.Binomial()).fit(tol=1e-15)
    np.testing.assert_allclose(fit.coefficients, expected.params, rtol=1e-8)


def test_the_ridge_is_that_of_scikit_learn_on_standardised_columns():
    design, outcome, _, _ = make_rows()
    share = 0.01
    fit = fit_ridge(design, outcome, ridge=share)
    slopes = design[:, 1:]
    standard = (slopes - slopes.mean(axis=0)) / slopes.std(axis=0)
    oracle = LogisticRegression(C=1 / (share * len(outcome)), tol=1e-12, max_iter=10_000).fit(standard, outcome)
    np.testing.assert_allclose(fit.coefficients[1:] * slopes.std(axis=0), oracle.coef_[0], rtol=1e-5)
    plain = fit_ridge(design, outcome, ridge=0)
    assert (np.abs(fit.coefficients[1:]) < np.abs(plain.coefficients[1:])).all()
    slight = fit_ridge(design, outcome, ridge=RIDGE)  # the one that is used changes nothing that is known
    np.testing.assert_allclose(slight.coefficients, plain.coefficients, rtol=2e-3)


def test_the_penalised_score_is_zero_with_weights():
    design, outcome, _, possible = make_rows()
    weight = possible / possible.mean()
    fit = fit_ridge(design, outcome, possible, ridge=0.02)
    penalty = 0.02 * len(outcome) * design.var(axis=0)
    penalty[0] = 0
    score = design.T @ (weight * (outcome - fit.fitted)) - penalty * fit.coefficients
    np.testing.assert_allclose(score, 0, atol=1e-6)


def test_rare_events_set_apart_by_a_column_stay_finite():
    design, outcome, _, _ = make_rows()
    rng = np.random.default_rng(3)
    apart = rng.random(len(outcome)) < 0.004
    outcome = np.where(apart, 1, outcome * (rng.random(len(outcome)) < 0.1))
    fit = fit_ridge(np.column_stack([design, apart, apart]), outcome)  # and there twice
    assert fit.is_converged
    assert np.isfinite(fit.coefficients).all()
    assert np.isfinite(fit.covariance).all()
    assert fit.coefficients[-1] == pytest.approx(fit.coefficients[-2], rel=1e-6)
    assert fit.fitted[apart].min() > 0.95


def test_many_rows_in_blocks_are_one_fit():
    design, outcome, _, _ = make_rows(rows=500)
    times = 300  # 150,000 rows: three blocks
    fit, many = fit_ridge(design, outcome), fit_ridge(np.tile(design, (times, 1)), np.tile(outcome, times))
    np.testing.assert_allclose(many.coefficients, fit.coefficients, rtol=1e-8)
    np.testing.assert_allclose(many.covariance * times, fit.covariance, rtol=1e-6)


def test_refuses_what_cannot_be_fitted():
    with pytest.raises(NoDataError, match="same in all rows"):
        fit_ridge(np.ones((4, 1)), np.zeros(4))
    with pytest.raises(NoDataError, match="no rows"):
        fit_ridge(np.ones((0, 1)), [])
    with pytest.raises(ParameterError, match="shape"):
        fit_ridge(np.ones((4, 1)), [0, 1])
    with pytest.raises(ParameterError, match="outside 0 to 1"):
        fit_ridge(np.ones((2, 1)), [0, 2])
    with pytest.raises(ParameterError, match="no possible sessions"):
        fit_rate(np.ones((2, 1)), [1, 0], [10, 0])
