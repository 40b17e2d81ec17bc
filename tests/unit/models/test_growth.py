"""The random-intercept model against lme4, statsmodels, dense linear algebra and a planted truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import multivariate_normal

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.models.growth import fit_random_intercept
from attendance_toolkit.models.trend import contrast


@pytest.fixture(scope="module")
def sleep(shared):
    """Reaction times of 18 subjects over 10 days without sleep: lme4's data set sleepstudy (Belenky et al. 2003)."""
    return pd.read_csv(shared / "golden" / "datasets" / "sleepstudy.csv")


@pytest.mark.parametrize(
    ("method", "log_likelihood", "between", "within", "errors", "effects"),
    [
        ("ML", -897.039322, 1296.87005, 954.52783, [9.5061851929, 0.8017354217], [40.6350966, -77.565875, -62.8786038]),
        ("REML", -893.232543, 1378.17851, 960.45658, [9.7467162692, 0.8042214289], [40.7837098, -77.8495538, -63.1085674]),
    ],
)  # fmt: skip
def test_sleepstudy_equals_lme4(sleep, method, log_likelihood, between, within, errors, effects):
    """lme4 1.1-31, ``lmer(Reaction ~ Days + (1 | Subject))``; its own optimiser stops at 8 digits."""
    design = np.column_stack([np.ones(len(sleep)), sleep["Days"]])
    fit = fit_random_intercept(sleep["Reaction"], design, sleep["Subject"], method=method)
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=1e-6)
    assert fit.variance_between == pytest.approx(between, abs=2e-5)
    assert fit.variance_within == pytest.approx(within, abs=1e-5)
    assert fit.coefficients == pytest.approx([251.405105, 10.467286], abs=1e-6)
    assert fit.standard_errors == pytest.approx(errors, rel=1e-7)
    assert fit.group_effects[:3] == pytest.approx(effects, abs=2e-6)
    assert fit.groups[:3].tolist() == [308, 309, 310]
    assert fit.icc == pytest.approx(between / (between + within), abs=1e-7)
    assert (fit.n_groups, fit.n_rows, fit.is_at_bound) == (18, 180, False)


@pytest.mark.parametrize(
    ("method", "log_likelihood", "variances", "coefficients", "errors"),
    [
        ("ML", -769.6638871, (1358.36744259, 949.561386282), [249.649183117, 10.74371541, 2.348320285],
         [10.01985292, 1.7670069, 10.15440065]),
        ("REML", -762.5089435, (1443.331511364, 963.720503131), [249.639939811, 10.746663688, 2.334599077],
         [10.270831603, 1.780181122, 10.230168539]),
    ],
)  # fmt: skip
def test_groups_of_unequal_size_equal_lme4(sleep, method, log_likelihood, variances, coefficients, errors):
    """Every seventh row left out, and an indicator of day 5 and after; lme4 1.1-31."""
    kept = sleep[np.arange(len(sleep)) % 7 != 3]
    design = np.column_stack([np.ones(len(kept)), kept["Days"], kept["Days"] >= 5])
    fit = fit_random_intercept(kept["Reaction"], design, kept["Subject"], method=method)
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=1e-7)
    assert (fit.variance_between, fit.variance_within) == pytest.approx(variances, rel=1e-7)
    assert fit.coefficients == pytest.approx(coefficients, rel=1e-7)
    assert fit.standard_errors == pytest.approx(errors, rel=1e-7)


