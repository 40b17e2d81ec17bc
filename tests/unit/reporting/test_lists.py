"""Restricted lists of planted pupils: who is listed is known by hand, and files are read back with other readers."""

from __future__ import annotations

import csv
import gzip
import hashlib
import os
import stat
import zipfile
from datetime import date

import openpyxl
import pytest

from attendance_toolkit.errors import (
    DisclosureError,
    NoDataError,
    ParameterError,
    StoreError,
    UnreadableFileError,
)
from attendance_toolkit.loaders.load import load_files
from attendance_toolkit.loaders.pupil_names import find_names
from attendance_toolkit.reporting.list_files import PupilList, write_csv, write_xlsx
from attendance_toolkit.reporting.lists import write_lists
from attendance_toolkit.reporting.register import read_register
from attendance_toolkit.reporting.restricted import Restricted, open_restricted, purge
from attendance_toolkit.store import Store
from attendance_toolkit.store.keys import pseudonyms
from tests.screening.census_builder import Return, make_upn

DAY, UNTIL = date(2026, 11, 22), date(2027, 7, 31)
#: Sessions missed of 120 in the autumn term, pupil by pupil: 0%, under 10%, 10%, under 40%, 40%, under 50%, 50%, 100%.
MISSED = (0, 11, 12, 47, 48, 59, 60, 120)
LISTED = {"persistent": MISSED[2:], "severe": MISSED[6:], "at-risk": MISSED[4:6]}


