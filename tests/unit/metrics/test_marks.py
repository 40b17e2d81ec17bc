"""Casework from marks: against a plain Python oracle on random registers, and planted cases at every limit."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta
from fractions import Fraction
from functools import cache

import duckdb
import pandas as pd
import pytest

from attendance_toolkit.errors import ParameterError, UnknownColumnError, VocabularyError
from attendance_toolkit.metrics.marks import (
    INSUFFICIENT,
    MarkTable,
    graduated_response,
    last_school_weeks,
    movement,
    patterns,
    penalty_windows,
    school_days,
    spells,
    weekday_counts,
)
from attendance_toolkit.vocabulary.rule_schemes import parse_scheme, rule_scheme
from tests.unit.metrics import marks_oracle as oracle

SCHEME = rule_scheme("graduated_response")
SCHOOL = 3362001


def frame(marks) -> pd.DataFrame:
    rows = pd.DataFrame(marks, columns=["upn", "laestab", "day", "session", "code"])
    rows["day"] = pd.to_datetime(rows["day"])
    return rows


def weekdays(first: date, weeks: int, holidays=()) -> list[date]:
    days = [first + timedelta(days=7 * week + day) for week in range(weeks) for day in range(5)]
    return [day for day in days if day - timedelta(days=day.weekday()) not in holidays]


def random_register(seed: int):
    """Return a small register over a year's end, with holidays, movers, closures and days some pupils have no mark."""
    chance = random.Random(seed)
    holidays = {date(2023, 10, 23), date(2023, 12, 25), date(2024, 1, 1), date(2024, 2, 12), date(2024, 4, 1)}
    holidays |= {date(2024, 7, 22) + timedelta(days=7 * week) for week in range(6)}
    days = weekdays(date(2023, 9, 4), 56, holidays)
    marks = []
    for upn in range(1, 13):
        rate = chance.choice([0.0, 0.03, 0.1, 0.3])
        school, mover = chance.choice([SCHOOL, SCHOOL + 1]), chance.random() < 0.3
        moves_on = chance.choice(days) if mover else date.max
        absence = "I"
        for day in days:
            here = school if day < moves_on else SCHOOL + 2
            if (here, day) in CLOSED:
                marks += [(upn, here, day, session, "#") for session in ("AM", "PM")]
                continue
            for session, present in (("AM", "/"), ("PM", "\\")):
                draw = chance.random()
                if draw < 0.03:
                    continue
                code = present if draw > rate + 0.03 else absence
                if draw > 0.96:
                    code = chance.choice(["D", "Y4" if day >= date(2024, 8, 19) else "Y", "L", "B", "X"])
                if code == absence and chance.random() < 0.4:
                    absence = chance.choice(["I", "O", "G", "U", "N", "M"])
                marks.append((upn, here, day, session, code))
    chance.shuffle(marks)
    return marks


CLOSED = {(SCHOOL, date(2023, 11, 6)), (SCHOOL + 1, date(2024, 9, 2))}
REGISTERS = {seed: random_register(seed) for seed in range(4)}


@cache
def table_of(seed: int) -> MarkTable:
    return MarkTable(frame(REGISTERS[seed]))


@pytest.mark.parametrize("seed", REGISTERS)
@pytest.mark.parametrize("as_of", [None, date(2024, 1, 17), date(2024, 9, 6), date(2023, 9, 8)])
def test_levels_and_leave_are_those_of_the_oracle(seed, as_of):
    marks = REGISTERS[seed]
    found = graduated_response(table_of(seed), SCHEME, as_of=as_of)
    names = ["possible", "attended", "authorised", "unauthorised", "leave_refused", "level"]
    ours = {(row.laestab, row.upn): tuple(getattr(row, name) for name in names) for row in found.itertuples()}
    expected = oracle.response(marks, as_of)
    assert ours == expected
    assert list(ours) == sorted(ours)
    leave = oracle.recent_leave(marks, as_of)
    assert {(r.laestab, r.upn): (r.leave_recent, r.leave_in_a_row) for r in found.itertuples()} == {
        key: leave[key] for key in ours
    }
    assert list(found["is_leave"]) == [row.leave_recent >= 10 for row in found.itertuples()]
    for row in found.itertuples():
        rate = Fraction(row.attended, row.possible) if row.possible else None
        assert row.is_persistent == (rate is not None and rate <= Fraction(9, 10))
        assert row.is_at_end == (rate in (Fraction(9, 10), Fraction(8, 10)))


