"""Files fetched from the public API: human labels in the header, and beside the file which column each stands for."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from attendance_toolkit.errors import UnreadableFileError

_PROVENANCE = ".provenance.json"


def provenance_of(path: Path) -> Path:
    """Return the provenance file of a fetched CSV."""
    return path.with_name(path.name + _PROVENANCE)


def own_names(path: Path, header: Sequence[str]) -> list[str]:
    """Return a header under the data set's own column names; as it is for a file without provenance.

    Raises
    ------
    UnreadableFileError
        The provenance is damaged.
    """
    names = [name.strip() for name in header]
    beside = provenance_of(path)
    if not beside.is_file():
        return names
    try:
        labels: dict[str, str] = json.loads(beside.read_text(encoding="utf-8"))["columns"]
        return [labels.get(name, name) for name in names]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UnreadableFileError(f"{beside.name} is damaged. Fetch {path.name} again.") from None


def translate(path: Path | str, folder: Path | str) -> Path:
    """Return a fetched file under the data set's own column names: itself if it has them, else a copy.

    The API writes human labels ("Number of pupil enrolments") where the published file has column names
    ("enrolments"). The provenance beside the file says which is which. Only the header is changed.

    Parameters
    ----------
    path
        A CSV from ``EesApi.download_csv``, or any other, which is returned as it is.
    folder
        Where a copy is written, under the same name.

    Raises
    ------
    UnreadableFileError
        Two columns would have one name, or the provenance cannot be read.
    """
    source = Path(path)
    if not provenance_of(source).is_file():
        return source
    with source.open("rb") as handle:
        first = handle.readline()
        names = next(csv.reader([first.decode("utf-8-sig").rstrip("\r\n")]), [])
        ours = own_names(source, names)
        if ours == [name.strip() for name in names]:
            return source
        twice = sorted({name for name in ours if ours.count(name) > 1})
        if twice:
            raise UnreadableFileError(
                f"{source.name}: two columns would be '{twice[0]}' by their labels. Download the data set from the data"
                " catalogue instead."
            )
        target = Path(folder) / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as out:
            out.write((",".join(_cell(name) for name in ours) + "\n").encode())
            shutil.copyfileobj(handle, out)
    return target


def _cell(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if re.search(r'[",\r\n]', name) else name
