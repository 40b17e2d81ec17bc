"""Casework lists from registers: held against the register files, read by the csv module and counted by a plain oracle."""

from __future__ import annotations

import csv
import stat
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from attendance_toolkit.cli import main
from attendance_toolkit.errors import NoDataError, ParameterError, StoreError, VocabularyError
from attendance_toolkit.loaders.load import load_files
from attendance_toolkit.loaders.synthetic import generate, write_census_files, write_register_files
from attendance_toolkit.reporting.casework_marks import pattern_words
from attendance_toolkit.reporting.casework_penalties import write_penalties
from attendance_toolkit.reporting.casework_response import write_response
from attendance_toolkit.reporting.register import read_register
from attendance_toolkit.reporting.restricted import Restricted, open_restricted
from attendance_toolkit.store import Store
from attendance_toolkit.store.keys import pseudonyms
from attendance_toolkit.vocabulary.areas import find_area
from attendance_toolkit.vocabulary.penalty_rules import parse_penalty_rule, read_penalty_rule
from attendance_toolkit.vocabulary.rule_schemes import rule_scheme
from tests.screening.census_builder import Return
from tests.unit.metrics import marks_oracle as oracle

TODAY, UNTIL = date(2026, 11, 22), date(2027, 7, 31)
AS_OF = date(2024, 3, 22)
LEVELS = [level.name for level in rule_scheme("graduated_response").levels]


class Data(NamedTuple):
    store: Store
    key: Path
    marks: list[tuple]
    """(pseudonym, school, day, session, code) of the files, oldest first."""
    upns: dict[int, str]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Data:
    folder = tmp_path_factory.mktemp("casework")
    cohort = generate("small", areas=["Aldermoor"], first_year=202223, last_year=202324)
    write_census_files(cohort, folder / "census")
    write_register_files(cohort, folder / "registers")
    load_files([folder / "census", folder / "registers"], folder / "store", key_file=folder / "key", is_synthetic=True)
    rows = []
    for path in sorted((folder / "registers").glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows += list(csv.DictReader(handle))
    texts = sorted({row["UPN"] for row in rows})
    known = dict(zip(texts, pseudonyms(texts, bytes.fromhex((folder / "key").read_text().strip())), strict=True))
    marks = [
        (
            known[row["UPN"]], int(row["DfE Number"]), datetime.strptime(row["Date"], "%d/%m/%Y").date(),
            row["Session"], row["Mark"].strip().upper(),
        )
        for row in rows
    ]  # fmt: skip
    return Data(Store.open(folder / "store"), folder / "key", marks, {number: upn for upn, number in known.items()})


@pytest.fixture
def room(tmp_path) -> Restricted:
    return open_restricted(tmp_path / "room")


def respond(data, room, **extra):
    given = {"as_of": AS_OF, "formats": ("csv",), "purpose": "Weekly review", "retain_until": UNTIL, "today": TODAY}
    return write_response(data.store, "Aldermoor", extra.pop("year", "2023/24"), room, **{**given, **extra})


def penalise(data, room, **extra):
    given = {"formats": ("csv",), "purpose": "Weekly review", "retain_until": UNTIL, "today": TODAY}
    return write_penalties(data.store, "Aldermoor", extra.pop("year", "2023/24"), room, **{**given, **extra})


def lines_of(path):
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.reader(handle))


def rows_of(path):
    lines = lines_of(path)
    top = lines.index([]) + 1
    return [dict(zip(lines[top], line, strict=True)) for line in lines[top + 1 :]]


def listed(made):
    """(school, pseudonym) -> row, of all lists of schools."""
    return {
        (int(path.name[:7]), int(row["Pupil"])): row
        for path in made.lists.files
        if path.suffix == ".csv" and path.stem != "summary"
        for row in rows_of(path)
    }


def of_year(data):
    return [mark for mark in data.marks if mark[2] >= date(2023, 8, 1)]


# --- graduated response ---------------------------------------------------------------------------------------


