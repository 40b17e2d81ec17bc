"""A rate of cells of pupils: what their mix changed, by characteristic, and what the rates of the cells changed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.models.decomposition.products import reconcile_pairs, standardised_product_pair


@dataclass(frozen=True)
class RateParts:
    """The change of a rate in two parts, in the unit of the rate.

    Attributes
    ----------
    composition
        What the change of the mix of pupils adds, at the mean of both years' rates.
    rate
        What the change of the groups' rates adds, at the mean of both years' mixes.
    """

    composition: float
    rate: float

    @property
    def total(self) -> float:
        """The change of the rate."""
        return self.composition + self.rate


@dataclass(frozen=True)
class CrossClassified:
    """The change of a rate of cells that several characteristics make up.

    Attributes
    ----------
    structure
        What the change of the mix by each characteristic adds, in the order of the axes.
    rate
        What the change of the cells' rates adds.
    total
        The change of the rate: the sum of all of them.
    """

    structure: dict[str, float]
    rate: float
    total: float

    @property
    def composition(self) -> float:
        """What the change of the mix adds, all characteristics together: Kitagawa's part."""
        return math.fsum(self.structure.values())


@dataclass(frozen=True, eq=False)
class StandardisedCells:
    """Rates of P populations as they would be if they differed in one respect only; arrays of shape (P,).

    Attributes
    ----------
    structure
        With each population's own mix by this characteristic, and all else alike.
    rate
        With each population's own rates, and the mix alike.
    crude
        The populations' rates as they are.
    """

    structure: dict[str, FloatArray]
    rate: FloatArray
    crude: FloatArray


def kitagawa(share0: ArrayLike, rate0: ArrayLike, share1: ArrayLike, rate1: ArrayLike) -> RateParts:
    """Return composition and rate, the two parts of the change of a rate between two years (or areas).

    Parameters
    ----------
    share0, share1
        Each group's share of the pupils (or sessions) of its year, or their number: divided by their sum.
    rate0, rate1
        Each group's rate. A group that is empty in one year has the other year's rate in both, so that it is all
        composition; its rate may be missing.

    Raises
    ------
    NoDataError
        A year is empty, a number is missing, or a rate is missing where there are pupils.
    ValueError
        The arrays have different shapes, or a share is below 0.

    >>> # As many pupils again are eligible; their rate falls by 4 points, the others' stays at 10%.
    >>> found = kitagawa([500, 1500], [0.30, 0.10], [1000, 1000], [0.26, 0.10])
    >>> round(found.composition, 4), round(found.rate, 4), round(found.total, 4)
    (0.045, -0.015, 0.03)
    """
    shares, rates = _shares_and_rates([share0, share1], [rate0, rate1])
    borrowed = borrowed_rates(shares, rates)
    composition = (shares[1] - shares[0]) * (borrowed[0] + borrowed[1]) / 2
    rate = (borrowed[1] - borrowed[0]) * (shares[0] + shares[1]) / 2
    return RateParts(_sum(composition), _sum(rate))


def cross_classified(
    cells0: ArrayLike,
    rates0: ArrayLike,
    cells1: ArrayLike,
    rates1: ArrayLike,
    *,
    names: Sequence[str] | None = None,
) -> CrossClassified:
    """Return what each characteristic's mix, and the rates, add to the change of a rate between two years (or areas).

    Parameters
    ----------
    cells0, cells1
        Numbers of pupils (or of possible sessions) with one axis for each characteristic.
    rates0, rates1
        Rate of each cell, of the same shape; may be missing where the cell is empty.
    names
        Names of the axes; "factor 1", "factor 2" and so on unless given.

    Raises
    ------
    NoDataError, ValueError
        As ``kitagawa``; or there is not a name for each axis.

    Notes
    -----
    Das Gupta (1993), chapter 5: a cell's share is the product of one structure factor for each characteristic
    (``structure_factors``). Structure effects are at the mean of both years' rates, the rate effect at the mean of both
    years' shares, as there; so the sum of the structure effects is Kitagawa's composition. A cell that is empty in one
    year has the other year's rate, and its appearance is parted equally among the characteristics.

    >>> # More pupils are eligible for free school meals (first axis); SEN (second) and all rates stay as they are.
    >>> before, after = [[400, 100], [1200, 300]], [[800, 200], [800, 200]]
    >>> rates = [[0.2, 0.4], [0.1, 0.3]]
    >>> found = cross_classified(before, rates, after, rates, names=["fsm_eligible", "sen_provision"])
    >>> {name: round(effect, 4) for name, effect in found.structure.items()}, round(found.rate, 4)
    ({'fsm_eligible': 0.025, 'sen_provision': 0.0}, 0.0)
    """
    shares, rates = _shares_and_rates([cells0, cells1], [rates0, rates1])
    labels = _names(names, shares.ndim - 1)
    first, second = _pair(shares, rates, [structure_factors(share) for share in shares], 0, 1)
    effects = second - first
    return CrossClassified(
        dict(zip(labels, effects[:-1].tolist(), strict=True)), float(effects[-1]), math.fsum(effects.tolist())
    )


