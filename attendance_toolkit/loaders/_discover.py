"""Find out what the files of a call are, and put those of one school-census return side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from attendance_toolkit.loaders import portal
from attendance_toolkit.loaders._head import Head, Recognised, look
from attendance_toolkit.loaders._listed_table import find_list
from attendance_toolkit.loaders._return_files import LAYOUT, ReturnFiles
from attendance_toolkit.loaders._text import NotReadableError, TextFile, open_text
from attendance_toolkit.loaders.portal import PortalHeaders
from attendance_toolkit.loaders.recognition import KINDS, recognise
from attendance_toolkit.schema.findings import FileInfo, ScreeningReport
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.schema.tables import CENSUS_TABLES, UNUSED_TABLES, table_of_header, table_of_name
from attendance_toolkit.store.quarantine import is_quarantine_header
from attendance_toolkit.store.store import is_store

#: Endings of the files looked at in a folder; a file that is named may have any ending.
ENDINGS = frozenset({".csv", ".gz", ".xml", ".ctf", ".xlsx", ".xlsm", ".xls", ".ods", ".parquet"})
#: Kinds that a load reads; the others are for reports, checks and reference.
LOADED_KINDS = (
    "census",
    "register",
    "transfer",
    "portal_pupils",
    "schools",
    "admissions",
    "support_groups",
    "meetings",
)
#: Tables of a census that are not used, and whose names an authority gives to lists of its own.
_SHARED_NAMES = {"admissions", "learnersupport"}
_ENCODINGS = {"cp1252": "Windows-1252", "utf-16": "UTF-16"}


@dataclass
class Given:
    """The files of a call by what they are."""

    returns: list[ReturnFiles] = field(default_factory=list)
    """Returns as tables, one CSV file each."""
    flags: list[TextFile] = field(default_factory=list)
    files: dict[str, list[tuple[Head, Recognised]]] = field(default_factory=dict)
    """Everything else, by kind."""

    def of(self, kind: str) -> list[tuple[Head, Recognised]]:
        """Return the files of a kind."""
        return self.files.get(kind, [])


def discover(
    paths: list[Path],
    private: Path,
    report: ScreeningReport,
    *,
    is_loading: bool,
    words: PortalHeaders | None = None,
) -> Given:
    """Return what the files are; what cannot be told or read is a finding of the report.

    Parameters
    ----------
    paths
        Files and folders.
    private
        Folder for converted copies.
    is_loading
        Whether the files are to be loaded: a file that was named and cannot be is then an error.
    words
        The user's own map of the headers of portal downloads, which are not recognised without it.
    """
    return _Discovery(private, report, is_loading=is_loading, words=words).run(paths)


class _Discovery:
    def __init__(
        self, private: Path, report: ScreeningReport, *, is_loading: bool, words: PortalHeaders | None
    ) -> None:
        self.private, self.report, self.is_loading, self.words = private, report, is_loading, words
        self.given = Given()
        self._tables: list[tuple[Path, str | None, str, TextFile]] = []

    def run(self, paths: list[Path]) -> Given:
        opened: set[Path] = set()
        for path, in_folder in self._each(paths):
            if path.resolve() not in opened:
                opened.add(path.resolve())
                self._one(path, in_folder)
        self._gather_returns()
        return self.given

    def _each(self, paths: list[Path]) -> Iterator[tuple[Path, bool]]:
        for path in paths:
            if not path.is_dir():
                yield path, False
                continue
            inside = [p for p in sorted(path.rglob("*")) if p.suffix.lower() in ENDINGS and p.is_file()]
            inside = _without_stores(inside, path)
            if not inside and is_store(path):
                self._unreadable("file_missing", path, "this is a store, not a folder of extracts.",
                                 "Name the folder of the extracts.")  # fmt: skip
            elif not inside:
                self._unreadable("file_missing", path, "the folder holds no file of data.", "Check the folder.")
            for file in inside:
                yield file, True

    def _one(self, path: Path, in_folder: bool) -> None:
        named = table_of_name(path.stem)
        if named and named[1] in UNUSED_TABLES and not self._is_list(path, named[1]):
            self.report.files.append(FileInfo(path.name, LAYOUT, f"{named[1]} (not used)"))
            return
        try:
            head = look(path)
            if is_quarantine_header(list(head.header)):
                self._set_aside_before(path, in_folder)
                return
            # Tables are most of the files; their headers are told apart without asking every reader.
            table = table_of_header(set(head.columns)) if head.format == "csv" and not head.is_gzip else None
            found = None if table else recognise(head) or (portal.recognise(head, self.words) if self.words else None)
            if table is None and found is None and named and head.format == "csv" and not head.is_gzip:
                # A header with a mistake in it says nothing; the name then says what it should have been.
                table = named[1]
            if table is not None:
                self._add_table(open_text(path, self.private), table, named)
            elif found is None:
                # What the bytes are not is said best by the reader of plain text.
                open_text(path, self.private)
                self._unknown(head, in_folder)
            else:
                self._add(head, found, in_folder)
        except NotReadableError as error:
            # Notes and other files may lie in a folder; a file that was named must be understood.
            if in_folder and named is None:
                self.report.add([finding("file_ignored", path.name, f"left out: {error.says}")])
            else:
                self._unreadable(error.rule, path, error.says, error.fix)

    def _is_list(self, path: Path, table: str) -> bool:
        """Whether a file with the name of a table that is not used is a list of pupils of the authority."""
        try:
            return table in _SHARED_NAMES and find_list(look(path)) is not None
        except NotReadableError:
            return False

    def _add_table(self, file: TextFile, table: str, named: tuple[str, str] | None) -> None:
        if file.encoding != "utf-8":
            self.report.add([
                finding("file_converted", file.name, f"read as {_ENCODINGS[file.encoding]} text, not UTF-8.",
                        fix="Check that letters with accents are right in it.")
            ])  # fmt: skip
        if table == "pupil_flags":
            self.given.flags.append(file)
            return
        prefix = named[0] if named and named[1] == table else None
        self._tables.append((file.path.resolve().parent, prefix, table, file))

    def _add(self, head: Head, found: Recognised, in_folder: bool) -> None:
        if self.is_loading and found.kind not in LOADED_KINDS:
            rule, use = ("file_ignored", "") if in_folder else ("file_unknown", f"Use it with: {KINDS[found.kind]}")
            self.report.add([finding(rule, head.name, f"this is {found.says}: it is not loaded.", fix=use)])
            return
        self.given.files.setdefault(found.kind, []).append((head, found))

    # -- returns --

    def _gather_returns(self) -> None:
        returns: dict[tuple[Path, str], ReturnFiles] = {}
        for folder, prefix, table, file in self._tables:
            if prefix is None:
                # Tables without a telling name belong together if the folder has one of each.
                alike = [t for f, p, t, _ in self._tables if (f, p, t) == (folder, None, table)]
                prefix = "" if len(alike) == 1 else file.path.stem
            group = returns.setdefault((folder, prefix), ReturnFiles(prefix))
            group.tables[table] = file
        returns = self._drop_repeated(returns)
        self.given.returns = list(returns.values())

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

    # -- findings --

    def _unreadable(self, rule: str, path: Path, says: str, fix: str) -> None:
        self.report.add([finding(rule, path.name, says, fix=fix)])

    def _set_aside_before(self, path: Path, in_folder: bool) -> None:
        if in_folder:
            self.report.add([
                finding("file_ignored", path.name, "left out: it lists rows that an earlier load set aside.")
            ])  # fmt: skip
            return
        self.report.add([
            finding("file_set_aside", path.name,
                    "it lists rows that an earlier load set aside; loaded alone they would take the place of the school.",
                    fix="Correct the rows in the extract itself and load the whole return again.")
        ])  # fmt: skip

    def _unknown(self, head: Head, in_folder: bool) -> None:
        if in_folder:
            self.report.add([finding("file_ignored", head.name, "left out: its content is of no kind that is known.")])
            return
        if {"time_period", "geographic_level"} <= head.names:
            self.report.add([
                finding("file_unknown", head.name,
                        "these are published statistics, of a layout this toolkit does not know.",
                        fix="attendance report … --published FILE says what the nearest known layout has more.")
            ])  # fmt: skip
            return
        known = ", ".join(sorted(CENSUS_TABLES))
        self.report.add([
            finding("file_unknown", head.name, "neither its header nor its content says what it is.",
                    allowed=f"a census return (tables {known}, one row a pupil, or XML), register marks, a transfer"
                    " file, pupil flags, school offers, supported pupils, meetings with schools, a download of DfE's portal, a list of"
                    " schools, published statistics",
                    fix="Check that the first line holds the column names.")
        ])  # fmt: skip


def _without_stores(files: list[Path], top: Path) -> list[Path]:
    """Leave out what lies in a store: the rows it set aside are CSV files too."""
    known: dict[Path, bool] = {}

    def in_store(folder: Path) -> bool:
        if folder not in known:
            known[folder] = is_store(folder) or (folder != top and in_store(folder.parent))
        return known[folder]

    return [file for file in files if not in_store(file.parent)]
