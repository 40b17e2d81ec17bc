"""What a year group's absence becomes a year later, from published counts of groups: fitted on earlier pairs of years.

Level and spread are kept apart. Where England's group stood in the year before is taken as it is, since levels move
between years by far more than groups do; the model says by how much each group's rate rises with the step, and how much
of an authority's difference from England lasts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.intervals import Z95, FloatArray
from attendance_toolkit.models.transition.cohort_fitting import (
    ABSOLUTE,
    LOGIT,
    POINTS,
    RELATIVE,
    clustered_errors,
    columns_of,
    design_of,
    fit_logit,
    fit_points,
    rates_of,
    slope_of,
    spread_of,
)
from attendance_toolkit.models.transition.cohort_pairs import AFTER, BEFORE, LEVEL, PAIR_COUNTS, PAIR_GROUPS


@dataclass(frozen=True, eq=False)
class CohortModel:
    """How the groups of a cohort go on, fitted to pairs of years of many authorities.

    Attributes
    ----------
    measure
        The count modelled: "persistent_absentees" or "severe_absentees".
    scale
        "logit" or "points": on which the step is added to the level before.
    form
        "relative" to England's level of the year before, or "absolute".
    names, coefficients, standard_errors
        Of the columns; the errors let the groups of one authority go together.
    overdispersion
        How many times the binomial variance a group's count varies.
    area_sd, area_year_sd, drift_sd
        Standard deviations, on the scale: of what an authority keeps over years, of what is its own in one year, and of
        what all authorities share in one year. ``drift_sd`` is NaN with a single pair of years, which cannot show it.
    area_effects
        Area code -> (effect, its variance) of authorities with two pairs of years or more.
    mean_change
        Change of the rate over all pairs, as a share: what "carried forward plus the mean change" adds.
    years
        Academic years before the step of the pairs fitted.
    n_areas, n_pupils
        Authorities, and enrolments after the step.
    """

    measure: str
    scale: str
    form: str
    names: tuple[str, ...]
    coefficients: FloatArray
    standard_errors: FloatArray
    overdispersion: float
    area_sd: float
    area_year_sd: float
    drift_sd: float
    area_effects: Mapping[str, tuple[float, float]] = field(repr=False)
    mean_change: float
    years: tuple[int, ...]
    n_areas: int
    n_pupils: int

    def predict(self, pairs: pd.DataFrame, by: Sequence[str] = ("area_code", *PAIR_GROUPS)) -> pd.DataFrame:
        """Return the rate expected after the step, with a 95% interval for the rate that will be found.

        Parameters
        ----------
        pairs
            Rows of ``cohort_pairs``; their counts after the step are not looked at.
        by
            Columns of the groups whose expected rate is wanted; () for all rows together.

        Returns
        -------
        pandas.DataFrame
            One row a group: ``by``, ``enrolments`` (before the step), ``before`` (the rate carried forward), ``expected``,
            ``lower`` and ``upper``. Groups are added up as many as they were before the step. The interval holds
            chance, the authority's own year and, unless ``drift_sd`` is missing, how much all moved together in the
            years fitted: two or three pairs may show little of what a year to come can do. Of the years before the
            pandemic, none said how far severe absence would rise after it.
        """
        rows = pairs[pairs[f"enrolments{BEFORE}"] > 0].reset_index(drop=True)
        trials = rows[f"enrolments{BEFORE}"].to_numpy(float)
        base, matrix = design_of(rows, self.measure, self.form, self.scale, self.names)
        effect, variance = self._areas(rows["area_code"])
        rates = rates_of(base + matrix @ self.coefficients + effect, self.scale)
        slope = trials * slope_of(rates, self.scale)
        parts = rows[[*dict.fromkeys([*by, "area_code"])]].assign(
            enrolments=trials, seen=rows[f"{self.measure}{BEFORE}"], events=trials * rates,
            chance=self.overdispersion * trials * rates * (1 - rates), slope=slope, shared=slope * variance,
        )  # fmt: skip
        return _added_up(parts, list(by), 0.0 if math.isnan(self.drift_sd) else self.drift_sd)

    def _areas(self, codes: pd.Series) -> tuple[FloatArray, FloatArray]:
        """Return each row's authority effect, and the variance of what it will be in another year."""
        known = [self.area_effects.get(code, (0.0, self.area_sd**2)) for code in codes]
        found = np.array(known, dtype=float).reshape(-1, 2)
        return found[:, 0], found[:, 1] + self.area_year_sd**2


