"""Pupils of a step as CELLS, and the MEASURE rows of pupils who are followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attendance_toolkit.deepdives._contrasts import derived_from
from attendance_toolkit.disclosure.modelled import points_decimals
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.metrics.absence import (
    absence_rate,
    enrolment_count,
    persistent_absence_rate,
    severe_absence_rate,
    with_contributors,
)
from attendance_toolkit.metrics.transition import AFTER, BEFORE, StepCohort, add_step_cells, paired_change
from attendance_toolkit.presentation.formats import records
from attendance_toolkit.vocabulary.calendar import academic_year_before
from attendance_toolkit.vocabulary.measures import PERSISTENT, SEVERE

Array = NDArray[Any]
#: Area code -> the codes of its local authorities.
Members = Mapping[str, Sequence[str]]

#: Counts of CELLS -> those of ``metrics.transition.step_cells``, whose names end with when they are of.
_COUNTS = {
    "enrolments": "pupils",
    "sessions_possible": "possible_{when}",
    "sessions_authorised": "missed_{when}",
    "persistent_absentees": "persistent_{when}",
    "severe_absentees": "severe_{when}",
    "square_absent": "missed_{when}_x_missed_{when}",
    "square_possible": "possible_{when}_x_possible_{when}",
    "cross_absent": "possible_{when}_x_missed_{when}",
}
#: All sessions missed are counted as authorised: kinds are not told apart here.
_NONE = {"sessions_unauthorised": 0}


def by_area(cells: pd.DataFrame, column: str, areas: Members, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return step cells of areas (``area_code``) and of further groups, from those of local authorities.

    Parameters
    ----------
    cells
        Of ``metrics.transition.step_cells``.
    column
        "la_before" or "la_after": the authority by which a pupil belongs to an area.
    areas
        An authority may be in several of them.
    """
    parts = [cells[cells[column].isin(list(codes))].assign(area_code=code) for code, codes in areas.items()]
    return add_step_cells(pd.concat(parts, ignore_index=True), ["area_code", *by])


def both_years(cells: pd.DataFrame, cohort: StepCohort, by: Sequence[str]) -> pd.DataFrame:
    """Return CELLS of the compared pupils in the year before the step and in the one after it, from step cells.

    ``enrolments`` are pupils, each with the sessions of all their schools; ``academic_year`` and ``nc_year`` say which of
    the two years.
    """
    sides = (
        (BEFORE, cohort.academic_year, cohort.from_year),
        (AFTER, academic_year_before(cohort.academic_year, -1), cohort.to_year),
    )
    parts = [
        cells[list(by)].assign(
            **{name: cells[of.format(when=when)] for name, of in _COUNTS.items()},
            **_NONE,
            academic_year=year,
            nc_year=nc_year,
        )
        for when, year, nc_year in sides
    ]
    return pd.concat(parts, ignore_index=True)


def counted_cells(groups: pd.DataFrame, possible: Array, missed: Array) -> pd.DataFrame:
    """Return CELLS of pupils by their groups; ``enrolments`` are pupils, each with the sessions of all their schools.

    Parameters
    ----------
    groups
        One row a pupil: the columns to count by.
    possible, missed
        (N,) sessions of each pupil.

    >>> cells = counted_cells(pd.DataFrame({"sex": ["Female", "Female"]}), np.array([100, 300]), np.array([10, 0]))
    >>> cells[["enrolments", "sessions_authorised", "persistent_absentees", "square_absent"]].iloc[0].tolist()
    [2, 10, 1, 100]
    """
    possible, missed = possible.astype(np.int64), missed.astype(np.int64)

    def is_at(threshold: tuple[int, int]) -> Array:
        top, bottom = threshold
        found: Array = (missed * bottom >= possible * top) & (possible > 0)
        return found.astype(np.int64)

    counts = {
        "enrolments": np.ones(len(possible), np.int64),
        "sessions_possible": possible,
        "sessions_authorised": missed,
        "persistent_absentees": is_at(PERSISTENT),
        "severe_absentees": is_at(SEVERE),
        "no_absence_enrolments": (missed == 0).astype(np.int64),
        "square_absent": missed**2,
        "square_possible": possible**2,
        "cross_absent": missed * possible,
    }
    frame = groups.reset_index(drop=True).assign(**counts)
    return frame.groupby(list(groups.columns))[list(counts)].sum().reset_index().assign(**_NONE)


