"""XmR charts against the R package's values, the rules written as plain loops, and simulated noise."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.control_chart import FALSE_ALARMS, deseasonalise, false_alarm_chance, xmr

#: R 4.2: set.seed(123); rnorm(20).
NORMAL_20 = [
    -0.560475646552212603, -0.230177489483279957, 1.558708314149124030, 0.070508391424576003, 0.129287735160946243,
    1.715064986883281017, 0.460916205989202299, -1.265061234606533969, -0.686852851893526073, -0.445661970099958060,
    1.224081797439461550, 0.359813827057363811, 0.400771450594052170, 0.110682715945119706, -0.555841134754074928,
    1.786913136803078173, 0.497850478229239390, -1.966617156629638208, 0.701355901563685546, -0.472791407727934043,
]  # fmt: skip


def limits(chart):
    return [chart.centre, chart.lower, chart.upper]


def test_limits_equal_the_vignette_on_deviations():
    """NHSRplotthedots, vignette "deviations": a single 10 among ones and twos, unscreened and screened."""
    series = [1, 2, 1, 2, 10, *[1, 2] * 6, 1]
    assert [round(v, 2) for v in limits(xmr(series))] == [1.94, -3.06, 6.95]
    assert [round(v, 2) for v in limits(xmr(series, screened=True))] == [1.94, -0.72, 4.60]


def test_limits_equal_the_r_packages_snapshot():
    """NHSRplotthedots, tests/testthat: rnorm(20) from seed 123, and the same with its 15th value made 10."""
    assert limits(xmr(NORMAL_20)) == pytest.approx([0.1416238, -3.01138, 3.294627], abs=2e-6)
    assert limits(xmr(NORMAL_20, screened=True)) == limits(xmr(NORMAL_20))  # no range is beyond its limit
    outlying = [*NORMAL_20[:14], 10, *NORMAL_20[15:]]
    assert limits(xmr(outlying)) == pytest.approx([0.6694159, -4.596625, 5.935457], abs=2e-6)
    assert limits(xmr(outlying, screened=True)) == pytest.approx([0.6694159, -2.383666, 3.722497], abs=2e-6)
    assert xmr(outlying).signals["beyond limits"].nonzero()[0].tolist() == [14]


def plain_rules(values, centre, lower, upper):
    """The four rules of NHS England's Making Data Count, one point after another."""
    n = len(values)
    side = [0 if v == centre or v != v else (1 if v > centre else -1) for v in values]
    found = {rule: [False] * n for rule in ("beyond limits", "run of 7", "trend of 7", "two of three")}
    for i in range(n):
        found["beyond limits"][i] = values[i] > upper or values[i] < lower
    for i in range(n - 6):
        window = values[i : i + 7]
        if side[i] and len(set(side[i : i + 7])) == 1:
            found["run of 7"][i : i + 7] = [True] * 7
        if all(a < b for a, b in pairwise(window)) or all(a > b for a, b in pairwise(window)):
            found["trend of 7"][i : i + 7] = [True] * 7
    third = (upper - centre) * 2 / 3
    outer = [abs(values[i] - centre) > third and not found["beyond limits"][i] for i in range(n)]
    for i in range(n - 2):
        if side[i] and len(set(side[i : i + 3])) == 1 and sum(outer[i : i + 3]) >= 2:
            for j in range(i, i + 3):
                found["two of three"][j] |= outer[j]
    return found


@given(st.lists(st.one_of(st.integers(-6, 6).map(float), st.just(float("nan"))), min_size=2, max_size=40))
def test_signals_equal_the_plain_rules(values):
    """Small whole numbers, so that points on the centre and equal neighbours are common; and gaps."""
    try:
        chart = xmr(values)
    except NoDataError:
        assert not any(a == a and b == b for a, b in pairwise(values))
        return
    expected = plain_rules(values, chart.centre, chart.lower, chart.upper)
    assert {rule: points.tolist() for rule, points in chart.signals.items()} == expected
    assert chart.is_signal.tolist() == [any(points) for points in zip(*expected.values(), strict=True)]


@given(st.integers(0, 400), st.floats(0.2, 2), st.floats(-1, 1))
def test_signals_of_noise_that_drifts_equal_the_plain_rules(seed, spread, drift):
    rng = np.random.default_rng(seed)
    values = (rng.normal(0, spread, 40) + drift * np.arange(40) / 10).tolist()
    chart = xmr(values)
    expected = plain_rules(values, chart.centre, chart.lower, chart.upper)
    assert {rule: points.tolist() for rule, points in chart.signals.items()} == expected


def alternating(*, after=()):
    """Twelve points that move up and down about 0, and those that follow."""
    return [1.0, -1.0] * 6 + list(after)


def test_each_rule_is_found_where_it_is_planted_and_no_other():
    def rules(values):
        return {rule for rule, points in xmr(values).signals.items() if points.any()}

    assert rules(alternating()) == set()
    assert rules(alternating(after=[12])) == {"beyond limits"}
    assert rules(alternating(after=[0.5, 1] * 4)) == {"run of 7"}
    # Seven points in a row, each above the last, across the centre; six are not enough.
    assert rules(alternating(after=[-2.4, -1.6, -0.8, -0.2, 0.8, 1.6, 2.4])) == {"trend of 7"}
    assert rules(alternating(after=[-1.6, -0.8, -0.2, 0.8, 1.6, -1])) == set()
    assert rules(alternating(after=[4.3, 0.9, 4.3, -2, -3, -2, -3])) == {"two of three"}


