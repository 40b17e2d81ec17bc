"""One school's pack, put together from what was read once for all schools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction
from functools import cached_property

from attendance_toolkit.reporting.list_writing import Asked, Names, Schools, about_rows
from attendance_toolkit.reporting.school_pack.data import PackData, SchoolCounts
from attendance_toolkit.reporting.school_pack.figures import groups_to_discuss, school_figures
from attendance_toolkit.reporting.school_pack.incoming import Incoming, incoming_pupils
from attendance_toolkit.reporting.school_pack.marks import MarkFacts
from attendance_toolkit.reporting.school_pack.page import PackHead, pack_page
from attendance_toolkit.reporting.school_pack.parts import Part
from attendance_toolkit.reporting.school_pack.pupil_sections import (
    actions_part,
    incoming_part,
    meetings_part,
    pupils_part,
    questions_part,
)
from attendance_toolkit.reporting.school_pack.pupils import Absentee, absentees, supported_pupils
from attendance_toolkit.reporting.school_pack.rating import Ratings
from attendance_toolkit.reporting.school_pack.sections import (
    breakdown_part,
    groups_part,
    headline_part,
    national_absence,
    reasons_part,
)
from attendance_toolkit.store import Store
from attendance_toolkit.vocabulary.areas import find_area
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.meeting_questions import Figure, Question, questions_of


class PackComposer:
    """Makes the packs of one run; what is of all schools is worked out on first use."""

    def __init__(self, data: PackData, asked: Asked, names: Schools, questions: tuple[Question, ...]) -> None:
        assert data.inputs.store is not None
        self.data, self.asked, self.names, self._questions = data, asked, names, questions
        self._store: Store = data.inputs.store

    @cached_property
    def _ratings(self) -> Ratings:
        return Ratings(self.data)

    @cached_property
    def _absentees(self) -> dict[int, tuple[Absentee, ...]]:
        return absentees(self.data, supported_pupils(self.data))

    @cached_property
    def _marks(self) -> MarkFacts:
        return MarkFacts(self.data)

    @cached_property
    def _incoming(self) -> Incoming:
        return incoming_pupils(self._store, self.asked)

    @cached_property
    def _meetings(self) -> dict[int, list[tuple[date, str, str]]]:
        found: dict[int, list[tuple[date, str, str]]] = {}
        rows = self._store.meetings().project("laestab, academic_year, day, kind, colour").fetchall()
        for laestab, year, day, kind, colour in sorted(rows, key=lambda row: row[2], reverse=True):
            if int(year) <= self.data.year:
                found.setdefault(int(laestab), []).append((day, str(kind or ""), str(colour or "")))
        return found

    @cached_property
    def _urns(self) -> Mapping[int, int]:
        listed = self._store.schools().drop_duplicates("laestab").dropna(subset=["urn", "laestab"])
        return dict(zip(listed["laestab"].astype(int), listed["urn"].astype(int), strict=True))

    @cached_property
    def _nationals(self) -> dict[tuple[str, str], Fraction]:
        return {key: one.share for key, one in self._ratings.comparators.items()}

    def pupils_of(self, schools: Iterable[int]) -> set[int]:
        """Return the pseudonyms of the pupils that the packs of some schools name."""
        found: set[int] = set()
        for laestab in schools:
            found |= {one.upn for one in self._absentees.get(laestab, ())} | self._marks.pupils_named(laestab)
            found |= {one.upn for one in self._incoming.of.get(laestab, ())}
        return found

    def page(self, laestab: int, names: Names) -> bytes:
        """Return the pack of a school."""
        school, listed = self.data.schools[laestab], self._absentees.get(laestab, ())
        return pack_page(self._head(school, names), self._parts(school, listed, names), is_identified=names is not None)

    def _parts(self, school: SchoolCounts, listed: tuple[Absentee, ...], names: Names) -> list[Part]:
        laestab, marks = school.laestab, self._marks
        groups = groups_to_discuss(self.data, school, national_absence(school, self._nationals))
        figures = school_figures(self.data, school, listed, groups) | marks.figures(laestab)
        meetings = self._meetings.get(laestab, [])
        now = Fraction(len(self._incoming.of.get(laestab, ())))
        figures |= {"incoming_priority": Figure(now), "actions_open": Figure(Fraction(self._held_this_year(laestab)))}
        parts = (
            self._ratings.part(school),
            headline_part(self.data, school, self.names),
            breakdown_part(self.data, school),
            reasons_part(self.data, school),
            groups_part(groups),
            marks.pattern_part(laestab),
            marks.response_part(laestab, names),
            pupils_part(laestab, listed, marks, names),
            incoming_part(laestab, self._incoming, names),
            questions_part(questions_of(self._questions, figures)),
            actions_part(listed, names),
            meetings_part(meetings),
        )
        return [one for one in parts if one is not None]

    def _held_this_year(self, laestab: int) -> int:
        first = date(self.data.year // 100, 8, 1)
        return sum(day >= first for day, _, _ in self._meetings.get(laestab, []))

    def _head(self, school: SchoolCounts, names: Names) -> PackHead:
        name = self.names.name(school.laestab) or f"School {school.laestab}"
        year, until = show_academic_year(self.data.year), self.asked.retain_until.isoformat()
        urn = self._urns.get(school.laestab)
        facts = (
            ("LAESTAB", str(school.laestab)),
            *((("URN", str(urn)),) if urn else ()),
            ("Phase", school.phase),
            ("Authority", find_area(school.la_code).name if school.la_code else self.asked.area.name),
            ("Year", year),
            ("Data up to", self._data_until(school)),
            ("Pupils", f"{school.now.enrolments:,}"),
            ("Keep until", f"{until}; destroy it after that day"),
        )
        notes = "Counted as in DfE's absence statistics. Rates of persistent and severe absence are of enrolments."
        footer = about_rows(self.asked, self._store, self.names.in_words(school.laestab), notes, names)
        return PackHead(
            name,
            f"Pack for the Targeting Support Meeting, {year}",
            facts,
            footer,
            f"Meeting pack, {name}, {year}. Keep until {until}",
            self._store.is_synthetic,
        )

    def _data_until(self, school: SchoolCounts) -> str:
        last = self._marks.data_until(school.laestab)
        terms = list(school.terms)
        of_terms = f"{terms[-1].lower()} term" if terms and terms[-1] != "Whole year" else "whole year"
        return f"{of_terms}; registers to {last.isoformat()}" if last is not None else of_terms
