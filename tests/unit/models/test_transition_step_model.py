"""The models of a step on cohorts with a planted truth: what they recover, how sure they are, what they must not know."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import statsmodels.api as sm

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.models.transition import fit_step
from attendance_toolkit.models.transition.step_model import outcome_of
from attendance_toolkit.vocabulary.transition_allowance import default_allowance
from tests.unit.models.transition_cohorts import make_cohorts

FORECASTS = ("rate", "lower", "upper", "persistent", "severe", "school_effect", "variance")


@pytest.fixture(scope="module")
def cohorts():
    return make_cohorts(pupils=8000)


@pytest.fixture(scope="module")
def model(cohorts):
    return fit_step(cohorts[:2])


def found(cohort):
    return cohort.later.missed / cohort.later.possible


def test_it_predicts_the_next_cohort_better_than_the_year_before(cohorts, model):
    test = cohorts[2]
    forecast = model.predict(test)
    rate, before = found(test), test.year_missed / test.year_possible
    errors = [np.sqrt(((one - rate) ** 2).mean()) for one in (forecast.rate, before, np.full(len(rate), rate.mean()))]
    assert errors[0] < 0.93 * errors[1] < errors[1] < errors[2]
    assert forecast.rate.mean() == pytest.approx(rate.mean(), abs=0.004)
    for name in ("persistent", "severe"):
        chance, came = getattr(forecast, name), outcome_of(test.later, name)
        logit = np.log(chance / (1 - chance))
        level, slope = sm.GLM(came, sm.add_constant(logit), family=sm.families.Binomial()).fit().params
        assert slope == pytest.approx(1, abs={"persistent": 0.15, "severe": 0.3}[name])  # some 100 are severe
        assert level == pytest.approx(0, abs=0.25)
        assert chance.mean() == pytest.approx(came.mean(), rel=0.1)


def test_it_finds_the_planted_effect_of_schools_and_of_free_school_meals():
    cohorts = make_cohorts(pupils=12_000, schools=60, school_sd=0.25)
    model = fit_step(cohorts)
    rng = np.random.default_rng(1)
    truth = rng.normal(0, 0.25, 60)  # the first draws of the process
    effects = model.outcomes["rate"].effects
    assert np.corrcoef(effects.effect, truth - truth.mean())[0, 1] > 0.97
    assert effects.sd == pytest.approx(truth.std(), rel=0.25)
    # Most pupils are far from the threshold whatever the school: log odds of crossing it move by more than the rate's.
    persistent = model.outcomes["persistent"].effects
    assert np.corrcoef(persistent.effect, truth)[0, 1] > 0.9
    assert persistent.sd > effects.sd
    table = model.coefficients().set_index(["outcome", "feature"])
    fsm = table.loc[("rate", "FSM: FSM eligible")]
    assert abs(fsm["coefficient"] - 0.4) < 0.15 + 3 * fsm["standard_error"]  # some of it shows before the step already
    assert fsm["coefficient"] > 5 * fsm["standard_error"]


def test_a_pupils_interval_covers_each_fifth(cohorts, model):
    test = cohorts[2]
    forecast, rate = model.predict(test), found(test)
    is_in = (rate >= forecast.lower) & (rate <= forecast.upper)
    fifth = np.searchsorted(np.quantile(forecast.rate, [0.2, 0.4, 0.6, 0.8]), forecast.rate)
    # The lowest rates are a handful of sessions: whole numbers cover a little more.
    assert 0.88 <= is_in.mean() <= 0.93
    for part in range(5):
        assert 0.86 <= is_in[fifth == part].mean() <= 0.97
    assert model.intervals.level == 0.9


@pytest.mark.parametrize("corrupt", ["none", "garbage", "raises"])
def test_predictions_do_not_know_what_came_later(cohorts, model, corrupt):
    class Never:
        def __getattribute__(self, name):
            raise AssertionError(f"'later.{name}' was read")

    test, rng = cohorts[2], np.random.default_rng(9)
    size = len(test.pupils)
    garbage = replace(
        test.later, missed=rng.integers(0, 380, size), possible=np.full(size, 7), laestab=np.full(size, 1), is_whole=False,
        year_group=np.full(size, -1), period_missed=rng.integers(0, 9, (size, 1)),
    )  # fmt: skip
    later = {"none": None, "garbage": garbage, "raises": Never()}[corrupt]
    expected, forecast = (model.levelled(one).predict(one) for one in (test, replace(test, later=later)))
    for name in FORECASTS:
        np.testing.assert_array_equal(getattr(forecast, name), getattr(expected, name))


def test_the_order_of_pupils_and_cohorts_does_not_matter(cohorts, model):
    order = np.random.default_rng(3).permutation(len(cohorts[0].pupils))
    other = fit_step([cohorts[1], cohorts[0].chosen(order)])
    expected = model.predict(cohorts[2]).rate
    np.testing.assert_allclose(other.predict(cohorts[2]).rate, expected, rtol=1e-7)
    np.testing.assert_allclose(other.intervals.upper, model.intervals.upper, rtol=1e-6)
    np.testing.assert_allclose(model.predict(cohorts[2].chosen(order)).rate, expected[order], rtol=1e-12)


def test_more_absence_before_is_more_expected_after(cohorts, model):
    one = cohorts[2].chosen(np.zeros(200, dtype=int))
    shares = np.linspace(0, 1, 200)
    missed = np.round(one.possible * shares[:, None]).astype(np.int32)
    steady = replace(one, missed=missed, earlier_missed=np.round(380 * shares).astype(np.int32))
    forecast = model.predict(steady)
    step = np.diff(forecast.rate)
    assert (step[: 199 // 4] > -0.002).all()  # up to 25%, where nearly all pupils are
    assert forecast.rate[40] > forecast.rate[10] + 0.05
    for name in FORECASTS[:5]:
        values = getattr(forecast, name)
        assert ((values >= 0) & (values <= 1)).all()


def test_predictions_are_at_the_level_of_the_latest_cohort():
    cohorts = make_cohorts(pupils=8000, level=(-3.4, -2.7, -2.7), school_sd=0.0)
    forecast = fit_step(cohorts[:2]).predict(cohorts[2])
    assert forecast.rate.mean() == pytest.approx(found(cohorts[2]).mean(), abs=0.004)
    card = fit_step(cohorts[:2]).coefficients()
    level = card[(card["outcome"] == "rate") & (card["feature"] == "Cohort of 2021/22")].iloc[0]
    assert level["group"] == "Cohort"
    assert level["coefficient"] == pytest.approx(-0.7, abs=0.15)


def with_less_absence(cohort, factor):
    """Return the cohort with each pupil's absence of the year before the step, and of the one before, cut by a factor."""
    rng = np.random.default_rng(4)
    return replace(
        cohort, missed=rng.binomial(cohort.missed, factor).astype(np.int32),
        earlier_missed=rng.binomial(cohort.earlier_missed, factor).astype(np.int32),
    )  # fmt: skip


