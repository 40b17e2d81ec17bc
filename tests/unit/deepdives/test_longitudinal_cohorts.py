"""Year groups a year later, and districts' directions: against the published file read by the csv module alone."""

from __future__ import annotations

import csv
import gzip
import json
import math
from collections import defaultdict

import pytest

import attendance_toolkit as at
from attendance_toolkit.deepdives.longitudinal_cohorts import FROM_YEARS, LongitudinalCohorts
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import wilson_interval
from attendance_toolkit.presentation.blocks import MIME, Figure, Findings, Notice, Result, Table
from attendance_toolkit.vocabulary.areas import ENGLAND
from tests.unit.deepdives.severe_tables import Given, inputs, rate_row, table

PA, SA = "persistent_absence_rate", "severe_absence_rate"
TRAFFORD = "E08000009"


@pytest.fixture(scope="module")
def folder(shared):
    return shared / "data" / "real" / "absence_bands_la_year_group"


@pytest.fixture(scope="module")
def real(folder):
    """Return (year, area, school type, year group) -> [persistent, severe, enrolments], with the csv module alone.

    Columns 15 to 17 are the first bands of five points; the band of 50% and more is the last.
    """
    found = defaultdict(lambda: [0, 0, 0])
    with gzip.open(folder / "absence_bands_distributions.csv.gz", "rt", encoding="utf-8-sig", newline="") as handle:
        for line in csv.reader(handle):
            if line[1] not in ("201617", "202122", "202223"):
                continue
            bands = [int(value) for value in line[15:26]]
            for area in (ENGLAND, line[8].strip()):
                cell = found[line[1], area, line[10], line[14]]
                cell[0] += sum(bands[2:])
                cell[1] += bands[-1]
                cell[2] += sum(bands)
    return found


def rate(real, year, area, group, column, phases):
    cells = [real[year, area, phase, group] for phase in phases]
    return sum(cell[column] for cell in cells) / sum(cell[2] for cell in cells)


MAIN = ("State-funded primary", "State-funded secondary", "Special")


def open_page(folder, area, year="2022/23"):
    return LongitudinalCohorts(at.open_inputs(area=area, academic_year=year, published=[str(folder)]))


@pytest.fixture(scope="module")
def trafford(folder):
    return open_page(folder, "Trafford")


@pytest.fixture(scope="module")
def manchester(folder):
    return open_page(folder, "Greater Manchester")


def blocks(page):
    return [
        page.cohort_figure(PA), page.cohort_figure(SA), page.cohort_table(), page.cohort_sentences(),
        page.district_table(), page.district_sentences(),
    ]  # fmt: skip


# -- the published file -------------------------------------------------------------------------------


def test_steps_of_the_area_and_of_england_equal_the_file(trafford, real):
    for code in (TRAFFORD, ENGLAND):
        for about, column in ((PA, 0), (SA, 1)):
            for level in FROM_YEARS:
                after = rate(real, "202223", code, str(int(level) + 1), column, MAIN)
                before = rate(real, "202122", code, level, column, MAIN)
                got = trafford.cohort_step(about, level, 202223, code)["rate"]
                assert got == pytest.approx(after - before, abs=1e-12)


#: England, all school types, 2021/22 to 2022/23, percentage points: DfE's absence bands file.
GOLDEN = {"6": (2.29, 1.03), "7": (4.29, 1.53), "8": (2.40, 1.64)}


@pytest.mark.parametrize("level", GOLDEN)
def test_steps_of_england_are_the_known_ones(trafford, level):
    steps = [trafford.cohort_step(about, level, 202223, ENGLAND) for about in (PA, SA)]
    assert tuple(round(100 * step["rate"], 2) for step in steps) == GOLDEN[level]


def test_intervals_are_newcombe_s(trafford, real):
    cells = [
        [sum(real[year, TRAFFORD, phase, group][column] for phase in MAIN) for column in (0, 2)]
        for year, group in (("202122", "6"), ("202223", "7"))
    ]
    (p0, (l0, u0)), (p1, (l1, u1)) = ((y / n, wilson_interval(y, n)) for y, n in cells)
    got = trafford.cohort_step(PA, "6")
    assert got["lower"] == pytest.approx(p1 - p0 - math.hypot(p1 - l1, u0 - p0))
    assert got["upper"] == pytest.approx(p1 - p0 + math.hypot(u1 - p1, p0 - l0))


def test_no_step_leads_over_the_year_without_figures(trafford):
    rows = trafford.cohort_steps.rows
    steps = set(zip(rows["since"], rows["academic_year"], strict=True))
    assert steps == {(201617, 201718), (201718, 201819), (202021, 202122), (202122, 202223)}


def test_the_pandemic_is_marked_where_its_years_are(folder, trafford):
    assert any("2020/21 and 2021/22" in note for note in trafford.cohort_table().notes)
    early = open_page(folder, "Trafford", "2018/19")
    assert not any("pandemic" in note for note in early.cohort_table().notes)


def test_what_is_said_of_trafford_follows_from_the_file(trafford):
    text = trafford.cohort_sentences().plain_text()
    assert "clearly fell (percentage points) from Year 1 to Year 2 (−4.7)" in text
    assert "from Year 6 to Year 7 (−2.0 against +2.3)" in text
    assert "not the same pupils" in text


