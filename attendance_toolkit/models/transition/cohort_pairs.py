"""A year group in published counts, and the next one a year later: group by group in each authority, never pupil by pupil."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.metrics.transition.cohort import LEFT_OUT_YEARS
from attendance_toolkit.vocabulary.areas import ENGLAND
from attendance_toolkit.vocabulary.calendar import academic_year_before

#: Characteristics that make up a group of a cohort: those DfE's bands file crosses with the year group.
PAIR_GROUPS = ("fsm_eligible", "sen_provision", "sex")
#: Counts at the thresholds, and the measure each is the numerator of.
PAIR_COUNTS = {"persistent_absentees": "persistent_absence_rate", "severe_absentees": "severe_absence_rate"}
#: Pupils at the level of the whole year group that are added to a group before its own level is taken.
FEW_PUPILS = 20
BEFORE, AFTER, LEVEL = "_before", "_after", "level_"


def cohort_pairs(
    cells: pd.DataFrame, from_year: str = "6", to_year: str = "7", *, leave_out: Sequence[int] = LEFT_OUT_YEARS
) -> pd.DataFrame:
    """Return each authority's groups in one year group, and in the next one a year later.

    All state-funded schools are counted, whatever their phase. These are not the same pupils: who moves between
    authorities, or between state-funded and independent schools, is in one of the two alone.

    Parameters
    ----------
    cells
        Published CELLS of one dataset with ``nc_year`` and ``PAIR_GROUPS``: those of every local authority that a
        model is to be fitted to, and the rows of England if they are there. Rows of other areas are not looked at.
    from_year, to_year
        The year groups.
    leave_out
        Academic years that are neither end of a pair.

    Returns
    -------
    pandas.DataFrame
        One row for each authority, group and academic year before the step: ``area_code``, ``PAIR_GROUPS``,
        ``academic_year``, ``enrolments``, ``persistent_absentees``, ``severe_absentees`` and the bands that ``cells``
        has, with ``_before`` and ``_after``, and ``level_persistent_absentees`` and ``level_severe_absentees``: the
        group's rate in England in the year before, or in all authorities given. A year without a later one has
        missing counts after it. An authority with only one side of a pair is left out of it: its boundaries changed.

    Raises
    ------
    NoDataError
        Nobody is in the year group.
    ParameterError
        A column is missing.
    """
    _check_columns(cells)
    years = sorted(int(year) for year in cells.loc[cells["nc_year"] == from_year, "academic_year"].unique())
    parts = []
    for year in years:
        following = academic_year_before(year, -1)
        if year in leave_out or following in leave_out:
            continue
        earlier = cells[(cells["academic_year"] == year) & (cells["nc_year"] == from_year)]
        later = cells[(cells["academic_year"] == following) & (cells["nc_year"] == to_year)]
        parts.append(_pairs_of(earlier, later).assign(academic_year=year))
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if found.empty:
        raise NoDataError(
            "There are no figures by year group, FSM, SEN and sex of any local authority that could be followed into the next"
            " year group: give DfE's absence bands file with years that follow each other."
        )
    return found


def _check_columns(cells: pd.DataFrame) -> None:
    needed = ["area_code", "area_level", "academic_year", "nc_year", *PAIR_GROUPS, "enrolments", *PAIR_COUNTS]
    missing = [name for name in needed if name not in cells.columns]
    if missing:
        raise ParameterError(
            f"The cells lack the columns {', '.join(missing)}: give those of DfE's absence bands file, not added up."
        )


def _pairs_of(earlier: pd.DataFrame, later: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs of one year; counts after it are missing where there is no later year."""
    before, after = (_by_group(side) for side in (earlier, later))
    found = before.add_suffix(BEFORE).join(after.add_suffix(AFTER), how="outer" if len(after) else "left")
    found = found.fillna(0.0) if len(after) else found
    by_area = found.groupby(level="area_code")
    is_whole = by_area[f"enrolments{BEFORE}"].transform("sum") > 0
    if len(after):
        is_whole &= by_area[f"enrolments{AFTER}"].transform("sum") > 0
    found = found[is_whole].reset_index()
    return found.merge(_levels(earlier), how="left", on=list(PAIR_GROUPS)).pipe(_without_gaps)


def _by_group(side: pd.DataFrame) -> pd.DataFrame:
    counts = ["enrolments", *PAIR_COUNTS, *(name for name in side.columns if name.startswith("band_"))]
    local = side[side["area_level"] == "Local authority"].astype(dict.fromkeys(counts, "float64"))
    return local.groupby(["area_code", *PAIR_GROUPS], observed=True)[counts].sum(min_count=1)


def _levels(earlier: pd.DataFrame) -> pd.DataFrame:
    """Return each group's rates in England, a small group's drawn towards those of the whole year group."""
    nation = earlier[earlier["area_code"] == ENGLAND]
    chosen = nation if len(nation) else earlier[earlier["area_level"] == "Local authority"]
    counts = ["enrolments", *PAIR_COUNTS]
    sums = chosen.astype(dict.fromkeys(counts, "float64")).groupby(list(PAIR_GROUPS), observed=True)[counts].sum()
    for name in PAIR_COUNTS:
        overall = sums[name].sum() / sums["enrolments"].sum() if len(sums) else float("nan")
        sums[LEVEL + name] = (sums[name] + FEW_PUPILS * overall) / (sums["enrolments"] + FEW_PUPILS)
        sums[LEVEL + "all_" + name] = overall
    return sums.drop(columns=counts).reset_index()


def _without_gaps(found: pd.DataFrame) -> pd.DataFrame:
    """Give a group that nobody was in before the level of the whole year group."""
    for name in PAIR_COUNTS:
        overall = LEVEL + "all_" + name
        found[LEVEL + name] = found[LEVEL + name].fillna(found[overall].max())
    return found.drop(columns=[LEVEL + "all_" + name for name in PAIR_COUNTS])
