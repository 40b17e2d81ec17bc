"""Make the pupil table, and find pupils and keys that occur twice."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from attendance_toolkit.loaders._text import line_numbers
from attendance_toolkit.loaders._values import UPN_FINDINGS
from attendance_toolkit.loaders.school_census.values import number_columns
from attendance_toolkit.loaders.school_census.work import CODED, DATES, Work
from attendance_toolkit.store.keys import UPN_STATES

#: Days a pupil may be on two rolls while moving: a school deletes a leaver once the new one confirms the start.
MOST_OVERLAP = 31


def make_pupils(work: Work) -> None:
    """Make ``pupil``: the pupil rows with what their texts mean; set aside those without a usable UPN or school."""
    joined = (*CODED, *DATES)
    numbers = number_columns(work)
    work.con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE pupil AS
        SELECT r.rowid AS rid, r.in_group, r.in_group % 2 = 1 AS on_roll, r.key, r.nativeid,
               s.laestab, s.la_code, s.phase, s.urn, coalesce(u.state, 1) AS upn_state, u.pseudonym, u.code AS upn,
               {", ".join(f"map_{c}.level AS {c}" for c in CODED)},
               {", ".join(f"map_{c}.day AS {c}" for c in DATES)},
               {", ".join(f"n{i}.number AS {c}" for i, c in enumerate(numbers))}
        FROM raw_pupil r
        LEFT JOIN map_school s ON s.return_number = r.in_group // 2 AND s.nativeid IS NOT DISTINCT FROM r.nativeid
        LEFT JOIN map_upn u ON u.code = upper(trim(r.upn))
        {" ".join(f"LEFT JOIN map_{c} ON map_{c}.code = r.{c}" for c in joined)}
        {" ".join(f"LEFT JOIN map_number n{i} ON n{i}.code = r.{c}" for i, c in enumerate(numbers))}
        """
    )
    work.con.execute("INSERT INTO set_aside SELECT rid, 'school_unknown' FROM pupil WHERE laestab IS NULL")
    for state, shown, count, first in work.all(
        "SELECT upn_state, left(upn, 2), count(*), min(rid) FROM pupil WHERE upn_state > 0 GROUP BY 1, 2, in_group"
    ):
        rule = UPN_STATES[state]
        says, fix = UPN_FINDINGS[rule]
        work.draft_at(rule, work.pupils, first, says, column="upn", count=count, fix=fix,
                       value=f"{shown or ''}******" if state > 1 else "")  # fmt: skip
    for count, first in work.all(
        # A good UPN has thirteen characters, of which the last is a letter only when it is temporary.
        "SELECT count(*), min(rid) FROM pupil WHERE upn_state = 0 AND ascii(right(upn, 1)) >= 65 GROUP BY in_group"
    ):
        work.draft_at(
            "upn_temporary", work.pupils, first, "the UPN ends in a letter, so it is a temporary one.",
            column="upn", count=count,
            fix="The pupil is loaded; once the permanent UPN is known, the two count as two pupils.",
        )  # fmt: skip
    named = " ".join(f"WHEN {i} THEN '{name}'" for i, name in enumerate(UPN_STATES))
    work.con.execute(f"INSERT INTO set_aside SELECT rid, CASE upn_state {named} END FROM pupil WHERE upn_state > 0")


