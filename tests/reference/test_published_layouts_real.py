"""Every real file of absence and attendance: recognised, read, screened, and held against something outside our code.

Oracles: the csv module on the same file, DfE's own totals (authorities = regions = England where DfE's data do so),
the same figures in another of DfE's files or layouts, and DfE's metadata.
"""

from __future__ import annotations

import csv
import gzip
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import pandas as pd
import pytest

from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders.published import (
    period_kind,
    read_metadata,
    read_published,
    recognise,
    screen_published,
)
from attendance_toolkit.loaders.published._attendance import MEASURES, REASONS, TIDY
from attendance_toolkit.loaders.published._geography import COUNTS
from attendance_toolkit.loaders.published._time_series import CODES, described_codes
from attendance_toolkit.vocabulary.columns import ALL_SCHOOLS, BAND_COLUMNS, MAIN_PHASES, PUBLISHED_GROUPS

GEO, OTHER, CHAR = "absence_annual_geography/", "absence_other_2016_17/", "absence_annual_characteristics/"
BANDS, SERIES, LAIT = "absence_bands_la_year_group/", "attendance_fortnightly/", "lait_la_timeseries/"
#: File -> layout, rows.
FILES = {
    CHAR + "absence_natcharacteristics_201617_layout2018.csv": ("absence_by_characteristic", 1_309),
    CHAR + "absence_natcharacteristics_201617_layout2019.csv": ("absence_by_characteristic", 1_309),
    GEO + "Absence_3term201819_nat_reg_la.csv.gz": ("annual_geography", 8_400),
    GEO + "Absence_3term201819_school_england_201819.csv.gz": ("annual_geography", 21_214),
    GEO + "Absence_3term201819_school_greater_manchester_200607_201819.csv.gz": ("annual_geography", 14_091),
    BANDS + "absence_bands_distributions.csv.gz": ("absence_bands", 211_553),
    BANDS + "absence_bands_distributions_national_early.csv": ("absence_bands_early", 7_249),
    OTHER + "4_absence_2term_pru.csv": ("alternative_provision", 1_373),
    OTHER + "absence_by_term.csv": ("absence_by_term", 9_680),
    OTHER + "absence_for_four_year_olds.csv.gz": ("four_year_olds", 84_365),
    OTHER + "absence_in_prus.csv": ("annual_geography", 612),
    OTHER + "absence_number_missing_at_least_one_session_by_reason.csv.gz": ("missed_any", 109_104),
    OTHER + "absence_rate_percent_bands.csv": ("percent_bands", 2_040),
    **{
        SERIES + f"EES_{part}_data_{year}.csv": ("attendance_series", 493 + (year > 202223))
        for part in ("ytd", "aut", "spr", "sum")
        for year in (202223, 202324, 202425)
    },
    SERIES + "EES_weekly_data_2022w37_42.csv": ("attendance_weekly", 2_916),
    SERIES + "EES_weekly_data_2025w37_45.csv": ("attendance_weekly", 5_146),
    SERIES + "EES_daily_data_2025w37.csv": ("attendance_daily", 3_235),
    SERIES + "attendance_data_dashboard_2025w37.csv": ("attendance_dashboard", 4_529),
    SERIES + "week_29_persistent_absence_2025.csv": ("attendance_persistent", 5_928),
    LAIT + "lait_bds_long_absence_measures.csv": ("la_time_series", 49_470),
}
DESCRIBING = {
    BANDS + "absence_bands_distributions.meta.csv": "ees_metadata",
    OTHER + "absence_by_term.meta.csv": "ees_metadata",
    OTHER + "absence_for_four_year_olds.meta.csv": "ees_metadata",
    OTHER + "absence_in_prus.meta.csv": "ees_metadata",
    OTHER + "absence_number_missing_at_least_one_session_by_reason.meta.csv": "ees_metadata",
    OTHER + "absence_rate_percent_bands.meta.csv": "ees_metadata",
    LAIT + "lait_data_dictionary_absence_measures.csv": "la_time_series_dictionary",
    "metadata/data-dictionary.csv": "data_dictionary",
    "metadata/data-dictionary-col_names.csv": "data_dictionary_columns",
    "metadata/school-types.csv": "school_types",
}
SUMS = ["sessions_possible", "sessions_authorised", "sessions_unauthorised"]


