"""The trend of an area: counts against SQL, the model against statsmodels, published changes against published rates."""

from __future__ import annotations

import csv
import json
import math

import duckdb
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import attendance_toolkit as at
from attendance_toolkit.deepdives._change_words import course, verdict
from attendance_toolkit.deepdives.longitudinal_trend import LongitudinalTrend
from attendance_toolkit.deepdives.longitudinal_trend_data import SHOWN_PHASES, change_of, common_spans
from attendance_toolkit.disclosure.gate.explain import Explainer
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import MIME, Figure, Findings, Notice, Result, Table
from attendance_toolkit.vocabulary import ledger
from attendance_toolkit.vocabulary.calendar import HALF_TERM_TERMS

MEASURES = ("severe_absence_rate", "persistent_absence_rate", "overall_absence_rate")
PERSISTENT, SEVERE, OVERALL = MEASURES[1], MEASURES[0], MEASURES[2]
PLAIN = (
    "year_change_table", "year_sentences", "same_term_table", "same_term_sentences", "trend_table", "trend_sentences",
    "group_trend_table", "group_trend_sentences", "growth_table", "growth_sentences", "control_sentences",
)  # fmt: skip
YEARS = (202122, 202223, 202324)


def open_page(store, **more):
    return LongitudinalTrend(
        at.open_inputs(**{"area": "Irwell Bank", "academic_year": "2023/24", "store": str(store), **more})
    )


def open_published(shared, *folders, area="Trafford", academic_year="2022/23"):
    real = shared / "data" / "real"
    given = [str(real / folder) for folder in folders]
    return LongitudinalTrend(at.open_inputs(area=area, academic_year=academic_year, published=given))


@pytest.fixture(scope="module")
def page(synthetic_store):
    return open_page(synthetic_store)


@pytest.fixture(scope="module")
def internal(synthetic_store):
    return open_page(synthetic_store, audience="internal")


@pytest.fixture(scope="module")
def trafford(shared):
    return open_published(shared, "absence_bands_la_year_group")


@pytest.fixture(scope="module")
def attendance(shared):
    years = ("202223", "202324", "202425")
    files = [f"attendance_fortnightly/EES_{term}_data_{year}.csv" for term in ("aut", "spr", "sum") for year in years]
    return open_published(shared, *files, academic_year="2024/25")


@pytest.fixture(scope="module")
def counted_sql(synthetic_store):
    """Return SQL for the rows that count, one an enrolment and half term: DfE's rules in the words of this test."""
    path = f"{synthetic_store}/pupil_term/**/*.parquet"
    return f"""
        SELECT *, sessions_authorised + sessions_unauthorised AS absent
        FROM read_parquet('{path}', hive_partitioning = false)
        WHERE la_code = 'E08900009' AND academic_year BETWEEN 202122 AND 202324 AND age BETWEEN 5 AND 15
          AND NOT is_boarder AND sessions_possible > 0 AND sessions_authorised + sessions_unauthorised <= sessions_possible
          AND NOT (age = 15 AND half_term = '6')
        QUALIFY sum(CASE WHEN half_term <> '6' THEN sessions_possible ELSE 0 END)
                OVER (PARTITION BY upn, laestab, academic_year) > 0"""


def blocks(page):
    found = [getattr(page, name)() for name in PLAIN]
    for measure in MEASURES:
        found += [page.year_figure(measure), page.term_figure(measure)]
    return found + [page.control_figure(phase) for phase in SHOWN_PHASES]


def said_by(page):
    return [text for block in blocks(page) if isinstance(block, Findings) for text in block.sentences]


# -- every block ---------------------------------------------------------------------------------------


def test_every_block_is_made_from_pupil_level_data(internal):
    made = blocks(internal)
    assert not [block for block in made if isinstance(block, (Notice, Result))]
    assert all(json.loads(json.dumps(block._repr_mimebundle_()[0][MIME])) for block in made)
    shown = [block for block in made if isinstance(block, (Table, Figure))]
    ids = [block.id for block in shown]
    assert len(ids) == len(set(ids)) == 14
    assert all("synthetic" in block.source.lower() for block in shown)
    assert all(len(block.columns) <= 8 for block in made if isinstance(block, Table))


