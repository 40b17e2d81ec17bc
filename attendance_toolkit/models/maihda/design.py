"""The design of a main-effects model: one column for every level but the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from attendance_toolkit.errors import ParameterError, UnknownColumnError, did_you_mean
from attendance_toolkit.intervals import FloatArray

#: Columns looked for when the trials of the strata are not given.
_TRIALS = ("trials", "enrolments")


@dataclass(frozen=True, eq=False)
class Design:
    """Indicator columns of the levels of some characteristics.

    Attributes
    ----------
    matrix
        Shape (J, P), the intercept first.
    terms
        Characteristic and level of columns 1 to P-1.
    references
        The level of each characteristic that has no column.
    """

    matrix: FloatArray
    terms: tuple[tuple[str, str], ...]
    references: dict[str, str]


def main_effects_design(
    strata: pd.DataFrame,
    characteristics: Sequence[str],
    *,
    references: Mapping[str, str] | None = None,
    trials: ArrayLike | None = None,
) -> Design:
    """Return the intercept and an indicator for every level of the characteristics but the reference level.

    Parameters
    ----------
    strata
        One row a stratum with a column for each characteristic; J rows.
    characteristics
        Names of these columns.
    references
        Level to compare with, by characteristic; by default the level with most trials.
    trials
        Trials of each stratum, shape (J,); by default the column "trials" or "enrolments", or one a stratum.

    Returns
    -------
    Design
        Levels in the order of a categorical column, else in alphabetical order. Levels that no stratum with trials
        has get no column.

    Raises
    ------
    UnknownColumnError
        A characteristic is not a column.
    ParameterError
        A value is missing, or a reference is not a level of the strata.

    Examples
    --------
    >>> strata = pd.DataFrame({"sex": ["Female", "Male"], "fsm": ["Eligible", "Eligible"], "enrolments": [40, 50]})
    >>> design = main_effects_design(strata, ["sex", "fsm"])
    >>> design.terms, design.references["sex"], design.matrix.tolist()
    ((('sex', 'Female'),), 'Male', [[1.0, 1.0], [1.0, 0.0]])

    """
    size = _trials(strata, trials)
    columns, terms, chosen = [np.ones(len(strata))], [], {}
    for name in characteristics:
        values = _values(strata, name)
        levels = _levels(strata[name], values[size > 0])
        weights = {level: float(size[values == level].sum()) for level in levels}
        reference = (references or {}).get(name) or max(levels, key=lambda level: weights[level], default="")
        if reference not in levels:
            raise ParameterError(
                f"'{reference}' is not a level of '{name}' in these strata.{did_you_mean(reference, levels)} "
                f"Use one of: {', '.join(levels)}."
            )
        chosen[name] = reference
        others = [level for level in levels if level != reference]
        columns += [(values == level).astype(float) for level in others]
        terms += [(name, level) for level in others]
    return Design(np.column_stack(columns), tuple(terms), chosen)


def _trials(strata: pd.DataFrame, trials: ArrayLike | None) -> FloatArray:
    if trials is not None:
        return np.asarray(trials, dtype=float)
    found = next((name for name in _TRIALS if name in strata.columns), "")
    return strata[found].to_numpy(dtype=float) if found else np.ones(len(strata))


def _values(strata: pd.DataFrame, name: str) -> np.ndarray:
    if name not in strata.columns:
        raise UnknownColumnError(f"The strata have no column '{name}'.{did_you_mean(name, list(strata.columns))}")
    if strata[name].isna().any():
        raise ParameterError(
            f"Strata without a value of '{name}' cannot be fitted; give the unknown a level of its own."
        )
    return strata[name].astype(str).to_numpy(dtype=object)


def _levels(column: pd.Series, found: np.ndarray) -> list[str]:
    """Return the levels found, in the order the column declares or else by name."""
    present = set(found)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return [str(level) for level in column.cat.categories if str(level) in present]
    return sorted(present)
