"""Cohorts of a step: against a loop-and-dict version, by properties, and by cases made by hand."""

from __future__ import annotations

from dataclasses import fields, replace

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance_toolkit.errors import NoDataError, ParameterError, VocabularyError
from attendance_toolkit.metrics.cells import DFE_RULES
from attendance_toolkit.metrics.packing import LEVELS as ALL_LEVELS
from attendance_toolkit.metrics.transition import (
    CHARACTERISTICS,
    StepCohort,
    cross_section,
    flows_between,
    joiners,
    link_cohorts,
    link_outcomes,
)
from attendance_toolkit.vocabulary.columns import NC_YEARS, PHASES
from attendance_toolkit.vocabulary.steps import DESTINATION_SOURCES, LINK_OUTCOMES, NOT_KNOWN, OFFERED, ON_ROLL
from tests.unit.metrics import transition_oracle as oracle
from tests.unit.metrics.test_cells_engines import pupil_terms

A, B = "E08900001", "E08900002"
ANY_SCHOOL = replace(DFE_RULES, min_school_enrolments=0)
HALF_TERMS = {"1-2": "autumn", "3-4": "spring", "5": "summer", "6": "summer"}
LEVELS = {name: ALL_LEVELS[name] for name in CHARACTERISTICS}
YEARS = (202122, 202223, 202324)
#: (LAESTAB, authority, phase).
SCHOOLS = (
    (9812001, A, "Primary"),
    (9812002, B, "Primary"),
    (9814001, A, "Secondary"),
    (9824001, B, "Secondary"),
    (9817001, A, "Special"),
    (9811100, B, "Pupil referral unit"),
    (9814999, A, "Unknown"),
)


def stay(upn: int, year: int, school: int = 0, group: str = "6", **changes) -> list[dict]:
    """Return a pupil's rows of one year at one school: 380 possible sessions and none missed unless said otherwise."""
    laestab, la_code, phase = SCHOOLS[school]
    row = {"upn": upn, "academic_year": year, "laestab": laestab, "la_code": la_code, "phase": phase, "nc_year": group}
    sessions = dict(zip(HALF_TERMS, (140, 120, 60, 60), strict=True))
    return [
        row | {"half_term": half_term, "term": term, "sessions_possible": sessions[half_term]} | changes
        for half_term, term in HALF_TERMS.items()
    ]


def link(frame: pd.DataFrame, from_year: str = "6", until: int = 202324, **options) -> tuple[StepCohort, ...]:
    return link_cohorts(frame, from_year, until=until, **{"rules": ANY_SCHOOL, **options})


@st.composite
def steps(draw: st.DrawFn) -> pd.DataFrame:
    """Draw pupils of Years 5 to 8 who move up, stay down, change school or district, board, or are at two schools."""
    rows = []
    for upn in range(1, draw(st.integers(1, 8)) + 1):
        group = draw(st.integers(4, 7))
        for year in YEARS:
            group += draw(st.sampled_from([1, 1, 1, 1, 0]))
            usual = [0, 1] if group <= 6 else [2, 3]
            schools = draw(
                st.sampled_from([usual[:1], usual[:1], usual[1:], usual, [*usual[:1], 5], [4], [6], [], [5]])
            )
            fsm = draw(st.sampled_from(["FSM eligible", "Not known to be FSM eligible", "Unknown"]))
            boards = draw(st.integers(0, 12)) == 0
            age = draw(st.sampled_from([group + 4] * 8 + [group + 9]))
            half_terms = draw(st.sampled_from([list(HALF_TERMS)] * 4 + [["1-2"], ["6"], ["3-4", "5"]]))
            for school in schools:
                for row in stay(upn, year, school, str(group), fsm_eligible=fsm, is_boarder=boards, age=age):
                    possible = draw(st.sampled_from([0, 10, 30, 60, 120, 120]))
                    missed = draw(st.integers(0, 10)) * max(possible, 10) // 10 // 2
                    row |= {"sessions_possible": possible, "sessions_authorised": missed}
                    row |= {"sessions_unauthorised": draw(st.sampled_from([0, 0, 3]))}
                    if row["half_term"] in half_terms:
                        rows.append(row)
    # Pupils who are always counted, so that there is a cohort in every year.
    for place, year in enumerate(YEARS):
        rows += stay(90 + place, year) + stay(90 + place, year + 101, 2, "7")
    return pupil_terms(*[row for row in rows if row["academic_year"] in YEARS])


