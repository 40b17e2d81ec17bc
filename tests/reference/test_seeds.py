"""The two seed documents: every card recomputed, every printed table audited, claims checked."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

import pandas as pd
import pytest

from attendance_toolkit.loaders.printed import read_printed_cards, read_printed_table
from attendance_toolkit.metrics import cards
from attendance_toolkit.metrics.reconciliation import (
    TRAFFORD_CLAIMS,
    check_gap_claims,
    check_lost_learning,
    check_sample,
    check_share,
    column_series,
    denominators_for,
    gap_comparison,
    printed_measure_rows,
    reconcile,
)
from attendance_toolkit.vocabulary.comparators import comparators
from attendance_toolkit.vocabulary.rounding import round_half_up


@pytest.fixture(scope="module")
def southampton(shared):
    return read_printed_cards(shared / "golden" / "southampton_cards.csv").set_index(["card", "quantity"])


@pytest.fixture(scope="module")
def trafford(shared):
    golden = shared / "golden"
    return pd.concat(
        [read_printed_table(golden / f"trafford_table{n}_as_printed.csv", local_area="Trafford") for n in (1, 2, 3)],
        ignore_index=True,
    )


@pytest.fixture(scope="module")
def trafford_text(shared):
    return next((shared / "seeds").glob("004_*.txt")).read_text(encoding="utf-8")


# --- Southampton ---------------------------------------------------------------------------------------

#: Inputs of the cards: nothing on the slides derives them.
GIVEN = {
    ("overall", "enrolments"),
    ("overall", "sessions_missed"),
    ("overall", "sessions_possible"),
    ("overall", "no_absence_enrolments"),
    *((card, "previous_year_2022_23") for card in ("overall", "persistent", "severe")),
    # Mean of three years of which only two are printed.
    *((card, "three_year_mean") for card in ("overall", "persistent", "severe")),
    *((card, name) for card in ("persistent", "severe") for name in (
        "enrolments", "sessions_authorised", "sessions_unauthorised", "sessions_possible"
    )),
}  # fmt: skip


def recomputed(value) -> dict[tuple[str, str], float]:
    """Compute every derived figure from the given ones; ``value(card, quantity)`` reads a printed one."""
    enrolments = value("overall", "enrolments")
    missed, possible = value("overall", "sessions_missed"), value("overall", "sessions_possible")
    result = {
        ("overall", "overall_absence"): 100 * cards.ratio(missed, possible),
        ("overall", "mean_sessions_missed"): cards.mean_sessions_missed_of(missed, enrolments),
        ("overall", "no_absence"): 100 * cards.no_absence_share(value("overall", "no_absence_enrolments"), enrolments),
    }
    for card in ("persistent", "severe"):
        count = value(card, "enrolments")
        group_missed = value(card, "sessions_authorised") + value(card, "sessions_unauthorised")
        group_possible = value(card, "sessions_possible")
        result |= {
            (card, "rate"): 100 * cards.ratio(count, enrolments),
            (card, "mean_sessions_missed"): cards.mean_sessions_missed_of(group_missed, count),
            (card, "extra_sessions_missed"): cards.extra_sessions_missed(missed, enrolments, group_missed, count),
            (card, "overall_absence_without"): 100
            * cards.overall_absence_without(missed, possible, group_missed, group_possible),
            (card, "equivalent_at_current_cohort"): cards.equivalent_at_current_cohort(
                int(count), value(card, "previous_year_2022_23"), int(enrolments)
            ),
        }
    # The slides subtract printed rates: 7.7 - 7.9, 21.4 - 23.2, 2.8 - 2.3.
    for card, rate in (("overall", "overall_absence"), ("persistent", "rate"), ("severe", "rate")):
        current, previous = value(card, rate), value(card, "previous_year_2022_23")
        result[card, "change"] = cards.change_pp(current / 100, previous / 100)
    return result


def test_every_figure_of_southampton_is_given_or_recomputed_to_the_printed_digit(southampton):
    ours = recomputed(lambda card, quantity: southampton.loc[(card, quantity), "value"])
    given = set(southampton.index[southampton["derived_from"] == "given"])
    assert given == GIVEN
    assert len(southampton) == 32
    assert set(southampton.index) - given <= set(ours)
    for key, row in southampton[southampton["derived_from"] != "given"].iterrows():
        assert round_half_up(ours[key], int(row["decimals"])) == row["value"], key


def test_southampton_three_year_means_are_possible(southampton):
    """The third year is not printed: the mean implies one, which must be a sensible rate."""
    implied = {}
    for card, rate in (("overall", "overall_absence"), ("persistent", "rate"), ("severe", "rate")):
        mean, current, previous = (
            southampton.loc[(card, name), "value"] for name in ("three_year_mean", rate, "previous_year_2022_23")
        )
        implied[card] = round(3 * mean - current - previous, 1)
        assert round_half_up(cards.three_year_mean([implied[card], previous, current]), 1) == mean
    assert implied == {"overall": 7.8, "persistent": 23.8, "severe": 2.1}


def test_southampton_change_of_rounded_rates_is_not_the_change(southampton):
    exact = cards.change_pp(cards.ratio(6_885, 32_144), 0.232)
    assert round(exact, 2) == -1.78
    assert southampton.loc[("persistent", "change"), "printed"] == "-1.8"


def test_southampton_golden_figures_are_those_of_the_slides(shared, southampton):
    text = next((shared / "seeds").glob("000_*.txt")).read_text(encoding="utf-8").replace(",", "")
    for key, row in southampton.iterrows():
        assert re.search(rf"(?<![\d.]){re.escape(row['printed'].lstrip('-'))}(?![\d]|\.\d)", text), key


# --- Trafford ------------------------------------------------------------------------------------------


def cell(frame: pd.DataFrame, table: str, column: str, **row: str) -> tuple[str, int, str]:
    rows = frame[(frame["table"] == table) & (frame["column"] == column)]
    for name, value in row.items():
        rows = rows[rows[name] == value]
    return table, int(rows["row"].item()), column


def expected_findings(t: pd.DataFrame) -> dict[str, list[tuple]]:
    """Return the misprints of the audit (check -> cells), and nothing else."""
    secondary = cell(t, "Table 1", "national_2022_23", phase="Secondary", measure="unauthorised_absence_rate")
    special = [
        cell(t, "Table 1", "trafford_2022_23", phase="Special", measure=f"{kind}_absence_rate")
        for kind in ("authorised", "unauthorised")
    ]

    def sexes(phase: str, column: str) -> tuple:
        return tuple(cell(t, "Table 2", column, phase=phase, group=g) for g in ("Boys", "Girls"))

    return {
        "rate_from_counts": [(cell(t, "Table 2", "pa_rate", phase="Secondary", group="Girls"),)],
        "adds_to_100": [(secondary,), tuple(special)],
        "published_value": [(secondary,), (special[0],), (special[1],)],
        "parts_add_up": [
            sexes("Primary", "enrolments"),
            sexes("Primary", "pa_number"),
            sexes("Secondary", "enrolments"),
            sexes("Special", "enrolments"),
            sexes("Special", "pa_number"),
        ],
        "series_mixed": [(), ()],
    }


def by_check(findings) -> dict[str, list[tuple]]:
    found: dict[str, list[tuple]] = {}
    for finding in findings:
        cells = tuple((finding.table, *place) for place in finding.cells)
        found.setdefault(finding.check, []).append(cells)
    return found


def test_exactly_the_known_misprints_of_trafford_are_found(trafford):
    assert by_check(reconcile(trafford, comparators())) == expected_findings(trafford)


def test_without_published_figures_the_table_alone_shows_all_but_which_cell(trafford):
    found = by_check(reconcile(trafford))
    known = expected_findings(trafford)
    assert found["rate_from_counts"] == known["rate_from_counts"]
    assert found["parts_add_up"] == known["parts_add_up"]
    assert [set(k) <= set(f) and len(f) == 3 for f, k in zip(found["adds_to_100"], known["adds_to_100"], strict=True)]
    assert set(found) == {"rate_from_counts", "parts_add_up", "adds_to_100"}


def test_what_the_findings_say(trafford):
    said = [str(finding) for finding in reconcile(trafford, comparators())]
    assert said[0] == "Table 2: Secondary, Girls: persistent absence is printed as 1.6%, but 1,323 of 8,507 is 15.6%."
    assert (
        "Table 1: Secondary, England 2022/23: unauthorised absence is printed as 3.2%;"
        " DfE school census, full year gives 3.4%."
    ) in said
    assert any("6.9%. 4.6% is the published figure for unauthorised absence, Special." in s for s in said)
    assert any(
        "Boys and Girls add up to 18,053 of 18,430 enrolments; 377 are in none of these groups." in s for s in said
    )


def test_each_column_is_traced_to_its_series(trafford):
    series = column_series(trafford, comparators()).set_index(["table", "column"])
    assert series["series"].to_dict() == {
        ("Table 1", "national_2022_23"): "census",
        ("Table 1", "trafford_2022_23"): "census",
        ("Table 1", "national_2023_24"): "attendance",
        ("Table 1", "trafford_2023_24"): "attendance",
        ("Table 2", "national_attendance_2023_24"): "attendance",
        ("Table 2", "trafford_attendance_2023_24"): "attendance",
        ("Table 2", "national_pa_2023_24"): "attendance",
        ("Table 2", "trafford_pa_2023_24"): "attendance",
    }
    # Every cell of the attendance columns agrees; the census columns but for the misprints.
    assert (series["compared"] - series["agree"]).tolist() == [1, 2, 0, 0, 0, 0, 0, 0]


def test_every_printed_cell_becomes_a_row_with_its_flag(trafford):
    findings = reconcile(trafford, comparators())
    rows = printed_measure_rows(trafford, findings, comparators())
    assert len(rows) == len(trafford) == 15 * 5 + 29 * 10 + 12 * 3
    flagged = {(r.table, r.row, r.column) for r in rows[rows["flag"] != ""].itertuples()}
    known = {c for check, found in expected_findings(trafford).items() for cells in found for c in cells}
    assert flagged == known
    assert len(flagged) == 14
    rates = rows[(rows["role"] == "rate") & (rows["symbol"] == "")]
    assert all(
        Decimal(text) == Decimal(repr(rate)) * 100 for text, rate in zip(rates["printed"], rates["rate"], strict=True)
    )
    girls = rows[(rows["phase"] == "Secondary") & (rows["group"] == "Girls") & (rows["column"] == "pa_rate")].iloc[0]
    assert (girls["numerator"], girls["denominator"], girls["expected"]) == (1323, 8507, "15.6%")
    assert set(rows["series"]) == {"census", "attendance", "printed"}
    assert rows.loc[rows["printed"].isin(["", "-"]), "symbol"].eq("x").all()


def test_gap_claims_of_section_5_3(trafford):
    findings = check_gap_claims(trafford)
    assert [f.says.partition(":")[0] for f in findings] == ["Secondary, EHC against No SEN"]
    narrower = gap_comparison(trafford, TRAFFORD_CLAIMS[1]).set_index(["phase", "group"])
    gaps = narrower[["local_pp", "national_pp"]].round(1).apply(tuple, axis=1).to_dict()
    assert gaps == {
        ("Primary", "EHC"): (3.9, 5.3),
        ("Primary", "SEN Support"): (1.8, 2.5),
        ("Secondary", "EHC"): (10.3, 9.1),
        ("Secondary", "SEN Support"): (4.9, 6.3),
    }
    assert (gap_comparison(trafford, TRAFFORD_CLAIMS[0])["verdict"] == "holds").all()


def test_golden_tables_are_those_of_the_report(trafford_text, trafford):
    """Every printed cell is in the report's own table rows, in order."""
    for table in ("Table 1", "Table 2", "Table 3"):
        for _, row in trafford[trafford["table"] == table].groupby("row"):
            texts = [
                f"{int(v):,}" if role != "rate" else f"{text}%"
                for text, role, v in zip(row["printed"], row["role"], row["value"], strict=True)
                if text not in ("", "-") and v == v
            ]
            if texts:
                pattern = r"\t(?:-\t)*".join(re.escape(text) for text in texts)
                assert re.search(pattern, trafford_text), texts