@pytest.mark.parametrize("seed", REGISTERS)
@pytest.mark.parametrize("since", [None, date(2024, 5, 3)])
def test_moves_add_up_to_all_pupils(seed, since):
    marks = REGISTERS[seed]
    made = movement(table_of(seed), SCHEME, since=since)
    now = {key: row[-1] for key, row in oracle.response(marks).items() if row[0]}
    before = oracle.response(marks, since, skip=0 if since else 20)
    before = {key: row[-1] for key, row in before.items() if row[0]}
    assert made.counts()["pupils"].sum() == len(now.keys() | before.keys()) == len(made.pupils)
    moved = {(row.laestab, row.upn): row.moved for row in made.pupils.itertuples()}
    for key in now.keys() | before.keys():
        old, new = before.get(key), now.get(key)
        if old is None or new is None:
            expected = "new" if old is None else "left"
        elif -1 in (old, new):
            expected = {(True, True): "too few sessions both times", (True, False): "too few sessions before",
                        (False, True): "too few sessions now"}[old == -1, new == -1]  # fmt: skip
        else:
            expected = "same" if old == new else ("up" if new > old else "down")
        assert moved[key] == expected


@pytest.mark.parametrize("seed", REGISTERS)
def test_penalty_windows_are_those_of_the_oracle(seed):
    marks, last = REGISTERS[seed], date(2024, 9, 27)
    found = penalty_windows(table_of(seed), as_of=last)
    ours = [
        (
            row.laestab, row.upn, row.first_day.date(), row.first_session, row.last_day.date(), row.last_session,
            tuple(sorted("G" * row.G + "N" * row.N + "O" * row.O + "U" * row.U)),
        )
        for row in found.itertuples()
    ]  # fmt: skip
    expected = oracle.events(marks, last)
    assert ours == expected
    assert list(found["before"]) == oracle.earlier_events(expected)
    assert (found["not_yet_open"] + found["not_yet_overdue"] == found["N"]).all()
    assert (found["unauthorised"] >= found["sessions"]).all()


def test_the_random_registers_have_events_and_moves():
    assert sum(len(oracle.events(marks, date(2024, 9, 27))) for marks in REGISTERS.values()) > 20
    assert {level for marks in REGISTERS.values() for *_, level in oracle.response(marks).values()} >= {-1, 1, 2, 3}


@pytest.mark.parametrize("seed", REGISTERS)
def test_spells_are_those_of_the_oracle(seed):
    marks = REGISTERS[seed]
    found = spells(table_of(seed))
    ours = [
        (
            row.laestab, row.upn, (row.first_day.date(), row.first_session), (row.last_day.date(), row.last_session),
            row.sessions, row.authorised, row.days, row.ended == "still absent",
        )
        for row in found.itertuples()
    ]  # fmt: skip
    assert ours == oracle.spells(marks)
    assert (found["authorised"] + found["unauthorised"] == found["sessions"]).all()
    for row in found.itertuples():
        parts = [part.split(" ") for part in row.codes.split(", ")]
        assert sum(int(many) for _, many in parts) == row.sessions
        weeks = {(day - timedelta(days=day.weekday())) for day in (row.first_day.date(), row.last_day.date())}
        assert row.is_over_weekend == (len(weeks) == 2)


