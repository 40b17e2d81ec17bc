"""What a file is, by its content, and the parts of it that can be searched. What is not known is refused."""

from __future__ import annotations

import csv
import io
import json
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from attendance_toolkit.disclosure.gate._blobs import text_of
from attendance_toolkit.disclosure.gate._images import image_kind, read_image
from attendance_toolkit.disclosure.gate._pdf import read_pdf
from attendance_toolkit.disclosure.gate._workbook import is_formula, is_workbook, read_workbook
from attendance_toolkit.disclosure.gate.decode import Limits
from attendance_toolkit.disclosure.gate.findings import Finding

#: Compressed data may become so many times as large; ours does not reach 30.
_MOST_RATIO = 200
_MOST_MEMBERS = 5_000
_MOST_NESTED = 3
#: What a file begins with that is never part of a partner's release -> what to say.
_REFUSED = (
    (b"PAR1", "It is a Parquet file: it may hold rows that nobody sees."),
    (b"ARROW1", "It is an Arrow file: it may hold rows that nobody sees."),
    (b"SQLite format 3", "It is a database."),
    (b"\xd0\xcf\x11\xe0", "It is a document of an old format (or is protected by a password) and cannot be read."),
    (b"Rar!", "It is an archive that cannot be read."),
    (b"7z\xbc\xaf", "It is an archive that cannot be read."),
    (b"\x1f\x8b", "It is a compressed file. Share what is in it by itself, or as a zip file."),
    (b"BZh", "It is a compressed file. Share what is in it by itself, or as a zip file."),
    (b"\xfd7zXZ", "It is a compressed file. Share what is in it by itself, or as a zip file."),
)
_SUM_LINE = re.compile(r"[0-9a-f]{64} [ *]\S[^\n]*")


@dataclass
class Part:
    """A file, or a file inside one, as it is searched.

    Attributes
    ----------
    name
        Name, after those of the files it lies in: ``book.zip!a/b.csv``.
    texts, blobs
        What is decoded and searched.
    findings
        What is wrong with it whatever it says.
    """

    name: str
    texts: list[str] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def refuse(self, rule: str, says: str, place: str = "") -> Part:
        """Add a finding."""
        self.findings.append(Finding(self.name, place, rule, says))
        return self


def open_parts(data: bytes, name: str, limits: Limits, depth: int = 0) -> Iterator[Part]:
    """Give the parts of a file: itself, and the files it holds.

    Parameters
    ----------
    data
        What is in the file.
    name
        Its name; it says nothing about what the file is.
    limits
        How much may come out of it.
    """
    part = Part(name)
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        yield from _open_zip(data, part, limits, depth)
        return
    if b"%PDF-" in data[:1024]:
        document = read_pdf(data, limits.expanded)
        part.texts, part.blobs = document.texts, document.blobs
        for rule, says in document.problems.items():
            part.refuse(rule, says)
    elif image_kind(data):
        image = read_image(data)
        part.texts = image.texts
        if image.problem:
            part.refuse("image_metadata", image.problem)
    elif says := _refusal(data):
        part.refuse("file_type", says)
    else:
        _read_text_file(data, part)
    yield part


def _refusal(data: bytes) -> str:
    for begins, says in _REFUSED:
        if data.startswith(begins):
            return says
    if data[8:12] == b"DUCK":
        return "It is a database."
    if data[:1] == b"\x80" and data[1:2] in b"\x02\x03\x04\x05" and len(data) > 1:
        return "It is a pickled object of a program."
    return ""


# ---- text -----------------------------------------------------------------------------------------------


def _read_text_file(data: bytes, part: Part) -> None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text, share = text_of(data)
        part.blobs.append(data)
        if share < 1:
            part.refuse("file_type", "It is of a kind that is not known, and so cannot be searched.")
            return
        part.refuse("encoding", "It is not written in UTF-8.")
    if re.search(r"[\x00-\x08\x0b\x0e-\x1f\x7f]", text):
        part.refuse("encoding", "It has control characters in it.")
    if "\x00" in text:
        part.blobs.append(data)
    part.texts.append(text)
    for is_kind, read in _TEXT_KINDS:
        if is_kind(text):
            read(text, part)
            return
    part.refuse("file_type", "It is neither a page nor a table nor data that the toolkit makes.")


def _is_page(text: str) -> bool:
    return bool(
        re.match(
            r"\s*(?:<!doctype html|<html|<svg|<\?xml[^>]*>\s*(?:<!doctype svg[^>]*>\s*)?<svg)", text, re.IGNORECASE
        )
    )


