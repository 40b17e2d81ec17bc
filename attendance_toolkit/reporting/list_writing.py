"""What all lists of pupils have in common: a purpose and a date, names only if they are asked for, files and the register."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from attendance_toolkit.errors import NoDataError, ParameterError, StoreError
from attendance_toolkit.loaders.pupil_names import PupilName, find_names
from attendance_toolkit.presentation.markup import SYNTHETIC, slug
from attendance_toolkit.reporting.list_files import PupilList, Value, plain_text, write_csv, write_page, write_xlsx
from attendance_toolkit.reporting.register import Entry, add_entries, mark_deleted, read_register
from attendance_toolkit.store import Store
from attendance_toolkit.store.keys import key_id, read_or_make_key
from attendance_toolkit.vocabulary.areas import Area, find_area, local_authorities_in
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, WHOLE_YEAR, parse_academic_year, show_academic_year
from attendance_toolkit.vocabulary.rounding import round_half_up
from attendance_toolkit.vocabulary.series import SERIES

FORMATS = {"xlsx": write_xlsx, "csv": write_csv}
#: The one format of pages about pupils: they are made whole before they are written.
PAGE = "html"
#: Term -> what lists call it, in the order of time.
TERM_WORDS = {**TERM_LABELS, WHOLE_YEAR: "Whole year"}
#: Name of the file that says how many pupils each school has, and no pupil.
SUMMARY = "summary"
NOT_NAMED = "not named in the files given"
Names = Mapping[int, PupilName] | None


@dataclass(frozen=True)
class ListsMade:
    """What was written: the folder, the files, how many schools and pupils, and how many pupils the files given name not."""

    folder: Path
    files: tuple[Path, ...]
    schools: int
    pupils: int
    unnamed: int = 0

    def to_text(self) -> str:
        """Return the result as a person reads it.

        >>> ListsMade(Path("x"), (Path("x/a.csv"),), 1, 12).to_text()
        '1 list of 12 pupils was written, one file a school in each format.'
        """
        lists = "1 list" if self.schools == 1 else f"{self.schools:,} lists"
        unnamed = f" {self.unnamed:,} of them are not named in the files given." if self.unnamed else ""
        return (
            f"{lists} of {self.pupils:,} pupils {'was' if self.schools == 1 else 'were'} written, one file a school in each"
            f" format.{unnamed}"
        )


@dataclass(frozen=True)
class Asked:
    """What a call asks for, checked. ``kind`` is the list's name in the register and of its folder."""

    kind: str
    area: Area
    academic_year: int
    purpose: str
    retain_until: date
    made_on: date
    formats: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Folder of the files inside that of lists."""
        return Path(slug(self.area.name), show_academic_year(self.academic_year).replace("/", "-"), self.kind)


@dataclass(frozen=True)
class ListFile:
    """One file to write: its name without ending, the school as the register has it, and how many pupils it names.

    ``listed`` is a list, written in each format asked for, or a finished page, for the format ``PAGE``.
    """

    stem: str
    school: str
    listed: PupilList | bytes
    pupils: int


def check_asked(
    kind: str,
    area: str | Area,
    academic_year: str | int,
    purpose: str,
    retain_until: date,
    formats: Sequence[str],
    today: date,
    *,
    allowed: Collection[str] = tuple(FORMATS),
) -> Asked:
    """Return what is asked for, checked.

    Parameters
    ----------
    allowed
        Formats there are of this kind.

    Raises
    ------
    ParameterError
        A format there is not, no purpose, or a date that has passed.
    UnknownAreaError, VocabularyError
        There is no such area, or the year cannot be read.
    """
    wrong = [name for name in formats if name not in allowed]
    if wrong or not formats:
        raise ParameterError(
            f"'{', '.join(wrong)}' is not a format of lists. Use one or both of: {', '.join(allowed)}."
        )
    if not plain_text(purpose):
        raise ParameterError(
            "A list of pupils needs a purpose: say in a sentence what it is for and who gets it, for example"
            " 'Attendance reviews by the school's attendance lead, autumn term'."
        )
    if retain_until <= today:
        raise ParameterError(
            f"The date until which the lists may be kept, {retain_until.isoformat()}, is not after today"
            f" ({today.isoformat()}). Give the day after which they will be destroyed."
        )
    place = area if isinstance(area, Area) else find_area(area)
    year = parse_academic_year(academic_year)
    return Asked(kind, place, year, plain_text(purpose), retain_until, today, tuple(dict.fromkeys(formats)))


def held_members(store: Store, area: Area) -> list[str]:
    """Return the codes of the area's local authorities that the store has pupils of.

    Raises
    ------
    NoDataError
        It has none; the message names those it has.
    """
    held = set(store.la_codes())
    codes = [la.code for la in local_authorities_in(area) if la.code in held]
    if not codes:
        raise NoDataError(
            f"The store has no pupils of {area.name}. It holds:"
            f" {', '.join(find_area(code).name for code in sorted(held)) or 'no authority'}."
        )
    return codes


# --- pupils and schools ---------------------------------------------------------------------------------------


def store_key(store: Store, key_file: str | Path | None, why: str) -> bytes:
    """Return the key the store was made with.

    Parameters
    ----------
    why
        What to say when no file is there: what needs the key, and what happens without.

    Raises
    ------
    ParameterError
        No key file is given, or it is not there.
    StoreError
        It is another key.
    """
    path = Path(key_file).expanduser() if key_file else None
    if path is None or not path.is_file():
        raise ParameterError(why)
    key = read_or_make_key(path, store.path)
    if key_id(key) != store.manifest.get("key_id"):
        raise StoreError(
            f"The store '{store.path.name}' was made with another key, so its pupils cannot be told by this one."
            " Give the key file it was made with."
        )
    return key


def names_of(
    store: Store, upns: Collection[int], identify: Sequence[str | Path] | None, key_file: str | Path | None
) -> dict[int, PupilName] | None:
    """Return the names of the pupils listed (pseudonyms), or None when the lists are to carry pseudonyms.

    Raises
    ------
    ParameterError
        There is no key, or the files name nobody.
    StoreError
        The key is not the one the store was made with.
    """
    if not identify:
        return None
    key = store_key(
        store,
        key_file,
        "UPNs and names need the key the store was made with: give its file. Without names the lists carry pseudonyms.",
    )
    return find_names(identify, set(upns), key)


def pupil_headers(names: Names) -> tuple[str, ...]:
    """Return the headers of the columns that say who a pupil is."""
    return ("UPN", "Name") if names is not None else ("Pupil",)


def pupil_cells(upn: int, names: Names) -> tuple[str, ...]:
    """Return who a pupil is: the pseudonym, or UPN and name as the files given have them."""
    if names is None:
        # Text: a spreadsheet keeps 15 digits of a number.
        return (str(upn),)
    known = names.get(upn)
    return (known.upn, known.name) if known else ("", NOT_NAMED)


def unnamed_among(upns: Iterable[int], names: Names) -> int:
    """Return how many of the pupils the files given do not name; 0 when no names are asked for."""
    return sum(upn not in names for upn in upns) if names is not None else 0


class Schools:
    """The names of a store's schools, as lists write them."""

    def __init__(self, store: Store) -> None:
        known = store.schools().drop_duplicates("laestab").dropna(subset=["laestab", "school_name"])
        self._names: dict[int, str] = dict(zip(known["laestab"].astype(int), known["school_name"], strict=True))

    def name(self, laestab: int) -> str:
        """Return a school's name; "" if it is not known."""
        return plain_text(str(self._names.get(laestab, "")))

    def in_words(self, laestab: int) -> str:
        """Return a school's name and number."""
        name = self.name(laestab)
        return f"{name} ({laestab})" if name else f"{laestab}, name not known"

    def stem(self, laestab: int) -> str:
        """Return the name of a school's file, without ending."""
        name = self.name(laestab)
        return f"{laestab}-{slug(name)}" if name else str(laestab)


