"""Attacks with something from elsewhere: an earlier release, published figures, one family's knowledge, another policy."""

from __future__ import annotations

from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.disclosure.history import History
from attendance_toolkit.disclosure.linear import System, sums
from attendance_toolkit.disclosure.policy import DFE, INTERNAL, SHARED, Policy, policy_for, read_policy
from attendance_toolkit.disclosure.release import ClearedTables, ExactTable, Release
from attendance_toolkit.disclosure.suppress import suppress
from attendance_toolkit.errors import DisclosureError, ParameterError
from attendance_toolkit.metrics.cards import three_year_mean
from attendance_toolkit.reporting.params import check_parameters
from tests.attacks.reader import WHOLE, narrow, reading, small, solved, true_counts
from tests.attacks.world import AREA, clear, cleared_rows, exact_rows, make_pupils

DIMS = ["phase", "fsm_eligible"]
FIXED = frozenset({("area_code", AREA), ("academic_year", "202324")})


# --- 10: releases and periods ---------------------------------------------------------------------------------


def _release(pupils: pd.DataFrame, history: History, vintage: str, policy: Policy = DFE) -> pd.DataFrame:
    tables = {"t": exact_rows(pupils, DIMS, ["enrolments", "persistent_absence_rate"])}
    cleared = clear(tables, policy, vintage=vintage, history=history)
    history.append(cleared)
    return cleared_rows(cleared, tables)["t"]


def _differences(first: pd.DataFrame, second: pd.DataFrame) -> np.ndarray:
    """Return by how much figures differ that both releases show."""
    both = first.merge(second, on="cell")
    both = both[(both["symbol_x"] == "") & (both["symbol_y"] == "")]
    return (both["numerator_y"] - both["numerator_x"]).abs().to_numpy()


@pytest.mark.parametrize("late", [1, 3, 9])
def test_10_a_few_late_returns(tmp_path, late):
    """Attack 10: the second release has a few pupils more. No difference of two shown figures is those few."""
    pupils = make_pupils(10, 1500)
    history = History.read(tmp_path)
    first = _release(pupils.iloc[late:], history, "October")
    second = _release(pupils, History.read(tmp_path), "November")
    apart = cleared_rows(
        clear({"t": exact_rows(pupils, DIMS, ["enrolments", "persistent_absence_rate"])}, DFE), {"t": None}
    )["t"]
    assert ((_differences(first, apart) > 0) & (_differences(first, apart) < 10)).any(), "without the history it leaks"
    found = _differences(first, second)
    assert not ((found > 0) & (found < 10)).any()


def test_10_what_was_hidden_stays_hidden(tmp_path):
    """Attack 10: the same pupils again, with another table. Nothing hidden before is shown or can be worked out."""
    pupils = make_pupils(11)
    history = History.read(tmp_path)
    first = {"t": exact_rows(pupils, DIMS)}
    one = clear(first, DFE, vintage="v", history=history)
    history.append(one)
    other = {"u": exact_rows(pupils, ["phase", "sex"])}
    two = clear(other, DFE, vintage="v", history=History.read(tmp_path))
    shown = cleared_rows(one, first) | cleared_rows(two, other)
    status = pd.concat(shown.values()).groupby("cell")["symbol"].nunique()
    assert (status == 1).all()
    count = true_counts(pupils)
    found = small(reading(shown).reaches(), count)
    assert len(found) > 10
    assert narrow(found, DFE.width) == 0


def test_10_the_same_run_makes_the_same_choices(tmp_path):
    """Attack 10: running again with another choice of what to hide would show what the first run hid."""
    pupils = make_pupils(12)
    tables = {"t": exact_rows(pupils, DIMS)}
    history = History.read(tmp_path)
    first = clear(tables, DFE, vintage="v", history=history)
    history.append(first)
    again = clear(tables, DFE, vintage="v", history=History.read(tmp_path))
    assert again.release_id == first.release_id
    pd.testing.assert_frame_equal(cleared_rows(first, tables)["t"], cleared_rows(again, tables)["t"])


