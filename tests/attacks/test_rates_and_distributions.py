"""Attacks by arithmetic on one figure: a rate times its known base, a mean times its number, rounding undone."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.disclosure.cutting import cut
from attendance_toolkit.disclosure.distributions import (
    box_summary,
    safe_cumulative,
    safe_histogram,
    safe_mean,
    safe_quantiles,
)
from attendance_toolkit.disclosure.marks import safe_dots
from attendance_toolkit.disclosure.policy import DFE, SHARED
from attendance_toolkit.metrics.absence import with_contributors
from attendance_toolkit.presentation import figures
from attendance_toolkit.vocabulary.rounding import round_half_up
from tests.attacks.reader import ABSENT, WHOLE, reading, true_counts
from tests.attacks.world import AREA, clear, cleared_rows, exact_rows, make_pupils

NUMBERS = ["numerator", "denominator", "rate", "lower", "upper"]
SESSIONS = ("enrolments", "persistent_absence_rate", "overall_absence_rate", "attendance_rate", "mean_sessions_missed")


def group(*pupils: tuple[int, int, int], name: str = "Special") -> pd.DataFrame:
    """Return pupils of one phase: (how many, sessions possible each, sessions missed each)."""
    rows = [(possible, absent) for n, possible, absent in pupils for _ in range(n)]
    return pd.DataFrame(rows, columns=["possible", "absent"]).assign(
        phase=name,
        fsm_eligible="FSM eligible",
        sex="Female",
        sen_provision="No SEN",
        area_code=AREA,
        academic_year=202324,
    )


def test_07_a_rate_times_its_known_denominator():
    """Attack 7: with one decimal and a denominator under 1,000 the numerator is unique: so a hidden count has no rate."""
    naive = 0
    for n in range(20, 1000, 7):
        hidden = 3
        printed = round_half_up(100 * hidden / n, 1)
        naive += sum(round_half_up(100 * x / n, 1) == printed for x in range(n + 1)) == 1
    assert naive == len(range(20, 1000, 7))

    tables = {"t": exact_rows(make_pupils(1), ["phase", "fsm_eligible", "sen_provision"])}
    rows = cleared_rows(clear(tables, SHARED), tables)["t"]
    assert rows.loc[rows["symbol"] != "", NUMBERS].isna().all(axis=None)
    assert (rows["symbol"] == "c").sum() > 50


def test_07_a_shown_rate_with_the_exact_denominator_leaves_several_numerators():
    """Attack 7: the denominators are public and exact; the rate comes from rounded counts, so five numerators fit each."""
    exact = exact_rows(make_pupils(1, 6000), ["sex", "fsm_eligible"])
    rows = cleared_rows(clear({"t": exact}, SHARED), {"t": exact})["t"]
    shown = rows[(rows["symbol"] == "") & rows["denominator"].notna()]
    known = exact.loc[shown.index, "denominator"]
    assert len(shown) >= 10
    for (_, row), n in zip(shown.iterrows(), known, strict=True):
        base = math.floor(n / 5 + 0.5) * 5
        fitting = [x for x in range(int(n) + 1) if abs(math.floor(x / 5 + 0.5) * 5 / base - row["rate"]) < 1e-12]
        assert len(fitting) >= 5
        assert exact.loc[row.name, "numerator"] in fitting


@pytest.mark.parametrize("policy", [SHARED, DFE], ids=["rounded", "exact"])
@pytest.mark.parametrize("persistent", [0, 1, 9, 31, 39, 40])
def test_08_nobody_everybody_and_all_but_one(policy, persistent):
    """Attack 8: 0%, 100% and all but a few say something of each of 40 pupils, by the count or by the rest."""
    special = group((persistent, 100, 20), (40 - persistent, 100, 2))
    others = make_pupils(1).assign(phase="Primary")
    secondary = make_pupils(2).assign(phase="Secondary")
    pupils = pd.concat([special, others, secondary], ignore_index=True)
    tables = {"t": exact_rows(pupils, ["phase"])}
    rows = cleared_rows(clear(tables, policy), tables)["t"]
    mine = rows[(rows["phase"] == "Special") & (rows["measure"] == "persistent_absence_rate")]
    assert mine["symbol"].tolist() == ["c"]
    found = reading({"t": rows}, 0 if policy is DFE else 2.5).reaches()
    for cell, (low, high) in found.items():
        if cell[1] == "persistent" and ("phase", "Special") in cell[0]:
            # A reader does not even know whether it was nobody, everybody or neither.
            assert high - low >= policy.width


def test_08_a_share_in_the_middle_is_shown():
    """Attack 8, the other side: 20 of 40 give nobody away, and hiding everything would pass any attack."""
    pupils = pd.concat([group((20, 100, 20), (20, 100, 2)), make_pupils(1).assign(phase="Primary")], ignore_index=True)
    tables = {"t": exact_rows(pupils, ["phase"], ["enrolments", "persistent_absence_rate"])}
    rows = cleared_rows(clear(tables, SHARED), tables)["t"]
    assert (rows["symbol"] == "").all()


@pytest.mark.parametrize("measures", [SESSIONS, ("enrolments", "mean_sessions_missed")], ids=["all measures", "means"])
def test_09_one_pupil_at_full_absence(measures):
    """Attack 9: 30 pupils, one of whom missed nearly all that was missed: rate, attendance and mean are his own."""
    special = group((1, 380, 380), (29, 380, 0))
    pupils = pd.concat([special, *(make_pupils(i).assign(phase=p) for i, p in ((1, "Primary"), (2, "Secondary")))])
    pupils = pupils.reset_index(drop=True)
    tables = {"t": exact_rows(pupils, ["phase"], measures)}
    rows = cleared_rows(clear(tables, DFE), tables)["t"]
    mine = rows[(rows["phase"] == "Special") & rows["measure"].isin(SESSIONS[2:])]
    assert (mine["symbol"] == "c").all()
    found = reading({"t": rows}).reaches()
    exact = true_counts(pupils)
    cell = next(c for c in found if c[1] == ABSENT and ("phase", "Special") in c[0])
    assert exact(cell) == 380
    low, high = found[cell]
    # Not by the total less the others, nor by the mean times the number: several pupils' worth remain possible.
    assert high - low >= 5 * 38


def test_09_a_mean_times_its_number_against_the_total():
    """Attack 9: a hidden group's mean is hidden with it, and a total less a mean times n does not bring it back."""
    pupils = make_pupils(3, 700)
    tables = {"counts": exact_rows(pupils, ["phase", "fsm_eligible"], ["enrolments"]),
              "means": exact_rows(pupils, ["phase", "fsm_eligible"], ["mean_sessions_missed", "overall_absence_rate"])}  # fmt: skip
    small = pupils[(pupils["phase"] == "Special") & (pupils["fsm_eligible"] == "FSM eligible")].index[9:]
    pupils = pupils.drop(index=small)
    tables = {
        name: exact_rows(pupils, ["phase", "fsm_eligible"], rows["measure"].unique()) for name, rows in tables.items()
    }
    shown = cleared_rows(clear(tables, DFE), tables)
    found = reading(shown).reaches()
    count = true_counts(pupils)
    sizes = [c for c in found if c[1] == WHOLE and count(c) < 10]
    sessions = [c for c in found if c[1] == ABSENT and count((c[0], WHOLE)) < 10]
    assert sizes
    assert sessions
    assert all(found[c][1] - found[c][0] >= DFE.width for c in sizes)
    assert all(found[c][1] - found[c][0] >= 0.1 * count(c) for c in sessions)


