"""The longitudinal page as a whole: its parts fit together, and districts' mix is told from their rates."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.deepdives._change_models import FACTORS, gap_rows
from attendance_toolkit.deepdives.longitudinal import Longitudinal
from attendance_toolkit.errors import NoDataError

LEVELS = (("7", "8"), ("Female", "Male"), ("FSM eligible", "Not known to be FSM eligible"), ("No SEN", "SEN support"))


def test_no_name_stands_in_two_parts_of_the_page():
    """Parts are mixed into one class: of two with one name the later would be lost without a word."""
    where: dict[str, list[str]] = {}
    for part in Longitudinal.__mro__:
        if ".longitudinal" in part.__module__:
            for name in vars(part):
                if not name.startswith("__"):
                    where.setdefault(name, []).append(part.__name__)
    assert {name: parts for name, parts in where.items() if len(parts) > 1} == {}


def district(code: str, fsm_share: float, rates: tuple[float, float]) -> pd.DataFrame:
    """Return cells of a district whose rate hangs on free school meals alone: (eligible, not eligible)."""
    rows = []
    for levels in product(*LEVELS):
        is_eligible = levels[2] == LEVELS[2][0]
        pupils = 10_000 * (fsm_share if is_eligible else 1 - fsm_share) / 8
        absent = pupils * rates[0 if is_eligible else 1]
        rows.append((code, 202324, "Secondary", *levels, pupils, absent, absent / 10))
    names = ["area_code", "academic_year", "phase", *FACTORS, "enrolments", "persistent_absentees", "severe_absentees"]
    return pd.DataFrame(rows, columns=names)


def parts_of(*districts: pd.DataFrame) -> pd.DataFrame:
    rows = gap_rows(pd.concat(districts, ignore_index=True))
    assert rows["lower"].isna().all()
    return rows[rows["measure"] == "persistent_gap_part"].pivot(index="area_code", columns="model", values="rate")


def test_districts_of_the_same_rates_within_groups_differ_by_their_mix_alone():
    """Planted truth: 40% and 30% within groups everywhere, and 10%, 20% and 60% of pupils eligible."""
    shares = np.array([0.1, 0.2, 0.6])
    parts = parts_of(*(district(f"E0{n}", share, (0.4, 0.1)) for n, share in enumerate(shares)))
    gaps = 0.3 * (shares - shares.mean())
    assert parts["rate"].to_numpy() == pytest.approx(np.zeros(3), abs=1e-12)
    assert parts["fsm_eligible"].to_numpy() == pytest.approx(gaps)
    assert parts["gap"].to_numpy() == pytest.approx(gaps)
    for other in ("nc_year", "sex", "sen_provision"):
        assert parts[other].to_numpy() == pytest.approx(np.zeros(3), abs=1e-12)


def test_districts_of_the_same_mix_differ_by_their_rates_alone():
    parts = parts_of(district("E1", 0.3, (0.4, 0.1)), district("E2", 0.3, (0.5, 0.2)))
    assert parts["mix"].to_numpy() == pytest.approx(np.zeros(2), abs=1e-12)
    assert parts["rate"].to_numpy() == pytest.approx([-0.05, 0.05])


def test_two_districts_are_parted_as_kitagawa_does():
    """Two populations, one characteristic: Kitagawa's (1955) composition and rate, worked out by hand."""
    parts = parts_of(district("E1", 0.2, (0.4, 0.1)), district("E2", 0.5, (0.6, 0.2)))
    composition = (0.5 - 0.2) * (0.4 + 0.6) / 2 + (0.5 - 0.8) * (0.1 + 0.2) / 2
    rate = (0.6 - 0.4) * (0.2 + 0.5) / 2 + (0.2 - 0.1) * (0.8 + 0.5) / 2
    assert parts.loc["E2", "mix"] - parts.loc["E1", "mix"] == pytest.approx(composition)
    assert parts.loc["E2", "rate"] - parts.loc["E1", "rate"] == pytest.approx(rate)


def test_one_district_has_nothing_to_be_held_against():
    with pytest.raises(NoDataError, match="two districts"):
        gap_rows(district("E1", 0.2, (0.4, 0.1)))
