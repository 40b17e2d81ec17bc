"""The overview from DfE's real files: every headline number equals the published one.

Of three authorities; of eleven with ATTENDANCE_EVERY_AREA=1, which takes a minute longer.

The oracle reads the files with the csv module alone: DfE's LA time series (published to two decimals), the
absence bands (counts) and the attendance series. Skipped where ../shared is absent; must run in CI.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
from collections import defaultdict
from decimal import Decimal

import pytest
from click.testing import CliRunner

from attendance_toolkit.cli import main
from attendance_toolkit.deepdives.overview import Overview
from attendance_toolkit.inputs import open_inputs
from attendance_toolkit.vocabulary.areas import find_area

EVERY = ("Bolton", "Bury", "Manchester", "Oldham", "Rochdale", "Salford", "Stockport", "Tameside", "Trafford", "Wigan")
AREAS = (
    [*EVERY, "Southampton"] if os.environ.get("ATTENDANCE_EVERY_AREA") else ["Manchester", "Trafford", "Southampton"]
)
CODES = {
    "PriTotAbs": ("overall_absence_rate", "Primary"), "PriAuth": ("authorised_absence_rate", "Primary"),
    "PriUnauth": ("unauthorised_absence_rate", "Primary"), "SecTotAbs": ("overall_absence_rate", "Secondary"),
    "SecAuth": ("authorised_absence_rate", "Secondary"), "SecUnauth": ("unauthorised_absence_rate", "Secondary"),
    "TotAbs": ("overall_absence_rate", "All schools"), "TotAuthAbs": ("authorised_absence_rate", "All schools"),
    "TotUnAuthAbs": ("unauthorised_absence_rate", "All schools"),
    "total_absence_special": ("overall_absence_rate", "Special"),
    "authorised_absence_special": ("authorised_absence_rate", "Special"),
    "unauthorised_absence_special": ("unauthorised_absence_rate", "Special"),
    "TotPerAbNew": ("persistent_absence_rate", "All schools"), "SFPriPerAbNew": ("persistent_absence_rate", "Primary"),
    "SFSecPerAbNew": ("persistent_absence_rate", "Secondary"), "SpecPerAbNew": ("persistent_absence_rate", "Special"),
    "TotSevPerAbNew": ("severe_absence_rate", "All schools"), "SFPriSevPerAbNew": ("severe_absence_rate", "Primary"),
    "SFSecSevPerAbNew": ("severe_absence_rate", "Secondary"), "SpecSevPerAbNew": ("severe_absence_rate", "Special"),
}  # fmt: skip


def printed(text: str) -> str:
    """Two decimals as the file has them; the file carries float noise such as 4.0599999999999996."""
    return str(Decimal(repr(float(text))).quantize(Decimal("0.01")))


@pytest.fixture(scope="module")
def pages(tmp_path_factory, shared):
    out = tmp_path_factory.mktemp("reports")
    real = shared / "data" / "real"
    arguments = ["report", "overview", "--year", "2023/24", "--out", str(out)]
    for area in AREAS:
        arguments += ["--area", area]
    for name in ("lait_la_timeseries", "absence_bands_la_year_group", "attendance_fortnightly"):
        arguments += ["--published", str(real / name)]
    answer = CliRunner().invoke(main, arguments)
    assert answer.exit_code == 0, answer.output
    return out


@pytest.fixture(scope="module")
def time_series(shared):
    path = shared / "data" / "real" / "lait_la_timeseries" / "lait_bds_long_absence_measures.csv"
    with path.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    found = defaultdict(dict)
    for row in rows:
        if row["Short Desc"] in CODES and re.fullmatch(r"-?[\d.]+(e-?\d+)?", row["Values"]):
            end = int(row["Years"])
            key = (*CODES[row["Short Desc"]], (end - 1) * 100 + end % 100)
            found[row["LA and Regions"]][key] = printed(row["Values"])
    return found


@pytest.fixture(params=AREAS)
def area(request):
    return request.param


def folder(pages, area):
    return pages / area.lower() / "2023-24" / "overview"


def test_every_headline_number_equals_the_time_series(pages, time_series, area):
    rows = json.loads((folder(pages, area) / "result.json").read_text())
    compared = 0
    for row in rows:
        key = (row["measure"], row["groups"]["phase"], row["academic_year"])
        if key in time_series[area]:
            assert f"{Decimal(repr(row['rate'])) * 100:.2f}" == time_series[area][key], (area, key)
            compared += 1
    expected = [key for key in time_series[area] if key[2] <= 202324]
    assert compared == len(expected) > 150


def test_table_of_school_types_prints_the_published_digits(pages, time_series, area):
    html = (folder(pages, area) / "index.html").read_text()
    table = re.search(
        r"<table(?:(?!</table>).)*Attendance and absence by school type.*?</table>", html, flags=re.S
    ).group()
    for (measure, _, year), value in time_series[area].items():
        if year in (202223, 202324) and measure != "overall_absence_rate":
            assert f">{value}<" in table, (area, measure, year, value)


@pytest.fixture(scope="module")
def bands(shared):
    """Enrolments, persistent and severe absentees of each area by phase and group in 2022/23: sums of the file's rows."""
    found = {find_area(area).dfe_code: defaultdict(lambda: [0, 0, 0]) for area in AREAS}
    path = shared / "data" / "real" / "absence_bands_la_year_group" / "absence_bands_distributions.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as handle:
        for row in csv.reader(handle):
            counts = found.get(row[7].strip())
            if counts is not None and row[1] == "202223" and row[2] == "Local authority":
                bands = [int(float(v)) for v in row[15:26]]
                for group in ("All pupils", {"Female": "Girls", "Male": "Boys"}[row[13]], f"FSM {row[11]}"):
                    cell = counts[row[10], group]
                    cell[0] += sum(bands)
                    cell[1] += sum(bands[2:])
                    cell[2] += bands[10]
    return found


