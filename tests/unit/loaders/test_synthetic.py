"""Synthetic cohorts: reproducible, independent by area and year, and true to the planted truth."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import re
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.errors import ParameterError, UnknownAreaError
from attendance_toolkit.loaders.synthetic import (
    CODES,
    generate,
    make_synthetic,
    write_admissions,
    write_census_files,
    write_meetings,
    write_support_groups,
)
from attendance_toolkit.vocabulary.areas import area_of_laestab, find_area
from attendance_toolkit.vocabulary.register_codes import classify_code

AREAS = ["Aldermoor", "Irwell Bank"]


@pytest.fixture(scope="module")
def cohort():
    return generate("small", areas=AREAS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, cohort):
    target = tmp_path_factory.mktemp("synthetic")
    write_all(cohort, target)
    return target


def write_all(cohort, target: Path) -> None:
    for write in (write_census_files, write_admissions, write_support_groups, write_meetings):
        write(cohort, target)


def digests(folder: Path, pattern: str = "*") -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.glob(pattern))}


def read(folder: Path, pattern: str) -> pd.DataFrame:
    """Return matching files as one table of text, read by another program than wrote them."""
    text = "all_varchar=true, union_by_name=true, filename=true, delim=',', header=true, quote='', escape=''"
    query = (
        "select *, regexp_extract(filename, '[^/\\\\]+$') as file from read_csv("
        f"'{(folder / pattern).as_posix()}', {text})"
    )
    return duckdb.sql(query).df().drop(columns="filename")


# Reproducible


def test_same_seed_same_bytes(folder, tmp_path):
    write_all(generate("small", areas=AREAS), tmp_path)
    assert digests(tmp_path) == digests(folder)


def test_another_seed_other_bytes(folder, tmp_path):
    write_census_files(generate("small", seed=1, areas=["Irwell Bank"]), tmp_path)
    ours, theirs = digests(tmp_path, "989_*onroll.csv"), digests(folder, "989_*onroll.csv")
    assert ours.keys() == theirs.keys()
    assert all(ours[name] != theirs[name] for name in ours if "pupilonroll" in name)


def test_one_authority_is_the_same_alone(folder, tmp_path):
    make_synthetic(tmp_path, areas="Irwell Bank")
    assert digests(tmp_path) == digests(folder, "989_*")


def test_writing_one_authority_at_a_time_gives_the_same_files(folder, tmp_path):
    paths = make_synthetic(tmp_path, areas=AREAS)
    assert sorted(p.name for p in paths) == sorted(p.name for p in folder.iterdir())
    assert digests(tmp_path) == digests(folder)


def test_years_do_not_depend_on_the_years_asked_for(cohort, folder, tmp_path):
    one = generate("small", areas=["Aldermoor"], first_year="2022/23", last_year="2022/23")
    assert set(one.sessions["academic_year"]) == {202223}
    write_census_files(one, tmp_path)
    for name in ("981_2023_spring_la_pupilonroll.csv", "981_2023_autumn_academy_termlysessiondetailsonroll.csv"):
        assert digests(tmp_path)[name] == digests(folder)[name]


def test_all_ten_authorities_and_the_combined_authority():
    assert len(generate("small", areas="Greater Weirdale").areas) == 10
    assert [a.name for a in generate("small", areas=["989", "E08900001"]).areas] == ["Aldermoor", "Irwell Bank"]


# Refusals


def test_unknown_size():
    with pytest.raises(ParameterError, match="Did you mean 'sample'"):
        generate("sampel")


def test_years_outside():
    with pytest.raises(ParameterError, match="202122 to 202324"):
        generate("small", first_year="2019/20")


def test_real_authority_is_refused():
    with pytest.raises(UnknownAreaError, match="fictitious"):
        generate("small", areas=["Trafford"])


def test_misspelt_authority():
    with pytest.raises(UnknownAreaError, match="Irwell Bank"):
        generate("small", areas=["Irwel Bank"])


# Pupils and schools


def test_schools_are_invented_and_in_their_authority(cohort):
    schools = cohort.schools
    assert schools["school_name"].str.endswith("(synthetic)").all()
    assert schools["school_name"].is_unique
    assert schools["urn"].between(900000, 999999).all()
    assert schools["urn"].is_unique
    assert schools["laestab"].is_unique
    assert all(area_of_laestab(k).code == code for k, code in zip(schools["laestab"], schools["la_code"], strict=True))
    counts = schools.groupby(["la_code", "phase"], observed=True).size().unstack()
    assert (counts >= [4, 2, 1, 1]).all(axis=None)


def check_letter(upn: str) -> str:
    """The rule of the Government Data Standards Catalogue, written out again."""
    letters = "ABCDEFGHJKLMNPQRTUVWXYZ"
    values = [letters.index(c) if c in letters else int(c) for c in upn[1:]]
    return letters[sum(place * value for place, value in enumerate(values, start=2)) % 23]


@pytest.mark.parametrize("upn", ["B801200005001", "R201100018042", "H801200001001"])
def test_the_check_letter_rule_of_these_tests(upn):
    assert check_letter(upn) == upn[0]


def test_upns_are_valid_and_unique():
    upns = generate("sample", areas=["Brackwell"]).pupils["upn"]
    assert upns.is_unique
    assert upns.str.fullmatch(r"[A-Z]\d{11}[\dA-Z]").all()
    assert all(check_letter(upn) == upn[0] for upn in upns)
    temporary = upns.str.contains(r"[A-Z]$", regex=True)
    assert 0 < temporary.sum() < 0.005 * len(upns)


def test_ages_fit_year_groups(cohort):
    pupils = cohort.pupils
    age = pupils["reception_year"] - pupils["birth_date"].dt.year
    after_august = pupils["birth_date"].dt.month >= 9
    assert (age - after_august == 4).all()  # four on 31 August before Reception


def test_every_key_once(cohort):
    keys = cohort.sessions[["enrolment", "academic_year", "half_term"]].copy()
    stays = cohort.enrolments.iloc[keys["enrolment"].to_numpy()]
    keys["pupil"], keys["laestab"] = stays["pupil"].to_numpy(), stays["laestab"].to_numpy()
    assert not keys.duplicated(["pupil", "laestab", "academic_year", "half_term"]).any()


def test_stays_do_not_overlap_but_for_dual_registration(cohort):
    main = cohort.enrolments[~cohort.enrolments["is_subsidiary"]].sort_values(["pupil", "entry_date"])
    same = main["pupil"].to_numpy()[1:] == main["pupil"].to_numpy()[:-1]
    left = main["leaving_date"].to_numpy()[:-1]
    assert (main["entry_date"].to_numpy()[1:][same] > left[same]).all()
    assert (main["leaving_date"].isna() | (main["leaving_date"] >= main["entry_date"])).all()


def test_sessions_fit_the_calendar(cohort):
    sessions = cohort.sessions
    total = sessions[list(CODES)].sum(axis=1) - sessions["Y"]
    total -= np.where(sessions["academic_year"] > 202122, sessions["X"], 0)
    whole = sessions["half_term"].astype(str).map({"1-2": 142, "3-4": 118, "5": 56, "6": 64})
    assert (total <= whole).all()
    assert (total == whole).mean() > 0.95
    assert (total % 2 == 0).all()


def test_codes_existed_and_covid_ends(cohort):
    days = {"1-2": (10, 4), "3-4": (2, 4), "5": (5, 4), "6": (6, 4)}
    for (year, half), rows in cohort.sessions.groupby(["academic_year", "half_term"], observed=True):
        month, day = days[str(half)]
        date = dt.date(year // 100 + (month < 9), month, day)
        for code in [c for c in CODES if rows[c].any()]:
            _, outdated = classify_code(code, date)
            assert not outdated
    covid = cohort.sessions.groupby(["academic_year", "half_term"], observed=True)["X"].sum()
    assert covid[(202122, "1-2")] > covid[(202122, "3-4")] > 0
    assert covid[(202122, "5")] == 0


def test_dual_registration_splits_the_sessions():
    cohort = generate("sample", areas=["Castleford Vale"])
    stays = cohort.enrolments
    dual = stays[stays["is_subsidiary"]]
    assert len(dual) > 10
    rows = cohort.sessions[cohort.sessions["enrolment"].isin(dual.index)].copy()
    rows["pupil"] = stays["pupil"].to_numpy()[rows["enrolment"]]
    other = cohort.sessions[~cohort.sessions["enrolment"].isin(dual.index)].copy()
    other["pupil"] = stays["pupil"].to_numpy()[other["enrolment"]]
    both = rows.merge(other, on=["pupil", "academic_year", "half_term"], suffixes=("_unit", "_main"))
    assert len(both) > 0.9 * len(rows)
    attended_or_absent = [c for c in CODES if c not in ("X", "D", "Y")]
    at_unit = both[[f"{c}_unit" for c in attended_or_absent]].sum(axis=1)
    at_unit += both["X_unit"]  # covid, counted in possible sessions; nobody at the unit is in Reception
    assert (both["D_main"] == at_unit).all()
    assert (both["D_unit"] > 0).any()
    assert ((at_unit > 0) & (both["D_unit"] == 0)).any()  # wholly placed out


# Files


def test_layout_of_a_return(folder):
    expected = {
        "school",
        "schoolcensus",
        "pupilonroll",
        "pupilnolongeronroll",
        "termlysessiondetailsonroll",
        "termlysessiondetailsoffroll",
    }
    second = {"summerhalfterm2sessiondetailsonroll", "summerhalfterm2sessiondetailsoffroll", "fsmperiodsonroll"}
    for sector in ("la", "academy"):
        names = [p.stem.removeprefix(f"981_2023_spring_{sector}_") for p in folder.glob(f"981_2023_spring_{sector}_*")]
        assert set(names) == expected | {"fsmperiod"}
        names = [p.stem.removeprefix(f"981_2023_autumn_{sector}_") for p in folder.glob(f"981_2023_autumn_{sector}_*")]
        assert set(names) == expected | second
    terms = {tuple(p.name.split("_")[1:3]) for p in folder.glob("981_2*")}
    assert len(terms) == 10
    assert ("2021", "autumn") in terms
    assert ("2024", "autumn") in terms


def test_headers_change_with_the_returns(folder):
    def header(name):
        with (folder / name).open(encoding="utf-8", newline="") as handle:
            return next(csv.reader(handle))

    early, late = header("981_2023_spring_la_pupilonroll.csv"), header("981_2023_summer_la_pupilonroll.csv")
    assert "gender" in early
    assert "sex" not in early
    assert "sex" in late
    assert "ethnicity" in early
    assert "ethnicity" not in late
    autumn = header("981_2023_autumn_la_pupilonroll.csv")
    assert {"summerhalfterm2sessionspossible", "termlysessionspossible", "ncyearactual"} <= set(autumn)
    gone = header("981_2023_autumn_la_pupilnolongeronroll.csv")
    assert {"leavingdate", "ncyearleaving", "pupilnolongeronrolltableid"} <= set(gone)
    assert "ncyearactual" not in gone


def test_values_of_a_roll(folder):
    roll = read(folder, "981_*_pupilonroll.csv")
    assert roll["dob"].str.fullmatch(r"\d{4}-[A-Z][a-z]{2}-\d{2} 00:00:00").all()
    assert set(roll["enrolstatus"]) <= {"C", "M", "S"}
    assert set(roll["senprovision"].dropna()) == {"N", "K", "E"}
    assert set(roll["ncyearactual"].dropna()) == {"R", *map(str, range(1, 12))}
    assert set(roll["surname"]) == {"Synthetic"}
    spring = roll[roll["file"].str.contains("spring")]
    assert {"REFU", "WBRI"} <= set(spring["ethnicity"].dropna()) | {"REFU"}
    assert roll.groupby("file")["pupilonrolltableid"].apply(lambda s: s.is_unique).all()


def test_missing_attributes_at_sample_size():
    pupils = generate("sample", areas=["Aldermoor"]).pupils
    assert 0.002 < pupils["ethnicity_recorded"].isna().mean() < 0.01
    assert pupils["ethnicity_recorded"].isin(["REFU", "NOBT"]).mean() > 0.005
    assert pupils["sen_recorded"].isna().any()
    assert pupils["is_boarder"].any()
    assert ((~pupils["is_fsm"]) & pupils["fsm_end"].notna()).mean() > 0.02  # ever six only


def test_reference_dates_and_terms(folder):
    census = read(folder, "981_*_schoolcensus.csv")
    assert set(census["collection"]) == {"SC"}
    spring = census[census["file"].str.startswith("981_2023_spring")]
    assert set(spring["referencedate"]) == {"2023-Jan-19 00:00:00"}
    assert set(spring["term"]) == {"SPR"}


def test_the_lag_of_the_autumn_return(folder, cohort):
    """October's roll has the new year groups; the sessions on it are last summer's, of pupils who stayed."""
    on = read(folder, "98?_2022_autumn_*_pupilonroll.csv")
    off = read(folder, "98?_2022_autumn_*_pupilnolongeronroll.csv")
    secondary = on["nativeid"].str[3].eq("4")
    year7 = on[secondary & (on["ncyearactual"] == "7")]
    assert len(year7) > 20
    assert year7["termlysessionspossible"].isna().all()
    assert year7["summerhalfterm2sessionspossible"].isna().all()
    reception = on[on["ncyearactual"] == "R"]
    assert reception["termlysessionspossible"].isna().all()
    year8 = on[secondary & (on["ncyearactual"] == "8")]
    assert year8["termlysessionspossible"].eq("56").mean() > 0.85
    leavers = off[off["nativeid"].str[3].eq("2") & (off["ncyearleaving"] == "6")]
    assert leavers["summerhalfterm2sessionspossible"].eq("64").mean() > 0.85
    assert leavers["upn"].isin(year7["upn"]).mean() > 0.8
    year11 = off[off["ncyearleaving"] == "11"]
    assert year11["termlysessionspossible"].eq("56").mean() > 0.7
    assert year11["summerhalfterm2sessionspossible"].isna().mean() > 0.5
    assert not on["upn"].isin(off.loc[off["ncyearleaving"] == "11", "upn"]).any()


def test_on_roll_and_off_roll_by_census_day(folder):
    on, off = read(folder, "981_2023_s*_pupilonroll.csv"), read(folder, "981_2023_s*_pupilnolongeronroll.csv")

    def day(text):
        return pd.to_datetime(text, format="%Y-%b-%d 00:00:00")

    census = {"spring": pd.Timestamp("2023-01-19"), "summer": pd.Timestamp("2023-05-18")}
    assert (day(on["entrydate"]) <= on["file"].str.split("_").str[2].map(census)).all()
    assert (day(off["leavingdate"]) < off["file"].str.split("_").str[2].map(census)).all()
    assert off["termlysessionspossible"].notna().all()


@pytest.mark.parametrize("half_term", ["1-2", "3-4", "5", "6"])
def test_files_hold_every_session_of_the_cohort(folder, cohort, half_term):
    """Totals by code, read back with another program, equal the cohort's."""
    kind = {"1-2": "spring", "3-4": "summer", "5": "autumn", "6": "autumn"}[half_term]
    table = "summerhalfterm2sessiondetails" if half_term == "6" else "termlysessiondetails"
    found = read(folder, f"98?_202[234]_{kind}_*_{table}o*roll.csv")
    found["year"] = found["file"].str[4:8].astype(int).map(lambda y: (y - 1) * 100 + y % 100)
    got = found.astype({"sessions": int}).groupby(["year", "attendancereason"])["sessions"].sum()
    mine = cohort.sessions[cohort.sessions["half_term"] == half_term]
    want = mine.groupby("academic_year")[list(CODES)].sum().stack()
    want = want[want > 0]
    loose = {"O", "C"}  # a few rows are unclassified on purpose
    for key, value in want.items():
        if key[1] in loose:
            assert 0.97 * value <= got.get(key, 0) <= value
        else:
            assert got[key] == value
    assert set(got.index) <= set(want.index)


