"""Lists of pupils who reached the penalty-notice threshold, one file for each school. Nothing is decided by them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.marks import BY_EVENTS, penalty_windows
from attendance_toolkit.reporting.casework_marks import DECIDED_BY_PEOPLE, AreaMarks, area_marks, day_words
from attendance_toolkit.reporting.list_files import PupilList, Value
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
    names_of,
    pupil_cells,
    pupil_headers,
    unnamed_among,
    write_files,
)
from attendance_toolkit.reporting.notice_files import notices_of_files
from attendance_toolkit.reporting.restricted import Restricted, require_restricted
from attendance_toolkit.store import Store
from attendance_toolkit.vocabulary.areas import Area
from attendance_toolkit.vocabulary.calendar import academic_year_of, show_academic_year
from attendance_toolkit.vocabulary.penalty_rules import PenaltyRule, penalty_rule, read_penalty_rule

_ORDINALS = ("First", "Second", "Third", "Fourth", "Fifth")


@dataclass(frozen=True)
class PenaltiesMade:
    """What was written, how often the threshold was met, and by how many pupils.

    ``ordinals`` is "First", "Second" … -> events.
    """

    lists: ListsMade
    events: int
    pupils: int
    ordinals: tuple[tuple[str, int], ...]
    notes: tuple[str, ...] = ()

    def to_text(self) -> str:
        """Return the result as a person reads it.

        >>> print(PenaltiesMade(ListsMade(Path("x"), (), 1, 2), 3, 2, (("First", 2), ("Second", 1))).to_text())
        1 list of 2 pupils was written, one file a school in each format.
        The threshold was met 3 times, by 2 pupils: First 2; Second 1.
        """
        who = "1 pupil" if self.pupils == 1 else f"{self.pupils:,} pupils"
        times = "once" if self.events == 1 else f"{self.events:,} times"
        ordinals = "; ".join(f"{name} {many:,}" for name, many in self.ordinals)
        return "\n".join((self.lists.to_text(), f"The threshold was met {times}, by {who}: {ordinals}.", *self.notes))


def write_penalties(
    store: Store,
    area: str | Area,
    academic_year: str | int,
    restricted: Restricted,
    *,
    purpose: str,
    retain_until: date,
    as_of: date | None = None,
    notices: Sequence[str | Path] | None = None,
    law: str | Path | None = None,
    is_every_event: bool = False,
    identify: Sequence[str | Path] | None = None,
    key_file: str | Path | None = None,
    formats: Sequence[str] = ("xlsx", "csv"),
    today: date | None = None,
) -> PenaltiesMade:
    """Write the pupils who reached the threshold in an academic year, one file for each school, and a summary.

    A row is the latest time a pupil reached it at the school. Marks of earlier years in the store count for windows that
    begin in them, and for what came before.

    Parameters
    ----------
    store, area, academic_year, restricted, purpose, retain_until, identify, key_file, formats
        As for ``casework_response.write_response``.
    as_of
        Last day that counts; by default the last with marks.
    notices
        Files of notices given, with a pupil and a date a row. Without them earlier events are counted.
    law
        File of another threshold, like ``reference/penalty_notices.yaml``.
    is_every_event
        A row each time the threshold was met, not only the latest of each pupil.

    Returns
    -------
    What was written.

    Raises
    ------
    ParameterError
        A day outside the marks, a file of notices that cannot be used, or what every list refuses.
    NoDataError
        The store has no marks of the area and year, or nobody reached the threshold.
    VocabularyError
        The file of the threshold cannot be read.
    DisclosureError
        The folder is not a restricted one.
    StoreError
        The key is not the one the store was made with.
    """
    require_restricted(restricted.lists)
    rule = read_penalty_rule(law) if law else penalty_rule()
    day = today or date.today()
    if academic_year:
        # What is asked wrongly is said before marks are read.
        check_asked("penalty-windows", area, academic_year, purpose, retain_until, formats, day)
    given = notices_of_files(notices, store, key_file) if notices else None
    marks = area_marks(store, area, academic_year or (academic_year_of(as_of) if as_of else ""), with_earlier=True)
    asked = check_asked("penalty-windows", marks.area, marks.year, purpose, retain_until, formats, day)
    marks.check_day(as_of, "last day that counts")
    every = penalty_windows(marks.table, as_of=as_of, rule=rule, notices=given)
    events = every[[academic_year_of(one.date()) == marks.year for one in every["last_day"]]]
    if events.empty:
        raise NoDataError(
            f"No pupil of {marks.area.name} reached {rule.sessions} unauthorised sessions within {rule.school_weeks} school weeks"
            f" in {show_academic_year(marks.year)}, so there is nothing to list."
        )
    upns = [int(upn) for upn in events["upn"].unique()]
    names = names_of(store, upns, identify, key_file)
    files = PenaltyFiles(
        marks, asked, rule, events.reset_index(drop=True), as_of or marks.table.last_day, names, is_every_event
    )
    entries = write_files(restricted.lists, asked, files.lists(), is_identified=names is not None)
    entries += write_files(restricted.lists, replace(asked, formats=("csv",)), [files.summary()], is_identified=False)
    drop_older(restricted.lists, entries, asked)
    written = tuple(restricted.lists / entry.file for entry in entries)
    schools = int(events["laestab"].nunique())
    pupils = int(events.drop_duplicates(["upn", "laestab"]).shape[0])
    made = ListsMade(restricted.lists / asked.folder, written, schools, pupils, unnamed_among(upns, names))
    return PenaltiesMade(made, len(events), len(upns), files.ordinals(events), files.notes())


@dataclass(frozen=True, eq=False)
class PenaltyFiles:
    """Makes the files of one call."""

    marks: AreaMarks
    asked: Asked
    rule: PenaltyRule
    events: pd.DataFrame
    as_of: date
    names: Names
    is_every_event: bool = False

    @cached_property
    def schools(self) -> Schools:
        """The store's schools."""
        return Schools(self.marks.store)

    @property
    def is_by_events(self) -> bool:
        """Whether earlier events stand in for notices."""
        return bool((self.events["counted_by"] == BY_EVENTS).all())

    @property
    def title(self) -> str:
        """What the lists are of."""
        return f"Penalty-notice windows, {show_academic_year(self.asked.academic_year)}"

    def ordinals(self, events: pd.DataFrame) -> tuple[tuple[str, int], ...]:
        """Return how many events are a first, second or later one."""
        most = self.rule.most_notices
        counts = events["ordinal"].clip(upper=most + 1).value_counts().sort_index()
        return tuple((self._place(int(str(number))), int(many)) for number, many in counts.items())

    def _place(self, number: int) -> str:
        """Return a place in order; those after the last notice there can be are one."""
        most = self.rule.most_notices
        return _ordinal(number) if number <= most else f"{_ordinal(most + 1)} or later"

    def notes(self) -> tuple[str, ...]:
        """Return what is to be known of how events were counted."""
        if not self.is_by_events:
            return ()
        return (
            f"No file of notices was given: first and second are by how often the threshold was met within {self.rule.years}"
            " years in the registers loaded, not by notices.",
        )

    def _about(self, school: str, names: Names) -> tuple[tuple[str, str], ...]:
        rule = self.rule
        codes = f"{', '.join(rule.codes[:-1])} or {rule.codes[-1]}" if len(rule.codes) > 1 else rule.codes[0]
        amounts = "; ".join(
            f"{_ordinal(number).lower()} notice {rule.amount_in_words(number)}"
            for number in sorted({number for number, _, _ in rule.amounts})
        )
        more = (
            ("Rule", f"{rule.sessions} unauthorised sessions ({codes}, any mix) within {rule.school_weeks} school weeks: weeks"
                     " with at least one session of the school, over holidays, terms and years. Each school is counted apart."
                     " Sessions that met the threshold do not count again."),
            ("Counted up to", self.as_of.isoformat()),
            ("Notices", f"At most {rule.most_notices} within {rule.years} years; {amounts}. "
                        + (" ".join(self.notes()) or "First and second are by the notices given.")),
            ("No reason yet", f"{rule.not_yet} is to be replaced within {rule.recoded_within_days} school days: sessions without a"
                              " reason are told apart, and whether the threshold is met without them."),
            ("In force", f"From {rule.in_force.isoformat()}: sessions before are counted by the same rule, but were under the"
                         " authority's own code of conduct."),
            ("Source of the rule", rule.source),
            ("What this is not", DECIDED_BY_PEOPLE),
        )  # fmt: skip
        return about_rows(
            self.asked, self.marks.store, school, "Single marks of the registers loaded.", names, more=more
        )

    def lists(self) -> Iterator[ListFile]:
        """Yield the list of each school."""
        earlier = "Events within {} years before" if self.is_by_events else "Notices within {} years before"
        columns = (
            *pupil_headers(self.names), "Year group", "First session", "Threshold met on", "Sessions", *self.rule.codes,
            f"{self.rule.not_yet} that may be recoded", f"{self.rule.not_yet} overdue", "Met without them",
            "Times this year", earlier.format(self.rule.years), "This would be", "What may follow",
        )  # fmt: skip
        groups = self.marks.year_groups()
        for key, part in self.events.groupby("laestab", sort=True):
            laestab = int(str(key))
            school = self.schools.in_words(laestab)
            part = part.assign(times=part.groupby("upn")["upn"].transform("size"))
            ordered = part.sort_values(["last_day", "last_session", "upn"], ascending=[False, False, True])
            if not self.is_every_event:
                ordered = ordered.drop_duplicates("upn")
            rows = tuple(self._row(row, groups) for row in ordered.to_dict("records"))
            listed = PupilList(self.title, self._about(school, self.names), columns, rows, self.asked.made_on)
            yield ListFile(self.schools.stem(laestab), school, listed, int(part["upn"].nunique()))

    def _row(self, row: Mapping[Any, Any], groups: Mapping[int, str]) -> tuple[Value, ...]:
        upn = int(row["upn"])
        return (
            *pupil_cells(upn, self.names), groups.get(upn, ""), f"{day_words(row['first_day'])} {row['first_session']}",
            f"{day_words(row['last_day'])} {row['last_session']}", int(row["sessions"]),
            *(int(row[code]) for code in self.rule.codes), int(row["not_yet_open"]), int(row["not_yet_overdue"]),
            "Yes" if row["met_without_not_yet"] else "No", int(row["times"]), int(row["before"]), self._place(int(row["ordinal"])),
            self._follows(int(row["ordinal"]), bool(row["met_without_not_yet"])),
        )  # fmt: skip

    def _follows(self, ordinal: int, is_settled: bool) -> str:
        rule = self.rule
        first = "" if is_settled else f"Settle the {rule.not_yet} marks first. "
        if ordinal > rule.most_notices:
            return (
                f"{first}No further notice within {rule.years} years: prosecution or another measure may be considered."
            )
        amount = rule.amount_in_words(ordinal)
        return f"{first}A {_ordinal(ordinal).lower()} notice may be considered{f' ({amount})' if amount else ''}."

    def summary(self) -> ListFile:
        """Return how often the threshold was met at each school."""
        most = self.rule.most_notices
        schools = sorted(self.events["laestab"].unique().tolist())
        rows = [
            self._summary_row(self.schools.in_words(int(school)), self.events[self.events["laestab"] == school])
            for school in schools
        ]
        rows.append(self._summary_row("All", self.events))
        columns = ("School", "Pupils", "Events", *(_ordinal(number) for number in range(1, most + 1)), "Later",
                   "Not met without sessions that have no reason yet")  # fmt: skip
        listed = PupilList(
            f"{self.title}: by school", self._about("All schools", {}), columns, tuple(rows), self.asked.made_on
        )
        return ListFile(SUMMARY, "All schools", listed, 0)

    def _summary_row(self, label: str, events: pd.DataFrame) -> tuple[Value, ...]:
        most = self.rule.most_notices
        by_number = (int((events["ordinal"] == number).sum()) for number in range(1, most + 1))
        return (
            label, int(events["upn"].nunique()), len(events), *by_number, int((events["ordinal"] > most).sum()),
            int((~events["met_without_not_yet"].astype(bool)).sum()),
        )  # fmt: skip


def _ordinal(number: int) -> str:
    """Return a number as a place in order.

    >>> _ordinal(2), _ordinal(9)
    ('Second', 'Number 9')
    """
    return _ORDINALS[number - 1] if number <= len(_ORDINALS) else f"Number {number}"
