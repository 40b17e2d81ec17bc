"""How absence changes from one year group to the next: the same pupils before and after, by group, as counts to add up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.errors import NoDataError, UnknownColumnError, did_you_mean
from attendance_toolkit.intervals import Z95
from attendance_toolkit.metrics.following._flows import Keys, numbered
from attendance_toolkit.metrics.transition.cohort import CHARACTERISTICS, MAINSTREAM_CODES, Array, Later, StepCohort
from attendance_toolkit.metrics.transition.outcomes import arrived, whole_later
from attendance_toolkit.metrics.transition.paired import paired_proportions, ratio_change_variance
from attendance_toolkit.vocabulary.columns import NC_YEARS
from attendance_toolkit.vocabulary.measures import PERSISTENT, SEVERE

#: Groups pupils can be put in besides their characteristics: the school and district before and after the step.
PLACES = ("la_before", "la_after", "laestab_before", "laestab_after")
#: Sessions of the pupils compared.
SESSIONS = ("possible_before", "missed_before", "possible_after", "missed_after")
PRODUCTS = {pair: f"{pair[0]}_x_{pair[1]}" for pair in combinations_with_replacement(SESSIONS, 2)}
THRESHOLDS = {"persistent": PERSISTENT, "severe": SEVERE}
#: Additive counts of ``step_cells``.
STEP_COUNTS = (
    "pupils",
    *SESSIONS,
    *(f"{name}_{when}" for name in THRESHOLDS for when in ("before", "after", "up", "down")),
    "difference_sum",
    "difference_square",
    *PRODUCTS.values(),
)
#: What a change is called in a table (``vocabulary.statistics``).
CHANGES = {"absence": "absence_step", "persistent": "persistent_step", "severe": "severe_step"}
BEFORE, AFTER = "before", "after"


def step_cells(cohort: StepCohort, keep: Array | None = None, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return counts of the pupils who are compared, before and after the step, for each combination of groups.

    Cells of the same groups may be added up. Persistent and severe absentees are those at or above the threshold, told in
    whole numbers.

    Parameters
    ----------
    cohort
        The cohort, with a whole year after the step.
    keep
        (N,) True for the pupils to count, if they are compared; all of them if None.
    by
        Characteristics (of the year before the step) and ``PLACES``.

    Returns
    -------
    pandas frame: the columns of ``by``, then ``STEP_COUNTS``: pupils; sessions before and after; absentees before, after,
    up (only after) and down (only before); sum and sum of squares of the pupil's own change of rate (a share); and the sums
    of squares and products of sessions that ``paired_change`` needs. Groups without a pupil are left out.

    Raises
    ------
    NoDataError
        The data have no whole year after the step.
    UnknownColumnError
        A name in ``by`` is none of the groups.
    """
    later = whole_later(cohort)
    rows = np.flatnonzero(cohort.is_compared if keep is None else cohort.is_compared & keep)
    names = (cohort.year_possible, cohort.year_missed, later.possible, later.missed)
    sessions = {name: values[rows].astype(np.int64) for name, values in zip(SESSIONS, names, strict=True)}
    change = (
        sessions["missed_after"] / sessions["possible_after"] - sessions["missed_before"] / sessions["possible_before"]
    )
    counts: dict[str, Array] = {"pupils": np.ones(len(rows), np.int64), **sessions}
    for name, limit in THRESHOLDS.items():
        before = _reaches(sessions["missed_before"], sessions["possible_before"], limit)
        after = _reaches(sessions["missed_after"], sessions["possible_after"], limit)
        counts |= {f"{name}_before": before, f"{name}_after": after}
        counts |= {f"{name}_up": after & ~before, f"{name}_down": before & ~after}
    counts |= {"difference_sum": change, "difference_square": change**2}
    counts |= {name: sessions[first] * sessions[second] for (first, second), name in PRODUCTS.items()}
    return _added(_keys(cohort, rows, by), counts, len(rows))[[*dict.fromkeys(by), *STEP_COUNTS]]


def _reaches(missed: Array, possible: Array, limit: tuple[int, int]) -> Array:
    share, of = limit
    found: Array = (missed.astype(np.int64) * of >= possible.astype(np.int64) * share) & (possible > 0)
    return found


def _keys(cohort: StepCohort, rows: Array, by: Sequence[str]) -> Keys:
    """Return the groups of pupils: positions and levels, by column."""
    later = cohort.later
    found: Keys = {}
    for name in dict.fromkeys(by):
        if name in CHARACTERISTICS:
            found[name] = (cohort.codes[name][rows], cohort.levels[name])
        elif name not in PLACES:
            known = [*CHARACTERISTICS, *PLACES]
            raise UnknownColumnError(
                f"Pupils of a step cannot be grouped by '{name}'.{did_you_mean(name, known)} Choose from: {', '.join(known)}."
            )
        else:
            what, when = name.split("_")
            source = cohort if when == BEFORE else later
            assert source is not None  # the pupils counted have a later year
            if what == "la":
                found[name] = (source.la[rows], cohort.la_codes)
            else:
                schools, place = np.unique(source.laestab[rows], return_inverse=True)
                found[name] = (place, schools.tolist())
    return found


