"""The overview's blocks on synthetic pupils: complete, cleared, and said as the figures allow."""

from __future__ import annotations

import json
import re

import duckdb
import pandas as pd
import pytest

import attendance_toolkit as at
from attendance_toolkit.errors import NoDataError, UnknownAreaError
from attendance_toolkit.presentation.blocks import MIME, Figure, Notice, Table

METHODS = (
    "head", "tiles", "missing_notice", "phase_table", "gap_table", "term_table", "group_sentences", "group_table",
    "year_group_figure", "year_group_table", "band_table", "reason_table", "lost_learning_table", "unknown_table", "results",
)  # fmt: skip


def open_page(store, **more):
    given = {"area": "Irwell Bank", "academic_year": "2023/24", "store": str(store), **more}
    return at.Overview(at.open_inputs(**given))


@pytest.fixture(scope="module")
def page(synthetic_store):
    return open_page(synthetic_store)


@pytest.fixture(scope="module")
def internal(synthetic_store):
    return open_page(synthetic_store, audience="internal")


def blocks(page):
    found = [getattr(page, name)() for name in METHODS]
    found += [page.findings(kind) for kind in ("overall", "persistent", "severe")]
    return found + [page.trend(f"{kind}_absence_rate") for kind in ("overall", "persistent", "severe")]


def test_every_block_is_made_from_pupil_level_data(page):
    made = blocks(page)
    assert not [block for block in made if isinstance(block, Notice) and block.title == "Not available"]
    assert all(json.loads(json.dumps(block._repr_mimebundle_()[0][MIME])) for block in made)


def test_every_table_and_figure_says_synthetic(page):
    for block in blocks(page):
        if isinstance(block, (Table, Figure)):
            assert "synthetic" in block.source.lower(), block.id


def test_partner_page_shows_no_count_from_1_to_9_and_no_exact_count(page):
    shown = [cell for block in blocks(page) if isinstance(block, Table) for row in block.rows for cell in row.cells]
    counts = [
        cell.value
        for block in (page.group_table(), page.band_table(), page.unknown_table())
        for row in block.rows
        for cell, column in zip(row.cells, block.columns[1:], strict=True)
        if column.label in ("Enrolments", "Number", "Enrolments not known") and cell.value is not None
    ]
    assert shown
    assert counts
    assert all(value == 0 or value >= 10 for value in counts)
    assert all(value % 5 == 0 for value in counts)


def test_internal_page_shows_exact_counts_and_its_mark(internal):
    counts = [row.cells[0].value for row in internal.group_table().rows]
    assert any(value % 5 for value in counts)
    assert dict(internal.head().facts)["Status"] == "OFFICIAL-SENSITIVE"


def test_headline_numbers_equal_sql_on_the_store(internal, synthetic_store):
    # The oracle: SQL written for this test, DfE's rules in its own words.
    path = f"{synthetic_store}/pupil_term/**/*.parquet"
    enrolments, missed, possible, persistent, severe = duckdb.sql(f"""
        WITH e AS (SELECT upn, laestab, phase, sum(sessions_possible) p, sum(sessions_authorised + sessions_unauthorised) a,
                   sum(CASE WHEN half_term <> '6' THEN sessions_possible ELSE 0 END) early
                   FROM read_parquet('{path}', hive_partitioning = false)
                   WHERE la_code = 'E08900009' AND academic_year = 202324 AND age BETWEEN 5 AND 15 AND NOT is_boarder
                     AND sessions_possible > 0 AND NOT (age = 15 AND half_term = '6')
                   GROUP BY ALL HAVING early > 0),
             k AS (SELECT *, count(*) OVER (PARTITION BY laestab) n FROM e)
        SELECT count(*), sum(a), sum(p), sum((10 * a >= p)::int), sum((2 * a >= p)::int) FROM k
        WHERE n >= 6 AND phase IN ('Primary', 'Secondary', 'Special')""").fetchall()[0]
    rows = {row["id"]: row for row in internal.results().rows}
    overall = rows["overall_absence_rate:202324:all-schools"]
    assert (overall["numerator"], overall["denominator"]) == (missed, possible)
    pa = rows["persistent_absence_rate:202324:all-schools"]
    assert (pa["numerator"], pa["denominator"]) == (persistent, enrolments)
    assert rows["severe_absence_rate:202324:all-schools"]["numerator"] == severe
    assert rows["mean_sessions_missed:202324:all-schools"]["rate"] == pytest.approx(missed / enrolments)


