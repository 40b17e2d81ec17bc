"""MAIHDA and additive interaction on the page: planted figures, hidden ones, and words that say no more than they do."""

from __future__ import annotations

import csv
import gzip
import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import binom, false_discovery_control, norm

from attendance_toolkit.deepdives._contrasts import P_NOTE, pooled, statistic_row
from attendance_toolkit.deepdives.severe_data import CROSSED
from attendance_toolkit.deepdives.severe_strata import stratum_words
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.presentation.blocks import Figure, Notice, Result
from attendance_toolkit.presentation.formats import interval_cell
from attendance_toolkit.vocabulary import ledger
from attendance_toolkit.vocabulary.statistics import LEAST_P_VALUE
from tests.unit.deepdives.hand_made_severe import crossed_row, frame, model_row, page, row, unexplained

LEVELS = {
    "fsm_eligible": ("Not known to be FSM eligible", "FSM eligible"),
    "sen_provision": ("No SEN", "Any SEN"),
    "sex": ("Male", "Female"),
    "nc_year_band": ("Up to Year 2", "Years 3 to 6", "Years 7 to 9", "Years 10 and 11"),
}
INTERCEPT, SD = -5.0, 0.3
EFFECTS = {
    "FSM eligible": 1.2, "Any SEN": 1.4, "Female": 0.1, "Years 3 to 6": 0.2, "Years 7 to 9": 1.1, "Years 10 and 11": 1.6,
}  # fmt: skip
ODD = ("FSM eligible", "No SEN", "Female", "Years 10 and 11")


def strata():
    for levels in itertools.product(*(LEVELS[name] for name in CROSSED)):
        yield dict(zip(CROSSED, levels, strict=True))


def linear(levels):
    return INTERCEPT + sum(EFFECTS.get(level, 0.0) for level in levels.values())


def model(**changed):
    """Return rows of both models as a release gives them; ``changed`` puts other rates in, or a symbol."""
    rows = [
        model_row("maihda_intercept", INTERCEPT),
        model_row("maihda_sd", SD, 0.2, 0.4),
        *(
            model_row("maihda_coefficient", EFFECTS.get(level, 0.0), name=name, level=level)
            for name, levels in LEVELS.items()
            for level in levels
        ),
        model_row("pcv", 0.96, 0.93, 0.98),
        model_row("variance_p_value", 0.001),
        model_row("vpc_latent", 0.30, 0.20, 0.45, model="null"),
        model_row("vpc_response", 0.08, model="null"),
        model_row("median_odds_ratio", 3.1, 2.4, 4.4, model="null"),
        model_row("variance_p_value", 0.001, model="null"),
        model_row("auc_strata", 0.82, model="null"),
        model_row("auc_next_year", 0.80, model="null"),
    ]
    for found in rows:
        value = changed.get(f"{found['model']}:{found['measure']}", changed.get(found["level"]))
        if isinstance(value, str):
            found |= {"symbol": value, "rate": math.nan, "lower": math.nan, "upper": math.nan}
        elif value is not None:
            found["rate"] = value
    return frame(rows)


def crossed(*, planted=0.0, trials=3000, hidden=(), few=()):
    """Return the strata with the counts that main effects alone give, but for one planted beyond them."""
    rows = [crossed_row(960, 48000)]
    for levels in strata():
        key = tuple(levels.values())
        count = 8 if key in few else trials
        logit = linear(levels) + (planted if key == ODD else 0.0)
        rows.append(crossed_row(round(count * expit(logit)), count, "c" if key in hidden else "", **levels))
    return frame(rows)


@pytest.fixture
def noting(monkeypatch):
    monkeypatch.setenv(ledger.OUTPUT_VARIABLE, "page")
    yield
    ledger.drain()


