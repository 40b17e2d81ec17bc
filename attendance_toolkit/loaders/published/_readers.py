"""Which function reads which layout."""

from __future__ import annotations

from collections.abc import Callable

import duckdb

from attendance_toolkit.loaders.published import group_comparators, performance, social_care
from attendance_toolkit.loaders.published._attendance import read_attendance, read_persistent, read_reasons
from attendance_toolkit.loaders.published._bands import read_bands, read_bands_early, read_bands_named
from attendance_toolkit.loaders.published._files import Source
from attendance_toolkit.loaders.published._geography import (
    read_characteristics,
    read_four_year_olds,
    read_geography,
    read_missed_any,
    read_percent_bands,
)
from attendance_toolkit.loaders.published._layouts import Layout
from attendance_toolkit.loaders.published._parts import Part
from attendance_toolkit.loaders.published._time_series import read_la_time_series

Reader = Callable[[duckdb.DuckDBPyConnection, Source, Layout], Part]

#: Layout -> its reader. A reader gets the file's head and reads it into the table ``raw`` of the connection.
READERS: dict[str, Reader] = {
    "absence_bands": read_bands,
    "absence_bands_named": read_bands_named,
    "absence_bands_early": read_bands_early,
    "la_time_series": read_la_time_series,
    "annual_geography": read_geography,
    "alternative_provision": read_geography,
    "absence_by_term": read_geography,
    "absence_by_characteristic": read_characteristics,
    "four_year_olds": read_four_year_olds,
    "missed_any": read_missed_any,
    "percent_bands": read_percent_bands,
    "attendance_series": read_attendance,
    "attendance_weekly": read_attendance,
    "attendance_daily": read_attendance,
    "attendance_dashboard": read_attendance,
    "attendance_persistent": read_persistent,
    "attendance_reasons": read_reasons,
    **social_care.READERS,
    **performance.READERS,
    **group_comparators.READERS,
}
