"""Loading through the public functions, with good and bad files."""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "screening"))

from census_builder import Return, make_upn

from attendance_toolkit.errors import NoDataError, ScreeningError, StoreError, UnreadableFileError
from attendance_toolkit.loaders.load import load_files, screen_files
from attendance_toolkit.store import Store
from attendance_toolkit.vocabulary.columns import PUPIL_TERM, PUPIL_TERM_KEY


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path


def load(place: Path, *paths: Path, **more: object):
    return load_files(paths or [place / "in"], place / "store", key_file=place / "key", **more)  # type: ignore[arg-type]


def frame(place: Path):
    """Return the store's rows with UPNs in place of pseudonyms out of reach, in a fixed order."""
    return Store.open(place / "store").pupil_terms().df().sort_values(list(PUPIL_TERM_KEY)).reset_index(drop=True)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def a_year(folder: Path, **more: object) -> None:
    Return("spring", 2024, **more).write(folder)  # type: ignore[arg-type]
    Return("summer", 2024, **more).write(folder)  # type: ignore[arg-type]
    Return("autumn", 2024, **more).write(folder)  # type: ignore[arg-type]


def test_three_returns_make_one_academic_year(place: Path) -> None:
    a_year(place / "in")
    result = load(place)
    rows = frame(place)
    assert (result.rows_in, result.rows_loaded, result.rows_quarantined) == (12, 12, 0)
    assert list(rows.columns) == list(PUPIL_TERM)
    assert set(rows.academic_year) == {202324}
    assert rows.groupby("half_term").size().to_dict() == {"1-2": 4, "3-4": 4, "5": 4, "6": 4}
    assert set(rows.term) == {"autumn", "spring", "summer"}
    assert set(rows.sessions_auth_illness) == {4}
    assert set(rows.sessions_unauth_noyet) == {1}
    assert not rows.duplicated(list(PUPIL_TERM_KEY)).any()
    assert Store.open(place / "store").is_synthetic


def test_types_are_those_of_the_contract(place: Path) -> None:
    a_year(place / "in")
    load(place)
    relation = Store.open(place / "store").pupil_terms()
    assert dict(zip(relation.columns, map(str, relation.types), strict=True)) == PUPIL_TERM


def test_the_order_of_loads_does_not_matter(place: Path) -> None:
    a_year(place / "in")
    load(place)
    together = frame(place)
    groups: dict[str, list[Path]] = {}
    for path in sorted((place / "in").iterdir()):
        groups.setdefault("_".join(path.name.split("_")[:3]), []).append(path)
    for order in (sorted(groups), sorted(groups, reverse=True)):
        for name in order:
            load_files(groups[name], place / f"store{order[0]}", key_file=place / "key")
        apart = Store.open(place / f"store{order[0]}").pupil_terms().df()
        apart = apart.sort_values(list(PUPIL_TERM_KEY)).reset_index(drop=True)
        assert apart.equals(together)


def test_loading_again_changes_nothing(place: Path) -> None:
    a_year(place / "in")
    load(place)
    before = snapshot(place / "store")
    load(place)
    assert snapshot(place / "store") == before


def test_a_corrected_return_replaces_the_school(place: Path) -> None:
    made = Return("spring", pupils=4, leavers=0)
    made.write(place / "in")
    load(place)
    del made.tables["pupilonroll"][3]
    made.tables["termlysessiondetailsonroll"] = made.tables["termlysessiondetailsonroll"][:6]
    made.tables["pupilonroll"][0]["termlysessionspossible"] = "100"
    made.write(place / "in")
    load(place)
    rows = frame(place)
    assert len(rows) == 3
    assert sorted(rows.sessions_possible) == [100, 120, 120]


def test_another_school_of_the_same_census_is_added(place: Path) -> None:
    Return("spring").write(place / "in")
    load(place)
    Return("spring", estab=2002, first=50, prefix="other").write(place / "more")
    load(place, place / "more")
    assert set(frame(place).laestab) == {9812001, 9812002}


