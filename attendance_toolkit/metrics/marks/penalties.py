"""Penalty-notice windows: pupils with ten unauthorised sessions within ten school weeks of their school."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd

from attendance_toolkit.metrics.marks._table import Given, MarkTable, day_number, day_of, ready
from attendance_toolkit.metrics.packing import Array
from attendance_toolkit.vocabulary.penalty_rules import PenaltyRule, penalty_rule

#: What the ordinal of an event is counted from.
BY_EVENTS, BY_NOTICES = "events", "notices given"


def penalty_windows(
    marks: Given,
    *,
    as_of: date | None = None,
    rule: PenaltyRule | None = None,
    sessions: int | None = None,
    weeks: int | None = None,
    notices: Mapping[int, Sequence[date]] | None = None,
) -> pd.DataFrame:
    """Return each time a pupil reached the threshold at a school.

    The threshold is met on the session that makes ten within the last ten school weeks, counting the week it is in. School
    weeks are those of the school with at least one session, counted over holidays, terms and years. A pupil who changes
    school is counted at each school apart. The sessions that met it do not count again; later ones do.

    Parameters
    ----------
    marks
        Rows of MARK_COLUMNS, or a ``MarkTable``; of several years where the window may begin in an earlier one.
    as_of
        Last day that counts; by default the last school day of any school.
    rule
        Threshold, codes and years; by default England's from 19 August 2024.
    sessions, weeks
        In place of those of the rule.
    notices
        Pseudonym -> days on which penalty notices were given. Without it earlier events of the pupil, at any school, are
        counted as if each had led to one.

    Returns
    -------
    A row an event, in the order of laestab, upn and day: upn, laestab; first_day, first_session (AM or PM; first session
    counted), last_day, last_session (on which the threshold was met); sessions (counted), a column for each code of the rule
    (how many of them are of it), ``not_yet_open`` and ``not_yet_overdue`` (sessions without a reason within the last five
    school days of the school, which may still be recoded, and older ones); unauthorised (all such sessions from the first
    one to the end of the ten school weeks that begin with it) and met_without_not_yet (whether those with a reason alone
    reach the threshold there); before (notices, or events, within three years before), ordinal (before + 1) and counted_by
    ("notices given" or "events").
    """
    table, law = ready(marks), rule or penalty_rule()
    many, span = sessions or law.sessions, weeks or law.school_weeks
    last = day_number(as_of or table.last_day)
    rows = _unauthorised(table, law, last)
    open_from = _open_from(table, law, last)
    found = []
    for first, end in _runs(rows["upn"], rows["laestab"], many):
        upn, laestab = int(rows["upn"][first]), int(rows["laestab"][first])
        # Lists: an event is of ten sessions, too few for an array to be worth it.
        week, slot, code = (rows[name][first:end].tolist() for name in ("week", "slot", "code"))
        for start, stop in _events(week, many, span):
            counted = _counted(law, slot[start:stop], code[start:stop], 2 * open_from[laestab])
            inside = code[start : bisect_left(week, week[start] + span)]
            reasons = len(inside) - inside.count(law.codes.index(law.not_yet))
            found.append((upn, laestab, *counted, len(inside), reasons >= many))
    columns = ["upn", "laestab", "first_day", "first_session", "last_day", "last_session", "sessions", *law.codes,
               "not_yet_open", "not_yet_overdue", "unauthorised", "met_without_not_yet"]  # fmt: skip
    events = pd.DataFrame(found, columns=columns)
    return _with_ordinal(events, law.years, notices)


def _counted(law: PenaltyRule, slot: list[int], code: list[int], open_from: int) -> tuple[object, ...]:
    """Return when an event began and was met, its sessions by code, and those without a reason that are open and overdue."""
    not_yet = [when for when, which in zip(slot, code, strict=True) if which == law.codes.index(law.not_yet)]
    is_open = sum(when >= open_from for when in not_yet)
    by_code = (code.count(place) for place in range(len(law.codes)))
    return *_when(slot[0]), *_when(slot[-1]), len(code), *by_code, is_open, len(not_yet) - is_open


def _unauthorised(table: MarkTable, law: PenaltyRule, last: int) -> dict[str, Array]:
    """Return the sessions that count, by school, pupil and time, each with its school week."""
    places = [table.place_of(code) for code in law.codes]
    found = table.con.execute(
        """
        SELECT m.upn, m.laestab, m.slot, s.week_number AS week, list_position($places, m.code::INTEGER) - 1 AS code
        FROM mark m JOIN school_day s ON s.laestab = m.laestab AND s.day = m.slot // 2
        WHERE list_contains($places, m.code::INTEGER) AND s.day <= $last
        ORDER BY m.laestab, m.upn, m.slot
        """,
        {"places": places, "last": last},
    ).fetchnumpy()
    return {name: np.asarray(values) for name, values in found.items()}


def _open_from(table: MarkTable, law: PenaltyRule, last: int) -> dict[int, int]:
    """Return the first of each school's last few school days: a mark without a reason may be recoded since then."""
    return dict(
        table.con.execute(
            """
            SELECT laestab, min(day) FROM (
                SELECT *, row_number() OVER (PARTITION BY laestab ORDER BY day DESC) AS back FROM school_day WHERE day <= $last
            ) WHERE back <= $days GROUP BY laestab
            """,
            {"last": last, "days": law.recoded_within_days},
        ).fetchall()
    )


