"""Registers of marks give the sums the census gives, and say what is wrong with bad ones."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from datetime import date

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders.register_marks import RegisterReader, recognise
from attendance_toolkit.loaders.synthetic import generate, write_census_files, write_register_files
from attendance_toolkit.vocabulary.calendar import easter_sunday, half_term_starts
from tests.unit.loaders.marks_helpers import (
    HEADER,
    OTHER_SCHOOL,
    SCHOOL,
    UPNS,
    census_sums,
    make_upn,
    read,
    rows_of,
    sums,
    weekdays,
    write_rows,
)


@pytest.fixture(scope="module")
def cohort():
    return generate("small", areas=["Irwell Bank"], first_year=202324)


@pytest.fixture(scope="module")
def expected(cohort, tmp_path_factory):
    folder = tmp_path_factory.mktemp("census")
    write_census_files(cohort, folder)
    return census_sums(folder)


def rules(reader) -> Counter:
    return Counter(f.rule for f in reader.findings)


def only(reader, rule: str):
    """Return the one finding of a reader, which must be of a rule."""
    assert rules(reader) == {rule: 1}, [str(f) for f in reader.findings]
    return reader.findings[0]


# -- good registers --


@pytest.mark.parametrize(
    ("shape", "form"),
    [("long", "csv"), ("long", "csv.gz"), ("long", "parquet"), ("long", "xlsx"), ("wide", "csv"), ("wide", "parquet"),
     ("wide", "xlsx")],
)  # fmt: skip
def test_a_register_gives_the_sums_of_the_census(cohort, expected, tmp_path, shape, form) -> None:
    # Against the same cohort's census returns, added up by the csv module.
    paths = write_register_files(cohort, tmp_path, shape, form)
    found = recognise(look(paths[0]))
    assert found.layout == f"register_{shape}"
    # What the file is, is printed on pages, where a number in words would be a figure.
    assert not {"one", "two", "three"} & set(f"{found.says} {found.feeds}".split())
    reader, con = read(RegisterReader, *paths)
    assert not reader.is_blocked
    assert len(expected) > 900
    assert sums(con) == expected
    assert sum(s.count.rows_quarantined for s in reader.sources) == 0


def test_reasons_are_those_of_the_marks(tmp_path) -> None:
    # Planted: each code once, on its own day, for one pupil.
    codes = [
        "I",
        "M",
        "C",
        "C1",
        "C2",
        "E",
        "J1",
        "R",
        "S",
        "T",
        "G",
        "N",
        "O",
        "U",
        "L",
        "B",
        "K",
        "D",
        "X",
        "Y7",
        "#",
        "i",
    ]
    days = weekdays(date(2024, 11, 4), len(codes))
    path = write_rows(
        tmp_path / "r.csv", [[UPNS[0], SCHOOL, d.isoformat(), "AM", c] for d, c in zip(days, codes, strict=True)]
    )
    reader, con = read(RegisterReader, path)
    row = con.execute("SELECT * FROM collected_parts").fetchdf().iloc[0]
    assert not reader.findings
    assert row["sessions_possible"] == 22 - 4
    assert row["sessions_auth_illness"] == 2
    assert row["sessions_authorised"] == 11
    assert row["sessions_unauthorised"] == 4
    assert row["sessions_auth_temp_reduced_timetable"] == row["sessions_unauth_late"] == 1


def test_x_is_covid_from_september_2020_to_march_2022(tmp_path) -> None:
    days = [date(2022, 3, 31), date(2022, 4, 1)]
    path = write_rows(tmp_path / "r.csv", [[UPNS[0], SCHOOL, d.isoformat(), "AM", "X"] for d in days])
    _, con = read(RegisterReader, path)
    assert con.execute("SELECT sum(sessions_possible), sum(sessions_covid) FROM collected_parts").fetchall() == [(1, 1)]


def test_codes_are_read_by_the_session_date(tmp_path) -> None:
    # J was approved educational activity before 19 August 2024; H keeps its meaning and is said to be old.
    path = write_rows(
        tmp_path / "r.csv",
        [[UPNS[0], SCHOOL, "2024-07-01", "AM", "J"], [UPNS[0], SCHOOL, "2024-09-09", "AM", "H"],
         [UPNS[0], SCHOOL, "2024-07-02", "AM", "C2"]],
    )  # fmt: skip
    reader, con = read(RegisterReader, path)
    assert rules(reader) == {"register_code_old": 1, "register_code_new": 1}
    assert sorted(sums(con).values()) == [(1, 0, 0), (1, 1, 0)]
    assert reader.sources[0].count.rows_quarantined == 1


def test_easter_and_half_terms() -> None:
    # Published dates of Easter Sunday.
    known = {2019: (4, 21), 2021: (4, 4), 2022: (4, 17), 2023: (4, 9), 2024: (3, 31), 2025: (4, 20), 2026: (4, 5)}
    assert {year: (easter_sunday(year).month, easter_sunday(year).day) for year in known} == known
    # Spring bank holidays: 29 May 2023, 27 May 2024.
    assert [half_term_starts(y)[5].day for y in (202223, 202324)] == [29, 27]


def test_the_half_term_break_is_the_schools_own(tmp_path) -> None:
    usual, early = weekdays(date(2024, 9, 2), 40), weekdays(date(2024, 9, 2), 30)
    late = weekdays(date(2024, 11, 4), 10)
    rows = []
    for school, days in ((SCHOOL, [*usual, *late]), (OTHER_SCHOOL, [*early, *weekdays(date(2024, 10, 21), 5), *late])):
        rows += [[make_upn(int(school) % 1000), school, d.isoformat(), "AM", "/"] for d in days]
    _, con = read(RegisterReader, write_rows(tmp_path / "r.csv", rows))
    assert {(s, h): v[0] for (_, s, h), v in sums(con, "half_term").items()} == {
        # 40 weekdays from 2 September end on 25 October; the week of 28 October is free.
        (int(SCHOOL), "1"): 40, (int(SCHOOL), "2"): 10,
        # 30 weekdays end on 11 October; the week of 14 October is free, so 21 October begins the second half.
        (int(OTHER_SCHOOL), "1"): 30, (int(OTHER_SCHOOL), "2"): 15,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (("Unique Pupil Number", "LA", "Estab", "Attendance Date", "AM/PM", "Attendance code"),
         (UPNS[0], "989", "2001", "09/09/2024", "1", "/")),
        (("UPN", "LAESTAB", "Session Date Time", "Code"), (UPNS[0], "989/2001", "2024-09-09 08:50:00", "/")),
        (("UPN", "DfE No.", "Date", "Session", "Mark"), (UPNS[0], "989 2001", "Monday", "Morning", "/")),
    ],
)  # fmt: skip
def test_headers_go_by_many_names(tmp_path, header, row) -> None:
    rows = [row if "Monday" not in row else (*row[:2], "9 Sep 2024", *row[3:])]
    reader, con = read(RegisterReader, write_rows(tmp_path / "r.csv", rows, header))
    assert list(sums(con)) == [(UPNS[0], 9892001, "autumn")], [str(f) for f in reader.findings]


def test_pupil_columns_become_records_and_ages(tmp_path) -> None:
    path = write_rows(
        tmp_path / "r.csv", [[*row, "01/09/2012", "F", "Year 7", "Y", "K"] for row in rows_of(UPNS[:1])],
        (*HEADER, "DOB", "Sex", "Year Group", "FSM", "SEN"),
    )  # fmt: skip
    _, con = read(RegisterReader, path)
    assert con.execute("SELECT nc_year, sex, fsm_eligible, sen_provision, census FROM record_parts").fetchall() == [
        ("7", "Female", "FSM eligible", "SEN support", "2024-register")
    ]
    assert con.execute("SELECT DISTINCT age FROM collected_parts").fetchall() == [(11,)]


def test_screening_without_a_key(tmp_path) -> None:
    reader, _ = read(RegisterReader, write_rows(tmp_path / "r.csv", rows_of()), key=None)
    assert not reader.findings
    assert reader.laestabs == {9892001}


def test_what_is_replaced(tmp_path) -> None:
    reader, con = read(RegisterReader, write_rows(tmp_path / "r.csv", rows_of()))
    assert reader.replaced == {(202425, "1", 9892001)}
    assert con.execute("SELECT * FROM collected_scopes").fetchall() == [("register", 202425, "1", 9892001, None)]


def test_other_tables_are_no_registers(tmp_path) -> None:
    for header in (
        ("pupilonrolltableid", "NativeId", "upn", "dob", "sex", "termlysessionspossible"),
        ("UPN", "Start date", "Category", "Reason", "Sessions"),
        ("upn", "academic_year", "looked_after"),
        ("UPN", "Date", "Comment"),
        ("time_period", "geographic_level", "session_type"),
    ):
        assert recognise(look(write_rows(tmp_path / "x.csv", [["1"] * len(header)], header))) is None


# -- bad registers --


def test_a_missing_column(tmp_path) -> None:
    path = write_rows(tmp_path / "r.csv", [row[:4] for row in rows_of()], HEADER[:4])
    assert recognise(look(path)) is not None
    reader, _ = read(RegisterReader, path)
    assert only(reader, "column_missing").column == "code"


def test_no_session(tmp_path) -> None:
    path = write_rows(tmp_path / "r.csv", [[*r[:3], r[4]] for r in rows_of()], ("UPN", "DfE Number", "Date", "Mark"))
    reader, _ = read(RegisterReader, path)
    assert only(reader, "column_missing").column == "session"


def test_no_school(tmp_path) -> None:
    path = write_rows(tmp_path / "r.csv", [[r[0], *r[2:]] for r in rows_of()], ("UPN", "Date", "Session", "Mark"))
    reader, _ = read(RegisterReader, path)
    only(reader, "school_missing")
    reader, con = read(RegisterReader, path, school=9892001)
    assert not reader.findings
    assert len(sums(con)) == 3


def test_an_unknown_code_is_set_aside(tmp_path) -> None:
    rows = rows_of()
    rows[4][4], rows[7][4] = "?", "?"
    reader, con = read(RegisterReader, write_rows(tmp_path / "r.csv", rows))
    found = only(reader, "register_code")
    assert (found.row, found.column, found.value, found.count) == (6, "Mark", "?", 2)
    assert sum(v[0] for v in sums(con).values()) == 28
    (aside,) = reader.write_aside(tmp_path / "aside")
    with aside.path.open(encoding="utf-8", newline="") as handle:
        kept = list(csv.DictReader(handle))
    assert [(k["UPN"], k["Mark"], k["quarantine_row"]) for k in kept] == [(UPNS[0], "?", "6"), (UPNS[0], "?", "9")]
    assert reader.sources[0].count.rows_in == 30


@pytest.mark.parametrize("mark", ["1", "01-Jan", "45292"])
def test_codes_a_spreadsheet_changed(tmp_path, mark) -> None:
    rows = rows_of()
    rows[4][4] = mark
    reader, _ = read(RegisterReader, write_rows(tmp_path / "r.csv", rows))
    assert only(reader, "mark_spreadsheet").value == mark


def test_all_dates_in_a_wrong_year(tmp_path) -> None:
    for day, more in ((date(1924, 9, 8), {}), (date(2023, 9, 11), {"asked_year": 202425})):
        reader, _ = read(RegisterReader, write_rows(tmp_path / "r.csv", rows_of(first=day)), **more)
        assert "mark_wrong_year" in rules(reader)
        assert reader.is_blocked


def test_some_dates_in_a_wrong_year(tmp_path) -> None:
    path = write_rows(tmp_path / "r.csv", rows_of() + rows_of(UPNS[:1], first=date(1924, 9, 8), days=1))
    reader, con = read(RegisterReader, path)
    assert only(reader, "mark_year").count == 2
    assert sum(v[0] for v in sums(con).values()) == 30


def test_dates_as_spreadsheet_numbers(tmp_path) -> None:
    rows = [[r[0], r[1], str((date.fromisoformat(r[2]) - date(1899, 12, 30)).days), *r[3:]] for r in rows_of()]
    reader, con = read(RegisterReader, write_rows(tmp_path / "r.csv", rows))
    only(reader, "date_spreadsheet")
    assert set(sums(con).values()) == {(10, 0, 0)}


def test_days_and_months(tmp_path) -> None:
    def written(form: str, first: date, days: int = 5):
        rows = [[r[0], r[1], date.fromisoformat(r[2]).strftime(form), *r[3:]] for r in rows_of(first=first, days=days)]
        return read(RegisterReader, write_rows(tmp_path / "r.csv", rows))

    reader, con = written("%d/%m/%Y", date(2024, 9, 9))
    assert not reader.findings
    assert len(sums(con)) == 3
    reader, _ = written("%m/%d/%Y", date(2024, 9, 9))
    assert only(reader, "date_month_first").severity == "blocking"
    # No day is above 12: read with the day first these would be weekends and months all over the year.
    reader, _ = written("%m/%d/%Y", date(2024, 9, 2))
    only(reader, "date_month_first")
    reader, _ = written("%d/%m/%Y", date(2024, 9, 2))
    only(reader, "date_day_first")


def test_the_same_file_twice_and_the_same_marks_twice(tmp_path) -> None:
    path = write_rows(tmp_path / "r.csv", rows_of())
    copy = tmp_path / "copy.csv"
    copy.write_bytes(path.read_bytes())
    reader, con = read(RegisterReader, path, copy)
    only(reader, "file_repeated")
    assert set(sums(con).values()) == {(10, 0, 0)}
    # The same marks as another file: not byte for byte.
    packed = tmp_path / "r.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    reader, con = read(RegisterReader, path, packed)
    assert only(reader, "mark_repeated").count == 30
    assert set(sums(con).values()) == {(10, 0, 0)}


def test_many_copies_do_not_overflow(tmp_path) -> None:
    path = write_rows(tmp_path / "r.csv", rows_of(UPNS[:1], days=5) * 200)
    reader, con = read(RegisterReader, path)
    assert only(reader, "mark_repeated").count == 199 * 10
    assert set(sums(con).values()) == {(10, 0, 0)}


def test_two_marks_that_differ(tmp_path) -> None:
    rows = rows_of(UPNS[:2])
    reader, con = read(RegisterReader, write_rows(tmp_path / "r.csv", [*rows, [*rows[0][:4], "I"]]))
    found = only(reader, "mark_conflict")
    assert (found.count, found.row) == (2, 2)
    assert reader.sources[0].count.rows_quarantined == 2
    assert sorted(sums(con).values()) == [(9, 0, 0), (10, 0, 0)]


def test_one_pupil_written_in_two_ways(tmp_path) -> None:
    rows = rows_of(UPNS[:1])
    rows[3][0], rows[4][0] = f" {UPNS[0].lower()} ", UPNS[0].lower()
    reader, con = read(RegisterReader, write_rows(tmp_path / "r.csv", [*rows, [UPNS[0], *rows[4][1:]]]))
    assert only(reader, "mark_repeated").count == 1
    assert sums(con) == {(UPNS[0], 9892001, "autumn"): (10, 0, 0)}


def test_two_schools_at_once(tmp_path) -> None:
    rows = rows_of(UPNS[:2])
    moved = [[r[0], OTHER_SCHOOL, *r[2:]] for r in rows[:4]]
    reader, _ = read(RegisterReader, write_rows(tmp_path / "r.csv", rows + moved))
    assert only(reader, "mark_two_schools").count == 4
    dual = [[*r[:4], "D"] for r in moved]
    reader, con = read(RegisterReader, write_rows(tmp_path / "r.csv", rows + dual))
    assert not reader.findings
    assert len(sums(con)) == 2


def test_a_million_blank_marks(tmp_path) -> None:
    good = pa.table({name: [r[place] for r in rows_of()] for place, name in enumerate(HEADER)})
    blank = pa.table({
        "UPN": pa.array([UPNS[5]] * 1_000_000), "DfE Number": pa.array([SCHOOL] * 1_000_000),
        "Date": pa.array(["2024-09-09"] * 1_000_000), "Session": pa.array(["AM"] * 1_000_000),
        "Mark": pa.array(["-", None] * 500_000),
    })  # fmt: skip
    path = tmp_path / "r.parquet"
    pq.write_table(pa.concat_tables([good, blank]), path)
    reader, con = read(RegisterReader, path)
    assert only(reader, "mark_missing").count == 1_000_000
    assert set(sums(con).values()) == {(10, 0, 0)}
    assert len(sums(con)) == 3


def test_an_empty_register(tmp_path) -> None:
    reader, _ = read(RegisterReader, write_rows(tmp_path / "r.csv", []))
    only(reader, "file_no_rows")


def test_no_mark_can_be_used(tmp_path) -> None:
    reader, _ = read(RegisterReader, write_rows(tmp_path / "r.csv", [["A1", *r[1:]] for r in rows_of()]))
    assert rules(reader) == {"upn_format": 1, "marks_none": 1}


def test_a_weekend_a_word_and_a_school(tmp_path) -> None:
    rows = rows_of()
    rows.append([UPNS[0], SCHOOL, "2024-09-14", "AM", "/"])
    rows.append([UPNS[1], SCHOOL, "2024-09-16", "Tutor", "/"])
    rows.append([UPNS[2], "1234567", "2024-09-16", "AM", "/"])
    rows.append([UPNS[2], SCHOOL, "soon", "AM", "/"])
    rows.append([UPNS[2], SCHOOL, "2024-09-14", "AM", "#"])
    reader, con = read(RegisterReader, write_rows(tmp_path / "r.csv", rows))
    assert rules(reader) == dict.fromkeys(("mark_weekend", "session_unknown", "school_unknown", "date_unreadable"), 1)
    assert [f.row for f in sorted(reader.findings, key=lambda f: f.row)] == [32, 33, 34, 35]
    assert set(sums(con).values()) == {(10, 0, 0)}
    assert reader.sources[0].count.rows_quarantined == 4


def test_wide_headers(tmp_path) -> None:
    def wide(*sessions: str):
        path = write_rows(
            tmp_path / "w.csv", [[UPNS[0], SCHOOL, *("/" for _ in sessions)]], ("UPN", "LAESTAB", *sessions)
        )
        return read(RegisterReader, path)

    reader, con = wide("2024-09-09 AM", "09/09/2024 PM", "Tue 10 Sep 2024 am")
    assert not reader.findings
    assert set(sums(con).values()) == {(3, 0, 0)}
    reader, _ = wide("2024-09-09 AM", "09/09/2024 am", "2024-09-10 PM")
    assert only(reader, "column_repeated").column == "09/09/2024 am"
    reader, _ = wide("Mon 09 Sep 2024 AM", "Wed 10 Sep 2024 AM")
    assert only(reader, "session_header").column == "Wed 10 Sep 2024 AM"
    reader, _ = wide("09/13/2024 AM", "09/13/2024 PM")
    assert recognise(look(tmp_path / "w.csv")) is None or only(reader, "date_month_first")


def test_a_wide_register_sets_cells_aside(tmp_path) -> None:
    path = write_rows(
        tmp_path / "w.csv", [[UPNS[0], SCHOOL, "/", "?"], [UPNS[1], SCHOOL, "I", ""]],
        ("UPN", "LAESTAB", "2024-09-09 AM", "2024-09-09 PM"),
    )  # fmt: skip
    reader, con = read(RegisterReader, path)
    assert rules(reader) == {"register_code": 1, "mark_missing": 1}
    assert reader.sources[0].count.rows_in == 4
    assert sorted(sums(con).values()) == [(1, 0, 0), (1, 1, 0)]
    (aside,) = reader.write_aside(tmp_path / "aside")
    assert "2024-09-09 PM,?" in aside.path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("header", "cells", "is_said"),
    [
        ("2024-09-10 AMx", ("/", "I"), True),
        ("Tuesday first", ("/", "/"), True),
        ("10 Sept 2024", ("I", "N"), True),
        # Register codes as letters, but nothing of a day and no sign for present.
        ("Pupil premium", ("Y", "N"), False),
        ("2024 house", ("R", "G"), False),
        ("10/09/2024", ("", ""), False),
        ("10/09/2024", ("Smith", "Jones"), False),
    ],
)
def test_marks_under_a_header_that_is_not_understood(tmp_path, header, cells, is_said) -> None:
    path = write_rows(
        tmp_path / "w.csv", [[UPNS[n], SCHOOL, "/", "\\", cell] for n, cell in enumerate(cells)],
        ("UPN", "LAESTAB", "2024-09-09 AM", "2024-09-09 PM", header),
    )  # fmt: skip
    reader, _ = read(RegisterReader, path)
    assert rules(reader) == ({"session_header": 1} if is_said else {})
    assert not is_said or (reader.is_blocked and header in str(reader.findings[0]))


def test_a_parquet_file_damaged_inside(tmp_path) -> None:
    rows = rows_of(UPNS, days=20)
    path = tmp_path / "r.parquet"
    pq.write_table(pa.table({name: [row[i] for row in rows] for i, name in enumerate(HEADER)}), path)
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)
    path.write_bytes(bytes(content))
    reader, _ = read(RegisterReader, path)
    assert only(reader, "file_damaged").severity == "blocking"
    reader.drop()


def test_parquet_of_odd_types(tmp_path) -> None:
    frame = pd.DataFrame(rows_of(), columns=list(HEADER))
    frame["UPN"], frame["Mark"] = frame["UPN"].astype("category"), frame["Mark"].astype("category")
    frame["DfE Number"] = frame["DfE Number"].astype("float64")
    frame["Session"] = frame["Session"].map({"AM": 1, "PM": 2}).astype("int8")
    days = frame["Date"].copy()
    for value in (
        pd.to_datetime(days), pd.to_datetime(days).dt.tz_localize("Europe/London"), pd.to_datetime(days).dt.date,
        days.str.replace("-", "").astype("int64"), days.astype("category"),
    ):  # fmt: skip
        frame["Date"] = value
        frame.to_parquet(tmp_path / "r.parquet")
        reader, con = read(RegisterReader, tmp_path / "r.parquet")
        assert not reader.findings, [str(f) for f in reader.findings]
        assert set(sums(con).values()) == {(10, 0, 0)}


def test_other_delimiters_and_encodings(tmp_path) -> None:
    text = write_rows(tmp_path / "r.csv", [[*r, "Zoë"] for r in rows_of()], (*HEADER, "Tutor")).read_text("utf-8")
    for name, content, findings in (
        ("semicolon", text.replace(",", ";").encode(), {}),
        ("tab", text.replace(",", "\t").encode("utf-8-sig"), {}),
        ("cp1252", text.encode("cp1252"), {"file_converted": 1}),
        ("utf16", text.encode("utf-16"), {"file_converted": 1}),
        ("late", (text + "x" * 0).replace("Zoë", "Zoe", 29).encode("cp1252"), {"file_converted": 1}),
    ):
        path = tmp_path / f"{name}.csv"
        path.write_bytes(content)
        reader, con = read(RegisterReader, path)
        assert rules(reader) == findings, name
        assert set(sums(con).values()) == {(10, 0, 0)}


def test_a_ragged_row_blocks(tmp_path) -> None:
    path = write_rows(tmp_path / "r.csv", [*rows_of(), ["a", "b"], *rows_of(UPNS[5:6])])
    reader, _ = read(RegisterReader, path)
    assert only(reader, "file_ragged").row == 32


def test_schools_without_marks_for_weeks(tmp_path) -> None:
    rows = []
    for number in range(5):
        for day in weekdays(date(2024, 9, 2), 30):
            if number == 4 and date(2024, 9, 16) <= day <= date(2024, 9, 27):
                continue
            rows += [[UPNS[n + 5 * number], str(9892001 + number), day.isoformat(), "AM", "/"] for n in range(5)]
    reader, _ = read(RegisterReader, write_rows(tmp_path / "r.csv", rows))
    found = only(reader, "school_no_marks")
    assert "9892005" in found.says
    assert "2 school weeks from 2024-09-16" in found.says


def test_a_stray_day(tmp_path) -> None:
    rows = rows_of(UPNS) + rows_of(UPNS[:1], first=date(2024, 8, 20), days=1)
    reader, _ = read(RegisterReader, write_rows(tmp_path / "r.csv", rows))
    assert only(reader, "mark_stray_day").value == "2024-08-20"


def test_no_finding_shows_a_pupil(tmp_path) -> None:
    rows = [[make_upn(77)[:-1] + "X1"[:1] + "9", *r[1:]] for r in rows_of(UPNS[:1])]
    rows += [[make_upn(78), SCHOOL, make_upn(79), "AM", make_upn(80)]]
    reader, _ = read(RegisterReader, write_rows(tmp_path / "r.csv", rows))
    shown = " ".join(str(f) + str(f.value) for f in reader.findings)
    assert not any(make_upn(n)[1:] in shown for n in (77, 78, 79, 80))
