"""Sessions of one term and school come from one collection, whatever was loaded and in which order."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from attendance_toolkit.errors import NoDataError, ParameterError, StoreError
from attendance_toolkit.loaders.school_census import make_working_tables
from attendance_toolkit.store import Store
from attendance_toolkit.store.parts import (
    COLLECTED_COLUMNS,
    RECORD_COLUMNS,
    SCOPE_COLUMNS,
    SESSION_COLUMNS,
    make_collected_tables,
    record_place,
)
from attendance_toolkit.store.write import locked, manifest_for, write_load
from attendance_toolkit.vocabulary.calendar import HALF_TERM_TERMS
from attendance_toolkit.vocabulary.columns import PUPIL_TERM

LA, YEAR = "E08900009", 202324
Row = tuple[str, int, int, str, int]
"""Collection, pupil, school, half term and possible sessions."""


def load(root: Path, *rows: Row, records: tuple = (), scopes: tuple = ()) -> None:
    """Load sessions of any collection."""
    con = duckdb.connect()
    make_working_tables(con)
    make_collected_tables(con)
    for collection, upn, laestab, half_term, possible in rows:
        table, columns = ("session_parts", SESSION_COLUMNS) if collection == "census" else (
            "collected_parts", COLLECTED_COLUMNS
        )  # fmt: skip
        known = {
            "upn": upn, "la_code": LA, "laestab": laestab, "academic_year": YEAR, "term": HALF_TERM_TERMS[half_term],
            "half_term": half_term, "phase": "Primary" if collection == "census" else "Unknown",
            "age": 10 if collection == "census" else None, "enrol_status": "Unknown", "is_boarder": False,
            "on_roll": True, "collection": collection,
        }  # fmt: skip
        cells = [
            known.get(c, possible if c == "sessions_possible" else 0 if c.startswith("sessions_") else None)
            for c in columns
        ]
        con.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(cells))})", cells)
        if collection != "census":
            scope = (collection, YEAR, half_term, laestab, None) if collection != "transfer" else (
                collection, YEAR, None, laestab, upn
            )  # fmt: skip
            con.execute(f"INSERT INTO collected_scopes VALUES ({', '.join('?' * len(SCOPE_COLUMNS))})", scope)
    for scope in scopes:
        con.execute("INSERT INTO collected_scopes VALUES (?, ?, ?, ?, ?)", scope)
    for upn, laestab, census, nc_year in records:
        place = record_place(str(YEAR), str(laestab))
        cells = {
            "upn": upn,
            "la_code": LA,
            "laestab": laestab,
            "census": census,
            "academic_year": YEAR,
            "nc_year": nc_year,
        }
        names = ", ".join([*cells, "place"])
        con.execute(
            f"INSERT INTO record_parts ({names}) VALUES ({', '.join('?' * len(cells))}, {place})", [*cells.values()]
        )
        assert set(cells) < set(RECORD_COLUMNS)
    with locked(root):
        write_load(con, root, manifest_for(root, key="k", is_synthetic=True), replaced={}, loads=[], aside=[])


def rows(root: Path, **more: object) -> list[tuple]:
    store = Store.open(root)
    found = store.pupil_terms(columns=["upn", "laestab", "half_term", "sessions_possible"], **more).fetchall()
    store.close()
    return sorted(found)


def test_a_term_comes_from_one_collection(tmp_path) -> None:
    load(tmp_path / "s", ("census", 1, 9892001, "1-2", 140), ("register", 1, 9892001, "1", 70),
         ("register", 1, 9892001, "2", 71), ("register", 1, 9892001, "3", 60), ("portal", 1, 9892001, "3", 59),
         ("register", 2, 9892002, "1", 72), ("transfer", 2, 9892002, "1", 73))  # fmt: skip
    assert rows(tmp_path / "s") == [
        (1, 9892001, "1-2", 140), (1, 9892001, "3", 60), (2, 9892002, "1", 72),
    ]  # fmt: skip
    assert rows(tmp_path / "s", collection="register") == [
        (1, 9892001, "1", 70), (1, 9892001, "2", 71), (1, 9892001, "3", 60), (2, 9892002, "1", 72),
    ]  # fmt: skip
    store = Store.open(tmp_path / "s")
    assert store.collections() == {"census": [YEAR], "register": [YEAR], "portal": [YEAR], "transfer": [YEAR]}
    assert store.pupil_terms().columns == list(PUPIL_TERM)
    with pytest.raises(ParameterError, match="Did you mean"):
        store.pupil_terms(collection="registers")


def test_a_whole_year_gives_way_to_any_better_term(tmp_path) -> None:
    load(tmp_path / "s", ("portal", 1, 9892001, "1-6", 380), ("register", 1, 9892001, "1", 70),
         ("portal", 2, 9892002, "1-6", 379), ("transfer", 2, 9892002, "1", 71), ("transfer", 3, 9892003, "1-6", 378),
         ("transfer", 4, 9892003, "1", 72))  # fmt: skip
    # Of the third school, two pupils are known in two ways by one collection: both count.
    assert rows(tmp_path / "s") == [
        (1, 9892001, "1", 70), (2, 9892002, "1-6", 379), (3, 9892003, "1-6", 378), (4, 9892003, "1", 72),
    ]  # fmt: skip


def test_a_reload_replaces_its_own_collection_only(tmp_path) -> None:
    root = tmp_path / "s"
    load(root, ("census", 1, 9892001, "1-2", 140), ("register", 1, 9892001, "1", 70), ("register", 2, 9892001, "1", 70),
         ("register", 1, 9892001, "2", 71), ("transfer", 3, 9892001, "1", 50), ("transfer", 4, 9892001, "1", 51))  # fmt: skip
    load(root, ("register", 1, 9892001, "1", 60))
    assert rows(root, collection="register") == [(1, 9892001, "1", 60), (1, 9892001, "2", 71)]
    assert rows(root, collection="census") == [(1, 9892001, "1-2", 140)]
    # A transfer file brings some pupils of a school: the others stay.
    load(root, ("transfer", 3, 9892001, "1-6", 300))
    assert rows(root, collection="transfer") == [(3, 9892001, "1-6", 300), (4, 9892001, "1", 51)]


@pytest.mark.parametrize("census_first", [True, False])
def test_phase_and_age_come_from_the_census(tmp_path, census_first) -> None:
    root = tmp_path / "s"
    census, register = ("census", 1, 9892001, "1-2", 140), ("register", 1, 9892001, "3", 70)
    record = {"records": ((1, 9892001, "2024-spring", "6"),)}
    if census_first:
        load(root, census, **record)
        load(root, register)
    else:
        load(root, register)
        load(root, census, **record)
    store = Store.open(root)
    assert store.pupil_terms(columns=["phase", "age"]).fetchall() == [("Primary", 10)] * 2


def test_age_of_the_year_group(tmp_path) -> None:
    # Year 6 pupils are 10 on 31 August, reception pupils 4 (DfE, National curriculum ages).
    load(tmp_path / "s", ("register", 1, 9892001, "1", 70), ("register", 2, 9892001, "1", 70),
         ("register", 3, 9892001, "1", 70),
         records=tuple((upn, 9892001, "2023-register", year) for upn, year in ((1, "6"), (2, "R"))))  # fmt: skip
    store = Store.open(tmp_path / "s")
    assert sorted(store.pupil_terms(columns=["upn", "nc_year", "age"]).fetchall()) == [
        (1, "6", 10), (2, "R", 4), (3, "Unknown", None),
    ]  # fmt: skip


def test_a_census_record_comes_before_one_of_a_register(tmp_path) -> None:
    root = tmp_path / "s"
    load(root, ("register", 1, 9892001, "1", 70), records=((1, 9892001, "2023-register", "6"),))
    con = duckdb.connect()
    make_working_tables(con)
    con.execute(
        "INSERT INTO record_parts (upn, la_code, laestab, census, academic_year, place, nc_year)"
        f" VALUES (1, '{LA}', 9892001, '2024-spring', {YEAR}, 1619280000000, '5')"
    )
    with locked(root):
        from attendance_toolkit.schema.census import census_of

        write_load(con, root, manifest_for(root, key="k", is_synthetic=True),
                   replaced={census_of("spring 2024"): {9892001}}, loads=[], aside=[])  # fmt: skip
    store = Store.open(root)
    assert store.pupil_terms(columns=["nc_year"]).fetchall() == [("5",)]


def test_a_store_of_the_first_version_is_read(tmp_path) -> None:
    root = tmp_path / "s"
    load(root, ("census", 1, 9892001, "1-2", 140))
    manifest = json.loads((root / "manifest.json").read_text())
    manifest["version"] = 1
    for part in manifest["partitions"]:
        del part["collection"]
    (root / "manifest.json").write_text(json.dumps(manifest))
    assert rows(root) == [(1, 9892001, "1-2", 140)]
    load(root, ("register", 1, 9892001, "3", 60))
    assert rows(root) == [(1, 9892001, "1-2", 140), (1, 9892001, "3", 60)]
    manifest["version"] = 3
    (root / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match="version 3"):
        Store.open(root)


def test_no_rows_of_a_collection(tmp_path) -> None:
    load(tmp_path / "s", ("census", 1, 9892001, "1-2", 140))
    with pytest.raises(NoDataError, match="come from: census 2023/24"):
        rows(tmp_path / "s", collection="portal")