def test_characteristics_are_those_of_the_first_census_of_the_year(place: Path) -> None:
    autumn = Return("autumn", 2023, leavers=0)
    autumn.tables["pupilonroll"][0] |= {"senprovision": "K", "ncyearactual": "4"}
    autumn.write(place / "in")
    spring = Return("spring", 2024, leavers=0)
    spring.tables["pupilonroll"][0] |= {"senprovision": "E", "ncyearactual": "5"}
    spring.write(place / "in")
    load(place)
    rows = frame(place)
    year = rows[rows.academic_year == 202324]
    assert set(year.half_term) == {"1-2"}
    first = year[year.fsm_eligible == "FSM eligible"].iloc[0]
    # From the autumn census, held; ethnicity, which it does not have, from the spring one.
    assert (first.sen_provision, first.nc_year, first.ethnicity_major) == ("SEN support", "4", "White")
    # The year before ends with the autumn census: its year groups were one lower.
    before = rows[(rows.academic_year == 202223) & (rows.upn == first.upn)]
    assert set(before.nc_year) == {"3"}
    assert set(before.ethnicity_minor) == {"White British"}


def test_without_the_autumn_census_the_carrying_return_describes_the_pupil(place: Path) -> None:
    spring = Return("spring", leavers=0)
    spring.tables["pupilonroll"][0]["senprovision"] = "E"
    spring.write(place / "in")
    summer = Return("summer", leavers=0)
    summer.tables["pupilonroll"][0]["senprovision"] = "N"
    summer.write(place / "in")
    load(place)
    rows = frame(place)
    pupil = rows[rows.fsm_eligible == "FSM eligible"]
    assert set(pupil.sen_provision) == {"EHC plan"}


def test_leavers_keep_their_year_group_and_are_off_roll(place: Path) -> None:
    a_year(place / "in")
    load(place)
    rows = frame(place)
    assert set(rows[~rows.on_roll].nc_year) == {"4"}
    assert set(rows[~rows.on_roll].fsm_eligible) == {"Unknown"}


def test_two_spells_at_a_school_are_one_enrolment(place: Path) -> None:
    made = Return("spring", leavers=0)
    made.tables["pupilnolongeronroll"].append(
        {"pupilnolongeronrolltableid": "x", "NativeId": made.native, "upn": make_upn(0), "dob": "2014-Oct-10 00:00:00",
         "sex": "M", "entrydate": "2022-Sep-05 00:00:00", "leavingdate": "2023-Sep-29 00:00:00",
         "ncyearleaving": "4", "termlysessionspossible": "20"}
    )  # fmt: skip
    made.details("termlysessiondetailsoffroll", "x", "G", 6)
    made.write(place / "in")
    result = load(place)
    rows = frame(place)
    assert len(rows) == 3
    assert result.rows_loaded == 4
    both = rows[rows.sessions_possible == 140].iloc[0]
    assert (both.sessions_authorised, both.sessions_unauthorised, both.sessions_unauth_holiday) == (4, 7, 6)
    assert both.on_roll


def test_a_pupil_without_possible_sessions_is_described_but_has_no_rows(place: Path) -> None:
    made = Return("autumn", leavers=0)
    for column in ("termlysessionspossible", "summerhalfterm2sessionspossible"):
        made.tables["pupilonroll"][0][column] = ""
    for table in ("termlysessiondetailsonroll", "summerhalfterm2sessiondetailsonroll"):
        made.tables[table] = made.tables[table][2:]
    made.write(place / "in")
    result = load(place)
    assert result.rows_loaded == 3
    assert len(frame(place)) == 4


def test_supplied_totals_above_the_reasons_are_used(place: Path) -> None:
    made = Return("spring", leavers=0)
    made.tables["pupilonroll"][0] |= {"termlysessionsauthorised": "9", "termlysessionsunauthorised": "0"}
    made.write(place / "in")
    result = load(place)
    assert [f.rule for f in result.report.findings] == ["reasons_below_total", "reasons_above_total"]
    row = frame(place).query("sessions_authorised == 9").iloc[0]
    assert (row.sessions_auth_illness, row.sessions_unauthorised) == (4, 1)


