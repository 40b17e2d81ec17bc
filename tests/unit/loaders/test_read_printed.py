"""Printed files told apart by content: layouts and claims in YAML, tables of any report, clear errors."""

from __future__ import annotations

import pytest

from attendance_toolkit.errors import UnreadableFileError
from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders.printed import read_printed, recognise, yaml_kind
from attendance_toolkit.loaders.printed_layouts import parse_layout
from attendance_toolkit.schema.claims import parse_claims

LAYOUT = """kind: printed table
name: Absence table
title: Absence by school type
keys: {type: phase}
columns:
  - {name: n, role: size, year: 2023/24}
  - {name: pa, role: count, measure: persistent_absence_rate, year: 2023/24}
  - {name: pa_rate, measure: persistent_absence_rate, year: 2023/24}
  - {name: north_west, measure: persistent_absence_rate, year: 2023/24, area: North West}
values:
  phase: {Primaries: Primary}
"""
TABLE = "type,n,pa,pa_rate,north_west\nPrimaries,1000,150,15.0,15.3\nSecondary,800,200,26.1,27.3\n"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "layout.yaml").write_text(LAYOUT, encoding="utf-8")
    (tmp_path / "table.csv").write_text(TABLE, encoding="utf-8")
    return [tmp_path / "table.csv", tmp_path / "layout.yaml"]


def test_any_table_is_read_by_its_own_layout(files):
    read = read_printed(files, local_area="Bolton")
    assert [table.layout.name for table in read.tables] == ["Absence table"]
    cells = read.cells
    assert cells["phase"].unique().tolist() == ["Primary", "Secondary"]
    assert cells.loc[cells["column"] == "north_west", "area_code"].unique().tolist() == ["E12000002"]
    assert cells.loc[cells["column"] == "n", "area_code"].unique().tolist() == ["E08000001"]
    with pytest.raises(UnreadableFileError, match=r"^table\.csv"):
        read_printed(files[:1], local_area="Bolton")


def test_its_faults_are_found_by_the_command(files, tmp_path):
    from click.testing import CliRunner

    from attendance_toolkit.cli import main

    arguments = [
        "reconcile",
        str(files[0]),
        "--layout",
        str(files[1]),
        "--area",
        "Bolton",
        "--out",
        str(tmp_path / "o"),
    ]
    answer = CliRunner().invoke(main, arguments)
    assert answer.exit_code == 1, answer.output
    assert "Secondary: persistent absence is printed as 26.1%, but 200 of 800 is 25.0%." in answer.output


def test_files_are_recognised_by_content(files, tmp_path):
    assert yaml_kind(files[1]) == "printed table"
    assert recognise(look(files[1])).layout == "printed_table"
    assert recognise(look(files[0])) is None
    claims = tmp_path / "a.txt"
    claims.write_text("# mine\nkind: 'claims'\nclaims: []\n", encoding="utf-8")
    assert recognise(look(claims)).kind == "printed"
    scheme = tmp_path / "b.csv"
    scheme.write_text("name: x\nkind: rule scheme\n", encoding="utf-8")
    assert recognise(look(scheme)).kind == "rules"
    cards = tmp_path / "c.csv"
    cards.write_text("card,quantity,printed,unit,derived_from\na,b,1,x,given\n", encoding="utf-8")
    assert recognise(look(cards)).layout == "cards"
    table = tmp_path / "d.csv"
    table.write_text("nc_year,attendance_rate,pa_rate,sa_rate\n1,95,11,0\n", encoding="utf-8")
    assert recognise(look(table)).years == (202425,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("kind: printed table", "kind: table"), "must begin with 'kind: printed table'"),
        (("keys: {type: phase}", "keys: {type: fase}"), "keys, type: 'fase' is not allowed"),
        (("keys: {type: phase}\n", ""), "keys: name the columns"),
        (("role: size", "role: sise"), "column n, role: 'sise' is not allowed. Use one of: rate, count, size."),
        (("area: North West", "area: Nort West"), "Did you mean 'North West'?"),
        (("year: 2023/24, area", "year: 2023, area"), "'2023' is not an academic year"),
        (("name: pa,", "name: n,"), "the column 'n' is there more than once"),
        (("Primaries: Primary", "Primaries: Primry"), "Did you mean 'Primary'?"),
        (("title: Absence", "titel: Absence"), "Did you mean 'title'?"),
        ((", measure: persistent_absence_rate, year: 2023/24}\n  - {name: n", ", year: 2023/24}\n  - {name: n"),
         "column pa_rate: give its measure"),
    ],
)  # fmt: skip
def test_a_wrong_layout_is_refused_by_name(change, message):
    with pytest.raises(UnreadableFileError) as caught:
        parse_layout(LAYOUT.replace(*change), "mine.yaml")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("claims: []", "holds no claims"),
        ("kind: claims\nclaims: [{check: gapp}]", "Did you mean 'gap'?"),
        ("kind: claims\nclaims: [{check: sum, total: 3}]", "claim 1 (sum): parts is missing"),
        ("kind: claims\nclaims: [{check: sum, total: x, parts: []}]", "total: 'x' is not allowed; int is needed"),
        ("kind: claims\nclaims: [{check: sum, total: 3, parts: [a]}]", "parts: numbers are needed"),
        ("kind: claims\nclaims: [{check: sum, total: 3, parts: [3], more: 1}]", "'more' is not a key of 'sum'"),
        ("kind: claims\nclaims: [{check: change, before: 1, after: 2, printed: 1, unit: pp}]", "unit: 'pp'"),
        ("kind: claims\nclaims: [{check: lost learning, rows: [[1]]}]", "rows: each is"),
        ("kind: claims\n\tclaims: []", "this is not YAML"),
    ],
)
def test_wrong_claims_are_refused_by_name(text, message):
    with pytest.raises(UnreadableFileError) as caught:
        parse_claims(text, "mine.yaml")
    assert message in str(caught.value)