def make_rows(seed=0, groups=40, sd=1.0):
    """Return y, a design with columns within and between groups, and groups of 1 to 9 rows in no order."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.repeat(np.arange(groups), 1 + np.arange(groups) % 9))
    rows = len(group)
    design = np.column_stack([np.ones(rows), rng.integers(0, 3, rows), rng.normal(size=rows), group % 2])
    y = design @ [5, 0.5, -0.2, 1.0] + rng.normal(0, sd, groups)[group] + rng.normal(0, 1, rows)
    return y, design, group


@pytest.mark.parametrize("method", ["ML", "REML"])
def test_everything_equals_dense_matrices(method):
    """Likelihood, coefficients and both covariances written out with the whole covariance of y."""
    y, design, group = make_rows()
    fit = fit_random_intercept(y, design, group, method=method)

    def dense(between, within):
        whole = between * (group[:, None] == group) + within * np.eye(len(y))
        inverse = np.linalg.inv(whole)
        information = design.T @ inverse @ design
        b = np.linalg.solve(information, design.T @ inverse @ y)
        log_likelihood = multivariate_normal.logpdf(y, design @ b, whole)
        if method == "REML":
            log_likelihood -= np.linalg.slogdet(information)[1] / 2 - len(b) / 2 * np.log(2 * np.pi)
        return log_likelihood, b, np.linalg.inv(information), inverse

    best, b, covariance, inverse = dense(fit.variance_between, fit.variance_within)
    assert fit.log_likelihood == pytest.approx(best, abs=1e-9)
    np.testing.assert_allclose(fit.coefficients, b, rtol=1e-9)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-8)
    meat = np.zeros_like(covariance)
    weighted = inverse * (group[:, None] == group)
    for one in np.unique(group):
        score = design.T @ np.where(group == one, weighted @ (y - design @ b), 0)
        meat += np.outer(score, score)
    np.testing.assert_allclose(fit.clustered_covariance, covariance @ meat @ covariance, rtol=1e-7, atol=1e-12)
    for between, within in [(1.01, 1), (0.99, 1), (1, 1.01), (1, 0.99)]:  # nothing around is likelier
        assert dense(fit.variance_between * between, fit.variance_within * within)[0] < fit.log_likelihood


def test_equals_statsmodels_mixedlm():
    y, design, group = make_rows(3)
    fit = fit_random_intercept(y, design, group)
    expected = sm.MixedLM(y, design, groups=group).fit(reml=True, gtol=1e-10, method="bfgs")
    assert fit.coefficients == pytest.approx(expected.fe_params, rel=1e-3)
    # Its optimiser stops early: the likelihood is the same to 5 digits, and ours is not below it.
    assert expected.llf - 1e-9 < fit.log_likelihood < expected.llf + 1e-4
    assert fit.standard_errors == pytest.approx(expected.bse_fe, rel=5e-3)
    assert fit.variance_between == pytest.approx(float(expected.cov_re[0, 0]), rel=2e-2)


def test_groups_no_more_unlike_than_chance_are_at_the_bound():
    """Then all is least squares: likelihood and clustered covariance are statsmodels' OLS."""
    y, design, group = make_rows(5, sd=0.0)
    order = np.argsort(group, kind="stable")
    y, design, group = y[order], design[order], group[order]
    y = y - pd.Series(y).groupby(group).transform("mean").to_numpy() + design[:, 3] + 5  # groups are alike on purpose
    fit = fit_random_intercept(y, design, group, method="ML")
    assert fit.is_at_bound
    assert (fit.variance_between, fit.icc) == (0, 0)
    assert not fit.group_effects.any()
    expected = sm.OLS(y, design).fit(cov_type="cluster", cov_kwds={"groups": group, "use_correction": False})
    assert fit.log_likelihood == pytest.approx(expected.llf, abs=1e-9)
    np.testing.assert_allclose(fit.coefficients, expected.params, rtol=1e-10)
    np.testing.assert_allclose(fit.clustered_covariance, expected.cov_params(), rtol=1e-8, atol=1e-12)


def test_rows_in_any_order_and_type():
    y, design, group = make_rows(7)
    design[:, 2] = np.round(design[:, 2])
    fit = fit_random_intercept(y, design, group)
    order = np.random.default_rng(1).permutation(len(y))
    labels = np.array([f"pupil {one}" for one in group], dtype=object)
    shuffled = fit_random_intercept(y[order], design[order].astype(np.int8), labels[order])
    np.testing.assert_allclose(shuffled.clustered_covariance, fit.clustered_covariance, rtol=1e-9)
    assert shuffled.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-9)
    effects = dict(zip(shuffled.groups, shuffled.group_effects, strict=True))
    assert [effects[f"pupil {one}"] for one in fit.groups] == pytest.approx(fit.group_effects, abs=1e-9)


