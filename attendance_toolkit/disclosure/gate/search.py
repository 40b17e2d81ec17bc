"""The gate's second half: search files, through everything they can be decoded to, for what must not leave.

The first half (``allow``) says where everything on a page comes from. This one asks nothing about where it comes from:
identifiers of the pupils of a release, anything of their shape, paths, error messages, and everything a file can hold
besides what it shows. Whatever cannot be read to the end is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from attendance_toolkit.disclosure.gate import identifiers as known_ones
from attendance_toolkit.disclosure.gate import patterns
from attendance_toolkit.disclosure.gate.containers import Part, open_parts
from attendance_toolkit.disclosure.gate.decode import LETTERS_APART, Decoder, Layer, Limits
from attendance_toolkit.disclosure.gate.findings import Finding
from attendance_toolkit.disclosure.gate.identifiers import AllowedPhrases, Identifiers
from attendance_toolkit.disclosure.gate.patterns import Match

_SAYS = {**patterns.SAYS, **known_ones.SAYS}
#: What may be allowed by a phrase. A UPN, the hash of a known one and a path never are.
_MAY_BE_ALLOWED = frozenset(
    ("postcode", "date", "email", "phone", "hash", "known_date_of_birth", "known_postcode", "long_number", "uuid")
)
#: What is looked for in the source of a page, where slashes, coordinates and colours are no paths, dates and postcodes.
_IN_SOURCE = frozenset(("upn_shape", "hash", "uuid", "traceback", "user_path"))
#: Names of files that programs leave lying about, or that hide.
_STRAY = re.compile(
    r"(?:^|/)(?:\.[^/]*|~\$[^/]*|\$[^/]*|thumbs\.db|desktop\.ini|[^/]*~|[^/]*\.(?:tmp|bak|swp|orig|lock|log|pyc)"
    r"|__macosx|__pycache__)(?:/|$)",
    re.IGNORECASE,
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MASKED = "a file whose name is masked"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def search_file(
    source: Path | bytes,
    name: str,
    identifiers: Identifiers,
    allowed: Collection[str] | AllowedPhrases = (),
    *,
    limits: Limits | None = None,
) -> list[Finding]:
    r"""Return why a file must not leave; an empty list if nothing was found.

    Parameters
    ----------
    source
        The file, or what is in it.
    name
        Its name inside what is checked, which is searched, too.
    identifiers
        Of the pupils of the release. If they are not known, shapes are still searched for; ``identifiers.finding()``
        says so once for all files.
    allowed
        Phrases that may stand in the file: names of areas and schools, the contact, dates the page states,
        SHA-256 sums of published files.
    limits
        How far to decode; beyond, a file is refused.

    Examples
    --------
    >>> nobody = Identifiers.missing("none loaded")
    >>> [found.rule for found in search_file(b"school,rate\nM1 1AA,5\n", "a.csv", nobody)]
    ['postcode']
    >>> search_file(b"school,rate\nOak,5\n", "a.csv", nobody)
    []
    """
    phrases = allowed if isinstance(allowed, AllowedPhrases) else AllowedPhrases(allowed)
    try:
        data = source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        return [Finding(name, "", "unreadable", f"It cannot be read ({error.strerror}).")]
    limits = limits or Limits()
    found = _search_name(name, identifiers, phrases)
    for part in open_parts(data, name, limits):
        found += part.findings
        found += _search_part(part, identifiers, phrases, limits)
    return list(dict.fromkeys(found))


def search_folder(
    folder: Path,
    identifiers: Identifiers,
    allowed: Collection[str] = (),
    *,
    limits: Limits | None = None,
) -> list[Finding]:
    """Return why a folder must not leave: every file in it, at any depth, and every name.

    The sums (SHA-256) of the folder's own files may stand in it, and what its manifests say of their notebook and of
    their inputs.

    Parameters
    ----------
    folder, identifiers, allowed, limits
        As in ``search_file``.
    """
    found: list[Finding] = []
    files: list[Path] = []
    for path in sorted(folder.rglob("*"), key=lambda p: p.relative_to(folder).as_posix()):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            found.append(Finding(name, "", "file_type", "It is a link or a device, not a file."))
        elif path.is_file():
            files.append(path)
        elif not any(path.iterdir()):
            found += _search_name(name, identifiers, AllowedPhrases(allowed))
    phrases = AllowedPhrases([*allowed, *stated_in_manifests(files), *(_sum(path) for path in files)])
    for path in files:
        found += search_file(path, path.relative_to(folder).as_posix(), identifiers, phrases, limits=limits)
    return list(dict.fromkeys(found))


def stated_in_manifests(files: Collection[Path]) -> list[str]:
    """Return the sums (SHA-256) of a report's notebook and inputs, and the day it was made, from its manifests."""
    stated: list[str] = []
    for path in files:
        if path.name != "manifest.json":
            continue
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError, RecursionError):
            continue  # not a manifest of ours: it is searched, and read, as any JSON file
        if isinstance(manifest, dict):
            stated += _stated(manifest)
    return stated


