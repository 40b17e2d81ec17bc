"""The forecast of intakes: against the model and the cohort themselves, and against what came of simulated pupils."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from attendance_toolkit.deepdives import _step_models
from attendance_toolkit.deepdives._step_models import LEAST_SCHOOLS, capacity_of, fitted_steps
from attendance_toolkit.deepdives._step_rows import FEW
from attendance_toolkit.deepdives.transition_forecast import SURE, TransitionForecast
from attendance_toolkit.deepdives.transition_forecast_data import ABSENCE, DIP, HIGHEST, LARGEST
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.models.transition.proof import Proof
from attendance_toolkit.presentation.blocks import MIME, Figure, Findings, Notice, Result, Table
from attendance_toolkit.vocabulary.areas import area_of_laestab
from attendance_toolkit.vocabulary.steps import DESTINATION_SOURCES, NOT_KNOWN, OFFERED, ON_ROLL
from tests.unit.deepdives.severe_tables import Given, table
from tests.unit.deepdives.step_page import cohorts, inputs_of, july, page_of

Z95, Z90 = 1.959963984540054, 1.6448536269514722


@pytest.fixture(scope="module")
def found():
    return cohorts()


@pytest.fixture(scope="module")
def known(found):
    """Return the cohorts as they are in July: nothing of the last one's later year is there."""
    return (*found[:-1], july(found[-1]))


@pytest.fixture(scope="module")
def page(known):
    return page_of(known)


def blocks(page):
    return [
        page.forecast_notice(), page.destination_sentences(), page.forecast_sentences(), page.forecast_table(),
        page.dip_table(), page.forecast_figure(), page.dip_figure(), page.tracked_sentences(),
    ]  # fmt: skip


def given(figures, *, chances=True, whole=(0.08, 0.01), about="autumn spring summer"):
    """Return a page of schools with these (absence, dip, chance of highest, chance of largest dip); None: hidden."""
    base = {"area_code": "E08000009", "academic_year": 202425, "nc_year": "7", "destination": "All", "about": ""}
    rows = [_row(base, "pupils", 900.0, about=about)]
    rows += [_row(base, "pupils", 0.0, destination=one) for one in (OFFERED, NOT_KNOWN)]
    rows += _figures(base, "", whole)
    for number, one in enumerate(figures):
        laestab = str(3584000 + number)
        rows.append(_row(base, "pupils", None if one is None else 100.0, laestab=laestab))
        rows += _figures(base, laestab, one)
        if chances:
            ends = (None, None) if one is None else one[2:]
            rows += [
                _row(base, measure, value, laestab=laestab)
                for measure, value in zip((HIGHEST, LARGEST), ends, strict=True)
            ]
    return TransitionForecast(inputs_of(cohorts(600, 10)), Given(forecast=table(rows)))


def _figures(base, laestab, one):
    absence, dip = (None, None) if one is None else one[:2]
    before = None if one is None else absence - dip
    for measure, value in ((ABSENCE, absence), (DIP, dip), ("absence_before", before)):
        ends = {} if value is None else {"lower": value - 0.02, "upper": value + 0.02}
        yield _row(base, measure, value, laestab=laestab, **ends)


def _row(base, measure, value, **more):
    numbers = {"rate": np.nan, "lower": np.nan, "upper": np.nan, "numerator": np.nan, "denominator": np.nan}
    shown = {} if value is None else {"rate": value, **({"numerator": value} if measure == "pupils" else {})}
    return {
        **base,
        "laestab": "",
        **numbers,
        "measure": measure,
        "symbol": "c" if value is None else "",
        **shown,
        **more,
    }


# -- figures ------------------------------------------------------------------------------------------


