"""Hiding small numbers in one table, attacked by subtraction from what is shown."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance_toolkit.disclosure.policy import INTERNAL, SHARED, Policy
from attendance_toolkit.disclosure.protect import protect, protect_published
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import DisclosureError
from attendance_toolkit.intervals import wilson_interval

PHASES = ["Primary", "Secondary", "Special"]
LEVELS = ["Asian", "Black", "White", "Unknown"]


def table(counts: np.ndarray, sizes: np.ndarray, measure: str = "severe_absence_rate") -> pd.DataFrame:
    """MEASURE rows of a 3 x 4 table with both margins and the grand total."""
    rows = []
    for i, j in itertools.product([*range(3), None], [*range(4), None]):
        pick = (slice(None) if i is None else i, slice(None) if j is None else j)
        x, n = float(counts[pick].sum()), float(sizes[pick].sum())
        low, high = wilson_interval(x, n)
        rows.append(
            {
                "phase": "All" if i is None else PHASES[i],
                "level": "All" if j is None else LEVELS[j],
                "measure": measure,
                "numerator": x,
                "denominator": n,
                "rate": x / n if n else np.nan,
                "lower": float(low),
                "upper": float(high),
                "symbol": "" if n else "z",
                "enrolments": n,
            }
        )
    return pd.DataFrame(rows)


tables = st.tuples(
    st.lists(st.integers(0, 60), min_size=12, max_size=12), st.lists(st.integers(0, 300), min_size=12, max_size=12)
).map(lambda pair: (np.minimum(pair[0], pair[1]).reshape(3, 4), np.array(pair[1]).reshape(3, 4)))


@settings(max_examples=60, deadline=None)
@given(tables)
def test_no_small_number_is_shown_and_no_line_has_one_blank(pair):
    shown = protect(table(*pair), SHARED, source="", additive=["phase", "level"]).rows
    visible = shown[shown["symbol"] == ""]
    assert not (visible["numerator"] < 10).any()
    assert not (visible["denominator"] - visible["numerator"] < 10).any()
    hidden = shown["symbol"] == "c"
    assert (
        shown.loc[shown["symbol"] != "", ["numerator", "denominator", "rate", "lower", "upper"]].isna().all(axis=None)
    )
    for column, other in (("phase", "level"), ("level", "phase")):
        for _, line in shown[hidden & (shown[column] != "All")].groupby(other):
            total = shown[(shown[column] == "All") & (shown[other] == line[other].iloc[0])]
            # One blank in a line can be had by subtraction from its total, unless the total is blank too.
            assert len(line) > 1 or total["symbol"].iloc[0] == "c"


@settings(max_examples=30, deadline=None)
@given(tables)
def test_protect_is_idempotent(pair):
    once = protect(table(*pair), SHARED, source="", additive=["phase", "level"]).rows
    again = protect(
        once.assign(enrolments=once["denominator"].fillna(0)), SHARED, source="", additive=["phase", "level"]
    ).rows
    pd.testing.assert_frame_equal(once, again)


@settings(max_examples=30, deadline=None)
@given(tables)
def test_shown_counts_are_rounded_and_rates_come_from_them(pair):
    shown = protect(table(*pair), SHARED, source="", additive=["phase", "level"]).rows
    visible = shown[shown["symbol"] == ""]
    assert (visible[["numerator", "denominator"]] % 5 == 0).all(axis=None)
    assert np.allclose(visible["rate"], visible["numerator"] / visible["denominator"])


def test_size_of_a_small_group_cannot_be_had_from_another_measure():
    # One group of 4 pupils: it is hidden in both measures, and so is the same second group in both,
    # or the sizes shown with one measure would give it away.
    sizes = np.array([[200, 300, 400, 4], [200, 300, 400, 100], [200, 300, 400, 100]])
    severe, persistent = sizes // 10, np.where(sizes == 300, 20, sizes // 2)
    rows = pd.concat([table(severe, sizes), table(persistent, sizes, "persistent_absence_rate")], ignore_index=True)
    shown = protect(rows, SHARED, source="", additive=["phase", "level"]).rows
    primary = shown[(shown["phase"] == "Primary") & (shown["level"] != "All")]
    hidden = primary[primary["symbol"] == "c"].groupby("measure")["level"].agg(set)
    assert len(set.intersection(*hidden)) >= 2


def test_internal_shows_everything_exactly():
    rows = table(np.full((3, 4), 3), np.full((3, 4), 20))
    shown = protect(rows, INTERNAL, source="", additive=["phase", "level"]).rows
    pd.testing.assert_frame_equal(shown, rows.drop(columns="enrolments"))


def test_session_rate_of_a_small_group_is_hidden():
    rows = table(np.full((3, 4), 500), np.full((3, 4), 5000), "overall_absence_rate").assign(enrolments=9.0)
    assert set(protect(rows, SHARED, source="").rows["symbol"]) == {"c"}


def test_rows_without_group_sizes_are_refused():
    with pytest.raises(DisclosureError, match="enrolments"):
        protect(table(np.ones((3, 4)), np.ones((3, 4))).drop(columns="enrolments"), SHARED, source="")


def test_a_hidden_cell_that_carries_a_number_is_refused():
    rows = table(np.ones((3, 4)), np.ones((3, 4))).assign(symbol="c")
    with pytest.raises(DisclosureError, match="still carries a number"):
        ProtectedTable(rows, "", "")


def test_floor():
    with pytest.raises(DisclosureError, match="below the floor of 5"):
        Policy("low", 3, 1, "")


def test_published_rows_are_shown_as_published():
    rows = table(np.full((3, 4), 3), np.full((3, 4), 20))
    assert protect_published(rows, source="DfE").rows["numerator"].tolist() == rows["numerator"].tolist()
