"""DfE's local authority time series (LAIT): yearly rates of all pupils, four-year-olds and social care groups."""

# ruff: noqa: S608 - SQL is put together from our own text; names and values of a file pass column() and quoted().

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from attendance_toolkit.loaders.published._files import Source, read_raw, reject
from attendance_toolkit.loaders.published._layouts import Layout
from attendance_toolkit.loaders.published._parts import Part, groups, rates_table
from attendance_toolkit.loaders.published._periods import PERIOD_YEAR
from attendance_toolkit.loaders.published._values import (
    Cells,
    canonical_code,
    number_of,
    put_places,
    quoted,
    region_code,
    text_of,
    year_of,
)
from attendance_toolkit.vocabulary.calendar import academic_year_before
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS

#: DfE's code -> measure, phase.
ALL_PUPILS = {
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
_CIN, _CPP, _CLA = "CINO at 31 March", "CPPO at 31 March", "CLA 12 months at 31 March"
#: DfE's code -> series, measure, characteristic, level: pupils who are a group apart, always of all schools.
GROUPS = {
    "4yrAbsence": ("four_year_olds", "overall_absence_rate", "age", "4"),
    "CINTotalAb_3Term": ("social_care", "overall_absence_rate", "social_care_group", _CIN),
    "CINAuthAb_3Term": ("social_care", "authorised_absence_rate", "social_care_group", _CIN),
    "CINUnauthAb_3Term": ("social_care", "unauthorised_absence_rate", "social_care_group", _CIN),
    "CINPermAbsent_3Term": ("social_care", "persistent_absence_rate", "social_care_group", _CIN),
    "CPPTotalAb_3Term": ("social_care", "overall_absence_rate", "social_care_group", _CPP),
    "CPPPerAbs_3Term": ("social_care", "persistent_absence_rate", "social_care_group", _CPP),
    "LAC_Over_Abs": ("social_care", "overall_absence_rate", "social_care_group", _CLA),
    "LAC_Unauth": ("social_care", "unauthorised_absence_rate", "social_care_group", _CLA),
    "LAC_Pers_Abs": ("social_care", "persistent_absence_rate", "social_care_group", _CLA),
}
#: Code -> (series, measure, phase, characteristic, level).
CODES = {code: ("census", measure, phase, ALL, ALL) for code, (measure, phase) in ALL_PUPILS.items()} | {
    code: (series, measure, ALL_SCHOOLS, name, level) for code, (series, measure, name, level) in GROUPS.items()
}
#: The time series is rounded to two decimals by its publisher.
LAIT_DECIMALS = 2


def end_year(text: str) -> int:
    """Return the academic year of an end year: "2023" is 2022/23."""
    if len(text) != 4 or not text.isdigit():
        raise ValueError(text)
    return academic_year_before(int(text) * 100 + (int(text) + 1) % 100)


def _places(con: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Make the table ``places``; regions and England stand in the same column as authorities."""
    con.execute("ALTER TABLE raw ADD COLUMN place VARCHAR")
    con.execute(f"UPDATE raw SET place = concat_ws('|', {text_of('la number')}, {text_of('la and regions')})")
    places = []
    found = con.execute(
        f"SELECT place, {text_of('la number')}, {text_of('la and regions')}, min(source_row) FROM raw GROUP BY ALL"
    ).fetchall()
    for place, number, name, _ in sorted(found, key=lambda row: row[3]):
        # Numbers from 970 are DfE's for England and the regions, so a name is looked at first.
        code = region_code(name)
        level = ("National" if code == "E92000001" else "Regional") if code else "Local authority"
        code = code or canonical_code(number)
        if not code:
            allowed = "the DfE code of a local authority"
            reject(
                con, source, "published_area", "place = ?", [place], column="LA Number", value=number, allowed=allowed
            )
            continue
        places.append((place, code, level))
    put_places(con, places)


def read_la_time_series(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read the local authority time series: published percentages by phase, 2015/16 on, no counts.

    Years are end years. Regions stand in the same column as authorities, London as "London",
    "London (Inner)" and "London (Outer)". The numbers are stored with the noise of a spreadsheet
    (4.0599999999999996); ``printed`` is the shortest text of the same number (4.06). Four-year-olds and
    children in need, on protection plans and looked after are series of their own, with the group in
    ``characteristic_level``.
    """
    wanted = ", ".join(quoted(name) for name in CODES)
    rows, dropped = read_raw(
        con, source, source.first, has_header=True, drop=f"{text_of('short desc')} NOT IN ({wanted})"
    )
    cells = Cells(con, source, percents=["values"])
    year = year_of(con, source, "years", end_year)
    _places(con, source)

    def of_code(at: int) -> str:
        whens = " ".join(f"WHEN {quoted(code)} THEN {quoted(about[at])}" for code, about in CODES.items())
        return f"(CASE {text_of('short desc')} {whens} END)"

    select = groups(
        series=of_code(0),
        dataset="'la_time_series'",
        academic_year=year,
        period=quoted(PERIOD_YEAR),
        area_code="area_code",
        area_level="area_level",
        phase=of_code(2),
        characteristic=of_code(3),
        characteristic_level=of_code(4),
    )
    number = number_of("values")
    query = (
        f"SELECT {select}, {of_code(1)} AS measure,"
        " CAST(NULL AS DOUBLE) AS numerator, CAST(NULL AS DOUBLE) AS denominator,"
        f" {number} AS percent, {cells.symbol_of('values')} AS symbol, {quoted(ALL)} AS reason,"
        f" CASE WHEN {number} IS NULL THEN {text_of('values')}"
        f" ELSE regexp_replace(CAST({number} AS VARCHAR), '\\.0$', '') END AS printed, {LAIT_DECIMALS} AS decimals,"
        " source_row FROM raw JOIN places USING (place)"
    )
    return Part(rates=rates_table(con, [query], source), rows=rows, left_out=_left(dropped))


def _left(dropped: int, reason: str = "measures that are not of absence") -> dict[str, int]:
    return {reason: dropped} if dropped else {}


def described_codes(rows: Sequence[dict[str, str]]) -> dict[str, str]:
    """Return code -> what DfE says it is, of the rows of the time series' data dictionary."""
    return {row["measure_short"]: row["measure"] for row in rows if row["measure_short"]}
