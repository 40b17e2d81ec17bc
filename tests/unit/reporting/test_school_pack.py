"""Packs of planted schools: every figure is known by hand, and pages are read back with another reader."""

from __future__ import annotations

import csv
import hashlib
import re
import shutil
import stat
from datetime import date, timedelta
from decimal import Decimal
from importlib import resources

import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner

from attendance_toolkit.cli import main
from attendance_toolkit.errors import DisclosureError, NoDataError, ParameterError, ReportError, VocabularyError
from attendance_toolkit.loaders.load import load_files
from attendance_toolkit.reporting.register import read_register
from attendance_toolkit.reporting.restricted import Restricted, open_restricted
from attendance_toolkit.reporting.school_pack import build_packs
from attendance_toolkit.reporting.school_pack.compose import PackComposer
from attendance_toolkit.reporting.school_pack.drawing import Line, line_chart
from attendance_toolkit.store import Store
from attendance_toolkit.store.keys import pseudonyms
from attendance_toolkit.vocabulary.meeting_questions import Figure, own_questions, questions_of
from tests.screening.census_builder import Return, make_upn

DAY, UNTIL = date(2026, 11, 22), date(2027, 7, 31)
POSSIBLE = 120
#: LAESTAB -> sessions missed of 120 by each of twelve pupils; 12 are exactly 10%, 60 exactly half.
MISSED = {
    9812001: (0, 11, 12, 47, 48, 59, 60, 120, 0, 0, 0, 0),
    9812002: (0,) * 11 + (12,),
    9812003: (6,) * 11 + (7,),
    9812004: (5,) * 3,  # too few pupils to be counted
}
#: Pupils of the first school who have a plan: one severely absent, one persistently.
SUPPORTED = (6, 3)
SECRETS = ("Canarybird", "Zephyrine", "M98 7QZ")
#: Ten school weeks; the eighth pupil has one unauthorised session a week, which makes ten on the last Monday.
FIRST_MONDAY, WEEKS = date(2023, 9, 11), 10
LATE_PUPIL, LATE_ON = 7, date(2023, 11, 20)


def planted_school(laestab, missed, first):
    made = Return("spring", pupils=len(missed), leavers=0, estab=laestab % 10_000, first=first)
    made.tables["school"][0] |= {"schoolname": f"School <{laestab}>", "urn": f"10{laestab % 10_000}"}
    made.tables["termlysessiondetailsonroll"].clear()
    for row, sessions in zip(made.tables["pupilonroll"], missed, strict=True):
        row |= {"surname": SECRETS[0], "forename": SECRETS[1], "postcode": SECRETS[2]}
        unauthorised = min(sessions, 2)
        for code, count in (("I", sessions - unauthorised), ("O", unauthorised)):
            if count:
                made.details("termlysessiondetailsonroll", row["pupilonrolltableid"], code, count)
    return made


def school_days():
    """Yield the weekdays of ten school weeks: half term, a week of holiday, is not one of them."""
    monday, weeks = FIRST_MONDAY, 0
    while weeks < WEEKS:
        if monday != date(2023, 10, 23):
            yield from (monday + timedelta(days=number) for number in range(5))
            weeks += 1
        monday += timedelta(days=7)


