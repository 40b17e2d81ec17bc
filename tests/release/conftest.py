"""A release as a user makes it: made-up pupils in files, a store, the command line; and what came of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from attendance_toolkit.cli import main
from attendance_toolkit.disclosure.cleared import ClearedRelease
from attendance_toolkit.loaders.load import load_files
from attendance_toolkit.loaders.synthetic import make_synthetic
from tests.release.canaries import Canary, plant

AUTHORITIES = ("Irwell Bank", "Aldermoor")
COMBINED = "Greater Weirdale"
REPORTS = ("overview", "data_quality")


@dataclass(frozen=True)
class Made:
    """A release on disk, and the folders its notebooks were given (``seen``)."""

    folder: Path
    canaries: tuple[Canary, ...]
    answer: Result

    @property
    def out(self) -> Path:
        """What goes to partners."""
        return self.folder / "reports"

    @property
    def restricted(self) -> Path:
        """What stays inside."""
        return self.folder / "reports-restricted"

    @property
    def store(self) -> Path:
        """The authority's store."""
        return self.folder / "store"

    @property
    def key(self) -> Path:
        """The key of its pseudonyms."""
        return self.folder / "key"

    @property
    def files(self) -> Path:
        """The census files."""
        return self.folder / "files"

    @property
    def seen(self) -> Path:
        """The cleared tables of every page, as its notebook had them."""
        return self.folder / "seen"

    @property
    def release(self) -> Path:
        """The restricted folder of the release."""
        (place,) = (self.restricted / "releases").iterdir()
        return place


def attendance(*arguments: object) -> Result:
    """Run the command and return how it ended and what it said."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """Keep a copy of the cleared tables that notebooks are given, which a run deletes when it ends."""
    save = ClearedRelease.save_for

    def save_twice(self: ClearedRelease, place: Path, *page: str) -> Path:
        save(self, folder, *page)
        return save(self, place, *page)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClearedRelease, "save_for", save_twice)
        yield


@pytest.fixture(scope="session")
def planted(tmp_path_factory) -> Made:
    """Files with canaries and the store made of them, before any report."""
    folder = tmp_path_factory.mktemp("release")
    make_synthetic(folder / "files", size="sample", areas=AUTHORITIES, first_year="2022/23")
    canaries = tuple(plant(folder / "files"))
    loaded = load_files([folder / "files"], folder / "store", key_file=folder / "key", is_synthetic=True)
    assert loaded.report.exit_code == 0, loaded.report.to_text()
    return Made(folder, canaries, Result(CliRunner(), b"", b"", b"", None, 0, None))


@pytest.fixture(scope="session")
def made(planted) -> Made:
    """All pages of two authorities and their combined authority, for both audiences, by the command line."""
    with kept(planted.seen):
        answer = attendance(
            "report", *REPORTS, "--area", "all", "--area", COMBINED, "--year", "2023/24", "--store", planted.store,
            "--out", planted.out, "--key", planted.key, "--audience", "both", "--contact", "Attendance team",
        )  # fmt: skip
    assert answer.exit_code == 0, answer.output
    return Made(planted.folder, planted.canaries, answer)


@pytest.fixture
def copy(made, tmp_path) -> Made:
    """A copy of the release that a test may spoil. The store is not copied."""
    for name in ("reports", "reports-restricted"):
        shutil.copytree(made.folder / name, tmp_path / name)
    return Made(tmp_path, made.canaries, made.answer)
