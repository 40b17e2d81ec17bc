"""Attacks by adding and subtracting what is shown, in one table and over all tables of a release together."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from attendance_toolkit.disclosure.attack import attack, attack_joint, joint_margins
from attendance_toolkit.disclosure.linear import sums
from attendance_toolkit.disclosure.policy import DFE, SHARED
from attendance_toolkit.disclosure.release import ExactTable, Release
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS
from tests.attacks.reader import WHOLE, narrow, reading, small, solved, true_counts
from tests.attacks.world import (
    AREA,
    LEVELS,
    clear,
    cleared_rows,
    exact_rows,
    make_pupils,
    one_pass,
    threshold_only,
)

POLICIES = [pytest.param(DFE, 0.0, id="exact"), pytest.param(SHARED, 2.5, id="rounded")]
#: Tables as different notebooks ask for them.
NOTEBOOKS = (["fsm_eligible", "phase"], ["sex", "phase"], ["sen_provision", "phase"], ["fsm_eligible", "sen_provision"])


def tables_of(pupils: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {f"table {i}": exact_rows(pupils, dims) for i, dims in enumerate(NOTEBOOKS)}


@pytest.mark.parametrize(("policy", "slack"), POLICIES)
def test_01_subtraction_along_every_margin(policy, slack):
    """Attack 1: each hidden count of one table, from its margins. Blanking the small ones alone gives them away."""
    pupils = make_pupils(1)
    table = {"one": exact_rows(pupils, ["phase", "fsm_eligible", "sen_provision"])}
    count = true_counts(pupils)
    found = reading(cleared_rows(clear(table, policy), table), slack).reaches()
    assert all(low - 1e-6 <= count(cell) <= high + 1e-6 for cell, (low, high) in found.items())
    assert len(small(found, count)) > 50
    assert solved(found) == 0
    assert narrow(small(found, count), policy.width) == 0

    naive = reading({"one": threshold_only(table["one"])}).reaches()
    assert solved(naive) > 20
    snippet = reading({"one": one_pass(table["one"])}).reaches()
    assert narrow(snippet, policy.width) > 0


@pytest.mark.parametrize(("policy", "slack"), POLICIES)
@pytest.mark.parametrize("seed", [2, 3])
def test_02_one_system_over_all_tables_of_all_notebooks(policy, slack, seed):
    """Attack 2: all tables read together; each protected by itself leaks, the release does not."""
    pupils = make_pupils(seed)
    tables = tables_of(pupils)
    count = true_counts(pupils)
    found = reading(cleared_rows(clear(tables, policy), tables), slack).reaches()
    assert len(small(found, count)) > 30
    assert solved(found) == 0
    assert narrow(small(found, count), policy.width) == 0
    assert solved(reading({name: threshold_only(rows) for name, rows in tables.items()}).reaches()) > 10


def test_03_whole_numbers_do_not_narrow_it_either():
    """Attack 3: the same with an integer programme: every small count keeps a range of at least the width."""
    pupils = make_pupils(4, 600)
    tables = tables_of(pupils)
    count = true_counts(pupils)
    reader = reading(cleared_rows(clear(tables, DFE), tables))
    cells = small(dict.fromkeys(reader.hidden, (0.0, 0.0)), count)
    found = reader.reaches(cells, integer=True)
    assert len(found) > 30
    assert narrow(found, DFE.width) == 0


def _brute_force(shown: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> list[np.ndarray]:
    """Return every 3 x 3 table of whole numbers that agrees with the shown cells and all margins."""
    free = np.argwhere(np.isnan(shown)).tolist()
    found: list[np.ndarray] = []

    def fill(table: np.ndarray, left: list[list[int]]) -> None:
        if not left:
            if (table.sum(axis=1) == rows).all() and (table.sum(axis=0) == columns).all():
                found.append(table.copy())
            return
        i, j = left[0]
        in_row, in_column = rows[i] - np.nansum(table[i]), columns[j] - np.nansum(table[:, j])
        # The last unknown of a line is what the line leaves.
        ends = [room for line, room in ((table[i], in_row), (table[:, j], in_column)) if np.isnan(line).sum() == 1]
        least, most = (max(ends), min(ends)) if ends else (0, min(in_row, in_column))
        for value in range(int(least), int(min(most, in_row, in_column)) + 1):
            table[i, j] = value
            fill(table, left[1:])
        table[i, j] = np.nan

    fill(shown.copy(), free)
    return found


@pytest.mark.parametrize("seed", range(30))
def test_04_brute_force_on_3_by_3_tables(seed):
    """Attack 4: every table that fits, written out one by one, has the same ends as the toolkit's attacker and ours."""
    rng = np.random.default_rng(seed)
    exact = rng.integers(0, 10, (3, 3)).astype(float)
    hidden = rng.random((3, 3)) < 0.5
    fitting = _brute_force(np.where(hidden, np.nan, exact), exact.sum(axis=1), exact.sum(axis=0))
    values = np.concatenate([exact.ravel(), exact.sum(axis=1), exact.sum(axis=0), [exact.sum()]])
    grid = np.arange(9).reshape(3, 3)
    lines = [*((grid[i].tolist(), 9 + i) for i in range(3)), *((grid[:, j].tolist(), 12 + j) for j in range(3))]
    lines += [([9, 10, 11], 15), ([12, 13, 14], 15)]
    equations = sums(lines, 16)
    unknown = np.concatenate([hidden.ravel(), np.zeros(7, dtype=bool)])
    targets = np.flatnonzero(unknown)
    lower, upper = np.where(unknown, 0, values), np.where(unknown, np.inf, values)
    low, high = attack(lower, upper, equations, targets, integer=True)
    for at, cell in enumerate(targets):
        every = {int(table.ravel()[cell]) for table in fitting}
        assert (round(low[at]), round(high[at])) == (min(every), max(every))
        for sign, end in ((1, min(every)), (-1, max(every))):
            cost = np.zeros(16)
            cost[cell] = sign
            answer = milp(
                cost,
                constraints=LinearConstraint(equations, 0, 0),
                bounds=Bounds(lower, upper),
                integrality=np.ones(16),
            )
            assert round(sign * answer.fun) == end


