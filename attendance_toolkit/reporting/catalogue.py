"""The notebooks there are, by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from attendance_toolkit.errors import ReportError, did_you_mean

_FILE = re.compile(r"^(?P<number>\d\d)_(?P<name>[a-z0-9_]+)\.ipynb$")


@dataclass(frozen=True)
class NotebookEntry:
    """A deep dive: its name without the number, its file, and its first heading."""

    name: str
    number: str
    path: Path


def notebook_folder() -> Path:
    """Return the folder of the notebooks: in the package when installed, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if folder.is_dir() and any(folder.glob("*.ipynb")):
            return folder
    raise ReportError("The notebooks are missing from this installation. Install the toolkit again.")


def list_notebooks() -> tuple[NotebookEntry, ...]:
    """Return the notebooks in the order of their numbers."""
    found = []
    for path in sorted(notebook_folder().glob("*.ipynb")):
        match = _FILE.match(path.name)
        if match:
            found.append(NotebookEntry(match["name"], match["number"], path))
    return tuple(found)


def find_notebook(name: str) -> NotebookEntry:
    """Return the notebook of this name, with or without its number.

    Raises
    ------
    ReportError
        With the names to choose from.
    """
    entries = {entry.name: entry for entry in list_notebooks()}
    wanted = re.sub(r"^\d\d_", "", name.removesuffix(".ipynb").replace("-", "_"))
    if wanted not in entries:
        raise ReportError(
            f"There is no report '{name}'.{did_you_mean(wanted, entries)} Use one of: {', '.join(entries)}."
        )
    return entries[wanted]
