"""Rows of supported pupils held against others: of one year group, or of all of them together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attendance_toolkit.deepdives._contrasts import statistic_row
from attendance_toolkit.intervals import Z95, wilson_interval
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.transition.regression_to_mean import SupportEffect, SupportRefusedError
from attendance_toolkit.vocabulary.calendar import show_academic_year
from attendance_toolkit.vocabulary.columns import ALL

#: Whom supported pupils are held against: pupils of earlier cohorts chosen by the same rule, or of the same year.
EARLIER, SAME_YEAR = "Earlier year groups", "Same year, not on a list"
#: Shares of sessions missed in the year before from which pupils may have been put on a list, highest first. The rule of a list
#: is the highest that holds for nearly all on it: the lowest rate itself would be a pupil's own.
RULES = {0.5: "50% or more", 0.2: "20% or more", 0.15: "15% or more", 0.1: "10% or more", 0.05: "5% or more", 0.0: ALL}
_NEARLY_ALL = 0.9
#: Measures of the rows of a group of supported pupils.
BEFORE, AFTER, CHANGE = "absence_before", "absence_after", "support_change"
EXPECTED_CHANGE, EFFECT = "support_expected_change", "support_effect"


def rule_of(missed: NDArray[Any], possible: NDArray[Any]) -> float:
    """Return the highest of ``RULES`` that holds for nearly all pupils of a list who had sessions in the year before.

    >>> rule_of(np.array([40, 90, 60]), np.array([380, 380, 380])), rule_of(np.array([0]), np.array([0]))
    (0.1, 0.0)
    """
    y, n = missed.astype(np.int64), possible.astype(np.int64)
    y, n = y[n > 0], n[n > 0]
    for share in RULES:
        if len(y) and (1000 * y >= round(1000 * share) * n).mean() >= _NEARLY_ALL:
            return share
    return 0.0


def supported_rows(
    groups: dict[str, Any],
    size: int,
    persistent_after: int,
    rule: float,
    comparisons: Sequence[tuple[str, SupportEffect | None, Sequence[int]]],
    refusal: SupportRefusedError | None,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a list: its size, persistent absence after, and what each comparison says.

    Parameters
    ----------
    groups
        Columns of the list, with ``enrolments``.
    size, persistent_after
        Pupils compared, and those persistently absent after.
    rule
        One of ``RULES``.
    comparisons
        Against whom, what was found, and the academic years compared with; the first is the main one.
    refusal
        Why the main one found nothing.
    """
    after, number = float(persistent_after), float(size)
    yield {**statistic_row("pupils", Estimate(number), **groups, model="", about=RULES[rule]), "numerator": number}
    if not size:
        return
    lower, upper = (float(end) for end in wilson_interval(after, number))
    share = statistic_row(
        "persistent_absence_rate", Estimate(after / number, lower, upper), **groups, model="", about=""
    )
    yield {**share, "numerator": after, "denominator": number}
    has_means = False
    for against, effect, years in comparisons:
        if effect is not None:
            yield from _effect_rows(effect, against, years, groups, with_means=not has_means)
            has_means = True
    if refusal is not None:
        # Without a number: why there is none.
        yield statistic_row(EFFECT, None, "z", **groups, model=comparisons[0][0], about=str(refusal))


def _effect_rows(
    effect: SupportEffect, against: str, years: Sequence[int], groups: dict[str, Any], *, with_means: bool
) -> Iterator[dict[str, Any]]:
    """Yield what one comparison says; means of the pupils' own rates, once."""
    if with_means:
        means = {BEFORE: effect.before, AFTER: effect.after, CHANGE: effect.naive_change}
        for measure, value in means.items():
            yield {**statistic_row(measure, Estimate(value), **groups, model="", about=""), "decimals": 1}
    half = Z95 * effect.se_expected
    expected = Estimate(effect.expected_change, effect.expected_change - half, effect.expected_change + half)
    about = ", ".join(show_academic_year(year) for year in years)
    yield {**statistic_row(EXPECTED_CHANGE, expected, **groups, model=against, about=about), "decimals": 1}
    yield {**statistic_row(EFFECT, effect.effect, **groups, model=against, about=""), "decimals": 1}
