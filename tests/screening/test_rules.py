"""Every rule has tiny files that pass it and tiny files that fail it, and it alone."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import pytest

from attendance_toolkit.loaders.load import screen_files
from attendance_toolkit.schema.findings import IDENTIFYING_COLUMNS, ScreeningReport
from attendance_toolkit.schema.rules import RULES

HERE = Path(__file__).parent
#: Rules of inputs that are not census returns -> the test that breaks each of them, and only it.
ELSEWHERE = {
    **dict.fromkeys(
        (
            "date_month_first",
            "mark_year",
            "mark_wrong_year",
            "mark_weekend",
            "session_unknown",
            "session_header",
            "school_missing",
            "marks_none",
            "mark_repeated",
            "mark_conflict",
            "mark_two_schools",
            "mark_spreadsheet",
            "mark_missing",
            "mark_stray_day",
            "school_no_marks",
        ),
        "tests/unit/loaders/test_register_marks.py",
    ),
    **dict.fromkeys(
        ("transfer_repeated", "transfer_totals", "marks_unclear"), "tests/unit/loaders/test_transfer_file.py"
    ),
    # A file of one row a pupil never says which census it is, so none is without a finding.
    **dict.fromkeys(("la_missing", "characteristics_unmatched"), "tests/unit/loaders/test_census_layouts.py"),
    **dict.fromkeys(
        (
            "portal_column",
            "portal_from_percent",
            "portal_note",
            "portal_parts_differ",
            "portal_percent",
            "portal_totals",
            "portal_units",
            "portal_year",
        ),
        "tests/unit/loaders/test_portal.py",
    ),
    **dict.fromkeys(
        (
            "school_list_columns",
            "school_la_unknown",
            "school_urn_blank",
            "school_urn_repeated",
            "school_laestab",
            "school_phase_unknown",
            "school_date",
            "school_number",
        ),
        "tests/unit/loaders/test_schools.py",
    ),
    **dict.fromkeys(
        (
            "published_area",
            "published_level",
            "published_number",
            "published_order",
            "published_parts",
            "published_rate",
            "published_repeated",
            "published_year",
        ),
        "tests/unit/loaders/test_published_screening.py",
    ),
    **dict.fromkeys(
        ("school_roll_list", "school_not_received", "pupils_not_received"), "tests/unit/loaders/test_plausibility.py"
    ),
}
CENSUS_RULES = [rule for rule in RULES if rule not in ELSEWHERE]


@cache
def report_of(side: str, rule: str) -> ScreeningReport:
    return screen_files(files_of(HERE / side / rule, rule))


def files_of(folder: Path, rule: str) -> list[Path] | Path:
    # A file that was named must be understood; one that lies in a folder may be something else.
    return sorted(folder.rglob("*.csv")) if rule in ("file_unknown", "file_set_aside") else folder


@pytest.mark.parametrize("rule", CENSUS_RULES)
def test_the_fail_files_break_the_rule_and_no_other(rule: str) -> None:
    report = report_of("fail", rule)
    assert {f.rule for f in report.findings} == {rule}, report.to_text()
    known = RULES[rule]
    for finding in report.findings:
        assert finding.severity == known.severity
        assert finding.stage == known.stage
        assert finding.count >= 1
    expected = {"warning": 0, "quarantine": 1, "blocking": 2 if known.stage == "file" else 1}[known.severity]
    assert report.exit_code == expected


@pytest.mark.parametrize("rule", CENSUS_RULES)
def test_the_pass_files_break_no_rule(rule: str) -> None:
    report = report_of("pass", rule)
    assert not report.findings, report.to_text()
    assert report.exit_code == 0


@pytest.mark.parametrize("rule", CENSUS_RULES)
def test_no_finding_shows_a_pupil(rule: str) -> None:
    folder = HERE / "fail" / rule
    report = report_of("fail", rule)
    shown = report.to_text() + report.to_json()
    for path in folder.rglob("*_pupilonroll.csv"):
        text = path.read_bytes().decode("utf-8", "replace").replace(";", ",").splitlines()
        header, *rows = csv.reader(text) if text else [[]]
        for row in rows:
            for column, cell in zip(header, row, strict=False):
                if column in IDENTIFYING_COLUMNS and len(cell) > 5:
                    assert cell not in shown
