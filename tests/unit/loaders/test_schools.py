"""Lists of schools: every layout, every rule, and how a store puts them together."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attendance_toolkit.errors import StoreError, UnreadableFileError
from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders.schools import read_schools, recognise, schools_from_census
from attendance_toolkit.schema.census import census_of
from attendance_toolkit.store.schools import SCHOOLS, merge_schools, read_school_rows, school_frame, settle_schools
from attendance_toolkit.store.store import Store
from attendance_toolkit.vocabulary.columns import PHASES, SCHOOL_COLUMNS

LOOKUPS = "schools_and_la_lookups"
GIAS = ["URN", "LA (code)", "EstablishmentNumber", "EstablishmentName", "TypeOfEstablishment (name)",
        "EstablishmentStatus (name)", "OpenDate", "CloseDate", "PhaseOfEducation (name)", "StatutoryLowAge",
        "StatutoryHighAge", "CensusDate", "NumberOfPupils", "PercentageFSM", "Postcode", "HeadLastName",
        "LastChangedDate"]  # fmt: skip
GOOD = dict(
    zip(
        GIAS,
        ["106283", "358", "2000", "Navigation Primary School", "Community school", "Open", "01/09/1999", "", "Primary",
         "3", "11", "18/01/2024", "444", "6.4", "WA14 1NG", "Person", "26/09/2024"],
        strict=True,
    )
)  # fmt: skip


def gias(folder: Path, *rows: dict[str, str], encoding: str = "utf-8", name: str = "x.csv") -> Path:
    path = folder / name
    with path.open("w", encoding=encoding, newline="") as handle:
        writer = csv.DictWriter(handle, GIAS)
        writer.writeheader()
        writer.writerows({**GOOD, "URN": str(106283 + n), **row} for n, row in enumerate(rows))
    return path


def rules(listed) -> list[tuple[str, int]]:
    return sorted((f.rule, f.count) for f in listed.findings)


# --- layouts -------------------------------------------------------------------------------------------


def test_a_gias_row_in_windows_1252_becomes_a_school(tmp_path):
    path = gias(tmp_path, {"EstablishmentName": "St Mary’s, Café"}, encoding="cp1252")
    listed = read_schools(path)
    assert recognise(look(path)).layout == "gias"
    assert not listed.findings
    row = listed.frame.iloc[0]
    assert row["school_name"] == "St Mary’s, Café"
    assert (row["laestab"], row["urn"], row["la_code"], row["phase"]) == (3582000, 106283, "E08000009", "Primary")
    assert (row["number_of_pupils"], row["percent_fsm"]) == (444, 6.4)
    # Day first: 01/09/1999 is 1 September.
    assert (row["open_date"], row["pupils_at"]) == (pd.Timestamp(1999, 9, 1), pd.Timestamp(2024, 1, 18))
    assert row["as_at"] == pd.Timestamp(2024, 9, 26)
    assert list(listed.frame) == list(SCHOOL_COLUMNS)
    assert "Person" not in listed.frame.to_csv()


def test_gzip_utf16_and_workbooks_give_the_same_schools(tmp_path):
    plain = read_schools(gias(tmp_path, {}, {"PhaseOfEducation (name)": "Secondary"})).frame
    packed = tmp_path / "y.csv.gz"
    packed.write_bytes(gzip.compress((tmp_path / "x.csv").read_bytes()))
    wide = gias(tmp_path, {}, {"PhaseOfEducation (name)": "Secondary"}, encoding="utf-16", name="z.csv")
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl writes the workbook of this test")
    book = openpyxl.Workbook()
    for row in csv.reader((tmp_path / "x.csv").read_text(encoding="utf-8").splitlines()):
        book.active.append([int(cell) if cell.isdigit() else cell for cell in row])
    book.save(tmp_path / "w.xlsx")
    for other in (packed, wide, tmp_path / "w.xlsx"):
        frame = read_schools(other).frame
        pd.testing.assert_frame_equal(frame.drop(columns="source"), plain.drop(columns="source"))


def test_only_lists_of_schools_are_taken_for_one(tmp_path):
    for header in (
        "UPN,URN,name,phase",
        "URN,School name,Phase,Attendance,Absence",
        "urn,name,phase,enrolments",
        "LA,ESTAB,URN,PERCTOT,PPERSABS15",
        "nativeid,phase,laestab,urn,schoolname",
        "region_code,region_name",
        "new_la_code,la_name,status,old_la_code",
    ):
        path = tmp_path / "a.csv"
        path.write_text(header + "\n" + ",".join("1" for _ in header.split(",")) + "\n", encoding="utf-8")
        assert recognise(look(path)) is None, header
    with pytest.raises(UnreadableFileError, match=r"a\.csv is not a list of schools"):
        read_schools(path)


@pytest.mark.parametrize(
    ("file", "layout", "schools", "left_out", "found"),
    [
        ("performance_tables_school/england_census_201819.csv", "performance_pupils", 23_939, 3, set()),
        (f"{LOOKUPS}/schools_gias_20250115.csv", "school_list", 22_012, 0, {"school_list_columns"}),
        (f"{LOOKUPS}/trafford_schools_and_colleges_20240926.csv", "school_list", 103, 0, set()),
        (f"{LOOKUPS}/trafford_schools_phase_nor_fsm_20240926.csv", "school_list", 103, 0, {"school_list_columns"}),
        (f"{LOOKUPS}/greater_manchester_schools_DERIVED.csv", "school_list", 1_123, 0, set()),
        # Invented rows: their authority 100 does not exist.
        (f"{LOOKUPS}/gias_fixture_SYNTHETIC.csv", "gias", 60, 0, {"school_la_unknown"}),
    ],
)
def test_every_real_list_is_recognised_and_no_row_is_lost(shared, tmp_path, file, layout, schools, left_out, found):
    source = shared / "data" / "real" / file
    copy = tmp_path / "x.csv"
    copy.write_bytes(source.read_bytes())
    listed = read_schools(copy)
    assert recognise(look(copy)).layout == layout == listed.layout
    with source.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.reader(handle))[1:]
    assert listed.rows == len(rows) == schools + left_out
    assert (len(listed.frame), listed.set_aside, sum(listed.left_out.values())) == (schools, 0, left_out)
    assert {f.rule for f in listed.findings} == found
    assert {f.severity for f in listed.findings} <= {"warning"}
    assert set(listed.frame["phase"]) <= set(PHASES)


def test_the_performance_table_s_own_totals_are_the_sums_of_its_schools(shared):
    """The table's national rows against our schools: roll by phase, and a few schools do not publish theirs."""
    path = shared / "data" / "real" / "performance_tables_school/england_census_201819.csv"
    frame = read_schools(path).frame
    words = {"PRI": "State-funded primary", "SEC": "State-funded secondary", "SPE": "State-funded special school"}
    with path.open(encoding="utf-8-sig", newline="") as handle:
        national = {row["ESTAB"]: int(row["NOR"]) for row in csv.DictReader(handle) if row["URN"] == "NAT"}
    sums = frame.groupby("phase_source")["number_of_pupils"].sum()
    assert {estab: national[estab] - int(sums[word]) for estab, word in words.items()} == {"PRI": 0, "SEC": 0, "SPE": 0}