def test_stratum_estimates_equal_an_integral_of_the_posterior():
    # The oracle: scipy's quad over the likelihood times the normal density, stratum by stratum, with the parameters taken
    # as known. The page averages over their uncertainty, which moves a mean a little and widens the intervals.
    table = page(crossed=crossed(planted=0.6), model=model()).strata_estimates
    counts = crossed(planted=0.6)
    for levels in list(strata())[::5]:
        label = stratum_words(levels)
        got = table.select(stratum=label).rows.set_index("measure")["rate"]
        chosen = counts[(counts[list(CROSSED)] == list(levels.values())).all(axis=1)].iloc[0]
        y, n, eta = chosen["numerator"], chosen["denominator"], linear(levels)

        def weight(u, y=y, n=n, eta=eta):
            return binom.pmf(y, n, expit(eta + u)) * norm.pdf(u, 0, SD)

        whole = quad(weight, -2, 2, limit=400)[0]
        rate = quad(lambda u, w=weight, e=eta: expit(e + u) * w(u), -2, 2, limit=400)[0] / whole
        effect = quad(lambda u, w=weight: u * w(u), -2, 2, limit=400)[0] / whole
        assert got["stratum_rate"] == pytest.approx(rate, abs=2e-4), label
        assert got["interaction_logit"] == pytest.approx(effect, abs=1e-2), label
        assert got["main_effects_rate"] == pytest.approx(expit(eta))
        assert got["interaction_effect"] == pytest.approx(got["stratum_rate"] - got["main_effects_rate"])


def test_p_values_are_adjusted_over_all_shown_strata():
    # The oracle: scipy's false_discovery_control of two-sided normal p values, one by one.
    rows = page(
        crossed=crossed(planted=0.6, hidden=[("FSM eligible", "Any SEN", "Male", "Years 3 to 6")]), model=model()
    )
    table = rows.strata_estimates.rows.pivot(index="stratum", columns="measure", values="rate").dropna(how="all")
    assert len(table) == 31
    raw = table["p_value"].to_numpy()
    expected = np.maximum(false_discovery_control(raw), LEAST_P_VALUE)
    # Values at the floor are not known exactly; the others must agree.
    above = raw > LEAST_P_VALUE
    assert above.sum() > 20
    assert table["p_value_adjusted"].to_numpy()[above] == pytest.approx(expected[above], rel=1e-6)


def test_a_planted_combination_is_named_and_no_other():
    table = page(crossed=crossed(planted=0.6), model=model()).interaction_table()
    assert [line.header for line in table.rows] == ["Girls, Years 10 and 11, FSM, no SEN"]
    assert table.rows[0].section == "More than the characteristics added up"
    assert table.rows[0].cells[4].value > 1


def test_a_planted_lack_is_named_as_less():
    table = page(crossed=crossed(planted=-0.9), model=model()).interaction_table()
    assert [(line.header, line.section) for line in table.rows] == [
        ("Girls, Years 10 and 11, FSM, no SEN", "Less than they added up")
    ]


def test_main_effects_alone_name_no_combination():
    block = page(crossed=crossed(), model=model()).interaction_table()
    assert isinstance(block, Notice)
    assert "None of the 32 groups tested" in block.text
    assert "not proof" in block.text


def test_no_variance_between_strata_leaves_nothing_beyond_main_effects():
    made = page(crossed=crossed(), model=model(**{"main effects:maihda_sd": 0.0}))
    rows = made.strata_estimates.rows
    assert (rows.loc[rows["measure"] == "p_value_adjusted", "rate"] > 0.05).all()
    # The interval of the standard deviation still reaches beyond 0, so that chance in a stratum is not wholly left out.
    assert rows.loc[rows["measure"] == "interaction_logit", "rate"].abs().max() < 0.1
    assert isinstance(made.interaction_table(), Notice)
    assert isinstance(made.stratum_figure(), Figure)


def test_a_hidden_stratum_is_nowhere_and_moves_nothing():
    hidden = ("FSM eligible", "Any SEN", "Female", "Years 10 and 11")  # the highest by main effects
    made = page(crossed=crossed(hidden=[hidden]), model=model())
    label = stratum_words(dict(zip(CROSSED, hidden, strict=True)))
    rows = made.strata_estimates.select(stratum=label).rows
    assert set(rows["symbol"]) == {"c"}
    assert rows[["rate", "lower", "upper"]].isna().all(axis=None)
    figure = made.stratum_figure()
    assert label not in [line.header for line in figure.data.rows]
    everywhere = page(crossed=crossed(), model=model()).stratum_figure()
    assert label == everywhere.data.rows[0].header


def test_a_hidden_coefficient_hides_every_stratum_it_is_part_of():
    rows = page(crossed=crossed(), model=model(**{"Any SEN": "c"})).strata_estimates.rows
    assert set(rows.loc[rows["sen_provision"] == "Any SEN", "symbol"]) == {"c"}
    assert set(rows.loc[rows["sen_provision"] == "No SEN", "symbol"]) == {""}


