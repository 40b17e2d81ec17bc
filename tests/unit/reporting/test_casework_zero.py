"""The audit of pupils with no attendance: planted pupils, a form that people and spreadsheets fill in, results that add up."""

from __future__ import annotations

import csv
import random
import shutil
import stat
import zipfile
from datetime import date
from fractions import Fraction

import openpyxl
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance_toolkit.cli import main
from attendance_toolkit.errors import (
    DisclosureError,
    NoDataError,
    ParameterError,
    ScreeningError,
    UnreadableFileError,
)
from attendance_toolkit.loaders.load import load_files
from attendance_toolkit.metrics.reconciliation import check_sample
from attendance_toolkit.metrics.zero_attendance import draw_sample
from attendance_toolkit.reporting.casework_zero import write_zero_sample
from attendance_toolkit.reporting.casework_zero_results import results_of, zero_results
from attendance_toolkit.reporting.register import read_register
from attendance_toolkit.reporting.restricted import Restricted, open_restricted
from attendance_toolkit.store import Store
from attendance_toolkit.store.keys import pseudonyms
from attendance_toolkit.vocabulary.zero_attendance import audit_rules
from tests.screening.census_builder import Return, make_upn

DAY, UNTIL = date(2026, 11, 22), date(2027, 7, 31)
SECRETS = ("Canarybird", "Zephyrine", "2014-Oct", "M98 7QZ")
#: Pupils of the two schools by number: all but the last two of each have no attendance.
FIRST, SECOND = range(22), range(100, 112)


def school(numbers, estab):
    made = Return("spring", pupils=len(numbers), leavers=0, estab=estab, first=numbers[0])
    made.tables["school"][0] |= {"schoolname": f"School {estab}", "urn": f"10{estab}"}
    made.tables["termlysessiondetailsonroll"].clear()
    made.tables["fsmperiod"].clear()
    for place, row in enumerate(made.tables["pupilonroll"]):
        row |= {"surname": SECRETS[0], "forename": SECRETS[1], "postcode": SECRETS[3], "dob": "2014-Oct-10 00:00:00"}
        key = row["pupilonrolltableid"]
        if place < len(numbers) - 2:
            made.details("termlysessiondetailsonroll", key, "I", 100 + place % 3)
            made.details("termlysessiondetailsonroll", key, "O", 20 - place % 3)
        elif place < len(numbers) - 1:
            made.details("termlysessiondetailsonroll", key, "I", 119)
        else:
            row["termlysessionspossible"] = "4"
            made.details("termlysessiondetailsonroll", key, "O", 4)
    return made


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """30 pupils of two schools with no attendance, two that came once, and two with 4 possible sessions."""
    folder = tmp_path_factory.mktemp("planted")
    school(FIRST, 2001).add(school(SECOND, 2002)).write(folder / "in")
    load_files(folder / "in", folder / "store", key_file=folder / "key")
    return folder


@pytest.fixture
def room(tmp_path):
    return open_restricted(tmp_path / "restricted", tmp_path / "out", today=DAY)


def sample(data, room, **extra):
    options = {"purpose": "Audit with the schools", "retain_until": UNTIL, "today": DAY, "formats": ("csv",), **extra}
    return write_zero_sample(Store.open(data / "store"), "Aldermoor", "2023/24", room, **options)


def results(data, form, room=None, **extra):
    return zero_results(form, Store.open(data / "store"), room, today=DAY, **extra)


def lines_of(path):
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.reader(handle))


def rows_of(path):
    lines = lines_of(path)
    gap = lines.index([])
    return {line[0]: line[1] for line in lines[:gap] if len(line) > 1}, [
        dict(zip(lines[gap + 1], line, strict=True)) for line in lines[gap + 2 :]
    ]


def pseudonym(data, numbers):
    key = bytes.fromhex((data / "key").read_text(encoding="ascii").strip())
    return [str(one) for one in pseudonyms([make_upn(number) for number in numbers], key)]


def filled(made, outcomes, change=lambda lines: lines):
    """Fill the form in as with a spreadsheet, and return it."""
    form = made.lists.folder / "outcome-form.csv"
    lines = lines_of(form)
    top = lines.index([]) + 1
    place = lines[top].index("Outcome")
    for line, outcome in zip(lines[top + 1 :], outcomes, strict=True):
        line[place] = outcome
    with form.open("w", encoding="utf-8-sig", newline="") as handle:
        csv.writer(handle).writerows(change(lines))
    return form


# --- the lists and the form -----------------------------------------------------------------------------------------