def test_pupil_groups_equal_the_bands_file(pages, bands, area):
    counts = bands[find_area(area).dfe_code]
    with (folder(pages, area) / "tables" / "by-pupil-group.csv").open(encoding="utf-8-sig", newline="") as handle:
        rows = {(r["Section"], r["Pupils"]): list(r.values())[2:] for r in csv.DictReader(handle)}
    phases = {"State-funded primary": "Primary", "State-funded secondary": "Secondary", "Special": "Special"}
    names = {"FSM Eligible": "Eligible for free school meals"}
    compared = 0
    for (phase, group), (n, persistent, severe) in counts.items():
        key = (phases[phase], names.get(group, group))
        if key in rows:
            shown = rows[key]
            assert [int(shown[0]), int(shown[1]), int(shown[4])] == [n, persistent, severe], (area, key)
            assert float(shown[2]) == pytest.approx(100 * persistent / n, abs=1e-8)
            compared += 1
    assert compared >= 12


def test_attendance_series_columns_equal_the_file(pages, shared, area):
    path = shared / "data" / "real" / "attendance_fortnightly" / "EES_ytd_data_202324.csv"
    with path.open(encoding="utf-8-sig", newline="") as handle:
        rows = {r["school_type"]: r for r in csv.DictReader(handle) if r["la_name"] == area}
    with (folder(pages, area) / "tables" / "by-school-type.csv").open(encoding="utf-8-sig", newline="") as handle:
        shown = list(csv.DictReader(handle))
    column = f"2023/24, DfE attendance series: {area} (%)"
    names = {
        "Attendance rate": "attendance_perc",
        "Persistent absence": "pa_perc",
        "Authorised absence": "authorised_absence_perc",
    }
    compared = 0
    for row in shown:
        if row["Section"] in rows and row["Measure"] in names:
            assert float(row[column]) == pytest.approx(float(rows[row["Section"]][names[row["Measure"]]]), abs=1e-7)
            compared += 1
    assert compared == 9


def test_index_lists_every_area(pages):
    html = (pages / "index.html").read_text()
    assert all(f">{area}<" in html for area in AREAS)


def test_page_names_no_path_of_this_machine(pages, shared, area):
    text = "".join(p.read_text() for p in folder(pages, area).rglob("*") if p.is_file())
    assert str(shared) not in text
    assert str(pages) not in text


def test_each_published_figure_of_a_combined_authority_is_there_once(shared):
    """Rates of a combined authority are its authorities' counts added up, from two files: none may come twice."""
    published = [str(shared / "data" / "real" / name) for name in ("absence_bands_la_year_group", "lait_la_timeseries")]
    inputs = open_inputs(area="Greater Manchester", academic_year="2022/23", published=published)
    table = Overview(inputs).published
    keys = ["series", "dataset", "area_code", "academic_year", "phase", "measure"]
    assert not table.rows.duplicated(keys).any()
    assert table.rows["cell"].is_unique
    chosen = table.select(
        area_code="E47000001", academic_year=202223, measure="severe_absence_rate", phase="All schools"
    )
    # Own sum of the bands file's rows of the ten authorities (csv module): 8,166 of 421,648.
    assert chosen.rows["numerator"].tolist() == [8166]
