"""Vulnerable groups, looked-after children, waves and placements: a printed report's arithmetic, plain pandas, published files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import duckdb
import pandas as pd
import pytest

import attendance_toolkit as at
from attendance_toolkit.deepdives.vulnerable_england import VulnerableEngland
from attendance_toolkit.deepdives.vulnerable_groups import VulnerableGroupBlocks
from attendance_toolkit.deepdives.vulnerable_groups_data import GROUPS, TOGETHER
from attendance_toolkit.deepdives.vulnerable_looked_after import LookedAfterBlocks
from attendance_toolkit.deepdives.vulnerable_placements import ELSEWHERE, OTHER, SAME, VulnerablePlacements
from attendance_toolkit.deepdives.vulnerable_published import PUBLISHED_GROUPS, VulnerablePublished
from attendance_toolkit.deepdives.vulnerable_waves import VulnerableWaves
from attendance_toolkit.presentation.blocks import Notice
from attendance_toolkit.store.parts import FLAG_COLUMNS
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, PUPIL_TERM

HERE, BESIDE = "E08900009", "E08900008"  # Irwell Bank and another synthetic district
YEARS = (202223, 202324)
SOCIAL = "absence_social_care_groups/absence_six_half_terms_la_201617_202223.csv"


def missed_sessions(year: int) -> list[tuple[str, str, int, bool]]:
    """Return (school type, year group, sessions missed of 300, has SEN) of 200 looked-after children as Trafford prints them.

    2023/24: 16.7% missed, 86 persistent absentees (71 secondary, 15 primary; 31 of 49 in Year 11), 33 severe. 2022/23: 12.4%.
    """
    if year == 202223:
        missed = [180] * 25 + [60] * 35 + [6] * 140
        return [
            ("Secondary" if n < 100 else "Primary", "8" if n < 100 else "4", m, False) for n, m in enumerate(missed)
        ]
    secondary = [("11", 180)] * 15 + [("11", 60)] * 16 + [("9", 180)] * 15 + [("9", 60)] * 25
    secondary += [("11", 8)] * 18 + [("8", 8)] * 31
    primary = [("5", 180)] * 3 + [("5", 60)] * 12 + [("3", 8)] * 53 + [("2", 7)] * 12
    rows = [("Secondary", nc, m, m == 180) for nc, m in secondary] + [("Primary", nc, m, False) for nc, m in primary]
    assert sum(m for _, _, m, _ in rows) == 0.167 * 300 * 200
    return rows


def pupil_rows() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return PUPIL_TERM rows and flags: the looked-after children, and others with nothing special about them."""
    rows, flags = [], []

    def add(upn, year, phase, nc_year, missed, *, la=HERE, looked_after="No", sen="No SEN", **flag):
        rows.append(dict.fromkeys(PUPIL_TERM, 0) | {
            "upn": upn, "la_code": la, "laestab": (9890000 if la == HERE else 9880000) + (4001 if phase == "Secondary" else 2001),
            "academic_year": year, "term": "year", "half_term": "1-6", "phase": phase, "nc_year": nc_year,
            "age": int(nc_year) + 4, "is_boarder": False, "on_roll": True, "sessions_possible": 300,
            "sessions_authorised": missed, "looked_after": looked_after, "social_worker": looked_after, "sen_provision": sen,
            "sex": "Female", "fsm_eligible": "Not known to be FSM eligible", "fsm6": "Not FSM in the last six years",
            "ethnicity_major": "White", "ethnicity_minor": "White British", "first_language": "English", "enrol_status": "Single",
        })  # fmt: skip
        flags.append(
            {"upn": upn, "academic_year": year, "looked_after": looked_after, "social_worker": looked_after} | flag
        )

    for year in YEARS:
        for n, (phase, nc_year, missed, has_sen) in enumerate(missed_sessions(year)):
            whose = HERE if n % 4 else BESIDE
            add(n, year, phase, nc_year, missed, looked_after="Yes", sen="SEN support" if has_sen else "No SEN",
                responsible_la=whose, protection_plan="No", young_carer="No")  # fmt: skip
        for n in range(1000, 1400):
            add(n, year, "Secondary" if n % 2 else "Primary", "9" if n % 2 else "4", 30 if n % 10 == 0 else 9,
                young_carer="Yes" if n % 20 == 1 else "No", protection_plan="No")  # fmt: skip
        for n in range(2000, 2100):
            cared_for = "Yes" if n < 2030 else "No"
            add(n, year, "Primary", "4", 15, la=BESIDE, looked_after=cared_for, young_carer="No",
                responsible_la=(HERE if n < 2012 else BESIDE) if cared_for == "Yes" else None)  # fmt: skip
    return pd.DataFrame(rows), pd.DataFrame(flags).reindex(columns=list(FLAG_COLUMNS))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A store written without the loader: rows, and the flags of them."""
    root = tmp_path_factory.mktemp("vulnerable") / "store"
    rows, flags = pupil_rows()
    con, partitions = duckdb.connect(), []
    con.register("rows_of", rows)
    con.register("flags_of", flags.astype(object).where(flags.notna(), None))
    cast = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in PUPIL_TERM.items())
    for la in (HERE, BESIDE):
        for year in YEARS:
            path = root / "pupil_term" / f"la_code={la}" / f"academic_year={year}" / "part.parquet"
            path.parent.mkdir(parents=True)
            chosen = con.sql(f"SELECT {cast} FROM rows_of WHERE la_code = '{la}' AND academic_year = {year}")
            chosen.write_parquet(str(path))
            partitions.append({"la_code": la, "academic_year": year, "collection": "census", "rows": len(chosen),
                               "bytes": path.stat().st_size})  # fmt: skip
    cast = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in FLAG_COLUMNS.items())
    for year in YEARS:
        path = root / "parts" / "flags" / f"academic_year={year}" / "part.parquet"
        path.parent.mkdir(parents=True)
        con.sql(f"SELECT {cast} FROM flags_of WHERE academic_year = {year}").write_parquet(str(path))
    (root / "quarantine").mkdir()
    manifest = {"version": 2, "partitions": partitions, "is_synthetic": True, "loads": []}
    (root / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return root, rows, flags


def opened(world, *, area="Irwell Bank", audience="internal"):
    return at.open_inputs(area=area, academic_year="2023/24", store=str(world[0]), audience=audience)


class Page(
    LookedAfterBlocks,
    VulnerableEngland,
    VulnerableGroupBlocks,
    VulnerableWaves,
    VulnerablePlacements,
    VulnerablePublished,
):
    """All parts of the page, so that each audience's tables are cleared once."""


