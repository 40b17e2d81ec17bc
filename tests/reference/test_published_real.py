"""Our reading of DfE's published files against the files themselves and against each other."""

from __future__ import annotations

import csv
import runpy
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from attendance_toolkit.loaders.published import NOT_REQUIRED, read_published
from attendance_toolkit.vocabulary.areas import find_area, local_authorities_in
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, BAND_COLUMNS, CELL_COUNTS, MAIN_PHASES
from attendance_toolkit.vocabulary.comparators import comparators

LAIT = "lait_la_timeseries/lait_bds_long_absence_measures.csv"
GEOGRAPHY = "absence_annual_geography/Absence_3term201819_nat_reg_la.csv.gz"
ATTENDANCE = "attendance_fortnightly/EES_{}_data_{}.csv"


@pytest.fixture(scope="module")
def real(shared):
    return shared / "data" / "real"


@pytest.fixture(scope="module")
def published(real):
    return read_published([real])


def dataset(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    return frame[frame["dataset"] == name]


def census_rates(published) -> pd.DataFrame:
    """Return the time series of all pupils."""
    rates = dataset(published.rates, "la_time_series")
    return rates[rates["series"] == "census"]


def raw(path: Path, where: str = "TRUE") -> pd.DataFrame:
    """Read a file as text without any of our code."""
    query = f"SELECT * FROM read_csv(?, header = true, all_varchar = true) WHERE {where}"
    return duckdb.connect().execute(query, [str(path)]).df()


def numbers(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    return frame[list(names)].apply(pd.to_numeric, errors="coerce")


# --- LA time series ------------------------------------------------------------------------------------


def test_every_value_of_the_time_series_is_read_to_its_printed_digits(real, published):
    rates = dataset(published.rates, "la_time_series").set_index("source_row")
    groups = {"LAC_": "CLA 12 months at 31 March", "CIN": "CINO at 31 March", "CPP": "CPPO at 31 March", "4yr": "4"}
    apart = 0
    compared = symbols = 0
    with (real / LAIT).open(encoding="utf-8", newline="") as handle:
        for line, row in enumerate(csv.DictReader(handle), start=2):
            ours = rates.loc[line]
            group = next((level for code, level in groups.items() if row["Short Desc"].startswith(code)), ALL)
            # Pupils who are a group apart are never in a series with all pupils.
            assert ours["characteristic_level"] == group
            assert (ours["series"] == "census") == (group == ALL)
            apart += group != ALL
            end = int(row["Years"])
            assert ours["academic_year"] == (end - 1) * 100 + end % 100
            if row["Values"] in ("-", "NA", ""):
                assert pd.isna(ours["rate"])
                assert ours["symbol"] == "x"
                symbols += 1
                continue
            # The file holds 2-decimal numbers with the noise of a spreadsheet (4.0599999999999996).
            printed = Decimal(row["Values"]).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
            assert abs(printed - Decimal(row["Values"])) < Decimal("1e-12")
            assert Decimal(ours["printed"]) == printed
            assert Decimal(repr(round(float(ours["rate"]) * 100, 10))) == printed
            compared += 1
    # 20 measures, 170 areas, 10 years; ten more of groups, nine of them from 2016/17.
    assert (compared + symbols, apart) == (49_470, 9 * 1_530 + 1_700)


def test_names_of_the_time_series_lead_to_the_right_areas(real, published):
    rates = dataset(published.rates, "la_time_series").drop_duplicates("area_code").set_index("source_row")
    renamed = {
        "Bedford Borough": "Bedford",
        "Durham": "County Durham",
        "Kingston Upon Hull, City of": "Kingston upon Hull, City of",
        "Herefordshire": "Herefordshire, County of",
        "London (Inner)": "Inner London",
        "London (Outer)": "Outer London",
        "Yorkshire and the Humber": "Yorkshire and The Humber",
    }
    with (real / LAIT).open(encoding="utf-8", newline="") as handle:
        rows = dict(enumerate(csv.DictReader(handle), start=2))
    names = {row["LA and Regions"] for row in rows.values()}
    assert len(rates) == len(names) == 170
    for line, ours in rates.iterrows():
        name = rows[line]["LA and Regions"].removesuffix(" (Pre LG)")
        area = find_area(ours["area_code"])
        assert area.name == renamed.get(name, name)
        assert area.level == ours["area_level"]
        assert not area.is_synthetic


# --- absence bands -------------------------------------------------------------------------------------

#: Where the bands file and the time series differ: (area, year, phase, measure) -> (bands, time series).
KNOWN_DIFFERENCES = {
    ("Hillingdon", 202223, "Primary", "persistent"): ("19.26", "19.25"),
    ("Hillingdon", 202223, "Primary", "severe"): ("1.03", "1.02"),
    ("Merton", 202223, "Secondary", "severe"): ("1.62", "1.61"),
    ("Lewisham", 202223, ALL_SCHOOLS, "severe"): ("1.36", "1.35"),
    # The bands file already has 12 enrolments of 2018/19 under the new Dorset, which began in April 2019.
    ("Dorset", 201819, ALL_SCHOOLS, "severe"): ("0.92", "0.91"),
}


def as_the_publisher_rounds(numerator: int, denominator: int) -> Decimal:
    """Round to five decimals first: 31 of 13,778 is 0.224996%, published as 0.22500 and from there as 0.23."""
    five = (Decimal(100 * numerator) / Decimal(denominator)).quantize(Decimal("1e-5"), rounding=ROUND_HALF_UP)
    return five.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def bands_by_phase(published) -> pd.DataFrame:
    names = ["enrolments", "persistent_absentees", "severe_absentees"]
    bands = dataset(published.cells, "absence_bands")
    by_phase = bands.groupby(["academic_year", "area_code", "phase"])[names].sum(min_count=1)
    total = by_phase.groupby(["academic_year", "area_code"]).sum().assign(phase=ALL_SCHOOLS)
    return pd.concat([by_phase, total.set_index("phase", append=True)])


def test_persistent_and_severe_absence_of_the_bands_equal_the_time_series(published):
    bands = bands_by_phase(published)
    rates = census_rates(published)
    differences, compared, alone = {}, 0, set()
    for kind in ("persistent", "severe"):
        printed = rates[rates["measure"] == f"{kind}_absence_rate"]
        printed = printed.set_index(["academic_year", "area_code", "phase"])["printed"]
        for key, row in bands.iterrows():
            if printed[key] == "-":
                alone.add(find_area(key[1]).name)
                continue
            compared += 1
            ours = as_the_publisher_rounds(int(row[f"{kind}_absentees"]), int(row["enrolments"]))
            if ours != Decimal(printed[key]):
                year, code, phase = key
                differences[find_area(code).name, year, phase, kind] = (str(ours), printed[key])
    assert differences == KNOWN_DIFFERENCES
    assert set(bands.index.get_level_values(0)) == {201617, 201718, 201819, 202021, 202122, 202223}
    # The time series gives London as one region, the bands as two; Dorset: see above.
    assert alone == {"Inner London", "Outer London", "Dorset"}
    assert compared == 7_660


def test_inner_and_outer_london_of_the_bands_make_london_of_the_time_series(published):
    bands = bands_by_phase(published)
    rates = census_rates(published)
    london = rates[(rates["area_code"] == "E12000007") & rates["measure"].isin(["persistent_absence_rate"])]
    for row in london.itertuples():
        parts = [(row.academic_year, code, row.phase) for code in ("E13000001", "E13000002")]
        if parts[0] in bands.index:
            both = bands.loc[parts].sum()
            assert as_the_publisher_rounds(int(both["persistent_absentees"]), int(both["enrolments"])) == Decimal(
                row.printed
            )


def test_the_bands_add_up(published):
    bands = dataset(published.cells, "absence_bands")
    assert len(bands) == 211_553
    assert (bands[list(BAND_COLUMNS)].sum(axis=1) == bands["enrolments"]).all()
    names = ["enrolments", "persistent_absentees", "severe_absentees"]
    levels = bands.groupby(["academic_year", "phase", "area_level"])[names].sum().unstack("area_level")
    for name in names:
        assert (levels[name, "Local authority"] == levels[name, "National"]).all()
        assert (levels[name, "Regional"] == levels[name, "National"]).all()
    assert bands[[n for n in CELL_COUNTS if n.startswith("sessions")]].isna().all(axis=None)


# --- annual geography ----------------------------------------------------------------------------------


def test_geography_counts_give_the_percentages_dfe_prints(real, published):
    cells = dataset(published.cells, "annual_geography").set_index("source_row")
    file = raw(real / GEOGRAPHY)
    file.index = range(2, len(file) + 2)
    assert len(cells) == len(file) == 8_400
    overall = cells["sessions_authorised"] + cells["sessions_unauthorised"]
    for numerator, denominator, percent in (
        (overall, "sessions_possible", "sess_overall_percent"),
        (cells["sessions_authorised"], "sessions_possible", "sess_authorised_percent"),
        (cells["sessions_unauthorised"], "sessions_possible", "sess_unauthorised_percent"),
        (cells["persistent_absentees"], "enrolments", "enrolments_pa_10_exact_percent"),
    ):
        printed = file[percent]
        decimals = printed.str.partition(".")[2].str.len()
        ours = 100 * numerator.astype(float) / cells[denominator].astype(float)
        # National and regional figures are to one decimal, others to five.
        half = 0.5 * 10.0 ** -decimals.where(decimals > 1, 1)
        half = half.where(~file["geographic_level"].isin(["Local authority"]), half.clip(upper=0.05))
        assert ((ours - printed.astype(float)).abs() <= half + 1e-9).all()


def test_geography_phases_and_authorities_add_up(published):
    cells = dataset(published.cells, "annual_geography")
    names = [
        "enrolments",
        "sessions_possible",
        "sessions_authorised",
        "sessions_unauthorised",
        "persistent_absentees",
    ]
    levels = cells.groupby(["academic_year", "phase", "area_level"])[names].sum().unstack("area_level")
    recent = levels[levels.index.get_level_values(0) >= 201213]
    for name in names[1:4]:
        assert (recent[name, "Local authority"] == recent[name, "National"]).all()
        assert (recent[name, "Regional"] == recent[name, "National"]).all()
    wide = cells.pivot_table(
        index=["academic_year", "area_code"], columns="phase", values="sessions_possible", aggfunc="sum"
    )
    assert (wide[list(MAIN_PHASES)].sum(axis=1) == wide[ALL_SCHOOLS]).all()


def test_reasons_exceed_the_totals_in_a_few_rows_of_one_year_only(published):
    cells = dataset(published.cells, "annual_geography")
    over = {}
    for kind in ("auth", "unauth"):
        reasons = [n for n in CELL_COUNTS if n.startswith(f"sessions_{kind}_") and cells[n].notna().any()]
        assert len(reasons) >= 4
        excess = cells[reasons].sum(axis=1) - cells[f"sessions_{kind}orised"]
        over[kind] = (int((excess > 0).sum()), int(excess.max()), set(cells.loc[excess > 0, "academic_year"]))
    # So in DfE's file: at most 34 sessions of some 300,000. Callers may meet a remainder below 0.
    assert over == {"auth": (6, 34, {201213}), "unauth": (1, 6, {201213})}


def test_geography_and_bands_count_the_same_children(published):
    """The same release from two files: 2018/19 enrolments and persistent absentees by authority and phase."""
    cells = dataset(published.cells, "annual_geography")
    cells = cells[(cells["academic_year"] >= 201617) & (cells["area_level"] == "National")]
    bands = bands_by_phase(published)
    for row in cells.itertuples():
        other = bands.loc[(row.academic_year, row.area_code, row.phase)]
        # DfE rounds national counts to 5 or leaves out small schools of one file: well under 0.01%.
        assert abs(row.enrolments - other["enrolments"]) <= 10
        assert abs(row.persistent_absentees - other["persistent_absentees"]) <= 10


# --- attendance series ---------------------------------------------------------------------------------

YEARS = (202223, 202324, 202425)


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("part", ["ytd", "aut", "spr", "sum"])
def test_attendance_identities(real, part, year):
    file = raw(real / ATTENDANCE.format(part, year), "possible_sessions <> 'c'")
    n = numbers(file, *[c for c in file.columns if c.startswith("reason_") or c.endswith(("_sessions", "_absence"))])
    n["overall_attendance"] = pd.to_numeric(file["overall_attendance"])
    n["aea"] = pd.to_numeric(file["approved_educational_activity"])
    assert (n["overall_attendance"] + n["overall_absence"] == n["possible_sessions"]).all()
    assert (n["authorised_absence"] + n["unauthorised_absence"] == n["overall_absence"]).all()
    assert (n["present_sessions"] + n["aea"] == n["overall_attendance"]).all()
    assert (n["reason_present"] + n["reason_l_present_late_before_registers_closed"] == n["present_sessions"]).all()
    # The D column is named as an educational activity and is in no total.
    aea = [c for c in n if "_aea_" in c and c != "reason_d_aea_dual_registration"]
    assert (n[aea].sum(axis=1) == n["aea"]).all()
    unauthorised = ["reason_g_unauthorised_holiday", "reason_u_unauthorised_late_after_registers_closed",
                    "reason_o_other_unauthorised", "reason_n_no_reason_yet"]  # fmt: skip
    assert (n[unauthorised].sum(axis=1) == n["unauthorised_absence"]).all()
    authorised = n[[c for c in n if "_authorised_" in c]].sum(axis=1)
    if year == 202223:
        # X marks are inside the authorised total of this year only; what is left then is stray old marks.
        left = n["authorised_absence"] - authorised
        x = n["reason_x_not_attending_covid_non_compulsory"]
        assert (x <= left).all()
        assert x.sum() > 0.8 * left.sum()
        assert (x == left).mean() > 0.75
        assert ((left - x) / n["authorised_absence"]).max() < 0.013
    else:
        assert (authorised <= n["authorised_absence"]).all()
    late = n["reason_l_present_late_before_registers_closed"] + n["reason_u_unauthorised_late_after_registers_closed"]
    assert (late == n["late_sessions"]).all()


@pytest.mark.parametrize("year", YEARS)
def test_totals_are_phases_weighted_by_headcount(real, published, year):
    file = raw(real / ATTENDANCE.format("ytd", year), "geographic_level IN ('National', 'Regional')")
    file = file.assign(**numbers(file, "total_enrolments", "attendance_perc", "pa_perc"))
    rates = dataset(published.rates, "attendance_series")
    rates = rates[(rates["academic_year"] == year) & (rates["period"] == "year") & (rates["phase"] == ALL_SCHOOLS)]
    for code, rows in file.groupby(file["region_code"].fillna("E92000001").replace("", "E92000001")):
        phases = rows[rows["school_type"].isin(MAIN_PHASES)]
        weights = phases["total_enrolments"]
        for measure, column in (
            ("attendance_rate", "attendance_perc"),
            ("persistent_absence_rate", "pa_perc"),
        ):
            ours = rates[(rates["area_code"] == code) & (rates["measure"] == measure)].iloc[0]
            recomputed = (phases[column] * weights).sum() / weights.sum()
            assert ours["rate"] * 100 == pytest.approx(recomputed, abs=1e-6)


def test_attendance_rates_are_their_sessions_and_printed_text(published):
    rates = dataset(published.rates, "attendance_series")
    counted = rates[rates["numerator"].notna()]
    assert (counted["numerator"] / counted["denominator"] - counted["rate"]).abs().max() < 1e-9
    printed = rates[(rates["printed"] != "") & (rates["symbol"] == "")]
    assert (printed["printed"].astype(float) / 100 - printed["rate"]).abs().max() < 1e-12
    phases = rates[(rates["phase"] != ALL_SCHOOLS) & (rates["symbol"] == "")]
    assert phases.loc[phases["measure"] != "persistent_absence_rate", "numerator"].notna().all()
    wide = rates[(rates["reason"] == ALL) & rates["rate"].notna()].pivot_table(
        index=["academic_year", "period", "area_code", "phase"], columns="measure", values="rate"
    )
    whole = wide["attendance_rate"] + wide["authorised_absence_rate"] + wide["unauthorised_absence_rate"]
    assert (whole - 1).abs().max() < 1e-12
    x_years = rates.loc[rates["reason"] == NOT_REQUIRED, "academic_year"]
    assert set(x_years) == {202223}


def test_known_figures_of_trafford_and_england(published):
    rates = dataset(published.rates, "attendance_series")
    rates = rates[(rates["academic_year"] == 202324) & (rates["period"] == "year") & (rates["reason"] == ALL)]
    found = rates.set_index(["area_code", "phase", "measure"])["rate"].mul(100).round(3)
    for code, attendance, persistent in (
        ("E92000001", (94.472, 90.941, 87.001), (15.183, 26.749, 37.551)),
        ("E08000009", (95.340, 92.983, 88.293), (10.870, 18.194, 32.250)),
    ):
        for phase, att, pa in zip(MAIN_PHASES, attendance, persistent, strict=True):
            assert found[code, phase, "attendance_rate"] == pytest.approx(att, abs=1.1e-3)
            assert found[code, phase, "persistent_absence_rate"] == pytest.approx(pa, abs=1.1e-3)


# --- the folder as a whole -----------------------------------------------------------------------------


def test_every_greater_manchester_authority_and_southampton_is_there_in_every_census_year(published):
    names = [a.name for a in local_authorities_in(find_area("Greater Manchester"))] + ["Southampton"]
    rates = census_rates(published.select(names))
    years = set(rates["academic_year"]) - {201920}
    counted = rates[rates["academic_year"].isin(years)].groupby(["area_code", "academic_year"])["rate"].count()
    assert len(counted) == 11 * 9
    assert (counted == 20).all()


def test_what_is_not_read_says_why(published):
    reasons = {u.name: u.reason for u in published.unrecognised}
    assert reasons["las.csv"] == "no known layout"
    assert "it holds no figures" in reasons["absence_by_term.meta.csv"]
    # Every file of absence and attendance but for the social care groups, which have a reader of their own.
    assert len({p.name for p in published.provenance} - {"absence_six_half_terms_la_201617_202223.csv"}) >= 31


# --- reference values ----------------------------------------------------------------------------------


def test_the_committed_comparators_are_made_from_these_files(shared):
    script = Path(__file__).with_name("make_comparators.py")
    text = runpy.run_path(str(script))["make_comparators"](shared)
    committed = Path(__file__).resolve().parents[2] / "attendance_toolkit/vocabulary/reference/comparators.csv"
    assert text.encode() == committed.read_bytes()


def test_comparators_equal_the_published_rates(published):
    key = ["series", "academic_year", "area_code", "phase", "measure"]
    rates = published.rates[(published.rates["reason"] == ALL) & (published.rates["period"] == "year")]
    both = comparators().merge(rates, on=key, suffixes=("", "_file"))
    assert len(both) == 2_730
    assert (both["rate"] - both["rate_file"]).abs().max() < 1e-12