def fit_cohort_step(
    pairs: pd.DataFrame, measure: str = "persistent_absentees", *, scale: str = "", form: str = RELATIVE
) -> CohortModel:
    """Fit how groups go on from one year group to the next.

    Parameters
    ----------
    pairs
        Rows of ``cohort_pairs`` of the years to learn from; rows without counts after the step are left out.
    measure
        "persistent_absentees" or "severe_absentees".
    scale
        "logit" (quasi-binomial logistic regression) or "points" (a step in percentage points). By default the one that
        did better where the last pair of years was foretold by those before it; "logit" if there is one pair.
    form
        "relative": differences are taken from England's level in the same year before. "absolute" regresses on the rate
        before as it is; it does badly where the level moves, and is there to be compared.

    Raises
    ------
    NoDataError
        Nothing to fit: no pair of years with pupils on both sides, too few authorities, or nobody at the threshold.
    ParameterError
        An unknown measure, scale or form.

    Notes
    -----
    On the logit scale with y of n pupils at the threshold after the step: y ~ quasi-binomial, logit = logit(level) +
    step by FSM, SEN and sex + b (own logit - logit(level)), own rates drawn towards the level by ``FEW_PUPILS``
    pupils; then authority effects by moments and shrunken (DerSimonian and Laird 1986, Controlled Clinical Trials 7,
    177), and a drift between years from the pairs' common residuals.
    """
    if measure not in PAIR_COUNTS or scale not in ("", LOGIT, POINTS) or form not in (RELATIVE, ABSOLUTE):
        raise ParameterError(
            f"A cohort model is of one of {', '.join(PAIR_COUNTS)}, on the scale {LOGIT} or {POINTS}, in the form {RELATIVE}"
            f" or {ABSOLUTE}; asked for: '{measure}', '{scale}', '{form}'."
        )
    if form == ABSOLUTE and scale == POINTS:
        raise ParameterError(f"The form {ABSOLUTE} is fitted on the scale {LOGIT} alone.")
    rows = _to_fit(pairs, measure)
    if not scale:
        scale = LOGIT if form == ABSOLUTE else _better_scale(rows, measure)
    return _fit(rows, measure, scale, form)


def compare_with_carry_forward(model: CohortModel, pairs: pd.DataFrame, by: str = "area_code") -> pd.DataFrame:
    """Return how far the model was off on pairs it was not fitted to, and how far simpler rules were.

    Parameters
    ----------
    model
        Fitted to earlier pairs.
    pairs
        Pairs with counts after the step.
    by
        The column that authorities are told apart by.

    Returns
    -------
    pandas.DataFrame
        For each ``about`` ("Groups", "Local authorities", "All together") and ``method`` ("Carried forward", "Carried
        forward plus the mean change", "Model"): ``mae``, ``rmse`` and ``bias`` (expected less found), as shares, weighted
        by enrolments after the step, and ``units``.
    """
    tested = pairs[pairs[f"enrolments{AFTER}"].notna()]
    if tested.empty:
        raise NoDataError("None of the pairs has a later year yet: what was expected cannot be held against it.")
    found = []
    for about, columns in (("Groups", [by, *PAIR_GROUPS]), ("Local authorities", [by]), ("All together", [])):
        rows = found_and_expected(model, tested, columns)
        for method, column in _METHODS.items():
            found.append({"about": about, "method": method, **_errors(rows, column), "units": len(rows)})
    return pd.DataFrame(found)


def found_and_expected(model: CohortModel, pairs: pd.DataFrame, by: Sequence[str] = ("area_code",)) -> pd.DataFrame:
    """Return ``CohortModel.predict`` with what was found: ``pupils`` after the step, ``found``, and ``plus_change``.

    ``plus_change`` is the rate carried forward plus the mean change of the pairs fitted. Groups without pupils after the
    step are left out.
    """
    columns = list(by)
    counts = [f"enrolments{AFTER}", f"{model.measure}{AFTER}"]
    rows = model.predict(pairs, columns)
    after = (
        pairs.groupby(columns, observed=True)[counts].sum().reset_index()
        if columns
        else pairs[counts].sum().to_frame().T
    )
    rows = rows.merge(after, how="inner", on=columns) if columns else pd.concat([rows, after], axis=1)
    rows = rows[rows[counts[0]] > 0].reset_index(drop=True)
    rows["pupils"], rows["found"] = rows[counts[0]], rows[counts[1]] / rows[counts[0]]
    rows["plus_change"] = (rows["before"] + model.mean_change).clip(0, 1)
    return rows.drop(columns=counts)


#: How each method of ``compare_with_carry_forward`` is called, and its column.
CARRIED, PLUS_CHANGE, MODEL = "Carried forward", "Carried forward plus the mean change", "Model"
_METHODS = {CARRIED: "before", PLUS_CHANGE: "plus_change", MODEL: "expected"}