def test_the_lists_are_those_of_the_register_files(data, room):
    expected = oracle.response(of_year(data), AS_OF)
    before = oracle.response(of_year(data), AS_OF, skip=20)
    leave = oracle.recent_leave(of_year(data), AS_OF)
    made = respond(data, room)
    found = listed(made)
    work = {key for key, row in expected.items() if row[-1] in (-1, 2, 3) or leave[key][0] >= 10}
    assert set(found) == work
    assert len(work) > 50
    for key, row in found.items():
        possible, attended, *_, refused, level = expected[key]
        numbers = [int(row[name]) for name in ("Sessions possible", "Sessions attended", "Refused leave, window")]
        assert numbers == [possible, attended, refused]
        assert (int(row["Refused leave, ten weeks"]), int(row["Refused leave, in a row"])) == leave[key]
        if level >= 0:
            assert row["Level"] == LEVELS[level]
        if key in before and before[key][-1] >= 0:
            assert row["Level before"] == LEVELS[before[key][-1]]
    assert dict(made.levels) | {"No possible session": 0} == {
        **{name: sum(row[-1] == place for row in expected.values()) for place, name in enumerate(LEVELS)},
        "Too few sessions": sum(row[-1] == -1 for row in expected.values()), "No possible session": 0,
    }  # fmt: skip


def test_the_summary_adds_up_and_names_nobody(data, room):
    made = respond(data, room)
    summary = rows_of(made.lists.files[-1])
    *schools, total = summary
    assert total["School"] == "All"
    for name in list(total)[1:]:
        assert sum(int(row[name]) for row in schools) == int(total[name])
    for row in summary:
        assert sum(int(row[name]) for name in (*LEVELS, "Too few sessions", "No possible session")) == int(
            row["Pupils"]
        )
    text = made.lists.files[-1].read_text(encoding="utf-8")
    assert not any(str(upn) in text for upn in data.upns)
    assert {entry.kind for entry in read_register(room.lists)} == {"graduated-response"}


def test_every_list_says_rule_window_limits_gaps_and_what_it_is_not(data, room):
    made = respond(data, room)
    about = {line[0]: line[1] for line in lines_of(made.lists.files[0]) if len(line) == 2}
    assert "Level 1 (from 90% to below 100%)" in about["Rule"]
    assert "Universal (exactly 100%)" in about["Rule"]
    assert about["Window"].startswith("2024-02-26 to 2024-03-22: each school's last 20 days")
    assert about["On a limit"].startswith("Exactly 90% is Level 1; exactly 80% is Level 2.")
    assert "Exactly 100% is in no level." in about["The printed rule"]
    assert "up to 2024-02-23" in about["Moved"]
    assert "nothing is sent" in about["What this is not"]
    assert "2024-02-23" in made.to_text()


def test_who_is_at_exactly_90_percent_is_marked(data, room):
    rows = listed(respond(data, room, is_every_level=True))
    expected = oracle.response(of_year(data), AS_OF)
    assert set(rows) == set(expected)
    at_90 = {key for key, row in expected.items() if 10 * row[1] == 9 * row[0]}
    assert at_90
    said = {key for key, row in rows.items() if "Exactly 90%: Level 1, and persistently absent for DfE" in row["Flags"]}
    assert said == at_90


def test_a_pupil_flagged_by_hand_is_listed_first_at_any_level(data, room, tmp_path):
    universal = [key for key, row in oracle.response(of_year(data), AS_OF).items() if row[-1] == 0]
    school, pupil = universal[0]
    file = tmp_path / "flagged.csv"
    file.write_text(f"Name,UPN\nx,{data.upns[pupil]}\ny,A999999999999\n", encoding="utf-8")
    made = respond(data, room, safeguarding=[file], key_file=data.key)
    path = next(path for path in made.lists.files if path.name.startswith(str(school)))
    first = rows_of(path)[0]
    assert (int(first["Pupil"]), first["Level"], first["Flags"]) == (
        pupil,
        "Universal",
        "Safeguarding, flagged by hand",
    )
    assert first["What follows"].startswith("Safeguarding: immediate referral")
    assert "1 pupil of the safeguarding file without a mark in these weeks is in no list." in made.to_text()
    assert rows_of(made.lists.files[-1])[-1]["Safeguarding"] == "1"