def test_a_hidden_standard_deviation_hides_all_estimates_and_the_page_says_so():
    made = page(crossed=crossed(), model=model(**{"main effects:maihda_sd": "c"}))
    assert set(made.strata_estimates.rows["symbol"]) == {"c"}
    for block in (made.stratum_figure(), made.interaction_table()):
        assert isinstance(block, Notice)
        assert "hidden" in block.text


def test_strata_of_fewer_than_ten_enrolments_are_not_drawn():
    few = ("FSM eligible", "Any SEN", "Female", "Years 10 and 11")
    made = page(crossed=crossed(few=[few]), model=model())
    label = stratum_words(dict(zip(CROSSED, few, strict=True)))
    assert made.strata_estimates.select(stratum=label, measure="stratum_rate").rows["symbol"].tolist() == [""]
    assert label not in [line.header for line in made.stratum_figure().data.rows]


@pytest.mark.parametrize(
    ("changed", "says", "not_says"),
    [
        ({}, "hardly any special effect", "no evidence"),
        ({"main effects:pcv": 0.7}, "most of what differs", "hardly"),
        ({"main effects:pcv": 0.2}, "more than half of what differs", "hardly"),
        ({"main effects:pcv": -0.1}, "explain none of the variance", "hardly"),
        ({"main effects:variance_p_value": 0.063}, "no evidence that combinations", "more than chance"),
        ({"null:variance_p_value": 0.4}, "no evidence that the crossed groups differ", None),
        ({"null:auc_next_year": "c"}, "AUC of 0.82", "0.80"),
    ],
)
def test_words_follow_the_figures(changed, says, not_says):
    text = " ".join(page(crossed=crossed(), model=model(**changed)).maihda_sentences().sentences)
    assert says in text
    assert not_says is None or not_says not in text


def test_both_scales_of_the_variance_stand_side_by_side():
    made = page(crossed=crossed(), model=model())
    lines = {line.header: line.cells for line in made.maihda_summary().rows}
    latent = next(cells for words, cells in lines.items() if "latent" in words)
    response = next(cells for words, cells in lines.items() if "chances themselves" in words)
    assert (latent[0].text, latent[1].text) == ("30.0", "20.0 to 45.0")
    assert response[0].text == "8.0"
    assert any("cautious" in sentence for sentence in made.maihda_sentences().sentences)


def test_without_a_model_the_page_says_so():
    made = page(crossed=crossed())
    assert isinstance(made.maihda_summary(), Notice)
    assert isinstance(made.maihda_sentences(), Result)
    assert isinstance(made.stratum_figure(), Notice)


# -- additive interaction -----------------------------------------------------------------------------

FOUR = {(0, 0): (44, 5530), (0, 1): (58, 1930), (1, 0): (73, 3360), (1, 1): (225, 1740)}
FSM, SEN, SEX = ("fsm_eligible", "sen_provision", "sex")


def pair_rows(four, first=FSM, second=SEN, **more):
    for (i, j), (events, trials) in four.items():
        yield crossed_row(events, trials, **{first: LEVELS[first][i], second: LEVELS[second][j]}, **more)


def interaction(made, pair="FSM and SEN", cohort="All year groups"):
    rows = made.additive_interactions.select(pair=pair, cohort=cohort).rows
    return rows.set_index(rows["measure"] + rows["exposure"].where(rows["exposure"] != "All", ""))


def test_interaction_equals_the_formulas_written_out():
    # The oracle: the formulas of Hosmer and Lemeshow (1992), written out with plain numbers.
    got = interaction(page(crossed=frame(pair_rows(FOUR))))
    p = {key: y / n for key, (y, n) in FOUR.items()}
    r = {key: value / p[0, 0] for key, value in p.items()}
    reri = r[1, 1] - r[1, 0] - r[0, 1] + 1
    v = {key: (1 - p[key]) / y for key, (y, n) in FOUR.items()}
    error = math.sqrt(
        r[1, 0] ** 2 * v[1, 0]
        + r[0, 1] ** 2 * v[0, 1]
        + r[1, 1] ** 2 * v[1, 1]
        + (r[1, 1] - r[1, 0] - r[0, 1]) ** 2 * v[0, 0]
    )
    assert got.loc["reri", "rate"] == pytest.approx(reri)
    assert got.loc["reri", "lower"] == pytest.approx(reri - 1.959964 * error, rel=1e-5)
    assert got.loc["attributable_proportion", "rate"] == pytest.approx(reri / r[1, 1])
    assert got.loc["synergy_index", "rate"] == pytest.approx((r[1, 1] - 1) / (r[1, 0] + r[0, 1] - 2))
    assert got.loc["interaction_contrast", "rate"] == pytest.approx(p[1, 1] - p[1, 0] - p[0, 1] + p[0, 0])
    odds = {key: y / (n - y) for key, (y, n) in FOUR.items()}
    ratio = odds[1, 1] * odds[0, 0] / (odds[1, 0] * odds[0, 1])
    assert got.loc["interaction_odds_ratio", "rate"] == pytest.approx(ratio)
    assert got.loc["severe_absence_rateFirst alone", "rate"] == pytest.approx(73 / 3360)
    assert got.loc["severe_absence_rateSecond alone", "rate"] == pytest.approx(58 / 1930)
    assert got.loc["severe_absence_rateBoth, if they added up", "rate"] == pytest.approx(p[1, 0] + p[0, 1] - p[0, 0])


