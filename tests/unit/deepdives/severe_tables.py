"""Cleared tables of a made-up area, written down by hand, for the deep dive on severe absence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from attendance_toolkit.disclosure.table import ProtectedTable
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.inputs import Inputs, policy_for
from attendance_toolkit.intervals import wilson_interval
from attendance_toolkit.vocabulary.areas import find_area

AREA, YEAR = "E08000009", 202223
CROSSED = ("fsm_eligible", "sen_provision", "sex", "nc_year_band")
DIMENSIONS = (*CROSSED, "ethnicity_major", "first_language", "social_worker")
NUMBERS = ("numerator", "denominator", "rate", "lower", "upper")
#: (absentees, enrolments), or a symbol.
Figure = tuple[float, float] | str


class Given:
    """Tables as a release would give them; those not given are missing."""

    def __init__(self, **tables: ProtectedTable) -> None:
        self._tables = tables

    def table(self, name: str) -> ProtectedTable:
        if name not in self._tables:
            raise NoDataError(f"There is no table '{name}'.")
        return self._tables[name]


def inputs() -> Inputs:
    """Inputs of published files for Trafford, without files: the tables are given."""
    return Inputs(find_area(AREA), YEAR, "partner", policy_for("partner"), None, None)


def rate_row(figure: Figure, measure: str = "severe_absence_rate", **groups: Any) -> dict[str, Any]:
    """Return a cleared row; a hidden one has a symbol and no number."""
    base = {"area_code": AREA, "academic_year": YEAR, "phase": "All schools", **groups, "measure": measure}
    if isinstance(figure, str):
        return base | dict.fromkeys(NUMBERS, float("nan")) | {"symbol": figure}
    count, size = figure
    lower, upper = wilson_interval(count, size)
    numbers = {"numerator": float(count), "denominator": float(size), "rate": count / size}
    return base | numbers | {"lower": float(lower), "upper": float(upper), "symbol": ""}


def table(rows: Sequence[Mapping[str, Any]]) -> ProtectedTable:
    return ProtectedTable(pd.DataFrame(list(rows)), "Rule.", "Source.")


def groups(figures: Mapping[tuple[str, str, str], Figure]) -> ProtectedTable:
    """Return the table ``groups``: (phase, characteristic, level) -> figure."""
    return table(
        [
            rate_row(figure, phase=phase, characteristic=name, level=level)
            for (phase, name, level), figure in figures.items()
        ]
    )


def crossed(figures: Mapping[tuple[tuple[str, str], ...], Figure]) -> ProtectedTable:
    """Return the table ``crossed``: ((column, level), ...) -> figure; columns not named are not crossed."""
    return table(
        [rate_row(figure, **(dict.fromkeys(DIMENSIONS, "All") | dict(levels))) for levels, figure in figures.items()]
    )
