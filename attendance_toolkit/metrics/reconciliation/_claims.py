"""Sentences of a report about figures: is what they say true of the figures, or possible at all?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import pandas as pd

from attendance_toolkit.metrics.cards import lost_learning
from attendance_toolkit.metrics.reconciliation._findings import (
    PrintedFinding,
    exact_value,
    percent_text,
    records,
    rounding_interval,
    with_values,
)
from attendance_toolkit.vocabulary.rounding import show_number

#: A gap is "in line" with another if it differs by no more than this many percentage points.
IN_LINE_PP = Fraction(1, 2)


@dataclass(frozen=True)
class GapClaim:
    """A sentence that sets local gaps between two groups against national ones.

    ``relation`` is "narrower", "wider" or "in line".
    """

    text: str
    local_column: str
    national_column: str
    pairs: tuple[tuple[str, str], ...]
    """(group, group it is compared with)."""
    relation: str


#: Section 5.3 of Trafford's report, as claims about its Table 2.
TRAFFORD_CLAIMS = (
    GapClaim(
        "The attendance gap between pupils who receive free school meals and the others is in line with the"
        " national gap.",
        "trafford_attendance_2023_24",
        "national_attendance_2023_24",
        (("FSM", "Non-FSM"),),
        "in line",
    ),
    GapClaim(
        "The attendance gap between pupils with and without SEND is narrower than the national gap.",
        "trafford_attendance_2023_24",
        "national_attendance_2023_24",
        (("EHC", "No SEN"), ("SEN Support", "No SEN")),
        "narrower",
    ),
)


def gap_comparison(printed: pd.DataFrame, claim: GapClaim) -> pd.DataFrame:
    """Return local and national gaps of a claim: table, phase, group, against, local_pp, national_pp, verdict.

    ``verdict`` is "holds", "fails" or "cannot be told": four rounded rates leave a gap of gaps uncertain
    by two units of the last printed digit.
    """
    cells = with_values(printed)
    rows = []
    for (table, phase), part in cells.groupby(["table", "phase"], sort=False):
        value = part.set_index(["column", "group"])["value"]
        decimals = int(part["decimals"].max())
        for group, against in claim.pairs:
            needed = [(c, g) for c in (claim.local_column, claim.national_column) for g in (against, group)]
            if not all(key in value.index for key in needed):
                continue
            numbers = [exact_value(value[key]) for key in needed]
            local, national = numbers[0] - numbers[1], numbers[2] - numbers[3]
            slack = Fraction(2, 10**decimals)
            more = abs(local) - abs(national)
            distance = {"narrower": more, "wider": -more, "in line": abs(more) - IN_LINE_PP}[claim.relation]
            verdict = "cannot be told" if abs(distance) < slack and claim.relation != "in line" else ""
            verdict = verdict or ("holds" if distance <= 0 else "fails")
            rows.append((table, phase, group, against, float(local), float(national), verdict))
    return pd.DataFrame(rows, columns=["table", "phase", "group", "against", "local_pp", "national_pp", "verdict"])


def check_gap_claims(printed: pd.DataFrame, claims: Iterable[GapClaim] = TRAFFORD_CLAIMS) -> tuple[PrintedFinding, ...]:
    """Find phases and groups for which a sentence about gaps is not true of the printed table."""
    found = []
    for claim in claims:
        gaps = gap_comparison(printed, claim)
        for row in records(gaps[gaps["verdict"] == "fails"]):
            cells = printed[
                (printed["table"] == row["table"])
                & (printed["phase"] == row["phase"])
                & printed["group"].isin([row["group"], row["against"]])
                & printed["column"].isin([claim.local_column, claim.national_column])
            ]
            local, national = show_number(row["local_pp"], 1), show_number(row["national_pp"], 1)
            found.append(
                PrintedFinding(
                    "gap_claim",
                    row["table"],
                    tuple((int(r), str(c)) for r, c in zip(cells["row"], cells["column"], strict=True)),
                    claim.text,
                    claim.relation,
                    f"{row['phase']}, {row['group']} against {row['against']}: the local gap is {local} percentage"
                    f" points, the national {national}; the text says '{claim.relation}'.",
                    flags=False,
                    columns=(claim.local_column, claim.national_column),
                )
            )
    return tuple(found)


def denominators_for(count: int, percent: float, decimals: int = 0) -> tuple[int, ...]:
    """Return every denominator of which the count is the printed percentage.

    >>> denominators_for(31, 63), denominators_for(31, 90.5)
    ((49,), ())
    """
    low, high = rounding_interval(percent, decimals)
    if count <= 0 or high <= 0:
        return ()
    smallest = max(count, int(-(-Fraction(100 * count) // high)))
    largest = int(Fraction(100 * count) // low) if low > 0 else smallest + count
    return tuple(n for n in range(smallest, largest + 1) if low <= Fraction(100 * count, n) <= high)


def sizes_for(percents: Sequence[float], sizes: Iterable[int], decimals: int = 0) -> tuple[int, ...]:
    """Return the group sizes that can be split into parts with exactly these printed percentages.

    Halves are rounded up, as spreadsheets and DfE do: 4 of 32 (12.5%) is printed as 13%.

    >>> sizes_for([47, 41, 12], range(10, 46))
    (17, 34)
    """
    fitting = []
    for size in sizes:
        if size <= 0:
            continue
        # The whole numbers each part may be; the parts must also add up to the size.
        sums = {0}
        for percent in percents:
            low, high = rounding_interval(percent, decimals)
            counts = [k for k in range(size + 1) if low <= Fraction(100 * k, size) < high]
            sums = {total + k for total in sums for k in counts}
        if size in sums:
            fitting.append(size)
    return tuple(fitting)


def check_sample(
    total: int, share: float, parts: Sequence[float], *, decimals: int = 0, text: str = ""
) -> tuple[PrintedFinding, ...]:
    """Find whether a sample said to be a share of a total can have parts with the printed percentages.

    >>> print(check_sample(347, 12, [47, 41, 12])[0].says)
    12% of 347 is 40 to 43; parts of 47%, 41% and 12% are possible for none of these sizes, but for 17 or 34.
    """
    low, high = rounding_interval(share, decimals)
    sizes = [n for n in range(total + 1) if total and low <= Fraction(100 * n, total) <= high]
    if sizes_for(parts, sizes, decimals):
        return ()
    possible = sizes_for(parts, range(1, (max(sizes) if sizes else total) + 1), decimals)
    shown = [percent_text(part, decimals) for part in parts]
    others = " or ".join(str(n) for n in possible[-3:]) or "no smaller size"
    span = f"{sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else str(sizes[0]) if sizes else "no whole number"
    return (
        PrintedFinding(
            "sample_parts",
            "",
            (),
            text or ", ".join(shown),
            span,
            f"{percent_text(share, decimals)} of {total:,} is {span}; parts of {', '.join(shown[:-1])} and {shown[-1]} are"
            f" possible for none of these sizes, but for {others}.",
            flags=False,
        ),
    )


def check_share(
    count: int, percent: float, denominator: int | None = None, *, decimals: int = 0
) -> tuple[PrintedFinding, ...]:
    """Find whether a count can be the printed percentage of the denominator, or of any whole number.

    >>> check_share(31, 63), len(check_share(31, 63, 60))
    ((), 1)
    """
    fitting = denominators_for(count, percent, decimals)
    if fitting and (denominator is None or denominator in fitting):
        return ()
    expected = " or ".join(str(n) for n in fitting) or "no whole number"
    return (
        PrintedFinding(
            "share_of",
            "",
            (),
            f"{count:,} is {percent_text(percent, decimals)}",
            expected,
            f"{count:,} is {percent_text(percent, decimals)} of {expected}"
            + (f", not of {denominator:,}." if denominator is not None else "."),
            flags=False,
        ),
    )


def check_lost_learning(
    rows: Iterable[tuple[float, int, int]], *, school_days: int = 190
) -> tuple[PrintedFinding, ...]:
    """Find rows of a lost-learning table (attendance percent, weeks, days) that do not follow from the rate.

    >>> check_lost_learning([(95, 1, 4), (90, 3, 4), (85, 5, 3), (80, 7, 3)])
    ()
    """
    found = []
    for percent, weeks, days in rows:
        lost = lost_learning(exact_value(percent) / 100, school_days=school_days)
        if (lost.weeks, lost.rest_days) != (weeks, days):
            found.append(
                PrintedFinding(
                    "lost_learning",
                    "",
                    (),
                    f"{weeks} weeks and {days} days",
                    f"{lost.weeks} weeks and {lost.rest_days} days",
                    f"{percent:g}% attendance over {school_days} days is {lost.days} whole days lost:"
                    f" {lost.weeks} weeks and {lost.rest_days} days, printed as {weeks} weeks and {days} days.",
                    flags=False,
                )
            )
    return tuple(found)
