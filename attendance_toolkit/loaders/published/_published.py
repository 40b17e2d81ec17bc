"""``read_published`` and what it returns."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from attendance_toolkit.errors import StoreError, UnreadableFileError
from attendance_toolkit.loaders.published._fetched import translate
from attendance_toolkit.loaders.published._files import (
    WORKBOOKS,
    Source,
    UnknownEditionError,
    find_files,
    look_at,
    sheet_as_csv,
)
from attendance_toolkit.loaders.published._frames import KEYS, one_frame, set_repeated_aside
from attendance_toolkit.loaders.published._layouts import Layout, layout_of, nearest
from attendance_toolkit.loaders.published._parts import Part
from attendance_toolkit.loaders.published._periods import PERIOD_YEAR
from attendance_toolkit.loaders.published._readers import READERS
from attendance_toolkit.loaders.published._values import canonical_code
from attendance_toolkit.schema.findings import Finding
from attendance_toolkit.store._files import sha256_of
from attendance_toolkit.vocabulary.areas import find_area, local_authorities_in
from attendance_toolkit.vocabulary.calendar import parse_academic_year
from attendance_toolkit.vocabulary.columns import ALL

_FORMAT = 2
_SCHOOL_CELLS = ("area_code", "academic_year", "laestab", "urn", "school_name", "phase", "group", "enrolments",
                 "sessions_possible", "sessions_missed")  # fmt: skip


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
    schools
        Rows of single schools: PUBLISHED_GROUPS (``area_level`` "School", ``area_code`` of the authority),
        ``laestab`` and ``urn`` (``Int64``), ``school_name``, ``academy_type``, CELL_COUNTS, ``sessions_overall``
        and the enrolments that missed at least one session (``missed_any...``). They are in no other frame.
    school_symbols
        Cells of ``schools`` that hold a symbol instead of a number.
    provenance
        The files read.
    unrecognised
        Files of the folders given that were not read.
    """

    cells: pd.DataFrame
    rates: pd.DataFrame
    symbols: pd.DataFrame
    schools: pd.DataFrame
    school_symbols: pd.DataFrame
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

        frames = {name: pick(getattr(self, name)) for name in KEYS}
        return Published(**frames, provenance=self.provenance, unrecognised=self.unrecognised)

    def school_cells(self, areas: Iterable[str] | None = None, year: int | str | None = None) -> pd.DataFrame:
        """Return counts of all pupils of single schools in the shape a rating of schools is made from.

        Parameters
        ----------
        areas
            Names or codes; None means all.
        year
            An academic year; None means the latest there is.

        Returns
        -------
        ``area_code``, ``academic_year``, ``laestab``, ``urn``, ``school_name``, ``phase``, ``group`` ("All pupils"),
        ``enrolments``, ``sessions_possible`` and ``sessions_missed`` (``Int64``; missing where a symbol stands), a row a
        school, in the order of area and number. Of the full-year census files alone; empty if none has schools.

        Raises
        ------
        UnknownAreaError
            A name is not an area.
        """
        rows = self.select(areas).schools
        whole_year = (rows["dataset"] == "annual_geography") & (rows["period"] == PERIOD_YEAR)
        rows = rows[whole_year & (rows["characteristic"] == ALL)]
        wanted = parse_academic_year(year) if year is not None else rows["academic_year"].max()
        rows = rows[rows["academic_year"] == wanted].sort_values(["area_code", "laestab"], kind="stable")
        rows = rows.assign(group="All pupils", sessions_missed=rows["sessions_overall"])
        return rows[list(_SCHOOL_CELLS)].reset_index(drop=True)

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
            for name in KEYS:
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
            tables = {name: pq.ParquetFile(source / f"{name}.parquet").read() for name in KEYS}
            if areas is not None:
                codes = pa.array(sorted(area_codes(areas)))
                tables = {n: t.filter(pc.is_in(t["area_code"], codes)) for n, t in tables.items()}
            if years is not None:
                wanted = pa.array(sorted({parse_academic_year(year) for year in years}), pa.int64())
                tables = {n: t.filter(pc.is_in(t["academic_year"], wanted)) for n, t in tables.items()}
            frames = {name: table.to_pandas() for name, table in tables.items()}
            return cls(
                **frames,
                provenance=tuple(
                    Provenance(**row | {"left_out": tuple(sorted(row["left_out"].items()))})
                    for row in about["provenance"]
                ),
                unrecognised=tuple(Unrecognised(**row) for row in about["unrecognised"]),
            )
        except (OSError, ValueError, KeyError, TypeError, RecursionError, pa.ArrowException) as error:
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


