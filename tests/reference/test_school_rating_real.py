"""Rating of schools on real figures: Trafford's own table, DfE's groups of 2016/17, and the schools of Greater Manchester.

The counts of 2018/19 come a second time from one query of DuckDB straight on DfE's files, in whole numbers; the groups of
2016/17 are held against DfE's printed percentages by the csv module.
"""

from __future__ import annotations

import csv
import importlib.util
from collections import Counter
from fractions import Fraction
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from attendance_toolkit.loaders.published import read_published
from attendance_toolkit.metrics.group_comparators import Comparator, comparators_for
from attendance_toolkit.metrics.rating import rate_school
from attendance_toolkit.metrics.school_rating import (
    CELL_COLUMNS,
    as_printed,
    colour_changes,
    level_counts,
    rate_schools,
)
from attendance_toolkit.vocabulary.areas import find_area, local_authorities_in
from attendance_toolkit.vocabulary.group_comparators import national_attendance
from attendance_toolkit.vocabulary.rule_schemes import rule_scheme

RAG = rule_scheme("school_rag")
PRINTED = {"All": "All pupils", "FSM": "FSM", "EHC": "EHCP", "SEN Support": "SEN Support"}
REFERENCE = Path(__file__).parents[2] / "attendance_toolkit" / "vocabulary" / "reference"


# --- Trafford's own vector -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table_2(shared):
    """Return the rows of Trafford's Table 2 by phase and group, as printed."""
    with (shared / "golden" / "trafford_table2_as_printed.csv").open(encoding="utf-8-sig", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["national_attendance_2023_24"]]
    return {(row["phase"], PRINTED[row["characteristic"]]): row for row in rows if row["characteristic"] in PRINTED}


def test_trafford_is_amber_in_every_phase_and_which_group_sets_it(table_2):
    national, cells = {}, []
    for (phase, group), row in table_2.items():
        share = Fraction(row["national_attendance_2023_24"]) / 100
        national[phase, group] = Comparator(phase, group, 202324, share, "attendance", "Table 2", 1)
        missed = 1000 - Fraction(row["trafford_attendance_2023_24"]) * 10
        cells.append((1, phase, group, 1000, 1000, int(missed)))
    found = {r.phase: r for r in rate_schools(pd.DataFrame(cells, columns=list(CELL_COLUMNS)), national, RAG)}
    # Trafford less national, worked out by hand from the printed percentages.
    assert {phase: {group: float(d) for group, d in one.differences.items()} for phase, one in found.items()} == {
        "Primary": {"All pupils": 0.8, "EHCP": 2.1, "SEN Support": 1.4, "FSM": 0.4},
        "Secondary": {"All pupils": 2.1, "EHCP": 0.5, "SEN Support": 3.1, "FSM": 1.4},
        "Special": {"All pupils": 1.3, "FSM": 1.3},
    }
    assert {phase: (one.level, one.rating.set_by, one.lowest) for phase, one in found.items()} == {
        "Primary": ("Amber", ("All pupils", "SEN Support", "FSM"), ("FSM",)),
        "Secondary": ("Amber", ("EHCP", "FSM"), ("EHCP",)),
        "Special": ("Amber", ("All pupils", "FSM"), ("All pupils", "FSM")),
    }
    # All pupils alone would make the secondary schools Green.
    assert rate_school(RAG, found["Secondary"].differences, mode="all only").level.name == "Green"


def test_the_toolkits_groups_of_2023_24_are_the_printed_national_columns(table_2):
    known = {(row.phase, row.group): row for row in national_attendance() if row.academic_year == 202324}
    printed = {
        key: Fraction(row["national_attendance_2023_24"]) / 100
        for key, row in table_2.items()
        if key[1] != "All pupils"
    }
    assert {key: row.attendance for key, row in known.items()} == printed
    assert {key: row.persistent_absence for key, row in known.items()} == {
        key: Fraction(row["national_pa_2023_24"]) / 100 for key, row in table_2.items() if key[1] != "All pupils"
    }
    assert {(row.series, row.decimals) for row in known.values()} == {("attendance", 1)}


# --- DfE's groups --------------------------------------------------------------------------------------