@pytest.mark.parametrize("seed", REGISTERS)
def test_weekdays_and_patterns_are_those_of_the_oracle(seed):
    marks = REGISTERS[seed]
    counts: dict[tuple, list[int]] = {}
    for upn, school, day, session, code in marks:
        what = oracle.kind(code, day)
        if what != "none":
            at = counts.setdefault((school, upn, day.weekday(), session), [0, 0])
            at[0] += 1
            at[1] += what in ("authorised", "unauthorised")
    table = table_of(seed)
    found = weekday_counts(table, ["laestab", "upn"])
    assert {(r.laestab, r.upn, r.weekday, r.session): [r.possible, r.missed] for r in found.itertuples()} == counts
    assert weekday_counts(table, [])["missed"].sum() == sum(missed for _, missed in counts.values())
    runs = oracle.spells(marks)
    codes = Counter((school, upn, code) for upn, school, _, _, code in marks)
    for row in patterns(table).itertuples():
        own = [run for run in runs if run[:2] == (row.laestab, row.upn)]
        assert (row.spells, row.longest) == (len(own), max((run[4] for run in own), default=0))
        assert row.single_days == pytest.approx(sum(r[6] == 1 for r in own) / len(own)) if own else row.spells == 0
        assert (row.late, row.late_after) == (codes[row.laestab, row.upn, "L"], codes[row.laestab, row.upn, "U"])
        assert row.arranged == codes[row.laestab, row.upn, "B"]
        days = {}
        for (school, upn, weekday, _), (possible, missed) in counts.items():
            if (school, upn) == (row.laestab, row.upn):
                old = days.get(weekday, (0, 0))
                days[weekday] = old[0] + possible, old[1] + missed
        most = max(days, key=lambda d: (Fraction(days[d][1], days[d][0]), -d))
        if row.missed:
            assert (row.weekday, row.weekday_possible, row.weekday_missed) == (most, *days[most])
        else:
            assert row.weekday == -1


# --- planted cases --------------------------------------------------------------------------------------------


def of_pupil(upn: int, days: list[date], missed: dict[int, str], school: int = SCHOOL):
    """Return the marks of a pupil present but on some sessions, by their number from the first."""
    slots = [(day, session) for day in days for session in ("AM", "PM")]
    return [(upn, school, *slot, missed.get(number, "/")) for number, slot in enumerate(slots)]


@pytest.mark.parametrize(
    ("missed", "level"),
    [(0, "Universal"), (1, "Level 1"), (2, "Level 1"), (4, "Level 1"), (5, "Level 2"), (8, "Level 2"), (9, "Level 3"),
     (16, "Level 3"), (20, "Level 3"), (40, "Level 3")],
)  # fmt: skip
def test_levels_at_exactly_100_95_90_80_60_50_percent(missed, level):
    # 40 sessions: one is 2.5 points, so that 2 missed are exactly 95%, 4 are 90%, 8 are 80%, 16 are 60%, 20 are 50%.
    marks = of_pupil(7, weekdays(date(2024, 2, 26), 4), dict.fromkeys(range(missed), "I"))
    (row,) = graduated_response(frame(marks), SCHEME).itertuples()
    assert (row.possible, SCHEME.levels[row.level].name) == (40, level)
    assert row.is_persistent == (missed >= 4)
    assert row.is_at_end == (missed in (4, 8))


@pytest.mark.parametrize(("sessions", "has_level"), [(19, False), (20, True)])
def test_fewer_than_20_possible_sessions_have_no_level(sessions, has_level):
    days = weekdays(date(2024, 2, 26), 4)
    marks = of_pupil(1, days, {}) + of_pupil(2, days, {})[-sessions:]
    found = graduated_response(frame(marks), SCHEME).set_index("upn")
    assert (found.loc[2, "level"] != INSUFFICIENT) == has_level
    assert found.loc[2, "possible"] == sessions


def test_who_has_no_possible_session_is_apart():
    days = weekdays(date(2024, 2, 26), 4)
    marks = of_pupil(1, days, {}) + of_pupil(2, days, dict.fromkeys(range(40), "D"))
    found = graduated_response(frame(marks), SCHEME).set_index("upn")
    assert (found.loc[2, "possible"], found.loc[2, "level"]) == (0, INSUFFICIENT)


def test_closures_are_no_school_days_and_weeks_go_on_over_a_holiday():
    holiday = date(2024, 2, 12)
    days = weekdays(date(2024, 1, 29), 5, {holiday})
    marks = [mark for mark in of_pupil(1, days, {}) if mark[2] != date(2024, 2, 5)]
    marks += [(1, SCHOOL, date(2024, 2, 5), session, "#") for session in ("AM", "PM")]
    found = school_days(frame(marks)).df()
    assert len(found) == 19
    assert date(2024, 2, 5) not in set(found["day"].dt.date)
    assert list(found.drop_duplicates("school_week")["monday"].dt.date) == [
        date(2024, 1, 29), date(2024, 2, 5), date(2024, 2, 19), date(2024, 2, 26),
    ]  # fmt: skip
    assert list(found["school_week"].unique()) == [1, 2, 3, 4]


