"""Open a store and read PUPIL_TERM rows from it, lazily."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from attendance_toolkit.errors import NoDataError, ParameterError, StoreError, UnknownColumnError, did_you_mean
from attendance_toolkit.store._files import parquet, parquet_with
from attendance_toolkit.store.parts import (
    COLLECTIONS,
    DESTINATION_COLUMNS,
    FLAG_COLUMNS,
    MARK_COLUMNS,
    MEETING_COLUMNS,
    RECORD_COLUMNS,
    SUPPORT_COLUMNS,
)
from attendance_toolkit.store.screening import SCREENING, read_screening
from attendance_toolkit.vocabulary.areas import find_area
from attendance_toolkit.vocabulary.calendar import WHOLE_YEAR, show_academic_year
from attendance_toolkit.vocabulary.columns import PUPIL_TERM

if TYPE_CHECKING:
    import pandas as pd

#: Raised when the layout of a store changes.
FORMAT = 2
#: Stores of version 1 hold sessions of the census only, and are read as they are.
READABLE = (1, FORMAT)
MANIFEST = "manifest.json"
#: Keyed digests of what identifies pupils (``store.identifiers``).
IDENTIFIERS = "identifiers.parquet"
#: What a store is made of: these, and nothing else, are exchanged when a load is finished.
CONTENTS = ("pupil_term", "parts", "quarantine", IDENTIFIERS, SCREENING, MANIFEST)
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

    Layout: ``manifest.json``; ``pupil_term/la_code=…/academic_year=…/part.parquet`` with the sessions of the census,
    and ``collection=…/part.parquet`` beside it with those of registers, portal lists and transfer files; ``parts/``,
    what each return said, from which PUPIL_TERM is made again when another return is loaded; and ``quarantine/``, the
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
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise StoreError(
                f"The store '{root.name}' is damaged: {MANIFEST} cannot be read. Load the files again."
            ) from None
        if version not in READABLE:
            raise StoreError(
                f"The store '{root.name}' is of version {version}; this toolkit reads version {FORMAT}."
                " Load the files again into a new folder."
            )
        for part in partitions:
            data = root / _partition(*place_of(part))
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

    def screening(self) -> dict:
        """Return what screening said about the files loaded, as ``ScreeningReport.to_dict`` gives it."""
        return read_screening(self.path)

    def schools(self) -> pd.DataFrame:
        """Return the schools known from lists and returns: SCHOOL_COLUMNS, one row each; no rows if none is."""
        from attendance_toolkit.store.schools import read_school_rows, settle_schools  # here: it loads pandas

        return settle_schools(read_school_rows(self.path))

    def destinations(self) -> duckdb.DuckDBPyRelation:
        """Return the schools offered to pupils: upn (pseudonym), academic_year (of entry), laestab; a row a pupil and year."""
        return self._listed("destinations", DESTINATION_COLUMNS)

    def rolls(self, academic_year: int) -> duckdb.DuckDBPyRelation:
        """Return who is on the roll of a school in the censuses of a year: upn, la_code, laestab, nc_year, census.

        A census of an autumn tells the rolls of a year whose sessions only later returns carry.
        """
        files = sorted((self.path / "parts" / "records").glob("census=*/la_code=*/part.parquet"))
        columns = "upn, la_code, laestab, nc_year, census"
        if not files:
            empty = ", ".join(f"NULL::{RECORD_COLUMNS[name]} AS {name}" for name in columns.split(", "))
            return self.connection().sql(f"SELECT {empty} WHERE false")
        return self.connection().sql(
            f"SELECT {columns} FROM {parquet(files)} WHERE academic_year = {int(academic_year)} AND nc_year IS NOT NULL"
            # Who left in the summer is in the return of the autumn, with the year group they left.
            " AND nc_year IS DISTINCT FROM nc_year_before"
        )

    def support_groups(self) -> duckdb.DuckDBPyRelation:
        """Return the pupils given support: upn (pseudonym), academic_year, support_group; a row a pupil, year and group."""
        return self._listed("support_groups", SUPPORT_COLUMNS)

    def flags(self) -> duckdb.DuckDBPyRelation:
        """Return what lists of pupil flags say: FLAG_COLUMNS, a row a pupil (pseudonym) and academic year; null is not known."""
        return self._listed("flags", FLAG_COLUMNS)

    def meetings(self) -> duckdb.DuckDBPyRelation:
        """Return the meetings with schools: laestab, academic_year, day, kind, colour (null if not said); a row a meeting."""
        return self._listed("meetings", MEETING_COLUMNS)

    def last_meeting(self, laestab: int, until: date | None = None) -> tuple[date, str, str | None] | None:
        """Return day, kind and colour of the last meeting with a school, None if there was none.

        Parameters
        ----------
        laestab
            The school.
        until
            The last day looked at; all by default.
        """
        found = self.meetings().filter(f"laestab = {int(laestab)}").order("day").select("day, kind, colour").fetchall()
        held = [row for row in found if until is None or row[0] <= until]
        return held[-1] if held else None

    def marks(
        self, la_codes: Collection[str] | None = None, academic_years: Collection[int] | None = None
    ) -> duckdb.DuckDBPyRelation:
        """Return single marks of registers as a lazy relation: MARK_COLUMNS; no rows where no register was loaded.

        Sessions marked twice alike are there once; those with marks that differ are not there.

        Parameters
        ----------
        la_codes
            Nine-character codes; None means all.
        academic_years
            Six-digit years such as 202324; None means all.
        """
        places = [
            place
            for place in self.marked()
            if (la_codes is None or place[0] in la_codes) and (academic_years is None or place[1] in academic_years)
        ]
        if places:
            files = [self.path / mark_file(*place) for place in places]
            return self.connection().sql(f"SELECT {', '.join(MARK_COLUMNS)} FROM {parquet(files)}")
        empty = ", ".join(f"NULL::{kind} AS {column}" for column, kind in MARK_COLUMNS.items())
        return self.connection().sql(f"SELECT {empty} WHERE false")

    def marked(self) -> list[tuple[str, int]]:
        """Return authority and academic year of the registers whose single marks the store has, in their order."""
        found = (self.path / "parts" / "marks").glob("academic_year=*/la_code=*/part.parquet")
        return sorted(
            (file.parent.name.partition("=")[2], int(file.parent.parent.name.partition("=")[2])) for file in found
        )

    def _listed(self, name: str, columns: dict[str, str]) -> duckdb.DuckDBPyRelation:
        files = sorted((self.path / "parts" / name).glob("academic_year=*/part.parquet"))
        return self.connection().sql(parquet_with(files, columns))

    def collections(self) -> dict[str, list[int]]:
        """Return where the sessions come from (census, register, portal, transfer) with the academic years of each."""
        found = {(place_of(p)[2], p["academic_year"]) for p in self.manifest["partitions"]}
        return {c: sorted(year for name, year in found if name == c) for c in COLLECTIONS if c in dict(found)}

    def rows(self) -> int:
        """Return the number of PUPIL_TERM rows, of all collections."""
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
        *,
        collection: str | None = None,
    ) -> duckdb.DuckDBPyRelation:
        """Return PUPIL_TERM rows as a lazy relation on the store's own connection.

        A school's term may be known from several collections. Added up it would count twice, so that each term of a
        school comes from one of them: the census, else registers, else portal lists, else transfer files. A figure for
        the whole year is used where the school has nothing better in any term.

        Parameters
        ----------
        la_codes
            Nine-character codes; None means all.
        academic_years
            Six-digit years such as 202324; None means all.
        columns
            Columns of PUPIL_TERM to read; None means all. Nothing is read before the relation is used, and
            then only the columns it needs.
        collection
            "census", "register", "portal" or "transfer" for the rows of that one alone.

        Raises
        ------
        NoDataError
            The store has no rows for that selection; the message names what is there.
        UnknownColumnError
            A column is not in PUPIL_TERM.
        ParameterError
            A collection of another name.
        """
        if collection is not None and collection not in COLLECTIONS:
            raise ParameterError(
                f"'{collection}' is not a collection.{did_you_mean(collection, COLLECTIONS)}"
                f" There are: {', '.join(COLLECTIONS)}."
            )
        wanted = [
            part
            for part in self.manifest["partitions"]
            if (la_codes is None or part["la_code"] in la_codes)
            and (academic_years is None or part["academic_year"] in academic_years)
            and (collection is None or place_of(part)[2] == collection)
        ]
        if not wanted:
            years = ", ".join(show_academic_year(y) for y in self.academic_years()) or "no year"
            areas = ", ".join(f"{find_area(c).name} ({c})" for c in self.la_codes()) or "no authority"
            sources = "; ".join(
                f"{name} {', '.join(map(show_academic_year, of))}" for name, of in self.collections().items()
            )
            asked = f" The sessions come from: {sources}." if collection else ""
            raise NoDataError(f"The store has no rows for that choice. It holds {areas} for {years}.{asked}")
        for name in columns or ():
            if name not in PUPIL_TERM:
                raise UnknownColumnError(
                    f"'{name}' is not a column of the store.{did_you_mean(name, PUPIL_TERM)}"
                    f" There are: {', '.join(PUPIL_TERM)}."
                )
        select = ", ".join(columns or PUPIL_TERM)
        paths: dict[str, list[Path]] = {}
        for place in map(place_of, wanted):
            paths.setdefault(place[2], []).append(self.path / _partition(*place))
        if len(paths) == 1:
            (files,) = paths.values()
            return self.connection().sql(f"SELECT {select} FROM {parquet(files)}")
        return self.connection().sql(f"SELECT {select} FROM ({_preferred(paths)})")

    def close(self) -> None:
        """Close the store's connection; relations made from it can no longer be used."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _partition(la_code: str, academic_year: int, collection: str = "census") -> Path:
    folder = Path("pupil_term", f"la_code={la_code}", f"academic_year={academic_year}")
    return folder / "part.parquet" if collection == "census" else folder / f"collection={collection}" / "part.parquet"


