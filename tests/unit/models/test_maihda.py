"""MAIHDA on awkward counts, its laws, and what it finds where the truth is planted."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from attendance_toolkit.errors import NoDataError, ParameterError, UnknownColumnError
from attendance_toolkit.models.maihda import (
    fit_maihda,
    main_effects_design,
    predict_strata,
    proportional_change,
    strata_auc,
)


def strata_of(pupils: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return 48 strata of an authority and their main effects: FSM, SEN, sex and band of year groups."""
    shares = {"fsm": [0.74, 0.26], "sen": [0.81, 0.14, 0.05], "sex": [0.49, 0.51], "band": [0.28, 0.33, 0.24, 0.15]}
    effects = {"fsm": [0, 1.1], "sen": [0, 0.9, 1.7], "sex": [0.1, 0], "band": [0, -0.1, 0.9, 1.5]}
    frame = pd.DataFrame(list(itertools.product(*(range(len(v)) for v in shares.values()))), columns=list(shares))
    share = np.prod([np.array(shares[name])[frame[name]] for name in shares], axis=0)
    eta = -4.9 + sum(np.array(effects[name])[frame[name]] for name in effects)
    return frame.astype(str).assign(trials=np.round(share * pupils)), np.asarray(eta)


STRATA, ETA = strata_of(40_000)
TRIALS = STRATA["trials"].to_numpy()
NAMES = ["fsm", "sen", "sex", "band"]
DESIGN = main_effects_design(STRATA, NAMES)


def drawn(rng: np.random.Generator, effects: np.ndarray) -> np.ndarray:
    return rng.binomial(TRIALS.astype(int), expit(ETA + effects)).astype(float)


# --- designs -------------------------------------------------------------------------------------------------------


def test_reference_is_the_largest_level_unless_it_is_given():
    assert DESIGN.references == {"fsm": "0", "sen": "0", "sex": "1", "band": "1"}
    assert DESIGN.terms[:3] == (("fsm", "1"), ("sen", "1"), ("sen", "2"))
    assert DESIGN.matrix.shape == (48, 1 + len(DESIGN.terms))
    given_one = main_effects_design(STRATA, NAMES, references={"sen": "2"})
    assert given_one.references["sen"] == "2"
    # The same model, told from another side.
    events = drawn(np.random.default_rng(1), np.zeros(48))
    one, other = fit_maihda(events, TRIALS, DESIGN), fit_maihda(events, TRIALS, given_one)
    assert one.linear == pytest.approx(other.linear, abs=1e-6)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-7)


def test_levels_nobody_has_get_no_column_and_orders_are_kept():
    frame = pd.DataFrame({"a": pd.Categorical(["x", "z", "y"], ["z", "y", "x"]), "enrolments": [5, 9, 0]})
    design = main_effects_design(frame, ["a"])
    assert design.references == {"a": "z"}
    assert design.terms == (("a", "x"),)


def test_design_errors_say_what_is_wrong():
    with pytest.raises(UnknownColumnError, match=r"'fms'. Did you mean 'fsm'"):
        main_effects_design(STRATA, ["fms"])
    with pytest.raises(ParameterError, match="'3' is not a level of 'sen'"):
        main_effects_design(STRATA, NAMES, references={"sen": "3"})
    with pytest.raises(ParameterError, match="level of its own"):
        main_effects_design(STRATA.assign(sex=[None, *STRATA["sex"][1:]]), NAMES)


# --- awkward counts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "trials", "error", "words"),
    [
        ([3], [10], NoDataError, "at least two"),
        ([3, 0], [10, 0], NoDataError, "at least two"),
        ([0, 0], [10, 12], NoDataError, "with and without"),
        ([10, 12], [10, 12], NoDataError, "with and without"),
        ([11, 1], [10, 12], ParameterError, "Row 0 has 11 events in 10 trials"),
        ([1, np.nan], [10, 12], ParameterError, "Row 1"),
        ([1, -1], [10, 12], ParameterError, "Row 1"),
        ([1, 1, 1], [10, 12], ParameterError, "one length"),
    ],
)
def test_what_cannot_be_fitted_is_said(events, trials, error, words):
    with pytest.raises(error, match=words):
        fit_maihda(events, trials)


