"""Days, weeks and spells from marks: counts against plain Python, planted days found, the page through the gate."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

import attendance_toolkit as at
from attendance_toolkit.deepdives.schools_days import SchoolsDays
from attendance_toolkit.disclosure.gate import check_page, evidence_for
from attendance_toolkit.errors import ParameterError
from attendance_toolkit.metrics.mark_cells import LATER, SPELLS, mark_cells, spell_cells
from attendance_toolkit.metrics.marks import WEEKDAYS, MarkTable
from attendance_toolkit.presentation.blocks import Result
from attendance_toolkit.reporting.exporter import collect_outputs
from tests.unit.disclosure.gate.pages import MARKDOWN, page_mode
from tests.unit.presentation.examples import code, make_head, notebook

FIRST = date(2023, 9, 4)  # a Monday
MISSED = {"I": "authorised", "M": "authorised", "O": "unauthorised", "G": "unauthorised"}


def make_marks(laestabs, *, pupils=60, weeks=9, friday=0.0, seed=8, away=0):
    """Return marks of some schools over whole weeks, of which a share more is missed on Fridays.

    ``away``: how many pupils of each school also miss the third and fourth week altogether.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for school, laestab in enumerate(laestabs):
        for pupil in range(pupils):
            base = float(rng.beta(1, 12))
            for number in range(7 * weeks):
                day = FIRST + timedelta(number)
                if day.weekday() > 4:
                    continue
                is_away = (pupil < away and 14 <= number < 28) or rng.random() < base + (
                    friday if day.weekday() == 4 else 0
                )
                for session in ("AM", "PM"):
                    code_ = (
                        str(rng.choice(list(MISSED)))
                        if is_away
                        else "#"
                        if rng.random() < 0.01
                        else "/\\"[session == "PM"]
                    )
                    rows.append((1000 * school + pupil, laestab, pd.Timestamp(day), session, code_))
    return pd.DataFrame(rows, columns=["upn", "laestab", "day", "session", "code"])


def oracle(marks, label):
    """Possible and missed sessions by school and label, and how many pupils have any, counted one mark after the other."""
    found = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for row in marks.itertuples():
        if row.code != "#":
            counts = found[row.laestab, label(row)][row.upn]
            counts[0] += 1
            counts[1] += row.code in MISSED
    return {
        key: (
            len(pupils), sum(p for p, _ in pupils.values()), sum(m for _, m in pupils.values()),
            sum(m * m for _, m in pupils.values()), sum(m == 0 for _, m in pupils.values()),
        )
        for key, pupils in found.items()
    }  # fmt: skip


def ours(cells, names):
    return {
        (row["laestab"], row[names[0]] if len(names) == 1 else tuple(row[name] for name in names)): (
            row["enrolments"], row["sessions_possible"], row["sessions_authorised"] + row["sessions_unauthorised"],
            row["square_absent"], row["no_absence_enrolments"],
        )
        for _, row in cells.iterrows()
    }  # fmt: skip


