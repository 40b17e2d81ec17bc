"""Rows of a release that say what models of a step expect of the pupils about to move up: few, and cut short."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attendance_toolkit.deepdives._step_models import LEAST_SCHOOLS, FittedSteps
from attendance_toolkit.deepdives._transition_cells import counted_cells, pupil_rows
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import Z95
from attendance_toolkit.metrics.transition import StepCohort
from attendance_toolkit.models.transition.forecasts import SchoolForecast
from attendance_toolkit.models.transition.intakes import sums_of
from attendance_toolkit.vocabulary.calendar import academic_year_before
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.statistics import MODELLED
from attendance_toolkit.vocabulary.steps import DESTINATION_SOURCES, NOT_KNOWN

#: The models' intervals are 90% intervals; pages have 95% ones throughout.
_Z90 = 1.6448536269514722
#: Statistic -> value and ends of its interval in a ``SchoolForecast``.
_STATISTICS = {
    "expected_absence": ("absence", "lower", "upper"),
    "expected_persistent": ("persistent", "persistent_lower", "persistent_upper"),
    "expected_severe": ("severe", "severe_lower", "severe_upper"),
    "absence_before": ("before", "", ""),
    "expected_dip": ("dip", "dip_lower", "dip_upper"),
}
_CHANCES = {"probability_highest_absence": "probability_highest", "probability_largest_dip": "probability_largest_dip"}
#: Fewer pupils of whom no later school is known are left out; ``about`` of their row then says so.
FEW, LEFT_OUT = 10, "left out"
#: Pupils from which a share of them has a decimal: one of a thousand is 0.1%.
_A_DECIMAL = 1000


def forecast_rows(fitted: FittedSteps) -> pd.DataFrame:
    """Return the pupils expected in an area's schools and what is expected of them.

    Returns
    -------
    MEASURE rows with the columns ``laestab`` (empty: all of them), ``destination`` (how the school is known; "All") and
    ``academic_year`` (the one forecast). ``about`` of the pupils names the terms the forecast is made from.

    Raises
    ------
    NoDataError
        There is no forecast: the sentence says why.
    """
    expected_here = _without_few_unknown(fitted)
    found = fitted.schools(expected_here)
    assert found.total is not None
    rows = [*_sizes(fitted, found, expected_here), *_expected(found.total, 0, "")]
    has_order = int((found.pupils > 0).sum()) >= LEAST_SCHOOLS
    for place, laestab in enumerate(found.laestab.tolist()):
        rows += _expected(found, place, str(laestab))
        if has_order:
            rows += _chances(found, place, str(laestab))
    later = academic_year_before(fitted.coming.academic_year, -1)
    frame = pd.DataFrame(rows).assign(academic_year=later, model="")
    frame["decimals"] = [
        _decimals(name, size) for name, size in zip(frame["measure"], frame["enrolments"], strict=True)
    ]
    return frame


def _decimals(measure: str, pupils: float) -> int:
    if measure not in MODELLED:
        return 0
    usual = MODELLED[measure].decimals
    return max(usual, 1) if measure == "expected_persistent" and pupils >= _A_DECIMAL else usual


def _without_few_unknown(fitted: FittedSteps) -> NDArray[np.bool_]:
    """Return who is expected in the area, without pupils of no known school where these are a few among others.

    A total that has them would tell how few they are, so that a whole school would have to be hidden for their sake.
    """
    is_unknown = fitted.expected_here & (fitted.coming.destination == 0)
    if is_unknown.sum() < FEW and not np.array_equal(is_unknown, fitted.expected_here):
        return fitted.expected_here & ~is_unknown
    return fitted.expected_here


def _sizes(fitted: FittedSteps, found: SchoolForecast, expected_here: NDArray[np.bool_]) -> Iterator[dict[str, Any]]:
    """Yield the rows that count pupils: all, by how their school is known, by school."""
    here = fitted.coming.chosen(expected_here)
    yield _size(len(here.pupils), about=" ".join(fitted.terms))
    by_source = np.bincount(here.destination_source, minlength=len(DESTINATION_SOURCES))
    are_left_out = not np.array_equal(expected_here, fitted.expected_here)
    known = [
        pupils for source, pupils in zip(DESTINATION_SOURCES, by_source.tolist(), strict=True) if source != NOT_KNOWN
    ]
    # A few who have an offer and are on no roll, or the other way round, would have to be hidden, and others with them.
    has_few = any(0 < pupils < FEW for pupils in known)
    for source, pupils in zip(DESTINATION_SOURCES, by_source.tolist(), strict=True):
        if source == NOT_KNOWN or not has_few:
            yield _size(pupils, destination=source, about=LEFT_OUT if source == NOT_KNOWN and are_left_out else "")
    for laestab, pupils in zip(found.laestab.tolist(), found.pupils.tolist(), strict=True):
        yield _size(pupils, str(laestab))


def _size(pupils: int, laestab: str = "", destination: str = ALL, about: str = "") -> dict[str, Any]:
    return {
        "laestab": laestab, "destination": destination, "about": about, "measure": "pupils",
        "numerator": float(pupils), "denominator": np.nan, "rate": float(pupils), "lower": np.nan, "upper": np.nan,
        "symbol": "", "enrolments": float(pupils),
    }  # fmt: skip


def _expected(found: SchoolForecast, place: int, laestab: str) -> Iterator[dict[str, Any]]:
    for measure, (name, low, high) in _STATISTICS.items():
        value = float(getattr(found, name)[place])
        ends = (float(getattr(found, end)[place]) if end else np.nan for end in (low, high))
        lower, upper = (value + (end - value) * Z95 / _Z90 for end in ends)
        if measure != "expected_dip":
            lower, upper = max(lower, 0.0), min(upper, 1.0)
        yield _modelled(measure, value, laestab, float(found.pupils[place]), lower, upper)


def _chances(found: SchoolForecast, place: int, laestab: str) -> Iterator[dict[str, Any]]:
    for measure, name in _CHANCES.items():
        yield _modelled(measure, float(getattr(found, name)[place]), laestab, float(found.pupils[place]))


def _modelled(
    measure: str, value: float, laestab: str, pupils: float, lower: float = np.nan, upper: float = np.nan
) -> dict[str, Any]:
    is_known = bool(np.isfinite(value))
    return {
        **_size(0, laestab), "measure": measure, "numerator": np.nan, "enrolments": pupils,
        "rate": value if is_known else np.nan, "lower": lower if is_known else np.nan,
        "upper": upper if is_known else np.nan, "symbol": "" if is_known else "z",
    }  # fmt: skip


def tracked_rows(fitted: FittedSteps) -> pd.DataFrame:
    """Return what the year forecast has come to so far, and what the forecast leads to for the same part of the year.

    The forecast is of a whole year; what it leads to is that times the absence of the same half terms over that of the
    whole year in the tested cohort.

    Raises
    ------
    NoDataError
        The store has no session yet of the year forecast, or the tested cohort none of the same half terms.
    """
    forecast = fitted.schools().total
    assert forecast is not None
    here = fitted.coming.chosen(fitted.expected_here)
    later = here.later
    if later is None or not later.possible.any():
        raise NoDataError(
            "The store has no sessions yet of the year that is forecast, so nothing can be held against it."
        )
    there = later.possible > 0
    share = _share_of_year(fitted.test.chosen(fitted.keep), later.periods)
    groups = pd.DataFrame({"nc_year": np.full(int(there.sum()), fitted.coming.to_year, dtype=object)})
    counted = pupil_rows(counted_cells(groups, later.possible[there], later.missed[there]), ["nc_year"])
    counted = counted[counted["measure"].isin(("pupils", "overall_absence_rate"))]
    expected = next(row for row in _expected(forecast, 0, "") if row["measure"] == "expected_absence")
    ends = {name: expected[name] * share for name in ("rate", "lower", "upper")}
    own = {**expected, **ends, "enrolments": float(there.sum()), "nc_year": fitted.coming.to_year}
    rows = pd.concat([counted, pd.DataFrame([own]).reindex(columns=counted.columns)], ignore_index=True)
    return rows.assign(academic_year=later.academic_year, model="", decimals=1)


def _share_of_year(cohort: StepCohort, periods: tuple[str, ...]) -> float:
    """Return absence in half terms over absence in the whole year, of a cohort whose step is over."""
    later = cohort.later
    assert later is not None
    places = [place for place, span in enumerate(later.periods) if span in periods]
    if len(places) < len(periods):
        raise NoDataError(
            "The half terms the store has of the year that is forecast are cut otherwise than those of the year before, so what"
            " the forecast leads to cannot be worked out for them."
        )
    everybody = np.zeros(len(cohort.pupils), dtype=np.intp)
    missed, possible = (
        float(sums_of(of[:, places].sum(axis=1), everybody, 1)[0])
        for of in (later.period_missed, later.period_possible)
    )
    return (missed / possible) / (later.missed.sum() / later.possible.sum())
