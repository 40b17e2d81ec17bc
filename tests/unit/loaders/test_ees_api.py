"""The client of DfE's public API against a local server with the documented answers and errors."""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from ees_stub import DATA_SET, META, PUBLICATION, ROWS, Stub, csv_text, running

from attendance_toolkit.errors import FetchError, NoDataError, ParameterError, UnreadableFileError
from attendance_toolkit.loaders.ees_api import (
    EesApi,
    Transport,
    fetch_command,
)
from attendance_toolkit.loaders.published import read_published
from attendance_toolkit.loaders.published._fetched import translate
from attendance_toolkit.loaders.recognition import recognise

CSV_PATH = f"/data-sets/{DATA_SET}/csv"


@pytest.fixture
def stub():
    with running(Stub()) as server:
        yield server


@pytest.fixture
def waits():
    return []


@pytest.fixture
def client(stub, tmp_path, waits):
    def make(**more) -> EesApi:
        options = {"base_url": stub.url, "cache": tmp_path / "cache", "sleep": waits.append, "timeout": 5.0} | more
        return EesApi(Transport(**options))

    return make


# --- listing and paging --------------------------------------------------------------------------------


def test_all_pages_of_a_list_are_fetched_and_nothing_twice(stub, client):
    found = client().publications("pupil absence")
    assert stub.asked == ["/v1/publications"] * 3
    assert len(found) == 100
    assert [p["id"] for p in found] == [p["id"] for p in stub.publications]
    assert [d["id"] for d in client().data_sets(PUBLICATION)] == [DATA_SET]


def test_a_page_that_says_more_than_it_has_is_an_error(stub, client):
    half = {"paging": {"page": 1, "pageSize": 40, "totalResults": 9, "totalPages": 1}, "results": [{"id": "a"}]}
    stub.trouble = [("publications", f"body {json.dumps(half)}")]
    with pytest.raises(FetchError, match="gave 1 rows on its pages, but says that there are 9"):
        client().publications("pupil absence")
    empty = {"paging": {"page": 1, "pageSize": 40, "totalResults": 9, "totalPages": 3}, "results": []}
    stub.trouble = [("publications", f"body {json.dumps(empty)}")]
    with pytest.raises(FetchError, match="Page 1 of 3 of /v1/publications is empty"):
        client().publications("pupil absence")


def test_too_short_a_search_and_an_odd_id_are_not_sent(stub, client):
    with pytest.raises(ParameterError, match="too short"):
        client().publications("pu")
    with pytest.raises(ParameterError, match="is not the id"):
        client().data_set("../publications")
    assert stub.asked == []


# --- queries -------------------------------------------------------------------------------------------


def test_a_query_over_three_pages_gives_every_row_with_symbols_beside_missing_numbers(stub, client):
    frame = client().query(DATA_SET, ["enrolments", "Overall absence rate"], page_size=2)
    assert [body["page"] for body in stub.bodies] == [1, 2, 3]
    assert stub.bodies[0] == {"indicators": ["iEnro", "iRate"], "page": 1, "pageSize": 2}
    assert len(frame) == len(ROWS)
    planted = {"lTra": "E08000009", "lSal": "E08000006", "lEng": "E92000001"}
    assert frame["location_code"].tolist() == [planted[row[0]] for row in ROWS]
    for ours, row in zip(frame.itertuples(), ROWS, strict=True):
        if row[2] == "c":
            assert (ours.enrolments_symbol, ours.sess_overall_percent_symbol) == ("c", "c")
            assert ours.enrolments != ours.enrolments
        else:
            assert (ours.enrolments, ours.sess_overall_percent) == (float(row[2]), float(row[8]))
            assert ours.enrolments_symbol == ""
    assert frame["education_phase"].tolist()[:3] == ["Total", "State-funded primary", "State-funded secondary"]
    assert set(frame["time_period"]) == {"2022/2023"}


