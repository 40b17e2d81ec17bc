"""Turnover, contributions of units, and rates that move against all their groups: identities and planted truths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.decomposition import contributions, is_paradox, kitagawa, turnover

counts = st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
some = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(some, some, counts, counts)
def test_turnover_is_an_identity(before, after, leavers, joiners):
    found = turnover(stayers_before=before, stayers_after=after, leavers=leavers, joiners=joiners)
    rate = [(stay[0] + other[0]) / (stay[1] + other[1]) for stay, other in ((before, leavers), (after, joiners))]
    assert found.total == pytest.approx(rate[1] - rate[0], abs=1e-12)
    assert found.stayers + found.joiners + found.leavers == pytest.approx(found.total, abs=1e-12)
    # The formula as written: with w the stayers' share of a year.
    w1, w2 = before[1] / (before[1] + leavers[1]), after[1] / (after[1] + joiners[1])
    r1, r2 = before[0] / before[1], after[0] / after[1]
    joined = joiners[0] / joiners[1] if joiners[1] else 0
    left = leavers[0] / leavers[1] if leavers[1] else 0
    assert found.joiners == pytest.approx((1 - w2) * (joined - r2), abs=1e-12)
    assert found.leavers == pytest.approx(-(1 - w1) * (left - r1), abs=1e-12)


def test_turnover_of_pupils_equals_their_sums():
    """A roll falls though everybody who stayed is absent more: those with the most absence left, others came."""
    rng = np.random.default_rng(1)
    stay1 = rng.uniform(size=2000) < 0.10
    stay2 = rng.uniform(size=2000) < 0.14
    left, came = rng.uniform(size=500) < 0.60, rng.uniform(size=500) < 0.05
    found = turnover(
        stayers_before=(stay1.sum(), 2000), stayers_after=(stay2.sum(), 2000),
        leavers=(left.sum(), 500), joiners=(came.sum(), 500),
    )  # fmt: skip
    assert found.total == pytest.approx(np.concatenate([stay2, came]).mean() - np.concatenate([stay1, left]).mean())
    assert found.stayers > 0 > found.total
    assert found.joiners < 0
    assert found.leavers < 0


def test_turnover_without_stayers_has_a_total_and_no_parts():
    found = turnover(stayers_before=(0, 0), stayers_after=(0, 0), leavers=(10, 100), joiners=(30, 100))
    assert found.total == pytest.approx(0.2)
    assert np.isnan([found.stayers, found.joiners, found.leavers]).all()
    nobody_came = turnover(stayers_before=(10, 100), stayers_after=(10, 100), leavers=(1, 50), joiners=(0, 0))
    assert nobody_came.joiners == 0
    hidden = turnover(stayers_before=(10, 100), stayers_after=(np.nan, 100), leavers=(1, 50), joiners=(0, 0))
    assert np.isnan(hidden.total)
    with pytest.raises(ValueError, match="events"):
        turnover(stayers_before=(10, 5), stayers_after=(1, 5), leavers=(1, 5), joiners=(1, 5))


units = st.lists(st.tuples(counts, counts), min_size=1, max_size=12)


@given(some, some, units)
def test_contributions_add_up_to_the_change_and_to_kitagawas_parts(first, last, others):
    rows = [(first, last), *others]
    y0, n0, y1, n1 = np.array([[*before, *after] for before, after in rows], dtype=float).T
    found = contributions(y0, n0, y1, n1)
    assert found["contribution"].sum() == pytest.approx(y1.sum() / n1.sum() - y0.sum() / n0.sum(), abs=1e-12)
    assert found["within"].to_numpy() + found["size"].to_numpy() == pytest.approx(found["contribution"].to_numpy())
    with np.errstate(invalid="ignore"):
        parts = kitagawa(n0, y0 / n0, n1, y1 / n1)
    assert found["within"].sum() == pytest.approx(parts.rate, abs=1e-12)
    assert found["size"].sum() == pytest.approx(parts.composition, abs=1e-12)


@given(some, some, units)
def test_contributions_do_not_depend_on_where_rates_begin(first, last, others):
    """Attendance instead of absence: every contribution changes its sign and nothing else."""
    rows = [(first, last), *others]
    y0, n0, y1, n1 = np.array([[*before, *after] for before, after in rows], dtype=float).T
    found, mirrored = contributions(y0, n0, y1, n1), contributions(n0 - y0, n0, n1 - y1, n1)
    assert mirrored.to_numpy() == pytest.approx(-found.to_numpy(), abs=1e-12)


def test_contributions_of_schools_that_open_close_and_stay():
    """Shares 40% to 0, 0 to 40%, 60% to 60%, by hand; overall 18% to 24%, mean 21%."""
    found = contributions([60, 0, 120], [400, 0, 600], [0, 120, 120], [0, 400, 600])
    assert found["within"].tolist() == pytest.approx([0, 0, 0])
    assert found["size"].tolist() == pytest.approx([-0.4 * (0.15 - 0.21), 0.4 * (0.30 - 0.21), 0])
    assert found["contribution"].sum() == pytest.approx(0.24 - 0.18)


def test_contributions_of_hidden_counts_are_refused():
    with pytest.raises(NoDataError, match="1 of 2 units"):
        contributions([1, np.nan], [10, 20], [1, 2], [10, 20])
    with pytest.raises(NoDataError, match="no trials"):
        contributions([0], [0], [1], [2])
    with pytest.raises(ValueError, match="one row of units"):
        contributions([1], [2], [1, 1], [2, 2])


def test_a_rate_that_falls_while_every_group_worsens_is_found():
    """Berkeley's kind, planted: 40% to 42% and 5% to 6%; the first group shrinks from a fifth to a tenth."""
    y0, n0, y1, n1 = [80, 40], [200, 800], [42, 54], [100, 900]
    assert is_paradox(y0, n0, y1, n1)
    assert is_paradox(y1, n1, y0, n0)  # and the other way
    found = contributions(y0, n0, y1, n1)
    assert (found["within"] > 0).all()
    assert found["contribution"].sum() < 0
    assert not is_paradox(y0, n0, [38, 54], n1)  # one group improved
    assert not is_paradox([8, 40], [200, 800], [4.2, 54], [100, 900])  # all rose, and so did the rate
    assert not is_paradox([80], [200], [42], [100])


def test_a_group_of_one_year_or_without_change_is_no_paradox_of_its_own():
    y0, n0, y1, n1 = [80, 40, 0], [200, 800, 0], [42, 54, 5], [100, 900, 100]
    assert is_paradox(y0, n0, y1, n1)  # the third group is new
    # A group whose rate is the same, of other numbers, has not moved the other way; the least rise has.
    assert not is_paradox([80, 40], [200, 800], [40, 54], [100, 900])
    many = 10**9
    assert is_paradox([80, 40], [200, 800], [0.4 * many + 1, 54 * many], [many, 900 * many])


@given(some, some, some, some)
def test_no_paradox_without_a_change_of_sizes(a, b, c, d):
    """Equal numbers of pupils in both years: the change of all is a mean of the changes of the groups."""
    n = (a[1], c[1])
    y1 = (b[0] % (a[1] + 1), d[0] % (c[1] + 1))
    assert not is_paradox([a[0], c[0]], n, y1, n)
