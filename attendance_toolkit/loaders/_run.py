"""One call of screening or loading: from files to working tables, a report and what the manifest needs."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pandas as pd

from attendance_toolkit.errors import StoreError, UnreadableFileError
from attendance_toolkit.loaders._discover import LOADED_KINDS, Given, discover
from attendance_toolkit.loaders._entries import entry_of
from attendance_toolkit.loaders._head import Head, Recognised
from attendance_toolkit.loaders._lists import ListFile, open_lists, reader_of
from attendance_toolkit.loaders._pupil_rows import note_names
from attendance_toolkit.loaders._return_files import (
    LAYOUT,
    FileCount,
    ReturnFiles,
    census_from_rows,
    check_columns,
    read_small,
)
from attendance_toolkit.loaders._text import NotReadableError, TextFile, line_numbers
from attendance_toolkit.loaders.plausibility import check_plausibility, earlier_terms
from attendance_toolkit.loaders.portal import PortalReader, read_headers
from attendance_toolkit.loaders.published import screen_published
from attendance_toolkit.loaders.register_marks import RegisterReader
from attendance_toolkit.loaders.school_census import CensusReader, guess_census, make_working_tables
from attendance_toolkit.loaders.school_census.layouts import FEEDS, expand, pair_characteristics
from attendance_toolkit.loaders.school_meetings import MEETINGS, read_meetings
from attendance_toolkit.loaders.schools import read_schools, schools_from_census
from attendance_toolkit.loaders.transfer_file import TransferReader
from attendance_toolkit.schema.census import Census
from attendance_toolkit.schema.findings import FileInfo, ScreeningReport
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.schema.tables import CENSUS_TABLES, PUPIL_TABLES
from attendance_toolkit.store._files import sha256_of
from attendance_toolkit.store.quarantine import AsideFile
from attendance_toolkit.store.schools import read_school_rows, school_frame, settle_schools
from attendance_toolkit.store.store import is_store
from attendance_toolkit.vocabulary.areas import area_of_laestab
from attendance_toolkit.vocabulary.calendar import academic_year_before, show_academic_year


def info_of(head: Head, found: Recognised, *, rows: int = 0) -> FileInfo:
    """Return the entry of a file in the report."""
    return FileInfo(
        head.name, found.layout, "", rows=rows, kind=found.kind, says=found.says, feeds=found.feeds, years=found.years
    )  # fmt: skip


def _laestab_by_urn(schools: pd.DataFrame) -> dict[int, int]:
    known = schools[schools["urn"].notna() & schools["laestab"].notna()]
    return {int(urn): int(laestab) for urn, laestab in zip(known["urn"], known["laestab"], strict=True)}


@dataclass(frozen=True)
class Asked:
    """What the user said about the files, where they do not say it themselves."""

    census: Census | None = None
    la: str = ""
    """DfE code of the authority whose establishments a file names by four digits."""
    academic_year: int | None = None
    headers: Path | None = None
    """The user's own map of the headers of portal downloads."""


@contextmanager
def workspace(memory_limit: str | None) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
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


