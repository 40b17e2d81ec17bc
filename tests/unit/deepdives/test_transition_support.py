"""Supported pupils on a page: planted effects, a group without any, hidden numbers, refusals, by invented cohorts."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.deepdives._support_rows import (
    AFTER,
    BEFORE,
    CHANGE,
    EARLIER,
    EFFECT,
    EXPECTED_CHANGE,
    SAME_YEAR,
)
from attendance_toolkit.deepdives.transition_support import TransitionSupport
from attendance_toolkit.deepdives.transition_support_data import NO_LISTS
from attendance_toolkit.disclosure.policy import policy_for
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import DisclosureError
from attendance_toolkit.inputs import Inputs
from attendance_toolkit.presentation.blocks import MIME, Figure, Findings, Notice, Result, Table
from attendance_toolkit.vocabulary.areas import find_area
from tests.unit.models.transition_cohorts import make_cohorts

TRAFFORD, BURY = "E08000009", "E08000002"
NAME, YEAR = "Transition mentors", 202324
LIST = (YEAR, NAME)


class Store:
    """A store of which a deep dive asks only who is supported and which authorities it holds."""

    manifest = {"is_synthetic": True}

    def __init__(self, lists, codes=(TRAFFORD,)):
        self._lists, self._codes = lists, codes

    def la_codes(self):
        return list(self._codes)

    def support_groups(self):
        frame = self._lists

        class Rows:
            def df(self):
                return frame

        return Rows()


def listed(pupils, year=YEAR, name=NAME):
    return pd.DataFrame({"upn": np.asarray(pupils, dtype=np.int64), "academic_year": year, "support_group": name})


class AsTheyAre:
    """Tables of exact figures, which no release has cleared."""

    def __init__(self, inputs):
        self._dive = TransitionSupport(inputs)

    def table(self, name):
        exact = self._dive.exact(name)
        return ProtectedTable(exact.rows, "Rule.", exact.source)


def page_of(cohorts, lists, *, codes=(TRAFFORD,)):
    """Return a page for partners, as a release clears it."""
    inputs = Inputs(find_area(TRAFFORD), 202324, "partner", policy_for("partner"), Store(lists, codes), None)
    inputs._steps["6"] = cohorts
    return TransitionSupport(inputs)


def exact_page(cohorts, lists, **options):
    """Return a page of exact figures, which is quicker to make: for what has nothing to do with hiding."""
    page = page_of(cohorts, lists, **options)
    return TransitionSupport(page.inputs, AsTheyAre(page.inputs))


@pytest.fixture(scope="module")
def cohorts():
    """Year 6 of 2021/22 to 2023/24; the last has no later year."""
    return make_cohorts(later=False, seed=5, level=(-3.3,))


def at_ten_percent(cohort):
    return 10 * cohort.year_missed.astype(int) >= cohort.year_possible


@pytest.fixture(scope="module")
def supported(cohorts):
    """28 pupils at 10% or more in Year 6 of 2022/23, drawn at random: as a list without any selection but the rule."""
    chosen = np.random.default_rng(2).choice(np.flatnonzero(at_ten_percent(cohorts[1])), 28, replace=False)
    return cohorts[1].pupils[np.sort(chosen)]


@pytest.fixture(scope="module")
def page(cohorts, supported):
    return page_of(cohorts, listed(supported))


@pytest.fixture(scope="module")
def staff(cohorts, supported):
    return exact_page(cohorts, listed(supported))


def text_of(page):
    return page.support_sentences().plain_text()


def planted(cohorts, pupils, change):
    """Return the cohorts with the absence of some pupils after the step set to a share of what it was."""
    later = cohorts[1].later
    mine = np.isin(cohorts[1].pupils, pupils)
    missed = later.period_missed.copy()
    missed[mine] = np.minimum(np.round(missed[mine] * change), later.period_possible[mine]).astype(np.int32)
    return (cohorts[0], replace(cohorts[1], later=replace(later, period_missed=missed)), cohorts[2])


# -- the figures --------------------------------------------------------------------------------------


def test_means_and_counts_are_those_of_plain_loops(cohorts, supported, staff):
    cohort = cohorts[1]
    later = cohort.later
    before, after, persistent = [], [], 0
    for place, pupil in enumerate(cohort.pupils.tolist()):
        if pupil in set(supported.tolist()):
            before.append(sum(cohort.missed[place].tolist()) / sum(cohort.possible[place].tolist()))
            missed, possible = int(later.period_missed[place, 0]), int(later.period_possible[place, 0])
            after.append(missed / possible)
            persistent += 10 * missed >= possible
    figures = [staff.support_figure_of(LIST, name)["rate"] for name in ("pupils", BEFORE, AFTER, CHANGE)]
    mean, late = sum(before) / 28, sum(after) / 28
    assert figures == pytest.approx([28, mean, late, late - mean])
    share = staff.support_figure_of(LIST, "persistent_absence_rate")
    assert (share["numerator"], share["denominator"]) == (persistent, 28)


def test_pupils_compared_with_are_those_the_rule_chooses_and_no_list_has(cohorts, supported, staff):
    earlier = at_ten_percent(cohorts[0]).sum()
    same = (at_ten_percent(cohorts[1]) & ~np.isin(cohorts[1].pupils, supported)).sum()
    assert staff.support_peers(LIST, EARLIER)["rate"] == earlier
    assert staff.support_peers(LIST, SAME_YEAR)["rate"] == same
    expected = staff.support_figure_of(LIST, EXPECTED_CHANGE, EARLIER)
    assert expected["about"] == "2021/22"
    # Only in part what the group's own change is: what is expected and what is beyond it add up to it.
    effect, change = staff.support_figure_of(LIST, EFFECT, EARLIER), staff.support_figure_of(LIST, CHANGE)
    assert expected["rate"] + effect["rate"] == pytest.approx(change["rate"])


def test_a_list_without_any_effect_has_none_though_its_absence_fell(page, staff):
    """Nothing was done to these pupils: what they lost is regression to the mean."""
    change, effect = staff.support_figure_of(LIST, CHANGE), staff.support_figure_of(LIST, EFFECT, EARLIER)
    assert change["rate"] < -0.02
    assert effect["lower"] < 0 < effect["upper"]
    text = text_of(page)
    assert "not clearly different" in text
    assert "neither show that the support lowered absence nor rule it out" in text
    assert "regression to the mean" in text
    assert "clearly lower" not in text


def test_a_planted_effect_is_told(cohorts, supported, staff):
    helped = planted(cohorts, supported, 0.25)
    made = exact_page(helped, listed(supported))
    effect = made.support_figure_of(LIST, EFFECT, EARLIER)
    null, after = staff.support_figure_of(LIST, EFFECT, EARLIER), staff.support_figure_of(LIST, AFTER)["rate"]
    # A quarter is left: the effect is what it was, less three quarters of their absence.
    assert effect["rate"] - null["rate"] == pytest.approx(-0.75 * after, abs=0.003)
    assert effect["upper"] < 0
    assert "was clearly lower than expected" in text_of(made)
    assert "clearly lower than theirs" in text_of(made)
    assert "lower than expected without support" in made.support_figure().title


def test_a_planted_harm_is_told_as_plainly(cohorts, supported):
    made = exact_page(planted(cohorts, supported, 3.0), listed(supported))
    assert "was clearly higher than expected" in text_of(made)
    assert "higher than expected without support" in made.support_figure().title


def test_the_printed_group_is_put_in_words(cohorts):
    """The commissioned report's 28 pupils: 13.34% in Year 6, then 4.4%; the naive change is 8.9 points, as it printed."""
    cohort = cohorts[1]
    mine = np.flatnonzero(at_ten_percent(cohort))[:28]
    possible, missed = cohort.possible.copy(), cohort.missed.copy()
    possible[mine], missed[mine] = (2500, 0, 0), (333, 0, 0)
    missed[mine[:14], 0] += 1  # 333.5 of 2,500 sessions on average: 13.34%
    later = cohort.later
    late_possible, late_missed = later.period_possible.copy(), later.period_missed.copy()
    late_possible[mine], late_missed[mine] = 250, 11
    later = replace(later, period_possible=late_possible, period_missed=late_missed)
    cohort = replace(cohort, possible=possible, missed=missed, later=later)
    made = exact_page((cohorts[0], cohort, cohorts[2]), listed(cohort.pupils[mine]))
    assert "was 13.3% in Year 6 and 4.4% in the autumn term of Year 7 (−8.9 percentage points)" in text_of(made)
    effect = made.support_figure_of(LIST, EFFECT, EARLIER)
    # Less than the naive change: earlier pupils chosen alike, without support, fell as well.
    assert -0.089 < effect["rate"] < 0


