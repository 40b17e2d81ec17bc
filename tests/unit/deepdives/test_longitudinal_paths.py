"""Trajectories: counts against the rules in plain pandas, and what chance gives against pupils of whom it is known."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import attendance_toolkit as at
from attendance_toolkit.deepdives.longitudinal_paths import LongitudinalPaths, pooled_outcomes
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.metrics.cells import DFE_RULES
from attendance_toolkit.metrics.following import Followed, Period
from attendance_toolkit.presentation.blocks import Notice
from attendance_toolkit.presentation.narrative import is_clear, is_shown
from attendance_toolkit.vocabulary.columns import FSM_STATUSES, PHASES, SEN_PROVISIONS, SEXES
from attendance_toolkit.vocabulary.trajectories import trajectory_rules
from tests.unit.deepdives.test_longitudinal_flows import MAIN, periods

NAMES = trajectory_rules().names


class Page(LongitudinalPaths):
    """The part on trajectories as a page of its own."""

    @classmethod
    def declared(cls):
        return {"trajectories": super().declared()["trajectories"]}


def open_page(store, followed=None, **more):
    inputs = at.open_inputs(**{"area": "Irwell Bank", "academic_year": "2023/24", "store": str(store), **more})
    if followed is not None:
        inputs._followed["year"] = followed
    return Page(inputs)


@pytest.fixture(scope="module")
def internal(synthetic_store):
    return open_page(synthetic_store, audience="internal")


def rule_in_words(first, middle, last):
    """Return the trajectory by the rules in their words, of shares of sessions missed."""
    ten, five, half = (Fraction(1, of) for of in (10, 20, 2))
    if min(first, middle, last) >= half:
        return "Persistently severe"
    if min(first, middle, last) >= ten:
        return "Persistently absent"
    if first >= ten and last < ten:
        return "Recovered" if last < five else "Improved"
    if last >= ten and last - first >= five:
        return "Deteriorating"
    if last - first <= -five:
        return "Improving"
    return "Never persistently absent" if max(first, middle, last) < ten else "Fluctuating"


def test_counts_equal_the_rules_pupil_by_pupil(internal, synthetic_store):
    years = periods(synthetic_store, terms=False)
    years = years[years["band"] != "few"]
    years = years.assign(share=[Fraction(int(a), int(p)) for a, p in zip(years["a"], years["p"], strict=True)])
    shares = years.pivot(index="upn", columns="at", values="share").dropna()
    groups = years[years["at"] == 2023].set_index("upn").loc[shares.index]
    shares, groups = shares[groups["phase"].isin(MAIN)], groups[groups["phase"].isin(MAIN)]
    found = shares.apply(lambda row: rule_in_words(*row), axis=1)
    assert internal.path("All")["numerator"] == len(found)
    for name in NAMES:
        assert internal.path(name)["numerator"] == (found == name).sum()
    for group, chosen in (
        ({"phase": "Secondary"}, groups["phase"] == "Secondary"),
        ({"characteristic": "sex", "level": "Female"}, groups["sex"] == "Female"),
        ({"characteristic": "sen_provision", "level": "No SEN"}, groups["sen_provision"] == "No SEN"),
    ):
        assert internal.path("All", **group)["numerator"] == chosen.sum()
        better = found[chosen].isin(["Recovered", "Improved", "Improving"])
        record = internal.direction("improving", **group)
        assert (record["numerator"], record["denominator"]) == (better.sum(), chosen.sum())


def made_up(missed):
    """Return pupils of one secondary school followed three years, with these sessions missed of 380."""
    shape = missed.shape
    zeros = np.zeros(shape, np.int8)
    levels = {"phase": PHASES, "fsm_eligible": FSM_STATUSES, "sen_provision": SEN_PROVISIONS, "sex": SEXES}
    codes = dict.fromkeys(levels, zeros) | {"phase": np.full(shape, PHASES.index("Secondary"), np.int8)}
    return Followed(
        pupils=np.arange(len(missed)), periods=tuple(Period(year) for year in (202122, 202223, 202324)),
        possible=np.full(shape, 380, np.int32), missed=missed.astype(np.int32), on_roll=np.ones(shape, bool),
        elsewhere=np.zeros(shape, bool), laestab=np.full(shape, 9894001, np.int32), la=zeros.astype(np.int16),
        la_codes=("E08900009",), age=np.full(shape, 12, np.int16), codes=codes, levels=levels, rules=DFE_RULES,
    )  # fmt: skip


def nobody_changes(pupils, seed=5):
    """Return sessions missed by pupils of whom each has one level, and years that differ from it by chance alone."""
    generator = np.random.default_rng(seed)
    level = generator.normal(-2.8, 0.9, (pupils, 1))
    rate = 1 / (1 + np.exp(-(level + generator.normal(0, 0.5, (pupils, 3)))))
    return generator.binomial(380, rate)


def test_where_nobody_changes_no_trajectory_is_beyond_chance(synthetic_store):
    page = open_page(synthetic_store, made_up(nobody_changes(12_000)), audience="internal")
    rows = page.excesses.rows.set_index("trajectory")
    # Such pupils improve and deteriorate by the rules, thousands of them: chance explains it.
    assert page.direction("improving")["rate"] > 0.08
    assert not [name for name, row in rows.iterrows() if is_clear(row)]
    assert page.path_figure().title.startswith("No trajectory is clearly")
    assert all("not clearly different from" in sentence for sentence in page.path_sentences().sentences[1:])


def test_planted_recovery_is_found_beyond_chance(synthetic_store):
    missed = nobody_changes(12_000)
    helped = (missed[:, 0] >= 38) & (np.arange(len(missed)) % 2 == 0)
    missed[helped, 2] //= 4
    page = open_page(synthetic_store, made_up(missed), audience="internal")
    record = page.excesses.rows.set_index("trajectory").loc["Recovered"]
    assert is_clear(record)
    assert record["rate"] > 0.05
    sentence = next(text for text in page.path_sentences().sentences if text.startswith("Recovered"))
    assert "clearly more than" in sentence


def test_interval_is_clear_of_chance_only_outside_its_range(internal):
    for row in internal.excesses.rows.to_dict("records"):
        seen, chance = internal.path(row["trajectory"]), internal.expected_path(row["trajectory"])
        is_outside = seen["lower"] > chance["upper"] or seen["upper"] < chance["lower"]
        assert is_clear(row) == is_outside
        assert row["rate"] == pytest.approx(seen["rate"] - chance["rate"])


def test_chance_gives_every_group_a_share_of_each_turn(internal):
    total = sum(internal.expected_path(name)["rate"] for name in NAMES)
    assert total == pytest.approx(1, abs=0.005)
    turns = [rule.name for rule in trajectory_rules().rules if rule.direction == "improving"]
    whole = internal.direction("improving", measure="trajectory_share_expected")
    assert whole["rate"] == pytest.approx(sum(internal.expected_path(name)["rate"] for name in turns))


def test_hidden_trajectories_hide_what_is_made_of_them(synthetic_store):
    page = open_page(synthetic_store)
    rules = trajectory_rules()
    for group in page.directions.rows.to_dict("records"):
        if group["measure"] == "trajectory_rate":
            keys = {name: group[name] for name in ("phase", "characteristic", "level")}
            records = [page.path(name, **keys) for name in rules.towards(group["direction"])]
            assert is_shown(group) == all(map(is_shown, records))
    for row in page.excesses.rows.to_dict("records"):
        assert (row["symbol"] == "c") == (page.path(row["trajectory"])["symbol"] == "c")
    assert any(row["symbol"] == "c" for row in page.excesses.rows.to_dict("records"))
    assert any("cannot be told" in text for text in page.path_sentences().sentences)


def test_two_years_are_too_few_and_the_page_says_so(synthetic_store):
    followed = made_up(nobody_changes(50))
    short = replace(
        followed, periods=followed.periods[1:], codes={name: code[:, 1:] for name, code in followed.codes.items()},
        **{name: getattr(followed, name)[:, 1:]
           for name in ("possible", "missed", "on_roll", "elsewhere", "laestab", "la", "age")},
    )  # fmt: skip
    page = open_page(synthetic_store, short)
    assert isinstance(page.path_table(), Notice)
    with pytest.raises(NoDataError) as raised:
        page.exact("trajectories")
    assert not any(character.isdigit() for character in str(raised.value))


def test_outcomes_of_one_group_are_added_over_the_same_pupils():
    record = {"measure": "trajectory_rate", "numerator": 10.0, "denominator": 100.0, "rate": 0.1, "symbol": ""}
    assert pooled_outcomes([record, {**record, "numerator": 30.0, "rate": 0.3}])["rate"] == 0.4
    hidden = {**record, "symbol": "c", "numerator": np.nan, "denominator": np.nan, "rate": np.nan}
    assert pooled_outcomes([record, hidden])["symbol"] == "c"
    assert pooled_outcomes([]) is None
