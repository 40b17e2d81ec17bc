"""Schools that were met on a page: planted terms and meetings, hidden and refused figures, sentences."""

from __future__ import annotations

from datetime import date

import duckdb
import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.deepdives.schools_meetings import SchoolsMeetings
from attendance_toolkit.deepdives.schools_meetings_data import (
    AFTER,
    BEFORE,
    CHANGE,
    EFFECT,
    EXPECTED_CHANGE,
    NO_MEETINGS,
    OTHERS,
)
from attendance_toolkit.disclosure.policy import policy_for
from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.inputs import Inputs
from attendance_toolkit.models.before_after import school_effect
from attendance_toolkit.presentation.blocks import Figure, Findings, Notice, Result, Table
from attendance_toolkit.vocabulary.areas import find_area

TRAFFORD, YEAR, FIRST = "E08000009", 202324, 3582000
SCHOOLS, MET, POSSIBLE, PUPILS = 30, 6, 20_000, 200


class Store:
    """A store of which a page asks only for meetings and authorities."""

    manifest = {"is_synthetic": True}

    def __init__(self, meetings):
        self._meetings = meetings

    def la_codes(self):
        return [TRAFFORD]

    def academic_years(self):
        return [202122, 202223, YEAR]

    def meetings(self):
        return duckdb.connect().from_df(self._meetings)


def made_terms(planted=0.0):
    """Return CELLS of schools by term: the lowest of the autumn of 2023/24 are to be met."""
    rng = np.random.default_rng(4)
    usual = rng.normal(0.065, 0.01, SCHOOLS)
    rows = []
    for year in (202122, 202223, YEAR):
        autumn = usual + rng.normal(0, 0.006, SCHOOLS)
        is_met = np.isin(np.arange(SCHOOLS), np.argsort(-autumn)[:MET]) & (year == YEAR)
        rates = {"autumn": autumn, "spring": usual, "summer": usual + rng.normal(0, 0.006, SCHOOLS) - planted * is_met}
        for term, rate in rates.items():
            rows += [
                (TRAFFORD, year, "Primary", FIRST + school, term, PUPILS, POSSIBLE, round(share * POSSIBLE), 0)
                for school, share in enumerate(rate)
            ]
    names = ("area_code", "academic_year", "phase", "laestab", "term", "enrolments", "sessions_possible")
    return pd.DataFrame(rows, columns=[*names, "sessions_authorised", "sessions_unauthorised"])


def lowest(cells, count=MET):
    autumn = cells[(cells["academic_year"] == YEAR) & (cells["term"] == "autumn")]
    return autumn.nlargest(count, "sessions_authorised")["laestab"].tolist()


def met(schools, *, day=date(2024, 1, 17)):
    rows = [
        (laestab, YEAR, day, "in person" if place % 2 else "online", "Red") for place, laestab in enumerate(schools)
    ]
    return pd.DataFrame(rows, columns=["laestab", "academic_year", "day", "kind", "colour"])


def page_of(monkeypatch, cells, meetings):
    inputs = Inputs(find_area(TRAFFORD), YEAR, "partner", policy_for("partner"), Store(meetings), None)
    monkeypatch.setattr(Inputs, "local_cells", lambda *_args, **_options: cells)
    return SchoolsMeetings(inputs)


@pytest.fixture
def cells():
    return made_terms()


def figures(page, *names, **more):
    (one,) = page.rounds_shown
    return [page.meeting_figure_of(one, name, **more)["rate"] for name in names]


