"""Rates against hand arithmetic and, for intervals, statsmodels and R's printed values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from attendance_toolkit.intervals import newcombe_interval, ratio_effective_size, wilson_interval
from attendance_toolkit.metrics import absence
from attendance_toolkit.metrics.cells import absence_cells
from attendance_toolkit.vocabulary.columns import CELL_COUNTS, CONTRIBUTOR_COUNTS
from tests.unit.metrics.test_cells_engines import pupil_terms


def test_rate_is_a_ratio_of_sums_not_a_mean_of_rates():
    rows = [{"upn": n, "sessions_possible": 100, "sessions_authorised": 10} for n in range(6)]
    rows += [{"upn": 10 + n, "sessions_possible": 20, "sessions_unauthorised": 20} for n in range(6)]
    cells = absence_cells(pupil_terms(*rows))
    row = absence.absence_rate(cells).iloc[0]
    assert (row["numerator"], row["denominator"]) == (180, 720)
    assert row["rate"] == 0.25  # the mean of pupil rates would be 0.55
    parts = [absence.absence_rate(cells, kind=kind).iloc[0]["rate"] for kind in ("authorised", "unauthorised")]
    assert sum(parts) == pytest.approx(0.25)
    assert absence.attendance_rate(cells).iloc[0]["rate"] == 0.75
    assert absence.mean_sessions_missed(cells).iloc[0]["rate"] == 15


def test_covid_sessions_are_possible_but_neither_attended_nor_absent():
    rows = [{"upn": n, "sessions_possible": 100, "sessions_authorised": 5, "sessions_covid": 10} for n in range(6)]
    cells = absence_cells(pupil_terms(*rows))
    assert absence.absence_rate(cells).iloc[0]["rate"] == 0.05
    assert absence.attendance_rate(cells).iloc[0]["rate"] == 0.85


def test_reasons_add_up_to_overall_absence():
    rows = [
        {
            "upn": n,
            "sessions_authorised": 9,
            "sessions_unauthorised": 4,
            "sessions_auth_illness": 6,
            "sessions_unauth_late": 1,
        }
        for n in range(6)
    ]
    cells = absence_cells(pupil_terms(*rows))
    rates = absence.reason_rates(cells).set_index("reason")["rate"]
    assert rates.sum() == pytest.approx(absence.absence_rate(cells).iloc[0]["rate"])
    assert rates["auth_unclassified"] == pytest.approx(0.03)
    assert rates["unauth_unclassified"] == pytest.approx(0.03)


def test_bands_add_up_to_everybody():
    rows = [{"upn": n, "sessions_authorised": n * 7} for n in range(12)]
    cells = absence_cells(pupil_terms(*rows))
    assert absence.attendance_bands(cells)["numerator"].sum() == 12


def test_empty_group_and_missing_counts_have_symbols_not_numbers():
    cells = absence_cells(pupil_terms(*[{"upn": n} for n in range(6)]), ["sex"])
    empty = cells.assign(sex="Male", **{name: 0 for name in cells.columns if name != "sex"})
    rows = absence.absence_rate(pd.concat([cells, empty]), ["sex"]).set_index("sex")
    assert rows.loc["Male", "symbol"] == "z"
    assert np.isnan(rows.loc["Male", "rate"])
    unknown = cells.astype({"severe_absentees": float}).assign(severe_absentees=np.nan)
    assert absence.severe_absence_rate(unknown, ["sex"])["symbol"].tolist() == ["x"]


@pytest.mark.parametrize(
    ("x", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_equals_r_prop_test_and_statsmodels(x, n, low, high):
    found = wilson_interval(x, n)
    assert [round(float(v), 4) for v in found] == [low, high]  # R prop.test, correct = FALSE
    assert found == pytest.approx(proportion_confint(x, n, method="wilson"))


@pytest.mark.parametrize(
    ("x1", "n1", "x2", "n2", "low", "high"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),  # Newcombe 1998, published
        (9, 10, 3, 10, 0.1705, 0.8090),  # Newcombe 1998, published
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 20, -0.1611, 0.2775),
        (10, 10, 0, 20, 0.6791, 1.0),
    ],
)
def test_newcombe_equals_published_values_and_statsmodels(x1, n1, x2, n2, low, high):
    found = newcombe_interval(x1 / n1, wilson_interval(x1, n1), x2 / n2, wilson_interval(x2, n2))
    assert [round(float(v), 4) for v in found] == [low, high]
    assert found == pytest.approx(confint_proportions_2indep(x1, n1, x2, n2, method="newcomb"), abs=1e-10)


def test_session_interval_covers_as_a_bootstrap_of_pupils_does():
    # Against a bootstrap over pupils, on skewed absence as in schools; session binomials would be 5 times narrower.
    rng = np.random.default_rng(3)
    possible = rng.integers(100, 380, 2000)
    absent = np.minimum(rng.negative_binomial(0.6, 0.03, 2000), possible)
    size = ratio_effective_size(
        absent.sum(), possible.sum(), (absent**2).sum(), (possible**2).sum(), (absent * possible).sum(), 2000
    )
    rate = absent.sum() / possible.sum()
    low, high = wilson_interval(rate * size, size)
    draws = rng.integers(0, 2000, (2000, 2000))
    boot = absent[draws].sum(axis=1) / possible[draws].sum(axis=1)
    assert (low, high) == pytest.approx(tuple(np.quantile(boot, [0.025, 0.975])), rel=0.03)
    naive = np.diff(wilson_interval(absent.sum(), possible.sum()))
    assert high - low > 5 * naive


def test_difference_keeps_symbols_and_intervals():
    rows = pd.DataFrame(
        {
            "phase": ["Primary", "Special"],
            "measure": "severe_absence_rate",
            "numerator": [67.0, np.nan],
            "denominator": [18430.0, np.nan],
            "rate": [67 / 18430, np.nan],
            "lower": [0.0029, np.nan],
            "upper": [0.0046, np.nan],
            "symbol": ["", "c"],
        }
    )
    other = rows.assign(rate=[0.01, 0.06], lower=np.nan, upper=np.nan, symbol="")
    found = absence.difference(rows, other, ["phase"]).set_index("phase")
    assert found.loc["Primary", "measure"] == "severe_absence_rate_change"
    assert found.loc["Primary", "rate"] == pytest.approx(67 / 18430 - 0.01)
    assert found.loc["Primary", "upper"] == pytest.approx(0.0046 - 0.01)
    assert found.loc["Special", "symbol"] == "c"
    assert np.isnan(found.loc["Special", "rate"])


def test_record_difference_equals_difference_of_tables():
    rows = pd.DataFrame(
        {"phase": list("abc"), "measure": "severe_absence_rate", "numerator": np.nan, "denominator": np.nan,
         "rate": [0.02, 0.03, np.nan], "lower": [0.01, np.nan, np.nan], "upper": [0.04, np.nan, np.nan],
         "symbol": ["", "", "c"]}
    )  # fmt: skip
    other = rows.assign(rate=[0.01, 0.05, 0.02], lower=[0.005, np.nan, 0.01], upper=[0.02, np.nan, 0.04], symbol="")
    tables = absence.difference(rows, other, ["phase"])
    for index, expected in enumerate(tables.to_dict("records")):
        found = absence.record_difference(rows.iloc[index].to_dict(), other.iloc[index].to_dict())
        for name, value in found.items():
            assert value == expected[name] or (np.isnan(value) and np.isnan(expected[name])), (index, name)


def test_contributors_and_concentration_are_those_of_each_rows_sessions():
    """Against the pupils counted out: 8 miss by illness, one of them far more; 2 miss without leave, equally."""
    rows = [{"upn": n, "sessions_authorised": 5, "sessions_auth_illness": 5} for n in range(7)]
    rows += [{"upn": 7, "sessions_authorised": 65, "sessions_auth_illness": 60, "sessions_auth_appointments": 5}]
    rows += [{"upn": 8 + n, "sessions_unauthorised": 10, "sessions_unauth_other": 10} for n in range(2)]
    rows += [{"upn": 10 + n} for n in range(20)]
    cells = absence_cells(pupil_terms(*rows), ["sex"], counts=(*CELL_COUNTS, *CONTRIBUTOR_COUNTS))
    parts = [
        absence.absence_rate(cells, ["sex"]),
        absence.absence_rate(cells, ["sex"], kind="unauthorised"),
        absence.attendance_rate(cells, ["sex"]),
        absence.mean_sessions_missed(cells, ["sex"]),
        absence.severe_absence_rate(cells, ["sex"]),
        absence.reason_rates(cells, ["sex"]),
    ]
    table = pd.concat(parts, ignore_index=True)
    found = absence.with_contributors(table, cells, ["sex"])
    pd.testing.assert_frame_equal(found[table.columns], table)
    by = found.assign(reason=found["reason"].fillna("")).set_index(["measure", "reason"])[
        ["contributors", "concentration"]
    ]
    overall = (10, (7 * 25 + 65**2 + 2 * 100) / 120**2)
    for measure in ("overall_absence_rate", "attendance_rate", "mean_sessions_missed"):
        assert tuple(by.loc[(measure, "")]) == pytest.approx(overall)
    assert tuple(by.loc[("unauthorised_absence_rate", "")]) == pytest.approx((2, 0.5))
    assert tuple(by.loc[("reason_rate", "auth_illness")]) == pytest.approx((8, (7 * 25 + 3600) / 95**2))
    assert tuple(by.loc[("reason_rate", "auth_appointments")]) == pytest.approx((1, 1))
    assert by.loc[("severe_absence_rate", "")].isna().all()
    assert by.loc[("reason_rate", "auth_unclassified")].isna().all()
    assert not {"contributors", "concentration"} & set(absence.measure_columns(found))


def test_contributors_are_missing_where_the_cells_do_not_tell():
    cells = absence_cells(pupil_terms(*({"upn": n, "sessions_authorised": 5} for n in range(6))), ["sex"])
    found = absence.with_contributors(absence.reason_rates(cells, ["sex"]), cells, ["sex"])
    assert found[["contributors", "concentration"]].isna().all(axis=None)
    found = absence.with_contributors(absence.severe_absence_rate(cells, ["sex"]), cells, ["sex"])
    assert found[["contributors", "concentration"]].isna().all(axis=None)
