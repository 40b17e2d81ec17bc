"""All checks of printed tables together, and the printed cells as MEASURE rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from attendance_toolkit.metrics.reconciliation._against_published import (
    check_against_published,
    check_series_mixed,
    column_series,
)
from attendance_toolkit.metrics.reconciliation._findings import (
    COHORT,
    ONE_OF,
    PrintedFinding,
    exact_value,
)
from attendance_toolkit.metrics.reconciliation._own_figures import (
    check_between_groups,
    check_components,
    check_parts_add_up,
    check_rates_against_counts,
    check_severe_within_persistent,
)
from attendance_toolkit.vocabulary.columns import MEASURE_CORE


def reconcile(printed: pd.DataFrame, rates: pd.DataFrame | None = None) -> tuple[PrintedFinding, ...]:
    """Return every finding on printed tables, the exact checks first.

    A cell that an exact check has shown to be wrong is left out of the weaker checks (severe within
    persistent, total between groups), so that one misprint is reported once. Where published figures say
    which of three cells that do not add to 100 is wrong, the finding names only that one.

    Parameters
    ----------
    printed
        Cells of one or more printed tables.
    rates
        Published MEASURE rows, if there are any to compare with.
    """
    found = [*check_rates_against_counts(printed)]
    named = [] if rates is None else [*check_against_published(printed, rates)]
    wrong = {(f.table, cell) for f in (*found, *named) for cell in f.cells}
    for finding in check_components(printed):
        certain = tuple(cell for cell in finding.cells if (finding.table, cell) in wrong)
        if certain:
            finding = replace(finding, cells=certain, says=finding.says.replace(ONE_OF, "."))
        found.append(finding)
    found += named
    found += check_parts_add_up(printed)
    doubted = {(f.table, cell) for f in found if f.check != "parts_add_up" for cell in f.cells}
    places = zip(printed["table"], printed["row"], printed["column"], strict=True)
    rest = printed[[(table, (row, column)) not in doubted for table, row, column in places]]
    found += check_severe_within_persistent(rest)
    found += check_between_groups(rest)
    if rates is not None:
        found += check_series_mixed(printed, rates)
    return tuple(found)


def printed_measure_rows(
    printed: pd.DataFrame, findings: Iterable[PrintedFinding] = (), rates: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return a MEASURE row for every printed cell, with what is wrong with it.

    Returns
    -------
    ``table, row, column, label, role, series, academic_year, period, area_code, area_level, phase, group,
    nc_year``, MEASURE_CORE, ``printed``, ``decimals``, ``flag`` and ``expected``. A rate cell has its count and
    size, where printed, as numerator and denominator; a count or size cell has itself as numerator and no
    rate (the measure of a size is "enrolments"). ``series`` is that of ``column_series`` if ``rates`` is given,
    "printed" where it is not known. ``flag`` is "" for a cell with nothing against it.
    """
    rows = printed.copy()
    key = [*COHORT, "row"]
    values = rows[[*key, "measure", "value"]]
    counts = values[rows["role"] == "count"].rename(columns={"value": "numerator"})
    sizes = values[rows["role"] == "size"].rename(columns={"value": "denominator"}).drop(columns="measure")
    rows = rows.merge(counts, on=[*key, "measure"], how="left").merge(sizes, on=key, how="left")
    is_rate = rows["role"] == "rate"
    rows.loc[rows["role"] == "size", "measure"] = "enrolments"
    rows["numerator"] = rows["numerator"].where(is_rate, rows["value"])
    rows["denominator"] = rows["denominator"].where(is_rate & rows["numerator"].notna())
    rows["rate"] = [
        float(exact_value(value) / 100) if rate and not pd.isna(value) else float("nan")
        for value, rate in zip(rows["value"], is_rate, strict=True)
    ]
    rows["lower"] = rows["upper"] = float("nan")
    flags: dict[tuple[str, int, str], list[str]] = {}
    expected: dict[tuple[str, int, str], str] = {}
    for finding in findings:
        for row, column in finding.cells if finding.flags else ():
            place = (finding.table, row, column)
            flags.setdefault(place, []).append(finding.says)
            if len(finding.cells) == 1 and finding.check != "adds_to_100":
                expected[place] = finding.expected
    places = list(zip(rows["table"], rows["row"], rows["column"], strict=True))
    rows["flag"] = [" ".join(flags.get(place, [])) for place in places]
    rows["expected"] = [expected.get(place, "") for place in places]
    rows["series"] = "printed"
    if rates is not None:
        known = column_series(printed, rates).set_index(["table", "column"])["series"]
        rows["series"] = [known.get((table, column), "") or "printed" for table, _, column in places]
    order = [
        "table",
        "row",
        "column",
        "label",
        "role",
        "series",
        "academic_year",
        "period",
        "area_code",
        "area_level",
    ]
    return rows[[*order, "phase", "group", "nc_year", *MEASURE_CORE, "printed", "decimals", "flag", "expected"]]
