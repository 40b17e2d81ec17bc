"""Census absence by area and school: full years, parts of years, terms, characteristics, four-year-olds."""

# ruff: noqa: S608 - SQL is put together from our own text; names and values of a file pass column() and quoted().

from __future__ import annotations

import duckdb

from attendance_toolkit.loaders.published._files import Source, read_raw, reject
from attendance_toolkit.loaders.published._layouts import Layout
from attendance_toolkit.loaders.published._parts import (
    PHASES,
    Part,
    check_schools,
    check_sum,
    groups,
    join_areas,
    phase_column,
    rate_select,
    rates_table,
    split_by_level,
)
from attendance_toolkit.loaders.published._periods import BREAKDOWNS, PERIOD_YEAR, PERIODS, TERM_PERIODS
from attendance_toolkit.loaders.published._values import Cells, level_of, number_of, quoted, text_of, year_of
from attendance_toolkit.vocabulary.calendar import parse_academic_year
from attendance_toolkit.vocabulary.characteristics import characteristic_levels, characteristic_of
from attendance_toolkit.vocabulary.columns import ALL, REASON_COLUMNS

#: Our count -> DfE's column.
COUNTS = {
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
#: Characteristics that are groups of their own in every published row.
_OWN_COLUMNS = ("nc_year", "sex", "fsm_eligible", "sen_provision")


def _other_levels(con: duckdb.DuckDBPyConnection, part: Part) -> None:
    """Leave rows of smaller areas (districts, constituencies) out: the toolkit has no figures of such areas."""
    known = "lower(" + text_of("geographic_level") + ") IN ('national', 'regional', 'local authority', 'school')"
    row = con.execute(f"SELECT count(*) FROM raw WHERE NOT {known}").fetchone()
    if row and row[0]:
        con.execute(f"DELETE FROM raw WHERE NOT {known}")
        part.left_out["rows of areas that are no local authority, region or nation"] = int(row[0])


def _period(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> str:
    if layout.name == "absence_by_term":
        return level_of(con, source, "term", {"Total": PERIOD_YEAR, **TERM_PERIODS})
    period = level_of(con, source, "time_identifier", PERIODS)
    if "year_breakdown" in source.first:
        whole = level_of(con, source, "year_breakdown", BREAKDOWNS)
        period = f"(CASE WHEN {period} = {quoted(PERIOD_YEAR)} THEN {whole} ELSE {period} END)"
    return period


def _counts_of(con: duckdb.DuckDBPyConnection, source: Source) -> tuple[Cells, dict[str, str], dict[str, str]]:
    """Return the checked number columns, our count -> the file's column, and our count -> its SQL."""
    names = source.first
    columns = {ours: theirs for ours, theirs in COUNTS.items() if theirs in names}
    extra = ["sess_overall"] + (["sess_auth_ext_holiday"] if "sess_auth_ext_holiday" in names else [])
    cells = Cells(con, source, counts=[*columns.values(), *extra])
    values = {ours: number_of(theirs) for ours, theirs in columns.items()}
    if "sess_auth_ext_holiday" in names and "sessions_auth_holiday" in values:
        extended = f"coalesce({number_of('sess_auth_ext_holiday')}, 0)"
        values["sessions_auth_holiday"] = f"({values['sessions_auth_holiday']} + {extended})"
    return cells, columns, values


def read_geography(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read census absence counts by area and school type ("annual_geography" and its relatives).

    Sessions by reason, enrolments and sessions of persistent absentees, and from 2022/23 of severe
    absentees where the file has them. ``sess_auth_ext_holiday`` (extended holiday, in use until 2014) is
    added to authorised holiday, as DfE's later files do. Until 2011/12 a year had five half terms; those
    rows have a period of their own, so that they are never taken for a full year. Rows of single
    schools are kept apart from those of areas.
    """
    rows, _ = read_raw(con, source, source.first, has_header=True)
    part = Part(rows=rows)
    _other_levels(con, part)
    check_schools(con, source)
    cells, columns, values = _counts_of(con, source)
    phase_name = phase_column(source)
    phase = level_of(con, source, phase_name, PHASES) if phase_name else "'Pupil referral unit'"
    dataset = quoted(layout.name)
    if layout.name == "annual_geography":
        # Alternative provision is published apart and is never in "All schools".
        dataset = f"(CASE WHEN {phase} = 'Pupil referral unit' THEN 'alternative_provision' ELSE {dataset} END)"
    select = groups(
        series="'census'",
        dataset=dataset,
        academic_year=year_of(con, source, "time_period", parse_academic_year),
        period=_period(con, source, layout),
        area_code="area_code",
        area_level="area_level",
        phase=phase,
    )
    join_areas(con, source)
    check_sum(con, source, "sess_overall", ("sess_authorised", "sess_unauthorised"))
    overall = {"sessions_overall": number_of("sess_overall")}
    split_by_level(con, source, part, select, cells, values, columns, school_values=overall)
    return part


# --- by characteristic ---------------------------------------------------------------------------------

#: Columns of topic and item, the most particular first; "" has the topic in the item ("Gender_female").
_ITEMS = (
    ("breakdown_topic", "breakdown"),
    ("characteristic", "characteristic_breakdown"),
    ("", "characteristic_breakdown"),
    ("", "characteristic"),
)


def _characteristic(con: duckdb.DuckDBPyConnection, source: Source) -> tuple[str, str, dict[str, str]]:
    """Return the SQL of characteristic and level, and of those characteristics that are groups of their own."""
    names = source.first
    topic, item = next((t, i) for t, i in _ITEMS if i in names and (not t or t in names))
    topic_sql = text_of(topic) if topic else "''"
    key = f"concat_ws('|', {topic_sql}, {text_of(item)})"
    which, level = [], []
    own: dict[str, list[str]] = {name: [] for name in _OWN_COLUMNS}
    found = con.execute(f"SELECT {key} AS k, {topic_sql}, {text_of(item)} FROM raw GROUP BY ALL ORDER BY k").fetchall()
    for text, topic_text, item_text in found:
        try:
            ours = characteristic_of(topic_text, item_text)
        except KeyError:
            wanted = " ".join(topic_text.replace("_", " ").split()).casefold()
            near = sorted(i for t, i in characteristic_levels() if t == wanted)
            allowed = "one of the levels of DfE's files" + (f": {'; '.join(near)}" if topic and near else "")
            reject(
                con,
                source,
                "published_level",
                f"{key} = ?",
                [text],
                column=item,
                value=text.strip("|"),
                allowed=allowed,
            )
            continue
        which.append(f"WHEN {quoted(text)} THEN {quoted(ours[0])}")
        level.append(f"WHEN {quoted(text)} THEN {quoted(ours[1])}")
        if ours[0] in own:
            own[ours[0]].append(f"WHEN {quoted(text)} THEN {quoted(ours[1])}")

    def case(whens: list[str]) -> str:
        return f"(CASE {key} {' '.join(whens)} ELSE {quoted(ALL)} END)" if whens else quoted(ALL)

    return case(which), case(level), {name: case(whens) for name, whens in own.items() if whens}


def read_characteristics(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read census absence by pupil characteristic, one at a time, in every layout since 2018.

    2018: term, year, level, characteristic. 2019: time_period, time_identifier, level,
    characteristic_breakdown. Later: geographic_level with ``characteristic`` and
    ``characteristic_breakdown``, then with ``breakdown_topic`` and ``breakdown``. A level is named as in the
    toolkit (vocabulary/reference/characteristic_levels.csv). National rows are rounded to 5.
    """
    names = source.first
    rows, _ = read_raw(con, source, names, has_header=True)
    part = Part(rows=rows)
    level_name = "geographic_level" if "geographic_level" in names else "level"
    if level_name == "geographic_level":
        _other_levels(con, part)
        check_schools(con, source)
    cells, columns, values = _counts_of(con, source)
    characteristic, level, own = _characteristic(con, source)
    year_name, time_name = ("time_period", "time_identifier") if "time_period" in names else ("year", "term")
    phase_name = phase_column(source) or "school_type"
    period_name = "absence_terms" if "absence_terms" in names else time_name
    select = groups(
        series="'census'",
        dataset=quoted(layout.name),
        academic_year=year_of(con, source, year_name, parse_academic_year),
        period=level_of(con, source, period_name, PERIODS),
        area_code="area_code",
        area_level="area_level",
        phase=level_of(con, source, phase_name, PHASES),
        characteristic=characteristic,
        characteristic_level=level,
        **own,
    )
    join_areas(con, source, level=level_name)
    check_sum(con, source, "sess_overall", ("sess_authorised", "sess_unauthorised"))
    split_by_level(con, source, part, select, cells, values, columns)
    return part


# --- four-year-olds ------------------------------------------------------------------------------------


def read_four_year_olds(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read the absence of four-year-olds: overall absence only, a series of its own.

    They are below compulsory school age and in no other absence figure. Areas give cells (enrolments and
    possible sessions) and rates; schools give ``sessions_overall``.
    """
    rows, _ = read_raw(con, source, source.first, has_header=True)
    part = Part(rows=rows)
    _other_levels(con, part)
    check_schools(con, source)
    columns = {"enrolments": "enrolments", "sessions_possible": "sess_possible"}
    cells = Cells(con, source, counts=[*columns.values(), "sess_overall"], percents=["sess_overall_percent"])
    select = groups(
        series="'four_year_olds'",
        dataset=quoted(layout.name),
        academic_year=year_of(con, source, "time_period", parse_academic_year),
        period=level_of(con, source, "time_identifier", PERIODS),
        area_code="area_code",
        area_level="area_level",
        phase=level_of(con, source, phase_column(source) or "school_type", PHASES),
        characteristic="'age'",
        characteristic_level="'4'",
    )
    join_areas(con, source)
    values = {ours: number_of(theirs) for ours, theirs in columns.items()}
    overall = {"sessions_overall": "sess_overall"}
    sql = {name: number_of(column) for name, column in overall.items()}
    split_by_level(con, source, part, select, cells, values, columns, school_values=sql, school_columns=overall)
    # A suppressed or impossible percentage is a symbol, though its counts may be there.
    rate = rate_select(
        select,
        "overall_absence_rate",
        numerator=number_of("sess_overall"),
        denominator=f"nullif({number_of('sess_possible')}, 0)",
        symbol=f"(CASE WHEN {number_of('sess_overall')} IS NULL THEN {cells.symbol_of('sess_overall')}"
        f" ELSE {cells.symbol_of('sess_overall_percent')} END)",
        printed=text_of("sess_overall_percent"),
        where="area_level <> 'School'",
    )
    part.rates = rates_table(con, [rate], source)
    return part


# --- enrolments that missed at least one session -------------------------------------------------------


def read_missed_any(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read enrolments that missed at least one session, in all and by reason.

    Areas give rates (``missed_any_rate``; ``reason`` is "All", "authorised", "unauthorised" or a reason). The
    numbers are not additive over reasons: a pupil may miss sessions for several.
    """
    names = source.first
    rows, _ = read_raw(con, source, names, has_header=True)
    part = Part(rows=rows)
    _other_levels(con, part)
    check_schools(con, source)
    missed = {name: name.replace("enrol_", "missed_any_", 1) for name in names if name.startswith("enrol_")}
    missed = {theirs: "missed_any" if theirs == "enrol_overall" else ours for theirs, ours in missed.items()}
    cells = Cells(con, source, counts=["enrolments", *missed])
    select = groups(
        series="'census'",
        dataset=quoted(layout.name),
        academic_year=year_of(con, source, "time_period", parse_academic_year),
        period=level_of(con, source, "time_identifier", PERIODS),
        area_code="area_code",
        area_level="area_level",
        phase=level_of(con, source, phase_column(source) or "school_type", PHASES),
    )
    join_areas(con, source)
    columns = {"enrolments": "enrolments"}
    values = {"enrolments": number_of("enrolments")}
    school_columns = {ours: theirs for theirs, ours in missed.items()}
    school_values = {ours: number_of(theirs) for ours, theirs in school_columns.items()}
    split_by_level(
        con, source, part, select, cells, values, columns, school_values=school_values, school_columns=school_columns
    )
    parts = [
        rate_select(
            select,
            "missed_any_rate",
            numerator=number_of(theirs),
            denominator=f"nullif({number_of('enrolments')}, 0)",
            symbol=f"(CASE WHEN {number_of(theirs)} IS NULL THEN {cells.symbol_of(theirs)}"
            f" ELSE {cells.symbol_of('enrolments')} END)",
            reason=ALL if ours == "missed_any" else ours.removeprefix("missed_any_"),
            where="area_level <> 'School'",
        )
        for theirs, ours in missed.items()
    ]
    part.rates = rates_table(con, parts, source)
    return part


def read_percent_bands(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read enrolments by one-point band of overall, authorised and unauthorised absence (national only).

    The band is ``characteristic_level`` as DfE writes it ("10.00 - 10.99"; "All" is the total); it holds the rate
    from its first number to below the next band's. The denominator is the total row of its year and school type.
    """
    rows, _ = read_raw(con, source, source.first, has_header=True)
    kinds = {
        "percent_band_rate": "overall",
        "percent_band_rate_authorised": "authorised",
        "percent_band_rate_unauthorised": "unauthorised",
    }
    counts = [f"enrolments_{kind}" for kind in kinds.values()]
    cells = Cells(con, source, counts=counts, percents=[f"{name}_percent" for name in counts])
    band = f"(CASE WHEN lower({text_of('percent_bands')}) = 'total' THEN {quoted(ALL)} ELSE {text_of('percent_bands')} END)"
    select = groups(
        series="'census'",
        dataset=quoted(layout.name),
        academic_year=year_of(con, source, "time_period", parse_academic_year),
        period=level_of(con, source, "time_identifier", PERIODS),
        area_code="area_code",
        area_level="area_level",
        phase=level_of(con, source, phase_column(source) or "school_type", PHASES),
        characteristic="'percent_band'",
        characteristic_level=band,
    )
    join_areas(con, source)
    parts = [
        rate_select(
            select,
            measure,
            numerator=number_of(f"enrolments_{kind}"),
            denominator=f"max(CASE WHEN {band} = {quoted(ALL)} THEN {number_of(f'enrolments_{kind}')} END)"
            f" OVER (PARTITION BY place, time_period, time_identifier, {phase_column(source)})",
            symbol=cells.symbol_of(f"enrolments_{kind}"),
            printed=text_of(f"enrolments_{kind}_percent"),
        )
        for measure, kind in kinds.items()
    ]
    return Part(rates=rates_table(con, parts, source), rows=rows)
