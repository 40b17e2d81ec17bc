"""What became of a year group's pupils, each once; who came from where; who joined."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.transition.cohort import MAINSTREAM_CODES, Array, Later, StepCohort
from attendance_toolkit.vocabulary.columns import NC_YEARS, PHASES
from attendance_toolkit.vocabulary.steps import (
    LINK_OUTCOMES,
    LINKED_ELSEWHERE,
    LINKED_HERE,
    NO_ROLL,
    OTHER_YEAR_GROUP,
    TO_REFERRAL,
    TO_SPECIAL,
    TOO_FEW_SESSIONS,
)

#: Where the pupils of the later year group were before: each once.
FROM_HERE, FROM_DISTRICT = "Year group before, here", "Year group before, in another district"
FROM_OTHER, FROM_NO_ROLL = "Another school type or year group", "On no roll of the data before"
ORIGINS = (FROM_HERE, FROM_DISTRICT, FROM_OTHER, FROM_NO_ROLL)


def whole_later(cohort: StepCohort) -> Later:
    """Return the year after the step.

    Raises
    ------
    NoDataError
        The data have no whole year after it.
    """
    if cohort.later is None or not cohort.later.is_whole:
        raise NoDataError("What became of these pupils is not known yet: the data have no whole year after the step.")
    return cohort.later


def link_outcomes(cohort: StepCohort, members: Collection[str]) -> Array:
    """Return what became of each pupil who was in the area before the step.

    A pupil of a mainstream school of the next year group whose absence cannot be compared has too few sessions; so has one
    at a school of unknown type.

    Parameters
    ----------
    cohort
        The cohort, with a whole year after the step.
    members
        Nine-character codes of the area's local authorities.

    Returns
    -------
    (N,) int8 positions in ``LINK_OUTCOMES``; -1 for a pupil of another area.

    Raises
    ------
    NoDataError
        The data have no whole year after the step.
    """
    later = whole_later(cohort)
    here = np.isin(later.la, _places(cohort, members))
    conditions = {
        NO_ROLL: later.phase < 0,
        TO_SPECIAL: later.phase == PHASES.index("Special"),
        TO_REFERRAL: later.phase == PHASES.index("Pupil referral unit"),
        LINKED_HERE: cohort.is_compared & here,
        LINKED_ELSEWHERE: cohort.is_compared,
        OTHER_YEAR_GROUP: np.isin(later.phase, MAINSTREAM_CODES) & (later.year_group != _group(cohort)),
    }
    codes = [LINK_OUTCOMES.index(name) for name in conditions]
    found = np.select(list(conditions.values()), codes, LINK_OUTCOMES.index(TOO_FEW_SESSIONS))
    outcomes: Array = np.where(cohort.in_area(tuple(members)), found, -1).astype(np.int8)
    return outcomes


def _places(cohort: StepCohort, members: Collection[str]) -> list[int]:
    return [place for place, code in enumerate(cohort.la_codes) if code in members]


def _group(cohort: StepCohort) -> int:
    return NC_YEARS.index(cohort.to_year)


def flows_between(cohort: StepCohort) -> pd.DataFrame:
    """Return how many of the pupils who are compared went from which district to which.

    Returns
    -------
    pandas frame: la_before, la_after (nine-character codes), pupils; flows without a pupil are left out.

    Raises
    ------
    NoDataError
        The data have no whole year after the step.
    """
    later, size = whole_later(cohort), len(cohort.la_codes)
    keep = cohort.is_compared
    flows = np.bincount(cohort.la[keep].astype(np.int64) * size + later.la[keep], minlength=size * size)
    before, after = np.divmod(np.flatnonzero(flows), size)
    return pd.DataFrame(
        {
            "la_before": [cohort.la_codes[place] for place in before.tolist()],
            "la_after": [cohort.la_codes[place] for place in after.tolist()],
            "pupils": flows[flows > 0].astype(np.int64),
        }
    )


def arrived(cohort: StepCohort, members: Collection[str]) -> Array:
    """Return (N,) whether the cohort's pupil is counted in the later year group in the area's mainstream schools."""
    later = whole_later(cohort)
    found: Array = (
        np.isin(later.la, _places(cohort, members))
        & np.isin(later.phase, MAINSTREAM_CODES)
        & (later.year_group == _group(cohort))
        & (later.possible > 0)
    )
    return found


def joiners(cohort: StepCohort, members: Collection[str]) -> pd.DataFrame:
    """Return where those counted in the later year group in the area's mainstream schools were a year before.

    Returns
    -------
    pandas frame: origin (``ORIGINS``), pupils. All origins are there.

    Raises
    ------
    NoDataError
        The data have no whole year after the step.
    """
    came, before = arrived(cohort, members), cohort.in_area(tuple(members))
    joined = whole_later(cohort).joined
    new = joined.in_area(tuple(members))
    counts = {
        FROM_HERE: came & before,
        FROM_DISTRICT: came & ~before,
        FROM_OTHER: new & (joined.earlier_possible > 0),
        FROM_NO_ROLL: new & (joined.earlier_possible == 0),
    }
    return pd.DataFrame({"origin": ORIGINS, "pupils": [int(counts[name].sum()) for name in ORIGINS]})