def test_the_audit_sample_of_section_9_1(trafford_text):
    assert "sample size of 12% of the 347" in trafford_text
    finding = check_sample(347, 12, [47, 41, 12])[0]
    assert finding.says == (
        "12% of 347 is 40 to 43; parts of 47%, 41% and 12% are possible for none of these sizes, but for 17 or 34."
    )


def test_the_year_11_share_of_section_12_3(trafford_text):
    assert "31 of the pupils" in trafford_text
    assert "63% of the Year 11 cohort" in trafford_text
    assert denominators_for(31, 63) == (49,)
    assert check_share(31, 63) == ()


def test_the_lost_learning_table(trafford_text):
    printed = re.findall(r"(\d+)% attendance\s+(?:At least )?(\d+) weeks? & (\d+) days?", trafford_text)
    rows = [(float(percent), int(weeks), int(days)) for percent, weeks, days in printed]
    assert [r[0] for r in rows] == [95, 90, 85, 80]
    assert check_lost_learning([(100, 0, 0), *rows]) == ()
    assert cards.lost_learning("0.80", years=5).days == 190


def test_a_third_more_looked_after_children_severely_absent(trafford_text):
    found = re.search(r"there were (\d+) looked after children who were severely absent, a third higher", trafford_text)
    assert found is not None
    after = int(found[1])
    # Of whole numbers 25 is nearest: 32% more. No number of children makes it exactly a third.
    nearest = min(range(1, after), key=lambda before: abs(Fraction(after - before, before) - Fraction(1, 3)))
    assert (nearest, Fraction(after - nearest, nearest)) == (25, Fraction(8, 25))


