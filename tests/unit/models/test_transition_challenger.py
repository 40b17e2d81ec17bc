"""Gradient boosting where the data begin with the cohort it learns from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from attendance_toolkit.models.transition.challenger import fit_challenger
from tests.unit.models.transition_cohorts import make_cohorts


@pytest.fixture(scope="module")
def cohorts():
    """Return a cohort whose year before is not in the data, and the next one, of which it is."""
    first, second = make_cohorts(years=(202223, 202324), pupils=3000)
    nothing = np.zeros(len(first.pupils), np.int32)
    return replace(first, earlier_possible=nothing, earlier_missed=nothing), second


def test_a_year_before_that_is_not_in_the_data_is_no_column(cohorts):
    first, second = cohorts
    trees = fit_challenger([first])
    assert trees.has[:-1].all()
    assert not trees.has[-1]
    # What it has not learned from changes nothing.
    other = replace(second, earlier_missed=second.earlier_possible // 2)
    found, changed = trees.predict(second), trees.predict(other)
    for one, two in zip(found, changed, strict=True):
        np.testing.assert_array_equal(one, two)


def test_it_predicts_better_than_the_year_carried_forward_all_the_same(cohorts):
    first, second = cohorts
    rate, persistent, _ = fit_challenger([first]).predict(second)
    after = second.later.missed / second.later.possible
    carried = second.year_missed / second.year_possible
    assert ((after - rate) ** 2).mean() < 0.9 * ((after - carried) ** 2).mean()
    is_absent = 10 * second.later.missed >= second.later.possible
    assert persistent[is_absent].mean() > persistent[~is_absent].mean() + 0.2


def test_with_the_year_before_it_is_a_column(cohorts):
    trees = fit_challenger([cohorts[1]])
    assert trees.has.all()
