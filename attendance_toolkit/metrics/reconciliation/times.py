"""One time against another in published files: a term or year that repeats another, and steps out of line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.metrics.reconciliation._printed_digits import half_digit
from attendance_toolkit.metrics.reconciliation.columns import FINDING_COLUMNS, number_text, place_text
from attendance_toolkit.schema.column_table import KEYS, ColumnTable
from attendance_toolkit.vocabulary.identities import Identities

#: Two figures are alike if they differ by no more than this many percentage points.
ALIKE_PP = 0.02
#: A copy: at least this share of the areas alike, of at least so many, in a measure that differs by so much.
COPY_SHARE, COPY_ROWS, COPY_SPREAD_PP = 0.5, 30, 1.0
#: A step is worth a look beyond so many robust standard deviations of the other areas' changes.
STEP_SDS, STEP_ROWS = 10.0, 30
_MAD_TO_SD = 1.4826
_STEP_GROUPS = ["series", "phase", "group", "period", "year"]
_TIMES = ["series", "level", "area", "year", "period", "group", "phase"]


def _long(tables: Sequence[ColumnTable], name: str) -> pd.DataFrame:
    """Return the rows of all tables that give a percentage, with the number, its half digit and its table."""
    parts = []
    for number, table in enumerate(tables):
        if name in table.numbers:
            frame = table.keys.reset_index(names="place")
            frame["value"], frame["half"] = table.numbers[name], half_digit(table, name)
            parts.append(frame[frame["value"].notna()].assign(table=number))
    if not parts:
        return pd.DataFrame()
    rows = pd.concat(parts, ignore_index=True)
    # Of two files that give the same figure the first is taken.
    return rows.drop_duplicates(_TIMES)


def check_copies(tables: Sequence[ColumnTable], known: Identities) -> Iterator[pd.DataFrame]:
    """Find a time (term, week or year) whose figures of one measure are those of another time.

    Areas differ from time to time by far more than ``ALIKE_PP``; where half of all areas are alike in a measure
    that spreads over a percentage point, one of the columns was copied.
    """
    for name in sorted(known.percents):
        rows = _long(tables, name)
        if rows.empty:
            continue
        # A column printed to a tenth is alike by rounding alone.
        rows = rows[rows["half"] <= ALIKE_PP]
        for _, part in rows.groupby("series", sort=False):
            wide = part.pivot(index=["level", "area", "phase", "group"], columns=["year", "period"], values="value")
            values = wide.to_numpy()
            for first, second in combinations(range(wide.shape[1]), 2):
                times = (wide.columns[first], wide.columns[second])
                if not _comparable(*times):
                    continue
                before, after = values[:, first], values[:, second]
                both = ~np.isnan(before) & ~np.isnan(after)
                alike = np.abs(after[both] - before[both]) <= ALIKE_PP
                if len(alike) < COPY_ROWS or alike.mean() < COPY_SHARE or np.std(after[both]) < COPY_SPREAD_PP:
                    continue
                same = int((after[both] == before[both]).sum())
                where = (part["year"] == times[1][0]) & (part["period"] == times[1][1])
                yield _copy(tables, name, part[where].iloc[0], (int(alike.sum()), len(alike), same), times)


def _comparable(first: Any, second: Any) -> bool:
    """Return whether times (year, period) are the same span of two years, or two terms of one year.

    A year to date and its last term overlap, so they are not held against each other.
    """
    if first[1] == second[1]:
        return True
    return first[0] == second[0] and all("term" in str(time[1]).lower() for time in (first, second))


def _copy(
    tables: Sequence[ColumnTable], name: str, row: pd.Series, counts: tuple[int, int, int], times: tuple[Any, Any]
) -> pd.DataFrame:
    table = tables[int(row["table"])]
    count, among, same = counts
    first, second = (f"{period}, {year}".strip(", ") for year, period in times)
    says = (
        f"{name} of {second} is that of {first} within {ALIKE_PP} percentage points in {count:,} of {among:,} rows"
        f" ({same:,} to the last digit): one of the two was copied. Leave {name} of both times out until it is mended."
    )
    found = {key: row[key] for key in KEYS} | {
        "file": table.name,
        "check": "copied_time",
        "is_certain": True,
        "column": name,
        "printed": f"{count:,} of {among:,} rows alike",
        "expected": "figures of its own",
        "says": says,
    }
    return pd.DataFrame([found])[list(FINDING_COLUMNS)]


def check_steps(tables: Sequence[ColumnTable], known: Identities) -> Iterator[pd.DataFrame]:
    """Find authorities whose change from one year to the next stands far out from that of the others.

    The limit is ``STEP_SDS`` robust standard deviations (median absolute deviation) from the median change of the
    other authorities in the same measure and school type. A step is not an error: it is worth a look.
    """
    on = ["series", "area", "phase", "group", "period"]
    for name in known.steps:
        rows = _long(tables, name)
        if rows.empty:
            continue
        rows = rows[(rows["level"] == "Local authority") & rows["year"].str.fullmatch(r"\d{6}")]
        after = rows.assign(before_year=rows["year"].map(_year_before))
        both = after.merge(
            rows[[*on, "year", "value", "half"]],
            left_on=[*on, "before_year"],
            right_on=[*on, "year"],
            suffixes=("", "_before"),
        )
        if both.empty:
            continue
        both["change"] = both["value"] - both["value_before"]
        groups = both.groupby(_STEP_GROUPS)["change"]
        middle = groups.transform("median")
        sd = (both["change"] - middle).abs().groupby([both[n] for n in _STEP_GROUPS]).transform("median") * _MAD_TO_SD
        far = (both["change"] - middle).abs() - both["half"] - both["half_before"] > STEP_SDS * sd
        far &= (sd > ALIKE_PP) & (groups.transform("size") >= STEP_ROWS)
        for number, part in both[far].groupby("table"):
            yield _steps(tables[int(str(number))], name, part, middle[part.index])


def _year_before(year: str) -> str:
    start = int(year[:4]) - 1
    return f"{start}{(start + 1) % 100:02d}"


def _steps(table: ColumnTable, name: str, rows: pd.DataFrame, middle: pd.Series) -> pd.DataFrame:
    found = rows[list(KEYS)].assign(file=table.name, check="year_step", is_certain=False, column=name)
    found["printed"] = [number_text(value) for value in rows["value"]]
    found["expected"] = ""
    found["says"] = [
        f"{place_text(table, int(place))}: {name} went from {before:.2f} to {value:.2f} ({value - before:+.2f} percentage"
        f" points); the others of its kind by {usual:+.2f}. Look at it before it is quoted."
        for place, value, before, usual in zip(rows["place"], rows["value"], rows["value_before"], middle, strict=True)
    ]
    return found[list(FINDING_COLUMNS)].reset_index(drop=True)
