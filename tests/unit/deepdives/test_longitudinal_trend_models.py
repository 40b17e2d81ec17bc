"""Rows of trend models against figures worked out by hand from the pupils themselves, and against planted truth."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.deepdives._trend_models import (
    ADJUSTED,
    SAME_PUPILS,
    SAME_YEAR_GROUP,
    SPRING_AUTUMN,
    SPRING_OTHERS,
    SUMMER_AUTUMN,
    growth_model_rows,
    trend_model_rows,
)
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.vocabulary.columns import ALL

YEARS, TERMS = (202122, 202223, 202324), ("autumn", "spring", "summer")


def pupil_terms(chances, pupils=4000, *, years=YEARS, terms=TERMS, seed=3, severe=0.0, same=False):
    """Return a row for each pupil and term, at the threshold with the chance of year and term; ``same``: all terms alike."""
    draws = np.random.default_rng(seed)
    frames = []
    for year in years:
        luck = draws.random(pupils)
        for term in terms:
            own = luck if same else draws.random(pupils)
            # Pupils are others every year, so that what goes together is known.
            frames.append(
                pd.DataFrame(
                    {
                        "pupil": np.arange(pupils) + pupils * years.index(year),
                        "academic_year": year,
                        "term": term,
                        "persistent": (own < chances(years.index(year), term)).astype(np.int8),
                        "severe": (own < severe).astype(np.int8),
                        "phase": np.where(np.arange(pupils) % 2, "Primary", "Secondary"),
                        "sex": np.where(np.arange(pupils) % 3, "Female", "Male"),
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def one(rows, measure, model=ADJUSTED, phase="All schools", level=ALL):
    found = rows[
        (rows["measure"] == measure) & (rows["model"] == model) & (rows["phase"] == phase) & (rows["level"] == level)
    ]
    assert len(found) == 1
    return found.iloc[0]


@pytest.fixture(scope="module")
def planted():
    def chances(year, term):
        odds = {"autumn": -1.8, "spring": -1.4, "summer": -1.6}[term] - 0.15 * year
        return 1 / (1 + math.exp(-odds))

    data = pupil_terms(chances, severe=0.02)
    return data, trend_model_rows(data, ["sex"]), chances


def test_the_trend_of_one_term_in_two_years_is_the_difference_of_its_shares():
    data = pupil_terms(lambda year, term: 0.2 - 0.03 * year, years=YEARS[:2], terms=("autumn",))
    row = one(trend_model_rows(data, []), "persistent_trend", "autumn")
    share = data.groupby("academic_year")["persistent"].mean()
    variance = share * (1 - share) / 4000
    assert row["rate"] == pytest.approx(share.iloc[1] - share.iloc[0], abs=1e-10)
    half = 1.959964 * math.sqrt(variance.sum())
    assert (row["lower"], row["upper"]) == pytest.approx((row["rate"] - half, row["rate"] + half), abs=1e-8)


def test_planted_trend_and_season_lie_in_their_intervals(planted):
    _, rows, chances = planted
    truth = {
        "change": np.mean([(chances(2, term) - chances(0, term)) / 2 for term in TERMS]),
        SPRING_AUTUMN: np.mean([chances(year, "spring") - chances(year, "autumn") for year in range(3)]),
        SUMMER_AUTUMN: np.mean([chances(year, "summer") - chances(year, "autumn") for year in range(3)]),
    }
    truth[SPRING_OTHERS] = truth[SPRING_AUTUMN] - truth[SUMMER_AUTUMN] / 2
    change = one(rows, "persistent_trend")
    assert change["lower"] < truth["change"] < change["upper"] < 0
    for model in (SPRING_AUTUMN, SUMMER_AUTUMN, SPRING_OTHERS):
        effect = one(rows, "persistent_term_effect", model)
        assert 0 < effect["lower"] < truth[model] < effect["upper"]


def test_spring_against_others_is_made_of_the_two_other_effects(planted):
    _, rows, _ = planted
    spring, summer, others = (
        one(rows, "persistent_term_effect", model)["rate"] for model in (SPRING_AUTUMN, SUMMER_AUTUMN, SPRING_OTHERS)
    )
    assert others == pytest.approx(spring - summer / 2, abs=1e-12)


def test_a_group_has_the_trend_of_its_own_pupils_alone(planted):
    data, rows, _ = planted
    girls = data[(data["phase"] == "Primary") & (data["sex"] == "Female")]
    alone = trend_model_rows(girls, [])
    assert (
        one(rows, "persistent_trend", phase="Primary", level="Female")["rate"] == one(alone, "persistent_trend")["rate"]
    )


def test_pupils_alike_in_all_three_terms_widen_the_interval_by_the_root_of_three():
    # Each pupil's three rows say one thing three times: the variance is three times that of independent rows.
    rows = trend_model_rows(pupil_terms(lambda year, term: 0.2 - 0.02 * year, same=True), [])
    assert one(rows, "persistent_design_effect")["rate"] == pytest.approx(math.sqrt(3), rel=0.02)
    other = trend_model_rows(pupil_terms(lambda year, term: 0.2 - 0.02 * year), [])
    assert one(other, "persistent_design_effect")["rate"] == pytest.approx(1, abs=0.03)


def test_a_trend_of_too_few_at_the_threshold_is_not_told(planted):
    data, _, _ = planted
    data = data.assign(severe=np.where(data["academic_year"] == 202223, 0, data["severe"]))
    row = one(trend_model_rows(data, []), "severe_trend")
    assert row["symbol"] == "z"
    assert math.isnan(row["rate"])
    few = trend_model_rows(data[data["pupil"] % 4000 < 15], [])
    assert one(few, "persistent_trend")["symbol"] == "z"


def test_terms_that_a_year_lacks_are_left_out_of_all_years(planted):
    data, _, _ = planted
    part = data[(data["academic_year"] != 202324) | (data["term"] != "summer")]
    rows = trend_model_rows(part, [])
    assert set(rows.loc[rows["measure"] == "persistent_trend", "model"]) == {ADJUSTED, "autumn", "spring"}
    expected = trend_model_rows(data[data["term"] != "summer"], [])
    assert one(rows, "persistent_trend")["rate"] == one(expected, "persistent_trend")["rate"]
    with pytest.raises(NoDataError, match="none in common"):
        trend_model_rows(data[(data["academic_year"] == 202122) == (data["term"] == "autumn")], [])
    with pytest.raises(NoDataError, match="second academic year"):
        trend_model_rows(data[data["academic_year"] == 202122], [])


def pupil_years(pupils=3000, *, seed=5):
    """Return two years of pupils: a level of their own, 1 point more with age and 2 points fewer with the calendar."""
    draws = np.random.default_rng(seed)
    level, start = draws.normal(0.2, 0.04, pupils), draws.integers(1, 5, pupils)
    rates = [level + 0.01 * (start + year) - 0.02 * year + draws.normal(0, 0.02, pupils) for year in (0, 1)]
    frames = [
        pd.DataFrame(
            {
                "pupil": np.arange(pupils),
                "academic_year": YEARS[year],
                "missed": np.round(rates[year] * 10_000),
                "possible": 10_000,
                "phase": "Primary",
                "nc_year": (start + year).astype(str),
            }
        )
        for year in (0, 1)
    ]
    # Some leave, some join: pupils seen once say nothing of how pupils change.
    return pd.concat([frames[0].iloc[:2800], frames[1].iloc[300:]], ignore_index=True)


def test_growth_of_the_same_pupils_is_the_mean_of_their_differences():
    data = pupil_years()
    wide = data.assign(rate=data["missed"] / data["possible"]).pivot(
        index="pupil", columns="academic_year", values="rate"
    )
    change = (wide[202223] - wide[202122]).dropna()
    row = growth_model_rows(data).set_index(["phase", "measure", "model"]).loc["Primary", "absence_slope", SAME_PUPILS]
    assert row["rate"] == pytest.approx(change.mean(), abs=1e-9)
    half = 1.959964 * change.std() / math.sqrt(len(change))
    assert (row["upper"] - row["lower"]) / 2 == pytest.approx(half, rel=0.01)
    assert row["lower"] < -0.01 < row["upper"]


def test_growth_tells_the_calendar_from_age_and_pupils_from_years():
    rows = growth_model_rows(pupil_years()).set_index(["phase", "measure", "model"])
    calendar = rows.loc["Primary", "absence_slope", SAME_YEAR_GROUP]
    assert calendar["lower"] < -0.02 < calendar["upper"] < -0.015
    assert rows.loc["Primary", "absence_icc", SAME_PUPILS]["rate"] == pytest.approx(
        0.04**2 / (0.04**2 + 0.02**2), abs=0.02
    )
    assert rows.loc["Secondary", "absence_slope", SAME_PUPILS]["symbol"] == "z"
    with pytest.raises(NoDataError, match="second academic year"):
        growth_model_rows(pupil_years().query("academic_year == 202122"))
