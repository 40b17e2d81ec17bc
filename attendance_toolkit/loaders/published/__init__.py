"""Read DfE's published files: counts as CELLS, published rates as MEASURE rows."""

from attendance_toolkit.loaders.published._attendance import NOT_REQUIRED
from attendance_toolkit.loaders.published._metadata import read_metadata
from attendance_toolkit.loaders.published._periods import PERIOD_FIVE_HALF_TERMS, PERIOD_YEAR, period_kind
from attendance_toolkit.loaders.published._published import (
    Provenance,
    Published,
    Unrecognised,
    area_codes,
    read_published,
)
from attendance_toolkit.loaders.published._recognise import recognise
from attendance_toolkit.loaders.published._screen import screen_published

__all__ = [
    "NOT_REQUIRED",
    "PERIOD_FIVE_HALF_TERMS",
    "PERIOD_YEAR",
    "Provenance",
    "Published",
    "Unrecognised",
    "area_codes",
    "period_kind",
    "read_metadata",
    "read_published",
    "recognise",
    "screen_published",
]