def _errors(rows: pd.DataFrame, column: str) -> dict[str, float]:
    weight = rows["pupils"].to_numpy(float)
    error = (rows[column] - rows["found"]).to_numpy(float)
    return {
        "mae": float(np.average(np.abs(error), weights=weight)),
        "rmse": math.sqrt(float(np.average(error**2, weights=weight))),
        "bias": float(np.average(error, weights=weight)),
    }


def _added_up(parts: pd.DataFrame, by: list[str], drift_sd: float) -> pd.DataFrame:
    """Return the rates of groups of rows: chance adds up row by row, an authority's year moves all its rows together."""
    sums = ["enrolments", "seen", "events", "chance", "slope", "shared"]
    inside = parts.groupby([*dict.fromkeys([*by, "area_code"])], observed=True, sort=False)[sums].sum()
    # ``shared`` / ``slope`` is the authority's variance: its rows move by slope times one deviation.
    inside["shared"] = inside["shared"] * inside["slope"]
    found = inside.groupby(by, observed=True).sum() if by else inside.sum().to_frame().T
    variance = found["chance"] + found["shared"] + (found["slope"] * drift_sd) ** 2
    size = found["enrolments"]
    half = Z95 * np.sqrt(variance) / size
    expected = found["events"] / size
    rows = pd.DataFrame(
        {
            "enrolments": size,
            "before": found["seen"] / size,
            "expected": expected,
            "lower": (expected - half).clip(lower=0),
            "upper": (expected + half).clip(upper=1),
        }
    )
    return rows.reset_index() if by else rows.reset_index(drop=True)


def _to_fit(pairs: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Return the rows with pupils after the step, sorted, and refuse what cannot be fitted."""
    rows = pairs[pairs[f"enrolments{AFTER}"] > 0]
    rows = rows.sort_values(["academic_year", "area_code", *PAIR_GROUPS]).reset_index(drop=True)
    if rows["area_code"].nunique() < 2 * len(PAIR_GROUPS):
        raise NoDataError(
            "A model of groups needs pairs of years of many local authorities, and there are too few: give DfE's absence bands"
            " file with all authorities and with years that follow each other."
        )
    events = rows[f"{measure}{AFTER}"].sum()
    if not 0 < events < rows[f"enrolments{AFTER}"].sum():
        raise NoDataError("Nobody, or everybody, was at the threshold after the step: there is nothing to fit.")
    return rows


def _better_scale(rows: pd.DataFrame, measure: str) -> str:
    """Return the scale with the smaller error in groups where the last pair of years is foretold by earlier ones."""
    last = rows["academic_year"].max()
    earlier = rows[rows["academic_year"] < last]
    if earlier.empty or not earlier[f"{measure}{AFTER}"].sum():
        return LOGIT
    tested = rows[rows["academic_year"] == last]
    errors = {}
    for scale in (LOGIT, POINTS):
        table = compare_with_carry_forward(_fit(earlier, measure, scale, RELATIVE), tested)
        errors[scale] = float(table.loc[(table["about"] == "Groups") & (table["method"] == MODEL), "rmse"].iloc[0])
    return min(errors, key=errors.__getitem__)


def _fit(rows: pd.DataFrame, measure: str, scale: str, form: str) -> CohortModel:
    y, n = (rows[f"{name}{AFTER}"].to_numpy(float) for name in (measure, "enrolments"))
    names = columns_of(rows)
    base, matrix = design_of(rows, measure, form, scale, names)
    used = np.abs(matrix).max(axis=0) > 0
    names, matrix = tuple(name for name, kept in zip(names, used, strict=True) if kept), matrix[:, used]
    level = rows[f"{LEVEL}{measure}"].to_numpy(float)
    coefficients = fit_logit(matrix, base, y, n) if scale == LOGIT else fit_points(matrix, y / n - base, n, level)
    rates = rates_of(base + matrix @ coefficients, scale)
    slope = n * slope_of(rates, scale)
    residuals = y - n * rates
    spread = spread_of(rows, residuals, slope, n * rates * (1 - rates), matrix.shape[1])
    before, after = (rows[f"{measure}{side}"].sum() / rows[f"enrolments{side}"].sum() for side in (BEFORE, AFTER))
    return CohortModel(
        measure=measure,
        scale=scale,
        form=form,
        names=names,
        coefficients=coefficients,
        standard_errors=clustered_errors(matrix, slope, residuals, rows["area_code"], scale, level),
        mean_change=float(after - before),
        years=tuple(int(year) for year in sorted(rows["academic_year"].unique())),
        n_areas=int(rows["area_code"].nunique()),
        n_pupils=int(n.sum()),
        overdispersion=spread.chance,
        area_sd=math.sqrt(spread.kept),
        area_year_sd=math.sqrt(spread.own),
        drift_sd=spread.drift_sd,
        area_effects=spread.effects,
    )
