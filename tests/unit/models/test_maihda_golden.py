"""MAIHDA against published fits and lme4 1.1-31 (R 4.2.2), tolerances beside each."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from attendance_toolkit.models.maihda import (
    fit_maihda,
    latent_vpc,
    median_odds_ratio,
    predict_strata,
    proportional_change,
    response_vpc,
    strata_auc,
)
from attendance_toolkit.models.maihda.likelihood import evaluate, find_modes
from attendance_toolkit.models.maihda.rows import make_rows

# Contagious bovine pleuropneumonia, lme4's data set cbpp (Lesnoff and others 2004): herd, cases, animals, period.
_ROWS = """1 2 14 1  1 3 12 2  1 4 9 3  1 0 5 4  2 3 22 1  2 1 18 2  2 1 21 3  3 8 22 1  3 2 16 2  3 0 16 3  3 2 20 4
    4 2 10 1  4 0 10 2  4 2 9 3  4 0 6 4  5 5 18 1  5 0 25 2  5 0 24 3  5 1 4 4  6 3 17 1  6 0 17 2  6 0 18 3
    6 1 20 4  7 8 16 1  7 1 10 2  7 3 9 3  7 0 5 4  8 12 34 1  9 2 9 1  9 0 6 2  9 0 8 3  9 0 6 4  10 1 22 1
    10 1 22 2  10 0 18 3  10 2 22 4  11 0 25 1  11 5 27 2  11 3 22 3  11 1 22 4  12 2 10 1  12 1 8 2  12 0 6 3
    12 0 5 4  13 1 21 1  13 2 24 2  13 0 19 3  13 0 23 4  14 11 19 1  14 0 2 2  14 0 3 3  14 0 2 4  15 1 19 1
    15 1 15 2  15 1 15 3  15 0 15 4"""
CBPP = np.array([row.split() for row in re.split(r"\s\s+", _ROWS)], dtype=float)
HERD, CASES, ANIMALS, PERIOD = CBPP.T
PERIODS = np.column_stack([np.ones(len(CBPP)), *(k == PERIOD for k in (2, 3, 4))])
#: Log-likelihood of the saturated model: lme4 prints deviances of fits by quadrature against it.
SATURATED = -41.97835377

# Twelve strata, SEN (none, SEN support, EHC plan) within FSM within sex; reference fit by lme4, nAGQ = 25.
TRIALS = np.array([5200, 800, 260, 1100, 420, 150, 5000, 430, 110, 1080, 260, 60], dtype=float)
EVENTS = np.array([45, 40, 24, 52, 60, 28, 60, 41, 19, 70, 68, 15], dtype=float)
SEN, FSM, GIRL = np.tile([0, 1, 2], 4), np.tile(np.repeat([0, 1], 3), 2), np.repeat([0, 1], 6)
MAIN = np.column_stack([np.ones(12), GIRL, FSM, SEN == 1, SEN == 2])


def test_cbpp_by_laplace_is_lme4s_and_mixedmodels_own():
    # lme4 tests/testthat/test-glmer.R (tolerance 5e-4) and MixedModels.jl test/pirls.jl.
    rows = make_rows(CASES, ANIMALS, PERIODS, HERD)

    def deviance(parameters: np.ndarray) -> float:
        return -2 * evaluate(rows, parameters, points=1).value

    # One node's derivatives are not those of its value, so the optimiser takes values alone.
    options = {"xatol": 1e-7, "fatol": 1e-10, "maxiter": 5000, "adaptive": True}
    best = minimize(deviance, [-1.4, -1.0, -1.1, -1.6, 0.6], method="Nelder-Mead", options=options)
    assert best.x[:4] == pytest.approx([-1.39854983, -0.99233552, -1.12867533, -1.58030424], abs=5e-4)
    assert best.x[4] == pytest.approx(0.64222681, abs=5e-4)
    assert best.x[4] ** 2 == pytest.approx(0.41245527, abs=5e-4)
    assert best.fun == pytest.approx(184.0526746, abs=5e-4)
    assert -best.fun / 2 == pytest.approx(-92.02628187, abs=1e-6)


def test_cbpp_by_quadrature():
    # lme4 tests/glmer-1.R (nAGQ 25 in the printed fit) and, for errors and null model, lme4 run.
    fit = fit_maihda(CASES, ANIMALS, PERIODS, groups=HERD, points=25)
    assert fit.coefficients == pytest.approx([-1.39922533, -0.99140729, -1.12782185, -1.57946627], abs=2e-5)
    assert -2 * (fit.log_likelihood - SATURATED) == pytest.approx(100.010030538, abs=1e-5)
    assert fit.sd == pytest.approx(0.64751991, abs=5e-6)
    assert fit.standard_errors == pytest.approx([0.2335114, 0.3067682, 0.3267672, 0.4275957], abs=5e-6)
    assert fit.is_converged
    null = fit_maihda(CASES, ANIMALS, groups=HERD, points=9)
    assert null.coefficients[0] == pytest.approx(-2.046506, abs=2e-5)
    assert null.variance == pytest.approx(0.66976, abs=5e-5)


def test_contraception(shared):
    # Bangladesh fertility survey, 1,934 women in 60 districts (mlmRev): lme4 run, nAGQ = 25.
    women = pd.read_csv(shared / "golden" / "datasets" / "contraception.csv", dtype={"livch": str})
    age = women["age"].to_numpy()
    columns = [
        np.ones(len(women)),
        age,
        age**2,
        women["urban"] == "Y",
        *(women["livch"] == k for k in ("1", "2", "3+")),
    ]
    uses = (women["use"] == "Y").to_numpy(dtype=float)
    fit = fit_maihda(
        uses, np.ones(len(women)), np.column_stack(columns), groups=women["district"].to_numpy(), points=25
    )
    expected = [-1.0354388, 0.00353169, -0.00456318, 0.6967174, 0.8151582, 0.9165352, 0.9153801]
    assert fit.coefficients == pytest.approx(expected, abs=3e-5)
    assert fit.variance == pytest.approx(0.22909899, abs=2e-5)
    assert fit.log_likelihood == pytest.approx(-1186.22944, abs=1e-5)


def test_twelve_strata_null_model():
    fit = fit_maihda(EVENTS, TRIALS, points=25)
    assert fit.coefficients[0] == pytest.approx(-2.461304, abs=1e-5)
    assert fit.standard_errors[0] == pytest.approx(0.331112, abs=1e-5)
    assert fit.variance == pytest.approx(1.2806274, abs=1e-5)
    assert fit.vpc_latent == pytest.approx(0.2801944, abs=1e-6)
    assert fit.median_odds_ratio == pytest.approx(2.943055, abs=1e-5)
    assert fit.vpc_response == pytest.approx(0.126193, abs=1e-6)
    rates = predict_strata(fit.linear, fit.sd, EVENTS, TRIALS).rate
    assert strata_auc(EVENTS, TRIALS, rates) == pytest.approx(0.79810448, abs=1e-8)


def test_twelve_strata_main_effects():
    null, fit = fit_maihda(EVENTS, TRIALS, points=25), fit_maihda(EVENTS, TRIALS, MAIN, points=25)
    assert fit.coefficients == pytest.approx([-4.6403761, 0.5333842, 1.3111556, 1.7010380, 2.1077825], abs=1e-5)
    assert fit.standard_errors == pytest.approx([0.1378876, 0.1284966, 0.1333628, 0.1438138, 0.1729807], abs=1e-5)
    assert fit.variance == pytest.approx(0.020319016, abs=1e-6)
    assert fit.sd_interval[0] == 0
    assert fit.sd_interval[1] == pytest.approx(0.314, abs=5e-4)
    assert fit.p_value == pytest.approx(0.063, abs=5e-4)
    change = proportional_change(null, fit)
    assert change.value == pytest.approx(0.9841335, abs=1e-6)
    assert 0.9 < change.lower < change.value < change.upper <= 1


def test_published_summaries_of_obesity_by_sex_race_and_education():
    # Article "binary outcomes" of the R package MAIHDA: NHANES, 50 strata, intercept -0.616, variance 0.222667 and,
    # adjusted, 0.218941. Its response VPC, 0.0478, is of 10,000 draws of the stratum effect: 2% either way.
    sd = 0.222667**0.5
    assert latent_vpc(sd) == pytest.approx(0.06339, abs=5e-6)
    assert median_odds_ratio(sd) == pytest.approx(1.568, abs=5e-4)
    assert median_odds_ratio(0.218941**0.5) == pytest.approx(1.563, abs=5e-4)
    assert response_vpc(-0.616, sd) == pytest.approx(0.0478, rel=0.03)
    assert response_vpc(-0.616, sd) == pytest.approx(0.0469, abs=5e-5)


def test_surgical_mortality():
    # BUGS examples, twelve hospitals: lme4 run; modes of the hospitals' rates.
    trials = np.array([47, 148, 119, 810, 211, 196, 148, 215, 207, 97, 256, 360], dtype=float)
    events = np.array([0, 18, 8, 46, 8, 13, 9, 31, 14, 8, 29, 24], dtype=float)
    fit = fit_maihda(events, trials, points=25)
    assert fit.coefficients[0] == pytest.approx(-2.543962, abs=1e-5)
    assert fit.standard_errors[0] == pytest.approx(0.134999, abs=1e-5)
    assert fit.sd == pytest.approx(0.3577006, abs=1e-5)
    modes, _ = find_modes(fit.rows, fit.linear, fit.sd)
    printed = [0.0538, 0.1021, 0.0700, 0.0590, 0.0516, 0.0688, 0.0662, 0.1231, 0.0695, 0.0773, 0.1020, 0.0682]
    assert expit(fit.linear + fit.sd * modes) == pytest.approx(printed, abs=5e-5 + 1e-6)