def test_published_files_give_years_and_say_what_else_is_needed(trafford):
    made = blocks(trafford)
    assert [block.title for block in made if isinstance(block, Notice)] == ["Not available"] * 2 + ["No control chart"]
    assert isinstance(trafford.year_figure(PERSISTENT), Figure)
    assert "pupil-level" in trafford.trend_table().text


@pytest.mark.parametrize("name", ["page", "attendance"])
def test_the_gate_can_explain_every_number(name, request, monkeypatch):
    page = request.getfixturevalue(name)
    rows = []
    for table in page.declared():
        try:
            rows += getattr(page, table).rows.to_dict("records")
        except NoDataError:
            continue
    explainer = Explainer(rows, page.derived())
    monkeypatch.setenv(ledger.OUTPUT_VARIABLE, "page")
    ledger.drain()
    blocks(page)
    figures = [(text, value) for text, value, kind in ledger.drain() if kind == ledger.FIGURE and value is not None]
    assert len(figures) > 50
    assert [figure for figure in figures if explainer.explain(figure[1]) is None] == []


# -- exact tables --------------------------------------------------------------------------------------


def test_half_terms_equal_sql_on_the_store(page, counted_sql):
    rows = page.exact("half_terms").rows
    found = duckdb.sql(f"""
        SELECT academic_year, phase, half_term, sum(absent), sum(sessions_possible) FROM
            (SELECT *, count(*) OVER (PARTITION BY laestab, academic_year, half_term) AS n FROM ({counted_sql}))
        WHERE n >= 6 AND phase IN ('Primary', 'Secondary', 'Special') GROUP BY ALL""").fetchall()
    expected = {
        (int(year), phase, span): (float(missed), float(possible)) for year, phase, span, missed, possible in found
    }
    single = rows[rows["phase"] != "All schools"]
    keys = zip(single["academic_year"], single["phase"], single["half_term"], strict=True)
    counts = zip(single["numerator"], single["denominator"], strict=True)
    assert dict(zip(keys, counts, strict=True)) == expected
    every = rows[(rows["phase"] == "All schools") & (rows["academic_year"] == 202324)]
    assert every["numerator"].sum() == sum(missed for (year, *_), (missed, _) in expected.items() if year == 202324)


def test_the_adjusted_trend_equals_statsmodels_on_flags_made_by_sql(internal, counted_sql):
    flags = duckdb.sql(f"""
        WITH e AS (SELECT upn, laestab, academic_year, term, any_value(phase) AS phase, sum(absent) AS a,
                          sum(sessions_possible) AS p FROM ({counted_sql}) GROUP BY ALL),
             k AS (SELECT *, count(*) OVER (PARTITION BY laestab, academic_year, term) AS n FROM e)
        SELECT upn, academic_year, term, arg_max(phase, p) AS phase, 10 * sum(a) >= sum(p) AS persistent
        FROM k WHERE n >= 6 GROUP BY ALL""").df()
    flags = flags[flags["phase"].isin(["Primary", "Secondary", "Special"])]
    year = flags["academic_year"].to_numpy() // 100 - 2021
    terms = [(flags["term"] == term).to_numpy() for term in ("spring", "summer")]
    design = np.column_stack([np.ones(len(flags)), year, *terms]).astype(float)
    model = sm.GLM(flags["persistent"].to_numpy().astype(float), design, family=sm.families.Binomial())
    fit = model.fit(cov_type="cluster", cov_kwds={"groups": pd.factorize(flags["upn"])[0], "use_correction": False})

    def mean_rate(**columns):
        changed = design.copy()
        for place, value in columns.items():
            changed[:, int(place[1:])] = value
        return fit.predict(changed).mean()

    change = (mean_rate(c1=2) - mean_rate(c1=0)) / 2
    spring = mean_rate(c2=1, c3=0) - (mean_rate(c2=0, c3=0) + mean_rate(c2=0, c3=1)) / 2
    assert internal.fitted("persistent_trend")["rate"] == pytest.approx(change, abs=1e-9)
    assert internal.fitted("persistent_term_effect", "Spring against other terms")["rate"] == pytest.approx(
        spring, abs=1e-9
    )
    naive = model.fit()
    widening = fit.bse[1] / naive.bse[1]
    assert internal.fitted("persistent_design_effect")["rate"] == pytest.approx(widening, abs=1e-6)