# --- rules ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "rule", "column", "kept"),
    [
        ({"URN": ""}, "school_urn_blank", "urn", False),
        ({"URN": "12345"}, "school_urn_blank", "urn", False),
        ({"URN": "358/2000"}, "school_urn_blank", "urn", False),
        ({"LA (code)": "999"}, "school_la_unknown", "la_code", True),
        ({"EstablishmentNumber": "20000"}, "school_laestab", "laestab", True),
        ({"EstablishmentNumber": "two"}, "school_laestab", "laestab", True),
        ({"OpenDate": "31/02/2020"}, "school_date", "open_date", True),
        ({"CloseDate": "08/31/2024"}, "school_date", "close_date", True),
        ({"NumberOfPupils": "-4"}, "school_number", "number_of_pupils", True),
        ({"NumberOfPupils": "44.5"}, "school_number", "number_of_pupils", True),
        ({"PercentageFSM": "140"}, "school_number", "percent_fsm", True),
        ({"PercentageFSM": "nan"}, "school_number", "percent_fsm", True),
        ({"StatutoryLowAge": "three"}, "school_number", "statutory_low_age", True),
        ({"PhaseOfEducation (name)": "Upper"}, "school_phase_unknown", "phase", True),
    ],
)
def test_a_bad_cell_is_one_finding_and_only_it_is_lost(tmp_path, row, rule, column, kept):
    listed = read_schools(gias(tmp_path, {}, row, {}))
    assert rules(listed) == [(rule, 1)]
    found = listed.findings[0]
    assert (found.row, found.file) == (3, "x.csv")
    assert found.says
    assert found.fix
    assert listed.rows == 3 == len(listed.frame) + listed.set_aside
    assert listed.set_aside == (not kept)
    if kept:
        clean = read_schools(gias(tmp_path, {}, {}, {}, name="clean.csv")).frame.iloc[1]
        ours = listed.frame.iloc[1]
        assert pd.isna(ours[column]) or ours[column] == "Unknown"
        same = [c for c in SCHOOL_COLUMNS if c not in (column, "laestab", "source", "phase_source")]
        assert all((pd.isna(ours[c]) and pd.isna(clean[c])) or ours[c] == clean[c] for c in same)