def test_names_become_ids_in_the_criteria(stub, client):
    client().query(
        DATA_SET,
        ["iEnro"],
        filters={"Education phase": ["state-funded primary", "oTot1"]},
        geographic_levels=["LA"],
        locations=["358", "Salford"],
        time_periods=[("2022/2023", "AY")],
    )
    assert stub.bodies[0]["criteria"] == {
        "and": [
            {"filters": {"in": ["oPri1", "oTot1"]}},
            {"geographicLevels": {"in": ["LA"]}},
            {"locations": {"in": [{"level": "LA", "id": "lTra"}, {"level": "LA", "id": "lSal"}]}},
            {"timePeriods": {"in": [{"period": "2022/2023", "code": "AY"}]}},
        ]
    }


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"indicators": ["enrolment"]}, "Did you mean 'enrolments'"),
        ({"indicators": []}, "at least one indicator"),
        ({"filters": {"phase": ["Total"]}}, "'phase' is not a filter"),
        ({"filters": {"education_phase": ["Totl"]}}, "Did you mean 'Total'"),
        ({"locations": ["Traford"]}, "Did you mean 'Trafford'"),
    ],
)
def test_an_unknown_name_is_said_before_a_query_is_sent(stub, client, more, says):
    with pytest.raises(ParameterError, match=says):
        client().query(DATA_SET, **({"indicators": ["enrolments"]} | more))
    assert stub.bodies == []


def test_rows_that_do_not_fit_the_metadata_are_an_error(stub, client):
    stub.rows[0]["filters"]["fPhas"] = "gone"
    with pytest.raises(FetchError, match="do not fit its metadata"):
        client().query(DATA_SET, ["enrolments"])
    stub.rows[0]["filters"]["fPhas"] = "oTot1"
    stub.rows[0]["values"]["iEnro"] = "12O"
    with pytest.raises(FetchError, match="'12O' is neither a number nor one of the symbols"):
        client().query(DATA_SET, ["enrolments"])


# --- errors and retries --------------------------------------------------------------------------------


def test_429_waits_as_long_as_it_is_asked_and_504_ever_longer(stub, client, waits):
    stub.trouble = [("meta", "error 429 7"), ("meta", "error 504"), ("meta", "error 503")]
    assert client().data_set_meta(DATA_SET) == META
    assert waits == [7.0, 2.0, 4.0]


def test_an_error_that_stays_is_told_after_the_last_try(stub, client, waits):
    stub.trouble = [("meta", "error 504")] * 3
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:\d+ did not give .*/meta after 3 tries: error 504"):
        client(attempts=3).data_set_meta(DATA_SET)
    assert waits == [1.0, 2.0]


def test_a_very_long_wait_is_left_to_the_user(stub, client, waits):
    stub.trouble = [("meta", "error 429 3600")]
    with pytest.raises(FetchError, match=r"after 1 try: error 429\. It asks to wait 3600 seconds"):
        client().data_set_meta(DATA_SET)
    assert waits == []


def test_a_slow_answer_is_asked_for_again(stub, client, waits):
    stub.trouble = [("meta", "slow 1.0")]
    assert client(timeout=0.3).data_set_meta(DATA_SET) == META
    assert waits == [1.0]
    assert stub.asked.count(f"/v1/data-sets/{DATA_SET}/meta") == 2


def test_400_and_404_are_not_tried_again_and_say_what_is_wrong(stub, client, waits):
    stub.trouble = [("query", "refuse")]
    with pytest.raises(FetchError, match=r"error 400\): Must be a valid indicator\. \(indicators\[0\]\)"):
        client().query(DATA_SET, ["enrolments"])
    with pytest.raises(FetchError, match=r"error 404.*Ids change with releases"):
        client().data_set("00000000-0000")
    assert waits == []


def test_an_answer_that_is_not_the_api_s_is_an_error_and_not_kept(stub, client):
    stub.trouble = [("meta", "body <html>captive portal</html>")]
    with pytest.raises(FetchError, match="is not JSON"):
        client().data_set_meta(DATA_SET)
    with pytest.raises(FetchError, match="not in the cache"):
        client(offline=True).data_set_meta(DATA_SET)
    stub.trouble = [("meta", 'body {"hello": 1}')]
    with pytest.raises(FetchError, match="has no 'indicators'"):
        client().data_set_meta(DATA_SET)