LABELS = {
    ("weekday",): lambda row: WEEKDAYS[row.day.weekday()],
    ("weekday", "session"): lambda row: (
        WEEKDAYS[row.day.weekday()], {"AM": "Morning", "PM": "Afternoon"}[row.session],
    ),
    ("school_week",): lambda row: str(week) if (week := (row.day.date() - FIRST).days // 7 + 1) <= 6 else LATER,
}  # fmt: skip


@pytest.mark.parametrize("names", list(LABELS))
def test_counts_of_marks_equal_a_count_one_after_the_other(names):
    marks = make_marks([9992001, 9994001], pupils=12)
    assert ours(mark_cells(MarkTable(marks), names), names) == oracle(marks, LABELS[names])


def test_spells_are_all_sessions_missed_and_each_in_its_own_length():
    def marks_of(pupil, pattern):
        days = [FIRST + timedelta(7 * (at // 10) + at % 10 // 2) for at in range(len(pattern))]
        sessions = ["AM" if at % 2 == 0 else "PM" for at in range(len(pattern))]
        return [
            (pupil, 9992001, pd.Timestamp(day), part, mark)
            for day, part, mark in zip(days, sessions, pattern, strict=True)
        ]

    rows = [
        *marks_of(1, "II" + "/\\" + "I\\" + "/\\" * 7),  # a day and half a day
        *marks_of(2, "/\\" + "OO" * 5 + "/\\" * 4),  # a week, over a weekend: ten sessions
        *marks_of(3, "OO" * 5 + "O\\" + "/\\" * 4),  # eleven sessions
        *marks_of(4, "/\\" * 10),
    ]
    cells = spell_cells(MarkTable(pd.DataFrame(rows, columns=["upn", "laestab", "day", "session", "code"])))
    found = {
        row["spell"]: (
            row["sessions_authorised"], row["sessions_unauthorised"], row["spells"],
            row["enrolments"] - row["no_absence_enrolments"],
        )
        for _, row in cells.iterrows()
    }  # fmt: skip
    assert found == dict(zip([label for label, _ in SPELLS], [(3, 0, 2, 1), (0, 10, 1, 1), (0, 11, 1, 1)], strict=True))
    assert set(cells["sessions_possible"]) == {80}
    assert set(cells["enrolments"]) == {4}


def test_marks_cannot_be_counted_by_anything():
    with pytest.raises(ParameterError, match="'code'"):
        mark_cells(MarkTable(make_marks([9992001], pupils=1, weeks=1)), ("code",))


# -- the page -----------------------------------------------------------------------------------------


def open_page(store, friday):
    found = at.open_inputs(area="Irwell Bank", academic_year="2023/24", store=str(store))
    page = SchoolsDays(found)
    listed = found.store.schools().dropna(subset=["laestab", "phase"])
    here = listed[listed["laestab"].astype(int) // 10000 == 989]
    schools = [int(here.loc[here["phase"] == phase, "laestab"].iloc[0]) for phase in ("Primary", "Secondary")]
    page.__dict__["_marks"] = MarkTable(make_marks(schools, pupils=120, friday=friday, away=15))
    return page


@pytest.fixture(scope="module")
def page(synthetic_store):
    """Return a page of two schools whose pupils miss eight points more on Fridays."""
    return open_page(synthetic_store, 0.08)


def test_a_planted_day_is_found_and_no_other_is_named_above(page):
    for phase in ("Primary", "Secondary"):
        gaps = {row["weekday"]: row for row in page.day_gaps.select(phase=phase).rows.to_dict("records")}
        assert gaps["Friday"]["lower"] > 0
        assert gaps["Friday"]["rate"] == pytest.approx(0.08, abs=0.02)
        assert not any(gaps[name]["lower"] > 0 for name in WEEKDAYS[:4])
    sentences = page.days_sentences().sentences
    assert sentences[0].startswith("In primary schools overall absence differs clearly by day: on Fridays ")
    assert "clearly higher on Fridays" in page.weekday_figure().title


def test_without_a_difference_no_day_is_named(synthetic_store):
    even = open_page(synthetic_store, 0.0)
    assert even.days_sentences().sentences[:2] == (
        "In primary schools no day of the week is clearly different from the others.",
        "In secondary schools no day of the week is clearly different from the others.",
    )


def test_shares_of_spells_add_up_to_all_that_was_missed_or_are_hidden_together(page):
    shares = page.spell_shares.rows
    for _, part in shares.groupby("phase"):
        assert len(part) == len(SPELLS)
        assert part["rate"].sum() == pytest.approx(1) or (part["symbol"] != "").all()


def test_the_page_with_marks_passes_the_gate(page):
    tables = page.cleared_of(*page.declared())
    derived = page.derived()
    with page_mode():
        fresh = SchoolsDays(page.inputs, page._tables)
        names = ("days_notice", "days_sentences", "weekday_figure", "weekday_table", "spell_table", "week_table")
        made = [one for name in names if not isinstance(one := getattr(fresh, name)(), Result)]
        outputs = collect_outputs(notebook(code(*made), head=make_head()))
    assert len(made) >= 5
    words = ("Irwell Bank", "Aldermoor", "E90000001", "attendance@example.org", "Numbers below 10 are hidden.")
    evidence = evidence_for(tables, outputs, words=words, texts=MARKDOWN, derived=derived)
    assert [str(finding) for finding in check_page(outputs.html, evidence)] == []
