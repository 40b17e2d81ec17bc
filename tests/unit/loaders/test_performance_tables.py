"""Performance tables and social care groups: small files with a mistake each."""

from __future__ import annotations

import duckdb
import pytest

from attendance_toolkit.errors import ParameterError, UnreadableFileError, VocabularyError
from attendance_toolkit.loaders.published import read_published
from attendance_toolkit.loaders.published._files import look_at
from attendance_toolkit.loaders.published.performance import read_performance_absence, read_performance_pupils
from attendance_toolkit.loaders.published.social_care import read_social_care

ABSENCE = "LA,ESTAB,URN,PERCTOT,PPERSABS15\n"
SOCIAL = (
    "time_period,time_identifier,geographic_level,country_code,region_code,old_la_code,new_la_code,year_breakdown,"
    "social_care_group,school_type,t_pupils,t_sess_possible,pt_overall,t_sess_overall\n"
)
CLA = "202223,Academic year,Local authority,E92000001,E12000002,358,E08000009,Six half terms,CLA 12 months at 31 March,"


@pytest.fixture
def write(tmp_path):
    def make(text):
        path = tmp_path / "x.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return make


def test_the_fifteen_per_cent_measure_has_a_name_of_its_own(write):
    path = write(ABSENCE + "358,2000,106283,3.5,SUPP\n358,4001,106284,10,2.5\n358,,,4.1,3.9\nNAT,PRI,,4.8,3.6\n")
    read = read_performance_absence(path, "2011/12")
    schools = read.schools
    assert set(schools["measure"]) == {"overall_absence_rate", "persistent_absence_rate_15"}
    assert (schools["academic_year"] == 201112).all()
    first = schools[schools["urn"] == 106283].set_index("measure")
    assert first.loc["overall_absence_rate", "rate"] == pytest.approx(0.035)
    assert first.loc["persistent_absence_rate_15", "symbol"] == "c"
    assert first["laestab"].tolist() == [3582000, 3582000]
    areas = read.part.rates.to_pandas().set_index(["area_level", "phase", "measure"])["rate"]
    expected = {
        ("Local authority", "All schools", "overall_absence_rate"): 0.041,
        ("Local authority", "All schools", "persistent_absence_rate_15"): 0.039,
        ("National", "Primary", "overall_absence_rate"): 0.048,
        ("National", "Primary", "persistent_absence_rate_15"): 0.036,
    }
    assert areas.to_dict() == pytest.approx(expected)
    assert read.rows == 4


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("358,2000,106283,hello,1", r"x\.csv, row 2, perctot: 'hello' is not allowed"),
        ("358,2000,106283,101,1", r"x\.csv, row 2, perctot: '101' is not allowed"),
        ("358,2000,ABC,1,1", r"x\.csv, row 2, URN: 'ABC' is not allowed"),
        ("358,20,106283,1,1", r"x\.csv, row 2, URN: '106283' is not allowed"),
        ("999,2000,106283,1,1", r"x\.csv, row 2, LA: '999' is not allowed"),
    ],
)
def test_a_bad_cell_of_a_performance_table_is_named(write, row, says):
    with pytest.raises(UnreadableFileError, match=says):
        read_performance_absence(write(ABSENCE + row + "\n"), 201213)


def test_the_year_is_asked_for_when_the_edition_is_not_known(write):
    path = write(ABSENCE + "358,2000,106283,3.5,1\nNAT,PRI,,4.3,3.1\nNAT,SEC,,5.9,6.4\n")
    with pytest.raises(ParameterError, match="does not say its academic year"):
        read_performance_absence(path)
    with pytest.raises(UnreadableFileError, match="does not say its academic year"):
        read_published(path)
    with pytest.raises(VocabularyError):
        read_performance_absence(path, "2012")
    with pytest.raises(UnreadableFileError, match="is not a performance table of absence"):
        read_performance_absence(write("a,b\n1,2\n"))
    with pytest.raises(UnreadableFileError, match="it has no column boys"[:15]):
        read_performance_pupils(write("URN,LA,ESTAB,SCHOOLTYPE,NOR\n1,2,3,4,5\n"))


def read_social(path):
    return read_social_care(duckdb.connect(), look_at(path), None)


def test_symbols_of_social_care_groups_stay_symbols(write):
    rows = [
        "Total,160,48000,9.3,4460",
        "Special,c,c,c,c",
        "State-funded primary,40,1200,~,0",
        "State-funded AP school,z,z,z,z",
    ]
    part = read_social(write(SOCIAL + "".join(f"{CLA}{row}\n" for row in rows)))
    rates = part.rates.to_pandas().set_index("phase")
    assert rates["symbol"].to_dict() == {
        "All schools": "", "Special": "c", "Primary": "low", "Pupil referral unit": "z",
    }  # fmt: skip
    assert rates.loc["All schools", "rate"] == pytest.approx(0.093)
    assert rates["numerator"].isna().all()
    cells = part.cells.to_pandas().set_index("phase")
    assert cells.loc["All schools", "enrolments"] == 160
    assert (cells["series"] == "social_care").all()
    assert set(part.symbols.to_pandas()["symbol"]) == {"c", "z"}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("CLA 12 months at 31 March", "Care leavers", "social_care_group: 'Care leavers' is not allowed"),
        ("9.3", "930", "pt_overall: '930' is not allowed"),
        ("160", "16.5", "t_pupils: '16.5' is not allowed"),
        ("202223", "2022", "time_period: '2022' is not allowed"),
        ("Six half terms", "Five half terms", "year_breakdown: 'Five half terms' is not allowed"),
    ],
)
def test_a_bad_cell_of_the_social_care_file_is_named(write, old, new, says):
    text = (SOCIAL + f"{CLA}Total,160,48000,9.3,4460\n").replace(old, new)
    with pytest.raises(UnreadableFileError, match=rf"x\.csv, row 2, {says}"):
        read_social(write(text))
