"""Real performance tables and the real file of social care groups, against themselves and other files of DfE."""

from __future__ import annotations

import csv
import gzip
import statistics
from decimal import Decimal

import duckdb
import pandas as pd
import pytest

from attendance_toolkit.loaders.published._files import look_at
from attendance_toolkit.loaders.published._values import canonical_code
from attendance_toolkit.loaders.published.performance import (
    PUPIL_COLUMNS,
    read_performance_absence,
    read_performance_pupils,
)
from attendance_toolkit.loaders.published.social_care import SOCIAL_CARE_GROUPS, read_social_care
from attendance_toolkit.vocabulary.areas import ENGLAND

ABSENCE = "performance_tables_school/england_abs_201213.csv"
PUPILS = "performance_tables_school/england_census_201819.csv"
SOCIAL = "absence_social_care_groups/absence_six_half_terms_la_201617_202223.csv"
GM_SCHOOLS = "absence_annual_geography/Absence_3term201819_school_greater_manchester_200607_201819.csv.gz"
LAIT = "lait_la_timeseries/lait_bds_long_absence_measures.csv"


@pytest.fixture(scope="module")
def real(shared):
    return shared / "data" / "real"


def table(path):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


# --- performance tables --------------------------------------------------------------------------------


def test_every_absence_figure_of_the_performance_table_is_read(real):
    rows = table(real / ABSENCE)
    read = read_performance_absence(real / ABSENCE)
    ours = read.schools.set_index(["source_row", "measure"])
    compared = suppressed = 0
    for line, row in enumerate(rows, start=2):
        if row["LA"] == "NAT":
            continue
        for column, measure in (("PERCTOT", "overall_absence_rate"), ("PPERSABS15", "persistent_absence_rate_15")):
            cell = ours.loc[line, measure]
            assert (cell["urn"], cell["laestab"]) == (int(row["URN"]), int(row["LA"] + row["ESTAB"].zfill(4)))
            if row[column] == "SUPP":
                assert cell["symbol"] == "c"
                assert pd.isna(cell["rate"])
                suppressed += 1
            else:
                assert Decimal(str(round(float(cell["rate"]) * 100, 9))) == Decimal(row[column])
                compared += 1
    assert (compared, suppressed, read.rows) == (36_899, 3_215, len(rows))
    national = read.part.rates.to_pandas().set_index(["phase", "measure"])["printed"]
    assert national.to_dict() == {
        ("Primary", "overall_absence_rate"): "4.8",
        ("Primary", "persistent_absence_rate_15"): "3.6",
        ("Secondary", "overall_absence_rate"): "5.8",
        ("Secondary", "persistent_absence_rate_15"): "6.5",
    }


def test_the_table_is_of_2012_13_and_not_of_its_full_year(real):
    """Absence of Greater Manchester schools in DfE's yearly file is nearest in 2012/13, and not the same."""
    schools = read_performance_absence(real / ABSENCE).schools
    overall = schools[schools["measure"] == "overall_absence_rate"]
    assert set(overall["academic_year"]) == {201213}
    rate = dict(zip(overall["urn"], overall["rate"] * 100, strict=True))
    differences: dict[str, list[float]] = {}
    for row in table(real / GM_SCHOOLS):
        try:
            differences.setdefault(row["time_period"], []).append(
                abs(rate[int(row["urn"])] - float(row["sess_overall_percent"]))
            )
        except (KeyError, ValueError):
            continue
    far = {year: statistics.mean(found) for year, found in differences.items()}
    assert min(far, key=lambda year: far[year]) == "201213"
    assert 0.1 < far["201213"] < 0.3
    assert sorted(far.values())[1] > 2 * far["201213"]


def test_pupils_on_roll_add_up_to_the_table_s_own_national_rows(real):
    rows = table(real / PUPILS)
    frame = read_performance_pupils(real / PUPILS)
    assert len(frame) == len(rows) == 23_942
    national = frame[frame["la_code"] == ENGLAND].set_index("school_type")
    schools = frame[frame["la_code"] != ENGLAND].groupby("school_type")[list(PUPIL_COLUMNS)].sum(min_count=1)
    for kind in ("State-funded primary", "State-funded secondary"):
        for name in ("pupils", "girls", "boys", "sen_ehc_plan", "sen_support"):
            assert schools.loc[kind, name] == national.loc[kind, name], (kind, name)
    assert schools.loc["State-funded special school", "pupils"] == 121_738
    # DfE's national row of special schools mixes two groups: its roll is that of state-funded special schools, its
    # language and free school meals also those of non-maintained ones, so a share of one by the other is wrong.
    special, others = schools.loc["State-funded special school"], schools.loc["Non-maintained special school"]
    england = national.loc["State-funded special school"]
    for name in ("english_additional", "english_first", "language_unknown", "fsm_eligible", "fsm6"):
        assert special[name] + others[name] == england[name] != special[name]
    assert england["sen_ehc_plan"] == 122_268 > england["pupils"]
    missing = frame["fsm6"].isna()
    assert missing.sum() == sum(row["NUMFSMEVER"] == "NA" for row in rows)
    assert frame.loc[missing, "symbols"].str.contains("fsm6 x").all()