def test_a_list_that_cannot_tell_authority_or_phase_says_so(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("urn,name,postcode\n106283,Navigation Primary School,WA14 1NG\n", encoding="utf-8")
    listed = read_schools(path)
    assert rules(listed) == [("school_list_columns", 1), ("school_list_columns", 1)]
    assert (listed.frame.loc[0, "urn"], listed.frame.loc[0, "phase"]) == (106283, "Unknown")
    path.write_text(
        "laestab,name,phase\n358/2000,Navigation Primary School,Primary\n35820,B,Primary\n", encoding="utf-8"
    )
    by_laestab = read_schools(path)
    assert by_laestab.frame["laestab"].tolist() == [3582000]
    assert rules(by_laestab) == [("school_urn_blank", 1)]


def test_a_school_given_twice_is_kept_once_if_the_rows_agree_and_set_aside_if_not(tmp_path):
    same = read_schools(gias(tmp_path, {"URN": "100001"}, {"URN": "100001"}, {"URN": "100002"}))
    assert rules(same) == [("school_urn_repeated", 1)]
    assert same.findings[0].row == 3
    assert (same.frame["urn"].tolist(), same.set_aside) == ([100001, 100002], 1)
    other = read_schools(gias(tmp_path, {"URN": "100001"}, {"URN": "100001", "NumberOfPupils": "5"}, {"URN": "100002"}))
    assert rules(other) == [("school_urn_repeated", 2)]
    assert (other.frame["urn"].tolist(), other.set_aside) == ([100002], 2)


def test_a_ragged_row_or_a_repeated_header_stops_the_file(tmp_path):
    path = gias(tmp_path, {}, {})
    path.write_text(path.read_text(encoding="utf-8").replace("Navigation Primary School", "A, B", 1), encoding="utf-8")
    ragged = read_schools(path)
    assert ragged.is_blocked
    assert (ragged.findings[0].rule, ragged.findings[0].row, len(ragged.frame)) == ("file_ragged", 2, 0)
    path.write_text("URN,name,phase,URN\n100001,A,Primary,100002\n", encoding="utf-8")
    twice = read_schools(path)
    assert (twice.findings[0].rule, len(twice.frame)) == ("column_repeated", 0)


def test_a_quotation_mark_that_never_ends_and_a_broken_gzip_are_clear_errors(tmp_path):
    path = gias(tmp_path, {}, {})
    path.write_text(path.read_text(encoding="utf-8").replace("Navigation", '"Navigation', 1), encoding="utf-8")
    with pytest.raises(UnreadableFileError, match=r"x\.csv: row \d+ could not be read"):
        read_schools(path)
    packed = tmp_path / "y.csv.gz"
    packed.write_bytes(gzip.compress(gias(tmp_path, *({} for _ in range(3_000))).read_bytes())[:-100])
    with pytest.raises(UnreadableFileError, match="damaged"):
        read_schools(packed)


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_damaged_list_is_a_clear_error_or_a_finding_and_no_row_is_lost(tmp_path, data):
    """Bytes cut, doubled, swapped or replaced anywhere: rows stay accounted for and no number is invented."""
    clean = gias(tmp_path, *({"NumberOfPupils": str(100 + n), "EstablishmentNumber": str(2000 + n)} for n in range(6)))
    text = bytearray(clean.read_bytes())
    header = text.index(b"\n") + 1
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(header, len(text) - 1))
        piece = data.draw(
            st.sampled_from([b"", b",", b'"', b"\n", b"\xff", b"\x00", b"-1", b"NA", b"9" * 30, "é".encode()])
        )
        text[at : at + data.draw(st.integers(0, 12))] = piece
    path = tmp_path / "damaged.csv"
    path.write_bytes(bytes(text))
    try:
        listed = read_schools(path)
    except UnreadableFileError:
        return
    assert listed.is_blocked or listed.rows == len(listed.frame) + listed.set_aside + sum(listed.left_out.values())
    assert set(listed.frame["phase"]) <= set(PHASES)
    assert not listed.frame.duplicated("urn").any()
    for pupils in listed.frame["number_of_pupils"].dropna():
        # A number is one of the file, digit for digit.
        assert pupils >= 0
        assert str(pupils).encode() in bytes(text)


# --- the store's schools -------------------------------------------------------------------------------


