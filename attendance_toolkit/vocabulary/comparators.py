"""Reference values: England, the North West and the Greater Manchester authorities by phase and year."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from attendance_toolkit.vocabulary._reference import read_reference
from attendance_toolkit.vocabulary.areas import all_areas, find_area
from attendance_toolkit.vocabulary.calendar import parse_academic_year
from attendance_toolkit.vocabulary.columns import ALL, MEASURE_CORE, PUBLISHED_GROUPS

if TYPE_CHECKING:
    import pandas as pd

_DATASETS = {"census": "la_time_series", "attendance": "attendance_series"}


def comparators(
    areas: Iterable[str] | None = None,
    years: Iterable[int | str] | None = None,
    *,
    series: str | None = None,
) -> pd.DataFrame:
    """Return published reference values as MEASURE rows, the two series kept apart.

    Parameters
    ----------
    areas, years
        Names or codes of areas and academic years to keep; None means all.
    series
        "census" (2015/16 on, to two decimals; none for 2019/20) or "attendance" (2022/23 on; unrounded,
        but 2025/26, which ends on 10 July 2026, to one decimal); None means both.

    Returns
    -------
    PUBLISHED_GROUPS and MEASURE_CORE (rate 0 to 1; no counts), ``printed`` (percentage as published),
    ``decimals`` (<NA> if unrounded) and ``source``.

    >>> rows = comparators(["Trafford"], ["2023/24"], series="census")
    >>> rows.loc[(rows.measure == "persistent_absence_rate") & (rows.phase == "Primary"), "printed"].item()
    '10.51'
    """
    frame = _all_rows()
    keep = frame["area_code"].notna()
    if areas is not None:
        keep &= frame["area_code"].isin({find_area(name).code for name in areas})
    if years is not None:
        keep &= frame["academic_year"].isin({parse_academic_year(year) for year in years})
    if series is not None:
        keep &= frame["series"] == series
    return frame[keep].reset_index(drop=True)


@cache
def _all_rows() -> pd.DataFrame:
    import pandas as pd  # here, so that the vocabulary can be read without loading pandas

    levels = {area.code: area.level for area in all_areas()}
    rows = pd.DataFrame(read_reference("comparators.csv"))
    frame = pd.DataFrame(
        {
            "series": rows["series"],
            "dataset": rows["series"].map(_DATASETS),
            "academic_year": rows["academic_year"].astype("int64"),
            "period": "year",
            "area_code": rows["area_code"],
            "area_level": rows["area_code"].map(levels),
            "phase": rows["phase"],
        }
    )
    for name in PUBLISHED_GROUPS:
        if name not in frame:
            frame[name] = ALL
    frame["measure"] = rows["measure"]
    for name in ("numerator", "denominator", "lower", "upper"):
        frame[name] = float("nan")
    frame["rate"] = [float(Decimal(text) / 100) for text in rows["percent"]]
    frame["symbol"] = ""
    frame["printed"] = rows["percent"]
    frame["decimals"] = pd.to_numeric(rows["decimals"]).astype("Int64")
    frame["source"] = rows["source"]
    return frame[[*PUBLISHED_GROUPS, *MEASURE_CORE, "printed", "decimals", "source"]]
