"""Priority pupils: planted ones, whose list is known by hand, and made-up ones, whose chances are worked out again here."""

from __future__ import annotations

import csv
import hashlib
import os
import re
import shutil
import stat
import zipfile
from datetime import date

import numpy as np
import pytest
from click.testing import CliRunner

from attendance_toolkit.cli import main
from attendance_toolkit.deepdives._step_models import FittedSteps
from attendance_toolkit.errors import DisclosureError, NoDataError, ParameterError, UnknownAreaError
from attendance_toolkit.inputs import open_inputs
from attendance_toolkit.loaders.load import load_files
from attendance_toolkit.loaders.synthetic import make_synthetic
from attendance_toolkit.models.transition import ATTENDANCE, FULL, fit_step
from attendance_toolkit.reporting.priority import build_priority
from attendance_toolkit.reporting.priority_track import track_pupils
from attendance_toolkit.reporting.register import read_register
from attendance_toolkit.reporting.restricted import Restricted, open_restricted
from attendance_toolkit.store import Store
from attendance_toolkit.store.keys import pseudonyms
from tests.screening.census_builder import Return, make_upn

DAY, UNTIL = date(2026, 11, 22), date(2027, 7, 31)
#: Sessions missed of 120, pupil by pupil; 12 are exactly 10%.
MISSED = (0, 11, 12, 30, 60, 12, 5, 90)
#: Pupil -> school offered; the others have no offer.
OFFERS = {2: 9814001, 3: 9814001, 4: 9814002, 7: 9894001}
SECRETS = ("Canarybird", "Zephyrine", "2012-Oct", "M98 7QZ")


