"""Checks of printed tables on small tables of another shape than Trafford's."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance_toolkit.loaders.printed import PrintedColumn, PrintedTable, read_printed_table
from attendance_toolkit.metrics import reconciliation as rec
from attendance_toolkit.vocabulary.rounding import round_half_up

TABLE = PrintedTable(
    "Bolton table",
    "Groups",
    (("phase", "phase"), ("who", "group")),
    (
        PrintedColumn("n", "size", "", academic_year=202324),
        PrintedColumn("pa", "count", "persistent_absence_rate", academic_year=202324),
        PrintedColumn("pa_rate", "rate", "persistent_absence_rate", academic_year=202324),
        PrintedColumn("sa_rate", "rate", "severe_absence_rate", academic_year=202324),
    ),
)
MEASURES = PrintedTable(
    "Measures",
    "Measures",
    (("phase", "phase"), ("measure", "measure")),
    (
        PrintedColumn("y1", academic_year=202223),
        PrintedColumn("y2", academic_year=202324),
    ),
)
FAMILIES = {"sex": ("Boys", "Girls")}


def read(tmp_path, text, table=TABLE, area="Bolton"):
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    return read_printed_table(path, local_area=area, tables=[table])


def groups(tmp_path, *rows):
    return read(tmp_path, "\n".join(["phase,who,n,pa,pa_rate,sa_rate", *rows]) + "\n")


def test_a_right_table_has_no_finding(tmp_path):
    printed = groups(
        tmp_path, "Primary,All,1000,155,15.5%,1.0", "Primary,Boys,\"1,000\",155,15.5,1.0", "Primary,Girls,0,0,-,-"
    )  # fmt: skip
    assert printed["value"].tolist()[4] == 1000
    assert rec.reconcile(printed) == ()
    assert (rec.printed_measure_rows(printed)["flag"] == "").all()


@pytest.mark.parametrize(("rate", "wrong"), [("15.5", False), ("15.6", False), ("15.4", True), ("15.7", True)])
def test_a_half_may_be_rounded_either_way(tmp_path, rate, wrong):
    # 311 of 2,000 is 15.55.
    found = rec.check_rates_against_counts(groups(tmp_path, f"Primary,All,2000,311,{rate},1.0"))
    assert bool(found) is wrong


def test_no_size_means_no_rate(tmp_path):
    found = rec.check_rates_against_counts(groups(tmp_path, "Primary,All,0,0,5.0,1.0"))
    assert found[0].expected == "no rate"


def test_parts_that_are_too_many(tmp_path):
    printed = groups(
        tmp_path, "Primary,All,100,10,10.0,1.0", "Primary,Boys,60,6,10.0,1.0", "Primary,Girls,41,4,9.8,1.0"
    )
    found = rec.check_parts_add_up(printed, FAMILIES)
    assert [f.says for f in found] == ["Primary, by sex: Boys and Girls add up to 101 of 100 enrolments; 1 too many."]
    assert found[0].cells == ((3, "n"), (4, "n"))


def test_a_family_with_a_part_missing_is_not_tested(tmp_path):
    printed = groups(tmp_path, "Primary,All,100,10,10.0,1.0", "Primary,Boys,60,6,10.0,1.0")
    assert rec.check_parts_add_up(printed, FAMILIES) == ()


def test_severe_above_persistent_and_total_outside_its_groups(tmp_path):
    printed = groups(tmp_path, "Primary,All,-,-,12.1,13.1", "Primary,Boys,-,-,10.0,1.0", "Primary,Girls,-,-,11.0,2.0")
    assert {f.check for f in rec.reconcile(printed)} == {"severe_within_persistent", "between_groups"}
    assert rec.check_severe_within_persistent(printed)[0].cells == ((2, "sa_rate"), (2, "pa_rate"))
    assert [f.expected for f in rec.check_between_groups(printed, FAMILIES)] == [
        "9.95 to 11.05",
        "0.95 to 2.05",
    ]


def test_an_unclassified_group_may_explain_a_total(tmp_path):
    printed = groups(
        tmp_path, "Primary,All,100,12,12.0,1.0", "Primary,Boys,50,5,10.0,1.0", "Primary,Girls,40,4,10.0,1.0"
    )
    assert rec.check_between_groups(printed, FAMILIES) == ()


def measures(tmp_path, y1, y2):
    names = ("Attendance rate", "Authorised absence", "Unauthorised absence", "Persistent absence")
    rows = [f"Primary,{name},{a},{b}" for name, a, b in zip(names, y1, y2, strict=True)]
    return read(tmp_path, "\n".join(["phase,measure,y1,y2", *rows]) + "\n", MEASURES)


def published(series, year, values):
    names = (
        "attendance_rate",
        "authorised_absence_rate",
        "unauthorised_absence_rate",
        "persistent_absence_rate",
    )
    return pd.DataFrame(
        {
            "series": series, "academic_year": year, "period": "year", "area_code": "E08000001", "phase": "Primary",
            "measure": names, "rate": [v / 100 for v in values], "symbol": "", "lower": float("nan"),
            "upper": float("nan"), "numerator": float("nan"), "denominator": float("nan"),
        }
    )  # fmt: skip


def test_columns_are_traced_and_mixtures_and_differences_found(tmp_path):
    rates = pd.concat(
        [
            published("census", 202223, [94.1, 4.2, 1.7, 16.2]),
            published("attendance", 202223, [93.8, 4.4, 1.8, 17.1]),
            published("census", 202324, [94.4, 4.0, 1.6, 14.6]),
            published("attendance", 202324, [94.5, 3.9, 1.6, 15.2]),
        ]
    )
    printed = measures(tmp_path, [94.1, 4.2, 1.7, 16.2], [94.5, 3.9, 1.6, 14.6])
    assert rec.column_series(printed, rates)["series"].tolist() == ["census", "attendance"]
    found = rec.reconcile(printed, rates)
    assert [f.check for f in found] == ["published_value", "series_mixed"]
    assert found[0].expected == "15.2%"
    assert found[0].cells == ((5, "y2"),)
    assert found[1].columns == ("y1", "y2")
    assert not found[1].flags


def test_a_column_headed_full_year_may_hold_two_terms(tmp_path):
    year = published("census", 202324, [94.4, 4.0, 1.6, 14.6])
    part = published("census", 202324, [94.6, 3.9, 1.5, 15.5]).assign(period="autumn and spring")
    to_date = published("attendance", 202324, [94.5, 3.9, 1.6, 15.2])
    printed = measures(tmp_path, [90.0, 8.0, 2.0, 30.0], [94.6, 3.9, 1.5, 15.5])
    found = rec.column_sources(printed, pd.concat([year, part, to_date])).set_index("column")
    assert found.loc["y2", ["series", "source_period", "agree", "compared"]].tolist() == [
        "census", "autumn and spring", 4, 4,
    ]  # fmt: skip
    # Two sources that agree equally well tell nothing.
    both = pd.concat([part, part.assign(series="attendance")])
    assert rec.column_sources(printed, both)["series"].tolist() == [""]
    assert rec.column_sources(printed, year.head(0)).empty


def test_a_column_of_no_known_series_is_not_judged(tmp_path):
    rates = published("census", 202223, [94.1, 4.2, 1.7, 16.2])
    printed = measures(tmp_path, [90.0, 8.0, 2.0, 30.0], [94.5, 3.9, 1.6, 14.6])
    assert rec.column_series(printed, rates)["series"].tolist() == [""]
    assert rec.reconcile(printed, rates) == ()
    assert set(rec.printed_measure_rows(printed, (), rates)["series"]) == {"printed"}


def test_components_within_rounding_are_right(tmp_path):
    printed = measures(tmp_path, [94.1, 4.2, 1.6, 16.2], [94.5, 3.9, 1.3, 14.6])
    found = rec.check_components(printed)
    assert [f.printed for f in found] == ["99.7"]
    assert [c[1] for c in found[0].cells] == ["y2"] * 3


@pytest.mark.parametrize(
    ("relation", "verdict"), [("narrower", "fails"), ("wider", "holds"), ("in line", "fails")]
)  # fmt: skip
def test_gap_relations(tmp_path, relation, verdict):
    table = PrintedTable(
        "Gaps", "", (("phase", "phase"), ("who", "group")),
        (PrintedColumn("us", measure="attendance_rate"), PrintedColumn("them", measure="attendance_rate")),
    )  # fmt: skip
    printed = read(tmp_path, "phase,who,us,them\nPrimary,Low,80.0,82.0\nPrimary,High,90.0,90.0\n", table)
    claim = rec.GapClaim("text", "us", "them", (("Low", "High"), ("Low", "Absent")), relation)
    gaps = rec.gap_comparison(printed, claim)
    assert gaps["verdict"].tolist() == [verdict]
    close = rec.GapClaim("text", "us", "us", (("Low", "High"),), "narrower")
    assert rec.gap_comparison(printed, close)["verdict"].tolist() == ["cannot be told"]
    assert rec.check_gap_claims(printed, [close]) == ()


def test_shares_and_samples():
    assert rec.check_share(31, 63, 49) == ()
    assert "not of 60" in rec.check_share(31, 63, 60)[0].says
    assert rec.check_share(1, 99)[0].expected == "no whole number"
    assert rec.check_sample(100, 50, [50, 50]) == ()
    assert rec.check_lost_learning([(95, 2, 0)])[0].expected == "1 weeks and 4 days"


@given(count=st.integers(1, 300), size=st.integers(1, 3000), decimals=st.integers(0, 2))
def test_the_true_denominator_is_always_among_those_found(count, size, decimals):
    if count <= size:
        percent = round_half_up(float(Fraction(100 * count, size)), decimals)
        low, high = rec.rounding_interval(percent, decimals)
        if low > 0:
            assert size in rec.denominators_for(count, percent, decimals)
        assert low <= Fraction(100 * count, size) <= high


@settings(deadline=None)
@given(st.lists(st.integers(1, 15), min_size=1, max_size=3))
def test_the_true_size_is_always_among_those_found(parts):
    size = sum(parts)
    assert size in rec.sizes_for([round_half_up(100 * k / size) for k in parts], range(1, size + 1))


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 5000)), min_size=1, max_size=5),
    decimals=st.integers(0, 2),
)
def test_rightly_rounded_rates_are_never_found_wrong(tmp_path_factory, rows, decimals):
    lines = ["phase,who,n,pa,pa_rate,sa_rate"]
    for i, (size, count) in enumerate(rows):
        count = min(size, count)
        lines.append(f"Primary,G{i},{size},{count},{round_half_up(100 * count / size, decimals):.{decimals}f},-")
    path = tmp_path_factory.mktemp("printed") / "t.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    printed = read_printed_table(path, local_area="Bolton", tables=[TABLE])
    # The precision of a column is that of its longest number; the rates above were rounded to no fewer.
    printed["decimals"] = printed["decimals"].where(printed["role"] != "rate", decimals)
    assert rec.check_rates_against_counts(printed) == ()
