"""Check the arithmetic of sessions, and whether the whole is plausible."""

# Table names and codes in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from attendance_toolkit.loaders._values import show
from attendance_toolkit.loaders.school_census.work import PUPIL_COLUMNS, Work, half_term_text
from attendance_toolkit.schema.census import MOST_SESSIONS, Carried
from attendance_toolkit.schema.rules import RULES
from attendance_toolkit.vocabulary.calendar import show_academic_year

#: Fewer pupils of a school than this say nothing about the school.
FEWEST_PUPILS = 10
#: Share of a school's pupils with more possible sessions than its most frequent number. A few have them rightly, such
#: as pupils of a year group with one more day; whole classes do not.
MOST_ABOVE_USUAL = 0.1

_FIXES = {
    "reasons_below_total": "If many pupils have it, export the session details again.",
    "reasons_above_total": "Nothing needs to be done.",
}


def check_arithmetic(work: Work) -> None:
    """Set aside pupils whose sessions cannot be, and report those that are unlikely."""
    for carried in work.census.carries:
        item = carried.item
        unlikely, impossible = MOST_SESSIONS[carried.half_term]
        work.con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE arithmetic AS
            SELECT p.rid, p.in_group, p.{item}possible AS possible, a.session_rows, a.code_bits,
                   coalesce(a.all_authorised, 0) AS given_authorised,
                   coalesce(a.all_unauthorised, 0) AS given_unauthorised,
                   greatest(given_authorised, coalesce(p.{item}authorised, 0)) AS authorised,
                   greatest(given_unauthorised, coalesce(p.{item}unauthorised, 0)) AS unauthorised,
                   coalesce(p.{item}authorised > given_authorised, false)
                       OR coalesce(p.{item}unauthorised > given_unauthorised, false) AS is_below,
                   coalesce(p.{item}authorised < given_authorised, false)
                       OR coalesce(p.{item}unauthorised < given_unauthorised, false) AS is_above
            FROM pupil p LEFT JOIN summed_{item} a USING (rid)
            WHERE p.rid NOT IN (SELECT rid FROM set_aside)
            """
        )
        tests = {
            "reason_repeated": "session_rows <> bit_count(code_bits)",
            "possible_blank": "possible IS NULL AND session_rows > 0",
            "possible_too_many": f"possible > {impossible}",
            "absent_over_possible": "authorised + unauthorised > possible",
            "possible_unlikely": f"possible > {unlikely} AND possible <= {impossible}",
            "reasons_below_total": "is_below",
            "reasons_above_total": "is_above",
        }
        counted = work.one(
            "SELECT " + ", ".join(f"count(*) FILTER ({test})" for test in tests.values()) + " FROM arithmetic"
        )
        for (rule, test), count in zip(tests.items(), counted, strict=True):
            if count:
                _report_arithmetic(work, rule, test, carried)


def _report_arithmetic(work: Work, rule: str, test: str, carried: Carried) -> None:
    aside = RULES[rule].severity == "quarantine"
    column = f"{carried.item}{'authorised' if rule.endswith('_total') else 'possible'}"
    # The number itself is part of the finding only where it is what is wrong.
    by = "possible" if rule in ("possible_too_many", "possible_unlikely") else "NULL"
    impossible = MOST_SESSIONS[carried.half_term][1]
    span = f"half term{'s' if '-' in carried.half_term else ''} {carried.half_term}"
    for shown, count, first, missed, possible in work.all(
        f"""
        SELECT {by}, count(*), min(rid), arg_min(authorised + unauthorised, rid), arg_min(possible, rid)
        FROM arithmetic WHERE {test} GROUP BY {by}, in_group ORDER BY 3
        """
    ):
        says = {
            "reason_repeated": "the pupil has two session rows for the same register code.",
            "possible_blank": "the pupil has session rows but no possible sessions.",
            "possible_too_many": f"{shown} possible sessions do not fit into {span}: {impossible} is the most.",
            "possible_unlikely": f"{shown} possible sessions are more than {span} usually has.",
            "absent_over_possible": f"{missed} sessions are missed of {possible} possible ones.",
            "reasons_below_total": "the session rows add up to less than a supplied total; the total is used, and what is"
            " missing has no reason.",
            "reasons_above_total": "the session rows add up to more than a supplied total; the rows are used.",
        }[rule]
        value = f"{missed} of {possible}" if rule == "absent_over_possible" else None if shown is None else str(shown)
        work.draft_at(rule, work.pupils, first, says, column=column, value=value, count=count,
                       fix=_FIXES.get(rule, "The row is set aside." if aside else ""))  # fmt: skip
    if aside:
        work.con.execute(f"INSERT INTO set_aside SELECT rid, '{rule}' FROM arithmetic WHERE {test}")


def check_plausible(work: Work) -> None:
    """Report half terms and schools whose sessions are unlikely, and characteristics that are."""
    _check_year_groups(work)
    for carried in work.census.carries:
        item, year = carried.item, show_academic_year(carried.academic_year)
        given = dict(work.all(f"SELECT in_group // 2, coalesce(sum({item}possible), 0) FROM pupil GROUP BY 1"))
        without = [n for n in range(len(work.returns)) if not given.get(n, 0)]
        # An extract taken for its characteristics alone has none anywhere: one finding says so.
        for number in without[:1] if len(without) == len(work.returns) else without:
            group = work.returns[number]
            work.draft(
                "term_no_sessions", group.tables[group.main_table],
                f"nobody has possible sessions in {year} {half_term_text(carried)}, so it has no data"
                + (f" in any of the {len(without)} returns." if 1 < len(without) == len(work.returns) else "."),
                column=f"{item}possible",
                fix="Check that the extract includes the attendance items.",
            )  # fmt: skip
        for native, pupils, first in work.all(
            f"""
            SELECT p.nativeid, count(*), min(p.rid) FROM pupil p LEFT JOIN summed_{item} a USING (rid)
            WHERE p.{item}possible > 0 GROUP BY p.nativeid, p.in_group // 2
            HAVING count(*) >= 10 AND coalesce(sum(a.session_rows), 0) = 0
               AND coalesce(sum(p.{item}authorised), 0) + coalesce(sum(p.{item}unauthorised), 0) = 0
            ORDER BY 3
            """
        ):
            work.draft_at(
                "school_no_reasons", work.pupils, first,
                f"school '{show(native)}' has {pupils} pupils with possible sessions and no session rows in {year}"
                f" {half_term_text(carried)}: nobody would have missed anything.",
                column="nativeid", value=show(native), count=pupils,
                fix="Check that the session details of this school are in the extract.",
            )  # fmt: skip
        _check_no_absence(work, carried)
        _check_calendar(work, carried)
    for column in ("sex", "ncyear", "senprovision"):
        for blank, pupils, first, number in work.all(
            f"SELECT count(*) FILTER ({column} IS NULL), count(*), min(rid), in_group // 2 FROM pupil WHERE on_roll"
            f" GROUP BY in_group HAVING count(*) >= 20 AND count(*) FILTER ({column} IS NULL) > 0.2 * count(*)"
        ):
            name = PUPIL_COLUMNS[column][0]
            if name in work.where[number]["pupilonroll"]:
                work.draft(
                    "characteristic_blank", work.pupils.find(first)[0].file,
                    f"{blank:,} of {pupils:,} pupils on roll have no usable value; they are Unknown.", column=name,
                )  # fmt: skip


def _check_no_absence(work: Work, carried: Carried) -> None:
    """Report schools whose session rows hold marks but no absence at all."""
    item, year = carried.item, show_academic_year(carried.academic_year)
    for native, pupils, first in work.all(
        f"""
        SELECT p.nativeid, count(*), min(p.rid) FROM pupil p LEFT JOIN summed_{item} a USING (rid)
        WHERE p.{item}possible > 0 GROUP BY p.nativeid, p.in_group // 2
        HAVING count(*) >= {FEWEST_PUPILS} AND coalesce(sum(a.session_rows), 0) > 0
           AND coalesce(sum(a.all_authorised), 0) + coalesce(sum(a.all_unauthorised), 0) = 0
           AND coalesce(sum(p.{item}authorised), 0) + coalesce(sum(p.{item}unauthorised), 0) = 0
        ORDER BY 3
        """
    ):
        work.draft_at(
            "school_no_absence", work.pupils, first,
            f"school '{show(native)}' has marks for {pupils} pupils in {year} {half_term_text(carried)} and not one absence.",
            column="nativeid", value=show(native), count=pupils,
            fix="Check that the rows of absence codes are in the extract.",
        )  # fmt: skip


def _check_calendar(work: Work, carried: Carried) -> None:
    """Report schools where many pupils have more possible sessions than most pupils there: than the school was open."""
    item, year = carried.item, show_academic_year(carried.academic_year)
    for native, usual, above, pupils, first in work.all(
        f"""
        WITH given AS (
            SELECT rid, in_group // 2 AS number, nativeid, {item}possible AS possible FROM pupil
            WHERE {item}possible > 0 AND rid NOT IN (SELECT rid FROM set_aside)
        ),
        usual AS (
            -- Of two values as frequent as each other the larger is the calendar's: pupils join late and leave early.
            SELECT number, nativeid, arg_max(possible, (pupils, possible)) AS usual, sum(pupils) AS pupils
            FROM (SELECT number, nativeid, possible, count(*) AS pupils FROM given GROUP BY ALL) GROUP BY ALL
        )
        SELECT g.nativeid, any_value(u.usual), count(*), any_value(u.pupils), min(g.rid)
        FROM given g JOIN usual u USING (number, nativeid) WHERE g.possible > u.usual GROUP BY g.number, g.nativeid
        HAVING count(*) >= {FEWEST_PUPILS} AND count(*) > {MOST_ABOVE_USUAL} * any_value(u.pupils) ORDER BY 5
        """
    ):
        work.draft_at(
            "possible_above_usual", work.pupils, first,
            f"{above} of {pupils} pupils of school '{show(native)}' have more possible sessions than most there"
            f" ({usual}) in {year} {half_term_text(carried)}.",
            column=f"{item}possible", value=show(native), count=above,
            fix="Check the calendar in the school's system; the figures are loaded as they are.",
        )  # fmt: skip


def _check_year_groups(work: Work) -> None:
    """Report pupils on roll whose year group is not the one of their date of birth."""
    start = work.census.academic_year // 100
    found = work.all(
        f"""
        WITH given AS (
            SELECT rid, in_group, ncyear,
                   CASE ncyear WHEN 'R' THEN 0 WHEN 'N2' THEN -1 WHEN 'N1' THEN -2 ELSE TRY_CAST(ncyear AS INTEGER) END
                   -- Year 1 is for pupils aged 5 on 31 August, Reception for those aged 4.
                   - ({start} - year(dob) - (month(dob) * 100 + day(dob) > 831)::INTEGER - 4) AS off
            FROM pupil WHERE on_roll AND dob IS NOT NULL AND rid NOT IN (SELECT rid FROM set_aside)
        )
        SELECT in_group, count(*), count(*) FILTER (abs(off) = 1), min(rid) FILTER (abs(off) = 1),
               count(*) FILTER (abs(off) > 1), min(rid) FILTER (abs(off) > 1),
               arg_min(ncyear, rid) FILTER (abs(off) > 1), arg_min(abs(off), rid) FILTER (abs(off) > 1)
        FROM given WHERE off IS NOT NULL GROUP BY in_group
        """
    )
    used = "The age is taken from the date of birth, and figures by year group from the year group as it is given."
    for _, _, beside, first_beside, far, first_far, group, by in found:
        if beside:
            work.draft_at(
                "year_group_beside", work.pupils, first_beside,
                "the year group is one above or below that of the date of birth: the pupil is taught out of year.",
                column="ncyear", count=beside, fix=used,
            )  # fmt: skip
        if far:
            work.draft_at(
                "year_group_far", work.pupils, first_far,
                f"year group {group} is {by} years away from that of the date of birth.",
                column="ncyear", count=far, fix=f"Check both. {used}",
            )  # fmt: skip