def test_groups_add_up_to_all_pupils(internal):
    table = internal.groups.select(academic_year=202324, measure="enrolments").rows
    for (phase, name), part in table[table["level"] != "All"].groupby(["phase", "characteristic"]):
        everybody = table[(table["phase"] == phase) & (table["level"] == "All")]["numerator"].iloc[0]
        assert part["numerator"].sum() == everybody, (phase, name)


def test_sentences_say_rose_or_fell_only_where_the_interval_leaves_out_zero(page):
    for kind in ("overall", "persistent", "severe"):
        found = page._change(f"{kind}_absence_rate")
        text = " ".join(page.findings(kind).sentences)
        if found is not None:
            clear = found[2]["lower"] > 0 or found[2]["upper"] < 0
            assert bool(re.search(r" (rose|fell) by ", text)) == clear


def test_percent_is_never_written_for_points(page):
    for kind in ("overall", "persistent", "severe"):
        for sentence in page.findings(kind).sentences:
            assert not re.search(r"(rose|fell|increased|decreased) by [\d.]+%", sentence)


def test_no_path_of_the_store_on_the_page(page, synthetic_store):
    assert str(synthetic_store.parent) not in json.dumps([b._repr_mimebundle_()[0][MIME] for b in blocks(page)])


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"area": "Trafford"}, UnknownAreaError, r"no pupils of Trafford.*It holds: Aldermoor, Irwell Bank"),
        ({"area": "Irwel Bank"}, UnknownAreaError, r"Did you mean 'Irwell Bank'\?"),
        ({"academic_year": "2018/19"}, NoDataError, r"no data for 2018/19. It holds: 2021/22, 2022/23, 2023/24"),
    ],
)
def test_what_the_store_does_not_hold_is_said(synthetic_store, given, error, says):
    with pytest.raises(error, match=says):
        open_page(synthetic_store, **given)


def test_reference_values_stand_beside_local_figures(page):
    columns = {(c.group, c.label) for c in page.phase_table().columns}
    assert ("2023/24, DfE census", "England") in columns
    assert ("2023/24, synthetic", "Irwell Bank") in columns


def test_a_year_of_history_less_gives_no_three_year_mean(synthetic_store):
    early = open_page(synthetic_store, academic_year="2022/23")
    assert "three yearly rates" not in " ".join(early.findings("overall").sentences)
    assert "holds 2 of the last three" in early.missing_notice().text


def test_cells_and_measures_can_be_explored(page):
    cells = page.inputs.local_cells(["phase", "sex"])
    assert isinstance(cells, pd.DataFrame)
    assert {"area_code", "academic_year", "phase", "sex", "enrolments"} <= set(cells.columns)


def test_no_band_can_be_had_from_the_absentees_on_the_same_page(page):
    """Bands, persistent and severe absentees are one set of figures: a hidden band must not follow from the others."""
    bands = page.bands.select(area_code=page.area.code, academic_year=202324).rows
    cards = page.cards.select(academic_year=202324).rows.set_index(["phase", "measure"])["symbol"]
    for phase, part in bands.groupby("phase"):
        symbol = part.set_index("band")["symbol"]
        assert symbol["50% or more"] == cards[phase, "severe_absence_rate"]
        if cards[phase, "persistent_absence_rate"]:
            continue
        for pair in (["0% to under 5%", "5% to under 10%"], ["10% to under 20%", "20% to under 50%"]):
            assert len(set(symbol[pair])) == 1 or (symbol[pair] == "").all(), phase
