"""Runs of absence, the days of the week they fall on, and what both say of a pupil."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.metrics.marks._table import AUTHORISED, UNAUTHORISED, Given, MarkTable, ready
from attendance_toolkit.metrics.packing import Array

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
#: Columns that counts by weekday can be grouped by.
GROUPS = ("upn", "laestab")
#: How a spell ends.
RETURNED, OPEN = "returned", "still absent"
_MISSED = f"kind IN ({AUTHORISED}, {UNAUTHORISED})"


def spells(marks: Given) -> pd.DataFrame:
    """Return each run of absence: possible sessions of a pupil at a school that were missed one after the other.

    Sessions that are not possible, and days without marks (weekends, holidays), do not end a run; an attended session does.

    Returns
    -------
    A row a run, in the order of laestab, upn and time: upn, laestab, first_day, first_session, last_day, last_session (AM
    or PM), sessions, authorised, unauthorised, days (school days of the pupil touched), reason (the outcome with the most
    sessions, such as "auth_illness"; the first by name of several), codes (as "I 8, O 2"), is_over_weekend (it has sessions
    of two weeks or more) and ended ("returned", or "still absent" where no later session was attended).
    """
    table = ready(marks)
    found = table.con.execute(
        "SELECT upn, laestab, slot, kind, code, reason FROM mark WHERE kind > 0 ORDER BY laestab, upn, slot"
    ).fetchnumpy()
    possible = {name: np.asarray(values) for name, values in found.items()}
    is_missed = possible["kind"] >= AUTHORISED
    is_new = np.ones(len(is_missed), bool)
    is_new[1:] = (possible["upn"][1:] != possible["upn"][:-1]) | (possible["laestab"][1:] != possible["laestab"][:-1])
    begins = is_missed.copy()
    begins[1:] &= is_new[1:] | ~is_missed[:-1]
    # The row after a run is of the same pupil only if it was attended.
    is_back = np.zeros(len(is_missed), bool)
    is_back[:-1] = ~is_new[1:]
    missed = {name: values[is_missed] for name, values in possible.items()}
    return _runs(table, missed, np.flatnonzero(begins[is_missed]), is_back[is_missed])


def _runs(table: MarkTable, missed: dict[str, Array], starts: Array, is_back: Array) -> pd.DataFrame:
    """Return a row a run of missed sessions, which are in their order; ``starts`` are the places of the first of each."""
    count = len(missed["slot"])
    ends = np.append(starts[1:], count)[: len(starts)]
    run = np.repeat(np.arange(len(starts)), ends - starts)
    first, last = missed["slot"][starts].astype(np.int64), missed["slot"][ends - 1].astype(np.int64)
    is_new_day = np.ones(count, bool)
    is_new_day[1:] = missed["slot"][1:] // 2 != missed["slot"][:-1] // 2
    is_new_day[starts] = True
    authorised = np.bincount(run, missed["kind"] == AUTHORISED, len(starts)).astype(np.int64)
    words = _words_of(table, run, missed)
    return pd.DataFrame(
        {
            "upn": missed["upn"][starts],
            "laestab": missed["laestab"][starts],
            "first_day": _days(first),
            "first_session": np.where(first % 2, "PM", "AM"),
            "last_day": _days(last),
            "last_session": np.where(last % 2, "PM", "AM"),
            "sessions": ends - starts,
            "authorised": authorised,
            "unauthorised": ends - starts - authorised,
            "days": np.bincount(run, is_new_day, len(starts)).astype(np.int64),
            "reason": words["reason"],
            "codes": words["codes"],
            "is_over_weekend": (first // 2 + 3) // 7 != (last // 2 + 3) // 7,
            "ended": np.where(is_back[ends - 1], RETURNED, OPEN),
        }
    )


def _words_of(table: MarkTable, run: Array, missed: dict[str, Array]) -> pd.DataFrame:
    """Return the main reason and the codes of each run, in the order of runs."""
    table.con.register("session", pa.table({"run": run, "code": missed["code"], "reason": missed["reason"]}))
    found = table.con.sql(
        """
        WITH parts AS (SELECT run, code, reason, count(*) AS many FROM session GROUP BY ALL),
        reasons AS (
            -- Places of reasons are in the order of their names, and there are fewer than a thousand.
            SELECT run, min_by(word, place - many * 1000) AS reason
            FROM (SELECT run, reason AS place, sum(many) AS many FROM parts GROUP BY ALL) JOIN reason_word USING (place)
            GROUP BY run
        )
        SELECT r.reason, c.codes FROM reasons r JOIN (
            SELECT p.run, string_agg(w.word || ' ' || p.many, ', ' ORDER BY p.many DESC, w.word) AS codes
            FROM parts p JOIN code_word w ON w.place = p.code GROUP BY p.run
        ) c USING (run) ORDER BY run
        """
    ).df()
    table.con.unregister("session")
    return found


def _days(slot: Array) -> Array:
    return np.asarray((slot // 2).astype("datetime64[D]").astype("datetime64[s]"))


def weekday_counts(marks: Given, by: Sequence[str] = ("laestab",)) -> pd.DataFrame:
    """Return possible and missed sessions by day of the week and session.

    Parameters
    ----------
    by
        Columns of GROUPS to count by as well; none for all marks together.

    Returns
    -------
    A row a group, weekday (0 is Monday) and session: the columns of ``by``, weekday, session (AM or PM), possible, missed,
    in that order. Days of the week without a possible session of a group are not there.

    Raises
    ------
    ParameterError
        Marks cannot be counted by a column.
    """
    if wrong := [name for name in by if name not in GROUPS]:
        raise ParameterError(f"Marks cannot be counted by '{wrong[0]}'. Use any of: {', '.join(GROUPS)}.")
    listed = "".join(f"{name}, " for name in by)
    return (
        ready(marks)
        .con.sql(
            f"""
        SELECT {listed}(slot // 2 + 3) % 7 AS weekday, CASE slot % 2 WHEN 0 THEN 'AM' ELSE 'PM' END AS session,
               count(*) AS possible, count(*) FILTER ({_MISSED}) AS missed
        FROM mark WHERE kind > 0 GROUP BY ALL ORDER BY {listed}weekday, session
        """  # noqa: S608 - columns are of GROUPS
        )
        .df()
    )


def patterns(marks: Given) -> pd.DataFrame:
    """Return what the marks say of each pupil's absence.

    Returns
    -------
    A row a pupil and school, in the order of laestab and upn: upn, laestab, possible, missed; weekday (0 is Monday; that of
    which the highest share was missed, the earliest of several; -1 where nothing was missed), weekday_missed,
    weekday_possible; spells, longest (sessions of the longest run), single_days (share of runs that lie within one day; nan
    without a run); late (code L), late_after (U), part_time (C2), arranged (K or B).
    """
    table = ready(marks)
    places = {name: [table.place_of(code) for code in codes]
              for name, codes in {"late": "L", "late_after": "U", "part_time": ["C2"], "arranged": "KB"}.items()}  # fmt: skip
    counted = ", ".join(f"count(*) FILTER (list_contains(${name}, code::INTEGER)) AS {name}" for name in places)
    rows = table.con.execute(
        f"""
        SELECT upn, laestab, count(*) FILTER (kind > 0) AS possible, count(*) FILTER ({_MISSED}) AS missed, {counted}
        FROM mark GROUP BY upn, laestab ORDER BY laestab, upn
        """,  # noqa: S608 - names are the toolkit's own
        places,
    ).df()
    keys = ["upn", "laestab"]
    days = weekday_counts(table, keys).groupby([*keys, "weekday"], as_index=False)[["possible", "missed"]].sum()
    days["share"] = days["missed"] / days["possible"]
    days = days[days["missed"] > 0].sort_values([*keys, "share", "weekday"], ascending=[True, True, False, True])
    days = days.drop_duplicates(keys).drop(columns="share")
    days = days.rename(columns={"possible": "weekday_possible", "missed": "weekday_missed"})
    runs = spells(table)
    runs["is_single"] = runs["days"] == 1
    found = runs.groupby(keys, as_index=False).agg(
        spells=("sessions", "size"), longest=("sessions", "max"), single_days=("is_single", "mean")
    )
    rows = rows.merge(days, how="left", on=keys).merge(found, how="left", on=keys)
    whole = {"weekday": -1, "weekday_missed": 0, "weekday_possible": 0, "spells": 0, "longest": 0}
    rows = rows.fillna(whole).astype(dict.fromkeys(whole, np.int64))
    order = [
        *keys,
        "possible",
        "missed",
        "weekday",
        "weekday_missed",
        "weekday_possible",
        "spells",
        "longest",
        "single_days",
    ]
    return rows[[*order, *places]]