def test_supplied_totals_equal_the_codes_but_where_unclassified(folder):
    roll = read(folder, "981_2023_spring_la_pupilonroll.csv")
    detail = read(folder, "981_2023_spring_la_termlysessiondetailsonroll.csv").astype({"sessions": int})
    assert set(detail["pupilonrolltableid"]) <= set(roll["pupilonrolltableid"])
    wide = detail.pivot_table(
        index="pupilonrolltableid", columns="attendancereason", values="sessions", aggfunc="sum", fill_value=0
    )
    totals = roll.set_index("pupilonrolltableid").loc[wide.index]
    authorised = wide.reindex(columns=list("IMRSTHEC"), fill_value=0).sum(axis=1)
    unauthorised = wide.reindex(columns=list("GUON"), fill_value=0).sum(axis=1)
    attended = wide.reindex(columns=["/", "\\", *"LBJPVW"], fill_value=0).sum(axis=1)
    supplied = totals["termlysessionsauthorised"].astype(int), totals["termlysessionsunauthorised"].astype(int)
    assert ((authorised == supplied[0]) & (unauthorised == supplied[1])).mean() > 0.98
    assert (authorised <= supplied[0]).all()
    assert (unauthorised <= supplied[1]).all()
    assert (totals["termlysessionspossible"].astype(int) == attended + supplied[0] + supplied[1]).all()


