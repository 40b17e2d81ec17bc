"""Attacks by looking: which symbol, which place, which colour, which order, which row is not there."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.disclosure.marks import heat_classes, single_unit_cells, top_n
from attendance_toolkit.disclosure.policy import DFE, SHARED, Policy
from attendance_toolkit.disclosure.release import ClearedRelease
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import DisclosureError
from attendance_toolkit.metrics.absence import attendance_bands, main_measures, reason_rates
from attendance_toolkit.metrics.overview import by_characteristic, headline_rows, unknown_rows, with_all_schools
from attendance_toolkit.presentation import figures
from attendance_toolkit.presentation.markup import PageContext, render
from attendance_toolkit.presentation.tables import measure_table
from tests.attacks.reader import STATUS, reading
from tests.attacks.world import AREA, LEVELS, cells_of, clear, cleared_rows, exact_rows, make_pupils

DIMS = ["phase", "fsm_eligible"]
MEASURES = ["enrolments", "persistent_absence_rate"]
WORDS = {"title": "Headline", "subtitle": "Measure, place, period"}


def everything(table: ProtectedTable) -> str:
    """Return every byte made from a table: charts with their words and data, tables, CSV files."""
    pa = table.select(measure="persistent_absence_rate", fsm_eligible="FSM eligible")
    blocks = [
        measure_table(table, id="t", rows=["phase", "fsm_eligible"], columns="measure", value="both", **WORDS),
        measure_table(pa, id="i", rows="phase", value="interval", **WORDS),
        figures.dot_interval(pa, id="d", category="phase", **WORDS),
        figures.bars(pa, id="b", category="phase", sort=True, **WORDS),
        figures.line_by_year(pa, id="l", series="phase", **WORDS),
        figures.small_multiples_by_year(
            table.select(measure="persistent_absence_rate"), id="m", series="fsm_eligible", panel="phase", **WORDS
        ),
    ]
    return "\n".join(json.dumps(b.document()) + render(b, PageContext()) + str(b._repr_mimebundle_()) for b in blocks)


def twins(policy: Policy) -> tuple[ClearedRelease, ClearedRelease, int]:
    """Return two releases whose pupils differ in hidden counts alone, and in how many of them.

    One pupil in each of four hidden groups that make a rectangle changes sides: every sum stays as it is.
    """
    for seed in range(40):
        pupils = make_pupils(seed, 500)
        pupils["absent"] = np.where(pupils["absent"] * 10 >= pupils["possible"], pupils["possible"] // 5, 0)
        tables = {"t": exact_rows(pupils, DIMS, MEASURES)}
        first = clear(tables, policy)
        hidden = {c[0] for c in reading(cleared_rows(first, tables)).hidden if c[1] == "persistent"}
        by_group = dict(list(pupils.groupby(DIMS)))
        for one in LEVELS["phase"]:
            for two in LEVELS["phase"]:
                corners = [(one, f) for f in LEVELS["fsm_eligible"]] + [(two, f) for f in LEVELS["fsm_eligible"]]
                groups = [
                    frozenset({("area_code", AREA), ("academic_year", "202324"), *zip(DIMS, c, strict=True)})
                    for c in corners
                ]
                if one == two or not all(g in hidden for g in groups) or not all(c in by_group for c in corners):
                    continue
                moved = pupils.copy()
                for corner, to_persistent in zip(corners, (True, False, False, True), strict=True):
                    mine = by_group[corner]
                    side = mine[(mine["absent"] == 0) == to_persistent]
                    if side.empty:
                        break
                    moved.loc[side.index[0], "absent"] = (
                        mine.loc[side.index[0], "possible"] // 5 if to_persistent else 0
                    )
                else:
                    second = clear({"t": exact_rows(moved, DIMS, MEASURES)}, policy)
                    if (first.found.hidden == second.found.hidden).all():
                        a, b = (r.audit.cells["value"].to_numpy() for r in (first, second))
                        return first, second, int((a != b).sum())
    raise AssertionError("no such pair of populations was found")


@pytest.mark.parametrize("policy", [DFE, SHARED], ids=["exact", "rounded"])
def test_13_two_populations_nobody_can_tell_apart(policy, tmp_path):
    """Attack 13: hidden counts differ; page, charts, tips, order, ids, CSV and saved files are the same to the byte."""
    first, second, different = twins(policy)
    assert different >= 4
    one, two = (r.table("attacks", AREA, "t") for r in (first, second))
    pd.testing.assert_frame_equal(one.rows, two.rows)
    assert everything(one) == everything(two)
    files = [
        {
            path.name: path.read_bytes()
            for path in sorted(r.save_for(tmp_path / str(i), "attacks", AREA, "partner").iterdir())
        }
        for i, r in enumerate((first, second))
    ]
    assert files[0].keys() == files[1].keys()
    for name, content in files[0].items():
        # The name of a release is made of its exact rows.
        texts = [re.sub(rb'"release_id": "\w+"', b"", text) for text in (content, files[1][name])]
        assert texts[0] == texts[1]


def test_13_one_symbol_for_every_reason():
    """Attack 13: a row is hidden because it is small, because it closes a line, or with its group: nothing tells which."""
    tables = {"t": exact_rows(make_pupils(1), DIMS)}
    cleared = clear(tables, SHARED)
    status = cleared.audit.cells["status"]
    assert {"small", "closes a line"} <= set(status)
    rows = cleared_rows(cleared, tables)["t"]
    hidden = rows[rows["symbol"] != ""]
    assert set(hidden["symbol"]) == {"c"}
    # All other columns are groups, the measure, missing numbers and an id that does not depend on the figure.
    assert set(rows.columns) == {"area_code", "academic_year", *DIMS, "measure", "numerator", "denominator", "rate",
                                 "lower", "upper", "symbol", "cell"}  # fmt: skip
    assert hidden[["numerator", "denominator", "rate", "lower", "upper"]].isna().all(axis=None)


def test_13_rows_stand_in_an_order_that_no_figure_makes():
    """Attack 13: the rows of every exact table come in the same order whatever the counts are."""
    keys = ["area_code", "academic_year", "phase"]
    pupils = pd.concat([make_pupils(i).assign(sex="Unknown" if i == 2 else "Male") for i in (1, 2)], ignore_index=True)
    cells = cells_of(pupils, [*keys, "sex", "sen_provision"])
    counts = [name for name in cells.columns if name not in (*keys, "sex", "sen_provision")]
    rng = np.random.default_rng(3)
    makers = [
        lambda c: main_measures(with_all_schools(c, keys), keys),
        lambda c: main_measures(
            by_characteristic(c, keys, ["sex", "sen_provision"]), [*keys, "characteristic", "level"]
        ),
        lambda c: headline_rows(with_all_schools(c, keys), keys),
        lambda c: attendance_bands(c, keys),
        lambda c: reason_rates(c, keys),
        lambda c: unknown_rows(c, keys, ["sex"]),
    ]
    for make in makers:
        orders = set()
        for _ in range(4):
            shuffled = cells.copy()
            shuffled[counts] = cells[counts].to_numpy()[rng.permutation(len(cells))]
            rows = make(shuffled)
            names = [n for n in rows.columns if n in (*keys, "measure", "band", "reason", "characteristic", "level")]
            orders.add(rows[names].astype(str).to_csv())
        assert len(orders) == 1


def test_16_a_heat_map_of_three_dimensions():
    """Attack 16: hidden cells of phase x FSM x SEN have no colour, move no edge, and none is the only one of its line."""
    pupils = make_pupils(3, 20_000)
    dims = ["phase", "fsm_eligible", "sen_provision"]
    table = {"t": exact_rows(pupils, dims, MEASURES)}
    rows = cleared_rows(clear(table, DFE), table)["t"]
    inner = rows[(rows["measure"] == "persistent_absence_rate") & ~rows[dims].isin(["All", "All schools"]).any(axis=1)]
    classes, edges = heat_classes(inner["rate"], inner["symbol"])
    hidden = (inner["symbol"] == "c").to_numpy()
    assert hidden.any()
    assert (~hidden).sum() >= 3
    assert (classes[hidden] == -1).all()
    assert (classes[~hidden] >= 0).all()
    shown_alone = heat_classes(inner.loc[~hidden, "rate"], inner.loc[~hidden, "symbol"])
    assert shown_alone[1] == edges
    reached = reading({"t": rows}).reaches()
    for cell, (low, high) in reached.items():
        if cell[1] in STATUS and len(cell[0]) == 5:
            assert high - low >= 1


def test_18_the_top_three_of_hidden_counts():
    """Attack 18: a list of the highest is of the shown ones; which place a hidden school would have is not to be had."""
    rows = pd.DataFrame(
        {
            "school": ["Ash", "Beech", "Cedar", "Elm", "Oak"],
            "rate": [0.2, np.nan, 0.3, 0.25, np.nan],
            "symbol": ["", "c", "", "", "c"],
        }
    )
    lists = []
    for order in ([0, 1, 2, 3, 4], [4, 2, 1, 3, 0], [1, 4, 2, 3, 0]):
        found = top_n(rows.iloc[order], 3, label="school")
        lists.append((found.rows["school"].tolist(), found.rows["rank"].tolist(), found.not_ranked, found.note))
    assert lists[0] == lists[1] == lists[2] == (["Cedar", "Elm", "Ash"], [1, 2, 3], ("Beech", "Oak"), lists[0][3])
    with pytest.raises(DisclosureError, match="where they lie"):
        top_n(rows, 3, label="school", among_all=True)


def test_19_one_special_school_is_the_special_schools():
    """Attack 19: the total of an authority's one special school is that school's own figure; two know each other's."""
    schools = pd.Series({"Primary": 60, "Secondary": 12, "Special": 1, "Pupil referral unit": 2})
    assert schools.index[single_unit_cells(schools)].tolist() == ["Special", "Pupil referral unit"]


