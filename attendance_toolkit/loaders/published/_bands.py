"""Enrolments by band of overall absence, in DfE's three layouts."""

# ruff: noqa: S608 - SQL is put together from our own text; names and values of a file pass column() and quoted().

from __future__ import annotations

import duckdb

from attendance_toolkit.loaders.published._files import Source, read_raw, reject
from attendance_toolkit.loaders.published._layouts import Layout
from attendance_toolkit.loaders.published._parts import (
    PHASES,
    Part,
    cells_table,
    groups,
    join_areas,
    phase_column,
    rate_select,
    rates_table,
    symbols_table,
)
from attendance_toolkit.loaders.published._periods import PERIODS
from attendance_toolkit.loaders.published._values import Cells, level_of, number_of, quoted, year_of
from attendance_toolkit.vocabulary.calendar import parse_academic_year
from attendance_toolkit.vocabulary.characteristics import levels_of_column
from attendance_toolkit.vocabulary.columns import ALL, BAND_COLUMNS

BANDS_COLUMNS = (
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
#: The 21 bands of the later layout: its column -> the band of the toolkit.
_NAMED = {
    **{f"enrolments_overall_{low}_{low + 5}": min(low // 5, 10) for low in range(0, 95, 5)},
    "enrolments_overall_95_99": 10,
    "enrolments_overall_100": 10,
}


def _band_values(bands: list[str]) -> dict[str, str]:
    """Return count -> SQL from the SQL of eleven bands: persistent absentees are those from 10% up."""
    return {
        "enrolments": " + ".join(bands),
        "persistent_absentees": " + ".join(bands[2:]),
        "severe_absentees": bands[-1],
        **dict(zip(BAND_COLUMNS, bands, strict=True)),
    }


def read_bands(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read the absence bands: enrolments in eleven bands of overall absence, fully cross-classified.

    The file has no header: column names are those of DfE's dashboard code (``global.R``). ``pct5`` is
    0 to under 5% absence, ..., ``pct50plus`` 50% and over, so persistent absentees are the bands from
    ``pct15`` up and severe absentees the last. There are no total rows: cells are added up.
    """
    rows, _ = read_raw(con, source, BANDS_COLUMNS, has_header=False)
    bands = BANDS_COLUMNS[15:]
    cells = Cells(con, source, counts=bands)
    select = groups(
        series="'census'",
        dataset="'absence_bands'",
        academic_year=year_of(con, source, "time_period", parse_academic_year),
        period=level_of(con, source, "time_identifier", PERIODS),
        area_code="area_code",
        area_level="area_level",
        phase=level_of(con, source, "school_type", PHASES),
        nc_year=level_of(con, source, "nc_year", levels_of_column("nc_year_column")),
        sex=level_of(con, source, "gender", levels_of_column("sex_column")),
        fsm_eligible=level_of(con, source, "fsm_eligible", levels_of_column("fsm_eligible")),
        sen_provision=level_of(con, source, "sen_status", levels_of_column("sen_status_column")),
    )
    join_headerless(con, source)
    columns = dict(zip(BAND_COLUMNS, bands, strict=True))
    values = _band_values([number_of(name) for name in bands])
    return Part(
        cells=cells_table(con, select, values, source),
        symbols=symbols_table(con, select, cells, columns, source),
        rows=rows,
    )


def join_headerless(con: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Make the table ``places`` of a file without a header."""
    join_areas(con, Source(source.path, BANDS_COLUMNS, (), source.has_bom, source.given, 0, source.findings))


def read_bands_named(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read the later layout of the absence bands: a header and 21 bands, the last two 95 to under 100% and 100%.

    Bands from 50% up are added to the toolkit's last band, and the last column is kept as the rate of those who
    missed every session. Rows with a total in a filter have a dataset of their own ("absence_bands_totals"), so
    that the cells of "absence_bands" may be added up as those of the earlier layout.
    """
    names = source.first
    rows, _ = read_raw(con, source, names, has_header=True)
    cells = Cells(con, source, counts=list(_NAMED))
    phase = level_of(con, source, phase_column(source) or "phase_type_grouping", PHASES)
    by = {
        "nc_year": level_of(con, source, "nc_year", levels_of_column("nc_year_column")),
        "sex": level_of(con, source, "sex", levels_of_column("sex_column")),
        "fsm_eligible": level_of(con, source, "fsm_eligibility", levels_of_column("fsm_eligibility")),
        "sen_provision": level_of(con, source, "sen_status", levels_of_column("sen_status_column")),
    }
    is_total = " OR ".join([f"{phase} = 'All schools'", *(f"{sql} = {quoted(ALL)}" for sql in by.values())])
    select = groups(
        series="'census'",
        dataset=f"(CASE WHEN {is_total} THEN 'absence_bands_totals' ELSE 'absence_bands' END)",
        academic_year=year_of(con, source, "time_period", parse_academic_year),
        period=level_of(con, source, "time_identifier", PERIODS),
        area_code="area_code",
        area_level="area_level",
        phase=phase,
        **by,
    )
    join_areas(con, source)
    parts: list[list[str]] = [[] for _ in BAND_COLUMNS]
    for name, band in _NAMED.items():
        parts[band].append(number_of(name))
    values = _band_values([f"({' + '.join(part)})" for part in parts])
    columns = {name: name for name in _NAMED}  # a symbol is kept under the name of its own column
    full = rate_select(
        select,
        "full_absence_rate",
        numerator=number_of("enrolments_overall_100"),
        denominator=f"nullif({values['enrolments']}, 0)",
        symbol=cells.symbol_of("enrolments_overall_100"),
    )
    return Part(
        cells=cells_table(con, select, values, source),
        rates=rates_table(con, [full], source),
        symbols=symbols_table(con, select, cells, columns, source),
        rows=rows,
    )


def _one_row_each(con: duckdb.DuckDBPyConnection, source: Source, keys: str) -> None:
    """Set repeated rows aside, or raise: added to a cell they would count pupils twice."""
    query = f"SELECT source_row FROM raw QUALIFY row_number() OVER (PARTITION BY {keys}, absence_band ORDER BY source_row) > 1"
    rows = [row[0] for row in con.execute(f"{query} ORDER BY 1").fetchall()]
    if rows:
        found = con.execute("SELECT absence_band FROM raw WHERE source_row = ?", [rows[0]]).fetchone()
        reject(
            con,
            source,
            "published_repeated",
            "list_contains(CAST(? AS BIGINT[]), source_row)",
            [rows],
            column="absence_band",
            value=str(found[0]) if found else "",
            allowed="one row for each group and band",
        )


#: Bands of the early national layout, in order.
_EARLY = (*(f"pct{edge}_oarate" for edge in range(5, 55, 5)), "pct50plus_oarate")


def read_bands_early(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read the early national bands: one row for each band of a group, eleven of which make a cell.

    DfE's "Other" school type is taken for alternative provision ("Pupil referral unit"): the file does not say so, but
    two thirds and more of its pupils are persistent absentees.
    """
    rows, _ = read_raw(con, source, source.first, has_header=True)
    Cells(con, source, counts=["totalpupils"])
    band = level_of(con, source, "absence_band", {name: name for name in _EARLY})
    select = groups(
        series="'census'",
        dataset=quoted(layout.name),
        academic_year=year_of(con, source, "time_period", parse_academic_year),
        period=level_of(con, source, "time_identifier", PERIODS),
        area_code="area_code",
        area_level="area_level",
        phase=level_of(con, source, "school_type", {**PHASES, "Other": "Pupil referral unit"}),
        nc_year=level_of(con, source, "ncyearactual", levels_of_column("nc_year_column")),
        sex=level_of(con, source, "gender", levels_of_column("sex_column")),
        fsm_eligible=level_of(con, source, "fsm_eligible", levels_of_column("fsm_eligible")),
    )
    join_areas(con, source)
    keys = "place, time_period, time_identifier, school_type, fsm_eligible, gender, ncyearactual"
    _one_row_each(con, source, keys)
    number = number_of("totalpupils")
    pivot = ", ".join(
        f"sum({number}) FILTER (WHERE {band} = {quoted(name)}) AS {ours}"
        for name, ours in zip(_EARLY, BAND_COLUMNS, strict=True)
    )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE raw AS SELECT {keys}, min(source_row) AS source_row, {pivot} FROM raw GROUP BY ALL"
    )
    return Part(cells=cells_table(con, select, _band_values(list(BAND_COLUMNS)), source), rows=rows)
