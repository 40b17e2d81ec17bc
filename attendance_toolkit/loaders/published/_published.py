"""``read_published`` and what it returns."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from attendance_toolkit.errors import StoreError, UnreadableFileError
from attendance_toolkit.loaders.published._files import Source, find_files, look_at, sha256_of
from attendance_toolkit.loaders.published._layouts import nearest, recognise
from attendance_toolkit.loaders.published._readers import READERS, Part
from attendance_toolkit.loaders.published._values import canonical_code
from attendance_toolkit.vocabulary.areas import find_area, local_authorities_in
from attendance_toolkit.vocabulary.calendar import parse_academic_year
from attendance_toolkit.vocabulary.columns import CELL_COUNTS, MEASURE_CORE, PUBLISHED_GROUPS

CELLS_COLUMNS = (*PUBLISHED_GROUPS, *CELL_COUNTS, "source_file", "source_row")
RATES_COLUMNS = (
    *PUBLISHED_GROUPS,
    *MEASURE_CORE,
    "reason",
    "printed",
    "decimals",
    "source_file",
    "source_row",
)
SYMBOLS_COLUMNS = (*PUBLISHED_GROUPS, "count", "symbol", "source_file", "source_row")
_KEYS = {
    "cells": list(PUBLISHED_GROUPS),
    "rates": [*PUBLISHED_GROUPS, "measure", "reason"],
    "symbols": [*PUBLISHED_GROUPS, "count"],
}
_FORMAT = 1


@dataclass(frozen=True)
class Unrecognised:
    """A file of a folder that was not read, and why. ``path`` is relative to the folder given."""

    path: str
    reason: str

    @property
    def name(self) -> str:
        """Return the file's name without its folder."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Provenance:
    """One file that was read."""

    name: str
    sha256: str
    dataset: str
    rows: int
    """Rows in the file, without a header."""
    left_out: tuple[tuple[str, int], ...]
    """Reason -> rows that were not read."""