def test_too_few_points_and_wrong_designs_are_said():
    with pytest.raises(ParameterError, match="at least 5 points"):
        fit_maihda([1, 2], [10, 10], points=1)
    with pytest.raises(ParameterError, match="2 rows"):
        fit_maihda([1, 2], [10, 10], np.ones((3, 1)))


def test_strata_alike_have_no_variance_and_nothing_to_explain():
    null = fit_maihda([10, 20, 30, 40], [100, 200, 300, 400])
    assert (null.sd, null.sd_interval[0], null.p_value) == (0.0, 0.0, 1.0)
    assert (null.vpc_latent, null.vpc_response, null.median_odds_ratio) == (0.0, 0.0, 1.0)
    assert null.coefficients[0] == pytest.approx(np.log(0.1 / 0.9), abs=1e-7)
    assert null.standard_errors[0] == pytest.approx(1 / np.sqrt(1000 * 0.1 * 0.9), rel=1e-6)  # the pooled rate's
    change = proportional_change(null, null)
    assert np.isnan([change.value, change.lower, change.upper]).all()


def test_main_effects_that_explain_everything_leave_a_change_of_one():
    events, design = [10, 20, 60, 30], np.array([[1, 0], [1, 0], [1, 1], [1, 1]])
    null, main = fit_maihda(events, [100, 200, 200, 100]), fit_maihda(events, [100, 200, 200, 100], design)
    assert main.sd == 0
    assert null.sd > 0
    change = proportional_change(null, main, refits=20)
    assert change.value == 1.0
    assert change.lower <= 1.0 == change.upper
    with pytest.raises(ParameterError, match="same counts"):
        proportional_change(null, fit_maihda([9, *events[1:]], [100, 200, 200, 100], design))


def test_strata_without_pupils_change_nothing():
    fit = fit_maihda([0, 5, 20, 7], [30, 60, 20, 50])
    more = fit_maihda([0, 0, 5, 20, 7, 0], [0, 30, 60, 20, 50, 0])
    assert more.sd == pytest.approx(fit.sd, abs=1e-9)
    assert len(more.linear) == 6
    assert fit.is_converged  # with a stratum of no events and one of nothing but events


def test_level_without_events_is_said_and_moves_nothing_else():
    frame = pd.DataFrame({"level": list("aaabbbcc"), "other": list("xyzxyzxy")})
    events, trials = [10, 14, 31, 9, 30, 60, 0, 0], [100, 120, 150, 100, 140, 210, 30, 25]
    design = main_effects_design(frame, ["level", "other"], trials=trials)
    fit = fit_maihda(events, trials, design)
    column = 1 + design.terms.index(("level", "c"))
    assert fit.diverging == (column,)
    assert fit.is_converged
    assert expit(fit.linear[-1]) < 1e-6
    without = fit_maihda(events[:6], trials[:6], main_effects_design(frame[:6], ["level", "other"], trials=trials[:6]))
    kept = [place for place in range(design.matrix.shape[1]) if place != column]
    assert fit.coefficients[kept] == pytest.approx(without.coefficients, abs=1e-5)
    assert fit.standard_errors[kept] == pytest.approx(without.standard_errors, abs=1e-5)
    assert fit.sd == pytest.approx(without.sd, abs=1e-5)
    change = proportional_change(fit_maihda(events, trials), fit, refits=10)
    assert np.isfinite(change.value)


def test_column_made_up_by_others_has_no_coefficient():
    matrix = np.column_stack([np.ones(6), [0, 1, 0, 1, 0, 1], [1, 0, 1, 0, 1, 0]])
    events, trials = [3, 9, 5, 20, 2, 8], [50, 60, 55, 70, 40, 45]
    fit, without = fit_maihda(events, trials, matrix), fit_maihda(events, trials, matrix[:, :2])
    assert np.isnan(fit.coefficients[2])
    assert fit.linear == pytest.approx(without.linear)
    assert np.isfinite(proportional_change(fit_maihda(events, trials), fit, refits=5).value)


