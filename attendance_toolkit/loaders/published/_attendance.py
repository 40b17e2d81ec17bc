"""The attendance series: year to date, terms, weeks, days, the dashboard's file, and DfE's newer tidy tables."""

# ruff: noqa: S608 - SQL is put together from our own text; names and values of a file pass column() and quoted().

from __future__ import annotations

import duckdb

from attendance_toolkit.errors import UnreadableFileError
from attendance_toolkit.loaders.published._files import Source, read_raw, reject
from attendance_toolkit.loaders.published._layouts import Layout
from attendance_toolkit.loaders.published._parts import (
    NO_NUMBER,
    PHASES,
    Part,
    arrow,
    check_sum,
    groups,
    join_areas,
    phase_column,
    rate_select,
    rates_table,
)
from attendance_toolkit.loaders.published._periods import day_period, week_period, year_or_week_period
from attendance_toolkit.loaders.published._values import Cells, level_of, number_of, period_of, quoted, text_of
from attendance_toolkit.vocabulary.columns import ALL

#: Reason of the attendance series' X marks ("not attending, covid or non-compulsory school age").
NOT_REQUIRED = "not_required_x"

#: measure -> (sessions, percentage) as the file names them.
MEASURES = {
    "attendance_rate": ("overall_attendance", "attendance_perc"),
    "overall_absence_rate": ("overall_absence", "overall_absence_perc"),
    "authorised_absence_rate": ("authorised_absence", "authorised_absence_perc"),
    "unauthorised_absence_rate": ("unauthorised_absence", "unauthorised_absence_perc"),
    "persistent_absence_rate": ("", "pa_perc"),
}
#: reason -> sessions and percentage, under every name used since 2022/23.
REASONS = {
    "auth_illness": (("reason_i_authorised_illness",), "illness_perc"),
    "auth_appointments": (("reason_m_authorised_medical_dental",), "appointments_perc"),
    "auth_religious": (("reason_r_authorised_religious_observance",), "auth_religious_perc"),
    "auth_study": (("reason_s_authorised_study_leave",), "auth_study_perc"),
    "auth_traveller": (
        ("reason_t_authorised_mobile_child", "reason_t_authorised_grt_absence"),
        "auth_mob_perc",
    ),
    "auth_holiday": (("reason_h_authorised_holiday",), "auth_holiday_perc"),
    "auth_excluded": (("reason_e_authorised_excluded",), "auth_excluded_perc"),
    "auth_interview": (("reason_j1_authorised_interview",), "auth_interview_perc"),
    "auth_reg_performance": (("reason_c1_authorised_regulated_performance",), "auth_performance_perc"),
    "auth_temp_reduced_timetable": (("reason_c2_authorised_temp_reduced_timetable",), "auth_part_time_perc"),
    "auth_other": (("reason_c_authorised_other",), "auth_other_perc"),
    "unauth_holiday": (("reason_g_unauthorised_holiday",), "unauth_hol_perc"),
    "unauth_late": (
        ("reason_u_unauthorised_late_after_registers_closed",),
        "unauth_late_registers_closed_perc",
    ),
    "unauth_other": (("reason_o_other_unauthorised",), "unauth_oth_perc"),
    "unauth_noyet": (("reason_n_no_reason_yet",), "unauth_not_yet_perc"),
    NOT_REQUIRED: (("reason_x_not_attending_covid_non_compulsory",), "covid_non_compulsory_perc"),
}
_RENAMED = {"auth_mob_perc": "auth_grt_perc"}


def _dashboard_period(year: str, week: str, day: str, breakdown: str) -> tuple[int, str]:
    if breakdown.casefold() == "daily":
        return day_period(day)
    return week_period(year, week, to_date={"weekly": False, "ytd": True}[breakdown.casefold()])