# -- refusals -----------------------------------------------------------------------------------------


def test_without_earlier_year_groups_no_effect_is_stated_and_what_is_needed_is(cohorts, supported):
    made = exact_page(cohorts[1:], listed(supported))
    effect = made.support_figure_of(LIST, EFFECT, EARLIER)
    assert effect["symbol"] == "z"
    assert np.isnan(effect["rate"])
    text = text_of(made)
    assert "No effect of the support is stated" in text
    assert "load earlier years" in text
    assert "Beyond that" not in text
    headers = [row.header for row in made.support_table().rows]
    assert not any("earlier year groups" in header for header in headers)
    assert "Change (percentage points)" in headers
    assert made.support_figure() == Result(())


def test_a_store_without_lists_says_how_to_load_one(cohorts):
    made = exact_page(cohorts, listed([]))
    assert made.support_table() == Notice(NO_LISTS, "Not available")
    assert all(word in NO_LISTS for word in ("upn", "academic_year", "support_group", "attendance load"))
    assert made.support_sentences() == made.support_figure() == Result(())


def test_published_figures_have_nothing_of_support(cohorts):
    inputs = Inputs(find_area("Trafford"), 202324, "partner", policy_for("partner"), None, None)
    made = TransitionSupport(inputs)
    assert made.support_table() == made.support_sentences() == made.list_sentences() == Result(())


