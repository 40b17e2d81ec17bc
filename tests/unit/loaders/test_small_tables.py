"""The small tables of a return are screened like the large ones: a damaged one is a finding, not a traceback."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from attendance_toolkit.loaders.load import screen_files

sys.path.append(str(Path(__file__).parents[2] / "screening"))

from census_builder import Return


@pytest.mark.parametrize("table", ["school", "schoolcensus"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text + b"one,two,three,four,five,six,seven,eight,nine,ten,eleven,twelve,thirteen\n",
        lambda text: text.rstrip(b"\r\n") + b',"no end\n',
    ],
    ids=["too many cells", "a quotation mark without an end"],
)
def test_a_damaged_small_table_is_a_finding(tmp_path: Path, table: str, damage) -> None:
    made = Return("spring")
    made.write(tmp_path)
    path = made.path(tmp_path, table)
    path.write_bytes(damage(path.read_bytes()))
    report = screen_files(tmp_path)
    assert {(f.rule, f.file) for f in report.findings if f.severity == "blocking"} == {("file_ragged", path.name)}


def test_a_pupil_table_that_cannot_be_read_is_a_finding_before_its_census_is_guessed(tmp_path: Path) -> None:
    made = Return("spring")
    del made.tables["schoolcensus"]
    made.write(tmp_path)
    path = made.path(tmp_path, "pupilonroll")
    path.write_bytes(path.read_bytes() + b"a,b\n")
    report = screen_files(tmp_path)
    assert "file_ragged" in {f.rule for f in report.findings}
