"""Fixtures more than one test folder uses."""

from __future__ import annotations

import os
from pathlib import Path

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
