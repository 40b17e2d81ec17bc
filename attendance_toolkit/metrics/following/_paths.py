"""Trajectories of pupils over years, by rule; and rows for models of trend and growth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.metrics.following._flows import numbered
from attendance_toolkit.metrics.following.followed import TOO_FEW, Array, Followed
from attendance_toolkit.vocabulary.calendar import TERMS, WHOLE_YEAR, show_academic_year
from attendance_toolkit.vocabulary.measures import PERSISTENT, SEVERE
from attendance_toolkit.vocabulary.trajectories import Condition, TrajectoryRules, trajectory_rules


def classify_trajectories(missed: ArrayLike, possible: ArrayLike, rules: TrajectoryRules | None = None) -> Array:
    """Return the trajectory of each pupil: the position of the first rule that holds.

    Parameters
    ----------
    missed, possible
        (N, T) sessions of each year, oldest first; every pupil needs possible sessions in every year.
    rules
        The toolkit's own if None.

    Returns
    -------
    (N,) int8 positions in ``rules.names``.

    Raises
    ------
    ValueError
        The arrays are not of one shape (N, T) with T >= 2, or not counts of sessions missed among those possible.

    >>> rules = trajectory_rules()
    >>> [rules.names[code] for code in classify_trajectories([[30, 20, 10], [5, 5, 60]], [[300] * 3] * 2)]
    ['Recovered', 'Deteriorating']
    """
    rules = rules or trajectory_rules()
    lost, of = np.asarray(missed, np.int64), np.asarray(possible, np.int64)
    if lost.shape != of.shape or lost.ndim != 2 or lost.shape[1] < 2:
        raise ValueError(f"Sessions missed {lost.shape} and possible {of.shape} must both be pupils x years.")
    if ((lost < 0) | (lost > of) | (of <= 0)).any():
        raise ValueError("Sessions missed must be between 0 and those possible, and some possible in every year.")
    found = np.full(len(lost), -1, np.int8)
    for position in reversed(range(len(rules.rules))):
        holds = np.ones(len(lost), bool)
        for condition in rules.rules[position].when:
            holds &= _holds(condition, lost, of)
        # From the last rule to the first, so that the first one that holds stays.
        found[holds] = position
    return found


def _holds(condition: Condition, lost: Array, of: Array) -> Array:
    """Return whose share, or change, is within a limit; products of whole numbers, so that 10% is 10% exactly."""
    limit = int(condition.limit * 100)
    if condition.years:
        columns = {"first": slice(0, 1), "last": slice(-1, None), "every": slice(None)}[condition.years]
        left, right = lost[:, columns] * 10_000, of[:, columns] * limit
    else:
        left = (lost[:, -1] * of[:, 0] - lost[:, 0] * of[:, -1])[:, None] * 10_000
        right = (of[:, 0] * of[:, -1])[:, None] * limit
    compare = {"at_least": np.greater_equal, "at_most": np.less_equal, "below": np.less}[condition.comparison]
    found: Array = compare(left, right).all(axis=1)
    return found


def trajectory_codes(followed: Followed, rules: TrajectoryRules | None = None) -> Array:
    """Return each pupil's trajectory over the last years, (N,) int8; -1 without enough sessions in each of them.

    Raises
    ------
    ParameterError
        The pupils are followed by term.
    NoDataError
        The last years do not follow each other, or are too few.
    """
    rules = rules or trajectory_rules()
    if followed.by != "year":
        raise ParameterError("Trajectories are of years. Follow the pupils with by='year'.")
    years = len(followed.periods)
    start = years - rules.years
    follows = {at for at, _ in followed.steps}
    if start < 0 or not follows.issuperset(range(start, years - 1)):
        held = ", ".join(show_academic_year(period.academic_year) for period in followed.periods)
        raise NoDataError(f"A trajectory needs {rules.years} years one after another; the rows are of {held}.")
    enough = (followed.states[:, start:] < TOO_FEW).all(axis=1)
    found = np.full(len(followed.pupils), -1, np.int8)
    found[enough] = classify_trajectories(followed.missed[enough, start:], followed.possible[enough, start:], rules)
    return found


def trajectory_cells(followed: Followed, by: Sequence[str] = (), rules: TrajectoryRules | None = None) -> pd.DataFrame:
    """Return how many pupils are on each trajectory, of everybody on the area's roll in one of its years.

    Those without enough sessions in every year are "Not followed all three years".

    Parameters
    ----------
    by
        Characteristics, "la_code" or "laestab": of the last year the pupil is on the roll.

    Returns
    -------
    pandas frame: academic_year (the last one), the columns of ``by``, trajectory, pupils. Cells without a pupil are left
    out.

    Raises
    ------
    ParameterError, NoDataError
        As ``trajectory_codes``.
    """
    rules = rules or trajectory_rules()
    code = trajectory_codes(followed, rules)
    start = len(followed.periods) - rules.years
    on_roll = followed.states[:, start:] <= TOO_FEW
    rows = np.flatnonzero(on_roll.any(axis=1))
    last = len(followed.periods) - 1 - np.argmax(on_roll[rows, ::-1], axis=1)
    levels = (*rules.names, rules.not_followed)
    keys = {}
    for name in dict.fromkeys(by):
        codes, names = followed.column(name)
        keys[name] = (codes[rows, last], names)
    keys["trajectory"] = (np.where(code[rows] < 0, len(levels) - 1, code[rows]), levels)
    number, combinations = numbered(keys, len(rows))
    found = pd.DataFrame(combinations, columns=list(keys))
    found["pupils"] = np.bincount(number, minlength=len(combinations)).astype(np.int64)
    found.insert(0, "academic_year", followed.periods[-1].academic_year)
    return found


def trend_rows(
    followed: Followed, by: Sequence[str] = ("phase",), *, with_enough_sessions: bool = False
) -> pd.DataFrame:
    """Return one row for each pupil and period with counted sessions, for models of trend and growth.

    Parameters
    ----------
    by
        Characteristics, "la_code" or "laestab", of the period, as categoricals.
    with_enough_sessions
        Leave out periods with too few sessions to tell a band. Published rates do not.

    Returns
    -------
    pandas frame: pupil (position in ``followed.pupils``), academic_year, term (categorical), missed, possible, persistent
    and severe (0 or 1), the columns of ``by``. Ordered by pupil and time.
    """
    is_kept = followed.states < TOO_FEW if with_enough_sessions else followed.possible > 0
    pupil, period = np.nonzero(is_kept)
    missed, possible = followed.missed[is_kept], followed.possible[is_kept]
    terms = (*TERMS, WHOLE_YEAR) if followed.by == "year" else TERMS
    term = np.array([terms.index(one.term) for one in followed.periods], np.int8)
    found = pd.DataFrame(
        {
            "pupil": pupil.astype(np.int32),
            "academic_year": np.array([one.academic_year for one in followed.periods], np.int32)[period],
            "term": pd.Categorical.from_codes(term[period], pd.Index(terms)),
            "missed": missed,
            "possible": possible,
            "persistent": (missed * PERSISTENT[1] >= possible * PERSISTENT[0]).astype(np.int8),
            "severe": (missed * SEVERE[1] >= possible * SEVERE[0]).astype(np.int8),
        }
    )
    for name in dict.fromkeys(by):
        codes, levels = followed.column(name)
        found[name] = pd.Categorical.from_codes(codes[is_kept], pd.Index(levels))
    return found
