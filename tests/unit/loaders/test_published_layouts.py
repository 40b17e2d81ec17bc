"""Layouts of published files of which no real copy is at hand, and workbooks: tiny files with planted figures."""

from __future__ import annotations

import openpyxl
import pytest

from attendance_toolkit.errors import UnreadableFileError
from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders.published import period_kind, read_published, recognise
from attendance_toolkit.loaders.published._time_series import CODES
from attendance_toolkit.vocabulary.areas import find_area
from attendance_toolkit.vocabulary.characteristics import characteristic_levels
from attendance_toolkit.vocabulary.columns import (
    FSM_STATUSES,
    LANGUAGES,
    PUBLISHED_GROUPS,
    SEN_PROVISIONS,
    SEXES,
)
from attendance_toolkit.vocabulary.measures import MEASURES
from attendance_toolkit.vocabulary.series import SERIES

PLACE = "country_code,country_name,region_code,region_name,old_la_code,new_la_code,la_name"
TRAFFORD = "E92000001,England,E12000002,North West,358,E08000009,Trafford"


def write(folder, text: str, name: str = "x.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# --- bands with a header -------------------------------------------------------------------------------

EDGES = [f"enrolments_overall_{low}_{low + 5}" for low in range(0, 95, 5)]
NAMED = (
    f"time_period,time_identifier,geographic_level,{PLACE},phase_type_grouping,fsm_eligibility,sen_status,sex,nc_year,"
    + ",".join([*EDGES, "enrolments_overall_95_99", "enrolments_overall_100"])
)
#: 100 to 120: every band has a number of its own, so that none can be taken for another.
BAND_NUMBERS = list(range(100, 121))


def named_row(phase="State-funded primary", fsm="FSM eligible", sen="SEN support", sex="Female", year="Year 6"):
    numbers = ",".join(map(str, BAND_NUMBERS))
    return f"202425,Academic year,Local authority,{TRAFFORD},{phase},{fsm},{sen},{sex},{year},{numbers}"


def test_the_21_bands_become_the_11_of_the_toolkit(tmp_path):
    path = write(tmp_path, "\n".join([NAMED, named_row(), named_row(sex="Total")]) + "\n")
    assert recognise(look(path)).layout == "absence_bands_named"
    published = read_published([path])
    cell = published.cells.set_index("dataset").loc["absence_bands"]
    assert [cell[name] for name in ("phase", "nc_year", "sex", "fsm_eligible", "sen_provision")] == [
        "Primary", "6", "Female", "FSM eligible", "SEN support",
    ]  # fmt: skip
    assert cell["enrolments"] == sum(BAND_NUMBERS)
    assert cell["band_00_05"] == 100
    assert cell["band_45_50"] == 109
    assert cell["band_50_plus"] == cell["severe_absentees"] == sum(BAND_NUMBERS[10:])
    assert cell["persistent_absentees"] == sum(BAND_NUMBERS[2:])
    # A row with a total would count pupils twice, so it has a dataset of its own.
    assert published.cells["dataset"].tolist() == ["absence_bands", "absence_bands_totals"]
    full = published.rates.set_index("sex").loc["Female"]
    assert (full["measure"], full["numerator"], full["denominator"]) == ("full_absence_rate", 120, sum(BAND_NUMBERS))


def test_symbols_of_bands_are_kept(tmp_path):
    row = named_row().replace(",105,", ",c,")
    published = read_published([write(tmp_path, f"{NAMED}\n{row}\n")])
    assert published.cells["enrolments"].isna().all()
    assert published.symbols[["count", "symbol"]].to_numpy().tolist() == [["enrolments_overall_25_30", "c"]]


def test_a_repeated_row_of_the_early_bands_is_not_counted_twice(tmp_path):
    header = (
        "time_identifier,time_period,geographic_level,country_code,country_name,region_code,region_name,old_la_code,"
    )
    header += "la_name,school_type,FSM_eligible,Gender,NCyearActual,Absence_band,TotalPupils"
    rows = [
        f"Academic year,201718,National,E92000001,England,NA,NULL,NA,NULL,Primary,FSM eligible,F,6,pct{band}_OARate,{n}"
        for n, band in enumerate([*range(5, 55, 5), "50plus"], start=1)
    ]
    path = write(tmp_path, "\n".join([header, *rows]) + "\n")
    cell = read_published([path]).cells.iloc[0]
    assert cell[["enrolments", "persistent_absentees", "severe_absentees"]].tolist() == [66, 63, 11]
    path.write_text("\n".join([header, *rows, rows[0]]) + "\n")
    with pytest.raises(UnreadableFileError, match=r"row 13, absence_band: 'pct5_OARate' is not allowed\. Use one row"):
        read_published([path])
    findings = []
    assert read_published([path], findings=findings).cells["enrolments"].tolist() == [66]
    assert [(f.rule, f.row, f.count) for f in findings] == [("published_repeated", 13, 1)]


# --- characteristics -----------------------------------------------------------------------------------

COUNTS = "enrolments,sess_possible,sess_overall,sess_authorised,sess_unauthorised,enrolments_PA_10_exact"
LATER = f"time_period,time_identifier,geographic_level,{PLACE},education_phase"


@pytest.mark.parametrize(
    ("columns", "items", "expected"),
    [
        (
            "breakdown_topic,breakdown",
            '"SEN provision","Education, health and care plan"',
            ("sen_provision", "EHC plan"),
        ),
        ("breakdown_topic,breakdown", "Sex,Female", ("sex", "Female")),
        ("breakdown_topic,breakdown", "Total,Total", ("All", "All")),
        ("characteristic,characteristic_breakdown", "Ethnicity minor,African", ("ethnicity_minor", "Black African")),
        ("characteristic,characteristic_breakdown", "First language,Unknown", ("first_language", "Unknown")),
        ("characteristic,characteristic_breakdown", "Year group,Year 7", ("nc_year", "7")),
    ],
)
def test_later_characteristics_are_named_as_in_the_toolkit(tmp_path, columns, items, expected):
    row = f"202425,Academic year,Local authority,{TRAFFORD},Total,{items},100,1000,90,60,30,12"
    path = write(tmp_path, f"{LATER},{columns},{COUNTS},enrolments_pa_50_exact,sess_x_covid\n{row},3,5\n")
    assert recognise(look(path)).layout == "absence_by_characteristic"
    cell = read_published([path]).cells.iloc[0]
    assert (cell["characteristic"], cell["characteristic_level"]) == expected
    assert cell[["persistent_absentees", "severe_absentees", "sessions_covid"]].tolist() == [12, 3, 5]
    # A characteristic that has a column of its own fills it, so that "All" there is only ever DfE's total.
    for name in ("sex", "nc_year", "sen_provision"):
        assert cell[name] == (expected[1] if name == expected[0] else "All")


def test_an_unknown_level_is_refused(tmp_path):
    row = f"202425,Academic year,Local authority,{TRAFFORD},Total,Sex,Purple,100,1000,90,60,30,12"
    path = write(tmp_path, f"{LATER},breakdown_topic,breakdown,{COUNTS}\n{row}\n")
    with pytest.raises(UnreadableFileError, match=r"x\.csv, row 2, breakdown: 'Sex\|Purple' is not allowed.*female"):
        read_published([path])


def test_levels_are_levels_of_the_toolkit():
    """Every level of a characteristic the toolkit holds for pupils is one it knows or is in a short list of others."""
    known = {"sex": SEXES, "fsm_eligible": FSM_STATUSES, "first_language": LANGUAGES, "sen_provision": SEN_PROVISIONS}
    others = {
        (name, level) for name, level in characteristic_levels().values() if level not in known.get(name, [level])
    }
    assert others - {(name, "All") for name in known} == {("sen_provision", "Any SEN")}


# --- reasons, one figure a row -------------------------------------------------------------------------

TIDY = (
    f"time_period,time_identifier,geographic_level,{PLACE},time_frame,reference_date,education_phase,"
    "attendance_status,attendance_type,attendance_reason,session_count,session_percent"
)


def tidy_rows(frame: str, day: str, *figures: str) -> list[str]:
    return [f"2025,Week 37,Local authority,{TRAFFORD},{frame},{day},Primary,{figure}" for figure in figures]


FIGURES = (
    "Possible sessions,All possible sessions,All possible sessions,1000,100",
    "Attendance,Overall attendance,Overall attendance,920,92",
    "Attendance,Present,Present am,455,45.5",
    "Absence,Overall absence,Overall absence,80,8",
    "Absence,Authorised,All authorised,50,5",
    "Absence,Authorised,Illness (i),40,4",
    "Absence,Unauthorised,All unauthorised,30,3",
    "Absence,Unauthorised,No reason yet (n),7,0.7",
)


def test_the_tidy_table_of_reasons(tmp_path):
    lines = [*tidy_rows("Week", "2025-09-12", *FIGURES), *tidy_rows("Monday", "2025-09-08", *FIGURES)]
    lines += tidy_rows("Year to date", "2025-09-12", *FIGURES)
    path = write(tmp_path, "\n".join([TIDY, *lines]) + "\n")
    found = recognise(look(path))
    assert (found.kind, found.layout, found.years) == ("published", "attendance_reasons", (202526,))
    published = read_published([path])
    assert set(published.rates["period"]) == {"week 37 2025", "2025-09-08", "to week 37 2025"}
    week = published.rates[published.rates["period"] == "week 37 2025"].set_index(["measure", "reason"])
    assert week["numerator"].to_dict() == {
        ("attendance_rate", "All"): 920, ("overall_absence_rate", "All"): 80, ("authorised_absence_rate", "All"): 50,
        ("unauthorised_absence_rate", "All"): 30, ("reason_rate", "auth_illness"): 40,
        ("reason_rate", "unauth_noyet"): 7,
    }  # fmt: skip
    assert (week["denominator"] == 1000).all()
    assert published.provenance[0].rows == 24 == len(published.rates) + published.provenance[0].left_out[0][1]


def test_an_unknown_reason_of_the_tidy_table_is_refused(tmp_path):
    text = "\n".join([TIDY, *tidy_rows("Week", "2025-09-12", "Absence,Authorised,Gone fishing (q9),1,0.1")]) + "\n"
    with pytest.raises(UnreadableFileError, match="gone fishing"):
        read_published([write(tmp_path, text)])


# --- groups of the time series, schools, workbooks ------------------------------------------------------


def test_groups_of_the_time_series_are_series_of_their_own(tmp_path):
    text = "Short Desc,Data item,Years,LA and Regions,Values,LA Number,Region\n"
    text += (
        "LAC_Over_Abs,,2023,Trafford,9.1,358,NA\n4yrAbsence,,2023,Trafford,5,358,NA\nTotAbs,,2023,Trafford,7,358,NA\n"
    )
    rates = read_published([write(tmp_path, text)]).rates
    assert rates[["series", "characteristic_level", "rate"]].to_numpy().tolist() == [
        ["social_care", "CLA 12 months at 31 March", 0.091], ["four_year_olds", "4", 0.05], ["census", "All", 0.07],
    ]  # fmt: skip
    assert {series for series, *_ in CODES.values()} <= set(SERIES)
    assert {measure for _, measure, *_ in CODES.values()} <= set(MEASURES)


def test_a_school_without_laestab_is_refused(tmp_path):
    header = (
        f"time_period,time_identifier,geographic_level,{PLACE},school_name,school_laestab,school_urn,education_phase"
    )
    good = f"202425,Academic year,School,{TRAFFORD},Invented Primary,3582001,106301,State-funded primary,9,90,9,6,3,1"
    path = write(tmp_path, f"{header},{COUNTS}\n{good}\n")
    school = read_published([path]).schools.iloc[0]
    assert school[["school_name", "laestab", "urn", "phase"]].tolist() == [
        "Invented Primary",
        3582001,
        106301,
        "Primary",
    ]
    path.write_text(f"{header},{COUNTS}\n{good.replace('3582001', '2001')}\n")
    with pytest.raises(
        UnreadableFileError, match=r"row 2, school_laestab: '2001' is not allowed\. Use a school's seven"
    ):
        read_published([path])


def test_a_workbook_gives_what_its_sheet_gives_as_csv(tmp_path):
    header = f"time_period,time_identifier,geographic_level,{PLACE},education_phase,{COUNTS}"
    row = f"202425,Academic year,Local authority,{TRAFFORD},Total,100,1000,90,60,30,c"
    book = openpyxl.Workbook()
    book.active.title = "Cover"
    book.active["A1"] = "Pupil absence in schools"
    sheet = book.create_sheet("Data")
    sheet.append(["Absence by geography"])
    sheet.append([])
    sheet.append(header.split(","))
    sheet.append([int(cell) if cell.isdigit() and cell != "358" else cell for cell in row.split(",")])
    book.save(tmp_path / "table.xlsx")
    ours = read_published([tmp_path / "table.xlsx"])
    theirs = read_published([write(tmp_path, f"{header}\n{row}\n")])
    names = [*PUBLISHED_GROUPS, "enrolments", "sessions_possible", "sessions_authorised"]
    assert ours.cells[names].equals(theirs.cells[names])
    assert ours.symbols[["count", "symbol"]].to_numpy().tolist() == [["persistent_absentees", "c"]]
    # The row is that of the sheet, not of the copy.
    assert (ours.cells["source_file"][0], ours.cells["source_row"][0]) == ("table.xlsx", 4)
    assert recognise(look(tmp_path / "table.xlsx")).layout == "annual_geography"
    assert find_area("Trafford").code == ours.cells["area_code"][0]


@pytest.mark.parametrize("name", ["week 37", "2024/25", "to week 37", "Year", ""])
def test_only_periods_of_published_rows_have_a_kind(name):
    with pytest.raises(ValueError, match="is not a period"):
        period_kind(name)