def test_10_a_year_less_its_terms():
    """Attack 10: sessions of the year less those of two terms are the third term's, which few pupils missed."""
    rows = []
    sessions = {"autumn": (500, 100), "spring": (400, 90), "summer": (60, 2)}
    total = tuple(sum(pair[i] for pair in sessions.values()) for i in (0, 1))
    for term, (absent, people) in {**sessions, "All": (total[0], 100)}.items():
        possible = 40_000.0 if term == "All" else 13_000.0
        rows.append(
            {"area_code": AREA, "academic_year": 202324, "term": term, "measure": "overall_absence_rate",
             "numerator": float(absent), "denominator": possible, "rate": absent / possible, "lower": np.nan, "upper": np.nan,
             "symbol": "", "enrolments": 110.0, "contributors": float(people), "concentration": 0.05}
        )  # fmt: skip
    table = pd.DataFrame(rows)
    shown = cleared_rows(clear({"t": table}, DFE), {"t": table})["t"].set_index("term")
    assert shown.loc["summer", "symbol"] == "c"
    parts = shown.loc[["autumn", "spring"], "symbol"]
    assert shown.loc["All", "symbol"] == "c" or (parts == "c").any()


def test_10_a_three_year_mean_less_two_years():
    """Attack 10: the mean of three years is made of cleared rates, so a hidden year leaves no mean to subtract from."""
    assert np.isnan(three_year_mean([0.07, 0.08, np.nan]))
    assert np.isnan(three_year_mean([0.07, None, 0.08]))


# --- 11: published figures --------------------------------------------------------------------------------------


def test_11_published_counts_cannot_hide_others():
    """Attack 11: the reader looks up what DfE publishes. What the release hides must be safe with it, or be named."""
    pupils = make_pupils(13, 1500)
    exact = exact_rows(pupils, DIMS, ["enrolments", "persistent_absence_rate"])
    public = exact[(exact["phase"] == "All schools")].drop(columns=["contributors", "concentration"])
    release = Release(DFE)
    release.add("attacks", AREA, "t", ExactTable(exact, "Invented."))
    release.add_known(public)
    cleared = release.clear()
    shown = cleared.table("attacks", AREA, "t").rows
    reader = reading({"t": shown})
    count = true_counts(pupils)
    for levels in (set(), {("fsm_eligible", "FSM eligible")}, {("fsm_eligible", "Not known to be FSM eligible")}):
        group = FIXED | levels
        for what in (WHOLE, "persistent"):
            reader.hidden.discard((group, what))
            reader.knows((group, what), count((group, what)))
    found = small(reader.reaches(), count)
    named = cleared.audit.cells[cleared.audit.cells["from_known"]]
    assert len(found) >= 3
    assert solved(found) <= len(named)
    if named.empty:
        assert narrow(found, DFE.width) == 0


def test_11_what_published_counts_give_away_is_named():
    """Attack 11: the total and all parts but one are public. Nothing can hide the last one: the audit says so."""
    exact = exact_rows(make_pupils(13), ["phase"], ["enrolments", "persistent_absence_rate"])
    exact = exact.assign(
        numerator=np.where((exact["phase"] == "Special") & (exact["measure"] != "enrolments"), 4.0, exact["numerator"])
    )
    pa = exact["measure"] == "persistent_absence_rate"
    exact.loc[pa & (exact["phase"] == "All schools"), "numerator"] = exact.loc[
        pa & (exact["phase"] != "All schools"), "numerator"
    ].sum()
    release = Release(DFE)
    release.add("attacks", AREA, "t", ExactTable(exact, "Invented."))
    release.add_known(exact[exact["phase"] != "Special"].drop(columns=["contributors", "concentration"]))
    cleared = release.clear()
    cells = cleared.audit.cells
    mine = cells[(cells["phase"] == "Special") & (cells["count"] == "persistent_absentees")]
    assert mine["from_known"].tolist() == [True]
    rows = cleared.table("attacks", AREA, "t").rows
    assert rows[(rows["phase"] == "Special") & (rows["measure"] == "persistent_absence_rate")]["symbol"].tolist() == [
        "c"
    ]