def planted(missed=MISSED, estab=2001, first=0, name="Test School"):
    made = Return("spring", pupils=len(missed), leavers=0, estab=estab, first=first)
    made.tables["school"][0] |= {"schoolname": name, "urn": f"10{estab}"}
    made.tables["termlysessiondetailsonroll"].clear()
    for number, (row, sessions) in enumerate(zip(made.tables["pupilonroll"], missed, strict=True)):
        row["forename"] = f"Anna{first + number}"
        row["surname"] = "=HYPERLINK(1)" if number == 7 else "O'Neil"
        unauthorised = min(sessions, 2)
        for code, count in (("I", sessions - unauthorised), ("N", unauthorised)):
            if count:
                made.details("termlysessiondetailsonroll", row["pupilonrolltableid"], code, count)
    return made


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with the files, the store and its key: a school of every share missed, one of few pupils, one of none."""
    folder = tmp_path_factory.mktemp("planted")
    whole = planted(name="=Oak, St Mary's")
    whole.add(planted((120,) * 5, estab=2002, first=100)).add(planted((0,) * 9, estab=2003, first=200))
    whole.write(folder / "in")
    load_files(folder / "in", folder / "store", key_file=folder / "key")
    return folder


@pytest.fixture
def room(tmp_path):
    return open_restricted(tmp_path / "restricted", tmp_path / "out", today=DAY)


def make(data, room, kind="persistent", **extra):
    options = {"purpose": "Reviews by the attendance lead", "retain_until": UNTIL, "today": DAY, **extra}
    return write_lists(Store.open(data / "store"), kind, "Aldermoor", "2023/24", room, **options)


def csv_rows(path):
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.reader(handle))


def table(rows):
    """Return the rows below the header as dictionaries."""
    at = next(number for number, row in enumerate(rows) if "Sessions missed" in row)
    return [dict(zip(rows[at], row, strict=True)) for row in rows[at + 1 :]]


@pytest.mark.parametrize("kind", LISTED)
def test_exactly_the_planted_pupils_are_listed(data, room, kind):
    made = make(data, room, kind, formats=("csv",))
    (path,) = made.files
    found = table(csv_rows(path))
    assert [int(row["Sessions missed"]) for row in found] == sorted(LISTED[kind], reverse=True)
    assert [float(row["Missed (%)"]) for row in found] == [round(100 * n / 120, 1) for n in sorted(LISTED[kind])[::-1]]
    assert {row["Sessions possible"] for row in found} == {"120"}
    assert {row["Unauthorised"] for row in found} == {"2"}
    assert [row["Terms (sessions missed of possible)"] for row in found] == [
        f"Autumn {n} of 120" for n in sorted(LISTED[kind], reverse=True)
    ]
    assert (made.schools, made.pupils) == (1, len(LISTED[kind]))


def test_without_the_extract_there_are_pseudonyms_and_no_name(data, room):
    made = make(data, room)
    keys = pseudonyms([make_upn(n) for n in range(8)], bytes.fromhex((data / "key").read_text().strip()))
    for path in made.files:
        raw = (
            b"".join(zipfile.ZipFile(path).read(n) for n in zipfile.ZipFile(path).namelist())
            if path.suffix == ".xlsx"
            else path.read_bytes()
        )
        assert str(keys[7]).encode() in raw
        assert not any(make_upn(n).encode() in raw for n in range(8))
        assert b"Anna" not in raw
        assert b"O'Neil" not in raw
    (path,) = [p for p in made.files if p.suffix == ".csv"]
    # Longer than the fifteen digits a spreadsheet keeps: it has to be text.
    assert table(csv_rows(path))[0]["Pupil"] == str(keys[7])


def test_with_the_extract_each_pseudonym_gets_its_own_upn_and_name(data, room):
    made = make(data, room, identify=[data / "in"], key_file=data / "key")
    assert made.unnamed == 0
    path = next(p for p in made.files if p.suffix == ".csv")
    found = {int(row["Sessions missed"]): (row["UPN"], row["Name"]) for row in table(csv_rows(path))}
    assert found[12] == (make_upn(2), "O'Neil, Anna2")
    assert found[120] == (make_upn(7), "'=HYPERLINK(1), Anna7")
    assert "Pupil" not in csv_rows(path)[8]
    assert {entry.identified for entry in read_register(room.lists)} == {"yes"}


def test_a_pupil_the_files_do_not_name_is_said_to_be_unnamed(data, room, tmp_path):
    some = tmp_path / "names.csv"
    some.write_text(f"UPN;Legal Surname;Legal Forename\n{make_upn(7).lower()} ;Élan;Zoë\n", encoding="utf-8")
    made = make(data, room, "severe", identify=[some], key_file=data / "key")
    found = table(csv_rows(next(p for p in made.files if p.suffix == ".csv")))
    assert [row["Name"] for row in found] == ["Élan, Zoë", "not named in the files given"]
    assert made.unnamed == 1
    assert "1 of them are not named" in made.to_text()


def test_the_first_rows_say_what_it_is_and_until_when(data, room):
    made = make(data, room)
    for path in made.files:
        if path.suffix == ".csv":
            rows = csv_rows(path)
        else:
            sheet = openpyxl.load_workbook(path).active
            rows = [[str(cell) for cell in row if cell is not None] for row in sheet.iter_rows(values_only=True)]
        assert rows[0] == ["OFFICIAL-SENSITIVE"]
        about = {row[0]: row[1] for row in rows[1:9] if len(row) > 1}
        assert about["Purpose"] == "Reviews by the attendance lead"
        assert about["Keep until"].startswith("2027-07-31")
        assert about["Made on"] == "2026-11-22"
        assert "DfE" in about["Source"]
        assert about["School"].removeprefix("'") == "=Oak, St Mary's (9812001)"
        assert about["School"].startswith("'") == (path.suffix == ".csv")


def test_the_workbook_runs_nothing_and_hides_nothing(data, room):
    made = make(data, room, identify=[data / "in"], key_file=data / "key")
    path = next(p for p in made.files if p.suffix == ".xlsx")
    book = openpyxl.load_workbook(path)
    assert [sheet.sheet_state for sheet in book.worksheets] == ["visible"]
    cells = [cell for row in book.active.iter_rows() for cell in row if cell.value is not None]
    assert all(cell.data_type in ("s", "n") for cell in cells)
    risky = [cell for cell in cells if str(cell.value).startswith("=")]
    assert [cell.value for cell in risky] == ["=Oak, St Mary's (9812001)", "=HYPERLINK(1), Anna7"]
    assert all(cell.quotePrefix for cell in risky)
    assert (book.properties.creator, book.properties.lastModifiedBy) == ("attendance-toolkit", None)
    assert book.active.oddHeader.center.text == book.active.oddFooter.center.text == "OFFICIAL-SENSITIVE"
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert not any(b"<f>" in text for text in parts.values())
    assert not any("external" in name.lower() or "comment" in name.lower() for name in parts)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r+"])
def test_no_cell_of_either_file_begins_a_formula(tmp_path, start):
    listed = PupilList("T", (("Purpose", f"{start}1"),), ("Name",), ((f"{start}cmd|' /C calc'!A0",),), DAY)
    write_csv(listed, tmp_path / "a.csv")
    write_xlsx(listed, tmp_path / "a.xlsx")
    for row in csv_rows(tmp_path / "a.csv"):
        assert not any(cell[:1] in tuple("=+-@\t\r") for cell in row if cell)
    for row in openpyxl.load_workbook(tmp_path / "a.xlsx").active.iter_rows():
        assert all(cell.data_type != "f" for cell in row)


def test_files_are_for_their_user_alone_and_in_the_register(data, room):
    made = make(data, room)
    entries = {entry.file: entry for entry in read_register(room.lists)}
    assert {room.lists / file for file in entries} == set(made.files)
    for path in made.files:
        entry = entries[path.relative_to(room.lists).as_posix()]
        assert entry.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (entry.pupils, entry.purpose, entry.retain_until) == (6, "Reviews by the attendance lead", UNTIL)
        if os.name == "posix":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [str(item.until) for item in purge(room.path, date(2027, 8, 1))] == ["2027-07-31"] * 2


def test_a_list_made_again_takes_the_place_of_the_older_one(data, room):
    both = make(data, room)
    again = make(data, room, formats=("csv",))
    assert {p for p in room.lists.rglob("*") if p.is_file()} == {*again.files, room.lists / "lists.csv"}
    gone = [entry for entry in read_register(room.lists) if entry.deleted_on]
    assert {entry.file for entry in gone} == {
        p.relative_to(room.lists).as_posix() for p in set(both.files) - set(again.files)
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"purpose": " \n"}, "needs a purpose"),
        ({"retain_until": DAY}, "not after today"),
        ({"retain_until": date(2020, 1, 1)}, "not after today"),
        ({"kind": "persistant"}, "Did you mean 'persistent'"),
        ({"formats": ("pdf",)}, "'pdf' is not a format"),
        ({"formats": ()}, "not a format"),
        ({"identify": ["x"]}, "need the key"),
        ({"identify": ["x"], "key_file": "nowhere"}, "need the key"),
    ],
)
def test_what_is_asked_wrongly_is_refused_and_nothing_is_written(data, room, change, says):
    with pytest.raises(ParameterError, match=says):
        make(data, room, **change)
    assert list(room.lists.iterdir()) == []


def test_only_into_a_restricted_folder(data, tmp_path):
    with pytest.raises(DisclosureError, match="not part of a restricted folder"):
        make(data, Restricted(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


def test_another_key_is_refused(data, room, tmp_path):
    (tmp_path / "key").write_text("ab" * 32, encoding="ascii")
    with pytest.raises(StoreError, match="another key"):
        make(data, room, identify=[data / "in"], key_file=tmp_path / "key")


def test_an_area_or_year_that_is_not_there_is_named(data, room):
    with pytest.raises(NoDataError, match=r"no pupils of Irwell Bank\. It holds: Aldermoor"):
        write_lists(
            Store.open(data / "store"),
            "severe",
            "Irwell Bank",
            "2023/24",
            room,
            purpose="x",
            retain_until=UNTIL,
            today=DAY,
        )
    with pytest.raises(NoDataError, match="2023/24"):
        write_lists(
            Store.open(data / "store"),
            "severe",
            "Aldermoor",
            "2020/21",
            room,
            purpose="x",
            retain_until=UNTIL,
            today=DAY,
        )


def test_a_file_that_names_nobody_is_refused(data, room, tmp_path):
    (tmp_path / "numbers.csv").write_text("laestab,sessions\n9812001,3\n", encoding="utf-8")
    with pytest.raises(ParameterError, match=r"'numbers\.csv' names no pupil"):
        make(data, room, identify=[tmp_path / "numbers.csv"], key_file=data / "key")


# --- names from other files -----------------------------------------------------------------------------------

KEY = b"k" * 32
XML = """<?xml version="1.0" encoding="UTF-8"?>
<m:Message xmlns:m="urn:x"><Header><UPN/></Header><Pupils><PupilOnRoll><PupilIdentifiers><UPN>{upn}</UPN><Surname>van Berg</Surname>
<Forename>Zoë</Forename></PupilIdentifiers><Contacts><Contact><Surname>Parent</Surname><Forename>Other</Forename></Contact>
</Contacts></PupilOnRoll></Pupils></m:Message>"""


def names(path, *upns):
    return find_names([path], set(pseudonyms(upns, KEY)), KEY)


def test_names_from_xml_are_those_beside_the_upn(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(XML.format(upn=make_upn(1)), encoding="utf-8")
    assert [(p.upn, p.name) for p in names(path, make_upn(1)).values()] == [(make_upn(1), "van Berg, Zoë")]
    assert names(path, make_upn(2)) == {}


def test_broken_xml_and_document_types_are_refused(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(XML.format(upn=make_upn(1))[:-20], encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="not well formed"):
        names(path, make_upn(1))
    path.write_text('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="document type"):
        names(path, make_upn(1))


def test_names_from_a_workbook_with_rows_above_the_header(tmp_path):
    book = openpyxl.Workbook()
    for row in (["Register of 4A"], [], ["Name", "Unique Pupil Number"], ["Khan, Sara", make_upn(3)]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    assert [p.name for p in names(tmp_path / "a.xlsx", make_upn(3)).values()] == ["Khan, Sara"]


def test_names_in_windows_text_and_the_first_file_is_believed(tmp_path):
    header = "upn,surname,forename\n"
    (tmp_path / "a.csv").write_bytes(f"{header}{make_upn(4)},Élan,Zoë\n".encode("cp1252"))
    (tmp_path / "b.csv").write_text(f"{header}{make_upn(4)},Other,Name\n,No,Upn\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    assert [p.name for p in names(tmp_path, make_upn(4)).values()] == ["Élan, Zoë"]


def test_a_transfer_file_cut_off_while_it_was_copied_is_said(data, room, tmp_path):
    rows = "".join(
        f"<Pupil><UPN>A{n:012d}</UPN><Surname>S{n}</Surname><Forename>F</Forename></Pupil>" for n in range(20_000)
    )
    whole = gzip.compress(f"<CTfile><CTFpupilData>{rows}</CTFpupilData></CTfile>".encode(), mtime=0)
    (tmp_path / "cut.xml.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableFileError, match=r"cut\.xml\.gz.*damaged"):
        make(data, room, identify=[tmp_path / "cut.xml.gz"], key_file=data / "key")
