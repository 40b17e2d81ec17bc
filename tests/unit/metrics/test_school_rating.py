"""Rating of schools: exact differences, who is tested, which group sets it, what changes, and the criteria as printed."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pandas as pd
import pytest

from attendance_toolkit.errors import ParameterError, UnknownColumnError
from attendance_toolkit.metrics.group_comparators import Comparator, comparators_for
from attendance_toolkit.metrics.school_rating import (
    CELL_COLUMNS,
    as_printed,
    colour_changes,
    level_counts,
    rate_schools,
    rating_cells,
)
from attendance_toolkit.vocabulary.rule_schemes import rule_scheme

RAG = rule_scheme("school_rag")
NATIONAL = {"All pupils": "94", "EHCP": "88", "SEN Support": "92", "FSM": "91"}


def national(decimals=None, phase="Primary", **more):
    given = NATIONAL | more
    return {
        (phase, group): Comparator(phase, group, 202324, Fraction(percent) / 100, "census", "planted", decimals, 202324)
        for group, percent in given.items()
    }


def cells(rows, phase="Primary"):
    """Return cells of (school, group, enrolments, attendance in percent) over 100,000 possible sessions."""
    made = [
        (school, phase, group, enrolments, 100_000, int((100 - Fraction(percent)) * 1000))
        for school, group, enrolments, percent in rows
    ]
    return pd.DataFrame(made, columns=list(CELL_COLUMNS))


def test_the_worst_group_sets_the_colour_and_the_furthest_below_is_named():
    given = cells(
        [(1, "All pupils", 200, "96.5"), (1, "FSM", 40, "92.9"), (1, "SEN Support", 30, "92"), (1, "EHCP", 12, "90.1")]
    )
    (school,) = rate_schools(given, national(), RAG)
    # Green is above 2, Amber from 0 to 2: +2.5, +1.9, 0, +2.1.
    assert (school.level, school.rating.set_by, school.lowest) == ("Amber", ("SEN Support", "FSM"), ("SEN Support",))
    assert school.differences == {
        "All pupils": Fraction("2.5"), "EHCP": Fraction("2.1"), "SEN Support": Fraction(0), "FSM": Fraction("1.9"),
    }  # fmt: skip
    assert school.rating.on_edge == ("SEN Support",)
    assert school.untested == {"Children with a social worker": "no pupils of the group"}
    (alone,) = rate_schools(given, national(), RAG, mode="all only")
    assert (alone.level, dict(alone.untested)) == ("Green", {})


@pytest.mark.parametrize(
    ("missed", "level"),
    # National attendance 94%: 6,000 of 100,000 missed is exactly equal, 4,000 exactly +2.0.
    [(6_001, "Red"), (6_000, "Amber"), (4_000, "Amber"), (3_999, "Green")],
)
def test_one_session_decides_at_both_ends(missed, level):
    given = pd.DataFrame([(1, "Primary", "All pupils", 100, 100_000, missed)], columns=list(CELL_COLUMNS))
    assert rate_schools(given, national(), RAG)[0].level == level


def test_why_a_group_is_not_tested():
    given = cells(
        [
            (1, "All pupils", 60, "95"),
            (1, "FSM", 9, "40"),
            (1, "EHCP", 0, "100"),
            (1, "Children with a social worker", 30, "80"),
        ]
    )
    hidden = pd.DataFrame([(1, "Primary", "SEN Support", None, None, None)], columns=list(CELL_COLUMNS))
    given = pd.concat([given, hidden], ignore_index=True).astype(dict.fromkeys(CELL_COLUMNS[3:], "Int64"))
    (school,) = rate_schools(given, national(), RAG)
    assert school.untested == {
        "EHCP": "no pupils of the group",
        "SEN Support": "its figure is not shown",
        "FSM": "fewer than 10 enrolments",
        "Children with a social worker": "no national figure",
    }
    assert school.level == "Amber"
    assert school.enrolments["FSM"] == 9  # said, and not tested
    # A minimum of its own lets the group of nine in.
    assert rate_schools(given, national(), RAG, minimum=9)[0].rating.set_by == ("FSM",)
    none = rate_schools(given[given["group"] == "FSM"], national(), RAG)[0]
    assert (none.rating, none.level, none.lowest) == (None, "", ())


def test_schools_are_held_against_their_own_phase_and_in_order():
    given = pd.concat([cells([(7, "All pupils", 100, "91")], "Secondary"), cells([(3, "All pupils", 100, "91")])])
    both = national() | national(phase="Secondary", **{"All pupils": "90.5"})
    assert [(s.laestab, s.phase, s.level) for s in rate_schools(given, both, RAG)] == [
        (3, "Primary", "Red"),
        (7, "Secondary", "Amber"),
    ]


def test_all_pupils_as_comparator_holds_every_group_against_them():
    given = cells([(1, "All pupils", 100, "94.5"), (1, "FSM", 40, "92")])
    assert rate_schools(given, national(), RAG)[0].level == "Amber"
    strict = dataclasses.replace(RAG, comparator="all pupils")
    (school,) = rate_schools(given, {("Primary", "All pupils"): national()["Primary", "All pupils"]}, strict)
    assert (school.level, school.differences["FSM"]) == ("Red", -2)


def test_what_rounding_of_the_national_figure_decides_is_named():
    given = cells([(1, "All pupils", 100, "94.04"), (1, "FSM", 40, "91.06")])
    assert rate_schools(given, national(decimals=1), RAG)[0].by_rounding == ("All pupils",)
    assert rate_schools(given, national(), RAG)[0].by_rounding == ()


def test_changes_of_colour_at_half_a_point():
    given = cells([(1, "All pupils", 50, "94.4"), (2, "All pupils", 50, "95"), (3, "All pupils", 50, "93.5"),
                   (4, "All pupils", 50, "93.4"), (5, "All pupils", 50, "95.6"), (6, "All pupils", 9, "95.6")])  # fmt: skip
    ratings = rate_schools(given, national(), RAG)
    found = colour_changes(ratings, RAG).set_index("laestab")
    assert found["level"].to_dict() == {1: "Amber", 2: "Amber", 3: "Red", 4: "Red", 5: "Amber"}
    # +0.4 - 0.5 is Red; -0.5 + 0.5 is exactly 0, Amber; +1.6 + 0.5 is Green.
    assert found["changes"].to_dict() == {1: True, 2: False, 3: True, 4: False, 5: True}
    assert found.loc[[1, 3, 5], ["lower", "higher"]].values.tolist() == [
        ["Red", "Amber"],
        ["Red", "Amber"],
        ["Amber", "Green"],
    ]
    third = colour_changes(ratings, RAG, by=Fraction(1, 3)).set_index("laestab")["changes"]
    assert third.to_dict() == dict.fromkeys(range(1, 6), False)
    counts = level_counts(ratings, RAG).iloc[0]
    assert counts.to_dict() == {"phase": "Primary", "Green": 0, "Amber": 3, "Red": 2, "untested": 1, "schools": 6}


def test_read_as_printed_the_best_school_is_red_and_one_has_every_colour():
    given = cells([(1, "All pupils", 100, "97"), (2, "All pupils", 100, "90"),
                   (3, "All pupils", 100, "95"), (3, "FSM", 40, "90"), (3, "SEN Support", 40, "89.5")])  # fmt: skip
    best, worst, mixed = as_printed(given, national())
    assert best.levels == ("Red",)
    assert worst.levels == ("Green",)
    assert set(mixed.levels) == {"Green", "Amber", "Red"}
    assert mixed.of_groups == {"All pupils": "Red", "SEN Support": "Green", "FSM": "Amber"}
    assert [school.level for school in rate_schools(given, national(), RAG)] == ["Green", "Red", "Red"]


def test_cells_of_groups_come_from_cells_by_characteristic():
    made = pd.DataFrame(
        [
            (1, "Primary", "FSM eligible", "EHC plan", "Yes", 2, 700, 30, 4),
            (1, "Primary", "FSM eligible", "No SEN", "No", 3, 1000, 10, 0),
            (1, "Primary", "Unknown", "SEN support", "No", 5, 1900, 50, 6),
        ],
        columns=["laestab", "phase", "fsm_eligible", "sen_provision", "social_worker", "enrolments", "sessions_possible",
                 "sessions_authorised", "sessions_unauthorised"],
    )  # fmt: skip
    found = rating_cells(made).set_index("group")[["enrolments", "sessions_possible", "sessions_missed"]]
    assert found.T.to_dict("list") == {
        "All pupils": [10, 3600, 100],
        "EHCP": [2, 700, 34],
        "SEN Support": [5, 1900, 56],
        "FSM": [5, 1700, 44],
        "Children with a social worker": [2, 700, 34],
    }
    assert "FSM" not in set(rating_cells(made.drop(columns="fsm_eligible"))["group"])


def test_wrong_arguments_are_named():
    given = cells([(1, "All pupils", 100, "97")])
    with pytest.raises(ParameterError, match="rated by attendance less the national"):
        rate_schools(given, national(), rule_scheme("graduated_response"))
    with pytest.raises(ParameterError, match="two rows of school 1"):
        rate_schools(pd.concat([given, given]), national(), RAG)
    with pytest.raises(UnknownColumnError, match="no column 'phase'"):
        rate_schools(given.drop(columns="phase"), national(), RAG)
    with pytest.raises(ParameterError, match="not a way to combine"):
        rate_schools(given, national(), RAG, mode="best")


# --- which national figure -----------------------------------------------------------------------------


def published_rows(rows):
    """Return rates as ``Published`` has them: (series, dataset, year, phase, characteristic, level, measure, printed)."""
    columns = [
        "series",
        "dataset",
        "academic_year",
        "phase",
        "characteristic",
        "characteristic_level",
        "measure",
        "printed",
    ]
    frame = pd.DataFrame(rows, columns=columns)
    fixed = {"area_code": "E92000001", "period": "year", "nc_year": "All", "sex": "All", "fsm_eligible": "All",
             "sen_provision": "All", "numerator": float("nan"), "denominator": float("nan"), "source_file": "x.csv"}  # fmt: skip
    return frame.assign(**fixed, rate=frame["printed"].astype(float) / 100, decimals=1)


def test_the_year_asked_for_alone_and_another_only_when_asked():
    assert comparators_for(201314) == {}
    near = comparators_for(201314, nearest_year=True)["Primary", "FSM"]
    assert near.academic_year == 201415
    assert any("2014/15" in caution and "2013/14" in caution for caution in near.cautions)
    # 2018/19 has all pupils by phase and no group.
    assert {group for _, group in comparators_for(201819)} == {"All pupils"}


def test_one_series_for_all_groups_where_one_has_them_all():
    mixed = comparators_for(202324)
    assert [mixed["Primary", group].series for group in ("All pupils", "FSM", "EHCP")] == [
        "census",
        "attendance",
        "attendance",
    ]
    same = comparators_for(202324, one_series=True)
    assert {one.series for one in same.values()} == {"attendance"}
    assert {one.series for one in comparators_for(201617, one_series=True).values()} == {"census"}
    assert any("not with the attendance series" in text for text in mixed["Primary", "FSM"].cautions)


def test_published_files_come_before_the_toolkit_and_the_authority_before_them():
    rates = published_rows(
        [
            ("census", "absence_by_characteristic", 202324, "Primary", "fsm_eligible", "FSM eligible", "overall_absence_rate", "8.5"),
            ("census", "absence_by_characteristic", 202324, "Primary", "sen_provision", "EHC plan", "overall_absence_rate", "10.9"),
            ("own", "group_comparators", 202324, "Primary", "rating_group", "EHCP", "attendance_rate", "89.3"),
            ("own", "group_comparators", 202324, "Primary", "rating_group", "Children with a social worker",
             "overall_absence_rate", "12.5"),
        ]
    )  # fmt: skip
    found = comparators_for(202324, rates=rates)
    share = {
        group: (found["Primary", group].series, found["Primary", group].share)
        for group in ("FSM", "EHCP", "Children with a social worker")
    }
    assert share == {
        "FSM": ("census", Fraction("0.915")),
        "EHCP": ("own", Fraction("0.893")),
        "Children with a social worker": ("own", Fraction("0.875")),
    }
    cautions = found["Primary", "Children with a social worker"].cautions
    assert any("warns against comparing" in text for text in cautions)


def test_a_published_figure_of_social_care_is_never_taken():
    rates = published_rows(
        [
            (
                "social_care",
                "social_care_absence",
                202324,
                "Primary",
                "social_care_group",
                "CINO at 31 March",
                "overall_absence_rate",
                "12",
            )
        ]
    )
    assert ("Primary", "Children with a social worker") not in comparators_for(202324, rates=rates)


def test_counts_come_before_percentages():
    counted = {"sessions_possible": 3000, "sessions_authorised": 100, "sessions_unauthorised": 65}
    rows = published_rows(
        [("census", "annual_geography", 202324, "Primary", "All", "All", "overall_absence_rate", "5.5")]
    )
    counts = rows.assign(**counted, source_file="g.csv")
    one = comparators_for(202324, cells=counts, rates=rows)["Primary", "All pupils"]
    assert (one.share, one.decimals, one.rounding, one.source) == (Fraction(2835, 3000), None, 0, "g.csv")
