"""The restricted folder: what stays inside the authority. Audits, internal pages and pupil lists go here alone."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from attendance_toolkit.errors import DisclosureError, ReportError
from attendance_toolkit.reporting.register import mark_deleted, read_register
from attendance_toolkit.vocabulary.audiences import SENSITIVE

#: Says that a folder is one of ours, and what was decided for it.
MARKER = "restricted.json"
#: Every folder of pages has this file; without the marker, its pages are for partners.
CHECKSUMS = "sha256sums.txt"
README = "README.txt"
KEY = "release.key"
#: Days after which internal pages and audits are to go, unless the policy says otherwise.
RETENTION_DAYS = 365

#: Beginnings of folder names that file-sharing services give, in small letters, and files they leave behind.
_SHARED_NAMES = ("onedrive", "dropbox", "google drive", "googledrive", "icloud", "sharepoint", "nextcloud", "owncloud")
_SHARED_MARKS = (".dropbox", ".dropbox.cache", ".stfolder", ".owncloudsync.log", ".nextcloudsync.log", ".sync.ffs_db")

_README_TEXT = """{marking}

This folder stays inside the local authority. It holds exact figures that can point at single children: audits of what
was hidden from partners, pages with nothing hidden, and lists of pupils. Nothing in it may be sent to a partner, put on
a website, mailed, or copied to a folder that others read or that is kept in step with a file-sharing service.

Who may read it: staff of the authority whose work needs it, named by the information asset owner, and nobody else. It was
made so that only the user who made it can open it; give others access only on purpose and only to the part they need.

pages/      pages with nothing hidden; index.html lists them
releases/   one folder for each release: audit.html (start here), audit.csv, the exact cells, and what was decided
lists/      lists of pupils by school; lists.csv says what was made, for what purpose and until when it may be kept

