"""Cohorts with a planted truth for the tests of the transition models, by a process of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import expit

from attendance_toolkit.metrics.transition import Later, StepCohort
from attendance_toolkit.vocabulary import columns as c
from attendance_toolkit.vocabulary.steps import DESTINATION_SOURCES, ON_ROLL

TERMS, POSSIBLE = ("autumn", "spring", "summer"), (142, 118, 120)
LEVELS = {
    "fsm_eligible": c.FSM_STATUSES,
    "sen_provision": c.SEN_PROVISIONS,
    "sex": c.SEXES,
    "ethnicity_major": c.ETHNICITY_MAJOR,
}
SHARES = {
    "fsm_eligible": (0.25, 0.75, 0.0),
    "sen_provision": (0.83, 0.13, 0.04, 0.0),
    "sex": (0.49, 0.51, 0.0),
    "ethnicity_major": (0.2, 0.06, 0.07, 0.62, 0.05, 0.0),
}
FSM_STEP = 0.4


def make_cohorts(
    years=(202122, 202223, 202324), pupils=4000, schools=40, seed=1, school_sd=0.2, level=(-2.9,), later=True
):
    """Return cohorts whose pupils have a lasting severity; a school adds a lasting effect, FSM 0.4, after the step."""
    rng = np.random.default_rng(seed)
    effects = rng.normal(0, school_sd, schools)
    levels = dict(zip(years, np.resize(level, len(years)), strict=True))
    return tuple(
        make_cohort(rng, year, pupils, effects, levels[year], later or year != years[-1], 1_000_000 * place)
        for place, year in enumerate(years)
    )


def make_cohort(rng, year, size, effects, level, has_later, first):
    codes = {name: rng.choice(len(share), size, p=share).astype(np.int8) for name, share in SHARES.items()}
    fsm = codes["fsm_eligible"] == 0
    lasting = rng.normal(0, 1, size) + 0.3 * fsm
    school = rng.integers(0, len(effects), size)
    own = rng.normal(0, 0.5, size)
    term = rng.normal(0, 0.3, (size, 3))
    possible = np.tile(np.array(POSSIBLE, dtype=np.int32), (size, 1))
    missed = rng.binomial(possible, expit(-3.1 + lasting + own)[:, None] ** np.exp(-0.2 * term)).astype(np.int32)
    before = rng.binomial(380, expit(-3.1 + lasting + rng.normal(0, 0.5, size))).astype(np.int32)
    chance = expit(level + lasting + FSM_STEP * fsm + effects[school] + 0.7 * own + rng.normal(0, 0.5, size))
    laestab = (9_994_000 + school).astype(np.int32)
    cohort = StepCohort(
        academic_year=year, from_year="6", to_year="7", pupils=first + np.sort(rng.choice(900_000, size, False)),
        terms=TERMS, possible=possible, missed=missed,
        earlier_possible=np.full(size, 380, np.int32), earlier_missed=before,
        laestab=rng.integers(9_992_000, 9_992_100, size).astype(np.int32), la=np.zeros(size, np.int16),
        la_codes=("E08000009",), codes=codes, levels=LEVELS, destination=laestab,
        destination_source=np.full(size, DESTINATION_SOURCES.index(ON_ROLL), np.int8), offered=laestab,
    )  # fmt: skip
    return replace(cohort, later=make_later(rng, cohort, chance)) if has_later else cohort


def make_later(rng, cohort, chance):
    size = len(cohort.pupils)
    missed = rng.binomial(380, chance).astype(np.int32)
    return Later(
        academic_year=cohort.academic_year + 101, possible=np.full(size, 380, np.int32), missed=missed,
        periods=("1-2",), period_possible=np.full((size, 1), 142, np.int32), period_missed=missed[:, None] // 3,
        laestab=cohort.destination, la=np.zeros(size, np.int16),
        phase=np.full(size, c.PHASES.index("Secondary"), np.int8),
        year_group=np.full(size, c.NC_YEARS.index("7"), np.int8), is_whole=True,
        joined=cohort.chosen(np.zeros(size, bool)),
    )  # fmt: skip