@dataclass(frozen=True, eq=False)
class Published:
    """Published figures in the toolkit's own shapes.

    Attributes
    ----------
    cells
        Counts: PUBLISHED_GROUPS, CELL_COUNTS (``Int64``; <NA> where the file has no such count or a
        symbol stands for it), ``source_file``, ``source_row``. A sum over a count that is missing is not
        0: add with ``min_count=1``.
    rates
        Published rates as MEASURE rows: PUBLISHED_GROUPS, MEASURE_CORE, ``reason`` ("All" but for
        reason_rate), ``printed`` (the text of the file), ``decimals`` (to which its publisher rounds it;
        <NA> if it does not), ``source_file``, ``source_row``.
    symbols
        Cells of ``cells`` that hold a symbol instead of a number: groups, ``count``, ``symbol``.
    provenance
        The files read.
    unrecognised
        Files of the folders given that were not read.
    """

    cells: pd.DataFrame
    rates: pd.DataFrame
    symbols: pd.DataFrame
    provenance: tuple[Provenance, ...]
    unrecognised: tuple[Unrecognised, ...]

    def select(self, areas: Iterable[str] | None = None, years: Iterable[int | str] | None = None) -> Published:
        """Return the rows of some areas (names or codes) and academic years; None means all.

        A combined authority stands for its local authorities. Nothing found gives empty frames.
        """
        codes = None if areas is None else area_codes(areas)
        wanted = None if years is None else {parse_academic_year(year) for year in years}

        def pick(frame: pd.DataFrame) -> pd.DataFrame:
            kept = pd.Series(True, index=frame.index)
            if codes is not None:
                kept &= frame["area_code"].isin(codes)
            if wanted is not None:
                kept &= frame["academic_year"].isin(wanted)
            return frame[kept].reset_index(drop=True)

        return Published(pick(self.cells), pick(self.rates), pick(self.symbols), self.provenance, self.unrecognised)

    def summary(self) -> pd.DataFrame:
        """Return what is covered: a row per dataset, year and period, with areas by level and phases."""
        keys = ["series", "dataset", "academic_year", "period"]
        names = [*keys, "area_code", "area_level", "phase"]
        rows = pd.concat([self.cells[names], self.rates[names]]).drop_duplicates()
        if rows.empty:
            return pd.DataFrame(columns=[*keys, "local_authorities", "regions", "national", "phases"])
        areas = rows.drop_duplicates([*keys, "area_code"])
        counts = areas.groupby([*keys, "area_level"]).size().unstack(fill_value=0)
        result = pd.DataFrame(
            {
                "local_authorities": counts.get("Local authority", 0),
                "regions": counts.get("Regional", 0),
                "national": counts.get("National", 0),
                "phases": rows.groupby(keys)["phase"].agg(lambda p: ", ".join(sorted(set(p)))),
            }
        )
        return result.reset_index()

    def save(self, folder: Path | str) -> Path:
        """Write the frames as Parquet into a folder, whole or not at all; return the folder.

        A folder that already holds saved figures is replaced; any other content is left alone.
        """
        target = Path(folder)
        if target.exists() and (not target.is_dir() or (any(target.iterdir()) and not _is_saved(target))):
            raise StoreError(f"'{target}' holds something else. Give an empty folder or a new one.")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
        try:
            for name in _KEYS:
                table = pa.Table.from_pandas(getattr(self, name), preserve_index=False)
                pq.write_table(table, part / f"{name}.parquet", compression="zstd")
            about = {
                "format": _FORMAT,
                "kind": "attendance-toolkit published figures",
                "provenance": [vars(row) | {"left_out": dict(row.left_out)} for row in self.provenance],
                "unrecognised": [vars(row) for row in self.unrecognised],
            }
            (part / "published.json").write_text(json.dumps(about, indent=1, sort_keys=True), encoding="utf-8")
            if target.exists():
                shutil.rmtree(target)
            part.replace(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return target

    @classmethod
    def open(
        cls,
        folder: Path | str,
        *,
        areas: Iterable[str] | None = None,
        years: Iterable[int | str] | None = None,
    ) -> Published:
        """Return figures written by ``save``, of some areas and years only if asked.

        Raises
        ------
        StoreError
            The folder does not hold saved figures, or those of another version.
        """
        source = Path(folder)
        if not _is_saved(source):
            raise StoreError(f"'{source}' does not hold saved published figures.")
        try:
            about = json.loads((source / "published.json").read_text(encoding="utf-8"))
            if about.get("format") != _FORMAT:
                raise StoreError(f"'{source}' was saved by another version. Read the published files again.")
            # ParquetFile, not read_table: the latter loads pyarrow's dataset machinery for most of a second.
            tables = {name: pq.ParquetFile(source / f"{name}.parquet").read() for name in _KEYS}
            if areas is not None:
                codes = pa.array(sorted(area_codes(areas)))
                tables = {n: t.filter(pc.is_in(t["area_code"], codes)) for n, t in tables.items()}
            if years is not None:
                wanted = pa.array(sorted({parse_academic_year(year) for year in years}), pa.int64())
                tables = {n: t.filter(pc.is_in(t["academic_year"], wanted)) for n, t in tables.items()}
            frames = {name: table.to_pandas() for name, table in tables.items()}
            return cls(
                frames["cells"],
                frames["rates"],
                frames["symbols"],
                tuple(
                    Provenance(**row | {"left_out": tuple(sorted(row["left_out"].items()))})
                    for row in about["provenance"]
                ),
                tuple(Unrecognised(**row) for row in about["unrecognised"]),
            )
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise StoreError(
                f"'{source}' is damaged ({type(error).__name__}). Read the published files again."
            ) from None


def area_codes(areas: Iterable[str]) -> set[str]:
    """Return the codes under which published rows of some areas (names or codes) are found.

    >>> sorted(area_codes(["Greater Manchester"]))[-1], area_codes(["E08000016"]) == area_codes(["Barnsley"])
    ('E08000010', True)
    """
    codes: set[str] = set()
    for name in areas:
        area = find_area(name)
        if area.level == "Combined authority":
            codes |= {inner.code for inner in local_authorities_in(area)}
        elif area.level == "Local authority":
            codes.add(canonical_code(area.dfe_code, area.code))
        else:
            codes.add(area.code)
    return codes


def read_published(paths: Sequence[Path | str] | Path | str, *, areas: Sequence[str] | None = None) -> Published:
    """Read published DfE files into cells and rates, each recognised by its content.

    Parameters
    ----------
    paths
        Files or folders (searched to any depth for .csv and .csv.gz). Two copies of a file are read once.
        Where two editions of a data set give the same figure, the edition that reaches the later year is
        kept.
    areas
        Names or codes of the areas to keep; None keeps all. A combined authority stands for its local
        authorities.

    Raises
    ------
    UnreadableFileError
        A named file has no known layout (the message names the nearest); a file cannot be read; a cell
        is neither a number nor a symbol; two editions disagree and neither is later.
    UnknownAreaError
        A name in ``areas`` is not an area.
    """
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    codes = None if areas is None else area_codes(areas)
    provenance: list[Provenance] = []
    unrecognised: list[Unrecognised] = []
    parts: list[Part] = []
    seen: set[str] = set()
    con = duckdb.connect()
    con.execute("SET preserve_insertion_order = true")
    try:
        for path, shown in find_files(given):
            try:
                source = look_at(path)
            except UnreadableFileError as error:
                if not shown:
                    raise
                unrecognised.append(Unrecognised(shown, str(error)))
                continue
            layout = recognise(source)
            if layout is None or layout.unread:
                reason = f"{layout.title}: {layout.unread}" if layout else "no known layout"
                if not shown:
                    raise UnreadableFileError(_not_read(source, reason if layout else ""))
                unrecognised.append(Unrecognised(shown, reason))
                continue
            digest = sha256_of(path)
            if digest in seen:
                continue
            seen.add(digest)
            part = READERS[layout.name](con, source, layout)
            left = tuple(sorted(part.left_out.items()))
            provenance.append(Provenance(source.name, digest, layout.name, part.rows, left))
            parts.append(part)
    finally:
        con.close()
    frames = {
        "cells": _frame([p.cells for p in parts], CELLS_COLUMNS, codes),
        "rates": _frame([p.rates for p in parts], RATES_COLUMNS, codes),
        "symbols": _frame([p.symbols for p in parts], SYMBOLS_COLUMNS, codes),
    }
    for name in ("cells", "rates"):
        frames[name] = _latest_edition(frames[name], _KEYS[name])
    frames["symbols"] = frames["symbols"].drop_duplicates(_KEYS["symbols"], keep="last", ignore_index=True)
    return Published(**frames, provenance=tuple(provenance), unrecognised=tuple(unrecognised))


def _is_saved(folder: Path) -> bool:
    return (folder / "published.json").is_file()


def _not_read(source: Source, reason: str) -> str:
    if reason:
        return f"{source.name} is recognised but not read: {reason}."
    return f"{source.name} is not a published file this toolkit knows. {nearest(source)}"


_WHOLE = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int64Dtype()}


