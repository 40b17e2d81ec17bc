"""Checks of whole published files: planted faults are found, rightly rounded figures never."""

from __future__ import annotations

import csv
import gzip
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance_toolkit.errors import UnreadableFileError
from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders.column_table import has_identities, read_column_table
from attendance_toolkit.metrics.reconciliation.columns import FINDING_COLUMNS, reconcile_columns
from attendance_toolkit.metrics.reconciliation.published import cells_table, rates_table, reconcile_tables

HEADER = [
    "time_period",
    "time_identifier",
    "geographic_level",
    "country_code",
    "region_code",
    "new_la_code",
    "school_type",
    "enrolments",
    "sess_possible",
    "sess_overall",
    "sess_authorised",
    "sess_unauthorised",
    "sess_overall_percent",
    "enrolments_pa_10_exact",
    "enrolments_pa_10_exact_percent",
]
LA_1 = "202324,Academic year,Local authority,E92000001,E12000002,E08000009"
LA_2 = "202324,Academic year,Local authority,E92000001,E12000002,E08000001"
REGION = "202324,Academic year,Regional,E92000001,E12000002,"
#: Two authorities of two school types, their totals and their region: everything agrees.
ROWS = [
    f"{LA_1},State-funded primary,103,20001,1003,802,201,5.01475,11,10.67961",
    f"{LA_1},State-funded secondary,97,19003,1501,1100,401,7.89875,22,22.68041",
    f"{LA_1},Total,200,39004,2504,1902,602,6.41985,33,16.50000",
    f"{LA_2},State-funded primary,51,9999,777,700,77,7.77078,9,17.64706",
    f"{LA_2},State-funded secondary,49,9001,888,800,88,9.86557,8,16.32653",
    f"{LA_2},Total,100,19000,1665,1500,165,8.76316,17,17.00000",
    f"{REGION},State-funded primary,154,30000,1780,1502,278,5.93333,20,12.98701",
    f"{REGION},State-funded secondary,146,28004,2389,1900,489,8.53092,30,20.54795",
    f"{REGION},Total,300,58004,4169,3402,767,7.18744,50,16.66667",
]


def table_of(tmp_path, rows=ROWS, header=HEADER, name="f.csv"):
    path = tmp_path / name
    text = "\n".join([",".join(header), *rows]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode("utf-8-sig"))
    return read_column_table(path)


def changed(row, column, value):
    cells = ROWS[row].split(",")
    cells[HEADER.index(column)] = value
    return [*ROWS[:row], ",".join(cells), *ROWS[row + 1 :]]


def said(found):
    return sorted({(row.check, row.column, row.row) for row in found.itertuples()})


@pytest.mark.parametrize("name", ["f.csv", "f.csv.gz"])
def test_a_file_that_agrees_has_no_finding(tmp_path, name):
    table = table_of(tmp_path, name=name)
    assert len(table) == 9
    assert table.keys.iloc[0].to_dict() == {
        "row": 2, "series": "census", "level": "Local authority", "area": "E08000009", "region": "E12000002",
        "nation": "E92000001", "phase": "State-funded primary", "year": "202324", "period": "Academic year", "group": "",
    }  # fmt: skip
    found = reconcile_tables([table])
    assert list(found.columns) == list(FINDING_COLUMNS)
    assert found.empty, found["says"].tolist()


