"""How pupils who were listed, or are being supported, are doing since they moved up: restricted lists again, school by school."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np

from attendance_toolkit.deepdives._step_models import expected_here_of
from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.inputs import open_inputs
from attendance_toolkit.metrics.transition.cohort import LEFT_OUT_YEARS, Array, Later, StepCohort
from attendance_toolkit.presentation.markup import slug
from attendance_toolkit.presentation.narrative import sentence_list
from attendance_toolkit.reporting.list_files import PupilList, Value, plain_text
from attendance_toolkit.reporting.list_writing import (
    SUMMARY,
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
from attendance_toolkit.reporting.priority_choice import STEPS, check_step
from attendance_toolkit.reporting.priority_group import Group, group_of_files, group_of_support
from attendance_toolkit.reporting.restricted import Restricted, require_restricted
from attendance_toolkit.store import Store
from attendance_toolkit.vocabulary.areas import Area
from attendance_toolkit.vocabulary.calendar import (
    HALF_TERM_TERMS,
    TERM_LABELS,
    WHOLE_YEAR,
    academic_year_before,
    show_academic_year,
)

_CAUTION = (
    "Pupils were listed because they missed much. The absence of such pupils falls on average in the year after, whether"
    " anything is done or not (regression to the mean), so a fall here does not say that support helped. Whether a group did"
    " better than similar pupils is on the page about the transition, once the group is loaded as one of supported pupils."
)
_COUNTED = (
    "Sessions of all the pupil's schools in the data together, by DfE's inclusion rules: ages 5 to 15, no boarders."
)
_ELSEWHERE, _NO_SESSION = "In a school of another district", "No session in the data"


@dataclass(frozen=True)
class Tracked:
    """What was written, and how many of the group could be followed.

    Attributes
    ----------
    asked_for
        Pupils of the group.
    found
        Those with sessions in the area's schools since they moved up.
    elsewhere, no_session
        Those expected here who are in another district's school, and of whom the data have no session.
    not_here
        Those of other areas, or in no such year group of the data.
    without
        Rows of the files that do not say which pupil they are of.
    """

    lists: ListsMade
    asked_for: int
    found: int
    elsewhere: int
    no_session: int
    not_here: int
    without: int = 0

    def to_text(self) -> str:
        """Return the result as a person reads it.

        >>> made = ListsMade(Path("x"), (Path("x/a.csv"),), 1, 9)
        >>> Tracked(made, 12, 9, 1, 1, 1).to_text().partition("found: ")[2]
        '1 in a school of another district, 1 without a session in the data, 1 not in this area or in no such year group of the data.'
        """
        missing = self.asked_for - self.found
        parts = (
            (self.elsewhere, "in a school of another district"),
            (self.no_session, "without a session in the data"),
            (self.not_here, "not in this area or in no such year group of the data"),
        )
        said = ", ".join(f"{number:,} {words}" for number, words in parts if number)
        rows = f" {self.without:,} rows do not say which pupil they are of." if self.without else ""
        return (
            f"{self.lists.to_text()}\nOf {self.asked_for:,} pupils, {self.found:,} have sessions in the area's schools;"
            f" {missing:,} were not found{f': {said}' if said else ''}.{rows}"
        )


def track_pupils(
    store: Store,
    area: str | Area,
    academic_year: str | int,
    restricted: Restricted,
    *,
    purpose: str,
    retain_until: date,
    group: Sequence[str | Path] | None = None,
    support: str | None = None,
    from_year: str = "6",
    identify: Sequence[str | Path] | None = None,
    key_file: str | Path | None = None,
    formats: Sequence[str] = ("xlsx", "csv"),
    today: date | None = None,
) -> Tracked:
    """Write what listed or supported pupils have missed since they moved up, one file for each school they are in.

    Those of the area who were not found are in a file of their own. Lists made again take the place of the older ones.

    Parameters
    ----------
    store, area, restricted, purpose, retain_until, identify, key_file, formats
        As for ``priority.build_priority``. The key is needed as well if ``group`` has UPNs.
    academic_year
        Year after the step, such as 2024/25.
    group
        Lists made by ``build_priority``, other files with UPNs, or folders of them; or
    support
        the name of a group of supported pupils in the store, of this year or the one before.
    from_year
        Year group before the step.

    Returns
    -------
    What was written, and how many were not found.

    Raises
    ------
    ParameterError
        Neither or both of ``group`` and ``support``, or what ``build_priority`` refuses.
    NoDataError
        The store has no sessions of the year, no such group, or nobody of the group is found.
    """
    require_restricted(restricted.lists)
    if bool(group) == bool(support):
        raise ParameterError(
            "Say who is to be followed: files of lists (group) or a group of the store (support), one of them."
        )
    check_step(from_year)
    name = f"tracking-{slug(support)}" if support else "tracking"
    kind = f"{name}-year-{STEPS[from_year]}"
    asked = check_asked(kind, area, academic_year, purpose, retain_until, formats, today or date.today())
    members = tuple(held_members(store, asked.area))
    cohort, later = _moved_up(store, asked, from_year)
    before = academic_year_before(asked.academic_year)
    if group:
        followed = group_of_files(group, store, key_file)
    else:
        followed = group_of_support(store, support or "", (before, asked.academic_year))
    writer = _Writer(store, asked, cohort, later, followed, members, None)
    if not len(writer.found):
        raise NoDataError(
            f"None of the {len(followed.pupils):,} pupils has a session in the schools of {asked.area.name} in"
            f" {show_academic_year(asked.academic_year)}. Lists carry pseudonyms of the store they were made from: give that"
            " store, the area and the year after the step."
        )
    upns = cohort.pupils[np.concatenate([writer.found, writer.missing])].tolist()
    names = names_of(store, upns, identify, key_file)
    writer = replace(writer, names=names)
    entries = write_files(restricted.lists, asked, writer.files(), is_identified=names is not None)
    entries += write_files(restricted.lists, replace(asked, formats=("csv",)), [writer.summary()], is_identified=False)
    drop_older(restricted.lists, entries, asked)
    files = tuple(restricted.lists / entry.file for entry in entries)
    made = ListsMade(
        restricted.lists / asked.folder, files, len(writer.schools_of), len(writer.found), unnamed_among(upns, names)
    )
    elsewhere = int((later.possible[writer.missing] > 0).sum())
    return Tracked(
        made, len(followed.pupils), len(writer.found), elsewhere, len(writer.missing) - elsewhere,
        len(followed.pupils) - len(writer.found) - len(writer.missing), followed.without,
    )  # fmt: skip


def _moved_up(store: Store, asked: Asked, from_year: str) -> tuple[StepCohort, Later]:
    """Return the year group that moved up into the year asked for, and what came of it so far."""
    held, before = store.academic_years(), academic_year_before(asked.academic_year)
    if lacking := [year for year in (before, asked.academic_year) if year not in held]:
        raise NoDataError(
            f"The store has no sessions of {show_academic_year(lacking[0])}, so nobody can be followed from"
            f" {show_academic_year(before)} to {show_academic_year(asked.academic_year)}. It holds:"
            f" {', '.join(map(show_academic_year, held))}. Give the year after the step, once its first registers or returns"
            " are loaded."
        )
    if left_out := {before, asked.academic_year} & set(LEFT_OUT_YEARS):
        raise NoDataError(
            f"{show_academic_year(min(left_out))} is not comparable with other years (coronavirus), so pupils are not followed"
            " into or from it. Give another year."
        )
    inputs = open_inputs(
        area=asked.area.code, academic_year=show_academic_year(before), audience="internal", store=str(store.path)
    )
    cohort = inputs.steps(from_year)[-1]
    if cohort.later is None:
        raise NoDataError(f"The store has nothing of what came of {cohort.label}. Load the returns of the year after.")
    return cohort, cohort.later


@dataclass(frozen=True, eq=False)
class _Writer:
    """Makes the files of one call."""

    store: Store
    asked: Asked
    cohort: StepCohort
    later: Later
    group: Group
    members: tuple[str, ...]
    names: Names

    @cached_property
    def schools(self) -> Schools:
        """The store's schools."""
        return Schools(self.store)

    @cached_property
    def _is_followed(self) -> Array:
        return np.isin(self.cohort.pupils, np.array(sorted(self.group.pupils), dtype=np.int64))

    @cached_property
    def found(self) -> Array:
        """Positions of those with sessions in the area's schools, the highest share missed first."""
        places = [place for place, code in enumerate(self.cohort.la_codes) if code in self.members]
        here = np.flatnonzero(self._is_followed & (self.later.possible > 0) & np.isin(self.later.la, places))
        share = self.later.missed[here] / self.later.possible[here]
        return np.asarray(here[np.lexsort((self.cohort.pupils[here], -share))])

    @cached_property
    def missing(self) -> Array:
        """Positions of those expected in the area who are not found there."""
        of_area = expected_here_of(self.cohort, self.members) | self.cohort.in_area(self.members)
        there = np.zeros(len(of_area), bool)
        there[self.found] = True
        return np.flatnonzero(self._is_followed & of_area & ~there)

    @cached_property
    def schools_of(self) -> dict[int, Array]:
        """School -> positions of its pupils."""
        school = self.later.laestab[self.found]
        return {laestab: self.found[school == laestab] for laestab in np.unique(school).tolist()}

    @cached_property
    def _same_terms(self) -> list[int]:
        """Places of the terms before the step that the later year has whole; none if it has all of them, or parts of a term."""
        periods, terms = set(self.later.periods), self.cohort.terms
        whole = [
            term
            for number, term in enumerate(TERM_LABELS)
            if f"{2 * number + 1}-{2 * number + 2}" in periods or {f"{2 * number + 1}", f"{2 * number + 2}"} <= periods
        ]
        is_all = {HALF_TERM_TERMS[period] for period in periods} == set(whole) and set(whole) <= set(terms)
        places = [terms.index(term) for term in whole if term in terms]
        return places if is_all and len(places) < len(set(terms) - {WHOLE_YEAR}) else []

    @property
    def title(self) -> str:
        """What the lists are of."""
        year = show_academic_year(self.asked.academic_year)
        return f"Absence since the move to Year {self.cohort.to_year}, {year}: {self.group.name}"

    def _about(self, school: str, names: Names) -> tuple[tuple[str, str], ...]:
        so_far = sentence_list([_period_words(period) for period in self.later.periods])
        rows = (
            ("Sessions so far", f"{so_far} of {show_academic_year(self.asked.academic_year)}"),
            ("How to read it", _CAUTION),
        )
        return about_rows(self.asked, self.store, school, _COUNTED, names, more=rows)

    def files(self) -> Iterator[ListFile]:
        """Yield the list of each school, then that of those who were not found."""
        before, after = self.cohort.from_year, self.cohort.to_year
        same = (f"Year {before}, same terms (%)",) if self._same_terms else ()
        columns = (
            *pupil_headers(self.names), f"Year {after} sessions possible", f"Year {after} sessions missed",
            f"Year {after} missed (%)", f"Year {before} missed (%)", *same, "Terms (sessions missed of possible)",
        )  # fmt: skip
        for laestab, positions in self.schools_of.items():
            school = self.schools.in_words(laestab)
            rows = tuple(self._row(position) for position in positions.tolist())
            yield self._file(self.schools.stem(laestab), school, columns, rows)
        if len(self.missing):
            columns = (*pupil_headers(self.names), f"Year {before} school", f"School expected in Year {after}", "Why")
            rows = tuple(self._missing_row(position) for position in self.missing.tolist())
            yield self._file("not-found", "Pupils not found in the area's schools", columns, rows)

    def _file(self, stem: str, school: str, columns: tuple[str, ...], rows: tuple[tuple[Value, ...], ...]) -> ListFile:
        about = self._about(school, self.names)
        return ListFile(stem, school, PupilList(self.title, about, columns, rows, self.asked.made_on), len(rows))

    def _row(self, position: int) -> tuple[Value, ...]:
        of, later = self.cohort, self.later
        possible, missed = int(later.possible[position]), int(later.missed[position])
        periods = [
            (
                _period_words(period),
                int(later.period_missed[position, place]),
                int(later.period_possible[position, place]),
            )
            for place, period in enumerate(later.periods)
            if later.period_possible[position, place]
        ]
        same = (_share(of.missed[position, self._same_terms], of.possible[position, self._same_terms]),)
        return (
            *pupil_cells(int(of.pupils[position]), self.names), possible, missed, percent_of(missed / possible),
            _share(of.year_missed[position], of.year_possible[position]), *(same if self._same_terms else ()),
            terms_in_words(periods),
        )  # fmt: skip

    def _missing_row(self, position: int) -> tuple[Value, ...]:
        of = self.cohort
        going = int(of.destination[position])
        return (
            *pupil_cells(int(of.pupils[position]), self.names), self.schools.in_words(int(of.laestab[position])),
            self.schools.in_words(going) if going else "Not known",
            _ELSEWHERE if self.later.possible[position] else _NO_SESSION,
        )  # fmt: skip

    def summary(self) -> ListFile:
        """Return the absence of each school's pupils together, since the move and before it."""
        of, later = self.cohort, self.later
        groups = [(self.schools.in_words(laestab), positions) for laestab, positions in self.schools_of.items()]
        rows = tuple(
            (
                school,
                len(positions),
                _share(later.missed[positions], later.possible[positions]),
                _share(of.year_missed[positions], of.year_possible[positions]),
            )
            for school, positions in (*groups, ("All", self.found))
        )
        rows += (("Not found in the area's schools", len(self.group.pupils) - len(self.found), "", ""),)
        columns = ("School", "Pupils followed", f"Year {of.to_year} missed (%)", f"Year {of.from_year} missed (%)")
        about = self._about("All schools", {})
        listed = PupilList(plain_text(self.title), about, columns, rows, self.asked.made_on)
        return ListFile(SUMMARY, "All schools", listed, 0)


def _share(missed: Array, possible: Array) -> Value:
    total = int(np.sum(possible))
    return percent_of(int(np.sum(missed)) / total if total else np.nan)


def _period_words(period: str) -> str:
    """Return a half term, or a span of half terms, in words.

    >>> _period_words("1"), _period_words("3-4"), _period_words("1-6")
    ('Autumn, first half', 'Spring', 'Whole year')
    """
    term = TERM_LABELS.get(HALF_TERM_TERMS[period], "Whole year")
    if "-" in period:
        return term
    return f"{term}, {'first' if int(period) % 2 else 'second'} half"
