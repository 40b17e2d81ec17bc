from __future__ import annotations

import json
import os
import stat
from datetime import date

import pytest

from attendance_toolkit.errors import DisclosureError, ReportError
from attendance_toolkit.reporting.register import Entry, add_entries, read_register
from attendance_toolkit.reporting.restricted import (
    is_restricted,
    open_restricted,
    purge,
    require_restricted,
)

DAY = date(2026, 11, 22)


@pytest.fixture
def room(tmp_path):
    return open_restricted(tmp_path / "inside", tmp_path / "out", 100, today=DAY)


def entry(file, until, **extra):
    return Entry(**{
        "file": file, "kind": "severe", "area": "Aldermoor", "academic_year": "2023/24", "school": "Oak (9812001)",
        "pupils": 3, "identified": "no", "purpose": "Reviews", "made_on": DAY, "retain_until": until, "sha256": "0" * 64,
        **extra,
    })  # fmt: skip


def test_a_new_folder_is_for_its_user_alone(room):
    assert {p.name for p in room.path.iterdir()} >= {"README.txt", "pages", "releases", "lists", ".gitignore"}
    if os.name == "posix":
        assert stat.S_IMODE(room.path.stat().st_mode) == 0o700
    text = (room.path / "README.txt").read_text(encoding="utf-8")
    assert text.startswith("OFFICIAL-SENSITIVE\n")
    assert "100 days" in text
    assert "2026-11-22" in text


def test_opening_again_changes_nothing_and_keeps_the_retention(room):
    before = {p: p.read_bytes() for p in room.path.rglob("*") if p.is_file()}
    assert open_restricted(room.path) == room
    assert open_restricted(room.path, retention_days=100, today=date(2030, 1, 1)) == room
    assert {p: p.read_bytes() for p in room.path.rglob("*") if p.is_file()} == before


def test_a_policy_may_change_the_retention(room):
    assert open_restricted(room.path, retention_days=30).retention_days == 30
    assert open_restricted(room.path).retention_days == 30
    text = (room.path / "README.txt").read_text(encoding="utf-8")
    assert "30 days" in text
    assert "Begun on 2026-11-22" in text


@pytest.mark.parametrize(("inside", "out"), [("a", "a"), ("a/b", "a"), ("a", "a/b"), ("a/../b", "b")])
def test_never_inside_or_around_the_folder_for_partners(tmp_path, inside, out):
    (tmp_path / "a").mkdir()
    with pytest.raises(DisclosureError, match="lie inside each other"):
        open_restricted(tmp_path / inside, tmp_path / out)
    assert not list(tmp_path.rglob("restricted.json"))


def test_a_link_does_not_hide_where_it_lies(tmp_path):
    (tmp_path / "out" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "out" / "deep")
    with pytest.raises(DisclosureError, match="lie inside each other"):
        open_restricted(tmp_path / "link", tmp_path / "out")


@pytest.mark.parametrize("place", ["OneDrive - Council/x", "dropbox/x"])
def test_never_in_a_folder_that_is_kept_in_step(tmp_path, place):
    with pytest.raises(DisclosureError, match="file-sharing service"):
        open_restricted(tmp_path / place)


def test_never_where_a_file_sharing_service_left_its_mark(tmp_path):
    (tmp_path / ".stfolder").mkdir()
    with pytest.raises(DisclosureError, match="file-sharing service"):
        open_restricted(tmp_path / "x")


def test_never_in_a_folder_of_pages_for_partners(tmp_path):
    (tmp_path / "sha256sums.txt").write_text("", encoding="utf-8")
    with pytest.raises(DisclosureError, match="folder of pages for partners"):
        open_restricted(tmp_path / "deep" / "x")


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir(mode=0o755)
    (tmp_path / "mine" / "notes.txt").write_text("x", encoding="utf-8")
    with pytest.raises(ReportError, match="holds other files"):
        open_restricted(tmp_path / "mine")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.skipif(os.name != "posix", reason="access is kept elsewhere on Windows")
def test_a_folder_everybody_can_open_is_refused(room):
    room.path.chmod(0o755)
    with pytest.raises(DisclosureError, match="Everybody on this computer"):
        open_restricted(room.path)
    room.path.chmod(0o770)
    open_restricted(room.path)