def test_a_trend_stands_beside_the_rate_the_other_tables_give(internal):
    rows = internal.trend.rows
    rates = rows[(rows["model"] == "") & rows["measure"].isin([PERSISTENT, SEVERE])]
    assert len(rates) == 2 * (4 + 2 * 7)
    for record in rates.to_dict("records"):
        same = internal.group(
            record["measure"], record["characteristic"], record["level"], record["academic_year"], record["phase"]
        )
        assert (same["numerator"], same["denominator"]) == (record["numerator"], record["denominator"])


def test_partners_get_one_decimal_of_a_trend_and_none_beside_hidden_counts(page, internal):
    rows = page.trend.rows
    shown = rows[(rows["model"] != "") & (rows["symbol"] == "") & ~rows["measure"].str.contains("design_effect")]
    assert len(shown) > 5
    assert np.allclose(shown["rate"] * 1000, np.round(shown["rate"] * 1000), atol=1e-9)
    fitted = rows[rows["model"] != ""]
    for stem, measure in (("persistent", PERSISTENT), ("severe", SEVERE)):
        for record in fitted[fitted["measure"].str.startswith(stem)].to_dict("records"):
            groups = (record["phase"], record["characteristic"], record["level"])
            is_hidden = page.fitted(measure, "", *groups)["symbol"] == "c"
            assert (record["symbol"] == "c") == is_hidden
            assert internal.fitted(measure, "", *groups)["symbol"] == ""
    assert set(fitted["symbol"]) >= {"", "c"}


# -- changes -------------------------------------------------------------------------------------------


def newcombe(first, of_first, second, of_second):
    """Return second less first with Newcombe's interval (1998, method 10), written out from the paper."""

    def wilson(events, trials):
        z, p = 1.959964, events / trials
        centre, half = p + z * z / (2 * trials), z * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials**2))
        return (centre - half) / (1 + z * z / trials), (centre + half) / (1 + z * z / trials)

    p, q = first / of_first, second / of_second
    (low_p, high_p), (low_q, high_q) = wilson(first, of_first), wilson(second, of_second)
    lower = q - p - math.sqrt((q - low_q) ** 2 + (high_p - p) ** 2)
    return q - p, lower, q - p + math.sqrt((high_q - q) ** 2 + (p - low_p) ** 2)


def test_changes_of_years_and_terms_are_newcombes_of_their_counts(internal):
    before, after = internal.own(PERSISTENT, 202223), internal.own(PERSISTENT, 202324)
    change = internal.year_change(internal.area.code, PERSISTENT, 202223, 202324)
    expected = newcombe(before["numerator"], before["denominator"], after["numerator"], after["denominator"])
    assert (change["rate"], change["lower"], change["upper"]) == pytest.approx(expected, abs=1e-6)
    before, after = (internal.of_term(PERSISTENT, year, "spring") for year in (202223, 202324))
    change = internal._same_term(PERSISTENT, "spring")
    expected = newcombe(before["numerator"], before["denominator"], after["numerator"], after["denominator"])
    assert (change["rate"], change["lower"], change["upper"]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("measure", "code"), [(m, c) for m in (PERSISTENT, SEVERE) for c in ("E08000009", "E92000001")]
)
def test_changes_from_the_bands_file_are_those_of_the_published_rates(trafford, measure, code):
    # The rates of DfE's LA time series have two decimals of a percent; the bands file has the counts.
    for since, year in ((201617, 201718), (201718, 201819), (202122, 202223)):
        before, after = (trafford.wider_figure(code, measure, one) for one in (since, year))
        change = trafford.year_change(code, measure, since, year)
        assert change["rate"] == pytest.approx(after["rate"] - before["rate"], abs=1.5e-4)
        assert change["lower"] < change["rate"] < change["upper"]


def test_the_last_year_is_held_against_the_first_with_counts_if_it_has_some_itself(trafford):
    assert trafford.first_year(PERSISTENT) == 201617
    assert trafford.first_year(OVERALL) == 201516


