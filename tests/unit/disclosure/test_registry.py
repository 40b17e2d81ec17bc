"""From tables to cells and sums, by tables small enough to add up by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.disclosure import counts
from attendance_toolkit.disclosure.lines import find_lines, linking_groups, texts
from attendance_toolkit.disclosure.policy import SHARED
from attendance_toolkit.disclosure.release import Release
from attendance_toolkit.errors import DisclosureError
from attendance_toolkit.vocabulary.hierarchies import ABSENCE_BANDS, contained, within
from attendance_toolkit.vocabulary.measures import MEASURES
from attendance_toolkit.vocabulary.statistics import DERIVED, MODELLED
from tests.unit.disclosure.exact import AREA, YEAR, clear, rows, session_rows, table


def registry(**tables):
    return clear(SHARED, tables).registry


def cell(found, count, **levels):
    """The row of one cell: asked by its levels, besides area and year."""
    wanted = {"area_code": AREA, "academic_year": str(YEAR), **levels}
    frame = found.groups.iloc[found.cells["group"].to_numpy()].reset_index(drop=True)
    mask = found.cells["count"] == count
    for name in frame.columns:
        if name != "topic":
            mask &= frame[name] == wanted.get(name, "")
    chosen = found.cells[mask]
    assert len(chosen) == 1, (count, levels, len(chosen))
    return chosen.iloc[0]


def has_sum(found, total, parts):
    """Whether some equation is exactly these parts and this total (rows of cells)."""
    wanted = {total.name: -1.0, **{part.name: 1.0 for part in parts}}
    matrix = found.equations.toarray()
    return any({int(i): row[i] for i in np.flatnonzero(row)} == wanted for row in matrix)


def test_every_measure_of_the_vocabulary_is_mapped_to_counts():
    assert set(MEASURES) | set(MODELLED) == set(counts.MAKEUPS)
    assert not set(DERIVED) & set(counts.MAKEUPS), "what a page derives is never cleared by itself"
    for measure in MEASURES.values():
        makeup = counts.makeup_of(measure.name)
        # By the vocabulary's own words: a rate of enrolments has the group's size below it.
        if measure.denominator in ("enrolments", "pupils"):
            assert makeup.denominator == counts.ENROLMENTS
        if measure.denominator == "sessions possible":
            assert makeup.denominator == "sessions_possible"
        if measure.name in ("enrolments", "pupils"):
            assert makeup.numerator == counts.ENROLMENTS
        else:
            assert counts.ENROLMENTS in (makeup.denominator, *makeup.needs)


def test_a_measure_nobody_mapped_is_refused():
    with pytest.raises(DisclosureError, match="not known what it gives away"):
        clear(SHARED, {"t": table(rows([{"n": 50, "x": 20}], "median_wage"))})


def test_levels_and_their_totals():
    assert within("phase", "Special") == ("All",)
    assert within("phase", "Unknown") == ()
    assert within("sen_provision", "EHC plan") == ("Any SEN", "All")
    assert within("academic_year", "202324") == ()
    assert within("fsm_eligible", "FSM eligible") == ("All",)
    assert ("ethnicity_minor", "Irish", "ethnicity_major", "White") in contained()


def test_a_group_is_one_cell_however_tables_write_it():
    found = registry(
        pairs=table(rows([{"phase": "Primary", "characteristic": "sex", "level": "Female", "n": 60, "x": 20}])),
        columns=table(rows([{"phase": "Primary", "sex": "Female", "n": 60, "x": 12}], "severe_absence_rate")),
        totals=table(rows([{"phase": "All schools", "characteristic": "All", "level": "All", "n": 100, "x": 40}])),
    )
    assert cell(found, "enrolments", phase="Primary", sex="Female")["value"] == 60
    assert cell(found, "enrolments")["value"] == 100


def test_all_schools_are_primary_secondary_and_special():
    names = {"All schools": 100, "Primary": 50, "Secondary": 30, "Special": 20, "Pupil referral unit": 15}
    found = registry(t=table(rows([{"phase": name, "n": n, "x": n // 2} for name, n in names.items()])))
    parts = [cell(found, "enrolments", phase=name) for name in ("Primary", "Secondary", "Special")]
    assert has_sum(found, cell(found, "enrolments"), parts)


def test_a_subtotal_stands_between_its_parts_and_the_total():
    names = {"All": 100, "No SEN": 60, "Any SEN": 40, "SEN support": 25, "EHC plan": 15}
    found = registry(t=table(rows([{"sen_provision": name, "n": n, "x": n // 5} for name, n in names.items()])))
    any_sen = cell(found, "enrolments", sen_provision="Any SEN")
    assert has_sum(found, any_sen, [cell(found, "enrolments", sen_provision=n) for n in ("SEN support", "EHC plan")])
    assert has_sum(found, cell(found, "enrolments"), [cell(found, "enrolments", sen_provision="No SEN"), any_sen])


def test_without_the_subtotal_its_parts_add_up_to_the_total():
    names = {"All": 100, "No SEN": 60, "SEN support": 25, "EHC plan": 15}
    found = registry(t=table(rows([{"sen_provision": name, "n": n, "x": n // 5} for name, n in names.items()])))
    parts = [cell(found, "enrolments", sen_provision=n) for n in ("No SEN", "SEN support", "EHC plan")]
    assert has_sum(found, cell(found, "enrolments"), parts)


def test_what_the_parts_leave_over_is_a_cell():
    # 200 = 120 + 74 + 6 whose sex nobody shows: a reader gets the 6, and the 1 absentee among them.
    levels = [
        {"sex": "All", "n": 200, "x": 50},
        {"sex": "Female", "n": 120, "x": 30},
        {"sex": "Male", "n": 74, "x": 19},
    ]
    found = registry(t=table(rows(levels)))
    assert cell(found, "enrolments", rest_of="sex")["value"] == 6
    assert cell(found, "persistent_absentees", rest_of="sex")["value"] == 1
    assert cell(found, "enrolments", rest_of="sex")["kind"] == "left over"


def test_of_nobody_left_over_a_count_is_not_known_to_be_nobody():
    # 200 = 120 + 74 + 6 left over, none of them absent. Taken as a sum without a rest, 20 - 9 would give the other 11 away.
    levels = [
        {"sex": "All", "n": 200, "x": 20},
        {"sex": "Female", "n": 120, "x": 11},
        {"sex": "Male", "n": 74, "x": 9},
    ]
    found = registry(t=table(rows(levels)))
    rest = cell(found, "persistent_absentees", rest_of="sex")
    assert (rest["value"], rest["kind"]) == (0, "left over")


def test_counts_known_of_other_parts_leave_other_pupils_over():
    # Of 200 pupils, 120 and 80 known by sex; absentees of one sex alone are shown: the 20 others are not among nobody.
    sizes = table(rows([{"sex": "All", "n": 200, "x": 50}, {"sex": "Female", "n": 120, "x": 30}]))
    more = rows([{"sex": "Male", "n": 80, "x": 20}])
    found = registry(t=sizes, s=table(more[more["measure"] == "enrolments"]))
    assert cell(found, "persistent_absentees", rest_of="sex")["value"] == 20


def test_sums_within_a_group():
    bands = dict(zip([label for label, _ in ABSENCE_BANDS], (40, 25, 15, 12, 8), strict=True))
    found = registry(
        persistent=table(rows([{"n": 100, "x": 35}])),
        severe=table(rows([{"n": 100, "x": 8}], "severe_absence_rate")),
        none=table(rows([{"n": 100, "x": 12}], "no_absence_rate")),
        bands=table(*[rows([{"n": 100, "x": x}], "band_rate").assign(band=label) for label, x in bands.items()]),
    )
    persistent, severe = cell(found, "persistent_absentees"), cell(found, "severe_absentees")
    assert cell(found, "not:persistent_absentees")["value"] == 65
    assert cell(found, "persistent_not_severe")["value"] == 27
    assert cell(found, "missed_under_5")["value"] == 28
    assert has_sum(found, persistent, [severe, cell(found, "persistent_not_severe")])
    middle = [cell(found, f"band:{label}") for label in ("10% to under 20%", "20% to under 50%")]
    assert has_sum(found, persistent, [*middle, severe])
    # The band from 50% is the severe absentees: the same cell.
    assert not (found.cells["count"] == "band:50% or more").any()


def test_everybody_but_is_the_same_cell():
    found = registry(
        none=table(rows([{"n": 100, "x": 12}], "no_absence_rate")),
        any=table(rows([{"n": 100, "x": 88}], "missed_any_rate")),
    )
    assert cell(found, "no_absence_enrolments")["value"] == 12


def test_sessions_within_a_group():
    found = registry(
        overall=table(session_rows([{"n": 100, "x": 3000, "p": 30000}])),
        authorised=table(session_rows([{"n": 100, "x": 2000, "p": 30000}], "authorised_absence_rate")),
        unauthorised=table(session_rows([{"n": 100, "x": 1000, "p": 30000}], "unauthorised_absence_rate")),
        without=table(
            session_rows([{"n": 20, "x": 1200, "p": 24000}], "overall_absence_rate_without_persistent"),
            rows([{"n": 100, "x": 20}]),
        ),
    )
    absent = cell(found, "sessions_absent")
    assert has_sum(found, absent, [cell(found, "sessions_authorised"), cell(found, "sessions_unauthorised")])
    assert cell(found, "sessions_possible_not_persistent")["value"] == 24000


def test_years_and_terms_of_pupils_never_add_up_but_sessions_of_terms_do():
    terms = [{"term": "All", "n": 100, "x": 3000, "p": 30000}]
    terms += [{"term": t, "n": 100, "x": 1000, "p": 10000} for t in ("autumn", "spring", "summer")]
    found = registry(t=table(session_rows(terms), session_rows(terms[:1]).assign(academic_year=202223)))
    parts = [cell(found, "sessions_absent", term=t) for t in ("autumn", "spring", "summer")]
    assert has_sum(found, cell(found, "sessions_absent"), parts)
    sizes = [cell(found, "enrolments", term=t) for t in ("autumn", "spring", "summer")]
    assert not has_sum(found, cell(found, "enrolments"), sizes)
    involved = found.equations[:, [cell(found, "enrolments", academic_year="202223").name]]
    assert involved.nnz == 0


def test_tables_with_a_common_margin_nobody_shows_are_tied_together():
    # sex by phase and FSM by phase, without the phases themselves.
    sex = [
        {"phase": p, "sex": s, "n": n, "x": n // 2} for p, s, n in (("Primary", "Female", 40), ("Primary", "Male", 60))
    ]
    fsm = [
        {"phase": "Primary", "fsm_eligible": f, "n": n, "x": n // 2} for f, n in (("FSM eligible", 30), ("Unknown", 70))
    ]
    found = registry(a=table(rows(sex)), b=table(rows(fsm)))
    margin = cell(found, "enrolments", phase="Primary")
    assert margin["value"] == 100
    assert margin["kind"] == "links tables"
    assert has_sum(found, margin, [cell(found, "enrolments", phase="Primary", sex=s) for s in ("Female", "Male")])


def test_pupils_known_to_be_in_another_group_leave_the_rest_of_it():
    # 57 of the last six years, 52 of them eligible now: a reader gets the 5.
    found = registry(
        now=table(rows([{"fsm_eligible": "FSM eligible", "n": 52, "x": 20}])),
        ever=table(rows([{"fsm6": "FSM in the last six years", "n": 57, "x": 22}])),
    )
    rest = cell(found, "enrolments", fsm6="FSM in the last six years", rest_of="fsm_eligible in fsm6")
    assert rest["value"] == 5


def test_unknown_is_a_level_of_its_characteristic():
    share = rows([{"characteristic": "sex", "n": 200, "x": 6}], "unknown_share")
    levels = [
        {"sex": "Female", "n": 120, "x": 30},
        {"sex": "Male", "n": 74, "x": 19},
        {"sex": "All", "n": 200, "x": 50},
    ]
    found = registry(share=table(share), sexes=table(rows(levels)))
    assert cell(found, "enrolments", sex="Unknown")["value"] == 6
    parts = [cell(found, "enrolments", sex=s) for s in ("Female", "Male", "Unknown")]
    assert has_sum(found, cell(found, "enrolments"), parts)


def test_two_values_of_one_cell_are_refused_without_saying_either():
    with pytest.raises(DisclosureError, match=r"two different values.*persistent_absentees.*overview/.*/one") as found:
        clear(SHARED, {"one": table(rows([{"n": 317, "x": 41}])), "two": table(rows([{"n": 317, "x": 43}]))})
    assert not {"317", "41", "43"} & set(str(found.value).replace(",", " ").replace(".", " ").split())


def test_parts_above_their_total_are_refused():
    levels = [{"sex": "All", "n": 100, "x": 50}, {"sex": "Female", "n": 80, "x": 30}, {"sex": "Male", "n": 74, "x": 19}]
    with pytest.raises(DisclosureError, match="more than their total"):
        clear(SHARED, {"t": table(rows(levels))})


def test_other_topics_never_add_up_with_absence():
    levels = [{"sex": "All", "n": 100, "x": 50}]
    found = registry(
        a=table(rows(levels)), b=table(rows([{"sex": "Female", "n": 300}], "enrolments"), topic="pupils_followed")
    )
    assert found.groups["topic"].nunique() == 2
    assert not found.groups["rest_of"].any()


def test_a_table_is_added_once_and_needs_the_size_of_its_groups():
    release = Release(SHARED)
    release.add("overview", AREA, "t", table(rows([{"n": 100, "x": 50}])))
    with pytest.raises(DisclosureError, match="twice"):
        release.add("overview", AREA, "t", table(rows([{"n": 100, "x": 50}])))
    with pytest.raises(DisclosureError, match="enrolments"):
        table(rows([{"n": 100, "x": 50}]).drop(columns="enrolments"))


def test_lines_and_links_of_groups_by_hand():
    groups = pd.DataFrame({"topic": "absence", "phase": ["", "Primary", "Primary"], "sex": ["", "", "Female"]})
    lines = find_lines(groups, {})
    assert lines.to_dict("records") == [
        {"part": 1, "total": 0, "dimension": "phase"},
        {"part": 2, "total": 1, "dimension": "sex"},
    ]
    apart = pd.DataFrame({"topic": "absence", "phase": ["Primary"] * 2, "sex": ["Female", ""], "fsm6": ["", "Unknown"]})
    assert texts(linking_groups(apart)).tolist() == ["absence|phase=Primary"]
