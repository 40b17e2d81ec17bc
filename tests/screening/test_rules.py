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


@cache
def report_of(side: str, rule: str) -> ScreeningReport:
    return screen_files(files_of(HERE / side / rule, rule))


def files_of(folder: Path, rule: str) -> list[Path] | Path:
    # A file that was named must be understood; one that lies in a folder may be something else.
    return sorted(folder.rglob("*.csv")) if rule in ("file_unknown", "file_set_aside") else folder


@pytest.mark.parametrize("rule", RULES)
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


@pytest.mark.parametrize("rule", RULES)
def test_the_pass_files_break_no_rule(rule: str) -> None:
    report = report_of("pass", rule)
    assert not report.findings, report.to_text()
    assert report.exit_code == 0


@pytest.mark.parametrize("rule", RULES)
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