@pytest.fixture(scope="module")
def real(shared):
    return shared / "data" / "real"


@pytest.fixture(scope="module")
def read(real):
    """Return a function that reads one file, once."""
    held: dict[str, object] = {}

    def one(name: str):
        if name not in held:
            held[name] = read_published([real / name])
        return held[name]

    return one


def rows_of(path: Path):
    """Return the rows of a file by the csv module alone, names in lower case."""
    opener = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as handle:
        for row in csv.DictReader(handle):
            yield {name.lower(): value for name, value in row.items()}


def number(text: str) -> int:
    return int(text) if text.isdigit() else 0


# --- every file ----------------------------------------------------------------------------------------


def test_no_file_of_these_families_is_left_out_of_this_test(real):
    folders = (GEO, OTHER, CHAR, BANDS, SERIES, LAIT)
    found = {f"{folder}{path.name}" for folder in folders for path in (real / folder).glob("*.csv*")}
    assert found == set(FILES) | {name for name in DESCRIBING if not name.startswith("metadata/")}


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_known_by_content_read_whole_and_clean(real, tmp_path, name):
    layout, rows = FILES[name]
    copy = tmp_path / "x.csv"
    shutil.copy(real / name, copy)
    found = recognise(look(copy))
    assert (found.kind, found.layout) == ("published", layout)
    assert found.years
    assert found.feeds
    provenance = read_published([copy]).provenance[0]
    assert (provenance.rows, provenance.left_out) == (rows, ())
    assert screen_published(copy) == []


@pytest.mark.parametrize("name", DESCRIBING)
def test_every_describing_file_is_known_by_content(real, tmp_path, name):
    copy = tmp_path / "x.csv"
    shutil.copy(real / name, copy)
    found = recognise(look(copy))
    assert (found.kind, found.layout) == ("metadata", DESCRIBING[name])
    with copy.open(encoding="utf-8-sig", newline="") as handle:
        assert len(read_metadata(copy)) == sum(1 for _ in csv.DictReader(handle))


@pytest.mark.parametrize("name", [n for n in FILES if FILES[n][0] in ("annual_geography", "absence_by_term")])
def test_sums_of_every_count_are_those_of_the_csv_module(real, read, name):
    expected: Counter[tuple[str, str]] = Counter()
    for row in rows_of(real / name):
        for ours, theirs in COUNTS.items():
            if theirs in row:
                value = number(row[theirs])
                if ours == "sessions_auth_holiday":
                    value += number(row["sess_auth_ext_holiday"])
                expected[row["geographic_level"], ours] += value
    published = read(name)
    for (level, count), total in expected.items():
        frame = published.schools if level == "School" else published.cells
        assert frame.loc[frame["area_level"] == level, count].sum() == total, (level, count)


# --- authorities, regions, England ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "counts", "rounded"),
    [
        (GEO + "Absence_3term201819_nat_reg_la.csv.gz", [*SUMS, "enrolments", "persistent_absentees"], 0),
        (OTHER + "absence_by_term.csv", SUMS, 0),
        (OTHER + "4_absence_2term_pru.csv", [*SUMS, "enrolments", "persistent_absentees", "sessions_covid"], 0),
        (OTHER + "absence_in_prus.csv", SUMS, 0),
        # Enrolments of regions and England are rounded to 5 in the files of 2016/17.
        (OTHER + "absence_in_prus.csv", ["enrolments", "persistent_absentees"], 10),
        (OTHER + "absence_for_four_year_olds.csv.gz", ["enrolments"], 10),
    ],
)
def test_authorities_and_regions_are_england(read, name, counts, rounded):
    cells = read(name).cells
    levels = cells.groupby(["academic_year", "period", "phase", "area_level"])[counts].sum().unstack("area_level")
    for count in counts:
        for level in ("Local authority", "Regional"):
            assert (levels[count, level] - levels[count, "National"]).abs().max() <= rounded


