"""What shares of pupils a rule would find if no pupil changed: noise and regression to the mean alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.intervals import FloatArray

#: A correlation of 1 would need no simulation.
_MOST_CORRELATION = 1 - 1e-9
#: Terms of the expansion that tells how much ties weaken a correlation.
_ORDERS = 24


@dataclass(frozen=True, eq=False)
class ExpectedShares:
    """Shares of pupils in each class if nobody changed.

    Attributes
    ----------
    share
        Shape (K,), adding up to 1.
    lower, upper
        Ends of the range that holds the share of as many pupils in 95% of cases, shape (K,).
    correlation
        Between the normal scores of any two years, as used.
    n_pupils
        Pupils the rates are of.
    """

    share: FloatArray
    lower: FloatArray
    upper: FloatArray
    correlation: float
    n_pupils: int


def expected_shares(
    rates: ArrayLike, classify: Callable[[FloatArray], ArrayLike], *, n_classes: int, draws: int = 20, seed: int = 1
) -> ExpectedShares:
    """Return the shares of classes that pupils would fall into if each kept a level of its own.

    A pupil keeps a level; years differ from it by chance, as much as they did. So the rates of any two years have the
    same correlation and every year has the same distribution: that of all years together. What a rule finds in such
    data, it finds by noise and by regression to the mean.

    Parameters
    ----------
    rates
        Rates of the pupils followed, shape (N, T), 0 to 1: a row a pupil, a column a year.
    classify
        Takes rates (N, T) and returns codes (N,) from 0 to ``n_classes`` - 1: the rule.
    n_classes
        Number of classes K.
    draws, seed
        How often N pupils are simulated, and where the draws begin.

    Returns
    -------
    ExpectedShares

    Raises
    ------
    NoDataError
        Fewer than two pupils.
    ParameterError
        The rates are not (N, T) with two years or more, or not between 0 and 1 throughout; the rule gives other codes
        than it may; or there are no draws.

    Notes
    -----
    Ranks become normal scores year by year; their correlation, the mean over all pairs of years and not below 0, is that
    of a normal level and normal chance, whose sum is put back to a rate by the order of all rates. Pupils with one and
    the same rate (nothing missed, above all) have one score, which weakens the correlation of scores: the level's is
    the one that would show as the one observed. The range is binomial, pupils being independent in the simulation; it
    does not hold the uncertainty of correlation and distribution, which are taken from the same pupils. A change of all
    pupils alike from year to year counts as chance here, and a rule may find it.

    Examples
    --------
    >>> level = np.random.default_rng(3).beta(1, 12, size=(4000, 1)).repeat(3, axis=1)
    >>> found = expected_shares(level, lambda r: (r[:, 0] >= 0.1) & (r[:, 2] < 0.1), n_classes=2)
    >>> found.share.round(3).tolist()  # nobody's rate changes at all
    [1.0, 0.0]

    """
    if draws < 1 or n_classes < 1:
        raise ParameterError(f"There must be a draw and a class or more; asked for were {draws} and {n_classes}.")
    observed = _checked(rates)
    pupils, years = observed.shape
    pooled = np.sort(observed, axis=None)
    correlation = _correlation(observed, pooled)
    generator = np.random.default_rng(seed)
    counts = np.zeros(n_classes)
    for _ in range(draws):
        drawn = _draw(generator, pooled, correlation, pupils, years)
        counts += _counted(classify(drawn), pupils, n_classes)
    share = counts / (draws * pupils)
    lower, upper = _range(share, pupils)
    return ExpectedShares(share, lower, upper, correlation, pupils)


def _checked(rates: ArrayLike) -> FloatArray:
    observed = np.asarray(rates, dtype=float)
    if observed.ndim != 2 or observed.shape[1] < 2:
        raise ParameterError(
            f"The rates have the shape {observed.shape}: a row a pupil and two years or more are needed."
        )
    if len(observed) < 2:
        raise NoDataError(f"There are rates of {len(observed)} pupils: a distribution needs two or more.")
    wrong = ~((observed >= 0) & (observed <= 1))  # missing ones as well
    if wrong.any():
        row, column = (int(place) for place in np.argwhere(wrong)[0])
        raise ParameterError(
            f"The rate of row {row}, year {column}, is {observed[row, column]:g}: rates are from 0 to 1, and pupils without"
            " one of the years are left out."
        )
    return observed


def _draw(
    generator: np.random.Generator, pooled: FloatArray, correlation: float, pupils: int, years: int
) -> FloatArray:
    """Return simulated rates (N, T): a normal level, normal chance, and the pooled rate of that order."""
    from scipy.special import ndtr  # here: scipy is slow to import

    level = generator.standard_normal((pupils, 1)) * np.sqrt(correlation)
    latent = level + generator.standard_normal((pupils, years)) * np.sqrt(1 - correlation)
    return pooled[np.minimum((ndtr(latent) * len(pooled)).astype(np.intp), len(pooled) - 1)]


def _counted(codes: ArrayLike, pupils: int, n_classes: int) -> FloatArray:
    found = np.asarray(codes).astype(np.intp)
    if found.shape != (pupils,) or found.min() < 0 or found.max() >= n_classes:
        raise ParameterError(
            f"The rule must return {pupils} codes from 0 to {n_classes - 1}; it returned the shape {found.shape}"
            + (f" with codes from {found.min()} to {found.max()}." if found.size else ".")
        )
    return np.bincount(found, minlength=n_classes).astype(float)


def _range(share: FloatArray, pupils: int) -> tuple[FloatArray, FloatArray]:
    from scipy.stats import binom

    # A sum of shares may be 1 + 1e-16.
    inside = np.clip(share, 0, 1)
    return binom.ppf(0.025, pupils, inside).clip(0) / pupils, binom.ppf(0.975, pupils, inside).clip(0) / pupils


def _correlation(observed: FloatArray, pooled: FloatArray) -> float:
    """Return the correlation of the normal level-and-chance that shows as the one observed between scores."""
    scores = np.column_stack([_normal_scores(column) for column in observed.T])
    spread = scores.std(axis=0)
    if not spread.all():  # a year in which everybody has one rate says nothing of who is above whom
        scores = scores[:, spread > 0]
    if scores.shape[1] < 2:
        return 0.0
    between = np.atleast_2d(np.corrcoef(scores, rowvar=False))
    shown = float(between[np.triu_indices_from(between, 1)].mean())
    return min(_without_ties(shown, pooled), _MOST_CORRELATION)


def _normal_scores(values: FloatArray) -> FloatArray:
    """Return normal scores of mid-ranks: Phi^-1((rank - 0.5) / N), ties sharing one."""
    from scipy.special import ndtri

    _, code, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray(ndtri((ends - counts / 2) / len(values))[code])


def _without_ties(shown: float, pooled: FloatArray) -> float:
    """Return the correlation of two normal variables whose scores, tied as these rates are, correlate as shown.

    By Mehler's expansion: scores g(u) with Hermite coefficients a_k correlate by sum a_k^2 r^k / sum a_k^2.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtri

    if shown <= 0:
        return 0.0
    _, counts = np.unique(pooled, return_counts=True)
    share, ends = counts / len(pooled), np.cumsum(counts) / len(pooled)
    scores = ndtri(ends - share / 2)
    spread = float(share @ scores**2 - (share @ scores) ** 2)
    squares = _hermite_coefficients(scores, ndtri(ends[:-1])) ** 2 / spread
    squares = np.append(squares, max(1 - squares.sum(), 0.0))  # the rest comes in at the next order, or later
    powers = np.arange(1, len(squares) + 1)
    if shown >= squares.sum():
        return 1.0
    return float(brentq(lambda r: float(squares @ r**powers) - shown, 0.0, 1.0))


def _hermite_coefficients(levels: FloatArray, steps: FloatArray) -> FloatArray:
    """Return E[g(u) h_k(u)], k = 1 to _ORDERS, of the step function g and the normalised Hermite polynomials h_k.

    ``levels`` (J,) are the values of g, ``steps`` (J - 1,) the places between them. The integral of h_k times the
    normal density is minus h_(k-1) times the density over sqrt(k), so that each step adds its height times this.
    """
    rises = np.diff(levels) * np.exp(-(steps**2) / 2) / np.sqrt(2 * np.pi)
    before, here = np.zeros_like(steps), np.ones_like(steps)
    found = []
    for k in range(1, _ORDERS + 1):
        found.append(float(rises @ here) / np.sqrt(k))
        before, here = here, (steps * here - np.sqrt(k - 1) * before) / np.sqrt(k)
    return np.array(found)
