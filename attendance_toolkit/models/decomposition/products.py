"""A rate that is a function of several factors, as a rule their product: what each factor's change changed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.intervals import FloatArray

#: A rate worked out from factors, in order; each factor a number or an array.
RateFunction = Callable[..., float]


def product_effects(factors0: ArrayLike, factors1: ArrayLike) -> FloatArray:
    """Return what the change of each factor adds to the change of their product.

    Parameters
    ----------
    factors0, factors1
        The factors of the first and of the second population, along the first axis (K or K x any shape).

    Returns
    -------
    numpy.ndarray
        Effects, of the shape of the factors. Along the first axis they add up to the change of the product.

    Raises
    ------
    ValueError
        The two have different shapes.

    Notes
    -----
    Das Gupta (1993), chapter 2; the Shapley value of each factor: what its change changes, averaged over every order in
    which the factors could have changed.

    >>> # Fertility of South Korea in 1970 and 1980 (Das Gupta 1993, example 2.4).
    >>> found = product_effects([0.58, 0.76, 0.84, 0.66, 16.573], [0.72, 0.97, 0.97, 0.56, 16.158])
    >>> found.round(5).tolist()
    [1.09098, 1.22984, 0.72784, -0.83987, -0.12902]
    """
    a, b = _two(factors0, factors1)
    first, second = standardised_product_pair(a, b)
    return second - first


def function_effects(rate: RateFunction, factors0: Sequence[ArrayLike], factors1: Sequence[ArrayLike]) -> FloatArray:
    """Return what the change of each factor adds to the change of ``rate(*factors)``, shape (K,).

    ``product_effects`` for a rate that is another function of its factors, each a number or an array (Das Gupta 1993,
    chapters 3 and 4).

    >>> # A difference: each factor's own change, the second's with the other sign.
    >>> function_effects(lambda joined, left: joined - left, [12.0, 9.0], [15.0, 7.0]).tolist()
    [3.0, 2.0]
    """
    first, second = _standardised_function_pair(rate, factors0, factors1)
    return second - first


def standardise_products(factors: ArrayLike) -> FloatArray:
    """Return the rate of each population standardised by all factors but one, for every factor.

    Parameters
    ----------
    factors
        Factors of P populations, whose product is the rate; shape (P, K).

    Returns
    -------
    numpy.ndarray
        Shape (P, K). The differences of a column between populations are the effects of its factor; those of all
        factors add up to the difference of the rates. For every population the sum of its row less its own rate is the
        same number.

    Notes
    -----
    Das Gupta (1993), equation 6.11: pairwise standardised rates do not agree with each other when there are three
    populations or more; these are the averages that do. For two populations they are the pairwise rates.

    >>> # Earnings of two populations (Das Gupta 1993, example 2.1).
    >>> standardise_products([[10930, 0.717892], [16591, 0.825974]]).round(2).tolist()
    [[8437.23, 9878.55], [12807.14, 11365.82]]
    """
    values = np.asarray(factors, dtype=float)
    if values.ndim != 2:
        raise ValueError(f"Factors are a row for each population, shape (P, K); these have the shape {values.shape}.")
    return reconcile_pairs(len(values), lambda a, b: standardised_product_pair(values[a], values[b]))


def standardise_functions(rate: RateFunction, factors: Sequence[Sequence[ArrayLike]]) -> FloatArray:
    """Return what ``standardise_products`` does for a rate that is another function of its factors.

    Parameters
    ----------
    rate
        Called with K factors.
    factors
        The K factors of each of P populations, each a number or an array.
    """
    return reconcile_pairs(len(factors), lambda a, b: _standardised_function_pair(rate, factors[a], factors[b]))


def standardised_product_pair(first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return each population's product standardised by all factors but one, for every factor (first axis)."""
    count = len(first)
    others = np.zeros_like(first)
    for factor in range(count):
        for chosen, weight in _subsets(factor, count):
            # Factors of ``chosen`` are of the second population, the others of the first.
            parts = [second[k] if k in chosen else first[k] for k in range(count) if k != factor]
            others[factor] += weight * math.prod(parts)
    return first * others, second * others


def reconcile_pairs(populations: int, pair: Callable[[int, int], tuple[FloatArray, FloatArray]]) -> FloatArray:
    """Return the standardised rates of P populations from those of every two, by equation 6.11; shape (P, K)."""
    if populations < 2:
        raise ValueError("Standardisation compares two populations or more.")
    shape = pair(0, 1)[0].shape
    by = np.zeros((populations, populations, *shape))  # [x, y]: the rate of x, standardised by the pair x and y
    for x, y in itertools.combinations(range(populations), 2):
        by[x, y], by[y, x] = pair(x, y)
    n = populations
    sums = by.sum(axis=1)  # the diagonal is 0
    found = np.empty((n, *shape))
    for y in range(n):
        corrections = sum(sums[x] - by[x, y] - (n - 2) * by[x, y] for x in range(n) if x != y)
        found[y] = sums[y] / (n - 1) + corrections / (n * (n - 1))
    return found


def _standardised_function_pair(
    rate: RateFunction, factors0: Sequence[ArrayLike], factors1: Sequence[ArrayLike]
) -> tuple[FloatArray, FloatArray]:
    count = len(factors0)
    if len(factors1) != count:
        raise ValueError(f"The first population has {count} factors and the second {len(factors1)}.")
    both = [[np.asarray(f, dtype=float) for f in factors] for factors in (factors0, factors1)]
    found = np.zeros((2, count))
    for factor in range(count):
        for chosen, weight in _subsets(factor, count):
            for own in (0, 1):
                mixed = [both[own if k == factor else int(k in chosen)][k] for k in range(count)]
                found[own, factor] += weight * float(rate(*mixed))
    return found[0], found[1]


def _subsets(factor: int, count: int) -> Iterator[tuple[frozenset[int], float]]:
    """Yield every set of the other factors and the share of all orders in which they, and only they, come first."""
    others = [k for k in range(count) if k != factor]
    for size in range(count):
        weight = math.factorial(size) * math.factorial(count - 1 - size) / math.factorial(count)
        for chosen in itertools.combinations(others, size):
            yield frozenset(chosen), weight


def _two(factors0: ArrayLike, factors1: ArrayLike) -> tuple[FloatArray, FloatArray]:
    a, b = np.asarray(factors0, dtype=float), np.asarray(factors1, dtype=float)
    if a.shape != b.shape or a.ndim == 0:
        raise ValueError(f"Factors of two populations have one shape; these have {a.shape} and {b.shape}.")
    return a, b
