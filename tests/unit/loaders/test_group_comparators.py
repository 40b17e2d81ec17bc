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
    assert (one.attendance, one.source) == (Fraction("0.881"), "own.csv: DfE, Outcomes for children in need")
    assert (other.attendance, other.decimals, other.series) == (Fraction("0.8543"), 2, "own")
    # The other phases keep the toolkit's.
    assert national["Primary", "FSM"].series == "attendance"


def test_absence_is_read_as_what_is_left(tmp_path):
    path = write(tmp_path, "academic_year,phase,group,absence,source\n2023/24,Special,SEN support,13.2,DfE\n")
    national = comparators_for(202324, rates=read_published([path]).rates)
    assert national["Special", "SEN Support"].attendance == Fraction("0.868")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("2023,Primary,FSM,90,DfE", "row 2, academic_year: '2023'"),
        ("2023/24,Total,FSM,90,DfE", "row 2, phase: 'Total'"),
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
