"""Restricted lists of pupils: who missed how much, one file a school, into the restricted folder and nowhere else.

A list is the one thing the toolkit makes that points at children. It therefore needs a purpose and a date until which it
may be kept, both in its first rows and in the register beside it (``lists.csv``), and it carries pseudonyms unless the
authority gives its own extract again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc

from attendance_toolkit.errors import NoDataError, ParameterError, StoreError, did_you_mean
from attendance_toolkit.loaders.pupil_names import PupilName, find_names
from attendance_toolkit.metrics.cells import DFE_RULES, enrolment_years
from attendance_toolkit.presentation.markup import SYNTHETIC, slug
from attendance_toolkit.reporting.list_files import PupilList, plain_text, write_csv, write_xlsx
from attendance_toolkit.reporting.register import Entry, add_entries, mark_deleted, read_register
from attendance_toolkit.reporting.restricted import Restricted, require_restricted
from attendance_toolkit.store import Store
from attendance_toolkit.store.keys import key_id, read_or_make_key
from attendance_toolkit.vocabulary.areas import Area, find_area, local_authorities_in
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, WHOLE_YEAR, parse_academic_year, show_academic_year
from attendance_toolkit.vocabulary.measures import PERSISTENT, SEVERE
from attendance_toolkit.vocabulary.rounding import round_half_up
from attendance_toolkit.vocabulary.series import SERIES

FORMATS = {"xlsx": write_xlsx, "csv": write_csv}


@dataclass(frozen=True)
class Kind:
    """Which pupils a list names: a share of possible sessions missed from one ratio, and below another if there is one."""

    name: str
    says: str
    at_least: tuple[int, int]
    below: tuple[int, int] | None = None


#: Ratios of whole numbers, compared as such: a float misses exactly 10%.
KINDS = {
    kind.name: kind
    for kind in (
        Kind("severe", "pupils who missed 50% or more of their possible sessions (severely absent)", SEVERE),
        Kind("persistent", "pupils who missed 10% or more of their possible sessions (persistently absent)", PERSISTENT),
        Kind("at-risk", "pupils who missed 40% to under 50% of their possible sessions (near severe absence)", (2, 5), SEVERE),
    )
}  # fmt: skip

_NUMBERS = ("Year group", "Sessions possible", "Sessions missed", "Authorised", "Unauthorised", "Missed (%)",
            "Terms (sessions missed of possible)")  # fmt: skip
_RULES = (
    "Counted as in DfE's absence statistics: pupils aged 5 to 15 of schools with more than 5 of them, no boarders. Pupils are"
    " chosen by counts of sessions, before rounding."
)
_BATCH = 5000
_NOT_NAMED = "not named in the files given"


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
class _Asked:
    """What a call asks for, checked."""

    kind: Kind
    area: Area
    academic_year: int
    purpose: str
    retain_until: date
    made_on: date
    formats: tuple[str, ...]


def write_lists(
    store: Store,
    kind: str,
    area: str | Area,
    academic_year: str | int,
    restricted: Restricted,
    *,
    purpose: str,
    retain_until: date,
    identify: Sequence[str | Path] | None = None,
    key_file: str | Path | None = None,
    formats: Sequence[str] = ("xlsx", "csv"),
    today: date | None = None,
) -> ListsMade:
    """Write the lists of one kind, one file a school that has such pupils, and enter them in the register.

    The grouping of sessions is done by the store's engine, which spills to disk; in memory are the pupils of the list
    alone. A list made again takes the place of the older one of its kind, area and year.

    Parameters
    ----------
    store
        The authority's store.
    kind
        "severe", "persistent" or "at-risk": see ``KINDS``.
    area
        Local authority, or an area of several.
    restricted
        The restricted folder (``restricted.open_restricted``).
    purpose
        Why the list is made and for whom, in a sentence.
    retain_until
        Last day on which the lists may be kept.
    identify
        Files of the extract that was loaded, with UPNs and names. Without them the lists carry pseudonyms.
    key_file
        The key the store was made with; needed with ``identify``.
    formats
        "xlsx", "csv" or both.

    Returns
    -------
    What was written.

    Raises
    ------
    ParameterError
        No purpose, a date that has passed, a kind or format there is not, no key for ``identify``, or files that name
        nobody.
    DisclosureError
        The folder is not a restricted one.
    NoDataError
        The store has no rows for the area and year, or no pupil is of the kind.
    StoreError
        The key is not the one the store was made with.
    """
    require_restricted(restricted.lists)
    asked = _checked(kind, area, academic_year, purpose, retain_until, formats, today or date.today())
    rows, terms = _listed(store, asked)
    if not rows.num_rows:
        raise NoDataError(
            f"No pupil of {asked.area.name} in {show_academic_year(asked.academic_year)} is to be listed: {asked.kind.says}."
        )
    names = _names(store, rows, identify, key_file)
    known = store.schools().drop_duplicates("laestab").dropna(subset=["laestab", "school_name"])
    schools = dict(zip(known["laestab"].astype(int), known["school_name"], strict=True))
    lists = _by_school(store, asked, rows, terms, names, schools)
    folder = Path(slug(asked.area.name), show_academic_year(asked.academic_year).replace("/", "-"), asked.kind.name)
    entries = _write(restricted.lists, folder, asked, lists, is_identified=names is not None)
    _drop_older(restricted.lists, entries, asked)
    unnamed = sum(upn not in names for upn in rows["upn"].to_pylist()) if names is not None else 0
    files = tuple(restricted.lists / entry.file for entry in entries)
    return ListsMade(
        restricted.lists / folder, files, pc.count_distinct(rows["laestab"]).as_py(), rows.num_rows, unnamed
    )


def _checked(
    kind: str,
    area: str | Area,
    academic_year: str | int,
    purpose: str,
    retain_until: date,
    formats: Sequence[str],
    today: date,
) -> _Asked:
    if kind not in KINDS:
        raise ParameterError(
            f"'{kind}' is not a kind of list.{did_you_mean(kind, KINDS)} Use one of: {', '.join(KINDS)}."
        )
    wrong = [name for name in formats if name not in FORMATS]
    if wrong or not formats:
        raise ParameterError(
            f"'{', '.join(wrong)}' is not a format of lists. Use one or both of: {', '.join(FORMATS)}."
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
    return _Asked(KINDS[kind], place, year, plain_text(purpose), retain_until, today, tuple(dict.fromkeys(formats)))


# --- who is listed --------------------------------------------------------------------------------------------


def _listed(store: Store, asked: _Asked) -> tuple[pa.Table, dict[tuple[int, int], str]]:
    """Return the enrolments of the list, by school and the most missed first, and the terms of each in words."""
    held = set(store.la_codes())
    codes = [la.code for la in local_authorities_in(asked.area) if la.code in held]
    if not codes:
        raise NoDataError(
            f"The store has no pupils of {asked.area.name}. It holds:"
            f" {', '.join(find_area(code).name for code in sorted(held)) or 'no authority'}."
        )
    relation = store.pupil_terms(la_codes=codes, academic_years=[asked.academic_year])
    absent = nw.col("authorised") + nw.col("unauthorised")
    chosen = enrolment_years(relation, ["nc_year"], rules=DFE_RULES).with_columns(absent=absent)
    numerator, denominator = asked.kind.at_least
    chosen = chosen.filter(nw.col("absent") * denominator >= nw.col("possible") * numerator)
    if asked.kind.below is not None:
        numerator, denominator = asked.kind.below
        chosen = chosen.filter(nw.col("absent") * denominator < nw.col("possible") * numerator)
    keys = ["upn", "laestab"]
    columns = [*keys, "nc_year", "possible", "authorised", "unauthorised", "absent"]
    ranked = chosen.with_columns(share=nw.col("absent") / nw.col("possible"))
    ranked = ranked.sort("laestab", "share", "upn", descending=[False, True, False])
    rows: pa.Table = ranked.select(columns).collect("pyarrow").to_native()
    # The rule about small schools is about the year; a school whose pupils came one by one is not to lose a term.
    by_term = enrolment_years(relation, ["term"], rules=replace(DFE_RULES, min_school_enrolments=0))
    by_term = by_term.with_columns(absent=absent).join(chosen.select(keys), on=keys, how="inner")
    parts: pa.Table = by_term.select([*keys, "term", "possible", "absent"]).collect("pyarrow").to_native()
    return rows, _terms_in_words(parts)


def _each(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table, some thousands at a time as dictionaries."""
    for batch in table.to_batches(max_chunksize=_BATCH):
        yield from batch.to_pylist()


