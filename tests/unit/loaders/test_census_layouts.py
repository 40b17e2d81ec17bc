"""Files of one row a pupil: recognised by content, and loaded as the same pupils in tables would be."""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parent))

from flat_files import CODES, HEADER, REASONS, TOTALS, found, make_upn, pupil, rules, write

from attendance_toolkit.errors import AttendanceError, ScreeningError
from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders.load import load_files, screen_files
from attendance_toolkit.loaders.school_census.layouts import FLAT_CODES, FLAT_REASONS, TABLES, recognise
from attendance_toolkit.loaders.school_census.layouts._header import read_header
from attendance_toolkit.loaders.synthetic import generate, write_census_files, write_flat_files, write_xml_returns
from attendance_toolkit.schema.census import census_of
from attendance_toolkit.store import Store
from attendance_toolkit.vocabulary.columns import CHARACTERISTICS, PUPIL_TERM_KEY

SECOND = ["SummerHalfTerm2SessionsPossible", *(f"S_Reason_{code}" for code in "IMRSTHECGUON")]


def frame(store: Path) -> pd.DataFrame:
    return Store.open(store).pupil_terms().df().sort_values(list(PUPIL_TERM_KEY)).reset_index(drop=True)


def cells_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.reader(handle))


def load(tmp_path: Path, *paths: Path, **more: object):
    return load_files(paths, tmp_path / "store", key_file=tmp_path / "key", **more)  # type: ignore[arg-type]


# -- the layouts


def test_real_headers_are_of_the_census_they_were_taken_from(shared: Path, tmp_path: Path) -> None:
    # The seven headers of extracts that authorities hold, each with its census.
    path = shared / "data" / "real" / "metadata" / "pupil_level_school_census_extract_headers.json"
    headers = json.loads(path.read_text(encoding="utf-8"))
    terms = {"oct": "autumn", "jan": "spring", "may": "summer"}
    assert len(headers["attendance_headers_by_census"]) == 7
    for name, header in headers["attendance_headers_by_census"].items():
        census = census_of(f"{terms[name[:3]]} 20{name[3:]}")
        read = read_header(header)
        allowed = {c.label for c in read.layout.allows(read.dated)}
        assert read.kind == "attendance"
        assert census.label in allowed
        assert not read.repeated
        assert (read.layout is FLAT_CODES) == (census.year >= 2021)
        if name == "oct14":
            assert allowed == {"autumn 2014"}
        elif census.year == 2015:
            assert "autumn 2014" not in allowed
        codes = {reason.code for reason in read.reasons}
        assert len(codes) == len(header) - 13 - (2 if "T_Reason_I" in header else 0)
        found_ = recognise(look(write(tmp_path / "anything.txt", [], header)))
        assert found_ is not None
        assert found_.layout == read.layout.name
    found_ = recognise(look(write(tmp_path / "b.csv", [], headers["census_jan22_header"])))
    assert found_ is not None
    assert found_.layout == "flat_characteristics"


def test_dated_differences_follow_the_history_of_the_items() -> None:
    # The history of the items in the census, as the domain notes list it.
    at = {label: TABLES.columns_at(census_of(label)) for label in
          ("summer 2020", "autumn 2020", "spring 2021", "summer 2022", "spring 2023", "autumn 2024", "spring 2025")}  # fmt: skip
    assert "absencesessions" in at["summer 2020"]
    assert "absencesessions" not in at["autumn 2020"]
    assert "sessions" in at["autumn 2020"]
    assert "sessions" not in at["summer 2020"]
    assert {"termlysessionscoronavirus", "termlysessionseducational"} <= at["spring 2021"]
    assert "termlysessionscoronavirus" in at["summer 2022"]
    assert "termlysessionscoronavirus" not in at["spring 2023"]
    assert "termlysessionsauthorised" in at["autumn 2024"]
    assert not {c for c in at["spring 2025"] if c.endswith("authorised")}
    assert "summerhalfterm2sessionspossible" in at["autumn 2024"]
    assert "summerhalfterm2sessionspossible" not in at["spring 2025"]
    assert "code_y7" in FLAT_CODES.columns_at(census_of("autumn 2024"))
    assert "code_y7" not in FLAT_CODES.columns_at(census_of("summer 2024"))
    assert "t_reason_f" not in FLAT_REASONS.columns_at(census_of("spring 2015"))


