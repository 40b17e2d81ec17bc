"""Who is listed, against sorting by hand with fractions; what a capacity means; what is said of how often a list is right."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.reporting.priority_choice import (
    Capacity,
    Right,
    by_rule,
    capacity_of,
    check_step,
    choose,
    how_right,
)
from tests.unit.models.transition_cohorts import make_cohorts


@pytest.fixture(scope="module")
def cohort():
    (made,) = make_cohorts(years=(202223,), pupils=600, schools=7)
    # Rates of whole percents: many pupils share theirs, and some are at exactly 10%.
    possible = np.tile(np.array([100, 50, 50], dtype=np.int32), (600, 1))
    missed = np.zeros_like(possible)
    missed[:, 0] = np.random.default_rng(3).integers(0, 41, 600)
    return replace(made, possible=possible, missed=missed)


def by_hand(cohort):
    """Return pseudonyms of those who missed a tenth or more, in the order of the list, with whole numbers alone."""
    rows = [
        (Fraction(int(missed), int(possible)), int(pupil), int(school))
        for missed, possible, pupil, school in zip(
            cohort.missed.sum(axis=1), cohort.possible.sum(axis=1), cohort.pupils, cohort.destination, strict=True
        )
    ]
    return sorted((row for row in rows if row[0] >= Fraction(1, 10)), key=lambda row: (-row[0], row[1]))


def test_the_rule_before_is_a_tenth_or_more_the_highest_first(cohort):
    places = Capacity(number=60)
    found = cohort.pupils[by_rule(cohort, None, places, cohort.destination)].tolist()
    assert found == [pupil for _, pupil, _ in by_hand(cohort)][:60]
    everybody = by_rule(cohort, None, Capacity(number=600), cohort.destination)
    assert len(everybody) == len(by_hand(cohort)) < 600
    assert cohort.year_missed[everybody].min() == 20, "exactly 10% is listed"


def test_places_of_each_school(cohort):
    found = by_rule(cohort, None, Capacity(number=4, of_each_school=True), cohort.destination)
    expected = {school: [] for school in np.unique(cohort.destination).tolist()}
    for _, pupil, school in by_hand(cohort):
        if len(expected[school]) < 4:
            expected[school].append(pupil)
    assert set(cohort.pupils[found].tolist()) == {pupil for few in expected.values() for pupil in few}
    share = by_rule(cohort, None, capacity_of(None, "5%", 600), cohort.destination)
    sizes = dict(zip(*np.unique(cohort.destination, return_counts=True), strict=True))
    listed = dict(zip(*np.unique(cohort.destination[share], return_counts=True), strict=True))
    assert listed == {school: int(size * 5 / 100 + 0.5) for school, size in sizes.items()}


def test_equal_chances_go_by_absence_and_the_order_of_the_data_changes_nothing(cohort):
    chance, everybody = np.full(600, 0.3), np.ones(600, bool)
    found = cohort.pupils[choose(cohort, chance, everybody, Capacity(number=80), cohort.destination)].tolist()
    assert found == [pupil for _, pupil, _ in by_hand(cohort)][:80]
    order = np.random.default_rng(1).permutation(600)
    mixed = cohort.chosen(order)
    again = choose(mixed, chance, everybody, Capacity(number=80), mixed.destination)
    assert mixed.pupils[again].tolist() == found


@pytest.mark.parametrize(
    ("capacity", "per_school", "pupils", "places"),
    [
        (None, None, 419, 42), ("10%", None, 415, 42), ("12.5 %", None, 100, 13), (120, None, 419, 120), ("0.1%", None, 50, 1),
        (None, 5, 3, 3), (None, "50%", 5, 3),
    ],
)  # fmt: skip
def test_places(capacity, per_school, pupils, places):
    assert capacity_of(capacity, per_school, 1000).places(pupils) == places


@pytest.mark.parametrize(
    ("capacity", "per_school", "says"),
    [
        ("0", None, "names nobody"), ("0%", None, "names nobody"), ("101%", None, "more than all"),
        ("501", None, "500 pupils are expected"), ("-3", None, "not a number of places"), ("0.1", None, "such as 10%"),
        ("ten", None, "not a number"), ("", None, "not a number"), (None, "1000", "500 pupils are expected"),
        ("10%", "5", "not both"),
    ],
)  # fmt: skip
def test_a_capacity_that_cannot_be_is_refused(capacity, per_school, says):
    with pytest.raises(ParameterError, match=says):
        capacity_of(capacity, per_school, 500)


def test_a_number_becomes_the_share_it_is_when_tested_on_another_cohort():
    assert capacity_of(50, None, 500).for_test(500).places(300) == 30
    assert capacity_of(None, 5, 500).for_test(500).places(300) == 5


def test_only_steps_with_lists():
    with pytest.raises(ParameterError, match="Year 9"):
        check_step("9")


def test_how_often_right_is_counted_in_whole_numbers(cohort):
    listed = by_rule(cohort, None, Capacity(number=60), cohort.destination)
    later = cohort.later
    absent = [10 * int(missed) >= int(possible) for missed, possible in zip(later.missed, later.possible, strict=True)]
    assert how_right(cohort, listed) == Right(60, sum(absent[place] for place in listed), sum(absent))


def test_the_interval_of_how_often_right_is_wilsons():
    # Newcombe (1998), Statistics in Medicine 17, 857, table I: 81 of 263, 25.5% to 36.6%.
    assert Right(263, 81, 90).in_words() == "81 of 263 (31%, 95% interval 26% to 37%), of 90 in all"
    assert "of 9" not in Right(9, 9, 9).in_words(), "of a handful nothing is said"