@pytest.mark.parametrize(
    ("row", "column", "value", "expected"),
    [
        # Printed rate against its counts; the whole file is printed to five decimals.
        (0, "sess_overall_percent", "5.01478", [("rate_from_counts", "sess_overall_percent", 2)]),
        (5, "enrolments_pa_10_exact_percent", "1.70000", [
            ("between_groups", "enrolments_pa_10_exact_percent", 7),
            ("rate_from_counts", "enrolments_pa_10_exact_percent", 7),
        ]),
        # Parts against their whole.
        (3, "sess_authorised", "701", [
            ("areas_add_up", "sess_authorised", 8), ("parts_add_up", "sess_overall", 5),
            ("phases_add_up", "sess_authorised", 7),
        ]),
        # More persistent absentees than enrolments.
        (1, "enrolments_pa_10_exact", "98", [
            ("areas_add_up", "enrolments_pa_10_exact", 9), ("part_above_whole", "enrolments_pa_10_exact", 3),
            ("phases_add_up", "enrolments_pa_10_exact", 4), ("rate_from_counts", "enrolments_pa_10_exact_percent", 3),
        ]),
        (4, "enrolments", "49.5", [
            ("areas_add_up", "enrolments", 9), ("phases_add_up", "enrolments", 7),
            ("rate_from_counts", "enrolments_pa_10_exact_percent", 6), ("whole_count", "enrolments", 6),
        ]),
        # No whole number of 49 is 16.5%: the count itself is hidden.
        (4, "enrolments_pa_10_exact", "c", []),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found_where_it_is(tmp_path, row, column, value, expected):
    found = reconcile_tables([table_of(tmp_path, changed(row, column, value))])
    assert said(found) == expected
    assert all(text.endswith(".") for text in found["says"])


def test_a_rate_beside_a_hidden_count_must_be_possible(tmp_path):
    rows = changed(4, "enrolments_pa_10_exact", "c")
    rows[4] = rows[4].replace("16.32653", "16.50000")
    found = reconcile_columns(table_of(tmp_path, rows))
    assert said(found) == [("no_whole_count", "enrolments_pa_10_exact_percent", 6)]


def test_missing_authorities_are_said_once_and_are_no_error(tmp_path):
    found = reconcile_tables([table_of(tmp_path, ROWS[:3] + ROWS[6:])])
    assert set(found["check"]) == {"areas_incomplete"}
    assert not found["is_certain"].any()
    assert "by 51 of 154" in found["says"].iloc[0]


@settings(deadline=None, max_examples=40)
@given(
    counts=st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 4000)), min_size=1, max_size=30),
    decimals=st.integers(0, 5),
    mode=st.sampled_from([ROUND_HALF_UP, ROUND_HALF_EVEN]),
)
def test_rightly_rounded_rates_are_never_found_wrong(tmp_path_factory, counts, decimals, mode):
    rows = []
    for count, size in counts:
        count = min(count, size)
        exact = Decimal(100 * count) / Decimal(size)
        text = exact.quantize(Decimal(1).scaleb(-decimals), mode)
        rows.append(f"202324,School,{size},{count},{text}")
    header = [
        "time_period",
        "geographic_level",
        "enrolments",
        "enrolments_pa_10_exact",
        "enrolments_pa_10_exact_percent",
    ]
    found = reconcile_columns(table_of(tmp_path_factory.mktemp("f"), rows, header))
    assert found.empty, found["says"].tolist()


@settings(deadline=None, max_examples=40)
@given(count=st.integers(0, 3000), size=st.integers(3001, 9000), units=st.integers(2, 50), up=st.booleans())
def test_a_rate_two_printed_units_off_is_always_found(tmp_path_factory, count, size, units, up):
    exact = Decimal(100 * count) / Decimal(size)
    text = exact.quantize(Decimal("0.1"), ROUND_HALF_UP) + (units if up else -units) * Decimal("0.1")
    header = [
        "time_period",
        "geographic_level",
        "enrolments",
        "enrolments_pa_10_exact",
        "enrolments_pa_10_exact_percent",
    ]
    rows = ["202324,School,1000,101,10.1", f"202324,School,{size},{count},{text}"]
    assert said(reconcile_columns(table_of(tmp_path_factory.mktemp("f"), rows, header)))[-1][2] == 3


