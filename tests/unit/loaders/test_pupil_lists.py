"""School offers (admissions) and lists of supported pupils: read, checked, and kept in a store by pseudonym."""

from __future__ import annotations

import csv
import gzip
import sys
from pathlib import Path

import duckdb
import openpyxl
import pytest

sys.path.append(str(Path(__file__).parents[2] / "screening"))

from census_builder import Return, make_upn

from attendance_toolkit.errors import ScreeningError, StoreError
from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders.load import LoadResult, load_files, screen_files
from attendance_toolkit.loaders.recognition import KINDS, recognise
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.store import Store
from attendance_toolkit.store.keys import pseudonyms, read_key

UPNS = [make_upn(number) for number in range(8)]
OFFERS = "upn,academic_year,offered_laestab\n"
SUPPORT = "upn,academic_year,support_group\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def book(path: Path, *rows: list[object]) -> Path:
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    made.save(path)
    return path


def load(place: Path, *paths: Path, **more: str) -> LoadResult:
    return load_files(paths, place / "store", key_file=place / "key", **more)  # type: ignore[arg-type]


def rows_of(place: Path, folder: str) -> set[tuple]:
    """Return the rows of a kind of list as the Parquet of the store has them, read without the toolkit's store."""
    files = str(place / "store" / "parts" / folder / "*" / "part.parquet")
    return set(duckdb.sql(f"SELECT * FROM read_parquet('{files}', hive_partitioning = false)").fetchall())


def numbers(place: Path, *which: int) -> list[int]:
    return pseudonyms([UPNS[number] for number in which], read_key(place / "key"))


def said(path: Path) -> list[Finding]:
    return screen_files([path]).findings


# ---- what is recognised


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("upn,academic_year,laestab", "{upn},2024/25,9814001"),
        ("UPN,Academic Year,Offered LAESTAB", "{upn},2024/25,9814001"),
        ("Unique Pupil Number,Year of entry,Allocated school DfE number", "{upn},2024,981/4001"),
        ("UPN,Surname,Forename,Entry date,Destination LAESTAB", "{upn},Planted,Pupil,2024-09-02,9814001"),
        ("UPN,Current school,LAESTAB,Intake year,School offered DfE No", "{upn},Ash,9812001,2024/25,981 4001"),
        ("UPN,Date of admission,Allocated school", "{upn},2024-Sep-02,981-4001"),
        ("UPN,Intake year,Receiving school LAESTAB", "{upn},2024/2025,9814001.0"),
    ],
)
def test_offers_as_authorities_write_them(tmp_path: Path, header: str, row: str) -> None:
    path = write(tmp_path / "anything.csv", f"{header}\n{row.format(upn=UPNS[0])}\n")
    found = recognise(path)
    assert found is not None
    assert found.kind in KINDS
    assert found.kind == "admissions"
    assert not said(path)
    load(tmp_path, path)
    assert rows_of(tmp_path, "destinations") == {(*numbers(tmp_path, 0), 202425, 9814001)}


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("upn,academic_year,support_group", "{upn},2023/24,Transition mentors"),
        ("UPN,Name,Academic year,Support group", "{upn},Planted Pupil,2023/2024,Transition  mentors"),
        ("Intervention,Pupil UPN,School year", "Transition mentors,{upn},202324"),
    ],
)
def test_supported_pupils_as_authorities_write_them(tmp_path: Path, header: str, row: str) -> None:
    path = write(tmp_path / "mentors.csv", f"{header}\n{row.format(upn=UPNS[0])}\n")
    found = recognise(path)
    assert found is not None
    assert found.kind == "support_groups"
    assert not said(path)
    load(tmp_path, path)
    assert rows_of(tmp_path, "support_groups") == {(*numbers(tmp_path, 0), 202324, "Transition mentors")}


@pytest.mark.parametrize(
    "header",
    [
        "upn,academic_year,looked_after",
        "upn,laestab,entrydate,ncyearactual",
        "upn,laestab,date,session,mark",
        "upn,academic_year,laestab,sessions_possible",
        "urn,laestab,schoolname,phase",
        "upn,name,destination school",
    ],
)
def test_other_files_are_no_such_lists(tmp_path: Path, header: str) -> None:
    found = recognise(write(tmp_path / "a.csv", header + "\n"))
    assert found is None or found.kind not in ("admissions", "support_groups")