def test_a_run_of_six_is_none_and_a_point_on_the_centre_ends_a_run():
    base = [1.0, -1.0] * 6
    assert not xmr([*base, *[1, 2] * 3, *[-1, -2] * 3]).signals["run of 7"].any()
    # Four points above the mean, one on it and four above; the rest draws the mean down to 0.
    values = [1, 2, 1, 2, 0, 1, 2, 1, 2, -3, 1, -3, 1, -3, 1, -3, -3]
    chart = xmr(values)
    assert chart.centre == 0
    assert not chart.signals["run of 7"].any()
    without = values[:4] + values[5:]
    assert xmr(without).signals["run of 7"].sum() == 8


def test_no_range_run_or_trend_goes_across_a_gap():
    values = [1, 2, 1, 2, 1, 2, np.nan, 11, 12, 11, 12, 11, 12]
    chart = xmr(values)
    assert chart.upper - chart.centre == pytest.approx(2.66)  # the step of 9 is no moving range
    assert not chart.signals["run of 7"].any()
    assert chart.points == 12
    assert not chart.is_trial
    rising = [1.0, 2, 3, 4, np.nan, 5, 6, 7, 8]
    assert not xmr(rising).signals["trend of 7"].any()
    assert xmr([v for v in rising if v == v]).signals["trend of 7"].all()


def test_fewer_than_twelve_points_make_trial_limits_and_one_makes_none():
    assert xmr(range(11)).is_trial
    assert not xmr(range(12)).is_trial
    for values in ([], [3.0], [1.0, np.nan, 2.0]):
        with pytest.raises(NoDataError, match="two values or more"):
            xmr(values)


def test_deseasonalised_values_keep_what_is_planted():
    """Seasons of 1, 4 and -2 and a step of 5 in the last year: the seasons go, the step and the mean stay."""
    terms = ["Autumn", "Spring", "Summer"] * 4
    series = np.array([1, 4, -2] * 4, dtype=float) + np.repeat([0, 0, 0, 5], 3)
    found = deseasonalise(series, terms)
    assert found.mean() == pytest.approx(series.mean())
    assert found.reshape(4, 3) == pytest.approx(np.repeat([[1.0], [1.0], [1.0], [6.0]], 3, axis=1))


def test_deseasonalised_values_keep_gaps_and_need_each_season_twice():
    found = deseasonalise([1, 2, np.nan, 4, 3, 6, 5, 8], ["a", "b"] * 4)
    assert np.isnan(found).tolist() == [False, False, True, *[False] * 5]
    assert np.nanmean(found) == pytest.approx(29 / 7)
    with pytest.raises(NoDataError, match=r"'b' \(1\)"):
        deseasonalise([1, 2, 3], ["a", "b", "a"])
    with pytest.raises(NoDataError, match=r"'b' \(1\)"):
        deseasonalise([1, 2, 3, np.nan], ["a", "b", "a", "b"])
    with pytest.raises(ValueError, match="seasons of shape"):
        deseasonalise([1, 2, 3], ["a", "b"])


def test_an_annual_cycle_is_all_signals_as_it_is_and_few_when_taken_off():
    """Three years of weeks with an ordinary cycle and nothing else: 91% of weeks and 6% by our own measurement."""
    rng = np.random.default_rng(3)
    weeks = np.tile(np.arange(39), 3)
    raw, adjusted = [], []
    for _ in range(100):
        series = 1.2 * np.sin(2 * np.pi * weeks / 39) + rng.normal(0, 0.35, len(weeks))
        raw.append(xmr(series).is_signal.mean())
        adjusted.append(xmr(deseasonalise(series, weeks)).is_signal.mean())
    assert np.mean(raw) > 0.85
    assert np.mean(adjusted) < 0.10


@pytest.mark.parametrize(("points", "seasons"), [(9, 1), (12, 1), (24, 1), (60, 1), (20, 1), (9, 3), (18, 3), (78, 39)])
def test_false_alarms_are_as_often_as_the_table_says(points, seasons):
    """Charts of pure noise made one by one; the table's own measurement was of 100,000 at once."""
    rng = np.random.default_rng(points * 100 + seasons)
    draws = 1500
    names = np.arange(points) % seasons
    found = 0
    for _ in range(draws):
        series = rng.normal(size=points)
        found += bool(xmr(series if seasons == 1 else deseasonalise(series, names)).is_signal.any())
    stated = false_alarm_chance(points, seasons)
    assert found / draws == pytest.approx(stated, abs=4 * np.sqrt(stated * (1 - stated) / draws) + 0.002)


def test_false_alarms_between_and_beyond_the_measured_ones():
    for seasons, row in FALSE_ALARMS.items():
        for points, chance in row.items():
            assert false_alarm_chance(points, seasons) == pytest.approx(chance, abs=1e-12)
    grown = [false_alarm_chance(points) for points in range(2, 400)]
    assert np.all(np.diff(grown) >= 0)
    assert 0.95 < grown[-1] < 1
    assert false_alarm_chance(6, 3) < false_alarm_chance(7, 3) < false_alarm_chance(9, 3)
    # 38 weeks are nearly 39, and 10 seasons lie between 6 and 13.
    assert false_alarm_chance(114, 38) == pytest.approx(0.698, abs=0.01)
    assert false_alarm_chance(40, 10) == pytest.approx(0.338, abs=0.01)
    for points, seasons in [(1, 1), (5, 3), (10, 0)]:
        with pytest.raises(ValueError, match="make no chart"):
            false_alarm_chance(points, seasons)