def test_the_covid_mark_counts_as_possible_only_while_it_did(place: Path) -> None:
    for year in (2022, 2024):
        made = Return("spring", year, leavers=0)
        made.details("termlysessiondetailsonroll", "p0", "X", 8)
        made.write(place / "in")
    load(place)
    rows = frame(place)
    assert rows.groupby("academic_year").sessions_covid.sum().to_dict() == {202122: 8, 202324: 0}


def test_older_headers_are_read(place: Path) -> None:
    made = Return("spring", 2020, leavers=0)
    assert "gender" in made.tables["pupilonroll"][0]
    for row in made.tables["termlysessiondetailsonroll"]:
        row["absencesessions"] = row.pop("sessions")
    made.write(place / "in")
    assert not load(place).report.findings
    assert set(frame(place).sex) == {"Male", "Female"}


def test_boarders_and_dual_registrations_are_marked(place: Path) -> None:
    made = Return("spring", leavers=0)
    made.tables["pupilonroll"][0]["boarder"] = "6"
    made.tables["pupilonroll"][1]["enrolstatus"] = "S"
    made.write(place / "in")
    load(place)
    rows = frame(place)
    assert rows.is_boarder.sum() == 1
    assert sorted(rows.enrol_status) == ["Single", "Single", "Subsidiary"]


def test_age_is_that_on_31_august(place: Path) -> None:
    made = Return("spring", leavers=0)
    made.tables["pupilonroll"][0]["dob"] = "2012-Aug-31 00:00:00"
    made.tables["pupilonroll"][1]["dob"] = "2012-Sep-01 00:00:00"
    made.write(place / "in")
    load(place)
    assert sorted(frame(place).age) == [8, 10, 11]


def test_free_meals_follow_the_periods(place: Path) -> None:
    made = Return("spring", pupils=4, leavers=0)
    made.tables["fsmperiod"] = [
        {"pupilonrolltableid": key, "NativeId": made.native, "fsmstartdate": f"{start} 00:00:00", "fsmenddate": end}
        for key, start, end in (
            ("p0", "2017-Sep-01", ""),
            ("p1", "2019-Sep-01", "2021-Jul-20 00:00:00"),
            ("p2", "2024-Feb-01", ""),
        )
    ]
    made.write(place / "in")
    load(place)
    rows = frame(place)
    assert rows.groupby(["fsm_eligible", "fsm6"]).size().to_dict() == {
        ("FSM eligible", "FSM in the last six years"): 1,
        ("Not known to be FSM eligible", "FSM in the last six years"): 1,
        ("Not known to be FSM eligible", "Not FSM in the last six years"): 2,
    }


def test_six_years_are_unknown_when_periods_do_not_go_back(place: Path) -> None:
    made = Return("spring", leavers=0)
    made.tables["fsmperiod"][0]["fsmstartdate"] = "2022-Sep-01 00:00:00"
    made.write(place / "in")
    load(place)
    assert sorted(frame(place).fsm6) == ["FSM in the last six years", "Unknown", "Unknown"]


def test_flags_fill_their_characteristics_before_and_after_the_census(place: Path) -> None:
    a_year(place / "in")
    flags = place / "flags.csv"
    flags.write_text(
        f"upn,academic_year,looked_after,social_worker\n{make_upn(0)},2023/24,Yes,Yes\n{make_upn(1)},2023/24,No,\n"
    )
    load(place)
    load(place, flags)
    rows = frame(place)
    assert rows.groupby(["looked_after", "social_worker"]).size().to_dict() == {
        ("No", "Unknown"): 4, ("Unknown", "Unknown"): 8, ("Yes", "Yes"): 4,
    }  # fmt: skip
    load_files(flags, place / "other", key_file=place / "key", is_synthetic=True)
    load_files(place / "in", place / "other", key_file=place / "key")
    other = Store.open(place / "other").pupil_terms().df().sort_values(list(PUPIL_TERM_KEY)).reset_index(drop=True)
    assert other.equals(rows)


def test_a_movers_records_are_shared_between_schools(place: Path) -> None:
    Return("spring", leavers=0).write(place / "in")
    moved = Return("summer", leavers=0, la=982, prefix="982_moved")
    moved.tables["pupilonroll"][0]["upn"] = make_upn(1)
    moved.write(place / "in")
    load(place)
    rows = frame(place)
    there = rows[(rows.la_code == "E08900002") & rows.duplicated("upn", keep=False)]
    assert len(rows[rows.upn == there.upn.iloc[0]].ethnicity_major.unique()) == 1
    assert set(there.ethnicity_major) == {"Asian"}


