"""Every kind of input: a good file, how it is read in public, and the numbers that come out.

To add a reader, add one ``Input`` to ``INPUTS``.
"""

from __future__ import annotations

import atexit
import csv
import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attendance_toolkit.errors import AttendanceError
from attendance_toolkit.loaders.load import load_files
from attendance_toolkit.loaders.lookups import read_lookup
from attendance_toolkit.loaders.portal import PortalReader, portal_headers_text, read_headers, read_summary
from attendance_toolkit.loaders.printed import read_printed
from attendance_toolkit.loaders.published import Published, read_published
from attendance_toolkit.loaders.school_census.work import make_working_tables
from attendance_toolkit.loaders.schools import read_schools
from attendance_toolkit.reporting.reconcile import check_schemes
from attendance_toolkit.schema.findings import Finding, ScreeningReport
from attendance_toolkit.store import Store
from attendance_toolkit.store.parts import make_collected_tables
from attendance_toolkit.vocabulary.rule_schemes import parse_scheme
from tests.malformed.laws import NAME, Files, Input, Outcome
from tests.screening.census_builder import Return, make_upn

KEY = b"k" * 32
ESTAB, OTHER = 9812001, 9812009
UPNS = tuple(make_upn(number) for number in range(6))

# ---- reading


@cache
def _base() -> Path:
    """Return a store with another school in it, and the key beside it."""
    place = Path(tempfile.mkdtemp(prefix="malformed-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    (place / "key").write_text(KEY.hex(), encoding="ascii")
    files = Return("spring", year=2022, estab=OTHER % 10_000, first=900).write(place / "files")
    load_files(files, place / "store", key_file=place / "key", is_synthetic=True)
    return place


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _told(report: ScreeningReport, outcome: Outcome) -> None:
    outcome.findings = [_fresh(f) for f in report.findings]
    outcome.blocking = [str(f) for f in report.findings if f.severity == "blocking"]
    outcome.findings += [report.to_json()] if outcome.blocking else []


def _fresh(finding: Finding) -> str:
    return f"{finding.severity} {finding.rule}: {finding}"


def loaded(**more: object) -> Callable[[list[Path], Path], Outcome]:
    """Return a reader that loads files into a store which holds another school."""

    def read(paths: list[Path], work: Path) -> Outcome:
        store = work / "store"
        shutil.copytree(_base() / "store", store)
        before = _digest(store)
        try:
            done = load_files(paths, store, key_file=_base() / "key", is_synthetic=True, **more)  # type: ignore[arg-type]
        except AttendanceError as error:
            outcome = Outcome(error, kept=_digest(store) == before)
            report = getattr(error, "report", None)
            if report is not None:
                _told(report, outcome)
            return outcome
        outcome = Outcome(numbers=_pupil_terms(store), rows=(done.rows_in, done.rows_loaded, done.rows_quarantined))
        _told(done.report, outcome)
        return outcome

    return read


def _pupil_terms(store: Path) -> list[str]:
    opened = Store.open(store)
    try:
        rows = opened.pupil_terms()
        place = rows.columns.index("laestab")
        listed = [*opened.destinations().fetchall(), *opened.support_groups().fetchall()]
        return sorted(map(str, [row for row in rows.fetchall() if row[place] != OTHER] + listed))
    finally:
        opened.close()


def lines_of(frame: pd.DataFrame, *drop: str) -> list[str]:
    """Return the rows of a frame as sorted text, without columns that say where they were."""
    kept = frame.drop(columns=[name for name in drop if name in frame.columns])
    kept = kept[sorted(kept.columns)]
    return sorted(map(str, kept.astype("object").where(kept.notna(), None).itertuples(index=False, name=None)))


def _published(paths: list[Path], work: Path) -> Outcome:
    try:
        found = read_published(paths)
    except AttendanceError as error:
        return Outcome(error)
    return _figures(found)


def _figures(found: Published) -> Outcome:
    names = [name for name in ("cells", "rates", "symbols", "schools") if hasattr(found, name)]
    where = ("source_file", "source_row")
    numbers = [line for name in names for line in lines_of(getattr(found, name), *where)]
    left = [
        f"{file.name}: {rows} rows left out: {reason}" for file in found.provenance for reason, rows in file.left_out
    ]
    left += [f"{file.name}: {file.reason}" for file in found.unrecognised]
    return Outcome(numbers=numbers, findings=left)


def _top(paths: list[Path]) -> Path:
    """Return the folder that was given, whatever lies how deep in it."""
    return next(folder for folder in paths[0].parents if folder.parent.name == "in")


def _saved(paths: list[Path], work: Path) -> Outcome:
    """Open a folder of saved published figures."""
    try:
        return _figures(Published.open(_top(paths)))
    except AttendanceError as error:
        return Outcome(error)


def _store_folder(paths: list[Path], work: Path) -> Outcome:
    """Open a store, read it and load into it."""
    root = _top(paths)
    before = _digest(root)
    try:
        opened = Store.open(root)
        numbers = sorted(map(str, opened.pupil_terms().fetchall()))
        numbers.append(json.dumps(opened.screening(), sort_keys=True))
        opened.close()
    except AttendanceError as error:
        return Outcome(error, kept=_digest(root) == before)
    return Outcome(numbers=numbers)


def _printed(paths: list[Path], work: Path) -> Outcome:
    try:
        found = read_printed(paths, local_area="Trafford")
    except AttendanceError as error:
        return Outcome(error)
    return Outcome(numbers=lines_of(found.cells, "row") + lines_of(found.cards))


def _summary(paths: list[Path], work: Path) -> Outcome:
    try:
        found = read_summary(paths[0], local_area="Trafford", academic_year="2024/25")
    except AttendanceError as error:
        return Outcome(error)
    # What a file writes in a cell is no number: "1,935" and "1935" are the same.
    return Outcome(numbers=[line for t in found for line in lines_of(t.cells, "row", "printed", "column", "label")])


def _portal_pupils(paths: list[Path], work: Path) -> Outcome:
    con = duckdb.connect()
    try:
        make_working_tables(con)
        make_collected_tables(con)
        reader = PortalReader(con, paths, key=KEY, asked_year=202425)
        reader.run()
        report = ScreeningReport(list(reader.findings))
        counts = [file.count for file in reader.files]
        rows = (
            sum(c.rows_in for c in counts),
            sum(c.rows_loaded for c in counts),
            sum(c.rows_quarantined for c in counts),
        )
        numbers = sorted(map(str, con.execute("SELECT * FROM collected_parts").fetchall()))
        outcome = Outcome(numbers=numbers, rows=rows)
        _told(report, outcome)
        kept = b"".join(item.path.read_bytes() for item in reader.write_aside(work / "aside"))
        assert NAME.encode() not in kept, "a name was written into the rows set aside"
        return outcome
    finally:
        con.close()


def _schools(paths: list[Path], work: Path) -> Outcome:
    try:
        found = read_schools(paths[0])
    except AttendanceError as error:
        return Outcome(error)
    outcome = Outcome(numbers=lines_of(found.frame, "source", "as_at"))
    _told(ScreeningReport(list(found.findings)), outcome)
    return outcome


def _lookup(paths: list[Path], work: Path) -> Outcome:
    try:
        found = read_lookup(paths[0])
    except AttendanceError as error:
        return Outcome(error)
    left = [f"{paths[0].name}: {rows} rows left out: {reason}" for reason, rows in found.left_out.items()]
    return Outcome(numbers=lines_of(found.frame, "row"), findings=left)


def _headers(paths: list[Path], work: Path) -> Outcome:
    try:
        found = read_headers(paths[0])
    except AttendanceError as error:
        return Outcome(error)
    return Outcome(numbers=json.dumps(found.spellings, sort_keys=True))


def _claims(paths: list[Path], work: Path) -> Outcome:
    try:
        found = read_printed(paths, local_area="Trafford")
    except AttendanceError as error:
        return Outcome(error)
    return Outcome(numbers=[str(claim) for given in found.claims for claim in given.claims])


def _scheme(paths: list[Path], work: Path) -> Outcome:
    try:
        found = check_schemes(paths)
        scheme = parse_scheme(paths[0].read_text(encoding="utf-8-sig"))
    except AttendanceError as error:
        return Outcome(error)
    return Outcome(numbers=str(scheme), findings=[str(item) for item in found])


# ---- good files


def text(lines: Iterable[str]) -> bytes:
    """Return lines as the bytes of a file."""
    return ("\n".join(lines) + "\n").encode()


def _census(first: str, term: str = "spring") -> Files:
    """Return a return of the census, one table first."""
    made = Return(term)
    for rows in made.tables.values():
        for row in rows:
            if "surname" in row:
                row["surname"] = NAME
    born = made.tables["pupilonroll"][0]
    born["dob"] = "2014-Oct-11 00:00:00"
    with tempfile.TemporaryDirectory() as folder:
        paths = made.write(Path(folder))
        files = {path.name: path.read_bytes() for path in paths}
    main = next(name for name in files if name.endswith(f"_{first}.csv"))
    return {main: files.pop(main), **files}


def _flags() -> Files:
    rows = [f"{upn},2023/24,{'Yes' if n % 2 else 'No'},No" for n, upn in enumerate(UPNS[:4])]
    return {"flags.csv": text(["UPN,academic_year,looked_after,social_worker", *rows]), **_census("pupilonroll")}


def _offers() -> Files:
    rows = [f"{upn},2024/25,{ESTAB + n % 2},Ash School" for n, upn in enumerate(UPNS)]
    return {"offers.csv": text(["UPN,academic_year,offered_laestab,offered_school", *rows])}


def _supported() -> Files:
    rows = [f"{upn},2023/24,{'Breakfast club' if n % 2 else 'Transition mentors'},2" for n, upn in enumerate(UPNS)]
    return {"supported.csv": text(["UPN,academic_year,support_group,meetings", *rows])}


def _offers_workbook() -> Files:
    return {"offers.xlsx": workbook(csv.reader(io.StringIO(_offers()["offers.csv"].decode())))}


def _pupil_list() -> Files:
    header = ("Pupil name,School name,UPN,Attendance,Absence,Authorised,Unauthorised,Full days missed,"
              "Possible sessions,Missed sessions,LAESTAB,Date of birth")  # fmt: skip
    rows = [
        f"{NAME},Ash School,{upn},{100 - 100 * (a + u) / p:.1f},{100 * (a + u) / p:.1f},{a},{u},{(a + u) // 2},{p},{a + u},"
        f"{ESTAB},11/10/2014"
        for upn, (a, u, p) in zip(
            UPNS, [(7, 2, 132), (0, 0, 132), (3, 10, 128), (66, 0, 130), (1, 1, 132)], strict=False
        )
    ]
    return {"pupils.csv": text([header, *rows])}


def _groups() -> Files:
    return {"groups.csv": text([
        "School type,Group,Overall attendance No.,Overall attendance % Rate,PA No.,PA % Rate,SA No.,SA % Rate",
        'Primary,All,"18,430",95.90%,"1,935",10.50%,67,0.40%',
        'Primary,FSM,"3,463",93.50%,788,22.80%,30,0.90%',
        "Special,All,850,89.70%,223,26.20%,37,4.40%",
    ])}  # fmt: skip


def _school_table() -> Files:
    return {"by_school.csv": text([
        "School name,URN,Phase,Pupils,Attendance,Absence,Persistently absent (n),Persistently absent (%)",
        "Ash School,100001,Primary,210,95.2%,4.8%,21,10.0%",
        "Oak School,100002,Secondary,900,93.0%,7.0%,180,20.0%",
        "Elm School,100003,Special,40,88.1%,11.9%,11,27.5%",
    ])}  # fmt: skip


def _years() -> Files:
    rows = ["1,95.70%,11.40%,0.40%", "2,96.10%,9.70%,0.20%", "3,96.40%,8.40%,0.30%", "7,96.20%,9.70%,0.70%"]
    return {"years.csv": text(["Year group,Attendance,PA,SA", "YR,-,-,-", *rows])}


_AREA = "E92000001,England,E12000002,North West"


def _geography() -> Files:
    header = (
        "time_period,time_identifier,geographic_level,country_code,country_name,region_code,region_name,old_la_code,"
        "new_la_code,la_name,school_type,enrolments,sess_possible,sess_overall,sess_authorised,sess_unauthorised,"
        "enrolments_pa_10_exact"
    )
    rows = [
        f"{year},Academic year,Local authority,{_AREA},358,E08000009,Trafford,{phase},{numbers}"
        for year in (201718, 201819)
        for phase, numbers in (
            ("Total", "300,3000,190,130,60,30"), ("State-funded primary", "200,2000,110,80,30,12"),
            ("State-funded secondary", "100,1000,80,50,30,18"),
        )
    ]  # fmt: skip
    return {"geography.csv": text([header, *rows])}


def _time_series() -> Files:
    return {"series.csv": text([
        "Short Desc,Data item,Years,LA and Regions,Values,LA Number,Region",
        "SFPriPerAbNew,,2023,Trafford,11.390000000000001,358,North West",
        "SFPriPerAbNew,,2023,England,16.21,970,NA",
        "TotAbs,,2023,London (Inner),-,987,NA",
        "TotAbs,,2023,Yorkshire and the Humber,7.6,982,NA",
    ])}  # fmt: skip


def _bands() -> Files:
    row = (
        'Academic year,202223,Local authority,E92000001,England,North West,E12000002,358,"E08000009           ",Trafford,'
        "State-funded primary,Eligible,Any special educational need,{sex},6,100,20,6,5,4,3,2,1,0,0,9"
    )
    return {"bands.csv": text(row.format(sex=sex) for sex in ("Female", "Male"))}


def _attendance() -> Files:
    header = (
        "time_period,time_identifier,geographic_level,country_code,country_name,region_code,region_name,new_la_code,"
        "la_name,old_la_code,school_type,possible_sessions,overall_attendance,overall_absence,authorised_absence,"
        "unauthorised_absence,late_sessions,reason_i_authorised_illness,reason_d_aea_dual_registration,"
        "reason_x_not_attending_covid_non_compulsory,attendance_perc,overall_absence_perc,authorised_absence_perc,"
        "unauthorised_absence_perc,illness_perc,covid_non_compulsory_perc,pa_perc"
    )
    rows = [
        f"202425,Autumn term,Local authority,{_AREA},E08000009,Trafford,358,{phase},1000,{1000 - absent},{absent},"
        f"{absent - 10},10,5,20,0,0,{(1000 - absent) / 10},{absent / 10},{(absent - 10) / 10},1.0,2.0,0,{pa}"
        for phase, absent, pa in (("Primary", 41, 10.5), ("Secondary", 58, 15.2))
    ]
    return {"attendance.csv": text([header, *rows])}


def _gias() -> Files:
    return {"schools.csv": text([
        "URN,LA (code),LA (name),EstablishmentNumber,EstablishmentName,TypeOfEstablishment (name),"
        "EstablishmentStatus (name),PhaseOfEducation (name),StatutoryLowAge,StatutoryHighAge,NumberOfPupils,PercentageFSM,"
        "OpenDate,CloseDate",
        "100001,358,Trafford,2001,Ash School,Community school,Open,Primary,4,11,210,12.5,01-09-1995,",
        "100002,358,Trafford,4001,Oak School,Academy converter,Open,Secondary,11,16,900,20.1,01-09-2012,",
        "100003,358,Trafford,7001,Elm School,Community special school,Open,Not applicable,4,19,40,40.0,01-09-1980,",
    ])}  # fmt: skip


def _lookups() -> Files:
    return {"las.csv": text([
        "region_code,region_name,old_la_code,la_name,new_la_code",
        "E12000002,North West,358,Trafford,E08000009", "E12000002,North West,352,Manchester,E08000003",
    ])}  # fmt: skip


def _table_3() -> Files:
    rows = ["1,95.70,11.40,0.40", "2,96.10,9.70,0.20", "6,95.30,12.50,0.40"]
    return {"table3.csv": text(["nc_year,attendance_rate,pa_rate,sa_rate", "YR,,,", *rows])}


def _table_1() -> Files:
    header = "phase,measure,national_2022_23,trafford_2022_23,national_2023_24,trafford_2023_24,trafford_autumn_2024"
    return {"table1.csv": text([
        header, "Primary,Attendance rate,94.1,95.2,94.5,95.3,95.9", "Primary,Authorised absence,4.2,3.8,3.9,3.6,3.2",
        "Primary,Severe absence,0.7,0.4,,,0.4",
    ])}  # fmt: skip


def _cards() -> Files:
    return {"cards.csv": text([
        "card,quantity,printed,unit,derived_from", "1,cohort,347,pupils,given", "1,share_of_cohort,12,percent,given",
        "1,persistent_absentees,41,pupils,cohort",
    ])}  # fmt: skip


def _claims_file() -> Files:
    return {"claims.yaml": text([
        "kind: claims", "name: Brochure", "source: page 4", "claims:",
        "  - {check: sum, where: page 4, text: of all 347, total: 347, parts: [300, 47]}",
        "  - {check: change, where: page 5, before: 11.4, after: 10.5, printed: 0.9, unit: percentage points}",
        "  - {check: sample, where: page 6, text: a third, total: 30, share: 33.3, parts: [10, 20]}",
    ])}  # fmt: skip


def _scheme_file() -> Files:
    return {"rag.yaml": text([
        "kind: rule scheme", "name: RAG", "quantity: attendance", "unit: percent", "range: [0, 100]", "levels:",
        "  - {name: green, rank: 0, from: 95, to: 100}", "  - {name: amber, rank: 1, from: 90, to: 95, includes: from}",
        "  - {name: red, rank: 2, from: 0, to: 90, includes: from}",
    ])}  # fmt: skip


def _layout_file() -> Files:
    """Return the layout of a table, the first file, and a table of it."""
    return {
        "layout.yaml": text([
            "kind: printed table", "name: Absence table", "keys: {type: phase}", "columns:",
            "  - {name: pupils, role: size, year: 2023/24}",
            "  - {name: pa, role: count, measure: persistent_absence_rate, year: 2023/24}",
            "  - {name: rate, measure: persistent_absence_rate, year: 2023/24}",
        ]),
        "table.csv": text(["type,pupils,pa,rate", "Primary,1000,150,15.0", "Secondary,800,200,25.0"]),
    }  # fmt: skip


@cache
def _saved_files() -> Files:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        path = place / "geography.csv"
        path.write_bytes(_geography()["geography.csv"])
        read_published([path]).save(place / "saved")
        return _tree(place / "saved", "saved", "published.json")


def _store_files(first: str) -> Files:
    return _tree(_base() / "store", "store", first)


def _tree(folder: Path, name: str, first: str) -> Files:
    files = {
        f"{name}/{p.relative_to(folder).as_posix()}": p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }
    main = next(path for path in files if path.endswith(first))
    return {main: files.pop(main), **files}


# ---- pupil-level layouts other than the tables of the census


def _flat() -> Files:
    header = ("Estab,UPN,Surname,Forename,Gender,DoB,EnrolStatus,EntryDate,NCyearActual,TermlySessionsPossible,"
              "TermlySessionsAuthorised,TermlySessionsUnauthorised,T_Reason_I,T_Reason_M,T_Reason_N")  # fmt: skip
    rows = [
        f"{ESTAB},{upn},{NAME.split()[1]},{NAME.split()[0]},{'MF'[n % 2]},2007-10-{11 + n},C,2017-09-04,5,58,{4 + n},1,{4 + n},,1"
        for n, upn in enumerate(UPNS[:4])
    ]
    return {"attendance.csv": text([header, *rows])}


def _xml() -> Files:
    pupils = "".join(
        f"<PupilOnRoll><PupilIdentifiers><UPN>{upn}</UPN><Surname>{NAME.split()[1]}</Surname><Forename>{NAME.split()[0]}</Forename>"
        f"<DOB>2014-10-11</DOB><Sex>{'MF'[n % 2]}</Sex></PupilIdentifiers><PupilCharacteristics><Ethnicity>WBRI</Ethnicity>"
        "</PupilCharacteristics><PupilStatus><EnrolStatus>C</EnrolStatus><EntryDate>2023-09-05</EntryDate>"
        "<NCyearActual>4</NCyearActual><Boarder>N</Boarder></PupilStatus><SpecialEducationalNeeds><SENprovision>N</SENprovision>"
        "</SpecialEducationalNeeds><Attendance><TermlyAttendance><SessionsPossible>120</SessionsPossible><SessionDetails>"
        f"<SessionDetail><AttendanceReason>I</AttendanceReason><AbsenceSessions>{4 + n}</AbsenceSessions></SessionDetail>"
        "</SessionDetails></TermlyAttendance></Attendance></PupilOnRoll>\n"
        for n, upn in enumerate(UPNS[:4])
    )
    return {"return.xml": (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Message><Header><CollectionDetails><Collection>SC</Collection><Term>SPR</Term>'
        "<Year>2024</Year><ReferenceDate>2024-01-18</ReferenceDate></CollectionDetails><Source><SourceLevel>S</SourceLevel>"
        f"<LEA>981</LEA><Estab>2001</Estab></Source></Header><School><Phase>PS</Phase></School><Pupils><PupilsOnRoll>\n{pupils}"
        "</PupilsOnRoll></Pupils></Message>\n"
    ).encode()}  # fmt: skip


def _ctf() -> Files:
    marks = "/\\" * 5 + "II" + "/\\" * 4
    pupils = "".join(
        f"<Pupil><UPN>{upn}</UPN><Surname>{NAME.split()[1]}</Surname><Forename>{NAME.split()[0]}</Forename><DOB>2013-10-{11 + n}</DOB>"
        f"<Sex>F</Sex><BasicDetails><NCyearActual>6</NCyearActual></BasicDetails><Attendance><YearData><Year>2024</Year><LEA>981</LEA>"
        "<Estab>2001</Estab><SchoolName>Ash School</SchoolName><SessionsPossible>20</SessionsPossible>"
        "<SessionsAuthorised>2</SessionsAuthorised><SessionsAttended>18</SessionsAttended>"
        "<SessionsUnauthorised>0</SessionsUnauthorised><AttendSessions><AttendanceStartDate>2023-09-11</AttendanceStartDate>"
        f"<AttendanceMarks>{marks}</AttendanceMarks></AttendSessions></YearData></Attendance></Pupil>\n"
        for n, upn in enumerate(UPNS[:3])
    )
    return {"leavers.xml": (
        '<?xml version="1.0" encoding="UTF-8"?>\n<CTfile><Header><DocumentName>Common Transfer File</DocumentName>'
        "<CTFversion>23.0</CTFversion><DateTime>2024-07-19T10:00:00</DateTime><SourceSchool><LEA>981</LEA><Estab>2001</Estab>"
        "<SchoolName>Ash School</SchoolName><AcademicYear>2023</AcademicYear></SourceSchool></Header><CTFpupilData>\n"
        f"{pupils}</CTFpupilData></CTfile>\n"
    ).encode()}  # fmt: skip


def _marks() -> list[tuple[str, str, str, str]]:
    days = [f"2024-09-{day:02d}" for day in (9, 10, 11, 12, 13, 16, 17, 18, 19, 20)]
    return [
        (upn, day, half, "I" if (n, day) == (1, days[3]) else "O" if (n, day) == (2, days[6]) else "/" if half == "AM" else "\\")
        for n, upn in enumerate(UPNS[:3]) for day in days for half in ("AM", "PM")
    ]  # fmt: skip


def _register() -> Files:
    rows = [f"{upn},{ESTAB},{day},{half},{code},{NAME}" for upn, day, half, code in _marks()]
    return {"marks.csv": text(["UPN,LAESTAB,Date,Session,Mark,Pupil name", *rows])}


def _register_wide() -> Files:
    marks = _marks()
    heads = list(dict.fromkeys(f"{day} {half}" for _, day, half, _ in marks))
    rows = [",".join([upn, str(ESTAB), *(c for u, _, _, c in marks if u == upn)]) for upn in UPNS[:3]]
    return {"wide.csv": text([",".join(["UPN", "LAESTAB", *heads]), *rows])}


def _register_parquet() -> Files:
    marks = _marks()
    table = pa.table({"upn": [m[0] for m in marks], "laestab": [ESTAB] * len(marks), "date": [m[1] for m in marks],
                      "session": [m[2] for m in marks], "code": [m[3] for m in marks]})  # fmt: skip
    out = io.BytesIO()
    pq.write_table(table, out)
    return {"marks.parquet": out.getvalue()}


def workbook(rows: Iterable[Iterable[object]]) -> bytes:
    """Return rows as a workbook of Excel."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _register_workbook() -> Files:
    rows = [["UPN", "LAESTAB", "Date", "Session", "Mark"], *([u, ESTAB, d, h, c] for u, d, h, c in _marks())]
    return {"marks.xlsx": workbook(rows)}


def _groups_workbook() -> Files:
    return {"groups.xlsx": workbook(csv.reader(io.StringIO(_groups()["groups.csv"].decode())))}


# ---- the kinds

INPUTS: tuple[Input, ...] = (
    Input("census_pupils", lambda: _census("pupilonroll"), loaded(), "termlysessionspossible", "upn", "senprovision", UPNS,
          every=16),
    Input("census_sessions", lambda: _census("termlysessiondetailsonroll"), loaded(), "sessions", "pupilonrolltableid",
          "attendancereason", UPNS, every=16),
    Input("pupil_flags", _flags, loaded(), "looked_after", "UPN", "academic_year", UPNS, every=16),
    Input("school_offers", _offers, loaded(), "offered_laestab", "UPN", "academic_year", UPNS, every=16),
    Input("school_offers_workbook", _offers_workbook, loaded(), pupils=UPNS, shape="binary", every=3),
    # The name of a group is free text: there is no number in the list.
    Input("support_groups", _supported, loaded(), "", "UPN", "academic_year", UPNS, every=16),
    Input("census_flat", _flat, loaded(census="autumn 2017"), "TermlySessionsPossible", "UPN", "EnrolStatus", UPNS, every=16),
    Input("census_xml", _xml, loaded(), pupils=UPNS, shape="xml", every=6),
    Input("transfer_file", _ctf, loaded(), pupils=UPNS, shape="xml", every=6),
    Input("register_long", _register, loaded(), "Session", "UPN", "Mark", UPNS, every=16),
    Input("register_wide", _register_wide, loaded(), "2024-09-10 AM", "UPN", "2024-09-11 PM", UPNS, every=16),
    Input("register_parquet", _register_parquet, loaded(), pupils=UPNS, shape="binary", every=3),
    Input("register_workbook", _register_workbook, loaded(), pupils=UPNS, shape="binary", every=3),
    Input("portal_pupils", _pupil_list, loaded(academic_year="2024/25"), "Possible sessions", "UPN", "Authorised", UPNS,
          every=16),
    Input("portal_pupils_alone", _pupil_list, _portal_pupils, "Possible sessions", "UPN", "Authorised", UPNS,
          every=3),
    Input("portal_groups", _groups, _summary, "PA No.", "Group", "School type", every=2),
    Input("portal_groups_workbook", _groups_workbook, _summary, shape="binary", every=2),
    Input("portal_schools", _school_table, _summary, "Pupils", "URN", "Phase", every=2),
    Input("portal_years", _years, _summary, "PA", "Year group", "SA", every=2),
    Input("published_geography", _geography, _published, "sess_overall", "new_la_code", "school_type", every=6),
    Input("published_series", _time_series, _published, "Values", "LA Number", "Short Desc", every=6),
    Input("published_bands", _bands, _published, has_header=False),
    Input("published_attendance", _attendance, _published, "overall_absence", "new_la_code", "time_identifier", every=6),
    Input("schools", _gias, _schools, "NumberOfPupils", "URN", "PhaseOfEducation (name)", every=2),
    Input("lookups", _lookups, _lookup, "old_la_code", "new_la_code", "region_name", is_transcript=True, every=2),
    Input("printed_table_1", _table_1, _printed, "trafford_2023_24", "phase", "measure", is_transcript=True, every=2),
    Input("printed_table_3", _table_3, _printed, "pa_rate", "nc_year", "sa_rate", is_transcript=True, every=2),
    Input("printed_cards", _cards, _printed, "printed", "quantity", "derived_from", is_transcript=True, every=2),
    Input("header_map", lambda: {"my.yaml": portal_headers_text().encode()}, _headers, shape="yaml"),
    Input("claims", _claims_file, _claims, shape="yaml", is_transcript=True),
    Input("rule_scheme", _scheme_file, _scheme, shape="yaml", is_transcript=True),
    Input("printed_layout", _layout_file, _printed, shape="yaml", is_transcript=True),
    Input("saved_published", _saved_files, _saved, shape="folder"),
    Input("saved_published_cells", lambda: _first(_saved_files(), "cells.parquet"), _saved, shape="folder"),
    Input("store_manifest", lambda: _store_files("manifest.json"), _store_folder, shape="folder"),
    Input("store_screening", lambda: _store_files("screening.json"), _store_folder, shape="folder"),
    Input("store_rows", lambda: _store_files("part.parquet"), _store_folder, shape="folder"),
)  # fmt: skip


def _first(files: Files, name: str) -> Files:
    main = next(path for path in files if path.endswith(name))
    return {main: files[main], **{path: content for path, content in files.items() if path != main}}
