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
_SUMS = ("sessions_possible", "sessions_authorised", "sessions_unauthorised", "sessions_covid", *REASON_COLUMNS)


def resolve(con: duckdb.DuckDBPyConnection, sessions: str, records: str, flags: str, target: str) -> None:
    """Make the table ``target`` with the columns of PUPIL_TERM.

    Parameters
    ----------
    con
        A connection that can see the three tables or views named next.
    sessions, records, flags
        Session parts to resolve; record and flag parts of at least those pupils, of all years.
    target
        Name of the table to make, ordered by authority, year, school, pupil and half term.
    """
    held = ", ".join(f"arg_min({c}, place) AS {c}" for c in _HELD)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE resolved_year AS
        WITH dated AS (
            SELECT upn, academic_year, place, nc_year, {", ".join(_HELD)} FROM {records}
            UNION ALL
            -- The autumn census also closes the year before, whose summer term it carries.
            SELECT upn, (academic_year // 100 - 1) * 100 + academic_year // 100 % 100, place, nc_year_before, {", ".join(_HELD)}
            FROM {records} WHERE census LIKE '%-autumn'
        )
        SELECT upn, academic_year, arg_min(nc_year, place) AS nc_year, {held}
        FROM dated SEMI JOIN (SELECT DISTINCT upn, academic_year FROM {sessions}) wanted USING (upn, academic_year)
        GROUP BY 1, 2
        """
    )
    # Filling is needed only for pupils whose year has a gap: usually a small part.
    missing = " OR ".join(f"{c} IS NULL" for c in _FILLED)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE resolved_ever AS
        SELECT g.upn, g.academic_year,
               {", ".join(f"coalesce(arg_min(r.{c}, r.place) FILTER (r.academic_year > g.academic_year),"
                          f" arg_max(r.{c}, r.place)) AS {c}" for c in _FILLED)}
        FROM (SELECT upn, academic_year FROM resolved_year WHERE {missing}) g
        JOIN {records} r ON r.upn = g.upn
        GROUP BY 1, 2
        """
    )
    twice = con.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM {sessions} GROUP BY upn, laestab, academic_year, half_term HAVING count(*) > 1)"
    ).fetchone()
    source = sessions
    if twice and twice[0]:
        # Two spells at one school (left and came back) are one enrolment here: sessions are added up, and the
        # spell on the roll describes it.
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE spells AS
            SELECT upn, any_value(la_code) AS la_code, laestab, max(urn) AS urn, academic_year,
                   any_value(term) AS term, half_term, any_value(census) AS census,
                   arg_min(phase, NOT on_roll) AS phase, min(age) AS age,
                   arg_min(enrol_status, (NOT on_roll, enrol_status)) AS enrol_status,
                   bool_or(is_boarder) AS is_boarder, bool_or(on_roll) AS on_roll,
                   {", ".join(f"sum({c})::INTEGER AS {c}" for c in _SUMS)}
            FROM {sessions} GROUP BY upn, laestab, academic_year, half_term
            """
        )
        source = "spells"
    expressions = {
        "nc_year": "coalesce(y.nc_year, 'Unknown')",
        **{c: f"coalesce(y.{c}, 'Unknown')" for c in _HELD},
        **{c: f"coalesce(y.{c}, e.{c}, 'Unknown')" for c in _FILLED},
        "looked_after": "coalesce(f.looked_after, 'Unknown')",
        "social_worker": "coalesce(f.social_worker, 'Unknown')",
    }
    select = ", ".join(
        f"CAST({expressions.get(name, f's.{name}')} AS {kind}) AS {name}" for name, kind in PUPIL_TERM.items()
    )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE {target} AS
        SELECT {select}
        FROM {source} s
        LEFT JOIN resolved_year y USING (upn, academic_year)
        LEFT JOIN resolved_ever e USING (upn, academic_year)
        LEFT JOIN {flags} f USING (upn, academic_year)
        """
    )
    con.execute("DROP TABLE IF EXISTS spells; DROP TABLE resolved_year; DROP TABLE resolved_ever")
