"""A real browser for the page tests. Without one they are skipped, unless the environment says it is required."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from attendance_toolkit.reporting.exporter import collect_outputs
from tests.unit.presentation.examples import full_notebook

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def _missing(reason: str) -> None:
    message = f"The page tests need a browser: {reason}"
    if os.environ.get("ATTENDANCE_REQUIRE_BROWSER") == "1":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium: the one in ATTENDANCE_BROWSER, one on the path, or playwright's own.

    For one module: while it is open, an event loop runs in the thread of all tests.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        _missing("playwright is not installed.")
    path = os.environ.get("ATTENDANCE_BROWSER") or next(filter(None, map(shutil.which, _NAMES)), None)
    with sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        except Error:
            _missing("no Chromium was found. Install one, or run: playwright install chromium")
        yield found
        found.close()


@pytest.fixture(scope="session")
def page_file(tmp_path_factory) -> Path:
    """A page with every kind of block."""
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(collect_outputs(full_notebook()).html, encoding="utf-8", newline="\n")
    return path
