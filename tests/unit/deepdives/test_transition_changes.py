"""The step to secondary school, on synthetic pupils: every figure against SQL and plain pandas on the store, and the gate."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest

import attendance_toolkit as at
from attendance_toolkit.deepdives._transition_cells import hidden_in_both
from attendance_toolkit.deepdives.transition_changes_data import _paired
from attendance_toolkit.deepdives.transition_days import TransitionDays
from attendance_toolkit.deepdives.transition_links import TransitionLinks
from attendance_toolkit.deepdives.transition_schools import TransitionSchools
from attendance_toolkit.deepdives.transition_sections import TransitionSections
from attendance_toolkit.disclosure.gate import check_csv, check_page, evidence_for
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import wilson_interval
from attendance_toolkit.metrics.transition.paired import paired_proportions
from attendance_toolkit.presentation.blocks import Figure, Notice, Result, Table
from attendance_toolkit.reporting.exporter import collect_outputs
from attendance_toolkit.vocabulary.steps import COMPARED, NOT_COMPARED
from tests.unit.disclosure.gate.pages import MARKDOWN, page_mode
from tests.unit.presentation.examples import code, make_head, notebook

IRWELL_BANK, ALDERMOOR = "E08900009", "E08900001"
ABSENCE, PA, SA = "overall_absence_rate", "persistent_absence_rate", "severe_absence_rate"
BLOCKS = (
    ("link_notice",), ("link_table",), ("link_sentences",), ("destination_table",), ("destination_known_sentences",),
    ("district_table",), ("largest_flows_table",), ("district_sentences",), ("joined_table",), ("joined_sentences",),
    ("change_table",), ("change_sentences",), ("group_table", ABSENCE), ("group_table", PA), ("group_table", SA),
    ("group_figure", ABSENCE), ("group_sentences",), ("district_change_table",), ("district_change_figure",),
    ("school_notice",), ("school_table",), ("school_figure",), ("period_figure",), ("cross_table",), ("cross_sentences",),
    ("mover_table",), ("days_sentences",), ("days_table",), ("days_figure",), ("school_days_table",),
    ("definition_table",), ("claim_sentences",), ("link_table", "7"), ("link_sentences", "7"), ("change_table", "7"),
    ("change_sentences", "7"), ("group_table", ABSENCE, "7"), ("group_sentences", "7"),
)  # fmt: skip


class Page(TransitionLinks, TransitionSchools, TransitionSections, TransitionDays):
    """The parts on linking, change and days as a page of their own."""


def open_page(store, **more):
    return Page(at.open_inputs(**{"area": "Irwell Bank", "academic_year": "2023/24", "store": str(store), **more}))


@pytest.fixture(scope="module")
def page(synthetic_store):
    """Return the page of one district, for partners."""
    return open_page(synthetic_store)


@pytest.fixture(scope="module")
def both(synthetic_store):
    """Return the page of both districts together, for partners."""
    return open_page(synthetic_store, area="Greater Weirdale")


@pytest.fixture(scope="module")
def internal(synthetic_store):
    return open_page(synthetic_store, audience="internal")


@pytest.fixture(scope="module")
def years(synthetic_store):
    """Return one row a pupil and year by (upn, year): DfE's rules in SQL, the sessions of all schools, the main school."""
    path = f"{synthetic_store}/pupil_term/**/*.parquet"
    rows = duckdb.sql(f"""
        WITH r AS (SELECT *, NOT is_boarder AND sessions_possible > 0 AND NOT (age = 15 AND half_term = '6')
                   AND sessions_authorised + sessions_unauthorised <= sessions_possible AS counts
                   FROM read_parquet('{path}', hive_partitioning = false) WHERE age BETWEEN 5 AND 15),
             y AS (SELECT upn, laestab, academic_year FROM r WHERE counts AND half_term <> '6' GROUP BY ALL)
        SELECT upn, laestab, academic_year AS at, any_value(la_code) AS la, any_value(phase) AS phase,
               any_value(nc_year) AS nc, any_value(fsm_eligible) AS fsm, any_value(sex) AS sex,
               sum(sessions_possible)::BIGINT AS p, sum(sessions_authorised + sessions_unauthorised)::BIGINT AS a
        FROM r SEMI JOIN y USING (upn, laestab, academic_year) WHERE counts GROUP BY upn, laestab, academic_year
        QUALIFY count(*) OVER (PARTITION BY laestab, academic_year) >= 6""").df()
    rows = rows.sort_values(["p", "laestab"], ascending=[False, True], kind="stable")
    found = rows.drop_duplicates(["upn", "at"]).set_index(["upn", "at"])
    sums = rows.groupby(["upn", "at"])[["p", "a"]].sum()
    found[["p", "a"]] = sums.reindex(found.index)
    return found


