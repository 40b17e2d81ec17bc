"""Schools over the years: counts against SQL, planted changes found, chance not named, hidden schools told by nothing."""

from __future__ import annotations

import json
import re
from collections import Counter

import duckdb
import numpy as np
import pandas as pd
import pytest

import attendance_toolkit as at
from attendance_toolkit.deepdives.longitudinal_schools import LongitudinalSchools
from attendance_toolkit.deepdives.longitudinal_schools_data import (
    CANNOT_TELL,
    DETERIORATING,
    FALSE_FLAGS,
    IMPROVING,
    expected_by_chance,
)
from attendance_toolkit.disclosure.gate import check_csv, check_page, evidence_for
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.inputs import Inputs, policy_for
from attendance_toolkit.presentation.blocks import MIME, Figure, Findings, Notice, Result, Table
from attendance_toolkit.reporting.exporter import collect_outputs
from attendance_toolkit.vocabulary.areas import find_area
from tests.unit.deepdives.severe_tables import Given, rate_row, table
from tests.unit.disclosure.gate.pages import MARKDOWN, page_mode, with_ids
from tests.unit.presentation.examples import code, make_head, notebook

PHASES = ("Primary", "Secondary", "Special")
RATE = "persistent_absence_rate"


def open_page(store, **more):
    return LongitudinalSchools(
        at.open_inputs(**{"area": "Greater Weirdale", "academic_year": "2023/24", "store": str(store), **more})
    )


@pytest.fixture(scope="module")
def page(synthetic_store):
    """Return the page of two authorities together, for partners."""
    return open_page(synthetic_store)


@pytest.fixture(scope="module")
def internal(synthetic_store):
    return open_page(synthetic_store, audience="internal")


def blocks(page):
    found = [page.school_notice(), page.school_sentences()]
    for phase in PHASES:
        found += [page.funnel_figure(phase), page.change_funnel_figure(phase), page.school_table(phase)]
    return found


# -- a page of counts given by hand -------------------------------------------------------------------


def given(first, last, *, phase="Secondary", symbol="c"):
    """Return a page of schools with these (absentees, enrolments), 2021/22 and 2023/24; None is a hidden school."""
    rows = [
        rate_row(
            symbol if figure is None else figure, RATE, phase=phase, academic_year=year, laestab=str(9994000 + number)
        )
        for year, figures in ((202122, first), (202324, last))
        for number, figure in enumerate(figures)
    ]
    return LongitudinalSchools(_inputs(_Store()), Given(schools=table(rows)))


class _Store:
    """A store that knows the names of some schools and nothing else."""

    manifest: dict[str, object] = {}

    def schools(self):
        names = {9994000: "Same Name School", 9994001: "Same Name School", 9994002: "Academy 21"}
        return pd.DataFrame({"laestab": list(names), "school_name": list(names.values())})


def _inputs(store):
    return Inputs(find_area("E08000009"), 202324, "partner", policy_for("partner"), store, None)


def rounded(values):
    return np.floor(np.asarray(values) / 5 + 0.5) * 5


def world(rng, schools, *, pupils=1000, base=0.27, planted=0.0):
    """Return both years' counts of schools of one underlying rate each; the first one's falls by ``planted`` logits."""
    n = rounded(np.maximum(40, rng.normal(pupils, pupils / 4, schools)))
    level = np.log(base / (1 - base)) + rng.normal(0, 0.4, schools)
    later = level - planted * (np.arange(schools) == 0)
    counts = [rounded(rng.binomial(n.astype(int), 1 / (1 + np.exp(-one)))) for one in (level, later)]
    return [list(zip(y.tolist(), n.tolist(), strict=True)) for y in counts]


# -- figures ------------------------------------------------------------------------------------------


def test_counts_of_each_school_and_year_equal_sql_on_the_store(internal, synthetic_store):
    path = f"{synthetic_store}/pupil_term/**/*.parquet"
    oracle = duckdb.sql(f"""
        WITH e AS (SELECT upn, laestab, academic_year y, sum(sessions_possible) p,
                   sum(sessions_authorised + sessions_unauthorised) a,
                   sum(CASE WHEN half_term <> '6' THEN sessions_possible ELSE 0 END) early
                   FROM read_parquet('{path}', hive_partitioning = false)
                   WHERE age BETWEEN 5 AND 15 AND NOT is_boarder AND sessions_possible > 0
                     AND sessions_authorised + sessions_unauthorised <= sessions_possible
                     AND NOT (age = 15 AND half_term = '6') AND phase IN ('Primary', 'Secondary', 'Special')
                   GROUP BY ALL HAVING early > 0)
        SELECT laestab::VARCHAR, y, count(*) FILTER (10 * a >= p), count(*) FROM e GROUP BY ALL HAVING count(*) >= 6
    """).fetchall()
    rows = internal.schools.select(measure=RATE).rows
    ours = {(row.laestab, row.academic_year): (row.numerator, row.denominator) for row in rows.itertuples(index=False)}
    assert len(oracle) > 30
    assert ours == {(laestab, year): (absent, everybody) for laestab, year, absent, everybody in oracle}


