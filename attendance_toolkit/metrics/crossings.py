"""Characteristics crossed with each other: cells of every pair, of chosen triples, of whole strata."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pandas as pd

from attendance_toolkit.metrics.cells import add_cells
from attendance_toolkit.vocabulary.columns import ALL, ALL_COUNTS
from attendance_toolkit.vocabulary.hierarchies import band_of

#: Levels that are added up to one more level, which published files have instead of them.
ANY_SEN = "Any SEN"
_SEN = ("SEN support", "EHC plan")


def with_year_band(cells: pd.DataFrame) -> pd.DataFrame:
    """Return cells with the column ``nc_year_band``, the band of each year group.

    A year group the vocabulary does not have is in "Other year groups": nobody is left out.

    >>> with_year_band(pd.DataFrame({"nc_year": ["7", "11", "Unknown"]}))["nc_year_band"].tolist()
    ['Years 7 to 9', 'Years 10 and 11', 'Other year groups']
    """
    band = cells["nc_year"].astype(object).map(band_of("nc_year", "nc_year_band"))
    return cells.assign(nc_year_band=band.fillna("Other year groups"))


def families_of(available: Sequence[str], further: Sequence[Sequence[str]] = ()) -> list[tuple[str, ...]]:
    """Return the sets of characteristics to cross: none, each, all pairs, and of ``further`` those that are available.

    Each set is in the order of ``available``, and is there once.

    >>> families_of(["sex", "sen"], [("sen", "sex"), ("sex", "fsm")])
    [(), ('sex',), ('sen',), ('sex', 'sen')]
    """
    wanted = [(), *((name,) for name in available), *combinations(available, 2)]
    wanted += [tuple(name for name in available if name in chosen) for chosen in further if set(chosen) <= {*available}]
    return list(dict.fromkeys(wanted))


def crossed_cells(
    cells: pd.DataFrame,
    keys: Sequence[str],
    characteristics: Sequence[str],
    families: Sequence[Sequence[str]],
    *,
    any_sen: Sequence[Sequence[str]] = (),
) -> pd.DataFrame:
    """Return cells by each set of characteristics, one under another.

    Parameters
    ----------
    cells
        CELLS with columns for ``keys`` and all characteristics.
    keys
        Columns every row has: area, year, phase.
    characteristics
        Columns of the result; one that is not crossed is "All". One the cells do not have is "All" throughout.
    families
        The sets, each of some of the characteristics.
    any_sen
        Those of the sets that get rows of "Any SEN" as well, where the cells tell SEN support from EHC plans. The rows
        are a sum of others: never add them up with those.

    Returns
    -------
    CELLS: keys, characteristics, counts. Every level in the cells is there, "Unknown" too.

    >>> cells = pd.DataFrame({"sex": ["F", "F", "M"], "fsm": ["Y", "N", "N"], "enrolments": [1, 2, 4]})
    >>> crossed_cells(cells, [], ["sex", "fsm"], [["sex"], ["sex", "fsm"]])["enrolments"].tolist()
    [3, 4, 2, 1, 4]
    """
    counts = [name for name in ALL_COUNTS if name in cells.columns]
    base = add_cells(cells, [*keys, *(name for name in characteristics if name in cells.columns)])
    parts = []
    for family in families:
        parts.append(add_cells(base, [*keys, *family]))
        if tuple(family) in {tuple(one) for one in any_sen}:
            either = base[base["sen_provision"].isin(_SEN)].assign(sen_provision=ANY_SEN)
            parts.append(add_cells(either, [*keys, *family]))
    found = pd.concat(parts, ignore_index=True)
    for name in characteristics:
        found[name] = found[name].astype(object).where(found[name].notna(), ALL) if name in found else ALL
    return found[[*keys, *characteristics, *counts]]


def too_deep(
    cells: pd.DataFrame, by: Sequence[str], characteristics: Sequence[str], count: str, least: float
) -> pd.Series:
    """Return which crossed cells are of a set of characteristics with too many combinations for what there is to count.

    Parameters
    ----------
    cells
        CELLS of ``crossed_cells``, with the row of everybody.
    by
        Columns each of whose groups is looked at by itself: an area and a year.
    count
        What is counted.
    least
        How many there have to be of it for each combination, on average. One characteristic by itself is never too deep.

    >>> cells = pd.DataFrame({"sex": ["All", "F", "M", "F", "M"], "fsm": ["All", "All", "All", "Y", "Y"], "severe": [30, 10, 20, 4, 6]})
    >>> too_deep(cells, [], ["sex", "fsm"], "severe", 20).tolist()
    [False, False, False, True, True]
    """
    levels = cells[list(characteristics)]
    crossed = ~levels.isin([ALL])
    depth = crossed.sum(axis=1)
    keys = [cells[name] for name in by] + [crossed[name] for name in characteristics]
    is_sum = levels.isin([ANY_SEN]).any(axis=1)
    combinations = (~is_sum).groupby(keys, observed=True).transform("sum")
    whole = cells[count].where(depth == 0)
    total = whole.groupby(keys[: len(by)]).transform("max") if by else whole.max()
    return (depth > 1) & (combinations * least > total)


def crossable(cells: pd.DataFrame, characteristics: Sequence[str]) -> list[str]:
    """Return the characteristics the cells say anything of: those with at least two levels that are not empty."""
    has = cells[cells["enrolments"] > 0]
    return [name for name in characteristics if name in cells.columns and has[name].nunique() > 1]


def strata_of(cells: pd.DataFrame, keys: Sequence[str], characteristics: Sequence[str]) -> pd.DataFrame:
    """Return the strata of a model: one row for each combination of levels that anybody is in, "Unknown" included."""
    strata = add_cells(cells, [*keys, *characteristics])
    return strata[strata["enrolments"] > 0].reset_index(drop=True)
