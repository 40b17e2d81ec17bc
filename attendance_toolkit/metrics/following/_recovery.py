"""Pupils who newly reach a threshold of absence, and how many terms later they are below it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.metrics.following._flows import Keys, numbered
from attendance_toolkit.metrics.following.followed import TOO_FEW, Array, Followed
from attendance_toolkit.vocabulary import outcomes as o

#: Threshold -> the lowest band that reaches it.
THRESHOLDS = {o.TEN_OR_MORE: 2, o.BANDS[-1]: 4}


@dataclass(frozen=True)
class _Entries:
    """First times pupils of a threshold came to it: who, in which period, terms seen since, whether they recovered."""

    pupil: Array
    period: Array
    seen: Array
    recovered: Array


def _entries(followed: Followed, lowest: int) -> _Entries:
    """Return each pupil's first step from below a threshold to it, and what was seen of it.

    A pupil is seen until a term without a band (left, elsewhere, too few sessions), or one that is missing from the data.
    """
    if followed.by != "term":
        raise ParameterError("Recovery is counted in terms. Follow the pupils with by='term'.")
    states = followed.states
    follows = {at for at, _ in followed.steps}
    has_band, reached = states < TOO_FEW, (states >= lowest) & (states < TOO_FEW)
    period = np.full(len(states), -1)
    for at in sorted(follows, reverse=True):
        period[has_band[:, at] & ~reached[:, at] & reached[:, at + 1]] = at + 1
    pupil = np.flatnonzero(period >= 0)
    period = period[pupil]
    seen, recovered = np.zeros(len(pupil), np.int64), np.zeros(len(pupil), bool)
    is_open = np.ones(len(pupil), bool)
    for since in range(1, len(followed.periods)):
        now = period + since
        follows_on = np.isin(now - 1, list(follows))
        column = np.minimum(now, len(followed.periods) - 1)
        is_open &= follows_on & has_band[pupil, column]
        seen[is_open] = since
        recovered |= is_open & ~reached[pupil, column]
        is_open &= ~recovered
    return _Entries(pupil, period, seen, recovered)


def _groups(followed: Followed, entries: _Entries, by: Sequence[str]) -> Keys:
    found = {}
    for name in dict.fromkeys(by):
        codes, levels = followed.column(name)
        found[name] = (codes[entries.pupil, entries.period], levels)
    return found


def recovery_cells(followed: Followed, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return what became of pupils who newly reached 10% or 50% of sessions missed in a term.

    Of pupils who went from below the threshold to it between two terms, each the first time; characteristics are those
    of the term they reached it in. They have recovered in the first later term below the threshold.

    Returns
    -------
    pandas frame: threshold ("10% or more", "50% or more"), the columns of ``by``, outcome (``outcomes.RECOVERY``),
    pupils. Each pupil has one outcome; cells without a pupil are left out.

    Raises
    ------
    ParameterError
        The pupils are followed by year.
    """
    parts = []
    for threshold, lowest in THRESHOLDS.items():
        entries = _entries(followed, lowest)
        outcome = np.where(
            entries.recovered,
            np.minimum(entries.seen, len(o.RECOVERED)) - 1,
            len(o.RECOVERED) + np.minimum(entries.seen, len(o.NOT_SEEN) - 1),
        )
        keys = _groups(followed, entries, by) | {"outcome": (outcome, o.RECOVERY)}
        number, names = numbered(keys, len(outcome))
        part = pd.DataFrame(names, columns=list(keys)) if names else pd.DataFrame(columns=list(keys))
        parts.append(
            part.assign(threshold=threshold, pupils=np.bincount(number, minlength=len(names)).astype(np.int64))
        )
    return pd.concat(parts, ignore_index=True)[["threshold", *dict.fromkeys(by), "outcome", "pupils"]]
