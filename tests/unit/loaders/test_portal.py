"""Downloads of DfE's portal: the figures of a printed report, planted pupils, and every mistake told."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from attendance_toolkit.errors import ParameterError, UnreadableFileError
from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders.portal import (
    PortalReader,
    portal_headers_text,
    portal_measure_rows,
    read_headers,
    read_summary,
    recognise,
)
from attendance_toolkit.loaders.printed import PRINTED_COLUMNS
from attendance_toolkit.loaders.school_census.work import make_working_tables
from attendance_toolkit.metrics.reconciliation import reconcile
from attendance_toolkit.schema.rules import RULES
from attendance_toolkit.store.parts import make_collected_tables
from attendance_toolkit.vocabulary.areas import find_area
from tests.screening.census_builder import make_upn

UNDER = (("Overall Attendance", "enrolments", "attendance_rate"), ("Persistent Absence", "pa_number", "pa_rate"),
         ("Severe Absence", "sa_number", "sa_rate"))  # fmt: skip


def golden(shared: Path, number: int) -> list[dict[str, str]]:
    with (shared / "golden" / f"trafford_table{number}_as_printed.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def table_of_groups(lines: list[dict[str, str]], *, merged: bool = True) -> list[list[str]]:
    """Return Trafford's Table 2 as the portal's columns stand in the report: a header of two rows, phases merged."""
    rows = [["DfE Portal Autumn 2024 - Trafford Data @ 20/12/24"]]
    rows.append(["Type", "Characteristic", *(cell for name, _, _ in UNDER for cell in (name, ""))])
    rows.append(["", "", *(["No.", "% Rate"] * len(UNDER))])
    phase = ""
    for line in lines:
        shown = "" if merged and line["phase"] == phase else line["phase"]
        phase = line["phase"]
        cells = (
            f(line[n])
            for _, count, rate in UNDER
            for f, n in ((lambda v: f"{int(v):,}", count), (lambda v: f"{v}%", rate))
        )
        rows.append([shown, line["characteristic"], *cells])
    return rows


def write(path: Path, rows: list[list[str]], delimiter: str = ",", encoding: str = "utf-8") -> Path:
    with path.open("w", newline="", encoding=encoding) as handle:
        csv.writer(handle, delimiter=delimiter).writerows(rows)
    return path


def write_workbook(path: Path, sheets: dict[str, list[list]], merge: tuple[str, ...] = ()) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        for cells in merge:
            sheet.merge_cells(cells)
    book.save(path)
    return path


SMALL = [["School type", "Group", "PA No.", "PA %", "Number of pupils", "Attendance %"],
         ["Primary", "All", "20", "10.0%", "200", "95.0%"],
         ["Primary", "FSM", "10", "20.0%", "50", "91.0%"]]  # fmt: skip


def small(tmp_path: Path, *rows: list[str], top: list[str] | None = None) -> Path:
    return write(tmp_path / "summary.csv", [top or SMALL[0], *(rows or SMALL[1:])])


def read(path: Path, **more):
    return read_summary(path, **{"local_area": "Trafford", "academic_year": "2024/25", **more})


# ---- summary tables


def test_every_figure_of_the_printed_table_arrives(shared, tmp_path) -> None:
    """Trafford, Overview of Persistent and Severe Absence (January 2025), Table 2: the portal's columns."""
    lines = golden(shared, 2)
    path = write(tmp_path / "x.csv", table_of_groups(lines))
    found = recognise(look(path))
    assert found is not None
    assert (found.kind, found.layout) == ("portal_summary", "portal_groups")
    (table,) = read(path, period="autumn")
    cells = table.cells
    assert tuple(cells.columns) == PRINTED_COLUMNS
    assert len(cells) == len(lines) * 6
    names = [name for _, count, rate in UNDER for name in (count, rate)]
    for number, line in enumerate(lines):
        here = cells[cells["row"] == number + 4]
        assert here["value"].tolist() == [float(line[name]) for name in names]
        assert here["role"].tolist() == ["size", "rate", "count", "rate", "count", "rate"]
        assert set(here["group"]) == {line["characteristic"]}
    assert set(cells["phase"]) == {"Primary", "Secondary", "Special", "Pupil referral unit"}
    assert cells[cells["role"] == "rate"]["decimals"].unique().tolist() == [1]
    assert set(cells["period"]) == {"autumn"}
    assert not cells["published"].any()