def test_no_network_names_the_host_and_the_way_by_hand(tmp_path, waits):
    api = EesApi(Transport("http://127.0.0.1:9/statistics", tmp_path / "cache", sleep=waits.append))
    with pytest.raises(FetchError) as error:
        api.publications("pupil absence")
    text = str(error.value)
    assert "no connection to 127.0.0.1:9" in text
    assert "explore-education-statistics.service.gov.uk/data-catalogue" in text
    assert "--offline" in text
    assert error.value.exit_code == 12
    with pytest.raises(ParameterError, match="is not the address of an API"):
        Transport("ftp://example.org", tmp_path)


# --- the cache -----------------------------------------------------------------------------------------


def test_what_was_fetched_is_there_offline_and_is_asked_for_by_its_tag_online(stub, client):
    first = client().data_set_meta(DATA_SET)
    frame = client().query(DATA_SET, ["enrolments"], page_size=2)
    stub.statuses.clear()
    assert client().data_set_meta(DATA_SET) == first
    assert stub.statuses == {304: 1}
    stub.asked.clear()
    offline = client(offline=True)
    assert offline.data_set_meta(DATA_SET) == first
    assert offline.query(DATA_SET, ["enrolments"], page_size=2).equals(frame)
    assert stub.asked == []
    with pytest.raises(FetchError, match="only the cache may be used"):
        offline.query(DATA_SET, ["sess_possible"])


def test_a_damaged_cache_entry_is_never_used(stub, client, tmp_path):
    client().data_set_meta(DATA_SET)
    for body in (tmp_path / "cache").glob("*.body"):
        body.write_bytes(body.read_bytes().replace(b"enrolments", b"enrolment5"))
    assert client().data_set_meta(DATA_SET) == META
    for body in (tmp_path / "cache").glob("*.body"):
        body.write_bytes(body.read_bytes()[:-5])
    with pytest.raises(FetchError, match="not in the cache"):
        client(offline=True).data_set_meta(DATA_SET)


# --- whole files ---------------------------------------------------------------------------------------


def test_a_file_is_written_as_it_came_with_its_provenance(stub, client, tmp_path):
    file = client().download_csv(DATA_SET, tmp_path / "out")
    assert file.path.name == "absence_by_geography_full_year_v1-0.csv"
    assert file.path.read_bytes() == csv_text()
    about = json.loads(file.provenance.read_text(encoding="utf-8"))
    assert about["sha256"] == hashlib.sha256(csv_text()).hexdigest()
    assert (about["data_set_id"], about["version"], about["bytes"]) == (DATA_SET, "1.0", len(csv_text()))
    assert about["url"] == stub.url + "/v1" + CSV_PATH
    assert about["columns"]["Number of pupil enrolments"] == "enrolments"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [file.path.name, file.provenance.name]


@pytest.mark.parametrize("fault", ["cut_gzip", "cut_body"])
def test_half_a_file_is_fetched_again_and_never_left_behind(stub, client, tmp_path, waits, fault):
    stub.trouble = [("/csv", fault)]
    assert client().download_csv(DATA_SET, tmp_path / "out").path.read_bytes() == csv_text()
    assert waits == [1.0]
    stub.version = "2.0"
    stub.trouble = [("/csv", fault)] * 5
    with pytest.raises(FetchError, match="after 5 tries: the answer was cut off"):
        client().download_csv(DATA_SET, tmp_path / "out")
    left = {
        p.name
        for p in tmp_path.rglob("*")
        if p.is_file() and ("v2" in p.name or "part" in p.name or "fetched" in p.name)
    }
    assert left == set()


def test_a_version_is_fetched_once_and_a_changed_file_again(stub, client, tmp_path):
    assert client().download_csv(DATA_SET, tmp_path / "a").is_new
    again = client().download_csv(DATA_SET, tmp_path / "a")
    other = client().download_csv(DATA_SET, tmp_path / "b")
    assert not again.is_new
    assert not other.is_new
    assert other.path.read_bytes() == csv_text()
    assert sum(path.endswith("/csv") for path in stub.asked) == 1
    # A file somebody edited is not the one that was fetched: it is put right from the cache.
    again.path.write_bytes(csv_text() + b"x")
    assert client(offline=True).download_csv(DATA_SET, tmp_path / "a").path.read_bytes() == csv_text()
    stub.version, stub.csv = "1.1", csv_text().replace(b"36000", b"36001")
    newer = client().download_csv(DATA_SET, tmp_path / "a")
    assert newer.is_new
    assert newer.path.name.endswith("_v1-1.csv")
    assert b"36001" in newer.path.read_bytes()


