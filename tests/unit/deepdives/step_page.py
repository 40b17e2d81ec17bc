"""Pages on a step made of simulated cohorts whose truth is known, without a store on disk."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from attendance_toolkit.deepdives.transition_forecast import TransitionForecast
from attendance_toolkit.deepdives.transition_proof import TransitionProof
from attendance_toolkit.inputs import Inputs, policy_for
from attendance_toolkit.vocabulary.areas import find_area

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))
from transition_truth import simulate_cohorts

YEAR = 202324


class Page(TransitionForecast, TransitionProof):
    """Both parts together, as on the page."""


class FakeStore:
    """A store that knows its districts and schools and nothing else."""

    path = Path("nowhere")

    def __init__(self, la_codes, name):
        self._codes = la_codes
        self.manifest = {"name": name, "is_synthetic": True}

    def la_codes(self):
        return list(self._codes)

    def schools(self):
        return pd.DataFrame({"laestab": pd.Series(dtype=int), "school_name": pd.Series(dtype=str)})


@lru_cache
def cohorts(pupils=5000, schools=50, seed=4):
    """Return three cohorts, the last one about to move up in 2023/24: what came of it is kept as truth."""
    return simulate_cohorts(pupils, schools, 3, seed, drift=0.0)[0]


def july(cohort):
    return replace(cohort, later=None)


def inputs_of(found, area="Greater Weirdale", audience="internal", name="simulated"):
    made = Inputs(find_area(area), YEAR, audience, policy_for(audience), FakeStore(found[-1].la_codes, name), None)
    made._steps["6"] = tuple(found)
    # The second step has no year group to learn from, so that it costs nothing.
    made._steps["7"] = (replace(july(found[-1]), from_year="7", to_year="8"),)
    return made


def page_of(found, **more):
    return Page(inputs_of(found, **more))


def rate_before(cohort):
    return cohort.year_missed / np.maximum(cohort.year_possible, 1)
