"""Pupils followed in a synthetic cohort, against what was planted: who left and why, who moved, who is how old."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.loaders.synthetic import SyntheticCohort, generate
from attendance_toolkit.metrics.cells import DFE_RULES
from attendance_toolkit.metrics.following import flow_cells, follow_pupils, moves_cells, trajectory_cells
from attendance_toolkit.metrics.following._flows import flow_codes
from attendance_toolkit.vocabulary.columns import PUPIL_TERM
from attendance_toolkit.vocabulary.outcomes import AFTER, BEFORE
from tests.unit.metrics.test_cells_engines import _DEFAULTS

RULES = replace(DFE_RULES, min_school_enrolments=0)


def terms_of(cohort: SyntheticCohort) -> pd.DataFrame:
    """Return the cohort's true sessions as PUPIL_TERM rows; a pupil's pseudonym is its place in the cohort."""
    sessions = cohort.sessions
    stays = cohort.enrolments.iloc[sessions["enrolment"]].reset_index(drop=True)
    pupils = cohort.pupils.iloc[stays["pupil"]].reset_index(drop=True)
    schools = cohort.schools.set_index("laestab").loc[stays["laestab"]].reset_index()
    born, half_term = pupils["birth_date"].dt, sessions["half_term"].astype("str")
    marks = sessions.drop(columns=["enrolment", "academic_year", "half_term"])

    def count(codes):
        return marks[list(codes)].astype("int32").sum(axis=1).astype("int32")

    known = pd.DataFrame(
        {
            "upn": stays["pupil"],
            "laestab": stays["laestab"].astype("int32"),
            "la_code": schools["la_code"],
            "academic_year": sessions["academic_year"],
            "half_term": half_term,
            "term": half_term.map({"1-2": "autumn", "3-4": "spring", "5": "summer", "6": "summer"}),
            "age": sessions["academic_year"] // 100 - born.year - (born.month * 100 + born.day > 831),
            "is_boarder": pupils["is_boarder"],
            # D (registered elsewhere then) and Y (unable to attend) are not possible sessions.
            "sessions_possible": count(marks.columns.difference(["D", "Y"])),
            "sessions_authorised": count("IMRSTHEC"),
            "sessions_unauthorised": count("GUON"),
        }
    )
    return known.assign(**{name: value for name, value in _DEFAULTS.items() if name not in known})[list(PUPIL_TERM)]


@pytest.fixture(scope="module")
def cohort() -> SyntheticCohort:
    return generate("small")


@pytest.fixture(scope="module")
def rows(cohort) -> pd.DataFrame:
    return terms_of(cohort)


def who(followed, outcome: str) -> set[tuple[int, int]]:
    """Return (pupil, position of the later period) of everybody with an outcome before or after."""
    levels = BEFORE if outcome in BEFORE else AFTER
    found = set()
    for at, _ in followed.steps:
        codes = flow_codes(followed, at)[0 if outcome in BEFORE else 1]
        other = followed.states[:, at + 1 if outcome in BEFORE else at]
        found |= {(int(upn), at + 1) for upn in followed.pupils[(codes == levels.index(outcome)) & (other <= 5)]}
    return found


def test_only_pupils_planted_to_leave_have_left(cohort, rows):
    followed = follow_pupils(rows, rules=RULES)
    planted = set(np.flatnonzero(cohort.truth["pupils"]["leaving_reason"] != ""))
    # Of the planted leavers, those who had a term at an age that counts and a later term in the data to be missed in.
    mine = rows[rows["upn"].isin(planted) & (rows["sessions_possible"] > 0) & (rows["age"] >= 5)]
    period = mine["academic_year"].map({202122: 0, 202223: 3, 202324: 6}) + mine["term"].map(
        {"autumn": 0, "spring": 1, "summer": 2}
    )
    last = mine.assign(period=period).sort_values("period").groupby("upn")[["period", "age"]].last()
    stays_of_age = last["age"] + (last["period"] % 3 == 2) <= 15
    expected = {(upn, at + 1) for upn, at in last.loc[stays_of_age & (last["period"] < 8), "period"].items()}
    assert len(expected) > 90
    assert who(followed, "Left") == expected


def test_year_11_finishes_and_reception_reaches_age_5(cohort, rows):
    followed = follow_pupils(rows, rules=RULES)
    start = cohort.pupils["reception_year"]
    sent = rows[(rows["sessions_possible"] > 0) & ~rows["is_boarder"]]
    finished = {
        (int(upn), 3 + 3 * step)
        for step, year in enumerate((202122, 202223))
        for upn in sent.loc[
            (sent["academic_year"] == year) & (sent["half_term"] == "5") & (sent["upn"].map(start) == 2010 + step),
            "upn",
        ]
    }
    assert len(finished) > 400
    assert who(followed, "Finished Year 11") == finished
    reached = {
        (int(upn), 3 + 3 * step)
        for step, year in enumerate((202223, 202324))
        for upn in sent.loc[
            (sent["academic_year"] == year) & (sent["term"] == "autumn") & (sent["upn"].map(start) == 2021 + step),
            "upn",
        ]
    }
    assert len(reached) > 400
    assert who(followed, "Reached age 5") == reached


def test_moves_between_districts_are_those_of_the_enrolments(cohort, rows):
    counted = rows[(rows["sessions_possible"] > 0) & rows["age"].between(5, 15)]
    # Who comes to a school in the second half of the summer term counts there from the autumn.
    before_6 = counted[counted["half_term"] != "6"].groupby(["upn", "laestab", "academic_year"]).size()
    keys = pd.MultiIndex.from_frame(counted[["upn", "laestab", "academic_year"]])
    counted = counted[keys.isin(before_6.index)]
    authorities = counted.groupby(["academic_year", "term", "upn"])["la_code"].agg(set)
    order = [(year, term) for year in (202122, 202223, 202324) for term in ("autumn", "spring", "summer")]
    total = 0
    for code in sorted(set(rows["la_code"]))[:4]:
        followed = follow_pupils(rows, members=[code], rules=RULES)
        away, back = set(), set()
        for at in range(8):
            first, second = authorities.loc[order[at]], authorities.loc[order[at + 1]]
            both = first.index.intersection(second.index)
            away |= {(int(upn), at + 1) for upn in both if code in first[upn] and code not in second[upn]}
            back |= {(int(upn), at + 1) for upn in both if code not in first[upn] and code in second[upn]}
        assert who(followed, "To another district") == away
        assert who(followed, "From another district") == back
        total += len(away) + len(back)
        moves = moves_cells(followed).groupby("move")["pupils"].sum()
        assert moves["Changed school and district"] == len(away) + len(back)
    assert total > 20


def test_every_authority_adds_up_to_all_of_them(rows):
    """Of all districts together nobody comes from another or goes to one: those flows pair up between the districts."""
    parts = [
        flow_cells(follow_pupils(rows, by="year", members=[code], rules=RULES)) for code in sorted(set(rows["la_code"]))
    ]
    alone = (
        pd.concat(parts).groupby(["academic_year", "band_before", "band_after"])["pupils"].sum().unstack(fill_value=0)
    )
    together = flow_cells(follow_pupils(rows, by="year", rules=RULES), ["la_code"])
    assert not {"From another district", "To another district"} & {*together["band_before"], *together["band_after"]}
    for year in (202223, 202324):
        part = together[together["academic_year"] == year]
        assert part.loc[part["band_after"] == "Left", "pupils"].sum() == alone.loc[year, "Left"].sum()
        assert part.loc[part["band_before"] == "Joined", "pupils"].sum() == alone.loc[(year, "Joined")].sum()


def test_trajectories_add_up_to_everybody(rows):
    followed = follow_pupils(rows, by="year", rules=RULES)
    everybody = trajectory_cells(followed)
    assert everybody["pupils"].sum() == len(followed.pupils)
    by_school = trajectory_cells(followed, ["laestab"])
    assert (
        by_school.groupby("trajectory")["pupils"].sum().to_dict()
        == everybody.set_index("trajectory")["pupils"].to_dict()
    )
    rates = followed.missed / np.maximum(followed.possible, 1)
    whole = (followed.possible >= 50).all(axis=1)
    shares = everybody.set_index("trajectory")["pupils"]
    assert shares["Not followed all three years"] == (~whole).sum()
    assert shares["Persistently severe"] == (rates[whole] >= 0.5).all(axis=1).sum()
    assert shares["Never persistently absent"] < (rates[whole] < 0.1).all(axis=1).sum() < whole.sum()
