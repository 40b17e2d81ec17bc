"""Cohorts of a step in a synthetic cohort, against what was planted: who is in it, who left, who went where."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.loaders.synthetic import SyntheticCohort, generate
from attendance_toolkit.metrics.transition import flows_between, link_cohorts, link_outcomes, step_cells
from attendance_toolkit.vocabulary.steps import LINK_OUTCOMES, NO_ROLL, TO_REFERRAL
from tests.unit.metrics.test_following_truth import RULES, terms_of

PHASES = {"PS": "Primary", "SS": "Secondary", "SP": "Special", "PR": "Pupil referral unit"}


@pytest.fixture(scope="module")
def cohort() -> SyntheticCohort:
    return generate("small")


@pytest.fixture(scope="module")
def rows(cohort) -> pd.DataFrame:
    """Return the true sessions, with the year group a pupil is in and the phase of the school."""
    rows = terms_of(cohort)
    group = rows["academic_year"] // 100 - cohort.pupils["reception_year"].to_numpy()[rows["upn"]]
    phases = cohort.schools.set_index("laestab")["phase"].astype("str").map(PHASES)
    return rows.assign(
        nc_year=group.map(lambda number: str(number) if number > 0 else "R"), phase=rows["laestab"].map(phases)
    )


@pytest.fixture(scope="module", params=["6", "7"])
def linked(rows, request):
    return link_cohorts(rows, request.param, until=202324, rules=RULES)


def stays(cohort: SyntheticCohort, start: int) -> pd.DataFrame:
    """Return the enrolments on the roll at some day of the school year that starts in ``start``."""
    found = cohort.enrolments
    ends = found["leaving_date"].fillna(pd.Timestamp("2100-01-01"))
    there = (found["entry_date"] < f"{start + 1}-07-31") & (ends >= f"{start}-09-01")
    return found[there].merge(cohort.schools[["laestab", "phase", "la_code"]], on="laestab")


def test_everybody_of_the_age_at_a_mainstream_school_is_in_the_cohort(cohort, linked):
    assert [step.academic_year for step in linked] == [202122, 202223, 202324]
    for step in linked:
        start = step.academic_year // 100
        there = stays(cohort, start)
        there = there[there["phase"].isin(["PS", "SS"])]
        started = cohort.pupils["reception_year"].to_numpy()[there["pupil"]]
        boards = cohort.pupils["is_boarder"].to_numpy()[there["pupil"]]
        of_age = set(there.loc[(started == start - int(step.from_year)) & ~boards, "pupil"])
        mine = set(step.pupils.tolist())
        # Some are on a roll for a few days only, and have no session that counts.
        assert mine <= of_age
        assert len(of_age - mine) <= 0.01 * len(of_age)
        assert len(mine) > 200


def test_only_pupils_planted_to_leave_are_on_no_roll(cohort, linked):
    planted = (cohort.truth["pupils"]["leaving_reason"] != "").to_numpy()
    ends = cohort.enrolments.groupby("pupil")["leaving_date"].agg(lambda dates: dates.max(skipna=False))
    total = 0
    for step in linked[:-1]:
        outcomes = link_outcomes(step, step.la_codes)
        gone = set(step.pupils[outcomes == LINK_OUTCOMES.index(NO_ROLL)].tolist())
        left = planted[step.pupils] & (ends.reindex(step.pupils) < f"{step.academic_year // 100 + 1}-09-01").to_numpy()
        assert gone == set(step.pupils[left].tolist())
        total += len(gone)
    assert total > 3


def test_destinations_are_those_of_the_enrolments(cohort, linked):
    for step in linked[:-1]:
        there = stays(cohort, step.academic_year // 100 + 1)
        alone = there[~there["pupil"].duplicated(keep=False)].set_index("pupil")
        known = np.isin(step.pupils, alone.index) & (step.later.possible > 0)
        truth = alone.loc[step.pupils[known]]
        assert step.later.laestab[known].tolist() == truth["laestab"].tolist()
        mainstream = truth["phase"].isin(["PS", "SS"]).to_numpy()
        np.testing.assert_array_equal(step.destination[known], np.where(mainstream, truth["laestab"], 0))
        referred = link_outcomes(step, step.la_codes)[known] == LINK_OUTCOMES.index(TO_REFERRAL)
        np.testing.assert_array_equal(referred, (truth["phase"] == "PR").to_numpy())
        assert known.mean() > 0.9


def test_flows_between_districts_are_those_of_the_enrolments(cohort, linked):
    crossed = 0
    for step in linked[:-1]:
        flows = flows_between(step).set_index(["la_before", "la_after"])["pupils"]
        first, second = (
            stays(cohort, step.academic_year // 100 + later).groupby("pupil")["la_code"].agg(set) for later in (0, 1)
        )
        mine = step.pupils[step.is_compared]
        moved = sum(first[pupil].isdisjoint(second[pupil]) for pupil in mine)
        found = sum(count for (before, after), count in flows.items() if before != after)
        # A pupil who moved in the middle of a year is in both districts in it.
        both = sum(len(first[pupil] | second[pupil]) > 1 for pupil in mine) - moved
        assert moved <= found <= moved + both
        crossed += found
    if linked[0].from_year == "6":
        assert crossed > 10


def test_compared_pupils_have_their_own_sessions(cohort, rows, linked):
    """Sums of the sessions as they were drawn, by pandas."""
    counted = rows[
        (rows["sessions_possible"] > 0)
        & rows["age"].between(5, 15)
        & ~rows["is_boarder"]
        & (rows["sessions_authorised"] + rows["sessions_unauthorised"] <= rows["sessions_possible"])
    ]
    before_6 = counted[counted["half_term"] != "6"].groupby(["upn", "laestab", "academic_year"]).size().index
    counted = counted[pd.MultiIndex.from_frame(counted[["upn", "laestab", "academic_year"]]).isin(before_6)]
    counted = counted.assign(missed=counted["sessions_authorised"] + counted["sessions_unauthorised"])
    sums = counted.groupby(["academic_year", "upn"])[["sessions_possible", "missed"]].sum()
    for step in linked[:-1]:
        mine = step.pupils[step.is_compared]
        cells = step_cells(step).iloc[0]
        for when, year in (("before", step.academic_year), ("after", step.later.academic_year)):
            truth = sums.loc[year].loc[mine]
            assert cells[f"possible_{when}"] == truth["sessions_possible"].sum()
            assert cells[f"missed_{when}"] == truth["missed"].sum()
            assert cells[f"persistent_{when}"] == (truth["missed"] * 10 >= truth["sessions_possible"]).sum()
            assert cells[f"severe_{when}"] == (truth["missed"] * 2 >= truth["sessions_possible"]).sum()
