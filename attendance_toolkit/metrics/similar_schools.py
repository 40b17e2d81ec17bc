"""Which schools are like a school: the nearest of its type by what the school does not choose."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

_School = TypeVar("_School", bound=Hashable)


def nearest_schools(features: Mapping[_School, Sequence[float]], number: int) -> dict[_School, tuple[_School, ...]]:
    """Return the schools nearest to each, nearest first.

    Parameters
    ----------
    features
        School -> what it is compared by, such as the share of pupils eligible for free school meals and the logarithm of its
        size; all schools the same in number and order. Schools with a missing value are nobody's neighbour and have none.
    number
        How many of them.

    Notes
    -----
    Euclidean distance, each feature divided by its standard deviation among the schools; one in which they do not differ
    says nothing and is left out. Of two at the same distance the one given first is nearer. Nearness is not mutual.

    >>> nearest_schools({"a": [0.1, 5.0], "b": [0.2, 5.1], "c": [0.6, 6.0], "d": [float("nan"), 5.0]}, 1)
    {'a': ('b',), 'b': ('a',), 'c': ('b',)}
    """
    known = [name for name, values in features.items() if np.isfinite(np.asarray(values, dtype=float)).all()]
    if len(known) < 2:
        return {}
    table = np.array([features[name] for name in known], dtype=float)
    spread = table.std(axis=0)
    scaled = table[:, spread > 0] / spread[spread > 0]
    found = {}
    for place, name in enumerate(known):
        distance = np.sqrt(((scaled - scaled[place]) ** 2).sum(axis=1))
        distance[place] = np.inf
        order = np.argsort(distance, kind="stable")[: min(number, len(known) - 1)]
        found[name] = tuple(known[other] for other in order)
    return found
