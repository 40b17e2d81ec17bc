"""Every layout of a school-census return, made into the tables the stages read.

``recognise`` tells a return by its content; ``expand`` makes its tables; ``pair_characteristics`` puts a file of
characteristics beside the attendance of the same census. The layouts themselves are data: ``_dated``.

A file of one row a pupil and a return in XML become CSV tables in the private folder, written while the file is
read. Their rows lead back to the user's file: findings name its lines and columns, and rows that are set aside are
written as they were in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from attendance_toolkit.errors import VocabularyError
from attendance_toolkit.loaders._derived import Lines
from attendance_toolkit.loaders._head import Head, Recognised, look
from attendance_toolkit.loaders._return_files import ReturnFiles
from attendance_toolkit.loaders._text import NotReadableError
from attendance_toolkit.loaders.school_census.layouts._dated import FLAT_CODES, FLAT_REASONS, TABLES, Layout, span_text
from attendance_toolkit.loaders.school_census.layouts._flat import expand_flat
from attendance_toolkit.loaders.school_census.layouts._header import read_header
from attendance_toolkit.loaders.school_census.layouts._xml import expand_xml
from attendance_toolkit.schema.census import Census, census_from, make_census
from attendance_toolkit.schema.rules import finding
from attendance_toolkit.schema.tables import CHARACTERISTICS, table_of_header

__all__ = ["FEEDS", "FLAT_CODES", "FLAT_REASONS", "TABLES", "Layout", "expand", "pair_characteristics", "recognise"]

#: What a return with attendance can feed.
FEEDS = "attendance and absence by pupil, school and half term"
_DESCRIBES = "pupils' characteristics, beside the attendance of the same census"
_COLLECTIONS = ("SC", "SCHOOL CENSUS", "SCHOOLCENSUS", "PLASC")


def recognise(head: Head) -> Recognised | None:
    """Return what a file is when it is a school-census return in any layout, by its content.

    A session table whose header does not say which of its kind it is can only be told by its name: it is left out.
    """
    if head.format == "xml":
        return _recognise_xml(head)
    if head.format != "csv" or head.is_gzip or not head.header:
        return None
    table = table_of_header(set(head.columns))
    if table == "pupil_flags":
        return None
    if table is not None:
        found = span_text(TABLES.allows([c for c in head.columns if c != table]))
        says = f"the table {table} of a school census return, as of {found}"
        return Recognised("census", "tables", says, FEEDS)
    header = read_header(head.header)
    if not header.kind:
        return None
    if header.kind == "characteristics":
        says = "characteristics of pupils on roll from a school census, one row a pupil"
        return Recognised("census", "flat_characteristics", says, _DESCRIBES)
    if header.kind == "totals":
        says = "a school census return of one row a pupil with totals of absence and no reasons"
        return Recognised("census", "flat_totals", says, FEEDS)
    layout = header.layout
    span = span_text(layout.allows(header.dated))
    says = f"{layout.says}, as of {'an autumn census of ' if header.is_second_half() else ''}{span}"
    return Recognised("census", layout.name, says, FEEDS)


def _recognise_xml(head: Head) -> Recognised | None:
    """Return what an XML file is by its first elements; nothing is parsed, so nothing can be expanded."""
    root = re.search(r"<(?:[\w.-]+:)?([A-Za-z][\w.-]*)[\s>/]", head.text)
    if root is None or root[1].lower() != "message":
        return None
    values = {
        tag: found[1].strip()
        for tag in ("Collection", "Term", "Year", "SourceLevel", "LEA", "Estab")
        if (found := re.search(rf"<(?:[\w.-]+:)?{tag}>([^<]*)<", head.text, re.IGNORECASE))
    }
    collection = values.get("Collection", "").upper()
    has_pupils = re.search(r"<(?:[\w.-]+:)?Pupil(?:s?OnRoll|s?NoLongerOnRoll)[\s>/]", head.text, re.IGNORECASE)
    if collection not in _COLLECTIONS and (collection or not has_pupils):
        return None
    try:
        census: Census | None = make_census(values.get("Term", ""), values.get("Year", ""))
    except VocabularyError:
        census = None
    which = f", {census.label}" if census else ""
    whose = {"S": ", of one school", "L": ", of an authority"}.get(values.get("SourceLevel", "").upper()[:1], "")
    years = tuple(sorted({c.academic_year for c in census.carries})) if census else ()
    return Recognised("census", "xml", f"a school census return in XML{which}{whose}", FEEDS, years)


def expand(head: Head | Path, recognised: Recognised, private: Path, *, la: str | None = None) -> list[ReturnFiles]:
    """Return the returns in a file of one row a pupil or in XML, as tables.

    Memory does not grow with the file. Nothing is raised about the content of a file: ``findings`` of the return
    say what is wrong, and with a blocking one it has no tables.

    Parameters
    ----------
    head
        The file.
    recognised
        What ``recognise`` said of it.
    private
        A folder only the user can read, for the tables.
    la
        DfE code of the authority, for files that name a school by four digits only.
    """
    known = head if isinstance(head, Head) else look(head)
    try:
        if recognised.layout == "xml":
            return [expand_xml(known.path, private, is_gzip=known.is_gzip)]
        return [expand_flat(known.path, private, la=la)]
    except NotReadableError as error:
        failed = ReturnFiles(known.path.stem, layout=recognised.layout)
        failed.findings.append(finding(error.rule, known.name, error.says, row=error.row, fix=error.fix))
        return [failed]


def pair_characteristics(returns: Sequence[ReturnFiles], census: Census | None = None) -> list[ReturnFiles]:
    """Put files of characteristics beside the attendance of the same census.

    Two files are of the same census when it was asked for, or when the first census day after their newest entry
    dates is the same. A file of characteristics without attendance stays by itself: its pupils have no sessions.

    Parameters
    ----------
    returns
        Returns of any layout.
    census
        The census that was asked for.
    """
    attendance: dict[object, list[ReturnFiles]] = {}
    for group in returns:
        if group.layout in (FLAT_REASONS.name, FLAT_CODES.name) and group.tables:
            attendance.setdefault(_when(group, census), []).append(group)
    kept = []
    for group in returns:
        table = group.tables.get("pupilonroll")
        when = _when(group, census)
        # Pupils are looked for in all returns of the census, so it does not matter which of them holds the table.
        free = [a for a in attendance.get(when, ()) if CHARACTERISTICS not in a.tables]
        if group.layout != "flat_characteristics" or table is None or when is None or not free:
            kept.append(group)
            continue
        free[0].tables[CHARACTERISTICS] = table
        free[0].findings += group.findings
        for beside in attendance[when]:
            _expect_less(beside)
    return kept


def _expect_less(group: ReturnFiles) -> None:
    """Note that what the sessions do not say of pupils comes from another file."""
    for table in ("pupilonroll", "pupilnolongeronroll"):
        file = group.tables.get(table)
        if file is not None and isinstance(file.origin, Lines):
            file.origin = replace(file.origin, unheard=file.origin.unheard | {"senprovision", "ethnicity"})


def _when(group: ReturnFiles, census: Census | None) -> object:
    if census is not None:
        return (census.collection, census.year)
    if group.newest is None:
        return None
    found = census_from(group.newest)
    return (found.collection, found.year)
