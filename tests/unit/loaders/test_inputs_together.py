"""Different kinds of files in one load: what one file does not say, another does.

Outside our code: phases and counts written into the files by the test itself.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from attendance_toolkit.deepdives.overview import Overview
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.inputs import open_inputs
from attendance_toolkit.loaders.load import load_files
from attendance_toolkit.loaders.synthetic import generate, write_census_files, write_register_files
from attendance_toolkit.store import Store
from tests.screening.census_builder import Return


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the registers of one synthetic authority and a year."""
    folder = tmp_path_factory.mktemp("register")
    cohort = generate("small", areas=["Aldermoor"], first_year=202324, last_year=202324)
    write_register_files(cohort, folder)
    return folder


def write_schools(register: Path, target: Path) -> dict[int, str]:
    """Write a list of the register's schools, phase by the first digit of the establishment; return it."""
    with next(register.glob("*.csv")).open(encoding="utf-8", newline="") as handle:
        schools = {int(row["DfE Number"]) for row in csv.DictReader(handle)}
    phases = {
        s: {"2": "Primary", "4": "Secondary", "7": "Special"}.get(str(s)[3], "Pupil referral unit") for s in schools
    }
    write_list(target, phases)
    return phases


def write_list(target: Path, phases: dict[int, str]) -> None:
    """Write a list of schools."""
    with target.open("w", encoding="utf-8", newline="") as handle:
        out = csv.writer(handle)
        out.writerow(["LAESTAB", "URN", "School name", "Phase"])
        out.writerows([s, 100000 + s % 10000, f"School {s}", phase] for s, phase in sorted(phases.items()))


def kept(store: Path, *columns: str, **more: str) -> set[tuple]:
    """Return what the rows of a store say of their schools."""
    opened = Store.open(store)
    found = set(opened.pupil_terms(columns=columns, **more).distinct().fetchall())
    opened.close()
    return found


def test_a_list_of_schools_gives_registers_their_phases(register: Path, tmp_path: Path) -> None:
    phases = write_schools(register, tmp_path / "schools.csv")
    result = load_files([tmp_path / "schools.csv", register], tmp_path / "store", key_file=tmp_path / "key")
    assert result.rows_quarantined == 0
    assert set(result.report.coverage.areas["phase"]) == {*phases.values(), "All schools"}
    found = Store.open(tmp_path / "store").pupil_terms(columns=["laestab", "urn", "phase"]).distinct().fetchall()
    assert {laestab: phase for laestab, _, phase in found} == phases
    assert {laestab: urn for laestab, urn, _ in found} == {s: 100000 + s % 10000 for s in phases}
    page = Overview(open_inputs(area="Aldermoor", academic_year="2023/24", store=str(tmp_path / "store")))
    assert page.head()
    assert "year group" in str(page.year_group_table())
    page.year_group_figure()  # no year group is known: nothing to draw, and no error


def test_a_list_loaded_before_serves_as_well(register: Path, tmp_path: Path) -> None:
    phases = write_schools(register, tmp_path / "schools.csv")
    load_files(tmp_path / "schools.csv", tmp_path / "store", key_file=tmp_path / "key", is_synthetic=True)
    load_files(register, tmp_path / "store", key_file=tmp_path / "key")
    found = Store.open(tmp_path / "store").pupil_terms(columns=["laestab", "phase"]).distinct().fetchall()
    assert dict(found) == phases


def test_a_list_loaded_after_serves_as_well(register: Path, tmp_path: Path) -> None:
    phases = write_schools(register, tmp_path / "schools.csv")
    store = tmp_path / "store"
    load_files(register, store, key_file=tmp_path / "key")
    assert {phase for (phase,) in kept(store, "phase")} == {"Unknown"}
    before = Store.open(store).rows()
    result = load_files(tmp_path / "schools.csv", store, key_file=tmp_path / "key")
    assert kept(store, "laestab", "urn", "phase") == {(s, 100000 + s % 10000, phase) for s, phase in phases.items()}
    assert Store.open(store).rows() == before
    assert set(result.report.coverage.areas["phase"]) == {*phases.values(), "All schools"}


def test_a_list_fills_what_a_return_does_not_say_and_changes_nothing_it_says(tmp_path: Path) -> None:
    silent, telling = Return("spring"), Return("spring", estab=4001, first=20)
    silent.tables["school"][0] |= {"phase": "", "urn": ""}
    telling.tables["school"][0] |= {"phase": "SS", "urn": "123456"}
    silent.add(telling).write(tmp_path / "in")
    write_list(tmp_path / "schools.csv", {9812001: "Primary", 9814001: "Primary"})
    for folder, *calls in (("after", "in", "schools.csv"), ("before", "schools.csv", "in")):
        for path in calls:
            load_files(tmp_path / path, tmp_path / folder, key_file=tmp_path / "key", is_synthetic=True)
        assert kept(tmp_path / folder, "laestab", "urn", "phase") == {
            (9812001, 102001, "Primary"), (9814001, 123456, "Secondary"),
        }  # fmt: skip


def test_a_census_gives_registers_their_phases_in_any_order(tmp_path: Path) -> None:
    cohort = generate("small", areas=["Aldermoor"], first_year=202324, last_year=202324)
    write_census_files(cohort, tmp_path / "census")
    write_register_files(cohort, tmp_path / "register")
    told = set()
    for path in (tmp_path / "census").glob("*_school.csv"):
        with path.open(encoding="utf-8", newline="") as handle:
            rows = [{name.lower(): cell for name, cell in row.items()} for row in csv.DictReader(handle)]
        told |= {(int(row["laestab"]), {"PS": "Primary", "SS": "Secondary"}.get(row["phase"])) for row in rows}
    told = {(laestab, phase) for laestab, phase in told if phase}
    for folder, *calls in (("after", "register", "census"), ("before", "census", "register")):
        for path in calls:
            load_files(tmp_path / path, tmp_path / folder, key_file=tmp_path / "key")
        found = kept(tmp_path / folder, "laestab", "phase", collection="register")
        assert told <= found
        assert "Unknown" not in dict(found).values()


def test_without_phases_the_overview_says_what_to_load(register: Path, tmp_path: Path) -> None:
    load_files(register, tmp_path / "store", key_file=tmp_path / "key")
    page = Overview(open_inputs(area="Aldermoor", academic_year="2023/24", store=str(tmp_path / "store")))
    with pytest.raises(NoDataError, match="Load a list of schools"):
        page.head()
