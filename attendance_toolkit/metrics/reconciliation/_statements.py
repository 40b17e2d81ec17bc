"""Checks of single sentences: changes, dates, thresholds, equivalents, sums and words; and all claims of a report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction

import pandas as pd

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.metrics.reconciliation._claims import (
    GapClaim,
    check_gap_claims,
    check_lost_learning,
    check_sample,
    check_share,
)
from attendance_toolkit.metrics.reconciliation._findings import (
    PrintedFinding,
    exact_value,
    measure_name,
    rounding_interval,
)
from attendance_toolkit.schema.claims import Claim, Claims
from attendance_toolkit.vocabulary.calendar import NEW_CODES_FROM
from attendance_toolkit.vocabulary.measures import PERSISTENT, SEVERE
from attendance_toolkit.vocabulary.rounding import round_half_up, show_number

#: Dates a report may give: what began, when, and where it is laid down.
EVENTS = {
    "new register codes": (
        NEW_CODES_FROM,
        "School Attendance (Pupil Registration) (England) Regulations 2024",
    ),
}
_THRESHOLDS = {"persistent_absence_rate": PERSISTENT, "severe_absence_rate": SEVERE}


def _one(check: str, printed: str, expected: str, says: str) -> tuple[PrintedFinding, ...]:
    return (PrintedFinding(check, "", (), printed, expected, says, flags=False),)


def _places(*values: float) -> int:
    return max(len(repr(float(value)).partition(".")[2].rstrip("0")) for value in values)


def check_change(before: float, after: float, printed: float, unit: str = "%") -> tuple[PrintedFinding, ...]:
    """Find a difference of two percentages that is written with a percent sign, or is none of both.

    >>> print(check_change(12.4, 16.7, 4.3)[0].says)
    From 12.4% to 16.7% is a change of +4.3 percentage points; written as 4.3% it reads as a share of 12.4%, which \
would be +34.7%.
    >>> check_change(12.4, 16.7, 4.3, "percentage points")
    ()
    """
    decimals = _places(before, after, printed)
    points = exact_value(after) - exact_value(before)
    # Both were rounded before they were printed, and the change may have been taken from the unrounded ones.
    slack = Fraction(3, 2 * 10**decimals)
    is_points = abs(abs(points) - abs(exact_value(printed))) < slack
    shown = f"From {before:g}% to {after:g}% is a change of {show_number(float(points), decimals, signed=True)}"
    share = 100 * points / exact_value(before) if before else None
    as_share = f"{show_number(float(share), 1, signed=True)}%" if share is not None else "no share of 0"
    if is_points and unit == "percentage points":
        return ()
    low, high = rounding_interval(abs(printed), _places(printed))
    if unit == "%" and share is not None and low <= abs(share) <= high:
        return ()
    expected = f"{show_number(float(points), decimals, signed=True)} percentage points"
    if is_points:
        says = f"{shown} percentage points; written as {printed:g}% it reads as a share of {before:g}%, which would be"
        return _one("percent_for_points", f"{printed:g}%", expected, f"{says} {as_share}.")
    says = f"{shown} percentage points, or {as_share}; printed is {printed:g} {unit}."
    return _one("change", f"{printed:g} {unit}", expected, says)


def check_start_date(event: str, printed: date | str) -> tuple[PrintedFinding, ...]:
    """Find a date or month that is not the one on which something began.

    Raises
    ------
    ParameterError
        The event is not one of ``EVENTS``.

    >>> print(check_start_date("new register codes", "2024-09")[0].says)
    The new register codes began on 19 August 2024 (School Attendance (Pupil Registration) (England) Regulations 2024), \
