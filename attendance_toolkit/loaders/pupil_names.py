"""UPNs and names as the authority's own files give them, read again when a restricted list needs them.

A store holds pseudonyms alone. Whoever makes a list of pupils gives the files of the extract once more: each UPN in them
is turned into its pseudonym with the key, and a name goes only to a pupil of the list.
"""

from __future__ import annotations

import csv
import gzip
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers import expat

from attendance_toolkit.errors import ParameterError, UnreadableFileError
from attendance_toolkit.loaders._discover import ENDINGS
from attendance_toolkit.loaders._expat import feed
from attendance_toolkit.loaders._head import Head, look
from attendance_toolkit.loaders._table_rows import table_rows
from attendance_toolkit.loaders._text import NotReadableError, clean_header, open_text
from attendance_toolkit.store.keys import pseudonyms

#: Header without capitals, spaces and punctuation -> what the column holds.
_ROLES = {
    **dict.fromkeys(("upn", "uniquepupilnumber", "pupilupn", "studentupn", "upnnumber"), "upn"),
    **dict.fromkeys(("surname", "lastname", "familyname", "legalsurname", "pupilsurname", "legallastname"), "surname"),
    **dict.fromkeys(("forename", "firstname", "givenname", "legalforename", "pupilforename", "legalfirstname"), "forename"),
    **dict.fromkeys(("pupilname", "name", "pupil", "fullname", "studentname"), "name"),
}  # fmt: skip
_TAGS = frozenset({"upn", "surname", "forename"})
_BATCH = 20_000
_CHUNK = 1 << 20


@dataclass(frozen=True)
class PupilName:
    """A pupil as the authority knows the child."""

    upn: str
    name: str
    """Surname, forename."""


def find_names(
    paths: Iterable[str | Path], wanted: Collection[int], key: bytes, *, private: Path | None = None
) -> dict[int, PupilName]:
    """Return the UPN and name of each wanted pupil that the files name.

    Files are read a row at a time. The first file that names a pupil is believed.

    Parameters
    ----------
    paths
        Files of the extract, or folders of them: tables or workbooks with a column of UPNs, census returns in XML,
        transfer files.
    wanted
        Pseudonyms of the pupils.
    key
        The key the store was made with.
    private
        Folder for converted copies; a temporary one if not given.

    Returns
    -------
    Pseudonym -> pupil. A pupil the files do not name is left out.

    Raises
    ------
    ParameterError
        A file that was named has no UPNs with names, or no file of a folder has.
    UnreadableFileError
        A file cannot be read; the message says its row.
    """
    with tempfile.TemporaryDirectory(prefix="attendance-names-") as made:
        room = private or Path(made)
        found: dict[int, PupilName] = {}
        for path in map(Path, paths):
            files = [p for p in sorted(path.rglob("*")) if p.suffix.lower() in ENDINGS] if path.is_dir() else [path]
            read = [_take(file, wanted, key, found, room) for file in files]
            if not any(read):
                raise ParameterError(
                    f"'{path.name}' names no pupil: it needs a column of UPNs beside one of surnames and one of forenames"
                    " (or of names), or to be a census return in XML or a transfer file. Give the extract that was loaded."
                )
    return found


def _take(file: Path, wanted: Collection[int], key: bytes, found: dict[int, PupilName], private: Path) -> bool:
    """Add the wanted pupils of one file; return whether it names pupils at all."""
    try:
        head = look(file)
        rows = _xml_rows(head) if head.format == "xml" else _table(head, private)
        if rows is None:
            return False
        batch: list[tuple[str, str]] = []
        for row in rows:
            batch.append(row)
            if len(batch) == _BATCH:
                _match(batch, wanted, key, found)
                batch.clear()
        _match(batch, wanted, key, found)
    except NotReadableError as error:
        place = f", row {error.row}" if error.row else ""
        raise UnreadableFileError(f"{file.name}{place}: {error.says} {error.fix}") from None
    return True


def _match(batch: Sequence[tuple[str, str]], wanted: Collection[int], key: bytes, found: dict[int, PupilName]) -> None:
    for pseudonym, (upn, name) in zip(pseudonyms([row[0] for row in batch], key), batch, strict=True):
        if pseudonym in wanted and pseudonym not in found:
            found[pseudonym] = PupilName(upn, name)


