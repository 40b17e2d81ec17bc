"""Single marks of registers added up to CELLS: by day of the week, session and school week, and by length of a spell."""

from __future__ import annotations

import pandas as pd

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.metrics.marks import AUTHORISED, COVID, UNAUTHORISED, WEEKDAYS, MarkTable, spells

#: Lengths of a spell of absence -> the most possible sessions it has; two a day, so that a week has ten.
SPELLS = (("A day or less", 2), ("More than a day, up to a week", 10), ("More than a week", None))
#: School weeks told one by one, and what the weeks after them are called.
FIRST_WEEKS, LATER = 6, "Later weeks"
_LABELS = {
    "weekday": f"[{', '.join(repr(name) for name in WEEKDAYS)}][(slot // 2 + 3) % 7 + 1]",
    "session": "CASE slot % 2 WHEN 0 THEN 'Morning' ELSE 'Afternoon' END",
    "school_week": f"CASE WHEN week_number > {FIRST_WEEKS} THEN '{LATER}' ELSE week_number::VARCHAR END",
}
_CELLS = """
    count(*) AS enrolments, sum(p)::BIGINT AS sessions_possible, sum(a)::BIGINT AS sessions_authorised,
    sum(u)::BIGINT AS sessions_unauthorised, sum(c)::BIGINT AS sessions_covid,
    count(*) FILTER (a + u = 0) AS no_absence_enrolments, sum(p * p)::BIGINT AS square_possible,
    sum((a + u) * (a + u))::BIGINT AS square_absent, sum((a + u) * p)::BIGINT AS cross_absent
"""


def mark_cells(marks: MarkTable, by: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return CELLS of marks by school: a pupil counts once a school and group, with the possible sessions of it.

    Parameters
    ----------
    by
        Of "weekday", "session" ("Morning", "Afternoon") and "school_week" ("1" to "6" of each school's own year, then
        "Later weeks").

    Returns
    -------
    ``laestab``, the columns of ``by``, enrolments, sessions and the sums of squares that intervals need. Pupils without a
    possible session in a group are not in it.

    Raises
    ------
    ParameterError
        Marks cannot be counted by a column.
    """
    if wrong := [name for name in by if name not in _LABELS]:
        raise ParameterError(f"Marks cannot be counted by '{wrong[0]}'. Use any of: {', '.join(_LABELS)}.")
    labels = "".join(f"{_LABELS[name]} AS {name}, " for name in by)
    names = "".join(f"{name}, " for name in by)
    return marks.con.sql(
        f"""
        WITH pupil AS (
            SELECT upn, m.laestab, {labels} count(*) AS p, count(*) FILTER (kind = {AUTHORISED}) AS a,
                   count(*) FILTER (kind = {UNAUTHORISED}) AS u, count(*) FILTER (kind = {COVID}) AS c
            FROM mark m JOIN school_day d ON d.laestab = m.laestab AND d.day = m.slot // 2 WHERE kind > 0 GROUP BY ALL
        )
        SELECT laestab, {names} {_CELLS} FROM pupil GROUP BY ALL ORDER BY laestab, {names} enrolments
        """  # noqa: S608 - labels and names are the toolkit's own
    ).df()


def spell_cells(marks: MarkTable) -> pd.DataFrame:
    """Return CELLS of the sessions missed in spells of each length, over all possible sessions of all pupils of a school.

    Returns
    -------
    ``laestab``, ``spell`` (a level of ``SPELLS``), the columns of ``mark_cells`` and ``spells``, how many there are. Added up
    over the lengths the sessions missed are all that were missed; possible sessions and enrolments stand at each length.
    """
    runs = spells(marks)
    limits = [float(most) if most is not None else float("inf") for _, most in SPELLS]
    runs["spell"] = pd.cut(runs["sessions"], [0, *limits], labels=[label for label, _ in SPELLS]).astype(str)
    keys = ["laestab", "upn", "spell"]
    pupils = runs.groupby(keys, as_index=False).agg(
        absent=("sessions", "sum"), authorised=("authorised", "sum"), spells=("sessions", "size")
    )
    possible = marks.con.sql("SELECT laestab, upn, count(*) AS possible FROM mark WHERE kind > 0 GROUP BY ALL").df()
    pupils = pupils.merge(possible, on=["laestab", "upn"])
    pupils["square_absent"] = pupils["absent"] ** 2
    pupils["cross_absent"] = pupils["absent"] * pupils["possible"]
    found = pupils.groupby(["laestab", "spell"], as_index=False).agg(
        sessions_authorised=("authorised", "sum"), absent=("absent", "sum"), square_absent=("square_absent", "sum"),
        cross_absent=("cross_absent", "sum"), contributors=("upn", "size"), spells=("spells", "sum"),
    )  # fmt: skip
    whole = mark_cells(marks)[["laestab", "enrolments", "sessions_possible", "sessions_covid", "square_possible"]]
    every = whole.merge(pd.DataFrame({"spell": [label for label, _ in SPELLS]}), how="cross")
    found = every.merge(found, how="left", on=["laestab", "spell"]).fillna(0)
    found["sessions_unauthorised"] = found["absent"] - found["sessions_authorised"]
    found["no_absence_enrolments"] = found["enrolments"] - found["contributors"]
    return found.drop(columns=["absent", "contributors"])
