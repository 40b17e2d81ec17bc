"""Checking what lies on a disk: a page, a folder of pages, an archive or a single file, before it is sent to anyone."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from attendance_toolkit.disclosure.gate.allow import PAGE, check_csv, check_page
from attendance_toolkit.disclosure.gate.evidence import Evidence
from attendance_toolkit.disclosure.gate.findings import Finding
from attendance_toolkit.disclosure.gate.release_page import (
    MANIFEST,
    RESULT,
    check_file,
    files_of,
    guarded,
    search_files,
    stated_in,
)
from attendance_toolkit.errors import DisclosureError

if TYPE_CHECKING:
    from attendance_toolkit.disclosure.gate.identifiers import Identifiers

#: Folder of a release that holds the evidence of its pages, one JSON file a page.
PAGES = "pages"
#: Beside an index: the sums of all files under its folder.
CHECKSUMS = "sha256sums.txt"
_MOST_UNPACKED = 200 * 1024 * 1024
_UNVERIFIED = (
    "Nothing is known of where its numbers come from, so they cannot be verified. Give the folder of releases it was made"
    " with, or search for identifiers alone (patterns only)."
)


def evidence_file(releases: Path, release_id: str, report: str, area_code: str, academic_year: int) -> Path:
    """Return where the evidence of a page is kept in the restricted folder.

    >>> evidence_file(Path("releases"), "r1", "overview", "E08000009", 202324).as_posix()
    'releases/r1/pages/overview_E08000009_202324.json'
    """
    return releases / release_id / PAGES / f"{report}_{area_code}_{academic_year}.json"


@dataclass
class _Known:
    """The evidence kept under a folder of releases, by the sums of the files it is of."""

    by_sum: dict[str, Path] = field(default_factory=dict)
    opened: dict[Path, Evidence] = field(default_factory=dict)
    problems: list[Finding] = field(default_factory=list)

    @staticmethod
    def read(releases: Path | None) -> _Known:
        known = _Known()
        for path in sorted(releases.glob(f"*/{PAGES}/*.json")) if releases else ():
            try:
                evidence = Evidence.open(path)
            except DisclosureError as error:
                known.problems.append(Finding(path.name, "", "evidence", str(error)))
                continue
            known.opened[path] = evidence
            known.by_sum |= dict.fromkeys(evidence.files.values(), path)
        return known

    def of(self, files: Mapping[str, bytes]) -> Evidence | None:
        """Return the evidence for files: by their sums, else by what their manifest says they are."""
        # A table may be the same on the pages of two areas: what is one page's own is looked at first.
        own = [files[name] for name in (PAGE, RESULT, MANIFEST) if name in files]
        for content in (*own, *files.values()):
            path = self.by_sum.get(hashlib.sha256(content).hexdigest())
            if path is not None:
                return self.opened[path]
        return self._by_manifest(files.get(MANIFEST))

    def _by_manifest(self, content: bytes | None) -> Evidence | None:
        try:
            manifest = json.loads(content or b"{}")
        except ValueError:
            return None
        stated = (manifest.get("files") or {}).values() if isinstance(manifest, dict) else ()
        paths = [self.by_sum[value] for value in stated if isinstance(value, str) and value in self.by_sum]
        return self.opened[paths[0]] if paths else None


def check_path(
    path: Path,
    releases: Path | None,
    identifiers: Identifiers,
    *,
    patterns_only: bool = False,
    allowed: Collection[str] = (),
) -> list[Finding]:
    """Return why something must not be sent to partners; an empty list if nothing speaks against it.

    Parameters
    ----------
    path
        A page, a folder of pages, an archive of one, a CSV file, or any other file.
    releases
        The folder ``releases`` of the restricted folder, where the evidence of each page is kept; None if not at hand.
    identifiers
        Of the pupils the pages were made from.
    patterns_only
        Search for identifiers and everything else that must not leave, but do not ask where numbers come from.
    allowed
        Phrases the search lets stand: names of areas and schools, the contact.
    """
    if not path.exists():
        return [Finding(path.name, "", "missing_file", "There is no such file or folder.")]
    try:
        files = files_of(path) if path.is_dir() else {path.name: path.read_bytes()}
    except OSError as error:
        return [Finding(path.name, "", "gate_failed", f"It cannot be read ({type(error).__name__}).")]
    known = _Known.read(releases)
    found = list(known.problems)
    words = {word for evidence in known.opened.values() for word in evidence.words}
    stated = [*_sums_of(files), *(text for content in files.values() for text in _sums_inside(content))]
    phrases = [*allowed, *words, *known.by_sum, *stated]
    found += search_files(files, identifiers, phrases)
    if not patterns_only:
        for name, content in files.items():
            if zipfile.is_zipfile(io.BytesIO(content)):
                found += guarded(name, _check_archive, name, content, known)
        rest = {name: content for name, content in files.items() if not zipfile.is_zipfile(io.BytesIO(content))}
        found += _check_numbers(rest, known)
    # Here: the allow-list is of use without the search, which brings readers of many kinds of files.
    from attendance_toolkit.disclosure.gate.search import mask_names

    return mask_names(found, identifiers, phrases)


def _sums_of(files: Mapping[str, bytes]) -> list[str]:
    """Return the sums of files, and what their manifests state of themselves, their notebook and their inputs."""
    stated = [hashlib.sha256(content).hexdigest() for content in files.values()]
    for name, content in files.items():
        if PurePosixPath(name).name == MANIFEST:
            try:
                stated += stated_in(content)
            except (ValueError, AttributeError):
                continue  # it is no manifest and states nothing; the search says what is wrong with it
    return stated


def _sums_inside(content: bytes) -> list[str]:
    """Return the same for the files in an archive, if it is one."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return []
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if sum(entry.file_size for entry in entries) > _MOST_UNPACKED:
                return []
            return _sums_of({entry.filename: archive.read(entry) for entry in entries})
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError):
        # Of a damaged archive nothing is known; the search says what is wrong with it.
        return []