def test_figures_are_those_of_the_sessions_and_the_model(monkeypatch, cells):
    """Means by plain loops; what was expected by the model from rates worked out here."""
    page = page_of(monkeypatch, cells, met(lowest(cells)))
    rate = {
        (r.academic_year, r.laestab, r.term): 1 - r.sessions_authorised / r.sessions_possible
        for r in cells.itertuples()
    }
    chosen = set(lowest(cells))
    before = [rate[YEAR, laestab, "autumn"] for laestab in chosen]
    after = [rate[YEAR, laestab, "summer"] for laestab in chosen]
    change = sum(after) / MET - sum(before) / MET
    assert figures(page, BEFORE, AFTER, CHANGE) == pytest.approx(
        [round(sum(before) / MET, 3), round(sum(after) / MET, 3), round(change, 3)]
    )
    others = [key[1] for key in rate if key[0] == YEAR and key[2] == "autumn" and key[1] not in chosen]
    level = sum(rate[YEAR, laestab, "autumn"] for laestab in others) / len(others)
    assert figures(page, BEFORE, comparison=OTHERS) == pytest.approx([round(level, 3)])
    keys = sorted({(year, laestab) for year, laestab, _ in rate})
    earlier = [
        np.mean([rate[key[0] - 101, key[1], term] for term in ("autumn", "spring", "summer")])
        if key[0] > 202122 else np.nan for key in keys
    ]  # fmt: skip
    study = school_effect(
        [rate[*key, "autumn"] for key in keys], [rate[*key, "summer"] for key in keys],
        [key[0] == YEAR and key[1] in chosen for key in keys], phase=["Primary"] * len(keys),
        academic_year=[key[0] for key in keys], now=YEAR, earlier=earlier,
    )  # fmt: skip
    (one,) = page.rounds_shown
    for name, wanted in ((EXPECTED_CHANGE, study.expected_change), (EFFECT, study.effect)):
        record = page.meeting_figure_of(one, name)
        shown = [record["rate"], record["lower"], record["upper"]]
        assert shown == pytest.approx([round(end, 3) for end in (wanted.value, wanted.lower, wanted.upper)])


def test_the_bare_change_is_never_told_without_the_expected_one(monkeypatch, cells):
    page = page_of(monkeypatch, cells, met(lowest(cells)))
    found = page.meetings_sentences()
    assert isinstance(found, Findings)
    (sentence,) = [text for text in found.sentences if "bare change" in text]
    assert "were not met, a change of" in sentence
    assert "95% interval" in sentence
    assert any("The difference is not clear" in text for text in found.sentences)
    assert found.sentences[0] == (
        "6 schools of Trafford were met about attendance on 17 January 2024 (3 in person, 3 online)."
    )
    assert isinstance(page.meetings_table(), Table)
    figure = page.meetings_figure()
    assert isinstance(figure, Figure)
    assert figure.title.startswith("Attendance at schools met was not clearly different")


def test_a_planted_rise_is_found(monkeypatch):
    cells = made_terms(planted=0.02)
    page = page_of(monkeypatch, cells, met(lowest(cells)))
    (one,) = page.rounds_shown
    effect = page.meeting_figure_of(one, EFFECT)
    assert effect["lower"] < 0.02 < effect["upper"]
    assert effect["lower"] > 0
    assert any("was clearly higher than that" in text for text in page.meetings_sentences().sentences)


def test_two_schools_are_refused_without_a_number(monkeypatch, cells):
    page = page_of(monkeypatch, cells, met(lowest(cells, 2)))
    text = page.meetings_sentences().plain_text()
    assert "Too few of the schools that were met" in text
    assert "bare change" not in text
    (one,) = page.rounds_shown
    assert page.meeting_figure_of(one, CHANGE) is None
    assert isinstance(page.meetings_figure(), Result)


def test_a_figure_that_is_hidden_hides_the_sentences(monkeypatch, cells):
    page = page_of(monkeypatch, cells, met(lowest(cells)))
    exact = page.exact("school_meetings")
    hidden = exact.rows["measure"] == EXPECTED_CHANGE
    rows = exact.rows.assign(
        symbol=exact.rows["symbol"].mask(hidden, "c"), rate=exact.rows["rate"].mask(hidden),
        lower=exact.rows["lower"].mask(hidden), upper=exact.rows["upper"].mask(hidden),
    )  # fmt: skip

    class Hidden:
        def table(self, name):
            return ProtectedTable(rows, "Rule.", exact.source)

    shown = SchoolsMeetings(page.inputs, Hidden())
    text = shown.meetings_sentences().plain_text()
    assert "cannot be told: figures are hidden" in text
    assert "bare change" not in text


@pytest.mark.parametrize(
    ("meetings", "says"),
    [
        (met([]), NO_MEETINGS),
        (met([3011234]), "has none with a school of this area"),
        (met([FIRST, FIRST + 1], day=date(2024, 5, 7)), "the data have not both the term before"),
    ],
)
def test_what_is_missing_is_said(monkeypatch, cells, meetings, says):
    page = page_of(monkeypatch, cells, meetings)
    found = page.meetings_sentences()
    assert isinstance(found, Notice)
    assert says in found.text
    assert isinstance(page.meetings_table(), Result)
