"""Returns in XML: old and new names of elements, namespaces, broken files, several schools, and memory."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "screening"))
sys.path.append(str(Path(__file__).parent))

from census_builder import make_upn
from flat_files import found, rules

from attendance_toolkit.errors import ScreeningError, UnreadableFileError
from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders.load import load_files, screen_files
from attendance_toolkit.loaders.recognition import recognise
from attendance_toolkit.loaders.school_census.layouts import expand
from attendance_toolkit.store import Store

HEADER = (
    "<Header>\n<CollectionDetails><Collection>SC</Collection><Term>{term}</Term><Year>{year}</Year>"
    "<ReferenceDate>{day}</ReferenceDate></CollectionDetails>\n"
    "<Source><SourceLevel>{level}</SourceLevel><LEA>981</LEA>{estab}</Source>\n</Header>\n"
)
SCHOOL = "<School><SchoolName>Test School</SchoolName><Phase>PS</Phase><URN>100001</URN></School>\n"


def attendance(details: str, possible: str = "120", block: str = "TermlyAttendance") -> str:
    return f"<{block}><SessionsPossible>{possible}</SessionsPossible><SessionDetails>{details}</SessionDetails></{block}>\n"


def detail(code: str, count: object, tag: str = "Sessions") -> str:
    return f"<SessionDetail><AttendanceReason>{code}</AttendanceReason><{tag}>{count}</{tag}></SessionDetail>"


def pupil(number: int, inside: str = "", *, sex: str = "Sex", element: str = "PupilOnRoll", more: str = "") -> str:
    """Return a pupil of year 4 in 2023/24, with the element itself on a line of its own."""
    return (
        f"<{element}>\n<PupilIdentifiers><UPN>{make_upn(number)}</UPN><Surname>Testpupil</Surname>"
        f"<DOB>2014-11-21</DOB><{sex}>M</{sex}></PupilIdentifiers>\n"
        "<PupilCharacteristics><Ethnicity>WBRI</Ethnicity><FSMperiods><FSMperiod><FSMstartDate>2016-09-01"
        "</FSMstartDate><UKcountry>ENG</UKcountry></FSMperiod></FSMperiods><Language>ENG</Language>"
        f"</PupilCharacteristics>\n<PupilStatus><EnrolStatus>C</EnrolStatus><EntryDate>2023-09-05</EntryDate>{more}"
        "<NCyearActual>4</NCyearActual><Boarder>N</Boarder></PupilStatus>\n"
        "<SpecialEducationalNeeds><SENprovision>K</SENprovision></SpecialEducationalNeeds>\n"
        f"<Attendance>{inside or attendance(detail('I', 4) + detail('N', 1))}</Attendance>\n</{element}>\n"
    )


def message(*pupils: str, leavers: str = "", school: str = SCHOOL, term: str = "SPR", year: int = 2024,
            day: str = "2024-01-18", level: str = "S", estab: str = "<Estab>2001</Estab>") -> str:  # fmt: skip
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Message>\n'
        + HEADER.format(term=term, year=year, day=day, level=level, estab=estab)
        + school
        + "<Pupils>\n<PupilsOnRoll>\n"
        + "".join(pupils)
        + f"</PupilsOnRoll>\n<PupilsNoLongerOnRoll>\n{leavers}</PupilsNoLongerOnRoll>\n</Pupils>\n</Message>\n"
    )


def write(tmp_path: Path, text: str, name: str = "return.xml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def load(tmp_path: Path, *paths: Path, **more: object):
    return load_files(paths, tmp_path / "store", key_file=tmp_path / "key", **more)  # type: ignore[arg-type]


def frame(tmp_path: Path):
    return Store.open(tmp_path / "store").pupil_terms().df()


def test_a_return_says_what_it_is_and_loads(tmp_path: Path) -> None:
    leaver = pupil(3, attendance(detail("M", 2), "40"), element="PupilNoLongerOnRoll",
                   more="<LeavingDate>2023-12-01</LeavingDate>")  # fmt: skip
    path = write(tmp_path, message(pupil(1), pupil(2), leavers=leaver), "anything.dat")
    said = recognise(path)
    assert said is not None
    assert (said.kind, said.layout, said.years) == ("census", "xml", (202324,))
    assert said.says == "a school census return in XML, spring 2024, of one school"
    result = load(tmp_path, path)
    assert (result.rows_in, result.rows_loaded) == (3, 3)
    assert not result.report.findings
    rows = frame(tmp_path).sort_values("sessions_possible")
    assert rows.sessions_possible.tolist() == [40, 120, 120]
    assert rows.on_roll.tolist() == [False, True, True]
    assert rows.sessions_auth_illness.tolist() == [0, 4, 4]
    assert set(rows.laestab) == {9812001}
    assert set(rows.phase) == {"Primary"}
    assert set(rows.half_term) == {"1-2"}
    on = rows[rows.on_roll]
    assert set(on.sen_provision) == {"SEN support"}
    assert set(on.fsm_eligible) == {"FSM eligible"}
    assert set(on.ethnicity_minor) == {"White British"}


def test_older_names_namespaces_and_case_make_no_difference(tmp_path: Path) -> None:
    new = message(pupil(1), pupil(2))
    old = message(*(pupil(n, attendance(detail("I", 4, "AbsenceSessions") + detail("N", 1, "AbsenceSessions")),
                          sex="Gender") for n in (1, 2)))  # fmt: skip
    spaced = new.replace("</", "</sc:").replace("<", "<sc:").replace("<sc:/sc:", "</sc:").replace("<sc:?", "<?")
    spaced = spaced.replace("<sc:Message>", '<sc:Message xmlns:sc="urn:example">')
    cased = new.replace("NCyearActual", "NCYearActual").replace("SENprovision", "SENProvision")
    tables = []
    for number, text in enumerate((new, old, spaced, cased)):
        folder = tmp_path / str(number)
        folder.mkdir()
        result = load_files(write(folder, text), folder / "store", key_file=tmp_path / "key")
        assert not result.report.findings
        tables.append(frame(folder).sort_values("upn").reset_index(drop=True))
    for table in tables[1:]:
        assert table.equals(tables[0])


def test_the_second_half_of_summer_is_its_own_half_term(tmp_path: Path) -> None:
    inside = attendance(detail("I", 4), "50") + attendance(detail("G", 6), "60", "SummerHalfTerm2Attendance")
    load(tmp_path, write(tmp_path, message(pupil(1, inside), term="AUT", day="2024-10-03")))
    rows = frame(tmp_path).set_index("half_term")
    assert rows.loc["5", ["academic_year", "sessions_possible", "sessions_auth_illness"]].tolist() == [202324, 50, 4]
    assert rows.loc["6", ["academic_year", "sessions_possible", "sessions_unauth_holiday"]].tolist() == [202324, 60, 6]


def test_sessions_of_other_blocks_do_not_count(tmp_path: Path) -> None:
    inside = "<TermlyExclusion><Sessions>9</Sessions></TermlyExclusion>" + attendance(detail("I", 4))
    inside += attendance(detail("I", 99), "380", "AnnualAttendance")
    load(tmp_path, write(tmp_path, message(pupil(1, inside))))
    assert frame(tmp_path)[["sessions_possible", "sessions_authorised"]].to_numpy().tolist() == [[120, 4]]


@pytest.mark.parametrize("shape", ["beside", "around"])
def test_one_file_of_an_authority(tmp_path: Path, shape: str) -> None:
    parts = []
    for estab in (2001, 2002):
        school = f"<School><Estab>{estab}</Estab><Phase>PS</Phase>"
        group = f"<PupilsOnRoll>{pupil(estab)}</PupilsOnRoll>"
        parts.append(f"{school}</School>{group}" if shape == "beside" else f"{school}<Pupils>{group}</Pupils></School>")
    header = HEADER.format(term="SPR", year=2024, day="2024-01-18", level="L", estab="")
    path = write(tmp_path, f"<Message>{header}{''.join(parts)}</Message>")
    assert not rules(load(tmp_path, path).report)
    assert sorted(frame(tmp_path).laestab) == [9812001, 9812002]


def test_several_files_of_one_census_are_read_together(tmp_path: Path) -> None:
    for estab in range(2001, 2007):
        write(tmp_path, message(pupil(estab), estab=f"<Estab>{estab}</Estab>"), f"{estab}.xml")
    result = load(tmp_path, *sorted(tmp_path.glob("*.xml")))
    assert not result.report.findings
    assert sorted(frame(tmp_path).laestab) == list(range(9812001, 9812007))
    # A pupil on the roll of the same school in two files is found across files.
    write(tmp_path, message(pupil(2001), estab="<Estab>2001</Estab>", school=""), "again.xml")
    report = screen_files(sorted(tmp_path.glob("*.xml")))
    assert "2001.xml" in found(report, "pupil_in_two_files").says + found(report, "pupil_in_two_files").file


# -- what is wrong


def test_a_truncated_file_is_found_with_its_line(tmp_path: Path) -> None:
    text = message(pupil(1), pupil(2))
    cut = text.index("<PupilsNoLongerOnRoll>")
    path = write(tmp_path, text[:cut])
    finding = found(screen_files(path), "xml_malformed")
    assert finding.row == text[:cut].count("\n") + 1
    assert "no element found" in finding.says
    with pytest.raises(UnreadableFileError):
        load(tmp_path, path)


def test_malformed_xml_is_found_with_its_line(tmp_path: Path) -> None:
    text = message(pupil(1), pupil(2)).replace("</Boarder>", "</Border>", 1)
    line = text[: text.index("</Border>")].count("\n") + 1
    finding = found(screen_files(write(tmp_path, text)), "xml_malformed")
    assert (finding.severity, finding.row) == ("blocking", line)


@pytest.mark.parametrize(
    "doctype",
    ['<!DOCTYPE Message [<!ENTITY a "b">]>', '<!DOCTYPE Message SYSTEM "file:///etc/passwd">'],
)
def test_a_document_type_is_refused(tmp_path: Path, doctype: str) -> None:
    text = message(pupil(1)).replace("<Message>", f"{doctype}\n<Message>").replace("Testpupil", "&a;")
    finding = found(screen_files(write(tmp_path, text)), "xml_doctype")
    assert (finding.severity, finding.row) == ("blocking", 2)


@pytest.mark.parametrize(
    "text",
    [
        "<CTfile><Header><DocumentName>Common Transfer File</DocumentName></Header></CTfile>",
        "<Message><Header><CollectionDetails><Collection>CIN</Collection><Year>2024</Year></CollectionDetails></Header>"
        "<Children/></Message>",
        "<html><body>Message</body></html>",
    ],
)
def test_xml_of_another_kind_is_no_census(tmp_path: Path, text: str) -> None:
    from attendance_toolkit.loaders.school_census.layouts import recognise as recognise_census

    assert recognise_census(look(write(tmp_path, text))) is None


def test_another_census_than_asked_for_blocks(tmp_path: Path) -> None:
    path = write(tmp_path, message(pupil(1)))
    assert found(screen_files(path, census="autumn 2023"), "census_conflict").severity == "blocking"
    with pytest.raises(ScreeningError):
        load(tmp_path, path, census="autumn 2023")


def test_a_census_that_is_none_blocks(tmp_path: Path) -> None:
    assert found(screen_files(write(tmp_path, message(pupil(1), term="WIN"))), "census_unknown").severity == "blocking"


def test_two_schools_in_the_file_of_one_block(tmp_path: Path) -> None:
    other = f"<School><Estab>2002</Estab></School><PupilsOnRoll>\n{pupil(2)}</PupilsOnRoll>"
    text = message(pupil(1)).replace("</Pupils>", f"{other}</Pupils>")
    finding = found(screen_files(write(tmp_path, text)), "school_several")
    assert "9812001, 9812002" in finding.says
    assert text.splitlines()[finding.row - 1].endswith("<PupilOnRoll>")


@pytest.mark.parametrize(
    ("inside", "rule", "column"),
    [
        (attendance(detail("I", -3)), "sessions_negative", "Sessions"),
        (attendance(detail("I", "2.5")), "sessions_not_number", "Sessions"),
        (attendance(detail("QQ", 2)), "register_code", "AttendanceReason"),
        (attendance(detail("C2", 2)), "register_code_new", "AttendanceReason"),
        (attendance(detail("I", 4), ""), "possible_blank", "SessionsPossible"),
        (attendance(detail("I", 121)), "absent_over_possible", "SessionsPossible"),
        (attendance(detail("I", 2) + detail("I", 2)), "reason_repeated", "SessionsPossible"),
    ],
)
def test_a_bad_value_is_found_at_the_line_of_its_pupil(tmp_path: Path, inside: str, rule: str, column: str) -> None:
    text = message(pupil(1), pupil(2, inside), pupil(3))
    path = write(tmp_path, text)
    result = load(tmp_path, path)
    finding = found(result.report, rule)
    second = [n for n, line in enumerate(text.splitlines(), 1) if line == "<PupilOnRoll>"][1]
    assert (finding.file, finding.row, finding.column) == ("return.xml", second, column)
    assert result.rows_in == 3
    assert result.rows_in == result.rows_loaded + result.rows_quarantined
    kept = list((tmp_path / "store" / "quarantine").glob("*/*.csv"))
    assert kept
    assert all("made from the XML element" in p.read_text(encoding="utf-8") for p in kept)


def test_no_free_meal_periods_at_all_are_said(tmp_path: Path) -> None:
    text = message(pupil(1))
    start, stop = text.index("<FSMperiods>"), text.index("</FSMperiods>") + len("</FSMperiods>")
    result = load(tmp_path, write(tmp_path, text[:start] + text[stop:]))
    assert found(result.report, "column_absent").column == "FSMperiod"
    assert frame(tmp_path).fsm_eligible.tolist() == ["Unknown"]


def test_a_return_without_pupils_blocks(tmp_path: Path) -> None:
    assert "file_no_rows" in rules(screen_files(write(tmp_path, message())))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks = []
    for pupils in (6_000, 18_000):
        path = write(tmp_path, message(*(pupil(n) for n in range(pupils))), f"{pupils}.xml")
        head = look(path)
        said = recognise(head)
        assert said is not None
        private = tmp_path / f"private-{pupils}"
        private.mkdir()
        tracemalloc.start()
        (group,) = expand(head, said, private)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert group.tables["pupilonroll"].line_count == pupils + 1
    # Three times the pupils, the same buffers.
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < 30e6
