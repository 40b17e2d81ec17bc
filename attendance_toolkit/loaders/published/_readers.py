"""One function per layout: the text in the table ``raw`` -> cells or rates, as DuckDB relations."""

# ruff: noqa: S608 - SQL is put together from our own text; names and values of a file pass column() and quoted().

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from attendance_toolkit.errors import UnreadableFileError
from attendance_toolkit.loaders.published._files import Source, read_raw
from attendance_toolkit.loaders.published._layouts import Layout
from attendance_toolkit.loaders.published._values import (
    Cells,
    area_join,
    canonical_code,
    complain,
    level_of,
    number_of,
    put_places,
    quoted,
    region_code,
    text_of,
    year_of,
)
from attendance_toolkit.vocabulary.calendar import academic_year_before, parse_academic_year
from attendance_toolkit.vocabulary.columns import (
    ALL,
    ALL_SCHOOLS,
    BAND_COLUMNS,
    CELL_COUNTS,
    PUBLISHED_GROUPS,
    REASON_COLUMNS,
)

#: Reason of the attendance series' X marks ("not attending, covid or non-compulsory school age").
NOT_REQUIRED = "not_required_x"
PERIOD_YEAR = "year"
PERIOD_FIVE_HALF_TERMS = "year, five half terms"

_MAIN_PHASES = {
    "State-funded primary": "Primary",
    "State-funded secondary": "Secondary",
    "Special": "Special",
    "State-funded special": "Special",
    "Primary": "Primary",
    "Secondary": "Secondary",
    "Total": ALL_SCHOOLS,
    "All schools": ALL_SCHOOLS,
    "Pupil Referral Unit": "Pupil referral unit",
    "State-funded alternative provision": "Pupil referral unit",
}


@dataclass
class Part:
    """What one file gave."""

    cells: pa.Table | None = None
    rates: pa.Table | None = None
    symbols: pa.Table | None = None
    rows: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows not read, by reason."""


def _groups(**given: str) -> str:
    """Return the SQL select list of PUBLISHED_GROUPS; a group that is not given is "All"."""
    return ", ".join(f"{given.get(name, quoted(ALL))} AS {name}" for name in PUBLISHED_GROUPS)


def _arrow(con: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    return con.sql(query).to_arrow_table()


def _cells(con: duckdb.DuckDBPyConnection, groups: str, counts: Mapping[str, str], source: Source) -> pa.Table:
    """Return CELLS of the joined table: the counts given, NULL for those the file does not have."""
    chosen = ", ".join(f"CAST({counts.get(name, 'NULL')} AS BIGINT) AS {name}" for name in CELL_COUNTS)
    return _arrow(
        con,
        f"SELECT {groups}, {chosen}, {quoted(source.name)} AS source_file, source_row"
        " FROM raw JOIN places USING (place) ORDER BY source_row",
    )


def _symbols(
    con: duckdb.DuckDBPyConnection, groups: str, cells: Cells, counts: Mapping[str, str], source: Source
) -> pa.Table | None:
    """Return one row per count that has a symbol in place of a number; ``counts``: our name -> file's."""
    parts = [
        f"SELECT {groups}, {quoted(ours)} AS count, {cells.symbol_of(theirs)} AS symbol,"
        f" {quoted(source.name)} AS source_file, source_row FROM raw JOIN places USING (place)"
        f" WHERE {cells.symbol_of(theirs)} <> ''"
        for ours, theirs in counts.items()
        if theirs in cells.symbols
    ]
    return _arrow(con, " UNION ALL ".join(parts) + " ORDER BY source_row, count") if parts else None


# --- absence bands -------------------------------------------------------------------------------------

_BANDS_COLUMNS = (
    "time_identifier",
    "time_period",
    "geographic_level",
    "country_code",
    "country_name",
    "region_name",
    "region_code",
    "old_la_code",
    "new_la_code",
    "la_name",
    "school_type",
    "fsm_eligible",
    "sen_status",
    "gender",
    "nc_year",
    *(f"pct{edge}" for edge in range(5, 55, 5)),
    "pct50plus",
)
_FSM = {
    "Eligible": "FSM eligible",
    "Not Eligible": "Not known to be FSM eligible",
    "Unclassified": "Unknown",
}
_SEN = {
    "Any special educational need": "Any SEN",
    "No identified special educational need": "No SEN",
    "Unclassified": "Unknown",
}
_SEX = {"Female": "Female", "Male": "Male", "Unclassified": "Unknown"}
_NC_YEARS = {**{str(n): str(n) for n in range(1, 15)}, "R": "R", "Unclassified": "Unknown"}


