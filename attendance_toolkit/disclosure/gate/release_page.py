"""A whole page, its tables and its results before it leaves: the allow-list, then the search. Any doubt refuses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from attendance_toolkit.disclosure.gate.allow import PAGE, check_csv, check_page, check_result
from attendance_toolkit.disclosure.gate.evidence import Evidence
from attendance_toolkit.disclosure.gate.findings import Finding

if TYPE_CHECKING:
    from attendance_toolkit.disclosure.gate.identifiers import Identifiers

RESULT, MANIFEST = "result.json", "manifest.json"


def guarded(name: str, check: Callable[..., Iterable[Finding]], *given: Any) -> list[Finding]:
    """Return what a check of what is given finds; a check that fails is itself a finding, named by its kind alone.

    >>> guarded("index.html", lambda: [][0])[0].says
    'The gate failed (IndexError), so nothing is known of this file.'
    """
    try:
        return list(check(*given))
    except Exception as error:  # noqa: BLE001 - whatever goes wrong in the gate, nothing may pass it
        # The message of a foreign error may quote what was read.
        says = f"The gate failed ({type(error).__name__}), so nothing is known of this file."
        return [Finding(name, "", "gate_failed", says)]


def files_of(source: Path | Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Return name -> content of the files of a page, from its folder or as given."""
    if not isinstance(source, Path):
        return source
    found = {}
    for path in sorted(source.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise OSError("a link or a device")
        if path.is_file():
            found[path.relative_to(source).as_posix()] = path.read_bytes()
    return found


def check_release_page(
    source: Path | Mapping[str, bytes],
    evidence: Evidence,
    identifiers: Identifiers,
    *,
    allowed: Collection[str] = (),
) -> list[Finding]:
    """Return why a page must not leave; an empty list lets it go.

    Parameters
    ----------
    source
        Folder of the finished page (``index.html``, ``tables/``, ``result.json``, ``manifest.json``), or name -> bytes.
    evidence
        From ``evidence.evidence_for``.
    identifiers
        Of this run's pupils.
    allowed
        Phrases the search lets stand: names of areas and schools, the contact, dates the page states.
    """
    try:
        files = files_of(source)
    except OSError as error:
        return [Finding(PAGE, "", "gate_failed", f"The page's folder cannot be read ({type(error).__name__}).")]
    found = []
    for name in sorted({PAGE, RESULT} - set(files)):
        found.append(Finding(name, "", "missing_file", "The file is missing, so the page is not whole."))
    for name, content in files.items():
        found += guarded(name, check_file, name, content, evidence)
    return found + search_files(files, identifiers, [*allowed, *evidence.words])


def check_file(name: str, content: bytes, evidence: Evidence) -> list[Finding]:
    """Return what the allow-list finds in one file of a page."""
    path = PurePosixPath(name)
    text = content.decode("utf-8")
    if name == PAGE:
        return check_page(text, evidence)
    if path.parent.as_posix() == "tables" and path.suffix == ".csv":
        if evidence.tables.get(path.name) != text.removeprefix("\ufeff"):
            return [Finding(name, "", "unknown_table", "The file is not a table of the page.")]
        return check_csv(text.removeprefix("\ufeff"), evidence, file=name)
    if name == RESULT:
        rows = json.loads(text)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            return [Finding(name, "", "result", "The results are not a list of rows.")]
        return check_result(rows, evidence, file=name)
    if name == MANIFEST:
        return _check_manifest(json.loads(text), name)
    return [Finding(name, "", "unknown_file", "A page has no such file.")]


#: What a manifest says of how a page was made.
_MANIFEST_KEYS = frozenset(
    ("report", "notebook_sha256", "parameters", "inputs", "toolkit", "python", "libraries", "made_on", "files", "policy",
     "release", "release_id", "vintage", "policy_sha256", "audience", "seed")
)  # fmt: skip


def _check_manifest(manifest: object, name: str) -> list[Finding]:
    if not isinstance(manifest, dict):
        return [Finding(name, "", "manifest", "The manifest is not one.")]
    unknown = sorted(set(manifest) - _MANIFEST_KEYS)
    says = "The manifest says something no manifest of ours says."
    return [Finding(name, "", "manifest", says)] if unknown else []


def search_files(files: Mapping[str, bytes], identifiers: Identifiers, allowed: Collection[str]) -> list[Finding]:
    """Return what the search finds in the files of a page; a search that cannot run refuses."""
    found: list[Finding] = []
    for name, content in files.items():
        found += guarded(name, _search, content, name, files, identifiers, allowed)
    missing = guarded("", lambda: [unknown] if (unknown := identifiers.finding()) else [])
    return found + missing


def _search(
    content: bytes, name: str, files: Mapping[str, bytes], identifiers: Identifiers, allowed: Collection[str]
) -> list[Finding]:
    # Here: the allow-list is of use without the search, which brings readers of many kinds of files.
    from attendance_toolkit.disclosure.gate.search import search_file

    sums: list[str] = []
    if PurePosixPath(name).name == MANIFEST:
        sums = [hashlib.sha256(other).hexdigest() for other in files.values()] + stated_in(content)
    return search_file(content, name, identifiers, [*allowed, *sums])


def stated_in(content: bytes) -> list[str]:
    """Return the sums and the days a manifest states of its notebook, inputs, release and policy."""
    manifest = json.loads(content)
    inputs = manifest.get("inputs") or []
    values = [manifest.get(key) for key in ("notebook_sha256", "policy_sha256", "release_id", "made_on", "vintage")]
    values += [given.get("sha256") for given in inputs if isinstance(given, dict)]
    values += [(manifest.get("toolkit") or {}).get("commit")]
    return [value for value in values if isinstance(value, str) and value]
