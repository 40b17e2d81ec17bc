"""Synthetic registers: as many of each code as the cohort says, in spells as absences really lie.

Outside the code that lays the marks: the counts of the cohort, and spells found again here by walking through the marks.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.loaders.synthetic import CODES, generate
from attendance_toolkit.loaders.synthetic._marks import spread_marks
from attendance_toolkit.loaders.synthetic._spells import lay_spells

PRESENT = {"/", "\\"}
ABSENT = set("IMRSTHECGUON")


@pytest.fixture(scope="module")
def cohort():
    return generate("sample", areas=["Irwell Bank"], first_year=202324)


@pytest.fixture(scope="module")
def marks(cohort) -> pd.DataFrame:
    return spread_marks(cohort).assign(code=lambda m: m["code"].astype(str), session=lambda m: m["session"].astype(str))


def runs(marks: pd.DataFrame, codes: set[str]) -> pd.DataFrame:
    """Return runs of sessions with one of the codes, one after the other in a pupil's marks: length, first session."""
    ordered = marks.sort_values(["enrolment", "date", "session"], kind="stable")
    inside = ordered["code"].isin(codes).to_numpy()
    same = ordered["enrolment"].eq(ordered["enrolment"].shift()).to_numpy()
    begins = inside & ~(np.append(False, inside[:-1]) & same)
    number = np.cumsum(begins)[inside]
    return pd.DataFrame({
        "length": np.bincount(number)[1:], "session": ordered["session"][begins].to_numpy(),
        "date": ordered["date"][begins].to_numpy(),
    })  # fmt: skip


def test_each_code_is_as_often_as_the_cohort_says(cohort, marks) -> None:
    found = (
        marks.assign(term=np.where(marks["date"] < "2024-01-01", "1-2", np.where(marks["date"] < "2024-04-15", "3-4", "5+")))
        .groupby(["enrolment", "term", "code"]).size().unstack(fill_value=0).reindex(columns=list(CODES), fill_value=0)
    )  # fmt: skip
    slots = cohort.sessions["half_term"].astype(str).replace({"5": "5+", "6": "5+"})
    said = cohort.sessions[list(CODES)].groupby([cohort.sessions["enrolment"], slots]).sum()
    said = said[said.sum(axis=1) > 0]
    for table in (found, said):
        table.index.names = ["enrolment", "term"]
        table["present"] = table["/"] + table["\\"]
    columns = ["present", *(c for c in CODES if c not in PRESENT)]
    pd.testing.assert_frame_equal(
        found[columns].sort_index(), said[columns].sort_index(), check_dtype=False, check_names=False
    )
    assert len(said) > 10_000


def test_a_session_is_marked_once_and_signs_are_those_of_the_half_day(marks) -> None:
    assert not marks.duplicated(["enrolment", "date", "session"]).any()
    assert set(marks.loc[marks["code"] == "/", "session"]) == {"AM"}
    assert set(marks.loc[marks["code"] == "\\", "session"]) == {"PM"}
    assert set(marks["date"].dt.day_of_week) == {0, 1, 2, 3, 4}


def test_absences_come_in_spells(marks) -> None:
    illness = runs(marks, {"I"})
    # An illness is of one to ten sessions; two that follow each other directly are rare, so that few runs are longer.
    assert (illness["length"] <= 10).mean() > 0.98
    assert illness["length"].mean() > 2
    assert (illness["session"] == "AM").mean() > 0.8
    late = runs(marks, {"L"})
    assert (late["session"] == "AM").mean() > 0.8
    assert (late["length"] == 1).mean() > 0.85
    assert runs(marks, {"G"})["length"].mean() > 2 * late["length"].mean()
    # One block of each code would give a pupil no more spells than codes: 2 or 3 a half term.
    absent = runs(marks, ABSENT)
    assert len(absent) > 40_000
    assert absent["length"].median() == 2


def test_absences_do_not_lean_to_a_weekday_unless_planted(cohort, marks) -> None:
    def fridays(table: pd.DataFrame) -> float:
        absent = table["code"].astype(str).isin(ABSENT)
        friday = table["date"].dt.day_of_week == 4
        return absent[friday].mean() / absent.mean()

    # 1 if absences lie evenly; weekdays at the edges of a half term have a little fewer.
    assert 0.95 < fridays(marks) < 1.05
    planted = spread_marks(cohort, friday_share=0.3)
    assert fridays(planted) > 1.3
    counts = [t.groupby([t["enrolment"], t["code"].astype(str)]).size() for t in (marks, planted)]
    changed = ~counts[0].index.get_level_values(1).isin(PRESENT)
    assert changed.sum() > 10_000
    pd.testing.assert_series_equal(counts[0][changed], counts[1].reindex(counts[0].index)[changed], check_dtype=False)


def test_marks_are_the_same_again(cohort, marks) -> None:
    again = spread_marks(cohort)
    assert again["code"].astype(str).equals(marks["code"])


def test_pupils_at_two_schools_meet_little(cohort, marks) -> None:
    # A pupil is marked twice in a session only where the two stays do not fit into the half term one after the other; where
    # then one of the schools has a code that is not a possible session, such as D (dual registration).
    pupil = cohort.enrolments["pupil"].to_numpy()[marks["enrolment"].to_numpy()]
    marked = marks.assign(pupil=pupil)
    keys = ["pupil", "date", "session"]
    assert 0 < marked.duplicated(keys).sum() < 0.0015 * len(marks)
    possible = marked[~marked["code"].isin({"D", "X", "Y"})]
    assert not possible.duplicated(keys).any()


@pytest.mark.parametrize("absent", [0, 1, 7, 19, 20])
def test_spells_fill_whatever_room_there_is(absent: int) -> None:
    # One row of 20 sessions, all codes of absence but the rest present: from no absence to nothing else.
    counts = np.zeros((1, len(CODES)), np.int64)
    for place in range(absent):
        counts[0, CODES.index("IOGE"[place % 4])] += 1
    counts[0, 0] = 20 - absent
    is_morning = np.arange(20) % 2 == 0
    codes = lay_spells(counts, is_morning, np.arange(20) // 2 % 5, np.random.default_rng(absent), friday_share=0.5)
    found = np.bincount(codes, minlength=len(CODES))
    assert found[2:].tolist() == counts[0, 2:].tolist()
    assert found[:2].sum() == 20 - absent