not in September 2024.
    """
    if event not in EVENTS:
        raise ParameterError(f"'{event}' is not an event this toolkit knows. Use one of: {', '.join(EVENTS)}.")
    day, source = EVENTS[event]
    text = printed.isoformat() if isinstance(printed, date) else str(printed).strip()
    try:
        named = date.fromisoformat(text if len(text) > 7 else f"{text}-01")
    except ValueError:
        raise ParameterError(f"'{text}' is not a date. Write 2024-09-01, or 2024-09 for a month.") from None
    is_month = len(text) <= 7
    if named == day or (is_month and (named.year, named.month) == (day.year, day.month)):
        return ()
    said = f"in {named:%B %Y}" if is_month else f"on {named.day} {named:%B %Y}"
    true = f"{day.day} {day:%B %Y}"
    return _one("start_date", said, true, f"The {event} began on {true} ({source}), not {said}.")


def check_threshold(measure: str, attendance: float, *, includes: bool) -> tuple[PrintedFinding, ...]:
    """Find a definition of persistent or severe absence that is not DfE's, in attendance (90% or below).

    Raises
    ------
    ParameterError
        The measure has no threshold.

    >>> check_threshold("persistent_absence_rate", 90, includes=True)
    ()
    >>> print(check_threshold("persistent_absence_rate", 90, includes=False)[0].says)
    Persistent absence is attendance of 90% or below (10% or more missed); 'below 90%' leaves out exactly 90%.
    """
    if measure not in _THRESHOLDS:
        raise ParameterError(f"'{measure}' has no threshold. Use one of: {', '.join(_THRESHOLDS)}.")
    over, under = _THRESHOLDS[measure]
    limit = 100 - Fraction(100 * over, under)
    if exact_value(attendance) == limit and includes:
        return ()
    said = f"{attendance:g}% or below" if includes else f"below {attendance:g}%"
    true = f"{float(limit):g}% or below"
    name = measure_name(measure).capitalize()
    rest = (
        f"'{said}' leaves out exactly {float(limit):g}%" if exact_value(attendance) == limit else f"printed is '{said}'"
    )
    says = f"{name} is attendance of {true} ({float(100 - limit):g}% or more missed); {rest}."
    return _one("threshold", said, true, says)


def check_equivalent(count: int, previous_percent: float, cohort: int, printed: int) -> tuple[PrintedFinding, ...]:
    """Say what a number of pupils "fewer" or "more than last year" is: a change of rate at this year's cohort.

    The number is this year's count less last year's rate of **this** year's cohort. It is no difference of two
    counts, so the sentence gets a finding even where the arithmetic is right.

    >>> print(check_equivalent(6_885, 23.2, 32_144, -572)[0].says)
    572 fewer is 6,885 less 23.2% of this year's 32,144: the equivalent at the current cohort of a change of rate, not \
a difference from last year's number of pupils, whose cohort was another.
    """
    true = Fraction(count) - exact_value(previous_percent) * cohort / 100
    low, high = rounding_interval(previous_percent, _places(previous_percent))
    ends = sorted(Fraction(count) - end * cohort / 100 for end in (low, high))
    word = "fewer" if printed < 0 else "more"
    if abs(true - printed) <= 1 or ends[0] <= printed <= ends[1]:
        says = (
            f"{abs(printed):,} {word} is {count:,} less {previous_percent:g}% of this year's {cohort:,}: the equivalent at the"
            " current cohort of a change of rate, not a difference from last year's number of pupils, whose cohort was"
            " another."
        )
        return _one("equivalent_not_count", f"{abs(printed):,} {word}", "equivalent at the current cohort", says)
    expected = show_number(round_half_up(float(true)), signed=True)
    says = f"{abs(printed):,} {word} does not follow: {count:,} less {previous_percent:g}% of {cohort:,} is {expected}."
    return _one("equivalent", f"{abs(printed):,} {word}", expected, says)


def check_sum(total: int, parts: Sequence[float]) -> tuple[PrintedFinding, ...]:
    """Find parts of a sentence that do not add up to its total.

    >>> check_sum(86, [71, 15]), check_sum(86, [71, 14])[0].says
    ((), '71 and 14 add up to 85, not 86.')
    """
    added = sum(exact_value(part) for part in parts)
    if added == total:
        return ()
    named = [f"{part:,g}" for part in parts]
    says = f"{', '.join(named[:-1])} and {named[-1]} add up to {float(added):,g}, not {total:,}."
    return _one("sum", f"{total:,}", f"{float(added):,g}", says)


def check_words(words: Sequence[str], quotes: Sequence[str]) -> tuple[PrintedFinding, ...]:
    """Find several words for one kind of count: enrolments are not pupils.

    >>> print(check_words(["enrolments", "pupils"], ["6,885 enrolments", "572 fewer pupils"])[0].printed)
    enrolments, pupils
    """
    used = [word for word in words if any(word.casefold() in quote.casefold() for quote in quotes)]
    if len(used) < 2:
        return ()
    shown = "; ".join(f"'{quote}'" for quote in quotes)
    says = (
        f"The same count is called {' and '.join(used)} ({shown}); {used[0]} is meant: a pupil who moves or is on two"
        " rolls is counted more than once."
        if set(used) == {"enrolments", "pupils"}
        else f"The same count is called {' and '.join(used)} ({shown})."
    )
    return _one("words", ", ".join(used), used[0], says)


def check_claims(claims: Iterable[Claims], printed: pd.DataFrame | None = None) -> tuple[PrintedFinding, ...]:
    """Return the findings on every claim of some reports, in their order.

    Parameters
    ----------
    printed
        Cells of the printed tables, for claims about gaps; without them such claims are not checked.

    Returns
    -------
    Findings whose ``table`` is "Text" with the section, and which mark no cell.

    Raises
    ------
    ParameterError
        A claim names a column that no given table has, or an unknown event or measure.
    """
    found = []
    for report in claims:
        for claim in report.claims:
            where = f"Text {claim.where}".strip()
            for finding in _check(claim, printed):
                table = f"{where} and {finding.table}" if finding.table else where
                found.append(replace(finding, table=table, cells=(), columns=(), flags=False))
    return tuple(found)


def _check(claim: Claim, printed: pd.DataFrame | None) -> tuple[PrintedFinding, ...]:
    v = claim.values
    if claim.check == "gap":
        return _gap(claim, printed)
    if claim.check == "sample":
        parts = [float(part) for part in v["parts"]]
        return check_sample(v["total"], v["share"], parts, decimals=v.get("decimals", 0), text=claim.text)
    if claim.check == "share":
        return check_share(v["count"], v["percent"], v.get("of"), decimals=v.get("decimals", 0))
    if claim.check == "change":
        return check_change(v["before"], v["after"], v["printed"], v["unit"])
    if claim.check == "start date":
        return check_start_date(v["event"], v["printed"])
    if claim.check == "threshold":
        return check_threshold(v["measure"], v["attendance"], includes=v["includes"])
    if claim.check == "equivalent":
        return check_equivalent(v["count"], v["previous_percent"], v["cohort"], v["printed"])
    if claim.check == "sum":
        return check_sum(v["total"], v["parts"])
    if claim.check == "words":
        return check_words(v["words"], v["quotes"])
    return check_lost_learning([(float(rate), int(weeks), int(days)) for rate, weeks, days in v["rows"]])


def _gap(claim: Claim, printed: pd.DataFrame | None) -> tuple[PrintedFinding, ...]:
    if printed is None or printed.empty:
        return ()
    values = claim.values
    columns = set(printed["column"])
    for side in ("local", "national"):
        if values[side] not in columns:
            raise ParameterError(
                f"The claim of {claim.where or 'the text'} names the column '{values[side]}', which no given table has."
                f" The columns are: {', '.join(sorted(columns))}."
            )
    pairs = tuple((str(group), str(against)) for group, against in values["pairs"])
    gap = GapClaim(claim.text, values["local"], values["national"], pairs, values["relation"])
    return check_gap_claims(printed, [gap])
