"""Supported pupils against earlier ones chosen alike: weights in closed form, plain loops, planted effects, null groups.

The commissioned report's group (28 pupils, 13.34% in Year 6 and 4.4% in the first half term of Year 7) is held against an
invented history, since there is no real one; what the result should be like is told by a trial on simulated data.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import wilcoxon

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.models.transition.regression_to_mean import (
    FEWEST_COMPARED,
    NOTES,
    ONE_COHORT,
    SCHOOLS_UNKNOWN,
    YEARS_DIFFER,
    SupportRefusedError,
    support_effect,
    tilted_weights,
)
from attendance_toolkit.models.transition.support import rule_of_group, support_effect_of
from attendance_toolkit.vocabulary.columns import NC_YEARS, PHASES
from tests.unit.models.transition_cohorts import make_cohorts

SCHOOLS = 40


def pupils_of_rule(rng, size, *, shift=0.0, school_sd=0.01):
    """Rates of pupils at 10% or more before and some weeks later, and their schools: skewed, with a lasting part."""
    before = np.minimum(0.1 + rng.exponential(0.07, size), 0.95)
    school = rng.integers(0, SCHOOLS, size)
    lasting = 0.04 + 0.55 * (before - 0.1) + shift + rng.normal(0, school_sd, SCHOOLS)[school]
    after = np.clip(lasting * rng.gamma(1.2, 1 / 1.2, size), 0, 1)
    return before, after, school


# -- weights ------------------------------------------------------------------------------------------


def test_the_tilt_of_two_rates_has_a_closed_form():
    weight, k = tilted_weights(np.array([0.1, 0.1, 0.3]), 0.15)
    # Odds of the higher rate are (1/2) exp(-0.2 k): it has to have a quarter of the weight.
    assert k == pytest.approx(math.log(3 / 2) / 0.2, abs=1e-9)
    assert weight == pytest.approx([0.375, 0.375, 0.25])


@pytest.mark.parametrize("mean", [0.1002, 0.1334, 0.19, 0.35, 0.6])
def test_the_tilt_is_the_root_another_solver_finds(mean):
    rates = pupils_of_rule(np.random.default_rng(3), 3000)[0]
    weight, k = tilted_weights(rates, mean)

    def gap(at):
        power = -at * rates
        tilted = np.exp(power - power.max())
        return tilted @ rates / tilted.sum() - mean

    assert k == pytest.approx(brentq(gap, -200, 20_000), rel=1e-6)
    assert weight.sum() == pytest.approx(1)
    assert weight @ rates == pytest.approx(mean, abs=1e-10)


# -- the effect ---------------------------------------------------------------------------------------


def loops(group, history, cohorts, schools, group_schools):
    """The effect and its parts without weights (means are alike), in plain loops over units."""
    x, y = history
    mx, my = x.mean(), y.mean()
    slope = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / sum((a - mx) ** 2 for a in x)
    residual = [(b - my) - slope * (a - mx) for a, b in zip(x, y, strict=True)]
    units = sorted(set(zip(cohorts, schools, strict=True)))
    by = {unit: [r for r, *own in zip(residual, cohorts, schools, strict=True) if tuple(own) == unit] for unit in units}
    within = sum(sum((r - np.mean(rs)) ** 2 for r in rs) for rs in by.values()) / (len(x) - len(units))
    w = [len(rs) / within for rs in by.values()]
    means = [np.mean(rs) for rs in by.values()]
    centre = sum(a * b for a, b in zip(w, means, strict=True)) / sum(w)
    q = sum(a * (b - centre) ** 2 for a, b in zip(w, means, strict=True))
    tau2 = max(0, (q - (len(w) - 1)) / (sum(w) - sum(a * a for a in w) / sum(w)))
    share = sum((list(group_schools).count(s) / len(group_schools)) ** 2 for s in set(group_schools))
    history_share = sum((len(rs) / len(x)) ** 2 for rs in by.values())
    return my, within, tau2, share, history_share


def test_parts_of_the_variance_equal_plain_loops():
    rng = np.random.default_rng(5)
    x, y, school = pupils_of_rule(rng, 400, school_sd=0.03)
    cohort = np.repeat([202122, 202223], 200)
    group_before = np.array([x.mean() - 0.05, x.mean() + 0.05] * 10)
    group_after, group_school = rng.uniform(0, 0.2, 20), np.repeat([1, 2, 77, 78], [8, 4, 4, 4])
    found = support_effect(
        group_before, group_after, x, y, history_cohort=cohort, school_of_group=group_school, school_of_history=school
    )
    mean, within, tau2, share, history_share = loops((group_before, group_after), (x, y), cohort, school, group_school)
    assert found.tilt == pytest.approx(0, abs=1e-8)
    assert found.expected_after == pytest.approx(mean)
    assert found.residual_sd == pytest.approx(math.sqrt(within))
    assert tau2 > 0
    assert found.tau_school == pytest.approx(math.sqrt(tau2))
    assert found.n_schools == pytest.approx(1 / share) == pytest.approx(1 / (0.16 + 3 * 0.04))
    years = found.tau_cohort**2
    expected_var = within / 400 + tau2 * history_share + years * 0.5
    assert found.se_expected == pytest.approx(math.sqrt(expected_var))
    assert found.se == pytest.approx(math.sqrt(within / 20 + tau2 * share + years + expected_var))
    assert found.effect.value == pytest.approx(group_after.mean() - mean)
    assert found.naive_change == pytest.approx(group_after.mean() - group_before.mean())
    assert found.effect.upper - found.effect.value == pytest.approx(1.959964 * found.se, rel=1e-6)


def test_years_that_differ_widen_the_interval():
    rng = np.random.default_rng(6)
    parts = [pupils_of_rule(rng, 800, shift=shift) for shift in (0, 0.05, 0.1)]
    x, y, school = (np.concatenate(column) for column in zip(*parts, strict=True))
    cohort = np.repeat([1, 2, 3], 800)
    arguments = {"school_of_group": school[:30], "school_of_history": school}
    together = support_effect(x[:30], y[:30], x, y, history_cohort=cohort, **arguments)
    # Shifts of 0, 5 and 10 points times a mean of one: their standard deviation is 5 points.
    assert together.tau_cohort == pytest.approx(0.05, rel=0.25)
    assert together.se > 1.5 * support_effect(x[:30], y[:30], x, y, **arguments).se


def test_one_cohort_and_unknown_schools_are_told():
    x, y, _ = pupils_of_rule(np.random.default_rng(7), 300)
    found = support_effect(x[:20], y[:20], x, y)
    assert found.notes == (ONE_COHORT, SCHOOLS_UNKNOWN)
    assert set(found.notes) <= set(NOTES)
    assert found.tau_cohort == pytest.approx(YEARS_DIFFER * found.expected_after)
    assert (found.n_cohorts, found.n_schools, found.tau_school) == (1, 1.0, 0.0)


def test_the_reports_group_is_not_taken_at_its_word():
    """13.34% then 4.4%: a fall of 8.94 points, most of it (and only because the history says so) beyond regression."""
    rng = np.random.default_rng(8)
    parts = [pupils_of_rule(rng, 1500, shift=0.052, school_sd=0.016) for _ in range(2)]
    x, y, school = (np.concatenate(column) for column in zip(*parts, strict=True))
    before = 0.1 + rng.exponential(0.0334, 28)
    before += 0.1334 - before.mean()
    after = np.full(28, 0.044)
    found = support_effect(
        before,
        after,
        x,
        y,
        history_cohort=np.repeat([1, 2], 1500),
        school_of_group=np.zeros(28),
        school_of_history=school,
    )
    assert found.naive_change == pytest.approx(-0.0894)
    # The trial's history gave e = 12.5%, sd 10.5, tau 1.6, so -8.1 [-13.1, -3.1] points.
    assert found.expected_after == pytest.approx(0.125, abs=0.02)
    assert found.expected_change < 0
    assert found.effect.value == pytest.approx(-0.081, abs=0.02)
    assert found.effect.upper < 0
    assert 0.035 < found.effect.upper - found.effect.value < 0.065
    # With the same pupils all of a history that falls as far by itself, there is nothing left.
    low = support_effect(
        before, after, x, np.maximum(y - 0.08, 0) * 0.9, school_of_group=np.zeros(28), school_of_history=school
    )
    assert not low.effect.is_clear_of(0)


@pytest.fixture(scope="module")
def trials():
    """1,500 groups of 28 without support and the same with 5 points less, out of years and schools of their own."""
    found = []
    for seed in range(15):
        rng = np.random.default_rng([seed, 9])
        parts = [pupils_of_rule(rng, 1200, shift=rng.normal(0, 0.005)) for _ in range(3)]
        x, y, school = (np.concatenate([part[place] for part in parts[:2]]) for place in range(3))
        here_x, here_y, here_school = parts[2]
        weight = np.exp(-8 * (here_x - 0.1))  # chosen for a lower mean than the rule's
        for _ in range(100):
            at = rng.choice(1200, 28, replace=False, p=weight / weight.sum())
            lowered = np.maximum(here_y[at] - 0.05, 0)
            null, planted = (
                support_effect(
                    here_x[at], after, x, y, history_cohort=np.repeat([1, 2], 1200), school_of_group=here_school[at],
                    school_of_history=school,
                )
                for after in (here_y[at], lowered)
            )  # fmt: skip
            found.append((null, planted, float((lowered - here_y[at]).mean())))
    return found


def test_groups_without_support_show_an_effect_in_about_five_of_a_hundred(trials):
    share = np.mean([null.effect.is_clear_of(0) for null, _, _ in trials])
    assert 0.03 <= share <= 0.07
    # The naive comparison: half of these groups "fell" though nobody was supported, many by 3 points or more.
    assert np.mean([null.naive_change < -0.03 for null, _, _ in trials]) > 0.4


def test_a_planted_effect_is_covered(trials):
    inside = [planted.effect.lower <= truth <= planted.effect.upper for _, planted, truth in trials]
    assert 0.93 <= np.mean(inside) <= 0.97
    assert np.mean([planted.effect.value - truth for _, planted, truth in trials]) == pytest.approx(0, abs=0.004)
    assert wilcoxon([planted.effect.value for _, planted, _ in trials]).pvalue < 1e-6


# -- refusals -----------------------------------------------------------------------------------------


def test_no_effect_without_history():
    x, y, _ = pupils_of_rule(np.random.default_rng(1), 200)
    with pytest.raises(SupportRefusedError) as refused:
        support_effect(x[:28], y[:28], x[: FEWEST_COMPARED - 1], y[: FEWEST_COMPARED - 1])
    assert isinstance(refused.value, NoDataError)
    assert "load earlier years" in refused.value.needed
    assert not any(letter.isdigit() for letter in str(refused.value))
    support_effect(x[:28], y[:28], x[:80], y[:80])


def test_no_effect_for_a_handful_of_pupils():
    x, y, _ = pupils_of_rule(np.random.default_rng(1), 200)
    with pytest.raises(SupportRefusedError, match="Too few supported pupils"):
        support_effect(x[:9], y[:9], x, y)


@pytest.mark.parametrize("mean", [0.09, 0.97])
def test_no_effect_if_no_weights_reach_the_group(mean):
    x, y, _ = pupils_of_rule(np.random.default_rng(1), 500)
    with pytest.raises(SupportRefusedError, match="unlike"):
        support_effect(np.full(28, mean), y[:28], x, y)


def test_no_effect_if_a_few_earlier_pupils_would_carry_it():
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.uniform(0.1, 0.15, 400), rng.uniform(0.5, 0.6, 12)])
    with pytest.raises(SupportRefusedError, match="unlike"):
        support_effect(np.full(20, 0.5), np.full(20, 0.4), x, x)


@pytest.mark.parametrize("wrong", [math.nan, -0.1, 1.1])
def test_rates_that_cannot_be_are_refused(wrong):
    x, y, _ = pupils_of_rule(np.random.default_rng(1), 100)
    with pytest.raises(ParameterError, match="from 0 to 1"):
        support_effect(x[:20], y[:20], x, np.where(np.arange(100) == 3, wrong, y))


# -- from cohorts -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cohorts():
    return make_cohorts(pupils=3000, schools=30, seed=11)


def listed(cohort, size=40, least=0.1):
    """Pseudonyms of the first pupils at the threshold, and their positions."""
    at = np.flatnonzero(cohort.year_missed >= least * cohort.year_possible)[:size]
    return cohort.pupils[at], at


def test_earlier_pupils_of_the_same_rule_are_the_history(cohorts):
    pupils, at = listed(cohorts[-1])
    study = support_effect_of(cohorts, pupils, threshold=0.1)
    before, after, earlier_before, earlier_after = [], [], [], []
    for cohort, mine, later_mine in (
        (cohorts[-1], before, after),
        *((c, earlier_before, earlier_after) for c in cohorts[:-1]),
    ):
        later = cohort.later
        for place in range(len(cohort.pupils)):
            missed, possible = int(cohort.missed[place].sum()), int(cohort.possible[place].sum())
            if 10 * missed >= possible and (cohort is not cohorts[-1] or place in set(at)):
                mine.append(missed / possible)
                later_mine.append(later.period_missed[place, 0] / later.period_possible[place, 0])
    assert study.effect.n == len(at) == 40
    assert study.effect.n_compared == len(earlier_before)
    assert study.effect.before == pytest.approx(np.mean(before))
    assert study.effect.after == pytest.approx(np.mean(after))
    k = brentq(
        lambda at: np.average(earlier_before, weights=np.exp(-at * np.array(earlier_before))) - np.mean(before), -99, 99
    )
    expected = np.average(earlier_after, weights=np.exp(-k * np.array(earlier_before)))
    assert study.effect.expected_after == pytest.approx(expected)
    assert (study.window, study.support_year, study.history_years) == ("1-2", 202425, (202122, 202223))
    assert study.refusal is None
    assert study.persistent_before == 40
    assert study.persistent_after == sum(rate >= 0.1 for rate in after)
    assert study.used.sum() == 40
    again = support_effect_of(cohorts[::-1], np.repeat(pupils[::-1], 2), threshold=0.1)
    assert again.effect == study.effect


def test_the_latest_year_may_not_be_over(cohorts):
    *earlier, last = cohorts
    begun = replace(last, later=replace(last.later, is_whole=False))
    pupils, _ = listed(last)
    assert support_effect_of((*earlier, begun), pupils).effect == support_effect_of(cohorts, pupils).effect


def test_who_was_lost_on_the_way_is_counted(cohorts):
    *earlier, last = cohorts
    pupils, at = listed(last)
    later = last.later
    phase, group, sessions = later.phase.copy(), later.year_group.copy(), later.period_possible.copy()
    phase[at[0]], group[at[1]], sessions[at[2]] = PHASES.index("Special"), NC_YEARS.index("6"), 9
    low = np.flatnonzero(last.year_missed * 10 < last.year_possible)[:3]
    changed = replace(last, later=replace(later, phase=phase, year_group=group, period_possible=sessions))
    study = support_effect_of((*earlier, changed), [*pupils, *last.pupils[low], -5], threshold=0.1)
    assert (study.listed, study.in_cohort, study.found, study.compared) == (44, 43, 40, 37)
    assert study.effect.n == 37


def test_exactly_the_threshold_is_chosen(cohorts):
    *earlier, last = cohorts
    missed = last.missed.copy()
    missed[:20] = [38, 0, 0]
    missed[20:40] = [37, 0, 0]
    changed = replace(last, missed=missed)
    study = support_effect_of((*earlier, changed), last.pupils[:40], threshold=0.1)
    assert (study.in_cohort, study.compared) == (40, 20)
    assert study.effect.before == pytest.approx(0.1)
    assert study.rule.is_inferred is False


def test_a_rule_is_read_off_the_group():
    rule = rule_of_group([47, 61, 380], [380, 380, 380])
    assert (float(rule.share), rule.is_inferred) == (0.12, True)
    # Of forty pupils the two lowest are left aside, not the third.
    assert float(rule_of_group([4, 8, *range(46, 84)], [380] * 40).share) == 0.12
    assert float(rule_of_group([4, *range(46, 64)], [380] * 19).share) == 0.01
    with pytest.raises(ParameterError, match="from 0 to 1"):
        rule_of_group([1], [10], 10)
    with pytest.raises(ParameterError, match="give the threshold"):
        rule_of_group([0], [0])


def test_pupils_supported_earlier_are_no_comparison(cohorts):
    pupils, _ = listed(cohorts[-1])
    earlier, _ = listed(cohorts[0], 25)
    plain = support_effect_of(cohorts, pupils, threshold=0.1)
    less = support_effect_of(cohorts, pupils, threshold=0.1, supported_before=earlier)
    assert plain.effect.n_compared - less.effect.n_compared == 25


def test_without_earlier_cohorts_the_answer_is_no(cohorts):
    pupils, _ = listed(cohorts[0])
    study = support_effect_of(cohorts[:1], pupils, threshold=0.1)
    assert study.effect is None
    assert "load earlier years" in str(study.refusal)
    assert (study.history_years, study.compared) == ((), 40)
    # Pupils of the same year who were not on the list are there all the same.
    others = (cohorts[0].year_missed * 10 >= cohorts[0].year_possible).sum() - 40
    assert study.same_year.n_compared == others
    assert study.same_year.before == pytest.approx(study.cohort.missed[study.used].sum(axis=1).mean() / 380)


def test_a_year_without_a_later_one_has_no_effect(cohorts):
    with pytest.raises(SupportRefusedError, match="None of the supported pupils"):
        support_effect_of(cohorts, [-1, -2])
    with pytest.raises(SupportRefusedError, match="None of the supported pupils"):
        support_effect_of([replace(cohorts[0], later=None)], cohorts[0].pupils[:30])


def periods(cohort, names, parts):
    """The cohort with the autumn told in the given spans: shares of sessions, in whole ones."""
    possible = np.array([[round(142 * part) for part in parts]] * len(cohort.pupils))
    missed = np.minimum(cohort.later.period_missed // len(parts), possible)
    return replace(cohort, later=replace(cohort.later, periods=names, period_possible=possible, period_missed=missed))


def test_windows_are_those_both_sides_have(cohorts):
    pupils, _ = listed(cohorts[-1])
    halves = [periods(cohort, ("1", "2"), (0.5, 0.5)) for cohort in cohorts]
    assert support_effect_of(halves, pupils, threshold=0.1).window == "1"
    # Earlier years have the autumn as a whole: halves are added up.
    mixed = [*cohorts[:-1], halves[-1]]
    study = support_effect_of(mixed, pupils, threshold=0.1)
    assert study.window == "1-2"
    assert study.effect.after == pytest.approx((halves[-1].later.period_missed[study.used].sum(axis=1) / 142).mean())
    # Asked for the first half term, which earlier years do not have.
    refused = support_effect_of(mixed, pupils, threshold=0.1, window="1")
    assert refused.effect is None
    assert refused.compared == 40
    with pytest.raises(ParameterError, match="half term"):
        support_effect_of(mixed, pupils, threshold=0.1, window="autumn")


def test_only_terms_that_all_cohorts_have_count_before(cohorts):
    *earlier, last = cohorts
    short = replace(last, terms=("autumn", "spring"), possible=last.possible[:, :2], missed=last.missed[:, :2])
    pupils, _ = listed(last)
    study = support_effect_of((*earlier, short), pupils, threshold=0.1)
    assert study.terms == ("autumn", "spring")
    rates = short.missed[study.used].sum(axis=1) / short.possible[study.used].sum(axis=1)
    assert study.effect.before == pytest.approx(rates.mean())
    chosen = sum(int((10 * c.missed[:, :2].sum(axis=1) >= c.possible[:, :2].sum(axis=1)).sum()) for c in earlier)
    assert study.effect.n_compared == chosen