def test_every_step_said_to_differ_from_england_s_has_an_interval_of_the_difference_beyond_0(trafford):
    text = "\n".join(trafford._against_england(PA))
    for level in FROM_YEARS:
        own, england = trafford.cohort_step(PA, level), trafford.cohort_step(PA, level, code=ENGLAND)
        gap = own["rate"] - england["rate"]
        low = gap - math.hypot(own["rate"] - own["lower"], england["upper"] - england["rate"])
        high = gap + math.hypot(own["upper"] - own["rate"], england["rate"] - england["lower"])
        assert (f"Year {level} to Year {int(level) + 1} (" in text) == (low > 0 or high < 0)


@pytest.mark.parametrize("area", ["Greater Manchester", "England", "Trafford"])
def test_blocks_of_every_level_are_made(folder, area):
    made = blocks(open_page(folder, area))
    assert all(json.loads(json.dumps(block._repr_mimebundle_()[0][MIME])) for block in made)
    assert all(isinstance(block, (Figure, Table, Findings)) for block in made[:4])
    tables = [block for block in made if isinstance(block, Table)]
    assert all(len(block.columns) <= 8 for block in tables)


# -- districts ----------------------------------------------------------------------------------------


def test_changes_of_districts_equal_the_file_and_their_direction_the_definition(manchester, real):
    every = {group for _, _, _, group in real}
    for about, column in ((PA, 0), (SA, 1)):
        for since in (201617, 202122):
            for area in manchester.followed_districts:
                counts = []
                for year in (str(since), "202223"):
                    cells = [real[year, area.code, phase, group] for phase in MAIN for group in every]
                    counts.append((sum(cell[column] for cell in cells), sum(cell[2] for cell in cells)))
                (y0, n0), (y1, n1) = counts
                change = manchester._changes_lookup(area_code=area.code, since=since, about=about)
                assert change["rate"] == pytest.approx(y1 / n1 - y0 / n0, abs=1e-12)
                # Chance measured another way: the standard normal test of two proportions.
                pooled = (y0 + y1) / (n0 + n1)
                z = (y1 / n1 - y0 / n0) / math.sqrt(pooled * (1 - pooled) * (1 / n0 + 1 / n1))
                if abs(abs(z) - 1.96) > 0.05:
                    expected = "cannot tell" if abs(z) < 1.96 else "improving" if z < 0 else "deteriorating"
                    assert manchester.district_direction(area.code, about, since) == expected


def test_districts_stand_by_name_with_the_definition(manchester):
    made = manchester.district_table()
    names = [row.header for row in made.rows if row.section == "Persistent absence"]
    assert len(names) == 10
    assert names == sorted(names)
    assert "lies wholly below 0" in made.notes[0]
    assert any("2019/20" in note for note in made.notes[1:])


def test_each_district_is_said_once_in_a_sentence(manchester):
    first = manchester.district_sentences().sentences[0]
    assert all(first.count(area.name) == 1 for area in manchester.followed_districts)


def test_a_local_authority_has_no_districts(trafford):
    assert trafford.district_table() == Result(())
    assert trafford.district_sentences() == Result(())


# -- hidden figures -----------------------------------------------------------------------------------


def hand_made(persistent):
    """Return a page with these figures of persistent absence: (year, year group) -> (count, size) or a symbol."""
    rows = [
        rate_row(figure, PA, academic_year=year, phase="All schools", characteristic="nc_year", level=level)
        for (year, level), figure in persistent.items()
    ]
    return LongitudinalCohorts(inputs(), Given(groups=table(rows)))


def steady(**changed):
    found = {(year, str(group)): (100, 1000) for year in (202122, 202223) for group in range(1, 12)}
    return found | {(202223, level.removeprefix("y")): figure for level, figure in changed.items()}


def test_a_hidden_year_group_hides_the_step_into_it_and_is_said_to_be_hidden():
    page = hand_made(steady(y7="c"))
    step = page.cohort_step(PA, "6")
    assert step["symbol"] == "c"
    assert math.isnan(step["rate"])
    assert page.cohort_step(PA, "7")["symbol"] == ""
    text = page.cohort_sentences().plain_text()
    assert "into secondary school (from Year 6 to Year 7) cannot be told" in text
    assert "those of others are hidden" in text
    assert page.cohort_table().rows[5].cells[0].symbol == "c"


def test_with_most_steps_hidden_nothing_is_drawn():
    page = hand_made(steady(**{f"y{level}": "c" for level in range(2, 10)}))
    assert isinstance(page.cohort_figure(PA), Notice)


def test_a_rise_is_called_the_largest_only_if_it_is_clear_of_all_others():
    alone = hand_made(steady(y8=(200, 1000))).cohort_sentences().sentences[0]
    assert "rose most from Year 7 to Year 8: by 10.0 percentage points" in alone
    both = hand_made(steady(y8=(200, 1000), y9=(190, 1000))).cohort_sentences().sentences[0]
    assert "the largest clear rise" in both
    assert "not all clearly smaller" in both
    # A hidden step may be larger still.
    hidden = hand_made(steady(y8=(200, 1000), y4="c")).cohort_sentences().sentences[0]
    assert "rose most" not in hidden


def test_without_change_nothing_rose_or_fell():
    text = hand_made(steady()).cohort_sentences().plain_text()
    assert "did not clearly rise" in text
    assert "did not clearly change" in text
    assert "clearly fell" not in text


def test_one_year_alone_has_no_steps():
    page = hand_made({key: figure for key, figure in steady().items() if key[0] == 202223})
    with pytest.raises(NoDataError, match="two years that follow each other"):
        _ = page.cohort_steps
    assert isinstance(page.cohort_table(), Notice)
    assert page.cohort_sentences() == Result(())