@pytest.mark.parametrize("seed", range(12))
def test_04_brute_force_on_what_a_release_leaves(seed):
    """Attack 4 on cleared tables: of all tables that fit, the small counts have at least ``width`` possible values."""
    rng = np.random.default_rng(100 + seed)
    exact = rng.integers(2, 40, (3, 3))
    rows = [
        {"phase": phase, "sen_provision": sen, "value": exact[i, j]}
        for (i, phase), (j, sen) in itertools.product(enumerate(LEVELS["phase"]), enumerate(LEVELS["sen_provision"]))
    ]
    table = _enrolments(pd.DataFrame(rows), ["phase", "sen_provision"])
    reader = reading(cleared_rows(clear({"t": table}, DFE), {"t": table}))
    found = reader.reaches(integer=True)
    smalls = {cell for cell in found if len(cell[0]) == 4 and exact[_place(cell)] < 10}
    assert smalls or (exact >= 10).all()
    for cell in smalls:
        assert found[cell][1] - found[cell][0] >= DFE.width


def _place(cell) -> tuple[int, int]:
    levels = dict(cell[0])
    return LEVELS["phase"].index(levels["phase"]), LEVELS["sen_provision"].index(levels["sen_provision"])


def _enrolments(cells: pd.DataFrame, dims: list[str], area: str = AREA) -> pd.DataFrame:
    """Return enrolment rows with all margins, added up by pandas."""
    parts = []
    for size in range(len(dims) + 1):
        for chosen in itertools.combinations(dims, size):
            part = (
                cells.groupby(list(chosen))["value"].sum().reset_index()
                if chosen
                else pd.DataFrame({"value": [cells["value"].sum()]})
            )
            parts.append(part.assign(**{n: ALL_SCHOOLS if n == "phase" else ALL for n in dims if n not in chosen}))
    rows = pd.concat(parts, ignore_index=True).rename(columns={"value": "numerator"}).astype({"numerator": float})
    return rows.assign(
        area_code=area, academic_year=202324, measure="enrolments", denominator=np.nan, rate=rows["numerator"],
        lower=np.nan, upper=np.nan, symbol="", enrolments=rows["numerator"],
    )  # fmt: skip