def test_a_damaged_marker_is_named(room):
    (room.path / "restricted.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ReportError, match=r"restricted\.json"):
        open_restricted(room.path)


def test_what_is_restricted(room, tmp_path):
    assert is_restricted(room.lists / "deep" / "er")
    assert not is_restricted(tmp_path)
    require_restricted(room.lists)
    with pytest.raises(DisclosureError, match="not part of a restricted folder"):
        require_restricted(tmp_path / "elsewhere")


# --- what is past its date ------------------------------------------------------------------------------------


@pytest.fixture
def full(room):
    """Two lists, two pages and a release, made on different days; 100 days are allowed."""
    (room.lists / "a.csv").write_text("old", encoding="utf-8")
    (room.lists / "b.csv").write_text("new", encoding="utf-8")
    add_entries(room.lists, [entry("a.csv", date(2026, 12, 31)), entry("b.csv", date(2027, 12, 31))])
    for name, day in (("old", "2026-09-22"), ("new", "2026-12-30")):
        page = room.pages / "aldermoor" / "2023-24" / name
        page.mkdir(parents=True)
        (page / "manifest.json").write_text(json.dumps({"made_on": day}), encoding="utf-8")
        release = room.releases / name
        release.mkdir()
        (release / "release.json").write_text(json.dumps({"made_on": day}), encoding="utf-8")
    return room


def test_purge_lists_and_deletes_nothing(full):
    before = sorted(p for p in full.path.rglob("*"))
    found = purge(full.path, date(2027, 1, 1))
    assert [str(item) for item in found] == [
        "lists/a.csv: pupil list, to be kept until 2026-12-31",
        "pages/aldermoor/2023-24/old: internal page, to be kept until 2026-12-31",
        "releases/old: release with exact figures, to be kept until 2026-12-31",
    ]
    assert purge(full.path, date(2026, 12, 31)) == []
    assert sorted(p for p in full.path.rglob("*")) == before


def test_purge_deletes_when_told_and_the_register_remembers(full):
    assert len(purge(full.path, date(2027, 1, 1), delete=True)) == 3
    assert not (full.lists / "a.csv").exists()
    assert not (full.releases / "old").exists()
    assert (full.pages / "aldermoor" / "2023-24" / "new").is_dir()
    assert [(e.file, e.deleted_on) for e in read_register(full.lists)] == [("a.csv", "2027-01-01"), ("b.csv", "")]
    assert purge(full.path, date(2027, 1, 1)) == []


def test_purge_never_leaves_the_folder(full, tmp_path):
    precious = tmp_path / "precious.csv"
    precious.write_text("x", encoding="utf-8")
    add_entries(full.lists, [entry("../../precious.csv", date(2020, 1, 1))])
    assert len(purge(full.path, date(2027, 1, 1), delete=True)) == 3
    assert precious.exists()
    with pytest.raises(DisclosureError, match="not a restricted folder"):
        purge(tmp_path, date(2030, 1, 1), delete=True)


def test_a_release_without_a_day_counts_from_its_file(full):
    (full.releases / "new" / "release.json").write_text("{}", encoding="utf-8")
    os.utime(full.releases / "new" / "release.json", (0, 0))
    assert "releases/new" in {item.path.as_posix() for item in purge(full.path, DAY)}


def test_a_damaged_register_is_named_by_row(full):
    register = full.lists / "lists.csv"
    register.write_text(register.read_text(encoding="utf-8").replace("2027-12-31", "soon"), encoding="utf-8")
    with pytest.raises(ReportError, match=r"lists\.csv, row 3"):
        purge(full.path, DAY)


def test_the_register_is_no_formula_and_keeps_its_words(room):
    add_entries(room.lists, [entry("a.csv", DAY, purpose="=1+1", school="École, Élan")])
    add_entries(room.lists, [entry("b.csv", DAY)])
    assert "'=1+1" in (room.lists / "lists.csv").read_text(encoding="utf-8")
    assert read_register(room.lists)[0].school == "École, Élan"
    assert [e.file for e in read_register(room.lists)] == ["a.csv", "b.csv"]
