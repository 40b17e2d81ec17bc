"""How values come from cleared rows. Expected values are worked out by hand or printed in the literature."""

from __future__ import annotations

import math

import pytest

from attendance_toolkit.disclosure.gate.explain import LOST_LEARNING, Explainer, explain
from attendance_toolkit.intervals import wilson_interval


def row(count, total, **about):
    low, high = (float(bound) for bound in wilson_interval(count, total))
    return {
        "measure": "severe_absence_rate", "numerator": float(count), "denominator": float(total), "rate": count / total,
        "lower": low, "upper": high, "symbol": "", "area_code": "E08000009", "phase": "Primary", **about,
    }  # fmt: skip


# Newcombe (1998), Statistics in Medicine 17, 873: 56/70 - 48/80, method 10, is 0.2000 (0.0524 to 0.3339).
PAIR = [row(56, 70, academic_year=202324), row(48, 80, academic_year=202223)]
LOW, HIGH = 0.052431, 0.333872


def test_a_figure_as_it_is_and_as_a_percentage():
    rows = [row(25, 1000)]
    assert explain(0.025, rows) == explain(2.5, rows) == explain(25, rows) == explain(1000, rows) == "a cleared figure"


def test_a_mean_is_not_a_percentage():
    mean = {**row(25, 1000), "measure": "mean_sessions_missed", "rate": 12.375, "lower": None, "upper": None}
    assert explain(12.375, [mean]) == "a cleared figure"
    assert explain(1237.5, [mean]) is None


def test_a_difference_of_two_figures_and_the_published_interval_of_it():
    explainer = Explainer(PAIR)
    assert (
        explainer.explain(0.2)
        == explainer.explain(20.0)
        == explainer.explain(-20.0)
        == "a difference of two cleared figures"
    )
    found = next(values for name, values in explainer._found if name.startswith("a bound of a difference"))
    assert any(math.isclose(value, LOW, abs_tol=1e-6) for value in found)
    assert any(math.isclose(value, HIGH, abs_tol=1e-6) for name, values in explainer._found for value in values)


def test_rows_that_differ_in_two_things_are_no_comparison():
    rows = [row(56, 70, academic_year=202324), row(48, 80, academic_year=202223, phase="Secondary")]
    assert explain(0.2, rows) is None
    rows = [row(56, 70), {**row(48, 80), "measure": "persistent_absence_rate"}]
    assert explain(0.2, rows) is None


def test_where_figures_come_from_does_not_keep_them_from_being_compared():
    rows = [row(56, 70, series="local", dataset="a"), row(48, 80, series="census", dataset="b", area_code="E92000001")]
    assert explain(20.0, rows) == "a difference of two cleared figures"


def test_a_group_is_compared_with_another_group_and_with_all():
    rows = [
        row(56, 70, characteristic="sex", level="Female"),
        row(48, 80, characteristic="sex", level="Male"),
        row(99, 150, characteristic="All", level="All"),
    ]
    assert explain(20.0, rows) == "a difference of two cleared figures"
    assert explain(14.0, rows) == "a difference of two cleared figures"


def test_one_in_how_many():
    assert explain(36.0, [row(10, 360)]) == "one in how many"


def test_a_mean_of_years():
    rows = [row(n, 1000, academic_year=year) for n, year in ((62, 202122), (71, 202223), (80, 202324))]
    assert explain(7.1, rows) == "a cleared figure"
    assert explain(6.65, rows) == explain(7.55, rows) == "a mean of yearly figures"
    rows[1] |= row(74, 1000, academic_year=202223)
    assert explain(7.2, rows) == "a mean of yearly figures"
    # The mean of the first and the last year: those do not follow each other.
    assert explain(7.1, rows) is None


def test_a_count_at_the_printed_rate_of_the_year_before():
    # 720 of 32,000 now; the rate before, printed as 2.0%, would have given 640: 80 more.
    rows = [row(720, 32000, academic_year=202324), row(618, 31000, academic_year=202223)]
    assert explain(80.0, rows) == "a count at the rate of the year before"
    assert explain(102.0, rows) == "a change of a cleared count"


def test_learning_lost_is_for_attendance_rates_alone():
    attendance = {**row(95, 100), "measure": "attendance_rate"}
    assert explain(9.0, [attendance]) == LOST_LEARNING
    # A difference of exactly that size is not taken for days lost, which sentences may not tell.
    derived = {"measure": "rate_gap", "rate": 0.09, "symbol": ""}
    assert Explainer([attendance], [derived]).explain(9.0) == "a figure derived by the runner"
    assert explain(9.0, [row(95, 100)]) is None


def test_hidden_and_missing_rows_give_nothing():
    hidden = {
        **row(7, 90),
        "symbol": "c",
        "numerator": None,
        "denominator": None,
        "rate": None,
        "lower": None,
        "upper": None,
    }
    assert Explainer([hidden]).explain(7.0) is None
    assert Explainer([]).explain(0.0) is None
    assert Explainer(PAIR).explain(math.nan) is None
    # A row with a symbol gives nothing even if somebody left its numbers in.
    assert Explainer([{**row(7, 90), "symbol": "c"}]).explain(7.0) is None


def test_a_number_the_runner_derived_counts_as_cleared():
    assert Explainer([], [{"measure": "x", "rate": 0.0123}]).explain(1.23) == "a figure derived by the runner"


@pytest.mark.parametrize("value", [7.0, 0.0777, 3.33, 0.21, 55, 19.99])
def test_a_value_that_does_not_follow_is_not_explained(value):
    assert explain(value, PAIR) is None


def test_a_value_that_is_off_in_the_seventh_digit_is_not_explained():
    assert explain(20.000002, PAIR) is None
    assert explain(20.0 + 1e-11, PAIR) is not None
