"""The "what if" cards of an overview: pure arithmetic on counts, for one area or a whole column.

Every count may be a number or a pandas Series (a column of CELLS); Series give a Series. A denominator of 0
or a missing count gives a missing value (NaN), never an exception and never 0. Rates are 0 to 1,
changes are percentage points, means are sessions per enrolment. None of the results is rounded.

Source of the cards: DfE's attendance data tool as quoted in Southampton City Council's scrutiny
presentation of November 2024; every figure there is recomputed in ``tests/reference/test_seeds.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import pandas as pd

from attendance_toolkit.metrics.cells import add_cells

Count: TypeAlias = "int | float | pd.Series | None"
Rate: TypeAlias = "float | pd.Series"

#: Names of the measures ``card_rows`` makes; they are described in ``vocabulary.measures``.
CARD_MEASURES = tuple(
    f"{name}_{group}"
    for group in ("persistent", "severe")
    for name in ("overall_absence_rate_without", "mean_sessions_missed", "extra_sessions_missed")
)


def _number(count: Count) -> Rate:
    if isinstance(count, pd.Series):
        return count.astype("Float64").astype("float64")
    return np.nan if count is None or pd.isna(count) else float(count)


def ratio(numerator: Count, denominator: Count) -> Rate:
    """Return numerator over denominator, missing where the denominator is 0 or either is missing.

    >>> ratio(1, 8), ratio(0, 0)
    (0.125, nan)
    """
    top, bottom = _number(numerator), _number(denominator)
    if isinstance(top, pd.Series) or isinstance(bottom, pd.Series):
        below = bottom if isinstance(bottom, pd.Series) else pd.Series(bottom, index=top.index)  # type: ignore[union-attr]
        return top / below.where(below != 0)
    return top / bottom if bottom else np.nan


def mean_sessions_missed_of(sessions_missed: Count, enrolments: Count) -> Rate:
    """Return sessions missed per enrolment.

    >>> round(mean_sessions_missed_of(579_683, 32_144), 2)
    18.03
    """
    return ratio(sessions_missed, enrolments)


def no_absence_share(no_absence_enrolments: Count, enrolments: Count) -> Rate:
    """Return the share (0 to 1) of enrolments that missed no session.

    >>> round(no_absence_share(3_456, 32_144), 4)
    0.1075
    """
    return ratio(no_absence_enrolments, enrolments)


def extra_sessions_missed(
    sessions_missed: Count, enrolments: Count, sessions_missed_by_group: Count, group_enrolments: Count
) -> Rate:
    """Return how many sessions more a member of the group missed, on average, than one outside it.

    The group (persistent or severe absentees) is part of the enrolments; the comparison is with the others,
    not with everybody.

    >>> round(extra_sessions_missed(579_683, 32_144, 186_040 + 184_596, 6_885), 2)
    45.56
    """
    inside = ratio(sessions_missed_by_group, group_enrolments)
    others = ratio(
        _number(sessions_missed) - _number(sessions_missed_by_group),
        _number(enrolments) - _number(group_enrolments),
    )
    return inside - others


def overall_absence_without(
    sessions_missed: Count,
    sessions_possible: Count,
    sessions_missed_by_group: Count,
    sessions_possible_of_group: Count,
) -> Rate:
    """Return the overall absence rate (0 to 1) of everybody outside the group.

    The group's possible sessions leave the denominator too.

    >>> round(overall_absence_without(579_683, 7_515_215, 370_636, 1_536_341), 4)
    0.035
    """
    return ratio(
        _number(sessions_missed) - _number(sessions_missed_by_group),
        _number(sessions_possible) - _number(sessions_possible_of_group),
    )


def change_pp(rate: Rate, previous_rate: Rate) -> Rate:
    """Return rate minus previous rate in percentage points, unrounded (rates are 0 to 1).

    A change of printed rates is not the printed change: 7.7% and 7.9% may be 0.15 or 0.25 points apart.

    >>> round(change_pp(0.5, 0.25), 1)
    25.0
    """
    return 100 * (_number(rate) - _number(previous_rate))


def equivalent_at_current_cohort(
    count: Count, previous_percent: str | float | Decimal | pd.Series, cohort: Count
) -> Rate:
    """Return how many more enrolments are counted than if the previous year's rate had applied to this cohort.

    The previous rate is the percentage as printed (23.2, not 0.2318), because that is what DfE's card
    uses. The result is a change of rate written as a number of pupils: it is not the difference of two
    years' counts, and must be worded "than if the previous year's rate had applied to this year's
    enrolments".

    >>> round(equivalent_at_current_cohort(6_885, "23.2", 32_144), 1)
    -572.4
    >>> round(equivalent_at_current_cohort(893, "2.3", 32_144), 1)
    153.7
    """
    if isinstance(count, pd.Series) or isinstance(cohort, pd.Series) or isinstance(previous_percent, pd.Series):
        previous = previous_percent if isinstance(previous_percent, pd.Series) else float(previous_percent)
        return _number(count) - _number(previous) * _number(cohort) / 100
    for value in (count, cohort, previous_percent):
        if value is None or value is pd.NA or np.isnan(float(value)):
            return np.nan
    return float(Decimal(str(count)) - Decimal(str(previous_percent)) * Decimal(str(cohort)) / 100)


def three_year_mean(rates: Sequence[float | None]) -> float:
    """Return the unweighted mean of the years' rates, as DfE's card gives it; missing if a year is.

    Each year counts the same whatever its enrolments; ``pooled_rate`` weights them.

    >>> round(three_year_mean([0.076, 0.079, 0.077]), 4)
    0.0773
    """
    values = [np.nan if rate is None else float(rate) for rate in rates]
    return float(np.mean(values)) if values else np.nan


def pooled_rate(numerators: Sequence[float | None], denominators: Sequence[float | None]) -> float:
    """Return the rate of several years taken together: the ratio of the sums; missing if a count is.

    >>> pooled_rate([1, 3], [10, 10])
    0.2
    """

    def total(counts: Sequence[float | None]) -> float:
        return sum(np.nan if count is None else float(count) for count in counts)

    below = total(denominators)
    return total(numerators) / below if below else np.nan


def attendance_from_absence(rows: pd.DataFrame) -> pd.DataFrame:
    """Return attendance_rate rows made from the overall_absence_rate rows of published MEASURE rows.

    Attendance is 1 minus overall absence outside the coronavirus years (September 2020 to March 2022), when
    code X was neither: rows of 2020/21 and 2021/22 get the symbol "x" and no number. A printed percentage
    is subtracted as a decimal, so its digits stay true.
    """
    made = rows[rows["measure"] == "overall_absence_rate"].copy()
    made["measure"] = "attendance_rate"
    if "printed" in made:
        made["printed"] = [
            str(100 - Decimal(text)) if symbol == "" and text else text
            for text, symbol in zip(made["printed"], made["symbol"], strict=True)
        ]
        exact = [
            float(Decimal(t) / 100) if s == "" and t else np.nan
            for t, s in zip(made["printed"], made["symbol"], strict=True)
        ]
        made["rate"] = np.where(np.isnan(exact), 1 - made["rate"], exact)
    else:
        made["rate"] = 1 - made["rate"]
    made["numerator"] = made["denominator"] - made["numerator"]
    made["lower"], made["upper"] = 1 - made["upper"], 1 - made["lower"]
    covid = made["academic_year"].isin([202021, 202122])
    made.loc[covid, ["numerator", "denominator", "rate", "lower", "upper"]] = np.nan
    made.loc[covid & (made["symbol"] == ""), "symbol"] = "x"
    if "printed" in made:
        made.loc[covid, "printed"] = ""
    return made.reset_index(drop=True)


def card_rows(cells: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return the figures of the cards as MEASURE rows, for each group of CELLS.

    Returns
    -------
    Rows of the measures in ``CARD_MEASURES`` (and ``enrolments``, as in ``metrics.absence``). The extra
    sessions are a difference of two means, so they have no numerator and denominator. The symbol is "x" where
    the source does not give the counts, "z" where a group is empty. ``enrolments`` is the size of the
    group the figure is about, or of the rest if that is smaller.
    """
    totals = add_cells(cells, by)

    def count(name: str) -> pd.Series:
        return totals[name].astype("Float64").astype("float64")

    missed = count("sessions_authorised") + count("sessions_unauthorised")
    possible, enrolments = count("sessions_possible"), count("enrolments")
    parts = []

    def put(measure: str, numerator: Rate, denominator: Rate, rate: Rate, size: Rate, known: pd.Series) -> None:
        rows = totals[list(by)].copy()
        rows["measure"] = measure
        rows["numerator"], rows["denominator"], rows["rate"] = numerator, denominator, rate
        rows["lower"], rows["upper"] = np.nan, np.nan
        rows["symbol"] = np.where(rows["rate"].notna(), "", np.where(known, "z", "x"))
        rows["enrolments"] = size
        parts.append(rows)

    for group in ("persistent", "severe"):
        absentees = count(f"{group}_absentees")
        group_missed = count(f"sessions_authorised_{group}") + count(f"sessions_unauthorised_{group}")
        group_possible = count(f"sessions_possible_{group}")
        known = (missed + group_missed + possible + group_possible + enrolments + absentees).notna()
        smaller = absentees.where(absentees <= enrolments - absentees, enrolments - absentees)
        others, others_possible = missed - group_missed, possible - group_possible
        put(
            f"overall_absence_rate_without_{group}",
            others,
            others_possible,
            ratio(others, others_possible),
            smaller,
            known,
        )
        mean = ratio(group_missed, absentees)
        put(f"mean_sessions_missed_{group}", group_missed, absentees, mean, absentees, known)
        extra = extra_sessions_missed(missed, enrolments, group_missed, absentees)
        put(f"extra_sessions_missed_{group}", np.nan, np.nan, extra, smaller, known)
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class LostLearning:
    """What an attendance rate costs. All numbers are exact."""

    attendance_rate: Fraction
    sessions: Fraction
    """Half days missed."""
    days: int
    """Whole school days missed, rounded down."""
    weeks: int
    """Whole school weeks of five days in those days."""
    rest_days: int
    """Days left over after the whole weeks."""


def lost_learning(
    attendance_rate: str | float | Decimal | Fraction, *, school_days: int = 190, years: int = 1
) -> LostLearning:
    """Return the learning lost at an attendance rate (0 to 1) over school years of 190 days.

    Days are rounded down, as in the published tables this follows (95% is 9.5 days, printed as 1 week and
    4 days); ``sessions`` keeps the half day. A float is taken by its decimal text, so 0.9 is nine tenths.

    >>> lost = lost_learning("0.95")
    >>> lost.days, lost.weeks, lost.rest_days, lost.sessions
    (9, 1, 4, Fraction(19, 1))
    >>> lost_learning(0.8, years=5).days
    190

    Raises
    ------
    ValueError
        The rate is not from 0 to 1.
    """
    rate = attendance_rate if isinstance(attendance_rate, Fraction) else Fraction(str(attendance_rate))
    if not 0 <= rate <= 1:
        raise ValueError(f"attendance_rate is {attendance_rate}; use a rate from 0 to 1.")
    lost = (1 - rate) * school_days * years
    days = lost.numerator // lost.denominator
    return LostLearning(rate, 2 * lost, days, days // 5, days % 5)
