"""Why the rate changed: planted parts are found, the parts add up, figures equal sums made without the toolkit."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest

import attendance_toolkit as at
from attendance_toolkit.deepdives._base import exact_table
from attendance_toolkit.deepdives._change_models import (
    FACTORS,
    MIX,
    RATE,
    Stayers,
    change_rows,
    contribution_estimates,
    turnover_estimates,
)
from attendance_toolkit.deepdives.longitudinal_change import LongitudinalChange
from attendance_toolkit.deepdives.longitudinal_change_data import ROUNDING, _rest
from attendance_toolkit.deepdives.longitudinal_data import GROUPS
from attendance_toolkit.deepdives.longitudinal_flows_data import LongitudinalFlowsData
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import MIME, Figure, Notice, Table
from attendance_toolkit.presentation.narrative import is_shown
from attendance_toolkit.vocabulary.outcomes import BANDS

PA, SA = "persistent_absence_rate", "severe_absence_rate"
BLOCKS = (
    ("turnover_sentences",), ("turnover_table",), ("mix_change_sentences",), ("mix_change_figure", PA),
    ("mix_change_figure", SA), ("mix_change_table",), ("mix_change_areas_table",), ("contribution_sentences",),
    ("contribution_table", "phase"), ("contribution_table", "nc_year"), ("contribution_table",),
    ("contribution_table", "district"), ("paradox_sentences",),
)  # fmt: skip
IRWELL_BANK = "E08900009"


class Page(LongitudinalChange, LongitudinalFlowsData):
    """This part of the page and the flows it rests on."""


class Planted(LongitudinalChange):
    """This part of the page on cells made by hand, in place of those of the store."""

    cells: pd.DataFrame

    @property
    def _detail(self):
        return self.cells

    @exact_table
    def rates(self):
        raise NoDataError("Not of these cells.")

    @exact_table
    def terms(self):
        raise NoDataError("Not of these cells.")


def inputs_of(store, **more):
    return at.open_inputs(**{"area": "Irwell Bank", "academic_year": "2023/24", "store": str(store), **more})


@pytest.fixture(scope="module")
def page(synthetic_store):
    return Page(inputs_of(synthetic_store))


@pytest.fixture(scope="module")
def internal(synthetic_store):
    return Page(inputs_of(synthetic_store, audience="internal"))


def made(page):
    return [getattr(page, name)(*given) for name, *given in BLOCKS]


def cells_of(years, *, rates):
    """Return cells of two years: ``years`` has the share of FSM pupils, ``rates`` (FSM, others) the rates, by year.

    Half of each group is of either sex, a fifth has SEN support, and all are spread over Years 4 to 7; none of it matters.
    """
    rows = []
    for year, share in years.items():
        for level, part, rate in (
            ("FSM eligible", share, rates[year][0]),
            ("Not known to be FSM eligible", 1 - share, rates[year][1]),
        ):
            for sex, sen, nc_year in itertools.product(
                ("Female", "Male"), ("No SEN", "SEN support"), ("4", "5", "6", "7")
            ):
                size = round(40_000 * part * (0.2 if sen == "SEN support" else 0.8) / 8)
                rows.append(
                    {
                        "area_code": IRWELL_BANK, "academic_year": year, "phase": "Secondary" if nc_year == "7" else "Primary",
                        "fsm_eligible": level, "sen_provision": sen, "sex": sex, "ethnicity_major": "White",
                        "first_language": "English", "nc_year": nc_year, "enrolments": size,
                        "persistent_absentees": round(size * rate), "severe_absentees": round(size * rate / 10),
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)[
        [
            "area_code",
            "academic_year",
            "phase",
            *GROUPS,
            "nc_year",
            "enrolments",
            "persistent_absentees",
            "severe_absentees",
        ]
    ]


def planted(synthetic_store, cells, **more):
    found = Planted(inputs_of(synthetic_store, **{"audience": "internal", **more}))
    found.cells = cells
    return found


def parts_of(rows, measure="persistent_change_part"):
    return rows[rows["measure"] == measure].set_index("model")["rate"].to_dict()


# -- planted parts ------------------------------------------------------------------------------------


def test_a_change_of_mix_alone_is_all_mix_and_of_the_characteristic_that_changed():
    # From 20% to 40% eligible, 30% and 10% absent: by hand the rate goes from 14% to 18%, four points, all of it mix.
    rates = {202223: (0.3, 0.1), 202324: (0.3, 0.1)}
    rows = change_rows(cells_of({202223: 0.2, 202324: 0.4}, rates=rates), [(202223, 202324)], draws=5)
    found = parts_of(rows)
    assert found["fsm_eligible"] == pytest.approx(0.04, abs=1e-9)
    assert found[MIX] == pytest.approx(0.04, abs=1e-9)
    assert [found[name] for name in ("nc_year", "sex", "sen_provision", RATE)] == pytest.approx([0] * 4, abs=1e-9)


def test_a_change_of_rates_alone_is_all_rates():
    rates = {202223: (0.3, 0.1), 202324: (0.35, 0.1)}
    found = parts_of(change_rows(cells_of({202223: 0.2, 202324: 0.2}, rates=rates), [(202223, 202324)], draws=5))
    assert found[RATE] == pytest.approx(0.01, abs=1e-9)
    assert [found[name] for name in (*FACTORS, MIX)] == pytest.approx([0] * 5, abs=1e-12)


def test_mix_against_rates_is_said_and_no_paradox_is_made_of_it(synthetic_store):
    # Mix: +0.2 x (0.3 + 0.25)/2 - 0.2 x (0.1 + 0.07)/2 = +3.8 points; all together 14% to 14.2%.
    cells = cells_of({202223: 0.2, 202324: 0.4}, rates={202223: (0.3, 0.1), 202324: (0.22, 0.06)})
    page = planted(synthetic_store, cells)
    texts = " ".join(page.mix_change_sentences().sentences)
    assert (
        "Mix and rates worked against each other: with the same mix of pupils the fall would have been larger." in texts
    )
    assert "most of it by free school meals" in texts
    assert page.paradox_sentences().sentences[-1].startswith("Nowhere")


def test_a_fall_while_every_group_rose_is_found_and_said(synthetic_store):
    # 30% to 10% eligible; both rates rise by 2 points, the rate of all falls from 19% to 15%.
    cells = cells_of({202223: 0.3, 202324: 0.1}, rates={202223: (0.4, 0.1), 202324: (0.42, 0.12)})
    said = planted(synthetic_store, cells).paradox_sentences().sentences
    assert said[0] == (
        "Persistent absence in Irwell Bank fell by 4.0 percentage points from 2022/23 to 2023/24 although the rates of pupils of"
        " the same year group, sex, free school meals and SEN went up on balance (+2.0 percentage points): the mix of pupils"
        " weighed more (−6.0)."
    )
    assert any("although it rose in every group by free school meals" in text for text in said)
    assert not any(text.startswith("Nowhere") for text in said)
    # Sexes are equal in all: what fell together is no paradox.
    assert not any("every group by sex" in text and "although" in text for text in said)


def test_years_that_do_not_differ_give_no_findings(synthetic_store):
    rates = {202223: (0.3, 0.1), 202324: (0.3, 0.1)}
    page = planted(synthetic_store, cells_of({202223: 0.25, 202324: 0.25}, rates=rates))
    assert all(
        "did not clearly change" in text and "rose" not in text for text in page.mix_change_sentences().sentences
    )
    assert all("did not clearly change" in text for text in page.contribution_sentences().sentences)
    assert page.contribution_parts.rows["rate"].dropna().abs().max() < 1e-12
    assert len(page.paradox_sentences().sentences) == 1


# -- intervals ----------------------------------------------------------------------------------------


def test_intervals_of_turnover_hold_the_truth_as_often_as_they_say():
    """Same pupils twice with levels of their own, others once: the expected parts are known from the levels."""
    rng = np.random.default_rng(5)
    levels = rng.beta(1, 5, 3_000)
    after, joined, left = np.clip(levels + 0.01, 0, 1), rng.beta(1, 7, 400), rng.beta(1, 3, 500)
    w1, w2 = 3_000 / 3_500, 3_000 / 3_400
    means = {"stayers": after.mean() - levels.mean()}
    means |= {
        "joiners": (1 - w2) * (joined.mean() - after.mean()),
        "leavers": -(1 - w1) * (left.mean() - levels.mean()),
    }
    means["total"] = sum(means.values())
    held = dict.fromkeys(means, 0)
    for _ in range(600):
        first, second = rng.random(3_000) < levels, rng.random(3_000) < after
        found = turnover_estimates(
            Stayers(3_000, first.sum(), second.sum(), (first & second).sum()),
            ((rng.random(500) < left).sum(), 500),
            ((rng.random(400) < joined).sum(), 400),
        )
        assert math.fsum(found[name].value for name in ("stayers", "joiners", "leavers")) == pytest.approx(
            found["total"].value
        )
        for name, mean in means.items():
            held[name] += found[name].lower <= mean <= found[name].upper
    # Pupils drawn from levels of their own vary less than the formula's pupils alike: never fewer than 95%, less chance.
    assert all(0.93 <= count / 600 <= 0.995 for count in held.values()), held


def test_intervals_of_contributions_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(6)
    sizes = [(2_000, 2_100), (800, 700), (300, 340)]
    rates = [(0.2, 0.18), (0.1, 0.12), (0.3, 0.3)]
    shares = [np.mean([n[at] / sum(size[at] for size in sizes) for at in (0, 1)]) for n in sizes]
    truth = [share * (rate[1] - rate[0]) for share, rate in zip(shares, rates, strict=True)]
    held = np.zeros(3)
    for _ in range(600):
        drawn = [[(rng.binomial(n[at], r[at]), n[at]) for n, r in zip(sizes, rates, strict=True)] for at in (0, 1)]
        for place, one in enumerate(contribution_estimates(*drawn)):
            within = one["contribution_within"]
            held[place] += within.lower <= truth[place] <= within.upper
    assert ((held / 600 >= 0.93) & (held / 600 <= 0.975)).all(), held


# -- pupil-level pages --------------------------------------------------------------------------------


def test_every_block_is_made_from_pupil_level_data(page):
    blocks = made(page)
    assert not [block for block in blocks if isinstance(block, Notice)]
    assert all(json.loads(json.dumps(block._repr_mimebundle_()[0][MIME])) for block in blocks)
    ids = [block.id for block in blocks if isinstance(block, (Table, Figure))]
    assert len(ids) == len(set(ids))
    assert {
        "turnover",
        "mix-change",
        "contribution-phase",
        "contribution-nc-year",
        "contribution-characteristics",
    } <= set(ids)
    assert all("synthetic" in block.source.lower() for block in blocks if isinstance(block, (Table, Figure)))
    assert all(len(block.columns) <= 8 for block in blocks if isinstance(block, Table))


def test_parts_of_turnover_equal_those_of_the_exact_flows(internal):
    """Worked out with pandas from who was in which band, without the release and without the formula."""
    from attendance_toolkit.metrics.following import flow_cells

    cells = flow_cells(internal.inputs.followed("year"), ["phase"])
    cells = cells[cells["phase"].isin(["Primary", "Secondary", "Special"])]
    is_before, is_after = cells["band_before"].isin(BANDS), cells["band_after"].isin(BANDS)
    rows = internal.turnover_parts.rows.set_index(["academic_year", "about", "part", "when"])["rate"]
    for year in (202223, 202324):
        for about, at_it in ((PA, BANDS[2:]), (SA, BANDS[4:])):

            def rate(chosen, column, year=year, at_it=at_it):
                here = cells[chosen & (cells["academic_year"] == year)]
                return here.loc[here[column].isin(at_it), "pupils"].sum() / here["pupils"].sum()

            before, after = rate(is_before, "band_before"), rate(is_after, "band_after")
            stay_before, stay_after = (rate(is_before & is_after, name) for name in ("band_before", "band_after"))
            wanted = {
                "total": after - before,
                "stayers": stay_after - stay_before,
                "joiners": after - stay_after,
                "leavers": stay_before - before,
            }
            found = {part: rows[year, about, part, ""] for part in wanted}
            assert found == pytest.approx(wanted, abs=1e-12)
            assert rows[year, about, "joiners", "after"] == pytest.approx(rate(is_after & ~is_before, "band_after"))
            assert rows[year, about, "leavers", "before"] == pytest.approx(rate(is_before & ~is_after, "band_before"))


def test_contributions_add_up_to_the_change(page, internal):
    for dive, has_rest in ((page, True), (internal, False)):
        rows = dive.contribution_parts.rows
        for keys, part in rows.groupby(["since", "about", "kind"]):
            given = part[part["measure"] == "contribution"]
            total = part[(part["level"] == "All") & (part["measure"] == "change_in_rate")]
            if (given["symbol"] == "c").any():
                # What is left over is the hidden groups': nothing stands for it.
                assert dive is page
                assert ROUNDING not in set(given["level"])
                continue
            assert given["rate"].sum() == pytest.approx(total["rate"].item(), abs=1e-12), keys
            assert (ROUNDING in set(given["level"])) is has_rest


def test_contributions_equal_kitagawas_by_hand(internal):
    """Each year group's counts of the exact table, and the two terms of the textbook."""
    rows = internal.exact("groups").rows
    rows = rows[(rows["characteristic"] == "nc_year") & (rows["measure"] == PA) & (rows["level"] != "All")]
    both = [rows[rows["academic_year"] == year].set_index("level") for year in (202223, 202324)]
    share = [one["denominator"] / one["denominator"].sum() for one in both]
    rate = [one["numerator"] / one["denominator"] for one in both]
    overall = np.mean([one["numerator"].sum() / one["denominator"].sum() for one in both])
    within = (rate[1] - rate[0]) * (share[0] + share[1]) / 2
    size = (share[1] - share[0]) * ((rate[0] + rate[1]) / 2 - overall)
    for level in within.index:
        found = [
            internal.contributions_lookup(
                since=202223, academic_year=202324, about=PA, kind="nc_year", level=level, measure=f"contribution{name}"
            )["rate"]
            for name in ("", "_within", "_size")
        ]
        assert found == pytest.approx([within[level] + size[level], within[level], size[level]], abs=1e-12)