def test_lists_of_other_years_or_of_nobody_known_are_not_evaluated(cohorts, supported):
    for lists in (listed(supported, 202223), listed([1, 2, 3]), listed(supported, 202425)):
        made = exact_page(cohorts, lists).support_table()
        assert isinstance(made, Notice)
        assert not any(character.isdigit() for character in made.text)


# -- what is hidden -----------------------------------------------------------------------------------


def test_fewer_than_ten_pupils_are_hidden_from_partners_and_not_from_staff(cohorts, supported):
    made = page_of(cohorts, listed(supported[:9]))
    assert set(made.supported.rows["symbol"]) == {"c"}
    assert "cannot be told: figures are hidden" in text_of(made)
    (row,) = made.support_table().rows
    assert {cell.symbol for cell in row.cells} == {"c"}
    assert "Too few supported pupils" not in text_of(made)
    inside = exact_page(cohorts, listed(supported[:9]))
    assert inside.support_figure_of(LIST, "pupils")["rate"] == 9
    assert "Too few supported pupils were followed" in text_of(inside)


def test_a_few_who_dropped_out_are_not_told_by_subtraction(cohorts, supported):
    made = page_of(cohorts, listed([*supported, *range(3)]))
    assert made.support_listed(LIST)["symbol"] == "c"
    assert "is not told" in text_of(made)
    many = page_of(cohorts, listed([*supported, *range(12)]))
    assert many.support_listed(LIST)["rate"] == 40
    assert "Of 40 pupils on the list, 75.0% can be compared" in text_of(many)


def test_the_rule_is_a_round_threshold_and_never_a_pupil_s_own_rate(cohorts):
    cohort = cohorts[1]
    rates = cohort.year_missed / cohort.year_possible
    chosen = np.flatnonzero((rates >= 0.173) & (rates < 0.4))[:25]
    low = np.flatnonzero(rates < 0.03)[:2]
    made = page_of(cohorts, listed(cohort.pupils[np.concatenate([chosen, low])]))
    # 25 of 27 had missed 15% or more; two far below are no part of the rule, and left out.
    assert made.support_figure_of(LIST, "pupils")["about"] == "15% or more"
    assert made.support_figure_of(LIST, "pupils")["rate"] == 25
    assert "who had missed 15% or more of their sessions and were on no list" in text_of(made)


