"""What a sample without replacement says of the whole list it was drawn from: shares with intervals that know the list ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from attendance_toolkit.intervals import wilson_interval
from attendance_toolkit.models.estimate import Estimate


@dataclass(frozen=True)
class Stratum:
    """A part of a list: how many it has, how many were drawn, and how many of those had the outcome."""

    total: int
    drawn: int
    events: int

    def __post_init__(self) -> None:
        if not 0 <= self.events <= self.drawn <= self.total or (self.total and not self.drawn):
            raise ValueError(
                f"{self.events} of {self.drawn} drawn of {self.total}: at least one is drawn of any stratum, no more than it"
                " has, and events are among those drawn."
            )


def hypergeometric_interval(events: int, drawn: int, total: int, level: float = 0.95) -> tuple[int, int]:
    """Return the exact interval of how many of a list have an outcome, from one sample without replacement.

    The numbers that neither tail test of the hypergeometric distribution rejects at half of 1 - level: the analogue of
    Clopper and Pearson's interval for a finite population. Never fewer than were seen, never more than leaves room for
    those seen without the outcome. Source: Wright (1991), Exact confidence bounds when sampling from small finite
    universes, Springer.

    Parameters
    ----------
    events, drawn, total
        Seen with the outcome, drawn, and on the list.

    Returns
    -------
    Smallest and largest number of the list.

    Raises
    ------
    ValueError
        The numbers do not contain each other, or nobody was drawn.

    >>> hypergeometric_interval(20, 42, 347), hypergeometric_interval(5, 5, 5)
    ((115, 217), (5, 5))
    """
    Stratum(total, drawn, events)
    if not drawn:
        raise ValueError("Nobody was drawn, so that nothing can be said of the list.")
    tail = (1 - level) / 2
    possible = range(events, total - drawn + events + 1)
    # Both tail probabilities are monotone in the number of the list: halve the span until the ends are found.
    lower = _first(possible, lambda number: _at_least(events, drawn, total, number) > tail)
    upper = _first(possible[::-1], lambda number: 1 - _at_least(events + 1, drawn, total, number) > tail)
    return lower, upper


def stratified_share(strata: Sequence[Stratum], level: float = 0.95) -> Estimate:
    """Return the share of a list with an outcome, estimated from a sample drawn in strata, with its interval.

    Each stratum counts by its size on the list (Horvitz and Thompson). One stratum: the exact interval
    (``hypergeometric_interval``). Several: Wilson's interval at an effective sample size

        1 / sum over strata of W^2 (1 - (drawn - 1) / (total - 1)) / drawn,  W the stratum's share of the list,

    the size of a sample with replacement of the same variance if the outcome were equally common in all strata. Where it is
    not, the true variance is smaller, so that the interval is a little wide rather than narrow. Its ends are kept to
    what is possible: at least those seen with the outcome, and all but those seen without.

    Parameters
    ----------
    strata
        Those with pupils; at least one is drawn of each. A stratum nobody was drawn of has to be joined with another.

    Returns
    -------
    Share and interval, 0 to 1.

    Raises
    ------
    ValueError
        No strata, or of one nobody was drawn.

    >>> found = stratified_share([Stratum(300, 36, 18), Stratum(47, 6, 2)])
    >>> round(found.value, 4), round(found.lower, 4), round(found.upper, 4)
    (0.4774, 0.3425, 0.6158)
    """
    known = [one for one in strata if one.total]
    total = sum(one.total for one in known)
    if not total:
        raise ValueError("There is no stratum with anybody in it.")
    share = math.fsum(one.total * one.events / one.drawn for one in known) / total
    if len(known) == 1:
        (only,) = known
        ends = hypergeometric_interval(only.events, only.drawn, only.total, level)
        return Estimate(share, ends[0] / total, ends[1] / total)
    inverse = math.fsum(
        (one.total / total) ** 2 * (one.total - one.drawn) / max(one.total - 1, 1) / one.drawn for one in known
    )
    seen, without = sum(one.events for one in known), sum(one.drawn - one.events for one in known)
    least, most = seen / total, (total - without) / total
    if inverse == 0:
        return Estimate(share, share, share)
    size = 1 / inverse
    lower, upper = (float(end) for end in wilson_interval(share * size, size, _normal(level)))
    return Estimate(share, min(max(lower, least), share), max(min(upper, most), share))


def share_standard_error(strata: Sequence[Stratum]) -> float:
    """Return the standard error of ``stratified_share``; strata of which one was drawn, and not all, make it missing.

    Source: Cochran (1977), Sampling Techniques, 3rd edition, equation 5.53; R ``survey::svymean`` with fpc gives the same.

    >>> round(share_standard_error([Stratum(300, 36, 18), Stratum(47, 6, 2)]), 4)
    0.0735
    """
    known = [one for one in strata if one.total]
    total = sum(one.total for one in known)
    variance = 0.0
    for one in known:
        if one.drawn == one.total:
            continue
        if one.drawn == 1:
            return math.nan
        rate = one.events / one.drawn
        variance += (one.total / total) ** 2 * (1 - one.drawn / one.total) * rate * (1 - rate) / (one.drawn - 1)
    return math.sqrt(variance)


def whole_parts(shares: Sequence[float], total: int) -> list[int]:
    """Return whole numbers in the proportion of shares that add up to a total (largest remainders; equal ones: the first).

    >>> whole_parts([1 / 3, 1 / 3, 1 / 3], 100), whole_parts([0.47, 0.41, 0.12], 347)
    ([34, 33, 33], [163, 142, 42])
    """
    every = math.fsum(shares)
    if not every:
        return [0 for _ in shares]
    exact = np.asarray(shares, dtype=float) / every * total
    # 3.9999999 is 4 that was computed: its remainder is none.
    floors = np.floor(np.round(exact, 9)).astype(int)
    order = sorted(range(len(shares)), key=lambda place: (-round(float(exact[place] - floors[place]), 9), place))
    for place in order[: total - int(floors.sum())]:
        floors[place] += 1
    return [int(number) for number in floors]


def _at_least(events: int, drawn: int, total: int, number: int) -> float:
    """Return the chance of at least so many events in a sample, if ``number`` of the list have the outcome."""
    from scipy.stats import hypergeom  # here: the command line starts without scipy

    return float(hypergeom.sf(events - 1, total, number, drawn))


def _first(numbers: range, holds: Callable[[int], bool]) -> int:
    """Return the first of the numbers for which something holds, if it holds for all after it."""
    low, high = 0, len(numbers) - 1
    while low < high:
        middle = (low + high) // 2
        if holds(numbers[middle]):
            high = middle
        else:
            low = middle + 1
    return numbers[low]


def _normal(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))