def test_tables_are_recognised_by_their_header(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", [], ["pupilOnRollTableID", "NativeId", "UPN", "gender", "termlysessionspossible"])
    said = recognise(look(path))
    assert said is not None
    assert "pupilonroll" in said.says
    assert "to summer 2023" in said.says
    # Nothing in this header says to which half of the summer term the sessions belong.
    details = write(tmp_path / "y.csv", [], ["pupilonrolltableid", "nativeid", "attendancereason", "sessions"])
    assert recognise(look(details)) is None


@pytest.mark.parametrize(
    "header",
    [
        ["pupil", "upn", "name", "percentage"],
        ["pupilonrolltableid", "upn", "date", "am", "pm"],
        ["nativeid", "upn", "dob", "sex", "termlysessionspossible", "senprovision", "language"],
        ["Estab", "Number on roll", "Ethnicity", "Language"],
    ],
)
def test_other_files_are_not_taken_for_a_flat_return(tmp_path: Path, header: list[str]) -> None:
    said = recognise(look(write(tmp_path / "x.csv", [], header)))
    assert said is None or not said.layout.startswith("flat")


# -- the same pupils in every layout


@pytest.fixture(scope="module")
def cohort():
    return generate("small", areas=["Irwell Bank"], first_year=202122, last_year=202122)


@pytest.fixture(scope="module")
def from_tables(cohort, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame, int]:
    folder = tmp_path_factory.mktemp("layouts")
    write_census_files(cohort, folder / "tables")
    result = load_files(folder / "tables", folder / "store", key_file=folder / "key")
    assert result.rows_quarantined == 0
    return folder, frame(folder / "store"), result.rows_in


@pytest.mark.parametrize("layout", ["codes", "reasons"])
def test_flat_files_give_the_same_pupil_terms_as_tables(
    cohort, from_tables: tuple[Path, pd.DataFrame, int], tmp_path: Path, layout: str
) -> None:
    folder, wanted, _ = from_tables
    flags = next((folder / "tables").glob("*_pupil_flags.csv"))
    groups: dict[str, list[Path]] = {}
    for path in write_flat_files(cohort, tmp_path / "flat", layout):
        groups.setdefault("{2} {1}".format(*path.stem.split("_")), []).append(path)
    assert {len(paths) for paths in groups.values()} == {4}
    for census, paths in groups.items():
        result = load_files(
            [*paths, flags], tmp_path / "store", key_file=folder / "key", census=census, is_synthetic=True
        )
        assert result.rows_quarantined == 0
        assert not rules(result.report) - {"term_no_sessions", "upn_temporary", "reasons_below_total"}
    found_ = frame(tmp_path / "store")
    # A flat file says nothing of schools, and of leavers and of six years of meals nothing beyond the census day.
    never = {"urn", "phase", "fsm6"} | ({"sessions_covid"} if layout == "reasons" else set())
    staying = wanted["on_roll"] & wanted["upn"].isin(wanted.loc[wanted["half_term"] == "1-2", "upn"])
    assert staying.sum() > 1000
    for column in wanted.columns.drop(list(never)):
        rows = staying if column in (*CHARACTERISTICS, "enrol_status") else slice(None)
        pd.testing.assert_series_equal(found_.loc[rows, column], wanted.loc[rows, column])


def test_xml_gives_the_same_pupil_terms_as_tables(
    cohort, from_tables: tuple[Path, pd.DataFrame, int], tmp_path: Path
) -> None:
    folder, wanted, rows_in = from_tables
    files = write_xml_returns(cohort, tmp_path / "xml")
    assert len(files) > 20
    flags = next((folder / "tables").glob("*_pupil_flags.csv"))
    result = load_files([*files, flags], tmp_path / "store", key_file=folder / "key")
    assert (result.rows_in, result.rows_quarantined) == (rows_in, 0)
    pd.testing.assert_frame_equal(frame(tmp_path / "store"), wanted)


# -- one thing at a time


def test_columns_are_found_in_any_order_and_spelling(tmp_path: Path) -> None:
    columns = [*HEADER, *TOTALS, *REASONS]
    write(tmp_path / "a" / "a.csv", [pupil(1), pupil(2)], columns)
    turned = list(reversed(columns))
    path = write(tmp_path / "b" / "b.csv", [pupil(1), pupil(2)], turned)
    text = path.read_text(encoding="utf-8").split("\n", 1)
    path.write_text(text[0].upper().replace("TERMLYSESSIONS", " Termly Sessions ") + "\n" + text[1], encoding="utf-8")
    for name in "ab":
        load_files(tmp_path / name, tmp_path / f"store-{name}", key_file=tmp_path / "key", census="spring 2015")
    one, other = frame(tmp_path / "store-a"), frame(tmp_path / "store-b")
    assert one.sessions_auth_illness.tolist() == [4, 4]
    pd.testing.assert_frame_equal(one, other)


def test_leavers_dates_and_blanks(tmp_path: Path) -> None:
    rows = [
        pupil(1, EntryDate="41885.5"),
        pupil(2, EnrolStatus="Leaver", NCyearActual="6"),
        pupil(3, NCyearActual="Leaver", T_Reason_M="2", TermlySessionsAuthorised="6"),
        pupil(4, TermlySessionsPossible="", TermlySessionsAuthorised="", TermlySessionsUnauthorised="",
              T_Reason_I="", T_Reason_N=""),
        pupil(5, EnrolStatus="Leaver", TermlySessionsPossible="", TermlySessionsAuthorised="",
              TermlySessionsUnauthorised="", T_Reason_I="", T_Reason_N=""),
    ]  # fmt: skip
    result = load(tmp_path, write(tmp_path / "f.csv", rows), census="spring 2015")
    found_ = frame(tmp_path / "store")
    assert (result.rows_in, result.rows_loaded) == (5, 5)
    assert rules(result.report) == {"date_spreadsheet"}
    finding = found(result.report, "date_spreadsheet")
    assert (finding.row, finding.column, finding.file) == (2, "EntryDate", "f.csv")
    # Excel counts 41885 days from 30 December 1899 to 3 September 2014.
    assert sorted(found_.on_roll) == [False, False, True]
    assert sorted(found_.nc_year) == ["4", "6", "Unknown"]
    assert sorted(found_.sessions_auth_appointments) == [0, 0, 2]


def test_codes_of_august_2024_and_the_second_half_of_summer(tmp_path: Path) -> None:
    columns = [*HEADER, TOTALS[0], *CODES, "K", "Q", "C1", "C2", "J1", "Y1", "Y7"]
    columns += ["SummerHalfTerm2SessionsPossible", "S_I", "S_C2"]
    new = {"EntryDate": "2024-Sep-03 00:00:00", "DoB": "2015-Nov-21 00:00:00"}
    spring = [pupil(1, C2="3", J1="2", **{**new, "EntryDate": "2024-Sep-03 00:00:00"})]
    load(tmp_path, write(tmp_path / "s.csv", spring, columns[:-3]), census="spring 2025")
    rows = [pupil(1, **new, **{"TermlySessionsPossible": "50", "/": "25", "\\": "20"},
                  SummerHalfTerm2SessionsPossible="60", S_I="7")]  # fmt: skip
    load(tmp_path, write(tmp_path / "a.csv", rows, columns), census="autumn 2024")
    store = frame(tmp_path / "store").set_index("half_term")
    assert store.loc["1-2", "sessions_auth_temp_reduced_timetable"] == 3
    assert store.loc["1-2", "sessions_auth_interview"] == 2
    assert store.loc["5", "academic_year"] == 202324
    assert store.loc["5", "sessions_possible"] == 50
    assert store.loc["6", "sessions_auth_illness"] == 7
    # The code did not exist in summer 2024, which the autumn census carries.
    rows[0]["S_C2"] = "2"
    report = screen_files(write(tmp_path / "b.csv", rows, columns), census="autumn 2024")
    finding = found(report, "register_code_new")
    assert (finding.row, finding.column, finding.value) == (2, "S_C2", "C2")


def test_an_autumn_file_with_the_first_half_alone_loads_with_a_warning(tmp_path: Path) -> None:
    row = pupil(1, EntryDate="2015-Sep-03 00:00:00", TermlySessionsPossible="50", NCyearActual="5")
    result = load(tmp_path, write(tmp_path / "f.csv", [row]), census="autumn 2015")
    assert rules(result.report) == {"term_no_sessions"}
    assert frame(tmp_path / "store").half_term.tolist() == ["5"]


def test_the_census_is_told_from_the_newest_entry_date(tmp_path: Path) -> None:
    rows = [pupil(1, EntryDate="2015-Jan-05 00:00:00"), pupil(2)]
    report = screen_files(write(tmp_path / "october_2019.csv", rows))
    assert "spring 2015" in found(report, "census_guessed").says


@pytest.mark.parametrize("way", ["column", "native", "asked", "seven"])
def test_a_school_by_four_digits_with_its_authority(tmp_path: Path, way: str) -> None:
    cells = {"column": {"LA": "981"}, "native": {"NativeID": "9812001"}, "seven": {"Estab": "981/2001"}}.get(way, {})
    row = pupil(1, **{"Estab": "2001", **cells})
    path = write(tmp_path / "f.csv", [row], [*HEADER, *cells.keys() - {"Estab"}, *TOTALS, *REASONS])
    load(tmp_path, path, census="spring 2015", **({"la": "981"} if way == "asked" else {}))
    assert frame(tmp_path / "store").laestab.tolist() == [9812001]


def test_characteristics_are_joined_by_school_and_upn(tmp_path: Path) -> None:
    columns = [*HEADER, "Ethnicity", "Language", "SENprovision", "FSME on Census Day", "Age"]
    more = {"Ethnicity": "APKN", "Language": "URD", "SENprovision": "K"}
    attendance = write(tmp_path / "jan15.csv", [pupil(n) for n in (1, 2, 3)])
    described = write(
        tmp_path / "census.csv",
        [pupil(1, **more, **{"FSME on Census Day": "Y"}), pupil(2, **more), pupil(9, **more)], columns,
    )  # fmt: skip
    result = load(tmp_path, attendance, described, census="spring 2015")
    assert (result.rows_in, result.rows_loaded) == (3, 3)
    store = frame(tmp_path / "store")
    assert sorted(store.fsm_eligible) == ["FSM eligible", "Not known to be FSM eligible", "Unknown"]
    assert sorted(store.sen_provision) == ["SEN support", "SEN support", "Unknown"]
    assert sorted(store.ethnicity_minor) == ["Pakistani", "Pakistani", "Unknown"]
    unmatched = {f.file: f for f in result.report.findings if f.rule == "characteristics_unmatched"}
    assert {name: (f.row, f.count) for name, f in unmatched.items()} == {"jan15.csv": (4, 1), "census.csv": (4, 1)}
    assert set(rules(result.report)) == {"characteristics_unmatched"}
    entries = {(e["file"], e["table"]): e["rows_in"] for e in result.manifest["loads"]}
    assert entries["census.csv", "pupilcharacteristics"] == 3


def test_a_mark_for_free_meals_that_says_nothing(tmp_path: Path) -> None:
    columns = [*HEADER, *TOTALS, *REASONS, "FSME on Census Day"]
    rows = [pupil(1, **{"FSME on Census Day": "perhaps"}), pupil(2, **{"FSME on Census Day": "1"}), pupil(3)]
    result = load(tmp_path, write(tmp_path / "f.csv", rows, columns), census="spring 2015")
    finding = found(result.report, "fsm_code")
    assert (finding.row, finding.column, finding.value) == (2, "FSME on Census Day", "perhaps")
    eligible = sorted(frame(tmp_path / "store").fsm_eligible)
    assert eligible == ["FSM eligible", "Not known to be FSM eligible", "Unknown"]


# -- what is wrong is said, with the user's line and column


@pytest.mark.parametrize(
    ("cells", "rule", "column"),
    [
        ({"T_Reason_I": "-3"}, "sessions_negative", "T_Reason_I"),
        ({"T_Reason_I": "2.5"}, "sessions_not_number", "T_Reason_I"),
        ({"T_Reason_I": "ill"}, "sessions_not_number", "T_Reason_I"),
        ({"TermlySessionsPossible": "-1"}, "sessions_negative", "TermlySessionsPossible"),
        ({"TermlySessionsPossible": ""}, "possible_blank", "TermlySessionsPossible"),
        ({"TermlySessionsPossible": "4"}, "absent_over_possible", "TermlySessionsPossible"),
        ({"Gender": "Q"}, "sex_code", "Gender"),
        ({"DoB": "11/21/2005"}, "date_unreadable", "DoB"),
        ({"UPN": ""}, "upn_blank", "UPN"),
        ({"UPN": make_upn(1)}, "pupil_repeated", "UPN"),
        ({"Estab": "9992001"}, "school_unknown", "Estab"),
    ],
)
def test_a_bad_cell_is_found_where_it_is(tmp_path: Path, cells: dict[str, str], rule: str, column: str) -> None:
    # A line break in a quoted cell above: line and row number differ.
    rows = [pupil(1, Surname="Test\npupil"), pupil(2, **cells), pupil(3)]
    path = write(tmp_path / "f.csv", rows)
    result = load(tmp_path, path, census="spring 2015")
    finding = found(result.report, rule)
    assert (finding.file, finding.row, finding.column) == ("f.csv", 4, column)
    assert result.rows_in == 3
    assert result.rows_in == result.rows_loaded + result.rows_quarantined
    if rule in ("sex_code", "date_unreadable"):
        assert result.rows_quarantined == 0
        return
    assert result.rows_quarantined == 1
    # The row is kept word for word, with the header of the user's file.
    kept = [cells_of(p) for p in (tmp_path / "store" / "quarantine").glob("*/*.csv")]
    (pupils,) = [t for t in kept if t[0][: len(HEADER)] == HEADER]
    given = cells_of(path)
    assert pupils[1][: len(given[0])] == given[2]
    assert pupils[1][len(given[0]) + 2] == "4"


def test_no_finding_shows_a_pupil(tmp_path: Path) -> None:
    rows = [pupil(1), pupil(2, DoB="11/21/2005", UPN=make_upn(2)[:-1]), pupil(3, DoB="1890-Nov-21 00:00:00")]
    report = screen_files(write(tmp_path / "f.csv", rows), census="spring 2015")
    assert {"upn_format", "date_unreadable", "birth_unlikely"} <= rules(report)
    shown = report.to_text() + report.to_json()
    for row in rows[1:]:
        assert row["DoB"] not in shown
        assert row["UPN"] not in shown


@pytest.mark.parametrize(
    ("change", "rule", "column"),
    [
        (lambda c: [x for x in c if x != "DoB"], "column_missing", "dob"),
        (lambda c: [x for x in c if x != "TermlySessionsPossible"], "column_missing", "termlysessionspossible"),
        (lambda c: [*c, "Termly Sessions Possible"], "column_repeated", "Termly Sessions Possible"),
        (lambda c: [*c, "t_reason_i"], "column_repeated", "t_reason_i"),
        (lambda c: [*c, "S_Reason_I"], "column_missing", "summerhalfterm2sessionspossible"),
        (lambda c: [*c, "T_Reason_C2"], "census_wrong_columns", "T_Reason_C2"),
        (lambda c: [*c, "SummerHalfTerm2SessionsPossible"], "census_wrong_columns", "SummerHalfTerm2SessionsPossible"),
    ],
)
def test_a_bad_header_blocks(tmp_path: Path, change, rule: str, column: str) -> None:
    path = write(tmp_path / "f.csv", [pupil(1), pupil(2)], change([*HEADER, *TOTALS, *REASONS]))
    report = screen_files(path, census="spring 2015")
    finding = found(report, rule)
    assert (finding.severity, finding.row, finding.column) == ("blocking", 1, column)
    with pytest.raises(ScreeningError):
        load(tmp_path, path, census="spring 2015")


def test_an_unknown_reason_column_is_set_aside_where_it_counts(tmp_path: Path) -> None:
    columns = [*HEADER, *TOTALS, *REASONS, "T_Reason_QQ"]
    result = load(tmp_path, write(tmp_path / "f.csv", [pupil(1), pupil(2, T_Reason_QQ="3")], columns),
                  census="spring 2015")  # fmt: skip
    finding = found(result.report, "register_code")
    assert (finding.row, finding.column, finding.value) == (3, "T_Reason_QQ", "QQ")
    (kept,) = (tmp_path / "store" / "quarantine").glob("*/*.csv")
    assert "column T_Reason_QQ" in kept.read_text(encoding="utf-8")
    assert frame(tmp_path / "store").sessions_possible.tolist() == [120, 120]


def test_a_school_by_four_digits_without_its_authority_blocks(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", [pupil(1), pupil(2, Estab="2001"), pupil(3, Estab="2002")])
    finding = found(screen_files(path, census="spring 2015"), "la_missing")
    assert (finding.row, finding.column, finding.value, finding.count) == (3, "Estab", "2001", 2)
    assert "--la 358" in finding.fix


def test_a_row_that_does_not_fit_the_header_blocks(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", [pupil(1), pupil(2)])
    path.write_text(path.read_text(encoding="utf-8").replace(",Testpupil,", ",Test,pupil,", 1), encoding="utf-8")
    finding = found(screen_files(path, census="spring 2015"), "file_ragged")
    assert (finding.row, finding.count) == (2, 1)


def test_totals_are_a_cross_check_only(tmp_path: Path) -> None:
    rows = [pupil(1), pupil(2, TermlySessionsAuthorised="2")]
    result = load(tmp_path, write(tmp_path / "f.csv", rows), census="spring 2015")
    assert frame(tmp_path / "store").sessions_authorised.tolist() == [4, 4]
    assert any(f.row == 3 and f.column == "TermlySessionsAuthorised" for f in result.report.findings)
    without = [c for c in [*HEADER, *TOTALS, *REASONS] if c not in TOTALS[1:]]
    again = load_files(write(tmp_path / "g.csv", rows, without), tmp_path / "other", key_file=tmp_path / "key",
                       census="spring 2015")  # fmt: skip
    assert not rules(again.report)
    assert frame(tmp_path / "other").sessions_authorised.tolist() == [4, 4]


def test_a_windows_file_is_converted(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", [pupil(1, Surname="Zoë"), pupil(2)])
    path.write_bytes(path.read_text(encoding="utf-8").encode("cp1252"))
    assert rules(screen_files(path, census="spring 2015")) == {"file_converted"}


def test_totals_without_reasons_have_no_reason(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", [pupil(1), pupil(2)], [*HEADER, *TOTALS])
    said = recognise(look(path))
    assert said is not None
    assert said.layout == "flat_totals"
    load(tmp_path, path, census="spring 2015")
    rows = frame(tmp_path / "store")
    assert rows[["sessions_authorised", "sessions_unauthorised"]].to_numpy().tolist() == [[4, 1], [4, 1]]
    assert rows.sessions_auth_illness.tolist() == [0, 0]


JUNK = [b"7", b"0", b"-", b".5", b"Y", b"Leaver", b'"', b",", b"\n", b"\0", b"\xff", b"1e5", b"nan", b" ", b"=1+1", b""]
SLIPS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 3), st.sampled_from(JUNK)), min_size=1, max_size=3)


@settings(max_examples=30, deadline=None)
@given(slips=SLIPS)
def test_a_damaged_file_ends_in_findings_or_an_error_and_loses_no_row(slips: list[tuple[int, int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "f.csv", [pupil(n) for n in range(1, 5)])
        text = bytearray(path.read_bytes())
        for place, gone, junk in slips:
            place %= len(text)
            text[place : place + gone] = junk
        path.write_bytes(bytes(text))
        try:
            result = load(Path(folder), path, census="spring 2015")
        except AttendanceError:
            return
        assert result.rows_in == result.rows_loaded + result.rows_quarantined
        # The csv module counts the rows too.
        rows = csv.reader(path.read_bytes().decode("latin-1").splitlines(keepends=True))
        assert result.rows_in == sum(1 for cells in rows if cells) - 1
