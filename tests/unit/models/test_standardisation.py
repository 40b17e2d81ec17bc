"""Indirect standardisation against a plain loop, its invariants, a planted truth and simulated coverage."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.standardisation import indirect_standardisation

STRATA = ["fsm_eligible", "sex"]
LEVELS = list(itertools.product(["Eligible", "Not eligible"], ["Female", "Male"]))


def cells(pupils, rates, seed=1):
    """Rows of areas x strata with counts drawn at the given rates; arrays of shape (areas, strata)."""
    rng = np.random.default_rng(seed)
    rows = [
        {"area_code": f"A{area}", "fsm_eligible": fsm, "sex": sex, "enrolments": n, "severe": rng.binomial(n, p)}
        for area in range(len(pupils))
        for (fsm, sex), n, p in zip(LEVELS, pupils[area], rates[area], strict=True)
    ]
    return pd.DataFrame(rows)


def standardised(frame, **options):
    return indirect_standardisation(
        frame, by=["area_code"], strata=STRATA, events="severe", trials="enrolments", **options
    )


@pytest.fixture
def some():
    rng = np.random.default_rng(7)
    return cells(rng.integers(200, 5000, (6, 4)), rng.uniform(0.01, 0.1, (6, 4)))


def test_equals_a_plain_loop(some):
    # Rows in two parts, as by year group or phase, are added up.
    halves = pd.concat([some.assign(enrolments=some["enrolments"] // 2, severe=some["severe"] // 2), some])
    found = standardised(halves).set_index("area_code")
    records = halves.to_dict("records")
    for area in {row["area_code"] for row in records}:
        expected = observed = pupils = 0.0
        for row in records:
            if row["area_code"] == area:
                alike = [r for r in records if all(r[name] == row[name] for name in STRATA)]
                rate = sum(r["severe"] for r in alike) / sum(r["enrolments"] for r in alike)
                expected += rate * row["enrolments"]
                observed += row["severe"]
                pupils += row["enrolments"]
        crude = sum(r["severe"] for r in records) / sum(r["enrolments"] for r in records)
        row = found.loc[area]
        assert (row["observed"], row["trials"]) == (observed, pupils)
        assert row["expected"] == pytest.approx(expected)
        assert row["ratio"] == pytest.approx(observed / expected)
        assert row["crude_rate"] == pytest.approx(observed / pupils)
        assert row["expected_rate"] == pytest.approx(expected / pupils)
        assert row["standardised_rate"] == pytest.approx(observed / expected * crude)


def test_expected_of_all_areas_is_what_was_observed(some):
    found = standardised(some)
    assert found["expected"].sum() == pytest.approx(found["observed"].sum())


def test_the_standard_itself_has_the_ratio_1(some):
    totals = some.groupby(STRATA)[["severe", "enrolments"]].sum().reset_index()
    found = standardised(totals.assign(area_code="All"), standard=some).iloc[0]
    assert found["ratio"] == pytest.approx(1)
    assert found["standardised_rate"] == found["crude_rate"] == pytest.approx(found["expected_rate"])


def test_areas_that_differ_by_mix_alone_have_the_ratio_1():
    """Exact counts of one set of rates and two mixes: crude rates three times apart, standardised ones equal."""
    frame = cells(np.array([[4000, 4000, 1000, 1000], [1000, 1000, 4000, 4000]]), np.zeros((2, 4)))
    frame["severe"] = frame["enrolments"] * frame["fsm_eligible"].map({"Eligible": 0.07, "Not eligible": 0.01})
    found = standardised(frame)
    assert found["ratio"].tolist() == pytest.approx([1, 1])
    assert found["crude_rate"].tolist() == pytest.approx([0.058, 0.022])
    assert found["expected_rate"].tolist() == pytest.approx([0.058, 0.022])
    assert found["standardised_rate"].tolist() == pytest.approx([0.04, 0.04])


def test_one_stratum_leaves_the_crude_rate(some):
    found = standardised(some.groupby("area_code")[["severe", "enrolments"]].sum().reset_index().assign(
        fsm_eligible="All", sex="All"))  # fmt: skip
    assert found["standardised_rate"].tolist() == pytest.approx(found["crude_rate"].tolist())


def test_a_stratum_the_standard_lacks_is_named(some):
    standard = some[~((some["sex"] == "Female") & (some["fsm_eligible"] == "Eligible"))]
    with pytest.raises(NoDataError, match=r"fsm_eligible 'Eligible', sex 'Female'.*\(1 such strata\)"):
        standardised(some, standard=standard)
    # Without pupils there, nothing is to be expected and nothing is wrong.
    nobody = (some["sex"] == "Female") & (some["fsm_eligible"] == "Eligible")
    empty = some.assign(**{name: some[name].mask(nobody, 0) for name in ("enrolments", "severe")})
    assert standardised(empty, standard=standard)["ratio"].notna().all()


def test_missing_counts_are_refused(some):
    with pytest.raises(NoDataError, match="1 of 24 rows have no 'severe'"):
        standardised(some.assign(severe=some["severe"].astype(float).where(some.index != 3)))


def test_an_area_without_pupils_has_no_rate(some):
    nobody = some["area_code"] == "A0"
    empty = some.assign(**{name: some[name].mask(nobody, 0) for name in ("enrolments", "severe")})
    found = standardised(empty).iloc[0]
    assert found["trials"] == found["expected"] == 0
    assert found[["ratio", "ratio_lower", "crude_rate", "standardised_rate", "standardised_upper"]].isna().all()


def test_interval_covers_a_planted_ratio_19_times_in_20():
    rng = np.random.default_rng(3)
    rates, pupils = np.array([0.06, 0.04, 0.02, 0.01]), np.array([900, 900, 4000, 4000])
    standard = cells(np.array([[10**7] * 4]), [rates]).assign(severe=rates * 10**7)
    ratios = rng.uniform(0.6, 1.6, 3000)
    found = standardised(cells(np.tile(pupils, (3000, 1)), ratios[:, None] * rates, seed=4), standard=standard)
    # Groups come back in the order of their names.
    truth = ratios[found["area_code"].str[1:].astype(int)]
    assert 0.93 < ((found["ratio_lower"] <= truth) & (truth <= found["ratio_upper"])).mean() < 0.97
    assert (found["standardised_rate"] / found["ratio"]).to_numpy() == pytest.approx(rates.mean())
