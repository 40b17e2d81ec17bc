"""Transfer files give the sums of the census, with and without marks."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest

from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders.synthetic import generate, write_census_files, write_transfer_files
from attendance_toolkit.loaders.transfer_file import TransferReader, recognise
from tests.unit.loaders.marks_helpers import UPNS, census_sums, read, sums


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


def block(marks: str = "", start: str = "2023-09-04", **items: str) -> str:
    """Return a pupil's year."""
    cells = {"Year": "2023", "LEA": "989", "Estab": "2001", **items}
    text = "".join(f"<{name}>{cell}</{name}>" for name, cell in cells.items())
    if marks:
        text += (
            f"<AttendSessions><AttendanceStartDate>{start}</AttendanceStartDate>"
            f"<AttendanceMarks>{marks}</AttendanceMarks></AttendSessions>"
        )
    return f"<YearData>{text}</YearData>"


def write(path: Path, *blocks: str, upn: str = UPNS[0], more: str = "") -> Path:
    """Write a transfer file with one pupil for each block."""
    pupils = "".join(
        f"<Pupil><UPN>{upn}</UPN><Surname>Plum</Surname><DOB>2012-12-01</DOB><Sex>F</Sex>{more}<Attendance>{b}</Attendance></Pupil>"
        for b in blocks
    )
    path.write_text(
        '<?xml version="1.0"?><CTfile><Header><CTFversion>23.0</CTFversion><SourceSchool><LEA>989</LEA><Estab>2001</Estab>'
        f"<AcademicYear>2023</AcademicYear></SourceSchool></Header><CTFpupilData>{pupils}</CTFpupilData></CTfile>",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("weekly", [14, 10])
def test_marks_give_the_sums_of_the_census(cohort, expected, tmp_path, weekly) -> None:
    # Against the same cohort's census returns, added up by the csv module.
    paths = write_transfer_files(cohort, tmp_path, weekly=weekly)
    reader, con = read(TransferReader, *paths)
    assert not reader.findings, [str(f) for f in reader.findings]
    assert sums(con) == expected
    assert {w for s in reader.sources for w in s.weekly} == {weekly}


def test_totals_alone_are_a_year(cohort, expected, tmp_path) -> None:
    reader, con = read(TransferReader, *write_transfer_files(cohort, tmp_path, with_marks=False))
    years = defaultdict(lambda: [0, 0, 0])
    for (upn, school, _), cells in expected.items():
        for place, value in enumerate(cells):
            years[(upn, school, "year")][place] += value
    assert not reader.findings
    assert sums(con) == {key: tuple(v) for key, v in years.items()}
    assert con.execute("SELECT DISTINCT half_term FROM collected_parts").fetchall() == [("1-6",)]


def test_what_a_file_is(tmp_path) -> None:
    found = recognise(look(write(tmp_path / "x.xml", block("/\\"))))
    assert (found.kind, found.years) == ("transfer", (202324,))
    other = tmp_path / "y.xml"
    other.write_text("<Message><Header/></Message>")
    assert recognise(look(other)) is None


def test_pupil_items(tmp_path) -> None:
    _, con = read(TransferReader, write(tmp_path / "x.xml", block("/\\"), block("/\\", "2022-09-05", Year="2022"),
                                        more="<BasicDetails><NCyearActual>6</NCyearActual></BasicDetails>"))  # fmt: skip
    assert con.execute("SELECT academic_year, nc_year, sex FROM record_parts ORDER BY 1").fetchall() == [
        (202223, "5", "Female"), (202324, "6", "Female"),
    ]  # fmt: skip
    assert con.execute("SELECT academic_year, age FROM collected_parts ORDER BY 1").fetchall() == [
        (202223, 9),
        (202324, 10),
    ]


def test_totals_that_differ_from_the_marks(tmp_path) -> None:
    path = write(tmp_path / "x.xml", block("/\\I\\", SessionsPossible="5", SessionsAuthorised="1"))
    reader, con = read(TransferReader, path)
    assert rules(reader) == {"transfer_totals": 1}
    assert list(sums(con).values()) == [(4, 1, 0)]


def test_a_code_that_is_none(tmp_path) -> None:
    reader, con = read(TransferReader, write(tmp_path / "x.xml", block("/?I\\")))
    assert rules(reader) == {"register_code": 1}
    assert list(sums(con).values()) == [(3, 1, 0)]


def test_a_year_given_twice(tmp_path) -> None:
    totals = block(SessionsPossible="380", SessionsAuthorised="10", SessionsUnauthorised="0")
    reader, con = read(TransferReader, write(tmp_path / "x.xml", totals, block("/\\I\\")))
    assert rules(reader) == {"transfer_repeated": 1}
    assert list(sums(con)) == [(UPNS[0], 9892001, "autumn")]


@pytest.mark.parametrize(
    ("items", "rule"),
    [
        ({"SessionsPossible": "-4"}, "sessions_negative"),
        ({"SessionsPossible": "many"}, "sessions_not_number"),
        ({"SessionsPossible": "10", "SessionsAuthorised": "11"}, "absent_over_possible"),
        ({"SessionsPossible": "10", "LEA": "111"}, "school_unknown"),
        ({"SessionsPossible": "10", "Year": "1923"}, "mark_year"),
    ],
)
def test_a_year_that_cannot_be_used(tmp_path, items, rule) -> None:
    good = block(SessionsPossible="380")
    reader, con = read(TransferReader, write(tmp_path / "x.xml", block(**items), good))
    assert rules(reader) == {rule: 1}
    assert list(sums(con).values()) == [(380, 0, 0)]
    assert (reader.sources[0].count.rows_in, reader.sources[0].count.rows_quarantined) == (2, 1)
    (aside,) = reader.write_aside(tmp_path / "aside")
    assert len(aside.path.read_text().splitlines()) == 2


def test_a_wrong_upn(tmp_path) -> None:
    reader, _ = read(TransferReader, write(tmp_path / "x.xml", block("/\\"), upn="Z" + UPNS[0][1:]))
    assert rules(reader) == {"upn_check_letter": 1, "marks_none": 1}
    assert UPNS[0][1:] not in " ".join(map(str, reader.findings))


def test_mixed_weeks(tmp_path) -> None:
    week = "/\\" * 5
    path = write(tmp_path / "x.xml", block((week + "####") * 3), block(week * 3, Estab="2002"))
    reader, con = read(TransferReader, path)
    assert rules(reader) == {"marks_unclear": 1}
    assert set(sums(con).values()) == {(30, 0, 0)}


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("<CTfile><Header></CTfile>", "xml_malformed"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><CTfile>&a;</CTfile>', "xml_doctype"),
        ("<CTfile><CTFpupilData><Pupil><UPN>A</UPN></Pupil></CTFpupilData></CTfile>", "file_no_rows"),
    ],
)
def test_broken_files(tmp_path, content, rule) -> None:
    path = tmp_path / "x.xml"
    path.write_text(content)
    reader, _ = read(TransferReader, path)
    assert rules(reader) == {rule: 1}
    assert reader.is_blocked


