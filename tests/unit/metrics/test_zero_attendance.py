"""Pupils with no attendance: against plain loops over the same rows, by cases made by hand, and the laws of the sample."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance_toolkit.errors import VocabularyError
from attendance_toolkit.metrics.cells import absence_cells
from attendance_toolkit.metrics.zero_attendance import (
    AUDIT,
    COVID_ONLY,
    ELSEWHERE_ONLY,
    FEW_SESSIONS,
    NO_POSSIBLE,
    OTHER_AGES,
    allocate,
    digest_of,
    draw_sample,
    enrolments_with_possible,
    full_absence_rates,
    no_attendance,
    no_attendance_in_marks,
    sample_size,
    with_marks,
)
from attendance_toolkit.vocabulary._reference import read_yaml_text
from attendance_toolkit.vocabulary.columns import FULL_ABSENCE_COUNTS
from attendance_toolkit.vocabulary.register_codes import read_mark
from attendance_toolkit.vocabulary.zero_attendance import FILE, audit_rules, parse_audit_rules
from tests.unit.metrics.test_cells_engines import pupil_terms

HALF_TERMS = {"1-2": "autumn", "3-4": "spring", "5": "summer", "6": "summer"}
NOTHING = {"sessions_authorised": 0, "sessions_unauthorised": 0, "sessions_covid": 0}


def term(upn, possible, missed, half_term="1-2", **more):
    return {
        "upn": upn, "half_term": half_term, "term": HALF_TERMS[half_term], "sessions_possible": possible, **NOTHING,
        "sessions_authorised": missed, "age": 9, "laestab": 9810001, **more,
    }  # fmt: skip


def kinds(found):
    return dict(zip(found["upn"], found["kind"], strict=True))


def test_each_kind_by_hand():
    frame = pupil_terms(
        term(1, 100, 100),
        term(2, 100, 99),
        term(3, 9, 9),
        term(4, 10, 10),
        term(5, 40, 0, sessions_covid=40),
        term(6, 40, 30, sessions_covid=10),
        term(7, 0, 0),
        term(8, 50, 50, age=4),
        term(9, 50, 50, age=16),
        term(10, 50, 51),  # more absence than possible sessions says nothing
    )
    assert kinds(no_attendance(frame)) == {
        1: AUDIT, 3: FEW_SESSIONS, 4: AUDIT, 5: COVID_ONLY, 6: AUDIT, 7: NO_POSSIBLE, 8: OTHER_AGES, 9: OTHER_AGES,
    }  # fmt: skip
    assert kinds(no_attendance(frame, fewest=11))[4] == FEW_SESSIONS
    assert enrolments_with_possible(frame) == 7
    with pytest.raises(VocabularyError, match="not a term"):
        no_attendance(frame, term="winter")


def test_a_pupil_of_two_schools_is_told_by_each_and_by_both_together():
    frame = pupil_terms(
        term(1, 100, 100),
        term(1, 60, 20, laestab=9820002, la_code="E08900002"),
        term(2, 30, 30),
        term(2, 70, 70, laestab=9820002, la_code="E08900002"),
    )
    found = no_attendance(frame).set_index(["upn", "laestab"])
    assert found["attended_elsewhere"].to_dict() == {(1, 9810001): 40, (2, 9810001): 0, (2, 9820002): 0}
    together = no_attendance(frame, by_pupil=True)
    assert together[["upn", "laestab", "possible", "la_code"]].to_numpy().tolist() == [[2, 9820002, 100, "E08900002"]]
    assert no_attendance(frame, la_codes=["E08900002"])["upn"].tolist() == [2]


def test_the_cohort_is_the_first_that_is_true_and_reasons_are_told_most_first():
    held = {"looked_after": "No", "social_worker": "No", "sen_provision": "No SEN", "fsm_eligible": "Unknown"}
    order = [
        ({"looked_after": "Yes", "social_worker": "Yes", "sen_provision": "EHC plan"}, "Looked after"),
        ({"social_worker": "Yes", "fsm_eligible": "FSM eligible"}, "Social worker"),
        ({"sen_provision": "EHC plan", "fsm_eligible": "FSM eligible"}, "EHC plan"),
        ({"sen_provision": "SEN support"}, "SEN support"),
        ({"fsm_eligible": "FSM eligible"}, "Free school meals"),
        ({}, "None of these"),
    ]
    rows = [term(n, 20, 20, phase="Secondary", **{**held, **more}) for n, (more, _) in enumerate(order)]
    rows[0] |= {"sessions_authorised": 14, "sessions_unauthorised": 6, "sessions_auth_temp_reduced_timetable": 9,
                "sessions_unauth_noyet": 6}  # fmt: skip
    found = no_attendance(pupil_terms(*rows))
    assert found["cohort"].tolist() == [name for _, name in order] == list(audit_rules().cohort_names)
    assert found["stratum"].iloc[0] == "Looked after, secondary"
    assert found["mix"].iloc[0] == "Part-time timetable 9; No reason yet 6; Authorised, reason not given 5"
    assert found["part_time"].tolist() == [9, 0, 0, 0, 0, 0]


@st.composite
def registers(draw):
    rows = []
    for upn in range(1, draw(st.integers(1, 8)) + 1):
        age = draw(st.sampled_from([4, 5, 9, 15, 16]))
        for school in draw(st.sets(st.integers(1, 2), min_size=1)):
            for half_term in draw(st.sets(st.sampled_from(list(HALF_TERMS)), min_size=1)):
                possible = draw(st.sampled_from([0, 4, 9, 10, 50]))
                covid = draw(st.sampled_from([0, 0, possible // 2, possible]))
                missed = draw(st.sampled_from([0, possible - covid, possible - covid, (possible - covid) // 2, 51]))
                rows.append(
                    term(upn, possible, missed, half_term, age=age, sessions_covid=covid, laestab=9810000 + school)
                )
    return pupil_terms(*rows)


def by_loop(frame, chosen, fewest):
    """Each enrolment's kind, row by row."""
    sums = defaultdict(lambda: [0, 0, 0, 0])
    for row in frame.to_dict("records"):
        missed = row["sessions_authorised"] + row["sessions_unauthorised"]
        if (chosen == "year" or row["term"] == chosen) and missed <= row["sessions_possible"]:
            one = sums[row["upn"], row["laestab"]]
            for place, number in enumerate((row["sessions_possible"], missed, row["sessions_covid"])):
                one[place] += number
            one[3] = row["age"]
    found = {}
    for key, (possible, missed, covid, age) in sums.items():
        if possible - missed - covid > 0:
            continue
        if not 5 <= age <= 15:
            found[key] = OTHER_AGES
        elif not possible:
            found[key] = NO_POSSIBLE
        elif not missed:
            found[key] = COVID_ONLY
        else:
            found[key] = AUDIT if possible >= fewest else FEW_SESSIONS
    return found


