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
case("file_not_csv", _and_file("x_pupilonroll.csv", b"PK\x03\x04 a workbook under another name"))
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
case("date_spreadsheet", changed(ON, 1, dob="42309"))
case("date_day_first", changed(ON, 1, dob="21/11/2015"))
case("date_unreadable", changed(ON, 1, dob="11/21/2015"))
case("birth_blank", changed(ON, 1, dob=""))
case("birth_unlikely", changed(ON, 1, dob="1915-Nov-21 00:00:00"))
case("school_unknown", made_by(lambda: _school("SCH1", "")), made_by(lambda: _school("SCH1", "981/2001")))
# ---- keys
case("key_repeated", made_by(lambda: _same_key()))
case("pupil_repeated", made_by(lambda: _same_pupil()))
case("pupil_in_two_files", lambda f: _two_files(f, same=True), lambda f: _two_files(f, same=False))
case("session_orphan", details([("nobody", "I", 2)]), details([("p0", "M", 2)]))
case("reason_repeated", details([("p0", "I", 2)]), details([("p0", "M", 2)]))
# ---- codes
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
case("totals_differ", changed(ON, 1, termlysessionsauthorised="7", termlysessionsunauthorised="1"),
     changed(ON, 1, termlysessionsauthorised="4", termlysessionsunauthorised="1"))  # fmt: skip
# ---- plausibility
case("term_no_sessions", _many(lambda r: _no_sessions(r), pupils=3))
case("school_no_reasons", _many(lambda r: _second(r), pupils=12), _many(lambda r: None, pupils=12))
case("characteristic_blank", _many(lambda r: [row.update(senprovision="") for row in r.tables[ON][:6]] and None),
     _many(lambda r: [row.update(senprovision="") for row in r.tables[ON][:3]] and None))  # fmt: skip
case("year_gap", lambda f: [small(year=y).write(f) for y in (2022, 2024)] and None,
     lambda f: [small(year=y).write(f) for y in (2023, 2024)] and None)  # fmt: skip


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


def main() -> None:
    for name in ("pass", "fail"):
        shutil.rmtree(HERE / name, ignore_errors=True)
    for rule, (ok, fail) in CASES.items():
        ok(HERE / "pass" / rule)
        fail(HERE / "fail" / rule)


if __name__ == "__main__":
    main()
