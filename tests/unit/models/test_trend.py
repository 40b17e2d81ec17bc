"""The clustered trend model against statsmodels, hand arithmetic and simulated pupils with a planted truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import linprog
from scipy.special import expit, ndtri

from attendance_toolkit.errors import NoDataError, ParameterError, VocabularyError
from attendance_toolkit.models._design import distinct_rows
from attendance_toolkit.models.trend import contrast, fit_trend, marginal_change, time_design

NAMES = ("intercept", "year", "fsm", "distance")


def make_rows(seed=0, rows=3000, pupils=500, sessions=None):
    """Return events, trials, design (one continuous column) and pupils whose rows go together."""
    rng = np.random.default_rng(seed)
    pupil = rng.integers(0, pupils, rows)
    design = np.column_stack([np.ones(rows), rng.integers(0, 3, rows), rng.random(rows) < 0.3, rng.normal(size=rows)])
    trials = np.ones(rows, dtype=int) if sessions is None else rng.integers(0, sessions, rows)
    level = rng.normal(0, 1, pupils)[pupil]
    return rng.binomial(trials, expit(design @ [-1, 0.2, 0.5, 0.3] + level)), trials, design, pupil


def reference(events, trials, design, pupil, start):
    """Statsmodels' GLM; started at the estimate, it takes the last digits."""
    used = trials > 0
    model = sm.GLM(np.column_stack([events, trials - events])[used], design[used], family=sm.families.Binomial())
    groups = {"groups": pupil[used], "use_correction": False}
    return model.fit(start_params=start, tol=1e-15, cov_type="cluster", cov_kwds=groups)


@pytest.mark.parametrize("sessions", [None, 60], ids=["0 and 1", "sessions of 0 to 59"])
def test_equals_statsmodels(sessions):
    events, trials, design, pupil = make_rows(sessions=sessions)
    fit = fit_trend(events, trials, design, pupil, names=NAMES)
    expected = reference(events, trials, design, pupil, fit.coefficients)
    assert fit.is_converged
    assert fit.n_clusters == len(np.unique(pupil[trials > 0]))
    np.testing.assert_allclose(fit.coefficients, expected.params, rtol=1e-9)
    np.testing.assert_allclose(fit.covariance, expected.cov_params(), rtol=1e-9)
    np.testing.assert_allclose(fit.standard_errors, expected.bse, rtol=1e-9)
    np.testing.assert_allclose(fit.naive_covariance, expected.normalized_cov_params, rtol=1e-9)
    if sessions:  # sessions of one pupil are no independent trials
        assert fit.design_effects.min() > 5


def test_contrast_equals_statsmodels_test():
    events, trials, design, pupil = make_rows(sessions=60)
    fit = fit_trend(events, trials, design, pupil)
    estimate, p_value = contrast(fit, [0, 2, -1, 0])
    expected = reference(events, trials, design, pupil, fit.coefficients).t_test([0, 2, -1, 0])
    assert estimate.value == pytest.approx(expected.effect[0], rel=1e-9)
    assert (estimate.lower, estimate.upper) == pytest.approx(tuple(expected.conf_int()[0]), rel=1e-9)
    assert p_value == pytest.approx(float(expected.pvalue), rel=1e-9)


def test_marginal_change_equals_statsmodels_margins():
    events, trials, design, pupil = make_rows()
    fit = fit_trend(events, trials, design, pupil)
    logit_fit = sm.Logit(events, design).fit(
        disp=0, tol=1e-14, cov_type="cluster", cov_kwds={"groups": pupil, "use_correction": False}
    )
    margins = logit_fit.get_margeff(at="overall", dummy=True)
    base, changed = fit.patterns.copy(), fit.patterns.copy()
    base[:, 2], changed[:, 2] = 0, 1
    found = marginal_change(fit, base, changed, fit.pattern_trials)
    assert found.value == pytest.approx(margins.margeff[1], rel=1e-7)  # margeff leaves the intercept out
    assert (found.lower, found.upper) == pytest.approx(tuple(margins.conf_int()[1]), rel=1e-6)


def test_two_years_of_the_same_pupils_by_hand():
    """A saturated model: the change is that of two rates, its error that of the pupils' own changes."""
    missed = np.array([[1, 2, 4, 5, 0, 3], [1, 3, 5, 6, 2, 1]])
    design = [[1, 0]] * 6 + [[1, 1]] * 6
    fit = fit_trend(missed.ravel(), 10, design, [1, 2, 3, 4, 5, 6] * 2)
    rates = missed.sum(axis=1) / 60
    assert expit(fit.coefficients.cumsum()) == pytest.approx(rates)
    found = marginal_change(fit, [[1, 0]], [[1, 1]])
    own = (missed[1] - 10 * rates[1] - missed[0] + 10 * rates[0]) / 60
    assert found.value == pytest.approx(rates[1] - rates[0])
    assert found.upper - found.value == pytest.approx(1.959963984540054 * math.sqrt((own**2).sum()))


