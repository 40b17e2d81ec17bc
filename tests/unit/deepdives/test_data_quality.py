"""The page on data quality, over stores in which defects were planted: verdicts, their reasons, and what is hidden."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from attendance_toolkit.deepdives.data_quality import DataQuality
from attendance_toolkit.inputs import open_inputs
from attendance_toolkit.loaders.load import load_files
from attendance_toolkit.metrics.coverage import Coverage, screening_of, store_coverage, term_facts
from attendance_toolkit.metrics.reportable import CARE, NO, REPORTING_RULES, SUBJECTS, YES, reportable
from attendance_toolkit.presentation.blocks import Block, Findings, Notice, PageHead, Result, Table
from attendance_toolkit.store import Store
from tests.screening.census_builder import Return
from tests.screening.write_cases import varied

TERMS = (("spring", 2024), ("summer", 2024), ("autumn", 2024))


def year_of(
    change: Callable[[Return, str, int], None] | None = None, schools: int = 2, pupils: int = 30
) -> list[Return]:
    """Return the three returns of 2023/24 of some schools; ``change`` is given each school's return, term and number."""
    made = []
    for number, (term, year) in enumerate(TERMS):
        whole: Return | None = None
        for school in range(schools):
            one = Return(
                term, year, pupils=pupils, leavers=0, estab=2001 + school, first=100 * school, prefix=f"981_{term}"
            )
            varied(one, 3 * number)
            if change is not None:
                change(one, term, school)
            whole = one if whole is None else whole.add(one)
        assert whole is not None
        made.append(whole)
    return made


def page_of(folder: Path, returns: list[Return], audience: str = "partner") -> DataQuality:
    for made in returns:
        made.write(folder / "in")
    load_files(folder / "in", folder / "store", key_file=folder / "key")
    return open_page(folder / "store", audience)


def open_page(store: Path, audience: str = "partner") -> DataQuality:
    return DataQuality(
        open_inputs(area="Aldermoor", academic_year="2023/24", audience=audience, store=str(store))
    )  # fmt: skip


def verdict(
    page: DataQuality, subject: str, term: str = "year", phase: str = "All schools"
) -> tuple[str, tuple[str, ...]]:
    row = page.verdict_on(202324, term, phase, subject)
    assert row is not None
    return row["verdict"], row["rules"]


def blocks(page: DataQuality) -> list[Block]:
    names = (
        "head", "tiles", "verdict", "verdict_by_term", "verdict_by_phase", "verdict_by_year", "coverage_table",
        "unmatched_table", "comparison_table", "unknown_figure", "findings_table", "findings_in_full", "set_aside_table",
        "files_table", "results",
    )  # fmt: skip
    return [getattr(page, name)() for name in names]


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clean")
    page_of(folder, year_of())
    return folder / "store"


# ---- verdicts


def test_a_clean_year_can_be_reported(clean: Path) -> None:
    page = open_page(clean)
    assert verdict(page, "absence") == (YES, ())
    assert verdict(page, "absentees") == (YES, ())
    assert verdict(page, "absentees", "autumn") == (CARE, ("absentees_of_a_term",))
    assert verdict(page, "sen") == (YES, ())
    # No file says who is looked after.
    assert verdict(page, "looked_after")[0] == NO
    assert any("nothing to report" in s for s in page.verdict().sentences)  # type: ignore[union-attr]


def test_a_year_without_a_term_cannot_be_reported(tmp_path: Path) -> None:
    spring, _, autumn = year_of()
    page = page_of(tmp_path, [spring, autumn])
    assert verdict(page, "absence") == (NO, ("year_incomplete",))
    assert verdict(page, "absence", "spring") == (NO, ("nothing_received",))
    assert verdict(page, "absence", "autumn") == (YES, ())
    assert isinstance(page.comparison_table(), Notice)
    text = page.verdict().plain_text()
    assert "Cannot be reported for all schools of Aldermoor in the full year 2023/24: all figures listed below." in text
    assert (
        "All schools in the spring term of 2023/24: cannot be reported. No sessions of this term were received." in text
    )


def test_half_a_summer_is_reported_with_care(tmp_path: Path) -> None:
    spring, summer, autumn = year_of()
    for row in autumn.tables["pupilonroll"]:
        row["summerhalfterm2sessionspossible"] = ""
    del autumn.tables["summerhalfterm2sessiondetailsonroll"]
    page = page_of(tmp_path, [spring, summer, autumn])
    assert verdict(page, "absence", "summer") == (CARE, ("term_incomplete",))
    assert verdict(page, "absence") == (NO, ("year_incomplete",))