def test_the_window_by_school_days_reaches_over_a_holiday_and_by_the_calendar_not():
    days = weekdays(date(2024, 1, 8), 8, {date(2024, 2, 12)})
    marks = frame(of_pupil(1, days, {}))
    by_days, by_weeks = (
        last_school_weeks(marks, as_of=date(2024, 3, 1), window=window).fetchall()[0]
        for window in ("school days", "calendar weeks")
    )
    assert by_days == (SCHOOL, date(2024, 1, 29), date(2024, 3, 1), 20)
    assert by_weeks == (SCHOOL, date(2024, 2, 3), date(2024, 3, 1), 15)


@pytest.mark.parametrize(("sessions", "events"), [(9, 0), (10, 1), (19, 1), (20, 2)])
def test_nine_sessions_are_no_event_ten_are_and_are_not_counted_again(sessions, events):
    days = weekdays(date(2024, 1, 8), 6, {date(2024, 2, 12)})
    marks = of_pupil(1, days, dict.fromkeys(range(sessions), "O"))
    found = penalty_windows(frame(marks))
    assert len(found) == events
    assert list(found["ordinal"]) == list(range(1, events + 1))


@pytest.mark.parametrize(("week", "is_met"), [(10, True), (11, False)])
@pytest.mark.parametrize("first", [date(2024, 1, 8), date(2024, 5, 13)])
def test_the_tenth_school_week_counts_and_the_eleventh_does_not(first, week, is_met):
    # A week of holiday between, and once the summer and the end of the year: neither is a school week.
    holidays = {date(2024, 2, 12), date(2024, 5, 27)} | {date(2024, 7, 22) + timedelta(days=7 * n) for n in range(6)}
    days = weekdays(first, 30, holidays)
    marks = of_pupil(1, days, {**dict.fromkeys(range(9), "G"), 10 * (week - 1) + 9: "U"})
    found = penalty_windows(frame(marks))
    assert len(found) == is_met
    if is_met:
        (row,) = found.itertuples()
        assert (row.G, row.U, row.first_day.date(), row.last_session) == (9, 1, first, "PM")
        if first.month == 5:
            assert row.last_day.date() == date(2024, 9, 6)


def test_a_week_without_marks_of_the_pupil_is_still_a_school_week():
    days = weekdays(date(2024, 1, 8), 14)
    others = of_pupil(2, days, {})
    own = of_pupil(1, days[:5], dict.fromkeys(range(9), "O")) + of_pupil(1, days[50:55], {0: "O"})
    assert penalty_windows(frame(own + others)).empty
    # Alone at the school, the weeks between have no session and are none.
    assert len(penalty_windows(frame(own))) == 1


def test_each_school_is_counted_apart():
    days = weekdays(date(2024, 1, 8), 2)
    marks = of_pupil(1, days[:5], dict.fromkeys(range(6), "O")) + of_pupil(
        1, days[5:], dict.fromkeys(range(6), "O"), 9999999
    )
    assert penalty_windows(frame(marks)).empty


def test_reasons_not_yet_established_are_told_apart():
    days = weekdays(date(2024, 1, 8), 4)
    # Four N early, one N in the last school week; 11 unauthorised sessions, 6 of them with a reason.
    missed = {**dict.fromkeys(range(4), "N"), **dict.fromkeys(range(4, 9), "O"), 35: "N", 39: "G"}
    (row,) = penalty_windows(frame(of_pupil(1, days, missed))).itertuples()
    assert (row.sessions, row.N, row.not_yet_open, row.not_yet_overdue) == (10, 5, 1, 4)
    assert (row.unauthorised, row.met_without_not_yet) == (11, False)
    more = {**missed, **dict.fromkeys(range(20, 25), "O")}
    assert penalty_windows(frame(of_pupil(1, days, more)))["met_without_not_yet"].iloc[0]


@pytest.mark.parametrize(
    ("given", "ordinal"),
    [((), 1), ((date(2021, 1, 12),), 2), ((date(2021, 1, 11),), 1), ((date(2022, 3, 1), date(2023, 3, 1)), 3)],
)
def test_notices_of_three_years_are_counted(given, ordinal):
    # The threshold is met on 12 January 2024: a notice of that day three years ago counts, the day before does not.
    marks = frame(of_pupil(1, weekdays(date(2024, 1, 8), 2), dict.fromkeys(range(10), "O")))
    (row,) = penalty_windows(marks, notices={1: list(given)}).itertuples()
    assert (row.last_day.date(), row.ordinal, row.counted_by) == (date(2024, 1, 12), ordinal, "notices given")


