"""Checks across returns, terms and schools, against defects that were planted and truths counted by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from attendance_toolkit.loaders.load import load_files, screen_files
from attendance_toolkit.loaders.plausibility import check_plausibility, earlier_terms
from attendance_toolkit.loaders.school_census import make_working_tables
from attendance_toolkit.schema.coverage import (
    CENSUS_SOURCE,
    FROM_LIST,
    FROM_TERMS,
    Coverage,
    expected_schools,
    schools_due,
)
from attendance_toolkit.schema.rules import RULES
from attendance_toolkit.store import Store
from attendance_toolkit.store.parts import RECORD_COLUMNS, SESSION_COLUMNS, make_collected_tables
from attendance_toolkit.store.schools import CENSUS_SOURCE as stored_source
from attendance_toolkit.vocabulary.areas import find_area
from tests.screening.census_builder import Return, make_upn

ALDERMOOR = find_area("Aldermoor").code


class Terms:
    """Working tables filled by hand: what was put in is known."""

    def __init__(self) -> None:
        self.con = duckdb.connect()
        make_working_tables(self.con)
        self.sessions: list[dict[str, Any]] = []
        self.records: list[dict[str, Any]] = []

    def pupils(
        self, upns: range, half_term: str, *, school: int = 9812001, year: int = 202324, missed: Any = None,
        possible: int = 120, age: int = 8, on_roll: bool = True, phase: str = "Primary",
    ) -> None:  # fmt: skip
        term = {"1": "autumn", "3": "spring", "5": "summer", "6": "summer"}[half_term[0]]
        place = {"1": 0, "3": 3, "5": 5, "6": 7}[half_term[0]]
        for upn in upns:
            absent = missed(upn) if missed else 1 + (upn + place + year) % 11
            self.sessions.append({
                "upn": upn, "la_code": ALDERMOOR, "laestab": school, "urn": None, "academic_year": year, "term": term,
                "half_term": half_term, "phase": phase, "age": age, "enrol_status": "Single", "is_boarder": False,
                "on_roll": on_roll, "sessions_possible": possible, "sessions_authorised": absent,
                "sessions_unauthorised": 0, "sessions_covid": 0,
            })  # fmt: skip

    def roll(self, upns: range, census: str, sequence: int, school: int = 9812001, *, on_roll: bool = True) -> None:
        place = ((sequence * 2 + (not on_roll)) * 4) * 10000000 + school
        self.records += [
            {
                "upn": upn,
                "la_code": ALDERMOOR,
                "laestab": school,
                "census": census,
                "academic_year": 202324,
                "place": place,
            }
            for upn in upns
        ]

    def check(self, **more: Any) -> tuple[dict[str, list], Coverage]:
        for name, columns, rows in (
            ("session_parts", SESSION_COLUMNS, self.sessions),
            ("record_parts", RECORD_COLUMNS, self.records),
        ):
            frame = pd.DataFrame(rows, columns=list(columns))
            if len(frame):
                self.con.register("incoming", frame)
                self.con.execute(f"INSERT INTO {name} SELECT * FROM incoming")
                self.con.unregister("incoming")
        found, coverage = check_plausibility(self.con, **more)
        by_rule: dict[str, list] = {}
        for finding in found:
            by_rule.setdefault(finding.rule, []).append(finding)
        return by_rule, coverage


@pytest.fixture
def terms() -> Terms:
    return Terms()


def schools(*rows: tuple[int, int | None], **columns: list) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["laestab", "number_of_pupils"])
    return frame.assign(la_code=ALDERMOOR, phase="Primary", **columns)


# ---- nothing there, nothing wrong


def test_nothing_received_is_no_finding_and_empty_coverage(terms: Terms) -> None:
    found, coverage = terms.check()
    assert not found
    assert coverage.areas.empty
    assert coverage.unmatched.empty


def test_synthetic_pupils_raise_no_false_alarm(synthetic_store: Path) -> None:
    con = duckdb.connect()
    make_working_tables(con)
    found, coverage = check_plausibility(con, earlier=earlier_terms(con, synthetic_store))
    assert not found, [str(f) for f in found]
    # Counted again by pandas from the store's own rows.
    rows = Store.open(synthetic_store).pupil_terms().df()
    rows = rows[rows["sessions_possible"] > 0]
    one = coverage.areas[(coverage.areas["phase"] == "All schools") & (coverage.areas["term"] == "spring")]
    for record in one.to_dict("records"):
        here = rows[(rows.la_code == record["la_code"]) & (rows.academic_year == record["academic_year"])]
        here = here[here.term == "spring"]
        assert record["schools_received"] == here["laestab"].nunique()
        assert record["pupils_received"] == here[["laestab", "upn"]].drop_duplicates().shape[0]
    assert len(one)


def test_there_is_no_store_before_the_first_load(tmp_path: Path) -> None:
    assert earlier_terms(duckdb.connect(), tmp_path / "none") is None


# ---- pupils from term to term


def test_pupils_who_are_not_found_again_are_counted_by_reason(terms: Terms) -> None:
    terms.pupils(range(100), "5", possible=60)
    terms.pupils(range(100, 120), "5", age=15, possible=60)
    terms.pupils(range(120, 127), "5", on_roll=False, possible=60)
    terms.pupils(range(200, 215), "5", school=9812002, possible=60)
    # Found: 0 to 87; of the other school's pupils, which is not received, five are found elsewhere.
    terms.pupils(range(88), "1-2", year=202425, missed=lambda upn: 1 + (upn * 7) % 13)
    terms.pupils(range(200, 205), "1-2", year=202425)
    found, coverage = terms.check()
    assert coverage.unmatched.to_dict("records") == [{
        "la_code": ALDERMOOR, "academic_year": 202324, "term": "summer", "next_academic_year": 202425,
        "next_term": "autumn", "pupils": 142, "found": 93, "left_year_11": 20, "moved": 7, "school_missing": 10,
        "unknown": 12,
    }]  # fmt: skip
    (finding,) = found["pupils_unmatched"]
    assert finding.count == 12
    assert "12 of 142 pupils" in finding.says


def test_a_term_that_does_not_follow_is_not_compared(terms: Terms) -> None:
    terms.pupils(range(40), "1-2")
    terms.pupils(range(100, 140), "5", possible=60)
    found, coverage = terms.check()
    assert coverage.unmatched.empty
    assert "pupils_unmatched" not in found


def test_terms_of_the_store_and_of_the_call_are_one(tmp_path: Path, terms: Terms) -> None:
    Return("spring", pupils=20, leavers=0).write(tmp_path / "in")
    load_files(tmp_path / "in", tmp_path / "store", key_file=tmp_path / "key")
    kept = sorted(Store.open(tmp_path / "store").pupil_terms().df()["upn"])
    for upn in (*kept[:8], *range(12)):
        terms.pupils(range(upn, upn + 1), "3-4")
    _, coverage = terms.check(earlier=earlier_terms(terms.con, tmp_path / "store"))
    (row,) = coverage.unmatched.to_dict("records")
    assert (row["pupils"], row["found"], row["unknown"]) == (20, 8, 12)


def test_a_half_term_loaded_again_takes_the_place_of_the_one_in_the_store(terms: Terms) -> None:
    terms.pupils(range(30), "1-2")
    columns = ", ".join(SESSION_COLUMNS)
    terms.con.execute(f"CREATE TABLE old AS SELECT {columns} FROM session_parts LIMIT 0")
    old = pd.DataFrame(terms.sessions, columns=list(SESSION_COLUMNS)).assign(upn=lambda f: f["upn"] + 1000)
    terms.con.register("incoming", old)
    terms.con.execute("INSERT INTO old SELECT * FROM incoming")
    _, coverage = terms.check(earlier=terms.con.sql("SELECT *, true AS is_census FROM old"))
    assert coverage.areas["pupils_received"].tolist() == [30, 30]


@pytest.mark.parametrize(("is_census", "expected"), [("true", 30), ("false", 10)])
def test_a_register_does_not_take_the_place_of_a_census_in_the_store(
    terms: Terms, is_census: str, expected: int
) -> None:
    # Thirty pupils in the store; a register of ten others of the same half term is loaded alone.
    terms.pupils(range(30), "1-2")
    columns = ", ".join(SESSION_COLUMNS)
    terms.con.execute(f"CREATE TABLE old AS SELECT {columns} FROM session_parts LIMIT 0")
    stored = pd.DataFrame(terms.sessions, columns=list(SESSION_COLUMNS))
    terms.con.register("incoming", stored)
    terms.con.execute("INSERT INTO old SELECT * FROM incoming")
    terms.con.unregister("incoming")
    make_collected_tables(terms.con)
    marked = stored.head(10).assign(upn=lambda f: f["upn"] + 1000, collection="register")
    terms.con.register("incoming", marked)
    terms.con.execute(f"INSERT INTO collected_parts ({columns}, collection) SELECT {columns}, collection FROM incoming")
    terms.sessions.clear()
    _, coverage = terms.check(earlier=terms.con.sql(f"SELECT *, {is_census} AS is_census FROM old"))
    assert coverage.areas["pupils_received"].tolist() == [expected, expected]


# ---- schools and rolls


def test_schools_that_were_not_received_are_named(terms: Terms) -> None:
    terms.pupils(range(100), "1-2")
    found, coverage = terms.check(schools=schools((9812001, 100), (9812002, 60), (9812003, None)))
    (finding,) = found["school_not_received"]
    assert finding.value == "9812002, 9812003"
    assert "2 of the 3 schools" in finding.says
    (finding,) = found["pupils_not_received"]
    assert finding.count == 60
    assert "100 pupils were received of 160" in finding.says
    whole = coverage.areas[coverage.areas["phase"] == "All schools"].iloc[0]
    assert (whole["schools_received"], whole["schools_expected"]) == (1, 3)
    assert (whole["pupils_received"], whole["pupils_expected"]) == (100, 160)
    assert whole["expected_from"] == FROM_LIST
    assert set(coverage.marks["rule"]) == {"school_not_received", "pupils_not_received"}


def test_a_complete_list_is_no_finding(terms: Terms) -> None:
    terms.pupils(range(100), "1-2")
    found, _ = terms.check(schools=schools((9812001, 105)))
    assert not found


def test_without_a_list_the_years_other_terms_say_what_is_expected(terms: Terms) -> None:
    terms.pupils(range(20), "1-2")
    terms.pupils(range(50, 70), "1-2", school=9812002)
    terms.pupils(range(20), "3-4")
    found, coverage = terms.check()
    assert found["school_missing_term"][0].value == "9812002"
    spring = coverage.areas[(coverage.areas["term"] == "spring") & (coverage.areas["phase"] == "All schools")].iloc[0]
    assert (spring["schools_received"], spring["schools_expected"]) == (1, 2)
    assert spring["expected_from"] == FROM_TERMS
    assert pd.isna(spring["pupils_expected"])


def test_a_roll_far_from_the_list_is_reported_for_the_newest_census(terms: Terms) -> None:
    terms.pupils(range(60), "1-2")
    # The list's roll of 100 fits the autumn census, not the newer spring one; a leaver is not on roll.
    terms.roll(range(100), "2023-autumn", 20233)
    terms.roll(range(60), "2024-spring", 20241)
    terms.roll(range(60, 100), "2024-spring", 20241, on_roll=False)
    found, _ = terms.check(schools=schools((9812001, 100)))
    (finding,) = found["school_roll_list"]
    assert "60 instead of 100" in finding.says
    assert "spring 2024 census" in finding.says


@pytest.mark.parametrize(("roll", "expected"), [(75, False), (80, False), (81, True), (48, False), (40, False)])
def test_the_tolerance_of_rolls_is_a_quarter_and_twenty_pupils(terms: Terms, roll: int, expected: bool) -> None:
    terms.pupils(range(60), "1-2")
    terms.roll(range(60), "2024-spring", 20241)
    found, _ = terms.check(schools=schools((9812001, roll)))
    assert ("school_roll_list" in found) is expected


def test_only_open_state_funded_schools_with_pupils_of_school_age_are_expected() -> None:
    rows = pd.DataFrame(
        [
            (9812001, "Community school", "Open", 100, 4, 11),
            (9812002, "Other independent school", "Open", 100, 4, 11),
            (9812003, "Academy sponsor led", "Open", 100, 11, 16),
            (9812004, "Free schools 16 to 19", "Open", 100, 16, 19),
            (9812005, "Local authority nursery school", "Open", 50, 2, 4),
            (9812006, "Voluntary aided school", "Proposed to open", 50, 4, 11),
            (9812007, "Foundation school", "Open", 0, 4, 11),
            (9812008, None, None, None, None, None),
        ],
        columns=["laestab", "type", "status", "number_of_pupils", "statutory_low_age", "statutory_high_age"],
    ).assign(la_code=ALDERMOOR, phase="Primary")
    assert expected_schools(rows)["laestab"].tolist() == [9812001, 9812003, 9812008]


def test_a_school_is_due_only_for_years_it_was_open_through() -> None:
    rows = expected_schools(
        schools((1, 10), (2, 10), (3, 10), open_date=[None, "2024-01-08", None], close_date=[None, None, "2022-08-31"])
    )
    assert schools_due(rows, 202324)["laestab"].tolist() == [1]
    assert schools_due(rows, 202425)["laestab"].tolist() == [1, 2]
    assert schools_due(rows, 202122)["laestab"].tolist() == [1, 3]


def test_schools_that_only_their_own_returns_name_are_no_list(terms: Terms) -> None:
    terms.pupils(range(20), "1-2")
    own = schools((9812001, None), (9812002, None), source=["school census, spring 2024"] * 2)
    found, coverage = terms.check(schools=own)
    assert not found
    assert set(coverage.areas["expected_from"]) == {FROM_TERMS}
    assert stored_source == CENSUS_SOURCE
    both = own.assign(source="list.csv; school census, spring 2024")
    assert len(expected_schools(both)) == 2


def test_registers_fill_the_half_terms_no_census_has(terms: Terms) -> None:
    terms.pupils(range(20), "1-2")
    make_collected_tables(terms.con)
    columns = list(SESSION_COLUMNS)
    register = Terms()
    # The first half of the autumn term is in the census's span already; spring and other schools are new.
    register.pupils(range(25), "1")
    register.pupils(range(25), "3")
    register.pupils(range(50, 65), "1", school=9812002)
    rows = pd.DataFrame(register.sessions, columns=columns).assign(collection="register")
    terms.con.register("incoming", rows)
    terms.con.execute(f"INSERT INTO collected_parts SELECT {', '.join(columns)}, collection FROM incoming")
    _, coverage = terms.check()
    whole = coverage.areas[coverage.areas["phase"] == "All schools"].set_index("term")
    assert whole.loc["autumn", "pupils_received"] == 20 + 15
    assert whole.loc["spring", "pupils_received"] == 25


def test_schools_without_a_phase_are_covered_under_that_of_the_list(terms: Terms) -> None:
    terms.pupils(range(20), "1-2", phase="Unknown")
    terms.pupils(range(50, 65), "1-2", school=9814001, phase="Secondary")
    terms.pupils(range(80, 90), "1-2", school=9812003, phase="Unknown")
    # The list has the first two schools as primary: one of them is, by its own return, secondary.
    own = schools((9812001, None), (9814001, None), source=["school census, spring 2024"] * 2)
    _, coverage = terms.check(schools=own)
    areas = coverage.areas.set_index("phase")["pupils_received"].to_dict()
    assert areas == {"All schools": 45, "Primary": 20, "Secondary": 15, "Unknown": 10}


# ---- sessions


def test_a_copy_is_found_across_years_and_between_halves_of_a_term(terms: Terms) -> None:
    terms.pupils(range(30), "5", year=202223, possible=60, missed=lambda upn: 1 + upn % 7)
    terms.pupils(range(30), "5", possible=60, missed=lambda upn: 1 + (upn + 3) % 7)
    terms.pupils(range(30), "6", possible=60, missed=lambda upn: 1 + upn % 7)
    found, coverage = terms.check()
    (finding,) = found["term_copied"]
    assert "half term 6" in finding.says
    assert "half term 5 (summer) of 2022/23" in finding.says
    assert "30 of 30" in finding.says
    assert coverage.marks[["rule", "academic_year", "term"]].to_numpy().tolist() == [["term_copied", 202324, "summer"]]


@pytest.mark.parametrize(("same", "expected"), [(16, True), (15, False)])
def test_half_of_the_absent_pupils_alike_is_not_yet_a_copy(terms: Terms, same: int, expected: bool) -> None:
    terms.pupils(range(30), "1-2", missed=lambda upn: 1 + upn % 7)
    terms.pupils(range(30), "3-4", missed=lambda upn: 1 + (upn + (upn >= same)) % 7)
    found, _ = terms.check()
    assert ("term_copied" in found) is expected


def test_pupils_who_missed_nothing_twice_are_no_copy(terms: Terms) -> None:
    terms.pupils(range(30), "1-2", missed=lambda upn: 0)
    terms.pupils(range(30), "3-4", missed=lambda upn: 0)
    found, _ = terms.check()
    assert not found


def test_a_step_that_all_schools_share_is_no_finding(terms: Terms) -> None:
    for school in range(5):
        pupils = range(100 * school, 100 * school + 40)
        terms.pupils(pupils, "1-2", school=9812001 + school)
        terms.pupils(pupils, "3-4", school=9812001 + school, missed=lambda upn: 14 + upn % 11)
    found, _ = terms.check()
    assert not found


def test_a_year_with_closed_schools_is_not_held_to_380_sessions(terms: Terms) -> None:
    for year in (201920, 202324):
        for half_term, possible in (("1-2", 140), ("3-4", 90), ("5", 40), ("6", 40)):
            terms.pupils(range(30), half_term, year=year, possible=possible)
    found, _ = terms.check()
    assert [f.says.split(":")[0] for f in found["possible_unlike_year"]] == ["Aldermoor, 2023/24"]
    assert "310" in found["possible_unlike_year"][0].says


# ---- what findings and coverage hold


def test_findings_name_no_pupil_and_count_schools(tmp_path: Path) -> None:
    made = Return("spring", pupils=20, leavers=0)
    made.write(tmp_path)
    Return("summer", pupils=20, leavers=0, first=12).write(tmp_path)
    report = screen_files(tmp_path)
    shown = report.to_text() + report.to_json()
    assert not any(make_upn(serial) in shown for serial in range(40))


def test_coverage_survives_json(terms: Terms) -> None:
    import json

    terms.pupils(range(100), "1-2")
    terms.pupils(range(80), "3-4")
    _, coverage = terms.check(schools=schools((9812001, 100), (9812002, None)))
    again = Coverage.from_dict(json.loads(json.dumps(coverage.to_dict())))
    for name in ("areas", "unmatched", "marks"):
        pd.testing.assert_frame_equal(
            getattr(again, name).astype(object).where(getattr(again, name).notna(), None),
            getattr(coverage, name).astype(object).where(getattr(coverage, name).notna(), None),
        )


def test_every_rule_across_returns_is_a_warning() -> None:
    rules = [rule for rule in RULES.values() if rule.stage == "plausibility"]
    assert len(rules) >= 15
    assert {rule.severity for rule in rules} == {"warning"}
