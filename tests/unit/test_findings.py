"""The screening report: as table, CSV, JSON and text, and what is kept of it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from attendance_toolkit.errors import ReportError
from attendance_toolkit.schema.coverage import Coverage
from attendance_toolkit.schema.findings import FRAME_COLUMNS, FileInfo, Finding, ScreeningReport
from attendance_toolkit.schema.rules import RULES, finding

UPN = "A358012345678"


def report() -> ScreeningReport:
    areas = pd.DataFrame(
        [["E08000009", 202324, "autumn", "All schools", 90, 92, 38000, 39000, "list of schools"]],
        columns=list(Coverage.empty().areas.columns),
    )
    return ScreeningReport(
        [
            finding("year_gap", "2 files", "there is no return that carries 2022/23.", fix="Add it."),
            finding("upn_check_letter", "a.csv", "wrong letter.", row=7, column="upn", value=UPN, count=3),
            finding("sen_code", "a.csv", "'=Q' is no code.", row=5, column="senprovision", value="=Q", allowed="E, K, N"),
        ],
        [
            FileInfo("a.csv", "school census", "pupilonroll", "autumn 2024", 120, "ab"),
            FileInfo(
                "b.csv", "gias", "", kind="schools", says="a list of schools", feeds="expected schools", years=(202223, 202324)
            ),
        ],
        replace(Coverage.empty(), areas=areas),
    )  # fmt: skip


def test_the_table_has_a_row_for_each_finding_by_stage() -> None:
    frame = report().to_frame()
    assert frame.columns.tolist() == list(FRAME_COLUMNS)
    assert frame["rule"].tolist() == ["upn_check_letter", "sen_code", "year_gap"]
    assert frame["count"].tolist() == [3, 1, 1]
    assert frame["row"].isna().tolist() == [False, False, True]
    assert frame["row"].iloc[0] == 7
    assert UPN not in frame.to_csv()


def test_an_empty_report_has_an_empty_table() -> None:
    assert ScreeningReport().to_frame().empty


def test_the_csv_file_is_the_table_and_runs_nothing(tmp_path: Path) -> None:
    report().to_csv(tmp_path / "findings.csv")
    content = (tmp_path / "findings.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    with (tmp_path / "findings.csv").open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0]) == list(FRAME_COLUMNS)
    assert [row["rule"] for row in rows] == report().to_frame()["rule"].tolist()
    assert rows[1]["value"] == "'=Q"
    assert rows[2]["row"] == ""


def test_a_csv_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"'findings.csv' cannot be written"):
        report().to_csv(tmp_path / "missing" / "findings.csv")


def test_the_document_is_kept_and_read_again() -> None:
    made = report()
    again = ScreeningReport.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again.findings == made.sorted_findings()
    assert again.files == made.files
    assert again.coverage.to_dict() == made.coverage.to_dict()
    assert again.exit_code == made.exit_code == 1


def test_a_document_of_another_toolkit_is_read_as_far_as_it_goes() -> None:
    row = {"rule": "year_gap", "stage": "plausibility", "severity": "warning", "file": "x", "row": None, "column": None,
           "value": None, "says": "y", "colour": "red"}  # fmt: skip
    old = ScreeningReport.from_dict({"files": [{"name": "a", "layout": "b", "table": "c"}], "findings": [row]})
    assert old.files == [FileInfo("a", "b", "c")]
    assert old.findings == [Finding("year_gap", "plausibility", "warning", "x", None, None, None, "y")]
    assert old.coverage.areas.empty


def test_json_has_sentences_and_coverage() -> None:
    document = json.loads(report().to_json())
    assert document["exit_code"] == 1
    assert document["findings"][0]["message"].startswith("a.csv, row 7, upn: wrong letter.")
    assert document["coverage"]["areas"][0]["schools_expected"] == 92
    assert document["files"][1]["years"] == [202223, 202324]


def test_text_says_of_each_file_what_it_is_and_can_feed() -> None:
    lines = report().to_text().splitlines()
    assert "  a.csv: school census pupilonroll, autumn 2024 census, 120 rows" in lines
    assert "  b.csv: a list of schools" in lines
    assert "    years 2022/23, 2023/24; can feed expected schools" in lines


def test_many_files_are_told_by_what_they_are() -> None:
    files = [FileInfo(f"{i}.csv", "x", "", kind="published", says="published absence") for i in range(30)]
    assert "  published absence: 30 files" in ScreeningReport(files=files).to_text()


def test_a_finding_about_whole_files_counts_no_rows() -> None:
    assert "rows" not in str(finding("school_missing_term", "3 files", "2 schools sent nothing.", count=2))
    assert str(finding("upn_blank", "a.csv", "there is no UPN.", row=3, count=2)).endswith("(2 rows.)")


def test_every_rule_asks_something() -> None:
    assert all(rule.asks and not rule.asks.endswith(".") for rule in RULES.values())
