"""Pupils followed over one step of the school system, from a year group to the next: the facts, without any model."""

from attendance_toolkit.metrics.transition._links import link_cohorts
from attendance_toolkit.metrics.transition.changes import (
    AFTER,
    BEFORE,
    CHANGES,
    PLACES,
    STEP_COUNTS,
    add_step_cells,
    cross_section,
    days,
    followed_so_far,
    paired_change,
    period_cells,
    step_cells,
)
from attendance_toolkit.metrics.transition.cohort import (
    CHARACTERISTICS,
    ENOUGH_SESSIONS,
    LEFT_OUT_YEARS,
    MAINSTREAM_PHASES,
    Later,
    StepCohort,
    next_year_group,
)
from attendance_toolkit.metrics.transition.outcomes import ORIGINS, flows_between, joiners, link_outcomes

__all__ = [
    "AFTER",
    "BEFORE",
    "CHANGES",
    "CHARACTERISTICS",
    "ENOUGH_SESSIONS",
    "LEFT_OUT_YEARS",
    "MAINSTREAM_PHASES",
    "ORIGINS",
    "PLACES",
    "STEP_COUNTS",
    "Later",
    "StepCohort",
    "add_step_cells",
    "cross_section",
    "days",
    "flows_between",
    "followed_so_far",
    "joiners",
    "link_cohorts",
    "link_outcomes",
    "next_year_group",
    "paired_change",
    "period_cells",
    "step_cells",
]