def standardise_cells(cells: ArrayLike, rates: ArrayLike, *, names: Sequence[str] | None = None) -> StandardisedCells:
    """Return rates of P populations standardised for their mix by several characteristics.

    Parameters
    ----------
    cells, rates
        As in ``cross_classified``, with the populations (areas or years) along a first axis of their own.
    names
        Names of the other axes.

    Returns
    -------
    StandardisedCells
        Differences between populations are effects: those of all characteristics and of the rates add up to the
        difference of the crude rates, and those between A and B and between B and C to those between A and C.

    Raises
    ------
    NoDataError, ValueError
        As ``cross_classified``; or there are fewer than two populations.

    Notes
    -----
    Das Gupta (1993), equation 6.11, from the pairwise rates of chapter 5. Unlike indirect standardisation
    (``models.standardisation``) nobody is the standard, and the mix's part is told by characteristic.
    """
    shares, known = _shares_and_rates(list(np.asarray(cells, dtype=float)), list(np.asarray(rates, dtype=float)))
    labels = _names(names, shares.ndim - 1)
    factors = [structure_factors(share) for share in shares]
    found = reconcile_pairs(len(shares), lambda a, b: _pair(shares, known, factors, a, b))
    crude = np.array([_sum(share * np.where(share > 0, rate, 0)) for share, rate in zip(shares, known, strict=True)])
    return StandardisedCells({label: found[:, k] for k, label in enumerate(labels)}, found[:, -1], crude)


def structure_factors(cells: ArrayLike) -> FloatArray:
    """Return one factor of each cell's share for each characteristic.

    Parameters
    ----------
    cells
        Numbers of pupils with one axis for each of K characteristics.

    Returns
    -------
    numpy.ndarray
        Shape (K, shape of the cells). Their product along the first axis is the cell's share; all are 0 where the cell
        is empty.

    Notes
    -----
    Das Gupta (1993), chapter 5: the factor of characteristic i is the geometric mean, over all orders of the
    characteristics, of the share of pupils of the cell's level of i among those of its levels of the earlier ones.

    >>> # Independent characteristics: each factor is the share of the level.
    >>> structure_factors([[10, 30], [20, 60]])[0].round(4).tolist()
    [[0.3333, 0.3333], [0.6667, 0.6667]]
    """
    n = np.asarray(cells, dtype=float)
    axes = range(n.ndim)
    found = np.ones((n.ndim, *n.shape))
    occupied = n > 0
    for axis in axes:
        others = [k for k in axes if k != axis]
        for size in range(n.ndim):
            weight = math.factorial(size) * math.factorial(n.ndim - 1 - size) / math.factorial(n.ndim)
            for chosen in itertools.combinations(others, size):
                within, of = _margin(n, {*chosen, axis}), _margin(n, set(chosen))
                ratio = np.divide(within, of, out=np.zeros(np.broadcast_shapes(within.shape, of.shape)), where=of > 0)
                found[axis] *= ratio**weight
    return np.where(occupied, found, 0.0)


def _margin(n: FloatArray, kept: set[int]) -> FloatArray:
    return n.sum(axis=tuple(k for k in range(n.ndim) if k not in kept), keepdims=True)


def _pair(
    shares: FloatArray, rates: FloatArray, factors: list[FloatArray], a: int, b: int
) -> tuple[FloatArray, FloatArray]:
    """Return the standardised rates of two populations: one for each characteristic, then that of the rates."""
    borrowed = borrowed_rates(shares[[a, b]], rates[[a, b]])
    mean_rate, mean_share = borrowed.mean(axis=0), (shares[a] + shares[b]) / 2
    products = standardised_product_pair(factors[a], factors[b])
    found = [
        np.array([*(_sum(mean_rate * part) for part in product), _sum(mean_share * own)])
        for product, own in zip(products, borrowed, strict=True)
    ]
    return found[0], found[1]


def borrowed_rates(shares: FloatArray, rates: FloatArray) -> FloatArray:
    """Return the rates of two populations; where one has no pupils it has the other's, and 0 where neither has any."""
    first = np.where(shares[0] > 0, rates[0], np.where(shares[1] > 0, rates[1], 0.0))
    second = np.where(shares[1] > 0, rates[1], first)
    return np.stack([first, second])


def _shares_and_rates(cells: list[ArrayLike], rates: list[ArrayLike]) -> tuple[FloatArray, FloatArray]:
    """Return shares and rates with the populations along the first axis, checked."""
    arrays = [np.asarray(values, dtype=float) for values in (*cells, *rates)]
    shapes = sorted({values.shape for values in arrays})
    if len(shapes) != 1 or shapes[0] == ():
        raise ValueError(f"Cells and rates of all populations have one shape, with an axis; these have {shapes}.")
    n, r = np.stack(arrays[: len(cells)]), np.stack(arrays[len(cells) :])
    if (n < 0).any():
        raise ValueError("A cell holds fewer than 0 pupils.")
    _refuse_unknown(n, r)
    totals = n.reshape(len(n), -1).sum(axis=1)
    if not (totals > 0).all():
        place = int(np.flatnonzero(totals <= 0)[0])
        raise NoDataError(
            f"Population {place + 1} of {len(n)} has no pupils in any cell, so its rate cannot be decomposed."
            " Leave it out, or load its data."
        )
    return n / totals.reshape(-1, *[1] * (n.ndim - 1)), r


def _refuse_unknown(n: FloatArray, r: FloatArray) -> None:
    unknown = np.isnan(n) | (np.isnan(r) & (n > 0))
    if unknown.any():
        raise NoDataError(
            f"{int(unknown.sum())} of {n.size} cells have a missing number of pupils, or pupils and no rate:"
            " a change cannot be decomposed with missing cells. Use fewer or coarser characteristics."
        )


def _names(names: Sequence[str] | None, count: int) -> list[str]:
    labels = [f"factor {k + 1}" for k in range(count)] if names is None else list(names)
    if len(labels) != count or len(set(labels)) != count:
        raise ValueError(f"There are {count} axes and the names {labels}: each axis has one name of its own.")
    return labels


def _sum(values: FloatArray) -> float:
    return math.fsum(values.ravel().tolist())