def year_six(missed, estab, first):
    made = Return("spring", pupils=len(missed), leavers=0, estab=estab, first=first)
    made.tables["school"][0] |= {"schoolname": f"School {estab}", "urn": f"10{estab}"}
    made.tables["termlysessiondetailsonroll"].clear()
    for row, sessions in zip(made.tables["pupilonroll"], missed, strict=True):
        row |= {"ncyearactual": "6", "dob": "2012-Oct-10 00:00:00", "surname": SECRETS[0], "forename": SECRETS[1]}
        row["postcode"] = SECRETS[3]
        if sessions:
            made.details("termlysessiondetailsonroll", row["pupilonrolltableid"], "I", sessions)
    return made


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Year 6 of two schools, four of them with an offer; one goes to another district."""
    folder = tmp_path_factory.mktemp("planted")
    year_six(MISSED, 2001, 0).add(year_six((24, *[0] * 7), 2002, 100)).write(folder / "in")
    rows = [f"{make_upn(number)},2024/25,{school}" for number, school in OFFERS.items()]
    (folder / "in" / "offers.csv").write_text("\n".join(["upn,academic_year,offered_laestab", *rows]), encoding="utf-8")
    load_files(folder / "in", folder / "store", key_file=folder / "key")
    return folder


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """Two made-up districts, three years: enough to fit and test a model."""
    folder = tmp_path_factory.mktemp("made-up")
    make_synthetic(folder / "files", size="sample", areas=["Irwell Bank", "Aldermoor"])
    load_files([folder / "files"], folder / "store", key_file=folder / "key", is_synthetic=True)
    return folder


@pytest.fixture
def room(tmp_path):
    return open_restricted(tmp_path / "restricted", tmp_path / "out", today=DAY)


def build(data, room, area="Aldermoor", year="2023/24", **extra):
    options = {"purpose": "Visits before the summer", "retain_until": UNTIL, "today": DAY, "formats": ("csv",), **extra}
    return build_priority(Store.open(data / "store"), area, year, room, **options)


def follow(data, room, area="Irwell Bank", year="2023/24", **extra):
    options = {"purpose": "Reviews in October", "retain_until": UNTIL, "today": DAY, "formats": ("csv",), **extra}
    return track_pupils(Store.open(data / "store"), area, year, room, **options)


def rows_of(path):
    """Return the rows above a list and those of its pupils, with the csv module."""
    with path.open(encoding="utf-8-sig", newline="") as handle:
        lines = list(csv.reader(handle))
    gap = lines.index([])
    about = {line[0]: line[1] for line in lines[:gap] if len(line) > 1}
    return about, [dict(zip(lines[gap + 1], line, strict=True)) for line in lines[gap + 2 :]]


def packs(made):
    """Return file name -> its rows; without the summary."""
    lists = made.lists.files
    return {path.name: rows_of(path) for path in lists if path.suffix == ".csv" and path.stem != "summary"}


def pseudonym(data, *numbers):
    key = bytes.fromhex((data / "key").read_text(encoding="ascii").strip())
    return [str(one) for one in pseudonyms([make_upn(number) for number in numbers], key)]


def set_used(monkeypatch, is_used):
    monkeypatch.setattr(FittedSteps, "uses", lambda _self, _model: is_used)


# --- the rule of the year before, by hand -------------------------------------------------------------------------


def test_exactly_the_planted_pupils_each_in_the_file_of_the_school_they_go_to(planted, room):
    made = build(planted, room, rule="before", capacity="100%")
    found = {name: [row["Pupil"] for row in rows] for name, (_, rows) in packs(made).items()}
    # 12 of 120 is listed, 11 is not; pupil 7 goes to Irwell Bank, so is not Aldermoor's.
    assert found == {
        "9814001.csv": pseudonym(planted, 3, 2),
        "9814002.csv": pseudonym(planted, 4),
        "not-known-9812001-school-2001.csv": pseudonym(planted, 5),
        "not-known-9812002-school-2002.csv": pseudonym(planted, 100),
    }
    about, rows = packs(made)["9814001.csv"]
    assert [(row["Year 6 sessions possible"], row["Year 6 sessions missed"], row["Year 6 missed (%)"]) for row in rows] == [
        ("120", "30", "25.0"), ("120", "12", "10.0"),
    ]  # fmt: skip
    assert rows[0]["Terms (sessions missed of possible)"] == "Autumn 30 of 120"
    assert rows[0]["Present school"] == "School 2001 (9812001)"
    assert {row["School known from"] for row in rows} == {"Offered"}
    assert about["Priority group"] == "Priority pupils for Year 7"
    assert about["Academic year"] == "2024/25"
    assert about["The intake"].startswith("2 pupils are expected; 17.5% absence in Year 6")
    assert (made.lists.pupils, made.lists.schools, made.expected, made.rule) == (5, 4, 15, "before")


def test_the_highest_come_first_and_ties_go_by_pseudonym(planted, room):
    made = build(planted, room, rule="before", capacity=4)
    listed = {row["Pupil"] for _, rows in packs(made).values() for row in rows}
    tied = min(pseudonym(planted, 2, 5), key=int)
    assert listed == {*pseudonym(planted, 4, 3, 100), tied}


def test_the_summary_has_every_school_and_adds_up(planted, room):
    made = build(planted, room, rule="before", capacity=2)
    _, rows = rows_of(made.lists.folder / "summary.csv")
    assert [tuple(row.values()) for row in rows] == [
        ("9814001, name not known", "2", "1"), ("9814002, name not known", "1", "1"), ("Not known", "12", "0"),
        ("All", "15", "2"),
    ]  # fmt: skip
    (entry,) = [entry for entry in read_register(room.lists) if entry.file.endswith("summary.csv")]
    assert entry.pupils == 0


def test_who_goes_to_another_district_is_on_that_districts_list(planted, room, made_up):
    made = build(made_up, room, "Irwell Bank", rule="before", capacity="100%")
    schools = {name[:3] for name in packs(made) if not name.startswith("not-known")}
    assert schools == {"989"}


# --- privacy ------------------------------------------------------------------------------------------------------


def written(folder):
    """Return all bytes of a folder's files, workbooks unpacked."""
    parts = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        parts.append(path.name.encode())
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as book:
                parts += [book.read(name) for name in book.namelist()]
        else:
            parts.append(path.read_bytes())
    return b"\n".join(parts)