def read_bands(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read the absence bands: enrolments in eleven bands of overall absence, fully cross-classified.

    The file has no header: column names are those of DfE's dashboard code (``global.R``). ``pct5`` is
    0 to under 5% absence, ..., ``pct50plus`` 50% and over, so persistent absentees are the bands from
    ``pct15`` up and severe absentees the last. There are no total rows: cells are added up.
    """
    rows, _ = read_raw(con, source, _BANDS_COLUMNS, has_header=False)
    bands = _BANDS_COLUMNS[15:]
    Cells(con, source, counts=bands)
    groups = _groups(
        series="'census'",
        dataset="'absence_bands'",
        academic_year=year_of(con, source, "time_period", parse_academic_year),
        period=level_of(con, source, "time_identifier", {"Academic year": PERIOD_YEAR}),
        area_code="area_code",
        area_level="area_level",
        phase=level_of(con, source, "school_type", _MAIN_PHASES),
        nc_year=level_of(con, source, "nc_year", _NC_YEARS),
        sex=level_of(con, source, "gender", _SEX),
        fsm_eligible=level_of(con, source, "fsm_eligible", _FSM),
        sen_provision=level_of(con, source, "sen_status", _SEN),
    )
    area_join(
        con,
        source,
        level="geographic_level",
        dfe_code="old_la_code",
        la_code="new_la_code",
        region="region_code",
        country="country_code",
    )
    numbers = [number_of(name) for name in bands]
    counts = {
        "enrolments": " + ".join(numbers),
        "persistent_absentees": " + ".join(numbers[2:]),
        "severe_absentees": numbers[-1],
        **dict(zip(BAND_COLUMNS, numbers, strict=True)),
    }
    return Part(cells=_cells(con, groups, counts, source), rows=rows)


# --- LA time series ------------------------------------------------------------------------------------

_LAIT = {
    "PriTotAbs": ("overall_absence_rate", "Primary"),
    "SecTotAbs": ("overall_absence_rate", "Secondary"),
    "total_absence_special": ("overall_absence_rate", "Special"),
    "TotAbs": ("overall_absence_rate", ALL_SCHOOLS),
    "PriAuth": ("authorised_absence_rate", "Primary"),
    "SecAuth": ("authorised_absence_rate", "Secondary"),
    "authorised_absence_special": ("authorised_absence_rate", "Special"),
    "TotAuthAbs": ("authorised_absence_rate", ALL_SCHOOLS),
    "PriUnauth": ("unauthorised_absence_rate", "Primary"),
    "SecUnauth": ("unauthorised_absence_rate", "Secondary"),
    "unauthorised_absence_special": ("unauthorised_absence_rate", "Special"),
    "TotUnAuthAbs": ("unauthorised_absence_rate", ALL_SCHOOLS),
    "SFPriPerAbNew": ("persistent_absence_rate", "Primary"),
    "SFSecPerAbNew": ("persistent_absence_rate", "Secondary"),
    "SpecPerAbNew": ("persistent_absence_rate", "Special"),
    "TotPerAbNew": ("persistent_absence_rate", ALL_SCHOOLS),
    "SFPriSevPerAbNew": ("severe_absence_rate", "Primary"),
    "SFSecSevPerAbNew": ("severe_absence_rate", "Secondary"),
    "SpecSevPerAbNew": ("severe_absence_rate", "Special"),
    "TotSevPerAbNew": ("severe_absence_rate", ALL_SCHOOLS),
}
#: The time series is rounded to two decimals by its publisher.
LAIT_DECIMALS = 2


def _end_year(text: str) -> int:
    """Return the academic year of an end year: "2023" is 2022/23."""
    if len(text) != 4 or not text.isdigit():
        raise ValueError(text)
    return academic_year_before(int(text) * 100 + (int(text) + 1) % 100)


def _rates(con: duckdb.DuckDBPyConnection, parts: list[str], source: Source) -> pa.Table:
    """Return MEASURE rows of several selects of: groups, measure, numerator, denominator, percent, ...

    Counts are given only where they reproduce the published rate: the totals of the attendance series
    are weighted by census headcount, so their counts divide to another figure.
    """
    union = " UNION ALL ".join(parts)
    return _arrow(
        con,
        "SELECT * EXCLUDE (numerator, denominator, percent),"
        " CASE WHEN agrees THEN numerator END AS numerator, CASE WHEN agrees THEN denominator END AS denominator,"
        " CAST(NULL AS DOUBLE) AS lower, CAST(NULL AS DOUBLE) AS upper, "
        f"{quoted(source.name)} AS source_file FROM ("
        "SELECT *, CASE WHEN printed = '' AND symbol = '' THEN numerator / denominator ELSE percent / 100 END AS rate,"
        " coalesce(denominator > 0 AND abs(numerator / denominator - rate) < 1e-9, FALSE) AS agrees"
        f" FROM ({union})) ORDER BY source_row, measure, reason",
    )


def read_la_time_series(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read the local authority time series: published percentages by phase, 2015/16 on, no counts.

    Years are end years. Regions stand in the same column as authorities, London as "London",
    "London (Inner)" and "London (Outer)". The numbers are stored with the noise of a spreadsheet
    (4.0599999999999996); ``printed`` is the shortest text of the same number (4.06).
    """
    wanted = ", ".join(quoted(name) for name in _LAIT)
    rows, dropped = read_raw(
        con, source, source.first, has_header=True, drop=f"{text_of('short desc')} NOT IN ({wanted})"
    )
    cells = Cells(con, source, percents=["values"])
    year = year_of(con, source, "years", _end_year)
    con.execute("ALTER TABLE raw ADD COLUMN place VARCHAR")
    con.execute(f"UPDATE raw SET place = concat_ws('|', {text_of('la number')}, {text_of('la and regions')})")
    places = []
    for place, number, name, first in con.execute(
        f"SELECT place, {text_of('la number')}, {text_of('la and regions')}, min(source_row) FROM raw GROUP BY ALL"
    ).fetchall():
        # Numbers from 970 are DfE's for England and the regions, so a name is looked at first.
        code = region_code(name)
        level = ("National" if code == "E92000001" else "Regional") if code else "Local authority"
        code = code or canonical_code(number)
        if not code:
            raise complain(source, first, "LA Number", number, "the DfE code of a local authority")
        places.append((place, code, level))
    put_places(con, places)
    measure = " ".join(f"WHEN {quoted(k)} THEN {quoted(m)}" for k, (m, _) in _LAIT.items())
    phase = " ".join(f"WHEN {quoted(k)} THEN {quoted(p)}" for k, (_, p) in _LAIT.items())
    groups = _groups(
        series="'census'",
        dataset="'la_time_series'",
        academic_year=year,
        period=quoted(PERIOD_YEAR),
        area_code="area_code",
        area_level="area_level",
        phase=f"(CASE {text_of('short desc')} {phase} END)",
    )
    number = number_of("values")
    select = (
        f"SELECT {groups}, CASE {text_of('short desc')} {measure} END AS measure,"
        " CAST(NULL AS DOUBLE) AS numerator, CAST(NULL AS DOUBLE) AS denominator,"
        f" {number} AS percent, {cells.symbol_of('values')} AS symbol, {quoted(ALL)} AS reason,"
        f" CASE WHEN {number} IS NULL THEN {text_of('values')}"
        f" ELSE regexp_replace(CAST({number} AS VARCHAR), '\\.0$', '') END AS printed, {LAIT_DECIMALS} AS decimals,"
        " source_row FROM raw JOIN places USING (place)"
    )
    left = {"measures that are not of all pupils by phase (looked-after, in need, four-year-olds)": dropped}
    return Part(rates=_rates(con, [select], source), rows=rows, left_out=left if dropped else {})


# --- absence by geography ------------------------------------------------------------------------------

_COUNTS = {
    "enrolments": "enrolments",
    "sessions_possible": "sess_possible",
    "sessions_authorised": "sess_authorised",
    "sessions_unauthorised": "sess_unauthorised",
    "sessions_covid": "sess_x_covid",
    "persistent_absentees": "enrolments_pa_10_exact",
    "severe_absentees": "enrolments_pa_50_exact",
    "sessions_possible_persistent": "sess_possible_pa_10_exact",
    "sessions_authorised_persistent": "sess_authorised_pa_10_exact",
    "sessions_unauthorised_persistent": "sess_unauthorised_pa_10_exact",
    "sessions_possible_severe": "sess_possible_pa_50_exact",
    "sessions_authorised_severe": "sess_authorised_pa_50_exact",
    "sessions_unauthorised_severe": "sess_unauthorised_pa_50_exact",
    **{name: name.replace("sessions_", "sess_", 1) for name in REASON_COLUMNS},
}
_TERMS = {"Autumn term": "autumn", "Spring term": "spring", "Summer term": "summer"}
_PERIODS = {"Academic year": PERIOD_YEAR, "Autumn and spring term": "autumn and spring", **_TERMS}
_BREAKDOWNS = {"five half terms": PERIOD_FIVE_HALF_TERMS, "six half terms": PERIOD_YEAR}


def _phase_column(source: Source) -> str | None:
    return next((name for name in ("school_type", "education_phase") if name in source.first), None)


def read_geography(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read census absence counts by area and school type ("annual_geography" and its relatives).

    Sessions by reason, enrolments and sessions of persistent absentees, and from 2022/23 of severe
    absentees where the file has them. ``sess_auth_ext_holiday`` (extended holiday, in use until 2014) is
    added to authorised holiday, as DfE's later files do. Until 2011/12 a year had five half terms; those
    rows have a period of their own, so that they are never taken for a full year. Rows of single
    schools are left out.
    """
    names = source.first
    drop = f"lower({text_of('geographic_level')}) NOT IN ('national', 'regional', 'local authority')"
    rows, dropped = read_raw(con, source, names, has_header=True, drop=drop)
    part = Part(rows=rows, left_out={"rows of single schools or of smaller areas": dropped} if dropped else {})
    if dropped == rows:
        return part
    counts = {ours: theirs for ours, theirs in _COUNTS.items() if theirs in names}
    extra = ["sess_overall"] + (["sess_auth_ext_holiday"] if "sess_auth_ext_holiday" in names else [])
    cells = Cells(con, source, counts=[*counts.values(), *extra])
    phase_column = _phase_column(source)
    phase = level_of(con, source, phase_column, _MAIN_PHASES) if phase_column else "'Pupil referral unit'"
    if layout.name == "absence_by_term":
        period = level_of(con, source, "term", {"Total": PERIOD_YEAR, **_TERMS})
    else:
        period = level_of(con, source, "time_identifier", _PERIODS)
        if "year_breakdown" in names:
            whole = level_of(con, source, "year_breakdown", _BREAKDOWNS)
            period = f"(CASE WHEN {period} = {quoted(PERIOD_YEAR)} THEN {whole} ELSE {period} END)"
    dataset = quoted(layout.name)
    if layout.name == "annual_geography":
        # Alternative provision is published apart and is never in "All schools".
        dataset = f"(CASE WHEN {phase} = 'Pupil referral unit' THEN 'alternative_provision' ELSE {dataset} END)"
    groups = _groups(
        series="'census'",
        dataset=dataset,
        academic_year=year_of(con, source, "time_period", parse_academic_year),
        period=period,
        area_code="area_code",
        area_level="area_level",
        phase=phase,
    )
    area_join(
        con,
        source,
        level="geographic_level",
        dfe_code="old_la_code",
        la_code="new_la_code",
        region="region_code",
        country="country_code",
    )
    _check_sum(con, source, "sess_overall", ("sess_authorised", "sess_unauthorised"))
    values = {ours: number_of(theirs) for ours, theirs in counts.items()}
    if "sess_auth_ext_holiday" in names and "sessions_auth_holiday" in values:
        extended = f"coalesce({number_of('sess_auth_ext_holiday')}, 0)"
        values["sessions_auth_holiday"] = f"({values['sessions_auth_holiday']} + {extended})"
    part.cells = _cells(con, groups, values, source)
    part.symbols = _symbols(con, groups, cells, counts, source)
    return part


def _check_sum(con: duckdb.DuckDBPyConnection, source: Source, total: str, terms: tuple[str, ...]) -> None:
    """Raise if a total is not the sum of its parts in any row that has them all."""
    added = " + ".join(number_of(name) for name in terms)
    row = con.execute(
        f"SELECT source_row, {text_of(total)} FROM raw WHERE {number_of(total)} <> {added} ORDER BY 1 LIMIT 1"
    ).fetchone()
    if row:
        raise complain(source, row[0], total, row[1], f"the sum of {' and '.join(terms)}")


# --- attendance series ---------------------------------------------------------------------------------

#: measure -> (sessions, percentage) as the file names them.
_ATTENDANCE = {
    "attendance_rate": ("overall_attendance", "attendance_perc"),
    "overall_absence_rate": ("overall_absence", "overall_absence_perc"),
    "authorised_absence_rate": ("authorised_absence", "authorised_absence_perc"),
    "unauthorised_absence_rate": ("unauthorised_absence", "unauthorised_absence_perc"),
    "persistent_absence_rate": ("", "pa_perc"),
}
#: reason -> sessions and percentage, under every name used since 2022/23.
_REASONS = {
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


def read_attendance(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read the attendance series: year to date and single terms, rates with sessions.

    Rates are the published percentages, unrounded. "All schools" rows are weighted by census headcount,
    so their sessions are not given. Persistent absence comes without counts. In 2022/23 the authorised
    total includes the X marks, which are given as the reason "not_required_x", and the column
    ``reason_d_aea_dual_registration`` is in no total: it is left out in every year. "Late sessions" (L
    and U marks together) is part of neither attendance nor absence and is left out too.
    """
    names = source.first
    rows, _ = read_raw(con, source, names, has_header=True)
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for measure, (sessions, percent) in _ATTENDANCE.items():
        found[measure, ALL] = (sessions if sessions in names else "", percent if percent in names else "")
    for reason, (session_names, percent) in _REASONS.items():
        sessions = next((name for name in session_names if name in names), "")
        percent = next((name for name in (percent, _RENAMED.get(percent, "")) if name in names), "")
        found["reason_rate", reason] = (sessions, percent)
    found = {key: pair for key, pair in found.items() if any(pair)}
    counts = list(dict.fromkeys(["possible_sessions", *(sessions for sessions, _ in found.values() if sessions)]))
    cells = Cells(con, source, counts=counts, percents=[percent for _, percent in found.values() if percent])
    phase_column = _phase_column(source)
    if phase_column is None:  # the layout asks for one of them
        raise UnreadableFileError(f"{source.name} has neither the column school_type nor education_phase.")
    groups = _groups(
        series="'attendance'",
        dataset="'attendance_series'",
        academic_year=year_of(con, source, "time_period", parse_academic_year),
        period=level_of(con, source, "time_identifier", {"Academic year": PERIOD_YEAR, **_TERMS}),
        area_code="area_code",
        area_level="area_level",
        phase=level_of(con, source, phase_column, _MAIN_PHASES),
    )
    area_join(
        con,
        source,
        level="geographic_level",
        dfe_code="old_la_code",
        la_code="new_la_code",
        region="region_code",
        country="country_code",
    )
    _check_sum(con, source, "possible_sessions", ("overall_attendance", "overall_absence"))
    _check_sum(con, source, "overall_absence", ("authorised_absence", "unauthorised_absence"))
    parts = []
    for (measure, reason), (sessions, percent) in found.items():
        numerator = number_of(sessions) if sessions else "CAST(NULL AS DOUBLE)"
        denominator = number_of("possible_sessions") if sessions else "CAST(NULL AS DOUBLE)"
        parts.append(
            f"SELECT {groups}, {quoted(measure)} AS measure, {numerator} AS numerator, {denominator} AS denominator,"
            f" {number_of(percent) if percent else 'NULL'} AS percent,"
            f" {cells.symbol_of(percent or sessions)} AS symbol, {quoted(reason)} AS reason,"
            f" {text_of(percent) if percent else quoted('')} AS printed, CAST(NULL AS INTEGER) AS decimals, source_row"
            " FROM raw JOIN places USING (place)"
            # Without a published percentage the sessions give the rate, but not for a weighted total.
            + ("" if percent else f" WHERE {text_of(phase_column)} NOT IN ('Total', 'All schools')")
        )
    return Part(rates=_rates(con, parts, source), rows=rows)


READERS = {
    "absence_bands": read_bands,
    "la_time_series": read_la_time_series,
    "annual_geography": read_geography,
    "alternative_provision": read_geography,
    "absence_by_term": read_geography,
    "attendance_series": read_attendance,
}