def _table(head: Head, private: Path) -> Iterator[tuple[str, str]] | None:
    """Return UPN and name of each row of a table; None when its header does not have both."""
    if head.format not in ("csv", "workbook"):
        return None
    for sheet, rows in head.sheets.items() if head.sheets else [("", head.rows)]:
        for skipped, header in enumerate(row for row in rows if _is_filled(row)):
            roles: dict[str, int] = {}
            for place, cell in enumerate(header):
                if role := _ROLES.get(re.sub(r"[^a-z]", "", clean_header(cell))):
                    roles.setdefault(role, place)
            if "upn" in roles and ("name" in roles or {"surname", "forename"} <= roles.keys()):
                return _cells(_all_rows(head, sheet, private), skipped + 1, roles)
    return None


def _all_rows(head: Head, sheet: str, private: Path) -> Iterator[Sequence[str]]:
    if head.format == "csv" and head.delimiter == "," and not head.is_gzip:
        # Large tables are read as they lie; whatever is converted goes into the private folder.
        with open_text(head.path, private).readable.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.reader(handle)
            try:
                yield from reader
            except csv.Error:
                raise NotReadableError(
                    "file_not_csv", "the row cannot be read as CSV.", "Export the file again.", reader.line_num
                ) from None
        return
    yield from (cells for _, cells in table_rows(head, sheet or None))


def _is_filled(cells: Sequence[str]) -> bool:
    return any(cell.strip() for cell in cells)


def _cells(rows: Iterator[Sequence[str]], skipped: int, roles: dict[str, int]) -> Iterator[tuple[str, str]]:
    number = 0
    last = max(roles.values())
    for cells in rows:
        if not _is_filled(cells):
            continue
        number += 1
        if number <= skipped or len(cells) <= last:
            continue
        upn = cells[roles["upn"]].strip().upper()
        if "surname" in roles and "forename" in roles:
            name = _name(cells[roles["surname"]], cells[roles["forename"]])
        else:
            name = " ".join(cells[roles["name"]].split())
        if upn:
            yield upn, name


def _name(surname: str, forename: str) -> str:
    """Return a name as registers print it.

    >>> _name(" van  Berg", "Mary Jane"), _name("", "Mary")
    ('van Berg, Mary Jane', 'Mary')
    """
    return ", ".join(part for part in (" ".join(surname.split()), " ".join(forename.split())) if part)


def _xml_rows(head: Head) -> Iterator[tuple[str, str]]:
    """Yield UPN and name of every pupil of a census return in XML or a transfer file.

    Only names that stand beside the UPN count: a contact's name lies deeper.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    open_elements: list[dict[str, str]] = [{}]
    texts: list[str] = []
    made: list[tuple[str, str]] = []

    def refuse(*_: Any) -> None:
        raise NotReadableError("xml_malformed", "the XML declares a document type.", "Export the file again.")

    def start(_tag: str, _attributes: dict[str, str]) -> None:
        open_elements.append({})
        texts.clear()

    def end(tag: str) -> None:
        inside = open_elements.pop()
        if inside.get("upn"):
            made.append((inside["upn"].upper(), _name(inside.get("surname", ""), inside.get("forename", ""))))
        plain = tag.rpartition(":")[2].lower()
        if plain in _TAGS:
            open_elements[-1].setdefault(plain, "".join(texts).strip())
        texts.clear()

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, texts.append
    try:
        with gzip.open(head.path) if head.is_gzip else head.path.open("rb") as handle:
            while chunk := handle.read(_CHUNK):
                feed(parser, chunk)
                yield from made
                made.clear()
        feed(parser, b"", is_last=True)
        yield from made
    except expat.ExpatError as error:
        raise NotReadableError(
            "xml_malformed",
            f"the XML is not well formed or breaks off ({expat.ErrorString(error.code)}).",
            "Export the file again.",
            error.lineno,
        ) from None
    except (OSError, EOFError):
        raise NotReadableError("file_damaged", "the compressed file is damaged.", "Fetch it again.") from None
