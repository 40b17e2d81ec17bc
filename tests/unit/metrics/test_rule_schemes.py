"""The linter of rule schemes: the printed schemes of the audit, and every kind of fault on tiny ones."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance_toolkit.errors import VocabularyError
from attendance_toolkit.metrics.rule_schemes import is_in, lint_scheme
from attendance_toolkit.vocabulary.rule_schemes import Level, Scheme, parse_scheme, rule_scheme, scheme_names


def found(scheme):
    return [(f.check, f.printed) for f in lint_scheme(scheme)]


def scheme(levels, **more):
    given = {"unit": "percent", "direction": "higher is better", "low": Fraction(0), "high": Fraction(100), **more}
    return Scheme("S", "", "attendance", given.pop("unit"), given.pop("direction"), given.pop("low"),
                  given.pop("high"), tuple(levels), **given)  # fmt: skip


def level(name, rank, low, high, includes="both"):
    ends = [None if end is None else Fraction(str(end)) for end in (low, high)]
    return Level(name, rank, *ends, includes in ("both", "from"), includes in ("both", "to"))


def test_the_printed_schemes_have_the_faults_of_the_audit_and_the_meant_ones_none():
    faults = {name: found(rule_scheme(name)) for name in scheme_names() if lint_scheme(rule_scheme(name))}
    assert set(faults) == {"graduated_response_as_printed", "school_rag_as_printed", "virtual_school_waves_as_printed"}
    # Domain facts: exactly 100% has no level; the printed waves leave out 59.5, 79.5 and 95.1; the RAG is inverted.
    assert faults["graduated_response_as_printed"] == [("gap", "100%")]
    assert [f for f in faults["virtual_school_waves_as_printed"] if f[0] != "whole_numbers"] == [
        ("gap", "59.5%"),
        ("gap", "79.5%"),
        ("no_default", "95.1%"),
    ]
    assert [check for check, _ in faults["school_rag_as_printed"]] == ["direction", "several_levels"]
    assert "Red" in lint_scheme(rule_scheme("school_rag_as_printed"))[0].says


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([level("A", 0, 90, 100), level("B", 1, 0, 90, "from")], []),
        ([level("A", 0, 90, 100), level("B", 1, 0, 90)], [("shared_end", "90%")]),
        ([level("A", 0, 90, 100, "to"), level("B", 1, 0, 90, "from")], [("gap", "90%")]),
        ([level("A", 0, 90, 100, "from"), level("B", 1, 0, 90, "from")], [("gap", "100%")]),
        ([level("A", 0, 85, 100), level("B", 1, 0, 90, "from")], [("overlap", "87.5%")]),
        ([level("A", 0, 90, 100), level("B", 1, 0, 89)], [("gap", "89.5%"), ("whole_numbers", "B (from 0% to 89%)")]),
        ([level("A", 0, None, None)], []),
        ([level("A", 0, 90, 100), level("B", 1, 10, 90, "from")], [("no_default", "9.9%")]),
        ([level("A", 1, 90, 100), level("B", 0, 0, 90, "from")], [("direction", "A")]),
        (
            [level("A", 0, 0, 100), level("B", 1, 20, 30)],
            [("unreachable", "B (from 20% to 30%)"), ("overlap", "25%")],
        ),
        ([level("A", 0, 0, 100), level("B", 1, 30, 20)], [("unreachable", "B (from 30% to 20%)")]),
        ([level("A", 0, 0, 100), level("B", 1, 120, 130)], [("unreachable", "B (from 120% to 130%)")]),
        ([level("A", 0, 0.9, 100), level("B", 1, 0, 0.9, "from")], [("mixed_units", "0.9")]),
    ],
)
def test_each_fault_is_found_and_no_other(levels, expected):
    assert found(scheme(levels)) == expected


def test_whole_numbers_are_right_for_counts_of_sessions():
    levels = [level("A", 0, 0, 9), level("B", 1, 10, 380)]
    checks = [
        check for check, _ in found(scheme(levels, unit="sessions", direction="lower is better", high=Fraction(380)))
    ]
    assert "whole_numbers" not in checks


def test_a_default_closes_every_gap():
    assert found(scheme([level("A", 0, 90, 95)], default="Nothing")) == []


def test_actions_belong_to_levels():
    levels = [level("A", 0, 90, 100), level("B", 1, 0, 90, "from")]
    assert found(scheme(levels, actions=(("meet", "C"),))) == [
        ("action_without_level", "C"),
        ("level_without_action", "B"),
    ]
    assert found(scheme([*levels[:1], level("A", 1, 0, 90, "from")])) == [("level_twice", "A")]


def test_lost_learning_is_worked_out_again():
    wrong = parse_scheme("kind: rule scheme\nexamples: [{attendance: 90, weeks: 4, days: 0}]")
    assert "19 whole days" in lint_scheme(wrong)[0].says


@given(
    st.lists(st.integers(1, 999), min_size=1, max_size=6, unique=True),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.fractions(0, 100, max_denominator=1000),
)
def test_bands_that_meet_are_sound_whichever_side_an_end_belongs_to(cuts, sides, value):
    ends = [Fraction(0), *(Fraction(cut, 10) for cut in sorted(cuts)), Fraction(100)]
    levels = []
    for number in range(len(ends) - 1):
        has_low = number == 0 or sides[number - 1]
        has_high = number == len(ends) - 2 or not sides[number]
        levels.append(Level(f"L{number}", len(ends) - number, ends[number], ends[number + 1], has_low, has_high))
    assert [f.check for f in lint_scheme(scheme(levels)) if f.check != "mixed_units"] == []
    assert sum(is_in(one, value) for one in levels) == 1
    # Without one of the levels its values are missed.
    assert {f.check for f in lint_scheme(scheme(levels[1:]))} & {"gap", "no_default"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("levels: [", "this is not YAML"),
        ("kind: other", "must begin with 'kind: rule scheme'"),
        ("kind: rule scheme\nunits: percent", "Did you mean 'unit'?"),
        ("kind: rule scheme\nunit: pct", "unit: 'pct' is not allowed"),
        ("kind: rule scheme\nlevels: 3", "levels: a list is needed"),
        ("kind: rule scheme\nlevels: [3]", "each entry must have names"),
        ("kind: rule scheme\nlevels: [{rank: 1}]", "level 1: it has no name"),
        ("kind: rule scheme\nlevels: [{name: A, from: ninety}]", "level 1, from: 'ninety' is not a number"),
        ("kind: rule scheme\nlevels: [{name: A, rank: x}]", "rank: 'x' is not a whole number"),
        ("kind: rule scheme\nname: A\nname: B", "'name' is there twice"),
        ("kind: rule scheme\nrange: [1]", "lowest and the highest"),
        ("kind: rule scheme\nexamples: [{attendance: 90}]", "attendance, weeks and days"),
    ],
)
def test_a_wrong_scheme_is_refused_by_name(text, message):
    with pytest.raises(VocabularyError) as caught:
        parse_scheme(text, "mine.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("mine.yaml")
    with pytest.raises(VocabularyError, match="is not a rule scheme"):
        rule_scheme("none")