def test_an_authoritys_own_scheme_takes_the_place_of_the_toolkits(data, room, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(
        "kind: rule scheme\nreplaces: graduated_response\nname: Our steps\nsource: our policy\nunit: percent\n"
        "quantity: attendance rate\nrange: [0, 100]\nlevels:\n- {name: Fine, rank: 0, from: 95, to: 100}\n"
        "- {name: Watch, rank: 2, from: 0, to: 95, includes: from}\nactions:\n- {name: Call home, level: Watch}\n",
        encoding="utf-8",
    )
    made = respond(data, room, rules=[own])
    expected = [row for row in oracle.response(of_year(data), AS_OF).values() if row[-1] >= 0]
    assert dict(made.levels)["Watch"] == sum(100 * row[1] < 95 * row[0] for row in expected)
    text = made.lists.files[0].read_text(encoding="utf-8")
    assert "Our steps" in text
    assert "Call home" in text
    own.write_text(own.read_text().replace("graduated_response", "school_rag"), encoding="utf-8")
    with pytest.raises(ParameterError, match="replaces 'graduated_response'"):
        respond(data, room, rules=[own])


def test_files_are_for_their_user_alone_and_the_same_again(data, room):
    first = {path.name: path.read_bytes() for path in respond(data, room).lists.files}
    again = respond(data, room)
    assert {path.name: path.read_bytes() for path in again.lists.files} == first
    for path in again.lists.files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any(upn.encode() in content for content in first.values() for upn in data.upns.values())


def test_a_weekday_is_named_only_where_chance_does_not_explain_it():
    def said(weekday_missed):
        row = {"possible": 380, "missed": 38, "weekday": 4, "weekday_missed": weekday_missed, "weekday_possible": 76}
        rest = ("spells", "longest", "single_days", "late", "late_after", "part_time", "arranged")
        return pattern_words(row | dict.fromkeys(rest, 0))

    # 7.6 sessions are expected; 2.33 x sqrt(2 x 7.6 x 0.9) = 8.6 more are needed.
    assert said(16) == ""
    assert said(17) == "Friday most: 17 of 76 sessions"


# --- penalty-notice windows -----------------------------------------------------------------------------------


def expected_events(data, last):
    events = oracle.events(data.marks, last)
    before = oracle.earlier_events(events)
    return [(event, many) for event, many in zip(events, before, strict=True) if event[4] >= date(2023, 8, 1)]


def test_penalty_lists_are_those_of_the_register_files(data, room):
    last = max(mark[2] for mark in data.marks)
    expected = expected_events(data, last)
    made = penalise(data, room)
    assert made.events == len(expected) > 50
    latest, times = {}, Counter()
    for event, before in expected:
        latest[event[:2]] = event, before
        times[event[:2]] += 1
    found = listed(made)
    assert set(found) == set(latest)
    for key, (event, before) in latest.items():
        row = found[key]
        assert row["First session"] == f"{event[2].isoformat()} {event[3]}"
        assert row["Threshold met on"] == f"{event[4].isoformat()} {event[5]}"
        assert Counter(event[6]) == Counter({code: int(row[code]) for code in "GNOU" if row[code] != "0"})
        assert (int(row["Times this year"]), int(row["Events within 3 years before"])) == (times[key], before)
        assert row["This would be"] == ("First", "Second", "Third or later")[min(before, 2)]
    # Some window begins before the summer, so that the year before counts.
    assert any(event[2] < date(2023, 8, 1) for event, _ in expected)
    every = penalise(data, room, is_every_event=True)
    rows = [row for path in every.lists.files[:-1] for row in rows_of(path)]
    assert len(rows) == len(expected)
    total = rows_of(every.lists.files[-1])[-1]
    assert [int(total[name]) for name in ("Events", "First", "Second", "Later")] == [
        len(expected), *(sum(min(before, 2) == place for _, before in expected) for place in range(3)),
    ]  # fmt: skip


def test_notices_given_decide_what_a_notice_would_be(data, room, tmp_path):
    last = max(mark[2] for mark in data.marks)
    (school, pupil) = next(event[:2] for event, _ in expected_events(data, last))
    file = tmp_path / "notices.csv"
    file.write_text(
        f"UPN,Date\n{data.upns[pupil]},01/09/2022\n{data.upns[pupil]},2023-02-01\n{data.upns[pupil]},2015-02-01\n",
        encoding="utf-8",
    )
    found = listed(penalise(data, room, notices=[file], key_file=data.key))
    assert found[school, pupil]["Notices within 3 years before"] == "2"
    assert "No further notice within 3 years" in found[school, pupil]["What may follow"]
    others = [row for key, row in found.items() if key[1] != pupil]
    assert {row["This would be"] for row in others} == {"First"}
    assert any("£80 if paid within 21 days, else £160 within 28 days" in row["What may follow"] for row in others)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Name,Date\nx,2024-01-01\n", "names no pupil"),
        ("UPN,When\nA1,2024-01-01\n", "no column of dates"),
        ("UPN,Date\nA1,soon\n", "row 2, column 'Date': 'soon' is not a date"),
        ("UPN,Date\n,2024-01-01\n", "row 2: the pupil is missing"),
    ],
)
def test_files_of_notices_that_cannot_be_used(data, room, tmp_path, text, says):
    file = tmp_path / "notices.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ParameterError, match=says):
        penalise(data, room, notices=[file], key_file=data.key)