def test_a_better_year_of_all_pupils_is_not_counted_twice():
    """Planted: the cohort to predict missed a fifth less in both years, and came to what the one before came to."""
    cohorts = make_cohorts(pupils=8000, school_sd=0.1)
    model, test = fit_step(cohorts[:2]), with_less_absence(cohorts[2], 0.8)
    came, rate = outcome_of(test.later, "persistent").mean(), found(test).mean()
    plain, levelled = model.predict(test), model.levelled(test).predict(test)
    assert plain.persistent.mean() < 0.92 * came
    assert levelled.persistent.mean() == pytest.approx(came, rel=0.05)
    assert abs(levelled.rate.mean() - rate) < 0.5 * abs(plain.rate.mean() - rate)
    # One shift for all: the order of pupils, and of parts of the cohort, stays.
    inner = (levelled.persistent > 0.01) & (levelled.persistent < 0.99)  # nothing is predicted surer than half a pupil
    assert (np.diff(plain.persistent[inner][np.argsort(levelled.persistent[inner])]) > -1e-12).all()
    part = np.arange(8000) % 7 == 0
    np.testing.assert_array_equal(model.levelled(test).predict(test.chosen(part)).rate, levelled.rate[part])
    # The latest cohort is where it was, and a model levelled twice is levelled once.
    assert model.levelled(cohorts[1]).shift == pytest.approx(dict.fromkeys(model.outcomes, 0.0), abs=1e-12)
    assert model.levelled(cohorts[0]).levelled(test).shift == model.levelled(test).shift