@pytest.fixture(scope="module")
def internal(world):
    """The page of the authority's own staff: exact figures."""
    return Page(opened(world))


@pytest.fixture(scope="module")
def partner(world):
    """The page of partners."""
    return Page(opened(world, audience="partner"))


# --- the printed report ----------------------------------------------------------------------------------


def test_trafford_virtual_school_as_printed(internal):
    """Seed report 12.2 to 12.4: 86 = 71 + 15; 31 of 49 = 63%; 12.4% to 16.7%, printed as 4.3%, is 4.3 percentage points; 33."""
    page = internal
    said = " ".join(page.looked_after_sentences().sentences)
    assert "86 looked-after children (43.0%) missed 10% or more" in said
    assert "71 in secondary schools and 15 in primary schools" in said
    assert "31 looked-after children in Year 11 missed 10% or more of their sessions: 63.3% of those in Year 11" in said
    assert "12.4%" in said
    assert "16.7%" in said
    assert "4.3 percentage points" in said
    assert "33 looked-after children (16.5%) missed half or more" in said
    assert "30 of the 33 looked-after children" in said
    year_11 = page.of_year_group("persistent_absence_rate", "11")
    assert (year_11["numerator"], year_11["denominator"]) == (31, 49)


# --- beside England -----------------------------------------------------------------------------------------


def test_without_a_file_of_ones_own_social_care_groups_are_held_against_nothing(internal):
    shown = {(row.section, row.header) for row in internal.england_table().rows}
    assert shown == {
        ("All schools", "All pupils"), ("Primary", "All pupils"), ("Secondary", "All pupils"), ("Secondary", "SEN support"),
    }  # fmt: skip
    notice = internal.england_missing().text
    assert "looked-after children" in notice
    assert "DfE advises against comparing them" in notice
    assert "young carers" in notice
    assert "SEN support" not in notice