def test_figures_of_a_school_are_those_of_its_pupils(page, known):
    coming = known[-1]
    fitted = fitted_steps(page.inputs)
    predicted = fitted.model.predict(coming)
    laestab = int(page.forecast_schools()[3])
    there = coming.destination == laestab
    one = {name: page.expected(name, str(laestab)) for name in (ABSENCE, DIP, "absence_before", "expected_persistent")}
    before = coming.year_missed[there].sum() / coming.year_possible[there].sum()
    assert page.intake(str(laestab))["rate"] == there.sum()
    assert one["absence_before"]["rate"] == pytest.approx(before, abs=6e-4)
    assert one[ABSENCE]["rate"] == pytest.approx(predicted.rate[there].mean(), abs=6e-4)
    assert one[DIP]["rate"] == pytest.approx(predicted.rate[there].mean() - before, abs=6e-4)
    assert one["expected_persistent"]["rate"] == pytest.approx(predicted.persistent[there].mean(), abs=6e-3)
    # Pages have 95% intervals; the models' are of 90%.
    schools = fitted.schools()
    place = schools.laestab.tolist().index(laestab)
    half = (schools.upper[place] - schools.absence[place]) * Z95 / Z90
    assert one[ABSENCE]["upper"] - one[ABSENCE]["rate"] == pytest.approx(half, abs=1.2e-3)


def test_schools_and_pupils_without_a_school_add_up_to_all(page, known):
    coming = known[-1]
    schools = sum(page.intake(one)["rate"] for one in page.forecast_schools())
    unknown = (coming.destination == 0).sum()
    assert unknown >= FEW
    assert page.intake()["rate"] == schools + unknown == len(coming.pupils)
    by_source = np.bincount(coming.destination_source, minlength=len(DESTINATION_SOURCES))
    assert [page.intake(source=one)["rate"] for one in DESTINATION_SOURCES] == by_source.tolist()


def test_what_came_of_simulated_intakes_lies_in_most_intervals(page, found):
    """The truth: sessions of the simulated year after the step, which the forecast has not seen."""
    later = found[-1].later
    inside, pairs = [], []
    for one in page.forecast_schools():
        there = later.laestab == int(one)
        rate = later.missed[there].sum() / later.possible[there].sum()
        record = page.expected(ABSENCE, one)
        inside.append(record["lower"] <= rate <= record["upper"])
        pairs.append((record["rate"], rate, page.expected("absence_before", one)["rate"]))
    expected, came, before = np.array(pairs).T
    assert len(inside) >= 40
    assert np.mean(inside) >= 0.87  # 95%, less three standard errors
    # The pupils of a school are forecast better than by their own year before.
    assert np.sqrt(((came - expected) ** 2).mean()) < np.sqrt(((came - before) ** 2).mean())


def test_nothing_after_july_enters_the_forecast(page, found):
    """The same rows come of a cohort whose later year is there, and of one with nonsense in its place."""
    later = found[-1].later
    nonsense = replace(later, missed=later.possible, period_missed=later.period_possible)
    rows = [
        page_of((*found[:-1], replace(found[-1], later=one)), name=("simulated", "nonsense")[number])
        .exact("forecast")
        .rows
        for number, one in enumerate((later, nonsense))
    ]
    own = page.exact("forecast").rows
    for other in rows:
        assert own.equals(other)


def test_a_district_has_the_pupils_who_come_to_its_schools(known):
    page = page_of(known, area="Irwell Bank")
    coming = known[-1]
    code = page.area.code
    own = {one for one in np.unique(coming.destination) if one and area_of_laestab(int(one)).code == code}
    assert {int(one) for one in page.forecast_schools()} == own
    to_here = np.isin(coming.destination, sorted(own))
    elsewhere_before = to_here & ~coming.in_area((code,))
    assert elsewhere_before.any()  # pupils of other districts are in a school's intake
    unknown = (coming.destination == 0) & coming.in_area((code,))
    kept = int(unknown.sum()) if unknown.sum() >= FEW else 0
    assert page.intake()["rate"] == to_here.sum() + kept