def as_known(cohort: StepCohort, at: int) -> dict:
    """Return a pupil of a cohort in the oracle's words."""
    terms = {
        term: (int(possible), int(missed))
        for term, possible, missed in zip(cohort.terms, cohort.possible[at], cohort.missed[at], strict=True)
        if possible
    }
    earlier = (int(cohort.earlier_possible[at]), int(cohort.earlier_missed[at]))
    return {
        "school": (int(cohort.laestab[at]), cohort.la_codes[cohort.la[at]]),
        "characteristics": tuple(cohort.levels[name][cohort.codes[name][at]] for name in CHARACTERISTICS),
        "terms": terms,
        "earlier": {"year": earlier} if earlier[0] else {},
    }


def as_later(cohort: StepCohort, at: int) -> dict:
    later = cohort.later
    sessions = {
        name: (int(possible), int(missed))
        for name, possible, missed in zip(
            later.periods, later.period_possible[at], later.period_missed[at], strict=True
        )
        if possible
    }
    school = None
    if later.laestab[at]:
        names = cohort.la_codes[later.la[at]], PHASES[later.phase[at]], NC_YEARS[later.year_group[at]]
        school = (int(later.laestab[at]), *names)
    else:
        assert (later.la[at], later.phase[at], later.year_group[at]) == (-1, -1, -1)
    assert later.possible[at] == sum(possible for possible, _ in sessions.values())
    assert later.missed[at] == sum(missed for _, missed in sessions.values())
    return {"later": sessions, "later_school": school}


@settings(max_examples=8, deadline=None)
@given(frame=steps(), groups=st.sampled_from([("6", "7"), ("7", "8")]), least=st.sampled_from([0, 3]))
def test_cohorts_are_those_of_a_loop(frame, groups, least):
    rules = replace(DFE_RULES, min_school_enrolments=least)
    for year in YEARS[:2]:
        pupils, joined = oracle.cohort(frame, year, *groups, least)
        if not pupils:
            with pytest.raises(NoDataError):
                link(frame, groups[0], year, rules=rules)
            continue
        cohort = link(frame, groups[0], year, rules=rules)[-1]
        assert (cohort.academic_year, cohort.from_year, cohort.to_year) == (year, *groups)
        found = {int(upn): as_known(cohort, at) | as_later(cohort, at) for at, upn in enumerate(cohort.pupils)}
        assert list(found) == sorted(pupils)
        assert found == pupils
        new = cohort.later.joined
        assert {int(upn): as_known(new, at) for at, upn in enumerate(new.pupils)} == joined
        assert new.academic_year == year + 101
        assert new.from_year == groups[1]


def arrays(cohort: StepCohort) -> dict:
    """Return everything a cohort holds, by name."""
    found = {}
    for of in (cohort, cohort.later, cohort.later.joined if cohort.later else None):
        for field in fields(of) if of is not None else ():
            value = getattr(of, field.name)
            if field.name == "codes":
                found |= {(type(of), of.academic_year, name): codes for name, codes in value.items()}
            elif field.name not in ("later", "joined"):
                found[type(of), of.academic_year, field.name] = value
    return found


def assert_same(
    first: tuple[StepCohort, ...], second: tuple[StepCohort, ...], *, besides: tuple[str, ...] = ()
) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        values = arrays(other)
        for key, value in arrays(one).items():
            if key[2] not in besides:
                np.testing.assert_array_equal(value, values[key], err_msg=str(key))


@settings(max_examples=4, deadline=None)
@given(frame=steps(), seed=st.integers(0, 2**20))
def test_the_order_of_rows_does_not_matter(frame, seed):
    mixed = frame.sample(frac=1, random_state=seed).reset_index(drop=True)
    assert_same(link(frame), link(mixed))
    assert_same(link(frame), link(duckdb.connect().from_df(mixed)))