def test_no_pupil_is_named_without_the_extract_and_nothing_lies_outside(planted, tmp_path):
    before = {path: path.read_bytes() for path in planted.rglob("*") if path.is_file()}
    room = open_restricted(tmp_path / "restricted", tmp_path / "out", today=DAY)
    made = build(planted, room, rule="before", formats=("xlsx", "csv"), capacity="100%")
    found = written(tmp_path)
    for secret in (*SECRETS, *(make_upn(number) for number in (*range(8), 100))):
        assert secret.encode() not in found
        assert secret not in made.to_text()
    assert pseudonym(planted, 4)[0].encode() in found
    assert {path.name for path in tmp_path.iterdir()} == {"restricted"}
    assert {path: path.read_bytes() for path in planted.rglob("*") if path.is_file()} == before
    inside = {path for path in room.path.rglob("*") if path.is_file() and room.lists not in path.parents}
    assert {path.name for path in inside} == {"restricted.json", "README.txt", ".gitignore"}
    assert {entry.identified for entry in read_register(room.lists)} == {"no"}


def test_with_the_extract_each_gets_the_own_upn_and_name(planted, room):
    made = build(planted, room, rule="before", capacity="100%", identify=[planted / "in"], key_file=planted / "key")
    _, rows = packs(made)["9814001.csv"]
    assert [(row["UPN"], row["Name"]) for row in rows] == [
        (make_upn(3), "Canarybird, Zephyrine"), (make_upn(2), "Canarybird, Zephyrine"),
    ]  # fmt: skip
    assert "Pupil" not in rows[0]


def test_no_characteristic_is_printed(made_up, room, monkeypatch):
    set_used(monkeypatch, True)
    made = build(made_up, room, "Irwell Bank", with_characteristics=True)
    headers = {name for _, rows in packs(made).values() for name in rows[0]}
    words = {word for name in headers for word in re.findall("[a-z]+", name.lower())}
    assert not words & {"sex", "gender", "sen", "ethnicity", "ethnic", "fsm", "meals", "disability", "language"}
    values = {value for _, rows in packs(made).values() for row in rows for value in row.values()}
    assert not values & {"Male", "Female", "SEN support", "EHC plan", "No SEN", "White", "FSM eligible"}


def test_files_are_for_their_user_alone_in_the_register_and_replaced(planted, room):
    first = build(planted, room, rule="before", capacity="100%", formats=("xlsx", "csv"))
    again = build(planted, room, rule="before", capacity=1)
    assert {path for path in room.lists.rglob("*") if path.is_file()} == {*again.lists.files, room.lists / "lists.csv"}
    entries = {room.lists / entry.file: entry for entry in read_register(room.lists)}
    assert {path for path, entry in entries.items() if entry.deleted_on} == {*first.lists.files} - {*again.lists.files}
    for path in again.lists.files:
        entry = entries[path]
        assert entry.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (entry.kind, entry.purpose, entry.retain_until) == ("priority-year-7", "Visits before the summer", UNTIL)
        if os.name == "posix":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


# --- the model ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("with_characteristics", "features"), [(False, ATTENDANCE), (True, FULL)])
def test_the_highest_chances_by_a_model_fitted_here_again(made_up, room, monkeypatch, with_characteristics, features):
    set_used(monkeypatch, True)
    made = build(made_up, room, "Irwell Bank", capacity=30, with_characteristics=with_characteristics)
    inputs = open_inputs(area="Irwell Bank", academic_year="2023/24", store=str(made_up / "store"))
    *followed, coming = inputs.steps("6")
    forecast = fit_step(followed, features=features).levelled(coming).predict(coming)
    here = [
        (-chance, str(pupil), going, rate)
        for chance, pupil, going, rate, school in zip(
            forecast.persistent, coming.pupils, coming.destination, forecast.rate, coming.laestab, strict=True
        )
        if str(going or school).startswith("989")
    ]
    highest = {pupil: (going, -chance, rate) for chance, pupil, going, rate in sorted(here)[:30]}
    listed = {
        row["Pupil"]: (name, row) for name, (_, rows) in packs(made).items() for row in rows
    }  # fmt: skip
    assert listed.keys() == highest.keys()
    for pupil, (going, chance, rate) in highest.items():
        name, row = listed[pupil]
        assert name.startswith(str(going) if going else "not-known-989")
        assert abs(float(row["Chance of persistent absence (%)"]) - 100 * chance) < 0.06
        assert abs(float(row["Expected absence (%)"]) - 100 * rate) < 0.06
        assert (
            float(row["Expected, from (90%)"]) < float(row["Expected absence (%)"]) < float(row["Expected, to (90%)"])
        )
    about = next(iter(packs(made).values()))[0]
    assert ("not sex, ethnicity or SEN" in about["Chosen by"]) is not with_characteristics
    assert "2021/22 and 2022/23" in about["Chosen by"]
    assert "90% interval" in about["The intake"]
    assert made.rule == "predicted"


