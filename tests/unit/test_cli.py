"""The command line as a user meets it: one sentence and an exit status, never a traceback."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from attendance_toolkit.cli import main


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_list_names_the_overview():
    answer = run("list")
    assert answer.exit_code == 0
    assert "overview" in answer.output


def test_reports_of_two_areas_land_with_an_index_and_one_failure_does_not_stop_them(synthetic_store, tmp_path):
    answer = run(
        "report", "overview", "--area", "Irwell Bank", "--area", "Trafford", "--area", "981", "--year", "2023/24",
        "--store", synthetic_store, "--out", tmp_path / "out", "--contact", "Attendance team",
        "--key", synthetic_store.with_name("key"),
    )  # fmt: skip
    assert answer.exit_code == 1
    assert "Trafford: The store has no pupils of Trafford." in answer.output
    assert "1 of 3 reports failed. The others are in" in answer.output
    index = (tmp_path / "out" / "index.html").read_text()
    assert "Irwell Bank" in index
    assert "Aldermoor" in index
    page = (tmp_path / "out" / "irwell-bank" / "2023-24" / "overview" / "index.html").read_text()
    assert "Attendance team" in page
    results = json.loads((tmp_path / "out" / "irwell-bank" / "2023-24" / "overview" / "result.json").read_text())
    assert {"id", "measure", "groups", "numerator", "denominator", "rate"} <= set(results[0])
    assert not (tmp_path / "out" / "trafford").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("overveiw", "--area", "Bury", "--year", "2023/24"), 9, "Did you mean 'overview'?"),
        (("overview", "--area", "Burry", "--year", "2023/24"), 3, "Did you mean 'Bury'?"),
        (("overview", "--area", "Bury", "--year", "2023"), 10, "Write both years, for example 2023/24."),
        (
            ("overview", "--area", "Bury", "--year", "2023/24", "--audience", "press"),
            2,
            "'press' is not one of 'partner', 'internal', 'both'.",
        ),
    ],
)
def test_a_slip_gives_one_sentence_and_nothing_is_written(synthetic_store, tmp_path, arguments, status, says):
    answer = run("report", *arguments, "--store", synthetic_store, "--out", tmp_path / "out")
    assert answer.exit_code == status
    assert says in answer.output
    assert "Traceback" not in answer.output
    assert not (tmp_path / "out").exists()


def test_no_input_is_a_usage_error():
    answer = run("report", "overview", "--area", "Bury", "--year", "2023/24")
    assert answer.exit_code == 2
    assert "Give --store, --published or both." in answer.output


def test_missing_store_says_how_to_make_one(tmp_path):
    answer = run("report", "overview", "--area", "Bury", "--year", "2023/24", "--store", tmp_path / "none")
    assert answer.exit_code == 7
    assert "attendance load" in answer.output
