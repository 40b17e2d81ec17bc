"""Rows that are not loaded: kept as they were read, in the one place of a store that may name a pupil."""

from __future__ import annotations

import csv
import os
import stat
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "screening"))

from census_builder import Return, make_upn

from attendance_toolkit.errors import StoreError, UnreadableFileError
from attendance_toolkit.loaders.load import load_files, screen_files
from attendance_toolkit.store import Store
from attendance_toolkit.store.quarantine import ADDED_COLUMNS

BAD_UPN = "A" + make_upn(0)[1:]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path


def load(place: Path, *paths: Path):
    return load_files(paths or [place / "in"], place / "store", key_file=place / "key")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def kept(place: Path) -> dict[str, list[dict[str, str]]]:
    folder = place / "store" / "quarantine"
    return {p.relative_to(folder).as_posix(): table(p) for p in sorted(folder.glob("*/*.csv"))}


def bad_return(**more: object) -> Return:
    made = Return("spring", **more)  # type: ignore[arg-type]
    made.tables["pupilonroll"][0]["upn"] = BAD_UPN
    return made


def test_a_row_is_kept_with_all_its_columns_and_its_session_rows(place: Path) -> None:
    made = bad_return()
    made.write(place / "in")
    load(place)
    found = kept(place)
    assert sorted(found) == [
        "2024-spring/981_2024_spring_fsmperiod.csv",
        "2024-spring/981_2024_spring_pupilonroll.csv",
        "2024-spring/981_2024_spring_termlysessiondetailsonroll.csv",
    ]
    (row,) = found["2024-spring/981_2024_spring_pupilonroll.csv"]
    assert {c: row[c] for c in made.tables["pupilonroll"][0]} == made.tables["pupilonroll"][0]
    assert {c: row[c] for c in ADDED_COLUMNS} == {
        "quarantine_table": "pupilonroll", "quarantine_file": "981_2024_spring_pupilonroll.csv", "quarantine_row": "2",
        "quarantine_school": "9812001", "quarantine_rules": "upn_check_letter",
        "quarantine_reason": "not so here: the check letter of a UPN fits its digits",
    }  # fmt: skip
    details = found["2024-spring/981_2024_spring_termlysessiondetailsonroll.csv"]
    assert [(r["attendancereason"], r["sessions"], r["quarantine_row"]) for r in details] == [
        ("I", "4", "2"), ("N", "1", "3"),
    ]  # fmt: skip


def test_the_summary_and_the_manifest_count_and_name_nobody(place: Path) -> None:
    bad_return().write(place / "in")
    load(place)
    folder = place / "store" / "quarantine"
    rows = table(folder / "summary.csv")
    assert [(r["table"], r["rules"], r["rows"]) for r in rows] == [
        ("fsmperiod", "upn_check_letter", "1"),
        ("pupilonroll", "upn_check_letter", "1"),
        ("termlysessiondetailsonroll", "upn_check_letter", "2"),
    ]
    assert all((folder / r["kept_in"]).is_file() for r in rows)
    manifest = Store.open(place / "store").manifest
    assert manifest["quarantine"]["rows"] == 4
    assert "restricted" in manifest["quarantine"]["note"]
    assert (folder / "README.txt").read_text().startswith("RESTRICTED")


def test_only_quarantine_names_a_pupil(place: Path) -> None:
    bad_return().write(place / "in")
    load(place)
    key = (place / "key").read_text().strip().encode()
    forbidden = [make_upn(i).encode() for i in range(5)] + [BAD_UPN.encode(), b"Testpupil", b"2014-Oct-10"]
    store = place / "store"
    for path in (p for p in store.rglob("*") if p.is_file()):
        content = path.read_bytes()
        assert key not in content, path
        assert str(place).encode() not in content, path
        if path.parent.parent != store / "quarantine":
            assert not [word for word in forbidden if word in content], path
    # What is there is what had to be kept: the one pupil, none of the others.
    inside = b"".join(p.read_bytes() for p in (store / "quarantine").rglob("*.csv"))
    assert BAD_UPN.encode() in inside
    assert not [i for i in range(1, 5) if make_upn(i).encode() in inside]


