"""Pupils with possible sessions and none attended: who they are, of which cohort, and a sample of them to look into.

Modules: ``_enrolments`` (from sums of sessions), ``_marks`` (from single marks of registers), ``_sample`` (the draw),
``_rates`` (how many, from CELLS).

A pupil has no attendance if no session of a period was attended: present, late before the register closed, or at approved
educational activity. Sessions coded X in the coronavirus years are possible and neither attended nor missed: they are no
attendance, and a pupil with nothing but those is listed apart, as are pupils with a handful of possible sessions, of whom
nothing can be said, and pupils with no possible session at all. Codes K and B count as attended, so that a pupil educated
elsewhere has attendance; single marks tell of whom that is the only attendance.

Source: DfE, Working together to improve school attendance (codes); the audit is that of Trafford Council's report (2024),
section 9.
"""

from attendance_toolkit.metrics.zero_attendance._enrolments import (
    APART,
    AUDIT,
    COMPULSORY_AGES,
    COVID_ONLY,
    ELSEWHERE_ONLY,
    FEW_SESSIONS,
    FEWEST_SESSIONS,
    NO_POSSIBLE,
    OTHER_AGES,
    code_mix,
    enrolments_with_possible,
    no_attendance,
)
from attendance_toolkit.metrics.zero_attendance._marks import no_attendance_in_marks, with_marks
from attendance_toolkit.metrics.zero_attendance._rates import full_absence_rates
from attendance_toolkit.metrics.zero_attendance._sample import (
    Draw,
    allocate,
    digest_of,
    draw_order,
    draw_sample,
    sample_size,
)

__all__ = [
    "APART",
    "AUDIT",
    "COMPULSORY_AGES",
    "COVID_ONLY",
    "ELSEWHERE_ONLY",
    "FEWEST_SESSIONS",
    "FEW_SESSIONS",
    "NO_POSSIBLE",
    "OTHER_AGES",
    "Draw",
    "allocate",
    "code_mix",
    "digest_of",
    "draw_order",
    "draw_sample",
    "enrolments_with_possible",
    "full_absence_rates",
    "no_attendance",
    "no_attendance_in_marks",
    "sample_size",
    "with_marks",
]