@pytest.mark.parametrize("policy", [DFE, SHARED], ids=["exact", "rounded"])
def test_20_missing_0_c_and_z(policy):
    """Attack 20: nobody in a group is z; nobody of a group with a status, few, and few of few are all c, with no number."""
    base = make_pupils(5, 3000)
    base = base[base["phase"] != "Special"]
    special = make_pupils(6, 400).assign(phase="Special", sen_provision="EHC plan")
    special["absent"] = 0
    few = make_pupils(7, 3).assign(phase="Special", sen_provision="SEN support")
    pupils = pd.concat([base, special, few], ignore_index=True)
    table = exact_rows(pupils, ["phase", "sen_provision"], MEASURES)
    nobody = table[(table["phase"] == "Special") & (table["sen_provision"] == "EHC plan")].assign(
        sen_provision="No SEN", numerator=0.0, denominator=0.0,
        rate=np.nan, lower=np.nan, upper=np.nan, symbol="z", enrolments=0.0,
    )  # fmt: skip
    table = pd.concat([table, nobody], ignore_index=True)
    rows = cleared_rows(clear({"t": table}, policy), {"t": table})["t"]
    mine = rows[rows["phase"] == "Special"].set_index(["sen_provision", "measure"])
    assert mine.loc[("No SEN", "persistent_absence_rate"), "symbol"] == "z"
    assert mine.loc[("EHC plan", "persistent_absence_rate"), "symbol"] == "c"
    assert mine.loc[("SEN support", "persistent_absence_rate"), "symbol"] == "c"
    assert mine.loc[("SEN support", "enrolments"), "symbol"] == "c"
    without = rows[rows["symbol"] != ""]
    assert without[["numerator", "denominator", "rate", "lower", "upper"]].isna().all(axis=None)
    # A shown figure is never 0 of a group that has pupils.
    shown = rows[(rows["symbol"] == "") & (rows["measure"] == "persistent_absence_rate")]
    assert (shown["numerator"] >= 10).all()
    assert (shown["denominator"] - shown["numerator"] >= 5).all()