def test_few_pupils_say_little_of_their_year():
    cohorts = make_cohorts(pupils=8000)
    model, test = fit_step(cohorts[:2]), with_less_absence(cohorts[2], 0.8)
    shifts = [model.levelled(test.chosen(np.arange(8000) < size)).shift["rate"] for size in (100, 8000)]
    assert 0 < shifts[0] < 0.6 * shifts[1]
    assert model.levelled(test.chosen(np.zeros(8000, bool))) is model


def test_school_effects_keep_the_mean_of_the_pupils(cohorts, model):
    """Fitted by maximum likelihood, chances add up to what was found; with effects of schools as well."""
    own = cohorts[1].chosen(cohorts[1].is_compared)
    for name, near in {"persistent": 0.004, "severe": 0.01}.items():
        expected = getattr(model.predict(own), name).mean()
        assert expected == pytest.approx(outcome_of(own.later, name).mean(), rel=near)


def test_the_school_can_be_given_and_an_unknown_one_adds_nothing(cohorts, model):
    test = cohorts[2]
    size = len(test.pupils)
    unknown = model.predict(test, np.zeros(size, np.int32))
    assert not unknown.school_effect.any()
    effects = model.outcomes["rate"].effects
    worst = model.predict(test, np.full(size, effects.laestab[effects.effect.argmax()]))
    assert (worst.rate > unknown.rate).all()
    np.testing.assert_allclose(worst.rate - unknown.rate, worst.school_effect)
    np.testing.assert_array_equal(model.predict(replace(test, destination=0 * test.destination)).rate, unknown.rate)


def test_severe_absence_that_hardly_anybody_has_is_not_fitted(cohorts):
    rare = [
        replace(one, later=replace(one.later, missed=np.minimum(one.later.missed, 180), possible=one.later.possible))
        for one in cohorts[:2]
    ]
    model = fit_step(rare)
    assert "severe" not in model.outcomes
    assert "fewer than 20 pupils with severe absence" in model.not_fitted["severe"]
    forecast = model.predict(cohorts[2])
    assert np.isnan(forecast.severe).all()
    assert np.isfinite(forecast.persistent).all()


def test_one_cohort_has_the_default_allowance_and_two_their_own(cohorts, model):
    one = fit_step(cohorts[:1])
    assert all(allowance.is_default for allowance in one.allowances.values())
    assert one.allowances["rate"].school_year_sd == default_allowance().school_year_sd
    assert not model.allowances["rate"].is_default
    assert (model.allowances["rate"].schools, model.allowances["rate"].years) == (40, 1)
    assert list(model.pupils.values()) == [int(cohort.is_compared.sum()) for cohort in cohorts[:2]]


def test_cohorts_that_are_not_followed_do_not_count(cohorts, model):
    waiting = replace(cohorts[2], later=None)
    begun = replace(cohorts[2], later=replace(cohorts[2].later, is_whole=False))
    for other in (waiting, begun):
        same = fit_step([*cohorts[:2], other])
        np.testing.assert_array_equal(same.outcomes["rate"].fit.coefficients, model.outcomes["rate"].fit.coefficients)


def test_the_model_card_has_every_coefficient(model):
    card = model.coefficients()
    assert len(card) == 3 * (len(model.features) + 1)
    assert card["standard_error"].gt(0).all()
    assert set(card["outcome"]) == {"rate", "persistent", "severe"}
    assert model.features[0] == "Intercept"
    assert all(
        np.isfinite(getattr(model.outcomes[name].fit, field.name)).all()
        for name in model.outcomes
        for field in fields(model.outcomes[name].fit)
    )


def test_refuses_what_it_cannot_do(cohorts, model):
    with pytest.raises(NoDataError, match="needs 200"):
        fit_step([cohorts[0].chosen(np.arange(100))])
    with pytest.raises(NoDataError, match="Too few pupils"):
        fit_step([replace(cohorts[0], later=None)])
    with pytest.raises(ParameterError, match="several year groups"):
        fit_step([cohorts[0], replace(cohorts[1], from_year="7", to_year="8")])
    with pytest.raises(ParameterError, match="another year group"):
        model.predict(replace(cohorts[2], from_year="7"))


def test_a_small_authority_can_be_fitted():
    cohorts = make_cohorts(pupils=300, schools=6)
    forecast = fit_step(cohorts[:2]).predict(cohorts[2])
    assert np.isfinite(forecast.rate).all()
    assert forecast.rate.mean() == pytest.approx(found(cohorts[2]).mean(), abs=0.03)