def test_the_name_of_a_table_that_is_not_used_hides_no_list(tmp_path: Path) -> None:
    load(tmp_path, write(tmp_path / "admissions.csv", f"{OFFERS}{UPNS[0]},2024/25,9814001\n"))
    assert len(rows_of(tmp_path, "destinations")) == 1
    table = write(tmp_path / "981_2024_autumn_admissions.csv", "admissionstableid,nativeid,appeals\n1,9814001,3\n")
    assert "not used" in screen_files([table]).files[0].what


def test_a_list_in_a_workbook_below_rows_that_say_what_it_is(tmp_path: Path) -> None:
    path = book(
        tmp_path / "list.xlsx",
        ["Pupils who missed 10% or more", None, None],
        ["Support group", "Transition mentors", None],
        ["Academic year", "2023/24", None],
        [None, None, None],
        ["UPN", "Name", "Missed"],
        [UPNS[0], "Planted, Pupil", 41],
        ["A123", "Planted, Other", 12],
        [UPNS[1], "Planted, Third", 30],
    )
    found = recognise(path)
    assert found is not None
    assert found.kind == "support_groups"
    result = load(tmp_path, path)
    assert (result.rows_in, result.rows_loaded, result.rows_quarantined) == (3, 2, 1)
    assert [(f.rule, f.row) for f in result.report.findings] == [("upn_format", 7)]
    a, b = numbers(tmp_path, 0, 1)
    assert rows_of(tmp_path, "support_groups") == {(n, 202324, "Transition mentors") for n in (a, b)}
    (aside,) = (tmp_path / "store" / "quarantine" / "support_groups").iterdir()
    with aside.open(encoding="utf-8", newline="") as handle:
        assert [(r["UPN"], r["Name"], r["quarantine_row"]) for r in csv.DictReader(handle)] == [
            ("A123", "Planted, Other", "7")
        ]


def test_numbers_and_dates_of_a_workbook(tmp_path: Path) -> None:
    from datetime import datetime

    path = book(
        tmp_path / "offers.xlsx",
        ["UPN", "Entry date", "Offered LAESTAB"],
        [UPNS[0], datetime(2024, 9, 2), 9814001],
        [UPNS[1], datetime(2025, 7, 31), 9814002.0],
    )
    assert not said(path)
    load(tmp_path, path)
    a, b = numbers(tmp_path, 0, 1)
    assert rows_of(tmp_path, "destinations") == {(a, 202425, 9814001), (b, 202425, 9814002)}


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_list_below_its_title_as_text(tmp_path: Path, is_packed: bool) -> None:
    text = (
        "Pupils offered a place\n\nYear of entry,2024\nUPN,Allocated school DfE number\n"
        f"{UPNS[0]},9814001\n,9814002\n{UPNS[1]},9814001\n"
    )
    path = tmp_path / ("offers.csv.gz" if is_packed else "offers.csv")
    path.write_bytes(gzip.compress(text.encode()) if is_packed else text.encode())
    result = load(tmp_path, path)
    assert [(f.rule, f.row) for f in result.report.findings] == [("upn_blank", 6)]
    a, b = numbers(tmp_path, 0, 1)
    assert rows_of(tmp_path, "destinations") == {(a, 202425, 9814001), (b, 202425, 9814001)}


def test_a_row_with_more_cells_than_the_header_stops_the_load(tmp_path: Path) -> None:
    text = f"Support group,Breakfast club\nUPN,Academic year\n{UPNS[0]},2023/24\n{UPNS[1]},2023/24,more\n"
    (found,) = said(write(tmp_path / "s.csv", text))
    assert (found.rule, found.severity) == ("file_ragged", "blocking")


# ---- what is found


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("", "offer_blank"),
        ("9.81E+06", "offer_laestab"),
        ("#N/A", "offer_laestab"),
        ("981400", "offer_laestab"),
        ("1114001", "offer_laestab"),
        ("Ash School", "offer_laestab"),
        ("4001", "offer_laestab"),
    ],
)
def test_a_school_that_cannot_be(tmp_path: Path, cell: str, rule: str) -> None:
    path = write(tmp_path / "o.csv", f"{OFFERS}{UPNS[0]},2024/25,{cell}\n{UPNS[1]},2024/25,9814001\n")
    result = load(tmp_path, path)
    (found,) = result.report.findings
    assert (found.rule, found.row, found.column, found.count) == (rule, 2, "offered_laestab", 1)
    assert found.fix
    assert len(rows_of(tmp_path, "destinations")) == 1