Retention: {days} days for pages and releases; each pupil list has its own date, in its first rows and in lists.csv.
See what is past its date with: attendance purge FOLDER. Nothing is deleted before you add --yes.
Begun on {today}.
"""


@dataclass(frozen=True)
class Restricted:
    """A restricted folder. ``pages``, ``releases`` and ``lists`` are its parts."""

    path: Path
    retention_days: int = RETENTION_DAYS

    @property
    def pages(self) -> Path:
        """Return the folder of pages with nothing hidden."""
        return self.path / "pages"

    @property
    def releases(self) -> Path:
        """Return the folder of releases and their audits."""
        return self.path / "releases"

    def release_key(self) -> bytes:
        """Return the key that the names of releases are made with, made on first use: it stays in this folder."""
        file = self.path / KEY
        try:
            if not file.is_file():
                part = file.with_suffix(".part")
                part.touch(mode=0o600)
                part.write_text(secrets.token_hex(32) + "\n", encoding="utf-8")
                part.replace(file)
            return bytes.fromhex(file.read_text(encoding="utf-8").strip())
        except (OSError, ValueError):
            raise ReportError(f"{KEY} of the restricted folder '{self.path.name}' cannot be used. Delete it.") from None

    @property
    def lists(self) -> Path:
        """Return the folder of pupil lists."""
        return self.path / "lists"


@dataclass(frozen=True)
class Expired:
    """Something past its date: where it lies in the restricted folder, what it is, and until when it could be kept."""

    path: Path
    what: str
    until: date

    def __str__(self) -> str:
        """Return one line for a person.

        >>> str(Expired(Path("lists", "a.xlsx"), "pupil list", date(2026, 3, 31)))
        'lists/a.xlsx: pupil list, to be kept until 2026-03-31'
        """
        return f"{self.path.as_posix()}: {self.what}, to be kept until {self.until.isoformat()}"


def open_restricted(
    path: Path, out: Path | None = None, retention_days: int | None = None, *, today: date | None = None
) -> Restricted:
    """Return a restricted folder, made on first use so that only the user can open it.

    Parameters
    ----------
    path
        The folder.
    out
        The folder of what partners get, if something is made for them too.
    retention_days
        How long pages and releases may be kept. None leaves it as the folder has it written down.
    today
        The day written into a new folder.

    Raises
    ------
    DisclosureError
        The folder lies inside ``out`` or around it, inside a folder of pages for partners or one that a file-sharing
        service keeps in step, or everybody on the computer can read it.
    ReportError
        It cannot be made, or holds other files.
    """
    folder = path.expanduser().resolve()
    _check_place(folder, out)
    if (folder / MARKER).is_file():
        _check_mode(folder)
        written = _marker(folder)
        days = written.retention_days if retention_days is None else retention_days
        if days != written.retention_days:
            _describe(folder, days, written.made_on)
        return Restricted(folder, days)
    if folder.is_dir() and any(folder.iterdir()):
        raise ReportError(
            f"The folder '{folder.name}' holds other files, so it is not made a restricted folder. Name an empty folder, or"
            " one that is not there yet."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        for part in ("pages", "releases", "lists"):
            (folder / part).mkdir(mode=0o700, exist_ok=True)
        # A checkout around it must not take the folder in.
        (folder / ".gitignore").write_text("*\n", encoding="utf-8", newline="\n")
        days = RETENTION_DAYS if retention_days is None else retention_days
        _describe(folder, days, (today or date.today()).isoformat())
    except OSError as error:
        raise ReportError(
            f"The restricted folder '{folder.name}' cannot be made ({error.strerror}). Name another place."
        ) from None
    return Restricted(folder, days)


def _describe(folder: Path, days: int, made_on: str) -> None:
    """Write what the folder is for people, and last for the toolkit: without the marker it is not a finished one."""
    text = _README_TEXT.format(marking=SENSITIVE, days=days, today=made_on)
    (folder / README).write_text(text, encoding="utf-8", newline="\n")
    marker = {"marking": SENSITIVE, "made_on": made_on, "retention_days": days}
    (folder / MARKER).write_text(json.dumps(marker, indent=1) + "\n", encoding="utf-8", newline="\n")


def is_restricted(folder: Path) -> bool:
    """Whether a folder is a restricted one or lies in one."""
    place = folder.expanduser().resolve()
    return any((one / MARKER).is_file() for one in (place, *place.parents))


def require_restricted(folder: Path) -> None:
    """Refuse a folder that is not inside a restricted one.

    Raises
    ------
    DisclosureError
        Exact figures or pupils were about to be written anywhere else.
    """
    if not is_restricted(folder):
        raise DisclosureError(
            f"'{folder.name}' is not part of a restricted folder, and this may be written nowhere else. Give the restricted"
            f" folder of the authority: it has a file {MARKER}."
        )


def _check_place(folder: Path, out: Path | None) -> None:
    if out is not None:
        shared = out.expanduser().resolve()
        if folder == shared or folder in shared.parents or shared in folder.parents:
            raise DisclosureError(
                f"The restricted folder '{folder.name}' and the folder for partners '{shared.name}' lie inside each other."
                " Keep them apart: what is sent to partners must not hold what stays inside."
            )
    for place in (folder, *folder.parents):
        if (place / MARKER).is_file():
            # An outer restricted folder was checked when it was made.
            break
        if (place / CHECKSUMS).is_file():
            raise DisclosureError(
                f"The restricted folder '{folder.name}' lies in a folder of pages for partners ('{place.name}')."
                " Name a place that nobody else is given."
            )
        is_shared = place.name.casefold().startswith(_SHARED_NAMES)
        if is_shared or any((place / mark).exists() for mark in _SHARED_MARKS):
            raise DisclosureError(
                f"The restricted folder '{folder.name}' lies in '{place.name}', which a file-sharing service keeps in step"
                " with other computers. Name a place that only the authority's own staff can reach."
            )


def _check_mode(folder: Path) -> None:
    # Others' bits say nothing on Windows, where access is kept elsewhere.
    if os.name == "posix" and stat.S_IMODE(folder.stat().st_mode) & 0o007:
        raise DisclosureError(
            f"Everybody on this computer can open the restricted folder '{folder.name}'. Take that right away"
            " (chmod o-rwx) and try again."
        )


@dataclass(frozen=True)
class _Marker:
    made_on: str
    retention_days: int


def _marker(folder: Path) -> _Marker:
    try:
        found = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return _Marker(str(found["made_on"]), int(found["retention_days"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise ReportError(
            f"{MARKER} of the restricted folder '{folder.name}' cannot be read. Put it back from a copy, or name another"
            " folder."
        ) from None


# --- what is past its date ------------------------------------------------------------------------------------


def purge(folder: Path, today: date, *, delete: bool = False) -> list[Expired]:
    """Return what of a restricted folder is past its date; delete it only when told to.

    Parameters
    ----------
    today
        What could be kept until an earlier day is past its date.
    delete
        Delete it. The register of lists keeps its rows, with the day of deletion. Earlier releases are what tells a
        later one which figures were shown before: once they are gone, it cannot be compared with them.

    Returns
    -------
    By place. With ``delete``, what was deleted.

    Raises
    ------
    DisclosureError
        The folder is not a restricted one.
    ReportError
        Something cannot be read or deleted.
    """
    root = folder.expanduser().resolve()
    if not (root / MARKER).is_file():
        raise DisclosureError(f"'{root.name}' is not a restricted folder: it has no {MARKER}. Nothing was deleted.")
    room = Restricted(root, _marker(root).retention_days)
    found = sorted((item for item in _dated(room) if item.until < today), key=lambda item: item.path.as_posix())
    if delete:
        _delete(room, found, today)
    return found


def _dated(room: Restricted) -> Iterator[Expired]:
    for row in read_register(room.lists):
        path = room.lists / row.file
        if not row.deleted_on and path.is_file() and _is_inside(path, room.lists):
            yield Expired(path.relative_to(room.path), "pupil list", row.retain_until)
    days = timedelta(days=room.retention_days)
    for manifest in sorted(room.pages.glob("*/*/*/manifest.json")):
        yield Expired(manifest.parent.relative_to(room.path), "internal page", _made_on(manifest) + days)
    for manifest in sorted(room.releases.glob("*/release.json")):
        yield Expired(manifest.parent.relative_to(room.path), "release with exact figures", _made_on(manifest) + days)


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a path of the register, which somebody may have edited, is truly in the folder."""
    return folder.resolve() in path.resolve().parents


def _made_on(manifest: Path) -> date:
    """Return the day in a manifest, else the day the file was written."""
    try:
        document = json.loads(manifest.read_text(encoding="utf-8"))
        return date.fromisoformat(str(document["made_on"])[:10])
    except KeyError:
        return date.fromtimestamp(manifest.stat().st_mtime)
    except (OSError, ValueError, TypeError):
        place = "/".join(manifest.parts[-3:])
        raise ReportError(
            f"{place} cannot be read, so nothing is known of its age. Look at the folder yourself."
        ) from None


def _delete(room: Restricted, found: Iterable[Expired], today: date) -> None:
    gone: set[str] = set()
    failed = ""
    for item in found:
        path = room.path / item.path
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError as error:
            failed = f"{item.path.as_posix()} cannot be deleted ({error.strerror}). What came before it is deleted."
            break
        if item.path.parts[0] == room.lists.name:
            gone.add(Path(*item.path.parts[1:]).as_posix())
    mark_deleted(room.lists, gone, today)
    if failed:
        raise ReportError(failed)