def test_the_reconciler_finds_the_misprint_in_it(shared, tmp_path) -> None:
    """1.60% of girls in secondary schools is printed for 1,323 of 8,507, which is 15.6%."""
    (table,) = read(write(tmp_path / "x.csv", table_of_groups(golden(shared, 2))), period="autumn")
    found = [f for f in reconcile(table.cells) if f.check == "rate_from_counts"]
    assert [(f.expected, f.cells[0][0]) for f in found] == [("15.6%", 19)]


@pytest.mark.parametrize("is_percent", [True, False])
def test_a_workbook_with_merged_cells_says_the_same(shared, tmp_path, is_percent) -> None:
    rows = table_of_groups(golden(shared, 2))
    (expected,) = read(write(tmp_path / "x.csv", rows))

    def number(text: str) -> object:
        if text.endswith("%"):
            # Excel keeps 95.9% as 0.959, with a format that is not in the cell.
            return float(text[:-1]) if is_percent else round(float(text[:-1]) / 100, 6)
        return int(text.replace(",", ""))

    body = [[*row[:2], *map(number, row[2:])] for row in rows[3:]]
    sheets = {"Notes": [["Downloaded"]], "Data": [*rows[:3], *body]}
    book = write_workbook(tmp_path / "x.xlsx", sheets, ())
    (table,) = read(book)
    same = ["row", "column", "phase", "group", "measure", "role", "value", "decimals"]
    pd.testing.assert_frame_equal(table.cells[same], expected.cells[same])


def test_cells_merged_over_two_columns_and_over_rows(tmp_path) -> None:
    rows = [["Type", "Group", "PA", None, "SA", None], [None, None, "No.", "% Rate", "No.", "% Rate"],
            ["Primary", "All", 20, "10.0%", 2, "1.0%"], [None, "FSM", 10, "20.0%", 1, "2.0%"]]  # fmt: skip
    book = write_workbook(tmp_path / "m.xlsx", {"A": rows}, ("A1:A2", "C1:D1", "E1:F1", "A3:A4"))
    (table,) = read(book)
    assert table.cells["value"].tolist() == [20, 10, 2, 1, 10, 20, 1, 2]
    assert set(table.cells["phase"]) == {"Primary"}


def test_year_groups_of_the_printed_table(shared, tmp_path) -> None:
    """Table 3 of the same report; the year group R is blank there."""
    lines = golden(shared, 3)
    rows = [["Year Group", "Attendance", "PA", "SA"]]
    rows += [
        [line["nc_year"], *(f"{line[n]}%" if line[n] else "-" for n in ("attendance_rate", "pa_rate", "sa_rate"))]
        for line in lines
    ]
    path = write(tmp_path / "y.csv", rows)
    assert recognise(look(path)).layout == "portal_years"
    (table,) = read(path, period="autumn")
    rates = table.cells.pivot(index="nc_year", columns="measure", values="value")
    assert rates.loc["R"].isna().all()
    for line in lines[1:]:
        assert rates.loc[line["nc_year"], "severe_absence_rate"] == float(line["sa_rate"])
    assert set(table.cells[table.cells["nc_year"] == "R"]["symbol"]) == {"x"}


def test_a_table_of_schools(tmp_path) -> None:
    rows = [["School name", "URN", "UKPRN", "Phase", "School type", "Pupils", "Attendance", "Absence", "Authorised",
             "Unauthorised", "Persistently absent (n)", "Persistently absent (%)"],
            ["Ash School", "100001", "1", "Primary", "Academy", "210", "95.2%", "4.8%", "3.9%", "0.9%", "21", "10.0%"],
            ["Oak School", "100002", "2", "Secondary", "LA", "900", "93.0%", "7.0%", "5.0%", "2.0%", "180", "20.0%"]]  # fmt: skip
    path = write(tmp_path / "s.csv", rows)
    assert recognise(look(path)).layout == "portal_schools"
    (table,) = read(path)
    rows_of = portal_measure_rows(table)
    ash = rows_of[rows_of["school"] == "Ash School (100001)"].set_index("measure")
    assert ash.loc["persistent_absence_rate", ["numerator", "denominator"]].tolist() == [21, 210]
    assert ash["rate"].round(3).tolist() == [0.952, 0.048, 0.039, 0.009, 0.1]
    assert ash.loc["attendance_rate", "numerator"] != ash.loc["attendance_rate", "numerator"]
    assert reconcile(table.cells) == ()


