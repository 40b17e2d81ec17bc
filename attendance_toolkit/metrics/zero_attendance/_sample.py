"""A sample of pupils across strata that anybody with the same data draws again, and that only grows when its share does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Draw:
    """A sample.

    Attributes
    ----------
    drawn
        (N,) whether each row of the list was drawn.
    sizes
        Stratum -> (rows, rows drawn), in the order of its name.
    """

    drawn: NDArray[np.bool_]
    sizes: dict[str, tuple[int, int]]

    @property
    def size(self) -> int:
        """How many were drawn."""
        return int(self.drawn.sum())


def sample_size(total: int, share: Fraction) -> int:
    """Return a share of a number, halves rounded up, and at least one of any.

    >>> sample_size(347, Fraction(12, 100)), sample_size(3, Fraction(12, 100)), sample_size(0, Fraction(12, 100))
    (42, 1, 0)
    """
    return min(max(int(total * share + Fraction(1, 2)), 1), total)


def allocate(sizes: Sequence[int], places: int, *, at_least_one: bool = True) -> list[int]:
    """Return how many places each stratum gets, in proportion to its size.

    Places are given one at a time to the stratum furthest below its share (Webster's method, also Sainte-Laguë's; equal
    claims go to the larger stratum, then to the first). Largest remainders nearly always give the same, but can take a place
    away from a stratum when there is one more place in all (the Alabama paradox), and pupils already drawn would be lost
    from a sample that grows. Source: Balinski and Young (2001), Fair Representation, 2nd edition, appendix A.

    Parameters
    ----------
    sizes
        (H,) rows of each stratum, above 0.
    places
        Places in all. Where each stratum is to have one, there are at least H.
    at_least_one
        Whether each stratum has one before the others are given.

    Returns
    -------
    (H,) places, none above the size of its stratum.

    >>> allocate([300, 40, 7], 42), allocate([300, 40, 7], 42, at_least_one=False)
    ([36, 5, 1], [36, 5, 1])
    >>> allocate([300, 2, 1], 12), allocate([300, 2, 1], 12, at_least_one=False)
    ([10, 1, 1], [12, 0, 0])
    """
    given = [1 if at_least_one else 0 for _ in sizes]
    for _ in range(min(max(places, sum(given)), sum(sizes)) - sum(given)):
        claims = [
            (Fraction(size, 2 * has + 1), size, -place)
            for place, (size, has) in enumerate(zip(sizes, given, strict=True))
            if has < size
        ]
        given[-max(claims)[2]] += 1
    return given


def draw_order(upns: Iterable[int], laestabs: Iterable[int], seed: int | str) -> list[str]:
    """Return a text for each enrolment by whose order they are drawn: the same for the same pupil, school and seed.

    >>> draw_order([5], [9354001], 1) == draw_order([5], [9354001], "1") != draw_order([5], [9354001], 2)
    True
    """
    return [
        hashlib.sha256(f"{seed}|{int(upn)}|{int(laestab)}".encode()).hexdigest()
        for upn, laestab in zip(upns, laestabs, strict=True)
    ]


def draw_sample(listed: pd.DataFrame, share: Fraction, seed: int | str, *, at_least_one: bool = True) -> Draw:
    """Return a sample of a list, drawn without replacement in each stratum.

    The sample depends on the pupils listed, their strata, the share and the seed, not on the order of the rows. A larger
    share keeps everybody drawn with a smaller one.

    Parameters
    ----------
    listed
        One row an enrolment: ``upn`` (pseudonym), ``laestab``, ``stratum``.
    share
        Of the list, above 0 and at most 1.
    seed
        Any number or word; another one gives another sample.
    at_least_one
        Draw at least one of each stratum, also where that makes the sample larger than the share.

    Raises
    ------
    ValueError
        The share is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"The share is {share}; it is above 0 and at most 1.")
    order = draw_order(listed["upn"], listed["laestab"], seed)
    members: dict[str, list[tuple[str, int]]] = {}
    for position, (stratum, key) in enumerate(zip(listed["stratum"].astype(str), order, strict=True)):
        members.setdefault(stratum, []).append((key, position))
    names = sorted(members)
    sizes = [len(members[name]) for name in names]
    places = allocate(sizes, sample_size(len(listed), share), at_least_one=at_least_one)
    drawn = np.zeros(len(listed), dtype=bool)
    for name, number in zip(names, places, strict=True):
        drawn[[position for _, position in sorted(members[name])[:number]]] = True
    return Draw(drawn, dict(zip(names, zip(sizes, places, strict=True), strict=True)))


def digest_of(upns: Iterable[int], laestabs: Iterable[int]) -> str:
    """Return twelve characters that tell whether two samples are of the same enrolments.

    >>> digest_of([5, 6], [9354001, 9354002]) == digest_of([6, 5], [9354002, 9354001])
    True
    """
    text = ";".join(sorted(f"{int(upn)}|{int(laestab)}" for upn, laestab in zip(upns, laestabs, strict=True)))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
