"""Schools before and after a round of meetings: terms, years and schools held against each other, by plain counting."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.metrics.before_after import (
    ENOUGH_IN_TERM,
    meeting_rounds,
    school_changes,
    school_terms,
    term_of,
)
from attendance_toolkit.store import Store

YEARS = (202122, 202223, 202324)


def meetings(*rows):
    return pd.DataFrame(rows, columns=["laestab", "day"])


@pytest.fixture(scope="module")
def terms():
    """Twelve schools in three years; the share missed tells school, year and term apart."""
    rows = []
    for year in YEARS:
        for place, term in enumerate(("autumn", "spring", "summer")):
            for school in range(12):
                missed = 100 + 10 * school + 3 * place + (year % 100)
                rows.append((year, "Primary", 9812000 + school, term, 200, 10_000, missed))
    names = ["academic_year", "phase", "laestab", "term", "enrolments", "possible", "missed"]
    return pd.DataFrame(rows, columns=names)


def share(terms, laestab, places):
    rows = [r for r in terms.itertuples() if r.laestab == laestab and (r.academic_year, r.term) in places]
    return 1 - sum(r.missed for r in rows) / sum(r.possible for r in rows)


@pytest.mark.parametrize(
    ("day", "before", "after"),
    [
        (date(2024, 1, 17), (202324, "autumn"), [(202324, "summer")]),
        (date(2023, 10, 2), (202223, "summer"), [(202324, "spring"), (202324, "summer")]),
        (date(2024, 5, 1), (202324, "spring"), [(202425, "autumn")]),
    ],
)
def test_the_term_of_the_meeting_belongs_to_neither_side(day, before, after):
    (found,) = meeting_rounds(meetings((9812000, day)))
    assert (found.before, list(found.after)) == (before, after)


def test_terms_have_the_limits_of_the_school_census():
    """Easter Sunday of 2024 was 31 March."""
    days = (date(2023, 12, 31), date(2024, 1, 1), date(2024, 3, 31), date(2024, 4, 1), date(2024, 7, 31))
    assert [term_of(day) for day in days] == ["autumn", "spring", "spring", "summer", "summer"]


def test_rates_are_those_of_plain_sums_and_earlier_years_stand_in_the_same_terms(terms):
    met = meetings((9812003, date(2024, 1, 17)), (9812004, date(2024, 1, 20)), (9812003, date(2024, 2, 1)))
    found = school_changes(terms, met, meeting_rounds(met)[0])
    assert (found.met, found.found, found.is_met.sum()) == (2, 2, 2)
    assert found.round.schools[9812003] == date(2024, 1, 17)
    for place, (laestab, year) in enumerate(zip(found.laestab, found.academic_year, strict=True)):
        assert found.before[place] == pytest.approx(share(terms, laestab, {(year, "autumn")}))
        assert found.after[place] == pytest.approx(share(terms, laestab, {(year, "summer")}))
        was = {(year - 101, name) for name in ("autumn", "spring", "summer")}
        if year == YEARS[0]:
            assert np.isnan(found.earlier[place])
        else:
            assert found.earlier[place] == pytest.approx(share(terms, laestab, was))
    assert sorted(zip(found.academic_year, found.laestab, strict=True)) == sorted(
        (year, 9812000 + school) for year in YEARS for school in range(12)
    )


def test_schools_met_in_the_terms_between_are_no_comparison(terms):
    now = [(9812003, date(2024, 1, 17))]
    beside = [(9812005, date(2023, 11, 6)), (9812006, date(2024, 5, 7)), (9812007, date(2022, 6, 1))]
    met = meetings(*now, *beside)
    spring = next(one for one in meeting_rounds(met) if one.term == "spring")
    found = school_changes(terms, met, spring)
    held = {year: set(found.laestab[(found.academic_year == year) & ~found.is_met] - 9812000) for year in YEARS}
    everybody = set(range(12))
    assert held == {202324: everybody - {3, 5, 6}, 202223: everybody, 202122: everybody - {7}}


def test_a_school_needs_enough_sessions_in_every_term(terms):
    few = (terms["laestab"] == 9812001) & (terms["term"] == "summer") & (terms["academic_year"] == 202324)
    thin = terms.assign(possible=terms["possible"].where(~few, ENOUGH_IN_TERM - 1))
    met = meetings((9812001, date(2024, 1, 17)), (9812002, date(2024, 1, 17)))
    found = school_changes(thin, met, meeting_rounds(met)[0])
    assert (found.met, found.found) == (2, 1)


def test_there_is_nothing_before_the_terms_after_are_there(terms):
    met = meetings((9812001, date(2024, 5, 1)))
    with pytest.raises(NoDataError, match="no school with sessions in the term before"):
        school_changes(terms, met, meeting_rounds(met)[0])
    closed = meetings((9812001, date(2021, 1, 20)))
    with pytest.raises(ParameterError, match="schools were closed"):
        school_changes(terms, closed, meeting_rounds(closed)[0])


def test_terms_of_a_store_are_those_of_plain_pandas(synthetic_store):
    store = Store.open(synthetic_store)
    found = school_terms(store.pupil_terms(academic_years=[202223]))
    rows = store.pupil_terms(academic_years=[202223]).df()
    rows = rows[rows["age"].between(5, 15) & ~rows["is_boarder"] & (rows["sessions_possible"] > 0)]
    rows = rows[~((rows["half_term"] == "6") & (rows["age"] == 15)) & (rows["term"] == "autumn")]
    missed = rows["sessions_authorised"] + rows["sessions_unauthorised"]
    plain = (
        rows.assign(missed=missed)[missed <= rows["sessions_possible"]]
        .groupby("laestab")[["missed", "sessions_possible"]]
        .sum()
    )
    for one in found[(found["term"] == "autumn") & (found["enrolments"] > 20)].itertuples():
        assert (one.missed, one.possible) == tuple(plain.loc[one.laestab])