def register_rows():
    """Return marks of the first school: all are present but one pupil on Monday mornings, another in the last two weeks."""
    for day in school_days():
        for number in range(12):
            for session, present in (("AM", "/"), ("PM", "\\")):
                mark = present
                if number == LATE_PUPIL and day.weekday() == 0 and session == "AM":
                    mark = "O"
                if number == 1 and day >= date(2023, 11, 13):
                    mark = "I"
                yield [make_upn(number), "9812001", day.isoformat(), session, mark]


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The files, the store and its key: three schools that count, one too small, two pupils with a plan, one register."""
    folder = tmp_path_factory.mktemp("planted")
    whole = None
    for place, (laestab, missed) in enumerate(MISSED.items()):
        made = planted_school(laestab, missed, 100 * place)
        whole = made if whole is None else whole.add(made)
    whole.write(folder / "in")
    rows = [f"{make_upn(number)},2023/24,Mentors & more" for number in SUPPORTED]
    (folder / "in" / "support.csv").write_text("\n".join(["upn,academic_year,support_group", *rows]), encoding="utf-8")
    with (folder / "in" / "register.csv").open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([["UPN", "DfE Number", "Date", "Session", "Mark"], *register_rows()])
    load_files(folder / "in", folder / "store", key_file=folder / "key")
    return folder


@pytest.fixture(scope="module")
def packs(planted, tmp_path_factory):
    """All packs of the area, with the restricted folder they lie in."""
    room = open_restricted(tmp_path_factory.mktemp("inside") / "restricted", today=DAY)
    return room, make(planted, room)


def make(planted, room, **extra):
    options = {"purpose": "Autumn meetings with the head", "retain_until": UNTIL, "today": DAY, **extra}
    return build_packs(Store.open(planted / "store"), "Aldermoor", "2023/24", room, **options)


def page_of(packs, laestab):
    room, _ = packs
    (path,) = room.lists.rglob(f"{laestab}-*.html")
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def table_of(page, name):
    """Return the rows of a table as dictionaries by its headers."""
    table = page.find(id=name)
    heads = [cell.get_text(" ", strip=True) for cell in table.select("thead th")]
    rows = [[cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])] for row in table.select("tbody tr")]
    return [dict(zip(heads, row, strict=True)) for row in rows]


def pseudonym(planted, number):
    return str(pseudonyms([make_upn(number)], bytes.fromhex((planted / "key").read_text().strip()))[0])


def text_of(page, section):
    return page.find(id=section).parent.get_text(" ", strip=True)


def published(measure):
    """Return England's printed percentage for primary schools in 2023/24, read with the csv module."""
    file = resources.files("attendance_toolkit.vocabulary") / "reference" / "comparators.csv"
    wanted = ("census", "202324", "E92000001", "Primary", measure)
    names = ("series", "academic_year", "area_code", "phase", "measure")
    rows = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    (found,) = [row["percent"] for row in rows if tuple(row[name] for name in names) == wanted]
    return Decimal(found)


# --- figures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("laestab", [9812001, 9812002])
def test_the_headline_is_what_was_planted_and_what_was_published(packs, laestab):
    missed = MISSED[laestab]
    rows = {row["Measure and year"]: row for row in table_of(page_of(packs, laestab), "headline-table")}
    own = {
        "Attendance": 100 - Decimal(100 * sum(missed)) / (POSSIBLE * 12),
        "Persistent absence (10% or more missed)": Decimal(100 * sum(10 * one >= POSSIBLE for one in missed)) / 12,
        "Severe absence (50% or more missed)": Decimal(100 * sum(2 * one >= POSSIBLE for one in missed)) / 12,
    }
    national = {
        "Attendance": 100 - published("overall_absence_rate"),
        "Persistent absence (10% or more missed)": published("persistent_absence_rate"),
        "Severe absence (50% or more missed)": published("severe_absence_rate"),
    }
    similar = [one for other, of in MISSED.items() if other not in (laestab, 9812004) for one in of]
    for label, value in own.items():
        row = rows[f"{label}, 2023/24"]
        assert float(row["School"].rstrip("%")) == pytest.approx(float(value), abs=0.0501)
        assert float(row["National"].rstrip("%")) == pytest.approx(float(national[label]), abs=0.0501)
        less = float(row["Less national (points)"].replace("−", "-"))
        assert less == pytest.approx(float(value - national[label]), abs=0.0501)
    shown = float(rows["Attendance, 2023/24"]["Similar schools"].rstrip("%"))
    assert shown == pytest.approx(100 - 100 * sum(similar) / (POSSIBLE * 24), abs=0.0501)


