"""Releases one after another: what readers kept from the last one must not give away the next."""

from __future__ import annotations

import json

import pytest

from attendance_toolkit.disclosure.history import History
from attendance_toolkit.disclosure.policy import DFE, SHARED
from attendance_toolkit.disclosure.release import Release
from attendance_toolkit.errors import DisclosureError
from tests.unit.disclosure.exact import AREA, hidden, rows, table
from tests.unit.disclosure.test_release import levels

NUMBERS = {"Asian": (300, 3), "Black": (200, 40), "White": (900, 200)}


def make(folder, tables, policy=SHARED, vintage="autumn", release_id=""):
    """Clear a release with the history of a folder, and enter it there."""
    history = History.read(folder)
    release = Release(policy, vintage=vintage, release_id=release_id, history=history)
    for name, exact in tables.items():
        release.add("overview", AREA, name, exact)
    cleared = release.clear()
    history.append(cleared)
    return cleared


def groups(numbers=NUMBERS, dimension="ethnicity_major"):
    return {"t": table(rows(levels(dimension, numbers)))}


def why(cleared, count="persistent_absentees", **level):
    cells = cleared.audit.cells
    mask = cells["count"] == count
    for name, value in level.items():
        mask &= cells[name] == value
    return cells[mask].iloc[0]


def test_a_folder_without_releases_has_no_history(tmp_path):
    assert History.read(tmp_path).releases == []


def test_what_was_hidden_stays_hidden(tmp_path):
    make(tmp_path, groups())
    later = {**NUMBERS, "Asian": (300, 30)}
    assert hidden(make(tmp_path / "other", groups(later)), "t") == [False] * 4
    again = make(tmp_path, groups(later), vintage="spring")
    assert hidden(again, "t") == [False, True, True, False]
    assert why(again, ethnicity_major="Asian")["why"] == "hidden in an earlier release"


def test_the_same_release_again_is_byte_for_byte_the_same(tmp_path):
    first = make(tmp_path, groups())
    place = tmp_path / "releases" / first.release_id
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    second = make(tmp_path, groups())
    assert second.release_id == first.release_id
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    assert len(History.read(tmp_path).releases) == 1


def test_a_choice_once_made_is_kept(tmp_path):
    # The second release has a further table; alone it would hide another cell than the first one did.
    first = make(tmp_path, groups())
    more = {**groups(), "sex": table(rows(levels("sex", {"Female": (700, 120), "Male": (700, 123)})))}
    second = make(tmp_path, more)
    assert second.release_id != first.release_id
    assert hidden(second, "t") == hidden(first, "t")


def test_a_figure_shown_before_cannot_hide_another(tmp_path):
    # All 100 of 400 has been shown. Now 3 of 100 are asked for, and 97 of 300, the only other one: the 97 has to go.
    make(tmp_path, {"all": table(rows([{"n": 400, "x": 100}]))})
    meals = levels("fsm_eligible", {"FSM eligible": (100, 3), "Unknown": (300, 97)})
    second = make(tmp_path, {"meals": table(rows(meals))})
    assert hidden(second, "meals") == [False, True, True]
    assert why(second, fsm_eligible="")["status"] == "known"


def test_what_an_earlier_release_of_the_same_data_showed_is_subtracted_from(tmp_path):
    # Alone, 97 of 300 gives nothing away; with 100 of 400 from the release before it gives the 3 of 100.
    part = {"part": table(rows([{"fsm_eligible": "Unknown", "n": 300, "x": 97}]))}
    assert hidden(make(tmp_path / "alone", part), "part") == [False]
    make(tmp_path, {"all": table(rows([{"n": 400, "x": 100}]))})
    assert hidden(make(tmp_path, part), "part") == [True]
    assert hidden(make(tmp_path / "other", {"all": table(rows([{"n": 400, "x": 100}]))}), "all") == [False]
    assert hidden(make(tmp_path / "other", part, vintage="other data"), "part") == [False]


def test_a_figure_that_few_late_returns_changed_is_hidden_where_it_was_shown_exactly(tmp_path):
    approved = DFE
    make(tmp_path, {"t": table(rows([{"n": 400, "x": 100}]))}, approved)
    few = make(tmp_path, {"t": table(rows([{"n": 400, "x": 103}]))}, approved, vintage="spring")
    assert hidden(few, "t") == [True]
    assert why(few)["why"] == "changed by few since an earlier release showed it"
    make(tmp_path / "many", {"t": table(rows([{"n": 400, "x": 100}]))}, approved)
    many = make(tmp_path / "many", {"t": table(rows([{"n": 400, "x": 130}]))}, approved, vintage="spring")
    assert hidden(many, "t") == [False]
    # Rounded to 5, the difference of 3 was never there to be seen.
    make(tmp_path / "round", {"t": table(rows([{"n": 400, "x": 100}]))})
    assert hidden(make(tmp_path / "round", {"t": table(rows([{"n": 400, "x": 103}]))}, vintage="spring"), "t") == [
        False
    ]


def test_what_earlier_releases_give_away_together_is_reported(tmp_path):
    # The first two are of different data, so neither is wrong by itself; with both, 100 - 97 is known.
    make(tmp_path, {"all": table(rows([{"n": 400, "x": 100}]))}, vintage="before")
    make(tmp_path, {"part": table(rows([{"fsm_eligible": "Unknown", "n": 300, "x": 97}]))})
    meals = levels("fsm_eligible", {"FSM eligible": (100, 3), "Unknown": (300, 97)})
    third = make(tmp_path, {"meals": table(rows(meals))})
    assert hidden(third, "meals") == [False, True, False]
    assert why(third, fsm_eligible="FSM eligible")["from_known"]
    assert not why(third, fsm_eligible="Unknown")["from_known"]


def test_a_damaged_release_is_not_passed_over(tmp_path):
    first = make(tmp_path, groups())
    path = tmp_path / "releases" / first.release_id / "cells.parquet"
    path.write_bytes(b"")
    with pytest.raises(DisclosureError, match=r"cannot be read.*backup"):
        History.read(tmp_path)


def test_the_description_of_a_release_has_no_figure_in_it(tmp_path):
    first = make(tmp_path, groups())
    document = json.loads((tmp_path / "releases" / first.release_id / "release.json").read_text())
    assert document["policy_digest"] == SHARED.digest
    assert document["order"] == 1
    assert set(document) == {
        "format", "release_id", "vintage", "policy", "policy_digest", "tables", "missing", "order",
    }  # fmt: skip
