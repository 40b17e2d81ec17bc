"""Hand sessions and records to the store."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from datetime import date

import pyarrow as pa

from attendance_toolkit.loaders._values import known
from attendance_toolkit.loaders.school_census.work import Work
from attendance_toolkit.schema.codes import ethnicities, year_before
from attendance_toolkit.store.identifiers import make_identifier_tables
from attendance_toolkit.vocabulary.columns import REASON_COLUMNS


def write_parts(work: Work) -> None:
    """Add the sessions and records that are loaded to ``session_parts`` and ``record_parts``."""
    census = work.census
    for carried in census.carries:
        item = carried.item
        start = carried.academic_year // 100
        reasons = ", ".join(f"coalesce(a.{name}, 0)" for name in REASON_COLUMNS)
        work.con.execute(
            f"""
            INSERT INTO session_parts
            SELECT p.pseudonym, p.la_code, p.laestab, p.urn, {carried.academic_year}, '{carried.term}',
                   '{carried.half_term}', coalesce(p.phase, 'Unknown'),
                   {start} - year(p.dob) - (month(p.dob) * 100 + day(p.dob) > 831)::INTEGER,
                   coalesce(p.enrolstatus, 'Unknown'), coalesce(p.boarder = 'true', false), p.on_roll,
                   p.{item}possible, greatest(coalesce(a.all_authorised, 0), coalesce(p.{item}authorised, 0)),
                   greatest(coalesce(a.all_unauthorised, 0), coalesce(p.{item}unauthorised, 0)),
                   greatest(coalesce(a.all_covid, 0), coalesce(p.{item}coronavirus, 0)),
                   {reasons}
            FROM pupil p LEFT JOIN summed_{item} a USING (rid)
            WHERE p.{item}possible IS NOT NULL AND p.rid NOT IN (SELECT rid FROM set_aside)
            """
        )
    groups = ethnicities()
    work.map("map_group", {"code": list(groups), "major": [known(g[0]) for g in groups.values()],
                            "minor": [known(g[1]) for g in groups.values()]},
              {"code": pa.string(), "major": pa.string(), "minor": pa.string()})  # fmt: skip
    years = [level for (level,) in work.all("SELECT DISTINCT ncyear FROM pupil WHERE ncyear IS NOT NULL")]
    work.map("map_before", {"level": years, "before": [known(year_before(y)) for y in years]},
              {"level": pa.string(), "before": pa.string()})  # fmt: skip
    started = date(census.academic_year // 100, 9, 1)
    work.con.execute(
        f"""
        INSERT INTO record_parts
        SELECT p.pseudonym, p.la_code, p.laestab, '{census.name}', {census.academic_year},
               -- Earlier census first; on roll before off roll; single and main before other registrations.
               (({census.sequence}::BIGINT * 2 + (NOT p.on_roll)::INTEGER) * 4
                   + CASE p.enrolstatus WHEN 'Single' THEN 0 WHEN 'Main' THEN 0 WHEN 'Subsidiary' THEN 2
                     WHEN 'Other' THEN 3 ELSE 1 END) * 10000000 + p.laestab,
               p.ncyear,
               -- The year group of a leaver is the one they left; of anybody else, one more than last year's.
               CASE WHEN NOT p.on_roll AND (p.leavingdate IS NULL OR p.leavingdate < DATE '{started}')
                    THEN p.ncyear ELSE b.before END,
               p.sex, f.eligible, f.six, p.senprovision, g.major, g.minor, nullif(p.language, 'Unknown')
        FROM pupil p
        LEFT JOIN fsm f USING (rid)
        LEFT JOIN map_group g ON g.code = p.ethnicity
        LEFT JOIN map_before b ON b.level = p.ncyear
        WHERE p.rid NOT IN (SELECT rid FROM set_aside)
        """
    )


def note_pupils(work: Work) -> None:
    """Note what identifies the pupils of the files, those set aside included, for the search of what leaves."""
    make_identifier_tables(work.con)
    for forename, surname in (("forename", "surname"), ("forename", "preferredsurname"), ("forename", "formersurname")):
        work.con.execute(
            f"INSERT INTO identifier_names SELECT DISTINCT {forename}, middlenames, {surname} FROM raw_pupil"
            f" WHERE {surname} IS NOT NULL AND {forename} IS NOT NULL"
        )
    work.con.execute(
        """
        INSERT INTO identifier_texts
        SELECT 'date_of_birth', strftime(day, '%Y-%m-%d') FROM map_dob WHERE day IS NOT NULL
        UNION SELECT 'upn', formerupn FROM raw_pupil WHERE formerupn IS NOT NULL
        UNION SELECT 'postcode', postcode FROM raw_pupil WHERE postcode IS NOT NULL
        """
    )