@pytest.mark.parametrize(
    ("laestab", "level", "shape"), [(9812001, "Red", "square"), (9812002, "Green", "circle"), (9812003, "Amber", "triangle")]
)  # fmt: skip
def test_the_rating_is_a_word_and_a_shape_and_its_difference_is_exact(packs, laestab, level, shape):
    """Attendance less 94.47%, England's: above 2 is Green, 0 to 2 Amber, below 0 Red (domain rules of the rating)."""
    page = page_of(packs, laestab)
    badge = page.select_one("p.badge")
    assert badge.get_text(" ", strip=True).startswith(f"{level} set by: All pupils")
    assert shape in badge["class"]
    (row,) = [row for row in table_of(page, "rating-groups") if row["Group"] == "All pupils"]
    difference = 100 - Decimal(100 * sum(MISSED[laestab])) / (POSSIBLE * 12) - (100 - published("overall_absence_rate"))
    assert float(row["Difference (points)"].replace("−", "-")) == pytest.approx(float(difference), abs=0.00501)
    assert row["Pupils"] == "12"
    assert row["Level"] == level


def test_half_a_point_from_another_colour_is_said(packs):
    """73 of 1,440 missed: 94.93% is 0.46 above national, 94.47%. Half a point lower it would be Red."""
    assert "0.5 percentage points lower in every group it would be Red; 0.5 higher, Amber" in text_of(
        page_of(packs, 9812003), "rating"
    )


def test_groups_of_a_few_pupils_are_neither_rated_nor_counted(packs):
    """Their sessions beside a list of pupils with theirs would say who is of the group."""
    page = page_of(packs, 9812001)
    others = [row for row in table_of(page, "rating-groups") if row["Group"] != "All pupils"]
    assert len(others) == 4
    assert all(row["Level"].startswith("Not tested") and row["Attendance (%)"] == "–" for row in others)
    for word in ("Girls", "Boys", "FSM eligible", "EHC plan"):
        assert word not in text_of(page, "pupils")


def test_reasons_add_up_to_what_was_planted(packs):
    rows = {row["Reason"]: row for row in table_of(page_of(packs, 9812001), "reasons-table")}
    unauthorised = sum(min(one, 2) for one in MISSED[9812001])
    assert rows["Other unauthorised"]["Sessions missed"] == str(unauthorised)
    assert rows["Illness"]["Sessions missed"] == str(sum(MISSED[9812001]) - unauthorised)
    assert set(rows) == {"Illness", "Other unauthorised"}


def test_year_group_and_term_are_those_planted(packs):
    page = page_of(packs, 9812001)
    (year,) = table_of(page, "year-groups")
    (term,) = table_of(page, "terms")
    assert (year["Year group"], year["Pupils"], year["Persistent absentees"], year["Severe absentees"]) == (
        "Year 4",
        "12",
        "6",
        "2",
    )
    assert term["Term"] == "Autumn"


# --- pupils ------------------------------------------------------------------------------------------------------


def test_pupils_with_and_without_a_plan_are_told_apart(packs, planted):
    page = page_of(packs, 9812001)
    without, with_plan = table_of(page, "severe-without-plan"), table_of(page, "severe-with-plan")
    assert [(row["Pupil"], row["Missed of possible"], row["Plan"]) for row in without] == [
        (pseudonym(planted, 7), "120 of 120", "No plan")
    ]
    assert [(row["Pupil"], row["Missed (%)"], row["Plan"]) for row in with_plan] == [
        (pseudonym(planted, 6), "50.0%", "Mentors & more")
    ]
    assert [row["Pupil"] for row in table_of(page, "attended-nothing")] == [pseudonym(planted, 7)]
    others = table_of(page, "persistent")
    assert [row["Missed of possible"].split()[0] for row in others] == ["59", "48", "47", "12"]
    assert table_of(page, "actions-table")[0]["Action"] == f"Agree a plan for {pseudonym(planted, 7)}"


