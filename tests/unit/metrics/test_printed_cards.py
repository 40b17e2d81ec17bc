"""Printed cards: every derived figure follows from the others, or the finding says what it should be."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from attendance_toolkit.metrics.printed_cards import check_cards, quantity_label, recompute_cards

# The figures of Southampton's slides of November 2024.
FIGURES = {
    ("overall", "enrolments"): "32144",
    ("overall", "sessions_missed"): "579683",
    ("overall", "sessions_possible"): "7515215",
    ("overall", "overall_absence"): "7.7",
    ("overall", "mean_sessions_missed"): "18.0",
    ("overall", "previous_year_2022_23"): "7.9",
    ("overall", "change"): "-0.2",
    ("overall", "three_year_mean"): "7.8",
    ("persistent", "enrolments"): "6885",
    ("persistent", "rate"): "21.4",
    ("persistent", "sessions_authorised"): "186040",
    ("persistent", "sessions_unauthorised"): "184596",
    ("persistent", "sessions_possible"): "1536341",
    ("persistent", "extra_sessions_missed"): "46",
    ("persistent", "overall_absence_without"): "3.5",
    ("persistent", "previous_year_2022_23"): "23.2",
    ("persistent", "change"): "-1.8",
    ("persistent", "equivalent_at_current_cohort"): "-572",
}


def cards(**changed: str) -> pd.DataFrame:
    """The figures, some of them changed (persistent__rate="24.1") or left out (an empty text)."""
    figures = FIGURES | {tuple(name.split("__")): text for name, text in changed.items()}
    rows = [
        {
            "card": card,
            "quantity": quantity,
            "printed": text,
            "value": float(text),
            "decimals": len(text.partition(".")[2]),
            "unit": "percent" if "." in text else "enrolments",
            "derived_from": "",
        }
        for (card, quantity), text in figures.items()
        if text
    ]
    return pd.DataFrame(rows)


def test_true_cards_have_no_finding():
    assert check_cards(cards()) == ()
    rows = recompute_cards(cards()).set_index(["card", "quantity"])
    assert rows.loc[("persistent", "rate"), "recomputed"] == pytest.approx(21.41923843)
    assert rows.loc[("persistent", "rate"), "basis"] == "6,885 of 32,144 enrolments"
    assert rows.loc[("overall", "three_year_mean"), "basis"] == "given; the year not printed would be 7.55% to 8.05%"
    assert math.isnan(rows.loc[("overall", "enrolments"), "recomputed"])


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"persistent__rate": "24.1"}, "rate is printed as 24.1%, but 6,885 of 32,144 enrolments gives 21.4%."),
        (
            {"persistent__equivalent_at_current_cohort": "572"},
            "equivalent at current cohort is printed as 572, but 6,885 less 23.2% of 32,144 enrolments gives −572.",
        ),
        ({"overall__change": "0.2"}, "change is printed as 0.2%, but 7.7% less 7.9%, both as printed gives −0.2%."),
        ({"overall__three_year_mean": "87.8"}, "which no rate can be."),
        ({"persistent__enrolments": "68850"}, "enrolments is printed as 68,850, above the 32,144 of overall absence"),
        ({"persistent__sessions_possible": "300000"}, "of 300,000 sessions is 123.5%; these enrolments missed 10%"),
        ({"persistent__sessions_authorised": "986040"}, "sessions missed are more than the 579,683 of all."),
    ],
)
def test_a_misprint_is_found_and_said(changed, says):
    findings = check_cards(cards(**changed))
    assert any(says in str(finding) for finding in findings), [str(finding) for finding in findings]
    key = next(tuple(name.split("__")) for name in changed)
    row = list(FIGURES).index(key)
    assert any((row, "printed") in finding.cells for finding in findings)


def test_a_change_of_rates_that_were_not_rounded_is_no_finding():
    """7.64 less 7.86 is -0.22, printed -0.2, although 7.6 less 7.9 is -0.3."""
    found = check_cards(cards(overall__sessions_missed="574162", overall__overall_absence="7.6"))
    assert not any("change is printed" in finding.says for finding in found)
    finding = check_cards(cards(overall__change="-0.4"))[0]
    assert finding.printed == "-0.4"


def test_what_cannot_be_worked_out_is_not_judged():
    without = cards(overall__enrolments="", overall__sessions_possible="", persistent__sessions_possible="")
    rows = recompute_cards(without).set_index(["card", "quantity"])
    assert rows["recomputed"].notna().sum() == 2  # the two changes, of rates as printed
    assert check_cards(without) == ()


def test_labels():
    assert quantity_label("previous_year_2022_23") == "Rate in 2022/23"
    assert quantity_label("overall_absence_without") == "Overall absence without them"
