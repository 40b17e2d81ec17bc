"""``attendance screen`` and ``attendance load`` as a person meets them: sentences, exit status, nothing half-done."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

sys.path.append(str(Path(__file__).parents[2] / "screening"))

from census_builder import Return, make_upn

from attendance_toolkit.cli import main
from attendance_toolkit.schema.findings import MOST_OF_A_RULE


@pytest.fixture
def place(tmp_path: Path) -> Path:
    Return("spring").write(tmp_path / "in")
    return tmp_path


def run(*words: object) -> Result:
    result = CliRunner().invoke(main, [str(w) for w in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert "Traceback" not in result.output
    assert not [i for i in range(5) if make_upn(i) in result.output]
    return result


def load(place: Path, *words: object) -> Result:
    return run("load", place / "in", "--store", place / "store", "--key", place / "key", *words)


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_clean_load_says_what_it_did(place: Path) -> None:
    result = load(place)
    assert result.exit_code == 0
    assert result.output == "4 rows read: 4 loaded, 0 set aside. The store holds 2023/24.\n"


@pytest.mark.parametrize("where", ["afile", "afile/store"])
def test_a_store_cannot_lie_where_a_file_is(place: Path, where: str) -> None:
    (place / "afile").write_text("mine")
    result = run("load", place / "in", "--store", place / where, "--key", place / "key")
    assert (result.exit_code, (place / "afile").read_text()) == (7, "mine")
    assert "'afile' is a file, not a folder for a store." in result.output
    assert not (place / "key").exists()


def test_published_statistics_are_sent_to_the_report(place: Path) -> None:
    file = place / "absence.csv"
    file.write_text("time_period,geographic_level,sess_overall_percent\n202324,National,7.1\n")
    for words in (("screen", file), ("load", file, "--store", place / "store", "--key", place / "key")):
        result = run(*words)
        assert result.exit_code == 2
        assert "published statistics" in result.output
        assert "--published FILE" in result.output
    assert not (place / "store").exists()


def test_a_table_without_its_header_shows_no_pupil(place: Path) -> None:
    path = place / "in" / "981_2024_spring_pupilonroll.csv"
    path.write_text(path.read_text().split("\n", 1)[1])
    result = run("screen", place / "in")
    assert result.exit_code == 1
    assert "the first line names none of the columns of pupilonroll" in result.output
    assert "testpupil" not in result.output.lower()


def test_sessions_that_do_not_fit_into_the_term(place: Path) -> None:
    made = Return("spring")
    made.details("termlysessiondetailsonroll", "p0", "/", "9999")
    made.write(place / "in")
    result = load(place)
    assert result.exit_code == 1
    assert "row 8, sessions: '9999' sessions do not fit into half terms 1-2: 220 is the most." in result.output
    assert "4 rows read: 3 loaded, 1 set aside." in result.output


def test_a_long_list_begins_with_a_summary_and_json_has_all(place: Path) -> None:
    made = Return("spring", pupils=60)
    for number, row in enumerate(made.tables["pupilonroll"]):
        row |= {"ethnicity": f"Z{number}", "senprovision": "Q"}
    made.write(place / "in")
    text = run("screen", place / "in").output
    summary = text.index("Summary (28 findings):")
    assert summary < text.index("Set aside:")
    assert "quarantine ethnicity_code                60 rows in 1 file" in text
    assert "warning    characteristic_blank        1 finding in 1 file" in text
    assert text.count("is not a code for ethnicity") == MOST_OF_A_RULE
    assert f"… and {26 - MOST_OF_A_RULE} more of 'ethnicity_code' ({60 - MOST_OF_A_RULE} rows)." in text
    found = json.loads(run("screen", place / "in", "--json").output)["findings"]
    assert len(found) == 28


def test_many_files_are_named_by_census(place: Path) -> None:
    for number in range(5):
        Return("summer", estab=2100 + number, first=10 * number, prefix=f"s{number}").write(place / "in")
    text = run("screen", place / "in").output
    assert "  summer 2024: 35 files, 20 pupil rows" in text
    assert "s0_pupilonroll.csv" not in text


@pytest.mark.parametrize("disguise", [None, RuntimeError("Query interrupted"), duckdb.InvalidInputException("schema")])
def test_ctrl_c_leaves_the_store_as_it_was(
    place: Path, monkeypatch: pytest.MonkeyPatch, disguise: Exception | None
) -> None:
    load(place)
    before = snapshot(place / "store")
    Return("summer").write(place / "in")

    def press(*_: object) -> list:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(10_000_000):
                pass
        except KeyboardInterrupt:
            # The database engine turns the interrupt into an error of its own when it is inside a query.
            if disguise is None:
                raise
            raise disguise from None
        raise AssertionError

    monkeypatch.setattr("attendance_toolkit.store.write._merge_pupil_terms", press)
    usual = signal.getsignal(signal.SIGINT)
    result = load(place)
    assert (result.exit_code, result.output) == (130, "attendance: Stopped. The store is as it was.\n")
    assert signal.getsignal(signal.SIGINT) is usual
    monkeypatch.undo()
    assert snapshot(place / "store") == before
    assert load(place).exit_code == 0


def test_a_disk_that_is_full_is_said_in_a_sentence(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(place)
    before = snapshot(place / "store")

    def full(*_: object) -> list:
        raise duckdb.IOException("could not write")

    monkeypatch.setattr("attendance_toolkit.store.write._merge_pupil_terms", full)
    result = load(place)
    assert result.exit_code == 7
    assert "could not be written" in result.output
    monkeypatch.undo()
    assert snapshot(place / "store") == before
