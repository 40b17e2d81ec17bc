"""What a group chosen for its high absence would have come to anyway: earlier pupils chosen alike, without support.

Pupils picked because a rate was high miss less later whatever is done: part of the rate was bad luck. Formulas for that
take rates as normal and are far off for absence, which is skewed. So the group is held against earlier cohorts under the
same rule and in the same weeks of the later year, reweighted to the group's own mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.intervals import Z95, FloatArray
from attendance_toolkit.models._design import codes_of, totals
from attendance_toolkit.models._units import variance_between
from attendance_toolkit.models.estimate import Estimate

#: Fewer supported pupils, or fewer earlier ones to compare with (after reweighting), than these give no effect.
FEWEST_SUPPORTED, FEWEST_COMPARED = 10, 30
#: Years differ at least by this share of the rate expected (standard deviation), whatever two or three cohorts happen to
#: show, and where there is one: 0.32 percentage points of 6.4%, the drift of simulated cohorts.
YEARS_DIFFER = 0.05
#: Rate from which the tilt is counted; any other gives the same weights.
_ORIGIN = 0.1
_MOST_STEPS, _CLOSE = 200, 1e-12

#: What the reader of an effect has to be told: name -> sentence.
ONE_COHORT, SCHOOLS_UNKNOWN = "one cohort", "schools unknown"
NOTES = {
    ONE_COHORT: "The pupils compared with are of one earlier year alone: how much years differ is assumed, not measured.",
    SCHOOLS_UNKNOWN: "The schools of the pupils are not known: the interval takes them as all in one school.",
}


class SupportRefusedError(NoDataError):
    """No effect of support can be stated.

    Attributes
    ----------
    reason
        Why, as a sentence.
    needed
        What would be needed, as a sentence.
    """

    def __init__(self, reason: str, needed: str) -> None:
        super().__init__(f"{reason} {needed}")
        self.reason, self.needed = reason, needed


@dataclass(frozen=True)
class SupportEffect:
    """What became of a group, and what became of earlier pupils chosen alike; rates are shares, means over pupils.

    Attributes
    ----------
    n
        Pupils of the group.
    before, after
        Mean of the pupils' rates in the year before and in the window after; each pupil counts once, however many
        sessions they had.
    naive_change
        ``after`` less ``before``: what a comparison without history reports.
    expected_after, expected_change
        Where earlier pupils without support, reweighted to ``before``, came to in the same window.
    effect
        ``after`` less ``expected_after``, with its 95% interval; below 0 is less absence than expected.
    se
        Standard error of the effect.
    sd
        Standard deviation of earlier pupils' rates in the window.
    residual_sd
        The same around what their rate before leads to expect: what a group's mean varies by.
    tau_school, tau_cohort
        Standard deviations between schools and between years beyond chance, the latter ``YEARS_DIFFER`` of
        ``expected_after`` or more.
    se_expected
        Standard error of ``expected_after``.
    tilt
        ``k`` of the weights exp(-k (before - 0.1)); 0 if the means were alike already.
    n_compared, n_effective
        Earlier pupils, and how many equally weighted ones they are worth after reweighting.
    n_cohorts, n_schools
        Earlier cohorts compared with; and schools the group's even spread would be worth (1: all in one).
    notes
        Names of ``NOTES`` that have to be told with the effect.
    """

    n: int
    before: float
    after: float
    naive_change: float
    expected_after: float
    expected_change: float
    effect: Estimate
    se: float
    sd: float
    residual_sd: float
    tau_school: float
    tau_cohort: float
    se_expected: float
    tilt: float
    n_compared: int
    n_effective: float
    n_cohorts: int
    n_schools: float
    notes: tuple[str, ...]


def support_effect(
    group_before: ArrayLike,
    group_after: ArrayLike,
    history_before: ArrayLike,
    history_after: ArrayLike,
    *,
    history_cohort: ArrayLike | None = None,
    history_weight: ArrayLike | None = None,
    school_of_group: ArrayLike | None = None,
    school_of_history: ArrayLike | None = None,
) -> SupportEffect:
    """Return a supported group's change beyond that of earlier pupils chosen by the same rule.

    Parameters
    ----------
    group_before, group_after
        Rates of the supported pupils in the year before the step and in a window after it, shape (n,), 0 to 1.
    history_before, history_after
        The same of pupils of earlier cohorts whom the same rule would have chosen and who had no support, shape (m,).
    history_cohort
        Label of each earlier pupil's cohort, shape (m,); one cohort unless given.
    history_weight
        What each earlier pupil counts before reweighting, shape (m,), above 0; all alike unless given. So earlier pupils of
        several year groups can be brought to the shares these have in the group.
    school_of_group, school_of_history
        Schools after the step, shapes (n,) and (m,). Without either, the group is taken as all in one school.

    Raises
    ------
    SupportRefusedError
        Too few pupils on either side, or no reweighting of the earlier pupils has the group's mean.
    ParameterError
        Rates that are missing or not from 0 to 1, or shapes that do not fit.

    Notes
    -----
    Earlier pupils have weights exp(-k (before - 0.1)), with the k that gives them the group's mean before: of all
    weights that do, these change the earlier pupils' distribution least (exponential tilting). The variance of the effect is that of
    a mean of n pupils around what their mean before leads to expect, of the schools they are in, of the expected mean
    itself, and of the year: schools (within cohorts) and cohorts vary by moments (DerSimonian and Laird 1986,
    Controlled Clinical Trials 7, 177).

    >>> rng = np.random.default_rng(1)
    >>> before = 0.1 + rng.exponential(0.06, 600)
    >>> after = 0.06 + 0.5 * (before - 0.1) + rng.exponential(0.03, 600)
    >>> found = support_effect(before[:40], after[:40] - 0.03, before[40:], after[40:])
    >>> round(found.naive_change, 3), round(found.expected_change, 3), found.effect.is_clear_of(0)
    (-0.076, -0.047, True)
    """
    x, y = _rates(group_before, group_after, "the group")
    history_x, history_y = _rates(history_before, history_after, "the history")
    refuse_few(len(x), len(history_x))
    weight, tilt = tilted_weights(history_x, float(x.mean()), _base(history_weight, len(history_x)))
    effective = float(1 / (weight**2).sum())
    if effective < FEWEST_COMPARED:
        raise _unlike()
    expected = float(weight @ history_y)
    residual, sd = _residuals(history_x, history_y, weight)
    cohort = _labels(history_cohort, len(history_x), "cohort")
    is_known = school_of_group is not None and school_of_history is not None
    school = _labels(school_of_history, len(history_x), "school")
    # A school in another year is another unit: what it does differently in one year is part of what varies.
    unit, _ = codes_of(cohort * (int(school.max()) + 1) + school, len(school), "school")
    residual_sd, tau_school = (
        _within_and_between(residual, weight, unit) if is_known else (_spread(residual, weight), 0.0)
    )
    n_schools = 1 / _evenness(_labels(school_of_group, len(x), "school"))
    share = 1 / n_schools if is_known else 1.0
    history_share = float((totals(unit, weight) ** 2).sum()) if is_known else 1.0
    chance = residual_sd**2 * float((weight**2).sum()) + tau_school**2 * history_share
    between_cohorts, cohort_share = _cohorts(residual, weight, cohort, unit, residual_sd, tau_school)
    tau_cohort = max(between_cohorts, YEARS_DIFFER * expected)
    se_expected = math.sqrt(chance + tau_cohort**2 * cohort_share)
    se = math.sqrt(residual_sd**2 / len(x) + tau_school**2 * share + tau_cohort**2 + se_expected**2)
    before, after = float(x.mean()), float(y.mean())
    effect = after - expected
    n_cohorts = int(cohort.max()) + 1
    notes = [ONE_COHORT] if n_cohorts < 2 else []
    return SupportEffect(
        n=len(x),
        before=before,
        after=after,
        naive_change=after - before,
        expected_after=expected,
        expected_change=expected - before,
        effect=Estimate(effect, effect - Z95 * se, effect + Z95 * se),
        se=se,
        sd=sd,
        residual_sd=residual_sd,
        tau_school=tau_school,
        tau_cohort=tau_cohort,
        se_expected=se_expected,
        tilt=tilt,
        n_compared=len(history_x),
        n_effective=effective,
        n_cohorts=n_cohorts,
        n_schools=n_schools if is_known else 1.0,
        notes=tuple(notes if is_known else [*notes, SCHOOLS_UNKNOWN]),
    )


def refuse_few(supported: int, compared: int) -> None:
    """Refuse a group or a history that is too small.

    Raises
    ------
    SupportRefusedError
        Fewer than ``FEWEST_SUPPORTED`` supported pupils or ``FEWEST_COMPARED`` earlier ones.
    """
    if supported < FEWEST_SUPPORTED:
        raise SupportRefusedError(
            "Too few supported pupils were followed for a change beyond chance to be told.",
            "Ten or more are needed with sessions in both years.",
        )
    if compared < FEWEST_COMPARED:
        raise SupportRefusedError(
            "No effect of the support is stated: there are too few pupils of earlier years, chosen by the same rule and without"
            " support, to tell what would have happened anyway.",
            "Needed are thirty or more such pupils of one earlier year group or several, with their sessions of the year before"
            " the step and of the same weeks after it: load earlier years.",
        )


def _unlike() -> SupportRefusedError:
    return SupportRefusedError(
        "No effect of the support is stated: earlier pupils chosen by the same rule are too unlike the group to be reweighted to"
        " its absence in the year before.",
        "Needed are thirty or more earlier pupils with absence like the group's: load earlier years, or say by which rule the group"
        " was chosen.",
    )


def _rates(before: ArrayLike, after: ArrayLike, what: str) -> tuple[FloatArray, FloatArray]:
    x, y = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    if x.ndim != 1 or x.shape != y.shape:
        raise ParameterError(f"Rates of {what} have the shapes {x.shape} and {y.shape}: give one of each a pupil.")
    for rates in (x, y):
        if not ((rates >= 0) & (rates <= 1)).all():
            raise ParameterError(f"Rates of {what} must be from 0 to 1 and not missing: leave pupils without one out.")
    return x, y


def _labels(labels: ArrayLike | None, rows: int, what: str) -> np.ndarray:
    """Return codes of labels; all alike where there are none."""
    return np.zeros(rows, dtype=np.intp) if labels is None else codes_of(labels, rows, what)[0]


def tilted_weights(rates: FloatArray, mean: float, base: FloatArray | None = None) -> tuple[FloatArray, float]:
    """Return weights (m,) adding up to 1 under which rates have a mean, and the tilt ``k``.

    The weights are ``base`` (all alike unless given) times exp(-k (rate - 0.1)).

    Raises
    ------
    SupportRefusedError
        The mean is not between the lowest and the highest rate.

    >>> weight, k = tilted_weights(np.array([0.1, 0.2, 0.4]), 0.2)
    >>> round(float(weight @ [0.1, 0.2, 0.4]), 6), round(k, 2)
    (0.2, 2.31)
    """
    if not rates.min() < mean < rates.max():
        raise _unlike()
    k, low, high = 0.0, -math.inf, math.inf
    for _ in range(_MOST_STEPS):
        weight = _weights(rates, k, base)
        centre = float(weight @ rates)
        if abs(centre - mean) < _CLOSE:
            break
        # The tilted mean falls with k, by the tilted variance: Newton's step, held inside what is known of k.
        low, high = (k, high) if centre > mean else (low, k)
        spread = float(weight @ (rates - centre) ** 2)
        step = k + (centre - mean) / spread if spread > 0 else math.nan
        inside = low < step < high
        k = step if inside else (low + high) / 2 if math.isfinite(low + high) else 2 * k
    return weight, k


def _base(weight: ArrayLike | None, rows: int) -> FloatArray | None:
    if weight is None:
        return None
    base = np.asarray(weight, dtype=float)
    if base.shape != (rows,) or not (np.isfinite(base) & (base > 0)).all():
        raise ParameterError(f"Give each of the {rows} earlier pupils one weight above 0.")
    return base


def _weights(rates: FloatArray, k: float, base: FloatArray | None) -> FloatArray:
    power = -k * (rates - _ORIGIN)
    weight = np.exp(power - power.max())
    if base is not None:
        weight = weight * base
    return np.asarray(weight / weight.sum())


def _residuals(x: FloatArray, y: FloatArray, weight: FloatArray) -> tuple[FloatArray, float]:
    """Return what is left of the later rates beside a line through the earlier ones, and their standard deviation.

    The line's slope is by how much the tilted mean of the later rates follows the mean of the earlier ones.
    """
    dx, dy = x - weight @ x, y - weight @ y
    spread = float(weight @ dx**2)
    slope = float(weight @ (dx * dy)) / spread if spread > 0 else 0.0
    return np.asarray(dy - slope * dx), _spread(dy, weight)


def _spread(values: FloatArray, weight: FloatArray) -> float:
    """Return the weighted standard deviation of values with mean 0, unbiased for equally likely ones."""
    return math.sqrt(float(weight @ values**2) / (1 - float((weight**2).sum())))


def _within_and_between(residual: FloatArray, weight: FloatArray, unit: np.ndarray) -> tuple[float, float]:
    """Return the standard deviations of residuals within units and, beyond chance, between them."""
    total, squares = totals(unit, weight), totals(unit, weight**2)
    mean = totals(unit, weight * residual) / total
    spare = float((total - squares / total).sum())
    if spare <= 1e-9 or len(total) < 2:  # one pupil a school: what is of the school cannot be told from the pupil's own
        return _spread(residual, weight), 0.0
    within = float((weight * (residual - mean[unit]) ** 2).sum()) / spare
    if within <= 0:
        return 0.0, _spread(mean, total / total.sum())
    precision = total**2 / squares / within
    centre = float(precision @ mean / precision.sum())
    return math.sqrt(within), math.sqrt(variance_between(float(precision @ (mean - centre) ** 2), precision))


def _cohorts(
    residual: FloatArray, weight: FloatArray, cohort: np.ndarray, unit: np.ndarray, sd: float, tau: float
) -> tuple[float, float]:
    """Return the standard deviation between cohorts beyond chance (0 with one), and the sum of their squared shares."""
    total = totals(cohort, weight)
    if len(total) < 2:
        return 0.0, 1.0
    of_unit = np.zeros(int(unit.max()) + 1, dtype=np.intp)
    of_unit[unit] = cohort
    by_school = totals(of_unit, totals(unit, weight) ** 2)
    error = (sd**2 * totals(cohort, weight**2) + tau**2 * by_school) / total**2
    mean = totals(cohort, weight * residual) / total
    centre = float((mean / error).sum() / (1 / error).sum())
    between = variance_between(float(((mean - centre) ** 2 / error).sum()), 1 / error)
    return math.sqrt(between), float((total**2).sum())


def _evenness(schools: np.ndarray) -> float:
    """Return the sum of squared shares of the schools: 1 if all pupils are in one."""
    shares = totals(schools, np.ones(len(schools))) / len(schools)
    return float((shares**2).sum())