def linked(years, before, nc="6"):
    """Return the pupils of a year group of a year who can be compared a year later; columns end with 1 and 2."""
    mainstream = years[years["phase"].isin(["Primary", "Secondary"])]
    first = mainstream.xs(before, level="at")
    second = mainstream.xs(before + 101, level="at")
    found = first[first["nc"] == nc].join(second[second["nc"] == str(int(nc) + 1)], how="inner", suffixes=("1", "2"))
    return found[(found["p1"] >= 50) & (found["p2"] >= 50)]


def summed(found):
    """Return absence and persistent absence before and after, in plain pandas."""
    return {
        ABSENCE: (found["a1"].sum() / found["p1"].sum(), found["a2"].sum() / found["p2"].sum()),
        PA: ((found["a1"] * 10 >= found["p1"]).mean(), (found["a2"] * 10 >= found["p2"]).mean()),
        SA: ((found["a1"] * 2 >= found["p1"]).mean(), (found["a2"] * 2 >= found["p2"]).mean()),
    }


@pytest.mark.parametrize("nc", ["6", "7"])
@pytest.mark.parametrize("later", [202223, 202324])
def test_the_same_pupils_are_those_of_sql(internal, years, nc, later):
    found = linked(years, later - 101, nc)
    found = found[found["la1"] == IRWELL_BANK]
    for about, rates in summed(found).items():
        before, after = internal.rates_of(about, later, from_year=nc)
        assert (before["rate"], after["rate"]) == pytest.approx(rates)
    assert internal.rates_of("pupils", later, from_year=nc)[0]["rate"] == len(found)


@pytest.mark.parametrize(
    ("characteristic", "column", "level"),
    [("fsm_eligible", "fsm1", "FSM eligible"), ("sex", "sex1", "Female")],
)
def test_groups_are_those_of_the_year_before(internal, years, characteristic, column, level):
    found = linked(years, 202223)
    found = found[(found["la1"] == IRWELL_BANK) & (found[column] == level)]
    for about, (before, after) in summed(found).items():
        shown = internal.rates_of(about, 202324, characteristic, level)
        assert (shown[0]["rate"], shown[1]["rate"]) == pytest.approx((before, after))
        # A modelled change has the digits it is written with.
        tolerance = 0.0005 if about == ABSENCE else 1e-9
        assert internal.step(about, 202324, characteristic, level)["rate"] == pytest.approx(
            after - before, abs=tolerance
        )


def bootstrap(found, draws=2_000, seed=3):
    """Return the standard error of the change of overall absence, drawing pupils anew."""
    numbers = found[["p1", "a1", "p2", "a2"]].to_numpy(float)
    random = np.random.default_rng(seed)
    sums = numbers[random.integers(0, len(numbers), (draws, len(numbers)))].sum(axis=1)
    return float(np.std(sums[:, 3] / sums[:, 2] - sums[:, 1] / sums[:, 0]))


def test_interval_of_the_change_is_that_of_drawing_pupils_anew(internal, years):
    found = linked(years, 202223)
    change = internal.step(ABSENCE)
    half = (change["upper"] - change["lower"]) / 2
    assert half == pytest.approx(1.96 * bootstrap(found[found["la1"] == IRWELL_BANK]), rel=0.15)