def test_how_often_right_is_of_a_cohort_the_model_had_not_seen(made_up, room, monkeypatch):
    set_used(monkeypatch, True)
    made = build(made_up, room, "Irwell Bank", capacity="10%")
    inputs = open_inputs(area="Irwell Bank", academic_year="2023/24", store=str(made_up / "store"))
    first, test, _ = inputs.steps("6")
    chance = fit_step([first], features=ATTENDANCE).predict(test).persistent
    rows = [
        (-chance[place], int(test.later.missed[place]) * 10 >= int(test.later.possible[place]))
        for place in np.flatnonzero(test.is_compared)
        if str(test.destination[place]).startswith("989")
    ]
    places = int(len(rows) / 10 + 0.5)
    found = sum(absent for _, absent in sorted(rows)[:places])
    outcomes = sum(absent for _, absent in rows)
    said = next(iter(packs(made).values()))[0]["How often right"]
    assert f"Year 6 of 2022/23, {len(rows)} pupils expected" in said
    assert f"{found} of {places} (" in said
    assert f", of {outcomes} in all" in said
    assert said in made.to_text()


def test_a_model_that_is_not_better_is_not_used_and_every_file_says_so(made_up, room, monkeypatch):
    set_used(monkeypatch, False)
    made = build(made_up, room, "Irwell Bank")
    assert made.rule == "before"
    assert "The model is not used" in made.to_text()
    for about, rows in (*packs(made).values(), rows_of(made.lists.folder / "summary.csv")):
        assert "The model is not used" in about["Chosen by"]
        assert not any("Chance" in name or "Expected" in name for name in rows[0])
    as_asked = build(made_up, room, "Irwell Bank", rule="before")
    assert "not used" not in as_asked.to_text()
    assert as_asked.lists.pupils == made.lists.pupils


def test_the_same_data_give_the_same_bytes(made_up, tmp_path, monkeypatch):
    set_used(monkeypatch, True)
    found = []
    for name in ("one", "two"):
        made = build(made_up, open_restricted(tmp_path / name, today=DAY), "Irwell Bank", per_school=3)
        found.append({path.name: path.read_bytes() for path in made.lists.files})
    assert found[0] == found[1]


def test_the_second_step(made_up, room):
    made = build(made_up, room, "Irwell Bank", from_year="7", rule="before")
    about, rows = next(iter(packs(made).values()))
    assert about["Priority group"] == "Priority pupils for Year 8"
    assert "Year 7 missed (%)" in rows[0]
    assert made.lists.folder.name == "priority-year-8"


# --- what is asked wrongly ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"purpose": " "}, ParameterError, "needs a purpose"),
        ({"retain_until": DAY}, ParameterError, "not after today"),
        ({"rule": "predict"}, ParameterError, "Did you mean 'predicted'"),
        ({"from_year": "5"}, ParameterError, "Year 5"),
        ({"capacity": "0"}, ParameterError, "names nobody"),
        ({"rule": "before", "capacity": 16}, ParameterError, "15 pupils are expected"),
        ({"formats": ("pdf",)}, ParameterError, "'pdf' is not a format"),
        ({"year": "2022/23"}, NoDataError, "no data for 2022/23. It holds: 2023/24"),
        ({"area": "Irwell Bank"}, NoDataError, "It holds: Aldermoor"),
        ({"area": "Aldermore"}, UnknownAreaError, "Did you mean 'Aldermoor'"),
        ({}, NoDataError, "ask for the rule 'before'"),
        ({"from_year": "7"}, NoDataError, "year group before this step"),
        ({"rule": "before", "identify": ["x"]}, ParameterError, "need the key"),
    ],
)
def test_what_is_asked_wrongly_is_refused_and_nothing_is_written(planted, room, change, error, says):
    with pytest.raises(error, match=says):
        build(planted, room, **({"rule": "before"} if "capacity" in change else {}) | change)
    assert list(room.lists.iterdir()) == []


