"""Rates of enrolments that missed every possible session, from CELLS."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from attendance_toolkit.metrics.absence import _enrolment_rate
from attendance_toolkit.vocabulary.columns import FULL_ABSENCE_COUNTS


def full_absence_rates(cells: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return enrolments that missed all their possible sessions as a share of enrolments, and three parts of them.

    Parameters
    ----------
    cells
        CELLS with ``FULL_ABSENCE_COUNTS`` (``absence_cells`` makes them where they are asked for).
    by
        Group columns.

    Returns
    -------
    MEASURE rows of "full_absence_rate" and of "full_absence_authorised_rate" (at least half of the sessions authorised),
    "full_absence_unauthorised_rate" (the others) and "full_absence_part_time_rate" (sessions of a part-time timetable), one
    under another.
    """
    parts = []
    for count in FULL_ABSENCE_COUNTS:
        measure = f"{count.removesuffix('_enrolments')}_rate"
        parts.append(_enrolment_rate(cells, by, measure, [count]))
    return pd.concat(parts, ignore_index=True)
