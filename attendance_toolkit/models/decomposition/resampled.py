"""Intervals for the parts of a change, by drawing the pupils again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.models._counts import checked_counts
from attendance_toolkit.models.decomposition.cells import CrossClassified, cross_classified
from attendance_toolkit.models.estimate import Estimate


@dataclass(frozen=True)
class DecompositionInterval:
    """The parts of a change with their 95% intervals; ``structure`` by characteristic, in the order of the axes."""

    total: Estimate
    rate: Estimate
    composition: Estimate
    structure: dict[str, Estimate]


def decomposition_interval(
    events0: ArrayLike,
    cells0: ArrayLike,
    events1: ArrayLike,
    cells1: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    draws: int = 300,
    seed: int = 1,
) -> DecompositionInterval:
    """Return the parts of ``cross_classified`` with intervals.

    Parameters
    ----------
    events0, cells0, events1, cells1
        Pupils with the outcome (persistent or severe absentees) and all pupils of each cell, with one axis for each
        characteristic. Counts of pupils, never of sessions: sessions of one pupil go together.
    names
        Names of the axes.
    draws, seed
        How often the pupils of both years are drawn again, and where the draws begin.

    Raises
    ------
    NoDataError
        A count is missing, or a year has no pupils.
    ValueError
        The counts are not whole numbers, or not counts.

    Notes
    -----
    Percentiles of a bootstrap: each year's pupils are drawn with replacement, which is one multinomial draw over cells
    with and without the outcome. The two years are drawn apart; pupils who are in both make the true intervals narrower
    than these.
    """
    years = [_counts(events, cells) for events, cells in ((events0, cells0), (events1, cells1))]
    rng = np.random.default_rng(seed)
    whole = _decomposed(years, names)
    drawn = [_decomposed([_drawn_again(rng, y, n) for y, n in years], names) for _ in range(draws)]
    parts = {name: [one.structure[name] for one in drawn] for name in whole.structure}
    return DecompositionInterval(
        total=_estimate(whole.total, [one.total for one in drawn]),
        rate=_estimate(whole.rate, [one.rate for one in drawn]),
        composition=_estimate(whole.composition, [one.composition for one in drawn]),
        structure={name: _estimate(whole.structure[name], values) for name, values in parts.items()},
    )


def _counts(events: ArrayLike, cells: ArrayLike) -> tuple[FloatArray, FloatArray]:
    y, n = checked_counts(events, cells)
    if np.isnan(y).any():
        raise NoDataError(f"{int(np.isnan(y).sum())} of {y.size} cells have a missing count: none may be missing.")
    if (y != np.round(y)).any() or (n != np.round(n)).any():
        raise ValueError("Pupils are drawn again, so counts must be whole numbers of pupils.")
    return y, n


def _drawn_again(rng: np.random.Generator, y: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    both = np.stack([y, n - y]).astype(np.int64)
    total = int(both.sum())
    drawn = rng.multinomial(total, both.ravel() / max(total, 1)).reshape(both.shape).astype(float)
    return drawn[0], drawn.sum(axis=0)


def _decomposed(years: list[tuple[FloatArray, FloatArray]], names: Sequence[str] | None) -> CrossClassified:
    rates = [np.divide(y, n, out=np.zeros_like(y), where=n > 0) for y, n in years]
    return cross_classified(years[0][1], rates[0], years[1][1], rates[1], names=names)


def _estimate(value: float, drawn: list[float]) -> Estimate:
    lower, upper = np.quantile(drawn, [0.025, 0.975])
    return Estimate(value, float(lower), float(upper))
