"""Ratios and differences against statsmodels, printed tables and simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import Table2x2
from statsmodels.stats.proportion import confint_proportions_2indep

from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.relative import log_risk_ratio, odds_ratio, risk_difference, risk_ratio


@pytest.mark.parametrize("counts", [(185, 8507, 131, 9026), (162, 3077, 154, 14458), (1, 12, 9, 10), (6, 18, 3, 23)])
def test_ratios_equal_statsmodels(counts):
    y1, n1, y0, n0 = counts
    table = Table2x2(np.array([[y1, n1 - y1], [y0, n0 - y0]]))
    assert [float(v) for v in risk_ratio(*counts)] == pytest.approx([table.riskratio, *table.riskratio_confint()])
    assert [float(v) for v in odds_ratio(*counts)] == pytest.approx([table.oddsratio, *table.oddsratio_confint()])
    assert float(log_risk_ratio(*counts)[1]) == pytest.approx(float(table.log_riskratio_se))
    theirs = confint_proportions_2indep(*counts, method="newcomb")
    assert [float(v) for v in risk_difference(*counts)[1:]] == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("counts", "points"),
    [
        ((185, 8507, 131, 9026), (0.72, 0.33, 1.13)),  # girls less boys
        ((162, 3077, 154, 14458), (4.20, 3.44, 5.06)),  # FSM less the others
        ((73, 634, 145, 15080), (10.55, 8.29, 13.28)),  # EHC plan less no SEN
    ],
)
def test_gaps_of_a_printed_report(counts, points):
    """Counts of the printed secondary table of one authority; gaps worked out from them before this code was."""
    assert [round(100 * float(v), 2) for v in risk_difference(*counts)] == list(points)


def test_zero_cells_are_missing_not_infinite():
    ratio, low, high = risk_ratio([0, 5, 0, 10], [10, 10, 10, 10], [5, 0, 0, 10], [10, 10, 10, 10])
    assert ratio[0] == 0
    assert np.isnan(ratio[1:3]).all()
    assert ratio[3] == 1
    assert np.isnan([low, high]).all()  # 10 of 10 against 10 of 10 is not certainty
    ratio, low, high = odds_ratio([0, 5, 10, 3], [10, 10, 10, 10], [5, 0, 5, 10], [10, 10, 10, 10])
    assert ratio[[0, 3]].tolist() == [0, 0]
    assert np.isnan(ratio[1:3]).all()
    assert np.isnan([low, high]).all()
    difference, low, high = risk_difference([0, 5], [10, 0 + 5], [5, 0], [10, 0])
    assert difference[0] == -0.5
    assert -1 < low[0] < high[0] < 0
    assert np.isnan([difference[1], low[1], high[1]]).all()


def test_hidden_counts_stay_missing_and_impossible_ones_are_refused():
    assert np.isnan(risk_ratio([np.nan, 3], 10, 2, [10, np.nan])).all()
    with pytest.raises(ValueError, match="11 events of 10 trials at position"):
        risk_ratio([3, 11], 10, 2, 10)


def test_intervals_cover_the_truth_19_times_in_20():
    rng = np.random.default_rng(5)
    p1, p0 = rng.uniform(0.04, 0.2, 20_000), rng.uniform(0.02, 0.1, 20_000)
    n1, n0 = rng.integers(400, 3000, 20_000), rng.integers(400, 5000, 20_000)
    counts = rng.binomial(n1, p1), n1, rng.binomial(n0, p0), n0
    truths = {
        risk_ratio: p1 / p0,
        odds_ratio: p1 / (1 - p1) / (p0 / (1 - p0)),
        risk_difference: p1 - p0,
    }
    for function, truth in truths.items():
        _, low, high = function(*counts)
        assert 0.93 < ((low <= truth) & (truth <= high)).mean() < 0.97, function.__name__


@pytest.mark.parametrize(
    ("estimate", "is_clear"),
    [
        (Estimate(0.2, 0.1, 0.3), True),
        (Estimate(-0.2, -0.3, -0.1), True),
        (Estimate(0.2, -0.1, 0.5), False),
        (Estimate(0.2), False),
    ],
)
def test_an_estimate_is_clear_of_0_when_its_interval_is(estimate, is_clear):
    assert estimate.is_clear_of(0) is is_clear