def _added(keys: Keys, counts: dict[str, Array], size: int) -> pd.DataFrame:
    """Return the counts of pupils added up for each combination of groups that occurs; one row if there are no groups."""
    if keys:
        number, names = numbered(keys, size)
    else:
        number, names = np.zeros(size, np.int64), [()]
    found: dict[str, Any] = {name: [one[place] for one in names] for place, name in enumerate(keys)}
    for name, values in counts.items():
        total = np.bincount(number, values, len(names))
        # Sums stay below 2**53, so that whole numbers are exact.
        found[name] = total if values.dtype.kind == "f" else total.astype(np.int64)
    return pd.DataFrame(found)


def add_step_cells(cells: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return cells added up over every group column not in ``by``."""
    counts = [name for name in STEP_COUNTS if name in cells.columns]
    if not by:
        return cells[counts].sum().to_frame().T.astype(cells[counts].dtypes.to_dict())
    return cells.groupby(list(by), sort=True, as_index=False)[counts].sum()


def paired_change(cells: pd.DataFrame, z: float = Z95) -> pd.DataFrame:
    """Return the change of absence, persistent and severe absence of the same pupils, with intervals.

    The change of absence is of all sessions together: sessions missed over sessions possible, after minus before. Its
    interval has the pupil as the unit (``ratio_change_variance``). Those of persistent and severe absence are Newcombe's for
    paired proportions (``paired_proportions``).

    Parameters
    ----------
    cells
        Of ``step_cells``.
    z
        Standard errors on either side; Newcombe's bounds use it for both proportions.

    Returns
    -------
    pandas frame: the group columns of the cells, measure (``CHANGES``), pupils, before, after, estimate, lower, upper; shares
    of 1. The bounds are missing below two pupils.
    """
    groups = [name for name in cells.columns if name not in STEP_COUNTS]
    kept = cells[[*groups, "pupils"]]
    parts = [kept.assign(measure=CHANGES["absence"], **_absence_change(cells, z))]
    for name in THRESHOLDS:
        parts.append(kept.assign(measure=CHANGES[name], **_threshold_change(cells, name, z)))
    columns = [*groups, "measure", "pupils", BEFORE, AFTER, "estimate", "lower", "upper"]
    return pd.concat(parts, ignore_index=True)[columns]


def _absence_change(cells: pd.DataFrame, z: float) -> dict[str, Array]:
    sums = np.stack([cells[name].to_numpy(float) for name in SESSIONS])
    squares = np.empty((4, 4, len(cells)))
    for (first, second), name in PRODUCTS.items():
        places = SESSIONS.index(first), SESSIONS.index(second)
        squares[places] = squares[places[::-1]] = cells[name].to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        before, after = sums[1] / sums[0], sums[3] / sums[2]
    half = z * np.sqrt(ratio_change_variance(sums[:2], sums[2:], squares, cells["pupils"]))
    change = after - before
    return {BEFORE: before, AFTER: after, "estimate": change, "lower": change - half, "upper": change + half}


def _threshold_change(cells: pd.DataFrame, name: str, z: float) -> dict[str, Array]:
    n, before, after, up, down = (
        cells[column].to_numpy(float)
        for column in ("pupils", *(f"{name}_{when}" for when in ("before", "after", "up", "down")))
    )
    n = np.where(n > 0, n, np.nan)
    low, high = paired_proportions(before - down, down, up, n - before - up, z)
    bounds = [np.where(n > 1, bound, np.nan) for bound in (low, high)]
    return {
        BEFORE: before / n, AFTER: after / n, "estimate": (after - before) / n, "lower": bounds[0], "upper": bounds[1]
    }  # fmt: skip


def followed_so_far(cohort: StepCohort) -> Array:
    """Return (N,) who is followed by period: who is compared, or, while the later year is not whole, who may come to be.

    Raises
    ------
    NoDataError
        The data have nothing of the year after the step.
    """
    later = _any_later(cohort)
    if later.is_whole:
        return cohort.is_compared
    found: Array = (
        (later.year_group == NC_YEARS.index(cohort.to_year))
        & np.isin(later.phase, MAINSTREAM_CODES)
        & (cohort.year_possible > 0)
        & (later.possible > 0)
    )
    return found


def _any_later(cohort: StepCohort) -> Later:
    if cohort.later is None:
        raise NoDataError(
            "What became of these pupils is not known yet: the data have nothing of the year after the step."
        )
    return cohort.later


def period_cells(cohort: StepCohort, keep: Array | None = None, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return the sessions of the same pupils in each term before the step and each half term after it.

    Parameters
    ----------
    keep
        (N,) True for the pupils to count, if they are followed (``followed_so_far``); all of them if None.
    by
        As in ``step_cells``.

    Returns
    -------
    pandas frame: the columns of ``by``, when ("before" or "after"), period (a term, or a half term or span of half terms),
    pupils (with a possible session in it), possible, missed, persistent, severe (absentees of the period's own sessions).
    In the order of groups and time.

    Raises
    ------
    NoDataError, UnknownColumnError
        As in ``step_cells``; the year after the step need not be whole.
    """
    later = _any_later(cohort)
    followed = followed_so_far(cohort)
    rows = np.flatnonzero(followed if keep is None else followed & keep)
    keys = _keys(cohort, rows, by)
    sides = (
        (BEFORE, cohort.terms, cohort.possible, cohort.missed),
        (AFTER, later.periods, later.period_possible, later.period_missed),
    )
    parts: list[pd.DataFrame] = []
    order = "order"
    for when, periods, possible, missed in sides:
        for place, period in enumerate(periods):
            n, y = possible[rows, place].astype(np.int64), missed[rows, place].astype(np.int64)
            counts = {"pupils": n > 0, "possible": n, "missed": y}
            counts |= {name: _reaches(y, n, limit) for name, limit in THRESHOLDS.items()}
            parts.append(_added(keys, counts, len(rows)).assign(when=when, period=period, **{order: len(parts)}))
    found = pd.concat(parts, ignore_index=True).sort_values([*keys, order], kind="stable", ignore_index=True)
    return found[[*keys, "when", "period", "pupils", "possible", "missed", *THRESHOLDS]]


def days(cohort: StepCohort, keep: Array | None = None, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return the school days lost by the rise of absence after the step, of the pupils who are compared.

    Net: the change of each pupil's rate, times the pupil's possible sessions after the step, added up: days gained had
    everybody kept the rate before. Gross: only of pupils whose rate rose, those whose rate fell counting 0; it is above 0
    even where nothing changes but by chance. A day is two sessions. More than 0 is days lost.

    Parameters
    ----------
    keep, by
        As in ``step_cells``.

    Returns
    -------
    pandas frame: the columns of ``by``, pupils, pupils_up (whose rate rose), days_possible (after the step), days_net,
    days_gross, sessions_net, sessions_gross.

    Raises
    ------
    NoDataError, UnknownColumnError
        As in ``step_cells``.

    >>> # A pupil who missed 10% of 300 sessions and misses 15% of 380: 19 sessions more than at 10%, 9.5 days.
    >>> round((57 / 380 - 30 / 300) * 380 / 2, 6)
    9.5
    """
    later = whole_later(cohort)
    rows = np.flatnonzero(cohort.is_compared if keep is None else cohort.is_compared & keep)
    possible = later.possible[rows].astype(np.int64)
    lost = later.missed[rows] - possible * cohort.year_missed[rows] / cohort.year_possible[rows]
    counts = {
        "pupils": np.ones(len(rows), np.int64),
        "pupils_up": lost > 0,
        "days_possible": possible / 2,
        "days_net": lost / 2,
        "days_gross": np.maximum(lost, 0) / 2,
        "sessions_net": lost,
        "sessions_gross": np.maximum(lost, 0),
    }
    return _added(_keys(cohort, rows, by), counts, len(rows))


def cross_section(cohort: StepCohort, members: Collection[str]) -> pd.DataFrame:
    """Return the area's year groups before and after the step, whoever is in them: what a table by year group shows.

    Those who left are in the first row alone, those who joined in the second. Every pupil with a session counts.

    Parameters
    ----------
    members
        Nine-character codes of the area's local authorities.

    Returns
    -------
    pandas frame of two rows: academic_year, nc_year, pupils, possible, missed, persistent, severe.

    Raises
    ------
    NoDataError
        The data have no whole year after the step.
    """
    later = whole_later(cohort)
    here, came = cohort.in_area(tuple(members)), arrived(cohort, members)
    joined = later.joined.in_area(tuple(members))
    groups = (
        (cohort.academic_year, cohort.from_year, cohort.year_possible[here], cohort.year_missed[here]),
        (
            later.academic_year,
            cohort.to_year,
            np.concatenate([later.possible[came], later.joined.year_possible[joined]]),
            np.concatenate([later.missed[came], later.joined.year_missed[joined]]),
        ),
    )
    rows = []
    for year, group, possible, missed in groups:
        row = {"academic_year": year, "nc_year": group, "pupils": len(possible)}
        row |= {"possible": int(possible.sum()), "missed": int(missed.sum())}
        rows.append(row | {name: int(_reaches(missed, possible, limit).sum()) for name, limit in THRESHOLDS.items()})
    return pd.DataFrame(rows)
