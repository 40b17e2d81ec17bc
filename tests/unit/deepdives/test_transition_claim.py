"""The arithmetic of a million days from published figures: against the files read by the csv module alone."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from dataclasses import replace

import pytest

import attendance_toolkit as at
from attendance_toolkit.deepdives.transition_days import TransitionDays
from attendance_toolkit.presentation.blocks import Findings, Notice, Result, Table

SEVENTH_TO_ELEVENTH = ("7", "8", "9", "10", "11")


@pytest.fixture(scope="module")
def folder(shared):
    return shared / "data" / "real" / "absence_bands_la_year_group"


@pytest.fixture(scope="module")
def enrolled(folder):
    """Return (authority, year group) -> enrolments of mainstream schools in 2022/23, by the csv module alone."""
    found = defaultdict(int)
    with gzip.open(folder / "absence_bands_distributions.csv.gz", "rt", encoding="utf-8-sig", newline="") as handle:
        for line in csv.reader(handle):
            if line[1] == "202223" and line[10] in ("State-funded primary", "State-funded secondary"):
                found[line[8].strip(), line[14]] += sum(int(value) for value in line[15:26])
    return found


def page_of(folder, area):
    return TransitionDays(at.open_inputs(area=area, academic_year="2022/23", published=[str(folder)]))


@pytest.mark.parametrize("area", ["Greater Manchester", "Trafford"])
def test_days_are_the_gap_of_rates_times_possible_days(folder, enrolled, area):
    page = page_of(folder, area)
    rates = page.claim_rates.rows
    rates = rates[(rates["academic_year"] == 202223) & (rates["series"] == "census")]
    codes = [code for code in rates["area_code"].unique() if code.startswith("E08")]
    assert len(codes) == (10 if area == "Greater Manchester" else 1)
    one = {(row["area_code"], row["phase"]): row["rate"] for row in rates.to_dict("records")}
    expected = sum(
        (one[code, "Secondary"] - one[code, "Primary"]) * 190 * sum(enrolled[code, nc] for nc in SEVENTH_TO_ELEVENTH)
        for code in codes
    )
    table = page.days_defined.select(measure="days_net", nc_year="Years 7 to 11").rows
    assert table["rate"].item() == pytest.approx(expected)
    pupils = sum(enrolled[code, "7"] for code in codes)
    fall = page.days_defined.select(measure="rate_gap", nc_year="7").rows["rate"].item()
    assert fall == pytest.approx(1_000_000 / (pupils * 190))


def test_published_rates_are_those_of_the_census(folder):
    """Trafford in 2022/23, full year: primary 4.79%, secondary 6.86% (DfE, LA time series of pupil absence)."""
    rates = page_of(folder, "Trafford").claim_rates.rows
    rates = rates[(rates["academic_year"] == 202223) & (rates["series"] == "census")].set_index("phase")["rate"]
    assert (round(rates["Primary"] * 100, 2), round(rates["Secondary"] * 100, 2)) == (4.79, 6.86)


def test_the_claim_is_told_of_the_combined_authority_alone(folder):
    page = page_of(folder, "Greater Manchester")
    made = page.claim_sentences()
    assert isinstance(made, Findings)
    text = " ".join(made.sentences)
    assert "1,000,000 days" in text
    assert "14.0 percentage points" in text
    assert isinstance(page.definition_table(), Table)
    assert isinstance(page_of(folder, "Trafford").claim_sentences(), Result)


def test_without_enrolments_by_year_group_the_table_says_so(folder):
    inputs = at.open_inputs(area="Greater Manchester", academic_year="2022/23", published=[str(folder)])
    made = TransitionDays(replace(inputs, published=None)).definition_table()
    assert isinstance(made, Notice)
    assert "absence bands file" in made.text
