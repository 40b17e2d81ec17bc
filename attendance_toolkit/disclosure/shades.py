"""Shades of a heat table: worked out from the figures as printed, so that a colour says nothing the page does not.

The shade of a cell is a function of the texts in the table. Whoever has the page can work it out again, and the gate does;
a hidden figure, which has no text but its symbol, has no shade and moves none.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from attendance_toolkit.disclosure.marks import heat_classes
from attendance_toolkit.vocabulary.rounding import number_text

#: Classes of shaded cells, from low to high figures.
SHADES = ("heat-a", "heat-b", "heat-c", "heat-d", "heat-e")

_NUMBER = re.compile(r"[+−-]?\d[\d,]*(?:\.\d+)?")


def printed_number(text: str) -> float | None:
    """Return the number a cell shows, or None where it shows anything else, even beside a number.

    >>> printed_number("1,234.5"), printed_number("−0.3"), printed_number("c"), printed_number("7.7 u")
    (1234.5, -0.3, None, None)
    """
    if not _NUMBER.fullmatch(text):
        return None
    return float(text.replace(",", "").replace("−", "-"))


def shades_of(texts: Sequence[str]) -> tuple[list[int | None], tuple[str, ...]]:
    """Return the shade of each cell of a table, and what each shade in use stands for.

    The ranges are equally wide and end at round numbers. Where a few high figures would leave nearly all others in one
    range (two thirds of them or more), each holds about as many figures as the next instead, and ends at one of them.

    Parameters
    ----------
    texts
        What the cells show. Those without a bare number have no shade.

    Returns
    -------
    Position in ``SHADES``, or None, for each text; and the ranges of figures, from low to high.

    >>> shades_of(["0.4", "c", "9.6", "4.0"])
    ([0, None, 4, 2], ('0 to under 2', '2 to under 4', '4 to under 6', '6 to under 8', '8 to 10'))
    >>> shades_of(["c", "x"])
    ([None, None], ())
    >>> shades_of(["0.2", "0.4", "0.9", "1.5", "3.0", "41.0"])
    ([0, 1, 2, 3, 4, 4], ('0.2 to under 0.4', '0.4 to under 0.9', '0.9 to under 1.5', '1.5 to under 3.0', '3.0 to 41.0'))
    """
    numbers = [printed_number(text) for text in texts]
    values = np.array([np.nan if number is None else number for number in numbers], dtype=float)
    symbols = np.array(["x" if number is None else "" for number in numbers], dtype=object)
    classes, edges = heat_classes(values, symbols, classes=len(SHADES))
    if values.size and max(np.bincount(classes[classes >= 0]), default=0) * 3 >= 2 * np.sum(classes >= 0):
        classes, edges = _even_classes(values) or (classes, edges)
    places = spread_shades(len(edges) - 1)
    return [None if found < 0 else places[found] for found in classes.tolist()], _ranges(edges)


def spread_shades(count: int) -> list[int]:
    """Return which shades so many classes have: the whole range, however few they are.

    >>> spread_shades(5), spread_shades(3), spread_shades(1)
    ([0, 1, 2, 3, 4], [0, 2, 4], [0])
    """
    last = len(SHADES) - 1
    return [0] if count == 1 else [round(place * last / (count - 1)) for place in range(count)]


def _even_classes(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], tuple[float, ...]] | None:
    """Return classes of about as many figures each; None where there are too few different figures for it."""
    shown = np.sort(values[~np.isnan(values)])
    if len(np.unique(shown)) <= len(SHADES):
        return None
    starts = [shown[len(shown) * place // len(SHADES)] for place in range(len(SHADES))]
    edges = np.unique([*starts, shown[-1]])
    found = np.full(values.shape, -1, dtype=np.int64)
    is_shown = ~np.isnan(values)
    found[is_shown] = np.clip(np.searchsorted(edges, values[is_shown], side="right") - 1, 0, len(edges) - 2)
    return found, tuple(edges.tolist())


def _ranges(edges: Sequence[float]) -> tuple[str, ...]:
    if not edges:
        return ()
    size = max(map(abs, edges))
    decimals = next(d for d in range(13) if d == 12 or all(abs(round(edge, d) - edge) < 1e-9 * size for edge in edges))
    texts = [number_text(edge, decimals) for edge in edges]
    last = len(texts) - 2
    return tuple(
        f"{low} to {'' if place == last else 'under '}{high}"
        for place, (low, high) in enumerate(itertools.pairwise(texts))
    )


__all__ = ["SHADES", "printed_number", "shades_of", "spread_shades"]
