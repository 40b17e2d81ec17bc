"""Resolve parts into PUPIL_TERM: which record of a pupil gives the characteristics of an academic year.

DfE's rule: characteristics come from the census of the absence term, from the first record available, and
are then held for the year. A census is taken in a term and carries an earlier term's sessions, so the
records of a year are those of its autumn, spring and summer censuses in that order, then the next autumn
census, which carries its summer term. Ethnicity (collected in spring only), first language and sex are
filled from any return of the pupil, the nearest later one first, when the year has none.
"""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

import duckdb

from attendance_toolkit.vocabulary.columns import PUPIL_TERM, REASON_COLUMNS

_HELD = ("sex", "fsm_eligible", "fsm6", "sen_provision", "ethnicity_major", "ethnicity_minor", "first_language")
_FILLED = ("sex", "ethnicity_major", "ethnicity_minor", "first_language")
_AGE_OF_YEAR_GROUP = "CASE WHEN y.nc_year = 'R' THEN 4 ELSE TRY_CAST(y.nc_year AS SMALLINT) + 4 END"
_SUMS = ("sessions_possible", "sessions_authorised", "sessions_unauthorised", "sessions_covid", *REASON_COLUMNS)


def resolve(
    con: duckdb.DuckDBPyConnection,
    academic_year: int,
    *,
    sessions: str,
    records: str,
    all_records: str,
    flags: str,
    schools: str,
    age_of_year_group: bool = False,
) -> str:
    """Return SQL for PUPIL_TERM rows of one authority and academic year.

    Parameters
    ----------
    con
        A connection that can see the tables or views named next; helping tables are made in it.
    academic_year
        The year of ``sessions``.
    sessions
        Sessions of the authority in the year, new spells and old rows alike.
    records
        Records of the censuses that can describe the year: its own and the next autumn's.
    all_records
        Records of every census, for what the year's do not say.
    flags
        Looked-after and social-worker flags.
    schools
        Phase and URN of each LAESTAB, for sessions of files that do not say them; null is not known.
    age_of_year_group
        Give a pupil of unknown age that of the year group: Year n is n + 4 on 31 August. Census returns have dates of
        birth and need no guess; registers and transfer files often have none, and DfE's rule asks for ages 5 to 15.
    """
    con.execute(f"CREATE OR REPLACE TEMP TABLE year_pupils AS SELECT DISTINCT upn FROM {sessions}")
    held = ", ".join(f"arg_min({c}, place) AS {c}" for c in _HELD)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE year_records AS
        SELECT upn, arg_min(nc_year, place) AS nc_year, {held}
        FROM (
            SELECT upn, place, {", ".join(_HELD)},
                   -- The next autumn's census closes the year; by then pupils are a year group further on.
                   CASE WHEN academic_year = {academic_year} THEN nc_year ELSE nc_year_before END AS nc_year
            FROM {records} SEMI JOIN year_pupils USING (upn)
        )
        GROUP BY 1
        """
    )
    # Filling is needed only for pupils with a gap in the year: usually a small part.
    missing = " OR ".join(f"{c} IS NULL" for c in _FILLED)
    filled = ", ".join(
        f"coalesce(arg_min(r.{c}, r.place) FILTER (r.academic_year > {academic_year}), arg_max(r.{c}, r.place)) AS {c}"
        for c in _FILLED
    )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE year_gaps AS
        SELECT upn, {filled}
        FROM (SELECT upn FROM year_records WHERE {missing}) JOIN {all_records} r USING (upn) GROUP BY 1
        """
    )
    source = sessions
    twice = con.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM {sessions} GROUP BY upn, laestab, half_term HAVING count(*) > 1)"
    ).fetchall()
    if twice[0][0]:
        # Two spells at one school (left and came back) are one enrolment here: sessions are added up, and the
        # spell on the roll describes it.
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE year_spells AS
            SELECT upn, any_value(la_code) AS la_code, laestab, max(urn) AS urn,
                   any_value(academic_year) AS academic_year,
                   any_value(term) AS term, half_term, any_value(phase) AS phase, min(age) AS age,
                   arg_min(enrol_status, (NOT on_roll, enrol_status)) AS enrol_status,
                   bool_or(is_boarder) AS is_boarder, bool_or(on_roll) AS on_roll,
                   {", ".join(f"sum({c})::INTEGER AS {c}" for c in _SUMS)}
            FROM {sessions} GROUP BY upn, laestab, half_term
            """
        )
        source = "year_spells"
    expressions = {
        "urn": "coalesce(s.urn, k.urn)",
        "phase": "CASE WHEN s.phase = 'Unknown' THEN coalesce(k.phase, s.phase) ELSE s.phase END",
        "age": f"coalesce(s.age, {_AGE_OF_YEAR_GROUP})" if age_of_year_group else "s.age",
        "nc_year": "coalesce(y.nc_year, 'Unknown')",
        **{c: f"coalesce(y.{c}, 'Unknown')" for c in _HELD},
        **{c: f"coalesce(y.{c}, e.{c}, 'Unknown')" for c in _FILLED},
        "looked_after": "coalesce(f.looked_after, 'Unknown')",
        "social_worker": "coalesce(f.social_worker, 'Unknown')",
    }
    select = ", ".join(
        f"CAST({expressions.get(name, f's.{name}')} AS {kind}) AS {name}" for name, kind in PUPIL_TERM.items()
    )
    return (
        f"SELECT {select} FROM {source} s LEFT JOIN year_records y USING (upn) LEFT JOIN year_gaps e USING (upn)"
        f" LEFT JOIN (SELECT * FROM {flags} WHERE academic_year = {academic_year}) f ON f.upn = s.upn"
        f" LEFT JOIN {schools} k ON k.laestab = s.laestab"
        " ORDER BY s.laestab, s.upn, s.half_term"
    )
