"""Supported pupils of a year group, held against earlier cohorts: who counts, by which rule, in which weeks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.metrics.transition.cohort import ENOUGH_SESSIONS, MAINSTREAM_CODES, Array, Later, StepCohort
from attendance_toolkit.models.transition.regression_to_mean import (
    FEWEST_COMPARED,
    NOTES,
    SupportEffect,
    SupportRefusedError,
    refuse_few,
    support_effect,
)
from attendance_toolkit.vocabulary.columns import NC_YEARS

__all__ = [
    "NOTES",
    "Rule",
    "SupportEffect",
    "SupportRefusedError",
    "SupportStudy",
    "rule_of_group",
    "support_effect",
    "support_effect_of",
]

#: Windows of the later year, the earliest first: first half term, autumn term, whole year.
WINDOWS = ("1", "1-2", "1-6")
#: Possible sessions in a window from which a pupil's rate in it is used: a week.
ENOUGH_IN_WINDOW = 10
#: One in so many pupils may be below a threshold that is read off the group.
_LEFT_ASIDE = 20
#: A window is used if it has at least this share of the supported pupils found in any window.
_MOST_OF_GROUP = 0.8


@dataclass(frozen=True)
class Rule:
    """Whom a threshold chooses: pupils who missed this share of sessions or more.

    Attributes
    ----------
    share
        The threshold.
    is_inferred
        Whether it was taken from the group itself.
    """

    share: Fraction
    is_inferred: bool

    def chooses(self, missed: Array, possible: Array) -> Array:
        """Return (N,) whether the rule holds, counted in whole sessions: exactly the threshold is in."""
        found: Array = (
            missed.astype(np.int64) * self.share.denominator >= possible.astype(np.int64) * self.share.numerator
        )
        return found


def rule_of_group(missed: ArrayLike, possible: ArrayLike, threshold: float | None = None) -> Rule:
    """Return the rule a group was chosen by: the threshold told, else the one nearly all of the group are at or above.

    An inferred threshold is the whole percentage point at or below the lowest rate of the group's pupils, one in twenty
    of them left aside: of fewer than twenty, the lowest of all. Those left aside are not compared. Who was chosen for
    other reasons than absence cannot be read off absence at all.

    Raises
    ------
    ParameterError
        The threshold is not a share from 0 to 1, or there is neither a threshold nor a pupil with sessions.

    >>> rule_of_group([40, 55], [380, 380]).share, rule_of_group([40], [380], 0.1).share
    (Fraction(1, 10), Fraction(1, 10))
    """
    if threshold is not None:
        if not 0 <= threshold <= 1:
            raise ParameterError(
                f"A threshold is a share of sessions from 0 to 1, for example 0.1; given: {threshold:g}."
            )
        return Rule(Fraction(threshold).limit_denominator(1000), is_inferred=False)
    y, n = np.asarray(missed, dtype=np.int64), np.asarray(possible, dtype=np.int64)
    if not (n > 0).any():
        raise ParameterError("A rule cannot be read off a group without sessions: give the threshold.")
    points = np.sort(100 * y[n > 0] // n[n > 0])
    return Rule(Fraction(int(points[len(points) // _LEFT_ASIDE]), 100), is_inferred=True)


@dataclass(frozen=True, eq=False)
class SupportStudy:
    """A list of supported pupils and what can be said of it.

    Attributes
    ----------
    cohort
        The cohort the pupils are of; its ``later`` is the year of the support.
    used
        (N,) whether the cohort's pupil is one of those compared.
    rule, window, terms
        The rule; the half terms after the step; the terms before it that all cohorts have.
    listed, in_cohort, found, compared
        Pupils on the list; of the year group in the year before; with sessions in the window in the next year group of a mainstream
        school; of those, at the rule's threshold or above. Each is part of the one before: the rest were lost on the way.
    persistent_before, persistent_after
        Of those compared, pupils at 10% or more in the year before and in the window.
    history_years
        Academic years before the step of the earlier cohorts compared with.
    effect
        Against earlier cohorts; None if refused.
    refusal
        Why there is no effect, and what is needed; None if there is one.
    same_year
        Against pupils of the same year whom the rule chooses and who are not on the list; None if they are too
        few. They are not a control group: who was left off the list was left off for a reason.
    """

    cohort: StepCohort
    used: Array = field(repr=False)
    rule: Rule
    window: str
    terms: tuple[str, ...]
    listed: int
    in_cohort: int
    found: int
    compared: int
    persistent_before: int
    persistent_after: int
    history_years: tuple[int, ...]
    effect: SupportEffect | None
    refusal: SupportRefusedError | None
    same_year: SupportEffect | None

    @property
    def support_year(self) -> int:
        """The academic year of the support: the one after the step."""
        assert self.cohort.later is not None
        return self.cohort.later.academic_year


def support_effect_of(
    cohorts: Sequence[StepCohort],
    group: ArrayLike,
    *,
    threshold: float | None = None,
    window: str | None = None,
    support_year: int | None = None,
    supported_before: ArrayLike = (),
) -> SupportStudy:
    """Return what became of supported pupils, beside pupils of earlier cohorts chosen alike.

    Parameters
    ----------
    cohorts
        A year group's cohorts (``link_cohorts``), in any order. All their pupils count, of every district: choose
        (``StepCohort.chosen``) beforehand to compare with one district alone.
    group
        Pseudonyms of the supported pupils; repeated ones count once.
    threshold
        Share of sessions missed in the year before from which pupils were put on the list; by default inferred
        (``rule_of_group``).
    window
        Half terms of the later year in which absence is compared: "1", "1-2" or "1-6"; by default the earliest that
        the group and earlier pupils have.
    support_year
        Academic year of the support; by default the latest that has any of the group.
    supported_before
        Pseudonyms of pupils supported in earlier years: they are no comparison.

    Raises
    ------
    SupportRefusedError
        None of the pupils is in the year group of any cohort with a later year. All other refusals are in ``refusal``.
    """
    listed = np.unique(np.asarray(group, dtype=np.int64))
    current = _cohort_of(cohorts, listed, support_year)
    ordered = sorted(cohorts, key=lambda cohort: cohort.academic_year)
    others = [one for one in ordered if one.later is not None and one.academic_year < current.academic_year]
    terms = tuple(name for name in current.terms if all(name in one.terms for one in others)) or current.terms
    others = [one for one in others if all(name in one.terms for name in terms)]
    is_listed = np.isin(current.pupils, listed)
    mine = _Side(current, terms)
    rule = rule_of_group(mine.missed[is_listed], mine.possible[is_listed], threshold)
    excluded = np.union1d(listed, np.asarray(supported_before, dtype=np.int64))
    history = [(_Side(one, terms), ~np.isin(one.pupils, excluded)) for one in others]
    window = window or _window(mine, is_listed, [(side, keep & side.chosen(rule)) for side, keep in history])
    found = is_listed & mine.is_in(window)
    used = found & mine.chosen(rule)
    y, n = mine.after(window)
    kept = [(side, keep & side.chosen(rule) & side.is_in(window)) for side, keep in history]
    effect, refusal = _effect(mine, used, kept, window)
    peers = ~np.isin(current.pupils, excluded) & mine.chosen(rule) & mine.is_in(window)
    return SupportStudy(
        cohort=current,
        used=used,
        rule=rule,
        window=window,
        terms=terms,
        listed=len(listed),
        in_cohort=int(is_listed.sum()),
        found=int(found.sum()),
        compared=int(used.sum()),
        persistent_before=int((10 * mine.missed[used] >= mine.possible[used]).sum()),
        persistent_after=int((10 * y[used] >= n[used]).sum()),
        history_years=tuple(side.cohort.academic_year for side, keep in kept if keep.any()),
        effect=effect,
        refusal=refusal,
        same_year=_effect(mine, used, [(mine, peers)], window)[0],
    )


def step_rates(cohort: StepCohort, rule: Rule, window: str) -> tuple[Array, Array, Array]:
    """Return rates before and in the window after, and schools after, of a cohort's pupils under the rule; shapes (m,)."""
    side = _Side(cohort, cohort.terms)
    return side.rates(side.chosen(rule) & side.is_in(window), window)