def test_rows_in_any_order_type_and_split():
    events, trials, design, pupil = make_rows(sessions=20)
    design[:, 3] = np.round(design[:, 3])
    fit = fit_trend(events, trials, design, pupil)
    order = np.random.default_rng(1).permutation(len(events))
    labels = np.array([f"pupil {one}" for one in pupil], dtype=object)
    shuffled = fit_trend(events[order], trials[order], design[order].astype(np.int8), labels[order])
    np.testing.assert_allclose(shuffled.covariance, fit.covariance, rtol=1e-10)
    # Every session a row of its own.
    of_row = np.repeat(np.arange(len(trials)), trials)
    number = np.concatenate([np.arange(size) for size in trials])
    single = fit_trend(number < events[of_row], 1, design[of_row], pupil[of_row])
    np.testing.assert_allclose(single.coefficients, fit.coefficients, rtol=1e-10)
    np.testing.assert_allclose(single.covariance, fit.covariance, rtol=1e-10)
    assert single.log_likelihood == pytest.approx(fit.log_likelihood)
    assert len(fit.patterns) == len(np.unique(design[trials > 0], axis=0))
    assert fit.pattern_trials.sum() == trials.sum()


def test_distinct_rows_of_many_continuous_columns():
    """Nine columns of 200 levels: more crossings than a 64-bit integer has numbers."""
    rng = np.random.default_rng(3)
    matrix = rng.integers(0, 200, (400, 9)) / 7.0
    rows = matrix[rng.integers(0, 400, 3000)]
    patterns, codes = distinct_rows(rows)
    np.testing.assert_array_equal(patterns[codes], rows)
    assert len(patterns) == len(np.unique(rows, axis=0))


def test_rows_without_counts_are_left_out():
    events, trials, design, pupil = make_rows(sessions=20)
    used = trials > 0
    counts = np.where(used, events.astype(float), np.nan), np.where(used, trials.astype(float), np.nan)
    found = fit_trend(*counts, design, pupil)
    expected = fit_trend(events[used], trials[used], design[used], pupil[used])
    np.testing.assert_array_equal(found.covariance, expected.covariance)
    assert found.n_clusters == expected.n_clusters


def test_years_counted_from_the_year_nought_give_the_same_trend():
    events, trials, design, pupil = make_rows(sessions=60)
    late = design.copy()
    late[:, 1] += 2021
    fit, from_nought = fit_trend(events, trials, design, pupil), fit_trend(events, trials, late, pupil)
    assert from_nought.coefficients[1] == pytest.approx(fit.coefficients[1], rel=1e-8)
    assert from_nought.standard_errors[1] == pytest.approx(fit.standard_errors[1], rel=1e-8)


# A pupil's rate of a term is the planted mean times 0.4, 1 or 2.5, by a normal level of the pupil's own and a little
# chance: half of all times, three in ten, and one in five, so that the mean stays as planted.
PUPILS, TERMS, SESSIONS = 300, 9, 60
TRUTH = np.array([-2.5, 0.10, 0.25, 0.60])