def test_changes_are_percentage_points(trafford_text):
    assert "16.7%, which is a 4.3% increase from 2022/23 at 12.4%" in trafford_text
    assert round(cards.change_pp(0.167, 0.124), 1) == 4.3


def test_any_other_misprint_would_be_found_too(trafford):
    """Move each cell that can be checked by 0.3 points (or one pupil) in turn: a new finding names it."""
    rates = comparators(["Trafford", "England"], ["2022/23", "2023/24"])
    before = {(f.check, f.table, f.cells) for f in reconcile(trafford, rates)}
    wrong = {(table, *place) for _, table, cells in before for place in cells}
    size_rows = set(
        trafford.loc[(trafford["role"] == "size") & trafford["value"].notna(), ["table", "row"]].apply(tuple, axis=1)
    )
    candidates = []
    for i, row in trafford.iterrows():
        place = (row["table"], row["row"], row["column"])
        by_counts = row["role"] == "rate" and row["column"] in ("pa_rate", "sa_rate") and place[:2] in size_rows
        by_files = row["role"] == "rate" and row["published"] and row["group"] == "All"
        by_sum = row["role"] != "rate" and row["group"] in ("FSM", "Non-FSM")
        if place not in wrong and not pd.isna(row["value"]) and (by_counts or by_files or by_sum):
            candidates.append((i, place, 1 if by_sum else 0.3))
    assert len(candidates) == 144
    # All 144 are found; every seventh is tried here to save time.
    for i, place, step in candidates[::7]:
        changed = trafford.copy()
        changed.loc[i, "value"] += step
        new = [f for f in reconcile(changed, rates) if (f.check, f.table, f.cells) not in before]
        assert any((f.table, *cell) == place for f in new for cell in f.cells), place