def test_fsm_periods_belong_to_the_roll(folder, cohort):
    periods = read(folder, "981_2023_spring_la_fsmperiod.csv")
    roll = read(folder, "981_2023_spring_la_pupilonroll.csv")
    assert set(periods["ukcountry"]) == {"ENG"}
    current = periods[periods["fsmenddate"].isna()].merge(roll, on="pupilonrolltableid")
    fsm = cohort.pupils.set_index("upn").loc[current["upn"], "is_fsm"]
    assert fsm.all()
    assert 0.1 < len(current) / len(roll) < 0.6


def test_flags_file(folder, cohort):
    flags = read(folder, "981_pupil_flags.csv")
    assert list(flags.columns[:4]) == ["upn", "academic_year", "looked_after", "social_worker"]
    assert set(flags["looked_after"]) <= {"Yes", "No"}
    assert not flags.duplicated(["upn", "academic_year"]).any()
    assert set(flags["academic_year"]) == {"202122", "202223", "202324"}


# Lists of pupils


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """The lists of one authority of the size of the demonstration, with the cohort they are of."""
    cohort = generate("sample", areas=["Irwell Bank"])
    target = tmp_path_factory.mktemp("lists")
    write_admissions(cohort, target)
    write_support_groups(cohort, target)
    return cohort, target


