"""Pupils followed by pseudonym across terms, years, schools and districts. The unit is the pupil, not the enrolment."""

from attendance_toolkit.metrics.following._flows import band_matrix, flow_cells, moves_cells
from attendance_toolkit.metrics.following._paths import (
    classify_trajectories,
    trajectory_cells,
    trajectory_codes,
    trend_rows,
)
from attendance_toolkit.metrics.following._recovery import recovery_cells
from attendance_toolkit.metrics.following._roll import follow_pupils
from attendance_toolkit.metrics.following.followed import ENOUGH_SESSIONS, FOLLOWED_BY, Followed, Period

__all__ = [
    "ENOUGH_SESSIONS",
    "FOLLOWED_BY",
    "Followed",
    "Period",
    "band_matrix",
    "classify_trajectories",
    "flow_cells",
    "follow_pupils",
    "moves_cells",
    "recovery_cells",
    "trajectory_cells",
    "trajectory_codes",
    "trend_rows",
]