def _stated(manifest: dict[str, Any]) -> Iterator[str]:
    inputs = manifest.get("inputs")
    sums = [manifest.get("notebook_sha256")]
    sums += [given.get("sha256") for given in inputs if isinstance(given, dict)] if isinstance(inputs, list) else []
    yield from (value for value in sums if isinstance(value, str) and _SHA256.fullmatch(value))
    made_on = manifest.get("made_on")
    if isinstance(made_on, str) and _DAY.fullmatch(made_on):
        yield made_on


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _search_name(name: str, identifiers: Identifiers, allowed: AllowedPhrases) -> list[Finding]:
    found = []
    if _STRAY.search(name) or ".ipynb_checkpoints" in name:
        found.append(
            Finding(
                _shown(name), "name", "stray_file", "Programs leave such files lying about; it is no part of a report."
            )
        )
    if re.search(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", name):
        found.append(Finding(_shown(name), "name", "file_name", "Its name has characters that nobody sees."))
    decoder = Decoder(Limits(seconds=5))
    decoder.add_text(name)
    decoder.add_text(re.sub(r"\.\w+$", "", name.rpartition("/")[2]))
    hits = [hit for layer in decoder.layers for hit in _hits(layer, identifiers, allowed, paths=False)]
    # The name cannot be said: it is what must not be seen.
    found += [
        Finding(_MASKED, "name", rule, _SAYS[rule].replace("It holds", "Its name holds"))
        for rule in sorted({hit.rule for hit in hits})
    ]
    return found


def mask_names(
    findings: Collection[Finding], identifiers: Identifiers, allowed: Collection[str] | AllowedPhrases = ()
) -> list[Finding]:
    """Return findings without the names of files that are themselves what must not be seen, whoever found something.

    >>> found = Finding("tables/B801200005001.csv", "", "unknown_table", "The file is not a table of the page.")
    >>> [finding.file for finding in mask_names([found], Identifiers.missing("none loaded"))]
    ['a file whose name is masked']
    """
    phrases = allowed if isinstance(allowed, AllowedPhrases) else AllowedPhrases(allowed)
    masked = {
        name
        for name in {finding.file for finding in findings}
        if any(finding.file == _MASKED for finding in _search_name(name, identifiers, phrases))
    }
    return [replace(finding, file=_MASKED) if finding.file in masked else finding for finding in findings]


def _shown(name: str) -> str:
    return name.encode("ascii", "replace").decode().replace("\n", "?")


def _search_part(part: Part, identifiers: Identifiers, allowed: AllowedPhrases, limits: Limits) -> list[Finding]:
    decoder = Decoder(limits)
    for text in part.texts:
        decoder.add_text(text)
    for data in part.blobs:
        decoder.add_bytes(data)
    found = [Finding(part.name, "", rule, says) for rule, says in decoder.problems.items()]
    said: set[str] = set()
    for layer in decoder.layers:
        for hit in _hits(layer, identifiers, allowed):
            if hit.rule not in said:  # once for each rule: the first place is enough to refuse
                said.add(hit.rule)
                found.append(Finding(part.name, layer.place(hit.start), hit.rule, _SAYS[hit.rule]))
    return found


def _hits(layer: Layer, identifiers: Identifiers, allowed: AllowedPhrases, *, paths: bool = True) -> Iterator[Match]:
    """Give what is in a layer and not allowed there."""
    if layer.is_guess:
        yield from patterns.find_upns(layer.text)
        if identifiers.is_known:
            yield from identifiers.find_upns(layer.text)
            if not "".join(layer.trail[-1:]).startswith("run together"):
                yield from identifiers.find_names(layer.text, allowed)
        return
    for hit in patterns.find_patterns(layer.text, paths=paths and not layer.is_source):
        is_apart = layer.trail[-1:] == (LETTERS_APART,)
        # The symbol of a hidden figure and the numbers of an axis after it have the shape by chance; a real UPN has its check
        # letter.
        if hit.rule == "upn_shape" and is_apart and not patterns.is_upn(layer.text[hit.start : hit.end]):
            continue
        if (not layer.is_source or hit.rule in _IN_SOURCE) and not _is_allowed(hit, layer.text, allowed):
            yield hit
    for hit in identifiers.find(layer.text, allowed):
        if not _is_allowed(hit, layer.text, allowed):
            yield hit


def _is_allowed(hit: Match, text: str, allowed: AllowedPhrases) -> bool:
    if hit.rule == "hash":
        return allowed.is_phrase(text[hit.start : hit.end])
    return hit.rule in _MAY_BE_ALLOWED and allowed.has(text[hit.start : hit.end])
