"""``attendance reconcile`` on a summary of DfE's portal: year, period and the map of headers reach its reader."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from attendance_toolkit.cli import main
from attendance_toolkit.errors import ParameterError
from attendance_toolkit.loaders.portal import portal_headers_text
from attendance_toolkit.loaders.printed import read_printed

#: 788 of 3,463 is 22.8%, not 25.8%: the planted misprint.
SUMMARY = (
    "School type,Group,Overall attendance No.,Overall attendance % Rate,PA No.,PA % Rate\n"
    'Primary,All,"18,430",95.90%,"1,935",10.50%\n'
    'Primary,FSM,"3,463",93.50%,788,25.80%\n'
)


@pytest.fixture
def summary(tmp_path):
    path = tmp_path / "summary.csv"
    path.write_text(SUMMARY, encoding="utf-8")
    return path


@pytest.fixture
def mine(tmp_path):
    """Return a summary whose first header only the user's own map knows, and that map."""
    path, words = tmp_path / "mine.csv", tmp_path / "words.yaml"
    path.write_text(SUMMARY.replace("School type", "Art der Schule"), encoding="utf-8")
    text = portal_headers_text()
    assert "  phase: [" in text
    words.write_text(text.replace("  phase: [", '  phase: ["Art der Schule", ', 1), encoding="utf-8")
    return path, words


def reconcile(tmp_path, *arguments):
    return CliRunner().invoke(
        main, ["reconcile", *map(str, arguments), "--area", "Trafford", "--out", str(tmp_path / "out")]
    )


def test_a_summary_needs_its_year(summary, tmp_path):
    answer = reconcile(tmp_path, summary)
    assert answer.exit_code == ParameterError.exit_code
    assert "summary.csv does not say its academic year. Give it, as in 2024/25." in answer.output


def test_year_and_period_reach_the_page(summary, tmp_path):
    answer = reconcile(tmp_path, summary, "--year", "2024/25", "--period", "autumn")
    assert answer.exit_code == 1, answer.output
    assert "788 of 3,463 is 22.8%" in answer.output
    page = next((tmp_path / "out").rglob("printed_tables/index.html")).read_text(encoding="utf-8")
    assert "autumn" in page
    assert "2024/25" in page


def test_an_own_map_of_headers_is_used(mine, tmp_path):
    path, words = mine
    assert reconcile(tmp_path, path, "--year", "2024/25").exit_code == 2
    answer = reconcile(tmp_path, path, "--year", "2024/25", "--headers", words, "--json")
    assert answer.exit_code == 1, answer.output
    assert [row["row"] for row in json.loads(answer.output)["findings"]] == [3]


def test_a_period_that_is_none_is_refused(summary, tmp_path):
    answer = reconcile(tmp_path, summary, "--year", "2024/25", "--period", "autum")
    assert answer.exit_code == 2
    assert "'year to date', 'autumn', 'spring', 'summer'" in answer.output


def test_the_year_given_stands_in_where_a_summary_does_not_say_its_own(summary, tmp_path):
    """Beside printed tables the page's year may be another: a summary that says its own keeps it."""
    titled = tmp_path / "titled.csv"
    titled.write_text("Attendance 2023/24\n" + SUMMARY, encoding="utf-8")
    for path, year in ((summary, 202425), (titled, 202324)):
        read = read_printed([path], local_area="Trafford", academic_year="2024/25")
        assert read.cells["academic_year"].unique().tolist() == [year]
        assert read.cells["period"].unique().tolist() == ["year to date"]