def test_exactly_the_planted_pupils_are_listed_and_those_with_few_sessions_apart(planted, room):
    made = sample(planted, room)
    assert (made.pupils, made.drawn, made.apart, made.enrolments) == (30, 4, {"Few possible sessions": 2}, 34)
    _, rows = rows_of(made.lists.folder / "9812001-school-2001.csv")
    audited = [row for row in rows if row["Listed as"] == "No attendance"]
    assert {row["Pupil"] for row in audited} == set(pseudonym(planted, FIRST[:-2]))
    assert [row["Pupil"] for row in rows if row["Listed as"] == "Few possible sessions"] == pseudonym(
        planted, FIRST[-1:]
    )
    assert {row["Sessions by reason"] for row in audited} == {
        f"Illness {100 + n}; Other unauthorised {20 - n}" for n in range(3)
    }
    _, form = rows_of(made.lists.folder / "outcome-form.csv")
    every = [row for path in made.lists.folder.glob("98*.csv") for row in rows_of(path)[1]]
    assert {row["Pupil"] for row in form} == {row["Pupil"] for row in every if row["In the sample"] == "Yes"}
    _, summary = rows_of(made.lists.folder / "summary.csv")
    assert sum(int(row["Pupils"]) for row in summary[:-2]) == int(summary[-2]["Pupils"]) == 30
    assert "4 of them are in the sample (13.3%" in made.to_text()


def test_lists_are_restricted_registered_and_without_names(planted, room):
    made = sample(planted, room, formats=("xlsx", "csv"))
    entries = {entry.file: entry for entry in read_register(room.lists)}
    assert {room.lists / file for file in entries} == set(made.lists.files)
    assert entries["aldermoor/2023-24/no-attendance-year/outcome-form.xlsx"].pupils == 4
    for path in made.lists.files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        parts = [path.read_bytes()]
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as book:
                parts = [book.read(name) for name in book.namelist()]
        text = b"".join(parts).decode("utf-8", "replace")
        assert not [secret for secret in (*SECRETS, *map(make_upn, (*FIRST, *SECOND))) if secret in text]
    # A larger share keeps the pupils drawn; another period is another list.
    drawn = {row["Pupil"] for row in rows_of(made.lists.folder / "outcome-form.csv")[1]}
    larger = sample(planted, room, share="50%")
    assert drawn < {row["Pupil"] for row in rows_of(larger.lists.folder / "outcome-form.csv")[1]}
    sample(planted, room, period="autumn")
    assert (larger.lists.folder / "outcome-form.csv").is_file()


def test_a_workbook_offers_the_outcomes_and_runs_nothing(planted, room):
    made = sample(planted, room, formats=("xlsx",))
    sheet = openpyxl.load_workbook(made.lists.folder / "outcome-form.xlsx").active
    (offered,) = sheet.data_validations.dataValidation
    labels = [outcome.label for outcome in audit_rules().outcomes]
    assert offered.formula1 == f'"{",".join(labels)}"'
    assert sheet.cell(int(str(offered.sqref).split(":")[0].lstrip("ABCDEFGHIJKLMNOP")) - 1, 9).value == "Outcome"
    assert not [cell for row in sheet for cell in row if cell.data_type == "f"]


def test_what_cannot_be_asked_is_said(planted, room, tmp_path):
    for options, says in (
        ({"share": "0%"}, "not a share"),
        ({"seed": "a b"}, "not a seed"),
        ({"fewest": 0}, "1 or more"),
        ({"period": "autum"}, "Did you mean"),
        ({"purpose": " "}, "purpose"),
        ({"period": "spring", "first": DAY}, "not both"),
        ({"first": UNTIL, "last": DAY}, "before the first"),
    ):
        with pytest.raises(ParameterError, match=says):
            sample(planted, room, **options)
    with pytest.raises(NoDataError, match="whole year alone"):
        sample(planted, room, period="summer")
    with pytest.raises(NoDataError, match="without attendance"):
        sample(planted, room, fewest=121)
    with pytest.raises(NoDataError, match="single marks"):
        sample(planted, room, first=date(2024, 1, 8))
    with pytest.raises(DisclosureError):
        sample(planted, Restricted(tmp_path / "plain"))


# --- the form filled in ---------------------------------------------------------------------------------------------


