"""Rows of a release that say what models of trend came to: fitted to pupils' own terms and years, few, and cut short."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import Z95, FloatArray
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.growth import fit_random_intercept
from attendance_toolkit.models.trend import TrendFit, fit_trend, marginal_change, time_design
from attendance_toolkit.vocabulary.calendar import TERMS
from attendance_toolkit.vocabulary.columns import ALL, ALL_SCHOOLS, MAIN_PHASES, NC_YEARS

#: Level of the column ``model`` of a trend: all terms with their season taken out, or one term alone.
ADJUSTED = "All terms"
#: Levels of ``model`` of term effects. The last holds spring against the mean of the other two.
SPRING_AUTUMN, SUMMER_AUTUMN, SPRING_OTHERS = (
    "Spring against autumn",
    "Summer against autumn",
    "Spring against other terms",
)
#: Levels of ``model`` of growth: what a year is to the pupils who grow by it, and to pupils of one year group.
SAME_PUPILS, SAME_YEAR_GROUP = "Same pupils", "Same year group"
#: Stem of the statistics -> column of ``metrics.following.trend_rows`` that flags a pupil's term.
FLAGS = {"persistent": "persistent", "severe": "severe"}
#: Phases with a breakdown by characteristic.
BROKEN_DOWN = ("Primary", "Secondary")
#: A trend needs as many pupils (intervals between fewer clusters are too narrow), and pupils' terms at the threshold a year.
LEAST_PUPILS, LEAST_EVENTS = 50, 10
Group = dict[str, Any]


def trend_model_rows(pupil_terms: pd.DataFrame, characteristics: Sequence[str]) -> pd.DataFrame:
    """Return the trend of each phase and group: change a year, term effects, and how much the same pupils widen intervals.

    Parameters
    ----------
    pupil_terms
        ``metrics.following.trend_rows`` by term, with phase and the characteristics. Terms that not all years have are left
        out, so that years are compared over the same part of them.
    characteristics
        Columns whose levels have a trend of their own, within primary and within secondary schools.

    Returns
    -------
    MEASURE rows without counts; columns ``phase``, ``characteristic``, ``level`` and ``model``. Where the rate of a group has no
    trend that could be told (too few pupils, or nobody or everybody at the threshold) the symbol is "z".

    Raises
    ------
    NoDataError
        The data do not have the same term in two years.
    """
    rows, years, terms = _comparable(pupil_terms)
    design = time_design(
        rows["academic_year"].to_numpy(), rows["term"].astype(str).to_numpy(), years=years, terms=terms
    )
    found: list[dict[str, Any]] = []
    for group, here in _groups(rows, characteristics):
        part = _Part(rows[here], design.matrix[here], years, terms)
        for stem in FLAGS:
            is_phase = group["characteristic"] == ALL
            made = [*_adjusted(part, stem, with_terms=is_phase), *(_by_term(part, stem) if is_phase else ())]
            found += [{**group, **row} for row in made]
    return _as_rows(found)


def growth_model_rows(pupil_years: pd.DataFrame) -> pd.DataFrame:
    """Return by phase what a year does to absence: within the same pupils, and within the same year group.

    Parameters
    ----------
    pupil_years
        ``metrics.following.trend_rows`` by year, with phase and ``nc_year``.

    Returns
    -------
    MEASURE rows without counts; columns ``phase`` and ``model``. A pupil's year and age grow together, so the first answers
    "what happened to these pupils", the second "how did pupils of one year group fare a year later".

    Raises
    ------
    NoDataError
        There is one academic year alone.
    """
    years = sorted(int(year) for year in pupil_years["academic_year"].unique())
    if len(years) < 2:
        raise NoDataError("Following the same pupils needs a second academic year.")
    found: list[dict[str, Any]] = []
    for phase in (ALL_SCHOOLS, "Primary", "Secondary"):
        chosen = pupil_years["phase"].isin(MAIN_PHASES) if phase == ALL_SCHOOLS else pupil_years["phase"] == phase
        part = pupil_years[chosen]
        found += [{"phase": phase, **row} for row in (*_within(part), *_of_year_group(part))]
    return _as_rows(found)


class _Part:
    """Pupils' terms of one group, with their design: intercept, years since the first, terms but the first."""

    def __init__(self, rows: pd.DataFrame, matrix: FloatArray, years: Sequence[int], terms: Sequence[str]) -> None:
        self.rows, self.matrix, self.years, self.terms = rows, matrix, years, terms
        self.span = years[-1] // 100 - years[0] // 100

    def fit(self, stem: str, term: str = "") -> TrendFit | None:
        """Return the model of all terms, or of one; None where it cannot be told."""
        here = np.ones(len(self.rows), dtype=bool) if not term else (self.rows["term"] == term).to_numpy()
        matrix = self.matrix[here] if not term else self.matrix[here][:, :2]
        flags = self.rows[FLAGS[stem]].to_numpy()[here]
        pupils = self.rows["pupil"].to_numpy()[here]
        by_year = np.bincount(matrix[:, 1].astype(int), flags, self.span + 1)[
            [y // 100 - self.years[0] // 100 for y in self.years]
        ]
        if by_year.min(initial=LEAST_EVENTS) < LEAST_EVENTS or len(np.unique(pupils)) < LEAST_PUPILS:
            return None
        names = ["intercept", "year", *self.terms[1:]][: matrix.shape[1]]
        try:
            return fit_trend(flags, 1, matrix, pupils, names=names)
        except NoDataError:  # nobody, or everybody, of a year or term is at the threshold
            return None

    def change_a_year(self, fit: TrendFit | None) -> Estimate:
        """Return the fitted change from the first year to the last, a year."""
        if fit is None:
            return Estimate(math.nan)
        first, last = fit.patterns.copy(), fit.patterns.copy()
        first[:, 1], last[:, 1] = 0, self.span
        found = marginal_change(fit, first, last, fit.pattern_trials)
        return Estimate(*(value / self.span for value in (found.value, found.lower, found.upper)))

    def effect(self, fit: TrendFit | None, term: str, others: Sequence[str]) -> Estimate:
        """Return the fitted rate of a term less the mean of others, over the pupils of all terms."""
        if fit is None:
            return Estimate(math.nan)
        base = np.concatenate([self._at(fit, other) for other in others])
        changed = np.concatenate([self._at(fit, term)] * len(others))
        return marginal_change(fit, base, changed, np.tile(fit.pattern_trials, len(others)))

    def _at(self, fit: TrendFit, term: str) -> FloatArray:
        rows = fit.patterns.copy()
        rows[:, 2:] = 0
        if self.terms.index(term):
            rows[:, 1 + self.terms.index(term)] = 1
        return rows


def _comparable(pupil_terms: pd.DataFrame) -> tuple[pd.DataFrame, list[int], list[str]]:
    """Return the rows of the terms every year has, those years and those terms."""
    rows = pupil_terms[pupil_terms["phase"].isin(MAIN_PHASES)]
    years = sorted(int(year) for year in rows["academic_year"].unique())
    held = {year: set(rows.loc[rows["academic_year"] == year, "term"].astype(str)) for year in years}
    if len(years) < 2:
        raise NoDataError("A trend needs pupils' terms of a second academic year.")
    common = [term for term in TERMS if all(term in of_year for of_year in held.values())]
    if not common:
        raise NoDataError("A trend needs the same term in every year; the years of the data have none in common.")
    return rows[rows["term"].isin(common)].reset_index(drop=True), years, common


def _groups(rows: pd.DataFrame, characteristics: Sequence[str]) -> Iterable[tuple[Group, np.ndarray]]:
    """Yield each group there is a trend of, and which rows are its own."""
    everybody = np.ones(len(rows), dtype=bool)
    phase_of = rows["phase"].astype(str).to_numpy()
    for phase in (ALL_SCHOOLS, *MAIN_PHASES):
        here = everybody if phase == ALL_SCHOOLS else phase_of == phase
        if not here.any():
            continue
        yield {"phase": phase, "characteristic": ALL, "level": ALL}, here
        for name in characteristics if phase in BROKEN_DOWN else ():
            of = rows[name].astype(str).to_numpy()
            for level in sorted(set(of[here]) - {"Unknown"}):
                yield {"phase": phase, "characteristic": name, "level": level}, here & (of == level)


def _adjusted(part: _Part, stem: str, *, with_terms: bool) -> Iterable[dict[str, Any]]:
    fit = part.fit(stem)
    yield _row(f"{stem}_trend", ADJUSTED, part.change_a_year(fit))
    # Of standard errors, since it is the width of the interval that readers see.
    widening = math.nan if fit is None else math.sqrt(fit.design_effects[1])
    yield _row(f"{stem}_design_effect", ADJUSTED, Estimate(widening))
    if not with_terms:
        return
    for model, term, others in (
        (SPRING_AUTUMN, "spring", ["autumn"]),
        (SUMMER_AUTUMN, "summer", ["autumn"]),
        (SPRING_OTHERS, "spring", ["autumn", "summer"]),
    ):
        if {term, *others} <= set(part.terms):
            yield _row(f"{stem}_term_effect", model, part.effect(fit, term, others))


def _by_term(part: _Part, stem: str) -> Iterable[dict[str, Any]]:
    for term in part.terms:
        yield _row(f"{stem}_trend", term, part.change_a_year(part.fit(stem, term)))


def _within(rows: pd.DataFrame) -> Iterable[dict[str, Any]]:
    """Yield the change a year within pupils, and the share of the variance that is between them.

    The mean of a pupil's years is a covariate of its own (Mundlak 1978, Econometrica 46, 69): without it pupils who joined
    late, or left, would lend their level to the slope.
    """
    year = rows["academic_year"].to_numpy() // 100
    mean = pd.Series(year).groupby(rows["pupil"].to_numpy()).transform("mean").to_numpy()
    columns = {"same pupils": year - mean, "pupils": mean - year.mean() if len(year) else mean}
    fit = _growth(rows, columns)
    yield _row("absence_slope", SAME_PUPILS, fit[0])
    yield _row("absence_icc", SAME_PUPILS, fit[1])


def _of_year_group(rows: pd.DataFrame) -> Iterable[dict[str, Any]]:
    """Yield the change a year with the year group held equal."""
    rows = rows[~rows["nc_year"].isin(["Unknown", "X"])]
    year = rows["academic_year"].to_numpy() // 100
    there = [level for level in NC_YEARS if (rows["nc_year"] == level).any()]
    columns = {"year": year - year.min() if len(year) else year}
    columns |= {level: (rows["nc_year"] == level).to_numpy().astype(float) for level in there[1:]}
    yield _row("absence_slope", SAME_YEAR_GROUP, _growth(rows, columns)[0])


def _growth(rows: pd.DataFrame, columns: Mapping[str, np.ndarray]) -> tuple[Estimate, Estimate]:
    """Return the slope of the first column and the share of variance between pupils; missing where too few are followed."""
    pupils = rows["pupil"].to_numpy()
    _, times = np.unique(pupils, return_counts=True)
    varying = {name: values for name, values in columns.items() if np.ptp(values) > 0} if len(rows) else {}
    if (times > 1).sum() < LEAST_PUPILS or next(iter(columns)) not in varying:
        return Estimate(math.nan), Estimate(math.nan)
    design = np.column_stack([np.ones(len(rows)), *varying.values()])
    fit = fit_random_intercept(
        (rows["missed"] / rows["possible"]).to_numpy(), design, pupils, names=["intercept", *varying]
    )
    value, error = float(fit.coefficients[1]), float(fit.clustered_errors[1])
    return Estimate(value, value - Z95 * error, value + Z95 * error), Estimate(fit.icc)


def _row(measure: str, model: str, found: Estimate) -> dict[str, Any]:
    is_known = math.isfinite(found.value)
    return {
        "model": model, "measure": measure, "rate": found.value if is_known else math.nan,
        "lower": found.lower if is_known else math.nan, "upper": found.upper if is_known else math.nan,
        "symbol": "" if is_known else "z",
    }  # fmt: skip


def _as_rows(found: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(list(found)).assign(numerator=math.nan, denominator=math.nan)