def test_another_threshold_is_a_file(data, room, tmp_path):
    own = tmp_path / "law.yaml"
    own.write_text(
        "kind: penalty notices\nsource: another nation\nin_force: 2020-09-01\nsessions: 6\nschool_weeks: 4\ncodes: [O, G]\n"
        "not_yet: O\nrecoded_within_days: 5\nmost_notices: 3\nyears: 1\namounts: []\n",
        encoding="utf-8",
    )
    made = penalise(data, room, law=own)
    assert made.events > penalise(data, room).events
    with pytest.raises(VocabularyError, match=r"law.yaml, sessions: '0' is not allowed"):
        parse_penalty_rule(own.read_text().replace("sessions: 6", "sessions: 0"), "law.yaml")
    with pytest.raises(VocabularyError, match="'weeks' is not a key"):
        parse_penalty_rule(own.read_text() + "weeks: 2\n")
    with pytest.raises(VocabularyError, match="codes of unauthorised absence: G, N, O, U"):
        parse_penalty_rule(own.read_text().replace("[O, G]", "[O, I]"))
    with pytest.raises(VocabularyError, match="cannot be read"):
        read_penalty_rule(tmp_path / "none.yaml")


# --- what is asked wrongly ------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [respond, penalise])
def test_what_is_asked_wrongly_is_refused_and_nothing_is_written(data, room, write):
    for change, error, says in (
        ({"as_of": date(2025, 1, 1)}, ParameterError, "2025-01-01 .* is outside the marks of Aldermoor"),
        (
            {"year": "2019/20"},
            NoDataError,
            "no register marks of Aldermoor in 2019/20. It has those of: 2022/23, 2023/24",
        ),
        ({"purpose": " "}, ParameterError, "needs a purpose"),
        ({"retain_until": TODAY}, ParameterError, "is not after today"),
    ):
        with pytest.raises(error, match=says):
            write(data, room, **change)
    assert not list(room.lists.glob("*/*"))


def test_files_of_pupils_that_cannot_be_told(data, room, tmp_path):
    file = tmp_path / "flagged.csv"
    file.write_text("UPN\nA999999999999\n", encoding="utf-8")
    with pytest.raises(ParameterError, match="needs the key"):
        respond(data, room, safeguarding=[file])
    other = tmp_path / "key"
    other.write_text("00" * 32)
    with pytest.raises(StoreError, match="another key"):
        respond(data, room, safeguarding=[file], key_file=other)
    file.write_text("Name\nx\n", encoding="utf-8")
    with pytest.raises(ParameterError, match="names no pupil"):
        respond(data, room, safeguarding=[file])


def test_a_store_without_marks_says_how_to_load_them(tmp_path, room):
    Return("spring", pupils=6, leavers=0).write(tmp_path / "census")
    load_files(tmp_path / "census", tmp_path / "store", key_file=tmp_path / "key")
    store = Store.open(tmp_path / "store")
    area = find_area(store.la_codes()[0])
    with pytest.raises(NoDataError, match=rf"no register marks of {area.name}\. Load its registers"):
        write_response(store, area, "", room, purpose="x", retain_until=UNTIL, today=TODAY)


def test_the_commands(data, tmp_path):
    call = ["--area", "Aldermoor", "--store", str(data.store.path), "--restricted", str(tmp_path / "room"), "--purpose",
            "Weekly review", "--until", "2099-07-31", "--csv", "--key", str(data.key)]  # fmt: skip
    done = CliRunner().invoke(main, ["casework", "response", *call, "--since", "2024-02-09", "--as-of", "2024-03-22"])
    assert done.exit_code == 0, done.output
    assert "Since 2024-02-09: " in done.output
    done = CliRunner().invoke(main, ["casework", "penalties", *call, "--year", "2022/23", "--all-events"])
    assert done.exit_code == 0, done.output
    assert "The threshold was met" in done.output
    done = CliRunner().invoke(main, ["casework", "response", *call, "--window", "calendar weeks", "--as-of", "22.3.24"])
    assert done.exit_code == ParameterError.exit_code
    assert "is not a date" in done.output
