"""Does a column know the future? Columns that tell later absence better than anything known in July could.

The models' columns are made of a view of the cohort without its later year (``design.july_view``), so none should. The check
is for columns that somebody adds, and for data in which the future has slipped into an earlier year.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.intervals import FloatArray
from attendance_toolkit.metrics.transition.cohort import StepCohort
from attendance_toolkit.models.transition.design import StepDesign
from attendance_toolkit.vocabulary.measures import PERSISTENT

#: Pupils are compared within this many parts by absence of the year before: what a column says beyond that year.
PARTS = 20
#: Of two pupils alike in the year before, the share of pairs in which a column that knows July alone may tell who is persistently
#: absent later. Columns known in July reach about 0.6, models 0.7, the autumn after the step 0.9 (simulated cohorts).
MOST_WITHIN = 0.8


def suspicious_features(columns: Mapping[str, ArrayLike], cohort: StepCohort) -> pd.DataFrame:
    """Return how well each column tells later persistent absence, and whether that is too good to be known in July.

    Parameters
    ----------
    columns
        Name -> (N,) values, one for each pupil of the cohort; missing values are left out.
    cohort
        A cohort that is followed.

    Returns
    -------
    pandas.DataFrame
        Rows in the order of the columns: ``feature``; ``auc``, by itself; ``auc_within``, among pupils alike in the year
        before (both at least 0.5, whichever way the column points; missing where no pairs are); ``is_suspicious``.

    Raises
    ------
    NoDataError
        Nobody has been followed, or all or none were persistently absent.
    ParameterError
        A column has not one value for each pupil.
    """
    kept = cohort.is_compared
    later = cohort.later
    if later is None or not kept.any():
        raise NoDataError(f"{cohort.label} has not been followed over the step: nothing can be known of its future.")
    outcome = (later.missed * PERSISTENT[1] >= later.possible * PERSISTENT[0])[kept]
    if outcome.all() or not outcome.any():
        raise NoDataError(
            f"All pupils of {cohort.label}, or none, were persistently absent later: no column can tell them apart."
        )
    before = (cohort.year_missed / np.maximum(cohort.year_possible, 1))[kept]
    part = np.searchsorted(np.quantile(before, np.arange(1, PARTS) / PARTS), before, side="left")
    rows = []
    for name, values in columns.items():
        column = np.asarray(values, dtype=float)
        if column.shape != kept.shape:
            raise ParameterError(f"The column '{name}' has {column.size} values for {len(kept)} pupils.")
        alone = _auc_within(outcome, column[kept], np.zeros(len(part), np.int64))
        within = _auc_within(outcome, column[kept], part)
        rows.append((name, alone, within, bool(within > MOST_WITHIN)))
    return pd.DataFrame(rows, columns=["feature", "auc", "auc_within", "is_suspicious"])


def suspicious_columns(design: StepDesign, cohort: StepCohort) -> pd.DataFrame:
    """Return ``suspicious_features`` of the columns of a design."""
    columns = design.matrix(cohort)
    return suspicious_features({name: columns[:, place] for place, name in enumerate(design.names) if place}, cohort)


def _auc_within(outcome: np.ndarray, column: FloatArray, part: np.ndarray) -> float:
    """Return the share of pairs of one part, with and without the outcome, that the column puts in order, or the reverse."""
    from scipy.stats import rankdata  # here: scipy is slow to import

    right, pairs = 0.0, 0.0
    for number in np.unique(part):
        here = (part == number) & np.isfinite(column)
        with_outcome = outcome[here]
        m, n = int(with_outcome.sum()), int((~with_outcome).sum())
        ranks = rankdata(column[here])[with_outcome]
        right += float(ranks.sum()) - m * (m + 1) / 2
        pairs += m * n
    if not pairs:
        return np.nan
    share = right / pairs
    return max(share, 1 - share)