def test_09_the_dominated_group_is_told_from_a_large_one_by_its_squares():
    """Attack 9, the rule itself: NK(2, 90%) against the two largest of each group counted out."""
    rng = np.random.default_rng(4)
    for _ in range(200):
        n = int(rng.integers(10, 60))
        absent = np.where(rng.random(n) < 0.3, rng.integers(1, 380, n), rng.integers(0, 3, n))
        rows = pd.DataFrame({"measure": ["mean_sessions_missed"], "area_code": [AREA]})
        cells = pd.DataFrame(
            {"area_code": [AREA], "enrolments": [n], "sessions_authorised": [absent.sum()], "sessions_unauthorised": [0],
             "square_absent": [(absent**2).sum()], "no_absence_enrolments": [(absent == 0).sum()]}
        )  # fmt: skip
        behind = with_contributors(rows, cells, ["area_code"]).iloc[0]
        assert behind["contributors"] == (absent > 0).sum()
        if behind["concentration"] < 0.405:
            assert np.sort(absent)[-2:].sum() < 0.9 * absent.sum()
        if absent.sum():
            assert behind["contributors"] >= 1 / behind["concentration"] - 1e-9


# --- distributions --------------------------------------------------------------------------------------------

BASE = [*(np.arange(120) % 60)]