# ---- privacy


def test_the_key_must_lie_outside_the_store(place: Path) -> None:
    a_year(place / "in")
    with pytest.raises(StoreError, match="inside the store"):
        load_files(place / "in", place / "store", key_file=place / "store" / "key")
    assert not (place / "store").exists()


def test_two_keys_are_not_mixed(place: Path) -> None:
    a_year(place / "in")
    load(place)
    before = snapshot(place / "store")
    with pytest.raises(StoreError, match="another key"):
        load_files(place / "in", place / "store", key_file=place / "key2")
    assert snapshot(place / "store") == before


def test_a_file_that_is_no_key_is_refused(place: Path) -> None:
    a_year(place / "in")
    (place / "key").write_text("secret")
    with pytest.raises(StoreError, match="does not hold a key"):
        load(place)


def test_real_and_synthetic_pupils_are_not_mixed(place: Path) -> None:
    a_year(place / "in")
    load(place)
    Return("spring", la=358, prefix="358").write(place / "real")
    with pytest.raises(StoreError, match="store of their own"):
        load(place, place / "real")
    with pytest.raises(StoreError, match="mix fictitious and real"):
        load_files([place / "in", place / "real"], place / "new", key_file=place / "key")


# ---- bad input


def test_a_blocked_load_leaves_the_store_as_it_was(place: Path) -> None:
    a_year(place / "in")
    load(place)
    before = snapshot(place / "store")
    bad = Return("spring", 2023, leavers=0, prefix="bad")
    bad.tables["schoolcensus"][0]["term"] = "AUT"
    bad.write(place / "bad")
    with pytest.raises(ScreeningError, match="Nothing was loaded") as caught:
        load(place, place / "bad")
    assert caught.value.report.exit_code == 1
    assert snapshot(place / "store") == before
    assert sorted(p.name for p in (place / "store").iterdir()) == [
        "identifiers.parquet", "manifest.json", "parts", "pupil_term", "quarantine", "screening.json"
    ]  # fmt: skip


def test_a_blocked_first_load_leaves_no_store(place: Path) -> None:
    (place / "in" / "x_pupilonroll.csv").write_bytes(b"")
    with pytest.raises(UnreadableFileError, match="the file is empty"):
        load(place)
    assert not (place / "store").exists()