def read_published(
    paths: Sequence[Path | str] | Path | str,
    *,
    areas: Sequence[str] | None = None,
    findings: list[Finding] | None = None,
) -> Published:
    """Read published DfE files into cells and rates, each recognised by its content.

    Parameters
    ----------
    paths
        Files or folders (searched to any depth for CSV files and workbooks). Two copies of a file are read once.
        Where two editions of a data set give the same figure, the edition that reaches the later year is
        kept.
    areas
        Names or codes of the areas to keep; None keeps all. A combined authority stands for its local
        authorities.
    findings
        None: a cell that breaks a rule raises. A list: its row is set aside, counted in ``Provenance.left_out``,
        and a finding is added to the list.

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
    with con, tempfile.TemporaryDirectory(prefix="attendance-") as private:
        for path, shown in find_files(given):
            try:
                source = open_source(path, Path(private), findings)
            except UnreadableFileError as error:
                if not shown:
                    raise
                unrecognised.append(Unrecognised(shown, str(error)))
                continue
            layout = layout_of(source)
            if layout is None or layout.describes:
                reason = f"{layout.title}: it holds no figures" if layout else "no known layout"
                if not shown:
                    raise UnreadableFileError(_not_read(source, reason if layout else ""))
                unrecognised.append(Unrecognised(shown, reason))
                continue
            digest = sha256_of(path)
            if digest in seen:
                continue
            seen.add(digest)
            try:
                part = read_part(con, source, layout)
            except UnknownEditionError as error:
                if not shown:
                    raise
                unrecognised.append(Unrecognised(shown, str(error)))
                continue
            left = tuple(sorted(part.left_out.items()))
            provenance.append(Provenance(source.name, digest, layout.name, part.rows, left))
            parts.append(part)
    frames = {name: one_frame([getattr(p, name) for p in parts], name, codes) for name in KEYS}
    return Published(**frames, provenance=tuple(provenance), unrecognised=tuple(unrecognised))


def open_source(path: Path, folder: Path, findings: list[Finding] | None = None) -> Source:
    """Return the head of a file; of a workbook, that of its first sheet with a known layout, copied as CSV.

    Raises
    ------
    UnreadableFileError
        The file cannot be read, or no sheet has a known layout.
    """
    if path.name.lower().endswith(WORKBOOKS):
        copy = Path(tempfile.mkdtemp(dir=folder))
        source = sheet_as_csv(path, copy, lambda candidate: layout_of(candidate) is not None)
        if source is None:
            raise UnreadableFileError(
                f"{path.name}: no sheet is a published table this toolkit knows. Give the file as it was downloaded."
            )
    else:
        # The public API writes labels in place of column names: then a copy with the names is read.
        named = translate(path, folder / f"named-{path.stem}")
        source = replace(look_at(named), given=None if named == path else path)
    return replace(source, findings=findings)


def read_part(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Return what a file gives. Rows set aside are counted in ``left_out``."""
    before = len(source.findings or ())
    part = READERS[layout.name](con, source, layout)
    if source.findings is not None:
        set_repeated_aside(part, source)
        aside = sum(found.count for found in source.findings[before:] if found.severity == "quarantine")
        if aside:
            part.left_out["rows set aside: see the findings"] = aside
    return part


def _is_saved(folder: Path) -> bool:
    return (folder / "published.json").is_file()


def _not_read(source: Source, reason: str) -> str:
    if reason:
        return f"{source.name} is recognised but not read: {reason}."
    return f"{source.name} is not a published file this toolkit knows. {nearest(source)}"