@settings(max_examples=4, deadline=None)
@given(frame=steps())
def test_rows_given_twice_count_twice_and_change_nothing_else(frame):
    """As in CELLS: sessions of one school and half term are added up."""
    once, twice = link(frame), link(pd.concat([frame, frame]))
    counts = ("possible", "missed", "earlier_possible", "earlier_missed", "period_possible", "period_missed")
    assert_same(once, twice, besides=counts)
    for one, other in zip(once, twice, strict=True):
        np.testing.assert_array_equal(2 * one.possible, other.possible)


@settings(max_examples=5, deadline=None)
@given(frame=steps(), members=st.sampled_from([(A,), (B,), (A, B)]))
def test_every_pupil_has_one_outcome_and_they_add_up_to_the_roll(frame, members):
    for cohort in link(frame)[:-1]:
        outcomes, here = link_outcomes(cohort, members), cohort.in_area(members)
        np.testing.assert_array_equal(outcomes >= 0, here)
        counts = np.bincount(outcomes[here], minlength=len(LINK_OUTCOMES))
        linked = cohort.is_compared & here
        assert counts[:2].sum() == linked.sum()
        flows = flows_between(cohort)
        assert flows["pupils"].sum() == cohort.is_compared.sum()
        from_here = flows[flows["la_before"].isin(members)]
        assert from_here.loc[from_here["la_after"].isin(members), "pupils"].sum() == counts[0]
        assert from_here.loc[~from_here["la_after"].isin(members), "pupils"].sum() == counts[1]
        before, after = cross_section(cohort, members)["pupils"]
        assert before == counts.sum()
        assert after == joiners(cohort, members)["pupils"].sum()


def test_each_outcome_by_hand():
    """One pupil for each outcome, in the order of LINK_OUTCOMES."""
    rows = [row for upn in range(1, 10) for row in stay(upn, 202122)]
    rows += stay(1, 202223, 2, "7")  # a school of the same authority
    rows += stay(2, 202223, 3, "7")  # and of another
    rows += stay(3, 202223, 2, "7")[:1]
    rows[-1]["sessions_possible"] = 49
    rows += stay(4, 202223, 4, "7")  # special school
    rows += stay(5, 202223, 5, "7")  # referral unit
    rows += stay(6, 202223, 0, "6")  # stays down
    rows += stay(8, 202223, 2, "7", sessions_possible=0)  # on a roll, without a session
    rows += stay(9, 202223, 6, "7")  # a school of unknown type
    rows += stay(20, 202122, 1) + stay(20, 202223, 2, "7")  # comes from the other district
    rows += stay(21, 202223, 2, "7")  # is new
    rows += stay(22, 202122, 4) + stay(22, 202223, 2, "7")  # comes from a special school
    cohort = link(pupil_terms(*rows), until=202122)[0]
    outcomes = dict(zip(cohort.pupils.tolist(), link_outcomes(cohort, (A,)).tolist(), strict=True))
    assert outcomes == {1: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 6, 8: 2, 9: 2, 20: -1}
    assert cohort.pupils[cohort.is_compared].tolist() == [1, 2, 20]
    assert joiners(cohort, (A,))["pupils"].tolist() == [2, 1, 1, 1]  # pupils 1 and 3; 20; 22; 21
    assert flows_between(cohort).to_numpy().tolist() == [[A, A, 1], [A, B, 1], [B, A, 1]]


def test_a_pupil_of_two_schools_is_at_the_one_with_most_sessions():
    rows = stay(1, 202122) + stay(1, 202122, 1, sessions_possible=200) + stay(2, 202122)
    rows += stay(1, 202223, 5, "7", sessions_possible=90) + stay(1, 202223, 2, "7", sessions_possible=80)
    cohort = link(pupil_terms(*rows), until=202122)[0]
    assert cohort.laestab.tolist() == [9812002, 9812001]
    assert cohort.year_possible.tolist() == [380 + 800, 380]
    assert PHASES[cohort.later.phase[0]] == "Pupil referral unit"
    assert link_outcomes(cohort, (B,)).tolist() == [LINK_OUTCOMES.index("In a pupil referral unit"), -1]