def write(root: Path, frame: pd.DataFrame) -> None:
    """Merge into a store's folder as a load does: beside it, then exchanged."""
    prepared = root / ".prepared"
    prepared.mkdir(parents=True, exist_ok=True)
    merge_schools(prepared, root, frame)
    (root / SCHOOLS).parent.mkdir(exist_ok=True)
    (prepared / SCHOOLS).replace(root / SCHOOLS)


def test_lists_in_any_order_give_the_same_schools(shared, tmp_path):
    real = shared / "data" / "real"
    files = [real / LOOKUPS / "trafford_schools_and_colleges_20240926.csv",
             real / LOOKUPS / "trafford_schools_phase_nor_fsm_20240926.csv",
             real / "performance_tables_school/england_census_201819.csv"]  # fmt: skip
    for n, order in enumerate((files, files[::-1])):
        for file in order:
            write(tmp_path / str(n), read_schools(file).frame)
    one, two = (settle_schools(read_school_rows(tmp_path / str(n))) for n in range(2))
    pd.testing.assert_frame_equal(one, two)
    trafford = one[one["la_code"] == "E08000009"].set_index("urn")
    navigation = trafford.loc[106283]
    # Roll and free school meals of January 2024, not of the older table; the establishment number is that of both.
    assert (navigation["number_of_pupils"], navigation["percent_fsm"], navigation["laestab"]) == (444, 6.4, 3582000)
    assert navigation["pupils_at"] == pd.Timestamp(2024, 1, 18)
    # The Trafford list has the pupil referral unit as an all-through maintained school.
    assert trafford.loc[131134, "phase"] == "Pupil referral unit"
    assert not one.duplicated("urn").any()


def test_loading_a_list_again_replaces_it(tmp_path):
    write(tmp_path, read_schools(gias(tmp_path, {}, {"EstablishmentNumber": "2001"})).frame)
    write(tmp_path, read_schools(gias(tmp_path, {"NumberOfPupils": "9"})).frame)
    rows = read_school_rows(tmp_path)
    assert rows["number_of_pupils"].tolist() == [9]
    (tmp_path / SCHOOLS).write_bytes(b"PAR1 no")
    with pytest.raises(StoreError, match="damaged"):
        read_school_rows(tmp_path)


def test_a_census_return_adds_its_schools_and_takes_the_urn_of_the_open_one(tmp_path):
    closed = {"URN": "100001", "EstablishmentStatus (name)": "Closed", "CloseDate": "31/08/2023"}
    write(tmp_path, read_schools(gias(tmp_path, closed, {"URN": "100002", "OpenDate": "01/09/2023"})).frame)
    census = census_of("autumn 2024")
    rows = [
        {"nativeid": "1", "laestab": "3582000", "schoolname": "Navigation Academy", "phase": "PS"},
        {"nativeid": "2", "lea": "358", "estab": "7503", "schoolname": "A special school", "phase": "SP"},
        {"nativeid": "x", "schoolname": "No number", "phase": "PS"},
    ]
    write(tmp_path, schools_from_census(rows, census))
    write(tmp_path, schools_from_census([{**rows[1], "schoolname": "Renamed"}], census))
    settled = settle_schools(read_school_rows(tmp_path))
    assert settled["urn"].tolist() == [100002, 100001, pd.NA]
    assert settled["school_name"].tolist() == ["Navigation Academy", "Navigation Primary School", "Renamed"]
    assert settled["phase"].tolist() == ["Primary", "Primary", "Special"]
    assert settled["la_code"].eq("E08000009").all()


def test_schools_go_into_a_store_with_a_load_and_survive_the_next(synthetic_store, tmp_path):
    import shutil

    import duckdb

    from attendance_toolkit.loaders.school_census import make_working_tables
    from attendance_toolkit.store.write import locked, write_load

    root = tmp_path / "store"
    shutil.copytree(synthetic_store, root)
    assert Store.open(root).schools()["source"].str.startswith("x.csv").sum() == 0
    for frame in (read_schools(gias(tmp_path, {}, {}), as_at=date(2025, 1, 1)).frame, school_frame()):
        con = duckdb.connect()
        make_working_tables(con)
        with locked(root):
            write_load(con, root, Store.open(root).manifest, replaced={}, loads=[], aside=[], schools_listed=frame)
    found = Store.open(root).schools()
    listed = found[found["source"] == "x.csv"]
    assert Counter(listed["as_at"]) == {pd.Timestamp(2025, 1, 1): 2}


def test_a_list_with_a_header_only_is_blocked(tmp_path):
    listed = read_schools(gias(tmp_path))
    assert listed.is_blocked
    assert rules(listed) == [("file_no_rows", 1)]
