"""How well predictions came true: scores of rates, of probabilities, of lists, of schools and of intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from attendance_toolkit.errors import ParameterError
from attendance_toolkit.intervals import Z95, FloatArray, byar_interval
from attendance_toolkit.models._logit import expit_of
from attendance_toolkit.models.transition.ridge import LEAST_EVENTS, fit_ridge

#: Probabilities are kept this far from 0 and 1 before their log odds are taken.
_EDGE = 1e-6
#: No level is further from another, in log odds, where there are pupils with and without the outcome.
_MOST_LEVEL = 60.0
#: Parts of the pupils, by predicted probability, in which calibration is looked at.
QUINTILES = 5


@dataclass(frozen=True)
class Difference:
    """How much better one score is than another on the same pupils, with a 95% interval; above 0 is better."""

    value: float
    lower: float
    upper: float

    @property
    def is_clear(self) -> bool:
        """Whether the whole interval is above 0."""
        return self.lower > 0


def _alike(outcome: ArrayLike, predicted: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return both as floats of one length, without missing values."""
    y, p = np.asarray(outcome, dtype=float), np.asarray(predicted, dtype=float)
    if y.shape != p.shape or y.ndim != 1:
        raise ParameterError(f"Outcomes {y.shape} and predictions {p.shape} must be as many.")
    if not (np.isfinite(y).all() and np.isfinite(p).all()):
        raise ParameterError("An outcome or a prediction is missing: choose the pupils who have both.")
    return y, p


def mean_absolute_error(found: ArrayLike, predicted: ArrayLike) -> float:
    """Return the mean absolute error, in the unit of the rates.

    >>> mean_absolute_error([0.1, 0.2], [0.1, 0.5])
    0.15
    """
    y, p = _alike(found, predicted)
    return float(np.abs(y - p).mean()) if len(y) else np.nan


def root_mean_square_error(found: ArrayLike, predicted: ArrayLike) -> float:
    """Return the root of the mean squared error, in the unit of the rates.

    >>> root_mean_square_error([0.0, 0.0], [0.3, 0.4]).__round__(4)
    0.3536
    """
    y, p = _alike(found, predicted)
    return float(np.sqrt(((y - p) ** 2).mean())) if len(y) else np.nan


def rate_calibration(found: ArrayLike, predicted: ArrayLike) -> float:
    """Return the slope of found rates on predicted ones by least squares: 1 is right, below 1 predicts too far apart.

    >>> round(rate_calibration([0.1, 0.2, 0.3], [0.0, 0.2, 0.4]), 6)
    0.5
    """
    y, p = _alike(found, predicted)
    spread = float(((p - p.mean()) ** 2).sum()) if len(p) else 0.0
    return float((p - p.mean()) @ y / spread) if spread > 0 else np.nan


