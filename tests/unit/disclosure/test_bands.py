"""Bands by their limits, against planted pupils counted one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from attendance_toolkit.disclosure.bands import band_count, band_sums
from attendance_toolkit.disclosure.distributions import safe_cumulative, safe_histogram
from attendance_toolkit.disclosure.policy import SHARED
from attendance_toolkit.errors import DisclosureError
from tests.unit.disclosure.exact import AREA, YEAR, clear, hidden, reached, rows, table
from tests.unit.disclosure.test_registry import cell, registry

#: Pupils at 2%, 7%, 12% ... of absence, one number a five-point band.
PLANTED = (200, 90, 40, 30, 4, 20, 15, 12, 11, 13, 25)
absence_of_each = np.repeat(np.arange(11) * 5 + 2.0, PLANTED)


def band_rows(bands):
    """Rows of bands: label -> pupils."""
    return table(
        *[rows([{"n": len(absence_of_each), "x": x}], "band_rate").assign(band=label) for label, x in bands.items()]
    )


def counted(low, high=math.inf):
    return int(((absence_of_each >= low) & (absence_of_each < high)).sum())


def histogram(make, edges):
    frame = make(absence_of_each, edges, SHARED)
    return table(frame.assign(area_code=AREA, academic_year=YEAR))


def test_one_set_of_pupils_has_one_name():
    assert band_count("50% or more") == band_count("50% to 100%") == ("severe_absentees", False)
    assert band_count("0% to under 10%") == band_count("under 10%") == ("persistent_absentees", True)
    assert band_count("under 5%") == band_count("0% to under 5%") == ("band:0% to under 5%", False)
    assert band_count("10% to under 50%") == ("persistent_not_severe", False)
    assert band_count("under 25%") == ("band:25% or more", True)
    assert band_count("0% or more") == ("enrolments", False)


@pytest.mark.parametrize("label", ["7% to under 12%", "60% or more", "20% to under 10%", "under 0%", "5 to 10", ""])
def test_other_limits_are_refused(label):
    with pytest.raises(DisclosureError, match="multiples of 5% from 0% to 50%"):
        band_count(label)


def test_usual_bands_bring_no_further_sums():
    assert band_sums(["enrolments", "band:0% to under 5%", "band:20% to under 50%"]) == ()


def test_every_sum_holds_for_the_planted_pupils():
    found = registry(
        fine=histogram(safe_histogram, [0, 5, 10, 15, 30, 50, math.inf]),
        coarse=band_rows({"0% to under 15%": counted(0, 15), "10% to under 25%": counted(10, 25)}),
        curve=band_rows({f"under {edge}%": counted(0, edge) for edge in (10, 30)}),
    )
    assert np.abs(found.equations @ found.cells["value"].to_numpy(dtype=float)).max() == 0
    assert cell(found, "persistent_absentees")["value"] == counted(10)
    assert cell(found, "band:15% or more")["value"] == counted(15)
    # No table shows it: under 15% and 10% to under 25% with the others give it.
    assert cell(found, "band:15% to under 25%")["value"] == counted(15, 25)
    assert cell(found, "band:25% to under 30%")["value"] == counted(25, 30)


def test_a_small_band_between_the_limits_of_two_tables_is_protected():
    """20% to under 25% holds 4 pupils: one table ends a band at 20%, the other at 25%."""
    tables = {
        "a": band_rows({"under 10%": counted(0, 10), "10% to under 20%": counted(10, 20), "20% or more": counted(20)}),
        "b": band_rows({"under 10%": counted(0, 10), "10% to under 25%": counted(10, 25), "25% or more": counted(25)}),
    }
    assert [hidden(clear(SHARED, {name: tables[name]}), name) for name in tables] == [[False] * 3] * 2
    cleared = clear(SHARED, tables)
    a, b = hidden(cleared, "a"), hidden(cleared, "b")
    assert a[1] or b[1]
    assert a[2] or b[2]
    assert (reached(cleared)["reached"] >= SHARED.width).all()


def test_a_curve_and_a_histogram_say_the_same_of_one_cell():
    cleared = clear(
        SHARED,
        {name: histogram(make, [0, 10, 20, 50, math.inf]) for name, make in
         (("bins", safe_histogram), ("curve", safe_cumulative))},
    )  # fmt: skip
    assert hidden(cleared, "bins") + hidden(cleared, "curve") == [False] * 7
    curve = cleared.table("overview", AREA, "curve").rows.set_index("band")["numerator"]
    assert curve["under 10%"] == pytest.approx(counted(0, 10), abs=2.5)
