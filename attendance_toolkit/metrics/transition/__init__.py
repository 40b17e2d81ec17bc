"""Pupils followed over one step of the school system, from a year group to the next: the facts, without any model."""

from attendance_toolkit.metrics.transition._links import link_cohorts
from attendance_toolkit.metrics.transition.cohort import ENOUGH_SESSIONS, MAINSTREAM_PHASES, Later, StepCohort

__all__ = ["ENOUGH_SESSIONS", "MAINSTREAM_PHASES", "Later", "StepCohort", "link_cohorts"]
