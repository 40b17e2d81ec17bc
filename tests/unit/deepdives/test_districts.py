"""The comparison of districts on synthetic pupils: complete, cleared, its sums right, its words no surer than the figures."""

from __future__ import annotations

import json
from collections import defaultdict

import duckdb
import pytest

import attendance_toolkit as at
from attendance_toolkit.deepdives.districts_compared import _extremes
from attendance_toolkit.deepdives.districts_derived import GAP, MIX_PART, REST, _rank_rows
from attendance_toolkit.deepdives.districts_time import _alike
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.presentation.blocks import MIME, Figure, Notice, Table
from attendance_toolkit.presentation.formats import interval_cell
from attendance_toolkit.presentation.narrative import has_interval, is_shown
from attendance_toolkit.vocabulary.areas import find_area, local_authorities_in

PLAIN = (
    "head", "tiles", "missing_notice", "comparison_notice", "district_table", "gap_sentences", "gap_table", "rank_sentences",
    "rank_table", "mix_sentences", "term_sentences", "term_table", "year_sentences", "unclassified_sentences",
    "unclassified_table", "results",
)  # fmt: skip
BY_MEASURE = ("district_figure", "mix_figure", "mix_table", "term_figure", "year_figure")
COUNTED = ("severe_absence_rate", "persistent_absence_rate")
IRWELL_BANK, ALDERMOOR, BOTH = "E08900009", "E08900001", "E47900001"


def open_page(store, **more):
    given = {"area": "Irwell Bank", "academic_year": "2023/24", "store": str(store), **more}
    return at.Districts(at.open_inputs(**given))


@pytest.fixture(scope="module")
def page(synthetic_store):
    return open_page(synthetic_store)


@pytest.fixture(scope="module")
def internal(synthetic_store):
    return open_page(synthetic_store, audience="internal")


@pytest.fixture(scope="module")
def pupils(synthetic_store):
    """Return (authority, stratum, is persistent, is severe) of each enrolment: SQL of this test, DfE's rules in its words."""
    path = f"{synthetic_store}/pupil_term/**/*.parquet"
    return duckdb.sql(f"""
        WITH e AS (SELECT upn, laestab, la_code, phase, sum(sessions_possible) p,
                   sum(sessions_authorised + sessions_unauthorised) a, any_value(nc_year) y, any_value(sex) sex,
                   any_value(fsm_eligible) fsm, any_value(sen_provision) sen,
                   sum(CASE WHEN half_term <> '6' THEN sessions_possible ELSE 0 END) early
                   FROM read_parquet('{path}', hive_partitioning = false)
                   WHERE academic_year = 202324 AND age BETWEEN 5 AND 15 AND NOT is_boarder
                     AND sessions_possible > 0 AND NOT (age = 15 AND half_term = '6')
                   GROUP BY upn, laestab, la_code, phase HAVING early > 0),
             k AS (SELECT *, count(*) OVER (PARTITION BY laestab) n FROM e)
        SELECT la_code, (y, sex, fsm, sen)::VARCHAR, 10 * a >= p, 2 * a >= p FROM k
        WHERE n >= 6 AND phase IN ('Primary', 'Secondary', 'Special')""").fetchall()


def blocks(page):
    found = [getattr(page, name)() for name in PLAIN]
    return found + [getattr(page, name)(measure) for name in BY_MEASURE for measure in COUNTED]


def test_every_block_is_made_from_pupil_level_data(page):
    made = blocks(page)
    assert not [block for block in made if isinstance(block, Notice) and block.title == "Not available"]
    assert all(json.loads(json.dumps(block._repr_mimebundle_()[0][MIME])) for block in made)
    ids = [block.id for block in made if isinstance(block, (Table, Figure))]
    assert len(ids) == len(set(ids)) == 15
    assert all("synthetic" in block.source.lower() for block in made if isinstance(block, (Table, Figure)))


def test_the_wider_areas_page_is_made_too(synthetic_store):
    page = open_page(synthetic_store, area="Greater Weirdale")
    assert not [block for block in blocks(page) if isinstance(block, Notice) and block.title == "Not available"]
    assert "2 of 10 districts" in page.missing_notice().text
    assert [row.header for row in page.rank_table().rows] == ["Aldermoor", "Irwell Bank"]