def test_a_folder_that_cannot_be_written_is_a_clear_error(client, tmp_path):
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    with pytest.raises(FetchError, match="could not be written"):
        client().download_csv(DATA_SET, tmp_path / "out")


def test_a_fetched_file_is_read_under_its_own_column_names(client, tmp_path):
    """Labels are put back into column names, and the published reader gives the planted counts."""
    file = client().download_csv(DATA_SET, tmp_path / "out")
    named = translate(file.path, tmp_path / "named")
    with named.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle))
    assert rows[0][-8:] == ["education_phase", *(i["column"] for i in META["indicators"])]
    assert named.read_bytes().partition(b"\n")[2] == csv_text().partition(b"\n")[2]
    cells = read_published(tmp_path / "out").cells.set_index(["area_code", "phase"])
    assert len(cells) == len(ROWS)
    assert cells.loc[("E08000009", "Primary"), "enrolments"] == 20_000
    assert cells.loc[("E08000009", "All schools"), "sessions_unauthorised"] == 220_000
    assert cells.loc[("E92000001", "All schools"), "persistent_absentees"] == 1_500_000
    assert cells["enrolments"].isna().sum() == 1
    assert set(cells["academic_year"]) == {202223}
    found = recognise(file.path)
    assert found is not None
    assert (found.kind, found.layout) == ("published", "annual_geography")


def test_labels_two_columns_share_are_left_alone_and_other_files_too(client, tmp_path):
    file = client().download_csv(DATA_SET, tmp_path / "out")
    about = json.loads(file.provenance.read_text(encoding="utf-8"))
    about["columns"]["Number of sessions possible"] = "enrolments"
    file.provenance.write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="two columns would be 'enrolments'"):
        translate(file.path, tmp_path / "named")
    file.provenance.write_text("{", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="is damaged"):
        translate(file.path, tmp_path / "named")
    file.provenance.unlink()
    assert translate(file.path, tmp_path / "named") == file.path


# --- the command ---------------------------------------------------------------------------------------


def command(stub, tmp_path, *args, **more):
    return fetch_command(*args, base_url=stub.url, cache=tmp_path / "cache", **more)


def test_list_names_publications_and_their_data_sets(stub, tmp_path):
    stub.publications = stub.publications[:2]
    text = command(stub, tmp_path, "list", "pupil absence")
    assert text.splitlines() == [
        "Pupil absence in schools in England",
        f"  Absence by geography: full year (2022/23)  {DATA_SET}",
        "Pupil absence notes 0",
    ]


def test_fetch_absence_writes_the_files_and_offline_does_it_again(stub, tmp_path):
    text = command(stub, tmp_path, "absence", out=tmp_path / "out")
    assert text == "absence_by_geography_full_year_v1-0.csv: Absence by geography: full year, version 1.0"
    stub.asked.clear()
    again = command(stub, tmp_path, "absence", out=tmp_path / "other", offline=True)
    assert again == text + " (had it already)"
    assert (tmp_path / "other" / "absence_by_geography_full_year_v1-0.csv").read_bytes() == csv_text()
    assert stub.asked == []


def test_the_command_says_what_it_needs(stub, tmp_path):
    with pytest.raises(ParameterError, match="Use one of: list, absence, attendance"):
        command(stub, tmp_path, "exclusions")
    with pytest.raises(ParameterError, match="--out FOLDER"):
        command(stub, tmp_path, "absence")
    with pytest.raises(NoDataError, match="with 'bands' in its title"):
        command(stub, tmp_path, "absence", out=tmp_path / "out", title="bands")
    with pytest.raises(NoDataError, match="no publication for 'exclusions'"):
        command(stub, tmp_path, "list", "exclusions")


def test_address_and_cache_come_from_the_environment(stub, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTENDANCE_EES_API", stub.url)
    monkeypatch.setenv("ATTENDANCE_EES_CACHE", str(tmp_path / "mine"))
    assert EesApi().data_set_meta(DATA_SET) == META
    assert any((tmp_path / "mine").iterdir())