def test_a_school_of_four_digits_needs_its_authority(tmp_path: Path) -> None:
    path = write(tmp_path / "o.csv", f"{OFFERS}{UPNS[0]},2024/25,4001\n")
    load(tmp_path, path, la="981")
    assert {row[2] for row in rows_of(tmp_path, "destinations")} == {9814001}


def test_a_urn_is_looked_up_in_the_schools_given_and_in_the_store(tmp_path: Path) -> None:
    offers = write(tmp_path / "o.csv", f"upn,year_of_entry,offered_urn\n{UPNS[0]},2024,900123\n{UPNS[1]},2024,900124\n")
    (found,) = [f for f in said(offers) if f.value == "900123"]
    assert found.rule == "offer_urn"
    assert "list of schools" in found.fix
    schools = write(
        tmp_path / "schools.csv",
        "URN,LAESTAB,School name,Phase,Status\n900123,9814001,Ash High School,Secondary,Open\n",
    )
    result = load(tmp_path, offers, schools)
    assert [f.value for f in result.report.findings if f.rule == "offer_urn"] == ["900124"]
    assert {row[2] for row in rows_of(tmp_path, "destinations")} == {9814001}
    # The store knows the school now; its list is not needed again.
    again = write(tmp_path / "p.csv", f"upn,year_of_entry,offered_urn\n{UPNS[2]},2024,900123\n")
    assert not load(tmp_path, again).report.findings
    assert len(rows_of(tmp_path, "destinations")) == 2


def test_a_urn_stands_in_for_an_laestab_that_is_blank(tmp_path: Path) -> None:
    schools = write(
        tmp_path / "schools.csv",
        "URN,LAESTAB,School name,Phase,Status\n900123,9814001,Ash High School,Secondary,Open\n",
    )
    text = (
        f"upn,academic_year,offered_laestab,offered_urn\n{UPNS[0]},2024/25,,900123\n{UPNS[1]},2024/25,9814002,900123\n"
    )
    load(tmp_path, write(tmp_path / "o.csv", text), schools)
    assert {row[2] for row in rows_of(tmp_path, "destinations")} == {9814001, 9814002}


def test_two_offers_of_a_pupil(tmp_path: Path) -> None:
    text = OFFERS + "".join(f"{UPNS[0]},2024/25,{school}\n" for school in (9814001, 9814002, 9814001))
    result = load(tmp_path, write(tmp_path / "o.csv", text))
    assert [(f.rule, f.row) for f in result.report.sorted_findings()] == [("offer_conflict", 3), ("pupil_repeated", 4)]
    assert {row[2] for row in rows_of(tmp_path, "destinations")} == {9814001}
    assert (result.rows_loaded, result.rows_quarantined) == (1, 2)


def test_what_is_wrong_with_a_group(tmp_path: Path) -> None:
    names = ["", "x" * 61, "Yes", "12", "=A1", f"Mentors of {UPNS[7]}", "Breakfast club", "  breakfast  CLUB "]
    text = SUPPORT + "".join(f"{upn},2023/24,{name}\n" for upn, name in zip(UPNS, names, strict=True))
    result = load(tmp_path, write(tmp_path / "s.csv", text))
    assert [f.rule for f in result.report.findings] == ["support_name"] * 6
    assert {f.value for f in result.report.findings} == {None}
    assert not any(upn in result.report.to_text() + result.report.to_json() for upn in UPNS)
    a, b = numbers(tmp_path, 6, 7)
    assert rows_of(tmp_path, "support_groups") == {(a, 202324, "Breakfast club"), (b, 202324, "Breakfast club")}


@pytest.mark.parametrize(
    ("header", "column"),
    [("upn,offered_laestab", "academic_year"), ("upn,offered_school,academicyears,offered_urn", "academic_year")],
)
def test_a_list_without_a_year_is_refused(tmp_path: Path, header: str, column: str) -> None:
    path = write(tmp_path / "o.csv", f"{header}\n{','.join('1' for _ in header.split(','))}\n")
    with pytest.raises(ScreeningError) as refused:
        load(tmp_path, path)
    assert {(f.rule, f.column) for f in refused.value.report.findings} == {("column_missing", column)}
    assert not (tmp_path / "store").exists()


def test_dates_that_are_not_as_in_an_extract_are_said(tmp_path: Path) -> None:
    path = write(
        tmp_path / "o.csv", f"upn,entry_date,offered_laestab\n{UPNS[0]},02/09/2024,9814001\n{UPNS[1]},soon,9814001\n"
    )
    result = load(tmp_path, path)
    assert {f.rule: f.row for f in result.report.findings} == {"date_day_first": 2, "offer_year": 3}
    assert {row[1] for row in rows_of(tmp_path, "destinations")} == {202425}


