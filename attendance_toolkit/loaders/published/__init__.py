"""Read DfE's published files: counts as CELLS, published rates as MEASURE rows."""

from attendance_toolkit.loaders.published._published import (
    Provenance,
    Published,
    Unrecognised,
    area_codes,
    read_published,
)
from attendance_toolkit.loaders.published._readers import NOT_REQUIRED, PERIOD_FIVE_HALF_TERMS, PERIOD_YEAR

__all__ = [
    "NOT_REQUIRED",
    "PERIOD_FIVE_HALF_TERMS",
    "PERIOD_YEAR",
    "Provenance",
    "Published",
    "Unrecognised",
    "area_codes",
    "read_published",
]