def test_kinds_of_sen_are_added_up_where_there_is_no_row_of_any_sen():
    whole = interaction(page(crossed=frame(pair_rows(FOUR))))
    parts = []
    for i in (0, 1):
        events, trials = FOUR[i, 1]
        for kind, y, n in (("SEN support", events - 20, trials - 300), ("EHC plan", 20, 300)):
            parts.append(crossed_row(y, n, fsm_eligible=LEVELS[FSM][i], sen_provision=kind))
    without = {key: counts for key, counts in FOUR.items() if key[1] == 0}
    split = interaction(page(crossed=frame([*pair_rows(without), *parts])))
    assert split.loc["reri", "rate"] == pytest.approx(whole.loc["reri", "rate"])


def test_bands_of_secondary_year_groups_are_added_up():
    half = {key: (y // 2, n // 2) for key, (y, n) in FOUR.items()}
    rest = {key: (y - y // 2, n - n // 2) for key, (y, n) in FOUR.items()}
    rows = [*pair_rows(half, nc_year_band="Years 7 to 9"), *pair_rows(rest, nc_year_band="Years 10 and 11")]
    got = interaction(page(crossed=frame(rows)), cohort="Years 7 to 11")
    assert got.loc["interaction_contrast", "rate"] == pytest.approx(225 / 1740 - 73 / 3360 - 58 / 1930 + 44 / 5530)


def test_a_hidden_figure_hides_the_interaction_but_not_the_other_rates():
    rows = list(pair_rows(FOUR))
    rows[0] = crossed_row(0, 0, "c", fsm_eligible=LEVELS[FSM][0], sen_provision="No SEN")
    got = interaction(page(crossed=frame(rows)))
    assert got.loc["severe_absence_rateBoth", "symbol"] == ""
    hidden = [
        name
        for name in got.index
        if name not in {"severe_absence_rate" + e for e in ("Both", "First alone", "Second alone")}
    ]
    assert len(hidden) == 7
    assert set(got.loc[hidden, "symbol"]) == {"c"}


def test_synergy_is_not_given_where_the_characteristics_alone_add_nothing():
    four = {(0, 0): (100, 5000), (0, 1): (30, 1930), (1, 0): (50, 3360), (1, 1): (60, 1740)}
    assert interaction(page(crossed=frame(pair_rows(four)))).loc["synergy_index", "symbol"] == "z"


def test_odds_that_multiply_are_more_than_the_sum_and_the_page_explains_why():
    # Planted: no interaction at all on the logit scale; the additive one follows from that, and both must be said.
    n = 40000
    four = {(i, j): (round(n * expit(-4.5 + 1.2 * i + 1.3 * j)), n) for i in (0, 1) for j in (0, 1)}
    made = page(crossed=frame(pair_rows(four)))
    got = interaction(made)
    assert got.loc["interaction_contrast", "lower"] > 0
    assert got.loc["interaction_odds_ratio", "lower"] < 1 < got.loc["interaction_odds_ratio", "upper"]
    text = " ".join(made.additive_sentences().sentences)
    assert "more than the sum" in text
    assert "no evidence that the two do more or less than multiply the odds" in text
    assert "The two scales answer different questions" in text


def test_rates_that_add_up_are_not_called_more_than_the_sum():
    n = 20000
    four = {(0, 0): (200, n), (0, 1): (600, n), (1, 0): (700, n), (1, 1): (1100, n)}
    text = " ".join(page(crossed=frame(pair_rows(four))).additive_sentences().sentences)
    assert "not clear of chance" in text
    assert "Together they come to" not in text


def test_all_hidden_gives_a_notice_not_a_table_of_symbols():
    rows = [
        crossed_row(0, 0, "c", fsm_eligible=LEVELS[FSM][i], sen_provision=LEVELS[SEN][j])
        for i in (0, 1)
        for j in (0, 1)
    ]
    made = page(crossed=frame(rows))
    assert isinstance(made.additive_table(), Notice)
    assert isinstance(made.additive_sentences(), Result)


def test_an_end_that_would_print_as_no_difference_gets_a_decimal_more():
    gap = statistic_row("rate_gap", Estimate(0.0009, 0.0004, 0.0013))
    assert interval_cell(gap).text == "+0.04 to +0.13"
    assert interval_cell(statistic_row("risk_ratio", Estimate(2.0, 1.5, 2.7))).text == "1.50 to 2.70"


def test_pooling_keeps_empty_groups_and_hides_with_hidden_ones():
    full, empty, hidden = row(5, 50), row(0, 0), row(0, 0, "c")
    assert pooled([full, empty])["rate"] == pytest.approx(0.1)
    assert pooled([full, hidden])["symbol"] == "c"
    assert pooled([]) is None


def test_the_note_on_p_values_names_the_smallest_that_is_written():
    assert f" {LEAST_P_VALUE} stands for" in P_NOTE


@pytest.mark.parametrize("planted", [0.0, 0.6])
def test_the_gate_knows_every_number(noting, planted):
    rows = [*crossed(planted=planted).to_dict("records"), *pair_rows(FOUR)]
    made = page(crossed=frame(rows), model=model())
    blocks = (
        made.maihda_summary, made.maihda_sentences, made.interaction_table, made.additive_table, made.additive_sentences,
    )  # fmt: skip
    assert unexplained(made, blocks) == []


def test_a_number_from_nowhere_would_be_seen(noting):
    made = page(crossed=crossed(), model=model())

    def invented():
        from attendance_toolkit.presentation.blocks import Findings
        from attendance_toolkit.presentation.narrative import percent

        return Findings((f"It was {percent(0.123456)}.",))

    assert unexplained(made, (invented,))


# -- real figures -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(shared):
    """Return severe absentees and enrolments of Greater Manchester in 2022/23, added up with the csv module alone."""
    codes = {f"E080000{number:02d}" for number in range(1, 11)}
    found = defaultdict(lambda: [0, 0])
    path = shared / "data" / "real" / "absence_bands_la_year_group" / "absence_bands_distributions.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as handle:
        for line in csv.reader(handle):
            if line[1] == "202223" and line[8].strip() in codes:
                bands = [int(value) for value in line[15:26]]
                cell = found[tuple(line[11:15])]
                cell[0] += bands[-1]
                cell[1] += sum(bands)
    return found


def test_interaction_of_real_figures_equals_sums_of_the_file(real, shared):
    import attendance_toolkit as at

    inputs = at.open_inputs(
        area="Greater Manchester",
        academic_year="2022/23",
        published=[str(shared / "data" / "real" / "absence_bands_la_year_group")],
    )
    from tests.unit.deepdives.hand_made_severe import Page

    rows = Page(inputs).exact("crossed").rows
    got = interaction(page(area="Greater Manchester", crossed=rows), cohort="Years 7 to 11")
    sums = defaultdict(lambda: [0, 0])
    for (fsm, sen, _, year), (events, trials) in real.items():
        if year in ("7", "8", "9", "10", "11"):
            cell = sums[fsm, sen]
            cell[0] += events
            cell[1] += trials
    words = {
        0: ("Not Eligible", "No identified special educational need"),
        1: ("Eligible", "Any special educational need"),
    }
    p = {(i, j): sums[words[i][0], words[j][1]] for i in (0, 1) for j in (0, 1)}
    assert all(trials > 1000 for _, trials in p.values())
    rate = {key: events / trials for key, (events, trials) in p.items()}
    contrast = rate[1, 1] - rate[1, 0] - rate[0, 1] + rate[0, 0]
    assert got.loc["interaction_contrast", "rate"] == pytest.approx(contrast)
    assert got.loc["interaction_contrast", "rate"] == pytest.approx(0.031, abs=5e-4)
    assert got.loc["severe_absence_rateBoth", "numerator"] == p[1, 1][0]
