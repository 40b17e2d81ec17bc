"""The package's areas and neighbours against DfE's own lookups."""

from __future__ import annotations

import csv
import runpy
from pathlib import Path

import pytest

from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders.lookups import compare_areas, read_lookup, recognise
from attendance_toolkit.vocabulary.areas import all_areas, find_area
from attendance_toolkit.vocabulary.neighbours import neighbour_rows

PACKAGE = Path(__file__).resolve().parents[2] / "attendance_toolkit"
#: Counties of early 2009 without a DfE code of their own; no published file has their rows.
ENDED_2009 = {"E10000005", "E10000010", "E10000022", "E10000026", "E10000033"}
WORKBOOK = "statistical_neighbours_may_2025.xlsx"


@pytest.fixture(scope="module")
def lookups(shared):
    return shared / "data" / "real" / "schools_and_la_lookups"


@pytest.mark.parametrize(
    ("file", "layout", "rows"),
    [
        ("las.csv", "las", 176),
        ("region_la_hierarchy.csv", "region_la_hierarchy", 181),
        ("regions.csv", "regions", 11),
        ("lait_la_code_list.xlsx", "lait_la_code_list", 171),
        (WORKBOOK, "statistical_neighbours", 159),
    ],
)
def test_every_lookup_is_recognised_by_its_content(lookups, tmp_path, file, layout, rows):
    copy = tmp_path / f"x{Path(file).suffix}"
    copy.write_bytes((lookups / file).read_bytes())
    assert recognise(look(copy)).layout == layout
    assert read_lookup(copy).rows == rows


@pytest.mark.parametrize("file", ["las.csv", "region_la_hierarchy.csv"])
def test_our_authorities_are_those_of_dfe_s_lookups(lookups, file):
    """Names, codes, regions and (in las.csv) both dates of 170 authorities agree; five ended counties are not ours."""
    found = compare_areas(read_lookup(lookups / file))
    assert set(found["column"]) == {"area"}
    assert set(found["area"]) == ENDED_2009
    assert len(found) == len(ENDED_2009)


def test_our_regions_are_those_of_dfe_s_lookup(lookups):
    assert compare_areas(read_lookup(lookups / "regions.csv")).empty


def test_an_authority_whose_code_changed_keeps_its_dfe_code_and_the_codes_follow_each_other(lookups):
    """Boundary changes as las.csv has them, with the csv module: one code ends the day before the next begins."""
    from datetime import date, timedelta

    def day(text: str) -> date | None:
        return date(*(int(part) for part in reversed(text.split("/")))) if text else None

    with (lookups / "las.csv").open(encoding="utf-8", newline="") as handle:
        rows = [r for r in csv.DictReader(handle) if r["old_la_code"].isdigit()]
    by_dfe: dict[str, list[dict]] = {}
    for row in rows:
        by_dfe.setdefault(row["old_la_code"], []).append(row)
    changed = {dfe: sorted(found, key=lambda r: day(r["date_of_operation"])) for dfe, found in by_dfe.items()
               if len(found) > 1}  # fmt: skip
    assert sorted(changed) == ["370", "373", "390", "815", "825", "929", "933"]
    for dfe, (before, after) in changed.items():
        assert day(before["date_of_termination"]) + timedelta(days=1) == day(after["date_of_operation"])
        assert find_area(dfe).code == after["new_la_code"]
        assert find_area(before["new_la_code"]).end_date


def test_the_interactive_tool_names_some_areas_otherwise(lookups):
    """Every difference is listed: spellings, London in two parts, region numbers our fictitious codes share."""
    found = compare_areas(read_lookup(lookups / "lait_la_code_list.xlsx"))
    names = found[found["column"] == "area_name"]
    assert dict(zip(names["area"], names["file"], strict=True)) == {
        "822": "Bedford Borough",
        "837": "Bournemouth (Pre LG)",
        "835": "Dorset (Pre LG)",
        "840": "Durham",
        "884": "Herefordshire",
        "810": "Kingston Upon Hull, City of",
        "836": "Poole (Pre LG)",
    }
    regions = found[found["column"] == "region"]
    assert set(regions["file"]) == {"Inner London", "Outer London"}
    assert set(regions["toolkit"]) == {"London"}
    assert len(regions) == 33
    theirs = found[(found["column"] == "area") & found["toolkit"].eq("")]
    assert set(theirs["area"]) == {"970", "980", *(str(n) for n in range(981, 991)), "1000"}
    ours = found[(found["column"] == "area") & found["file"].eq("")]
    assert set(ours["area"]) == {"820", "875", "314 / 318", "940 / 941", "942 / 943"}
    # A number alone does not tell a region from a fictitious authority: readers look at the name first.
    assert {a.dfe_code for a in all_areas() if a.is_synthetic and a.dfe_code} <= set(theirs["area"])


def test_our_neighbours_are_the_workbook_s(lookups, shared):
    """Cell by cell with the workbook reader alone, then the bytes of the committed file."""
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_path(lookups / WORKBOOK)
    rows = [r for r in book.get_sheet_by_name(book.sheet_names[0]).to_python()[3:] if r[0] != ""]
    assert len(rows) == 158
    for row in rows:
        ours = neighbour_rows(find_area(str(int(row[0]))))
        assert [n.area.dfe_code for n in ours] == [str(int(cell)) for cell in row[5::2]]
        assert [n.closeness for n in ours] == [cell.lower() for cell in row[6::2]]
    live = {a.dfe_code for a in all_areas() if a.level == "Local authority" and not a.is_synthetic and not a.end_date}
    assert {dfe for dfe in live if "/" not in dfe} <= {str(int(row[0])) for row in rows}
    made = runpy.run_path(str(Path(__file__).with_name("make_neighbours.py")))["make_neighbours"]
    committed = (PACKAGE / "vocabulary/reference/statistical_neighbours.csv").read_text(encoding="utf-8")
    assert made(lookups / WORKBOOK, "May 2025") == committed