def test_counts_rounded_to_five_are_no_fault_of_the_rate(tmp_path):
    # 27.3% of 11 (3 of 11), published as 5 of 10: every count of the level is a multiple of 5.
    header = [
        "time_period",
        "geographic_level",
        "enrolments",
        "enrolments_pa_10_exact",
        "enrolments_pa_10_exact_percent",
    ]
    rows = [f"202324,National,{size},{count},{rate}" for size, count, rate in
            ((10, 5, "27.3"), (2000, 155, "7.8"), (1005, 80, "8.0"), (3010, 310, "10.3"))]  # fmt: skip
    assert reconcile_columns(table_of(tmp_path, rows, header)).empty
    found = reconcile_columns(table_of(tmp_path, [*rows, "202324,National,2000,155,9.8"], header))
    assert said(found) == [("rate_from_counts", "enrolments_pa_10_exact_percent", 6)]


def year_rows(year, rates):
    return [
        f"{year},Academic year,Local authority,E92000001,E12000002,A{n:08d},Total,,,,,,{rate:.5f},,"
        for n, rate in enumerate(rates)
    ]


def test_a_copied_year_and_a_step_are_found_and_usual_change_is_not(tmp_path):
    rng = np.random.default_rng(7)
    before = rng.normal(7, 2, 60).clip(1)
    after = before + rng.normal(-0.5, 0.3, 60)
    usual = [table_of(tmp_path, year_rows(y, r), name=f"{y}.csv") for y, r in ((202223, before), (202324, after))]
    assert reconcile_tables(usual).empty
    after[3] += 9
    found = reconcile_tables([usual[0], table_of(tmp_path, year_rows(202324, after), name="n.csv")])
    assert [(row.check, row.area, row.is_certain) for row in found.itertuples()] == [("year_step", "A00000003", False)]
    copied = np.where(np.arange(60) < 35, before, after)
    found = reconcile_tables([usual[0], table_of(tmp_path, year_rows(202324, copied), name="n.csv")])
    assert found["check"].tolist()[:1] == ["copied_time"]
    assert found["printed"].tolist()[:1] == ["35 of 60 rows alike"]


def test_frames_of_published_are_tables_too():
    groups = {"series": "census", "dataset": "d", "academic_year": 202324, "period": "year", "area_level": "Local authority",
              "source_file": "f.csv", "reason": "All"}  # fmt: skip
    rates = pd.DataFrame(
        [
            {**groups, "area_code": "E08000009", "phase": "Primary", "sex": "All", "measure": name, "rate": rate / 100,
             "printed": str(rate), "decimals": 2, "source_row": row}
            for row, (name, rate) in enumerate(
                [("overall_absence_rate", 5.12), ("authorised_absence_rate", 4.01), ("unauthorised_absence_rate", 1.16),
                 ("persistent_absence_rate", 12.0), ("severe_absence_rate", 13.0)], 2)
        ]
    )  # fmt: skip
    found = reconcile_tables([rates_table(rates)])
    assert found["check"].tolist() == ["part_above_whole", "rates_add_up"]
    rates.loc[rates["measure"] == "unauthorised_absence_rate", "rate"] = 0.0111
    rates.loc[rates["measure"] == "severe_absence_rate", "rate"] = 0.02
    assert reconcile_tables([rates_table(rates)]).empty
    cells = pd.DataFrame([{**groups, "area_code": "E08000009", "phase": "Primary", "sex": "All", "source_row": 2,
                           "enrolments": 10, "persistent_absentees": 3, "severe_absentees": 4}])  # fmt: skip
    assert reconcile_tables([cells_table(cells)])["column"].tolist() == ["severe_absentees"]


def test_files_are_told_apart_by_their_columns(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    assert not has_identities(look(path))
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([HEADER, ROWS[0].split(",")])
    assert has_identities(look(path))
    path.write_bytes(b"a,b\n\xff\xfe,2\n")
    with pytest.raises(UnreadableFileError, match=r"x\.csv"):
        read_column_table(path)
    path.write_text(",".join(HEADER) + "\n1,2\n", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match=r"x\.csv cannot be read"):
        read_column_table(path)
