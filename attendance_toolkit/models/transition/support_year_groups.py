"""Supported pupils of any year groups together, each held against earlier pupils of the same year group chosen alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.metrics.transition.cohort import ENOUGH_SESSIONS, Array, Later, StepCohort
from attendance_toolkit.models.transition.regression_to_mean import (
    SupportEffect,
    SupportRefusedError,
    refuse_few,
    support_effect,
)
from attendance_toolkit.models.transition.support import Rule, step_rates

#: Windows of the year of support, the longest first: the whole year, or to the end of May where Year 11 has left.
WHOLE_YEAR_WINDOWS = ("1-6", "1-5", "1-4", "1-2", "1")


@dataclass(frozen=True)
class SupportAcross:
    """A list of supported pupils of one or several year groups, and what can be said of them.

    Attributes
    ----------
    support_year
        Academic year of the support; absence in it is held against the year before.
    rule
        Share of sessions missed in the year before from which pupils are compared.
    listed, found, compared
        Pupils on the list; of these with sessions in a mainstream school in both years and the next year group; of those,
        under the rule and with earlier pupils of their year group. Each is part of the one before.
    year_groups
        Year groups (of the year of support) of those compared, youngest first.
    persistent_before, persistent_after
        Of those compared, pupils at 10% or more in the year before and in the year of support.
    history_years
        Academic years before that of support of the earlier pupils compared with.
    effect
        Against earlier pupils; None if refused.
    refusal
        Why there is no effect, and what is needed; None if there is one.
    same_year
        Against pupils of the same year groups and year whom the rule chooses and who are on no list; None if too few.
    """

    support_year: int
    rule: Rule
    listed: int
    found: int
    compared: int
    year_groups: tuple[str, ...]
    persistent_before: int
    persistent_after: int
    history_years: tuple[int, ...]
    effect: SupportEffect | None
    refusal: SupportRefusedError | None
    same_year: SupportEffect | None


@dataclass(frozen=True)
class _Pupils:
    """Pupils of one year group and year: rates before and after, school after."""

    before: Array
    after: Array
    school: Array
    year: int

    def __len__(self) -> int:
        return len(self.before)


@dataclass(frozen=True)
class _YearGroup:
    """The supported pupils of one year group, earlier ones, and those of the same year on no list."""

    name: str
    mine: _Pupils
    earlier: tuple[_Pupils, ...]
    peers: _Pupils


def support_across_year_groups(
    cohorts: Mapping[str, Sequence[StepCohort]],
    group: ArrayLike,
    *,
    support_year: int,
    threshold: float,
    supported: ArrayLike = (),
) -> SupportAcross:
    """Return what became of supported pupils of any year groups, beside earlier pupils of these year groups chosen alike.

    Parameters
    ----------
    cohorts
        Year group in the year before the support ("6") -> its cohorts (``link_cohorts``).
    group
        Pseudonyms of the supported pupils; repeated ones count once.
    support_year
        Academic year of the support.
    threshold
        Share of sessions missed in the year before from which pupils were put on the list; 0 for none.
    supported
        Pseudonyms of pupils supported in any year: they are no comparison.

    Notes
    -----
    Each pupil counts once. Earlier pupils are brought to the shares that the year groups have among the supported
    ones, then reweighted to the supported pupils' mean of the year before (``support_effect``). So the change, the change
    expected and the difference are those of the group as it is, and fit each other: a mean of year groups weighted by their
    precision would be about another group. What year groups differ by is part of what varies.
    """
    listed = np.unique(np.asarray(group, dtype=np.int64))
    excluded = np.union1d(listed, np.asarray(supported, dtype=np.int64))
    rule = Rule(_share(threshold), is_inferred=False)
    everybody = Rule(_share(0.0), is_inferred=False)
    parts: list[_YearGroup] = []
    found = 0
    for name in sorted(cohorts, key=lambda one: 0 if one == "R" else int(one)):
        current = _before(cohorts[name], support_year)
        if current is None or current.later is None:
            continue
        window = _window(current.later)
        mine = np.isin(current.pupils, listed)
        found += len(_chosen(current, mine, everybody, window))
        part = _YearGroup(
            current.to_year,
            _chosen(current, mine, rule, window),
            tuple(
                _chosen(one, ~np.isin(one.pupils, excluded), rule, window)
                for one in cohorts[name]
                if one.academic_year < current.academic_year and one.later is not None
                and set(current.terms) <= set(one.terms)
            ),
            _chosen(current, ~np.isin(current.pupils, excluded), rule, window),
        )  # fmt: skip
        if len(part.mine) and any(len(one) for one in part.earlier):
            parts.append(part)
    compared = _joined([part.mine for part in parts])
    effect, refusal = _effect(parts, [part.earlier for part in parts])
    return SupportAcross(
        support_year=support_year,
        rule=rule,
        listed=len(listed),
        found=found,
        compared=len(compared),
        year_groups=tuple(part.name for part in parts),
        persistent_before=int((compared.before >= 0.1).sum()),
        persistent_after=int((compared.after >= 0.1).sum()),
        history_years=tuple(sorted({one.year for part in parts for one in part.earlier if len(one)})),
        effect=effect,
        refusal=refusal,
        same_year=_effect(parts, [(part.peers,) for part in parts])[0],
    )


def _share(threshold: float) -> Fraction:
    return Fraction(threshold).limit_denominator(1000)


def _before(cohorts: Sequence[StepCohort], support_year: int) -> StepCohort | None:
    found = [one for one in cohorts if one.later is not None and one.later.academic_year == support_year]
    return found[0] if found else None


def _window(later: Later) -> str:
    """Return the longest window the data have of the year of support."""
    ends = {int(period.partition("-")[2] or period) for period in later.periods}
    last = max(ends, default=6)
    return next((window for window in WHOLE_YEAR_WINDOWS if int(window.partition("-")[2] or window) <= last), "1")


def _chosen(cohort: StepCohort, keep: Array, rule: Rule, window: str) -> _Pupils:
    assert cohort.later is not None
    enough = keep & (cohort.year_possible >= ENOUGH_SESSIONS)
    before, after, school = step_rates(cohort.chosen(enough), rule, window)
    return _Pupils(before, after, school, cohort.academic_year)


def _joined(parts: Sequence[_Pupils]) -> _Pupils:
    if not parts:
        empty = np.zeros(0)
        return _Pupils(empty, empty, empty, 0)
    before, after, school = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("before", "after", "school")
    )
    return _Pupils(before, after, school, 0)


def _effect(
    parts: Sequence[_YearGroup], others: Sequence[Sequence[_Pupils]]
) -> tuple[SupportEffect | None, SupportRefusedError | None]:
    """Return the effect, or why there is none."""
    kept = [(part.mine, _joined(held), held) for part, held in zip(parts, others, strict=True) if any(map(len, held))]
    mine, history = _joined([one for one, _, _ in kept]), _joined([many for _, many, _ in kept])
    try:
        refuse_few(len(mine), len(history))
        return support_effect(
            mine.before, mine.after, history.before, history.after,
            history_cohort=np.concatenate([np.full(len(one), one.year) for _, _, held in kept for one in held]),
            history_weight=np.concatenate([np.full(len(many), len(one) / len(many)) for one, many, _ in kept]),
            school_of_group=mine.school, school_of_history=history.school,
        ), None  # fmt: skip
    except SupportRefusedError as refusal:
        return None, refusal
