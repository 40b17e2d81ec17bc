"""Write the pass and fail files of every screening rule: ``python tests/screening/write_cases.py``.

Each case is a small return. The fail files break one rule and no other; the pass files are their nearest
neighbours that break none.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from census_builder import Return, make_upn  # noqa: E402

Case = Callable[[Path], None]
CASES: dict[str, tuple[Case, Case]] = {}


def small(term: str = "spring", **more: object) -> Return:
    """Return a return of three pupils on roll without periods: as few files as can be."""
    made = Return(term, **{"leavers": 0, **more})  # type: ignore[arg-type]
    for table in ("fsmperiod", "fsmperiodsonroll"):
        made.tables.pop(table, None)
    return made


def case(rule: str, fail: Case, ok: Case | None = None) -> None:
    """Register the two sides of a rule."""
    CASES[rule] = (ok or (lambda folder: small().write(folder) and None), fail)


def changed(table: str, place: int, /, term: str = "spring", **values: str) -> Case:
    """Return a case in which cells of one row differ."""

    def write(folder: Path) -> None:
        made = small(term)
        made.tables[table][place].update(values)
        made.write(folder)

    return write


def details(rows: list[tuple[str, str, object]], table: str = "termlysessiondetailsonroll") -> Case:
    """Return a case with more session rows."""

    def write(folder: Path) -> None:
        made = small()
        for key, code, sessions in rows:
            made.details(table, key, code, sessions)
        made.write(folder)

    return write


def edited(table: str, edit: Callable[[bytes], bytes], term: str = "spring") -> Case:
    """Return a case in which the bytes of one file are changed."""

    def write(folder: Path) -> None:
        made = small(term)
        made.write(folder)
        path = made.path(folder, table)
        path.write_bytes(edit(path.read_bytes()))

    return write


def without(*tables: str, **columns: str) -> Case:
    """Return a case without some tables, or without a column of a table."""

    def write(folder: Path) -> None:
        made = small()
        for table in tables:
            del made.tables[table]
        for table, column in columns.items():
            for row in made.tables[table]:
                del row[column]
        made.write(folder)

    return write


def made_by(build: Callable[[], Return]) -> Case:
    """Return a case that writes what is built."""
    return lambda folder: build().write(folder) and None


ON, NATIVE = "pupilonroll", "9812001"


def _only(name: str, content: bytes) -> Case:
    def write(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    return write


def _and_file(name: str, content: bytes) -> Case:
    def write(folder: Path) -> None:
        small().write(folder)
        (folder / name).write_bytes(content)

    return write


def _copy(changes: bool) -> Case:
    def write(folder: Path) -> None:
        small().write(folder)
        again = small(prefix="copy") if not changes else small(prefix="copy", estab=2002, first=50)
        again.write(folder / "again")

    return write


def _many(rows: Callable[[Return], None], pupils: int = 24, term: str = "spring") -> Case:
    def write(folder: Path) -> None:
        made = small(term, pupils=pupils)
        rows(made)
        made.write(folder)

    return write


# ---- file
case("file_missing", lambda folder: folder.mkdir(parents=True, exist_ok=True) or (folder / "empty.txt").touch())
case("file_empty", _and_file("x_pupilonroll.csv", b""))
case("file_not_csv", _and_file("x_pupilonroll.csv", b"%PDF-1.7 a document under another name"))
case("file_damaged", _and_file("x_pupilonroll.csv", b"PK\x03\x04 a workbook cut off"))
case("file_delimiter", edited(ON, lambda b: b.replace(b",", b";")))
case("file_encoding", edited(ON, lambda b: b.replace(b"Testpupil", b"Test\x81pupil")))
case("file_converted", edited(ON, lambda b: b.decode().replace("Testpupil", "Zoë").encode("cp1252")),
     edited(ON, lambda b: b.decode().replace("Testpupil", "Zoë").encode()))  # fmt: skip
case("file_unknown", _only("notes.csv", b"a,b\n1,2\n"))
case("file_ignored", _and_file("notes.csv", b"a,b\n1,2\n"))
case("file_set_aside", _only("981_2024_spring_pupilonroll.csv", b"upn,quarantine_file,quarantine_row\n,a.csv,2\n"))
case("file_repeated", _copy(False), _copy(True))
case("file_ragged", edited(ON, lambda b: b.replace(b",Testpupil,", b",Test,pupil,", 1)),
     edited(ON, lambda b: b.replace(b",Testpupil,", b',"Test,pupil",', 1)))  # fmt: skip
case("file_no_rows", edited(ON, lambda b: b.splitlines(keepends=True)[0]))
case("xml_malformed", lambda f: _xml(f, _message()[:-40]), lambda f: _xml(f, _message()))
case("xml_doctype", lambda f: _xml(f, _message().replace("<Message>", '<!DOCTYPE Message [<!ENTITY a "b">]><Message>')),
     lambda f: _xml(f, _message()))  # fmt: skip
# ---- columns
case("column_missing", edited(ON, lambda b: b.replace(b"termlysessionspossible", b"sessions_poss", 1)))
case("column_absent", without(pupilonroll="senprovision"))
case("column_respelt", edited(ON, lambda b: b.replace(b"senprovision", b"SEN Provision", 1)),
     edited(ON, lambda b: b.replace(b"senprovision", b"SENProvision", 1)))  # fmt: skip
case("column_repeated", edited(ON, lambda b: b.replace(b"surname", b"upn", 1)))
case("table_missing", without("termlysessiondetailsonroll"))
case("school_table_missing", without("school"))
# ---- population
case("census_unknown", lambda f: without("schoolcensus", pupilonroll="entrydate")(f))
case("census_guessed", without("schoolcensus"))
case("census_conflict", lambda f: small().add(small("summer", estab=2002, first=50)).write(f) and None,
     lambda f: small().add(small(estab=2002, first=50)).write(f) and None)  # fmt: skip
case("census_wrong_columns", lambda f: _wrong_term(f))
case("census_wrong_dates", made_by(lambda: _entries("2024-Feb-01 00:00:00", 2)),
     made_by(lambda: _entries("2024-Jan-08 00:00:00", 2)))  # fmt: skip
case("entry_after_census", made_by(lambda: _entries("2024-Jan-22 00:00:00", 1)))
case("upn_blank", changed(ON, 1, upn=""))
case("upn_spreadsheet", changed(ON, 1, upn="9.812E+11"))
case("upn_format", changed(ON, 1, upn=make_upn(1)[:-1]))
case("upn_check_letter", changed(ON, 1, upn=("A" if make_upn(1)[0] != "A" else "B") + make_upn(1)[1:]))
case("upn_temporary", lambda f: changed(ON, 1, upn=temporary_upn(1))(f))
case("date_spreadsheet", changed(ON, 1, dob="41944"))
case("date_day_first", changed(ON, 1, dob="21/11/2014"))
case("date_unreadable", changed(ON, 1, dob="11/21/2014"))
case("birth_blank", changed(ON, 1, dob=""))
case("birth_unlikely", changed(ON, 1, dob="1915-Nov-21 00:00:00"))
case("school_several", lambda f: _xml(f, _message(second=2002)), lambda f: _xml(f, _message(second=2001)))
case("school_unknown", made_by(lambda: _school("SCH1", "")), made_by(lambda: _school("SCH1", "981/2001")))
# ---- keys
case("key_repeated", made_by(lambda: _same_key()))
case("pupil_repeated", made_by(lambda: _same_pupil()))
case("pupil_in_two_files", lambda f: _two_files(f, same=True), lambda f: _two_files(f, same=False))
case("former_upn_shared", changed(ON, 1, formerupn=make_upn(2)), changed(ON, 1, formerupn=make_upn(77)))
case("enrolment_overlap", made_by(lambda: _on_two_rolls("M")), made_by(lambda: _on_two_rolls("S")))
case("spell_overlap", made_by(lambda: _spells("2023-Dec-01")), made_by(lambda: _spells("2023-Sep-29")))
case("session_orphan", details([("nobody", "I", 2)]), details([("p0", "M", 2)]))
case("reason_repeated", details([("p0", "I", 2)]), details([("p0", "M", 2)]))
# ---- codes
case("fsm_code", made_by(lambda: _meals("Y", "perhaps", "N")), made_by(lambda: _meals("Y", "1", "")))
case("sex_code", changed(ON, 1, sex="X"), changed(ON, 1, sex="f"))
case("sen_code", changed(ON, 1, senprovision="Q"), changed(ON, 1, senprovision="S"))
case("year_group_code", changed(ON, 1, ncyearactual="17"), changed(ON, 1, ncyearactual="04"))
case("enrol_status_code", changed(ON, 1, enrolstatus="Z"), changed(ON, 1, enrolstatus="M"))
case("boarder_code", changed(ON, 1, boarder="5"), changed(ON, 1, boarder="6"))
case("language_code", changed(ON, 1, language="E1"), changed(ON, 1, language="PNJA"))
case("ethnicity_code", changed(ON, 1, ethnicity="WXYZ"), changed(ON, 1, ethnicity="WENG"))
case("phase_code", changed("school", 0, phase="XX"), changed("school", 0, phase="SS"))
case("register_code", details([("p0", "QQ", 2)]), details([("p0", "#", 2)]))
case("register_code_new", details([("p0", "C2", 2)]), details([("p0", "C", 2)]))
case("register_code_old", lambda f: _holiday(f, 2025), lambda f: _holiday(f, 2024))
FLAGS = b"upn,academic_year,looked_after,social_worker\n"
case("flag_value", _only("flags.csv", FLAGS + make_upn(0).encode() + b",2023/24,Maybe,No\n"),
     _only("flags.csv", FLAGS + make_upn(0).encode() + b",2023/24,Yes,No\n"))  # fmt: skip
case("flag_year", _only("flags.csv", FLAGS + make_upn(0).encode() + b",2023,Yes,No\n"),
     _only("flags.csv", FLAGS + make_upn(0).encode() + b",202324,Yes,No\n"))  # fmt: skip
CARED_FOR = b"upn,academic_year,looked_after,responsible_la\n"
case("flag_authority", _only("flags.csv", CARED_FOR + make_upn(0).encode() + b",2023/24,Yes,elsewhere\n"),
     _only("flags.csv", CARED_FOR + make_upn(0).encode() + b",2023/24,Yes,Trafford\n"))  # fmt: skip


def _list(name: str, header: str, *rows: str) -> Case:
    lines = [header, *(f"{make_upn(number)},{row}" for number, row in enumerate(rows))]
    return _only(name, ("\n".join(lines) + "\n").encode())


def _offer(*rows: str, header: str = "UPN,Academic year,Offered LAESTAB") -> Case:
    return _list("offers.csv", header, *rows)


def _supported(*rows: str) -> Case:
    return _list("support.csv", "upn,academic_year,support_group", *rows)


case("offer_conflict", _only("offers.csv", b"upn,academic_year,offered_laestab\n" + b"".join(
         make_upn(0).encode() + row for row in (b",2024/25,9814001\n", b",2024/25,9814002\n"))),
     _only("offers.csv", b"upn,academic_year,offered_laestab\n" + b"".join(
         make_upn(0).encode() + row for row in (b",2024/25,9814001\n", b",2025/26,9814002\n"))))  # fmt: skip
case("offer_year", _offer("2024/25,9814001", "2024,9814001"), _offer("2024/25,9814001", "202425,981/4001"))
case("offer_blank", _offer("2024/25,9814001", "2024/25,"), _offer("2024/25,9814001", "2024/25,9814002"))
case("offer_laestab", _offer("2024/25,9.81E+06"), _offer("2024/25,981 4001"))
case("offer_urn", _offer("2024/25,123456", header="upn,academic_year,offered_urn"),
     _offer("2024,9814001", header="upn,year_of_entry,allocated_school_dfe_number"))  # fmt: skip
case("support_year", _supported("2023,Transition mentors"), _supported("2023/24,Transition mentors"))
case("support_name", _supported("2023/24,Transition mentors", "2023/24, "),
     _supported("2023/24,Transition mentors", "2023/24,Breakfast club"))  # fmt: skip


def _met(*rows: str, header: str = "laestab,date,kind,colour") -> Case:
    return _only("meetings.csv", ("\n".join([header, *rows]) + "\n").encode())


_MET = "9814001,2024-Jan-17,in person,Red"
case("meeting_school", _met(_MET, "123,2024-Jan-18,online,Red"), _met(_MET, "981/4002,2024-Jan-18,online,Red"))
case("meeting_date", _met(_MET, "9814002,soon,online,Red"), _met(_MET, "9814002,2024-01-18,online,"))
case("meeting_kind", _met("9814001,2024-Jan-17,walk,Red"), _met("9814001,2024-Jan-17,Face-to-face,Red"))
case("meeting_colour", _met("9814001,2024-Jan-17,online,12"), _met("9814001,2024-Jan-17,online,Magenta"))
case("meeting_school_unlisted", _and_file("meetings.csv", b"urn,laestab,date,kind\n,9812002,2024-Jan-17,online\n"),
     _and_file("meetings.csv", b"urn,laestab,date,kind\n,9812001,2024-Jan-17,online\n"))  # fmt: skip
case("meeting_repeated", _met(_MET, _MET), _met(_MET, "9814001,2024-Jan-18,in person,Red"))
# ---- arithmetic
case(
    "sessions_not_number", changed(ON, 1, termlysessionspossible="12.5"), changed(ON, 1, termlysessionspossible="12.0")
)
case("sessions_negative", details([("p0", "M", -2)]), details([("p0", "M", "2.0")]))
case("sessions_too_many", details([("p0", "/", 2000)]), details([("p0", "/", 100)]))
case("sessions_blank", details([("p0", "M", "")]))
case("possible_blank", changed(ON, 1, termlysessionspossible=""))
case("possible_too_many", changed(ON, 1, termlysessionspossible="400"))
case("possible_unlikely", changed(ON, 1, termlysessionspossible="190"), changed(ON, 1, termlysessionspossible="168"))
case("absent_over_possible", changed(ON, 1, termlysessionspossible="4"), changed(ON, 1, termlysessionspossible="5"))
case("reasons_below_total", changed(ON, 1, termlysessionsauthorised="7", termlysessionsunauthorised="1"),
     changed(ON, 1, termlysessionsauthorised="4", termlysessionsunauthorised="1"))  # fmt: skip
case("reasons_above_total", changed(ON, 1, termlysessionsauthorised="2", termlysessionsunauthorised="1"),
     changed(ON, 1, termlysessionsauthorised="4", termlysessionsunauthorised=""))  # fmt: skip
# ---- plausibility
case("term_no_sessions", _many(lambda r: _no_sessions(r), pupils=3))
case("school_no_reasons", _many(lambda r: _second(r), pupils=12), _many(lambda r: None, pupils=12))
case("school_no_absence", _many(lambda r: _present_only(r), pupils=12), _many(lambda r: None, pupils=12))
case("year_group_beside", changed(ON, 1, ncyearactual="5"))
case("year_group_far", changed(ON, 1, ncyearactual="7"))
case("possible_above_usual", _many(lambda r: _possible(r, "124", 11)), _many(lambda r: _possible(r, "124", 2)))
case(
    "possible_unlike_area",
    made_by(lambda: _four_schools(possible="80")),
    made_by(lambda: _four_schools(possible="112")),
)
case("possible_unlike_year", lambda f: _year(f, 165, 145, 58, 60), lambda f: _year(f, 140, 120, 58, 60))
case("school_roll_step", lambda f: _two_terms(f, 30, 60), lambda f: _two_terms(f, 30, 38))
case("school_absence_step", lambda f: _step(f, 30), lambda f: _step(f, 8))
case("term_copied", lambda f: _two_terms(f, 12, 12, shift=0), lambda f: _two_terms(f, 12, 12))
case("area_term_copied", lambda f: _ten_schools(f, 0), lambda f: _ten_schools(f, 2))
case("school_missing_term", lambda f: _second_school(f, in_both=False), lambda f: _second_school(f, in_both=True))
case("pupils_unmatched", lambda f: _two_terms(f, 20, 20, first=12), lambda f: _two_terms(f, 20, 20, first=2))
case("characteristic_blank", _many(lambda r: [row.update(senprovision="") for row in r.tables[ON][:6]] and None),
     _many(lambda r: [row.update(senprovision="") for row in r.tables[ON][:3]] and None))  # fmt: skip
case("year_gap", lambda f: [small(year=y).write(f) for y in (2022, 2024)] and None,
     lambda f: [small(year=y).write(f) for y in (2023, 2024)] and None)  # fmt: skip


def _message(second: int = 2001) -> str:
    """Return an XML return of two pupils, the second one under a school of its own."""
    pupils = "".join(
        f"<School><Estab>{estab}</Estab><Phase>PS</Phase></School><PupilsOnRoll><PupilOnRoll><UPN>{make_upn(i)}</UPN>"
        f"<DOB>2014-11-2{i}</DOB><Sex>M</Sex><FSMperiod><FSMstartDate>2016-09-01</FSMstartDate></FSMperiod>"
        "<EntryDate>2023-09-05</EntryDate><NCyearActual>4</NCyearActual><SENprovision>N</SENprovision>"
        "<Ethnicity>WBRI</Ethnicity>"
        "<TermlyAttendance><SessionsPossible>120</SessionsPossible><SessionDetail><AttendanceReason>I</AttendanceReason>"
        "<Sessions>4</Sessions></SessionDetail></TermlyAttendance></PupilOnRoll></PupilsOnRoll>\n"
        for i, estab in enumerate((2001, second))
    )
    return (
        "<Message><Header><Collection>SC</Collection><Term>SPR</Term><Year>2024</Year>"
        "<ReferenceDate>2024-01-18</ReferenceDate><SourceLevel>S</SourceLevel><LEA>981</LEA><Estab>2001</Estab></Header>"
        f"\n{pupils}</Message>\n"
    )


def _xml(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "9812001.xml").write_text(text, encoding="utf-8")


def _meals(*marks: str) -> Return:
    made = small()
    for row, mark in zip(made.tables[ON], marks, strict=True):
        row["fsmeoncensusday"] = mark
    return made


def _wrong_term(folder: Path) -> None:
    made = small()
    made.tables["schoolcensus"][0].update(term="AUT", year="2023", referencedate="2023-Oct-05 00:00:00")
    made.write(folder)


def _entries(day: str, rows: int) -> Return:
    made = small()
    for row in made.tables[ON][:rows]:
        row["entrydate"] = day
    return made


def _school(native: str, laestab: str) -> Return:
    made = small()
    for rows in made.tables.values():
        for row in rows:
            row["NativeId"] = native
    made.tables["school"][0]["laestab"] = laestab
    return made


def _same_key() -> Return:
    made = small()
    made.tables[ON][1]["pupilonrolltableid"] = "p0"
    made.tables["termlysessiondetailsonroll"] = [
        r for r in made.tables["termlysessiondetailsonroll"] if r["pupilonrolltableid"] == "p2"
    ]
    return made


def _same_pupil() -> Return:
    made = small()
    made.tables[ON].append({**made.tables[ON][0], "pupilonrolltableid": "p9"})
    return made


def _two_files(folder: Path, *, same: bool) -> None:
    small().write(folder)
    other = small(prefix="981_2024_spring_academy", first=0 if same else 50)
    if same:
        other.tables[ON] = other.tables[ON][:1]
        other.tables["termlysessiondetailsonroll"] = other.tables["termlysessiondetailsonroll"][:2]
    else:
        other.tables["school"][0]["laestab"] = "9812001"
    other.write(folder)


def _holiday(folder: Path, year: int) -> None:
    made = small(year=year)
    made.details("termlysessiondetailsonroll", "p0", "H", 2)
    made.write(folder)


def _no_sessions(made: Return) -> None:
    for row in made.tables[ON]:
        row["termlysessionspossible"] = ""
    made.tables["termlysessiondetailsonroll"] = []
    for row in made.tables[ON]:
        row |= {"termlysessionsauthorised": "", "termlysessionsunauthorised": ""}


def _second(made: Return) -> None:
    """Give the session rows that are left to a second school, so that the first has none."""
    other = small(estab=2002, first=50)
    made.tables["termlysessiondetailsonroll"] = []
    made.add(other)


def temporary_upn(serial: int) -> str:
    """Return a temporary UPN: its last character is the letter A, which counts for nothing in the check letter."""
    digits = make_upn(serial)[1:12]
    total = sum(place * int(digit) for place, digit in enumerate(digits, 2))
    return "ABCDEFGHJKLMNPQRTUVWXYZ"[total % 23] + digits + "A"


def _on_two_rolls(status: str) -> Return:
    other = small(estab=2002, first=50)
    other.tables[ON][0] |= {"upn": make_upn(0), "enrolstatus": status, "dob": "2014-Oct-10 00:00:00"}
    return small().add(other)


def _spells(leaving: str) -> Return:
    other = small(estab=2002, first=50, leavers=1)
    other.tables["pupilnolongeronroll"][0] |= {
        "upn": make_upn(0), "entrydate": "2022-Sep-05 00:00:00", "leavingdate": f"{leaving} 00:00:00"
    }  # fmt: skip
    return small().add(other)


def _present_only(made: Return) -> None:
    for row in made.tables["termlysessiondetailsonroll"]:
        row["attendancereason"] = "/" if row["attendancereason"] == "I" else "L"


def _possible(made: Return, possible: str, pupils: int) -> None:
    for row in made.tables[ON][:pupils]:
        row["termlysessionspossible"] = possible


def _four_schools(possible: str) -> Return:
    made = small(pupils=10)
    for number in range(1, 4):
        made.add(small(pupils=10, estab=2001 + number, first=50 * number))
    _possible(made, possible, 10)
    return made


def varied(made: Return, shift: int, more: int = 0) -> Return:
    """Give every pupil another number of sessions missed for illness, which no pupil has in another ``shift``."""
    for table, rows in made.tables.items():
        if "sessiondetails" in table:
            step = shift + table.startswith("summerhalfterm2")
            ill = [row for row in rows if row["attendancereason"] == "I"]
            for place, row in enumerate(ill):
                row["sessions"] = str(1 + (place + step) % 10 + more)
    return made


def _two_terms(folder: Path, pupils: int, later: int, shift: int = 3, first: int = 0) -> None:
    varied(small("spring", pupils=pupils), 0).write(folder)
    varied(small("summer", pupils=later, first=first), shift).write(folder)


def _year(folder: Path, autumn: int, spring: int, summer_1: int, summer_2: int) -> None:
    sessions = {"spring": (autumn, 0), "summer": (spring, 0), "autumn": (summer_1, summer_2)}
    for number, (term, (possible, second)) in enumerate(sessions.items()):
        made = varied(small(term, pupils=12), 3 * number)
        for row in made.tables[ON]:
            row["termlysessionspossible"] = str(possible)
            if second:
                row["summerhalfterm2sessionspossible"] = str(second)
        made.write(folder)


def _step(folder: Path, ill: int) -> None:
    for number, term in enumerate(("spring", "summer")):
        made = varied(small(term, pupils=30), 3 * number)
        for school in range(1, 4):
            made.add(varied(small(term, pupils=30, estab=2001 + school, first=100 * school), 3 * number))
        if term == "summer":
            for row in made.tables["termlysessiondetailsonroll"][:60]:
                row["sessions"] = str(ill) if row["attendancereason"] == "I" else row["sessions"]
        made.write(folder)


def _ten_schools(folder: Path, more: int) -> None:
    """Ten schools of ten pupils: the absence of a school is the same in both terms, that of its pupils is not."""
    for number, term in enumerate(("spring", "summer")):
        made = varied(small(term, pupils=10), 3 * number, more * number)
        for school in range(1, 10):
            made.add(varied(small(term, pupils=10, estab=2001 + school, first=50 * school), 3 * number, more * number))
        made.write(folder)


def _second_school(folder: Path, *, in_both: bool) -> None:
    for number, term in enumerate(("spring", "summer")):
        made = varied(small(term, pupils=10), 3 * number)
        if in_both or term == "spring":
            made.add(varied(small(term, pupils=10, estab=2002, first=50), 3 * number))
        made.write(folder)


def main() -> None:
    for name in ("pass", "fail"):
        shutil.rmtree(HERE / name, ignore_errors=True)
    for rule, (ok, fail) in CASES.items():
        ok(HERE / "pass" / rule)
        fail(HERE / "fail" / rule)


if __name__ == "__main__":
    main()
