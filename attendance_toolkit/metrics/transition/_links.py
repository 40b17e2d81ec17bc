"""From PUPIL_TERM rows to cohorts: who was in a year group, and what became of each pupil a year later."""

from __future__ import annotations

import duckdb
import pandas as pd

from attendance_toolkit.metrics.transition.cohort import StepCohort


def link_cohorts(
    pupil_terms: pd.DataFrame | duckdb.DuckDBPyRelation,
    from_year: str = "6",
    *,
    until: int,
    rolls: duckdb.DuckDBPyRelation | pd.DataFrame | None = None,
    destinations: duckdb.DuckDBPyRelation | pd.DataFrame | None = None,
) -> tuple[StepCohort, ...]:
    """Return a year group's cohorts, oldest first, the last one of the academic year ``until``."""
    raise NotImplementedError