def test_groups_are_held_against_the_figures_an_authority_gives(world, tmp_path):
    """16.7% missed and 43.0% persistently absent, as planted, against 8.9% and 19.8% given."""
    own = tmp_path / "own.csv"
    own.write_text(
        "academic_year,phase,group,absence,persistent_absence,source\n2023/24,All schools,CLA,8.9,19.8,An example\n",
        encoding="utf-8",
    )
    inputs = at.open_inputs(
        area="Irwell Bank", academic_year="2023/24", store=str(world[0]), audience="internal", published=[str(own)]
    )
    page = Page(inputs)
    table = page.england_table()
    (row,) = [row for row in table.rows if row.header == "Looked after"]
    assert row.section == "All schools"
    assert [row.cells[place].text for place in (0, 1, 2, 4, 5, 6)] == ["16.7", "8.9", "+7.8", "43.0", "19.8", "+23.2"]
    assert "Given by the authority: own.csv: An example." in table.notes
    assert any("DfE warns against comparing" in note for note in table.notes)
    said = page.england_sentences().sentences
    assert any("7.8 percentage points above the figure the authority gave for England (8.9%)" in text for text in said)
    assert "DfE advises against comparing absence of looked-after children" in said[-1]
    assert "looked-after children" not in page.england_missing().text