def auc(outcome: ArrayLike, score: ArrayLike) -> float:
    """Return the chance that a pupil with the outcome has the higher score (ties: half); missing without both kinds.

    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    y, p = _alike(outcome, score)
    if len(np.unique(y)) < 2:
        return np.nan
    from sklearn.metrics import roc_auc_score  # here: scikit-learn is slow to import

    return float(roc_auc_score(y, p))


def average_precision(outcome: ArrayLike, score: ArrayLike) -> float:
    """Return the mean of the precision over lists of every length, weighted by what each adds to recall.

    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)  # scikit-learn's own example
    0.8333
    """
    y, p = _alike(outcome, score)
    if not y.any():
        return np.nan
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(y, p))


def brier(outcome: ArrayLike, probability: ArrayLike) -> float:
    """Return the mean squared difference of probability and outcome: 0 is perfect.

    >>> brier([1, 0], [0.8, 0.4])
    0.1
    """
    y, p = _alike(outcome, probability)
    return round(float(((y - p) ** 2).mean()), 12) if len(y) else np.nan


def calibration(outcome: ArrayLike, probability: ArrayLike) -> tuple[float, float]:
    """Return (slope, intercept) of the outcomes on the log odds predicted.

    The slope is that of a logistic regression on the log odds, 1 if they spread as far as they should; the intercept is that
    of one whose slope is held at 1 ("in the large"): above 0, more pupils had the outcome than was predicted (Steyerberg 2019,
    Clinical Prediction Models, chapter 15). Missing with too few pupils with or without the outcome.
    """
    y, p = _alike(outcome, probability)
    if min(y.sum(), len(y) - y.sum()) < LEAST_EVENTS:
        return np.nan, np.nan
    odds = log_odds(p)
    level = level_above(y, odds)
    if np.ptp(odds) < _EDGE:
        return np.nan, level
    slope = fit_ridge(np.column_stack([np.ones(len(y)), odds]), y, ridge=0).coefficients[1]
    return float(slope), level


def level_above(outcome: ArrayLike, odds: ArrayLike) -> float:
    """Return what must be added to all log odds for as many outcomes as were found.

    >>> round(level_above([1, 0, 0, 0], np.zeros(4)), 4)  # log(1/3)
    -1.0986
    """
    from scipy.optimize import brentq  # here: scipy is slow to import

    y, known = np.asarray(outcome, dtype=float), np.asarray(odds, dtype=float)
    return float(brentq(lambda level: float(expit_of(known + level).sum() - y.sum()), -_MOST_LEVEL, _MOST_LEVEL))


def log_odds(probability: ArrayLike) -> FloatArray:
    """Return log odds, of 0 and 1 large but finite ones."""
    kept = np.clip(np.asarray(probability, dtype=float), _EDGE, 1 - _EDGE)
    return np.asarray(np.log(kept / (1 - kept)))


def calibration_quintiles(outcome: ArrayLike, probability: ArrayLike, keep: ArrayLike | None = None) -> pd.DataFrame:
    """Return fifths of the pupils by predicted probability: ``quintile`` (1 lowest), ``pupils``, ``expected``, ``found``.

    Parameters
    ----------
    keep
        (N,) pupils to count; all if None. The fifths are those of all: areas counted one by one then add up.
    """
    y, p = _alike(outcome, probability)
    place = quintile_of(p)
    if keep is not None:
        y, p, place = (values[np.asarray(keep, bool)] for values in (y, p, place))
    counts = np.bincount(place, minlength=QUINTILES)
    return pd.DataFrame(
        {
            "quintile": np.arange(1, QUINTILES + 1),
            "pupils": counts,
            "expected": np.bincount(place, p, QUINTILES),
            "found": np.bincount(place, y, QUINTILES).astype(int),
        }
    )


def quintile_of(values: ArrayLike) -> np.ndarray:
    """Return the fifth (0 lowest) each value lies in; equal values lie in the same one.

    >>> quintile_of([0.1, 0.2, 0.3, 0.4, 0.5]).tolist()
    [0, 1, 2, 3, 4]
    """
    p = np.asarray(values, dtype=float)
    edges = np.quantile(p, np.arange(1, QUINTILES) / QUINTILES) if len(p) else np.zeros(QUINTILES - 1)
    return np.asarray(np.searchsorted(edges, p, side="left"))


@dataclass(frozen=True)
class ListScore:
    """A list of pupils and what became of them; numbers may be fractional where pupils at its end have equal scores.

    Attributes
    ----------
    listed
        Pupils on the list: the capacity, or fewer if the rule finds fewer.
    found
        Of those, pupils with the outcome (expected over the order of equal scores).
    outcomes
        All pupils with the outcome.
    """

    listed: int
    found: float
    outcomes: int

    @property
    def precision(self) -> float:
        """Share of those listed who have the outcome."""
        return self.found / self.listed if self.listed else np.nan

    @property
    def recall(self) -> float:
        """Share of those with the outcome who are listed."""
        return self.found / self.outcomes if self.outcomes else np.nan


def list_score(outcome: ArrayLike, score: ArrayLike, capacity: int, allowed: ArrayLike | None = None) -> ListScore:
    """Return what the ``capacity`` pupils with the highest scores come to; ``allowed`` are those the rule may list.

    >>> list_score([1, 0, 1, 0], [0.9, 0.8, 0.8, 0.1], 2)  # one place for two pupils of equal scores
    ListScore(listed=2, found=1.5, outcomes=2)
    """
    if capacity < 1:
        raise ParameterError(f"The capacity must be at least 1 pupil, not {capacity}.")
    y, p = _alike(outcome, score)
    may = np.ones(len(y), bool) if allowed is None else np.asarray(allowed, bool)
    listed = min(capacity, int(may.sum()))
    if not listed:
        return ListScore(0, 0.0, int(y.sum()))
    last = np.partition(p[may], len(p[may]) - listed)[len(p[may]) - listed]
    above, at_last = may & (p > last), may & (p == last)
    found = y[above].sum() + y[at_last].mean() * (listed - above.sum())
    return ListScore(listed, float(found), int(y.sum()))


def rank_correlation(found: ArrayLike, predicted: ArrayLike) -> float:
    """Return Spearman's correlation; missing with fewer than three units, or without any difference between them.

    >>> rank_correlation([1.0, 2.0, 3.0], [10.0, 30.0, 20.0]).__round__(6)
    0.5
    """
    y, p = _alike(found, predicted)
    if len(y) < 3 or np.ptp(y) == 0 or np.ptp(p) == 0:
        return np.nan
    from scipy.stats import spearmanr

    return float(spearmanr(y, p).statistic)


def observed_over_expected(outcome: ArrayLike, probability: ArrayLike) -> dict[str, float]:
    """Return ``pupils``, ``observed``, ``expected``, ``ratio`` and Byar's 95% limits of it (``lower``, ``upper``).

    >>> found = observed_over_expected([1] * 10 + [0] * 90, [0.1] * 100)
    >>> round(found["ratio"], 3), round(found["lower"], 3), round(found["upper"], 3)
    (1.0, 0.479, 1.839)
    """
    y, p = _alike(outcome, probability)
    observed, expected = float(y.sum()), float(p.sum())
    low, high = byar_interval(observed)
    ratios = [value / expected if expected > 0 else np.nan for value in (observed, float(low), float(high))]
    return {
        "pupils": len(y), "observed": int(observed), "expected": expected,
        "ratio": ratios[0], "lower": ratios[1], "upper": ratios[2],
    }  # fmt: skip


def auc_gain(outcome: ArrayLike, score: ArrayLike, other: ArrayLike) -> Difference:
    """Return how much higher the AUC of one score is than of another on the same pupils.

    The interval is that of DeLong, DeLong and Clarke-Pearson (1988, Biometrics 44, 837), with their placement values taken from
    ranks.
    """
    y, first = _alike(outcome, score)
    _, second = _alike(outcome, other)
    has = y > 0
    m, n = int(has.sum()), int((~has).sum())
    if min(m, n) < 2:
        return Difference(np.nan, np.nan, np.nan)
    (with_1, without_1), (with_2, without_2) = (_placements(has, of) for of in (first, second))
    gains, losses = with_1 - with_2, without_1 - without_2
    value = float(gains.mean())
    return _with_interval(value, float(np.sqrt(gains.var(ddof=1) / m + losses.var(ddof=1) / n)))


def _placements(has: np.ndarray, score: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return for each pupil with (without) the outcome the share of the others who are below (above)."""
    from scipy.stats import rankdata

    ranks = rankdata(score)
    m, n = int(has.sum()), int((~has).sum())
    below = (ranks[has] - rankdata(score[has])) / n
    above = 1 - (ranks[~has] - rankdata(score[~has])) / m
    return below, above