@pytest.mark.parametrize(
    "show",
    [
        lambda v: safe_quantiles(v, [0.5, 0.25, 0.75, 0.1, 0.9, 0.0, 1.0], SHARED).to_csv(),
        lambda v: str(box_summary(v, SHARED)),
        lambda v: safe_histogram(v, [0, 10, 20, 50, 100, math.inf], SHARED).to_csv(),
        lambda v: safe_cumulative(v, [0, 10, 20, 50, 100, math.inf], SHARED).to_csv(),
    ],
    ids=["quantiles", "box", "histogram", "cumulative"],
)
def test_15_the_largest_value_is_nobodys_business(show):
    """Attack 15: percentiles, whiskers, tails and curves are the same whether one pupil missed 51 sessions or 379."""
    values = sorted(BASE)
    outcomes = {show([*values[:-1], last]) for last in (59, 75, 101, 379)}
    assert len(outcomes) == 1


def test_15_two_percentiles_do_not_frame_a_few_pupils():
    """Attack 15: no list of percentiles has ten shown values with fewer than ten pupils between two of them."""
    found = safe_quantiles(BASE, list(np.linspace(0, 1, 101)), SHARED)
    shown = found.loc[found["symbol"] == "", "probability"].to_numpy()
    assert len(shown) >= 8
    assert np.diff(np.sort(shown) * len(BASE)).min() >= 10 - 1e-9


def test_15_a_dot_is_not_one_pupil():
    """Attack 15: no mark for a school of which few, or all but few, are counted."""
    schools = pd.DataFrame(
        {"school": list("ABCDE"), "numerator": [1, 9, 10, 95, 50], "denominator": [5, 100, 100, 104, 100]}
    )
    dots = safe_dots(schools, SHARED, label="school")
    assert dots["symbol"].tolist() == ["c", "c", "", "c", ""]


def test_15_no_chart_draws_a_density():
    """Attack 15: a density curve has a bump for each pupil in its tail; there is no such chart."""
    # Each of these draws cleared rates of groups, one mark a row of a table.
    assert set(figures.__all__) == {
        "bars", "control_chart", "dot_interval", "dot_panels", "flow_bars", "funnel_chart", "line_by_level", "line_by_year",
        "small_multiples_by_year", "upset_rows",
    }  # fmt: skip


# --- rounding undone ------------------------------------------------------------------------------------------


def _fitting(shown: float, base: int, threshold: int) -> int:
    """Return how many exact counts are shown as this one, among those that are shown at all."""
    return sum(math.floor(x / base + 0.5) * base == shown for x in range(threshold, 500))


