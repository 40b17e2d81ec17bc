"""Printed tables as data: texts kept, precision of a column, bad input."""

from __future__ import annotations

import pytest

from attendance_toolkit.errors import UnknownAreaError, UnreadableFileError
from attendance_toolkit.loaders.printed import PRINTED_COLUMNS, read_printed_cards, read_printed_table

TABLE_3 = "nc_year,attendance_rate,pa_rate,sa_rate\nYR,,,\n1,95.70%,11.40,0.40\n2,96.10,9.70,-\n"


def write(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_cells_keep_their_text_and_trailing_zeros_are_not_precision(tmp_path):
    cells = read_printed_table(write(tmp_path, TABLE_3), local_area="Trafford")
    assert list(cells.columns) == list(PRINTED_COLUMNS)
    first = cells[cells["nc_year"] == "1"].iloc[0]
    assert (first["table"], first["printed"], first["value"], first["decimals"]) == (
        "Table 3",
        "95.70%",
        95.7,
        1,
    )
    assert (first["area_code"], first["period"], first["published"]) == ("E08000009", "autumn", False)
    assert cells[cells["nc_year"] == "R"]["symbol"].tolist() == ["x", "x", "x"]
    assert cells["row"].tolist() == [2, 2, 2, 3, 3, 3, 4, 4, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "nc_year,attendance\n1,2\n",
            "t.csv has the columns nc_year, attendance. The known tables are: Table 1: phase,",
        ),
        (TABLE_3.replace("9.70", "9,7O"), "t.csv, row 4: 5 fields, but the header has 4."),
        (TABLE_3.replace("9.70", "9.7O"), "t.csv, row 4, pa_rate: '9.7O' is neither a number nor a symbol."),
        ("nc_year,attendance_rate,pa_rate,sa_rate\n", "t.csv is empty."),
        ("", "t.csv is empty."),
    ],
)
def test_bad_tables(tmp_path, text, message):
    with pytest.raises(UnreadableFileError) as caught:
        read_printed_table(write(tmp_path, text), local_area="Trafford")
    assert message in str(caught.value)


def test_an_unknown_phase_or_area_is_named(tmp_path):
    header = "phase,measure,national_2022_23,trafford_2022_23,national_2023_24,trafford_2023_24,trafford_autumn_2024\n"
    with pytest.raises(
        UnreadableFileError, match=r"t\.csv, row 2, phase: 'Primry' is not known.*Did you mean 'Primary'"
    ):
        read_printed_table(write(tmp_path, header + "Primry,Attendance rate,1,2,3,4,5\n"), local_area="Trafford")
    with pytest.raises(UnknownAreaError):
        read_printed_table(write(tmp_path, TABLE_3), local_area="Traford")
    with pytest.raises(UnreadableFileError, match="does not exist"):
        read_printed_table(tmp_path / "none.csv", local_area="Trafford")
    with pytest.raises(UnreadableFileError, match="not UTF-8"):
        read_printed_table(write(tmp_path, TABLE_3.replace("YR", "Yé"), "latin-1"), local_area="Trafford")


def test_cards(tmp_path):
    text = "card,quantity,printed,unit,derived_from\noverall,mean,18.0,sessions,a / b\n"
    row = read_printed_cards(write(tmp_path, text)).iloc[0]
    assert (row["printed"], row["value"], row["decimals"]) == ("18.0", 18.0, 1)
    with pytest.raises(UnreadableFileError, match="cards have card, quantity"):
        read_printed_cards(write(tmp_path, text.replace("unit", "units")))


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ('"12,5"', "'12,5' is neither a number nor a symbol"),
        ("1_0", "'1_0' is neither a number nor a symbol"),
        ("inf", "'inf' is neither"),
        ("nan", "'nan' is neither"),
        ("1.2E+01", "'1.2E+01' is neither"),
        ("\u0661\u0662", "is neither a number nor a symbol"),
        ("-9.7", "'-9.7' is not a percentage from 0 to 100"),
        ("105.2", "'105.2' is not a percentage from 0 to 100"),
        ('"1,234"', "'1,234' is not a percentage from 0 to 100"),
    ],
)
def test_a_cell_that_is_no_percentage_is_named(tmp_path, cell, says):
    with pytest.raises(UnreadableFileError) as caught:
        read_printed_table(write(tmp_path, TABLE_3.replace("9.70", cell)), local_area="Trafford")
    assert str(caught.value).startswith("t.csv, row 4, pa_rate: ")
    assert says in str(caught.value)


def test_a_row_that_is_there_twice_is_named(tmp_path):
    """Also under another spelling of the same year group: Y1 is year 1."""
    path = write(tmp_path, TABLE_3 + "Y1,95.70,11.40,0.40\n")
    with pytest.raises(UnreadableFileError, match=r"t\.csv, row 5, nc_year: 'Y1' is there already in row 3\. Keep one"):
        read_printed_table(path, local_area="Trafford")