def about_rows(
    asked: Asked, store: Store, school: str, notes: str, names: Names, *, more: Sequence[tuple[str, str]] = ()
) -> tuple[tuple[str, str], ...]:
    """Return the rows above a list: of which school, what for, until when, from what.

    Parameters
    ----------
    notes
        How pupils were counted and chosen; follows the source.
    more
        Rows of the kind of list, before the source.
    """
    series = SERIES["synthetic" if store.is_synthetic else "local"]
    return (
        *(((SYNTHETIC, "No row describes a real pupil or school."),) if store.is_synthetic else ()),
        ("School", school),
        ("Purpose", asked.purpose),
        ("Keep until", f"{asked.retain_until.isoformat()}; destroy it after that day"),
        ("Made on", asked.made_on.isoformat()),
        *more,
        ("Source", f"{series.note} {notes}"),
        *((("Pupil", "A pseudonym: who holds the extract and the key can tell the pupil."),) if names is None else ()),
    )


def terms_in_words(terms: Iterable[tuple[str, int, int]]) -> str:
    """Return label, sessions missed and possible of each term in words.

    >>> terms_in_words([("Autumn", 12, 130), ("Spring", 20, 118)])
    'Autumn 12 of 130; Spring 20 of 118'
    """
    return "; ".join(f"{label} {missed} of {possible}" for label, missed, possible in terms)


def percent_of(share: float) -> Value:
    """Return a share in percent with one decimal; "" where there is none.

    >>> percent_of(0.1234), percent_of(float("nan"))
    (12.3, '')
    """
    return "" if math.isnan(share) else round_half_up(100 * share, 1)


# --- files and register ---------------------------------------------------------------------------------------


def write_files(root: Path, asked: Asked, files: Iterable[ListFile], *, is_identified: bool) -> list[Entry]:
    """Write lists into the folder of lists, and enter each in the register as soon as it is there.

    Parameters
    ----------
    root
        The folder of lists of a restricted folder.
    is_identified
        Whether they have UPNs and names.

    Returns
    -------
    The entries written, in the order of the files.
    """
    (root / asked.folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    entries: list[Entry] = []
    try:
        for one in files:
            for name in asked.formats:
                file = asked.folder / f"{one.stem}.{name}"
                _write(one.listed, name, root / file)
                entries.append(
                    Entry(
                        file.as_posix(), asked.kind, asked.area.name, show_academic_year(asked.academic_year),
                        one.school, one.pupils, "yes" if is_identified else "no", asked.purpose,
                        asked.made_on, asked.retain_until, hashlib.sha256((root / file).read_bytes()).hexdigest(),
                    )
                )  # fmt: skip
    finally:
        # Whatever stops the rest: what is on disk is in the register.
        add_entries(root, entries)
    return entries


def _write(listed: PupilList | bytes, name: str, path: Path) -> None:
    if isinstance(listed, bytes):
        write_page(listed, path)
    else:
        FORMATS[name](listed, path)


def drop_older(root: Path, entries: Iterable[Entry], asked: Asked) -> None:
    """Delete the files of an earlier list of this kind, area and year that this one has no longer."""
    new = {entry.file for entry in entries}
    what = (asked.kind, asked.area.name, show_academic_year(asked.academic_year))
    older = {
        entry.file
        for entry in read_register(root)
        if entry.file not in new and not entry.deleted_on and (entry.kind, entry.area, entry.academic_year) == what
    }
    for file in older:
        (root / file).unlink(missing_ok=True)
    mark_deleted(root, older, asked.made_on)