def _terms_in_words(parts: pa.Table) -> dict[tuple[int, int], str]:
    """Return pupil and school -> "Autumn 12 of 130; Spring 20 of 118", terms in their order."""
    found: dict[tuple[int, int], str] = {}
    for term, label in (*TERM_LABELS.items(), (WHOLE_YEAR, "Whole year")):
        for part in _each(parts.filter(pc.equal(parts["term"], term))):
            key = (part["upn"], part["laestab"])
            words = f"{label} {part['absent']} of {part['possible']}"
            found[key] = f"{found[key]}; {words}" if key in found else words
    return found


def _names(
    store: Store, rows: pa.Table, identify: Sequence[str | Path] | None, key_file: str | Path | None
) -> dict[int, PupilName] | None:
    """Return the names of the pupils listed, or None when the lists are to carry pseudonyms."""
    if not identify:
        return None
    path = Path(key_file).expanduser() if key_file else None
    if path is None or not path.is_file():
        raise ParameterError(
            "UPNs and names need the key the store was made with: give its file. Without names the lists carry pseudonyms."
        )
    key = read_or_make_key(path, store.path)
    if key_id(key) != store.manifest.get("key_id"):
        raise StoreError(
            f"The store '{store.path.name}' was made with another key, so its pupils cannot be told by this one."
            " Give the key file it was made with."
        )
    return find_names(identify, set(rows["upn"].to_pylist()), key)