def test_the_three_terms_are_the_year_but_for_special_schools_before_2016_17(read):
    """Special schools have 0 sessions in autumn and spring before 2016/17: the file says nothing of those terms."""
    cells = read(OTHER + "absence_by_term.csv").cells
    wide = cells.set_index(["academic_year", "phase", "area_code", "period"])["sessions_possible"].unstack("period")
    special = cells[(cells["phase"] == "Special") & (cells["academic_year"] < 201617)]
    assert (special.loc[special["period"].isin(["autumn", "spring"]), "sessions_possible"] == 0).all()
    short = wide["year"] - wide[["autumn", "spring", "summer"]].sum(axis=1)
    assert (short >= 0).all()
    differs = short[short > 0].reset_index()
    assert Counter(zip(differs["academic_year"], differs["phase"], strict=True)) == {
        **{(year, "Special"): 160 for year in (201213, 201314, 201415, 201516)},
        (201415, "Secondary"): 3,
    }


def test_terms_and_years_are_one_release(read):
    keys = ["academic_year", "area_code", "phase"]
    terms = read(OTHER + "absence_by_term.csv").cells
    terms = terms[terms["period"] == "year"].set_index(keys)[SUMS].sort_index()
    year = read(GEO + "Absence_3term201819_nat_reg_la.csv.gz").cells.set_index(keys)[SUMS]
    assert len(terms) == 2_420
    assert (terms == year.loc[terms.index]).all(axis=None)


def test_the_attendance_series_does_not_add_up(read):
    """Authorities are not England there, by up to 3% either way; groups of one school are hidden besides."""
    seen = set()
    for year in (202223, 202324, 202425):
        rates = read(SERIES + f"EES_ytd_data_{year}.csv").rates
        rates = rates[(rates["measure"] == "attendance_rate") & (rates["phase"] != ALL_SCHOOLS)]
        levels = rates.groupby(["phase", "area_level"])["denominator"].sum().unstack("area_level")
        assert (levels["Local authority"] != levels["National"]).all()
        seen |= set((levels["Local authority"] / levels["National"]).round(2))
    assert min(seen) < 1 < max(seen)


# --- schools -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["school_england_201819", "school_greater_manchester_200607_201819"])
def test_school_rows_add_up_to_their_authority_exactly(read, part):
    counts = [*SUMS, "enrolments", "persistent_absentees"]
    keys = ["academic_year", "area_code", "phase"]
    schools = read(GEO + f"Absence_3term201819_{part}.csv.gz").schools
    sums = schools.groupby(keys)[counts].sum()
    areas = read(GEO + "Absence_3term201819_nat_reg_la.csv.gz").cells
    areas = areas[areas["area_level"] == "Local authority"].set_index(keys)[counts]
    # England: 152 authorities, of which three lack a phase or two; Greater Manchester: 10 x 13 years x 3.
    assert len(sums) == {"school_england_201819": 451}.get(part, 390)
    assert (sums == areas.loc[sums.index]).all(axis=None)
    assert not schools.duplicated([*PUBLISHED_GROUPS, "laestab", "urn"]).any()


def test_suppressed_schools_fall_short_and_are_listed(read):
    """Four-year-olds: DfE hides small schools, so their sums reach the authority's enrolments at most."""
    published = read(OTHER + "absence_for_four_year_olds.csv.gz")
    keys = ["academic_year", "area_code", "phase"]
    sums = published.schools.groupby(keys)[["sessions_possible"]].sum()
    areas = published.cells[published.cells["area_level"] == "Local authority"].set_index(keys)
    both = sums.join(areas[["sessions_possible"]].add_suffix("_area"), how="inner").dropna()
    short = both["sessions_possible_area"] - both["sessions_possible"]
    assert (short >= 0).all()
    assert (short == 0).mean() > 0.75
    hidden = published.school_symbols
    assert set(hidden["symbol"]) == {"x"}
    wrong = published.schools["sessions_possible"].isna()
    assert wrong.sum() == (hidden["count"] == "sessions_possible").sum() > 0