def test_partner_page_shows_rounded_counts_and_none_from_1_to_9(page):
    counts = [
        cell.value
        for table in (page.district_table(), page.unclassified_table())
        for row in table.rows
        for cell, column in zip(row.cells, table.columns[1:], strict=True)
        if column.label in ("Enrolments", "Number") and cell.value is not None
    ]
    assert counts
    assert all(value == 0 or value >= 10 for value in counts)
    assert all(value % 5 == 0 for value in counts)


def test_rates_of_both_districts_and_of_both_together_equal_sql_on_the_store(internal, pupils):
    for code, members in ((IRWELL_BANK, {IRWELL_BANK}), (ALDERMOOR, {ALDERMOOR}), (BOTH, {IRWELL_BANK, ALDERMOOR})):
        here = [row for row in pupils if row[0] in members]
        for measure, column in (("persistent_absence_rate", 2), ("severe_absence_rate", 3)):
            record = internal.compared(code, measure)
            assert record["denominator"] == len(here)
            assert record["numerator"] == sum(row[column] for row in here)


def test_expected_rates_equal_sums_over_strata(internal, pupils):
    # The oracle: rates of each stratum of both districts, added up pupil by pupil; unknown FSM and SEN are counted with
    # those without, as the policy says.
    def stratum(text):
        year, sex, fsm, sen = (part.strip().strip("'") for part in text.strip("()").split(","))
        fsm = "Not known to be FSM eligible" if fsm == "Unknown" else fsm
        return year, sex, fsm, "No SEN" if sen == "Unknown" else sen

    for measure, column in (("persistent_absence_rate", 2), ("severe_absence_rate", 3)):
        everybody, absent = defaultdict(int), defaultdict(int)
        for row in pupils:
            everybody[stratum(row[1])] += 1
            absent[stratum(row[1])] += row[column]
        for code in (IRWELL_BANK, ALDERMOOR):
            here = [row for row in pupils if row[0] == code]
            expected = sum(absent[stratum(row[1])] / everybody[stratum(row[1])] for row in here)
            observed = sum(row[column] for row in here)
            assert internal.modelled(code, BOTH, f"{measure}_expected")["rate"] == pytest.approx(expected / len(here))
            ratio = internal.modelled(code, BOTH, f"{measure.removesuffix('_rate')}_ratio")
            assert ratio["rate"] == pytest.approx(observed / expected)


def test_mix_and_rest_add_up_to_the_gap(internal):
    parts = internal.mix_parts.rows.pivot_table(index=["area_code", "about"], columns="part", values="rate")
    assert len(parts) == 4
    assert (parts[MIX_PART] + parts[REST] - parts[GAP]).abs().max() < 1e-12


def test_gaps_are_those_of_the_figures(internal):
    for about in COUNTED:
        gap = internal.gaps_lookup(place=IRWELL_BANK, against=BOTH, about=about, phase="All schools")
        one, two = internal.compared(IRWELL_BANK, about), internal.compared(BOTH, about)
        assert gap["rate"] == pytest.approx(
            one["numerator"] / one["denominator"] - two["numerator"] / two["denominator"]
        )
        assert gap["lower"] < gap["rate"] < gap["upper"]


def test_what_is_worked_out_from_a_hidden_figure_is_hidden_too(page):
    # Of the small store's few severe absentees partners are shown none by district.
    assert page.compared(IRWELL_BANK, "severe_absence_rate")["symbol"] == "c"
    gap = page.gaps_lookup(place=IRWELL_BANK, against=BOTH, about="severe_absence_rate", phase="All schools")
    parts = page.mix_parts.rows.query("about == 'severe_absence_rate'")
    ranks = page.ranks.rows.query("about == 'severe_absence_rate'")
    assert gap["symbol"] == "c"
    assert set(parts["symbol"]) == set(ranks["symbol"]) == {"c"}
    assert parts[["rate", "lower", "upper"]].isna().all(axis=None)
    said = [*page.gap_sentences().sentences, *page.mix_sentences().sentences, *page.rank_sentences().sentences]
    assert said
    assert not [sentence for sentence in said if sentence.startswith("Severe")]