# ---- the store


def test_a_later_list_replaces_a_pupils_own_rows_and_no_other(tmp_path: Path) -> None:
    offers = write(
        tmp_path / "o.csv",
        OFFERS + "".join(f"{u},2024/25,9814001\n" for u in UPNS[:3]) + f"{UPNS[0]},2023/24,9814009\n",
    )
    support = write(tmp_path / "s.csv", SUPPORT + "".join(f"{u},2023/24,Transition mentors\n" for u in UPNS[:2]))
    load(tmp_path, offers, support)
    offers = write(tmp_path / "o2.csv", f"{OFFERS}{UPNS[1]},2024/25,9814002\n")
    support = write(
        tmp_path / "s2.csv", f"{SUPPORT}{UPNS[1]},2023/24,Transition mentors\n{UPNS[1]},2023/24,Breakfast club\n"
    )
    load(tmp_path, offers, support)
    a, b, c = numbers(tmp_path, 0, 1, 2)
    assert rows_of(tmp_path, "destinations") == {
        (a, 202425, 9814001), (a, 202324, 9814009), (b, 202425, 9814002), (c, 202425, 9814001),
    }  # fmt: skip
    assert rows_of(tmp_path, "support_groups") == {
        (a, 202324, "Transition mentors"), (b, 202324, "Transition mentors"), (b, 202324, "Breakfast club"),
    }  # fmt: skip
    store = Store.open(tmp_path / "store")
    assert set(store.destinations().fetchall()) == rows_of(tmp_path, "destinations")
    assert set(store.support_groups().fetchall()) == rows_of(tmp_path, "support_groups")
    # Sessions are not needed, and none is made.
    assert store.academic_years() == []
    store.close()


def test_lists_and_returns_in_one_load_or_in_two_give_the_same_rows(tmp_path: Path) -> None:
    Return("spring").write(tmp_path / "in")
    offers = write(tmp_path / "o.csv", OFFERS + "".join(f"{u},2024/25,9814001\n" for u in UPNS[:3]))
    together, apart = tmp_path / "together", tmp_path / "apart"
    for place in (together, apart):
        place.mkdir()
        write(place / "key", "11" * 32)
    load(together, tmp_path / "in", offers)
    load(apart, offers)
    load(apart, tmp_path / "in")
    assert rows_of(together, "destinations") == rows_of(apart, "destinations")
    found = [sorted(Store.open(p / "store").pupil_terms().fetchall()) for p in (together, apart)]
    assert found[0] == found[1]
    assert found[0]


def test_no_upn_or_name_lies_in_the_store_but_in_quarantine(tmp_path: Path) -> None:
    text = f"UPN,Surname,Forename,Academic year,Offered LAESTAB\n{UPNS[0]},Planted,Zebedee,2024/25,9814001\n"
    load(tmp_path, write(tmp_path / "o.csv", text + f"{UPNS[1]},Planted,Other,2024/25,none\n"))
    files = [p for p in (tmp_path / "store").rglob("*") if p.is_file()]
    for path in files:
        if "quarantine" not in path.relative_to(tmp_path / "store").parts[:1]:
            content = path.read_bytes()
            assert not any(secret.encode() in content for secret in (*UPNS, "Planted", "Zebedee")), path.name
    aside = tmp_path / "store" / "quarantine" / "admissions" / "o.csv"
    assert UPNS[1] in aside.read_text(encoding="utf-8")
    # Digests of the names stand for them where a page is searched before it leaves.
    assert Store.open(tmp_path / "store").manifest["identifiers"]["name"] == 2


def test_offers_of_real_schools_do_not_go_into_a_store_of_made_up_pupils(tmp_path: Path) -> None:
    load(tmp_path, write(tmp_path / "o.csv", f"{OFFERS}{UPNS[0]},2024/25,9814001\n"))
    with pytest.raises(StoreError, match="synthetic"):
        load(tmp_path, write(tmp_path / "p.csv", f"{OFFERS}{UPNS[1]},2024/25,3584001\n"))


def test_a_list_is_told_by_its_head_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "o.csv", f"{OFFERS}{UPNS[0]},2024/25,9814001\n")
    head = look(path)
    path.unlink()
    found = recognise(head)
    assert found is not None
    assert found.layout == "admissions"