def test_refused_leave_in_the_window_and_in_ten_weeks():
    days = weekdays(date(2024, 1, 8), 12, {date(2024, 2, 12)})
    # Ten sessions before the last four weeks, a not possible session between; and the same a session shorter.
    long = of_pupil(1, days, {**dict.fromkeys(range(50, 61), "G"), 55: "D"})
    short = of_pupil(2, days, {**dict.fromkeys(range(50, 60), "G"), 55: "I"})
    found = graduated_response(frame(long + short), SCHEME).set_index("upn")
    assert found.loc[1, ["leave_refused", "leave_recent", "leave_in_a_row", "is_leave"]].tolist() == [0, 10, 10, True]
    assert found.loc[2, ["leave_refused", "leave_recent", "leave_in_a_row", "is_leave"]].tolist() == [0, 9, 5, False]


def test_a_spell_runs_over_a_weekend_a_holiday_and_sessions_not_possible():
    days = weekdays(date(2024, 2, 5), 3, {date(2024, 2, 12)})
    marks = of_pupil(1, days, {8: "I", 9: "D", 10: "O", 11: "O"})
    (row,) = spells(frame(marks)).itertuples()
    assert (row.sessions, row.authorised, row.unauthorised, row.days) == (3, 1, 2, 2)
    assert (row.codes, row.reason, row.is_over_weekend, row.ended) == ("O 2, I 1", "unauth_other", True, "returned")
    assert (row.first_day.date(), row.last_day.date()) == (date(2024, 2, 9), date(2024, 2, 19))


def test_a_scheme_of_absence_gives_the_same_levels():
    scheme = parse_scheme(
        "kind: rule scheme\nname: own\nunit: percent\nquantity: absence\ndirection: lower is better\nlevels:\n"
        "- {name: Universal, rank: 0, from: 0, to: 0}\n- {name: Level 1, rank: 1, from: 0, to: 10, includes: to}\n"
        "- {name: Level 2, rank: 2, from: 10, to: 20, includes: to}\n- {name: Level 3, rank: 3, from: 20, includes: neither}\n"
    )
    marks = frame(REGISTERS[1])
    assert list(graduated_response(marks, scheme)["level"]) == list(graduated_response(marks, SCHEME)["level"])


def test_a_relation_and_a_frame_in_any_order_give_the_same():
    rows = frame(REGISTERS[2])
    again = duckdb.connect()
    again.register("rows", rows.sample(frac=1, random_state=1))
    relation = again.sql("SELECT upn, laestab::INTEGER AS laestab, day::DATE AS day, session, code FROM rows")
    for function in (penalty_windows, spells, patterns, lambda marks: graduated_response(marks, SCHEME)):
        pd.testing.assert_frame_equal(function(rows), function(relation))


def test_no_marks_give_no_rows():
    none = frame([])
    none = none.astype({"upn": "int64", "laestab": "int64", "session": "str", "code": "str"})
    assert graduated_response(none, SCHEME).empty
    assert spells(none).empty
    assert patterns(none).empty
    assert school_days(none).fetchall() == []


def test_what_cannot_be_used_is_said():
    marks = frame(of_pupil(1, weekdays(date(2024, 1, 8), 1), {}))
    with pytest.raises(UnknownColumnError, match="'code'"):
        graduated_response(marks.drop(columns="code"), SCHEME)
    with pytest.raises(VocabularyError, match="'Y7' was no register code on 2024-01-08"):
        graduated_response(marks.assign(code="Y7"), SCHEME)
    with pytest.raises(VocabularyError, match="'EV'"):
        graduated_response(marks.assign(session="EV"), SCHEME)
    with pytest.raises(ParameterError, match="'weeks' is not a window"):
        graduated_response(marks, SCHEME, window="weeks")
    with pytest.raises(ParameterError, match="is not before 2024-01-12"):
        movement(marks, SCHEME, since=date(2024, 1, 12))
    with pytest.raises(ParameterError, match="'sex'"):
        weekday_counts(marks, ["sex"])
