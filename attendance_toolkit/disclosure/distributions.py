"""What may be shown of a distribution over pupils: quantiles, bins, boxes and means, so that none is one pupil's own.

The rules are those of research data centres. A quantile or mean rests on ten values and more, the smallest and the
largest value are never shown, and one or two pupils must not hold nearly all of a sum (rule NK: n = 2, k = 90%).
Sources: SACRO/ACRO 1.0.2, default.yaml (threshold 10, NK rule 2 and 0.90, zeros disclosive); UK LLC guidebook,
output rules (means and medians need 10, zeros not releasable); OpenSAFELY, statistical disclosure control (no minimum
or maximum); Handbook on Statistical Disclosure Control for Outputs, 2nd edition, 5.7 (an unrounded mean beside
rounded counts undoes the rounding).

Every function is pure and takes exact values. Its results still are figures of a release where they count pupils: the
rows of ``safe_histogram`` and ``safe_cumulative`` go through ``disclosure.release`` like any other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from attendance_toolkit.disclosure.policy import Policy
from attendance_toolkit.errors import DisclosureError
from attendance_toolkit.intervals import wilson_interval

FloatArray = NDArray[np.float64]

#: Two pupils' largest possible share of a sum: by Cauchy's inequality their part is at most
#: sqrt(2 x sum of squares / square of sum), which stays below 90% where sum of squares / square of sum does below this.
NK_CONCENTRATION = 0.9**2 / 2
#: Whiskers of a box stand at these quantiles, never at the smallest and largest value.
WHISKERS = (0.1, 0.9)


def to_base(values: ArrayLike, base: float) -> FloatArray:
    """Return values rounded to a multiple of the base, halves upwards, as shown counts are.

    >>> to_base([12, 12.5, 3], 5).tolist()
    [10.0, 15.0, 5.0]
    """
    return np.floor(np.asarray(values, dtype=float) / base + 0.5) * base


def safe_quantiles(
    values: ArrayLike, probabilities: Sequence[float], policy: Policy, *, unit: float = 1.0
) -> pd.DataFrame:
    """Return quantiles none of which is one pupil's value.

    A quantile is the mean of the ``threshold`` values nearest to it in rank, rounded to ``unit``. It needs that many
    values below and above it, and that many between it and any other quantile shown: the ten values of two quantiles
    then share nobody, and their difference says nothing about a few. Which quantiles can be shown depends on the
    number of values alone.

    Parameters
    ----------
    values
        (n,) one value for each pupil (or school); missing ones are left out.
    probabilities
        Between 0 and 1, the most important first: of two that are too close the later is hidden.
    unit
        What results are rounded to, in the values' own unit (one session, half a percentage point).

    Returns
    -------
    frame in the order asked for: ``probability``, ``value`` (missing where hidden), ``symbol`` ("", or "c").

    Raises
    ------
    ValueError
        A probability outside 0 to 1, or a unit that is not positive.

    >>> from attendance_toolkit.disclosure.policy import SHARED
    >>> safe_quantiles(range(100), [0.5, 0.25, 0.55, 0], SHARED).to_numpy().tolist()
    [[0.5, 50.0, ''], [0.25, 25.0, ''], [0.55, nan, 'c'], [0.0, nan, 'c']]
    """
    if any(not 0 <= p <= 1 for p in probabilities):
        raise ValueError(f"Probabilities lie between 0 and 1, not {list(probabilities)}.")
    if not unit > 0:
        raise ValueError(f"Quantiles cannot be rounded to {unit}. Give the unit of the values, for example 1.")
    ordered = np.sort(_known(values))
    n, k = len(ordered), policy.threshold
    found: list[tuple[float, float, str]] = []
    ranks: list[float] = []
    for p in probabilities:
        if k is None:
            found.append((p, float(np.quantile(ordered, p)) if n else math.nan, "" if n else "z"))
            continue
        rank = p * n
        if math.floor(rank) < k or n - math.ceil(rank) < k or any(abs(rank - other) < k for other in ranks):
            found.append((p, math.nan, "c" if n else "z"))
            continue
        ranks.append(rank)
        first = math.floor(rank - k / 2 + 0.5)
        found.append((p, float(to_base(ordered[first : first + k].mean(), unit)), ""))
    return pd.DataFrame(found, columns=["probability", "value", "symbol"])


@dataclass(frozen=True)
class BoxSummary:
    """What a box plot may draw: whiskers at the 10th and 90th percentile, no dots beyond them.

    Whatever cannot be shown is missing (NaN): the whiskers first, then the box, then the median.
    """

    low: float
    lower_quartile: float
    median: float
    upper_quartile: float
    high: float

    @property
    def note(self) -> str:
        """What the reader is told of the whiskers."""
        if math.isnan(self.median):
            return "The distribution is hidden to protect small numbers."
        if math.isnan(self.lower_quartile):
            return "The box and its whiskers are hidden to protect small numbers."
        if math.isnan(self.low):
            return "The whiskers are hidden to protect small numbers."
        return "Whiskers run from the 10th to the 90th percentile. Values beyond them are not shown."


def box_summary(values: ArrayLike, policy: Policy, *, unit: float = 1.0) -> BoxSummary:
    """Return the five numbers of a box plot, each a ``safe_quantiles`` value. Whiskers come in pairs, and so do quartiles.

    >>> from attendance_toolkit.disclosure.policy import SHARED
    >>> box_summary(range(100), SHARED)
    BoxSummary(low=10.0, lower_quartile=25.0, median=50.0, upper_quartile=75.0, high=90.0)
    >>> box_summary(range(60), SHARED).note
    'The whiskers are hidden to protect small numbers.'
    """
    found = safe_quantiles(values, (0.5, 0.25, 0.75, *WHISKERS), policy, unit=unit)["value"].tolist()
    median, *quartiles = found[:3]
    whiskers = found[3:]
    for pair in (quartiles, whiskers):
        if any(math.isnan(value) for value in pair):
            pair[:] = [math.nan, math.nan]
    return BoxSummary(whiskers[0], quartiles[0], median, quartiles[1], whiskers[1])


def merge_bins(counts: ArrayLike, policy: Policy) -> list[tuple[int, int]]:
    """Return which neighbouring bins to put together, so that no bin holds few pupils of any group, or none.

    Parameters
    ----------
    counts
        (bins,) or (groups, bins) numbers of pupils. Groups whose figures stand side by side, or add up, must share
        their bins: otherwise one group's finer bins give away the other's.

    Returns
    -------
    First bin and the bin after the last of each merged bin; as many merged bins as possible. An empty bin counts as
    small: shown at the end of a scale it would say how far the largest value reaches. Groups too small to be parted
    at all (fewer than twice the threshold) do not decide, since the release hides their bins.

    >>> from attendance_toolkit.disclosure.policy import SHARED
    >>> merge_bins([40, 3, 12, 9, 0], SHARED), merge_bins([[40, 3, 12, 9, 0], [20, 20, 1, 2, 17]], SHARED)
    ([(0, 1), (1, 5)], [(0, 1), (1, 5)])
    """
    table = np.atleast_2d(np.asarray(counts, dtype=float))
    bins = table.shape[1]
    k = policy.threshold
    if k is None:
        return [(i, i + 1) for i in range(bins)]
    table = table[table.sum(axis=1) >= 2 * k]
    merged: list[tuple[int, int]] = []
    start = 0
    for stop in range(1, bins + 1):
        if len(table) and (table[:, start:stop].sum(axis=1) >= k).all():
            merged.append((start, stop))
            start = stop
    if start < bins:
        # What is left over is few: it goes with the last bin, or is all there is.
        first = merged.pop()[0] if merged else 0
        merged.append((first, bins))
    return merged


def safe_histogram(
    values: ArrayLike, edges: Sequence[float], policy: Policy, *, unit: str = "%", measure: str = "band_rate"
) -> pd.DataFrame:
    """Return pupils by bin as MEASURE rows, neighbouring bins merged until none holds few pupils.

    Parameters
    ----------
    values
        (n,) one value for each pupil; missing ones are left out.
    edges
        Increasing, chosen without looking at the values: a bin runs from one to under the next, the last one up to
        and with its end (which may be ``math.inf``).
    unit
        Written after the numbers of a label.

    Returns
    -------
    MEASURE rows with the columns ``band`` and ``enrolments``, exact counts, one row a merged bin. They are counts of
    pupils, to be cleared by a release with all the others. The symbol is "c" where the group is small.

    Raises
    ------
    DisclosureError
        A value lies outside the edges: leaving it out would tell by how much.
    ValueError
        The edges do not increase.

    >>> from attendance_toolkit.disclosure.policy import SHARED
    >>> values = [2] * 40 + [7] * 3 + [12] * 12 + [30] * 9
    >>> rows = safe_histogram(values, [0, 5, 10, 20, 50, math.inf], SHARED)
    >>> rows[["band", "numerator"]].to_numpy().tolist()
    [['0% to under 5%', 40.0], ['5% or more', 24.0]]
    """
    known = _known(values)
    counts = _bin_counts(known, edges)
    merged = merge_bins(counts, policy)
    labels = [_label(edges[start], edges[stop], unit, is_last=stop == len(counts)) for start, stop in merged]
    return _band_rows(labels, [counts[start:stop].sum() for start, stop in merged], len(known), policy, measure)


def safe_cumulative(
    values: ArrayLike, edges: Sequence[float], policy: Policy, *, unit: str = "%", measure: str = "band_rate"
) -> pd.DataFrame:
    """Return pupils below each edge as MEASURE rows: ``safe_histogram``'s bins added up, everybody left out.

    Two neighbouring points of the curve differ by a merged bin, so a step never is a few pupils.

    >>> from attendance_toolkit.disclosure.policy import SHARED
    >>> values = [2] * 40 + [7] * 3 + [12] * 12 + [30] * 9
    >>> rows = safe_cumulative(values, [0, 5, 10, 20, 50, math.inf], SHARED)
    >>> rows[["band", "numerator"]].to_numpy().tolist()
    [['under 5%', 40.0]]
    """
    known = _known(values)
    counts = _bin_counts(known, edges)
    merged = merge_bins(counts, policy)[:-1]
    labels = [f"under {edges[stop]:g}{unit}" for _, stop in merged]
    return _band_rows(labels, [counts[:stop].sum() for _, stop in merged], len(known), policy, measure)


def safe_mean(
    total: ArrayLike, n: ArrayLike, squares: ArrayLike, policy: Policy, *, decimals: int = 1
) -> tuple[FloatArray, NDArray[np.str_]]:
    """Return means of a quantity over pupils, and the symbol of those that may not be shown.

    A mean needs ``threshold`` pupils, at least as many that have any of the quantity (told by Cauchy's inequality
    from the squares: at least total^2 / squares have), and no two that hold 90% of it. It is worked out from the
    rounded total and the rounded number and cut to ``decimals``: times the number it must not give the exact total.

    Parameters
    ----------
    total, n, squares
        Sum of the quantity, number of pupils and sum of squares over them, broadcast together. A missing sum of
        squares proves nothing, and hides the mean.

    Returns
    -------
    values (missing where hidden) and symbols ("", "c", or "z" for no pupils).

    >>> from attendance_toolkit.disclosure.policy import SHARED
    >>> # 30 pupils of 12 sessions each; 30 of whom one has 300; nine pupils; nobody.
    >>> values, symbols = safe_mean([360, 329, 90, 0], [30, 30, 9, 0], [4320, 90029, 900, 0], SHARED)
    >>> values.tolist(), symbols.tolist()
    ([12.0, nan, nan, nan], ['', 'c', 'c', 'z'])
    """
    amount, number, square = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (total, n, squares)))
    empty = number == 0
    hidden = np.zeros(number.shape, dtype=bool)
    if policy.threshold is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            concentration = square / amount**2
        limit = min(NK_CONCENTRATION, 1 / policy.threshold)
        # Written so that a missing number is hidden: no comparison with it holds.
        hidden = ~((number >= policy.threshold) & (concentration <= limit))
    base = policy.rounding
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = to_base(amount, base) / to_base(number, base)
    if policy.threshold is not None:
        mean = to_base(mean, 10.0**-decimals).round(decimals)
    values = np.where(hidden | empty, np.nan, mean)
    return values, np.where(empty, "z", np.where(hidden, "c", ""))


def _known(values: ArrayLike) -> FloatArray:
    found = np.asarray(values, dtype=float).ravel()
    return found[~np.isnan(found)]


def _bin_counts(values: FloatArray, edges: Sequence[float]) -> FloatArray:
    bounds = np.asarray(edges, dtype=float)
    if len(bounds) < 2 or not (np.diff(bounds) > 0).all():
        raise ValueError(f"Edges of bins must increase, unlike {list(edges)}.")
    if len(values) and (values.min() < bounds[0] or values.max() > bounds[-1]):
        raise DisclosureError(
            f"A value lies outside the edges {bounds[0]:g} to {bounds[-1]:g}. Use edges that hold every possible value."
        )
    if math.isinf(bounds[-1]):
        # numpy takes differences of the edges, and inf - inf is not a number.
        bounds = np.append(bounds[:-1], np.nextafter(max(values.max(initial=bounds[-2]), bounds[-2]), np.inf))
    return np.histogram(values, bounds)[0].astype(float)


def _label(low: float, high: float, unit: str, *, is_last: bool) -> str:
    """Return a band's label, worded as ``vocabulary.hierarchies.ABSENCE_BANDS`` are."""
    if math.isinf(high):
        return f"{low:g}{unit} or more"
    return f"{low:g}{unit} to {'' if is_last else 'under '}{high:g}{unit}"


def _band_rows(labels: Sequence[str], counts: Sequence[float], n: int, policy: Policy, measure: str) -> pd.DataFrame:
    rows = pd.DataFrame({"band": list(labels), "measure": measure, "numerator": np.asarray(counts, dtype=float)})
    rows["denominator"] = float(n)
    rows["rate"] = rows["numerator"] / rows["denominator"].where(rows["denominator"] > 0)
    rows["lower"], rows["upper"] = wilson_interval(rows["numerator"], rows["denominator"])
    is_small = policy.threshold is not None and n < policy.threshold
    rows["symbol"] = "z" if n == 0 else "c" if is_small else ""
    if n == 0 or is_small:
        rows[["numerator", "denominator", "rate", "lower", "upper"]] = np.nan
    return rows.assign(enrolments=float(n))