def test_schools_add_up_to_the_school_types_of_the_page(internal):
    rates = internal.rates.select(measure=RATE, phase=list(PHASES)).rows.set_index(["academic_year", "phase"])
    schools = internal.schools.select(measure=RATE).rows.groupby(["academic_year", "phase"])[
        ["numerator", "denominator"]
    ]
    pd.testing.assert_frame_equal(
        schools.sum().sort_index(), rates[["numerator", "denominator"]].sort_index(), check_dtype=False
    )


def test_partners_see_rounded_counts_and_none_from_1_to_9(page):
    rows = page.schools.rows
    shown = rows[rows["symbol"] == ""]
    assert len(shown)
    assert (shown["numerator"] % 5 == 0).all()
    assert ((shown["numerator"] == 0) | (shown["numerator"] >= 10)).all()


def test_the_blocks_of_a_small_store_are_made_or_say_what_is_missing(page):
    for block in blocks(page):
        assert isinstance(block, (Notice, Result, Findings, Figure, Table))
        assert json.loads(json.dumps(block._repr_mimebundle_()[0][MIME]))


def test_every_block_of_a_larger_place_is_made():
    made = [block for block in blocks(given(*clear_world())) if not isinstance(block, Result)]
    kinds = Counter(type(block).__name__ for block in made)
    assert kinds == {"Notice": 1, "Findings": 1, "Figure": 2, "Table": 1}
    assert all(json.loads(json.dumps(block._repr_mimebundle_()[0][MIME])) for block in made)


# -- planted changes, and none ---------------------------------------------------------------------------


@pytest.mark.parametrize(("schools", "pupils", "base"), [(13, 200, 0.18), (30, 1000, 0.27)])
def test_without_any_change_no_more_schools_are_named_than_is_said(schools, pupils, base):
    rng = np.random.default_rng(11)
    named = total = 0
    for _ in range(60):
        found = given(*world(rng, schools, pupils=pupils, base=base)).changes_of("Secondary", 202122)
        named += schools - len(found.with_verdict(CANNOT_TELL))
        total += schools
    said = expected_by_chance(schools) / schools
    assert said == next(share for least, share in FALSE_FLAGS[::-1] if schools >= least)
    # Three standard errors above what is said, schools of a world going together in clusters of up to four.
    assert named / total <= said + 3 * (4 * said / total) ** 0.5


def test_planted_changes_of_large_schools_are_mostly_found_and_never_the_wrong_way_round():
    # 0.5 logits in two years, as planted in the synthetic schools.
    rng = np.random.default_rng(5)
    for sign, right, wrong in ((1, IMPROVING, DETERIORATING), (-1, DETERIORATING, IMPROVING)):
        worlds = [given(*world(rng, 13, planted=0.5 * sign)) for _ in range(30)]
        told = Counter(page.changes_of("Secondary", 202122).verdict(0) for page in worlds)
        assert told[right] >= 15
        assert told[wrong] == 0


# -- words ----------------------------------------------------------------------------------------------


def clear_world():
    """Return two schools that changed by 20 points, one either way, and six that did not."""
    first = [(300, 1000), (100, 1000), *[(200, 1000)] * 6]
    return first, [(100, 1000), (300, 1000), *[(200, 1000)] * 6]


def test_sentences_and_table_have_the_schools_that_changed_and_no_other():
    page = given(*clear_world())
    text = page.school_sentences().sentences[0]
    assert "in 8 secondary schools: 1 improved, 1 deteriorated, and of 6 it cannot be told" in text
    assert "together the rate changed by 0.0 percentage points" in text
    made = page.school_table("Secondary")
    assert [(row.header, row.section.split(":")[0]) for row in made.rows] == [
        ("Same Name School (LAESTAB 9994000; another has this name)", IMPROVING),
        ("Same Name School (LAESTAB 9994001; another has this name)", DETERIORATING),
    ]
    assert [cell.text for cell in made.rows[0].cells[:2]] == ["30.0", "10.0"]
    assert made.rows[0].cells[-1].text == "over 99 in 100"
    assert "at least 95%" in made.notes[0]


def test_schools_without_a_name_have_their_number_and_one_of_a_name_the_name_alone():
    page = given(*clear_world())
    assert page.school_name("9994002") == "Academy 21"
    assert page.school_name("9994005") == "LAESTAB 9994005 (name not known)"