class Run:
    """One call: from paths to working tables, a report and what the manifest needs."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, private: Path, asked: Asked, *, key: bytes | None = None
    ) -> None:
        self.con, self.private, self.asked = con, private, asked
        self.is_loading = key is not None
        # Pupils are followed across returns by pseudonym; when only screening, by one that nobody keeps.
        self.key = key or secrets.token_bytes(32)
        self.words = read_headers(asked.headers) if asked.headers else None
        self.report = ScreeningReport()
        self.pupil_counts: list[FileCount] = []
        self.entries: list[dict] = []
        self.replaced: dict[Census, set[int]] = {}
        self.aside: list[AsideFile] = []
        self.schools: list[pd.DataFrame] = []
        """Schools of the lists given and of the returns."""
        self._laestabs: set[int] = set()
        self._recognised: dict[str, Recognised] = {}
        self._listed: dict[tuple[str, str], int] = {}
        """(file, layout) -> its place in ``report.files``, for files of several tables."""
        make_working_tables(con)

    def screen(self, paths: list[Path], store: Path | None = None) -> None:
        """Run every stage over every file.

        Parameters
        ----------
        store
            The store the files are to go into, if it is known: plausible is what fits to what it holds.
        """
        given = discover(paths, self.private, self.report, is_loading=self.is_loading, words=self.words)
        if self.report.is_unreadable:
            # A return whose pupil file cannot be read would only seem to lack it.
            return
        self._describe(given)
        self._read_school_lists(given)
        returns = self._whole_returns([*given.returns, *self._expanded(given)])
        wheres = [self._columns(r) for r in returns]
        lists = open_lists(given, self.private, self.report)
        if self.report.is_blocked:
            return
        batches = self._settle_censuses(returns, wheres)
        if self.report.is_blocked:
            return
        schools = {native: row for r in returns for native, row in r.schools.items()}
        for census in sorted(batches, key=lambda c: c.sequence):
            self._one_census(census, batches[census], schools)
        self._read_others(given, store)
        for listed in lists:
            self._one_list(listed, store)
        self._read_meetings(given, store)
        self._check_years()
        if not self.report.is_blocked:
            self._check_plausible(store)

    def _describe(self, given: Given) -> None:
        """List the files that are not for a store, with what can be done with them."""
        for kind, files in given.files.items():
            if kind in LOADED_KINDS:
                continue
            for head, found in files:
                self.report.files.append(info_of(head, found))
                if kind == "published":
                    self.report.add(screen_published(head.path))

    # -- lists of schools --

    def _read_school_lists(self, given: Given) -> None:
        for head, found in given.of("schools"):
            listed = read_schools(head)
            self.report.add(listed.findings)
            self.report.files.append(info_of(head, found, rows=listed.rows))
            self.schools.append(listed.frame)
            count = FileCount(listed.rows, listed.set_aside)
            sha256 = sha256_of(head.path)
            self._enter(head.name, sha256, table="schools", layout=found.layout, census="", count=count)

    # -- returns in other layouts than tables --

    def _expanded(self, given: Given) -> list[ReturnFiles]:
        """Return the returns of one row a pupil or in XML, as tables."""
        made = [
            group
            for head, found in given.of("census")
            for group in expand(head, found, self.private, la=self.asked.la or None)
        ]
        self._recognised = {head.name: found for head, found in given.of("census")}
        for group in made:
            self.report.add(group.findings)
        return pair_characteristics([group for group in made if group.tables], self.asked.census)

    def _whole_returns(self, given: list[ReturnFiles]) -> list[ReturnFiles]:
        """Return the returns with pupils; what comes without pupils is shared among them."""
        kept = [r for r in given if "pupilonroll" in r.tables or "pupilnolongeronroll" in r.tables]
        for group in given:
            if group in kept:
                continue
            for table, file in group.tables.items():
                if table == "school" and kept:
                    self._read_schools(file, kept)
                elif table != "schoolcensus":
                    self.report.add([
                        finding("table_missing", file.name,
                                "there is no pupil table with the same beginning of its name.",
                                fix="Give pupilonroll and its details together, named alike up to the table.")
                    ])  # fmt: skip
        return kept

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
            rows = self._small_rows(group.tables["schoolcensus"], where["schoolcensus"])
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
        for number, row in enumerate(self._small_rows(file, where)):
            for group in groups:
                group.schools.setdefault(row["nativeid"], {**row, "#record": str(number)})

    def _small_rows(self, file: TextFile, where: dict[str, str]) -> list[dict[str, str]]:
        try:
            return read_small(self.con, file, where)
        except NotReadableError as error:
            self.report.add([finding(error.rule, file.name, error.says, fix=error.fix)])
            return []

    def _settle_censuses(
        self, returns: list[ReturnFiles], wheres: list[dict[str, dict[str, str]]]
    ) -> dict[Census, list[tuple[ReturnFiles, dict[str, dict[str, str]]]]]:
        """Put the returns of each census together: said by the return, else asked for, else seen from its shape."""
        batches: dict[tuple[str, int], tuple[Census, list]] = {}
        for group, where in zip(returns, wheres, strict=True):
            census, asked = group.census, self.asked.census
            if census and asked and (census.collection, census.year) != (asked.collection, asked.year):
                file = group.tables["schoolcensus"]
                self.report.add([
                    finding("census_conflict", file.name,
                            f"the return says it is the {census.label} census, but {asked.label} was asked for.",
                            row=line_numbers(file, [0], 1)[0], column="term",
                            fix="Do not name a census, or give the files of that one only.")
                ])  # fmt: skip
                continue
            census = census or asked
            if census is None:
                try:
                    census, found = guess_census(self.con, group, where)
                except NotReadableError as error:
                    found = finding(error.rule, group.name, error.says, fix=error.fix)
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
                self._list_table(file, table, census, count)
                if not reader.is_blocked:
                    self._enter(
                        file.name, file.sha256, table=table, layout=LAYOUT, census=census.name, count=count,
                        schools=laestabs,
                    )  # fmt: skip
            if not reader.is_blocked:
                self.replaced.setdefault(census, set()).update(laestabs)
                self.schools.append(schools_from_census(group.schools.values(), census))
        if self.is_loading and not reader.is_blocked:
            self.aside += reader.write_aside(self.private / "aside")
        reader.drop()

    def _list_table(self, file: TextFile, table: str, census: Census, count: FileCount) -> None:
        """List a table in the report; the tables made from one file are listed as that file, with its pupil rows."""
        found = self._recognised.get(file.name) if file.origin is not None else None
        if found is None:
            self.report.files.append(
                FileInfo(file.name, LAYOUT, table, census.label, count.rows_in, file.sha256, kind="census", feeds=FEEDS)
            )
            return
        rows = count.rows_in if table in PUPIL_TABLES else 0
        place = self._listed.get((file.name, found.layout))
        if place is not None:
            listed = self.report.files[place]
            self.report.files[place] = replace(listed, rows=listed.rows + rows)
            return
        self._listed[file.name, found.layout] = len(self.report.files)
        years = found.years or tuple(sorted({c.academic_year for c in census.carries}))
        self.report.files.append(
            FileInfo(
                file.name, found.layout, "", census.label, rows, file.sha256, found.kind, found.says, found.feeds, years
            )
        )

    def _enter(
        self, name: str, sha256: str, *, table: str, layout: str, census: str, count: FileCount,
        schools: Iterable[int] = (),
    ) -> None:  # fmt: skip
        if table in PUPIL_TABLES:
            self.pupil_counts.append(count)
        self.entries.append(
            entry_of(name, sha256, table=table, layout=layout, census=census, count=count, schools=schools)
        )

    def _one_list(self, given: ListFile, store: Path | None) -> None:
        """Read a list of pupils, whatever its kind."""
        reader = reader_of(
            self.con, given, self.key, by_urn=lambda: _laestab_by_urn(self._known_schools(store)), la=self.asked.la
        )
        reader.run()
        file = given.file
        self.report.add(reader.findings)
        self.report.files.append(replace(given.info, rows=reader.count.rows_in))
        self._laestabs |= reader.laestabs
        if self.is_loading:
            self.aside += reader.write_aside(self.private / "aside")
            if reader.count.rows_loaded:
                note_names(self.con, file)
        layout = given.info.layout
        self._enter(file.name, file.sha256, table=reader.table, layout=layout, census="", count=reader.count)

    def _read_meetings(self, given: Given, store: Path | None) -> None:
        files = given.of(MEETINGS)
        listed = self._known_schools(store) if files else school_frame()
        known = [int(laestab) for laestab in listed["laestab"].dropna()]
        for head, found in files:
            meetings = read_meetings(head, _laestab_by_urn(listed), known)
            self.report.add(meetings.findings)
            self.report.files.append(info_of(head, found, rows=meetings.count.rows_in))
            self._laestabs |= {row[0] for row in meetings.rows}
            meetings.keep(self.con)
            self._enter(head.name, sha256_of(head.path), table=MEETINGS, layout=found.layout, census="",
                        count=meetings.count)  # fmt: skip

    # -- sessions from elsewhere than the census --

    def _read_others(self, given: Given, store: Path | None) -> None:
        """Read registers, portal lists of pupils and transfer files, each kind together."""
        for kind, make in (
            ("register", self._register_reader),
            ("portal_pupils", self._portal_reader),
            ("transfer", self._transfer_reader),
        ):
            files = given.of(kind)
            if not files or self.report.is_blocked:
                continue
            reader = make([head for head, _ in files], self._known_schools(store))
            reader.run()
            self._take(reader, {head.name: found for head, found in files})

    def _known_schools(self, store: Path | None) -> pd.DataFrame:
        """Return the schools of the lists given, of the returns, and of the store."""
        frames = [*([read_school_rows(store)] if store is not None and is_store(store) else []), *self.schools]
        return settle_schools(pd.concat(frames)) if frames else school_frame()

    def _register_reader(self, heads: list[Head], listed: pd.DataFrame) -> RegisterReader:
        return RegisterReader(
            self.con, heads, self.private, key=self.key, asked_year=self.asked.academic_year, la=self.asked.la,
            by_urn=_laestab_by_urn(listed),
        )  # fmt: skip

    def _portal_reader(self, heads: list[Head], listed: pd.DataFrame) -> PortalReader:
        return PortalReader(
            self.con, [head.path for head in heads], key=self.key, asked_year=self.asked.academic_year,
            la=self.asked.la, schools=listed if len(listed) else None, headers=self.words,
        )  # fmt: skip

    def _transfer_reader(self, heads: list[Head], listed: pd.DataFrame) -> TransferReader:
        return TransferReader(self.con, heads, self.private, key=self.key, asked_year=self.asked.academic_year)

    def _take(self, reader: RegisterReader | PortalReader | TransferReader, files: dict[str, Recognised]) -> None:
        """Take over what a reader of sessions from elsewhere than the census has found."""
        self.report.add(reader.findings)
        for info in reader.files_info():
            found = files.get(info.name)
            if found is not None:
                info = replace(
                    info, kind=found.kind, says=found.says, feeds=found.feeds, years=info.years or found.years
                )
            self.report.files.append(info)
        if not reader.is_blocked:
            self._laestabs |= reader.laestabs
            self.entries += reader.entries()
            self.pupil_counts += [source.count for source in reader.sources]
            if self.is_loading:
                self.aside += reader.write_aside(self.private / "aside" / reader.__class__.__name__)
                if isinstance(reader, RegisterReader):
                    reader.keep_marks()
        reader.drop()

    # -- across returns --

    def _check_plausible(self, store: Path | None) -> None:
        """Check what all files, and the store they go into, say together."""
        names = [file.name for file in self.report.files]
        file = names[0] if len(names) == 1 else f"{len(names)} files"
        earlier = earlier_terms(self.con, store) if store is not None else None
        found, self.report.coverage = check_plausibility(
            self.con, schools=self._known_schools(store), earlier=earlier, file=file
        )
        self.report.add(found)

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
