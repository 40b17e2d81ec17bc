"""Does a printed table agree with published figures, and with those of which series?"""

from __future__ import annotations

from decimal import Decimal

import pandas as pd

from attendance_toolkit.metrics.cards import attendance_from_absence
from attendance_toolkit.metrics.reconciliation._findings import (
    PrintedFinding,
    agrees,
    group_text,
    measure_name,
    percent_text,
    place_of,
    records,
    with_values,
)
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS
from attendance_toolkit.vocabulary.rounding import round_half_up
from attendance_toolkit.vocabulary.series import SERIES

#: A column is told by at least so many cells.
_FEWEST_CELLS = 3


def published_percentages(printed: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """Return the published percentages of the printed areas and years; census attendance is 100 - absence."""
    rows = rates[(rates["period"] == "year") & rates["rate"].notna()]
    for name in ("area_code", "academic_year"):
        rows = rows[rows[name].isin(set(printed[name]))]
    if "reason" in rows:
        rows = rows[rows["reason"] == ALL]
    if "decimals" not in rows:
        rows = rows.assign(decimals=pd.Series(pd.NA, index=rows.index, dtype="Int64"))
    key = ["series", "academic_year", "area_code", "phase", "measure"]
    made = attendance_from_absence(rows[rows["series"] == "census"])
    rows = pd.concat([rows, made[made["rate"].notna()]], ignore_index=True).drop_duplicates(key)
    exact = rows["printed"] if "printed" in rows else pd.Series("", index=rows.index)
    rows = rows.assign(
        percent=[float(t) if t else float(Decimal(repr(r)) * 100) for t, r in zip(exact, rows["rate"], strict=True)]
    )
    return rows[[*key, "percent", "decimals"]]


def compare_with_published(printed: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """Return one row per printed cell and series that gives a figure for it.

    Only columns that claim to be published, for all pupils of a phase, are compared.

    Parameters
    ----------
    rates
        Published MEASURE rows of one or more series (``Published.rates`` or ``comparators()``).

    Returns
    -------
    table, row, column, phase, measure, area_code, academic_year, printed, value, decimals, series, percent
    (published), percent_decimals and ``agrees``.
    """
    cells = with_values(printed)
    cells = cells[(cells["role"] == "rate") & cells["published"] & (cells["group"] == ALL) & (cells["nc_year"] == ALL)]
    known = published_percentages(printed, rates).rename(columns={"decimals": "percent_decimals"})
    both = cells.merge(known, on=["academic_year", "area_code", "phase", "measure"])
    both["agrees"] = [
        agrees(value, int(decimals), percent, known_decimals)
        for value, decimals, percent, known_decimals in zip(
            both["value"], both["decimals"], both["percent"], both["percent_decimals"], strict=True
        )
    ]
    return both


def column_series(printed: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """Return the series each published column was taken from, by how many of its cells agree.

    A column belongs to the series with which the most cells agree. If two series tie, the columns of the
    same table, area and year decide together; if they tie too, or fewer than half of the cells agree with
    any, ``series`` is "".

    Returns
    -------
    table, column, area_code, academic_year, label, series, agree, compared.
    """
    return _column_series(compare_with_published(printed, rates))


def _best(cells: pd.DataFrame) -> tuple[list[str], int, int]:
    """Return the series that agree best, in how many cells, of how many."""
    tally = cells.groupby("series")["agrees"].agg(["sum", "size"])
    best = tally[tally["sum"] == tally["sum"].max()]
    return [str(name) for name in best.index], int(best["sum"].iloc[0]), int(best["size"].iloc[0])


def _column_series(both: pd.DataFrame) -> pd.DataFrame:
    key = ["table", "column", "area_code", "academic_year", "label"]
    rows = []
    for values, cells in both.groupby(key, sort=False):
        winners, agree, compared = _best(cells)
        if len(winners) > 1:
            block = both
            for name in ("table", "area_code", "academic_year"):
                block = block[block[name] == cells[name].iloc[0]]
            winners = [name for name in _best(block)[0] if name in winners]
        certain = len(winners) == 1 and 2 * agree >= compared
        series = winners[0] if certain else ""
        rows.append(dict(zip(key, values, strict=True)) | {"series": series, "agree": agree, "compared": compared})
    return pd.DataFrame(rows, columns=[*key, "series", "agree", "compared"])


def check_against_published(printed: pd.DataFrame, rates: pd.DataFrame) -> tuple[PrintedFinding, ...]:
    """Find cells that differ from the published figure of the series their column was taken from.

    If the printed number is another published figure of the same area, year and series (same phase or all
    schools), the finding says so: cells copied one row too far down are found in this way.
    """
    both = compare_with_published(printed, rates)
    series = _column_series(both).set_index(["table", "column"])["series"]
    known = published_percentages(printed, rates)
    found = []
    for cell in records(both):
        if cell["agrees"] or cell["series"] != series[cell["table"], cell["column"]]:
            continue
        decimals = int(cell["decimals"])
        near = known[known["phase"].isin([cell["phase"], ALL_SCHOOLS])]
        for name in ("series", "area_code", "academic_year"):
            near = near[near[name] == cell[name]]
        # The same phase before all schools.
        others = sorted(records(near), key=lambda row: row["phase"] != cell["phase"])
        same = [
            f"{measure_name(row['measure'])}, {row['phase']}"
            for row in others
            if (row["measure"], row["phase"]) != (cell["measure"], cell["phase"])
            and agrees(cell["value"], decimals, row["percent"], row["decimals"])
        ]
        shifted = f" {percent_text(cell['value'], decimals)} is the published figure for {same[0]}." if same else ""
        expected = percent_text(round_half_up(cell["percent"], decimals), decimals)
        found.append(
            PrintedFinding(
                "published_value",
                cell["table"],
                ((int(cell["row"]), cell["column"]),),
                cell["printed"],
                expected,
                f"{group_text(cell)}, {place_of(cell)}: {measure_name(cell['measure'])} is printed as"
                f" {percent_text(cell['value'], decimals)}; {SERIES[cell['series']].label} gives {expected}.{shifted}",
            )
        )
    return tuple(found)


def check_series_mixed(printed: pd.DataFrame, rates: pd.DataFrame) -> tuple[PrintedFinding, ...]:
    """Find tables that set years of one area side by side which come from different series."""
    found = []
    known = column_series(printed, rates)
    known = known[known["series"] != ""]
    for (table, _), columns in known.groupby(["table", "area_code"], sort=False):
        if columns["series"].nunique() < 2:
            continue
        parts = [f"{place_of(row | {'period': 'year'})} is {SERIES[row['series']].label}" for row in records(columns)]
        found.append(
            PrintedFinding(
                "series_mixed",
                str(table),
                (),
                ", ".join(columns["label"]),
                "one series",
                "; ".join(parts) + ". A change from one to the other is partly a change of method.",
                flags=False,
                columns=tuple(columns["column"]),
            )
        )
    return tuple(found)


def column_sources(printed: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """Return the series and part of the year each rate column was most likely taken from.

    Unlike ``column_series`` this asks every period that ``rates`` give (a full year, a term, autumn and spring, a year to
    date), of columns that claim to be published and of those that do not: a column headed "full year" may hold two terms.

    Parameters
    ----------
    rates
        Published MEASURE rows of any series and period (``Published.rates``, ``comparators()``).

    Returns
    -------
    table, column, area_code, academic_year, period (as printed), series, source_period, agree, compared. ``series`` is ""
    where fewer than half of at least three cells agree, or two sources agree equally well.
    """
    cells = with_values(printed)
    cells = cells[(cells["role"] == "rate") & (cells["group"] == ALL) & (cells["nc_year"] == ALL)]
    key = ["table", "column", "area_code", "academic_year", "period"]
    tallies = []
    for period, part in rates.groupby("period", sort=True):
        known = published_percentages(printed, part.assign(period="year"))
        both = cells.merge(
            known.rename(columns={"decimals": "percent_decimals"}),
            on=["academic_year", "area_code", "phase", "measure"],
        )
        if both.empty:
            continue
        both["agrees"] = [
            agrees(row["value"], int(row["decimals"]), row["percent"], row["percent_decimals"]) for row in records(both)
        ]
        tally = both.groupby([*key, "series"])["agrees"].agg(agree="sum", compared="size").reset_index()
        tallies.append(tally.assign(source_period=period))
    names = [*key, "series", "source_period", "agree", "compared"]
    if not tallies:
        return pd.DataFrame(columns=names)
    rows = []
    for values, found in pd.concat(tallies, ignore_index=True).groupby(key, sort=False):
        best = found[found["agree"] == found["agree"].max()]
        first = best.iloc[0]
        certain = len(best) == 1 and first["compared"] >= _FEWEST_CELLS and 2 * first["agree"] >= first["compared"]
        source = (first["series"], first["source_period"]) if certain else ("", "")
        counts = (int(first["agree"]), int(first["compared"]))
        rows.append(dict(zip(names, (*values, *source, *counts), strict=True)))
    return pd.DataFrame(rows, columns=names)