class _Side:
    """A cohort with its sessions before the step in some terms, and after it in a window."""

    def __init__(self, cohort: StepCohort, terms: tuple[str, ...]) -> None:
        assert cohort.later is not None
        self.cohort, self.later = cohort, cohort.later
        places = [cohort.terms.index(name) for name in terms]
        self.possible: Array = cohort.possible[:, places].sum(axis=1)
        self.missed: Array = cohort.missed[:, places].sum(axis=1)

    def chosen(self, rule: Rule) -> Array:
        enough: Array = self.possible >= ENOUGH_SESSIONS
        return enough & rule.chooses(self.missed, self.possible)

    def after(self, window: str) -> tuple[Array, Array]:
        """Return sessions missed and possible in the window; 0 where the data do not have it."""
        return _sessions(self.later, window)

    def is_in(self, window: str) -> Array:
        """Return (N,) whether the pupil is in the next year group of a mainstream school with sessions in the window."""
        found: Array = (
            (self.possible >= ENOUGH_SESSIONS)
            & (self.later.year_group == NC_YEARS.index(self.cohort.to_year))
            & np.isin(self.later.phase, MAINSTREAM_CODES)
            & (self.after(window)[1] >= ENOUGH_IN_WINDOW)
        )
        return found

    def rates(self, keep: Array, window: str) -> tuple[Array, Array, Array]:
        """Return rates before and after, and schools after, of some pupils."""
        missed, possible = self.after(window)
        return self.missed[keep] / self.possible[keep], missed[keep] / possible[keep], self.later.laestab[keep]


