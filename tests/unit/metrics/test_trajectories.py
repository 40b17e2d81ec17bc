"""Trajectories by rule, and the definitions of improving and deteriorating."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance_toolkit.errors import NoDataError, ParameterError, VocabularyError
from attendance_toolkit.metrics.following import classify_trajectories, follow_pupils, trajectory_cells
from attendance_toolkit.vocabulary.directions import UNITS, direction_of
from attendance_toolkit.vocabulary.trajectories import parse_trajectories, trajectory_names, trajectory_rules
from tests.unit.metrics.test_cells_engines import pupil_terms

#: Sessions missed of 200, 400 and 300 in three years. 10% is 20, 40 and 30; 5 points are 10, 20 and 15.
EXAMPLES = [
    ((100, 200, 150), "Persistently severe"),
    ((100, 199, 150), "Persistently absent"),
    ((20, 40, 30), "Persistently absent"),
    ((20, 39, 14), "Recovered"),
    ((20, 39, 15), "Improved"),
    ((20, 400, 29), "Improved"),
    ((19, 0, 30), "Fluctuating"),
    ((10, 0, 30), "Deteriorating"),
    ((60, 39, 105), "Deteriorating"),
    ((60, 39, 75), "Improving"),
    ((60, 39, 76), "Fluctuating"),
    ((19, 0, 13), "Improving"),
    ((19, 0, 14), "Never persistently absent"),
    ((0, 39, 29), "Never persistently absent"),
    ((0, 40, 0), "Fluctuating"),
]


@pytest.mark.parametrize(("missed", "name"), EXAMPLES)
def test_limits_are_exact(missed, name):
    code = classify_trajectories([missed], [(200, 400, 300)])[0]
    assert trajectory_rules().names[code] == name


def test_every_rule_has_an_example():
    assert {name for _, name in EXAMPLES} == set(trajectory_rules().names)


def in_words(missed: tuple[int, ...], possible: tuple[int, ...]) -> str:
    """Return the trajectory as the methods text has the rules, first match wins, in fractions."""
    first, *_, last = rates = [Fraction(a, b) for a, b in zip(missed, possible, strict=True)]
    if min(rates) >= Fraction(1, 2):
        return "Persistently severe"
    if min(rates) >= Fraction(1, 10):
        return "Persistently absent"
    if first >= Fraction(1, 10) and last < Fraction(1, 20):
        return "Recovered"
    if first >= Fraction(1, 10) > last:
        return "Improved"
    if last - first >= Fraction(1, 20) and last >= Fraction(1, 10):
        return "Deteriorating"
    if first - last >= Fraction(1, 20):
        return "Improving"
    return "Never persistently absent" if max(rates) < Fraction(1, 10) else "Fluctuating"


@given(st.lists(st.tuples(*[st.tuples(st.integers(1, 400), st.integers(0, 400))] * 3), min_size=1, max_size=30))
def test_rules_are_those_of_the_text(years):
    possible = [tuple(n for n, _ in pupil) for pupil in years]
    missed = [tuple(min(m, n) for n, m in pupil) for pupil in years]
    codes = classify_trajectories(missed, possible)
    names = trajectory_rules().names
    assert [names[code] for code in codes] == [in_words(a, b) for a, b in zip(missed, possible, strict=True)]


def test_only_pupils_with_enough_sessions_in_every_year_are_followed():
    rows = [
        {"upn": upn, "academic_year": year, "age": 7, "sessions_possible": possible, "sessions_authorised": 6}
        for upn, sessions in enumerate([(60, 60, 60), (60, 49, 60), (60, 60)] + [(100, 100, 100)] * 4, 1)
        for year, possible in zip((202122, 202223, 202324), sessions, strict=False)
    ]
    followed = follow_pupils(pupil_terms(*rows), by="year")
    found = trajectory_cells(followed, ["phase"])
    assert list(found) == ["academic_year", "phase", "trajectory", "pupils"]
    assert found.set_index("trajectory")["pupils"].to_dict() == {
        "Persistently absent": 1,
        "Never persistently absent": 4,
        "Not followed all three years": 2,
    }
    with pytest.raises(ParameterError, match="by='year'"):
        trajectory_cells(follow_pupils(pupil_terms(*rows)))
    for years in ((202122, 202324), (202122, 202223)):
        kept = [row for row in rows if row["academic_year"] in years]
        with pytest.raises(NoDataError, match="3 years one after another"):
            trajectory_cells(follow_pupils(pupil_terms(*kept), by="year"))


@pytest.mark.parametrize(
    ("missed", "possible"),
    [([[1, 2]], [[3]]), ([[1]], [[2]]), ([[3, 1]], [[2, 2]]), ([[0, 1]], [[0, 2]]), ([[-1, 1]], [[2, 2]])],
)
def test_counts_that_are_none_are_refused(missed, possible):
    with pytest.raises(ValueError, match="Sessions missed"):
        classify_trajectories(missed, possible)


RULES = "kind: trajectories\nrules:\n  - {name: A, when: [WHEN]}\n  - {name: B, when: []}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: schemes", "must begin with 'kind: trajectories'"),
        ("kind: trajectories\nrules: []", "a list of rules is needed"),
        ("kind: trajectories\nyears: 1\nrules: []", "whole number from 2"),
        ("kind: trajectories\nyear: 3", "'year' is not a key.* Did you mean 'years'"),
        ("kind: trajectories\nrules: [{name: A, when: []}, {name: A, when: []}]", "'A' is there twice"),
        ("kind: trajectories\nrules: [{name: A, when: []}, {name: B, when: []}]", "'A' has no condition"),
        (RULES.replace(", when: []", ", when: [{years: last, below: 5}]"), "may be left without one"),
        (RULES.replace("A,", "A, direction: better,"), "direction: 'better' is not allowed"),
        (RULES.replace("name: A, ", ""), "rule 1: it has no name"),
        (RULES.replace("[WHEN]", "10"), "a list of conditions"),
        (RULES.replace("WHEN", "10"), "each condition has keys"),
        (RULES.replace("WHEN", "{years: last, at_most: 5}"), "a condition is of years with"),
        (RULES.replace("WHEN", "{years: second, below: 5}"), "years: 'second' is not allowed"),
        (RULES.replace("WHEN", "{years: last, below: many}"), "'many' is not a number"),
        (RULES.replace("WHEN", "{years: last, below: 5.125}"), "at most two decimals"),
        (RULES.replace("WHEN", "{change: first to last, at_most: 5}"), "no change to that side"),
    ],
)
def test_rules_that_cannot_be_read(text, said):
    if "WHEN" in text:
        text = text.replace("WHEN", "{years: every, at_least: 10}")
    with pytest.raises(VocabularyError, match=said):
        parse_trajectories(text)


def test_rules_of_ones_own():
    rules = parse_trajectories(RULES.replace("WHEN", "{years: every, at_least: 12.5}"))
    assert classify_trajectories([[1, 1], [1, 1]], [[8, 8], [8, 9]], rules).tolist() == [0, 1]
    assert rules.rules[0].text == "12.5% or more in every year"


def test_directions_are_defined_once():
    for unit in UNITS:
        definition = direction_of(unit)
        assert all((definition.compared, definition.improving, definition.deteriorating, definition.otherwise))
        assert "{" not in definition.text
        for value in definition.parameters.values():
            assert f"{value}%" in definition.improving
            assert f"{value}%" in definition.deteriorating
    assert direction_of("school").parameters["probability"] == 95
    pupil = direction_of("pupil")
    assert pupil.improving.endswith("Recovered, Improved, Improving")
    assert pupil.deteriorating.endswith("Deteriorating")
    with pytest.raises(VocabularyError, match="Did you mean 'school'"):
        direction_of("schools")


def test_names_and_texts():
    assert len(set(trajectory_names())) == 9
    assert [rule.text for rule in trajectory_rules().rules][4:] == [
        "10% or more in the last year and 5 percentage points or more higher in the last year than in the first",
        "5 percentage points or more lower in the last year than in the first",
        "below 10% in every year",
        "everybody else",
    ]
    assert np.dtype(classify_trajectories([[1, 1]], [[2, 2]]).dtype) == np.int8
