"""Lookups of areas and statistical neighbours: recognition, reading, and the package's own neighbours."""

from __future__ import annotations

import pytest

from attendance_toolkit.errors import NoDataError, UnknownAreaError, UnreadableFileError
from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders.lookups import compare_areas, read_lookup, recognise
from attendance_toolkit.vocabulary.areas import all_areas, find_area
from attendance_toolkit.vocabulary.neighbours import neighbour_rows, neighbours_of

LAS = "new_la_code,la_name,date_of_operation,date_of_termination,parent_geography_code,old_la_code\n"


def write(tmp_path, text):
    path = tmp_path / "x.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_newer_lookup_shows_what_has_changed(tmp_path):
    """A planted rename, a new code and a wrong date are the differences found, beside the rows left out here."""
    path = write(
        tmp_path,
        LAS
        + "E08000009,Trafford,01/01/2009,,E12000002,358\n"
        + "E08000001,Bolton and District,01/01/2009,,E12000002,350\n"
        + "E08000002,Bury,01/04/2009,,E12000002,351\n"
        + "E06000099,New Place,01/04/2027,,E12000002,944\n"
        + "z,Outside of England,,,z,z\n",
    )
    lookup = read_lookup(path)
    assert (lookup.layout, lookup.rows, len(lookup.frame), sum(lookup.left_out.values())) == ("las", 5, 4, 1)
    found = compare_areas(lookup)
    theirs = found[found["row"].notna()]
    assert theirs[["row", "column", "file", "toolkit"]].values.tolist() == [
        [3, "area_name", "Bolton and District", "Bolton"],
        [4, "start_date", "2009-04-01", "2009-01-01"],
        [5, "area", "New Place", ""],
    ]
    missing = set(found.loc[found["row"].isna(), "area"])
    ours = {a.code for a in all_areas() if a.level == "Local authority" and not a.is_synthetic}
    assert missing == ours - {"E08000009", "E08000001", "E08000002"}


def test_a_bad_date_or_row_is_named(tmp_path):
    with pytest.raises(UnreadableFileError, match=r"x\.csv, row 2, date_of_operation: 'soon' is not a date"):
        read_lookup(write(tmp_path, LAS + "E08000009,Trafford,soon,,E12000002,358\n"))
    with pytest.raises(UnreadableFileError, match=r"x\.csv, row 2 has 3 cells, but the header has 6"):
        read_lookup(write(tmp_path, LAS + "E08000009,Trafford,01/01/2009\n"))
    with pytest.raises(UnreadableFileError, match=r"x\.csv is not a lookup of areas"):
        read_lookup(write(tmp_path, "a,b\n1,2\n"))


def test_a_neighbour_without_a_code_is_named(tmp_path):
    header = "LA num,LA Name,LA number,GOInd,GOReg," + ",".join(f"SN{n},SNP" for n in range(1, 11))
    pairs = ["350,Close"] * 10
    good = "358,Trafford,358,5,North West," + ",".join(pairs)
    path = write(tmp_path, f"A,B\n1,2\n{header}\n{good}\n")
    assert recognise(look(path)).layout == "statistical_neighbours"
    assert len(read_lookup(path).frame) == 10
    pairs[4] = "none,Close"
    bad = "359,Wigan,359,5,North West," + ",".join(pairs)
    with pytest.raises(UnreadableFileError, match=r"x\.csv, row 5, SN5: 'none' is not the DfE code"):
        read_lookup(write(tmp_path, f"A,B\n1,2\n{header}\n{good}\n{bad}\n"))


def test_files_with_area_columns_and_more_are_no_lookups(tmp_path):
    for header in (
        "region_code,region_name,time_period",
        "region_code,region_name,old_la_code,la_name,new_la_code,sess",
    ):
        assert recognise(look(write(tmp_path, header + "\n1,2,3\n"))) is None


def test_neighbours_are_found_by_name_code_and_ended_code():
    trafford = neighbours_of("Trafford")
    assert neighbours_of("358") == neighbours_of(find_area("E08000009")) == trafford
    assert len(set(trafford)) == 10
    # E08000016 was Barnsley's code until 30 April 2025.
    assert neighbours_of("E08000016") == neighbours_of("Barnsley")
    assert [n.rank for n in neighbour_rows("Trafford", "may 2025")] == list(range(1, 11))
    assert {n.edition for n in neighbour_rows("Cumbria")} == {"before May 2025"}


@pytest.mark.parametrize(
    ("area", "edition", "error", "says"),
    [
        ("Irwell Bank", None, NoDataError, "fictitious"),
        ("North West", None, NoDataError, "it is regional"),
        ("England", None, NoDataError, "it is national"),
        ("Greater Manchester", None, NoDataError, "combined authority"),
        ("Bedfordshire", None, NoDataError, "DfE's model does not have it"),
        ("Trafford", "2019", NoDataError, "There are: May 2025"),
        ("Traford", None, UnknownAreaError, "Did you mean 'Trafford'"),
    ],
)
def test_an_area_without_neighbours_says_why(area, edition, error, says):
    with pytest.raises(error, match=says):
        neighbours_of(area, edition)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (
            "E08000009,Trafford,01/01/2009,,E12000002,358",
            "row 3: the area E08000009 is there already in row 2. Keep one",
        ),
        (
            "Salford,E08000006,01/01/2009,,E12000002,355",
            "row 3, new_la_code: 'Salford' is not a code such as E08000009",
        ),
        ("E08000006,Salford,01/01/2009,,North West,355", "row 3, parent_geography_code: 'North West' is not a code"),
        (
            "E08000006,Salford,01/01/2009,,E12000002,Salford",
            "row 3, old_la_code: 'Salford' is not a DfE code such as 358",
        ),
        ("E08000006,355,01/01/2009,,E12000002,355", "row 3: '355' is not the name of an area"),
    ],
)
def test_a_row_twice_and_words_in_place_of_codes_are_named(tmp_path, row, says):
    with pytest.raises(UnreadableFileError) as caught:
        read_lookup(write(tmp_path, LAS + "E08000009,Trafford,01/01/2009,,E12000002,358\n" + row + "\n"))
    assert says in str(caught.value)


def test_an_authority_twice_and_a_word_for_its_code_are_named(tmp_path):
    header = "LA num,LA Name," + ",".join(f"SN{n},SNP" for n in range(1, 11))
    row = "358,Trafford," + ",".join(["350,Close"] * 10)
    with pytest.raises(UnreadableFileError, match=r"row 3: the authority 358 is there already in row 2\. Keep"):
        read_lookup(write(tmp_path, f"{header}\n{row}\n{row}\n"))
    with pytest.raises(UnreadableFileError, match=r"row 2, la num: 'Trafford' is not a DfE code"):
        read_lookup(write(tmp_path, f"{header}\nTrafford{row[3:]}\n"))
    # Of an ended authority the neighbours of an earlier edition stand below a heading of their own.
    assert len(read_lookup(write(tmp_path, f"{header}\n{row}\n,Old authorities{',' * 20}\n{row}\n")).frame) == 20
