"""The profile of severe absentees: planted figures by hand, rounding, hidden figures, and what may be said."""

from __future__ import annotations

import math

import pytest

from attendance_toolkit.deepdives._others import others_rows, without
from attendance_toolkit.deepdives.severe_absence import SevereAbsence
from attendance_toolkit.presentation.blocks import Findings, Notice, Result, Table
from tests.unit.deepdives.severe_tables import YEAR, Given, crossed, groups, inputs, rate_row, table

#: 100 of 1,000 pupils: 60 of 200 with free school meals, 10 of 10 not known, 30 of 790 others; 49 girls of 480.
SINGLE = {
    (): (100, 1000),
    (("fsm_eligible", "FSM eligible"),): (60, 200),
    (("fsm_eligible", "Not known to be FSM eligible"),): (30, 790),
    (("fsm_eligible", "Unknown"),): (10, 10),
    (("sex", "Female"),): (49, 480),
    (("sex", "Male"),): (51, 520),
}
PHASES = {
    ("All schools", "All", "All"): (100, 1000),
    ("Primary", "All", "All"): (20, 600),
    ("Secondary", "All", "All"): (80, 400),
    ("Primary and secondary", "nc_year", "6"): (8, 100),
    ("Primary and secondary", "nc_year", "7"): (50, 150),
}


def page(single=None, phases=None, **more):
    given = Given(crossed=crossed(single or SINGLE), groups=groups(phases or PHASES), **more)
    return SevereAbsence(inputs(), given)


def test_risk_ratio_and_shares_are_those_worked_out_by_hand():
    found = page().beside_others("All schools", "fsm_eligible", "FSM eligible")
    # Against the 790 others whose free school meals are known, not against everybody else.
    assert found["risk_ratio"]["rate"] == pytest.approx((60 / 200) / (30 / 790))
    error = math.sqrt(1 / 60 - 1 / 200 + 1 / 30 - 1 / 790)
    assert found["risk_ratio"]["lower"] == pytest.approx(
        (60 / 200) / (30 / 790) * math.exp(-1.959964 * error), rel=1e-6
    )
    assert found["risk_difference"]["rate"] == pytest.approx(60 / 200 - 30 / 790)
    assert found["share_of_absentees"]["rate"] == pytest.approx(0.6)
    assert found["share_of_enrolments"]["rate"] == pytest.approx(0.2)


def test_pupils_not_known_are_held_against_those_known():
    found = page().beside_others("All schools", "fsm_eligible", "Unknown")
    assert found["risk_ratio"]["rate"] == pytest.approx(1 / (90 / 990))


def test_sentence_says_share_of_both_and_the_ratio_with_its_interval():
    said = page().profile_sentences().sentences
    assert said[0].startswith("80.0% of severe absentees are in secondary schools, against 40.0% of enrolments")
    meals = next(sentence for sentence in said if "eligible for free school meals" in sentence)
    assert "60.0% of severe absentees" in meals
    assert "20.0% of enrolments" in meals
    assert "7.90 times (95% interval 5.24 to 11.90) that of other pupils" in meals


def test_a_ratio_whose_interval_holds_1_is_called_not_clearly_different():
    said = page().profile_sentences().sentences
    girls = [sentence for sentence in said if "girls" in sentence]
    assert len(girls) == 1
    assert girls[0].startswith("Not clearly different")


def test_the_title_names_no_group_that_is_not_clear_and_none_not_known():
    title = page()._profile_title("All schools")
    assert "free school meals" in title
    assert "girls" not in title
    assert "not known" not in title


def test_rounded_levels_that_do_not_add_up_give_ratios_that_do():
    # 60 of 4,690 rounded; girls 30 and boys 35 after rounding: each ratio is the other upside down.
    single = {(): (60, 4690), (("sex", "Female"),): (30, 2325), (("sex", "Male"),): (35, 2365)}
    made = page(single)
    girls, boys = (made.beside_others("All schools", "sex", level) for level in ("Female", "Male"))
    assert girls["risk_ratio"]["rate"] * boys["risk_ratio"]["rate"] == pytest.approx(1)
    assert girls["share_of_absentees"]["rate"] + boys["share_of_absentees"]["rate"] == pytest.approx(1)


def test_any_sen_is_not_counted_beside_what_it_is_made_of():
    single = {
        (): (100, 1000),
        (("sen_provision", "EHC plan"),): (20, 50),
        (("sen_provision", "SEN support"),): (30, 150),
        (("sen_provision", "Any SEN"),): (50, 200),
        (("sen_provision", "No SEN"),): (50, 800),
    }
    made = page(single)
    for level, counts in {"EHC plan": (20, 50), "Any SEN": (50, 200), "No SEN": (50, 800)}.items():
        rate, rest = counts[0] / counts[1], (100 - counts[0]) / (1000 - counts[1])
        found = made.beside_others("All schools", "sen_provision", level)
        assert found["risk_ratio"]["rate"] == pytest.approx(rate / rest)
        assert found["share_of_enrolments"]["rate"] == pytest.approx(counts[1] / 1000)