def check_keys(work: Work) -> None:
    """Set aside pupils that are on the roll of a school twice, and keys that belong to two pupils."""
    # A pupil is one row on the roll of a school; off the roll, one row for each spell.
    for on_roll, spell in ((True, ()), (False, ("entrydate", "leavingdate"))):
        same = "".join(f" AND p.{c} IS NOT DISTINCT FROM t.{c}" for c in spell)
        work.con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE repeated AS
            WITH twice AS (
                SELECT {", ".join(("upn", "laestab", *spell))}, min(rid) AS kept, arg_min(in_group, rid) AS kept_in
                FROM pupil WHERE on_roll = {on_roll} AND upn_state = 0 AND laestab IS NOT NULL
                GROUP BY {", ".join(("upn", "laestab", *spell))} HAVING count(*) > 1
            )
            SELECT p.rid, t.kept, p.in_group,
                   CASE WHEN p.in_group = t.kept_in THEN 'pupil_repeated' ELSE 'pupil_in_two_files' END AS rule
            FROM pupil p JOIN twice t
            ON p.upn = t.upn AND p.laestab = t.laestab{same} AND p.rid > t.kept AND p.on_roll = {on_roll}
            """
        )
        for rule, count, first, kept in work.all(
            "SELECT rule, count(*), min(rid), arg_min(kept, rid) FROM repeated GROUP BY rule, in_group"
        ):
            source, record = work.pupils.find(kept)
            place = f"row {line_numbers(source.file, [record], source.rows)[record]}"
            if rule == "pupil_in_two_files":
                place += f" of {source.file.name}"
            work.draft_at(
                rule, work.pupils, first,
                f"the pupil is already on {place} for the same school{'' if on_roll else ' and the same spell'}.",
                column="upn", count=count, fix="The first row is kept and this one is set aside.",
            )  # fmt: skip
        work.con.execute("INSERT INTO set_aside SELECT rid, rule FROM repeated")
    work.con.execute(
        """
        CREATE OR REPLACE TEMP TABLE repeated AS
        WITH left_over AS (SELECT rid, in_group, nativeid, key FROM pupil ANTI JOIN set_aside USING (rid)),
             twice AS (SELECT in_group, nativeid, key FROM left_over GROUP BY ALL HAVING count(*) > 1)
        SELECT rid, in_group FROM left_over SEMI JOIN twice USING (in_group, nativeid, key)
        """
    )
    for count, first in work.all("SELECT count(*), min(rid) FROM repeated GROUP BY in_group"):
        work.draft_at(
            "key_repeated", work.pupils, first,
            "two pupils of a school have the same key, so their sessions cannot be told apart.",
            column="key", count=count, fix="The rows are set aside; export the return again.",
        )  # fmt: skip
    work.con.execute("INSERT INTO set_aside SELECT rid, 'key_repeated' FROM repeated")
    _check_former(work)
    _check_on_two_rolls(work)
    _check_spells(work)


def _check_former(work: Work) -> None:
    """Report former UPNs that another pupil of the same census has: one child may be there twice."""
    for count, first in work.all(
        """
        WITH former AS (
            SELECT p.rid, p.in_group, p.upn, upper(trim(r.formerupn)) AS was
            FROM raw_pupil r JOIN pupil p ON p.rid = r.rowid
            WHERE r.formerupn IS NOT NULL AND p.rid NOT IN (SELECT rid FROM set_aside)
        )
        SELECT count(*), min(rid) FROM former
        WHERE was <> upn AND was IN (SELECT upn FROM pupil WHERE upn_state = 0) GROUP BY in_group
        """
    ):
        work.draft_at(
            "former_upn_shared", work.pupils, first, "the former UPN is the UPN of another pupil of this census.",
            column="formerupn", count=count,
            fix="Both are loaded as two pupils; if they are one child, correct the UPN in the other school's extract.",
        )  # fmt: skip


def _check_on_two_rolls(work: Work) -> None:
    """Report pupils who are on the roll of two schools on the census day, each saying it is the main one."""
    for others, count, first in work.all(
        """
        WITH main AS (
            SELECT rid, in_group, upn, laestab FROM pupil
            WHERE on_roll AND enrolstatus IN ('Single', 'Main') AND rid NOT IN (SELECT rid FROM set_aside)
        ),
        twice AS (SELECT upn, min(rid) AS kept FROM main GROUP BY upn HAVING count(DISTINCT laestab) > 1)
        SELECT arg_min(k.laestab, m.rid), count(*), min(m.rid)
        FROM main m JOIN twice t ON m.upn = t.upn AND m.rid > t.kept JOIN main k ON k.rid = t.kept
        GROUP BY m.in_group
        """
    ):
        work.draft_at(
            "enrolment_overlap", work.pupils, first,
            f"the pupil is also on the roll of school {others} on the census day, as single or main registration at both.",
            column="enrolstatus", count=count,
            fix="Each enrolment is counted, as DfE does; ask the schools which of them the pupil attends.",
        )  # fmt: skip


def _check_spells(work: Work) -> None:
    """Report leavers who were still on one roll long after they joined another as their only or main school."""
    for school, days, count, first in work.all(
        f"""
        WITH kept AS (SELECT * FROM pupil WHERE rid NOT IN (SELECT rid FROM set_aside)),
        overlap AS (
            SELECT o.rid, o.in_group, arg_max(n.laestab, o.leavingdate - n.entrydate) AS school,
                   max(o.leavingdate - n.entrydate) AS days
            FROM kept o JOIN kept n ON n.upn = o.upn AND n.laestab <> o.laestab
            WHERE NOT o.on_roll AND n.on_roll AND n.enrolstatus IN ('Single', 'Main')
              AND coalesce(o.enrolstatus, 'Single') IN ('Single', 'Main', 'Unknown')
              AND o.entrydate <= n.entrydate AND o.leavingdate - n.entrydate > {MOST_OVERLAP}
            GROUP BY o.rid, o.in_group
        )
        SELECT arg_min(school, rid), arg_min(days, rid), count(*), min(rid) FROM overlap GROUP BY in_group
        """
    ):
        work.draft_at(
            "spell_overlap", work.pupils, first,
            f"the pupil left {days} days after joining school {school}: the two spells overlap.",
            column="leavingdate", count=count,
            fix="Each spell is counted with its own sessions; check that none is in both.",
        )  # fmt: skip
