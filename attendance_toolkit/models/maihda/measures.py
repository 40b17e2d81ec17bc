"""What a standard deviation between strata means: variance partition, median odds ratio."""

from __future__ import annotations

import math

import numpy as np
from numpy.polynomial.hermite import hermgauss
from numpy.typing import ArrayLike
from scipy.special import expit

#: Variance of the standard logistic distribution.
LOGISTIC_VARIANCE = math.pi**2 / 3
#: Upper quartile of the standard normal distribution.
_QUARTILE = 0.6744897501960817
_NODES, _WEIGHTS = hermgauss(61)


def latent_vpc(sd: float) -> float:
    """Return the share of the variance on the latent logistic scale that lies between strata.

    Source: Goldstein, Browne and Rasbash (2002), Understanding Statistics 1, 223, method of the latent variable.

    >>> round(latent_vpc(0.222667**0.5), 5)  # NHANES obesity, article "binary outcomes" of the R package MAIHDA
    0.06339
    """
    return sd**2 / (sd**2 + LOGISTIC_VARIANCE)


def median_odds_ratio(sd: float) -> float:
    """Return the median, over pairs of strata drawn by chance, of the higher odds over the lower.

    Source: Larsen and Merlo (2005), American Journal of Epidemiology 161, 81.

    >>> round(median_odds_ratio(0.222667**0.5), 3)  # NHANES obesity, as above
    1.568
    """
    return math.exp(math.sqrt(2) * sd * _QUARTILE)


def response_vpc(linear: ArrayLike, sd: float, trials: ArrayLike = 1.0) -> float:
    """Return the share of the variance of the outcome itself (0 or 1) that lies between strata.

    Var(p) / (Var(p) + E[p (1 - p)]) over the stratum effects at given main effects; both averaged over pupils where the
    main effects differ, so that in a main-effects model it is the share of what these leave. Depends on how common
    the outcome is, and is far smaller than the latent one for rare outcomes.

    Parameters
    ----------
    linear
        Linear predictor without the stratum effect, x'b; a number or shape (J,).
    sd
        Standard deviation between strata on the logit scale.
    trials
        Pupils of each stratum, as weights.

    Examples
    --------
    >>> round(response_vpc(-0.616, 0.222667**0.5), 4)  # 0.0478 by 10,000 draws in the article of latent_vpc
    0.0469

    """
    eta, weight = np.broadcast_arrays(np.atleast_1d(np.asarray(linear, float)), np.asarray(trials, float))
    p = expit(eta[:, None] + math.sqrt(2) * sd * _NODES)
    share = _WEIGHTS / _WEIGHTS.sum()
    mean = p @ share
    between = float(np.average(np.maximum((p**2) @ share - mean**2, 0), weights=weight))
    within = float(np.average((p * (1 - p)) @ share, weights=weight))
    return between / (between + within)