def secondary_entrants(cohort, year: int) -> pd.DataFrame:
    """Return who enters Year 7 of a secondary school in a September, told from the stays by pandas."""
    stays = cohort.enrolments.merge(cohort.schools[["laestab", "phase"]], on="laestab")
    stays["upn"] = cohort.pupils["upn"].to_numpy()[stays["pupil"]]
    stays["reception_year"] = cohort.pupils["reception_year"].to_numpy()[stays["pupil"]]
    stays = stays[(stays["phase"] == "SS") & (stays["reception_year"] == year // 100 - 7) & ~stays["is_subsidiary"]]
    return stays[stays["entry_date"].between(f"{year // 100}-08-01", f"{year // 100}-09-30")]


def test_offers_are_mostly_of_the_school_pupils_come_to(listed):
    cohort, folder = listed
    offers = read(folder, "989_school_offers.csv")
    assert set(offers["academic_year"]) == {"202122", "202223", "202324", "202425"}
    assert not offers.duplicated(["upn", "academic_year"]).any()
    assert set(offers["offered_laestab"]) <= set(
        cohort.schools.loc[cohort.schools["phase"] == "SS", "laestab"].astype(str)
    )
    everyone = pd.concat(
        [secondary_entrants(cohort, int(y)).assign(academic_year=y) for y in set(offers["academic_year"])]
    )
    both = everyone.merge(offers, on=["upn", "academic_year"], how="outer", indicator=True)
    assert not (both["_merge"] == "right_only").any()
    # 2% and 3% of 1,600: within three standard errors.
    missing = (both["_merge"] == "left_only").mean()
    found = both[both["_merge"] == "both"]
    other = (found["laestab"].astype(int) != found["offered_laestab"].astype(int)).mean()
    assert missing == pytest.approx(0.03, abs=3 * (0.03 * 0.97 / len(both)) ** 0.5)
    assert other == pytest.approx(0.02, abs=3 * (0.02 * 0.98 / len(found)) ** 0.5)


def test_supported_pupils_were_persistently_absent_in_year_6(listed):
    cohort, folder = listed
    supported = read(folder, "989_support_groups.csv")
    assert supported[["academic_year", "support_group"]].drop_duplicates().to_numpy().tolist() == [
        ["202324", "Transition mentors"]
    ]
    assert supported["upn"].nunique() == len(supported) == 28
    assert set(supported["upn"]) <= set(secondary_entrants(cohort, 202324)["upn"])
    rows = cohort.sessions[cohort.sessions["academic_year"] == 202223]
    codes = {"absent": list("IMRSTHECGUON"), "possible": [*"/\\LBJPVW", *"IMRSTHECGUON"]}
    sums = pd.DataFrame({name: rows[listed].sum(axis=1) for name, listed in codes.items()})
    sums["upn"] = cohort.pupils["upn"].to_numpy()[cohort.enrolments["pupil"].to_numpy()[rows["enrolment"]]]
    sums = sums.groupby("upn").sum()
    share = sums["absent"] / sums["possible"]
    assert share.loc[supported["upn"]].min() >= 0.1
    # Chosen among all of them, not the most absent ones.
    entrants = share.reindex(secondary_entrants(cohort, 202324)["upn"]).dropna()
    eligible = entrants[entrants >= 0.1]
    assert len(eligible) > 28
    assert eligible.drop(supported["upn"]).max() > share.loc[supported["upn"]].min()


def test_no_supported_pupils_without_both_years(tmp_path):
    assert write_support_groups(generate("small", areas=["Irwell Bank"], last_year="2022/23"), tmp_path) == []


def test_offers_do_not_depend_on_the_years_asked_for(folder, tmp_path):
    write_admissions(generate("small", areas=["Irwell Bank"], first_year="2022/23", last_year="2022/23"), tmp_path)
    every = (folder / "989_school_offers.csv").read_text(encoding="utf-8").splitlines()
    one = (tmp_path / "989_school_offers.csv").read_text(encoding="utf-8").splitlines()
    assert one[1:] == [line for line in every if line.split(",")[1] in ("202223", "202324")]


def test_no_real_authority_in_any_file(folder):
    real = re.compile("|".join(a for a in ("Trafford", "Bolton", "Salford", "Manchester", "Wigan")))
    assert not any(real.search(p.read_text(encoding="utf-8")) for p in folder.glob("*_school.csv"))
    assert all(find_area(p.name[:3]).is_synthetic for p in folder.iterdir())
