"""What the manifest of a store notes of a file that was loaded."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from attendance_toolkit.loaders._return_files import FileCount


def entry_of(
    name: str, sha256: str, *, table: str, layout: str, census: str, count: FileCount, schools: Iterable[int] = ()
) -> dict:
    """Return the entry of a file, or of one of its tables, for the manifest.

    Parameters
    ----------
    name, sha256
        The file as the user gave it.
    table
        Which table of the layout it is: a store knows a file by its census, name and table.
    census
        Name of the census, or of the collection its sessions are kept in; "" for a file without sessions.
    count
        Rows read, loaded and set aside.
    schools
        LAESTABs of the schools it holds: a later load of all of them takes the entry's place.
    """
    return {
        "file": name, "table": table, "layout": layout, "census": census, "sha256": sha256,
        "rows_in": count.rows_in, "rows_loaded": count.rows_loaded, "rows_quarantined": count.rows_quarantined,
        "schools": sorted(schools), "loaded_on": date.today().isoformat(),
    }  # fmt: skip
