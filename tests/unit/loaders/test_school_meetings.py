"""Lists of meetings with schools: what is recognised, read, set aside and kept; what the synthetic ones plant."""

from __future__ import annotations

import csv
from datetime import date

import pandas as pd
import pytest

from attendance_toolkit.loaders._head import look
from attendance_toolkit.loaders.load import load_files, screen_files
from attendance_toolkit.loaders.recognition import recognise
from attendance_toolkit.loaders.school_meetings import read_meetings
from attendance_toolkit.store import Store

SCHOOLS = "urn,laestab,name,phase\n100001,9814001,Elm School,Secondary\n100002,9812002,Oak School,Primary\n"


def written(folder, text, name="meetings.csv"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_kept_is_what_the_csv_module_reads(tmp_path):
    text = (
        "Meeting date,LAESTAB,Type of meeting,RAG,Note\n"
        "2024-Jan-17,9814001,Face to face,r,about a child\n"
        "18/01/2024,981/2002,Teams,Amber,\n"
        "2024-09-03,9814001,on request,,\n"
    )
    path = written(tmp_path, text)
    load_files([path, written(tmp_path, SCHOOLS, "schools.csv")], tmp_path / "store", key_file=tmp_path / "key")
    store = Store.open(tmp_path / "store")
    rows = list(csv.DictReader(text.splitlines()))
    wanted = [
        (int(row["LAESTAB"].replace("/", "")), year, day, kind, colour)
        for row, year, day, kind, colour in zip(
            rows, (202324, 202324, 202425), (date(2024, 1, 17), date(2024, 1, 18), date(2024, 9, 3)),
            ("in person", "online", "by request"), ("Red", "Amber", None), strict=True,
        )
    ]  # fmt: skip
    assert store.meetings().order("day").fetchall() == wanted
    assert store.last_meeting(9814001) == (date(2024, 9, 3), "by request", None)
    assert store.last_meeting(9814001, date(2024, 6, 1)) == (date(2024, 1, 17), "in person", "Red")
    assert store.last_meeting(9814002) is None
    everything = b"".join(file.read_bytes() for file in (tmp_path / "store").rglob("*") if file.is_file())
    assert b"about a child" not in everything


def test_a_school_is_found_by_its_urn_in_a_list_of_schools_of_the_same_call(tmp_path):
    path = written(tmp_path, "urn,date,kind\n100002,2024-01-17,online\n999999,2024-01-17,online\n")
    schools = written(tmp_path, SCHOOLS, "schools.csv")
    result = load_files([path, schools], tmp_path / "store", key_file=tmp_path / "key")
    assert [row[0] for row in Store.open(tmp_path / "store").meetings().fetchall()] == [9812002]
    (finding,) = [one for one in result.report.findings if one.rule.startswith("meeting")]
    assert (finding.rule, finding.row, finding.value) == ("meeting_school", 3, "999999")


def test_a_list_loaded_again_takes_the_place_of_its_rows_and_others_stay(tmp_path):
    first = written(tmp_path / "a", "laestab,date,kind\n9814001,2024-01-17,online\n9812002,2024-01-18,online\n")
    load_files(first, tmp_path / "store", key_file=tmp_path / "key")
    again = written(tmp_path / "b", "laestab,date,kind,colour\n9814001,2024-01-17,visit,Red\n")
    load_files(again, tmp_path / "store", key_file=tmp_path / "key")
    found = Store.open(tmp_path / "store").meetings().order("day").fetchall()
    assert [(row[0], row[3], row[4]) for row in found] == [(9814001, "in person", "Red"), (9812002, "online", None)]


def test_every_row_is_kept_or_set_aside_and_said(tmp_path):
    path = written(
        tmp_path,
        "laestab,date,kind\n9814001,2024-01-17,online\n9814001,2024-01-17,visit\n,2024-01-17,visit\n"
        "9814001,1999-01-01,visit\n0000001,2024-01-17,visit\n9814001,2024-02-30,visit\n",
    )
    found = read_meetings(look(path), {})
    assert (found.count.rows_in, found.count.rows_quarantined, len(found.rows)) == (6, 5, 1)
    by_rule = {}
    for one in found.findings:
        by_rule[one.rule] = by_rule.get(one.rule, 0) + one.count
    assert by_rule == {"meeting_repeated": 1, "meeting_school": 2, "meeting_date": 2}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("laestab,date,kind\n", "file_no_rows"),
        ("laestab,date,kind\n9814001,2024-01-17\n", "file_ragged"),
        ("laestab,date,meeting date,kind\n9814001,2024-01-17,2024-01-18,visit\n", "column_repeated"),
    ],
)
def test_a_list_that_cannot_be_read_blocks(tmp_path, text, rule):
    report = screen_files(written(tmp_path, text))
    assert [one.rule for one in report.findings if one.severity == "blocking"] == [rule]


@pytest.mark.parametrize(
    "header", ["upn,laestab,date,kind", "laestab,kind,colour", "date,kind,colour", "laestab,date,mark"]
)
def test_other_files_are_not_taken_for_meetings(tmp_path, header):
    found = recognise(look(written(tmp_path, f"{header}\n1,2,3,4\n")))
    assert found is None or found.kind != "meetings"


def test_a_workbook_is_read_like_a_csv_file(tmp_path):
    path = tmp_path / "meetings.xlsx"
    frame = pd.DataFrame(
        {"laestab": [9814001], "date": [pd.Timestamp("2024-01-17")], "kind": ["Online"], "colour": ["A"]}
    )
    frame.to_excel(path, index=False)
    found = read_meetings(look(path), {})
    assert found.rows == [(9814001, 202324, date(2024, 1, 17), "online", "Amber")]


def test_synthetic_meetings_are_with_the_schools_furthest_below_their_phase_in_the_autumn(synthetic_store):
    """The schools chosen are found again from the store's own sessions, which the writer does not read."""
    store = Store.open(synthetic_store)
    terms = store.pupil_terms(academic_years=[202324], columns=[
        "laestab", "phase", "term", "sessions_possible", "sessions_authorised", "sessions_unauthorised",
    ]).df()  # fmt: skip
    autumn = terms[terms["term"] == "autumn"].assign(la=lambda rows: rows["laestab"] // 10_000)
    autumn["missed"] = autumn["sessions_authorised"] + autumn["sessions_unauthorised"]
    met = set(store.meetings().df()["laestab"])
    for la, rows in autumn.groupby("la"):
        of_phase = rows.groupby("phase")[["missed", "sessions_possible"]].sum()
        rate = (of_phase["missed"] / of_phase["sessions_possible"]).to_dict()
        schools = rows.groupby(["laestab", "phase"])[["missed", "sessions_possible"]].sum().reset_index()
        above = schools["missed"] / schools["sessions_possible"] - schools["phase"].map(rate)
        wanted = set(schools.loc[above.nlargest(max(len(schools) // 5, 1)).index, "laestab"])
        assert wanted == {laestab for laestab in met if laestab // 10_000 == la}
