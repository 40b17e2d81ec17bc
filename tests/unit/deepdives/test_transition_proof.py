"""The proof of a step's models: scores against scikit-learn and plain counts, verdicts and flags against planted figures."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from attendance_toolkit.deepdives._step_models import fitted_steps
from attendance_toolkit.deepdives._step_proof_rows import FIFTHS, LEAST_LISTED
from attendance_toolkit.deepdives.transition_proof_data import PERSISTENT, RATE
from attendance_toolkit.disclosure.gate import check_csv, check_page, evidence_for
from attendance_toolkit.models.transition.proof import MODEL, TARGETING, Proof
from attendance_toolkit.presentation.blocks import MIME, Figure, Findings, Result, Table
from attendance_toolkit.reporting.exporter import collect_outputs
from tests.unit.deepdives.severe_tables import Given
from tests.unit.deepdives.step_page import Page, cohorts, inputs_of, july, page_of, rate_before
from tests.unit.disclosure.gate.pages import MARKDOWN, page_mode
from tests.unit.presentation.examples import code, make_head, notebook

RULE, CARRIED = "Year 6 rule", "Year 6 carried forward"


@pytest.fixture(scope="module")
def known():
    found = cohorts()
    return (*found[:-1], july(found[-1]))


@pytest.fixture(scope="module")
def page(known):
    return page_of(known)


@pytest.fixture(scope="module")
def tested(known):
    """Return the pupils tested: the last cohort whose step is over."""
    return known[-2].chosen(known[-2].is_compared)


def blocks(page):
    return [
        page.verdict_sentences(), page.error_table(), page.score_table(), page.calibration_figure(),
        page.coverage_sentences(), page.fairness_table(), page.fairness_sentences(), page.cost_sentences(),
        page.model_card(), page.effect_table(),
    ]  # fmt: skip


def persistent(cohort):
    return 10 * cohort.later.missed.astype(int) >= cohort.later.possible


# -- figures ------------------------------------------------------------------------------------------


def test_scores_of_the_year_before_are_those_of_scikit_learn_and_numpy(page, tested):
    before, after = rate_before(tested), tested.later.missed / tested.later.possible
    mae = page.tested("prediction_mae", model=CARRIED, outcome=RATE)
    rmse = page.tested("prediction_rmse", model=CARRIED, outcome=RATE)
    auc = page.tested("prediction_auc", model=RULE, outcome=PERSISTENT)
    assert mae["rate"] == pytest.approx(np.abs(after - before).mean(), abs=6e-5)
    assert rmse["rate"] == pytest.approx(np.sqrt(((after - before) ** 2).mean()), abs=6e-5)
    assert auc["rate"] == pytest.approx(roc_auc_score(persistent(tested), before), abs=6e-3)
    model = page.tested("prediction_rmse", model=MODEL, outcome=RATE)
    gain = page.gain("prediction_rmse", MODEL, everywhere=True)
    assert gain["rate"] == pytest.approx(rmse["rate"] - model["rate"], abs=1.1e-4)


def test_errors_are_cells_of_the_release_without_a_sign(page, tested):
    before, after = rate_before(tested), tested.later.missed / tested.later.possible
    row = next(row for row in page.error_table().rows if row.header == CARRIED)
    errors = (np.abs(after - before).mean(), np.sqrt(((after - before) ** 2).mean()))
    assert [cell.text for cell in row.cells[:2]] == [f"{100 * error:.2f}" for error in errors]
    assert all(cell.ref for cell in row.cells[:2])


def test_a_list_of_one_in_ten_holds_the_share_counted_by_hand(page, tested):
    places = round(0.1 * len(tested.pupils))
    assert places >= LEAST_LISTED
    first = np.argsort(-rate_before(tested), kind="stable")[:places]
    found = page.tested("precision_at_capacity", model=RULE, outcome=PERSISTENT)
    assert found["rate"] == pytest.approx(persistent(tested)[first].mean(), abs=8e-3)
    recall = page.tested("recall_at_capacity", model=RULE, outcome=PERSISTENT)
    assert recall["rate"] == pytest.approx(persistent(tested)[first].sum() / persistent(tested).sum(), abs=8e-3)


def test_groups_and_fifths_count_the_pupils_tested(page, tested):
    girls = tested.codes["sex"] == tested.levels["sex"].index("Female")
    found = page.tested(PERSISTENT, characteristic="sex", level="Female")
    assert (found["numerator"], found["denominator"]) == (persistent(tested)[girls].sum(), girls.sum())
    fifths = [page.tested(PERSISTENT, predicted=fifth) for fifth in FIFTHS]
    assert sum(one["denominator"] for one in fifths) == len(tested.pupils)
    assert sum(one["numerator"] for one in fifths) == persistent(tested).sum()
    rates = [one["rate"] for one in fifths]
    assert rates == sorted(rates)


def test_found_over_expected_is_counted_over_what_the_model_gave(page, tested):
    chance = fitted_steps(page.inputs).proof.model.predict(tested).persistent
    girls = tested.codes["sex"] == tested.levels["sex"].index("Female")
    ratio = page.tested("observed_over_expected", model=MODEL, outcome=PERSISTENT, characteristic="sex", level="Female")
    assert ratio["rate"] == pytest.approx(persistent(tested)[girls].sum() / chance[girls].sum(), abs=6e-3)


def test_pupils_learned_from_and_predictions_are_the_models(page, known):
    rows = page.learnt.rows
    pupils = rows[rows["measure"] == "pupils"].set_index("academic_year")["rate"].to_dict()
    assert pupils == {202223: known[0].is_compared.sum(), 202324: known[1].is_compared.sum()}
    model = fitted_steps(page.inputs).model
    learned = [cohort.chosen(cohort.is_compared) for cohort in known[:2]]

    def mean(change):
        found = [model.predict(change(cohort)) for cohort in learned]
        return (
            np.concatenate([one.rate for one in found]).mean(),
            np.concatenate([one.persistent for one in found]).mean(),
        )

    def with_sex(cohort, level):
        codes = np.full(len(cohort.pupils), cohort.levels["sex"].index(level), np.int8)
        return replace(cohort, codes={**cohort.codes, "sex": codes})

    table = {(row.section, row.header): row.cells for row in page.effect_table().rows}
    sections = list(dict.fromkeys(section for section, _ in table))
    for share in (0.10, 0.50):
        rate, persistent = mean(lambda cohort, of=share: replace(cohort, missed=cohort.possible * of))
        cells = table[sections[0], f"{share:.0%} of sessions missed"]
        assert cells[0].value == pytest.approx(100 * rate, abs=0.051)
        assert cells[2].value == pytest.approx(100 * persistent, abs=0.051)
    girls, boys = (mean(lambda cohort, of=sex: with_sex(cohort, of)) for sex in ("Female", "Male"))
    cells = table[sections[2], "Girls against boys"]
    assert cells[0].value == pytest.approx(100 * (girls[0] - boys[0]), abs=0.051)
    assert cells[2].text == f"{100 * (girls[1] - boys[1]):+.1f}".replace("-", "−")
    assert all(re.match(r"[+−]|0.0", row[0].text) for (section, _), row in table.items() if section == sections[2])


def test_a_district_is_told_nothing_of_short_lists_and_few_schools(known):
    rows = page_of(known, area="Irwell Bank").exact("proof").rows
    told = set(rows["measure"])
    assert not told & {"precision_at_capacity", "recall_at_capacity", "school_rank_correlation", "dip_rank_correlation"}
    assert set(rows.loc[rows["measure"] == "interval_coverage", "outcome"]) == {"Pupils"}
    assert {"prediction_rmse", "prediction_auc"} <= told


# -- verdict ------------------------------------------------------------------------------------------


def test_the_verdict_rests_on_all_districts_but_not_where_the_area_does_worse(known, monkeypatch):
    fitted = fitted_steps(inputs_of(known, area="Irwell Bank"))
    assert fitted.proof.pupils < fitted.everywhere.pupils
    assert fitted.uses(MODEL) == fitted.everywhere.beats(MODEL)
    own = fitted.proof.gains.assign(upper=-0.001)
    monkeypatch.setitem(fitted.proof.__dict__, "gains", own)
    assert not fitted.uses(MODEL)
    assert not fitted.uses(TARGETING)


def test_the_page_says_of_each_model_whether_it_is_used(page, known, monkeypatch):
    said = page.verdict_sentences().sentences
    assert sum("It is used." in one for one in said) == 2
    monkeypatch.setattr(Proof, "beats", lambda self, model: model == MODEL)
    other = page_of(known).verdict_sentences().sentences
    assert sum("It is used." in one for one in other) == 1
    assert "so it is not used" in next(one for one in other if "for lists of pupils" in one)
    assert "Of a list of one pupil in ten made by it when tested" in other[-1]


def _with(page, change):
    """Return the page with rows of its proof changed."""
    rows = page.proof.rows.copy()
    change(rows)
    table = type(page.proof)(rows, page.proof.rule, page.proof.source)
    return Page(page.inputs, Given(proof=table, learnt=page.learnt))


def test_groups_are_flagged_where_chance_does_not_explain_them(page):
    def plant(rows):
        is_ratio = rows["measure"] == "observed_over_expected"
        rows.loc[is_ratio, ["rate", "lower", "upper"]] = (1.02, 0.95, 1.10)
        girls = is_ratio & (rows["level"] == "Female")
        rows.loc[girls, ["rate", "lower", "upper"]] = (1.30, 1.15, 1.46)

    planted = _with(page, plant)
    flags = {row.header: row.cells[-1].text for row in planted.fairness_table().rows}
    assert flags["Girls"].startswith("Persistent: more than expected (1.30 times)")
    assert "ersistent" not in flags["Boys"]
    assert "clearly otherwise than all together: Girls (1.30 times)" in planted.fairness_sentences().sentences[0]


def test_hidden_scores_are_in_no_sentence(page):
    def hide(rows):
        numbers = ["numerator", "denominator", "rate", "lower", "upper"]
        rows.loc[rows["measure"] != "pupils", numbers] = np.nan
        rows.loc[rows["measure"] != "pupils", "symbol"] = "c"

    hidden = _with(page, hide)
    assert isinstance(hidden.cost_sentences(), Result)
    assert isinstance(hidden.calibration_figure(), Result)
    assert isinstance(hidden.coverage_sentences(), Result)
    cells = [cell for row in hidden.score_table().rows for cell in row.cells]
    assert {cell.symbol for cell in cells} <= {"c", "z"}


# -- the page -----------------------------------------------------------------------------------------


def test_every_block_is_there_and_can_be_carried(page):
    made = blocks(page)
    kinds = [Findings, Table, Table, Figure, Findings, Table, Findings, Findings, Table, Table]
    assert [type(block) for block in made] == kinds
    assert all(json.loads(json.dumps(block._repr_mimebundle_()[0][MIME])) for block in made)
    assert max(len(block.columns) for block in made if isinstance(block, Table)) <= 8


@pytest.mark.parametrize("area", ["Greater Weirdale", "Irwell Bank"])
def test_a_page_for_partners_passes_the_gate(known, area):
    plain = page_of(known, area=area, audience="partner")
    cleared = plain.cleared_of(*Page.declared())
    assert len(cleared) >= 3
    given = Page(plain.inputs, plain._tables)
    derived = given.derived()
    with page_mode():
        made = [
            *blocks(given), given.forecast_notice(), given.destination_sentences(), given.forecast_sentences(),
            given.forecast_table(), given.dip_table(), given.forecast_figure(), given.dip_figure(),
        ]  # fmt: skip
        shown = [block for block in made if not isinstance(block, Result)]
        outputs = collect_outputs(notebook(code(*shown), head=make_head()))
    words = (area, "Aldermoor", "E90000001", "attendance@example.org", "Numbers below 10 are hidden.")
    evidence = evidence_for(cleared, outputs, words=words, texts=MARKDOWN, derived=derived)
    assert [str(finding) for finding in check_page(outputs.html, evidence)] == []
    assert not [one for text in outputs.tables.values() for one in check_csv(text, evidence)]
    assert not re.search(r"\bnan\b", outputs.html)
