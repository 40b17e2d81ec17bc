"""Laws of rule schemes: what the linter says is what a plain look-up over many values finds, and levels are total and ordered.

The oracle is a loop over exact values that asks each level by its own ends; it knows nothing of the linter's probes.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance_toolkit.errors import VocabularyError
from attendance_toolkit.metrics.rating import edge_in_words, level_numbers, level_of, rate_school
from attendance_toolkit.metrics.rule_schemes import lint_scheme
from attendance_toolkit.vocabulary.rule_schemes import INCLUDES, Level, Scheme, parse_scheme, rule_scheme, scheme_names

STEP = 10
#: Checks that say a value is in no level, or in several.
COVERING = {"gap", "no_default", "overlap", "shared_end"}
RATES = ("graduated_response", "virtual_school_waves", "persistent_and_severe_absence")


def inside(level, value):
    """Return whether a value is in a level, end by end."""
    if level.low is not None and (value < level.low or (value == level.low and not level.has_low)):
        return False
    return not (level.high is not None and (value > level.high or (value == level.high and not level.has_high)))


ENDS = st.one_of(st.none(), st.integers(0, 100 // STEP).map(lambda n: Fraction(n * STEP)))
LEVELS = st.lists(st.tuples(ENDS, ENDS, st.sampled_from(INCLUDES)), min_size=1, max_size=4).map(
    lambda rows: tuple(
        Level(
            f"L{n}",
            n,
            low,
            high,
            low is not None and has in ("from", "both"),
            high is not None and has in ("to", "both"),
        )
        for n, (low, high, has) in enumerate(rows)
    )
)
#: Bands that meet, each end on a random side, so that sound schemes are common too.
MEETING = st.tuples(
    st.lists(st.integers(1, 100 // STEP - 1), max_size=3, unique=True), st.lists(st.booleans(), min_size=4, max_size=4)
).map(
    lambda given: tuple(
        Level(
            f"L{n}",
            n,
            Fraction(low * STEP),
            Fraction(high * STEP),
            n == 0 or given[1][n - 1],
            high == 100 // STEP or not given[1][n],
        )
        for n, (low, high) in enumerate(zip([0, *sorted(given[0])], [*sorted(given[0]), 100 // STEP], strict=True))
    )
)


def scheme_of(levels, *, limited=True, default=""):
    ends = (Fraction(0), Fraction(100)) if limited else (None, None)
    return Scheme("S", "", "attendance", "percent", "higher is better", *ends, levels, default)


@settings(max_examples=300)
@given(st.one_of(LEVELS, MEETING), st.booleans())
def test_the_linter_finds_a_gap_or_overlap_exactly_when_some_value_is_not_in_one_level(levels, limited):
    # Every end is a multiple of 10: ends, the middle between two and values beyond all of them show whatever there is.
    values = [Fraction(n * STEP, 2) for n in range(0 if limited else -1, 2 * (100 // STEP) + (1 if limited else 2))]
    in_one = all(sum(inside(level, value) for level in levels) == 1 for value in values)
    said = {finding.check for finding in lint_scheme(scheme_of(levels, limited=limited))} & COVERING
    assert (not said) == in_one


@settings(max_examples=300)
@given(
    st.one_of(LEVELS, MEETING),
    st.sampled_from(["", "L0", "elsewhere"]),
    st.lists(st.integers(0, 380), min_size=1, max_size=20),
    st.lists(st.integers(0, 380), min_size=20, max_size=20),
)
def test_whole_numbers_give_the_level_of_the_fraction(levels, default, possible, counted):
    scheme = scheme_of(levels, default=default)
    counted = [min(count, whole) for count, whole in zip(counted, possible, strict=False)]
    for found, count, whole in zip(level_numbers(scheme, counted, possible), counted, possible, strict=True):
        level = level_of(scheme, Fraction(100 * count, whole)) if whole else None
        assert found == (-1 if level is None else [one.name for one in scheme.levels].index(level.name))


@pytest.mark.parametrize("name", RATES)
def test_a_rate_of_every_enrolment_of_a_year_is_in_one_level_and_levels_are_ordered(name):
    """Every rate that up to 60 sessions can give, by loops over whole numbers."""
    scheme = rule_scheme(name)
    rates = sorted({Fraction(100 * count, whole) for whole in range(1, 61) for count in range(whole + 1)})
    assert all(sum(inside(level, rate) for level in scheme.levels) == 1 for rate in rates)
    ranks = [level_of(scheme, rate).rank for rate in rates]
    assert ranks == sorted(ranks, reverse=scheme.direction == "higher is better")
    assert set(ranks) == {level.rank for level in scheme.levels}


@given(st.fractions(-100, 100, max_denominator=100_000), st.fractions(-100, 100, max_denominator=100_000))
def test_a_better_school_never_has_a_worse_colour(first, second):
    scheme = rule_scheme("school_rag")
    low, high = sorted((first, second))
    assert level_of(scheme, high).rank <= level_of(scheme, low).rank
    both = rate_school(scheme, {"All pupils": low, "FSM": high})
    assert both.level == level_of(scheme, low)  # the worst group sets it
    assert rate_school(scheme, {"All pupils": high, "FSM": low}, mode="all only").level == level_of(scheme, high)


@pytest.mark.parametrize(
    ("name", "value", "just_below", "exactly", "just_above"),
    [
        # Trafford's report, sections 6, 7.2 and 12; DfE's thresholds at 10% and 50% missed.
        ("graduated_response", 80, "Level 3", "Level 2", "Level 2"),
        ("graduated_response", 90, "Level 2", "Level 1", "Level 1"),
        ("graduated_response", 100, "Level 1", "Universal", None),
        ("graduated_response", 95, "Level 1", "Level 1", "Level 1"),
        ("virtual_school_waves", 60, "Wave 3", "Wave 2", "Wave 2"),
        ("virtual_school_waves", 80, "Wave 2", "Wave 1", "Wave 1"),
        ("virtual_school_waves", 95, "Wave 1", "Wave 1", "No wave"),
        ("virtual_school_waves", 100, "No wave", "No wave", None),
        ("persistent_and_severe_absence", 10, "Neither", "Persistently absent", "Persistently absent"),
        ("persistent_and_severe_absence", 50, "Persistently absent", "Persistently and severely absent",
         "Persistently and severely absent"),
        ("school_rag", 0, "Red", "Amber", "Amber"),
        ("school_rag", 2, "Amber", "Amber", "Green"),
    ],
)  # fmt: skip
def test_boundaries_are_exact(name, value, just_below, exactly, just_above):
    scheme = rule_scheme(name)
    tiny = Fraction(1, 10**12)
    assert level_of(scheme, value - tiny).name == just_below
    assert level_of(scheme, Fraction(value)).name == exactly
    above = level_of(scheme, value + tiny)
    assert (above.name if above else None) == just_above
    if scheme.unit == "percent":
        # 0.9 of 10,000,000 sessions, and one session less or more.
        whole = 10_000_000
        counts = np.array([-1, 0, 1]) + whole * value // 100
        names = [scheme.levels[n].name if n >= 0 else None for n in level_numbers(scheme, counts, [whole] * 3)]
        assert names == [just_below, exactly, just_above]


def test_equality_is_said_in_words():
    scheme = rule_scheme("school_rag")
    assert edge_in_words(scheme, Fraction(0)) == "exactly 0 percentage points is Amber"
    assert rate_school(scheme, {"All pupils": Fraction(2), "FSM": Fraction("2.1")}).on_edge == ("All pupils",)


def test_what_a_level_leads_to_is_in_the_scheme():
    """Trafford's report, 7.2: what each colour leads to, the ASIA visit at all of them, and the offer to all schools."""
    scheme = rule_scheme("school_rag")
    meetings = {level.name: scheme.actions_at(level.name)[0] for level in scheme.levels}
    assert [meetings[name].rpartition("meeting ")[2] for name in ("Red", "Amber", "Green")] == [
        "in person each term", "online each term", "by request",
    ]  # fmt: skip
    assert all("ASIA" in scheme.actions_at(level.name)[1] for level in scheme.levels)
    assert len(scheme.always) == 4
    assert (scheme.minimum_cohort, scheme.comparator) == (10, "same cohort")
    assert (rule_scheme("graduated_response").window, rule_scheme("graduated_response").possible) == (20, 20)


@pytest.mark.parametrize("name", scheme_names())
def test_action_and_level_belong_together(name):
    assert not [f for f in lint_scheme(rule_scheme(name)) if "action" in f.check]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("minimum_cohort: 0", "minimum_cohort: '0' is not a whole number of 1 or more"),
        ("minimum_cohort: true", "minimum_cohort: 'True' is not a whole number"),
        ("window: 4 weeks", "window: '4 weeks' is not a whole number"),
        ("possible: 2.5", "possible: '2.5' is not a whole number"),
        ("comparator: England", "comparator: 'England' is not allowed. Use one of: same cohort, all pupils."),
        ("always: a hub", "always: a list is needed"),
    ],
)
def test_a_wrong_key_is_named(line, message):
    with pytest.raises(VocabularyError, match=message.replace(".", r"\.")):
        parse_scheme(f"kind: rule scheme\n{line}", "own.yaml")