def test_missing_schools_are_said(tmp_path: Path) -> None:
    returns = year_of(schools=3)
    for table, rows in returns[1].tables.items():
        returns[1].tables[table] = [row for row in rows if row.get("NativeId") != "9812003"]
    page = page_of(tmp_path, returns)
    assert verdict(page, "absence", "spring") == (NO, ("schools_few",))
    assert verdict(page, "absence", "autumn") == (YES, ())
    assert verdict(page, "absence") == (NO, ("schools_few",))
    table = page.coverage_table()
    assert isinstance(table, Table)
    assert [cell.text for cell in table.rows[0].cells] == ["3 of 3", "2 of 3, part", "3 of 3"]
    assert table.rows[0].emphasis
    assert page.tiles().tiles[2].value == "2 of 3"  # type: ignore[union-attr]


def test_a_copied_term_is_said_and_marked_in_its_term_only(tmp_path: Path) -> None:
    def copy(made: Return, term: str, school: int) -> None:
        if term == "summer":
            varied(made, 0)

    page = page_of(tmp_path, year_of(copy))
    assert verdict(page, "absence", "spring") == (CARE, ("school_copied",))
    assert verdict(page, "absence", "autumn") == (YES, ())
    assert verdict(page, "absence") == (CARE, ("school_copied",))


def test_missing_reasons_stop_reasons_alone(tmp_path: Path) -> None:
    def unexplained(made: Return, term: str, school: int) -> None:
        for place, row in enumerate(made.tables["pupilonroll"]):
            given = 20 + (place + 3 * [name for name, _ in TERMS].index(term)) % 10
            row |= {"termlysessionsauthorised": str(given), "termlysessionsunauthorised": "1"}

    page = page_of(tmp_path, year_of(unexplained))
    assert verdict(page, "reasons") == (NO, ("reasons_few",))
    assert verdict(page, "absence") == (YES, ())


