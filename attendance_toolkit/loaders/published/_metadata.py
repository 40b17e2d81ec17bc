"""Files that describe data files: EES metadata, DfE's data dictionaries."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from attendance_toolkit.errors import UnreadableFileError
from attendance_toolkit.loaders.published._files import look_at
from attendance_toolkit.loaders.published._layouts import layout_of


def read_metadata(path: Path | str) -> list[dict[str, str]]:
    """Return the rows of a file that describes data files, as text by lower-case column name.

    Raises
    ------
    UnreadableFileError
        The file cannot be read, or is no such file.
    """
    file = Path(path)
    layout = layout_of(look_at(file))
    if layout is None or not layout.describes:
        raise UnreadableFileError(f"{file.name} does not describe a data file: it is no metadata or data dictionary.")
    try:
        text = file.read_text(encoding="utf-8-sig")
        rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        return [{str(name).strip().lower(): (value or "").strip() for name, value in row.items()} for row in rows]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFileError(
            f"{file.name} could not be read as comma-separated text: {error}. Download it again."
        ) from None
