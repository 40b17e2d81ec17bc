"""read_published on tiny files: recognition, levels, symbols, bad input, editions, saving."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance_toolkit.errors import StoreError, UnknownAreaError, UnreadableFileError
from attendance_toolkit.loaders.published import (
    NOT_REQUIRED,
    Published,
    area_codes,
    read_metadata,
    read_published,
)
from attendance_toolkit.loaders.published._files import Source
from attendance_toolkit.loaders.published._values import Cells
from attendance_toolkit.vocabulary.columns import (
    BAND_COLUMNS,
    CELL_COUNTS,
    MEASURE_CORE,
    PUBLISHED_GROUPS,
)
from attendance_toolkit.vocabulary.symbols import SYMBOL_SPELLINGS, read_value

BANDS_ROW = (
    'Academic year,202223,Local authority,E92000001,England,North West,E12000002,358,"E08000009           ",Trafford,'
    "State-funded primary,Eligible,Any special educational need,Female,6,100,20,6,5,4,3,2,1,0,0,9"
)
LAIT_HEADER = "Short Desc,Data item,Years,LA and Regions,Values,LA Number,Region"
LAIT = f"""{LAIT_HEADER}
SFPriPerAbNew,,2023,Trafford,11.390000000000001,358,North West
SFPriPerAbNew,,2023,England,16.21,970,NA
TotAbs,,2023,London (Inner),-,987,NA
TotAbs,,2023,Yorkshire and the Humber,7.6,982,NA
PriExclusions,,2023,Trafford,9.1,358,North West
"""
GEO_HEADER = (
    "time_period,time_identifier,geographic_level,country_code,country_name,region_code,region_name,old_la_code,"
    "new_la_code,la_name,{phase},enrolments,sess_possible,sess_overall,sess_authorised,sess_unauthorised,"
    "enrolments_pa_10_exact"
)
ATTENDANCE_HEADER = (
    "time_period,time_identifier,geographic_level,country_code,country_name,region_code,region_name,new_la_code,"
    "la_name,old_la_code,school_type,possible_sessions,overall_attendance,overall_absence,authorised_absence,"
    "unauthorised_absence,late_sessions,reason_i_authorised_illness,reason_d_aea_dual_registration,"
    "reason_x_not_attending_covid_non_compulsory,attendance_perc,overall_absence_perc,authorised_absence_perc,"
    "unauthorised_absence_perc,illness_perc,covid_non_compulsory_perc,pa_perc"
)


def geography(*rows: str, phase: str = "school_type", extra: str = "") -> str:
    return "\n".join([GEO_HEADER.format(phase=phase) + extra, *rows]) + "\n"


def geo_row(numbers: str, *, year: int = 201819, level: str = "Local authority", phase: str = "Total") -> str:
    return (
        f"{year},Academic year,{level},E92000001,England,E12000002,North West,358,E08000009,Trafford,{phase},{numbers}"
    )


def write(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


# --- reading -------------------------------------------------------------------------------------------


def test_bands_are_recognised_without_a_header_and_under_any_name(tmp_path):
    path = tmp_path / "download (3).csv.gz"
    path.write_bytes(gzip.compress(("\ufeff" + BANDS_ROW + "\n").encode()))
    cells = read_published([path]).cells
    row = cells.iloc[0]
    assert list(cells.columns) == [*PUBLISHED_GROUPS, *CELL_COUNTS, "source_file", "source_row"]
    assert row[list(PUBLISHED_GROUPS)].tolist() == [
        "census", "absence_bands", 202223, "year", "E08000009", "Local authority", "Primary", "6", "Female",
        "FSM eligible", "Any SEN", "All", "All",
    ]  # fmt: skip
    assert row[list(BAND_COLUMNS)].tolist() == [100, 20, 6, 5, 4, 3, 2, 1, 0, 0, 9]
    assert (row["enrolments"], row["persistent_absentees"], row["severe_absentees"]) == (150, 30, 9)
    assert pd.isna(row["sessions_possible"])
    assert (row["source_file"], row["source_row"]) == (path.name, 1)


def test_time_series_years_are_end_years_and_symbols_stay(tmp_path):
    published = read_published([write(tmp_path, "x.csv", LAIT)])
    rates = published.rates.set_index(["area_code", "measure"])
    assert set(MEASURE_CORE) <= set(published.rates.columns)
    assert set(published.rates["academic_year"]) == {202223}
    trafford = rates.loc[("E08000009", "persistent_absence_rate")]
    assert (trafford["phase"], trafford["printed"], trafford["decimals"]) == ("Primary", "11.39", 2)
    assert trafford["rate"] == pytest.approx(0.1139, abs=1e-15)
    inner = rates.loc[("E13000001", "overall_absence_rate")]
    assert pd.isna(inner["rate"])
    assert inner["symbol"] == "x"
    assert inner["printed"] == "-"
    assert rates.loc[("E12000003", "overall_absence_rate"), "area_level"] == "Regional"
    # Numbers from 970 are DfE's for England and the regions, although other authorities may have them too.
    assert ("E92000001", "persistent_absence_rate") in rates.index
    assert published.provenance[0].left_out[0][1] == 1


def test_geography_reads_both_names_of_the_phase_and_severe_absence(tmp_path):
    text = geography(
        geo_row("100,1000,90,60,30,12,3", year=202324, phase="Total"), phase="education_phase",
        extra=",enrolments_pa_50_exact",
    )  # fmt: skip
    row = read_published([write(tmp_path, "g.csv", text)]).cells.iloc[0]
    assert (row["phase"], row["persistent_absentees"], row["severe_absentees"]) == ("All schools", 12, 3)
    assert (row["sessions_authorised"], row["sessions_unauthorised"]) == (60, 30)


def test_symbols_of_counts_are_missing_values_with_a_row_in_symbols(tmp_path):
    text = geography(geo_row("100,1000,c,c,c,c"), geo_row("50,500,10,5,5,k", phase="Special"))
    published = read_published([write(tmp_path, "g.csv", text)])
    assert published.cells["persistent_absentees"].isna().all()
    assert published.cells["sessions_possible"].tolist() == [1000, 500]
    symbols = published.symbols.set_index(["phase", "count"])["symbol"]
    assert symbols["All schools", "persistent_absentees"] == "c"
    assert symbols["Special", "persistent_absentees"] == "k"
    assert len(symbols) == 4


def test_years_of_five_half_terms_have_a_period_of_their_own(tmp_path):
    text = geography(
        geo_row("100,1000,90,60,30,12,five half terms", year=201112),
        geo_row("100,1000,90,60,30,12,six half terms", year=201213),
        extra=",year_breakdown",
    )
    assert read_published([write(tmp_path, "g.csv", text)]).cells["period"].tolist() == [
        "year, five half terms",
        "year",
    ]


def test_extended_holiday_joins_holiday_and_schools_are_kept_apart(tmp_path):
    text = geography(
        geo_row("100,1000,90,60,30,12,7,2,,"),
        geo_row("100,1000,90,60,30,12,7,:,,", phase="Special"),
        geo_row("9,90,9,6,3,1,1,1,3582001,106301", level="School"),
        extra=",sess_auth_holiday,sess_auth_ext_holiday,laestab,urn",
    )
    published = read_published([write(tmp_path, "g.csv", text)])
    assert published.cells["sessions_auth_holiday"].tolist() == [9, 7]
    assert published.provenance[0].rows == 3
    assert published.provenance[0].left_out == ()
    school = published.schools.iloc[0]
    assert school[["laestab", "urn", "area_code", "area_level"]].tolist() == [
        3582001, 106301, "E08000009", "School",
    ]  # fmt: skip
    assert school[["enrolments", "sessions_auth_holiday", "sessions_overall"]].tolist() == [9, 2, 9]
    assert len(published.schools) == len(published.select(["Trafford"]).schools) == 1
    assert published.select(["Bury"]).schools.empty


def test_attendance_series_traps_of_2022_23(tmp_path):
    place = "202223,Academic year,Local authority,E92000001,England,E12000002,North West,E08000009,Trafford,358"
    text = (
        f"{ATTENDANCE_HEADER}\n"
        f"{place},Primary,1000,900,100,80,20,55,60,77,20,90,10,8,2,6,2,11.5\n"
        f"{place},Special,c,c,c,c,c,c,c,c,c,c,c,c,c,c,c,c\n"
        f"{place.replace('Local authority', 'National')},"
        "Total,1000,900,100,80,20,55,60,77,20,90.25,9.75,8,1.75,6,2,11.5\n"
    )
    rates = read_published([write(tmp_path, "a.csv", text)]).rates
    primary = rates[rates["phase"] == "Primary"].set_index(["measure", "reason"])
    # X marks are inside the authorised total and have a row of their own ...
    reasons = primary.loc["reason_rate", "numerator"]
    assert reasons.to_dict() == {"auth_illness": 60, NOT_REQUIRED: 20}
    assert reasons.sum() == primary.loc[("authorised_absence_rate", "All"), "numerator"] == 80
    # ... and neither the D column, named as an educational activity, nor late sessions go anywhere.
    assert not {55.0, 77.0} & set(rates["numerator"])
    assert primary.loc[("attendance_rate", "All"), ["numerator", "denominator"]].tolist() == [900, 1000]
    persistent = primary.loc[("persistent_absence_rate", "All")]
    assert persistent["rate"] == 0.115
    assert pd.isna(persistent["denominator"])
    assert persistent["printed"] == "11.5"
    special = rates[rates["phase"] == "Special"]
    assert (special["symbol"] == "c").all()
    assert special["rate"].isna().all()
    # A total weighted by headcount is not its sessions' ratio, so it has no sessions.
    total = rates[(rates["phase"] == "All schools") & (rates["measure"] == "attendance_rate")].iloc[0]
    assert total["rate"] == 0.9025
    assert pd.isna(total["numerator"])


def test_an_attendance_total_that_is_not_its_parts_is_refused(tmp_path):
    place = "202223,Academic year,Local authority,E92000001,England,E12000002,North West,E08000009,Trafford,358"
    text = f"{ATTENDANCE_HEADER}\n{place},Primary,1000,900,90,80,20,55,60,77,20,90,10,8,2,6,2,11.5\n"
    with pytest.raises(UnreadableFileError, match=r"a\.csv, row 2, possible_sessions: '1000' is not allowed\."):
        read_published([write(tmp_path, "a.csv", text)])


# --- areas ---------------------------------------------------------------------------------------------


def test_areas_are_kept_by_name_or_code_and_a_combined_authority_is_its_authorities(tmp_path):
    path = write(tmp_path, "x.csv", LAIT)
    assert set(read_published([path], areas=["Greater Manchester"]).rates["area_code"]) == {"E08000009"}
    assert set(read_published([path], areas=["E92000001"]).rates["area_code"]) == {"E92000001"}
    assert len(area_codes(["Greater Manchester"])) == 10
    with pytest.raises(UnknownAreaError, match="Did you mean 'Trafford'"):
        read_published([path], areas=["Traford"])


def test_an_authority_with_a_new_code_keeps_one_series(tmp_path):
    old = geo_row("100,1000,90,60,30,12", year=202324).replace("358,E08000009,Trafford", "370,E08000016,Barnsley")
    new = geo_row("100,1000,90,60,30,12", year=202526).replace("358,E08000009,Trafford", "370,E08000038,Barnsley")
    published = read_published([write(tmp_path, "g.csv", geography(old, new))])
    assert published.cells["area_code"].nunique() == 1
    for name in ("Barnsley", "E08000016", "E08000038"):
        assert len(published.select([name]).cells) == 2


# --- bad input -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("16.21", "16,2l", r"x\.csv, row 3 has 8 fields, but the first has 7\."),
        ("16.21", "16.2l", r"x\.csv, row 3, values: '16\.2l' is not allowed\. Use a percentage from 0 to 100, or"),
        ("16.21", "116.21", r"x\.csv, row 3, values: '116\.21' is not allowed"),
        ("16.21", "-1", r"x\.csv, row 3, values: '-1' is not allowed"),
        ("16.21", "inf", r"x\.csv, row 3, values: 'inf' is not allowed"),
        (",2023,England", ",2023/24,England", r"x\.csv, row 3, years: '2023/24' is not allowed\. Use an academic year"),
        ("Trafford,11.390000000000001,358", "Nowhere,11.39,357b", r"x\.csv, row 2, LA Number: '357b' is not allowed"),
    ],
)  # fmt: skip
def test_a_bad_cell_is_named_with_file_row_column_value(tmp_path, old, new, message):
    with pytest.raises(UnreadableFileError, match=message):
        read_published([write(tmp_path, "x.csv", LAIT.replace(old, new))])


@pytest.mark.parametrize(
    ("numbers", "phase", "message"),
    [
        ("100.5,1000,90,60,30,12", "Total", "row 2, enrolments: '100.5' is not allowed. Use a whole number"),
        ("100,1000,90,60,30,-1", "Total", "row 2, enrolments_pa_10_exact: '-1' is not allowed"),
        ("100,1000,91,60,30,12", "Total", "row 2, sess_overall: '91' is not allowed. Use the sum of"),
        ("100,1000,90,60,30,12", "Nursery", "row 2, school_type: 'Nursery' is not allowed. Use one of: "),
        ("1e400,1000,90,60,30,12", "Total", "row 2, enrolments: '1e400' is not allowed"),
    ],
)  # fmt: skip
def test_a_bad_count_or_level_is_named(tmp_path, numbers, phase, message):
    with pytest.raises(UnreadableFileError) as caught:
        read_published([write(tmp_path, "g.csv", geography(geo_row(numbers, phase=phase)))])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x.csv is empty."),
        (b"\n \n", "x.csv is empty."),
        (LAIT.encode("utf-16"), "x.csv is in UTF-16. Save it as 'CSV UTF-8 (comma delimited)'."),
        (LAIT.replace("Inner", "\u00cenner").encode("latin-1"), "x.csv, row 4: the text is not UTF-8."),
        (LAIT.replace(",", ";").encode(), "x.csv is separated by semicolons. Save it separated by commas."),
        (LAIT.replace(",", "\t").encode(), "x.csv is separated by tabs. Save it separated by commas."),
        ((LAIT_HEADER + "\n").encode(), "x.csv has column names and no rows."),
        (LAIT.replace("Data item", "Years").encode(), "x.csv: the column 'years' is there more than once."),
        (LAIT.replace("16.21,970,NA", "16.21,970").encode(), "x.csv, row 3 has 6 fields, but the first has 7."),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_says_why(tmp_path, content, message):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError) as caught:
        read_published([path])
    assert message in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_named_file_without_a_layout_names_the_nearest(tmp_path):
    path = write(tmp_path, "x.csv", LAIT.replace("LA Number", "LA No"))
    with pytest.raises(UnreadableFileError, match=r"nearest known layout is LA time series .* has no column la number"):
        read_published([path])


def test_a_folder_lists_what_it_did_not_read(tmp_path):
    (tmp_path / "inner").mkdir()
    write(tmp_path / "inner", "x.csv", LAIT)
    write(tmp_path, "notes.csv", "a,b\n1,2\n")
    write(tmp_path, "empty.csv", "")
    write(tmp_path, "readme.txt", "not looked at")
    published = read_published([tmp_path])
    assert [(u.name, u.reason) for u in published.unrecognised] == [
        ("empty.csv", "empty.csv is empty. Download it again."),
        ("notes.csv", "no known layout"),
    ]
    assert [p.name for p in published.provenance] == ["x.csv"]


def test_a_missing_path_and_no_path(tmp_path):
    with pytest.raises(UnreadableFileError, match="does not exist"):
        read_published([tmp_path / "none.csv"])
    with pytest.raises(UnreadableFileError, match="No published file was given"):
        read_published([])


# --- editions ------------------------------------------------------------------------------------------


def test_two_copies_of_a_file_are_read_once(tmp_path):
    write(tmp_path, "a.csv", LAIT)
    write(tmp_path, "b.csv", LAIT)
    assert len(read_published([tmp_path]).rates) == 4


def test_the_edition_that_reaches_the_later_year_wins(tmp_path):
    write(tmp_path, "z_old.csv", geography(geo_row("100,1000,90,60,30,12", year=201718)))
    later = geography(geo_row("101,1000,90,60,30,12", year=201718), geo_row("99,900,90,60,30,12", year=201819))
    write(tmp_path, "a_new.csv", later)
    cells = read_published([tmp_path]).cells
    assert cells.set_index("academic_year")["enrolments"].to_dict() == {201718: 101, 201819: 99}


def test_editions_that_disagree_without_a_later_one_are_refused(tmp_path):
    write(tmp_path, "a.csv", geography(geo_row("100,1000,90,60,30,12")))
    write(tmp_path, "b.csv", geography(geo_row("101,1000,90,60,30,12")))
    with pytest.raises(UnreadableFileError, match=r"a\.csv \(row 2\) and b\.csv \(row 2\) give different figures"):
        read_published([tmp_path])


def test_the_same_figure_twice_in_a_file_is_refused(tmp_path):
    row = geo_row("100,1000,90,60,30,12")
    with pytest.raises(UnreadableFileError, match=r"g\.csv, row 3: .* is there more than once"):
        read_published([write(tmp_path, "g.csv", geography(row, row))])


# --- saving --------------------------------------------------------------------------------------------


def test_saved_figures_come_back_the_same(tmp_path):
    write(tmp_path, "x.csv", LAIT)
    write(tmp_path, "g.csv", geography(geo_row("100,1000,90,60,30,c")))
    write(tmp_path, "notes.csv", "a,b\n1,2\n")
    published = read_published([tmp_path])
    folder = published.save(tmp_path / "saved" / "figures")
    again = Published.open(published.save(folder))
    for name in ("cells", "rates", "symbols", "schools", "school_symbols"):
        pd.testing.assert_frame_equal(getattr(published, name), getattr(again, name))
    assert (again.provenance, again.unrecognised) == (published.provenance, published.unrecognised)
    some = Published.open(folder, areas=["Trafford"], years=["2022/23"])
    chosen = published.select(["Trafford"], ["2022/23"])
    pd.testing.assert_frame_equal(some.rates, chosen.rates)
    pd.testing.assert_frame_equal(some.cells, chosen.cells)
    assert [p.name for p in (tmp_path / "saved").iterdir()] == ["figures"]


def test_saving_never_replaces_something_else(tmp_path):
    published = read_published([write(tmp_path, "x.csv", LAIT)])
    with pytest.raises(StoreError, match="holds something else"):
        published.save(tmp_path)
    with pytest.raises(StoreError, match="does not hold saved"):
        Published.open(tmp_path)


def test_damaged_or_foreign_saved_figures_are_refused(tmp_path):
    folder = read_published([write(tmp_path, "x.csv", LAIT)]).save(tmp_path / "saved")
    (folder / "rates.parquet").write_bytes(b"nothing")
    with pytest.raises(StoreError, match="damaged"):
        Published.open(folder)
    (folder / "published.json").write_text('{"format": 99}', encoding="utf-8")
    with pytest.raises(StoreError, match="another version"):
        Published.open(folder)


def test_summary_says_what_is_covered(tmp_path):
    summary = read_published([write(tmp_path, "x.csv", LAIT)]).summary()
    assert summary.to_dict("records") == [
        {
            "series": "census", "dataset": "la_time_series", "academic_year": 202223, "period": "year",
            "local_authorities": 1, "regions": 2, "national": 1, "phases": "All schools, Primary",
        }
    ]  # fmt: skip
    assert read_published([write(tmp_path, "x.csv", LAIT)]).select(years=["2001/02"]).summary().empty


CONNECTION = duckdb.connect()


# --- cells are read as the vocabulary says -------------------------------------------------------------


@settings(deadline=None)
@given(st.one_of(st.sampled_from(sorted(SYMBOL_SPELLINGS)), st.text(max_size=6), st.integers(0, 99).map(str)))
def test_every_text_is_a_number_a_symbol_or_an_error_as_in_the_vocabulary(text):
    con = CONNECTION
    con.execute("CREATE OR REPLACE TABLE raw AS SELECT 2 AS source_row, CAST(? AS VARCHAR) AS v", [text])
    source = Source(Path("x.csv"), (), (), False)
    try:
        value, symbol = read_value(text)
    except ValueError:
        with pytest.raises(UnreadableFileError):
            Cells(con, source, percents=["v"])
        return
    if value is not None and not 0 <= value <= 100:
        return
    try:
        cells = Cells(con, source, percents=["v"])
    except UnreadableFileError:
        # Python alone reads 1_0, digits of other scripts and infinity as numbers.
        assert not text.strip().isascii() or "_" in text or value in (float("inf"),)
        return
    row = con.execute(f"SELECT {cells.symbol_of('v')} FROM raw").fetchone()
    assert row == (symbol,)


def test_a_file_that_describes_others_is_known_and_not_read(tmp_path):
    text = "col_name,col_type,label,indicator_grouping,indicator_unit,indicator_dp\nsex,Filter,Sex,,,\n"
    path = write(tmp_path, "data.csv", text)
    with pytest.raises(UnreadableFileError, match=r"data\.csv is recognised but not read: EES metadata.*no figures"):
        read_published([path])
    assert "it holds no figures" in read_published([tmp_path]).unrecognised[0].reason
    assert read_metadata(path)[0]["label"] == "Sex"
    with pytest.raises(UnreadableFileError, match=r"x\.csv does not describe a data file"):
        read_metadata(write(tmp_path, "x.csv", LAIT))


def test_a_blank_la_number_finds_no_area(tmp_path):
    """Areas without a DfE code must not be found by a blank one, nor must the name alone do."""
    with pytest.raises(UnreadableFileError, match=r"x\.csv, row 2, LA Number: '' is not allowed\. Use the DfE code"):
        read_published([write(tmp_path, "x.csv", LAIT.replace(",358,", ",,"))])


@pytest.mark.parametrize("cell", ["1_0", "inf", "nan", "12%", "0x10", "1e400"])
def test_what_only_a_programming_language_calls_a_number_is_refused(tmp_path, cell):
    with pytest.raises(UnreadableFileError, match=rf"x\.csv, row 2, values: '{cell}' is not allowed\."):
        read_published([write(tmp_path, "x.csv", LAIT.replace("11.390000000000001", cell))])


def test_a_number_in_scientific_notation_is_read(tmp_path):
    published = read_published([write(tmp_path, "x.csv", LAIT.replace("11.390000000000001", "1.139E+01"))])
    assert published.rates["rate"].dropna().round(9).tolist() == [0.1139, 0.1621, 0.076]


def test_a_nul_in_a_column_name_is_refused(tmp_path):
    text = LAIT.replace("Data item", "Data\0 item")
    with pytest.raises(UnreadableFileError, match=r"x\.csv holds bytes that are not text\. Download it again"):
        read_published([write(tmp_path, "x.csv", text)])
