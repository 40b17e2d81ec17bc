"""Whole data sets as CSV: fetched once a version, with provenance, and read back under their own column names."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attendance_toolkit.errors import FetchError
from attendance_toolkit.loaders.ees_api._transport import Transport, not_written, write_atomically
from attendance_toolkit.loaders.published._fetched import provenance_of

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Fetched:
    """A data set in a folder.

    Attributes
    ----------
    path
        The CSV as the API gave it, unpacked.
    provenance
        The JSON file beside it: address, data set, version, time, SHA-256 and the labels of its columns.
    is_new
        Whether it was fetched now; else the version was in the folder or the cache already.
    """

    path: Path
    provenance: Path
    title: str
    version: str
    is_new: bool


def file_name(title: str, version: str) -> str:
    """Return the name of a data set's file.

    >>> file_name("Absence by geography: full year", "2.1")
    'absence_by_geography_full_year_v2-1.csv'
    """
    slug = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:80] or "data_set"
    return f"{slug}_v{re.sub(r'[^0-9A-Za-z]+', '-', version) or '0'}.csv"


def labels_of(meta: Mapping[str, Any]) -> dict[str, str]:
    """Return label -> column name of the filters and indicators; a label two columns share is left out."""
    found: dict[str, str] = {}
    shared: set[str] = set()
    for entry in [*(meta.get("filters") or []), *meta["indicators"]]:
        label, column = str(entry.get("label") or "").strip(), str(entry.get("column") or "").strip()
        if not label or not column:
            continue
        if found.setdefault(label, column) != column:
            shared.add(label)
    return {label: column for label, column in found.items() if label not in shared}


def download(
    transport: Transport, path: str, about: Mapping[str, Any], meta: Mapping[str, Any], folder: Path
) -> Fetched:
    """Put a data set's latest version into a folder, from there, the cache or the API."""
    latest = about.get("latestVersion") or {}
    title, version = str(about.get("title") or about["id"]), str(latest.get("version") or "")
    target = folder / file_name(title, version)
    known = _whole(target)
    if known is not None and (known.get("data_set_id"), known.get("version")) == (about["id"], version):
        return Fetched(target, provenance_of(target), title, version, False)
    key = hashlib.sha256(f"{transport.base_url}{path}\0{version}".encode()).hexdigest()[:40]
    kept = transport.cache / "csv" / f"{key}.csv"
    is_new = _whole(kept) is None
    if is_new:
        if transport.offline:
            raise FetchError(
                f"'{title}', version {version}, is not in the cache, and only the cache may be used (offline). Run it"
                f" once without offline on a computer that reaches {transport.host}."
            )
        received = transport.download(path, kept)
        record = {
            **received,
            "data_set_id": about["id"],
            "title": title,
            "version": version,
            "published": str(latest.get("published") or ""),
            "licence": "Open Government Licence v3.0",
            "columns": labels_of(meta),
        }
        write_atomically(provenance_of(kept), (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
    _copy(kept, target)
    return Fetched(target, provenance_of(target), title, version, is_new)


def _copy(kept: Path, target: Path) -> None:
    # The provenance last: a file without it is taken for no fetched file at all.
    for source, there in ((kept, target), (provenance_of(kept), provenance_of(target))):
        part = there.with_name(f".{there.name}.part")
        try:
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, part)
            part.replace(there)
        except OSError as error:
            raise not_written(error) from None
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def _whole(path: Path) -> dict | None:
    """Return the provenance of a file that is as it was fetched, else None."""
    try:
        about = json.loads(provenance_of(path).read_text(encoding="utf-8"))
        with path.open("rb") as handle:
            return about if hashlib.file_digest(handle, "sha256").hexdigest() == about["sha256"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