def test_marks_give_penalty_windows_levels_and_patterns(packs, planted):
    """The planted pupil misses ten Monday mornings; another all of the last two weeks, half of the last four."""
    page = page_of(packs, 9812001)
    (met,) = table_of(page, "penalties")
    assert (met["Pupil"], met["Last met"], met["Times this year"]) == (
        pseudonym(planted, LATE_PUPIL),
        "2023-11-20",
        "1",
    )
    levels = {row["Level"]: row["Pupils"] for row in table_of(page, "levels")}
    # Attended 20 of 40 is below 80%; 36 of 40, four Monday mornings missed, is exactly 90%: Level 1.
    assert (levels["Universal"], levels["Level 1"], levels["Level 2"], levels["Level 3"]) == ("10", "1", "0", "1")
    (worse,) = table_of(page, "moved-worse")
    assert (worse["Pupil"], worse["Level before"], worse["Level now"]) == (
        pseudonym(planted, 1),
        "Universal",
        "Level 3",
    )
    monday = next(row for row in table_of(page, "weekdays") if row["Weekday"] == "Monday")
    # Ten mornings of one pupil, two Mondays (four sessions) of another.
    assert monday["Sessions missed"] == "14"
    (row,) = table_of(page, "severe-without-plan")
    assert (
        row["Pattern"]
        == "10 spells of absence, the longest 1 session; 10 within one day; Monday most: 10 of 20 sessions"
    )
    assert "registers to 2023-11-24" in page.find("header").get_text(" ", strip=True)


def test_schools_without_marks_have_terms_and_no_section_of_marks(packs):
    page = page_of(packs, 9812002)
    (row,) = table_of(page, "persistent")
    assert row["Missed of possible"] == "12 of 120"
    assert page.find(id="graduated-response") is None


def test_questions_are_tied_to_figures_of_the_school(packs):
    first, second = (text_of(page_of(packs, laestab), "questions") for laestab in (9812001, 9812002))
    assert "Severely absent pupils without a plan: 1 pupil." in first
    assert "Pupils with 10 unauthorised sessions in 10 school weeks: 1 pupil." in first
    assert "Severely absent" not in second
    assert "no question" not in first.casefold()


# --- where it goes, and who is in it ------------------------------------------------------------------------------


def test_packs_are_registered_private_and_whole(packs):
    room, made = packs
    assert not made.failed
    assert len(made.files) == 3, "one a school that counts"
    entries = read_register(room.lists)
    assert {entry.file for entry in entries} == {path.relative_to(room.lists).as_posix() for path in made.files}
    for entry in entries:
        path = room.lists / entry.file
        assert entry.kind == "school-pack"
        assert (entry.purpose, entry.identified) == ("Autumn meetings with the head", "no")
        assert entry.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert entry.retain_until == UNTIL
    counted = {entry.school: entry.pupils for entry in entries}
    assert counted["School <9812001> (9812001)"] == 6 + 1, (
        "six persistent absentees, and one who moved to a worse level"
    )
    assert counted["School <9812003> (9812003)"] == 0
    assert not [path for path in room.path.rglob("*") if path.name.startswith(".") and path.name.endswith(".part")]


def test_nobody_is_named_and_nothing_is_loaded_or_run(packs):
    _, made = packs
    for path in made.files:
        text = path.read_text(encoding="utf-8")
        born = [f"2014-{month}" for month in ("10", "11", "12", "Oct", "Nov", "Dec")]
        for secret in (
            *SECRETS,
            *born,
            *(make_upn(place + number) for place in (0, 100, 200, 300) for number in range(12)),
        ):
            assert secret not in text
        page = BeautifulSoup(text, "html.parser")
        assert not page.find_all(["script", "link", "iframe", "form", "img"])
        assert not re.findall(r"https?://", text.replace("http://www.w3.org/2000/svg", ""))
        assert "OFFICIAL-SENSITIVE" in page.find("body").get_text()
        assert "Keep until 2027-07-31" in page.title.get_text()
        assert "<9812001>" not in text, "names of schools are escaped"


