"""The pupils of one audit of no attendance: which period, which sample, and what a form says of how it was drawn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

import pandas as pd

from attendance_toolkit.errors import NoDataError, ParameterError, did_you_mean
from attendance_toolkit.metrics.zero_attendance import (
    AUDIT,
    FEWEST_SESSIONS,
    Draw,
    digest_of,
    draw_sample,
    enrolments_with_possible,
    no_attendance,
    no_attendance_in_marks,
    with_marks,
)
from attendance_toolkit.store import Store
from attendance_toolkit.vocabulary.calendar import TERM_LABELS, TERMS, WHOLE_YEAR, show_academic_year

USUAL_SHARE, USUAL_SEED = "12%", "1"
#: Label of the row of a form that says how its pupils were drawn.
DRAWN_WITH, STRATA = "Drawn with", "Strata"
_SEED = re.compile(r"[A-Za-z0-9-]{1,40}")


@dataclass(frozen=True)
class Question:
    """What an audit asks: the period, who is enough of a case, and how the sample is drawn.

    Attributes
    ----------
    period
        "autumn", "spring", "summer" or "year"; with ``first`` and ``last`` (of single marks) not used.
    share
        Of the pupils without attendance that is drawn.
    fewest
        Possible sessions below which a pupil is listed apart.
    """

    period: str = WHOLE_YEAR
    share: Fraction = Fraction(12, 100)
    seed: str = USUAL_SEED
    fewest: int = FEWEST_SESSIONS
    at_least_one: bool = True
    first: date | None = None
    last: date | None = None

    @property
    def is_of_days(self) -> bool:
        """Whether it is about a span of days, which single marks alone can tell."""
        return self.first is not None or self.last is not None

    @property
    def name(self) -> str:
        """The period as part of a file's name.

        >>> Question().name, Question(first=date(2024, 1, 8), last=date(2024, 2, 9)).name
        ('year', '2024-01-08-to-2024-02-09')
        """
        if not self.is_of_days:
            return self.period
        ends = [day.isoformat() if day else "open" for day in (self.first, self.last)]
        return "-to-".join(ends)

    @property
    def in_words(self) -> str:
        """The period in words.

        >>> Question(period="spring").in_words, Question(first=date(2024, 1, 8)).in_words
        ('spring term', 'from 2024-01-08 to the last day with marks')
        """
        if self.is_of_days:
            first = self.first.isoformat() if self.first else "the first day with marks"
            last = self.last.isoformat() if self.last else "the last day with marks"
            return f"from {first} to {last}"
        return "whole year" if self.period == WHOLE_YEAR else f"{TERM_LABELS[self.period].lower()} term"

    @property
    def share_text(self) -> str:
        """The share as it is asked for.

        >>> Question().share_text, Question(share=Fraction(1, 8)).share_text
        ('12%', '12.5%')
        """
        return f"{Decimal((self.share * 100).numerator) / Decimal((self.share * 100).denominator):f}%"

    def to_text(self, area: str, year: int, sample: str) -> str:
        """Return the question as the row ``DRAWN_WITH`` of a form has it.

        >>> Question().to_text("E08000009", 202324, "0123456789ab")
        'area=E08000009; year=2023/24; period=year; share=12%; seed=1; fewest=10; each=yes; sample=0123456789ab'
        """
        period = f"{self.first or ''}..{self.last or ''}" if self.is_of_days else self.period
        return (
            f"area={area}; year={show_academic_year(year)}; period={period}; share={self.share_text}; seed={self.seed};"
            f" fewest={self.fewest}; each={'yes' if self.at_least_one else 'no'}; sample={sample}"
        )


@dataclass(frozen=True)
class DrawnWith:
    """What a form says of its draw: area and year, the question, and the sample's own sign (``digest_of``)."""

    area: str
    year: str
    question: Question
    sample: str


def parse_drawn_with(text: str) -> DrawnWith | None:
    """Return what the row of a form says; None if it says it not.

    >>> parse_drawn_with(Question(seed="x").to_text("E08000009", 202324, "0123456789ab")).question.seed
    'x'
    """
    known = dict(part.split("=", 1) for part in re.split(r";\s*", text.strip()) if "=" in part)
    try:
        period = known["period"]
        first, _, last = period.partition("..") if ".." in period else ("", "", "")
        question = question_of(
            period=WHOLE_YEAR if ".." in period else period, share=known["share"], seed=known["seed"],
            fewest=int(known["fewest"]), at_least_one=known["each"] == "yes",
            first=date.fromisoformat(first) if first else None, last=date.fromisoformat(last) if last else None,
        )  # fmt: skip
        return DrawnWith(known["area"], known["year"], question, known["sample"])
    except (KeyError, ValueError, ParameterError):
        return None