# --- 12: an insider ---------------------------------------------------------------------------------------------


def test_12_a_family_knows_that_its_own_child_is_counted():
    """Attack 12: a family knows that a hidden count is at least one, and so not 0. It solves neither it nor another."""
    pupils = make_pupils(14, 1500)
    tables = {"t": exact_rows(pupils, ["phase", "fsm_eligible", "sex"], ["enrolments", "persistent_absence_rate"])}
    shown = cleared_rows(clear(tables, DFE), tables)
    count = true_counts(pupils)
    smalls = sorted(small(dict.fromkeys(reading(shown).hidden, (0.0, 0.0)), count), key=str)
    families = [cell for cell in smalls if count(cell)]
    assert len(families) > 5
    for cell in families[:6]:
        reader = reading(shown)
        reader.bounds[cell] = (1, np.inf)
        found = reader.reaches(smalls)
        assert solved(found) == 0
        assert all(high - low >= DFE.width - 1 for low, high in found.values())


@pytest.mark.parametrize("seed", [14, 15])
def test_12_a_school_knows_a_hidden_count(seed):
    """Attack 12: who knows a whole hidden count can subtract it from the line it stands in, but from no other.

    Where a line has two hidden figures, knowing one is knowing the other: the release does not promise more. What is
    tested is that nothing further away falls with it in a table without dimensions of two levels.
    """
    pupils = make_pupils(seed, 1500)
    tables = {"t": exact_rows(pupils, ["phase", "sen_provision"], ["enrolments", "persistent_absence_rate"])}
    shown = cleared_rows(clear(tables, DFE), tables)
    count = true_counts(pupils)
    smalls = sorted(small(dict.fromkeys(reading(shown).hidden, (0.0, 0.0)), count), key=str)
    assert len(smalls) > 5
    for insider in smalls:
        reader = reading(shown)
        reader.knows(insider, count(insider))
        own = dict(insider[0])
        further = [c for c in smalls if sum(own.get(n) != dict(c[0]).get(n) for n in {*own, *dict(c[0])}) > 1]
        assert solved(reader.reaches(further)) == 0


# --- 19: dominance by one unit ----------------------------------------------------------------------------------


def test_19_a_school_with_one_pupil_in_a_category():
    """Attack 19: one school has one pupil of a category. He is not found by the authority less the other schools."""
    rng = np.random.default_rng(1)
    pupils = make_pupils(15, 800).assign(phase="Primary")
    pupils["laestab"] = rng.choice(["3520001", "3520002", "3520003"], len(pupils))
    alone = pupils.index[(pupils["laestab"] == "3520001") & (pupils["sen_provision"] == "EHC plan")]
    pupils = pupils.drop(index=alone[1:])
    total = exact_rows(pupils, ["sen_provision"], ["enrolments"]).assign(laestab="All")
    schools = [
        exact_rows(part, ["sen_provision"], ["enrolments"]).assign(laestab=school)
        for school, part in pupils.groupby("laestab")
    ]
    table = pd.concat([total, *schools], ignore_index=True)
    shown = cleared_rows(clear({"t": table}, DFE), {"t": table})["t"]
    plans = shown[shown["sen_provision"] == "EHC plan"].set_index("laestab")
    assert plans.loc["3520001", "symbol"] == "c"
    assert (plans.loc[["All", "3520002", "3520003"], "symbol"] == "c").any()


# --- 21: a weaker policy ----------------------------------------------------------------------------------------