def test_the_table_is_what_its_script_makes(shared):
    spec = importlib.util.spec_from_file_location(
        "make_group_comparators", Path(__file__).parent / "make_group_comparators.py"
    )
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(module)
    assert module.table(shared) == (REFERENCE / "group_comparators.csv").read_text(encoding="utf-8")


def test_groups_of_2016_17_are_dfes_percentages(shared):
    file = shared / "data/real/absence_annual_characteristics/absence_natcharacteristics_201617_layout2018.csv"
    names = {"All pupils": "Total", "FSM": "FSM_eligible", "EHCP": "SEN_provision_Statement_or_EHCP",
             "SEN Support": "SEN_provision_SEN_Support"}  # fmt: skip
    with file.open(encoding="utf-8-sig", newline="") as handle:
        printed = {(row["school_type"], row["characteristic"]): row["sess_overall_percent"]
                   for row in csv.DictReader(handle) if row["year"] == "201617"}  # fmt: skip
    types = {"Primary": "State-funded primary", "Secondary": "State-funded secondary", "Special": "Special"}
    known = [row for row in national_attendance() if row.academic_year == 201617]
    assert len(known) == 12
    for row in known:
        absence = 100 * (1 - row.attendance)
        text = printed[types[row.phase], names[row.group]]
        assert abs(absence - Fraction(text)) <= Fraction(1, 20), (row, text)
    # The file itself, read as a published one, gives the same fractions.
    read = read_published([file])
    assert {
        key: (one.share, one.series) for key, one in comparators_for(201617, cells=read.cells, rates=read.rates).items()
    } == {(row.phase, row.group): (row.attendance, "census") for row in known}


@pytest.mark.parametrize("layout", ["2018", "2019"])
def test_persistent_absence_of_groups_of_2016_17_is_dfes_percentage(shared, layout):
    folder = shared / "data/real/absence_annual_characteristics"
    names = {"Total": "All pupils", "FSM_eligible": "FSM", "SEN_provision_Statement_or_EHCP": "EHCP",
             "SEN_provision_SEN_Support": "SEN Support"}  # fmt: skip
    types = {"Total": "All schools", "State-funded primary": "Primary", "State-funded secondary": "Secondary",
             "Special": "Special"}  # fmt: skip
    with (folder / "absence_natcharacteristics_201617_layout2018.csv").open(encoding="utf-8-sig", newline="") as handle:
        printed = {(types[row["school_type"]], names[row["characteristic"]]): row
                   for row in csv.DictReader(handle) if row["year"] == "201617" and row["characteristic"] in names}  # fmt: skip
    read = read_published([folder / f"absence_natcharacteristics_201617_layout{layout}.csv"])
    found = comparators_for(
        201617, cells=read.cells, rates=read.rates, measure="persistent_absence_rate", phases=tuple(types.values())
    )
    assert set(found) == set(printed)
    assert len(printed) == 16
    for key, one in found.items():
        # Published counts are rounded to 5, percentages come from the unrounded ones.
        by_counts = 250 * (1 + one.share) / int(printed[key]["enrolments"])
        percent = Fraction(printed[key]["enrolments_pa_10_exact_percent"])
        assert abs(100 * one.share - percent) <= Fraction(1, 20) + by_counts, key
        assert (one.series, one.decimals) == ("census", None)


# --- schools of Greater Manchester, 2018/19 ------------------------------------------------------------

_FOLDER = "data/real/absence_annual_geography"
_SCHOOLS = "Absence_3term201819_school_greater_manchester_200607_201819.csv.gz"
_NATIONAL = "Absence_3term201819_nat_reg_la.csv.gz"


@pytest.fixture(scope="module")
def manchester(shared):
    published = read_published([shared / _FOLDER / _SCHOOLS, shared / _FOLDER / _NATIONAL])
    cells = published.school_cells(["Greater Manchester"], "2018/19")
    ratings = rate_schools(cells, comparators_for(201819, cells=published.cells), RAG)
    return cells, ratings, comparators_for(201819, cells=published.cells)