def planted(rng):
    """Return rows of pupils strongly correlated within themselves: intercept, year, spring, FSM."""
    pupil, place = np.repeat(np.arange(PUPILS), TERMS), np.tile(np.arange(TERMS), PUPILS)
    design = np.column_stack([np.ones(len(pupil)), place // 3, place % 3 == 1, (pupil % 3 == 0)]).astype(float)
    mean = expit(design @ TRUTH)
    score = math.sqrt(0.8) * rng.normal(size=PUPILS)[pupil] + math.sqrt(0.2) * rng.normal(size=len(pupil))
    times = np.array([0.4, 1.0, 2.5])[np.searchsorted(ndtri([0.5, 0.8]), score)]
    return rng.binomial(SESSIONS, mean * times), design, pupil


def test_intervals_hold_the_planted_truth_and_naive_ones_do_not():
    """1,000 data sets: 95% intervals hold the truth in 95% of them, standard error 0.7 points."""
    rng = np.random.default_rng(20)
    base, changed = np.array([[1.0, 0, 0, 0]]), np.array([[1.0, 2, 0, 0]])
    change = float(expit(changed @ TRUTH)[0] - expit(base @ TRUTH)[0])
    held, naive, held_change = [], [], []
    for _ in range(1000):
        events, design, pupil = planted(rng)
        fit = fit_trend(events, SESSIONS, design, pupil)
        away = np.abs(fit.coefficients - TRUTH)
        held.append(away < 1.96 * fit.standard_errors)
        naive.append(away < 1.96 * np.sqrt(np.diag(fit.naive_covariance)))
        found = marginal_change(fit, base, changed)
        held_change.append(found.lower < change < found.upper)
    clustered, independent = np.mean(held, axis=0), np.mean(naive, axis=0)
    assert ((clustered > 0.93) & (clustered < 0.97)).all(), clustered
    assert 0.93 < np.mean(held_change) < 0.97
    assert (independent < 0.85).all(), independent
    assert independent[3] < 0.5  # what does not vary within pupils suffers most


def levels(*counts):
    """Return rows of a first level and others: events, trials and indicators of the others with an intercept."""
    events, trials = np.array(counts, dtype=float).T
    return events, trials, np.column_stack([np.ones(len(counts)), np.eye(len(counts))[:, 1:]])


def split(events, trials, design, pupils=12):
    """Return every row as one of ``pupils``, who share out its counts."""
    return (
        np.repeat(events / pupils, pupils),
        np.repeat(trials / pupils, pupils),
        np.repeat(design, pupils, axis=0),
        np.tile(np.arange(pupils), len(events)),
    )


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([(12, 120), (0, 240)], "Of the 240 trials with 'other 1', none is an event"),
        ([(12, 120), (36, 60), (120, 120)], "Of the 120 trials with 'other 2', every one is an event"),
        ([(0, 120), (0, 240)], "Of the 360 trials with 'intercept', none"),
        # The level without a column of its own.
        ([(0, 120), (24, 240), (12, 60)], "'intercept', 'other 1', 'other 2' set rows apart that have no events"),
        ([(1_200_000, 1_200_000), (24, 240)], "'intercept', 'other 1' set rows apart"),
    ],
)
def test_levels_without_finite_odds_are_named(counts, said):
    names = ["intercept", *(f"other {number}" for number in range(1, len(counts)))]
    with pytest.raises(NoDataError, match=said):
        fit_trend(*split(*levels(*counts)), names=names)


def test_a_crossing_without_events_is_named_and_no_other_column():
    """Spring of year 2 has none: only the crossing's column runs away."""
    names = ["intercept", "year 2", "spring", "year 2 in spring", "girl"]
    time = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]], dtype=float)
    design = np.column_stack([np.tile(time, (2, 1)), np.repeat([0, 1], 4)])
    counts = split(np.tile([12.0, 24, 12, 0], 2), np.full(8, 120.0), design)
    with pytest.raises(NoDataError, match="Of the 240 trials with 'year 2 in spring', none"):
        fit_trend(*counts, names=names)
    # Autumn of year 1 has none: the columns that tell it from the others run away, and not the girls'.
    counts = split(np.tile([0.0, 24, 12, 12], 2), np.full(8, 120.0), design)
    with pytest.raises(NoDataError, match="The columns 'intercept', 'year 2', 'spring', 'year 2 in spring' set rows"):
        fit_trend(*counts, names=names)


def test_a_continuous_column_that_separates_is_named():
    distance = np.linspace(-2, 2, 40)
    design = np.column_stack([np.ones(40), np.tile([0, 1, 1, 0], 10), distance])
    with pytest.raises(NoDataError, match="'distance'") as caught:
        fit_trend(distance > 0.02, 1, design, np.arange(40), names=["intercept", "girl", "distance"])
    assert "no events, or nothing but" in str(caught.value)


def is_separated(events, design):
    """Albert and Anderson (1984): some direction sets events and others apart; found by a linear programme."""
    signed = (2 * events - 1)[:, None] * design
    ends = [(-1, 1)] * design.shape[1]
    return -linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=ends).fun > 1e-7


def test_separation_is_refused_and_nothing_else():
    rng = np.random.default_rng(12)
    found = []
    while len(found) < 200:
        rows, levels = rng.integers(12, 80), rng.integers(1, 5)
        parts = [rng.random(rows) < rng.choice([0.1, 0.3, 0.5]) for _ in range(levels)]
        parts += [rng.normal(size=rows) * rng.choice([1, 100])] * (rng.random() < 0.5)
        parts += [2020 + rng.integers(0, 3, rows)] * (rng.random() < 0.3)
        design = np.column_stack([np.ones(rows), *parts]).astype(float)
        events = (rng.random(rows) < rng.choice([0.03, 0.1, 0.3, 0.6, 0.95])).astype(float)
        if np.linalg.matrix_rank(design) < design.shape[1]:
            continue
        if is_separated(events, design):
            with pytest.raises(NoDataError, match="no finite estimate"):
                fit_trend(events, 1, design, np.arange(rows))
        else:
            assert fit_trend(events, 1, design, np.arange(rows)).is_converged
        found.append(is_separated(events, design))
    assert 60 < sum(found) < 140