def test_a_list_chosen_without_regard_to_absence_has_no_rule(cohorts):
    made = exact_page(cohorts, listed(cohorts[1].pupils[:60]))
    text = text_of(made)
    assert "who were on no list" in text
    assert "since lists are made that way" not in text


def test_lists_are_not_read_while_a_release_is_shown(cohorts, supported):
    inputs = replace(page_of(cohorts, listed(supported)).inputs, release=object())
    with pytest.raises(DisclosureError):
        inputs.support_groups()


def test_each_pupil_counts_once_and_lists_of_later_years_are_left_out(cohorts, supported):
    lists = pd.concat([listed(supported), listed(supported[::-1]), listed(supported, 202526)])
    found = page_of(cohorts, lists).inputs.support_groups()
    assert found["upn"].tolist() == sorted(supported.tolist())
    assert set(found["academic_year"]) == {YEAR}


# -- areas --------------------------------------------------------------------------------------------


def two_districts(cohorts):
    """Return the cohorts with every other pupil in a second authority."""
    found = []
    for cohort in cohorts:
        la = (np.arange(len(cohort.pupils)) % 2).astype(np.int16)
        later = (
            replace(cohort.later, joined=replace(cohort.later.joined, la_codes=(BURY, TRAFFORD)))
            if cohort.later
            else None
        )
        found.append(replace(cohort, la=la, la_codes=(BURY, TRAFFORD), later=later))
    return tuple(found)


def test_pupils_of_another_district_and_of_none_are_not_the_area_s(cohorts, supported):
    both = two_districts(cohorts)
    mine = both[1].pupils[np.isin(both[1].pupils, supported) & (both[1].la == 1)]
    lists = listed([*supported, 1, 2])
    made = exact_page(both, lists, codes=(BURY, TRAFFORD))
    assert made.support_figure_of(LIST, "pupils")["rate"] == len(mine) == made.support_listed(LIST)["rate"]
    # Of all districts of the data; supported pupils of the other one are no comparison.
    same = (at_ten_percent(both[1]) & ~np.isin(both[1].pupils, supported)).sum()
    assert made.support_peers(LIST, SAME_YEAR)["rate"] == same
    assert "(all districts of the data)" in text_of(made)


# -- who a rule would list ----------------------------------------------------------------------------


def test_how_many_a_rule_would_list_is_counted(cohorts, staff, page):
    coming = cohorts[2]
    number = sum(
        10 * sum(missed) >= sum(possible)
        for missed, possible in zip(coming.missed.tolist(), coming.possible.tolist(), strict=True)
    )
    assert f"{number:,} of 4,000 Year 6 pupils in Trafford in 2023/24" in staff.list_sentences().plain_text()
    assert f"{5 * round(number / 5):,} of 4,000" in page.list_sentences().plain_text()


# -- blocks -------------------------------------------------------------------------------------------


def test_blocks_are_made(page):
    made = [page.support_table(), page.support_sentences(), page.support_figure(), page.list_sentences()]
    assert [type(block) for block in made] == [Table, Findings, Figure, Findings]
    assert all(json.loads(json.dumps(block._repr_mimebundle_()[0][MIME])) for block in made)
    assert len(made[0].columns) <= 8


def test_several_lists_stand_apart(cohorts, supported):
    lists = pd.concat([listed(supported[:14]), listed(supported[14:], name="Breakfast club")])
    made = page_of(cohorts, lists)
    assert [name for _, name in made.support_lists] == ["Breakfast club", NAME]
    sections = [row.section for row in made.support_table().rows]
    assert sorted(set(sections)) == ["Breakfast club, 2023/24", "Transition mentors, 2023/24"]
    assert "Breakfast club, 2023/24: change expected" in made.support_figure().data.plain_text()
