"""How a cohort model is fitted: columns, coefficients, and what residuals say of authorities and years."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.models._logit import expit_of
from attendance_toolkit.models._units import variance_between
from attendance_toolkit.models.transition.cohort_pairs import BEFORE, FEW_PUPILS, LEVEL

#: Scales on which a step is added: log odds, or percentage points.
LOGIT, POINTS = "logit", "points"
#: Where the differences start from: England's level of the year before, or nothing (the plain logistic regression).
RELATIVE, ABSOLUTE = "relative", "absolute"
#: A level of each characteristic that the others are held against.
_REFERENCES = {"fsm_eligible": "Not known to be FSM eligible", "sen_provision": "No SEN", "sex": "Female"}
_UNKNOWN = "Unknown"
_ENDS = 0.0005
_MOST_STEPS, _SMALL_STEP = 100, 1e-10
#: Log odds that stand for none, or all, of a group.
_ENDLESS = 12.0

_ANY_UNKNOWN, _FSM_AND_SEN, _OWN = "FSM or SEN unknown", "FSM eligible and SEN", "difference before the step"


def columns_of(rows: pd.DataFrame) -> tuple[str, ...]:
    """Return the names of the columns: every known level but the reference, one for the unknown, FSM with SEN, own rate."""
    levels = [
        f"{name}: {level}"
        for name, reference in _REFERENCES.items()
        for level in sorted(rows[name].unique())
        if level not in (reference, _UNKNOWN)
    ]
    return ("intercept", *levels, _ANY_UNKNOWN, _FSM_AND_SEN, _OWN)


def design_of(
    rows: pd.DataFrame, measure: str, form: str, scale: str, names: Sequence[str]
) -> tuple[FloatArray, FloatArray]:
    """Return what is taken as it is (N,), and the columns (N, P) of those names.

    Raises
    ------
    ParameterError
        Rows have a level that there is no column of.
    """
    y, n = (rows[f"{name}{BEFORE}"].to_numpy(float) for name in (measure, "enrolments"))
    level = rows[f"{LEVEL}{measure}"].to_numpy(float).clip(_ENDS, 1 - _ENDS)
    own = ((y + FEW_PUPILS * level) / (n + FEW_PUPILS)).clip(_ENDS, 1 - _ENDS)
    if scale == LOGIT:
        level, own = _logit(level), _logit(own)
    base = level if form == RELATIVE else np.zeros(len(rows))
    known = set(columns_of(rows)) - {_ANY_UNKNOWN, _FSM_AND_SEN}
    strange = sorted(known - set(names))
    if strange:
        raise ParameterError(
            f"The model was fitted to pairs without {', '.join(repr(name) for name in strange)}: characteristics have to be"
            " told apart in the same way before and after; use pairs of one layout of the file."
        )
    is_unknown = (rows["fsm_eligible"] == _UNKNOWN) | (rows["sen_provision"] == _UNKNOWN)
    has_sen = ~rows["sen_provision"].isin([_REFERENCES["sen_provision"], _UNKNOWN])
    made = {
        "intercept": np.ones(len(rows)),
        _ANY_UNKNOWN: is_unknown,
        _FSM_AND_SEN: (rows["fsm_eligible"] == "FSM eligible") & has_sen,
        _OWN: own - base,
    }
    columns = []
    for name in names:
        characteristic, _, wanted = name.partition(": ")
        columns.append(np.asarray(made[name] if name in made else rows[characteristic] == wanted, dtype=float))
    return base, np.column_stack(columns)


def _logit(rates: FloatArray) -> FloatArray:
    return np.asarray(np.log(rates / (1 - rates)))


def rates_of(linear: FloatArray, scale: str) -> FloatArray:
    """Return the rates that stand at places of a scale."""
    return expit_of(linear) if scale == LOGIT else np.clip(linear, _ENDS, 1 - _ENDS)


def slope_of(rates: FloatArray, scale: str) -> FloatArray:
    """Return by how much a rate moves with the scale."""
    return rates * (1 - rates) if scale == LOGIT else np.ones_like(rates)


def fit_logit(matrix: FloatArray, base: FloatArray, y: FloatArray, n: FloatArray) -> FloatArray:
    """Return the coefficients of greatest likelihood beside an offset.

    Raises
    ------
    NoDataError
        Some coefficient has no finite estimate.
    """
    here = np.zeros(matrix.shape[1])
    for _ in range(_MOST_STEPS):
        rates = expit_of(base + matrix @ here)
        information = (matrix.T * (n * rates * (1 - rates))) @ matrix
        step = np.linalg.lstsq(information, matrix.T @ (y - n * rates))[0]
        # Steps are held to one log-odds: far from the maximum a full one may overshoot for ever.
        here = here + step / max(1.0, float(np.abs(step).max()))
        if float(np.abs(here).max()) > _ENDLESS:
            break
        if float(np.abs(step).max()) < _SMALL_STEP:
            return here
    raise NoDataError(
        "A group has nobody, or everybody, at the threshold in all authorities: its step cannot be fitted. Join groups, or give"
        " more years."
    )


def fit_points(matrix: FloatArray, change: FloatArray, n: FloatArray, level: FloatArray) -> FloatArray:
    """Return the coefficients of a step in points, rows counted by the precision their group's level gives them."""
    weight = n / (level * (1 - level))
    return np.asarray(np.linalg.lstsq((matrix.T * weight) @ matrix, matrix.T @ (weight * change))[0])