@pytest.mark.parametrize("rare", [1, 3])
def test_a_rare_event_is_not_separation(rare):
    events, trials, design = levels((rare, 3_000_000), (rare, 12))
    fit = fit_trend(*split(events, trials, design))
    assert fit.is_converged
    assert expit(fit.coefficients.cumsum()) == pytest.approx([rare / 3_000_000, rare / 12])


def test_columns_that_say_nothing_new_are_named():
    events, trials, design, pupil = make_rows()
    three = np.column_stack([design, 1 - design[:, 2]])
    with pytest.raises(ParameterError, match="'not fsm' of the design is made up by the columns before it"):
        fit_trend(events, trials, three, pupil, names=[*NAMES, "not fsm"])
    with pytest.raises(ParameterError, match="'year 4' of the design is 0 in all rows"):
        fit_trend(events, trials, np.column_stack([design, np.zeros(len(design))]), pupil, names=[*NAMES, "year 4"])


def test_what_does_not_fit_is_refused():
    events, trials, design, pupil = make_rows()
    with pytest.raises(NoDataError, match="4 clusters for 4 coefficients"):
        fit_trend(events, trials, design, pupil % 4)
    with pytest.raises(ParameterError, match=r"shape \(3000, 4\); 2999 rows"):
        fit_trend(events[1:], trials[1:], design, pupil)
    with pytest.raises(ParameterError, match="give each row its cluster"):
        fit_trend(events, trials, design, pupil[1:])
    with pytest.raises(ParameterError, match="1 of 3000 rows have no cluster"):
        fit_trend(events, trials, design, np.where(np.arange(3000) == 5, np.nan, pupil))
    with pytest.raises(ParameterError, match="4 columns and 2 names"):
        fit_trend(events, trials, design, pupil, names=["a", "b"])
    with pytest.raises(NoDataError, match="None of the 3000 rows has trials"):
        fit_trend(0, np.zeros(3000), design, pupil)
    with pytest.raises(ValueError, match="2 events of 1 trials"):
        fit_trend(events + 1, trials, design, pupil)
    design[7, 3] = np.nan
    with pytest.raises(ParameterError, match="Row 7 of the design has nan in 'distance'"):
        fit_trend(events, trials, design, pupil, names=NAMES)
    fit = fit_trend(events, trials, design[:, :3], pupil)
    for vector in ([0, 0, 0], [1, 0]):
        with pytest.raises(ParameterError, match="weight for each of 3 coefficients"):
            contrast(fit, vector)
    with pytest.raises(ParameterError, match="the model has 3 columns: column 1"):
        marginal_change(fit, [[1, 0]], [[1, 1]])
    with pytest.raises(ParameterError, match="Weights are 0 or more"):
        marginal_change(fit, [[1, 0, 0]], [[1, 1, 0]], [-1])


def test_years_are_counted_by_the_calendar():
    years = ["2017/18", "2018/19", "2020/21"]
    found = time_design(["2020/21", "2017/18", "2018/19"], years=years)
    assert found.matrix.tolist() == [[1, 3], [1, 0], [1, 1]]  # 2019/20 is absent, and counts
    factors = time_design(["2020/21", "2017/18", "2018/19"], years=years, year_factor=True)
    assert factors.matrix.tolist() == [[1, 0, 1], [1, 0, 0], [1, 1, 0]]
    assert factors.terms == (("academic_year", "2018/19"), ("academic_year", "2020/21"))
    both = time_design([202223, 202324], [2, 1], years=[202223, 202324], terms=[0, 1, 2])
    assert both.matrix.tolist() == [[1, 0, 0, 1], [1, 1, 1, 0]]
    assert both.references == {"academic_year": "202223", "term": "0"}
    fit = fit_trend(
        [3, 4, 2, 6, 5, 7] * 2, 10, time_design([202223] * 6 + [202324] * 6, years=[202223, 202324]), range(12)
    )
    assert fit.names == ("intercept", "academic_year: change a year")


def test_years_and_terms_not_listed_are_refused():
    with pytest.raises(ParameterError, match="Row 1 has the year '202425', which is not among 202223, 202324"):
        time_design([202223, 202425], years=[202223, 202324])
    with pytest.raises(ParameterError, match="'terms' does not list"):
        time_design([202223], ["Spring"], years=[202223, 202324])
    with pytest.raises(ParameterError, match="2 years and 1 terms"):
        time_design([202223, 202223], ["Spring"], years=[202223, 202324], terms=["Autumn", "Spring"])
    with pytest.raises(VocabularyError, match="'2023' is not an academic year"):
        time_design([2023, 2024], years=[2023, 2024])
