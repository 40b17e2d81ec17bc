"""Page of schools: colours against SQL and files read by hand, hidden groups, change, similar schools, reasons, the gate."""

from __future__ import annotations

import csv
import inspect
import math
from collections import Counter
from fractions import Fraction
from importlib import resources

import duckdb
import numpy as np
import pandas as pd
import pytest

import attendance_toolkit as at
from attendance_toolkit.deepdives._shared import YEAR_GROUPS
from attendance_toolkit.deepdives.schools_days import SchoolsDays
from attendance_toolkit.deepdives.schools_rating import NOT_RATED
from attendance_toolkit.deepdives.schools_rating_data import INSIDE
from attendance_toolkit.deepdives.schools_rating_findings import SchoolsRatingFindings
from attendance_toolkit.deepdives.schools_reasons import REASONS, SchoolsReasons
from attendance_toolkit.deepdives.schools_similar import SchoolsSimilar
from attendance_toolkit.deepdives.schools_trend import SchoolsTrend
from attendance_toolkit.deepdives.schools_year_groups import SchoolsYearGroups
from attendance_toolkit.disclosure.gate import check_csv, check_page, evidence_for
from attendance_toolkit.inputs import Inputs, policy_for
from attendance_toolkit.intervals import newcombe_interval
from attendance_toolkit.metrics.similar_schools import nearest_schools
from attendance_toolkit.presentation.blocks import Result
from attendance_toolkit.reporting.exporter import collect_outputs
from attendance_toolkit.vocabulary.areas import find_area
from tests.unit.deepdives.severe_tables import Given, rate_row, table
from tests.unit.disclosure.gate.pages import MARKDOWN, page_mode
from tests.unit.presentation.examples import code, make_head, notebook

PHASES = ("Primary", "Secondary", "Special")
LEVELS = {
    "EHCP": ("sen_provision", "EHC plan"),
    "SEN Support": ("sen_provision", "SEN support"),
    "FSM": ("fsm_eligible", "FSM eligible"),
}
BLOCKS = (
    "rating_notice", "rating_sentences", "colour_table", "rating_table", "rating_figure", "action_table", "trend_sentences",
    "trend_table", "similar_notice", "similar_sentences", "similar_table", "reason_sentences", "reason_table", "days_notice",
    "year_group_sentences", "year_group_table", "school_year_groups_table",
)  # fmt: skip


class Page(SchoolsDays, SchoolsYearGroups, SchoolsReasons, SchoolsSimilar, SchoolsTrend, SchoolsRatingFindings):
    """All parts of the page, as the notebook has them."""


def open_page(store, audience="partner"):
    found = at.open_inputs(area="Greater Weirdale", academic_year="2023/24", store=str(store), audience=audience)
    return Page(found)


@pytest.fixture(scope="module")
def page(synthetic_store):
    return open_page(synthetic_store)


@pytest.fixture(scope="module")
def internal(synthetic_store):
    return open_page(synthetic_store, "internal")


def blocks(page):
    for name in BLOCKS:
        make = getattr(page, name)
        each = [(phase,) for phase in PHASES] if "phase" in inspect.signature(make).parameters else [()]
        yield from (made for args in each if not isinstance(made := make(*args), Result))


# -- colours against SQL ------------------------------------------------------------------------------