def test_results_are_those_counted_by_hand(planted, room):
    made = sample(planted, room, share="40%")
    outcomes = ["Alternative provision", "ap", " left  the country", "TRANSFER", "Custodial", "", "Other",
                "alternative provision", "Residential medical", "Not yet known", "AP", "AP"]  # fmt: skip
    form = filled(made, outcomes)
    found = results(planted, form, room)
    assert {one.name: one.drawn for one in found.groups} == {
        "Alternative provision": 5, "Left the country or transferring": 2, "Residential medical or custodial": 2,
        "Other": 1, "Not yet known": 2,
    }  # fmt: skip
    assert (found.total, found.drawn, sum(one.drawn for one in found.outcomes)) == (30, 12, 12)
    # By hand: each stratum's share of those drawn with the outcome, weighed by the stratum's size.
    _, rows = rows_of(form)
    strata = dict(part.split(": ") for part in rows_of(form)[0]["Strata"].split("; "))
    share = Fraction(0)
    for name, numbers in strata.items():
        drawn, total = map(int, numbers.split(" of "))
        events = sum(
            row["Stratum"] == name and row["Outcome"].upper() in ("AP", "ALTERNATIVE PROVISION") for row in rows
        )
        share += Fraction(total, 30) * Fraction(events, drawn)
    assert found.groups[0].share.value == pytest.approx(float(share))
    assert sum(one.pupils for one in found.groups) == sum(one.pupils for one in found.outcomes) == 30
    assert sum(one.percent for one in found.groups) == 100
    assert check_sample(30, found.printed_share, [one.printed for one in found.groups]) == ()
    _, table = rows_of(found.files[0])
    assert [row["In the sample"] for row in table] == ["5", "2", "2", "1", "2", "12"]
    assert "Sample: 12 of 30 pupils (40%)." in found.to_text()
    assert found.to_text().startswith("OFFICIAL-SENSITIVE")
    assert not results(planted, form).files


def test_a_workbook_filled_in_is_read_and_names_need_the_key(planted, room):
    made = sample(planted, room, formats=("xlsx",), identify=[planted / "in"], key_file=planted / "key", seed="other")
    path = made.lists.folder / "outcome-form.xlsx"
    book = openpyxl.load_workbook(path)
    sheet = book.active
    header = next(row for row in sheet if row[0].value == "UPN")
    place = next(cell.column for cell in header if cell.value == "Outcome")
    for row in range(header[0].row + 1, sheet.max_row + 1):
        sheet.cell(row, place).value = "Other"
    book.save(path)
    found = results(planted, path, key_file=planted / "key")
    assert {one.name: one.drawn for one in found.groups}["Other"] == 4
    assert found.notes == found.notes[-1:]
    with pytest.raises(ParameterError, match="key"):
        results(planted, path)


def change_rows(change):
    """Change the rows of pupils of a form."""

    def apply(lines):
        top = lines.index([]) + 1
        return [*lines[: top + 1], *change(lines[top + 1 :], lines[top])]

    return apply


def set_cell(number, column, text):
    def change(rows, header):
        rows[number][header.index(column)] = text
        return rows

    return change_rows(change)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            set_cell(0, "Outcome", "perhaps in care of Aunt Zephyrine"),
            r"column Outcome: a text of 33 letters is not an outcome",
        ),
        (set_cell(1, "Outcome", "#REF!"), r"row 2\d, column Outcome: the spreadsheet shows an error \(#REF!\)"),
        (set_cell(0, "Pupil", "7.90793E+18"), "column Pupil: a spreadsheet has cut the number short"),
        (set_cell(0, "Pupil", ""), "column Pupil: the cell is empty"),
        (set_cell(0, "Pupil", "=A1"), "this is not a pupil as the form had it"),
        (set_cell(0, "LAESTAB", "981/2001"), "'981/2001' is not a school's number"),
        (change_rows(lambda rows, _: [*rows, rows[0]]), "column Pupil: this pupil and school are in row"),
        (change_rows(lambda rows, _: [*rows, ["123", *rows[0][1:]]]), "this pupil was not drawn for the sample"),
        (change_rows(lambda rows, _: []), "has no row of a pupil"),
    ],
)
def test_what_people_and_spreadsheets_do_to_a_form_is_told_by_row(planted, room, change, says):
    made = sample(planted, room)
    form = filled(made, ["Other"] * 4, change)
    with pytest.raises(ScreeningError, match=says) as told:
        results(planted, form)
    assert not [text for text in (*SECRETS, *pseudonym(planted, (*FIRST, *SECOND))) if text in str(told.value)]