def clustered_errors(
    matrix: FloatArray, slope: FloatArray, residuals: FloatArray, areas: pd.Series, scale: str, level: FloatArray
) -> FloatArray:
    """Return standard errors of the coefficients, the rows of an authority taken together."""
    weight = np.ones_like(level) if scale == LOGIT else 1 / (level * (1 - level))
    inverse = np.linalg.pinv((matrix.T * (weight * slope)) @ matrix)
    scores = pd.DataFrame((matrix.T * (weight * residuals)).T).groupby(areas.to_numpy()).sum().to_numpy()
    return np.sqrt(np.diag(inverse @ (scores.T @ scores) @ inverse))


class Spread(NamedTuple):
    """What residuals are made of; ``kept`` and ``own`` are the variances between authorities and between their years."""

    chance: float
    kept: float
    own: float
    drift_sd: float
    effects: dict[str, tuple[float, float]]


def spread_of(
    rows: pd.DataFrame, residuals: FloatArray, slope: FloatArray, variance: FloatArray, columns: int
) -> Spread:
    """Return what residuals say of chance, of authorities, of their years and of all authorities' years.

    Parameters
    ----------
    rows
        With ``academic_year`` and ``area_code``.
    residuals, slope, variance
        Events less those fitted, by how much fitted events move with the scale, and their binomial variance.
    columns
        Coefficients fitted.
    """
    keys = ["academic_year", "area_code"]
    sums = rows[keys].assign(left=residuals, slope=slope, variance=variance).groupby(keys).sum()
    years = sums.groupby(level=0).sum()
    shift = years["left"] / years["slope"]
    sums["deviation"] = sums["left"] / sums["slope"] - shift.reindex(sums.index.get_level_values(0)).to_numpy()
    of_row = (sums["left"] / sums["slope"]).reindex(pd.MultiIndex.from_frame(rows[keys])).to_numpy()
    spare = max(1, len(rows) - columns - len(sums))
    chance = max(1.0, float(((residuals - slope * of_row) ** 2 / variance).sum()) / spare)
    error = (chance * sums["variance"] / sums["slope"] ** 2).rename("error")
    between = variance_between(float((sums["deviation"] ** 2 / error).sum()), (1 / error).to_numpy())
    wide = sums["deviation"].unstack(0)
    kept = min(between, _common(wide))
    effects = _shrunken(sums["deviation"], error + between - kept, kept)
    drift = _drift(shift, chance * years["variance"] / years["slope"] ** 2)
    return Spread(chance, kept, between - kept, drift, effects)


def _common(wide: pd.DataFrame) -> float:
    """Return the variance of what an authority keeps: the mean product of its deviations in two pairs of years."""
    columns = wide.columns
    products = [(wide[one] * wide[other]).dropna() for at, one in enumerate(columns) for other in columns[at + 1 :]]
    every = pd.concat(products) if products else pd.Series(dtype=float)
    return max(0.0, float(every.mean())) if len(every) else 0.0


def _shrunken(deviation: pd.Series, variance: pd.Series, kept: float) -> dict[str, tuple[float, float]]:
    """Return area code -> (expected effect, its variance)."""
    if not kept:
        return {}
    weight = (1 / variance).groupby(level="area_code").sum()
    pulled = (deviation / variance).groupby(level="area_code").sum()
    precision = weight + 1 / kept
    return {
        str(code): (float(effect), float(error))
        for code, effect, error in zip(weight.index, pulled / precision, 1 / precision, strict=True)
    }


def _drift(shift: pd.Series, error: pd.Series) -> float:
    """Return the standard deviation of what a new year adds for all: that of the fitted years, and of their mean."""
    if len(shift) < 2:
        return math.nan
    variance = max(0.0, float(shift.var(ddof=1)) - float(error.mean()))
    return math.sqrt(variance * (1 + 1 / len(shift)))
