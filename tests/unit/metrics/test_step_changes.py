"""Changes of the same pupils: against loops, published intervals, simulated coverage, and cases made by hand."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance_toolkit.errors import NoDataError, UnknownColumnError
from attendance_toolkit.intervals import newcombe_interval, wilson_interval
from attendance_toolkit.metrics.transition import (
    CHARACTERISTICS,
    STEP_COUNTS,
    Later,
    StepCohort,
    add_step_cells,
    cross_section,
    days,
    paired_change,
    period_cells,
    step_cells,
)
from attendance_toolkit.metrics.transition.paired import paired_proportions
from attendance_toolkit.vocabulary.columns import NC_YEARS, PHASES
from tests.unit.metrics import transition_oracle as oracle
from tests.unit.metrics.test_cells_engines import pupil_terms
from tests.unit.metrics.test_step_links import LEVELS, SCHOOLS, A, B, link, stay, steps

SECONDARY, YEAR_7 = PHASES.index("Secondary"), NC_YEARS.index("7")


def made(possible: np.ndarray, missed: np.ndarray, schools: np.ndarray | None = None) -> StepCohort:
    """Return a cohort of pupils who all move up; (N, 2) sessions before and after, (N,) school after."""
    n = len(possible)
    zero, none = np.zeros(n, np.int8), np.zeros(n, np.int32)
    schools = np.full(n, 9814001, np.int32) if schools is None else schools
    codes = dict.fromkeys(CHARACTERISTICS, zero)
    place = zero.astype(np.int16)
    known = {
        "academic_year": 202122, "from_year": "6", "to_year": "7", "pupils": np.arange(n), "terms": ("autumn",),
        "possible": possible[:, :1], "missed": missed[:, :1], "earlier_possible": none, "earlier_missed": none,
        "laestab": none + 9812001, "la": place, "la_codes": (A,), "codes": codes, "levels": LEVELS,
        "destination": none, "destination_source": zero, "offered": none,
    }  # fmt: skip
    cohort = StepCohort(**known)
    later = Later(
        202223, possible[:, 1], missed[:, 1], ("1-2",), possible[:, 1:], missed[:, 1:], schools, place,
        zero + SECONDARY, zero + YEAR_7, True, cohort.chosen(np.zeros(n, bool)),
    )  # fmt: skip
    return StepCohort(**known, later=later)


@settings(max_examples=15, deadline=None)
@given(frame=steps(), by_school=st.booleans())
def test_counts_are_those_of_a_loop(frame, by_school):
    pupils, joined = oracle.cohort(frame, 202122, "6", "7", 0)
    cohort = link(frame, until=202122)[-1]
    by = ["laestab_before", "la_after", "fsm_eligible"] if by_school else []
    cells, lost = defaultdict(lambda: [0] * 13), defaultdict(lambda: [0.0] * 2)
    periods = defaultdict(lambda: [0] * 5)
    for known in pupils.values():
        (n1, y1), (n2, y2) = (
            tuple(map(sum, zip(*known[when].values(), strict=True))) or (0, 0) for when in ("terms", "later")
        )
        school = known["later_school"]
        if n1 < 50 or n2 < 50 or school[2:] not in (("Secondary", "7"), ("Primary", "7")):
            continue
        group = (known["school"][0], school[1], known["characteristics"][0]) if by_school else ()
        counts = [1, n1, y1, n2, y2]
        for limit in (10, 2):
            before, after = y1 * limit >= n1, y2 * limit >= n2
            counts += [before, after, after and not before, before and not after]
        cells[group] = [total + count for total, count in zip(cells[group], counts, strict=True)]
        change = (y2 / n2 - y1 / n1) * n2
        lost[group] = [lost[group][0] + change / 2, lost[group][1] + max(change, 0) / 2]
        for when, sessions in (("before", known["terms"]), ("after", known["later"])):
            for name, (n, y) in sessions.items():
                if n:
                    counts = [1, n, y, y * 10 >= n, y * 2 >= n]
                    key = (*group, when, name)
                    periods[key] = [total + count for total, count in zip(periods[key], counts, strict=True)]
    found = step_cells(cohort, by=by)
    if not cells:
        assert found["pupils"].sum() == 0
        return
    counted = found.set_index(by) if by else found
    values = counted[list(STEP_COUNTS[:13])].to_numpy().tolist()
    assert dict(zip(counted.index if by else [()], values, strict=True)) == dict(cells)
    got = days(cohort, by=by)
    keys = got[by].itertuples(index=False, name=None) if by else [()]
    for key, net, gross in zip(keys, got["days_net"], got["days_gross"], strict=True):
        assert [net, gross] == pytest.approx(lost[key], abs=1e-9)
    parts = period_cells(cohort, by=by)
    parts = parts[parts["pupils"] > 0]
    keys = parts[[*by, "when", "period"]].itertuples(index=False, name=None)
    values = parts[["pupils", "possible", "missed", "persistent", "severe"]].to_numpy().tolist()
    assert dict(zip(keys, values, strict=True)) == dict(periods)

    def in_a(known, school):
        return known[school] and known[school][1] == A

    section = cross_section(cohort, (A,))
    before = [sum(n for n, _ in known["terms"].values()) for known in pupils.values() if in_a(known, "school")]
    after = [sum(n for n, _ in known["terms"].values()) for known in joined.values() if in_a(known, "school")]
    for known in pupils.values():
        if in_a(known, "later_school") and known["later_school"][2:] in (("Secondary", "7"), ("Primary", "7")):
            after += [sum(n for n, _ in known["later"].values())] if known["later"] else []
    assert section["pupils"].tolist() == [len(before), len(after)]
    assert section["possible"].tolist() == [sum(before), sum(after)]


@settings(max_examples=8, deadline=None)
@given(frame=steps(), seed=st.integers(0, 1000))
def test_cells_add_up(frame, seed):
    cohort = link(frame, until=202223)[-1]
    whole = step_cells(cohort)
    for by in (["la_before"], ["laestab_after", "sex"], ["fsm_eligible", "la_after"]):
        cells = step_cells(cohort, by=by)
        pd.testing.assert_frame_equal(add_step_cells(cells, []), whole, rtol=1e-9)
        coarse = add_step_cells(cells, by[:1])
        pd.testing.assert_frame_equal(coarse, step_cells(cohort, by=by[:1]), rtol=1e-9, check_dtype=False)
        assert days(cohort, by=by)["days_gross"].sum() == pytest.approx(days(cohort)["days_gross"].sum())
    keep = np.random.default_rng(seed).random(len(cohort.pupils)) < 0.5
    some, rest = step_cells(cohort, keep), step_cells(cohort, ~keep)
    pd.testing.assert_frame_equal(some + rest, whole, rtol=1e-9)
    pd.testing.assert_frame_equal(some, step_cells(cohort.chosen(keep)))


def test_thresholds_are_exact_and_inclusive():
    """10% and 50% exactly count (DfE, Pupil absence statistics: methodology); one session less does not."""
    missed = np.array([[38, 37], [37, 38], [190, 189], [189, 190]], np.int32)
    cells = step_cells(made(np.full((4, 2), 380, np.int32), missed)).iloc[0]
    names = ("before", "after", "up", "down")
    assert [cells[f"persistent_{name}"] for name in names] == [3, 3, 1, 1]
    assert [cells[f"severe_{name}"] for name in names] == [1, 1, 1, 1]


def test_days_by_hand():
    """One pupil from 10% of 300 sessions to 15% of 380 loses 19 sessions; one from 20% to 10% of 380 gains 38."""
    cohort = made(np.array([[300, 380], [380, 380]], np.int32), np.array([[30, 57], [76, 38]], np.int32))
    found = days(cohort).iloc[0].to_dict()
    assert found == pytest.approx(
        {
            "pupils": 2, "pupils_up": 1, "days_possible": 380.0, "days_net": -9.5, "days_gross": 9.5,
            "sessions_net": -19.0, "sessions_gross": 19.0,
        }
    )  # fmt: skip


def test_paired_proportions_are_published_ones():
    """R, contingencytables, tests of chapter 8 (Cavo et al. 2012): first minus second is -0.0621 (-0.1186 to -0.0046)."""
    low, high = paired_proportions(59, 6, 16, 80)
    assert (round(float(low), 4), round(float(high), 4)) == (0.0046, 0.1186)
    swapped = paired_proportions(59, 16, 6, 80)
    assert (-swapped[1], -swapped[0]) == pytest.approx((low, high))


def test_paired_proportions_without_correlation_are_those_of_two_groups():
    """Newcombe's interval of two independent groups has published values of its own (attendance_toolkit.intervals)."""
    wilson = wilson_interval(48, 80), wilson_interval(40, 80)
    expected = newcombe_interval(48 / 80, wilson[0], 40 / 80, wilson[1])
    assert paired_proportions(24, 16, 24, 16) == pytest.approx(expected)


