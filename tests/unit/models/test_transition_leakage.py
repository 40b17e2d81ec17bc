"""Nothing dated after July gets into a prediction, and a column that knows the future is caught."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.metrics.cells import DFE_RULES
from attendance_toolkit.metrics.transition import link_cohorts
from attendance_toolkit.models.transition import fit_step, forecast_schools
from attendance_toolkit.models.transition.challenger import fit_challenger
from attendance_toolkit.models.transition.design import learn_design
from attendance_toolkit.models.transition.leakage import suspicious_columns, suspicious_features
from attendance_toolkit.models.transition.recentring import recentred_chances, year_shift
from attendance_toolkit.models.transition.scores import calibration
from tests.unit.metrics.test_cells_engines import pupil_terms

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))
from transition_truth import simulate_cohorts

SESSIONS = {"1-2": ("autumn", 142), "3-4": ("spring", 118), "5": ("summer", 56), "6": ("summer", 64)}
A = "E08900001"


@pytest.fixture(scope="module")
def cohorts():
    return simulate_cohorts(5000, 25, 3, 21)[0]


def with_garbage(cohort):
    """Return the cohort with a later year that has nothing to do with the pupils."""
    rng, later = np.random.default_rng(1), cohort.later
    size = len(cohort.pupils)
    possible = rng.integers(0, 381, later.period_possible.shape).astype(np.int32)
    return replace(
        cohort,
        later=replace(
            later,
            possible=possible.sum(axis=1), missed=(possible.sum(axis=1) * rng.random(size)).astype(np.int32),
            period_possible=possible, period_missed=possible // 2, laestab=rng.integers(1, 10**7, size).astype(np.int32),
            year_group=rng.integers(-1, 5, size).astype(np.int8), phase=rng.integers(-1, 4, size).astype(np.int8),
        ),
    )  # fmt: skip


@pytest.mark.parametrize("change", [with_garbage, lambda cohort: replace(cohort, later=None)], ids=["garbage", "none"])
def test_every_prediction_is_the_same_whatever_came_later(cohorts, change):
    *train, test = cohorts
    changed = change(test)
    model, trees = fit_step(train), fit_challenger(train)
    schools = [forecast_schools(model, one) for one in (test, changed)]
    pupils = [model.predict(one) for one in (test, changed)]
    boosted = [trees.predict(one) for one in (test, changed)]
    for name in ("rate", "lower", "upper", "persistent", "severe", "school_effect"):
        np.testing.assert_array_equal(getattr(pupils[0], name), getattr(pupils[1], name))
    for name in ("absence", "lower", "upper", "persistent", "severe", "dip", "probability_highest"):
        np.testing.assert_array_equal(getattr(schools[0], name), getattr(schools[1], name))
    for first, second in zip(*boosted, strict=True):
        np.testing.assert_array_equal(first, second)


def rows_of(upns, year, group, rates, rng):
    """Return PUPIL_TERM rows of pupils at one of four schools a phase."""
    phase, first = ("Primary", 9812001) if group in ("5", "6") else ("Secondary", 9814001)
    rows = []
    for upn, rate in zip(upns.tolist(), rates, strict=True):
        base = {
            "upn": upn,
            "academic_year": year,
            "laestab": first + upn % 4,
            "la_code": A,
            "phase": phase,
            "nc_year": group,
        }
        for half_term, (term, possible) in SESSIONS.items():
            missed = int(rng.binomial(possible, rate))
            rows.append(
                base | {"half_term": half_term, "term": term, "sessions_possible": possible,
                        "sessions_authorised": missed, "sessions_unauthorised": 0}
            )  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def store_rows():
    """PUPIL_TERM rows of two cohorts in Years 6 and 7, the second year of the second cohort being 2023/24."""
    rng, rows = np.random.default_rng(5), []
    for place, year in enumerate((202122, 202223)):
        upns = 1000 * place + np.arange(1, 401)
        level = rng.normal(-2.7, 1, 400)
        for group, academic_year in (("6", year), ("7", year + 101)):
            rates = 1 / (1 + np.exp(-(level + rng.normal(0, 0.4, 400))))
            rows += rows_of(upns, academic_year, group, rates, rng)
    return pupil_terms(*rows)


def predictions(rows: pd.DataFrame, rolls: pd.DataFrame | None = None):
    earlier, test = link_cohorts(
        rows, "6", until=202223, rolls=rolls, rules=replace(DFE_RULES, min_school_enrolments=0)
    )
    # The school offered in spring, the same whatever the rolls of the autumn say.
    offered = (9814001 + test.pupils % 4).astype(np.int32)
    model = fit_step([earlier], terms=("autumn", "spring", "summer"))
    return test, model.predict(test, offered), forecast_schools(model, test, destination=offered)


def test_rows_dated_after_july_change_nothing_from_the_store_on(store_rows):
    rng = np.random.default_rng(9)
    later = store_rows["academic_year"] == 202324
    garbage = store_rows.copy()
    possible = garbage.loc[later, "sessions_possible"].to_numpy()
    garbage.loc[later, "sessions_authorised"] = (possible * rng.random(later.sum())).astype(np.int32)
    garbage.loc[later, "laestab"] = (9814001 + rng.integers(0, 4, later.sum())).astype(np.int32)
    gone = store_rows[~later]
    test, pupils, schools = predictions(store_rows)
    assert test.later is not None
    assert test.is_compared.sum() == 400
    for rows in (garbage, gone, garbage[rng.random(len(garbage)) < np.where(later, 0.5, 1.1)]):
        other, changed, forecast = predictions(rows)
        np.testing.assert_array_equal(test.pupils, other.pupils)
        for name in ("rate", "lower", "upper", "persistent", "severe"):
            np.testing.assert_array_equal(getattr(pupils, name), getattr(changed, name))
        np.testing.assert_array_equal(schools.absence, forecast.absence)
        np.testing.assert_array_equal(schools.lower, forecast.lower)
    assert not np.array_equal(test.later.missed, predictions(garbage)[0].later.missed)  # it was there to be seen


def test_a_planted_leak_is_caught_and_what_july_knows_is_not(cohorts):
    test = cohorts[-1]
    later = test.later
    autumn = later.period_missed[:, 0] / np.maximum(later.period_possible[:, 0], 1)
    noisy = autumn + np.random.default_rng(2).normal(0, 0.02, len(autumn))
    model = fit_step(cohorts[:-1])
    found = suspicious_features(
        {
            "autumn after the step": autumn,
            "the same, blurred": noisy,
            "the same, turned round": -autumn,
            "spring": test.missed[:, 1] / np.maximum(test.possible[:, 1], 1),
            "year before": np.where(
                test.earlier_possible > 0, test.earlier_missed / np.maximum(test.earlier_possible, 1), np.nan
            ),
            "the model itself": model.predict(test).persistent,
            "nothing": np.zeros(len(autumn)),
        },
        test,
    ).set_index("feature")
    assert found["is_suspicious"].to_dict() == {
        "autumn after the step": True, "the same, blurred": True, "the same, turned round": True, "spring": False,
        "year before": False, "the model itself": False, "nothing": False,
    }  # fmt: skip
    assert found.loc["nothing", "auc"] == 0.5


@pytest.mark.parametrize("features", ["full", "attendance"])
def test_no_column_of_the_models_knows_the_future(cohorts, features):
    followed = [cohort.chosen(cohort.is_compared) for cohort in cohorts]
    design = learn_design(followed[:-1], features)
    found = suspicious_columns(design, followed[-1])
    assert len(found) == len(design.names) - 1
    assert not found["is_suspicious"].any()


def test_a_store_whose_summer_holds_the_next_autumn_is_caught(cohorts):
    # The future in an earlier year's data: the summer term's column is the autumn's after the step.
    test = cohorts[-1].chosen(cohorts[-1].is_compared)
    missed = test.missed.copy()
    missed[:, 2] = np.minimum(test.later.period_missed[:, 0], test.possible[:, 2])
    design = learn_design([one.chosen(one.is_compared) for one in cohorts[:-1]])
    found = suspicious_columns(design, replace(test, missed=missed)).set_index("feature")
    assert found["is_suspicious"].any()
    assert found.loc[found["is_suspicious"]].index.str.contains("Summer").all()


def test_leakage_says_what_it_needs(cohorts):
    with pytest.raises(NoDataError, match="not been followed"):
        suspicious_features({}, replace(cohorts[-1], later=None))
    with pytest.raises(ParameterError, match="has 3 values for 5000 pupils"):
        suspicious_features({"short": np.zeros(3)}, cohorts[-1])


def test_recentring_finds_a_planted_year():
    # Years with twice the usual drift: the autumn tells what July could not.
    found = []
    for seed in (3, 4):
        cohorts, _ = simulate_cohorts(12_000, None, 3, seed, drift=2.5)
        latest, test = (one.chosen(one.is_compared) for one in cohorts[-2:])
        model = fit_step(cohorts[:-1])
        before, chance = model.predict(latest).persistent, model.levelled(cohorts[-1]).predict(test).persistent
        outcome = 10 * test.later.missed >= test.later.possible
        shift = year_shift(latest, before, test, chance, ("1-2",))
        july, autumn = (calibration(outcome, one)[1] for one in (chance, recentred_chances(chance, shift)))
        found.append((abs(july), abs(autumn)))
    assert max(autumn for _, autumn in found) < 0.12 < max(july for july, _ in found)


def test_recentring_needs_the_first_weeks(cohorts):
    latest, test = (one.chosen(one.is_compared) for one in cohorts[-2:])
    chance = np.full(len(test.pupils), 0.2)
    with pytest.raises(NoDataError, match="autumn"):
        year_shift(latest, np.full(len(latest.pupils), 0.2), replace(test, later=None), chance, ("1-2",))
    with pytest.raises(NoDataError, match="too few"):
        year_shift(latest, np.full(len(latest.pupils), 0.2), test, chance, ("1",))