def test_17_rounding_cannot_be_undone_at_the_edge():
    """Attack 17: hiding up to 5 and rounding to 5 leaves 6 and 7 behind a shown 5; the default leaves at least three."""
    assert _fitting(5, 5, 6) == 2
    assert min(_fitting(shown, SHARED.rounding, SHARED.threshold) for shown in range(10, 400, 5)) == 3
    assert min(_fitting(shown, SHARED.rounding, SHARED.threshold) for shown in range(15, 400, 5)) == 5


def test_17_a_rate_does_not_undo_the_rounding_of_its_counts():
    """Attack 17: numerator, denominator, rate and interval of a row are a function of the two rounded counts alone."""
    pupils = make_pupils(1, 3000)
    exact = exact_rows(pupils, ["phase", "fsm_eligible"])
    rows = cleared_rows(clear({"t": exact}, SHARED), {"t": exact})["t"]
    shown = rows[(rows["symbol"] == "") & (rows["measure"] == "persistent_absence_rate")]
    assert (shown[["numerator", "denominator"]] % 5 == 0).all(axis=None)
    # Other pupils, the same rounded counts: the very same row.
    for _, row in shown.iterrows():
        again = exact.loc[[row.name]].assign(
            numerator=row["numerator"], denominator=row["denominator"], enrolments=row["denominator"],
            rate=row["numerator"] / row["denominator"], contributors=np.nan, concentration=np.nan,
        )  # fmt: skip
        other = cleared_rows(clear({"t": again}, SHARED), {"t": again})["t"]
        assert other[NUMBERS].to_numpy().tolist() == [row[NUMBERS].tolist()]


def test_17_a_mean_does_not_undo_the_rounding_of_its_number():
    """Attack 17, handbook 5.7: of the exact mean only one pair of total and number fits; of the cut one many do."""
    total, n = 1151, 62
    exact = total / n
    pairs = [(t, m) for m in range(58, 63) for t in range(1149, 1153) if abs(t / m - exact) < 1e-9]
    assert pairs == [(total, n)]
    (mean,), _ = safe_mean([total], [n], [30_000], SHARED)
    assert len({(t, m) for m in range(58, 63) for t in range(1000, 1300) if abs(round(t / m, 1) - mean) < 1e-9}) > 20


def test_17_no_figure_of_a_rounded_release_has_digits_of_exact_counts():
    """Attack 17: every rate is the quotient of two multiples of 5; a difference of means is cut to what is printed."""
    exact = exact_rows(make_pupils(1), ["phase", "fsm_eligible"], SESSIONS)
    rows = cleared_rows(clear({"t": exact}, SHARED), {"t": exact})["t"]
    shown = rows[(rows["symbol"] == "") & rows["denominator"].notna()]
    assert (shown["rate"] == shown["numerator"] / shown["denominator"]).all()
    assert (shown[["numerator", "denominator"]] % 5 == 0).all(axis=None)


def test_17_a_difference_of_means_is_cut_to_one_decimal():
    """Attack 17: with four decimals, 84 of 100 invented groups had one set of counts only behind their rounded ones."""

    def fitting(shown: float, decimals: int) -> int:
        found = 0
        for a, b, c, d in itertools.product(range(-2, 3), repeat=4):
            size, everybody, missed, all_missed = 205 + a, 1000 + b, 12_300 + c, 20_000 + d
            difference = missed / size - (all_missed - missed) / (everybody - size)
            found += round(difference, decimals) == shown
        return found

    exact = 12_301 / 206 - (19_999 - 12_301) / (1001 - 206)
    rows = pd.DataFrame(
        {"measure": ["extra_sessions_missed_persistent"], "numerator": [np.nan], "denominator": [np.nan], "rate": [exact],
         "lower": [np.nan], "upper": [np.nan], "symbol": [""], "enrolments": [1001.0]}
    )  # fmt: skip
    shown = cut(rows, pd.Series([False]), SHARED)["rate"].item()
    assert fitting(round(exact, 4), 4) < 5
    assert fitting(shown, 1) > 20