def test_hidden_strata_have_no_estimate():
    found = predict_strata([-2.0, -2.0, -1.0], 0.4, [5, np.nan, 7], [60, np.nan, 30])
    assert np.isfinite(found.rate).tolist() == [True, False, True]
    assert np.isfinite(found.main_effects_rate).all()
    assert np.isfinite(found.p_value).tolist() == [True, False, True]
    # Rounded counts of no pupils at all are an unknown stratum of the model.
    assert predict_strata(-2.0, 0.4, [0], [0]).effect[0] == pytest.approx(0, abs=1e-6)
    with pytest.raises(ParameterError, match="more events"):
        predict_strata(-2.0, 0.4, [5], [4])
    with pytest.raises(ParameterError, match="0 or more"):
        predict_strata(-2.0, -0.1, [5], [6])
    with pytest.raises(ParameterError, match="2 rows for 1 strata"):
        predict_strata(-2.0, 0.4, [5], [6], design=np.ones((2, 1)), sd_interval=(0.1, 0.9))


def test_no_variance_for_certain_tells_no_interval():
    found = predict_strata([-2.0], 0.0, [5], [20])
    assert (found.rate[0], found.effect[0], found.p_value[0]) == (expit(-2.0), 0.0, 1.0)
    assert np.isnan([found.lower[0], found.upper[0], found.effect_lower[0]]).all()
    # That it was estimated to be 0 is no certainty.
    unsure = predict_strata([-2.0, -2.0], 0.0, [5, 2], [20, 20], design=np.ones((2, 1)), sd_interval=(0.0, 0.8))
    assert unsure.lower[0] < unsure.rate[0] < unsure.upper[0]


# --- accuracy ------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=6))
def test_auc_is_the_share_of_pairs_ordered_rightly(strata):
    cases = [score for events, _, score in strata for _ in range(events)]
    others = [score for _, rest, score in strata for _ in range(rest)]
    found = strata_auc([s[0] for s in strata], [s[0] + s[1] for s in strata], [s[2] for s in strata])
    if not (cases and others):
        assert np.isnan(found)
        return
    pairs = [1.0 if case > other else 0.5 if case == other else 0.0 for case in cases for other in others]
    assert found == pytest.approx(sum(pairs) / len(pairs))


def test_auc_leaves_out_strata_without_a_score():
    assert strata_auc([1, 8, 5], [10, 10, 9], [0.1, 0.8, np.nan]) == strata_auc([1, 8], [10, 10], [0.1, 0.8])
    with pytest.raises(ParameterError, match="one length"):
        strata_auc([1], [2], [0.1, 0.2])


# --- laws ----------------------------------------------------------------------------------------------------------

COUNTS = st.lists(st.tuples(st.integers(1, 40), st.floats(0, 1)), min_size=3, max_size=8)


def counts(pairs: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    trials = np.array([n for n, _ in pairs], dtype=float)
    events = np.round(trials * [share for _, share in pairs])
    # One case and one other pupil for certain.
    return np.append(events, 1.0), np.append(trials, 3.0)


@settings(max_examples=20, deadline=None)
@given(COUNTS, st.randoms(use_true_random=False))
def test_order_of_strata_does_not_matter(pairs, random):
    events, trials = counts(pairs)
    order = np.array(random.sample(range(len(events)), len(events)))
    one, other = fit_maihda(events, trials), fit_maihda(events[order], trials[order])
    assert other.sd == pytest.approx(one.sd, abs=1e-4)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-6)
    rates = predict_strata(one.linear, one.sd, events, trials).rate
    assert predict_strata(one.linear[order], one.sd, events[order], trials[order]).rate == pytest.approx(rates[order])


