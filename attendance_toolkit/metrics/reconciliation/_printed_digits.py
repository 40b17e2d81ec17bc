"""How far a number of a column can lie from what it was made of, by the way the column is printed.

A column is printed to as many decimals as its longest text has on rows of the same level: England may be
given to one decimal and authorities to five. A column printed to more than three decimals may also have been cut
to a number of significant digits. Counts that are all multiples of 5 or 10 on a level were rounded to them,
while the percentages beside them rest on the counts before rounding.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from attendance_toolkit.schema.column_table import ColumnTable

Numbers = npt.NDArray[np.float64]

#: A column with more decimals than this is printed as its program printed a float.
_MOST_ROUNDED = 3
#: Doubles have 15 to 17 digits; with this many decimals a percentage is not rounded at all.
_UNROUNDED = 12
_NOISE = 1e-9
#: Fewer counts than this say nothing about rounding.
_FEWEST = 4
_STEPS = (10, 5)


def levels_of(table: ColumnTable) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    """Return each level of each series with its rows."""
    codes, names = (table.keys["level"] + " " + table.keys["series"]).factorize()
    for number, name in enumerate(names):
        yield str(name), codes == number


def half_digit(table: ColumnTable, name: str) -> Numbers:
    """Return half a unit of the last printed digit of a percentage, for each row; a hair for exact numbers."""
    value, decimals = table.numbers[name], table.decimals.get(name)
    half = np.full(len(table), _NOISE)
    if decimals is None:
        return half
    given = ~np.isnan(value) & (decimals >= 0)
    longest = int(decimals[given].max()) if given.any() else -1
    for _, rows in levels_of(table):
        known = rows & given
        most = int(decimals[known].max()) if known.any() else -1
        if most < 0 or longest >= _UNROUNDED:
            continue
        if most <= _MOST_ROUNDED:
            half[rows] = 0.5 * 10.0**-most
            continue
        # Digits are cut from a number already rounded to the column's decimals: 61 of 252 is 24.20635, then 24.2064.
        by_digits, by_decimals = _half_of_digits(value, decimals, known), 0.5 * 10.0**-longest
        half[rows] = np.where(by_digits > by_decimals, by_digits + by_decimals, by_decimals)[rows]
    return np.maximum(half, _NOISE)


def _half_of_digits(value: Numbers, decimals: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]) -> Numbers:
    """Return half a unit of the last significant digit, by the most digits any known number has."""
    size = np.abs(value[known])
    whole = np.where(size >= 1, np.floor(np.log10(np.maximum(size, 1))) + 1, 0)
    digits = int((whole + decimals[known]).max())
    with np.errstate(divide="ignore"):
        power = np.floor(np.log10(np.abs(value)))
    return np.asarray(0.5 * 10.0 ** (np.where(np.isfinite(power), power, 0) - digits + 1))


def half_step(table: ColumnTable, name: str) -> Numbers:
    """Return how far each count may lie from the count before it was rounded: 0, 2.5 or 5."""
    value = table.numbers[name]
    half = np.zeros(len(table))
    for _, rows in levels_of(table):
        known = value[rows & ~np.isnan(value) & (value != 0)]
        step = next((s for s in _STEPS if len(known) >= _FEWEST and not (known % s).any()), 0)
        half[rows] = step / 2
    return half
