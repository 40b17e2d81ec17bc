"""Rows of a release that say what multilevel models of the strata came to: fitted to exact counts, few, and cut short."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from attendance_toolkit.disclosure.modelled import decimals_for
from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import Z95
from attendance_toolkit.models.estimate import Estimate
from attendance_toolkit.models.maihda import (
    Design,
    MaihdaFit,
    fit_maihda,
    main_effects_design,
    predict_strata,
    proportional_change,
    strata_auc,
)
from attendance_toolkit.vocabulary.columns import ALL
from attendance_toolkit.vocabulary.statistics import LEAST_P_VALUE

NULL, MAIN = "null", "main effects"
#: Strata there must be beyond the parameters of a model: with fewer, the parameters tell the counts themselves.
LEAST_FREEDOM = 10
_EVENTS, _TRIALS = "severe_absentees", "enrolments"


def stratum_model_rows(
    strata: pd.DataFrame, before: pd.DataFrame, characteristics: Sequence[str], *, is_cut: bool = False
) -> pd.DataFrame:
    """Return the statistics of the models without and with main effects, fitted to the strata that are known throughout.

    Pupils of unknown characteristic are no group of their own kind: in published figures they are those who left before
    the census that asks, more than a quarter of them severely absent. Fitted as a level they would make up most of the
    variance between groups. How many they are, tables of the same page say.

    Parameters
    ----------
    strata
        One row a stratum of one area, year and phase, with the characteristics and the counts.
    before
        The strata of the year before, to be scored on the pupils of this one; may be empty.
    characteristics
        Columns whose levels are the main effects.
    is_cut
        Say with each row how many decimals partners may be told of it (``decimals``), for pupil-level data.

    Returns
    -------
    MEASURE rows without counts, ``enrolments`` those of the area: the columns ``model``, ``characteristic`` and ``level``
    say which statistic. The levels main effects are measured against have a coefficient of 0 without interval.

    Raises
    ------
    NoDataError
        There are too few strata for the model, or nobody or everybody is severely absent.
    """
    kept = _with_finite_effects(known_strata(strata, characteristics), characteristics)
    events, trials = _counts(kept)
    if not 0 < events.sum() < trials.sum():
        raise NoDataError("A model of severe absence needs pupils who are severely absent and pupils who are not.")
    design = main_effects_design(kept, characteristics)
    freedom = len(kept) - design.matrix.shape[1] - 1
    if freedom < LEAST_FREEDOM:
        raise NoDataError(
            "A model of the characteristics crossed needs clearly more groups with severe absentees than it has parameters;"
            " the data have too few."
        )
    null, main = fit_maihda(events, trials), fit_maihda(events, trials, design)
    keys = {name: strata[name].iloc[0] for name in ("area_code", "academic_year", "phase")}
    rows = [
        *_of_model(NULL, null, events, trials, np.full(len(kept), null.coefficients[0])),
        *_of_model(MAIN, main, events, trials, design.matrix @ main.coefficients),
        _row("pcv", MAIN, proportional_change(null, main)),
        *_coefficients(main, design),
        *_next_year(before, strata, characteristics),
    ]
    found = pd.DataFrame([{**keys, **row} for row in rows])
    if is_cut:
        found["decimals"] = decimals_for(found, float(events.sum()))
    return found.assign(numerator=math.nan, denominator=math.nan, enrolments=float(strata[_TRIALS].sum()))


def known_strata(strata: pd.DataFrame, characteristics: Sequence[str]) -> pd.DataFrame:
    """Return the strata of which every characteristic is known."""
    is_unknown = strata[list(characteristics)].isin(["Unknown"]).any(axis=1)
    return strata[~is_unknown].reset_index(drop=True)


def _with_finite_effects(strata: pd.DataFrame, characteristics: Sequence[str]) -> pd.DataFrame:
    """Return the strata without levels in which nobody, or everybody, is severely absent: their effect has no size."""
    kept = strata
    for _ in characteristics:  # leaving out a level may empty another
        for name in characteristics:
            sums = kept.groupby(name, observed=True)[[_EVENTS, _TRIALS]].sum()
            has_size = (sums[_EVENTS] > 0) & (sums[_EVENTS] < sums[_TRIALS])
            kept = kept[kept[name].isin(sums.index[has_size])]
    return kept.reset_index(drop=True)


def _counts(strata: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return strata[_EVENTS].to_numpy(dtype=float), strata[_TRIALS].to_numpy(dtype=float)


def _of_model(
    model: str, fit: MaihdaFit, events: np.ndarray, trials: np.ndarray, linear: np.ndarray
) -> Iterable[dict[str, Any]]:
    """Yield the statistics both models have. Strata are scored by all that the model says of them."""
    yield _row("maihda_intercept", model, _wald(fit, 0))
    yield _row("maihda_sd", model, Estimate(fit.sd, *fit.sd_interval))
    yield _row("vpc_latent", model, Estimate(fit.vpc_latent, *fit.vpc_latent_interval))
    yield _row("vpc_response", model, Estimate(fit.vpc_response))
    yield _row("median_odds_ratio", model, Estimate(fit.median_odds_ratio, *fit.median_odds_ratio_interval))
    yield _row("variance_p_value", model, Estimate(max(fit.p_value, LEAST_P_VALUE)))
    scores = predict_strata(linear, fit.sd, events, trials).rate if model == NULL else linear
    yield _row("auc_strata", model, Estimate(strata_auc(events, trials, scores)))


def _coefficients(fit: MaihdaFit, design: Design) -> Iterable[dict[str, Any]]:
    for name, level in design.references.items():
        yield _row("maihda_coefficient", MAIN, Estimate(0.0), name, level)
    for number, (name, level) in enumerate(design.terms, 1):
        yield _row("maihda_coefficient", MAIN, _wald(fit, number), name, level)


def _next_year(before: pd.DataFrame, now: pd.DataFrame, characteristics: Sequence[str]) -> Iterable[dict[str, Any]]:
    """Yield how well the strata of the year before tell this year's severe absentees; nothing without such a year."""
    before, now = (known_strata(year, characteristics) for year in (before, now))
    events, trials = _counts(before)
    if len(before) < 2 or not 0 < events.sum() < trials.sum():
        return
    fit = fit_maihda(events, trials)
    rate = predict_strata(np.full(len(before), fit.coefficients[0]), fit.sd, events, trials).rate
    known = before[list(characteristics)].assign(rate=rate)
    scored = now.merge(known, how="left", on=list(characteristics), validate="one_to_one")
    # Of a combination nobody was in, the year before says no more than the rate of all.
    scores = scored["rate"].fillna(events.sum() / trials.sum()).to_numpy()
    yield _row("auc_next_year", NULL, Estimate(strata_auc(*_counts(scored), scores)))


def _wald(fit: MaihdaFit, number: int) -> Estimate:
    value, error = float(fit.coefficients[number]), float(fit.standard_errors[number])
    return Estimate(value, value - Z95 * error, value + Z95 * error)


def _row(measure: str, model: str, found: Estimate, characteristic: str = ALL, level: str = ALL) -> dict[str, Any]:
    is_known = math.isfinite(found.value)
    return {
        "model": model, "characteristic": characteristic, "level": level, "measure": measure,
        "rate": found.value if is_known else math.nan,
        "lower": found.lower if is_known else math.nan, "upper": found.upper if is_known else math.nan,
        "symbol": "" if is_known else "z",
    }  # fmt: skip