def _period(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> tuple[str, str]:
    """Return the SQL for academic year and period by what the layout tells them with."""
    if layout.name == "attendance_dashboard":
        names = ("time_period", "time_identifier", "attendance_date", "breakdown")
        return period_of(con, source, names, _dashboard_period)
    if layout.name == "attendance_daily":
        return period_of(con, source, ("attendance_date",), day_period)
    return period_of(con, source, ("time_period", "time_identifier"), year_or_week_period)


def _columns(names: tuple[str, ...]) -> dict[tuple[str, str], tuple[str, str]]:
    """Return (measure, reason) -> columns of its sessions and percentage, "" where the file has none."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for measure, (sessions, percent) in MEASURES.items():
        found[measure, ALL] = (sessions if sessions in names else "", percent if percent in names else "")
    for reason, (session_names, percent) in REASONS.items():
        sessions = next((name for name in session_names if name in names), "")
        percent = next((name for name in (percent, _RENAMED.get(percent, "")) if name in names), "")
        found["reason_rate", reason] = (sessions, percent)
    return {key: pair for key, pair in found.items() if any(pair)}


def read_attendance(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read the attendance series: year to date, single terms, weeks and days, rates with sessions.

    Rates are the published percentages, unrounded. "All schools" rows are weighted by census headcount,
    so their sessions are not given. Persistent absence comes without counts. In 2022/23 the authorised
    total includes the X marks, which are given as the reason "not_required_x", and the column
    ``reason_d_aea_dual_registration`` is in no total: it is left out in every year. "Late sessions" (L
    and U marks together) is part of neither attendance nor absence and is left out too.

    Weeks and days have periods and datasets of their own ("week 37 2025", "2025-09-12"); the dashboard's file has
    all three, its year to date as "to week 37 2025", which is never "year".
    """
    names = source.first
    rows, _ = read_raw(con, source, names, has_header=True)
    found = _columns(names)
    counts = list(dict.fromkeys(["possible_sessions", *(sessions for sessions, _ in found.values() if sessions)]))
    cells = Cells(con, source, counts=counts, percents=[percent for _, percent in found.values() if percent])
    phase_name = phase_column(source)
    if phase_name is None:  # the layout asks for one of them
        raise UnreadableFileError(f"{source.name} has neither the column school_type nor education_phase.")
    year, period = _period(con, source, layout)
    select = groups(
        series="'attendance'",
        dataset=quoted(layout.name),
        academic_year=year,
        period=period,
        area_code="area_code",
        area_level="area_level",
        phase=level_of(con, source, phase_name, PHASES),
    )
    join_areas(con, source)
    check_sum(con, source, "possible_sessions", ("overall_attendance", "overall_absence"))
    check_sum(con, source, "overall_absence", ("authorised_absence", "unauthorised_absence"))
    parts = []
    for (measure, reason), (sessions, percent) in found.items():
        parts.append(
            rate_select(
                select,
                measure,
                numerator=number_of(sessions) if sessions else NO_NUMBER,
                denominator=f"nullif({number_of('possible_sessions')}, 0)" if sessions else NO_NUMBER,
                percent=number_of(percent) if percent else NO_NUMBER,
                symbol=cells.symbol_of(percent or sessions),
                reason=reason,
                printed=text_of(percent) if percent else quoted(""),
                # Without a published percentage the sessions give the rate, but not for a weighted total.
                where="TRUE" if percent else f"{text_of(phase_name)} NOT IN ('Total', 'All schools')",
            )
        )
    return Part(rates=rates_table(con, parts, source), rows=rows)


# --- persistent absence at each release ----------------------------------------------------------------

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")


def _framed_period(year: str, identifier: str, frame: str, day: str = "") -> tuple[int, str]:
    """Return the academic year and the period of ``time_frame``: a weekday, Week or Year to date."""
    name = frame.casefold()
    if name in _DAYS:
        return day_period(day)
    if name == "year to date" and not identifier.casefold().startswith("week"):
        return year_or_week_period(year, identifier)
    return week_period(year, identifier, to_date={"week": False, "year to date": True}[name])


def _frames(con: duckdb.DuckDBPyConnection, source: Source) -> tuple[str, str]:
    names = ["time_period", "time_identifier", "time_frame"]
    return period_of(con, source, [*names, *(["reference_date"] * ("reference_date" in source.first))], _framed_period)


def read_persistent(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read persistent absence, year to date, as it stood at each release: percentages to one decimal, no counts."""
    rows, _ = read_raw(con, source, source.first, has_header=True)
    cells = Cells(con, source, percents=["persistent_absence_percent"])
    year, period = _frames(con, source)
    select = groups(
        series="'attendance'",
        dataset=quoted(layout.name),
        academic_year=year,
        period=period,
        area_code="area_code",
        area_level="area_level",
        phase=level_of(con, source, phase_column(source) or "education_phase", PHASES),
    )
    join_areas(con, source)
    rate = rate_select(
        select,
        "persistent_absence_rate",
        percent=number_of("persistent_absence_percent"),
        symbol=cells.symbol_of("persistent_absence_percent"),
        printed=text_of("persistent_absence_percent"),
        decimals=1,
    )
    return Part(rates=rates_table(con, [rate], source), rows=rows)


# --- reasons for absence and attendance, one figure a row ----------------------------------------------

#: DfE's (type, reason) -> (measure, reason). DfE's data dictionary, columns attendance_type and attendance_reason.
TIDY = {
    ("Overall attendance", "Overall attendance"): ("attendance_rate", ALL),
    ("Overall absence", "Overall absence"): ("overall_absence_rate", ALL),
    ("Authorised", "All authorised"): ("authorised_absence_rate", ALL),
    ("Unauthorised", "All unauthorised"): ("unauthorised_absence_rate", ALL),
    ("Authorised", "Illness (i)"): ("reason_rate", "auth_illness"),
    ("Authorised", "Medical dental (m)"): ("reason_rate", "auth_appointments"),
    ("Authorised", "Religious observance (r)"): ("reason_rate", "auth_religious"),
    ("Authorised", "Study leave (s)"): ("reason_rate", "auth_study"),
    ("Authorised", "Mobile child (t)"): ("reason_rate", "auth_traveller"),
    ("Authorised", "Authorised holiday (h)"): ("reason_rate", "auth_holiday"),
    ("Authorised", "Excluded (e)"): ("reason_rate", "auth_excluded"),
    ("Authorised", "Interview (j1)"): ("reason_rate", "auth_interview"),
    ("Authorised", "Regulated performance (c1)"): ("reason_rate", "auth_reg_performance"),
    ("Authorised", "Temporary reduced timetable (c2)"): ("reason_rate", "auth_temp_reduced_timetable"),
    ("Authorised", "Other authorised (c)"): ("reason_rate", "auth_other"),
    ("Unauthorised", "Unauthorised holiday (g)"): ("reason_rate", "unauth_holiday"),
    ("Unauthorised", "Late after registers closed (u)"): ("reason_rate", "unauth_late"),
    ("Unauthorised", "Other unauthorised (o)"): ("reason_rate", "unauth_other"),
    ("Unauthorised", "No reason yet (n)"): ("reason_rate", "unauth_noyet"),
}
_POSSIBLE = "All possible sessions"
#: Types whose rows are part of attendance or of no total: known, and no measure of the toolkit.
_NO_MEASURE = (
    "present",
    "approved educational activity",
    "management and legacy codes",
    "all late sessions",
    "all possible sessions",
)
_NO_MEASURE_REASONS = (
    "total authorised reason sessions",
    "total overall reason sessions",
    "total unauthorised reason sessions",
)


def read_reasons(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read "Reasons for absence and attendance": one row for each period, area, phase and reason.

    Possible sessions are rows too and become the denominators. What is part of attendance (present, approved
    educational activity) or of neither side (late sessions, management codes) is left out and counted.
    """
    names = source.first
    rows, _ = read_raw(con, source, names, has_header=True)
    cells = Cells(con, source, counts=["session_count"], percents=["session_percent"])
    year, period = _frames(con, source)
    phase_name = phase_column(source) or "education_phase"
    phase = level_of(con, source, phase_name, PHASES)
    join_areas(con, source)
    kind, reason = f"lower({text_of('attendance_type')})", f"lower({text_of('attendance_reason')})"
    known = [(a.casefold(), b.casefold()) for a, b in TIDY]
    found = con.execute(f"SELECT DISTINCT {kind}, {reason} FROM raw ORDER BY ALL").fetchall()
    for a, b in found:
        if (a, b) not in known and a not in _NO_MEASURE and b not in _NO_MEASURE_REASONS:
            where, allowed = f"{kind} = ? AND {reason} = ?", "a type and reason of DfE's data dictionary"
            reject(
                con, source, "published_level", where, [a, b], column="attendance_reason", value=f"{a}: {b}",
                allowed=allowed,
            )  # fmt: skip
    select = groups(
        series="'attendance'",
        dataset=quoted(layout.name),
        academic_year=year,
        period=period,
        area_code="area_code",
        area_level="area_level",
        phase=phase,
    )
    keys = [n for n in ("time_period", "time_identifier", "time_frame", "reference_date", "place", phase_name) if n in
            (*names, "place")]  # fmt: skip
    count = number_of("session_count")
    possible = (
        f"max(CASE WHEN {kind} = {quoted(_POSSIBLE.casefold())} THEN {count} END) OVER (PARTITION BY {', '.join(keys)})"
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE tidy AS SELECT *, {possible} AS possible FROM raw")
    parts = [
        rate_select(
            select,
            measure,
            numerator=count,
            denominator="nullif(possible, 0)",
            percent=number_of("session_percent"),
            symbol=cells.symbol_of("session_percent"),
            reason=ours,
            printed=text_of("session_percent"),
            where=f"{kind} = {quoted(a.casefold())} AND {reason} = {quoted(b.casefold())}",
            table="tidy JOIN places USING (place)",
        )
        for (a, b), (measure, ours) in TIDY.items()
    ]
    rates = rates_table(con, parts, source)
    left = arrow(con, "SELECT count(*) AS n FROM raw")["n"][0].as_py() - rates.num_rows
    reason_left = "sessions that are part of attendance or of neither attendance nor absence"
    return Part(rates=rates, rows=rows, left_out={reason_left: left} if left else {})