@pytest.mark.skipif(os.name == "nt", reason="permissions of this kind are POSIX")
def test_key_and_quarantine_are_for_the_user_only(place: Path) -> None:
    bad_return().write(place / "in")
    load(place)
    load(place)
    assert stat.S_IMODE((place / "key").stat().st_mode) == 0o600
    folder = place / "store" / "quarantine"
    for path in [folder, *folder.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_corrected_return_empties_its_quarantine(place: Path) -> None:
    made = bad_return()
    made.write(place / "in")
    bad_return(estab=2002, prefix="other").write(place / "other")
    load(place)
    load(place, place / "other")
    made.tables["pupilonroll"][0]["upn"] = make_upn(0)
    made.write(place / "in")
    load(place)
    assert sorted(kept(place)) == [
        f"2024-spring/other_{t}.csv" for t in ("fsmperiod", "pupilonroll", "termlysessiondetailsonroll")
    ]
    rows = Store.open(place / "store").pupil_terms().df()
    assert rows.groupby("laestab").size().to_dict() == {9812001: 4, 9812002: 3}


def test_a_school_loaded_anew_from_another_file_leaves_the_older_quarantine(place: Path) -> None:
    both = bad_return().add(bad_return(estab=2002, first=50))
    for row in both.tables["pupilonroll"][3:4]:
        row["upn"] = ""
    both.write(place / "in")
    load(place)
    name = "2024-spring/981_2024_spring_pupilonroll.csv"
    assert [r["quarantine_school"] for r in kept(place)[name]] == ["9812001", "9812002"]
    Return("spring", prefix="again").write(place / "again")
    load(place, place / "again")
    assert [r["quarantine_school"] for r in kept(place)[name]] == ["9812002"]
    assert all(r["rows"] in ("1", "2") for r in table(place / "store" / "quarantine" / "summary.csv"))


def test_a_session_row_that_cannot_be_read_is_kept_alone(place: Path) -> None:
    made = Return("spring")
    made.details("termlysessiondetailsonroll", "p0", "QQ", 3)
    made.details("termlysessiondetailsonroll", "ghost", "I", 3)
    made.write(place / "in")
    load(place)
    ((name, rows),) = kept(place).items()
    assert name == "2024-spring/981_2024_spring_termlysessiondetailsonroll.csv"
    assert [(r["attendancereason"], r["quarantine_rules"]) for r in rows] == [
        ("QQ", "register_code"), ("I", "session_orphan"),
    ]  # fmt: skip


def test_flags_are_kept_and_replaced(place: Path) -> None:
    Return("spring").write(place / "in")
    load(place)
    flags = place / "flags.csv"
    flags.write_text(f"upn,academic_year,looked_after,note\n{make_upn(0)},2023,Yes,mine\n{make_upn(1)},2023/24,No,\n")
    load(place, flags)
    ((name, rows),) = kept(place).items()
    assert name == "pupil_flags/flags.csv"
    assert [(r["upn"], r["note"], r["quarantine_row"]) for r in rows] == [(make_upn(0), "mine", "2")]
    flags.write_text(f"upn,academic_year,looked_after\n{make_upn(0)},2023/24,Yes\n")
    load(place, flags)
    assert not kept(place)


def test_texts_come_back_as_they_were_read(place: Path) -> None:
    made = bad_return(leavers=0)
    made.tables["pupilonroll"][0]["surname"] = 'O"Neill, "Zoë"\nsecond line '
    made.tables["pupilonroll"][2]["upn"] = ""
    made.write(place / "in")
    path = made.path(place / "in", "pupilonroll")
    path.write_bytes(path.read_text(encoding="utf-8").encode("utf-16"))
    load(place)
    rows = kept(place)["2024-spring/981_2024_spring_pupilonroll.csv"]
    assert rows[0]["surname"] == 'O"Neill, "Zoë"\nsecond line '
    assert [r["quarantine_row"] for r in rows] == ["2", "5"]


def test_two_files_of_one_name_are_kept_apart(place: Path) -> None:
    bad_return().write(place / "in" / "a")
    bad_return(estab=2002, first=0).write(place / "in" / "b")
    load(place)
    first = {n: c for n, c in kept(place).items() if "pupilonroll" in n}
    assert [len(rows) for rows in first.values()] == [1, 1]
    load(place)
    assert {n: c for n, c in kept(place).items() if "pupilonroll" in n} == first


def test_what_was_set_aside_is_not_read_as_an_extract(place: Path) -> None:
    bad_return().write(place / "in")
    load(place)
    # A store that lies in the folder that is loaded is left out; a file from it that is named is refused.
    assert load(place, place).rows_in == 4
    file = place / "store" / "quarantine" / "2024-spring" / "981_2024_spring_pupilonroll.csv"
    with pytest.raises(UnreadableFileError, match="earlier load set aside"):
        load(place, file)
    copied = place / "copied"
    copied.mkdir()
    (copied / file.name).write_bytes(file.read_bytes())
    assert {f.rule for f in screen_files([copied, place / "in"]).findings} == {"file_ignored", "upn_check_letter"}


def test_a_failure_while_writing_leaves_quarantine_as_it_was(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bad_return()
    made.write(place / "in")
    load(place)
    before = {p: p.read_bytes() for p in (place / "store").rglob("*") if p.is_file()}
    made.tables["pupilonroll"][1]["upn"] = ""
    made.write(place / "in")
    monkeypatch.setattr(
        "attendance_toolkit.store.write._merge_pupil_terms", lambda *a: (_ for _ in ()).throw(StoreError("stop"))
    )
    with pytest.raises(StoreError, match="stop"):
        load(place)
    assert {p: p.read_bytes() for p in (place / "store").rglob("*") if p.is_file()} == before