@pytest.mark.parametrize(("unknown", "expected"), [(4, YES), (6, YES), (10, CARE), (20, NO)])
def test_a_characteristic_is_reported_as_far_as_it_is_known(tmp_path: Path, unknown: int, expected: str) -> None:
    # Of 60 pupils; fewer than ten whose records are incomplete are not talked about.
    def blank(made: Return, term: str, school: int) -> None:
        for row in made.tables["pupilonroll"][: unknown // 2]:
            row["senprovision"] = ""

    page = page_of(tmp_path, year_of(blank))
    assert verdict(page, "sen", "autumn")[0] == expected
    assert verdict(page, "absence")[0] == YES


def test_few_pupils_are_not_reported_to_partners(tmp_path: Path) -> None:
    page = page_of(tmp_path, year_of(schools=1, pupils=4))
    assert verdict(page, "absence") == (NO, ("too_few",))
    assert verdict(open_page(tmp_path / "store", "internal"), "absence") == (YES, ())


def test_every_rule_gives_no_number_of_pupils_and_a_reason() -> None:
    ids = [rule.id for rule in REPORTING_RULES]
    assert len(ids) == len(set(ids))
    for rule in REPORTING_RULES:
        assert rule.verdict in (CARE, NO)
        assert rule.says.endswith(".")
        assert "{" not in rule.says
        assert set(rule.subjects) <= {s.name for s in SUBJECTS}


def test_verdicts_of_nothing_are_nothing() -> None:
    assert reportable(pd.DataFrame()).empty


# ---- facts


def test_facts_are_those_of_a_count_by_pandas(clean: Path) -> None:
    rows = Store.open(clean).pupil_terms()
    facts = term_facts(rows, store_coverage(Store.open(clean).pupil_terms()), ["E08900001"])
    frame = Store.open(clean).pupil_terms().df()
    for term in ("autumn", "spring", "summer"):
        here = frame[frame["term"] == term]
        one = facts[(facts["term"] == term) & (facts["phase"] == "All schools")].iloc[0]
        assert one["enrolments"] == here[["upn", "laestab"]].drop_duplicates().shape[0] == 60
        assert one["sessions_possible"] == here["sessions_possible"].sum()
        assert one["sessions_absent"] == (here["sessions_authorised"] + here["sessions_unauthorised"]).sum()
    year = facts[(facts["term"] == "year") & (facts["phase"] == "All schools")].iloc[0]
    assert year["sessions_possible"] == frame["sessions_possible"].sum()
    assert year["halves"] == frozenset(range(1, 7))


def test_coverage_of_a_store_is_that_of_its_load(clean: Path) -> None:
    store = Store.open(clean)
    kept = screening_of(store.screening()).coverage
    again = store_coverage(store.pupil_terms())
    assert len(kept.areas)
    for name in ("areas", "unmatched"):
        one, other = (json.loads(getattr(c, name).to_json(orient="records")) for c in (kept, again))
        assert one == other


def test_a_store_that_keeps_no_screening_is_described_all_the_same(clean: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(clean, tmp_path / "store")
    (tmp_path / "store" / "screening.json").unlink()
    page = open_page(tmp_path / "store")
    assert verdict(page, "absence") == (YES, ())
    assert isinstance(page.files_table(), Notice)
    assert "does not keep what screening said" in page.verdict().plain_text()
    assert isinstance(page.coverage_table(), Table)


# ---- what is shown to whom


def test_counts_of_few_pupils_are_hidden_from_partners_only(tmp_path: Path) -> None:
    def temporary(made: Return, term: str, school: int) -> None:
        # Five pupils of the first school lose their UPN: nine rows in three censuses would be told.
        if school == 0 and term == "spring":
            for row in made.tables["pupilonroll"][:5]:
                row["upn"] = ""

    page = page_of(tmp_path, year_of(temporary))
    aside = page.set_aside_table()
    assert isinstance(aside, Table)
    shown = {row.header: [cell.shown for cell in row.cells] for row in aside.rows}
    assert shown["Spring census 2024"] == ["60", "c", "c"]
    assert shown["Summer census 2024"] == ["60", "60", "0"]
    assert shown["All files"] == ["180", "c", "c"]
    words = "How many were set aside is hidden to protect small numbers"
    assert page.tiles().tiles[1].comparison == words  # type: ignore[union-attr]
    table = page.findings_table()
    assert isinstance(table, Table)
    assert [row.cells[2].shown for row in table.rows if row.header == "Every pupil has a UPN"] == ["c"]
    assert isinstance(page.findings_in_full(), Result)
    inside = open_page(tmp_path / "store", "internal")
    table = inside.set_aside_table()
    assert isinstance(table, Table)
    assert {row.header: [cell.shown for cell in row.cells] for row in table.rows}["Spring census 2024"] == [
        "60",
        "55",
        "5",
    ]
    full = inside.findings_in_full()
    assert isinstance(full, Findings)
    assert "981_spring_pupilonroll.csv, row 2, upn" in full.sentences[0]


def test_no_school_is_named_to_partners(tmp_path: Path) -> None:
    returns = year_of(schools=3)
    for table, rows in returns[1].tables.items():
        returns[1].tables[table] = [row for row in rows if row.get("NativeId") != "9812003"]
    page = page_of(tmp_path, returns)
    shown = json.dumps([block.document() for block in blocks(page)])
    assert "981200" not in shown
    inside = json.dumps([block.document() for block in blocks(open_page(tmp_path / "store", "internal"))])
    assert "9812003" in inside


def test_pupils_who_are_lost_are_hidden_with_a_second_figure(tmp_path: Path) -> None:
    spring, summer, autumn = year_of(schools=2, pupils=60)
    # Of the autumn term's pupils 4 have no row in the spring term, and are not recorded as leaving.
    gone = {f"p{serial}" for serial in range(4)}
    for table, rows in summer.tables.items():
        summer.tables[table] = [
            row for row in rows if not (row.get("pupilonrolltableid") in gone and row["NativeId"] == "9812001")
        ]
    page = page_of(tmp_path, [spring, summer, autumn])
    table = page.unmatched_table()
    assert isinstance(table, Table)
    first = dict(zip((c.label for c in table.columns[1:]), (c.shown for c in table.rows[0].cells), strict=True))
    assert first == {
        "Pupils": "120", "Found in the next term": "c", "Left after Year 11": "0", "Recorded as leaving": "0",
        "School not received": "0", "Not known": "c",
    }  # fmt: skip


def test_every_block_is_made_for_published_figures_alone(shared: Path) -> None:
    # Without a store there is nothing to say, and it is said once.
    published = [str(shared / "data" / "real" / "lait_la_timeseries")]
    page = DataQuality(open_inputs(area="Trafford", academic_year="2023/24", published=published))
    assert [type(block) for block in blocks(page) if not isinstance(block, Result)] == [PageHead, Notice]
    assert "only published statistics were given" in page.verdict().plain_text()


def test_coverage_of_nothing_has_its_columns() -> None:
    assert list(Coverage.empty().marks.columns) == ["rule", "la_code", "academic_year", "term", "schools", "says"]
