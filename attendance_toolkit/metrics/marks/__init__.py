"""What single marks of registers say: the graduated response, penalty-notice windows, spells and days of the week.

Pure functions on rows of ``store.parts.MARK_COLUMNS``: a relation (``Store.marks``), a frame, or a ``MarkTable``, which
makes the marks ready once for several of them.
"""

from attendance_toolkit.metrics.marks._table import ATTENDED, AUTHORISED, COVID, UNAUTHORISED, MarkTable, ready
from attendance_toolkit.metrics.marks._weeks import (
    CALENDAR_WEEKS,
    SCHOOL_DAYS,
    WINDOWS,
    last_school_weeks,
    school_days,
)
from attendance_toolkit.metrics.marks.penalties import BY_EVENTS, BY_NOTICES, penalty_windows
from attendance_toolkit.metrics.marks.response import (
    DOWN,
    INSUFFICIENT,
    LEAVE_SESSIONS,
    LEAVE_WEEKS,
    LEFT,
    MOVES,
    NEW,
    UP,
    Movement,
    graduated_response,
    movement,
)
from attendance_toolkit.metrics.marks.spells import OPEN, RETURNED, WEEKDAYS, patterns, spells, weekday_counts

__all__ = [
    "ATTENDED",
    "AUTHORISED",
    "BY_EVENTS",
    "BY_NOTICES",
    "CALENDAR_WEEKS",
    "COVID",
    "DOWN",
    "INSUFFICIENT",
    "LEAVE_SESSIONS",
    "LEAVE_WEEKS",
    "LEFT",
    "MOVES",
    "NEW",
    "OPEN",
    "RETURNED",
    "SCHOOL_DAYS",
    "UNAUTHORISED",
    "UP",
    "WEEKDAYS",
    "WINDOWS",
    "MarkTable",
    "Movement",
    "graduated_response",
    "last_school_weeks",
    "movement",
    "patterns",
    "penalty_windows",
    "ready",
    "school_days",
    "spells",
    "weekday_counts",
]