def test_threshold_intervals_of_groups_are_nearly_the_paired_ones():
    """Planted: pupils of which some are at the threshold in both years; against the paired standard error of each group."""
    random = np.random.default_rng(5)
    size = 6_000
    is_first = random.random(size) < 0.3
    lasting = random.normal(np.where(is_first, 0.4, 0.0), 1.0)
    before, after = (lasting + random.normal(0, 0.7, size) > limit for limit in (1.3, 1.2))
    rows = []
    for level, kept in (("All", np.ones(size, bool)), ("some", is_first), ("others", ~is_first)):
        group = {"area_code": IRWELL_BANK, "characteristic": "All" if level == "All" else "sex", "level": level}
        for nc, year, at_it in (("6", 202223, before), ("7", 202324, after)):
            events, trials = int(at_it[kept].sum()), int(kept.sum())
            lower, upper = wilson_interval(events, trials)
            rows.append({
                **group, "nc_year": nc, "academic_year": year, "measure": PA, "numerator": events, "denominator": trials,
                "rate": events / trials, "lower": float(lower), "upper": float(upper), "symbol": "",
            })  # fmt: skip
        if level == "All":
            both, down, up = (
                (one & other).sum() for one, other in ((before, after), (before, ~after), (~before, after))
            )
            lower, upper = paired_proportions(both, down, up, size - both - down - up)
            rows.append({
                **group, "nc_year": "7", "academic_year": 202324, "measure": "persistent_step",
                "rate": float(after.mean() - before.mean()), "lower": float(lower), "upper": float(upper), "symbol": "",
            })  # fmt: skip
    by = ["area_code", "academic_year", "nc_year", "characteristic", "level"]
    found = _paired(ProtectedTable(pd.DataFrame(rows), "", ""), by, "6", IRWELL_BANK)
    halves = {row["level"]: (row["upper"] - row["lower"]) / 2 for row in found if row["about"] == PA}
    for level, kept in (("All", slice(None)), ("some", is_first), ("others", ~is_first)):
        change = after[kept].astype(float) - before[kept]
        assert halves[level] == pytest.approx(1.96 * change.std() / np.sqrt(len(change)), rel=0.08)


def test_a_roll_adds_up_and_its_compared_pupils_are_those_of_sql(internal, years):
    lookup = internal.roll_of()
    for year in internal.roll_years():
        roll = lookup(academic_year=year, outcome="All", measure="pupils")["rate"]
        parts = [row for row in internal.roll.rows.to_dict("records") if row["academic_year"] == year]
        counts = {row["outcome"]: row["numerator"] for row in parts if row["measure"] == "link_rate"}
        totals = {COMPARED: counts.pop(COMPARED), NOT_COMPARED: counts.pop(NOT_COMPARED)}
        assert sum(counts.values()) == sum(totals.values()) == roll
        found = linked(years, year)
        assert totals[COMPARED] == (found["la1"] == IRWELL_BANK).sum()
        there = years.xs(year, level="at")
        there = there[there["phase"].isin(["Primary", "Secondary"]) & (there["nc"] == "6")]
        assert roll == (there["la"] == IRWELL_BANK).sum()


def test_flows_between_districts_are_those_of_sql(internal, years):
    found = linked(years, 202223)
    for one, other in ((IRWELL_BANK, IRWELL_BANK), (IRWELL_BANK, ALDERMOOR), (ALDERMOOR, IRWELL_BANK)):
        expected = ((found["la1"] == one) & (found["la2"] == other)).sum()
        assert internal.district_flow(one, other)["rate"] == expected
    assert internal.district_flow(IRWELL_BANK)["rate"] == (found["la1"] == IRWELL_BANK).sum()