def test_registers_and_transfer_files_give_the_measures_of_the_census(cohort, tmp_path) -> None:
    # Through the public loader: the same pupils by three ways into three stores.
    from attendance_toolkit.loaders.load import load_files
    from attendance_toolkit.loaders.synthetic import write_register_files
    from attendance_toolkit.metrics.cells import EVERYBODY, absence_cells
    from attendance_toolkit.store import Store
    from attendance_toolkit.vocabulary.columns import CELL_COUNTS

    writers = {"census": write_census_files, "register": write_register_files, "transfer": write_transfer_files}
    found = {}
    # Covid X and reasons that a return leaves out are told apart by their own tests.
    counts = [c for c in CELL_COUNTS if not c.startswith("sessions_auth_") and not c.startswith("sessions_unauth_")]
    for name, write_files in writers.items():
        write_files(cohort, tmp_path / name)
        load_files(tmp_path / name, tmp_path / f"{name}-store", key_file=tmp_path / "key", is_synthetic=True)
        store = Store.open(tmp_path / f"{name}-store")
        terms = store.pupil_terms(academic_years=[202324])
        found[name] = absence_cells(terms, ["laestab", "term"], rules=EVERYBODY, counts=counts)
    assert found["register"].equals(found["census"])
    assert found["transfer"].equals(found["census"])