def test_a_large_level_costs_no_digits():
    y, design, group = make_rows(9)
    late = design.copy()
    late[:, 1] += 2021
    fit, far = fit_random_intercept(y, design, group), fit_random_intercept(y + 1e6, late, group)
    assert far.coefficients[1:] == pytest.approx(fit.coefficients[1:], rel=1e-7)
    assert far.standard_errors[1:] == pytest.approx(fit.standard_errors[1:], rel=1e-7)
    assert far.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-6)


def coverage(rng, noise):
    """Return how often both kinds of interval hold the planted slopes, in 500 sets of 150 pupils with 3 to 9 terms."""
    truth, held = np.array([5.0, 0.3, 1.0]), []
    for _ in range(500):
        terms = rng.integers(3, 10, 150)
        pupil = np.repeat(np.arange(150), terms)
        time = np.concatenate([np.arange(size) for size in terms])
        design = np.column_stack([np.ones(len(pupil)), time, pupil % 3 == 0]).astype(float)
        y = design @ truth + rng.normal(0, 2, 150)[pupil] + noise(rng, pupil, time)
        fit = fit_random_intercept(y, design, pupil)
        away = np.abs(fit.coefficients - truth)
        held.append([away < 1.96 * fit.standard_errors, away < 1.96 * fit.clustered_errors])
    return np.mean(held, axis=0)


def test_intervals_hold_the_planted_truth():
    """500 data sets: three standard errors of a coverage of 95% are 3 points."""
    model, clustered = coverage(np.random.default_rng(4), lambda rng, pupil, time: rng.normal(0, 1, len(pupil)))
    for found in (model, clustered):
        assert ((found > 0.92) & (found < 0.98)).all(), found


def test_clustered_intervals_hold_where_every_pupil_has_a_slope():
    def noise(rng, pupil, time):
        return rng.normal(0, 1, len(pupil)) + time * rng.normal(0, 0.5, 150)[pupil]

    model, clustered = coverage(np.random.default_rng(6), noise)
    assert ((clustered > 0.92) & (clustered < 0.98)).all(), clustered
    assert model[1] < 0.85, model  # the time trend's own


def test_contrast_takes_either_covariance():
    y, design, group = make_rows(11)
    fit = fit_random_intercept(y, design, group)
    plain, _ = contrast(fit, [0, 1, 0, 0])
    wide, _ = contrast(fit, [0, 1, 0, 0], covariance=fit.clustered_covariance)
    assert plain.upper - plain.value == pytest.approx(1.959963984540054 * fit.standard_errors[1])
    assert wide.upper - wide.value == pytest.approx(1.959963984540054 * fit.clustered_errors[1])


def test_what_cannot_be_fitted_is_refused():
    y, design, group = make_rows()
    with pytest.raises(ParameterError, match="'reml' is not a method"):
        fit_random_intercept(y, design, group, method="reml")
    with pytest.raises(ParameterError, match="'column 5' of the design is made up by the columns before it"):
        fit_random_intercept(y, np.column_stack([design, design[:, 1] * 2 - 3]), group)
    with pytest.raises(NoDataError, match="No group has two rows"):
        fit_random_intercept(y, design, np.arange(len(y)))
    with pytest.raises(NoDataError, match="3 groups for 4 coefficients"):
        fit_random_intercept(y, design, group % 3)
    with pytest.raises(NoDataError, match="Nothing varies within groups"):
        fit_random_intercept(group**1.5, design[:, :1], group)
    with pytest.raises(NoDataError, match="The design explains y without rest"):
        fit_random_intercept(design @ [1, 2, 3, 4], design, group)
    with pytest.raises(ParameterError, match="1 of 190 values of y are missing"):
        fit_random_intercept(np.where(np.arange(len(y)) == 3, np.nan, y), design, group)
    with pytest.raises(ParameterError, match="give each row its group"):
        fit_random_intercept(y, design, group[1:])