def test_enrolments_that_missed_a_session(real, read):
    name = OTHER + "absence_number_missing_at_least_one_session_by_reason.csv.gz"
    published = read(name)
    expected: Counter[tuple[str, str]] = Counter()
    symbols = 0
    for row in rows_of(real / name):
        is_school = row["geographic_level"] == "School"
        for column, text in row.items():
            if column.startswith("enrol_"):
                expected["School" if is_school else "area", column] += number(text)
                symbols += is_school and not text.isdigit()
    school = published.schools
    assert school["missed_any"].sum() == expected["School", "enrol_overall"]
    assert school["missed_any_auth_illness"].sum() == expected["School", "enrol_auth_illness"]
    assert len(published.school_symbols) == symbols == 197_519
    rates = published.rates
    areas = rates.groupby("reason")["numerator"].sum()
    assert areas["All"] == expected["area", "enrol_overall"]
    assert areas["unauth_noyet"] == expected["area", "enrol_unauth_noyet"]
    # Schools make their authority; DfE's totals of regions and England are rounded to 5.
    keys = ["academic_year", "area_code", "phase"]
    sums = school.groupby(keys)["missed_any"].sum()
    of_areas = rates[(rates["reason"] == "All") & (rates["area_level"] == "Local authority")].set_index(keys)
    short = of_areas.loc[sums.index, "numerator"] - sums
    assert ((short >= 0) & (short <= 2)).all()
    assert (short == 0).mean() > 0.99


# --- characteristics -----------------------------------------------------------------------------------


def test_the_layouts_of_2018_and_2019_hold_the_same_figures(read):
    frames = []
    for year in (2018, 2019):
        cells = read(CHAR + f"absence_natcharacteristics_201617_layout{year}.csv").cells
        frames.append(cells.drop(columns=["source_file", "source_row"]).sort_values(list(PUBLISHED_GROUPS)))
    first, second = (frame.reset_index(drop=True) for frame in frames)
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize("name", ["sex", "fsm_eligible", "fsm6", "first_language", "sen_provision", "ethnicity_major",
                                  "nc_year"])  # fmt: skip
def test_groups_add_up_to_all_pupils(read, name):
    cells = read(CHAR + "absence_natcharacteristics_201617_layout2019.csv").cells
    keys = ["academic_year", "phase"]
    counts = ["enrolments", *SUMS]
    total = cells[cells["characteristic"] == "All"].set_index(keys)[counts].sort_index()
    sums = cells[cells["characteristic"] == name].groupby(keys)[counts].sum()
    assert len(total) == len(sums) == 20
    gap = (sums - total).abs().max()
    # Enrolments are rounded to 5 in each row. In primary schools of 2013/14, year 10 is hidden (x): 82 sessions.
    assert gap["enrolments"] <= 10
    assert gap[SUMS].max() <= (82 if name == "nc_year" else 0)


def test_all_pupils_by_characteristic_are_those_of_england(read):
    keys = ["academic_year", "phase"]
    total = read(CHAR + "absence_natcharacteristics_201617_layout2019.csv").cells
    total = total[total["characteristic"] == "All"].set_index(keys)
    areas = read(GEO + "Absence_3term201819_nat_reg_la.csv.gz").cells
    areas = areas[areas["area_level"] == "National"].set_index(keys).loc[total.index]
    assert (total[SUMS] == areas[SUMS]).all(axis=None)
    assert (total["enrolments"] - areas["enrolments"]).abs().max() <= 2


# --- bands ---------------------------------------------------------------------------------------------


