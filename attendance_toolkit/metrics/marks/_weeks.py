"""School days and school weeks, and which of them a rule looks at."""

from __future__ import annotations

from datetime import date

import duckdb

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.metrics.marks._table import Given, MarkTable, day_number, ready

#: What four school weeks are: a school's last school days, or days of the calendar.
SCHOOL_DAYS, CALENDAR_WEEKS = "school days", "calendar weeks"
WINDOWS = (SCHOOL_DAYS, CALENDAR_WEEKS)
#: School days of a full week.
DAYS_A_WEEK = 5
_NO_END = 10**6


def school_days(marks: Given) -> duckdb.DuckDBPyRelation:
    """Return the school days of each school: days on which it has marks of possible sessions.

    Planned closures (#) and cancelled sessions (Y4) of a whole school are none. A school week is a week, Monday to Sunday,
    with at least one school day.

    Returns
    -------
    A row a school and day, in their order: laestab, day (DATE), school_day and school_week (numbers from 1, which go on
    over holidays, terms and years), monday (DATE).
    """
    return ready(marks).con.sql(
        """
        SELECT laestab, DATE '1970-01-01' + day AS day, number AS school_day, week_number AS school_week,
               DATE '1970-01-01' + (week * 7 - 3) AS monday
        FROM school_day ORDER BY laestab, number
        """
    )


def last_school_weeks(
    marks: Given, *, as_of: date | None = None, school_days: int = 20, window: str = SCHOOL_DAYS
) -> duckdb.DuckDBPyRelation:
    """Return the last four school weeks of each school.

    Parameters
    ----------
    as_of
        Last day that counts; by default each school's own last day with marks.
    school_days
        How many school days make up the weeks: five a week.
    window
        "school days": the school's last such days, over holidays and terms. "calendar weeks": as many weeks of seven days,
        which a holiday cuts short.

    Returns
    -------
    A row a school: laestab, first_day, last_day (DATE) and school_days, how many there are in it.

    Raises
    ------
    ParameterError
        There is no such window.
    """
    table = ready(marks)
    make_windows(table, "window_asked", as_of=as_of, school_days=school_days, window=window)
    found = table.con.sql(
        "SELECT laestab, DATE '1970-01-01' + first AS first_day, DATE '1970-01-01' + last AS last_day, days AS school_days"
        " FROM window_asked ORDER BY laestab"
    )
    # Read now: the next call makes the table again.
    return table.con.from_arrow(found.to_arrow_table())


def make_windows(
    table: MarkTable, name: str, *, as_of: date | None, school_days: int, window: str = SCHOOL_DAYS, skip: int = 0
) -> None:
    """Make the table ``name`` (laestab, first, last, days) of the last school weeks up to a day.

    Parameters
    ----------
    skip
        School days at the end that are left out (as many calendar days as they take, in calendar weeks).
    """
    if window not in WINDOWS:
        raise ParameterError(f"'{window}' is not a window. Use one of: {', '.join(WINDOWS)}.")
    if school_days < 1:
        raise ParameterError(f"{school_days} school days are no window. Give 1 or more.")
    last = _NO_END if as_of is None else day_number(as_of)
    if window == SCHOOL_DAYS:
        table.con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE {name} AS
            SELECT laestab, min(day) AS first, max(day) AS last, count(*)::INTEGER AS days
            FROM (SELECT *, row_number() OVER (PARTITION BY laestab ORDER BY day DESC) AS back FROM school_day
                  WHERE day <= $last)
            WHERE back > $skip AND back <= $skip + $many GROUP BY laestab
            """,  # noqa: S608 - the name is the toolkit's own
            {"last": last, "skip": skip, "many": school_days},
        )
        return
    table.con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE {name} AS
        SELECT w.laestab, w.first, w.last, count(*)::INTEGER AS days
        FROM (SELECT laestab, end_day - $long + 1 AS first, end_day AS last
              FROM (SELECT laestab, (CASE WHEN $last = $none THEN max(day) ELSE $last END) - $skip AS end_day
                    FROM school_day GROUP BY laestab)) w
        JOIN school_day s ON s.laestab = w.laestab AND s.day BETWEEN w.first AND w.last
        GROUP BY ALL
        """,  # noqa: S608 - the name is the toolkit's own
        {"last": last, "none": _NO_END, "skip": calendar_days(skip), "long": calendar_days(school_days)},
    )


def calendar_days(school_days: int) -> int:
    """Return the days of the calendar that as many school days take without holidays.

    >>> calendar_days(20)
    28
    """
    return school_days * 7 // DAYS_A_WEEK