def test_a_store_of_one_authority_says_that_nothing_can_be_compared(tmp_path_factory):
    from attendance_toolkit.loaders.load import load_files
    from attendance_toolkit.loaders.synthetic import make_synthetic

    folder = tmp_path_factory.mktemp("one")
    make_synthetic(folder / "files", size="small", areas=["Irwell Bank"])
    load_files([folder / "files"], folder / "store", key_file=folder / "key", is_synthetic=True)
    page = open_page(folder / "store")
    assert page.comparison_notice().title == "No comparison between districts"
    assert "Irwell Bank alone" in page.comparison_notice().text
    assert page.rank_table().title == page.mix_table("severe_absence_rate").title == "Not available"
    assert page.district_figure("severe_absence_rate").kind == "result"
    # Against England it is compared all the same.
    assert page.gap_table().rows[0].header == "Against England"


def test_england_is_not_compared_within_itself(page):
    page = at.Districts(page.inputs)
    page.area = find_area("England")
    with pytest.raises(NoDataError, match="Ask for a region"):
        page.require_districts()


def record(numerator=None, denominator=None, symbol=""):
    rate = None if symbol else numerator / denominator
    numbers = {"numerator": numerator, "denominator": denominator, "rate": rate, "lower": None, "upper": None}
    return {"measure": "severe_absence_rate", "symbol": symbol, **numbers}


def test_a_hidden_district_has_no_rank_and_the_others_are_ranked_without_it():
    first, second, third = local_authorities_in(find_area("Greater Weirdale"))[:3]
    records = {first: record(symbol="c"), second: record(10, 1000), third: record(90, 1000)}
    rows = {(row["area_code"], row["measure"]): row for row in _rank_rows(records, "severe_absence_rate")}
    assert rows[first.code, "rank_median"]["symbol"] == rows[first.code, "probability_highest"]["symbol"] == "c"
    assert [rows[area.code, "rank_median"]["rate"] for area in (second, third)] == [2, 1]
    assert rows[third.code, "probability_highest"]["rate"] == 1


def test_of_many_places_the_ends_and_the_area_itself_are_drawn():
    places = local_authorities_in(find_area("North West")) + local_authorities_in(find_area("London"))
    rows = [(area, record(100 + 3 * i, 10000)) for i, area in enumerate(places[:40])]
    rows[0] = (places[0], record(symbol="c"))
    drawn, left_out = _extremes(rows, places[20].code)
    assert left_out == len(rows) - len(drawn) == 19
    assert [area for area, _ in drawn] == [*places[1:11], places[20], *places[30:40]]
    assert all(is_shown(one) for _, one in drawn)


@pytest.mark.parametrize(
    ("measure", "ends", "text"),
    [
        ("rate_gap", (0.0004, 0.02), "+0.04 to +2.00"),
        ("rate_gap", (-0.02, 0.01), "−2.0 to +1.0"),
        ("severe_absence_ratio", (1.003, 1.2), "1.003 to 1.200"),
        ("severe_absence_rate", (0.0, 0.02), "0.0 to 2.0"),
    ],
)
def test_an_interval_shows_on_which_side_of_no_difference_its_ends_lie(measure, ends, text):
    low, high = ends
    assert interval_cell({"measure": measure, "rate": high, "lower": low, "upper": high, "symbol": ""}).text == text


def test_an_interval_of_a_hidden_figure_is_its_symbol():
    assert (
        interval_cell({"measure": "rate_gap", "rate": None, "lower": None, "upper": None, "symbol": "c"}).symbol == "c"
    )


def test_a_year_published_without_counts_takes_the_interval_from_the_year_it_is_compared_with():
    counted = {"rate": 0.011, "lower": 0.010, "upper": 0.012, "decimals": None}
    printed = {"rate": 0.0131, "lower": None, "upper": None, "decimals": 2}
    before, after = _alike(counted, printed)
    assert not has_interval(before)
    assert not has_interval(after)
    assert before["decimals"] == after["decimals"] == 2
    assert _alike(counted, counted) == (counted, counted)
