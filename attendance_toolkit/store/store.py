"""Open a store and read PUPIL_TERM rows from it, lazily."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

import duckdb

from attendance_toolkit.errors import NoDataError, StoreError, UnknownColumnError, did_you_mean
from attendance_toolkit.vocabulary.areas import find_area
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import PUPIL_TERM

#: Raised when the layout of a store changes so that an older one cannot be read.
FORMAT = 1
MANIFEST = "manifest.json"
#: What a store is made of: these, and nothing else, are exchanged when a load is finished.
CONTENTS = ("pupil_term", "parts", "quarantine", MANIFEST)
PREVIOUS = ".previous"
PREPARED = ".prepared"
LOCK = ".loading"


def recover(root: Path) -> None:
    """Finish or undo an exchange of contents that was cut off: the store is then as before, or as after."""
    previous = root / PREVIOUS
    if not previous.is_dir():
        return
    if not (previous / "complete").exists():
        all_moved = (previous / "moved").exists()
        for name in CONTENTS:
            old, now = previous / name, root / name
            # Once all old contents are out of the way, whatever stands in their place is new.
            if (old.exists() or all_moved) and now.exists():
                shutil.rmtree(now) if now.is_dir() else now.unlink()
            if old.exists():
                old.replace(now)
    shutil.rmtree(previous, ignore_errors=True)


def is_store(folder: Path) -> bool:
    """Whether a folder is a store, or one a load is writing into."""
    return (folder / MANIFEST).is_file() and (folder / "quarantine").is_dir()


class Store:
    """A folder of PUPIL_TERM rows in Parquet, by local authority and academic year.

    Layout: ``manifest.json``; ``pupil_term/la_code=…/academic_year=…/part.parquet``; ``parts/``, what each
    return said, from which PUPIL_TERM is made again when another return is loaded; and ``quarantine/``, the
    rows set aside as they were read. That restricted folder is the only one with UPNs, names or dates of birth.
    """

    def __init__(self, path: Path, manifest: dict, *, memory_limit: str | None = None) -> None:
        self.path = path
        self.manifest = manifest
        self._memory_limit = memory_limit
        self._connection: duckdb.DuckDBPyConnection | None = None

    @classmethod
    def open(cls, path: str | Path, *, memory_limit: str | None = None) -> Store:
        """Return the store in a folder.

        Parameters
        ----------
        path
            The folder.
        memory_limit
            Most memory the store's own connection may use, such as "2GB"; more is spilt to disk.

        Raises
        ------
        StoreError
            There is no store, it is damaged, or it is of another version. The message says what to do.
        """
        root = Path(path)
        if not root.is_dir():
            raise StoreError(
                f"There is no store at '{root.name}'. Make one with: attendance load FILE… --store {root.name}"
            )
        if (root / PREVIOUS).is_dir():
            if (root / LOCK).exists():
                raise StoreError(
                    f"A load into '{root.name}' is being finished. Try again; if none is running, delete the file"
                    f" {LOCK} in it."
                )
            recover(root)
        file = root / MANIFEST
        if not file.is_file():
            raise StoreError(
                f"'{root.name}' is not a store: it has no {MANIFEST}."
                f" Make one with: attendance load FILE… --store {root.name}"
            )
        try:
            manifest = json.loads(file.read_text(encoding="utf-8"))
            version, partitions = manifest["version"], manifest["partitions"]
        except (OSError, ValueError, KeyError, TypeError):
            raise StoreError(
                f"The store '{root.name}' is damaged: {MANIFEST} cannot be read. Load the files again."
            ) from None
        if version != FORMAT:
            raise StoreError(
                f"The store '{root.name}' is of version {version}; this toolkit reads version {FORMAT}."
                " Load the files again into a new folder."
            )
        for part in partitions:
            data = root / _partition(part["la_code"], part["academic_year"])
            if not data.is_file() or data.stat().st_size != part["bytes"]:
                raise StoreError(
                    f"The store '{root.name}' is damaged: the rows of {part['la_code']},"
                    f" {show_academic_year(part['academic_year'])} are missing or changed. Load the files again."
                )
        return cls(root, manifest, memory_limit=memory_limit)

    @property
    def is_synthetic(self) -> bool:
        """Whether the rows describe made-up pupils."""
        return bool(self.manifest["is_synthetic"])

    def academic_years(self) -> list[int]:
        """Return the academic years with rows, oldest first."""
        return sorted({p["academic_year"] for p in self.manifest["partitions"]})

    def la_codes(self) -> list[str]:
        """Return the nine-character codes of the local authorities with rows."""
        return sorted({p["la_code"] for p in self.manifest["partitions"]})

    def rows(self) -> int:
        """Return the number of PUPIL_TERM rows."""
        return sum(p["rows"] for p in self.manifest["partitions"])

    def connection(self) -> duckdb.DuckDBPyConnection:
        """Return the store's own connection, made on first use."""
        if self._connection is None:
            self._connection = duckdb.connect()
            if self._memory_limit:
                self._connection.execute("SET memory_limit = $limit", {"limit": self._memory_limit})
        return self._connection

    def pupil_terms(
        self,
        la_codes: Collection[str] | None = None,
        academic_years: Collection[int] | None = None,
        columns: Sequence[str] | None = None,
    ) -> duckdb.DuckDBPyRelation:
        """Return PUPIL_TERM rows as a lazy relation on the store's own connection.

        Parameters
        ----------
        la_codes
            Nine-character codes; None means all.
        academic_years
            Six-digit years such as 202324; None means all.
        columns
            Columns of PUPIL_TERM to read; None means all. Nothing is read before the relation is used, and
            then only the columns it needs.

        Raises
        ------
        NoDataError
            The store has no rows for that selection; the message names what is there.
        UnknownColumnError
            A column is not in PUPIL_TERM.
        """
        wanted = [
            part
            for part in self.manifest["partitions"]
            if (la_codes is None or part["la_code"] in la_codes)
            and (academic_years is None or part["academic_year"] in academic_years)
        ]
        if not wanted:
            years = ", ".join(show_academic_year(y) for y in self.academic_years()) or "no year"
            areas = ", ".join(f"{find_area(c).name} ({c})" for c in self.la_codes()) or "no authority"
            raise NoDataError(f"The store has no rows for that choice. It holds {areas} for {years}.")
        for name in columns or ():
            if name not in PUPIL_TERM:
                raise UnknownColumnError(
                    f"'{name}' is not a column of the store.{did_you_mean(name, PUPIL_TERM)}"
                    f" There are: {', '.join(PUPIL_TERM)}."
                )
        paths = [str(self.path / _partition(p["la_code"], p["academic_year"])) for p in wanted]
        select = ", ".join(columns or PUPIL_TERM)
        listed = ", ".join("'" + p.replace("'", "''") + "'" for p in paths)
        return self.connection().sql(f"SELECT {select} FROM read_parquet([{listed}], hive_partitioning = false)")

    def close(self) -> None:
        """Close the store's connection; relations made from it can no longer be used."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _partition(la_code: str, academic_year: int) -> Path:
    return Path("pupil_term", f"la_code={la_code}", f"academic_year={academic_year}", "part.parquet")
