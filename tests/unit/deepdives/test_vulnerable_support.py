"""Supported pupils of several year groups on a page: figures by loops, a group without support, refusals, what is missing."""

from __future__ import annotations

import pytest

from attendance_toolkit.deepdives._support_rows import AFTER, BEFORE, CHANGE, EARLIER, EFFECT, EXPECTED_CHANGE
from attendance_toolkit.deepdives.vulnerable_support import VulnerableSupport
from attendance_toolkit.deepdives.vulnerable_support_data import NO_LISTS
from attendance_toolkit.disclosure.policy import policy_for
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.inputs import Inputs
from attendance_toolkit.presentation.blocks import Figure, Notice, Result, Table
from attendance_toolkit.vocabulary.areas import find_area
from tests.unit.deepdives.test_transition_support import TRAFFORD, Store, listed
from tests.unit.models.test_support_year_groups import YEAR, drawn, moved
from tests.unit.models.transition_cohorts import make_cohorts

NAME = "Transition mentors"


class YearStore(Store):
    """A store that knows its years, too."""

    def academic_years(self):
        return [202122, 202223, YEAR]


@pytest.fixture(scope="module")
def cohorts():
    sixth = make_cohorts(later=False, seed=5, level=(-3.3,), pupils=2500)
    return {"6": sixth, "8": moved(make_cohorts(later=False, seed=6, pupils=2500), "8", "9", 10_000_000)}


def page_of(cohorts, lists, monkeypatch):
    monkeypatch.setattr(Inputs, "year_groups_of", lambda *_: tuple(cohorts))
    inputs = Inputs(find_area(TRAFFORD), YEAR, "partner", policy_for("partner"), YearStore(lists), None)
    inputs._steps.update(cohorts)
    return VulnerableSupport(inputs)


def test_means_are_those_of_plain_loops_over_all_year_groups(cohorts, monkeypatch):
    group = drawn(cohorts, {"6": 40, "8": 60})
    page = page_of(cohorts, listed(group), monkeypatch)
    before, after = [], []
    for name in cohorts:
        cohort = cohorts[name][1]
        for place, pupil in enumerate(cohort.pupils.tolist()):
            if pupil in set(group.tolist()):
                before.append(sum(cohort.missed[place].tolist()) / sum(cohort.possible[place].tolist()))
                later = cohort.later
                after.append(int(later.period_missed[place, 0]) / int(later.period_possible[place, 0]))
    mean, late = sum(before) / 100, sum(after) / 100
    shown = [page.supported_figure_of(NAME, name)["rate"] for name in ("pupils", BEFORE, AFTER, CHANGE)]
    assert shown == pytest.approx([100, round(mean, 3), round(late, 3), round(late - mean, 3)])
    expected, effect = (page.supported_figure_of(NAME, name, EARLIER)["rate"] for name in (EXPECTED_CHANGE, EFFECT))
    assert late - mean == pytest.approx(expected + effect, abs=0.0011)


def test_a_list_without_effect_is_not_said_to_have_one(cohorts, monkeypatch):
    page = page_of(cohorts, listed(drawn(cohorts, {"6": 30, "8": 30})), monkeypatch)
    text = page.support_sentences().plain_text()
    assert "a bare change of" in text
    assert "had missed 10% or more of their sessions and been on no list in 2021/22: reweighted" in text
    assert "was not clearly different" in text
    assert isinstance(page.support_table(), Table)
    assert isinstance(page.support_figure(), Figure)


def test_few_pupils_are_refused_without_a_change(cohorts, monkeypatch):
    page = page_of(cohorts, listed(drawn(cohorts, {"6": 3, "8": 4})), monkeypatch)
    text = page.support_sentences().plain_text()
    assert "bare change" not in text
    assert isinstance(page.support_figure(), Result)


@pytest.mark.parametrize("lists", [listed([]), listed([1, 2, 3], year=202223)])
def test_a_year_without_lists_says_how_to_load_one(cohorts, lists, monkeypatch):
    found = page_of(cohorts, lists, monkeypatch).support_sentences()
    assert isinstance(found, Notice)
    assert found.text == NO_LISTS


def test_a_year_group_that_nobody_is_in_any_more_is_left_out(cohorts, monkeypatch):
    page = page_of(cohorts, listed(drawn(cohorts, {"6": 30})), monkeypatch)
    monkeypatch.setattr(Inputs, "year_groups_of", lambda *_: ("6", "10"))
    known = page.inputs._steps

    def steps(_, name):
        if name not in known:
            raise NoDataError("Nobody.")
        return known[name]

    monkeypatch.setattr(Inputs, "steps", steps)
    assert page.supported_figure_of(NAME, "pupils")["rate"] == 30


def test_year_groups_of_pupils_are_those_of_the_store(synthetic_store):
    """Against a plain look at PUPIL_TERM."""
    import attendance_toolkit as at

    inputs = at.open_inputs(area="Irwell Bank", academic_year="2023/24", store=str(synthetic_store))
    rows = inputs.store.pupil_terms(academic_years=[202223], columns=["upn", "nc_year"]).df()
    some = rows[rows["nc_year"].isin(["3", "9"])].drop_duplicates("nc_year")
    assert inputs.year_groups_of(some["upn"], 202223) == ("3", "9")
    assert inputs.year_groups_of(some["upn"], 201819) == ()