def test_measure_rows_have_our_levels(tmp_path) -> None:
    rows = portal_measure_rows(read(small(tmp_path))[0])
    assert rows["series"].unique().tolist() == ["portal"]
    assert set(zip(rows["fsm_eligible"], rows["sex"], strict=True)) == {("All", "All"), ("FSM eligible", "All")}
    assert rows[rows["measure"] == "persistent_absence_rate"]["denominator"].tolist() == [200, 50]


def test_the_year_is_the_one_beside_the_table(tmp_path) -> None:
    path = write(tmp_path / "x.csv", [["Attendance 2024/25 to 20/12/2024"], *SMALL])
    assert set(read(path, academic_year=None)[0].cells["academic_year"]) == {202425}
    with pytest.raises(ParameterError, match=r"says it is of 2024/25, not of 2023/24"):
        read(path, academic_year="2023/24")
    with pytest.raises(ParameterError, match=r"does not say its academic year. Give it"):
        read(small(tmp_path), academic_year=None)
    with pytest.raises(ParameterError, match="'christmas' is not a period"):
        read(path, period="christmas")


@pytest.mark.parametrize("mark", [";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_delimiters_and_encodings_make_no_difference(tmp_path, mark, encoding) -> None:
    rows = [["Académie 1,000"], *SMALL]
    (table,) = read(write(tmp_path / "x.csv", rows, mark, encoding))
    assert table.cells["value"].tolist() == read(small(tmp_path))[0].cells["value"].tolist()


def test_notes_blank_rows_and_a_header_printed_again_make_no_difference(tmp_path) -> None:
    rows = [["Title"], [], SMALL[0], SMALL[1], [""] * 6, SMALL[0], SMALL[2], [], ["Figures may change."]]
    (table,) = read(write(tmp_path / "x.csv", rows))
    assert table.cells["value"].tolist() == read(small(tmp_path))[0].cells["value"].tolist()
    assert sorted(set(table.cells["row"])) == [4, 7]


WRONG = {
    "a rate above 100": (["Primary", "All", "20", "110%", "200", "95%"], "row 2, PA %: '110%' is not a percentage"),
    "a negative rate": (["Primary", "All", "20", "-1%", "200", "95%"], "is not a percentage"),
    "a count with decimals": (["Primary", "All", "20.5", "10%", "200", "95%"], "is not a number of pupils"),
    "a count in percent": (["Primary", "All", "20%", "10%", "200", "95%"], "is not a number of pupils"),
    "a comma in the wrong place": (["Primary", "All", "2,0", "10%", "200", "95%"], "neither a number nor a symbol"),
    "a word": (["Primary", "All", "many", "10%", "200", "95%"], "'many' is neither"),
    "an unknown phase": (["Primry", "All", "20", "10%", "200", "95%"], "Did you mean 'Primary'"),
    "an unknown group": (["Primary", "Reds", "20", "10%", "200", "95%"], "Use one of: All, FSM"),
    "too many cells": (["Primary", "All", "1", "935", "10%", "200", "95%"], "comma inside a number"),
    "too few cells": (["Primary", "All", "20"], "3 cells, but the header 6"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_cell_is_told_with_its_place(tmp_path, name) -> None:
    row, says = WRONG[name]
    with pytest.raises(UnreadableFileError, match=r"summary\.csv") as error:
        read(small(tmp_path, row))
    assert says in str(error.value)


WRONG_HEADERS = {
    "twice": (["School type", "Group", "PA No.", "PA %", "PA %", "Attendance %"], "in the header twice"),
    "unknown": (["School type", "Group", "PA No.", "PA %", "Number of pupils", "Attendence x"], "'Attendence x' is not known"),
    "no header": (["School type", "Group", "PA No.", "PA %", "", "Attendance %"], "its column has no header"),
    "absence in numbers": (["School type", "Group", "Absence No.", "PA %", "Pupils", "Attendance %"], "could be pupils or sessions"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_HEADERS)
def test_a_wrong_header_is_told(tmp_path, name) -> None:
    top, says = WRONG_HEADERS[name]
    with pytest.raises(UnreadableFileError) as error:
        read(small(tmp_path, top=top))
    assert says in str(error.value)


def test_what_cannot_be_told_is_not_guessed(tmp_path) -> None:
    with pytest.raises(UnreadableFileError, match="holds pupils or percentages"):
        read(write(tmp_path / "x.csv", [["Phase", "PA"], ["Primary", "12"], ["Secondary", "23"]]))
    with pytest.raises(UnreadableFileError, match=r"0\.5 means 0\.5% or 50%"):
        read(write(tmp_path / "x.csv", [["Phase", "SA %"], ["Primary", "0.4"], ["Secondary", "0.9"]]))
    with pytest.raises(UnreadableFileError, match="some attendance rates are fractions"):
        read(write(tmp_path / "x.csv", [["Phase", "Attendance"], ["Primary", "0.94"], ["Secondary", "95.1"]]))
    with pytest.raises(UnreadableFileError, match="there twice, first in row 2"):
        read(small(tmp_path, SMALL[1], SMALL[1]))
    with pytest.raises(UnreadableFileError, match="below a note"):
        read(write(tmp_path / "x.csv", [SMALL[0], SMALL[1], ["Note"], SMALL[2]]))
    with pytest.raises(UnreadableFileError, match="has no figures"):
        read(write(tmp_path / "x.csv", [SMALL[0], ["Primary", *[""] * 5], SMALL[2]]))
    with pytest.raises(UnreadableFileError, match="no row of figures"):
        read(write(tmp_path / "x.csv", [SMALL[0]]))
    with pytest.raises(UnreadableFileError, match="should both be all pupils"):
        read(
            write(
                tmp_path / "x.csv", [["Phase", "Pupils", "Attendance No.", "Attendance %"], ["Primary", "2", "3", "9%"]]
            )
        )


# ---- the map of headers


def test_the_text_of_the_map_is_a_map_and_can_be_changed(tmp_path) -> None:
    path = tmp_path / "my_headers.yaml"
    path.write_text(portal_headers_text().replace("[Absence,", "[Missed share, Absence,"), encoding="utf-8")
    mine = read_headers(path)
    rows = [["Phase", "Missed share"], ["Primary", "5.1%"]]
    file = write(tmp_path / "x.csv", rows)
    assert recognise(look(file)) is None
    assert recognise(look(file), mine).kind == "portal_summary"
    assert read(file, headers=mine)[0].cells["measure"].tolist() == ["overall_absence_rate"]


MAPS = {
    "not YAML": ("columns: [", "not YAML"),
    "a section twice": ("columns: {upn: [a]}\ncolumns: {upn: [a]}", "twice"),
    "another section": (portal_headers_text() + "\ncolours: {a: [b]}", "'colours' is not a section"),
    "another key": (portal_headers_text().replace("  urn:", "  urm:"), "columns: 'urm' is not a key. Did you mean 'urn'?"),
    "a word under two keys": (portal_headers_text().replace("[UPN,", "[UPN, URN,"), "stands under both upn and urn"),
    "not a word": (portal_headers_text().replace('"No."', "No"), "figures, count: 'False' is not text"),
    "an empty word": (portal_headers_text().replace("[UPN,", '["", '), "a spelling is empty"),
    "a missing section": (portal_headers_text().replace("groups:", "groups: {}\n#"), "not YAML"),
    "an empty section": ("columns: {}\nmeasures: {}\nfigures: {}\nphases: {}\ngroups: {}", "section 'columns' is missing"),
    "a list": ("- a\n- b", "it holds no sections"),
    "aliases": ("a: &a [x]\nb: [*a, *a]", "reference to another line"),
    "brackets": ("[" * 5000, "not YAML"),
    "an object": ("columns: !!python/object/apply:os.system [ls]", "not YAML"),
}  # fmt: skip


@pytest.mark.parametrize("name", MAPS)
def test_a_wrong_map_is_told_with_the_key(tmp_path, name) -> None:
    text, says = MAPS[name]
    path = tmp_path / "my.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ParameterError, match=r"my\.yaml") as error:
        read_headers(path)
    assert says in str(error.value)


def test_a_map_that_is_no_text_is_told(tmp_path) -> None:
    (tmp_path / "my.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnreadableFileError, match="not UTF-8"):
        read_headers(tmp_path / "my.yaml")
    with pytest.raises(UnreadableFileError, match="cannot be opened"):
        read_headers(tmp_path / "none.yaml")
    (tmp_path / "big.yaml").write_text("#" * 200_000)
    with pytest.raises(UnreadableFileError, match="too large"):
        read_headers(tmp_path / "big.yaml")


# ---- lists of pupils

PUPIL_HEADER = ["Pupil name", "School name", "UPN", "Attendance", "Absence", "Authorised", "Unauthorised",
                "Full days missed", "Possible sessions", "Missed sessions", "LAESTAB", "Year group"]  # fmt: skip
#: (authorised, unauthorised, possible) of six pupils.
TRUTH = [(7, 2, 132), (0, 0, 132), (3, 10, 128), (66, 0, 130), (1, 1, 132), (12, 1, 97)]
NAME = "Zebedee Planted"
KEY = b"k" * 32


def pupil_rows(unit: str = "sessions", decimals: int = 1) -> list[list[str]]:
    rows = [list(PUPIL_HEADER)]
    for number, (authorised, unauthorised, possible) in enumerate(TRUTH):
        missed = authorised + unauthorised

        def share(part: int, of: int = possible) -> str:
            return f"{100 * part / of:.{decimals}f}"

        parts = [str(authorised), str(unauthorised)] if unit == "sessions" else [share(authorised), share(unauthorised)]
        rows.append([
            f"{NAME} {number}", "Ash School", make_upn(number), share(possible - missed), share(missed), *parts,
            str(missed // 2), str(possible), str(missed), "9812001", str(1 + number),
        ])  # fmt: skip
    return rows


class Read:
    """What a reader made of files."""

    def __init__(self, *paths: Path, **more) -> None:
        self.con = duckdb.connect()
        make_working_tables(self.con)
        make_collected_tables(self.con)
        self.reader = PortalReader(self.con, paths, **{"key": KEY, "asked_year": 202425, **more})
        self.reader.run()
        self.rules = sorted({f.rule for f in self.reader.findings})
        self.said = " ".join(map(str, self.reader.findings))

    @property
    def rows(self) -> list[tuple]:
        return self.con.execute(
            "SELECT sessions_authorised, sessions_unauthorised, sessions_possible FROM collected_parts ORDER BY age"
        ).fetchall()


@pytest.mark.parametrize("unit", ["sessions", "percent"])
def test_planted_sessions_come_back(tmp_path, unit) -> None:
    path = write(tmp_path / "p.csv", pupil_rows(unit))
    found = recognise(look(path))
    assert (found.kind, found.layout) == ("portal_pupils", "portal_pupils")
    read = Read(path)
    assert read.rules == []
    assert read.rows == TRUTH
    con = read.con
    code = find_area("981").code
    assert con.execute(
        "SELECT DISTINCT academic_year, term, half_term, la_code, laestab FROM collected_parts"
    ).fetchall() == [(202425, "year", "1-6", code, 9812001)]
    assert con.execute("SELECT list(age ORDER BY age) FROM collected_parts").fetchall() == [([5, 6, 7, 8, 9, 10],)]
    assert con.execute("SELECT * FROM collected_scopes").fetchall() == [("portal", 202425, "1-6", 9812001, None)]
    assert con.execute("SELECT list(nc_year ORDER BY nc_year), any_value(census) FROM record_parts").fetchall() == [
        (["1", "2", "3", "4", "5", "6"], "2024-portal")
    ]
    assert read.reader.laestabs == {9812001}
    assert [(f.count.rows_in, f.count.rows_loaded) for f in read.reader.files] == [(6, 6)]


def test_a_workbook_with_fractions_and_dates(tmp_path) -> None:
    rows: list[list] = [[*PUPIL_HEADER[:-1], "Date of birth"]]
    for row in pupil_rows("percent", 3)[1:]:
        shares = [round(float(cell) / 100, 5) for cell in row[3:7]]
        rows.append([*row[:3], *shares, *map(int, row[7:11]), pd.Timestamp(2019 - int(row[11]), 9, 30)])
    read = Read(write_workbook(tmp_path / "p.xlsx", {"About": [["Year to date 2024/25"]], "Pupils": rows}))
    assert read.rules == []
    assert read.rows == TRUTH


def test_percentages_to_whole_numbers_are_told(tmp_path) -> None:
    rows = [[cell for place, cell in enumerate(row) if place != 9] for row in pupil_rows("percent", 0)]
    read = Read(write(tmp_path / "p.csv", rows))
    assert set(read.rules) <= {"portal_from_percent", "portal_units", "portal_totals"}
    assert "portal_units" in read.rules
    rows[0][5:7] = ["Authorised (%)", "Unauthorised (%)"]
    read = Read(write(tmp_path / "p.csv", rows))
    assert "portal_from_percent" in read.rules
    assert len(read.rows) == len(TRUTH)


def test_a_name_is_kept_nowhere(tmp_path) -> None:
    rows = pupil_rows()
    rows[1][2] = "A000"
    rows[2][9] = "900"
    rows[0].append("Key worker")
    rows[1:] = [[*row, NAME] for row in rows[1:]]
    read = Read(write(tmp_path / "p.csv", rows))
    assert read.rules == ["absent_over_possible", "portal_column", "upn_format"]
    aside = read.reader.write_aside(tmp_path / "aside")
    kept = b"".join(item.path.read_bytes() for item in aside)
    assert NAME.encode() not in kept
    assert b"A000" in kept
    tables = [name for (name,) in read.con.execute("SELECT table_name FROM information_schema.tables").fetchall()]
    kept_rows = " ".join(str(read.con.execute(f"SELECT * FROM {name}").fetchall()) for name in tables)
    assert NAME not in kept_rows + read.said
    assert [(f.count.rows_in, f.count.rows_loaded, f.count.rows_quarantined) for f in read.reader.files] == [(6, 4, 2)]


def changed(place: int, column: str, value: str):
    def edit(rows: list[list[str]]) -> None:
        rows[place][PUPIL_HEADER.index(column)] = value

    return edit


def without(*columns: str):
    def edit(rows: list[list[str]]) -> None:
        places = [PUPIL_HEADER.index(c) for c in columns]
        rows[:] = [[cell for place, cell in enumerate(row) if place not in places] for row in rows]

    return edit


def same_parts(rows: list[list[str]]) -> None:
    for row in rows[1:]:
        row[5:7] = ["0", "0"]
        row[7:10] = ["0", "100", ""]
        row[3:5] = ["", ""]


RULE_CASES = {
    "upn_blank": changed(1, "UPN", ""),
    "upn_check_letter": changed(1, "UPN", "Z" + make_upn(0)[1:]),
    "upn_spreadsheet": changed(1, "UPN", "358012E+10"),
    "pupil_repeated": lambda rows: rows.append(list(rows[1])),
    "school_unknown": changed(1, "LAESTAB", "0000"),
    "possible_blank": changed(1, "Possible sessions", ""),
    "possible_too_many": changed(1, "Possible sessions", "600"),
    "possible_unlikely": lambda rows: rows[1].__setitem__(slice(3, 10), ["97.8", "2.2", "7", "2", "4", "410", "9"]),
    "sessions_not_number": changed(1, "Missed sessions", "9.5"),
    "sessions_negative": changed(1, "Missed sessions", "-9"),
    "absent_over_possible": changed(1, "Missed sessions", "140"),
    "portal_parts_differ": changed(1, "Authorised", "3"),
    "portal_percent": changed(1, "Attendance", "932"),
    "portal_totals": changed(1, "Attendance", "80.0"),
    "portal_units": same_parts,
    "portal_note": lambda rows: rows.append(["Source: the portal", *[""] * 11]),
    "portal_column": lambda rows: [row.append("a" if place else "Form") for place, row in enumerate(rows)],
    "column_missing": without("Possible sessions"),
    "column_absent": without("Year group"),
    "column_repeated": lambda rows: [row.append("1" if place else "UPN") for place, row in enumerate(rows)],
    "file_ragged": lambda rows: rows[1].append("1"),
    "file_no_rows": lambda rows: rows.__delitem__(slice(1, None)),
    "year_group_code": changed(1, "Year group", "Year 77"),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULE_CASES)
def test_each_rule_is_broken_alone(tmp_path, rule) -> None:
    rows = pupil_rows()
    RULE_CASES[rule](rows)
    read = Read(write(tmp_path / "p.csv", rows))
    assert read.rules == [rule], read.said
    severity = RULES[rule].severity
    given = len(rows) - 1 - (rule == "portal_note")
    (file,) = read.reader.files
    if severity == "blocking":
        assert read.rows == []
    else:
        assert file.count.rows_in == given
        aside = 0 if severity == "warning" or rule == "year_group_code" else 1
        assert file.count.rows_quarantined == aside
        assert len(read.rows) == given - aside
    assert NAME not in read.said
    assert not any(make_upn(n) in read.said for n in range(len(TRUTH)))


def test_the_year_must_be_known(tmp_path) -> None:
    path = write(tmp_path / "p.csv", pupil_rows())
    assert Read(path, asked_year=None).rules == ["portal_year"]
    assert Read(path, asked_year=209899).rules == ["portal_year"]
    titled = write(tmp_path / "t.csv", [["Year to date 2023/24"], *pupil_rows()])
    assert Read(titled, asked_year=None).reader.academic_year == 202324
    assert Read(titled).rules == ["portal_year"]


def test_a_school_is_found_by_number_urn_or_name(tmp_path) -> None:
    schools = pd.DataFrame({"laestab": [9812001, 9812002], "urn": [100001, 100002],
                            "school_name": ["Ash School", "Oak School"], "phase": ["Primary", "Secondary"]})  # fmt: skip
    rows = pupil_rows()
    without("LAESTAB")(rows)
    read = Read(write(tmp_path / "p.csv", rows), schools=schools)
    assert read.rules == []
    assert read.con.execute("SELECT DISTINCT laestab, urn, phase FROM collected_parts").fetchall() == [
        (9812001, 100001, "Primary")
    ]
    assert Read(write(tmp_path / "p.csv", rows)).rules == ["school_unknown"]
    for row in rows[1:]:
        row[1] = "100002"
    rows[0][1] = "URN"
    read = Read(write(tmp_path / "p.csv", rows), schools=schools)
    assert read.reader.laestabs == {9812002}
    rows[0][1] = "LAESTAB"
    for row in rows[1:]:
        row[1] = "2001"
    assert Read(write(tmp_path / "p.csv", rows), la="981").reader.laestabs == {9812001}


def test_two_files_of_the_same_pupils(tmp_path) -> None:
    first, second = (write(tmp_path / f"{name}.csv", pupil_rows()) for name in "ab")
    read = Read(first, second)
    assert read.rules == ["pupil_in_two_files"]
    assert [(f.count.rows_in, f.count.rows_loaded) for f in read.reader.files] == [(6, 6), (6, 0)]
    assert read.rows == TRUTH


def test_without_a_key_rows_are_checked_and_not_kept(tmp_path) -> None:
    read = Read(write(tmp_path / "p.csv", pupil_rows()), key=None)
    assert read.rules == []
    assert read.rows == []


# ---- other files


def test_no_other_file_is_taken_for_a_download(shared, synthetic_store) -> None:
    for path in [*(shared / "golden").glob("*.csv"), *(shared / "data" / "real").rglob("*.csv")]:
        assert recognise(look(path)) is None, path.name
    for path in synthetic_store.parent.glob("files/**/*.csv"):
        assert recognise(look(path)) is None, path.name