def test_the_change_of_absence_has_the_variance_of_a_jackknife():
    """Leaving out one pupil at a time gives nearly the same standard error of a ratio of sums (Cochran, section 6.18)."""
    rng = np.random.default_rng(7)
    possible = rng.integers(100, 400, (400, 2)).astype(np.int32)
    missed = (possible * rng.beta(1, 9, (400, 1)) * rng.uniform(0.5, 1.0, (400, 2))).astype(np.int32)
    row = paired_change(step_cells(made(possible, missed))).iloc[0]
    sums = [values.sum(axis=0) - values for values in (missed.astype(float), possible.astype(float))]
    left_out = (sums[0] / sums[1]) @ [-1, 1]
    error = np.sqrt(399 / 400 * ((left_out - left_out.mean()) ** 2).sum())
    assert row["measure"] == "absence_step"
    assert row["estimate"] == pytest.approx(np.diff(missed.sum(axis=0) / possible.sum(axis=0))[0])
    assert (row["upper"] - row["lower"]) / 2 / 1.959963984540054 == pytest.approx(error, rel=0.01)


def test_intervals_cover_what_the_pupils_were_drawn_from():
    """3,000 schools of 150 pupils: absence, persistent and severe absence rise by amounts known in the limit of many."""
    rng = np.random.default_rng(20240919)

    def drawn(pupils: int) -> tuple[np.ndarray, np.ndarray]:
        possible = rng.integers(300, 391, (pupils, 2)).astype(np.int32)
        level = rng.normal(-3.0, 1.1, (pupils, 1)) + rng.normal(0, 0.7, (pupils, 2)) + [0, 0.25]
        return possible, rng.binomial(possible, 1 / (1 + np.exp(-level))).astype(np.int32)

    size, schools = 150, 3000
    possible, missed = drawn(size * schools)
    cohort = made(possible, missed, np.repeat(np.arange(schools, dtype=np.int32) + 9814001, size))
    found = paired_change(step_cells(cohort, by=["laestab_after"]))
    truth = paired_change(step_cells(made(*drawn(3_000_000)))).set_index("measure")["estimate"]
    wanted = found["measure"].map(truth)
    covered = ((found["lower"] <= wanted) & (wanted <= found["upper"])).groupby(found["measure"]).mean()
    assert 0.935 < covered["absence_step"] < 0.96
    assert 0.935 < covered["persistent_step"] < 0.965
    # Severe absence is rare: about two pupils of 150, where a score interval covers more than 95%.
    assert 0.94 < covered["severe_step"] <= 1
    assert truth["absence_step"] > 0.01
    assert not ((found["lower"] <= 0) & (found["upper"] >= 0)).groupby(found["measure"]).mean().eq(1).all()


