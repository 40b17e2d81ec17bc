"""Crossings: heat tables, who is at risk and who makes up the numbers; planted groups, and the real bands file."""

from __future__ import annotations

import csv
import gzip
import math
from itertools import product

import jupytext
import pytest
from scipy.stats import binom

from attendance_toolkit.deepdives._others import others_rows
from attendance_toolkit.deepdives.severe_absence import SevereAbsence
from attendance_toolkit.deepdives.severe_crossings import HEAT_PAIRS, HEAT_TRIPLES
from attendance_toolkit.deepdives.severe_groups import NUMBERS, RISK
from attendance_toolkit.presentation.blocks import Notice, Result
from tests.notebooks.store_outputs import FOLDER
from tests.unit.deepdives.severe_tables import CROSSED, Given, crossed, groups, inputs

FSM, SEN = ("FSM eligible", "Not known to be FSM eligible"), ("Any SEN", "No SEN")
SEX, BANDS = ("Female", "Male"), ("Years 7 to 9", "Years 10 and 11")


def strata(special=None):
    """Sixteen groups of 1,000 with 20 severe absentees each, but for those given; totals added up."""
    found = dict.fromkeys(
        (tuple(zip(CROSSED, levels, strict=True)) for levels in product(FSM, SEN, SEX, BANDS)), (20, 1000)
    )
    for levels, figure in (special or {}).items():
        found[tuple(zip(CROSSED, levels, strict=True))] = figure
    shown = [figure for figure in found.values() if not isinstance(figure, str)]
    return found | {(): (sum(y for y, _ in shown), sum(n for _, n in shown))}


def page(figures):
    total = figures[()]
    return SevereAbsence(
        inputs(), Given(crossed=crossed(figures), groups=groups({("All schools", "All", "All"): total}))
    )


RARE = ("FSM eligible", "Any SEN", "Female", "Years 10 and 11")
MANY = ("Not known to be FSM eligible", "No SEN", "Male", "Years 7 to 9")


def test_a_planted_rare_group_at_risk_and_a_planted_large_one_are_found_and_told_apart():
    made = page(strata({RARE: (30, 100), MANY: (300, 15000)}))
    rows = {(row.section, row.header): row for row in made.risk_and_numbers().rows}
    assert (RISK, "Girls, Years 10 and 11, FSM, any SEN") in rows
    assert (NUMBERS, "Boys, Years 7 to 9, no FSM, no SEN") in rows
    assert (RISK, "Boys, Years 7 to 9, no FSM, no SEN") not in rows
    # The large group comes first of those that make up the numbers: 300 of 610.
    first = next(row for row in made.risk_and_numbers().rows if row.section == NUMBERS)
    assert first.header == "Boys, Years 7 to 9, no FSM, no SEN"
    assert first.cells[-1].value == pytest.approx(100 * 300 / 610)


def test_no_group_is_at_risk_where_all_have_one_rate():
    made = page(strata())
    assert RISK not in {row.section for row in made.risk_and_numbers().rows}
    assert "none have a rate clearly above" in made.stratum_sentences().sentences[0]
    assert "none have one clearly below it" in made.stratum_sentences().sentences[0]


def test_p_value_is_exact_binomial_and_adjusted_over_the_groups():
    made = page(strata({RARE: (30, 1000)}))
    beside = made._beside
    label = "Girls, Years 10 and 11, FSM, any SEN"
    rate = (15 * 20 + 30) / 16000
    # Two-sided by the point probability: every count no more likely than the one seen.
    seen = binom.pmf(30, 1000, rate)
    oracle = sum(p for p in binom.pmf(range(1001), 1000, rate) if p <= seen * (1 + 1e-7))
    assert beside(stratum=label, measure="p_value")["rate"] == pytest.approx(oracle, rel=1e-6)
    assert beside(stratum=label, measure="p_value_adjusted")["rate"] == pytest.approx(min(16 * oracle, 1), rel=1e-6)


def test_hidden_and_small_groups_are_counted_and_not_listed():
    small = ("FSM eligible", "Any SEN", "Male", "Years 10 and 11")
    made = page(strata({RARE: "c", small: (3, 8)}))
    found = made.stratum_table()
    headers = [row.header for row in found.rows]
    assert "Girls, Years 10 and 11, FSM, any SEN" not in headers
    assert "Boys, Years 10 and 11, FSM, any SEN" not in headers
    assert len(headers) == 14
    assert found.notes[0].startswith("1 of 16 groups is not listed, with figures hidden")
    assert found.notes[1] == "A group of fewer than 10 enrolments is not listed."


def test_groups_not_known_are_a_line_of_their_own():
    unknown = ("Unknown", "Unknown", "Female", "Years 7 to 9")
    made = page(strata({unknown: (60, 120)}))
    last = made.risk_and_numbers().rows[-1]
    assert last.header == "Free school meals, SEN, sex or year group not known"
    assert [cell.shown for cell in last.cells[:3]] == ["120", "60", "50.0"]
    assert all("not known" not in row.header for row in made.risk_and_numbers().rows[:-1])


def pair(figures):
    first, second = HEAT_PAIRS[0]
    cells = {((first, a), (second, b)): figure for (a, b), figure in figures.items()}
    ends = {((first, a),): (20, 200) for a in FSM} | {((second, b),): (20, 200) for b in SEN}
    return page({(): (40, 400), **ends, **cells})


