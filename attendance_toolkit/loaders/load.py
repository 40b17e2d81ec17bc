"""Screen files, and load them into a store. The two public actions on pupil-level input."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from attendance_toolkit.errors import ScreeningError, StoreError, UnreadableFileError
from attendance_toolkit.loaders._return_files import (
    LAYOUT,
    FileCount,
    ReturnFiles,
    census_from_rows,
    check_columns,
    read_small,
)
from attendance_toolkit.loaders._text import NotReadableError, TextFile, open_text
from attendance_toolkit.loaders.pupil_flags import FlagReader
from attendance_toolkit.loaders.school_census import CensusReader, guess_census, make_working_tables
from attendance_toolkit.schema.census import Census, census_of
from attendance_toolkit.schema.findings import FileInfo, ScreeningReport
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.schema.tables import CENSUS_TABLES, PUPIL_FLAGS, UNUSED_TABLES, table_of_header, table_of_name
from attendance_toolkit.store.keys import key_id, read_or_make_key
from attendance_toolkit.store.quarantine import AsideFile, is_quarantine_header
from attendance_toolkit.store.store import Store, is_store
from attendance_toolkit.store.write import check_place, locked, manifest_for, write_load
from attendance_toolkit.vocabulary.areas import area_of_laestab
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year

_ENCODINGS = {"cp1252": "Windows-1252", "utf-16": "UTF-16"}
#: Columns that only files of published statistics have, in the spelling of ``TextFile.columns``.
_PUBLISHED_COLUMNS = {"timeperiod", "geographiclevel", "oldlacode", "sessoverallpercent", "sesspossible"}
_PUPIL_TABLES = ("pupilonroll", "pupilnolongeronroll", "pupil_flags")


@dataclass(frozen=True)
class LoadResult:
    """What a load did. ``rows_in`` = ``rows_loaded`` + ``rows_quarantined``, counted in pupil rows."""

    store: Path
    rows_in: int
    rows_loaded: int
    rows_quarantined: int
    report: ScreeningReport
    manifest: dict

    def to_text(self) -> str:
        """Return the result as a person reads it."""
        years = ", ".join(
            show_academic_year(y) for y in sorted({p["academic_year"] for p in self.manifest["partitions"]})
        )
        return (
            f"{self.rows_in:,} pupil rows read: {self.rows_loaded:,} loaded, {self.rows_quarantined:,} set aside."
            f" The store holds {years or 'no year'}."
        )


def screen_files(
    paths: str | Path | Iterable[str | Path], *, census: str | None = None, memory_limit: str | None = None
) -> ScreeningReport:
    """Screen files and folders without loading them.

    Parameters
    ----------
    paths
        Files, or folders whose CSV files are taken, in any order: several returns, terms and years at once.
    census
        The census of the returns that do not say it themselves, such as "autumn 2024".
    memory_limit
        Most memory to use, such as "2GB"; more is spilt to a private temporary folder.

    Returns
    -------
    The findings by stage. A stage with a blocking finding is the last one of its return.

    Raises
    ------
    VocabularyError
        ``census`` is not a census.
    """
    with _workspace(memory_limit) as (con, private):
        run = _Run(con, private, None, census_of(census) if census else None)
        run.screen(_as_paths(paths))
        return run.report


def load_files(
    paths: str | Path | Iterable[str | Path],
    store: str | Path | Store,
    *,
    key_file: str | Path,
    is_synthetic: bool = False,
    census: str | None = None,
    memory_limit: str | None = None,
) -> LoadResult:
    """Screen files and load what is usable into a store, which is changed at once or not at all.

    Loading a return again replaces it, school by school and census by census; returns may come in any order
    and over several calls.

    Parameters
    ----------
    paths, census, memory_limit
        As in ``screen_files``.
    store
        The folder of the store, made when it does not exist.
    key_file
        File with the key that turns UPNs into pseudonyms, made on first use; it must lie outside the store.
    is_synthetic
        Whether the pupils are made up. Extracts of fictitious authorities are always taken as synthetic.

    Returns
    -------
    The counts, the screening report and the new manifest.

    Raises
    ------
    UnreadableFileError
        A file could not be read at all.
    ScreeningError
        A blocking finding; ``error.report`` holds all findings. The store is as it was.
    StoreError
        The store or the key cannot be used.
    """
    root = store.path if isinstance(store, Store) else Path(store)
    if isinstance(store, Store):
        store.close()
    asked = census_of(census) if census else None
    check_place(root)
    key = read_or_make_key(Path(key_file), root)
    with _workspace(memory_limit) as (con, private):
        run = _Run(con, private, key, asked)
        run.screen(_as_paths(paths))
        _refuse(run.report)
        run.check_pseudonyms()
        synthetic = run.is_synthetic(is_synthetic)
        with locked(root):
            manifest = manifest_for(root, key=key_id(key), is_synthetic=synthetic)
            new = write_load(con, root, manifest, replaced=run.replaced, loads=run.entries, aside=run.aside)
    return LoadResult(
        root,
        sum(c.rows_in for c in run.pupil_counts),
        sum(c.rows_loaded for c in run.pupil_counts),
        sum(c.rows_quarantined for c in run.pupil_counts),
        run.report,
        new,
    )


def _refuse(report: ScreeningReport) -> None:
    """Raise the error of a report that must not be loaded."""
    blocking = [f for f in report.sorted_findings() if f.severity == "blocking"]
    if not blocking:
        return
    more = f" ({len(blocking) - 1} more; attendance screen lists them all.)" if len(blocking) > 1 else ""
    kind = UnreadableFileError if report.is_unreadable else ScreeningError
    error = kind(f"Nothing was loaded. {blocking[0]}{more}")
    error.report = report  # type: ignore[union-attr]
    raise error


def _as_paths(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    return [Path(paths)] if isinstance(paths, str | Path) else [Path(p) for p in paths]


def _without_stores(files: list[Path], top: Path) -> list[Path]:
    """Leave out what lies in a store: the rows it set aside are CSV files too."""
    known: dict[Path, bool] = {}

    def in_store(folder: Path) -> bool:
        if folder not in known:
            known[folder] = is_store(folder) or (folder != top and in_store(folder.parent))
        return known[folder]

    return [file for file in files if not in_store(file.parent)]


@contextmanager
def _workspace(memory_limit: str | None) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """Give a connection whose spill files, and a folder whose copies, only the user can read."""
    private = Path(tempfile.mkdtemp(prefix="attendance-"))
    con = duckdb.connect()
    try:
        con.execute(f"SET temp_directory = '{str(private / 'spill').replace(chr(39), chr(39) * 2)}'")
        if memory_limit:
            con.execute("SET memory_limit = $limit", {"limit": memory_limit})
        yield con, private
    except duckdb.OutOfMemoryException:
        raise UnreadableFileError(
            "There is not enough memory or disk space for so many files at once. Nothing was loaded; give one year of"
            " returns at a time."
        ) from None
    finally:
        con.close()
        shutil.rmtree(private, ignore_errors=True)


class _Run:
    """One call: from paths to working tables, a report and what the manifest needs."""

    def __init__(self, con: duckdb.DuckDBPyConnection, private: Path, key: bytes | None, asked: Census | None) -> None:
        self.con, self.private, self.key, self.asked = con, private, key, asked
        self.report = ScreeningReport()
        self.pupil_counts: list[FileCount] = []
        self.entries: list[dict] = []
        self.replaced: dict[Census, set[int]] = {}
        self.aside: list[AsideFile] = []
        self._laestabs: set[int] = set()
        make_working_tables(con)

    def screen(self, paths: list[Path]) -> None:
        """Run every stage over every file."""
        returns, flags = self._discover(paths)
        if self.report.is_unreadable:
            return
        wheres = [self._columns(r) for r in returns]
        flag_wheres = [check_columns("pupil_flags", f, PUPIL_FLAGS) for f in flags]
        for _, found in flag_wheres:
            self.report.add(found)
        if self.report.is_blocked:
            return
        batches = self._settle_censuses(returns, wheres)
        if self.report.is_blocked:
            return
        schools = {native: row for r in returns for native, row in r.schools.items()}
        for census in sorted(batches, key=lambda c: c.sequence):
            self._one_census(census, batches[census], schools)
        for file, (where, _) in zip(flags, flag_wheres, strict=True):
            self._one_flag_file(file, where)
        self._check_years()

    # -- files --

    def _discover(self, paths: list[Path]) -> tuple[list[ReturnFiles], list[TextFile]]:
        """Open every file, and put those of one return together."""
        given: list[tuple[Path, bool]] = []
        for path in paths:
            if path.is_dir():
                inside = sorted(p for p in path.rglob("*") if p.suffix.lower() == ".csv" and p.is_file())
                inside = _without_stores(inside, path)
                if not inside and is_store(path):
                    self._unreadable("file_missing", path, "this is a store, not a folder of extracts.",
                                     "Name the folder of the extracts.")  # fmt: skip
                elif not inside:
                    self._unreadable("file_missing", path, "the folder holds no CSV file.", "Check the folder.")
                given += [(p, True) for p in inside]
            else:
                given.append((path, False))
        returns: dict[tuple[Path, str], ReturnFiles] = {}
        flags: list[TextFile] = []
        opened: set[Path] = set()
        for path, in_folder in given:
            if path.resolve() in opened:
                continue
            opened.add(path.resolve())
            named = table_of_name(path.stem)
            if named and named[1] in UNUSED_TABLES:
                self.report.files.append(FileInfo(path.name, LAYOUT, f"{named[1]} (not used)"))
                continue
            try:
                file = open_text(path, self.private)
            except NotReadableError as error:
                # Notes and other CSV files may lie in a folder; a file that was named must be understood.
                if in_folder and named is None:
                    self.report.add([finding("file_ignored", path.name, f"left out: {error.says}")])
                else:
                    self._unreadable(error.rule, path, error.says, error.fix)
                continue
            if is_quarantine_header(file.header):
                self._set_aside_before(file, in_folder)
                continue
            table = named[1] if named else table_of_header(set(file.columns))
            if table is None:
                self._unknown(file, in_folder)
                continue
            if file.encoding != "utf-8":
                self.report.add(
                    [
                        finding(
                            "file_converted",
                            file.name,
                            f"read as {_ENCODINGS[file.encoding]} text, not UTF-8.",
                            fix="Check that letters with accents are right in it.",
                        )
                    ]
                )
            if table == "pupil_flags":
                flags.append(file)
                continue
            prefix = named[0] if named else path.stem
            group = returns.setdefault((path.resolve().parent, prefix), ReturnFiles(prefix))
            group.tables[table] = file
        returns = self._drop_repeated(returns)
        kept = [r for r in returns.values() if "pupilonroll" in r.tables or "pupilnolongeronroll" in r.tables]
        if self.report.is_unreadable:
            # A return whose pupil file cannot be read would only seem to lack it.
            return [], []
        self._share_loose_tables([r for r in returns.values() if r not in kept], kept)
        return kept, flags

    def _drop_repeated(self, returns: dict[tuple[Path, str], ReturnFiles]) -> dict[tuple[Path, str], ReturnFiles]:
        """Leave out a return whose files are all the same as another's: a copy in a second folder."""
        seen: dict[tuple, str] = {}
        kept = {}
        for place, group in returns.items():
            content = tuple(sorted((table, file.sha256) for table, file in group.tables.items()))
            if content in seen:
                self.report.add([
                    finding("file_repeated", group.name, f"the same return as {seen[content]}; it is read once.")
                ])  # fmt: skip
                continue
            seen[content] = group.name
            kept[place] = group
        return kept

    def _share_loose_tables(self, loose: list[ReturnFiles], kept: list[ReturnFiles]) -> None:
        """Read school tables that come without pupils for all returns; anything else without pupils is an error."""
        for group in loose:
            for table, file in group.tables.items():
                if table == "school" and kept:
                    self._read_schools(file, kept)
                elif table != "schoolcensus":
                    self.report.add([
                        finding("table_missing", file.name,
                                "there is no pupil table with the same beginning of its name.",
                                fix="Give pupilonroll and its details together, named alike up to the table.")
                    ])  # fmt: skip

    def _unreadable(self, rule: str, path: Path, says: str, fix: str) -> None:
        self.report.add([finding(rule, path.name, says, fix=fix)])

    def _set_aside_before(self, file: TextFile, in_folder: bool) -> None:
        if in_folder:
            self.report.add([
                finding("file_ignored", file.name, "left out: it lists rows that an earlier load set aside.")
            ])  # fmt: skip
            return
        self.report.add([
            finding("file_set_aside", file.name,
                    "it lists rows that an earlier load set aside; loaded alone they would take the place of the school.",
                    fix="Correct the rows in the extract itself and load the whole return again.")
        ])  # fmt: skip

    def _unknown(self, file: TextFile, in_folder: bool) -> None:
        if in_folder:
            self.report.add([finding("file_ignored", file.name, "left out: it is not a table of the school census.")])
            return
        if _PUBLISHED_COLUMNS & set(file.columns):
            self.report.add([
                finding("file_unknown", file.name, "these are published statistics, not an extract with pupils.",
                        fix="They are not loaded; name the file when you make a report:"
                            " attendance report … --published FILE.")
            ])  # fmt: skip
            return
        known = ", ".join(sorted(CENSUS_TABLES))
        self.report.add([
            finding("file_unknown", file.name,
                    "it is not a table of the school census: neither its name nor its header says which.",
                    allowed=f"names ending in _<table>.csv, with one of: {known}",
                    fix="Published statistics are not loaded, but named with: attendance report … --published FILE.")
        ])  # fmt: skip

    # -- columns --

    def _columns(self, group: ReturnFiles) -> dict[str, dict[str, str]]:
        where: dict[str, dict[str, str]] = {}
        for table, file in group.tables.items():
            where[table], found = check_columns(table, file, CENSUS_TABLES[table])
            self.report.add(found)
        if any(
            f.severity == "blocking" and f.file in {t.name for t in group.tables.values()} for f in self.report.findings
        ):
            return where
        if "school" in group.tables:
            self._read_schools(group.tables["school"], [group])
        if "schoolcensus" in group.tables:
            rows = read_small(self.con, group.tables["schoolcensus"], where["schoolcensus"])
            group.census, found = census_from_rows(group.tables["schoolcensus"], rows)
            self.report.add(found)
        for pupils, details in (
            ("pupilonroll", "termlysessiondetailsonroll"),
            ("pupilnolongeronroll", "termlysessiondetailsoffroll"),
        ):
            totals = {"termlysessionsauthorised", "termlysessionsunauthorised"}
            if pupils in group.tables and details not in group.tables and not totals <= set(where[pupils]):
                self.report.add([
                    finding("table_missing", group.tables[pupils].name,
                            f"its session details are missing: no file ends in _{details}.csv.",
                            fix=f"Give the {details} table of the same return.")
                ])  # fmt: skip
        return where

    def _read_schools(self, file: TextFile, groups: list[ReturnFiles]) -> None:
        where, found = check_columns("school", file, CENSUS_TABLES["school"])
        if file.name not in {g.tables["school"].name for g in groups if "school" in g.tables}:
            self.report.add(found)
        if any(f.severity == "blocking" for f in found):
            return
        for number, row in enumerate(read_small(self.con, file, where)):
            for group in groups:
                group.schools.setdefault(row["nativeid"], {**row, "#record": str(number)})

    def _settle_censuses(
        self, returns: list[ReturnFiles], wheres: list[dict[str, dict[str, str]]]
    ) -> dict[Census, list[tuple[ReturnFiles, dict[str, dict[str, str]]]]]:
        """Put the returns of each census together: said by the return, else asked for, else seen from its shape."""
        batches: dict[tuple[str, int], tuple[Census, list]] = {}
        for group, where in zip(returns, wheres, strict=True):
            census, asked = group.census, self.asked
            if census and asked and (census.collection, census.year) != (asked.collection, asked.year):
                self.report.add([
                    finding("census_conflict", group.tables["schoolcensus"].name,
                            f"the return says it is the {census.label} census, but {asked.label} was asked for.",
                            row=2, column="term", fix="Do not name a census, or give the files of that one only.")
                ])  # fmt: skip
                continue
            census = census or asked
            if census is None:
                census, found = guess_census(self.con, group, where)
                self.report.add([found])
            if census is not None:
                # Returns may differ in the reference date; the first one stands for the census.
                batches.setdefault((census.collection, census.year), (census, []))[1].append((group, where))
        return {census: sorted(members, key=lambda m: m[0].prefix) for census, members in batches.values()}

    # -- rows --

    def _one_census(
        self,
        census: Census,
        members: list[tuple[ReturnFiles, dict[str, dict[str, str]]]],
        schools: dict[str, dict[str, str]],
    ) -> None:
        returns = [group for group, _ in members]
        reader = CensusReader(self.con, census, returns, [where for _, where in members], key=self.key, schools=schools)
        reader.run()
        self.report.add(reader.findings)
        for number, group in enumerate(returns):
            laestabs = reader.laestabs[number]
            self._laestabs |= laestabs
            for table, file in sorted(group.tables.items()):
                count = reader.counts.get((number, table)) or FileCount(max(file.line_count - 1, 0))
                self.report.files.append(FileInfo(file.name, LAYOUT, table, census.label, count.rows_in, file.sha256))
                if not reader.is_blocked:
                    self._enter(file, table, LAYOUT, census.name, count, sorted(laestabs))
            if not reader.is_blocked:
                self.replaced.setdefault(census, set()).update(laestabs)
        if self.key is not None and not reader.is_blocked:
            self.aside += reader.write_aside(self.private / "aside")
        reader.drop()

    def _enter(
        self, file: TextFile, table: str, layout: str, census: str, count: FileCount, schools: list[int]
    ) -> None:
        if table in _PUPIL_TABLES:
            self.pupil_counts.append(count)
        self.entries.append({
            "file": file.name, "table": table, "layout": layout, "census": census, "sha256": file.sha256,
            "rows_in": count.rows_in, "rows_loaded": count.rows_loaded, "rows_quarantined": count.rows_quarantined,
            "schools": schools, "loaded_on": date.today().isoformat(),
        })  # fmt: skip

    def _one_flag_file(self, file: TextFile, where: dict[str, str]) -> None:
        reader = FlagReader(self.con, file, where, self.key)
        reader.run()
        self.report.add(reader.findings)
        self.report.files.append(
            FileInfo(file.name, "pupil flags", "pupil_flags", "", reader.count.rows_in, file.sha256)
        )
        if self.key is not None:
            self.aside += reader.write_aside(self.private / "aside")
        self._enter(file, "pupil_flags", "pupil flags", "", reader.count, [])

    # -- across returns --

    def _check_years(self) -> None:
        years = sorted({c.academic_year for census in self.replaced for c in census.carries})
        if len(years) < 2:
            return
        year = years[0]
        while year < years[-1]:
            year = academic_year_before(year, -1)
            if year not in years:
                self.report.add([
                    finding("year_gap", f"{len(self.report.files)} files",
                            f"there is no return that carries {show_academic_year(year)}.",
                            fix="Add the returns of that year, or leave it out of comparisons.")
                ])  # fmt: skip

    def check_pseudonyms(self) -> None:
        """Make sure no two UPNs have the same pseudonym.

        Raises
        ------
        StoreError
            Two have: with 63 bits that is one chance in ten million for a million pupils.
        """
        row = self.con.execute(
            "SELECT count(pseudonym) - count(DISTINCT pseudonym) FROM (SELECT DISTINCT code, pseudonym FROM map_upn)"
        ).fetchone()
        if row and row[0]:
            raise StoreError("Two pupils got the same pseudonym. Load the files with a new key into a new store.")

    def is_synthetic(self, said: bool) -> bool | None:
        """Return whether the pupils are made up, or None when nothing says so; fictitious authorities do.

        Raises
        ------
        StoreError
            Real and fictitious authorities in one call.
        """
        kinds = {area.is_synthetic for area in map(area_of_laestab, self._laestabs) if area is not None}
        if kinds == {True, False}:
            raise StoreError("The files mix fictitious and real local authorities. Load them into two stores.")
        return said or kinds == {True} if kinds or said else None