def test_a_deleted_row_is_not_yet_known_and_another_sample_is_told(planted, room, tmp_path):
    made = sample(planted, room)
    found = results(planted, filled(made, ["Other"] * 4, change_rows(lambda rows, _: rows[1:])))
    assert {one.name: one.drawn for one in found.groups}["Not yet known"] == 1
    assert found.notes[0] == "1 pupil of the sample has no row in the form, counted as 'Not yet known'."
    # The row that says how it was drawn says another seed: the form still speaks for its own list.
    made = sample(planted, room)
    form = filled(made, ["Other"] * 4)
    form.write_text(form.read_text(encoding="utf-8-sig").replace("seed=1;", "seed=2;"), encoding="utf-8")
    found = results(planted, form)
    assert found.notes[0].startswith("The sample is not the one that the store gives today")
    assert found.total == 30
    # And with a row gone, nobody can tell.
    form = filled(made, ["Other"] * 4, change_rows(lambda rows, _: rows[1:]))
    with pytest.raises(ScreeningError, match="nobody can say what was changed"):
        results(planted, form)
    # The data have grown since.
    made = sample(planted, room)
    form = filled(made, ["AP"] * 4)
    shutil.copytree(planted / "in", tmp_path / "in")
    school(range(200, 210), 2003).write(tmp_path / "in" / "more")
    load_files(tmp_path / "in", tmp_path / "store", key_file=planted / "key")
    found = zero_results(form, Store.open(tmp_path / "store"), today=DAY)
    assert "38 pupils now, 30 when it was drawn" in found.notes[0]
    assert (found.total, found.drawn) == (30, 4)


@pytest.mark.parametrize("change", [lambda text: text.replace("Drawn with", "Drawn"), lambda _: "Pupil,School\n1,2\n"])
def test_a_file_that_is_no_form_is_said(planted, room, change):
    made = sample(planted, room)
    form = made.lists.folder / "outcome-form.csv"
    form.write_text(change(form.read_text(encoding="utf-8-sig")), encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="not an outcome form"):
        results(planted, form)


# --- figures that add up --------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.integers(1, 120), min_size=1, max_size=6),
    st.sampled_from([Fraction(n, 100) for n in (1, 5, 12, 12, 33, 50, 100)]),
    st.booleans(),
    st.integers(0, 10**6),
)
def test_no_sample_drawn_here_is_printed_as_one_that_cannot_be(sizes, share, each, seed):
    """The printed 12% of 347 with parts of 47, 41 and 12% fits no sample; the reconciler must never say so of ours."""
    frame = pd.DataFrame(
        [(n * 1000 + k, 9810001, f"stratum {n}") for n, size in enumerate(sizes) for k in range(size)],
        columns=["upn", "laestab", "stratum"],
    )
    draw = draw_sample(frame, share, seed, at_least_one=each or len(sizes) == 1)
    # A stratum nobody was drawn of cannot speak: joined with the others.
    is_whole = all(drawn for _, drawn in draw.sizes.values())
    strata = dict(draw.sizes) if is_whole else {"all": (len(frame), draw.size)}
    choose = random.Random(seed)
    common = audit_rules().outcomes[: choose.randint(1, 7)]
    outcomes = {
        (int(row.upn), int(row.laestab)): (row.stratum if is_whole else "all", choose.choice(common))
        for row in frame[draw.drawn].itertuples()
    }
    found = results_of(outcomes, strata)
    for categories in (found.groups, found.outcomes):
        assert check_sample(found.total, found.printed_share, [one.printed for one in categories]) == ()
        assert sum(one.drawn for one in categories) == found.drawn == draw.size
        assert sum(one.pupils for one in categories) == len(frame)
        assert sum(one.percent for one in categories) == 100
        for one in categories:
            assert one.drawn / found.total - 1e-12 <= one.share.lower <= one.share.value <= one.share.upper
            assert one.share.upper <= (found.total - found.drawn + one.drawn) / found.total + 1e-12


def test_the_commands_write_and_read(planted, tmp_path):
    args = ["zero-sample", "--area", "Aldermoor", "--store", str(planted / "store"), "--restricted", str(tmp_path / "r"),
            "--purpose", "Audit", "--until", "2099-07-31", "--csv", "--share", "20%"]  # fmt: skip
    done = CliRunner().invoke(main, ["casework", *args], catch_exceptions=False)
    assert "30 of 34 enrolments have no attendance (2023/24, whole year). 6 of them" in done.output
    (form,) = (tmp_path / "r").rglob("outcome-form.csv")
    args = ["zero-results", str(form), "--store", str(planted / "store"), "--restricted", str(tmp_path / "r")]
    done = CliRunner().invoke(main, ["casework", *args], catch_exceptions=False)
    assert "Sample: 6 of 30 pupils (20%)." in done.output
    assert len(list((tmp_path / "r").rglob("results*.csv"))) == 2