def test_the_number_of_a_school_and_the_figure_beside_it_are_not_a_pupils_number():
    """A UPN is a letter, the authority's and the school's number, and five digits: "LAESTAB 9994000 | 15.5 | 226"."""
    page = given(*clear_world())
    numbered = [name for name in map(page.school_name, page.schools_of("Secondary")) if "LAESTAB" in name]
    assert numbered
    for name in numbered:
        assert not find_upn_like(f"{name} 15.5 226")
    assert find_upn_like("LAESTAB 9994000 15.5 226")


def find_upn_like(text):
    return re.search(r"[A-Z]\d{12}", re.sub(r"[\W_]", "", text))


def test_schools_that_differ_by_chance_alone_are_not_named():
    # All fell by three points: the schools together clearly fell, and no school can be told from another.
    page = given([(200, 1000)] * 8, [(170, 1000)] * 8)
    assert "nothing is said of any one school" in page.school_sentences().sentences[0]
    assert isinstance(page.school_table("Secondary"), Result)


def test_hidden_schools_are_no_point_no_part_of_the_model_and_counted():
    first, last = clear_world()
    whole, part = given(first, last), given([*first, None, (50, 60)], [*last, (10, 60), None])
    one, two = (page.changes_of("Secondary", 202122) for page in (whole, part))
    assert one.model.mean.tolist() == two.model.mean.tolist()
    assert two.missing == {"9994008": "c", "9994009": "c"}
    assert "(2 with hidden figures left aside)" in part.school_sentences().sentences[0]
    figure = part.change_funnel_figure("Secondary")
    assert Counter(row.cells[1].symbol for row in figure.data.rows) == {"": 8, "c": 2}
    assert "9 of 10 secondary schools" in part.school_notice().text


def test_new_schools_are_not_called_hidden():
    first, last = clear_world()
    page = given(first, [*last, (10, 60)])
    assert "(1 without figures of both years left aside)" in page.school_sentences().sentences[0]


def test_a_school_that_changed_its_type_is_told_under_its_last():
    first, last = clear_world()
    rows = given(first, last).schools.rows.copy()
    rows.loc[(rows["laestab"] == "9994003") & (rows["academic_year"] == 202122), "phase"] = "Primary"
    page = LongitudinalSchools(_inputs(_Store()), Given(schools=ProtectedTable(rows, "Rule.", "Source.")))
    assert "9994003" in page.changes_of("Secondary", 202122).laestabs
    assert page.schools_of("Primary") == []


def test_too_few_schools_are_not_held_beside_each_other():
    page = given([(20, 100)] * 3, [(30, 100)] * 3)
    assert page.funnel_figure("Secondary") == Result(())
    assert "fewer than 4 secondary schools" in page.school_sentences().sentences[0]


def test_titles_count_the_points_that_are_drawn_outside():
    page = given(*clear_world())
    figure = page.change_funnel_figure("Secondary")
    outside = [row for row in figure.data.rows if "outside" in row.cells[2].text]
    number = len(outside) or "none"
    assert f"{number} of 8 secondary schools" in figure.title
    assert {row.header for row in outside} <= {row.header for row in figure.data.rows if row.emphasis}


def test_published_figures_have_no_schools_and_say_so_once():
    page = LongitudinalSchools(_inputs(None), Given())
    with pytest.raises(NoDataError, match="pupil-level data alone"):
        page.exact("schools")
    assert isinstance(page.school_notice(), Notice)
    assert isinstance(page.school_sentences(), Result)


def test_a_page_with_names_and_numbers_of_schools_passes_the_gate():
    first, last = clear_world()
    first[2], last[2] = (100, 1000), (300, 1000)  # "Academy 21" clearly changed, too
    first[3], last[3] = (300, 1000), (100, 1000)  # and so did one without a name
    plain = given(first, last).schools
    tables = Given(schools=with_ids(plain))
    derived = LongitudinalSchools(_inputs(_Store()), tables).derived()
    with page_mode():
        made = [one for one in blocks(LongitudinalSchools(_inputs(_Store()), tables)) if not isinstance(one, Result)]
        outputs = collect_outputs(notebook(code(*made), head=make_head()))
    words = ("Aldermoor", "E90000001", "attendance@example.org", "Numbers below 10 are hidden.")
    evidence = evidence_for([tables.table("schools")], outputs, words=words, texts=MARKDOWN, derived=derived)
    assert [str(finding) for finding in check_page(outputs.html, evidence)] == []
    assert not [one for text in outputs.tables.values() for one in check_csv(text, evidence)]
    # The same page is refused if nobody derived its figures.
    without = evidence_for([tables.table("schools")], outputs, words=words, texts=MARKDOWN)
    assert check_page(outputs.html, without)