def test_no_year_is_held_against_201920(shared):
    page = open_published(shared, "lait_la_timeseries", academic_year="2024/25")
    rows = page.year_changes.rows
    touching = rows[(rows["academic_year"] == 201920) | (rows["since"] == 201920)]
    assert len(touching)
    assert set(touching["symbol"]) == {"z"}
    table = page.year_change_table()
    assert not [row.header for row in table.rows if "2019/20" in row.header]
    assert any("2019/20" in note for note in table.notes)


def test_england_2022_23_improved_in_persistent_and_deteriorated_in_severe_absence(trafford):
    # DfE, Pupil absence in schools in England 2022/23: persistent 22.5% to 21.2%, severe 1.7% to 2.0%.
    persistent, severe = (trafford.year_change("E92000001", one, 202122, 202223) for one in (PERSISTENT, SEVERE))
    assert round(persistent["rate"] * 100, 1) == -1.3
    assert verdict(persistent) == "Improving"
    assert round(severe["rate"] * 100, 1) == 0.4
    assert verdict(severe) == "Deteriorating"


def test_without_counts_there_is_no_verdict(trafford):
    change = trafford.year_change(trafford.area.code, OVERALL, 202122, 202223)
    assert change["symbol"] == ""
    assert math.isnan(change["lower"])
    row = next(
        r for r in trafford.year_change_table().rows if r.section == "Overall absence" and r.header.endswith("2022/23")
    )
    assert [cell.shown for cell in row.cells[:3]] == ["−0.55", "z", "z"]
    told = [text for text in trafford.year_sentences().sentences if text.startswith("Overall absence in Trafford")]
    assert told == [
        "Overall absence in Trafford was 5.87% in 2022/23, 0.55 percentage points lower than in 2021/22 (6.42%)."
    ]


def test_a_summer_with_last_years_figures_again_is_left_out(attendance, shared):
    def secondary(name):
        path = shared / "data" / "real" / "attendance_fortnightly" / name
        with path.open(encoding="utf-8-sig", newline="") as file:
            found = [
                row
                for row in csv.DictReader(file)
                if row["la_name"] == "Trafford" and row["school_type"] == "Secondary"
            ]
        assert len(found) == 1
        return found[0]["pa_perc"]

    assert secondary("EES_sum_data_202425.csv") == secondary("EES_sum_data_202324.csv")
    assert secondary("EES_sum_data_202324.csv") != secondary("EES_sum_data_202223.csv")
    assert attendance.repeated_terms == {(PERSISTENT, 202425, "summer")}
    assert attendance.of_term(PERSISTENT, 202425, "summer", "Primary") is None
    assert attendance.of_term(PERSISTENT, 202324, "summer", "Primary") is not None
    assert any("summer term 2024/25 is left out" in note for note in attendance.same_term_table().notes)
    told = [text for text in attendance.same_term_sentences().sentences if "persistent" in text]
    assert told
    assert not [text for text in told if "summer" in text]


def figure(rate, lower=None, upper=None, **more):
    return {"measure": PERSISTENT, "rate": rate, "lower": lower, "upper": upper, "symbol": "", **more}


def test_a_change_is_no_surer_than_its_less_certain_year():
    change = change_of(figure(0.2), figure(0.15, 0.14, 0.16))
    assert change["rate"] == pytest.approx(-0.05)
    assert math.isnan(change["lower"])
    assert verdict(change) == ""


def test_series_are_not_mixed_and_hidden_years_hide_the_change():
    census, attendance = figure(0.2, 0.19, 0.21, series="census"), figure(0.1, 0.09, 0.11, series="attendance")
    assert change_of(census, attendance)["symbol"] == "z"
    hidden = {**figure(None), "symbol": "c"}
    assert change_of(census, hidden)["symbol"] == "c"
    assert change_of(census, None)["symbol"] == "x"


# -- words ---------------------------------------------------------------------------------------------


