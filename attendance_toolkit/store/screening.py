"""What screening said about the files a store is made of, kept beside them so that any page can show it."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from attendance_toolkit.errors import StoreError

SCREENING = "screening.json"


def read_screening(root: Path) -> dict:
    """Return the kept report: ``files``, ``findings`` and ``coverage``, as ``ScreeningReport.to_dict`` gives them.

    Raises
    ------
    StoreError
        The file is damaged.
    """
    path = root / SCREENING
    if not path.is_file():
        return {"files": [], "findings": []}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found["files"], list) or not isinstance(found["findings"], list):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise StoreError(f"{SCREENING} of the store '{root.name}' is damaged. Load the files again.") from None
    return found


def merge_screening(old: dict, new: dict, surviving: Collection[str]) -> dict:
    """Return the report of all loads: a file loaded again is described anew, a file no longer used is left out.

    Parameters
    ----------
    old, new
        Reports as ``ScreeningReport.to_dict`` gives them; of ``new`` everything else than files and findings is kept.
    surviving
        Names of the files the store is made of after the load.
    """
    again = {file["name"] for file in new["files"]}

    def stays(name: str) -> bool:
        return name in surviving and name not in again

    files = [file for file in old["files"] if stays(file["name"])]
    # A finding about several files at once was made from what the store then was; a new load makes its own.
    findings = [found for found in old["findings"] if stays(found["file"])]
    return {**new, "files": [*files, *new["files"]], "findings": [*findings, *new["findings"]]}