def _runs(upn: Array, laestab: Array, fewest: int) -> Iterator[tuple[int, int]]:
    """Yield first and end of the rows of each pupil at a school with enough of them."""
    if not len(upn):
        return
    starts = np.flatnonzero(np.r_[True, (upn[1:] != upn[:-1]) | (laestab[1:] != laestab[:-1])])
    ends = np.r_[starts[1:], len(upn)]
    enough = ends - starts >= fewest
    yield from zip(starts[enough].tolist(), ends[enough].tolist(), strict=True)


def _events(week: Sequence[int], sessions: int, weeks: int) -> Iterator[tuple[int, int]]:
    """Yield first and end of the sessions of each event of a pupil, given the school week of each session in their order.

    >>> list(_events([1] * 9 + [10, 11], 10, 10)), list(_events([1] * 9 + [11], 10, 10))
    ([(0, 10)], [])
    """
    start = 0
    for stop in range(sessions, len(week) + 1):
        first = stop - sessions
        if first >= start and week[stop - 1] - week[first] < weeks:
            yield first, stop
            start = stop


def _when(slot: int) -> tuple[date, str]:
    return day_of(slot // 2), "PM" if slot % 2 else "AM"


def _with_ordinal(events: pd.DataFrame, years: int, notices: Mapping[int, Sequence[date]] | None) -> pd.DataFrame:
    """Add how many notices, or events, the pupil had within some years before each event."""
    earlier: dict[int, Sequence[date]] = {}
    if notices is None:
        for upn, day in zip(events["upn"], events["last_day"], strict=True):
            earlier[upn] = [*earlier.get(upn, ()), day]
    else:
        earlier = dict(notices)
    before = [
        sum(_years_before(day, years) <= one < day for one in earlier.get(upn, ()))
        for upn, day in zip(events["upn"], events["last_day"], strict=True)
    ]
    events["before"] = np.array(before, dtype=np.int64)
    events["ordinal"] = events["before"] + 1
    events["counted_by"] = BY_EVENTS if notices is None else BY_NOTICES
    for name in ("first_day", "last_day"):
        events[name] = pd.to_datetime(events[name])
    return events


def _years_before(day: date, years: int) -> date:
    """Return the day some years before; 28 February for 29 February of a year that has none.

    >>> _years_before(date(2024, 2, 29), 3)
    datetime.date(2021, 2, 28)
    """
    return (pd.Timestamp(day) - pd.DateOffset(years=years)).date()
