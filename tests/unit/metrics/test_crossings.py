"""Severe absentees' own sessions, time on roll and crossed characteristics, against plain loops that share no code."""

from __future__ import annotations

from collections import defaultdict
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance_toolkit.metrics.absence import severe_kind_rates
from attendance_toolkit.metrics.cells import EVERYBODY, absence_cells, add_cells
from attendance_toolkit.metrics.crossings import (
    ANY_SEN,
    crossable,
    crossed_cells,
    families_of,
    strata_of,
    with_year_band,
)
from attendance_toolkit.vocabulary.columns import (
    ALL,
    CELL_COUNTS,
    NC_YEAR_BANDS,
    NC_YEARS,
    REASON_COLUMNS,
    SEVERE_COUNTS,
    TIME_ON_ROLL,
)
from attendance_toolkit.vocabulary.hierarchies import band_of
from attendance_toolkit.vocabulary.register_codes import AUTHORISED_REASONS, UNAUTHORISED_REASONS
from tests.unit.metrics.test_cells_engines import ENGINES, pupil_terms, random_terms


def severe_enrolments(frame: pd.DataFrame) -> list[dict]:
    """Sessions of each enrolment that missed half or more of its own, in plain loops."""
    enrolments: dict[tuple, dict] = {}
    for row in frame.to_dict("records"):
        key = (row["upn"], row["laestab"], row["academic_year"])
        found = enrolments.setdefault(
            key,
            {"sex": row["sex"], "possible": 0, "authorised": 0, "unauthorised": 0, **dict.fromkeys(REASON_COLUMNS, 0)},
        )
        for name in ("possible", "authorised", "unauthorised"):
            found[name] += row[f"sessions_{name}"]
        for name in REASON_COLUMNS:
            found[name] += row[name]
    for one in enrolments.values():
        one["absent"] = one["authorised"] + one["unauthorised"]
    return [one for one in enrolments.values() if 2 * one["absent"] >= one["possible"]]


def expected_count(name: str, people: list[dict]) -> int:
    """What a count of severe absentees is, from its name."""
    first, _, what = name.removesuffix("_severe").partition("_")
    if first == "sessions":
        return sum(one[f"sessions_{what}"] for one in people)
    if first == "enrolments":
        return sum(1 for one in people if one.get(what, one.get(f"sessions_{what}")) > 0)
    other = "possible" if first == "cross" else None
    values = [one.get(what, one.get(f"sessions_{what}")) for one in people]
    return sum(value * (one[other] if other else value) for one, value in zip(people, values, strict=True))


@pytest.mark.parametrize("engine", ENGINES)
def test_counts_of_severe_absentees_agree_with_loops(engine):
    frame = random_terms(11)
    frame = frame[frame["sessions_possible"] > 0]
    frame = frame[frame["sessions_authorised"] + frame["sessions_unauthorised"] <= frame["sessions_possible"]]
    make, on_duckdb = ENGINES[engine]
    found = absence_cells(make(frame), ["sex"], rules=EVERYBODY, counts=SEVERE_COUNTS, on_duckdb=on_duckdb)
    people = severe_enrolments(frame)
    assert len(people) >= 20
    for row in found.to_dict("records"):
        here = [one for one in people if one["sex"] == row["sex"]]
        assert {name: row[name] for name in SEVERE_COUNTS} == {
            name: expected_count(name, here) for name in SEVERE_COUNTS
        }


@pytest.mark.parametrize("engine", ENGINES)
def test_time_on_roll_is_that_of_the_enrolment(engine):
    # One pupil of two schools is two enrolments; a year is one enrolment however many spans it is recorded in.
    lengths = {1: [49], 2: [50], 3: [100, 49], 4: [150], 5: [249], 6: [200, 50], 7: [49], 8: [49]}
    rows = [
        {"upn": upn, "half_term": half_term, "sessions_possible": sessions, "laestab": 9812001 + (upn == 8)}
        for upn, spans in lengths.items()
        for half_term, sessions in zip(("1-2", "3-4"), spans, strict=False)
    ]
    make, on_duckdb = ENGINES[engine]
    cells = absence_cells(
        make(pupil_terms(*rows)), ["time_on_roll", "sex"], rules=EVERYBODY, counts=("enrolments",), on_duckdb=on_duckdb
    )
    assert dict(zip(cells["time_on_roll"], cells["enrolments"], strict=True)) == {
        "Under 50 sessions": 3,
        "50 to 149 sessions": 2,
        "150 to 249 sessions": 2,
        "250 sessions or more": 1,
    }


def test_time_on_roll_leaves_nobody_out():
    frame = random_terms(5)
    by_time = absence_cells(frame, ["time_on_roll"])
    assert set(by_time["time_on_roll"]) <= {label for label, _ in TIME_ON_ROLL}
    assert add_cells(by_time, []).iloc[0].to_dict() == absence_cells(frame).iloc[0].to_dict()


