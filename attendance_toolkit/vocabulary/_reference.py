"""Read the CSV tables in ``reference/``. Every row of them names its source."""

from __future__ import annotations

import csv
from importlib import resources


def read_reference(name: str) -> list[dict[str, str]]:
    """Return the rows of a reference table as dictionaries of text."""
    path = resources.files("attendance_toolkit.vocabulary").joinpath("reference", name)
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
