"""Fixtures more than one test folder uses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real data and golden files beside the repository, or skip.

    It is never part of the repository. ``ATTENDANCE_REQUIRE_SHARED=1`` makes its absence a failure.
    """
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "data" / "real").is_dir():
        message = "the folder ../shared with the real files is not here"
        if os.environ.get("ATTENDANCE_REQUIRE_SHARED") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def synthetic_store(tmp_path_factory) -> Path:
    """Return a small store of two synthetic authorities, made through the real loader."""
    from attendance_toolkit.loaders.load import load_files
    from attendance_toolkit.loaders.synthetic import make_synthetic

    folder = tmp_path_factory.mktemp("synthetic")
    make_synthetic(folder / "files", size="small", areas=["Irwell Bank", "Aldermoor"])
    load_files([folder / "files"], folder / "store", key_file=folder / "key", is_synthetic=True)
    return folder / "store"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file on one worker, and those of ``tests/release``, which share a release a minute in the making.

    A mark of a group would do, but pytest 9.2 no longer takes the names of tests that pytest-xdist 3.8 gives them for it.
    """
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "tests/release" if nodeid.startswith("tests/release/") else super()._split_scope(nodeid)

    return ByFile(config, log)