def test_21_a_notebook_cannot_ask_for_another_policy():
    """Attack 21: no notebook has a parameter for a threshold, rounding or policy, and none takes one it does not have."""
    notebooks = sorted(Path(__file__).parents[2].glob("notebooks/*.ipynb"))
    assert notebooks
    for path in notebooks:
        for name in ("threshold", "rounding", "width", "policy", "profile"):
            with pytest.raises(ParameterError, match="has no parameter"):
                check_parameters(path, {name: 5})
        source = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
        for word in ("Policy", "policy", "INTERNAL", "DFE", "threshold", "ExactTable", ".exact("):
            assert word not in source, (path.name, word)


@pytest.mark.parametrize(
    "line",
    ["threshold = 4", "rounding = 1", "rounding = 2", "width = 2", "width = 4", "threshold = 9", 'profile = "internal"',
     'profile = "none"', "threshold = true", "floor = 1"],
)  # fmt: skip
def test_21_a_weaker_file_needs_somebody_who_answers_for_it(tmp_path, line):
    """Attack 21: a policy file that protects less and names nobody is refused; below the floor it always is."""
    path = tmp_path / "policy.toml"
    path.write_text(line if line.startswith("profile") else f'profile = "shared"\n{line}\n')
    with pytest.raises(DisclosureError):
        read_policy(path)


def test_21_below_the_floor_there_is_no_policy():
    """Attack 21: neither a file nor a caller can make a policy with a threshold under five."""
    with pytest.raises(DisclosureError, match="below the floor of 5"):
        Policy("mine", 4, 5)
    assert policy_for("partner").threshold == SHARED.threshold == 10


def test_21_a_partners_folder_holds_nothing_to_downgrade(tmp_path):
    """Attack 21: with the policy in the folder changed to "internal", the tables still have no hidden figure."""
    pupils = make_pupils(16)
    cleared = clear({"t": exact_rows(pupils, DIMS)}, SHARED)
    folder = cleared.save_for(tmp_path, "attacks", AREA, "partner")
    path = folder / "release.json"
    path.write_text(path.read_text().replace('"threshold": 10', '"threshold": null').replace('"partner"', '"internal"'))
    rows = ClearedTables.open(folder).table("t").rows
    assert (rows["symbol"] == "c").sum() > 5
    assert rows.loc[rows["symbol"] != "", ["numerator", "denominator", "rate", "lower", "upper"]].isna().all(axis=None)
    inside = cleared.table("attacks", AREA, "t", audience="internal").rows
    assert (inside["symbol"] != "c").all()
    assert INTERNAL.threshold is None


# --- 22: what cannot be protected -------------------------------------------------------------------------------


def test_22_what_cannot_be_protected_is_reported():
    """Attack 22: total and all other parts are known to everybody. The cell is reported, never passed over."""
    system = System.of([4, 60, 90, 154], sums([([0, 1, 2], 3)], 4), movable=[True, False, False, False])
    found = suppress(system, np.array([True, False, False, False]), width=5)
    assert found.unprotected == (0,)


def test_22_an_unprotectable_release_is_refused(monkeypatch):
    """Attack 22: where nothing known from elsewhere is to blame, clearing raises, names groups and gives advice."""
    from attendance_toolkit.disclosure import clearing

    exact = exact_rows(make_pupils(17), ["phase"], ["enrolments", "persistent_absence_rate"])
    release = Release(DFE)
    release.add("attacks", AREA, "t", ExactTable(exact, "Invented."))
    # As if every group but the special schools were empty: nothing is left that could move.
    monkeypatch.setattr(
        clearing.primary, "empty", lambda registry: registry.group_texts()[registry.cells["group"]].reset_index(drop=True).str.contains("Special") == False  # noqa: E501, E712
    )  # fmt: skip
    with pytest.raises(DisclosureError, match="cannot be protected") as error:
        release.clear()
    assert "phase=Special" in str(error.value)
    assert "Leave out a table" in str(error.value)
