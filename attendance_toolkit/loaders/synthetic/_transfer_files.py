"""Write a cohort as common transfer files: what each school would send with its pupils."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd

from attendance_toolkit.loaders.synthetic._attendance import possible_sessions
from attendance_toolkit.loaders.synthetic._cohort import SyntheticCohort
from attendance_toolkit.loaders.synthetic._marks import spread_marks
from attendance_toolkit.loaders.synthetic._parameters import AUTHORISED, CODES, UNAUTHORISED


def write_transfer_files(
    cohort: SyntheticCohort, folder: Path | str, *, with_marks: bool = True, weekly: int = 14
) -> list[Path]:
    """Write one file for each school and academic year of a cohort, and return the paths.

    Parameters
    ----------
    with_marks
        Write the marks beside the totals.
    weekly
        14 marks a week, with places for weekends, or 10.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    totals = _totals(cohort)
    strings = _strings(cohort, weekly) if with_marks else {}
    paths = []
    schools: Any = totals.groupby(["academic_year", "laestab"], sort=True)
    for (year, laestab), rows in schools:
        lea, estab = divmod(int(laestab), 10000)
        path = target / f"{lea}{estab:04d}_CTF_{year}.xml"
        with path.open("w", encoding="utf-8") as out:
            out.write(
                '<?xml version="1.0" encoding="UTF-8"?>\n<CTfile>\n<Header><DocumentName>Common Transfer File</DocumentName>'
                f"<CTFversion>24.0</CTFversion><DateTime>{year // 100 + 1}-07-19T12:00:00</DateTime>"
                f"<SourceSchool><LEA>{lea}</LEA><Estab>{estab:04d}</Estab><AcademicYear>{year // 100}</AcademicYear>"
                "</SourceSchool></Header>\n<CTFpupilData>\n"
            )
            for row in rows.itertuples():
                out.write(_pupil(row, year // 100, lea, estab, strings.get((row.upn, laestab, year))))
            out.write("</CTFpupilData>\n</CTfile>\n")
        paths.append(path)
    return paths


def _pupil(row: Any, start: int, lea: int, estab: int, marks: tuple[str, str] | None) -> str:
    sessions = ""
    if marks:
        sessions = (
            f"<AttendSessions><AttendanceStartDate>{marks[0]}</AttendanceStartDate>"
            f"<AttendanceMarks>{escape(marks[1])}</AttendanceMarks></AttendSessions>"
        )
    return (
        f"<Pupil><UPN>{row.upn}</UPN><Surname>S</Surname><Forename>F</Forename><DOB>{row.born}</DOB><Sex>{row.sex}</Sex>"
        f"<Attendance><YearData><Year>{start}</Year><LEA>{lea}</LEA><Estab>{estab:04d}</Estab>"
        f"<SessionsPossible>{row.possible}</SessionsPossible><SessionsAuthorised>{row.authorised}</SessionsAuthorised>"
        f"<SessionsAttended>{row.possible - row.authorised - row.unauthorised}</SessionsAttended>"
        f"<SessionsUnauthorised>{row.unauthorised}</SessionsUnauthorised>{sessions}</YearData></Attendance></Pupil>\n"
    )


def _owners(cohort: SyntheticCohort, enrolment: pd.Series) -> pd.DataFrame:
    stays = cohort.enrolments.take(enrolment.to_numpy())
    pupils = cohort.pupils.take(stays["pupil"].to_numpy())
    return pd.DataFrame({
        "upn": pupils["upn"].to_numpy(), "born": pupils["birth_date"].dt.strftime("%Y-%m-%d").to_numpy(),
        "sex": pupils["sex"].astype("str").to_numpy(), "laestab": stays["laestab"].to_numpy(),
    })  # fmt: skip


def _totals(cohort: SyntheticCohort) -> pd.DataFrame:
    marks = cohort.sessions[list(CODES)].to_numpy()
    table = _owners(cohort, cohort.sessions["enrolment"])
    table["academic_year"] = cohort.sessions["academic_year"].to_numpy()
    is_covid = (table["academic_year"] == 202122).to_numpy() & cohort.sessions["half_term"].isin(["1-2"]).to_numpy()
    table["possible"] = np.where(is_covid, possible_sessions(marks, True), possible_sessions(marks, False))
    table["authorised"] = marks[:, AUTHORISED].sum(1, dtype=np.int64)
    table["unauthorised"] = marks[:, UNAUTHORISED].sum(1, dtype=np.int64)
    keys = ["academic_year", "laestab", "upn", "born", "sex"]
    return table.groupby(keys, sort=True)[["possible", "authorised", "unauthorised"]].sum().reset_index()


def _strings(cohort: SyntheticCohort, weekly: int) -> dict[tuple[str, int, int], tuple[str, str]]:
    """Return the start date and the string of marks of each pupil, school and year."""
    marks = spread_marks(cohort)
    owners = _owners(cohort, marks["enrolment"])
    day = marks["date"].to_numpy().astype("datetime64[D]")
    table = pd.DataFrame({
        "upn": owners["upn"], "laestab": owners["laestab"], "year": marks["academic_year"], "day": day.astype(np.int64),
        "half": marks["session"].cat.codes.to_numpy().astype(np.int64), "code": marks["code"].astype("str"),
    })  # fmt: skip
    found = {}
    owned: Any = table.groupby(["upn", "laestab", "year"], sort=False)
    for key, rows in owned:
        first = np.datetime64(int(rows["day"].min()), "D")
        if weekly == 14:
            place = rows["day"].to_numpy() - first.astype(int)
        else:
            place = np.busday_count(first, rows["day"].to_numpy().astype("datetime64[D]"))
        cells = np.full(2 * (place.max() + 1), "#", dtype="<U1")
        cells[place * 2 + rows["half"].to_numpy()] = rows["code"].to_numpy()
        found[key] = (str(first), "".join(cells))
    return found
