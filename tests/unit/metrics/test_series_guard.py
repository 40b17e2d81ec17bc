"""The series-break guard: what is refused, what is labelled, what passes."""

from __future__ import annotations

import pandas as pd
import pytest

from attendance_toolkit.errors import SeriesBreakError
from attendance_toolkit.metrics.absence import difference, record_difference
from attendance_toolkit.metrics.series_guard import (
    Selection,
    breaks_between,
    guard,
    guard_rows,
    label_of,
    line_breaks,
    selection_of,
)
from attendance_toolkit.vocabulary.series import SERIES
from attendance_toolkit.vocabulary.series_breaks import ACTIONS, KINDS, series_breaks


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (Selection("census", 202223), Selection("attendance", 202324), "registers of part of the schools"),
        (Selection("attendance", 202324), Selection("local", 202324), "not with the attendance series"),
        (Selection("portal", 202425), Selection("census", 202425), "DfE's portal"),
        (Selection("social_care", 202223), Selection("census", 202223), "count pupils"),
        (Selection("four_year_olds", 202223), Selection("census", 202223), "Four-year-olds"),
        (Selection("census", 202324, "autumn"), Selection("census", 202324, "year"), "not a full year"),
        (
            Selection("census", 201112, "year, five half terms"),
            Selection("census", 201213, "year"),
            "five half terms",
        ),
        (
            Selection(measure="persistent_absence_rate_15"),
            Selection(measure="persistent_absence_rate"),
            "15% or more",
        ),
        (
            Selection("census", 202324, "year", "reason_rate", "auth_other"),
            Selection("census", 202425, "year", "reason_rate", "auth_other"),
            "part-time timetables",
        ),
        (Selection("census", 201819, "year"), Selection("census", 201920, "year"), "2019/20"),
    ],
)
def test_what_is_not_comparable_is_refused_in_both_orders_and_says_why(first, second, words):
    for one, two in ((first, second), (second, first)):
        with pytest.raises(SeriesBreakError, match="are not to be compared") as caught:
            guard(one, two)
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("first", "second", "ids"),
    [
        (Selection("census", 202223, "year"), Selection("census", 202324, "year"), []),
        (Selection("local", 202324), Selection("census", 202324), ["series_local_census"]),
        (
            Selection("census", 201415, "year", "persistent_absence_rate"),
            Selection("census", 201516, "year", "persistent_absence_rate"),
            ["definition_pa_15_10"],
        ),
        (
            Selection("census", 201819, "year", "overall_absence_rate"),
            Selection("census", 202122, "year", "overall_absence_rate"),
            ["covid_years", "spans_201920"],
        ),
        (
            Selection("census", 202324, "year", "authorised_absence_rate"),
            Selection("census", 202425, "year", "authorised_absence_rate"),
            ["codes_2024_totals"],
        ),
        (
            Selection("census", 202324, "year", "reason_rate", "auth_illness"),
            Selection("census", 202425, "year", "reason_rate", "auth_illness"),
            [],
        ),
        (
            Selection("attendance", 202223, "year", "authorised_absence_rate"),
            Selection("attendance", 202324, "year", "authorised_absence_rate"),
            ["attendance_x_202223"],
        ),
        # What is not known is not judged.
        (Selection(), Selection("census", 202324, "year"), []),
    ],
)
def test_what_is_comparable_passes_with_its_labels(first, second, ids):
    assert [known.id for known in guard(first, second)] == ids
    assert all(known.says in label_of(guard(first, second)) for known in breaks_between(first, second))


def test_breaks_are_data_with_a_sentence_and_a_source():
    known = series_breaks()
    assert len({row.id for row in known}) == len(known)
    for row in known:
        assert row.kind in KINDS
        assert row.action in ACTIONS
        assert row.says.endswith(".")
        assert row.source
        if row.kind == "series":
            assert {row.first, row.second} - {"*", "portal"} <= set(SERIES)


def record(**more):
    return {"measure": "overall_absence_rate", "rate": 0.1, "lower": None, "upper": None, "symbol": "", **more}


def test_differences_of_other_series_are_refused():
    with pytest.raises(SeriesBreakError):
        record_difference(record(series="census"), record(series="attendance"))
    assert record_difference(record(series="census"), record(series="census", rate=0.05))["rate"] == pytest.approx(0.05)
    columns = {"area_code": ["a", "b"], "numerator": float("nan"), "denominator": float("nan")}
    frame = pd.DataFrame([record(series="census"), record(series="census")]).assign(**columns)
    frame[["lower", "upper"]] = float("nan")
    with pytest.raises(SeriesBreakError):
        difference(frame, frame.assign(series=["census", "attendance"]), ["area_code"])
    assert (difference(frame, frame, ["area_code"])["rate"] == 0).all()


def test_rows_are_compared_only_where_they_meet():
    one = pd.DataFrame({"phase": ["Primary"], "measure": "m", "series": ["census"], "academic_year": [202223]})
    two = one.assign(phase="Secondary", series="attendance")
    assert guard_rows(one, two, ["phase"]) == ()
    with pytest.raises(SeriesBreakError):
        guard_rows(one, two.assign(phase="Primary"), ["phase"])


def test_a_line_is_cut_where_it_breaks():
    years = (201819, 202021, 202223, 202324)
    points = [
        {"series": "census", "academic_year": y, "period": "year", "measure": "overall_absence_rate"} for y in years
    ]
    assert [(year, known.id) for year, known in line_breaks(points)] == [
        (202021, "covid_years"),
        (202021, "spans_201920"),
        (202223, "covid_years"),
    ]
    points[3]["series"] = "attendance"
    assert (202324, "series_census_attendance") in [(year, known.id) for year, known in line_breaks(points)]


def test_a_record_without_groups_is_an_empty_selection():
    assert selection_of({"measure": "m", "academic_year": float("nan"), "reason": "All"}) == Selection(measure="m")