def test_schools_have_the_pupils_who_came_to_them(internal, years):
    found = linked(years, 202223)
    found = found[found["la2"] == IRWELL_BANK]
    table = internal.school_changes.select(academic_year=202324, measure=ABSENCE).rows.set_index("laestab")
    schools = {str(laestab): part for laestab, part in found.groupby("laestab2")}
    assert set(table.index) - {""} == set(schools)
    for laestab, part in schools.items():
        assert table.loc[laestab, "rate"] == pytest.approx(part["a2"].sum() / part["p2"].sum())
    assert table.loc["", "rate"] == pytest.approx(found["a2"].sum() / found["p2"].sum())


def test_terms_and_half_terms_add_up_to_the_years(internal, years):
    found = linked(years, 202223)
    found = found[found["la1"] == IRWELL_BANK]
    rows = internal.periods.rows
    for year, which in ((202223, "1"), (202324, "2")):
        side = rows[(rows["academic_year"] == year) & (rows["nc_year"] == ("6" if which == "1" else "7"))]
        assert side["numerator"].sum() == found[f"a{which}"].sum()
        assert side["denominator"].sum() == found[f"p{which}"].sum()


def test_days_are_each_pupils_own_change_times_possible_sessions(internal, years):
    found = linked(years, 202223)
    found = found[found["la1"] == IRWELL_BANK]
    lost = (found["a2"] / found["p2"] - found["a1"] / found["p1"]) * found["p2"] / 2
    # Written to the nearest 10 days.
    assert internal.days_of()["rate"] == pytest.approx(lost.sum(), abs=5.001)
    assert internal.days_of("days_gross")["rate"] == pytest.approx(lost.clip(lower=0).sum(), abs=5.001)
    half = 1.96 * np.sqrt(len(lost)) * lost.std()
    assert internal.days_of()["upper"] - internal.days_of()["rate"] == pytest.approx(half, abs=10.1)


def test_days_of_year_8_are_against_the_pupils_own_year_6(internal, years):
    mainstream = years[years["phase"].isin(["Primary", "Secondary"]) & (years["p"] >= 50)]
    first, last = mainstream.xs(202122, level="at"), mainstream.xs(202324, level="at")
    found = first[(first["nc"] == "6") & (first["la"] == IRWELL_BANK)].join(
        last[last["nc"] == "8"], how="inner", suffixes=("1", "2")
    )
    lost = (found["a2"] - found["a1"] / found["p1"] * found["p2"]) / 2
    assert internal.days_of("pupils", "8")["rate"] == len(found)
    assert internal.days_of(nc_year="8")["rate"] == pytest.approx(lost.sum(), abs=5.001)
    parts = [internal.days_of("pupils", name)["rate"] for name in internal.days_years]
    assert internal.days_of("pupils", "All")["rate"] == sum(parts)


def test_definitions_by_cross_section_are_rates_times_sessions(internal):
    rows = {row["nc_year"]: row for row in _year_groups(internal)}
    sixth = rows["6"]["rate"]
    expected = sum(
        row["numerator"] - sixth * row["denominator"]
        for name, row in rows.items()
        if name in ("7", "8", "9", "10", "11")
    )
    table = internal.days_defined.select(definition="Years 7 to 11 in cross-section", measure="days_net").rows
    assert table["rate"].item() == pytest.approx(expected / 2)
    possible = rows["7"]["denominator"]
    claim = internal.days_defined.select(definition="claim", nc_year="7", measure="rate_gap").rows
    # The fall times possible sessions is a million days of two sessions.
    assert claim["rate"].item() * possible / 2 == pytest.approx(1_000_000)


def _year_groups(page):
    rows = page.cross_sections.rows
    chosen = (
        (rows["academic_year"] == 202324) & (rows["measure"] == ABSENCE) & (rows["phase"] == "Primary and secondary")
    )
    return rows[chosen].to_dict("records")