@settings(max_examples=20, deadline=None)
@given(COUNTS)
def test_a_stratum_in_two_rows_is_the_stratum(pairs):
    events, trials = counts(pairs)
    first, some = np.floor(events / 2), np.ceil(trials / 2)
    halves = np.concatenate([np.minimum(first, some), events - np.minimum(first, some)])
    sizes = np.concatenate([some, trials - some])
    if (halves > sizes).any():
        return
    whole, split = fit_maihda(events, trials), fit_maihda(halves, sizes, groups=np.tile(np.arange(len(events)), 2))
    assert split.sd == pytest.approx(whole.sd, abs=1e-4)
    assert split.coefficients == pytest.approx(whole.coefficients, abs=1e-4)
    assert split.p_value == pytest.approx(whole.p_value, abs=1e-4)


# --- planted truth -------------------------------------------------------------------------------------------------


def test_planted_stratum_effects_are_found():
    effects = np.zeros(48)
    planted = int(np.flatnonzero((STRATA["fsm"] == "1") & (STRATA["sen"] == "1") & (STRATA["sex"] == "0"))[2])
    effects[planted] = 1.2
    for pupils, needed in ((1, 0.05), (10, 0.05 / 48)):  # an authority; ten together, allowing for 48 tests
        found_clear = []
        for seed in range(10):
            rng = np.random.default_rng(seed)
            trials = TRIALS * pupils
            events = rng.binomial(trials.astype(int), expit(ETA + effects))
            fit = fit_maihda(events, trials, DESIGN)
            found = predict_strata(fit.linear, fit.sd, events, trials, design=DESIGN, sd_interval=fit.sd_interval)
            assert found.effect.argmax() == planted
            found_clear.append(found.p_value[planted] < needed and found.effect_lower[planted] > 0)
        assert np.mean(found_clear) >= 0.8


def test_absence_of_effects_is_reported_as_absence():
    rng = np.random.default_rng(2)
    tests, claimed = [], []
    for _ in range(60):
        events = drawn(rng, np.zeros(48))
        fit = fit_maihda(events, TRIALS, DESIGN)
        found = predict_strata(fit.linear, fit.sd, events, TRIALS, design=DESIGN, sd_interval=fit.sd_interval)
        tests.append(fit.p_value < 0.05)
        claimed.append((found.p_value < 0.05).mean())
    assert np.mean(tests) <= 0.05
    assert np.mean(claimed) <= 0.01


def test_variance_planted_is_recovered():
    rng = np.random.default_rng(3)
    fits = [fit_maihda(drawn(rng, rng.normal(0, 0.5, 48)), TRIALS, DESIGN) for _ in range(40)]
    # Maximum likelihood takes the 8 coefficients for known: of 48 strata 40 are left, so sqrt(40 / 48) of 0.5.
    assert np.mean([fit.sd for fit in fits]) == pytest.approx(0.5 * np.sqrt(40 / 48), abs=0.03)
    assert np.mean([fit.p_value < 0.05 for fit in fits]) == 1.0


@pytest.mark.parametrize("sd", [0.0, 0.1, 0.25, 0.5])
def test_intervals_of_strata_hold_the_true_rate(sd):
    rng = np.random.default_rng(4)
    held, naive = [], []
    for _ in range(40):
        effects = rng.normal(0, 1, 48) * sd
        events, truth = drawn(rng, effects), expit(ETA + effects)
        fit = fit_maihda(events, TRIALS, DESIGN)
        found = predict_strata(fit.linear, fit.sd, events, TRIALS, design=DESIGN, sd_interval=fit.sd_interval)
        held.append(np.mean((found.lower <= truth) & (truth <= found.upper)))
        known = predict_strata(fit.linear, fit.sd, events, TRIALS)
        naive.append(np.mean((known.lower <= truth) & (truth <= known.upper)))
    assert 0.93 <= np.mean(held) <= 0.985
    assert np.mean(naive) < np.mean(held)  # which is why the parameters' uncertainty is averaged over