def test_a_failure_while_writing_leaves_the_store_as_it_was(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Return("spring").write(place / "in")
    load(place)
    before = snapshot(place / "store")
    Return("summer").write(place / "in")
    real = Path.replace
    calls = []

    def broken(self: Path, target: Path) -> Path:
        calls.append(self.name)
        if len(calls) == 6:
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(StoreError, match="as it was before"):
        load(place)
    monkeypatch.undo()
    assert snapshot(place / "store") == before
    load(place)
    assert len(frame(place)) == 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that can be stopped half-way")
def test_a_load_cut_off_in_the_exchange_is_undone(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Return("spring").write(place / "in")
    load(place)
    before = snapshot(place / "store")
    Return("summer").write(place / "in")
    # The first replacement is still inside what is prepared: the list of schools. Five old contents go, five come.
    for stop in range(2, 12):
        real, calls = Path.replace, []

        def broken(self: Path, target: Path, real=real, calls=calls, stop=stop) -> Path:
            calls.append(self)
            if len(calls) == stop:
                os._exit(9)
            return real(self, target)

        if (child := os.fork()) == 0:
            Path.replace = broken  # type: ignore[method-assign]
            load(place)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        with pytest.raises(StoreError, match=r"delete the file \.loading"):
            Store.open(place / "store")
        (place / "store" / ".loading").unlink()
        Store.open(place / "store")
        kept = {n: c for n, c in snapshot(place / "store").items() if not n.startswith(".")}
        assert kept == before, stop


def test_two_loads_at_once_are_refused(place: Path) -> None:
    a_year(place / "in")
    load(place)
    (place / "store" / ".loading").touch()
    with pytest.raises(StoreError, match="Another load"):
        load(place)


def test_other_folders_are_not_written_into(place: Path) -> None:
    a_year(place / "in")
    (place / "store").mkdir()
    (place / "store" / "thesis.doc").touch()
    with pytest.raises(StoreError, match="holds other files"):
        load(place)
    assert [p.name for p in (place / "store").iterdir()] == ["thesis.doc"]


def test_a_finding_names_file_row_column_value_allowed_and_fix(place: Path) -> None:
    made = Return("spring")
    made.tables["pupilonroll"][2]["senprovision"] = "Q"
    made.write(place / "in")
    report = screen_files(place / "in")
    assert str(report.findings[0]) == (
        "981_2024_spring_pupilonroll.csv, row 4, senprovision: 'Q' is not a code for special educational needs in the"
        " spring 2024 census. Use one of: E, K, N. It is read as Unknown."
    )
    found = json.loads(report.to_json())
    assert found["exit_code"] == 1
    assert found["findings"][0]["row"] == 4


def test_a_misspelt_column_is_guessed_at(place: Path) -> None:
    made = Return("spring")
    for row in made.tables["pupilonroll"]:
        row["termlysessionsposible"] = row.pop("termlysessionspossible")
    made.write(place / "in")
    (found,) = screen_files(place / "in").findings
    assert "Is it 'termlysessionsposible'?" in str(found)


def test_rows_are_counted_as_the_file_shows_them(place: Path) -> None:
    made = Return("spring", leavers=0)
    made.tables["pupilonroll"][0]["surname"] = "two\nlines"
    made.tables["pupilonroll"][2]["senprovision"] = "Q"
    made.write(place / "in")
    path = made.path(place / "in", "pupilonroll")
    path.write_text(path.read_text() + "\n")
    (found,) = screen_files(place / "in").findings
    assert found.row == 5


def test_findings_of_one_kind_are_put_together(place: Path) -> None:
    made = Return("spring", pupils=60, leavers=0)
    for number, row in enumerate(made.tables["pupilonroll"]):
        row["ethnicity"] = "Q" if number < 20 else f"Z{number}"
    made.write(place / "in")
    found = [f for f in screen_files(place / "in").findings if f.rule == "ethnicity_code"]
    assert len(found) == 26
    assert found[0].count == 20
    assert sum(f.count for f in found) == 60


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "utf-8-sig"])
def test_other_encodings_are_read(place: Path, encoding: str) -> None:
    made = Return("spring")
    made.write(place / "in")
    for path in (place / "in").iterdir():
        path.write_bytes(path.read_text().replace("Testpupil", "Zoë").encode(encoding))
    result = load(place)
    assert {f.rule for f in result.report.findings} == (set() if "8-" in encoding else {"file_converted"})
    assert len(frame(place)) == 4


def test_line_ends_of_windows_are_read(place: Path) -> None:
    made = Return("spring")
    made.write(place / "in")
    for path in (place / "in").iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert not load(place).report.findings
    assert len(frame(place)) == 4


def test_the_census_may_be_named(place: Path) -> None:
    made = Return("spring")
    del made.tables["schoolcensus"]
    made.write(place / "in")
    assert not screen_files(place / "in", census="spring 2024").findings
    wrong = screen_files(place / "in", census="autumn 2024")
    assert {f.rule for f in wrong.findings} >= {"census_wrong_columns"}
    assert wrong.exit_code == 1


def test_a_census_that_is_not_the_one_asked_for(place: Path) -> None:
    Return("spring").write(place / "in")
    (found,) = screen_files(place / "in", census="autumn 2024").findings
    assert found.rule == "census_conflict"


def test_the_census_of_another_year_is_caught(place: Path) -> None:
    made = Return("spring", 2024)
    made.tables["schoolcensus"][0] |= {"year": "2025", "referencedate": "2025-Jan-16 00:00:00"}
    made.write(place / "in")
    assert {f.rule for f in screen_files(place / "in").findings} == {"census_wrong_dates"}


