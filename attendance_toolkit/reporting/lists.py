"""Restricted lists of pupils: who missed how much, one file a school, into the restricted folder and nowhere else.

A list is the one thing the toolkit makes that points at children. It therefore needs a purpose and a date until which it
may be kept, both in its first rows and in the register beside it (``lists.csv``), and it carries pseudonyms unless the
authority gives its own extract again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc

from attendance_toolkit.errors import NoDataError, ParameterError, did_you_mean
from attendance_toolkit.metrics.cells import DFE_RULES, enrolment_years
from attendance_toolkit.reporting.list_files import PupilList
from attendance_toolkit.reporting.list_writing import (
    TERM_WORDS,
    Asked,
    ListFile,
    ListsMade,
    Names,
    Schools,
    about_rows,
    check_asked,
    drop_older,
    held_members,
    names_of,
    percent_of,
    pupil_cells,
    pupil_headers,
    terms_in_words,
    unnamed_among,
    write_files,
)
from attendance_toolkit.reporting.restricted import Restricted, require_restricted
from attendance_toolkit.store import Store
from attendance_toolkit.vocabulary.areas import Area
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.measures import PERSISTENT, SEVERE


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
    if kind not in KINDS:
        raise ParameterError(
            f"'{kind}' is not a kind of list.{did_you_mean(kind, KINDS)} Use one of: {', '.join(KINDS)}."
        )
    asked = check_asked(kind, area, academic_year, purpose, retain_until, formats, today or date.today())
    rows, terms = _listed(store, asked)
    if not rows.num_rows:
        raise NoDataError(
            f"No pupil of {asked.area.name} in {show_academic_year(asked.academic_year)} is to be listed:"
            f" {KINDS[kind].says}."
        )
    upns = rows["upn"].to_pylist()
    names = names_of(store, upns, identify, key_file)
    lists = _by_school(store, asked, rows, terms, names)
    entries = write_files(restricted.lists, asked, lists, is_identified=names is not None)
    drop_older(restricted.lists, entries, asked)
    files = tuple(restricted.lists / entry.file for entry in entries)
    schools = pc.count_distinct(rows["laestab"]).as_py()
    return ListsMade(restricted.lists / asked.folder, files, schools, rows.num_rows, unnamed_among(upns, names))


# --- who is listed --------------------------------------------------------------------------------------------


def _listed(store: Store, asked: Asked) -> tuple[pa.Table, dict[tuple[int, int], str]]:
    """Return the enrolments of the list, by school and the most missed first, and the terms of each in words."""
    kind, codes = KINDS[asked.kind], held_members(store, asked.area)
    relation = store.pupil_terms(la_codes=codes, academic_years=[asked.academic_year])
    absent = nw.col("authorised") + nw.col("unauthorised")
    chosen = enrolment_years(relation, ["nc_year"], rules=DFE_RULES).with_columns(absent=absent)
    numerator, denominator = kind.at_least
    chosen = chosen.filter(nw.col("absent") * denominator >= nw.col("possible") * numerator)
    if kind.below is not None:
        numerator, denominator = kind.below
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
    found: dict[tuple[int, int], list[tuple[str, int, int]]] = {}
    for term, label in TERM_WORDS.items():
        for part in _each(parts.filter(pc.equal(parts["term"], term))):
            found.setdefault((part["upn"], part["laestab"]), []).append((label, part["absent"], part["possible"]))
    return {key: terms_in_words(of) for key, of in found.items()}


def _by_school(
    store: Store, asked: Asked, rows: pa.Table, terms: Mapping[tuple[int, int], str], names: Names
) -> Iterator[ListFile]:
    """Yield the list of each school, one at a time."""
    schools, says = Schools(store), KINDS[asked.kind].says
    title = f"{says[0].upper()}{says[1:]}, {show_academic_year(asked.academic_year)}"
    columns = (*pupil_headers(names), *_NUMBERS)
    for laestab, group in groupby(_each(rows), key=lambda row: int(row["laestab"])):
        school = schools.in_words(laestab)
        listed = tuple(_row(row, terms, names) for row in group)
        about = about_rows(asked, store, school, _RULES, names)
        yield ListFile(
            schools.stem(laestab), school, PupilList(title, about, columns, listed, asked.made_on), len(listed)
        )


def _row(row: Mapping[str, Any], terms: Mapping[tuple[int, int], str], names: Names) -> tuple[str | int | float, ...]:
    share = percent_of(row["absent"] / row["possible"])
    return (
        *pupil_cells(row["upn"], names), str(row["nc_year"]), int(row["possible"]), int(row["absent"]),
        int(row["authorised"]), int(row["unauthorised"]), share, terms.get((row["upn"], row["laestab"]), ""),
    )  # fmt: skip