def error_gain(found: ArrayLike, predicted: ArrayLike, other: ArrayLike, cluster: ArrayLike) -> Difference:
    """Return by how much the root mean square error of one prediction is below another's on the same pupils.

    The interval is that of the mean difference of squared errors with schools as clusters (pupils of a school share what the
    school does), on the scale of the root by the delta method.

    Parameters
    ----------
    found, predicted, other
        Rates, shape (N,).
    cluster
        School of each pupil, shape (N,).
    """
    y, first = _alike(found, predicted)
    _, second = _alike(found, other)
    if not len(y):
        return Difference(np.nan, np.nan, np.nan)
    squares = np.column_stack([(y - first) ** 2, (y - second) ** 2])
    roots = np.sqrt(squares.mean(axis=0))
    _, place = np.unique(np.asarray(cluster), return_inverse=True)
    units = int(place.max()) + 1
    if units < 2 or not roots.all():
        return Difference(float(roots[1] - roots[0]), np.nan, np.nan)
    influence = (squares[:, 1] - roots[1] ** 2) / (2 * roots[1]) - (squares[:, 0] - roots[0] ** 2) / (2 * roots[0])
    sums = np.bincount(place, influence)
    error = float(np.sqrt(units / (units - 1) * (sums**2).sum())) / len(y)
    return _with_interval(float(roots[1] - roots[0]), error)


def _with_interval(value: float, error: float) -> Difference:
    return Difference(value, value - Z95 * error, value + Z95 * error)