def test_values_from_a_file_never_reach_the_database_as_code(place: Path) -> None:
    made = Return("spring")
    made.tables["pupilonroll"][0]["senprovision"] = "'; DROP TABLE pupil; --"
    made.tables["pupilonroll"][0]["termlysessionspossible"] = "1' OR '1'='1"
    made.details("termlysessiondetailsonroll", "p1'; DROP TABLE pupil; --", "'I'", 3)
    made.prefix = "a'b"
    made.write(place / "in's [1] {x}")
    result = load_files(place / "in's [1] {x}", place / "st'ore [2]", key_file=place / "key")
    assert len(Store.open(place / "st'ore [2]").pupil_terms().df()) == 3
    assert {f.rule for f in result.report.findings} == {"sen_code", "sessions_not_number", "register_code"}
    assert (result.rows_in, result.rows_quarantined) == (4, 1)


def test_the_sums_are_those_of_the_files(place: Path) -> None:
    chance = random.Random(3)
    made = Return("spring", pupils=40, leavers=0)
    made.tables["termlysessiondetailsonroll"] = []
    expected: dict[str, dict[str, int]] = {}
    for row in made.tables["pupilonroll"]:
        key = row["pupilonrolltableid"]
        codes = chance.sample(["I", "M", "C", "G", "O", "U", "N", "/", "D", "B", "H"], 5)
        expected[row["upn"]] = {code: chance.randint(1, 12) for code in codes}
        for code, sessions in expected[row["upn"]].items():
            made.details("termlysessiondetailsonroll", key, code, sessions)
        row["termlysessionspossible"] = str(100 + len(expected))
    made.write(place / "in")
    load(place)
    rows = frame(place).set_index("sessions_possible")
    for number, codes in enumerate(expected.values(), 101):
        row = rows.loc[number]
        assert row.sessions_authorised == sum(codes.get(c, 0) for c in "IMCH")
        assert row.sessions_unauthorised == sum(codes.get(c, 0) for c in "GOUN")
        assert row.sessions_auth_illness == codes.get("I", 0)
        assert row.sessions_unauth_late == codes.get("U", 0)


# ---- the store


def test_opening_what_is_no_store(place: Path) -> None:
    with pytest.raises(StoreError, match="attendance load"):
        Store.open(place / "nowhere")
    with pytest.raises(StoreError, match="is not a store"):
        Store.open(place / "in")


def test_a_damaged_store_says_so(place: Path) -> None:
    a_year(place / "in")
    load(place)
    part = next((place / "store" / "pupil_term").rglob("part.parquet"))
    part.write_bytes(part.read_bytes()[:-10])
    with pytest.raises(StoreError, match="damaged"):
        Store.open(place / "store")
    (place / "store" / "manifest.json").write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        Store.open(place / "store")


def test_a_store_of_another_version_says_so(place: Path) -> None:
    a_year(place / "in")
    load(place)
    manifest = place / "store" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "version": 99}))
    with pytest.raises(StoreError, match="version 99"):
        Store.open(place / "store")


def test_an_empty_choice_names_what_there_is(place: Path) -> None:
    a_year(place / "in")
    load(place)
    store = Store.open(place / "store")
    with pytest.raises(NoDataError, match=r"Aldermoor \(E08900001\) for 2023/24"):
        store.pupil_terms(academic_years=[202425])
    with pytest.raises(NoDataError):
        store.pupil_terms(la_codes=["E08000009"])


def test_columns_and_areas_can_be_chosen(place: Path) -> None:
    a_year(place / "in")
    a_year(place / "in", la=982, first=100)
    load(place)
    store = Store.open(place / "store", memory_limit="500MB")
    assert store.la_codes() == ["E08900001", "E08900002"]
    chosen = store.pupil_terms(["E08900002"], [202324], ["upn", "la_code"]).df()
    assert list(chosen.columns) == ["upn", "la_code"]
    assert set(chosen.la_code) == {"E08900002"}
    assert len(chosen) == 16
    assert store.rows() == 32


def test_a_collision_of_pseudonyms_is_caught(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Return("spring").write(place / "in")
    monkeypatch.setattr(
        "attendance_toolkit.loaders.school_census.values.pseudonyms", lambda codes, key: [7 for _ in codes]
    )
    with pytest.raises(StoreError, match="same pseudonym"):
        load(place)