def _frame(tables: list[pa.Table | None], columns: Sequence[str], codes: set[str] | None) -> pd.DataFrame:
    """Return the tables one under the other, in the order of the files."""
    given = [table.select(list(columns)) for table in tables if table is not None and table.num_rows]
    if not given:
        empty = {name: pd.Series(dtype="Int64" if name in CELL_COUNTS else "str") for name in columns}
        return pd.DataFrame(empty)
    whole = pa.concat_tables(given, promote_options="permissive")
    if codes is not None:
        whole = whole.filter(pc.is_in(whole["area_code"], pa.array(sorted(codes))))
    frame = whole.to_pandas(types_mapper=_WHOLE.get)
    for name in ("academic_year", "source_row"):
        frame[name] = frame[name].astype("int64")
    for name in ("numerator", "denominator", "rate", "lower", "upper"):
        if name in frame:
            frame[name] = frame[name].astype("float64")
    return frame


def _latest_edition(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the frame with one row per key: that of the file which reaches the later academic year.

    Raises
    ------
    UnreadableFileError
        A key is twice in one file, or two files that reach the same year give different figures.
    """
    twice = frame.duplicated(keys, keep=False)
    if not twice.any():
        return frame
    reach = frame.groupby(["dataset", "source_file"])["academic_year"].transform("max")
    several = frame[twice].assign(_reach=reach[twice])
    same_file = several.duplicated([*keys, "source_file"])
    if same_file.any():
        row = several[same_file].iloc[0]
        raise UnreadableFileError(
            f"{row['source_file']}, row {row['source_row']}: the same {row['dataset']} figure for"
            f" {row['area_code']}, {row['academic_year']}, {row['phase']} is there more than once."
        )
    values = [name for name in frame.columns if name not in {*keys, "source_file", "source_row"}]
    ranked = several.sort_values("_reach", kind="stable")
    last = ranked.drop_duplicates(keys, keep="last")
    tied = ranked.merge(last[[*keys, "_reach"]], on=[*keys, "_reach"])
    distinct = tied.drop_duplicates([*keys, *values])
    conflict = distinct[distinct.duplicated(keys, keep=False)]
    if not conflict.empty:
        first, second = conflict.sort_values(keys, kind="stable").iloc[:2].to_dict("records")
        raise UnreadableFileError(
            f"{first['source_file']} (row {first['source_row']}) and {second['source_file']}"
            f" (row {second['source_row']}) give different figures for {first['area_code']},"
            f" {first['academic_year']}, {first['phase']}. Keep the later edition only."
        )
    dropped = several.index.difference(last.index)
    return frame.drop(index=dropped).reset_index(drop=True)
