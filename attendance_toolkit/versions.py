"""Which toolkit and which libraries made a page."""

from __future__ import annotations

import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

from attendance_toolkit import __version__

LIBRARIES = ("pandas", "numpy", "duckdb", "narwhals", "matplotlib", "statsmodels", "papermill", "nbconvert")


@cache
def toolkit_commit() -> str:
    """Return the commit of the checkout the toolkit runs from, or an empty string when it is installed."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return ""
    answer = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()


@cache
def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that make the figures and the page."""
    return {name: version(name) for name in LIBRARIES}


def toolkit_versions() -> str:
    """Return toolkit, commit and libraries in one line, for a page's footer."""
    commit = toolkit_commit()
    libraries = ", ".join(f"{name} {number}" for name, number in library_versions().items())
    return f"attendance-toolkit {__version__}{f' (commit {commit})' if commit else ''}; {libraries}"