def test_nobody_to_list(tmp_path, room):
    year_six((0, 1, 2, 3, 4, 5, 6, 7), 2001, 0).write(tmp_path / "in")
    load_files(tmp_path / "in", tmp_path / "store", key_file=tmp_path / "key")
    with pytest.raises(NoDataError, match="nobody missed 10% or more of Year 6"):
        build(tmp_path, room, rule="before")


def test_only_into_a_restricted_folder(planted, tmp_path):
    with pytest.raises(DisclosureError, match="not part of a restricted folder"):
        build(planted, Restricted(tmp_path / "out"), rule="before")
    assert list(tmp_path.iterdir()) == []


# --- following those listed ---------------------------------------------------------------------------------------


def sums(store, year):
    """Return pseudonym -> sessions missed and possible of a year, added up row by row."""
    found = {}
    for upn, possible, authorised, unauthorised in (
        Store.open(store)
        .pupil_terms(academic_years=[year])
        .project("upn, sessions_possible, sessions_authorised, sessions_unauthorised")
        .fetchall()
    ):
        missed, all_of = found.get(upn, (0, 0))
        found[upn] = (missed + authorised + unauthorised, all_of + possible)
    return found


def test_those_listed_are_followed_and_their_sessions_are_those_of_the_store(made_up, room):
    made = build(made_up, room, "Irwell Bank", "2022/23", rule="before", capacity=40, formats=("xlsx", "csv"))
    listed = {row["Pupil"] for _, rows in packs(made).values() for row in rows}
    tracked = follow(made_up, room, group=[made.lists.folder])
    after, before = sums(made_up / "store", 202324), sums(made_up / "store", 202223)
    found = {}
    for path in tracked.lists.files:
        if path.stem not in ("summary", "not-found"):
            found |= {row["Pupil"]: row for row in rows_of(path)[1]}
    assert found.keys() <= listed
    assert len(found) > 30
    for pupil, row in found.items():
        missed, possible = after[int(pupil)]
        assert (int(row["Year 7 sessions missed"]), int(row["Year 7 sessions possible"])) == (missed, possible)
        assert abs(float(row["Year 7 missed (%)"]) - 100 * missed / possible) <= 0.0501
        assert abs(float(row["Year 6 missed (%)"]) - 100 * before[int(pupil)][0] / before[int(pupil)][1]) <= 0.0501
    assert tracked.asked_for == len(listed) == 40
    assert tracked.found == len(found)
    assert tracked.elsewhere + tracked.no_session + tracked.not_here == 40 - len(found)
    _, summary = rows_of(tracked.lists.folder / "summary.csv")
    assert int(summary[-2]["Pupils followed"]) == len(found)
    assert int(summary[-1]["Pupils followed"]) == 40 - len(found)
    about = rows_of(tracked.lists.files[0])[0]
    assert "regression to the mean" in about["How to read it"]


def test_a_list_with_upns_is_followed_with_the_key_and_loads_as_a_group(made_up, room, tmp_path):
    """Build, hand over, load as it is as a group of supported pupils, follow: the same pupils each time."""
    known = {"identify": [made_up / "files"], "key_file": made_up / "key"}
    made = build(made_up, room, "Irwell Bank", "2022/23", rule="before", capacity=25, formats=("xlsx",), **known)
    with pytest.raises(ParameterError, match="needs the key"):
        follow(made_up, room, group=made.lists.files)
    by_file = follow(made_up, room, group=[made.lists.folder], key_file=made_up / "key")
    assert by_file.asked_for == 25
    shutil.copytree(made_up / "store", tmp_path / "store")
    packs_alone = [path for path in made.lists.files if path.stem != "summary"]
    loaded = load_files(packs_alone, tmp_path / "store", key_file=made_up / "key")
    assert loaded.report.exit_code == 0, loaded.report.to_text()
    by_group = follow(tmp_path, room, support="priority pupils for year 7")
    assert (by_group.asked_for, by_group.found) == (25, by_file.found)
    folders = (by_file.lists.folder, by_group.lists.folder)
    assert [folder.name for folder in folders] == ["tracking-year-7", "tracking-priority-pupils-for-year-7-year-7"]
    pupils = [
        {row["Pupil"] for path in folder.glob("9*.csv") for row in rows_of(path)[1]} for folder in folders
    ]  # fmt: skip
    assert pupils[0] == pupils[1]