@pytest.fixture(scope="module")
def queried(shared):
    """Return (authority, phase, colour, colour lower, colour higher, colour as printed) of each school, by one query."""
    query = """
        WITH national AS (
            SELECT school_type, sess_possible::HUGEINT AS p, sess_overall::HUGEINT AS m FROM read_csv(?, all_varchar = true)
            WHERE time_period = '201819' AND geographic_level = 'National'
        ), school AS (
            SELECT new_la_code, school_type, laestab, enrolments::INTEGER AS n, sess_possible::HUGEINT AS p, sess_overall::HUGEINT AS m
            FROM read_csv(?, all_varchar = true) WHERE time_period = '201819' AND geographic_level = 'School'
        ), joined AS (
            -- Twice the difference in percentage points, times both denominators: whole numbers.
            SELECT new_la_code, school_type, n, 200 * (n_.m * s.p - s.m * n_.p) AS twice, s.p * n_.p AS whole
            FROM school s JOIN national n_ USING (school_type)
        )
        SELECT new_la_code, school_type,
            CASE WHEN n < 10 THEN '' WHEN twice < 0 THEN 'Red' WHEN twice <= 4 * whole THEN 'Amber' ELSE 'Green' END,
            CASE WHEN twice < whole THEN 'Red' WHEN twice <= 5 * whole THEN 'Amber' ELSE 'Green' END,
            CASE WHEN twice < -whole THEN 'Red' WHEN twice <= 3 * whole THEN 'Amber' ELSE 'Green' END,
            CASE WHEN -twice < 0 THEN 'Red' WHEN -twice <= 4 * whole THEN 'Amber' ELSE 'Green' END
        FROM joined
    """
    with duckdb.connect() as con:
        rows = con.execute(query, [str(shared / _FOLDER / _NATIONAL), str(shared / _FOLDER / _SCHOOLS)]).fetchall()
    types = {"State-funded primary": "Primary", "State-funded secondary": "Secondary", "Special": "Special"}
    return [(la, types[kind], *colours) for la, kind, *colours in rows]


def test_colours_of_every_authority_and_phase_equal_an_independent_query(manchester, queried):
    cells, ratings, _ = manchester
    la_of = dict(zip(cells["laestab"], cells["area_code"], strict=True))
    ours = Counter((la_of[one.laestab], one.phase, one.level) for one in ratings)
    assert ours == Counter((la, phase, colour) for la, phase, colour, *_ in queried)
    assert {la for la, *_ in ours} == {area.code for area in local_authorities_in(find_area("Greater Manchester"))}
    counts = level_counts(ratings, RAG).set_index("phase")
    assert counts.loc[["Primary", "Secondary", "Special"], ["Green", "Amber", "Red", "schools"]].values.tolist() == [
        [2, 481, 370, 853],
        [13, 75, 86, 174],
        [30, 13, 20, 63],
    ]


def test_the_page_about_the_rating_prints_the_counts_of_the_query(queried):
    text = (Path(__file__).parents[2] / "docs" / "schools.md").read_text(encoding="utf-8")
    counted = Counter((la, phase, colour) for la, phase, colour, *_ in queried)
    for area in local_authorities_in(find_area("Greater Manchester")):
        columns = (
            " / ".join(str(counted[area.code, phase, colour]) for colour in ("Green", "Amber", "Red"))
            for phase in ("Primary", "Secondary", "Special")
        )
        assert f"| {area.name} | {' | '.join(columns)} |" in text


def test_changes_at_half_a_point_and_colours_as_printed_equal_the_query(manchester, queried):
    cells, ratings, national = manchester
    moved = colour_changes(ratings, RAG)
    ours = Counter(zip(moved["level"], moved["lower"], moved["higher"], strict=True))
    assert ours == Counter((colour, lower, higher) for _, _, colour, lower, higher, _ in queried)
    assert (int(moved["changes"].sum()), len(moved)) == (467, 1090)
    literal = Counter(one.levels for one in as_printed(cells, national))
    assert literal == Counter((colour,) for *_, colour in queried)
    assert literal == {("Red",): 614, ("Amber",): 424, ("Green",): 52}


def test_two_decimals_of_the_national_figure_would_colour_two_schools_otherwise(manchester):
    """Without the file the toolkit's own value, to two decimals, is used: the schools it decides are named."""
    cells, ratings, _ = manchester
    rounded = rate_schools(cells, comparators_for(201819), RAG)
    other = {one.laestab for one, exact in zip(rounded, ratings, strict=True) if one.level != exact.level}
    assert len(other) == 2
    assert other <= {one.laestab for one in rounded if one.by_rounding}