def _cohort_of(cohorts: Sequence[StepCohort], listed: Array, support_year: int | None) -> StepCohort:
    """Return the cohort whose later year is that of the support."""
    for one in sorted(cohorts, key=lambda cohort: -cohort.academic_year):
        if one.later is None or support_year not in (None, one.later.academic_year):
            continue
        if np.isin(one.pupils, listed).any():
            return one
    raise SupportRefusedError(
        "None of the supported pupils was in the year group before the step in a year after which the data go on.",
        "Needed are the supported pupils' sessions of the year before the step and of the year of their support.",
    )


def _window(mine: _Side, is_listed: Array, history: Sequence[tuple[_Side, Array]]) -> str:
    """Return the earliest window that most of the group and enough earlier pupils have."""
    found = {window: int((is_listed & mine.is_in(window)).sum()) for window in WINDOWS}
    most = max(found.values())
    usable = [window for window, count in found.items() if count and count >= _MOST_OF_GROUP * most]
    for window in usable:
        if sum(int((keep & side.is_in(window)).sum()) for side, keep in history) >= FEWEST_COMPARED:
            return window
    return usable[0] if usable else WINDOWS[0]


def _sessions(later: Later, window: str) -> tuple[Array, Array]:
    """Return (N,) sessions missed and possible in the half terms of a window.

    Districts may have told half terms or terms: what lies inside the window is added up, if together it is the window.
    """
    wanted = _half_terms(window)
    inside = [place for place, name in enumerate(later.periods) if _half_terms(name) <= wanted]
    covered = set().union(*(_half_terms(later.periods[place]) for place in inside))
    if covered != wanted:
        empty: Array = np.zeros(len(later.possible), dtype=np.int64)
        return empty, empty
    return later.period_missed[:, inside].sum(axis=1), later.period_possible[:, inside].sum(axis=1)


def _half_terms(span: str) -> set[int]:
    first, _, last = span.partition("-")
    if not (first.isdigit() and (last or first).isdigit()):
        raise ParameterError(f"A window is a half term or a span of half terms, such as 1 or 1-2; given: '{span}'.")
    return set(range(int(first), int(last or first) + 1))


def _effect(
    mine: _Side, used: Array, others: Sequence[tuple[_Side, Array]], window: str
) -> tuple[SupportEffect | None, SupportRefusedError | None]:
    """Return the effect, or why there is none."""
    before, after, school = mine.rates(used, window)
    parts = [(*side.rates(keep, window), np.full(int(keep.sum()), side.cohort.academic_year)) for side, keep in others]
    try:
        refuse_few(len(before), sum(len(part[0]) for part in parts))
        history_before, history_after, schools, years = (np.concatenate(column) for column in zip(*parts, strict=True))
        return support_effect(
            before, after, history_before, history_after,
            history_cohort=years, school_of_group=school, school_of_history=schools,
        ), None  # fmt: skip
    except SupportRefusedError as refusal:
        return None, refusal