def test_a_file_of_another_year_is_told_of(world, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("academic_year,phase,group,absence,source\n2022/23,All schools,CLA,8.9,DfE\n", encoding="utf-8")
    inputs = at.open_inputs(
        area="Irwell Bank", academic_year="2023/24", store=str(world[0]), audience="internal", published=[str(own)]
    )
    text = Page(inputs).england_missing().text
    assert "The file of national figures that was given has none of 2023/24, only of 2022/23." in text
    assert "looked-after children" in text


# --- against plain pandas ---------------------------------------------------------------------------------


def expected(rows: pd.DataFrame) -> tuple[int, int, int, float]:
    """Return enrolments, persistent and severe absentees and the share of sessions missed, row by row."""
    missed, possible = rows["sessions_authorised"], rows["sessions_possible"]
    return (
        len(rows),
        int((missed * 10 >= possible).sum()),
        int((missed * 2 >= possible).sum()),
        missed.sum() / possible.sum(),
    )


def test_groups_equal_pandas(internal, world):
    page = internal
    _, rows, flags = world
    both = rows.merge(flags[["upn", "academic_year", "young_carer", "protection_plan"]], on=["upn", "academic_year"])
    both = both[both["la_code"] == HERE]
    compared = 0
    for year in YEARS:
        for phase in (ALL_SCHOOLS, "Primary", "Secondary"):
            for name, level in ((ALL, ALL), *GROUPS):
                mine = page.figure_of((name, level), "overall_absence_rate", phase=phase, year=year)
                chosen = both[both["academic_year"] == year]
                chosen = chosen if phase == ALL_SCHOOLS else chosen[chosen["phase"] == phase]
                chosen = chosen if name == ALL else chosen[chosen[name] == level]
                if chosen.empty or (year != YEARS[1] and phase != ALL_SCHOOLS and name != ALL):
                    assert mine is None
                    continue
                size, persistent, _, share = expected(chosen)
                other = page.figure_of((name, level), "persistent_absence_rate", phase=phase, year=year)
                assert mine["rate"] == pytest.approx(share, abs=1e-12)
                assert (other["numerator"], other["denominator"]) == (persistent, size)
                compared += 1
    assert compared == 19


def test_needs_together_part_all_pupils(internal):
    page = internal
    sizes = {
        level: page.figure_of((TOGETHER, level), "enrolments")
        for level in ("None of them", "One of them", "Two of them")
    }
    # 200 looked after, of whom the 30 severely absent in secondary schools have SEN support; 20 young carers of the others.
    assert {level: one["rate"] for level, one in sizes.items()} == {
        "None of them": 380, "One of them": 190, "Two of them": 30,
    }  # fmt: skip


def test_waves_equal_the_planted_children(internal):
    page = internal
    # 8 and 7 of 300 missed: over 95%. 60: exactly 80%, wave 1. 180: 40%, wave 3.
    found = {wave: page.in_wave(wave)["numerator"] for wave in page.wave_names}
    assert found == {"No wave": 114, "Wave 1": 53, "Wave 2": 0, "Wave 3": 33}
    assert "0 in wave 2 (0.0%)" in page.waves_sentences().sentences[0]


def test_partners_are_not_told_that_nobody_is_in_a_wave(partner):
    # Nobody in wave 2: a status that none of a group has tells of every child of it, as a small number does.
    assert partner.in_wave("Wave 2")["symbol"] == "c"
    hidden = [wave for wave in partner.wave_names if partner.in_wave(wave)["symbol"] == "c"]
    assert len(hidden) > 1


def test_placements_equal_the_planted_children(internal, world):
    page = internal
    found = {whom: page.in_care_of(whom, "enrolments")["rate"] for whom in (ALL, SAME, OTHER, ELSEWHERE)}
    assert found == {ALL: 200, SAME: 150, OTHER: 50, ELSEWHERE: 12}
    rows = world[1].merge(world[2][["upn", "academic_year", "responsible_la"]], on=["upn", "academic_year"])
    rows = rows[(rows["academic_year"] == YEARS[1]) & (rows["la_code"] == HERE) & (rows["responsible_la"] == BESIDE)]
    assert page.in_care_of(OTHER, "overall_absence_rate")["rate"] == pytest.approx(expected(rows)[3])


# --- what partners see -----------------------------------------------------------------------------------


def test_partners_see_totals_and_no_small_number(partner):
    page = partner
    assert page.looked_after("enrolments")["rate"] == 200
    hidden = page.of_year_group("severe_absence_rate", "5")  # 3 children
    assert hidden["symbol"] == "c"
    for table in (page.looked_after_table(), page.year_group_table()):
        for row in table.rows:
            assert all(
                cell.value is None or cell.value >= 10 or cell.value % 1 for cell in row.cells if cell.symbol != "z"
            )


def test_groups_too_small_to_be_parted_are_shown_in_total_alone(partner):
    page = partner
    carers = ("young_carer", "Yes")  # 20 of them
    assert page.figure_of(carers, "enrolments")["rate"] == 20
    assert {page.figure_of(carers, "enrolments", phase=p)["symbol"] for p in ("Secondary",)} == {"c"}
    said = " ".join(page.groups_sentences().sentences)
    assert "oung carers" in said


def test_without_lists_the_page_says_what_to_load(world, tmp_path):
    import shutil

    root = tmp_path / "store"
    shutil.copytree(world[0], root)
    shutil.rmtree(root / "parts" / "flags")
    inputs = at.open_inputs(area="Irwell Bank", academic_year="2023/24", store=str(root))
    notice = VulnerablePlacements(inputs).placements_table()
    assert isinstance(notice, Notice)
    assert "responsible_la" in notice.text
    missing = VulnerableGroupBlocks(inputs).missing_groups()
    assert "young_carer" in missing.text
    assert "protection_plan" in missing.text
    assert "social_worker" not in missing.text  # known from PUPIL_TERM


# --- published ---------------------------------------------------------------------------------------------


def test_published_groups_are_those_of_the_file(shared):
    path = Path(shared) / "data" / "real" / SOCIAL
    inputs = at.open_inputs(area="Trafford", academic_year="2022/23", published=[str(path)])
    page = VulnerablePublished(inputs)
    with path.open(encoding="utf-8-sig", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["time_period"] == "202223"]
    compared = 0
    for row in rows:
        if row["school_type"] != "Total" or (row["la_name"] or row["country_name"]) not in ("Trafford", "England"):
            continue
        if row["geographic_level"] == "Regional":
            continue
        code = row["new_la_code"] or row["country_code"]
        mine = page.published_figure(row["social_care_group"], "overall_absence_rate", code=code)
        assert round(mine["rate"] * 100, 1) == float(row["pt_overall"])
        compared += 1
    assert compared == 2 * len(PUBLISHED_GROUPS)
    assert "advises against comparing" in page.published_notice().text
    assert any("below England" in item or "above England" in item for item in page.published_sentences().sentences)
    assert VulnerableGroupBlocks(inputs).groups_table().__class__.__name__ == "Result"