@settings(max_examples=40, deadline=None)
@given(registers(), st.sampled_from(["year", "autumn", "spring", "summer"]), st.sampled_from([1, 10]))
def test_enrolments_are_those_of_plain_loops(frame, chosen, fewest):
    found = no_attendance(frame, term=chosen, fewest=fewest)
    assert dict(zip(zip(found["upn"], found["laestab"], strict=True), found["kind"], strict=True)) == by_loop(
        frame, chosen, fewest
    )


def test_cells_count_full_absence_and_its_parts_as_plain_loops_do():
    rng = np.random.default_rng(5)
    rows = []
    for upn in range(1, 300):
        possible = int(rng.choice([20, 100]))
        missed = int(rng.choice([possible, possible, possible // 2]))
        unauthorised = int(rng.choice([0, missed // 2, missed // 2 + 1, missed]))
        reduced = int(rng.choice([0, min(3, missed - unauthorised)]))
        rows.append(
            term(upn, possible, missed - unauthorised, sessions_unauthorised=unauthorised, sex=("Female", "Male")[upn % 2],
                 sessions_auth_temp_reduced_timetable=reduced)
        )  # fmt: skip
    cells = absence_cells(pupil_terms(*rows), ["sex"], counts=("enrolments", *FULL_ABSENCE_COUNTS))
    for record in cells.to_dict("records"):
        here = [row for row in rows if row["sex"] == record["sex"]]
        full = [r for r in here if r["sessions_authorised"] + r["sessions_unauthorised"] == r["sessions_possible"]]
        more = [r for r in full if r["sessions_unauthorised"] > r["sessions_authorised"]]
        reduced = [r for r in full if r["sessions_auth_temp_reduced_timetable"]]
        expected = (len(here), len(full), len(full) - len(more), len(more), len(reduced))
        assert tuple(record[name] for name in ("enrolments", *FULL_ABSENCE_COUNTS)) == expected
        rates = full_absence_rates(cells, ["sex"]).query("measure == 'full_absence_part_time_rate'").set_index("sex")
        assert rates.loc[record["sex"], "rate"] == len(reduced) / len(here)


# --- single marks ---------------------------------------------------------------------------------------------------


def marks_of(pupils, first=date(2024, 9, 2)):
    """Marks: pupil -> (school, text of codes, a session each from the first day on)."""
    rows = []
    for upn, (school, codes) in pupils.items():
        for number, code in enumerate(codes.split()):
            day = first + timedelta(days=number // 2)
            rows.append(
                {"upn": upn, "la_code": "E08900001", "laestab": school, "academic_year": 202425, "half_term": "1",
                 "day": day, "session": "AM" if number % 2 == 0 else "PM", "code": code}
            )  # fmt: skip
    return pd.DataFrame(rows)


def test_marks_tell_education_elsewhere_dual_registration_and_part_time_timetables_apart():
    marks = marks_of(
        {
            1: (9810001, "I " * 6 + "C2 " * 6),
            2: (9810001, "K " * 8 + "I " * 4),
            3: (9810001, "B " * 8 + "I " * 3 + "/"),
            4: (9810001, "D " * 12),
            5: (9810001, "N " * 4),
            6: (9810001, "X " * 2 + "O " * 10),
            7: (9810001, "D " * 6 + "/ " * 6),
        }
    )
    terms = pupil_terms(*(term(upn, 12, 12, looked_after="Yes" if upn == 1 else "No") for upn in range(1, 8)))
    found = no_attendance_in_marks(marks, terms)
    assert kinds(found) == {1: AUDIT, 2: ELSEWHERE_ONLY, 4: NO_POSSIBLE, 5: FEW_SESSIONS, 6: AUDIT}
    first = found.set_index("upn").loc[1]
    assert (first["mix"], first["part_time"]) == ("C2 (part-time timetable) 6; I (illness) 6", 6)
    assert first["stratum"] == "Looked after, primary"
    # A shorter span of days: pupil 3 had not come yet.
    early = no_attendance_in_marks(marks, terms, last=date(2024, 9, 5), fewest=2)
    assert kinds(early)[3] == ELSEWHERE_ONLY
    assert no_attendance_in_marks(marks, first=date(2024, 9, 3), fewest=2).set_index("upn").loc[1, "possible"] == 10


def test_marks_add_their_codes_and_those_listed_apart_to_what_sums_say():
    marks = marks_of({1: (9810001, "I " * 12), 2: (9810001, "K " * 12), 3: (9810001, "/ " * 12)})
    terms = pupil_terms(term(1, 12, 12), term(2, 12, 0), term(3, 12, 12))
    found = with_marks(no_attendance(terms), no_attendance_in_marks(marks, terms))
    assert kinds(found) == {1: AUDIT, 2: ELSEWHERE_ONLY, 3: AUDIT}
    # Pupil 3 has no attendance by the census; the register, which says otherwise, lists nobody and removes nobody.
    assert found.set_index("upn")["mix"].to_dict() == {
        1: "I (illness) 12", 2: "K (education arranged by the local authority) 12", 3: "Authorised, reason not given 12",
    }  # fmt: skip
    assert len(with_marks(no_attendance(terms), no_attendance_in_marks(marks[:0].assign(day=pd.NaT), terms))) == 2


def test_marks_around_the_days_on_which_codes_change_count_by_their_day():
    rng = np.random.default_rng(3)
    codes = np.array(["X", "H", "J", "K", "/", "I", "Y", "D", "C2"])
    for first in (date(2022, 3, 28), date(2024, 8, 14)):
        pupils = {upn: (9810001, " ".join(rng.choice(codes[[0, 0, 1, 2, 5, 7]], 20))) for upn in range(1, 60)}
        marks = marks_of(pupils, first)
        found = no_attendance_in_marks(marks, fewest=1).set_index("upn")
        expected = {}
        for upn, part in marks.groupby("upn"):
            outcomes = Counter(
                read_mark(code, day).outcome for code, day in zip(part["code"], part["day"], strict=True)
            )
            if not outcomes["attended"]:
                expected[upn] = (
                    sum(n for name, n in outcomes.items() if name not in ("none", "blank")),
                    outcomes["covid"],
                )
        assert expected
        assert {upn: (row["possible"], row["covid"]) for upn, row in found.iterrows()} == expected


# --- the sample -----------------------------------------------------------------------------------------------------

LISTS = st.lists(
    st.tuples(st.integers(1, 10**15), st.sampled_from("ABCDE")), min_size=1, max_size=120, unique_by=lambda one: one[0]
)
SHARES = st.fractions(Fraction(1, 200), 1, max_denominator=200)


def frame_of(listed):
    return pd.DataFrame(
        {"upn": [upn for upn, _ in listed], "laestab": 9810001, "stratum": [stratum for _, stratum in listed]}
    )


def drawn_of(frame, share, **options):
    return set(frame["upn"][draw_sample(frame, share, "s", **options).drawn])


@given(LISTS, SHARES, SHARES, st.booleans(), st.randoms())
def test_a_sample_does_not_depend_on_the_order_and_grows_by_adding(listed, one, other, each, random):
    small, large = sorted((one, other))
    frame = frame_of(listed)
    shuffled = random.sample(listed, len(listed))
    found = drawn_of(frame, large, at_least_one=each)
    assert found == drawn_of(frame_of(shuffled), large, at_least_one=each)
    assert drawn_of(frame, small, at_least_one=each) <= found
    strata = {stratum for _, stratum in listed}
    assert len(found) == (
        max(sample_size(len(listed), large), len(strata)) if each else sample_size(len(listed), large)
    )
    if each:
        assert {stratum for upn, stratum in listed if upn in found} == strata
    assert drawn_of(frame, Fraction(1), at_least_one=each) == set(frame["upn"])


def test_every_pupil_of_a_stratum_is_as_likely_to_be_drawn():
    frame = frame_of([(upn, "AB"[upn % 2]) for upn in range(1, 41)])
    times = Counter(
        upn for seed in range(600) for upn in frame["upn"][draw_sample(frame, Fraction(1, 4), seed).drawn].tolist()
    )
    # 150 expected of each, standard deviation 10.6: 4.2 of them either way.
    assert len(times) == 40
    assert all(105 <= number <= 195 for number in times.values())


def test_largest_remainders_would_take_a_place_away_where_this_allocation_does_not():
    def by_remainders(sizes, places):
        exact = [Fraction(size * places, sum(sizes)) for size in sizes]
        found = [int(one) for one in exact]
        for place in sorted(range(len(sizes)), key=lambda n: found[n] - exact[n])[: places - sum(found)]:
            found[place] += 1
        return found

    sizes = [60, 60, 20]
    assert (by_remainders(sizes, 10), by_remainders(sizes, 11)) == ([4, 4, 2], [5, 5, 1])
    ours = [allocate(sizes, places, at_least_one=False) for places in range(sum(sizes) + 1)]
    assert all(all(a <= b for a, b in zip(one, more, strict=True)) for one, more in pairwise(ours))
    # Where nothing is rounded, shares are exact.
    assert ours[70] == [30, 30, 10]


def test_the_sign_of_a_sample_tells_pupils_and_schools():
    assert digest_of([1, 2], [3, 4]) != digest_of([1, 2], [4, 3])
    with pytest.raises(ValueError, match="above 0"):
        draw_sample(frame_of([(1, "A")]), Fraction(0), 1)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("kind: zero attendance audit", "kind: other", "must begin with"),
        ("unfilled: UNKNOWN", "unfilled: NONE", "not the code of an outcome"),
        ("column: looked_after", "column: looked", "not a characteristic"),
        ('level: "Yes"', "level: Yes", "as text in quotation marks"),
        ("label: Custodial", "label: Other", "there twice"),
        ("label: Custodial", "label: 'In prison, or remanded'", "comma"),
        ("none: None of these", "nobody: None of these", "is missing or not a key"),
    ],
)
def test_rules_that_are_not_sound_are_refused_by_what_is_wrong(old, new, says):
    text = read_yaml_text(FILE)
    assert old in text
    with pytest.raises(VocabularyError, match=says):
        parse_audit_rules(text.replace(old, new, 1))
