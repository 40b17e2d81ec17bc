"""What an area's rate would be with another area's mix of pupils: mix and rate told apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from attendance_toolkit.errors import NoDataError
from attendance_toolkit.intervals import byar_interval, wilson_interval
from attendance_toolkit.models._counts import checked_counts


def indirect_standardisation(
    cells: pd.DataFrame,
    *,
    by: Sequence[str],
    strata: Sequence[str],
    events: str,
    trials: str,
    standard: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return observed and expected events of each area, and the rate they stand for.

    Expected are the events an area would have if each of its strata had the standard's rate. The standardised rate is
    the standard's own rate times observed over expected.

    Parameters
    ----------
    cells
        Counts; rows of the same group and stratum are added up.
    by
        Columns of the groups compared, for example the area.
    strata
        Columns whose mix is held equal, for example year group, sex, FSM and SEN.
    events, trials
        Columns of the counts.
    standard
        Rows with the strata and both counts; all rows of ``cells`` unless given.

    Returns
    -------
    pandas.DataFrame
        One row a group, in the order of ``by``: those columns, ``trials``, ``observed``, ``expected``, ``ratio`` with
        ``ratio_lower`` and ``ratio_upper`` (Byar's limits of the observed count over the expected one),
        ``crude_rate``, ``crude_lower``, ``crude_upper`` (Wilson), ``expected_rate``, and ``standardised_rate``,
        ``standardised_lower``, ``standardised_upper``. Missing where a group has no trials, or nothing is expected.

    Raises
    ------
    NoDataError
        A stratum has trials in a group and none in the standard, or a count is missing.

    Notes
    -----
    The interval counts chance in the observed events alone: the standard's rates are taken as known, which makes it a
    little wide where the group is a large part of the standard; and it is Poisson's, a little wide where events are
    common (by about a tenth at a rate of 20%). Two groups' ratios are each comparable with the
    standard (1), and with each other only so far as their mixes are alike (Breslow and Day 1987, volume II, 2.3).

    >>> cells = pd.DataFrame(
    ...     {
    ...         "area": ["A", "A", "B", "B"],
    ...         "fsm": ["Eligible", "Not eligible"] * 2,
    ...         "severe": [40, 10, 10, 40],
    ...         "pupils": [400, 1000, 100, 4000],
    ...     }
    ... )
    >>> found = indirect_standardisation(cells, by=["area"], strata=["fsm"], events="severe", trials="pupils")
    >>> found[["area", "observed", "expected", "ratio"]].round(3).values.tolist()
    [['A', 50.0, 50.0, 1.0], ['B', 50.0, 50.0, 1.0]]
    >>> found["crude_rate"].round(4).tolist()  # three times apart by the mix alone
    [0.0357, 0.0122]
    """
    by, strata = list(by), list(strata)
    base = cells if standard is None else standard
    for frame in (cells, base):
        _refuse_missing(frame, (events, trials))
    rates = base.groupby(strata, observed=True, dropna=False)[[events, trials]].sum().reset_index()
    rates = rates.assign(standard_rate=np.where(rates[trials] > 0, rates[events], np.nan) / rates[trials].clip(lower=1))
    counts = cells.groupby([*by, *strata], observed=True, dropna=False)[[events, trials]].sum().reset_index()
    checked_counts(counts[events], counts[trials])
    both = counts.merge(rates[[*strata, "standard_rate"]], on=strata, how="left", validate="many_to_one")
    _refuse_unknown_strata(both, strata, trials)
    # A stratum of no trials expects nothing, whatever the standard has.
    both["expected"] = (both["standard_rate"] * both[trials]).where(both[trials] > 0, 0.0)
    found = both.groupby(by, observed=True, dropna=False)[[trials, events, "expected"]].sum().reset_index()
    found = found.rename(columns={trials: "trials", events: "observed"})
    found = found.astype(dict.fromkeys(["trials", "observed", "expected"], "float64"))
    return _with_rates(found, float(base[events].sum() / base[trials].sum()) if base[trials].sum() else np.nan)


def _with_rates(found: pd.DataFrame, standard_rate: float) -> pd.DataFrame:
    """Add ratio, crude, expected and standardised rate with their intervals."""
    observed, pupils = found["observed"].to_numpy(), found["trials"].to_numpy()
    expected = np.where(found["expected"] > 0, found["expected"], np.nan)
    low, high = byar_interval(observed)
    crude = wilson_interval(observed, pupils)
    some = np.where(pupils > 0, pupils, np.nan)
    ratios = {"": observed / expected, "_lower": low / expected, "_upper": high / expected}
    columns = {f"ratio{end}": value for end, value in ratios.items()}
    columns |= {"crude_rate": observed / some, "crude_lower": crude[0], "crude_upper": crude[1]}
    columns |= {"expected_rate": found["expected"] / some}
    columns |= {f"standardised{end or '_rate'}": value * standard_rate for end, value in ratios.items()}
    return found.assign(**columns)


def _refuse_missing(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    for column in columns:
        missing = int(frame[column].isna().sum())
        if missing:
            raise NoDataError(
                f"{missing} of {len(frame)} rows have no '{column}': rates cannot be standardised with missing counts."
                " Leave the rows out of all groups, or use strata without them."
            )


def _refuse_unknown_strata(both: pd.DataFrame, strata: Sequence[str], trials: str) -> None:
    unknown = both[both["standard_rate"].isna() & (both[trials] > 0)]
    if len(unknown):
        named = ", ".join(f"{column} '{unknown.iloc[0][column]}'" for column in strata)
        raise NoDataError(
            f"The standard has no enrolments in the stratum {named}, so nothing can be expected there"
            f" ({unknown[list(strata)].drop_duplicates().shape[0]} such strata)."
            " Use a standard that holds all groups, or fewer strata."
        )
