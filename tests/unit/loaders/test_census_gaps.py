"""What is left out of a census return must be said: session rows without a reason, tables and columns without content."""

from __future__ import annotations

from pathlib import Path

import pytest

from attendance_toolkit.loaders.load import screen_files
from attendance_toolkit.schema.findings import ScreeningReport
from tests.screening.census_builder import Return, make_upn

DETAILS = "termlysessiondetailsonroll"


def _screen(made: Return, folder: Path) -> ScreeningReport:
    return screen_files(made.write(folder))


def _rules(report: ScreeningReport) -> set[tuple[str, str]]:
    return {(f.rule, f.severity) for f in report.findings}


def test_a_session_row_without_a_reason_is_set_aside(tmp_path: Path) -> None:
    made = Return(leavers=0)
    made.details(DETAILS, "p0", "", 3)
    report = _screen(made, tmp_path)
    assert _rules(report) == {("register_code", "quarantine")}
    assert "row 8, attendancereason" in str(report.findings[0])  # six rows for three pupils, then this one


def test_a_session_row_without_reason_and_number_says_nothing(tmp_path: Path) -> None:
    made = Return(leavers=0)
    for _ in range(2):
        made.details(DETAILS, "p0", "", "")
    assert not _screen(made, tmp_path).findings


@pytest.mark.parametrize("written", ["1_0", "1e1", "0x1", "١", "+1"])
def test_sessions_are_digits(tmp_path: Path, written: str) -> None:
    made = Return(leavers=0)
    made.details(DETAILS, "p0", "M", written)
    assert _rules(_screen(made, tmp_path)) == {("sessions_not_number", "quarantine")}


@pytest.mark.parametrize(
    ("pupils", "totals", "rules"),
    [
        (10, "", {("file_no_rows", "blocking")}),
        (9, "", {("school_no_reasons", "warning")}),
        (9, "0", set()),
    ],
)
def test_a_table_of_session_rows_without_rows(tmp_path: Path, pupils: int, totals: str, rules: set) -> None:
    made = Return(pupils=pupils, leavers=0)
    for row in made.tables["pupilonroll"]:
        row |= {"termlysessionsauthorised": totals, "termlysessionsunauthorised": totals}
    paths = made.write(tmp_path)
    path = made.path(tmp_path, DETAILS)
    path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    report = screen_files(paths)
    assert _rules(report) == rules
    assert {f.file for f in report.findings} <= {path.name}


@pytest.mark.parametrize(("term", "is_said"), [("spring", True), ("summer", False), ("autumn", False)])
def test_ethnicity_is_missed_in_spring_alone(tmp_path: Path, term: str, is_said: bool) -> None:
    made = Return(term, leavers=0)
    for row in made.tables["pupilonroll"]:
        if term == "spring":
            row["ethnicty"] = row.pop("ethnicity")
    report = _screen(made, tmp_path)
    assert _rules(report) == ({("column_absent", "warning")} if is_said else set())
    assert not is_said or "Is it 'ethnicty'?" in str(report.findings[0])


FLAT = ("LAESTAB,UPN,Gender,DoB,{status}EntryDate,NCyearActual,SENprovision,TermlySessionsPossible,"
        "TermlySessionsAuthorised,TermlySessionsUnauthorised,T_Reason_I,T_Reason_M\n")  # fmt: skip


@pytest.mark.parametrize(
    ("status", "hint"), [("EnrolStatusx,", "Is it 'EnrolStatusx'?"), ("", ""), ("EnrolStatus,", None)]
)
def test_a_flat_file_without_enrolment_status(tmp_path: Path, status: str, hint: str | None) -> None:
    row = f"9812001,{make_upn(1)},F,2007-10-11,{'C,' if status else ''}2017-09-04,5,N,58,4,0,4,\n"
    path = tmp_path / "flat.csv"
    path.write_text(FLAT.format(status=status) + row, encoding="utf-8")
    said = [f for f in screen_files([path], census="autumn 2017").findings if f.rule == "column_absent"]
    assert [f.column for f in said] == ([] if hint is None else ["enrolstatus"])
    assert all(hint in str(f) and ("Is it" in str(f)) == bool(hint) for f in said if hint is not None)


@pytest.mark.parametrize(
    ("content", "rule", "words"),
    [
        ("UPN,academic_year,looked_after,socialworkr\n{upn},2023/24,Yes,No\n", "column_absent", "Is it 'socialworkr'?"),
        ("UPN,academic_year,looked_after\n", "file_no_rows", "has a header and no rows"),
        (
            "UPN,academic_year,looked_after\r\n{upn},2023/24,Yes\n{upn},2022/23,Yes\n",
            "file_ragged",
            "Export the file again",
        ),
        ("UPN,academic_year,looked_after\n{upn},2023/24,Yes\n", None, ""),
    ],
)
def test_pupil_flags(tmp_path: Path, content: str, rule: str | None, words: str) -> None:
    path = tmp_path / "flags.csv"
    path.write_bytes(content.format(upn=make_upn(0)).encode())
    found = screen_files([path]).findings
    assert [f.rule for f in found] == ([rule] if rule else [])
    assert all(words in str(f) for f in found)


@pytest.mark.parametrize("encoding", ["klingon", "shift_jis", "idna"])
def test_an_encoding_that_cannot_be_read(tmp_path: Path, encoding: str) -> None:
    for name, root, tags in (("return.xml", "Message", "<PupilsOnRoll>"), ("leavers.xml", "CTfile", "<CTFpupilData>")):
        path = tmp_path / name
        path.write_text(f'<?xml version="1.0" encoding="{encoding}"?><{root}>{tags}</{root}>', encoding="ascii")
        found = screen_files([path]).findings
        assert [(f.rule, f.severity) for f in found] == [("xml_malformed", "blocking")]
        assert "encoding" in str(found[0])
