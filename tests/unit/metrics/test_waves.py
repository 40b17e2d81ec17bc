"""Waves of looked-after children against plain fractions: edges, two schools, joiners and leavers, moves that add up."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd
import pytest

from attendance_toolkit.metrics.waves import (
    BETTER,
    CHANGES,
    JOINED,
    LEFT,
    NOT_TOLD,
    SAME,
    TOO_FEW,
    WORSE,
    pupil_waves,
    wave_changes,
)
from attendance_toolkit.vocabulary.columns import PUPIL_TERM
from attendance_toolkit.vocabulary.rule_schemes import rule_scheme

SCHEME = rule_scheme("virtual_school_waves")
HALF = {"autumn": "1", "spring": "3", "summer": "5"}


def term_row(upn, term, possible, missed, *, laestab=9812001, phase="Secondary", nc_year="9", year=202324, age=13):
    """Return one PUPIL_TERM row as a dictionary."""
    row = dict.fromkeys(PUPIL_TERM, 0) | {
        "upn": upn, "la_code": "E08900001", "laestab": laestab, "academic_year": year, "term": term,
        "half_term": HALF.get(term, "1-6"), "phase": phase, "nc_year": nc_year, "age": age, "is_boarder": False,
        "on_roll": True, "sessions_possible": possible, "sessions_authorised": missed, "looked_after": "Yes",
    }  # fmt: skip
    return row


def printed_wave(attended: int, possible: int) -> str:
    """The machine rule of the four waves, in plain fractions."""
    share = Fraction(attended, possible)
    if share > Fraction(95, 100):
        return "No wave"
    if share >= Fraction(80, 100):
        return "Wave 1"
    return "Wave 2" if share >= Fraction(60, 100) else "Wave 3"


@pytest.mark.parametrize(
    ("missed", "wave"),
    [(0, "No wave"), (9, "No wave"), (10, "Wave 1"), (40, "Wave 1"), (41, "Wave 2"), (80, "Wave 2"), (81, "Wave 3"), (200, "Wave 3")],
)  # fmt: skip
def test_edges_of_the_printed_waves(missed, wave):
    # 200 sessions: 95% is 10 missed, 80% is 40, 60% is 80. 79.5% is printed in no wave, and is closed upwards to wave 2.
    waves = pupil_waves(pd.DataFrame([term_row(1, "autumn", 200, missed)]), SCHEME)
    assert waves["wave"].tolist() == [wave]


def test_every_share_of_sessions_is_in_the_wave_of_plain_fractions():
    rows = [term_row(n, "autumn", 57 + n % 3, n % 58) for n in range(174)]
    waves = pupil_waves(pd.DataFrame(rows), SCHEME).set_index("upn")
    expected = {row["upn"]: printed_wave(row["sessions_possible"] - row["sessions_authorised"], row["sessions_possible"])
                for row in rows}  # fmt: skip
    assert waves["wave"].to_dict() == expected
    assert set(expected.values()) == {level.name for level in SCHEME.levels}


@pytest.fixture
def year():
    """A year of six children: two schools, a joiner, a leaver, one with too few sessions, one with a figure of the year."""
    rows = [
        # Wave 2 at each school alone or 1; together 100 of 120 = 83%.
        term_row(1, "autumn", 60, 0), term_row(1, "autumn", 60, 20, laestab=9812002),
        term_row(1, "spring", 100, 100),  # 100 of 220 so far: wave 3
        term_row(2, "autumn", 120, 30), term_row(2, "spring", 120, 0), term_row(2, "summer", 120, 0),
        term_row(3, "spring", 100, 2), term_row(3, "summer", 100, 0),  # joined
        term_row(4, "autumn", 100, 90),  # left
        term_row(5, "autumn", 10, 10), term_row(5, "spring", 30, 0),
        term_row(6, "year", 300, 150),
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_the_year_to_date_adds_up_schools_and_terms(year):
    waves = pupil_waves(year, SCHEME).set_index(["upn", "term"])
    found = waves["wave"].to_dict()
    assert found == {
        (1, "autumn"): "Wave 1", (1, "spring"): "Wave 3",
        (2, "autumn"): "Wave 2", (2, "spring"): "Wave 1", (2, "summer"): "Wave 1",
        (3, "spring"): "No wave", (3, "summer"): "No wave",
        (4, "autumn"): "Wave 3",
        (5, "autumn"): TOO_FEW, (5, "spring"): "Wave 2",
        (6, "summer"): "Wave 3",
    }  # fmt: skip
    assert waves.loc[(1, "spring"), ["possible", "attended"]].tolist() == [220, 100]


def test_moves_add_up_on_both_sides(year):
    waves = pupil_waves(year, SCHEME)
    changes = wave_changes(waves, SCHEME)
    assert set(changes["change"]) <= set(CHANGES)
    told = changes.set_index(["upn", "term"])["change"].to_dict()
    assert told == {
        (1, "spring"): WORSE, (2, "spring"): BETTER, (3, "spring"): JOINED, (4, "spring"): LEFT, (5, "spring"): NOT_TOLD,
        (1, "summer"): LEFT, (2, "summer"): SAME, (3, "summer"): SAME, (5, "summer"): LEFT, (6, "summer"): JOINED,
    }  # fmt: skip
    for before, after in (("autumn", "spring"), ("spring", "summer")):
        step = changes[changes["term"] == after]
        for term, column, left_out in ((before, "wave_before", JOINED), (after, "wave_after", LEFT)):
            counted = step.loc[step[column] != left_out, column].value_counts().to_dict()
            assert counted == waves.loc[waves["term"] == term, "wave"].value_counts().to_dict()


def test_nobody_has_no_rows():
    assert pupil_waves(pd.DataFrame([term_row(1, "autumn", 0, 0)]), SCHEME).empty
    assert wave_changes(pupil_waves(pd.DataFrame([term_row(1, "autumn", 30, 0)]), SCHEME), SCHEME).empty