def national(year="202324"):
    """Attendance of England by (phase, group) in percent, from the reference files by the csv module alone."""
    folder = resources.files("attendance_toolkit.vocabulary") / "reference"
    found = {}
    with (folder / "group_comparators.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["academic_year"] == year and row["attendance"]:
                found[row["phase"], row["group"]] = Fraction(row["attendance"])
    with (folder / "comparators.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            wanted = (row["area_code"], row["series"], row["measure"], row["academic_year"])
            if wanted == ("E92000001", "census", "overall_absence_rate", year):
                found[row["phase"], "All pupils"] = 100 - Fraction(row["percent"])
    return found


def colours_by_sql(page):
    """Colour of each school by the text of the report, of exact cells: SQL with whole numbers, no function of ours."""
    cells = page.inputs.local_cells(
        ["phase", "laestab", "fsm_eligible", "sen_provision"],
        counts=("enrolments", "sessions_possible", "sessions_authorised", "sessions_unauthorised"), years=[202324],
    )  # fmt: skip
    rows = [(phase, group, int(100 * value)) for (phase, group), value in national().items()]
    england = pd.DataFrame(rows, columns=["phase", "grp", "hundredths"])
    con = duckdb.connect()
    con.register("cells", cells)
    con.register("england", england)
    chosen = " UNION ALL ".join(
        f"SELECT *, '{group}' AS grp FROM cells WHERE {condition}"
        for group, condition in {
            "All pupils": "true",
            **{group: f"{name} = '{level}'" for group, (name, level) in LEVELS.items()},
        }.items()
    )
    return con.sql(f"""
        WITH g AS (SELECT laestab, phase, grp, sum(enrolments) n, sum(sessions_possible) p,
                          sum(sessions_possible - sessions_authorised - sessions_unauthorised) a FROM ({chosen}) GROUP BY ALL),
        d AS (SELECT laestab, g.phase, grp, 10000 * a - hundredths * p AS above, p FROM g JOIN england USING (phase, grp) WHERE n >= 10)
        SELECT laestab, phase, CASE WHEN bool_or(above < 0) THEN 'Red' WHEN bool_or(above <= 200 * p) THEN 'Amber' ELSE 'Green' END,
               count(*) FROM d GROUP BY ALL
    """).fetchall()


def test_colours_equal_those_of_sql_on_exact_cells(internal):
    oracle = {(school, phase): (colour, groups) for school, phase, colour, groups in colours_by_sql(internal)}
    rated = {(one.laestab, one.phase): (one.level, len(one.differences)) for one in internal.rated()}
    ours = {school: found for school, found in rated.items() if found[1]}
    assert ours == oracle
    assert len(oracle) > 10
    assert len({colour for colour, _ in oracle.values()}) > 1
    counts = Counter(colour for colour, _ in oracle.values())
    assert internal.colour_counts() == {
        **{name: counts[name] for name in ("Green", "Amber", "Red")},
        "": len(rated) - len(oracle),
    }


def test_where_nothing_is_hidden_partners_see_the_same_colour_and_else_none_worse(page, internal):
    exact = {(one.laestab, one.phase): one for one in internal.rated()}
    order = ("Green", "Amber", "Red")
    whole = 0
    for one in page.rated():
        full = exact[one.laestab, one.phase]
        hidden = set(full.differences) - set(one.differences)
        near = any(abs(value - end) < Fraction(1, 100) for value in full.differences.values() for end in (0, 2))
        if not hidden and not near:
            whole += 1
            assert one.level == full.level
        # Figures of partners are rounded: next to a threshold a school may be on its other side.
        assert near or not one.level or order.index(one.level) <= order.index(full.level)
    assert whole > 5


# -- by hand ------------------------------------------------------------------------------------------


class _Store:
    """A store that knows the names of some schools and nothing else."""

    manifest: dict[str, object] = {}

    def schools(self):
        names = ["Ash", "Beech", "Cedar"]
        return pd.DataFrame({"laestab": [9990001, 9990002, 9990003], "school_name": names, "la_code": None})


def given(schools, year_before=None):
    """Return a page of schools: LAESTAB -> group -> (sessions missed of 10,000, enrolments); "c" is a hidden group."""
    rows = []
    for year, figures in ((202223, year_before or {}), (202324, schools)):
        for laestab, groups in figures.items():
            for group, figure in groups.items():
                name, level = LEVELS.get(group, ("All", "All"))
                about = {
                    "area_code": "E08000009", "academic_year": year, "phase": "Primary", "laestab": str(laestab),
                    "characteristic": name, "level": level,
                }  # fmt: skip
                size = rate_row("c" if figure == "c" else (figure[1], 1), "enrolments", **about)
                missed = "c" if figure == "c" else (figure[0], 10_000)
                rows += [size, rate_row(missed, "overall_absence_rate", **about)]
    england = [
        {
            **rate_row("x", "attendance_rate", academic_year=year, phase="Primary", characteristic=name, level=level),
            "area_code": "E92000001", "rate": 0.94, "symbol": "", "series": "census", "source": "by hand", "decimals": 1,
        }
        for year in (202223, 202324)
        for name, level in (("All", "All"), LEVELS["FSM"])
    ]  # fmt: skip
    tables = Given(school_groups=table(rows), national=table(england))
    return Page(Inputs(find_area("E08000009"), 202324, "partner", policy_for("partner"), _Store(), None), tables)


def test_a_hidden_group_sets_no_colour_and_is_named_as_not_tested():
    made = given(
        {9990001: {"All pupils": (300, 200), "FSM": "c"}, 9990002: {"All pupils": (300, 200), "FSM": (900, 40)}}
    )
    ash, beech = made.rated()
    assert (ash.level, ash.rating.set_by, made.untested_of(ash)) == ("Green", ("All pupils",), ("FSM",))
    assert (beech.level, beech.rating.set_by, made.untested_of(beech)) == ("Red", ("FSM",), ())
    row = made.rating_table("Primary").rows[0]
    assert [cell.shown for cell in row.cells[:5]] == ["▲\u00a0Green", "All pupils", "+3.0", "+3.0", "FSM"]
    assert "In 1 of 2 schools at least one of these groups is not tested" in made.rating_notice().text


def test_a_group_below_the_minimum_cohort_sets_no_colour():
    made = given(
        {9990001: {"All pupils": (300, 200), "FSM": (900, 9)}, 9990002: {"All pupils": (300, 200), "FSM": (900, 10)}}
    )
    assert [one.level for one in made.rated()] == ["Green", "Red"]


def test_exactly_on_a_threshold_is_amber_and_named():
    made = given(
        {9990001: {"All pupils": (400, 200)}, 9990002: {"All pupils": (600, 200)}, 9990003: {"All pupils": (601, 200)}}
    )
    assert [one.level for one in made.rated()] == ["Amber", "Amber", "Red"]
    notes = " ".join(made.rating_table("Primary").notes)
    assert "Ash: all pupils lie on a threshold, and exactly 2 percentage points is Amber." in notes
    assert "Beech: all pupils lie on a threshold, and exactly 0 percentage points is Amber." in notes


def test_a_school_whose_figures_are_all_hidden_is_not_rated():
    made = given({9990001: {"All pupils": "c"}, 9990002: {"All pupils": (300, 200)}})
    assert made.rated()[0].rating is None
    row = made.rating_table("Primary").rows[0]
    assert [cell.shown for cell in row.cells[:2]] == [NOT_RATED, "No group"]
    assert "1 Green (1 not rated)" in made.rating_sentences().sentences[0]


def test_sentences_say_what_other_readings_would_give():
    made = given(
        {
            9990001: {"All pupils": (300, 200), "FSM": (700, 40)},  # +3.0 and -1.0: Red for FSM alone
            9990002: {"All pupils": (430, 200), "FSM": (430, 40)},  # +1.7: Amber, and Green half a point higher
            9990003: {"All pupils": (620, 200), "FSM": (500, 40)},  # -0.2: Red, and Amber half a point higher
        }
    )
    text = "\n".join(made.rating_sentences().sentences)
    assert "of 3 primary schools 2 Red and 1 Amber" in text
    assert "pupils eligible for free school meals in 2" in text
    assert "in 1 all pupils together would have a better one" in text
    assert "By all pupils alone 1 school of 3 would have another colour: 1 Red, 1 Amber and 1 Green in all." in text
    assert "no schools would have a worse colour, 0.5 percentage points higher 2 schools a better one" in text
    # As printed, less absence than nationally is Red; Ash (Red and Amber) and Cedar (Red and Amber) would be both at once.
    assert (
        "all pupils would make 2 schools of 3 Red for missing less than nationally and 2 schools would have more"
        in text
    )


def test_change_since_last_year_and_colours_of_both_years_by_the_same_groups():
    made = given(
        {9990001: {"All pupils": (300, 200), "FSM": (900, 40)}, 9990002: {"All pupils": (700, 200)}},
        {9990001: {"All pupils": (500, 200)}, 9990002: {"All pupils": (710, 200)}},
    )
    ash = made.rated()[0]
    change = made.change_of(ash)
    now, was = (
        (figure["lower"], figure["upper"]) for figure in (_overall(made, ash, 202324), _overall(made, ash, 202223))
    )
    low, high = newcombe_interval(0.03, now, 0.05, was)
    assert (change["rate"], change["lower"], change["upper"]) == pytest.approx((-0.02, float(low), float(high)))
    assert ash.level == "Red"  # for FSM, of which there is no figure the year before
    assert made.colours_of(ash) == ("Amber", "Green")
    rows = {row.header: [cell.shown for cell in row.cells[4:]] for row in made.trend_table("Primary").rows}
    assert rows["Ash"] == ["Fell", "◆\u00a0Amber", "▲\u00a0Green"]
    assert rows["Beech"] == ["Did not clearly change", "▼\u00a0Red", "▼\u00a0Red"]
    text = made.trend_sentences().sentences[0]
    assert "clearly fell in 1 and rose in none, and did not clearly change in 1" in text
    assert "the colour became better in 1 of 2 schools and worse in none" in text


def _overall(page, school, year):
    return page.figure(school, "overall_absence_rate", year=year)


# -- chance, similar schools, reasons -------------------------------------------------------------------


def test_places_in_the_funnel_are_told_of_types_with_enough_schools(internal):
    places = Counter(internal.place(school) for school in internal.of_phase("Primary"))
    assert places[""] == 0
    assert places[INSIDE] > sum(places.values()) / 2
    assert {internal.place(school) for school in internal.of_phase("Special")} == {""}


def test_nearest_schools_equal_a_search_through_all_pairs():
    rng = np.random.default_rng(8)
    features = {name: [*rng.random(2), float(rng.normal(5, 1))] for name in range(40)}
    features[7] = [float("nan"), 0.2, 5.0]
    found = nearest_schools(features, 5)
    known = [name for name in features if name != 7]
    spread = [np.std([features[name][at] for name in known]) for at in range(3)]
    for name in known:
        distance = {
            other: math.dist(*([features[one][at] / spread[at] for at in range(3)] for one in (name, other)))
            for other in known
            if other != name
        }
        assert list(found[name]) == sorted(distance, key=lambda other: (distance[other], other))[:5]
    assert 7 not in found
    assert not any(7 in others for others in found.values())


def test_a_school_is_held_beside_the_pooled_rate_of_its_similar_schools():
    schools = {
        9990001 + number: {
            "All pupils": (300 + 20 * number, 200), "FSM": (500, 20 + 5 * number), "SEN Support": (500, 30),
        }
        for number in range(12)
    }  # fmt: skip
    schools[9990012]["FSM"] = "c"
    made = given(schools)
    first, last = made.rated()[0], made.rated()[-1]
    # Size and SEN support are the same in all of them, so that free school meals alone say who is near.
    assert [other.laestab for other in made.similar_to(first)] == [9990002, 9990003, 9990004, 9990005, 9990006]
    assert made.similar_gap(first)["rate"] == pytest.approx(0.03 - (0.032 + 0.034 + 0.036 + 0.038 + 0.04) / 5)
    assert (last.laestab, made.similar_to(last)) == (9990012, ())
    assert "(1 left aside, whose groups are hidden)" in made.similar_sentences().sentences[0]
    assert isinstance(made.similar_table("Secondary"), Result)


def test_reasons_of_schools_equal_sums_over_exact_cells(internal):
    cells = internal.inputs.local_cells(["phase", "laestab"], years=[202324]).astype({"laestab": str})
    rows = internal.school_reasons.rows
    assert set(rows["reason"]) == set(REASONS)
    joined = rows.merge(cells, on=["laestab", "phase"])
    assert len(joined) == len(rows) > 30
    expected = [row[f"sessions_{row['reason']}"] / row["sessions_possible"] for _, row in joined.iterrows()]
    assert joined["rate"].to_numpy() == pytest.approx(expected)


def test_year_groups_of_schools_equal_sums_over_exact_cells(internal):
    cells = internal.inputs.local_cells(["phase", "laestab", "nc_year"], years=[202324])
    cells = cells.astype({"laestab": str, "nc_year": str})
    rows = internal.school_year_groups.rows
    rows = rows[rows["measure"] == "overall_absence_rate"]
    assert set(rows["nc_year"]) == set(YEAR_GROUPS)
    joined = rows.merge(cells, on=["laestab", "phase", "nc_year"])
    assert len(joined) == len(rows) > 50
    missed = joined["sessions_authorised"] + joined["sessions_unauthorised"]
    assert joined["rate"].to_numpy() == pytest.approx((missed / joined["sessions_possible"]).to_numpy())


def year_rows(missed_of_last, laestabs=range(12)):
    """Twelve schools of 100 pupils in Year 4 and in Year 5, 5% of sessions missed; the last school's Year 5 otherwise."""
    for laestab in laestabs:
        for nc_year in ("4", "5"):
            # Sessions missed vary a little, so that limits are not those of chance alone.
            missed = 1900 + 20 * (laestab % 11)
            missed = missed_of_last if (laestab, nc_year) == (11, "5") else missed
            groups = {
                "phase": "Primary",
                "laestab": str(9892000 + laestab),
                "nc_year": nc_year,
                "academic_year": 202324,
            }
            yield rate_row((missed, 38000), "overall_absence_rate", **groups)


def test_only_the_year_group_that_differs_is_named(page):
    def made(missed):
        return Page(page.inputs, Given(school_year_groups=table(list(year_rows(missed)))))

    odd = made(3800)
    (row,) = odd.school_year_groups_table("Primary").rows
    assert (row.section, row.cells[0].text, row.cells[2].text) == ("Year 5", "10.0", "Above")
    said = " ".join(odd.year_group_sentences().sentences)
    assert "highest in Year 5" in said
    assert "Of 24 year groups of primary schools, 1 lies above the limits and none below" in said
    shown = {row.header: [cell.value for cell in row.cells[1:]] for row in odd.year_group_table().rows}
    assert shown == {"Year 4": [12, 0, 0], "Year 5": [12, 1, 0]}
    assert isinstance(made(1950).school_year_groups_table("Primary"), Result)


def test_with_few_schools_year_groups_say_what_they_need(page):
    few = Page(page.inputs, Given(school_year_groups=table(list(year_rows(3800, range(5, 12))))))
    assert "need more schools of one school type" in few.year_group_sentences().text
    assert isinstance(few.year_group_table(), Result)


# -- the page -----------------------------------------------------------------------------------------


def test_the_page_passes_the_gate(page):
    tables = page.cleared_of(*page.declared())
    derived = page.derived()
    with page_mode():
        made = list(blocks(Page(page.inputs, page._tables)))
        outputs = collect_outputs(notebook(code(*made), head=make_head()))
    words = ("Greater Weirdale", "Aldermoor", "E90000001", "attendance@example.org", "Numbers below 10 are hidden.")
    evidence = evidence_for(tables, outputs, words=words, texts=MARKDOWN, derived=derived)
    assert [str(finding) for finding in check_page(outputs.html, evidence)] == []
    assert not [one for text in outputs.tables.values() for one in check_csv(text, evidence)]
    # The same page is refused if nobody derived its figures.
    assert check_page(outputs.html, evidence_for(tables, outputs, words=words, texts=MARKDOWN))


def test_without_marks_one_notice_says_so(page):
    assert "single marks of registers" in page.days_notice().text
    for name in ("days_sentences", "weekday_figure", "weekday_table", "spell_table", "week_table"):
        assert isinstance(getattr(page, name)(), Result)
