"""Whole data sets as CSV: fetched once a version, with provenance, and read back under their own column names."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attendance_toolkit.errors import FetchError, UnreadableFileError
from attendance_toolkit.loaders.ees_api._transport import Transport, not_written, write_atomically

if TYPE_CHECKING:
    from attendance_toolkit.loaders.published import Published

_PROVENANCE = ".provenance.json"


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


def provenance_of(path: Path) -> Path:
    """Return the provenance file of a fetched CSV."""
    return path.with_name(path.name + _PROVENANCE)


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


# --- reading -------------------------------------------------------------------------------------------


def translate(path: Path | str, folder: Path | str) -> Path:
    """Return a fetched file under the data set's own column names: itself if it has them, else a copy.

    The API writes human labels ("Number of pupil enrolments") where the published file has column names
    ("enrolments"). The provenance beside the file says which is which. Only the header is changed.

    Parameters
    ----------
    path
        A CSV from ``EesApi.download_csv``, or any other, which is returned as it is.
    folder
        Where a copy is written, under the same name.

    Raises
    ------
    UnreadableFileError
        Two columns would have one name, or the provenance cannot be read.
    """
    source = Path(path)
    beside = provenance_of(source)
    if not beside.is_file():
        return source
    try:
        labels: dict[str, str] = json.loads(beside.read_text(encoding="utf-8"))["columns"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UnreadableFileError(f"{beside.name} is damaged. Fetch {source.name} again.") from None
    with source.open("rb") as handle:
        first = handle.readline()
        names = next(csv.reader([first.decode("utf-8-sig").rstrip("\r\n")]), [])
        ours = [labels.get(name.strip(), name.strip()) for name in names]
        if ours == [name.strip() for name in names]:
            return source
        twice = sorted({name for name in ours if ours.count(name) > 1})
        if twice:
            raise UnreadableFileError(
                f"{source.name}: two columns would be '{twice[0]}' by their labels. Download the data set from the data"
                " catalogue instead."
            )
        target = Path(folder) / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as out:
            out.write((",".join(_cell(name) for name in ours) + "\n").encode())
            shutil.copyfileobj(handle, out)
    return target


def _cell(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if re.search(r'[",\r\n]', name) else name


def read_fetched(paths: Sequence[Path | str] | Path | str, *, areas: Sequence[str] | None = None) -> Published:
    """Read fetched files as ``read_published`` does, under the data sets' own column names.

    Parameters
    ----------
    paths
        Files, or folders of them.
    areas
        As for ``read_published``.

    Raises
    ------
    UnreadableFileError
        A file cannot be read or is of no known layout.
    """
    from attendance_toolkit.loaders.published import read_published

    given = [Path(p) for p in ([paths] if isinstance(paths, str | Path) else paths)]
    files = [f for p in given for f in (sorted(p.rglob("*.csv")) if p.is_dir() else [p])]
    with tempfile.TemporaryDirectory(prefix="attendance-") as folder:
        return read_published([translate(f, Path(folder) / str(n)) for n, f in enumerate(files)], areas=areas)
