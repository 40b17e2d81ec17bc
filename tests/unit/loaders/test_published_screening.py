"""screen_published: each rule has a file that breaks it and it alone; the others are left and read."""

from __future__ import annotations

import pytest

from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders.published import read_published, recognise, screen_published
from attendance_toolkit.schema.rules import RULES

HEADER = (
    "time_period,time_identifier,geographic_level,country_code,country_name,region_code,region_name,old_la_code,"
    "new_la_code,la_name,school_type,enrolments,sess_possible,sess_overall,sess_authorised,sess_unauthorised,"
    "sess_overall_percent,enrolments_pa_10_exact,enrolments_pa_50_exact"
)
GOOD = "201819,Academic year,Local authority,E92000001,England,E12000002,North West,358,E08000009,Trafford,{phase},{n}"
NUMBERS = "100,1000,90,60,30,9,12,3"


def rows(*more: str) -> str:
    kept = [GOOD.format(phase=phase, n=NUMBERS) for phase in ("State-funded primary", "Special")]
    return "\n".join([HEADER, *kept, *more]) + "\n"


def broken(old: str = "", new: str = "", numbers: str = NUMBERS, phase: str = "State-funded secondary") -> str:
    return GOOD.format(phase=phase, n=numbers).replace(old, new) if old else GOOD.format(phase=phase, n=numbers)


#: rule -> the row that breaks it, and the column and value that are named.
BREAKS = {
    "published_year": (broken("201819", "2018"), "time_period", "2018"),
    "published_area": (broken("358,E08000009", "35X,E0800"), "new_la_code", "E0800"),
    "published_level": (broken(phase="Nursery"), "school_type", "Nursery"),
    "published_number": (broken(numbers="100,1000,90,60,3O,9,12,3"), "sess_unauthorised", "3O"),
    "published_parts": (broken(numbers="100,1000,91,60,30,9.1,12,3"), "sess_overall", "91"),
    "published_repeated": (broken(phase="Special"), None, None),
    "published_rate": (broken(numbers="100,1000,90,60,30,9.2,12,3"), "sess_overall_percent", "9.2"),
    "published_order": (broken(numbers="100,1000,90,60,30,9,12,13"), "enrolments_pa_50_exact", "13"),
}


def test_every_rule_of_published_files_is_here():
    assert set(BREAKS) == {rule for rule in RULES if rule.startswith("published_")}


def test_a_clean_file_has_no_findings(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(rows(broken()))
    assert screen_published(path) == []


@pytest.mark.parametrize("rule", sorted(BREAKS))
def test_a_row_breaks_its_rule_and_no_other_and_the_rest_is_read(tmp_path, rule):
    line, column, value = BREAKS[rule]
    path = tmp_path / "x.csv"
    path.write_text(rows(line))
    found = screen_published(path)
    assert [(f.rule, f.row, f.column, f.value, f.count) for f in found] == [(rule, 4, column, value, 1)]
    assert found[0].severity == RULES[rule].severity
    findings = []
    published = read_published([path], findings=findings)
    provenance = published.provenance[0]
    aside = sum(count for _, count in provenance.left_out)
    # Nothing is lost: each row of the file is read or counted as left out.
    assert (provenance.rows, len(published.cells) + aside) == (3, 3)
    assert aside == (RULES[rule].severity == "quarantine")


def test_every_bad_cell_is_found_not_only_the_first(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(rows(BREAKS["published_number"][0], BREAKS["published_level"][0], BREAKS["published_year"][0]))
    assert {f.rule for f in screen_published(path)} == {"published_number", "published_level", "published_year"}


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "file_empty"),
        (b"a,b\n1,2\n", "file_unknown"),
        (HEADER.encode() + b"\n", "file_no_rows"),
        (rows().encode() + b"1,2\n", "file_ragged"),
        (rows().replace("la_name", "enrolments").encode() + b"", "column_repeated"),
        (rows().replace(",", ";").encode(), "file_delimiter"),
        (b"\x1f\x8bnot gzip", "file_damaged"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_finding(tmp_path, content, rule):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    assert [f.rule for f in screen_published(path)] == [rule]


def test_metadata_has_nothing_to_screen_and_is_recognised(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("col_name,col_type,label,indicator_grouping,indicator_unit\nsex,Filter,Sex,,\n")
    assert screen_published(path) == []
    assert recognise(look(path)).kind == "metadata"
