"""Statistics of models fitted to exact counts: how many digits partners get, and which are shown together or not at all."""

from __future__ import annotations

import numpy as np
import pandas as pd

from attendance_toolkit.disclosure.counts import WITHHELD
from attendance_toolkit.vocabulary.columns import MEASURE_CORE
from attendance_toolkit.vocabulary.statistics import MODELLED

#: What the score equations of a model are made of. All but one of them, with the sizes of groups, give the last one back, and
#: with it the count of a hidden level: so one hidden hides all of a model.
TOGETHER = ("maihda_intercept", "maihda_coefficient")
#: Pupils counted for each step of a digit: 500 for one decimal of a coefficient, 5,000 for two.
PUPILS_PER_DIGIT = 50
#: Pupils of whom the last digit of a change in percentage points stands for at least 5: 0.1 points are 5 of 5,000.
PUPILS_PER_POINT_DIGIT = 500
_NUMBERS = ["rate", "lower", "upper"]
_NOT_OF_A_MODEL = (
    *MEASURE_CORE,
    "enrolments",
    "contributors",
    "concentration",
    "characteristic",
    "level",
    "decimals",
    WITHHELD,
)


def hidden_together(rows: pd.DataFrame, hidden: np.ndarray, *, counts_are_exact: bool = False) -> np.ndarray:
    """Return the hidden rows, with those of the same model that are not to be shown without them.

    Parameters
    ----------
    rows
        MEASURE rows of one table.
    hidden
        (n,) Which of them are hidden by the counts they are about.
    counts_are_exact
        Partners see counts unrounded. Beside exact margins the equations of a model tell too much of small strata, so
        that no policy of exact counts shows them.
    """
    if counts_are_exact:
        return hidden | rows["measure"].isin(TOGETHER).to_numpy()
    tied = rows["measure"].isin(TOGETHER).to_numpy() & hidden
    if not tied.any() or "model" not in rows.columns:
        return hidden
    names = [name for name in rows.columns if name not in _NOT_OF_A_MODEL]
    model = rows.groupby(names, dropna=False, observed=True, sort=False).ngroup().to_numpy()
    return hidden | (rows["measure"].isin(TOGETHER).to_numpy() & np.isin(model, model[tied]))


def decimals_for(rows: pd.DataFrame, events: float) -> pd.Series:
    """Return how many decimals partners may be told of each statistic of a model, as it is written (percent: of a percent).

    A pupil more in one group and one fewer in another changes a coefficient by about one over the number of all who are
    counted. Digits much finer than that would tell tables apart that agree on everything else that is shown.

    Parameters
    ----------
    rows
        MEASURE rows of modelled statistics.
    events
        How many pupils of the model are counted (severe absentees).

    >>> rows = pd.DataFrame({"measure": ["maihda_coefficient", "vpc_latent", "auc_strata"], "rate": 0.5})
    >>> decimals_for(rows, 620).tolist(), decimals_for(rows, 8000).tolist()
    ([1, 0, 2], [2, 1, 2])
    """
    digits = int(np.clip(np.floor(np.log10(max(events, 1) / PUPILS_PER_DIGIT)), 1, 2))
    found = []
    for name, value in zip(rows["measure"], rows["rate"], strict=True):
        how = MODELLED[name]
        if how.unit == "p":
            found.append(3 if value < 0.01 else 2)
        else:
            # A share of variance and an AUC lie between 0 and 1, and move less.
            fraction = digits + (how.unit == "percent" or name.startswith("auc"))
            found.append(min(how.decimals, fraction - round(np.log10(how.scale))))
    return pd.Series(found, index=rows.index)


def points_decimals(pupils: float) -> int:
    """Return how many decimals partners may be told of a change, in percentage points, among so many pupils: 1 or 2.

    The last digit stands for 5 pupils or more (from 5,000 pupils on), as counts are rounded to 5: finer ones would say more
    than the counts that are shown.

    >>> points_decimals(4_700), points_decimals(450_000)
    (1, 2)
    """
    return int(np.clip(np.floor(np.log10(max(pupils, 1) / PUPILS_PER_POINT_DIGIT)), 1, 2))


def cut_statistics(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows whose modelled statistics have the digits they are written with, and no more.

    A row's own ``decimals`` come before those of its statistic.

    >>> row = {"measure": "pcv", "rate": 0.962654, "lower": 0.9475, "upper": 1.0}
    >>> cut_statistics(pd.DataFrame([row]))["rate"].item()
    0.963
    """
    rows = rows.copy()
    for name in set(rows["measure"]) & set(MODELLED):
        statistic = MODELLED[name]
        here = rows.index[rows["measure"] == name]
        own = pd.to_numeric(rows.loc[here, "decimals"]) if "decimals" in rows.columns else pd.Series(np.nan, index=here)
        digits = own.fillna(statistic.decimals).astype(int) + round(np.log10(statistic.scale))
        for number in digits.unique():
            chosen = digits.index[digits == number]
            rows.loc[chosen, _NUMBERS] = rows.loc[chosen, _NUMBERS].round(number)
    return rows
