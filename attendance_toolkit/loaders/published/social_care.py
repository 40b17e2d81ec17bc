"""Absence of children in need, on protection plans and looked after ("Outcomes for children in need")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attendance_toolkit.loaders.published._files import read_raw
from attendance_toolkit.loaders.published._parts import (
    PHASES,
    Part,
    cells_table,
    groups,
    join_areas,
    rate_select,
    rates_table,
    symbols_table,
)
from attendance_toolkit.loaders.published._periods import PERIOD_YEAR
from attendance_toolkit.loaders.published._values import Cells, level_of, number_of, text_of, year_of
from attendance_toolkit.vocabulary.calendar import parse_academic_year

if TYPE_CHECKING:
    import duckdb

    from attendance_toolkit.loaders.published._files import Source
    from attendance_toolkit.loaders.published._layouts import Layout

#: DfE's groups, as they are named in the file and here, with what they mean.
SOCIAL_CARE_GROUPS = {
    "CINO at 31 March": "children in need, without those on a protection plan or looked after, at 31 March",
    "CPPO at 31 March": "children on a child protection plan, without those looked after, at 31 March",
    "CLA 12 months at 31 March": "children looked after for at least 12 months at 31 March",
}
#: Arguments of the layout by which the file is recognised.
LAYOUTS: tuple[dict[str, Any], ...] = (
    {
        "name": "social_care_absence",
        "title": "absence of children in need, on protection plans and looked after (social_care_group, t_pupils)",
        "needs": frozenset(
            {"time_period", "geographic_level", "social_care_group", "school_type", "t_pupils", "t_sess_possible",
             "pt_overall"}
        ),
        "feeds": "figures of children in need, on protection plans and looked after",
    },
)  # fmt: skip
_COUNTS = {
    "enrolments": "t_pupils",
    "sessions_possible": "t_sess_possible",
    "sessions_authorised": "t_sess_authorised",
    "sessions_unauthorised": "t_sess_unauthorised",
    "persistent_absentees": "t_pupils_pa_10_exact",
    "severe_absentees": "t_pupils_pa_50_exact",
}
#: measure -> (count, percentage) as the file names them.
_RATES = {
    "overall_absence_rate": ("t_sess_overall", "pt_overall"),
    "authorised_absence_rate": ("t_sess_authorised", "pt_sess_authorised"),
    "unauthorised_absence_rate": ("t_sess_unauthorised", "pt_sess_unauthorised"),
    "persistent_absence_rate": ("t_pupils_pa_10_exact", "pt_pupils_pa_10_exact"),
    "severe_absence_rate": ("t_pupils_pa_50_exact", "pt_pupils_pa_50_exact"),
}
_DECIMALS = 1


def read_social_care(con: duckdb.DuckDBPyConnection, source: Source, layout: Layout) -> Part:
    """Read the absence of social care groups by area and school type: counts rounded to 10, and percentages.

    The group is ``characteristic_level`` of the characteristic "social_care_group", and the rows are the series
    "social_care", so that they never stand for all pupils. ``enrolments`` holds **pupils**. Rates are the
    percentages as printed, to one decimal, since the rounded counts would give slightly different ones; the
    sessions and pupils are in the cells. "All schools" (DfE's total) includes alternative provision.

    Returns
    -------
    Cells, rates and symbols; c is suppressed, x not available (2019/20), z not applicable, ~ rounds to 0.
    """
    names = source.first
    rows, _ = read_raw(con, source, names, has_header=True)
    counts = {ours: theirs for ours, theirs in _COUNTS.items() if theirs in names}
    rates = {measure: about for measure, about in _RATES.items() if set(about) <= set(names)}
    numbers = dict.fromkeys([*counts.values(), *(about[0] for about in rates.values())])
    cells = Cells(con, source, counts=list(numbers), percents=[about[1] for about in rates.values()])
    select = groups(
        series="'social_care'",
        dataset="'social_care_absence'",
        academic_year=year_of(con, source, "time_period", parse_academic_year),
        period=level_of(con, source, "year_breakdown", {"Six half terms": PERIOD_YEAR})
        if "year_breakdown" in names
        else level_of(con, source, "time_identifier", {"Academic year": PERIOD_YEAR}),
        area_code="area_code",
        area_level="area_level",
        phase=level_of(con, source, "school_type", PHASES),
        characteristic="'social_care_group'",
        characteristic_level=level_of(con, source, "social_care_group", {name: name for name in SOCIAL_CARE_GROUPS}),
    )
    join_areas(con, source)
    parts = [
        rate_select(
            select,
            measure,
            percent=number_of(percent),
            symbol=cells.symbol_of(percent),
            printed=text_of(percent),
            decimals=_DECIMALS,
        )
        for measure, (_, percent) in rates.items()
    ]
    return Part(
        cells=cells_table(con, select, {ours: number_of(theirs) for ours, theirs in counts.items()}, source),
        rates=rates_table(con, parts, source),
        symbols=symbols_table(con, select, cells, counts, source),
        rows=rows,
    )


READERS = {"social_care_absence": read_social_care}