def test_one_pupil_has_a_change_and_no_interval():
    change = paired_change(step_cells(made(np.full((1, 2), 380, np.int32), np.array([[19, 76]], np.int32))))
    assert change["estimate"].tolist() == pytest.approx([0.15, 1.0, 0.0])
    assert change[["lower", "upper"]].isna().all(axis=None)


def test_a_year_that_has_just_begun_is_followed_by_period_alone():
    rows = stay(1, 202122, sessions_authorised=6) + stay(1, 202223, 2, "7", sessions_authorised=14)[:1]
    rows += stay(2, 202122) + stay(2, 202223, 4, "7")[:1]  # at a special school
    (cohort,) = link(pupil_terms(*rows), until=202122)
    cells = period_cells(cohort)
    assert cells["period"].tolist() == ["autumn", "spring", "summer", "1-2"]
    assert cells[["pupils", "possible", "missed", "persistent"]].to_numpy().tolist() == [
        [1, 140, 6, 0],
        [1, 120, 6, 0],
        [1, 120, 12, 1],
        [1, 140, 14, 1],
    ]
    for function in (step_cells, days):
        with pytest.raises(NoDataError, match="no whole year"):
            function(cohort)
    with pytest.raises(NoDataError, match="nothing of the year after"):
        period_cells(link(pupil_terms(*rows[:4]), until=202122)[0])


def test_groups_that_are_not_there_are_named():
    rows = stay(1, 202122) + stay(1, 202223, 2, "7")
    (cohort,) = link(pupil_terms(*rows), until=202122)
    with pytest.raises(UnknownColumnError, match="Did you mean 'la_after'"):
        step_cells(cohort, by=["la_aftr"])
    cells = step_cells(cohort, by=["la_before", "la_after", "laestab_before", "laestab_after"])
    assert cells.iloc[0, :4].tolist() == [A, A, SCHOOLS[0][0], SCHOOLS[2][0]]
    assert B not in cells["la_after"].tolist()