def mark_file(la_code: str, academic_year: int) -> Path:
    """Return where the single marks of an authority's year lie in a store."""
    return Path("parts", "marks", f"academic_year={academic_year}", f"la_code={la_code}", "part.parquet")


def place_of(part: dict) -> tuple[str, int, str]:
    """Return authority, academic year and collection of a partition of the manifest."""
    return part["la_code"], part["academic_year"], part.get("collection", "census")


def _preferred(paths: dict[str, list[Path]]) -> str:
    """Return SQL for the rows of each school and term from the first collection that has some.

    Figures for a whole year stand beside terms of their own collection (they are of other pupils), but give way to
    any better collection in the year.
    """
    every = " UNION ALL ".join(
        f"SELECT *, {COLLECTIONS.index(name)} AS preference FROM {parquet(files)}" for name, files in paths.items()
    )
    few = " UNION ALL ".join(
        f"SELECT laestab, academic_year, term, {COLLECTIONS.index(name)} AS preference FROM {parquet(files)}"
        for name, files in paths.items()
    )
    return f"""
        WITH places AS (SELECT DISTINCT * FROM ({few})),
        years AS (SELECT laestab, academic_year, min(preference) AS best FROM places GROUP BY ALL),
        kept AS (
            SELECT p.* FROM places p JOIN years y USING (laestab, academic_year)
            WHERE p.term <> '{WHOLE_YEAR}' OR p.preference = y.best
        ),
        chosen AS (
            SELECT k.laestab, k.academic_year, k.term, k.preference FROM kept k
            ANTI JOIN (
                -- A better collection in the same term, or with a figure for the whole year.
                SELECT a.laestab, a.academic_year, a.term, a.preference FROM kept a
                JOIN kept b USING (laestab, academic_year)
                WHERE b.preference < a.preference AND (b.term = a.term OR b.term = '{WHOLE_YEAR}')
            ) o USING (laestab, academic_year, term, preference)
        )
        SELECT e.* FROM ({every}) e JOIN chosen USING (laestab, academic_year, term, preference)"""
