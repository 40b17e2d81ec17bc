"""Dots, lists of the highest and heat maps: nothing in them depends on a hidden number."""

from __future__ import annotations

import math
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance_toolkit.disclosure.marks import heat_classes, safe_dots, single_unit_cells, top_n
from attendance_toolkit.disclosure.policy import INTERNAL, SHARED
from attendance_toolkit.errors import DisclosureError

SCHOOLS = ("Ash", "Beech", "Cedar", "Elm", "Hazel", "Oak", "Yew")


def cleared(**rates: float) -> pd.DataFrame:
    """Return cleared rows of schools; a missing rate is a hidden one."""
    rows = pd.DataFrame({"school": list(rates), "rate": list(rates.values())})
    return rows.assign(symbol=np.where(rows["rate"].isna(), "c", ""))


counts = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=7, max_size=7)


@settings(max_examples=150, deadline=None)
@given(counts)
def test_a_dot_stands_for_the_threshold_on_either_side(found):
    exact = pd.DataFrame(
        {"school": SCHOOLS, "numerator": [a for a, _ in found], "denominator": [a + b for a, b in found]}
    )
    dots = safe_dots(exact, SHARED, label="school").set_index("school")
    for school, (inside, outside) in zip(SCHOOLS, found, strict=True):
        dot = dots.loc[school]
        if min(inside, outside) >= 10:
            assert dot["symbol"] == ""
            assert dot["numerator"] % 5 == 0
            assert dot["denominator"] % 5 == 0
            assert dot["rate"] == dot["numerator"] / dot["denominator"]
        else:
            assert dot["symbol"] == ("c" if inside + outside else "z")
            assert dot[["numerator", "denominator", "rate", "lower", "upper"]].isna().all()


def test_dots_keep_no_order_of_the_exact_figures():
    exact = pd.DataFrame({"school": SCHOOLS, "numerator": [3, 9, 1, 40, 33, 2, 7], "denominator": 100})
    shuffled = exact.sample(frac=1, random_state=3)
    by_value = exact.sort_values("numerator")
    first, *others = (safe_dots(frame, SHARED, label="school") for frame in (exact, shuffled, by_value))
    assert all(first.equals(other) for other in others)


def test_inside_the_authority_dots_are_exact():
    exact = pd.DataFrame({"school": ["Ash"], "numerator": [3], "denominator": [7]})
    assert safe_dots(exact, INTERNAL, label="school")["rate"].tolist() == [3 / 7]


def test_the_total_of_one_or_two_schools_is_named():
    schools = pd.Series([0, 1, 2, 3, math.nan])
    assert single_unit_cells(schools).tolist() == [False, True, True, False, False]
    assert single_unit_cells(schools, least=2).tolist() == [False, True, False, False, False]


def test_a_list_has_ties_in_full():
    found = top_n(cleared(Ash=0.2, Beech=0.3, Cedar=0.2, Elm=0.1), 2, label="school")
    assert found.rows[["school", "rank"]].to_numpy().tolist() == [["Beech", 1], ["Ash", 2], ["Cedar", 2]]


def test_the_lowest_can_be_listed_too():
    found = top_n(cleared(Ash=0.2, Beech=0.3, Elm=0.1), 1, label="school", lowest=True)
    assert found.rows["school"].tolist() == ["Elm"]


def test_hidden_schools_stand_apart_by_name_whatever_order_they_came_in():
    rows = cleared(Yew=math.nan, Ash=0.2, Oak=math.nan, Beech=0.3, Cedar=math.nan)
    found = {str(top_n(rows.sample(frac=1, random_state=i), 1, label="school")) for i in range(10)}
    assert len(found) == 1
    assert top_n(rows, 1, label="school").not_ranked == ("Cedar", "Oak", "Yew")


def test_ranks_do_not_leave_room_for_the_hidden_ones():
    found = top_n(cleared(Ash=0.2, Elm=math.nan, Beech=0.3), 5, label="school")
    assert found.rows["rank"].tolist() == [1, 2]
    assert "Ranked among the 2" in found.note


def test_a_rank_among_all_is_refused_while_one_is_hidden():
    with pytest.raises(DisclosureError, match="Rank among those"):
        top_n(cleared(Ash=0.2, Elm=math.nan), 1, label="school", among_all=True)
    assert len(top_n(cleared(Ash=0.2, Elm=0.1), 1, label="school", among_all=True).rows) == 1


def test_an_unavailable_figure_is_neither_ranked_nor_called_hidden():
    rows = cleared(Ash=0.2, Elm=math.nan).assign(symbol=["", "x"])
    found = top_n(rows, 1, label="school", among_all=True)
    assert found.not_ranked == ()
    assert "hidden" not in found.note


@pytest.mark.parametrize(
    ("rows", "options", "says"),
    [
        (cleared(Ash=0.2).assign(symbol="c"), {}, "still carries a number"),
        (cleared(Ash=0.2).assign(exact=3), {"by": "exact"}, "nobody has cleared"),
    ],
)
def test_uncleared_rows_are_not_ranked(rows, options, says):
    with pytest.raises(DisclosureError, match=says):
        top_n(rows, 1, label="school", **options)


def test_a_list_of_none_is_an_error():
    with pytest.raises(ValueError, match="list of 0"):
        top_n(cleared(Ash=0.2), 0, label="school")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.integers(1, 7))
def test_every_shown_cell_lies_inside_its_class(rates, classes):
    found, edges = heat_classes(rates, [""] * len(rates), classes=classes)
    assert len(edges) - 1 <= classes
    steps = np.diff(edges)
    assert steps.min() > 0
    assert steps.max() == pytest.approx(steps.min())
    for rate, number in zip(rates, found, strict=True):
        assert edges[number] - 1e-9 <= rate <= edges[number + 1] + 1e-9


def test_colours_do_not_know_the_hidden_cell():
    """The whole scale is the same whether the cell is hidden or was never there."""
    rng = random.Random(2)
    rates = [rng.random() for _ in range(9)]
    hidden = [*rates, math.nan]
    empty = [*rates, math.nan]
    first = heat_classes(hidden, [""] * 9 + ["c"])
    second = heat_classes(empty, [""] * 9 + ["z"])
    alone = heat_classes(rates, [""] * 9)
    assert first[1] == second[1] == alone[1]
    assert first[0].tolist() == second[0].tolist() == [*alone[0].tolist(), -1]


def test_a_hidden_cell_with_a_number_is_not_coloured():
    with pytest.raises(DisclosureError, match="still carries"):
        heat_classes([0.1, 0.2], ["", "c"])


def test_nothing_shown_has_no_scale():
    found, edges = heat_classes([[math.nan]], [["c"]])
    assert (found.tolist(), edges) == ([[-1]], ())
