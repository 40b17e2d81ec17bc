"""Arithmetic of the cards: zero denominators, missing counts, columns, exactness."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance_toolkit.metrics import cards
from attendance_toolkit.vocabulary.columns import CELL_COUNTS


def cells(**counts) -> pd.DataFrame:
    size = max(len(v) for v in counts.values())
    frame = pd.DataFrame({name: pd.array([0] * size, dtype="Int64") for name in CELL_COUNTS})
    for name, values in counts.items():
        frame[name] = pd.array(values, dtype="Int64") if name in CELL_COUNTS else values
    return frame


SOUTHAMPTON = {
    "enrolments": [32_144],
    "sessions_possible": [7_515_215],
    "sessions_authorised": [579_683],
    "persistent_absentees": [6_885],
    "sessions_possible_persistent": [1_536_341],
    "sessions_authorised_persistent": [186_040],
    "sessions_unauthorised_persistent": [184_596],
    "severe_absentees": [893],
    "sessions_possible_severe": [161_513],
    "sessions_authorised_severe": [41_625],
    "sessions_unauthorised_severe": [77_288],
}


@pytest.mark.parametrize(
    "value",
    [
        cards.ratio(1, 0),
        cards.ratio(0, 0),
        cards.ratio(None, 5),
        cards.ratio(5, pd.NA),
        cards.mean_sessions_missed_of(5, 0),
        cards.no_absence_share(0, 0),
        cards.extra_sessions_missed(10, 5, 10, 5),
        cards.extra_sessions_missed(10, 5, 0, 0),
        cards.overall_absence_without(10, 20, 10, 20),
        cards.change_pp(0.1, None),
        cards.equivalent_at_current_cohort(None, "23.2", 100),
        cards.three_year_mean([0.1, None, 0.2]),
        cards.three_year_mean([]),
        cards.pooled_rate([1, None], [2, 2]),
        cards.pooled_rate([], []),
    ],
)
def test_what_cannot_be_computed_is_missing(value):
    assert np.isnan(value)


def test_columns_give_columns():
    numerator = pd.Series([1, 0, None], dtype="Int64", index=[5, 6, 7])
    denominator = pd.Series([4, 0, 4], dtype="Int64", index=[5, 6, 7])
    result = cards.ratio(numerator, denominator)
    assert result.index.tolist() == [5, 6, 7]
    assert result.tolist()[0] == 0.25
    assert result.isna().tolist() == [False, True, True]
    assert cards.ratio(numerator, 2).tolist()[:2] == [0.5, 0.0]
    assert cards.ratio(2, denominator).tolist()[0] == 0.5
    equal = cards.equivalent_at_current_cohort(pd.Series([6_885]), "23.2", pd.Series([32_144]))
    assert equal.round(1).tolist() == [-572.4]


def test_card_rows_are_the_cards():
    rows = cards.card_rows(cells(area=["Southampton"], **SOUTHAMPTON), ["area"]).set_index("measure")
    assert set(rows.index) == set(cards.CARD_MEASURES)
    assert rows["rate"].round(4).to_dict() == {
        "overall_absence_rate_without_persistent": 0.035,
        "mean_sessions_missed_persistent": 53.8324,
        "extra_sessions_missed_persistent": 45.5563,
        "overall_absence_rate_without_severe": 0.0627,
        "mean_sessions_missed_severe": 133.1613,
        "extra_sessions_missed_severe": 118.4171,
    }
    without = rows.loc["overall_absence_rate_without_persistent"]
    assert (without["numerator"], without["denominator"]) == (209_047, 5_978_874)
    assert (rows["symbol"] == "").all()
    assert (rows["area"] == "Southampton").all()
    assert rows.loc["mean_sessions_missed_severe", "enrolments"] == 893


def test_card_rows_tell_missing_from_empty():
    some = {**SOUTHAMPTON, "sessions_possible_severe": [None]}
    rows = cards.card_rows(cells(**some)).set_index("measure")
    assert rows.loc["overall_absence_rate_without_severe", "symbol"] == "x"
    assert rows.loc["overall_absence_rate_without_persistent", "symbol"] == ""
    empty = cards.card_rows(cells(enrolments=[10], sessions_possible=[100])).set_index("measure")
    assert empty.loc["mean_sessions_missed_severe", "symbol"] == "z"
    assert empty.loc["overall_absence_rate_without_severe", "rate"] == 0


def test_attendance_is_made_from_absence_but_not_in_the_covid_years():
    rows = pd.DataFrame(
        {
            "academic_year": [202223, 202122, 201920, 202324],
            "measure": "overall_absence_rate",
            "numerator": [np.nan] * 3 + [5.0],
            "denominator": [np.nan] * 3 + [100.0],
            "rate": [0.0921, 0.08, np.nan, 0.05],
            "lower": np.nan,
            "upper": np.nan,
            "symbol": ["", "", "x", ""],
            "printed": ["9.21", "8", "-", ""],
        }
    )
    made = cards.attendance_from_absence(rows)
    assert made["printed"].tolist() == ["90.79", "", "-", ""]
    assert made["rate"].tolist()[0] == 0.9079
    assert made["rate"].tolist()[3] == 0.95
    assert made["symbol"].tolist() == ["", "x", "x", ""]
    assert made["numerator"].tolist()[3] == 95
    assert (rows["measure"] == "overall_absence_rate").all()


@pytest.mark.parametrize(
    ("rate", "days", "weeks", "rest", "sessions"),
    [
        ("1", 0, 0, 0, 0),
        ("0.95", 9, 1, 4, 19),
        ("0.90", 19, 3, 4, 38),
        ("0.85", 28, 5, 3, 57),
        ("0.80", 38, 7, 3, 76),
        ("0", 190, 38, 0, 380),
    ],
)
def test_lost_learning(rate, days, weeks, rest, sessions):
    for given_rate in (rate, float(rate), Decimal(rate), Fraction(rate)):
        lost = cards.lost_learning(given_rate)
        assert (lost.days, lost.weeks, lost.rest_days, lost.sessions) == (days, weeks, rest, sessions)


@pytest.mark.parametrize("rate", ["1.01", "-0.1", 95])
def test_lost_learning_refuses_percentages(rate):
    with pytest.raises(ValueError, match="use a rate from 0 to 1"):
        cards.lost_learning(rate)


counts = st.integers(0, 10_000)


@given(missed=counts, possible=counts, group_missed=counts, group_possible=counts)
def test_the_whole_lies_between_the_group_and_the_others(missed, possible, group_missed, group_possible):
    all_missed, all_possible = missed + group_missed, possible + group_possible
    others = cards.overall_absence_without(all_missed, all_possible, group_missed, group_possible)
    if possible and group_possible:
        inside, whole = cards.ratio(group_missed, group_possible), cards.ratio(all_missed, all_possible)
        assert min(inside, others) - 1e-12 <= whole <= max(inside, others) + 1e-12
    elif not possible:
        assert np.isnan(others)


@given(count=counts, cohort=st.integers(1, 10_000), previous=st.decimals(0, 100, places=1))
def test_the_equivalent_is_zero_at_the_same_rate(count, cohort, previous):
    value = cards.equivalent_at_current_cohort(count, previous, cohort)
    assert value == pytest.approx(count - float(previous) / 100 * cohort, abs=1e-9)
