"""The graduated response: each pupil's level over the last four school weeks, and who moved between levels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

import numpy as np
import pandas as pd

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.metrics.marks._table import AUTHORISED, UNAUTHORISED, Given, MarkTable, day_number, ready
from attendance_toolkit.metrics.marks._weeks import SCHOOL_DAYS, make_windows
from attendance_toolkit.metrics.rating import level_numbers
from attendance_toolkit.vocabulary.rule_schemes import Scheme

#: The level of pupils with too few possible sessions.
INSUFFICIENT = -1
#: Refused leave is flagged from so many sessions within so many school weeks.
LEAVE_SESSIONS, LEAVE_WEEKS = 10, 10
LEAVE_CODE = "G"
UP, DOWN, SAME, NEW, LEFT = "up", "down", "same", "new", "left"
ENOUGH_NOW, TOO_FEW_NOW, TOO_FEW_BOTH = "too few sessions before", "too few sessions now", "too few sessions both times"
#: Moves between two days. "up" is to a level of more need; "new" and "left" have no session in one of the two windows.
MOVES = (UP, DOWN, SAME, NEW, LEFT, ENOUGH_NOW, TOO_FEW_NOW, TOO_FEW_BOTH)


def graduated_response(
    marks: Given,
    scheme: Scheme,
    *,
    as_of: date | None = None,
    school_days: int | None = None,
    fewest_sessions: int | None = None,
    window: str = SCHOOL_DAYS,
    leave_sessions: int = LEAVE_SESSIONS,
    leave_weeks: int = LEAVE_WEEKS,
) -> pd.DataFrame:
    """Return the level of each pupil at each school over the school's last four school weeks.

    The printed rule does not say what four weeks are, nor over which time refused leave is counted. Here four weeks are
    the school's last 20 school days, and refused leave counts within the last ten school weeks, as for penalty notices;
    its sessions inside the window and its longest run without another possible session between are given as well.

    Parameters
    ----------
    marks
        Rows of MARK_COLUMNS, or a ``MarkTable``.
    scheme
        Levels of a rate of attendance, or of absence if lower is better.
    as_of
        Last day that counts; by default each school's own last day with marks.
    school_days, window
        As for ``last_school_weeks``; by default as many school days as the scheme says (20).
    fewest_sessions
        Pupils with fewer possible sessions have no level; by default as the scheme says (20).
    leave_sessions, leave_weeks
        Refused leave is flagged from so many sessions within so many of the school's last school weeks.

    Returns
    -------
    A row a pupil and school, in the order of laestab and upn: upn, laestab; possible, attended (possible and not missed),
    authorised, unauthorised (sessions of the window); level (place in ``scheme.levels``, -1: too few sessions or in no
    level); is_at_end (the rate is exactly an end of a level), is_persistent (missed 10% or more, as DfE counts: 90%
    attendance is); leave_refused (code G in the window), leave_recent (in the last ten school weeks), leave_in_a_row
    (longest run of it there), is_leave (leave_recent reaches the limit); late (code L, in the window); first_day,
    last_day (of the window), last_mark (the pupil's last there). Pupils with marks but no possible session in the window
    have possible 0; those without a mark in it are not there.

    Raises
    ------
    ParameterError
        The scheme is not of a rate, or the window is none.
    """
    table = ready(marks)
    make_windows(table, "window_now", as_of=as_of, school_days=school_days or scheme.window, window=window)
    found = _levels(table, "window_now", scheme, fewest_sessions or scheme.possible)
    return _with_leave(table, found, as_of, leave_sessions, leave_weeks)


def _levels(table: MarkTable, name: str, scheme: Scheme, fewest_sessions: int) -> pd.DataFrame:
    rows = table.con.execute(
        f"""
        SELECT m.upn, m.laestab, count(*) FILTER (m.kind > 0) AS possible,
               count(*) FILTER (m.kind = $authorised) AS authorised,
               count(*) FILTER (m.kind = $unauthorised) AS unauthorised,
               count(*) FILTER (m.code = $leave) AS leave_refused, count(*) FILTER (m.code = $late) AS late,
               DATE '1970-01-01' + any_value(w.first) AS first_day, DATE '1970-01-01' + any_value(w.last) AS last_day,
               DATE '1970-01-01' + max(m.slot) // 2 AS last_mark
        FROM mark m JOIN {name} w ON w.laestab = m.laestab AND m.slot BETWEEN 2 * w.first AND 2 * w.last + 1
        GROUP BY m.upn, m.laestab ORDER BY m.laestab, m.upn
        """,  # noqa: S608 - the name is the toolkit's own
        {
            "authorised": AUTHORISED,
            "unauthorised": UNAUTHORISED,
            "leave": table.place_of(LEAVE_CODE),
            "late": table.place_of("L"),
        },
    ).df()
    missed = rows["authorised"] + rows["unauthorised"]
    rows.insert(3, "attended", rows["possible"] - missed)
    possible = rows["possible"].to_numpy()
    counted = missed if scheme.direction == "lower is better" else rows["attended"]
    level = level_numbers(scheme, counted.to_numpy(), possible)
    rows.insert(6, "level", np.where(possible >= fewest_sessions, level, INSUFFICIENT))
    rows["is_at_end"] = _at_end(scheme, counted.to_numpy(), possible)
    rows["is_persistent"] = (possible > 0) & (10 * missed >= possible)
    return rows


def _at_end(scheme: Scheme, counted: np.ndarray, possible: np.ndarray) -> np.ndarray:
    """Whether each rate is exactly an inner end of a level, where it matters which of two levels has it."""
    whole = 100 if scheme.unit == "percent" else 1
    ends = {end for level in scheme.levels for end in (level.low, level.high) if end is not None}
    found = np.zeros(len(counted), bool)
    for end in ends - {Fraction(0), Fraction(whole)}:
        found |= (possible > 0) & (counted * whole * end.denominator == possible * end.numerator)
    return found


def _with_leave(table: MarkTable, rows: pd.DataFrame, as_of: date | None, sessions: int, weeks: int) -> pd.DataFrame:
    """Add the refused leave of the last school weeks."""
    if sessions < 1 or weeks < 1:
        raise ParameterError(
            f"{sessions} sessions in {weeks} weeks are no limit of refused leave. Give 1 or more of each."
        )
    leave = table.con.execute(
        """
        WITH upto AS (SELECT laestab, day, week_number FROM school_day WHERE $last IS NULL OR day <= $last),
        since AS (
            SELECT laestab, min(day) AS first, max(day) AS last FROM upto
            JOIN (SELECT laestab, max(week_number) AS newest FROM upto GROUP BY laestab) USING (laestab)
            WHERE week_number > newest - $weeks GROUP BY laestab
        ),
        with_leave AS (
            SELECT DISTINCT m.upn, m.laestab FROM mark m JOIN since s ON s.laestab = m.laestab
            AND m.slot BETWEEN 2 * s.first AND 2 * s.last + 1 WHERE m.code = $leave
        ),
        inside AS (
            SELECT m.upn, m.laestab, m.slot, m.code = $leave AS is_leave, s.first, s.last,
                   count(*) FILTER (m.code <> $leave) OVER (PARTITION BY m.laestab, m.upn ORDER BY m.slot) AS run
            FROM mark m JOIN with_leave USING (upn, laestab) JOIN since s ON s.laestab = m.laestab
            AND m.slot BETWEEN 2 * s.first AND 2 * s.last + 1 WHERE m.kind > 0
        )
        SELECT upn, laestab, sum(many)::BIGINT AS leave_recent, max(many)::BIGINT AS leave_in_a_row
        FROM (SELECT upn, laestab, run, count(*) FILTER (is_leave) AS many FROM inside GROUP BY ALL)
        GROUP BY upn, laestab
        """,
        {"last": None if as_of is None else day_number(as_of), "weeks": weeks, "leave": table.place_of(LEAVE_CODE)},
    ).df()
    rows = rows.merge(leave, how="left", on=["upn", "laestab"])
    for name in ("leave_recent", "leave_in_a_row"):
        rows[name] = rows[name].fillna(0).astype(np.int64)
    rows["is_leave"] = rows["leave_recent"] >= sessions
    return rows


# --- who moved ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Movement:
    """Levels now and before.

    Attributes
    ----------
    pupils
        A row a pupil and school in either window: upn, laestab, level_before, level (missing where there is no row), moved
        (of MOVES), last_day_before, last_day.
    """

    pupils: pd.DataFrame

    def counts(self) -> pd.DataFrame:
        """Return how many pupils made each move, by school and levels: they add up to all pupils of either window."""
        return (
            self.pupils.groupby(["laestab", "level_before", "level", "moved"], dropna=False, observed=True)
            .size()
            .rename("pupils")
            .reset_index()
        )


def movement(
    marks: Given,
    scheme: Scheme,
    *,
    as_of: date | None = None,
    since: date | None = None,
    school_days: int | None = None,
    fewest_sessions: int | None = None,
    window: str = SCHOOL_DAYS,
) -> Movement:
    """Return who moved between levels since an earlier day, by the same rule on both days.

    Parameters
    ----------
    since
        The earlier day: its window ends there. By default the window before the present one, which ends 20 school days
        earlier.
    marks, scheme, as_of, school_days, fewest_sessions, window
        As for ``graduated_response``.

    Raises
    ------
    ParameterError
        The earlier day is not before the later one.
    NoDataError
        An earlier day is given, no last one, and no mark is of a possible session.
    """
    table = ready(marks)
    if since is not None and since >= (as_of or table.last_day):
        raise ParameterError(
            f"{since.isoformat()} is not before {(as_of or table.last_day).isoformat()}, the last day that counts."
            " Give an earlier day to compare with."
        )
    long = school_days or scheme.window
    make_windows(table, "window_now", as_of=as_of, school_days=long, window=window)
    make_windows(
        table, "window_before", as_of=since or as_of, school_days=long, window=window, skip=0 if since else long
    )
    fewest = fewest_sessions or scheme.possible
    now, before = (_levels(table, name, scheme, fewest) for name in ("window_now", "window_before"))
    keep = ["upn", "laestab", "possible", "level", "last_day"]
    # Without a possible session a pupil is in neither window.
    sides = [side.loc[side["possible"] > 0, keep].drop(columns="possible") for side in (now, before)]
    pupils = sides[0].merge(sides[1], how="outer", on=["upn", "laestab"], suffixes=("", "_before"))
    pupils = pupils.sort_values(["laestab", "upn"], ignore_index=True)
    for name in ("level", "level_before"):
        pupils[name] = pupils[name].astype("Int64")
    pupils["moved"] = _moved(scheme, pupils["level_before"], pupils["level"])
    return Movement(pupils)


def _moved(scheme: Scheme, before: pd.Series, now: pd.Series) -> np.ndarray:
    ranks = np.array([place if level.rank is None else level.rank for place, level in enumerate(scheme.levels)] + [0])
    gone = -2
    old, new = (side.fillna(gone).to_numpy(np.int64) for side in (before, now))
    old_rank, new_rank = ranks[np.maximum(old, INSUFFICIENT)], ranks[np.maximum(new, INSUFFICIENT)]
    cases = [
        old == gone,
        new == gone,
        (old == INSUFFICIENT) & (new == INSUFFICIENT),
        old == INSUFFICIENT,
        new == INSUFFICIENT,
        new_rank > old_rank,
        new_rank < old_rank,
    ]
    return np.asarray(
        np.select(cases, [NEW, LEFT, TOO_FEW_BOTH, ENOUGH_NOW, TOO_FEW_NOW, UP, DOWN], SAME), dtype=object
    )
