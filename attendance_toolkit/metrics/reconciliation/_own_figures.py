"""Does a printed table agree with itself and with its own counts?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import pandas as pd

from attendance_toolkit.metrics.reconciliation._findings import (
    COHORT,
    ONE_OF,
    PrintedFinding,
    exact_value,
    group_text,
    grouped,
    measure_name,
    overlap,
    percent_text,
    place_of,
    records,
    rounding_interval,
    with_values,
)
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.rounding import show_number

#: Families of groups that split everybody: parts of each add up to "All" if nobody is unclassified.
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "free school meals": ("FSM", "Non-FSM"),
    "special educational needs": ("EHC", "SEN Support", "No SEN"),
    "sex": ("Boys", "Girls"),
}
#: Measures that add up to a percentage.
IDENTITIES: tuple[tuple[tuple[str, ...], int], ...] = (
    (("attendance_rate", "authorised_absence_rate", "unauthorised_absence_rate"), 100),
    (("attendance_rate", "overall_absence_rate"), 100),
)
#: A gap is "in line" with another if it differs by no more than this many percentage points.


def check_rates_against_counts(printed: pd.DataFrame) -> tuple[PrintedFinding, ...]:
    """Find rates that are not count over size at the printed precision."""
    cells = with_values(printed)
    key = [*COHORT, "row"]
    rates = cells[cells["role"] == "rate"]
    counts = cells[cells["role"] == "count"][[*key, "measure", "value", "column"]]
    sizes = cells[cells["role"] == "size"][[*key, "value"]]
    both = rates.merge(counts, on=[*key, "measure"], suffixes=("", "_count")).merge(
        sizes, on=key, suffixes=("", "_size")
    )
    found = []
    for cell in records(both):
        count, size, decimals = int(cell["value_count"]), int(cell["value_size"]), int(cell["decimals"])
        low, high = rounding_interval(cell["value"], decimals)
        if size and low <= Fraction(100 * count, size) <= high:
            continue
        true = percent_text(Fraction(100 * count, size), decimals) if size else "no rate"
        found.append(
            PrintedFinding(
                "rate_from_counts",
                cell["table"],
                ((int(cell["row"]), cell["column"]),),
                cell["printed"],
                true,
                f"{group_text(cell)}: {measure_name(cell['measure'])} is printed as {percent_text(cell['value'], decimals)},"
                f" but {count:,} of {size:,} is {true}.",
            )
        )
    return tuple(found)


def check_parts_add_up(
    printed: pd.DataFrame, families: Mapping[str, tuple[str, ...]] = FAMILIES
) -> tuple[PrintedFinding, ...]:
    """Find counts and sizes whose parts do not add up to "All", in families of which every part is printed."""
    cells = with_values(printed)
    cells = cells[cells["role"].isin(["count", "size"])]
    found = []
    for (table, phase, column), rows in grouped(cells, "table", "phase", "column").items():
        groups = {cell["group"]: cell for cell in rows}
        if ALL not in groups:
            continue
        total = int(groups[ALL]["value"])
        for family, parts in families.items():
            if not set(parts) <= set(groups):
                continue
            added = sum(int(groups[part]["value"]) for part in parts)
            if added == total:
                continue
            names = f"{', '.join(parts[:-1])} and {parts[-1]}"
            rest = f"{added - total:,} too many"
            if added < total:
                rest = f"{total - added:,} {'is' if total - added == 1 else 'are'} in none of these groups"
            found.append(
                PrintedFinding(
                    "parts_add_up",
                    str(table),
                    tuple((int(groups[part]["row"]), str(column)) for part in parts),
                    f"{added:,}",
                    f"{total:,}",
                    f"{phase}, by {family}: {names} add up to {added:,} of {total:,} {_counted(groups[ALL])}; {rest}.",
                )
            )
    return tuple(found)


def _counted(cell: Mapping[str, Any]) -> str:
    if cell["role"] == "size":
        return "enrolments"
    return "severe absentees" if cell["measure"] == "severe_absence_rate" else "persistent absentees"


def check_components(
    printed: pd.DataFrame, identities: Sequence[tuple[tuple[str, ...], int]] = IDENTITIES
) -> tuple[PrintedFinding, ...]:
    """Find rates that should add up to 100 and cannot, whatever was rounded. Any of the cells may be wrong."""
    cells = with_values(printed)
    cells = cells[cells["role"] == "rate"]
    found = []
    for (table, *_), rows in grouped(cells, "table", "column", "phase", "group", "nc_year").items():
        for measures, total in identities:
            cells_of = {cell["measure"]: cell for cell in rows}
            if not set(measures) <= set(cells_of):
                continue
            parts = [cells_of[measure] for measure in measures]
            ends = [rounding_interval(part["value"], int(part["decimals"])) for part in parts]
            if sum(end[0] for end in ends) <= total <= sum(end[1] for end in ends):
                continue
            decimals = max(int(part["decimals"]) for part in parts)
            added = show_number(float(sum(exact_value(part["value"]) for part in parts)), decimals)
            sums = " + ".join(
                f"{measure_name(part['measure'])} {show_number(part['value'], decimals)}" for part in parts
            )
            found.append(
                PrintedFinding(
                    "adds_to_100",
                    str(table),
                    tuple((int(part["row"]), part["column"]) for part in parts),
                    added,
                    str(total),
                    f"{group_text(parts[0])}, {place_of(parts[0])}: {sums} = {added}, not {total}{ONE_OF}",
                )
            )
    return tuple(found)


def check_severe_within_persistent(printed: pd.DataFrame) -> tuple[PrintedFinding, ...]:
    """Find rows in which more are severely absent than persistently absent: severe absentees are among them."""
    cells = with_values(printed)
    named = [*COHORT, "phase", "group", "nc_year", "role"]
    severe = cells[cells["measure"] == "severe_absence_rate"]
    persistent = cells[cells["measure"] == "persistent_absence_rate"]
    both = severe.merge(persistent, on=named, suffixes=("", "_p"))
    found = []
    for cell in records(both):
        half = [rounding_interval(cell[v], int(cell[d])) for v, d in (("value", "decimals"), ("value_p", "decimals_p"))]
        if cell["role"] != "rate":
            half = [(exact_value(cell["value"]),) * 2, (exact_value(cell["value_p"]),) * 2]
        if half[0][0] <= half[1][1]:
            continue
        found.append(
            PrintedFinding(
                "severe_within_persistent",
                cell["table"],
                ((int(cell["row"]), cell["column"]), (int(cell["row_p"]), cell["column_p"])),
                f"{cell['printed']} and {cell['printed_p']}",
                "severe absence at or below persistent absence",
                f"{group_text(cell)}: severe absence {cell['printed']} is above persistent absence {cell['printed_p']}.",
            )
        )
    return tuple(found)


def check_between_groups(
    printed: pd.DataFrame, families: Mapping[str, tuple[str, ...]] = FAMILIES
) -> tuple[PrintedFinding, ...]:
    """Find rates of "All" outside the range of the groups that make it up.

    A family whose sizes do not add up has an unclassified group of unknown rate and is not tested.
    """
    cells = with_values(printed)
    sizes = cells[cells["role"] == "size"]
    found = []
    rates = cells[cells["role"] == "rate"]
    where = ("table", "phase", "area_code", "academic_year", "period")
    sizes_of = grouped(sizes, *where)
    for (table, phase, measure, column), rows in grouped(rates, "table", "phase", "measure", "column").items():
        groups = {cell["group"]: cell for cell in rows}
        if ALL not in groups:
            continue
        total = groups[ALL]
        size = {cell["group"]: cell["value"] for cell in sizes_of.get(tuple(total[name] for name in where), [])}
        for family, parts in families.items():
            if not set(parts) <= set(groups):
                continue
            if {ALL, *parts} <= set(size) and sum(size[part] for part in parts) != size[ALL]:
                continue
            ends = [rounding_interval(groups[part]["value"], int(groups[part]["decimals"])) for part in parts]
            span = min(end[0] for end in ends), max(end[1] for end in ends)
            if overlap(span, rounding_interval(total["value"], int(total["decimals"]))):
                continue
            found.append(
                PrintedFinding(
                    "between_groups",
                    str(table),
                    tuple((int(groups[group]["row"]), str(column)) for group in (ALL, *parts)),
                    total["printed"],
                    f"{float(span[0]):g} to {float(span[1]):g}",
                    f"{phase}, {place_of(total)}: {measure_name(str(measure))} of all ({total['printed']}) lies outside"
                    f" that of every group by {family}.",
                )
            )
    return tuple(found)