def test_those_not_found_are_named_apart(made_up, room, tmp_path):
    """Pupils who left the data, who are elsewhere, and who were never in it."""
    here = open_inputs(area="Irwell Bank", academic_year="2022/23", store=str(made_up / "store")).steps("6")[-1]
    at_home = np.array([str(school).startswith("989") for school in here.laestab])
    codes = np.array([*here.la_codes, ""])[here.later.la]
    gone = here.pupils[at_home & (here.later.possible == 0)][:2]
    elsewhere = here.pupils[at_home & (here.later.possible > 0) & (codes != codes[at_home & here.is_compared][0])][:3]
    stayed = here.pupils[at_home & here.is_compared & (codes == codes[at_home & here.is_compared][0])][:4]
    lines = ["Pupil", *map(str, (*gone, *elsewhere, *stayed)), "7", ""]
    (tmp_path / "some.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tracked = follow(made_up, room, group=[tmp_path / "some.csv"])
    assert len(gone) == 2
    assert len(elsewhere) == 3
    assert (tracked.found, tracked.no_session, tracked.elsewhere) == (len(stayed), len(gone), len(elsewhere))
    assert tracked.not_here == 1
    _, rows = rows_of(tracked.lists.folder / "not-found.csv")
    why = {row["Pupil"]: row["Why"] for row in rows}
    assert why == dict.fromkeys(map(str, gone), "No session in the data") | dict.fromkeys(
        map(str, elsewhere), "In a school of another district"
    )


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({}, ParameterError, "one of them"),
        ({"group": ["x.csv"], "support": "Mentors"}, ParameterError, "one of them"),
        ({"support": "Mentors"}, NoDataError, "no group of supported pupils named 'Mentors'"),
        ({"support": "Mentors", "year": "2024/25"}, NoDataError, "no sessions of 2024/25"),
        ({"support": "Mentors", "year": "2021/22"}, NoDataError, "no sessions of 2020/21"),
        ({"support": "Mentors", "purpose": ""}, ParameterError, "needs a purpose"),
        ({"support": "Mentors", "from_year": "11"}, ParameterError, "Year 11"),
    ],
)
def test_following_asked_for_wrongly(made_up, room, change, error, says):
    with pytest.raises(error, match=says):
        follow(made_up, room, **change)
    assert list(room.lists.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("laestab,sessions\n9812001,3\n", "'some.csv' names no pupil"),
        ("Pupil,Note\n,x\n", "no row of a pupil"),
        ("Pupil\n12345\n", "None of the 1 pupils"),
    ],
)
def test_a_file_without_pupils_of_the_store(made_up, room, tmp_path, text, says):
    (tmp_path / "some.csv").write_text(text, encoding="utf-8")
    with pytest.raises((ParameterError, NoDataError), match=says):
        follow(made_up, room, group=[tmp_path / "some.csv"])
    assert list(room.lists.iterdir()) == []


# --- the commands -------------------------------------------------------------------------------------------------


def attendance(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_commands_of_the_readme(made_up, tmp_path):
    given = (
        "--area", "Irwell Bank", "--store", made_up / "store", "--restricted", tmp_path / "inside",
        "--purpose", "Visits before the summer", "--until", "2099-07-31", "--csv",
    )  # fmt: skip
    answer = attendance("priority", "build", "--year", "2022/23", "--rule", "before", "--capacity", "10%", *given)
    assert answer.exit_code == 0, answer.output
    folder = tmp_path / "inside" / "lists" / "irwell-bank" / "2022-23" / "priority-year-7"
    assert len(list(folder.glob("*.csv"))) > 2
    answer = attendance("priority", "track", "--year", "2023/24", "--group", folder, *given)
    assert answer.exit_code == 0, answer.output
    assert "have sessions in the area's schools" in answer.output
    answer = attendance("priority", "build", "--year", "2023/24", *given[:-2], "31/7/2099")
    assert answer.exit_code == 5
    assert "is not a date" in answer.output
    answer = attendance("priority", "build", "--year", "2022/23", *given)
    assert answer.exit_code == 6
    assert "ask for the rule 'before'" in answer.output
