"""Casework from single marks once more, slowly and in plain Python: one pupil, one session at a time.

What a code counts as is written out here again from DfE's register codes, not read from the toolkit's table.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from fractions import Fraction

AUTHORISED = set("CEHIMRST") | {"C1", "C2", "J1"}
UNAUTHORISED = set("GNOU")
ATTENDED = set("/\\LVPWBKJ")
COVID = (date(2020, 9, 1), date(2022, 3, 31))
THREE_YEARS = 3


def kind(code: str, day: date) -> str:
    if code in AUTHORISED:
        return "authorised"
    if code in UNAUTHORISED:
        return "unauthorised"
    if code in ATTENDED:
        return "attended"
    if code == "X" and COVID[0] <= day <= COVID[1]:
        return "covid"
    return "none"


def school_days(marks):
    found = defaultdict(set)
    for _, school, day, _, code in marks:
        if kind(code, day) != "none":
            found[school].add(day)
    return {school: sorted(days) for school, days in found.items()}


def week_numbers(marks):
    """(school, Monday) -> number of the school week."""
    found = {}
    for school, days in school_days(marks).items():
        mondays = sorted({day - timedelta(days=day.weekday()) for day in days})
        found.update({(school, monday): number for number, monday in enumerate(mondays, 1)})
    return found


def by_pupil(marks):
    found = defaultdict(list)
    for upn, school, day, session, code in marks:
        found[school, upn].append((day, session, code))
    return {key: sorted(found[key]) for key in sorted(found)}


def level(rate: Fraction) -> int:
    if rate == 1:
        return 0
    if rate >= Fraction(9, 10):
        return 1
    return 2 if rate >= Fraction(8, 10) else 3


def response(marks, as_of=None, school_days_long=20, fewest=20, skip=0):
    """(school, upn) -> (possible, attended, authorised, unauthorised, refused leave, level)."""
    found = {}
    days_of = school_days(marks)
    for (school, upn), sessions in by_pupil(marks).items():
        days = [day for day in days_of.get(school, []) if as_of is None or day <= as_of]
        days = days[: len(days) - skip][-school_days_long:]
        if not days:
            continue
        inside = [(day, code) for day, _, code in sessions if days[0] <= day <= days[-1]]
        if not inside:
            continue
        kinds = [kind(code, day) for day, code in inside]
        possible = sum(one != "none" for one in kinds)
        missed = kinds.count("authorised"), kinds.count("unauthorised")
        attended = possible - sum(missed)
        found[school, upn] = (
            possible, attended, *missed, sum(code == "G" for _, code in inside),
            level(Fraction(attended, possible)) if possible >= fewest else -1,
        )  # fmt: skip
    return found


def recent_leave(marks, as_of=None, weeks=10):
    """(school, upn) -> refused leave in the last school weeks, and its longest run."""
    numbers, days_of, found = week_numbers(marks), school_days(marks), {}
    for (school, upn), sessions in by_pupil(marks).items():
        days = [day for day in days_of.get(school, []) if as_of is None or day <= as_of]
        if not days:
            continue
        newest = numbers[school, days[-1] - timedelta(days=days[-1].weekday())]
        total = run = longest = 0
        for day, _, code in sessions:
            monday = day - timedelta(days=day.weekday())
            if kind(code, day) == "none" or day > days[-1] or numbers[school, monday] <= newest - weeks:
                continue
            run = run + 1 if code == "G" else 0
            total += code == "G"
            longest = max(longest, run)
        found[school, upn] = total, longest
    return found


def events(marks, as_of, sessions_needed=10, weeks=10):
    """(school, upn, first day, first session, last day, last session, codes) of each event, oldest first."""
    numbers, found = week_numbers(marks), []
    for (school, upn), sessions in by_pupil(marks).items():
        waiting = []
        for day, session, code in sessions:
            if day > as_of or code not in UNAUTHORISED:
                continue
            now = numbers[school, day - timedelta(days=day.weekday())]
            waiting = [one for one in waiting if one[0] > now - weeks]
            waiting.append((now, day, session, code))
            if len(waiting) == sessions_needed:
                codes = tuple(sorted(one[3] for one in waiting))
                found.append((school, upn, *waiting[0][1:3], *waiting[-1][1:3], codes))
                waiting = []
    return found


def earlier_events(found):
    """How many events of the pupil, at any school, lie within three years before each."""

    def start(day):
        return (
            day.replace(year=day.year - THREE_YEARS) if (day.month, day.day) != (2, 29) else date(day.year - 3, 2, 28)
        )

    return [sum(other[1] == one[1] and start(one[4]) <= other[4] < one[4] for other in found) for one in found]


def spells(marks):
    """(school, upn, first, last, sessions, authorised, days, open) of each run of absence."""
    found = []
    for (school, upn), sessions in by_pupil(marks).items():
        run = []
        for day, session, code in sessions:
            what = kind(code, day)
            if what in ("authorised", "unauthorised"):
                run.append((day, session, what))
            elif what != "none" and run:
                found.append((school, upn, *_run(run), False))
                run = []
        if run:
            found.append((school, upn, *_run(run), True))
    return found


def _run(run):
    authorised = sum(one[2] == "authorised" for one in run)
    return run[0][:2], run[-1][:2], len(run), authorised, len({one[0] for one in run})
