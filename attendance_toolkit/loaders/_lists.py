"""The lists of pupils of a call: flags, school offers and supported pupils, opened and given to their readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from attendance_toolkit.loaders._discover import Given
from attendance_toolkit.loaders._listed_table import open_list
from attendance_toolkit.loaders._pupil_rows import PupilRows
from attendance_toolkit.loaders._return_files import check_columns
from attendance_toolkit.loaders._text import NotReadableError, TextFile
from attendance_toolkit.loaders.pupil_flags import FlagReader
from attendance_toolkit.loaders.school_offers import OfferReader, check_offers
from attendance_toolkit.loaders.support_groups import SupportReader
from attendance_toolkit.schema.findings import FileInfo, ScreeningReport
from attendance_toolkit.schema.pupil_lists import ADMISSIONS, PUPIL_LISTS
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.schema.tables import PUPIL_FLAGS


@dataclass(frozen=True)
class ListFile:
    """One list of pupils, and where its columns are."""

    info: FileInfo
    """Its entry in the report; ``info.table`` is the kind of list."""
    file: TextFile
    where: dict[str, str]


def open_lists(given: Given, private: Path, report: ScreeningReport) -> list[ListFile]:
    """Return the lists among the files of a call; what cannot be read or lacks a column is a finding of the report.

    Parameters
    ----------
    given
        The files by what they are.
    private
        A folder only the user can read, for converted copies.
    report
        Takes the findings.
    """
    lists = []
    for file in given.flags:
        where, wrong = check_columns(PUPIL_FLAGS.name, file, PUPIL_FLAGS)
        report.add(wrong)
        lists.append(ListFile(FileInfo(file.name, "pupil flags", PUPIL_FLAGS.name, sha256=file.sha256), file, where))
    for head, found in (item for kind in PUPIL_LISTS for item in given.of(kind)):
        try:
            file = open_list(head, private)
        except NotReadableError as error:
            report.add([finding(error.rule, head.name, error.says, row=error.row, fix=error.fix)])
            continue
        where, wrong = check_columns(found.kind, file, PUPIL_LISTS[found.kind])
        report.add([*wrong, *(check_offers(file, where) if found.kind == ADMISSIONS else [])])
        info = FileInfo(
            file.name, found.layout, found.kind, sha256=file.sha256, kind=found.kind, says=found.says, feeds=found.feeds
        )
        lists.append(ListFile(info, file, where))
    return lists


def reader_of(
    con: duckdb.DuckDBPyConnection,
    given: ListFile,
    key: bytes | None,
    *,
    by_urn: Callable[[], Mapping[int, int]],
    la: str = "",
) -> PupilRows:
    """Return the reader of a list, which has not read anything yet.

    Parameters
    ----------
    con
        Connection with the tables of ``store.parts.LIST_PARTS``.
    given
        A list of ``open_lists``.
    key
        The pseudonym key.
    by_urn
        Gives URN -> LAESTAB of the schools that are known; asked for school offers alone.
    la
        DfE code of the authority of schools that a list names by four digits.
    """
    if given.info.table == ADMISSIONS:
        return OfferReader(con, given.file, given.where, key, by_urn=by_urn(), la=la)
    kind = FlagReader if given.info.table == PUPIL_FLAGS.name else SupportReader
    return kind(con, given.file, given.where, key)