def test_a_pair_has_all_pupils_at_its_ends_and_hidden_cells_alike():
    shown = dict.fromkeys(product(FSM, SEN), (10, 100))
    made = pair(shown | {(FSM[0], SEN[0]): "c"}).pair_heat(*HEAT_PAIRS[0])
    assert [row.header for row in made.rows][-1] == "All pupils"
    assert made.columns[-1].label == "All pupils"
    assert made.rows[0].cells[0].shown == "c"
    assert made.rows[0].cells[0].shade is None
    assert any("says nothing" in note for note in made.notes)


def test_a_pair_with_every_figure_hidden_is_named_in_the_notice():
    made = pair(dict.fromkeys(product(FSM, SEN), "c"))
    assert isinstance(made.pair_heat(*HEAT_PAIRS[0]), Result)
    notice = made.crossings_notice()
    assert isinstance(notice, Notice)
    assert "every figure is hidden to protect small numbers: free school meals and SEN." in notice.text


def test_without_any_crossings_nothing_is_said_to_be_too_small():
    made = SevereAbsence(inputs(), Given())
    assert isinstance(made.crossings_notice(), Result)
    assert "Give DfE's absence bands file" in made.missing_notice().text
    assert made.results() == Result(())


def test_a_figure_of_fewer_than_10_enrolments_has_no_number():
    made = pair(dict.fromkeys(product(FSM, SEN), (10, 100)) | {(FSM[0], SEN[0]): (4, 9)}).pair_heat(*HEAT_PAIRS[0])
    assert made.rows[0].cells[0].shown == "u"
    assert made.rows[0].cells[0].value is None


def test_upset_title_claims_a_range_only_where_intervals_lie_apart():
    triple = ("fsm_eligible", "sen_provision", "sex")

    def title(figure):
        figures = {tuple(zip(triple, levels, strict=True)): (20, 1000) for levels in product(FSM, SEN, SEX)}
        figures[tuple(zip(triple, (FSM[0], SEN[0], "Female"), strict=True))] = figure
        return page({(): (200, 8000), **figures}).upset_figure().title

    assert title((120, 1000)).endswith("to 12.0% (girls, free school meals, SEN)")
    assert title((22, 1000)) == "Severe absence by free school meals, SEN and sex"


def test_the_notebook_shows_the_crossings_the_notice_knows():
    text = jupytext.read(FOLDER / "03_severe_absence_intersectional.py")
    code = "\n".join(cell.source for cell in text.cells)
    for names in HEAT_PAIRS:
        assert f'page.pair_heat("{names[0]}", "{names[1]}")' in code
    for names in HEAT_TRIPLES:
        assert 'page.triple_table("{}", "{}", "{}")'.format(*names) in code
    assert code.count("page.pair_heat(") == len(HEAT_PAIRS)
    assert code.count("page.triple_table(") == len(HEAT_TRIPLES)


# -- the real bands file ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bands(shared):
    return shared / "data" / "real" / "absence_bands_la_year_group"


def test_real_crossings_of_trafford_equal_sums_of_the_file(bands):
    """The oracle reads the file with the csv module and adds up in a loop: girls with FSM and any SEN, Trafford 2022/23."""
    import attendance_toolkit as at

    sums = {"girls": [0, 0], "rest": [0, 0], "all": [0, 0]}
    with gzip.open(bands / "absence_bands_distributions.csv.gz", "rt", encoding="utf-8-sig", newline="") as handle:
        for row in csv.reader(handle):
            if row[2] != "Local authority" or row[1] != "202223" or row[8].strip() != "E08000009":
                continue
            counts = [int(float(value)) for value in row[15:26]]
            is_it = row[11:14] == ["Eligible", "Any special educational need", "Female"]
            for name in ("all", "girls" if is_it else "rest"):
                sums[name][0] += counts[10]
                sums[name][1] += sum(counts)
    made = SevereAbsence(at.open_inputs(area="Trafford", academic_year="2022/23", published=[str(bands)]))
    found = made.crossing(fsm_eligible="FSM eligible", sen_provision="Any SEN", sex="Female")
    assert [found["numerator"], found["denominator"]] == sums["girls"]
    total = made.crossing()
    assert [total["numerator"], total["denominator"]] == sums["all"]
    (y1, n1), (y0, n0) = sums["girls"], sums["rest"]
    ratio = next(row for row in others_rows(found, total) if row["measure"] == "risk_ratio")
    error = math.sqrt(1 / y1 - 1 / n1 + 1 / y0 - 1 / n0)
    assert ratio["rate"] == pytest.approx((y1 / n1) / (y0 / n0))
    assert ratio["upper"] == pytest.approx((y1 / n1) / (y0 / n0) * math.exp(1.959964 * error), rel=1e-6)


def test_real_page_of_greater_manchester_has_the_known_figures(bands):
    import attendance_toolkit as at

    made = SevereAbsence(at.open_inputs(area="Greater Manchester", academic_year="2022/23", published=[str(bands)]))
    total = made.everybody("All schools")
    assert total["numerator"] == 8166
    assert round(100 * total["rate"], 2) == 1.94
    assert made.everybody("Primary")["numerator"] == 1550
    shares = sum(
        made.beside_others("Primary and secondary", "nc_year", str(n))["share_of_absentees"]["rate"]
        for n in range(1, 12)
    )
    assert shares == pytest.approx(1)
