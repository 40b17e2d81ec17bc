"""The rows behind the area overview, from an authority's own cells or from published counts alike."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.absence import (
    main_measures,
    mean_sessions_missed,
    no_absence_rate,
    with_contributors,
)
from attendance_toolkit.metrics.cards import card_rows
from attendance_toolkit.metrics.cells import add_cells
from attendance_toolkit.vocabulary.columns import (
    ALL,
    ALL_COUNTS,
    ALL_SCHOOLS,
    MAIN_PHASES,
    UNKNOWN_COUNTED_WITH,
)


def with_all_schools(cells: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return cells by ``by`` (which has "phase") with "All schools" added: primary, secondary and special.

    Alternative provision stays apart, as in DfE's tables, and is not in "All schools".
    """
    cells = add_cells(cells[cells["phase"] != ALL_SCHOOLS], by)
    total = add_cells(cells[cells["phase"].isin(MAIN_PHASES)], [name for name in by if name != "phase"])
    return pd.concat([total.assign(phase=ALL_SCHOOLS), cells], ignore_index=True)[[*by, *_counts(cells)]]


def by_characteristic(cells: pd.DataFrame, keys: Sequence[str], characteristics: Sequence[str]) -> pd.DataFrame:
    """Return cells by ``keys`` for everybody and for each level of each characteristic, one under another.

    The columns ``characteristic`` and ``level`` say which; both are "All" for everybody, and each
    characteristic has its own total with the level "All". "All schools" is given for everybody only: every
    further total would force more figures to be hidden.
    """
    everybody = with_all_schools(cells, keys)
    parts = [everybody.assign(characteristic=ALL, level=ALL)]
    single = everybody[everybody["phase"] != ALL_SCHOOLS]
    for name in characteristics:
        part = add_cells(cells[cells["phase"] != ALL_SCHOOLS], [*keys, name])
        parts += [
            single.assign(characteristic=name, level=ALL),
            part.rename(columns={name: "level"}).assign(characteristic=name),
        ]
    columns = [*keys, "characteristic", "level", *_counts(cells)]
    return pd.concat([part[columns] for part in parts], ignore_index=True)


def count_unknown_with(cells: pd.DataFrame, characteristics: Collection[str]) -> pd.DataFrame:
    """Return cells in which "Unknown" of these characteristics is counted with the level that has no such need.

    A handful of pupils of unknown eligibility would force the figures of a whole group to be hidden with them. What
    is done depends on the characteristic alone, never on how many pupils are unknown: that would tell how many.

    >>> cells = pd.DataFrame({"sen_provision": ["No SEN", "Unknown", "EHC plan"], "enrolments": [90, 3, 7]})
    >>> count_unknown_with(cells, ["sen_provision"])["sen_provision"].tolist()
    ['No SEN', 'No SEN', 'EHC plan']
    """
    changed = {
        name: cells[name].astype(object).replace("Unknown", UNKNOWN_COUNTED_WITH[name])
        for name in characteristics
        if name in cells.columns
    }
    return cells.assign(**changed) if changed else cells


def _counts(cells: pd.DataFrame) -> list[str]:
    return [name for name in ALL_COUNTS if name in cells.columns]


def for_areas(cells: pd.DataFrame, members: dict[str, Sequence[str]]) -> pd.DataFrame:
    """Return cells with ``area_code`` in place of ``la_code``: each area's authorities, added up later.

    Parameters
    ----------
    members
        Area code -> the codes of the local authorities in it. An authority may be in several areas.
    """
    parts = [
        cells[cells["la_code"].isin(list(codes))].drop(columns="la_code").assign(area_code=area)
        for area, codes in members.items()
    ]
    return pd.concat(parts, ignore_index=True)


def measure_rows(cells: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the six main measures by ``by``; measures the source has no counts for are left out."""
    rows = main_measures(cells, by)
    available = rows.groupby("measure")["numerator"].transform(lambda values: values.notna().any())
    return with_contributors(rows[available].reset_index(drop=True), cells, by)


def headline_rows(cells: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return every row of the headline cards by ``by``: the main measures and what lies behind them."""
    rows = pd.concat(
        [main_measures(cells, by), no_absence_rate(cells, by), mean_sessions_missed(cells, by), card_rows(cells, by)],
        ignore_index=True,
    )
    return with_contributors(rows, cells, by)


def unknown_rows(cells: pd.DataFrame, by: Sequence[str], characteristics: Sequence[str]) -> pd.DataFrame:
    """Return the share of enrolments whose characteristic is "Unknown", for each characteristic."""
    totals = add_cells(cells, by)
    parts = []
    for name in characteristics:
        unknown = add_cells(cells[cells[name] == "Unknown"], by)[[*by, "enrolments"]]
        merged = totals[[*by, "enrolments"]].merge(unknown, how="left", on=list(by), suffixes=("", "_unknown"))
        part = merged[list(by)].copy()
        part["characteristic"] = name
        part["measure"] = "unknown_share"
        part["numerator"] = merged["enrolments_unknown"].fillna(0).astype(float)
        part["denominator"] = merged["enrolments"].astype(float)
        part["rate"] = part["numerator"] / part["denominator"]
        part["lower"], part["upper"], part["symbol"] = np.nan, np.nan, ""
        part["enrolments"] = part["denominator"]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def latest_year(rows: pd.DataFrame, academic_year: int, what: str) -> int:
    """Return the last year in the rows that is not after the year asked for.

    Raises
    ------
    NoDataError
        There is none; the sentence names ``what`` was looked for.
    """
    years = sorted(year for year in rows["academic_year"].unique() if year <= academic_year)
    if not years:
        raise NoDataError(f"There are no {what} up to {academic_year // 100}/{academic_year % 100:02d}.")
    return int(years[-1])
