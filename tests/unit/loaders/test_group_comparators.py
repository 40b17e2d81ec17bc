"""An authority's own file of national attendance of groups: recognised, read exactly, refused with the cell named."""

from __future__ import annotations

from fractions import Fraction

import pytest

from attendance_toolkit.errors import UnreadableFileError
from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders.published import read_published, screen_published
from attendance_toolkit.loaders.recognition import recognise
from attendance_toolkit.metrics.group_comparators import comparators_for

HEADER = "academic_year,phase,group,attendance,source\n"
ROWS = '2023/24,Primary,CSW,88.1,"DfE, Outcomes for children in need"\n202324,State-funded secondary,FSM eligible,85.43,DfE census\n'


def write(folder, text, name="own.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_it_is_recognised_and_used_before_the_toolkits_figures(tmp_path):
    path = write(tmp_path, HEADER + ROWS)
    # Its columns would do for a summary of the portal, which is asked later.
    found = recognise(look(path))
    assert (found.kind, found.layout, found.years) == ("published", "group_comparators", (202324,))
    assert screen_published(path) == []
    published = read_published([path])
    assert published.rates[["decimals", "series"]].values.tolist() == [[1, "own"], [2, "own"]]
    national = comparators_for(202324, rates=published.rates, cells=published.cells)
    one, other = national["Primary", "Children with a social worker"], national["Secondary", "FSM"]
    assert (one.share, one.source) == (Fraction("0.881"), "own.csv: DfE, Outcomes for children in need")
    assert (other.share, other.decimals, other.series) == (Fraction("0.8543"), 2, "own")
    # The other phases keep the toolkit's.
    assert national["Primary", "FSM"].series == "attendance"


def test_absence_is_read_as_what_is_left(tmp_path):
    path = write(tmp_path, "academic_year,phase,group,absence,source\n2023/24,Special,SEN support,13.2,DfE\n")
    national = comparators_for(202324, rates=read_published([path]).rates)
    assert national["Special", "SEN Support"].share == Fraction("0.868")


def test_groups_of_social_care_are_read_with_persistent_and_severe_absence_where_given(tmp_path):
    path = write(
        tmp_path,
        "academic_year,phase,group,absence,persistent_absence,severe_absence,source\n"
        "2023/24,All schools,CLA,8.9,19.8,,DfE\n2023/24,Secondary,Young carers,12,,0.8,DfE\n",
    )
    rates = read_published([path]).rates
    asked = {"groups": ("Looked-after children", "Young carers"), "phases": ("All schools", "Secondary")}
    cared_for, carers = ("All schools", "Looked-after children"), ("Secondary", "Young carers")
    found = {
        measure: {key: one.share for key, one in comparators_for(202324, rates=rates, measure=measure, **asked).items()}
        for measure in ("attendance_rate", "persistent_absence_rate", "severe_absence_rate")
    }
    assert found == {
        "attendance_rate": {cared_for: Fraction("0.911"), carers: Fraction("0.88")},
        "persistent_absence_rate": {cared_for: Fraction("0.198")},
        "severe_absence_rate": {carers: Fraction("0.008")},
    }
    one = comparators_for(202324, rates=rates, **asked)[cared_for]
    assert any("DfE warns against comparing" in text for text in one.cautions)
    # Unasked, neither a rating of schools nor a school type takes them.
    assert not set(comparators_for(202324, rates=rates)) & {cared_for, carers}


def test_a_share_of_persistent_absence_is_refused(tmp_path):
    header = "academic_year,phase,group,absence,persistent_absence,source\n"
    path = write(tmp_path, f"{header}2023/24,Primary,FSM,8.1,0.281,DfE\n")
    with pytest.raises(
        UnreadableFileError, match=r"persistent_absence: '0\.281' is not allowed\. Use a percentage above 1"
    ):
        read_published([path])


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("2023,Primary,FSM,90,DfE", "row 2, academic_year: '2023'"),
        ("2023/24,Nursery,FSM,90,DfE", "row 2, phase: 'Nursery'"),
        ("2023/24,Primary,Looked after,90,DfE", "row 2, group: 'Looked after'"),
        ("2023/24,Primary,FSM,ninety,DfE", "row 2, attendance: 'ninety'"),
        ("2023/24,Primary,FSM,0.91,DfE", "row 2, attendance: '0.91' is not allowed. Use a percentage above 1"),
        ("2023/24,Primary,FSM,91,", "row 2, source: ''"),
        ("2023/24,Primary,FSM,91,DfE\n2023/24,Primary,FSM,92,DfE", "is there more than once"),
    ],
)
def test_a_wrong_cell_is_named(tmp_path, row, says):
    path = write(tmp_path, f"{HEADER}{row}\n")
    with pytest.raises(UnreadableFileError) as error:
        read_published([path])
    assert says in str(error.value)
    findings = screen_published(path)
    assert findings or "more than once" in says


def test_both_columns_are_refused(tmp_path):
    path = write(tmp_path, "academic_year,phase,group,attendance,absence,source\n2023/24,Primary,FSM,91,9,DfE\n")
    with pytest.raises(UnreadableFileError, match="both a column 'attendance' and a column 'absence'"):
        read_published([path])