def test_a_few_pupils_without_a_school_hide_no_school(known):
    coming = known[-1]
    code = coming.la_codes[8]
    here = np.flatnonzero((coming.destination == 0) & coming.in_area((code,)))
    kept = np.ones(len(coming.pupils), bool)
    kept[here[3:]] = False  # three are left
    page = page_of((*known[:-1], coming.chosen(kept)), area=code, audience="partner")
    assert all(page.intake(one)["symbol"] == "" for one in page.forecast_schools())
    assert (
        "A few pupils of whom no later school is known are in no figure here." in page.destination_sentences().sentences
    )


def test_a_few_known_by_offers_alone_are_not_told_apart(known):
    source = known[-1].destination_source.copy()
    source[np.flatnonzero(source == DESTINATION_SOURCES.index(ON_ROLL))[:4]] = DESTINATION_SOURCES.index(OFFERED)
    page = page_of((*known[:-1], replace(known[-1], destination_source=source)), audience="partner")
    assert page.intake(source=ON_ROLL) is page.intake(source=OFFERED) is None
    assert page.intake(source=NOT_KNOWN)["symbol"] == ""
    said = page.destination_sentences().sentences[0]
    assert "all of them" not in said
    assert "of whom no later school is known" in said


# -- words --------------------------------------------------------------------------------------------


def test_schools_are_named_only_where_the_chance_is_high():
    figures = [(0.07, 0.01, 0.30, 0.20)] * LEAST_SCHOOLS
    figures[2] = (0.13, 0.01, SURE, 0.20)
    figures[5] = (0.12, 0.04, SURE - 0.01, 0.95)
    highest, largest = given(figures).forecast_sentences().sentences[-2:]
    assert "LAESTAB 3584002" in highest
    assert "LAESTAB 3584005" not in highest
    assert "LAESTAB 3584005" in largest
    nobody = given([(0.07, 0.01, 0.30, 0.20)] * LEAST_SCHOOLS).forecast_sentences().sentences
    assert all("no school stands out" in one for one in nobody[-2:])


def test_of_few_schools_no_chance_is_told():
    page = given([(0.07, 0.01)] * (LEAST_SCHOOLS - 1), chances=False)
    assert f"fewer than {LEAST_SCHOOLS} schools" in page.forecast_sentences().sentences[-1]
    assert [column.label for column in page.dip_table().columns] == [
        "School", "Pupils expected", "Change expected", "95% interval",
    ]  # fmt: skip


def test_few_schools_have_no_chance_in_the_exact_table(known):
    page = page_of(known, area="Irwell Bank")
    assert len(page.forecast_schools()) < LEAST_SCHOOLS
    assert not set(page.exact("forecast").rows["measure"]) & {HIGHEST, LARGEST}


def test_a_rise_is_told_only_where_it_is_clear():
    rise = given([(0.08, 0.03)], chances=False, whole=(0.08, 0.03)).forecast_sentences().sentences[0]
    assert "a rise of 3.0 percentage points is expected (95% interval 1.0 to 5.0)" in rise
    open_ = given([(0.08, 0.01)], chances=False).forecast_sentences().sentences[0]
    assert "it is not clear whether it will rise or fall" in open_


def test_hidden_schools_stay_hidden_and_are_in_no_sentence():
    figures = [(0.07, 0.01, 0.30, 0.20)] * LEAST_SCHOOLS + [None]
    page = given(figures)
    row = next(row for row in page.forecast_table().rows if "3584011" in row.header)
    assert {cell.symbol for cell in row.cells} <= {"c", "x"}
    assert "of 11 schools" in page.forecast_sentences().sentences[-1]


def test_schools_stand_by_name_never_by_rank():
    figures = [(0.05 + 0.01 * ((7 * number) % 11), 0.01, 0.3, 0.2) for number in range(LEAST_SCHOOLS)]
    page = given(figures)
    names = [row.header for row in page.forecast_table().rows[1:]]
    assert names == sorted(names)
    assert [row.header for row in page.forecast_figure().data.rows] == names
    assert len({row.cells[0].text for row in page.forecast_figure().data.rows}) > 1


