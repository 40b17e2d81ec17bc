"""A census return in XML made into tables, against pandas.read_xml a table at a time.

    python benchmarks/census_xml.py [--pupils 20000] [--parts 4]

Writes one return, reads it in each way in a process of its own, and once more one several times as long with the
toolkit, to see what memory does. Target: at least 3 times faster than pandas, and memory that does not grow.

pandas needs a pass for each table, and its session rows do not say whose they are: it does less than is needed.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from pathlib import Path

import pandas as pd
from measuring import compare, report_variant, run_variant

CODES = ("/", "\\", "L", "B", "I", "M", "C", "E", "G", "O")
OURS, THEIRS = "toolkit: expand", "pandas.read_xml, a table at a time"
PUPIL = ["UPN", "DOB", "Sex", "EntryDate", "EnrolStatus", "NCyearActual", "Boarder", "SENprovision", "Language",
         "Ethnicity", "SessionsPossible"]  # fmt: skip


def write_return(path: Path, pupils: int) -> None:
    """Write a spring return of one school with as many pupils, each with ten session rows."""
    details = "".join(
        f"       <SessionDetail>\n        <AttendanceReason>{code}</AttendanceReason>\n        <Sessions>3</Sessions>\n"
        "       </SessionDetail>\n"
        for code in CODES
    )
    with path.open("w", encoding="utf-8") as out:
        out.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n<Message>\n <Header><CollectionDetails><Collection>SC</Collection>'
            "<Term>SPR</Term><Year>2024</Year><ReferenceDate>2024-01-18</ReferenceDate></CollectionDetails>"
            "<Source><SourceLevel>S</SourceLevel><LEA>981</LEA><Estab>2001</Estab></Source></Header>\n"
            " <School><SchoolName>Benchmark</SchoolName><Phase>PS</Phase></School>\n <Pupils>\n  <PupilsOnRoll>\n"
        )
        for i in range(pupils):
            out.write(
                f"   <PupilOnRoll>\n    <PupilIdentifiers>\n     <UPN>A98120{i:07d}</UPN>\n     <Surname>S{i}</Surname>\n"
                f"     <Forename>F{i % 97}</Forename>\n     <DOB>20{10 + i % 8}-03-{1 + i % 28:02d}</DOB>\n"
                "     <Sex>F</Sex>\n    </PupilIdentifiers>\n    <PupilCharacteristics>\n"
                "     <Ethnicity>WBRI</Ethnicity>\n     <FSMperiods>\n      <FSMperiod>\n"
                "       <FSMstartDate>2019-09-01</FSMstartDate>\n      </FSMperiod>\n     </FSMperiods>\n"
                "     <Language>ENG</Language>\n    </PupilCharacteristics>\n    <PupilStatus>\n"
                "     <EnrolStatus>C</EnrolStatus>\n     <EntryDate>2023-09-05</EntryDate>\n"
                "     <NCyearActual>4</NCyearActual>\n     <Boarder>N</Boarder>\n    </PupilStatus>\n"
                "    <SpecialEducationalNeeds>\n     <SENprovision>N</SENprovision>\n    </SpecialEducationalNeeds>\n"
                f"    <Attendance>\n     <TermlyAttendance>\n      <SessionsPossible>{100 + i % 41}</SessionsPossible>\n"
                f"      <SessionDetails>\n{details}      </SessionDetails>\n     </TermlyAttendance>\n"
                "    </Attendance>\n   </PupilOnRoll>\n"
            )
        out.write("  </PupilsOnRoll>\n </Pupils>\n</Message>\n")


def toolkit(path: Path) -> list[int]:
    """Return pupils, session rows, possible sessions and sessions of the tables the toolkit makes."""
    import duckdb

    from attendance_toolkit.loaders._head import look
    from attendance_toolkit.loaders.school_census.layouts import expand, recognise

    head = look(path)
    said = recognise(head)
    assert said is not None
    with tempfile.TemporaryDirectory() as private:
        (group,) = expand(head, said, Path(private))
        sums = [
            duckdb.sql(f"SELECT count(*), sum({column}) FROM read_csv('{group.tables[table].readable}')").fetchall()[0]
            for table, column in (
                ("pupilonroll", "termlysessionspossible"),
                ("termlysessiondetailsonroll", "sessions"),
                ("fsmperiod", "1"),
            )
        ]
    return [int(n) for pair in sums for n in pair]


def pandas(path: Path) -> list[int]:
    """Return the same of pandas' tables."""
    parser = "lxml" if importlib.util.find_spec("lxml") else "etree"
    tables = [
        pd.read_xml(path, iterparse=wanted, parser=parser)  # type: ignore[call-overload]
        for wanted in (
            {"PupilOnRoll": PUPIL},
            {"SessionDetail": ["AttendanceReason", "Sessions"]},
            {"FSMperiod": ["FSMstartDate"]},
        )
    ]
    pupils, sessions, meals = tables
    return [len(pupils), int(pupils["SessionsPossible"].sum()), len(sessions), int(sessions["Sessions"].sum()),
            len(meals), len(meals)]  # fmt: skip


WAYS = {OURS: toolkit, THEIRS: pandas}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pupils", type=int, default=20_000)
    parser.add_argument("--parts", type=int, default=4, help="how many times as long the second file is")
    parser.add_argument("--variant", choices=WAYS)
    parser.add_argument("--file", type=Path)
    arguments = parser.parse_args()
    if arguments.variant:
        report_variant(lambda: WAYS[arguments.variant](arguments.file))
        return
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.xml", Path(folder) / "large.xml"
        write_return(small, arguments.pupils)
        write_return(large, arguments.pupils * arguments.parts)
        print(f"{arguments.pupils:,} pupils, {small.stat().st_size / 1e6:,.0f} MB")
        found = compare(__file__, {OURS: 3, THEIRS: 1}, OURS, "--file", str(small))
        ratio = found[THEIRS]["seconds"] / found[OURS]["seconds"]
        print(f"pandas takes {ratio:.1f} times as long (target: at least 3)")
        more = run_variant(__file__, OURS, "--file", str(large))
        print(
            f"{large.stat().st_size / 1e6:,.0f} MB: {more['seconds']:.1f} s, {more['peak_mb']:,.0f} MB at most,"
            f" against {found[OURS]['peak_mb']:,.0f} MB for the file of a {arguments.parts}th the length"
        )


if __name__ == "__main__":
    main()