def _check_archive(name: str, content: bytes, known: _Known) -> list[Finding]:
    """Check the pages in an archive. A workbook is an archive, too: of it nothing is known."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if any(entry.filename in ("[Content_Types].xml", "mimetype") for entry in entries):
            return [Finding(name, "", "unverified", _UNVERIFIED)]
        if sum(entry.file_size for entry in entries) > _MOST_UNPACKED:
            return [Finding(name, "", "too_large", "The archive is too large to be checked.")]
        inside = {entry.filename: archive.read(entry) for entry in entries}
    return [
        Finding(f"{name}!{finding.file}", finding.place, finding.rule, finding.says)
        for finding in _check_numbers(inside, known)
    ]


def _pages(files: Mapping[str, bytes]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Give the files of each page, by their folder; a page is a folder with ``index.html`` and ``result.json``."""
    for name in files:
        path = PurePosixPath(name)
        folder = path.parent.as_posix()
        start = "" if folder == "." else f"{folder}/"
        if path.name == PAGE and f"{start}{RESULT}" in files:
            yield start, {n.removeprefix(start): c for n, c in files.items() if n.startswith(start)}


def _check_numbers(files: Mapping[str, bytes], known: _Known) -> list[Finding]:
    found: list[Finding] = []
    seen: set[str] = set()
    for start, page in _pages(files):
        seen |= {start + name for name in page}
        evidence = known.of(page)
        if evidence is None:
            found.append(Finding(f"{start}{PAGE}", "", "unverified", _UNVERIFIED))
            continue
        found += _changed(start, page, evidence)
        for name, content in page.items():
            checked = guarded(name, check_file, name, content, evidence)
            found += [Finding(start + f.file, f.place, f.rule, f.says) for f in checked]
    for name, content in files.items():
        if PurePosixPath(name).name == CHECKSUMS:
            found += guarded(name, _check_sums, name, content, files)
        elif name not in seen:
            found += guarded(name, _check_alone, name, content, known)
    return found


def _changed(start: str, page: Mapping[str, bytes], evidence: Evidence) -> Iterator[Finding]:
    for name, content in page.items():
        kept = evidence.files.get(name)
        if kept is not None and kept != hashlib.sha256(content).hexdigest():
            yield Finding(start + name, "", "changed", "The file is not as it was when the release was made.")
    for name in sorted(set(evidence.files) - set(page)):
        yield Finding(start + name, "", "missing_file", "The file is missing, so the page is not whole.")


def _check_sums(name: str, content: bytes, files: Mapping[str, bytes]) -> list[Finding]:
    """Check a list of sums: each line must be the sum of a file beside it."""
    folder = PurePosixPath(name).parent
    for line in content.decode("utf-8").splitlines():
        stated, _, file = line.partition("  ")
        listed = files.get((folder / file).as_posix())
        if listed is None or hashlib.sha256(listed).hexdigest() != stated:
            return [Finding(name, "", "changed", "It states a sum that is not of the file beside it.")]
    return []


def _check_alone(name: str, content: bytes, known: _Known) -> list[Finding]:
    """Check a file outside a page's folder: the index, a page sent by itself, a downloaded table."""
    evidence = known.of({name: content})
    if name.lower().endswith((".html", ".htm")) and evidence is not None:
        return check_page(content.decode("utf-8"), evidence, file=name)
    if name.lower().endswith(".csv"):
        text = content.decode("utf-8-sig")
        for candidate in known.opened.values():
            if text in candidate.tables.values():
                return check_csv(text, candidate, file=name)
    return [Finding(name, "", "unverified", _UNVERIFIED)]