def share_of(text: str) -> Fraction:
    """Return a share in percent as a fraction.

    Raises
    ------
    ParameterError
        It is not one, or not above 0% and up to 100%.

    >>> share_of("12%"), share_of(" 12.5 % ")
    (Fraction(3, 25), Fraction(1, 8))
    """
    found = re.fullmatch(r"\s*(\d{1,3}(?:\.\d{1,3})?)\s*%?\s*", text)
    share = Fraction(found[1]) / 100 if found else Fraction(0)
    if not 0 < share <= 1:
        raise ParameterError(
            f"'{text}' is not a share of the pupils. Write a percentage above 0% and up to 100%, such as 12%."
        )
    return share


def question_of(
    *,
    period: str = WHOLE_YEAR,
    share: str = USUAL_SHARE,
    seed: str = USUAL_SEED,
    fewest: int = FEWEST_SESSIONS,
    at_least_one: bool = True,
    first: date | None = None,
    last: date | None = None,
) -> Question:
    """Return what is asked for, checked.

    Raises
    ------
    ParameterError
        A period, share, seed or number of sessions there is not, or days that end before they begin.
    """
    if period not in (*TERMS, WHOLE_YEAR):
        known = (*TERMS, WHOLE_YEAR)
        raise ParameterError(
            f"'{period}' is not a period.{did_you_mean(period, known)} Use one of: {', '.join(known)}."
        )
    if not _SEED.fullmatch(seed):
        raise ParameterError(f"'{seed}' is not a seed. Use a number or a word of letters, digits and hyphens.")
    if fewest < 1:
        raise ParameterError("The fewest possible sessions of a case (fewest) are 1 or more.")
    if (first is not None or last is not None) and period != WHOLE_YEAR:
        raise ParameterError("Give a period, or the days it is from and to, not both.")
    if first is not None and last is not None and last < first:
        raise ParameterError(f"The last day, {last.isoformat()}, is before the first, {first.isoformat()}.")
    return Question(period, share_of(share), seed, fewest, at_least_one, first, last)


@dataclass(frozen=True, eq=False)
class Cases:
    """Who has no attendance in a period, and who of them was drawn.

    Attributes
    ----------
    found
        As ``metrics.zero_attendance.no_attendance`` returns it: of every kind, in the order of school and pupil.
    enrolments
        Enrolments of compulsory school age with possible sessions in the period; 0 where only single marks tell of it.
    has_marks
        Whether registers of the period are there.
    """

    question: Question
    found: pd.DataFrame
    enrolments: int
    has_marks: bool

    @cached_property
    def audited(self) -> pd.DataFrame:
        """The pupils the sample is drawn from."""
        return self.found[self.found["kind"] == AUDIT].reset_index(drop=True)

    @cached_property
    def draw(self) -> Draw:
        """The sample."""
        question = self.question
        return draw_sample(self.audited, question.share, question.seed, at_least_one=question.at_least_one)

    @cached_property
    def drawn(self) -> pd.DataFrame:
        """The pupils drawn."""
        return self.audited[self.draw.drawn].reset_index(drop=True)

    @property
    def sample(self) -> str:
        """The sample's sign."""
        return digest_of(self.drawn["upn"], self.drawn["laestab"])

    @property
    def strata_text(self) -> str:
        """How many were drawn of how many in each stratum, as a form says it."""
        return "; ".join(f"{name}: {drawn} of {total}" for name, (total, drawn) in self.draw.sizes.items())


def find_cases(store: Store, members: Sequence[str], year: int, question: Question) -> Cases:
    """Return who of an area's enrolments has no attendance.

    Parameters
    ----------
    members
        Codes of the area's authorities that the store holds.

    Raises
    ------
    NoDataError
        The store has nothing for the year or the period.
    """
    registers = [place for place in store.marked() if place[0] in members and place[1] == year]
    terms = store.pupil_terms(academic_years=[year])
    if question.is_of_days:
        if not registers:
            raise NoDataError(
                f"A span of days needs single marks of registers, and the store has none of {show_academic_year(year)} here."
                " Load registers, or ask for a term or the year."
            )
        marks = store.marks(members, [year])
        found = no_attendance_in_marks(
            marks, terms, first=question.first, last=question.last, la_codes=members, fewest=question.fewest
        )
        if found.empty and not marks.filter(_between(question)).limit(1).fetchall():
            raise NoDataError(
                f"The registers have no marks {question.in_words}. Give days of {show_academic_year(year)}."
            )
        return Cases(question, found, 0, True)
    enrolments = enrolments_with_possible(terms, la_codes=members, term=question.period)
    if not enrolments:
        raise NoDataError(
            f"The store has no possible sessions of the {question.in_words} of {show_academic_year(year)} here. It may have the"
            " whole year alone: ask for the period 'year'."
        )
    found = no_attendance(terms, la_codes=members, term=question.period, fewest=question.fewest)
    if registers:
        of_marks = no_attendance_in_marks(
            store.marks(members, [year]), terms, la_codes=members, term=question.period, fewest=question.fewest
        )
        found = with_marks(found, of_marks)
    return Cases(question, found, enrolments, bool(registers))


def _between(question: Question) -> str:
    first, last = question.first or date.min, question.last or date.max
    return f"day BETWEEN DATE '{first.isoformat()}' AND DATE '{last.isoformat()}'"
