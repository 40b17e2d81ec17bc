"""Schools before and after a meeting: which terms are held against each other, and which schools were not met in them.

The term of the meeting belongs to neither side. What became of schools that were met says nothing by itself; it is
held against other schools in the same terms by ``models.before_after``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.metrics.cells import DFE_RULES, InclusionRules, absence_cells
from attendance_toolkit.metrics.transition.cohort import LEFT_OUT_YEARS
from attendance_toolkit.vocabulary.calendar import academic_year_before, academic_year_of, half_term_starts
from attendance_toolkit.vocabulary.columns import MAIN_PHASES

Array = NDArray[Any]

#: Terms in the order of the year, as PUPIL_TERM has them.
TERMS = ("autumn", "spring", "summer")
#: Possible sessions of a school in a term from which its attendance is used: a class for a month.
ENOUGH_IN_TERM = 1_000
#: What of PUPIL_TERM is counted.
TERM_COUNTS = ("enrolments", "sessions_possible", "sessions_authorised", "sessions_unauthorised")
_KEYS = ("academic_year", "phase", "laestab", "term")


def term_of(day: date) -> str:
    """Return the term a day lies in, with the limits of the school census: 31 December and Easter Sunday.

    >>> term_of(date(2024, 1, 17)), term_of(date(2023, 12, 27)), term_of(date(2024, 9, 2))
    ('spring', 'autumn', 'autumn')
    """
    starts = half_term_starts(academic_year_of(day))
    if day < starts[2]:
        return TERMS[0]
    return TERMS[1] if day < starts[4] else TERMS[2]


@dataclass(frozen=True)
class Round:
    """The meetings of one term, and the terms before and after it that are held against each other.

    Attributes
    ----------
    academic_year, term
        When the schools were met.
    schools
        LAESTAB -> day of the first meeting in the term.
    """

    academic_year: int
    term: str
    schools: dict[int, date]

    @property
    def before(self) -> tuple[int, str]:
        """Academic year and term before that of the meetings."""
        return _before(self.academic_year, self.term)

    @property
    def after(self) -> tuple[tuple[int, str], ...]:
        """Academic year and term of each term after that of the meetings: to the end of the year, or the next autumn."""
        return _after(self.academic_year, self.term)


def _before(year: int, term: str) -> tuple[int, str]:
    place = TERMS.index(term)
    return (year, TERMS[place - 1]) if place else (academic_year_before(year), TERMS[-1])


def _after(year: int, term: str) -> tuple[tuple[int, str], ...]:
    later = TERMS[TERMS.index(term) + 1 :]
    return tuple((year, name) for name in later) or ((academic_year_before(year, -1), TERMS[0]),)


def meeting_rounds(meetings: pd.DataFrame) -> tuple[Round, ...]:
    """Return the meetings term by term, oldest first.

    Parameters
    ----------
    meetings
        Columns ``laestab`` and ``day``, a row a meeting (``Store.meetings``).
    """
    found: dict[tuple[int, str], dict[int, date]] = {}
    for laestab, day in sorted(
        zip(meetings["laestab"], pd.to_datetime(meetings["day"]), strict=True), key=lambda m: m[1]
    ):
        place = (academic_year_of(day.date()), term_of(day.date()))
        found.setdefault(place, {}).setdefault(int(laestab), day.date())
    ordered = sorted(found, key=lambda place: (place[0], TERMS.index(place[1])))
    return tuple(Round(year, term, found[year, term]) for year, term in ordered)


def school_terms(
    pupil_terms: Any, *, rules: InclusionRules = DFE_RULES, phases: Collection[str] = MAIN_PHASES
) -> pd.DataFrame:
    """Return possible and missed sessions of each school and term.

    Parameters
    ----------
    pupil_terms
        PUPIL_TERM rows of any years. Sessions known for a whole year only are left out.

    Returns
    -------
    academic_year, phase, laestab, term, enrolments, possible, missed.
    """
    cells = absence_cells(pupil_terms, _KEYS, rules=rules, counts=TERM_COUNTS)
    return school_terms_of(cells, phases=phases)


def school_terms_of(cells: pd.DataFrame, *, phases: Collection[str] = MAIN_PHASES) -> pd.DataFrame:
    """Return the same from CELLS by year, phase, school and term.

    A school counted under two phases in one term is of that with more possible sessions.
    """
    rows = cells[cells["phase"].isin(list(phases)) & cells["term"].isin(TERMS)]
    rows = rows.assign(
        possible=rows["sessions_possible"].astype(np.int64),
        missed=(rows["sessions_authorised"] + rows["sessions_unauthorised"]).astype(np.int64),
        laestab=rows["laestab"].astype(np.int64),
    )
    rows = rows.sort_values(["possible", "phase"], ascending=[False, True], kind="stable")
    rows = rows.drop_duplicates(["academic_year", "laestab", "term"])
    keys = ["academic_year", "laestab", "term"]
    return rows.sort_values(keys)[[*_KEYS, "enrolments", "possible", "missed"]].reset_index(drop=True)


@dataclass(frozen=True, eq=False)
class SchoolChanges:
    """Schools in the terms before and after a round of meetings, and in the same terms of earlier years.

    Position by position, one for each school and year, (N,):

    Attributes
    ----------
    round
        The meetings.
    laestab, phase
        The school.
    academic_year
        The year that stands in the place of the round's: the round's own, or an earlier one.
    before, after
        Attendance in the term before and in the terms after, as shares of possible sessions.
    earlier
        Attendance in the academic year before that of the term before; NaN if it is not known.
    enrolments
        Enrolments in the term before.
    is_met
        Whether the school was met in this round; of the round's own year only.
    met, found
        Schools met, and those of them with sessions before and after.
    """

    round: Round
    laestab: Array = field(repr=False)
    phase: Array = field(repr=False)
    academic_year: Array = field(repr=False)
    before: Array = field(repr=False)
    after: Array = field(repr=False)
    earlier: Array = field(repr=False)
    enrolments: Array = field(repr=False)
    is_met: Array = field(repr=False)
    met: int = 0
    found: int = 0


def school_changes(
    terms: pd.DataFrame, meetings: pd.DataFrame, held: Round, *, schools: Collection[int] | None = None
) -> SchoolChanges:
    """Return what became of the schools met in a round and of the others, in the same terms of this and earlier years.

    A school that had any meeting from the term before to the terms after is not among the others in that year.

    Parameters
    ----------
    terms
        As of ``school_terms``, of all years there are.
    meetings
        All meetings known: ``laestab``, ``day``.
    held
        One of ``meeting_rounds``.
    schools
        The schools looked at, such as those of one area; all by default.

    Raises
    ------
    NoDataError
        No school has sessions in the terms before and after the round.
    ParameterError
        A year of the round is one that is held against no other (``LEFT_OUT_YEARS``).
    """
    if {held.before[0], held.academic_year, *(year for year, _ in held.after)} & set(LEFT_OUT_YEARS):
        raise ParameterError("Terms of 2019/20 and 2020/21 are held against no others: schools were closed to most.")
    if schools is not None:
        terms = terms[terms["laestab"].isin(list(schools))]
    wanted = [year for year in sorted(set(terms["academic_year"])) if year <= held.academic_year]
    busy = _met_in(meetings)
    parts = [_one_year(terms, held, year, busy) for year in wanted]
    rows = (
        pd.concat([part for part in parts if len(part)], ignore_index=True) if any(map(len, parts)) else pd.DataFrame()
    )
    if rows.empty or not (rows["year"] == held.academic_year).any():
        raise NoDataError(
            "The data have no school with sessions in the term before the meetings and in the terms after."
        )
    names = {int(laestab) for laestab in held.schools if schools is None or laestab in schools}
    return SchoolChanges(
        held, rows["laestab"].to_numpy(), rows["phase"].to_numpy(dtype=object),
        rows["year"].to_numpy(), rows["before"].to_numpy(), rows["after"].to_numpy(), rows["earlier"].to_numpy(),
        rows["enrolments"].to_numpy(), rows["is_met"].to_numpy(), met=len(names), found=int(rows["is_met"].sum()),
    )  # fmt: skip


def _met_in(meetings: pd.DataFrame) -> dict[tuple[int, str], set[int]]:
    return {(one.academic_year, one.term): set(one.schools) for one in meeting_rounds(meetings)}


def _one_year(terms: pd.DataFrame, held: Round, year: int, busy: dict[tuple[int, str], set[int]]) -> pd.DataFrame:
    """Return the schools of one year in the round's place; no rows where a term has none, or nobody went to school."""
    first, later = _before(year, held.term), _after(year, held.term)
    if {first[0], *(of for of, _ in later)} & set(LEFT_OUT_YEARS):
        return pd.DataFrame()
    start = _in_terms(terms, [first])
    end = _in_terms(terms, later)
    was = academic_year_before(first[0])
    earlier = _in_terms(terms, [] if was in LEFT_OUT_YEARS else [(was, name) for name in TERMS])
    rows = start.join(end[["possible", "missed"]].add_suffix("_after"), how="inner")
    rows = rows.join(earlier[["possible", "missed"]].add_suffix("_earlier"))
    rows = rows.reset_index()
    met = set(held.schools) if year == held.academic_year else set()
    disturbed = set().union(*(busy.get(place, set()) for place in (first, (year, held.term), *later)))
    keep = rows["laestab"].isin(met) | ~rows["laestab"].isin(disturbed)
    rows = rows[keep]
    return pd.DataFrame(
        {
            "laestab": rows["laestab"],
            "phase": rows["phase"].astype(str),
            "year": year,
            "before": 1 - rows["missed"] / rows["possible"],
            "after": 1 - rows["missed_after"] / rows["possible_after"],
            "earlier": 1 - rows["missed_earlier"] / rows["possible_earlier"],
            "enrolments": rows["enrolments"],
            "is_met": rows["laestab"].isin(met),
        }
    )


def _in_terms(terms: pd.DataFrame, wanted: Sequence[tuple[int, str]]) -> pd.DataFrame:
    """Return the sessions of schools in some terms together, by school; only of those that have all of them."""
    keys = pd.MultiIndex.from_frame(terms[["academic_year", "term"]])
    chosen = terms[keys.isin(wanted) & (terms["possible"] >= ENOUGH_IN_TERM).to_numpy()]
    found = chosen.groupby("laestab").agg(
        phase=("phase", "last"), enrolments=("enrolments", "max"),
        possible=("possible", "sum"), missed=("missed", "sum"), terms=("term", "size"),
    )  # fmt: skip
    return found[found["terms"] == len(wanted)].drop(columns="terms") if wanted else found
