"""Samples of a list without replacement: against R, against every possible sample, and by coverage."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations, product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance_toolkit.models.finite_population import (
    Stratum,
    hypergeometric_interval,
    share_standard_error,
    stratified_share,
    whole_parts,
)


def chance(events: int, drawn: int, total: int, number: int) -> Fraction:
    """The hypergeometric probability in whole numbers."""
    return Fraction(comb(number, events) * comb(total - number, drawn - events), comb(total, drawn))


def by_search(events: int, drawn: int, total: int) -> tuple[int, int]:
    """Both ends by trying every number of the list, in exact fractions."""
    tail = Fraction(25, 1000)
    kept = [
        number
        for number in range(events, total - drawn + events + 1)
        if sum(chance(x, drawn, total, number) for x in range(events, drawn + 1)) > tail
        and sum(chance(x, drawn, total, number) for x in range(events + 1)) > tail
    ]
    return kept[0], kept[-1]


@pytest.mark.parametrize("total", [1, 2, 7, 24, 60])
def test_the_exact_interval_is_that_of_a_search_in_fractions(total):
    for drawn in {1, 2, total // 3, total - 1, total} - {0}:
        if drawn <= total:
            for events in {0, 1, drawn // 2, drawn}:
                if events <= drawn:
                    assert hypergeometric_interval(events, drawn, total) == by_search(events, drawn, total)


def test_the_exact_interval_covers_at_least_95_of_100_whatever_the_list():
    drawn, total = 9, 40
    ends = [hypergeometric_interval(events, drawn, total) for events in range(drawn + 1)]
    for number in range(total + 1):
        covered = sum(
            chance(events, drawn, total, number)
            for events, (low, high) in enumerate(ends)
            if low <= number <= high and events <= number and drawn - events <= total - number
        )
        assert covered >= Fraction(95, 100)


def test_share_and_standard_error_are_those_of_r():
    # R 4, survey: svydesign(id=~1, strata=~h, fpc=~N); svymean(~y); 18 of 36 of 300, and 2 of 6 of 47.
    strata = [Stratum(300, 36, 18), Stratum(47, 6, 2)]
    assert stratified_share(strata).value == pytest.approx(0.477425552354, abs=1e-12)
    assert share_standard_error(strata) == pytest.approx(0.0735496557576, abs=1e-12)
    assert math.isnan(share_standard_error([Stratum(10, 1, 0), Stratum(5, 5, 1)]))


def test_over_all_possible_samples_the_share_is_right_and_its_variance_as_estimated():
    lists, drawn = ((1, 1, 0, 0, 1), (0, 0, 1, 0)), (3, 2)
    samples = list(product(*(combinations(one, size) for one, size in zip(lists, drawn, strict=True))))
    found = [
        [Stratum(len(one), len(part), sum(part)) for one, part in zip(lists, parts, strict=True)] for parts in samples
    ]
    shares = [stratified_share(strata).value for strata in found]
    assert np.mean(shares) == pytest.approx(4 / 9)
    assert np.mean([share_standard_error(strata) ** 2 for strata in found]) == pytest.approx(np.var(shares))


@pytest.mark.parametrize(
    ("sizes", "drawn", "rates"),
    [
        ((200, 90, 30, 20, 7), (24, 11, 4, 2, 1), (0.45, 0.45, 0.45, 0.45, 0.45)),
        ((200, 90, 30, 20, 7), (24, 11, 4, 2, 1), (0.1, 0.3, 0.6, 0.9, 0.5)),
        ((120, 20, 10), (15, 3, 2), (0.05, 0.1, 0.2)),
        ((20, 12, 3), (10, 6, 2), (0.4, 0.2, 0.3)),
    ],
)
def test_the_interval_of_a_stratified_sample_covers_19_of_20_times(sizes, drawn, rates):
    rng = np.random.default_rng(8)
    events = [round(size * rate) for size, rate in zip(sizes, rates, strict=True)]
    truth, covered, repeats = sum(events) / sum(sizes), 0, 1500
    seen = np.column_stack(
        [rng.hypergeometric(k, size - k, n, repeats) for k, size, n in zip(events, sizes, drawn, strict=True)]
    )
    for row in seen:
        found = stratified_share([Stratum(s, n, int(x)) for s, n, x in zip(sizes, drawn, row, strict=True)])
        covered += found.lower - 1e-12 <= truth <= found.upper + 1e-12
    # 0.935: 0.95 less 2.6 standard errors of 1,500 repeats.
    assert covered / repeats >= 0.935


def test_a_whole_list_is_known_without_an_interval_and_ends_are_possible_numbers():
    found = stratified_share([Stratum(4, 4, 1), Stratum(6, 6, 6)])
    assert (found.value, found.lower, found.upper) == (0.7, 0.7, 0.7)
    found = stratified_share([Stratum(5, 4, 0), Stratum(2, 1, 0)])
    assert found.upper <= 2 / 7
    with pytest.raises(ValueError, match="at least one is drawn"):
        Stratum(5, 0, 0)
    with pytest.raises(ValueError, match="no stratum"):
        stratified_share([])
    with pytest.raises(ValueError, match="Nobody was drawn"):
        hypergeometric_interval(0, 0, 0)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any), st.integers(0, 400))
def test_whole_parts_add_up_and_each_is_within_one_of_its_share(counts, total):
    parts = whole_parts(counts, total)
    assert sum(parts) == total
    assert all(abs(part - Fraction(count * total, sum(counts))) < 1 for part, count in zip(parts, counts, strict=True))