def test_one_point_bands_are_the_bands_of_five(read):
    """2016/17 in two of DfE's files: the sum of one-point bands is each five-point band, but for rounding to 5."""
    rates = read(OTHER + "absence_rate_percent_bands.csv").rates
    rates = rates[(rates["measure"] == "percent_band_rate") & (rates["academic_year"] == 201617)]
    low = rates["characteristic_level"].str.extract(r"^(\d+)")[0]
    rates = rates.assign(band=(low.astype("float") // 5).clip(upper=10)).dropna(subset="band")
    ours = rates.groupby(["phase", "band"])["numerator"].sum().unstack("band")
    bands = read(BANDS + "absence_bands_distributions.csv.gz").cells
    bands = bands[(bands["academic_year"] == 201617) & (bands["area_level"] == "National")]
    theirs = bands.groupby("phase")[list(BAND_COLUMNS)].sum()
    gap = abs(ours.loc[list(MAIN_PHASES)].to_numpy() - theirs.loc[list(MAIN_PHASES)].to_numpy().astype(float))
    assert gap[:, :10].max() <= 10
    assert gap[:, 10].max() <= 15  # fifty one-point bands, each rounded


def test_one_point_bands_are_the_printed_percentages(read):
    rates = read(OTHER + "absence_rate_percent_bands.csv").rates
    shown = rates[rates["symbol"] == ""]
    # One decimal; the numbers of special schools, some 90,000, are rounded to 5.
    assert (shown["rate"] * 100 - shown["printed"].astype(float)).abs().max() < 0.053
    assert (rates["symbol"] != "").sum() == 1  # of two x, one is a percentage beside a number


def test_the_early_national_bands(real, read):
    cells = read(BANDS + "absence_bands_distributions_national_early.csv").cells
    expected: Counter[tuple[str, str]] = Counter()
    groups = set()
    for row in rows_of(real / (BANDS + "absence_bands_distributions_national_early.csv")):
        expected[row["time_period"], row["absence_band"]] += int(row["totalpupils"])
        groups.add(tuple(row[n] for n in ("time_period", "school_type", "fsm_eligible", "gender", "ncyearactual")))
    assert len(cells) == len(groups) == 659
    for year in (201718, 201819, 202021, 202122):
        chosen = cells[cells["academic_year"] == year]
        assert chosen["band_50_plus"].sum() == expected[str(year), "pct50plus_OARate"]
        assert chosen["band_10_15"].sum() == expected[str(year), "pct15_OARate"]
        # An early version: near the later one, never equal to it, and with another rule for covid absence in 2020/21.
        later = read(BANDS + "absence_bands_distributions.csv.gz").cells
        later = later[(later["academic_year"] == year) & (later["area_level"] == "National")]
        ours = chosen[chosen["phase"].isin(MAIN_PHASES)]["enrolments"].sum()
        assert 0.985 < ours / later["enrolments"].sum() < 1


# --- four-year-olds and the time series ----------------------------------------------------------------


def test_four_year_olds_are_those_of_the_time_series(read):
    keys = ["academic_year", "area_code"]
    series = read(LAIT + "lait_bds_long_absence_measures.csv").rates
    series = series[(series["series"] == "four_year_olds") & series["rate"].notna()].set_index(keys)
    rates = read(OTHER + "absence_for_four_year_olds.csv.gz").rates
    of_file = rates[rates["phase"] == ALL_SCHOOLS].set_index(keys)[["rate"]].add_suffix("_file")
    both = series.join(of_file, how="inner")
    both = both.dropna(subset="rate_file")
    assert len(both) > 300
    # Two decimals.
    assert (both["rate"] - both["rate_file"]).abs().max() * 100 < 0.00501


def test_the_time_series_is_the_annual_geography(read):
    keys = ["academic_year", "area_code", "phase"]
    cells = read(GEO + "Absence_3term201819_nat_reg_la.csv.gz").cells.set_index(keys)
    rates = read(LAIT + "lait_bds_long_absence_measures.csv").rates
    rates = rates[(rates["series"] == "census") & rates["rate"].notna()]
    compared = 0
    for measure, numerators in (
        ("overall_absence_rate", SUMS[1:]),
        ("authorised_absence_rate", SUMS[1:2]),
        ("unauthorised_absence_rate", SUMS[2:]),
    ):
        printed = rates[rates["measure"] == measure].set_index(keys)["rate"]
        both = cells.join(printed, how="inner")
        ours = both[numerators].sum(axis=1).astype(float) / both["sessions_possible"].astype(float)
        far = (ours - both["rate"]).abs() * 100 > 0.0056
        compared += len(both)
        assert far.mean() < 0.01, both[far].head()
    assert compared > 4_000


# --- days, weeks, the dashboard, persistent absence -----------------------------------------------------


def by_key(rates: pd.DataFrame, *more: str) -> pd.DataFrame:
    return rates.set_index(["area_code", "phase", "measure", "reason", *more])


def test_no_week_or_day_is_a_year(read):
    for name, (layout, _) in FILES.items():
        if layout in ("attendance_weekly", "attendance_daily", "attendance_dashboard", "attendance_persistent"):
            kinds = {period_kind(period) for period in read(name).rates["period"].unique()}
            assert (
                kinds
                == {
                    "attendance_weekly": {"week"},
                    "attendance_daily": {"day"},
                    "attendance_dashboard": {"day", "week", "year to date"},
                    "attendance_persistent": {"year to date"},
                }[layout]
            )


def test_weekly_sessions_are_those_of_the_csv_module(real, read):
    for name, year in (("EES_weekly_data_2022w37_42.csv", 202223), ("EES_weekly_data_2025w37_45.csv", 202526)):
        phases = defaultdict(int)
        for row in rows_of(real / (SERIES + name)):
            phase = row.get("school_type") or row.get("education_phase")
            if phase != "Total":
                phases[row["time_identifier"].lower(), phase] += number(row["overall_attendance"])
        rates = read(SERIES + name).rates
        assert set(rates["academic_year"]) == {year}
        chosen = rates[(rates["measure"] == "attendance_rate") & (rates["phase"] != ALL_SCHOOLS)]
        sums = chosen.groupby(["period", "phase"])["numerator"].sum()
        ours = {(period.rsplit(" ", 1)[0], phase): int(value) for (period, phase), value in sums.items()}
        assert ours == dict(phases)


def test_the_dashboard_is_the_daily_file(read):
    dashboard = by_key(read(SERIES + "attendance_data_dashboard_2025w37.csv").rates, "period")
    daily = by_key(read(SERIES + "EES_daily_data_2025w37.csv").rates, "period")
    both = daily.join(dashboard.add_suffix("_dashboard"), how="left")
    assert len(both) == 60_650
    assert (both["rate"].isna() == both["rate_dashboard"].isna()).all()
    # The dashboard's file prints ten digits.
    assert (both["rate"] - both["rate_dashboard"]).abs().max() < 1e-10
    assert both["numerator"].rename("").equals(both["numerator_dashboard"].rename(""))


def test_days_make_the_week_and_the_first_week_is_the_year_to_date(read):
    rates = read(SERIES + "attendance_data_dashboard_2025w37.csv").rates
    kinds = rates["period"].map({period: period_kind(period) for period in rates["period"].unique()})
    week = by_key(rates[kinds == "week"])
    to_date = by_key(rates[kinds == "year to date"])
    assert (week["rate"] - to_date.loc[week.index, "rate"]).abs().max() == 0
    days = rates[(kinds == "day") & rates["numerator"].notna()]
    sums = by_key(days)[["numerator", "denominator"]].groupby(level=[0, 1, 2, 3]).sum()
    counted = week[week["numerator"].notna()]
    both = sums.join(counted[["numerator", "denominator"]].add_suffix("_week"), how="inner")
    assert len(both) == 11_999
    assert (both["numerator"] == both["numerator_week"]).all()
    assert (both["denominator"] == both["denominator_week"]).all()


def test_a_later_release_of_the_same_week_is_another_figure(read):
    """Registers are corrected: week 37 as published then and eight weeks later, up to 2.7 points apart."""
    first = by_key(read(SERIES + "attendance_data_dashboard_2025w37.csv").rates, "period")
    later = by_key(read(SERIES + "EES_weekly_data_2025w37_45.csv").rates, "period")
    both = later.join(first[["rate"]].add_suffix("_first"), how="inner").dropna(subset=["rate", "rate_first"])
    gap = (both["rate"] - both["rate_first"]).abs()
    assert (gap > 1e-6).mean() > 0.5
    assert 0.02 < gap.max() < 0.03


def test_persistent_absence_of_the_last_release_is_the_year(read):
    release = read(SERIES + "week_29_persistent_absence_2025.csv").rates
    year = read(SERIES + "EES_ytd_data_202425.csv").rates
    year = year[year["measure"] == "persistent_absence_rate"].set_index(["area_code", "phase"])
    assert release["period"].nunique() == 12
    within = {}
    for period, rows in release.groupby("period"):
        both = rows.set_index(["area_code", "phase"]).join(year[["rate", "symbol"]].add_suffix("_year"), how="inner")
        assert len(both) == 494
        assert (both["symbol"] == both["symbol_year"]).all()
        gap = (both["rate"] - both["rate_year"]).abs().dropna() * 100
        within[period] = int((gap < 0.0500001).sum())
    # 491 of 494 have a figure, three are hidden in both; an earlier release is never the year's.
    assert within.pop("to week 30 2025") == 491
    assert max(within.values()) < 60


# --- what DfE says of its columns ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["absence_by_term", "absence_in_prus", "absence_for_four_year_olds"])
def test_columns_are_what_the_metadata_say(real, name):
    described = {row["col_name"]: row for row in read_metadata(real / f"{OTHER}{name}.meta.csv")}
    said = {
        "sessions_possible": "possible",
        "sessions_authorised": "authorised",
        "sessions_unauthorised": "unauthorised",
        "persistent_absentees": "persistent",
        "sessions_auth_illness": "illness",
        "sessions_auth_appointments": "appointments",
        "sessions_auth_religious": "religious",
        "sessions_unauth_late": "late",
    }
    checked = 0
    for ours, word in said.items():
        if row := described.get(COUNTS[ours]):
            assert word in row["label"].lower()
            assert row["indicator_unit"] == ""  # a number, not a percentage
            checked += 1
    assert checked >= (1 if name == "absence_for_four_year_olds" else 7)
    for column, row in described.items():
        assert (row["indicator_unit"] == "%") == column.endswith("_percent")


def test_measures_of_the_time_series_are_what_its_dictionary_says(real):
    said = described_codes(read_metadata(real / (LAIT + "lait_data_dictionary_absence_measures.csv")))
    assert set(said) == set(CODES)
    words = {
        "overall_absence_rate": ("absence",),
        "authorised_absence_rate": ("authorised",),
        "unauthorised_absence_rate": ("unauthorised",),
        "persistent_absence_rate": ("persistent",),
        "severe_absence_rate": ("severe",),
    }
    for code, (_, measure, phase, _, level) in CODES.items():
        text = said[code].lower().replace("absentees", "absence absentees")
        assert all(word in text for word in words[measure]), code
        assert ("unauthorised" in text) == (measure == "unauthorised_absence_rate")
        assert ("severe" in text) == (measure == "severe_absence_rate")
        if phase != ALL_SCHOOLS:
            assert phase.lower() in text
        if level == "4":
            assert "4 year" in text


def test_reasons_of_the_tidy_table_are_in_the_data_dictionary(real):
    rows = read_metadata(real / "metadata/data-dictionary.csv")
    known = {(r["filter_item_parent"], r["filter_item"]) for r in rows if r["col_name"] == "attendance_reason"}
    assert set(TIDY) <= known
    ours = {reason for measure, reason in TIDY.values() if measure == "reason_rate"}
    assert ours == set(REASONS) - {"not_required_x"}
    assert {measure for measure, _ in TIDY.values()} - {"reason_rate"} == set(MEASURES) - {"persistent_absence_rate"}


def test_the_named_bands_are_those_of_the_metadata(real):
    from attendance_toolkit.loaders.published._bands import _NAMED
    from attendance_toolkit.loaders.published._layouts import LAYOUTS

    rows = read_metadata(real / (BANDS + "absence_bands_distributions.meta.csv"))
    indicators = [row["col_name"] for row in rows if row["col_type"] == "Indicator"]
    assert indicators == list(_NAMED)
    layout = next(layout for layout in LAYOUTS if layout.name == "absence_bands_named")
    assert layout.needs <= {row["col_name"] for row in rows} | {"time_period", "time_identifier", "geographic_level"}
