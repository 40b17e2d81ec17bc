"""Quantiles, bins, boxes and means against the definitions written out in loops, and against numpy on large samples."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance_toolkit.disclosure.distributions import (
    BoxSummary,
    box_summary,
    merge_bins,
    safe_cumulative,
    safe_histogram,
    safe_mean,
    safe_quantiles,
)
from attendance_toolkit.disclosure.policy import DFE, INTERNAL, SHARED
from attendance_toolkit.errors import DisclosureError

EDGES = (0, 5, 10, 20, 50, math.inf)
pupils = st.lists(st.integers(0, 100), max_size=150)


# --- quantiles ----------------------------------------------------------------------------------------------


def test_a_quantile_is_near_numpys_on_a_large_sample():
    values = np.random.default_rng(1).negative_binomial(0.7, 0.05, 20_000)
    found = safe_quantiles(values, [0.5, 0.25, 0.75, 0.9, 0.1], SHARED)
    assert found["value"].to_numpy() == pytest.approx(np.quantile(values, found["probability"]), abs=1)


@pytest.mark.parametrize(("n", "shown"), [(19, False), (20, True)])
def test_a_median_needs_the_threshold_on_both_sides(n, shown):
    assert (safe_quantiles(range(n), [0.5], SHARED)["symbol"] == "").tolist() == [shown]


def test_the_smallest_and_the_largest_value_are_never_shown():
    assert safe_quantiles(range(10_000), [0, 1], SHARED)["symbol"].tolist() == ["c", "c"]
    assert safe_quantiles(range(10), [0, 1], INTERNAL)["value"].tolist() == [0, 9]


@settings(max_examples=150, deadline=None)
@given(pupils, st.lists(st.floats(0, 1), min_size=1, max_size=8), st.sampled_from([1, 5]))
def test_two_shown_quantiles_share_no_pupil(values, probabilities, unit):
    """The windows written out: at least ten values each, ten beyond on each side, none in two of them."""
    found = safe_quantiles(values, probabilities, SHARED, unit=unit)
    shown = found[found["symbol"] == ""]
    n, ordered, used = len(values), sorted(values), []
    for p, value in zip(shown["probability"], shown["value"], strict=True):
        below, above = math.floor(p * n), n - math.ceil(p * n)
        assert min(below, above) >= 10
        start = next(s for s in range(n) if s - (p * n - 5) > -0.5 + 1e-9)
        window = range(start, start + 10)
        used += window
        assert abs(sum(ordered[i] for i in window) / 10 - value) <= unit / 2
        assert value % unit == 0
    assert len(used) == len(set(used))


def test_one_pupil_moves_a_quantile_by_at_most_a_tenth_of_what_he_moves():
    values = [*range(60), 60]
    moved = [*range(60), 10_000]
    for p in (0.25, 0.5, 0.75):
        first, second = (safe_quantiles(v, [p], SHARED, unit=0.001)["value"][0] for v in (values, moved))
        assert first == second


def test_a_quantile_that_is_too_near_an_earlier_one_is_hidden():
    found = safe_quantiles(range(100), [0.5, 0.58, 0.6], SHARED)
    assert found["symbol"].tolist() == ["", "c", ""]


@pytest.mark.parametrize(("p", "unit"), [([1.2], 1), ([0.5], 0)])
def test_a_senseless_quantile_is_an_error(p, unit):
    with pytest.raises(ValueError, match=r"robabilities lie|cannot be rounded"):
        safe_quantiles([1], p, SHARED, unit=unit)


def test_a_box_loses_its_whiskers_first_then_its_sides():
    by_size = {n: box_summary(range(n), SHARED) for n in (100, 99, 40, 39, 19)}
    assert not math.isnan(by_size[100].low)
    assert math.isnan(by_size[99].low)
    assert by_size[99].lower_quartile < by_size[99].median < by_size[99].upper_quartile
    assert not math.isnan(by_size[40].lower_quartile)
    assert math.isnan(by_size[39].lower_quartile)
    assert math.isnan(by_size[19].median)
    assert "hidden" in by_size[19].note


def test_a_box_has_no_place_for_outliers():
    calm = box_summary([*range(100)], SHARED)
    wild = box_summary([*range(99), 1_000_000], SHARED)
    assert calm == wild
    assert isinstance(calm, BoxSummary)


# --- bins ---------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.integers(0, 40), min_size=5, max_size=5), min_size=1, max_size=4))
def test_no_merged_bin_is_small_in_any_group_that_can_be_parted(counts):
    merged = merge_bins(counts, SHARED)
    assert [i for start, stop in merged for i in range(start, stop)] == list(range(5))
    for group in counts:
        if sum(group) >= 20 and len(merged) > 1:
            assert all(sum(group[start:stop]) >= 10 for start, stop in merged)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=6, max_size=6))
def test_bins_are_merged_as_little_as_can_be(counts):
    """Against all 32 ways to cut six bins."""
    if sum(counts) < 20:
        return
    best = 0
    for cuts in range(32):
        parts, current = [], 0
        for i, count in enumerate(counts):
            current += count
            if i == 5 or cuts >> i & 1:
                parts.append(current)
                current = 0
        if min(parts) >= 10:
            best = max(best, len(parts))
    assert len(merge_bins(counts, SHARED)) == best


@settings(max_examples=80, deadline=None)
@given(pupils)
def test_a_histogram_counts_everybody_once(values):
    rows = safe_histogram(values, EDGES, SHARED)
    if len(values) < 10:
        assert set(rows["symbol"]) == {"c" if values else "z"}
        assert rows["numerator"].isna().all()
        return
    assert rows["numerator"].sum() == len(values)
    by_hand = sum(1 for value in values if value < 5)
    if rows["band"].iloc[0] == "0% to under 5%":
        assert rows["numerator"].iloc[0] == by_hand
    assert len(rows) == 1 or rows["numerator"].min() >= 10


def test_a_tail_does_not_say_how_far_the_largest_value_reaches():
    low, high = [3] * 50 + [12] * 3, [3] * 50 + [99] * 3
    assert safe_histogram(low, EDGES, SHARED).equals(safe_histogram(high, EDGES, SHARED))
    assert safe_cumulative(low, EDGES, SHARED).equals(safe_cumulative(high, EDGES, SHARED))


def test_the_last_bin_has_its_end_in_it():
    rows = safe_histogram([100] * 10 + [0] * 10, (0, 50, 100), SHARED)
    assert rows[["band", "numerator"]].to_numpy().tolist() == [["0% to under 50%", 10], ["50% to 100%", 10]]


@settings(max_examples=80, deadline=None)
@given(pupils)
def test_no_step_of_a_cumulative_curve_is_small(values):
    rows = safe_cumulative(values, EDGES, SHARED)
    curve = [0, *rows["numerator"].dropna(), len(values)]
    if len(rows) and len(values) >= 10:
        assert min(np.diff(curve)) >= 10
        for band, numerator in zip(rows["band"], rows["numerator"], strict=True):
            edge = float(band.removeprefix("under ").removesuffix("%"))
            assert numerator == sum(value < edge for value in values)


def test_a_value_outside_the_edges_is_refused_without_naming_it():
    with pytest.raises(DisclosureError, match="outside the edges 0 to 50") as error:
        safe_histogram([3, 77], (0, 10, 50), SHARED)
    assert "77" not in str(error.value)


def test_edges_must_increase():
    with pytest.raises(ValueError, match="must increase"):
        safe_histogram([1], (0, 5, 5), SHARED)


def test_inside_the_authority_bins_are_as_they_are():
    assert safe_histogram([1, 60], EDGES, INTERNAL)["numerator"].tolist() == [1, 0, 0, 0, 1]


# --- means --------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=60))
def test_no_mean_is_shown_that_a_few_pupils_make(sessions):
    """Against the rules counted out: ten pupils, ten with any session, the two largest below 90%."""
    total = sum(sessions)
    values, symbols = safe_mean(total, len(sessions), sum(s * s for s in sessions), SHARED)
    if symbols.item() == "":
        assert len(sessions) >= 10
        assert sum(s > 0 for s in sessions) >= 10
        assert sum(sorted(sessions)[-2:]) < 0.9 * total
        assert values.item() == pytest.approx(total / len(sessions), rel=0.5, abs=2.6)
    else:
        assert math.isnan(values.item())


def test_a_mean_times_its_number_is_not_the_total():
    """Handbook 5.7: unrounded, 1,151 / 62 has only one fraction with a number that rounds to 60."""
    exact = 1151 / 62
    fitting = [n for n in range(58, 63) if abs(exact * n - round(exact * n)) < 1e-9]
    assert fitting == [62]
    (mean,), _ = safe_mean([1151], [62], [30_000], SHARED)
    totals = {t for n in range(58, 63) for t in range(1000, 1300) if abs(round(t / n, 1) - mean) < 1e-9}
    assert len(totals) > 20


def test_a_missing_sum_of_squares_proves_nothing():
    assert safe_mean(100, 50, math.nan, SHARED)[1].item() == "c"
    assert safe_mean(100, 50, math.nan, INTERNAL)[0].item() == 2


def test_exact_counts_leave_the_mean_cut_all_the_same():
    assert safe_mean(1151, 62, 30_000, DFE)[0].item() == 18.6


def test_rows_are_fit_for_a_release():
    rows = safe_histogram([1] * 20 + [60] * 20, EDGES, SHARED)
    assert set(rows.columns) >= {
        "measure",
        "numerator",
        "denominator",
        "rate",
        "lower",
        "upper",
        "symbol",
        "enrolments",
    }
    assert isinstance(rows, pd.DataFrame)