def test_with_the_extract_pupils_are_named(planted, tmp_path):
    room = open_restricted(tmp_path / "inside", today=DAY)
    made = make(planted, room, laestabs=[9812001], identify=[planted / "in"], key_file=planted / "key")
    page = BeautifulSoup(made.files[0].read_text(encoding="utf-8"), "html.parser")
    (row,) = table_of(page, "severe-without-plan")
    assert (row["UPN"], row["Name"]) == (make_upn(7), f"{SECRETS[0]}, {SECRETS[1]}")
    assert [entry.identified for entry in read_register(room.lists)] == ["yes"]


def test_packs_go_into_a_restricted_folder_and_nowhere_else(planted, tmp_path):
    (tmp_path / "plain" / "lists").mkdir(parents=True)
    with pytest.raises(DisclosureError, match="restricted"):
        make(planted, Restricted(tmp_path / "plain"))
    assert not list(tmp_path.rglob("*.html"))


# --- which schools -----------------------------------------------------------------------------------------------


def test_one_school_made_again_leaves_the_others_and_all_drop_those_that_are_gone(planted, packs, tmp_path):
    room = open_restricted(tmp_path / "inside", today=DAY)
    shutil.copytree(packs[0].lists, room.lists, dirs_exist_ok=True)
    (again,) = make(planted, room, urns=[102002]).files
    assert again.name.startswith("9812002-")
    assert len(list(room.lists.rglob("*.html"))) == 3
    gone = again.with_name("9812009-gone.html")
    gone.write_text("x", encoding="utf-8")
    register = room.lists / "lists.csv"
    line = next(line for line in register.read_text(encoding="utf-8-sig").splitlines() if "9812001-" in line)
    old = next(iter(room.lists.rglob("9812001-*.html"))).name
    with register.open("a", encoding="utf-8") as handle:
        handle.write(line.replace(old, gone.name) + "\n")
    make(planted, room)
    assert not gone.exists()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"urns": [102999]}, "The nearest are: 102003, School <9812003>, 102002"),
        ({"laestabs": [9812004]}, "has the LAESTAB 9812004"),
        ({"laestabs": [9894001]}, "No school of Aldermoor"),
        ({"purpose": ""}, "needs a purpose"),
        ({"retain_until": DAY}, "not after today"),
    ],
)
def test_what_is_asked_wrongly_is_refused_before_anything_is_written(planted, tmp_path, asked, says):
    room = open_restricted(tmp_path / "inside", today=DAY)
    with pytest.raises(ParameterError, match=re.escape(says)):
        make(planted, room, **asked)
    assert not list(room.lists.iterdir())


def test_an_area_that_is_not_in_the_store_is_named(planted, tmp_path):
    room = open_restricted(tmp_path / "inside", today=DAY)
    with pytest.raises(NoDataError, match="It holds: Aldermoor"):
        build_packs(
            Store.open(planted / "store"), "Trafford", "2023/24", room, purpose="x", retain_until=UNTIL, today=DAY
        )


def command(planted, folder, *more):
    arguments = ["report", "school-pack", "--area", "Aldermoor", "--year", "2023/24", "--store", planted / "store",
                 "--restricted", folder, "--purpose", "Meetings", "--until", "2999-07-31", *more]  # fmt: skip
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_school_that_fails_does_not_stop_the_others(planted, tmp_path, monkeypatch):
    page = PackComposer.page

    def fails(self, laestab, names):
        if laestab == 9812002:
            raise ReportError("Its page did not pass.")
        return page(self, laestab, names)

    monkeypatch.setattr(PackComposer, "page", fails)
    answer = command(planted, tmp_path / "inside", "--all")
    assert answer.exit_code == 1, answer.output
    assert "2 packs were written." in answer.output
    assert "School <9812002> (9812002): no pack. Its page did not pass." in answer.output
    assert len(list((tmp_path / "inside").rglob("*.html"))) == 2
    assert len(read_register(tmp_path / "inside" / "lists")) == 2


