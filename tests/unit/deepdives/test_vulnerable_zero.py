"""Pupils with no attendance on the page: planted pupils counted by hand, what partners are shown, and what is said."""

from __future__ import annotations

import pytest

from attendance_toolkit.deepdives.vulnerable_zero import VulnerableZero
from attendance_toolkit.deepdives.vulnerable_zero_data import AUTHORISED, FULL, PART_TIME, UNAUTHORISED
from attendance_toolkit.disclosure.counts import MAKEUPS, SUMS
from attendance_toolkit.disclosure.policy import SHARED
from attendance_toolkit.inputs import open_inputs
from attendance_toolkit.loaders.load import load_files
from attendance_toolkit.presentation.blocks import Findings, Result, Table
from attendance_toolkit.vocabulary.columns import FULL_ABSENCE_COUNTS
from tests.screening.census_builder import Return, make_upn

ALL_PUPILS = ("All", "All")
#: LAESTAB number, phase, pupils and those of them with no attendance. SEN goes round: none, SEN support, EHC plan.
SCHOOLS = ((2001, "PS", 600, 60), (4001, "SS", 600, 180))


def school(estab, phase, pupils, zero, first):
    """The first pupils have no attendance, every other one of them mostly unauthorised."""
    made = Return("spring", pupils=pupils, leavers=0, estab=estab, first=first)
    made.tables["school"][0] |= {"schoolname": f"School {estab}", "urn": f"10{estab}", "phase": phase}
    made.tables["termlysessiondetailsonroll"].clear()
    made.tables["fsmperiod"].clear()
    for place, row in enumerate(made.tables["pupilonroll"]):
        missed = {"I": 5}
        if place < zero:
            missed = {"I": 5, "O": 115} if place % 2 else {"I": 120}
        for code, sessions in missed.items():
            made.details("termlysessiondetailsonroll", row["pupilonrolltableid"], code, sessions)
    return made


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zero")
    made = school(*SCHOOLS[0], 0)
    made.add(school(*SCHOOLS[1], 1000)).write(folder / "in")
    # Looked after: 60 of the first school without attendance, and 30 others of it.
    flags = [f"{make_upn(n)},2023/24,{'Yes' if n < 90 else 'No'}" for n in range(600)]
    (folder / "in" / "flags.csv").write_text("\n".join(["upn,academic_year,looked_after", *flags]), encoding="utf-8")
    load_files(folder / "in", folder / "store", key_file=folder / "key")
    return folder


def page(planted, audience="internal"):
    return VulnerableZero(
        open_inputs(area="Aldermoor", academic_year="2023/24", store=str(planted / "store"), audience=audience)
    )


def test_counts_are_those_planted(planted):
    made = page(planted)
    counts = {
        phase: (
            made.zero_of(ALL_PUPILS, phase=phase)["numerator"],
            made.zero_of(ALL_PUPILS, phase=phase)["denominator"],
        )
        for phase in ("Primary", "Secondary", "All schools")
    }
    assert counts == {"Primary": (60, 600), "Secondary": (180, 600), "All schools": (240, 1200)}
    assert made.zero_of(("sen_provision", "EHC plan"))["numerator"] == 80
    assert made.zero_of(("looked_after", "Yes"))["numerator"] == 60
    assert made.zero_of(("looked_after", "Yes"))["denominator"] == 90
    # Every other one has 115 unauthorised sessions of 120; part-time timetables had no code yet.
    assert [made.zero_of(ALL_PUPILS, part)["numerator"] for part in (AUTHORISED, UNAUTHORISED)] == [120, 120]
    assert made.zero_of(ALL_PUPILS, PART_TIME) is None
    assert len(made.zero_kinds_table().rows) == 2
    ratio = made.zero_beside(("looked_after", "Yes"), "risk_ratio")
    assert ratio["rate"] == pytest.approx((60 / 90) / (180 / 1110))


def test_sentences_say_what_is_clear(planted):
    said = " ".join(page(planted).zero_sentences().sentences)
    assert "240 of 1,200 enrolments in Aldermoor (20.0%, 1 in 5) attended no session of 2023/24" in said
    assert "For 50% of them most of the missed sessions were unauthorised." in said
    assert "looked-after children: 4.11 times" in said
    assert "Not clearly different from other pupils: pupils with an EHC plan and pupils with SEN support." in said


def test_partners_see_rounded_counts_and_never_a_small_one(planted, tmp_path):
    shown = page(planted, "partner")
    total = shown.zero_of(ALL_PUPILS)
    assert total["symbol"] == "c" or total["numerator"] % SHARED.rounding == 0
    assert isinstance(shown.zero_table(), Table)
    assert isinstance(shown.zero_phase_table(), Table)
    # Three pupils without attendance of a school: hidden, and said so, without a table of nothing.
    school(2001, "PS", 90, 3, 0).write(tmp_path / "in")
    load_files(tmp_path / "in", tmp_path / "store", key_file=tmp_path / "key")
    few = page(tmp_path, "partner")
    assert few.zero_of(ALL_PUPILS)["symbol"] == "c"
    (first, *_) = few.zero_sentences().sentences
    assert (
        first
        == "How many pupils attended no session of 2023/24 cannot be told: figures are hidden to protect small numbers."
    )
    assert [type(block) for block in (few.zero_table(), few.zero_phase_table(), few.zero_kinds_table())] == [Result] * 3
    assert page(tmp_path).zero_of(ALL_PUPILS)["numerator"] == 3


def test_nobody_without_attendance_is_said(tmp_path):
    school(2001, "PS", 60, 0, 0).write(tmp_path / "in")
    load_files(tmp_path / "in", tmp_path / "store", key_file=tmp_path / "key")
    said = page(tmp_path).zero_sentences()
    assert isinstance(said, Findings)
    assert said.sentences == ("No enrolment of Aldermoor missed every possible session of 2023/24.",)


def test_disclosure_knows_what_the_counts_are_made_of():
    assert MAKEUPS[FULL].numerator == FULL_ABSENCE_COUNTS[0]
    assert [MAKEUPS[name].numerator for name in (AUTHORISED, UNAUTHORISED, PART_TIME)] == list(FULL_ABSENCE_COUNTS[1:])
    parts = [one.parts for one in SUMS if one.total == FULL_ABSENCE_COUNTS[0]]
    assert parts == [FULL_ABSENCE_COUNTS[1:3], FULL_ABSENCE_COUNTS[3:]]
