"""Pupils followed: against a loop-and-dict version, by properties, and by cases made by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance_toolkit.errors import NoDataError, ParameterError, UnknownColumnError, VocabularyError
from attendance_toolkit.metrics.cells import DFE_RULES, EVERYBODY, absence_cells, pupil_count
from attendance_toolkit.metrics.following import (
    Period,
    band_matrix,
    flow_cells,
    follow_pupils,
    moves_cells,
    recovery_cells,
    trend_rows,
)
from attendance_toolkit.store import Store
from attendance_toolkit.vocabulary.outcomes import AFTER, BANDS, BEFORE, MOVES, RECOVERY
from tests.unit.metrics import following_oracle as oracle
from tests.unit.metrics.test_cells_engines import pupil_terms

A, B = "E08900001", "E08900002"
#: As DfE's, but a school of any size counts.
ANY_SCHOOL = replace(DFE_RULES, min_school_enrolments=0)
HALF_TERMS = {"1-2": "autumn", "3-4": "spring", "5": "summer", "6": "summer"}


def as_counter(cells: pd.DataFrame, names: list[str]) -> Counter:
    assert not cells.duplicated(names).any()
    return Counter(dict(zip(cells[names].itertuples(index=False, name=None), cells["pupils"].tolist(), strict=True)))


FLOW = ["academic_year", "step", "band_before", "band_after"]


@st.composite
def lives(draw: st.DrawFn) -> pd.DataFrame:
    """Draw pupils who come, go, move, are too young or too old, board, or are at two schools at once."""
    rows = []
    years = draw(st.sampled_from([(202122, 202223), (202122, 202324), (202122, 202223, 202324)]))
    for upn in range(1, draw(st.integers(1, 6)) + 1):
        age = draw(st.integers(3, 16))
        for year in years:
            fsm = draw(st.sampled_from(["FSM eligible", "Not known to be FSM eligible", "Unknown"]))
            for half_term, term in HALF_TERMS.items():
                for school in draw(st.lists(st.integers(0, 2), unique=True, max_size=2)):
                    possible = draw(st.sampled_from([0, 10, 20, 49, 50, 100, 120]))
                    missed = draw(st.integers(0, 10)) * max(possible, 10) // 10 // 2
                    rows.append(
                        {
                            "upn": upn, "academic_year": year, "half_term": half_term, "term": term,
                            "laestab": 9810001 + school, "la_code": B if school == 2 else A,
                            "phase": ["Primary", "Secondary", "Special"][school],
                            "age": min(age + year // 100 - 2021, 18), "fsm_eligible": fsm,
                            "is_boarder": draw(st.integers(0, 9)) == 0,
                            "sessions_possible": possible, "sessions_authorised": missed,
                            "sessions_unauthorised": draw(st.sampled_from([0, 0, 1])),
                        }
                    )  # fmt: skip
    # A pupil who is always counted, so that there is somebody to follow, in every period.
    rows += [
        {"upn": 99, "academic_year": year, "half_term": half_term, "term": term, "laestab": 9810001, "age": 8}
        for year in years
        for half_term, term in HALF_TERMS.items()
    ]
    return pupil_terms(*rows)


LIVES = {"frame": lives(), "by": st.sampled_from(["term", "year"]), "members": st.sampled_from([None, (A,)])}


@settings(max_examples=30, deadline=None)
@given(**LIVES, least=st.sampled_from([0, 2]))
def test_flows_are_those_of_a_loop(frame, by, members, least):
    rules = replace(DFE_RULES, min_school_enrolments=least)
    expected = oracle.follow(frame, by, set(members) if members else None, least)
    if not expected.states:
        with pytest.raises(NoDataError):
            follow_pupils(frame, by=by, members=members, rules=rules)
        return
    followed = follow_pupils(frame, by=by, members=members, rules=rules)
    found = as_counter(flow_cells(followed, ["phase", "fsm_eligible"]), [*FLOW, "phase", "fsm_eligible"])
    assert found == oracle.flows(expected, ("phase", "fsm_eligible"))


@settings(max_examples=30, deadline=None)
@given(**LIVES)
def test_flows_add_up_to_the_rolls(frame, by, members):
    followed = follow_pupils(frame, by=by, members=members, rules=ANY_SCHOOL)
    cells = flow_cells(followed)
    on_roll = dict(zip(followed.periods, followed.on_roll.sum(axis=0).tolist(), strict=True))
    on_roll_before, on_roll_after = BEFORE[:6], AFTER[:6]
    for at, step in followed.steps:
        before, after = followed.periods[at], followed.periods[at + 1]
        part = cells[(cells["academic_year"] == after.academic_year) & (cells["step"] == step)]
        joined = part.loc[~part["band_before"].isin(on_roll_before), "pupils"].sum()
        left = part.loc[~part["band_after"].isin(on_roll_after), "pupils"].sum()
        assert part["pupils"].sum() == on_roll[before] + joined == on_roll[after] + left
    for name in ("phase", "fsm_eligible", "nc_year", "la_code", "laestab"):
        added = flow_cells(followed, [name]).groupby(FLOW)["pupils"].sum()
        assert added.to_dict() == cells.groupby(FLOW)["pupils"].sum().to_dict()
    moves = moves_cells(followed)
    assert set(moves["move"]) <= set(MOVES)
    stays = cells[~cells["band_before"].isin(["Joined", "Reached age 5"])]
    stays = stays[~stays["band_after"].isin(["Left", "Finished Year 11"])]
    assert moves.groupby(FLOW)["pupils"].sum().to_dict() == stays.groupby(FLOW)["pupils"].sum().to_dict()


@settings(max_examples=12, deadline=None)
@given(**LIVES, seed=st.integers(0, 2**20))
def test_the_order_of_rows_does_not_matter(frame, by, members, seed):
    one = follow_pupils(frame, by=by, members=members, rules=ANY_SCHOOL)
    two = follow_pupils(frame.sample(frac=1, random_state=seed), by=by, members=members, rules=ANY_SCHOOL)
    assert one.periods == two.periods
    for name in ("pupils", "possible", "missed", "on_roll", "elsewhere", "laestab", "la", "age", "states"):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name
    for name, codes in one.codes.items():
        assert np.array_equal(codes, two.codes[name]), name
    pd.testing.assert_frame_equal(flow_cells(one, ["phase", "laestab"]), flow_cells(two, ["phase", "laestab"]))


@settings(max_examples=30, deadline=None)
@given(**LIVES, rules=st.sampled_from([DFE_RULES, ANY_SCHOOL, EVERYBODY]))
def test_the_rules_of_cells_are_kept(frame, by, members, rules):
    period = ["academic_year", *(["term"] if by == "term" else [])]
    area = frame if members is None else frame[frame["la_code"].isin(members)]
    counted = pupil_count(area, period, rules=rules)
    if counted.empty:
        with pytest.raises(NoDataError):
            follow_pupils(frame, by=by, members=members, rules=rules)
        return
    followed = follow_pupils(frame, by=by, members=members, rules=rules)
    keys = [(one.academic_year, one.term) if by == "term" else (one.academic_year,) for one in followed.periods]
    places = {key: place for place, key in enumerate(keys)}
    pupils = {tuple(row[:-1]): row[-1] for row in counted.itertuples(index=False)}
    assert {at: int((followed.possible[:, place] > 0).sum()) for at, place in places.items()} == {
        at: pupils.get(at, 0) for at in places
    }
    cells = absence_cells(area, period, rules=rules)
    absent = cells["sessions_authorised"] + cells["sessions_unauthorised"]
    assert followed.possible.sum() == cells["sessions_possible"].sum()
    assert followed.missed.sum() == absent.sum()


@pytest.fixture(scope="module")
def small(synthetic_store) -> pd.DataFrame:
    return Store.open(synthetic_store).pupil_terms().df()


@pytest.mark.parametrize("by", ["term", "year"])
@pytest.mark.parametrize("members", [None, {A}])
def test_synthetic_authorities_against_a_loop(small, synthetic_store, by, members):
    names = ("phase", "nc_year", "sen_provision", "laestab", "la_code")
    followed = follow_pupils(Store.open(synthetic_store).pupil_terms(), by=by, members=members)
    expected = oracle.follow(small, by, members)
    cells = flow_cells(followed, names)
    assert as_counter(cells, [*FLOW, *names]) == oracle.flows(expected, names)
    assert cells["pupils"].sum() > 1000 or members or by == "year"
    assert {"Reached age 5", "Joined"} <= set(cells["band_before"])
    assert {"Finished Year 11", "Left"} <= set(cells["band_after"])
    rows = trend_rows(followed)
    sessions = dict(
        zip(
            zip(
                followed.pupils[rows["pupil"]].tolist(),
                zip(*([rows["academic_year"], rows["term"]] if by == "term" else [rows["academic_year"]]), strict=True),
                strict=True,
            ),
            zip(rows["possible"].tolist(), rows["missed"].tolist(), strict=True),
            strict=True,
        )
    )
    assert sessions == expected.sessions
    assert rows["persistent"].sum() == sum(missed * 10 >= possible for possible, missed in sessions.values())
    assert rows["severe"].sum() == sum(missed * 2 >= possible for possible, missed in sessions.values())


@pytest.mark.parametrize(("threshold", "lowest"), [("10% or more", 2), ("50% or more", 4)])
def test_recovery_against_a_loop(small, threshold, lowest):
    followed = follow_pupils(small)
    entries = oracle.recoveries(oracle.follow(small, "term", None), lowest)
    cells = recovery_cells(followed).set_index(["threshold", "outcome"])["pupils"].loc[threshold]
    expected = Counter(RECOVERY[min(seen, 3) - 1 if recovered else 3 + min(seen, 3)] for seen, recovered in entries)
    assert cells.to_dict() == expected
    by_phase = recovery_cells(followed, ["phase"])
    assert by_phase.groupby(["threshold", "outcome"])["pupils"].sum().loc[threshold].to_dict() == expected


def term(upn: int, year: int, name: str, missed: int = 0, **more: object) -> dict:
    half_term = {"autumn": "1-2", "spring": "3-4", "summer": "5", "year": "1-6"}[name]
    return {
        "upn": upn,
        "academic_year": year,
        "term": name,
        "half_term": half_term,
        "sessions_authorised": missed,
    } | more


def one_flow(*rows: dict, members: tuple[str, ...] | None = (A,), by: str = "term") -> list[tuple]:
    frame = pupil_terms(*({"laestab": 9810001, "age": 8} | row for row in rows))
    cells = flow_cells(follow_pupils(frame, by=by, members=members, rules=ANY_SCHOOL))
    return list(cells[["step", "band_before", "band_after"]].itertuples(index=False, name=None))


def test_thresholds_are_reached_exactly():
    rows = [term(upn, 202324, "autumn", missed) for upn, missed in enumerate((4, 5, 9, 10, 19, 20, 49, 50), 1)]
    followed = follow_pupils(pupil_terms(*rows), rules=ANY_SCHOOL)
    assert followed.states[:, 0].tolist() == [0, 1, 1, 2, 2, 3, 3, 4]


def test_a_pupil_of_two_schools_counts_once_with_the_sessions_of_both():
    rows = [
        term(1, 202324, "autumn", 6, sessions_possible=60, laestab=9810001, phase="Primary"),
        term(1, 202324, "autumn", 40, sessions_possible=40, laestab=9810002, phase="Special"),
    ]
    followed = follow_pupils(pupil_terms(*rows), rules=ANY_SCHOOL)
    assert (followed.possible.tolist(), followed.missed.tolist(), followed.laestab.tolist()) == (
        [[100]],
        [[46]],
        [[9810001]],
    )
    assert followed.levels["phase"][followed.codes["phase"][0, 0]] == "Primary"


def test_who_joins_and_who_leaves():
    # A pupil of Reception is on no roll here; one who comes at age 5 reached it, one of another age joined.
    assert one_flow(term(1, 202223, "summer", age=4), term(1, 202324, "autumn", age=5), term(2, 202223, "summer")) == [
        ("Summer to autumn", BANDS[0], "Left"),
        ("Summer to autumn", "Reached age 5", BANDS[0]),
    ]
    assert one_flow(term(1, 202324, "spring", age=5), term(2, 202324, "autumn", age=15)) == [
        ("Autumn to spring", BANDS[0], "Left"),
        ("Autumn to spring", "Joined", BANDS[0]),
    ]
    # Aged 15 in Year 11; aged 16 a year on, whatever the rows have.
    assert one_flow(
        term(1, 202223, "summer", age=15), term(1, 202324, "autumn", age=16), term(2, 202324, "autumn", age=9)
    ) == [("Summer to autumn", BANDS[0], "Finished Year 11"), ("Summer to autumn", "Joined", BANDS[0])]
    there = {"la_code": B, "laestab": 9820001}
    move = (term(1, 202324, "autumn"), term(1, 202324, "spring", **there), term(1, 202324, "summer"))
    assert one_flow(*move) == [
        ("Autumn to spring", BANDS[0], "To another district"),
        ("Spring to summer", "From another district", BANDS[0]),
    ]
    # Of both districts together nobody moved away.
    assert one_flow(*move, members=None) == [
        ("Autumn to spring", BANDS[0], BANDS[0]),
        ("Spring to summer", BANDS[0], BANDS[0]),
    ]


def test_a_pupil_on_the_roll_without_countable_sessions_has_not_left():
    none = {"sessions_possible": 0}
    assert one_flow(term(1, 202324, "autumn"), term(1, 202324, "spring", **none)) == [
        ("Autumn to spring", BANDS[0], "Too few sessions")
    ]
    few = {"sessions_possible": 19}
    assert one_flow(term(1, 202324, "autumn", **few), term(1, 202324, "spring")) == [
        ("Autumn to spring", "Too few sessions", BANDS[0])
    ]
    # Sessions in another district tell where the pupil is, even if the old school keeps an entry without any.
    away = term(1, 202324, "spring", la_code=B, laestab=9820001)
    assert one_flow(term(1, 202324, "autumn"), term(1, 202324, "spring", **none), away) == [
        ("Autumn to spring", BANDS[0], "To another district")
    ]


def test_a_figure_of_a_whole_year_is_of_no_term():
    rows = (term(1, 202223, "summer"), term(1, 202324, "year"), term(2, 202324, "autumn"), term(2, 202324, "spring"))
    assert one_flow(*rows) == [
        ("Summer to autumn", BANDS[0], "Too few sessions"),
        ("Summer to autumn", "Joined", BANDS[0]),
        ("Autumn to spring", BANDS[0], BANDS[0]),
        ("Autumn to spring", "Too few sessions", "Too few sessions"),
    ]
    assert one_flow(*rows, by="year") == [("Year to year", BANDS[0], BANDS[0]), ("Year to year", "Joined", BANDS[0])]
    with pytest.raises(NoDataError, match="whole years only"):
        follow_pupils(pupil_terms(term(1, 202324, "year")))


def test_no_step_leads_over_a_missing_period():
    assert one_flow(term(1, 202122, "autumn"), term(1, 202324, "autumn")) == []
    assert one_flow(term(1, 202122, "autumn"), term(1, 202324, "autumn"), by="year") == []
    frame = pupil_terms(term(1, 202122, "autumn"), term(1, 202324, "autumn"))
    assert list(flow_cells(follow_pupils(frame, rules=ANY_SCHOOL), ["phase"])) == [*FLOW, "phase", "pupils"]
    assert Period(202122, "summer").step_to(Period(202122, "autumn")) == ""


def test_moves_of_school_and_district():
    rows = [
        *(term(upn, year, "year") for upn in (1, 2, 3) for year in (202223,)),
        term(1, 202324, "year"),
        term(2, 202324, "year", laestab=9812002, phase="Secondary"),
        term(3, 202324, "year", la_code=B, laestab=9820001),
        term(4, 202324, "year"),
    ]
    for members in (None, (A,)):
        moves = moves_cells(follow_pupils(pupil_terms(*rows), by="year", members=members, rules=ANY_SCHOOL))
        assert moves.set_index("move")["pupils"].to_dict() == dict.fromkeys(MOVES, 1)


def test_band_matrix_counts_pairs_by_group():
    rng = np.random.default_rng(2)
    before, after, group = rng.integers(0, 9, 500), rng.integers(0, 9, 500), rng.integers(0, 3, 500)
    found = band_matrix(before.astype("int8"), after.astype("int8"), group, n_groups=4)
    expected = np.zeros((4, 9, 9), int)
    for at in zip(group, before, after, strict=True):
        expected[at] += 1
    assert np.array_equal(found, expected)


def test_bad_questions_are_answered_in_words():
    frame = pupil_terms(term(1, 202324, "autumn"))
    with pytest.raises(ParameterError, match="'term' or 'year'"):
        follow_pupils(frame, by="terms")
    with pytest.raises(ParameterError, match="sen_provision"):
        follow_pupils(frame, characteristics=["sen"])
    with pytest.raises(NoDataError, match=A):
        follow_pupils(frame, members=[B])
    with pytest.raises(NoDataError, match="Nobody"):
        follow_pupils(frame)
    with pytest.raises(VocabularyError, match="'Sixth form' is not a level of phase"):
        follow_pupils(frame.assign(phase="Sixth form"))
    with pytest.raises(VocabularyError, match="nine-character"):
        follow_pupils(frame.assign(la_code="E0'); --"))
    followed = follow_pupils(frame, rules=ANY_SCHOOL)
    with pytest.raises(UnknownColumnError, match="Choose from: phase"):
        flow_cells(pd_two_terms(), ["fsm6"])
    with pytest.raises(ParameterError, match="by='term'"):
        recovery_cells(follow_pupils(frame, by="year", rules=ANY_SCHOOL))
    assert recovery_cells(followed).empty


def pd_two_terms():
    return follow_pupils(pupil_terms(term(1, 202324, "autumn"), term(1, 202324, "spring")), rules=ANY_SCHOOL)


def test_engines_and_categoricals_agree(small):
    text = small.select_dtypes(["object", "string"]).columns
    one = flow_cells(follow_pupils(small.astype(dict.fromkeys(text, "category"))), ["phase"])
    two = flow_cells(follow_pupils(duckdb.connect().from_df(small)), ["phase"])
    pd.testing.assert_frame_equal(one, two)