def test_a_small_school_does_not_count_but_is_a_roll():
    """DfE leaves out schools with five or fewer enrolments (methodology of the published absence statistics)."""
    rows = [row for upn in range(1, 8) for row in stay(upn, 202122)]
    rows += [row for upn in range(20, 25) for row in stay(upn, 202122, 1)]
    rows += [row for upn in range(1, 8) for row in stay(upn, 202223, 2 if upn > 3 else 3, "7")]
    # Children too young to count do not make the school larger.
    rows += [row for upn in range(100, 200) for row in stay(upn, 202122, 1, "N2", age=3)]
    rows += [row for upn in range(30, 33) for row in stay(upn, 202223, 2, "9", age=13)]
    cohort = link(pupil_terms(*rows), until=202122, rules=DFE_RULES)[0]
    assert cohort.pupils.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert cohort.later.possible.tolist() == [0, 0, 0, 380, 380, 380, 380]
    assert cohort.later.laestab.tolist() == [9824001] * 3 + [9814001] * 4
    assert link_outcomes(cohort, (A,)).tolist() == [2] * 3 + [0] * 4


def test_destinations_are_from_later_sessions_then_a_roll_then_an_offer():
    rows = [row for upn in range(1, 8) for row in stay(upn, 202122)] + stay(1, 202223, 2, "7")
    rows += stay(50, 202122, 4, "9")
    rolls = pd.DataFrame(
        [
            (1, 9824001, "7", "2022-autumn"),
            (2, 9824001, "7", "2022-autumn"),
            (3, 9824001, "7", "2023-spring"),
            (3, 9814001, "7", "2022-autumn"),
            (4, 9817001, "7", "2022-autumn"),  # a special school first: the mainstream one is taken
            (4, 9824001, "7", "2023-summer"),
            (5, 9812001, "6", "2022-autumn"),  # on the roll of the year before: has left
            (6, 9817001, "7", "2022-autumn"),
        ],
        columns=["upn", "laestab", "nc_year", "census"],
    ).assign(la_code=A)
    offers = pd.DataFrame(
        [(2, 202223, 9814001), (5, 202223, 9814001), (5, 202122, 9824001), (7, 202223, 9817001), (99, 202223, 9814001)],
        columns=["upn", "academic_year", "laestab"],
    )
    (cohort,) = link(pupil_terms(*rows), until=202122, rolls=rolls, destinations=offers)
    sources = [DESTINATION_SOURCES[place] for place in cohort.destination_source]
    assert cohort.destination.tolist() == [9814001, 9824001, 9814001, 9824001, 9814001, 0, 0]
    assert sources == [ON_ROLL] * 4 + [OFFERED, NOT_KNOWN, NOT_KNOWN]
    assert cohort.offered.tolist() == [0, 9814001, 0, 0, 9814001, 0, 9817001]


def test_offers_of_earlier_cohorts_are_kept():
    rows = stay(1, 202122) + stay(1, 202223, 2, "7") + stay(2, 202223) + stay(3, 202223)
    offers = pd.DataFrame({"upn": [1, 2], "academic_year": [202223, 202324], "laestab": [9824001, 9814001]})
    first, last = link(pupil_terms(*rows), until=202223, destinations=offers)
    assert (first.destination.tolist(), first.offered.tolist()) == ([9814001], [9824001])
    assert (last.destination.tolist(), last.offered.tolist()) == ([9814001, 0], [9814001, 0])
    assert last.later is None


def test_chosen_pupils_keep_what_is_known_of_them():
    rows = stay(1, 202122) + stay(2, 202122, 1) + stay(1, 202223, 2, "7") + stay(3, 202223, 2, "7")
    offers = pd.DataFrame({"upn": [2], "academic_year": [202223], "laestab": [9824001]})
    cohort = link(pupil_terms(*rows), until=202122, destinations=offers)[0]
    part = cohort.chosen(np.array([False, True]))
    assert (part.pupils.tolist(), part.offered.tolist(), part.later.laestab.tolist()) == ([2], [9824001], [0])
    assert part.later.joined.pupils.tolist() == [3]


