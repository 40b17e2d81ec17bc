"""Designs of regression models: checked, their names, columns that say nothing new, rows that are alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.models.maihda.design import Design

IntArray = NDArray[np.intp]

#: Square of the share of a column that the columns before it leave over. Less is rounding: sums of squares of numbers
#: like 2023 keep 16 digits of which a trend over three years needs 7.
_LEAST_REST = 1e-12
#: Numbers of levels are multiplied as long as the product is a 64-bit integer.
_MOST_CODES = 2**62


def design_matrix(design: Design | ArrayLike, names: Sequence[str], rows: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the matrix (rows, P) in its own type, and a name of each column.

    Raises
    ------
    ParameterError
        The shape is not (rows, P), there are not as many names as columns, or a value is missing or infinite.

    >>> design_matrix([[1, 0], [1, 1]], (), 2)[1]
    ('column 1', 'column 2')
    """
    if isinstance(design, Design):
        matrix: np.ndarray = design.matrix
        names = names or ("intercept", *(f"{name}: {level}" for name, level in design.terms))
    else:
        matrix = np.asarray(design)
    if matrix.ndim != 2 or len(matrix) != rows or not matrix.shape[1]:
        raise ParameterError(f"The design has the shape {matrix.shape}; {rows} rows and a column or more are needed.")
    names = tuple(names) or tuple(f"column {place}" for place in range(1, matrix.shape[1] + 1))
    if len(names) != matrix.shape[1]:
        raise ParameterError(
            f"The design has {matrix.shape[1]} columns and {len(names)} names: give one name a column."
        )
    if matrix.dtype.kind not in "biu":
        matrix = matrix.astype(float, copy=False)
        wrong = ~np.isfinite(matrix)
        if wrong.any():
            row, column = (int(place) for place in np.argwhere(wrong)[0])
            raise ParameterError(
                f"Row {row} of the design has {matrix[row, column]:g} in '{names[column]}': leave out rows without a"
                " value, or give the unknown a level of its own."
            )
    return matrix, names


def codes_of(labels: ArrayLike, rows: int, what: str) -> tuple[IntArray, np.ndarray]:
    """Return the codes (rows,) of the labels, 0 upwards, and the distinct labels in order of appearance.

    Raises
    ------
    ParameterError
        There are not as many labels as rows, or one is missing.

    >>> codes_of(["b", "a", "b"], 3, "group")[0].tolist()
    [0, 1, 0]
    """
    given = np.asarray(labels)
    if given.shape != (rows,):
        raise ParameterError(f"There are {rows} rows and labels of shape {given.shape}: give each row its {what}.")
    codes, distinct = pd.factorize(given)
    if (codes < 0).any():
        raise ParameterError(f"{int((codes < 0).sum())} of {rows} rows have no {what}: leave them out.")
    return codes, np.asarray(distinct)


def distinct_rows(matrix: np.ndarray) -> tuple[FloatArray, IntArray]:
    """Return the distinct rows (M, P) of a matrix, and which of them each row is.

    Much faster than ``numpy.unique(axis=0)``, which sorts rows: columns are coded by hashing and packed into one integer.

    >>> patterns, codes = distinct_rows(np.array([[1.0, 5.0], [1.0, 7.0], [1.0, 5.0]]))
    >>> patterns.tolist(), codes.tolist()
    ([[1.0, 5.0], [1.0, 7.0]], [0, 1, 0])
    """
    packed, size = np.zeros(len(matrix), dtype=np.int64), 1
    for column in matrix.T:
        own, levels = pd.factorize(column)
        if len(levels) < 2:
            continue
        if size * len(levels) > _MOST_CODES:
            packed, kept = pd.factorize(packed)
            size = len(kept)
        packed, size = packed * len(levels) + own, size * len(levels)
    codes, kept = pd.factorize(packed)
    place = np.empty(len(kept), dtype=np.intp)
    place[codes] = np.arange(len(matrix))  # any row of a pattern is like the others
    return matrix[place].astype(float), codes


def whitening(matrix: FloatArray, weights: FloatArray, names: Sequence[str]) -> FloatArray:
    """Return the upper triangle B for which the columns of XB are orthogonal and of length 1, rows counted by weights.

    Coefficients b of XB are the coefficients Bb of X. The second of two rounds takes back what the first loses where
    columns are nearly alike, as years counted from the year 0 are (Yamamoto et al. 2015, ETNA 44, 306).

    Raises
    ------
    ParameterError
        A column is 0 throughout, or is made up by columns before it.

    >>> whitening(np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([2.0, 2.0]), ["a", "b"]).round(4).tolist()
    [[0.5, -0.5], [0.0, 1.0]]
    """
    first = _whitening((matrix.T * weights) @ matrix, names)
    white = matrix @ first
    return first @ _whitening((white.T * weights) @ white, names)


def _whitening(gram: FloatArray, names: Sequence[str]) -> FloatArray:
    lengths = np.sqrt(np.diag(gram))
    if not lengths.all():
        raise ParameterError(
            f"The column '{names[int(np.argmin(lengths))]}' of the design is 0 in all rows: leave it out."
        )
    scaled = gram / np.outer(lengths, lengths)
    upper = np.zeros_like(scaled)
    for k in range(len(scaled)):  # Cholesky, by hand: the column at which it fails is the one to name
        upper[:k, k] = np.linalg.solve(upper[:k, :k].T, scaled[:k, k])
        rest = scaled[k, k] - upper[:k, k] @ upper[:k, k]
        if rest < _LEAST_REST:
            raise ParameterError(
                f"The column '{names[k]}' of the design is made up by the columns before it"
                f" ({', '.join(names[:k])}): leave out one of them, for example the reference level."
            )
        upper[k, k] = np.sqrt(rest)
    return np.asarray(np.linalg.inv(upper) / lengths[:, None])


def totals(codes: IntArray, weights: FloatArray, size: int = 0) -> FloatArray:
    """Return the sum of the weights of each code.

    >>> totals(np.array([0, 1, 0]), np.array([1.0, 2.0, 3.0])).tolist()
    [4.0, 2.0]
    """
    return np.asarray(np.bincount(codes, weights, size), dtype=float)


def sums_by(codes: IntArray, weights: FloatArray, columns: FloatArray, of_row: IntArray, size: int) -> FloatArray:
    """Return sums (size, P) by code of weights times the row of ``columns`` (M, P) that ``of_row`` names."""
    sums = [totals(codes, weights * column[of_row], size) for column in columns.T]
    return np.column_stack(sums)


def refuse_few(clusters: int, columns: int, what: str) -> None:
    """Raise where a covariance between clusters cannot be of full rank.

    Raises
    ------
    NoDataError
        There are not more clusters than columns.

    >>> refuse_few(3, 2, "clusters")
    """
    if clusters <= columns:
        raise NoDataError(
            f"There are {clusters} {what} for {columns} coefficients: there must be more {what} than coefficients."
        )
