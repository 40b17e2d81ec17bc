"""Columns of the transition models: knots, thresholds in whole numbers, levels, terms, and nothing of the later year."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.models.transition.design import (
    common_terms,
    july_view,
    learn_design,
    log_odds,
    restricted_spline,
    sessions_of,
)
from tests.unit.models.transition_cohorts import make_cohorts


@pytest.fixture(scope="module")
def cohorts():
    return make_cohorts(years=(202122, 202223), pupils=3000)


def column(design, cohort, name):
    return design.matrix(cohort)[:, design.names.index(name)]


def test_the_spline_is_straight_beyond_its_outer_knots_and_smooth_between():
    knots = (-4.0, -3.0, -2.0, -1.0)
    grid = np.arange(-6, 2.0001, 0.001)
    for bend in restricted_spline(grid, knots).T:
        slope = np.gradient(bend, grid)
        curve = np.gradient(slope, grid)
        assert np.abs(bend[grid < -4.001]).max() == 0
        assert np.abs(curve[grid > -0.99]).max() < 1e-6
        assert np.abs(np.diff(curve)).max() < 0.02  # second derivative without a jump: of the order of the grid
        assert np.abs(curve).max() > 0.1


def test_knots_are_at_shares_of_the_training_pupils(cohorts):
    design = learn_design(cohorts)
    values = np.concatenate([log_odds(one.year_missed, one.year_possible) for one in cohorts])
    shares = [(values <= knot).mean() for knot in design.knots]
    np.testing.assert_allclose(shares, [0.10, 0.35, 0.65, 0.90], atol=0.03)  # whole sessions tie


def test_thresholds_are_inclusive_and_of_whole_numbers(cohorts):
    design = learn_design(cohorts)
    one = cohorts[0].chosen(np.arange(4))
    possible = np.array([[142, 118, 120]] * 3 + [[0, 0, 0]], dtype=np.int32)
    missed = np.array([[100, 54, 36], [100, 53, 36], [142, 118, 35], [0, 0, 0]], dtype=np.int32)  # 190 and 189 of 380
    one = replace(one, possible=possible, missed=missed)
    assert column(design, one, "Absence 50% or more").tolist() == [1, 0, 1, 0]
    assert column(design, one, "Summer (latest term), 30% or more").tolist() == [1, 1, 0, 0]  # 36 of 120 is 30%
    assert column(design, one, "Summer (latest term), 50% or more").tolist() == [0, 0, 0, 0]
    assert np.isfinite(design.matrix(one)).all()


def test_a_pupil_without_a_term_or_the_year_before_is_told_apart(cohorts):
    has = (cohorts[1].pupils % 2).astype(np.int32)
    other = replace(
        cohorts[1], earlier_possible=cohorts[1].earlier_possible * has, earlier_missed=cohorts[1].earlier_missed * has
    )
    design = learn_design([cohorts[0], other])
    one = cohorts[0].chosen(np.arange(2))
    possible, missed = one.possible.copy(), one.missed.copy()
    possible[0, 2] = missed[0, 2] = 0
    one = replace(
        one, possible=possible, missed=missed, earlier_possible=np.array([0, 380]), earlier_missed=np.array([0, 19])
    )
    year = log_odds(one.year_missed, one.year_possible)
    assert column(design, one, "Summer (latest term), log odds")[0] == pytest.approx(year[0] - np.log(0.05 / 0.95))
    assert column(design, one, "No sessions in the year before").tolist() == [1, 0]
    assert column(design, one, "Year before less the year, log odds")[0] == 0


def test_a_model_learned_where_the_data_begin_uses_the_year_alone(cohorts):
    """A cohort without the year before has no column that would be empty, and mean something else, for the next one."""
    first = replace(
        cohorts[0], earlier_possible=0 * cohorts[0].earlier_possible, earlier_missed=0 * cohorts[0].earlier_missed
    )
    alone = learn_design([first])
    assert not [name for name, group in zip(alone.names, alone.groups, strict=True) if group == "Year before"]
    both = learn_design([first, cohorts[1]])
    own = [name for name in both.names if "where the data begin" in name]
    assert own
    assert not any(column(both, cohorts[1], name).any() for name in own)


def test_attendance_features_know_nothing_of_sex_ethnicity_or_sen(cohorts):
    design = learn_design(cohorts, "attendance")
    assert not {"Sex", "SEN", "Ethnicity"} & set(design.groups)
    assert {"Free school meals"} <= set(design.groups)
    one = cohorts[0]
    other = {name: (codes if name == "fsm_eligible" else codes[::-1]) for name, codes in one.codes.items()}
    np.testing.assert_array_equal(design.matrix(replace(one, codes=other)), design.matrix(one))
    full = learn_design(cohorts)
    assert {"Sex", "SEN", "Ethnicity"} <= set(full.groups)
    assert (full.matrix(replace(one, codes=other)) != full.matrix(one)).any()


def test_characteristics_are_columns_against_their_reference(cohorts):
    design = learn_design(cohorts)
    one = cohorts[1]
    assert column(design, one, "FSM: FSM eligible").sum() == (one.codes["fsm_eligible"] == 0).sum()
    assert column(design, one, "SEN: EHC plan").sum() == (one.codes["sen_provision"] == 2).sum()
    girls_with_sen = (one.codes["sex"] == 0) & np.isin(one.codes["sen_provision"], (1, 2))
    assert column(design, one, "Female with SEN").sum() == girls_with_sen.sum()
    assert "Sex: Male" not in design.names
    assert design.left_out["Sex: Unknown"] == "the same for all pupils"
    sex = one.codes["sex"].copy()
    sex[:40] = 2
    unknown = learn_design([replace(one, codes={**one.codes, "sex": sex})])
    assert "Sex: Unknown" in unknown.names


def test_columns_that_others_make_up_are_left_out(cohorts):
    one = cohorts[0]
    fsm, sex = one.codes["fsm_eligible"].copy(), one.codes["sex"].copy()
    fsm[:60] = sex[:60] = 2  # the same pupils have neither
    design = learn_design([replace(one, codes={**one.codes, "fsm_eligible": fsm, "sex": sex})])
    assert "FSM: Unknown" in design.names
    assert design.left_out["Sex: Unknown"] == "says what other columns say"
    matrix = design.matrix(one)
    assert matrix.shape == (len(one.pupils), len(design.names)) == (3000, len(design.groups))
    other = learn_design(cohorts)
    assert np.linalg.matrix_rank(np.concatenate([other.matrix(each) for each in cohorts])) == len(other.names)


def test_terms_that_not_all_cohorts_have_are_not_used(cohorts):
    late = replace(
        cohorts[1], terms=("autumn", "spring"), possible=cohorts[1].possible[:, :2], missed=cohorts[1].missed[:, :2]
    )
    assert common_terms([cohorts[0], late]) == ("autumn", "spring")
    design = learn_design(cohorts, terms=("autumn", "spring"))
    assert not any("Summer" in name for name in design.names)
    assert any(name.startswith("Spring (latest term)") for name in design.names)
    np.testing.assert_array_equal(design.matrix(cohorts[1]), design.matrix(late))
    with pytest.raises(ParameterError, match="Year 6 of 2022/23 has no sessions of the term 'summer'"):
        learn_design(cohorts).matrix(late)


def test_figures_of_the_whole_year_count_with_the_terms(cohorts):
    one = cohorts[0]
    possible = np.column_stack([one.possible, np.zeros(len(one.pupils), np.int32)])
    missed = np.column_stack([one.missed, np.zeros(len(one.pupils), np.int32)])
    possible[0], missed[0] = [0, 0, 0, 380], [0, 0, 0, 95]
    mixed = replace(one, terms=(*one.terms, "year"), possible=possible, missed=missed)
    assert [int(part[0]) for part in sessions_of(mixed, one.terms)] == [380, 95]
    only = replace(one, terms=("year",), possible=one.possible.sum(1)[:, None], missed=one.missed.sum(1)[:, None])
    assert common_terms([mixed, only]) == ("year",)
    design = learn_design([only])
    assert "Terms" not in design.groups
    np.testing.assert_array_equal(design.matrix(only), design.matrix(one))


def test_nothing_later_is_looked_at(cohorts):
    class Never:
        def __getattribute__(self, name):
            raise AssertionError(f"'later.{name}' was read")

    design = learn_design(cohorts)
    assert july_view(cohorts[0]).later is None
    np.testing.assert_array_equal(design.matrix(replace(cohorts[0], later=Never())), design.matrix(cohorts[0]))


def test_refuses_what_it_does_not_know(cohorts):
    with pytest.raises(ParameterError, match="Did you mean 'full'"):
        learn_design(cohorts, "fulll")
    with pytest.raises(ParameterError, match="'terms' is empty"):
        learn_design(cohorts, terms=())
    with pytest.raises(NoDataError, match="followed over the step"):
        learn_design([cohorts[0].chosen(np.zeros(3000, bool))])
