"""What a model makes of absence and characteristics: against loops over single pupils, a planted truth and resampling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from attendance_toolkit.models.transition import fit_step
from attendance_toolkit.models.transition.effects import ABSENCE_LEVELS, LASTING_LEVELS, step_effects, with_latest_term
from tests.unit.models.transition_cohorts import TERMS, make_cohorts

OUTCOMES = {"rate": "rate", "persistent": "persistent", "severe": "severe"}


@pytest.fixture(scope="module")
def known():
    cohorts = make_cohorts(years=(202122, 202223), pupils=3000, schools=20)
    return cohorts, fit_step(cohorts)


def few(cohorts, size=25):
    """Return the first pupils of each cohort."""
    return [cohort.chosen(np.arange(len(cohort.pupils)) < size) for cohort in cohorts]


def found(model, cohorts):
    return step_effects(model, cohorts).set_index(["kind", "level", "outcome"])


def one_by_one(model, cohorts, **changes):
    """Return the mean prediction of pupils changed one at a time, by plain loops."""
    total = {name: [] for name in OUTCOMES}
    for cohort in cohorts:
        for place in range(len(cohort.pupils)):
            pupil = cohort.chosen(np.arange(len(cohort.pupils)) == place)
            pupil = replace(pupil, **{name: change(pupil) for name, change in changes.items()})
            forecast = model.predict(pupil)
            for name in OUTCOMES:
                total[name].append(getattr(forecast, name)[0])
    return {name: np.mean(values) for name, values in total.items()}


def at(share):
    return lambda pupil: np.array([[sessions * share for sessions in pupil.possible[0]]])


def coded(characteristic, level):
    def change(pupil):
        place = pupil.levels[characteristic].index(level)
        return {**pupil.codes, characteristic: np.array([place], np.int8)}

    return change


def test_levels_are_means_of_pupils_changed_one_by_one(known):
    cohorts, model = known
    pupils = few(cohorts)
    table = found(model, pupils)
    for percent in (1, 10, 50):
        expected = one_by_one(model, pupils, missed=at(percent / 100))
        both = one_by_one(
            model, pupils, missed=at(percent / 100),
            earlier_missed=lambda pupil, share=percent / 100: pupil.earlier_possible * share,
        )  # fmt: skip
        for name in OUTCOMES:
            assert table.loc[("absence", str(percent), name), "value"] == pytest.approx(expected[name], abs=1e-12)
            if percent in LASTING_LEVELS:
                assert table.loc[("lasting absence", str(percent), name), "value"] == pytest.approx(
                    both[name], abs=1e-12
                )


def test_differences_are_those_of_pupils_changed_one_by_one(known):
    cohorts, model = known
    pupils = few(cohorts, 150)  # so that some of them have an EHC plan
    table = found(model, pupils)
    for name, reference, level in (
        ("fsm_eligible", "Not known to be FSM eligible", "FSM eligible"),
        ("sen_provision", "No SEN", "EHC plan"),
        ("sex", "Male", "Female"),
    ):
        with_, without = (one_by_one(model, pupils, codes=coded(name, one)) for one in (level, reference))
        for outcome in OUTCOMES:
            row = table.loc[(name, level, outcome)]
            assert row["since"] == reference
            assert row["value"] == pytest.approx(with_[outcome] - without[outcome], abs=1e-12)


def test_a_worse_summer_leaves_the_year_as_it_was(known):
    cohorts, model = known
    pupils = few(cohorts)
    # By hand: 38 of 380 sessions are 10%; 24 of the 120 of summer are 20%; the 14 others are of 260 sessions.
    worse = with_latest_term(pupils[0], TERMS, 10, 20)
    assert worse.missed[0] == pytest.approx([142 * 14 / 260, 118 * 14 / 260, 24])
    summer = one_by_one(model, pupils, missed=lambda _: np.array([[142 * 14 / 260, 118 * 14 / 260, 24]]))
    even = one_by_one(model, pupils, missed=at(0.10))
    table = found(model, pupils)
    for outcome in OUTCOMES:
        assert table.loc[("latest term", "20", outcome), "value"] == pytest.approx(
            summer[outcome] - even[outcome], abs=1e-12
        )


def test_a_summer_that_alone_is_more_than_the_year_leaves_nothing_to_the_other_terms(known):
    pupil = few(known[0], 1)[0]
    sessions = replace(pupil, possible=np.array([[0, 20, 120]], np.int32))
    assert with_latest_term(sessions, TERMS, 10, 20).missed[0] == pytest.approx([0, 0, 24])
    only_summer = replace(pupil, possible=np.array([[0, 0, 120]], np.int32))
    assert with_latest_term(only_summer, TERMS, 10, 20).missed[0] == pytest.approx([0, 0, 12])


def test_a_school_one_standard_deviation_up_is_counted_by_hand(known):
    cohorts, model = known
    pupils = few(cohorts)
    table = found(model, pupils)
    for name, outcome in model.outcomes.items():
        gaps = []
        for cohort in pupils:
            linear = model.design.matrix(cohort) @ outcome.fit.coefficients[: len(model.features)]
            gaps += [1 / (1 + np.exp(-(one + outcome.effects.sd))) - 1 / (1 + np.exp(-one)) for one in linear]
        assert table.loc[("school", "1", name), "value"] == pytest.approx(np.mean(gaps), abs=1e-4)
    # Planted: schools differ by 0.2 in the log odds of the rate.
    assert 0.1 < model.outcomes["rate"].effects.sd < 0.3
    assert table.loc[("school", "1", "rate"), "value"] > 0.003


def test_more_absence_is_expected_of_who_missed_more_and_most_where_it_lasted(known):
    cohorts, model = known
    table = found(model, cohorts)
    for outcome in ("rate", "persistent"):
        values = [table.loc[("absence", str(one), outcome), "value"] for one in ABSENCE_LEVELS]
        assert values == sorted(values)
        assert table.loc[("lasting absence", "10", outcome), "value"] > table.loc[("absence", "10", outcome), "value"]
    # Planted: FSM adds 0.4 to the log odds after the step, whoever the pupil is.
    fsm = table.loc[("fsm_eligible", "FSM eligible", "rate")]
    base = table.loc[("absence", "5", "rate"), "value"]
    assert 0.2 * base * (1 - base) < fsm["value"]
    assert fsm["lower"] > 0
    # Nothing is planted on girls.
    girls = table.loc[("sex", "Female", "rate")]
    assert girls["lower"] - 0.002 < 0 < girls["upper"] + 0.002


def test_intervals_are_as_wide_as_resampling_pupils_makes_them():
    (cohort,) = make_cohorts(years=(202223,), pupils=1500, schools=1, seed=3)
    rng = np.random.default_rng(1)
    keys = [("absence", "10", "rate"), ("absence", "10", "persistent"), ("fsm_eligible", "FSM eligible", "persistent")]
    drawn = []
    for _ in range(50):
        sample = cohort.chosen(rng.integers(0, len(cohort.pupils), len(cohort.pupils)))
        table = found(fit_step([sample]), [cohort])  # the same pupils to average over: what was learned differs
        drawn.append([table.loc[key, "value"] for key in keys])
    table = found(fit_step([cohort]), [cohort])
    for key, values in zip(keys, np.array(drawn).T, strict=True):
        error = (table.loc[key, "upper"] - table.loc[key, "lower"]) / (2 * 1.96)
        assert error == pytest.approx(values.std(ddof=1), rel=0.35)


def test_what_nobody_has_is_left_out(known):
    cohorts, _ = known
    plain = [
        replace(
            cohort, earlier_possible=np.zeros_like(cohort.earlier_possible),
            earlier_missed=np.zeros_like(cohort.earlier_missed),
            codes={**cohort.codes, "sen_provision": np.zeros(len(cohort.pupils), np.int8)},
        )
        for cohort in cohorts
    ]  # fmt: skip
    kinds = set(step_effects(fit_step(plain), plain)["kind"])
    assert kinds == {"absence", "fsm_eligible", "sex", "latest term", "school"}
    for_lists = set(step_effects(fit_step(cohorts, features="attendance"), cohorts)["kind"])
    assert for_lists == {"absence", "lasting absence", "fsm_eligible", "latest term", "school"}
