"""The model of published groups: against statsmodels, and against a truth planted in invented authorities."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.models.transition.cohort_fitting import design_of
from attendance_toolkit.models.transition.cohort_model import (
    CARRIED,
    MODEL,
    PLUS_CHANGE,
    compare_with_carry_forward,
    fit_cohort_step,
    found_and_expected,
)
from attendance_toolkit.models.transition.cohort_pairs import PAIR_COUNTS, PAIR_GROUPS, cohort_pairs
from attendance_toolkit.vocabulary.areas import ENGLAND

PA, SA = PAIR_COUNTS
YEARS = {202122: 202223, 202223: 202324, 202324: 202425}
GROUPS = [
    (fsm, sen, sex)
    for fsm in ("FSM eligible", "Not known to be FSM eligible")
    for sen in ("No SEN", "Any SEN")
    for sex in ("Female", "Male")
]
STEP, AREA_SD, KEPT_SD, OWN_YEAR_SD = 0.2, 0.25, 0.1, 0.05


def make_cells(seed=1, areas=60, *, shifts=(0.0, 0.0, 0.0), levels=(-2.4, -2.2, -2.0)):
    """Cells of invented authorities, a row for each phase, whose step is known on the logit scale; ``shifts`` are of years."""
    rng = np.random.default_rng(seed)
    level_of, kept = rng.normal(0, AREA_SD, areas), rng.normal(0, KEPT_SD, areas)
    rows = []
    for place, (year, following) in enumerate(YEARS.items()):
        own = rng.normal(0, OWN_YEAR_SD, areas) + kept + shifts[place]
        for area in range(areas):
            for fsm, sen, sex in GROUPS:
                size = 900 if fsm.startswith("Not") and sen == "No SEN" else 200
                eta = levels[place] + level_of[area] + 0.9 * (fsm == "FSM eligible") + 0.4 * (sen == "Any SEN")
                later = eta + STEP + own[area] + 0.15 * (fsm == "FSM eligible")
                for nc_year, when, value in (("6", year, eta), ("7", following, later)):
                    for phase, share in (("Primary", 0.9), ("Special", 0.1)):
                        n = round(size * share)
                        y = rng.binomial(n, expit(value))
                        rows.append((f"E{area:08d}", when, nc_year, phase, fsm, sen, sex, n, y, rng.binomial(y, 0.1)))
    columns = ["area_code", "academic_year", "nc_year", "phase", *PAIR_GROUPS, "enrolments", PA, SA]
    return pd.DataFrame(rows, columns=columns).assign(area_level="Local authority")


@pytest.fixture(scope="module")
def pairs():
    return cohort_pairs(make_cells())


@pytest.fixture(scope="module")
def train(pairs):
    return pairs[pairs["academic_year"] < 202324]


# -- pairs --------------------------------------------------------------------------------------------


def test_pairs_add_up_phases_and_hold_both_sides():
    cells = make_cells(areas=8)
    pairs = cohort_pairs(cells)
    assert len(pairs) == 3 * 8 * len(GROUPS)
    row = pairs.iloc[37]
    for nc_year, year, side in (("6", row["academic_year"], "before"), ("7", row["academic_year"] + 101, "after")):
        chosen = cells[(cells["academic_year"] == year) & (cells["nc_year"] == nc_year)]
        for name in ("area_code", *PAIR_GROUPS):
            chosen = chosen[chosen[name] == row[name]]
        assert len(chosen) == 2
        assert (
            row[[f"enrolments_{side}", f"{PA}_{side}", f"{SA}_{side}"]].tolist()
            == chosen[["enrolments", PA, SA]].sum().tolist()
        )


def test_the_level_is_englands_of_the_group():
    cells = make_cells(areas=8)
    row = cohort_pairs(cells).iloc[0]
    everyone = cells[(cells["academic_year"] == row["academic_year"]) & (cells["nc_year"] == "6")]
    group = everyone
    for name in PAIR_GROUPS:
        group = group[group[name] == row[name]]
    overall = everyone[PA].sum() / everyone["enrolments"].sum()
    expected = (group[PA].sum() + 20 * overall) / (group["enrolments"].sum() + 20)
    assert row[f"level_{PA}"] == pytest.approx(expected)
    # Rows of England come first: with them, a few authorities have the level of all.
    nation = everyone.assign(area_code=ENGLAND, area_level="National", **{PA: everyone["enrolments"] // 2})
    found = cohort_pairs(pd.concat([cells, nation], ignore_index=True))
    first = found[found["academic_year"] == row["academic_year"]]
    assert first[f"level_{PA}"].between(0.49, 0.51).all()
    assert set(found["area_code"]) == set(cells["area_code"])


def test_years_that_are_left_out_and_boundaries_that_changed():
    cells = make_cells(areas=8)
    cells = cells[~((cells["area_code"] == "E00000003") & (cells["academic_year"] == 202324))]
    pairs = cohort_pairs(cells, leave_out=(202122,))
    assert sorted(pairs["academic_year"].unique()) == [202223, 202324]
    # The fourth authority has no Year 7 of 2023/24, and no Year 6 either.
    assert "E00000003" not in set(pairs["area_code"])
    closed = cells.assign(
        academic_year=cells["academic_year"].replace({202122: 201819, 202223: 201920, 202324: 202021, 202425: 202122})
    )
    with pytest.raises(NoDataError, match="followed into the next"):
        cohort_pairs(closed)
    with pytest.raises(ParameterError, match="sen_provision"):
        cohort_pairs(cells.drop(columns="sen_provision"))


def test_the_latest_year_has_nothing_after_it_and_is_foretold_all_the_same(pairs, train):
    cells = make_cells()
    known = cohort_pairs(cells[cells["academic_year"] < 202425])
    last = known[known["academic_year"] == 202324]
    assert last["enrolments_after"].isna().all()
    model = fit_cohort_step(known, PA, scale="logit")
    assert model.years == (202122, 202223)
    whole = fit_cohort_step(train, PA, scale="logit")
    found = pairs[pairs["academic_year"] == 202324]
    # What came of the year is not looked at: forecasts are the same to the last bit.
    assert model.predict(last).equals(whole.predict(found))
    with pytest.raises(NoDataError, match="has a later year"):
        compare_with_carry_forward(model, last)


# -- the fit ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", [PA, SA])
def test_the_logit_is_that_of_statsmodels(train, measure):
    rows = train.sort_values(["academic_year", "area_code", *PAIR_GROUPS])
    model = fit_cohort_step(train, measure, scale="logit")
    base, matrix = design_of(rows, measure, "relative", "logit", model.names)
    y, n = rows[f"{measure}_after"].to_numpy(), rows["enrolments_after"].to_numpy()
    clusters = {"groups": pd.factorize(rows["area_code"])[0], "use_correction": False}
    oracle = sm.GLM(np.column_stack([y, n - y]), matrix, family=sm.families.Binomial(), offset=base).fit(
        cov_type="cluster", cov_kwds=clusters
    )
    np.testing.assert_allclose(model.coefficients, oracle.params, rtol=1e-6)
    np.testing.assert_allclose(model.standard_errors, oracle.bse, rtol=1e-6)
    level, own = (
        rows[f"level_{measure}"],
        (rows[f"{measure}_before"] + 20 * rows[f"level_{measure}"]) / (rows["enrolments_before"] + 20),
    )
    np.testing.assert_allclose(base, logit(level))
    np.testing.assert_allclose(
        matrix[:, list(model.names).index("difference before the step")], logit(own) - logit(level)
    )


def test_points_are_weighted_least_squares(train):
    rows = train.sort_values(["academic_year", "area_code", *PAIR_GROUPS])
    model = fit_cohort_step(train, PA, scale="points")
    base, matrix = design_of(rows, PA, "relative", "points", model.names)
    level, n = rows[f"level_{PA}"], rows["enrolments_after"]
    oracle = sm.WLS(rows[f"{PA}_after"] / n - base, matrix, weights=n / (level * (1 - level))).fit(
        cov_type="cluster", cov_kwds={"groups": pd.factorize(rows["area_code"])[0], "use_correction": False}
    )
    np.testing.assert_allclose(model.coefficients, oracle.params, rtol=1e-6)
    np.testing.assert_allclose(model.standard_errors, oracle.bse, rtol=1e-6)


def test_the_planted_step_is_found(train):
    model = fit_cohort_step(train, PA, scale="logit")
    found = dict(zip(model.names, model.coefficients, strict=True))
    assert found["intercept"] == pytest.approx(STEP, abs=0.06)
    assert found["fsm_eligible: FSM eligible"] == pytest.approx(0.15, abs=0.05)
    assert found["sex: Male"] == pytest.approx(0, abs=0.05)
    # Nearly all of an authority's difference lasts: it is its level; groups of 200 blur it a little.
    assert 0.6 < found["difference before the step"] < 1.05
    assert model.area_sd == pytest.approx(KEPT_SD, abs=0.04)
    assert model.area_year_sd == pytest.approx(OWN_YEAR_SD, abs=0.04)
    # Above 1 though counts are binomial: a group's own rate before is itself a draw.
    assert 1 < model.overdispersion < 2
    assert (model.years, model.n_areas) == ((202122, 202223), 60)


def test_years_that_move_together_show_as_drift():
    still = fit_cohort_step(cohort_pairs(make_cells(2)), PA, scale="logit")
    moving = fit_cohort_step(cohort_pairs(make_cells(2, shifts=(-0.3, 0.0, 0.3))), PA, scale="logit")
    # Shifts of -0.3, 0 and 0.3 have a standard deviation of 0.3; a new year adds that of their mean.
    assert moving.drift_sd == pytest.approx(0.3 * math.sqrt(4 / 3), rel=0.1)
    assert still.drift_sd < 0.05
    pairs = cohort_pairs(make_cells(2))
    one = fit_cohort_step(pairs[pairs["academic_year"] == 202122], PA)
    assert math.isnan(one.drift_sd)
    assert (one.scale, one.area_sd, dict(one.area_effects)) == ("logit", 0.0, {})


def test_the_scale_is_chosen_by_foretelling_the_last_pair(train):
    """Here the truth is a step in log odds at levels that rise: adding points does worse in groups."""
    earlier, last = (train[train["academic_year"] == year] for year in (202122, 202223))
    errors = {}
    for scale in ("logit", "points"):
        table = compare_with_carry_forward(fit_cohort_step(earlier, PA, scale=scale), last)
        errors[scale] = table.set_index(["about", "method"]).loc[("Groups", MODEL), "rmse"]
    assert fit_cohort_step(train, PA).scale == min(errors, key=errors.get)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"measure": "enrolments"}, "cohort model is of"),
        ({"scale": "probit"}, "probit"),
        ({"form": "both"}, "both"),
        ({"form": "absolute", "scale": "points"}, "logit alone"),
    ],
)
def test_what_cannot_be_asked_for(train, arguments, words):
    with pytest.raises(ParameterError, match=words):
        fit_cohort_step(train, **arguments)


def test_what_cannot_be_fitted(train):
    few = train[train["area_code"].isin(sorted(train["area_code"].unique())[:5])]
    with pytest.raises(NoDataError, match="many local authorities"):
        fit_cohort_step(few)
    with pytest.raises(NoDataError, match="nothing to fit"):
        fit_cohort_step(train.assign(**{f"{PA}_after": 0.0}))
    nobody = train.assign(**{f"{PA}_after": train[f"{PA}_after"].where(train["sex"] == "Male", 0.0)})
    with pytest.raises(NoDataError, match="cannot be fitted"):
        fit_cohort_step(nobody, scale="logit")
    model = fit_cohort_step(train, scale="logit")
    with pytest.raises(ParameterError, match="EHC plan"):
        model.predict(train.assign(sen_provision="EHC plan"))


# -- forecasts ----------------------------------------------------------------------------------------


def test_groups_add_up_to_authorities_and_to_all(pairs, train):
    model = fit_cohort_step(train, PA, scale="logit")
    tested = pairs[pairs["academic_year"] == 202324]
    groups, areas, every = (model.predict(tested, by) for by in (["area_code", *PAIR_GROUPS], ["area_code"], []))
    events = groups["expected"] * groups["enrolments"]
    by_area = events.groupby(groups["area_code"]).sum() / groups["enrolments"].groupby(groups["area_code"]).sum()
    np.testing.assert_allclose(areas.set_index("area_code")["expected"], by_area.reindex(areas["area_code"]))
    assert every.loc[0, "expected"] == pytest.approx(events.sum() / groups["enrolments"].sum())
    assert every.loc[0, "before"] == pytest.approx(tested[f"{PA}_before"].sum() / tested["enrolments_before"].sum())
    width = every["upper"] - every["lower"]
    assert width[0] < (areas["upper"] - areas["lower"]).min()


def test_intervals_hold_what_comes():
    """95% intervals of authorities and of groups, out of time, over eight worlds with years that move together."""
    inside = {"area": [], "group": []}
    for seed in range(8):
        shifts = np.random.default_rng(seed).normal(0, 0.05, 3)
        pairs = cohort_pairs(make_cells(seed, 40, shifts=shifts))
        model = fit_cohort_step(pairs[pairs["academic_year"] < 202324], PA, scale="logit")
        tested = pairs[pairs["academic_year"] == 202324]
        for name, by in (("area", ["area_code"]), ("group", ["area_code", *PAIR_GROUPS])):
            rows = found_and_expected(model, tested, by)
            inside[name].append(((rows["found"] >= rows["lower"]) & (rows["found"] <= rows["upper"])).mean())
    # Two years tell little of how years move: a world may be missed as a whole, so shares are over all worlds.
    assert 0.85 < np.mean(inside["area"]) <= 1
    assert 0.9 < np.mean(inside["group"]) < 0.99


def test_errors_are_those_of_plain_sums(pairs, train):
    model = fit_cohort_step(train, PA, scale="logit")
    tested = pairs[pairs["academic_year"] == 202324]
    table = compare_with_carry_forward(model, tested).set_index(["about", "method"])
    n, size = tested["enrolments_after"], tested["enrolments_before"]
    error = tested[f"{PA}_before"] / size - tested[f"{PA}_after"] / n
    assert table.loc[("Groups", CARRIED), "mae"] == pytest.approx((n * error.abs()).sum() / n.sum())
    assert table.loc[("Groups", CARRIED), "rmse"] == pytest.approx(math.sqrt((n * error**2).sum() / n.sum()))
    change = (
        train[f"{PA}_after"].sum() / train["enrolments_after"].sum()
        - train[f"{PA}_before"].sum() / train["enrolments_before"].sum()
    )
    bias = tested[f"{PA}_before"].sum() / size.sum() + change - tested[f"{PA}_after"].sum() / n.sum()
    assert table.loc[("All together", PLUS_CHANGE), "bias"] == pytest.approx(bias)
    assert table["units"].to_dict()[("Local authorities", MODEL)] == 60
    assert table.loc[("Local authorities", MODEL), "rmse"] < table.loc[("Local authorities", CARRIED), "rmse"]