def test_every_year_group_has_one_band():
    assert set(band_of("nc_year", "nc_year_band")) == set(NC_YEARS)
    assert set(band_of("nc_year", "nc_year_band").values()) == set(NC_YEAR_BANDS)
    assert with_year_band(pd.DataFrame({"nc_year": ["6", "7", "15"]}))["nc_year_band"].tolist() == [
        "Years 3 to 6",
        "Years 7 to 9",
        "Other year groups",
    ]


def _severe_cells(people: list[dict]) -> pd.DataFrame:
    """Cells of one group of severe absentees alone."""
    counts = {name: expected_count(name, people) for name in SEVERE_COUNTS}
    counts |= {
        f"sessions_{name}_severe": sum(one[name] for one in people)
        for name in ("possible", "authorised", "unauthorised")
    }
    return pd.DataFrame(
        [{**dict.fromkeys(CELL_COUNTS, 0), **counts, "enrolments": 100, "severe_absentees": len(people)}]
    )


def test_kinds_and_reasons_of_severe_absentees_add_up_to_their_absence():
    frame = random_terms(11)
    rows = severe_kind_rates(_severe_cells(severe_enrolments(frame)))
    amount = rows.set_index(["measure", "reason"])["numerator"]
    kinds = {kind: amount[f"{kind}_absence_rate_severe", ALL] for kind in ("overall", "authorised", "unauthorised")}
    assert kinds["overall"] == kinds["authorised"] + kinds["unauthorised"] > 0
    reasons = {name: amount["reason_rate_severe", name] for name in rows["reason"].unique() if name != ALL}
    for kind, names in (("auth", AUTHORISED_REASONS), ("unauth", UNAUTHORISED_REASONS)):
        assert sum(reasons[name] for name in (*names, f"{kind}_unclassified")) == kinds[f"{kind}orised"]
    assert rows["rate"].between(0, 1).all()
    # 2 sessions in every 3 and more are a single severe absentee's, or shared by two: it is said which.
    one = severe_kind_rates(_severe_cells(severe_enrolments(frame)[:1]))
    told = one[one["measure"] == "overall_absence_rate_severe"]
    assert told[["contributors", "concentration"]].to_numpy().tolist() == [[1, 1]]


# --- crossed ------------------------------------------------------------------------------------------------

LEVELS = {
    "fsm_eligible": ["FSM eligible", "Not known to be FSM eligible", "Unknown"],
    "sen_provision": ["No SEN", "SEN support", "EHC plan", "Unknown"],
    "sex": ["Female", "Male"],
}


def random_cells(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    cells = pd.DataFrame(list(product(*LEVELS.values())), columns=list(LEVELS))
    cells = cells.sample(frac=0.7, random_state=seed).assign(area_code="E1")
    cells["enrolments"] = rng.integers(0, 40, len(cells))
    return cells.assign(severe_absentees=rng.integers(0, cells["enrolments"] + 1))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_every_row_is_the_sum_of_its_pupils(seed):
    cells = random_cells(seed)
    sets = families_of(list(LEVELS), [("fsm_eligible", "sen_provision", "sex")])
    found = crossed_cells(
        cells, ["area_code"], list(LEVELS), sets, any_sen=[("sen_provision",), ("sen_provision", "sex")]
    )
    expected: dict[tuple, list[int]] = defaultdict(lambda: [0, 0])
    for row in cells.to_dict("records"):
        for family in sets:
            levels = [row[name] if name in family else ALL for name in LEVELS]
            every = [levels]
            if family in (("sen_provision",), ("sen_provision", "sex")) and levels[1] in ("SEN support", "EHC plan"):
                every.append([levels[0], ANY_SEN, levels[2]])
            for key in every:
                expected[tuple(key)][0] += row["enrolments"]
                expected[tuple(key)][1] += row["severe_absentees"]
    keys = [tuple(row) for row in found[list(LEVELS)].to_numpy().tolist()]
    assert len(keys) == len(set(keys))
    counts = found[["enrolments", "severe_absentees"]].to_numpy().tolist()
    assert dict(zip(keys, counts, strict=True)) == dict(expected)


def test_families_are_none_each_and_all_pairs_and_those_further_that_are_there():
    found = families_of(["a", "b", "c"], [("c", "a", "b"), ("a", "d")])
    assert found == [(), ("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c"), ("a", "b", "c")]


def test_a_characteristic_of_one_level_is_not_crossed_but_the_unknown_are():
    cells = pd.DataFrame(
        {"sex": ["F", "M"], "sen": ["No SEN", "Unknown"], "social": ["No", "No"], "enrolments": [5, 6]}
    )
    assert crossable(cells, ["sex", "sen", "social", "absent"]) == ["sex", "sen"]


def test_strata_are_the_combinations_anybody_is_in():
    cells = pd.DataFrame({"sex": ["F", "M", "F"], "sen": ["No SEN", "Unknown", "No SEN"], "enrolments": [5, 0, 6]})
    assert strata_of(cells, [], ["sex", "sen"]).to_dict("records") == [{"sex": "F", "sen": "No SEN", "enrolments": 11}]