def test_05_all_less_a_part():
    """Attack 5: everybody less those not eligible; all schools less mainstream, which is "excluding special"."""
    pupils = make_pupils(5)
    only_eligible = exact_rows(pupils, ["fsm_eligible"])
    mainstream = exact_rows(pupils[pupils["phase"] != "Special"], []).assign(phase="Primary and secondary")
    everybody = exact_rows(pupils, []).assign(phase=ALL_SCHOOLS)
    # Six special-school pupils are severely absent: nobody shows that row, and anybody could subtract it.
    tables = {"groups": only_eligible, "mainstream": mainstream, "everybody": everybody}
    shown = cleared_rows(clear(tables, DFE), tables)
    count = true_counts(pupils)
    for measure, status in (("persistent_absence_rate", "persistent"), ("severe_absence_rate", "severe")):
        ends = [shown[n].set_index("measure").loc[measure] for n in ("mainstream", "everybody")]
        special = count((frozenset({("phase", "Special")}), status))
        size = count((frozenset({("phase", "Special")}), WHOLE))
        if special < 10 or size - special < 10:
            assert "c" in [end["symbol"] for end in ends], measure
    assert count((frozenset({("phase", "Special")}), "severe")) < 10


def test_05_a_combined_authority_less_nine_of_its_ten():
    """Attack 5: Greater Manchester and nine authorities on ten pages: the tenth authority's hidden count by subtraction."""
    codes = [f"E0800000{i}" for i in range(10)]
    values = dict(zip(codes, [40, 60, 55, 4, 80, 61, 43, 90, 77, 52], strict=True))
    release = Release(DFE)
    release.add_members("E47000001", codes)
    total = _status_rows("E47000001", sum(values.values()), 10_000)
    release.add("overview", "E47000001", "persistent", ExactTable(total, "Invented."))
    for code, value in values.items():
        release.add("overview", code, "persistent", ExactTable(_status_rows(code, value, 1000), "Invented."))
    cleared = release.clear()
    rows = {code: cleared.table("overview", code, "persistent").rows.iloc[0] for code in ("E47000001", *codes)}
    hidden = {code for code, row in rows.items() if row["symbol"] == "c"}
    assert codes[3] in hidden
    assert len(hidden) >= 2
    known = sum(rows[code]["numerator"] for code in codes if code not in hidden)
    if "E47000001" not in hidden:
        assert rows["E47000001"]["numerator"] - known >= 4 + DFE.width


def _status_rows(area: str, value: float, size: float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "area_code": [area], "academic_year": [202324], "measure": ["persistent_absence_rate"], "numerator": [float(value)],
            "denominator": [float(size)], "rate": [value / size], "lower": [np.nan], "upper": [np.nan], "symbol": [""],
            "enrolments": [float(size)],
        }
    )  # fmt: skip


def _statuses(shown: dict[str, pd.DataFrame]) -> dict[tuple, set[str]]:
    """Return the symbols each figure has, over all tables."""
    found: dict[tuple, set[str]] = {}
    for rows in shown.values():
        dims = [name for name in LEVELS if name in rows.columns]
        for row in rows.to_dict("records"):
            levels = tuple(sorted((n, row[n]) for n in dims if row[n] not in (ALL, ALL_SCHOOLS)))
            found.setdefault((row["area_code"], levels, row["measure"]), set()).add(row["symbol"])
    return found


@pytest.mark.parametrize("seed", [6, 7, 8])
def test_06_the_same_fact_has_one_status(seed):
    """Attack 6: a figure in two notebooks is hidden in both or in none. Cleared apart, some are shown in one of them."""
    pupils = make_pupils(seed)
    tables = tables_of(pupils)
    together = _statuses(cleared_rows(clear(tables, SHARED), tables))
    assert all(len(symbols) == 1 for symbols in together.values())
    ids = pd.concat([t.assign(symbol=t["symbol"]) for t in cleared_rows(clear(tables, SHARED), tables).values()])
    assert (ids.groupby("cell")["symbol"].nunique() == 1).all()
    apart = _statuses(
        {name: cleared_rows(clear({name: rows}, SHARED), {name: rows})[name] for name, rows in tables.items()}
    )
    assert any(symbols == {"", "c"} for symbols in apart.values())