def pupil_rows(cells: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return MEASURE rows of pupils who are followed: their number, overall, persistent and severe absence."""
    by = list(by)
    number = enrolment_count(cells, by).assign(measure="pupils")
    makers = (absence_rate, persistent_absence_rate, severe_absence_rate)
    rates = [make(cells, by) for make in makers]
    return with_contributors(pd.concat([number, *rates], ignore_index=True), cells, by)


def pupil_counts(cells: pd.DataFrame) -> pd.DataFrame:
    """Return MEASURE rows of numbers of pupils.

    Parameters
    ----------
    cells
        The columns of the groups, and ``pupils``.

    >>> made = pupil_counts(pd.DataFrame({"origin": ["All"], "pupils": [7]}))
    >>> made["measure"].item(), made["rate"].item(), made["enrolments"].item()
    ('pupils', 7.0, 7.0)
    """
    number = cells["pupils"].astype(float)
    return cells.drop(columns="pupils").assign(
        measure="pupils", numerator=number, denominator=np.nan, rate=number, lower=np.nan, upper=np.nan, symbol="",
        enrolments=number,
    )  # fmt: skip


def step_rows(cells: pd.DataFrame, cohort: StepCohort) -> pd.DataFrame:
    """Return the changes of compared pupils' absence by the groups of step cells, as rows of modelled statistics.

    They are of the later year: ``absence_step``, ``persistent_step``, ``severe_step``, with paired intervals, the size of
    the group (``enrolments``) and the digits partners may be told.
    """
    found = paired_change(cells).rename(columns={"estimate": "rate", "pupils": "enrolments"})
    return modelled(found.drop(columns=[BEFORE, AFTER])).assign(
        academic_year=academic_year_before(cohort.academic_year, -1), nc_year=cohort.to_year,
        decimals=[points_decimals(size) for size in found["enrolments"]],
    )  # fmt: skip


def modelled(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of statistics with the columns every MEASURE row has: they say no count."""
    return rows.assign(numerator=np.nan, denominator=np.nan, symbol="", enrolments=rows["enrolments"].astype(float))


def hidden(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a cleared row with its numbers hidden: what is known elsewhere on the page would give another one away.

    >>> hidden({"measure": "pupils", "numerator": 40.0, "rate": 40.0, "symbol": ""})["symbol"]
    'c'
    """
    numbers = {name: np.nan for name in ("numerator", "denominator", "rate", "lower", "upper") if name in record}
    return {**record, **numbers, "symbol": "c", "cell": None}


def hidden_in_both(
    table: ProtectedTable, by: Sequence[str], pairs: Mapping[tuple[int, str], tuple[int, str]]
) -> ProtectedTable:
    """Return a table of the same pupils in two years in which a group that is hidden in one is hidden in the other.

    Both years have the same pupils, but a release hides each year's groups by themselves: the number it shows of one year
    would tell the one it hides of the other.

    Parameters
    ----------
    by
        Columns of a group besides ``academic_year`` and ``nc_year``.
    pairs
        (academic_year, nc_year) of one year -> those of the other; both ways.
    """
    rows = table.rows
    years = list(zip(rows["academic_year"].astype(int), rows["nc_year"].astype(str), strict=True))
    groups = list(zip(*(rows[name].astype(str) for name in by), strict=True))
    is_hidden = ((rows["measure"] == "pupils") & (rows["symbol"] == "c")).to_numpy()
    gone = {(year, group) for year, group, one in zip(years, groups, is_hidden, strict=True) if one}
    gone |= {(pairs[year], group) for year, group in gone if year in pairs}
    found = [
        hidden(record) if (year, group) in gone and record["symbol"] == "" else record
        for record, year, group in zip(records(table), years, groups, strict=True)
    ]
    return derived_from(found, table)