# --- social care groups --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def social(real):
    part = read_social_care(duckdb.connect(), look_at(real / SOCIAL), None)
    return part.cells.to_pandas(), part.rates.to_pandas(), part


def test_every_row_is_read_once_and_no_group_stands_for_all_pupils(real, social):
    cells, rates, part = social
    rows = table(real / SOCIAL)
    assert part.rows == len(cells) == len(rows) == 17_190
    assert len(rates) == 5 * len(rows)
    assert set(cells["series"]) == set(rates["series"]) == {"social_care"}
    assert set(cells["characteristic_level"]) == set(SOCIAL_CARE_GROUPS)
    key = ["academic_year", "area_code", "phase", "characteristic_level"]
    assert not cells.duplicated(key).any()
    symbols = sum(1 for row in rows for name in row if name.startswith("pt_") and row[name] in ("c", "x", "z", "~"))
    assert rates["rate"].isna().sum() == (rates["symbol"] != "").sum() == symbols
    assert rates["symbol"].value_counts()["low"] == 9


def test_printed_rates_are_those_of_the_rounded_counts(real):
    """With the csv module: each percentage lies where counts rounded to 10 allow it, to one decimal."""
    outside = checked = 0
    for row in table(real / SOCIAL):
        try:
            above, below = int(row["t_sess_overall"]), int(row["t_sess_possible"])
            percent = float(row["pt_overall"])
        except ValueError:
            continue
        checked += 1
        low, high = 100 * (above - 5) / (below + 5), 100 * (above + 5) / max(below - 5, 1)
        outside += not low - 0.0501 <= percent <= high + 0.0501
    assert checked > 11_000
    assert outside == 0


def test_all_schools_of_a_group_includes_alternative_provision(social):
    cells, _, _ = social
    england = cells[(cells["area_code"] == ENGLAND)].pivot_table(
        index=["academic_year", "characteristic_level"], columns="phase", values="enrolments"
    )
    parts = england.drop(columns="All schools")
    assert len(england) == 18  # three groups in six years: 2019/20 is not available
    assert (england["All schools"] - parts.sum(axis=1)).abs().max() <= 20  # four roundings to 10
    assert ((england["All schools"] - parts.drop(columns="Pupil referral unit").sum(axis=1)) > 300).all()


#: LAIT's code -> group and measure.
CODES = {
    "LAC_Over_Abs": ("CLA 12 months at 31 March", "overall_absence_rate"),
    "LAC_Unauth": ("CLA 12 months at 31 March", "unauthorised_absence_rate"),
    "LAC_Pers_Abs": ("CLA 12 months at 31 March", "persistent_absence_rate"),
    "CPPTotalAb_3Term": ("CPPO at 31 March", "overall_absence_rate"),
    "CPPPerAbs_3Term": ("CPPO at 31 March", "persistent_absence_rate"),
    "CINTotalAb_3Term": ("CINO at 31 March", "overall_absence_rate"),
    "CINPermAbsent_3Term": ("CINO at 31 March", "persistent_absence_rate"),
}


def test_the_la_time_series_has_the_same_rates_until_an_edition_revises_them(real, social):
    """LAIT's figures are of other editions: all equal in 2016/17, later years revised by up to 23 points."""
    _, rates, _ = social
    keep = rates[(rates["phase"] == "All schools") & rates["rate"].notna()]
    ours = keep.set_index(["characteristic_level", "measure", "academic_year", "area_code"])["rate"].mul(100).to_dict()
    differences: dict[tuple[str, int], list[float]] = {}
    for row in table(real / LAIT):
        if row["Short Desc"] not in CODES or not row["Values"].replace(".", "").isdigit():
            continue
        end, number = int(row["Years"]), int(row["LA Number"])
        area = ENGLAND if row["LA and Regions"] == "England" else canonical_code(str(number)) if number < 970 else ""
        key = (*CODES[row["Short Desc"]], (end - 1) * 100 + end % 100, area)
        if key in ours:
            differences.setdefault((row["Short Desc"], end), []).append(abs(float(row["Values"]) - ours[key]))
    first = [d for (_, end), found in differences.items() if end == 2017 for d in found]
    assert len(first) > 900
    assert max(first) < 0.051
    revised = {code: max(differences[code, 2021]) for code in CODES}
    assert revised["CPPPerAbs_3Term"] > 20
    assert revised["LAC_Unauth"] < 0.11
    assert len(differences) == 42  # seven measures in six years