def test_06_cleared_apart_tables_are_solved_together():
    """Attack 6: one notebook hides two groups, another shows one of them by sex: cleared apart they give 3 away."""
    pupils = make_pupils(6)
    eligible = pupils["fsm_eligible"] == "FSM eligible"
    few = pupils.index[eligible][3:]
    pupils.loc[few, "absent"] = 0
    pupils.loc[pupils.index[eligible][:3], "absent"] = 50
    others = pupils[~eligible]
    tables = {
        "by eligibility": exact_rows(pupils, ["fsm_eligible"]),
        "the others by sex": exact_rows(others, ["sex"]).assign(fsm_eligible="Not known to be FSM eligible"),
    }
    count = true_counts(pupils)
    cell = (
        frozenset({("area_code", AREA), ("academic_year", "202324"), ("fsm_eligible", "FSM eligible")}),
        "persistent",
    )
    assert count(cell) == 3
    apart = {name: cleared_rows(clear({name: rows}, DFE), {name: rows})[name] for name, rows in tables.items()}
    assert reading(apart).reaches([cell])[cell] == pytest.approx((3, 3))
    low, high = reading(cleared_rows(clear(tables, DFE), tables)).reaches([cell])[cell]
    assert high - low >= DFE.width


def test_14_two_margins_of_28_in_30():
    """Attack 14: 28 of 30 are eligible and 28 of 30 are absent, so at least 26 are both. Neither margin may be shown."""
    margins = [{}, {"fsm": "yes"}, {"persistent": "yes"}]
    joint = joint_margins(margins, {"fsm": ["yes", "no"], "persistent": ["yes", "no"]})
    ends = attack_joint([30, 28, 28], [30, 28, 28], sums([], 3), joint, [3])
    assert [end.tolist() for end in ends] == [[26], [28]]

    special = make_pupils(1, 30).assign(phase="Special", sex="Male", sen_provision="No SEN")
    special["fsm_eligible"] = ["FSM eligible"] * 28 + ["Not known to be FSM eligible"] * 2
    special["absent"] = [0, 0, *[100] * 28]
    pupils = pd.concat([make_pupils(2), special], ignore_index=True)
    pupils = pupils[(pupils["phase"] != "Special") | (pupils.index >= 900)]
    tables = {"t": exact_rows(pupils, ["phase", "fsm_eligible"])}
    rows = cleared_rows(clear(tables, DFE), tables)["t"]
    mine = rows[rows["phase"] == "Special"].set_index(["fsm_eligible", "measure"])["symbol"]
    assert mine.loc[("All", "persistent_absence_rate")] == "c"
    assert mine.loc[("FSM eligible", "enrolments")] == "c"
    assert mine.loc[("FSM eligible", "persistent_absence_rate")] == "c"


@pytest.mark.parametrize("seed", [2, 5])
def test_14_the_table_behind_the_tables(seed):
    """Attack 14: the reader also knows that one unpublished table lies behind all, with no count below 0."""
    pupils = make_pupils(seed, 700)
    tables = tables_of(pupils)
    count = true_counts(pupils)
    shown = cleared_rows(clear(tables, DFE), tables)
    reader = reading(shown)
    fixed = frozenset({("area_code", AREA), ("academic_year", "202324")})
    joint = [fixed | frozenset(zip(LEVELS, levels, strict=True)) for levels in itertools.product(*LEVELS.values())]
    counts = [WHOLE, "persistent", "severe", "not persistent", "persistent, not severe"]
    for group in {cell[0] for cell in (*reader.bounds, *reader.hidden)}:
        reader.sums += [((group, what), tuple((j, what) for j in joint if group <= j)) for what in counts]
    for j in joint:
        reader.sums.append(((j, WHOLE), ((j, "persistent"), (j, "not persistent"))))
        reader.sums.append(((j, "persistent"), ((j, "severe"), (j, "persistent, not severe"))))
    found = small(reader.reaches(), count)
    assert len(found) > 20
    assert solved(found) == 0
