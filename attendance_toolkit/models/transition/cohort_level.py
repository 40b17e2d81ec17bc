"""How high a whole cohort's history lies, so that a change of all pupils' absence from one year to the next is not counted twice.

A model of pupils says: who missed more before will miss more after. Between cohorts that does not hold. If all pupils of
Year 6 missed less this year than Year 6 a year ago, the year was a better one, for pupils of Year 7 in the same year as well:
what the latest cohort came to shows it already. In DfE's figures of 151 authorities (Year 6 of 2016/17 and 2017/18) a change
of one in the log odds of persistent absence in Year 6 went with a change of 0.12 in Year 7 a year later. So a cohort is predicted
at the level of the latest one followed: history tells its pupils apart, not one cohort from another.
"""

from __future__ import annotations

from dataclasses import dataclass

from attendance_toolkit.intervals import FloatArray

#: Standard deviation, in log odds, of how far cohorts' histories lie apart by their years. Of a few hundred pupils the difference
#: found is more of who they are than of the year; it then counts for less.
YEAR_SD = 0.10


@dataclass(frozen=True)
class CohortLevel:
    """Mean of what pupils' histories add to the log odds, over a whole cohort, and the variance of that mean."""

    mean: float
    variance: float


def level_of(added: FloatArray) -> CohortLevel:
    """Return the level of a cohort from what history adds for each of its pupils (N,), N at least 1.

    >>> import numpy as np
    >>> level_of(np.array([0.0, 2.0]))
    CohortLevel(mean=1.0, variance=0.5)
    """
    return CohortLevel(float(added.mean()), float(added.var()) / len(added))


def year_shift_of(latest: CohortLevel, cohort: CohortLevel) -> float:
    """Return what is to be added to the log odds of a cohort's pupils for its history to lie where the latest one's does.

    >>> round(year_shift_of(CohortLevel(0.1, 0.0), CohortLevel(0.0, 0.0)), 6)
    0.1
    >>> round(year_shift_of(CohortLevel(0.1, 0.005), CohortLevel(0.0, 0.005)), 6)  # as likely of the pupils as of the year
    0.05
    """
    variance = latest.variance + cohort.variance
    return (latest.mean - cohort.mean) * YEAR_SD**2 / (YEAR_SD**2 + variance)
