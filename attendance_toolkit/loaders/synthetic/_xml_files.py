"""Write a cohort as returns in XML, one file for each school and census."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TextIO
from xml.sax.saxutils import escape

from attendance_toolkit.loaders.synthetic._cohort import SyntheticCohort
from attendance_toolkit.loaders.synthetic._returns_as_text import OFF, ON, ReturnAsText, Row, key_of, returns_as_text

_TERMS = {"autumn": "AUT", "spring": "SPR", "summer": "SUM"}
_BLOCKS = {"termlysessions": "TermlyAttendance", "summerhalfterm2sessions": "SummerHalfTerm2Attendance"}
_KINDS = {"possible": "SessionsPossible", "authorised": "SessionsAuthorised", "unauthorised": "SessionsUnauthorised"}


def write_xml_returns(cohort: SyntheticCohort, folder: Path | str) -> list[Path]:
    """Write every return of a cohort as XML, ``<laestab>_<year>_<term>.xml``, and return the paths.

    The shape is that of the census exports of school systems: a header, the school, its pupils on roll and no
    longer on roll. Returns of 2021 have the older names of elements (Gender, AbsenceSessions).
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    paths = []
    for sent in returns_as_text(cohort):
        for native in sent.schools:
            path = target / f"{native}_{sent.year}_{sent.term}.xml"
            with path.open("w", encoding="utf-8", newline="\n") as out:
                _message(out, sent, native)
            paths.append(path)
    return paths


def _leaf(tag: str, text: str) -> str:
    return f"<{tag}>{escape(text)}</{tag}>\n" if text else ""


def _date(text: str) -> str:
    return datetime.strptime(text, "%Y-%b-%d %H:%M:%S").strftime("%Y-%m-%d") if text else ""


def _wrap(tag: str, inside: Iterable[str]) -> str:
    text = "".join(inside)
    return f"<{tag}>\n{text}</{tag}>\n" if text else ""


def _message(out: TextIO, sent: ReturnAsText, native: str) -> None:
    school = sent.schools[native]
    out.write('<?xml version="1.0" encoding="UTF-8"?>\n<Message>\n')
    out.write(
        _wrap("Header", (
            _wrap("CollectionDetails", (
                _leaf("Collection", "SC"), _leaf("Term", _TERMS[sent.term]), _leaf("Year", str(sent.year)),
                _leaf("ReferenceDate", _date(sent.day)),
            )),
            _wrap("Source", (
                _leaf("SourceLevel", "S"), _leaf("LEA", native[:3]), _leaf("Estab", native[3:]),
                _leaf("SoftwareCode", "Synthetic"), _leaf("SerialNo", "001"),
            )),
            "<Content><CBDSLevels><CBDSLevel>Pupil</CBDSLevel></CBDSLevels></Content>\n",
        ))
    )  # fmt: skip
    out.write(_wrap("School", (_leaf("SchoolName", school["schoolname"]), _leaf("Phase", school["phase"]),
                               _leaf("URN", school["urn"]))))  # fmt: skip
    out.write("<Pupils>\n")
    for table, group, element in (
        (ON, "PupilsOnRoll", "PupilOnRoll"),
        (OFF, "PupilsNoLongerOnRoll", "PupilNoLongerOnRoll"),
    ):
        out.write(f"<{group}>\n")
        for where, row in sent.pupils:
            if where == table and row["nativeid"] == native:
                out.write(_wrap(element, _pupil(sent, table, row)))
        out.write(f"</{group}>\n")
    out.write("</Pupils>\n</Message>\n")


def _pupil(sent: ReturnAsText, table: str, row: Row) -> Iterable[str]:
    is_old = sent.year == 2021
    left = table == OFF
    yield _wrap("PupilIdentifiers", (
        _leaf("UPN", row["upn"]), _leaf("FormerUPN", row["formerupn"]), _leaf("Surname", row["surname"]),
        _leaf("Forename", row["forename"]), _leaf("DOB", _date(row["dob"])),
        _leaf("Gender" if is_old else "Sex", row.get("sex") or row.get("gender", "")),
    ))  # fmt: skip
    periods = [
        _wrap("FSMperiod", (_leaf("FSMstartDate", _date(p["fsmstartdate"])), _leaf("FSMendDate", _date(p["fsmenddate"])),
                            _leaf("UKcountry", "ENG")))
        for p in sent.periods.get(key_of(table, row), []) if table == ON
    ]  # fmt: skip
    yield _wrap("PupilCharacteristics", (
        _leaf("Ethnicity", row.get("ethnicity", "")), _wrap("FSMperiods", periods), _leaf("Language", row["language"]),
    ))  # fmt: skip
    yield _wrap("PupilStatus", (
        _leaf("EnrolStatus", row["enrolstatus"]), _leaf("EntryDate", _date(row["entrydate"])),
        _leaf("LeavingDate", _date(row.get("leavingdate", ""))), _leaf("Boarder", row["boarder"]),
        _leaf("NCyearLeaving" if left else "NCyearActual", row["ncyearleaving" if left else "ncyearactual"]),
    ))  # fmt: skip
    yield _wrap("SpecialEducationalNeeds", (_leaf("SENprovision", row["senprovision"]),))
    yield _wrap("Attendance", (_attendance(sent, table, row, item, is_old) for item in _BLOCKS))


def _attendance(sent: ReturnAsText, table: str, row: Row, item: str, is_old: bool) -> str:
    if not row.get(f"{item}possible"):
        return ""
    counted = sent.sessions.get((item, table, key_of(table, row)), {})
    details = (
        _wrap("SessionDetail", (_leaf("AttendanceReason", code),
                                _leaf("AbsenceSessions" if is_old else "Sessions", str(number))))
        for code, number in counted.items()
    )  # fmt: skip
    totals = (_leaf(tag, row[f"{item}{kind}"]) for kind, tag in _KINDS.items())
    return _wrap(_BLOCKS[item], (*totals, _wrap("SessionDetails", details)))