def test_movers_add_up_to_the_cross_section(internal, years):
    lookup = {
        (row["nc_year"], row["move"]): row["rate"]
        for row in internal.movers.rows.to_dict("records")
        if row["measure"] == "pupils"
    }
    for nc, year in (("6", 202223), ("7", 202324)):
        there = years.xs(year, level="at")
        there = there[
            there["phase"].isin(["Primary", "Secondary"]) & (there["nc"] == nc) & (there["la"] == IRWELL_BANK)
        ]
        assert lookup[nc, "All"] == len(there) == lookup[nc, "In both"] + lookup[nc, "In one alone"]
    assert lookup["6", "In both"] == lookup["7", "In both"]


def test_a_group_hidden_in_one_year_is_hidden_in_the_other():
    rows = pd.DataFrame(
        {
            "academic_year": [202223, 202324, 202223, 202324], "nc_year": ["6", "7", "6", "7"],
            "level": ["Black", "Black", "White", "White"], "measure": "pupils", "numerator": [np.nan, 15.0, 90.0, 90.0],
            "denominator": np.nan, "rate": [np.nan, 15.0, 90.0, 90.0], "lower": np.nan, "upper": np.nan,
            "symbol": ["c", "", "", ""],
        }
    )  # fmt: skip
    pairs = {(202223, "6"): (202324, "7"), (202324, "7"): (202223, "6")}
    found = hidden_in_both(ProtectedTable(rows, "", ""), ["level"], pairs).rows
    assert found["symbol"].tolist() == ["c", "c", "", ""]
    assert found["rate"].isna().tolist() == [True, True, False, False]


def test_no_group_of_the_page_is_hidden_in_one_year_alone(page, both):
    for one in (page, both):
        rows = one._changes_of("6").rows
        rows = rows[rows["measure"] == "pupils"]
        cohort = (
            rows["academic_year"].astype(int).where(rows["nc_year"] == "7", rows["academic_year"].astype(int) + 101)
        )
        symbols = rows.assign(cohort=cohort).groupby(["cohort", "area_code", "characteristic", "level"])["symbol"]
        assert (symbols.nunique() == 1).all()
        assert (symbols.size() == 2).all()


@pytest.mark.parametrize("area", ["Irwell Bank", "Greater Weirdale"])
def test_the_page_passes_the_gate(page, both, area):
    one = page if area == "Irwell Bank" else both
    tables = one._tables
    cleared = one.cleared_of(*Page.declared())
    derived = Page(one.inputs, tables).derived()
    with page_mode():
        made = [getattr(Page(one.inputs, tables), name)(*options) for name, *options in BLOCKS]
        outputs = collect_outputs(
            notebook(code(*(one for one in made if not isinstance(one, Result))), head=make_head())
        )
    words = (
        "Aldermoor", "E90000001", "attendance@example.org", "Numbers below 10 are hidden.", "Irwell Bank",
        "Greater Weirdale",
    )  # fmt: skip
    evidence = evidence_for(cleared, outputs, words=words, texts=MARKDOWN, derived=derived)
    assert [str(finding) for finding in check_page(outputs.html, evidence)] == []
    assert not [one for text in outputs.tables.values() for one in check_csv(text, evidence)]


def test_every_block_is_there_and_has_an_id_of_its_own(both):
    made = [getattr(both, name)(*options) for name, *options in BLOCKS]
    assert not [one.text for one in made if isinstance(one, Notice) and one.title == "Not available"]
    ids = [one.id for one in made if isinstance(one, (Table, Figure))]
    assert len(ids) == len(set(ids)) > 20
    assert all(len(one.columns) <= 8 for one in made if isinstance(one, Table))


def test_without_pupils_the_parts_say_what_they_need(shared):
    folder = shared / "data" / "real" / "absence_bands_la_year_group"
    page = Page(at.open_inputs(area="Trafford", academic_year="2022/23", published=[str(folder)]))
    for name in ("link_table", "change_table", "school_table", "days_table", "cross_table"):
        # The page says once what it lacks, not in every block.
        assert getattr(page, name)() == Result(())
    assert "pupil-level data" in at.Transition(page.inputs).pupils_notice().text
    with pytest.raises(NoDataError):
        page.exact("changes")