def test_hidden_levels_are_said_to_be_hidden_and_move_nothing():
    single = SINGLE | {
        (("fsm_eligible", "FSM eligible"),): "c",
        (("fsm_eligible", "Not known to be FSM eligible"),): "c",
    }
    made = page(single)
    found = made.beside_others("All schools", "fsm_eligible", "FSM eligible")
    assert {record["symbol"] for record in found.values()} == {"c"}
    said = " ".join(made.profile_sentences().sentences)
    assert "Hidden to protect small numbers, so nothing is said of pupils eligible for free school meals." in said
    rows = {row.header: row for row in made.profile_table().rows}
    assert {cell.shown for cell in rows["Eligible for free school meals"].cells} == {"c"}


def test_a_school_type_with_every_figure_hidden_is_a_sentence():
    phases = PHASES | {
        ("Primary", "All", "All"): "c",
        ("Primary", "sex", "Female"): "c",
        ("Primary", "sex", "Male"): "c",
    }
    made = page(phases=phases).profile_table("Primary")
    assert isinstance(made, Notice)
    assert "hidden to protect small numbers" in made.text


def test_year_groups_are_beside_the_other_year_groups():
    made = page()
    found = made.beside_others("Primary and secondary", "nc_year", "7")
    assert found["risk_ratio"]["rate"] == pytest.approx((50 / 150) / (8 / 100))
    assert any("In Year 7 of primary and secondary schools" in text for text in made.profile_sentences().sentences)


def test_everybody_else_of_rounded_counts_may_be_nobody():
    total, group = rate_row((10, 100)), rate_row((15, 95))
    assert without(total, group)["symbol"] == "z"
    assert {row["measure"]: row["symbol"] for row in others_rows(group, total)}["risk_ratio"] == "z"


# -- terms, kinds, reasons, time on roll -----------------------------------------------------------------


def test_time_on_roll_says_what_the_rate_is_without_short_spells():
    on_roll = table(
        [
            rate_row((100, 1000), time_on_roll="All"),
            rate_row((40, 50), time_on_roll="Under 50 sessions"),
            rate_row((10, 100), time_on_roll="50 to 149 sessions"),
            rate_row((50, 850), time_on_roll="250 sessions or more"),
        ]
    )
    made = page(on_roll=on_roll)
    said = made.roll_sentences().sentences
    assert said[0] == "Enrolments of under 50 sessions are 5.0% of all and 40.0% of severe absentees."
    assert "12.67 times" in said[1]  # (40 / 50) / (60 / 950)
    assert said[2] == "Without them severe absence would be 6.3% instead of 10.0%."
    rows = {row.header: row for row in made.roll_table().rows}
    assert [cell.shown for cell in rows["Without the shortest: 50 sessions or more"].cells[:3]] == ["950", "60", "6.3"]


def test_hidden_short_spells_are_not_told():
    on_roll = table(
        [
            rate_row((100, 1000), time_on_roll="All"),
            rate_row("c", time_on_roll="Under 50 sessions"),
            rate_row("c", time_on_roll="50 to 149 sessions"),
            rate_row((50, 850), time_on_roll="250 sessions or more"),
        ]
    )
    assert page(on_roll=on_roll).roll_sentences().sentences == (
        "Whether short spells matter cannot be told: a figure is hidden to protect small numbers.",
    )


def test_kinds_and_reasons_are_shares_of_the_sessions_missed():
    def row(figure, measure, reason="All"):
        return rate_row(figure, measure, reason=reason)

    kinds = table(
        [
            row((100, 1000), "severe_absence_rate"),
            row((7000, 10000), "overall_absence_rate_severe"),
            row((4200, 10000), "authorised_absence_rate_severe"),
            row((2800, 10000), "unauthorised_absence_rate_severe"),
            row((3500, 10000), "reason_rate_severe", "auth_illness"),
            row("c", "reason_rate_severe", "unauth_late"),
        ]
    )
    made = page(kinds=kinds)
    assert (
        made.kinds_table().title == f"40.0% of the sessions severe absentees missed were unauthorised, {YEAR // 100}/23"
    )
    rows = {row.header: row.cells[0].shown for row in made.reason_table().rows}
    assert rows == {"Illness": "50.0", "Late after the register closed": "c"}


def test_what_published_files_lack_is_said():
    made = page()
    for name in ("term_table", "kinds_table", "reason_table", "roll_table"):
        assert isinstance(getattr(made, name)(), Notice), name
    assert isinstance(made.roll_sentences(), Result)
    assert "need pupil-level data" in made.missing_notice().text


def test_blocks_on_synthetic_pupils(synthetic_store):
    import attendance_toolkit as at

    given = {"area": "Irwell Bank", "academic_year": "2023/24", "store": str(synthetic_store)}
    made = SevereAbsence(at.open_inputs(**given, audience="internal"))
    assert isinstance(made.profile_sentences(), Findings)
    for name in ("profile_table", "term_table", "kinds_table", "reason_table", "roll_table"):
        block = getattr(made, name)()
        assert isinstance(block, Table), name
        assert "synthetic" in block.source.lower()
    total = made.everybody("All schools")
    terms = {row.header for row in made.term_table().rows if row.section == "All schools"}
    assert terms == {"Autumn", "Spring", "Summer"}
    # Every severe absentee has a time on roll: the levels add up to the area's count.
    rows = {row.header: row.cells for row in made.roll_table().rows}
    levels = [
        cells[1].value or 0 for header, cells in rows.items() if header[0].isdigit() or header.startswith("Under")
    ]
    assert sum(levels) == rows["All enrolments"][1].value == total["numerator"]