def test_terms_that_are_not_used_are_named():
    text = given([(0.07, 0.01)], chances=False, about="autumn spring").forecast_notice().text
    assert "sessions of the autumn term and the spring term in Year 6" in text
    assert "The sessions of the summer term are not used" in text
    assert "not used" not in given([(0.07, 0.01)], chances=False).forecast_notice().text


# -- when there is none -------------------------------------------------------------------------------


def test_one_cohort_alone_makes_no_forecast_and_the_page_says_why(known):
    page = page_of(known[1:])
    for name in ("forecast", "proof", "learnt"):
        with pytest.raises(NoDataError, match="not fitted to") as error:
            page.exact(name)
        assert not re.search(r"\d", str(error.value))
    assert all(isinstance(block, Notice | Result) for block in blocks(page))


def test_a_model_that_is_no_better_is_not_used(known, monkeypatch):
    monkeypatch.setattr(Proof, "beats", lambda self, model: False)
    page = page_of(known)
    with pytest.raises(NoDataError, match="not shown to predict better") as error:
        page.exact("forecast")
    assert not re.search(r"\d", str(error.value))
    assert all(isinstance(block, Notice | Result) for block in blocks(page))
    said = " ".join(page.verdict_sentences().sentences)
    assert "It is used" not in said
    assert "list pupils by the rule: those who missed 10% or more of their sessions in Year 6" in said


def test_models_are_fitted_once_for_all_areas_of_a_store(known, monkeypatch):
    fitted = []
    real = _step_models.fit_step
    monkeypatch.setattr(_step_models, "fit_step", lambda *args, **more: fitted.append(1) or real(*args, **more))
    first, second = (page_of(known, area=one, name="once") for one in ("Irwell Bank", "Aldermoor"))
    assert fitted_steps(first.inputs).model is fitted_steps(second.inputs).model
    assert len(fitted) == 2


# -- what has been found since ------------------------------------------------------------------------


def test_the_first_terms_are_held_against_what_the_forecast_leads_to(page, found):
    """In the simulated year the autumn's absence is the truth; what is expected of it comes of the year before."""
    later = found[-1].later
    autumn = [later.periods.index(one) for one in later.periods if one in ("1", "2", "1-2")]
    part = replace(
        later, is_whole=False, periods=tuple(later.periods[at] for at in autumn),
        period_possible=later.period_possible[:, autumn], period_missed=later.period_missed[:, autumn],
        possible=later.period_possible[:, autumn].sum(axis=1), missed=later.period_missed[:, autumn].sum(axis=1),
    )  # fmt: skip
    tracked = page_of((*found[:-1], replace(found[-1], later=part)))
    seen, expected = tracked.tracked_pair()
    assert seen["rate"] == pytest.approx(part.missed.sum() / part.possible.sum(), abs=1e-3)
    before = found[-2].chosen(found[-2].is_compared).later
    share = before.period_missed[:, autumn].sum() / before.period_possible[:, autumn].sum()
    share /= before.missed.sum() / before.possible.sum()
    assert expected["rate"] == pytest.approx(page.expected(ABSENCE)["rate"] * share, abs=2e-3)
    assert "the forecast leads to" in tracked.tracked_sentences().sentences[0]
    with pytest.raises(NoDataError, match="no sessions yet"):
        page.exact("tracked")


def test_capacity_is_a_tenth_and_not_a_handful():
    assert [capacity_of(size) for size in (4032, 300, 40)] == [403, 30, 20]


def test_every_block_is_there_and_can_be_carried(page):
    made = blocks(page)
    kinds = [type(block) for block in made]
    assert kinds == [Notice, Findings, Findings, Table, Table, Notice, Notice, Result]  # too many schools to draw
    assert all(json.loads(json.dumps(block._repr_mimebundle_()[0][MIME])) for block in made)
    few = blocks(page_of(fitted_cohorts(page), area="Irwell Bank"))
    assert [type(block) for block in few[5:7]] == [Figure, Figure]


def fitted_cohorts(page):
    return page.inputs.steps("6")