def test_a_direction_is_said_only_where_the_interval_is_clear(trafford):
    rows = trafford.year_changes.select(area_code=trafford.area.code, about=[PERSISTENT, SEVERE], symbol="").rows
    rows = rows[rows["lower"].notna()]
    assert {verdict(record) for record in rows.to_dict("records")} == {"Improving", "Deteriorating", "Cannot tell"}
    for record in rows.to_dict("records"):
        is_clear = record["lower"] > 0 or record["upper"] < 0
        assert (verdict(record) != "Cannot tell") == is_clear
        assert ("did not clearly change" in course(record)) == (not is_clear)


def test_what_is_hidden_is_said_to_be_hidden(page):
    texts = said_by(page)
    assert any("in secondary schools it cannot be told, since figures are hidden" in text for text in texts)
    assert any(text.startswith("Whether severe absence in Irwell Bank changed cannot be told") for text in texts)
    rows = page.same_term_changes.select(about=PERSISTENT, phase="Secondary").rows
    assert set(rows["symbol"]) == {"c"}
    assert rows[["rate", "lower", "upper"]].isna().all(axis=None)


def test_the_written_definition_stands_below_the_verdicts(page):
    for table in (page.year_change_table(), page.same_term_table()):
        assert any("Improving: the 95% interval of the change lies wholly below 0" in note for note in table.notes)


# -- control charts ------------------------------------------------------------------------------------


def test_control_limits_are_those_of_the_half_terms_without_their_season(internal):
    points = internal.half_terms.select(phase="Secondary").rows
    wide = points.pivot(index="academic_year", columns="half_term", values="rate")
    values = (wide - wide.mean() + wide.stack().mean()).loc[list(YEARS), ["1-2", "3-4", "5", "6"]].to_numpy().ravel()
    table, chart, limits = internal.control_of("Secondary")
    assert table.rows["rate"].tolist() == pytest.approx(values.tolist(), abs=1e-12)
    half = 2.66 * np.abs(np.diff(values)).mean()
    assert limits["Mean"]["rate"] == pytest.approx(values.mean(), abs=1e-12)
    assert limits["Upper limit"]["rate"] == pytest.approx(values.mean() + half, abs=1e-12)
    assert limits["Lower limit"]["rate"] == pytest.approx(values.mean() - half, abs=1e-12)
    assert (np.abs(values - values.mean()) > half).tolist() == chart.signals["beyond limits"].tolist()


def test_two_years_of_half_terms_are_too_few_for_a_control_chart(synthetic_store):
    page = open_page(synthetic_store, academic_year="2022/23")
    made = page.control_figure("All schools")
    assert made.title == "No control chart"
    assert "12 points or more" in made.text
    assert "8 half terms" in made.text
    assert isinstance(page.control_figure("Primary"), Result)
    assert isinstance(page.control_sentences(), Result)
    # Two years are enough for a trend: it is the change between them.
    assert "from 2021/22 to 2022/23" in page.trend_sentences().sentences[0]


def test_one_year_says_that_there_is_nothing_to_compare(synthetic_store):
    page = open_page(synthetic_store, academic_year="2021/22")
    assert {type(page.year_change_table()), type(page.same_term_table()), type(page.trend_table())} == {Notice}
    assert "second academic year" in page.trend_table().text
    assert isinstance(page.year_sentences(), Result)
    assert isinstance(page.year_figure(PERSISTENT), Notice)
    assert isinstance(page.term_figure(PERSISTENT), Result)


@pytest.mark.parametrize(
    ("years", "expected"),
    [
        ({1: "1-2 3-4 5 6", 2: "1-2 3-4 5 6"}, ("1-2", "3-4", "5", "6")),
        ({1: "1 2 3-4 5 6", 2: "1-2 3-4 5-6"}, ("1-2", "3-4", "5-6")),
        ({1: "1-2 3-4 5 6", 2: "1-2 3-4 5"}, ("1-2", "3-4", "5")),
        ({1: "1-2 3-4 5 6", 2: "1-2"}, ("1-2",)),
    ],
)
def test_years_are_cut_into_the_spans_all_have(years, expected):
    rows = [(year, HALF_TERM_TERMS[span], span) for year, spans in years.items() for span in spans.split()]
    assert common_spans(pd.DataFrame(rows, columns=["academic_year", "term", "half_term"])) == expected
