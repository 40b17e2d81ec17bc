"""National figures of groups as tables of a deep dive: published, the toolkit's own, or an authority's file."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pandas as pd

from attendance_toolkit.deepdives._contrasts import statistic_row
from attendance_toolkit.deepdives._shared import Record
from attendance_toolkit.metrics.group_comparators import Comparator, Comparators, comparators_for
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.presentation.formats import is_missing
from attendance_toolkit.vocabulary.areas import ENGLAND
from attendance_toolkit.vocabulary.columns import ALL, MAIN_PHASES
from attendance_toolkit.vocabulary.group_comparators import COMPARED_GROUPS, OWN_SERIES
from attendance_toolkit.vocabulary.series import SERIES

if TYPE_CHECKING:
    from attendance_toolkit.inputs import Inputs

_GROUP_OF = {about: group for group, about in COMPARED_GROUPS.items()}


def national_figures(
    inputs: Inputs,
    academic_year: int,
    groups: Sequence[str],
    *,
    measure: str = "attendance_rate",
    phases: Sequence[str] = MAIN_PHASES,
) -> Comparators:
    """Return the national figures of a year that the inputs know (``comparators_for``)."""
    published = inputs.published.select([ENGLAND]) if inputs.published is not None else None
    return comparators_for(
        academic_year,
        rates=None if published is None else published.rates,
        cells=None if published is None else published.cells,
        measure=measure,
        groups=groups,
        phases=phases,
    )


def national_rows(found: Comparators, academic_year: int, measure: str = "attendance_rate") -> list[dict[str, Any]]:
    """Return national figures as rows of a table of published ones; attendance as overall absence if that is the measure."""
    rows = []
    for (phase, group), one in found.items():
        share = 1 - one.share if measure == "overall_absence_rate" else one.share
        characteristic, level = COMPARED_GROUPS[group] or (ALL, ALL)
        rows.append(
            {
                "series": one.series,
                "dataset": "national_attendance",
                "area_code": ENGLAND,
                "academic_year": academic_year,
                "phase": phase,
                "characteristic": characteristic,
                "level": level,
                **statistic_row(measure, Estimate(float(share))),
                "decimals": one.decimals,
                "source": one.source,
            }
        )
    return rows


def national_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the rows as a frame for ``Inputs.published_table``."""
    frame = pd.DataFrame(rows)
    return frame.assign(decimals=frame["decimals"].astype("Int64"))


def shown_comparator(row: Record) -> Comparator:
    """Return the national figure of a row of the table as cleared."""
    about = (str(row["characteristic"]), str(row["level"]))
    group = _GROUP_OF[None if about == (ALL, ALL) else about]
    decimals = None if is_missing(row["decimals"]) else int(row["decimals"])
    year = int(row["academic_year"])
    return Comparator(
        str(row["phase"]), group, year, published_share(row), str(row["series"]), str(row["source"]), decimals, year
    )


def published_share(row: Record) -> Fraction:
    """Return a published share as printed, where its decimals are known.

    >>> published_share({"rate": 0.9454, "decimals": 2}), published_share({"rate": 0.25, "decimals": None})
    (Fraction(4727, 5000), Fraction(1, 4))
    """
    decimals = row.get("decimals")
    if is_missing(decimals):
        return Fraction(repr(float(row["rate"])))
    return Fraction(Decimal(repr(float(row["rate"]) * 100)).quantize(Decimal(1).scaleb(-int(str(decimals))))) / 100


def series_said(series: str) -> str:
    """Return the series of a national figure in running text.

    >>> series_said("own")
    "the authority's own file"
    """
    return "the authority's own file" if series == OWN_SERIES else SERIES[series].label