def _by_school(
    store: Store,
    asked: _Asked,
    rows: pa.Table,
    terms: Mapping[tuple[int, int], str],
    names: Mapping[int, PupilName] | None,
    schools: Mapping[int, str],
) -> Iterator[tuple[str, str, PupilList]]:
    """Yield file name (without ending), school and list of each school, one at a time."""
    series = SERIES["synthetic" if store.is_synthetic else "local"]
    shown_year = show_academic_year(asked.academic_year)
    columns = (("UPN", "Name") if names is not None else ("Pupil",)) + _NUMBERS
    for laestab, group in groupby(_each(rows), key=lambda row: int(row["laestab"])):
        name = plain_text(str(schools.get(laestab, "")))
        school = f"{name} ({laestab})" if name else f"{laestab}, name not known"
        about = (
            *(((SYNTHETIC, "No row describes a real pupil or school."),) if store.is_synthetic else ()),
            ("School", school),
            ("Purpose", asked.purpose),
            ("Keep until", f"{asked.retain_until.isoformat()}; destroy it after that day"),
            ("Made on", asked.made_on.isoformat()),
            ("Source", f"{series.note} {_RULES}"),
            *(
                (("Pupil", "A pseudonym: who holds the extract and the key can tell the pupil."),)
                if names is None
                else ()
            ),
        )
        listed = tuple(_row(row, terms, names) for row in group)
        title = f"{asked.kind.says[0].upper()}{asked.kind.says[1:]}, {shown_year}"
        file = f"{laestab}-{slug(name)}" if name else str(laestab)
        yield file, school, PupilList(title, about, columns, listed, asked.made_on)


def _row(
    row: Mapping[str, Any], terms: Mapping[tuple[int, int], str], names: Mapping[int, PupilName] | None
) -> tuple[str | int | float, ...]:
    pupil: tuple[str, ...]
    if names is None:
        # Text: a spreadsheet keeps 15 digits of a number.
        pupil = (str(row["upn"]),)
    else:
        known = names.get(row["upn"])
        pupil = (known.upn, known.name) if known else ("", _NOT_NAMED)
    share = round_half_up(100 * row["absent"] / row["possible"], 1)
    return (
        *pupil, str(row["nc_year"]), int(row["possible"]), int(row["absent"]), int(row["authorised"]),
        int(row["unauthorised"]), share, terms.get((row["upn"], row["laestab"]), ""),
    )  # fmt: skip


# --- files and register ---------------------------------------------------------------------------------------


def _write(
    root: Path,
    folder: Path,
    asked: _Asked,
    lists: Iterable[tuple[str, str, PupilList]],
    *,
    is_identified: bool,
) -> list[Entry]:
    (root / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    entries: list[Entry] = []
    try:
        for stem, school, listed in lists:
            for name in asked.formats:
                file = folder / f"{stem}.{name}"
                FORMATS[name](listed, root / file)
                entries.append(
                    Entry(
                        file.as_posix(), asked.kind.name, asked.area.name, show_academic_year(asked.academic_year),
                        school, len(listed.rows), "yes" if is_identified else "no", asked.purpose,
                        asked.made_on, asked.retain_until, hashlib.sha256((root / file).read_bytes()).hexdigest(),
                    )
                )  # fmt: skip
    finally:
        # Whatever stops the rest: what is on disk is in the register.
        add_entries(root, entries)
    return entries


def _drop_older(root: Path, entries: Iterable[Entry], asked: _Asked) -> None:
    """Delete the files of an earlier list of this kind, area and year that this one has no longer."""
    new = {entry.file for entry in entries}
    what = (asked.kind.name, asked.area.name, show_academic_year(asked.academic_year))
    older = {
        entry.file
        for entry in read_register(root)
        if entry.file not in new and not entry.deleted_on and (entry.kind, entry.area, entry.academic_year) == what
    }
    for file in older:
        (root / file).unlink(missing_ok=True)
    mark_deleted(root, older, asked.made_on)
