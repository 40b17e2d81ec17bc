"""Write a cohort as files of one row a pupil, with their characteristics in a file of their own."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from attendance_toolkit.errors import ParameterError, did_you_mean
from attendance_toolkit.loaders.synthetic._cohort import SyntheticCohort
from attendance_toolkit.loaders.synthetic._returns_as_text import OFF, ON, ReturnAsText, Row, key_of, returns_as_text

_NAMES = ("Estab", "UPN", "Surname", "Forename", "Middlenames", "PreferredSurname", "FormerSurname", "Gender", "DoB",
          "EnrolStatus", "EntryDate", "NCyearActual")  # fmt: skip
_TOTALS = ("TermlySessionsAuthorised", "TermlySessionsUnauthorised")
_REASONS = tuple("IMRSTHECGUON")
_CODES = ("/", "\\", *"BJLPVWCEHIMRSTGNOUDXY")
#: Layout -> the totals and the codes it has a column for, and what comes before a code.
FLAT_LAYOUTS = {"reasons": (_TOTALS, _REASONS, "T_Reason_"), "codes": (_TOTALS, _CODES, "")}
_CHARACTERISTICS = (*_NAMES, "Ethnicity", "Language", "SENprovision", "NativeID", "FSME on Census Day", "Age", "LA")


def write_flat_files(cohort: SyntheticCohort, folder: Path | str, layout: str = "codes") -> list[Path]:
    """Write every return of a cohort as files of one row a pupil, and return the paths.

    One return is ``<dfe code>_<year>_<term>_<la|academy>.csv`` with the sessions, and ``…_characteristics.csv`` with
    what the pupils on roll are. Autumn returns have the columns of the second half of the summer term. The census
    is in none of the files: it has to be said when they are loaded.

    Parameters
    ----------
    layout
        "reasons" (a column T_Reason_… for each reason for absence) or "codes" (one for each register code).

    Raises
    ------
    ParameterError
        An unknown layout.
    """
    if layout not in FLAT_LAYOUTS:
        raise ParameterError(
            f"'{layout}' is not a layout. Use one of: {', '.join(FLAT_LAYOUTS)}.{did_you_mean(layout, FLAT_LAYOUTS)}"
        )
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    paths = []
    for sent in returns_as_text(cohort):
        paths.append(_attendance(target / f"{sent.prefix}.csv", sent, layout))
        paths.append(_characteristics(target / f"{sent.prefix}_characteristics.csv", sent))
    return paths


def _identity(table: str, row: Row) -> list[str]:
    left = table == OFF
    return [
        row["nativeid"][3:], row["upn"], row["surname"], row["forename"], "", "", "",
        row.get("sex") or row.get("gender", ""), row["dob"], "Leaver" if left else row["enrolstatus"],
        row["entrydate"], row.get("ncyearleaving" if left else "ncyearactual", ""),
    ]  # fmt: skip


def _attendance(path: Path, sent: ReturnAsText, layout: str) -> Path:
    totals, codes, before = FLAT_LAYOUTS[layout]
    header = [*_NAMES, "TermlySessionsPossible", *totals, *(f"{before}{code}" for code in codes)]
    items = ["termlysessions"]
    if sent.term == "autumn":
        items.append("summerhalfterm2sessions")
        header += ["SummerHalfTerm2SessionsPossible", *(t.replace("Termly", "SummerHalfTerm2") for t in totals)]
        header += [f"S_{'Reason_' if before else ''}{code}" for code in codes]
    rows = []
    for table, row in sent.pupils:
        cells = _identity(table, row)
        for item in items:
            counted = sent.sessions.get((item, table, key_of(table, row)), {})
            cells += [row[f"{item}possible"], row[f"{item}authorised"], row[f"{item}unauthorised"]]
            cells += [str(counted.get(code, "")) for code in codes]
        rows.append([*cells, row["nativeid"][:3]])
    return _write(path, [*header, "LA"], rows)


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%b-%d %H:%M:%S")


def _is_eligible(periods: list[Row], day: str) -> bool:
    return any(
        _day(p["fsmstartdate"]) <= _day(day) and (not p["fsmenddate"] or _day(p["fsmenddate"]) >= _day(day))
        for p in periods
    )


def _characteristics(path: Path, sent: ReturnAsText) -> Path:
    rows = []
    for table, row in sent.pupils:
        if table == ON:
            born, day = _day(row["dob"]), _day(sent.day)
            age = day.year - born.year - ((born.month, born.day) > (day.month, day.day))
            eligible = _is_eligible(sent.periods.get(key_of(table, row), []), sent.day)
            rows.append([
                *_identity(table, row), row.get("ethnicity", ""), row["language"], row["senprovision"],
                row["nativeid"], "Y" if eligible else "N", str(age), row["nativeid"][:3],
            ])  # fmt: skip
    return _write(path, _CHARACTERISTICS, rows)


def _write(path: Path, header: Sequence[str], rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return path
