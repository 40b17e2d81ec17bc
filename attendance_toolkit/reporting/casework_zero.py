"""Pupils with no attendance, school by school, and a form for what an audit finds of a sample of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.zero_attendance import APART, AUDIT, FEWEST_SESSIONS, OTHER_AGES
from attendance_toolkit.reporting.casework_zero_cases import (
    DRAWN_WITH,
    STRATA,
    USUAL_SEED,
    USUAL_SHARE,
    Cases,
    find_cases,
    question_of,
)
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
    held_members,
    names_of,
    pupil_cells,
    pupil_headers,
    unnamed_among,
    write_files,
)
from attendance_toolkit.reporting.restricted import Restricted, require_restricted
from attendance_toolkit.store import Store
from attendance_toolkit.vocabulary.areas import Area
from attendance_toolkit.vocabulary.calendar import WHOLE_YEAR, show_academic_year
from attendance_toolkit.vocabulary.rounding import number_text
from attendance_toolkit.vocabulary.zero_attendance import audit_rules

#: Beginning of the name of the lists in the register and of their folder; the period follows.
KIND = "no-attendance"
FORM = "outcome-form"
#: Columns of the form by which it is read back.
SCHOOL_NUMBER, STRATUM, OUTCOME, NOTES = "LAESTAB", "Stratum", "Outcome", "Notes"
_COUNTED = (
    "A pupil has no attendance if no possible session of the period was attended: pupils aged 5 to 15 on 31 August, boarders"
    " too, at schools of any size. Approved education elsewhere (codes K and B) is attendance. Sessions coded X for the"
    " coronavirus are possible and no attendance; online learning is none either."
)
_NOT_A_FINDING = (
    "Not a judgement of a pupil or a school: a record without attendance may be a child missing education, a child educated"
    " elsewhere, one who has moved away, or an error of a register. Each needs to be looked into; worry about a child's safety"
    " goes to the safeguarding team at once."
)
_LIST_COLUMNS = (
    "Year group", "Cohort", "Sessions possible", "Authorised", "Unauthorised", "Part-time timetable",
    "Attended at other schools", "Sessions by reason", "Listed as", "In the sample",
)  # fmt: skip
_FORM_COLUMNS = (
    "School", SCHOOL_NUMBER, "Year group", STRATUM, "Sessions possible", "Part-time timetable", "Sessions by reason",
    OUTCOME, NOTES,
)  # fmt: skip


@dataclass(frozen=True)
class ZeroSample:
    """What was written, and how many pupils are without attendance, drawn and listed apart."""

    lists: ListsMade
    period: str
    pupils: int
    enrolments: int
    drawn: int
    strata: int
    apart: Mapping[str, int]

    def to_text(self) -> str:
        """Return the result as a person reads it."""
        of = f" of {self.enrolments:,}" if self.enrolments else ""
        lines = [
            f"{self.pupils:,}{of} enrolments have no attendance ({self.period}). {self.drawn:,} of them are in the sample"
            f" ({number_text(100 * self.drawn / self.pupils, 1)}%, across {self.strata} cohorts by school type).",
        ]
        if self.apart:
            lines.append(
                "Listed or counted apart: " + "; ".join(f"{kind} {n:,}" for kind, n in self.apart.items()) + "."
            )
        if self.lists.unnamed:
            lines.append(f"{self.lists.unnamed:,} are not named in the files given.")
        return "\n".join(
            (*lines, f"Fill in the column '{OUTCOME}' of the form {FORM}, then: attendance casework zero-results")
        )


def write_zero_sample(
    store: Store,
    area: str | Area,
    academic_year: str | int,
    restricted: Restricted,
    *,
    purpose: str,
    retain_until: date,
    period: str = WHOLE_YEAR,
    first: date | None = None,
    last: date | None = None,
    share: str = USUAL_SHARE,
    seed: str = USUAL_SEED,
    fewest: int = FEWEST_SESSIONS,
    at_least_one: bool = True,
    identify: Sequence[str | Path] | None = None,
    key_file: str | Path | None = None,
    formats: Sequence[str] = ("xlsx", "csv"),
    today: date | None = None,
) -> ZeroSample:
    """Write pupils with no attendance, one list a school, and the outcome form of a sample of them.

    Parameters
    ----------
    store
        The authority's store.
    area
        Local authority, or an area of several: that of the schools.
    academic_year
        Such as 2023/24; "" for the latest the store has.
    restricted
        The restricted folder (``restricted.open_restricted``).
    purpose, retain_until, identify, key_file, formats
        As for every list of pupils (``reporting.lists.write_lists``).
    period, first, last
        A term or the year; or days, where the store has single marks.
    share, seed, at_least_one
        How the sample is drawn (``metrics.zero_attendance.draw_sample``). The same data and seed give the same sample; a
        larger share keeps those of a smaller one.
    fewest
        Possible sessions below which a pupil is listed apart.

    Returns
    -------
    What was written.

    Raises
    ------
    ParameterError
        No purpose, a date that has passed, or an option there is not.
    NoDataError
        The store lacks the area, year or period, or nobody is without attendance.
    DisclosureError
        The folder is not a restricted one.
    StoreError
        The key is not the one the store was made with.
    """
    require_restricted(restricted.lists)
    question = question_of(
        period=period, share=share, seed=seed, fewest=fewest, at_least_one=at_least_one, first=first, last=last
    )
    year = academic_year or max(store.academic_years())
    asked = check_asked(f"{KIND}-{question.name}", area, year, purpose, retain_until, formats, today or date.today())
    cases = find_cases(store, held_members(store, asked.area), asked.academic_year, question)
    if cases.audited.empty:
        raise NoDataError(
            f"No pupil of {asked.area.name} is without attendance ({show_academic_year(asked.academic_year)},"
            f" {question.in_words}, {question.fewest} or more possible sessions)."
        )
    listed = cases.found[cases.found["kind"] != OTHER_AGES]
    names = names_of(store, listed["upn"].tolist(), identify, key_file)
    writer = _Writer(store, asked, cases, names)
    entries = write_files(restricted.lists, asked, writer.files(), is_identified=names is not None)
    csv_only = replace(asked, formats=("csv",))
    entries += write_files(restricted.lists, csv_only, [writer.summary()], is_identified=False)
    drop_older(restricted.lists, entries, asked)
    made = ListsMade(
        restricted.lists / asked.folder,
        tuple(restricted.lists / entry.file for entry in entries),
        int(listed["laestab"].nunique()),
        len(listed),
        unnamed_among(listed["upn"].tolist(), names),
    )
    return ZeroSample(
        made, f"{show_academic_year(asked.academic_year)}, {question.in_words}", len(cases.audited), cases.enrolments,
        cases.draw.size, len(cases.draw.sizes), writer.apart,
    )  # fmt: skip


class _Writer:
    """Makes the files of one call."""

    def __init__(self, store: Store, asked: Asked, cases: Cases, names: Names) -> None:
        self.store, self.asked, self.cases, self.names = store, asked, cases, names
        self.schools = Schools(store)
        drawn = cases.drawn
        self.in_sample = set(zip(drawn["upn"], drawn["laestab"], strict=True))

    @property
    def title(self) -> str:
        """What the lists are of."""
        return (
            f"Pupils with no attendance, {show_academic_year(self.asked.academic_year)}, {self.cases.question.in_words}"
        )

    @property
    def apart(self) -> dict[str, int]:
        """Kind -> how many enrolments are not audited but listed or counted apart."""
        counts = self.cases.found["kind"].value_counts()
        return {kind: int(counts[kind]) for kind in APART if kind in counts}

    def _about(self, school: str, names: Names, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
        question = self.cases.question
        rows = (
            ("Period", question.in_words),
            ("Fewest sessions", f"{question.fewest}; pupils with fewer possible sessions are listed apart"),
            ("What this is not", _NOT_A_FINDING),
            *more,
        )
        source = (
            "Sessions by reason are the codes of registers where there are any."
            if self.cases.has_marks
            else ("There are no registers of single marks: pupils educated elsewhere alone cannot be told apart.")
        )
        return about_rows(self.asked, self.store, school, f"{_COUNTED} {source}", names, more=rows)

    def files(self) -> Iterator[ListFile]:
        """Yield the list of each school, then the form."""
        found = self.cases.found
        records = found[found["kind"] != OTHER_AGES].to_dict("records")
        columns = (*pupil_headers(self.names), *_LIST_COLUMNS)
        for laestab, group in groupby(records, key=lambda row: int(row["laestab"])):
            school = self.schools.in_words(laestab)
            # Those to be audited first; of each kind the most sessions first.
            ordered = sorted(group, key=lambda row: (row["kind"] != AUDIT, row["kind"], -row["possible"], row["upn"]))
            rows = tuple(self._row(row) for row in ordered)
            about = self._about(school, self.names)
            yield ListFile(
                self.schools.stem(laestab),
                school,
                PupilList(self.title, about, columns, rows, self.asked.made_on),
                len(rows),
            )
        yield self.form()

    def _row(self, row: Mapping[Any, Any]) -> tuple[Value, ...]:
        is_drawn = (row["upn"], row["laestab"]) in self.in_sample
        return (
            *pupil_cells(int(row["upn"]), self.names), str(row["nc_year"]), str(row["cohort"]), int(row["possible"]),
            int(row["authorised"]), int(row["unauthorised"]), int(row["part_time"]), int(row["attended_elsewhere"]),
            str(row["mix"]), str(row["kind"]), "Yes" if is_drawn else "No",
        )  # fmt: skip

    def form(self) -> ListFile:
        """Return the form: a row for each pupil drawn, with what is to be filled in."""
        cases, asked = self.cases, self.asked
        outcomes = audit_rules().outcomes
        choices = tuple(outcome.label for outcome in outcomes)
        sample = f"{cases.draw.size} of {len(cases.audited)} pupils, drawn across cohorts by school type"
        about = self._about(
            "All schools",
            self.names,
            ("How to fill it in", f"Column {OUTCOME}: one of {', '.join(choices)}. An empty cell is '{audit_rules().unfilled.label}'."
             " Add or delete no row."),
            ("Sample", sample),
            (STRATA, cases.strata_text),
            (DRAWN_WITH, cases.question.to_text(asked.area.code, asked.academic_year, cases.sample)),
        )  # fmt: skip
        rows = tuple(self._form_row(row) for row in cases.drawn.to_dict("records"))
        listed = PupilList(
            f"Outcomes of an audit: {self.title[0].lower()}{self.title[1:]}", about,
            (*pupil_headers(self.names), *_FORM_COLUMNS), rows, asked.made_on, {OUTCOME: choices},
        )  # fmt: skip
        return ListFile(FORM, "All schools", listed, len(rows))

    def _form_row(self, row: Mapping[Any, Any]) -> tuple[Value, ...]:
        school = int(row["laestab"])
        return (
            *pupil_cells(int(row["upn"]), self.names), self.schools.name(school), school, str(row["nc_year"]),
            str(row["stratum"]), int(row["possible"]), int(row["part_time"]), str(row["mix"]), "", "",
        )  # fmt: skip

    def summary(self) -> ListFile:
        """Return how many pupils each stratum has and how many were drawn, and how many are apart; no pupil."""
        sizes = self.cases.draw.sizes
        rows: list[tuple[Value, ...]] = [(name, total, drawn) for name, (total, drawn) in sizes.items()]
        rows.append(("All with no attendance", len(self.cases.audited), self.cases.draw.size))
        rows += [(f"Apart: {kind[0].lower()}{kind[1:]}", number, "") for kind, number in self.apart.items()]
        about = self._about("All schools", {}, ("Sample", f"{self.cases.question.share_text} asked for"))
        listed = PupilList(self.title, about, ("Stratum", "Pupils", "In the sample"), tuple(rows), self.asked.made_on)
        return ListFile(SUMMARY, "All schools", listed, 0)