def _is_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[")


def _read_json(text: str, part: Part) -> None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        part.refuse("file_type", "It begins like JSON and is not.")
        return
    if isinstance(document, dict) and "cells" in document and "nbformat" in document:
        part.refuse("notebook", "It is a notebook: its outputs and parameters are for the restricted folder only.")
    # Strings once more, without their escapes.
    part.texts.append("\n".join(_strings(document)))


def _strings(value: Any) -> Iterator[str]:
    stack = [value]
    while stack:
        top = stack.pop()
        if isinstance(top, str):
            yield top
        elif isinstance(top, dict):
            stack += [*top.keys(), *top.values()]
        elif isinstance(top, list):
            stack += top


def _is_sums(text: str) -> bool:
    lines = text.splitlines()
    return bool(lines) and all(_SUM_LINE.fullmatch(line) for line in lines)


def _is_csv(text: str) -> bool:
    """Whether all lines have the same number of fields, at least two of them."""
    try:
        counts = {len(row) for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row}
    except csv.Error:
        return False
    return len(counts) == 1 and counts.pop() >= 2


def _read_csv(text: str, part: Part) -> None:
    for number, row in enumerate(csv.reader(io.StringIO(text, newline="")), start=1):
        if any(is_formula(cell) for cell in row):
            part.refuse("formula", "A cell would be run as a formula by a spreadsheet.", f"row {number}")
            return


_TEXT_KINDS: tuple[tuple[Callable[[str], bool], Callable[[str, Part], None]], ...] = (
    (_is_page, lambda text, part: None),
    (_is_json, _read_json),
    (_is_sums, lambda text, part: None),
    (_is_csv, _read_csv),
)


# ---- archives and workbooks -----------------------------------------------------------------------------


def _open_zip(data: bytes, part: Part, limits: Limits, depth: int) -> Iterator[Part]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        yield part.refuse("unreadable", "It is an archive that cannot be read.")
        return
    with archive:
        members = _read_members(archive, data, part, limits)
        if members is None:
            yield part
        elif is_workbook(members):
            book = read_workbook(members)
            part.texts += book.texts
            for place, rule, says in book.problems:
                part.refuse(rule, says, place)
            yield part
            for inner, content in book.images.items():
                yield from open_parts(content, f"{part.name}!{inner}", limits, depth + 1)
        elif "[Content_Types].xml" in members:
            yield part.refuse("file_type", "It is an office document other than a workbook, which no release holds.")
        elif depth >= _MOST_NESTED:
            yield part.refuse(
                "too_deep", "It is an archive in an archive, so many times over that it is not read to the end."
            )
        else:
            yield part
            for inner, content in members.items():
                yield from open_parts(content, f"{part.name}!{inner}", limits, depth + 1)


def _read_members(archive: zipfile.ZipFile, data: bytes, part: Part, limits: Limits) -> dict[str, bytes] | None:
    """Return the files of an archive, or None if they are not to be read; note what else is in it."""
    entries = archive.infolist()
    if len(entries) > _MOST_MEMBERS:
        part.refuse("too_large", "It holds more files than are read.")
        return None
    if len({entry.filename for entry in entries}) < len(entries):
        part.refuse("archive", "Two files in it have the same name: which of them is read depends on the program.")
        return None
    part.texts.append(archive.comment.decode("latin-1"))
    if archive.comment:
        part.refuse("archive", "The archive has a comment.")
    if entries and min(entry.header_offset for entry in entries) > 0:
        part.refuse("archive", "There is something before the archive's beginning.")
    end = data.rfind(b"PK\x05\x06")
    if end >= 0 and len(data) > end + 22 + len(archive.comment):
        part.refuse("archive", "There is something after the archive's end.")
    members: dict[str, bytes] = {}
    room = limits.expanded
    for entry in entries:
        part.texts += [entry.filename, entry.comment.decode("latin-1"), entry.extra.decode("latin-1")]
        if entry.flag_bits & 1:
            part.refuse("unreadable", "It is protected by a password, so that it is not known what it holds.")
            return None
        if entry.is_dir():
            continue
        if entry.filename.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", entry.filename):
            part.refuse("archive", "A file in it would be unpacked somewhere else.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            part.refuse("archive", "It holds a link instead of a file.")
        room -= entry.file_size
        if room < 0 or (entry.file_size > 1_000_000 and entry.file_size > _MOST_RATIO * max(entry.compress_size, 1)):
            part.refuse("too_large", "It holds more data than is read, when it is unpacked.")
            return None
        try:
            members[entry.filename] = archive.read(entry)
        except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError):
            part.refuse("unreadable", "A file in it cannot be read.")
            return None
    return members