def test_what_is_left_for_hidden_groups_is_never_fewer_than_nobody():
    assert _rest((100.0, 1_000.0), [(60.0, 500.0)]) == (40.0, 500.0)
    # Rounded counts may add up to more than the whole.
    assert _rest((100.0, 1_000.0), [(105.0, 995.0)]) == (0.0, 5.0)
    assert _rest((100.0, 1_000.0), [(40.0, 990.0)]) == (10.0, 10.0)


def test_a_difference_that_rounding_can_make_is_no_move(page, internal):
    # 5 and 7 of 50: both may be written as 5, so that of rounded counts nothing is told.
    both = tuple({"rate": count / 50, "denominator": 50.0} for count in (5, 7))
    assert page._moved_way(both) == 0
    assert (internal._moved_way(both), internal._moved_way(both[::-1])) == (1, -1)


def test_a_hidden_rate_hides_its_change_and_the_parts(page):
    hidden = page.mix_change.with_rows(page.mix_change.rows)
    at_fault = (hidden.rows["academic_year"] == 202223) & (hidden.rows["measure"] == PA)
    hidden.rows.loc[at_fault, ["numerator", "denominator", "rate", "lower", "upper"]] = np.nan
    hidden.rows.loc[at_fault, "symbol"] = "c"

    class Given(LongitudinalChange):
        mix_change = hidden

    dive = Given(page.inputs, page._tables)
    assert [dive.change_part(IRWELL_BANK, PA, (202223, 202324), part)["symbol"] for part in (*FACTORS, MIX, RATE)] == [
        "c"
    ] * 6
    assert dive.change_total(IRWELL_BANK, PA, (202223, 202324))["symbol"] == "c"
    assert is_shown(dive.change_part(IRWELL_BANK, PA, (202122, 202324), MIX))
    assert "cannot be told: figures are hidden" in dive.mix_change_sentences().sentences[0]


def test_partners_get_no_more_digits_than_the_counts_allow(page, internal):
    # 0.1 points of 4,700 enrolments are 5 of them, as counts are rounded to 5.
    rows = page.mix_change.rows
    parts = rows[rows["measure"] == "persistent_change_part"]
    assert (parts["decimals"] == 1).all()
    assert (parts["rate"] * 1000).tolist() == pytest.approx((parts["rate"] * 1000).round().tolist(), abs=1e-9)
    exact = internal.mix_change.rows
    exact = exact[exact["measure"] == "persistent_change_part"]
    assert (exact["rate"].to_numpy() - parts["rate"].to_numpy()).tolist() == pytest.approx([0] * len(parts), abs=0.0005)