def test_years_of_the_pandemic_are_left_out():
    """2019/20 and 2020/21 begin and end no step, and are no earlier year either."""
    rows = [row for year in (201718, 201819, 201920, 202021, 202122, 202223) for row in stay(year, year)]
    rows += [row for year in (201718, 201819, 201920, 202021, 202122) for row in stay(year, year + 101, 2, "7")]
    rows += stay(202122, 202021, 0, "5") + stay(201718, 201617, 0, "5")
    cohorts = link(pupil_terms(*rows), until=202223)
    assert [cohort.academic_year for cohort in cohorts] == [201718, 202122, 202223]
    assert [cohort.later.academic_year for cohort in cohorts[:-1]] == [201819, 202223]
    assert [cohort.earlier_possible.tolist() for cohort in cohorts] == [[380], [0], [0]]
    # Asked for, such a year has a cohort, which cannot be followed.
    assert [(c.academic_year, c.later) for c in link(pupil_terms(*rows), until=202021)[-1:]] == [(202021, None)]


def test_no_more_than_seven_cohorts():
    rows = [row for start in range(2006, 2017) for row in stay(start, start * 100 + (start + 1) % 100)]
    rows += [row for start in range(2006, 2016) for row in stay(start, (start + 1) * 100 + (start + 2) % 100, 2, "7")]
    cohorts = link(pupil_terms(*rows), until=201617)
    assert [cohort.academic_year for cohort in cohorts] == [201011, 201112, 201213, 201314, 201415, 201516, 201617]


def test_a_year_that_has_just_begun_is_tracked_not_compared():
    rows = stay(1, 202122) + stay(1, 202223, 2, "7")[:2]
    (cohort,) = link(pupil_terms(*rows), until=202122)
    assert not cohort.later.is_whole
    assert not cohort.is_compared.any()
    assert cohort.later.periods == ("1-2", "3-4")
    assert cohort.later.period_possible.tolist() == [[140, 120]]
    with pytest.raises(NoDataError, match="no whole year"):
        link_outcomes(cohort, (A,))
    # Where the data never have a summer term, a year without is as whole as any.
    (cohort,) = link(pupil_terms(*rows[:2], *rows[4:]), until=202122)
    assert cohort.later.is_whole


def test_figures_of_whole_years():
    """Known for the whole year only: a term of its own, and the year after is whole."""
    year = {"half_term": "1-6", "term": "year", "sessions_possible": 380}
    rows = [stay(1, 202122)[0] | year, stay(1, 202223, 2, "7")[0] | year]
    (cohort,) = link(pupil_terms(*rows), until=202122)
    assert (cohort.terms, cohort.later.periods) == (("year",), ("1-6",))
    assert cohort.possible.tolist() == [[380]]
    assert cohort.is_compared.all()
    rows += stay(2, 202122) + stay(2, 202223, 2, "7")
    (cohort,) = link(pupil_terms(*rows), until=202122)
    assert cohort.terms == ("autumn", "spring", "summer", "year")
    assert cohort.possible.tolist() == [[0, 0, 0, 380], [140, 120, 120, 0]]
    assert cohort.later.is_whole


@settings(max_examples=4, deadline=None)
@given(frame=steps(), seed=st.integers(0, 2**20))
def test_what_is_known_by_july_does_not_depend_on_what_comes_later(frame, seed):
    rng = np.random.default_rng(seed)
    spoilt = frame.copy()
    later = (frame["academic_year"] == 202324).to_numpy()
    for name in ("sessions_possible", "sessions_authorised"):
        spoilt.loc[later, name] = rng.integers(0, 100, later.sum()).astype("int32")
    spoilt.loc[later, "nc_year"] = rng.choice(["5", "6", "7", "9"], later.sum())
    before = [link(rows, until=202223)[-1] for rows in (frame, spoilt)]
    plain = [replace(c, later=None, destination=c.offered, destination_source=c.offered) for c in before]
    assert_same((plain[0],), (plain[1],))


def test_errors_say_what_is_allowed():
    frame = pupil_terms(*stay(1, 202122))
    with pytest.raises(NoDataError) as error:
        link(frame, "9", 202122)
    assert not any(character.isdigit() for character in str(error.value))
    with pytest.raises(NoDataError):
        link(frame, until=202324)
    with pytest.raises(ParameterError, match="Use one of: R, 1, 2"):
        link(frame, "13", 202122)
    with pytest.raises(VocabularyError, match="'Middling' is not a level of phase"):
        link(frame.assign(phase="Middling"), until=202122)
