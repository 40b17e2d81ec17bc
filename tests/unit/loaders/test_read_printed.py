"""Files of a printed report: recognised by their columns, refused in one sentence."""

from __future__ import annotations

import pytest

from attendance_toolkit.errors import ParameterError, UnreadableFileError
from attendance_toolkit.loaders.printed import read_printed

TABLE_1 = (
    "phase,measure,national_2022_23,trafford_2022_23,national_2023_24,trafford_2023_24,trafford_autumn_2024\n"
    "Primary,Attendance rate,94.1,95.2,94.5,95.3,95.9\n"
)
TABLE_3 = "nc_year,attendance_rate,pa_rate,sa_rate\nYR,,,\n1,95.70,11.40,0.40\n"
CARDS = "card,quantity,printed,unit,derived_from\noverall,rate,7.7,percent,given\n"
PREVIOUS = "overall,previous_year_1998_99,7.9,percent,given\n"


@pytest.fixture
def write(tmp_path):
    def made(name, text):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return made


def test_files_are_told_apart_and_put_in_order(write):
    files = [write("c.csv", CARDS + PREVIOUS), write("b.csv", TABLE_3), write("a.csv", TABLE_1)]
    printed = read_printed(files, local_area="Trafford")
    assert [(t.name, t.layout.name) for t in printed.tables] == [("a.csv", "Table 1"), ("b.csv", "Table 3")]
    assert printed.tables[1].headings == {2: ("YR",), 3: ("1",)}
    assert (printed.cards_name, len(printed.cards), len(printed.cells)) == ("c.csv", 2, 11)
    assert printed.academic_year == 202324
    assert read_printed([files[1]], local_area="Trafford").academic_year == 202425
    assert read_printed([files[0]], local_area="Southampton").academic_year == 199900


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a,b\n1,2\n"], "0.csv is not a printed table this toolkit knows. Its columns are: a, b. Known are: Table 1:"),
        ([TABLE_3.replace(",", ";")], "0.csv is not separated by commas."),
        ([TABLE_3, TABLE_3], "0.csv and 1.csv are both Table 3."),
        ([CARDS, CARDS], "0.csv and 1.csv are both cards."),
        ([CARDS + CARDS.splitlines()[1]], "0.csv, row 3: overall, rate is there twice."),
        ([""], "0.csv is empty."),
        ([TABLE_3.replace("11.40", "high")], "0.csv, row 3, pa_rate: 'high' is neither a number nor a symbol."),
    ],
)
def test_what_cannot_be_read_is_said(write, texts, message):
    files = [write(f"{number}.csv", text) for number, text in enumerate(texts)]
    with pytest.raises(UnreadableFileError) as caught:
        read_printed(files, local_area="Trafford")
    assert message in str(caught.value)


def test_a_folder_and_an_unknown_year(write, tmp_path):
    with pytest.raises(UnreadableFileError, match="is not a file that can be read"):
        read_printed([tmp_path], local_area="Trafford")
    with pytest.raises(UnreadableFileError, match="does not say its academic year"):
        _ = read_printed([write("c.csv", CARDS)], local_area="Trafford").academic_year


def test_a_table_of_another_area_is_refused(write):
    with pytest.raises(
        ParameterError, match=r"a\.csv prints figures of Trafford \(column trafford_2022_23\), not of Bury"
    ):
        read_printed([write("a.csv", TABLE_1)], local_area="Bury")
