"""Packs of many schools in one run: everything is read once, each school's page is written by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from attendance_toolkit.errors import AttendanceError, NoDataError, ParameterError
from attendance_toolkit.inputs import Inputs, open_inputs
from attendance_toolkit.presentation.narrative import sentence_list
from attendance_toolkit.reporting.list_writing import (
    PAGE,
    Asked,
    ListFile,
    Names,
    Schools,
    check_asked,
    drop_older,
    held_members,
    names_of,
    write_files,
)
from attendance_toolkit.reporting.restricted import Restricted, require_restricted
from attendance_toolkit.reporting.school_pack.compose import PackComposer
from attendance_toolkit.reporting.school_pack.data import PackData
from attendance_toolkit.store import Store
from attendance_toolkit.vocabulary.areas import Area
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.meeting_questions import Question, meeting_questions, own_questions

KIND = "school-pack"
#: Schools named where one is not found.
_MOST_NAMED = 5
#: What may go wrong with one school and not with the others. Anything else is a fault of the program, and stops the run.
_OF_ONE_SCHOOL = (AttendanceError, ArithmeticError, LookupError, OSError, TypeError, ValueError)


@dataclass(frozen=True)
class PacksMade:
    """What was written: the folder, the files, and why the packs of some schools were not."""

    folder: Path
    files: tuple[Path, ...]
    failed: Mapping[str, str] = field(default_factory=dict)

    def to_text(self) -> str:
        """Return the result as a person reads it.

        >>> PacksMade(Path("x"), (Path("x/a.html"),)).to_text()
        '1 pack was written.'
        """
        count = len(self.files)
        said = [f"{count:,} {'pack was' if count == 1 else 'packs were'} written."]
        said += [f"{school}: no pack. {why}" for school, why in self.failed.items()]
        return "\n".join(said)


def build_packs(
    store: Store,
    area: str | Area,
    academic_year: str | int,
    restricted: Restricted,
    *,
    purpose: str,
    retain_until: date,
    laestabs: Sequence[int] = (),
    urns: Sequence[int] = (),
    rules: Sequence[str | Path] = (),
    questions: str | Path | None = None,
    published: Sequence[str | Path] = (),
    identify: Sequence[str | Path] | None = None,
    key_file: str | Path | None = None,
    progress: Callable[[int, str], None] | None = None,
    today: date | None = None,
) -> PacksMade:
    """Write the pack of each school for its Targeting Support Meeting, into the restricted folder and nowhere else.

    Parameters
    ----------
    store
        The authority's store.
    area
        Local authority, or an area of several.
    academic_year
        Year of the packs; up to two years before it are shown beside it.
    restricted
        The restricted folder (``restricted.open_restricted``).
    purpose, retain_until
        As for every list of pupils.
    laestabs, urns
        Schools; all of the area if none is given.
    rules
        Files of the authority's own rule schemes.
    questions
        File of the authority's own questions to ask.
    published
        Published files with national figures; the toolkit's own reference values are used beside them.
    identify, key_file
        Files of the extract that was loaded, and the store's key: for UPNs and names in place of pseudonyms.
    progress
        Called after each school with how many schools there are in all, and the school.

    Returns
    -------
    What was written, and which schools failed.

    Raises
    ------
    ParameterError
        A school that is not in the area, no purpose, a date that has passed, or files that name nobody.
    NoDataError
        The store has no rows for the area and year.
    VocabularyError
        A rule scheme or a file of questions is not sound.
    DisclosureError
        The folder is not a restricted one.
    StoreError
        The key is not the one the store was made with.
    """
    require_restricted(restricted.lists)
    asked = check_asked(
        KIND, area, academic_year, purpose, retain_until, (PAGE,), today or date.today(), allowed=(PAGE,)
    )
    to_ask: tuple[Question, ...] = own_questions(questions) if questions else meeting_questions()
    held_members(store, asked.area)
    inputs = _inputs(store, asked, rules, published)
    data, schools = PackData(inputs), Schools(store)
    chosen = _chosen(data, schools, store, asked, laestabs, urns)
    composer = PackComposer(data, asked, schools, to_ask)
    names = names_of(store, composer.pupils_of(chosen), identify, key_file)
    failed: dict[str, str] = {}
    files = _files(composer, chosen, names, failed, progress)
    entries = write_files(restricted.lists, asked, files, is_identified=names is not None)
    if not laestabs and not urns and not failed:
        drop_older(restricted.lists, entries, asked)
    paths = tuple(restricted.lists / entry.file for entry in entries)
    return PacksMade(restricted.lists / asked.folder, paths, failed)


def _inputs(store: Store, asked: Asked, rules: Sequence[str | Path], published: Sequence[str | Path]) -> Inputs:
    return open_inputs(
        area=asked.area.code,
        academic_year=show_academic_year(asked.academic_year),
        audience="internal",
        store=str(store.path),
        rules=[str(file) for file in rules],
        published=[str(file) for file in published],
    )


def _files(
    composer: PackComposer,
    chosen: Sequence[int],
    names: Names,
    failed: dict[str, str],
    progress: Callable[[int, str], None] | None,
) -> Iterator[ListFile]:
    """Yield the pack of each school; one that fails is noted, and the others are made all the same."""
    for laestab in chosen:
        school = composer.names.in_words(laestab)
        try:
            made = ListFile(
                composer.names.stem(laestab), school, composer.page(laestab, names), len(composer.pupils_of([laestab]))
            )
        except _OF_ONE_SCHOOL as error:
            # What a program's own error says may hold a value of a pupil; its kind does not.
            failed[school] = (
                str(error) if isinstance(error, AttendanceError) else f"It failed ({type(error).__name__})."
            )
        else:
            yield made
        if progress is not None:
            progress(len(chosen), school)


def _chosen(
    data: PackData, schools: Schools, store: Store, asked: Asked, laestabs: Sequence[int], urns: Sequence[int]
) -> list[int]:
    """Return the schools to make packs of, by LAESTAB."""
    if not data.schools:
        raise NoDataError(
            f"No school of {asked.area.name} has pupils that count in {show_academic_year(asked.academic_year)}."
        )
    if not laestabs and not urns:
        return sorted(data.schools)
    found = set()
    for laestab in laestabs:
        if laestab not in data.schools:
            raise ParameterError(f"{_not_there('LAESTAB', laestab, asked)} {_nearest(laestab, data.schools, schools)}")
        found.add(int(laestab))
    known = _laestab_of_urn(store)
    for urn in urns:
        place = known.get(int(urn))
        if place is None or place not in data.schools:
            there = {number: laestab for number, laestab in known.items() if laestab in data.schools}
            raise ParameterError(f"{_not_there('URN', urn, asked)} {_nearest(urn, there, schools, there)}")
        found.add(place)
    return sorted(found)


def _laestab_of_urn(store: Store) -> dict[int, int]:
    listed = store.schools().dropna(subset=["urn", "laestab"])
    return dict(zip(listed["urn"].astype(int), listed["laestab"].astype(int), strict=True))


def _not_there(kind: str, number: int, asked: Asked) -> str:
    year = show_academic_year(asked.academic_year)
    return f"No school of {asked.area.name} with pupils that count in {year} has the {kind} {number}."


def _nearest(
    number: int,
    numbers: Sequence[int] | Mapping[int, object],
    schools: Schools,
    places: Mapping[int, int] | None = None,
) -> str:
    """Return the schools whose numbers are nearest: a slip is mostly in the last digits."""
    near = sorted(numbers, key=lambda other: (abs(other - int(number)), other))[:_MOST_NAMED]
    if not near:
        return "No school there has such a number: give the LAESTAB."
    said = [f"{other}, {schools.name(places[other] if places else other) or 'name not known'}" for other in near]
    return f"The nearest are: {sentence_list(said)}. Give one of the area's schools, or all."