def test_the_command_says_which_schools_and_stands_beside_the_reports(planted, tmp_path):
    answer = command(planted, tmp_path / "inside", "--laestab", "9812001", "--urn", "102003")
    assert answer.exit_code == 0, answer.output
    assert "2 packs were written." in answer.output
    for wrong in ((), ("--all", "--laestab", "9812001")):
        answer = command(planted, tmp_path / "inside", *wrong)
        assert answer.exit_code == 2
        assert "--all for every school" in answer.output
    told = CliRunner().invoke(main, ["report", "--help"])
    assert "school-pack" in told.output
    answer = CliRunner().invoke(main, ["report", "overview", "school-pack", "--area", "Aldermoor", "--year", "2023/24"])
    assert answer.exit_code == 2
    assert "first and by itself" in answer.output


# --- questions and drawings ----------------------------------------------------------------------------------------


def test_an_authority_asks_its_own_questions(planted, tmp_path):
    own = tmp_path / "mine.yaml"
    own.write_text(
        "kind: meeting questions\nquestions:\n"
        "- {figure: severe_without_plan, at_least: 1, ask: 'Ours: {value}?'}\n"
        "- {figure: severe_without_plan, at_least: 2, ask: 'Not asked: {value}?'}\n",
        encoding="utf-8",
    )
    room = open_restricted(tmp_path / "inside", today=DAY)
    made = make(planted, room, laestabs=[9812001], questions=own)
    text = text_of(BeautifulSoup(made.files[0].read_text(encoding="utf-8"), "html.parser"), "questions")
    assert "Ours: 1 pupil?" in text
    assert "Not asked" not in text


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{figure: severe_without_plans, above: 0, ask: 'x'}", "Did you mean 'severe_without_plan'"),
        ("{figure: severe_without_plan, ask: 'x'}", "question 1: give one of above"),
        ("{figure: severe_without_plan, above: 0, below: 3, ask: 'x'}", "only one"),
        ("{figure: severe_without_plan, above: many, ask: 'x'}", "'many' is not a number"),
        ("{figure: severe_without_plan, above: 0}", "the question in words is missing"),
        ("{figure: severe_without_plan, above: 0, ask: '{value.__class__}'}", "may stand in braces"),
        ("{figure: severe_without_plan, above: 0, ask: '{'}", "may stand in braces"),
        ("{figure: severe_without_plan, over: 0, ask: 'x'}", "'over' is not a key"),
    ],
)
def test_questions_that_are_not_sound_are_refused(tmp_path, row, says):
    file = tmp_path / "mine.yaml"
    file.write_text(f"kind: meeting questions\nquestions:\n- {row}\n", encoding="utf-8")
    with pytest.raises(VocabularyError, match=re.escape(says)) as caught:
        own_questions(file)
    assert "mine.yaml" in str(caught.value)


def test_limits_of_questions_are_exact(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "kind: meeting questions\nquestions:\n"
        "- {figure: term_change, above: 0.1, ask: 'above'}\n- {figure: term_change, at_least: 0.1, ask: 'at least'}\n",
        encoding="utf-8",
    )
    from fractions import Fraction

    assert [text for _, text in questions_of(own_questions(file), {"term_change": Figure(Fraction(1, 10))})] == [
        "at least"
    ]


def test_a_drawing_is_to_scale_and_says_what_it_shows():
    svg = line_chart(
        [Line("School", (90.0, 95.0, 92.0)), Line("National", (None, None, 91.0))],
        ["a", "b", "c & d"],
        "T",
        "From 90% to 92%.",
    )
    drawn = BeautifulSoup(svg, "html.parser")
    heights = [float(dot["cy"]) for dot in drawn.find_all("circle")]
    assert len(heights) == 3, "a line of one value is not drawn"
    # 90 to 92 is two fifths of 90 to 95, upwards.
    assert (heights[0] - heights[2]) / (heights[0] - heights[1]) == pytest.approx(0.4, abs=0.01)
    assert drawn.svg["aria-label"] == "T. From 90% to 92%."
    assert "c &amp; d" in svg
    assert line_chart([Line("School", (None, 90.0))], ["a", "b"], "T", "x") == ""
